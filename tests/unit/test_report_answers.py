"""Results of a run as a table, and the sentences on them: never more than the certificates say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.core.results import CLAIMS, Record, collect
from rivalry.lab.answer.points import (
    AnswerTable,
    answer_table,
    answers,
    metric_names,
    number_in_words,
    profile_in_words,
)
from rivalry.lab.answer.claims import headline, sentences

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
            "coverage": ((), np.asarray("exact")),
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


def said(data: xr.Dataset, about: dict[str, Any] | None = None) -> str:
    about = about or study()
    ((_, lines),) = sentences(about, answers(about, data))
    return " ".join(lines)


def table(data: xr.Dataset, about: dict[str, Any] | None = None, most: int = 12) -> AnswerTable:
    about = about or study()
    return answer_table(about, data, answers(about, data), most)


def column(shown: AnswerTable, name: str) -> list[str]:
    return [row[shown.columns.index(name)] for row in shown.rows]


def test_consecutive_points_with_equal_claims_are_one_sentence() -> None:
    words = said(swept([apart(0.4), apart(), result(), result()]))
    assert words == (
        "For reach = 0.1 to 0.15, the players converge to (0.374, 0.5, 0.626): not an equilibrium, player 1 "
        "(at 0.5) could gain 0.4 at reach = 0.1, the largest gain in this range. "
        "For reach = 0.2 to 0.25, the players converge to 0.5 for every player: an equilibrium."
    )


@pytest.mark.parametrize(
    ("efforts", "shown"), [([0.3] * 6, ["0.3"]), ([0.3] * 5 + [0.4], []), ([0.3, 0.4], ["0.3 / 0.4"])]
)
def test_equal_numbers_of_many_players_are_one_number(efforts: list[float], shown: list[str]) -> None:
    row = result("", profile=np.full((len(efforts), 1), 0.5), payoff=efforts, safety_input=efforts)
    found = table(swept([row]), study(expect=[{"quantity": "safety_input"}]))
    named = [k for k, name in enumerate(found.columns) if name == "safety input (input)"]
    assert [found.rows[0][k] for k in named] == shown


def test_equal_ends_of_a_range_do_not_speak_for_what_lies_between() -> None:
    """As in a market whose leader sells the same against weak and strong rivals, and more between."""
    rows = [result(), result(profile=[[0.2], [0.5], [0.8]]), result()]
    words = (
        "the solution is at 0.5 for every player at both ends of the range, with other profiles between: an"
    )
    assert words in said(swept(rows), study("closed_form"))
    large = [result("", profile=np.zeros((3, 30)), threshold=at) for at in (0.2, 0.4, 0.2)]
    assert said(swept(large)).endswith("threshold 0.2 at both ends of the range, with other values between.")


def test_a_certified_profile_of_a_method_that_did_not_converge_is_named() -> None:
    words = said(swept([result(status="not found")]))
    assert words == "The players do not converge, last at 0.5 for every player: an equilibrium."


def test_a_range_that_is_interrupted_is_not_joined() -> None:
    words = said(swept([result(), apart(), result(), result(status="iteration limit")]))
    assert words.count("an equilibrium") == 4
    assert "For reach = 0.1, " in words
    assert "For reach = 0.2, " in words
    assert "0.1 to 0.2" not in words


@pytest.mark.parametrize("claim", [*CLAIMS, ""])
def test_a_sentence_says_what_the_claim_says_and_no_more(claim: str) -> None:
    regret = [0.0, 0.2, 0.0] if claim == "not an equilibrium" else [0.0] * 3
    words = said(swept([result(claim, **({"regret": regret} if claim else {}))]))
    after = words.partition("for every player")[2]
    assert (
        after
        == {
            "equilibrium": ": an equilibrium.",
            "approximate equilibrium": (
                ": an approximate equilibrium, no gain above 0.2 % of the payoff at stake."
            ),
            "no deviation found": ": no profitable deviation was found (grid of 100 points).",
            "local equilibrium": ": a local equilibrium: no gain was found in a neighbourhood.",
            "not an equilibrium": ": not an equilibrium, player 1 (at 0.5) could gain 0.2.",
            "not decided": ": not decided, since a payoff is not a number.",
            "": " (no certificate).",
        }[claim]
    )


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c != "equilibrium"])
def test_one_weaker_replication_is_never_called_an_equilibrium(claim: str) -> None:
    rows = [result(), result(), result(claim, regret=[0.0, 0.2, 0.0])]
    words = said(replicated(rows))
    assert "in 2 of 3 an equilibrium" in words
    assert "in 1 of 3 " in words
    assert words.startswith("In all 3 replications the players converge")
    assert column(table(replicated(rows)), "claim")[0].startswith("2 equilibrium, 1 ")


def test_differing_statuses_are_counted() -> None:
    words = said(replicated([result(), result(status="cycling"), result()]))
    assert words.startswith("Of 3 replications 2 converged, 1 cycling")


def test_small_gains_of_small_payoffs_are_no_zeros() -> None:
    assert [number_in_words(value) for value in (2e-14, -1e-17, 0.0)] == ["2e-14", "-1e-17", "0"]
    assert profile_in_words(np.array([[1e-17], [0.5]])) == "(0, 0.5)"
    assert profile_in_words(np.array([[1e-14], [2e-14]])) == "(1e-14, 2e-14)"


def test_gains_estimated_from_samples_are_called_estimates() -> None:
    words = said(swept([apart(coverage="estimated")]))
    assert "player 1 (at 0.5) could by an estimate gain 0.175" in words


def test_a_gain_that_is_small_beside_the_payoff_is_explained() -> None:
    """Near a mixed equilibrium own choice changes the payoff little, elsewhere not."""
    own = {"regret": [0.0, 0.005, 0.0], "payoff": [2.5] * 3}
    words = said(swept([result("not an equilibrium", at_stake=[0.1, 0.006, 0.1], **own)]))
    assert words.endswith(
        "player 1 (at 0.5) could gain 0.005 (0.2 % of the payoff, but 83.3 % of the little that own choice "
        "can win or lose while the others stay)."
    )
    words = said(swept([result("not an equilibrium", at_stake=[0.1, 0.4, 0.1], **own)]))
    assert words.endswith("player 1 (at 0.5) could gain 0.005.")


def test_the_gain_that_is_named_is_one_above_the_tolerance() -> None:
    """A larger gain of another player may be within its own tolerance, which follows what it has at stake."""
    own = {"regret": [5e-8, 2e-7, 3e-8], "at_stake": [1.0, 0.6, 8e-4], "payoff": [0.7, 0.3, 0.7]}
    words = said(swept([result("not an equilibrium", tolerance=[1e-6, 6e-7, 8e-10], **own)]))
    assert words.endswith(
        "player 2 (at 0.5) could gain 3e-08 (0.0037 % of the payoff at stake, but no proof excludes a larger "
        "gain)."
    )


def test_equal_gains_of_all_players_are_said_once() -> None:
    words = said(swept([result("not an equilibrium", regret=[0.2, 0.2, 0.2])]))
    assert words.endswith("each player could gain 0.2.")


def test_equal_strategies_along_a_range_are_said_once() -> None:
    rows = [result(profile=[[x], [x], [x]]) for x in (4.5, 3.6, 3.1)]
    assert "converge to profiles from 4.5 to 3.1 for every player: an equilibrium." in said(swept(rows))


def test_players_with_names_are_named() -> None:
    named = apart() | {"player_name": (("player",), np.array(["left", "centre", "right"]))}
    assert "centre (at 0.5) could gain 0.175" in said(swept([named]))
    assert "payoff (left / centre / right)" in table(swept([named])).columns


def test_a_method_without_profile_reports_its_metrics() -> None:
    rows = [{"status": ((), np.asarray("completed")), "threshold": ((), np.asarray(t))} for t in (0.2, 0.3)]
    words = said(swept(rows), study("simulation"))
    assert words == (
        "For reach = 0.1 to 0.15, it completes its steps (no certificate); threshold from 0.2 to 0.3."
    )


def test_a_listed_equilibrium_is_claimed_only_for_the_certified_one() -> None:
    counts = {"equilibrium_count": 3, "pure_count": 2, "component_count": 3, "complete": True}
    words = said(swept([result(**counts)]), study("mixed_equilibria"))
    assert words == (
        "3 equilibria listed, of these 2 pure, in 3 components (the list is complete); "
        "the first at 0.5 for every player: an equilibrium."
    )
    words = said(swept([result(**counts | {"complete": False})]), study("mixed_equilibria"))
    assert "complete" not in words


def test_many_ranges_are_counted_instead() -> None:
    reaches = [k / 100 for k in range(1, 21)]
    rows = [apart(k / 10) if k % 2 else result() for k in range(20)]
    cells = [({"reach": r, "algorithm": "a"}, row) for r, row in zip(reaches, rows, strict=True)]
    words = said(collect(cells, {"reach": reaches, "algorithm": ["a"]}))
    assert words == (
        "Of 20 points, 10 are equilibria (converged) and 10 are not equilibria (converged); "
        "player 1 (at 0.5) could gain 1.9 at reach = 0.2, the largest gain in this range."
    )


def test_the_headline_is_about_a_method_that_found_a_profile() -> None:
    rows = [
        ("a", 0.1, result()),
        ("a", 0.2, result("", "not found")),
        ("b", 0.1, result()),
        ("b", 0.2, apart()),
    ]
    cells = [({"algorithm": name, "reach": reach}, row) for name, reach, row in rows]
    data = collect(cells, {"algorithm": ["a", "b"], "reach": [0.1, 0.2]})
    assert headline(study(), answers(study(), data)) == (
        "b: Of 2 points, 1 is an equilibrium (converged) and 1 is not an equilibrium (converged); "
        "player 1 (at 0.5) could gain 0.175."
    )


def test_ranges_of_a_two_parameter_sweep_stay_within_one_outer_value() -> None:
    axes = {"width": [1.0, 2.0], "reach": [0.1, 0.2], "algorithm": ["a"]}
    cells = [({"width": w, "reach": r, "algorithm": "a"}, result()) for w in (1.0, 2.0) for r in (0.1, 0.2)]
    words = said(collect(cells, axes))
    assert "For width = 1, reach = 0.1 to 0.2, " in words
    assert "For width = 2, reach = 0.1 to 0.2, " in words


def test_means_over_replications_have_student_intervals() -> None:
    rows = [result(payoff=[p, p, p], threshold=p) for p in (1.0, 2.0, 3.0)]
    shown = table(replicated(rows))
    # t(0.975, 2) = 4.302653, standard deviation 1, so half the width is 4.302653 / sqrt(3) = 2.48414
    assert column(shown, "payoff") == ["2.0 ± 2.5"]
    assert column(shown, "threshold") == ["2.0 ± 2.5"]
    assert column(shown, "n") == ["3"]


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
    shown = table(data)
    assert column(shown, "payoff") == ["1 to 2 / 1 to 3"]
    assert column(shown, "profile") == ["2 different profiles"]
    words = said(data)
    assert words.startswith("In all 2 starts the players converge")
    assert words.endswith("in 1 of 2 an equilibrium; in 1 of 2 not an equilibrium, "
                          "player 1 (at 0.8) could gain up to 0.5.")  # fmt: skip


def test_the_table_is_thinned_where_nothing_changes() -> None:
    reaches = [k / 100 for k in range(1, 101)]
    rows = [apart() if k < 37 else result() for k in range(100)]
    cells = [({"reach": r, "algorithm": "a"}, row) for r, row in zip(reaches, rows, strict=True)]
    shown = table(collect(cells, {"reach": reaches, "algorithm": ["a"]}), most=8)
    assert len(shown.rows) <= 8
    assert len(shown.rows) + shown.left_out == 100
    assert {"0.01", "0.37", "0.38", "1"} <= set(column(shown, "reach"))


def test_metrics_are_those_of_expectations_then_plots_then_the_family() -> None:
    about = study(
        expect=[{"quantity": "period"}, {"quantity": "payoff"}, {"quantity": "absent"}],
        plots=["paths", {"kind": "scenario", "quantities": ["turnout"]}],
    )
    data = swept([result(threshold=0.2, turnout=0.5, period=3.0, steps=12)])
    assert metric_names(about, data) == ["period", "turnout", "threshold"]
    assert table(data, about).columns[-3:] == ["period", "turnout", "threshold"]


def test_unfinished_points_have_no_row() -> None:
    cells = [
        ({"reach": 0.1, "algorithm": "a"}, result()),
        ({"reach": 0.2, "algorithm": "a"}, {"cell": ((), np.asarray("x"))}),
    ]
    data = collect(cells, {"reach": [0.1, 0.2], "algorithm": ["a"]})
    assert column(table(data), "reach") == ["0.1"]
    assert answers(study(), xr.Dataset()) == []


def test_units_are_shown_where_the_data_have_them() -> None:
    data = swept([result(threshold=0.2)])
    data["threshold"].attrs["units"] = "of the space"
    assert table(data).columns[-1] == "threshold (of the space)"


def test_keys_of_other_methods_are_no_coordinates_of_a_method() -> None:
    cells = [
        ({"a.rate": 0.1, "algorithm": "a"}, result()),
        ({"a.rate": 0.2, "algorithm": "a"}, result()),
        ({"a.rate": 0.1, "algorithm": "b"}, result()),
    ]
    data = collect(cells, {"a.rate": [0.1, 0.2], "algorithm": ["a", "b"]})
    found = answers(study(), data)
    (_, first), (_, second) = sentences(study(), found)
    assert first == ["For a.rate = 0.1 to 0.2, the players converge to 0.5 for every player: an equilibrium."]
    assert second == ["The players converge to 0.5 for every player: an equilibrium."]
    assert column(answer_table(study(), data, found, 12), "rate") == ["0.1", "0.2", ""]


def test_a_range_has_the_largest_residual_of_its_solution_concept() -> None:
    rows = [result(concept="logit at beta 2", concept_residual=left) for left in (1e-9, 3e-8)]
    words = said(swept(rows), study("newton"))
    assert words.endswith(": an equilibrium; solution concept: logit at beta 2, residual 3e-08.")


def test_different_ends_of_starts_are_no_range() -> None:
    batch: Record = {
        "batch": (("batch",), np.arange(2)),
        "status": (("batch",), np.array(["converged"] * 2)),
        "claim": (("batch",), np.array(["equilibrium"] * 2)),
        "regret": (("batch", "player"), np.zeros((2, 2))),
    }
    same, apart = np.full((2, 2, 1), 0.5), np.array([[[0.5], [0.5]], [[0.2], [0.8]]])
    words = said(swept([batch | {"profile": (("batch", "player", "axis"), x)} for x in (same, apart)]))
    assert words == "For reach = 0.1 to 0.15, in all 2 starts the players converge: an equilibrium."
