"""The registry: lazy loading by name, objects from user files, one-line errors."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import rivalry as rv
from rivalry.core.registry import from_file, lazy, load, near


def test_a_hint_gives_the_nearest_name_or_all_names() -> None:
    assert near("gausian", ["gaussian", "custom"]) == "did you mean 'gaussian'?"
    assert near("zebra", ["gaussian", "custom"]) == "known: custom, gaussian"


def test_a_registered_name_loads_its_object() -> None:
    assert load("math:pi") == lazy("room", {"pi": "math:pi"}, "pi")
    with pytest.raises(AttributeError, match="module 'room' has no attribute 'tau'"):
        lazy("room", {"pi": "math:pi"}, "tau")


def test_importing_a_module_does_not_shadow_the_function_of_its_name() -> None:
    importlib.import_module("rivalry.games.matrix")
    assert callable(rv.games.matrix)


def test_a_user_file_is_executed_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def made():\n    return 1\n")
    first = from_file("mine.py:made", tmp_path)
    assert from_file("mine.py:made", tmp_path) is first
    path.write_text("def made():\n    return 22\n")
    assert from_file("mine.py:made", tmp_path)() == 22


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def made():\n    pass\n", r"mine\.py: defines no 'mode'; did you mean 'made'\?$"),
        ("x = 1\ny = x / 0\n", r"mine\.py:2: ZeroDivisionError: division by zero$"),
        ("x = 1\n\nif x\n", r"mine\.py:3: SyntaxError: "),
        ("import sys\nsys.exit(3)\n", r"mine\.py:2: SystemExit: 3$"),
    ],
)
def test_errors_in_a_user_file_are_reported_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ValueError, match=message):
        from_file("mine.py:mode", tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.py: no such file$"):
        from_file("gone.py:made", tmp_path)
