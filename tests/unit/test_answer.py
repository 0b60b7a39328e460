"""The answer of a run: its table, claims that say no more than the certificates, and caveats."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.core.claims import CLAIMS, ClaimFacts
from rivalry.core.results import Record, collect, none_exists
from rivalry.lab.answer import Answer
from rivalry.lab.answer.points import points_of
from rivalry.lab.study.words import quantities
from rivalry.results.table import Table

REACHES = [0.1, 0.15, 0.2, 0.25]


def study(kind: str = "gradient_ascent", **tables: Any) -> dict[str, Any]:
    method = [{"name": "a", "kind": kind}, {"name": "b", "kind": kind}]
    return {"game": {"family": "influencer"}, "method": method, "expect": [], "plots": []} | tables


def result(claim: str = "equilibrium", status: str = "converged", **values: Any) -> Record:
    """A result of three players on a line; arrays given are per player."""
    found: Record = {
        "status": ((), np.asarray(status)),
        "profile": (("player", "axis"), np.array([[0.5], [0.5], [0.5]])),
        "payoff": (("player",), np.full(3, 16.5)),
    }
    if claim:
        found |= {
            "claim": ((), np.asarray(claim)),
            "coverage": ((), np.asarray("tight")),
            "regret": (("player",), np.zeros(3)),
            "bound": (("player",), np.full(3, 0.02)),
            "at_stake": (("player",), np.full(3, 10.0)),
            "certificate_method": ((), np.asarray("grid of 100 points")),
        }
    for name, value in values.items():
        array = np.asarray(value)
        dims: tuple[str, ...] = ("player", "axis")[: array.ndim]
        found[name] = (dims, array)
    return found


def apart(gain: float = 0.175, **values: Any) -> Record:
    """Players who stop at a profile in which the middle one could gain."""
    own = {"profile": [[0.374], [0.5], [0.626]], "regret": [0.0, gain, 0.0], "payoff": [17.8, 13.8, 17.8]}
    return result("not an equilibrium", **own, **values)


def swept(rows: list[Record], algorithm: str = "a") -> xr.Dataset:
    cells = [({"reach": r, "algorithm": algorithm}, row) for r, row in zip(REACHES, rows, strict=False)]
    return collect(cells, {"reach": REACHES[: len(rows)], "algorithm": [algorithm]})


def replicated(rows: list[Record]) -> xr.Dataset:
    cells = [({"algorithm": "a", "replication": k}, row) for k, row in enumerate(rows)]
    return collect(cells, {"algorithm": ["a"], "replication": list(range(len(rows)))})


def table(data: xr.Dataset, about: dict[str, Any] | None = None, most: int | None = None) -> Table:
    found = Answer(about or study(), data).table_of(most)
    assert found is not None
    return found


def column(shown: Table, name: str) -> list[str]:
    return [row[shown.columns.index(name)] for row in shown.texts]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_row_has_the_claim_of_its_certificate(claim: str) -> None:
    regret = [0.0, 0.2, 0.0] if claim == "not an equilibrium" else [0.0] * 3
    (point,) = points_of(study(), swept([result(claim, regret=regret)]))
    gains = {"equilibrium": "at most 0.02", "not an equilibrium": "0.2 (player 1)"}
    assert (point.claim, point.largest_gain.text) == (ClaimFacts(claim).word, gains.get(claim, ""))


@pytest.mark.parametrize(
    ("regret", "named"), [([0.0, 0.4, 0.3], "centre"), ([0.4, 0.4, 0.0], ""), ([0.2, 0.2, 0.2], "")]
)
def test_the_player_that_gains_most_is_named(regret: list[float], named: str) -> None:
    names = {"player_name": (("player",), np.array(["left", "centre", "right"]))}
    row = result("not an equilibrium", regret=regret) | names
    (point,) = points_of(study(), swept([row]))
    assert point.largest_gain.text == f"{max(regret):g}" + f" ({named})" * bool(named)
    (point,) = points_of(study(), swept([row | {"coverage": ((), np.asarray("estimated"))}]))
    assert point.largest_gain.text.endswith("estimated)")


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c != "equilibrium"])
def test_one_weaker_replication_is_never_called_an_equilibrium(claim: str) -> None:
    rows = [result(), result(), result(claim, regret=[0.0, 0.2, 0.0])]
    assert column(table(replicated(rows)), "claim")[0].startswith("2 equilibrium, 1 ")


def test_a_claim_counts_the_sessions_that_it_is_of() -> None:
    concept = "Nash equilibrium of the learned policies"
    row = apart(concept=concept) | {"in_equilibrium": (("session",), np.array([True] * 9 + [False]))}
    assert column(table(swept([row])), "claim") == ["not an equilibrium in 1 of 10 sessions"]


PURE = "every pure equilibrium; mixed ones were not sought"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"equilibrium_count": 3, "component_count": 3, "complete": True}, "3, complete"),
        (
            {"equilibrium_count": 3, "component_count": 1, "complete": True},
            "3 extreme equilibria of 1 component, infinitely many between",
        ),
        ({"equilibrium_count": 2, "complete": False}, "at least 2"),
        ({"equilibrium_count": 2, "complete": False, "complete_reason": "a reason"}, "at least 2: a reason"),
        ({"equilibrium_count": 0, "complete": False, "complete_reason": "why"}, "none listed: why"),
        (
            {"equilibrium_count": 2, "complete": False, "complete_reason": PURE},
            "2, complete in pure strategies",
        ),
        (
            {"equilibrium_count": 0, "status": "none exists", "absent": "equilibrium in pure strategies"},
            "no equilibrium in pure strategies, proved",
        ),
    ],
)
def test_a_list_says_whether_it_is_complete(values: dict[str, Any], words: str) -> None:
    claim = "none exists" if "absent" in values else "equilibrium" * bool(values["equilibrium_count"])
    row = result(claim, **values)
    (point,) = points_of(study("pure_equilibria"), swept([row]))
    assert point.completeness == words
    assert (point.claim == words) == words.startswith("no equilibrium")  # non-existence is a claim


def test_a_logit_equilibrium_is_not_judged_as_a_nash_equilibrium() -> None:
    logit = [apart(gain, concept="logit at beta 2", concept_residual=1e-9) for gain in (0.1, 0.2)]
    data = swept([result(), *logit])
    assert column(table(data), "claim") == ["equilibrium", *["logit equilibrium at beta 2"] * 2]
    assert not any("not equilibria" in line for line in Answer(study(), data).caveats)
    assert "not equilibria: 1 of 2 rows" in Answer(study(), swept([result(), apart()])).caveats


def test_what_did_not_come_to_rest_is_a_caveat() -> None:
    found = Answer(study(), replicated([result(), result(status="cycling"), result()]))
    assert "not converged: 1 cycling of 3 results" in found.caveats


def test_results_without_a_proof_file_are_named_with_the_reason() -> None:
    rows = [result(proof_refusal=why) for why in ("", "at a kink", "at a kink", "not complete")]
    found = [line for line in Answer(study(), swept(rows)).caveats if line.startswith("no proof file")]
    assert found == [
        "no proof file: reach 0.15; reach 0.2: at a kink",
        "no proof file: reach 0.25: not complete",
    ]
    assert "proof file" not in " ".join(Answer(study(), swept([result()] * 2)).caveats)


@pytest.mark.parametrize(
    ("efforts", "shown"), [([0.3] * 6, ["0.3"]), ([0.3] * 5 + [0.4], []), ([0.3, 0.4], ["0.3", "0.4"])]
)
def test_equal_numbers_of_many_players_are_one_number(efforts: list[float], shown: list[str]) -> None:
    row = result("", profile=np.full((len(efforts), 1), 0.5), payoff=efforts, safety_input=efforts)
    found = table(swept([row]), study(expect=[{"quantity": "safety_input"}]))
    named = [k for k, name in enumerate(found.columns) if name.startswith("safety input")]
    assert [found.texts[0][k] for k in named] == shown


def test_means_over_replications_have_student_intervals() -> None:
    shown = table(replicated([result(threshold=p) for p in (1.0, 2.0, 3.0)]))
    # t(0.975, 2) = 4.302653, standard deviation 1, so half the width is 4.302653 / sqrt(3) = 2.48414
    assert column(shown, "threshold") == ["2.0 ± 2.5"]
    assert column(shown, "n") == ["3"]
    (estimate,) = shown.column("threshold")
    assert estimate.mean == 2.0
    assert estimate.high - estimate.low == pytest.approx(2 * 2.48414, rel=1e-5)


def test_the_table_of_learners_has_the_largest_gain_over_replications() -> None:
    """Student's interval at four degrees of freedom."""
    gains = [0.1, 0.2, 0.6, 0.1, 0.5]
    data = replicated([apart(gain) for gain in gains])
    shown = table(data, study("regret_matching", answer={"quantities": ["payoff"]}))
    entry = shown.rows[0]["largest gain"]
    half = 2.7764451051977987 * np.std(gains, ddof=1) / np.sqrt(5)
    assert (entry.mean, entry.high) == pytest.approx((0.3, 0.3 + half))
    assert entry.text == f"0.30 ± {half:.2f} (player 1)"
    # a solver's results differ by their starts, of which there is no mean
    assert column(table(data), "largest gain") == ["up to 0.6 (player 1)"]


def test_rows_are_compared_in_pairs_of_the_same_draws() -> None:
    """Draws that all rows share are larger than what separates the last row from the others."""
    draws = np.array([0.0, 5.0, -3.0, 8.0, 1.0, -7.0])
    own = {0.1: np.zeros(6), 0.2: np.array([0.1, -0.1] * 3), 0.3: np.array([2.0, 2.1, 1.9, 2.0, 2.0, 2.0])}
    cells = []
    for reach, level in own.items():
        for k, value in enumerate(draws + level):
            cells.append(({"reach": reach, "algorithm": "a", "replication": k}, result(threshold=value)))
    data = collect(cells, {"reach": list(own), "algorithm": ["a"], "replication": list(range(6))})
    asked = study(
        "regret_matching",
        answer={"quantities": ["threshold"], "difference": "first"},
        replications={"paired": True},
    )
    shown = table(data, asked)
    assert [text.split()[-1] for text in column(shown, "threshold")] == ["b", "b", "a"]
    half = 2.5705818366147395 * np.std(own[0.3], ddof=1) / np.sqrt(6)  # Student's at five degrees of freedom
    assert column(shown, "difference") == ["", "=", f"2.000 ± {half:.3f}"]
    assert "difference: of threshold, from reach 0.1" in shown.remarks
    for reference, reach in (("smallest", 0.1), ("largest", 0.3)):
        asked["answer"]["difference"] = reference
        assert f"difference: of threshold, from reach {reach}" in table(data, asked).remarks


def test_starts_of_one_cell_have_ranges_and_no_interval() -> None:
    batch: Record = {
        "batch": (("batch",), np.arange(2)),
        "status": (("batch",), np.array(["converged", "converged"])),
        "claim": (("batch",), np.array(["equilibrium", "not an equilibrium"])),
        "regret": (("batch", "player"), np.array([[0.0, 0.0], [0.0, 0.5]])),
        "profile": (("batch", "player", "axis"), np.array([[[0.5], [0.5]], [[0.2], [0.8]]])),
        "payoff": (("batch", "player"), np.array([[1.0, 1.0], [2.0, 3.0]])),
    }
    data = collect([({"algorithm": "a"}, batch)], {"algorithm": ["a"]})
    shown = table(data, study(answer={"quantities": ["payoff"]}))
    assert column(shown, "payoff, player 0") == ["1 to 2"]
    assert column(shown, "payoff, player 1") == ["1 to 3"]
    assert column(table(data, study(answer={"quantities": ["absent"]})), "strategies") == [
        "2 different profiles"
    ]


def test_the_table_is_thinned_where_nothing_changes() -> None:
    reaches = [k / 100 for k in range(1, 101)]
    rows = [apart() if k < 37 else result() for k in range(100)]
    cells = [({"reach": r, "algorithm": "a"}, row) for r, row in zip(reaches, rows, strict=True)]
    shown = table(collect(cells, {"reach": reaches, "algorithm": ["a"]}), most=8)
    assert len(shown.rows) <= 8
    assert len(shown.rows) + shown.rows_left_out == 100
    assert {"0.01", "0.37", "0.38", "1"} <= set(column(shown, "reach"))


def test_what_all_rows_share_is_said_once() -> None:
    data = swept([result(threshold=0.2, turnout=float(k)) for k in range(3)])
    shown = table(data, study(answer={"quantities": ["threshold", "turnout"]}))
    assert shown.columns == ["reach", "turnout"]
    assert shown.notes == ("threshold: 0.2", "largest gain: at most 0.02", "claim: equilibrium")
    alike = table(swept([result(threshold=0.2)] * 3))  # a table has results, although all are the same
    assert alike.columns == ["reach", "threshold"]
    assert alike.notes == ("largest gain: at most 0.02", "claim: equilibrium")


def test_quantities_are_those_of_the_study_else_of_plots_expectations_and_the_family() -> None:
    about = study(
        expect=[{"quantity": "cycle_period"}, {"quantity": "payoff"}, {"quantity": "absent"}],
        plots=["paths", {"kind": "scenario", "quantities": ["turnout"]}],
    )
    data = swept([result(threshold=0.2, turnout=0.5, cycle_period=3.0, steps=12)])
    assert quantities(about, data) == ["turnout", "cycle_period", "threshold"]
    assert quantities(about | {"answer": {"quantities": ["cycle_period"]}}, data) == ["cycle_period"]


def test_unfinished_points_have_no_row() -> None:
    cells = [
        ({"reach": 0.1, "algorithm": "a"}, result()),
        ({"reach": 0.2, "algorithm": "a"}, {"cell": ((), np.asarray("x"))}),
    ]
    data = collect(cells, {"reach": [0.1, 0.2], "algorithm": ["a"]})
    assert column(table(data), "reach") == ["0.1"]
    assert Answer(study(), xr.Dataset()).points == []


def test_units_are_shown_where_they_say_more_than_the_name() -> None:
    data = swept([result(threshold=0.2), result(threshold=0.3)])
    data["threshold"].attrs["units"] = "of the space"
    assert "threshold (of the space)" in table(data).columns
    assert "payoff" in table(data, study(answer={"quantities": ["payoff"]})).columns


def test_keys_of_other_methods_are_no_coordinates_of_a_method() -> None:
    cells = [
        ({"a.rate": 0.1, "algorithm": "a"}, result()),
        ({"a.rate": 0.2, "algorithm": "a"}, result()),
        ({"a.rate": 0.1, "algorithm": "b"}, result()),
    ]
    data = collect(cells, {"a.rate": [0.1, 0.2], "algorithm": ["a", "b"]})
    assert column(table(data), "rate of a") == ["0.1", "0.2", "–"]


def test_a_quantity_that_no_result_has_is_named() -> None:
    found = Answer(study(answer={"quantities": ["treshold"]}), swept([result(threshold=0.2)]))
    (line,) = (line for line in found.caveats if "treshold" in line)
    assert line == "treshold is in no cell of this run; did you mean 'threshold'?"


def test_a_quantity_may_be_a_coordinate() -> None:
    data = swept([result(threshold=0.2)]).assign_coords(crossing=("crossing", [0.1]))
    found = Answer(study(answer={"quantities": ["threshold", "crossing"]}), data)
    assert not any("is in no cell" in line for line in found.caveats)


@pytest.mark.parametrize("seeds", [1, 2])
def test_players_with_fewer_choices_have_no_further_ones(seeds: int) -> None:
    game = {"family": "continuous", "choices": ["a", ["b", "c"]], "payoffs": ["-a^2", "-b^2-c^2"]}
    rows = [result("", profile=[[2.0 + 0.1 * k, 0.0], [1.5, 0.0]], payoff=[1.0, 2.0]) for k in range(seeds)]
    found = Answer(study(game=game, answer={"quantities": ["profile"]}), replicated(rows))
    wide = ["2", "2.05 ± 0.64"][seeds - 1]
    assert found.table is not None
    assert column(found.table, "a, player 0") == [wide]
    assert column(found.table, "player 1")[0].startswith("b 1.5, c 0")  # a zero that is a choice stays
    columns = found.table_of(None, full=True)
    assert columns is not None
    assert [name for name in columns.columns if "player" in name and "payoff" not in name] == [
        "a, player 0",
        "player 1, b",
        "player 1, c",
    ]


def test_lists_that_go_with_a_key_in_words_have_no_column() -> None:
    """As of a zip of urgencies, which the study has words for, and transition matrices."""
    data = swept([result(), result()])
    data = data.assign_coords(
        urgencies=("reach", ["[1.0, 9.0]", "[1.0, 5.0]"]), chain=("reach", ["[[0.8, 0.2]]", "[[0.2, 0.8]]"])
    ).drop_vars("reach")
    bare = study(answer={"quantities": ["payoff"]})
    words = study(
        answer={"quantities": ["payoff"], "words": {"[1.0, 9.0]": "rare", "[1.0, 5.0]": "frequent"}}
    )
    assert table(data, bare).columns[:2] == ["urgencies", "chain"]
    assert table(data, words).columns[0] == "urgencies"
    assert "chain" not in table(data, words).columns
    whole = Answer(words, data).table_of(None, full=True)
    assert "chain" in whole.columns  # exports have all keys


def test_intervals_of_probabilities_are_printed_within_their_range() -> None:
    """The interval of 0, 0 and 0.3, of Student's t, reaches below 0; that of other numbers may."""
    numbers = [0.0, 0.0, 0.3]
    half = 4.302653 * np.std(numbers, ddof=1) / 3**0.5
    rows = [result(p_safe=p, hhi=p, profile=[[p, 1 - p]] * 3) for p in numbers]
    for row in rows:
        row["action_name"] = (("player", "axis"), np.array([["stay", "go"]] * 3))
    about = study(answer={"quantities": ["p_safe", "hhi", "profile"]})
    shown = table(replicated(rows), about)
    known = dict(zip(shown.columns, shown.texts[0], strict=True))
    assert known["Herfindahl-Hirschman index"] == f"0.10 ± {half:.2f}"
    assert known["probability of a safe win"] == f"0.10 (0 to {0.1 + half:.2f})"
    assert known["player 2"] == f"stay 0.10 (0 to {0.1 + half:.2f}), go 0.90 ({0.9 - half:.2f} to 1)"


def test_what_a_list_proves_not_to_exist_is_not_called_not_found() -> None:
    none = none_exists("equilibrium in pure strategies") | {"equilibrium_count": ((), np.asarray(0))}
    answer = Answer(study(), swept([none]))
    assert not [line for line in answer.caveats if "converged" in line or "certificate" in line]
    assert column(answer.table, "claim") == ["no equilibrium in pure strategies, proved"]
    some = {"status": ((), np.asarray("not found")), "equilibrium_count": ((), np.asarray(0))}
    assert [line for line in Answer(study(), swept([some])).caveats if "not found" in line]
