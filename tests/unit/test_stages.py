"""Staged games: subgame-perfect outcomes by enumeration, and follower losses by direct play."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from rivalry.core.array_games import one_state
from rivalry.tables.history import whole_states
from rivalry.tables.stages import followers_gap, leader_regret, staged_values
from tests.histories import GAMES, drawn_policies, one_round, past_of
from tests.unit.test_history import dilemma


def market(leader: np.ndarray, follower: np.ndarray) -> np.ndarray:
    """Profits at price 10 - Q, unit cost 1, ``[player leader follower]``."""
    q, r = np.meshgrid(leader, follower, indexing="ij")
    price = np.maximum(10 - q - r, 0)
    return np.stack([(price - 1) * q, (price - 1) * r])


COARSE, FINE = np.arange(1.5, 6.01, 0.75), np.arange(1.5, 6.01, 0.375)


def test_ties_separate_strong_and_weak_leader_values() -> None:
    found = staged_values(market(COARSE, COARSE), [7, 7], [[0], [1]])
    assert (found.strong[0], found.weak[0]) == (11.8125, 10.125)
    assert found.missing == 0
    fine = staged_values(market(COARSE, FINE), [7, 13], [[0], [1]])
    assert fine.strong[0] == fine.weak[0] == 10.125
    assert fine.strong[1] == fine.weak[1] == 5.0625
    assert fine.strong_profile.tolist() == [4, 2]


def plans(sizes: list[int], stages: list[list[int]]) -> Any:
    """Yield all plans: an action per player and history of the earlier stages."""
    nodes = []
    for k, stage in enumerate(stages):
        before = [player for row in stages[:k] for player in row]
        histories = list(product(*(range(sizes[p]) for p in before)))
        nodes += [(player, history) for player in stage for history in histories]
    for actions in product(*(range(sizes[player]) for player, _ in nodes)):
        yield dict(zip(nodes, actions, strict=True))


def outcome(plan: Any, stages: list[list[int]], history: tuple[int, ...], first: int) -> dict[int, int]:
    """Return the actions by player from stage ``first`` on, after ``history``."""
    found = {}
    for stage in stages[first:]:
        row = [plan[player, history] for player in stage]
        found |= dict(zip(stage, row, strict=True))
        history = (*history, *row)
    return found


def perfect(pays: np.ndarray, sizes: list[int], stages: list[list[int]]) -> set[tuple[int, ...]]:
    """Return outcomes of the plans without a profitable one-shot deviation at any history."""
    kept = set()
    for plan in plans(sizes, stages):
        rests = True
        for (player, history), action in plan.items():
            first = next(k for k, stage in enumerate(stages) if player in stage)
            before = dict(zip([p for row in stages[:first] for p in row], history, strict=True))

            def paid(
                plan: Any, history: Any = history, first: int = first, before: Any = before
            ) -> np.ndarray:
                joint = before | outcome(plan, stages, history, first)
                return np.asarray(pays[(slice(None), *(joint[p] for p in range(len(sizes))))])

            own = paid(plan)[player]
            others = [a for a in range(sizes[player]) if a != action]
            rests = rests and all(paid(plan | {(player, history): a})[player] <= own for a in others)
        if rests:
            joint = outcome(plan, stages, (), 0)
            kept.add(tuple(joint[p] for p in range(len(sizes))))
    return kept


@pytest.mark.parametrize(
    ("sizes", "stages"),
    [
        ([2, 3], [[0], [1]]),
        ([3, 2], [[1], [0]]),
        ([2, 3], [[0, 1]]),
        ([2, 2, 2], [[0], [1], [2]]),
        ([2, 2, 2], [[0], [2, 1]]),
        ([2, 2, 2], [[2, 0], [1]]),
    ],
    ids=["two", "the other way", "at once", "three", "one leads two", "two lead one"],
)
@pytest.mark.parametrize("seed", range(6))
def test_outcomes_match_enumerated_plans(sizes: list[int], stages: list[list[int]], seed: int) -> None:
    """Payoffs take few integer values, so that many ties occur."""
    pays = np.random.default_rng(seed).integers(0, 4, size=(len(sizes), *sizes)).astype(float)
    found, wanted = staged_values(pays, sizes, stages), perfect(pays, sizes, stages)
    assert {tuple(row) for row in found.outcomes.tolist()} == wanted
    if wanted:
        each = np.array([pays[(slice(None), *row)] for row in wanted])
        np.testing.assert_array_equal(found.strong, each.max(axis=0))
        np.testing.assert_array_equal(found.weak, each.min(axis=0))
        leader = stages[0][0]
        assert pays[(leader, *found.strong_profile)] == found.strong[leader]
    else:
        assert found.missing > 0
        assert np.isnan(found.strong).all()


def test_stages_without_a_pure_equilibrium_are_counted() -> None:
    """Simultaneous matching pennies, alone or after one of a leader's two actions."""
    pennies = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
    assert staged_values(pennies, [2, 2], [[0, 1]]).missing == 1
    after = np.zeros((3, 2, 2, 2))
    after[1:, 1] = pennies
    found = staged_values(after, [2, 2, 2], [[0], [1, 2]])
    assert found.missing == 1
    assert len(found.outcomes) == len(found.strong_profile) == 0


def test_leader_regret() -> None:
    staged = staged_values(market(COARSE, COARSE), [7, 7], [[0], [1]])
    strong, weak = leader_regret(staged, [[10.125, 5.0625], [12.0, 0.0]])
    np.testing.assert_allclose(strong, [1.6875, -0.1875])
    np.testing.assert_allclose(weak, [0, -1.875])


@pytest.mark.parametrize(
    ("payoff", "sizes", "stages", "says"),
    [
        (np.zeros((2, 2, 2)), [2, 2], [[0]], "stages: player 1 is missing; each must be in one stage"),
        (np.zeros((2, 2, 2)), [2, 2], [[0, 1], [1]], "stages: player 1 is named twice"),
        (np.zeros((2, 2, 2)), [2, 2], [[0, 1], [2]], "stages: 2 is no player"),
        (np.zeros((2, 5)), [2, 2], [[0, 1]], r"payoff: shape \(2, 5\) must be \(2, 4\)"),
    ],
    ids=["missing", "repeated", "unknown", "shape"],
)
def test_invalid_stages_are_refused(
    payoff: np.ndarray, sizes: list[int], stages: list[list[int]], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        staged_values(payoff, sizes, stages)


@pytest.mark.slow
def test_follower_losses_match_direct_play() -> None:
    tables, draw = GAMES["in stages"], np.random.default_rng(14)
    whole, policies = whole_states(tables), drawn_policies(GAMES["in stages"], 4, draw)
    found = followers_gap(tables, policies)
    assert found.followers.tolist() == [1]
    for session in range(4):
        loss = np.zeros((whole.size, 2))
        for state, led in np.ndindex(*loss.shape):
            past = past_of(whole, tables, state, draw)
            own = one_round(tables, policies[session], *past, {0: led})[0][1]
            tried = [one_round(tables, policies[session], *past, {0: led, 1: a})[0][1] for a in range(3)]
            loss[state, led] = max(tried) - own
        np.testing.assert_allclose(found.by_action[session, 0], loss.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(found.mean[session], loss.mean(), atol=1e-12)
        np.testing.assert_allclose(found.worst[session], loss.max(), atol=1e-12)
        assert found.share[session].tolist() == [np.mean(loss == 0)]


@pytest.mark.slow
def test_best_responding_followers_lose_nothing() -> None:
    pays = market(COARSE, FINE)
    tables = one_state(pays)._replace(observation_slots=np.array([[[-1, -1]], [[0, 0]]]))
    best = np.zeros((2, 7), dtype=np.int64)
    best[1] = pays[1].argmax(axis=1)
    found = followers_gap(tables, [best, np.zeros_like(best)])
    np.testing.assert_allclose(found.worst[0], 0)
    assert found.share[0].tolist() == [1]
    lost = pays[1].max(axis=1) - pays[1][:, 0]
    np.testing.assert_allclose(found.by_action[1, 0], lost)
    assert found.share[1].tolist() == [np.mean(lost == 0)]


@pytest.mark.slow
def test_a_middle_follower_anticipates_later_responses() -> None:
    """The second of three movers is evaluated after the third one's response."""
    pays = np.random.default_rng(15).normal(size=(3, 2, 2, 3))
    sees = np.array([[[-1, -1], [-1, -1]], [[0, 0], [-1, -1]], [[0, 0], [1, 0]]])
    policy = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [2, 1, 0, 1]])
    found = followers_gap(one_state(pays)._replace(observation_slots=sees), [policy])
    for led in range(2):
        ends = [pays[1, led, a, policy[2, 2 * led + a]] for a in range(2)]
        np.testing.assert_allclose(found.by_action[0, 0, led], max(ends) - ends[policy[1, led]])
        last = pays[2, led, policy[1, led]]
        np.testing.assert_allclose(
            found.by_action[0, 1, led], last.max() - last[policy[2, 2 * led + policy[1, led]]]
        )


def test_games_without_followers_are_refused() -> None:
    with pytest.raises(ValueError, match="observation_slots: no player observes a move of the same round"):
        followers_gap(dilemma(), [[[0, 0, 0, 0]] * 2])
    tables = GAMES["stages and turns"]
    policies = drawn_policies(tables, 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="order: 2 rounds; must be one"):
        followers_gap(tables, policies)
