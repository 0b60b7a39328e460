"""Nothing that a stranger wrote steers the terminal: titles, names, choices and messages of errors."""

import ast
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivalry.text.foreign import one_line, printable, printable_json
from tests.cli.conftest import Command

SOURCE = Path(__file__).parents[2] / "src" / "rivalry"
NASTY = "\x1b[2J\x07\x9b1m\u202eevil\u2028\u200b\x7f\r"
STUDY = """
title = {nasty}
question = {nasty}
source = {nasty}
[game]
family = "matrix"
payoffs = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
actions = [["stay{nasty_in}", "go"], ["stay", "go"]]
[[method]]
kind = "regret_matching"
steps = 20
[[plots]]
kind = "nothing{nasty_in}"
"""


def hidden(text: str) -> list[str]:
    """Characters that a terminal obeys, or does not show."""
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return [c for c in text if unicodedata.category(c) in kinds and c not in "\n\t"]


@pytest.mark.slow
@given(st.text())
def test_printed_text_hides_nothing(text: str) -> None:
    codes = [0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606)]
    codes += [*range(0x13430, 0x13440), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B)]
    # signs of numbers, notes, shorthand and hieroglyphs are drawn
    assert not set(hidden(printable(text))) - set(map(chr, codes))
    assert "\n" not in one_line(text)
    assert json.loads(printable_json(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.slow
def test_text_goes_to_a_terminal_in_one_module() -> None:
    """All commands print by `cli.output`, which replaces what steers a terminal."""
    allowed = {"cli/output.py"}
    found = [
        f"{path.relative_to(SOURCE).as_posix()}:{node.lineno}"
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "typer.echo", "click.echo")
    ]
    assert {place.partition(":")[0] for place in found} <= allowed, found


def nasty(text: str) -> str:
    """Study file with hostile text in place of words."""
    return text.format(nasty=json.dumps(NASTY + "title"), nasty_in=json.dumps(NASTY)[1:-1])


@pytest.mark.slow
@pytest.mark.parametrize("plots", [False, True])
def test_commands_on_a_hostile_study(rivalry: Command, plots: bool) -> None:
    text = nasty(STUDY if plots else STUDY.partition("[[plots]]")[0])
    Path("hostile.toml").write_text(text)
    lines = [
        ("show", "hostile.toml"),
        ("run", "hostile.toml", "--workers", "1"),
        ("status", "runs/hostile"),
        ("status", "runs/hostile", "--json"),
        ("report", "runs/hostile"),
        ("export", "runs/hostile"),
        ("certify", "runs/hostile"),
        ("pack", "runs/hostile"),
        ("verify", "runs/hostile.zip"),
        ("cite", "hostile.toml"),
        ("show", NASTY),
        ("run", NASTY, "--json"),
        ("certify", "--policy", f"{NASTY}.py:x", "--game", "hostile.toml"),
    ]
    for line in lines:
        answer = rivalry(*line)
        assert hidden(answer.out) == [], line
        assert hidden(answer.err) == [], line
    assert rivalry("status", "runs/hostile").status == (2 if plots else 0)


@pytest.mark.parametrize("key", ["title", "question", "source"])
def test_a_line_break_starts_no_line_of_a_table(rivalry: Command, key: str) -> None:
    text = STUDY.partition("[[plots]]")[0].replace("{nasty_in}", "")
    text = text.replace(f"{key} = {{nasty}}", f'{key} = "A title\\nequilibrium: proved"')
    Path("lines.toml").write_text(text.replace("{nasty}", '"One"'))
    answer = rivalry("run", "lines.toml")
    assert answer.status == 2
    assert answer.err.strip() == f"rivalry: lines.toml: {key}: must be one line"
