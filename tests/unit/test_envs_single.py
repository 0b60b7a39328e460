"""Single-agent environments: fixed rivals by profile, table or function, and the order of turns."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv

pytest.importorskip("pettingzoo")
pytest.importorskip("gymnasium")

from rivalry.envs import aec_env, course, parallel_env, single_agent_env
from rivalry.envs.actions import actions_of
from rivalry.envs.agents import Views
from rivalry.transforms import walks


@pytest.mark.slow
def test_rivals_by_profile_and_by_function_are_the_same() -> None:
    """Rivals at 0.25 of a unit interval are rivals whose normalized action is always -0.5."""
    game = rv.games.influencer(players=3)
    fixed = single_agent_env(game, 1, [0.25, 0.0, 0.25], periods=5)
    functional = single_agent_env(game, 1, lambda name, seen: np.array([-0.5]), periods=5)
    for env in (fixed, functional):
        env.reset(seed=3)
    for k in range(5):
        action = np.array([k / 5], dtype=np.float32)
        seen, paid, over, cut, _ = fixed.step(action)
        other = functional.step(action)
        np.testing.assert_array_equal(seen, other[0])
        assert (paid, over, cut) == other[1:4]
        x = np.array([[0.25], [(1 + float(action[0])) / 2], [0.25]])
        np.testing.assert_allclose(paid, game.payoffs(game.space.check(x))[1])
        np.testing.assert_allclose(seen, x.ravel())
    assert cut


@pytest.mark.slow
def test_mixed_rivals_give_expected_payoffs() -> None:
    env = single_agent_env(rv.games.matrix("matching_pennies"), 0, [[1.0, 0.0], [0.25, 0.75]], periods=3)
    env.reset(seed=0)
    assert env.step(0)[1] == pytest.approx(-0.5)


@pytest.mark.slow
def test_policy_functions_receive_the_observations_of_their_agents() -> None:
    game = walks(rv.games.influencer(players=3), step=0.1, start=[0.1, 0.5, 0.9])
    seen_by: dict[str, float] = {}

    def stay(name: str, seen: np.ndarray) -> int:
        seen_by[name] = float(seen[0])
        return 1

    env = single_agent_env(game, 2, stay, periods=4)
    seen, _ = env.reset(seed=0)
    assert seen.tolist() == [0.9]
    seen, *_ = env.step(0)
    assert seen[0] == pytest.approx(0.8)
    assert seen_by == {"player_0": 0.1, "player_1": 0.5}


@pytest.mark.slow
def test_a_step_ends_at_the_next_turn_of_the_player() -> None:
    """A follower observes its leader's choice; one period is one step of it, with one reward."""
    game = rv.games.market(stages=[[1], [0]])
    market = game.market
    env = single_agent_env(game, 0, lambda name, seen: np.array([0.2]), periods=3)
    seen, _ = env.reset(seed=1)
    high = np.asarray(market.space.high)[:, 0]
    cuts = []
    for _ in range(3):
        assert np.isclose(seen, 0.6 * high[1]).any()
        seen, paid, _, cut, _ = env.step(np.zeros(1, dtype=np.float32))
        x = np.array([[0.5 * high[0]], [0.6 * high[1]]])
        np.testing.assert_allclose(paid, np.asarray(market.payoffs(market.space.check(x)))[0])
        cuts.append(cut)
    assert cuts == [False, False, True]


def test_policies_by_table_by_type_and_by_function_are_the_same() -> None:
    """All-in bids as a table over states, as one by type, and as a function give the same course."""
    game = rv.games.karma(agents=6, max_karma=4, mean_karma=2.0)
    table = np.asarray(rv.oracles.named_start(game, "all_in"))

    def everything(name: str, seen: dict[str, np.ndarray]) -> int:
        return int(seen["action_mask"].sum()) - 1

    courses = []
    for others in (table, table.reshape(1, 2, 5, 5), everything):
        env = single_agent_env(game, 2, others, periods=40)
        seen, _ = env.reset(seed=5)
        course, cut = [], False
        while not cut:
            seen, paid, _, cut, _ = env.step(0)
            course.append((*seen["observation"].tolist(), paid))
        courses.append(course)
    assert courses[0] == courses[1] == courses[2]
    assert len(courses[0]) == 40


def test_bids_are_drawn_from_the_rows_of_the_table() -> None:
    """Agents with 2 karma bid 0, 1 or 2 with the probabilities of their row."""
    course = parallel_env(rv.games.karma(agents=1000, max_karma=4, mean_karma=2.0)).course
    course.begin(1)
    table = np.zeros((2, 5, 5))
    table[:, :, 0] = 1
    table[:, 2, :3] = [0.5, 0.2, 0.3]
    bids = course.draw(course.table(table[None]), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(bids) / 1000, [0.5, 0.2, 0.3], atol=4 * 0.016)


@pytest.mark.parametrize("player", [2, -1, True])
def test_unknown_players_are_refused(player: Any) -> None:
    with pytest.raises(ValueError, match=r"player: .* must be a whole number in 0\.\.1"):
        single_agent_env("influencer", player, [0.5, 0.5])


def test_wrong_policies_of_the_others_are_refused() -> None:
    with pytest.raises(ValueError, match="others: player 0 is at 3; must be in"):
        single_agent_env("influencer", 0, [3.0, 0.5])
    with pytest.raises(ValueError, match="others: str must be a function, or a table"):
        single_agent_env("karma", 0, "uniform")
    with pytest.raises(ValueError, match="others"):
        single_agent_env("karma", 0, np.ones((3, 3)))
    with pytest.raises(ValueError, match="game: 'matrix' has no default game"):
        parallel_env("matrix")


# conversion of actions, without an environment

NOTHING = np.zeros((2, 0))


def read(game: Any, actions: dict[str, Any], legal: np.ndarray = NOTHING) -> Any:
    """Actions by player as the rows that a course takes."""
    players = np.array([int(name[-1]) for name in actions])
    names = list(actions).__getitem__
    return actions_of(game, False, "corners").read(players, list(actions.values()), names, legal[players])


@pytest.mark.parametrize("action", [1, 1.0, True, np.int64(1), np.float64(1.0), np.array(1)])
def test_any_number_that_is_whole_is_a_pure_action(action: Any) -> None:
    assert read(rv.games.matrix("chicken"), {"player_1": action}).tolist() == [[1]]


@pytest.mark.parametrize("action", ["1.0", "swerve", 0.5, np.nan, np.inf, [1], np.array([1]), None, 2, -1])
def test_other_values_are_no_pure_actions(action: Any) -> None:
    with pytest.raises(ValueError, match=r"^action of player_0: .* must be a whole number in 0\.\.1$"):
        read(rv.games.matrix("chicken"), {"player_1": 1, "player_0": action})


def test_actions_in_boxes_are_read_together_as_one_by_one() -> None:
    """Rounding of single precision beyond the box is clipped."""
    game = rv.games.influencer()
    given = {"player_0": np.array([1 + 5e-7]), "player_1": np.array([-0.25])}
    together = read(game, given)
    assert together.tolist() == [[1.0], [-0.25]]
    alone = [read(game, {name: action})[0] for name, action in given.items()]
    np.testing.assert_array_equal(alone, together)
    with pytest.raises(
        ValueError, match=r"action of player_0: \[1.1\] must be in the box \[-1, 1\], 1 number"
    ):
        read(game, given | {"player_0": np.array([1.1])})


def test_normalized_observations_have_their_bounds_at_minus_one_and_one() -> None:
    low, high = np.array([0.0, -2.0]), np.array([4.0, 2.0])
    views = Views(low, high, 3, True)
    seen, masks = views.of(np.array([low, high, (low + high) / 2]), np.array([1, 3, 2]))
    assert seen.tolist() == [[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]
    assert masks.tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize("env", [aec_env, parallel_env])
def test_unknown_options_of_environments_are_refused(env: Any) -> None:
    with pytest.raises(ValueError, match=r"^period: is no argument of .*; did you mean 'periods'\?"):
        env("karma", period=3)


def test_illegal_actions_are_refused_with_the_legal_ones() -> None:
    game, legal = rv.games.matrix("chicken"), np.array([[1, 1], [0, 1]])
    assert read(game, {"player_0": 0, "player_1": 1}, legal).tolist() == [[0], [1]]
    with pytest.raises(ValueError, match=r"^action of player_1: 0 is not legal; must be one of \[1\]$"):
        read(game, {"player_0": 0, "player_1": 0}, legal)


@pytest.mark.parametrize("action", ["left", None, [0.1, 0.2], float("nan"), {"x": 1}])
def test_what_is_no_point_of_a_box_is_refused(action: Any) -> None:
    with pytest.raises(ValueError, match=r"^action of player_1: .* must be in the box \[-1, 1\], 1 number$"):
        read(rv.games.influencer(), {"player_1": action})


def test_points_of_a_simplex_need_a_simplex() -> None:
    with pytest.raises(ValueError, match=r"^simplex: 'points' must be 'corners' for a game on a Box$"):
        actions_of(rv.games.influencer(), False, "points")


@pytest.mark.slow
def test_observations_are_scaled_by_their_median_and_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feature that never changes has its median as scale, or 1; a rare large value does not decide."""
    changing = np.append(np.tile([8.0, 12.0], 50), 1e6)
    seen = np.stack([changing, np.full(101, 50.0), np.full(101, 0.25)], axis=-1).reshape(101, 1, 3)
    monkeypatch.setattr(course, "_observed", lambda game: seen)
    middle, reach = course._middle(rv.games.matrix("chicken"))
    assert middle.tolist() == [[12.0, 50.0, 0.25]]  # 50 values are smaller, 50 equal or larger
    assert reach.tolist() == [[4.0, 50.0, 1.0]]
