"""Closed or full streams, a missing device, Ctrl-C in a finaliser: one line and the right exit status."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from rivalry.cli import interrupt, main, output, show
from rivalry.cli.interrupt import watch
from rivalry.lab.executor import RunEvent

RIVALRY = f"{sys.executable} -m rivalry"
FULL = "rivalry: output cannot be written: No space left on device\n"
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
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (redirections of a shell)")
@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (f"{RIVALRY} list studies | head -1 > /dev/null", 0, ""),
        (f"{RIVALRY} list studies >&-", 0, ""),
        (f"{RIVALRY} list studies <&- >&- 2>&-", 0, ""),
        (f"{RIVALRY} --help >&-", 0, ""),
        (f"{RIVALRY} list nonsense 2>&-", 2, ""),
        (f"{RIVALRY} list nonsense 2> /dev/full", 2, ""),
        (f"{RIVALRY} --version > /dev/full", 1, FULL),
        (f"{RIVALRY} list games > /dev/full", 1, FULL),
    ],
)
def test_closed_and_full_streams(command: str, status: int, words: str) -> None:
    code, _, err = shell(command)
    assert (code, err) == (status, words)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (redirections of a shell)")
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
    # on a busy machine a line on the check of the study comes before
    assert err.endswith(
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


def test_closed_streams_are_opened_to_the_null_device(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    real = os.fstat

    def stat(number: int) -> os.stat_result:
        if number in (0, 1):
            raise OSError(errno.EBADF, "Bad file descriptor")
        return real(number)

    monkeypatch.setattr(output.os, "fstat", stat)
    monkeypatch.setattr(output.os, "open", lambda path, flags: opened.append((path, flags)))
    monkeypatch.setattr(output.os, "fdopen", lambda number, mode, **_: f"stream {number} {mode}")
    monkeypatch.setattr(sys, "stdin", None)
    kept = sys.stdout
    output.open_streams()
    assert opened == [(os.devnull, os.O_RDWR)] * 2  # the lowest free number, one after the other
    assert sys.stdin == "stream 0 r"
    assert sys.stdout is kept


class Gone:
    """A stream whose reader has closed, or that cannot be written for another reason."""

    def __init__(self, error: type[Exception] = BrokenPipeError) -> None:
        self.error = error

    def write(self, words: str) -> None:
        raise self.error

    def fileno(self) -> int:
        raise ValueError("a stream of a test has no number")

    def isatty(self) -> bool:
        return False


def test_unread_text_is_dropped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", Gone())
        assert output.print_result(False, None, "a table") == 0
        assert output.print_result(True, {"a": "table"}) == 0
    for error in (ValueError, OSError):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", Gone(error))
            output.note("a mistake")
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_in_a_command_exits_with_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(arguments: list[str]) -> int:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("rivalry.cli.commands.carry_out", interrupted)
    assert main(["run", "any"]) == 130
    words = "interrupted; all finished cells are kept, `rivalry resume` goes on\n"
    assert capsys.readouterr() == ("", words)
    assert signal.getsignal(signal.SIGINT) is before
    interrupt._pressed.clear()


def test_progress_raises_ctrl_c_after_the_work_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[bool] = []
    # a thread of an earlier test may still set the event of the module
    monkeypatch.setattr(interrupt, "was_pressed", lambda: len(stopped) > 0)

    def work() -> None:
        with output.progress("runs/x") as receive:
            stopped.append(receive(RunEvent("done", "a", 1, 2)))
            stopped.append(receive(RunEvent("done", "b", 2, 2)))

    with pytest.raises(KeyboardInterrupt):
        work()
    assert stopped == [False, True]


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    """Python sets handlers in the main thread only; a command in a server's thread still works."""
    before, statuses = signal.getsignal(signal.SIGINT), list[int]()
    thread = threading.Thread(target=lambda: statuses.append(main(["list", "plots", "--json"])))
    thread.start()
    thread.join()
    assert statuses == [0]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("left", [True, False])
def test_processes_that_ignore_ctrl_c_are_ended(left: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread reads the signal from a pipe, whose other end is closed when the command is left."""
    said: list[object] = []
    read, write = os.pipe()
    os.write(write, bytes([signal.SIGWINCH, signal.SIGINT]))
    if left:
        os.close(write)
    monkeypatch.setattr(interrupt, "GRACE", 0.02)
    monkeypatch.setattr(interrupt.os, "write", lambda number, words: said.append((number, words)))

    def end(status: int) -> None:
        said.append(status)
        os.close(write)  # the process would be gone

    monkeypatch.setattr(interrupt.os, "_exit", end)
    interrupt._wait(read)
    assert interrupt.was_pressed()
    interrupt._pressed.clear()
    words = b"interrupted; all finished cells are kept, `rivalry resume` goes on\n"
    assert said == ([] if left else [(2, words), 130])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read)


def test_only_ctrl_c_is_raised_again_from_a_finaliser(monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[object] = []
    interrupt._raise_again(others.append)(SimpleNamespace(exc_type=ZeroDivisionError))
    assert [one.exc_type for one in others] == [ZeroDivisionError]  # type: ignore[attr-defined]


def test_a_device_that_jax_lacks_is_reported_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from rivalry.runtime.jax import jax

    def devices() -> list[object]:
        raise RuntimeError("Unable to initialize backend 'tpu'\n")

    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    (row,) = show._devices()
    assert row["state"] == "missing: Unable to initialize backend 'tpu'"
    assert row["remedy"] == "unset JAX_PLATFORMS"
    words = "JAX_PLATFORMS=tpu: no such device for JAX here; unset it, or set JAX_PLATFORMS=cpu"
    assert show.missing_device() == words
    monkeypatch.delenv("JAX_PLATFORMS")
    assert show._devices()[0]["remedy"] == "pip install --force-reinstall jax jaxlib"
    assert show.missing_device() == ""
