"""Sections of the check at work: their commands, clones, environments, stamps and results."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SHARES = 8
SLOW_SHARES = 2 * SHARES  # of the slow and nightly tests: an eighth takes an hour on two slow processors
LONGEST = 60 * 60  # seconds of a command and share; what hangs must not take the other sections with it
KEPT_DAYS = 21


class Failure(Exception):
    """A command of a section that failed, and how."""


class Result(NamedTuple):
    """Outcome of a section: passed, FAILED, passed before, skipped or interrupted, with a remark."""

    outcome: str
    seconds: float
    remark: str = ""


class Section(NamedTuple):
    """Part of the check: its commands, and the paths on which its outcome depends."""

    name: str
    action: Callable[[Job], str | None]
    inputs: tuple[str, ...]
    shares: tuple[int, ...] = tuple(range(SHARES))  # of which it is a part
    beside: bool = False  # may run at the same time as another
    rotating: bool = False  # does more or other things in other shares


class Check:
    """One run: options, folders, environments and results."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.options, self.work = options, work
        self.python = os.environ.get("PYTHON", sys.executable)
        self.revision = git("rev-parse", "HEAD")  # commits made meanwhile are not looked at
        self.commit = self.revision[:8] or "no commit"
        count = int(git("rev-list", "--count", self.revision) or 0)
        given = {"": (count % SHARES,), "all": tuple(range(SHARES))}
        self.shares = given.get(options.share) or (int(options.share),)
        self.slow_share = self.shares[0] + SHARES * (count // SHARES % (SLOW_SHARES // SHARES))
        self.stamped = not (options.all or os.environ.get("CI") or self.commit == "no commit")
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rivalry-check"
        self.kept = Path(os.environ.get("RIVALRY_CHECK_CACHE") or home)
        self.cold = options.cold or self.shares == (0,)
        self.logs = self.kept / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{self.commit}"
        self.results: dict[str, Result] = {}
        self.versions = ""
        self.began = time.monotonic()
        self.processes: set[subprocess.Popen[str]] = set()
        self.interrupted = False
        self.printing = threading.Lock()
        self.environment = self._environment()

    def _environment(self) -> dict[str, str]:
        """Environment of all commands: nothing of the caller's Python, and one cache of compiled programs."""
        variables = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "CI")
            and not name.startswith("RIVALRY_")
        }
        compiled = self.work / "compiled" if self.cold else self.kept
        features = [line for line in read(Path("/proc/cpuinfo")).splitlines() if line.startswith("flags")][:1]
        processor = hashlib.sha256("".join([platform.machine(), *features]).encode()).hexdigest()[:12]
        pip_cache = subprocess.run([self.python, "-m", "pip", "cache", "dir"], capture_output=True, text=True)
        variables |= {
            "CI": "true",
            "MPLBACKEND": "agg",
            "PYTHONUNBUFFERED": "1",
            "XDG_CACHE_HOME": str(self.work / "cache"),
            "TMPDIR": str(self.work / "tmp"),
            "RIVALRY_CACHE": str(compiled / f"programs-{processor}"),
            "NUMBA_CACHE_DIR": str(compiled / "kernels"),
            "MYPY_CACHE_DIR": str(compiled / "mypy"),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(self.kept / "uv")),
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", pip_cache.stdout.strip()),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_QUIET": "1",
            "PIP_PROGRESS_BAR": "off",
            # Python compiles what is imported, a small part of 13,000 files; pip takes 40 s for all.
            "PIP_COMPILE": "false",
            "NODE_PATH": str(self.work / "node" / "node_modules"),
        }
        for name in ("cache", "tmp"):
            (self.work / name).mkdir(parents=True)
        return variables

    def print(self, text: str) -> None:
        """Print lines that no other section interrupts."""
        with self.printing:
            print(text, flush=True)

    def digest(self, section: Section, shares: tuple[int, ...] = ()) -> str:
        """Digest of all that decides the outcome of a section: content, libraries and interpreter."""
        names = git("ls-tree", "--name-only", self.revision).split()
        roots = [name for name in names if any(Path(name).match(pattern) for pattern in section.inputs)]
        tree = git("ls-tree", "-r", self.revision, "--", ".ci", *roots)
        parts = [section.name, tree, self.versions, sys.version, platform.platform(), str(shares)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    def run(self, section: Section) -> None:
        """Run a section, unless it has passed before for the same digest; record its result."""
        if self.interrupted:
            return
        digest = self.digest(section, (*self.shares, self.slow_share) if section.rotating else ())
        stamp = self.kept / "stamps" / f"{digest}.json"
        stamped = self.stamped and bool(section.inputs)
        if stamped and stamp.exists():
            before = json.loads(read(stamp))
            remark = f"at digest {digest}, commit {before['commit']}, {before['date']}"
            self.results[section.name] = Result("passed before", 0.0, remark)
            return
        began = time.monotonic()
        self.print(f"\n=== {section.name} (at {began - self.began:.0f} s)")
        job = Job(self, section)
        outcome, remark = "interrupted", ""
        try:
            remark = section.action(job) or ""
            outcome = "skipped" if remark.startswith("skipped: ") else "passed"
        except Failure as failure:
            outcome, remark = "FAILED", str(failure)
        except Exception as error:  # a mistake in this file must not end the run either
            outcome, remark = "FAILED", f"{type(error).__name__}: {error}"
        finally:
            seconds = time.monotonic() - began
            outcome = "interrupted" if self.interrupted else outcome
            self.results[section.name] = Result(outcome, seconds, remark.removeprefix("skipped: "))
            if outcome == "FAILED" and section.beside:
                self.print(read(job.log))
            self.print(f"--- {section.name}: {outcome} after {seconds:.0f} s. {remark}")
        if outcome == "passed" and stamped:
            date = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
            write(stamp, json.dumps({"section": section.name, "commit": self.commit, "date": date}))

    def run_beside(self, sections: Sequence[Section]) -> None:
        """Run sections two at a time, in their order."""
        with ThreadPoolExecutor(2) as pool:
            try:
                list(pool.map(self.run, sections))
            except KeyboardInterrupt:
                self.interrupt()

    def interrupt(self) -> None:
        """End the commands at work, and begin no other section."""
        self.interrupted = True
        for process in tuple(self.processes):
            _end(process)

    def end(self) -> int:
        """Print all results and what was skipped; return the exit status."""
        kind = "empty at the start" if self.cold else f"kept in {self.kept}"
        print(
            f"\n=== commit {self.commit}, share {', '.join(map(str, self.shares))} of {SHARES}, caches {kind}"
        )
        width = max(map(len, self.results), default=0)
        for name, result in self.results.items():
            print(f"{name:{width}}  {result.outcome:13} {result.seconds:6.0f} s  {result.remark}")
        counts = self.tally("outcomes.json", "skipped tests") or self.tally("outcomes.json", "tests")
        for need, count in counts.get("lacking", {}).items():
            print(f"skipped: {count} tests or files need {need}")
        failed = [name for name, result in self.results.items() if result.outcome == "FAILED"]
        print(
            f"{len(failed)} of {len(self.results)} sections failed" + "".join(f"; {name}" for name in failed)
        )
        if self.interrupted:
            print("interrupted: the next run of the same commit goes on from here")
        print(f"{time.monotonic() - self.began:.0f} s in all; output of every section: {self.logs}")
        record = {"commit": self.commit, "shares": self.shares, "cold": self.cold}
        record |= {"results": self.results, "selected": self.tally("selected.json", "tests").get("selected")}
        whole = not (failed or self.interrupted or self.options.only or self.options.since)
        if whole and self.revision:
            write(self.kept / "last_pass", self.revision)
        with contextlib.suppress(OSError), (self.kept / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return int(bool(failed) or self.interrupted)

    def tally(self, file: str, part: str) -> dict[str, Any]:
        """Counts that the tests have left, as `tests/rotation.py` writes them."""
        text = read(self.work / "tally" / part / file)
        return dict(json.loads(text)) if text else {}


class Job:
    """A section at work: its commands, output, checkout and environments."""

    def __init__(self, check: Check, section: Section) -> None:
        self.check, self.section = check, section
        self.log = check.logs / (re.sub(r"\W+", "_", section.name) + ".log")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.folder = check.work / "tree"
        self.variables = check.environment | path_of(check.work / "tools", check.environment)

    def __call__(self, command: str, **variables: str) -> None:
        """Run a command of the shell in the checkout; raise `Failure` if it fails or takes too long."""
        limit = LONGEST * max(1, len(self.check.shares))
        with self.log.open("a", encoding="utf-8", errors="replace") as log:
            log.write(f"$ {command}\n")
            with subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.variables | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as process:
                self.check.processes.add(process)
                timer = threading.Timer(limit, _end, [process])
                timer.start()
                last = ""
                for line in process.stdout or ():
                    last = line.strip() or last
                    log.write(line)
                    log.flush()
                    if not self.section.beside:
                        self.check.print(line.rstrip("\n"))
                status = process.wait()
                late = not timer.is_alive()
                timer.cancel()
            self.check.processes.discard(process)
        if status:
            took = f"took more than {limit} s" if late else f"exit status {status}"
            raise Failure(f"{command.splitlines()[0][:100]}: {took}: {last[:200]}")

    def clone(self) -> None:
        """Clone the committed state into the folder; copy the files where there is no repository."""
        source, folder = shlex.quote(str(ROOT)), shlex.quote(str(self.folder))
        self.folder.mkdir(parents=True)
        if self.check.revision:
            self(f"git clone -q -n {source} . && git checkout -q --detach {self.check.revision}")
        else:
            self(f"cp -R {source}/. {folder}")

    def fresh(self, name: str, python: str = "") -> None:
        """Take a clone and an empty environment of their own."""
        self.folder = self.check.work / name
        self.clone()
        environment = self.check.work / f"{name}-env"
        self(f"{shlex.quote(python or self.check.python)} -m venv {shlex.quote(str(environment))}")
        self.variables = self.check.environment | path_of(environment, self.check.environment)

    def install(self, requirements: str) -> None:
        """Install with uv where it is there, otherwise with pip."""
        tool = self.check.work / "tools" / "bin" / "uv"
        here = (
            "uv pip install -q" if shutil.which("uv") else f"{tool} pip install -q" if tool.exists() else ""
        )
        if here:
            self(f"VIRTUAL_ENV=$(dirname $(dirname $(command -v python))) {here} {requirements}")
        else:
            self(f"python -m pip install {requirements}")

    def records(self, part: str) -> dict[str, str]:
        """Variables by which tests are counted and timed and, unless all is run, go on where they were."""
        kept = self.check.kept
        records = {
            "RIVALRY_TALLY": self.check.work / "tally" / part,
            "RIVALRY_DURATIONS": kept / "durations.json",
        }
        if self.check.stamped:
            # whatever the share: a test that has passed for this content need not run in another one
            records["RIVALRY_PASSED"] = kept / "stamps" / f"{self.check.digest(self.section)}.passed"
            records["RIVALRY_PASSED"].parent.mkdir(parents=True, exist_ok=True)
        return {name: str(path) for name, path in records.items()}


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def path_of(environment: Path, variables: dict[str, str]) -> dict[str, str]:
    return {"PATH": f"{environment / 'bin'}{os.pathsep}{variables['PATH']}"}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def forget(folder: Path) -> None:
    """Remove what nobody has read for some weeks."""
    oldest = time.time() - KEPT_DAYS * 86400
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and max(path.stat().st_atime, path.stat().st_mtime) < oldest:
                path.unlink()
