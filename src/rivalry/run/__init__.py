"""The only loops over steps: `solve`, `trace`, `learn` and the batched `sweep`."""

from rivalry.run.lanes import solve_lanes, sweep
from rivalry.run.learning import learn
from rivalry.run.progress import Checkpoint, Progress, ProgressCallback
from rivalry.run.randomness import key_of, keys_of, stream
from rivalry.run.single import PATH, solve, trace
from rivalry.run.steps import ROWS, as_arrays

__all__ = [
    "PATH",
    "ROWS",
    "Checkpoint",
    "Progress",
    "ProgressCallback",
    "as_arrays",
    "key_of",
    "keys_of",
    "learn",
    "solve",
    "solve_lanes",
    "stream",
    "sweep",
    "trace",
]
