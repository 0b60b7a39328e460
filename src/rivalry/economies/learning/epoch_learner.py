"""Learning with policies fixed for an epoch: options, training, monitors and checkpoints of its learners."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray

from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.economies import kernels
from rivalry.economies.learning import epochs
from rivalry.economies.learning.epochs import AgentStepSize, Stop
from rivalry.economies.learning.sessions import check_balance
from rivalry.methods.q_learning.exploration import Table, check_numbers
from rivalry.methods.q_learning.options import Exploration, Stopping
from rivalry.schema.annotations import Keys
from rivalry.schema.validate import limit

TARGETS = ("on_policy", "max", "expected", "double")  # in the kernel's order
GAINS = ("mean_relative_exploitability_without_exploration", "mean_relative_exploitability")
LEVELS = (0.2, 0.1, 0.05, 0.02)  # relative gains whose first monitors are reported
CHANGES = ("payoff_change", "policy_change")
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "words": ("word",),
    "stream": ("counter",),
    **dict.fromkeys(("clock", "pool"), ("one",)),
    **dict.fromkeys(("karma", "reward", "lucky", "pending"), ("agent",)),
}
"""Of the arrays that runs of all learners are resumed from."""

InverseTemperature = Annotated[
    float | Table, "inverse temperature of the softmax: a number, {kind = 'stages' | 'geometric', ..}"
]
RandomShare = Annotated[
    float | Exploration, Ge(0), Le(1), Keys(Exploration, ("start",)), "share of uniformly random choices"
]


class EpochLearner(BaseLearner):
    """Base class of Q-learning by agents whose policies are fixed for an epoch.

    A session holds the agents, their tables, the curves of the monitors, and ``clock`` and ``status`` of the
    kernels. Subclasses create it, train for some steps, run a monitor, and evaluate the policies.
    """

    target: Annotated[
        Literal["on_policy", "max", "expected", "double"], "target: the value of the next state"
    ] = "on_policy"
    step_size: AgentStepSize = 0.01
    beta: InverseTemperature = 10.0
    exploration: RandomShare = 0.0
    epoch: Annotated[int, Ge(1), "steps during which policies are frozen"] = 100
    initial_q: Annotated[float, "initial values; 0 is optimistic, since losing costs"] = 0.0
    update_probability: Annotated[
        float, Ge(0), Le(1), "probability of adopting the new policy at the end of an epoch"
    ] = 1.0
    training: Annotated[int, Ge(1), "steps of learning"] = 1_000_000
    evaluation: Annotated[int, Ge(1), "steps in which frozen policies are evaluated"] = 10_000
    evaluation_warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 0
    monitor_every: Annotated[int, Ge(0), "epochs between two monitors; 0: none"] = 500
    monitor_steps: Annotated[int, Ge(1), "steps over which a monitor measures"] = 2000
    stopping: Annotated[
        Stopping | None,
        Keys(Stopping, ("metric", "delta", "times", "tolerated_agents")),
        "end training early, by what monitors measure",
    ] = None
    store_tables: Annotated[bool, "store tables, states and stream, to resume from"] = False
    resume_from: Annotated[Any, "a run to resume: a stored cell's file, or in Python a solution"] = None

    dimensions: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # of the arrays that a run is resumed from

    def __check_init__(self) -> None:
        check_numbers("initial_q", self.initial_q, "a finite number", np.isfinite)
        epochs.step_sizes(self.step_size)
        epochs.temperatures(self.beta)
        if self.stop is not None and not self.monitor_every:
            raise ValueError("stopping: needs monitors; monitor_every must be at least 1")

    @property
    def share(self) -> float:
        """Return the share of uniformly random choices."""
        return epochs.random_share(self.exploration)

    @property
    def stop(self) -> Stop | None:
        """Return the stopping rule, if any."""
        return epochs.stop_of(self.stopping, CHANGES)

    @property
    def period(self) -> int:
        """Return the number of steps between two monitors; 0: none."""
        return self.epoch * self.monitor_every

    @property
    def final_beta(self) -> float:
        """Return the last inverse temperature."""
        return float(epochs.temperatures(self.beta).values[-1])

    def rule(self) -> kernels.economy_learning.EpochRule:
        """Return the learning rule for the kernels."""
        sizes, beta = epochs.step_sizes(self.step_size), epochs.temperatures(self.beta)
        return kernels.economy_learning.EpochRule(
            alpha=sizes.values,
            alpha_until=sizes.until,
            power=sizes.power,
            beta=beta.values,
            beta_until=beta.until,
            epsilon=self.share,
            epoch=self.epoch,
            target=TARGETS.index(self.target),
            renewal=float(self.update_probability),
        )

    def length(self, world: object) -> int:
        """Return the number of training steps."""
        return self.training

    @abstractmethod
    def monitored(self, world: Any) -> tuple[str, ...]:
        """Return the names of the metrics stored at every monitor."""

    @abstractmethod
    def _check(self, world: Any) -> None:
        """Raise `ValueError` for options that do not fit the agents."""

    @abstractmethod
    def _initial_session(self, world: Any, stream: np.random.SeedSequence) -> Session:
        """Return the initial agents and tables."""

    @abstractmethod
    def _train(self, world: Any, session: Session, steps: int) -> None:
        """Train for some steps between two monitors, or fewer where an error ends the run."""

    @abstractmethod
    def _monitor(self, world: Any, session: Session) -> None:
        """Run one monitor."""

    @abstractmethod
    def _final_record(self, world: Any, session: Session) -> Record:
        """Return the evaluation of the current policies."""

    def check_world(self, world: Any) -> None:
        """Raise `ValueError` for options that do not fit the agents, and for another run's tables."""
        if self.resume_from is not None:
            self.begin(world, np.random.SeedSequence(0))
            return
        if self.stop is not None:
            self.stop.check_agents(world.agents)
        self._check(world)
        limit("training", self.training // self.period if self.period else 0, len(self.monitored(world)))

    def begin(self, world: Any, stream: np.random.SeedSequence) -> Session:
        """Return the initial or resumed agents and tables, and the state of the monitors.

        Raises `ValueError` where ``resume_from`` belongs to another game or to other options.
        """
        if self.stop is not None:
            self.stop.check_agents(world.agents)
        self._check(world)
        session = self._initial_session(world, stream) | {"words": stream.generate_state(4, np.uint32)}
        if self.resume_from is not None:
            session = epochs.restore(self.resume_from, session, self.dimensions)
        start, names = int(session["clock"][0]), self.monitored(world)
        # a resumed run has the monitors that the whole run would have: at multiples of the period
        monitors = (start + self.training) // self.period - start // self.period if self.period else 0
        limit("training", monitors, len(names))
        return session | {
            "begun": np.array([start]),
            "curve": np.full((monitors, len(names)), np.nan),
            "looked": np.array([0]),
            "met": np.array([0]),  # consecutive monitors at which the rule of stopping held
            "stopped": np.array([0]),
        }

    def advance(self, world: Any, session: Session, steps: int) -> int:
        """Train for the given number of steps; a monitor is part of the step that it follows."""
        # a step of the loop may be cut anywhere: monitors depend on the clock alone, not on the chunks
        clock, status = session["clock"], session["status"]  # the kernels change them in place
        running = kernels.economy.RUNNING
        until, simulated = int(session["begun"][0]) + self.training, 0
        while simulated < steps and not session["stopped"][0] and status[0] == running:
            time = int(clock[0])
            part = min(
                steps - simulated, until - time, self.period - time % self.period if self.period else until
            )
            if part <= 0:
                break
            self._train(world, session, part)
            check_balance(status)
            simulated += int(clock[0]) - time
            if status[0] == running and self.period and clock[0] % self.period == 0:
                self._monitor(world, session)
        return simulated

    def read(self, world: Any, session: Session) -> Record:
        """Return the record of the current policies, without draws from the run's own stream."""
        record, status = self._curves(world, session), self._status(session)
        record["status"] = scalar(status)
        if status != "not found":
            record = self._final_record(world, session) | record
        return record | (epochs.checkpoint(session, self.dimensions) if self.store_tables else {})

    def _store_monitor(
        self, world: object, session: Session, values: Mapping[str, float], of_agent: Mapping[str, ndarray]
    ) -> None:
        """Add a monitor's row to the curves, and stop after enough monitors at which ``stopping`` holds.

        Metrics without a value are NaN; the condition is on metrics ``[agent]``.
        """
        session["curve"][session["looked"][0]] = [values.get(name, np.nan) for name in self.monitored(world)]
        session["looked"][0] += 1
        if (stop := self.stop) is not None:
            holds = stop.metric in of_agent and stop.holds(of_agent[stop.metric])
            session["met"][0] = session["met"][0] + 1 if holds else 0
            session["stopped"][0] = session["met"][0] >= stop.times

    def _curves(self, world: Any, session: Session) -> Record:
        """Return the curves written so far; empty without monitors."""
        count = int(session["looked"][0])
        if not count:
            return {}
        begin = int(session["begun"][0]) // self.period + 1
        curves = zip(self.monitored(world), session["curve"][:count].T, strict=True)
        record: Record = {f"monitor_{name}": (("monitor",), curve.copy()) for name, curve in curves}
        steps = (begin + np.arange(count)) * self.period
        record["monitor_step"] = (("monitor",), steps)
        gains = next((record[f"monitor_{name}"][1] for name in GAINS if f"monitor_{name}" in record), None)
        if gains is not None:
            record["target_gain"] = (("target",), np.asarray(LEVELS))
            record["steps_to_gain"] = (("target",), first_steps(steps, gains, LEVELS))
        return record

    def _status(self, session: Session) -> str:
        """Return the status of training; warn where values are not finite, which is ``not found``."""
        error, step = session["status"].tolist()
        if error != kernels.economy.RUNNING:
            warnings.warn(f"values became no finite numbers at step {step}", stacklevel=4)
            return "not found"
        if self.stop is None:
            return "completed"
        # a run that took all its steps is completed; it has converged only if the condition was met
        return "converged" if session["stopped"][0] else "iteration limit"


def first_steps(steps: ndarray, gains: ndarray, levels: Sequence[float]) -> ndarray:
    """Return the steps of the first monitors from which on gains stay at or below levels; NaN without one.

    >>> first_steps(np.array([10, 20, 30, 40]), np.array([0.9, 0.1, 0.3, 0.2]), (1.0, 0.3, 0.1)).tolist()
    [10.0, 20.0, nan]
    """
    # gains never above the largest that follows
    following = np.maximum.accumulate(gains[::-1])[::-1]
    first = [int(np.argmax(following <= level)) if following[-1] <= level else -1 for level in levels]
    return np.array([float(steps[k]) if k >= 0 else np.nan for k in first])
