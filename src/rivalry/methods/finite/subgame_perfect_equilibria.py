"""Subgame-perfect equilibria of games in extensive form, by recursion over proper subgames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import islice, product
from math import prod
from typing import Annotated, Any, ClassVar, NamedTuple, NoReturn

import numpy as np
from annotated_types import Ge
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import CHANCE, END, GameTree, Way, reduced_plans
from rivalry.core.method import OneStepLearner, Session
from rivalry.core.needs import TREE, Need
from rivalry.core.results import Record, indexed, scalar
from rivalry.core.tolerances import NEAREST
from rivalry.methods.finite.finite_equilibria import FiniteEquilibria
from rivalry.methods.finite.mixed_equilibria import component_record, one_mixed
from rivalry.methods.finite.support_differences import differences
from rivalry.tables.extreme_equilibria import Strategy, TooMany, extreme_equilibria, lemke_howson

PLANS, ENTRIES = 20_000, 2_000_000  # most plans of a player, and payoffs, in the normal form of one subgame
WORK = 4_000_000_000  # most operations of a list of two players' equilibria: seconds

Payoffs = tuple[Fraction, ...]
Sets = dict[tuple[int, int], Strategy]  # (player, number of the information set): probabilities of its moves


class Continuation(NamedTuple):
    """Play in a subgame: strategies at its own information sets, and play in the subgames below."""

    paid: Payoffs
    sets: Sets
    below: tuple[Continuation, ...]
    exact: bool  # whether probabilities are those of an equilibrium, not of one near by
    component: int  # of the subgame's equilibria in which this is, numbered in the order of the list


class Leaf(NamedTuple):
    """A node of a subgame at which payoffs are paid, or at which a smaller subgame begins."""

    ways: tuple[Way, ...]  # by player
    reach: Fraction
    paid: Payoffs
    below: int | None = None  # number of the smaller subgame among those below


class Subgame(NamedTuple):
    """A subgame without the smaller ones in it, which are leaves."""

    root: int
    entries: dict[tuple[int, int], Way]  # own moves before each information set, in the order of the tree
    leaves: list[Leaf]
    below: list[int]  # roots of the smaller subgames


class SubgameList(NamedTuple):
    """Equilibria of a subgame, and what is known of their list."""

    list: list[Continuation]
    complete: bool
    reason: str  # why the list is not complete
    continua: bool = False  # whether equilibria that are not isolated pay differently


class SubgamePerfectEquilibria(OneStepLearner):
    """Subgame-perfect equilibria of a game in extensive form with perfect recall.

    A proper subgame begins at a node that is alone in its information set, or at a chance move, if no
    information set has nodes both after and not after it. Subgames are solved from the smallest on: each is a
    finite game in which smaller ones are replaced by their equilibrium payoffs, one game per combination of
    their equilibria. Where one player moves, the list is that of its best plans; of two players it is that
    of all extreme equilibria; of more, that of `FiniteEquilibria`. Payoffs and probabilities are fractions,
    except for mixed equilibria of three and more players. At information sets that a player's own strategy
    excludes within a subgame, moves are uniform.

    ``one`` takes the first equilibrium of every subgame: a pure one where there is any.

    The record holds ``equilibria`` (equilibrium, player, axis), behaviour strategies, those with fewer moves
    of positive probability first, with ``equilibrium_payoff``, ``equilibrium_count`` and ``pure_count``;
    ``radius`` (equilibrium), the largest distance of a probability to that of an exact equilibrium, NaN where
    it is unknown; and ``exact_equilibria``, the probabilities as fractions in text. Of certificates it holds
    ``subgame``, the moves that lead to the whole game and to every smaller one with a decision of its own;
    ``subgame_payoff`` (equilibrium, subgame, player); and ``subgame_regret``, what a player gains at most by
    another strategy in that subgame, by backward induction in exact arithmetic.

    The list has the ends of every connected set of equilibria, whose mixtures are equilibria too. Of a
    complete list the record also holds ``component`` (equilibrium), the set that each belongs to,
    ``component_count`` and ``extreme_count``: more ends than components are infinitely many equilibria.

    ``complete`` is true where the lists of all subgames are, and no smaller subgame has equilibria that are
    not isolated and pay differently: players before it may respond to mixtures of them, which no list of
    vertices shows. The certificate's concept is ``subgame-perfect, proved`` if the regret of the profile is 0
    in every subgame, in exact arithmetic, else ``subgame-perfect`` with the largest regret.

    Sequential and trembling-hand perfect equilibria are among these, and are not singled out.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.families.extensive import Decision, Extensive
    >>> def entry(history):
    ...     if history == ():
    ...         return Decision(0, "entrant", ("in", "out"))
    ...     if history == ("in",):
    ...         return Decision(1, "incumbent", ("share", "fight"))
    ...     return {"out": (1, 2), "share": (2, 1), "fight": (-1, -1)}[history[-1]]
    >>> solution = rv.solve(Extensive.from_rules(entry), SubgamePerfectEquilibria())
    >>> solution.data.equilibria.values.tolist(), bool(solution.data.complete)
    ([[[1.0, 0.0], [1.0, 0.0]]], True)

    References
    ----------
    Selten, "Spieltheoretische Behandlung eines Oligopolmodells mit Nachfragetraegheit", Zeitschrift fuer die
    gesamte Staatswissenschaft 121, 1965.
    """

    needs: ClassVar[tuple[Need, ...]] = (
        TREE,
        Need("the nodes of a tree, as games of rules and files have them", oracles.to_tree.knows),
    )

    one: Annotated[bool, "take the first equilibrium of every subgame"] = False
    most: Annotated[int, Ge(1), "combinations of equilibria of subgames that are followed"] = 1000

    def concepts(self) -> tuple[str, ...]:
        return "subgame-perfect", "subgame-perfect, proved"

    def world(self, game: Any) -> GameTree:
        """Return the tree of the game."""
        return oracles.to_tree(game)

    def result(self, tree: GameTree) -> Session:
        """Return the arrays of all equilibria and of the certificates of their subgames."""
        games = subgames(tree)
        solutions: dict[int, SubgameList] = {}
        for game in reversed(games):  # smaller subgames come after those that contain them
            solutions[game.root] = self._list(tree, game, [solutions[root] for root in game.below])
        whole_game = solutions[0]
        profiles = [_profile(tree, play) for play in whole_game.list]
        deciding = [game for game in games if game.entries or game.root == 0]
        regrets, paid = [], []
        for profile in profiles:
            values = _values(tree, games, profile)
            regrets.append([[b - u for u, b in zip(*values[g.root], strict=True)] for g in deciding])
            paid.append([values[g.root][0] for g in deciding])
        players, shape = len(tree.sizes), _shape(tree)
        exact = np.full((len(profiles), *shape), "", object)
        for k, profile in enumerate(profiles):
            for player, sizes in enumerate(tree.sizes):
                row = [p for number in range(len(sizes)) for p in profile[player, number]]
                exact[k, player, : len(row)] = [str(p) for p in row]
        regret = np.array(regrets, object).reshape(len(profiles), len(deciding), players)
        payoff = np.array([play.paid for play in whole_game.list], object).reshape(-1, players)
        return {
            "exact": exact.astype(str),
            "payoff": payoff.astype(float),
            "component": np.array([play.component for play in whole_game.list], int),
            "proved": np.array([play.exact for play in whole_game.list], bool),
            "regret": regret.astype(float),
            "subgame_payoff": np.array(paid, object).reshape(regret.shape).astype(float),
            "subgame": np.array([_root_name(tree, game.root) for game in deciding], str),
            "complete": np.array([whole_game.complete]),
            "reason": np.array(whole_game.reason),
        }

    def _list(self, tree: GameTree, game: Subgame, below: Sequence[SubgameList]) -> SubgameList:
        """Return the equilibria of a subgame, for every combination of those of the smaller ones."""
        count = prod(len(part.list) for part in below)
        reasons = [part.reason for part in below if part.reason]
        reasons += [
            "equilibria of a subgame that are not isolated pay differently, and what players before do "
            "against mixtures of them is not listed"
        ] * any(part.continua for part in below)
        if any(not play.exact for part in below for play in part.list):
            reasons.append("mixed equilibria of three players in a subgame are known up to rounding")
        if count > self.most and not self.one:
            reasons.append(
                f"{count} combinations of equilibria of subgames, of which {self.most} are followed"
            )
        solved_before: dict[tuple[Payoffs, ...], SubgameList] = {}
        continuations, continua, components = list[Continuation](), False, dict[Any, int]()
        for plays in islice(product(*(part.list for part in below)), self.most):
            values = tuple(play.paid for play in plays)
            if values not in solved_before:
                solved_before[values] = _equilibria(tree, game, values, self.one)
            solved = solved_before[values]
            reasons += [solved.reason] * bool(solved.reason)
            continua |= solved.continua
            exact, parts = all(play.exact for play in plays), [play.component for play in plays]
            for play in solved.list:
                # equilibria of one component below pay the same, or the list is not complete
                part = components.setdefault((values, play.component, *parts), len(components))
                continuations.append(Continuation(play.paid, play.sets, plays, exact and play.exact, part))
        if len(continuations) > self.most:
            reasons.append(f"{len(continuations)} equilibria of a subgame, of which {self.most} are followed")
        reasons = list(dict.fromkeys(reasons))
        return SubgameList(continuations[: self.most], not reasons, "; ".join(reasons), continua)

    def read(self, world: GameTree, session: Session) -> Record:
        shape = _shape(world)
        if not session["over"][0] or not len(session["exact"]):
            status = "not found" if session["over"][0] else "iteration limit"
            return {
                "profile": (("player", "axis"), np.full(shape, np.nan)),
                "status": scalar(status),
            }
        texts = session["exact"]
        floats = np.vectorize(lambda text: float(Fraction(text or 0)), otypes=[float])(texts)
        order = sorted(
            range(len(floats)), key=lambda k: ((floats[k] > 0).sum(), (-floats[k]).ravel().tolist())
        )
        floats, regret, proved = floats[order], session["regret"][order], session["proved"][order]
        pure = ((floats == 0) | (floats == 1)).all(axis=(1, 2))
        proved = proved & (regret == 0).all(axis=(1, 2))
        largest = float(regret[0].max(initial=0.0))
        reason, components = "", {}
        if session["complete"][0]:
            reason = "all combinations of complete lists of the subgames"
            components = component_record(session["component"][order])
        return (
            {
                "profile": (("player", "axis"), floats[0]),
                **indexed(
                    status="converged",
                    equilibrium_count=len(floats),
                    pure_count=int(pure.sum()),
                    complete_reason=reason or str(session["reason"]),
                    concept=self.concepts()[int(proved[0])],
                ),
                **indexed("equilibrium", "player", "axis", equilibria=floats, exact_equilibria=texts[order]),
                "equilibrium_payoff": (("equilibrium", "player"), session["payoff"][order]),
                "radius": (("equilibrium",), np.where(proved, np.where(pure, 0.0, NEAREST), np.nan)),
                "complete": ((), session["complete"][0].copy()),
                "subgame": (("subgame",), session["subgame"]),
                **indexed(
                    "equilibrium",
                    "subgame",
                    "player",
                    subgame_payoff=session["subgame_payoff"][order],
                    subgame_regret=regret,
                ),
            }
            | ({} if proved[0] else {"concept_residual": scalar(largest)})
            | components
        )


def _shape(tree: GameTree) -> tuple[int, int]:
    return len(tree.sizes), max(1, *map(sum, tree.sizes))


def _root_name(tree: GameTree, root: int) -> str:
    """Return the moves that lead to a node, or ``root``."""
    number, names = root, list[str]()
    child_of: dict[int, int] = {}
    for child, node in enumerate(tree.nodes):
        child_of.setdefault(node.parent, child)
    children = _children(tree)
    while (parent := tree.nodes[number].parent) >= 0:
        node, move = tree.nodes[parent], children[parent].index(number)
        if node.owner == CHANCE:
            names.append(f"chance {move}")
        else:
            index = tree.information[node.owner].index(node.information)
            names.append(tree.moves[node.owner][index][move] or str(move + 1))
        number = parent
    return "/".join(reversed(names)) or "root"


def _children(tree: GameTree) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in tree.nodes]
    for number, node in enumerate(tree.nodes[1:], start=1):
        children[node.parent].append(number)
    return children


def subgame_roots(tree: GameTree) -> list[int]:
    """Return the nodes at which subgames begin, the root first; ends and nodes before them begin none.

    A subgame has all nodes after its root, and with a node all others of its information set.
    """
    count = len(tree.nodes)
    last_nodes = list(range(count))  # the last node after each
    for number in range(count - 1, 0, -1):
        parent = tree.nodes[number].parent
        last_nodes[parent] = max(last_nodes[parent], last_nodes[number])
    ends: dict[Any, tuple[int, int]] = {}  # of each information set, its first and its last node
    for number, node in enumerate(tree.nodes):
        if node.owner >= 0:
            key = node.owner, node.information
            ends[key] = ends.get(key, (number, number))[0], number
    low, high = list(range(count)), list(range(count))
    for number in range(count - 1, -1, -1):
        node = tree.nodes[number]
        if node.owner >= 0:
            begin, end = ends[node.owner, node.information]
            low[number], high[number] = min(low[number], begin), max(high[number], end)
        if node.parent >= 0:
            low[node.parent] = min(low[node.parent], low[number])
            high[node.parent] = max(high[node.parent], high[number])
    inside = (k for k in range(1, count) if low[k] >= k and high[k] <= last_nodes[k])
    return [0, *(k for k in inside if tree.nodes[k].owner != END)]


def subgames(tree: GameTree) -> list[Subgame]:
    """Return the subgames of a tree, each without the smaller ones in it, before all that it contains."""
    games = {root: Subgame(root, {}, [], []) for root in subgame_roots(tree)}
    no_payoffs, game_of = (Fraction(0),) * len(tree.sizes), list[Subgame]()
    nodes = zip(tree.nodes, tree.set_numbers(), tree.histories(games), strict=True)
    for place, (node, number, (reach, ways)) in enumerate(nodes):
        if place in games:
            if place:
                enclosing = game_of[node.parent]
                enclosing.leaves.append(Leaf(ways, reach, no_payoffs, len(enclosing.below)))
                enclosing.below.append(place)
            reach, ways = Fraction(1), ((),) * len(tree.sizes)
        game_of.append(games.get(place) or game_of[node.parent])
        if any(node.paid):
            game_of[place].leaves.append(Leaf(ways, reach, node.paid))
        if node.owner >= 0:
            game_of[place].entries.setdefault((node.owner, number), ways[node.owner])
    return list(games.values())


def _equilibria(tree: GameTree, game: Subgame, values: Sequence[Payoffs], only_first: bool) -> SubgameList:
    """Return the equilibria of a subgame whose smaller ones pay ``values``."""
    players = len(tree.sizes)
    movers = sorted({player for player, _ in game.entries})
    plans = {player: _plans(tree, game, player) for player in movers}
    sizes = [len(plans[player]) for player in movers]
    if prod(sizes) * max(players, 1) > ENTRIES:
        _refuse(tree, game, f"{' x '.join(map(str, sizes))} plans; payoffs must be at most {ENTRIES}")
    table = np.full((players, *sizes), Fraction(0), object)
    for leaf in game.leaves:
        paid = leaf.paid if leaf.below is None else values[leaf.below]
        playing = [
            [k for k, plan in enumerate(plans[p]) if plan.items() >= set(leaf.ways[p])] for p in movers
        ]
        for player, pay in enumerate(paid):
            table[np.ix_([player], *playing)] += leaf.reach * pay
    mixtures, component, complete, reason, exact = _mixtures(table, movers, only_first)
    seen_sets: dict[Any, None] = {}
    equilibria, members = list[Continuation](), dict[int, set[Payoffs]]()
    for mixture, part, is_exact in zip(mixtures, component, exact, strict=True):
        paid = tuple(Fraction(_expected(payoffs, mixture)) for payoffs in table)
        members.setdefault(part, set()).add(paid)
        sets: Sets = {}
        for player, weights in zip(movers, mixture, strict=True):
            sets |= _behaviour(tree, game, player, plans[player], weights)
        # mixtures of plans that differ only in what no strategy reaches are one behaviour strategy
        if (key := tuple(sets.values())) not in seen_sets:
            seen_sets[key] = None
            equilibria.append(Continuation(paid, sets, (), is_exact, part))
    return SubgameList(equilibria, complete, reason, any(len(pays) > 1 for pays in members.values()))


def _refuse(tree: GameTree, game: Subgame, reason: str) -> NoReturn:
    raise ValueError(f"game: the subgame at {_root_name(tree, game.root)} is too large: {reason}")


def _plans(tree: GameTree, game: Subgame, player: int) -> list[dict[int, int]]:
    """Return a player's plans in a subgame: a move at every information set that its own moves reach."""
    entries = {number: [way] for (mover, number), way in game.entries.items() if mover == player}
    plans = reduced_plans(tree.sizes[player], entries, PLANS)
    if plans is None:
        _refuse(tree, game, f"a player has more than {PLANS} plans")
    return plans


Mixture = tuple[Strategy, ...]  # of plans, by mover
Listed = tuple[Sequence[Mixture], list[int], bool, str, list[bool]]


def _mixtures(table: ndarray, movers: Sequence[int], only_first: bool) -> Listed:
    """Return the equilibria of ``table [player plan ..]`` in mixtures of plans.

    With them the component of each, whether the list is complete, why not, and which are exact.
    """
    payoffs, sizes = table[list(movers)], table.shape[1:]
    single_reason = "one equilibrium of every subgame, since one was asked for"
    if not movers:
        return [()], [0], True, "", [True]
    is_response = [pays == pays.max(axis=k, keepdims=True) for k, pays in enumerate(payoffs)]
    joint = np.argwhere(np.logical_and.reduce(is_response).astype(bool)).tolist()
    pure = [tuple(_unit(size, a) for size, a in zip(sizes, actions, strict=True)) for actions in joint]
    if len(movers) == 1:  # all best plans, in one component
        plans = pure[:1] if only_first else pure
        return (
            plans,
            [0] * len(plans),
            len(plans) == len(pure),
            single_reason * (len(plans) < len(pure)),
            [True] * len(plans),
        )
    if only_first and pure:
        return pure[:1], [0], False, single_reason, [True]
    if len(movers) > 2:
        return _of_many(payoffs, pure, only_first, single_reason)
    if not only_first:
        try:
            # a basis has as many neighbours as a polytope has dimensions, and each costs a table
            extremes = extreme_equilibria(payoffs, most=WORK // (prod(sizes) * min(sizes)))
        except TooMany as error:
            single_reason = f"pure equilibria of a subgame and one more, since {error}"
        else:
            pairs = extremes.profiles
            return pairs, extremes.component.tolist(), True, "", [True] * len(pairs)
    mixtures = list(dict.fromkeys([*pure, next(lemke_howson(payoffs))]))
    return mixtures, list(range(len(mixtures))), False, single_reason, [True] * len(mixtures)


def _of_many(payoffs: ndarray, pure: list[Mixture], only_first: bool, single_reason: str) -> Listed:
    """Return the equilibria of three and more movers: pure ones exactly, mixed ones near exact ones."""
    floats = payoffs.astype(float)
    if only_first:
        single = one_mixed(floats)
        mixed = [] if single is None else [single]
        complete, reason = False, single_reason
    else:
        learner, world = FiniteEquilibria(), differences(payoffs)
        session = learner.begin(world, np.random.SeedSequence(0))
        while learner.advance(world, session, 1):
            pass
        record = learner.read(world, session)
        complete = bool(record["complete"][1])
        reason = "" if complete else f"in a subgame {record['complete_reason'][1]}"
        if len(record.get("equilibrium_set", ((), []))[1]):  # the list has ends of sets alone
            complete, reason = False, "in a subgame of three or more players some equilibria form sets"
        mixed = [x for x in record["equilibria"][1] if not np.isin(x, (0.0, 1.0)).all()]
    mixtures = [*([] if only_first else pure)]
    exact = [True] * len(mixtures)
    for x in mixed:
        rows = [
            [Fraction(p) for p in row[:size]] for row, size in zip(x.tolist(), payoffs.shape[1:], strict=True)
        ]
        mixtures.append(tuple(tuple(p / sum(row) for p in row) for row in rows))
        exact.append(False)
    return mixtures, list(range(len(mixtures))), complete, reason, exact


def _unit(size: int, action: int) -> Strategy:
    return tuple(Fraction(int(k == action)) for k in range(size))


def _expected(payoffs: ndarray | Fraction, mixture: Mixture) -> Any:
    """Return the expectation of ``payoffs [plan ..]``, or of one payoff, over independent mixtures."""
    expected: Any = payoffs
    for weights in mixture:
        expected = sum((p * part for p, part in zip(weights, expected, strict=True) if p), 0 * expected[0])
    return expected


def _behaviour(
    tree: GameTree, game: Subgame, player: int, plans: Sequence[dict[int, int]], weights: Strategy
) -> Sets:
    """Return the moves' probabilities that a mixture of plans has; uniform where it excludes the set."""
    behaviour: Sets = {}
    used = [(plan, p) for plan, p in zip(plans, weights, strict=True) if p]
    for (mover, number), way in game.entries.items():
        if mover != player:
            continue
        size, before = tree.sizes[player][number], set(way)
        reach = [Fraction(0)] * size
        for plan, p in used:
            if plan.items() >= before:
                reach[plan[number]] += p
        total = sum(reach)
        behaviour[player, number] = tuple(r / total if total else Fraction(1, size) for r in reach)
    return behaviour


def _profile(tree: GameTree, play: Continuation) -> Sets:
    """Return the strategies of a play and of all play below; at sets that no move leads to, uniform."""
    sets: Sets = {
        (player, number): (Fraction(1, size),) * size
        for player, sizes in enumerate(tree.sizes)
        for number, size in enumerate(sizes)
    }
    todo = [play]
    while todo:
        part = todo.pop()
        sets |= part.sets
        todo.extend(part.below)
    return sets


def _values(tree: GameTree, games: Sequence[Subgame], profile: Sets) -> dict[int, tuple[Payoffs, Payoffs]]:
    """Return the payoffs of every subgame at a profile, and of the best responses in it.

    A subgame's best response is one in each smaller subgame, as play outside of it does not change what its
    players know.
    """
    players = len(tree.sizes)
    values_of_roots: dict[int, tuple[Payoffs, Payoffs]] = {}
    for game in reversed(games):
        paid, response_values = list[Fraction](), list[Fraction]()
        for player in range(players):
            expected, values = Fraction(0), dict[Way, Fraction]()
            for leaf in game.leaves:
                weight = leaf.reach * prod(
                    (
                        profile[opponent, number][move]
                        for opponent, way in enumerate(leaf.ways)
                        if opponent != player
                        for number, move in way
                    ),
                    start=Fraction(1),
                )
                reach = prod((profile[player, n][move] for n, move in leaf.ways[player]), start=Fraction(1))
                after = (
                    values_of_roots[game.below[leaf.below]]
                    if leaf.below is not None
                    else (leaf.paid, leaf.paid)
                )
                expected += weight * reach * after[0][player]
                way = leaf.ways[player]
                values[way] = values.get(way, Fraction(0)) + weight * after[1][player]
            for (mover, number), way in reversed(list(game.entries.items())):
                if mover == player:
                    moves = range(tree.sizes[player][number])
                    largest = max(values.get((*way, (number, move)), Fraction(0)) for move in moves)
                    values[way] = values.get(way, Fraction(0)) + largest
            paid.append(expected)
            response_values.append(values.get((), Fraction(0)))
        values_of_roots[game.root] = tuple(paid), tuple(response_values)
    return values_of_roots
