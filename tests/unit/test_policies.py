"""Policies learned by Q-learning: exact fixed points, move orders, nature, and recorded metrics."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.array_games import FiniteGame
from rivalry.methods.q_learning import policies
from rivalry.methods.q_learning.q_learning import QLearning
from rivalry.tables import regrets
from tests.plain_q_learning import walk

pytestmark = pytest.mark.mostly_slow

PAY = np.array([[0.3, -0.2, 0.5, 0.1, 0.9]])  # [player place]: a single walker
GAMMA = 0.7


def values(learner: QLearning, world: Any, seed: int = 0) -> np.ndarray:
    """The Q-tables of the first trial after all steps, ``[player state action]``."""
    made = learner.world(world)
    session = learner.begin(made, np.random.SeedSequence(seed))
    learner.advance(made, session, learner.length(made))
    return session["values"][0]  # type: ignore[no-any-return]


def fixed_point(weigh: Any) -> np.ndarray:
    """``Q(s, a) = r(s') + gamma * weigh(Q(s', .))`` for the walker, by iteration."""
    q, there = np.zeros((5, 3)), np.clip(np.arange(5)[:, None] + [-1, 0, 1], 0, 4)
    for _ in range(400):
        q = PAY[0][there] + GAMMA * weigh(q)[there]
    return q


@pytest.mark.parametrize(
    ("target", "weigh"), [("max", lambda q: q.max(axis=1)), ("expected", lambda q: q.mean(axis=1))]
)
def test_a_single_walker_learns_its_exact_values(target: str, weigh: Any) -> None:
    learner = QLearning(
        step_size=1.0, gamma=GAMMA, exploration=1.0, target=target, epochs=200, episodes=50, reward="raw"
    )
    np.testing.assert_allclose(values(learner, walk(PAY))[0], fixed_point(weigh), atol=1e-9)


def test_on_policy_values_match_the_behaviour_policy() -> None:
    """SARSA with epsilon 1 estimates the values of the random walk, not the optimal ones."""
    learner = QLearning(
        step_size=0.002,
        gamma=GAMMA,
        exploration=1.0,
        target="on_policy",
        epochs=1,
        episodes=300_000,
        reward="raw",
    )
    found = values(learner, walk(PAY))[0]
    np.testing.assert_allclose(found, fixed_point(lambda q: q.mean(axis=1)), atol=0.05)
    assert np.abs(found - fixed_point(lambda q: q.max(axis=1))).max() > 0.5


def test_values_follow_the_mean_dynamics_for_small_steps() -> None:
    """A bandit with one state: ``Q`` of a choice played k times is ``r (1 - (1 - alpha)^k)``."""
    table = np.array([[1.0, 0.4, 0.7]])
    bandit = FiniteGame(
        payoff=table[None],
        next_nature=np.zeros((1, 1, 1), dtype=np.int64),
        nature_cdf=np.ones((1, 1, 1)),
        action_map=np.zeros((0, 0, 0), dtype=np.int64),
        sizes=np.array([3]),
        order=np.array([[0]]),
        observation_slots=np.full((1, 1, 2), -1),
    )
    learner = QLearning(step_size=1e-3, gamma=0.0, exploration=1.0, epochs=1, episodes=3000, reward="raw")
    np.testing.assert_allclose(values(learner, bandit)[0, 0], table[0] * (1 - np.exp(-1.0)), rtol=0.06)


def test_alternating_players_collect_rewards_until_they_move_again() -> None:
    """With two players moving in turn, the target of a decision is the discounted payoff of both rounds."""
    world = walk(np.random.default_rng(1).random((2, 3, 3)), "joint", order=[[0], [1]])
    made = QLearning(step_size=1.0, gamma=0.5, exploration=1.0, epochs=1, episodes=2, reward="raw").world(
        world
    )
    learner = QLearning(step_size=1.0, gamma=0.5, exploration=1.0, epochs=1, episodes=2, reward="raw")
    session = learner.begin_at(made, np.random.SeedSequence(4), [[1.0], [1.0]])
    learner.advance(made, session, 1)
    first, middle = session["pending"][0].copy(), session["recent"][0, 0, :2].copy()
    assert first[0, 0] == 4  # the joint state (1, 1)
    assert first[1, 0] == -1
    learner.advance(made, session, 1)
    end = session["recent"][0, 0, :2]
    pay = world.payoff[0].reshape(2, 3, 3)
    worth = pay[(0, *middle)] + 0.5 * pay[(0, *end)]
    np.testing.assert_allclose(session["values"][0, 0, 4, first[0, 1]], worth, rtol=1e-15)
    assert np.count_nonzero(session["values"][0, 0]) == 1


def test_a_follower_observes_the_leader_in_the_same_round() -> None:
    """Sequential matching game: the second mover learns to match the observed action."""
    match = np.stack([np.zeros((3, 3)), np.eye(3)])
    world = FiniteGame(
        payoff=match.reshape(1, 2, 9),
        next_nature=np.zeros((1, 1, 1), dtype=np.int64),
        nature_cdf=np.ones((1, 1, 1)),
        action_map=np.zeros((0, 0, 0), dtype=np.int64),
        sizes=np.array([3, 3]),
        order=np.array([[0, 1]]),
        observation_slots=np.array([[[-1, -1]], [[0, 0]]]),
    )
    learner = QLearning(step_size=0.5, gamma=0.0, exploration=1.0, epochs=1, episodes=500)
    made = learner.world(world)
    np.testing.assert_allclose(values(learner, world)[1], np.eye(3), atol=1e-3)
    assert policies.greedy(made, values(learner, world))[1].tolist() == [0, 1, 2]


@pytest.mark.default
def test_nature_follows_its_transition_probabilities_and_is_observed() -> None:
    """One player, two states of nature: the value of an action is its payoff in the observed state."""
    odds = np.array([[[0.25, 1.0]], [[0.25, 1.0]]])
    world = FiniteGame(
        payoff=np.array([[[1.0, 0.0]], [[0.2, 0.6]]]),
        next_nature=np.array([[[0, 1]], [[0, 1]]]),
        nature_cdf=odds,
        action_map=np.zeros((0, 0, 0), dtype=np.int64),
        sizes=np.array([2]),
        order=np.array([[0]]),
        observation_slots=np.array([[[1, 0]]]),
    )
    learner = QLearning(step_size=0.5, gamma=0.0, exploration=1.0, epochs=1, episodes=20_000, reward="raw")
    found = rv.solve(world, learner, seed=3, tolerance=None).record
    visits = found["visits"][1][0, 0]
    assert visits.sum() == 20_000
    np.testing.assert_allclose(visits / 20_000, [0.25, 0.75], atol=0.015)
    assert found["policy"][1][0, 0].tolist() == [0, 1]
    assert "profile" not in found  # no rollout with random states of nature


GAME = rv.games.influencer(reach=[0.15, 0.15], resource="bimodal")


def test_recorded_metrics() -> None:
    learner = QLearning(epochs=300, trials=6)
    found = rv.solve(GAME, learner, seed=2)
    record = {name: array for name, (_, array) in found.record.items()}
    world = learner.world(GAME)
    assert found.steps == learner.length(world) == record["visits"][0, 0].sum()
    assert record["policy"].shape == record["visits"].shape == (6, 2, 11)
    np.testing.assert_allclose(record["policy_softmax"].sum(axis=-1), 1.0)
    ends = record["end_positions"]
    np.testing.assert_allclose(record["end_mean"], ends.mean(axis=0))
    np.testing.assert_allclose(record["end_mad"], np.abs(ends - ends.mean(axis=0)).mean(axis=0))
    for trial in np.flatnonzero(record["end_period"] == 1):
        joint = policies.nearest_grid_points(world, ends[trial])
        np.testing.assert_allclose(record["grid_regret"][trial], regrets(world, joint), atol=1e-12)
    assert record["grid_equilibria"].ravel().tolist() == [0.5, 0.5]
    away = np.sqrt(((ends - 0.5) ** 2).mean(axis=(1, 2)))
    np.testing.assert_allclose(record["grid_distance"], away, atol=1e-12)
    assert record["near_share"] == np.mean(away <= 0.1 + 1e-9)
    assert record["rollout"][0].ravel().tolist() == [0.2, 0.8]  # 10 / 4 and 30 / 4, rounded to even
    assert record["learning_step"][-1] == found.steps
    total = record["learning_reward"] * np.diff(record["learning_step"], prepend=0)[:, None]
    assert 0 < total.sum() / found.steps < 2
    assert found.status in ("converged", "cycling")
    assert rv.solve(GAME, learner, max_steps=50, seed=2).status == "iteration limit"


def test_epochs_begin_at_a_given_start() -> None:
    learner = QLearning(epochs=5, episodes=2, exploration=1.0)
    world = learner.world(GAME)
    session = learner.begin_at(world, np.random.SeedSequence(0), np.array([[0.1], [0.9]]))
    learner.advance(world, session, 10)
    assert session["visits"][0, 0, 1] >= 5
    assert session["visits"][0, 1, 9] >= 5
    assert session["visits"][0].sum(axis=1).tolist() == [10, 10]
    assert learner.read(world, session)["rollout"][1][0].ravel().tolist() == [0.1, 0.9]


def test_payoffs_can_be_summed_without_a_table() -> None:
    learner, few = QLearning(epochs=20), QLearning(epochs=20, max_table_bytes=0)
    with pytest.warns(UserWarning, match="payoffs are summed when needed"):
        world = few.world(GAME)
    assert not world.tables.payoff.size
    session = few.begin(world, np.random.SeedSequence(0))
    few.advance(world, session, few.length(world))
    np.testing.assert_allclose(session["values"][0], values(learner, GAME), rtol=1e-9)


def test_dominant_actions_are_learned_in_matrix_games() -> None:
    exploration = {"kind": "softmax", "start": 0.8, "end": 0.3, "temperature": 0.1}
    learner = QLearning(step_size=0.1, gamma=0.0, epochs=50, exploration=exploration, trials=4)
    found = rv.solve(rv.games.matrix("prisoners_dilemma"), learner, seed=0)
    assert (found.profile.values.tolist(), found.claim) == ([[0.0, 1.0], [0.0, 1.0]], "equilibrium")
    assert float(found.data.near_share) == 1.0


FIG11 = {"step_size": 0.05, "gamma": 0.5, "exploration": 0.1, "epochs": 1, "episodes": 4000}


@pytest.mark.parametrize(
    ("start", "initial", "carried", "ends"),
    [
        ([0.1, 0.9], 0.0, False, [0.158, 0.834]),
        ([0.1, 0.9], {"kind": "uniform", "min": 0.0, "max": 0.3}, False, [0.174, 0.838]),
        ([0.1, 0.9], 0.0, True, [0.5, 0.5]),
        ([0.1, 0.3, 0.4, 0.7, 0.9], 0.0, False, [0.153, 0.312, 0.440, 0.669, 0.852]),
        ([0.1, 0.3, 0.4, 0.7, 0.9], 0.0, True, [0.5] * 5),
    ],
    ids=["2", "2-uniform", "2-carried", "5", "5-carried"],
)
def test_end_positions_of_short_trials_with_and_without_carried_tables(
    start: list[float], initial: Any, carried: bool, ends: list[float]
) -> None:
    """Compare with means over trials from an independent implementation, for greedy play."""
    game = rv.games.influencer(reach=[0.25] * len(start), resource="bimodal")
    learner = QLearning(**FIG11, initial_q=initial, trials=500, carry_tables=carried)
    found = rv.solve(game, learner, start=start, seed=0, tolerance=None).record["end_positions"][1]
    np.testing.assert_allclose(found[-100 if carried else 0 :, :, 0].mean(axis=0), ends, atol=0.03)


@pytest.mark.default
def test_distance_from_the_centre_of_the_grid_in_each_state() -> None:
    """On a line ``|s - m| / m``, for own or joint states; in the plane the maximum over both axes."""
    own = QLearning().world(walk(np.ones((2, 5, 5))))
    line = np.abs(np.arange(5) - 2) / 2
    np.testing.assert_allclose(policies.off_centre(own), [line, line], atol=1e-15)
    joint = QLearning().world(walk(np.ones((2, 5, 5)), "joint"))
    np.testing.assert_allclose(policies.off_centre(joint), [np.repeat(line, 5), np.tile(line, 5)], atol=1e-15)
    plane = np.stack(np.meshgrid([0.0, 1.0, 2.0], [5.0, 6.0, 7.0]), axis=-1).reshape(9, 2)
    square = QLearning().world(walk(np.ones((2, 9, 9))))._replace(action_grid=np.stack([plane, plane]))
    np.testing.assert_allclose(policies.off_centre(square)[0], [1, 1, 1, 1, 0, 1, 1, 1, 1], atol=1e-15)
