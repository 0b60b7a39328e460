"""Action-graph games (``.agg``, ``.bagg``) and payoff lists of GameTracer (``.gam``), as tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain, product
from math import prod
from typing import NamedTuple

import numpy as np

from rivalry.families.matrix import Matrix
from rivalry.interop.gambit import PLAYERS, Scanner

JOINT = 500_000  # most joint actions of which the counts at all nodes are computed


def read_gam(path: str | os.PathLike[str]) -> Matrix:
    """Read a game in strategic form from a payoff list of GameTracer (``.gam``), as GAMUT writes it.

    The file has the number of players, the numbers of their actions, and all payoffs of player 0, then those
    of player 1, ..; within each, the action of player 0 varies fastest. Lines that begin with ``#`` are
    comments.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Matrix
        The game, with numbered players and actions.

    Raises
    ------
    ValueError
        For a file that is not in this format, with line and column; for more than 25 players or 10 million
        payoffs.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "game.gam"
    ...     _ = path.write_text("2  2 2   3 5 0 1   3 0 5 1")
    ...     game = read_gam(path)
    >>> game.table.tolist()
    [[[3.0, 0.0], [5.0, 1.0]], [[3.0, 5.0], [0.0, 1.0]]]

    References
    ----------
    Blum, Shelton and Koller, "A continuation method for Nash equilibria in structured games", Journal of
    Artificial Intelligence Research 25, 2006 (GameTracer).
    """
    file = Scanner(path, comments=True)
    players = file.whole("the number of players", 1, PLAYERS)
    sizes = [file.whole("the number of actions of a player", 1) for _ in range(players)]
    file.refuse_size(sizes, 0)
    count = prod(sizes)
    table = np.empty((players, *sizes))
    for player in range(players):
        pays = [float(file.number(f"payoff {k + 1} of {count} of player {player}")) for k in range(count)]
        table[player] = np.reshape(pays, sizes, order="F")
    file.end(f"{players} lists of {count} payoffs")
    return Matrix(table, tuple(tuple(map(str, range(size))) for size in sizes))


class _Graph(NamedTuple):
    """An action graph: nodes whose counts determine payoffs, actions first, then functions of counts."""

    actions: int
    neighbours: list[list[int]]  # [node]
    functions: list[tuple[int, int, list[int]]]  # [function node]: kind, default, weights of the actions

    def counts(self, nodes: Sequence[int]) -> list[int]:
        """Return the counts of all nodes where players choose these."""
        node_counts: dict[int, int] = dict.fromkeys(range(self.actions), 0)
        for node in nodes:
            node_counts[node] += 1
        waiting = list(range(len(self.neighbours) - 1, self.actions - 1, -1))
        while waiting:
            node = waiting[-1]
            missing = [k for k in self.neighbours[node] if k not in node_counts]
            if missing:
                waiting.extend(missing)
            else:
                node_counts[node] = self._value(node, node_counts)
                waiting.pop()
        return [node_counts[node] for node in range(len(self.neighbours))]

    def _value(self, node: int, node_counts: dict[int, int]) -> int:
        kind, default, weights = self.functions[node - self.actions]
        near = self.neighbours[node]
        if kind in (0, 1):
            total = sum(node_counts[k] for k in near)
            return total if kind == 0 else int(total > 0)
        if kind in (10, 11):
            total = default + sum(node_counts[k] * weights[k] for k in near)
            return total if kind == 10 else int(total > 0)
        used = [k for k in near if node_counts[k]]
        if not used:
            return default if kind > 3 else len(self.neighbours)
        extremum = max(used) if kind in (2, 12) else min(used)
        return weights[extremum] if kind > 3 else extremum


def read_agg(path: str | os.PathLike[str], form: str = "plans") -> Matrix:
    """Read an action-graph game (``.agg``), or a Bayesian one (``.bagg``), as a table of payoffs.

    In an action-graph game a payoff depends on the own action and on how many players chose each action near
    it in a graph. In a Bayesian one every player has a type, drawn independently. The table is that of the
    strategic form: an action per type, named ``0/3`` after the numbers of the actions, and payoffs expected
    over types, computed in exact fractions. As Gambit reads the same file, it is the game of agents.

    Parameters
    ----------
    path : path-like
        The file.
    form : str
        ``plans`` (default), or ``agent`` for a player per type, who is paid what it expects given its type.

    Returns
    -------
    Matrix
        The game, with numbered players; actions are named after their nodes.

    Raises
    ------
    ValueError
        For a file that is not in this format, with line and column; for more than 25 players, 10 million
        payoffs, or 500 000 joint actions of all types.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> crowding = '''#AGG
    ... 2 2 0
    ... 2 2
    ... 0 1
    ... 0 1
    ... 1 0
    ... 1 1
    ... 0 5 1
    ... 0 4 2'''
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "game.agg"
    ...     _ = path.write_text(crowding)
    ...     game = read_agg(path)
    >>> game.table[0].tolist()
    [[1.0, 5.0], [4.0, 2.0]]

    References
    ----------
    Jiang, Leyton-Brown and Bhat, "Action-graph games", Games and Economic Behavior 71, 2011.

    Jiang and Leyton-Brown, "Bayesian action-graph games", NIPS 2010.
    """
    if form not in ("plans", "agent"):
        raise ValueError(f"form: {form!r} must be plans or agent")
    file = Scanner(path, comments=True)
    bayesian = file.first_line == "#BAGG"
    if not bayesian and file.first_line != "#AGG":
        file.fail("must begin with the line #AGG or #BAGG", 0)
    players = file.whole("the number of players", 1, PLAYERS)
    actions = file.whole("the number of action nodes", 1, JOINT)
    functions = file.whole("the number of function nodes", 0, JOINT)
    types = [file.whole("the number of types of a player", 1, JOINT) for _ in range(players * bayesian)]
    types = types or [1] * players
    chances = [_distribution(file, count) if bayesian else [Fraction(1)] for count in types]
    action_sets = _action_sets(file, types, actions)
    # the rows of the table, each with the sets of actions of its types
    rows_of = action_sets
    if form == "agent":
        rows_of = [[actions] for actions in chain(*action_sets)]
    first = np.cumsum([0, *types])
    file.refuse_size([prod(map(len, sets)) for sets in rows_of], 0)
    joint = [[action_sets[p][t] for p, t in enumerate(kinds)] for kinds in product(*map(range, types))]
    if (count := sum(prod(map(len, sets)) for sets in joint)) > JOINT:
        file.fail(f"{count} joint actions of all types; must be at most {JOINT}", 0)
    graph = _graph(file, actions, functions)
    # counts near the chosen actions, of which payoffs are read next
    configurations: list[list[list[tuple[int, ...]]]] = []  # [types][joint action][player]
    possible: list[set[tuple[int, ...]]] = [set() for _ in range(actions)]
    for sets in joint:
        configurations.append([])
        for profile in product(*sets):
            counts = graph.counts(profile)
            row = [tuple(counts[k] for k in graph.neighbours[node]) for node in profile]
            configurations[-1].append(row)
            for node, configuration in zip(profile, row, strict=True):
                possible[node].add(configuration)
    pays = [_payoffs(file, node, sorted(possible[node])) for node in range(actions)]
    file.end(f"payoffs of {actions} action nodes")
    plans = [_plans(sets) for sets in rows_of]
    table = np.full((len(plans), *map(len, plans)), Fraction(0), dtype=object)
    for kinds, sets, rows in zip(product(*map(range, types)), joint, configurations, strict=True):
        places = list(enumerate(kinds))
        likely = [chances[p][t] for p, t in places]
        place = np.ix_(*([plan[t] for plan in _plans(action_sets[p])] for p, t in places))
        shape = np.ones(int(first[-1]), dtype=int)
        shape[first[:-1] + kinds] = list(map(len, sets))
        for player, kind in places:
            cells = np.empty(len(rows), dtype=object)
            for k, (profile, row) in enumerate(zip(product(*sets), rows, strict=True)):
                node = profile[player]
                if row[player] not in pays[node]:
                    file.fail(f"no payoff of action node {node} with the counts {list(row[player])}", 0)
                cells[k] = pays[node][row[player]]
            if form == "plans":
                table[player] += prod(likely) * cells.reshape(tuple(map(len, sets)))[place]
            else:  # given the own type
                rivals = likely[:player] + likely[player + 1 :]
                table[first[player] + kind] += prod(rivals, start=Fraction(1)) * cells.reshape(shape)
    names = tuple(
        tuple("/".join(str(sets[t][a]) for t, a in enumerate(plan)) for plan in _plans(sets))
        for sets in rows_of
    )
    return Matrix(table.astype(float), names)


def _plans(sets: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Return the plans of a player: the place of an action per type."""
    return list(product(*(range(len(actions)) for actions in sets)))


def _distribution(file: Scanner, count: int) -> list[Fraction]:
    at = file.at
    chances = [file.number("the probability of a type") for _ in range(count)]
    if min(chances) < 0 or sum(chances) != 1:
        file.fail(f"probabilities of types sum to {float(sum(chances)):.10g}; must be 1 exactly", at)
    return chances


def _action_sets(file: Scanner, types: Sequence[int], actions: int) -> list[list[list[int]]]:
    """Read the numbers of actions, and the action nodes, ``[player][type]``."""
    sizes = [[file.whole("a number of actions", 1, actions) for _ in range(count)] for count in types]
    return [
        [[file.whole("an action node", 0, actions - 1) for _ in range(size)] for size in row] for row in sizes
    ]


def _graph(file: Scanner, actions: int, functions: int) -> _Graph:
    nodes, neighbours = actions + functions, []
    for _ in range(nodes):
        count = file.whole("the number of neighbours of a node", 0, nodes)
        neighbours.append([file.whole("a node", 0, nodes - 1) for _ in range(count)])
    _refuse_circles(file, neighbours, actions)
    kinds = []
    for node in range(actions, nodes):
        at = file.at
        kind, default, weights = file.whole("the type of a function node", 0, 13), 0, list[int]()
        if kind not in (0, 1, 2, 3, 10, 11, 12, 13):
            file.fail(f"type {kind} of a function node must be one of 0 to 3 and 10 to 13", at)
        if kind >= 10:
            default = file.whole("the default value of a function node", -(2**53))
            file.word("{")
            weights = [int(w) for w in file.numbers(actions, "weights, one per action node")]
            if any(k >= actions for k in neighbours[node]):
                file.fail("a function node with weights must have action nodes as neighbours", at)
            near = [weights[k] for k in sorted(neighbours[node])]
            if kind > 11 and near != sorted(near):
                ways = "by the node or by the weight, as programs differ; must not fall"
                file.fail(f"weights of type {kind} fall from node to node, and are read {ways}", at)
            if kind == 10 and default:
                ways = "added once or for every player, as programs differ"
                file.fail(f"the default value {default} of type 10 is {ways}; must be 0", at)
            if kind > 11 and default in near:
                ways = "as programs take its nodes for chosen or not"
                file.fail(f"the default value {default} of type {kind} is a weight, {ways}; must be none", at)
        kinds.append((kind, default, weights))
    return _Graph(actions, neighbours, kinds)


def _refuse_circles(file: Scanner, neighbours: Sequence[Sequence[int]], actions: int) -> None:
    """Raise `ValueError` where values of function nodes depend on themselves."""
    waiting = {
        node: {k for k in near if k >= actions} for node, near in enumerate(neighbours) if node >= actions
    }
    while waiting:
        ready = [node for node, near in waiting.items() if not near & waiting.keys()]
        if not ready:
            file.fail("function nodes must not depend on each other in a circle")
        for node in ready:
            del waiting[node]


def _payoffs(
    file: Scanner, node: int, possible: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], Fraction]:
    """Read the payoffs of an action node by the counts near it."""
    kind = file.whole(f"the type of the payoffs of action node {node}", 0, 1)
    if kind == 0:
        item = f"a payoff of action node {node}, of which {len(possible)} counts are possible"
        return {counts: file.number(item) for counts in possible}
    payoffs = {}
    length = len(possible[0]) if possible else None
    for _ in range(file.whole("the number of payoffs", 0)):
        file.word("{")
        counts = tuple(int(n) for n in file.numbers(length, "counts, one per neighbour"))
        payoffs[counts] = file.number(f"a payoff of action node {node}")
    return payoffs
