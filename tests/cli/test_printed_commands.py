"""Every command that a report or the terminal prints works where its reader stands."""

import re
import shlex
from html import unescape
from pathlib import Path

import pytest

from tests.cli.conftest import Command

pytestmark = pytest.mark.slow

OWN = """
title = "A contest over one road"
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "pure_equilibria"
[[expect]]
quantity = "equilibrium_count"
expected = 2
"""
SLOW = pytest.mark.slow


def printed(text: str) -> set[str]:
    """Return the commands in a page or a terminal's text."""
    pages = re.findall(r"<code>(rivalry [^<]*)</code>", text)
    ends = [line.partition("  # ")[0] for line in text.splitlines() if line.startswith("rivalry ")]
    quoted = re.findall(r"`(rivalry [^`]*)`", text)
    return {unescape(command).strip() for command in (*pages, *ends, *quoted)}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("own.toml",), marks=SLOW),
        ("own.toml", "--set", "game.name=stag_hunt"),
        pytest.param(("matrix_classics", "--quick"), marks=SLOW),
        pytest.param(("matrix_classics", "--quick", "--sweep", 'game.name=["chicken"]'), marks=SLOW),
        pytest.param(("lq_duopoly", "--quick"), marks=SLOW),
    ],
    ids=" ".join,
)
def test_printed_commands_work(
    rivalry: Command, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own.toml").write_text(OWN, encoding="utf-8")
    made = rivalry("run", *options, "--out", "made", "--workers", "1")
    assert made.status == 0, made.err
    page = Path("made", "report.html").read_text(encoding="utf-8")
    commands = printed(page) | printed(made.out) | printed(made.err)
    kinds = {command.split()[1] for command in commands}
    assert {"run", "resume", "report", "certify", "export", "show"} <= kinds
    assert any(option in command for command in commands for option in ("--set", "--sweep")) == (
        len(options) > 2
    )
    # the commands of a custom study name the file in the run's folder
    monkeypatch.chdir("made" if options[0] == "own.toml" else ".")
    folder = str(Path("made").resolve() if options[0] != "own.toml" else Path.cwd())
    for command in sorted(commands):
        words = [folder if word in ("RUN", "made") else word for word in shlex.split(command)[1:]]
        answer = rivalry(*words, *(["--workers", "1"] if words[0] in ("run", "resume") else []))
        assert answer.status == 0, (command, answer.err)
