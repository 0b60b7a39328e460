"""Densities with their mode at the position: Beta on an interval, Dirichlet on a simplex."""

import warnings
from itertools import permutations
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from scipy.special import polygamma

import rivalry as rv
from rivalry.families.influencer.kernels import Beta, DirichletMode
from rivalry.influencers import symmetric_equilibrium

RNG = np.random.default_rng(7)
SIMPLEX: dict[str, Any] = {"space": "simplex", "kernel": "dirichlet_mode"}
TOPICS = {"kind": "dirichlet", "alphas": [2, 3, 4]}


@pytest.mark.slow
def test_influence_is_the_density_with_its_mode_at_the_position() -> None:
    reach, b = np.array([0.3, 0.05]), np.array([0.1, 0.4, 0.85])
    logs = Beta(jnp.asarray(reach)).logs(jnp.array([[0.2], [0.7]]), jnp.asarray(b[:, None]))
    for own, x, s in zip(logs, (0.2, 0.7), reach, strict=True):
        known = stats.beta(1 + x / s, 1 + (1 - x) / s)
        np.testing.assert_allclose(own, known.logpdf(b), rtol=1e-11)
        around = np.linspace(0.001, 0.999, 999)
        assert around[known.pdf(around).argmax()] == pytest.approx(x)
    points, x = RNG.dirichlet(np.ones(3), 5), RNG.dirichlet(np.ones(3), 2)
    logs = DirichletMode(jnp.asarray(reach)).logs(jnp.asarray(x), jnp.asarray(points))
    for own, at, s in zip(logs, x, reach, strict=True):
        np.testing.assert_allclose(own, stats.dirichlet(1 + at / s).logpdf(points.T), rtol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [Beta, DirichletMode])
def test_derivatives_are_those_of_log_influence(kernel: Any) -> None:
    axes = 1 if kernel is Beta else 3
    own = kernel(jnp.array([0.3, 0.05]))
    x, points = (jnp.asarray(RNG.dirichlet(np.ones(max(axes, 2)), k)[:, :axes]) for k in (2, 4))

    def row(at: Any) -> Any:
        return own.logs(at, points)

    first = jnp.einsum("ipia->ipa", jax.jacfwd(row)(x))
    second = jnp.einsum("ipiaib->ipab", jax.jacfwd(jax.jacfwd(row))(x))
    np.testing.assert_allclose(own.gradients(x, points), first, rtol=1e-10)
    np.testing.assert_allclose(own.hessians(x, points), second, rtol=1e-10, atol=1e-9)


GAMES: dict[str, dict[str, Any]] = {
    "symmetric": {"kernel": "beta", "reach": [0.2] * 4, "resource": "bimodal"},
    "skewed": {"kernel": "beta", "reach": [0.2] * 5, "resource": "2 + b"},
    "simplex": {**SIMPLEX, "reach": [0.2] * 4, "resource": TOPICS},
}


@eqx.filter_jit
def gradients(game: Any, x: Any) -> Any:
    return jnp.einsum("iia->ia", jax.jacrev(game.payoffs)(x))


@eqx.filter_jit
def slopes_of(game: Any, x: Any) -> Any:
    return jax.jacfwd(lambda y: gradients(game, y))(x)


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
def test_thresholds_are_where_an_eigenvalue_of_the_jacobian_crosses_zero(name: str) -> None:
    """The Jacobian is that of the payoffs, by automatic differentiation, with all players at one position."""
    known = symmetric_equilibrium(rv.games.influencer(**GAMES[name]))
    assert known.threshold is not None
    for factor, stable in ((0.99, False), (1.01, True)):
        players = len(GAMES[name]["reach"])
        game = rv.games.influencer(**{**GAMES[name], "reach": [known.threshold * factor] * players})
        there = symmetric_equilibrium(game)
        assert there.stable == stable
        x = jnp.broadcast_to(jnp.asarray(there.position), game.space.shape)

        basis = np.eye(1)
        if name == "simplex":
            basis = np.linalg.svd(np.ones((1, 3)))[2][1:].T
        assert np.abs(gradients(game, x) @ basis).max() < 1e-9
        blocks = np.einsum("am,iajb,bn->imjn", basis, slopes_of(game, x), basis)
        size = players * basis.shape[1]
        assert (np.linalg.eigvals(blocks.reshape(size, size)).real.max() < 0) == stable


def test_a_uniform_resource_has_the_variance_of_a_logistic_variable() -> None:
    """Log-odds of a uniform variable have variance pi^2/3, so three players need psi'(1 + 1/2s) = pi^2/12."""
    game = rv.games.influencer(
        kernel="beta", reach=[1.0] * 3, resource_points={"kind": "continuous", "nodes": 512}
    )
    known = symmetric_equilibrium(game)
    expected = brentq(lambda s: polygamma(1, 1 + 1 / (2 * s)) - np.pi**2 / 12, 0.1, 10.0)
    assert known.position is not None
    np.testing.assert_allclose(known.position, [0.5])
    assert known.threshold == pytest.approx(expected, rel=1e-3)
    assert symmetric_equilibrium(rv.games.influencer(kernel="beta", reach=[0.1] * 2)).threshold == 0.0
    ends = {"resource_points": [0.001, 0.999], "resource": [1, 1]}
    assert symmetric_equilibrium(rv.games.influencer(kernel="beta", players=9, **ends)).threshold == np.inf


@pytest.mark.parametrize(
    ("corners", "within"), [(2, 1e-3), (3, 1e-3), (4, 5e-3), pytest.param(5, 0.02, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("players", [3, 5])
def test_thresholds_of_uniform_resources_depend_on_no_mesh(corners: int, within: float, players: int) -> None:
    """Logarithms of uniform shares have covariance pi^2/6 along the simplex, whatever its corners."""
    threshold = symmetric_equilibrium(
        rv.games.influencer(**SIMPLEX, corners=corners, reach=[0.3] * players)
    ).threshold
    weight = (players - 2) / (players - 1)
    exact = brentq(lambda s: polygamma(1, 1 + 1 / (corners * s)) - weight * np.pi**2 / 6, 0.05, 50.0)
    assert threshold == pytest.approx(exact, rel=within)
    draws = np.random.default_rng(1).dirichlet(np.ones(corners), 20_000)
    drawn = rv.games.influencer(
        **SIMPLEX, corners=corners, reach=[0.3] * players, resource_points=draws, resource=np.ones(20_000)
    )
    assert threshold == pytest.approx(symmetric_equilibrium(drawn).threshold, rel=0.06)


@pytest.mark.slow
@pytest.mark.parametrize(("corners", "within"), [(3, 1e-5), (4, 1e-3), (5, 0.02)])
def test_corners_in_another_order_have_the_same_payoffs(corners: int, within: float) -> None:
    """Up to the error of the usual points, which a rule over one coordinate after the other has."""
    game = rv.games.influencer(**SIMPLEX, corners=corners, reach=[0.3] * 3)
    x = np.random.default_rng(0).dirichlet(3 * np.ones(corners), 3)
    for order in permutations(range(corners)):
        np.testing.assert_allclose(game.payoffs(x[:, order]), game.payoffs(x), rtol=within)


@pytest.mark.parametrize("corners", [3, 4, 6])
def test_the_error_of_the_usual_points_is_stated(corners: int) -> None:
    """Of six corners few points per direction would have to be a million in all."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rv.games.influencer(**SIMPLEX, corners=corners, reach=[0.3] * 3)
    coarse = [str(warning.message) for warning in caught if "resource_points" in str(warning.message)]
    assert bool(coarse) == (corners > 5)
    assert all(
        "the 1024 usual points of 6 corners miss variances of log shares by" in line for line in coarse
    )


def test_points_off_edges_hold_as_much_as_those_of_a_mesh() -> None:
    """On average one unit of a uniform resource per point; amounts given as numbers are those of a mesh."""
    game = rv.games.influencer(**SIMPLEX, players=3)
    assert float(jnp.sum(game.weights)) == pytest.approx(len(game.points), rel=1e-12)
    mean = np.asarray(game.weights) @ np.asarray(game.points) / len(game.points)
    np.testing.assert_allclose(mean, 1 / 3, rtol=1e-3)
    assert len(rv.games.influencer(**SIMPLEX, players=3, resource=np.ones(153)).points) == 153
    assert len(rv.games.influencer(**SIMPLEX, players=3, third_party=np.ones(153)).points) == 153


@pytest.mark.nightly
def test_equilibria_are_found_at_the_closed_forms() -> None:
    game = rv.games.influencer(kernel="beta", reach=[0.3] * 2, resource="bimodal")
    found = rv.solve(game, rv.methods.GradientAscent(rate=1e-3), [0.2, 0.7])
    assert found.claim == "equilibrium"
    np.testing.assert_allclose(found.profile, 0.5, atol=1e-6)
    topics = rv.games.influencer(**SIMPLEX, reach=[0.3] * 3, resource=TOPICS)
    found = rv.solve(topics, rv.methods.BestResponse(), [[0.3, 0.3, 0.4]] * 3)
    np.testing.assert_allclose(found.profile.values, [symmetric_equilibrium(topics).position] * 3, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kernel": "beta", "bounds": [0, 2]},
            r"^bounds: \[0.0, 2.0\] must be \[0, 1\] for the beta kernel$",
        ),
        (
            {"kernel": "beta", "resource_points": [0.5, 1.0], "resource": [1, 1]},
            r"^resource_points\[1\]: 1 must be above 0 and below 1 for the beta kernel$",
        ),
        (
            {**SIMPLEX, "resource_points": {"kind": "corners"}},
            r"^resource_points\[0\]: coordinate 1 is 0; must be above 0 for the dirichlet_mode kernel",
        ),
        (
            {"kernel": "dirichlet_mode"},
            r"^kernel: dirichlet_mode is for a simplex; an interval takes gaussian",
        ),
        ({"kernel": "beta", "alpha": 2.0}, r"^alpha: is no parameter of the beta kernel; it has reach$"),
    ],
)
def test_wrong_input_gives_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rv.games.influencer(**options)
