"""Failures of the rules: each states the file and the remedy, shown by planted violations."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rivalry as rv
from tests import declarations
from tests.unit import test_declarations as stubs
from tests.unit import test_docs as docs
from tests.unit import test_guards as guards
from tests.unit import test_house as house

Plant = Callable[[str, str], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Plant:
    """A function that makes a module of this text the only one of the package."""

    def write(module: str, text: str) -> None:
        path = (tmp_path / "src" / module.replace(".", "/")).with_suffix(".py")
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        (tmp_path / "guards.json").write_text(json.dumps({guard: [] for guard in guards.GUARDS}))
        (tmp_path / "pyproject.toml").write_text("project = {dependencies = [], optional-dependencies = {}}")
        monkeypatch.setattr(guards, "RECORD", tmp_path / "guards.json")
        monkeypatch.setattr(guards, "MODULES", {module: path})
        monkeypatch.setattr(house, "MODULES", {module: path})
        monkeypatch.setattr(house, "ROOT", tmp_path)
        monkeypatch.setattr(house, "SOURCE", tmp_path / "src" / "rivalry")

    return write


def message(rule: Callable[..., None], *values: Any) -> str:
    """The first line of the failure of a rule."""
    with pytest.raises(AssertionError) as failure:
        rule(*values)
    return str(failure.value).splitlines()[0]


HOUSE = {
    "from rivalry.methods.x import y": (
        house.test_imports_go_to_lower_layers_only,
        " imports rivalry.methods.x: move what is needed to a lower layer (LAYERS in "
        "tests/unit/test_house.py)",
    ),
    "import nashpy": (
        house.test_libraries_are_imported_only_from_allowed_modules,
        " imports nashpy: import it in interop only (HOMES in tests/unit/test_house.py)",
    ),
    "import unheard_of": (
        house.test_every_library_is_declared,
        " imports unheard_of: add it to dependencies or to an extra in pyproject.toml",
    ),
    "from . import y": (
        house.test_scipy_is_imported_inside_functions,
        ": write the relative import as absolute",
    ),
}


@pytest.mark.parametrize("line", HOUSE)
def test_a_wrong_import(line: str, plant: Plant) -> None:
    rule, words = HOUSE[line]
    plant("rivalry.families.commons", f'"""Commons."""\n\n{line}\n')
    assert message(rule) == f"src/rivalry/families/commons.py:3{words}"


@pytest.mark.parametrize(
    ("guard", "text", "words"),
    [
        ("probes", "getattr(x, 'limit')", "getattr limit: probes rose from 0 to 1: remove it"),
        ("retired_names", "kept = 1", "kept: retired_names rose from 0 to 1: use the standard term"),
        (
            "retired_names",
            "def f(x):\n    found = x\n    return found",
            "found: retired_names rose from 0 to 1: write what it holds, such as solution",
        ),
    ],
)
def test_a_guarded_count_that_rose(guard: str, text: str, words: str, plant: Plant) -> None:
    plant("rivalry.core.x", text)
    line = message(guards.test_guarded_counts_do_not_rise, guard)
    assert line.startswith(f"src/rivalry/core/x.py: {words}")
    assert line.endswith("where a number fell, record it by python -m tests.unit.test_guards")


def test_a_key_that_no_page_explains(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = (docs.DOCS / "reference" / "games.md").read_text(encoding="utf-8")
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "games.md").write_text(page.replace(", `distance_floor`", ""), encoding="utf-8")
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    monkeypatch.setattr(rv.games, "GAMES", {"influencer": rv.games.GAMES["influencer"]})
    pages = SimpleNamespace(page_of=lambda family: None)
    assert message(docs.test_keys_that_no_study_sets_are_explained, lambda name: pages) == (
        'docs/reference/games.md, section "Keys that are rarely needed": explain `distance_floor` of '
        "influencer in a row there, or in the text of docs/textbook/influencer.md, or set it in a study"
    )


def test_an_option_that_no_page_explains(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(docs, "STUDIES", tmp_path)
    monkeypatch.setattr(docs, "METHODS", {"hedge": docs.METHODS["hedge"]})
    (tmp_path / "howto").mkdir()
    (tmp_path / "howto" / "choosing_a_method.md").write_text("`action_grid` `eta` `play`", encoding="utf-8")
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    assert message(docs.test_options_that_no_study_sets_are_explained) == (
        'docs/howto/choosing_a_method.md, section "Options that are rarely needed": explain `rounds` of '
        "hedge in a row there, or set it in a study"
    )


def test_a_family_without_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rv.games, "GAMES", {"commons": None})
    pages = SimpleNamespace(page_of=lambda family: None)
    assert message(docs.test_every_family_has_a_page_with_a_table_of_its_keys, lambda name: pages) == (
        'docs/textbook/commons.md: write this page, with a line "% keys commons" for the table of its keys'
    )


def test_stale_outputs_of_a_page() -> None:
    execute = SimpleNamespace(stale=lambda: ["howto/figures"], pages=lambda: ["howto/figures"])
    line = message(docs.test_stored_outputs_are_those_of_the_cells, lambda name: execute)
    assert line.startswith("docs/outputs/")
    assert line.endswith(".json: remove it, as no page has its cells")


def test_a_stale_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stubs, "declaration", lambda name: "")
    line = "src/rivalry/games.pyi: a stale stub: run python -m tests.declarations"
    assert message(stubs.test_stubs_are_current, "games") == line


def test_declarations_without_ruff_end_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SystemExit, match="ruff lays out the stubs and is missing: pip install ruff"):
        runpy.run_path(str(declarations.__file__), run_name="__main__")
