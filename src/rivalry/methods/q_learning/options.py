"""The three tables of options that all Q-learners share: exploration, step size and stopping.

A learner takes those fields that mean something for it: its annotations name them (`Keys`), and any other is
refused. ``docs/howto/choose_a_learner.md`` explains the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, cast

import numpy as np
from annotated_types import Ge, Gt, Le, Lt, MinLen

from rivalry.methods.q_learning.exploration import each_player
from rivalry.schema.annotations import Count, Keys, Natural, Share

Numbers = float | list[float]

NUMBER = {"exploration": "start", "step_size": "value"}  # the field that a number in the place of a table is
SCALE = {"greedy": "start", "softmax": "temperature", "ucb": "bonus"}  # the number that a kind explores by
OF_KIND = {"softmax": ("temperature", "edge_temperature"), "ucb": ("bonus",)}  # fields of one kind alone
USUAL_BONUS = float(np.sqrt(2.0))  # of UCB1, for payoffs in [0, 1]


class Exploration(TypedDict, total=False):
    """Rule by which a learner tries actions; a number in its place, or one per player, is ``start``.

    Examples
    --------
    >>> Exploration(kind="greedy", start=1.0, decay=4e-6)
    {'kind': 'greedy', 'start': 1.0, 'decay': 4e-06}
    """

    kind: Annotated[
        Literal["greedy", "softmax", "ucb"],
        "choice that is not uniform: the best action, softmax of the values, or upper confidence bounds",
    ]
    start: Annotated[
        Numbers, Ge(0), Le(1), "probability of a uniformly random action, at first; left out: 1, softmax: 0"
    ]
    end: Annotated[Numbers, Ge(0), Le(1), "the same at the end of an epoch (cosine), or at least (log)"]
    schedule: Annotated[Literal["cosine", "log"], "how it falls within an epoch; left out: cosine"]
    decay: Annotated[
        Numbers, Ge(0), Lt(np.inf), "rate per period or episode at which start falls; softmax: temperature"
    ]
    temperature: Annotated[Numbers, Gt(0), Lt(np.inf), "temperature of the softmax, in units of the values"]
    edge_temperature: Annotated[
        float, Gt(0), Lt(np.inf), "the same at the ends of the grid, if it falls towards them"
    ]
    bonus: Annotated[
        Numbers,
        Ge(0),
        Lt(np.inf),
        "factor c of the bonus of ucb, in units of the range of payoffs / (1 - gamma); left out: sqrt(2)",
    ]


class StepSize(TypedDict, total=False):
    """The size of a learner's updates; a number in its place, or one per player, is ``value``."""

    value: Annotated[Numbers, Gt(0), Le(1), "step size of the first update; left out: 1"]
    end: Annotated[
        Numbers, Gt(0), Le(1), "size after max_periods, to which it changes linearly; left out: value"
    ]
    power: Annotated[Share, "the n-th update of an entry has the size value / n^power"]
    stages: Annotated[
        list[tuple[Count, Annotated[float, Gt(0), Le(1)]]],
        MinLen(1),
        "instead: pairs of a number of steps and their size; the last is permanent",
    ]


class Stopping(TypedDict, total=False):
    """Rule by which a learner stops."""

    stable_periods: Annotated[
        Natural, "periods without a change of a greedy action; 0: all max_periods are played"
    ]
    max_periods: Annotated[Count, "periods after which a session ends in any case"]
    metric: Annotated[str, "metric per agent that a monitor compares with delta"]
    delta: Annotated[float, Ge(0), "largest value of the metric at which training may end"]
    times: Annotated[Count, "consecutive monitors at which this must hold; left out: 1"]
    tolerated_agents: Annotated[Natural, "agents for which it need not hold; left out: 0"]


PlainStepSize = Annotated[
    Numbers | StepSize, Gt(0), Le(1), Keys(StepSize, ("value",)), "step size of the updates"
]


class Fading(NamedTuple):
    """Kind, scale and decay rate of a schedule, one per player."""

    kind: list[str]  # [player]
    scale: np.ndarray  # [player]: at the first period; of ucb the bonus
    beta: np.ndarray  # [player]: decay rate per period


def written_out(option: str, value: Any) -> Any:
    """Return a learner's option, as a table where a number stands in the place of one.

    Examples
    --------
    >>> written_out("step_size", 0.1), written_out("epochs", 10)
    ({'value': 0.1}, 10)
    """
    stands = option in NUMBER and not (value is None or isinstance(value, Mapping))
    return {NUMBER[option]: value} if stands else value


def exploration_of(value: Numbers | Exploration, name: str = "exploration") -> Exploration:
    """Return the table ``name`` with its ``kind`` and ``start``.

    Raises
    ------
    ValueError
        For fields that are missing, or that go with another kind.

    Examples
    --------
    >>> exploration_of({"decay": 4e-6})
    {'kind': 'greedy', 'start': 1.0, 'decay': 4e-06}
    """
    table: dict[str, Any] = dict(written_out("exploration", value))
    kind = table.get("kind", "greedy")
    for key in table:
        kind_of_key = next(
            (kind_of_key for kind_of_key, keys in OF_KIND.items() if key in keys and kind_of_key != kind), ""
        )
        if kind_of_key:
            raise ValueError(f"{name}.{key}: is for kind = {kind_of_key!r}")
    if kind == "ucb":
        for key in table.keys() - {"kind", "bonus"}:
            raise ValueError(f"{name}.{key}: is not for kind = 'ucb', whose only number is bonus")
        return cast(Exploration, {"kind": kind, "start": 0.0, "bonus": USUAL_BONUS} | table)
    if kind == "softmax" and "temperature" not in table:
        raise ValueError(f"{name}.temperature: is missing; softmax needs it")
    if kind == "greedy" and "start" not in table and "decay" not in table:
        raise ValueError(f"{name}.start: is missing; only with decay it is 1")
    start = 0.0 if kind == "softmax" else 1.0
    return cast(Exploration, {"kind": kind, "start": start} | table)


def exploration_tables(value: Numbers | Exploration | list[Exploration]) -> dict[str, Exploration]:
    """Return the tables of an option by their names: one for all players, or one per player.

    Examples
    --------
    >>> list(exploration_tables(0.1)), list(exploration_tables([{"kind": "ucb"}, {"start": 0.1}]))
    (['exploration'], ['exploration[0]', 'exploration[1]'])
    """
    if isinstance(value, list | tuple) and any(isinstance(table, Mapping) for table in value):
        names = [f"exploration[{k}]" for k in range(len(value))]
        return {
            name: exploration_of(cast(Exploration, table), name)
            for name, table in zip(names, value, strict=True)
        }
    return {"exploration": exploration_of(cast(Exploration, value))}


def explorations(value: Numbers | Exploration | list[Exploration], players: int) -> list[Exploration]:
    """Return one table per player, with a single number in every field.

    Raises
    ------
    ValueError
        For lists of another length.

    Examples
    --------
    >>> explorations({"start": [1.0, 0.5], "decay": 0.1}, 2)[1]
    {'kind': 'greedy', 'start': 0.5, 'decay': 0.1}
    """
    tables = exploration_tables(value)
    if "exploration" not in tables:
        if len(tables) != players:
            raise ValueError(f"exploration: {len(tables)} tables must be {players}, one per player")
        rows = [[table] for table in tables.items()]
    else:
        rows = [list(tables.items())] * players
    checked = []
    for player, ((name, table),) in enumerate(rows):
        count, at = (players, player) if name == "exploration" else (1, 0)
        numbers: dict[str, Any] = {
            key: value if isinstance(value, str) else each_player(f"{name}.{key}", value, count)[at].item()
            for key, value in table.items()
        }
        checked.append(cast(Exploration, numbers))
    return checked


def falling(value: Numbers | Exploration | list[Exploration], players: int) -> Fading:
    """Return start (greedy), temperature (softmax) or bonus (ucb) and its decay, ``[player]``.

    Raises
    ------
    ValueError
        For a list of another length.
    """
    tables = explorations(value, players)
    scale = [cast(float, cast(dict[str, Any], table)[SCALE[table["kind"]]]) for table in tables]
    decay = [cast(float, table.get("decay", 0.0)) for table in tables]
    return Fading([table["kind"] for table in tables], np.array(scale), np.array(decay))


def step_size_of(value: Numbers | StepSize) -> StepSize:
    """Return the table with its ``value`` and ``power``.

    Raises
    ------
    ValueError
        For an empty table, and for stages beside other fields.

    Examples
    --------
    >>> step_size_of(0.1), step_size_of({"power": 1.0})
    ({'value': 0.1, 'power': 0.0}, {'value': 1.0, 'power': 1.0})
    """
    table: dict[str, Any] = dict(written_out("step_size", value))
    if not table:
        raise ValueError("step_size: is an empty table; must be a number, or hold one")
    if "stages" in table and len(table) > 1:
        raise ValueError("step_size.stages: stands in place of value and power; give one")
    return cast(StepSize, {"value": 1.0, "power": 0.0} | table)
