"""Write the kept datasets anew, after a change that is meant to change them: ``python -m tests.golden``.

Look at what differs before committing.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rivalry.core.results import netcdf
from tests.golden.studies import HERE, dataset, studies

if __name__ == "__main__":
    for name, study in studies().items():
        with TemporaryDirectory() as folder:
            (HERE / f"{name}.nc").write_bytes(netcdf(dataset(study, Path(folder) / "run")))
        print(f"{name}.nc", file=sys.stderr)
