"""Rank correlations, fitted exponents and first steps, against SciPy, hand computations and loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import rivalry as rv
from rivalry.economies.learning.epoch_learner import first_steps
from rivalry.text.statistics import fitted_exponent, rank_correlation
from tests.unit.test_answer_trends import record, said, study, swept


def test_rank_correlations_with_ties_are_those_of_scipy() -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        x, y = draw.integers(0, 5, 12).astype(float), draw.normal(size=12)
        assert rank_correlation(x, y) == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
        assert rank_correlation(np.exp(x), y**3) == rank_correlation(x, y)  # of ranks alone
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3.0)))
    # 1 - 6 (1 + 1 + 0 + 0) / (4 x 15)
    assert rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, 3.0, 4.0])) == 0.8


def test_fitted_exponents_are_those_of_a_regression_in_logarithms() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        x, y = np.exp(draw.normal(size=(2, 9)))
        fit = scipy.stats.linregress(np.log(x), np.log(y))
        slope, half = fitted_exponent(x, y)
        assert slope == pytest.approx(fit.slope)
        assert half == pytest.approx(fit.stderr * scipy.stats.t.ppf(0.975, 7))


def test_a_power_of_the_number_of_players_is_told() -> None:
    sizes = [2, 4, 8, 16, 32]
    rows = {"one": [record(turnout=3.0 * n**-0.5) for n in sizes]}
    power = ", as the number of agents to the power of -0.5 (least squares in logarithms)"
    assert power in said(study(), swept(rows, "agents", sizes))[0]
    assert "power" not in said(study(), swept(rows, "reach", sizes))[0]  # no number of players
    few = {"one": rows["one"][:3]}
    assert "power" not in said(study(), swept(few, "agents", sizes[:3]))[0]


def test_first_steps_are_those_after_which_no_gain_is_larger() -> None:
    draw = np.random.default_rng(2)
    levels = (0.9, 0.5, 0.1, 0.0)
    for _ in range(50):
        gains = draw.uniform(size=8)
        found = first_steps(np.arange(8) * 10, gains, levels)
        for level, step in zip(levels, found, strict=True):
            settled = [k * 10 for k in range(8) if np.all(gains[k:] <= level)]
            assert step == settled[0] if settled else np.isnan(step)


@pytest.mark.slow
def test_a_city_has_the_rank_correlation_of_its_lanes() -> None:
    game = rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2.0)
    data = rv.solve(game, rv.methods.CitySimulation(plays="uniform", evaluation=300)).data
    known = ~np.isnan(data.lane_bid.values)
    expected = scipy.stats.spearmanr(data.lane_bid.values[known], data.lane_wanted.values[known]).statistic
    assert float(data.bid_demand_correlation) == pytest.approx(expected)


@pytest.mark.nightly  # compiles an economy
def test_learners_report_the_steps_to_given_gains() -> None:
    game = rv.games.karma(max_karma=2, mean_karma=1.0, agents=8)
    learner = rv.methods.PopulationQLearning(
        training=400, epoch=20, monitor_every=2, monitor_steps=50, evaluation=50, evaluation_warm_up=0
    )
    data = rv.solve(game, learner).data
    expected = first_steps(
        data.monitor_step.values,
        data.monitor_mean_relative_exploitability_without_exploration.values,
        tuple(data.target_gain.values),
    )
    assert np.array_equal(data.steps_to_gain.values, expected, equal_nan=True)
