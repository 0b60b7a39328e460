"""Lists of equilibria with proofs: what is printed, reported and drawn, and never more than is proved."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

import rivalry as rv
from rivalry.cli.summary import claims
from rivalry.core.results import NO_CERTIFICATE, Certificate, Record, Solution, collect, dataset
from rivalry.lab.answer import Answer
from rivalry.lab.checks import cells, unproved
from rivalry.plots.charts.enumeration import DERIVATIVES, KINDS, UNDECIDED
from rivalry.plots.families import default_figures
from rivalry.proofs.box_search import REASONS
from rivalry.text.display import count_in_words, equilibrium_rows, undecided_in_words
from tests.figure_elements import labels, lines

STUDY = {"game": {"family": "influencer"}, "method": [{"name": "all", "kind": "all_equilibria"}]}


def a_list(points: list[float], undecided: int = 0, finished: bool = True, boxes: int = 437) -> Record:
    """The list of a game of two players on [0, 1] whose equilibria have both at one place."""
    profiles = np.repeat(np.reshape(points, (-1, 1, 1)), 2, axis=1)
    hulls = np.array([[[[0.1, 0.2]], [[0.25 + k, 0.25 + k + 3e-8]]] for k in range(undecided)])
    record: Record = {
        "equilibria": (("equilibrium", "player", "axis"), profiles),
        "equilibrium_payoff": (("equilibrium", "player"), np.ones((len(points), 2))),
        "radius": (("equilibrium",), np.full(len(points), 2e-14)),
        "equilibrium_count": ((), np.asarray(len(points))),
        "complete": ((), np.asarray(finished and not undecided)),
        "complete_reason": ((), np.asarray("a reason")),
        "boxes": ((), np.asarray(boxes)),
        "discarded": (("reason",), np.array([2, 1, 0, 1, 0])),
        "undecided": (("undecided", "player", "axis", "end"), hulls.reshape(-1, 2, 1, 2)),
        "status": ((), np.asarray("converged" if points else "not found")),
        "drawn_box": (
            ("drawn", "end", "coordinate"),
            np.array([[[0, 0], [0.5, 1]], [[0.5, 0.5], [1, 1]], [[0.5, 0], [0.75, 0.5]], [[0, 1], [1, 1]]]),
        ),
        "drawn_reason": (("drawn",), np.array([1, 2, 4, 1])),
    }
    if points:
        record["profile"] = (("player", "axis"), profiles[0])
    return record


def certificate(**more: Any) -> Certificate:
    fields = {"regret": np.zeros(2), "bound": np.full(2, 1e-12), "coverage": "tight", "tolerance": 1e-6}
    return Certificate(
        **fields | {"method": "9 climbs", "rounding": "outward", "at_stake": np.ones(2)} | more
    )


def swept(rows: list[Record]) -> xr.Dataset:
    at = [k / 100 for k in range(1, len(rows) + 1)]
    cells = [({"reach": x, "algorithm": "all"}, row) for x, row in zip(at, rows, strict=True)]
    return collect(cells, {"reach": at, "algorithm": ["all"]})


def test_payoffs_at_the_level_of_rounding_errors_are_zero() -> None:
    record = a_list([0.1, 0.9])
    record["equilibrium_payoff"] = (("equilibrium", "player"), np.array([[1e-28, -1e-41], [0.5, 1e-12]]))
    table = Solution(record, NO_CERTIFICATE).tables[0]
    assert [row["payoff, player 0"].text for row in table.rows] == ["0", "0.5"]
    assert [row["payoff, player 1"].text for row in table.rows] == ["0", "1e-12"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (a_list([0.5]), "exactly 1 equilibrium, proved"),
        (a_list([0.1, 0.5, 0.9]), "exactly 3 equilibria, proved"),
        (a_list([]), "no equilibrium in pure strategies, proved"),
        (a_list([0.5], undecided=3), "at least 1 equilibrium; 3 places are undecided"),
        (a_list([0.1, 0.9], undecided=1), "at least 2 equilibria; 1 place is undecided"),
        (a_list([], undecided=1), "no equilibrium found; 1 place is undecided"),
        (a_list([0.5], finished=False), "at least 1 equilibrium; the list may lack some"),
        (a_list([], finished=False), "no equilibrium found; the list may lack some"),
    ],
)
def test_the_number_is_exact_only_where_the_list_is_complete(record: Record, words: str) -> None:
    assert count_in_words(record) == words
    head = equilibrium_rows(record)["equilibria"]
    assert head.startswith(f"{words} (437 boxes)")
    assert ("complete: false (a reason)" in head) != ("proved" in words)


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["equilibrium"], "exactly 1 first-order point, which is an equilibrium, proved"),
        (["not an equilibrium"], "exactly 1 first-order point, which is no equilibrium, proved"),
        (["not an equilibrium"] * 3, "exactly 3 first-order points, none of them an equilibrium, proved"),
        (
            ["equilibrium", *["not an equilibrium"] * 12],
            "exactly 13 first-order points, 1 of them an equilibrium, proved",
        ),
        (["equilibrium"] * 2, "exactly 2 first-order points, all of them equilibria, proved"),
        (["undecided"], "at least 1 first-order point: 0 are equilibria, 0 are none, 1 is not decided"),
        (
            ["undecided", "not an equilibrium", "undecided"],
            "at least 3 first-order points: 0 are equilibria, 1 is none, 2 are not decided",
        ),
        (
            ["equilibrium", "equilibrium", "undecided", "not an equilibrium", "not an equilibrium"],
            "at least 5 first-order points: 2 are equilibria, 2 are none, 1 is not decided",
        ),
    ],
)
def test_first_order_points_are_counted_by_their_verdicts(verdicts: list[str], words: str) -> None:
    undecided = verdicts.count("undecided")
    record = a_list([0.5] * verdicts.count("equilibrium"), undecided=undecided)
    text = count_in_words(record | {"verdict": (("point",), np.array(verdicts))})
    assert text.startswith(f"{words}; ") if undecided else text == words


@pytest.mark.slow
def test_two_best_choices_that_tie_are_not_called_refuted() -> None:
    """-1 and 1 are both best for x^2/2 - x^4/4: a tie between them cannot be refuted by bounds."""
    game = rv.games.continuous(payoffs=["x1^2/2 - x1^4/4"], low=-2.0, high=2.0)
    found = rv.solve(game, rv.methods.AllEquilibria(first_order=True))
    assert "none of them an equilibrium" not in repr(found)
    best = np.isin(found.data.first_order.values.ravel().round(9), [-1.0, 1.0])
    assert set(found.data.verdict.values[best]) <= {"equilibrium", "undecided"}


def test_a_solution_prints_radii_and_undecided_places() -> None:
    text = repr(Solution(a_list([0.5], undecided=8) | {"steps": ((), np.asarray(3))}, NO_CERTIFICATE))
    assert "at least 1 equilibrium; 8 places are undecided (437 boxes); complete: false (a reason)" in text
    assert "within 2e-14" in text
    assert "  undecided   [0.1, 0.2] × [0.25, 0.25000003]; " in text
    assert "; 2 more in data.undecided" in text


def test_hulls_of_mixed_strategies_are_separated_by_player() -> None:
    hulls = np.array([[[[0, 0.5], [0.5, 1]], [[0.25, 0.5], [np.nan, np.nan]]]])  # one player has one action
    assert undecided_in_words({"undecided": ((), hulls)}) == ["[0, 0.5] × [0.5, 1] | [0.25, 0.5]"]


def test_printed_intervals_show_their_width() -> None:
    hulls = np.array([[[[-1.0, 1.0]], [[0.0, 1e-300]]], [[[2.0, 2.0]], [[1 / 3, np.nextafter(1 / 3, 1)]]]])
    first, second = undecided_in_words({"undecided": ((), hulls)})
    assert first == "[-1, 1] × [0, 1e-300]"
    low, high = second.removeprefix("2 × [").removesuffix("]").split(", ")
    assert float(low) < float(high)


def test_printed_distances_and_hulls_hold_what_they_state() -> None:
    assert "within 7.9e-15" in repr(certificate(radius=7.81e-15))  # not 7.8e-15, which is too little
    inside = np.array([[[[0.12345678, 0.98765432]], [[-0.98765432, 0.5]]]])
    (words,) = undecided_in_words({"undecided": ((), inside)})
    assert words == "[0.1234, 0.9877] × [-0.9877, 0.5]"


def test_every_variable_of_a_list_has_a_meaning() -> None:
    data = dataset(a_list([0.5], undecided=1) | certificate(radius=1e-13).record())
    for name, variable in data.variables.items():
        assert variable.attrs["description"], name
    assert data.radius.dims == ("equilibrium",)  # that of the certificate has a name of its own
    assert float(data.certificate_radius) == 1e-13


def test_a_stored_certificate_keeps_its_radius_beside_a_list() -> None:
    proved = certificate(radius=1e-13, coverage="proved")
    again = Certificate.from_record(a_list([0.5]) | proved.record())
    assert again.radius == 1e-13
    assert "an equilibrium is proved within 1e-13" in repr(again)
    without = Certificate.from_record(a_list([0.5]) | certificate().record())
    assert without.radius is None


def test_a_caveat_names_the_places_that_are_undecided() -> None:
    caveats = Answer(
        STUDY, swept([a_list([0.5]), a_list([0.1], undecided=1), a_list([], undecided=2)])
    ).caveats
    place = "[0.1, 0.2] × [0.25, 0.25000003]"
    assert [line for line in caveats if "undecided" in line] == [
        f"undecided places: reach 0.02: {place}",
        f"undecided places: reach 0.03: {place} and 1 more",
    ]


def test_tables_have_the_number_and_whether_it_is_complete() -> None:
    data = swept([a_list([0.5]), a_list([0.1, 0.9], undecided=2)])
    table = Answer(STUDY, data).table
    columns = dict(zip(table.columns, zip(*table.texts, strict=True), strict=True))
    assert list(filter(None, columns["equilibria"])) == [
        "exactly 1 equilibrium, proved",
        "at least 2 equilibria; 2 places are undecided",
    ]
    assert len(table.rows) == 3  # one per equilibrium
    found, _ = Answer(STUDY, data).result_tables
    assert [one.summary for one in found] == [
        "exactly 1 equilibrium, proved (437 boxes)",
        "at least 2 equilibria; 2 places are undecided (437 boxes)",
    ]
    assert [len(one.undecided) for one in found] == [0, 2]
    (row,) = found[0].tables[0].rows
    assert row["proof"].text == "within 2e-14"
    assert sum(entry.mean == 0.5 for entry in row.values()) == 2


# -- certificates --------------------------------------------------------------------------------------


def test_a_proved_equilibrium_is_reported_with_its_radius() -> None:
    rows = [a_list([0.5]) | certificate(coverage="proved", radius=r).record() for r in (1e-14, 3e-13)]
    data = swept(rows)
    assert claims(Answer(STUDY, data)) == [
        "certificates: 2 equilibrium, for 2 an equilibrium is proved within 3e-13"
    ]
    assert [(row["coverage"], row["rounding"], row["radius"]) for row, _ in cells(data)] == [
        ("proved", "outward", 1e-14),
        ("proved", "outward", 3e-13),
    ]


def test_why_nothing_is_proved_is_said_once() -> None:
    why = "no bound: an index depends on choices of players"
    proof = certificate(
        bound=np.full(2, np.inf), coverage="lower bound", method=f"9 climbs; {why}", rounding=""
    )
    rows = [{**proof.record(), **a_list([0.5])} for _ in range(3)]
    data = swept(rows)
    assert unproved(Answer(STUDY, data).cells) == [f"{why} (3 cells)"]
    assert claims(Answer(STUDY, data))[1:] == [f"not proved: {why} (3 cells)"]


# -- pictures ------------------------------------------------------------------------------------------


def test_the_kinds_of_boxes_are_the_reasons_of_the_method() -> None:
    drawn = ["derivatives", "a better strategy", "order of players", "around a point"]
    assert [REASONS[number] for number in KINDS] == drawn
    assert (REASONS[DERIVATIVES], REASONS[UNDECIDED]) == ("derivatives", "undecided")
    assert len(REASONS) == UNDECIDED + 1


def test_boxes_are_drawn_by_reason_with_all_points() -> None:
    record = a_list([0.5], undecided=1) | {
        "first_order": (("point", "player", "axis"), np.array([[[0.5], [0.5]], [[0.7], [0.6]]])),
        "verdict": (("point",), np.array(["equilibrium", "not an equilibrium"])),
    }
    ax = rv.plots.enumeration(dataset(record))
    assert labels(ax) == [
        *(KINDS[reason][0] for reason in (1, 2, 4)),
        "undecided place",
        "first-order point that is no equilibrium",
        "equilibrium, proved",
    ]
    np.testing.assert_array_equal(lines(ax, "equilibrium, proved")[0].get_xydata(), [[0.5, 0.5]])
    (other,) = lines(ax, "first-order point that is no equilibrium")
    np.testing.assert_array_equal(other.get_xydata(), [[0.7, 0.6]])
    np.testing.assert_allclose(lines(ax, "undecided place")[0].get_xydata(), [[0.15, 0.25]])
    assert ax.get_title(loc="left").startswith(
        "at least 2 first-order points, 1 of them an equilibrium; 1 place"
    )


@pytest.mark.slow
def test_what_was_cut_off_is_coloured_only_once_the_search_has_ended() -> None:
    def background(record: Record) -> int:
        marks = rv.plots.enumeration.marks_of(dataset(record)).marks
        return sum(mark.kind == "region" and len(mark.x) == 2 and not len(mark.y) for mark in marks)

    ended, stopped = a_list([0.5]), a_list([0.5]) | {"status": ((), np.asarray("iteration limit"))}
    some = a_list([0.5]) | {"discarded": (("reason",), np.array([9, 9, 9, 9, 9]))}  # more than are drawn
    assert [background(each) for each in (ended, stopped, some)] == [1, 0, 0]


def test_boxes_are_drawn_beside_plot_data_with_dimensions_of_the_same_name() -> None:
    record = a_list([0.5]) | {"resource_points": (("point", "coordinate"), np.zeros((9, 1)))}
    data = dataset(record | {"verdict": (("point",), np.array(["equilibrium"]))})
    assert data.resource_points.dims == ("point", "resource_points_coordinate")
    assert data.verdict.dims == ("verdict_point",)
    assert "equilibrium, proved" in labels(rv.plots.enumeration(data))


def test_boxes_of_one_choice_are_not_drawn() -> None:
    record = a_list([0.5]) | {"drawn_box": (("drawn", "end", "coordinate"), np.array([[[0.0], [1.0]]] * 4))}
    with pytest.raises(ValueError, match="drawn_box: the boxes have 1 coordinate; must be two"):
        rv.plots.enumeration(dataset(record))


@pytest.mark.parametrize("family", ["influencer", "market", "a_file.py:game"])
def test_boxes_are_the_first_default_figure(family: str) -> None:
    assert default_figures(family, swept([a_list([0.5])]))[0] == {
        "kind": "enumeration",
        "at": {"algorithm": "all"},
    }


def test_a_list_is_drawn_on_best_responses() -> None:
    at = np.linspace(0.0, 10.0, 12)
    curves: Record = {
        "reaction": (("duellist", "grid_point"), np.stack([6 - at / 2, 6 - at / 2])),
        "reaction_at": (("duellist", "grid_point"), np.stack([at, at])),
    }
    ax = rv.plots.reaction(dataset(a_list([4.0]) | curves))
    np.testing.assert_array_equal(lines(ax, "exactly 1 equilibrium, proved")[0].get_xydata(), [[4.0, 4.0]])
    wide = {name: value for name, value in a_list([4.0]).items() if "axis" not in value[0]}
    wide["equilibria"] = (("equilibrium", "player", "axis"), np.zeros((1, 2, 2)))  # further choices
    assert "exactly 1 equilibrium, proved" not in labels(rv.plots.reaction(dataset(wide | curves)))
