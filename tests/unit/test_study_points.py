"""Dotted keys, spaced values, points of a sweep."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivalry.lab.study import StudyError, document
from rivalry.lab.study import names as studied
from rivalry.lab.study.identity import plain
from rivalry.lab.study.points import Grid, apply_changes, change_entry, flat, short_names, split_key, values
from tests.duel_study import study

names = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
keys = st.lists(names, min_size=1, max_size=4)


@given(keys, st.lists(st.integers(0, 99), max_size=2))
@pytest.mark.slow
def test_a_dotted_key_is_split_into_its_parts(parts: list[str], indices: list[int]) -> None:
    text = ".".join(parts) + "".join(f"[{k}]" for k in indices)
    assert split_key(text) == [*parts, *indices]


@pytest.mark.parametrize(
    "key", ["", "game.", ".reach", "game..reach", "game.reach[", "game.reach[a]", "a b", "a[-1]"]
)
def test_invalid_dotted_keys_are_refused(key: str) -> None:
    with pytest.raises(StudyError, match="no dotted key"):
        split_key(key)


finite = st.floats(-1e6, 1e6)


@pytest.mark.slow
@given(finite, finite, st.integers(2, 50))
def test_linear_values_are_evenly_spaced_with_both_ends(first: float, last: float, count: int) -> None:
    if first == last:
        return
    found = values({"from": first, "to": last, "count": count}, "game.reach")
    assert len(found) == count
    assert (found[0], found[-1]) == (first, last)
    step = (last - first) / (count - 1)
    assert all(math.isclose(b - a, step, rel_tol=1e-6, abs_tol=1e-6) for a, b in pairwise(found))


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 50))
def test_logarithmic_values_have_equal_ratios(first: float, last: float, count: int) -> None:
    if first == last:
        return
    found = values({"from": first, "to": last, "count": count, "scale": "log"}, "game.reach")
    assert (found[0], found[-1]) == (first, last)
    ratio = (last / first) ** (1 / (count - 1))
    assert all(math.isclose(b / a, ratio, rel_tol=1e-9) for a, b in pairwise(found))


def test_integer_ends_give_integers_if_all_values_are_integers() -> None:
    assert values({"from": 2, "to": 8, "count": 4}, "game.players") == [2, 4, 6, 8]
    assert all(isinstance(v, int) for v in values({"from": 2, "to": 8, "count": 4}, "game.players"))
    assert values({"from": 2, "to": 3, "count": 3}, "game.players") == [2.0, 2.5, 3.0]


def test_the_last_key_of_a_grid_varies_fastest() -> None:
    grid = Grid({"game.a": [1, 2], "method.m.b": ["x", "y"]}, "sweep")
    assert list(grid) == [
        {"game.a": 1, "method.m.b": "x"},
        {"game.a": 1, "method.m.b": "y"},
        {"game.a": 2, "method.m.b": "x"},
        {"game.a": 2, "method.m.b": "y"},
    ]


def test_zip_pairs_keys() -> None:
    grid = Grid({"zip": True, "game.a": [1, 1], "game.b": [3, 4]}, "sweep")
    assert list(grid) == [{"game.a": 1, "game.b": 3}, {"game.a": 1, "game.b": 4}]
    with pytest.raises(StudyError, match=r"sweep\.zip: needs keys with equally many values"):
        Grid({"zip": True, "game.a": [1, 2], "game.b": [3]}, "sweep")


def test_an_empty_sweep_is_one_point() -> None:
    assert list(Grid({}, "sweep")) == [{}]


def test_nested_tables_become_dotted_keys() -> None:
    assert flat({"game": {"resource": {"means": [1]}, "x": {"from": 1, "to": 2}}}) == {
        "game.resource.means": [1],
        "game.x": {"from": 1, "to": 2},
    }


def test_short_names_are_unambiguous() -> None:
    found = short_names(["game.reach", "method.a.rate", "game.a.rate", "game.player"])
    assert found == {
        "game.reach": "reach",
        "method.a.rate": "method.a.rate",
        "game.a.rate": "game.a.rate",
        "game.player": "game.player",
    }


@pytest.mark.parametrize(
    ("table", "path", "value", "players", "expected"),
    [
        ({"reach": [1.0, 2.0]}, ["reach"], 3.0, None, {"reach": [3.0, 3.0]}),
        ({"reach": [1.0, 2.0]}, ["reach"], [3.0], None, {"reach": [3.0]}),
        ({"reach": [1.0, 2.0]}, ["reach", 1], 3.0, None, {"reach": [1.0, 3.0]}),
        ({"reach": 1.0}, ["reach"], 3.0, 3, {"reach": 3.0}),
        ({"reach": 1.0}, ["reach", 1], 3.0, 3, {"reach": [1.0, 3.0, 1.0]}),
        ({}, ["reach"], 3.0, None, {"reach": 3.0}),
        ({}, ["resource", "kind"], "beta", None, {"resource": {"kind": "beta"}}),
        ({"name": ["a", "b"]}, ["name"], "c", None, {"name": "c"}),
    ],
)
def test_put_changes_one_entry_of_a_copy(
    table: dict[str, Any], path: list[str | int], value: Any, players: int | None, expected: dict[str, Any]
) -> None:
    before = repr(table)
    assert change_entry(table, path, value, "key", players) == expected
    assert repr(table) == before


@pytest.mark.parametrize(
    ("table", "path", "says"),
    [
        ({"reach": [1.0]}, ["reach", 1], r"\[1\] must be in 0\.\.0"),
        ({}, ["reach", 1], "needs a list to reach into, but nothing is there"),
        ({"resource": "bimodal"}, ["resource", "means"], "needs a table with a key 'means', but 'bimodal'"),
    ],
)
def test_invalid_paths_are_refused(table: dict[str, Any], path: list[str | int], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        change_entry(table, path, 1.0, "key", None)


def test_methods_are_addressed_by_name() -> None:
    game, methods = apply_changes(
        {"a": 1}, [{"name": "x", "r": 1}, {"name": "y"}], {"method.y.r": 2, "game.a": 3}
    )
    assert (game, methods) == ({"a": 3}, [{"name": "x", "r": 1}, {"name": "y", "r": 2}])
    with pytest.raises(StudyError, match=r"method\.z\.r: 'z' is not the name of a method here; known: x, y"):
        apply_changes({}, [{"name": "x"}, {"name": "y"}], {"method.z.r": 2})


def test_an_entry_of_a_learners_table_may_be_set_where_a_number_stands() -> None:
    method = {"name": "q", "step_size": 0.1, "exploration": [0.2, 0.3], "epochs": 5}
    changes = {"method.q.step_size.value": 0.5, "method.q.exploration.end": 0.01}
    _, (changed,) = apply_changes({}, [method], changes)
    assert changed == method | {
        "step_size": {"value": 0.5},
        "exploration": {"start": [0.2, 0.3], "end": 0.01},
    }
    with pytest.raises(StudyError, match=r"epochs\.value: needs a table with a key 'value', but 5 is there"):
        apply_changes({}, [method], {"method.q.epochs.value": 1})


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (3, "sweep.game.reach: 3 must be a list of values or { from, to, count }"),
        ([], "sweep.game.reach: [] must hold at least one value"),
        ([1, {"a": 2}], "sweep.game.reach[1]: {'a': 2} must be a number, a word or a list"),
        ([1.0, math.nan], "sweep.game.reach[1]: nan must be finite"),
    ],
)
def test_values_that_cannot_be_swept_are_refused(form: Any, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        values(form, "sweep.game.reach")
    assert str(caught.value) == message


def test_zip_is_true_or_false() -> None:
    with pytest.raises(StudyError, match=r"^sweep\.zip: 'yes' must be true or false$"):
        Grid({"zip": "yes", "game.reach": [1, 2]}, "sweep")


def test_only_entries_of_games_and_methods_are_changed() -> None:
    for key in ("reach", "sweep.reach", "method.rate"):
        with pytest.raises(StudyError, match=f"^{key}: must be game.KEY or method.NAME.KEY; NAME: rate$"):
            apply_changes({"family": "matrix"}, [{"name": "rate", "kind": "newton"}], {key: 1})


def test_arrays_become_lists_and_other_objects_are_refused() -> None:
    found = plain({"a": np.arange(3), "b": (1, np.float64(0.5)), 3: [np.array([True])]})
    assert found == {"a": [0, 1, 2], "b": [1, 0.5], "3": [[True]]}
    with pytest.raises(
        StudyError, match=r"^game\.b\[1\]: .* must be a number, true or false, a word, a list"
    ):
        plain({"b": [1, object()]}, "game")
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    with pytest.raises(StudyError, match=r"must be at most \d+ tables and lists deep"):
        plain(deep, "game")


def test_a_broken_package_does_not_hide_other_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"gone": "no_such_package_here", "tables": "rivalry:studies/tour"}
    monkeypatch.setattr(studied, "collect", lambda table: places)
    found = studied.studies()
    assert "gone" not in found
    assert str(found["tables"]).endswith("studies/tour.toml")
    assert "tour" in found


@pytest.mark.parametrize("base", [3, {"gaem": {}}])
def test_tables_of_the_unchanged_study_are_checked(base: Any, tmp_path: Path) -> None:
    stored = study(tmp_path).resolved()
    document.check_stored(stored)
    with pytest.raises(StudyError, match=r"^base: must be tables of a study$"):
        document.check_stored(stored | {"base": base})
