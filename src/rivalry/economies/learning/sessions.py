"""Sessions of simulated agents as named arrays, and the options of simulations of fixed policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from rivalry.core.game import BrokenInvariant
from rivalry.core.method import BaseLearner
from rivalry.economies import kernels
from rivalry.economies.kernels.shapes import BY_COIN, BY_STAKE, BY_TURN

Session = dict[str, np.ndarray]

AWARDS = {"coin": BY_COIN, "stake": BY_STAKE, "turn": BY_TURN}
SUMS = "sum_"  # before tallies in a session


def parts(kind: Any, session: Session, prefix: str = "") -> Any:
    """Return the named tuple ``kind`` of a session's arrays, which it shares."""
    return kind(*(session[prefix + name] for name in kind._fields))


def sequence_of(session: Session, number: int) -> np.random.SeedSequence:
    """Return a random stream for copies of the current agents, separate from the run's own."""
    return np.random.SeedSequence(session["words"].tolist(), spawn_key=(int(session["clock"][0]), number))


def check_balance(status: np.ndarray) -> None:
    """Raise `BrokenInvariant` where the ``status`` of a run is that karma is not conserved."""
    if status[0] == kernels.economy.UNBALANCED:
        raise BrokenInvariant(f"karma is not conserved at step {int(status[1])}")


class FixedPolicies(BaseLearner):
    """Base class of simulations of agents with fixed policies, or with rules that use no karma."""

    plays: Any = "coin"
    evaluation: Annotated[int, Ge(1), "steps over which metrics are measured"] = 10_000
    warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 0

    policies: ClassVar[tuple[str, ...]] = ("uniform", "zero", "all_in")
    endings: ClassVar[tuple[str, ...]] = (".npy",)  # of policy files

    def __check_init__(self) -> None:
        words = (*self.policies, *AWARDS)
        if not isinstance(self.plays, str) or self.plays in words:
            return
        if Path(self.plays).suffix not in self.endings or not Path(self.plays).is_file():
            choices = f"{', '.join(words)}, a policy, or a file of one ({', '.join(self.endings)})"
            raise ValueError(f"plays: {self.plays!r} must be one of {choices}")

    @property
    def bids(self) -> bool:
        """True where agents bid by a policy."""
        return not (isinstance(self.plays, str) and self.plays in AWARDS)

    def length(self, world: object) -> int:
        """Return the number of steps, warm-up included."""
        return self.warm_up + self.evaluation
