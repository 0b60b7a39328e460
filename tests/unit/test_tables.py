"""Games as tables: every route to a table gives the payoffs of the game."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.array_games import FiniteGame
from rivalry.core.oracles import to_finite
from rivalry.core.space import Choices
from rivalry.families.matrix import matrix
from rivalry.tables import discretize, in_turn, largest_payoff, normalise, payoffs, tabulate
from tests.contests import Offering, Shared, by_rule, every, shared
from tests.small_games import cournot

pytestmark = pytest.mark.mostly_slow


@pytest.mark.parametrize(("axes", "action_grid"), [(1, 4), (2, 3), (1, [0.0, 0.2, 1.0])])
@pytest.mark.parametrize("kind", [Shared, Offering])
def test_a_table_contains_the_payoffs(kind: type[Shared], axes: int, action_grid: Any) -> None:
    game = shared(kind, axes=axes)
    made = tabulate(game, action_grid)
    np.testing.assert_allclose(
        made.tables.payoff[0], by_rule(game, made.action_grid, made.tables.sizes), rtol=1e-12, atol=1e-14
    )
    assert made.contest.weights.size == 0


def test_action_grids_of_unequal_lengths_without_outside_shares() -> None:
    game = shared(third=np.zeros(7), abstention=0.0, cost=np.zeros(3))
    made = tabulate(game, [[0.1, 0.9], [0.0, 0.5, 1.0], [0.2, 0.3, 0.4, 0.6]])
    assert made.tables.sizes.tolist() == [2, 3, 4]
    found = made.tables.payoff[0]
    np.testing.assert_allclose(found, by_rule(game, made.action_grid, made.tables.sizes), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), np.asarray(game.weights).sum(), rtol=1e-12)


def test_a_general_game_is_tabulated_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(discretize, "CHUNK", 50)
    made = tabulate(cournot(3), 5)
    q = made.action_grid[0, :, 0]
    for joint, actions in enumerate(every([5] * 3)):
        own = q[list(actions)]
        expected = own * (9 - own.sum())  # price less cost, times quantity
        np.testing.assert_allclose(made.tables.payoff[0, :, joint], expected, atol=1e-12)


def test_above_the_memory_limit_payoffs_are_computed_on_demand() -> None:
    game = shared(players=3)
    table = tabulate(game, 4)
    with pytest.warns(UserWarning, match="a table of 1536 bytes is above max_table_bytes, 1000"):
        summed = tabulate(game, 4, max_table_bytes=1000)
    assert summed.tables.payoff.size == 0
    actions = every([4] * 3)
    assert np.array_equal(payoffs(summed, actions), payoffs(table, actions))  # bitwise
    np.testing.assert_allclose(payoffs(table, actions).T, table.tables.payoff[0])
    assert largest_payoff(summed) == largest_payoff(table) == table.tables.payoff.max()
    for made in (table, summed):
        np.testing.assert_allclose(payoffs(normalise(made), actions).max(), 1.0, rtol=1e-14)
    with pytest.raises(ValueError, match="action_grid: a table of 1536 bytes is above max_table_bytes, 1000"):
        tabulate(shared(Shared), 4, max_table_bytes=1000)


@pytest.mark.default
def test_underflowing_influence_is_shared_in_logarithms() -> None:
    """At steepness 5000 influence at far points is below 1e-700; the nearest player gets the point."""
    game = shared(
        steepness=[5000.0] * 2, third=np.zeros(7), abstention=0.0, cost=np.zeros(2), players=2,
        points=np.linspace(0.05, 0.95, 7)[:, None],
    )  # fmt: skip
    made = tabulate(game, [0.0, 0.3, 0.34])
    table = made.tables.payoff[0].reshape(2, 3, 3)
    b, w = np.asarray(game.points)[:, 0], np.asarray(game.weights)
    points = made.action_grid[0, :, 0]
    for one in range(3):
        for two in range(3):
            gap = 5000 * (np.abs(b - points[one]) - np.abs(b - points[two]))
            share = 1 / (1 + np.exp(np.clip(gap, -700, 700)))
            np.testing.assert_allclose(table[:, one, two], [w @ share, w @ (1 - share)], atol=1e-12)
    with pytest.warns(UserWarning, match="summed"):
        summed = tabulate(game, [0.0, 0.3, 0.34], max_table_bytes=1)
    assert np.array_equal(payoffs(summed, every([3, 3])).T, made.tables.payoff[0])


@pytest.mark.default
def test_exchangeable_players_may_be_permuted() -> None:
    game = shared(players=4, steepness=[2.0, 3.0, 2.0, 2.0], cost=np.zeros(4))
    made = tabulate(game, 3)
    assert made.exchangeable.tolist() == [0, 1, 0, 0]
    table = made.tables.payoff[0].reshape(4, 3, 3, 3, 3)
    np.testing.assert_allclose(table[0], np.swapaxes(table[2], 0, 2), rtol=1e-12)
    np.testing.assert_allclose(table[1], np.swapaxes(table[1], 2, 3), rtol=1e-12)
    own = [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.1, 1.0]]
    assert tabulate(game, own).exchangeable.tolist() == [
        0,
        1,
        0,
        3,
    ]  # a player with another grid is not exchangeable


def test_matrix_games_are_tabulated_unchanged() -> None:
    game = matrix(payoffs=np.random.default_rng(1).normal(size=(2, 2, 3)).tolist())
    made = tabulate(game, observation="joint")
    np.testing.assert_array_equal(made.tables.payoff[0], np.asarray(game.table).reshape(2, 6))
    assert (made.tables.sizes.tolist(), made.tables.action_map.size) == ([2, 3], 0)
    assert made.tables.observation_slots.tolist() == [[[0, 1], [1, 1]]] * 2
    for actions in every([2, 3]):
        corners = made.action_grid[[0, 1], list(actions)]
        np.testing.assert_allclose(payoffs(made, list(actions)), game.payoffs(game.space.check(corners)))


class Chosen:
    """Two players choose integers and are paid their own plus ten times the other's."""

    space = Choices((2, 3))

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] + 10 * x[::-1, 0]


def test_choices_are_tabulated_by_number() -> None:
    made = tabulate(Chosen())
    assert made.tables.action_map.size == 0
    np.testing.assert_allclose(made.tables.payoff[0, 0].reshape(2, 3), [[0, 10, 20], [1, 11, 21]])
    np.testing.assert_allclose(made.tables.payoff[0, 1].reshape(2, 3), [[0, 1, 2], [10, 11, 12]])


@pytest.mark.default
def test_observation_and_order_of_moves() -> None:
    game = shared(players=3)
    made = tabulate(game, 2, observation="own", play="asynchronous", walk=False)
    assert made.tables.observation_slots.tolist() == [[[0, 1]], [[1, 1]], [[2, 1]]]
    assert (made.tables.order.tolist(), made.tables.action_map.size) == ([[0], [1], [2]], 0)
    together = tabulate(game, 2)
    assert together.tables.order.tolist() == [[0, 1, 2]]
    assert in_turn(together).tables.order.tolist() == [[0], [1], [2]]


class Broken(Shared):
    def payoffs(self, x: Any) -> Any:
        return super().payoffs(x) / (x[0, 0] != 0.5)


class WithWorld:
    space = Choices((2, 2))


to_finite.register(WithWorld)(lambda game: "not a world")  # type: ignore[arg-type, return-value]


def test_invalid_input_is_refused() -> None:
    with pytest.raises(ValueError, match="observation: 'all' is unknown"):
        tabulate(cournot(2), observation="all")
    with pytest.raises(ValueError, match="play: 'now' is unknown"):
        tabulate(cournot(2), play="now")
    with pytest.raises(ValueError, match=r"payoffs: player 0 gets .* must be finite"):
        tabulate(shared(Broken), 3)
    with pytest.raises(ValueError, match="is a str; must be a FiniteGame"):
        tabulate(WithWorld())
    with pytest.raises(ValueError, match="game: its largest payoff is 0; must be above 0"):
        normalise(tabulate(matrix(payoffs=[[[0, -1]], [[0, -2]]])))


def test_the_package_exports_tabulate() -> None:
    assert isinstance(rv.tables.tabulate(cournot(2), 3).tables, FiniteGame)
