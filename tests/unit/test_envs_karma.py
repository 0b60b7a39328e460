"""Karma economies as environments: episodes, the kernels' rules, illegal bids, policies as tables."""

import warnings
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.kernels.economy import fresh, no_tallies, play, tallies

pytest.importorskip("pettingzoo")
pytest.importorskip("gymnasium")

from rivalry.core.oracles import to_agents
from rivalry.economies.envs import policy_table
from rivalry.economies.kernels.choices import cumulative
from rivalry.economies.kernels.economy import act, buffers_of
from rivalry.envs import parallel_env

SMALL = {"agents": 6, "max_karma": 4, "mean_karma": 2.0}


def small(**more: Any) -> Any:
    return rv.games.karma(**SMALL | more)


def all_in(seen: dict[str, Any]) -> dict[str, int]:
    return {name: int(own["action_mask"].sum()) - 1 for name, own in seen.items()}


@pytest.mark.parametrize("illegal", ["clip", "warn"])
def test_bids_above_karma_are_clipped(illegal: str) -> None:
    """With "warn" one warning is raised per environment; bids outside the action space are refused."""
    plain, clipped = parallel_env(small(), illegal="raise"), parallel_env(small(), illegal=illegal)
    seen, _ = plain.reset(seed=2)
    clipped.reset(seed=2)
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        for _ in range(5):
            there = clipped.step(dict.fromkeys(clipped.agents, 4))
            seen, paid, *_ = plain.step(all_in(seen))
            assert there[1] == paid
    assert len(records) == (illegal == "warn")
    for warning in records:
        assert "action of agent_0: 4 is not legal; clipped to 2" in str(warning.message)
    with pytest.raises(ValueError, match=r"action of agent_0: 5 must be a whole number in 0\.\.4"):
        clipped.step(dict.fromkeys(clipped.agents, 5))


def test_arrays_are_the_rows_of_the_dictionaries() -> None:
    """The course plays and shows in arrays what `step` does, agents in order."""
    plain, arrays = parallel_env(small(), periods=4), parallel_env(small(), periods=4).course
    seen, _ = plain.reset(seed=2)
    arrays.begin(2)
    for _ in range(4):
        for rows, key in zip(
            (arrays.now.observations, arrays.now.legal), ("observation", "action_mask"), strict=True
        ):
            np.testing.assert_array_equal(rows, [own[key] for own in seen.values()])
        bids = all_in(seen)
        seen, paid, _, cut, _ = plain.step(bids)
        assert arrays.advance(np.array(list(bids.values()))[:, None]).rewards.tolist() == list(paid.values())
    assert all(cut.values())
    assert arrays.now.cut


@pytest.mark.slow
def test_deterministic_bids_play_as_in_the_kernels() -> None:
    """All-in bids, given directly and as rows of a policy, give bit-identical agents under all rules."""
    for rules in ({}, {"payment": "difference", "overflow": "winner_pays_room", "tax": 0.3, "tie": "nobody"}):
        game = small(**rules)
        economy = to_agents(game)
        rows = cumulative(np.asarray(rv.oracles.named_start(game, "all_in")).reshape(1, 2, 5, 5))
        one, other = (fresh(economy, np.random.SeedSequence(3)) for _ in range(2))
        buffers = buffers_of(economy, one)
        for _ in range(30):
            act(economy, one, buffers, one.karma.copy(), no_tallies())
        play(economy, other, rows, np.zeros(6, dtype=np.int64), no_tallies(), 30)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_act_counts_bids_and_wins() -> None:
    economy = to_agents(small())
    agents, tallied = fresh(economy, np.random.SeedSequence(1)), tallies(economy)
    buffers = buffers_of(economy, agents)
    for _ in range(7):
        act(economy, agents, buffers, np.minimum(agents.karma, 1), tallied)
    assert tallied.wins.sum() == 21
    assert tallied.bids[2:].sum() == 0
    np.testing.assert_array_equal(tallied.wins, agents.wins)


def test_rewards_karma_and_masks_of_an_episode() -> None:
    env = parallel_env(small(), periods=3)
    seen, infos = env.reset(seed=4)
    assert set(seen) == set(infos) == set(env.agents)
    assert all(infos[name]["action_mask"] is row["action_mask"] for name, row in seen.items())
    for length in (1, 2, 3):
        before = {name: own["observation"].copy() for name, own in seen.items()}
        seen, paid, over, cut, _ = env.step(all_in(seen))
        lost = [name for name in before if paid[name] < 0]
        assert len(lost) == 3
        assert all(paid[name] == -before[name][0] for name in lost)
        assert not any(over.values())
        assert all(cut.values()) == (length == 3)
        karma = [own["observation"][1] for own in seen.values()]
        assert sum(karma) == 12
        masks = [own["action_mask"].sum() - 1 for own in seen.values()]
        assert karma == masks
    assert env.agents == []
    again, _ = env.reset()
    assert [own["observation"][1] for own in again.values()] == [2.0] * 6


def test_wrong_input() -> None:
    env = parallel_env(small(), illegal="raise")
    seen, _ = env.reset(seed=0)
    for bid, rule in ((3, r"one of \[0, 1, 2\]"), (-1, r"in 0\.\.4"), (0.5, r"in 0\.\.4")):
        with pytest.raises(ValueError, match=rf"action of agent_3: {bid} .*{rule}$"):
            env.step(all_in(seen) | {"agent_3": bid})
    with pytest.raises(ValueError, match="periods: 0 must be a whole number"):
        parallel_env(small(), periods=0)
    with pytest.raises(ValueError, match="must be an economy of agents; others are for parallel_env"):
        policy_table(rv.games.matrix("chicken"), len)


@pytest.mark.slow
def test_a_policy_given_as_a_function_becomes_a_table() -> None:
    """The function is called on every state, in the order of the game's states."""
    game = small(types=[{"count": 2}, {"count": 4, "urgencies": [1.0, 3.0, 7.0]}])

    def bids_its_urgency(seen: np.ndarray, mask: np.ndarray) -> np.ndarray:
        bid = np.minimum(seen[:, 0], seen[:, 1]).astype(int)
        assert np.all(mask.sum(axis=1) == seen[:, 1] + 1)
        return np.eye(mask.shape[1])[bid]

    table = policy_table(game, bids_its_urgency)
    stakes = np.array([[1, 5, 0], [1, 3, 7]])
    np.testing.assert_array_equal(table.argmax(axis=-1), np.minimum(stakes[:, :, None], np.arange(5)))
    played = rv.solve(game, rv.methods.Simulation(plays=table, evaluation=200)).data
    assert played.exploitability.shape == (2,)
    np.testing.assert_array_equal(played.policy, table)
    with pytest.raises(ValueError, match=r"policy puts 1 on bid 1 at type 'type 0', u=1, k=0; must be 0"):
        policy_table(game, lambda seen, mask: np.eye(5)[np.ones(len(seen), dtype=int)])


@pytest.mark.slow
def test_the_table_of_learned_policies_is_the_mean_over_the_agents_of_a_type() -> None:
    game = rv.games.karma(agents=4, mean_karma=2.0, max_karma=4)

    def nothing(seen: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.eye(mask.shape[1])[np.zeros(len(seen), dtype=int)]

    def everything(seen: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.eye(mask.shape[1])[mask.sum(axis=1) - 1]

    course = parallel_env(game, normalize_spaces=True).course
    found = course.policy_of([nothing, everything, everything, everything])
    each = [policy_table(game, one, normalize_spaces=True) for one in (nothing, everything)]
    np.testing.assert_allclose(found, 0.25 * each[0] + 0.75 * each[1])
    assert (course.discounts == game.discount).all()
    assert course.stake == game.stakes.max()


def test_what_is_done_with_a_learned_policy_is_beside_the_environments() -> None:
    from rivalry import envs
    from rivalry.economies.envs import city_policy, policy_table
    from rivalry.population import population_certificate

    assert (envs.city_policy, envs.policy_table) == (city_policy, policy_table)
    assert envs.population_certificate is population_certificate
    with pytest.raises(AttributeError, match="has no attribute 'policy'"):
        _ = envs.policy
