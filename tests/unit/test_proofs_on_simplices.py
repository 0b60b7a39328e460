"""Bounds and lists of games on simplices: samples, closed forms, lattices, and planted false equilibria."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.space import Simplex, simplex_lattice
from rivalry.proofs.payoff_ranges import range_and_slopes
from rivalry.proofs.spaces.boxes import bounding_box, halves, tight_boxes
from rivalry.proofs.spaces.simplices import InFractions

PRIZES = [1.0, 2.0, 3.0]


class Shares(eqx.Module):
    """A game whose strategies are shares; ``rule`` returns payoffs of profiles ``[player entry]``."""

    rule: Callable[[jax.Array], jax.Array] = eqx.field(static=True)
    space: Simplex = Simplex((2, 2))

    def payoffs(self, x: jax.Array) -> jax.Array:
        return self.rule(x)


def blotto(prizes: list[float], exponent: float | list[float] = 1.0, **more: Any) -> Any:
    return rv.games.influencer(
        space="simplex", corners=len(prizes), kernel="blotto", exponent=exponent, resource=prizes, **more
    )


def coordination(x: jax.Array) -> jax.Array:
    """Best responses ``(1 + tanh(4 y - 2)) / 2`` of first shares, which cross three times."""
    own, other = x[:, 0], x[::-1, 0]
    return -jnp.square(own - (1 + jnp.tanh(4 * other - 2)) / 2)


def apart(x: jax.Array) -> jax.Array:
    """Players want different entries: equilibria at corners, in both orders."""
    return jnp.sum(x * jnp.array([1.0, 1.2]) * (1 - x[::-1]), axis=1) + 0.1 * jnp.sum(x**2, axis=1)


def test_tight_boxes_lose_no_shares_and_empty_ones_have_none() -> None:
    rng = np.random.default_rng(0)
    low, high = np.sort(rng.random((2, 400, 3)), axis=0)
    some = np.concatenate([rng.dirichlet(np.ones(3), 4000), simplex_lattice(3, 20) / 20])
    inside = np.all((some >= low[:, None]) & (some <= high[:, None]), axis=2)
    tight_low, tight_high = tight_boxes(low, high)
    still = np.all((some >= tight_low[:, None]) & (some <= tight_high[:, None]), axis=2)
    assert np.array_equal(inside, still)
    empty = np.any(tight_low > tight_high, axis=1)
    assert 0 < empty.sum() < len(low)
    assert np.all((low.sum(axis=1) > 1)[empty] | (high.sum(axis=1) < 1)[empty])


def test_halves_of_a_simplex_cover_it() -> None:
    space = Simplex((3, 2), 1e-3)
    for player in range(2):
        low, high = (end[None] for end in bounding_box(space, player))
        for _ in range(6):
            low, high, of = halves(space, player, low, high)
            assert of.max() < len(low)
        some = np.asarray(space.lattice(player, 300))
        assert np.all(np.any(np.all((some[:, None] >= low) & (some[:, None] <= high), axis=2), axis=1))


@pytest.mark.slow
def test_bounds_on_a_part_of_a_simplex_hold_and_are_of_second_order() -> None:
    def rule(s: jax.Array) -> jax.Array:
        return 100 * jnp.sum(s) + s[0] * s[1] - jnp.exp(s[2]) * s[0] + jnp.sqrt(0.1 + s[1])

    middle = np.array([0.3, 0.5, 0.2])
    rng = np.random.default_rng(1)
    widths = []
    for size in (0.1, 0.01, 0.001):
        low, high = tight_boxes((middle - size)[None], (middle + size)[None])
        bounds = range_and_slopes(rule, (), low, high, shares=True).value
        least, most = float(bounds.low[0]), float(bounds.high[0])
        some = middle + size * (rng.dirichlet(np.ones(3), 2000) - 1 / 3)
        some = some[np.all((some >= low) & (some <= high), axis=1)]
        values = np.array(jax.vmap(rule)(jnp.asarray(some)))
        assert len(values) > 1000
        assert least <= values.min() - 1e-15
        assert most >= values.max() + 1e-15
        widths.append((most - least) / np.ptp(values))
    # 100 times the sum, which is constant, costs nothing
    assert widths[0] < 4
    assert widths[2] < widths[0]


@pytest.mark.slow
def test_fractions_are_one_to_one_with_shares() -> None:
    for space in (Simplex((3, 3)), Simplex((4, 2), 1e-3)):
        game = InFractions(Shares(coordination, space))
        for key in range(5):
            x = np.asarray(space.sample(jax.random.key(key)))
            t = game.fractions(x)
            assert np.all((t >= 0) & (t <= 1))
            np.testing.assert_allclose(game.original(t), x, atol=1e-15)
            np.testing.assert_allclose(game.shares(jnp.asarray(t[1]), 1), x[1], atol=1e-15)
            low, high = game.bounds(np.maximum(t - 1e-3, 0), np.minimum(t + 1e-3, 1))
            assert np.all((low <= x) & (x <= high))
            assert np.max(high - low) < 0.02


@pytest.mark.slow
def test_derivatives_in_fractions_follow_the_chain_rule() -> None:
    game = InFractions(blotto(PRIZES, [1.0, 0.8], budgets=[1.0, 2.0], third_party=[0.1, 0.2, 0.3]))
    t = jnp.asarray([[0.2, 0.4], [0.3, 0.6]])
    every = jax.jacfwd(game.payoffs)(t)
    own = np.stack([every[player, player] for player in range(2)])
    np.testing.assert_allclose(rv.oracles.gradients(game, t), own, rtol=1e-12)


@pytest.mark.nightly
@pytest.mark.parametrize("exponent", [1.0, 0.6])
def test_lottery_contests_are_proved_equilibria(exponent: float) -> None:
    game = blotto(PRIZES, exponent)
    even = np.repeat([PRIZES], 2, axis=0) / np.sum(PRIZES)
    found = rv.certificate(game, even, proof=True)
    assert (found.claim, found.coverage, found.rounding) == ("equilibrium", "proved", "outward")
    assert found.radius is not None
    assert found.radius < 1e-12
    false = rv.certificate(game, even + np.array([[0.4, -0.3, -0.1], [0.0, 0.0, 0.0]]), proof=True)
    assert false.claim == "not an equilibrium"
    lattice = np.maximum(simplex_lattice(3, 60) / 60, 1e-9)
    for x in (even, even[:, ::-1]):
        bound, here = rv.certificate(game, x, proof=True).bound, game.payoffs(jnp.asarray(x))
        for player in range(2):
            pay = rv.oracles.deviation_payoff(game, jnp.asarray(x), player)
            gains = np.array(jax.vmap(pay)(jnp.asarray(lattice))) - float(here[player])
            assert bound[player] >= gains.max() - 1e-8


@pytest.mark.slow
def test_custom_games_on_a_simplex_have_finite_bounds() -> None:
    game = Shares(coordination)
    root = (1 + 0.9575040240772687) / 2  # of x = tanh(2 x)
    at = np.array([[root, 1 - root]] * 2)
    found = rv.certificate(game, at)
    assert (found.claim, found.rounding) == ("equilibrium", "outward")
    assert rv.certificate(game, [[0.2, 0.8], [0.5, 0.5]]).claim == "not an equilibrium"


def three_battlefields(third: float) -> list[float]:
    """Amounts with ``B_k (s_k + third) / (2 s_k + third)^2`` equal, by bisection of that price."""
    prizes = np.array(PRIZES)

    def amounts(price: float) -> np.ndarray:
        half = (prizes - 4 * price * third) / (8 * price)
        return np.asarray(half + np.sqrt(half**2 + (prizes / price - third) * third / 4))

    low, high = 0.1, 10.0
    for _ in range(80):
        low, high = (
            (low, (low + high) / 2) if amounts((low + high) / 2).sum() < 1 else ((low + high) / 2, high)
        )
    return amounts(low)[:2].tolist() * 2


LISTS: dict[str, tuple[Callable[[], Any], list[Any]]] = {
    # a game, and the shares of its equilibria, all but the last share of each player
    "coordination": (
        lambda: Shares(coordination),
        [[0.5 + s * 0.9575040240772687 / 2] * 2 for s in (-1, 0, 1)],
    ),
    "apart": (lambda: Shares(apart), [[0.0, 1.0], [1.0, 0.0]]),
    "two battlefields": (lambda: blotto([1.0, 2.0]), [[1 / 3] * 2]),
    "three battlefields": (lambda: blotto(PRIZES, third_party=[0.05] * 3), [three_battlefields(0.05)]),
    "unequal influence": (lambda: blotto([1.0, 2.0], budgets=[1.0, 3.0]), [[1 / 3] * 2]),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "coordination" else pytest.mark.nightly)
        for name in LISTS
    ],
)
def test_lists_are_complete_and_equal_closed_forms(name: str) -> None:
    make, known = LISTS[name]
    game = make()
    found = rv.all_equilibria(game, max_seconds=None)
    assert found.complete, found.reason
    listed = found.equilibria[:, :, :-1].reshape(len(found), -1)
    assert np.all(found.radius < 1e-9)
    np.testing.assert_allclose(found.equilibria.sum(axis=2), 1.0, atol=1e-14)
    np.testing.assert_allclose(listed[np.lexsort(listed.T[::-1])], known, atol=1e-8)
    # brute force: equilibria of the game on a lattice are near listed ones, which no point of it refutes
    rows = np.clip(game.space.lattice(0, 231 if game.space.shape[1] > 2 else 121), 1e-9, 1 - 1e-9)
    pairs = np.stack(np.broadcast_arrays(rows[:, None], rows[None]), axis=2)
    pays = np.asarray(jax.jit(jax.vmap(jax.vmap(game.payoffs)))(jnp.asarray(pairs)))
    best = [pays[..., player] >= pays[..., player].max(axis=player, keepdims=True) for player in range(2)]
    at = rows[np.argwhere(best[0] & best[1])]
    assert len(at)
    step = np.diff(np.unique(rows[:, 0].round(6)))[0]
    assert np.all(np.max(np.abs(at[:, None] - found.equilibria), axis=(2, 3)).min(axis=1) <= 2.1 * step)
    for x in found.equilibria:
        assert np.all(rv.certificate(game, x).regret <= 1e-7)


@pytest.mark.nightly
@pytest.mark.parametrize("best", [0, 2])
def test_an_equilibrium_where_nothing_is_left_to_divide_is_listed_or_undecided(best: int) -> None:
    """The first corner has no unique fractions, the last one has."""
    game = Shares(lambda x: jnp.sum(x[:, best, None] * (3 - x[::-1]), axis=1) - x[:, 1] ** 2, Simplex((3, 3)))
    found = rv.all_equilibria(game, max_seconds=60)
    corner = np.repeat(np.eye(3)[best][None], 2, axis=0)
    assert np.all(rv.certificate(game, corner).regret == 0)
    listed = [np.all(np.abs(x - corner) <= 1e-9) for x in found.equilibria]
    possible = [np.all((end[..., 0] <= corner) & (corner <= end[..., 1])) for end in found.undecided]
    assert any(listed) or any(possible)
    assert (any(listed), found.complete) == ((True, True) if best == 2 else (False, False))


def dirichlet(corners: int, **more: Any) -> Any:
    return rv.games.influencer(space="simplex", corners=corners, kernel="dirichlet", **more)


@pytest.mark.slow
@pytest.mark.parametrize("corners", [2, 3, 4])
def test_terms_of_dirichlet_kernels_are_positive_multiples_of_derivatives(corners: int) -> None:
    game = dirichlet(corners, alpha=[1.3, 2.0])
    fractions = InFractions(game)
    for seed in range(3):
        t = jnp.asarray(np.random.default_rng(seed).random((2, corners - 1)))
        slopes = jax.jacfwd(lambda t: game.kernel.logs(fractions.shares(t), game.points))(t)
        own = np.stack([np.moveaxis(np.asarray(slopes)[k, :, k], 0, 1) for k in range(2)])
        factor = own / np.asarray(fractions.terms(t)[1])
        assert np.all(factor > 0)
        assert np.max(np.ptp(factor, axis=2) / factor.min(axis=2)) < 1e-9
        whole = np.asarray(jax.jacfwd(fractions.payoffs)(t))
        own = np.stack([whole[k, k] for k in range(2)])
        assert np.allclose(own, np.asarray(oracles.gradients(fractions, t)) * factor[:, :, 0], rtol=1e-7)


@pytest.mark.slow
def test_a_list_for_a_dirichlet_kernel_agrees_with_a_grid() -> None:
    game = dirichlet(2, alpha=[1.0, 2.5])
    found = rv.all_equilibria(game)
    assert found.complete
    # no profile of a grid is an equilibrium unless it is next to one of the list
    share = np.linspace(0.005, 0.995, 199)
    profiles = np.stack(np.meshgrid(share, share, indexing="ij"), axis=-1).reshape(-1, 2)
    x = jnp.asarray(np.stack([profiles, 1 - profiles], axis=-1))
    pay = np.asarray(jax.vmap(game.payoffs)(x)).reshape(199, 199, 2)
    gain = np.maximum(
        pay[..., 0].max(axis=0)[None] - pay[..., 0], pay[..., 1].max(axis=1)[:, None] - pay[..., 1]
    )
    rest = np.argwhere(gain < 1e-3)
    listed = np.asarray(found.solution.record["equilibria"][1])[:, :, 0]
    for k in rest:
        assert np.any(np.max(np.abs(listed - share[k]), axis=1) < 0.01), share[k]
