"""Continuous resources against adaptive quadrature, and wrong input."""

# ruff: noqa: E501

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import rivalry as rv
from rivalry import oracles

pytestmark = pytest.mark.mostly_slow

LINE = {"kind": "continuous"}


def by_integral(density: Any, reaches: list[float], x: list[float], low: float, high: float) -> np.ndarray:
    """Each player's payoff by adaptive quadrature."""

    def share(b: float, player: int) -> float:
        rows = [stats.norm.pdf(b, at, reach) * reach for at, reach in zip(x, reaches, strict=True)]
        return float(density(b) * rows[player] / sum(rows))

    # finer subintervals near the ends
    cuts = [low, low + 1e-6, low + 1e-3, (low + high) / 2, high - 1e-3, high - 1e-6, high]
    return np.array(
        [
            sum(
                integrate.quad(share, a, c, args=(player,), epsabs=1e-13, limit=200)[0]
                for a, c in pairwise(cuts)
            )
            for player in range(len(x))
        ]
    )


@pytest.mark.representative
@pytest.mark.default_only("function")
@pytest.mark.parametrize(
    ("resource", "density", "near"),
    [
        ({"kind": "beta", "a": 2, "b": 5}, stats.beta(2, 5).pdf, 1e-10),
        (
            {"kind": "beta", "a": 0.5, "b": 0.7},
            stats.beta(0.5, 0.7).pdf,
            1e-5,
        ),  # the error of the adaptive quadrature
        ({"kind": "formula", "formula": "1 + b^2"}, lambda b: 1 + b**2, 1e-10),
        (lambda b: np.exp(b), np.exp, 1e-10),
        ("uniform", lambda b: 1.0, 1e-10),
    ],
    ids=["beta", "singular beta", "formula", "function", "word"],
)
def test_on_an_interval(resource: Any, density: Any, near: float) -> None:
    game = rv.games.influencer(reach=[0.2, 0.3], resource_points=LINE, resource=resource)
    found = game.payoffs(game.space.check([0.2, 0.6]))
    np.testing.assert_allclose(
        found, by_integral(density, [0.2, 0.3], [0.2, 0.6], 0.0, 1.0), rtol=near, atol=near
    )


def test_densities_sum_to_one() -> None:
    for spec in ({"a": 0.3, "b": 0.4}, {"a": 1, "b": 1}, {"a": 7.5, "b": 0.9}):
        game = rv.games.influencer(players=2, resource_points=LINE, resource={"kind": "beta", **spec})
        assert float(oracles.payoff_scale(game)) == pytest.approx(1, rel=1e-10)
    simplex = rv.games.influencer(
        space="simplex",
        reach=[0.3, 0.4],
        resource_points={"kind": "continuous", "tolerance": 1e-6},
        resource={"kind": "dirichlet", "alphas": [0.5, 2, 3]},
    )
    assert float(oracles.payoff_scale(simplex)) == pytest.approx(1, rel=1e-10)
    mean = np.asarray(simplex.weights) @ np.asarray(simplex.points)
    np.testing.assert_allclose(mean, np.array([0.5, 2, 3]) / 5.5, rtol=1e-10)


def test_normalisation_on_domains() -> None:
    wide = rv.games.influencer(
        players=2, bounds=[-1, 3], resource_points=LINE, resource={"kind": "beta", "a": 2, "b": 2}
    )
    assert np.asarray(wide.points).min() > 0
    assert float(oracles.payoff_scale(wide)) == pytest.approx(1, rel=1e-10)
    part = rv.games.influencer(
        players=2,
        resource_points={"kind": "continuous", "domain": [0.2, 0.5]},
        resource={"kind": "beta", "a": 2, "b": 2},
    )
    exact = stats.beta(2, 2).cdf(0.5) - stats.beta(2, 2).cdf(0.2)
    assert float(oracles.payoff_scale(part)) == pytest.approx(exact, rel=1e-12)
    plane = rv.games.influencer(
        space="box",
        reach=[0.5, 0.6],
        resource_points={"kind": "continuous", "tolerance": 1e-6},
        resource={"kind": "mixture", "means": [[0.5, 0.5]], "stds": 0.2},
        third_party="0.1",
        normalise=True,
    )
    assert float(oracles.payoff_scale(plane)) == pytest.approx(1)
    x = plane.space.check([[0.2, 0.3], [0.6, 0.7]])
    assert float(plane.all_payoffs(x).sum()) == pytest.approx(1, rel=1e-12)


def test_dirichlet_kernels_reach_the_boundary() -> None:
    game = rv.games.influencer(
        space="simplex",
        kernel="dirichlet",
        alpha=[1.0, 1.5],
        resource_points={"kind": "continuous", "tolerance": 1e-4},
        resource={"kind": "dirichlet", "alphas": [2, 2, 3]},
    )
    finer = rv.games.influencer(
        space="simplex",
        kernel="dirichlet",
        alpha=[1.0, 1.5],
        resource_points={"kind": "mesh", "m": 9, "inset": 1e-5},
        resource={"kind": "dirichlet", "alphas": [2, 2, 3]},
        normalise=True,
    )
    x = game.space.check([[0.3, 0.3, 0.4], [0.4, 0.2, 0.4]])
    np.testing.assert_allclose(game.payoffs(x), finer.payoffs(x), rtol=1e-3)


def _tanh_sinh(count: int = 240) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes t of [0, 1], 1 - t, and weights: a rule for integrands with end-point singularities."""
    s = np.linspace(-3.6, 3.6, count)
    t, rest = 1 / (1 + np.exp(-np.pi * np.sinh(s))), 1 / (1 + np.exp(np.pi * np.sinh(s)))
    return t, rest, (s[1] - s[0]) * np.pi * np.cosh(s) * t * rest


def test_singular_demand_on_a_simplex_matches_tanh_sinh_quadrature() -> None:
    alphas = np.array([0.6, 1.2, 2.0])
    game = rv.games.influencer(
        space="simplex",
        kernel="dirichlet",
        alpha=[1.0, 1.5],
        resource_points=LINE,
        resource={"kind": "dirichlet", "alphas": alphas.tolist()},
    )
    x = np.array([[0.5, 0.3, 0.2], [0.2, 0.4, 0.4]])
    t, rest, w = _tanh_sinh()
    b = np.stack([np.outer(t, np.ones_like(t)), np.outer(rest, t), np.outer(rest, rest)]).reshape(3, -1)
    b = b / b.sum(axis=0)
    cells = np.outer(w * rest, w).ravel() * stats.dirichlet(alphas).pdf(b)
    f = np.stack([stats.dirichlet(a * y / y[0]).pdf(b) for a, y in zip((1.0, 1.5), x, strict=True)])
    np.testing.assert_allclose(game.payoffs(game.space.check(x)), f / f.sum(axis=0) @ cells, rtol=1e-10)


def test_a_given_number_of_nodes_is_not_doubled() -> None:
    """Games of one batch then have one size."""
    wide, narrow = (
        rv.games.influencer(reach=[r, r], resource_points=LINE | {"nodes": 40}, resource="bimodal")
        for r in (0.3, 0.03)
    )
    assert len(wide.points) == len(narrow.points) == 40
    x = wide.space.check([0.2, 0.6])
    fine = rv.games.influencer(reach=[0.3, 0.3], resource_points=LINE, resource="bimodal")
    np.testing.assert_allclose(wide.payoffs(x), fine.payoffs(x), rtol=1e-6)


@pytest.mark.representative
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resource": [1.0, 2.0]}, r"resource: numbers have no value between points; .* kind mixture, beta"),
        ({"resource": {"kind": "array", "values": [1]}}, r"resource: numbers have no value between points"),
        ({"resource": {"kind": "file", "path": "x.csv"}}, r"resource: numbers have no value between points"),
        ({"resource": "bimodl"}, r"resource: 'bimodl' is no known word; did you mean 'bimodal'\?"),
        ({"resource": {"kind": "btea"}}, r"resource.kind: 'btea' is unknown; did you mean 'beta'\?"),
        ({"resource": {"kind": "beta", "a": 0, "b": 1}}, r"resource.a: 0 must be above 0"),
        ({"third_party": [1.0, 2.0]}, r"third_party: numbers have no value between points"),
        ({"resource_points": LINE | {"domian": [0, 1]}}, r"resource_points.domian: unknown key; did you mean 'domain'"),
        ({"resource_points": LINE | {"domain": [1, 0]}}, r"resource_points.domain\[0\]: \[1, 0\] must have low below"),
        ({"resource_points": LINE | {"domain": "all"}}, r"resource_points.domain: 'all' must be numbers"),
        ({"resource_points": LINE | {"domain": [[0, 1], [0, 1]]}}, r"resource_points.domain: .* must be \[low, high\]"),
        ({"resource_points": LINE | {"tolerance": 0}}, r"resource_points.tolerance: 0 must be above 0 and below 1"),
        ({"resource_points": LINE | {"nodes": 1}}, r"resource_points.nodes: 1 must be a whole number of at least 2"),
        ({"resource_points": LINE | {"nodes": 9999}}, r"resource_points.nodes: 9999 in each direction are more than 4096"),
        (
            {"resource_points": LINE | {"domain": [2, 3]}, "resource": {"kind": "beta", "a": 1, "b": 1}},
            r"resource_points.domain: .* holds none of a beta density's \[0, 1\]",
        ),
        (
            {"space": "simplex", "resource_points": LINE | {"domain": [0, 1]}},
            r"resource_points.domain: on a simplex the resource is on all of it",
        ),
        (
            {"kernel": "power_law", "resource": "uniform"},
            r"resource_points: payoffs or gradients still move by .* must be below 1e-10",
        ),
    ],
)  # fmt: skip
def test_wrong_input(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        rv.games.influencer(**{"players": 2, "resource_points": LINE} | options)
    assert "\n" not in str(error.value)
