"""Tables of results that are lists: a row per equilibrium, event, vertex or derivative."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array

import rivalry as rv
from rivalry.core.results import Record, collect
from rivalry.lab.answer import Answer
from rivalry.lab.answer.table import _columns
from rivalry.lab.export import answer_as
from rivalry.methods.design.search import in_words
from rivalry.plots.families import default_figures
from rivalry.results.table import Estimate, Table, in_order
from rivalry.runtime.jax import jnp
from tests.unit.test_comparative_statics import Adopters

pytestmark = pytest.mark.mostly_slow


def roots(k: float) -> list[float]:
    return [0.0, *sorted(np.roots([1.0, -k, 0.09]).real.tolist())] if k > 0.6 else [0.0]


def answer(cells: dict[float, Record], kind: str = "all_equilibria", **tables: Any) -> Answer:
    """The answer of a run of one method, swept along ``k`` if there are several cells."""
    rows = [({"k": k, "algorithm": kind}, record) for k, record in cells.items()]
    study = {
        "game": {"family": "matrix"},
        "method": [{"name": kind, "kind": kind}],
        "expect": [],
        "plots": [],
    }
    data = collect(rows, {"k": list(cells), "algorithm": [kind]})
    return Answer(study | {"title": "A list", "name": "list"} | tables, data)


def ended(**entries: Any) -> Record:
    """A record that has converged, with entries ``(dimensions, array)``."""
    return {"status": ((), np.asarray("converged")), **entries}


def table(found: Answer, most: int | None = None) -> Table:
    shown = found.table_of(most)
    assert shown is not None
    return shown


def numbers(found: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer_as("csv", found).decode())))


def column(shown: Table, name: str) -> list[str]:
    return [row[shown.columns.index(name)] for row in shown.texts]


@pytest.fixture(scope="module")
def lists() -> dict[float, Record]:
    method = rv.methods.AllEquilibria()
    return {k: rv.solve(Adopters(jnp.asarray(k)), method).record for k in (0.5, 0.9)}


def test_a_list_has_a_row_per_equilibrium_with_numbers_in_full(lists: dict[float, Record]) -> None:
    found = answer(lists)
    expected = [(k, x) for k in lists for x in roots(k)]
    shown = table(found)
    assert len(shown.rows) == len(expected) == 4
    assert column(shown, "k") == [f"{k:g}" for k, _ in expected]
    assert column(shown, "player 0") == ["0", "0", "0.1146", "0.7854"]
    assert column(shown, "proof")[2].startswith("within ")
    assert shown.points == ((0,), (1,), (1,), (1,))
    rows = numbers(found)
    for player in (0, 1):
        ours = [float(row[f"player {player}"]) for row in rows]
        np.testing.assert_allclose(ours, [x for _, x in expected], atol=1e-12)
        pays = [k * x**3 / (x**2 + 0.09) - x**2 / 2 for k, x in expected]
        np.testing.assert_allclose([float(row[f"payoff, player {player}"]) for row in rows], pays, atol=1e-12)
    assert all(0 <= float(row["radius"]) < 1e-9 for row in rows)
    assert {float(row["player 0"]) for row in rows[:2]} == {0.0}  # a zero within its radius is 0
    assert [row["claim"] for row in rows] == ["equilibrium"] * 4


def test_a_long_list_is_cut_and_says_how_much(lists: dict[float, Record]) -> None:
    shown = table(answer({k / 100: lists[0.9] for k in range(10)}), most=8)
    assert len(shown.rows) <= 8
    assert len(shown.rows) + shown.rows_left_out == 30
    assert shown.noun == "equilibria"
    assert {shown.points.count(k) for k in shown.points} == {3}  # whole lists of fewer points
    cut = table(answer({0.0: lists[0.9]}), most=2)
    assert (len(cut.rows), cut.rows_left_out) == (2, 1)


@pytest.mark.default
def test_a_claim_is_not_spread_over_a_list_without_proofs() -> None:
    """Only the first of a list is the profile that the certificate is of; older runs have no others."""
    record = rv.solve(rv.games.matrix("stag_hunt"), rv.methods.MixedEquilibria()).record
    profiles = record["equilibria"][1] * 0.5 + 0.25  # no longer pure, of no component
    of_others = ("component", "equilibrium_gain", "equilibrium_claim")
    some = {name: value for name, value in record.items() if not name.startswith(of_others)}
    found = answer({0.0: some | {"equilibria": (record["equilibria"][0], profiles)}})
    rows = numbers(found)
    assert [row["claim"] for row in rows] == ["equilibrium", "", ""]
    assert [row["largest gain"] for row in rows] == ["0.0", "", ""]
    assert not any("claim" in note or "gain" in note for note in table(found).notes)


@pytest.mark.default
def test_mixtures_have_words_in_print_and_a_column_per_action_in_files() -> None:
    found = answer({0.0: rv.solve(rv.games.matrix("stag_hunt"), rv.methods.MixedEquilibria()).record})
    shown = table(found)
    assert set(column(shown, "player 0")) == {
        "stag",
        "hare",
        *(t for t in column(shown, "player 0") if "," in t),
    }
    rows = numbers(found)
    assert len(rows) == 3
    for row in rows:
        assert float(row["player 0, stag"]) + float(row["player 0, hare"]) == pytest.approx(1.0)
        assert row["radius"] == "0.0"


class Duopoly(eqx.Module):
    """The price is 10 less all quantities: ``x_i = (10 - 2 c_i + c_j) / 3``."""

    cost: Array
    space = rv.Box.interval(0.0, 10.0, players=2)

    def payoffs(self, x: Array) -> Array:
        return (10.0 - x.sum() - self.cost) * x[:, 0]


def test_derivatives_have_a_row_each_with_names() -> None:
    game, method = Duopoly(jnp.array([0.9, 0.3])), rv.methods.ComparativeStatics("cost")
    record = rv.solve(game, method, start=[1.0, 1.0]).record
    rows = {row["derivative"]: row for row in numbers(answer({0.0: record}, "comparative_statics"))}
    quantity = (10 - 2 * np.array([0.9, 0.3]) + np.array([0.3, 0.9])) / 3
    slopes = np.array([[-2, 1], [1, -2]]) / 3
    for parameter, at in enumerate((0.9, 0.3)):
        for player in (0, 1):
            end = f"of player {player} / d cost of effort of player {parameter}"
            row = rows[f"d strategy {end}"]
            assert float(row["value"]) == pytest.approx(slopes[player, parameter], abs=1e-7)
            assert float(row["value of the parameter"]) == at
            of_payoff = 2 * quantity[player] * slopes[player, parameter]  # profits are quantities squared
            assert float(rows[f"d payoff {end}"]["value"]) == pytest.approx(of_payoff, abs=1e-6)


def test_a_fold_has_no_derivative() -> None:
    method = rv.methods.ComparativeStatics("k")
    record = rv.solve(Adopters(jnp.asarray(0.6)), method, start=[0.3, 0.3]).record
    assert column(table(answer({0.0: record}, "comparative_statics")), "value") == ["no derivative: a fold"]


def test_vertices_events_and_values_have_rows() -> None:
    chicken = rv.games.matrix([[6, 2], [7, 0]], [[6, 7], [2, 0]])
    record = rv.solve(chicken, rv.methods.CorrelatedEquilibrium(polytope=True)).record
    shown = table(answer({0.0: record}, "correlated_equilibrium"))
    assert column(shown, "correlated equilibrium")[0] == "of highest welfare"
    assert len(shown.rows) == 1 + int(record["vertex_count"][1])
    record = rv.solve(chicken, rv.methods.SubgamePerfectPayoffs(discount=0.9)).record
    rows = numbers(answer({0.0: record}, "subgame_perfect_payoffs"))
    vertices = [[float(row[f"payoff, player {k}"]) for k in (0, 1)] for row in rows[:-1]]
    np.testing.assert_allclose(vertices, record["payoff_vertices"][1], atol=1e-12)
    assert rows[-1]["payoffs"] == "least payoffs"
    record = rv.solve(
        rv.games.matrix([[2, 4], [1, 3]], [[1, 0], [0, 1]]), rv.methods.MixedCommitment()
    ).record
    shown = table(answer({0.0: record}, "mixed_commitment"))
    assert column(shown, "payoff of the leader") == ["7/2"]
    assert column(shown, "player 0") == ["[0.5 0.5]"]
    reach = rv.games.influencer(players=3, resource="bimodal")
    record = rv.solve(reach, rv.methods.Thresholds("reach", low=0.1, high=0.3)).record
    shown = table(answer({0.0: record}, "thresholds"))
    assert column(shown, "reach") == ["0.1888", "0.1542"]  # sd sqrt(1/2) and sd sqrt(1/3)
    events = ["the symmetric point gains stability"]
    events += ["the symmetric point becomes a local maximum of every payoff"]
    assert column(shown, "event") == events


def test_every_cell_of_a_file_is_one_number_or_words(lists: dict[float, Record]) -> None:
    """No tuple, no ``each``, no array: what has several numbers has several columns."""
    start = np.array([[0.2], [0.3]])
    single = rv.solve(Adopters(jnp.asarray(0.5)), rv.methods.BestResponse(), start=start).record
    for found in (answer(lists), answer({0.0: single}, "best_response")):
        for row in numbers(found):
            for text in row.values():
                assert not text.startswith(("(", "[", "each"))
                assert "e-" not in text or abs(float(text)) > 1e-300


def test_methods_with_columns_of_their_own_have_a_table_each(lists: dict[float, Record]) -> None:
    slopes = rv.solve(Adopters(jnp.asarray(0.9)), rv.methods.ComparativeStatics("k"), start=[0.8, 0.8]).record
    kinds = {"all_equilibria": lists[0.9], "comparative_statics": slopes}
    study = {"game": {"family": "matrix"}, "method": [{"name": kind, "kind": kind} for kind in kinds]}
    data = collect(
        [({"algorithm": kind}, record) for kind, record in kinds.items()], {"algorithm": list(kinds)}
    )
    found = Answer(study | {"title": "Two", "name": "two", "expect": [], "plots": []}, data)
    (first, listed), (second, derived) = found.tables()
    assert (first, second) == ("all equilibria", "comparative statics")
    assert len(listed.rows) == 3
    assert "derivative" in derived.columns
    assert "derivative" not in listed.columns
    for shown in (listed, derived):  # no column is of the other method
        assert all(any(column(shown, name)) for name in shown.columns)
    assert (listed.points, derived.points) == (((0,),) * 3, ((1,),) * len(derived.rows))  # of the run
    html = found._repr_html_()
    assert html.index("<strong>all equilibria") < html.index("<strong>comparative statics")
    assert html.count(">derivative</th>") == 1
    text = answer_as("markdown", found).decode()
    assert text.index("### all equilibria") < text.index("### comparative statics")
    latex = answer_as("latex", found).decode()
    assert latex.count(r"\caption{") == latex.count(r"\label{tab:two-") == 2
    assert [name for name, _ in answer(lists).tables()] == [""]


def test_a_workbook_has_what_was_run(lists: dict[float, Record]) -> None:
    pytest.importorskip("xlsxwriter")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(io.BytesIO(answer_as("xlsx", answer(lists, source="A paper"))))
    assert book.sheetnames == ["results", "about"]
    about = dict(book["about"].iter_rows(min_row=2, values_only=True))
    assert about["source"] == "A paper"
    assert isinstance(list(book["results"].iter_rows(values_only=True))[3][1], float)


def test_a_solution_prints_what_its_method_is_for() -> None:
    text = repr(rv.all_equilibria(Adopters(jnp.asarray(0.9))))
    assert re.search(r"\n0 +0 +exact +0 +0\b", text)
    chicken = rv.games.matrix([[6, 2], [7, 0]], [[6, 7], [2, 0]])
    text = repr(rv.solve(chicken, rv.methods.CorrelatedEquilibrium()))
    assert re.search(r"0, 0 +1/2\n +0, 1 +1/4\n +1, 0 +1/4", text)
    assert re.search(r"payoff, player 1 +5.25\n +welfare +21/2", text)
    text = repr(rv.solve(chicken, rv.methods.SubgamePerfectPayoffs(discount=0.9)))
    assert "subgame-perfect payoffs" in text
    assert re.search("  least payoffs +2 +2", text)  # the pure minmax payoffs
    text = repr(rv.solve(rv.games.matrix([[2, 4], [1, 3]], [[1, 0], [0, 1]]), rv.methods.MixedCommitment()))
    assert "commitment, proved optimal" in text
    assert re.search("payoff of the leader +7/2", text)
    text = repr(rv.solve(rv.games.matrix([[3, -1], [-2, 1]]), rv.methods.LinearProgramme()))
    assert re.search(r"value of the game, proved\n.*value of the game\n.* 1/7", text)
    shares = rv.games.matrix([[4, 0], [-1, 2]], [[-3, 1], [2, -1]])  # as above, and 1 in all
    text = repr(rv.solve(shares, rv.methods.LinearProgramme()))
    assert re.search("value of the game +8/7", text)
    assert re.search("value for the second player +-0.142857", text)


def test_a_latex_table_has_equal_rows_and_balanced_braces(lists: dict[float, Record]) -> None:
    game, method = Duopoly(jnp.array([0.9, 0.3])), rv.methods.ComparativeStatics("cost")
    slopes = rv.solve(game, method, start=[1.0, 1.0]).record
    words = {"words": {"player 0": "A & B_{1} at 50 %", "k": "the benefit of each region from adoption"}}
    many = answer({k / 100: lists[0.9] for k in range(20)})
    for found in (answer(lists, answer=words), answer({0.0: slopes}, "comparative_statics"), many):
        text = answer_as("latex", found).decode()
        (spec,) = re.findall(r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}", text)
        body = text.split(r"\toprule")[1].split(r"\bottomrule")[0] + text.split(r"\endfoot")[-1] * (
            r"\endfoot" in text
        )
        rows = [line for line in body.split("\n") if line.endswith(r" \\")]
        assert len(rows) >= 4
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(spec) - 1}
        depths = np.cumsum([(c == "{") - (c == "}") for c in text.replace(r"\{", "").replace(r"\}", "")])
        assert depths.min() >= 0
        assert depths[-1] == 0
        assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)[::-1]
        assert not re.search(r"(?<!\\)[%#_]", text.split("\n", 1)[1].replace("{!}{%", ""))


def test_a_game_of_one_number_per_player_gets_its_figure() -> None:
    start = np.array([[0.2], [0.3]])
    cells = {
        k: rv.solve(Adopters(jnp.asarray(k)), rv.methods.BestResponse(), start=start).record
        for k in (0.4, 0.5)
    }
    data = answer(cells, "best_response").data
    figures = default_figures("adopters.py:Adopters", data)
    assert figures[0] == {"kind": "scenario", "quantities": ["profile"]}
    (panel,) = rv.plots.scenario(data, quantities=["profile"]).child_axes
    assert len(panel.get_lines()) >= 2  # one per player


def test_what_is_known_of_a_curve_is_in_the_row_of_its_end() -> None:
    record = rv.solve(rv.games.matrix("stag_hunt"), rv.methods.QuantalResponse(max_lambda=20.0)).record
    found = answer({0.0: record}, "quantal_response")
    rows = numbers(found)
    assert len(rows) == len(record["logit_lambda"][1]) + 1
    assert float(rows[-2]["precision"]) == 20.0
    assert rows[-1]["precision"] == "inf"  # the limit
    assert [k for k, row in enumerate(rows) if row["claim"]] == [len(rows) - 2]
    shown = table(found, most=8)
    assert (shown.texts[-1][0], shown.texts[-2][0]) == ("limit, not proved", "20")
    assert len(shown.rows) + shown.rows_left_out == len(rows)
    own = answer(
        {0.0: record | {"welfare": ((), np.asarray(3.0))}},
        "quantal_response",
        answer={"quantities": ["welfare"]},
    )
    assert len(table(own).rows) == 1  # the study is about another number
    assert [k for k, row in enumerate(numbers(own)) if row["welfare"]] == [len(rows) - 2]


@pytest.mark.default
def test_columns_are_in_the_order_of_every_row() -> None:
    rows = [{"a": 1, "b": 2}, {"event": 0, "a": 1, "c": 3}]
    assert in_order([list(row) for row in rows]) == ["event", "a", "b", "c"]


@pytest.mark.default
def test_a_row_of_fewer_players_has_no_number_of_the_others() -> None:
    """Games of two and three players in one sweep; where all are equal, one number is that of each."""
    both = [Estimate("0.4", 0.4, entry=f"player {k}") for k in (0, 2)]
    three = [Estimate(f"0.{k}", k / 10, entry=f"player {k}") for k in range(3)]
    equal, two = [Estimate("0.5", 0.5)], ["player 0", "player 1"]
    found = _columns("share", [both, three, equal, [], equal], [two, [], [], [], two])
    assert [entry.text for entry in found["share, player 1"]] == ["", "0.1", "0.5", "", "0.5"]
    assert [entry.text for entry in found["share, player 2"]] == ["0.4", "0.2", "0.5", "", ""]


@pytest.mark.default
def test_equal_numbers_of_two_players_are_not_those_of_a_third() -> None:
    rows = [[0.5, 0.5], [0.2, 0.3, 0.5]]
    cells: dict[float, Record] = {
        k: ended(market_share=(("player",), np.array(row))) for k, row in enumerate(rows, start=1)
    }
    shown = table(answer(cells, "best_response", answer={"quantities": ["market_share"]}))
    names = [name for name in shown.columns if name.endswith("player 2")]
    assert [column(shown, name) for name in names] == [["", "0.5"]]


@pytest.mark.default
def test_the_rule_that_a_search_chose_is_told_by_the_names_of_the_study() -> None:
    """No table of Python: types have names, and a key has the words of the study, not those of a method."""
    types = in_words([{"name": "patient", "gamma": 0.9}, {"name": "impatient", "gamma": 0.5}])
    record = ended(
        chosen_rule=((), np.asarray("tax 0.125, types [{'name': 'patient'}]")),
        choice_name=(("choice",), np.asarray(["tax", "types"])),
        chosen_label=(("choice",), np.asarray(["0.125", types])),
    )
    words = {"types": "two types", "design": "a search"}
    found = answer({0.0: record}, "design", answer={"quantities": ["chosen_rule"], "words": words})
    (row,) = numbers(found)
    assert row["best rule tried"] == "tax 0.125, two types patient and impatient"


@pytest.mark.default
@pytest.mark.parametrize(
    ("game", "sizes", "printed", "in_files"),
    [
        (
            {"family": "race"},
            (2, 2),
            ["player 0", "player 1"],
            ["player 0, safety input", "player 0, performance input"],
        ),
        ({"family": "market"}, (2, 1), ["quantity, firm 0", "quantity, firm 1"], ["quantity, firm 0"]),
        ({"family": "market", "demand": "logit"}, (2, 1), ["price, firm 0"], ["price, firm 0"]),
        ({"family": "influencer"}, (3, 1), ["position, player 2"], ["position, player 2"]),
        ({"family": "influencer"}, (2, 2), ["player 1"], ["player 1, position 0", "player 1, position 1"]),
        ({"family": "precipice"}, (2, 1), ["safety, team 1"], ["safety, team 1"]),
        ({"family": "matrix"}, (2, 2), ["player 1"], ["player 1, choice 0"]),
        ({}, (2, 1), ["player 1"], ["player 1"]),
    ],
)
def test_strategies_have_the_names_of_their_family(
    game: dict[str, Any], sizes: tuple[int, int], printed: list[str], in_files: list[str]
) -> None:
    profile = 0.3 + np.arange(np.prod(sizes)).reshape(sizes)
    record = ended(equilibria=(("equilibrium", "player", "axis"), profile[None]))
    found = answer({0.5: record}, game=game)
    assert set(printed) <= set(table(found).columns)
    assert set(in_files) <= set(numbers(found)[0])


@pytest.mark.default
def test_a_table_of_several_choices_of_a_market_has_none_in_its_columns() -> None:
    record = ended(equilibria=(("equilibrium", "player", "axis"), np.array([[[30.0], [31.0]]])))
    either = {"game.choice": ["quantity", "price"]}
    assert "firm 0" in table(answer({0.5: record}, game={"family": "market"}, sweep=either)).columns
