"""Games in which the others matter only through a sum over players, and where their equilibria can be.

In such a game the payoff of every player is a function of its own choices and of a sum of what each other
player adds to it, which depends on that player alone. For a given total the first-order
conditions of a player have its own choices alone, so boxes of totals are split in place of boxes of profiles:
to each belong choices that can be best for it, and totals that these choices do not add up to are discarded.

Whether a game is of this form is read from the operations of its payoffs
(`rivalry.proofs.arithmetic.operations`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import inf, isfinite, nextafter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.numpy_programs import over_rows
from rivalry.proofs.arithmetic.operations import Operations, operations
from rivalry.proofs.arithmetic.programs import operations_within
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.payoff_ranges import meet
from rivalry.proofs.spaces.coordinates import Coordinates
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game

Weights = dict[int, Fraction]  # of operations in a sum
PLAYERS = 3  # with fewer a total says no more than the other's choice
SUMS = 1  # that payoffs depend on, at most: boxes of two totals take longer than boxes of profiles
OPERATIONS = 2000  # of payoffs, on single numbers, that are read
OPERATIONS_ADDED = 50_000  # that are read to know what payoffs add up to
PIECES = {1: (8, 64), 2: (5, 16), 3: (3, 6)}
"""Pieces of choices on each axis, by the number of axes; the larger number where few change nothing."""
WIDE = 0.05  # of the range: narrower choices are not split into more pieces
ROUNDS = 6  # of splitting, for one box of totals
SHRINKS = 0.7  # of the widest choice: a round that leaves more is the last
NARROW = 1e-3  # of the range: choices that are not made narrower
BOXES = 600  # of totals
BATCH = 32  # boxes of totals at a time
ROWS = 256  # pieces at a time

Term = tuple[float, int]  # a factor, and the place of an operation


class OfOthers(NamedTuple):
    """An operation of a player's payoff that depends on the others: own terms and a multiple of their sum."""

    place: int
    own_terms: tuple[Term, ...]
    sum: int
    factor: float


@dataclass(frozen=True)
class Sums:
    """Payoffs as functions of own choices and of sums over the others.

    Attributes
    ----------
    nodes
        Operations on single numbers; see `rivalry.proofs.arithmetic.operations`.
    results
        The place of every player's payoff.
    cuts
        Of every player.
    terms
        What each player adds to every sum, ``[sum][player]``.
    """

    nodes: tuple[tuple[Any, ...], ...]
    results: tuple[int, ...]
    cuts: tuple[tuple[OfOthers, ...], ...]
    terms: tuple[tuple[tuple[Term, ...], ...], ...]

    def payoffs(self, y: Array, rival_sums: Array) -> Array:
        """Return payoffs ``[player]`` for choices ``[coordinate]`` and the others' sums ``[sum player]``."""
        pays = []
        for player, root in enumerate(self.results):
            values: dict[int, Any] = {}
            for cut in self.cuts[player]:
                own_sum = self._sum(values, y, cut.own_terms)
                values[cut.place] = own_sum + cut.factor * rival_sums[cut.sum, player]
            pays.append(self._value(values, y, root))
        return jnp.stack(pays)

    def added(self, y: Array) -> Array:
        """Contributions of players with choices ``y [coordinate]`` to the sums, ``[sum player]``."""
        return jnp.stack(
            [jnp.stack([self._sum({}, y, terms) for terms in sum_terms]) for sum_terms in self.terms]
        )

    def _sum(self, values: dict[int, Any], y: Array, terms: Iterable[Term]) -> Any:
        parts = [
            self._value(values, y, place) if factor == 1.0 else factor * self._value(values, y, place)
            for factor, place in terms
        ]
        return sum(parts[1:], parts[0]) if parts else jnp.zeros(())

    def _value(self, values: dict[int, Any], y: Array, root: int) -> Any:
        waiting = [root]
        while waiting:
            place = waiting[-1]
            name, *arguments = self.nodes[place]
            if place in values:
                waiting.pop()
            elif name in ("x", "c"):
                values[place] = y[arguments[0]] if name == "x" else jnp.asarray(arguments[0], float)
            elif name == "power":
                exponent = self.nodes[arguments[1]][1]
                if arguments[0] in values:
                    values[place] = values[arguments[0]] ** (
                        int(exponent) if exponent == int(exponent) else exponent
                    )
                else:
                    waiting.append(arguments[0])
            elif missing := [operand for operand in arguments if operand not in values]:
                waiting += missing
            else:
                values[place] = APPLY[name](*(values[operand] for operand in arguments))
        return values[root]


def _share(a: Any, b: Any) -> Any:
    pair = jnp.stack([a, b])
    return (pair / jnp.sum(pair, axis=0, keepdims=True))[0]


APPLY: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: jnp.add(a, b),
    "sub": lambda a, b: jnp.subtract(a, b),
    "mul": lambda a, b: jnp.multiply(a, b),
    "div": lambda a, b: jnp.divide(a, b),
    "max": lambda a, b: jnp.maximum(a, b),
    "neg": lambda a: jnp.negative(a),
    "exp": lambda a: jnp.exp(a),
    "log": lambda a: jnp.log(a),
    "sqrt": lambda a: jnp.sqrt(a),
    "tanh": lambda a: jnp.tanh(a),
    "logistic": lambda a: jax.lax.logistic(a),
    "sin": lambda a: jnp.sin(a),
    "cos": lambda a: jnp.cos(a),
    "atan": lambda a: jnp.arctan(a),
    "erf": lambda a: jax.lax.erf(a),
    "lgamma": lambda a: jax.lax.lgamma(a),
    "digamma": lambda a: jax.lax.digamma(a),
    "share": _share,
    "if": lambda p, q, a, b: jnp.where(p < q, a, b),
}
"""Operations of `rivalry.proofs.arithmetic.operations` in JAX, which is loaded when they are called."""


def sums_of(game: Game, at: Coordinates) -> Sums | None:
    """Return payoffs as functions of own choices and sums over the others; None if they have another form."""
    players = len(at.start)
    if len(set(at.player.tolist())) < max(PLAYERS, players) or at.start.shape[1] not in PIECES:
        return None
    middle = (at.low + at.high) / 2
    try:
        nodes, results = operations(lambda y: game.payoffs(at.profile(y)), middle, OPERATIONS)
    except (Unsupported, NotImplementedError):
        return None
    return _Reader(nodes, results, at.player.tolist()).sums()


class _Reader:
    """Reads sums over players from a list of operations."""

    def __init__(self, nodes: list[tuple[Any, ...]], results: list[int], player: list[int]) -> None:
        self.nodes, self.results = nodes, results
        self.players = len(results)
        self.of: list[frozenset[int]] = []  # players on whom an operation depends
        self.linear: list[Weights | None] = []  # it as a sum of operations of one player each
        for place, (name, *arguments) in enumerate(nodes):
            if name in ("x", "c"):
                owners = frozenset([player[arguments[0]]] if name == "x" else [])
            else:
                owners = frozenset().union(*(self.of[operand] for operand in arguments))
            self.of.append(owners)
            self.linear.append(
                self._terms(place, name, arguments) if len(owners) > 1 else {place: Fraction(1)}
            )

    def _terms(self, place: int, name: str, arguments: list[int]) -> Weights | None:
        parts = [self.linear[operand] for operand in arguments]
        if name in ("add", "sub", "neg") and None not in parts:
            signs = [-1] if name == "neg" else [1, -1 if name == "sub" else 1]
            combined: Weights = {}
            for sign, part in zip(signs, parts, strict=True):
                for term, factor in part.items():  # type: ignore[union-attr]
                    combined[term] = combined.get(term, Fraction(0)) + sign * factor
            return {term: factor for term, factor in combined.items() if factor}
        if name in ("mul", "div"):
            for k in (0, 1) if name == "mul" else (1,):
                number, factors = self._number(arguments[k]), parts[1 - k]
                if number and factors is not None:
                    return {
                        term: factor / number if name == "div" else factor * number
                        for term, factor in factors.items()
                    }
        return None

    def _number(self, place: int) -> Fraction | None:
        name, *arguments = self.nodes[place]
        return Fraction(arguments[0]) if name == "c" and np.isfinite(arguments[0]) else None

    def sums(self) -> Sums | None:
        """Return the sums, None if payoffs have another form, or more sums than are searched."""
        known_sums: list[dict[int, Weights]] = []  # [sum][player]: what it adds
        used: list[tuple[int, int, set[int]]] = []  # by whom, which sum, and of whom
        cuts = []
        for player, root in enumerate(self.results):
            player_cuts = self._cuts(known_sums, player, root)
            if player_cuts is None or len(known_sums) > SUMS:
                return None
            cuts.append(tuple(cut for cut, _ in player_cuts))
            used += [(player, cut.sum, rivals) for cut, rivals in player_cuts]
        # later players may have added to a sum what an earlier payoff does not have
        if not known_sums or any(
            known_sums[number].keys() - {contributor} != rivals for contributor, number, rivals in used
        ):
            return None
        try:
            terms = tuple(
                tuple(_exact(added.get(player, {})) for player in range(self.players)) for added in known_sums
            )
        except ValueError:
            return None
        return Sums(tuple(self.nodes), tuple(self.results), tuple(cuts), terms)

    def _cuts(self, known_sums: list[Any], player: int, root: int) -> list[tuple[OfOthers, set[int]]] | None:
        cuts, waiting, visited = [], [root], set[int]()
        while waiting:
            place = waiting.pop()
            if place in visited or self.of[place] <= {player}:
                continue
            visited.add(place)
            terms = self.linear[place]
            if terms is None:
                waiting += self.nodes[place][1:]
                continue
            rival_terms: dict[int, Weights] = {}
            for term, factor in terms.items():
                for rival in self.of[term] - {player}:
                    rival_terms.setdefault(rival, {})[term] = factor
            own_terms = {term: factor for term, factor in terms.items() if self.of[term] <= {player}}
            number, ratio = _matching_sum(known_sums, player, rival_terms)
            if number == len(known_sums):
                known_sums.append({})
            for rival, part in rival_terms.items():
                known_sums[number].setdefault(rival, {term: factor / ratio for term, factor in part.items()})
            try:
                cuts.append((OfOthers(place, _exact(own_terms), number, _float(ratio)), set(rival_terms)))
            except ValueError:
                return None
        return cuts


def _matching_sum(
    known_sums: list[dict[int, Weights]], player: int, rival_terms: dict[int, Weights]
) -> tuple[int, Fraction]:
    """Sum of which a part of a payoff is a multiple, and the multiple; a new sum if there is none."""
    for number, added in enumerate(known_sums):
        common = [rival for rival in rival_terms if rival in added]
        # whom the sum does not have yet is the one player that may be missing
        if not common or any(rival not in rival_terms for rival in added if rival != player):
            continue
        term = next(iter(added[common[0]]))
        if term not in rival_terms[common[0]]:
            continue
        ratio = rival_terms[common[0]][term] / added[common[0]][term]
        if all(rival_terms[rival] == {k: ratio * f for k, f in added[rival].items()} for rival in common):
            return number, ratio
    return len(known_sums), Fraction(1)


def _float(number: Fraction) -> float:
    """Return a fraction as the double that it is; `ValueError` for others."""
    value = float(number)
    if Fraction(value) != number:
        raise ValueError("no double")
    return value


def _exact(terms: Weights) -> tuple[Term, ...]:
    return tuple((_float(factor), place) for place, factor in sorted(terms.items()))


class _Totals(NamedTuple):
    low: Any  # [sum]
    high: Any
    rest_low: Any  # [sum player]: of all others
    rest_high: Any


def _totals(sums: Sums, at: Coordinates, low: Array, high: Array) -> _Totals:
    """Return bounds on the sums of choices in a box."""
    added = _added(sums, low, high)[0]
    total = intervals.total(added, (1,))
    off_diagonal = jnp.ones(2 * (len(sums.results),)) - jnp.eye(len(sums.results))
    rival_sum = intervals.contract(
        added, Interval(off_diagonal, off_diagonal, True), jnp.matmul, len(off_diagonal)
    )
    return _Totals(total.low, total.high, rival_sum.low, rival_sum.high)


def _added(sums: Sums, low: Array, high: Array) -> tuple[Interval, Interval, Any]:
    """Contributions of players ``[sum player]``, their derivatives, and a mask of known ones."""
    middle = jnp.clip(low / 2 + high / 2, low, high)
    traced = shifted(sums.added, middle)

    def value(y: Array) -> Array:
        return traced.call([], y)[0]

    def value_and_slopes(y: Array) -> tuple[Array, Array]:
        return value(y), jax.jacfwd(value)(y)

    (bounds, slope), decided = enclose(value_and_slopes, middle)(Interval(low, high))
    (centre_value,), _ = enclose(value, middle)(Interval(middle, middle))
    offset = intervals.subtract(Interval(low, high), Interval(middle, middle))
    linear = intervals.add(centre_value, intervals.contract(slope, offset, jnp.matmul, len(middle)))
    close = meet(bounds, linear)
    return (
        Interval(jnp.where(decided, close.low, bounds.low), jnp.where(decided, close.high, bounds.high)),
        slope,
        decided,
    )


_all_totals = over_rows(_totals)


class _Responses(NamedTuple):
    low: Any  # [coordinate]: choices that can be best; empty where low > high
    high: Any


class _Slopes(NamedTuple):
    """Derivatives of own payoffs, each in its coordinate, as functions of choices and the others' sums."""

    full: Callable[..., Any]  # slopes, their derivatives in choices of every axis and in every sum, payoffs
    slopes: Callable[..., Any]
    axis: ndarray  # [axis coordinate]: whether it is that of the coordinate
    same_player: ndarray  # [coordinate coordinate]


def _derivatives(sums: Sums, at: Coordinates, y: Array, rival_sums: Array) -> _Slopes:
    players = len(sums.results)
    of_axis = np.arange(at.start.shape[1])[:, None] == at.axis

    def joined(y: Array, rival_sums: Array) -> Array:
        return jnp.concatenate([y, rival_sums.ravel()])

    traced = shifted(
        lambda z: sums.payoffs(z[: len(y)], z[len(y) :].reshape(-1, players)), joined(y, rival_sums)
    )

    def pays(y: Array, rival_sums: Array) -> Array:
        return traced.call([], joined(y, rival_sums))[0]

    def along(function: Callable[..., Array], y: Array, rival_sums: Array) -> Array:
        # a payoff depends on own choices alone: those of all players on one axis move together
        rows = [jax.jvp(lambda z: function(z, rival_sums), (y,), (row,))[1] for row in of_axis.astype(float)]
        return jnp.stack(rows)

    def slopes(y: Array, rival_sums: Array) -> Array:
        return along(pays, y, rival_sums)[at.axis, at.player]

    def full(y: Array, rival_sums: Array) -> tuple[Array, Array, Array, Array]:
        shift = [
            jax.jvp(lambda z: slopes(y, z), (rival_sums,), (jnp.zeros_like(rival_sums).at[k].set(1.0),))[1]
            for k in range(len(rival_sums))
        ]
        return slopes(y, rival_sums), along(slopes, y, rival_sums), jnp.stack(shift), pays(y, rival_sums)

    return _Slopes(full, slopes, of_axis, at.player[:, None] == at.player)


def _responses(
    sums: Sums,
    at: Coordinates,
    low: Array,
    high: Array,
    total_low: Array,
    total_high: Array,
    rest_low: Array,
    rest_high: Array,
) -> _Responses:
    """Mask of own choices in a box that can satisfy the first-order conditions of their player.

    The others' sums are what the own part leaves of the totals, and what the others can add.
    """
    mid = jnp.clip(low / 2 + high / 2, low, high)
    total, rival_total = Interval(total_low, total_high), Interval(rest_low, rest_high)
    added, grows, certain = _added(sums, low, high)
    remainder = intervals.subtract(Interval(total.low[:, None], total.high[:, None]), added)
    rival_sums = meet(remainder, rival_total)
    empty = jnp.any(rival_sums.low > rival_sums.high, axis=0)  # [player]
    # any numbers where there are none
    rival_sums = Interval(
        jnp.where(empty, rival_total.low, rival_sums.low), jnp.where(empty, rival_total.high, rival_sums.high)
    )
    derivatives = _derivatives(sums, at, mid, rest_low)
    # slopes as functions of own choices and the others' sums
    centre = jnp.clip(rival_sums.low / 2 + rival_sums.high / 2, rival_sums.low, rival_sums.high)
    middle = Interval(centre, centre)
    moves = intervals.subtract(rival_sums, middle)
    moves = Interval(moves.low[:, at.player], moves.high[:, at.player])
    respond = partial(_response, at, derivatives, low, high)
    bounds = [respond(rival_sums, middle, moves, None, True)]
    # and of own choices and totals: the others' sums fall as the own part rises
    centre = jnp.clip(total.low / 2 + total.high / 2, total.low, total.high)
    middle = intervals.subtract(Interval(centre[:, None], centre[:, None]), _added(sums, mid, mid)[0])
    moves = intervals.subtract(total, Interval(centre, centre))
    moves = Interval(moves.low[:, None], moves.high[:, None])
    bounds.append(respond(remainder, middle, moves, grows, certain))
    response_low, response_high = low, high
    for good, slope, response, falls in bounds:
        response_low = jnp.where(good & (slope.low > 0), jnp.fmax(response_low, at.high), response_low)
        response_high = jnp.where(good & (slope.high < 0), jnp.fmin(response_high, at.low), response_high)
        response_low = jnp.where(
            good & falls, jnp.fmax(response_low, jnp.clip(response.low, at.low, at.high)), response_low
        )
        response_high = jnp.where(
            good & falls, jnp.fmin(response_high, jnp.clip(response.high, at.low, at.high)), response_high
        )
    # a choice that no coordinate of a player allows is none of the player
    is_empty = jnp.any(derivatives.same_player & (response_low > response_high), axis=1) | empty[at.player]
    return _Responses(
        jnp.where(is_empty, jnp.inf, response_low), jnp.where(is_empty, -jnp.inf, response_high)
    )


def _response(
    at: Coordinates,
    derivatives: _Slopes,
    low: Array,
    high: Array,
    rival_sums: Interval,
    middle: Interval,
    moves: Interval,
    grows: Interval | None,
    certain: Any,
) -> tuple[Any, Interval, Interval, Any]:
    """Mask of valid bounds, bounds on slopes, on best responses, and a mask of concave payoffs.

    ``others`` are sums of the others and ``middle`` those at the midpoint; by ``moves`` the second argument
    of slopes differs from there, ``[sum coordinate]``. With ``grows``, derivatives of what players add, it is
    the total.
    """
    mid, count = jnp.clip(low / 2 + high / 2, low, high), len(at.player)
    (slope, bend, shift, pays), decided = enclose(derivatives.full, mid, rival_sums.low)(
        intervals.with_neighbours(low, high), rival_sums
    )
    (change,), _ = enclose(derivatives.slopes, mid, rival_sums.low)(Interval(mid, mid), middle)
    products = intervals.multiply(shift, moves)
    for k in range(len(rival_sums.low)):
        change = intervals.add(change, Interval(products.low[k], products.high[k]))
    offset = intervals.subtract(Interval(low, high), Interval(mid, mid))
    linear, side, bends = change, change, []

    def masked(mask: Any, a: Interval) -> Interval:
        return Interval(jnp.where(mask, a.low, 0.0), jnp.where(mask, a.high, 0.0))

    def selection(mask: Any, low: Array, high: Array) -> Interval:  # of every row the only entry
        ends = [jnp.sum(jnp.where(mask, end, 0.0), axis=1) for end in (low, high)]
        return Interval(ends[0], ends[1])

    for axis, on_axis in enumerate(derivatives.axis):
        along = Interval(bend.low[axis], bend.high[axis])
        # [coordinate coordinate]: of which coordinate that axis of its player is
        at_axis = derivatives.same_player & on_axis
        for k in range(0 if grows is None else len(rival_sums.low)):
            assert grows is not None
            column = selection(at_axis, grows.low[k][at.player], grows.high[k][at.player])
            part = intervals.multiply(Interval(shift.low[k], shift.high[k]), column)
            along = intervals.subtract(along, part)
        bends.append(along)
        term = intervals.multiply(along, selection(at_axis, offset.low, offset.high))
        term = masked(at_axis.any(axis=1), term)
        linear, side = intervals.add(linear, term), intervals.add(side, masked(~on_axis, term))
    row = np.arange(count)
    diagonal = Interval(
        jnp.stack([bound.low for bound in bends])[at.axis, row],
        jnp.stack([bound.high for bound in bends])[at.axis, row],
    )
    response = intervals.subtract(Interval(mid, mid), intervals.divide(side, diagonal))
    good = decided & certain & ~jnp.any(jnp.isnan(pays.low))
    return good, meet(slope, linear), response, diagonal.high < 0


_all_responses = over_rows(_responses, effort=0)


def boxes_of_totals(
    sums: Sums, at: Coordinates, low: ndarray, high: ndarray, is_done: Callable[..., ndarray]
) -> tuple[ndarray, ndarray, int]:
    """Return boxes ``[box coordinate]`` that hold all first-order points of a box, and how many were split.

    ``is_done`` tells boxes in which nothing more is to be found.
    """
    span = at.high - at.low
    lows, highs = low[None], high[None]
    totals = _all_totals(sums, at, lows, highs, batch=BATCH)
    total_low, total_high = totals.low, totals.high
    if not np.all(np.isfinite(total_low) & np.isfinite(total_high)):
        return lows, highs, 0
    unit = np.maximum((total_high - total_low)[0], 1e-300)
    finished: list[tuple[ndarray, ndarray]] = []
    box_count = 0
    while len(lows) and box_count < BOXES:
        batch = [part[-BATCH:] for part in (lows, highs, total_low, total_high)]
        lows, highs, total_low, total_high = (part[:-BATCH] for part in (lows, highs, total_low, total_high))
        box_count += len(batch[0])
        a, b, s, t = _narrowed(sums, at, batch[0], batch[1], batch[2], batch[3], box_count)
        width = ((b - a) / span).max(axis=1, initial=0.0)
        wide = (t - s) / np.minimum(unit, 4 * np.maximum(np.abs(s), np.abs(t)))
        is_finished = is_done(a, b)
        end = ~is_finished & ((width < NARROW) | (wide.max(axis=1, initial=0.0) < 1e-6))
        finished += list(zip(a[end], b[end], strict=True))
        split = ~is_finished & ~end
        a, b, s, t = a[split], b[split], s[split], t[split]
        k, row = np.argmax(wide[split], axis=1), np.arange(len(a))
        lower_end, upper_start = t.copy(), s.copy()
        lower_end[row, k] = upper_start[row, k] = middle_of(s[row, k], t[row, k])
        lows, highs = np.concatenate([lows, a, a]), np.concatenate([highs, b, b])
        total_low, total_high = (
            np.concatenate([total_low, s, upper_start]),
            np.concatenate([total_high, lower_end, t]),
        )
    lows = np.concatenate([lows, np.reshape([a for a, _ in finished], (-1, len(span)))])
    highs = np.concatenate([highs, np.reshape([b for _, b in finished], (-1, len(span)))])
    return *_merged(lows, highs, span), box_count


def _merged(low: ndarray, high: ndarray, span: ndarray) -> tuple[ndarray, ndarray]:
    """Return boxes that hold the given ones, without pairs whose hull is smaller than both together.

    Boxes of different totals may hold the same choices, which need not be searched twice.
    """

    def size(low: ndarray, high: ndarray) -> ndarray:
        # choices at bounds have no width: the summand keeps the sizes of such boxes apart
        return np.prod((high - low) / span + 1e-6, axis=1)

    order = np.argsort(-size(low, high))
    a, b = low[:0], high[:0]
    for hull_low, hull_high in zip(low[order], high[order], strict=True):
        while len(a):
            hull = np.minimum(a, hull_low), np.maximum(b, hull_high)
            growth = size(*hull) - size(a, b) - size(hull_low[None], hull_high[None])
            k = int(np.argmin(growth))
            if growth[k] > 0:
                break
            hull_low, hull_high = hull[0][k], hull[1][k]
            a, b = np.delete(a, k, axis=0), np.delete(b, k, axis=0)
        a, b = np.concatenate([a, hull_low[None]]), np.concatenate([b, hull_high[None]])
    return a, b


def middle_of(low: ndarray, high: ndarray) -> ndarray:
    """Points at which totals are split: their geometric mean if they differ by orders of magnitude."""
    is_wide = (low > 0) & (high > 4 * low)
    return np.where(
        is_wide,
        np.sqrt(np.where(is_wide, low, 1.0)) * np.sqrt(np.where(is_wide, high, 1.0)),
        low / 2 + high / 2,
    )


def _narrowed(
    sums: Sums, at: Coordinates, low: Any, high: Any, total_low: Any, total_high: Any, past_boxes: int
) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Return the boxes of totals that may have a first-order point, with smaller boxes of choices."""
    span = at.high - at.low
    few_pieces, many_pieces = PIECES[at.start.shape[1]]
    pieces = few_pieces
    for _ in range(ROUNDS):
        before = ((high - low) / span).max(axis=1)
        narrowed = narrowed_once(sums, at, low, high, total_low, total_high, pieces, past_boxes)
        possible = np.all(narrowed[0] <= narrowed[1], axis=1) & np.all(narrowed[2] <= narrowed[3], axis=1)
        low, high, total_low, total_high = (part[possible] for part in narrowed)
        if not len(low):
            break
        width = ((high - low) / span).max(axis=1)
        if np.all(width > SHRINKS * before[possible]):
            if pieces == many_pieces or np.all(width < WIDE):
                break
            pieces = many_pieces
    return low, high, total_low, total_high


def narrowed_once(
    sums: Sums,
    at: Coordinates,
    low: ndarray,
    high: ndarray,
    total_low: ndarray,
    total_high: ndarray,
    pieces: int,
    past_boxes: int,
) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Return smaller boxes of totals and choices, with the same first-order points; empty without any.

    Totals are those to which the choices add up, and choices those that can be best for the totals.
    """
    axes = at.start.shape[1]
    totals = _all_totals(sums, at, low, high, batch=BATCH)
    total_low, total_high = np.fmax(total_low, totals.low), np.fmin(total_high, totals.high)
    arguments = [total_low, total_high, totals.rest_low, totals.rest_high]
    # the same pieces of all players at a time
    place = np.stack(np.unravel_index(np.arange(pieces**axes), (pieces,) * axes))[at.axis].T
    ends = low + (high - low) * np.linspace(0.0, 1.0, pieces + 1)[:, None, None]
    ends[-1] = high
    row, column = np.arange(len(low))[:, None, None], np.arange(len(at.axis))
    piece_low, piece_high = ends[place, row, column], ends[place + 1, row, column]  # [box piece coordinate]
    rows = [part.reshape(-1, len(at.axis)) for part in (piece_low, piece_high)]
    arguments = [np.repeat(part, pieces**axes, axis=0) for part in arguments]
    responses = _all_responses(sums, at, *rows, *arguments, batch=ROWS, past_rows=past_boxes * pieces**axes)
    low, high = (
        responses.low.reshape(piece_low.shape).min(axis=1),
        responses.high.reshape(piece_low.shape).max(axis=1),
    )
    return low, high, total_low, total_high


def totals_of(sums: Sums, at: Coordinates) -> tuple[ndarray, ndarray]:
    """Return bounds on the sums of all choices, ``[sum]``."""
    totals = _all_totals(sums, at, at.low[None], at.high[None], batch=BATCH)
    return np.asarray(totals.low)[0], np.asarray(totals.high)[0]


def slopes_of(
    sums: Sums, at: Coordinates, y: Array, low: Array, high: Array, totals: Array
) -> tuple[Array, Array]:
    """Return derivatives of own payoffs for choices and totals, and how these are apart, ``[coordinate]``.

    The others' sums are what totals leave them, but not more or less than they add at the ends of a box.
    """
    ends = jnp.stack([sums.added(low), sums.added(high)])
    lowest, highest = ends.min(axis=0), ends.max(axis=0)  # [sum player]
    lowest, highest = (jnp.sum(end, axis=1, keepdims=True) - end for end in (lowest, highest))
    remainder = totals[:, None] - sums.added(y)
    rival_sums = jnp.clip(remainder, lowest, highest)
    jacobian = jax.jacfwd(lambda z: sums.payoffs(z, rival_sums))(y)
    row = np.arange(len(at.player))
    return jacobian[at.player, row], jnp.max(jnp.abs(remainder - rival_sums), axis=0)[at.player]


class PayoffSum(NamedTuple):
    """Total of payoffs of choices between bounds: at most a number, or always the same."""

    largest: float
    constant: bool


def payoff_sum(payoffs: Callable[..., Any], low: ndarray, high: ndarray) -> PayoffSum:
    """Total of payoffs of choices between bounds.

    A largest sum is known for sums of multiples, not below zero, of shares a/(a + b), and infinite for
    others. Of shares whose denominators have the same terms, none of which is below zero, and whose
    numerators have different ones of these, the largest multiple is all that they can add up to. It is what
    they add up to if the multiples are the same and every term is in a numerator.
    """
    ends = list(zip(low.tolist(), high.tolist(), strict=True))
    tape = Operations(OPERATIONS_ADDED, ends)
    unknown = PayoffSum(inf, False)
    # without a quotient there is no share, and reading operations compiles small programs
    if all(equation.primitive.name != "div" for equation in operations_within(jax.make_jaxpr(payoffs)(low))):
        return unknown
    try:
        tape.nodes, results = operations(payoffs, low / 2 + high / 2, OPERATIONS_ADDED, ends)
    except (Unsupported, NotImplementedError):
        return unknown
    total, constant, shares = Fraction(0), True, defaultdict[Any, list[tuple[Counter[int], Fraction]]](list)
    for place, weight in _weights(tape, results).items():
        name, *arguments = tape.nodes[place]
        if name == "c" and isfinite(arguments[0]):
            total += weight * Fraction(arguments[0])
        elif name == "share" and weight > 0:
            numerator, rest_terms = (Counter(tape.terms(operand)) for operand in arguments)
            shares[frozenset((numerator + rest_terms).items())].append((numerator, weight))
        elif weight:
            return unknown
    for denominator, parts in shares.items():
        used = sum((numerator for numerator, _ in parts), Counter[int]())
        if not used <= Counter(dict(denominator)) or not all(
            tape.is_positive(term) for term, _ in denominator
        ):
            return unknown
        weights = {weight for _, weight in parts}
        constant = constant and used == Counter(dict(denominator)) and len(weights) == 1
        total += max(weights)
    return PayoffSum(nextafter(float(total), inf), constant)


def _weights(tape: Operations, results: Sequence[int]) -> Weights:
    """Return the operations of which a sum of operations is a sum of multiples."""
    weights = defaultdict[int, Fraction](Fraction)
    for result in results:
        weights[result] += 1
    for place in range(max(results), -1, -1):  # operands stand before
        name, *arguments = tape.nodes[place]
        weight, factor = weights[place], None
        if name in ("mul", "div") and tape.value(arguments[1]) not in (None, 0.0, inf, -inf):
            number = Fraction(tape.value(arguments[1]))  # type: ignore[arg-type]
            factor = number if name == "mul" else 1 / number
        if name in ("add", "sub", "neg") or factor is not None:
            del weights[place]
            weights[arguments[0]] += -weight if name == "neg" else weight * (factor or 1)
        if name in ("add", "sub"):
            weights[arguments[1]] += weight if name == "add" else -weight
    return weights
