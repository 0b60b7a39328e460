"""Gauss rules against exact integrals and SciPy's adaptive quadrature."""

import numpy as np
import pytest
from scipy import integrate, special

from rivalry.families.influencer.continuous import on_box, on_simplex


@pytest.mark.parametrize("ends", [(0.0, 0.0), (-0.5, -0.5), (-0.7, 2.0), (1.5, -0.2), (0.3, -1 + 1e-3)])
def test_jacobi_rules_integrate_polynomials_exactly(ends: tuple[float, float]) -> None:
    p, q = ends
    nodes, weights = on_box([[0, 1]], 6, [ends])
    for degree in range(12):
        exact = special.beta(p + degree + 1, q + 1)
        assert weights @ nodes[:, 0] ** degree == pytest.approx(exact, rel=1e-12)


def test_large_rules_keep_full_precision() -> None:
    def bump(t: np.ndarray) -> np.ndarray:
        return np.exp(-((t - 0.3) ** 2) / 0.02)

    exact, _ = integrate.quad(bump, 0, 1, weight="alg", wvar=(-0.5, -0.3), epsabs=1e-14)
    for count in (64, 1024):
        nodes, weights = on_box([[0, 1]], count, [(-0.5, -0.3)])
        assert weights @ bump(nodes[:, 0]) == pytest.approx(exact, rel=1e-13)


def test_rules_on_boxes_are_product_rules() -> None:
    nodes, weights = on_box([[0, 2], [-1, 3]], 5)
    assert nodes.shape == (25, 2)
    assert weights @ (nodes[:, 0] ** 3 * nodes[:, 1] ** 2) == pytest.approx(4 * 28 / 3)
    moved, shares = on_box([[2, 5]], 8, [(0.5, 0.0)])
    assert shares @ moved[:, 0] == pytest.approx(integrate.quad(lambda b: b * (b - 2) ** 0.5, 2, 5)[0])


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("alphas", [None, [2.0, 1.5, 0.6], [0.5, 0.5, 3.0, 1.0]])
def test_rules_on_simplices_match_dirichlet_moments(alphas: list[float] | None, graded: bool) -> None:
    """The moments of a Dirichlet density."""
    a = np.ones(3) if alphas is None else np.asarray(alphas)
    nodes, weights = on_simplex(len(a), 24, alphas, graded=graded)
    np.testing.assert_allclose(nodes.sum(axis=1), 1, rtol=1e-13)
    total = np.exp(special.gammaln(a).sum() - special.gammaln(a.sum()))
    near = 1e-3 if graded else 1e-12  # graded powers are not polynomials
    assert weights.sum() == pytest.approx(total, rel=near)
    np.testing.assert_allclose(weights @ nodes / total, a / a.sum(), rtol=near)
    second = a[0] * a[2] / (a.sum() * (a.sum() + 1))
    assert weights @ (nodes[:, 0] * nodes[:, 2]) / total == pytest.approx(second, rel=near)


def test_graded_nodes_integrate_logarithms_and_fractional_powers() -> None:
    def rough(b: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(b[:, 1]) * b[:, 2] ** 0.3)

    # integral of log(b_2) b_3^0.3 over the simplex, from the derivative of the Dirichlet normaliser
    exact = special.gamma(1.3) / special.gamma(3.3) * (special.digamma(1) - special.digamma(3.3))
    errors = []
    for graded in (False, True):
        nodes, weights = on_simplex(3, 64, graded=graded)
        errors.append(abs(weights @ rough(nodes) - exact))
    assert errors[1] < 1e-9 < 1e-6 < errors[0]


def test_graded_nodes_integrate_singular_dirichlet_densities() -> None:
    a = np.array([0.3, 0.5, 2.0])
    nodes, weights = on_simplex(3, 64, a, graded=True)
    total = np.exp(special.gammaln(a).sum() - special.gammaln(a.sum()))
    np.testing.assert_allclose(weights @ nodes / total, a / a.sum(), rtol=1e-11)
