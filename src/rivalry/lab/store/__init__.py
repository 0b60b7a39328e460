"""Run folders: a study carried out, cell by cell. The files are the truth; the index can be rebuilt.

``study.json`` (the resolved study, its cells and where they lie, versions), ``study.toml`` (as it was
written), ``cells/ID.npz``, ``checkpoints/ID.npz``, ``certificates/ID.npz`` (recomputed ones), ``damaged/``,
``index.sqlite`` (wall times, warnings, failures), ``dataset.nc``, ``log.txt``, ``SHA256SUMS``, ``lock``. A
study with ``include`` has a run folder of the same kind for every part inside.

Reading a run writes nothing; whatever writes has it `Run.locked`. A folder may be anybody's: nothing in it is
taken for what it says before it is checked, and nothing outside it is read or written.
"""

from rivalry.core.files import DamagedFile, DiskFull, StoreError
from rivalry.lab.store.run import Collected, LeftOut, Reconciled, Run, RunStatus, load_run, status_of

__all__ = [
    "Collected",
    "DamagedFile",
    "DiskFull",
    "LeftOut",
    "Reconciled",
    "Run",
    "RunStatus",
    "StoreError",
    "load_run",
    "status_of",
]
