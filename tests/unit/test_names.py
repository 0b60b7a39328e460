"""Names in what people hand in are looked up in the game: nothing named is read by position."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import rivalry as rv
from rivalry.cli import main
from rivalry.core.foreign_tables import read_named_table, table_of_rows
from rivalry.core.naming import GameNames, in_order, named_profile, names_of
from rivalry.interop.profiles import read_profiles

NAMES = GameNames(("Row", "Col"), (("a", "b", "c"), ("a", "b")))
PROFILE = {"Row": {"a": "1/2", "b": "1/4", "c": "1/4"}, "Col": {"a": "3/4", "b": "1/4"}}
EXPECTED = [[Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)], [Fraction(3, 4), Fraction(1, 4)]]
ORDERS = [[0, 1, 2], [2, 1, 0], [1, 2, 0]]
Table = dict[str, dict[str, str]]


def in_json(path: Path, table: Table) -> Path:
    path = path.with_suffix(".json")
    path.write_text(json.dumps(table))
    return path


def rows_of(table: Table) -> list[list[str]]:
    columns = list(next(iter(table.values())))
    return [
        ["player", *columns],
        *([name, *(row.get(c, "0") for c in columns)] for name, row in table.items()),
    ]


def in_csv(path: Path, table: Table) -> Path:
    path = path.with_suffix(".csv")
    path.write_text("".join(",".join(row) + "\n" for row in rows_of(table)))
    return path


def in_parquet(path: Path, table: Table) -> Path:
    pytest.importorskip("pyarrow")
    path = path.with_suffix(".parquet")
    head, *rows = rows_of(table)
    pd.DataFrame(rows, columns=head).to_parquet(path)
    return path


def in_excel(path: Path, table: Table) -> Path:
    pytest.importorskip("openpyxl")
    path = path.with_suffix(".xlsx")
    head, *rows = rows_of(table)
    pd.DataFrame(rows, columns=head).to_excel(path, index=False)
    return path


def in_numpy(path: Path, table: Table) -> Path:
    path = path.with_suffix(".npy")
    head, *rows = rows_of(table)
    kinds = [(head[0], "U9"), *((name, "f8") for name in head[1:])]
    values = [(row[0], *(float(Fraction(cell)) for cell in row[1:])) for row in rows]
    np.save(path, np.array(values, dtype=kinds))
    return path


def printed(path: Path, table: Table) -> Path:
    path = path.with_suffix(".txt")
    path.write_text(repr({player: {k: Fraction(v) for k, v in row.items()} for player, row in table.items()}))
    return path


WRITERS = [in_json, in_csv, in_parquet, in_numpy, printed, pytest.param(in_excel, marks=pytest.mark.slow)]


@pytest.mark.parametrize("write", WRITERS)
def test_every_order_of_names_is_the_same_profile(tmp_path: Path, write: Callable[..., Path]) -> None:
    for order in ORDERS:
        for players in permutations(PROFILE):
            actions = [list(PROFILE["Row"])[k] for k in order]
            table = {p: {a: PROFILE[p][a] for a in actions if a in PROFILE[p]} for p in players}
            if write is not in_json and write is not printed:  # the widest row has all names of columns
                table = {p: {a: PROFILE[p].get(a, "0") for a in actions} for p in players}
            ((profile,), read_in_order) = read_profiles(write(tmp_path / "found", table), NAMES)
            assert [[number.value for number in row] for row in profile] == EXPECTED
            assert read_in_order == ""


FAULTS: list[tuple[Table, str]] = [
    ({"Row": PROFILE["Row"], "Other": PROFILE["Col"]}, "player 'Other' is unknown; known: Row, Col"),
    ({"Row": PROFILE["Row"]}, "player 'Col' is missing; known: Row, Col"),
    (
        {"Row": {"a": "1/2", "b": "1/2", "d": "1/4"}, "Col": {"a": "1", "b": "0", "d": "1/4"}},
        "player Row: entry 'd' is unknown; known: a, b, c",
    ),
    ({"Row": {"a": "1", "b": "0"}, "Col": {"a": "1", "b": "0"}}, "player Row: entry 'c' is missing"),
]


@pytest.mark.parametrize("write", WRITERS)
def test_unknown_and_missing_names_give_one_line(tmp_path: Path, write: Callable[..., Path]) -> None:
    for table, message in FAULTS:
        with pytest.raises(ValueError, match="known: ") as raised:
            read_profiles(write(tmp_path / "found", table), NAMES)
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", '{"Row": [1, 0, 0], "Row": [0, 1, 0], "Col": [1, 0]}', "player 'Row' is there twice"),
        ("x.json", '{"Row": {"a": 1, "a": 0, "b": 0, "c": 0}, "Col": [1, 0]}', "entry 'a' is there twice"),
        ("x.csv", "player,a,b,c,a\nRow,1,0,0,0\nCol,1,0,0,0\n", "entry 'a' is there twice"),
        ("x.csv", "Row,1,0,0\nRow,1,0,0\n", "player 'Row' is there twice"),
        ("x.csv", "Row,1,0,0\nColumn,1,0\n", "player 'Column' is unknown; known: Row, Col"),
        ("x.csv", "up,down,c\n1,0,0\n1,0,0\n", "name 'up' is unknown here; known: players Row, Col"),
        ("x.txt", "{'Row': {'a': 1, 'x': 0, 'b': 0, 'c': 0}, 'Col': [1, 0]}", "entry 'x' is unknown"),
        ("x.txt", "[Row: 1, 0, 0, Col: 1, 0]", "names and numbers must take turns"),
    ],
)
def test_doubled_and_foreign_names_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match="x\\.") as raised:
        read_profiles(tmp_path / name, NAMES)
    assert message in str(raised.value)


def test_the_order_of_what_has_no_names_is_stated(tmp_path: Path) -> None:
    (tmp_path / "found.txt").write_text("NE,1/2,1/4,1/4,3/4,1/4")
    ((profile,), order) = read_profiles(tmp_path / "found.txt", NAMES)
    assert [[number.value for number in row] for row in profile] == EXPECTED
    assert order == "Row: a, b, c; Col: a, b"
    np.savez(tmp_path / "found.npz", Col=[0.75, 0.25], Row=[0.5, 0.25, 0.25])
    ((profile,), order) = read_profiles(tmp_path / "found.npz", NAMES)
    assert [[number.value for number in row] for row in profile] == EXPECTED
    assert order


@pytest.mark.slow
def test_pandas_and_mappings_in_python() -> None:
    game = rv.games.matrix("prisoners_dilemma")
    right = {"0": {"defect": 1, "cooperate": 0}, "1": {"cooperate": 0, "defect": 1}}
    frame = pd.DataFrame({"defect": [1.0, 1.0], "cooperate": [0.0, 0.0]})
    for profile in (right, frame, frame[["cooperate", "defect"]], frame.set_index(pd.Index(["1", "0"]))):
        assert rv.certificate(game, profile).claim == "equilibrium"


@pytest.mark.slow
@pytest.mark.parametrize("players", [["0", "1"], ["1", "0"], [1, 0]])
@pytest.mark.parametrize("actions", [["a", "b"], ["b", "a"]])
def test_labelled_arrays_are_read_by_their_coordinates(players: list[Any], actions: list[str]) -> None:
    game = rv.games.matrix(payoffs=[[[3, 0], [1, 2]], [[2, 1], [0, 3]]], actions=["a", "b"])
    profile = xr.DataArray([[0.3, 0.7], [0.6, 0.4]], dims=("player", "action"))
    profile = profile.assign_coords(player=["0", "1"], action=["a", "b"])
    rows = [["0", "1"].index(str(player)) for player in players]
    written = profile.sel(action=actions)[rows].assign_coords(player=players)
    for array in (written, written.to_pandas()):
        assert named_profile(game, array).tolist() == profile.values.tolist()
    with pytest.raises(ValueError, match="player '2' is unknown; known: 0, 1"):
        named_profile(game, written.assign_coords(player=[1, 2]))


@pytest.mark.slow
def test_missing_names_of_pandas_are_refused() -> None:
    game = rv.games.matrix("prisoners_dilemma")
    frame = pd.DataFrame({"defect": [1.0, 1.0]})
    with pytest.raises(ValueError, match="entry 'cooperate' is missing; known: cooperate, defect"):
        rv.certificate(game, frame)


def test_payoff_tables_of_pandas_are_read_by_name() -> None:
    row = pd.DataFrame([[3, 0], [5, 1]], index=["c", "d"], columns=["c", "d"])
    column = row.T
    for shuffled in (column, column.loc[["d", "c"]], column[["d", "c"]], column.loc[["d", "c"], ["d", "c"]]):
        game = rv.games.matrix(row, shuffled)
        assert game.actions == (("c", "d"), ("c", "d"))
        assert np.asarray(game.table).tolist() == [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
    with pytest.raises(ValueError, match="action 'x' is unknown; known: c, d"):
        rv.games.matrix(row, column.rename(columns={"d": "x"}))
    with pytest.raises(ValueError, match=r"as matrix\(A, B\), by their names"):
        rv.games.matrix(payoffs=[row, column])


@pytest.mark.parametrize("ending", [".csv", ".parquet", pytest.param(".xlsx", marks=pytest.mark.slow)])
def test_policies_and_values_are_read_by_action_and_state(tmp_path: Path, ending: str) -> None:
    actions, states = ("cooperate", "defect"), ("c/c", "c/d", "d/c", "d/d")
    values = np.arange(8.0).reshape(4, 2) / 8
    frame = pd.DataFrame(values, columns=list(actions))
    frame.insert(0, "state", states)
    path = tmp_path / f"policy{ending}"
    write: Callable[[pd.DataFrame], Any] = {
        ".csv": lambda frame: frame.to_csv(path, index=False),
        ".parquet": lambda frame: frame.to_parquet(path, index=False),
        ".xlsx": lambda frame: frame.to_excel(path, index=False),
    }[ending]
    pytest.importorskip({".csv": "csv", ".parquet": "pyarrow", ".xlsx": "openpyxl"}[ending])
    for rows in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        for columns in (["state", *actions], ["state", *actions[::-1]]):
            write(frame.loc[rows, columns])
            table, has_names = read_named_table(str(path), actions, states)
            assert table.tolist() == values.tolist()
            assert has_names
    for wrong, message in (
        (frame.rename(columns={"defect": "shirk"}), "column 'shirk' is unknown; known: cooperate, defect"),
        (frame.replace("c/c", "c/x"), "state 'c/x' is unknown; known: c/c, c/d, d/c, d/d"),
        (frame.replace("c/c", "c/d"), "state 'c/d' is there twice"),
        (frame[1:], "state 'c/c' is missing"),
    ):
        write(wrong)
        with pytest.raises(ValueError, match="known: ") as raised:
            read_named_table(str(path), actions, states)
        assert message in str(raised.value)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["a", "b"], ["1/4", "3/4"]], [[0.25, 0.75]]),
        ([["b", "a"], ["1e-1", ".9"]], [[0.9, 0.1]]),
        ([["a", "b"], ["nan", "1"]], "'nan' must be a finite number"),
        ([["a", "b"], [datetime(2020, 1, 1), 1.0]], "is not a number such as 2, 0.5, 1e-3 or 1/3"),
        ([["a", "b"], ["", "1"]], "'' is not a number such as 2, 0.5, 1e-3 or 1/3"),
    ],
)
def test_cells_are_numbers_as_they_are_written(rows: list[list[Any]], expected: Any) -> None:
    if not isinstance(expected, str):
        assert table_of_rows(rows, ("a", "b"))[0].tolist() == expected
        return
    with pytest.raises(ValueError, match=re.escape(expected)):
        table_of_rows(rows, ("a", "b"))


def test_columns_of_unknown_names_are_refused_where_none_are_known(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("high,low\n1,2\n")
    with pytest.raises(ValueError, match="names of columns \\(high, low\\) are not known here"):
        read_named_table(str(path))
    path.write_text("action\n1\n0\n")
    assert read_named_table(str(path))[0].tolist() == [1, 0]


def test_unknown_doubled_and_missing_names() -> None:
    assert in_order(["b", "a"], ["a", "b"], "action") == [1, 0]
    for names, message in ((["c"], "'c' is unknown"), (["a", "a"], "'a' is there twice"), (["a"], "'b' is")):
        with pytest.raises(ValueError, match=message):
            in_order(names, ["a", "b"], "action")


TREE = """EFG 2 R "Entry" { "Entrant" "Incumbent" }
p "" 1 1 "market" { "out" "in" } 0
t "" 1 "" { 0, 2 }
p "" 2 1 "price" { "fight" "share" } 0
t "" 2 "" { -1, -1 }
t "" 3 "" { 1, 1 }
"""


def test_names_of_information_sets_survive(tmp_path: Path) -> None:
    path = tmp_path / "entry.efg"
    path.write_text(TREE)
    names = names_of(rv.interop.read_extensive(path))
    assert names.entries == (("market: out", "market: in"), ("price: fight", "price: share"))
    nested = {"Incumbent": {"price": {"share": 1, "fight": 0}}, "Entrant": {"market": {"in": 1, "out": 0}}}
    flat = {"price: share": 1, "market: out": 0, "market: in": 1, "price: fight": 0}
    for value in (nested, flat):
        (tmp_path / "found.json").write_text(json.dumps(value))
        ((profile,), order) = read_profiles(tmp_path / "found.json", names)
        assert [[int(number.value) for number in row] for row in profile] == [[0, 1], [0, 1]]
        assert order == ""
    # names that two sets share, or that are numbers, name none
    path.write_text(TREE.replace('"market"', '"2"').replace('"price"', '"2"'))
    assert rv.interop.read_extensive(path).names[0] == ("1: out", "1: in")


BATTLE = (
    'NFG 1 R "B" { "Row" "Col" } { {"a" "b"} {"a" "b"} } ""\n{ {"" 3, 2} {"" 0, 0} {"" 2, 3} }\n1 2 2 3\n'
)
DILEMMA = """
title = "The prisoner's dilemma, repeated"
question = "Is a strategy an equilibrium?"
source = "own"
[game]
family = "matrix"
payoffs = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
actions = ["cooperate", "defect"]
[[method]]
kind = "repeated_q_learning"
memory = 1
gamma = 0.6
"""


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["certify", *words, "--json"]) == 0
    row: dict[str, Any] = json.loads(capsys.readouterr().out)["certificates"][0]
    return row


@pytest.mark.slow
def test_the_command_reads_by_name_and_prints_the_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b.nfg").write_text(BATTLE)
    # the equilibrium: the row player at (3/5, 2/5), the column player at (2/5, 3/5)
    for name, text in (
        ("p.json", '{"Row": {"b": "2/5", "a": "3/5"}, "Col": {"a": "2/5", "b": "3/5"}}'),
        ("p.csv", "player,b,a\nCol,3/5,2/5\nRow,2/5,3/5\n"),
        ("p.txt", "NE,3/5,2/5,2/5,3/5"),
    ):
        Path(name).write_text(text)
        row = answer(capsys, "--profile", name, "--game", "b.nfg")
        assert (row["claim"], row["exact_gain"]) == ("equilibrium", ["0", "0"])
        assert row["read_in_order"] == ("a, b; players Row, Col" if name == "p.txt" else "")
    Path("p.json").write_text('{"Row": {"b": "3/5", "a": "2/5"}, "Col": {"a": "3/5", "b": "2/5"}}')
    assert answer(capsys, "--profile", "p.json", "--game", "b.nfg")["claim"] == "not an equilibrium"
    main(["certify", "--profile", "p.txt", "--game", "b.nfg"])
    assert "read in the order a, b; players Row, Col" in capsys.readouterr().out


@pytest.mark.slow
def test_policies_of_the_command_are_read_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dilemma.toml").write_text(DILEMMA)
    words = "--policy", "p.csv", "--game", "dilemma.toml"
    for text in ("defect,cooperate\n" + "1,0\n" * 4, "cooperate,defect\n" + "0,1\n" * 4):
        Path("p.csv").write_text(text)
        assert answer(capsys, *words)["claim"] == "equilibrium"  # always defecting
    Path("p.csv").write_text("defect,cooperate\n" + "0,1\n" * 4)
    assert answer(capsys, *words)["regret"] == pytest.approx([2.0, 2.0])  # always cooperating: 5 for 3
    Path("p.csv").write_text("0,1\n" * 4)
    assert answer(capsys, *words)["read_in_order"].startswith("cooperate, defect; states cooperate/cooperate")
    Path("p.csv").write_text("shirk,cooperate\n" + "0,1\n" * 4)
    assert main(["certify", *words]) == 2
    printed_lines = capsys.readouterr().err.splitlines()
    assert "column 'shirk' is unknown; known: cooperate, defect" in printed_lines[-1]


def test_a_list_of_strategies_by_name_is_read_by_name() -> None:
    game = rv.games.matrix([[3, 0], [5, 1]], [[3, 5], [0, 1]], actions=[["work", "shirk"], ["pay", "skip"]])
    expected = rv.certificate(game, [[0.0, 1.0], [0.25, 0.75]]).regret
    for own in ({"shirk": 1, "work": 0}, pd.Series({"shirk": 1.0, "work": 0.0}), [0, 1]):
        profile = [own, {"skip": 0.75, "pay": 0.25}]
        np.testing.assert_array_equal(rv.certificate(game, profile).regret, expected)
    with pytest.raises(ValueError, match=r"player 0: entry 'shrik' is unknown; known: work, shirk"):
        rv.certificate(game, [{"shrik": 1, "work": 0}, [1, 0]])
