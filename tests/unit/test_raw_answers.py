"""Faults of what a reader sees of a run are seen where they are, and nowhere else."""

from typing import Any

import pytest

from rivalry.lab.study.names import read_toml, studies
from rivalry.results.table import Estimate, Table
from tests.raw_answers import COMMANDS, in_figure, in_lines, in_output, in_table, in_title


@pytest.mark.parametrize(
    "line",
    [
        "The best rule tried is tax 0.125, types [{'gamma': 0.7}].",
        "The play is ('left', 'right').",
        "The price is np.float64(0.5).",
        "The profile is array([0.5]).",
        "The winner is None.",
        "Certified: True.",
        "By smooth_gaussian none violates it.",
    ],
)
def test_python_and_keys_are_seen_in_a_line(line: str) -> None:
    assert len(list(in_lines([line]))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "As the reach rises from 0 to 0.3, the profile (0.25, 0.5) stays (5 points).",
        "With a coin (city_mechanisms) it is -.10.",  # a study
        "Nash's theorem; (a) none, (b) all.",
    ],
)
def test_plain_lines_pass(line: str) -> None:
    assert list(in_lines([line])) == []


def test_lost_figures_and_quantities_are_seen_in_the_output() -> None:
    lines = ["plots[0] (paths) was not drawn: why", "p is in no cell of this run; did you mean 'q'?", "done"]
    assert len(list(in_output("\n".join(lines)))) == 2


def test_keys_on_an_axis_are_seen() -> None:
    svg = "<!-- mean_karma -->\n<path/><!-- mean karma -->\n<!-- $x_1$ -->"
    assert list(in_figure("1.svg", svg)) == ["1.svg: 'mean_karma' in 'mean_karma'"]


def test_a_table_has_more_than_its_points() -> None:
    row = {"reach": Estimate("1")}
    assert list(in_table(Table([row], "points", keys=1))) == ["table of nothing but reach"]
    full = Table([row | {"p_safe": Estimate("1")}], "points", keys=1)
    assert list(in_table(full)) == ["key as a head: p_safe"]


def test_a_title_promises_what_is_computed() -> None:
    cournot = {"family": "market", "choice": "quantity"}
    study: dict[str, Any] = {"title": "Cournot and Stackelberg", "game": cournot, "method": []}
    assert list(in_title(study)) == ["title: 'Cournot and Stackelberg' promises Stackelberg"]
    assert list(in_title(study | {"game": cournot | {"stages": [[0], [1]]}})) == []


@pytest.mark.slow
def test_words_of_bundled_studies() -> None:
    for name, path in studies().items():
        table, _ = read_toml(path, name)
        rows = table.get("expect", ())
        lines = [table["title"], table.get("question", ""), *(str(row.get("why", "")) for row in rows)]
        assert [*in_lines(COMMANDS.sub("", line) for line in lines), *in_title(table)] == [], name
