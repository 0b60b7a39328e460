"""Complete lists of pure equilibria with proofs: planted games, closed forms, and undecided games."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.methods.continuous.all_equilibria import AllEquilibria
from rivalry.proofs.box_search import REASONS, _faces
from rivalry.proofs.points import first_order_points
from rivalry.proofs.spaces.coordinates import OPEN, coordinates
from tests.chunks import assert_same_in_chunks
from tests.small_games import Ruled

pytestmark = pytest.mark.mostly_slow


class Duopoly(eqx.Module):
    """Two players on one interval; ``rule`` gives their payoffs from the choices."""

    rule: object = eqx.field(static=True)
    low: float = 0.0
    high: float = 1.0

    @property
    def space(self) -> rv.Box:
        return rv.Box.interval(self.low, self.high, players=2)

    def payoffs(self, x: jax.Array) -> jax.Array:
        return self.rule(x[:, 0], x[::-1, 0])  # type: ignore[operator, no-any-return]


def cournot(own: jax.Array, other: jax.Array) -> jax.Array:
    return own * (jnp.maximum(1 - own - other, 0.0) - 0.1)


def coordination(own: jax.Array, other: jax.Array) -> jax.Array:
    return -jnp.square(own - jnp.tanh(2 * other))


def steep_substitutes(own: jax.Array, other: jax.Array) -> jax.Array:
    return own * (1 - 0.9 * own - 1.9 * other)


def pure_conflict(own: jax.Array, other: jax.Array) -> jax.Array:
    """Player 0 wants to match, player 1 to differ: no pure equilibrium."""
    return -jnp.array([1.0, -1.0]) * jnp.square(own - other)


def tangent(own: jax.Array, other: jax.Array) -> jax.Array:
    """Best responses tanh(other), which touch the diagonal at 0 to third order."""
    return -jnp.square(own - jnp.tanh(other))


def kinked(own: jax.Array, other: jax.Array) -> jax.Array:
    return -jnp.abs(own - 0.3 - 0.2 * other)


def entry(own: jax.Array, other: jax.Array) -> jax.Array:
    """Cournot competition with a fixed cost that only one firm can bear."""
    return own * (1 - own - other) - jnp.where(own > 0, 0.12, 0.0)


def hidden_peak(own: jax.Array, other: jax.Array) -> jax.Array:
    """A peak too narrow for any grid makes the interior point no equilibrium."""
    return -jnp.square(own - 0.5) + 0.2 * jnp.exp(-jnp.square((own - 0.91337) / 1e-4))


def listed(rule: object, low: float = 0.0, high: float = 1.0, **options: object) -> rv.Solution:
    return rv.solve(Duopoly(rule, low, high), AllEquilibria(**options))  # type: ignore[arg-type]


def test_cournot_with_a_price_floor_has_one_equilibrium() -> None:
    found = rv.all_equilibria(Duopoly(cournot))
    assert (found.complete, len(found), len(found.undecided)) == (True, 1, 0)
    assert np.max(np.abs(found.equilibria - 0.3)) <= found.radius[0] < 1e-12
    np.testing.assert_allclose(found.payoffs, 0.09, rtol=1e-12)


@pytest.mark.nightly
def test_three_equilibria_of_a_coordination_game() -> None:
    data = listed(coordination, -1.0, 1.0).data
    root = 0.9575040240772687  # of x = tanh(2 x)
    expected = np.array([[-root, -root], [0.0, 0.0], [root, root]])[:, :, None]
    assert bool(data.complete)
    assert np.all(np.abs(data.equilibria.values - expected) <= data.radius.values[:, None, None] + 1e-15)


def test_equilibria_at_bounds_are_listed_in_both_orders() -> None:
    data = listed(steep_substitutes).data
    assert bool(data.complete)
    expected = [[0.0, 5 / 9], [1 / 3.7, 1 / 3.7], [5 / 9, 0.0]]
    np.testing.assert_allclose(data.equilibria.values[..., 0], expected, atol=1e-12)


def test_a_game_without_pure_equilibrium() -> None:
    found = listed(pure_conflict)
    assert (found.status, bool(found.data.complete), int(found.data.equilibrium_count)) == (
        "none exists",
        True,
        0,
    )


@pytest.mark.parametrize(
    ("rule", "low", "place"),
    [pytest.param(tangent, -1.0, 0.0, marks=pytest.mark.nightly), (kinked, 0.0, 0.375)],
)
def test_folds_and_kinks_stay_undecided(rule: object, low: float, place: float) -> None:
    data = listed(rule, low).data
    assert (bool(data.complete), int(data.equilibrium_count)) == (False, 0)
    np.testing.assert_allclose(data.certified, np.full((1, 2, 1), place), atol=1e-6)
    hull = data.undecided.values[0, :, 0]
    assert np.all(hull[:, 0] <= place)
    assert np.all(place <= hull[:, 1])


def test_a_jump_is_never_taken_for_smooth() -> None:
    # best responses to staying out: enter with 1/2; to 1/2: stay out, since 1/16 is less than the cost
    data = listed(entry).data
    assert not bool(data.complete)
    corner = np.array([0.0, 0.5])
    held = [np.all((box[:, 0, 0] <= corner) & (corner <= box[:, 0, 1])) for box in data.undecided.values]
    assert any(held)


@pytest.mark.nightly
def test_a_narrow_peak_refutes_the_interior_point() -> None:
    found = rv.all_equilibria(Duopoly(hidden_peak))
    assert found.complete
    assert np.all(np.abs(found.equilibria - 0.91337) < 1e-3)
    claim = rv.certificate(Duopoly(hidden_peak), [[0.5], [0.5]])
    assert (claim.claim, claim.rounding) == ("not an equilibrium", "outward")
    np.testing.assert_allclose(claim.regret, 0.2 - 0.41337**2, atol=1e-4)


@pytest.mark.nightly
def test_thirteen_first_order_points_of_three_players() -> None:
    game = rv.games.influencer(reach=[0.17] * 3, resource="bimodal")
    data = rv.solve(game, AllEquilibria(first_order=True)).data
    assert (int(data.first_order_count), int(data.equilibrium_count), bool(data.complete)) == (13, 1, True)
    np.testing.assert_allclose(data.equilibria.values, 0.5, atol=1e-12)
    gradients = np.stack([rv.oracles.gradients(game, jnp.asarray(x)) for x in data.first_order.values])
    assert np.max(np.abs(gradients)) < 1e-9
    for x, verdict in zip(data.first_order.values, data.verdict.values, strict=True):
        assert (rv.certificate(game, x).claim == "equilibrium") == (verdict == "equilibrium")


@pytest.mark.nightly
@pytest.mark.parametrize("reach", [0.12, 0.2, 0.25, 0.3])
def test_newtons_method_from_many_starts_finds_no_other_point(reach: float) -> None:
    game = rv.games.influencer(reach=[reach] * 2, resource="bimodal")
    data = rv.solve(game, AllEquilibria(first_order=True)).data
    assert bool(data.complete)
    known = data.first_order.values
    for seed in range(40):
        end = rv.solve(game, rv.methods.Newton(), seed=seed)
        inside = end.status == "converged" and np.all((end.profile > 1e-9) & (end.profile < 1 - 1e-9))
        if inside:
            assert np.min(np.max(np.abs(known - end.profile.values), axis=(1, 2))) < 1e-6


def test_a_run_resumes_from_its_arrays_and_counts_every_box() -> None:
    whole = assert_same_in_chunks(AllEquilibria(), Duopoly(cournot), 1)
    assert whole["discarded"].sum() == whole["boxes"][0]
    assert whole["discarded"][REASONS.index("undecided")] == 0


def test_stop_gradient_is_the_identity_of_payoffs() -> None:
    """JAX's derivative is zero at 1/2; the payoff is ``own - 1/4``."""

    def hiding(own: jax.Array, other: jax.Array) -> jax.Array:
        return -jnp.square(own - 0.5) + own * jax.lax.stop_gradient(own)

    claim = rv.certificate(Duopoly(hiding), [[0.5], [0.5]])
    assert (claim.claim, claim.rounding) == ("not an equilibrium", "outward")
    np.testing.assert_allclose(claim.bound, 0.5, rtol=1e-6)


@pytest.mark.default
def test_games_that_no_enumeration_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="has no list of equilibria"):
        rv.all_equilibria(rv.games.city())
    with pytest.raises(ValueError, match="discontinuous"):
        rv.all_equilibria(rv.games.market(demand="isoelastic", fixed_cost=5.0, low=0.01))


def test_a_certificate_with_proof_states_the_distance() -> None:
    game = Duopoly(cournot)
    exact = rv.certificate(game, [[0.3], [0.3]], proof=True)
    near = rv.certificate(game, [[0.3 + 1e-8], [0.3]], proof=True)
    assert (exact.claim, exact.coverage, exact.rounding) == ("equilibrium", "proved", "outward")
    radii = [one.radius for one in (exact, near) if one.radius is not None]
    assert [radius < 1e-12 for radius in radii] == [True, False]
    assert all(a < b for a, b in pairwise(radii))
    assert radii[1] >= 1e-8 * (1 - 1e-6)
    assert rv.certificate(game, [[0.4], [0.3]], proof=True).radius is None


def test_a_limit_of_time_says_how_long_programs_were_compiled() -> None:
    found = rv.all_equilibria(Duopoly(cournot), max_seconds=1e-9)
    assert not found.complete
    assert re.search(
        r"not yet searched, \d+ (is|are).*; 1e-09 s of search are over, and \d+ s of compiling$", found.reason
    )


COLD = """
import rivalry as rv
from tests.unit.test_all_equilibria import Duopoly, cournot
print(rv.all_equilibria(Duopoly(cournot), max_seconds=2).reason)
"""


@pytest.mark.nightly
def test_a_list_is_complete_within_its_limit_before_anything_is_compiled() -> None:
    environment = os.environ | {"RIVALRY_NO_CACHE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", COLD], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("every box is decided")


def test_first_order_points_are_proved_only_where_they_are() -> None:
    """Payoffs -(x - .25)^2 and -(y - .5)^2: one point, alone in a large box; none next to other places."""
    planted = jnp.array([0.25, 0.5])
    game = Ruled(lambda x: -((x[:, 0] - planted) ** 2), rv.Box.interval(0.0, 1.0, players=2))
    at, inside = coordinates(game), np.zeros((2, 2), dtype=int)
    point, none = first_order_points(game, at, np.array([[0.25, 0.5], [0.6, 0.7]]), inside)
    np.testing.assert_allclose(point.centre, planted, atol=1e-12)
    assert np.all(point.alone_high - point.alone_low > 0.1)
    assert none is None


@pytest.mark.default
def test_a_box_is_divided_by_the_bounds_that_it_touches() -> None:
    """An open choice is between its bounds, or at one that the box touches, where the box has no width."""
    at = coordinates(Duopoly(cournot))
    low, high = (
        np.array([[0.0, 0.5], [0.75, 0.25], [0.0, 0.0]]),
        np.array([[0.25, 0.75], [1.0, 0.5], [1.0, 1.0]]),
    )
    parts = _faces(at, low, high, np.full((3, 2), OPEN), np.zeros(3, dtype=int))
    sides = sorted((a[0], b[0], s[0]) for part in parts for a, b, s in zip(*part, strict=True))
    between = [(0.0, 0.25, 0.0), (0.0, 1.0, 0.0), (0.75, 1.0, 0.0)]
    at_bounds = [(0.0, 0.0, -1.0), (0.0, 0.0, -1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)]
    assert sides == sorted(between + at_bounds)
    assert all(s[1] == OPEN for part in parts for s in part[2])


def test_a_system_without_a_point_has_no_proof() -> None:
    """Slopes 1 + y^2 and 1 + x^2 vanish nowhere, and Newton's image leaves every box."""

    def payoffs(x: jax.Array) -> jax.Array:
        own, other = x[:, 0], x[::-1, 0]
        return own * (1.1 + other**2) - own**2 / 2

    game = Ruled(payoffs, rv.Box.interval(0.0, 1.0, players=2))
    at, inside = coordinates(game), np.zeros((9, 2), dtype=int)
    places = np.stack(np.meshgrid([0.2, 0.5, 0.8], [0.2, 0.5, 0.8]), axis=-1).reshape(-1, 2)
    assert first_order_points(game, at, places, inside) == [None] * 9
