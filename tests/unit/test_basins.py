"""Basins: end points grouped up to permutations of players, cycles by their ranges, the rest by kind."""

from typing import Any

import numpy as np

from rivalry.core.oracles import exchangeable
from rivalry.core.results import Record
from rivalry.solving.ends import group_basins
from tests.small_games import Linear, linear, prize


class Alike(Linear):
    """A game of two exchangeable players."""


@exchangeable.register(Alike)
def _(game: Alike) -> np.ndarray:
    return np.zeros(2, dtype=int)


def game(*, alike: bool) -> Any:
    made = linear(-np.eye(2), [0.0, 0.0], low=0.0, high=10.0)
    return Alike(made.matrix, made.drive, made.low, made.high) if alike else made


def record(ends: list[tuple[float, ...]], kinds: list[str], **more: Any) -> Record:
    runs = len(ends)
    found: Record = {
        "profile": (("batch", "player", "axis"), np.asarray(ends, dtype=float)[:, :, None]),
        "end_state": (("batch",), np.asarray(kinds)),
        "status": (("batch",), np.asarray(["converged"] * runs)),
        "regret": (("batch", "player"), np.arange(2.0 * runs).reshape(runs, 2)),
    }
    return found | {name: (("batch", "player", "axis"), np.asarray(array)) for name, array in more.items()}


ENDS = [(1.0, 9.0), (5.0, 5.0), (9.0, 1.0), (5.0005, 5.0005), (5.0, 5.0)]


def test_exchangeable_players_are_permuted_and_the_largest_basin_is_first() -> None:
    found = group_basins(game(alike=True), record(ENDS, ["stable_point"] * 5))
    assert (found["basin"][1].tolist(), found["basin_count"][1].tolist()) == ([1, 0, 1, 0, 0], [3, 2])
    assert found["basin_profile"][1][:, :, 0].tolist() == [[5.0, 5.0], [1.0, 9.0]]
    assert found["basin_regret"][1].tolist() == [9.0, 5.0]


def test_players_that_differ_are_not_permuted() -> None:
    found = group_basins(game(alike=False), record(ENDS, ["stable_point"] * 5))
    assert found["basin"][1].tolist() == [1, 0, 2, 0, 0]


def test_log_coordinates_are_compared_by_their_logarithms() -> None:
    ends = [(1e-8, 1.0, 0.0), (1e-6, 1.0, 0.0), (1e-8, 1.00001, 1e-10)]
    found = group_basins(prize([1.0, 1.0, 1.0]), record(ends, ["stable_point"] * 3))
    assert found["basin"][1].tolist() == [0, 1, 0]


def test_end_states_of_different_kinds_are_separate_basins() -> None:
    kinds = ["stable_point", "cycle", "moving", "cycle", "moving"]
    low = np.zeros((5, 2, 1))
    high = np.ones((5, 2, 1))
    high[3] += 0.05  # 0.5 % of the width
    found = group_basins(game(alike=True), record(ENDS, kinds, cycle_low=low, cycle_high=high))
    assert found["basin"][1].tolist() == [2, 0, 1, 0, 1]
    assert found["basin_kind"][1].tolist() == ["cycle", "moving", "stable_point"]
    assert np.isnan(found["basin_profile"][1][1]).all()
    high[3] += 1.0
    apart = group_basins(game(alike=True), record(ENDS, kinds, cycle_low=low, cycle_high=high))
    assert len(np.unique(apart["basin"][1])) == 4


def test_profiles_of_populations_have_no_basins() -> None:
    states: Record = {"profile": (("batch", "state", "action"), np.ones((2, 3, 4)))}
    assert group_basins(game(alike=True), states) == {}
