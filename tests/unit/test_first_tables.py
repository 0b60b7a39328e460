"""Every method on a small game: it conforms, and what it is for comes first on every surface."""

import json
import warnings
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.check import check_method
from rivalry.cli.output import fitted
from rivalry.cli.summary import of_answer
from rivalry.core.results import NO_CERTIFICATE, Solution
from rivalry.families.extensive import Extensive
from rivalry.lab.answer import answer_of
from rivalry.lab.store import Run
from rivalry.lab.study import Study
from rivalry.lab.study.words import Words
from rivalry.methods import METHODS
from rivalry.results import tables_of
from rivalry.results.reader import Reader
from rivalry.results.render import latex_text
from rivalry.schema.registry import load
from rivalry.text.display import typeset
from tests.duel_study import store
from tests.unit.test_environments import Grid
from tests.unit.test_method_kinds import KINDS
from tests.unit.test_periods import selling
from tests.unit.test_subgame_perfect_equilibria import beer_quiche

Case = tuple[Callable[[], Any], dict[str, Any]]
KINDS_OF = {
    target.split(":")[1]: (kind, target)
    for kind, entry in METHODS.items()
    for target in entry.targets
    if not entry.uses  # of other libraries, which play like any policies
}
"""Every class of every registered method: its kind, and where it is."""


def karma() -> Any:
    return rv.games.karma(max_karma=4, mean_karma=2.0, agents=8)


def city() -> Any:
    return rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2)


def influencers() -> Any:
    return rv.games.influencer(players=3, resource="bimodal")


def duopoly() -> Any:
    return rv.games.continuous(payoffs=["x1*(1-x1-x2)", "x2*(1-x1-x2)"])


def grid() -> Any:
    return rv.interop.from_gymnasium(Grid())


def finite(name: str) -> Callable[[], Any]:
    return lambda: rv.games.matrix(name)


LEARNING = {"training": 300, "epoch": 20, "evaluation": 200, "monitor_every": 0}
CASES: dict[str, Case] = {
    "ActorCritic": (rv.games.market, {"updates": 20, "batch": 8}),
    "AllEquilibria": (duopoly, {}),
    "FiniteEquilibria": (finite("chicken"), {}),
    "BestResponse": (lambda: rv.transforms.stackelberg(rv.games.market(), leaders=[0]), {}),
    "Branches": (influencers, {"parameter": "reach", "low": 0.18, "high": 0.2}),
    "ClosedForm": (rv.games.market, {}),
    "ComparativeStatics": (rv.games.market, {"parameter": "intercept"}),
    "CorrelatedEquilibrium": (finite("chicken"), {}),
    "DepartureTimeEquilibrium": (lambda: rv.games.bottleneck(slots=8), {}),
    "Design": (rv.games.market, {"choices": {"intercept": [90.0, 110.0]}, "tries": 1}),
    "RuleDesign": (
        karma,
        {"choices": {"mean_karma": [1.0, 2.0]}, "response_method": {"kind": "newton", "beta": 5.0}},
    ),
    "Directional": (rv.games.market, {"runs": 3, "periods": 200}),
    "DoubleOracle": (lambda: rv.games.continuous(payoffs=["(x1-x2)**2", "-(x1-x2)**2"]), {}),
    "Evaluate": (rv.games.market, {}),
    "EvolutionaryStability": (finite("stag_hunt"), {}),
    "Feedback": (lambda: rv.games.race(horizon=2), {"levels": 5, "highest": 2.0}),
    "Fermi": (finite("stag_hunt"), {"population": 20}),
    "FictitiousPlay": (finite("matching_pennies"), {}),
    "PopulationFictitiousPlay": (karma, {}),
    "GradientAscent": (rv.games.market, {}),
    "GradientFlow": (rv.games.market, {}),
    "Hedge": (finite("matching_pennies"), {"rounds": 100}),
    "LinearProgramme": (finite("matching_pennies"), {}),
    "LinearQuadratic": (KINDS["linear-quadratic"][1], {}),
    "MixedCommitment": (finite("chicken"), {}),
    "MixedEquilibria": (finite("stag_hunt"), {}),
    "Moran": (finite("stag_hunt"), {"selection": 0.1, "population": 20}),
    "Newton": (rv.games.market, {}),
    "PopulationNewton": (karma, {"beta": 5.0}),
    "OnlineMirrorDescent": (karma, {"beta": 5.0}),
    "Periods": (lambda: selling(0.04, 0.9), {}),
    "PureEquilibria": (finite("stag_hunt"), {}),
    "QLearning": (rv.games.market, {"epochs": 50, "action_grid": 5}),
    "PeriodQLearning": (
        lambda: rv.games.race(horizon=2),
        {"epochs": 20, "action_grid": 2, "reward": "raw"},
    ),
    "PopulationQLearning": (
        karma,
        {**LEARNING, "beta": 5.0, "step_size": 0.1, "evaluation_warm_up": 0, "store_tables": False},
    ),
    "CityQLearning": (city, LEARNING),
    "EnvironmentQLearning": (grid, {"episodes": 150, "gamma": 0.9}),
    "QuantalResponse": (finite("chicken"), {}),
    "RegretMatching": (finite("matching_pennies"), {}),
    "RepeatedQLearning": (finite("prisoners_dilemma"), {"sessions": 5}),
    "Replicator": (finite("rock_paper_scissors"), {}),
    "RoundRobin": (finite("prisoners_dilemma"), {"strategies": ["cooperator", "tit_for_tat"]}),
    "Simulation": (karma, {"plays": "coin", "evaluation": 200}),
    "CitySimulation": (city, {"evaluation": 200, "warm_up": 20}),
    "SoftmaxPolicyGradient": (finite("matching_pennies"), {"rounds": 100}),
    "StochasticUserEquilibrium": (lambda: rv.games.routes("braess"), {"theta": 0.1}),
    "SubgamePerfectEquilibria": (lambda: Extensive.from_rules(beer_quiche), {}),
    "SubgamePerfectPayoffs": (finite("prisoners_dilemma"), {}),
    "SystemOptimum": (lambda: rv.games.routes("pigou"), {}),
    "Thresholds": (influencers, {"parameter": "reach", "low": 0.18, "high": 0.2}),
    "UncappedEquilibrium": (
        lambda: rv.games.karma(max_karma=8, mean_karma=2.0),
        {"beta": 5.0, "cut": 1e-3},
    ),
    "UserEquilibrium": (lambda: rv.games.routes("braess"), {}),
    "VariationalEquilibrium": (duopoly, {}),
}
"""A small game and options of every class."""
QUICK = ("ClosedForm", "MixedEquilibria", "Moran")


def solved(name: str) -> Solution:
    make, options = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of runs too short to converge
        return rv.solve(make(), load(KINDS_OF[name][1])(**options))


def test_every_method_has_a_case() -> None:
    assert CASES.keys() == KINDS_OF.keys()


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.nightly) for name in KINDS_OF]
)
def test_the_first_table_is_what_the_method_is_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solution = solved(name)
    monkeypatch.setenv("COLUMNS", "2000")
    assert_first_table_shows(solution, METHODS[KINDS_OF[name][0]].result)
    assert_on_surfaces(solution)
    assert_in_a_run(solution, tmp_path / "run")


@pytest.mark.nightly
@pytest.mark.parametrize("name", KINDS_OF)
def test_every_method_conforms(name: str) -> None:
    make, options = CASES[name]
    assert check_method(load(KINDS_OF[name][1])(**options), make())[0] == "protocol"


def assert_first_table_shows(solution: Solution, variables: tuple[str, ...]) -> None:
    """Assert that the first table has columns for what the method is for; classes of a kind have a part."""
    shown = solution.tables[0].shows
    wanted = [name for name in variables if name in solution.record]
    assert wanted
    assert all(name.startswith(shown) for name in wanted), (shown, wanted)


def assert_on_surfaces(solution: Solution) -> None:
    """Assert that print, notebook, LaTeX and data frame have all entries of all tables, in their order."""
    text, page = repr(solution), unescape(solution._repr_html_()).replace("\xa0", " ")
    first = solution.tables[0]
    for k, table in enumerate(solution.tables):
        assert all(column for column in table.columns)
        is_repeated = table.title == "profile" and any(other.holds_profile for other in solution.tables)
        lines = table._replace(title="").in_print().lines()
        assert is_repeated or all(line.strip() in text for line in lines)
        source = solution.to_latex(k)
        for entry in table.cells[0]:
            assert latex_text(entry.text) in source
            assert is_repeated or typeset(entry.text) in page
        frame = solution.to_dataframe(k)
        assert len(frame) == len(table.rows)
        numbers = frame.select_dtypes("number")
        assert np.isfinite(numbers.to_numpy()).any() or numbers.empty
    assert solution.to_dataframe().equals(solution.to_dataframe(first.title))
    assert solution.to_latex() == solution.to_latex(first.title)


def assert_in_a_run(solution: Solution, folder: Path) -> None:
    """Assert that shell, JSON and workbench have the first table of a run with this result."""
    pytest.importorskip("tomlkit")
    from rivalry.web.results import results

    study = Study(
        name="any",
        title="A result",
        game={"family": "matrix", "name": "stag_hunt"},
        method=[{"kind": "pure_equilibria"}],
    )
    run = Run.create_or_open(folder, study)
    with run.locking():
        store(run, run.cells[0].id, solution.record)
    answer = answer_of(run)
    surfaces = {
        "shell": "\n".join(map(fitted, of_answer(run, answer))),
        "JSON": json.dumps(answer.as_json(), ensure_ascii=False, default=str),
        "workbench": json.dumps(results(str(folder), ""), ensure_ascii=False),
    }
    data = run.dataset()
    cell = data.isel(dict.fromkeys(data.status.dims, 0))
    arrays = {str(name): variable.values for name, variable in cell.variables.items()}
    table = next(tables_of(Reader(arrays, Words(answer.study))), None)
    for surface, content in surfaces.items():
        for entry in table.cells[0] if table else ():
            start = entry.text[:50]
            assert start in content or typeset(start) in content, surface
        assert table or any(name in content for name in ("strategies", "profile", "player 0")), surface


def test_a_method_without_tables_is_noticed() -> None:
    with pytest.raises(IndexError):
        assert_first_table_shows(Solution({"status": ((), np.asarray("converged"))}, NO_CERTIFICATE), ())
