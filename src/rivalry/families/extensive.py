"""Games in extensive form with perfect recall, in behaviour strategies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import CHANCE, END, GameTree, SequenceForm, TreeNode, Way
from rivalry.core.exact_payoffs import WHOLE, ExactPayoffs, split_payoffs
from rivalry.core.payoffs import many_payoffs, numpy_payoffs
from rivalry.core.results import Record, scalar
from rivalry.core.space import Simplex, as_profile
from rivalry.core.tolerances import SHARES_SUM
from rivalry.core.tree import Tree, in_shape, static
from rivalry.runtime.jax import array_module, floats, jnp, put
from rivalry.schema.registry import near
from rivalry.tables.sequence_form import best_plan
from rivalry.text.display import Description, count_text

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

    from rivalry.core.space import Profile


class Chance(NamedTuple):
    """A node at which nature moves.

    Parameters
    ----------
    probabilities
        Probability of each move, by name; they sum to 1 exactly.
    """

    probabilities: Mapping[Hashable, Fraction]


class Decision(NamedTuple):
    """A node at which a player moves.

    Parameters
    ----------
    player
        Its index.
    information
        Name of the information set: all nodes of a player with the same name belong to it.
    actions
        Names of the moves, the same at all nodes of a set.
    """

    player: int
    information: Hashable
    actions: Sequence[Hashable]


class ExtensiveForm(NamedTuple):
    """Data by which payoffs depend on strategies, of a game in extensive form.

    Outcomes may belong to any node: the payoff of a play is the sum over its nodes.
    """

    entries: tuple[dict[int, set[Way]], ...]  # by player and information set: own moves before its nodes
    payoffs: dict[tuple[Way, ...], tuple[Fraction, ...]]  # expected over chance, at the nodes they end in

    @classmethod
    def of(cls, tree: GameTree) -> ExtensiveForm:
        """Return the form of a tree."""
        form = cls(tuple({} for _ in tree.sizes), {})
        nodes = zip(tree.nodes, tree.set_numbers(), tree.histories(), strict=True)
        for node, number, (reach, ways) in nodes:
            if node.owner >= 0:
                form.entries[node.owner].setdefault(number, set()).add(ways[node.owner])
            if any(node.paid):
                before = form.payoffs.get(ways, (Fraction(0),) * len(ways))
                form.payoffs[ways] = tuple(b + reach * p for b, p in zip(before, node.paid, strict=True))
        return form


def tree_of(nodes: Sequence[TreeNode], moves: Sequence[Mapping[Any, tuple[str, ...]]]) -> GameTree:
    """Return the tree of nodes, and of the names of moves by player and information set."""
    sizes = (tuple(map(len, sets.values())) for sets in moves)
    names = (tuple(sets.values()) for sets in moves)
    return GameTree(tuple(nodes), tuple(map(tuple, moves)), tuple(sizes), tuple(names))


class _OwnMoves(NamedTuple):
    """Moves of a player of a game with perfect recall, numbered set by set.

    Attributes
    ----------
    numbers
        The number of the last of each way of own moves; -1 without any.
    before
        The number of the own move before each, ``[move]``; -1 for first ones.
    names
        Labels ``set: action``, ``[move]``.
    depth
        The largest number of own moves on a way.
    """

    numbers: dict[Way, int]
    before: list[int]
    names: tuple[str, ...]
    depth: int

    @classmethod
    def of(cls, tree: GameTree, form: ExtensiveForm, player: int) -> _OwnMoves:
        """Return the moves of a player. Raises `ValueError` where it lacks perfect recall."""
        numbers: dict[Way, int] = {(): -1}
        before, names, depth = list[int](), list[str](), 1
        for number, key in enumerate(tree.information[player]):
            if len(form.entries[player][number]) != 1:
                raise ValueError(
                    f"game: player {player} forgets own moves at information set {key}; must have "
                    "perfect recall, or be solved in normal form"
                )
            (way,) = form.entries[player][number]
            depth = max(depth, len(way) + 1)
            for action, name in enumerate(tree.moves[player][number]):
                before.append(numbers[way])
                numbers[(*way, (number, action))] = len(names)
                names.append(f"{key}: {name}")
        return cls(numbers, before, tuple(names), depth)


class BehaviourSpace(Tree):
    """Behaviour strategies: at every information set a distribution over its moves.

    The axes of a player are the moves of its sets, set after set; strategies of players with fewer moves are
    padded with zeros.

    >>> BehaviourSpace(((2, 2), (3,))).check([[0.5, 0.5, 0, 1], [0.2, 0.3, 0.5, 0]]).shape
    (2, 4)
    """

    sizes: tuple[tuple[int, ...], ...] = static()  # [player][set]: number of moves

    @property
    def shape(self) -> tuple[int, int]:
        return (len(self.sizes), max(1, *map(sum, self.sizes)))

    @property
    def entries(self) -> Bool[ndarray, "player axis"]:
        """The mask in NumPy."""
        return np.arange(self.shape[1]) < np.array([[sum(sizes_of_player)] for sizes_of_player in self.sizes])

    @property
    def mask(self) -> Bool[Array, "player axis"]:
        return put(self.entries)

    @property
    def _rows(self) -> tuple[Simplex, tuple[ndarray, ndarray]]:
        """Return the space with one row per information set, and the place in it of every entry."""
        all_sizes = [size for sizes_of_player in self.sizes for size in sizes_of_player]
        rows = np.repeat(np.arange(len(all_sizes)), all_sizes)
        columns = np.concatenate([np.arange(size) for size in all_sizes])
        return Simplex(tuple(all_sizes)), (rows, columns)

    def _profile(self, rows: Any) -> Profile:
        return jnp.zeros(self.shape).at[np.nonzero(self.entries)].set(rows[self._rows[1]])

    def project(self, x: Profile) -> Profile:
        space, places = self._rows
        rows = jnp.zeros(space.shape).at[places].set(x[np.nonzero(self.entries)])
        return self._profile(space.project(rows))

    def sample(self, key: PRNGKeyArray) -> Profile:
        return self._profile(self._rows[0].sample(key))

    def grid(self, player: int, points: int) -> Float[ndarray, "point axis"]:
        """Return random pure strategies: there are too many for a grid."""
        return _draw_strategies(self.sizes[player], points, self.shape[1])

    def pure_strategies(self, x: ndarray, count: int) -> Float[ndarray, "draw player axis"]:
        """Return profiles of pure strategies, drawn by the probabilities of behaviour strategies ``x``."""
        uniform, profiles = np.random.default_rng(1).random, np.zeros((count, *self.shape))
        for player, sizes_of_player in enumerate(self.sizes):
            ends = np.cumsum(sizes_of_player)
            for start, end in zip(ends - sizes_of_player, ends, strict=True):
                limits = np.cumsum(x[player, start:end])
                moves = np.searchsorted(limits, uniform(count) * limits[-1], side="right")
                profiles[np.arange(count), player, start + moves] = 1.0
        return profiles

    def uniform(self) -> Profile:
        """Return the profile in which every player mixes evenly at every information set."""
        profile = np.zeros(self.shape)
        profile[self.entries] = [
            1.0 / size for sizes_of_player in self.sizes for size in sizes_of_player for _ in range(size)
        ]
        return put(profile)

    def sums(self, x: ndarray) -> Float[ndarray, "row"]:
        """Return the sum of the probabilities of every information set."""
        return np.bincount(self._rows[1][0], x[self.entries])

    def check(self, x: object, name: str = "start") -> Profile:
        full = as_profile(x, self.shape, name)
        violations = np.argwhere(np.where(self.entries, full < 0, full != 0))
        if violations.size:
            player, axis = violations[0]
            rule = "must be at least 0" if self.entries[player, axis] else "must be 0 (no such move)"
            raise ValueError(f"{name}: player {player}, move {axis} is {full[player, axis]:g}; {rule}")
        rows, totals = self._rows[1][0], self.sums(full)
        for k in np.flatnonzero(abs(totals - 1) > SHARES_SUM)[:1]:
            player = int(np.argwhere(self.entries)[rows == k][0, 0])
            number = k - sum(map(len, self.sizes[:player]))
            rule = f"information set {number} sums to {totals[k]:.10g}; must sum to 1"
            raise ValueError(f"{name}: player {player}, {rule}")
        shares = np.zeros(self.shape)
        shares[self.entries] = full[self.entries] / totals[rows]
        return put(shares)


@lru_cache(maxsize=16)
def _draw_strategies(sizes: tuple[int, ...], points: int, width: int) -> ndarray:
    draws, strategies, offset = np.random.default_rng(0), np.zeros((points, width)), 0
    for size in sizes:
        strategies[np.arange(points), offset + draws.integers(size, size=points)] = 1.0
        offset += size
    strategies.setflags(write=False)
    return strategies


class Extensive(Tree):
    """A game in extensive form with perfect recall, in behaviour strategies; see `SequenceForm`.

    `from_rules` makes one from its rules, `rivalry.interop.read_extensive` from a file. A profile has, per
    player, the probabilities of the moves at its information sets, set after set. Regrets allow a player to
    change its moves at all of its information sets, by backward induction.

    Parameters
    ----------
    before, moves, paid
        As in `rivalry.core.array_games.SequenceForm`.
    sizes, unit
        Likewise.
    depth : int
        The largest number of own moves on the way to a leaf.
    names : tuple of tuple of str
        Per player and axis the information set and the move.
    players : tuple of str
        Names of the players; empty where they are numbered.
    tree : GameTree, optional
        The nodes, where the game is made of them; `rivalry.methods.SubgamePerfectEquilibria` needs them.
    exact : ExactPayoffs, optional
        Payoffs at the leaves in units of 1, where ``paid`` and ``unit`` do not hold them.
    """

    before: Int[Array | ndarray, "player axis"]
    moves: Int[Array | ndarray, "leaf player"]
    paid: Float[Array | ndarray, "leaf player"]
    sizes: tuple[tuple[int, ...], ...] = static()
    unit: float = static()
    depth: int = static()
    names: tuple[tuple[str, ...], ...] = static()
    players: tuple[str, ...] = static(default=())
    tree: GameTree | None = static(default=None)
    exact: ExactPayoffs | None = static(default=None)

    def _title_and_parameters(self) -> Description:
        counts = ", ".join(str(len(sizes_of_player)) for sizes_of_player in self.sizes)
        return f"Extensive game of {count_text(len(self.sizes), 'player')}, {counts} information sets", {}

    @property
    def space(self) -> BehaviourSpace:
        return BehaviourSpace(self.sizes)

    def payoffs(self, x: Any) -> Any:
        """Return the players' expected payoffs, ``[player]``."""
        x = in_shape(x, self.space.shape, "profile")
        xp, weights = array_module(self.paid, self.moves, x), self.weights(x)
        reach = xp.ones(len(self.paid))
        for player in range(len(self.sizes)):
            reach = reach * weights[player][1 + self.moves[:, player]]
        return reach @ self.paid / self.unit

    def weights(self, x: Any) -> Any:
        """Return the probabilities that own moves allow each axis, after a 1, ``[.. player 1 + axis]``."""
        xp = array_module(self.before, x)
        begin = xp.ones((*x.shape[:-1], 1))
        before = xp.broadcast_to(1 + self.before, x.shape)
        weights = x
        for _ in range(self.depth - 1):
            weights = x * xp.take_along_axis(xp.concatenate([begin, weights], axis=-1), before, axis=-1)
        return xp.concatenate([begin, weights], axis=-1)

    @classmethod
    def from_tree(cls, tree: GameTree, players: Sequence[str] = ()) -> Extensive:
        """Game of a tree. Raises `ValueError` where a player lacks perfect recall, or none decides."""
        if not any(tree.sizes):
            raise ValueError("game: no player decides anything; must have a decision")
        form = ExtensiveForm.of(tree)
        moves = [_OwnMoves.of(tree, form, player) for player in range(len(tree.sizes))]
        # a file may have no payoff but 0
        payoffs = form.payoffs or {((),) * len(tree.sizes): (Fraction(0),) * len(tree.sizes)}
        fractions = np.array(list(payoffs.values()), object)
        unit = lcm(*(paid.denominator for paid in fractions.flat))
        paid, exact = split_payoffs(np.vectorize(int, otypes=[object])(fractions * unit))
        if exact or unit >= WHOLE:
            exact = ExactPayoffs(fractions, paid)
        before = np.full((len(moves), max(1, *(len(own.names) for own in moves))), -1)
        for player, own in enumerate(moves):
            before[player, : len(own.before)] = own.before
        last_moves = [[own.numbers[way] for own, way in zip(moves, ways, strict=True)] for ways in payoffs]
        return cls(
            before,
            np.array(last_moves),
            paid,
            tree.sizes,
            float(unit),
            max(own.depth for own in moves),
            tuple(own.names for own in moves),
            tuple(players),
            tree,
            exact,
        )

    @classmethod
    def from_rules(
        cls, rules: Callable[[tuple[Any, ...]], Chance | Decision | Iterable[Any]], *, players: int = 2
    ) -> Extensive:
        """Return the game in extensive form that ``rules`` describe, by visiting every history once.

        Parameters
        ----------
        rules : Callable
            Returns, for a history of moves, the next `Chance` or `Decision`, or at the end the payoffs, one
            per player. A history is the tuple of all earlier moves, those of chance included; it is empty at
            the root. Probabilities and payoffs are exact: whole numbers or fractions.
        players : int
            Number of players.

        Returns
        -------
        Extensive
            The game; a profile has one row per player, its behaviour strategies at all its information sets.

        Raises
        ------
        ValueError
            Where a player lacks perfect recall, an information set has different actions, probabilities
            do not sum to one, payoffs are not one per player, or no player decides.

        Examples
        --------
        >>> def pennies(history):
        ...     if len(history) < 2:
        ...         return Decision(len(history), "coin", ("heads", "tails"))
        ...     return (1, -1) if history[0] == history[1] else (-1, 1)
        >>> game = Extensive.from_rules(pennies)
        >>> game.payoffs(np.array([[1.0, 0.0], [0.25, 0.75]])).tolist()
        [-0.5, 0.5]
        """
        nodes = list[TreeNode]()
        moves = [dict[Any, tuple[str, ...]]() for _ in range(players)]
        todo: list[tuple[tuple[Any, ...], int]] = [((), -1)]
        while todo:
            history, parent = todo.pop()
            described = rules(history)
            node = _tree_node(described, history, parent, players)
            actions: list[Any] = []
            if isinstance(described, Chance):
                actions = list(described.probabilities)
            elif isinstance(described, Decision):
                actions = list(described.actions)
                words, key, player = tuple(map(str, actions)), node.information, node.owner
                if moves[player].setdefault(key, words) != words:
                    raise ValueError(f"rules: information set {key} of player {player} has different actions")
            todo.extend(((*history, action), len(nodes)) for action in reversed(actions))
            nodes.append(node)
        return cls.from_tree(tree_of(nodes, moves))


def _tree_node(described: Any, history: tuple[Any, ...], parent: int, players: int) -> TreeNode:
    """Return the node that the rules describe after a history. Raises `ValueError` for an impossible one."""
    if isinstance(described, Chance):
        if sum(described.probabilities.values()) != 1:
            raise ValueError(f"rules: probabilities after {history} must sum to 1 exactly")
        return TreeNode(parent, CHANCE, probabilities=tuple(map(Fraction, described.probabilities.values())))
    if isinstance(described, Decision):
        player, largest = described.player, players - 1
        if not 0 <= player <= largest:
            raise ValueError(
                f"rules: player {player} after {history}; must be in 0..{largest}, or set players"
            )
        return TreeNode(parent, player, described.information)
    payoffs = tuple(map(Fraction, described))
    if len(payoffs) != players:
        raise ValueError(f"rules: {len(payoffs)} payoffs after {history}; must be {players}")
    return TreeNode(parent, END, paid=payoffs)


@oracles.to_sequence_form.register(Extensive)
def _(game: Extensive) -> SequenceForm:
    before, moves, paid = (np.asarray(part) for part in (game.before, game.moves, game.paid))
    if game.exact is not None and (numbers := game.exact.of(paid)) is not paid:
        return SequenceForm(game.sizes, before, moves, numbers)
    return SequenceForm(game.sizes, before, moves, paid, game.unit)


@oracles.to_tree.register(Extensive, when=lambda game: game.tree is not None)
def _(game: Extensive) -> GameTree:
    """Return the nodes. Raises `ValueError` where payoffs were replaced since the game was made of them."""
    tree = game.tree
    assert tree is not None  # `when`
    rebuilt = Extensive.from_tree(tree)
    if not all(
        np.array_equal(getattr(game, name), getattr(rebuilt, name)) for name in ("before", "moves", "paid")
    ):
        raise ValueError(
            "game: payoffs were replaced since the tree was read; change them in the rules or the file"
        )
    return tree


@oracles.payoff_scale.register(Extensive)
def _(game: Extensive) -> float:
    """Return the largest expected payoff at a leaf, without the probabilities of the players' moves."""
    return float(np.abs(np.asarray(game.paid)).max(initial=0.0) / game.unit) or 1.0


@oracles.labels.register(Extensive)
def _(game: Extensive) -> oracles.Labels:
    return oracles.Labels(game.players, entries=game.names)


@oracles.named_start.register(Extensive)
def _(game: Extensive, name: str) -> Profile:
    """Return the profile ``uniform``: every move of an information set with equal probability."""
    if name != "uniform":
        raise ValueError(f"start: {name!r} is no start of this game; {near(name, ['uniform', 'random'])}")
    return game.space.uniform()


@numpy_payoffs.register(Extensive)
def _(game: Extensive, x: ndarray) -> ndarray:
    return np.asarray(game.payoffs(np.asarray(x)))


@many_payoffs.register(Extensive)
def _(game: Extensive, profiles: ndarray, player: int) -> ndarray:
    """Return payoffs as sums over own moves, whose worth is computed once per profile of the others."""
    weights, moves = np.asarray(game.weights(np.asarray(profiles))), 1 + np.asarray(game.moves)
    paid, pays = np.asarray(game.paid)[:, player] / game.unit, np.zeros(len(profiles))
    groups: dict[bytes, list[int]] = {}
    for number, rival_profile in enumerate(np.delete(profiles, player, axis=1)):
        groups.setdefault(rival_profile.tobytes(), []).append(number)
    for rows in groups.values():
        reach = paid
        for rival in range(len(game.sizes)):
            if rival != player:
                reach = reach * weights[rows[0], rival, moves[:, rival]]
        move_values = np.bincount(moves[:, player], reach, weights.shape[-1])
        pays[rows] = weights[rows, player] @ move_values
    return pays


@oracles.proved_response.register(Extensive)
def _(game: Extensive, x: Profile | ndarray, player: int) -> oracles.Response:
    """Return a pure best response by backward induction; its payoff is the payoff upper bound."""
    strategy, payoff = best_plan(oracles.to_sequence_form(game), floats(x), player)
    return oracles.Response(strategy, float(payoff), float(payoff), "tight", "backward induction")


@oracles.metrics.register(Extensive)
def _(game: Extensive, x: Profile | ndarray) -> Record:
    """Return ``nash_conv``, the sum of the players' regrets, and ``move``, the names of the axes."""
    form, x = oracles.to_sequence_form(game), floats(x)
    response_payoffs = np.array([best_plan(form, x, player)[1] for player in range(len(x))])
    width = x.shape[1]
    names = np.array(
        [[*sizes_of_player, *[""] * (width - len(sizes_of_player))] for sizes_of_player in game.names]
    )
    return {
        "nash_conv": scalar(np.maximum(response_payoffs - np.asarray(game.payoffs(x)), 0.0).sum()),
        "move": (("player", "axis"), names),
    }
