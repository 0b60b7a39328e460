"""Registered properties of influencer games beyond their payoffs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.certificates.deviations import best_response
from rivalry.core import oracles
from rivalry.core.array_games import Contest, contest
from rivalry.core.results import Record, scalar
from rivalry.core.space import Box, Profile, Simplex
from rivalry.families.influencer import blotto, deviations
from rivalry.families.influencer.closed_forms import group_levels, known_threshold
from rivalry.families.influencer.deviations import (
    deviation_payoff,
    gradient_jacobian,
    has_payoff_bound,
    own_gradients,
    payoff_bound,
    search_points,
)
from rivalry.families.influencer.kernels import Blotto, Custom, Gaussian
from rivalry.families.influencer.model import InfluencerGame
from rivalry.proofs.spaces.simplices import slopes_in_shares, terms_in_fractions
from rivalry.runtime.jax import compiled, floats, jax, jnp, put, seldom
from rivalry.schema.construction import recipe_of, variant
from rivalry.schema.validate import near

# Starts on [0, 1] of Lovett, Fu and McAvoy, by the number of players.
STARTS = {
    2: [0.1, 0.9],
    3: [0.1, 0.4, 0.9],
    4: [0.1, 0.4, 0.7, 0.9],
    5: [0.1, 0.3, 0.4, 0.7, 0.9],
    6: [0.1, 0.3, 0.4, 0.6, 0.7, 0.9],
    7: [0.1, 0.3, 0.4, 0.2, 0.6, 0.7, 0.9],
    8: [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9],
    9: [0.1, 0.25, 0.3, 0.35, 0.45, 0.65, 0.75, 0.7, 0.9],
    10: [0.1, 0.25, 0.3, 0.35, 0.45, 0.6, 0.65, 0.75, 0.7, 0.9],
    11: [0.1, 0.2, 0.25, 0.3, 0.35, 0.45, 0.6, 0.65, 0.75, 0.7, 0.9],
    12: [0.1, 0.2, 0.25, 0.3, 0.35, 0.45, 0.6, 0.65, 0.75, 0.7, 0.8, 0.9],
    16: [p for p in (0.115, 0.21, 0.29, 0.391, 0.609, 0.71, 0.79, 0.885) for _ in range(2)],  # eight pairs
}


@oracles.payoff_scale.register(InfluencerGame)
def _(game: InfluencerGame) -> Array | ndarray | float:
    if isinstance(game.weights, jax.core.Tracer):
        return game.weights.sum()
    return put(np.asarray(game.weights).sum())  # NumPy, to avoid a compilation for one sum


@oracles.exchangeable.register(InfluencerGame)
def _(game: InfluencerGame) -> ndarray:
    parts = [game.budgets, *game.kernel.parameters.values()]
    parts += [game.reach_cost] if game.reach_cost is not None else []
    parts += [game.space.low, game.space.high] if isinstance(game.space, Box) else []
    rows = np.concatenate([np.reshape(np.asarray(part), (game.players, -1)) for part in parts], axis=1)
    return oracles.first_equal(rows)


@oracles.validate_parameter.register(InfluencerGame)
def _(game: InfluencerGame, name: str, value: float) -> str:
    if name == "covariance":
        return "is no matrix (its size is the variance)"
    positive = {"budgets"} | (set() if isinstance(game.kernel, Custom) else set(game.kernel.parameters))
    if name in positive and not value > 0:
        return "must be above 0"
    return "must be at least 0" if name == "abstention" and not value >= 0 else ""


def _has_own_quadrature(game: InfluencerGame) -> bool:
    """True for a density at as many nodes as the game needs, which other games may need more of."""
    recipe = recipe_of(game)
    spec = recipe.given.get("resource_points") if recipe else None
    return isinstance(spec, Mapping) and spec.get("kind") == "continuous" and spec.get("nodes") is None


@oracles.one_quadrature.register(InfluencerGame, when=_has_own_quadrature)
def _(game: InfluencerGame, games: Sequence[InfluencerGame]) -> InfluencerGame:
    directions = game.points.shape[1] - isinstance(game.space, Simplex)
    most = max(len(finest.points) for finest in games)
    return variant(game, **{"resource_points.nodes": round(most ** (1 / directions))})


@oracles.named_start.register(InfluencerGame)
def _(game: InfluencerGame, name: str) -> Profile:
    """Return ``paper_default``: the source's starts (2 to 12, 16 players), else evenly spaced positions.

    Chosen reaches start in the middle of their range.
    """
    if name != "paper_default":
        raise ValueError(f"start: {name!r} is no named start; {near(name, ['paper_default'])}")
    if not isinstance(game.space, Box) or game.points.shape[1] != 1:
        raise ValueError("start: paper_default is for an interval; give positions, or 'random'")
    at = STARTS.get(game.players, np.linspace(0.1, 0.9, game.players).tolist())
    low, high = floats(game.space.low), floats(game.space.high)
    parts = np.full(low.shape, 0.5)
    parts[:, 0] = at
    return put(low + (high - low) * parts)


@oracles.plot_data.register(InfluencerGame)
def _(game: InfluencerGame) -> oracles.PlotData:
    return {name: partial(make, game) for name, make in PLOT_DATA.items()}


oracles.gradients.register(InfluencerGame)(own_gradients)
oracles.jacobian.register(InfluencerGame)(gradient_jacobian)
oracles.payoff_bound.register(InfluencerGame, when=has_payoff_bound)(payoff_bound)
oracles.proved_response.register(InfluencerGame, when=blotto.has_best_response)(blotto.best_response)
slopes_in_shares.register(
    InfluencerGame, when=lambda game: isinstance(game.kernel, Blotto) and game.abstention is None
)(blotto.slopes_in_shares)
terms_in_fractions.register(InfluencerGame, when=deviations.has_terms)(deviations.terms_in_fractions)
# the influence of rivals stays as it is when a player moves; abstention's does not
oracles.deviation_payoff.register(InfluencerGame, when=lambda game: game.abstention is None)(deviation_payoff)
# on an interval branch and bound is better than starts of a search
oracles.search_points.register(
    InfluencerGame, when=lambda game: game.space.shape[1] > 1 or isinstance(game.kernel, Custom)
)(search_points)


@oracles.to_contest.register(InfluencerGame)
def _(game: InfluencerGame, grid: ndarray) -> Contest:
    rows = np.asarray(_log_influence(game, grid))
    points, players = np.asarray(game.points), len(grid)
    away = None
    if game.abstention is not None:
        offsets = points - grid[:, :, None, : points.shape[1]]
        with np.errstate(divide="ignore"):
            away = np.log(np.sum(offsets**2, axis=-1))
    return contest(
        np.asarray(game.weights),
        rows[:players],
        None if game.third_party is None else rows[players, 0],
        None if game.abstention is None else float(game.abstention),
        away,
        None if game.reach_cost is None else np.asarray(game.reach_cost)[:, None] * grid[:, :, -1],
        game.zero_influence,
    )


@compiled
def _log_influence(
    game: InfluencerGame, grid: Float[Array, "player action axis"]
) -> Float[Array, "row action point"]:
    """Return log-influence ``[row action point]`` with all players at their grid point of the same number."""
    return jax.vmap(game.log_influence, in_axes=1, out_axes=1)(grid)


# --- metrics and plot data ----------------------------------------------------------------------------------


LINE, SQUARE = 201, 41 * 41  # grid points of a landscape on an interval, and elsewhere


@oracles.metrics.register(InfluencerGame)
def _(game: InfluencerGame, x: Profile) -> Record:
    """Return the metrics that are stored with every result.

    These are ``gradient_norm``, the largest entry of the players' own gradients; ``resource_total``;
    ``outside_payoffs [outside]`` of the third party and abstention, if any; ``axis_name [axis]`` for chosen
    reaches; and, where a closed form is known, ``threshold``, ``symmetric_position [axis]`` and
    ``symmetric_stable`` (see `symmetric_equilibrium`); for a Gaussian on a line and more than four players
    ``level_threshold``, at which the larger half of the players splits by `group_levels`.
    """
    payoffs, norm, shares = _payoffs_norm_shares(game, x)
    game.check_shares(shares)
    makers: Record = {
        "gradient_norm": scalar(norm),
        "resource_total": scalar(oracles.payoff_scale(game)),
    }
    if len(payoffs) > x.shape[0]:
        makers["outside_payoffs"] = (("outside",), np.asarray(payoffs[x.shape[0] :]))
    if (axes := game.points.shape[1]) < x.shape[1]:  # the players choose their reach
        names = ["position"] if axes == 1 else [f"position {k}" for k in range(axes)]
        makers["axis_name"] = (("axis",), np.asarray([*names, "reach"]))
    threshold = known_threshold(game)
    if threshold is not None:
        if threshold.position is not None:
            makers["symmetric_position"] = (("axis",), threshold.position)
        makers["symmetric_stable"] = scalar(threshold.stable)
        if threshold.threshold is not None:
            makers["threshold"] = scalar(threshold.threshold)
    if isinstance(game.kernel, Gaussian) and axes == 1 and threshold is not None and game.players > 4:
        halves = group_levels(game.points, game.weights, game.players)[1]
        makers["level_threshold"] = ((), floats(halves.thresholds[0]))
    return makers


@seldom
def _payoffs_norm_shares(game: InfluencerGame, x: Profile) -> tuple[Array, Array, Array]:
    shares = game.shares(x)
    return shares @ game.weights, jnp.max(jnp.abs(own_gradients(game, x))), shares


@seldom
def _influence_logs(game: InfluencerGame, x: Profile) -> Array:
    return game.log_influence(x)


def _resource(game: InfluencerGame, x: Profile) -> Record:
    labels = [f"player {player}" for player in range(game.players)]
    labels += ["third party"] * (game.third_party is not None)
    labels += ["abstention"] * (game.abstention is not None)
    return {
        "resource": (("point",), np.asarray(game.weights)),
        "resource_points": (("point", "coordinate"), np.asarray(game.points)),
        "row_label": (("row",), np.asarray(labels)),
    }


def _influence(game: InfluencerGame, x: Profile) -> Record:
    logs = np.asarray(_influence_logs(game, x))
    return {"influence": (("row", "point"), np.exp(logs)), **_resource(game, x)}


def _shares(game: InfluencerGame, x: Profile) -> Record:
    _, _, shares = _payoffs_norm_shares(game, x)
    game.check_shares(shares)
    return {"shares": (("row", "point"), np.asarray(shares)), **_resource(game, x)}


def _landscape(game: InfluencerGame, x: Profile) -> Record:
    axes = x.shape[1]
    places = game.space.grid(0, LINE if axes == 1 else SQUARE)
    responses = [best_response(game, x, player) for player in range(game.players)]
    at = np.asarray(places)
    return {
        "landscape": (("player", "grid_point"), np.asarray(_own_payoffs(game, x, places))),
        "landscape_at": (("grid_point",), at[:, 0]) if axes == 1 else (("grid_point", "coordinate"), at),
        "landscape_best": (("player", "axis"), np.stack([response.strategy for response in responses])),
        "landscape_best_payoff": (("player",), np.asarray([response.payoff for response in responses])),
    }


@seldom
def _own_payoffs(game: InfluencerGame, x: Profile, places: Array) -> Array:
    """Return every player's payoff at every grid point, the others at ``x``, ``[player place]``."""

    def row(player: Array) -> Array:
        return jnp.asarray(jax.lax.map(oracles.deviation_payoff(game, x, player), places, batch_size=256))

    return jnp.stack([row(jnp.asarray(player)) for player in range(x.shape[0])])


PLOT_DATA: Mapping[str, Callable[[InfluencerGame, Profile], Record]] = {
    "influence": _influence,
    "shares": _shares,
    "landscape": _landscape,
    "resource": _resource,
}
