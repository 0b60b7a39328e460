"""Learning by all agents of an economy: reproducibility, comparison with exact values, options."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import files
from rivalry.economies.kernels.choices import probabilities
from rivalry.economies.kernels.economy import fresh
from rivalry.economies.learning.epochs import Stop, checkpoint, restore, step_sizes, stop_of, temperatures
from rivalry.economies.learning.monitors import payoff_estimates, sampling
from rivalry.lab.executor import run_study
from rivalry.lab.study import StudyError, build_method
from rivalry.methods import PopulationQLearning
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.population.agents import Paid
from tests.chunks import assert_same_in_chunks
from tests.economies import uniform_rows
from tests.selection import slow_except

pytestmark = pytest.mark.mostly_slow

SMALL: dict[str, Any] = {"max_karma": 3, "mean_karma": 1.5, "agents": 8, "gamma": 0.9}
QUICK: dict[str, Any] = {
    "training": 400,
    "epoch": 20,
    "evaluation": 100,
    "evaluation_warm_up": 10,
    "monitor_steps": 50,
    "beta": 5.0,
    "step_size": 0.1,
}
SAMPLED = {"kind": "parallel", "t_monitor": 60, "t_burn": 20, "sample_every": 4}


def quick(**options: Any) -> PopulationQLearning:
    return PopulationQLearning(**(QUICK | {"compare": False, "monitor_every": 0} | options))


def ran(learner: PopulationQLearning, game: Any = None, seed: int = 0) -> dict[str, np.ndarray]:
    game = rv.games.karma(**SMALL) if game is None else game
    return {name: array for name, (_, array) in rv.solve(game, learner, seed=seed).record.items()}


def same(one: dict[str, np.ndarray], two: dict[str, np.ndarray], but: tuple[str, ...] = ()) -> None:
    for name in set(one) | set(two):
        if not name.startswith(but or ("never",)):
            assert np.array_equal(one[name], two[name], equal_nan=one[name].dtype.kind == "f"), name


# reproducibility

HOWS: dict[str, dict[str, Any]] = {
    "parallel": {"monitor_every": 5, "monitor": SAMPLED, "compare": True, "regularised": True},
    "alone": {"monitor_every": 7, "monitor": SAMPLED | {"kind": "alone", "agents": 2, "double": True}},
    "centralised": {
        "algorithm": "centralised",
        "target": "double",
        "update_probability": 0.5,
        "monitor_every": 5,
    },
    "power": {"target": "expected", "step_size": {"value": 0.5, "power": 0.6}, "exploration": 0.0},
    "geometric": {"target": "max", "beta": {"kind": "geometric", "first": 0.1, "last": 5.0, "steps": 10}},
}


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:.*visited fewer than")
@pytest.mark.parametrize("way", slow_except(HOWS, ("alone",)))
def test_results_do_not_depend_on_chunks(way: str) -> None:
    game, learner = rv.games.karma(**SMALL), quick(**HOWS[way])
    assert_same_in_chunks(learner, game, 1, 98, 1, 150)


@pytest.mark.filterwarnings("ignore:.*visited fewer than")
def test_monitoring_does_not_change_learning() -> None:
    alone, watched = ran(quick()), ran(quick(monitor_every=3, monitor=SAMPLED))
    same({k: watched[k] for k in alone}, alone)
    assert watched["monitor_step"].tolist() == [60, 120, 180, 240, 300, 360]


@pytest.mark.parametrize(
    "how",
    [{}, {"target": "double", "update_probability": 0.5, "step_size": {"power": 1.0}}],
    ids=["plain", "all"],
)
def test_a_resumed_run_is_bitwise_identical(how: dict[str, Any], tmp_path: Path) -> None:
    whole = ran(quick(monitor_every=4, **how))
    first = rv.solve(rv.games.karma(**SMALL), quick(training=150, **how))
    path = tmp_path / "cell.npz"
    files.write(path, files.pack(first.record, kind="cell", name="one"))
    for source in (first, first.record, str(path)):
        rest = ran(quick(training=250, monitor_every=4, resume_from=source, **how), seed=99)
        same(whole, rest, but=("monitor", "first_policy", "steps"))
    assert whole["monitor_step"].tolist() == [80, 160, 240, 320, 400]
    assert rest["monitor_step"].tolist() == [160, 240, 320, 400]
    assert np.array_equal(rest["monitor_mean_exploitability"], whole["monitor_mean_exploitability"][1:])


def test_wrong_sources_of_a_resumed_run_are_refused() -> None:
    game = rv.games.karma(**SMALL)
    without = rv.solve(game, quick(store_tables=False))
    assert not any(name.startswith("last_") for name in without.record)
    with pytest.raises(ValueError, match=r"resume_from: has no last_words; the run must store its tables"):
        rv.solve(game, quick(resume_from=without))
    kept = rv.solve(game, quick())
    with pytest.raises(ValueError, match=r"resume_from: last_karma has shape \(8,\), and here \(6,\)"):
        rv.solve(rv.games.karma(**(SMALL | {"agents": 6})), quick(resume_from=kept))
    with pytest.raises(ValueError, match="resume_from: int must be a file, a solution or its record"):
        rv.solve(game, quick(resume_from=7))
    with pytest.raises(ValueError, match=r"resume_from: no file 'absent\.npz'; must be a stored cell's"):
        rv.solve(game, quick(resume_from="absent.npz"))


# algorithms


def test_centralised_learning_has_one_table_and_policy_per_type() -> None:
    types = [{"share": 0.5, "gamma": 0.5}, {"share": 0.5, "urgencies": [2.0, 3.0]}]
    game = rv.games.karma(**SMALL, types=types)
    found = ran(quick(algorithm="centralised"), game)
    assert (found["last_q"].shape[:2], found["policy"].shape) == ((1, 2), (2, 2, 4, 4))
    assert found["agent_type"].tolist() == [0] * 4 + [1] * 4
    for kind in (slice(0, 4), slice(4, 8)):
        assert len(np.unique(found["agent_exploitability"][kind])) == 1
    np.testing.assert_array_equal(found["payoff"], found["agent_payoff"][[0, 4]])
    np.testing.assert_array_equal(found["regret"], found["agent_exploitability"][[0, 4]])
    np.testing.assert_allclose(probabilities(found["last_policy"], 3), found["policy"], atol=1e-15)


@pytest.mark.nightly
def test_types_with_different_urgencies_learn_different_policies() -> None:
    types = [{"count": 4, "urgencies": [1.0, 9.0]}, {"count": 4, "urgencies": [1.0, 2.0]}]
    game = rv.games.karma(**SMALL, types=types)
    how: dict[str, Any] = {"training": 8000, "monitor_steps": 500, "evaluation": 1000, "compare": True}
    found, begun = (ran(quick(**how, update_probability=chance), game) for chance in (1.0, 0.0))
    assert np.all(found["exploitability"] < 0.5 * begun["exploitability"])
    # bids increase with urgency, and more so for the type with the larger urgency difference
    steps = found["mean_bid"][:, 1, 1:].mean(axis=1) - found["mean_bid"][:, 0, 1:].mean(axis=1)
    assert steps[0] > steps[1] > 0
    for name in ("gap_to_equilibrium", "relative_gap_to_equilibrium_eps", "distance_to_equilibrium"):
        np.testing.assert_allclose(found[f"type_{name}"], found[name].reshape(2, 4).mean(axis=1))


def test_with_update_probability_zero_only_q_values_change() -> None:
    learner = quick(update_probability=0.0)
    game = rv.games.karma(**SMALL)
    begun = learner.begin(learner.world(game), np.random.SeedSequence(0))
    found = ran(learner, game)
    assert np.array_equal(found["last_policy"], begun["policy"])
    assert np.any(found["last_q"] != 0)
    np.testing.assert_allclose(begun["policy"], np.repeat(uniform_rows(1, 2, 3), 8, axis=0), atol=1e-15)


@pytest.mark.nightly
def test_policy_distances_follow_the_chosen_rule() -> None:
    game = rv.games.karma(**SMALL)
    best = equilibrium(game, QUICK["beta"])[0].reshape(2, 4, 4)
    kinds = ("mean", "sum", "mu_weighted", "l1")
    found = {kind: ran(quick(compare=True, monitor_every=5, distance=kind), game) for kind in kinds}
    policies = probabilities(found["mean"]["last_policy"], 3)
    moved = np.abs(np.cumsum(policies - best, axis=-1)).sum(axis=-1)[..., 1:] / np.arange(1, 4)
    law = found["mean"]["karma_distribution"][0, :, 1:]
    known = {
        "mean": moved.mean(axis=(1, 2)),
        "sum": moved.sum(axis=(1, 2)),
        "mu_weighted": (law * moved).sum(axis=(1, 2)),
        "l1": np.abs(policies - best).sum(axis=(1, 2, 3)),
    }
    for kind in kinds:
        np.testing.assert_allclose(found[kind]["distance_to_equilibrium"], known[kind], rtol=1e-9)
        assert found[kind]["distance_rule"] == kind
        of_rule = ("distance", "mean_distance", "largest_distance", "type_distance", "monitor_")
        same(found["mean"], found[kind], of_rule)
    changes = [found[kind]["monitor_policy_change"][1:] for kind in kinds]
    np.testing.assert_allclose(changes[1], 6 * changes[0])
    assert np.all(changes[2] <= changes[1] * (1 + 1e-12))
    with pytest.raises(
        StudyError, match=r"distance: 'max' must be one of 'mean', 'sum', 'mu_weighted', 'l1'"
    ):
        build_method({"kind": "q_learning", "distance": "max"}, game=game)


@pytest.mark.nightly
def test_reported_metrics_are_consistent() -> None:
    found = ran(quick(compare=True, monitor_every=20))
    for name in ("exploitability", "gap_to_equilibrium_eps", "distance_to_equilibrium_without_exploration"):
        each = found[f"agent_{name}" if name == "exploitability" else name]
        assert each.shape == (8,)
        np.testing.assert_allclose(found[f"mean_{name}"], each.mean())
        np.testing.assert_allclose(found[f"largest_{name}"], each.max())
    scale = abs(found["mean_agent_payoff"])
    np.testing.assert_allclose(found["agent_relative_exploitability"], found["agent_exploitability"] / scale)
    # both gains are estimates, of the response that was tried and of the equilibrium policy
    assert found["agent_exploitability"].mean() >= -found["gap_to_equilibrium"].mean() - 1e-9
    np.testing.assert_allclose(found["agent_reward"].mean(), found["efficiency"])
    np.testing.assert_allclose(found["agent_wins"].mean(), 0.5)
    np.testing.assert_allclose(found["karma_distribution"].sum(), 1.0)
    np.testing.assert_allclose(found["bid_distribution"].sum(), 1.0)
    np.testing.assert_allclose(found["mean_bid"], found["policy"] @ np.arange(4))
    # the only monitor was at the last training step
    np.testing.assert_array_equal(found["first_policy"], found["policy"])
    # so few steps leave the noise of the gain unknown
    assert found["claim"] == "not decided"
    assert found["regret"] == found["largest_exploitability"]


@pytest.mark.nightly
def test_exploitability_of_many_agents_terminates() -> None:
    # default size: solving two stationary distributions of 100 agents in parallel once deadlocked
    found = ran(quick(training=20, evaluation=20, evaluation_warm_up=0), rv.games.karma(agents=100))
    assert found["agent_exploitability"].shape == (100,)
    assert np.all(found["agent_exploitability"] >= 0)


@pytest.mark.nightly
def test_no_separate_metrics_without_exploration() -> None:
    found = ran(quick(exploration=0.0, compare=True))
    assert not any(name.endswith(("_eps", "_without_exploration")) for name in found if name != BARE)
    assert found[BARE] == found["efficiency"]
    assert "equilibrium_eps" not in found


BARE = "efficiency_without_exploration"


def test_payoff_estimates_are_means_over_visited_states() -> None:
    game, learner = rv.games.karma(**SMALL), quick()
    world = learner.world(game)
    rows, owner = uniform_rows(8, 2, 3), np.arange(8)
    agents = fresh(world.arrays, np.random.SeedSequence(1))
    q = np.repeat(np.arange(8.0)[:, None], 20, axis=1)
    how = world, agents, rows, owner, q, np.random.SeedSequence(2), 50
    np.testing.assert_allclose(payoff_estimates(*how), np.arange(8.0))
    # entropy of uniform bids 0..k, weighted by the karma held
    tallied = world.simulate_copies(agents, (rows, owner), how[-2], 0, 50)[0]
    held = tallied.each.sum(axis=1) / 50
    bonus = held @ np.log(np.arange(1, 5)) / 3.0
    np.testing.assert_allclose(payoff_estimates(*how, Paid(1 / 3)), np.arange(8.0) + bonus)


@pytest.mark.nightly
def test_sampled_exploitability_converges_to_the_exact_one() -> None:
    # with fixed policies, long-trained tables match dynamic programming up to sampling error
    game = rv.games.karma(**(SMALL | {"agents": 40, "gamma": 0.5}))
    how = {"kind": "parallel", "t_monitor": 60_000, "t_burn": 30_000, "sample_every": 3}
    how |= {"step_size": {"power": 0.7}, "expected": True, "tables": "zero"}
    learner = quick(
        update_probability=0.0,
        training=20,
        monitor_every=1,
        monitor=how,
        compare=True,
        monitor_steps=30_000,
        regularised=True,
    )
    found = ran(learner, game)
    exact = {
        "sampled_greedy": "exploitability",
        "sampled_gap_to_equilibrium": "gap_to_equilibrium",
        "sampled_gap_to_equilibrium_eps": "gap_to_equilibrium_eps",
    }
    for one, other in exact.items():
        for paid in ("", "_regularised"):
            truly = found[f"monitor_mean_{other}{paid}"][0]
            np.testing.assert_allclose(found[one + paid].mean(), truly, rtol=0.05)
    assert found["rarely_visited"] == 0


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:.*visited fewer than")
def test_regularised_metrics_are_added_to_the_plain_ones() -> None:
    options: dict[str, Any] = {"compare": True, "monitor_every": 5, "monitor": SAMPLED}
    plain, with_it = (ran(quick(**options, regularised=how)) for how in (False, "once"))
    same(plain, {name: with_it[name] for name in plain})
    more = set(with_it) - set(plain)
    assert all("_regularised" in name for name in more)
    assert {"payoff_regularised", "agent_payoff_regularised", "sampled_greedy_regularised"} <= more
    assert {"agent_exploitability_regularised_without_exploration"} <= more
    # "once": the entropy bonus is paid in the current state only
    before, after = plain["agent_exploitability"], with_it["agent_exploitability_regularised"]
    bonus = with_it["agent_payoff_regularised"] - plain["agent_payoff"]
    gains = before > 0  # of no deviation the plain gain is 0, and not less
    np.testing.assert_allclose((before - bonus)[gains], after[gains], atol=1e-12)
    assert np.all(after[~gains] <= -bonus[~gains])
    assert np.all((bonus > 0) & (bonus <= np.log(4) / QUICK["beta"]))
    np.testing.assert_allclose(with_it["payoff_regularised"], with_it["agent_payoff_regularised"].mean())
    assert np.isfinite(with_it["monitor_payoff_change_regularised"][1:]).all()


def test_stopping_rule_on_regularised_payoffs() -> None:
    stop = {"metric": "payoff_change_regularised", "delta": 1e9}
    assert ran(quick(monitor_every=2, stopping=stop, regularised=True))["steps"] == 80
    with pytest.raises(ValueError, match=r"stopping.metric: 'payoff_change_regularised' must be one of"):
        quick(monitor_every=2, stopping=stop)


def test_monitoring_of_single_agents() -> None:
    how = {"kind": "alone", "agents": 2, "t_monitor": 60, "t_burn": 20, "sample_every": 4}
    with pytest.warns(UserWarning, match=r"100% of the entries .* fewer than 100 times"):
        found = ran(quick(monitor_every=20, monitor=how))
    assert np.flatnonzero(np.isfinite(found["sampled_greedy"])).tolist() == [0, 7]
    assert found["rarely_visited"] == 1
    assert found["monitor_mean_sampled_greedy"][0] == found["sampled_greedy"][[0, 7]].mean()


# when to stop


def test_training_stops_when_a_metric_stays_small() -> None:
    stop = {"metric": "policy_change", "delta": 1.0, "times": 2}
    found = ran(quick(monitor_every=2, stopping=stop))
    # the change is undefined at the first monitor
    assert (found["status"], found["steps"]) == ("converged", 120)
    assert len(found["monitor_policy_change"]) == 3
    assert np.isnan(found["monitor_policy_change"][0])
    assert np.isfinite(found["monitor_payoff_change"][1:]).all()
    never = ran(quick(monitor_every=2, stopping=stop | {"metric": "exploitability", "delta": 0.0}))
    assert (never["status"], never["steps"]) == ("iteration limit", 400)
    more = ran(quick(monitor_every=2, stopping=stop, resume_from={k: ((), v) for k, v in found.items()}))
    assert more["last_clock"][0] == 240


def test_stopping_rule_with_tolerated_agents() -> None:
    """With delta just below the largest gain at the first monitor, exactly one agent is above it."""
    largest = ran(quick(monitor_every=2))["monitor_largest_exploitability"][0]
    stop = {"metric": "exploitability", "delta": largest * (1 - 1e-9)}
    tolerant, strict = (
        ran(quick(monitor_every=2, stopping=stop | {"tolerated_agents": count})) for count in (1, 0)
    )
    assert tolerant["status"] == "converged"
    assert tolerant["steps"] == 40 < strict["steps"]
    with pytest.raises(
        ValueError, match=r"stopping.tolerated_agents: 8 must be below the number of agents, 8"
    ):
        ran(quick(monitor_every=2, stopping=stop | {"tolerated_agents": 8}))


def test_non_finite_values_stop_a_run() -> None:
    game, learner = rv.games.karma(**SMALL), quick()
    world = learner.world(game)
    session = learner.begin(world, np.random.SeedSequence(0))
    learner.advance(world, session, 10)
    session["q"][:] = np.nan
    assert learner.advance(world, session, 100) < 100
    with pytest.warns(UserWarning, match="values became no finite numbers at step 10"):
        record = learner.read(world, session)
    assert record["status"][1] == "not found"


def test_rules_without_a_mean_field_have_no_exploitability() -> None:
    with pytest.warns(UserWarning, match="burn"):
        game = rv.games.karma(**SMALL, overflow="burn")
    with pytest.warns(UserWarning, match="exploitability is not worked out: overflow"):
        found = ran(quick(compare=True, monitor_every=10), game)
    assert "exploitability" not in found
    assert np.isfinite(found["efficiency"])
    assert len(found["monitor_efficiency"]) == 2
    stop = {"metric": "exploitability", "delta": 0.1}
    with pytest.raises(ValueError, match=r"stopping.metric: 'exploitability' has no meaning: overflow"):
        ran(quick(monitor_every=10, stopping=stop), game)


# studies and options


def test_studies_build_the_learner_by_its_kind(tmp_path: Path) -> None:
    made = build_method({"kind": "q_learning", "beta": 2.0}, game=rv.games.karma(**SMALL))
    assert isinstance(made, PopulationQLearning)
    for option, word in (("algorithm", "both"), ("target", "sarsa"), ("regularised", "twice")):
        with pytest.raises(StudyError, match=option):
            build_method({"kind": "q_learning", option: word}, game=rv.games.karma(**SMALL))
    study = rv.Study(
        name="learned",
        game={"family": "karma", **SMALL},
        method={"kind": "q_learning", "monitor_every": 5, "compare": False, **QUICK},
        replications={"count": 2},
    )
    data = run_study(study, tmp_path / "run").dataset()
    assert {"agent", "monitor"} <= set(data.agent_exploitability.dims) | set(data.monitor_step.dims)
    assert not np.array_equal(*data.agent_exploitability.values.reshape(2, 8))


@pytest.mark.default
def test_monitored_quantities_have_unique_names() -> None:
    game = rv.games.karma(**SMALL)
    for how in HOWS.values():
        learner = quick(**how)
        names = learner.monitored(learner.world(game))
        assert len(set(names)) == len(names)


@pytest.mark.default
def test_a_metric_without_a_value_cannot_end_training() -> None:
    """Without exploration there is no equilibrium with exploration to sample a gap to."""
    options = {"compare": True, "monitor_every": 1, "monitor": SAMPLED}
    stop = {"metric": "sampled_gap_to_equilibrium_eps", "delta": 1.0}
    assert quick(**options, exploration=0.1, stopping=stop).stop == Stop(stop["metric"], 1.0, 1)
    with pytest.raises(ValueError, match="'sampled_gap_to_equilibrium_eps' must be one of"):
        quick(**options, exploration=0.0, stopping=stop)


@pytest.mark.default
def test_unknown_values_do_not_satisfy_a_stopping_rule() -> None:
    rule = Stop("policy_change", 0.5, 1, tolerated_agents=1)
    assert rule.holds(np.array([0.5, np.nan]))
    assert not rule.holds(np.array([0.6, np.nan, 0.0]))
    assert not rule.holds(np.zeros(0))


@pytest.mark.default
@pytest.mark.parametrize("dtype", [np.uint64, np.uint32, np.int64, np.float64, np.float32])
def test_checkpoints_restore_all_bits(dtype: type) -> None:
    """Records hold no unsigned integers; words of 64 bits keep their pattern."""
    array = np.array([0, 1, 2**24 - 1], dtype=dtype)
    if np.issubdtype(dtype, np.unsignedinteger):
        array[2] = np.iinfo(dtype).max
    dims = {"stream": ("counter",), "visits": ("agent",)}
    record = checkpoint({"stream": array, "visits": np.zeros(0)}, dims)
    assert list(record) == ["last_stream"]
    assert record["last_stream"][1].dtype.kind in "if"
    fresh = {"stream": np.zeros(3, dtype=dtype), "visits": np.zeros(0)}
    restored = restore(record, fresh, dims)
    assert restored["stream"].dtype == dtype
    np.testing.assert_array_equal(restored["stream"], array)


@pytest.mark.default
def test_schedules_of_step_sizes_and_temperatures() -> None:
    stages = step_sizes({"stages": [(10, 0.5), (5, 0.1)]})
    assert stages.until.tolist() == [10, 15]
    assert step_sizes({"power": 1.0}) == step_sizes({"value": 1.0, "power": 1.0})
    falling = temperatures({"kind": "geometric", "first": 1.0, "last": 16.0, "steps": 5})
    np.testing.assert_allclose(falling.values, [1, 2, 4, 8, 16])
    assert falling.until.tolist() == [1, 2, 3, 4, 5]
    assert temperatures({"kind": "geometric", "first": 1.0, "last": 16.0, "steps": 1}).values == [16.0]
    assert stop_of(None, ()) is None
    assert sampling("parallel", {"stages": [(10, 0.5), (5, 0.1)]}).step_size == 0.5


@pytest.mark.default
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_size": 0.0}, "step_size: 0 must be above 0"),
        ({"step_size": [0.1, 0.2]}, "step_size: .* must be a number or a table"),
        ({"step_size": {"power": 2.0}}, "step_size.power: 2 must be at most 1"),
        ({"step_size": {"value": [0.1, 0.2]}}, "step_size.value: .* must be one number, for all agents"),
        ({"step_size": {"kind": "log"}}, "step_size.kind: is no key; known: power, stages, value"),
        ({"step_size": {"stages": [1]}}, r"step_size.stages\[0\]: 1 must be a list"),
        ({"step_size": {"stages": []}}, "step_size.stages: .* must have at least 1 entries"),
        ({"step_size": {"stages": [[0, 0.1]]}}, r"step_size.stages\[0\]\[0\]: 0 must be at least 1"),
        ({"step_size": {"stages": [[5, 0.1]], "power": 1.0}}, "step_size.stages: stands in place of value"),
        (
            {"exploration": {"start": 0.1, "decay": 1.0}},
            "exploration.decay: has no meaning here; possible are",
        ),
        ({"beta": -1.0}, "beta: -1.0 must be above 0 and finite"),
        ({"beta": np.inf}, "beta: inf must be above 0 and finite"),
        ({"beta": {"kind": "geometric", "first": 1.0}}, "beta.last: is missing"),
        ({"exploration": 1.5}, "exploration: 1.5 must be at most 1"),
        ({"update_probability": -0.1}, "update_probability: -0.1 must be at least 0"),
        ({"initial_q": np.nan}, "initial_q: nan must be a finite number"),
        ({"epoch": 0}, "epoch: 0 must be at least 1"),
        ({"training": 0}, "training: 0 must be at least 1"),
        ({"monitor": "often"}, "monitor.kind: 'often' must be one of exact, parallel, alone"),
        ({"monitor": {"kind": "alone", "length": 3}}, "monitor.length: is not known"),
        ({"monitor": SAMPLED | {"t_burn": 60}}, "monitor.t_burn: 60 must be below t_monitor = 60"),
        ({"monitor": SAMPLED | {"sample_every": 40}}, "monitor.sample_every: 40 must leave at least two"),
        ({"monitor": SAMPLED | {"tables": "best"}}, "monitor.tables: 'best' must be one of learner, zero"),
        ({"monitor": SAMPLED | {"explore": 0.0}}, r"monitor.explore: 0 must be in \(0, 1\]"),
        ({"stopping": {"metric": "luck", "delta": 1.0}}, "stopping.metric: 'luck' must be one of"),
        ({"stopping": {"metric": "policy_change"}}, "stopping.delta: "),
        ({"stopping": {"metric": "policy_change", "delta": 1.0, "often": 1}}, "stopping.often: is no key"),
        (
            {"stopping": {"metric": "policy_change", "delta": 1.0, "tolerated_agents": -1}},
            "stopping.tolerated_agents: -1 must be at least 0",
        ),
        (
            {"stopping": {"metric": "policy_change", "delta": 1.0}, "monitor_every": 0},
            "stopping: needs monitors",
        ),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PopulationQLearning(**options)
