"""What is known of races beyond payoffs: best responses, bounds, metrics, closed forms, plot data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import Labels, Response, Stages
from rivalry.core.registry import near
from rivalry.core.results import Coverage, Record
from rivalry.core.space import Profile, Strategy
from rivalry.games.race.closed_forms import profiles
from rivalry.games.race.keys import refusal
from rivalry.games.race.metrics import measures, outcomes
from rivalry.games.race.model import ALONE, Race
from rivalry.games.race.period import ours
from rivalry.games.race.plot_data import names, view
from rivalry.games.race.proved_response import proved_reply
from rivalry.games.race.schedule_response import best_reply
from rivalry.games.race.state_game import Node, RacePlay, levels, state_bounds
from rivalry.games.race.static_response import jumps


@oracles.payoff_scale.register(Race)
def _(game: Race) -> Float[Array, ""]:
    """Return the largest prize plus the largest cost of a disaster, over the players."""
    numbers = game.numbers
    prize = jnp.maximum(jnp.abs(numbers["prize"]), jnp.abs(numbers["loser_prize"]))
    return jnp.maximum(jnp.max(prize) + jnp.max(jnp.abs(numbers["disaster_cost"])), 1e-300)


@oracles.discontinuity.register(Race, when=lambda game: bool(jumps(game.rules)))
def _(game: Race) -> str:
    return jumps(game.rules)


@oracles.labels.register(Race)
def _(game: Race) -> Labels:
    """Return the columns of one period, with the period's number behind where there are several."""
    if game.periods == 1:
        return Labels(axes=game.columns)
    return Labels(axes=tuple(f"{column} {t}" for t in range(game.periods) for column in game.columns))


@oracles.metrics.register(Race)
def _(game: Race, x: Profile) -> Record:
    return measures(game, x)


@oracles.traced_metrics.register(Race)
def _(game: Race, x: Profile) -> dict[str, tuple[tuple[str, ...], Array]]:
    return outcomes(game, x)


@oracles.named_start.register(Race)
def _(game: Race, name: str) -> Profile:
    """Return ``moderate``: every effort 1, nothing invested or shared."""
    if name != "moderate":
        raise ValueError(f"start: {name!r} is no named start; {near(name, ['moderate'])}")
    rows = jnp.zeros((game.periods, game.players, len(game.columns))).at[..., :2].set(1.0)
    return game.profile(rows)


@oracles.validate_parameter.register(Race)
def _(game: Race, name: str, value: float) -> str:
    return refusal(name, value)


@oracles.exchangeable.register(Race)
def _(game: Race) -> np.ndarray:
    """Return equal numbers for players with the same parameters in every period."""
    rules = game.rules
    built_in = all(ours(rule) for rule in (rules.production, rules.csf, rules.risk, rules.cost))
    if not (built_in and game.transition is None and game.disaster_by_victim):
        return np.arange(game.players)  # a custom function, or a matrix of costs, may tell players apart
    own = [np.asarray(value) for name, value in game.numbers.items() if name not in ALONE]
    own += [np.asarray(game.weights), np.asarray(game.ahead)]
    own += [np.zeros(game.players) if game.gamma is None else np.asarray(game.gamma)]
    rows = np.concatenate([np.reshape(part, (-1, game.players)) for part in own]).T
    return np.array([np.flatnonzero((rows == row).all(axis=1))[0] for row in rows])


@oracles.gradients.register(Race)
def _(game: Race, x: Profile) -> Profile:
    """Return every player's own gradient by one reverse sweep through all payoffs."""
    _, pull = jax.vjp(game.payoffs, x)
    each = jax.vmap(lambda unit: pull(unit)[0])(jnp.eye(game.players))
    rows = jnp.arange(game.players)
    own: Profile = each[rows, rows]
    return own


@oracles.best_response.register(Race)
def _(game: Race, x: Profile, player: int | Array) -> tuple[Strategy, Any, Coverage]:
    return best_reply(game, x, player)


@oracles.proved_response.register(Race)
def _(game: Race, x: Profile, player: int) -> Response:
    return proved_reply(game, x, player)


@oracles.closed_form.register(Race)
def _(game: Race) -> np.ndarray:
    """Return the symmetric first-order points; see `symmetric_equilibria`."""
    return profiles(game)


@oracles.plot_data.register(Race)
def _(game: Race) -> Mapping[str, Callable[[Profile], Record]]:
    return {name: partial(view, game, name) for name in names(game)}


# Play over periods.


@oracles.discount_factors.register(Race, when=lambda game: game.gamma is not None)
def _(game: Race) -> Any:
    return game.gamma


@oracles.to_stages.register(Race)
def _(game: Race) -> Stages:
    return Stages(
        periods=game.periods,
        space=game.period_space,
        weights=game.weights,
        infinite_horizon=game.infinite_horizon,
        coupled=game.coupled,
    )


@oracles.initial_state.register(Race)
def _(game: Race) -> Float[Array, "stock player"]:
    return game.initial_state()


@oracles.transition.register(Race)
def _(
    game: Race, t: int | Array, state: Float[Array, "stock player"], row: Float[Array, "player axis"]
) -> tuple[Array, Array, Array]:
    return game.play_period(t, state, row)


@oracles.stage_game.register(Race)
def _(game: Race, t: int | Array, ahead: Float[Array, "player"]) -> Race:
    return game.stage(t, ahead)


@oracles.state_game.register(Race)
def _(game: Race, t: int | Array, state: Float[Array, "stock player"], ahead: Any) -> Node:
    return Node(game, jnp.asarray(t), state, ahead)


@oracles.state_bounds.register(Race)
def _(game: Race, t: int) -> tuple[np.ndarray, np.ndarray]:
    return state_bounds(game, t)


@oracles.action_levels.register(Race)
def _(game: Race, count: int) -> list[dict[str, Any]]:
    return levels(game, count)


@oracles.to_markov.register(Race)
def _(game: Race, periods: int | None = None) -> RacePlay:
    """Return native play, its end drawn by chance; an infinite horizon is truncated after ``periods``."""
    return RacePlay(game, periods)
