"""Lists of equilibria in the report, from solved games."""

from __future__ import annotations

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import collect
from rivalry.families.matrix import matrix
from rivalry.lab.answer.details import equilibria


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
    found, left_out = equilibria(data)
    assert left_out == 0
    assert [(t.where, t.complete, len(t.rows), len(t.folded)) for t in found] == [
        ("name = chicken, pure", False, 2, 0),
        ("name = chicken, mixed", True, 3, 0),
        ("name = jordan, pure", False, 0, 0),
        ("name = jordan, mixed", False, 1, 0),
        ("name = big, pure", False, 6, 0),
        ("name = big, mixed", True, 50, 13),
    ]
    assert found[1].rows[2] == ("2", ["swerve 0.9, straight 0.1"] * 2, "-0.1, -0.1")
    assert found[1].summary == "3 equilibria listed, of these 2 pure, in 3 components"
    assert found[3].rows[0] == ("", ["heads 0.5, tails 0.5"] * 3, "0.5, 0.5, 0.5")


def test_runs_without_equilibrium_lists_have_no_table():
    row = ({"algorithm": "a"}, {"status": ((), np.asarray("converged"))})
    assert equilibria(collect([row], {"algorithm": ["a"]})) == ([], 0)
