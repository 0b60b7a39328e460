"""A game as a function of one parameter: own gradients, their derivatives, payoffs and regrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.certificates.deviations import search
from rivalry.certificates.units import scales_around
from rivalry.core.exchanges import confirmed_exchanges
from rivalry.core.game import Game, jacobian, own_gradients
from rivalry.core.oracles import one_quadrature
from rivalry.core.space import Box, PerPlayer, Profile, Simplex, directions, fix, stacked_grids, width
from rivalry.methods.continuation.parameters import entries_of, move_along, precise
from rivalry.runtime.jax import compiled, jax, jnp, put

APART = 1e-6  # of the parameter's range: step of finite differences where the parameter is a function
PROBES = 9  # values at which it is tested whether other arrays follow from the parameter
VALUES = 3  # at which players are exchanged to test whether they are exchangeable


class Local(NamedTuple):
    """Own gradients [player axis], their Jacobian [row column], and their slope in the parameter."""

    gradient: ndarray
    jacobian: ndarray
    slope: ndarray


class ParametrisedGame:
    """A game as a function of ``parameter``: arrays of ``game`` or entries of them, as `entries_of` takes
    them, or a function from a value to a game.

    Raises
    ------
    ValueError
        For a parameter the game does not have, a range without width, and a space that has no directions to
        move in.
    """

    def __init__(self, game: Any, parameter: str | Callable[[float], Any], low: float, high: float) -> None:
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(f"low: {low:g} must be below high, {high:g}, both finite")
        self.game, self.parameter = precise(game), parameter
        self.low, self.high = float(low), float(high)
        self._made: tuple[float, Any] | None = None  # last value and game, where the parameter is a function
        probes = np.linspace(self.low, self.high, PROBES).tolist()
        self._probed: list[Any] = []  # games at these values, of which one has the finest quadrature
        if not callable(parameter):
            self._entries = entries_of(game, parameter, "parameter")
            for end, value in (("low", self.low), ("high", self.high)):
                if reason := self._entries.refusal(game, value):
                    raise ValueError(f"{end}: {value:g} {reason}, as a value of {parameter}")
            game_copy = jax.tree.map(
                lambda leaf: leaf, self.game
            )  # without a recipe: `with_` replaces the array
            self._fixed: Any = None  # the derivative of the game's arrays, where it is that array's alone
            if one_quadrature.knows(self.game):
                self.game = one_quadrature(self.game, [self.at(v) for v in probes])
                game_copy = jax.tree.map(lambda leaf: leaf, self.game)
            if all(eqx.tree_equal(self.at(v), self._entries.set(game_copy, v)) for v in probes):
                # making the game anew takes milliseconds, and curves evaluate thousands
                self.game = game_copy
                self._fixed = self._entries.derivative(self.at(self.low))
        elif one_quadrature.knows(lowest := self.at(self.low)):
            self._probed = [lowest, *(self.at(v) for v in probes[1:])]
            self._made = None
        if not isinstance(game.space, Box | Simplex):
            raise ValueError(f"game: its space must be a Box or a Simplex, not {type(game.space).__name__}")
        self.space = game.space
        self.mask = np.asarray(game.space.mask)
        # infinite for entries that cannot change: they tell no two profiles or players apart
        self.width = np.where(self.mask, np.asarray(width(game.space)), np.inf)
        self.scales = scales_around(self.at(self.low))
        self.directions = directions(game.space)

    @property
    def name(self) -> str:
        """Return the name of the parameter."""
        if callable(self.parameter):
            return str(getattr(self.parameter, "__name__", "parameter"))
        return self._entries.name

    @property
    def value(self) -> float:
        """Return the mean of the parameter in the game, where it is an array."""
        return self._entries.value(self.game)

    def at(self, value: float) -> Any:
        """Return the game at one value of the parameter."""
        if callable(self.parameter):
            if self._made is None or self._made[0] != value:
                game = self.parameter(value)
                if self._probed and one_quadrature.knows(game):
                    game = one_quadrature(game, self._probed)
                self._made = value, precise(game)
            return self._made[1]
        return self._entries.set(self.game, value)

    def local(self, value: float, x: ndarray, *, slope: bool = True) -> Local:
        """Return gradients and derivatives at a profile ``x`` [player axis].

        Without ``slope`` that may be zero.
        """
        x = self.fixed(value, x)
        if not callable(self.parameter):
            game = self.at(value)
            derivative = self._entries.derivative(game) if self._fixed is None else self._fixed
            return Local(*map(np.asarray, _along(game, derivative, x)))
        gradient, derivative = map(np.asarray, _gradients(self.at(value), x))
        if not slope:
            return Local(gradient, derivative, np.zeros(x.shape))
        near = APART * (self.high - self.low)
        # one-sided at the ends of the range, beyond which the game may not exist
        ends = max(value - near, self.low), min(value + near, self.high)
        before, after = (np.asarray(_gradients(self.at(end), x)[0]) for end in ends)
        return Local(gradient, derivative, (after - before) / (ends[1] - ends[0]))

    def fixed(self, value: float, x: ndarray) -> ndarray:
        """Return a profile ``x`` [player axis] with the entries that cannot change at their values."""
        return x if self.mask.all() else np.asarray(fix(self.at(value).space, put(x)))

    def payoffs_and_gains(self, value: float, x: ndarray, points: int) -> tuple[ndarray, ndarray]:
        """Return payoffs [player], and the largest gain [player] found on a grid of ``points`` with local
        search.
        """
        grids = stacked_grids([self.space.grid(player, points) for player in range(len(x))])
        payoffs, gains = _gains_on_grids(self.at(value), x, grids)
        return np.asarray(payoffs), np.asarray(gains)

    def exchange_classes(self) -> ndarray:
        """Return one integer per player, equal for players who are exchangeable at every value.

        Payoffs decide, at a few values. Their constants do not matter.
        """
        games = [self.at(value) for value in np.linspace(self.low, self.high, VALUES)]
        return confirmed_exchanges(games, np.zeros(self.space.shape[0], int), constants=True)

    def margin(self, value: float, x: ndarray) -> float:
        """Return the distance of a profile from the bounds of the space at one value of the parameter.

        In widths of the space; negative outside.
        """
        if isinstance(self.space, Simplex):
            return float(np.min(np.asarray(x)[self.mask])) - self.space.min_share
        space = self.at(value).space
        low, high = np.asarray(space.low), np.asarray(space.high)
        return float(np.min((np.minimum(x - low, high - x) / self.width)[self.mask]))


@compiled
def _along(game: Game, derivative: object, x: Profile) -> tuple[Array, Array, Array]:
    def gradients_at(amount: Array) -> Array:
        shifted = move_along(game, derivative, amount)
        return own_gradients(shifted, fix(shifted.space, x))

    gradient, slope = jax.jvp(gradients_at, (jnp.zeros(()),), (jnp.ones(()),))
    return gradient, jacobian(game, x), slope


@compiled
def _gradients(game: Game, x: Profile) -> tuple[Array, Array]:
    return own_gradients(game, x), jacobian(game, x)


@compiled
def _gains_on_grids(
    game: Game, x: Profile, grids: Float[Array, "player point axis"]
) -> tuple[PerPlayer, PerPlayer]:
    payoffs = game.payoffs(x)

    def response_payoff(player: Array, grid: Array) -> Array:
        return jnp.max(search(game, x, player, grid)[1])

    best_payoffs = jax.vmap(response_payoff)(jnp.arange(x.shape[0]), grids)
    return payoffs, jnp.maximum(best_payoffs - payoffs, 0.0)
