"""Influencer games on simplices against SciPy densities, automatic differentiation and reference points."""

import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import rivalry as rv
from rivalry import oracles
from rivalry.families.resources import resource_points, resource_weights
from rivalry.influencers import (
    symmetric_equilibrium,
    symmetric_positions,
    symmetric_spectrum,
    threshold_exponent,
)
from tests.selection import slow_except

REFERENCE = Path(__file__).parents[1] / "reference" / "influencer_simplex.json"
POINTS = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.4, 0.4, 0.2], [0.3, 0.1, 0.6]]
X = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.25, 0.45, 0.3]])
WHERE: dict[str, Any] = {"space": "simplex", "resource_points": POINTS, "resource": [1.0, 0.5, 2.0, 1.5, 0.7]}
OUTSIDE: dict[str, Any] = {"third_party": "0.4*b1 + b2*b3", "abstention": 1.5, "budgets": [1.0, 2.0, 0.5]}
SHAPE = [[1.0, 0.2, 0.0], [0.2, 0.7, 0.1], [0.0, 0.1, 0.5]]
KERNELS: dict[str, dict[str, Any]] = {
    "dirichlet": {"kernel": "dirichlet", "alpha": [1.0, 2.5, 0.7]},
    "other corner": {"kernel": "dirichlet", "alpha": [3.0, 1.0, 2.0], "reference_corner": 2},
    "blotto": {
        "kernel": "blotto", "exponent": [1.0, 2.0, 0.5], "resource_points": None, "resource": [1.0, 2.0, 3.0],
    },
    "gaussian": {"reach": [0.2, 0.5, 0.3], "normalised": True},
    "matrix": {"covariance": SHAPE, "variance": [0.1, 0.2, 0.3]},
    "formula": {
        "kernel": "custom", "influence": "exp(-(b1-x1)^2/w) + b2*x2*x3", "parameters": {"w": [0.1, 0.2, 0.3]},
    },
}  # fmt: skip
CASES = {name: WHERE | options for name, options in KERNELS.items()}
CASES |= {f"{name}, outside": WHERE | KERNELS[name] | OUTSIDE for name in ("dirichlet", "blotto", "matrix")}


def log_influence(name: str, options: dict[str, Any], i: int, x: np.ndarray, b: np.ndarray) -> float:
    """Log-influence of one player at one point, from the definition."""
    if name in ("dirichlet", "other corner"):
        corner, alpha = options.get("reference_corner", 0), options["alpha"][i]
        # SciPy computes the last coordinate from the others
        return float(stats.dirichlet.logpdf(b / b.sum(), alpha * x / x[corner]))
    if name == "blotto":
        return float(options["exponent"][i] * np.log(x[np.argmax(b)]))
    if name == "gaussian":
        return float(stats.norm.logpdf(b, x, options["reach"][i]).sum())
    if name == "matrix":
        return float(-0.5 * (b - x) @ np.linalg.solve(options["variance"][i] * np.array(SHAPE), b - x))
    w = options["parameters"]["w"][i]
    return float(np.log(np.exp(-((b[0] - x[0]) ** 2) / w) + b[1] * x[1] * x[2]))


def direct(name: str, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Payoffs of all rows, one point and one row at a time."""
    options = CASES[name]
    budgets = options.get("budgets", np.ones(3))
    total = np.zeros(5 if "abstention" in options else 3)
    for b, amount in zip(points, weights, strict=True):
        logs = [log_influence(name.removesuffix(", outside"), options, i, X[i], b) for i in range(3)]
        rows = list(np.asarray(budgets) * np.exp(logs))
        if "abstention" in options:
            rows += [0.4 * b[0] + b[1] * b[2], 1.5 * np.prod([np.sum((b - x) ** 2) for x in X])]
        total += amount * np.asarray(rows) / np.sum(rows)
    return total


@eqx.filter_jit
def everything(game: Any, x: Any) -> dict[str, Any]:
    whole = jax.jacrev(game.payoffs)(x)
    return {
        "all": game.all_payoffs(x),
        "gradients": oracles.gradients(game, x),
        "jacobian": oracles.jacobian(game, x),
        "autodiff": jnp.stack([whole[i, i] for i in range(len(x))]),
        "autodiff twice": jax.jacfwd(lambda y: oracles.gradients(game, y))(x).reshape(x.size, x.size),
        "slopes": game.kernel.gradients(x, game.points),
        "autodiff of logs": jax.jacfwd(lambda y: game.kernel.logs(y, game.points))(x),
    }


@pytest.mark.parametrize("name", slow_except(CASES, ("dirichlet",)))
@pytest.mark.nightly
def test_payoffs_and_derivatives_match_definition_and_autodiff(name: str) -> None:
    game = rv.games.influencer(**CASES[name])
    x = game.space.check(X)
    ours = everything(game, x)
    found = direct(name, np.asarray(game.points), np.asarray(game.weights))
    np.testing.assert_allclose(ours["all"], found, rtol=1e-11)
    assert float(ours["all"].sum()) == pytest.approx(float(oracles.payoff_scale(game)), rel=1e-12)
    np.testing.assert_allclose(ours["gradients"], ours["autodiff"], rtol=1e-9, atol=1e-9)
    near = {"rtol": 1e-9, "atol": 1e-9 * float(np.abs(ours["jacobian"]).max())}
    np.testing.assert_allclose(ours["jacobian"], ours["autodiff twice"], **near)
    slopes = np.stack([ours["autodiff of logs"][i, :, i] for i in range(3)])
    np.testing.assert_allclose(ours["slopes"], slopes, rtol=1e-9, atol=1e-9)
    if game.abstention is None:
        payoff = oracles.deviation_payoff(game, x, 2)
        assert float(payoff(x[2])) == pytest.approx(float(ours["all"][2]), rel=1e-12)


@pytest.mark.slow
def test_payoffs_and_gradients_near_the_boundary_are_finite() -> None:
    game = rv.games.influencer(**CASES["other corner"])
    assert game.space.min_share == 1e-9
    corner = game.space.project(jnp.asarray(np.eye(3)))
    assert np.all(np.isfinite(game.payoffs(corner)))
    assert np.all(np.isfinite(oracles.gradients(game, corner)))


def test_the_mesh_equals_the_reference() -> None:
    bins = json.loads(REFERENCE.read_text(encoding="utf-8"))["bins"]
    ours = resource_points({"kind": "mesh", "m": 4}, [[0, 1]] * 3, simplex=True)
    assert len(ours) == 153
    assert {tuple(row) for row in ours.round(9)} == {tuple(row) for row in np.round(bins, 9)}
    np.testing.assert_array_equal(rv.games.influencer(space="simplex", players=2).points, ours)


@pytest.mark.parametrize(("corners", "count"), [(2, 65), (3, 153), (4, 165), (5, 70)])
def test_default_points_are_interior(corners: int, count: int) -> None:
    points = resource_points(None, [[0, 1]] * corners, simplex=True)
    assert points.shape == (count, corners)
    assert points.min() > 0
    np.testing.assert_allclose(points.sum(axis=1), 1, rtol=1e-14)


def test_dirichlet_resources_are_densities_as_in_scipy() -> None:
    points = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.25, 0.5, 0.25]])
    found = resource_weights({"kind": "dirichlet", "alphas": [0.5, 2, 3]}, points)
    np.testing.assert_allclose(found, stats.dirichlet.pdf(points.T, [0.5, 2, 3]), rtol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("players", [2, 3, 5])
def test_blotto_threshold_is_where_the_spectrum_changes_sign(players: int) -> None:
    game = rv.games.influencer(
        space="simplex", kernel="blotto", exponent=[1.0] * players, resource=[1.0, 2.0, 5.0]
    )
    known = symmetric_equilibrium(game)
    np.testing.assert_allclose(known.position, [1 / 8, 2 / 8, 5 / 8], rtol=1e-14)
    assert known.threshold == threshold_exponent(players)
    edge = min(threshold_exponent(players), 1e3)
    for exponent in (0.99 * edge, 1.01 * edge):
        near = rv.with_(game, exponent=exponent)
        stable = exponent < threshold_exponent(players)
        assert symmetric_spectrum(near, known.position).stable is stable
        assert symmetric_equilibrium(near).stable is stable
    positions = symmetric_positions(game)
    assert any(np.allclose(position, known.position, atol=1e-9) for position in positions)


@pytest.mark.parametrize("options", [{"reach": [0.4] * 4}, {"variance": [1.0] * 4, "covariance": SHAPE}])
@pytest.mark.slow
def test_gaussian_thresholds_hold_on_the_tangent_space_of_the_simplex(options: dict[str, Any]) -> None:
    game = rv.games.influencer(**WHERE | options)
    known = symmetric_equilibrium(game)
    assert known.threshold is not None
    name = "reach" if "reach" in options else "variance"
    for factor, stable in ((0.999, False), (1.001, True)):
        near = rv.with_(game, **{name: known.threshold * factor})
        assert symmetric_spectrum(near, known.position).stable is stable
        assert symmetric_equilibrium(near).stable is stable
    assert np.allclose(symmetric_positions(game)[0], known.position, atol=1e-9)


@pytest.mark.nightly
def test_symmetric_spectrum_matches_the_tangential_jacobian() -> None:
    game = rv.games.influencer(**WHERE, kernel="dirichlet", alpha=[1.2] * 3)
    (place,) = symmetric_positions(game)
    x = game.space.check(np.broadcast_to(place, (3, 3)))
    one = np.linalg.qr(np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, -2.0]]))[0]
    every = np.kron(np.eye(3), one)
    whole = np.linalg.eigvals(every.T @ np.asarray(oracles.jacobian(game, x)) @ every)
    found = symmetric_spectrum(game, place)
    ours = np.concatenate([found.split, found.split, found.together])
    np.testing.assert_allclose(np.sort(ours.real), np.sort(whole.real), rtol=1e-8)
    tangent = np.asarray(oracles.gradients(game, x)) @ one
    assert np.abs(tangent).max() <= 1e-9 * float(oracles.payoff_scale(game))
    with pytest.raises(ValueError, match="Dirichlet kernels; use symmetric_positions"):
        symmetric_equilibrium(game)
    assert "symmetric_stable" not in oracles.metrics(game, x)


@pytest.mark.nightly
def test_certificates_and_plot_data() -> None:
    game = rv.games.influencer(**CASES["dirichlet"])
    x = game.space.check(X)
    found = rv.certificate(game, x)
    assert (found.coverage in ("bounded", "tight"), found.rounding) == (True, "outward")
    assert np.all((found.regret <= found.bound) & (found.bound <= np.sum(game.weights)))
    assert not hasattr(game, "ceiling")
    assert tuple(oracles.plot_data(game)) == ("influence", "shares", "landscape", "resource")
    landscape = rv.view(game, "landscape", x)
    assert landscape.landscape_at.dims == ("grid_point", "coordinate")
    np.testing.assert_allclose(landscape.landscape_at.sum("coordinate"), 1, rtol=1e-12)
    k = 700
    moved = x.at[1].set(landscape.landscape_at.values[k])
    assert float(landscape.landscape[1, k]) == pytest.approx(float(game.payoffs(moved)[1]), rel=1e-12)
    best = landscape.landscape.max("grid_point")
    assert np.all(landscape.landscape_best_payoff >= best - 1e-9)
    assert np.all(found.bound >= best.values - np.asarray(game.payoffs(x)) - 1e-9)
    resource = rv.view(game, "resource", x)
    np.testing.assert_array_equal(resource.resource, game.weights)
    assert resource.resource_points.shape == (5, 3)
    with pytest.raises(ValueError, match="paper_default is for an interval"):
        oracles.named_start(game, "paper_default")


@pytest.mark.slow
def test_exchangeable_players() -> None:
    same = rv.games.influencer(**WHERE, kernel="dirichlet", alpha=[1, 2, 1], budgets=[3, 3, 3])
    assert oracles.exchangeable(same).tolist() == [0, 1, 0]
    assert oracles.exchangeable(rv.with_(same, budgets=[1, 2, 3])).tolist() == [0, 1, 2]
    assert oracles.exchangeable(rv.games.influencer(reach=[0.1, 0.2, 0.2, 0.1])).tolist() == [0, 1, 1, 0]
    custom = rv.games.influencer(kernel="custom", influence="exp(-(b-x)^2/s)", parameters={"s": [1, 2, 1]})
    assert oracles.exchangeable(custom).tolist() == [0, 1, 0]


def test_repr() -> None:
    assert repr(rv.games.influencer(**CASES["dirichlet"])) == (
        "Influencer game of 3 players on the simplex of 3 corners: "
        "kernel Dirichlet, alpha [1 2.5 0.7], resource 5.7 at 5 points"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corners", "at", "nodes", "error", "apart"), [(3, 0.51, 24, 3e-4, 2e-4), (4, 0.3825, 16, 2e-3, 3e-3)]
)
def test_usual_points_miss_a_symmetric_threshold_by_what_the_textbook_says(
    corners: int, at: float, nodes: int, error: float, apart: float
) -> None:
    ends = {}
    for name, points in {
        "usual": {},
        "fine": {"resource_points": {"kind": "continuous", "nodes": nodes}},
    }.items():
        game = rv.games.influencer(
            players=3, space="simplex", corners=corners, kernel="dirichlet_mode", **points
        )
        scan = rv.methods.Thresholds(
            "reach", low=0.95 * at, high=1.05 * at, points=21, position=[1 / corners] * corners
        )
        data = rv.solve(game, scan).data
        eigenvalues = np.sort(data.scan_eigenvalues_real.values, axis=1)
        falling = [row for row in eigenvalues.T if row[0] > 0 > row[-1]]
        roots = [np.interp(0.0, -row, data.scan_parameter.values) for row in falling]
        ends[name] = (min(roots), max(roots))
    assert ends["fine"][1] / ends["fine"][0] - 1 < 1e-4
    assert abs(ends["usual"][1] / ends["fine"][1] - 1) < error
    assert ends["usual"][1] / ends["usual"][0] - 1 < apart
