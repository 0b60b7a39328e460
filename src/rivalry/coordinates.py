"""Games in the coordinates in which their boxes are searched: amounts as logarithms, shares as log odds.

Where amounts count by their logarithms, steps, distances and slopes in the amounts themselves say little:
one even grid cannot hold ``1e-9`` and ``1e3``, and Newton's steps leave the positive numbers. `flattened`
gives the same game with the inner coordinates of its `Box` for strategies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from rivalry._jax import jax, jnp
from rivalry.game import Game, own_gradients, scale_of
from rivalry.game import jacobian as jacobian_of
from rivalry.game import payoff_against as payoff_against_of
from rivalry.space import Box, Profile, Strategy

DOWN = -1e-30  # times the payoff scale: the slope at zero, where zero is infinitely far down


def curved(game: object) -> bool:
    """Whether a one-shot game's box has coordinates other than the amounts themselves."""
    space = getattr(game, "space", None)
    return isinstance(space, Box) and space.curved and isinstance(game, Game)


def flattened(game: Any) -> Any:
    """The game on the linear box of its inner coordinates; the game itself where those are the amounts.

    Payoffs are the same, strategies are ``game.space.inner`` of what they were, and derivatives follow by the
    chain rule. Zero amounts in ``log`` coordinates are infinitely far from all others: nobody's gradient
    leads away from them, their rows and columns of the Jacobian are 0, and their slope is a trace below 0, by
    which a bound holds them. Whether it pays to leave them is for the certificate to tell.

    >>> from types import SimpleNamespace
    >>> space = Box.of([[0.0, 10.0]], players=2, coordinates="log", least=1e-6)
    >>> effort = SimpleNamespace(space=space, payoffs=lambda x: (x / x.sum() - x)[:, 0])
    >>> flat = flattened(effort)
    >>> y = flat.inner(jnp.array([[1.0], [3.0]]))
    >>> flat.payoffs(y).round(6).tolist(), flat.gradients(y).round(6).tolist()
    ([-0.75, -2.25], [[-0.8125], [-2.8125]])
    """
    return Flat(game) if curved(game) else game


def inner(game: Any, x: Profile) -> Profile:
    """A profile in the coordinates of `flattened`: itself where those are the amounts."""
    y: Array = game.space.inner(x) if curved(game) else x
    return y


def outer(game: Any, y: Profile) -> Profile:
    """The profile of the game's space at coordinates of `flattened`: itself where those are the amounts."""
    x: Array = game.space.project(game.space.outer(y)) if curved(game) else y
    return x


class Flat(eqx.Module):
    """A game in inner coordinates; see `flattened`."""

    game: Any

    @property
    def space(self) -> Box:
        flat: Box = self.game.space.flat()
        return flat

    @property
    def jumps(self) -> str:
        """Why payoffs jump, or nothing."""
        return str(getattr(self.game, "jumps", ""))

    def inner(self, x: Profile) -> Profile:
        """The inner coordinates of a profile of amounts."""
        y: Array = self.game.space.inner(x)
        return y

    def outer(self, y: Profile) -> Profile:
        """The amounts at inner coordinates; rounding may leave the game's box by a last digit."""
        x: Array = self.game.space.outer(y)
        return x

    def payoffs(self, y: Profile) -> Float[Array, "player"]:
        found: Array = self.game.payoffs(self.outer(y))
        return found

    def payoff_against(self, y: Profile, player: int | Array) -> Callable[[Strategy], Float[Array, ""]]:
        """One's payoff as a function of one's own inner coordinates, while the others stay at ``y``."""
        known = payoff_against_of(self.game, self.outer(y), player)
        return lambda strategy: known(self.outer(y.at[player].set(strategy))[player])

    def gradients(self, y: Profile) -> Profile:
        """Every player's own gradient in inner coordinates: the one in amounts, times how fast they grow."""
        first, _ = self._slopes(y)
        slope = own_gradients(self.game, self.outer(y)) * first
        return jnp.where(first == 0, DOWN * scale_of(self.game), slope)

    def jacobian(self, y: Profile) -> Float[Array, "row column"]:
        """Derivative of the stacked own gradients in the stacked inner coordinates, player-major."""
        x, (first, second) = self.outer(y), self._slopes(y)
        curve = jnp.where(first == 0, 0.0, own_gradients(self.game, x) * second).ravel()
        flow = first.ravel()
        away = (flow == 0)[:, None] | (flow == 0)[None, :]
        # derivatives in amounts need not be finite at zero, where they count for nothing
        rows = jnp.where(away, 0.0, flow[:, None] * jacobian_of(self.game, x) * flow[None, :])
        return rows + jnp.diag(curve)

    def _slopes(self, y: Profile) -> tuple[Profile, Profile]:
        """First and second derivatives of the amounts in their inner coordinates; 0 at zero."""
        one = jnp.ones_like(y)

        def first(y: Profile) -> Profile:
            return jax.jvp(self.outer, (y,), (one,))[1]  # type: ignore[no-any-return]

        return jax.jvp(first, (y,), (one,))

    @property
    def best_reply(self) -> Any:
        """The game's own, where it has one."""
        known = self.game.best_reply  # AttributeError where it has none, as it should be

        def reply(y: Profile, player: int | Array) -> tuple[Array, Array, str]:
            x = self.outer(y)
            strategy, payoff, coverage = known(x, player)
            return self.inner(x.at[player].set(strategy))[player], payoff, coverage

        return reply

    @property
    def ceiling(self) -> Any:
        """The game's own, where it has one: coordinates rise with amounts, and cells stay cells."""
        known = self.game.ceiling

        def above(y: Profile, player: int | Array, low: Array, high: Array) -> Array:
            edges = (self.outer(y.at[player].set(edge))[player] for edge in (low, high))
            found: Array = known(self.outer(y), player, *edges)
            return found

        return above

    @property
    def measures(self) -> Any:
        """The game's own, at the amounts."""
        known = self.game.measures
        return lambda y: known(self.outer(y))

    @property
    def scale(self) -> Any:
        return getattr(self.game, "scale", 1.0)

    @property
    def alike(self) -> Any:
        """As in the game, where it says so."""
        return self.game.alike

    @property
    def refuses(self) -> Any:
        """As in the game, where it says so."""
        return self.game.refuses

    @property
    def player_names(self) -> Any:
        """As in the game, where it has them."""
        return self.game.player_names

    @property
    def axis_names(self) -> Any:
        """As in the game, where it has them."""
        return self.game.axis_names
