"""Sessions of simulated agents as named arrays, and the options of simulations of fixed policies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from numpy import ndarray

from rivalry.core.game import BrokenInvariant
from rivalry.core.method import BaseLearner, Session
from rivalry.economies import kernels
from rivalry.economies.kernels.shapes import BY_COIN, BY_STAKE, BY_TURN

SUMS = "sum_"  # before tallies in a session


def parts(kind: Any, session: Session, prefix: str = "") -> Any:
    """Return the named tuple ``kind`` of a session's arrays, which it shares."""
    return kind(*(session[prefix + name] for name in kind._fields))


def sequence_of(session: Session, number: int) -> np.random.SeedSequence:
    """Return a random stream for copies of the current agents, separate from the run's own."""
    return np.random.SeedSequence(session["words"].tolist(), spawn_key=(int(session["clock"][0]), number))


def check_balance(status: ndarray) -> None:
    """Raise `BrokenInvariant` where the ``status`` of a run is that karma is not conserved."""
    if status[0] == kernels.economy.UNBALANCED:
        raise BrokenInvariant(f"karma is not conserved at step {int(status[1])}")


@dataclass(frozen=True, eq=False)
class AgentWorld(ABC):
    """A game and its agents as arrays of a kernel, for learners and simulations."""

    game: Any
    arrays: Any
    batches: ClassVar[int]  # of steps, for errors

    @property
    def agents(self) -> int:
        return len(self.arrays.type_of)

    @property
    @abstractmethod
    def kernel(self) -> Any:
        """The compiled loops that simulate the agents."""

    @abstractmethod
    def batch_sums(self, tallied: Any) -> ndarray:
        """Return the sums from which the environment of one agent is measured, ``[number]``."""

    def state(self, session: Session) -> Any:
        """Return the state of the agents in a session, which shares its arrays."""
        return parts(self.kernel.STATE, session)

    def batch_ends(self, steps: int) -> ndarray:
        """Return the number of steps, out of ``steps``, after which each batch ends, ``[batch]``."""
        return np.arange(1, self.batches + 1) * steps // self.batches

    def simulate_copies(
        self,
        agents: Any,
        policy: tuple[Any, ...],  # as the kernel takes it
        sequence: np.random.SeedSequence,
        warm_up: int,
        steps: int,
        play: Callable[..., None] | None = None,
    ) -> tuple[Any, ndarray]:
        """Return tallies of copies of the agents over ``steps`` steps after a warm-up, by a separate stream.

        ``play`` takes the place of the kernel's function. The second value is their `batch_sums` at the end
        of each batch, ``[batch number]``.
        """
        kernel, copies = self.kernel, kernels.economy.copy_agents(agents, sequence)
        play = play or kernel.play
        play(self.arrays, copies, *policy, kernel.no_tallies(), warm_up)
        tallied, batches = kernel.tallies(self.arrays, each=True), []
        for part in np.diff(self.batch_ends(steps), prepend=0):
            play(self.arrays, copies, *policy, tallied, int(part))
            batches.append(self.batch_sums(tallied))
        check_balance(copies.status)
        return tallied, np.stack(batches)


class FixedPolicies(BaseLearner):
    """Base class of simulations of agents with fixed policies, or with rules that use no karma."""

    plays: Any = "coin"
    evaluation: Annotated[int, Ge(1), "steps over which metrics are measured"] = 10_000
    warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 0

    policies: ClassVar[tuple[str, ...]] = ("uniform", "zero", "all_in")
    awards: ClassVar[Mapping[str, int]] = {"coin": BY_COIN, "stake": BY_STAKE, "turn": BY_TURN}
    endings: ClassVar[tuple[str, ...]] = (".npy",)  # of policy files

    def __check_init__(self) -> None:
        words = (*self.policies, *self.awards)
        if not isinstance(self.plays, str) or self.plays in words:
            return
        if Path(self.plays).suffix not in self.endings or not Path(self.plays).is_file():
            choices = f"{', '.join(words)}, a policy, or a file of one ({', '.join(self.endings)})"
            raise ValueError(f"plays: {self.plays!r} must be one of {choices}")

    @property
    def bids(self) -> bool:
        """True where agents bid by a policy."""
        return not (isinstance(self.plays, str) and self.plays in self.awards)

    def length(self, world: object) -> int:
        """Return the number of steps, warm-up included."""
        return self.warm_up + self.evaluation

    def _under_rule(self, world: Any) -> Any:
        """Return agents among whom the rule that is played decides, where agents do not bid."""
        if self.bids:
            return world
        return replace(world, arrays=world.arrays._replace(award=self.awards[self.plays]))

    def _session(self, world: AgentWorld, stream: np.random.SeedSequence, *, by_agent: bool) -> Session:
        """Return the initial agents, with tallies and batches to fill; ``by_agent``: also of its states."""
        sums = world.kernel.tallies(world.arrays, each=by_agent)
        batches = np.full((world.batches, world.batch_sums(sums).size), np.nan)
        tallies = {f"{SUMS}{name}": array for name, array in sums._asdict().items()}
        return {**world.kernel.fresh(world.arrays, stream)._asdict(), **tallies, "batches": batches}

    @abstractmethod
    def _followed(self, world: Any, session: Session) -> tuple[ndarray, ...]:
        """Return the policy of all agents as the kernel takes it."""

    def advance(self, world: AgentWorld, session: Session, steps: int) -> int:
        """Simulate the given number of steps."""
        kernel = world.kernel
        policy = self._followed(world, session)
        agents = world.state(session)
        sums, simulated = parts(kernel.TALLIES, session, SUMS), 0
        ends = self.warm_up + world.batch_ends(self.evaluation)
        for number, until in enumerate((self.warm_up, *ends), start=-1):
            part = min(steps - simulated, int(until) - int(agents.clock[0]))
            if part > 0:
                tallied = kernel.no_tallies() if number < 0 else sums
                kernel.play(world.arrays, agents, *policy, tallied, part)
                simulated += part
                if number >= 0 and agents.clock[0] == until:
                    session["batches"][number] = world.batch_sums(sums)
        check_balance(agents.status)
        return simulated
