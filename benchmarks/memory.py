"""Peak resident memory of an import, of one solve and of runs of many cheap cells, a process each.

python -m benchmarks.memory                  1,000 and 10,000 cells, two minutes
python -m benchmarks.memory 1000 100000      other numbers of cells
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

FEW = {
    "import jax, and a first program": "import jax; jax.numpy.zeros(3) + 1",
    "import rivalry": "import rivalry",
    "solve": "import rivalry as rv; rv.solve(rv.games.market(unit_cost=10.0), rv.methods.BestResponse())",
}
BEGIN = "from benchmarks.test_many_cells import *; study, folder = distinct({cells}), Path({folder!r})\n"
MANY = {  # in this order: the first one writes the run
    "run": "from rivalry.lab.executor import run_study; run_study(study, folder)",
    "resume": "of_command('resume')(study, folder)",
    "report": "of_command('report')(study, folder)",
    "dataset": "import rivalry as rv; rv.load_run(folder).dataset()",
}
END = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"


def megabytes(code: str) -> int:
    """Return the peak resident memory in MB of a process that runs code."""
    command = [sys.executable, "-c", code + END]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])


def main(sizes: list[int]) -> None:
    for name, code in FEW.items():
        print(f"{name}: {megabytes(code)} MB", flush=True)
    with tempfile.TemporaryDirectory() as home:
        for cells in sizes:
            begin = BEGIN.format(cells=cells, folder=str(Path(home, f"{cells}")))
            for name, code in MANY.items():
                print(f"{name} of {cells} cells: {megabytes(begin + code)} MB", flush=True)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [1_000, 10_000])
