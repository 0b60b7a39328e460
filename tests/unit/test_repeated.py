"""Q-learning in repeated games: observations, initial values, roles, and reported metrics."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import RepeatedQLearning
from rivalry.methods.q_learning import session_metrics
from rivalry.methods.q_learning.options import exploration_of, falling
from rivalry.methods.q_learning.roles import myopic_best_responses, nature_at_random, roles_of
from rivalry.methods.q_learning.sessions import mean_payoffs
from rivalry.tables.repeated import OBSERVATIONS, RepeatedWorld, followers, in_stages, repeated_form
from tests.repeated_play import Duopoly, tables

DICE = np.random.default_rng(5)
PAIR = DICE.normal(size=(1, 2, 12))  # 3 and 4 actions
PLAIN = tables(PAIR, (3, 4))
LEVEL = np.arange(12).reshape(1, 12) % 5
QUICK = {"decay": 1e-3}
LEADS = [1.5 + 0.75 * k for k in range(7)]
FOLLOWS = [1.5 + 0.375 * k for k in range(7)]
BANDS = json.loads((Path(__file__).parents[1] / "reference" / "market.json").read_text())["cases"]


def quick(**options: Any) -> RepeatedQLearning:
    usual = {"sessions": 4, "exploration": QUICK, "stopping": {"stable_periods": 2000}, "gamma": 0.5}
    return RepeatedQLearning(**(usual | options))


def solved(seed: int = 5, **options: Any) -> rv.Solution:
    """The learning of two players with the payoffs ``PAIR``."""
    return rv.solve(PLAIN, quick(**options), seed=seed)


def played(periods: int) -> dict[str, int]:
    return {"stable_periods": 0, "max_periods": periods}


def slots(world: RepeatedWorld, player: int) -> list[list[int]]:
    return [slot for slot in world.tables.observation_slots[player].tolist() if slot[0] >= 0]


# Observations and memory


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("none", []),
        ("actions", [[0, 2], [1, 2], [0, 1], [1, 1]]),
        ("own", [[1, 2], [1, 1]]),
        ("others", [[0, 2], [0, 1]]),
        ("price", [[3, 2], [3, 1]]),
        ("own_and_price", [[1, 2], [3, 2], [1, 1], [3, 1]]),
        ("others_and_nature", [[0, 2], [2, 2], [0, 1], [2, 1]]),
        ("own_and_nature", [[1, 2], [2, 2], [1, 1], [2, 1]]),
        ("actions_and_nature", [[0, 2], [1, 2], [2, 2], [0, 1], [1, 1], [2, 1]]),
    ],
)
def test_observations_start_with_the_oldest_round(word: str, seen: list[list[int]]) -> None:
    game = tables(PAIR, (3, 4), shows=[[], [[2, 0], [0, 0]]], signal=LEVEL)
    world = repeated_form(game, observation=["actions", word], memory=[0, 2])
    assert slots(world, 0) == []
    assert slots(world, 1) == [*seen, [2, 0], [0, 0]]
    words = ("none", "actions", "own", "others", "price", "own_and_price")
    assert set(OBSERVATIONS) == {*words, *(f"{word}_and_nature" for word in words[1:4])}


def test_a_game_with_payoffs_is_tabulated_with_simultaneous_moves() -> None:
    class Plain(Duopoly):
        repeated_form = property()  # type: ignore[assignment]

    world = repeated_form(Plain(), 4)
    x = world.action_grid[:, :, 0]
    assert world.tables.order.tolist() == [[0, 1]]
    want = x[0][:, None] * (9.0 - x[0][:, None] - x[1])
    np.testing.assert_allclose(world.tables.payoff[0, 0].reshape(4, 4), want)
    np.testing.assert_array_equal(world.gamma, [0.9, 0.9])


def test_a_game_may_define_its_repeated_form() -> None:
    world = repeated_form(Duopoly("staged"), [LEADS, FOLLOWS], memory=[1, 0])
    assert slots(world, 0) == [[0, 1], [1, 1]]
    assert slots(world, 1) == [[0, 0]]
    assert repeated_form(Duopoly("in_turns"), 5).tables.order.tolist() == [[0], [1]]
    assert slots(repeated_form(Duopoly(), 5, observation="price"), 0) == [[3, 1]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"observation": "everything"}, r"observation: 'everything' is unknown"),
        ({"observation": ["own", "othres"]}, r"observation\[1\]: 'othres' is unknown; did you mean 'others'"),
        ({"observation": ["own"]}, "observation: 1 given; must be one for all, or 2, one per player"),
        ({"observation": "price"}, "observation: 'price' needs a public price"),
        ({"observation": "own_and_nature"}, "'own_and_nature' needs an observed state of nature; player 0"),
        ({"memory": -1}, "memory: -1 must be a whole number of at least 0"),
        ({"memory": [1, -1]}, r"memory\[1\]: -1 must be a whole number"),
        ({"memory": 6}, r"memory: 2985984 states and 4 actions of player 1 make a table of 167215104 bytes"),
    ],
)
def test_invalid_observations_and_memory_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        repeated_form(PLAIN, **{"max_table_bytes": 2**27} | options)


def test_moves_on_a_grid_are_refused() -> None:
    from tests.plain_q_learning import walk

    with pytest.raises(ValueError, match="a move must be an action"):
        repeated_form(walk(np.zeros((2, 3, 3))))


# Initial values and states


def test_initial_values_are_mean_payoffs_of_actions() -> None:
    world = repeated_form(PLAIN)
    one, two = PAIR[0].reshape(2, 3, 4)
    np.testing.assert_allclose(
        mean_payoffs(world.tables, 0, 0.9), np.tile(one.mean(axis=1) / (1 - 0.9), (12, 1))
    )
    np.testing.assert_allclose(mean_payoffs(world.tables, 1, 0.0), np.tile(two.mean(axis=0), (12, 1)))


def test_initial_values_of_a_follower_use_the_observed_leader_action() -> None:
    world = repeated_form(tables(PAIR, (3, 4), shows=[[], [[0, 0]]]), memory=1)
    two = PAIR[0, 1].reshape(3, 4)
    found = mean_payoffs(world.tables, 1, 0.9).reshape(3, 4, 3, 4)  # last actions, the leader's now, own
    np.testing.assert_allclose(found, np.broadcast_to(two + 0.9 * two.mean() / (1 - 0.9), found.shape))


def test_initial_values_use_the_observed_state_of_nature() -> None:
    payoff = DICE.normal(size=(2, 2, 12))
    game = tables(payoff, (3, 4), shows=[[], [[2, 0], [0, 0]]], chain=np.full((2, 2), 0.5))
    found = mean_payoffs(repeated_form(game, memory=0).tables, 1, 0.5).reshape(2, 3, 4)
    two = payoff[:, 1].reshape(2, 3, 4)
    np.testing.assert_allclose(found, two + 0.5 * two.mean() / 0.5)
    blind = mean_payoffs(repeated_form(game, memory=0).tables, 0, 0.5)
    np.testing.assert_allclose(blind, [payoff[:, 0].reshape(2, 3, 4).mean(axis=(0, 2)) / 0.5])


def test_initial_values_may_be_constant_or_random() -> None:
    world = repeated_form(PLAIN)
    seed = np.random.SeedSequence(2)
    assert np.all(quick(initial_q=7.0).begin(world, seed)["values"] == 7.0)
    drawn = quick(initial_q={"kind": "uniform", "min": -1.0, "max": 3.0}).begin(world, seed)["values"]
    assert drawn.min() >= -1.0
    assert drawn.max() < 3.0
    assert abs(drawn.mean() - 1.0) < 4 * (4 / np.sqrt(12)) / np.sqrt(drawn.size)
    assert len(np.unique(drawn)) == drawn.size


def test_a_session_can_begin_at_a_profile() -> None:
    world = repeated_form(Duopoly(), [LEADS, FOLLOWS], memory=2)
    begun = quick().begin_at(world, np.random.SeedSequence(2), [[3.0], [1.875]])
    assert np.all(begun["recent"][:, :, :2] == [2, 1])
    margin = np.maximum(9.0 - np.add.outer(LEADS, FOLLOWS), 0.0).round(9)
    assert np.all(begun["recent"][:, :, 3] == np.searchsorted(np.unique(margin), margin[2, 1]))
    with pytest.raises(ValueError, match=r"start\[0\]: .* is off the grid"):
        quick().begin_at(world, np.random.SeedSequence(2), [[3.1], [1.875]])


# Exploration schedules and options


def test_start_or_temperature_decays() -> None:
    falls = falling(exploration_of({"start": 0.5, "decay": [1e-3, 1e-2]}), 2)
    assert (falls.scale.tolist(), falls.beta.tolist()) == ([0.5, 0.5], [1e-3, 1e-2])
    cools = falling(exploration_of({"kind": "softmax", "temperature": [9.0, 8.0], "decay": 1e-3}), 2)
    assert (cools.scale.tolist(), cools.beta.tolist()) == ([9.0, 8.0], [1e-3, 1e-3])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"step_size": [0.1, 1.5]}, r"step_size\[1\]: 1.5 must be at most 1"),
        ({"gamma": 1.0}, "gamma: 1 must be below 1"),
        ({"exploration": 1.5}, "exploration: 1.5 must be at most 1"),
        ({"exploration": {"end": 0.1}}, "end: has no meaning here; possible are kind, start, decay, temper"),
        ({"exploration": {}}, "exploration.start: is missing"),
        ({"exploration": {"decay": -1.0}}, "exploration.decay: -1 must be at least 0"),
        (
            {"exploration": {"kind": "softmax", "temperature": 0.0}},
            "exploration.temperature: 0 must be above",
        ),
        (
            {"exploration": {"kind": "softmax", "temperature": 1.0, "start": 0.1}},
            "exploration.start: is for kind = 'greedy'",
        ),
        ({"initial_q": "zero"}, "initial_q: 'zero' must be 'mean_payoff', a number or a table"),
        ({"initial_q": {"kind": "uniform", "min": 1.0, "max": 0.0}}, "min <= max"),
        ({"counterfactual": True, "target": "expected"}, "target: 'expected' must be 'max'"),
        (
            {"average_last": 10, "stopping": {"stable_periods": 9}},
            "average_last: 10 must be at most stopping.stable_periods, 9",
        ),
        ({"stopping": {"stable_periods": -1}}, "stopping.stable_periods: -1 must be at least 0"),
        ({"roles": "learnt"}, "roles: 'learnt' is unknown; did you mean 'learns'"),
        ({"roles": ["learns", {"kind": "fixed"}]}, r"roles\[1\].action: is missing"),
        ({"roles": {"kind": "oracle", "ties": "hopeful"}}, "roles.ties: 'hopeful' is unknown"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RepeatedQLearning(**options)


@pytest.mark.parametrize(
    ("game", "options", "says"),
    [
        (PLAIN, {"step_size": [0.1] * 3}, "step_size: 3 numbers must be 2"),
        (PLAIN, {"roles": ["learns"] * 3}, "roles: 3 given"),
        (PLAIN, {"roles": {"kind": "fixed", "action": 4}}, "actions of player 0 must be in 0..2"),
        (PLAIN, {"roles": {"kind": "policy", "table": [0, 1]}}, "roles.table: must be 12 whole numbers"),
        (PLAIN, {"roles": ["learns", "oracle"]}, "player 1 does not see player 0"),
        (Duopoly("staged"), {"counterfactual": True}, "needs a game in which all move at once"),
        (Duopoly(gamma=1.0), {"gamma": None}, r"gamma\[0\]: 1 must be in \[0, 1\)"),
    ],
)
def test_options_that_do_not_fit_the_game_are_refused(game: Any, options: dict[str, Any], says: str) -> None:
    made = quick(**options)
    with pytest.raises(ValueError, match=says):
        made.begin(made.world(game), np.random.SeedSequence(1))


# Roles


def test_an_oracle_breaks_ties_for_or_against_the_leader() -> None:
    """On grids 1.5(0.75)6 every other best response is a tie; the leader prefers the lower output."""
    world = repeated_form(Duopoly("staged"), [LEADS, LEADS], memory=0)
    grid = np.array(LEADS)
    margin = 9.0 - grid[:, None] - grid
    for ties, pick in (("optimistic", np.min), ("pessimistic", np.max)):
        found = myopic_best_responses(world.tables, 1, ties)
        for lead in range(7):
            pays = margin[lead] * grid
            assert found[lead] == pick(np.flatnonzero(pays >= pays.max() - 1e-9))


def test_an_oracle_in_alternating_play_responds_to_current_actions() -> None:
    world = repeated_form(Duopoly("in_turns"), [LEADS, FOLLOWS], observation="actions", memory=2)
    found = myopic_best_responses(world.tables, 1).reshape(
        7, 7, 7, 7
    )  # two rounds; the older one varies slowest
    best = np.argmax((9.0 - np.add.outer(LEADS, FOLLOWS)) * FOLLOWS, axis=1)
    assert np.all(found == best[None, None, :, None])


@pytest.mark.slow
def test_a_leader_of_an_oracle_learns_the_stackelberg_outcome() -> None:
    for gamma in (0.0, 0.5, 0.95):
        made = quick(
            sessions=6, gamma=gamma, memory=0, roles=["learns", "oracle"], action_grid=[LEADS, FOLLOWS]
        )
        found = rv.solve(Duopoly("staged"), made, seed=1).record
        np.testing.assert_array_equal(found["end_action"][1], np.tile([4.5, 2.25], (6, 1)))
        np.testing.assert_allclose(found["end_payoff"][1], np.tile([10.125, 5.0625], (6, 1)))


@pytest.mark.slow
def test_a_player_with_a_fixed_policy_does_not_learn() -> None:
    table = DICE.integers(0, 4, size=12).tolist()
    record = solved(seed=3, roles=["learns", {"kind": "policy", "table": table}]).record
    assert np.all(record["policy"][1][:, 1] == table)
    roles = [{"kind": "fixed", "action": 2}, "learns"]
    record = solved(seed=3, roles=roles, gamma=0.0, memory=0).record
    best = PAIR[0, 1].reshape(3, 4)[2].argmax()
    assert record["end_action"][1].tolist() == [[2.0, best]] * 4
    assert record["regret"][1][1] == 0.0


@pytest.mark.slow
def test_random_play_reports_the_exact_mean_payoff() -> None:
    record = solved(seed=3, roles="random", stopping={"stable_periods": 10}).record
    np.testing.assert_allclose(record["end_payoff"][1], np.tile(PAIR[0].mean(axis=1), (4, 1)))
    long = solved(seed=3, roles=["random"] * 2, stopping=played(40_000), average_last=40_000)
    drawn = long.record["last_payoff"][1]
    np.testing.assert_allclose(drawn, np.tile(PAIR[0].mean(axis=1), (4, 1)), atol=5 * PAIR.std() / 200)


def test_one_role_applies_to_all_players() -> None:
    assert [role.kind for role in roles_of(repeated_form(PLAIN).tables, "random")] == ["random"] * 2


# Reported metrics


@pytest.mark.slow
def test_greedy_play_is_followed_to_its_cycle() -> None:
    """Compare with greedy play simulated step by step from the last state of each session."""
    game, made = PLAIN, quick(sessions=20)
    world, stream = made.world(game), np.random.SeedSequence(8)
    session = made.begin(world, stream)
    while made.advance(world, session, 2**40):
        pass
    record = made.read(world, session)
    policy = record["policy"][1]
    for k in range(20):
        state = int(np.ravel_multi_index(tuple(session["recent"][k, 0, :2]), (3, 4)))
        met: list[int] = []
        while state not in met:
            met.append(state)
            state = int(np.ravel_multi_index(tuple(policy[k, :, state]), (3, 4)))
        cycle = met[met.index(state) :]
        joints = [int(np.ravel_multi_index(tuple(policy[k, :, s]), (3, 4))) for s in cycle]
        assert record["cycle_length"][1][k] == len(cycle)
        np.testing.assert_allclose(record["end_payoff"][1][k], PAIR[0][:, joints].mean(axis=1))
        np.testing.assert_allclose(
            record["end_action"][1][k], np.mean([np.unravel_index(j, (3, 4)) for j in joints], axis=0)
        )
    assert record["coverage"][1] == "tight"
    assert record["concept"][1] == "Nash equilibrium of the learned policies"  # not of limit play alone
    assert np.all(record["periods"][1] == session["clock"][:, 0])


@pytest.mark.slow
def test_memoryless_myopic_regret_equals_stage_game_regret() -> None:
    record = solved(gamma=0.0, memory=0, sessions=3).record
    one, two = PAIR[0].reshape(2, 3, 4)
    a, b = record["end_action"][1].astype(int).T
    gains = np.stack([one[:, b].max(axis=0) - one[a, b], two[a].max(axis=1) - two[a, b]])
    np.testing.assert_allclose(record["regret"][1], gains.max(axis=1), atol=1e-12)


@pytest.mark.slow
def test_sessions_in_equilibrium_are_those_without_a_gain_of_any_player() -> None:
    """After 30 periods some sessions of the stage game have not learned it; gains are 0 or far from it."""
    found = solved(gamma=0.0, memory=0, sessions=12, stopping=played(30))
    one, two = PAIR[0].reshape(2, 3, 4)
    a, b = found.record["end_action"][1].astype(int).T
    gains = np.stack([one[:, b].max(axis=0) - one[a, b], two[a].max(axis=1) - two[a, b]]) > 1e-9
    assert np.any(gains[0] != gains[1])
    assert np.any(~gains.any(axis=0))
    np.testing.assert_array_equal(found.record["in_equilibrium"][1], ~gains.any(axis=0))
    assert f"{np.sum(~gains.any(axis=0))} of 12 in equilibrium" in repr(found)


def test_sessions_at_the_period_limit_are_reported_and_kept() -> None:
    with pytest.warns(UserWarning, match="4 of 4 sessions did not converge"):
        found = solved(stopping={"stable_periods": 2000, "max_periods": 500})
    record = found.record
    assert found.status == "iteration limit"
    assert not record["converged"][1].any()
    assert np.all(record["periods"][1] == 500)
    assert record["end_payoff"][1].shape == (4, 2)


def test_a_fixed_number_of_periods_is_completed() -> None:
    found = solved(stopping=played(700), average_last=100)
    assert (found.status, found.steps) == ("completed", 700)
    assert found.record["last_payoff"][1].shape == (4, 2)


@pytest.mark.slow
def test_initial_values_are_perpetual_mean_payoffs() -> None:
    record = solved(gamma=[0.5, 0.75], stopping=played(1)).record
    pay = PAIR.reshape(2, 3, 4)
    for player, means in enumerate((2 * pay[0].mean(axis=1), 4 * pay[1].mean(axis=0))):
        assert record["lowest_initial_value"][1][player] == pytest.approx(means.min(), rel=1e-12)
        assert record["highest_initial_value"][1][player] == pytest.approx(means.max(), rel=1e-12)


def test_policies_of_many_states_are_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_metrics, "STORED", 10)
    monkeypatch.setattr(session_metrics, "WEIGHED", 10)
    with pytest.warns(UserWarning, match="best responses in 12 whole states are not worked out"):
        record = solved().record
    assert "policy" not in record
    assert "regret" not in record
    assert "end_payoff" in record


@pytest.mark.nightly
def test_long_run_payoffs_average_over_states_of_nature() -> None:
    payoff = DICE.normal(size=(2, 2, 12))
    game = tables(payoff, (3, 4), shows=[[[2, 0]], [[2, 0]]], chain=np.array([[0.25, 0.75], [0.75, 0.25]]))
    record = rv.solve(game, quick(gamma=0.0, memory=0, sessions=2, step_size=0.05), seed=5).record
    joints = np.array(
        [[np.ravel_multi_index(tuple(p[:, w]), (3, 4)) for w in (0, 1)] for p in record["policy"][1]]
    )
    want = (payoff[0][:, joints[:, 0]] + payoff[1][:, joints[:, 1]]).T / 2
    np.testing.assert_allclose(record["end_payoff"][1], want)


# Reference bands


def band(name: str) -> dict[str, Any]:
    return next(case for case in BANDS if case["id"] == name)


def inside(value: float, ends: list[float]) -> bool:
    return ends[0] <= value <= ends[1]


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name", ["band_calvano_baseline", "band_calvano_alpha0.125_beta1e-5", "band_calvano_delta0.0"]
)
def test_logit_duopolies_are_within_reference_bands(name: str) -> None:
    from scipy.optimize import brentq

    case = band(name)
    given, want = case["inputs"], case["expected"]
    nash, top = (brentq(lambda p, k=k: p - 1 - 0.25 / (1 - k * _share(p)), 1.0, 4.0) for k in (1, 2))
    price = np.linspace(nash - 0.1 * (top - nash), top + 0.1 * (top - nash), 15)
    weight = np.exp((2 - price) / 0.25)
    one = (price[:, None] - 1) * weight[:, None] / (weight[:, None] + weight + 1)
    made = RepeatedQLearning(
        sessions=given["runs_for_test"],
        step_size=given["alpha"],
        gamma=given["discount"],
        exploration={"decay": given["beta"]},
    )
    record = rv.solve(tables(np.stack([one.ravel(), one.T.ravel()])[None], (15, 15)), made, seed=1).record
    low, high = ((p - 1) * _share(p) for p in (nash, top))
    gain = float(np.mean((record["end_payoff"][1] - low) / (high - low)))
    assert inside(gain, want["accept_Delta_mean"])
    assert inside(float(record["periods"][1].mean()), want["accept_periods_mean"])


def _share(price: float) -> float:
    return float(np.exp((2 - price) / 0.25) / (2 * np.exp((2 - price) / 0.25) + 1))


@pytest.mark.nightly
@pytest.mark.parametrize("k", [6, 12, 24])
def test_alternating_price_setting_is_within_reference_bands(k: int) -> None:
    case = band("band_klein")
    given, price = case["inputs"], np.arange(k + 1) / k
    share = np.where(price[:, None] < price, 1.0, np.where(price[:, None] == price, 0.5, 0.0))
    one = price[:, None] * (1 - price[:, None]) * share
    game = tables(np.stack([one.ravel(), one.T.ravel()])[None], (k + 1, k + 1), [[0], [1]])
    made = RepeatedQLearning(
        sessions=given["runs_for_test"],
        step_size=given["alpha"],
        gamma=given["discount"],
        exploration={"decay": -np.log(1e-3) / (given["T"] // 2)},
        observation="others",
        initial_q={"kind": "uniform", "min": 0.0, "max": 1e-6},
        stopping=played(given["T"]),
        average_last=1000,
    )
    record = rv.solve(game, made, seed=2).record
    assert inside(float(record["last_payoff"][1].mean()), case["expected"]["accept_mean_profit"][str(k)])


@pytest.mark.nightly
@pytest.mark.parametrize("row", range(6))
def test_staged_quantity_setting_is_within_reference_bands(row: int) -> None:
    case = band("band_staged_q_learning")
    given = case["inputs"]["rows"][row]
    want = case["expected"]["rows"][given["name"]]
    made = RepeatedQLearning(
        sessions=60,
        step_size=given["alpha"],
        gamma=[given["gamma_L"], given["gamma_F"]],
        exploration={"decay": given["beta"]},
        memory=given["memory"],
        action_grid=[LEADS, FOLLOWS],
        stopping={"max_periods": 20_000_000},
    )
    record = rv.solve(Duopoly("staged"), made, seed=3).record
    share = np.mean(np.all(record["end_action"][1] == [4.5, 2.25], axis=1))
    assert inside(float(share), want["accept_share_runs_at_SPE"])
    assert inside(float(record["end_payoff"][1].sum(axis=1).mean()), want["accept_industry_profit"])


@pytest.mark.slow
def test_shocks_are_weighted_by_their_probabilities() -> None:
    levels, odds, outputs = np.array([-30.0, 30.0]), np.array([0.9, 0.1]), np.array([20.0, 30.0, 40.0])
    shock = {"kind": "iid", "levels": levels.tolist(), "probabilities": odds.tolist()}
    game = rv.games.market(shock=shock, shock_observed=True)
    at_random = RepeatedQLearning(
        sessions=2, control="random", action_grid=outputs.tolist(), stopping=played(10)
    )
    both = outputs[:, None] + outputs
    price = np.maximum(100 + levels[:, None, None] - both, 0)
    mean = odds @ ((price - 10) * outputs[:, None]).mean(axis=(1, 2))
    np.testing.assert_allclose(rv.solve(game, at_random).data.end_payoff, mean)
    led = repeated_form(
        rv.games.market(shock=shock, stages=[[0], [1]]), [0.0, 11.0, 22.0, 33.0, 44.0], memory=0
    )
    assert myopic_best_responses(led.tables, 1).tolist() == [3, 2, 2, 1, 1]  # (66 - q)/2, not (80 - q)/2


@pytest.mark.nightly
def test_alternating_random_play_with_adjustment_costs_has_no_mean() -> None:
    game = rv.games.market(timing="alternating", adjustment="spot", adjustment_cost=1.0)
    at_random = RepeatedQLearning(sessions=2, control="random", action_grid=[20.0, 30.0], stopping=played(10))
    assert "end_payoff" not in rv.solve(game, at_random).data


def test_the_memoryless_control_needs_the_game_itself() -> None:
    world = quick().world(PLAIN)
    with pytest.raises(ValueError, match="control: 'memoryless' must have the game itself"):
        quick(control="memoryless").world(world)


@pytest.mark.slow
def test_random_players_open_no_channel_for_the_discount_factor() -> None:
    game = rv.games.market(intercept=10.0, slope=1.0, unit_cost=1.0)
    play = {"sessions": 2, "action_grid": 3, "stopping": played(50), "memory": 1, "gamma": 0.9}
    told = rv.solve(game, RepeatedQLearning(roles=["learns", "random"], **play), seed=1).data
    assert "memory (0 sees 1)" in str(told.gamma_channels.values)
    told = rv.solve(game, RepeatedQLearning(roles="random", **play), seed=1).data
    assert str(told.gamma_channels.values) == "the discount factor does not affect this game"


def test_players_of_a_stage_observe_earlier_stages_only() -> None:
    game = tables(DICE.normal(size=(1, 4, 16)), (2, 2, 2, 2))
    staged = in_stages(game, ((2,), (0, 3), (1,)))
    assert staged.order.tolist() == [[2, 0, 3, 1]]
    observed = [[slot for slot in row if slot[0] >= 0] for row in staged.observation_slots.tolist()]
    assert observed == [[[2, 0]], [[0, 0], [2, 0], [3, 0]], [], [[2, 0]]]
    assert followers(staged).tolist() == [True, True, False, True]
    assert followers(in_stages(game, ((0, 1, 2, 3),))).tolist() == [False, True, True, True]


def test_nature_under_random_play_has_the_stationary_distribution() -> None:
    """Also where actions choose the next state."""
    chain = np.array([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [0.3, 0.0, 0.7]])
    game = tables(np.zeros((3, 2, 4)), (2, 2), chain=chain)
    whatever = np.tile(np.arange(3), (3, 4, 1)), np.tile(np.cumsum(chain, axis=1)[:, None], (1, 4, 1))
    game = game._replace(next_nature=whatever[0], nature_cdf=whatever[1])
    weights = nature_at_random(game)
    np.testing.assert_allclose(weights @ chain, weights, atol=1e-14)
    np.testing.assert_allclose(weights, np.array([15, 3, 5]) / 23, atol=1e-14)
    moved = np.zeros((2, 4, 1), dtype=np.int64)
    moved[0, :2] = 1  # from state 0 half of the joint actions lead to 1, from 1 all lead back
    chosen = tables(np.zeros((2, 2, 4)), (2, 2))._replace(next_nature=moved, nature_cdf=np.ones((2, 4, 1)))
    np.testing.assert_allclose(nature_at_random(chosen), [2 / 3, 1 / 3], atol=1e-14)
    assert nature_at_random(PLAIN).tolist() == [1.0]
