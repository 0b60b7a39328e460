"""The data from which JavaScript computes payoffs of a game, and the parameters that a person may change.

`static/twins` has the same payoffs in JavaScript where bundled studies have figures that are lost without
them (docs/notes/plots.md): influencer games, markets and races in their usual forms, and finite games. Other
forms send payoffs that Python computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core import oracles
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.words import Words
from rivalry.schema.construction import recipe_of

if TYPE_CHECKING:
    from rivalry.families.influencer.model import InfluencerGame
    from rivalry.families.market.model import Market
    from rivalry.families.race.model import Race

MOST_SLIDERS = 8
MOST_ENTRIES = 20_000  # of a payoff table that is sent to a page

HOME = "rivalry.families.influencer.kernels"
KERNELS = {
    "Gaussian": "gaussian",
    "PowerLaw": "power_law",
    "Dirichlet": "dirichlet",
    "Blotto": "blotto",
}
"""Classes of kernels in ``HOME`` that have a twin, and the name by which the twin knows each."""

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


def twin_data(game: object) -> TableDict | None:
    """Return the data of a game's twin in JavaScript; None for a game without one.

    >>> import rivalry as rv
    >>> twin_data(rv.games.market())["demand"]
    'linear'
    """
    # all of these load JAX, which figures of stored records do not need
    from rivalry.families.influencer.model import InfluencerGame
    from rivalry.families.market.model import Market
    from rivalry.families.matrix import Matrix
    from rivalry.families.race.model import Race

    if type(game) is InfluencerGame:
        return _influencer(game)
    if type(game) is Market:
        return _market(game)
    if type(game) is Race:
        return _race(game)
    if type(game) is Matrix and np.size(game.table) <= MOST_ENTRIES:
        actions = [list(names) for names in game.actions]
        return {"family": "matrix", "table": numbers(game.table), "actions": actions}
    return None


def _influencer(game: InfluencerGame) -> TableDict | None:
    from rivalry.families.influencer.kernels import Dirichlet, Gaussian, PowerLaw

    kernel = game.kernel
    kind = KERNELS.get(type(kernel).__name__) if type(kernel).__module__ == HOME else None
    if kind is None or game.reach_cost is not None:
        return None
    content = {"kind": kind} | {name: numbers(value) for name, value in kernel.parameters.items()}
    if isinstance(kernel, Gaussian):
        content["normalised"] = kernel.normalised
    if isinstance(kernel, PowerLaw):
        content["floor"] = float(kernel.floor)
    if isinstance(kernel, Dirichlet):
        content["reference_corner"] = kernel.reference_corner
    return {
        "family": "influencer",
        "kernel": content,
        "points": numbers(game.points),
        "weights": numbers(game.weights),
        "budgets": numbers(game.budgets),
        "third_party": None if game.third_party is None else numbers(game.third_party),
        "abstention": None if game.abstention is None else float(game.abstention),
        "zero_influence": game.zero_influence,
    }


def _market(game: Market) -> TableDict | None:
    rule = game.rule
    plain = game.shock is None and game.accounts.tax_losses == "refunded"
    if not plain or rule.demand in ("formula", "isoelastic"):
        return None
    if game.taxes_sales or rule.rationing or rule.kind == ("differentiated", "price"):
        return None
    amounts = {name: numbers(value) for name, value in game.numbers.items()}
    return {"family": "market", "demand": rule.demand, "choice": rule.choice, "numbers": amounts}


def _race(game: Race) -> TableDict | None:
    from rivalry.families.race.period import linear, power, ratio, winner_only

    rules = game.rules
    usual = (rules.production, rules.contest, rules.risk, rules.cost) == (power, ratio, winner_only, linear)
    usual &= (rules.loser_prize_basis, rules.no_winner) == ("own", "value")
    is_single_shot = game.periods == 1 and game.gamma is None and game.transition is None
    if not (usual and is_single_shot) or len(game.columns) != 2 or np.any(np.asarray(game.ahead)):
        return None
    return {
        "family": "race",
        "numbers": {name: numbers(value) for name, value in game.numbers_at(0).items()},
        "weights": numbers(game.weights[0]),
        "damage": game.damage,
    }


def sliders(game: object) -> list[TableDict]:
    """Return the parameters that a figure offers as sliders: argument, label, range and value.

    Only games that their factory can make again have any.

    >>> import rivalry as rv
    >>> [one["key"] for one in sliders(rv.games.market())]
    ['intercept', 'unit_cost']
    """
    twin = twin_data(game)
    return [] if twin is None or recipe_of(game) is None else sliders_of(twin)


def sliders_of(twin: Table) -> list[TableDict]:
    """Return the sliders of a twin; see `sliders`."""
    numbers_of_twin = twin["kernel"] if twin["family"] == "influencer" else twin.get("numbers", {})
    words, sliders = Words({"game": {"family": twin["family"]}}), []
    for key in SLIDERS.get(twin["family"], ()):
        value = numbers_of_twin.get(key)
        entries = np.asarray(value, float) if value is not None else np.empty(0)
        if not entries.size or entries.ndim > 1 or entries.size > MOST_SLIDERS:
            continue
        largest = float(np.max(np.abs(entries)))
        low, high = (0.2 * largest, 3.0 * largest) if largest else (0.0, 1.0)
        label = words.key(key)
        sliders.append({"key": key, "label": label, "value": value, "low": low, "high": high})
    return sliders


PLAIN_KEYS = {"family", "players", "kernel", "reach", "resource"}
PLAIN_RESOURCES = ("bimodal", "unimodal", "uniform", "mixture", "beta")


def twin_of_table(table: Table, players: int) -> TableDict | None:
    """Return the data of the twin of an influencer game from its table in a study; no game is built.

    None unless influence is Gaussian, the space is the interval from 0 to 1, the resource is a word or a
    mixture, and all other keys have their defaults.
    """
    resource = table.get("resource", "uniform")
    word = resource.get("kind") if isinstance(resource, Mapping) else resource
    fits = table.get("family") == "influencer" and table.get("kernel", "gaussian") == "gaussian"
    if not fits or not PLAIN_KEYS.issuperset(table) or word not in PLAIN_RESOURCES:
        return None
    from rivalry.families.resources import resource_points, resource_weights

    points = resource_points(None, [[0.0, 1.0]])
    try:
        weights = resource_weights(resource, points)
        reach = np.broadcast_to(np.asarray(table.get("reach", 0.25), float), (players,))
    except ValueError:  # parameters that this version refuses
        return None
    return {
        "family": "influencer",
        "kernel": {"kind": "gaussian", "reach": numbers(reach), "normalised": False},
        "points": numbers(points),
        "weights": numbers(weights),
        "budgets": [1.0] * players,
        "third_party": None,
        "abstention": None,
        "zero_influence": "error",
    }


def influencer_payoffs(twin: Table, x: np.ndarray) -> np.ndarray:
    """Return the payoffs of a twin with Gaussian influence on an interval, at positions ``x [player 1]``.

    >>> twin = twin_of_table({"family": "influencer", "reach": 0.2}, 2)
    >>> influencer_payoffs(twin, np.array([[0.1], [0.9]])).tolist()
    [50.0, 50.0]
    """
    away = (np.ravel(twin["points"]) - x) / np.asarray(twin["kernel"]["reach"])[:, None]
    influence = np.exp(np.min(away**2, axis=0) / 2 - away**2 / 2)
    return np.asarray(influence / influence.sum(axis=0) @ twin["weights"])
