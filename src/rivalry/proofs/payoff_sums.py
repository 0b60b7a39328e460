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
from rivalry.proofs.arithmetic.enclosure import enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.operations import Operations, operations
from rivalry.proofs.arithmetic.programs import operations_within
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.payoff_ranges import at as value_at
from rivalry.proofs.payoff_ranges import derivatives as derivatives_of
from rivalry.proofs.payoff_ranges import meet, middle_of, point, weighted, where
from rivalry.proofs.spaces.coordinates import Coordinates, in_batches
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
    """Payoffs as functions of own choices and of sums over the others."""

    nodes: tuple[tuple[Any, ...], ...]  # see `rivalry.proofs.arithmetic.operations`
    results: tuple[int, ...]  # the place of every player's payoff
    cuts: tuple[tuple[OfOthers, ...], ...]  # [player][operation]
    terms: tuple[tuple[tuple[Term, ...], ...], ...]  # what players add, [sum][player]

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
    low: ndarray  # [box sum]
    high: ndarray
    rest_low: ndarray  # [box sum player]: of all others
    rest_high: ndarray


def _totals(sums: Sums, low: ndarray, high: ndarray) -> _Totals:
    """Return bounds on the sums of choices in boxes ``[box coordinate]``."""
    added = _contributions_in(sums, low, high).values
    total = intervals.total(added, (2,))
    off_diagonal = np.ones(2 * (len(sums.results),)) - np.eye(len(sums.results))
    rival_sum = intervals.contract(
        added, Interval(off_diagonal, off_diagonal, True), np.matmul, len(off_diagonal)
    )
    return _Totals(total.low, total.high, rival_sum.low, rival_sum.high)


def _all_totals(sums: Sums, low: ndarray, high: ndarray) -> _Totals:
    return in_batches(partial(_totals, sums), BATCH, low, high)


class _Contributions(NamedTuple):
    """Contributions of players ``[box sum player]``, their derivatives, and a mask of known ones."""

    values: Interval
    slopes: Interval  # [box sum player coordinate]
    is_known: ndarray  # [box]


def _contributions(sums: Sums, y: Any) -> Any:
    return sums.added(y)


def _contributions_in(sums: Sums, low: ndarray, high: ndarray) -> _Contributions:
    middle, box = middle_of(low, high), Interval(low, high)
    in_box = enclosed(derivatives_of, (1, _contributions, sums), box)
    (centre_value,) = enclosed(value_at, (_contributions, sums), point(middle)).values
    bounds, slopes = in_box.values
    offset = intervals.subtract(box, point(middle))
    offsets = offset.at_ends(lambda end: end[:, None])
    close = meet(bounds, intervals.add(centre_value, weighted(slopes, offsets)))
    is_known = in_box.decided & in_box.finite
    return _Contributions(where(is_known[:, None, None], close, bounds.low, bounds.high), slopes, is_known)


class _Responses(NamedTuple):
    low: ndarray  # [box coordinate]: choices that can be best; empty where low > high
    high: ndarray


def _of_axis(at: Coordinates) -> ndarray:
    """Return whether an axis is that of a coordinate, ``[axis coordinate]``."""
    return np.arange(at.start.shape[1])[:, None] == at.axis


def _slope_function(sums: Sums, at: Coordinates, y: Array, rival_sums: Array) -> tuple[Any, Any, Any]:
    """Return payoffs, derivatives along every axis, and slopes as functions, while JAX traces."""
    players, rows = len(sums.results), _of_axis(at).astype(float)

    def joined(y: Array, rival_sums: Array) -> Array:
        return jnp.concatenate([y, rival_sums.ravel()])

    traced = shifted(
        lambda z: sums.payoffs(z[: len(y)], z[len(y) :].reshape(-1, players)), joined(y, rival_sums)
    )

    def pays(y: Array, rival_sums: Array) -> Array:
        return traced(joined(y, rival_sums))[0]

    def along(function: Callable[..., Array], y: Array, rival_sums: Array) -> Array:
        # a payoff depends on own choices alone: those of all players on one axis move together
        return jnp.stack([jax.jvp(lambda z: function(z, rival_sums), (y,), (row,))[1] for row in rows])

    def slopes(y: Array, rival_sums: Array) -> Array:
        return along(pays, y, rival_sums)[at.axis, at.player]

    return pays, along, slopes


def _slopes_of_sums(sums: Sums, at: Coordinates, y: Array, rival_sums: Array) -> Array:
    """Return derivatives of own payoffs, each in its coordinate, at choices and the others' sums."""
    return _slope_function(sums, at, y, rival_sums)[2](y, rival_sums)


def _slopes_and_bends(sums: Sums, at: Coordinates, y: Array, rival_sums: Array) -> tuple[Array, ...]:
    """Return slopes, their derivatives in choices of every axis and in every sum, and payoffs."""
    pays, along, slopes = _slope_function(sums, at, y, rival_sums)
    shift = [
        jax.jvp(lambda z: slopes(y, z), (rival_sums,), (jnp.zeros_like(rival_sums).at[k].set(1.0),))[1]
        for k in range(len(rival_sums))
    ]
    return slopes(y, rival_sums), along(slopes, y, rival_sums), jnp.stack(shift), pays(y, rival_sums)


def _responses(
    sums: Sums,
    at: Coordinates,
    low: ndarray,
    high: ndarray,
    total_low: ndarray,
    total_high: ndarray,
    rest_low: ndarray,
    rest_high: ndarray,
) -> _Responses:
    """Return own choices in boxes that can satisfy the first-order conditions of their player.

    The others' sums are what the own part leaves of the totals, and what the others can add.
    """
    mid = middle_of(low, high)
    total, rival_total = Interval(total_low, total_high), Interval(rest_low, rest_high)
    added = _contributions_in(sums, low, high)
    remainder = intervals.subtract(_over_players(total), added.values)
    rival_sums = meet(remainder, rival_total)
    empty = np.any(rival_sums.low > rival_sums.high, axis=1)  # [box player]
    # any numbers where there are none
    rival_sums = where(~empty[:, None], rival_sums, rival_total.low, rival_total.high)
    # slopes as functions of own choices and the others' sums
    middle = point(middle_of(rival_sums.low, rival_sums.high))
    moves = intervals.subtract(rival_sums, middle)
    moves = moves.at_ends(lambda end: end[:, :, at.player])
    respond = partial(_response, sums, at, low, high)
    bounds = [respond(rival_sums, middle, moves, None)]
    # and of own choices and totals: the others' sums fall as the own part rises
    centre = point(middle_of(total.low, total.high))
    middle = intervals.subtract(_over_players(centre), _contributions_in(sums, mid, mid).values)
    moves = _over_players(intervals.subtract(total, centre))
    bounds.append(respond(remainder, middle, moves, added))
    responses = Interval(low, high)
    for good, slope, response, concave in bounds:
        rising, falling = good[:, None] & (slope.low > 0), good[:, None] & (slope.high < 0)
        best = Interval(np.clip(response.low, at.low, at.high), np.clip(response.high, at.low, at.high))
        responses = Interval(
            np.where(rising, np.fmax(responses.low, at.high), responses.low),
            np.where(falling, np.fmin(responses.high, at.low), responses.high),
        )
        responses = where(good[:, None] & concave, meet(responses, best), responses.low, responses.high)
    # a choice that no coordinate of a player allows is none of the player
    same_player = at.player[:, None] == at.player
    none = np.any(same_player & (responses.low > responses.high)[:, None], axis=2) | empty[:, at.player]
    return _Responses(np.where(none, np.inf, responses.low), np.where(none, -np.inf, responses.high))


def _over_players(total: Interval) -> Interval:
    """Return totals ``[box sum]`` with an axis for players."""
    return total.at_ends(lambda end: end[..., None])


class _OwnResponse(NamedTuple):
    """Bounds on own slopes and best responses, ``[box coordinate]``."""

    good: ndarray  # [box]: whether they are bounds
    slope: Interval
    response: Interval  # of a payoff that is concave in the coordinate
    concave: ndarray


def _response(
    sums: Sums,
    at: Coordinates,
    low: ndarray,
    high: ndarray,
    rival_sums: Interval,
    middle: Interval,
    moves: Interval,
    added: _Contributions | None,
) -> _OwnResponse:
    """Return bounds on slopes and best responses to the others' sums.

    The others add up to ``rival_sums`` and, at the midpoint, to ``middle``; by ``moves`` the second argument
    of slopes differs from there, ``[box sum coordinate]``. With ``added``, what players add, it is the total.
    """
    mid, count, of_axis = middle_of(low, high), len(at.player), _of_axis(at)
    same_player = at.player[:, None] == at.player
    in_box = enclosed(_slopes_and_bends, (sums, at), intervals.with_neighbours(low, high), rival_sums)
    slope, bend, shift, pays = in_box.values
    (change,) = enclosed(_slopes_of_sums, (sums, at), point(mid), middle).values
    products = intervals.multiply(shift, moves)
    for k in range(shift.shape[1]):
        change = intervals.add(change, Interval(products.low[:, k], products.high[:, k]))
    offset = intervals.subtract(Interval(low, high), point(mid))
    linear, side, bends = change, change, []

    def selection(mask: ndarray, a: Interval) -> Interval:  # of every row the only entry
        return a.at_ends(lambda end: np.sum(np.where(mask, end, 0.0), axis=2))

    offsets = offset.at_ends(lambda end: end[:, None])
    for axis, on_axis in enumerate(of_axis):
        along = Interval(bend.low[:, axis], bend.high[:, axis])
        # [coordinate coordinate]: of which coordinate that axis of its player is
        at_axis = same_player & on_axis
        for k in range(0 if added is None else shift.shape[1]):
            assert added is not None
            grows = added.slopes
            effects_on_sum = Interval(grows.low[:, k][:, at.player], grows.high[:, k][:, at.player])
            effect = Interval(shift.low[:, k], shift.high[:, k])
            along = intervals.subtract(along, intervals.multiply(effect, selection(at_axis, effects_on_sum)))
        bends.append(along)
        term = intervals.multiply(along, selection(at_axis, offsets))
        term = where(at_axis.any(axis=1), term, 0.0, 0.0)
        linear, side = intervals.add(linear, term), intervals.add(side, where(~on_axis, term, 0.0, 0.0))
    row = np.arange(count)
    diagonal = Interval(
        np.stack([bound.low for bound in bends], axis=1)[:, at.axis, row],
        np.stack([bound.high for bound in bends], axis=1)[:, at.axis, row],
    )
    response = intervals.subtract(point(mid), intervals.divide(side, diagonal))
    good = in_box.decided & in_box.finite & ~np.any(np.isnan(pays.low), axis=1)
    good = good if added is None else good & added.is_known
    return _OwnResponse(good, meet(slope, linear), response, diagonal.high < 0)


class BoxesOfTotals(NamedTuple):
    """Choices between ``low`` and ``high [box coordinate]`` that add up to totals ``[box sum]``."""

    low: ndarray
    high: ndarray
    total_low: ndarray
    total_high: ndarray

    def rows(self, index: Any) -> BoxesOfTotals:
        """Return some of the boxes."""
        return BoxesOfTotals(*(end[index] for end in self))

    @property
    def is_empty(self) -> ndarray:
        """Mask ``[box]`` of boxes without any choices or totals."""
        no_choice = np.any(self.low > self.high, axis=-1)
        return np.asarray(no_choice | np.any(self.total_low > self.total_high, axis=-1))


def boxes_of_totals(
    sums: Sums, at: Coordinates, low: ndarray, high: ndarray, is_done: Callable[..., ndarray]
) -> tuple[ndarray, ndarray, int]:
    """Return boxes ``[box coordinate]`` that hold all first-order points of a box, and how many were split.

    ``is_done`` tells boxes in which nothing more is to be found.
    """
    span = at.high - at.low
    totals = _all_totals(sums, low[None], high[None])
    waiting = BoxesOfTotals(low[None], high[None], totals.low, totals.high)
    if not np.all(np.isfinite(totals.low) & np.isfinite(totals.high)):
        return waiting.low, waiting.high, 0
    unit = np.maximum((totals.high - totals.low)[0], 1e-300)
    finished = [waiting.rows(slice(0, 0))]
    box_count = 0
    while len(waiting.low) and box_count < BOXES:
        batch, waiting = waiting.rows(slice(-BATCH, None)), waiting.rows(slice(None, -BATCH))
        box_count += len(batch.low)
        batch = _narrowed(sums, at, batch)
        batch = batch.rows(~is_done(batch.low, batch.high))
        width = ((batch.high - batch.low) / span).max(axis=1, initial=0.0)
        sizes = np.maximum(np.abs(batch.total_low), np.abs(batch.total_high))
        wide = (batch.total_high - batch.total_low) / np.minimum(unit, 4 * sizes)
        is_narrow = (width < NARROW) | (wide.max(axis=1, initial=0.0) < 1e-6)
        finished.append(batch.rows(is_narrow))
        batch, widest = batch.rows(~is_narrow), np.argmax(wide[~is_narrow], axis=1)
        cut = np.arange(len(widest)), widest
        lower_end, upper_start = batch.total_high.copy(), batch.total_low.copy()
        lower_end[cut] = upper_start[cut] = splitting_points(batch.total_low[cut], batch.total_high[cut])
        parts = (waiting, batch._replace(total_high=lower_end), batch._replace(total_low=upper_start))
        waiting = BoxesOfTotals(*map(np.concatenate, zip(*parts, strict=True)))
    low = np.concatenate([boxes.low for boxes in (waiting, *finished)])
    high = np.concatenate([boxes.high for boxes in (waiting, *finished)])
    return *_merged(low, high, span), box_count


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


def splitting_points(low: ndarray, high: ndarray) -> ndarray:
    """Points at which totals are split: their geometric mean if they differ by orders of magnitude."""
    is_wide = (low > 0) & (high > 4 * low)
    return np.where(
        is_wide,
        np.sqrt(np.where(is_wide, low, 1.0)) * np.sqrt(np.where(is_wide, high, 1.0)),
        low / 2 + high / 2,
    )


def _narrowed(sums: Sums, at: Coordinates, boxes: BoxesOfTotals) -> BoxesOfTotals:
    """Return the boxes that may have a first-order point, with smaller ranges of choices and totals."""
    span = at.high - at.low
    few_pieces, many_pieces = PIECES[at.start.shape[1]]
    pieces = few_pieces
    for _ in range(ROUNDS):
        before = ((boxes.high - boxes.low) / span).max(axis=1)
        boxes = narrowed_once(sums, at, boxes, pieces)
        possible = ~boxes.is_empty
        boxes = boxes.rows(possible)
        if not len(boxes.low):
            break
        width = ((boxes.high - boxes.low) / span).max(axis=1)
        if np.all(width > SHRINKS * before[possible]):
            if pieces == many_pieces or np.all(width < WIDE):
                break
            pieces = many_pieces
    return boxes


def narrowed_once(sums: Sums, at: Coordinates, boxes: BoxesOfTotals, pieces: int) -> BoxesOfTotals:
    """Return smaller boxes with the same first-order points; empty without any.

    Choices are divided into so many ``pieces`` per axis. Totals are those to which the choices add up, and
    choices those that can be best for the totals.
    """
    axes, count = at.start.shape[1], len(at.axis)
    totals = _all_totals(sums, boxes.low, boxes.high)
    total_low = np.fmax(boxes.total_low, totals.low)
    total_high = np.fmin(boxes.total_high, totals.high)
    shares = np.linspace(0.0, 1.0, pieces + 1)[:, None, None]
    edges = boxes.low + (boxes.high - boxes.low) * shares  # [edge box coordinate]
    edges[-1] = boxes.high
    # the same pieces of all players at a time: [piece coordinate], by their numbers along an axis
    piece = np.stack(np.unravel_index(np.arange(pieces**axes), (pieces,) * axes))[at.axis].T
    box, coordinate = np.arange(len(boxes.low))[:, None, None], np.arange(count)
    low, high = edges[piece, box, coordinate], edges[piece + 1, box, coordinate]  # [box piece coordinate]
    of_boxes = (total_low, total_high, totals.rest_low, totals.rest_high)
    of_pieces = [np.repeat(end, pieces**axes, axis=0) for end in of_boxes]
    respond = partial(_responses, sums, at)
    responses = in_batches(respond, ROWS, low.reshape(-1, count), high.reshape(-1, count), *of_pieces)
    low, high = responses.low.reshape(low.shape).min(axis=1), responses.high.reshape(low.shape).max(axis=1)
    return BoxesOfTotals(low, high, total_low, total_high)


def totals_of(sums: Sums, at: Coordinates) -> tuple[ndarray, ndarray]:
    """Return bounds on the sums of all choices, ``[sum]``."""
    totals = _all_totals(sums, at.low[None], at.high[None])
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
