"""All loops over steps: `solve`, `trace` and the batched `sweep`."""

from rivalry.solving.batches import solve_batch, sweep
from rivalry.solving.equilibrium_list import all_equilibria
from rivalry.solving.learners import LearnerTask, learn_together
from rivalry.solving.progress import Checkpoint, Progress, ProgressCallback
from rivalry.solving.randomness import first_keys, key_of, keys_of, stream
from rivalry.solving.runs import PATH
from rivalry.solving.single import InCommon, proof_of, replicate, solve, trace
from rivalry.solving.steps import ROWS, as_arrays

__all__ = [
    "PATH",
    "ROWS",
    "Checkpoint",
    "InCommon",
    "LearnerTask",
    "Progress",
    "ProgressCallback",
    "all_equilibria",
    "as_arrays",
    "first_keys",
    "key_of",
    "keys_of",
    "learn_together",
    "proof_of",
    "replicate",
    "solve",
    "solve_batch",
    "stream",
    "sweep",
    "trace",
]
