"""Run folders: the stored cells of a study. The files are authoritative; the index can be rebuilt.

``study.json`` (the resolved study, its cells and their coordinates, versions), ``study.toml`` (as written),
``cells/ID.npz``, ``checkpoints/ID.npz``, ``certificates/ID.npz`` (recomputed ones), ``damaged/``,
``index.sqlite`` (times, warnings, failures), ``dataset.nc``, ``log.txt``, ``SHA256SUMS``, ``lock``. A
study with ``include`` has a run folder of the same kind inside for every part.

Reading a run writes nothing; writing requires `Run.locking`. A folder may come from an untrusted source: its
content is checked before use, and nothing outside it is read or written.
"""

from rivalry.core.files import DamagedFile, DiskFull, StoreError
from rivalry.lab.store.run import (
    Collected,
    LeftOut,
    Reconciled,
    Run,
    RunStatus,
    finished_cells,
    load_run,
    redo,
    status_of,
)

__all__ = [
    "Collected",
    "DamagedFile",
    "DiskFull",
    "LeftOut",
    "Reconciled",
    "Run",
    "RunStatus",
    "StoreError",
    "finished_cells",
    "load_run",
    "redo",
    "status_of",
]
