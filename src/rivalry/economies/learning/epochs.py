"""Step sizes, temperatures, stopping rules and checkpoints of learning in epochs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.files import read
from rivalry.core.results import Record, Solution
from rivalry.economies.learning.sessions import Session
from rivalry.methods.dynamics.step_sizes import check_keys
from rivalry.methods.q_learning.exploration import Table, check_numbers, check_whole

if TYPE_CHECKING:
    from rivalry.economies.kernels.economy_learning import EpochRule

UPDATES = ("sarsa", "greedy", "expected_sarsa", "double_q")  # in the kernel's order
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
    if not isinstance(value, Mapping):
        check_numbers("alpha", value, rule, good)
        return _fixed(float(value))
    kind = _kind("alpha", value, SIZES)
    if kind == "visits":
        return _fixed(1.0)._replace(power=1.0)
    if kind == "power":
        check_numbers("alpha.value", value["value"], rule, good)
        check_numbers("alpha.power", value["power"], "in (0, 1]", good)
        return _fixed(float(value["value"]))._replace(power=float(value["power"]))
    return _stages("alpha", value["stages"], rule, good)


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
    if not isinstance(value, Mapping):
        check_numbers("beta", value, rule, good)
        return _fixed(float(value))
    if _kind("beta", value, TEMPERATURES) == "stages":
        return _stages("beta", value["stages"], rule, good)
    for key in ("first", "last"):
        check_numbers(f"beta.{key}", value[key], rule, good)
    check_whole("beta.epochs", value["epochs"])
    count = min(STAGES, int(value["epochs"]))
    until = np.ceil(np.arange(1, count + 1) * value["epochs"] / count).astype(np.int64)
    values = np.geomspace(value["first"], value["last"], count) if count > 1 else np.array([value["last"]])
    return StagedSchedule(values.astype(float), until)


def _kind(name: str, value: Mapping[str, Any], known: dict[str, tuple[str, ...]]) -> str:
    kind = value.get("kind")
    if kind not in known:
        raise ValueError(f"{name}.kind: {kind!r} must be one of {', '.join(known)}")
    check_keys(name, value, known[kind])
    return str(kind)


def _fixed(value: float) -> StagedSchedule:
    return StagedSchedule(np.array([value]), np.zeros(1, dtype=np.int64))


def _stages(name: str, value: Any, rule: str, good: Any) -> StagedSchedule:
    rows = value if isinstance(value, list | tuple) else []
    if not rows or any(not isinstance(row, list | tuple) or len(row) != 2 for row in rows):
        raise ValueError(f"{name}.stages: {value!r} must be a list of pairs: how long, and the value")
    for k, (length, _) in enumerate(rows):
        check_whole(f"{name}.stages[{k}]", length)
    check_numbers(f"{name}.stages", [row[1] for row in rows], rule, good)
    lengths = np.array([row[0] for row in rows], dtype=np.int64)
    return StagedSchedule(np.array([float(row[1]) for row in rows]), np.cumsum(lengths))


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


def rule_of(
    alpha: Any, beta: Any, exploration: float, epoch: int, update: str, update_probability: float
) -> EpochRule:
    """Return the learning rule for the kernels."""
    from rivalry.economies.kernels.economy_learning import EpochRule

    sizes, heat = step_sizes(alpha), temperatures(beta)
    return EpochRule(
        alpha=sizes.values,
        alpha_until=sizes.until,
        power=sizes.power,
        beta=heat.values,
        beta_until=heat.until,
        epsilon=np.array([float(exploration)]),
        epsilon_until=np.zeros(1, dtype=np.int64),
        epoch=epoch,
        target=UPDATES.index(update),
        renewal=float(update_probability),
        lazy=1,
    )


def checkpoint(session: Session, dimensions: Mapping[str, tuple[str, ...]]) -> Record:
    """Return the arrays of a session that a run is resumed from: tables, states and the stream."""
    record: Record = {}
    for name, dims in dimensions.items():
        array = np.array(session[name])
        if array.size:
            # records pad missing entries with -1
            signed = array.view(np.int64) if array.dtype == np.uint64 else array
            record[LAST + name] = (dims, signed.astype(np.int64) if signed.dtype.kind == "u" else signed)
    return record


def restore(source: Any, session: Session, dimensions: Mapping[str, tuple[str, ...]]) -> Session:
    """Return a new session with the tables, states and stream of a stored run.

    ``source`` is a solution, a record or a stored cell's file. Raises `ValueError` where it holds no such
    run, or a run of another game or with other options.
    """
    found = source.record if isinstance(source, Solution) else source
    if isinstance(found, str | Path):
        if not Path(found).is_file():
            where = "must be a stored cell's, cells/ID.npz of a run"
            raise ValueError(f"resume_from: no file {str(found)!r}; {where}")
        found = read(Path(found)).record
    if not isinstance(found, Mapping):
        raise ValueError(f"resume_from: {type(source).__name__} must be a file, a solution or its record")
    restored = dict(session)
    for name in dimensions:
        fresh = session[name]
        if not fresh.size:
            continue
        if LAST + name not in found:
            rule = "the run must store its tables (store_tables = true)"
            raise ValueError(f"resume_from: has no {LAST}{name}; {rule}")
        array = np.asarray(found[LAST + name][1])
        if array.shape != fresh.shape:
            shapes = f"{LAST}{name} has shape {array.shape}, and here {fresh.shape}"
            raise ValueError(f"resume_from: {shapes}; must be a run of the same game and the same options")
        unsigned = fresh.dtype == np.uint64
        restored[name] = array.view(np.uint64).copy() if unsigned else array.astype(fresh.dtype)
    return restored
