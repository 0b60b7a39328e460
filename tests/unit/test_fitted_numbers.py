"""Rank correlations and first steps, against SciPy, hand computations and loops."""

import numpy as np
import pytest
import scipy.stats

import rivalry as rv
from rivalry.economies.learning.epoch_learner import first_steps
from rivalry.text.statistics import rank_correlation


def test_rank_correlations_with_ties_are_those_of_scipy() -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        x, y = draw.integers(0, 5, 12).astype(float), draw.normal(size=12)
        assert rank_correlation(x, y) == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
        assert rank_correlation(np.exp(x), y**3) == rank_correlation(x, y)  # of ranks alone
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3.0)))
    # 1 - 6 (1 + 1 + 0 + 0) / (4 x 15)
    assert rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, 3.0, 4.0])) == 0.8


def test_first_steps_are_those_after_which_no_gain_is_larger() -> None:
    draw = np.random.default_rng(2)
    levels = (0.9, 0.5, 0.1, 0.0)
    for _ in range(50):
        gains = draw.uniform(size=8)
        for level, step in zip(levels, first_steps(np.arange(8) * 10, gains, levels), strict=True):
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
    learner = rv.methods.PopulationQLearning(
        training=400, epoch=20, monitor_every=2, monitor_steps=50, evaluation=50, evaluation_warm_up=0
    )
    data = rv.solve(rv.games.karma(max_karma=2, mean_karma=1.0, agents=8), learner).data
    expected = first_steps(
        data.monitor_step.values,
        data.monitor_mean_relative_exploitability_without_exploration.values,
        tuple(data.target_gain.values),
    )
    assert np.array_equal(data.steps_to_gain.values, expected, equal_nan=True)
