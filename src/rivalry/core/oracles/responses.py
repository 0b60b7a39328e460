"""Oracles that follow from payoffs; a subclass that changes payoffs or space loses their answers."""

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
    """A player's best response as far as it was found."""

    strategy: np.ndarray  # [axis]
    payoff: float
    bound: float  # what no payoff can exceed; inf where nothing is proved
    coverage: Coverage
    method: str
    tried: np.ndarray | None = None  # payoffs of the strategies that were looked at, wherever the player is


@oracle()
def exchangeable(game: Any) -> np.ndarray:
    """Return one integer per player, ``[player]``, equal for those that may be exchanged. Generic: none may.

    Distances, basins of attraction and symmetric branches do not tell exchangeable players apart.
    """
    return np.arange(game.space.shape[0])


@oracle()
def deviation_payoff(game: Any, x: Profile, player: int | Array) -> Callable[[Strategy], Float[Array, ""]]:
    """Return ``player``'s payoff as a function of its own strategy ``[axis]``, the others at ``x``."""
    return lambda strategy: game.payoffs(x.at[player].set(strategy))[player]


@oracle()
def gradients(game: Any, x: Profile) -> Profile:
    """Return every player's gradient of its own payoff in its own strategy, ``[player axis]``.

    Generic: by differentiating `deviation_payoff`.
    """
    return gradients_of(game, x, jnp.arange(x.shape[0]))


def gradients_of(game: Any, x: Profile, rows: Array) -> Float[Array, "row axis"]:
    """The same for the players ``rows``, by differentiation."""

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
    """Return the best strategy of ``player`` against the others at ``x``, its payoff, and the coverage.

    The payoff is that of the strategy. ``exact`` coverage claims that no strategy pays more. An answer that
    JAX can trace for a traced ``player`` also serves followers and best-response dynamics.

    Raises `ValueError` where none is known (generic); `rivalry.best_reply` then searches.
    """
    raise unknown(game, "best response")


@oracle()
def proved_response(game: Any, x: Profile, player: int) -> Response:
    """Return what `best_response` does with an upper bound on every payoff of ``player``, for certificates.

    Answers compute with concrete numbers and give a `Response`. Generic: from `best_response`, whose payoff
    is the bound where its coverage is exact.
    """
    strategy, payoff, coverage = best_response(game, x, player)
    bound = float(payoff) if coverage == "exact" else np.inf
    return Response(np.asarray(strategy), float(payoff), bound, coverage, "the game's own best reply")


@oracle()
def mixed_best_response(
    game: Any, places: np.ndarray, weights: np.ndarray, player: int
) -> tuple[Strategy | np.ndarray, Any, Coverage]:
    """Return the best response to independent mixtures of the others, as `best_response` does.

    The others play ``places [player action axis]`` with probabilities ``weights [player action]``. Raises
    `ValueError` where none is known (generic).
    """
    raise unknown(game, "best response to mixtures")


@oracle()
def payoff_bound(
    game: Any, x: Profile, player: int | Array, low: Strategy, high: Strategy
) -> Float[Array, ""]:
    """Return what no own strategy between ``low [axis]`` and ``high [axis]`` pays more than, others at ``x``.

    Certificates on a box then prove their bound by branch and bound. Generic: infinity.
    """
    return jnp.asarray(jnp.inf)


@oracle()
def search_points(game: Any, player: int) -> Float[Array, "point axis"]:
    """Return strategies of ``player`` from which a search for its best response begins too. Generic: none."""
    return jnp.zeros((0, game.space.shape[1]))


@oracle()
def closed_form(game: Any) -> np.ndarray:
    """Return first-order points known without a search, ``[root player axis]``, the most plausible first.

    Raises `ValueError` where there are none (generic).
    """
    raise unknown(game, "closed form")


@oracle()
def plot_data(game: Any) -> Mapping[str, Callable[[Profile], Record]]:
    """Return functions of a profile by name: larger arrays, stored where a plot needs them. Generic: none."""
    return {}
