"""Greedy play until it cycles, compared with an explicit loop."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.array_games import FiniteGame
from rivalry.families.matrix import matrix
from rivalry.tables import in_turn, payoffs, rollout, tabulate
from tests.contests import shared
from tests.small_games import cournot


def by_hand(tables: FiniteGame, policies: np.ndarray, start: list[int]) -> tuple[list[tuple[int, ...]], int]:
    """Return the joint actions from ``start`` until one repeats, and the index where the cycle begins."""
    seen: dict[tuple[int, ...], int] = {}
    actions, path = tuple(start), []
    while actions not in seen:
        seen[actions] = len(path)
        path.append(actions)
        for row in tables.order.tolist():
            before = actions
            for player in row:
                slots = [(who, ago) for who, ago in tables.observation_slots[player].tolist() if who >= 0]
                looks = [(actions if ago == 0 else before)[who] for who, ago in slots]
                sizes = [int(tables.sizes[who]) for who, _ in slots]
                state = int(np.ravel_multi_index(looks, sizes)) if slots else 0
                move = int(policies[player][state])
                new = int(tables.action_map[player, before[player], move]) if tables.action_map.size else move
                actions = (*actions[:player], new, *actions[player + 1 :])
    return path, seen[actions]


@pytest.mark.representative
@pytest.mark.parametrize("play", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("observation", ["own", "joint"])
@pytest.mark.parametrize("walk", [True, False])
def test_rollouts_match_an_explicit_loop(play: str, observation: str, walk: bool) -> None:
    draw = np.random.default_rng(8)
    made = tabulate(shared(players=3), 4, walk=walk, observation=observation, play=play)
    periods = set()
    for _ in range(12):
        policies = draw.integers(0, 3 if walk else 4, size=(3, 4 if observation == "own" else 64))
        start = draw.integers(0, 4, size=3).tolist()
        found = rollout(made, policies, start)
        path, onset = by_hand(made.tables, policies, start)
        assert [tuple(row) for row in found.path.tolist()] == path
        assert (found.onset, found.period) == (onset, len(path) - onset)
        assert len(found.cycle) == found.period
        if play == "synchronous":
            np.testing.assert_allclose(found.payoff, payoffs(made, found.cycle).mean(axis=0))
        periods.add(found.period)
    assert max(periods) > 1


@pytest.mark.slow
def test_in_turn_taking_play_payoffs_follow_each_own_move() -> None:
    """Two sellers alternate between 0 and 4; each is paid at the joint action right after its move."""
    found = rollout(in_turn(tabulate(cournot(2), [0.0, 4.0], walk=False)), [[1, 0], [1, 0]], [0, 0])
    assert found.cycle.tolist() == [[0, 0], [1, 1]]
    # the first: 4 against 0, then 0 against 4; the second: 4 against 4, then 0 against 0
    np.testing.assert_allclose(found.payoff, [(4 * 5 + 0) / 2, (4 * 1 + 0) / 2])


def test_later_movers_may_observe_earlier_ones_in_a_round() -> None:
    made = tabulate(matrix("matching_pennies"))
    sees = np.array([[[0, 1]], [[0, 0]]])  # the second observes the current choice of the first
    staged = made._replace(tables=made.tables._replace(observation_slots=sees))
    found = rollout(staged, [[1, 0], [1, 0]], [0, 0])
    assert found.cycle.tolist() == [[1, 0], [0, 1]]
    np.testing.assert_allclose(found.payoff, [-1.0, 1.0])


def test_play_without_a_payoff_table_is_the_same() -> None:
    game = shared(players=3)
    table = tabulate(game, 4)
    with pytest.warns(UserWarning, match="summed"):
        summed = tabulate(game, 4, max_table_bytes=1)
    policies = np.random.default_rng(0).integers(0, 3, size=(3, 4))
    one, two = rollout(table, policies, [0, 1, 2]), rollout(summed, policies, [0, 1, 2])
    assert np.array_equal(one.path, two.path)
    np.testing.assert_allclose(one.payoff, two.payoff, rtol=1e-13)


@pytest.mark.slow
def test_wrong_policies_are_refused() -> None:
    made = tabulate(cournot(2), 3)
    with pytest.raises(
        ValueError, match=r"policies: float64 of shape \(2, 3\) must be whole numbers, \(2, 3\)"
    ):
        rollout(made, np.zeros((2, 3)), [0, 0])
    with pytest.raises(
        ValueError, match=r"policies: int64 of shape \(2, 2\) must be whole numbers, \(2, 3\)"
    ):
        rollout(made, [[0, 0]] * 2, [0, 0])
    with pytest.raises(ValueError, match=r"policies\[1\]\[2\]: move 3 must be in 0..2"):
        rollout(made, [[0, 0, 0], [0, 0, 3]], [0, 0])
    with pytest.raises(ValueError, match=r"actions: player 0 at 3; must be in 0\.\.2"):
        rollout(made, [[0] * 3] * 2, [3, 0])


def test_observations_that_play_of_tables_has_not_are_refused() -> None:
    plain = tabulate(matrix("prisoners_dilemma"))
    learner = rv.methods.QLearning(trials=1, epochs=1, episodes=10)
    everything = np.zeros((2, 6), dtype=np.int64)

    def observing(*slots: tuple[int, int]) -> FiniteGame:
        each = np.array([[*slots, (-1, -1)]] * 2)
        return plain.tables._replace(signal=np.array([[0, 1, 2, 1]]), observation_slots=each)

    signal = observing((0, 1), (3, 1))
    words = r"^observation_slots: player 0 observes a signal; must be actions or nature here"
    for game in (signal, plain._replace(tables=signal)):
        with pytest.raises(ValueError, match=words):
            rv.solve(game, learner)
    refused = {"a signal": signal, "nature": observing((2, 0)), "2 rounds back": observing((1, 2))}
    for words, tables in refused.items():
        with pytest.raises(ValueError, match=f"^observation_slots: player 0 .*{words}; must be"):
            rollout(plain._replace(tables=tables), everything, [0, 0])
