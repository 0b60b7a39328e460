"""Forms of games as arrays: finite games, contests over points, linear-quadratic games; only NumPy is needed.

Oracles answer in them (`rivalry.oracles.to_finite` and its relatives), and kernels take them as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy import ndarray


class FiniteGame(NamedTuple):
    """An infinitely repeated finite game: payoff tables, the order of moves, and what players observe.

    ``joint`` numbers the joint actions row-major, player 0 slowest. An absent table has length 0.

    Every player has a *standing* action. Rounds follow the rows of ``order`` in turn. A mover of a round
    observes the actions that stood before it (slots one round back) or that were already chosen in it (slots
    zero rounds back) and chooses a move; the resulting action then stands. Players absent from the row keep
    their actions. ``action_map[player, standing, move]`` is the action that a move leads to; an impossible
    move, and the padding of players with fewer actions, leads to the standing action itself. Without
    ``action_map`` a move is an action. With it a player has ``action_map.shape[2]`` moves, otherwise
    ``sizes[player]``.

    A player's *state* is one number: the actions in its ``observation_slots``, row-major, the first slot
    slowest. A policy or a table of values has the shape ``[state]`` or ``[state move]`` per player. A slot
    may also name nature (the number after the last player) or the public signal of a round, such as a price
    (the number after nature).
    """

    payoff: ndarray  # [nature player joint], float64
    sizes: ndarray  # [player]: number of actions
    order: ndarray  # [round mover]: movers, in order; -1 ends; actions of absent players stand
    observation_slots: ndarray  # [player slot 2]: whose action, rounds ago (0: this); -1 ends
    # a single joint stands for all: nature does not depend on actions
    next_nature: ndarray = np.zeros((1, 1, 1), int)  # [nature joint branch]
    nature_cdf: ndarray = np.ones((1, 1, 1))  # [nature joint branch]: cumulative probabilities
    action_map: ndarray = np.zeros((0, 0, 0), int)  # [player standing move]; see above
    signal: ndarray = np.zeros((0, 0), int)  # [nature joint]: public signal of a round


class ExactGame(FiniteGame):
    """A finite game without states, with payoffs that doubles do not hold: exact methods read ``exact``."""

    exact: ndarray  # [player action_0 ..] of whole numbers and fractions


def one_state(tables: ndarray) -> FiniteGame:
    """Return the world of a game without states, from ``tables [player action_0 action_1 ...]``.

    Moves are simultaneous and players observe nothing. Numbers in an array of objects are kept as they are.

    >>> world = one_state(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]))
    >>> world.payoff.shape, world.sizes.tolist()
    ((1, 2, 4), [2, 2])
    """
    players = tables.shape[0]
    world = (ExactGame if tables.dtype == object else FiniteGame)(
        # a copy: kernels are compiled for arrays that may be written
        payoff=np.array(tables.reshape(1, players, -1), np.float64),
        sizes=np.asarray(tables.shape[1:], int),
        order=np.arange(players, dtype=int)[None, :],
        observation_slots=np.full((players, 1, 2), -1, int),
    )
    if isinstance(world, ExactGame):
        world.exact = tables
    return world


def exact_tables(world: object) -> ndarray:
    """Return the tables of `stateless_tables` as exact methods read them: in objects where doubles differ."""
    return world.exact if isinstance(world, ExactGame) else stateless_tables(world)


def stateless_tables(world: object) -> ndarray:
    """Return the tables ``[player action_0 action_1 ...]`` of a world with one state.

    Raises
    ------
    ValueError
        For anything else.
    """
    if not isinstance(world, FiniteGame):
        raise ValueError(f"game: {type(world).__name__} must be finite, with a world() that is a FiniteGame")
    if world.payoff.shape[0] != 1:
        raise ValueError(f"game: has {world.payoff.shape[0]} states of nature; must have one for this method")
    return world.payoff[0].reshape(-1, *world.sizes.tolist())


class SequenceForm(NamedTuple):
    """A game in extensive form with perfect recall, by the own moves of its players (von Stengel 1996).

    The *axes* of a player are the moves of all of its information sets, set after set, each set after those
    that precede it. Because of perfect recall a move determines all own moves before it. A behaviour strategy
    is a probability per axis; the probabilities of a set sum to one. A leaf is a combination of last own
    moves, one per player, at which payoffs other than 0 are paid.
    """

    sizes: tuple[tuple[int, ...], ...]  # [player][set]: number of moves
    before: ndarray  # [player axis]: the own move before, -1 for none; arbitrary in the padding
    moves: ndarray  # [leaf player]: the last own move before the leaf, -1 for none
    # [leaf player]: payoffs in units of 1 / `unit`, times the probability of chance; as objects where doubles
    # do not hold them
    paid: ndarray
    unit: float = 1.0


CHANCE, END = -1, -2


Way = tuple[tuple[int, int], ...]
"""A player's own moves on the way to a node: numbers of information sets, and the moves chosen in them."""


class TreeNode(NamedTuple):
    """A node of a game in extensive form; outcomes may belong to any node."""

    parent: int  # number of the node before, -1 for the root
    owner: int  # the player that moves, or `CHANCE`, or `END`
    information: Hashable = None  # information set of the player
    probabilities: tuple[Fraction, ...] = ()  # of the moves of chance
    paid: tuple[Fraction, ...] = ()  # payoffs of the outcome, if there is one


class GameTree(NamedTuple):
    """A game in extensive form as its nodes, a node before all that follow it.

    The moves of a node lead to its successors in their order. Where `SequenceForm` adds payoffs over chance,
    the tree has the nodes themselves, with exact probabilities and payoffs.
    """

    nodes: tuple[TreeNode, ...]
    information: tuple[tuple[Hashable, ...], ...]  # [player][set]: the sets in the order of the axes
    sizes: tuple[tuple[int, ...], ...]  # [player][set]: number of moves
    moves: tuple[tuple[tuple[str, ...], ...], ...]  # [player][set]: names of the moves

    def set_numbers(self) -> list[int]:
        """Number of the information set of every node among those of its player; -1 for other nodes."""
        numbers = {}
        for player, sets in enumerate(self.information):
            for number, key in enumerate(sets):
                numbers[player, key] = number
        return [numbers.get((node.owner, node.information), -1) for node in self.nodes]

    def histories(self, roots: Collection[int] = ()) -> Iterator[tuple[Fraction, tuple[Way, ...]]]:
        """Yield the probability of chance, and the players' own moves, before every node in turn.

        Both begin anew after the nodes ``roots``.
        """
        begin = Fraction(1), tuple(() for _ in self.sizes)
        # histories of the successors of a node, the last one first
        waiting: dict[int, list[tuple[Fraction, tuple[Way, ...]]]] = {-1: [begin]}
        for place, (node, number) in enumerate(zip(self.nodes, self.set_numbers(), strict=True)):
            reach, ways = waiting[node.parent].pop()
            yield reach, ways
            if place in roots:
                reach, ways = begin
            if node.owner == CHANCE:
                waiting[place] = [(reach * p, ways) for p in reversed(node.probabilities)]
            elif node.owner != END:
                before, way, after = ways[: node.owner], ways[node.owner], ways[node.owner + 1 :]
                moves = reversed(range(self.sizes[node.owner][number]))
                waiting[place] = [(reach, (*before, (*way, (number, move)), *after)) for move in moves]

    def __hash__(self) -> int:
        # fractions take long to hash; trees of games that are compared at all mostly differ in size
        return hash((len(self.nodes), self.sizes))


def reduced_plans(
    sizes: Sequence[int], entries: Mapping[int, Collection[Way]], max_plans: int
) -> list[dict[int, int]] | None:
    """Plans of a player: a move at every information set that its own moves reach; None for too many.

    ``sizes [set]`` are numbers of moves, ``entries`` the player's own moves before the nodes of each set.

    >>> reduced_plans([2, 2], {0: [()], 1: [((0, 1),)]}, 10)
    [{0: 0}, {0: 1, 1: 0}, {0: 1, 1: 1}]
    """
    before = {number: [set(way) for way in ways] for number, ways in entries.items()}
    plans, todo = list[dict[int, int]](), [dict[int, int]()]
    while todo:
        if len(plans) + len(todo) > max_plans:
            return None
        plan = todo.pop()
        open_sets = (k for k in before if k not in plan and any(plan.items() >= way for way in before[k]))
        number = next(open_sets, None)
        if number is None:
            plans.append(plan)
        else:
            todo.extend(plan | {number: move} for move in reversed(range(sizes[number])))
    return plans


class Contest(NamedTuple):
    """Payoffs as sums over points shared in proportion to influence; the source of a joint table.

    At point ``k`` the rows are the players, each with the influence of its action there, a third party whose
    influence is independent of actions, and abstention, a product of one factor per player. A player's payoff
    is ``sum_k weights[k] * share[k] - cost``. Influence is stored twice: as logarithms and, for speed, as
    plain numbers in units of the largest that a row can have at the point. Where the plain numbers of all
    rows underflow, the logarithms are used. Made by `contest`.
    """

    weights: ndarray  # [point]
    logs: ndarray  # [player action point]; -inf: no influence
    plain: ndarray  # [player action point]
    third_log: ndarray  # [point]; -inf: no third party
    third: ndarray  # [point]
    away_log: ndarray  # [player action point]: logarithms of abstention's factors; absent: no abstention
    away: ndarray  # [player action point], each at most 1 at every point
    abstention_log: ndarray  # [point]: logarithm of abstention's influence without the factors
    abstention: ndarray  # [point]: the same in units of the point, times the factors' largest values
    cost: ndarray  # [player action]
    nobody: float  # the share of every player where no row has influence; NaN where that is an error


_LINE, _CUBE = np.zeros(0), np.zeros((0, 0, 0))
NO_CONTEST = Contest(
    _LINE, _CUBE, _CUBE, _LINE, _LINE, _CUBE, _CUBE, _LINE, _LINE, cost=np.zeros((0, 0)), nobody=0.0
)
"""The absent contest, for payoffs in a table."""


def contest(
    weights: ndarray,  # [point]
    logs: ndarray,  # [player action point]
    third_log: ndarray | None = None,  # [point]
    abstention: float | None = None,
    away_log: ndarray | None = None,  # [player action point]: logs of the squared distances
    cost: ndarray | None = None,  # [player action]
    zero_influence: str = "error",
) -> Contest:
    """Return a `Contest` from logarithms of influence, in plain NumPy.

    Influence is divided by its largest value at each point, so that no exponential overflows.

    >>> made = contest(np.ones(2), np.log([[[1.0, 2.0]], [[3.0, 2.0]]]))
    >>> made.plain.round(6).tolist()
    [[[0.333333, 1.0]], [[1.0, 1.0]]]
    """
    no_influence = np.full(len(weights), -np.inf)
    if third_log is None:
        third_log = no_influence
    if cost is None:
        cost = np.zeros(logs.shape[:2])
    if abstention is not None and away_log is not None and abstention > 0:
        abstention_log = np.full(len(weights), np.log(abstention))
        farthest = _finite(away_log.max(axis=1, keepdims=True))
        away = np.exp(away_log - farthest)
        largest_abstention_log = abstention_log + farthest.sum(axis=(0, 1))
    else:
        away = away_log = np.zeros((0, 0, 0))
        abstention_log = largest_abstention_log = no_influence
    largest = np.maximum(logs.max(axis=(0, 1)), third_log)
    largest = _finite(np.maximum(largest, largest_abstention_log))
    plain, third = np.exp(logs - largest), np.exp(third_log - largest)
    abstained = np.exp(largest_abstention_log - largest)
    arrays = (weights, logs, plain, third_log, third, away_log, away, abstention_log, abstained, cost)
    zero_influence_share = {"error": np.nan, "share": 1.0 / len(logs), "lost": 0.0}[zero_influence]
    # kernels are compiled for arrays that may be written
    writable = [np.array(array, np.float64, order="C") for array in arrays]
    return Contest._make([*writable, zero_influence_share])


def _finite(logs: ndarray) -> ndarray:
    """Return logarithms, 0 in place of that of 0."""
    return np.where(np.isneginf(logs), 0.0, logs)


class LinearQuadraticGame(NamedTuple):
    """An infinite-horizon game with linear dynamics and quadratic costs (`methods.LinearQuadratic`).

    The state follows ``x' = A x + sum_i B_i u_i`` from ``first`` on, and player ``i`` minimises the sum over
    ``t`` of ``gamma_i^t (x' R_i x + u_i' Q_i u_i)``. Minus that is its value: an ``R_i`` that is minus the
    quadratic form of cash flow, with a 1 as the state's first entry for terms linear in quantities, and an
    adjustment cost as ``Q_i``. Every ``R_i`` and ``Q_i`` is symmetric.

    Costs of moves that depend on the state or on others' moves are in ``cross``: the symmetric form ``z' C_i
    z`` in ``z = (x, u_0, u_1, ..)`` is added to the cost of player ``i``. Length 0: there are none.
    """

    A: ndarray  # [state state]
    B: ndarray  # [player state control]
    R: ndarray  # [player state state]
    Q: ndarray  # [player control control]
    gamma: ndarray  # [player], in [0, 1)
    first: ndarray  # [state]
    cross: ndarray = _CUBE  # [player variable variable]; see above
