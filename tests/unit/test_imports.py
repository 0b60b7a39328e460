"""Imports of large libraries: what happens at their end, and no collection of garbage meanwhile."""

import gc
import importlib
import sys
from pathlib import Path

import pytest

from rivalry.runtime.imports import pause_collection, when_imported


def test_actions_run_once_at_the_end_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library_of_this_test.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[int] = []

    def note() -> None:
        seen.append(sys.modules["library_of_this_test"].value)

    when_imported("library_of_this_test", note)
    assert seen == []
    module = importlib.import_module("library_of_this_test")
    assert seen == [1]
    when_imported("library_of_this_test", note)  # loaded already
    assert seen == [1, 1]
    importlib.reload(module)
    assert seen == [1, 1]


def test_the_collection_of_garbage_is_paused_and_goes_on_after_an_error() -> None:
    def fail() -> None:
        with pause_collection():
            with pause_collection():
                assert not gc.isenabled()
            assert not gc.isenabled()  # the outer pause lasts
            raise OSError("nothing to read")

    assert gc.isenabled()
    with pytest.raises(OSError, match="nothing to read"):
        fail()
    assert gc.isenabled()


def test_a_user_who_turned_the_collection_of_garbage_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with pause_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
