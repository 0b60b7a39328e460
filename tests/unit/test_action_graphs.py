"""Action-graph games and payoff lists against other readers, and against counts written by hand."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

import rivalry as rv
from rivalry.interop.action_graphs import read_agg, read_gam

# three players choose one of two roads; a function node counts both, the toll road also feels the total
ROADS = """#AGG
# three drivers
3
2
1

2 2 2
0 1
0 1
0 1

2 0 2
1 1
2 0 1

{kind}

1 3
[1 3] 5
[2 3] {middle}
[3 3] 1
0  9 1e0 -2
"""


def write(folder: Path, text: str, name: str = "game.agg") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_counts_at_action_and_function_nodes_select_payoffs(tmp_path: Path) -> None:
    game = read_agg(write(tmp_path, ROADS.format(kind="0", middle="7/2")))
    assert game.actions == (("0", "1"),) * 3
    for joint in product((0, 1), repeat=3):
        zeros = joint.count(0)
        for player in range(3):
            toll = {1: 5, 2: 3.5, 3: 1}
            free = {1: 9, 2: 1, 3: -2}
            paid = toll[zeros] if joint[player] == 0 else free[3 - zeros]
            assert game.table[(player, *joint)] == paid


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("1", lambda zeros, ones: int(zeros + ones > 0)),
        ("2", lambda zeros, ones: 1 if ones else 0),
        ("3", lambda zeros, ones: 0 if zeros else 1),
        ("10 0 [2 -1]", lambda zeros, ones: 2 * zeros - ones),
        ("11 0 [0 1]", lambda zeros, ones: int(ones > 0)),
        ("12 7 [5 6]", lambda zeros, ones: 6 if ones else 5),
        ("13 7 [5 6]", lambda zeros, ones: 5 if zeros else 6),
    ],
)
def test_every_type_of_function_node(tmp_path: Path, kind: str, value: object) -> None:
    # the payoff of action 0 is the value of the function node itself
    rows = "\n".join(f"[{v}] {v}" for v in range(-5, 20))
    text = f"#AGG\n2 2 1\n2 2\n0 1\n0 1\n1 2\n0\n2 0 1\n{kind}\n1 25\n{rows}\n0 0\n"
    game = read_agg(write(tmp_path, text))
    for joint in product((0, 1), repeat=2):
        if joint[0] == 0:
            assert game.table[(0, *joint)] == value(joint.count(0), joint.count(1))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("12 7 [6 5]", "weights of type 12 fall from node to node"),
        ("13 7 [6 5]", "weights of type 13 fall from node to node"),
        ("10 1 [2 3]", "the default value 1 of type 10 is added once or for every player"),
        ("12 5 [4 5]", "the default value 5 of type 12 is a weight"),
        ("13 4 [4 5]", "the default value 4 of type 13 is a weight"),
    ],
)
def test_types_that_programs_read_in_two_ways_are_refused(tmp_path: Path, kind: str, message: str) -> None:
    """Falling weights are read by node or by weight; Gambit 17 joins one value per player, defaults too."""
    text = f"#AGG\n2 2 1\n2 2\n0 1\n0 1\n1 2\n0\n2 1 0\n{kind}\n1 1\n[0] 0\n0 0\n"
    with pytest.raises(ValueError, match=message) as error:
        read_agg(write(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_bayesian_game_averages_over_types(tmp_path: Path) -> None:
    # player 0 has types with actions {0, 1} and {1}; action nodes count themselves and each other
    text = """#BAGG
    2 2 0
    2 1
    1/3 2/3
    1
    2 1
    2
    0 1
    1
    0 1
    2 0 1
    2 1 0
    0 3 -3
    0 6 9
    """
    game = read_agg(write(tmp_path, text, "game.bagg"))
    assert game.actions == (("0/1", "1/1"), ("0", "1"))
    # counts [own, other] in lexicographic order: [1, 1] and then [2, 0]
    pay = {(0, 0): (-3, -3), (0, 1): (3, 6), (1, 0): (6, 3), (1, 1): (9, 9)}
    for own, other in product((0, 1), repeat=2):
        expected = np.array(pay[own, other]) / 3 + 2 * np.array(pay[1, other]) / 3
        assert np.allclose(game.table[:, own, other], expected, atol=1e-15)


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    good = ROADS.format(kind="0", middle="2")
    for text, reason in (
        (good.replace("#AGG", "AGG"), "must begin with the line #AGG or #BAGG"),
        (good.replace("[2 3] 2", "[0 3] 2"), "no payoff of action node 0 with the counts"),
        (good.replace("0  9 1e0 -2", "0  9 1e0"), "the file ends here"),
        (good.replace("\n0\n\n", "\n5\n\n"), "type 5 of a function node"),
        (good.replace("2 0 1\n", "2 0 2\n"), "in a circle"),
        ("#AGG\n20 9 0\n" + "9 " * 20, "the file ends here"),
        ("#AGG\n1 999999999 0", "in 1..500000"),
    ):
        with pytest.raises(ValueError, match=reason) as error:
            read_agg(write(tmp_path, text))
        assert "\n" not in str(error.value)
    for text, reason in (
        ("2 2 2 1 2 3", "the file ends here"),
        ("2 9999 9999", "payoffs must be at most"),
        ("99", "the number of players"),
        ("1 1 1 1", "the end of the file"),
    ):
        with pytest.raises(ValueError, match=reason) as error:
            read_gam(write(tmp_path, text))
        assert "\n" not in str(error.value)


def test_files_of_one_player_are_decision_problems(tmp_path: Path) -> None:
    tree = write(
        tmp_path, 'EFG 2 R "" { "me" } p "" 1 1 "" { "a" "b" } 0 t "" 1 "" { 1 } t "" 2 "" { 2 }', "a.efg"
    )
    table = write(tmp_path, 'NFG 1 R "" { "me" } { 3 } 1 2 2', "a.nfg")
    assert rv.interop.read_efg(tree).table.tolist() == [[1, 2]]
    best = rv.solve(rv.interop.read_extensive(tree), rv.methods.SubgamePerfectEquilibria()).data
    assert best.equilibria.values.tolist() == [[[0, 1]]]
    for method in (rv.methods.MixedEquilibria(), rv.methods.FiniteEquilibria(), rv.methods.PureEquilibria()):
        data = rv.solve(rv.interop.read_nfg(table), method).data
        assert data.equilibria.values.tolist() == [[[0, 1, 0]], [[0, 0, 1]]]
