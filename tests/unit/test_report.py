"""The report: verdicts, certificates, and a self-contained, escaped page built from stored files."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.cli.show import describe
from rivalry.cli.values import settings, sweeps
from rivalry.core.results import CLAIMS, Record, collect
from rivalry.lab.checks import cells as judged_cells
from rivalry.lab.checks import judge, results, tally
from rivalry.lab.figures import draw_own
from rivalry.lab.report.commands import commands
from rivalry.lab.report.page import build, in_words, number
from rivalry.lab.store import Run
from rivalry.lab.study import Study, load_study
from rivalry.lab.study.expect import applicable, differences
from tests.duel_study import store
from tests.unit.stored_run import THRESHOLD, stored, study

STUDY: dict[str, Any] = {"game": {"family": "influencer", "reach": [0.2, 0.2]}}


def record(**values: Any) -> Record:
    """A finished, certified cell of two players."""
    plain: Record = {
        "status": ((), np.asarray("converged")),
        "claim": ((), np.asarray("equilibrium")),
        "coverage": ((), np.asarray("tight")),
        "regret": (("player",), np.zeros(2)),
        "bound": (("player",), np.full(2, 1e-9)),
        "profile": (("player", "axis"), np.array([[0.25], [0.75]])),
    }
    for name, value in values.items():
        array = np.asarray(value)
        plain[name] = (("player",) if array.ndim else (), array)
    return plain


def data_of(cells: dict[tuple[float, str], Record], planned: int = 4) -> xr.Dataset:
    """Return cells over reaches 0.1 and 0.2 and methods a and b; cells not given are planned but missing."""
    every = [(reach, method) for reach in (0.1, 0.2) for method in ("a", "b")][:planned]
    rows = [
        (
            {"reach": reach, "algorithm": method},
            {"cell": ((), np.asarray(f"{reach}{method}"))} | cells.get((reach, method), {}),
        )
        for reach, method in every
    ]
    return collect(rows, {"reach": [0.1, 0.2], "algorithm": ["a", "b"]})


def by_reach(made: Callable[[float], dict[str, Any]]) -> xr.Dataset:
    return data_of({(reach, name): record(**made(reach)) for reach in (0.1, 0.2) for name in ("a", "b")})


def full(**values: Any) -> xr.Dataset:
    return by_reach(lambda _: values)


def expectations(study: Study | dict[str, Any], data: xr.Dataset) -> list[dict[str, Any]]:
    return [judged.row for judged in judge(study, data)]


def row(data: xr.Dataset, quick: bool = False, **expect: Any) -> dict[str, Any]:
    return expectations(STUDY | {"expect": [expect], "quick_form": quick}, data)[0]


# -- verdicts ------------------------------------------------------------------------------------------


KEYS = [
    "study", "quantity", "at", "reduce", "ours",
    "published", "published_tolerance", "published_tolerance_reason", "published_verdict",
    "read", "locator", "entry", "part", "why", "expected", "tolerance", "within", "expected_verdict",
    "reason", "certificate", "equals",
]  # fmt: skip


CERTIFICATE = [
    *("cell", "algorithm", "at", "regret", "bound", "coverage", "rounding", "radius", "claim", "reason")
]


def verdict(data: xr.Dataset, quick: bool = False, **expect: Any) -> str | None:
    found: str | None = row(data, quick, **expect)["expected_verdict"]
    return found


def verdicts(found: dict[str, Any]) -> tuple[str | None, str | None]:
    return found["published_verdict"], found["expected_verdict"]


def test_a_row_has_the_keys_and_values_that_scripts_rely_on() -> None:
    found = row(full(threshold=0.19), quantity="threshold", expected=0.188815, tolerance=0.01)
    assert list(found) == KEYS
    assert (found["ours"], found["certificate"]) == (0.19, "equilibrium")
    assert verdicts(found) == (None, "agrees")
    rest = set(KEYS) - {
        *("quantity", "at", "ours", "expected", "tolerance"),
        *("expected_verdict", "certificate", "study"),
    }
    assert all(found[key] is None for key in rest)


@pytest.mark.parametrize(
    ("expect", "both"),
    [
        ({"published": 0.2, "published_tolerance": 0.01}, ("agrees", None)),
        ({"published": 0.2, "published_tolerance": 0.009}, ("differs", None)),
        (
            {"published": 0.2, "published_tolerance": 0.0, "expected": 0.19, "tolerance": 1e-6},
            ("differs", "agrees"),
        ),
        (
            {"published": 0.19, "published_tolerance": 0.0, "expected": 0.2, "tolerance": 0.001},
            ("agrees", "differs"),
        ),
        (
            {"published": 0.2, "published_tolerance": 0.001, "expected": 0.19, "tolerance": 0.09},
            ("differs", "agrees"),
        ),
        ({"within": [0.18, 0.19]}, (None, "agrees")),
        ({"within": [0.1, 0.18], "published": 0.19, "published_tolerance": 0}, ("agrees", "differs")),
        ({"expected": 0.19}, (None, "agrees")),
        ({"expected": 0.1901}, (None, "differs")),
        # half of the value is a factor of two; a wider tolerance resolves none
        ({"expected": 0.15, "tolerance": 0.075}, (None, "agrees")),
        ({"expected": 0.15, "tolerance": 0.076}, (None, "cannot be told apart")),
        ({"expected": 0.15, "tolerance": 0.16}, (None, "cannot be told apart")),
        ({"expected": 0.5, "tolerance": 0.26}, (None, "differs")),
        ({"expected": 0.0, "tolerance": 0.2}, (None, "agrees")),  # a bound on the size, not a value
        ({"expected": -0.01, "tolerance": 0.1}, (None, "differs")),
        ({"published": -0.01, "published_tolerance": 0.3}, ("cannot be told apart", None)),
        ({"published": "wide"}, ("not compared", None)),
        ({"published": "wide", "expected": 0.19}, ("not compared", "agrees")),
    ],
)
def test_published_values_have_verdicts_apart(expect: dict[str, Any], both: tuple[str | None, ...]) -> None:
    assert verdicts(row(full(threshold=0.19), quantity="threshold", **expect)) == both


def test_text_and_booleans_are_compared_exactly() -> None:
    assert verdicts(row(full(), quantity="claim", published="equilibrium"))[0] == "agrees"
    assert verdicts(row(full(), quantity="status", published="cycling"))[0] == "differs"
    found = row(full(safe=True), quantity="safe", published=True)
    assert (found["ours"], found["published_verdict"]) == (True, "agrees")


def test_the_tally_counts_published_values_and_checks() -> None:
    data = full(threshold=0.19)
    rows = [
        row(data, quantity="threshold", published=0.19, published_tolerance=0.0, expected=0.19),
        row(data, quantity="threshold", published=0.2, published_tolerance=0.0, expected=0.19, why="a slip"),
        row(data, quantity="threshold", published=0.3, published_tolerance=0.0, why="another"),
        row(data, quantity="treshold", published=0.3, published_tolerance=0.0),
    ]
    words = (
        "4 published values: 1 agrees, 2 differ (explained), 1 not compared; 2 independent checks: 2 agree"
    )
    assert tally(rows) == words
    rows[1]["why"] = None
    assert "2 differ (1 explained)" in tally(rows)
    assert tally([]) == ""
    wide = row(data, quantity="threshold", expected=0.1, tolerance=0.2)
    assert tally([wide]) == "1 independent check: 1 cannot be told apart"


# -- a run of a changed study ---------------------------------------------------------------------------


def changed(changes: dict[str, Any], data: xr.Dataset, **expect: Any) -> dict[str, Any]:
    tables: dict[str, Any] = {
        "game": {"family": "influencer", "reach": [0.2, 0.2], "resource": "bimodal"},
        "method": [{"name": name, "kind": "newton", "start": [0.3, 0.6]} for name in ("a", "b")],
        "sweep": {"game.reach": [0.1, 0.2]},
    }
    study = Study(**tables).with_changes(changes).resolved()
    return expectations({**study, "expect": [{"quantity": "gain", "expected": 1.0, **expect}]}, data)[0]


UNCHANGED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"replications.count": 5, "replications.seed": 3}, {}),
    ({"game.reach": 0.2}, {"at": {"reach": 0.2}}),
    ({"sweep.game.reach": [0.2, 0.3]}, {"at": {"reach": 0.2}}),
    ({"method.a.max_steps": 7}, {"at": {"algorithm": "b"}}),
    ({"game.resource": "bimodal"}, {}),
    ({"certificate.tolerance": 1e-3}, {}),
]


@pytest.mark.parametrize(("changes", "expect"), UNCHANGED)
def test_unaffected_expectations_are_compared(changes: dict[str, Any], expect: dict[str, Any]) -> None:
    data = full(gain=1.0)
    data = data.isel(reach=1, drop=True) if changes == {"game.reach": 0.2} else data
    assert verdicts(changed(changes, data, **expect))[1] == "agrees"


CHANGED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"game.resource": "unimodal"}, {}, "game.resource = 'unimodal' in this run, 'bimodal' in the study"),
    ({"game.reach": 0.3}, {}, "game.reach = [0.3, 0.3] in this run, 0.1, 0.2 in the study"),
    (
        {"game.reach": 0.3},
        {"at": {"reach": 0.2}},
        "game.reach = [0.3, 0.3] in this run, 0.1, 0.2 in the study",
    ),
    (
        {"sweep.game.reach": [0.2, 0.3]},
        {"reduce": "max"},
        "game.reach = 0.2, 0.3 in this run, 0.1, 0.2 in the study",
    ),
    ({"method.a.max_steps": 7}, {}, "method.a.max_steps = 7 in this run, the default in the study"),
    (
        {"method.a.max_steps": 7},
        {"at": {"algorithm": "a"}},
        "method.a.max_steps = 7 in this run, the default in the study",
    ),
    (
        {"certificate.tolerance": 1e-3},
        {"quantity": "claim", "expected": "equilibrium"},
        "certificate.tolerance = 0.001 in this run, 1e-06 in the study",
    ),
]


@pytest.mark.parametrize(("changes", "expect", "reason"), CHANGED)
def test_expectations_affected_by_changes_are_not_compared(
    changes: dict[str, Any], expect: dict[str, Any], reason: str
) -> None:
    found = changed(changes, full(gain=1.0), **expect)
    assert (verdicts(found)[1], found["reason"]) == ("not compared", reason)


def test_a_new_sweep_is_compared_at_the_value_of_the_study() -> None:
    data = by_reach(lambda reach: {"gain": 10 * reach})
    tables: dict[str, Any] = {
        "game": {"family": "influencer", "reach": [0.1, 0.1]},
        "method": {"kind": "newton"},
        "expect": [{"quantity": "gain", "expected": 1.0}],
    }
    study = Study(**tables)
    (found,) = expectations(study.with_changes({"sweep.game.reach": [0.1, 0.2]}).resolved(), data)
    assert (found["ours"], found["expected_verdict"]) == (1.0, "agrees")
    (found,) = expectations(study.with_changes({"sweep.game.reach": [0.2, 0.3]}).resolved(), data)
    assert found["expected_verdict"] == "not compared"


def test_an_omitted_key_is_compared_with_its_default() -> None:
    study = Study(game={"family": "race"}, method={"kind": "closed_form"})
    assert study.with_changes({"game.disaster_cost": 1.0}).base is None
    (one,) = differences(study.with_changes({"game.disaster_cost": 4.0}).resolved())
    assert one.words == "game.disaster_cost = 4.0 in this run, 1.0 in the study"
    (one,) = differences(study.with_changes({"sweep.game.disaster_cost": [1.0, 4.0]}).resolved())
    assert applicable([one], {"quantity": "payoff"}) == ({"disaster_cost": 1.0}, "")


def copied(folder: Path, name: str, **words: str) -> Study:
    """Return the copy of a bundled study that `rivalry show` prints, with words of it replaced."""
    _, (text,) = describe(name)
    for old, new in words.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_study(path)


def race_of(study: Study) -> xr.Dataset:
    """Return a dataset with the points of a copy of ``race_stakes`` and its first expected value at all."""
    rows = [
        (study.place(cell), {"cell": ((), np.asarray(cell.id))} | record(p_safe=0.7159))
        for cell in study.cells()
    ]
    return collect(rows, study.axes(study.cells()))


def test_an_unchanged_copy_is_compared_as_its_original_is(tmp_path: Path) -> None:
    mine = copied(tmp_path, "race_stakes")
    rows, as_is = (expectations(one.resolved(), race_of(one)) for one in (mine, load_study("race_stakes")))
    assert [row | {"study": ""} for row in rows] == [row | {"study": ""} for row in as_is]
    assert [row["expected_verdict"] for row in rows] == ["agrees", *["differs"] * 4, "agrees"]
    # a key at its default is no change, nor are words that no number depends on
    unchanged = {'family = "race"': 'family = "race"\ngamma = 1.0', "How much": "By how much"}
    assert copied(tmp_path, "race_stakes", **unchanged).origin is None


@pytest.mark.slow
def test_a_changed_copy_is_compared_where_its_numbers_are_those_of_the_original(tmp_path: Path) -> None:
    words = "game.liability = 0.5 in this run, 0.0 in race_stakes"
    mine = copied(tmp_path, "race_stakes", **{'family = "race"': 'family = "race"\nliability = 0.5'})
    for one in (mine, mine.quick_form(), Study.from_resolved(mine.resolved())):
        rows = expectations(one.resolved(), race_of(one))
        assert {(row["expected_verdict"], row["reason"]) for row in rows} == {("not compared", words)}
    # the same rule as that of an option
    asked = load_study("race_stakes").with_changes({"game.liability": 0.5})
    rows = expectations(asked.resolved(), race_of(asked))
    assert {row["reason"] for row in rows} == {words.replace("in race_stakes", "in the study")}
    # points that are there still are compared, and the others need not be removed from the file
    fewer = copied(tmp_path, "race_stakes", **{"[0.0, 0.5, 1.0, 2.0, 5.0]": "[0.0, 0.25]"})
    verdicts_of = [row["expected_verdict"] for row in expectations(fewer.resolved(), race_of(fewer))]
    assert verdicts_of == ["agrees", *["not compared"] * 5]


def test_values_written_for_a_copy_are_compared_with_it(tmp_path: Path) -> None:
    changes = {
        'family = "race"': 'family = "race"\nliability = 0.5',
        "expected = 0.7159\n": "expected = 0.7\n",
    }
    mine = copied(tmp_path, "race_stakes", **changes)
    own, *others = expectations(mine.resolved(), race_of(mine))
    assert (own["expected"], own["expected_verdict"]) == (0.7, "differs")
    assert {row["expected_verdict"] for row in others} == {"not compared"}
    asked = mine.with_changes({"game.gamma": 0.9})
    own, *_ = expectations(asked.resolved(), race_of(asked))
    assert own["reason"] == "game.gamma = 0.9 in this run, 1.0 in the study"
    with pytest.raises(ValueError, match=r"mine.toml: expect\[0\]\.at.disaster_cost: 3.0 is not among"):
        copied(tmp_path, "race_stakes", **{"disaster_cost = 0.0 }": "disaster_cost = 3.0 }"} | changes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("race_stake", "based_on: 'race_stake' is not a bundled study; did you mean 'race_stakes'?"),
        ("tour", "based_on: tour is a study of studies; name one of its: calvano2020, "),
    ],
)
def test_a_copy_of_no_study_is_refused(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        copied(tmp_path, "race_stakes", **{'based_on = "race_stakes"': f'based_on = "{name}"'})


BY_PLAYER = by_reach(lambda reach: {"gain": [reach, 10 * reach]})
SINGLE = by_reach(lambda reach: {"gain": reach, "safe": reach > 0.1})
COMPANION = SINGLE.assign_coords(width=("reach", [5.0, 6.0]))
CONSTANT = full(gain=0.19).isel(reach=0, drop=True)  # at a reach of 0.2, of the game
OF_CLAIMS = {"quantity": "claim", "reduce": "share"}
COMPARED: list[tuple[xr.Dataset, dict[str, Any], float, str]] = [
    (BY_PLAYER, {"at": {"reach": 0.2, "player": 1}}, 2.0, "agrees"),
    (BY_PLAYER, {"at": {"algorithm": "b", "player": 0, "reach": 0.1}}, 0.1, "agrees"),
    (BY_PLAYER, {"at": {"reach": 0.15, "player": 0}}, 0.1, "not compared"),
    (BY_PLAYER, {"at": {"reach": 0.1, "player": 2}}, 0.1, "not compared"),
    (BY_PLAYER, {"at": {"algorithm": "c"}}, 0.1, "not compared"),
    (BY_PLAYER, {"at": {"width": 1}}, 0.1, "not compared"),
    (BY_PLAYER, {"reduce": "mean"}, 0.825, "agrees"),
    (BY_PLAYER, {"reduce": "min"}, 0.1, "agrees"),
    (BY_PLAYER, {"reduce": "max"}, 2.0, "agrees"),
    (BY_PLAYER, {"reduce": "share"}, 1.0, "agrees"),
    (COMPANION, {"at": {"width": 6}}, 0.2, "agrees"),
    (COMPANION, {"at": {"width": 7}}, 0.2, "not compared"),
    (CONSTANT, {"at": {"reach": 0.2}}, 0.19, "agrees"),
    (CONSTANT, {"at": {"reach": 0.3}}, 0.19, "not compared"),
    (SINGLE, {"quantity": "safe", "reduce": "share"}, 0.5, "agrees"),
    (SINGLE, {"reduce": "share", "equals": 0.1}, 0.5, "agrees"),
    (SINGLE, OF_CLAIMS | {"equals": "equilibrium"}, 1.0, "agrees"),
    (SINGLE, OF_CLAIMS | {"equals": "not an equilibrium"}, 0.0, "agrees"),
    (SINGLE, OF_CLAIMS, 1.0, "not compared"),
    (SINGLE, {"quantity": "claim", "reduce": "mean"}, 1.0, "not compared"),
]


@pytest.mark.parametrize(("data", "expect", "expected", "verdict"), COMPARED)
def test_values_are_selected_by_at_or_combined_by_reduce(
    data: xr.Dataset, expect: dict[str, Any], expected: float, verdict: str
) -> None:
    found = row(data, **{"quantity": "gain", "expected": expected, "tolerance": 1e-12, **expect})
    assert found["expected_verdict"] == verdict
    if verdict == "agrees":
        assert found["ours"] == pytest.approx(expected)


def test_an_unknown_quantity_is_reported_with_the_nearest_name() -> None:
    found = row(data_of({(0.1, "a"): record(threshold=0.2)}), quantity="treshold", expected=1.0)
    assert found["reason"] == "treshold is in no cell of this run; did you mean 'threshold'?"


def test_different_values_need_at_or_reduce() -> None:
    found = row(SINGLE, quantity="gain", expected=0.1)
    assert found["reason"] == "4 values that differ: pick one with at, or give reduce"


def test_missing_cells_and_missing_values_are_not_compared() -> None:
    partial = data_of({(0.1, "a"): record(gain=1.0)})
    first = row(partial, quantity="gain", expected=1.0)
    assert (first["ours"], verdicts(first)[1]) == (1.0, "not compared")
    assert first["reason"] == "3 of 4 cells are missing"
    other = row(partial, quantity="other", expected=1.0)
    assert (other["ours"], other["reason"]) == (None, "other is in no cell of this run")
    assert verdict(partial, quantity="gain", at={"reach": 0.1, "algorithm": "a"}, expected=1.0) == "agrees"
    assert row(partial, quantity="gain", at={"reach": 0.2}, expected=1.0)["ours"] is None
    assert row(full(gain=np.nan), quantity="gain", reduce="mean", expected=1.0)["ours"] is None
    assert row(full(gain=np.inf), quantity="gain", reduce="max", expected=1.0)["ours"] is None


def test_an_empty_run_is_not_compared() -> None:
    assert verdict(data_of({}), quantity="gain", expected=1.0) == "not compared"
    assert judged_cells(data_of({})) == []


def test_unplanned_cells_are_not_reported_as_missing() -> None:
    """A method that does not depend on a swept key is computed once."""
    data = data_of({(0.1, "a"): record(gain=1.0), (0.1, "b"): record(gain=1.0)}, planned=2)
    assert verdict(data, quantity="gain", expected=1.0) == "agrees"


def test_padding_for_absent_players_is_ignored() -> None:
    data = by_reach(lambda reach: {"gain": [1.0] if reach < 0.2 else [1.0, 3.0]})
    assert verdict(data, quantity="gain", reduce="mean", expected=10 / 6, tolerance=1e-9) == "agrees"


def test_quick_form_compares_only_values_marked_as_quick() -> None:
    data = full(gain=1.0)
    found = row(data, quick=True, quantity="gain", expected=1.0)
    assert (found["ours"], found["expected_verdict"]) == (1.0, "not compared")
    marked = STUDY | {"quick_form": True, "expect": [{"quantity": "gain", "expected": 1.0, "quick": True}]}
    assert expectations(marked, data)[0]["expected_verdict"] == "agrees"


def test_a_quick_form_without_a_reduction_is_compared_as_the_full_form() -> None:
    whole = STUDY | {"quick_form": True, "quick": {}, "expect": [{"quantity": "gain", "expected": 1.0}]}
    assert expectations(whole, full(gain=1.0))[0]["expected_verdict"] == "agrees"
    reduced = whole | {"quick": {"sweep.game.reach": [0.2]}}
    assert expectations(reduced, full(gain=1.0))[0]["reason"] == "not valid in a reduced run"


@pytest.mark.parametrize("weakest", CLAIMS)
def test_a_row_carries_the_weakest_certificate_of_its_cells(weakest: str) -> None:
    cells = {(r, m): record(gain=1.0) for r in (0.1, 0.2) for m in ("a", "b")}
    cells[0.2, "b"]["claim"] = ((), np.asarray(weakest))
    expect = [{"quantity": "gain", "expected": 1}, {"quantity": "gain", "expected": 1, "at": {"reach": 0.1}}]
    both, first = judge(STUDY | {"expect": expect}, data_of(cells))
    assert (both.row["certificate"], first.row["certificate"]) == (weakest, "equilibrium")


def test_a_cell_without_certificate_counts_as_the_weakest() -> None:
    cells = {(r, m): record(gain=1.0) for r in (0.1, 0.2) for m in ("a", "b")}
    for name in ("claim", "regret", "bound", "coverage"):
        del cells[0.1, "a"][name]
    assert row(data_of(cells), quantity="gain", expected=1)["certificate"] is None
    assert judged_cells(data_of(cells))[0][0] == {
        "cell": "0.1a", "algorithm": "a", "at": {"reach": 0.1},
        "regret": None, "bound": None, "coverage": None, "rounding": None,
        "radius": None, "claim": None, "reason": "",
    }  # fmt: skip


# -- certificates --------------------------------------------------------------------------------------


def test_certificates_report_maxima_over_players_finite_or_null() -> None:
    cells = {(0.1, "a"): record(regret=[0.5, 2.0], bound=[1.0, np.inf]), (0.2, "b"): record()}
    found = [row for row, _ in judged_cells(data_of(cells))]
    assert [list(one) for one in found] == [CERTIFICATE] * 2
    assert [one["cell"] for one in found] == ["0.1a", "0.2b"]
    assert (found[0]["regret"], found[0]["bound"]) == (2.0, None)
    assert (found[1]["regret"], found[1]["bound"]) == (0.0, 1e-9)
    assert "Infinity" not in json.dumps(found)
    assert "NaN" not in json.dumps(found)


def test_integer_padding_is_ignored() -> None:
    """Integers of players that a cell lacks are stored as -1 and left out."""
    two: Record = record() | {"move": (("player",), np.array([2, 0]))}
    three: Record = record() | {"move": (("player",), np.array([1, 1, 1]))}
    data = data_of({(0.1, "a"): two, (0.1, "b"): three}, planned=2)
    assert verdict(data, quantity="move", at={"algorithm": "a"}, reduce="min", expected=0) == "agrees"
    found = row(data, quantity="move", at={"algorithm": "a", "player": 2}, expected=0)
    assert (found["ours"], found["expected_verdict"]) == (None, "not compared")


def test_the_largest_distance_is_reported_per_cell() -> None:
    cells = {(0.1, "a"): record(distance=0.25), (0.2, "b"): record(distance=np.nan)}
    assert [about["distance"] for _, about in judged_cells(data_of(cells))] == [0.25, None]
    assert [about["distance"] for _, about in judged_cells(full())] == [None] * 4


def test_results_hold_payoffs_and_single_metrics_without_padding() -> None:
    one: Record = record() | {"payoff": (("player",), np.array([1.0, -2.0])), "size": ((), np.asarray(3))}
    two: Record = record() | {"share": ((), np.asarray(0.25)), "pure": ((), np.asarray(True))}
    first, second = results(data_of({(0.1, "a"): one, (0.2, "a"): two}))
    assert (first["algorithm"], first["at"], first["payoff"]) == ("a", {"reach": 0.1}, [1.0, -2.0])
    assert (first["status"], first["metrics"]["size"]) == ("converged", 3)
    assert {"share", "payoff", "claim", "cell"}.isdisjoint(first["metrics"])
    assert second["metrics"]["share"] == 0.25
    assert second["metrics"]["pure"] is True
    assert {"regret", "bound", "profile"}.isdisjoint(first["metrics"])
    per_player = record(output=[3.0, 4.0])
    (own,) = results(data_of({(0.1, "a"): per_player}))
    assert own["metrics"]["output"] == [3.0, 4.0]
    assert "size" not in second["metrics"]
    assert "NaN" not in json.dumps([first, second["metrics"]])


def test_certificates_aggregate_over_the_starts_of_a_cell() -> None:
    batch: Record = {
        "status": (("batch",), np.array(["converged", "cycling"])),
        "claim": (("batch",), np.array(["equilibrium", "no deviation found"])),
        "coverage": (("batch",), np.array(["tight", "lower bound"])),
        "regret": (("batch", "player"), np.array([[0.0, 1.0], [3.0, 2.0]])),
        "bound": (("batch", "player"), np.array([[1.0, 1.0], [np.inf, 1.0]])),
        "profile": (("batch", "player", "axis"), np.zeros((2, 2, 1))),
    }
    judged = judged_cells(data_of({(0.1, "a"): batch, (0.1, "b"): record()}, planned=2))
    found = [row for row, _ in judged]
    assert found[0] | {"cell": ""} == {
        "cell": "", "algorithm": "a", "at": {"reach": 0.1}, "regret": 3.0, "bound": None,
        "coverage": "lower bound", "rounding": None, "radius": None,
        "claim": "no deviation found", "reason": "",
    }  # fmt: skip
    assert found[1]["claim"] == "equilibrium"


# -- the page ------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """A parsed page: open tags, attributes, and text by tag."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.setdefault(self.open[-1] if self.open else "", []).append(data.strip())


def without_scripts(page: str) -> str:
    """The page without living figures and their data."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.S)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return stored(tmp_path_factory.mktemp("runs") / "three")


def page_of(run: Run) -> str:
    return build(run.folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return page_of(run)


def assert_is_well_formed(text: str) -> None:
    """Every tag is closed, identifiers are unique, and links within the page lead to one."""
    parsed = Page(text)
    assert parsed.open == []
    names = [value for _, name, value in parsed.attributes if name == "id"]
    assert len(names) == len(set(names))
    links = [value for _, name, value in parsed.attributes if name.endswith("href")]
    uses = {link[1:] for link in links if link.startswith("#")}
    uses |= set(re.findall(r"url\(#([^)]+)\)", without_scripts(text)))
    assert uses <= set(names)


def test_styles_of_the_page_are_allowed_by_their_hash_alone(page: str) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in page
    assert "unsafe-inline" not in page
    assert not re.search(r"<[^>]* style=", page)


@pytest.mark.slow
def test_page_contains_question_game_table_figures_and_versions(page: str) -> None:
    for words in (
        "At which reach does convergence to the middle end?",
        "the resource at every point is shared in proportion to influence",
        "uᵢ(x) = ",
        "0.188815",
        f"{THRESHOLD:.8g}",
        "✓ agrees",
        "rivalry run three",
        "numpy ",
        "5 of 5 cells computed",
    ):
        assert words in page, words
    assert page.count("<figure>") == 2
    assert "reduced run" not in page


def test_a_bundled_study_is_rerun_by_its_name(tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path / "run", load_study("matrix_classics").quick_form())
    assert (run.folder / "study.toml").exists()
    assert commands(run)[0][0] == "rivalry run matrix_classics --quick"


@pytest.mark.parametrize(
    "changes",
    [
        {"game.reach": 0.25},
        {"game.reach": [0.1, 0.2, 0.3], "method.gradient_ascent.max_steps": 3},
        {"sweep.game.reach": [0.2, 0.3]},
        {"game.resource": {"kind": "mixture", "means": [0.5]}, "replications.count": 2},
    ],
)
def test_the_command_repeats_the_changes_of_a_run(tmp_path: Path, changes: dict[str, Any]) -> None:
    made = study(plots=[]).with_changes(changes)
    run = Run.create_or_open(tmp_path / "run", made)
    words = shlex.split(commands(run)[0][0])
    assert words[:3] == ["rivalry", "run", "three"]
    pairs = list(zip(words[3::2], words[4::2], strict=True))
    found = settings([value for option, value in pairs if option == "--set"])
    found |= sweeps([value for option, value in pairs if option == "--sweep"])
    assert study(plots=[]).with_changes(found) == made


@pytest.mark.slow
def test_warnings_of_cells_are_listed_once_and_truncated(tmp_path: Path, page: str) -> None:
    assert "Warnings" not in page
    run = stored(tmp_path / "run")
    with run.locking():
        for k, place in enumerate(run.cells):
            own = [f"UserWarning: {word} <b>" for word in ("tired", "late", "lost", "blind", "deaf", "mute")]
            run.note(
                place.id, "done", 1.0, "\n".join([f"UserWarning: {k}% unseen", *own[: 6 if k == 1 else 0]])
            )
    text = page_of(run)
    assert Page(text).words["li"][-6:] == [
        "0% unseen (5 cells, with other numbers)",
        *(f"{word} <b>" for word in ("tired", "late", "lost", "blind")),
        "... and 2 more in log.txt",
    ]
    assert Page(text).open == []


@pytest.mark.representative
def test_page_is_well_formed_with_unique_identifiers(page: str) -> None:
    assert_is_well_formed(page)


def test_page_loads_no_external_resources(page: str) -> None:
    for _, name, value in Page(page).attributes:
        if name in ("src", "href", "xlink:href", "action", "data"):
            assert value.startswith("#"), value
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    assert "default-src 'none'" in page


@pytest.mark.slow
def test_same_data_give_the_same_files(run: Run, page: str) -> None:
    figures = {path.name: path.read_bytes() for path in (run.folder / "figures").iterdir()}
    assert sorted(figures) == ["01-bifurcation.svg", "02-paths.svg"]
    assert page_of(run) == page
    assert figures == {path.name: path.read_bytes() for path in (run.folder / "figures").iterdir()}


@pytest.mark.slow
def test_text_of_a_study_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    made = study(
        title=evil,
        question=evil,
        source=evil,
        expect=[{"quantity": "threshold", "published": evil, "why": evil, "locator": evil, "note": evil}],
        sweep={"game.reach": [0.17, 0.2]},
    )
    text = page_of(stored(tmp_path / "evil", made, leave=1, fail=evil))
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;") >= 6
    assert Page(text).open == []


@pytest.mark.slow
def test_neither_game_nor_jax_nor_user_file_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def contest():\n    raise SystemExit('the user’s file was run')\n")
    made = study(game={"family": "mine.py:contest", "reach": 0.2}, sweep={}, folder=tmp_path)
    folder = stored(tmp_path / "run", made).folder
    code = (
        "import sys; from rivalry.lab.report.page import build; build(sys.argv[1]); "
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in ('jax', 'mine', 'equinox') "
        "or name.startswith('rivalry_user') "
        "or name.startswith('rivalry.families.') and name.count('.') > 2 and not name.endswith('.figures')))"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
    assert "a game defined in mine.py:contest" in (folder / "report.html").read_text(encoding="utf-8").lower()


@pytest.mark.slow
def test_a_failing_figure_is_named_and_the_others_are_drawn(tmp_path: Path) -> None:
    made = study(
        plots=["paths", {"kind": "landscape", "player": 7}, {"kind": "paths", "quantity": "payoff"}], sweep={}
    )
    folder = stored(tmp_path / "run", made).folder
    for old in ("02-landscape.svg", "09-old.svg"):
        (folder / "figures" / old).write_text("<svg/>")
    said: list[str] = []
    text = build(folder, said.append).read_text(encoding="utf-8")
    why = "player: 7 must be a whole number from 0 to 2"
    assert [line.partition(": ")[2] for line in said] == [f"plots[1] (landscape) was not drawn: {why}"]
    assert "landscape, was not drawn" in text
    assert "player: 7 must be a whole number from 0 to 2" in text
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["01-paths.svg", "03-paths.svg"]


@pytest.mark.slow
def test_custom_plots_are_drawn_separately_and_embedded_from_files(tmp_path: Path) -> None:
    mine = (
        "def ends(data, ax=None, *, colour='black'):\n    ax.plot(data.regret.values.ravel(), color=colour)\n"
        "def broken(data, ax=None):\n    raise RuntimeError('no luck')\n"
    )
    (tmp_path / "mine.py").write_text(mine)
    rows = ["mine.py:ends", "paths", {"kind": "mine.py:ends", "colour": "green"}, "mine.py:broken"]
    run = stored(tmp_path / "run", study(plots=rows, sweep={}, folder=tmp_path))
    assert "mine.py:ends, was not drawn" in page_of(run)
    assert draw_own(run) == ["plots[3] (mine.py:broken) was not drawn: RuntimeError: no luck"]
    (tmp_path / "mine.py").unlink()  # the report needs only the stored figures
    text = page_of(run)
    for file in ("01-ends.svg", "03-ends.svg"):
        svg = (run.folder / "figures" / file).read_bytes()
        assert f"data:image/svg+xml;base64,{b64encode(svg).decode()}" in text
    assert text.count("Drawn by mine.py:ends.") == 4  # per figure: in the caption and for screen readers
    assert "mine.py:broken, was not drawn" in text
    assert Page(text).open == []


@pytest.mark.slow
def test_quick_partial_failed_and_damaged_runs_are_marked(tmp_path: Path) -> None:
    made = study(quick={"sweep.game.reach": [0.2, 0.25, 0.3]}).quick_form()
    run = stored(tmp_path / "run", made, leave=1, fail="ValueError: reach must be above 0")
    path = run.cell_path(run.cells[0].id)
    path.write_bytes(path.read_bytes()[:-1])
    text = page_of(run)
    for words in (
        "reduced run",
        "--quick",
        "of 3 cells are missing",
        "ValueError: reach must be above 0",
        "reach = 0.3",
        f"cells/{path.name}",
        "and left out",
        "not compared",
        "not valid in a reduced run",
    ):
        assert words in text, words


@pytest.mark.slow
def test_a_quick_form_without_a_reduction_is_not_called_reduced(tmp_path: Path) -> None:
    text = page_of(stored(tmp_path / "run", study().quick_form()))
    assert "reduced run" not in text
    assert "✓ agrees" in text
    assert "rivalry run three --quick" in text


@pytest.mark.slow
def test_a_run_without_results_has_a_page(tmp_path: Path) -> None:
    text = page_of(Run.create_or_open(tmp_path / "run", study()))
    assert "No cell has finished yet." in text
    assert text.count("was not drawn") == 2


def test_numbers_are_short_and_plain() -> None:
    assert number(0.1888148014, 8) == "0.1888148"
    assert number(-1e-9) == "−1e−9"
    assert number(None) == "–"
    assert in_words([[1.0, 0.5], [2, 3]]) == "(1, 0.5), (2, 3)"
    assert in_words(list(range(40))).endswith("11, … (40 values)")


@pytest.mark.slow
def test_the_command_line_reports_both_verdicts_and_explanations(tmp_path: Path) -> None:
    from rivalry.cli.summary import references

    given = {"quantity": "threshold", "published": 0.2, "published_tolerance": 0.005, "why": "a slip"}
    given["published_tolerance_reason"] = "rounding"
    rows = [{**given, "within": [0.1, 0.3]}, {"quantity": "treshhold", "expected": 1}]
    run = stored(tmp_path / "run", study(expect=rows, sweep={"game.reach": [0.17]}))
    found = references(expectations(run.head["study"], run.dataset()), parts=False)
    caveats = run.answer.caveats
    assert found[0] == (
        "reference values: 1 published value: 1 differs (explained); "
        "2 independent checks: 1 agrees, 1 not compared"
    )
    assert "0.1 to 0.3" in repr(found[2])
    assert caveats == [
        "not equilibria: 1 of 1 row",
        "differs from the published value: threshold: a slip",
        "not compared: 1 (treshhold is in no cell of this run; did you mean 'threshold'?)",
    ]


@pytest.mark.slow
def test_changes_from_the_study_are_reported_above_the_answer(tmp_path: Path) -> None:
    made = study(sweep={"game.reach": [0.17, 0.2]}, plots=[])
    made = made.with_changes({"method.gradient_ascent.max_steps": 3})
    text = page_of(stored(tmp_path / "run", made))
    assert "max steps 3 instead of the default" in text
    assert "Asked of the study as written: " in text
    heads = [f"<h2>{head}</h2>" for head in ("Results", "Caveats", "Published and expected values")]
    places = [text.index(words) for words in ("Asked of the study", "max steps 3 instead of", *heads)]
    assert places == sorted(places)
    assert "1 value not compared" in text
    again = Study.from_resolved(json.loads(json.dumps(made.resolved())))
    assert again == made
    assert again.with_changes({"replications.count": 2}).base == made.base


@pytest.mark.slow
def test_rule_labels_are_explained_once_where_used(tmp_path: Path, page: str) -> None:
    text = page_of(stored(tmp_path / "run", study(title="TURN against DICT")))
    assert text.count("TURN: resources assigned by turn-taking") == 1
    assert text.count("DICT: resources assigned by true urgency") == 1
    assert "COIN: " not in text
    assert "TURN: " not in page


def test_sections_are_in_order_and_notes_come_once(page: str) -> None:
    assert Page(page).words["h2"] == [
        *("Results", "Caveats", "Published and expected values", "Further figures"),
        *("Details", "Certificates", "The game", "How it was computed"),
        *("How to run it again", "Versions", "Notes"),
    ]
    assert page.index("<figure>") < page.index("<h2>Results</h2>")
    assert page.count("Two verdicts per value") == 1


def test_results_are_a_table(page: str) -> None:
    # the closed form: convergence to the middle ends at a reach of 0.1888
    cells = Page(page).words["td"]
    assert {"not an equilibrium", "equilibrium"} <= {*cells}
    assert [value for value in ("0.16", "0.17", "0.2", "0.25", "0.3") if value in cells] == [
        *("0.16", "0.17", "0.2", "0.25", "0.3")
    ]


@pytest.mark.slow
def test_only_refuted_claims_are_marked(tmp_path: Path, page: str) -> None:
    assert 'class="weak">not an equilibrium' in page
    run = Run.create_or_open(tmp_path / "run", study(sweep={"game.reach": [0.2]}, plots=[]))
    with run.locking():
        store(run, run.cells[0].id, {"status": ((), np.asarray("completed"))})
    text = page_of(run)
    assert "no certificate" in text
    assert 'class="weak"' not in text


@pytest.mark.slow
def test_a_study_of_studies_begins_with_a_question_and_a_picture_per_study(tmp_path: Path) -> None:
    expect = [{"quantity": "threshold", "expected": float(THRESHOLD), "tolerance": 1e-9}]
    expect.append({"quantity": "treshold", "expected": 0.1})
    tables: dict[str, Any] = {"sweep": {"game.reach": [0.2, 0.25]}, "expect": expect}
    parts = {
        name: study(name=name, title=f"Part {name}", plots=["bifurcation"], **tables)
        for name in ("one", "two")
    }
    made = Study(name="both", title="Both", include=["one", "two"], included=parts)
    run = Run.create_or_open(tmp_path / "both", made)
    for name in parts:
        stored(run.folder / name, parts[name])
    text = page_of(run)
    shown = re.sub(r'<details class="part">.*?</section>', "", without_scripts(text), flags=re.S)
    assert shown.count("<svg") == 2
    assert (text.count("1 value not compared"), text.count("<h2>Notes</h2>")) == (2, 1)
    assert [text.count(f'<section id="{name}">') for name in parts] == [1, 1]
    assert 'href="#two"' in text
    assert_is_well_formed(text)
