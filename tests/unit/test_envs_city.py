"""Cities as environments: the kernels' play bit for bit, observations, and policies as tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv

pytest.importorskip("pettingzoo")
pytest.importorskip("gymnasium")

from rivalry.economies.envs import city_policy
from rivalry.economies.envs.city import FEATURES
from rivalry.economies.kernels.city import fresh, no_tallies, play, rows
from rivalry.economies.kernels.city_learning import entry_counts, policy_rows
from rivalry.economies.learning.city_drivers import policy_of_all, streets_of
from rivalry.economies.learning.city_gains import gains
from rivalry.envs import GameEnv, aec_env, parallel_env, single_agent_env
from tests.unit.env_families import city

pytestmark = pytest.mark.slow

RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "rules": {"toll": 0.5, "subsidy": 0.25, "local": 0.5, "payment": "uniform_highest_refused"},
    "start": {"planning": "start"},
    "nodes": {"planning": "nodes", "types": [{"count": 8}, {"count": 12, "urgencies": [2.0, 9.0, 4.0]}]},
    "coalition": {"coalition": 4, "transfer": "even"},
}


def never_in_doubt(game: Any) -> np.ndarray:
    """A random deterministic policy ``[agent row karma entry]``."""
    counts = entry_counts(game.world())
    entries = max(game.most + 1, game.world().options.shape[2])
    chosen = np.random.default_rng(5).integers(0, counts)
    return np.eye(entries)[chosen]


@pytest.mark.parametrize("name", RULES)
def test_deterministic_policies_play_as_in_the_kernels(name: str) -> None:
    game = city(**RULES[name])
    table, world = never_in_doubt(game), game.world()
    env = parallel_env(game, periods=40)
    env.reset(seed=3)
    drivers = fresh(world, np.random.SeedSequence(3).spawn(1)[0])
    turns = 0
    while env.agents:
        entries = table[np.arange(20), env.course.desk.row, env.now.karma].argmax(axis=1)
        turns += bool((env.now.spot < -1).any())
        env.play(dict(zip(env.agents, entries.tolist(), strict=True)))
    play(world, drivers, policy_rows(world, table), no_tallies(), 40)
    for field in drivers._fields:
        if field != "stream":  # the random numbers of the next step are drawn already
            np.testing.assert_array_equal(getattr(env.now, field), getattr(drivers, field), err_msg=field)
    assert int(env.now.stream[1]) == int(drivers.stream[1]) + 2 * 20
    assert (turns > 0) == (name in ("start", "nodes"))


def steps(env: GameEnv) -> Iterator[tuple[dict[str, Any], dict[str, float], bool]]:
    """An episode in which all agents bid all their karma: observations, rewards, and truncation."""
    seen, _ = env.reset(seed=1)
    while env.agents:
        movers = set(env.movers())
        following, paid, _, cut, _ = env.step(
            {name: int(own["action_mask"].sum()) - 1 for name, own in seen.items()}
        )
        yield seen, {name: paid[name] for name in movers}, all(cut.values())
        seen = following


def test_observations_karma_and_rewards_of_a_city() -> None:
    """Karma is conserved; refused agents lose their urgency; dormant agents have one bid; lanes match."""
    game = city()
    env = parallel_env(game, periods=30)
    lanes, at = game.network.lanes, np.asarray(game.network.at)
    for seen, paid, cut in steps(env):
        rule = {name: dict(zip(FEATURES, own["observation"], strict=True)) for name, own in seen.items()}
        assert sum(own["karma"] for own in rule.values()) == 40
        for name, own in rule.items():
            awake = own["trip"] < 4
            assert seen[name]["action_mask"].sum() == (own["karma"] + 1 if awake else 1)
            assert paid[name] in (0.0, -own["urgency"])
            assert (own["lane"] >= 0) == awake
            if awake:
                assert own["urgency"] == (1.0, 5.0)[int(own["trip"]) % 2]
                start, end = at[lanes[int(own["lane"])]]
                assert (own["from x"], own["from y"], own["to x"], own["to y"]) == (*start, *end)
            else:
                assert own["urgency"] == 0
                assert own["from x"] == at[:, 0].mean()
        assert cut == (env.agents == [])
    assert int(env.now.clock[0]) == 30


def test_agents_at_junctions_choose_before_anyone_bids() -> None:
    """Until then the time does not advance, rewards are zero and the others wait."""
    env = parallel_env(city(planning="nodes"), periods=10)
    seen, _ = env.reset(seed=1)
    turns = 0
    while env.agents:
        clock, movers = int(env.now.clock[0]), env.movers()
        spots = {name: own["observation"][FEATURES.index("spot")] for name, own in seen.items()}
        waiting = [name for name in env.agents if name not in movers]
        if any(spot < -1 for spot in spots.values()):
            turns += 1
            assert movers == [name for name in env.agents if spots[name] < -1]
            assert all(seen[name]["action_mask"].sum() == 1 for name in waiting)
            assert all(seen[name]["action_mask"].sum() >= 2 for name in movers)
            seen, paid, *_ = env.play(dict.fromkeys(movers, 1))
            assert not any(paid.values())
            assert int(env.now.clock[0]) == clock
            assert env.movers() == env.agents
        else:
            assert waiting == []
            seen, *_ = env.step(dict.fromkeys(env.agents, 0))
            assert int(env.now.clock[0]) == clock + 1
    assert turns > 3
    turn_by_turn = aec_env(city(planning="start"), periods=10)
    turn_by_turn.reset(seed=1)
    assert turn_by_turn.observe(turn_by_turn.agent_selection)["observation"][FEATURES.index("spot")] < -1


def test_normalized_observations_lie_between_minus_one_and_one() -> None:
    game = city(planning="nodes")
    plain, scaled = parallel_env(game), parallel_env(game, normalize_spaces=True)
    there, _ = plain.reset(seed=1)
    seen, _ = scaled.reset(seed=1)
    low, high = (getattr(plain.observation_space("agent_0")["observation"], end) for end in ("low", "high"))
    for name, own in seen.items():
        shares = (there[name]["observation"] - low) / (high - low)
        np.testing.assert_allclose(own["observation"], 2 * shares - 1, atol=1e-6)
        assert own["observation"].dtype == np.float32


@pytest.mark.parametrize("planning", ["none", "nodes"])
def test_a_policy_given_as_a_function_becomes_a_table(planning: str) -> None:
    """The function gets every state's observation as in the environment, and the table plays its choices."""
    game = city(planning=planning)
    env = parallel_env(game, periods=20)
    asked: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def half(agent: int, seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
        asked[agent] = seen, masks
        return np.eye(masks.shape[1])[(masks.sum(axis=1) - 1) // 2]

    table = city_policy(game, half)
    levels = game.most + 1
    assert table.shape == (20, rows(game.world()), levels, levels)
    seen, _ = env.reset(seed=2)
    while env.agents:
        actions = {}
        for agent, name in enumerate(env.movers() and env.possible_agents):
            place = int(env.course.desk.row[agent]) * levels + int(env.now.karma[agent])
            np.testing.assert_array_equal(asked[agent][0][place], seen[name]["observation"])
            if name in env.movers():
                np.testing.assert_array_equal(asked[agent][1][place], seen[name]["action_mask"])
            actions[name] = int(table.reshape(20, -1, levels)[agent, place].argmax())
        seen, *_ = env.step(actions)
    streets = streets_of(game)
    drivers = fresh(streets.arrays, np.random.SeedSequence(1))
    policy, sequence = policy_rows(streets.arrays, table), np.random.SeedSequence(2)
    tallied, batches = streets.simulate_copies(drivers, (policy,), sequence, 50, 400)
    found = gains(streets, tallied, table.__getitem__, batches)
    assert np.isfinite(found.payoff).all()
    assert found.gain.max() == found.regret[0] > 0
    assert 0 < found.interval[0] < np.inf
    assert found.at_stake[0] >= found.regret[0]


def test_single_agent_env_with_named_tabular_and_functional_rivals() -> None:
    """A deterministic policy gives the same course by name, as a table and as a function."""
    game = city()

    def everything(name: str, seen: dict[str, np.ndarray]) -> int:
        return int(seen["action_mask"].sum()) - 1

    courses = []
    for others in ("all_in", policy_of_all(game.world(), "all_in"), everything):
        env = single_agent_env(game, 3, others, periods=30)
        seen, _ = env.reset(seed=4)
        course, cut = [], False
        while not cut:
            seen, paid, over, cut, _ = env.step(int(seen["action_mask"].sum()) - 1)
            course.append((seen["observation"].tolist(), paid))
            assert not over
        assert len(course) == 30
        courses.append(course)
    assert courses[0] == courses[1] == courses[2]


def test_a_planning_agent_chooses_at_junctions_and_bids() -> None:
    env = single_agent_env(city(planning="nodes"), 0, "uniform", periods=40)
    seen, _ = env.reset(seed=1)
    kinds, cut = [], False
    while not cut:
        kinds.append(bool(seen["observation"][FEATURES.index("spot")] < -1))
        assert seen["action_mask"].sum() >= 1 + kinds[-1]
        seen, _, _, cut, _ = env.step(0)
    assert kinds.count(False) == 40
    assert 0 < kinds.count(True) <= 40


def test_wrong_input() -> None:
    game = city()
    env = parallel_env(game, illegal="raise")
    seen, _ = env.reset(seed=1)
    name = next(name for name, own in seen.items() if own["action_mask"].sum() > 1)
    with pytest.raises(ValueError, match=rf"action of {name}: 3 is not legal; must be one of \[0, 1, 2\]"):
        env.play({name: 3})
    with pytest.raises(ValueError, match="game: Matrix must be a city"):
        city_policy(rv.games.matrix("chicken"), len)
    even = policy_of_all(game.world(), "uniform")
    for others, rule in (
        ("some", "others: 'some' is unknown; .*uniform"),
        (even[:3], r"others: shape \(3, .* must be \(20, 17, 5, 5\)"),
        (object(), "others: object must be"),
        (even * 2, "others: agent 0 in row 0 with karma 0 has 2 on entry 0; its row must sum to 1"),
        (even[..., ::-1], "others: agent 0 in row 0 with karma 0 has 1 on entry 4; must be 0"),
        (-even, "has -1 on entry 0; must be a probability"),
    ):
        with pytest.raises(ValueError, match=rule):
            single_agent_env(game, 0, others)
    with pytest.raises(ValueError, match=r"policy: agent 0 has \(85,\); must be \(85, 5\)"):
        city_policy(game, lambda agent, seen, mask: np.ones(len(seen)))
    planning = parallel_env(city(planning="start"), illegal="raise")
    planning.reset(seed=1)
    with pytest.raises(ValueError, match=r"4 is not legal; must be one of"):
        planning.play({planning.movers()[0]: 4})
