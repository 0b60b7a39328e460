"""The interface to RLlib: turns, rewards, termination, truncation, and action distributions of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.integrations.rllib import DQN, PPO, SAC, training
from rivalry.integrations.rllib.algorithms import DeepLearner
from rivalry.integrations.rllib.networks import PolicyNetwork, clip_to_masks
from rivalry.runtime.jax import put
from rivalry.transforms.units import strategies

pytest.importorskip("ray")
torch = pytest.importorskip("torch")


SEED = np.random.SeedSequence(3)
SHORT: dict[str, Any] = {"iterations": 1, "batch": 24, "envs": 2, "periods": 5, "minibatch": 8}


def played(game: Any, learner: DeepLearner, steps: tuple[int, ...]) -> list[Any]:
    """Return the episodes, or parts of episodes, that RLlib learns from."""
    world = learner.world(game)
    session = learner.begin(world, SEED)
    with session.own():
        algorithm = training._running_algorithm(world, session)
        found = [part for count in steps for part in algorithm.env_runner.sample(num_timesteps=count)]
    training.stop(session)
    return found


def whole(parts: list[Any]) -> dict[str, dict[str, list[Any]]]:
    """Return actions, rewards and observations of every complete episode, by agent."""
    found: dict[str, dict[str, Any]] = {}
    done = {part.id_ for part in parts if part.is_done}
    for part in parts:
        for agent, own in part.agent_episodes.items():
            row = found.setdefault(part.id_, {}).setdefault(
                str(agent), {"action": [], "reward": [], "seen": [], "over": False, "cut": False}
            )
            row["action"] += list(own.get_actions())
            row["reward"] += list(own.get_rewards())
            row["seen"] += list(own.get_observations()[:-1])
            row["over"], row["cut"] = own.is_terminated, own.is_truncated
    return {key: rows for key, rows in found.items() if key in done}


@pytest.mark.brief
def test_rewards_of_a_staged_market_by_hand() -> None:
    game = rv.games.market(stages=[[1], [0]])
    learner = PPO(**SHORT)
    world: Any = learner.world(game)
    base = world.order.game  # `game` itself is the leader's problem alone
    episodes = whole(played(game, learner, (7, 7, 6, 8, 12)))  # chunks that end in the middle of periods
    assert len(episodes) >= 3
    for rows in episodes.values():
        first, second = (np.array(rows[f"player_{k}"]["action"])[:, 0] for k in (0, 1))
        assert len(first) == len(second) == 5
        acts = np.clip(np.stack([first, second], axis=1), -1, 1)[:, :, None]
        pays = np.array([base.payoffs(strategies(base.space, put(row))) for row in acts])
        for k in (0, 1):
            own = np.array(rows[f"player_{k}"]["reward"]) * world.scale
            np.testing.assert_allclose(own, pays[:, k], rtol=1e-5, atol=1e-3)
            assert rows[f"player_{k}"]["cut"]
            assert not rows[f"player_{k}"]["over"]
        # the follower observes this period's choice of the leader, scaled to [-1, 1], in the second column
        seen = np.array(rows["player_0"]["seen"])
        np.testing.assert_allclose(seen[:, 1], np.clip(second, -1, 1), atol=1e-5)


@pytest.mark.parametrize("make", [rv.games.influencer, lambda: rv.games.karma(agents=4)])
def test_a_horizon_truncates_without_terminating(make: Any) -> None:
    done = [part for part in played(make(), PPO(**SHORT), (24,)) if part.is_done]
    assert done
    for part in done:
        assert part.is_truncated
        assert not part.is_terminated
        for own in part.agent_episodes.values():
            assert own.is_truncated
            assert not own.is_terminated
            assert len(own) == 5


@pytest.mark.brief
def test_a_race_terminates() -> None:
    parts = played(rv.games.race(horizon=3), PPO(**SHORT | {"moves": "native", "periods": 50}), (30,))
    done = [part for part in parts if part.is_done]
    assert done
    for part in done:
        assert len(part) <= 3
        for own in part.agent_episodes.values():
            assert own.is_terminated
            assert not own.is_truncated


def test_bankrupt_firms_terminate_while_the_others_continue() -> None:
    game = rv.games.market(intercept=60.0, unit_cost=[10.0, 59.0], cash=[1e6, 0.0], fixed_cost=[0.0, 1000.0])
    parts = played(game, PPO(**SHORT | {"moves": "native", "periods": 8}), (16, 16, 16))
    left = [rows for rows in whole(parts).values() if rows["player_1"]["over"]]
    assert left
    for rows in left:
        assert len(rows["player_1"]["reward"]) < len(rows["player_0"]["reward"]) == 8
        assert rows["player_0"]["cut"]


@pytest.mark.brief
def test_rewards_in_a_karma_economy_are_the_urgencies_of_losers() -> None:
    game = rv.games.karma(agents=4)
    rows = whole(played(game, PPO(**SHORT | {"policies": "shared"}), (24,)))
    scale = PPO().world(game).scale
    for agents in rows.values():
        paid = np.array([agents[f"agent_{k}"]["reward"] for k in range(4)]) * scale
        stakes = (np.array([agents[f"agent_{k}"]["seen"] for k in range(4)])[:, :, 0] + 1) / 2 * scale
        lost = paid < 0
        np.testing.assert_allclose(paid[lost], -stakes[lost], rtol=1e-5)


def trained(learner: DeepLearner, game: Any) -> tuple[PolicyNetwork, int]:
    world = learner.world(game)
    session = learner.begin(world, SEED)
    learner.advance(world, session, 1)
    found = training.networks(world, session)
    training.stop(session)
    name = world.names[0]
    seen, _ = world.env().reset(seed=0)
    return found[name], len(world.look(name, seen[name]))


def theirs(network: PolicyNetwork, rows: np.ndarray) -> Any:
    """Return RLlib's distribution of actions at rows of observations."""
    with torch.no_grad():
        numbers = network.module.forward_inference({"obs": torch.as_tensor(rows)})["action_dist_inputs"]
    return network.module.get_exploration_action_dist_cls().from_logits(numbers)


@pytest.mark.parametrize("kind", [PPO, SAC])
def test_continuous_actions_are_distributed_as_in_rllib(kind: Any) -> None:
    network, width = trained(kind(moves="steps", **SHORT), rv.games.influencer())
    rows = np.random.default_rng(0).normal(size=(6, width)).astype(np.float32)
    law = theirs(network, rows)
    middle = law.to_deterministic().sample().numpy()  # RLlib does not squash the mode
    best = np.tanh(middle) if kind is SAC else np.clip(middle, -1, 1)
    np.testing.assert_allclose(network.best(rows), best, atol=1e-6)
    often = np.repeat(rows, 20_000, axis=0)
    ours = network.sample(often, np.random.default_rng(1)).reshape(len(rows), -1)
    torch.manual_seed(1)
    other = np.clip(theirs(network, often).sample().numpy(), -1, 1).reshape(len(rows), -1)
    for q in (0.1, 0.25, 0.5, 0.75, 0.9):
        np.testing.assert_allclose(np.quantile(ours, q, axis=1), np.quantile(other, q, axis=1), atol=0.06)
    np.testing.assert_allclose(ours.std(axis=1), other.std(axis=1), atol=0.02)


@pytest.mark.brief
def test_discrete_action_probabilities_equal_those_of_rllib() -> None:
    network, width = trained(PPO(moves="grid", action_grid=5, **SHORT), rv.games.influencer())
    rows = np.random.default_rng(0).normal(size=(3, width)).astype(np.float32)
    soft = theirs(network, rows)
    each = np.stack([np.exp(soft.logp(torch.full((3,), a)).numpy()) for a in range(3)], axis=1)
    np.testing.assert_allclose(network.probabilities(rows), each, atol=1e-6)
    np.testing.assert_array_equal(network.best(rows), each.argmax(axis=1))
    frequencies(network, rows)


def test_dqn_greedy_actions_and_exploration_equal_those_of_rllib() -> None:
    short = SHORT | {"warm_up": 0, "updates": 5}
    network, width = trained(
        DQN(moves="grid", action_grid=5, epsilon=0.3, exploration=1.0, **short), rv.games.influencer()
    )
    rows = np.random.default_rng(0).normal(size=(3, width)).astype(np.float32)
    with torch.no_grad():
        best = network.module.forward_inference({"obs": torch.as_tensor(rows)})["actions"].numpy()
    np.testing.assert_array_equal(network.best(rows), best)
    probabilities = network.probabilities(rows)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(probabilities[np.arange(3), best], 0.8)
    frequencies(network, rows)


def frequencies(network: PolicyNetwork, rows: np.ndarray) -> None:
    draw, probabilities = np.random.default_rng(2), network.probabilities(rows)
    often = np.zeros_like(probabilities)
    for _ in range(3000):
        often[np.arange(len(rows)), network.sample(rows, draw)] += 1
    np.testing.assert_allclose(often / 3000, probabilities, atol=0.04)


class Fixed(PolicyNetwork):
    """A network with given action probabilities."""

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        return np.tile([0.1, 0.2, 0.3, 0.4], (len(seen), 1))

    def best(self, seen: np.ndarray) -> np.ndarray:
        return np.full(len(seen), 3)


@pytest.mark.brief
def test_illegal_actions_are_clipped_to_the_largest_legal_action() -> None:
    masks = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    network = Fixed(None, "logits")
    found = clip_to_masks(network, np.zeros((3, 1)), masks, explore=True)
    np.testing.assert_allclose(found, [[0.1, 0.2, 0.3, 0.4], [0.1, 0.9, 0, 0], [1, 0, 0, 0]])
    plain = clip_to_masks(network, np.zeros((3, 1)), masks, explore=False)
    np.testing.assert_allclose(plain, [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]])


class Broken:
    """The influencer game with payoffs that are not finite above 0.3."""

    def __init__(self, worth: float) -> None:
        self.game, self.worth = rv.games.influencer(), worth
        self.space = self.game.space

    def payoffs(self, x: Any) -> Any:
        import jax.numpy as jnp

        return jnp.where(x[:, 0] > 0.3, self.worth, self.game.payoffs(x))


def test_infinite_payoffs_stop_training_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"rllib.ppo: nothing can be learned: player_\d was paid inf"):
        found = rv.solve(Broken(np.inf), PPO(iterations=3, batch=40, periods=5), seed=1, tolerance=None)
    assert (str(found.data.status.values), int(found.data.steps)) == ("not found", 1)


def test_payoffs_that_are_not_defined_are_refused() -> None:
    with pytest.raises(ValueError, match="payoffs of this game are not defined at"):
        rv.solve(Broken(np.nan), PPO(iterations=3, batch=40, periods=5), seed=1, tolerance=None)


def test_losses_that_are_not_finite_stop_training_with_a_warning() -> None:
    learner = PPO(iterations=4, batch=40, periods=5, rate=1e30)
    with pytest.warns(UserWarning, match="nothing can be learned"):
        found = rv.solve(rv.games.influencer(), learner, seed=1)
    assert str(found.data.status.values) == "not found"
