"""Step sizes, temperatures, stopping rules and checkpoints of learning in epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Gt, Le
from numpy import ndarray

from rivalry.core.files import read
from rivalry.core.method import Session
from rivalry.core.results import Record, Solution
from rivalry.methods.q_learning import annealing
from rivalry.methods.q_learning.exploration import Table
from rivalry.methods.q_learning.options import (
    Exploration,
    Numbers,
    StepSize,
    Stopping,
    exploration_of,
    step_size_of,
)
from rivalry.schema.annotations import Keys
from rivalry.schema.registry import load

LAST = "last_"  # prefix in records of arrays that a run is resumed from
STAGES = 40  # stages of a geometric schedule

AgentStepSize = Annotated[
    float | StepSize, Gt(0), Le(1), Keys(StepSize, ("value", "power", "stages")), "step size of the updates"
]


class StagedSchedule(NamedTuple):
    """Values with the end time of each stage (the last is permanent); ``power`` applies to 1/visits."""

    values: ndarray
    until: ndarray
    power: float = 0.0


def step_sizes(source: Numbers | StepSize) -> StagedSchedule:
    """Return the option ``step_size`` as a schedule in steps.

    >>> step_sizes({"stages": [(1000, 0.1), (500, 0.01)]}).until.tolist()
    [1000, 1500]
    """
    table = step_size_of(source)
    if "stages" in table:
        return _in_stages(table["stages"])
    return _constant(_one_number("step_size.value", table["value"]), table["power"])


def random_share(source: Numbers | Exploration) -> float:
    """Return the probability of a uniformly random choice, which the option ``exploration`` gives."""
    return _one_number("exploration.start", exploration_of(source)["start"])


def _one_number(name: str, value: Numbers) -> float:
    if isinstance(value, list):
        raise ValueError(f"{name}: {value} must be one number, for all agents")
    return float(value)


def temperatures(beta: float | Table) -> StagedSchedule:
    """Return ``beta`` as a schedule in epochs.

    ``beta`` is a number, or ``{kind = "stages" | "geometric", ..}`` of `rivalry.methods.q_learning.annealing`
    with epochs as steps; a geometric sequence has 40 stages. Raises `ValueError` for other forms.

    >>> falling = temperatures({"kind": "geometric", "first": 1.0, "last": 100.0, "steps": 80})
    >>> falling.values[[0, -1]].tolist(), falling.until[[0, -1]].tolist()
    ([1.0, 100.0], [2, 80])
    """
    annealing.check(beta, kinds=("stages", "geometric"))
    if not isinstance(beta, Mapping):
        return _constant(beta)
    if beta["kind"] == "stages":
        return _in_stages(beta["stages"])
    count = min(STAGES, int(beta["steps"]))
    # the last stage begins one stage before the last epoch: `last` is reached within the steps
    until = np.ceil(np.arange(1, count + 1) * beta["steps"] / count).astype(np.int64)
    values = np.geomspace(beta["first"], beta["last"], count) if count > 1 else np.array([beta["last"]])
    return StagedSchedule(values.astype(float), until)


def _constant(value: float, power: float = 0.0) -> StagedSchedule:
    return StagedSchedule(np.array([float(value)]), np.array([0]), float(power))


def _in_stages(stages: Sequence[Sequence[float]]) -> StagedSchedule:
    lengths, values = [length for length, _ in stages], [value for _, value in stages]
    return StagedSchedule(np.array(values, dtype=float), np.cumsum(lengths, dtype=int))


class Stop(NamedTuple):
    """Rule that stops training once a metric is at most ``delta`` at ``times`` consecutive monitors.

    The condition must hold for all agents but ``tolerated_agents``.
    """

    metric: str
    delta: float
    times: int
    tolerated_agents: int = 0

    def holds(self, of_agent: ndarray) -> bool:
        """True if the metric ``[agent]`` is low enough; unknown values are not.

        >>> Stop("policy_change", 0.1, 1, tolerated_agents=1).holds(np.array([0.0, 0.5, 0.1]))
        True
        """
        above = int(np.sum(~(of_agent <= self.delta)))
        return of_agent.size > 0 and above <= self.tolerated_agents

    def check_agents(self, agents: int) -> None:
        """Raise `ValueError` where ``tolerated_agents`` is at least the number of agents."""
        if self.tolerated_agents >= agents:
            reason = f"{self.tolerated_agents} must be below the number of agents, {agents}"
            raise ValueError(f"stopping.tolerated_agents: {reason}")


def stop_of(source: Stopping | None, metrics: tuple[str, ...]) -> Stop | None:
    """Return the rule of the option ``stopping``. Raises `ValueError` for unknown metrics.

    >>> stop_of({"metric": "policy_change", "delta": 0.01}, ("policy_change",))
    Stop(metric='policy_change', delta=0.01, times=1, tolerated_agents=0)
    """
    if source is None:
        return None
    for key in ("metric", "delta"):
        if key not in source:
            raise ValueError(f"stopping.{key}: is missing")
    if source["metric"] not in metrics:
        raise ValueError(f"stopping.metric: {source['metric']!r} must be one of {', '.join(metrics)}")
    return Stop(**{"times": 1, **source})  # type: ignore[arg-type]


def checkpoint(session: Session, dimensions: Mapping[str, tuple[str, ...]]) -> Record:
    """Return the arrays of a session that a run is resumed from: tables, states and the stream."""
    record: Record = {}
    for name, dims in dimensions.items():
        array = np.array(session[name])
        if array.size:
            # signed, because records pad missing integers with -1: 64 bits by their pattern, others by value
            signed = array.view(np.int64) if array.dtype == np.uint64 else array
            record[LAST + name] = (dims, signed.astype(np.int64) if signed.dtype.kind == "u" else signed)
    return record


def _stored(path: Path) -> Record:
    """Return the record of a stored cell by its file, also where that was packed with others."""
    if path.is_file():
        return read(path).record
    run = path.parent.parent
    if path.parent.name == "cells" and (run / "study.json").is_file():
        return load("rivalry.lab.store:load_run")(run).read_cell(path.stem)  # runs are a layer above
    raise ValueError(f"resume_from: no file {str(path)!r}; must be a stored cell's, cells/ID.npz of a run")


def restore(source: object, session: Session, dimensions: Mapping[str, tuple[str, ...]]) -> Session:
    """Return a new session with the tables, states and stream of a stored run.

    ``source`` is a solution, a record or a stored cell's file. Raises `ValueError` where it holds no such
    run, or a run of another game or with other options.
    """
    record = source.record if isinstance(source, Solution) else source
    if isinstance(record, str | Path):
        record = _stored(Path(record))
    if not isinstance(record, Mapping):
        raise ValueError(f"resume_from: {type(source).__name__} must be a file, a solution or its record")
    restored = dict(session)
    for name in dimensions:
        initial, stored = session[name], LAST + name
        if not initial.size:
            continue
        if stored not in record:
            rule = "the run must store its tables (store_tables = true)"
            raise ValueError(f"resume_from: has no {stored}; {rule}")
        array = np.asarray(record[stored][1])
        if array.shape != initial.shape:
            shapes = f"{stored} has shape {array.shape}, and here {initial.shape}"
            raise ValueError(f"resume_from: {shapes}; must be a run of the same game and the same options")
        unsigned = initial.dtype == np.uint64
        restored[name] = array.view(np.uint64).copy() if unsigned else array.astype(initial.dtype)
    return restored
