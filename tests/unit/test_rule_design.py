"""Rule design: brute force, exact resumption, common random numbers, and validation of options."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.lab.study import StudyError, build_method
from rivalry.methods.design.design import RuleDesign, run_players, stream_of
from rivalry.methods.design.search import choice_record, choices_of, grid_of, objective_value
from rivalry.methods.design.tables import chosen_rule, rule_trials
from rivalry.methods.populations.logit_equilibrium import solve_in_stages
from rivalry.results.reader import Reader
from rivalry.results.table import EMPTY
from rivalry.text.statistics import half_width

TINY: dict[str, Any] = {"max_karma": 2, "mean_karma": 1.0, "agents": 8}
NEWTON = {"kind": "newton", "beta": 5.0}
COIN = {"kind": "simulation", "plays": "coin", "evaluation": 200}
LEARN = {
    "kind": "q_learning",
    "training": 300,
    "epoch": 20,
    "beta": 5.0,
    "step_size": 0.1,
    "evaluation": 200,
    "evaluation_warm_up": 0,
    "monitor_every": 0,
    "compare": False,
    "store_tables": False,
}
KBAR = {"mean_karma": [0.5, 1.0, 1.5]}


def design(game: Any = None, seed: int = 0, **options: Any) -> Any:
    game = rv.games.karma(**TINY) if game is None else game
    return rv.solve(game, RuleDesign(**{"choices": KBAR, "response_method": NEWTON} | options), seed=seed)


def same(one: Any, two: Any) -> None:
    assert set(one.record) == set(two.record)
    for name, (_, array) in one.record.items():
        assert np.array_equal(array, two.record[name][1], equal_nan=array.dtype.kind == "f"), name


# optimum


@pytest.mark.nightly  # compiles an economy four times
def test_grid_search_matches_brute_force() -> None:
    each = []
    for mean_karma in KBAR["mean_karma"]:
        game = rv.games.karma(**TINY | {"mean_karma": mean_karma})
        each.append(rv.solve(game, rv.methods.PopulationNewton(beta=5.0), "uniform", path=False))
    efficiency = [float(one.data.efficiency) for one in each]
    best = int(np.argmax(efficiency))
    found = design()
    data = found.data
    assert np.allclose(data.trial_objective.values[:, 0], efficiency, rtol=0, atol=1e-12)
    relative = [float(one.data.relative_exploitability.values[0]) for one in each]
    assert np.allclose(data.trial_exploitability.values[:, 0], relative, rtol=1e-6)
    assert (found.status, int(data.chosen), found.steps) == ("converged", best, 3)
    assert data.chosen_parameters.values.tolist() == [KBAR["mean_karma"][best]]
    # the record and certificate are those of the players under the chosen rule
    assert np.allclose(data.profile.values, each[best].data.profile.values, atol=1e-9)
    assert np.allclose(data.regret.values, each[best].data.regret.values, atol=1e-9)
    assert found.claim == each[best].claim == "not an equilibrium"
    assert float(data.efficiency) == pytest.approx(float(data.chosen_objective), abs=1e-12)
    assert np.array_equal(data.trial_objective_low, data.trial_objective_mean)  # nothing is drawn
    assert int(data.default_trial) == KBAR["mean_karma"].index(TINY["mean_karma"])


@pytest.mark.nightly
def test_minimization_of_weighted_objectives_with_spending() -> None:
    plain = design().data.trial_objective.values
    least = design(objective={"efficiency": 2.0, "mean_karma": 0.5}, spending={"level": 1.0}, maximise=False)
    level = design(objective="level").data.trial_objective.values
    wanted = 2 * plain + 0.5 * np.array([[0.5], [1.0], [1.5]]) - level
    assert np.allclose(least.data.trial_objective.values, wanted, atol=1e-9)
    assert int(least.data.chosen) == int(np.argmin(wanted))
    lowest = design(objective="min(policy)").data.trial_objective.values
    assert lowest.tolist() == [[0.0]] * 3
    function = design(objective=lambda record: 2 * float(record["efficiency"][1]))
    assert np.array_equal(function.data.trial_objective.values, 2 * plain)


@pytest.mark.nightly
def test_trials_that_do_not_converge_are_never_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(method: Any, game: Any) -> Any:
        state, left = solve_in_stages(method, game)
        return state, np.inf if float(game.mean_karma) == 1.0 else left

    monkeypatch.setattr(sys.modules["rivalry.methods.design.design"], "solve_in_stages", lost)
    best = design(choices={"mean_karma": [0.5, 1.0]}, objective="mean_karma")
    assert best.data.trial_status.values.tolist() == ["converged", "iteration limit"]
    assert np.isfinite(best.data.trial_objective.values[:, 0]).tolist() == [True, False]
    assert best.data.chosen_label.values.tolist() == ["0.5"]
    alone = design(choices={"mean_karma": [1.0]})
    assert (alone.status, alone.claim) == ("not found", "no certificate")


@pytest.mark.slow
def test_inconsistent_rules_are_reported_as_refused() -> None:
    choices = {"max_karma": [2, 4], "mean_karma": [1.0, 3.0]}
    found = design(rv.games.karma(**TINY), choices=choices, response_method=COIN, seeds=2).data
    assert found.trial_status.values.tolist() == ["completed", "refused", "completed", "completed"]
    assert found.trial_remark.values[1] == "mean_karma: 3 must be in [0, max_karma = 2]"
    assert found.parameters.values.tolist() == [[2, 1], [2, 3], [4, 1], [4, 3]]
    assert np.isnan(found.trial_objective.values[1]).all()


# words


def searched(values: np.ndarray, chosen: int, exact: bool = False) -> dict[str, np.ndarray]:
    """Stored arrays of a search whose objectives ``[trial seed]`` are given."""
    count, mean = len(values), values.mean(axis=1)
    half = np.zeros(count) if exact else half_width(values.T)
    return {
        "trial_objective": values,
        "trial_objective_mean": mean,
        "trial_objective_low": mean - half,
        "trial_objective_high": mean + half,
        "trial_status": np.full(count, "completed"),
        "chosen": np.asarray(chosen),
    }


def chosen(values: np.ndarray, exact: bool = False) -> tuple[str, str]:
    """Words on the chosen rule, and on its objective."""
    arrays = searched(values, int(np.argmax(values.mean(axis=1))), exact)
    found = chosen_rule(Reader(arrays), "toll 2")
    return found[0].text, found[1].text


@pytest.mark.parametrize("seed", range(4))
def test_a_rule_inside_the_noise_is_not_called_best(seed: int) -> None:
    draw = np.random.default_rng(seed)
    values = draw.normal(0.0, 5.0, 3) + draw.normal(0.0, 1.0, (2, 3)) * [[1.0], [1.0]]
    values[1] = values[0] + [0.9, -1.0, 0.4]  # t = .17 with two degrees of freedom
    rule, objective = chosen(values)
    assert rule == "toll 2 (does not differ significantly from 1 of 1 other rules)"
    assert "±" in objective
    values[1] = values[0] + [0.9, 1.0, 1.1]  # t = 17
    assert chosen(values)[0] == "toll 2"
    values = np.concatenate([values, values[1:] - [0.9, -1.0, 0.4], values[1:] - 9.0])
    assert chosen(values)[0] == "toll 2 (does not differ significantly from 1 of 3 other rules)"


def test_a_rule_of_single_runs_is_best_only_where_nothing_is_drawn() -> None:
    values = np.array([[1.0], [2.0]])
    assert chosen(values) == ("toll 2 (of single runs)", "2")
    assert chosen(values, exact=True) == ("toll 2", "2")


def test_seeds_that_other_designs_have_are_no_runs_of_a_rule() -> None:
    values = np.array([[1.0, 1.2, 0.8], [2.0, 2.3, 1.9]])
    padded = np.hstack([values, np.full((2, 2), np.nan)])
    found = chosen_rule(Reader(searched(values, 1) | {"trial_objective": padded}), "toll 2")
    assert found[0].text == "toll 2"


@pytest.mark.slow
def test_the_game_as_it_is_is_known_among_the_trials() -> None:
    game = rv.games.karma(**TINY | {"payment": "PBS", "mean_karma": 1.5})
    found = design(game, choices={"payment": ["PBP", "PBS"], **KBAR}, response_method=COIN, seeds=2).data
    assert found.parameter_label.values[int(found.default_trial)].tolist() == ["PBS", "1.5"]
    assert "default_trial" not in design(game, choices={"mean_karma": [0.5]}, response_method=COIN).data


# random numbers


@pytest.mark.slow
def test_all_trials_use_common_random_numbers() -> None:
    """A distribution and a matrix with equal rows are one rule: runs with equal seeds agree exactly."""
    even = [0.5, 0.5]
    found = design(choices={"chain": [even, [even, even]]}, response_method=LEARN, seeds=3).data
    one, two = found.trial_objective.values
    assert np.array_equal(one, two)
    assert len(set(one)) > 1
    half = 4.302652729911275 * one.std(ddof=1) / np.sqrt(3)
    assert np.allclose(found.trial_objective_low.values, one.mean() - half)
    assert np.allclose(found.trial_objective_high.values, one.mean() + half)


@pytest.mark.slow
def test_a_trial_equals_a_run_of_the_inner_method() -> None:
    method, game = RuleDesign(choices=KBAR, response_method=LEARN, seeds=2), rv.games.karma(**TINY)
    world = method.world(game)
    session = method.begin(world, np.random.SeedSequence(3))
    assert method.length(world) == method.advance(world, session, 100) == 6
    learner = rv.methods.PopulationQLearning(**{k: v for k, v in LEARN.items() if k != "kind"})
    direct = run_players(
        rv.games.karma(**TINY | {"mean_karma": 1.5}), learner, stream_of(session["words"], 0, 1)
    )
    assert session["objective"][2, 1] == direct["efficiency"][1]
    assert session["exploitability"][2, 1] == direct["mean_relative_exploitability"][1]
    assert method.advance(world, session, 1) == 0


RANDOM = {
    "choices": {
        "mean_karma": {"from": 0.5, "to": 1.5, "count": 5},
        "payment": ["PBP", "PBS"],
        "gamma": {"from": 0.5, "to": 0.9},
        "redistribute_every": {"from": 1, "to": 3},
    },
    "trials": 6,
    "response_method": COIN,
    "seeds": 1,
}


@pytest.mark.slow
def test_random_search_is_reproducible_and_within_bounds() -> None:
    one, again, other = design(**RANDOM), design(**RANDOM), design(**RANDOM, seed=1)
    same(one, again)
    assert not np.array_equal(one.data.parameters.values, other.data.parameters.values)
    mean_karma, payment, gamma, every = np.concatenate(
        [one.data.parameters.values, other.data.parameters.values]
    ).T
    assert set(mean_karma) <= {0.5, 0.75, 1.0, 1.25, 1.5}
    assert set(payment) == {0.0, 1.0}
    assert ((gamma > 0.5) & (gamma < 0.9)).all()
    assert len(set(gamma)) == 12
    assert set(every) == {1.0, 2.0, 3.0}
    assert set(one.data.parameter_label.values[:, 1]) == {"PBP", "PBS"}


@pytest.mark.parametrize(
    "how",
    [{"response_method": LEARN, "seeds": 2}, {"response_method": NEWTON}, RANDOM | {"trials": 3}],
    ids=["learners", "equilibria", "random"],
)
@pytest.mark.nightly
def test_results_do_not_depend_on_chunks_or_saving(how: dict[str, Any]) -> None:
    method = RuleDesign(**{"choices": KBAR} | how)
    assert "whole = parts, saved between" in rv.check_method(method, rv.games.karma(**TINY))


@pytest.mark.slow
def test_an_interrupted_search_reports_complete_trials() -> None:
    game = rv.games.karma(**TINY)
    method = RuleDesign(choices=KBAR, response_method=LEARN, seeds=2)
    found = rv.solve(game, method, max_steps=3)
    assert (found.status, found.data.trial_objective.shape) == ("iteration limit", (2, 2))
    assert np.isnan(found.data.trial_objective_mean.values).tolist() == [False, True]
    assert int(found.data.chosen) == 0
    assert "chosen" not in rv.solve(game, method, max_steps=1).data


# cities


@pytest.mark.slow
def test_rule_design_in_a_city() -> None:
    toll = {"kind": "load", "slope": 0.0, "from": 0.1}
    city = rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2.0, toll=toll)
    learning = {"kind": "q_learning", "training": 300, "evaluation": 300, "monitor_every": 0}
    choices = {"toll.slope": [0.0, 2.0], "local": [0.0, 1.0]}
    objective = {"min(class_reward)": 1.0}
    found = design(city, choices=choices, response_method=learning, seeds=2, objective=objective)
    data = found.data
    assert data.parameters.values.tolist() == [[0, 0], [0, 1], [2, 0], [2, 1]]
    assert (data.trial_exploitability.values > 0).all()
    slope = data.chosen_parameters.values[0]
    played = RuleDesign(choices=choices).played(city, found.record)
    assert np.array_equal(data.lane_toll.values, played.toll)
    assert (played.toll.max() > 0) == (slope > 0)
    assert found.claim == "not an equilibrium"
    assert isinstance(RuleDesign(choices=choices).world(city).method, rv.methods.CityQLearning)


# validation


def test_grid_and_sampled_values_of_choices() -> None:
    table = {
        "a": {"from": 1, "to": 4, "count": 3},
        "b": {"from": 1.0, "to": 100.0, "count": 3, "scale": "log"},
    }
    assert np.allclose(grid_of(choices_of(table))[:3], [[1, 1], [1, 10], [1, 100]])
    assert grid_of(choices_of(table))[:, 0].tolist() == [1.0] * 3 + [2.5] * 3 + [4.0] * 3
    (log,) = choices_of({"k": {"from": 1, "to": 100, "scale": "log"}})
    drawn = [log.sample(np.random.default_rng(k)) for k in range(200)]
    assert all(1 <= value <= 100 and value == round(value) for value in drawn)
    assert 5 < np.median(drawn) < 20


WRONG_CHOICES: list[tuple[Any, str]] = [
    ({}, "{} must be a table with at least one choice"),
    ({"mean_karma": 1.0}, "mean_karma is 1.0; must be a list of values, or {from, to, count}"),
    ({"mean_karma": [1.0, 1.0]}, "mean_karma[1]: 1.0 is there twice"),
    ({"mean_karma": {"from": 1.0}}, "mean_karma has from; must have from, to, and may have count, scale"),
    ({"mean_karma": {"from": 1.0, "to": 1.0, "count": 2}}, "mean_karma: from 1 must be below to 1"),
    ({"mean_karma": {"from": 0.0, "to": 1.0, "scale": "log"}}, "mean_karma: from 0 must be above 0 on"),
    ({"mean_karma": {"from": 0.0, "to": 1.0}}, "mean_karma needs a count, or the design a number of trials"),
    ({"mean_karma": {"from": 0.0, "to": 1.0, "count": 1}}, "mean_karma: count 1 must be a whole number"),
    ({"mean_carma": [1.0]}, "mean_carma: is no keyword of karma; did you mean 'mean_karma'?"),
    ({"mean_karma": [1.0, 9.0]}, "mean_karma: 9 must be in [0, max_karma = 2]"),
    ({"tax": [[0.1, 0.2]]}, "tax: "),
]
WRONG_METHODS: list[tuple[Any, str]] = [
    ({"kind": "newtom"}, "kind 'newtom' is no method; did you mean 'newton'?"),
    ({"kind": "hedge"}, "'hedge' does not fit this game"),
    ({"kind": "online_mirror_descent"}, "OnlineMirrorDescent must be newton, or a learner, as q_learning is"),
    ({"kind": "newton", "bета": 1.0}, "bета: is no argument of PopulationNewton; "),
    ({"kind": "newton", "beta": -1.0}, "beta: -1 must be above 0"),
    (3, "int must be newton, or a learner, as q_learning is"),
]
WRONG: list[tuple[dict[str, Any], str]] = [
    *(({"choices": value}, f"choices: {line}") for value, line in WRONG_CHOICES),
    *(({"response_method": value}, f"response_method: {line}") for value, line in WRONG_METHODS),
    ({"trials": 0}, "trials: 0 must be"),
    ({"seeds": 3}, "seeds: 3 must be 1: the players' method draws nothing"),
    ({"objective": {}}, "objective: {} must have at least one measure"),
    ({"objective": {"efficiency": np.nan}}, "objective.efficiency: nan must be a finite number"),
]
UNKNOWN: list[tuple[dict[str, Any], str]] = [  # known once the players' method has run
    ({"objective": "eficiency"}, "objective: 'eficiency' is no metric of the players' record; did you mean"),
    ({"objective": {"status": 1.0}}, "objective: 'status' is no metric of the players' record"),
    ({"spending": {"min(x)": 1.0}}, "spending: 'x' is no metric of the players' record"),
]


@pytest.mark.parametrize(
    ("options", "line"), [*WRONG, *(pytest.param(*case, marks=pytest.mark.slow) for case in UNKNOWN)]
)
def test_wrong_input_gives_one_line(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        design(**options)
    assert str(caught.value).startswith(line), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_builds_the_design_class_for_its_game() -> None:
    table = {"kind": "design", "choices": {"mean_karma": [1.0]}}
    assert isinstance(build_method(table, game=rv.games.karma(**TINY)), RuleDesign)
    with pytest.raises(StudyError, match="does not fit this game"):
        build_method(table, game=rv.games.karma(**TINY).with_mean_karma(1.0))
    made: Callable[..., Any] = rv.games.influencer
    built = build_method(table | {"choices": {"reach": [0.1]}}, game=made(players=2, resource="bimodal"))
    assert type(built).__name__ == "Design"


# plots


@pytest.mark.slow
def test_the_plot_of_a_search() -> None:
    choices = {"max_karma": [2, 3], "mean_karma": [0.5, 1.0, 1.5]}
    found = design(choices=choices, response_method=COIN, seeds=2).data
    axes = rv.plots.design_search(found, over="mean_karma")
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["max karma = 2", "max karma = 3", "chosen"]
    (line,) = [one for one in axes.get_lines() if one.get_label() == "max karma = 3"]
    assert line.get_xdata().tolist() == [0.5, 1.0, 1.5]
    assert np.array_equal(line.get_ydata(), found.trial_objective_mean.values[3:])
    named = design(choices={"payment": ["PBP", "PBS"]}, response_method=COIN, seeds=1).data
    ticks = rv.plots.design_search(named).figure.axes[-1].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["PBP", "PBS"]
    types = [[{"name": "patient", "gamma": 0.9, "share": 1.0}]]  # the same in all trials
    single = design(choices={"mean_karma": [0.5, 1.0], "types": types}, response_method=COIN, seeds=1).data
    assert rv.plots.design_search(single).get_legend_handles_labels()[1] == ["chosen"]
    with pytest.raises(
        ValueError, match=r"^over: 'mean_carma' is no choice of this search; did you mean 'mean_karma'"
    ):
        rv.plots.design_search(found, over="mean_carma")


def test_draws_are_on_the_scale_of_the_range() -> None:
    logs, whole, grid = choices_of(
        {
            "a": {"from": 2.0, "to": 200.0, "scale": "log"},
            "b": {"from": 3, "to": 9, "scale": "log"},
            "c": {"from": 1.0, "to": 100.0, "count": 3, "scale": "log"},
        }
    )
    rng = np.random.default_rng(0)
    drawn = np.array([[choice.sample(rng) for choice in (logs, whole, grid)] for _ in range(2000)])
    assert drawn[:, 0].min() >= 2.0
    assert drawn[:, 0].max() <= 200.0
    assert np.mean(drawn[:, 0] < 20.0) == pytest.approx(0.5, abs=0.05)  # below the geometric mean
    assert set(drawn[:, 1]) == set(range(3, 10))
    np.testing.assert_allclose(np.unique(drawn[:, 2]), [1.0, 10.0, 100.0])


def test_records_of_choices_hold_numbers_or_positions_and_labels() -> None:
    table = {"rule": ["bid", "turn"], "toll": [0.25, 3], "karma": {"from": 1, "to": 5, "count": 3}}
    found = choice_record(choices_of(table), np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 5.0]]))
    assert found["parameters"][1].tolist() == [[1.0, 0.25, 3.0], [0.0, 3.0, 5.0]]
    assert found["parameter_label"][1].tolist() == [["turn", "0.25", "3"], ["bid", "3", "5"]]
    empty = choice_record(choices_of(table), np.zeros((0, 3)))
    assert empty["parameters"][1].shape == empty["parameter_label"][1].shape == (0, 3)


def test_objectives_are_means_or_minima_of_known_entries() -> None:
    record = {"reward": (("agent",), np.array([1.0, np.nan, 3.0])), "empty": (("agent",), np.array([np.nan]))}
    assert objective_value({"reward": 2.0, "min(reward)": 1.0}, record) == 2 * 2.0 + 1.0
    assert objective_value({"mean(reward)": -1.0}, record) == -2.0
    assert objective_value({"sum(reward)": 1.0}, {"reward": (("agent",), np.array([1.0, 3.0]))}) == 4.0
    assert np.isnan(objective_value({"reward": 1.0}, record, "sum"))  # no sum of known entries alone
    assert np.isnan(objective_value({"empty": 1.0}, record))
    assert np.isnan(objective_value({"absent": 1.0}, record))


def test_the_table_of_rules_compares_trials_in_the_same_seeds() -> None:
    values = np.array([[1.0, 1.2, 0.8], [2.0, 2.3, 1.9], [2.1, 2.2, 1.8]])
    arrays = {
        "choice_name": np.array(["toll"]),
        "parameters": np.array([[0.0], [2.0], [4.0]]),
        "default_trial": np.asarray(0),
    }
    table = rule_trials(Reader(searched(values, 1) | arrays))
    assert [row.get("chosen", EMPTY).text for row in table.rows] == ["the game as it is", "yes", ""]
    assert [row["objective"].text.split()[-1] for row in table.rows] == ["b", "a", "a"]
    # Student's quantile at two degrees of freedom, and the deviation of 1, 1.1, 1.1
    half = 4.302652729911275 * np.std([1.0, 1.1, 1.1], ddof=1) / np.sqrt(3)
    difference = table.rows[1]["difference"]
    assert (difference.mean, difference.high) == pytest.approx((3.2 / 3, 3.2 / 3 + half))
    assert "difference" not in table.rows[0]
    assert table.remarks[-1] == "difference: from the game as it is"
