"""Equilibria where derivatives do not decide: kinks, derivatives of zero at a bound, continua."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.certificates import branch_and_bound
from rivalry.certificates.branch_and_bound import parts_of_space
from rivalry.core.payoffs import payoffs
from rivalry.proofs.box_list import _jump
from rivalry.proofs.first_order import at_most_one_point, first_order
from rivalry.proofs.points import equilibrium_near
from rivalry.proofs.spaces.coordinates import OPEN, coordinates
from rivalry.runtime.jax import put
from tests.unit.test_all_equilibria import Duopoly, kinked

pytestmark = pytest.mark.mostly_slow


def tied_prices(own: Any, other: Any) -> Any:
    """Demand has a kink where prices are equal: every common price from 1/2 to 2/3 is an equilibrium."""
    return own * jnp.maximum(0, 1 - own + other / 2 - jnp.maximum(0, own - other) / 2)


def flat_at_the_bound(own: Any, other: Any) -> Any:
    return -jnp.square(own - 1)


def test_an_equilibrium_at_kinks_is_undecided() -> None:
    """Best responses 0.3 + 0.2 x are at a kink of the payoff; they meet at 3/8."""
    found = rv.all_equilibria(Duopoly(kinked))
    assert (found.complete, len(found), len(found.sets)) == (False, 0, 0)
    ((low, high),) = found.undecided[:, 0, 0]
    assert low <= 0.375 <= high < low + 1e-5
    np.testing.assert_allclose(found.certified, [[[0.375], [0.375]]], atol=1e-9)
    text = "no equilibrium is proved; 1 profile is a certified equilibrium; 1 place is undecided"
    assert str(found).startswith(text)


def weakest_link(own: Any, other: Any) -> Any:
    """The least effort counts for both: any common effort is an equilibrium."""
    return jnp.minimum(own, other) - own / 2


def test_a_game_of_the_weakest_link_is_undecided_along_all_its_equilibria() -> None:
    found = rv.all_equilibria(Duopoly(weakest_link))
    assert (found.complete, len(found), len(found.sets)) == (False, 0, 0)
    for effort in np.linspace(0, 1, 11):
        boxes = found.undecided[:, :, 0]
        assert np.any(np.all((boxes[..., 0] <= effort) & (effort <= boxes[..., 1]), axis=1))


def two_peaks(own: Any, other: Any) -> Any:
    """On both sides of a kink the curvature is -4; it pays 0.15125 at 0.275 and 0.20125 at 0.775."""
    return jnp.maximum(own - 0.5, 0.5 - own) - 2 * jnp.square(own - 0.5) + 0.1 * own


def test_a_payoff_with_two_peaks_has_more_than_one_first_order_point() -> None:
    game = Duopoly(two_peaks)
    at, side = coordinates(game), np.full((2, 2), OPEN)
    low, high = np.array([[0.0, 0.0], [0.6, 0.6]]), np.ones((2, 2))
    assert at_most_one_point(first_order(game, at, low, high, side), side).tolist() == [False, True]


def test_the_lower_of_two_peaks_is_no_equilibrium() -> None:
    game = Duopoly(two_peaks)
    assert equilibrium_near(game, np.full((2, 1), 0.275))[1]
    radius, _ = equilibrium_near(game, np.full((2, 1), 0.775))
    assert radius is not None
    assert radius < 1e-12


def above_tangent(game: Any, rival: float, strategy: float) -> float:
    """Return by how much a payoff exceeds the bound around a strategy, where no box is left to search."""
    x, line = np.full((2, 1), rival), np.linspace(0.0, 1.0, 2001)
    search = branch_and_bound._around_concave_box(parts_of_space(game, 0), np.array([strategy]), np.inf)
    boxes = next(search).boxes
    curvature = branch_and_bound._curvature(game, put(x), np.zeros(len(boxes.low), int), boxes)
    with pytest.raises(StopIteration) as end:
        search.send(curvature)
    rest, bound, _ = end.value.value
    is_left = np.any((rest.low[:, 0] <= line[:, None]) & (line[:, None] <= rest.high[:, 0]), axis=1)
    paid = np.array([payoffs(game, put(np.array([[own], [rival]])))[0] for own in line])
    return float(np.max(np.where(is_left, -np.inf, paid) - bound))


def test_tangents_bound_payoffs_only_where_they_are_concave() -> None:
    """The tangent at 0.2 is level, at 0; at 0.8 the payoff is 0.1. Bends may be equal on both sides."""
    unequal: Any = Duopoly(
        lambda own, other: jnp.maximum(-jnp.square(own - 0.2), 0.1 - jnp.square(own - 0.8))
    )
    for game, strategy in ((unequal, 0.2), (Duopoly(two_peaks), 0.275), (Duopoly(flat_at_the_bound), 0.5)):
        assert above_tangent(game, 0.2, strategy) <= 0.0


@pytest.mark.nightly
def test_a_continuum_is_one_undecided_place() -> None:
    found = rv.all_equilibria(Duopoly(tied_prices, 0.0, 2.0))
    assert (found.complete, len(found), len(found.sets)) == (False, 0, 0)
    ((low, high),) = found.undecided[:, 0, 0]
    assert low <= 0.5 < 2 / 3 <= high
    np.testing.assert_allclose(np.sort(found.certified[:, :, 0].mean(axis=1)), [0.5, 2 / 3], atol=1e-6)


def test_a_certified_equilibrium_is_printed_though_the_search_is_cut_off() -> None:
    found = rv.all_equilibria(Duopoly(tied_prices, 0.0, 2.0), max_boxes=2000)
    assert str(found).startswith("no equilibrium is proved; 2 profiles are certified equilibria")
    assert "certified: [0.666667 0.666667]; [0.5 0.5], no gain above " in str(found)
    assert found.solution.status == "iteration limit"
    np.testing.assert_array_equal(found.solution.profile, found.certified[0])
    np.testing.assert_array_equal(found.solution.data.certified, found.certified)
    for x in found.certified[:, :, 0]:
        own = np.linspace(0, 2, 2001)
        pays = np.array([np.asarray(tied_prices(jnp.asarray(own), other)) for other in x[::-1]])
        assert np.all(pays.max(axis=1) - np.asarray(tied_prices(x, x[::-1])) <= 1e-8)


def undercut(own: Any, other: Any) -> Any:
    """The lowest of two prices sells all, at a cost of 1/5; equal prices divide the market."""
    profit = (own - 0.2) * (1 - own)
    return jnp.where(own < other, profit, jnp.where(own == other, profit / 2, 0.0))


def test_prices_of_one_good_jump_and_have_a_certified_equilibrium_at_cost() -> None:
    found = rv.all_equilibria(Duopoly(undercut))
    np.testing.assert_allclose(found.certified, [[[0.2], [0.2]]], atol=1e-6)
    assert re.search(r"payoffs jump at \[(0\.\d+) \1", found.reason)
    with pytest.raises(ValueError, match=r"payoffs are discontinuous.* use closed_form$"):
        rv.all_equilibria(rv.games.market(choice="price"))


@pytest.mark.default
@pytest.mark.parametrize(
    ("rule", "jumps"),
    [
        (lambda own, other: jnp.floor(4 * own), True),
        (lambda own, other: jnp.where(own < 0.41 + other / 3, 1.0, other), True),
        (lambda own, other: jnp.abs(own - other), False),
        (lambda own, other: jnp.sqrt(jnp.abs(own - 0.41)), False),
        (lambda own, other: jnp.tanh((own - 0.41) / 1e-9), False),
        (lambda own, other: 1.0 + 0.0 * own, False),
    ],
)
def test_a_jump_is_told_from_a_kink_and_from_a_steep_payoff(rule: Any, jumps: bool) -> None:
    game = Duopoly(rule)
    found = _jump(game, coordinates(game), np.full((1, 2), 0.3), np.full((1, 2), 0.9))
    assert (found is not None) == jumps


@pytest.mark.default
def test_payoffs_of_numpy_are_refused_in_one_line() -> None:
    game = Duopoly(lambda own, other: np.maximum(own, 0.5))
    with pytest.raises(ValueError, match=r"^payoffs: must be written with jax.numpy"):
        rv.all_equilibria(game)


class Random:
    """Payoffs of two players on a unit interval from random parts: smooth, kinked, flat or with jumps."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.kind = ("kinks", "bounds", "continua", "jumps", "smooth")[seed % 5]
        self.a, self.b, self.c = (
            random.uniform(0, 1, 2),
            random.uniform(-0.9, 0.9, 2),
            random.uniform(0.2, 2, 2),
        )
        self.d, self.e = random.uniform(-0.5, 0.5, 2), random.uniform(0.1, 0.9, 2)
        self.space = rv.Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        own, other = x[:, 0], x[::-1, 0]
        away = own - self.a - self.b * (other - 0.5)
        if self.kind == "kinks":
            return -self.c * jnp.abs(away) - jnp.maximum(own - self.e, 0) * self.d + 0.3 * self.d * own
        if self.kind == "bounds":  # the best response to a rival at its bound has derivative zero there
            return -self.c * jnp.square(own - jnp.round(self.a)) * (1 + self.e * other)
        if self.kind == "continua":
            return -self.c * jnp.square(jnp.maximum(jnp.abs(away) - 0.2 * self.e, 0))
        if self.kind == "jumps":
            return -self.c * jnp.square(away) + 0.1 * self.d * (own > self.e)
        return -self.c * jnp.square(away) + self.d * own**3


GRID = np.linspace(0.0, 1.0, 1001)


def own_payoffs(game: Random, x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
    """Return the payoffs of a player's strategies ``[strategy]`` against the other at ``x [player]``."""
    rows = np.repeat(x[None, :, None], len(own), axis=0)
    rows[:, player, 0] = own
    return np.asarray(jax.vmap(game.payoffs)(jnp.asarray(rows)))[:, player]


def gains(game: Random, x: np.ndarray) -> np.ndarray:
    """Return what each player gains by the best strategy of a grid."""
    own = [np.append(GRID, x[player]) for player in range(2)]
    pays = [own_payoffs(game, x, player, own[player]) for player in range(2)]
    return np.array([np.max(pay) - pay[-1] for pay in pays])


def from_best_responses(game: Random) -> list[np.ndarray]:
    """Return profiles at which best responses from several starts come to rest."""
    found = []
    for x in np.random.default_rng(0).random((6, 2)):
        for _ in range(40):
            for player in range(2):
                own, width = GRID, 1e-3
                for _ in range(4):
                    best = own[np.argmax(own_payoffs(game, x, player, own))]
                    own, width = np.clip(np.linspace(best - width, best + width, 101), 0, 1), width / 25
                x[player] = best
        if np.max(gains(game, x)) < 1e-9:
            found.append(x.copy())
    return found


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_lists_of_random_games_miss_nothing_and_hold_nothing_false(seed: int) -> None:
    game = Random(seed)
    found = rv.all_equilibria(game, max_seconds=20, max_boxes=20_000)
    listed, radius = found.equilibria[:, :, 0], found.radius
    for x, within in zip(listed, radius, strict=True):
        assert np.all(gains(game, x) <= 1e-9 + 10 * within)
    low = np.concatenate([listed - radius[:, None], found.undecided[:, :, 0, 0]])
    high = np.concatenate([listed + radius[:, None], found.undecided[:, :, 0, 1]])
    for x in from_best_responses(game):
        assert np.any(np.all((low <= x + 1e-4) & (x - 1e-4 <= high), axis=1)), x
