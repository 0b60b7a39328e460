"""The answer of a run on the terminal: question and table before caveats and references."""

from contextlib import redirect_stdout
from pathlib import Path

import pytest

from rivalry.cli import main, output
from rivalry.lab import executor
from rivalry.results.table import table_of
from tests.cli.conftest import Command

STUDY = """
title = "Two games of chicken"
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "pure_equilibria"
[[method]]
name = "one"
kind = "evaluate"
start = [[1.0, 0.0], [1.0, 0.0]]
[sweep]
"game.name" = ["chicken", "coordination"]
[[expect]]
quantity = "regret"
reduce = "max"
at = { name = "chicken" }
expected = 0.0
quick = true
tolerance = 1e-9
"""


@pytest.mark.slow
def test_run_and_report_begin_with_results(rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    Path("chicken.toml").write_text(STUDY)
    answer = rivalry("run", "chicken.toml", "--workers", "1", "--set", "certificate.tolerance=1e-7")
    assert answer.status == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0] == "chicken: done, 4 of 4 cells"
    assert all(len(line) <= 120 for line in lines)
    sentences = " ".join(answer.out.split())
    parts = (
        "certificate.tolerance 1e-07 instead of ",
        "method game",
        "reference values:",
    )
    places = [sentences.index(part) for part in parts]
    assert places == sorted(places)
    assert rivalry("report", "runs/chicken").out == answer.out


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80])
def test_results_fit_a_narrow_terminal(rivalry: Command, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    Path("chicken.toml").write_text(STUDY)
    out = rivalry("run", "chicken.toml", "--workers", "1").out
    assert all(len(line) <= width for line in out.splitlines()[:-1])
    assert "`rivalry export runs/chicken --to csv` writes all" in " ".join(out.split())


@pytest.mark.parametrize(
    ("width", "row", "fits"),
    [
        (12, {"a": "12345", "bc": "12345"}, True),  # 5 + 2 + 5
        (12, {"a": "12345", "bc": "123456"}, False),
        (40, {"a": "12345678", "claim": 6 * "a phrase "}, True),  # 8 + 2 + 30: only phrases are broken
        (40, {"a": "123456789", "claim": 6 * "a phrase "}, False),
    ],
)
def test_a_table_fits_where_only_phrases_are_broken(
    monkeypatch: pytest.MonkeyPatch, width: int, row: dict[str, str], fits: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    table = table_of([row])
    assert output.fits(table) is fits
    if fits:
        head, first, *others = output.fitted(table).splitlines()
        assert head.split() == list(row)
        assert first.startswith(row["a"] + "  ")
        assert len(others) == (width == 40)


def test_paragraphs_are_wrapped_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    assert output.fitted("one two-three four") == "one\n  two-three\n  four"
    assert output.fitted(Path("a long path/of a file")) == "a long path/of a file"
    assert output.fitted("two lines are\nprinted as they are") == "two lines are\nprinted as they are"


def test_the_answer_of_a_part_is_printed_before_the_next_part_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chicken.toml").write_text(STUDY)
    Path("other.toml").write_text(STUDY.replace("Two games", "More games"))
    Path("both.toml").write_text('title = "Both"\ninclude = ["chicken.toml", "other.toml"]\n')
    printed: list[str] = []
    begin = executor._Work.all

    def record(work: executor._Work, accept_version: bool) -> None:
        printed.append(Path("printed").read_text())
        begin(work, accept_version)

    monkeypatch.setattr(executor._Work, "all", record)
    with Path("printed").open("w") as stream, redirect_stdout(stream):
        main(["run", "both.toml", "--workers", "1"])
    assert printed[0] == "Both\n\n"
    assert "Two games of chicken [chicken" in printed[1]
    assert "More games" not in printed[1]


@pytest.mark.slow
def test_a_study_of_studies_prints_the_studies(rivalry: Command) -> None:
    Path("chicken.toml").write_text(STUDY)
    Path("other.toml").write_text(STUDY.replace("Two games", "More games"))
    Path("both.toml").write_text('title = "Both"\ninclude = ["chicken.toml", "other.toml"]\n')
    brief = rivalry("run", "both.toml", "--workers", "1").out.splitlines()
    assert brief[0] == "Both"
    heads = ("Two games of chicken [chicken", "More games of chicken [other")
    titles = [k for k, line in enumerate(brief) if line.startswith(heads)]
    assert len(titles) == 2
    assert max(titles) < brief.index("both: done, 8 of 8 cells")
    lines = rivalry("run", "both.toml", "--workers", "1", "--verbose").out.splitlines()
    cited = [any(line.startswith("to cite") for line in printed) for printed in (brief, lines)]
    assert cited == [False, True]
    assert brief[brief.index("Try") + 1].strip().startswith("rivalry run chicken --verbose")
    assert brief[-1].endswith("report.html")
    # columns of published values are left out where the study has none
    assert ["quantity", "ours", "expected", "expected", "verdict", "certificate"] in [
        line.split() for line in lines
    ]
