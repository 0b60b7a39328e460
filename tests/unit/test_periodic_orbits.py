"""Hopf points and periodic orbits: normal forms, van der Pol, the influencer game, and jaxcont."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.game import with_
from rivalry.core.space import Box, Simplex, Space
from rivalry.methods.limit_sets import periodic_orbits
from rivalry.runtime.jax import jax, jnp, put

pytestmark = pytest.mark.slow


HOPF, DISTANCE = 0.15818468164430274, 0.15036106100538038
FREQUENCY = 62.28242444425924


class Field(eqx.Module):
    """A game whose payoff gradients are a given vector field."""

    space: Space
    parameter: Array
    slope: Callable[[Array, Array], Array] = eqx.field(static=True)

    def payoffs(self, x: Array) -> Array:
        return jnp.zeros(x.shape[0])

    def gradients(self, x: Array) -> Array:
        return self.slope(x.ravel(), self.parameter).reshape(x.shape)


oracles.gradients.register(Field)(Field.gradients)


def plane(slope: Callable[[Array, Array], Array], parameter: object = 0.0, players: int = 2) -> Field:
    return Field(Box.interval(-10.0, 10.0, players=players), put(parameter), slope)


def normal_form(u: Array, mu: Array, a: float = -0.7, b: float = 0.4, w: float = 3.0) -> Array:
    """``z' = (mu + iw) z + (a + ib) z |z|^2`` in ``z = u1 + i u2``, with a stable third direction."""
    square = u[0] ** 2 + u[1] ** 2
    grow, turn = mu + a * square, w + b * square
    return jnp.stack([grow * u[0] - turn * u[1], turn * u[0] + grow * u[1], -2 * u[2]])


def bent(x: Array, mu: Array) -> Array:
    """The normal form in curvilinear coordinates: quadratic terms, a curved manifold, equal coefficient."""
    u = jnp.stack([x[0] - 0.8 * x[1] ** 2, x[1], x[2] - 1.5 * (x[0] - 0.8 * x[1] ** 2) * x[1]])
    du = normal_form(u, mu)
    first = du[0] + 1.6 * u[1] * du[1]
    return jnp.stack([first, du[1], du[2] + 1.5 * (du[0] * u[1] + u[0] * du[1])])


def van_der_pol(x: Array, mu: Array) -> Array:
    return jnp.stack([x[1], mu * (1 - x[0] ** 2) * x[1] - x[0]])


def bimodal(reach: float) -> rv.Game:
    return with_(rv.games.influencer(reach=[0.15] * 3, resource="bimodal"), reach=reach)


def at_hopf() -> Array:
    return put(np.array([[0.5 - DISTANCE], [0.5], [0.5 + DISTANCE]]))


def test_lyapunov_coefficient_of_a_transformed_normal_form() -> None:
    # a vector (1, -i, 0) / sqrt 2 of length 1 makes |z|^2 = 2 |w|^2, so c = 2 (a + ib)
    found = periodic_orbits.hopf_coefficient(plane(bent, players=3), jnp.zeros((3, 1)))
    assert found.frequency == pytest.approx(3.0, rel=1e-12)
    assert found.lyapunov == pytest.approx(2 * -0.7 / 3.0, rel=1e-10)
    assert found.cubic.real == pytest.approx(2 * -0.7, rel=1e-10)
    assert np.linalg.norm(found.vector) == pytest.approx(1.0)


def holomorphic(u: Array, p: object, args: object) -> Array:
    """The game's gradients for complex positions, as jaxcont requires."""
    b = jnp.linspace(0.001, 0.999, 100)
    weights = jnp.exp(-((b - 0.25) ** 2) / 0.02) + jnp.exp(-((b - 0.75) ** 2) / 0.02)
    f = jnp.exp(-((b - u[:, None]) ** 2) / (2 * HOPF**2))
    share = f / f.sum(axis=0)
    return (weights * share * (1 - share) * (b - u[:, None]) / HOPF**2).sum(axis=1)


def test_lyapunov_coefficient_is_twice_that_of_jaxcont() -> None:
    jaxcont = pytest.importorskip("jaxcont")
    game, x = bimodal(HOPF), at_hopf()
    found = periodic_orbits.hopf_coefficient(game, x)
    vector = found.vector.ravel()
    other = jax.jit(partial(jaxcont.lyapunov_coefficient, holomorphic))(
        x.ravel(), 0.0, put(vector.real), put(vector.imag), put(found.frequency)
    )
    assert found.frequency == pytest.approx(FREQUENCY, rel=1e-8)
    assert found.lyapunov == pytest.approx(2 * float(other), rel=1e-7)
    assert found.lyapunov < 0


def test_orbit_of_the_normal_form_is_a_circle() -> None:
    mu, a, b, w = 0.35, -0.7, 0.4, 3.0
    game = plane(lambda x, p: normal_form(jnp.append(x, 0.0), p)[:2], mu)
    orbit = periodic_orbits.small_orbit(game, jnp.zeros((2, 1)))
    assert orbit is not None
    radius = np.sqrt(mu / -a)
    assert orbit.period == pytest.approx(2 * np.pi / (w + b * mu / -a), rel=1e-9)
    np.testing.assert_allclose(orbit.high, radius, rtol=1e-7)
    np.testing.assert_allclose(orbit.low, -radius, rtol=1e-7)
    assert orbit.multipliers[0].real == pytest.approx(np.exp(-2 * mu * orbit.period), rel=1e-8)
    assert orbit.stable
    assert orbit.residual < 1e-11


def test_no_orbit_before_a_supercritical_hopf_point() -> None:
    game = plane(lambda x, p: normal_form(jnp.append(x, 0.0), p)[:2], -0.35)
    assert periodic_orbits.small_orbit(game, jnp.zeros((2, 1))) is None


@pytest.mark.parametrize(("mu", "period"), [(1.0, 6.6632868593231), (5.0, 11.6122306677)])
def test_van_der_pol_period_and_multiplier(mu: float, period: float) -> None:
    angle = -2 * np.pi * np.arange(40) / 40
    guess = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)[..., None]
    game = plane(van_der_pol, 0.1)
    first = periodic_orbits.periodic_orbit(game, guess, 6.3)
    assert first is not None
    (orbit,) = periodic_orbits.continue_orbits(lambda p: with_(game, parameter=p), first, 0.1, [mu])
    assert orbit.period == pytest.approx(period, rel=1e-9)
    # Liouville: the multiplier is exp of the divergence's integral; sums over equal times converge fast
    divergence = mu * (1 - orbit.path[:, 0, 0] ** 2)
    expected = np.exp(orbit.period * divergence.mean())
    assert abs(orbit.multipliers[0]) == pytest.approx(expected, rel=1e-3, abs=1e-9)
    assert orbit.stable


def test_continuation_starts_nearer_if_eigenvalues_are_real() -> None:
    game = plane(van_der_pol, 0.1)  # the eigenvalues at rest are real from mu = 2 on
    _, orbit = periodic_orbits.orbits_beyond(
        lambda p: with_(game, parameter=p), 0.0, jnp.zeros((2, 1)), [2.5, 5.0]
    )
    assert orbit.period == pytest.approx(11.6122306677, rel=1e-9)


def test_unstable_orbits_are_found() -> None:
    game = plane(lambda x, p: -van_der_pol(x, p), 1.0)
    angle = 2 * np.pi * np.arange(12) / 12
    guess = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)[..., None]
    orbit = periodic_orbits.periodic_orbit(game, guess, 6.5)
    assert orbit.period == pytest.approx(6.6632868593231, rel=1e-9)
    assert not orbit.stable


def test_orbit_on_a_simplex_sums_to_one() -> None:
    frame = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])

    def slope(x: Array, mu: Array) -> Array:
        u = frame @ (x - 1 / 3)
        # the component normal to the simplex is projected away
        return frame.T @ normal_form(jnp.append(u, 0.0), mu, a=-10.0)[:2] + 7.0

    orbit = periodic_orbits.small_orbit(Field(Simplex((3,)), put(0.1), slope), jnp.full((1, 3), 1 / 3))
    np.testing.assert_allclose(orbit.path.sum(axis=-1), 1.0, atol=1e-12)
    assert orbit.period == pytest.approx(2 * np.pi / (3.0 + 0.4 * 0.01), rel=1e-9)
    assert len(orbit.multipliers) == 1


def numpy_gradients(x: np.ndarray, reach: float) -> np.ndarray:
    b = np.linspace(0.001, 0.999, 100)
    weights = np.exp(-((b - 0.25) ** 2) / 0.02) + np.exp(-((b - 0.75) ** 2) / 0.02)
    f = np.exp(-((b - x[:, None]) ** 2) / (2 * reach**2))
    share = f / f.sum(axis=0)
    return np.asarray((weights * share * (1 - share) * (b - x[:, None]) / reach**2).sum(axis=1))


def test_cycles_beyond_the_hopf_point_of_three_players() -> None:
    from scipy.integrate import solve_ivp

    reaches = [0.158, 0.1575, 0.157, 0.15]
    found = periodic_orbits.orbits_beyond(bimodal, HOPF, at_hopf(), reaches)
    cycles = [orbit for orbit in found if orbit is not None]
    assert len(cycles) == 4
    amplitude = [float(orbit.high[1, 0] - orbit.low[1, 0]) / 2 for orbit in cycles[:3]]
    rates = np.square(amplitude) / (HOPF - np.array(reaches[:3]))
    np.testing.assert_allclose(rates, [4.76, 4.45, 4.23], atol=0.005)
    periods = [orbit.period for orbit in cycles]
    np.testing.assert_allclose(periods, [0.0988, 0.0947, 0.0919, 0.08033], atol=5e-5)
    last = cycles[-1]
    assert last.low.min() == pytest.approx(0.29903, abs=1e-5)
    assert last.high.max() == pytest.approx(0.70097, abs=1e-5)
    assert all(orbit.stable for orbit in cycles)
    round_once = solve_ivp(
        lambda t, x: numpy_gradients(x, 0.15), (0, last.period), last.path[0, :, 0], rtol=1e-11, atol=1e-13
    )
    np.testing.assert_allclose(round_once.y[:, -1], last.path[0, :, 0], atol=1e-7)


def test_wrong_input_is_refused() -> None:
    game, x = bimodal(0.25), put(np.full((3, 1), 0.5))
    with pytest.raises(ValueError, match="eigenvalues are real"):
        periodic_orbits.hopf_coefficient(game, x)
    with pytest.raises(ValueError, match=r"points: shape \(3, 3, 1\) must be \(points, 3, 1\)"):
        periodic_orbits.periodic_orbit(game, np.zeros((3, 3, 1)), 1.0)
    with pytest.raises(ValueError, match="period: -1 must be above 0"):
        periodic_orbits.periodic_orbit(game, np.zeros((8, 3, 1)), -1.0)
    with pytest.raises(ValueError, match="must lead away from the Hopf point"):
        periodic_orbits.orbits_beyond(bimodal, HOPF, x, [0.157, 0.158])
    assert periodic_orbits.orbits_beyond(bimodal, HOPF, x, []) == []
