"""Learning and simulation in a city: reproducibility, consistency of metrics, options."""

from functools import cache
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.kernels.city import fresh
from rivalry.economies.kernels.city_learning import policy_rows
from rivalry.economies.learning.city_drivers import city_record, policy_of_all, streets_of
from rivalry.economies.learning.city_q_learning import policy_change
from rivalry.lab.study import StudyError
from rivalry.lab.study.build import build_method
from rivalry.methods import METHODS, CityQLearning, CitySimulation
from tests.chunks import assert_same_in_chunks

pytestmark = pytest.mark.slow

Record = dict[str, np.ndarray]

SMALL: dict[str, Any] = {
    "network": "stubs_2x2",
    "agents": 24,
    "max_karma": 4,
    "mean_karma": 2,
    "capacity": 1,
    "gamma": 0.9,
}
QUICK: dict[str, Any] = {
    "training": 400,
    "epoch": 20,
    "evaluation": 200,
    "monitor_every": 0,
    "monitor_steps": 50,
    "step_size": 0.1,
    "exploit": False,
}


@cache
def small(**changed: Any) -> Any:
    return rv.games.city(**(SMALL | changed))


def quick(**options: Any) -> CityQLearning:
    return CityQLearning(**(QUICK | options))


def ran(learner: Any, game: Any = None, seed: int = 0) -> Record:
    found = rv.solve(small() if game is None else game, learner, seed=seed)
    return {name: array for name, (_, array) in found.record.items()}


def same(one: Record, two: Record, but: tuple[str, ...] = ()) -> None:
    assert set(one) == set(two)
    for name in one:
        if not name.startswith(but or ("never",)):
            assert np.array_equal(one[name], two[name], equal_nan=one[name].dtype.kind == "f"), name


# reproducibility


@pytest.mark.parametrize("size", [1, 7, 133])
def test_results_do_not_depend_on_chunks_or_copies(size: int) -> None:
    assert_same_in_chunks(quick(monitor_every=3, update_probability=0.7), small(), size)


def test_monitoring_does_not_change_learning() -> None:
    often = ran(quick(monitor_every=2))
    same({k: v for k, v in often.items() if not k.startswith("monitor_")}, ran(quick()))
    assert often["monitor_step"].tolist() == list(range(40, 401, 40))
    assert np.isnan(often["monitor_policy_change"][0])
    assert (often["monitor_policy_change"][1:] > 0).all()


def test_a_run_is_resumed() -> None:
    first = rv.solve(small(), quick(training=160, store_tables=True, monitor_every=4), seed=3)
    on = ran(quick(training=240, store_tables=True, resume_from=first, monitor_every=4), seed=9)
    but = ("monitor_", "steps", "last_words")
    same(on, ran(quick(store_tables=True, monitor_every=4), seed=3), but)
    assert on["monitor_step"].tolist() == [160 + 80 * k for k in range(1, 4)]
    with pytest.raises(ValueError, match=r"resume_from: last_\w+ has shape .*; must be a run of the same"):
        rv.solve(small(agents=26), quick(resume_from=first))
    with pytest.raises(ValueError, match=r"resume_from: has no last_\w+; the run must store"):
        rv.solve(small(), quick(resume_from=rv.solve(small(), quick())))


def test_tables_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivalry.economies.learning.city_q_learning.LARGEST", 1000)
    with pytest.raises(ValueError, match=r"agents: the tables of \d+ take .* GB; must be at most 1e-06 GB"):
        rv.solve(small(), quick())


def test_training_stops_when_policies_change_little() -> None:
    stop = {"metric": "policy_change", "delta": 1.0, "times": 2}
    found = ran(quick(training=4000, monitor_every=2, stopping=stop))
    assert str(found["status"]) == "converged"
    assert int(found["steps"]) == 120  # the first monitor has no earlier policy to compare with
    endless = ran(quick(monitor_every=2, stopping=stop | {"delta": 0.0}))
    assert str(endless["status"]) == "iteration limit"
    first = float(endless["monitor_policy_change"][1])  # the largest change, at the second monitor
    just = {"metric": "policy_change", "delta": first * (1 - 1e-6), "tolerated_agents": 1}
    assert int(ran(quick(monitor_every=2, stopping=just))["steps"]) == 80


# consistency of metrics


def test_metrics_are_consistent() -> None:
    found = ran(CitySimulation(plays="uniform", evaluation=3000, warm_up=100))
    awake = 1 - found["agent_dormant"]
    assert found["lane_wanted"].sum() == pytest.approx(awake.sum())
    assert found["lane_admitted"].sum() == pytest.approx(found["agent_admitted"].sum())
    assert (found["lane_queue"] >= 0).all()
    assert (found["lane_admitted"] <= found["lane_capacity"] + 1e-12).all()
    assert found["karma_distribution"].sum() == pytest.approx(1)
    assert found["karma_distribution"] @ np.arange(5) == pytest.approx(
        2
    )  # redistributed in full at every step
    assert float(found["efficiency"]) == pytest.approx(found["agent_reward"].mean())
    assert float(found["reward_fairness"]) == pytest.approx(-found["agent_reward"].std())
    per_competition = found["agent_reward"].sum() / awake.sum()
    assert float(found["efficiency_per_competition"]) == pytest.approx(per_competition)


def test_computed_payoffs_agree_with_simulated_rewards() -> None:
    """The mean payoff of fixed policies, times 1 - gamma, is the mean reward per step."""
    found = ran(CitySimulation(plays="uniform", evaluation=20_000))
    payoff = (1 - SMALL["gamma"]) * found["agent_payoff"].mean()
    assert payoff == pytest.approx(float(found["efficiency"]), rel=0.03)
    assert (found["agent_exploitability"] >= 0).all()
    assert found["regret"].max() == pytest.approx(found["agent_exploitability"].max())
    assert str(found["coverage"]) == "estimated"


def test_free_flow_agrees_with_simulation_at_unlimited_capacity() -> None:
    found = ran(CitySimulation(plays="zero", evaluation=20_000), small(capacity="unlimited"))
    np.testing.assert_allclose(found["lane_wanted"], found["lane_free_flow"], atol=0.06)
    assert (float(found["efficiency"]), float(found["mean_relative_exploitability"])) == (0, 0)


def test_mechanisms_are_ranked_by_efficiency_and_fairness() -> None:
    """Priority by urgency is more efficient than random admission; turn-taking has fairer access."""
    found = {plays: ran(CitySimulation(plays=plays, evaluation=4000)) for plays in ("coin", "stake", "turn")}
    assert found["stake"]["efficiency"] > found["coin"]["efficiency"]
    assert found["turn"]["access_fairness"] > found["coin"]["access_fairness"]
    assert all("agent_exploitability" not in each for each in found.values())


def test_learned_bids_rise_with_urgency() -> None:
    learned = ran(quick(training=40_000, evaluation=5000, beta=30.0, epoch=100))
    coin = ran(CitySimulation(plays="coin", evaluation=5000))
    assert learned["efficiency"] > 0.9 * coin["efficiency"]
    bids, urgency = learned["agent_trip_bid"].mean(axis=0), learned["trip_urgency"][0]
    assert bids[urgency == 5].mean() > bids[urgency == 1].mean()


@pytest.mark.parametrize("plays", ["uniform", "zero", "all_in"])
def test_policies_may_be_arrays(plays: str, tmp_path: Any) -> None:
    numbers = policy_of_all(streets_of(small()).arrays, plays)
    named = ran(CitySimulation(plays=plays, evaluation=500, warm_up=100), seed=3)
    same(named, ran(CitySimulation(plays=numbers, evaluation=500, warm_up=100), seed=3))
    np.save(tmp_path / "policy.npy", numbers)
    stored = CitySimulation(plays=str(tmp_path / "policy.npy"), evaluation=500, warm_up=100)
    same(named, ran(stored, seed=3))


def test_each_agent_may_have_its_own_policy() -> None:
    city = streets_of(small()).arrays
    numbers = policy_of_all(city, "zero").copy()
    numbers[5] = policy_of_all(city, "all_in")[5]
    found = ran(CitySimulation(plays=numbers, evaluation=2000, warm_up=0), seed=1)
    bids = np.nansum(found["agent_trip_bid"].reshape(len(numbers), -1), axis=1)
    assert bids[5] > 0
    assert np.delete(bids, 5).max() == 0


def test_the_table_of_a_fixed_policy_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes as long as hundreds of steps; and it is not stored, since it follows from the options."""
    made: list[int] = []

    def counted(*arguments: Any) -> np.ndarray:
        made.append(1)
        return policy_rows(*arguments)

    monkeypatch.setattr("rivalry.economies.kernels.city_learning.policy_rows", counted)
    learner = CitySimulation(plays="uniform", evaluation=60, warm_up=10)
    world = learner.world(small())
    whole = learner.begin(world, np.random.SeedSequence(2))
    single = learner.begin(world, np.random.SeedSequence(2))
    learner.advance(world, whole, 70)
    for _ in range(30):
        learner.advance(world, single, 1)
    assert len(made) == 2
    stored = learner.pack(single)
    assert "policy" not in stored
    resumed = learner.unpack(stored)
    for _ in range(40):
        learner.advance(world, resumed, 1)
    assert len(made) == 3
    for name, array in learner.pack(whole).items():
        assert np.array_equal(array, resumed[name]), name


@pytest.mark.parametrize(
    ("at", "number", "message"),
    [
        (None, None, r"plays: shape \(3,\) must be"),
        (
            (0, 0, 1, 0),
            -0.5,
            "plays: agent 0 in row 0 with karma 1 has -0.5 on entry 0; must be a probability",
        ),
        (
            (1, 0, 1, 4),
            0.5,
            "plays: agent 1 in row 0 with karma 1 has 0.5 on entry 4; must be 0: there is no such",
        ),
        ((2, 0, 2, 0), 0.9, "plays: agent 2 in row 0 with karma 2 has 0.9 on entry 0; its row must sum to 1"),
        ((2, 0, 2, 0), np.nan, "plays: agent 2 in row 0 with karma 2 has nan on entry 0"),
    ],
)
def test_invalid_policy_arrays_are_refused(at: Any, number: Any, message: str) -> None:
    numbers = policy_of_all(streets_of(small()).arrays, "uniform").copy()
    if at is None:
        numbers = np.ones(3)
    else:
        numbers[at] = number
    with pytest.raises(ValueError, match=message):
        ran(CitySimulation(plays=numbers, evaluation=10))


def test_distances_between_policies_are_exact() -> None:
    city = streets_of(small(planning="nodes")).arrays
    even, zero = policy_of_all(city, "uniform"), policy_of_all(city, "zero")
    spots = city.lane.shape[1] + city.options.shape[1]
    junctions = np.arange(even.shape[1] - 1) % spots >= city.lane.shape[1]
    np.testing.assert_array_equal(even[:, :-1][:, junctions], zero[:, :-1][:, junctions])
    apart = policy_change(city, policy_rows(city, even), policy_rows(city, zero))
    np.testing.assert_allclose(apart, 0.5, atol=1e-6)  # W1 of uniform bids from 0 is k/2
    assert (policy_change(city, policy_rows(city, zero), policy_rows(city, zero)) == 0).all()


def test_padding_of_short_trips_does_not_affect_policy_change() -> None:
    """Rows beyond the end of a path never change and are excluded; here they are half of all rows."""
    routes = [[["W1", "1.1", "1.2", "2.2", "E2"], ["W1", "1.1", "N1"]]] * 4
    game = rv.games.city(
        network="stubs_2x2", exclude_same_node=False, routes=routes, capacity=1, max_karma=4, mean_karma=2
    )
    city = streets_of(game).arrays
    even = policy_of_all(city, "uniform")
    zero, rows = policy_of_all(city, "zero"), np.arange(even.shape[1] - 1).reshape(4, -1)
    moved = even.copy()
    beyond = rows[2:, 2:].ravel()  # of the path of two lanes
    moved[:, beyond] = zero[:, beyond]
    np.testing.assert_array_equal(policy_change(city, policy_rows(city, even), policy_rows(city, moved)), 0.0)
    moved = zero.copy()
    moved[:, beyond] = even[:, beyond]
    apart = policy_change(city, policy_rows(city, even), policy_rows(city, moved))
    np.testing.assert_allclose(apart, 0.5, atol=1e-6)


def test_metrics_are_computed_from_tallies() -> None:
    streets = streets_of(small())
    city = streets.arrays
    drivers = fresh(city, np.random.SeedSequence(1))
    rows = policy_rows(city, policy_of_all(city, "all_in"))
    tallied = streets.simulate_copies(drivers, (rows,), np.random.SeedSequence(2), 10, 100)[0]
    found = city_record(streets, tallied, 100)
    assert drivers.clock[0] == 0  # evaluation works on copies
    assert found["trips_per_step"][1] == tallied.trips.sum() / 100
    bid = (tallied.bids * np.arange(5)).sum(axis=1) / tallied.wanted
    np.testing.assert_allclose(found["lane_bid"][1], bid)


# rules


@pytest.mark.parametrize("planning", ["start", "nodes"])
def test_agents_learn_to_choose_routes(planning: str) -> None:
    """Learned policies are more efficient than uniformly random routes and bids."""
    game = small(planning=planning, network="plain_3x3", alternatives=4 if planning == "start" else None)
    learned = ran(quick(training=40_000, evaluation=5000, epoch=100), game)
    assert learned["efficiency"] > ran(CitySimulation(plays="uniform", evaluation=5000), game)["efficiency"]


def test_a_coalition_with_karma_transfers_gains() -> None:
    learner = quick(training=20_000, evaluation=5000, epoch=100, exploit=True)
    kinds = {
        how: ran(learner, rv.games.city(**(SMALL | {"coalition": 6, "transfer": how})))
        for how in ("independent", "urgent")
    }
    assert kinds["urgent"]["coalition_reward"] > kinds["independent"]["coalition_reward"]
    assert np.isfinite(kinds["independent"]["agent_exploitability"]).all()
    assert np.isnan(kinds["urgent"]["agent_exploitability"]).tolist() == [True] * 6 + [False] * 18
    assert "coalition_reward" not in ran(quick())


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"payment": "uniform_highest_refused"}, "what a bid costs"),
        # probabilities of admission assume random ties, and would overstate gains of the favoured agent
        ({"tie": "lowest_index"}, "what a bid is worth at a tie"),
    ],
)
def test_rules_without_an_exploitability_are_named(rule: dict[str, str], why: str) -> None:
    game = small(**rule)
    with pytest.warns(UserWarning, match=f"exploitability is not worked out: {why}"):
        found = ran(quick(exploit=True), game)
    assert "regret" not in found
    played = ran(CitySimulation(plays="zero", evaluation=500), game)
    assert "agent_exploitability" not in played
    assert played["agent_reward"][0] == 0 or "tie" not in rule


# options


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "simulation", "plays": "equilibrium"}, "plays: 'equilibrium' must be one of"),
        ({"kind": "q_learning", "target": "double"}, "target: 'double' must be one of"),
        ({"kind": "q_learning", "training": 0}, "training: 0 must be"),
    ],
)
def test_unknown_option_values_are_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        build_method(table, game=small())


def test_method_kinds_depend_on_the_game() -> None:
    assert isinstance(build_method({"kind": "q_learning"}, game=small()), CityQLearning)
    assert isinstance(build_method({"kind": "simulation"}, game=small()), CitySimulation)
    with pytest.raises(StudyError, match="newton"):
        build_method({"kind": "newton"}, game=small())
    assert "design" in METHODS
    with pytest.raises(
        ValueError, match="is a population; CityQLearning needs a city that agents travel through"
    ):
        rv.solve(rv.games.karma(agents=10), quick())
