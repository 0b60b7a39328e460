"""Everything that must hold, on a clean clone of the committed state: `.ci/run`.

A section that fails does not stop the others: the end prints all of them, and the exit status is 1 if any
failed. Short sections come first. Every run takes all default tests, those of the slow and nightly tests that
fall to its share (of 8, by the number of commits), the nearest of those that the last change reaches, and the
sections of its share: eight successive runs hold everything.

Compiled programs and kernels, times of tests and stamps are kept in a folder outside the checkout
(RIVALRY_CHECK_CACHE, by default rivalry-check in the user's cache folder). Share 0 starts without compiled
programs. A section that has passed for the same content, libraries and interpreter is not repeated, nor is a
test: an interrupted run goes on where it was. With CI in the environment, or --all, everything is run.

    .ci/run --since REV     the short checks, and the tests near what changed since REV, for a few minutes
    .ci/run --share all     all slow and nightly tests, and the sections of all shares
    .ci/run --only types docs
"""

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
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SHARES = 8
LONGEST = 40 * 60  # seconds of a command; what hangs must not take the other sections with it
NEAR_SECONDS = {"since": 420, "share": 240}  # processor time of the tests near a change
KEPT_DAYS = 21
POPULATIONS = "rivalry.population. or rivalry.economies. or rivalry.methods.populations."
RULES = ("house", "guards", "docs", "declarations", "project_files", "words", "rotation")
CODE = ("src", "pyproject.toml")
TESTED = (*CODE, "tests", "conftest.py", "checker", "docs", "benchmarks", "*.md")


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
        self.commit = _git("rev-parse", "--short", "HEAD") or "no commit"
        share = int(_git("rev-list", "--count", "HEAD") or 0) % SHARES
        self.shares = {"": (share,), "all": tuple(range(SHARES))}.get(options.share) or (int(options.share),)
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
        features = [line for line in _read(Path("/proc/cpuinfo")).splitlines() if line.startswith("flags")][
            :1
        ]
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
        tree = _git("ls-tree", "-r", "HEAD", "--", ".ci", *_roots(section.inputs))
        parts = [section.name, tree, self.versions, sys.version, platform.platform(), str(shares)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    def run(self, section: Section) -> None:
        """Run a section, unless it has passed before for the same digest; record its result."""
        if self.interrupted:
            return
        digest = self.digest(section, self.shares if section.rotating else ())
        stamp = self.kept / "stamps" / f"{digest}.json"
        stamped = self.stamped and bool(section.inputs)
        if stamped and stamp.exists():
            before = json.loads(_read(stamp))
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
                self.print(_read(job.log))
            self.print(f"--- {section.name}: {outcome} after {seconds:.0f} s. {remark}")
        if outcome == "passed" and stamped:
            date = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
            _write(stamp, json.dumps({"section": section.name, "commit": self.commit, "date": date}))

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
        with contextlib.suppress(OSError), (self.kept / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return int(bool(failed) or self.interrupted)

    def tally(self, file: str, part: str) -> dict[str, Any]:
        """Counts that the tests have left, as `tests/rotation.py` writes them."""
        text = _read(self.work / "tally" / part / file)
        return dict(json.loads(text)) if text else {}


class Job:
    """A section at work: its commands, output, checkout and environments."""

    def __init__(self, check: Check, section: Section) -> None:
        self.check, self.section = check, section
        self.log = check.logs / (re.sub(r"\W+", "_", section.name) + ".log")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.folder = check.work / "tree"
        self.variables = check.environment | _path_of(check.work / "tools", check.environment)

    def __call__(self, command: str, **variables: str) -> None:
        """Run a command of the shell in the checkout; raise `Failure` if it fails or takes too long."""
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
                timer = threading.Timer(LONGEST, _end, [process])
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
            took = f"took more than {LONGEST} s" if late else f"exit status {status}"
            raise Failure(f"{command.splitlines()[0][:100]}: {took}: {last[:200]}")

    def fresh(self, name: str, python: str = "") -> None:
        """Take a clone and an empty environment of their own."""
        self.folder = self.check.work / name
        clone(self.folder)
        environment = self.check.work / f"{name}-env"
        self(f"{shlex.quote(python or self.check.python)} -m venv {shlex.quote(str(environment))}")
        self.variables = self.check.environment | _path_of(environment, self.check.environment)

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


# -- sections ------------------------------------------------------------------------------------------


def prepare(job: Job) -> str:
    """Install the tools and all libraries but the deep ones; find the programs that some tests need."""
    clone(job.folder)
    tools = job.check.work / "tools"
    job(f"{shlex.quote(job.check.python)} -m venv {shlex.quote(str(tools))}")
    if not shutil.which("uv"):
        with contextlib.suppress(Failure):
            job("python -m pip install uv")
    job.install("'.[test,dev,docs,notebook,tune,web,quantecon,excel,parquet]'")
    job("python -m pip freeze --exclude rivalry > versions.txt")
    job.check.versions = _read(job.folder / "versions.txt")
    missing = []
    for program, package in (("chromium", "chromium"), ("slurmctld", "slurm-wlm")):
        if not shutil.which(program) and os.getuid() == 0 and shutil.which("apt-get"):
            with contextlib.suppress(Failure):
                job(f"(apt-get -qq update && apt-get -qq install -y {package}) >apt.txt 2>&1")
        missing += [] if shutil.which(program) else [package]
    try:
        job(
            "timeout 60 npm install --silent --no-save --fetch-retries=1 "
            f"--prefix {shlex.quote(str(job.check.work / 'node'))} typescript@5 axe-core@4"
        )
    except Failure:
        missing.append("typescript and axe-core")
    return f"not here: {', '.join(missing)}" if missing else ""


def lint(job: Job) -> None:
    """Check layout and names of the code."""
    job("ruff check . && ruff format --check .")


def types(job: Job) -> None:
    """Check the types of the package, and of pages as far as TypeScript is there."""
    job("mypy")
    job("python -m pytest -q -n0 -m '' tests/living/test_kit.py tests/web/test_workbench.py -k types")


def rules(job: Job) -> None:
    """Check the rules of the source, its pages, its declarations and planted faults."""
    names = " ".join(f"tests/unit/test_{name}.py" for name in RULES)
    job(f"python -m pytest -q -n0 -m 'not nightly' {names} tests/faults/test_faults.py")


def documentation(job: Job) -> None:
    """Build the pages; a warning is an error."""
    job("sphinx-build -W --keep-going -q -b html docs docs/_build/html")


def examples(job: Job) -> None:
    """Run the examples in docstrings, with every call checked against its annotations."""
    chosen = f"not ({POPULATIONS})" if 5 not in job.check.shares else ""
    options = "-p src.conftest --doctest-modules --pyargs rivalry -n1"
    job(f"python -m pytest -q {options} -k '{chosen}'", RIVALRY_TYPED="1")


def checker(job: Job) -> None:
    """Verify a proof file by its program, in an environment without the package."""
    job("python -c \"import rivalry as rv; rv.all_equilibria(rv.games.market()).proof.save('proof.json')\"")
    job.fresh("checker")
    job.install("./checker")
    job(f"rivalry-check {shlex.quote(str(job.check.work / 'tree' / 'proof.json'))}")


def tour(job: Job) -> None:
    """Run the first command of the README as printed, in an empty environment."""
    job.fresh("tour")
    job(_quick_start()[0])


def newest(job: Job) -> str | None:
    """Run the tour and some tests on the newest Python that is there, with the newest libraries."""
    python = newest_python(job.check.python)
    if not python:
        return "skipped: no supported Python newer than this one is here"
    job.fresh("newest", python)
    job.install("'.[test]'")
    job("rivalry run tour --out tour")
    chosen = "tests/unit/test_{periodic_orbits,plots,export,store,registry}.py tests/cli/test_commands.py"
    if 6 in job.check.shares:
        job("python -m pytest -q")
    else:
        job(f"python -m pytest -q -n1 {chosen}")
    return f"Python {Path(python).parent.parent.name}" if "versions" in python else python


def tests(job: Job) -> str:
    """Run the second command of the README as printed, with the slow and nightly tests of the run added."""
    job.fresh("tests")
    check = job.check
    selection = {"RIVALRY_SHARE": f"{check.shares[0]}/{SHARES}"} if len(check.shares) == 1 else {}
    variables = selection | near(job, NEAR_SECONDS["share"]) if selection else {}
    job(_quick_start()[1], **variables, **job.records("tests"), PYTEST_ADDOPTS=f"{_SLOWEST} -m 'not full'")
    return _counted(check)


def tests_near(job: Job) -> str:
    """Run the default and slow tests near a change."""
    job(
        f"python -m pytest -q {_SLOWEST} -m 'not nightly and not full'",
        **near(job, NEAR_SECONDS["since"]),
        **job.records("tests"),
    )
    return _counted(job.check)


_SLOWEST = "--durations=40 --durations-min=2"


def near(job: Job, seconds: float) -> dict[str, str]:
    """Variables that add the tests near the change to a run."""
    revision = job.check.options.since or _before()
    if not revision:
        return {}
    path = job.check.work / "near.json"
    job(f"python -m tests.near {revision} > {shlex.quote(str(path))}")
    return {"RIVALRY_NEAR": str(path), "RIVALRY_SECONDS": str(seconds)}


def _counted(check: Check) -> str:
    """Counts of the tests of a run, by marker."""
    counts, parts = check.tally("selected.json", "tests"), []
    for kind, total in counts.get("all", {}).items():
        here = {name: counts[name].get(kind, 0) for name in ("selected", "near a change", "passed before")}
        text = f"{here['selected']} of {total} {kind}"
        text += f" ({here['near a change']} near the change)" if here["near a change"] else ""
        parts.append(text + (f" ({here['passed before']} passed before)" if here["passed before"] else ""))
    return ", ".join(parts)


def skipped_tests(job: Job) -> str:
    """Run the tests that lacked a library in the README's environment, with all libraries of the tools."""
    names = job.check.tally("outcomes.json", "tests").get("skipped", [])
    if not names:
        return "skipped: no test was skipped"
    (job.folder / "skipped.txt").write_text("\n".join(names), encoding="utf-8")
    job("python -m pytest -q -m '' -n2 @skipped.txt", **job.records("skipped tests"))
    return f"{len(names)} tests or files"


def faults(job: Job) -> None:
    """Plant an eighth of the faults, or all."""
    shares = job.check.shares
    job("python -m tests.faults" + (f" --part {shares[0]}/{SHARES}" if len(shares) == 1 else ""))


def benchmarks(job: Job) -> None:
    """Run every benchmark once."""
    job("python -m pytest benchmarks -q -n 2", RIVALRY_RACE="once")


def peers(job: Job) -> None:
    """Compare results with those of other packages, in environments of their own."""
    job("python -m benchmarks.peers", RIVALRY_RACE="once")


def wheel(job: Job) -> None:
    """Run the tour from a wheel, outside the checkout."""
    job.fresh("wheel")
    job("python -m pip wheel --no-deps -w dist . && python -m pip install dist/*.whl")
    job.folder = Path(tempfile.mkdtemp(dir=job.check.work))
    job("rivalry run tour")


def installations(job: Job) -> None:
    """Run the other installations of the README as printed."""
    commands = re.findall(r"`(pip install '\.[^`]*)`", _read(ROOT / "README.md"))
    if len(commands) != 2:
        raise Failure(f"README.md: {len(commands)} installations beside the quick start; must be two")
    for number, command in enumerate(commands):
        job.fresh(f"installation{number}")
        job(command)
        if number == 0:
            job("python -c 'import rivalry.web.app'")


def lowest(job: Job) -> None:
    """Run the default tests with the lowest supported versions of the core dependencies."""
    job.fresh("lowest")
    job("python .ci/lowest_versions >lowest.txt && python .ci/lowest_versions test >test.txt")
    job("python -m pip install -c lowest.txt -r test.txt .")
    job("python -m pytest -q")


def typed(job: Job) -> None:
    """Run the default tests with every call checked against its annotations."""
    job("python -m pytest -q", RIVALRY_TYPED="1")


def outputs(job: Job) -> None:
    """Compare what the pages print with what they would print now."""
    job("python docs/execute.py --check")


def seeds(job: Job) -> None:
    """Run tests on generated cases with fresh seeds; a failing case is kept and tried first the next time."""
    names = " ".join(_git("grep", "-l", "@given", "--", "tests").split())
    kept = str(job.check.kept / "hypothesis")
    job(f"python -m pytest -q -m 'not nightly and not full' -n2 {names}", RIVALRY_FRESH_SEEDS=kept)


QUICK = (
    Section("lint", lint, ("src", "tests", "docs", "benchmarks", "checker", "pyproject.toml"), beside=True),
    Section("types", types, (*CODE, "tests"), beside=True),
    Section("rules", rules, TESTED, beside=True),
)
SECTIONS = (
    *QUICK,
    Section("documentation", documentation, (*CODE, "docs", "*.md"), beside=True),
    Section("checker", checker, (*CODE, "checker"), beside=True),
    Section("README: tour", tour, (*CODE, "README.md"), beside=True),
    Section("examples", examples, (*CODE, "conftest.py", "tests"), beside=True, rotating=True),
    Section("newest Python", newest, TESTED, beside=True, rotating=True),
    Section("README: tests", tests, TESTED, rotating=True),
    Section("skipped tests", skipped_tests, TESTED, rotating=True),
    Section("planted faults", faults, TESTED, rotating=True),
    Section("benchmarks", benchmarks, (*CODE, "benchmarks"), (1,)),
    Section("wheel", wheel, (*CODE, "README.md"), (2,)),
    Section("peers", peers, (*CODE, "benchmarks"), (2,)),
    Section("README: other installations", installations, (*CODE, "docs", "README.md"), (3,)),
    Section("lowest versions", lowest, TESTED, (4,)),
    Section("tests with types", typed, TESTED, (5,)),
    Section("outputs of pages", outputs, (*CODE, "docs"), (7,)),
    Section("fresh seeds", seeds, TESTED, (7,)),
)


# -- what sections use ---------------------------------------------------------------------------------


def clone(folder: Path) -> None:
    """Clone the committed state; copy the files where there is no repository."""
    if not folder.exists():
        done = subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], capture_output=True)
        if done.returncode:
            shutil.copytree(ROOT, folder)


def newest_python(present: str) -> str:
    """Path of the newest Python that pyproject.toml names; "" unless it is newer than the present one."""
    given = os.environ.get("NEWER_PYTHON")
    if given:
        return given
    now = subprocess.run(
        [present, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
    ).stdout.strip()
    versions = re.findall(r"Python :: (3\.\d+)", _read(ROOT / "pyproject.toml"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in sorted(versions, key=lambda text: -int(text[2:])):
        if version == now:
            break
        for path in (f"python{version}", *map(str, pyenv.glob(f"{version}.*/bin/python3"))):
            # a shim of pyenv fails unless its version is chosen
            with contextlib.suppress(OSError):
                if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
                    return path
    return ""


def _quick_start() -> list[str]:
    """Commands in the fenced blocks of the README's section "Quick start"."""
    text = _read(ROOT / "README.md").partition("\n## Quick start\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    if len(commands) != 2:
        raise Failure(f"README.md: the quick start has {len(commands)} commands; must be two")
    return commands


def _before() -> str:
    """Revision before the change: of the upstream branch, otherwise the parent of the last commit."""
    for words in (("merge-base", "HEAD", "@{upstream}"), ("rev-parse", "HEAD~1")):
        revision = _git(*words)
        if revision and revision != _git("rev-parse", "HEAD"):
            return revision
    return ""


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def _roots(inputs: Sequence[str]) -> list[str]:
    names = _git("ls-tree", "--name-only", "HEAD").split()
    return [name for name in names if any(Path(name).match(pattern) for pattern in inputs)]


def _path_of(environment: Path, variables: dict[str, str]) -> dict[str, str]:
    return {"PATH": f"{environment / 'bin'}{os.pathsep}{variables['PATH']}"}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _forget(folder: Path) -> None:
    """Remove what nobody has read for some weeks."""
    oldest = time.time() - KEPT_DAYS * 86400
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and max(path.stat().st_atime, path.stat().st_mtime) < oldest:
                path.unlink()


@contextlib.contextmanager
def _work() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="rivalry-check-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run all sections that the options choose."""
    parser = argparse.ArgumentParser(
        prog=".ci/run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="repeat what has passed before")
    parser.add_argument("--cold", action="store_true", help="start with empty caches")
    parser.add_argument("--share", default="", help="0 to 7, or all; by default the number of commits mod 8")
    parser.add_argument("--since", default="", metavar="REV", help="only what a change can reach")
    parser.add_argument(
        "--only", nargs="+", metavar="SECTION", help=", ".join(part.name for part in SECTIONS)
    )
    options = parser.parse_args()
    if options.share not in ("", "all", *map(str, range(SHARES))):
        parser.error(f"--share {options.share}: must be 0 to {SHARES - 1}, or all")
    if options.since and not _git("rev-parse", "--verify", f"{options.since}^{{commit}}"):
        parser.error(f"--since {options.since}: no such revision")
    unknown = set(options.only or ()) - {section.name for section in SECTIONS}
    if unknown:
        parser.error(f"--only: no section {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with _work() as work:
        check = Check(options, work)
        sections = [section for section in SECTIONS if set(section.shares) & set(check.shares)]
        if options.since:
            sections = [*QUICK, Section("tests near the change", tests_near, TESTED)]
        if options.only:
            sections = [section for section in SECTIONS if section.name in options.only]
        print(f"{platform.python_implementation()} {platform.python_version()}, commit {check.commit}")
        if _git("status", "--porcelain"):
            print("note: changes that are not committed are not looked at")
        _forget(check.kept)
        try:
            check.run(Section("preparation", prepare, ()))
            if check.results["preparation"].outcome == "passed":
                check.run_beside([section for section in sections if section.beside])
                for section in sections:
                    if not section.beside:
                        check.run(section)
        except KeyboardInterrupt:
            check.interrupt()
        return check.end()


if __name__ == "__main__":
    sys.exit(main())
