"""Populations that are trained, or solved, once a rule is set: one run of an inner method to its end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from rivalry.core.game import ENDINGS, Learner, is_population, world_of
from rivalry.core.needs import fits
from rivalry.core.registry import load, near
from rivalry.core.results import Record
from rivalry.methods import METHODS
from rivalry.methods.populations.logit_equilibrium import followed
from rivalry.methods.populations.newton import ENOUGH, PopulationNewton
from rivalry.population import record_of, uniform
from rivalry.population.oracles import mean_field_refusal, refuse_mean_field

Objective = Callable[[Record], float]
SETTLED = ENDINGS.index("converged")

LOSSES = ("mean_relative_exploitability", "relative_exploitability")


def inner_of(given: Any, game: Any) -> Any:
    """The method of an inner table for a game, or one that was given as such. Raises `ValueError`.

    Without any: Newton's method where the game has a mean field, else Q-learning.
    """
    if given is None:
        stationary = is_population(game) and not mean_field_refusal(game)
        given = {"kind": "newton" if stationary else "q_learning"}
    method = _made(dict(given), game) if isinstance(given, Mapping) else given
    if not isinstance(method, Learner | PopulationNewton):
        raise ValueError(f"inner: {type(method).__name__} must be newton, or a learner, as q_learning is")
    return method


def _made(options: dict[str, Any], game: Any) -> Any:
    """The first class of the table's kind that fits the game."""
    kind = options.pop("kind", None)
    if not (isinstance(kind, str) and kind in METHODS):
        raise ValueError(f"inner: kind {kind!r} is no method; {near(str(kind), METHODS)}")
    each = [load(target) for target in METHODS[kind].targets]
    target = next((one for one in each if fits(one, game)), None)
    if target is None:
        raise ValueError(f"inner: {kind!r} does not fit this game")
    known = [field.name for field in fields(target) if field.init]
    for name in options:
        if name not in known:
            raise ValueError(f"inner: {name!r} is no option of {kind}; {near(name, known)}")
    try:
        return target(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"inner: {error}") from None


def run_inner(game: Any, method: Any, sequence: np.random.SeedSequence) -> Record:
    """What the players come to in a game; ``status`` says how it ended."""
    if isinstance(method, PopulationNewton):
        return _solved(game, method)
    world = world_of(game, method)
    session, left, finished = method.begin(world, sequence), int(method.length(world)), False
    while left > 0 and not finished:
        taken = method.advance(world, session, left)
        left, finished = left - taken, taken == 0
    record = dict(method.read(world, session))
    record.setdefault("status", ((), np.asarray("converged" if finished else "completed")))
    return record


def foretold(game: Any, method: Any, sequence: np.random.SeedSequence) -> Record:
    """What names a record of the players will have: of uniform play, or of learners before the first step.

    Empty where nothing can be told so early.
    """
    if isinstance(method, PopulationNewton):
        refuse_mean_field(game)
        return record_of(game, uniform(game), None)[0]
    world = world_of(game, method)
    record = dict(method.read(world, method.begin(world, sequence)))
    told = any(dims == () and array.dtype.kind in "biuf" for dims, array in record.values())
    return record if told else {}


def _solved(game: Any, method: PopulationNewton) -> Record:
    refuse_mean_field(game)
    state, left = followed(method, game)
    ended = SETTLED if left <= ENOUGH else int(method.ended(game, state))
    record: Record = {
        "profile": (("state", "action"), np.asarray(state.profile)),
        "status": ((), np.asarray(ENDINGS[ended] if ended else "iteration limit")),
        **method.account(game, state),
    }
    return record | record_of(game, state.profile, None)[0]


def check_objective(weights: Mapping[str, float] | Objective, option: str, record: Record) -> None:
    """Raises `ValueError` for measures that a record of the players does not have; of an empty one, none."""
    plain = {key for key, (_, array) in record.items() if np.asarray(array).dtype.kind in "biuf"}
    for name in weights if isinstance(weights, Mapping) and record else ():
        inner = _parts(name)[1]
        if inner not in plain:
            raise ValueError(
                f"{option}: {inner!r} is no measure of the players' record; {near(inner, plain)}"
            )


def worth(weights: Mapping[str, float] | Objective, record: Record) -> float:
    """The weighted sum of measures of a record, each the mean of its known entries, or their ``min(..)``.

    >>> worth({"reward": 1.0, "min(reward)": 2.0}, {"reward": (("agent",), np.array([-1.0, -3.0]))})
    -8.0
    """
    if callable(weights):
        return float(weights(record))
    return float(sum(weight * _measure(record, name) for name, weight in weights.items()))


def _measure(record: Record, name: str) -> float:
    reduce, inner = _parts(name)
    if inner not in record:  # under this rule nobody can tell
        return np.nan
    array = np.asarray(record[inner][1], dtype=float)
    known = array[~np.isnan(array)]  # classes that nobody is in have no reward
    if not known.size:
        return np.nan
    return float(known.min() if reduce == "min" else known.mean())


def _parts(name: str) -> tuple[str, str]:
    """How a measure's entries become one number, and its name."""
    found = re.fullmatch(r"(min|mean)\((\w+)\)", name)
    return (found[1], found[2]) if found else ("mean", name)


def relative_exploitability(record: Record) -> float:
    """What the players could gain, relative to their payoffs, the mean over them; NaN where unknown."""
    name = next((one for one in LOSSES if one in record), None)
    return np.nan if name is None else _measure(record, name)
