"""Duopolies on grids: counts and welfare by hand, and the proved lists of their continuous choices."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.studies.duopoly_grids import duopoly_grid


def count(name: str, points: int) -> int:
    return len(oracles.closed_form(duopoly_grid(name=name, points=points)))


def error(name: str, points: int) -> float:
    game = duopoly_grid(name=name, points=points)
    return float(oracles.metrics(game, oracles.closed_form(game)[0])["welfare_error"][1])


@pytest.mark.slow
def test_counts_follow_from_the_distance_to_the_continuum() -> None:
    for points in (*range(3, 32), 99, 100):
        assert count("cournot", points) == 3, points
        # a tie of two efforts where the equilibrium 1/4 is in the middle of two points
        assert count("contest", points) == (4 if points % 4 == 3 else 1), points
        assert count("hotelling", points) == (1 if points % 2 else 4), points
        assert count("bertrand", points) == 2, points


def test_errors_of_welfare_by_hand() -> None:
    assert error("cournot", 4) == 0.0  # 2/3 in all: (0, 2/3), (1/3, 1/3), (2/3, 0)
    assert error("cournot", 3) == pytest.approx(1 - 3 / 8 / (4 / 9))  # one of the firms chooses 1/2 alone
    assert error("contest", 4) == pytest.approx(1 / 3)  # 1/3 of the prize is left, not 1/2
    assert error("hotelling", 4) == pytest.approx(31 / 36 / (3 / 4) - 1)  # at 1/3 and 2/3
    assert error("bertrand", 4) == pytest.approx(1 / 9)


@pytest.mark.slow
def test_the_lists_of_the_continuum_are_proved() -> None:
    cournot = rv.games.continuous(payoffs=["x1*(1 - x1 - x2)", "x2*(1 - x1 - x2)"], low=0.0, high=1.0)
    contest = rv.games.continuous(payoffs=["x1/(x1 + x2) - x1", "x2/(x1 + x2) - x2"], low=0.01, high=1.0)
    for game, choice in ((cournot, 1 / 3), (contest, 1 / 4)):
        equilibria = rv.all_equilibria(game)
        assert equilibria.complete
        assert np.ravel(equilibria.equilibria) == pytest.approx([choice, choice])
