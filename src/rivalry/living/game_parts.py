"""What figures of games share: names, numbers, sliders, and payoffs at many profiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.batched_games import Together
from rivalry.core.payoffs import payoffs_of
from rivalry.lab.study.identity import TableDict
from rivalry.lab.study.words import Words
from rivalry.schema.construction import recipe_of

MOST_SLIDERS = 8
SLIDERS = {
    "influencer": ("reach", "exponent", "alpha"),
    "market": ("intercept", "substitution", "taste_spread", "quality", "unit_cost"),
    "race": ("scale_penalty", "disaster_cost", "safety_productivity", "performance_productivity"),
}
"""Arguments of the factories that figures offer as sliders."""


def numbers(value: object) -> Any:
    """Return arrays and numbers as lists and floats, with None for what is not finite.

    >>> numbers([1.0, float("inf")])
    [1.0, None]
    """
    array = np.asarray(value, float)
    return np.where(np.isfinite(array), array, None).tolist()  # type: ignore[call-overload]


def drawn_numbers(value: object) -> Any:
    """Return numbers as `numbers`, rounded to seven digits of the largest, of which a picture shows fewer.

    >>> drawn_numbers([2 / 3, 1 / 3e6])
    [0.6666667, 3e-07]
    """
    array = np.asarray(value, float)
    sizes = np.abs(array[np.isfinite(array)])
    largest = float(np.max(sizes, initial=0.0))
    return numbers(np.round(array, 6 - int(np.floor(np.log10(largest)))) if largest else array)


def player_names(game: Any) -> list[str]:
    """Return the names of the players; ``player 0`` and so on where they have none."""
    names = oracles.labels(game).players
    return list(names) or [f"player {k}" for k in range(game.space.shape[0])]


def axis_names(game: object) -> list[str]:
    """Return the names of the axes of a strategy in words; empty where they have none.

    >>> import rivalry as rv
    >>> axis_names(rv.games.race())
    ['safety input', 'performance input']
    """
    return [name.replace("_", " ") for name in oracles.labels(game).axes]


def sliders(game: object) -> list[TableDict]:
    """Return the parameters that a figure offers as sliders: argument, label, range and value.

    Only games that their factory can make again have any.

    >>> import rivalry as rv
    >>> [slider["key"] for slider in sliders(rv.games.market())]
    ['intercept', 'unit_cost']
    """
    recipe = recipe_of(game)
    if recipe is None:
        return []
    family = recipe.make.__name__
    words, sliders = Words({"game": {"family": family}}), []
    for key in SLIDERS.get(family, ()):
        value = getattr(game, key, None)
        entries = np.empty(0) if value is None else np.asarray(value, float)
        if not entries.size or entries.ndim > 1 or entries.size > MOST_SLIDERS:
            continue
        largest = float(np.max(np.abs(entries)))
        low, high = (0.2 * largest, 3.0 * largest) if largest else (0.0, 1.0)
        label = words.key(key)
        sliders.append({"key": key, "label": label, "value": numbers(entries), "low": low, "high": high})
    return sliders


def own_payoffs(game: Any, x: ndarray, player: int, strategies: ndarray) -> ndarray:
    """Return a player's payoffs ``[strategy]`` of strategies ``[strategy axis]``, the others at ``x``."""
    profiles = np.tile(x, (len(strategies), 1, 1))
    profiles[:, player] = strategies
    return payoffs_at_profiles(game, profiles, player)


def own_gain(strategies: ndarray, paid: ndarray, present: float) -> TableDict:
    """Return the gain of a player by the best of several strategies, over its ``present`` payoff.

    ``paid [strategy]`` are their payoffs. The keys are ``here``, the present payoff; ``best``, the strategy
    that pays most; ``gain``, at least 0; and ``stake``, the range of the payoffs.

    >>> own_gain(np.array([[0.0], [1.0]]), np.array([3.0, 5.0]), 4.5)
    {'here': 4.5, 'gain': 0.5, 'stake': 2.0, 'best': [1.0]}
    """
    best = int(np.argmax(paid))
    gain = max(float(paid[best]) - present, 0.0)
    return {"here": present, "gain": gain, "stake": float(np.ptp(paid)), "best": numbers(strategies[best])}


def payoffs_at_profiles(game: Any, profiles: ndarray, player: int) -> ndarray:
    """Return a player's payoffs ``[profile]`` at profiles ``[profile player axis]``."""
    return np.asarray(payoffs_of(Together([game]), profiles[None], player)[0])


def resource_of(game: Any, x: ndarray) -> TableDict:
    """Return the resource of an influencer game and its shares at a profile ``x [player axis]``.

    ``points [point axis]``, ``weights [point]``, ``shares [player point]``, and of every player its influence
    at the points, ``influence [player point]``, in units of the largest one.
    """
    profile = game.space.check(x)
    logs = np.asarray(game.log_influence(profile))[: len(x)]
    influence = np.exp(logs - np.max(logs))
    return {
        "points": numbers(game.points),
        "weights": drawn_numbers(game.weights),
        "shares": np.round(np.asarray(game.shares(profile))[: len(x)], 5).tolist(),
        "influence": np.round(influence, 5).tolist(),
    }
