"""One period of a race in a given state of technology, given what every state after it is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.reparametrisation import flattened
from rivalry.core.results import Coverage
from rivalry.core.space import Box, Profile, Strategy

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

DEEP, EACH = 20.0, 21  # the scan of an effort: so many nats below the highest, so many levels
INVESTED, SHARED = {2: 15, 4: 7}, 3  # levels of investments, by how many other inputs there are; of shares
ROUNDS, SIDE, SHRINK = 14, 5, 0.5
IDLE = 0.1  # above the least amount, in nats: the smallest effort that is tried


class Node(eqx.Module):
    """A period in all columns at a ``state`` [stock player]; a game like any other.

    It pays the period's weight times its payoff, and ``ahead(state after it)`` [player] if play goes on.
    ``ahead.against(state, player)`` is the player's value as a function of its own stocks. Made by
    `Race.node`.
    """

    race: Race
    t: Array
    state: Float[Array, "stock player"]
    ahead: Any

    @property
    def space(self) -> Box:
        return self.race.period_space

    @property
    def scale(self) -> Float[Array, ""]:
        return self.race.scale

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        paid, goes_on, later = self.race.period(self.t, self.state, x)
        found: Array = self.race.weights[self.t] * paid + goes_on * self.ahead(later)
        return found

    def after(self, x: Profile) -> Float[Array, "stock player"]:
        """The state that ``x`` leads to."""
        return self.race.period(self.t, self.state, x)[2]

    def best_reply(self, x: Profile, player: int | Array) -> tuple[Strategy, Array, Coverage]:
        """The best of all own inputs, its payoff, and how surely it is the best.

        Effort tells what the period pays and whether play goes on, the other inputs what is ahead and what
        they cost: ``w u(effort) + P(effort) a(others) - c(others)``. Both parts are scanned, all pairs are
        compared, and the best pair is refined by turns.
        """
        own = _Own(self, x, jnp.asarray(player))
        y, _ = _refined(own, *_scanned(own))
        strategy = own.outer(y)
        payoff = self.payoffs(x.at[player].set(strategy))[player]
        return strategy, payoff, "lower bound"


class _Own:
    """A player's problem at a node, in inner coordinates: efforts first, then all else."""

    def __init__(self, node: Node, x: Profile, player: Array) -> None:
        self.node, self.x, self.player = node, x, player
        self.flat: Any = flattened(node)
        self.low, self.high = self.flat.space.low[player], self.flat.space.high[player]
        self.weight = node.race.weights[node.t][player]
        shares = len(node.race.columns) > 4
        self.value = None if shares else node.ahead.against(node.after(x), player)

    def outer(self, y: Array) -> Array:
        """One's own inputs at inner coordinates."""
        space = self.node.space
        whole: Array = space.project(self.flat.outer(self.flat.inner(self.x).at[self.player].set(y)))
        return whole[self.player]

    def effort(self, y: Array) -> tuple[Array, Array]:
        """What efforts pay with nothing else bought, and the chance that play goes on."""
        row = self.outer(jnp.concatenate([y, self.low[2:]]))
        there = self.x.at[self.player].set(row)
        paid, goes_on, _ = self.node.race.period(self.node.t, self.node.state, there)
        return self.weight * paid[self.player], goes_on

    def rest(self, y: Array) -> tuple[Array, Array]:
        """What is ahead once the other inputs are bought, and what they cost."""
        race, player = self.node.race, self.player
        row = self.outer(jnp.concatenate([self.low[:2], y]))
        there = self.x.at[player].set(row)
        numbers = race.numbers_at(self.node.t)
        cost = self.weight * race.upkeep(numbers, there)[player]
        later = self.node.after(there)
        value = self.node.ahead(later)[player] if self.value is None else self.value(later[:, player])
        return value, cost


def _lattice(lines: list[Array]) -> Array:
    """All combinations of levels, ``[point axis]``."""
    if not lines:
        return jnp.zeros((1, 0))
    return jnp.stack([mesh.ravel() for mesh in jnp.meshgrid(*lines, indexing="ij")], axis=-1)


def _scanned(own: _Own) -> tuple[Array, Array]:
    """The best pair of efforts and other inputs on a lattice, and how wide its cells are."""
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
    paid, goes_on = jax.vmap(own.effort)(first)
    ahead, cost = jax.vmap(own.rest)(second)
    paid = jnp.where(jnp.isnan(paid), -jnp.inf, paid)
    if own.node.race.end_on == "none":
        best, other = jnp.argmax(paid), jnp.argmax(ahead - cost)
    else:
        # the effort that suits every value ahead, then the best of these
        each = jax.vmap(lambda a: jnp.argmax(paid + goes_on * a))(ahead)
        other = jnp.argmax(paid[each] + goes_on[each] * ahead - cost)
        best = each[other]
    steps = [efforts[axis][-1] - efforts[axis][-2] for axis in (0, 1)]
    steps += [line[1] - line[0] for line in others]
    return jnp.concatenate([first[best], second[other]]), jnp.stack(steps)


def _refined(own: _Own, y: Array, width: Array) -> tuple[Array, Array]:
    """The best place near ``y``: efforts and the other inputs by turns, closer and closer."""
    count = len(own.node.race.columns) - 2
    near = jnp.linspace(-1, 1, SIDE)
    around = _lattice([near, near])
    sides = _lattice([near if count == 2 else jnp.array([-1.0, 0.0, 1.0])] * count)

    def closer(_: int | Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        y, width = carry
        ahead, _ = own.rest(y[2:])
        tried = jnp.clip(y[:2] + width[:2] * around, own.low[:2], own.high[:2])
        paid, goes_on = jax.vmap(own.effort)(jnp.concatenate([y[None, :2], tried]))
        best = jnp.argmax(jnp.where(jnp.isnan(paid), -jnp.inf, paid) + goes_on * ahead)
        effort = jnp.concatenate([y[None, :2], tried])[best]
        if count == 0:
            return effort, SHRINK * width
        others = jnp.clip(y[2:] + width[2:] * sides, own.low[2:], own.high[2:])
        others = jnp.concatenate([y[None, 2:], others])
        ahead, cost = jax.vmap(own.rest)(others)
        other = others[jnp.argmax(goes_on[best] * ahead - cost)]
        return jnp.concatenate([effort, other]), SHRINK * width

    return jax.lax.fori_loop(0, ROUNDS, closer, (y, width))  # type: ignore[no-any-return]


def stock_range(race: Race, t: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most that A and B can be at the start of period ``t``, ``[stock player]`` each."""
    start = np.asarray(race.opening())
    low, high = start.copy(), start.copy()
    bounds = np.asarray(race.period_space.high)
    for k in range(t) if len(start) else ():
        numbers = {name: np.asarray(value) for name, value in race.numbers_at(k).items()}
        kept = 1 - np.stack([np.broadcast_to(numbers[name], start[0].shape) for name in ("dep_s", "dep_p")])
        low = kept * low
        before = high
        high = kept * high + bounds[:, 2:4].T
        if len(race.columns) > 4:
            lead = np.maximum(before[:, None, :] - low[:, :, None], 0.0)
            high = high + (lead.sum(axis=-1) if race.spill == "sum" else lead.max(axis=-1))
    return low, high
