"""Files of Gambit, against hand-computed games, an independent recursion over trees, and pygambit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rivalry as rv
from rivalry.families.matrix import CLASSICS, Matrix, matrix
from rivalry.interop import gambit, read_efg, read_nfg, write_nfg
from tests.selection import slow_except

DATA = Path(__file__).parents[1] / "gambit"


def stored(folder: Path, text: str) -> Path:
    path = folder / "game.txt"
    path.write_text(text, encoding="utf-8")
    return path


# Strategic form


def test_the_first_player_s_strategy_varies_fastest(tmp_path: Path) -> None:
    text = 'NFG 1 R "t" { "Row" "Column" } { 2 3 } 1 10  2 20  3 30  4 40  5 50  6 60'
    game = read_nfg(stored(tmp_path, text))
    assert game.table.tolist() == [[[1, 3, 5], [2, 4, 6]], [[10, 30, 50], [20, 40, 60]]]
    assert game.players == rv.oracles.labels(game).players == ("Row", "Column")
    assert game.actions == (("0", "1"), ("0", "1", "2"))


def test_numbers_names_and_comment_of_the_payoff_version(tmp_path: Path) -> None:
    text = """\ufeffNFG 1 D "A \\"title\\"\nof two lines" { "1" "2" } { { "a \\"x\\"" "b\\c" } { "äö" } }
    "comment" 1/3, -0.5, 1e-3 2.5/5"""
    game = read_nfg(stored(tmp_path, text))
    assert game.table.tolist() == [[[1 / 3], [0.001]], [[-0.5], [0.5]]]
    assert game.actions == (('a "x"', "b\\c"), ("äö",))


def test_outcome_version_with_the_null_outcome(tmp_path: Path) -> None:
    text = """NFG 1 R "" { "a" "b" "c" } { { "x" "y" } { "u" "v" } { "w" } } ""
    { { "one" 1, 2 3 } { "" 1/2 .5 5e-1 } } 1 0 2 2"""
    table = read_nfg(stored(tmp_path, text)).table
    assert table[:, :, :, 0].tolist() == [[[1, 0.5], [0, 0.5]], [[2, 0.5], [0, 0.5]], [[3, 0.5], [0, 0.5]]]


@pytest.mark.parametrize("names", ['"a" "a"', '"" "b"'])
def test_names_that_are_empty_or_equal_become_numbers(tmp_path: Path, names: str) -> None:
    text = f'NFG 1 R "" {{ {names} }} {{ {{ {names} }} {{ "c" }} }} 1 2 3 4'
    game = read_nfg(stored(tmp_path, text))
    assert (game.players, game.actions) == ((), (("0", "1"), ("c",)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the file ends here; must be NFG"),
        ('EFG 2 R "" { "a" "b" }', "1:1: 'EFG'; must be NFG, the first word of such a file; use read_efg"),
        ("NFG 2 R", "1:5: '2'; must be 1"),
        ("NFG 1 X", "1:7: 'X'; must be R or D"),
        ('NFG 1 R\n  "open', "2:3: a text without a closing quotation mark"),
        ("NFG 1 R title", "1:9: 'title'; must be the title, in quotation marks"),
        ('NFG 1 R "" { }', "1:14: '}'; must be the name of a player, in quotation marks"),
        ('NFG 1 R "" { ' + '"a" ' * 26 + "}", "1:12: must be 1 to 25 players, not 26"),
        ('NFG 1 R "" { "a" "b" } { 2 }', "1:24: must be strategies of 2 players, not 1"),
        ('NFG 1 R "" { "a" "b" } { 2 0 }', "1:28: the number of strategies of a player must be a whole"),
        ('NFG 1 R "" { "a" "b" } { 2 { "x" } }', "1:28: '{'; must be the number of strategies of a player"),
        ('NFG 1 R "" { "a" "b" } { { } }', "1:28: '}'; must be the name of a strategy"),
        ('NFG 1 R "" { "a" "b" }\n{ 1 1 } 1', "2:10: the file ends here; must be payoff 2 of 2, a number"),
        ('NFG 1 R "" { "a" "b" }\n{ 1 1 } 1 2 3', "2:13: '3'; must be the end of the file: 1 profiles of 2"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } 1 x', "1:34: 'x'; must be payoff 2 of 2, a number such as"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } 1 1/0', "1:34: 1/0: must not be divided by 0"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } 1 1e309', "1:34: '1e309' must be at most 1e+308 in size"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } 1 1e9999', "1:34: '1e9999'; must be payoff 2 of 2"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } 1 ' + "1" * 5000, "1:34: '111"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } { { "" 1 } } 1', "1:39: must be 2 payoffs, one per player, not 1"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } { { "" 1 2 } } 2', "1:47: outcome 1 of 1 must be a whole number"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } { { 1 2 } } 1', "1:36: '1'; must be the name of an outcome"),
        ('NFG 1 R "" { "a" "b" } { 1 1 } { { "" 1,, 2 } } 1', "1:41: ','; must be a payoff"),
    ],
)
def test_a_fault_in_a_strategic_form_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = stored(tmp_path, text)
    with pytest.raises(ValueError, match="game") as error:
        read_nfg(path)
    assert str(error.value).startswith(f"{path}:{message}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "game.nfg"
    path.write_bytes(b"NFG 1 R \xff")
    with pytest.raises(ValueError, match=r"game\.nfg: is no text, from byte 8 on"):
        read_nfg(path)


def test_too_many_payoffs_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = stored(tmp_path, 'NFG 1 R "" { "a" "b" } { 100000 100000 }')
    with pytest.raises(ValueError, match="1:24: 100000 x 100000 strategies; payoffs must be at most 1e"):
        read_nfg(path)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=5)
# Gambit 16.7 reads no other characters; it doubles backslashes, and refuses ("2", "1") as names of strategies
PLAIN = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\0123456789"), min_size=1
)


@st.composite
def games(draw: Any, names: st.SearchStrategy[str]) -> Matrix:
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    count = len(sizes) * int(np.prod(sizes))
    payoffs = draw(st.lists(st.floats(-1e300, 1e300), min_size=count, max_size=count))
    lists = [st.lists(names, min_size=n, max_size=n, unique=True) for n in (*sizes, len(sizes))]
    *actions, players = (tuple(draw(each)) for each in lists)
    return Matrix(np.reshape(payoffs, (len(sizes), *sizes)), tuple(actions), players)


@pytest.mark.slow
@given(games(NAMES))
def test_a_game_that_is_written_reads_back_equal(tmp_path_factory: Any, game: Matrix) -> None:
    path = tmp_path_factory.getbasetemp() / "game.nfg"
    write_nfg(game, path, title='a "title"', comment="why")
    read = read_nfg(path)
    assert same_doubles_and_names(read, game)


def same_doubles_and_names(read: Matrix, game: Matrix) -> bool:
    # whole numbers from 2**50 on are kept as such beside the doubles
    return (read.table.tolist(), read.actions, read.players) == (
        game.table.tolist(),
        game.actions,
        game.players,
    )


@pytest.mark.parametrize("name", ["a\0b", "a\rb"])
def test_a_name_that_no_file_keeps_is_refused(tmp_path: Path, name: str) -> None:
    game = Matrix(np.zeros((2, 1, 1)), ((name,), ("right",)))
    with pytest.raises(ValueError, match="must be without zero bytes and carriage returns"):
        write_nfg(game, tmp_path / "game.nfg")


def test_players_without_names_are_numbered(tmp_path: Path) -> None:
    write_nfg(matrix("jordan"), tmp_path / "game.nfg")
    read = read_nfg(tmp_path / "game.nfg")
    assert read.players == ("player 0", "player 1", "player 2")
    assert (read.table.tolist(), read.actions) == (matrix("jordan").table.tolist(), matrix("jordan").actions)


@pytest.mark.parametrize("value", [1 / 3, -2 / 7, 0.1, 1e-300, 1.7e300, 5e-324, 0.1 + 0.2])
def test_fractions_and_extreme_floats_read_back_equal(tmp_path: Path, value: float) -> None:
    path = tmp_path / "game.nfg"
    write_nfg(matrix(payoffs=[[[value]], [[0.0]]]), path)
    assert read_nfg(path).table.tolist() == [[[value]], [[0.0]]]
    assert ("1/3 0" in path.read_text()) == (value == 1 / 3)


@pytest.mark.slow
def test_tables_of_a_grid_are_written_with_the_grid_points_as_names(tmp_path: Path) -> None:
    game = rv.games.influencer(reach=[0.15, 0.15], resource="bimodal")
    write_nfg(rv.tables.tabulate(game, 3, walk=False), tmp_path / "game.nfg")
    read = read_nfg(tmp_path / "game.nfg")
    assert read.actions == (("0", "0.5", "1"),) * 2
    for k, point in enumerate(product([0.0, 0.5, 1.0], repeat=2)):
        want = game.payoffs(game.space.check([[p] for p in point]))
        np.testing.assert_allclose(read.table.reshape(2, -1)[:, k], want, rtol=1e-12)


@pytest.mark.parametrize("game", [rv.games.market(), rv.games.karma(), object()])
def test_other_games_are_not_written(tmp_path: Path, game: object) -> None:
    with pytest.raises(ValueError, match="is not finite; give its tables"):
        write_nfg(game, tmp_path / "game.nfg")
    assert not list(tmp_path.iterdir())


# Extensive form: games solved by hand


def test_a_poker_game_with_chance_and_information_sets(tmp_path: Path) -> None:
    """Myerson (1991), figure 2.2: player 1 sees the card, raises or folds; player 2 meets or passes.

    A red card (probability 1/2) wins for player 1. Folding shows the card and pays 1 to the owner; a raise
    that is met pays 2, a raise that is passed pays 1 to player 1.
    """
    text = """EFG 2 R "Poker" { "Fred" "Alice" }
    "A comment"
    c "root" 1 "(0,1)" { "red" 1/2 "black" 0.5 } 0
    p "" 1 1 "red" { "Raise" "Fold" } 0
    p "" 2 1 "(2,1)" { "Meet" "Pass" } 0
    t "" 1 "" { 2, -2 }
    t "" 2 "" { 1, -1 }
    t "" 2
    p "" 1 2 "black" { "raise" "fold" } 0
    p "" 2 1 0
    t "" 3 "" { -2 2 }
    t "" 2
    t "" 4 "" { -1, 1 }
    """
    game = read_efg(stored(tmp_path, text))
    assert game.players == ("Fred", "Alice")
    assert game.actions == (("Raise/raise", "Raise/fold", "Fold/raise", "Fold/fold"), ("Meet", "Pass"))
    assert game.table[0].tolist() == [[0, 1], [0.5, 0], [-0.5, 1], [0, 0]]
    assert np.array_equal(game.table[1], -game.table[0])
    found = rv.solve(game, rv.methods.MixedEquilibria()).record["equilibria"][1]
    # value 1/3: Fred always raises red, and black with probability 1/3; Alice meets with probability 2/3
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :, :2], [[1 / 3, 2 / 3], [2 / 3, 1 / 3]], atol=1e-12)


def test_a_centipede_merges_strategies_that_differ_at_unreachable_sets(tmp_path: Path) -> None:
    text = """EFG 2 R "" { "a" "b" } p "" 1 1 "" { "take" "pass" } 0 t "" 1 "" { 1 0 }
    p "" 2 1 "" { "take" "pass" } 0 t "" 2 "" { 0 2 }
    p "" 1 2 "" { "take" "pass" } 0 t "" 3 "" { 3 1 } t "" 4 "" { 2 4 }"""
    game = read_efg(stored(tmp_path, text))
    assert game.actions == (("take", "pass/take", "pass/pass"), ("take", "pass"))
    assert game.table.tolist() == [[[1, 1], [0, 3], [0, 2]], [[0, 0], [2, 1], [2, 4]]]


def test_outcomes_of_inner_nodes_are_added_along_a_play(tmp_path: Path) -> None:
    """Entry costs 1/3; without an outcome, nothing is paid; player 3 never moves."""
    text = """EFG 2 R "" { "a" "b" "c" } p "" 1 1 "" { "in" "out" } 1 "base" { 10, 0, 1 }
    c "" 1 "" { "h" 1/3 "t" 2/3 } 2 "fee" { -1/3, 0, 0 } t "" 3 "win" { 3, 0, 0 } t "" 0 t "" 0"""
    game = read_efg(stored(tmp_path, text))
    assert game.actions == (("in", "out"), ("*",), ("*",))
    assert game.table[:, :, 0, 0].tolist() == [[float(10 - Fraction(1, 3) + 1), 10], [0, 0], [1, 1]]


def test_a_set_that_is_visited_twice_has_one_action(tmp_path: Path) -> None:
    """The absent-minded driver (Piccione and Rubinstein 1997): exit 0, then 4, else 1."""
    text = """EFG 2 R "" { "driver" "nobody" } p "" 1 1 "" { "exit" "go" } 0 t "" 1 "" { 0 0 }
    p "" 1 1 0 t "" 2 "" { 4 0 } t "" 3 "" { 1 0 }"""
    assert read_efg(stored(tmp_path, text)).table[0].tolist() == [[0], [1]]


def test_sums_are_exact_before_they_become_floats(tmp_path: Path) -> None:
    """0.1 + 0.2 - 0.3 is 0, also where numerators exceed 64 bits."""
    for tail in ("", "1" * 25):
        text = f"""EFG 2 R "" {{ "a" "b" }} p "" 1 1 "" {{ "x" }} 1 "" {{ 0.1{tail}, 1e-20 }}
        p "" 2 1 "" {{ "y" }} 2 "" {{ 0.2 1 }} t "" 3 "" {{ -0.3{tail} -1 }}"""
        assert read_efg(stored(tmp_path, text)).table.ravel().tolist() == [0, 1e-20]


def test_names_of_strategies_become_numbers_where_they_are_not_different(tmp_path: Path) -> None:
    text = """EFG 2 R "" { "a" "b" } p "" 1 1 "" { "x" "y" } 0 t "" 1 "" { 1 0 }
    p "" 1 2 "" { %s %s } 0 t "" 0 t "" 0"""
    for names in (("l", "l"), ("", "l")):
        path = stored(tmp_path, text % tuple(f'"{name}"' for name in names))
        assert read_efg(path).actions == (("1/*", "2/1", "2/2"), ("*",))


# Extensive form: random trees against a recursion that knows no reduced form


class Node:
    """A node of a random tree: its player (-1 of chance, -2 at the end), set, children and payoffs."""

    def __init__(self, player: int, number: int, chances: list[Fraction], paid: list[Fraction]) -> None:
        self.player, self.number, self.chances, self.paid = player, number, chances, paid
        self.children: list[Node] = []


def random_tree(rng: np.random.Generator, players: int, depth: int) -> Node:
    """A tree with chance, outcomes at inner nodes, and sets that nodes join at random (imperfect recall)."""
    sets: dict[tuple[int, int], list[int]] = {}

    def grow(left: int) -> Node:
        paid = [Fraction(int(v), int(rng.integers(1, 7))) for v in rng.integers(-9, 10, players)]
        paid = paid if left == 0 or rng.random() < 0.3 else [Fraction(0)] * players
        player = int(rng.integers(-1, players)) if left and rng.random() < 0.85 else -2
        size = int(rng.integers(2, 4))
        if player == -2:
            return Node(-2, 0, [], paid)
        if player == -1:
            weights = rng.integers(0, 5, size) + np.array([1] + [0] * (size - 1))
            node = Node(-1, 0, [Fraction(int(w), int(weights.sum())) for w in weights], paid)
        else:
            known = sets.setdefault((player, size), [])
            if not known or rng.random() < 0.6:
                known.append(sum(map(len, sets.values())) + 1)
            node = Node(player, int(rng.choice(known)), [], paid)
        node.children = [grow(left - 1) for _ in range(size)]
        return node

    return grow(depth)


def as_efg(root: Node, players: int) -> str:
    """The tree as a file; every set is named after its number, actions after set and number."""
    lines, outcomes, sets, chance = [], 0, set[int](), 0

    def visit(node: Node) -> None:
        nonlocal outcomes, chance
        outcome = "0"
        if any(node.paid):
            outcomes += 1
            outcome = f'{outcomes} "" {{ {", ".join(map(str, node.paid))} }}'
        if node.player == -1:
            chance += 1
            moves = " ".join(f'"{k}" {p}' for k, p in enumerate(node.chances))
            lines.append(f'c "" {chance} "" {{ {moves} }} {outcome}')
        elif node.player >= 0:
            moves = " ".join(f'"{node.number}.{k}"' for k in range(len(node.children)))
            listed = "" if node.number in sets else f' "set {node.number}" {{ {moves} }}'
            sets.add(node.number)
            lines.append(f'p "" {node.player + 1} {node.number}{listed} {outcome}')
        else:
            lines.append(f't "" {outcome}')
        for child in node.children:
            visit(child)

    visit(root)
    names = " ".join(f'"player {k}"' for k in range(players))
    return f'EFG 2 R "random" {{ {names} }}\n' + "\n".join(lines)


def nodes_of(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes_of(child)


def value(node: Node, plays: Mapping[int, int]) -> list[Fraction]:
    """Expected payoffs where every set has its action."""
    if node.player == -1:
        moves = zip(node.chances, node.children, strict=True)
        rest = [[p * v for v in value(child, plays)] for p, child in moves]
        after = [sum(column, Fraction(0)) for column in zip(*rest, strict=True)]
    elif node.player >= 0:
        after = value(node.children[plays[node.number]], plays)
    else:
        after = [Fraction(0)] * len(node.paid)
    return [a + p for a, p in zip(after, node.paid, strict=True)]


def reached(node: Node, player: int, plays: Mapping[int, int]) -> set[int]:
    """The player's own sets that some play of the others can reach."""
    if node.player != player:
        return set[int]().union(*(reached(child, player, plays) for child in node.children))
    return {node.number} | reached(node.children[plays[node.number]], player, plays)


@pytest.mark.parametrize("seed", range(60))
def test_random_trees_agree_with_a_recursion_over_all_pure_strategies(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    players = 2 + seed % 2
    root = random_tree(rng, players, 4 if seed % 3 else 3)
    nodes = list(nodes_of(root))
    order = [list(dict.fromkeys(n.number for n in nodes if n.player == k)) for k in range(players)]
    sizes = {n.number: len(n.children) for n in nodes if n.player >= 0}
    game = read_efg(stored(tmp_path, as_efg(root, players)))

    choices = [product(*(range(sizes[k]) for k in own)) for own in order]
    pure = [
        [dict(zip(own, c, strict=True)) for c in every] for own, every in zip(order, choices, strict=True)
    ]
    names = [
        [
            "/".join(f"{k}.{plays[k]}" for k in own if k in reached(root, player, plays)) or "*"
            for plays in pure[player]
        ]
        for player, own in enumerate(order)
    ]
    assert [set(own) for own in names] == [set(own) for own in game.actions]
    profiles = list(product(*(range(len(own)) for own in pure)))
    for k in rng.permutation(len(profiles))[:300]:
        profile = profiles[k]
        plays = {key: a for player, own in enumerate(profile) for key, a in pure[player][own].items()}
        place = tuple(game.actions[p].index(names[p][own]) for p, own in enumerate(profile))
        want = [float(v) for v in value(root, plays)]
        assert game.table[(slice(None), *place)].tolist() == want


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NFG", "1:1: 'NFG'; must be EFG, the first word of such a file; use read_nfg"),
        ('{}\nx "" 1', "2:1: 'x'; must be a node, c, p or t: the tree is not complete"),
        ('{}\np "" 1 1 "" { "a" "b" } 0 t "" 0', "2:33: the file ends here; must be a node, c, p or t"),
        ('{}\nt "" 0 t', "2:8: 't'; must be the end of the file: the tree is complete"),
        ("{}\nt 0", "2:3: '0'; must be the name of a node, in quotation marks"),
        ('{}\np "" 3 1 "" { "a" } 0', "2:6: the player must be a whole number in 1..2"),
        ('{}\np "" 1 1 "" 0', "2:8: information set 1 of player 1 has no actions yet"),
        ('{}\np "" 1 1 "" { } 0', "2:15: '}'; must be an action"),
        ('{}\np "" 1 1 "" { "a" } 0 p "" 1 1 "" { "b" } 0', "2:35: information set 1 of player 1 was"),
        ('{}\nc "" 1 "" { "a" 1/2 "b" 1/3 } 0', "2:11: probabilities of chance sum to 5/6; must be 1"),
        ('{}\nc "" 1 "" { "a" 2 "b" -1 } 0', "2:23: a probability must be at least 0"),
        ('{}\nc "" 1 "" { "a" "b" } 0', "2:17: '\"b\"'; must be a probability, a number"),
        ('{}\nc "" 1 "" { } 0', "2:13: '}'; must be an action of chance"),
        ('{}\nt "" 1', "2:6: outcome 1 has no payoffs yet"),
        ('{}\nt "" 1 "named"', "2:6: outcome 1 has no payoffs yet"),
        ('{}\nt "" 1 "" { 1 }', "2:13: must be 2 payoffs, one per player, not 1"),
        ('{}\nt "" 0 "" { 1 2 }', "2:6: outcome 0 is no outcome; payoffs need another number"),
        ('{}\nt "" -1', "2:6: the number of an outcome must be a whole number of at least 0"),
        (
            '{}\np "" 1 1 "" { "a" "b" } 0 t "" 1 "" { 1 2 } t "" 1 "" { 1 3 }',
            "2:57: outcome 1 was defined with other payoffs before",
        ),
        ('{}\np "" 1 1 "" { "a" } 1 "" { 1e308 0 } t "" 2 "" { 1e308 0 }', "1:1: sums of payoffs must be"),
    ],
)
def test_a_fault_in_an_extensive_form_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = stored(tmp_path, text.replace("{}", 'EFG 2 R "" { "a" "b" }'))
    with pytest.raises(ValueError, match="game") as error:
        read_efg(path)
    assert str(error.value).startswith(f"{path}:{message}")


def in_sequence(sets: int) -> str:
    """Chance, then one of many sets of player 1, which has 2 to the power of their number strategies."""
    moves = " ".join(f'"{k}" 1/{sets}' for k in range(sets))
    ends = ' t "" 0 t "" 0'
    nodes = "".join(f'p "" 1 {k + 1} "" {{ "a" "b" }} 0{ends}\n' for k in range(sets))
    return f'EFG 2 R "" {{ "a" "b" }} c "" 1 "" {{ {moves} }} 0\n{nodes}'


@pytest.mark.slow
def test_sizes_are_refused_before_they_are_allocated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_efg(stored(tmp_path, in_sequence(10))).sizes == (1024, 1)
    path = stored(tmp_path, in_sequence(64))
    with pytest.raises(ValueError, match="1:1: player 1 has more than 100000 strategies in reduced normal"):
        read_efg(path)
    monkeypatch.setattr(gambit, "ENTRIES", 2047)
    with pytest.raises(ValueError, match="1:1: 1024 x 1 strategies; payoffs must be at most"):
        read_efg(stored(tmp_path, in_sequence(10)))


@pytest.mark.slow
def test_a_deep_tree_needs_no_recursion(tmp_path: Path) -> None:
    depth = 2000
    nodes = "".join(f'p "" {1 + k % 2} 1 "" {{ "in" "out" }} 0\n' for k in range(depth))
    text = f'EFG 2 R "" {{ "a" "b" }}\n{nodes}' + 't "" 1 "" { 1 1 }\n' + 't "" 0\n' * depth
    assert read_efg(stored(tmp_path, text)).table[0].tolist() == [[1, 0], [0, 0]]


# Gambit itself


def test_files_that_gambit_wrote() -> None:
    poker = read_efg(DATA / "poker.efg")
    assert poker.players == ("Fred", "Alice")
    assert poker.table[0].tolist() == [[0, 1], [0.5, 0], [-0.5, 1], [0, 0]]
    lottery = read_efg(DATA / "lottery.efg")
    assert lottery.table[:, :, 0, 0].tolist() == [[10.75, 10], [0, 0], [0.5, 0.5]]
    first, second, third = np.indices((2, 2, 2))
    number = 4 * first + 2 * second + third
    game = read_nfg(DATA / "three_players.nfg")
    assert np.array_equal(game.table, [number, number / 3, number / 8])
    assert (game.players, game.actions[2]) == (("x", "y", "z"), ("z0", "z1"))


def gambit_table(game: Any) -> np.ndarray:
    return np.array([[float(v) for v in own.ravel()] for own in game.to_arrays()]).reshape(
        -1, *game.to_arrays()[0].shape
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", slow_except(range(20), (1, 2)))
def test_gambit_reads_the_same_reduced_normal_form(tmp_path: Path, seed: int) -> None:
    """Up to the order of strategies; a strategy is the set of actions that it prescribes."""
    pygambit = pytest.importorskip("pygambit")
    rng = np.random.default_rng(1000 + seed)
    players = 2 + seed % 2
    path = stored(tmp_path, as_efg(random_tree(rng, players, 4), players))
    ours, theirs = read_efg(path), pygambit.read_efg(str(path))
    table = gambit_table(theirs)
    for k, player in enumerate(theirs.players):
        labels = theirs.get_strategies(player)
        plans = [set(theirs.get_behavior(player, label).values()) for label in labels]
        table = table.take([plans.index({*name.split("/")} - {"*"}) for name in ours.actions[k]], axis=k + 1)
    assert np.array_equal(ours.table, table)


@pytest.mark.parametrize("name", sorted(CLASSICS))
def test_gambit_reads_the_classics(tmp_path: Path, name: str) -> None:
    pygambit = pytest.importorskip("pygambit")
    game = matrix(name)
    write_nfg(game, tmp_path / "game.nfg", title=name)
    theirs = pygambit.read_nfg(str(tmp_path / "game.nfg"))
    assert np.array_equal(gambit_table(theirs), game.table)
    assert tuple(tuple(theirs.get_strategies(player)) for player in theirs.players) == game.actions


@pytest.mark.slow
@given(games(PLAIN))
def test_gambit_reads_the_files_that_are_written(tmp_path_factory: Any, game: Matrix) -> None:
    pygambit = pytest.importorskip("pygambit")
    path = tmp_path_factory.getbasetemp() / "theirs.nfg"
    write_nfg(game, path)
    theirs = pygambit.read_nfg(str(path))
    assert np.array_equal(gambit_table(theirs), game.table)
    assert tuple(theirs.players) == game.players
    assert tuple(tuple(theirs.get_strategies(player)) for player in theirs.players) == game.actions
    path.write_text(theirs.to_nfg())
    assert same_doubles_and_names(read_nfg(path), game)
