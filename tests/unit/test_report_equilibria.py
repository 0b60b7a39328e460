"""Lists of equilibria in the report, from solved games."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import collect
from rivalry.families.matrix import matrix
from rivalry.lab.answer import Answer


def study_of(*methods):
    """Return a study with methods of these names."""
    tables = [{"name": name, "kind": name} for name in methods]
    return {"game": {"family": "none"}, "method": tables, "expect": [], "title": "t"}


@pytest.mark.slow
def test_every_cell_lists_its_equilibria_and_their_completeness():
    known = {"chicken": matrix("chicken"), "jordan": matrix("jordan"), "big": matrix("coordination", size=6)}
    methods = {"pure": rv.methods.PureEquilibria(), "mixed": rv.methods.MixedEquilibria()}
    rows = [
        ({"name": name, "algorithm": kind}, rv.solve(game, method).record)
        for name, game in known.items()
        for kind, method in methods.items()
    ]
    rows.append(({"name": "lost", "algorithm": "pure"}, {"status": ((), np.asarray(""))}))
    data = collect(rows, {"name": [*known, "lost"], "algorithm": list(methods)})
    found, left_out = Answer(study_of(*methods), data).result_tables
    assert left_out == 0
    lengths = [sum(len(table.rows) for table in t.tables) for t in found]
    assert [(t.where, t.summary.endswith(", complete")) for t in found] == [
        ("pure, chicken", False),
        ("pure, jordan", False),
        ("pure, big", False),
        ("mixed, chicken", True),
        ("mixed, jordan", True),
        ("mixed, big", True),
    ]
    assert lengths == [2, 0, 6, 3, 1, 63]
    mixed = found[3].tables[0].rows[2]
    assert [mixed[f"player {k}"].text for k in (0, 1)] == ["swerve 0.9, straight 0.1"] * 2
    assert [mixed[f"payoff, player {k}"].text for k in (0, 1)] == ["-0.1", "-0.1"]
    assert found[3].summary == "equilibria: 3, complete"
    half = found[4].tables[0].rows[0]
    assert [half[f"player {k}"].text for k in (0, 1, 2)] == ["heads 0.5, tails 0.5"] * 3


@pytest.mark.slow
def test_points_with_fewer_actions_have_no_padding_in_their_tables():
    games = {"two": matrix("stag_hunt"), "three": matrix("rock_paper_scissors", win=2)}
    method = rv.methods.Moran(selection=0.1)
    rows = [
        ({"name": name, "algorithm": "moran"}, rv.solve(game, method).record) for name, game in games.items()
    ]
    data = collect(rows, {"name": [*games], "algorithm": ["moran"]})
    (two, three), _ = Answer(study_of("moran"), data).result_tables
    assert [row["residents"].text for row in two.tables[0].rows] == ["stag", "hare"]
    assert [len(table.rows) for table in three.tables] == [3]
    assert two.tables[0].columns == ["residents", "share of time", "fixation of stag", "fixation of hare"]


def test_json_and_the_shell_have_the_tables_that_methods_declare():
    """A list of equilibria without a solver: every entry stands in both outputs."""
    record = {
        "status": ((), np.asarray("converged")),
        "equilibria": (("equilibrium", "player", "axis"), np.array([[[0.25], [0.5]], [[0.75], [0.5]]])),
        "equilibrium_payoff": (("equilibrium", "player"), np.array([[1.0, 2.0], [3.0, 4.0]])),
        "equilibrium_count": ((), np.asarray(2)),
        "complete": ((), np.asarray(1)),
        "complete_reason": ((), np.asarray("all were tried")),
    }
    data = collect([({"algorithm": "a"}, record)], {"algorithm": ["a"]})
    answer = Answer(study_of("a"), data)
    (point,) = answer.as_json()["results"]
    (table,) = point["tables"]
    assert [row[:2] for row in table["rows"]] == [["0.25", "0.5"], ["0.75", "0.5"]]
    result = answer.result_tables[0][0]
    printed = "\n".join([result.head, *map(repr, result.tables)])
    assert "equilibria: 2, complete" in printed
    assert all(text in printed for row in table["rows"] for text in row)


def test_runs_without_equilibrium_lists_have_no_table():
    row = ({"algorithm": "a"}, {"status": ((), np.asarray("converged"))})
    assert Answer(study_of("a"), collect([row], {"algorithm": ["a"]})).result_tables == ([], 0)
