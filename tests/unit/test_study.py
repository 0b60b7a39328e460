"""Studies: definition in TOML and Python, quick form, cells."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.lab.store.head import head_fault, head_of
from rivalry.lab.study import Study, StudyError, load_study, studies
from rivalry.lab.study.expect import differences
from rivalry.schema.keys import write_key

GAME = {"family": "influencer", "reach": [0.2, 0.2, 0.2], "resource": "bimodal"}
METHOD = {"kind": "gradient_ascent", "start": [0.1, 0.4, 0.9]}

TEXT = """
title = "Three"
plots = ["paths", { kind = "landscape", at = { reach = 0.2 } }]
[game]
family = "influencer"
reach = [0.2, 0.2, 0.2]
resource = "bimodal"
[[method]]
kind = "gradient_ascent"
start = [0.1, 0.4, 0.9]
[sweep]
"game.reach" = { from = 0.1, to = 0.3, count = 3 }
[replications]
count = 2
seed = 7
[[expect]]
quantity = "threshold"
published = 0.188815
published_tolerance = 5e-7
published_tolerance_reason = "rounding"
read = "first-hand"
expected = 0.188815
tolerance = 1e-5
[quick]
"sweep.game.reach" = [0.2]
"replications.count" = 1
"""


def one(**more: Any) -> Study:
    return Study(**({"name": "one", "game": GAME, "method": METHOD} | more))


def test_toml_and_python_define_the_same_study(tmp_path: Path) -> None:
    path = tmp_path / "three.toml"
    path.write_text(TEXT)
    same = Study(
        name="three",
        title="Three",
        plots=["paths", {"kind": "landscape", "at": {"reach": 0.2}}],
        game=GAME,
        method=[METHOD],
        sweep={"game.reach": {"from": 0.1, "to": 0.3, "count": 3}},
        replications={"count": 2, "seed": 7},
        expect=[
            {
                "quantity": "threshold",
                "published": 0.188815,
                "published_tolerance": 5e-7,
                "published_tolerance_reason": "rounding",
                "read": "first-hand",
                "expected": 0.188815,
                "tolerance": 1e-5,
            }
        ],
        quick={"sweep.game.reach": [0.2], "replications.count": 1},
    )
    assert load_study(path) == load_study(str(path)) == same
    assert load_study(path).text == TEXT
    assert load_study(path).cells() == same.cells()


@pytest.mark.default_only("tour", "market_textbook", "city_planning")
@pytest.mark.parametrize("name", sorted(studies()))
def test_every_bundled_study_survives_a_round_trip(name: str) -> None:
    study = load_study(name)
    for form in (study, study.quick_form()):
        stored = json.loads(json.dumps(form.resolved()))
        back = Study.from_resolved(stored)
        assert back == form
        assert back.cells() == form.cells()
        assert back.axes(back.cells()) == form.axes(form.cells())
    assert head_fault(head_of(form)) == ""  # the quick form can be stored


@pytest.mark.representative  # the one default test that loads every bundled study
def test_every_bundled_study_loads_and_cites_its_sources() -> None:
    for name in studies():
        study = load_study(name)
        assert study.title, name
        assert study.source or study.include, name
        for row in study.expect:
            if "published" in row:
                assert row.get("read"), (name, row)
                assert row.get("locator") or row["read"] == "second-hand", (name, row)
            if "within" in row:
                assert row["within"][0] < row["within"][1], (name, row)


def test_a_stored_study_of_another_version_is_refused() -> None:
    stored = one().resolved()
    for schema in (0, 99):
        with pytest.raises(StudyError, match=rf"^schema: {schema} must be 1: another rivalry wrote this$"):
            Study.from_resolved(stored | {"schema": schema})
    with pytest.raises(StudyError, match="unknown key in a stored study"):
        Study.from_resolved(stored | {"colour": "red"})


def test_cells_are_points_times_methods_times_replications() -> None:
    climb = METHOD | {"name": "climb"}
    study = one(
        method=[climb, METHOD | {"name": "flow", "kind": "gradient_flow"}],
        sweep={"game.reach": [0.1, 0.2], "game.resource": ["bimodal", "unimodal"]},
        replications={"count": 3},
    )
    cells = study.cells()
    assert len(cells) == len({cell.id for cell in cells}) == 2 * 2 * 2 * 3
    assert all(len(cell.id) == 16 and int(cell.id, 16) >= 0 for cell in cells)
    assert study.axes(cells) == {
        "reach": [0.1, 0.2],
        "resource": ["bimodal", "unimodal"],
        "algorithm": ["climb", "flow"],
        "replication": [0, 1, 2],
    }
    first = cells[0]
    assert first.point == {"reach": 0.1, "resource": "bimodal"}
    assert first.task["game"]["reach"] == [0.1, 0.1, 0.1]
    assert study.place(first) == {"reach": 0.1, "resource": "bimodal", "algorithm": "climb", "replication": 0}
    assert json.loads(json.dumps(first.task)) == first.task


def test_a_longer_sweep_keeps_its_old_cells() -> None:
    short = {cell.id for cell in one(sweep={"game.reach": [0.1, 0.2]}).cells()}
    long = {cell.id for cell in one(sweep={"game.reach": [0.3, 0.2, 0.1]}, replications={"count": 2}).cells()}
    assert short < long


def test_cell_ids_depend_only_on_the_computation() -> None:
    (cell,) = one().cells()
    same = one(title="Another", question="?", expect=[{"quantity": "regret", "expected": 0.0}])
    assert same.cells()[0].id == cell.id
    others = [
        one(replications={"seed": 1}),
        one(certificate={"tolerance": 1e-3}),
        one(game=GAME | {"reach": [0.2, 0.2, 0.3]}),
        one(method=METHOD | {"max_steps": 5}),
        one(plots=["landscape"]),
    ]
    ids = {study.cells()[0].id for study in others}
    assert len(ids) == len(others)
    assert cell.id not in ids


def test_points_have_separate_seeds_unless_paired() -> None:
    points = [tuple(cell.task["point"]) for cell in one(sweep={"game.reach": [0.1, 0.2]}).cells()]
    assert len(set(points)) == 2
    assert all(0 <= word < 2**32 for point in points for word in point)
    renamed = one(sweep={"game.reach": [0.1, 0.2]}, method=METHOD | {"name": "climb"})
    assert [tuple(cell.task["point"]) for cell in renamed.cells()] == points
    paired = one(sweep={"game.reach": [0.1, 0.2]}, replications={"paired": True})
    assert [cell.task["point"] for cell in paired.cells()] == [[], []]


def test_zipped_keys_share_a_dimension() -> None:
    study = one(sweep={"zip": True, "game.reach": [0.1, 0.2], "game.budgets": [1.0, 3.0]})
    cells = study.cells()
    assert [cell.point for cell in cells] == [{"reach": 0.1, "budgets": 1.0}, {"reach": 0.2, "budgets": 3.0}]
    assert study.axes(cells) == {"reach": [0.1, 0.2], "algorithm": ["gradient_ascent"], "replication": [0]}
    assert study.companions() == {"budgets": ("reach", [1.0, 3.0])}
    three = one(sweep={"zip": True, "game.reach": [0.1, 0.2, 0.3], "game.budgets": [1.0, 3.0, 5.0]})
    fewer = three.with_changes({"sweep.game.reach": [0.1, 0.2], "sweep.game.budgets": [1.0, 3.0]})
    assert fewer.cells() == study.cells()
    with pytest.raises(StudyError, match=r"sweep\.zip: needs keys with equally many values"):
        three.with_changes({"sweep.game.reach": [0.1]})
    repeated = one(sweep={"zip": True, "game.reach": [0.1, 0.1], "game.budgets": [1.0, 1.0]})
    assert list(repeated.axes(cells)) == ["point", "algorithm", "replication"]
    assert set(repeated.companions()) == {"reach", "budgets"}


def test_a_method_is_computed_once_for_options_of_other_methods() -> None:
    study = one(
        method=[METHOD | {"name": "a"}, METHOD | {"name": "b", "max_steps": 7}],
        sweep={"method.a.max_steps": [10, 20, 30]},
    )
    cells = study.cells()
    assert [(cell.method, cell.point) for cell in cells] == [
        ("a", {"a.max_steps": 10}),
        ("b", {"a.max_steps": 10}),
        ("a", {"a.max_steps": 20}),
        ("a", {"a.max_steps": 30}),
    ]
    assert study.axes(cells)["a.max_steps"] == [10, 20, 30]


@pytest.mark.slow
def test_a_batch_belongs_to_one_cell() -> None:
    study = one(batch={"game.reach": [0.1, 0.2]})
    (cell,) = study.cells()
    assert cell.task["batch"] == {"game.reach": [0.1, 0.2]}
    assert (study.batched, study.coordinates) == ({"reach": [0.1, 0.2]}, {})
    study.check()
    with pytest.raises(StudyError, match="a batch may vary numbers only"):
        one(
            game={"family": "influencer", "resource": "bimodal"}, method={"kind": "gradient_ascent"}
        ).with_changes({"batch.game.players": [2, 3]}).check()


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"game.reach": 0.3}, lambda s: s.game["reach"] == [0.3, 0.3, 0.3]),
        ({"game.reach[1]": 0.3}, lambda s: s.game["reach"] == [0.2, 0.3, 0.2]),
        ({"method.gradient_ascent.max_steps": 5}, lambda s: s.method[0]["max_steps"] == 5),
        ({"replications.count": 3}, lambda s: len(s.cells()) == 9),
        ({"certificate.tolerance": 0.1}, lambda s: s.tolerance == 0.1),
        ({"sweep.game.reach.count": 5}, lambda s: len(s.cells()) == 5),
        ({"sweep.game.reach": [0.4]}, lambda s: s.coordinates == {"reach": [0.4]}),
        ({"sweep.game.budgets": [1.0, 2.0]}, lambda s: len(s.cells()) == 6),
        ({"game.reach": 0.3, "batch.game.reach": [0.1, 0.2]}, lambda s: len(s.cells()) == 1),
        (
            {"game.resource": {"kind": "beta", "a": 2.0, "b": 2.0}},
            lambda s: s.game["resource"]["kind"] == "beta",
        ),
    ],
)
def test_changes_apply_to_a_copy_of_the_study(changes: dict[str, Any], check: Any) -> None:
    study = one(sweep={"game.reach": {"from": 0.1, "to": 0.3, "count": 3}})
    before = study.resolved()
    assert check(study.with_changes(changes))
    assert study.resolved() == before


def test_a_key_that_is_set_is_no_longer_swept() -> None:
    study = one(sweep={"game.reach": [0.1, 0.2], "game.budgets": [1.0, 2.0]})
    assert study.with_changes({"game.reach": 0.3}).coordinates == {"budgets": [1.0, 2.0]}
    assert study.with_changes({"game.reach[1]": 0.3}).coordinates == study.coordinates


def test_quick_form_is_idempotent(tmp_path: Path) -> None:
    path = tmp_path / "three.toml"
    path.write_text(TEXT)
    study = load_study(path)
    quick = study.quick_form()
    assert len(study.cells()) == 6
    assert len(quick.cells()) == 1
    assert quick.quick_form() is quick
    assert quick.resolved()["quick_form"] is True
    assert "quick form" in repr(quick)
    assert str(study.default_folder) == "runs/three"
    assert str(quick.default_folder) == "runs/three-quick"


def test_expectations_made_void_by_a_change_are_kept() -> None:
    expect = [{"quantity": "threshold", "at": {"reach": 0.1}, "expected": 0.2}]
    study = one(sweep={"game.reach": [0.1, 0.2]}, expect=expect)
    assert list(study.with_changes({"sweep.game.reach": [0.5]}).expect) == expect
    with pytest.raises(StudyError, match=r"expect\[0\]\.at\.reach"):
        one(sweep={"game.reach": [0.5]}, expect=expect)


def test_a_key_without_its_table_is_completed() -> None:
    """A name of the game or of a method is completed, also where its table is misspelt."""
    place = {
        "reach": "did you mean game.reach?",
        "gane.reach[1]": "did you mean game.reach?",
        "rate": "did you mean method.gradient_ascent.rate?",
        "width": "write TABLE.KEY, as in game.reach",
    }
    for key, hint in place.items():
        with pytest.raises(StudyError, match=f"{re.escape(f': {key}: {hint}')}$"):
            one().with_changes({key: 0.2})


def test_included_studies_are_in_quick_form(tmp_path: Path) -> None:
    (tmp_path / "three.toml").write_text(TEXT)
    (tmp_path / "all.toml").write_text('title = "All"\ninclude = ["three.toml"]\n')
    whole = load_study(tmp_path / "all.toml")
    assert whole.cells() == []
    assert list(whole.parts()) == ["three"]
    assert whole.parts()["three"].is_quick
    assert whole.family is None
    for key, takers in (("game.reach", "three"), ("sweep.game.reach", "three"), ("game.price", "none")):
        says = f": {key}: a study of studies takes no changes; its studies with that key: {takers}"
        with pytest.raises(StudyError, match=f"{re.escape(says)}$"):
            whole.with_changes({key: 1.0})
    assert Study.from_resolved(whole.resolved()) == whole


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('include = ["three.toml", "three.toml"]', "all.toml: include: names a study twice"),
        ('include = ["above.toml"]', r"above\.toml: include: all includes it, so it cannot include others"),
        ('include = ["three.toml"]\n[game]\nfamily = "matrix"', "game: clashes with include"),
        ('include = ["thre.toml"]', r"thre\.toml: no such file; .*did you mean 'three\.toml'\?"),
        ("title = 1" + "0" * 5000, "all.toml: is not TOML"),
        ("title = " + "[" * 5000, "all.toml: tables or lists are nested too deeply"),
    ],
)
def test_invalid_files_of_studies_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "three.toml").write_text(TEXT)
    (tmp_path / "above.toml").write_text('include = ["three.toml"]')
    (tmp_path / "all.toml").write_text(text)
    with pytest.raises(StudyError, match=says):
        load_study(tmp_path / "all.toml")


def test_a_folder_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"is a folder; a study is a \.toml file"):
        load_study(tmp_path)


def test_cell_ids_depend_on_the_content_of_user_files(tmp_path: Path) -> None:
    text = '[game]\nfamily = "mine.py:contest"\n[[method]]\nkind = "gradient_ascent"\n'
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "mine.py").write_text("raise RuntimeError('never run to look at')\n")
    before = load_study(tmp_path / "mine.toml")
    (cell,) = before.cells()
    assert list(cell.task["files"]) == ["mine.py"]
    with pytest.raises(StudyError, match=r"mine\.py:1: RuntimeError: never run"):
        before.check()
    (tmp_path / "mine.py").write_text("contest = 3\n")
    assert load_study(tmp_path / "mine.toml").cells()[0].id != cell.id
    with pytest.raises(StudyError, match=r"mine\.py: has changed since the study was read"):
        before.check()
    with pytest.raises(StudyError, match="is not a function that makes a game"):
        load_study(tmp_path / "mine.toml").check()


@pytest.mark.slow
def test_names_of_cells_stay() -> None:
    """With other names every stored run would be computed again."""
    classics = load_study("matrix_classics").with_changes({"sweep.game.name": ["rock_paper_scissors"]})
    names = [cell.id for made in (load_study("lovett_fig6").quick_form(), classics) for cell in made.cells()]
    assert names == ["80e93247a116e52e", "b36fa7158ddd80b6", "6c0afa63c9d351bf", "a2ef756f04252db7"]


def test_a_custom_resource_is_listed_among_the_files(tmp_path: Path) -> None:
    game = GAME | {"resource": "shape.py:density"}
    (tmp_path / "shape.py").write_text("def density(b):\n    return 1.0 + b\n")
    assert list(one(game=game, folder=tmp_path).files or {}) == ["shape.py"]


def test_a_study_has_text_and_html_representations() -> None:
    study = one(sweep={"game.reach": [0.1, 0.2]}, title="<Three>")
    assert repr(study).startswith("Study one: game influencer, method gradient_ascent, reach × 2, 2 cells")
    assert "&lt;Three&gt;" in study._repr_html_()


@pytest.mark.slow
def test_a_study_runs_from_python(tmp_path: Path) -> None:
    study = rv.Study("duel", game={"family": "matrix", "name": "chicken"}, method={"kind": "pure_equilibria"})
    events: list[Any] = []
    run = study.run(tmp_path / "run", progress=events.append)
    assert run.status == "done"
    assert events[-1].kind == "done"
    assert run.study == study


@pytest.mark.parametrize("table", ["sweep", "batch"])
@pytest.mark.parametrize("node", ["s", "home, sweet", "a.b/c", 'the "x" = [0]'])
@pytest.mark.slow
def test_tables_whose_keys_are_names_are_swept_and_changed(tmp_path: Path, table: str, node: str) -> None:
    """The paradox of Braess: as long as there are few trips, each takes the bridge and costs trips / 50."""
    links = {
        "from": [node, "a", node, "b", "a"],
        "to": ["a", "t", "b", "t", "b"],
        "cost": ["x/100", "45", "45", "x/100", "0"],
    }
    pair, trips = f"{node}>t", [1000.0, 2000.0, 4000.0]
    key = write_key(("game", "demand", pair))
    method, classes = {"kind": "user_equilibrium"}, {"early birds": {"share": 1.0, "value_of_time": 1.0}}
    links["toll"] = [0.0] * 5
    game = {"family": "routes", "links": links, "demand": {pair: 3.0}, "classes": classes}
    study = Study(name="roads", game=game, method=method, **{table: {"game": {"demand": {pair: trips}}}})
    assert getattr(study, table) == {key: trips}
    (name,) = study.coordinates | study.batched
    study.check()
    run = study.run(tmp_path / "run")
    data = rv.load_run(tmp_path / "run").dataset()
    assert data.travel_cost.sel({name: 2000.0}).item() == pytest.approx(2000 / 50)
    np.testing.assert_allclose(data.travel_cost.values.ravel(), np.array(trips) / 50)
    assert Study.from_resolved(run.study.resolved()) == study
    single = study.with_changes({key: 500.0, 'game.classes."early birds".value_of_time': 2.0})
    assert (single.game["demand"], getattr(single, table)) == ({pair: 500.0}, {})
    assert single.game["classes"]["early birds"] == {"share": 1.0, "value_of_time": 2.0}
    changed = {change.key: change.after for change in differences(single.resolved())}
    assert changed["game", "demand", pair] == [500.0]
    fewer = study.with_changes({f"{table}.{key}": trips[:2]})
    assert [change.text for change in differences(fewer.resolved())] == [key]


WRONG_VALUES: list[tuple[dict[str, Any], str]] = [
    ({}, "needs published, expected or within"),
    (
        {"published": 0.85, "published_tolerance": 0.005},
        "published_tolerance_reason: is missing; say where the tolerance comes from",
    ),
    (
        {"published": "a", "tolerance": 0.1},
        "tolerance: belongs to expected, which is missing; that of published is published_tolerance",
    ),
    ({"expected": 1, "read": "first-hand"}, "read: describes a published value; give published too"),
    ({"within": [1, 0]}, r"must be \[low, high\]"),
    ({"expected": 0, "at": {"player": -1}}, "whole number from 0"),
    ({"quantity": "claim", "published": "x", "at": {"player": 0}}, "not a coordinate here"),
    (
        {"expected": 0, "at": {"method": "gradient_ascent"}},
        r'expect\[0\]\.at\.method: is called algorithm: write at = \{ algorithm = "NAME" \}',
    ),
    ({"expected": 0, "at": {"algorithm": "climb"}}, "'climb' is not among"),
]
WRONG_METHODS: list[tuple[dict[str, Any], str]] = [
    ({"start": "random", "starts": 5, "path": True}, "path: clashes with starts"),
    ({"start": "middle", "starts": 3}, "starts: clashes with start = 'middle'"),
    ({"steps": 5, "max_steps": 5}, "steps: clashes with max_steps"),
]
WRONG_PLOTS: list[tuple[dict[str, Any], str]] = [
    ({"at": {"algorithm": "climb"}}, r"plots\[0\]\.at\.algorithm: 'climb'"),
    ({"at": {"method": "gradient_ascent"}}, r"plots\[0\]\.at\.method: is called algorithm"),
    ({"at": 3}, r"plots\[0\]\.at: 3 must be a table"),
]
FIRST, RANDOM = {"game.reach": [0.1]}, METHOD | {"start": "random", "starts": 2}
WRONG: list[tuple[dict[str, Any], str]] = [
    *(({"expect": [{"quantity": "regret"} | row]}, says) for row, says in WRONG_VALUES),
    *(({"method": METHOD | row}, says) for row, says in WRONG_METHODS),
    *(({"plots": [{"kind": "paths"} | row]}, says) for row, says in WRONG_PLOTS),
    ({"plots": [{"at": {}}]}, r"plots\[0\]\.kind: is missing"),
    ({"batch": FIRST, "method": METHOD | {"path": True}}, r"path: clashes with \[batch\]"),
    ({"batch": FIRST, "method": RANDOM}, r"starts: clashes with \[batch\]: a batch has points or starts"),
    ({"batch": FIRST, "sweep": {"game.reach": [0.2]}}, r"batch\.game\.reach: is in \[sweep\] too"),
    ({"game": None}, "game: is missing"),
    ({"sweep": {"game.reach": [float("inf")]}}, "inf must be finite"),
    ({"sweep": {"game.resource.means": [[0.1]]}}, "needs a table with a key 'means', but 'bimodal'"),
    ({"sweep": {"game.reach": {"from": 1, "to": 1, "count": 3}}}, "from and to are both 1; must differ"),
    ({"sweep": {"reach": [0.1]}}, r"sweep\.reach: must begin with game\. or method\.NAME\."),
    ({"method": []}, "method: is missing: a study needs at least one"),
]


@pytest.mark.parametrize(("more", "says"), WRONG)
def test_invalid_studies_are_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        one(**more)


def test_plots_need_plot_data_of_the_game() -> None:
    study = Study(
        "m",
        game={"family": "matrix", "name": "chicken"},
        method={"kind": "pure_equilibria"},
        plots=["shares"],
    )
    with pytest.raises(
        StudyError, match=r"plots\[0\]: 'shares' draws the view 'shares', which this game does not"
    ):
        study.check()
    replace(study, plots=["ternary"]).check()  # works with the available data


def test_unknown_plot_options_are_refused() -> None:
    one(plots=[{"kind": "paths", "log": True}]).check()
    with pytest.raises(StudyError, match=r"plots\[0\]\.lgo: unknown option of paths; did you mean 'log'\?"):
        one(plots=[{"kind": "paths", "lgo": True}]).check()
