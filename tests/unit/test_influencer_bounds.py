"""Payoff upper bounds on boxes hold and are tight enough for exact certificates."""

from collections import Counter
from itertools import product as product_of
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.certificates import branch_and_bound
from rivalry.certificates.certify import certificate
from rivalry.families.influencer import kernels
from rivalry.families.influencer.kernels import ChosenReach
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.stop_gradients import shifted

pytestmark = pytest.mark.mostly_slow

SQUARE: dict[str, Any] = {
    "space": "box",
    "bounds": [[0, 5], [0, 5]],
    "resource": {"kind": "mixture", "means": [[0, 0], [5, 0], [0, 5], [5, 5]], "stds": 1},
}
MATRIX = [[2, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 1]]
CUBE: dict[str, Any] = {
    "space": "box",
    "bounds": [[0, 5]] * 3,
    "resource_points": np.random.default_rng(6).uniform(0, 5, (40, 3)),
    "resource": np.random.default_rng(7).random(40),
}
PLACES = [[1, 1, 4], [3, 2, 2]]
GAMES: dict[str, dict[str, Any]] = {
    "gaussian": CUBE | {"reach": [1.0, 2.0], "normalised": True, "budgets": [1, 2]},
    "outside": CUBE | {"reach": 1.4, "third_party": [0.3] * 40, "abstention": 1e-3, "players": 2},
    "matrix": CUBE | {"covariance": MATRIX, "variance": [1, 0.5]},
}


@eqx.filter_jit
def inside(game: Any, x: Any, low: Any, high: Any, parts: Any) -> tuple[Any, Any]:
    """The payoff bound of every box, and the best own payoff of many positions in it."""

    def box(low: Any, high: Any) -> tuple[Any, Any]:
        positions = low + parts * (high - low)
        values = jax.vmap(lambda y: game.payoffs(x.at[1].set(y))[1])(positions)
        return oracles.payoff_bound(game, x, 1, low, high), values.max()

    return jax.vmap(box)(low, high)


@pytest.mark.parametrize("name", GAMES)
def test_no_payoff_in_a_box_exceeds_its_bound(name: str) -> None:
    game = rv.games.influencer(**GAMES[name])
    x = game.space.check(PLACES)
    rng = np.random.default_rng(5)
    low, high = np.asarray(game.space.low[0]), np.asarray(game.space.high[0])
    one = low + (high - low) * rng.random((60, len(low)))
    two = np.clip(
        one + (high - low) * 10.0 ** rng.uniform(-5, 0, (60, 1)) * rng.random((60, len(low))), low, high
    )
    parts = np.concatenate([rng.random((300, len(low))), np.zeros((1, len(low))), np.ones((1, len(low)))])
    bounds, best = inside(game, x, jnp.asarray(one), jnp.asarray(two), jnp.asarray(parts))
    assert np.all(np.asarray(best) <= np.asarray(bounds) * (1 + 1e-12))
    small = np.max(two - one, axis=1) < 1e-3 * (high - low).max()
    assert np.all(np.asarray(bounds - best)[small] < 0.02 * float(oracles.payoff_scale(game)))


@eqx.filter_jit
def _own_payoffs(game: Any, x: Any, strategies: Any) -> Any:
    return jax.vmap(lambda y: game.payoffs(x.at[1].set(y))[1])(strategies)


def own_payoffs(game: Any, x: Any, strategies: Any) -> np.ndarray:
    return np.asarray(_own_payoffs(game, x, jnp.asarray(strategies)))


FEW_POINTS: dict[str, dict[str, Any]] = {
    "gaussian": {"reach": [0.2, 0.3]},
    "abstention": {"reach": [0.2, 0.3], "abstention": 0.3},
    "normalised": {"reach": [0.2, 0.3], "normalised": True},
    "matrix": {"covariance": MATRIX, "variance": [0.1, 0.05]},
}


@pytest.mark.parametrize(
    "name", ["gaussian", *(pytest.param(name, marks=pytest.mark.slow) for name in [*FEW_POINTS][1:])]
)
def test_bounds_hold_and_are_tight_around_the_peaks_of_payoffs(name: str) -> None:
    """With few resource points the bound on a box around a peak is nearly the payoff at the peak."""
    rng, share, axes = np.random.default_rng(8), [], 3
    for _ in range(12):
        points = rng.random((2, axes))
        options = FEW_POINTS[name] | {"space": "box", "bounds": [[0, 1]] * axes}
        game = rv.games.influencer(**options, resource_points=points, resource=rng.random(2))
        x = jnp.asarray(rng.random((2, axes)))
        grid = jnp.asarray(rng.random((2000, axes)))
        peak = np.asarray(grid)[np.argmax(own_payoffs(game, x, grid))]
        half = 10.0 ** rng.uniform(-2, -0.7, (12, 1)) * rng.uniform(0.5, 1.0, (12, axes))
        low, high = np.clip(peak - half, 0, 1), np.clip(peak + half, 0, 1)
        parts = np.concatenate([rng.random((300, axes)), np.full((1, axes), 0.5)])
        bounds, best = (np.asarray(one) for one in inside(game, x, low, high, jnp.asarray(parts)))
        assert np.all(best <= bounds * (1 + 1e-12))
        ends = own_payoffs(game, x, np.concatenate([low, high])).reshape(2, -1).max(axis=0)
        share.append((best - ends) / (bounds - ends))
    # a bound of half the error would be broken: the test can fail
    assert np.max(share) > 0.6


KERNELS: dict[str, Any] = {
    "gaussian": kernels.Gaussian(jnp.array([0.3, 0.8])),
    "normalised": kernels.Gaussian(jnp.array([0.3, 0.8]), True),
    "matrix": kernels.GaussianMatrix(jnp.array([0.5, 2.0]), jnp.array([[[2.0, 0.6], [0.6, 1.0]]] * 2)),
    "chosen_reach": kernels.ChosenReach(),
    "chosen_normalised_reach": kernels.ChosenReach(True),
    "exponential": kernels.Exponential(),
    "beta": kernels.Beta(jnp.array([0.3, 0.05])),
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", list(KERNELS)[:5])
def test_log_influence_and_its_derivatives_are_within_their_bounds(name: str) -> None:
    """At many positions in boxes of many sizes: payoff bounds alone would hide a wrong one of the two."""
    kernel, rng = KERNELS[name], np.random.default_rng(3)
    axes = 2 if name == "matrix" else 1
    size = axes + name.startswith("chosen")
    points = jnp.asarray(rng.uniform(0.1, 2.0, (5, axes)))
    each = kernels.copies(kernel, 1, 40)
    for width in (0.01, 0.3, 1.5):
        low = rng.uniform(0.1, 1.0, size)
        high = low + width * rng.uniform(0.5, 1.0, size)
        x = jnp.asarray(np.concatenate([[low, high], rng.uniform(low, high, (38, size))]))
        box = (1, kernels.Region(jnp.asarray(low), jnp.asarray(high), points))
        logs, near = each.logs(x, points), 1e-12
        assert np.all(logs <= kernel.upper_bound(*box) + near)
        assert np.all(logs >= kernel.lower_bound(*box) - near)
        slope, bend = kernel.derivative_bounds(*box)
        assert np.all(np.abs(each.gradients(x, points)) <= slope * (1 + near) + near)
        second = np.diagonal(each.hessians(x, points), axis1=-2, axis2=-1)
        assert np.all(np.abs(second) <= bend * (1 + near) + near)


@pytest.mark.parametrize("name", KERNELS)
def test_the_vector_jacobian_product_of_a_kernel_is_the_weighted_sum_of_gradients(name: str) -> None:
    kernel, rng = KERNELS[name], np.random.default_rng(4)
    axes = 2 if name == "matrix" else 1
    x = jnp.asarray(rng.uniform(0.2, 1.0, (2, axes + name.startswith("chosen"))))
    points, weights = jnp.asarray(rng.uniform(0.1, 0.9, (5, axes))), jnp.asarray(rng.random((2, 5)))
    summed = np.einsum("pk,pka->pa", weights, kernel.gradients(x, points))
    np.testing.assert_allclose(kernel.vjp(x, points, weights), summed, rtol=1e-12)


@pytest.mark.default
def test_only_arrays_with_one_entry_per_player_are_parameters_of_a_kernel() -> None:
    law = kernels.PowerLaw(jnp.array([1.0, 2.0]), jnp.asarray(1e-9))
    assert list(law.parameters) == ["exponent"]  # the distance floor is common to all
    assert list(KERNELS["normalised"].parameters) == ["reach"]
    assert list(KERNELS["matrix"].parameters) == ["variance", "covariance"]
    assert KERNELS["chosen_reach"].parameters == {}


def counted(game: Any, x: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, int]:
    """A certificate with tolerance 1e-8, and the largest number of boxes in the proof for one player."""
    cells, boxes = branch_and_bound.bounds_of_boxes, Counter[int]()

    def counting(game: Any, x: Any, player: Any, parts: Any, **options: Any) -> Any:
        players = np.broadcast_to(player, len(parts.low))
        rows = np.column_stack([players, parts.low, parts.high])
        boxes.update(np.unique(rows, axis=0)[:, 0].astype(int).tolist())
        return cells(game, x, player, parts, **options)

    monkeypatch.setattr(branch_and_bound, "bounds_of_boxes", counting)
    return certificate(game, game.space.check(x), tolerance=1e-8), max(boxes.values())


def test_proofs_on_the_interval_take_few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    game = rv.games.influencer(reach=[0.1] * 3, resource="bimodal")
    proof, cells = counted(game, [0.2, 0.5, 0.8], monkeypatch)
    assert proof.coverage == "tight"
    assert np.all(proof.bound - proof.regret <= 1e-8 * float(oracles.payoff_scale(game)))
    assert proof.regret.max() == pytest.approx(3.7870346845461196, rel=1e-8)
    assert cells <= 600


def test_proofs_on_the_interval_take_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    game, rows = rv.games.influencer(reach=[0.25] * 3, resource="bimodal"), branch_and_bound.bounds_of_boxes
    calls: list[list[int]] = []

    def counting(*arguments: Any, **options: Any) -> Any:
        calls.append(np.unique(arguments[2]).tolist())
        return rows(*arguments, **options)

    monkeypatch.setattr(branch_and_bound, "bounds_of_boxes", counting)
    assert certificate(game, game.space.check([0.5] * 3), tolerance=1e-8).coverage == "tight"
    # one evaluates the best response; single halvings of widths of 1 to 1e-5 would need 16 more
    assert len(calls) <= 9
    assert calls[0] == [0, 1, 2]


def test_the_centre_is_proved_to_be_an_equilibrium() -> None:
    game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    proof = rv.certificate(game, game.space.check([0.5] * 3))
    assert (proof.claim, proof.coverage) == ("equilibrium", "tight")


def test_a_stable_point_that_is_not_an_equilibrium() -> None:
    game = rv.games.influencer(reach=[0.17] * 3, resource="bimodal")
    proof = rv.certificate(game, game.space.check([0.37414608583521425, 0.5, 0.6258539141647858]))
    assert proof.claim == "not an equilibrium"
    assert proof.regret.max() == pytest.approx(0.175309, abs=1e-6)


def test_proofs_on_a_box() -> None:
    game = rv.games.influencer(**SQUARE, variance=[3.0] * 4)
    proof = rv.certificate(game, game.space.check([[2.5, 2.5]] * 4))
    assert (proof.claim, proof.coverage) == ("equilibrium", "tight")


@pytest.mark.default
@pytest.mark.parametrize(
    ("options", "known"),
    [
        ({"reach": [0.1, 0.2]}, False),
        ({"kernel": "power_law", "exponent": [1, 2]}, False),
        (SQUARE | {"reach": [1.0, 2.0]}, False),
        (CUBE | {"reach": [1.0, 2.0]}, True),
        (SQUARE | {"choose_reach": [0.1, 0.6], "normalised": True, "players": 2}, True),
    ],
)
def test_games_of_three_axes_and_more_have_a_bound_of_their_own(options: dict[str, Any], known: bool) -> None:
    assert oracles.payoff_bound.knows(rv.games.influencer(**options)) == known


def test_proofs_in_a_cube() -> None:
    game = rv.games.influencer(**CUBE | {"reach": [6.0, 6.0]})
    end = rv.solve(game, rv.methods.GradientFlow(), start=PLACES, path=False)
    assert (end.claim, end.record["coverage"][1]) == ("equilibrium", "tight")


def test_custom_kernels_are_bounded_in_interval_arithmetic() -> None:
    game = rv.games.influencer(
        kernel="custom", influence="exp(-(b-x)^2/(2*s^2))", parameters={"s": [0.25] * 3}, resource="bimodal"
    )
    proof = rv.certificate(game, game.space.check([0.5] * 3))
    assert (proof.claim, proof.coverage, proof.rounding) == ("equilibrium", "tight", "outward")
    gaussian = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    same = rv.certificate(gaussian, gaussian.space.check([0.5] * 3))
    np.testing.assert_allclose(proof.bound, same.bound, atol=float(np.max(proof.tolerance)))


def test_ties_of_best_responses_go_to_the_nearer_then_the_lower() -> None:
    game = rv.games.influencer(reach=[0.1] * 3, resource="bimodal")
    middle = rv.best_response(game, game.space.check([0.2, 0.5, 0.8]), 1)
    assert middle.strategy[0] == pytest.approx(0.2598375, abs=1e-5)
    right = rv.best_response(game, game.space.check([0.2, 0.6, 0.8]), 1)
    assert right.strategy[0] == pytest.approx(0.7401625, abs=1e-5)


@pytest.mark.nightly
def test_equilibria_with_abstention_are_proved_in_the_plane() -> None:
    points = {"kind": "grid", "num": [6, 6]}
    game = rv.games.influencer(
        players=2, space="box", reach=0.6, abstention=1.0, resource="uniform", resource_points=points
    )
    end = rv.solve(game, rv.methods.GradientFlow(), start=[[0.3, 0.4], [0.6, 0.7]], path=False)
    assert str(end.certificate).startswith("equilibrium")
    assert end.record["coverage"][1] == "tight"


@pytest.mark.parametrize("normalised", [False, True])
def test_influence_of_a_chosen_reach_matches_its_formula(normalised: bool) -> None:
    """Derivatives against differences of the formula in NumPy, bounds against strategies drawn from a box."""
    rng = np.random.default_rng(4)
    points, low, high = rng.random((5, 2)), np.array([0.2, 0.1, 0.15]), np.array([0.6, 0.4, 0.5])

    def logs(x: np.ndarray) -> np.ndarray:
        squares = np.sum((points - x[..., None, :2]) ** 2, axis=-1)
        reach = x[..., 2:]
        return -squares / (2 * reach**2) - normalised * 2 * np.log(reach * np.sqrt(2 * np.pi))

    kernel, x = ChosenReach(normalised=normalised), low + (high - low) * rng.random((200, 3))
    at = jnp.asarray(points)
    region = kernels.Region(jnp.asarray(low), jnp.asarray(high), at)
    found = jax.jit(
        lambda x: (
            kernel.logs(x, at),
            kernel.gradients(x, at),
            kernel.hessians(x, at),
            kernel.vjp(x, at, jnp.ones((len(x), 5))),
            kernel.lower_bound(0, region),
            kernel.upper_bound(0, region),
            kernel.derivative_bounds(0, region),
        )
    )(jnp.asarray(x))
    value, gradient, hessian, product, least, most, (slopes, bends) = jax.tree.map(np.asarray, found)
    np.testing.assert_allclose(value, logs(x), rtol=1e-12)
    step = 1e-4 * np.eye(3)
    differences = np.stack([(logs(x + h) - logs(x - h)) / 2e-4 for h in step], axis=-1)
    np.testing.assert_allclose(gradient, differences, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(product, gradient.sum(axis=1), rtol=1e-10)
    second = [
        [logs(x + h + k) - logs(x + h - k) - logs(x - h + k) + logs(x - h - k) for h in step] for k in step
    ]
    np.testing.assert_allclose(hessian, np.moveaxis(second, (0, 1), (2, 3)) / 4e-8, rtol=1e-3, atol=0.02)
    corners = np.array(list(product_of(*zip(low, high, strict=True))))
    each = logs(np.concatenate([x, corners]))
    assert np.all(least <= each.min(axis=0) + 1e-12)
    assert np.all(most >= each.max(axis=0) - 1e-12)
    np.testing.assert_allclose(least, each.min(axis=0), rtol=1e-12)  # at a corner of the box
    assert np.all(slopes >= np.abs(gradient).max(axis=0))
    assert np.all(bends >= np.abs(np.diagonal(hessian, axis1=2, axis2=3)).max(axis=0))


@pytest.mark.nightly
def test_derivatives_with_abstention_are_bounded_up_to_rounding_at_a_profile() -> None:
    game = rv.games.influencer(
        players=2,
        reach=0.14,
        abstention=25.0,
        third_party=[0.5] * 4,
        resource=[1, 3, 2, 4],
        resource_points=[0.1, 0.35, 0.6, 0.9],
    )
    x = jnp.array([[0.25], [0.75]])
    form = enclose(shifted(lambda y: oracles.gradients(game, y), x), x)
    (point,), decided = form(Interval(x, x))
    assert decided
    assert np.max(point.high - point.low) < 1e-11
    (whole,), _ = form(Interval(x - 0.05, x + 0.05))
    pays = jax.vmap(jax.jacrev(game.payoffs))
    steps = 0.1 * np.random.default_rng(2).random((200, 2, 1)) - 0.05
    slopes = np.einsum("siia->sia", pays(x + steps))  # of each own payoff, by JAX from the payoffs
    assert np.all((whole.low <= slopes) & (slopes <= whole.high))
