"""Command lines run in this process, in a folder of their own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rivalry.cli import main


class Answer(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        """The one line of a command that refuses its input."""
        assert (self.status, self.out) == (2, ""), self.err
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err


Command = Callable[..., Answer]


@pytest.fixture
def rivalry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line in an empty folder; returns its exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal in which the tests run

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        return Answer(main(arguments), *capsys.readouterr())

    return call
