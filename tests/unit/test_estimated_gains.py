"""Claims about gains of finitely many agents that are estimated from play, beside exact gains."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import CERTIFIED, UNREFUTED, Certificate, collect
from rivalry.economies.learning import few_agents
from rivalry.economies.learning.simulation import Simulation
from rivalry.lab.answer.points import PointResults, points_of
from rivalry.methods import PopulationQLearning
from rivalry.population import population_certificate
from rivalry.population.certificate import stake_of
from rivalry.text.statistics import half_width, jackknife_error

SMALL: dict[str, Any] = {"max_karma": 4, "mean_karma": 2.0, "gamma": 0.9, "urgencies": [1.0, 4.0]}


def estimate(gain: float, error: float, at_stake: float | None = 100.0) -> Certificate:
    stake = None if at_stake is None else np.array([at_stake])
    allowed = np.array([1e-4])
    far = np.array([np.inf])
    return Certificate(np.array([gain]), far, "estimated", "play", allowed, stake, error=np.array([error]))


@pytest.mark.parametrize(
    ("gain", "error", "claim"),
    [
        (0.5, 0.4, "small estimated gain"),  # 0.9 % of what is at stake, at 95 % confidence
        (0.0, 0.9, "small estimated gain"),
        (0.5, 0.6, "not decided"),  # the interval holds 0, and 1.1 %
        (5.0, 6.0, "not decided"),
        (0.0, np.inf, "not decided"),
        (5.0, np.inf, "not decided"),
        (5.0, 4.0, "not an equilibrium"),
        (np.nan, 0.1, "not decided"),
    ],
)
def test_an_estimate_refutes_or_bounds_only_beyond_its_error(gain: float, error: float, claim: str) -> None:
    proof = estimate(gain, error)
    assert proof.claim == claim
    assert claim not in (*CERTIFIED, *UNREFUTED)
    assert Certificate.from_record(proof.record()).claim == claim
    assert repr(proof).startswith(claim)
    assert estimate(gain, error, None).claim != "small estimated gain"


def test_the_gain_of_one_deviation_bounds_no_other() -> None:
    for gain, claim in ((0.0, "not decided"), (0.5, "not an equilibrium")):
        proof = estimate(gain, 0.1)._replace(coverage="lower bound")
        assert proof.claim == claim
        assert (proof.gains[0].item(), proof.gains[1].item()) == (gain - 0.1, np.inf)


def test_a_small_estimate_is_printed_with_the_end_of_its_interval() -> None:
    words = "small estimated gain: at most 0.88 % of what a player's own choice changes, with 95 % confidence"
    assert estimate(0.5, 0.375).facts.statement == words


def test_several_players_have_a_word_that_holds_for_all() -> None:
    one = estimate(0.3, 0.4)
    both = one._replace(regret=np.array([0.3, 2.0]), error=np.array([0.4, 3.0]), at_stake=np.full(2, 100.0))
    assert both.claim == "not decided"
    assert both._replace(error=np.array([0.4, 1.0])).claim == "not an equilibrium"


def test_the_jackknife_of_a_mean_is_its_interval_and_that_of_a_square_holds_its_bias() -> None:
    each = np.random.default_rng(0).normal(size=(20, 3))
    without = (each.sum(axis=0) - each) / 19
    np.testing.assert_allclose(jackknife_error(each.mean(axis=0), without), half_width(each), rtol=1e-9)
    bias = each.var(axis=0, ddof=1) / 20  # of the square of a mean
    pseudo = 20 * each.mean(axis=0) ** 2 - 19 * without**2
    assert np.all(jackknife_error(each.mean(axis=0) ** 2, without**2) >= 0.99 * bias + half_width(pseudo))


def played(agents: int, plays: Any, evaluation: int, **options: Any) -> rv.Solution:
    game = rv.games.karma(agents=agents, **SMALL)
    return rv.solve(game, Simulation(plays=plays, evaluation=evaluation, warm_up=200, **options), seed=1)


@pytest.mark.slow
def test_estimates_of_two_agents_hold_the_exact_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = played(2, "uniform", 20_000).certificate
    monkeypatch.setattr(few_agents, "LARGEST", 0)
    found = played(2, "uniform", 20_000).certificate
    assert (exact.coverage, found.coverage) == ("tight", "lower bound")
    assert exact.claim == found.claim == "not an equilibrium"
    assert abs(found.regret - exact.regret)[0] <= found.error[0] < 0.5 * exact.regret[0]
    short = played(2, "uniform", 8).certificate  # fewer steps than parts
    assert short.claim == "not decided"


@pytest.mark.slow
def test_gains_of_many_agents_are_those_of_the_continuum() -> None:
    """The exact gain of the policy in the continuum is known; one of 1,000 agents matters by a thousandth."""
    game = rv.games.karma(**SMALL)
    for plays, claims in (
        ("equilibrium", ("approximate equilibrium", "small estimated gain")),
        ("uniform", ("not an equilibrium", "not an equilibrium")),
    ):
        found = played(1000, plays, 2000)
        policy = found.data.policy.values.reshape(game.space.shape)
        exact, proof = population_certificate(game, policy), found.certificate
        assert (exact.claim, proof.claim) == claims
        assert proof.error is not None
        assert abs(proof.regret - exact.regret)[0] <= proof.error[0] + 0.002 * proof.at_stake[0]
        np.testing.assert_allclose(proof.at_stake, exact.at_stake, rtol=0.05)
        assert proof.at_stake[0] >= 0.999 * stake_of(game, np.zeros(1))[0]


@pytest.mark.slow
def test_too_short_play_decides_nothing_about_an_equilibrium() -> None:
    """The gain of an estimate is the maximum of noise: no run of few steps refutes the equilibrium by it."""
    game = rv.games.karma(agents=30, **SMALL)
    claims = set()
    for seed in range(12):
        run = Simulation(plays="equilibrium", evaluation=25, warm_up=200)
        claims.add(rv.solve(game, run, seed=seed).claim)
    assert "not an equilibrium" not in claims
    assert "not decided" in claims
    assert played(30, "equilibrium", 10).claim == "not decided"  # fewer steps than batches


@pytest.mark.slow
def test_learners_have_the_error_of_the_largest_gain() -> None:
    game = rv.games.karma(agents=30, **SMALL)
    found = rv.solve(
        game, PopulationQLearning(training=400, epoch=20, evaluation=400, monitor_every=0), seed=0
    )
    assert found.certificate.error is not None
    assert np.isfinite(found.certificate.error).all()
    assert found.claim in ("not an equilibrium", "not decided", "small estimated gain")


def point_of(proof: Certificate) -> PointResults:
    """The results of an answer with a certificate."""
    record = {"status": ((), np.asarray("completed")), **proof.record()}
    data = collect([({"algorithm": "one"}, record)], {"algorithm": ["one"]})
    about = {"game": {"family": "none"}, "method": [{"name": "one", "kind": "evaluate"}], "expect": []}
    (point,) = points_of(about, data)
    return point


def test_answers_say_what_an_estimate_leaves_open() -> None:
    small = point_of(estimate(0.5, 0.4))
    assert (small.claim, small.gain) == ("small estimated gain", pytest.approx(0.009))
    assert point_of(estimate(5.0, 6.0)).claim == "not decided"
    refuted = point_of(estimate(5.0, 4.0))
    assert (refuted.claim, refuted.largest_gain.text) == ("not an equilibrium", "5 (estimated)")
    assert not refuted.is_refuted  # sampling could explain it
    assert point_of(estimate(0.5, 0.6)._replace(coverage="lower bound")).claim == "not decided"


@pytest.mark.slow
def test_the_largest_of_many_gains_of_noise_is_seldom_told_from_0() -> None:
    """Of 20 gains whose expectation is 0 the largest is at most once in 40 above its error."""
    draws = np.random.default_rng(0).normal(size=(400, 20, 20))  # [trial batch agent]
    refuted = 0
    for batches in draws:
        each = batches[:, batches.mean(axis=0).argmax()]
        without = (each.sum() - each) / (len(each) - 1)
        refuted += each.mean() > jackknife_error(each.mean(), without, 20)
    assert refuted <= 400 * 0.025 + 10  # three standard deviations
