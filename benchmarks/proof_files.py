"""Proof files of bundled studies: how many of the proved claims have one, and how many are verified.

python -m benchmarks.proof_files FOLDER [STUDY ...]        without names all studies with proved claims

Each study is run with ``--quick`` and certified with ``--proof --export``; then `rivalry-check` reads every
file in a process of its own. Prints a row per study, and claims without a verified file with their reasons.
What is in FOLDER already is not computed again. docs/notes/proofs_of_bundled_claims.md sums it up.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
NOTE = ROOT / "docs/notes/proofs_of_bundled_claims.md"
LIMIT = 3600  # seconds of a check, on a clock
VERIFIED = re.compile(r": verified: (.*)$")


class Study(NamedTuple):
    """What was found of a study; times are seconds of processor time."""

    name: str
    proved: int
    files: int
    verified: int
    bytes: str
    export_seconds: float
    check_seconds: str
    refused: dict[str, str]

    def row(self) -> str:
        """Return a row of the table."""
        counts = f"{self.proved} | {self.files} | {self.verified}"
        return (
            f"| `{self.name}` | {counts} | {self.bytes} | {self.export_seconds:.0f} | {self.check_seconds} |"
        )


def studies() -> list[str]:
    """Return the studies of the note with proved claims."""
    _, _, listed = NOTE.read_text(encoding="utf-8").partition("in these studies:")
    return re.findall(r"`(\w+)`", listed.partition("\n\n")[0])


def timed(
    *command: str | Path, env: dict[str, str], limit: int | None = None
) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run a command and return seconds of processor time, and what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(
            [str(one) for one in command], env=env, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess(command, 3, f": no verdict in {limit} s", "")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def rivalry(*command: str | Path, path: Sequence[Path]) -> tuple[float, str]:
    """Run a command of the package and return seconds of processor time, and what it printed."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    taken, done = timed(sys.executable, "-P", "-m", "rivalry", *command, env=env)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr[-500:]}")
    return taken, done.stdout


def certified(name: str, into: Path) -> dict[str, Any]:
    """Run and certify a study unless that is done; return what was said, with the time."""
    run, said = into / name, into / f"{name}.certify.json"
    if not run.exists():
        rivalry("run", name, "--quick", "--workers", "1", "--out", run, path=[ROOT / "src"])
    if not said.exists():
        # the checker is not in this path: it is timed by itself
        export = ("--proof", "--export", into / f"{name}.proofs", "--json")
        taken, found = rivalry("certify", run, *export, path=[ROOT / "src"])
        said.write_text(json.dumps(json.loads(found) | {"seconds": taken}))
    read: dict[str, Any] = json.loads(said.read_text())
    return read


def checked(name: str, into: Path) -> Study:
    """Return what is found of a study; verdicts are kept beside its files."""
    found = certified(name, into)
    proved = sum(row["coverage"] == "proved" for row in found["certificates"])
    refused = dict(line.split(": no file: ", 1) for line in found["proofs"] if ": no file: " in line)
    files = sorted((into / f"{name}.proofs").rglob("*.json"))
    kept = into / f"{name}.verdicts.json"
    verdicts = json.loads(kept.read_text()) if kept.exists() else {}
    for file in files:
        if file.name not in verdicts:
            env = {**os.environ, "PYTHONPATH": str(ROOT / "checker/src")}
            command = (sys.executable, "-P", "-m", "rivalry_check", file)
            taken, done = timed(*command, env=env, limit=LIMIT)
            verdicts[file.name] = taken, done.stdout.strip() or done.stderr[-300:]
            kept.write_text(json.dumps(verdicts))
    good = [file for file in files if VERIFIED.search(verdicts[file.name][1])]
    refused |= {one.name: verdicts[one.name][1].partition(": ")[2] for one in files if one not in good}
    sizes = [file.stat().st_size for file in files] or [0]
    times = [verdicts[file.name][0] for file in files] or [0.0]
    return Study(
        name,
        proved,
        len(files),
        len(good),
        f"{min(sizes):,} to {max(sizes):,}",
        found["seconds"],
        f"{min(times):.1f} to {max(times):.1f}",
        refused,
    )


def main(into: str, *names: str) -> None:
    """Print a row per study, and what has no verified file."""
    folder = Path(into)
    folder.mkdir(parents=True, exist_ok=True)
    total = [0, 0, 0]
    print(
        "| study | claims proved | files | verified | bytes | seconds, proving and writing | checking, each |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in names or studies():
        try:
            one = checked(name, folder)
        except RuntimeError as error:
            print(f"{name}: {error}", flush=True)
            continue
        print(one.row(), flush=True)
        for what, reason in one.refused.items():
            print(f"  {what}: {reason}", flush=True)
        total = [a + b for a, b in zip(total, (one.proved, one.files, one.verified), strict=True)]
    print(f"together: {total[0]} claims proved, {total[1]} files, {total[2]} verified")


if __name__ == "__main__":
    main(*sys.argv[1:])
