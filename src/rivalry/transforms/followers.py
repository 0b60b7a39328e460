"""How followers reply to leaders: the search that `transforms.stackelberg` takes as ``respond``."""

from __future__ import annotations

from typing import Annotated

import equinox as eqx
from annotated_types import Ge
from jaxtyping import Array, Float

from rivalry.core.certify import search, traceable_reply
from rivalry.core.game import Game
from rivalry.core.jax import jax, jnp
from rivalry.core.reparametrisation import curved, flattened
from rivalry.core.space import Box, Profile
from rivalry.transforms.restricted import inside, newton_step

POLISH, NEAR = 2, 1e-6  # Newton steps after the search, and how far each may go, in widths of the box


class Followers(eqx.Module):
    """Mutual best replies of the followers: each in turn moves to its global best reply until nobody moves.

    A best reply is the game's own ``best_reply`` where it has one that JAX can trace. Else it is searched on
    a grid of ``points`` strategies with climbs from the best of them; at ties the first on the grid counts.
    In a box it is polished by Newton's method, in the coordinates in which the box is searched, but for a
    single follower's own ``best_reply``.

    Where the followers do not come to rest in ``rounds`` rounds the reply is NaN: no answer, rather than a
    wrong one.

    >>> import rivalry as rv
    >>> game = rv.games.matrix("stag_hunt")
    >>> Followers()(game, game.pure("stag", "hare"), (1,)).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """

    points: Annotated[int, Ge(2), "strategies on the search grid of every follower"] = eqx.field(
        static=True, default=65
    )
    rounds: Annotated[int, Ge(1), "rounds of replies"] = eqx.field(static=True, default=100)
    tol: Annotated[float, "movement of a round, relative to the space, that counts as rest"] = eqx.field(
        static=True, default=1e-9
    )

    def __call__(self, game: Game, x: Profile, followers: tuple[int, ...]) -> Profile:
        """``x`` with the followers' rows replaced by their replies."""
        rows = jnp.asarray(followers)
        if curved(game):
            flat = flattened(game)
            there = flat.outer(self(flat, flat.inner(x), followers))
            return x.at[rows].set(game.space.project(there)[rows])
        grids = _grids(game, followers, self.points)
        wide = jnp.max(grids, axis=(0, 1)) - jnp.min(grids, axis=(0, 1))
        enough = self.tol * jnp.max(wide)

        def one(k: Array, x: Profile) -> Profile:
            known = traceable_reply(game, x, rows[k])
            if known is not None:
                return x.at[rows[k]].set(known[0])
            strategies, payoffs = search(game, x, rows[k], grids[k])
            best = jnp.argmax(payoffs)
            return x.at[rows[k]].set(strategies[best])

        def a_round(carry: tuple[Profile, Array, Array]) -> tuple[Profile, Array, Array]:
            x, _, count = carry
            new = jax.lax.fori_loop(0, len(followers), one, x)
            return new, jnp.max(jnp.abs(new - x)), count + 1

        def going(carry: tuple[Profile, Array, Array]) -> Array:
            _, moved, count = carry
            return (moved > enough) & (count < self.rounds)

        begin = (x, jnp.asarray(jnp.inf), jnp.asarray(0))
        if len(followers) == 1:
            x, _, _ = a_round(begin)
            if traceable_reply(game, x, rows[0]) is not None:
                return x  # the game's own is as good as it gets, and derivatives need no better
        else:
            x, moved, _ = jax.lax.while_loop(going, a_round, begin)
            # one that found as good a strategy elsewhere on a plateau has come to rest as well
            x = x.at[rows].set(jnp.where(moved <= enough, x[rows], jnp.nan))
        return _polished(game, x, followers) if isinstance(game.space, Box) else x


def _grids(game: Game, followers: tuple[int, ...], points: int) -> Float[Array, "follower point axis"]:
    """The followers' search grids, shorter ones filled with their last point."""
    grids = [game.space.grid(player, points) for player in followers]
    most = max(len(grid) for grid in grids)
    return jnp.stack([jnp.pad(grid, ((0, most - len(grid)), (0, 0)), mode="edge") for grid in grids])


def _polished(game: Game, x: Profile, followers: tuple[int, ...]) -> Profile:
    """Newton's method on the followers' free coordinates; only a short step belongs to the reply found.

    Where payoffs have a kink the best reply is no zero of the slopes, and stays where the search found it.
    """
    rows, space = jnp.asarray(followers), game.space
    free = inside(space, x)[rows]  # type: ignore[arg-type]
    near = NEAR * jnp.max(space.high - space.low)  # type: ignore[attr-defined]

    def step(x: Profile, _: None) -> tuple[Profile, None]:
        move = newton_step(game, x, followers, free)
        return x.at[rows].add(jnp.where(jnp.max(jnp.abs(move)) <= near, move, 0.0)), None

    polished, _ = jax.lax.scan(step, x, length=POLISH)
    return space.project(polished)
