"""The answer of a run: its table, and sentences on claims that say no more than the certificates."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.core.results import CLAIMS, Record, collect
from rivalry.lab.answer import Answer
from rivalry.lab.answer.points import points_of, profile_in_words
from rivalry.lab.answer.table import AnswerTable
from rivalry.lab.study.words import quantities
from rivalry.results.table import number_in_words

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
    """The sentence on claims or lists, which comes last."""
    return Answer(about or study(), data).sentences[-1].text


def table(data: xr.Dataset, about: dict[str, Any] | None = None, most: int | None = None) -> AnswerTable:
    found = Answer(about or study(), data).table_of(most)
    assert found is not None
    return found


def column(shown: AnswerTable, name: str) -> list[str]:
    return [row[shown.columns.index(name)] for row in shown.texts]


@pytest.mark.parametrize("claim", [*CLAIMS, ""])
def test_a_sentence_says_what_the_claim_says_and_no_more(claim: str) -> None:
    regret = [0.0, 0.2, 0.0] if claim == "not an equilibrium" else [0.0] * 3
    data = swept([result(claim, **({"regret": regret} if claim else {}))])
    last = {
        "equilibrium": "The profile is an equilibrium; no player can gain more than 0.02.",
        "approximate equilibrium": (
            "The profile is an approximate equilibrium: no gain above 0.2 % of the payoff at stake."
        ),
        "small estimated gain": (
            "The profile leaves a small estimated gain: at most 0.2 % of the payoff at "
            "stake, with 95 % confidence."
        ),
        "no deviation found": (
            "No profitable deviation was found; this is the result of a search (grid of 100 points), not a "
            "proof."
        ),
        "local equilibrium": (
            "The profile is a local equilibrium: no gain was found in a neighbourhood, and "
            "none beyond it was looked "
            "for."
        ),
        "not an equilibrium": "The profile is not an equilibrium: player 1 could gain 0.2.",
        "not decided": ("It is not decided whether the profile is an equilibrium: a payoff is not a number."),
        "": "The payoff is 16.5.",
    }
    assert said(data) == last[claim]


def test_the_gain_of_each_player_is_told_with_the_results_in_which_it_gains() -> None:
    first = {"regret": [0.3, 0.0, 0.0]}
    assert said(swept([apart(0.4), result("not an equilibrium", **first), result()])) == (
        "At reach 0.1 and 0.15 some player could gain up to 0.4, and at 0.2 it is an equilibrium."
    )
    # the player with the largest gain gains at every point, and another one at one of them
    more = result("not an equilibrium", regret=[0.3, 0.2, 0.0])
    assert said(swept([apart(0.4), more, result()])) == (
        "At reach 0.1 and 0.15 player 1 could gain up to 0.4, others less; and at 0.2 it is an equilibrium."
    )
    tied = result("not an equilibrium", regret=[0.0, 0.4, 0.4])
    assert said(swept([more, tied, result()])).startswith(
        "At reach 0.1 and 0.15 some player could gain up to"
    )
    assert said(swept([tied])) == "The profile is not an equilibrium: 2 players could gain up to 0.4."


def test_the_sentence_on_sessions_counts_those_in_equilibrium() -> None:
    def learned(*own: bool, gain: float = 0.175) -> Record:
        found = apart(gain, concept="Nash equilibrium of the learned policies")
        return found | {"in_equilibrium": (("session",), np.array(own))}

    nine = [True] * 9 + [False]
    assert said(swept([learned(*nine)])) == (
        "In 9 of the 10 sessions the learned policies are a Nash equilibrium; in the others "
        "player 1 could gain up to 0.175."
    )
    assert column(table(swept([learned(*nine)])), "claim") == ["not an equilibrium in 1 of 10 sessions"]
    words = said(swept([learned(*nine), learned(*[False] * 10, gain=0.4)]))
    assert words.startswith(
        "In 9 of the 20 sessions the learned policies are a Nash equilibrium; in the others "
        "player 1 could gain up to 0.4 (reach 0.15)"
    )
    assert said(swept([learned(True, False)])).startswith(
        "In 1 of the 2 sessions the learned policies are a Nash equilibrium; in the others player 1 "
    )
    assert said(swept([learned(False, False)])).startswith(
        "In none of the 2 sessions are the learned policies a Nash equilibrium: player 1 could gain up "
    )


def test_claims_of_a_sweep_are_counted_with_the_largest_gain_and_where() -> None:
    words = said(swept([apart(0.4), apart(), result(), result()]))
    assert (
        words
        == "At reach 0.1 and 0.15 player 1 could gain up to 0.4, and at 0.2 and 0.25 it is an equilibrium."
    )
    assert said(swept([result()] * 3)) == (
        "All 3 profiles are equilibria; no player can gain more than 0.02."
    )
    assert said(swept([apart()] * 2)).startswith(
        "Neither profile is an equilibrium: player 1 could gain up to 0.175 (reach 0.1)"
    )


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c != "equilibrium"])
def test_one_weaker_replication_is_never_called_an_equilibrium(claim: str) -> None:
    rows = [result(), result(), result(claim, regret=[0.0, 0.2, 0.0])]
    words = said(replicated(rows))
    assert "2 of the 3 runs end in an equilibrium" in words
    assert "Every" not in words
    assert column(table(replicated(rows)), "claim")[0].startswith("2 equilibrium, 1 ")


def test_what_did_not_come_to_rest_is_a_caveat() -> None:
    found = Answer(study(), replicated([result(), result(status="cycling"), result()]))
    assert "a: 1 of 3 cycling" in found.caveats


def test_results_without_a_proof_file_are_named_with_the_reason() -> None:
    rows = [result(proof_refusal=why) for why in ("", "at a kink", "at a kink", "not complete")]
    found = [line for line in Answer(study(), swept(rows)).caveats if line.startswith("no proof file")]
    assert found == [
        "no proof file: reach 0.15; reach 0.2: at a kink",
        "no proof file: reach 0.25: not complete",
    ]
    assert "proof file" not in " ".join(Answer(study(), swept([result()] * 2)).caveats)


def test_small_gains_of_small_payoffs_are_no_zeros() -> None:
    assert [number_in_words(value) for value in (2e-14, -1e-17, 0.0)] == ["2e-14", "-1e-17", "0"]
    assert profile_in_words(np.array([[1e-17], [0.5]])) == "(0, 0.5)"
    assert profile_in_words(np.array([[1e-14], [2e-14]])) == "(1e-14, 2e-14)"


def test_gains_estimated_from_samples_are_called_estimates() -> None:
    assert "player 1 could gain an estimated 0.175" in said(swept([apart(coverage="estimated")]))
    several = said(swept([apart(gain, coverage="estimated") for gain in (0.1, 0.2)]))
    assert several == (
        "Neither profile is an equilibrium: player 1 could gain up to an estimated 0.2 (reach 0.15)."
    )


def test_a_gain_that_is_small_beside_the_payoff_is_explained() -> None:
    """Near a mixed equilibrium own choice changes the payoff little, elsewhere not."""
    own = {"regret": [0.0, 0.005, 0.0], "payoff": [2.5] * 3}
    words = said(swept([result("not an equilibrium", at_stake=[0.1, 0.006, 0.1], **own)]))
    assert words.endswith(
        "player 1 could gain 0.005 (0.2 % of the payoff, but 83.3 % of the little that own choice "
        "can win or lose while the others stay)."
    )
    words = said(swept([result("not an equilibrium", at_stake=[0.1, 0.4, 0.1], **own)]))
    assert words.endswith("player 1 could gain 0.005 (proved: at most 0.02).")


def test_the_gain_that_is_named_is_one_above_the_tolerance() -> None:
    """A larger gain of another player may be within its own tolerance, which follows what it has at stake."""
    own = {"regret": [5e-8, 2e-7, 3e-8], "at_stake": [1.0, 0.6, 8e-4], "payoff": [0.7, 0.3, 0.7]}
    words = said(swept([result("not an equilibrium", tolerance=[1e-6, 6e-7, 8e-10], **own)]))
    assert words.endswith(
        "player 2 could gain 3e-08 (0.0037 % of the payoff at stake, but no proof excludes a larger gain)."
    )


def test_equal_gains_of_all_players_are_said_once() -> None:
    words = said(swept([result("not an equilibrium", regret=[0.2, 0.2, 0.2])]))
    assert words.endswith("each player could gain 0.2.")


def test_players_with_names_are_named() -> None:
    named = apart() | {"player_name": (("player",), np.array(["left", "centre", "right"]))}
    assert "centre could gain 0.175" in said(swept([named]))


def test_a_listed_equilibrium_is_claimed_only_for_the_certified_one() -> None:
    counts = {"equilibrium_count": 3, "pure_count": 2, "component_count": 3, "complete": True}
    about = study("mixed_equilibria")
    *_, listed, claimed = (one.text for one in Answer(about, swept([result(**counts)])).sentences)
    assert listed == "There are 3 equilibria, 2 of them in pure strategies (complete list)."
    assert claimed == "The profile is an equilibrium; no player can gain more than 0.02."
    # fewer components than equilibria: there are infinitely many, of which the extreme ones are listed
    many = counts | {"pure_count": 0, "component_count": 1}
    *_, listed, _ = (one.text for one in Answer(about, swept([result(**many)])).sentences)
    assert (
        listed == "There are infinitely many equilibria, in 1 connected component, "
        "with 3 extreme equilibria in mixed strategies (complete list)."
    )
    *_, listed, _ = (
        one.text for one in Answer(about, swept([result(**counts | {"complete": False})])).sentences
    )
    assert "complete" not in listed


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "There is no equilibrium listed; whether there is one is not decided"),
        (2, "There are 2 equilibria; whether there are others is not decided"),
    ],
)
def test_a_list_that_may_lack_equilibria_says_why(count: int, words: str) -> None:
    reason = "one that is not isolated may be missing"
    rows = [
        result(equilibrium_count=count, complete=False, **more) for more in ({}, {"complete_reason": reason})
    ]
    for row, why in zip(rows, ("", f": {reason}"), strict=True):
        *_, listed, _ = (one.text for one in Answer(study("pure_equilibria"), swept([row])).sentences)
        assert listed == f"{words}{why}."


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "There is no equilibrium"), (1, "There is 1 equilibrium"), (2, "There are 2 equilibria")],
)
def test_a_search_of_all_pure_profiles_proves_that_there_is_none_else(count: int, words: str) -> None:
    reason = "every pure equilibrium; mixed ones were not sought"
    names = np.array([["rock", "paper", "scissors"], ["rock", "paper", ""]])
    row = result("equilibrium" * (count > 0), equilibrium_count=count, complete=False, complete_reason=reason)
    row |= {"action_name": (("player", "axis"), names)}
    sentences = [one.text for one in Answer(study("pure_equilibria"), swept([row])).sentences]
    assert (
        f"{words} in pure strategies (all 6 profiles checked); mixed strategies were not searched."
        in sentences
    )


def test_a_logit_equilibrium_is_not_judged_as_a_nash_equilibrium() -> None:
    found = {"concept": "logit at beta 2", "concept_residual": 1e-9}
    logit = [apart(gain, **found) for gain in (0.1, 0.2)]
    assert said(swept(logit)) == (
        "Every result is a logit equilibrium at beta 2 (residual 1e-09); the largest gain from a "
        "deviation is 0.2, of player 1 (reach 0.15)."
    )
    mixed = said(swept([result(), *logit]))
    assert mixed.startswith(
        "2 of 3 results are logit equilibria at beta 2 (residual 1e-09); the largest gain"
    )
    assert mixed.endswith(". At a reach of 0.1, it is a Nash equilibrium; no player can gain more than 0.02.")
    also = said(swept([result("approximate equilibrium", **found), *logit]))
    assert also.startswith("Every result is a logit equilibrium at beta 2 (residual 1e-09); the largest gain")
    assert also.endswith(
        "is 0.2, of player 1 (reach 0.2). At a reach of 0.1, it is an approximate Nash equilibrium: no gain "
        "above 0.2 % of the payoff at stake."
    )
    table_of = table(swept([result(), *logit]))
    assert column(table_of, "claim") == ["equilibrium", *["logit equilibrium at beta 2"] * 2]


def test_methods_of_another_concept_are_named_beside_the_others() -> None:
    """Play that approximates correlated equilibria beside fictitious play, which is judged as it is."""
    coarse = {"concept": "coarse correlated", "concept_residual": 1e-5, "status": "completed"}
    rows = {"matching": [apart(**coarse)], "fictitious": [apart(0.4)] * 2}
    cells = [
        ({"algorithm": name, "replication": k}, row)
        for name, own in rows.items()
        for k, row in enumerate(own)
    ]
    about = study("matching")
    about["method"] += study("fictitious")["method"]
    words = said(collect(cells, {"algorithm": list(rows), "replication": [0, 1]}), about)
    assert words.startswith(
        "The result of matching approximates a coarse correlated equilibrium (residual 1e-05); the largest "
        "gain from a deviation is 0.175, of player 1. For fictitious, in neither run "
        "is it a Nash equilibrium: player 1 could gain up to 0.4"
    )


def test_a_gain_of_several_players_is_not_told_of_one_alone() -> None:
    def both(gain: float, other: float) -> Record:
        return result("not an equilibrium", regret=[other, gain, 0.3])

    assert said(swept([both(0.4, 0.2), both(0.5, 0.3)])).startswith(
        "Neither profile is an equilibrium: each player could gain, at most 0.5 (player 1"
    )
    assert said(swept([both(0.4, 0.0), both(0.5, 0.3)])).startswith(
        "Neither profile is an equilibrium: some player could gain, at most 0.5 (player 1"
    )


def test_logit_equilibria_that_are_nash_equilibria_too_are_called_both() -> None:
    concept = {"concept": "logit at beta 1000", "concept_residual": 1e-12}
    assert said(swept([result(**concept), result("approximate equilibrium", **concept)])) == (
        "At reach 0.1 it is a Nash equilibrium and at 0.15 it is an approximate Nash equilibrium (no gain "
        "above 0.2 % of the payoff at stake) (solution concept: logit at beta 1000)."
    )


def test_an_empty_list_beside_others_is_named_empty() -> None:
    def listed(*profiles: Any) -> Record:
        shape = (len(profiles), 2, 2)
        return result(equilibrium_count=len(profiles), complete=True) | {
            "profile": (("player", "axis"), np.full((2, 2), np.nan)),
            "equilibria": (("equilibrium", "player", "action"), np.array(profiles).reshape(shape)),
            "action_name": (("player", "axis"), np.array([["stag", "hare"]] * 2)),
        }

    about = study("pure_equilibria", answer={"quantities": ["equilibria"]})
    found = Answer(about, swept([listed(np.eye(2)), listed()])).sentences
    assert "Equilibria listed: at reach 0.1, (stag, hare); at reach 0.15, none." in [
        one.text for one in found
    ]


def test_a_solution_concept_is_named() -> None:
    rows = [result(concept="logit at beta 2", concept_residual=left) for left in (1e-9, 3e-8)]
    words = said(swept(rows), study("newton"))
    assert words.startswith("Both profiles, computed as logit equilibria at beta 2, are Nash equilibria")


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
    (estimate,) = (row[shown.columns.index("threshold")] for row in shown.rows)
    assert estimate.mean == 2.0
    assert estimate.high - estimate.low == pytest.approx(2 * 2.48414, rel=1e-5)


def test_the_table_of_learners_has_the_largest_gain_over_replications() -> None:
    """The mean of 0.1, 0.2 and 0.6 with Student's interval at two degrees of freedom."""
    gains = [0.1, 0.2, 0.6]
    data = replicated([apart(gain) for gain in gains])
    shown = table(data, study("regret_matching", answer={"quantities": ["payoff"]}))
    entry = shown.rows[0][shown.columns.index("largest gain")]
    half = 4.302652729911275 * np.std(gains, ddof=1) / np.sqrt(3)
    assert (entry.mean, entry.high) == pytest.approx((0.3, 0.3 + half))
    assert entry.text == "0.30 ± 0.66"
    # a solver's results differ by their starts, of which there is no mean
    assert column(table(data), "largest gain") == ["up to 0.6"]


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
    words = said(data)
    assert words == ("1 of the 2 runs ends in an equilibrium; in the other player 1 could gain up to 0.5.")


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
    assert shown.notes == ["threshold: 0.2", "largest gain: at most 0.02", "claim: equilibrium"]
    alike = table(swept([result(threshold=0.2)] * 3))  # a table has results, although all are the same
    assert alike.columns == ["reach", "threshold"]
    assert alike.notes == ["largest gain: at most 0.02", "claim: equilibrium"]


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
    assert column(table(data), "rate of a") == ["0.1", "0.2", ""]


def test_a_quantity_that_no_result_has_is_named() -> None:
    found = Answer(study(answer={"quantities": ["treshold"]}), swept([result(threshold=0.2)]))
    (line,) = (line for line in found.caveats if "treshold" in line)
    assert line == "treshold is in no cell of this run; did you mean 'threshold'?"


def test_a_quantity_may_be_a_coordinate() -> None:
    data = swept([result(threshold=0.2)]).assign_coords(crossing=("crossing", [0.1]))
    found = Answer(study(answer={"quantities": ["threshold", "crossing"]}), data)
    assert not any("is in no cell" in line for line in found.caveats)


def test_nothing_is_claimed_of_results_without_a_certificate() -> None:
    some = said(swept([result(), result(), result("")]))
    assert some == "Both certified profiles are equilibria; no player can gain more than 0.02."
    assert said(swept([apart(), apart(), result("")])).startswith(
        "Neither certified profile is an equilibrium"
    )
    assert said(swept([result(), apart(), result("")])).startswith(
        "At reach 0.1 it is an equilibrium and at 0.15 player 1"
    )
    assert said(swept([result(), result("")])).startswith("The only certified point is an equilibrium")


@pytest.mark.parametrize("seeds", [1, 2])
def test_players_with_fewer_choices_have_no_further_ones(seeds: int) -> None:
    game = {"family": "continuous", "choices": ["a", ["b", "c"]], "payoffs": ["-a^2", "-b^2-c^2"]}
    rows = [result("", profile=[[2.0 + 0.1 * k, 0.0], [1.5, 0.0]], payoff=[1.0, 2.0]) for k in range(seeds)]
    found = Answer(study(game=game, answer={"quantities": ["profile"]}), replicated(rows))
    wide = ["2 ", "2.05 ± 0.64 "][seeds - 1]
    assert found.points[0].profile_words.replace(",", " ").startswith(wide)
    assert found.points[0].profile_words.endswith("(1.5, 0)")  # a zero that is a choice stays
    columns = found.table_of(None, numbers=True)
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
    whole = Answer(words, data).table_of(None, constants=True)
    assert "chain" in whole.columns  # exports have all keys


def test_a_single_player_has_other_choices_and_no_rivals() -> None:
    def alone(claim: str, **values: Any) -> Record:
        own = {"profile": [[0.5]], "regret": [0.0], "bound": [0.02], "payoff": [1.0], "at_stake": [10.0]}
        return result(claim, **(own | values))

    assert (
        said(swept([alone("equilibrium")]))
        == "The choice is a maximum; no other choice gives more by over 0.02."
    )
    exact = said(swept([alone("equilibrium", bound=[0.0])]))
    assert exact == "The choice is a maximum; no other choice gives more."
    refuted = said(swept([alone("not an equilibrium", regret=[0.3], bound=[0.3])]))
    assert refuted == "The choice is not a maximum: the player could gain 0.3."
    led = study(game={"family": "market", "stages": [[0], [1]]})  # of the leader alone
    assert said(swept([alone("equilibrium")]), led).endswith("no player can gain more than 0.02.")


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
    (one,) = points_of(about, replicated(rows))
    chances = f"(stay 0.10 (0 to {0.1 + half:.2f}), go 0.90 ({0.9 - half:.2f} to 1))"
    assert one.profile_words == f"each {chances}"


def test_sessions_of_several_methods_are_not_pooled() -> None:
    def cell(in_equilibrium: list[int]) -> Record:
        return apart(in_equilibrium=np.array(in_equilibrium))

    cells = [({"algorithm": "few"}, cell([1, 1, 0])), ({"algorithm": "many"}, cell([0, 0, 1]))]
    data = collect(cells, {"algorithm": ["few", "many"]})
    about = study() | {"method": [{"name": name, "kind": "repeated_q_learning"} for name in ("few", "many")]}
    text = " ".join(sentence.text for sentence in Answer(about, data).sentences)
    assert "In 2 of the 3 sessions with few and 1 of the 3 sessions with many, play is an equilibrium" in text


def test_logit_equilibria_at_several_temperatures_are_one_clause() -> None:
    rows = [apart(0.1 * k, concept=f"logit at beta {k}", concept_residual=1e-9) for k in (2, 5)]
    assert said(swept(rows)).startswith(
        "Every result is a logit equilibrium at beta 2 and 5 (residual 1e-09); the"
    )


def test_what_a_list_proves_not_to_exist_is_not_called_not_found() -> None:
    none = {
        "status": ((), np.asarray("not found")),
        "equilibrium_count": ((), np.asarray(0)),
        "complete": ((), np.asarray(1)),
    }
    assert not [line for line in Answer(study(), swept([none])).caveats if "not found" in line]
    some = none | {"complete": ((), np.asarray(0))}
    assert [line for line in Answer(study(), swept([some])).caveats if "not found" in line]
