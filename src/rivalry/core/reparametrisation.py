"""Reparametrised games: amounts as logarithms, shares as log odds.

Where the relevant scale of amounts is logarithmic, steps, distances and gradients in amounts are ill-scaled:
no even grid covers ``1e-9`` and ``1e3``, and Newton steps leave the positive numbers. `unconstrained_game`
returns the same game with the search coordinates of its `Box` as strategies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.game import Game, scale_of
from rivalry.core.oracles import forward, forward_at, inner_knows
from rivalry.core.results import Coverage
from rivalry.core.space import Box
from rivalry.core.tree import Tree
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from rivalry.core.space import PerPlayer, Profile, Scalar, Strategy

DOWN = -1e-30  # times the payoff scale: the gradient at zero, which is at minus infinity


def is_reparametrised(game: object) -> bool:
    """True if a one-shot game's box has coordinates other than the amounts."""
    space = getattr(game, "space", None)
    return isinstance(space, Box) and space.reparametrised and isinstance(game, Game)


def unconstrained_game(game: object) -> Any:
    """Return the game on the linear box of its search coordinates, or itself where these are the amounts.

    Payoffs are unchanged, strategies are mapped by ``game.space.unconstrain``, and derivatives follow by the
    chain rule. In ``log`` coordinates zero is infinitely far from all other amounts. There, the rows and
    columns of the Jacobian are 0 and the gradient is slightly negative (`DOWN`): it never leads away from
    zero, which counts as a binding lower bound. Only the certificate tests deviations from zero.

    >>> from types import SimpleNamespace
    >>> space = Box.of([[0.0, 10.0]], players=2, coordinates="log", zero_threshold=1e-6)
    >>> effort = SimpleNamespace(space=space, payoffs=lambda x: (x / x.sum() - x)[:, 0])
    >>> flat = unconstrained_game(effort)
    >>> y = flat.unconstrain(jnp.array([[1.0], [3.0]]))
    >>> flat.payoffs(y).round(6).tolist(), oracles.gradients(flat, y).round(6).tolist()
    ([-0.75, -2.25], [[-0.8125], [-2.8125]])
    """
    return Unconstrained(game) if is_reparametrised(game) else game


def unconstrain(game: Any, x: Profile) -> Profile:
    """Return a profile in search coordinates; unchanged where these are the amounts."""
    return game.space.unconstrain(x) if is_reparametrised(game) else x


def constrain(game: Any, y: Profile) -> Profile:
    """Return the game's profile at search coordinates; unchanged where these are the amounts."""
    return game.space.project(game.space.constrain(y)) if is_reparametrised(game) else y


class Unconstrained(Tree):
    """A game in search coordinates; see `unconstrained_game`."""

    game: Any

    @property
    def space(self) -> Box:
        return self.game.space.unconstrained()

    def unconstrain(self, x: Profile | ndarray) -> Any:
        """Return the search coordinates of a profile of amounts."""
        return self.game.space.unconstrain(x)

    def constrain(self, y: Profile | ndarray) -> Any:
        """Return the amounts at search coordinates; rounding may exceed the game's box by a last digit."""
        return self.game.space.constrain(y)

    def payoffs(self, y: Profile) -> PerPlayer:
        return self.game.payoffs(self.constrain(y))

    def slopes(self, y: Profile) -> tuple[Profile, Profile]:
        """Return first and second derivatives of amounts in their search coordinates; 0 at zero amounts."""
        direction = jnp.ones_like(y)

        def slope(y: Profile) -> Profile:
            return jax.jvp(self.constrain, (y,), (direction,))[1]

        # coordinates change entry by entry, so a tangent of ones gives all derivatives at once
        return jax.jvp(slope, (y,), (direction,))


forward(
    Unconstrained,
    oracles.payoff_scale,
    oracles.discontinuity,
    oracles.labels,
    oracles.exchangeable,
    oracles.validate_parameter,
)
forward_at(Unconstrained, Unconstrained.constrain)


@oracles.deviation_payoff.register(Unconstrained)
def _(game: Unconstrained, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    payoff = oracles.deviation_payoff(game.game, game.constrain(x), player)
    return lambda strategy: payoff(game.constrain(x.at[player].set(strategy))[player])


@oracles.gradients.register(Unconstrained)
def _(game: Unconstrained, x: Profile) -> Profile:
    """Return gradients in search coordinates by the chain rule."""
    first_derivatives, _ = game.slopes(x)
    slope = oracles.gradients(game.game, game.constrain(x)) * first_derivatives
    return jnp.where(first_derivatives == 0, DOWN * scale_of(game), slope)


@oracles.jacobian.register(Unconstrained)
def _(game: Unconstrained, x: Profile) -> Float[Array, "row column"]:
    amounts, (first_derivatives, second_derivatives) = game.constrain(x), game.slopes(x)
    # chain rule with x(y): J_ij x'_i x'_j, and on the diagonal also the gradient times x''
    curve = jnp.where(
        first_derivatives == 0, 0.0, oracles.gradients(game.game, amounts) * second_derivatives
    ).ravel()
    flow = first_derivatives.ravel()
    away = (flow == 0)[:, None] | (flow == 0)[None, :]
    # derivatives in amounts need not be finite at zero, where they are ignored
    rows = jnp.where(away, 0.0, flow[:, None] * oracles.jacobian(game.game, amounts) * flow[None, :])
    return rows + jnp.diag(curve)


@oracles.named_start.register(Unconstrained, when=inner_knows(oracles.named_start))
def _(game: Unconstrained, name: str) -> Profile:
    return game.unconstrain(oracles.named_start(game.game, name))


@oracles.closed_form.register(Unconstrained, when=inner_knows(oracles.closed_form))
def _(game: Unconstrained) -> ndarray:
    return np.array([game.unconstrain(jnp.asarray(root)) for root in oracles.closed_form(game.game)])


@oracles.best_response.register(Unconstrained, when=inner_knows(oracles.best_response))
def _(game: Unconstrained, x: Profile, player: int | Array) -> tuple[Array, Any, Coverage]:
    amounts = game.constrain(x)
    strategy, payoff, coverage = oracles.best_response(game.game, amounts, player)
    return game.unconstrain(amounts.at[player].set(strategy))[player], payoff, coverage


@oracles.proved_response.register(Unconstrained, when=inner_knows(oracles.proved_response))
def _(game: Unconstrained, x: Profile, player: int) -> oracles.Response:
    amounts = game.constrain(x)
    response = oracles.proved_response(game.game, amounts, player)
    inside = np.array(amounts)
    inside[player] = response.strategy
    return response._replace(strategy=np.asarray(game.unconstrain(inside))[player])


@oracles.compiled_response.register(Unconstrained, when=inner_knows(oracles.compiled_response))
def _(game: Unconstrained, x: Profile, player: int) -> tuple[ndarray, Any]:
    amounts = game.constrain(x)
    strategy, payoff = oracles.compiled_response(game.game, amounts, player)
    profile = np.array(amounts)
    profile[player] = strategy
    return np.asarray(game.unconstrain(profile))[player], payoff


@oracles.mixed_best_response.register(Unconstrained, when=inner_knows(oracles.mixed_best_response))
def _(game: Unconstrained, support: ndarray, weights: ndarray, player: int) -> tuple[Array, Any, Coverage]:
    amounts = np.asarray(jax.vmap(game.constrain, in_axes=1, out_axes=1)(jnp.asarray(support)))
    strategy, payoff, coverage = oracles.mixed_best_response(game.game, amounts, weights, player)
    # any profile: the other rows do not affect the coordinates of this one
    anywhere = jnp.asarray(amounts[:, 0])
    return game.unconstrain(anywhere.at[player].set(strategy))[player], payoff, coverage


@oracles.search_points.register(Unconstrained, when=inner_knows(oracles.search_points))
def _(game: Unconstrained, player: int) -> Array:
    def row(amounts: Array) -> Array:
        return game.unconstrain(jnp.broadcast_to(amounts, game.game.space.shape))[player]

    return jax.vmap(row)(oracles.search_points(game.game, player))


@oracles.payoff_bound.register(Unconstrained, when=inner_knows(oracles.payoff_bound))
def _(game: Unconstrained, x: Profile, player: int | Array, low: Strategy, high: Strategy) -> Array:
    # coordinates increase with amounts: boxes map to boxes
    edges = (game.constrain(x.at[player].set(edge))[player] for edge in (low, high))
    return oracles.payoff_bound(game.game, game.constrain(x), player, *edges)
