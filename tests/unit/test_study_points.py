"""Dotted keys, spaced values, points of a sweep."""

import math
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivalry.lab.study import Study, StudyError, document
from rivalry.lab.study import names as studied
from rivalry.lab.study.errors import read_key
from rivalry.lab.study.identity import plain
from rivalry.lab.study.points import Grid, apply_changes, change_entry, flat, short_names, values
from rivalry.schema.keys import MOST_PARTS, load_toml, parse_key, split_setting, write_key
from tests.duel_study import study

part = st.text(max_size=9) | st.text("ab.[]\"'\\= \n", max_size=9) | st.integers(0, 999_999_999)
keys = st.lists(part, min_size=1, max_size=MOST_PARTS).map(tuple)


@pytest.mark.slow
@given(keys, st.text(min_size=1))
def test_a_written_key_is_read_as_the_same_parts(key: tuple[str | int, ...], value: str) -> None:
    text = write_key(key)
    assert parse_key(text) == key
    assert "\n" not in text
    assert split_setting(f"{text} = {value}") == (text, value.strip())


@pytest.mark.slow
@given(st.lists(st.text(max_size=9), min_size=1, max_size=5))
def test_names_are_quoted_as_in_toml(names: list[str]) -> None:
    table = tomllib.loads(f"{write_key(names)} = 1")
    assert list(flat({"game": table})) == [("game", *names)]


def test_keys_have_the_forms_of_toml() -> None:
    key = ("game", "s>t", 1, "b.c")
    for text in ('game."s>t"[1]."b.c"', "game.'s>t'[1].'b.c'", r'game . "s\u003Et"[1] . "b.c"'):
        assert parse_key(text) == key
    assert parse_key("payoffs[0, 1]") == ("payoffs", 0, 1)


def test_invalid_keys_are_refused_in_one_line() -> None:
    wrong = ["", "game.", ".reach", "game..reach", "game.reach[", "game.reach[a]", "a b", "a[-1]", "s>t"]
    for text in [*wrong, 'a"b"', "a[0]b", 'a."b', 'a."\\x"']:
        with pytest.raises(StudyError, match=r"no dotted key; write one like game\.reach") as caught:
            read_key(text)
        assert caught.value.key == text
    for text, count in (("a" + ".a" * 20_000, "40001 characters"), ("a" + ".a" * 30, "31 parts")):
        with pytest.raises(StudyError, match=f"a key of {count}; must have at most") as caught:
            read_key(text)
        assert len(str(caught.value)) < 120


REACH = ("game", "reach")
finite = st.floats(-1e6, 1e6)


@pytest.mark.slow
@given(finite, finite, st.integers(2, 50))
def test_linear_values_are_evenly_spaced_with_both_ends(first: float, last: float, count: int) -> None:
    if first == last:
        return
    found = values({"from": first, "to": last, "count": count}, REACH)
    assert len(found) == count
    assert (found[0], found[-1]) == (first, last)
    step = (last - first) / (count - 1)
    assert all(math.isclose(b - a, step, rel_tol=1e-6, abs_tol=1e-6) for a, b in pairwise(found))


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 50))
def test_logarithmic_values_have_equal_ratios(first: float, last: float, count: int) -> None:
    if first == last:
        return
    found = values({"from": first, "to": last, "count": count, "scale": "log"}, REACH)
    assert (found[0], found[-1]) == (first, last)
    ratio = (last / first) ** (1 / (count - 1))
    assert all(math.isclose(b / a, ratio, rel_tol=1e-9) for a, b in pairwise(found))


def test_integer_ends_give_integers_if_all_values_are_integers() -> None:
    assert values({"from": 2, "to": 8, "count": 4}, ("game", "players")) == [2, 4, 6, 8]
    assert all(isinstance(v, int) for v in values({"from": 2, "to": 8, "count": 4}, ("game", "players")))
    assert values({"from": 2, "to": 3, "count": 3}, ("game", "players")) == [2.0, 2.5, 3.0]


def test_the_last_key_of_a_grid_varies_fastest() -> None:
    grid = Grid({"game.a": [1, 2], "method.m.b": ["x", "y"]}, "sweep")
    assert list(grid) == [
        {("game", "a"): 1, ("method", "m", "b"): "x"},
        {("game", "a"): 1, ("method", "m", "b"): "y"},
        {("game", "a"): 2, ("method", "m", "b"): "x"},
        {("game", "a"): 2, ("method", "m", "b"): "y"},
    ]


def test_zip_pairs_keys() -> None:
    grid = Grid({"zip": True, "game.a": [1, 1], "game.b": [3, 4]}, "sweep")
    assert [list(point.values()) for point in grid] == [[1, 3], [1, 4]]
    with pytest.raises(StudyError, match=r"sweep\.zip: needs keys with equally many values"):
        Grid({"zip": True, "game.a": [1, 2], "game.b": [3]}, "sweep")


@pytest.mark.parametrize("form", ["{} = 1", "[{}]\nb = 1", "b = {{ {} = 1 }}"])
def test_a_key_of_many_parts_is_refused_before_it_is_parsed(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_toml(form.format("a" + ".'b c'" * 29))
    monkeypatch.setattr(tomllib, "loads", None)
    for part in (".a", ". 'b c'", '."s>t"'):
        with pytest.raises(ValueError, match="a key of more than 30 parts"):
            load_toml(form.format("a" + part * 20_000))


def test_very_many_keys_are_refused_before_their_values_are_read() -> None:
    forms = {f"game.a{k}": [0] for k in range(1001)}
    with pytest.raises(StudyError, match=r"^sweep: 1001 keys are too many; must be at most 1000$"):
        Grid(forms, "sweep")
    duel = Study(game={"family": "matrix", "name": "chicken"}, method={"kind": "pure_equilibria"})
    with pytest.raises(StudyError, match="1001 changes are too many; must be at most 1000; one may set"):
        duel.with_changes(forms)
    with pytest.raises(StudyError, match="game: a name of 1000000 characters; must have at most 1000"):
        plain({"game": {"a" * 1_000_000: 1}})


def test_an_empty_sweep_is_one_point() -> None:
    assert list(Grid({}, "sweep")) == [{}]


def test_nested_tables_become_dotted_keys() -> None:
    assert flat({"game": {"resource": {"means": [1]}, "x": {"from": 1, "to": 2}}}) == {
        ("game", "resource", "means"): [1],
        ("game", "x"): {"from": 1, "to": 2},
    }


@pytest.mark.slow
@given(st.text("/x\n ", min_size=1))
def test_a_coordinate_of_a_users_name_can_be_stored_in_any_file(name: str) -> None:
    key = ("game", "demand", name)
    (short,) = short_names([key]).values()
    assert short.isprintable()
    assert "/" not in short
    assert parse_key(short) == key[1:]


def test_short_names_are_unambiguous() -> None:
    found = short_names(map(parse_key, ["game.reach", "method.a.rate", "game.a.rate", "game.player"]))
    assert list(found.values()) == ["reach", "method.a.rate", "game.a.rate", "game.player"]


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
    assert change_entry(table, path, value, ("key",), players) == expected
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
        change_entry(table, path, 1.0, ("key",), None)


def test_methods_are_addressed_by_name() -> None:
    game, methods = apply_changes(
        {"a": 1}, [{"name": "x", "r": 1}, {"name": "y"}], {("method", "y", "r"): 2, ("game", "a"): 3}
    )
    assert (game, methods) == ({"a": 3}, [{"name": "x", "r": 1}, {"name": "y", "r": 2}])
    with pytest.raises(StudyError, match=r"method\.z\.r: 'z' is not the name of a method here; known: x, y"):
        apply_changes({}, [{"name": "x"}, {"name": "y"}], {("method", "z", "r"): 2})


def test_an_entry_of_a_learners_table_may_be_set_where_a_number_stands() -> None:
    method = {"name": "q", "step_size": 0.1, "exploration": [0.2, 0.3], "epochs": 5}
    changes = flat({"method": {"q": {"step_size": {"value": 0.5}, "exploration": {"end": 0.01}}}})
    _, (changed,) = apply_changes({}, [method], changes)
    assert changed == method | {
        "step_size": {"value": 0.5},
        "exploration": {"start": [0.2, 0.3], "end": 0.01},
    }
    with pytest.raises(StudyError, match=r"epochs\.value: needs a table with a key 'value', but 5 is there"):
        apply_changes({}, [method], {("method", "q", "epochs", "value"): 1})


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
        values(form, ("sweep", *REACH))
    assert str(caught.value) == message


def test_zip_is_true_or_false() -> None:
    with pytest.raises(StudyError, match=r"^sweep\.zip: 'yes' must be true or false$"):
        Grid({"zip": "yes", "game.reach": [1, 2]}, "sweep")


def test_only_entries_of_games_and_methods_are_changed() -> None:
    for key in ("reach", "sweep.reach", "method.rate"):
        with pytest.raises(StudyError, match=f"^{key}: must be game.KEY or method.NAME.KEY; NAME: rate$"):
            apply_changes({"family": "matrix"}, [{"name": "rate", "kind": "newton"}], {parse_key(key): 1})


def test_arrays_become_lists_and_other_objects_are_refused() -> None:
    found = plain({"a": np.arange(3), "b": (1, np.float64(0.5)), 3: [np.array([True])]})
    assert found == {"a": [0, 1, 2], "b": [1, 0.5], "3": [[True]]}
    with pytest.raises(
        StudyError, match=r"^game\.b\[1\]: .* must be a number, true or false, a word, a list"
    ):
        plain({"b": [1, object()]}, ("game",))
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    with pytest.raises(StudyError, match=r"must be at most \d+ tables and lists deep"):
        plain(deep, ("game",))


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
