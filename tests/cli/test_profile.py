"""``rivalry certify --profile``: what other solvers print, judged in a game."""

import json
import os
import re
import sys
from contextlib import redirect_stdout
from fractions import Fraction
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.core.naming import GameNames, number_as_written
from rivalry.interop.profiles import read_profiles
from rivalry.tables.exact_profiles import exact_gains, nearest_equilibrium, projection
from tests.cli.conftest import Answer, Command

RPS = 'NFG 1 R "RPS" { "Row" "Column" } { 3 3 } 0 0 1 -1 -1 1 -1 1 0 0 1 -1 1 -1 -1 1 0 0'
ENTRY = """EFG 2 R "Entry" { "Entrant" "Incumbent" }
p "" 1 1 "" { "out" "in" } 0
t "" 1 "" { 0, 2 }
p "" 2 1 "" { "fight" "share" } 0
t "" 2 "" { -1, -1 }
t "" 3 "" { 1, 1 }
"""
MATRIX = '[game]\nfamily = "matrix"\npayoffs = [[[3, 0], [0, 2]], [[2, 0], [0, 3]]]\n'
DUOPOLY = """[game]
family = "continuous"
payoffs = ["a * (1 - a - b)", "b * (1 - a - b)"]
choices = ["a", "b"]
"""
PLAIN = """
import numpy as np
import rivalry as rv
class Duopoly:
    space = rv.Box.interval(0.0, 1.0, players=2)
    def payoffs(self, x):
        return x[:, 0] * (1 - x[0, 0] - x[1, 0])
def made():
    return rv.games.matrix("matching_pennies")
"""


@pytest.fixture
def certify(rivalry: Command) -> Command:
    """Judges a file of profiles in a game; returns what the command says."""
    games = {"rps.nfg": RPS, "entry.efg": ENTRY, "matrix.toml": MATRIX, "duopoly.toml": DUOPOLY}
    for name, text in (games | {"own.py": PLAIN}).items():
        Path(name).write_text(text)

    def call(profile: str, game: str, *more: str) -> Answer:
        return rivalry("certify", "--profile", profile, "--game", game, *more)

    return call


def judged(certify: Command, text: str, game: str, name: str = "found.txt", *more: str) -> list[Any]:
    Path(name).write_text(text)
    answer = certify(name, game, "--json", *more)
    assert answer.status == 0, answer.err
    assert all("verified" in line for line in answer.value.get("proofs", []))
    rows: list[Any] = answer.value["certificates"]
    return rows


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NE,3/5,2/5,2/5,3/5\n", "gambit.txt"),
        ("NE,0.6,0.4,0.4,0.6\n", "gambit.txt"),
        ("convex-1,3/5,2/5,2/5,3/5\n", "gambit.txt"),
        ("0.6 0.4 0.4 0.6", "plain.txt"),
        ("0.6,0.4\n0.4,0.6\n", "found.csv"),
        ("player,1,0\n1,.6,.4\n0,.4,.6\n", "found.csv"),
        ("(array([0.6, 0.4]), array([0.4, 0.6]))", "nashpy.txt"),
        ("[(array([0.6, 0.4]), array([0.4, 0.6]))]", "quantecon.txt"),
        ("[0.6 0.4] [0.4 0.6]", "printed.txt"),
        ("[[0.6 0.4]\n [0.4 0.6]]", "printed.txt"),
        ("[array([0.6, 0.4], dtype=float32), array([0.4, 0.6], dtype=float32)]", "openspiel.txt"),
        ("[[np.float64(0.6), np.float64(0.4)], [np.float64(0.4), np.float64(0.6)]]", "lists.txt"),
        ("[[Rational(3, 5), Rational(2, 5)], [Rational(2, 5), Rational(3, 5)]]", "pygambit.txt"),
        ("[[Fraction(3, 5), Fraction(2, 5)], [Fraction(2, 5), Fraction(3, 5)]]", "fractions.txt"),
        ('{"equilibria": [[["3/5", "2/5"], ["2/5", "3/5"]]]}', "found.json"),
        ("[[0.6, 0.4], [0.4, 0.6]]", "found.json"),
    ],
)
def test_what_other_solvers_print_is_read(certify: Command, text: str, name: str) -> None:
    (row,) = judged(certify, text, "matrix.toml", name)
    assert row["strategies"] == [["3/5", "2/5"], ["2/5", "3/5"]]
    assert (row["claim"], row["exact_gain"]) == ("equilibrium", ["0", "0"])


def test_arrays_of_numpy_files(certify: Command) -> None:
    np.save("found.npy", np.array([[[0.6, 0.4], [0.4, 0.6]], [[1.0, 0.0], [0.0, 1.0]]]))
    first, second = certify("found.npy", "matrix.toml", "--json").value["certificates"]
    assert first["exact_gain"] == ["0", "0"]
    assert second["exact_gain"] == ["2", "2"]  # each would rather play as the other does
    np.save("pickled.npy", np.array([[0.6, 0.4], None], dtype=object), allow_pickle=True)
    assert "must be an array of numbers" in certify("pickled.npy", "matrix.toml").refusal


@pytest.mark.slow
def test_each_line_is_answered_and_proved(certify: Command) -> None:
    pytest.importorskip("flint")
    lines = "NE,1/3,1/3,1/3,1/3,1/3,1/3\nNE,1,0,0,0,1,0\n"
    first, second = judged(certify, lines, "rps.nfg", "found.txt", "--export", "proofs")
    assert (first["claim"], second["claim"]) == ("equilibrium", "not an equilibrium")
    rock = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    x, y = np.eye(3)[0], np.eye(3)[1]
    gains = [max(rock @ y) - x @ rock @ y, max(-x @ rock) + x @ rock @ y]
    assert [Fraction(gain) for gain in second["exact_gain"]] == gains
    assert sorted(path.name for path in Path("proofs").iterdir()) == ["found-1.json", "found-2.json"]


@pytest.mark.slow
def test_rounded_decimals_are_judged_as_written_and_the_nearest_is_given(certify: Command) -> None:
    (row,) = judged(certify, "0.334,0.333,0.333,0.333,0.334,0.333", "rps.nfg")
    assert row["strategies"][0][0] == "167/500"
    assert row["exact_gain"] == ["1/1000000", "1/1000000"] or any(map(Fraction, row["exact_gain"]))
    assert row["nearest"] == [["1/3"] * 3] * 2
    # sums that are off by no more than the digits: divided by them, which is said
    (row,) = judged(certify, "0.333,0.333,0.333,0.333,0.333,0.333", "rps.nfg")
    assert (row["exact_gain"], len(row["notes"])) == (["0", "0"], 2)
    # farther than the digits written
    (row,) = judged(certify, "0.35,0.33,0.32,0.33,0.33,0.34", "rps.nfg")
    assert row["nearest"] is None


@pytest.mark.slow
def test_trees_in_behaviour_strategies_and_normal_form(certify: Command) -> None:
    first, second = judged(certify, "NE,0,1,0,1\nNE,1,0,0,1\n", "entry.efg")
    assert (first["claim"], second["claim"]) == ("equilibrium", "not an equilibrium")
    assert second["regret"] == [1.0, 0.0]  # entering pays 1 where the incumbent shares


def signalling(chance: Fraction, payoffs: np.ndarray) -> str:
    """A sender of two types and a receiver in Gambit's format; ``payoffs[type, message, answer, player]``."""
    lines = ['EFG 2 R "Signals" { "Sender" "Receiver" }', f'c "" 1 "" {{ "w" {chance} "s" {1 - chance} }} 0']
    for kind, name in enumerate("ws"):
        lines.append(f'p "" 1 {kind + 1} "{name}" {{ "B" "Q" }} 0')
        for message, said in enumerate("BQ"):
            lines.append(f'p "" 2 {message + 1} "{said}" {{ "d" "n" }} 0')
            for answer in range(2):
                number = 4 * kind + 2 * message + answer + 1
                pair = ", ".join(map(str, payoffs[kind, message, answer]))
                lines.append(f't "" {number} "" {{ {pair} }}')
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_lines_that_fit_both_forms_of_a_tree_are_read_by_their_sums(certify: Command, seed: int) -> None:
    """Each form of a random profile of a signalling game has the gains that all plans give."""
    rng = np.random.default_rng(seed)
    chance, payoffs = Fraction(1, 5), rng.integers(-4, 5, (2, 2, 2, 2))
    Path("signals.efg").write_text(signalling(chance, payoffs))
    plans = list(product(range(2), repeat=2))  # of the sender by type, of the receiver by message
    table = np.full((2, 4, 4), Fraction(0))
    for (i, sent), (j, met), kind in product(enumerate(plans), enumerate(plans), range(2)):
        weight = (chance, 1 - chance)[kind]
        table[:, i, j] += weight * payoffs[kind, sent[kind], met[sent[kind]]].astype(int).astype(object)
    weights = rng.integers(0, 4, (2, 4)) + 1
    mixed = [[Fraction(int(w), int(own.sum())) for w in own] for own in weights]
    # at a set that both plans reach, the chance of a move is that of the plans with it
    local = [
        [sum(p for p, plan in zip(own, plans, strict=True) if plan[at] == move) for at, move in plans]
        for own in mixed
    ]
    paid = [table[0] @ mixed[1], np.array(mixed[0]) @ table[1]]
    gains = [max(own) - np.dot(own, mine) for own, mine in zip(paid, mixed, strict=True)]
    for strategies, names in (
        (mixed, ["B/B", "B/Q", "Q/B", "Q/Q"]),
        (local, ["w: B", "w: Q", "s: B", "s: Q"]),
    ):
        (row,) = judged(certify, ",".join(map(str, [*strategies[0], *strategies[1]])), "signals.efg")
        assert row["entries"][0] == names
        assert row["regret"] == pytest.approx([float(gain) for gain in gains], abs=1e-12)
    assert "not" in row["claim"] or not any(gains)


@pytest.mark.parametrize(
    "line",
    [
        "NE,1/3,2/3,0,0,2/3,1/3",
        *(
            pytest.param(text, marks=pytest.mark.slow)
            for text in (
                "NE,1,0,1/3,2/3,2/3,1/3",
                "1,0,0.333,0.667,0.667,0.333",
                "0.333,0.667,0,0,0.667,0.333",
            )
        ),
    ],
)
def test_both_forms_of_the_equilibrium_of_a_game_of_poker(certify: Command, line: str) -> None:
    """Fred bluffs with chance 1/3, and Alice meets with 2/3 (Myerson 1991, section 2.1)."""
    poker = Path(__file__).parents[1] / "gambit" / "poker.efg"
    (row,) = judged(certify, line, str(poker))
    # at most the rounding of a thousandth, times the greatest difference of payoffs
    assert max(row["regret"]) <= (4e-3 if "." in line else 1e-12)


def test_a_line_that_is_of_neither_form_of_a_tree_is_told_both(certify: Command) -> None:
    Path("signals.efg").write_text(signalling(Fraction(1, 5), np.zeros((2, 2, 2, 2), int)))
    Path("found.txt").write_text("1,0,1,1,0,0,1,0")
    refusal = certify("found.txt", "signals.efg").refusal
    assert "as behaviour strategies: player Sender, at s: probabilities sum to 2" in refusal
    assert "as reduced strategies: player Sender: probabilities sum to 3" in refusal


@pytest.mark.slow
def test_choices_by_player(certify: Command) -> None:
    pytest.importorskip("flint")
    (row,) = judged(certify, '{"b": 0.333, "a": 0.3334}', "duopoly.toml", "found.json")
    assert row["strategies"] == [["1667/5000"], ["333/1000"]]
    assert row["nearest_radius"] < 1e-9
    assert [float(own[0]) for own in row["nearest"]] == pytest.approx([1 / 3, 1 / 3], abs=1e-9)
    third = judged(
        certify, "0.3333333333333333,0.3333333333333333", "duopoly.toml", "x.txt", "--export", "proofs"
    )
    assert third[0]["claim"] == "equilibrium"
    (row,) = judged(certify, "0.5,0.25", "own.py:Duopoly")
    assert row["claim"] == "not an equilibrium"
    assert row["regret"][0] == pytest.approx(0.375**2 - 0.5 * 0.25)
    assert row["nearest"] is None
    (row,) = judged(certify, "NE,1/2,1/2,1/2,1/2", "own.py:made")
    assert row["exact_gain"] == ["0", "0"]


@pytest.mark.parametrize(
    ("text", "game", "words"),
    [
        ("NE,1/2,1/2", "rps.nfg", "2 numbers in a profile; must be 6, by player 3 + 3"),
        ("NE,1/2,1/2,1/2,0,0,1", "rps.nfg", "player Row: probabilities sum to 1.5; must be 1"),
        ("NE,3/2,-1/2,0,0,0,1", "rps.nfg", "player Row: -0.5 is negative"),
        ("NE,0.90,0.05,0.0,0,0,1", "rps.nfg", "player Row: probabilities sum to 0.95; must be 1"),
        ("nothing\n", "rps.nfg", "has no numbers"),
        ("row,0.6,0.4\ncolumn,0.4,0.6\n", "matrix.toml", "name 'row' is unknown here; known: players 0, 1"),
        ("up,down\n.6,.4\n.4,.6\n", "matrix.toml", "name 'up' is unknown here; known: players 0, 1"),
        ("[1, 0, 0", "rps.nfg", "a bracket is not closed"),
        ("1,0,0]", "rps.nfg", "a bracket is closed that was not opened"),
        ("[" * 100, "rps.nfg", "nested more than 64 deep"),
        ("1,0,0\n0,one,0\n", "rps.nfg", "row 2: 'one' is not a number"),
        ("up,down\n.6,.4\n.4,much\n", "matrix.toml", "row 2: 'much' is not a number"),
        ("1,0,1/0,0,0,1", "rps.nfg", "'1/0' is not a number"),
        ("1.5,0.2", "duopoly.toml", "must be"),
        ("1,0", "missing.toml", "missing.toml"),
        ("1,0", "missing.nfg", "missing.nfg"),
        ("1,0", "own.py:nothing", "defines no 'nothing'"),
    ],
)
def test_wrong_profiles_are_refused_in_one_line(certify: Command, text: str, game: str, words: str) -> None:
    Path("found.txt").write_text(text)
    answer = certify("found.txt", game)
    printed = answer.err.strip().splitlines()
    assert answer.status == 2
    assert words in printed[-1]
    assert len(printed) == 1 + ("own.py" in game)


def test_a_file_that_is_no_plain_file_is_refused(certify: Command, rivalry: Command) -> None:
    assert "no such file" in certify("absent.txt", "rps.nfg").refusal
    Path("wide.json").write_bytes(b"\xff\xfe")
    assert "is text in UTF-16" in certify("wide.json", "rps.nfg").refusal
    assert rivalry("certify", "--profile", "wide.json").status == 2


def test_exact_gains_are_those_of_all_actions() -> None:
    """Of three players, by sums over all joint actions."""
    rng = np.random.default_rng(5)
    tables = np.vectorize(Fraction, otypes=[object])(rng.integers(-5, 6, (3, 2, 3, 2)))
    weights = [rng.integers(1, 5, size) for size in (2, 3, 2)]
    profile = [[Fraction(int(w), int(own.sum())) for w in own] for own in weights]
    paid = []
    for player in range(3):
        actions = []
        for action in range(len(profile[player])):
            total = Fraction(0)
            for joint in product(*map(range, (2, 3, 2))):
                if joint[player] == action:
                    others = [profile[k][a] for k, a in enumerate(joint) if k != player]
                    total += others[0] * others[1] * tables[player][joint]
            actions.append(total)
        paid.append(max(actions) - sum(p * u for p, u in zip(profile[player], actions, strict=True)))
    assert exact_gains(tables, profile) == paid


def test_the_nearest_equilibrium_of_a_continuum_is_a_projection() -> None:
    # the row player is indifferent throughout; the column player plays left
    tables = np.vectorize(Fraction, otypes=[object])(np.array([[[1, 0], [1, 2]], [[1, 0], [1, 0]]]))
    rounded = [[Fraction("0.30"), Fraction("0.71")], [Fraction(1), Fraction(0)]]
    found = nearest_equilibrium(tables, rounded, [Fraction("0.01")] * 2)
    assert found == [[Fraction("0.295"), Fraction("0.705")], [1, 0]]
    one = Fraction(1)
    assert projection([[one, one], [one, one]], [one, 2 * one], [one, one]) is None


def test_numbers_as_written() -> None:
    assert number_as_written("1e-3").value == Fraction(1, 1000)
    assert number_as_written("1.50e-2").unit == Fraction(1, 10_000)
    assert number_as_written("1.").unit == 0
    for text in ("nan", "1/0", "", "0x1", "1e9999"):
        with pytest.raises(ValueError, match="is not a number"):
            number_as_written(text)


def test_padded_rows(tmp_path: Path) -> None:
    path = tmp_path / "padded.txt"
    path.write_text("[[0.5 0.5 0. ]\n [0.2 0.3 0.5]]")
    ((profile,), _) = read_profiles(path, GameNames(("0", "1"), (("a", "b"), ("a", "b", "c"))))
    assert [len(own) for own in profile] == [2, 3]


@pytest.mark.slow
def test_the_commands_of_the_page_print_what_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # as wide as a page
    # programs that cells start find the packages of this process
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "howto" / "check_a_solution.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}\n(.*?)^```$", text, re.M | re.S)
    stored = json.loads((docs / "outputs" / "howto" / "check_a_solution.json").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for cell, outputs in zip(cells, stored["cells"], strict=True):
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(re.sub(r"^:.*\n\n?", "", cell, flags=re.M), "page", "exec"), names)
        assert printed.getvalue() == "".join(output["text"] for output in outputs)
