"""Resource points and densities."""

import numpy as np
import pytest
from scipy.stats import beta, multivariate_normal

from rivalry.families.resources import resource_points, resource_weights

LINE, SQUARE = [[0.0, 1.0]], [[0.0, 5.0], [0.0, 5.0]]
POINTS = np.linspace(0.001, 0.999, 100)[:, None]


def test_default_points() -> None:
    np.testing.assert_array_equal(resource_points(None, LINE), POINTS)
    np.testing.assert_allclose(resource_points(None, [[0.0, 10.0]]), 10 * POINTS)
    assert resource_points(None, SQUARE).shape == (400, 2)


def test_grid_varies_the_first_coordinate_fastest() -> None:
    points = resource_points(
        {"kind": "grid", "bounds": [[0, 1], [5, 7], [2, 4]], "num": [2, 3, 2]}, [[0.0, 9.0]] * 3
    )
    assert (points.shape, points[:3].tolist()) == ((12, 3), [[0, 5, 2], [1, 5, 2], [0, 6, 2]])
    assert points[6].tolist() == [0, 5, 4]


def test_explicit_points_are_used_unchanged() -> None:
    assert resource_points([0.1, 0.2], LINE).tolist() == [[0.1], [0.2]]
    assert resource_points({"kind": "points", "values": [[1, 2], [3, 4]]}, SQUARE).tolist() == [
        [1, 2],
        [3, 4],
    ]


def test_mixture_is_a_weighted_sum_of_gaussians_of_unit_height() -> None:
    spec = {"kind": "mixture", "means": [0.25, 0.75], "stds": [0.1, 0.2], "weights": [2, 3]}
    b = POINTS[:, 0]
    direct = 2 * np.exp(-((b - 0.25) ** 2) / 0.02) + 3 * np.exp(-((b - 0.75) ** 2) / 0.08)
    np.testing.assert_allclose(resource_weights(spec, POINTS), direct, rtol=1e-13)


def test_mixture_in_the_plane() -> None:
    points = resource_points(None, SQUARE)
    covariance = [[1.0, 0.3], [0.3, 0.5]]
    spec = {"kind": "mixture", "means": [[1, 2]], "covariances": [covariance]}
    density = multivariate_normal([1, 2], covariance)
    np.testing.assert_allclose(
        resource_weights(spec, points), density.pdf(points) / density.pdf([1, 2]), rtol=1e-12, atol=1e-300
    )
    round_one = resource_weights({"kind": "mixture", "means": [[1, 2]], "stds": 0.5}, points)
    same = resource_weights({"kind": "mixture", "means": [[1, 2]], "covariances": [np.eye(2) / 4]}, points)
    np.testing.assert_allclose(round_one, same, rtol=1e-13)


def test_text_that_is_not_a_known_name_is_a_formula() -> None:
    points = np.array([[0.0], [0.5], [1.0]])
    np.testing.assert_allclose(resource_weights("exp(-b)", points), np.exp(-points[:, 0]), rtol=1e-15)
    plane = np.array([[0.5, 2.0], [1.0, 0.0]])
    np.testing.assert_allclose(resource_weights("1 + b1*b2", plane), [2.0, 1.0])


def test_a_beta_density_is_zero_outside_the_unit_interval_and_its_poles_are_refused() -> None:
    weights = resource_weights({"kind": "beta", "a": 2, "b": 3}, np.array([[-0.5], [0.5], [1.5]]))
    np.testing.assert_allclose(weights, [0.0, beta.pdf(0.5, 2, 3), 0.0], rtol=1e-12)
    with pytest.raises(ValueError, match=r"resource\[0\]: inf must be a finite number"):
        resource_weights({"kind": "beta", "a": 0.5, "b": 3}, np.array([[0.0], [0.5]]))


@pytest.mark.parametrize("mass", [0.0, 0.01, 0.3])
def test_an_inset_conserves_mass_and_moves_only_points_on_the_boundary(mass: float) -> None:
    points = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    shifted = resource_points(
        {"kind": "points", "values": points, "inset": mass}, [[0.0, 1.0]] * 3, simplex=True
    )
    np.testing.assert_allclose(shifted.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(shifted[:2], [[1 - mass, mass / 2, mass / 2], [0.5 - mass / 2] * 2 + [mass]])
    np.testing.assert_array_equal(shifted[2], points[2])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bimodal", "resource: 'bimodal' is for an interval; give a mixture of 2 coordinates"),
        ({"kind": "beta", "a": 1, "b": 1}, "resource: beta is a density on an interval"),
        ({"kind": "dirichlet", "alphas": [1, 1]}, "its points must sum to 1"),
        ({"kind": "dirichlet", "alphas": [1, 0]}, r"resource.alphas\[1\]: 0 must be above 0"),
        (
            {"kind": "mixture", "means": [[0, 0]], "covariances": [np.ones((2, 2))]},
            r"covariances\[0\]: smallest",
        ),
        ({"kind": "mixture", "means": [[0, 0]], "stds": float("nan")}, r"resource.stds\[0\]: nan must be"),
    ],
)
def test_resources_that_do_not_fit_the_plane_are_refused(spec: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resource_weights(spec, np.array([[0.2, 0.3], [0.4, 0.1]]))


@pytest.mark.parametrize("kind", ["beta", "beta_pdf"])
def test_beta_resource_is_the_beta_density(kind: str) -> None:
    spec = {"kind": kind, "a": 2, "b": 5}
    np.testing.assert_allclose(resource_weights(spec, POINTS), beta.pdf(POINTS[:, 0], 2, 5), rtol=1e-12)


def test_named_array_and_callable_resources() -> None:
    np.testing.assert_allclose(
        resource_weights("bimodal", POINTS),
        resource_weights(lambda b: np.exp(-50 * (b - 0.25) ** 2) + np.exp(-50 * (b - 0.75) ** 2), POINTS),
        rtol=1e-12,
    )
    assert resource_weights("uniform", POINTS).tolist() == [1.0] * 100
    assert resource_weights([1, 2, 3], POINTS[:3]).tolist() == [1, 2, 3]
    assert resource_weights({"kind": "array", "values": [1, 2]}, POINTS[:2]).tolist() == [1, 2]
    plane = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert resource_weights(lambda b: b[0] + b[1], plane).tolist() == [3.0, 7.0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bimodel", r"resource: 'bimodel' .* did you mean 'bimodal'"),
        ({"kind": "mixtur"}, r"resource.kind: 'mixtur' .* 'mixture'"),
        ({"kind": "mixture", "means": [0.2]}, "means and either stds or covariances"),
        ({"kind": "mixture", "means": [0.2], "stds": [0.1], "std": 1}, "resource.std: unknown key"),
        ({"kind": "mixture", "means": [0.2, 0.3], "stds": [0.1]}, r"resource.stds: 1 values for 2 modes"),
        ({"kind": "mixture", "means": [0.2], "stds": [-0.1]}, r"resource.stds\[0\]: -0.1 must be above 0"),
        ({"kind": "mixture", "means": [0.2], "stds": [0.1], "weights": [1, 2]}, "2 values for 1 modes"),
        ({"kind": "mixture", "means": [[0.2, 1]], "stds": [0.1]}, r"shape \(1, 2\) must be \(modes, 1\)"),
        ({"kind": "beta", "a": -1, "b": 2}, r"resource.a: -1 must be above 0"),
        ({"kind": "beta", "a": 1}, "resource.b: is missing"),
        ({"kind": "array"}, "resource.values: is missing"),
        ([1.0, 2.0], "2 values for 100 resource points"),
        ([1.0] * 99 + [-2.0], r"resource\[99\]: -2.0 must be a finite number of at least 0"),
        ([1.0] * 99 + [float("nan")], r"resource\[99\]: nan"),
        ([0.0] * 100, "all 100 values are 0"),
        (["a"] * 100, "must be numbers"),
    ],
)
def test_invalid_resources_are_refused(spec: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resource_weights(spec, POINTS)


@pytest.mark.parametrize(
    ("spec", "bounds", "message"),
    [
        ({"kind": "line"}, LINE, "resource_points.kind: 'line'"),
        (
            {"kind": "linspace", "start": 0, "stop": 1, "num": 1},
            LINE,
            "num: 1 must be a whole number of at least 2",
        ),
        ({"kind": "linspace", "start": 0, "num": 5}, LINE, "resource_points.stop: is missing"),
        ({"kind": "linspace", "start": 0, "stop": 1, "num": 5}, SQUARE, "for an interval, not for 2 axes"),
        ({"kind": "grid", "num": [3]}, SQUARE, "1 numbers for 2 axes"),
        ({"kind": "grid", "bounds": [[0, 1]], "num": 3}, SQUARE, "1 axes given; must be 2"),
        ([[0.1, 0.2]], LINE, r"shape \(1, 2\) must be \(points, 1\)"),
        ([0.1], LINE, "must be at least 2"),
        ([0.1, float("inf")], LINE, r"resource_points\[1\]: must be finite"),
    ],
)
def test_invalid_points_are_refused(spec: object, bounds: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resource_points(spec, bounds)
