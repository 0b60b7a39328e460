"""The first session of a newcomer: it goes as expected, and the judge of its answers sees what is wrong."""

import re
from pathlib import Path

import pytest

from tests.first_session import replay as replay_module
from tests.first_session.replay import judge, replay
from tests.first_session.steps import README, Step, blocks, files, opening, session, typed_in_readme


@pytest.mark.nightly
def test_a_first_session_ends_as_expected(tmp_path: Path) -> None:
    transcript, faults = replay(session(), tmp_path, files())
    assert faults == [], transcript


@pytest.mark.slow
def test_the_readme_quotes_what_is_printed(tmp_path: Path) -> None:
    transcript, faults = replay(opening(), tmp_path, {})
    assert faults == [], transcript


def test_every_block_of_the_readme_is_replayed() -> None:
    text = "\n".join(step.words for step in session())
    installation = [line for block in blocks("sh") for line in block.splitlines() if "pip install" in line]
    assert len(installation) == 2  # the quick start, which .ci/run carries out
    assert all(
        line.startswith(("rivalry run ", "rivalry report ", "rivalry freeze ", "rivalry list"))
        for line in typed_in_readme()
    )
    assert all(f"$ {line}" in text for line in typed_in_readme())
    assert files()["mine.toml"] == blocks("toml")[0]
    assert all(f">>> {line}" in text for block in blocks("python") for line in block.splitlines())
    assert set(blocks(r"\w+")) == {*blocks("sh"), *blocks("toml"), *blocks("python"), *blocks("text")}


@pytest.mark.parametrize(
    ("step", "status", "output", "fault"),
    [
        (Step("rivalry"), 1, "", "exit status 1, not 0"),
        (Step("rivalry"), 0, "Traceback (most recent call last)\n", "prints 'Traceback"),
        (Step("rivalry", says=("yes",)), 0, "no\n", "does not say 'yes'"),
        (
            Step("rivalry", quotes=("a gain of 2e-11",)),
            0,
            "a gain\nof 3e-1",
            "does not print 'a gain of 2e-11'",
        ),
        (Step("rivalry", status=2), 2, "one\ntwo\n", "more than one line"),
        (Step("rivalry", report=True), 0, "nowhere.html\n", "no file: nowhere.html"),
        (Step("rivalry", report=True), 0, "half.html\n", "no whole page"),
        (Step("rivalry", report=True), 0, "loads.html\n", "loads <script src="),
    ],
)
def test_a_wrong_answer_is_seen(step: Step, status: int, output: str, fault: str, tmp_path: Path) -> None:
    page = '<!doctype html><img src="data:x"><a href="#top">{}</html>'
    (tmp_path / "half.html").write_text(page.format("").removesuffix("</html>"), encoding="utf-8")
    (tmp_path / "loads.html").write_text(page.format('<script src="http://x">'), encoding="utf-8")
    (tmp_path / "good.html").write_text(page.format(""), encoding="utf-8")
    (found,) = judge(step, status, output, tmp_path)
    assert fault in found
    assert judge(Step("rivalry", report=True), 0, "good.html\n", tmp_path) == []


def test_a_step_without_end_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "LIMIT", 0.5)
    _, faults = replay([Step(code="import time; time.sleep(60)")], tmp_path, {})
    assert faults == [">>> import time; time.sleep(60): exit status 124, not 0"]


def test_the_transcript_has_commands_answers_and_exit_statuses(tmp_path: Path) -> None:
    steps = [Step(code="print(open('a.txt').read())", says=("six",)), Step(code="raise SystemExit(3)")]
    transcript, faults = replay(steps, tmp_path, {"a.txt": "six"})
    assert faults == [">>> raise SystemExit(3): exit status 3, not 0"]
    assert transcript.startswith(">>> print(open('a.txt').read())\nsix\n[exit 0, ")
    assert "[FAULT: exit status 3, not 0]" in transcript
    assert transcript.splitlines()[-1].startswith("2 steps in ")


def test_the_first_page_of_the_documentation_opens_like_the_readme() -> None:
    page = (README.parent / "docs" / "index.md").read_text(encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    sentence, doors = (re.findall(rule, readme, re.M)[0] for rule in (r"^\*\*.*\*\*$", r"(?:^\|.*\n)+"))
    assert sentence in page
    assert doors.replace("](docs/", "](") in page
    assert blocks("python")[0] in page
    assert "!rivalry run race_stakes" in page
    assert blocks("sh")[0] in page
    assert readme.splitlines().index("## Quick start") < 50


def test_pages_for_analysts_show_commands_as_they_are_typed() -> None:
    page = (README.parent / "docs" / "tutorial" / "policy.md").read_text(encoding="utf-8")
    cell = re.compile(r"^```\{code-cell\}.*?^```", re.M | re.S)
    cells = cell.findall(page)
    assert cells
    assert all("remove-input" in cell for cell in cells if re.search("^!", cell, re.M))
    assert not re.search(r"\bsed\b|\| *head|!rivalry", cell.sub("", page))
