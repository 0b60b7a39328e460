"""Run the steps of a session as a newcomer's shell would, and judge what each printed."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.first_session.steps import Step, same_words

NEVER = ("Traceback (most recent call last)", "internal error", "Warning:")
LIMIT = 900.0  # seconds per step


def replay(steps: Sequence[Step], folder: Path, files: Mapping[str, str]) -> tuple[str, list[str]]:
    """Run all steps in a folder with these files; return the transcript and what is wrong, a line each."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    began, lines, faults = time.monotonic(), [], []
    for step in steps:
        start = time.monotonic()
        status, output = _answer(step, folder)
        found = judge(step, status, output, folder)
        faults += [f"{step.words.splitlines()[-1]}: {fault}" for fault in found]
        lines += [step.words, output.rstrip("\n")]
        lines += [
            f"[exit {status}, {time.monotonic() - start:.1f} s]",
            *(f"[FAULT: {fault}]" for fault in found),
            "",
        ]
    seconds = time.monotonic() - began
    lines.append(f"{len(steps)} steps in {seconds:.0f} s, {len(faults)} faults")
    return "\n".join(lines), faults


def judge(step: Step, status: int, output: str, folder: Path) -> list[str]:
    """Return what is wrong with the answer to a step."""
    faults = [f"exit status {status}, not {step.status}"] if status != step.status else []
    faults += [f"prints {words!r}" for words in NEVER if words in output]
    faults += [f"does not say {words!r}" for words in step.says if words not in output]
    faults += [
        f"does not print {text!r}" for text in step.quotes if same_words(text) not in same_words(output)
    ]
    if step.status == 2 and output.count("\n") != 1:
        faults.append("a mistake is answered in more than one line")
    if step.report and not faults:
        faults += _report_faults(folder / output.splitlines()[-1])
    return faults


def _report_faults(path: Path) -> list[str]:
    if not path.is_file():
        return [f"the last line is no file: {path.name}"]
    page = path.read_text(encoding="utf-8")
    fetched = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=[\"']?+(?!data:|#)[^>]*", page)
    whole = page.lower().startswith("<!doctype html") and page.rstrip().endswith("</html>")
    return ["the report is no whole page"] * (not whole) + [f"the report loads {tag}" for tag in fetched]


def _answer(step: Step, folder: Path) -> tuple[int, str]:
    """Return the exit status and everything that a step printed, in the order of a terminal."""
    if step.code:
        line = [sys.executable, "-c", step.code]
    else:
        program, *words = shlex.split(step.command)
        line = [str(Path(sys.executable).with_name(program)), *words]
    here = {
        name: value for name, value in os.environ.items() if name not in ("RIVALRY_TYPED", "RIVALRY_DEBUG")
    }
    try:
        done = subprocess.run(
            line,
            cwd=folder,
            env=here | {"COLUMNS": "80", "MPLBACKEND": "agg"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return 124, said.decode() if isinstance(said, bytes) else said
    return done.returncode, done.stdout
