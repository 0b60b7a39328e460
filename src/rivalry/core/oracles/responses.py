"""Oracles that depend on payoffs; a subclass that changes payoffs or space does not inherit the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.jax import jax, jnp
from rivalry.core.oracles.dispatch import oracle, unknown
from rivalry.core.results import Coverage, Record

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from rivalry.core.space import Profile, Strategy


class Response(NamedTuple):
    """A player's best response, with its payoff and an upper bound on every payoff."""

    strategy: np.ndarray  # [axis]
    payoff: float
    bound: float  # upper bound on every payoff; inf where nothing is proved
    coverage: Coverage
    method: str
    tried: np.ndarray | None = None  # payoffs of the searched strategies, independent of the player's own one


@oracle()
def exchangeable(game: Any) -> np.ndarray:
    """Return one integer per player, ``[player]``, equal for exchangeable players. Generic: all differ.

    Distances, basins of attraction and symmetric branches do not distinguish exchangeable players.
    """
    return np.arange(game.space.shape[0])


@oracle()
def deviation_payoff(game: Any, x: Profile, player: int | Array) -> Callable[[Strategy], Float[Array, ""]]:
    """Return ``player``'s payoff as a function of its own strategy ``[axis]``, with the others at ``x``."""
    return lambda strategy: game.payoffs(x.at[player].set(strategy))[player]


@oracle()
def gradients(game: Any, x: Profile) -> Profile:
    """Return every player's gradient of its own payoff in its own strategy, ``[player axis]``.

    Generic: by differentiating `deviation_payoff`.
    """
    return gradients_of(game, x, jnp.arange(x.shape[0]))


def gradients_of(game: Any, x: Profile, rows: Array) -> Float[Array, "row axis"]:
    """Return the gradients of the players ``rows``, by differentiation."""

    def own(player: Array) -> Array:
        slope: Array = jax.grad(lambda strategy: deviation_payoff(game, x, player)(strategy))(x[player])
        return slope

    found: Array = jax.vmap(own)(rows)
    return found


@oracle()
def jacobian(game: Any, x: Profile) -> Float[Array, "row column"]:
    """Return the derivative of the stacked `gradients` in the stacked profile, player-major.

    Generic: by differentiation.
    """

    def stacked(y: Array) -> Array:
        return gradients(game, y.reshape(x.shape)).ravel()

    rows: Array = jax.jacfwd(stacked)(x.ravel())
    return rows.reshape(x.size, x.size)


@oracle()
def best_response(game: Any, x: Profile, player: int | Array) -> tuple[Strategy, Any, Coverage]:
    """Return a best response of ``player`` to the others at ``x``, its payoff, and the coverage.

    The coverage ``exact`` claims that no strategy pays more. An answer that JAX can trace for a traced
    ``player`` also serves followers and best-response dynamics.

    The generic answer raises `Unsupported`; `rivalry.best_reply` then searches.
    """
    raise unknown(game, "best response")


@oracle()
def proved_response(game: Any, x: Profile, player: int) -> Response:
    """Return a best response with an upper bound on every payoff of ``player``, for certificates.

    Answers compute with concrete numbers. Generic: the answer of `best_response`, whose payoff is the bound
    where its coverage is exact.
    """
    strategy, payoff, coverage = best_response(game, x, player)
    bound = float(payoff) if coverage == "exact" else np.inf
    return Response(np.asarray(strategy), float(payoff), bound, coverage, "the game's own best reply")


@oracle()
def mixed_best_response(
    game: Any, places: np.ndarray, weights: np.ndarray, player: int
) -> tuple[Strategy | np.ndarray, Any, Coverage]:
    """Return a best response to independent mixtures of the others, in the form of `best_response`.

    The others play ``places [player action axis]`` with probabilities ``weights [player action]``. The
    generic answer raises `Unsupported`.
    """
    raise unknown(game, "best response to mixtures")


@oracle()
def payoff_bound(
    game: Any, x: Profile, player: int | Array, low: Strategy, high: Strategy
) -> Float[Array, ""]:
    """Return an upper bound on the payoffs of own strategies from ``low [axis]`` to ``high [axis]``.

    The others play ``x``. Certificates on a box prove their bound from it by branch and bound. Generic:
    infinity.
    """
    return jnp.asarray(jnp.inf)


@oracle()
def search_points(game: Any, player: int) -> Float[Array, "point axis"]:
    """Return additional starting points of the search for ``player``'s best response. Generic: none."""
    return jnp.zeros((0, game.space.shape[1]))


@oracle()
def closed_form(game: Any) -> np.ndarray:
    """Return first-order points in closed form, ``[root player axis]``, the most plausible first.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "closed form")


@oracle()
def plot_data(game: Any) -> Mapping[str, Callable[[Profile], Record]]:
    """Return functions of a profile that compute arrays for plots, by name. Generic: none."""
    return {}
