"""What plots of a race draw: own payoffs, replies and deviations around a profile."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import labels
from rivalry.core.results import Record
from rivalry.core.space import Profile
from rivalry.games.race.schedule_response import compiled_reply, efforts
from rivalry.games.race.static_response import known

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

SIDE, PLACES, AMOUNTS = 61, 121, 25
NEAR = 1e3  # efforts are drawn from a thousandth of the largest at the profile to as many times it


def names(race: Race) -> tuple[str, ...]:
    """The views that a race has; replies only between two players, deviations of those who invest."""
    found = ["payoff_landscape"]
    if race.players == 2:
        found.append("reaction")
    if len(race.columns) > 2 and race.transition is None and known(race):
        found.append("deviation")
    return tuple(found)


def view(race: Race, name: str, x: Profile) -> Record:
    """The view ``name`` at ``x``."""
    return {"payoff_landscape": _landscape, "reaction": _reaction, "deviation": _deviation}[name](race, x)


def _line(race: Race, x: Profile, column: int, points: int) -> np.ndarray:
    """Efforts around those of the first period, evenly in logarithms."""
    top = float(np.max(np.asarray(race.schedule(x))[0, :, column]))
    top = top if top > 0 else 1.0
    return np.exp(np.linspace(np.log(top / NEAR), np.log(top * NEAR), points))


def _landscape(race: Race, x: Profile) -> Record:
    """Own payoff by both own efforts of the first period, the rest of the profile as it is."""
    xs, xp = (_line(race, x, column, SIDE) for column in (0, 1))
    best = [np.asarray(compiled_reply(race, x, jnp.asarray(player))[0]) for player in range(race.players)]
    return {
        "landscape_payoff": (
            ("player", "safety_level", "performance_level"),
            np.asarray(_payoffs(race, x, jnp.asarray(xs), jnp.asarray(xp))),
        ),
        "landscape_safety_input": (("safety_level",), xs),
        "landscape_performance_input": (("performance_level",), xp),
        "landscape_best": (("player", "axis"), np.stack(best)),
    }


@eqx.filter_jit
def _payoffs(
    race: Race, x: Profile, xs: Array, xp: Array
) -> Float[Array, "player safety_level performance_level"]:
    def one(player: Array, a: Array, b: Array) -> Array:
        return race.payoffs(x.at[player, 0].set(a).at[player, 1].set(b))[player]

    across = jax.vmap(jax.vmap(one, (None, None, 0)), (None, 0, None))
    return jax.vmap(across, (0, None, None))(jnp.arange(race.players), xs, xp)


def _reaction(race: Race, x: Profile) -> Record:
    """The best performance input of the first period against the rival's, all else as it is."""
    line = _line(race, x, 1, PLACES)
    return {
        "reaction": (("duellist", "place"), np.asarray(_replies(race, x, jnp.asarray(line)))),
        "reaction_at": (("duellist", "place"), np.stack([line, line])),
        "reaction_here": (("duellist",), np.asarray(x)[:, 1]),
        "reaction_player": (("duellist",), np.arange(2)),
        "reaction_column": ((), np.asarray(labels(race).axes[1])),
    }


@eqx.filter_jit
def _replies(race: Race, x: Profile, line: Array) -> Float[Array, "player place"]:
    logs = jnp.linspace(jnp.log(line[0]), jnp.log(line[-1]), 8 * PLACES)

    def reply(player: Array, rival: Array) -> Array:
        there = x.at[1 - player, 1].set(rival)

        def paid(own: Array) -> Array:
            return race.payoffs(there.at[player, 1].set(own))[player]

        worth = jax.vmap(paid)(jnp.exp(logs))
        best = jnp.argmax(worth)
        k = jnp.clip(best, 1, len(logs) - 2)
        low, middle, high = worth[k - 1], worth[k], worth[k + 1]
        bend = low - 2 * middle + high
        part = jnp.where((best == k) & (bend < 0), (low - high) / jnp.where(bend < 0, 2 * bend, 1.0), 0.0)
        peak = jnp.exp(logs[best] + part * (logs[1] - logs[0]))  # of the parabola through three places
        return jnp.where(paid(jnp.zeros(())) >= worth[best], 0.0, peak)

    found: Array = jax.vmap(lambda player: jax.lax.map(partial(reply, player), line))(jnp.arange(2))
    return found


def _deviation(race: Race, x: Profile) -> Record:
    """What another first investment in B gains, efforts best, later investments as they are or none."""
    here = np.asarray(race.schedule(x))[0, :, 3]
    top = np.maximum(3 * here, 10 * np.asarray(race.numbers_at(0)["performance_productivity"]))
    amounts = np.stack([np.append(0.0, np.geomspace(most / 1e3, most, AMOUNTS - 1)) for most in top])
    paid = np.asarray(_invested(race, x, jnp.asarray(amounts)))
    return {
        "deviation_gain": (("player", "level"), paid - np.asarray(race.payoffs(x))[:, None]),
        "deviation_at": (("player", "level"), amounts),
        "deviation_here": (("player",), here),
        "deviation_column": ((), np.asarray(labels(race).axes[3])),
    }


@eqx.filter_jit
def _invested(race: Race, x: Profile, amounts: Float[Array, "player level"]) -> Float[Array, "player level"]:
    rows = race.schedule(x)

    def one(player: Array, amount: Array, later: Array) -> Array:
        kept = jnp.where(later, rows, rows.at[:, player, 2:4].set(0.0)).at[0, player, 3].set(amount)
        there = race.profile(kept)
        return race.payoffs(there.at[player].set(efforts(race, there, player)))[player]

    def best(player: Array, amount: Array) -> Array:
        return jnp.max(jax.lax.map(lambda later: one(player, amount, later), jnp.array([True, False])))

    players = jnp.arange(race.players)
    found: Array = jax.vmap(lambda player, row: jax.lax.map(partial(best, player), row))(players, amounts)
    return found
