"""Games in which the others matter through sums: how they are read, and that no first-order point is lost."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.proofs import payoff_sums
from rivalry.proofs.payoff_sums import boxes_of_totals, sums_of
from rivalry.proofs.spaces.coordinates import coordinates
from tests.unit.test_lists_of_games import Custom, from_many_starts, same_rows

pytestmark = pytest.mark.mostly_slow

COSTS = np.array([0.1, 0.15, 0.2])


def by_total(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return own * (1 - jnp.sum(own) ** 2 - COSTS)


def by_share(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return jax.nn.softmax(2 * own) * (2 - own)


def by_two_sums(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return own * (1 - jnp.sum(own)) - 0.1 * own**2 * jnp.sum(jnp.sin(own))


def by_neighbours(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return own * (1 - own - jnp.roll(own, 1))


def by_products(x: jax.Array) -> jax.Array:
    own = x[:, 0]
    return own * (1 - jnp.prod(own)) - own**2


def by_weights(x: jax.Array) -> jax.Array:
    """Who matters differs between players: no common sum."""
    own = x[:, 0]
    return own * (1 - jnp.array([[1.0, 0.5, 0.25], [0.5, 1.0, 0.5], [0.1, 0.9, 1.0]]) @ own)


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        (by_total, 1),
        (by_share, 1),
        (by_two_sums, 2),
        (by_neighbours, None),
        (by_weights, None),
        (by_products, None),
    ],
)
def test_sums_are_read_from_operations(rule: Any, count: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payoff_sums, "SUMS", 2)
    game = Custom(rule, 0.0, 1.0, 3)
    sums = sums_of(game, coordinates(game))
    if count is None:
        assert sums is None
        return
    assert len(sums.terms) == count
    for y in np.random.default_rng(0).random((20, 3)):
        added = np.asarray(sums.added(jnp.asarray(y)))
        others = added.sum(axis=1, keepdims=True) - added
        pays = np.asarray(sums.payoffs(jnp.asarray(y), jnp.asarray(others)))
        np.testing.assert_allclose(pays, game.payoffs(jnp.asarray(y[:, None])), rtol=1e-12)


def test_a_sum_over_some_of_the_others_is_a_sum_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of four firms has one rival, the others have three."""

    def rule(x: jax.Array) -> jax.Array:
        own = x[:, 0]
        price = 1 - own[0] - own[1] - own[2] - own[3]
        return own * jnp.stack([price, 1 - own[1] - own[2], price, price])

    monkeypatch.setattr(payoff_sums, "SUMS", 2)
    game = Custom(rule, 0.0, 1.0, 4)
    sums = sums_of(game, coordinates(game))
    assert sums is not None
    y = jnp.array([0.1, 0.2, 0.3, 0.05])
    added = sums.added(y)
    pays = sums.payoffs(y, added.sum(axis=1, keepdims=True) - added)
    np.testing.assert_allclose(pays, game.payoffs(y[:, None]), rtol=1e-12)


def random_game(seed: int) -> Custom:
    """Return a game of three players, often with several equilibria and with some at bounds."""
    a, b, c, d = np.random.default_rng(seed).normal(size=(4, 3)) * [[1.0], [1.5], [1.0], [0.5]]

    def rule(x: jax.Array) -> jax.Array:
        own = x[:, 0]
        total = jnp.sum(own + d * own**2) if seed % 2 else jnp.sum(own)
        return a * own + b * own * jnp.sin(2 * total) - (0.6 + jnp.abs(c)) * own**2

    return Custom(rule, -1.0, 1.0, 3)


def first_order_points(game: Any) -> np.ndarray:
    """Return what Newton's method finds from many starts, ``[point choice]``."""
    low, high = float(game.low), float(game.high)

    def slopes(y: Any) -> Any:
        return jnp.diagonal(jax.jacfwd(lambda z: game.payoffs(z[:, None]))(y))

    def step(_: Any, y: Any) -> Any:
        g = slopes(y)
        fixed = ((y <= low) & (g <= 0)) | ((y >= high) & (g >= 0))
        system = jnp.where(fixed[:, None], jnp.eye(len(y)), jax.jacfwd(slopes)(y))
        return jnp.clip(y - jnp.linalg.solve(system, jnp.where(fixed, 0.0, g)), low, high)

    starts = np.random.default_rng(1).uniform(low, high, (400, len(game.payoffs(jnp.zeros((3, 1))))))
    ends = np.asarray(jax.jit(jax.vmap(lambda y: jax.lax.fori_loop(0, 60, step, y)))(starts))
    g = np.asarray(jax.vmap(slopes)(jnp.asarray(ends)))
    good = np.where(ends <= low, g <= 1e-9, np.where(ends >= high, g >= -1e-9, np.abs(g) < 1e-9))
    return np.unique(np.round(ends[good.all(axis=1)], 9), axis=0)


def kept(game: Any, points: np.ndarray) -> np.ndarray:
    """Return which points are in the boxes that are left."""
    at = coordinates(game)
    sums = sums_of(game, at)
    assert sums is not None
    low, high, _ = boxes_of_totals(sums, at, at.low, at.high, lambda a, b: np.zeros(len(a), dtype=bool))
    near = (points[:, None] >= low - 1e-8) & (points[:, None] <= high + 1e-8)
    return np.asarray(near.all(axis=2).any(axis=1))


@pytest.mark.parametrize("seed", range(12))
def test_no_first_order_point_is_lost(seed: int) -> None:
    game = random_game(seed)
    points = first_order_points(game)
    assert len(points)
    assert kept(game, points).all()


def test_a_wrong_bound_on_what_others_add_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = payoff_sums._all_totals

    def tampered(*given: Any, **options: Any) -> Any:
        found = whole(*given, **options)
        return found._replace(high=found.low / 2 + found.high / 2)

    monkeypatch.setattr(payoff_sums, "_all_totals", tampered)
    lost = []
    for seed in range(6):
        game = random_game(seed)
        lost.append(not kept(game, first_order_points(game)).all())
    assert any(lost)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(4))
def test_lists_by_totals_are_complete_and_what_many_starts_find(seed: int) -> None:
    game = random_game(seed)
    found = rv.all_equilibria(game, max_seconds=None, max_boxes=20_000)
    seen = np.reshape(from_many_starts(game), (-1, 3))
    listed = found.equilibria.reshape(-1, 3)
    if found.complete:
        assert same_rows(listed, seen, 1e-6)
    else:
        assert len(found.undecided)
        apart = np.abs(listed[:, None] - seen[None]).max(axis=2)
        assert np.all(apart.min(axis=1, initial=np.inf) < 1e-6)


def test_ten_different_firms_have_one_equilibrium() -> None:
    costs = np.linspace(0.02, 0.11, 10)

    def rule(x: jax.Array) -> jax.Array:
        return x[:, 0] * (1 - jnp.sum(x) - costs)

    found = rv.all_equilibria(Custom(rule, 0.0, 1.0, 10), max_seconds=None, max_boxes=20_000)
    assert found.complete
    price = (1 + costs.sum()) / 11
    np.testing.assert_allclose(found.equilibria[:, :, 0], [price - costs], atol=1e-12)


@pytest.mark.default
def test_a_payoff_without_one_of_the_others_depends_on_no_common_sum() -> None:
    """The second of three firms has one rival, the others have two: equilibrium (0.2, 0.4, 0.2)."""

    def rule(x: jax.Array) -> jax.Array:
        own = x[:, 0]
        price = 1 - own[0] - own[1] - own[2]
        return own * jnp.stack([price, 1 - own[1] - own[2], price])

    game = Custom(rule, 0.0, 1.0, 3)
    assert sums_of(game, coordinates(game)) is None
