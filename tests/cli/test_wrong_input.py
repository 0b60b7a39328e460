"""Wrong input: exit status 2 and one line on stderr that names the key, the value and the rule."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from rivalry.lab.study import StudyError, load_study
from rivalry.schema.registry import from_file
from tests.cli.conftest import Answer, Command

GOOD = """
title = "Three parties"
plots = ["paths"]
[game]
family = "influencer"
reach = [0.25, 0.25, 0.25]
resource = "bimodal"
[[method]]
kind = "gradient_ascent"
start = [0.1, 0.4, 0.9]
[sweep]
"game.reach" = [0.25, 0.3]
[replications]
count = 1
seed = 7
[[expect]]
quantity = "threshold"
at = { reach = 0.25 }
published = 0.188815
published_tolerance = 5e-7
published_tolerance_reason = "rounding"
expected = 0.188816
tolerance = 1e-5
[quick]
"game.reach" = 0.25
"""

FILES = {
    "bad_syntax.py": "def contest(:\n",
    "raises.py": "raise RuntimeError('no luck')\n",
    "fails.py": "def contest(prize: float = 1.0):\n    return 1 / 0\n",
    "other.py": "def contest_game():\n    return 1\n",
    "plots.py": "def ends(data, ax=None, *, colour='k'):\n    pass\ndef alone(data):\n    pass\nthing = 3\n",
    "not_a_game.py": "def contest(prize: float = 1.0):\n    return 3\n",
    "no_annotation.py": "def contest(prize: 'Prise' = 1.0):\n    return 3\n",
    "payoffs.py": (
        "import equinox as eqx\nfrom rivalry import Box\n"
        "class Contest(eqx.Module):\n"
        "    space: Box\n"
        "    def payoffs(self, x):\n        return x.sum()\n"
        "def contest():\n    return Contest(Box.interval(0.0, 1.0, players=2))\n"
    ),
    "method.py": (
        "import equinox as eqx\nclass Mine:\n    pass\nclass Steps(eqx.Module):\n    steps: int = 3\n"
        "class Init(eqx.Module):\n"
        "    def init(self, game, start, key):\n        return {}['nothing']\n"
        "    def step(self, game, state, key):\n        return state\n"
    ),
}


class Wrong(NamedTuple):
    """A replacement in the valid study, and words that the error message must contain."""

    old: str
    new: str
    says: tuple[str, ...]


def replaced(old: str, new: str, *says: str) -> Wrong:
    return Wrong(old, new, says)


def of_method(line: str, *says: str) -> Wrong:
    return Wrong("start = [", f"{line}\nstart = [", says)


def of_value(line: str, *says: str) -> Wrong:
    return Wrong("published =", f"{line}\npublished =", says)


STUDIES = {
    "unknown top-level key": replaced('title = "T', 'titel = "T', "titel", "did you mean 'title'?"),
    "unknown table": replaced(
        "[replications]", "[replication]", "replication", "did you mean 'replications'?"
    ),
    "unknown family": replaced('"influencer"', '"influencr"', "game.family", "'influencr'", "'influencer'?"),
    "family is no text": replaced('family = "influencer"', "family = 3", "game.family", "3", "text"),
    "family missing": replaced('family = "influencer"', "", "game.family", "missing"),
    "no game": replaced('[game]\nfamily = "influencer"', "[game]", "game.family", "missing"),
    "no such data": replaced(
        'resource = "bimodal"', 'resource = { kind = "file", path = "fish.csv" }', "fish.csv", "no such file"
    ),
    "an array without gaps": replaced(
        'resource = "bimodal"',
        'resource_points = { kind = "continuous" }\nresource = [1.0, 2.0]',
        "game.resource",
        "no value between points",
    ),
    "unknown method": replaced('"gradient_ascent"', '"gradient_acsent"', "kind", "'gradient_ascent'?"),
    "kind missing": replaced('kind = "gradient_ascent"', "", "method[0].kind", "missing"),
    "kind misspelt": replaced('kind = "grad', 'knd = "grad', "method[0].knd", "did you mean 'kind'?"),
    "family misspelt": replaced("family", "famly", "game.famly", "did you mean 'family'?"),
    "a plot's kind misspelt": replaced(
        '"paths"', '{ knd = "paths" }', "plots[0].knd", "did you mean 'kind'?"
    ),
    "plots below a method": of_method('plots = ["paths"]', ".plots", "belongs above the first table"),
    "a title below a method": of_method('title = "a"', ".title", "belongs above the first table"),
    "a seed below a method": of_method("seed = 1", ".seed", "belongs in [replications]"),
    "a reference below a method": of_method("published = 1", ".published", "belongs in [[expect]]"),
    "a method's key above": replaced("plots", "max_steps = 1\nplots", "max_steps", "belongs in [[method]]"),
    "a game's key above": replaced("plots", "reach = 0.2\nplots", "reach", "belongs in [game]"),
    "a method's key in a game": replaced(
        "reach", "boundary = 'clip'\nreach", "game.boundary", "in [[method]]"
    ),
    "a game's key below a method": of_method("reach = 1.0", ".reach", "belongs in [game]"),
    "kind is no text": replaced('kind = "gradient_ascent"', "kind = 1", "method[0].kind", "1", "text"),
    "unknown method key": of_method("stepz = 3", "stepz", "did you mean 'steps'?"),
    "method option's type": of_method('rate = "fast"', ".rate", "'fast'", "number"),
    "start outside": replaced("0.4, 0.9]", "0.4, 1.9]", ".start", "1.9", "[0, 1]"),
    "start's shape": replaced("[0.1, 0.4, 0.9]", "[0.1, 0.4]", ".start", "(2,)", "(3, 1)"),
    "start's type": replaced("[0.1, 0.4, 0.9]", '["a", "b"]', ".start", "'a'", "number"),
    "unknown start": replaced("[0.1, 0.4, 0.9]", '"paper_defualt"', ".start", "'paper_default'"),
    "starts beside start": of_method("starts = 5", "starts", "clashes with start"),
    "starts below one": replaced("start = [0.1, 0.4, 0.9]", "starts = 0", "starts", "0", "at least 1"),
    "a grid of how many": replaced("[0.1, 0.4, 0.9]", '"grid"', ".start", "starts"),
    "max_seconds": of_method("max_seconds = 0", ".max_seconds", "0", "above 0"),
    "tol": of_method("tol = -1.0", ".tol", "-1", "above 0"),
    "max_steps": of_method("max_steps = 1.5", "max_steps", "1.5", "whole number"),
    "steps of a dynamic": of_method("steps = 10", ".steps", "max_steps"),
    "mirror on a line": of_method('boundary = "mirror"', ".boundary", "'mirror'", "simplex"),
    "name taken": replaced(
        "[sweep]", '[[method]]\nkind = "gradient_ascent"\n[sweep]', "method[1].name", "taken"
    ),
    "reach has a text": replaced("[0.25, 0.25, 0.25]", '[0.25, "a", 1]', "game.reach[1]", "'a'", "number"),
    "unknown resource": replaced('"bimodal"', '"bimodel"', "game.resource", "'bimodal'"),
    "swept value": replaced("[0.25, 0.3]", "[0.25, -0.3]", "game.reach", "-0.3", "above 0"),
    "swept key": replaced('"game.reach" = [', '"game.raech" = [', "game.raech", "did you mean 'reach'?"),
    "swept method": replaced('"game.reach" = [', '"method.climb.rate" = [', "method.climb.rate", "'climb'"),
    "sweep's root": replaced('"game.reach" = [', '"gamee.reach" = [', "gamee.reach", "game."),
    "sweep's value twice": replaced("[0.25, 0.3]", "[0.25, 0.25]", "game.reach[1]", "0.25", "twice"),
    "count": replaced(
        "[0.25, 0.3]", "{ from = 0.1, to = 0.3, count = 1 }", "game.reach.count", "1", "at least 2"
    ),
    "count's name": replaced("[0.25, 0.3]", "{ from = 0.1, to = 0.3, cuont = 5 }", "cuont", "'count'?"),
    "no file of plots": replaced('"paths"', '"plot.py:ends"', "plots[0]", "plot.py", "no such file"),
    "no such plot in it": replaced('"paths"', '"plots.py:end"', "plots[0]", "'end'", "'ends'?"),
    "plot of no axes": replaced('"paths"', '"plots.py:alone"', "plots[0]", "(data, ax=None)"),
    "plot that is none": replaced('"paths"', '"plots.py:thing"', "plots[0]", "not a function"),
    "option of one's own plot": replaced(
        '"paths"', '{ kind = "plots.py:ends", color = 1 }', "plots[0].color", "'colour'?"
    ),
    "one table of methods": replaced("[[method]]", "[method]", "method", "[[method]]"),
    "a name with a blank": of_method('name = "a b"', ".name", "'a b'", "letters"),
    "equals without share": of_value("equals = 1", "expect[0].equals", "share"),
    "published list": replaced(
        "0.188815", "[0.1]", "expect[0].published", "true or false or a number or text"
    ),
    "plot without its name": replaced('"paths"', '"plots.py"', "plots[0]", "my_file.py:name"),
    "log of 0": replaced(
        "[0.25, 0.3]", '{ from = 0, to = 0.3, count = 5, scale = "log" }', "game.reach.from", "0", "above 0"
    ),
    "count of replications": replaced("count = 1", "count = 0", "replications.count", "0", "at least 1"),
    "seed": replaced("seed = 7", "seed = -7", "replications.seed", "-7", "at least 0"),
    "replications' key": replaced("seed = 7", "sede = 7", "replications.sede", "did you mean 'seed'?"),
    "tolerance": replaced(
        "[quick]", "[certificate]\ntolerance = 0\n[quick]", "certificate.tolerance", "above 0"
    ),
    "unknown plot": replaced('["paths"]', '["pahts"]', "plots[0]", "'pahts'", "did you mean 'paths'?"),
    "expect's coordinate": replaced(
        "at = { reach", "at = { raech", "expect[0].at.raech", "did you mean 'reach'?"
    ),
    "expect's value": replaced("reach = 0.25 }", "reach = 0.26 }", "expect[0].at.reach", "0.26", "0.25"),
    "expect's quantity": replaced('"threshold"', '"regrett"', "expect[0].quantity", "did you mean 'regret'?"),
    "expect's key": replaced("published =", "publisht =", "expect[0].publisht", "did you mean 'published'?"),
    "expect's rules clash": of_value("within = [0, 1]", "expect[0].tolerance", "within"),
    "expect's reduce": of_value('reduce = "sum"', "expect[0].reduce", "'sum'", "'mean'"),
    "expect's over": of_value('over = "max"', "expect[0].over", "is called reduce"),
    "published without tolerance": replaced(
        "published_tolerance = 5e-7\n", "", "expect[0].published_tolerance", "is missing", "0.005 for 0.85"
    ),
    "how it was read": of_value('read = "somewhere"', "expect[0].read", "'somewhere'", "'first-hand'"),
    "cost": replaced("[game]", 'cost = "cheap"\n[game]', "cost"),
    "quick's key": replaced(
        '"game.reach" = 0.25', '"gmae.reach" = 0.25', "[quick]", "gmae.reach", "game.reach?"
    ),
    "include beside game": replaced("plots", 'include = ["x"]\nplots', "include"),
    "missing user file": replaced('"influencer"', '"my_game.py:contest"', "my_game.py", "no such file"),
    "user's syntax": replaced('"influencer"', '"bad_syntax.py:contest"', "bad_syntax.py:1", "SyntaxError"),
    "user's file raises": replaced('"influencer"', '"raises.py:contest"', "raises.py:1", "no luck"),
    "user's name": replaced('"influencer"', '"other.py:contest"', "other.py", "did you mean 'contest_game'?"),
    "user's key": replaced('"influencer"', '"not_a_game.py:contest"', "game.reach", "unknown key"),
}
USED = '[game]\nfamily = "matrix"\nname = "chicken"\n[[method]]\nkind = "method.py:{}"\nname = "x"'
LONE = {  # separate studies
    "user's game fails": ('[game]\nfamily = "fails.py:contest"', ("fails.py", "ZeroDivisionError")),
    "user's game is none": ('[game]\nfamily = "not_a_game.py:contest"', ("game.family", "int", "space")),
    "user's annotation": ('[game]\nfamily = "no_annotation.py:contest"', ("Prise",)),
    "user's method": (USED.format("Mine"), ("method.x.kind", "no method")),
    "user's option": (USED.format("Steps"), ("method.x.steps", "another name")),
    "user's init": (USED.format("Init"), ("method.x", "cannot begin", "KeyError")),
    "user's payoffs": ('[game]\nfamily = "payoffs.py:contest"', ("payoffs.py", "(2,)")),
}


def assert_refusal(answer: Answer, *says: str) -> None:
    for words in says:
        assert words in answer.refusal


def write_study(study: str) -> None:
    for name, text in FILES.items():
        Path(name).write_text(text)
    Path("mine.toml").write_text(study)


@pytest.mark.parametrize("case", STUDIES)
def test_an_error_in_a_study_gives_one_line(rivalry: Command, case: str) -> None:
    wrong = STUDIES[case]
    assert wrong.old in GOOD
    write_study(GOOD.replace(wrong.old, wrong.new, 1))
    answer = rivalry("run", "mine.toml")
    lines = "\n".join(line for line in answer.err.splitlines() if not line.startswith("runs "))
    assert_refusal(answer._replace(err=lines + "\n"), "mine.toml", *wrong.says)
    assert not Path("runs").exists()


@pytest.mark.parametrize("case", LONE)
def test_an_error_in_a_user_file_gives_one_line(rivalry: Command, case: str) -> None:
    game, says = LONE[case]
    write_study(f'{game}\n[[method]]\nkind = "gradient_ascent"\n')
    answer = rivalry("run", "mine.toml")
    first, *rest = answer.err.splitlines()
    assert first.startswith("runs ")
    assert_refusal(answer._replace(err="\n".join(rest) + "\n"), *says)


LEARNERS = {  # options of a learner in a game of three players
    "a learner's list of another length": ("step_size = [0.1, 0.2]", ("q_learning.step_size", "2", "3")),
    "a learner's start off its grid": ("start = [0.1, 0.42, 0.9]", ("q_learning.start[1]", "0.42", "0.4")),
    "a learner's random start": ('start = "random"', ("q_learning.start", "'random'", "leave it out")),
    "a learner's tolerance": ("tol = 1e-3", ("q_learning.tol", "not for a learner")),
    "a learner's many starts": ("starts = 5", ("q_learning.starts", "not for a learner")),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", LEARNERS)
def test_an_error_in_learner_options_gives_one_line(rivalry: Command, case: str) -> None:
    option, says = LEARNERS[case]
    game = 'family = "influencer"\nreach = [0.2, 0.2, 0.2]'
    write_study(f'[game]\n{game}\n[[method]]\nkind = "q_learning"\n{option}\n')
    assert_refusal(rivalry("run", "mine.toml"), "mine.toml: method.", *says)


LINES = {
    "unknown command": (["rnu", "mine.toml"], ("rnu", "did you mean 'run'?")),
    "unknown option": (["run", "mine.toml", "--wrkers", "2"], ("--wrkers", "did you mean '--workers'?")),
    "missing argument": (["run"], ("STUDY",)),
    "one argument too many": (["status", "a", "b"], ("b",)),
    "option without a value": (["run", "mine.toml", "--set"], ("--set", "argument")),
    "value for a switch": (["run", "mine.toml", "--json=yes"], ("--json", "value")),
    "a study for a command": (["tour"], ("tour", "`rivalry run tour`")),
    "missing study": (["run", "mien.toml"], ("mien.toml", "did you mean 'mine.toml'?")),
    "unknown study": (["run", "toor"], ("'toor'", "study")),
    "a folder": (["run", "./"], ("./", "folder")),
    "not TOML": (["run", "broken.toml"], ("broken.toml", "line 1")),
    "not text": (["run", "bytes.toml"], ("bytes.toml", "must be text in UTF-8")),
    "unknown kind": (["list", "gmaes"], ("gmaes", "did you mean 'games'?")),
    "learners are methods": (["list", "learners"], ("learners are among the methods",)),
    "show what is not": (["show", "influencr"], ("influencr", "did you mean 'influencer'?")),
    "--set without a value": (["run", "mine.toml", "--set", "game.reach"], ("game.reach", "KEY=VALUE")),
    "--set's value": (["run", "mine.toml", "--set", "game.reach=[0.1"], ("[0.1", "list")),
    "--sweep's range": (["run", "mine.toml", "--sweep", "game.reach=0-10"], ("'0-10'", "FROM:TO:COUNT")),
    "--sweep's dots": (["run", "mine.toml", "--sweep", "game.reach=0..10"], ("FROM:TO:COUNT", "0.1,0.2")),
    "--set's key": (["run", "mine.toml", "--set", "game.raech=1"], ("game.raech", "did you mean 'reach'?")),
    "--set's table": (
        ["run", "mine.toml", "--set", "gmae.reach=1"],
        ("gmae.reach", "did you mean game.reach?"),
    ),
    "--set's range": (["run", "mine.toml", "--set", "game.reach=-1"], ("game.reach", "-1", "above 0")),
    "--set twice": (["run", "mine.toml", "--set", "game.reach=1", "--set", "game.reach=2"], ("twice",)),
    "--set's method": (["run", "mine.toml", "--set", "method.climb.rate=1"], ("'climb'", "gradient_ascent")),
    "--set's quotes": (["run", "mine.toml", "--set", "game.a>b=1"], ("game.a>b", "like game.reach")),
    "--set of many parts": (["run", "mine.toml", "--set", f"game{'.a' * 20_000}=1"], ("40004 characters",)),
    "--set's entry": (["run", "mine.toml", "--set", "game.reach[7]=1"], ("game.reach[7]", "0..2")),
    "--set and --sweep": (
        ["run", "mine.toml", "--set", "game.reach=1", "--sweep", "game.reach=1,2"],
        ("game.reach", "--set"),
    ),
    "--set and --replications": (
        ["run", "mine.toml", "--set", "replications.count=2", "--replications", "3"],
        ("--replications", "--set"),
    ),
    "--sweep's form": (["run", "mine.toml", "--sweep", "game.reach=0.1:0.2"], ("0.1:0.2", "FROM:TO:COUNT")),
    "--sweep's count": (["run", "mine.toml", "--sweep", "game.reach=0.1:0.2:1"], ("count", "at least 2")),
    "--sweep's key": (["run", "mine.toml", "--sweep", "game.raech=1,2"], ("game.raech", "'reach'?")),
    "--sweep's value": (
        ["run", "mine.toml", "--sweep", "game.reach=0.2,-1"],
        ("game.reach", "-1", "above 0"),
    ),
    "--sweep's hole": (["run", "mine.toml", "--sweep", "game.reach=0.2,,1"], ("empty",)),
    "--workers": (["run", "mine.toml", "--workers", "none"], ("--workers", "valid integer")),
    "--workers 0": (["run", "mine.toml", "--workers", "0"], ("--workers", "1")),
    "--replications": (["run", "mine.toml", "--replications", "-2"], ("--replications", "1")),
    "--executor": (["run", "mine.toml", "--executor", "rya"], ("rya", "did you mean 'ray'?")),
    "--executor ray": (["run", "mine.toml", "--executor", "ray"], ("[deep]",)),
    "--address": (["run", "mine.toml", "--address", "here"], ("--address", "here", "ray")),
    "--out is no run": (["run", "mine.toml", "--out", "full"], ("full", "not a run folder")),
    "--out is a file": (["run", "mine.toml", "--out", "mine.toml"], ("mine.toml", "not a run folder")),
    "--out of another study": (["run", "mine.toml", "--out", "other"], ("other", "theirs", "mine")),
    "status of nothing": (["status", "runs/none"], ("runs/none", "no such run folder")),
    "status of a folder": (["status", "full"], ("full", "not a run folder")),
    "resume of nothing": (["resume", "runs/none"], ("runs/none", "no such run folder")),
    "report of nothing": (["report", "runs/none"], ("runs/none", "no such run folder")),
    "certify of nothing": (["certify", "runs/none"], ("runs/none", "no such run folder")),
    "export of nothing": (["export", "runs/none", "--to", "csv"], ("runs/none", "no such run folder")),
    "export's format": (["export", "other", "--to", "cvs"], ("cvs", "did you mean 'csv'?")),
    "freeze of nothing": (["freeze", "runs/none"], ("runs/none", "no such run folder")),
    "freeze into no page": (["freeze", "other", "--out", "page.pdf"], ("--out", "page.pdf", ".html")),
    "export without a format": (["export", "other"], ("--to",)),
}


@pytest.mark.parametrize("case", LINES)
def test_an_error_on_the_command_line_gives_one_line(rivalry: Command, case: str) -> None:
    if case == "--executor ray" and find_spec("ray"):
        pytest.skip("needs an environment without Ray")
    line, says = LINES[case]
    write_study(GOOD)
    Path("broken.toml").write_text("title = \n")
    Path("bytes.toml").write_bytes(b"\xff\xfe\x00")
    Path("full").mkdir()
    Path("full/letter.txt").write_text("not yours")
    if "other" in line:
        from rivalry.lab.store import Run
        from rivalry.lab.study import Study

        game = {"family": "matrix", "name": "chicken"}
        Run.create_or_open("other", Study("theirs", game=game, method={"kind": "pure_equilibria"}))
    assert_refusal(rivalry(*line), *says)
    assert Path("full/letter.txt").read_text() == "not yours"


@pytest.mark.slow
def test_a_study_that_includes_studies_cannot_be_changed(rivalry: Command) -> None:
    write_study(GOOD)
    Path("matrix.toml").write_text(
        '[game]\nfamily = "matrix"\nname = "chicken"\n[[method]]\nkind = "pure_equilibria"\n'
    )
    Path("both.toml").write_text('include = ["mine.toml", "matrix.toml"]\n')
    assert_refusal(rivalry("run", "both.toml", "--set", "game.reach=0.2"), "both", "game.reach", "mine")
    assert_refusal(
        rivalry("run", "both.toml", "--sweep", "game.name=chicken,jordan"), "sweep.game.name", "matrix"
    )
    Path("more.toml").write_text('include = ["both.toml"]\n')
    assert_refusal(rivalry("run", "more.toml"), "include", "more")
    Path("more.toml").write_text('include = ["mnie.toml"]\n')
    assert_refusal(rivalry("run", "more.toml"), "mnie.toml", "did you mean 'mine.toml'?")


def test_the_unmodified_study_is_valid(rivalry: Command) -> None:
    write_study(GOOD)
    assert rivalry("show", "mine.toml").status == 0


@pytest.mark.slow
@pytest.mark.parametrize("line", [["rnu"], ["run", "nothing.toml"]])
def test_in_a_separate_process(tmp_path: Path, line: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rivalry", *line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert Answer(done.returncode, done.stdout, done.stderr).refusal


QUITS = """
import sys
import equinox as eqx
from jax import numpy as jnp
from rivalry import Box

times = 0

def leave(where, when):
    global times
    times += where == "payoffs"
    if where == when or (where, when, times > 1) == ("payoffs", "run", True):
        sys.exit(0)

class Contest(eqx.Module):
    space: Box
    when: str
    def payoffs(self, x):
        leave("payoffs", self.when)
        return -(x[:, 0] - jnp.sum(x) / 3) ** 2

def contest(*, when: str = "never"):
    leave("factory", when)
    return Contest(Box.interval(0.0, 1.0, players=2), when)

def ends(data, ax=None):
    sys.exit(0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "status", "says"),
    [
        ("factory", 2, r"quits\.py:\d+: SystemExit: 0"),
        ("payoffs", 2, r"payoffs of quits\.py:contest raised SystemExit: 0"),
        ("run", 1, r"SystemExit: 0 \(quits\.py, line \d+: sys\.exit\(0\)\)"),
        ("plot", 0, r"quits\.py:ends\) was not drawn: SystemExit: 0"),
    ],
)
def test_a_file_that_ends_the_program_is_named(rivalry: Command, when: str, status: int, says: str) -> None:
    """`sys.exit(0)` in it would end the command with success."""
    plots = 'plots = ["quits.py:ends"]\n' * (when == "plot")
    method = '[[method]]\nkind = "best_response"\nmax_steps = 5\n'
    Path("quits.py").write_text(QUITS)
    Path("mine.toml").write_text(f'{plots}[game]\nfamily = "quits.py:contest"\nwhen = "{when}"\n{method}')
    answer = rivalry("run", "mine.toml", "--workers", "1")
    assert answer.status == status
    assert re.search(says, answer.err + answer.out), answer
    assert Path("runs/mine/study.json").exists() == (status < 2)
    assert len(list(Path("runs").glob("mine/cells/*"))) == (status == 0)


@pytest.mark.slow
def test_files_that_end_certification_are_named(rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever command runs it, and wherever."""
    Path("quits.py").write_text(QUITS)
    Path("mine.toml").write_text('[game]\nfamily = "quits.py:contest"\n[[method]]\nkind = "best_response"\n')
    assert rivalry("run", "mine.toml", "--workers", "1").status == 0
    leaves = from_file("quits.py:ends", Path.cwd())
    monkeypatch.setattr("rivalry.lab.proofs.recertify", lambda *_: leaves(None))
    answer = rivalry("certify", "runs/mine")
    assert answer.status == 1
    last = QUITS.rstrip().count("\n") + 1
    assert f"a file of the study called sys.exit(0) (quits.py, line {last})" in answer.err


@pytest.mark.parametrize("key", ["expect", "method", "game", "sweep", "batch", "plots", "quick", "include"])
@pytest.mark.parametrize("value", ["3", "true", '"a"', "[1]", "[[1]]", "{ a = 1 }", "[{ a = 1 }]", "nan"])
def test_a_key_of_any_type_gives_one_line(key: str, value: str, tmp_path: Path) -> None:
    head = f"{key} = {value}\n"
    rest = {"game": '[game]\nfamily = "matrix"\n', "method": '[[method]]\nkind = "evaluate"\n'}
    path = tmp_path / "odd.toml"
    path.write_text(head + "".join(text for name, text in rest.items() if name != key))
    with pytest.raises(StudyError) as caught:
        load_study(path).check()
    assert re.fullmatch(r"[^\n]+", str(caught.value))
