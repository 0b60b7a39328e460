"""Contests over points and games on action grids, written out independently of the package's kernels."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.array_games import Contest, contest
from rivalry.core.space import Box
from rivalry.runtime.jax import jax, jnp


class Shared(eqx.Module):
    """Points shared in proportion to influence ``exp(-steepness |b - x|)``, without logarithms."""

    points: Float[Array, "point axis"]
    weights: Float[Array, "point"]
    steepness: Float[Array, "player"]
    third: Float[Array, "point"]
    abstention: Float[Array, ""]
    cost: Float[Array, "player"]
    axes: int = eqx.field(static=True, default=1)

    @property
    def space(self) -> Box:
        return Box.of([[0.0, 1.0]] * self.axes, players=len(self.steepness))

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        squares = jnp.sum((self.points - x[:, None, :]) ** 2, axis=-1)
        influence = jnp.exp(-self.steepness[:, None] * jnp.sqrt(squares))
        rest = self.third + self.abstention * jnp.prod(squares, axis=0)
        shares = influence / (influence.sum(axis=0) + rest)
        return shares @ self.weights - self.cost * x[:, 0]


@oracles.exchangeable.register(Shared)
def _(game: Shared) -> np.ndarray:
    own = np.stack([np.asarray(game.steepness), np.asarray(game.cost)], axis=1)
    return np.array([np.flatnonzero((own == row).all(axis=1))[0] for row in own])


class Offering(Shared):
    """The same, which offers what its tables are made of."""

    def contest(self, positions: np.ndarray) -> Contest:
        squares = np.sum((np.asarray(self.points) - positions[:, :, None, :]) ** 2, axis=-1)
        logs = -np.asarray(self.steepness)[:, None, None] * np.sqrt(squares)
        with np.errstate(divide="ignore"):
            third, away = np.log(np.asarray(self.third)), np.log(squares)
        cost = np.asarray(self.cost)[:, None] * positions[:, :, 0]
        return contest(np.asarray(self.weights), logs, third, float(self.abstention), away, cost)


oracles.to_contest.register(Offering)(Offering.contest)


def shared(
    kind: type[Shared] = Offering, *, players: int = 3, axes: int = 1, seed: int = 0, **given: Any
) -> Any:
    """A drawn game; ``given`` replaces its arrays."""
    draw = np.random.default_rng(seed)
    arrays = {
        "points": draw.random((7, axes)),
        "weights": draw.random(7),
        "steepness": draw.uniform(1.0, 9.0, players),
        "third": draw.uniform(0.0, 0.3, 7),
        "abstention": draw.uniform(0.0, 2.0),
        "cost": draw.uniform(0.0, 0.5, players),
    } | given
    return kind(**{name: jnp.asarray(value, dtype=float) for name, value in arrays.items()}, axes=axes)


def every(sizes: Any) -> list[tuple[int, ...]]:
    """All joint actions, player 0 slowest."""
    return list(product(*(range(size) for size in sizes)))


def by_rule(game: Any, positions: np.ndarray, sizes: Any) -> np.ndarray:
    """The table ``[player joint]`` by the game's own payoffs, one joint action after another."""
    pay = jax.jit(lambda x: game.payoffs(x))  # a bound method cannot be hashed
    rows = [pay(jnp.asarray(positions[np.arange(len(sizes)), list(s)])) for s in every(sizes)]
    return np.asarray(rows).T
