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
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from rivalry.proofs.spaces.boxes import split_ends
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


class RivalOperation(NamedTuple):
    """An operation of a payoff that is own terms plus a multiple of what rivals add to a sum."""

    place: int
    own_terms: tuple[Term, ...]
    sum: int
    factor: float
    rivals: frozenset[int]  # that add to the sum


@dataclass(frozen=True)
class Sums:
    """Payoffs as functions of own choices and of sums over the others."""

    nodes: tuple[tuple[Any, ...], ...]  # see `rivalry.proofs.arithmetic.operations`
    results: tuple[int, ...]  # the place of every player's payoff
    rival_operations: tuple[tuple[RivalOperation, ...], ...]  # [player][operation]
    terms: tuple[tuple[tuple[Term, ...], ...], ...]  # what players add, [sum][player]

    def payoffs(self, y: Array, rival_sums: Array) -> Array:
        """Return payoffs ``[player]`` for choices ``[coordinate]`` and the others' sums ``[sum player]``."""
        pays = []
        for player, root in enumerate(self.results):
            values: dict[int, Any] = {}
            for operation in self.rival_operations[player]:
                own_sum = self._sum(values, y, operation.own_terms)
                values[operation.place] = own_sum + operation.factor * rival_sums[operation.sum, player]
            pays.append(self._value(values, y, root))
        return jnp.stack(pays)

    def added(self, y: Array) -> Array:
        """Contributions of players with choices ``y [coordinate]`` to the sums, ``[sum player]``."""
        return jnp.stack(
            [jnp.stack([self._sum({}, y, terms) for terms in sum_terms]) for sum_terms in self.terms]
        )

    def _sum(self, values: dict[int, Any], y: Array, terms: Iterable[Term]) -> Any:
        parts = []
        for factor, place in terms:
            value = self._value(values, y, place)
            parts.append(value if factor == 1.0 else factor * value)
        return sum(parts[1:], parts[0]) if parts else jnp.zeros(())

    def _value(self, values: dict[int, Any], y: Array, root: int) -> Any:
        """Return the result of an operation; ``values`` holds known ones by place, and those on the way."""
        waiting = [root]
        while waiting:
            place = waiting[-1]
            name, *arguments = self.nodes[place]
            # the exponent of a power is read as a number
            operands = arguments[:1] if name == "power" else arguments
            if place in values:
                waiting.pop()
            elif name == "x":
                values[place] = y[arguments[0]]
            elif name == "c":
                values[place] = jnp.asarray(arguments[0], float)
            elif missing := [operand for operand in operands if operand not in values]:
                waiting += missing
            elif name == "power":
                values[place] = _raised(values[arguments[0]], self.nodes[arguments[1]][1])
            else:
                values[place] = in_jax(name)(*(values[operand] for operand in operands))
        return values[root]


def _raised(base: Any, exponent: float) -> Any:
    if exponent == int(exponent):
        exponent = int(exponent)
    return base**exponent


def _share(a: Any, b: Any) -> Any:
    pair = jnp.stack([a, b])
    return (pair / jnp.sum(pair, axis=0, keepdims=True))[0]


def in_jax(name: str) -> Callable[..., Any]:
    """Return an operation of `rivalry.proofs.arithmetic.operations` in JAX; most have a name of `jax.lax`."""
    if name == "share":
        return _share
    if name == "if":
        return lambda p, q, a, b: jnp.where(p < q, a, b)
    return getattr(jax.lax, name)


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


SIGNS = {"add": (1, 1), "sub": (1, -1), "neg": (-1,)}
"""Signs of the operands of linear operations."""


class _Reader:
    """Reads sums over players from a list of operations."""

    def __init__(self, nodes: list[tuple[Any, ...]], results: list[int], player: list[int]) -> None:
        self.nodes, self.results = nodes, results
        self.players = range(len(results))
        self.of: list[frozenset[int]] = []  # players on whom an operation depends
        self.linear: list[Weights | None] = []  # it as a sum of operations of one player each
        for place, (name, *arguments) in enumerate(nodes):
            if name == "x":
                owners = frozenset([player[arguments[0]]])
            elif name == "c":
                owners = frozenset[int]()
            else:
                owners = frozenset().union(*(self.of[operand] for operand in arguments))
            self.of.append(owners)
            self.linear.append(self._terms(name, arguments) if len(owners) > 1 else {place: Fraction(1)})

    def _terms(self, name: str, arguments: list[int]) -> Weights | None:
        """Return an operation of several players as a sum of multiples; None if it is not linear."""
        parts = [self.linear[operand] for operand in arguments]
        if name in SIGNS and None not in parts:
            combined = defaultdict[int, Fraction](Fraction)
            for sign, part in zip(SIGNS[name], parts, strict=True):
                for term, factor in part.items():  # type: ignore[union-attr]
                    combined[term] += sign * factor
            return {term: factor for term, factor in combined.items() if factor}
        if name not in ("mul", "div"):
            return None
        part, scale = parts[0], self._number(arguments[1])
        if name == "mul" and scale is None:
            part, scale = parts[1], self._number(arguments[0])
        if part is None or not scale:
            return None
        scale = 1 / scale if name == "div" else scale
        return {term: factor * scale for term, factor in part.items()}

    def _number(self, place: int) -> Fraction | None:
        name, *arguments = self.nodes[place]
        return Fraction(arguments[0]) if name == "c" and np.isfinite(arguments[0]) else None

    def sums(self) -> Sums | None:
        """Return the sums, None if payoffs have another form, or more sums than are searched."""
        known_sums: list[dict[int, Weights]] = []  # [sum][player]: what it adds
        operations = []
        try:
            for player in self.players:
                operations.append(tuple(self._rival_operations(known_sums, player)))
                if len(known_sums) > SUMS:
                    return None
            terms = tuple(
                tuple(_exact(added.get(player, {})) for player in self.players) for added in known_sums
            )
        except ValueError:  # a factor is no double
            return None
        for player, of_player in enumerate(operations):
            for operation in of_player:
                # a later player may have added to the sum what this payoff does not have
                if known_sums[operation.sum].keys() - {player} != operation.rivals:
                    return None
        return Sums(tuple(self.nodes), tuple(self.results), tuple(operations), terms) if known_sums else None

    def _rival_operations(
        self, known_sums: list[dict[int, Weights]], player: int
    ) -> Iterator[RivalOperation]:
        """Yield the linear operations by which rivals enter a payoff, the last first; new sums become known.

        Where an operation is not linear, its operands are looked at in its place.
        """
        waiting, visited = [self.results[player]], set[int]()
        while waiting:
            place = waiting.pop()
            if place in visited or self.of[place] <= {player}:
                continue
            visited.add(place)
            terms = self.linear[place]
            if terms is None:
                waiting += self.nodes[place][1:]
            else:
                yield self._rival_operation(known_sums, player, place, terms)

    def _rival_operation(
        self, known_sums: list[dict[int, Weights]], player: int, place: int, terms: Weights
    ) -> RivalOperation:
        """Return a linear operation as own terms plus a multiple of a sum, which may be new."""
        own_terms = {term: factor for term, factor in terms.items() if self.of[term] <= {player}}
        rival_terms = defaultdict[int, Weights](dict)
        for term, factor in terms.items():
            for rival in self.of[term] - {player}:  # one at most
                rival_terms[rival][term] = factor
        number, ratio = _matching_sum(known_sums, player, rival_terms)
        if number == len(known_sums):
            known_sums.append({})
        for rival, part in rival_terms.items():
            known_sums[number].setdefault(rival, {term: factor / ratio for term, factor in part.items()})
        return RivalOperation(place, _exact(own_terms), number, _float(ratio), frozenset(rival_terms))


def _matching_sum(
    known_sums: list[dict[int, Weights]], player: int, rival_terms: dict[int, Weights]
) -> tuple[int, Fraction]:
    """Return the sum of which a part of a payoff is a multiple, and the multiple; the next number if none is.

    What the player itself adds does not matter for its payoff.
    """
    for number, added in enumerate(known_sums):
        common = [rival for rival in rival_terms if rival in added]
        # whom the sum does not have yet is the one player that may be missing
        if not common or any(rival not in rival_terms for rival in added if rival != player):
            continue
        term = next(iter(added[common[0]]))
        if term not in rival_terms[common[0]]:
            continue
        ratio = rival_terms[common[0]][term] / added[common[0]][term]
        multiples = [{k: ratio * factor for k, factor in added[rival].items()} for rival in common]
        if multiples == [rival_terms[rival] for rival in common]:
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
    offsets = offset[:, None]
    close = meet(bounds, intervals.add(centre_value, weighted(slopes, offsets)))
    is_known = in_box.decided & in_box.finite
    return _Contributions(where(is_known[:, None, None], close, bounds.low, bounds.high), slopes, is_known)


class _Responses(NamedTuple):
    low: ndarray  # [box coordinate]: choices that can be best; empty where low > high
    high: ndarray


def _slope_function(sums: Sums, at: Coordinates, y: Array, rival_sums: Array) -> tuple[Any, Any, Any]:
    """Return payoffs, derivatives along every axis, and marginal payoffs as functions, while JAX traces."""
    players, axes = len(sums.results), np.arange(at.start.shape[1])
    rows = (axes[:, None] == at.axis).astype(float)

    def joined(y: Array, rival_sums: Array) -> Array:
        return jnp.concatenate([y, rival_sums.ravel()])

    def payoffs(z: Array) -> Array:
        return sums.payoffs(z[: len(y)], z[len(y) :].reshape(-1, players))

    traced = shifted(payoffs, joined(y, rival_sums))

    def pays(y: Array, rival_sums: Array) -> Array:
        return traced(joined(y, rival_sums))[0]

    def along(function: Callable[..., Array], y: Array, rival_sums: Array) -> Array:
        # a payoff depends on own choices alone: those of all players on one axis move together
        return jnp.stack([jax.jvp(lambda z: function(z, rival_sums), (y,), (row,))[1] for row in rows])

    def slopes(y: Array, rival_sums: Array) -> Array:
        return along(pays, y, rival_sums)[at.axis, at.player]

    return pays, along, slopes


def _marginal_payoffs(sums: Sums, at: Coordinates, y: Array, rival_sums: Array) -> Array:
    """Return derivatives of own payoffs, each in its coordinate, at choices and the others' sums."""
    return _slope_function(sums, at, y, rival_sums)[2](y, rival_sums)


def _marginal_payoffs_and_derivatives(
    sums: Sums, at: Coordinates, y: Array, rival_sums: Array
) -> tuple[Array, ...]:
    """Return marginal payoffs, their derivatives in choices of every axis and in every sum, and payoffs."""
    pays, along, slopes = _slope_function(sums, at, y, rival_sums)
    in_sums = [
        jax.jvp(lambda z: slopes(y, z), (rival_sums,), (jnp.zeros_like(rival_sums).at[k].set(1.0),))[1]
        for k in range(len(rival_sums))
    ]
    return slopes(y, rival_sums), along(slopes, y, rival_sums), jnp.stack(in_sums), pays(y, rival_sums)


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
    total, rival_total = Interval(total_low, total_high), Interval(rest_low, rest_high)
    added = _contributions_in(sums, low, high)
    remainder = intervals.subtract(total[..., None], added.values)
    rival_sums = meet(remainder, rival_total)
    empty = np.any(rival_sums.low > rival_sums.high, axis=1)  # [box player]
    # any numbers where there are none
    rival_sums = where(~empty[:, None], rival_sums, rival_total.low, rival_total.high)
    choices = Interval(low, high)
    for good, slope, response, concave in (
        _response_to_rival_sums(sums, at, low, high, rival_sums),
        _response_to_totals(sums, at, low, high, total, remainder, added),
    ):
        # of a payoff that rises throughout only the upper bound can be best, and the lower one if it falls
        rising, falling = good[:, None] & (slope.low > 0), good[:, None] & (slope.high < 0)
        choices = Interval(
            np.where(rising, np.fmax(choices.low, at.high), choices.low),
            np.where(falling, np.fmin(choices.high, at.low), choices.high),
        )
        # of a concave payoff the peak is best, or the bound next to it
        best = Interval(np.clip(response.low, at.low, at.high), np.clip(response.high, at.low, at.high))
        choices = where(good[:, None] & concave, meet(choices, best), choices.low, choices.high)
    # a choice that no coordinate of a player allows is none of the player
    same_player = at.player[:, None] == at.player
    none = np.any(same_player & (choices.low > choices.high)[:, None], axis=2) | empty[:, at.player]
    return _Responses(np.where(none, np.inf, choices.low), np.where(none, -np.inf, choices.high))


def _entries(a: Interval, *index: Any) -> Interval:
    """Return the entries at an index, of which only the ends are known."""
    return Interval(a.low[index], a.high[index])


class _MarginalPayoffs(NamedTuple):
    """Bounds on derivatives of payoffs in own coordinates, and on derivatives of these, in boxes."""

    values: Interval  # [box coordinate]
    in_choices: Interval  # [box axis coordinate]: along the own axes
    in_sums: Interval  # [box sum coordinate]
    is_known: ndarray  # [box]: whether they are bounds


def _marginal_payoffs_in(
    sums: Sums, at: Coordinates, low: ndarray, high: ndarray, rival_sums: Interval
) -> _MarginalPayoffs:
    """Return bounds for choices in boxes and all sums of the others."""
    box = intervals.with_neighbours(low, high)
    bounds = enclosed(_marginal_payoffs_and_derivatives, (sums, at), box, rival_sums)
    values, in_choices, in_sums, payoff = bounds.values
    is_known = bounds.decided & bounds.finite & ~np.any(np.isnan(payoff.low), axis=1)
    return _MarginalPayoffs(values, _entries(in_choices), in_sums, is_known)


class _OwnResponse(NamedTuple):
    """Bounds on marginal payoffs and best responses, ``[box coordinate]``."""

    good: ndarray  # [box]: whether they are bounds
    slope: Interval
    response: Interval  # of a payoff that is concave in the coordinate
    concave: ndarray


def _response_to_rival_sums(
    sums: Sums, at: Coordinates, low: ndarray, high: ndarray, rival_sums: Interval
) -> _OwnResponse:
    """Return bounds for choices in boxes and all sums ``[box sum player]`` of the others."""
    middle = point(middle_of(rival_sums.low, rival_sums.high))
    change = intervals.subtract(rival_sums, middle)[:, :, at.player]
    marginal = _marginal_payoffs_in(sums, at, low, high, rival_sums)
    return _own_response(sums, at, low, high, marginal, middle, change)


def _response_to_totals(
    sums: Sums,
    at: Coordinates,
    low: ndarray,
    high: ndarray,
    total: Interval,
    rival_sums: Interval,
    added: _Contributions,
) -> _OwnResponse:
    """Return bounds for choices in boxes and all totals ``[box sum]``.

    The others' sums are totals ``T`` less what the player adds, ``a(y)``. By the chain rule marginal payoffs
    ``g(y, T - a(y))`` change along an own axis by the derivative of ``g`` in ``y`` less its derivative in the
    sums times that of ``a``.
    """
    mid, centre = middle_of(low, high), point(middle_of(total.low, total.high))
    middle = intervals.subtract(centre[..., None], _contributions_in(sums, mid, mid).values)
    marginal = _marginal_payoffs_in(sums, at, low, high, rival_sums)
    in_choices, coordinate = marginal.in_choices, _own_coordinates(at)
    for k in range(len(sums.terms)):
        effect_on_sum = _entries(added.slopes, slice(None), k, at.player, coordinate)  # [box axis coordinate]
        effect_of_sum = _entries(marginal.in_sums, slice(None), k, None)
        in_choices = intervals.subtract(in_choices, intervals.multiply(effect_of_sum, effect_on_sum))
    marginal = marginal._replace(in_choices=in_choices, is_known=marginal.is_known & added.is_known)
    change = intervals.subtract(total, centre)[..., None]
    return _own_response(sums, at, low, high, marginal, middle, change)


def _own_coordinates(at: Coordinates) -> ndarray:
    """Return the coordinates of the same player on every axis, ``[axis coordinate]``; -1 for none."""
    place = np.full(at.start.shape, -1)
    place[at.place] = np.arange(len(at.player))
    return place[at.player].T


def _own_response(
    sums: Sums,
    at: Coordinates,
    low: ndarray,
    high: ndarray,
    marginal: _MarginalPayoffs,
    middle: Interval,
    change: Interval,
) -> _OwnResponse:
    """Return bounds in mean-value form: ``g(y, S) = g(m, s) + A (y - m) + B (S - s)`` at midpoints ``m``.

    ``A`` and ``B`` are between the bounds on derivatives. Where ``g`` is zero, the own choice is ``m`` less
    the other terms divided by the own entry of ``A`` (Newton's method).

    Parameters
    ----------
    middle : Interval
        The others' sums ``s`` at the midpoints, ``[box sum player]``.
    change : Interval
        Bounds on ``S - s``, where ``S`` may be the totals, ``[box sum coordinate]``.
    """
    midpoint = point(middle_of(low, high))
    (value,) = enclosed(_marginal_payoffs, (sums, at), midpoint, middle).values
    changes = intervals.multiply(marginal.in_sums, change)
    for k in range(len(sums.terms)):
        value = intervals.add(value, _entries(changes, slice(None), k))
    offset, without_own = intervals.subtract(Interval(low, high), midpoint), value
    for axis, coordinate in enumerate(_own_coordinates(at)):
        term = intervals.multiply(marginal.in_choices[:, axis], offset[:, coordinate])
        term = where(coordinate >= 0, term, 0.0, 0.0)  # of a player without a choice on the axis none
        value = intervals.add(value, term)
        without_own = intervals.add(without_own, where(at.axis != axis, term, 0.0, 0.0))
    own_derivative = _entries(marginal.in_choices, slice(None), at.axis, np.arange(len(at.axis)))
    response = intervals.subtract(midpoint, intervals.divide(without_own, own_derivative))
    slope = meet(marginal.values, value)
    return _OwnResponse(marginal.is_known, slope, response, own_derivative.high < 0)


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
    range_of_totals = np.maximum((totals.high - totals.low)[0], 1e-300)
    finished = [waiting.rows(slice(0, 0))]
    box_count = 0
    while len(waiting.low) and box_count < BOXES:
        batch, waiting = waiting.rows(slice(-BATCH, None)), waiting.rows(slice(None, -BATCH))
        box_count += len(batch.low)
        batch = _narrowed(sums, at, batch)
        batch = batch.rows(~is_done(batch.low, batch.high))
        width = ((batch.high - batch.low) / span).max(axis=1, initial=0.0)
        sizes = np.maximum(np.abs(batch.total_low), np.abs(batch.total_high))
        # relative to the range, or to the totals where these are far smaller
        widths = (batch.total_high - batch.total_low) / np.minimum(range_of_totals, 4 * sizes)
        is_narrow = (width < NARROW) | (widths.max(axis=1, initial=0.0) < 1e-6)
        finished.append(batch.rows(is_narrow))
        halves = _halves(batch.rows(~is_narrow), np.argmax(widths[~is_narrow], axis=1))
        waiting = BoxesOfTotals(*map(np.concatenate, zip(waiting, *halves, strict=True)))
    low = np.concatenate([boxes.low for boxes in (waiting, *finished)])
    high = np.concatenate([boxes.high for boxes in (waiting, *finished)])
    return *_merged(low, high, span), box_count


def _halves(boxes: BoxesOfTotals, number: ndarray) -> tuple[BoxesOfTotals, BoxesOfTotals]:
    """Return boxes split in the total of one sum, whose ``number [box]`` is given."""
    low, high, entries = boxes.total_low, boxes.total_high, (np.arange(len(number)), number)
    points = splitting_points(low[entries], high[entries])
    lower_end, upper_start = split_ends(low, high, entries, points)
    return boxes._replace(total_high=lower_end), boxes._replace(total_low=upper_start)


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
    # own payoffs depend on own choices alone: the same pieces of all players at a time, [piece coordinate]
    edge = np.indices((pieces,) * axes).reshape(axes, -1)[at.axis].T
    box, coordinate = np.arange(len(boxes.low))[:, None, None], np.arange(count)
    low, high = edges[edge, box, coordinate], edges[edge + 1, box, coordinate]  # [box piece coordinate]
    of_boxes = (total_low, total_high, totals.rest_low, totals.rest_high)
    of_pieces = [np.repeat(end, pieces**axes, axis=0) for end in of_boxes]
    respond = partial(_responses, sums, at)
    responses = in_batches(respond, ROWS, low.reshape(-1, count), high.reshape(-1, count), *of_pieces)
    smallest = responses.low.reshape(low.shape).min(axis=1)
    largest = responses.high.reshape(low.shape).max(axis=1)
    return BoxesOfTotals(smallest, largest, total_low, total_high)


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
    """Return what payoffs of choices between bounds add up to.

    A largest sum is known for sums of multiples, not below zero, of shares a/(a + b), and infinite for
    others. Of shares whose denominators have the same terms, none of which is below zero, and whose
    numerators have different ones of these, the largest multiple is all that they can add up to. It is what
    they add up to if the multiples are the same and every term is in a numerator.
    """
    unknown = PayoffSum(inf, False)
    # without a quotient there is no share, and reading operations compiles small programs
    if all(equation.primitive.name != "div" for equation in operations_within(jax.make_jaxpr(payoffs)(low))):
        return unknown
    ends = list(zip(low.tolist(), high.tolist(), strict=True))
    tape = Operations(OPERATIONS_ADDED, ends)
    try:
        tape.nodes, results = operations(payoffs, low / 2 + high / 2, OPERATIONS_ADDED, ends)
    except (Unsupported, NotImplementedError):
        return unknown
    total, constant = Fraction(0), True
    # numerators and multiples of shares, by the terms of the denominator
    shares = defaultdict[Any, list[tuple[Counter[int], Fraction]]](list)
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
    """Return the sum of operations as a sum of multiples of operations that are not linear."""
    weights = defaultdict[int, Fraction](Fraction)
    for result in results:
        weights[result] += 1
    for place in range(max(results), -1, -1):  # operands stand before
        name, *arguments = tape.nodes[place]
        weight = weights[place]
        if name in SIGNS:
            del weights[place]
            for sign, operand in zip(SIGNS[name], arguments, strict=True):
                weights[operand] += sign * weight
        if name not in ("mul", "div"):
            continue
        number = tape.value(arguments[1])
        if number not in (None, 0.0, inf, -inf):
            del weights[place]
            factor = Fraction(number)
            weights[arguments[0]] += weight * factor if name == "mul" else weight / factor
    return weights
