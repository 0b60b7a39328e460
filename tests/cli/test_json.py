"""With ``--json`` a command prints exactly one JSON value, in the documented form."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rivalry.lab.store import Run
from rivalry.lab.study import load_study
from tests import duel_study
from tests.cli.conftest import Command

pytestmark = pytest.mark.mostly_slow

STUDY = """
title = "Two games of chicken"
cost = "seconds"
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "pure_equilibria"
[sweep]
"game.name" = ["chicken", "coordination"]
[[expect]]
quantity = "regret"
reduce = "max"
at = { name = "chicken" }
published = 0.0
published_tolerance = 1e-9
published_tolerance_reason = "exact"
[[expect]]
quantity = "regret"
reduce = "max"
published = 3.0
published_tolerance = 0.5
published_tolerance_reason = "rounding"
why = "a slip of the source"
expected = 0.0
tolerance = 1e-9
"""

RUN = {
    *("run", "answer", "study", "status", "cells", "results"),
    *("expectations", "certificates", "changed", "warnings", "report"),
}
EXPECTATION = {
    *("equals", "study", "quantity", "at", "reduce", "ours", "read", "locator", "entry", "part", "why"),
    *("published", "published_tolerance", "published_tolerance_reason", "published_verdict"),
    *("expected", "tolerance", "within", "expected_verdict", "reason", "certificate"),
}
CERTIFICATE = {
    *("study", "cell", "algorithm", "at", "regret", "bound"),
    *("coverage", "rounding", "radius", "claim", "reason"),
}
RESULT = {"study", "algorithm", "at", "status", "claim", "payoff", "metrics"}


@pytest.fixture
def study(rivalry: Command) -> str:
    Path("chicken.toml").write_text(STUDY)
    return "chicken.toml"


@pytest.mark.default
@pytest.mark.parametrize("kind", ["games", "methods", "studies", "plots"])
def test_list_of_one_kind(rivalry: Command, kind: str) -> None:
    rows = rivalry("list", kind, "--json").value
    assert rows
    assert all(set(row) == {"name", "title", "family", "cost", "seconds"} for row in rows)
    if kind == "studies":
        assert {row["cost"] for row in rows} <= {"seconds", "minutes", "hours"}
    else:
        assert {row["cost"] for row in rows} == {row["seconds"] for row in rows} == {None}
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)


def test_list_without_a_kind_adds_the_kind_column(rivalry: Command) -> None:
    rows = rivalry("list", "--json").value
    assert all(set(row) == {"kind", "name", "title", "family", "cost", "seconds"} for row in rows)
    assert {row["kind"] for row in rows} == {"games", "methods", "studies", "plots"}


def test_run_and_the_commands_on_its_results(rivalry: Command, study: str) -> None:
    answer = rivalry("run", study, "--json", "--workers", "1")
    assert answer.status == 0, answer.err
    found = answer.value
    assert set(found) == RUN
    assert (found["study"], found["status"]) == ("chicken", "done")
    assert found["cells"] == {"total": 2, "done": 2, "failed": 0}
    assert all(set(row) == EXPECTATION for row in found["expectations"])
    assert all(set(row) == CERTIFICATE for row in found["certificates"])
    assert all(set(row) == RESULT for row in found["results"])
    assert [row["at"] for row in found["results"]] == [
        {"name": name, "replication": 0} for name in ("chicken", "coordination")
    ]
    assert [len(row["payoff"]) for row in found["results"]] == [2, 2]
    assert found["results"][0]["metrics"]["steps"] >= 0
    assert [row["published_verdict"] for row in found["expectations"]] == ["agrees", "differs"]
    assert [row["expected_verdict"] for row in found["expectations"]] == [None, "agrees"]
    assert (found["changed"], found["expectations"][0]["published"]) == ([], 0.0)
    assert found["expectations"][0]["expected"] is None
    assert {row["algorithm"] for row in found["certificates"]} == {"pure_equilibria"}
    assert Path(found["report"]).is_file()
    assert Path(found["run"]) == Path("runs/chicken")

    run = found["run"]
    cells = found["cells"] | {"left": 0}
    status = {"run": run, "status": "done", "cells": cells, "checkpoints": 0}
    assert rivalry("status", run, "--json").value == status
    assert rivalry("report", run, "--json").value == {key: found[key] for key in ("run", "answer", "report")}
    assert rivalry("resume", run, "--json").value == found
    certified = rivalry("certify", run, "--json").value
    assert set(certified) == {"run", "certificates"}
    assert certified["certificates"] == found["certificates"]
    files = rivalry("export", run, "--to", "csv", "--out", "numbers", "--json").value
    assert (set(files), files["left_out"]) == ({"files", "left_out"}, [])
    assert files["files"]
    assert all(Path(file).is_file() for file in files["files"])
    frozen = rivalry("freeze", run, "--out", "page.html", "--json").value
    assert frozen == {"files": ["page.html"], "left_out": []}
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_certificates_are_recomputed_and_cells_unchanged(rivalry: Command, study: str) -> None:
    found = rivalry("run", study, "--json", "--workers", "1").value
    run = Path(found["run"])
    before = {path.name: path.read_bytes() for path in (run / "cells").iterdir()}
    answer = rivalry("certify", found["run"])
    assert answer.status == 0
    *table, claims, last = answer.out.splitlines()
    assert table[0].split() == ["cell", "algorithm", "claim", "coverage", "largest", "gain", "bound"]
    assert len(table) == 1 + 2
    assert claims == "certificates: 2 equilibrium"
    assert last == f"2 certificates recomputed; `rivalry report {run}` shows them"
    assert {path.name: path.read_bytes() for path in (run / "cells").iterdir()} == before
    assert {path.name for path in (run / "certificates").iterdir()} == set(before)
    assert rivalry("certify", found["run"], "--json").value["certificates"] == found["certificates"]


@pytest.mark.default
def test_results_are_not_exported_into_a_file(rivalry: Command, study: str) -> None:
    Path("numbers").write_text("mine")
    Run.create_or_open(Path("run"), load_study(study))
    refused = rivalry("export", "run", "--to", "csv", "--out", "numbers").refusal
    assert refused == "rivalry: --out numbers: is a file; must be a folder\n"
    assert Path("numbers").read_text() == "mine"


def test_without_json_the_last_line_is_the_path_of_the_report(rivalry: Command, study: str) -> None:
    answer = rivalry("run", study, "--workers", "1")
    assert answer.status == 0
    assert Path(answer.out.splitlines()[-1]).name == "report.html"
    assert Path(answer.out.splitlines()[-1]).is_file()
    words = "2 published values: 1 agrees, 1 differs (explained); 1 independent check: 1 agrees"
    assert words in " ".join(answer.out.split())  # wrapped to the width of the terminal
    assert "differs from the published value: largest gain: a slip of the source" in answer.out


@pytest.mark.filterwarnings("default:a prize")
def test_warnings_of_cells_are_summarised_at_the_end(rivalry: Command) -> None:
    file = duel_study.write(Path("duels"), points=3, trouble="warn")
    answer = rivalry("run", str(file), "--workers", "1")
    assert "warning: a prize of 0.5 is low (2 cells, with other numbers)" in answer.out.splitlines()
    found = rivalry("run", str(file), "--json", "--workers", "1").value
    assert found["warnings"] == [{"study": "duel", "warning": "a prize of 0.5 is low", "cells": 2}]


def test_options_override_the_study(rivalry: Command, study: str) -> None:
    line = ["run", study, "--json", "--set", "game.name=jordan", "--replications", "2", "--out", "elsewhere"]
    found = rivalry(*line, "--workers", "1").value
    # --set replaces the sweep of the name, and a method without draws has one replication
    assert (found["cells"]["total"], found["run"]) == (1, "elsewhere")
    assert found["changed"] == ["game.name", "replications.count"]
    for row in found["expectations"]:
        assert row["published_verdict"] == "not compared"
    reason = "game.name = 'jordan' in this run, 'chicken', 'coordination' in the study"
    assert found["expectations"][1]["reason"] == reason


def test_a_failing_cell_is_reported_and_the_others_are_computed(rivalry: Command, study: str) -> None:
    Path("game.py").write_text(
        "import equinox as eqx\nfrom rivalry import Box, oracles\nprint('chatter')\n"
        "class Hill(eqx.Module):\n"
        "    top: float\n    space: Box\n"
        "    def payoffs(self, x):\n        return -((x[:, 0] - self.top) ** 2)\n"
        "@oracles.metrics.register(Hill)\ndef known(game, x):\n"
        "    if float(game.top) > 0.5:\n        raise ArithmeticError('too high')\n"
        "    return {}\n"
        "def hill(top: float = 0.2):\n    return Hill(top, Box.interval(0.0, 1.0, players=2))\n"
    )
    Path("hill.toml").write_text(
        '[game]\nfamily = "game.py:hill"\n[[method]]\nkind = "gradient_ascent"\nrate = 0.1\n'
        '[sweep]\n"game.top" = [0.25, 0.75]\n'
    )
    answer = rivalry("run", "hill.toml", "--json", "--workers", "1")
    assert answer.status == 1
    assert answer.err.splitlines()[:2] == ["runs game.py, which the study hill names", "chatter"]
    assert "too high" in answer.err
    assert "Traceback" not in answer.err
    found = answer.value
    assert (found["status"], found["cells"]) == ("failed", {"total": 2, "done": 1, "failed": 1})
    assert len(found["certificates"]) == 1
    # commands that only read a run do not execute the user's file
    Path("game.py").write_text("raise RuntimeError('must not be run')\n")
    for line in (["status"], ["report"], ["export", "--to", "csv"], ["freeze"]):
        assert rivalry(line[0], "runs/hill", *line[1:]).status == 0
    assert rivalry("show", "hill.toml").status == 0
    assert rivalry("list").status == 0


def test_a_study_that_includes_studies_joins_their_results(rivalry: Command, study: str) -> None:
    Path("other.toml").write_text(
        STUDY.replace("Two games", "More games") + '[quick]\n"game.name" = "jordan"\n'
    )
    Path("both.toml").write_text('title = "Both"\ninclude = ["chicken.toml", "other.toml"]\n')
    found = rivalry("run", "both.toml", "--json", "--workers", "1").value
    assert set(found) == RUN
    assert found["cells"] == {"total": 3, "done": 3, "failed": 0}
    assert {row["cell"].split("/")[0] for row in found["certificates"]} == {"chicken", "other"}
    assert len(found["expectations"]) == 4
    assert Path("runs/both/chicken/cells").is_dir()
    assert rivalry("status", "runs/both", "--json").value["cells"]["total"] == 3


def test_show_prints_a_study_or_the_parameters(rivalry: Command, study: str) -> None:
    from rivalry.lab.study import Study, load_study

    assert Study.from_resolved(rivalry("show", study, "--json").value) == load_study(study)
    rows = rivalry("show", "influencer", "--json").value
    assert all(
        set(row) == {"name", "type", "default", "required", "bounds", "meaning", "symbol"} for row in rows
    )
    reach = next(row for row in rows if row["name"] == "reach")
    assert (reach["bounds"], reach["symbol"]) == ("> 0", "sigma")
    assert rivalry("show", "gradient_ascent", "--json").value
    several = rivalry("show", "q_learning", "--json").value
    assert next(row["class"] for row in several if row["name"] == "training") == "PopulationQLearning"
    text = rivalry("show", "q_learning").out
    assert (
        text.index("epochs")
        < text.index("PopulationQLearning needs a population")
        < text.index("update_probability")
    )


@pytest.mark.parametrize(
    ("family", "among", "beyond"), [("matrix", "pure_equilibria", "simulation"), ("karma", "newton", "hedge")]
)
def test_show_names_methods_that_fit_a_family(rivalry: Command, family: str, among: str, beyond: str) -> None:
    listed = rivalry("show", family).out.rpartition("Methods: ")[2].replace(",", " ").split()
    assert among in listed
    assert beyond not in listed


def test_doctor_lists_versions_and_states(rivalry: Command) -> None:
    rows = rivalry("doctor", "--json").value
    assert all(set(row) == {"name", "version", "state", "remedy"} for row in rows)
    assert {"python", "rivalry", "jax"} <= {row["name"] for row in rows}
    assert rivalry("doctor").out.startswith("name")


@pytest.mark.default
def test_infinite_and_nan_values_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    from rivalry.cli import output

    output.print_result(True, {"bound": math.inf, "regret": [math.nan, 1.5], "claim": None})
    printed: Any = json.loads(capsys.readouterr().out)
    assert printed == {"bound": None, "regret": [None, 1.5], "claim": None}
