"""Numbers that decide what is true, on both sides: a little less than each holds, a little more does not.

References are closed forms, exact fractions and Arb; `tests/faults` plants an unsafe value of every number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.certificates.certify import certificate
from rivalry.certificates.deviations import unproved_response
from rivalry.certificates.units import GameAtProfile, _largest_ordinary, _loss_on_line, _steady, unit_at
from rivalry.core import tolerances
from rivalry.core.array_games import one_state
from rivalry.core.game import BrokenInvariant
from rivalry.core.results import Certificate
from rivalry.core.space import Box
from rivalry.core.tolerances import STEEPER, USUAL_GROWTH
from rivalry.lab.checks import _verdict
from rivalry.lab.proofs import certificate_changes
from rivalry.lab.study.expect import same_value
from rivalry.methods.finite.mixed_equilibria import _add_verified
from rivalry.population import certificate as population
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.matrices import diagonally_dominant, negative_definite
from rivalry.proofs.first_order import first_order
from rivalry.proofs.spaces import boxes
from rivalry.proofs.spaces.coordinates import coordinates
from rivalry.runtime.jax import jax, jnp, put
from rivalry.tables import deviations, limit_cycles, response_values, static_best_response, tabulate
from rivalry.tables.extreme_equilibria import equal_within, whole_payoffs

EPS = 2.0**-52


class Alone(eqx.Module):
    """One player on the unit interval, with any payoff."""

    payoff: Callable[[Any], Any] = eqx.field(static=True)

    space = Box.interval(0.0, 1.0, players=1)

    def payoffs(self, x: Any) -> Any:
        return self.payoff(x[:, 0])


def hill(x: Any) -> Any:
    return 1 - (x - 0.5) ** 2


# Claims


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "claim"), [(0.75e-6, "equilibrium"), (1.5e-6, "approximate equilibrium")])
def test_gains_at_an_equilibrium_are_below_a_millionth_of_what_is_at_stake(gain: float, claim: str) -> None:
    # a choice at distance d forgoes d^2, and at most 1/4
    assert certificate(Alone(hill), [[0.5 + (gain / 4) ** 0.5]]).claim == claim


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gain", "claim"), [(0.0075, "approximate equilibrium"), (0.015, "not an equilibrium")]
)
def test_gains_at_an_approximate_equilibrium_are_below_a_hundredth(gain: float, claim: str) -> None:
    assert certificate(Alone(hill), [[0.5 + (gain / 4) ** 0.5]]).claim == claim
    assert Certificate(np.array([gain]), np.array([gain]), "tight", "", 1e-6, np.ones(1)).claim == claim


def lost(x: Any) -> Any:
    """1 and a hundred parts below half of the last place, which are lost one by one and not together."""
    parts = jnp.full(100, 0.49 * EPS)
    one_by_one, _ = jax.lax.scan(lambda total, part: (total + part, None), 1.0, parts)
    return jnp.where(x < 0.5, one_by_one, 1.0 + jnp.sum(parts))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("payoff", "claim"), [(lost, True), (lambda x: jnp.where(x < 0.5, 1.0, 1.0 + 100 * EPS), False)]
)
def test_sums_of_a_hundred_terms_round_by_less_than_gains(payoff: Any, claim: bool) -> None:
    game = Alone(payoff)
    low, high = (float(game.payoffs(jnp.array([[x]]))[0]) for x in (0.25, 0.75))
    assert (high - low) / EPS == pytest.approx(49 if claim else 100, abs=1)
    assert (certificate(game, [[0.25]]).claim != "not an equilibrium") == claim


@pytest.mark.parametrize(("over", "good"), [(0.75e-9, True), (1.5e-9, False)])
def test_profiles_outside_by_more_than_rounding_are_refused(over: float, good: bool) -> None:
    for end in (1.0 + over, -over):
        if good:
            certificate(Alone(hill), np.array([[end]]))
        else:
            with pytest.raises(ValueError, match=r"profile: player 0 .*must be"):
                certificate(Alone(hill), np.array([[end]]))


@pytest.mark.parametrize(("over", "good"), [(0.75e-8, True), (1.5e-8, False)])
@pytest.mark.parametrize("form", [np.array, list])
def test_shares_that_sum_to_more_than_rounding_are_refused(over: float, good: bool, form: Any) -> None:
    game = rv.games.matrix("prisoners_dilemma")
    x = [[0.25, 0.75 + over], [0.5, 0.5]]
    if good:
        certificate(game, form(x))
    else:
        with pytest.raises(ValueError, match="must sum to 1"):
            certificate(game, form(x))


@pytest.mark.slow
@pytest.mark.parametrize(("more", "best"), [(0.75e-10, 0.2), (1.5e-10, 0.8)])
def test_the_nearest_of_peaks_that_a_search_cannot_tell_apart_counts(more: float, best: float) -> None:
    def peaks(x: Any, more: float) -> Any:
        return jnp.where(x < 0.5, -((x - 0.2) ** 2), more - (x - 0.8) ** 2)

    # a loss of .04 at the ends, .09 in the middle
    x = jnp.array([[0.3]])
    level = Alone(lambda x: peaks(x, 0.0))
    unit = unit_at(level, x, 0, unproved_response(GameAtProfile(level, x), 0, 201)).size
    found = unproved_response(GameAtProfile(Alone(lambda x: peaks(x, more * unit)), x), 0, 201)
    assert found.strategy[0] == pytest.approx(best, abs=1e-4)


# Units of gains


@pytest.mark.parametrize(("leap", "ruinous"), [(7.0, False), (9.0, True)])
def test_losses_that_grow_twice_as_fast_as_second_powers_are_ruinous(leap: float, ruinous: bool) -> None:
    for power in (1.0, 2.0):  # linear losses may grow as those of second powers
        losses = 2.0 ** (power * np.arange(4.0))
        losses = np.append(losses, leap * losses[-1])
        assert np.isnan(_steady(losses)[-1]) == ruinous
        assert _steady(losses)[-2] == losses[-2]


@pytest.mark.parametrize(("leap", "ruinous"), [(400.0, False), (600.0, True)])
def test_losses_that_grow_twice_as_fast_as_eighth_powers_are_ruinous(leap: float, ruinous: bool) -> None:
    assert np.isnan(_steady(np.array([1.0, 1000.0, 1000.0 * leap]))[-1]) == ruinous


def _steady_by_steps(losses: np.ndarray) -> list[float]:
    """Return what `_steady` does of losses ``[distance]``, one after the other, in plain numbers."""
    result, largest, allowed = [], 0.0, math.inf
    for number, loss in enumerate(losses):
        before, largest = largest, max(largest, 0.0 if math.isnan(loss) else loss)
        if math.isinf(largest) or (before > 0 and largest > allowed * before):
            return result + [math.nan] * (len(losses) - number)
        result.append(math.nan if math.isnan(loss) else largest)
        growth = largest / before if before > 0 else math.inf
        limits = min(max(growth, USUAL_GROWTH[0]), USUAL_GROWTH[1])
        allowed = STEEPER * limits if math.isfinite(growth) else math.inf
    return result


def test_steady_losses_of_many_rows_are_those_of_each_row_step_by_step() -> None:
    draw = np.random.default_rng(5)
    losses = np.exp(np.cumsum(draw.normal(0.7, 1.0, size=(800, 9)), axis=1))
    losses *= draw.random(losses.shape) < 0.7
    losses[draw.random(losses.shape) < 0.03] = np.inf
    losses[draw.random(losses.shape) < 0.1] = np.nan
    np.testing.assert_array_equal(_steady(losses), np.array([_steady_by_steps(row) for row in losses]))
    assert 0.2 < np.isnan(_steady(losses)[:, -1]).mean() < 0.9


@pytest.mark.parametrize(("loss", "unlike"), [(7.5, False), (15.0, True)])
def test_a_side_of_shares_with_losses_above_ten_times_the_other_is_ruinous(loss: float, unlike: bool) -> None:
    mild, other = np.array([0.0, 1.0, 1.0]), np.array([0.0, loss, loss])
    assert _loss_on_line(mild, other) == _loss_on_line(other, mild) == (1.0 if unlike else loss)


@pytest.mark.parametrize(("loss", "ruinous"), [(22.0, False), (45.0, True)])
def test_a_mistake_that_costs_thirty_ordinary_ones_does_not_count(loss: float, ruinous: bool) -> None:
    assert _largest_ordinary(np.array([1.0, 0.0, loss])) == (1.0 if ruinous else loss)
    game = rv.games.matrix(payoffs=[[[loss, loss], [loss - 1.0, loss - 1.0], [0.0, 0.0]], np.zeros((3, 2))])
    assert certificate(game, game.pure(0, 0)).at_stake[0] == (1.0 if ruinous else loss)


# Interval arithmetic

SIZES = np.exp(np.random.default_rng(0).uniform(-12.0, 6.5, 2000))
SIGNED = SIZES * np.random.default_rng(1).choice([-1.0, 1.0], len(SIZES))
POINTS: dict[str, tuple[Any, np.ndarray, Any]] = {
    "root": (intervals.root, SIZES, lambda x: x.sqrt()),
    "reciprocal": (lambda a: intervals.divide(intervals.ONE, a), SIGNED, lambda x: 1 / x),
    "exp": (intervals.exp, SIGNED, lambda x: x.exp()),
    "expm1": (intervals.expm1, SIGNED, lambda x: x.expm1()),
    "log": (intervals.log, SIZES, lambda x: x.log()),
    "log1p": (intervals.log1p, SIZES, lambda x: x.log1p()),
    "tanh": (intervals.tanh, SIGNED, lambda x: x.tanh()),
    "sinh": (intervals.hyperbolic_sine, SIGNED, lambda x: x.sinh()),
    "cosh": (intervals.hyperbolic_cosine, SIGNED, lambda x: x.cosh()),
    "atan": (intervals.arc_tangent, SIGNED, lambda x: x.atan()),
    "cos": (intervals.cosine, 10 * SIGNED, lambda x: x.cos()),
    "sin": (intervals.sine, 10 * SIGNED, lambda x: x.sin()),
    "log_gamma": (intervals.log_gamma, SIZES, lambda x: x.lgamma()),
    "digamma": (intervals.digamma, SIZES, lambda x: x.digamma()),
    "erf": (intervals.error_function, SIGNED, lambda x: x.erf()),
    "erfc": (intervals.error_complement, SIGNED, lambda x: x.erfc()),
}


@pytest.mark.slow
def test_margins_of_functions_are_eight_times_the_largest_error_seen() -> None:
    flint = pytest.importorskip("flint")
    with np.errstate(all="ignore"):
        found = {name: rule(Interval(x, x)) for name, (rule, x, _) in POINTS.items()}
    before, flint.ctx.prec = flint.ctx.prec, 128
    try:
        for name, (_, x, value) in POINTS.items():
            largest = 0.0
            for point, *ends in zip(x, found[name].low, found[name].high, strict=True):
                low, high = map(float, ends)
                # ends that are known exactly have no margin
                if np.isfinite(low + high) and not {low, high} & {-1.0, 0.0, 1.0, 2.0} and high > 1e-280:
                    low, high, exact = flint.arb(low), flint.arb(high), value(flint.arb(float(point)))
                    largest = max(largest, abs(float(((2 * exact - low - high) / (high - low)).mid())))
            assert 0 < largest <= 1 / 8 + 1e-9, name
    finally:
        flint.ctx.prec = before


def test_endpoints_near_zero_are_zero_or_normal_numbers() -> None:
    # in NumPy, which keeps numbers that compiled programs may flush to zero
    x = tolerances.TINY * (1 + EPS * np.arange(1.0, 100.0))
    ends = np.concatenate([x - (x * relative + tolerances.TINY) for relative in (EPS, 4 * EPS, 64 * EPS)])
    assert np.all((ends == 0) | (np.abs(ends) >= np.finfo(float).tiny))


def test_reciprocals_of_the_largest_divisor_are_normal_numbers() -> None:
    assert 1 / Fraction(tolerances.HUGE) >= Fraction(np.finfo(float).tiny)


@pytest.mark.slow
def test_logarithms_and_exponentials_hold_to_the_ends_of_the_normal_numbers() -> None:
    flint = pytest.importorskip("flint")
    x = np.finfo(float).tiny * np.array([0.6, 0.9, 0.999, 1.04, 1.5, 2.0])
    found = intervals.log(Interval(x, x))
    for point, low, high in zip(x, found.low, found.high, strict=True):
        exact = flint.arb(float(point)).log()
        # numbers that are not normal are zero, whose logarithm is infinite
        assert (flint.arb(float(low)) <= exact <= flint.arb(float(high))) if low > -np.inf else high == low
    x = np.concatenate([np.arange(-790.0, -600.0, 0.37), np.arange(690.0, 720.0, 0.13)])
    found = intervals.exp(Interval(x, x))
    for point, low, high in zip(x, found.low, found.high, strict=True):
        exact = flint.arb(float(point)).exp()
        assert 0 <= low <= high
        assert flint.arb(float(low)) <= exact
        assert high == np.inf or exact <= flint.arb(float(high))


# Proofs


@pytest.mark.parametrize("size", [3, 4, 8, 32])
def test_tight_boxes_hold_all_shares_of_a_box(size: int) -> None:
    """Small shares are multiples of 2^-60, and the first is what they leave; all are floats, and sum to 1."""
    rng = np.random.default_rng(size)
    for _ in range(300):
        units = rng.integers(1, 2**51 // size, size - 1)
        units[-1] -= units.sum() % 128
        x = np.append(1 - Fraction(int(units.sum()), 2**60), units / 2**60).astype(float)
        assert sum(map(Fraction, x)) == 1
        low, high = x.copy(), x.copy()
        one = rng.integers(size)
        low[one], high[one] = 0.0, 1.0  # just this share is not known, but for what the others leave
        first, last = boxes.tight_boxes(low[None], high[None])
        assert np.all(first <= x)
        assert np.all(x <= last)
        assert np.all(last - first < 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize(("inside", "seen"), [(0.75e-12, True), (2e-12, False)])
def test_kinks_that_rounding_moved_inside_bounds_are_seen(side: float, inside: float, seen: bool) -> None:
    bound = float(side > 0)
    # as at 0.1 + 0.2 where the bound is 0.3: from there on the payoff rises inside, and not at the bound
    game = Alone(lambda x: jnp.where(side * (x - bound) < -inside, -side * x, side * x))
    at, y = coordinates(game), np.full((1, 1), bound)
    found = first_order(game, at, y, y, np.full((1, 1), side))
    outward = found.slope_low[0, 0] > 0 if side > 0 else found.slope_high[0, 0] < 0
    assert (found.smooth[0] and outward) != seen


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_no_matrix_with_an_eigenvalue_of_zero_is_negative_definite(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(200):
        part = rng.integers(-999, 1000, (size, size - 1)).astype(float)
        singular = -part @ part.T  # whole numbers, exact
        assert not negative_definite(singular, singular)
        shifted = singular - 1e-9 * np.abs(singular).sum() * np.eye(size)
        assert negative_definite(shifted, shifted)


def test_no_singular_matrix_is_diagonally_dominant() -> None:
    """With the units that matrices are made from, each row adds up to zero: no units make one dominant."""
    rng = np.random.default_rng(0)
    unit, diagonal = rng.integers(1, 10, (5000, 7)), np.eye(7, dtype=bool)
    part = np.where(diagonal, 0, rng.integers(990, 1000, (5000, 7, 7)))
    size = part * unit[:, :, None] * (2520 // unit[:, None, :])  # 2520 is a multiple of all units
    singular = diagonal * 2520 * part.sum(axis=2)[:, :, None] - size  # whole numbers, exact
    assert not np.einsum("bij,bj->bi", singular, unit).any()
    assert not diagonally_dominant(1.0 * singular, 1.0 * singular, diagonal).any()
    larger = singular * (1 + 1e-9 * diagonal)
    assert diagonally_dominant(larger, larger, diagonal).all()


# Finite games


@pytest.mark.parametrize(("less", "tie"), [(0.75e-12, True), (1.5e-12, False)])
def test_payoffs_closer_than_rounding_are_equal(less: float, tie: bool) -> None:
    world = one_state(np.array([[[1.0 - less, 0.0], [1.0, 0.0]], np.zeros((2, 2))]))
    # the own action stays unless another is better
    assert static_best_response(world, [[[0], [0]]], 0)[0, 0] == (0 if tie else 1)


@pytest.mark.parametrize(("less", "stays"), [(0.75e-13, True), (1.5e-13, False)])
def test_an_action_is_replaced_by_one_that_pays_more_than_rounding(less: float, stays: bool) -> None:
    world = one_state(np.array([[[1.0 - less, 0.0], [1.0, 0.0]], np.zeros((2, 2))]))
    found = response_values(world, [[[0], [0]]], 0, 0.0)
    assert (found.best[0, 0] == found.own[0, 0]) == stays


@pytest.mark.parametrize(("gain", "pays"), [(0.75e-9, 0.0), (1.5e-9, 1.0)])
def test_deviations_that_gain_more_than_their_error_pay(gain: float, pays: float) -> None:
    table = np.array([[[1.0, 0.0], [1.0 + gain, 0.0]], np.ones((2, 2))])
    world = tabulate(rv.games.matrix(payoffs=table), observation="joint").tables
    stay = [[[0] * 4, [0] * 4]]
    found = deviations(world, stay, limit_cycles(world, stay, [0]), player=0, gamma=0.0)
    assert found.profitable.tolist() == [pays]


@pytest.mark.parametrize(("gain", "listed"), [(0.75e-9, 1), (1.5e-9, 0)])
def test_equilibria_in_floating_point_are_listed_with_negligible_regret(gain: float, listed: int) -> None:
    table = np.array([[[1.0 - gain, 0.0], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]])
    found = _add_verified(table, np.zeros((0, 2, 2)), [np.array([[1.0, 0.0], [1.0, 0.0]])])
    assert len(found) == listed


@pytest.mark.parametrize(("ulps", "equal"), [(3, True), (6, False)])
def test_payoffs_a_few_units_in_the_last_place_apart_are_equal(ulps: int, equal: bool) -> None:
    moved = 0.3 + ulps * np.spacing(0.3)
    assert (len(set(whole_payoffs(np.array([0.1, 0.3, moved])).tolist())) == 2) == equal
    assert (moved - 0.3 <= equal_within(np.array([0.3]))[0]) == equal


def test_floats_are_within_half_of_their_spacing_of_probabilities() -> None:
    rng = np.random.default_rng(0)
    parts = [Fraction(int(a), int(a + b)) for a, b in rng.integers(1, 10**9, (5000, 2))]
    largest = max(abs(Fraction(float(part)) - part) for part in parts)
    assert Fraction(tolerances.NEAREST) / 2 < largest <= Fraction(tolerances.NEAREST)


# Populations


@pytest.fixture(scope="module")
def economy() -> tuple[Any, population.PolicyEvaluation]:
    game = rv.games.karma(max_karma=3, mean_karma=1)
    return game, population.evaluate_policy(game, rv.oracles.named_start(game, "uniform"))


@pytest.mark.slow
@pytest.mark.parametrize(("added", "good"), [(0.75e-9, True), (1.5e-9, False)])
def test_steps_that_add_more_than_rounding_conserve_nothing(added: float, good: bool, economy: Any) -> None:
    found = economy[1]._replace(added=put(added))
    if good:
        population.check_conservation(found)
    else:
        with pytest.raises(BrokenInvariant):
            population.check_conservation(found)


@pytest.mark.slow
@pytest.mark.parametrize(("residual", "known"), [(0.75e-8, True), (1.5e-8, False)])
def test_gains_in_an_inconsistent_population_say_nothing(residual: float, known: bool, economy: Any) -> None:
    game, found = economy
    found = found._replace(population=found.population._replace(residual=put(residual)))
    assert bool(np.isfinite(population.certificate_of(game, found).regret).all()) == known


@pytest.mark.slow
def test_the_stake_of_a_population_is_at_least_that_of_uniform_play(economy: Any) -> None:
    game, found = economy
    uniform = np.asarray(population.evaluate_policy(game, population.uniform(game)).at_stake)
    for stakes in (1e-9 * uniform, 1e3 * uniform):
        at_stake = population.certificate_of(game, found._replace(at_stake=put(stakes))).at_stake
        assert np.all((at_stake >= uniform) & (at_stake >= stakes) & (at_stake <= 1e3 * uniform))


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "claim"), [(0.75e-6, True), (1.5e-6, False)])
def test_gains_of_agents_are_judged_by_the_same_millionth(gain: float, claim: bool, economy: Any) -> None:
    game, found = economy
    gains = put(gain * np.asarray(population.certificate_of(game, found).at_stake))
    made = population.certificate_of(game, found._replace(regret=gains, bound=gains))
    assert (made.claim == "equilibrium") == claim


# Verdicts


@pytest.mark.slow
@pytest.mark.parametrize(("apart", "same"), [(0.75e-9, True), (1.5e-9, False)])
def test_numbers_that_differ_in_the_tenth_digit_are_the_same(apart: float, same: bool) -> None:
    assert _verdict(2.0, None, 2.0 * (1 + apart))[0] == ("agrees" if same else "differs")
    assert same_value(2.0, 2.0 * (1 + apart)) == same
    stored, new = ({"regret": (("player",), np.array([x]))} for x in (2.0, 2.0 * (1 + apart)))
    assert (certificate_changes(stored, new, proof=False) == "") == same
