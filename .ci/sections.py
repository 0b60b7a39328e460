"""The sections of the check: what each does, and on which files its outcome depends."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from check import ROOT, SHARES, SLOW_SHARES, Check, Failure, Job, Section, git, read

BUDGET = 0.2  # seconds of processor time of a default test, named where it costs more
NEAR_SECONDS = {"since": 420, "share": 60}  # processor time of the tests near a change
POPULATIONS = "rivalry.population. or rivalry.economies. or rivalry.methods.populations."
RULES = ("house", "guards", "docs", "declarations", "project_files", "words", "rotation", "rule_messages")
CODE = ("src", "pyproject.toml")
TESTED = (*CODE, "tests", "conftest.py", "checker", "docs", "benchmarks", "*.md")


def prepare(job: Job) -> str:
    """Install the tools and all libraries but the deep ones; find the programs that some tests need."""
    job.clone()
    tools = job.check.work / "tools"
    job(f"{shlex.quote(job.check.python)} -m venv {shlex.quote(str(tools))}")
    if not shutil.which("uv"):
        with contextlib.suppress(Failure):
            job("python -m pip install uv")
    job.install("'.[test,dev,docs,notebook,web,quantecon,excel,parquet]'")
    job("python -m pip freeze --exclude rivalry > versions.txt")
    job.check.versions = read(job.folder / "versions.txt")
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
    """Build the pages; a warning is an error, and so is a request to another host."""
    job("python -m pytest -q -n0 -m nightly tests/unit/test_docs.py -k built_pages")


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
    job(_quick_start(job.folder)[0])


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
    variables = {}
    if len(check.shares) == 1:
        share = {"RIVALRY_SHARE": f"{check.slow_share}/{SLOW_SHARES}"}
        variables = share | near(job, NEAR_SECONDS["share"])
    job(
        _quick_start(job.folder)[1],
        **variables,
        **job.records("tests"),
        RIVALRY_BUDGET=str(BUDGET),
        PYTEST_ADDOPTS=f"{_SLOWEST} -m 'not full'",
    )
    above = check.tally("outcomes.json", "tests").get("above budget", {})
    # Which test pays for compiling depends on the share, so the run names these tests and passes.
    return f"{_counted(check)}; {len(above)} default tests above {BUDGET:g} s"


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
    revision = job.check.options.since or _before(job.check)
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
    # 5: all are skipped again, as whole files
    job("python -m pytest -q -m '' -n2 @skipped.txt || [ $? -eq 5 ]", **job.records("skipped tests"))
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
    commands = re.findall(r"`(pip install '\.[^`]*)`", read(job.folder / "README.md"))
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
    names = " ".join(git("grep", "-l", "@given", "--", "tests").split())
    kept = str(job.check.kept / "hypothesis")
    job(f"python -m pytest -q -m 'not nightly and not full' -n2 {names}", RIVALRY_FRESH_SEEDS=kept)


def newest_python(present: str) -> str:
    """Path of the newest Python that pyproject.toml names; "" unless it is newer than the present one."""
    given = os.environ.get("NEWER_PYTHON")
    if given:
        return given
    now = subprocess.run(
        [present, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
    ).stdout.strip()
    versions = re.findall(r"Python :: (3\.\d+)", read(ROOT / "pyproject.toml"))
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


def _quick_start(folder: Path) -> list[str]:
    """Commands in the fenced blocks of the README's section "Quick start"."""
    text = read(folder / "README.md").partition("\n## Quick start\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    if len(commands) != 2:
        raise Failure(f"README.md: the quick start has {len(commands)} commands; must be two")
    return commands


def _before(check: Check) -> str:
    """Revision before the change: the last that passed whole, otherwise the parent of the last commit."""
    for revision in (read(check.kept / "last_pass"), git("rev-parse", f"{check.revision}~1")):
        past = revision and revision != check.revision and git("merge-base", revision, check.revision)
        if past and past == revision:
            return revision
    return ""


QUICK = (
    Section("lint", lint, ("src", "tests", "docs", "benchmarks", "checker", "pyproject.toml"), beside=True),
    Section("types", types, (*CODE, "tests"), beside=True),
    Section("rules", rules, TESTED, beside=True),
)
SECTIONS = (
    *QUICK,
    Section("documentation", documentation, (*CODE, "docs", "tests", "*.md"), beside=True),
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
