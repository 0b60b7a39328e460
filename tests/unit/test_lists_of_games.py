"""Complete lists of equilibria of games of two to four choices, against many starts and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv

influencer, market, matrix = rv.games.influencer, rv.games.market, rv.games.matrix
STARTS = 100
GAIN = 1e-7  # of the payoffs: more than the rounding of a gain, less than any gain on a grid


class Custom(eqx.Module):
    """A game on one range of all choices; ``rule`` returns payoffs of profiles ``[player axis]``."""

    rule: Callable[[jax.Array], jax.Array] = eqx.field(static=True)
    low: float = 0.0
    high: float = 1.0
    players: int = eqx.field(static=True, default=2)
    axes: int = eqx.field(static=True, default=1)

    @property
    def space(self) -> rv.Box:
        shape = (self.players, self.axes)
        return rv.Box(jnp.full(shape, self.low), jnp.full(shape, self.high))

    def payoffs(self, x: jax.Array) -> jax.Array:
        return self.rule(x)


def public_goods(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return jnp.sqrt(0.01 + jnp.sum(own)) * jnp.array([1.0, 0.9, 0.8]) - 0.5 * own - 0.2 * own**2


def contest(x: jax.Array) -> jax.Array:
    """A Tullock contest for prizes of 1 and 1/2."""
    own = x[:, 0]
    return jnp.array([1.0, 0.5]) * own / jnp.sum(own) - own


def contest_of_three(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return jnp.array([1.0, 0.9, 0.8]) * own / jnp.sum(own) - own


def two_goods(x: jax.Array) -> jax.Array:
    return jnp.sum(x * (1 - x - 0.5 * x[::-1]), axis=1) - 0.4 * x[:, 0] * x[:, 1]


def steep_substitutes(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return own * (1 - 0.9 * own - 1.9 * (jnp.sum(own) - own))


def emissions(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return jnp.log(0.1 + own) - 0.5 * jnp.sum(own) ** 2 * jnp.array([1.0, 1.5, 2.0])


def four_quantities(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return own * (1 - jnp.sum(own) - jnp.array([0.1, 0.15, 0.2, 0.25]))


def linear_city(x: jax.Array) -> jax.Array:
    """Profits of firms on a line with quadratic transport costs at their equilibrium prices.

    The effect of prices dominates: firms move to opposite ends (d'Aspremont, Gabszewicz and Thisse 1979).
    """
    own, other = x[:, 0], x[::-1, 0]
    apart = other - own
    return jnp.where(apart > 0, apart * (2 + own + other) ** 2, -apart * (4 - own - other) ** 2) / 18


def pursuit(x: jax.Array) -> jax.Array:
    """One player matches, the other avoids: no equilibrium in pure strategies."""
    return jnp.array([-1.0, 1.0]) * jnp.square(x[0, 0] - x[1, 0])


def entry_of_three() -> Any:
    """Entry of k firms pays each 10/k - 4: two enter, or one enters and two mix, or all mix."""
    table = np.zeros((3, 2, 2, 2))
    for cell in np.ndindex(2, 2, 2):
        table[(slice(None), *cell)] = [own * (10 / max(sum(cell), 1) - 4) for own in cell]
    return matrix(payoffs=table)


def sets_of_three() -> list[list[float]]:
    """Of players with payoffs q (1 - 0.9 q - 1.9 rest), every set of k plays 1/(1.8 + 1.9 (k - 1))."""
    sets = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)]
    return [[one / (1.8 + 1.9 * (sum(members) - 1)) for one in members] for members in sets]


CASES: dict[str, tuple[Callable[[], Any], list[list[float]] | None]] = {
    # the game, and its equilibria where there is a closed form
    "wide reach": (lambda: influencer(reach=[0.25, 0.25], resource="bimodal"), [[0.5, 0.5]]),
    "uniform resource": (lambda: influencer(reach=[0.2, 0.3]), [[0.5, 0.5]]),
    "unequal reach": (lambda: influencer(reach=[0.12, 0.2], resource="bimodal"), None),
    "three influencers": (lambda: influencer(reach=[0.25] * 3, resource="bimodal"), [[0.5] * 3]),
    "thirteen points": (lambda: influencer(reach=[0.17] * 3, resource="bimodal"), [[0.5] * 3]),
    "third party": (
        lambda: influencer(reach=[0.2, 0.2], third_party="0.5+0*b", resource="unimodal"),
        [[0.5, 0.5]],
    ),
    "custom kernel": (
        lambda: influencer(
            influence="1/(s + (b - x)**2)", kernel="custom", parameters={"s": [0.1, 0.05]}, resource="bimodal"
        ),
        [[0.5, 0.5]],
    ),
    "plane": (
        lambda: influencer(
            space="box",
            bounds=[[0, 1], [0, 1]],
            covariance=[[0.3, 0.1], [0.1, 0.2]],
            resource_points={"kind": "grid", "num": 6},
        ),
        [[0.5] * 4],
    ),
    "Cournot": (lambda: market(), [[30.0, 30.0]]),
    "Cournot, three costs": (lambda: market(unit_cost=[10.0, 20.0, 30.0]), [[30.0, 20.0, 10.0]]),
    "Cournot, convex costs": (lambda: market(players=3, convex_cost=1.0), [[18.0] * 3]),
    "Cournot, capacity": (lambda: market(capacity=[20.0, 50.0]), [[20.0, 35.0]]),
    "Cournot, bound": (lambda: market(high=[20.0, 90.0]), [[20.0, 35.0]]),
    "Bertrand": (lambda: market(demand="differentiated", choice="price"), [[4.0, 4.0]]),
    "four quantities of variants": (
        lambda: market(demand="differentiated", players=4),
        [[18 / 7] * 4],  # (10 - 1)/(2 + 3/2)
    ),
    "public goods": (lambda: Custom(public_goods, 0.0, 2.0, 3), None),
    "contest": (lambda: Custom(contest, 0.001, 1.0), [[2 / 9, 1 / 9]]),
    "contest of three": (lambda: Custom(contest_of_three, 0.001, 1.0, 3), None),
    "two goods": (lambda: Custom(two_goods, 0.0, 1.0, 2, 2), [[1 / 2.9] * 4]),
    "steep substitutes": (lambda: Custom(steep_substitutes, 0.0, 1.0, 3), sets_of_three()),
    "emissions": (lambda: Custom(emissions, 0.0, 2.0, 3), None),
    "four quantities": (
        lambda: Custom(four_quantities, 0.0, 1.0, 4),
        [[0.24, 0.19, 0.14, 0.09]],  # price 0.34, less each cost
    ),
    "linear city": (lambda: Custom(linear_city), [[0.0, 1.0], [1.0, 0.0]]),
    "pursuit": (lambda: Custom(pursuit), []),
}
# Newton's method leaves equilibria at which one player is at its bound and two attract no path.
MISSED = ("steep substitutes",)
QUICK = ("contest",)


def of_cost(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow if name in QUICK else pytest.mark.nightly)


@pytest.mark.parametrize("name", [of_cost(name) for name in CASES])
def test_lists_are_complete_and_what_many_starts_find(name: str) -> None:
    make, known = CASES[name]
    game = make()
    found = rv.all_equilibria(game, max_seconds=None, max_boxes=200_000)
    assert found.complete, found.reason
    listed = found.equilibria.reshape(len(found), int(np.prod(game.space.shape)))
    assert np.all(found.radius < 1e-9)
    if known is not None:
        assert same_rows(listed, np.reshape(known, (-1, listed.shape[1])), 1e-9)
    seen = np.array(from_many_starts(game)).reshape(-1, listed.shape[1])
    if name in MISSED:
        apart = np.max(np.abs(seen[:, None] - listed[None]), axis=2)
        assert 0 < len(seen) < len(listed)
        assert np.all(apart.min(axis=1) < 1e-6)
    else:
        assert same_rows(listed, seen, 1e-6)


@pytest.mark.slow
def test_three_firms_that_may_enter_have_seven_equilibria() -> None:
    found = rv.all_equilibria(entry_of_three())
    enters = 0.3 * (5 - 5**0.5)  # of 6 - 10 p + 10 p^2 / 3 = 0
    rows = [[1.0, 1.0, 0.0], [1.0, 0.6, 0.6]]
    rows = [np.roll(row, k).tolist() for row in rows for k in range(3)] + [[enters] * 3]
    assert found.complete
    assert same_rows(found.equilibria[:, :, 1], np.array(rows), 1e-12)


def same_rows(a: np.ndarray, b: np.ndarray, within: float) -> bool:
    """Return whether two sets of profiles ``[profile choice]`` are the same."""
    if not len(a) or not len(b):
        return len(a) == len(b)
    size = 1 + np.max(np.abs(a))
    apart = np.max(np.abs(a[:, None] - b[None]), axis=2)
    return len(a) == len(b) and bool(
        np.all(apart.min(axis=0) < within * size) & np.all(apart.min(axis=1) < within * size)
    )


def from_many_starts(game: Any) -> list[np.ndarray]:
    """Return the equilibria that Newton's method and best responses find from random starts.

    A profile is an equilibrium if no strategy on a fine grid pays more; neither bounds nor code of lists is
    used.
    """
    low, high = (np.asarray(end, dtype=float) for end in (game.space.low, game.space.high))
    players, axes = low.shape
    each = np.linspace(0, 1, 2001 if axes == 1 else 61)
    unit = np.stack(np.meshgrid(*[each] * axes, indexing="ij"), axis=-1).reshape(-1, axes)
    grids = jnp.asarray(low[:, None] + (high - low)[:, None] * unit)  # [player point axis]

    def pays(x: Any, player: int, own: Any) -> Any:
        return game.payoffs(x.at[player].set(own))[player]

    def slopes(y: Any) -> Any:
        x = y.reshape(players, axes)
        return jnp.stack([jax.grad(lambda own, k=k: pays(x, k, own))(x[k]) for k in range(players)]).ravel()

    def newton(_: Any, y: Any) -> Any:
        g = slopes(y)
        fixed = ((y <= low.ravel()) & (g <= 0)) | ((y >= high.ravel()) & (g >= 0))
        system = jnp.where(fixed[:, None], jnp.eye(len(y)), jax.jacfwd(slopes)(y))
        return jnp.clip(y - jnp.linalg.solve(system, jnp.where(fixed, 0.0, g)), low.ravel(), high.ravel())

    def responses(x: Any) -> tuple[Any, Any]:
        """Return best responses on the grid ``[player axis]``, and gains ``[player]``."""
        rows = [
            jax.lax.map(lambda own, k=k: pays(x, k, own), grids[k], batch_size=512) for k in range(players)
        ]
        best = jnp.stack([grids[k][jnp.argmax(row)] for k, row in enumerate(rows)])
        return best, jnp.stack([jnp.max(row) for row in rows]) - game.payoffs(x)

    @jax.jit
    def ends(x: Any) -> Any:
        x = jax.lax.fori_loop(0, 12, lambda _, x: (x + responses(x)[0]) / 2, x)
        y = jax.lax.fori_loop(0, 40, newton, x.ravel())
        return y, slopes(y)

    @jax.jit
    def near(x: Any) -> Any:
        y = jax.lax.fori_loop(0, 40, newton, x.ravel())
        return y, slopes(y)

    gains = jax.jit(lambda x: responses(x)[1])
    starts = low + (high - low) * np.random.default_rng(0).random((STARTS, players, axes))
    rows: list[np.ndarray] = []
    for k, start in enumerate(starts):
        for follow in (near, ends) if k < STARTS // 10 else (near,):
            y, g = (np.asarray(part) for part in follow(jnp.asarray(start)))
            free = (y > low.ravel()) & (y < high.ravel())
            new = all(np.max(np.abs(y - row)) > 1e-6 * np.max(high - low) for row in rows)
            if np.all(np.isfinite(y)) and new and np.all(np.abs(g[free]) < 1e-8 * (1 + np.abs(g).max())):
                rows.append(y)
    size = max(
        (float(np.max(np.abs(game.payoffs(jnp.asarray(y.reshape(low.shape)))))) for y in rows), default=1.0
    )
    return [y for y in rows if np.max(gains(jnp.asarray(y.reshape(low.shape)))) <= GAIN * (1e-3 + size)]
