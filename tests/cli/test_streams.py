"""Closed or full streams, a missing device, Ctrl-C in a finaliser: one line and the right exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from rivalry.cli import main, output
from rivalry.cli.interrupt import watch

RIVALRY = f"{sys.executable} -m rivalry"
STUDY = """
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "pure_equilibria"
"""


def shell(command: str, **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="redirections of a POSIX shell")
@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (f"{RIVALRY} list studies | head -1 > /dev/null", 0, ""),
        (f"{RIVALRY} list studies >&-", 0, ""),
        (f"{RIVALRY} list studies <&- >&- 2>&-", 0, ""),
        (f"{RIVALRY} --help >&-", 0, ""),
        (f"{RIVALRY} list nonsense 2>&-", 2, ""),
        (f"{RIVALRY} list nonsense 2> /dev/full", 2, ""),
        (
            f"{RIVALRY} --version > /dev/full",
            1,
            "rivalry: output cannot be written: No space left on device\n",
        ),
        (
            f"{RIVALRY} list games > /dev/full",
            1,
            "rivalry: output cannot be written: No space left on device\n",
        ),
    ],
)
def test_closed_and_full_streams(command: str, status: int, words: str) -> None:
    code, _, err = shell(command)
    assert (code, err) == (status, words)


@pytest.mark.skipif(os.name != "posix", reason="redirections of a POSIX shell")
@pytest.mark.slow
def test_a_run_with_all_streams_closed_completes(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(STUDY)
    assert shell(f"cd {tmp_path}; {RIVALRY} run mine.toml --out run <&- >&- 2>&-")[0] == 0
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.slow
def test_a_missing_device_is_refused(tmp_path: Path) -> None:
    study = '[game]\nfamily = "influencer"\n[[method]]\nkind = "gradient_ascent"\n'
    (tmp_path / "mine.toml").write_text(study)
    code, out, err = shell(f"cd {tmp_path}; {RIVALRY} run mine.toml", JAX_PLATFORMS="tpu")
    assert (code, out) == (2, "")
    assert err == (
        "rivalry: JAX_PLATFORMS=tpu: no such device for JAX here; unset it, or set JAX_PLATFORMS=cpu\n"
    )


@pytest.mark.parametrize("kind", ['["paths"]', "{ a = 1 }", "3"])
def test_a_plot_kind_must_be_text(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.toml").write_text(f"plots = [{{ kind = {kind} }}]\n{STUDY}")
    assert main(["run", str(tmp_path / "mine.toml")]) == 2
    assert "plots[0].kind: " in (err := capsys.readouterr().err)
    assert err.endswith("must be text\n")


class _Finalised:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)  # the signal is handled here, where nothing can be raised


def _finalised_while_watched(end: float) -> None:
    with watch():
        _Finalised()
        while time.monotonic() < end:
            time.sleep(0.01)


def test_ctrl_c_in_a_finaliser_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    end = time.monotonic() + 0.5  # before the interrupt would be forced
    with pytest.raises(KeyboardInterrupt):
        _finalised_while_watched(end)
    assert time.monotonic() < end
    assert capsys.readouterr().err == ""


ROW = [
    "mean profit_gain (algorithm=learning, players=2)",
    0.845,
    0.85,
    "agrees",
    None,
    "equilibrium",
]
HEAD = ["quantity", "ours", "published", "verdict", "expected", "certificate"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_fits_the_width_without_losing_characters(width: int) -> None:
    lines = output.table(HEAD, [ROW, ROW], width).splitlines()
    assert max(map(len, lines)) <= width
    letters = Counter("".join("".join(lines).split()))
    whole = [*HEAD, *(["-" if one is None else str(one) for one in ROW] * 2)]
    assert letters == Counter("".join("".join(whole).split()))


def test_each_row_in_a_pipe_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert len(output.table(HEAD, [ROW, ["[red]x[/red]", *ROW[1:]]]).splitlines()) == 3
    assert "[red]x[/red]" in output.table(HEAD, [["[red]x[/red]", *ROW[1:]]])
    monkeypatch.setenv("COLUMNS", "60")
    lines = output.table(HEAD, [ROW]).splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 60
