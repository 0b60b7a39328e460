"""A race period by period: the game at a state of technology, native play, and action grids for tables."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from rivalry.core import oracles
from rivalry.core.jax import jax, jnp
from rivalry.core.reparametrisation import flattened
from rivalry.core.results import Coverage
from rivalry.core.space import Box, Profile, Strategy
from rivalry.games.race.model import STOCKS, Race, productivities

DEEP, EACH = 20.0, 21  # scan of an input: lowest level, in logs below the highest, and number of levels
INVESTED, SHARED = (
    {2: 15, 4: 7},
    3,
)  # levels per investment, by the number of further columns; per share
ROUNDS, SIDE, SHRINK = 14, 5, 0.5
IDLE = 0.1  # in logs, above the smallest amount: the smallest input tried
LEAST = 1e-12  # stocks are observed as logarithms, smaller ones as this one
# Spending on either input, as a fraction of the prize: at the default prices 0.09 to 4.95, and 0.05 to 2.72.
SPENT = {
    "safety_input": (np.exp(-2.4) / 10, np.exp(1.6) / 10),
    "performance_input": (np.exp(-3.0) / 10, np.exp(1.0) / 10),
}
INVESTMENT = 0.05  # of the prize
GIVEN = {"fraction": 1.0, "rate": 3.0}


class RaceState(eqx.Module):
    """A period in all columns at a ``state [stock player]``; a game like any other.

    It pays the period's weight times its payoff, and ``ahead(next state) [player]`` if play continues.
    ``ahead.against(state, player)`` is the player's value as a function of its own stocks. Made by the oracle
    `rivalry.oracles.state_game`.
    """

    race: Race
    t: Array
    state: Float[Array, "stock player"]
    ahead: Any

    @property
    def space(self) -> Box:
        return self.race.period_space

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        paid, p_continue, later = self.race.play_period(self.t, self.state, x)
        found: Array = self.race.weights[self.t] * paid + p_continue * self.ahead(later)
        return found

    def after(self, x: Profile) -> Float[Array, "stock player"]:
        """Return the state after ``x``."""
        return self.race.play_period(self.t, self.state, x)[2]


oracles.payoff_scale.register(RaceState)(lambda game: oracles.payoff_scale(game.race))


@oracles.best_response.register(RaceState)
def _(game: RaceState, x: Profile, player: int | Array) -> tuple[Strategy, Any, Coverage]:
    """Return the best of all own inputs.

    Safety and performance inputs determine the period's payoff and whether play continues, the other inputs
    the value ahead and their cost: ``w u(inputs) + P(inputs) a(others) - c(others)``. Both parts are scanned,
    all pairs are compared, and the best pair is refined alternately.
    """
    own = _Own(game, x, jnp.asarray(player))
    y, _ = _refined(own, *_scanned(own))
    strategy = own.constrain(y)
    payoff = game.payoffs(x.at[player].set(strategy))[player]
    return strategy, payoff, "lower bound"


class _Own:
    """A player's problem at a state, in unconstrained coordinates: inputs first, then all else."""

    def __init__(self, node: RaceState, x: Profile, player: Array) -> None:
        self.node, self.x, self.player = node, x, player
        self.flat: Any = flattened(node)
        self.low, self.high = self.flat.space.low[player], self.flat.space.high[player]
        self.weight = node.race.weights[node.t][player]
        shares = len(node.race.columns) > 4
        # without sharing the others' next stocks do not depend on own inputs: values ahead are found once
        self.value = None if shares else node.ahead.against(node.after(x), player)

    def constrain(self, y: Array) -> Array:
        """Return the own inputs at unconstrained coordinates."""
        space = self.node.space
        whole: Array = space.project(self.flat.outer(self.flat.inner(self.x).at[self.player].set(y)))
        return whole[self.player]

    def effort(self, y: Array) -> tuple[Array, Array]:
        """Return the payment of inputs with nothing else bought, and the probability of continuing."""
        row = self.constrain(jnp.concatenate([y, self.low[2:]]))
        there = self.x.at[self.player].set(row)
        paid, p_continue, _ = self.node.race.play_period(self.node.t, self.node.state, there)
        return self.weight * paid[self.player], p_continue

    def rest(self, y: Array) -> tuple[Array, Array]:
        """Return the value ahead once the other inputs are bought, and their cost."""
        race, player = self.node.race, self.player
        row = self.constrain(jnp.concatenate([self.low[:2], y]))
        there = self.x.at[player].set(row)
        numbers = race.numbers_at(self.node.t)
        cost = self.weight * race.upkeep(numbers, there)[player]
        later = self.node.after(there)
        value = self.node.ahead(later)[player] if self.value is None else self.value(later[:, player])
        return value, cost


def _lattice(lines: list[Array]) -> Array:
    """Return all combinations of levels, ``[point axis]``."""
    if not lines:
        return jnp.zeros((1, 0))
    return jnp.stack([mesh.ravel() for mesh in jnp.meshgrid(*lines, indexing="ij")], axis=-1)


def _scanned(own: _Own) -> tuple[Array, Array]:
    """Return the best pair of inputs and other inputs on a lattice, and the lattice's steps."""
    low, high = own.low, own.high
    count = len(own.node.race.columns) - 2
    efforts = []
    for axis in (0, 1):
        top = jnp.linspace(jnp.maximum(high[axis] - DEEP, low[axis] + IDLE), high[axis], EACH)
        efforts.append(jnp.concatenate([low[axis][None], low[axis][None] + IDLE, top]))
    others = [
        jnp.linspace(low[2 + k], high[2 + k], INVESTED[count] if k < 2 else SHARED) for k in range(count)
    ]
    first, second = _lattice(efforts), _lattice(others)
    paid, p_continue = jax.vmap(own.effort)(first)
    ahead, cost = jax.vmap(own.rest)(second)
    paid = jnp.where(jnp.isnan(paid), -jnp.inf, paid)
    if own.node.race.end_on == "none":
        best, other = jnp.argmax(paid), jnp.argmax(ahead - cost)
    else:
        # the effort that suits every value ahead, then the best of these
        each = jax.vmap(lambda a: jnp.argmax(paid + p_continue * a))(ahead)
        other = jnp.argmax(paid[each] + p_continue[each] * ahead - cost)
        best = each[other]
    steps = [efforts[axis][-1] - efforts[axis][-2] for axis in (0, 1)]
    steps += [line[1] - line[0] for line in others]
    return jnp.concatenate([first[best], second[other]]), jnp.stack(steps)


def _refined(own: _Own, y: Array, width: Array) -> tuple[Array, Array]:
    """Return the best point near ``y``, refining inputs and other inputs alternately."""
    count = len(own.node.race.columns) - 2
    near = jnp.linspace(-1, 1, SIDE)
    around = _lattice([near, near])
    sides = _lattice([near if count == 2 else jnp.array([-1.0, 0.0, 1.0])] * count)

    def closer(_: int | Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        y, width = carry
        ahead, _ = own.rest(y[2:])
        tried = jnp.clip(y[:2] + width[:2] * around, own.low[:2], own.high[:2])
        paid, p_continue = jax.vmap(own.effort)(jnp.concatenate([y[None, :2], tried]))
        best = jnp.argmax(jnp.where(jnp.isnan(paid), -jnp.inf, paid) + p_continue * ahead)
        effort = jnp.concatenate([y[None, :2], tried])[best]
        others = jnp.clip(y[2:] + width[2:] * sides, own.low[2:], own.high[2:])
        others = jnp.concatenate([y[None, 2:], others])
        ahead, cost = jax.vmap(own.rest)(others)
        other = others[jnp.argmax(p_continue[best] * ahead - cost)]
        return jnp.concatenate([effort, other]), SHRINK * width

    return jax.lax.fori_loop(0, ROUNDS, closer, (y, width))  # type: ignore[no-any-return]


def state_bounds(race: Race, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest A and B at the start of period ``t``, ``[stock player]`` each."""
    start = np.asarray(race.initial_state())
    low, high = start.copy(), start.copy()
    bounds = np.asarray(race.period_space.high)
    for k in range(t) if len(start) else ():
        remaining = 1 - np.stack([np.asarray(race.numbers_at(k)[loss]) for _, loss in STOCKS])
        low = remaining * low
        before = high
        high = remaining * high + bounds[:, 2:4].T
        if len(race.columns) > 4:
            lead = np.maximum(before[:, None, :] - low[:, :, None], 0.0)
            # at most all of every lead is shared
            high = high + (lead.sum(axis=-1) if race.spillover == "sum" else lead.max(axis=-1))
    return low, high


# --- native play --------------------------------------------------------------------------------------------


class Played(NamedTuple):
    """The next period, and the technology in it; empty where technology never changes."""

    period: Int[Array, ""]
    state: Float[Array, "stock player"]


class RacePlay(eqx.Module):
    """A race played period by period; a `MarkovGame`. Made by `rivalry.oracles.to_markov`.

    A reward is the payoff of a period before the winner is known; whether play continues is random. A win (an
    unsafe win, where ``end_on`` says so) and the last period end play; an infinite horizon is truncated after
    ``periods``. All players observe the period, ``ln A`` and ``ln B`` of all.
    """

    race: Race
    periods: int | None = eqx.field(static=True, default=None)

    @property
    def space(self) -> Box:
        """Return the inputs of one period."""
        return self.race.period_space

    def reset(self, key: PRNGKeyArray) -> Played:
        """Return the first period; nothing is random in it."""
        state = jnp.zeros((0, self.race.players)) if self.race.infinite_horizon else self.race.initial_state()
        return Played(jnp.asarray(0), state)

    def step(
        self, state: Played, x: Profile, key: PRNGKeyArray
    ) -> tuple[Played, Float[Array, "player"], Bool[Array, ""], Bool[Array, ""]]:
        t = jnp.asarray(0) if self.race.infinite_horizon else state.period
        paid, p_continue, later = self.race.play_period(t, state.state, x)
        # draws are below 1: where the probability is 1, play never ends
        over = jax.random.uniform(key) >= p_continue
        following = Played(state.period + 1, later)
        if self.race.infinite_horizon:
            cut = jnp.asarray(False) if self.periods is None else following.period >= self.periods
            return following, paid, over, cut & ~over
        return following, paid, over | (following.period >= self.race.periods), jnp.asarray(False)

    def observe(self, state: Played) -> Float[Array, "player feature"]:
        """Return the period, then ``ln A`` of all players, then ``ln B``."""
        race = self.race
        t = jnp.asarray(0) if race.infinite_horizon else jnp.minimum(state.period, race.periods - 1)
        numbers = race.numbers_at(t)
        stocks = state.state if state.state.size else productivities(numbers)
        logs = jnp.log(jnp.maximum(stocks, LEAST)).ravel()
        seen = jnp.append(state.period.astype(float), logs)
        return jnp.broadcast_to(seen, (race.players, seen.size))


# --- action grids -------------------------------------------------------------------------------------------


def levels(race: Race, count: int) -> list[dict[str, Any]]:
    """Return ``count`` levels of either input, evenly spaced in logarithms, in the form that tables take.

    Their costs range from 0.9 % (safety) and 0.5 % (performance) of the prize to 50 % and 27 %, at the first
    period's prices; investments are 0 or 5 % of the prize, sharing is nothing or all (a rate: 3).

    Examples
    --------
    >>> import rivalry as rv
    >>> found = levels(rv.games.race(), 9)
    >>> [[round(float(table[end][0]), 6) for end in ("from", "to")] for table in found]
    [[0.090718, 4.953032], [0.049787, 2.718282]]
    """
    numbers = {name: np.asarray(value, dtype=float) for name, value in race.numbers_at(0).items()}
    stake = np.maximum(np.abs(numbers["prize"]), 1e-12)
    found: list[dict[str, Any]] = []
    for column in race.columns:
        if column in SPENT:
            price = numbers["price"] if "price" in numbers else numbers[column.replace("input", "price")]
            unit = stake / np.where(price > 0, price, 0.1)
            low, high = SPENT[column]
            found.append({"kind": "log", "from": low * unit, "to": high * unit, "count": count})
        elif column.endswith("investment"):
            price = numbers[f"{column}_price"]
            most = float(np.max(INVESTMENT * stake / np.where(price > 0, price, 0.01)))
            found.append({"kind": "levels", "levels": [0.0, most]})
        else:
            found.append({"kind": "levels", "levels": [0.0, GIVEN[race.sharing_unit]]})
    return found * race.periods
