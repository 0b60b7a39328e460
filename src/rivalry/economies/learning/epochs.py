"""Options of learning in epochs, read from numbers and tables: step sizes, temperatures, when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.methods.dynamics.step_sizes import check_keys
from rivalry.methods.q_learning.exploration import Table, check_numbers, check_whole

if TYPE_CHECKING:
    from rivalry.economies.kernels.economy_learning import EpochRule

UPDATES = ("sarsa", "greedy", "expected_sarsa", "double_q")  # in the kernel's order
ALGORITHMS = ("decentralised", "centralised")
STAGES = 40  # that a smooth schedule is made of

SIZES = {"visits": (), "power": ("value", "power"), "stages": ("stages",)}
TEMPERATURES = {"stages": ("stages",), "geometric": ("first", "last", "epochs")}


class StagedSchedule(NamedTuple):
    """Values, and before which time each ends; the last goes on. ``power`` of one over an entry's visits."""

    values: np.ndarray
    until: np.ndarray
    power: float = 0.0


def step_sizes(value: Any) -> StagedSchedule:
    """``alpha`` as a schedule in steps.

    A number, ``{kind = "visits"}`` (one over the visits of an entry), ``{kind = "power", value, power}``
    (``value n^-power`` at the n-th visit), or ``{kind = "stages", stages = [[steps, value], ..]}``, of which
    the last goes on. Raises `ValueError` for others, and for step sizes outside (0, 1].

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
    """``beta`` as a schedule in epochs.

    A number, ``{kind = "stages", stages = [[epochs, value], ..]}``, or ``{kind = "geometric", first, last,
    epochs}``, which goes from ``first`` to ``last`` in 40 stages, each the same multiple of the one before.
    Raises `ValueError` for others, and for values that are not above 0.

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
    """Training ends once a metric is at most ``delta`` at ``times`` monitors running.

    It has to be so for all agents but ``tolerated_agents``.
    """

    metric: str
    delta: float
    times: int
    tolerated_agents: int = 0

    def holds(self, of_agent: np.ndarray) -> bool:
        """Whether the metric ``[agent]`` is low enough; where it is unknown it is not.

        >>> Stop("policy_change", 0.1, 1, tolerated_agents=1).holds(np.array([0.0, 0.5, 0.1]))
        True
        """
        above = int(np.sum(~(of_agent <= self.delta)))
        return of_agent.size > 0 and above <= self.tolerated_agents

    def check_agents(self, agents: int) -> None:
        """Raises `ValueError` where as many agents are tolerated as there are."""
        if self.tolerated_agents >= agents:
            what = f"{self.tolerated_agents} must be below the number of agents, {agents}"
            raise ValueError(f"stop_when.tolerated_agents: {what}")


def stop_of(value: Table | None, known: tuple[str, ...]) -> Stop | None:
    """The table ``stop_when``. Raises `ValueError` for keys and metrics that are not known.

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
    """How to learn, as kernels take it."""
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
