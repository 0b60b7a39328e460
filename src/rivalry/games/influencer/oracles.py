"""All that is known of influencer games beyond their payoffs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.jax import jax, jnp, put
from rivalry.core.registry import near
from rivalry.core.results import Record
from rivalry.core.space import Box, Profile, Strategy
from rivalry.games.influencer import blotto, derivatives, deviations, plot_data
from rivalry.games.influencer.kernels import Custom
from rivalry.games.influencer.model import InfluencerGame
from rivalry.tables.kernels.shapes import Contest, contest

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
def _(game: InfluencerGame) -> Array | np.ndarray | float:
    if isinstance(game.weights, jax.core.Tracer):
        return game.weights.sum()
    return put(np.asarray(game.weights).sum())  # no program to compile for one sum


@oracles.exchangeable.register(InfluencerGame)
def _(game: InfluencerGame) -> np.ndarray:
    own = [game.budgets, *game.kernel.parameters.values()]
    own += [game.reach_cost] if game.reach_cost is not None else []
    own += [game.space.low, game.space.high] if isinstance(game.space, Box) else []
    rows = np.concatenate([np.reshape(np.asarray(part), (game.players, -1)) for part in own], axis=1)
    return np.array([np.flatnonzero((rows == row).all(axis=1))[0] for row in rows])


@oracles.validate_parameter.register(InfluencerGame)
def _(game: InfluencerGame, name: str, value: float) -> str:
    if name == "covariance":
        return "is no matrix (its size is the variance)"
    positive = {"budgets"} | (set() if isinstance(game.kernel, Custom) else set(game.kernel.parameters))
    if name in positive and not value > 0:
        return "must be above 0"
    return "must be at least 0" if name == "abstention" and not value >= 0 else ""


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
    low, high = game.space.low, game.space.high
    parts = jnp.full(low.shape, 0.5).at[:, 0].set(jnp.asarray(at))
    return low + (high - low) * parts


@oracles.metrics.register(InfluencerGame)
def _(game: InfluencerGame, x: Profile) -> Record:
    return plot_data.metrics(game, x)


@oracles.plot_data.register(InfluencerGame)
def _(game: InfluencerGame) -> Mapping[str, Callable[[Profile], Record]]:
    found = dict(plot_data.PLOT_DATA)
    if game.space.shape[1] > 1:
        del found["vector_field"]  # drawn on an interval only
    return {name: partial(make, game) for name, make in found.items()}


@oracles.gradients.register(InfluencerGame)
def _(game: InfluencerGame, x: Profile) -> Profile:
    return derivatives.own_gradients(game, x)


@oracles.jacobian.register(InfluencerGame)
def _(game: InfluencerGame, x: Profile) -> Float[Array, "row column"]:
    return derivatives.gradient_jacobian(game, x)


# abstention's influence changes with the player's own position
@oracles.deviation_payoff.register(InfluencerGame, when=lambda game: game.abstention is None)
def _(game: InfluencerGame, x: Profile, player: int | Array) -> Callable[[Strategy], Float[Array, ""]]:
    return deviations.deviation_payoff(game, x, player)


@oracles.payoff_bound.register(InfluencerGame, when=deviations.has_payoff_bound)
def _(
    game: InfluencerGame, x: Profile, player: int | Array, low: Strategy, high: Strategy
) -> Float[Array, ""]:
    return deviations.payoff_bound(game, x, player, low, high)


# on an interval branch and bound finds what a grid misses
@oracles.search_points.register(
    InfluencerGame, when=lambda game: not deviations.has_payoff_bound(game) or game.space.shape[1] > 1
)
def _(game: InfluencerGame, player: int) -> Float[Array, "point axis"]:
    return deviations.search_points(game, player)


@oracles.proved_response.register(InfluencerGame, when=blotto.has_best_response)
def _(game: InfluencerGame, x: Profile, player: int) -> oracles.Response:
    return blotto.best_response(game, x, player)


@oracles.to_contest.register(InfluencerGame)
def _(game: InfluencerGame, grid: np.ndarray) -> Contest:
    rows = np.asarray(_log_influence(game, put(grid)))
    points, players = np.asarray(game.points), len(grid)
    away = None
    if game.abstention is not None:
        apart = points - grid[:, :, None, : points.shape[1]]
        with np.errstate(divide="ignore"):
            away = np.log(np.sum(apart**2, axis=-1))
    return contest(
        np.asarray(game.weights),
        rows[:players],
        None if game.third_party is None else rows[players, 0],
        None if game.abstention is None else float(game.abstention),
        away,
        None if game.reach_cost is None else np.asarray(game.reach_cost)[:, None] * grid[:, :, -1],
        game.zero_influence,
    )


@eqx.filter_jit
def _log_influence(
    game: InfluencerGame, grid: Float[Array, "player action axis"]
) -> Float[Array, "row action point"]:
    """Return log-influence with every player at its grid point of the same number, for each number."""
    return jax.vmap(game.log_influence, in_axes=1, out_axes=1)(grid)
