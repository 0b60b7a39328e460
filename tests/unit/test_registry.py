"""The registry: lazy loading by name, objects from user files, one-line errors."""

import importlib
import os
import py_compile
from hashlib import sha256
from pathlib import Path

import pytest

import rivalry as rv
from rivalry.schema.registry import TRUSTED, from_file, lazy, load, near, trusting


def test_a_hint_gives_the_nearest_name_or_all_names() -> None:
    assert near("gausian", ["gaussian", "custom"]) == "did you mean 'gaussian'?"
    assert near("zebra", ["gaussian", "custom"]) == "known: custom, gaussian"


def test_a_registered_name_loads_its_object() -> None:
    assert load("math:pi") == lazy("room", {"pi": "math:pi"}, "pi")
    with pytest.raises(AttributeError, match="module 'room' has no attribute 'tau'"):
        lazy("room", {"pi": "math:pi"}, "tau")


def test_importing_a_module_does_not_shadow_the_function_of_its_name() -> None:
    importlib.import_module("rivalry.families.matrix")
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


def test_files_are_run_from_source_as_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would run compiled code beside it that has the time and size of the file, whatever it does."""
    code, text = tmp_path / "own.py", "value = 'the source'\n"
    code.write_text(text.replace("source", "secret"))
    py_compile.compile(str(code))
    stamp = code.stat()
    code.write_text(text)
    os.utime(code, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    monkeypatch.setenv(TRUSTED, "{}")
    with pytest.raises(ValueError, match=r"own\.py: was not trusted in its present form; look at it"):
        from_file("own.py:value", tmp_path)
    for name, value in trusting({str(code): sha256(text.encode()).hexdigest()}).items():
        monkeypatch.setenv(name, value)
    assert from_file("own.py:value", tmp_path) == "the source"
    code.write_text(text + "more = 1\n")
    with pytest.raises(ValueError, match="was not trusted"):
        from_file("own.py:more", tmp_path)
