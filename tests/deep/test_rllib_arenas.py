"""Evaluation of learned policies, with given networks: against tables, mixtures and simulated play."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray")
pytest.importorskip("torch")

import rivalry as rv
from rivalry.core.oracles import normalized_observation
from rivalry.economies.envs import city_policy, policy_table
from rivalry.envs import single_agent_env
from rivalry.integrations.rllib import PPO, training
from rivalry.integrations.rllib.networks import PolicyNetwork
from rivalry.methods import CitySimulation, Simulation
from rivalry.methods.continuous.mixtures import mixture_record
from rivalry.runtime.jax import jax, put
from rivalry.tables import tabulate
from rivalry.transforms import in_stages, repeat
from rivalry.transforms.walk import Walking

WORDS = np.array([1, 2, 3, 4], dtype=np.uint32)
READ: Any = {"evaluation": 200, "rounds": 12}


class Rule(PolicyNetwork):
    """A stand-in for a network: ``module`` maps an observation to action probabilities or a choice."""

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        return np.array([self.module(row) for row in seen])

    def best(self, seen: np.ndarray) -> np.ndarray:
        found = self.probabilities(seen)
        return found.argmax(axis=1) if self.finite else found

    def sample(self, seen: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        if not self.finite:
            return self.probabilities(seen)
        odds = self.probabilities(seen).cumsum(axis=1)
        return np.minimum((draw.random(len(odds))[:, None] >= odds).sum(axis=1), odds.shape[1] - 1)


def always(*numbers: float) -> Rule:
    return Rule(lambda row: np.array(numbers), "logits")


def chooses(*numbers: float) -> Rule:
    return Rule(lambda row: np.array(numbers), "normal")


# walks


GRIDS: dict[str, dict[str, Any]] = {
    "interval": {},
    "square": {"space": "box", "bounds": [[0.0, 2.0], [0.0, 1.0]]},
    "simplex": {"space": "simplex", "corners": 3},
}


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("joint", [False, True])
def test_grid_moves_agree_with_the_tables(kind: str, joint: bool) -> None:
    game = rv.games.influencer(**GRIDS[kind])
    seen = "joint" if joint else "own"
    arena: Any = PPO(moves="grid", action_grid=4, observation=seen).world(game)
    world = tabulate(game, 4, observation=seen)
    sizes, moves = world.tables.sizes.tolist(), world.tables.action_map
    draw = np.random.default_rng(1)
    for _ in range(60):
        at = [int(draw.integers(size)) for size in sizes]
        chosen = [int(draw.integers(n)) for n in arena.played.space.sizes]
        x = np.array([world.action_grid[player, place] for player, place in enumerate(at)])
        state = Walking(put(x), put(0))
        after, paid, _, _ = arena.played.step(
            state, put(np.array(chosen, dtype=float)[:, None]), jax.random.key(0)
        )
        to = [
            int(moves[player, place, move])
            for player, (place, move) in enumerate(zip(at, chosen, strict=True))
        ]
        there = np.array([world.action_grid[player, place] for player, place in enumerate(to)])
        np.testing.assert_allclose(after.position, there, atol=1e-9)
        number = np.ravel_multi_index(to, sizes)
        np.testing.assert_allclose(paid, world.tables.payoff[0, :, number], rtol=1e-9, atol=1e-9)
        shown = np.asarray(normalized_observation(arena.played, state))
        for player in range(len(sizes)):
            rows = arena.observations(world, player)
            row = np.ravel_multi_index(at, sizes) if joint else at[player]
            np.testing.assert_allclose(rows[row], shown[player], atol=1e-9)


def test_regrets_on_a_grid_agree_with_value_iteration() -> None:
    game, gamma = rv.games.influencer(reach=[0.2, 0.4]), 0.6
    arena: Any = PPO(moves="grid", action_grid=3, gamma=gamma).world(game)
    world = tabulate(game, 3)
    rules = [[2, 1, 0], [2, 2, 1]]  # the move at each of the three grid points
    probabilities = [np.array([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]]), np.eye(3)[rules[1]]]
    pays = world.tables.payoff[0].reshape(2, 3, 3)

    def to(place: int, move: int) -> int:
        return min(max(place + move - 1, 0), 2)

    def gains(policies: list[np.ndarray], player: int) -> np.ndarray:
        own, best = np.zeros((3, 3)), np.zeros((3, 3))
        for _ in range(200):
            news = np.zeros((2, 3, 3))
            for a in range(3):
                for b in range(3):
                    worth = np.zeros((2, 3))
                    mine, theirs = (a, b) if player == 0 else (b, a)
                    for move in range(3):
                        for other in range(3):
                            pair = (to(mine, move), to(theirs, other))
                            there = pair if player == 0 else pair[::-1]
                            chance = policies[1 - player][theirs, other]
                            for k, value in enumerate((own, best)):
                                worth[k, move] += chance * (pays[player][there] + gamma * value[there])
                    news[:, a, b] = policies[player][mine] @ worth[0], worth[1].max()
            own, best = news
        return best - own

    plain = [np.eye(3)[rule] for rule in rules]
    found = arena.gains(world, np.array(rules), np.stack(probabilities), np.array([[0, 2], [1, 1]]))
    for player in (0, 1):
        there = gains(plain, player)
        assert found["policy_regret"][1][player] == pytest.approx(max(there[0, 2], there[1, 1]), abs=1e-6)
        mean = gains(probabilities, player).mean()
        assert found["policy_regret_exploring"][1][player] == pytest.approx(mean, abs=1e-6)


def test_steps_stop_before_the_boundary() -> None:
    game = rv.games.influencer()
    arena: Any = PPO(moves="steps", step=0.25, periods=50, **READ).world(game)
    record = arena.read({"player_0": chooses(1.0), "player_1": chooses(0.0)}, WORDS, None)
    path = record["rollout"][1][:, :, 0]
    steps = np.diff(path[:, 0])
    assert np.all((np.abs(steps - 0.25) < 1e-6) | (steps == 0))
    assert path[-1, 0] > 0.75 - 1e-9  # one more step would leave the space
    assert np.ptp(path[:, 1]) < 1e-6
    assert str(record["status"][1]) == "completed"


# levels


@pytest.mark.brief
def test_mixtures_of_levels_by_hand() -> None:
    game = rv.games.influencer(reach=[0.2, 0.4])
    arena: Any = PPO(moves="levels", action_grid=3, **READ).world(game)
    mix = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    record = arena.read({f"player_{k}": always(*mix[k]) for k in (0, 1)}, WORDS, None)
    at = np.array([0.0, 0.5, 1.0])
    pays = np.array([[np.asarray(game.payoffs(put([[a], [b]]))) for b in at] for a in at])
    payoff = np.einsum("a,b,abp->p", *mix, pays)
    best = [(pays[..., 0] @ mix[1]).max(), (mix[0] @ pays[..., 1]).max()]
    np.testing.assert_allclose(record["exploring_payoff"][1], payoff, rtol=1e-9)
    np.testing.assert_allclose(record["exploring_grid_regret"][1], best - payoff, atol=1e-9)
    np.testing.assert_allclose(record["exploring_choice"][1][:, 0], mix @ at)
    whole = mixture_record(game, np.tile(at[None, :, None], (2, 1, 1)), mix)
    np.testing.assert_allclose(record["exploring_regret"][1], whole["regret"][1], atol=1e-9)
    np.testing.assert_array_equal(record["profile"][1], [[0.5], [0.0]])


@pytest.mark.brief
def test_only_exchangeable_players_share_a_policy() -> None:
    alike = PPO(policies="shared").world(rv.games.market())
    apart = PPO(policies="shared").world(rv.games.market(unit_cost=[10.0, 20.0]))
    assert len(set(alike.groups)) == 1
    assert len(set(apart.groups)) == 2
    assert PPO().world(rv.games.market()).groups == ["player_0", "player_1"]


@pytest.mark.brief
def test_matrix_games_by_hand() -> None:
    game = rv.games.matrix("prisoners_dilemma")  # 3 3, 0 5, 5 0, 1 1
    record = PPO(**READ).world(game).read({f"player_{k}": always(0.9, 0.1) for k in (0, 1)}, WORDS, None)
    own = 0.81 * 3 + 0.09 * 5 + 0.01 * 1
    np.testing.assert_allclose(record["exploring_payoff"][1], own)
    np.testing.assert_allclose(record["exploring_regret"][1], 0.9 * 5 + 0.1 - own)
    np.testing.assert_array_equal(record["profile"][1], [[1, 0], [1, 0]])


# native play


@pytest.mark.brief
def test_discounted_returns_by_hand() -> None:
    game = repeat(rv.games.matrix("prisoners_dilemma"), periods=4)
    arena: Any = PPO(gamma=0.5, periods=4, best_response_iterations=0).world(game)
    record = arena.read({"player_0": always(1.0, 0.0), "player_1": always(0.0, 1.0)}, WORDS, None)
    np.testing.assert_allclose(record["episode_return"][1], [0.0, 5 * 1.875])
    np.testing.assert_allclose(record["episode_return_band"][1], 0.0)


def test_stages_of_one_period_share_a_discount_factor() -> None:
    game = in_stages(rv.games.matrix("prisoners_dilemma"), [[1], [0]], periods=3)
    arena: Any = PPO(gamma=0.5, periods=50).world(game)
    assert arena.periods_in(6.0) == 3.0
    record = arena.read({"player_0": always(1.0, 0.0), "player_1": always(0.0, 1.0)}, WORDS, None)
    np.testing.assert_allclose(record["episode_return"][1], [0.0, 5 * 1.75])


def test_training_finds_a_known_best_response() -> None:
    game = repeat(rv.games.matrix("prisoners_dilemma"), periods=5)
    learner = PPO(
        gamma=0.5, periods=5, batch=100, envs=4, best_response_iterations=6, evaluation=25, rate=5e-3
    )
    arena: Any = learner.world(game)
    meek = {f"player_{k}": always(1.0, 0.0) for k in (0, 1)}
    record = arena.read(meek, WORDS, training.responding(arena, WORDS))
    most = 2 * (1 - 0.5**5) / 0.5
    np.testing.assert_allclose(record["trained_best_response_gain"][1], most, atol=1e-6)
    assert str(record["coverage"][1]) == "lower bound"
    assert "trained against the others" in str(record["certificate_method"][1])
    np.testing.assert_array_equal(record["bound"][1], np.inf)
    np.testing.assert_array_equal(record["regret"][1], record["trained_best_response_gain"][1])


@pytest.mark.parametrize("stages", [[[0, 1]], [[0], [1]], [[1], [0]]])
def test_play_among_fixed_policies_is_that_of_one_player(stages: list[list[int]]) -> None:
    from rivalry.integrations.rllib.bridge import Bridge

    game = rv.games.market(stages=stages) if len(stages) > 1 else rv.games.market()
    arena: Any = PPO(moves="native", periods=6).world(game)
    for player, name in enumerate(arena.names):
        rivals = {rival: chooses(0.3) for rival in arena.names if rival != name}
        ours = Bridge(replace(arena, rivals=rivals))
        theirs = single_agent_env(
            game, player, lambda name, seen: np.array([0.3]), periods=6, normalize_spaces=True
        )
        (agent,) = ours.agents
        seen, _ = ours.reset(seed=4)
        told, _ = theirs.reset(seed=4)
        np.testing.assert_allclose(seen[agent], told, rtol=1e-6)
        for step in range(6):
            action = np.array([-0.9 + 0.3 * step], dtype=np.float32)
            seen, paid, over, short, _ = ours.step({agent: action})
            told, reward, ended, cut, _ = theirs.step(action)
            np.testing.assert_allclose(seen[agent], told, rtol=1e-6)
            assert paid[agent] * arena.scale == pytest.approx(reward)
            assert (over["__all__"], short["__all__"]) == (ended, cut)


# economies and cities


def timid(row: np.ndarray, entries: int) -> np.ndarray:
    """Bid 1 at low urgency and 2 at high urgency, with probability 0.9."""
    found = np.full(entries, 0.1 / entries)
    found[1 if row[0] < 0.5 else 2] += 0.9
    return found


@pytest.mark.parametrize(
    "options", [{"agents": 6}, {"types": [{"count": 2}, {"count": 4, "urgencies": [1.0, 3.0]}]}]
)
def test_economy_metrics_equal_those_of_a_simulation(options: dict[str, Any]) -> None:
    game = rv.games.karma(**options)
    arena: Any = PPO(policies="shared", **READ).world(game)
    entries = arena.env().action_space("agent_0").n
    one = Rule(lambda row: timid(row, entries), "logits")
    record = arena.read(dict.fromkeys(arena.names, one), WORDS, None)

    def capped(seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
        kept = one.probabilities(seen) * masks
        last = masks.sum(axis=1) - 1
        kept[np.arange(len(kept)), last] += 1 - kept.sum(axis=1)
        return kept

    table = policy_table(game, capped, normalize_spaces=True)
    watched = Simulation(plays=table, warm_up=500, evaluation=200)
    same = rv.solve(game, watched, seed=np.random.SeedSequence(WORDS.tolist())).record
    for name in ("efficiency", "access_fairness", "payoff", "exploitability"):
        np.testing.assert_allclose(record[f"exploring_{name}"][1], same[name][1])


def test_city_metrics_equal_those_of_a_simulation() -> None:
    game = rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2)
    arena: Any = PPO(policies="shared", **READ).world(game)
    entries = arena.env().action_space("agent_0").n
    one = Rule(lambda row: timid(row, entries), "logits")
    record = arena.read(dict.fromkeys(arena.names, one), WORDS, None)

    def capped(agent: int, seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
        kept = one.probabilities(seen.astype(np.float32)) * masks
        kept[np.arange(len(kept)), masks.sum(axis=1) - 1] += 1 - kept.sum(axis=1)
        return kept

    watched = CitySimulation(
        plays=city_policy(game, capped, normalize_spaces=True), warm_up=500, evaluation=200
    )
    same = rv.solve(game, watched, seed=np.random.SeedSequence(WORDS.tolist())).record
    for name in ("efficiency", "access_fairness", "payoff", "trips_per_step"):
        np.testing.assert_allclose(record[f"exploring_{name}"][1], same[name][1])
