"""Games in extensive form from files of Gambit (``.efg``), as trees or in reduced normal form."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain
from math import lcm
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import CHANCE, END, TreeNode, Way, reduced_plans
from rivalry.core.naming import is_number
from rivalry.families.extensive import Extensive, ExtensiveForm, tree_of
from rivalry.families.matrix import Matrix
from rivalry.interop.gambit import Scanner, distinct

STRATEGIES = 100_000  # most strategies of one player in reduced normal form

Moves = dict[Any, tuple[str, ...]]
"""Names of a player's moves by information set, in the order in which the sets occur."""


def read_efg(path: str | os.PathLike[str]) -> Matrix:
    """Read a game in extensive form from a file of Gambit (``.efg``), as its reduced normal form.

    A strategy is an action at every information set of the player that its own earlier choices can reach,
    named after its actions in the order of the file, as in ``pass/take``. Where such names are not different,
    actions are numbered from 1, with ``*`` at information sets that are not reached, as in Gambit: ``2/1/*``.
    Expected payoffs are added as exact fractions, and kept as in `rivalry.games.matrix`.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Matrix
        The game, with the names of players and strategies.

    Raises
    ------
    ValueError
        For a missing file; for one that is not in this format, with line and column; for more than 25
        players, 100 000 strategies of a player or 10 million payoffs.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> entry = '''EFG 2 R "Entry" { "Entrant" "Incumbent" }
    ... p "" 1 1 "" { "out" "in" } 0
    ... t "" 1 "" { 0, 2 }
    ... p "" 2 1 "" { "fight" "share" } 0
    ... t "" 2 "" { -1, -1 }
    ... t "" 3 "" { 1, 1 }'''
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "entry.efg").write_text(entry)
    ...     game = read_efg(Path(folder, "entry.efg"))
    >>> game.actions, game.table[0].tolist()
    ((('out', 'in'), ('fight', 'share')), [[0.0, 0.0], [-1.0, 1.0]])

    References
    ----------
    Savani and Turocy, Gambit: The package for computation in game theory, "Game representation formats".
    """
    file = Scanner(path)
    players, nodes, moves = _tree(file)
    tree = tree_of(nodes, moves)
    form, plans = ExtensiveForm.of(tree), list[ndarray]()
    for player, (sizes, entries) in enumerate(zip(tree.sizes, form.entries, strict=True)):
        reduced = reduced_plans(sizes, entries, STRATEGIES)
        if reduced is None:
            file.fail(f"player {player + 1} has more than {STRATEGIES} strategies in reduced normal form", 0)
        table = [[plan.get(number, -1) for number in range(len(sizes))] for plan in reduced]
        plans.append(np.array(table, int).reshape(len(reduced), len(sizes)))
    counts = [len(player_plans) for player_plans in plans]
    file.refuse_size(counts, 0)
    try:
        payoffs = _expected_payoffs(form, plans)
    except OverflowError:
        file.fail("sums of payoffs must be at most 1e308 in size", 0)
    return Matrix(payoffs, tuple(map(_strategy_names, tree.moves, plans)), distinct(players))


def read_extensive(path: str | os.PathLike[str]) -> Extensive:
    """Read a game in extensive form from a file of Gambit (``.efg``), in behaviour strategies.

    The game has the moves of the information sets as they are in the file: it is as large as the tree, where
    the normal form of `read_efg` grows exponentially. Players need perfect recall.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Extensive
        The game; ``names`` holds those of the information sets, or their numbers, before those of the moves.

    Raises
    ------
    ValueError
        For a missing file; for one that is not in this format, with line and column; for more than 25
        players; for a player without perfect recall.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> entry = '''EFG 2 R "Entry" { "Entrant" "Incumbent" }
    ... p "" 1 1 "" { "out" "in" } 0
    ... t "" 1 "" { 0, 2 }
    ... p "" 2 1 "" { "fight" "share" } 0
    ... t "" 2 "" { -1, -1 }
    ... t "" 3 "" { 1, 1 }'''
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "entry.efg"
    ...     _ = path.write_text(entry)
    ...     game = read_extensive(path)
    >>> game.names, game.payoffs(np.array([[0.5, 0.5], [0.0, 1.0]])).tolist()
    ((('1: out', '1: in'), ('1: fight', '1: share')), [0.5, 1.5])
    """
    players, nodes, moves = _tree(Scanner(path))
    return Extensive.from_tree(tree_of(nodes, moves), players)


def _tree(file: Scanner) -> tuple[list[str], list[TreeNode], list[Moves]]:
    """Read the players and the nodes, each followed by the subtrees of its actions in turn."""
    names = file.header("EFG", "2")
    if file.is_text:
        file.text("the comment")
    chance, chance_keys = dict[Any, Any](), dict[int, str | int]()
    moves: list[Moves] = [{} for _ in names]
    keys: list[dict[int, str | int]] = [{} for _ in names]
    outcomes = {0: (Fraction(0),) * len(names)}
    nodes, todo = list[TreeNode](), [-1]
    while todo:
        node, successors = TreeNode(todo.pop(), END), 0
        if file.token not in ("c", "p", "t"):
            file.expected("a node, c, p or t: the tree is not complete")
        kind = file.word("c", "p", "t")
        file.text("the name of a node")
        if kind == "c":
            _, probabilities = chance[_information_set(file, chance, chance_keys, "chance")]
            node, successors = node._replace(owner=CHANCE, probabilities=probabilities), len(probabilities)
        elif kind == "p":
            player = file.whole("the player", 1, len(names)) - 1
            key = _information_set(file, moves[player], keys[player], f"player {player + 1}")
            node, successors = node._replace(owner=player, information=key), len(moves[player][key])
        todo += [len(nodes)] * successors
        nodes.append(node._replace(paid=_outcome(file, outcomes, len(names))))
    file.end("the tree is complete")
    return names, nodes, moves


def _information_set(
    file: Scanner, sets: dict[Any, Any], keys: dict[int, str | int], owner: str
) -> str | int:
    """Read the number of an information set, and its name and actions where they are given.

    The key of a set is its name, unless this is a number or the name of another set; then it is its number.
    """
    begin = file.at
    number = file.whole("the number of an information set", 1)
    item = f"information set {number} of {owner}"
    name = file.text("the name of an information set") if file.is_text else ""
    if number not in keys:
        is_key = bool(name) and ":" not in name and not is_number(name) and name not in keys.values()
        keys[number] = name if is_key else number
    key = keys[number]
    if file.token != "{":
        if key not in sets:
            file.fail(f"{item} has no actions yet; must be defined where it first occurs", begin)
        return key
    begin_of_actions = file.at
    actions = _chance_moves(file) if owner == "chance" else tuple(file.texts("an action"))
    if sets.setdefault(key, actions) != actions:
        file.fail(f"{item} was defined with other actions before", begin_of_actions)
    return key


def _chance_moves(file: Scanner) -> tuple[tuple[str, ...], tuple[Fraction, ...]]:
    """Read the actions of a chance move and their probabilities."""
    begin, actions, probabilities = file.at, list[str](), list[Fraction]()
    file.word("{")
    while file.token != "}" or not actions:
        actions.append(file.text("an action of chance"))
        begin_of_probability = file.at
        probabilities.append(file.number("a probability"))
        if probabilities[-1] < 0:
            file.fail("a probability must be at least 0", begin_of_probability)
    file.word("}")
    if sum(probabilities) != 1:
        file.fail(f"probabilities of chance sum to {sum(probabilities)}; must be 1 exactly", begin)
    return tuple(actions), tuple(probabilities)


def _outcome(file: Scanner, outcomes: dict[int, tuple[Fraction, ...]], players: int) -> tuple[Fraction, ...]:
    """Read the number of an outcome, and its name and payoffs where they are given.

    Outcome 0 stands for a node without payoffs.
    """
    begin = file.at
    number = file.whole("the number of an outcome", 0)
    if file.is_text:
        file.text("the name of an outcome")
    if file.token == "{":
        file.word("{")
        begin_of_payoffs = file.at
        payoffs = file.payoffs(players)
        if number == 0:
            file.fail("outcome 0 is no outcome; payoffs need another number", begin)
        if outcomes.setdefault(number, payoffs) != payoffs:
            file.fail(f"outcome {number} was defined with other payoffs before", begin_of_payoffs)
    elif number not in outcomes:
        file.fail(f"outcome {number} has no payoffs yet; must be defined where it first occurs", begin)
    return outcomes[number]


def _strategy_names(labels: Sequence[tuple[str, ...]], plans: ndarray) -> tuple[str, ...]:
    """Return the names of strategies ``plans [strategy set]``, made of the names of their actions.

    Where these names are missing or not different, they are made of the actions' numbers.
    """
    numbered, named = list[str](), list[str]()
    for plan in plans.tolist():
        numbers = [str(action + 1) if action >= 0 else "*" for action in plan]
        numbered.append("/".join(numbers) or "*")
        words = [labels[k][action] for k, action in enumerate(plan) if action >= 0]
        named.append("/".join(words))
    names = distinct(named) if all(map(all, labels)) else ()
    return names or tuple(numbered)


def _expected_payoffs(form: ExtensiveForm, plans: Sequence[ndarray]) -> ndarray:
    """Return expected payoffs ``[player strategy_0 strategy_1 ...]`` as exact fractions.

    A profile is paid the sum of ``form.payoffs``, which include the probabilities of chance, over the
    histories that its strategies play. Sums are taken in units of one over the common denominator.

    Raises
    ------
    OverflowError
        For a payoff that is too large for a float.
    """
    terms = chain.from_iterable(form.payoffs.values())
    denominator = lcm(*(paid.denominator for paid in terms))
    largest = denominator * sum(max(map(abs, row)) for row in form.payoffs.values())
    # either type is exact: Python's integers have no bound, but are slower
    table = np.zeros((len(plans), *map(len, plans)), int if largest < 2**62 else object)
    for ways, row in form.payoffs.items():
        profiles = np.ix_(*map(_playing, plans, ways))
        for player_table, paid in zip(table, row, strict=True):
            player_table[profiles] += int(paid * denominator)
    numerators, index = np.unique(table, return_inverse=True)
    payoffs = [Fraction(int(numerator), denominator) for numerator in numerators]
    float(max(payoffs, key=abs))  # raises OverflowError
    return np.array(payoffs, object)[index].reshape(table.shape)


def _playing(plans: ndarray, way: Way) -> ndarray:
    """Return the indices of the strategies in ``plans [strategy set]`` that make all moves of a history."""
    plays = np.ones(len(plans), bool)
    for information_set, action in way:
        plays &= plans[:, information_set] == action
    return np.flatnonzero(plays)
