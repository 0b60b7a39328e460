"""Random wrong arguments: factories and methods raise nothing but `ValueError`."""

from __future__ import annotations

import inspect
import random
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.games import GAMES
from rivalry.methods import METHODS

pytestmark = pytest.mark.slow


CALLS = 150
LONGEST = 300  # maximum length of a message


class _Odd:
    """An object that is no valid argument and whose ``repr`` fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


WRONG: tuple[Any, ...] = (
    *(
        None,
        "x",
        "",
        "1",
        "nan",
        "é\n\nx",
        "x" * 2000,
        b"x",
        True,
        False,
        1j,
        _Odd(),
        _Odd,
        len,
        lambda: None,
    ),
    *(float("nan"), float("inf"), -float("inf"), -1, 0, 1, 2, 7, 0.5, -0.5, 1e-300, 1e308),
    *(10**9, 10**12, 2**70, -(10**9), 10**400),
    *([], [[]], [1], [1.0, 2.0], [1, 2, 3], [[1, 2], [3]], [[1, 2], [3, 4]], [None], ["a"], ["a", "b"]),
    *([[["a"]]], [float("nan")], [-1, 2], [True, False], list(range(200)), (), (1, 2), {1, 2}, range(3)),
    *({}, {"kind": "x"}, {"kind": None}, {"kind": []}, {"kind": "formula"}, {"a": 1}, {1: 2}, [{}], [{}, {}]),
    *(np.float64(0.5), np.int64(3), np.bool_(True), np.array(2.0), np.array([]), np.zeros((2, 2))),
    *(np.zeros((2, 3, 4)), np.array(["a"]), np.array([None]), np.array([1 + 2j]), np.random.default_rng(0)),
)
# valid tables: in a copy one entry is replaced by a wrong value or removed
TABLES: dict[str, dict[str, list[Any]]] = {
    "influencer": {
        "resource": [
            {"kind": "mixture", "means": [0.25, 0.75], "stds": [0.1, 0.1], "weights": [1, 2]},
            {"kind": "beta", "a": 2.0, "b": 3.0},
            {"kind": "formula", "formula": "exp(-b)"},
            {"kind": "array", "values": [1.0] * 100},
        ],
        "resource_points": [
            {"kind": "linspace", "start": 0.1, "stop": 0.9, "num": 20},
            {"kind": "points", "values": [0.1, 0.5, 0.9]},
            {"kind": "continuous", "nodes": 8},
        ],
        "third_party": [{"kind": "formula", "formula": "b"}, {"kind": "array", "values": [1.0] * 100}],
        "abstention": [{"Q": 1.0}],
    },
    "market": {
        "shock": [
            {"kind": "iid", "levels": [-1.0, 1.0], "probabilities": [0.5, 0.5]},
            {"kind": "ar1", "rho": 0.5, "sd": 1.0, "count": 3},
            {"kind": "markov", "levels": [-1.0, 1.0], "transitions": [[0.5, 0.5], [0.5, 0.5]]},
        ],
        "stages": [[[0], [1]]],
    },
    "race": {
        "beliefs": [[{}, {"scale_penalty": 0.2}]],
        "disaster_cost": [[[1.0, 1.0], [1.0, 1.0]]],
        "contest": [{"kind": "ratio", "decisiveness": 2.0, "ease_of_winning": 1.0}],
        "risk": [{"kind": "mixed", "loser_weight": 0.5}],
    },
    "karma": {
        "types": [[{"name": "a", "share": 0.5, "urgencies": [1.0, 2.0]}, {"name": "b", "share": 0.5}]],
        "chain": [[[0.5, 0.5], [0.5, 0.5]]],
    },
    "city": {
        "network": [{"lanes": [["a", "b"], ["b", "c"], ["c", "a"]], "terminals": ["a", "b"]}],
        "types": [
            [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5, "urgency_distribution": [0.5, 0.5]}]
        ],
        "capacity": [{"core": 2, "entry": 3, "others": 1}],
        "toll": [{"kind": "load", "slope": 1.0, "from": 0.5}],
        "coalition": [{"agents": 5, "from": "random"}],
    },
    "routes": {"demand": [{"s>t": 4.0}, {"s>t": "10 - cost"}], "closed": [["s>a"], ["s>a", "a>t"]]},
    "bottleneck": {"classes": [{"a": {"share": 0.5, "value_of_time": 7.0}, "b": {"share": 0.5}}]},
    "matrix": {"payoffs": [[[[1, 0], [0, 1]], [[1, 0], [0, 1]]]]},
    "GradientAscent": {"rate": [{"kind": "cosine", "min": 0.1, "max": 0.2, "steps": 5}]},
    "QLearning": {
        "exploration": [{"start": 0.5, "end": 0.1}, {"kind": "softmax", "temperature": 0.5}],
        "initial_q": [{"kind": "uniform", "min": 0.0, "max": 1.0}],
        "action_grid": [{"kind": "linear", "from": 0.1, "to": 0.9, "count": 3}],
    },
    "PopulationQLearning": {
        "beta": [{"kind": "geometric", "first": 1.0, "last": 10.0, "steps": 5}],
        "stopping": [{"metric": "exploitability", "delta": 0.1, "times": 3}],
        "monitor": [{"kind": "parallel", "t_monitor": 1000, "t_burn": 200}],
    },
    "RepeatedQLearning": {
        "exploration": [{"decay": 1e-3}],
        "stopping": [{"stable_periods": 10}],
        "roles": [[{"kind": "fixed", "action": 1}, "learns"]],
    },
    "Directional": {"initial": [{"kind": "uniform", "from": 0.1, "to": 0.2}]},
    "Design": {"choices": [{"tax": {"from": 0.0, "to": 1.0, "count": 3}}]},
    "RuleDesign": {"choices": [{"mean_karma": {"from": 1, "to": 9, "count": 3}}]},
}


def targets() -> dict[str, Callable[..., Any]]:
    """Return every factory and method class by name, except those of optional libraries."""
    found: dict[str, Callable[..., Any]] = {name: getattr(rv.games, name) for name in GAMES}
    for entry in METHODS.values():
        for target in entry.targets:
            if ".integrations." not in target:
                name = target.split(":")[1]
                found[name] = getattr(rv.methods, name)
    return found


def spoilt(draw: random.Random, value: Any) -> Any:
    """Return a copy of nested tables and lists with one entry wrong, missing or added."""
    copy = deepcopy(value)
    inside = copy
    while True:
        places = list(inside) if isinstance(inside, Mapping) else range(len(inside))
        place = draw.choice(list(places))
        if isinstance(inside[place], dict | list) and inside[place] and draw.random() < 0.7:
            inside = inside[place]
            continue
        if draw.random() < 0.2:
            del inside[place]
        elif isinstance(inside, dict) and draw.random() < 0.1:
            inside["surplus"] = draw.choice(WRONG)
        else:
            inside[place] = draw.choice(WRONG)
        return copy


def wrong_calls(seed: int, calls: int) -> Iterator[tuple[str, Callable[..., Any], dict[str, Any]]]:
    draw = random.Random(seed)
    every = targets()
    families = [name for name in every if name in GAMES]
    for _ in range(calls):
        name = draw.choice(families if draw.random() < 0.5 else list(every))
        names = list(inspect.signature(every[name]).parameters)
        given = {
            key: draw.choice(WRONG) for key in draw.sample(names, min(len(names), draw.choice((1, 1, 2))))
        }
        if name in TABLES and draw.random() < 0.5:
            key = draw.choice(list(TABLES[name]))
            given = {key: spoilt(draw, draw.choice(TABLES[name][key]))}
        yield name, every[name], given


def complaint(call: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """Return a description of an inadequate error, or an empty text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call(**given)
    except ValueError as error:
        message = str(error)
        if "\n" in message or len(message) > LONGEST:
            return f"a message of {len(message)} characters: {message[:80]!r}"
        named = re.split(r"[^\w]", message, maxsplit=1)[0] in inspect.signature(call).parameters
        return "" if named else f"names no argument: {message!r}"
    except Exception as error:
        # tests run with stricter type checks than a user's session
        strict = type(error).__module__.split(".")[0] in ("beartype", "jaxtyping")
        return "" if strict else f"{type(error).__name__}: {error}"
    return ""


def _told(name: str, given: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(given)})"


@pytest.mark.nightly
def test_unmodified_tables_are_accepted() -> None:
    for name, tables in TABLES.items():
        for key, forms in tables.items():
            for form in forms:
                targets()[name](**{key: form})


MANY = [pytest.param(seed, 1_500, marks=pytest.mark.nightly) for seed in range(1, 4)]


@pytest.mark.parametrize(("seed", "count"), [(0, CALLS), *MANY])
def test_wrong_arguments_raise_clear_value_errors(seed: int, count: int) -> None:
    for name, call, given in wrong_calls(seed, count):
        assert not (why := complaint(call, given)), f"{_told(name, given)} {why}"


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["bottleneck", "city", "routes"])
def test_every_argument_refuses_all_wrong_values(name: str) -> None:
    call = targets()[name]
    for key in inspect.signature(call).parameters:
        for value in WRONG:
            assert not (why := complaint(call, {key: value})), f"{key} {why}"
