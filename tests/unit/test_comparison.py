"""The best of several noisy cases: named only where a test of all differences supports it."""

import numpy as np
import pytest
import scipy.stats

from rivalry.results.comparison import Ranking, differ, rank
from rivalry.results.table import Draws, Estimate
from rivalry.text.statistics import format_interval, half_width

SEEDS = 6


def estimate(values: np.ndarray) -> Estimate:
    """The mean of a case over the same draws as those of the others."""
    mean, half = float(values.mean()), float(half_width(values))
    draws = Draws("replications", np.arange(len(values)), values)
    return Estimate(format_interval(mean, half), mean, mean - half, mean + half, draws=draws)


def ranking(values: np.ndarray, better: str = "higher") -> Ranking:
    return rank([{0: estimate(row)} for row in values], better)


def noise(seed: int, cases: int = 4) -> np.ndarray:
    """Draws that all cases share, which are large, and draws of each: ``[case draw]``."""
    draw = np.random.default_rng(seed)
    return draw.normal(0.0, 5.0, SEEDS) + draw.normal(0.0, 1.0, (cases, SEEDS))


@pytest.mark.parametrize("cases", [2, 5])
def test_noise_alone_names_a_case_no_more_often_than_its_level(cases: int) -> None:
    named = [ranking(noise(seed, cases)).is_clear for seed in range(80)]
    assert sum(named) <= 9  # of 80; at most 4 are expected, and more than 9 with a chance below 1 %


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_clear_difference_is_named_in_any_order_of_the_cases(better: str) -> None:
    sign = {"higher": 1.0, "lower": -1.0}[better]
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(4)
        values = noise(seed) + sign * np.array([0.0, 9.0, 0.0, 0.0])[:, None]
        found = ranking(values[order], better)
        assert found.is_clear
        assert order[found.best].tolist() == [1]


def test_the_best_is_clear_exactly_where_paired_tests_reject_all_others() -> None:
    for seed in range(20):
        values = noise(seed, 3) + np.array([0.0, 1.0, 2.0])[:, None]
        found = ranking(values)
        top = int(np.argmax(values.mean(axis=1)))
        levels = {k: scipy.stats.ttest_rel(values[top], values[k]).pvalue for k in range(3) if k != top}
        assert found.best == [top]
        assert sorted(found.unclear) == [k for k, level in levels.items() if level >= 0.05]


def test_a_case_of_unknown_noise_is_never_named() -> None:
    single = Estimate("9", 9.0)
    found = rank([{0: single}, {0: estimate(noise(0)[0])}])
    assert found.unclear
    assert not differ(single, estimate(noise(0)[0]))


def test_a_case_is_best_over_several_places_only_if_it_is_at_all_of_them() -> None:
    def case(*values: float) -> dict[object, Estimate]:
        return {k: Estimate(f"{x:g}", x, x, x) for k, x in enumerate(values)}

    assert rank([case(1.0, 4.0), case(2.0, 4.0)]) == Ranking([1], [], [0])
    assert not rank([case(1.0, 4.0), case(2.0, 3.5)]).is_clear
    assert rank([case(2.0, 4.0), case(2.0, 4.0), case(1.0, 0.0)]) == Ranking([0, 1], [], [2])
    # as the players of two cases: 3 of one is below 4 of the other
    assert rank([case(5.0, 6.0), case(3.0, 4.0)], crossed=True).is_clear
    assert not rank([case(3.0, 5.0), case(1.0, 4.0)], crossed=True).is_clear
    # places that only one of them has are not compared
    assert rank([{0: case(1.0)[0], 1: case(9.0)[0]}, {0: case(2.0)[0]}]).best == [1]
