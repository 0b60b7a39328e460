"""Step sizes, temperatures, stopping rules and checkpoints of learning in epochs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.files import read
from rivalry.core.results import Record, Solution
from rivalry.economies.learning.sessions import Session
from rivalry.methods.dynamics.step_sizes import check_keys
from rivalry.methods.q_learning.exploration import Table, check_numbers, check_whole

LAST = "last_"  # prefix in records of arrays that a run is resumed from
STAGES = 40  # stages of a geometric schedule

SIZES = {"visits": (), "power": ("value", "power"), "stages": ("stages",)}
TEMPERATURES = {"stages": ("stages",), "geometric": ("first", "last", "epochs")}


class StagedSchedule(NamedTuple):
    """Values with the end time of each stage (the last is permanent); ``power`` applies to 1/visits."""

    values: np.ndarray
    until: np.ndarray
    power: float = 0.0


def step_sizes(value: Any) -> StagedSchedule:
    """Return ``alpha`` as a schedule in steps.

    ``alpha`` is a number, ``{kind = "visits"}`` (one over the visits of an entry), ``{kind = "power", value,
    power}`` (``value n^-power`` at the n-th visit), or ``{kind = "stages", stages = [[steps, value], ..]}``,
    whose last stage is permanent. Raises `ValueError` for other forms and for step sizes outside (0, 1].

    >>> step_sizes({"kind": "stages", "stages": [[1000, 0.1], [500, 0.01]]}).until.tolist()
    [1000, 1500]
    """
    rule, good = "in (0, 1]", lambda v: (v > 0) & (v <= 1)
    if (found := _number_or_stages("alpha", value, rule, good, SIZES)) is not None:
        return found
    table = {"value": 1.0, "power": 1.0} | dict(value)
    for key in ("value", "power"):
        check_numbers(f"alpha.{key}", table[key], rule, good)
    return _constant(float(table["value"]), float(table["power"]))


def temperatures(value: Any) -> StagedSchedule:
    """Return ``beta`` as a schedule in epochs.

    ``beta`` is a number, ``{kind = "stages", stages = [[epochs, value], ..]}``, or ``{kind = "geometric",
    first, last, epochs}``, a geometric sequence from ``first`` to ``last`` in 40 stages. Raises `ValueError`
    for other forms and for values that are not positive.

    >>> falling = temperatures({"kind": "geometric", "first": 1.0, "last": 100.0, "epochs": 80})
    >>> falling.values[[0, -1]].tolist(), falling.until[[0, -1]].tolist()
    ([1.0, 100.0], [2, 80])
    """
    rule, good = "above 0 and finite", lambda v: v > 0
    if (found := _number_or_stages("beta", value, rule, good, TEMPERATURES)) is not None:
        return found
    for key in ("first", "last"):
        check_numbers(f"beta.{key}", value[key], rule, good)
    check_whole("beta.epochs", value["epochs"])
    count = min(STAGES, int(value["epochs"]))
    # the last stage begins one stage before the last epoch: `last` is reached within `epochs`
    until = np.ceil(np.arange(1, count + 1) * value["epochs"] / count).astype(np.int64)
    values = np.geomspace(value["first"], value["last"], count) if count > 1 else np.array([value["last"]])
    return StagedSchedule(values.astype(float), until)


def _constant(value: float, power: float = 0.0) -> StagedSchedule:
    return StagedSchedule(np.array([value]), np.zeros(1, dtype=np.int64), power)


def _number_or_stages(
    name: str, value: Any, rule: str, good: Any, known: dict[str, tuple[str, ...]]
) -> StagedSchedule | None:
    """Return the schedule of a number or of a table of stages; None for a table of another known kind."""
    if not isinstance(value, Mapping):
        check_numbers(name, value, rule, good)
        return _constant(float(value))
    kind = value.get("kind")
    if kind not in known:
        raise ValueError(f"{name}.kind: {kind!r} must be one of {', '.join(known)}")
    check_keys(name, value, known[kind])
    if kind != "stages":
        return None
    rows = value["stages"] if isinstance(value["stages"], list | tuple) else []
    if not rows or any(not isinstance(row, list | tuple) or len(row) != 2 for row in rows):
        raise ValueError(
            f"{name}.stages: {value['stages']!r} must be a list of pairs: how long, and the value"
        )
    lengths, values = zip(*rows, strict=True)
    for k, length in enumerate(lengths):
        check_whole(f"{name}.stages[{k}]", length)
    check_numbers(f"{name}.stages", list(values), rule, good)
    return StagedSchedule(np.array(values, dtype=float), np.cumsum(lengths, dtype=np.int64))


class Stop(NamedTuple):
    """Rule that stops training once a metric is at most ``delta`` at ``times`` consecutive monitors.

    The condition must hold for all agents but ``tolerated_agents``.
    """

    metric: str
    delta: float
    times: int
    tolerated_agents: int = 0

    def holds(self, of_agent: np.ndarray) -> bool:
        """Return whether the metric ``[agent]`` is low enough; unknown values are not.

        >>> Stop("policy_change", 0.1, 1, tolerated_agents=1).holds(np.array([0.0, 0.5, 0.1]))
        True
        """
        above = int(np.sum(~(of_agent <= self.delta)))
        return of_agent.size > 0 and above <= self.tolerated_agents

    def check_agents(self, agents: int) -> None:
        """Raise `ValueError` where ``tolerated_agents`` is at least the number of agents."""
        if self.tolerated_agents >= agents:
            what = f"{self.tolerated_agents} must be below the number of agents, {agents}"
            raise ValueError(f"stop_when.tolerated_agents: {what}")


def stop_of(value: Table | None, known: tuple[str, ...]) -> Stop | None:
    """Return the rule of the table ``stop_when``. Raises `ValueError` for unknown keys and metrics.

    >>> stop_of({"metric": "policy_change", "delta": 0.01}, ("policy_change",))
    Stop(metric='policy_change', delta=0.01, times=1, tolerated_agents=0)
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError(f"stop_when: {value!r} must be a table {{metric, delta, times, tolerated_agents}}")
    for key in value:
        if key not in Stop._fields:
            raise ValueError(f"stop_when.{key}: is not known; it takes {', '.join(Stop._fields)}")
    if value.get("metric") not in known:
        raise ValueError(f"stop_when.metric: {value.get('metric')!r} must be one of {', '.join(known)}")
    delta, times, tolerated = value.get("delta"), value.get("times", 1), value.get("tolerated_agents", 0)
    check_numbers("stop_when.delta", delta, "at least 0", lambda v: v >= 0)
    check_whole("stop_when.times", times)
    check_whole("stop_when.tolerated_agents", tolerated, 0)
    return Stop(str(value["metric"]), float(delta), int(times), int(tolerated))  # type: ignore[arg-type]


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


def restore(source: Any, session: Session, dimensions: Mapping[str, tuple[str, ...]]) -> Session:
    """Return a new session with the tables, states and stream of a stored run.

    ``source`` is a solution, a record or a stored cell's file. Raises `ValueError` where it holds no such
    run, or a run of another game or with other options.
    """
    record = source.record if isinstance(source, Solution) else source
    if isinstance(record, str | Path):
        if not Path(record).is_file():
            where = "must be a stored cell's, cells/ID.npz of a run"
            raise ValueError(f"resume_from: no file {str(record)!r}; {where}")
        record = read(Path(record)).record
    if not isinstance(record, Mapping):
        raise ValueError(f"resume_from: {type(source).__name__} must be a file, a solution or its record")
    restored = dict(session)
    for name in dimensions:
        fresh, stored = session[name], LAST + name
        if not fresh.size:
            continue
        if stored not in record:
            rule = "the run must store its tables (store_tables = true)"
            raise ValueError(f"resume_from: has no {stored}; {rule}")
        array = np.asarray(record[stored][1])
        if array.shape != fresh.shape:
            shapes = f"{stored} has shape {array.shape}, and here {fresh.shape}"
            raise ValueError(f"resume_from: {shapes}; must be a run of the same game and the same options")
        unsigned = fresh.dtype == np.uint64
        restored[name] = array.view(np.uint64).copy() if unsigned else array.astype(fresh.dtype)
    return restored
