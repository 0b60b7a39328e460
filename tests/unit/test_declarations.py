"""What type checkers and editors see of lazy names: stubs that are current, and a user's mistakes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.declarations import NAMES, declaration, stub_of

ROOT = Path(__file__).parents[2]
WRONG = """
import rivalry as rv

game = rv.games.market()
rv.games.market(plyers=3)
rv.games.race(contst={})
rv.games.karma(gamma="high")
rv.games.markt()
rv.methods.BestResponse(tl=3)
rv.methods.RegretMatching(inertai=2.0)
rv.solve(game, rv.methods.BestResponse(), sed=3)
rv.sweep(game, {"intercept": [90.0]}, rv.methods.BestResponse(), starts=3)
rv.certificate(game)
rv.plots.pahts(game)
rv.tables.tabulat(game)
rv.enumerate(game)
"""
CHECKERS = {
    "mypy": ("-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", "cache"),
    "pyright": ("-m", "pyright", "--pythonpath", sys.executable),
}


@pytest.mark.parametrize("name", NAMES)
def test_stubs_are_current(name: str) -> None:
    pytest.importorskip("ruff")
    written = stub_of(name).read_text(encoding="utf-8")
    # the package that is installed may be another one than that of the tree
    file = f"src/rivalry/{stub_of(name).relative_to(stub_of('').parent).as_posix()}"
    assert written == declaration(name), f"{file}: a stale stub: run python -m tests.declarations"


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_type_checkers_see_mistakes_and_none_in_the_readme(checker: str, tmp_path: Path) -> None:
    pytest.importorskip(checker)
    if subprocess.run([sys.executable, *CHECKERS[checker][:2], "--version"], capture_output=True).returncode:
        pytest.skip(f"needs {checker} (its program, fetched from the npm registry on first use)")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = "".join(re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S))
    # a first example has no annotations of its own
    untyped = "# mypy: allow-untyped-defs, allow-untyped-calls\n"
    (tmp_path / "readme.py").write_text(examples + untyped, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *CHECKERS[checker], "readme.py", "wrong.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT / "src"), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    refused = set(re.findall(r"(\w+)\.py:(\d+)(?::\d+)?\W+error", done.stdout))
    slips = {("wrong", str(line)): text for line, text in enumerate(WRONG.splitlines(), 1) if line > 4}
    lines = [
        f"src/rivalry: {checker} accepts {text!r}: annotate it, or run python -m tests.declarations"
        for place, text in slips.items()
        if place not in refused
    ]
    places = {"readme": "README.md, Python examples", "wrong": "tests/unit/test_declarations.py, WRONG"}
    lines += [
        f"{places.get(file, file)}, line {line}: {checker} refuses it: correct the example or the annotations"
        for file, line in refused - set(slips)
    ]
    assert not lines, "\n".join([*lines, done.stdout + done.stderr])
