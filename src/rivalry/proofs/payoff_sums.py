"""Games in which the others matter only through a sum over players, and where their equilibria can be.

In such a game the payoff of every player is a function of its own choices and of a sum of what each other
player adds to it, which depends on that player alone. For a given total the first-order
conditions of a player have its own choices alone, so boxes of totals are split in place of boxes of profiles:
to each belong choices that can be best for it, and totals that these choices do not add up to are discarded.

Whether a game is of this form is read from the operations of its payoffs
(`rivalry.proofs.arithmetic.operations`).
"""

from __future__ import annotations

import sys
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

Weights = dict[int, Fraction]
"""A weighted sum of operations: the factor of each, by its index in the list of operations."""
PlayerTerms = dict[int, Weights]
"""A sum over players: what each player contributes, as a weighted sum of operations of that player alone."""
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

Term = tuple[float, int]  # a factor, and the index of an operation


class RivalOperation(NamedTuple):
    """An operation of a payoff: own terms plus a factor times the rivals' contributions to a sum."""

    node: int  # its index
    own_terms: tuple[Term, ...]
    sum: int
    factor: float
    rivals: frozenset[int]  # that contribute


@dataclass(frozen=True)
class Sums:
    """Payoffs as functions of own choices and of sums over the others."""

    nodes: tuple[tuple[Any, ...], ...]  # see `rivalry.proofs.arithmetic.operations`
    results: tuple[int, ...]  # the index of every player's payoff
    rival_operations: tuple[tuple[RivalOperation, ...], ...]  # [player][operation]
    terms: tuple[tuple[tuple[Term, ...], ...], ...]  # contributions of players, [sum][player]

    def payoffs(self, y: Array, rival_sums: Array) -> Array:
        """Return payoffs ``[player]`` for choices ``[coordinate]`` and the others' sums ``[sum player]``."""
        pays = []
        for player, root in enumerate(self.results):
            values: dict[int, Any] = {}
            for operation in self.rival_operations[player]:
                own_sum = self._sum(values, y, operation.own_terms)
                values[operation.node] = own_sum + operation.factor * rival_sums[operation.sum, player]
            pays.append(self._value(values, y, root))
        return jnp.stack(pays)

    def added(self, y: Array) -> Array:
        """Contributions of players with choices ``y [coordinate]`` to the sums, ``[sum player]``."""
        return jnp.stack(
            [jnp.stack([self._sum({}, y, terms) for terms in sum_terms]) for sum_terms in self.terms]
        )

    def _sum(self, values: dict[int, Any], y: Array, terms: Iterable[Term]) -> Any:
        parts = []
        for factor, index in terms:
            value = self._value(values, y, index)
            parts.append(value if factor == 1.0 else factor * value)
        return sum(parts[1:], parts[0]) if parts else jnp.zeros(())

    def _value(self, values: dict[int, Any], y: Array, root: int) -> Any:
        """Return the result of the operation ``root``.

        ``values`` holds known results by the index of their operation; those on the way are added.
        """
        waiting = [root]
        while waiting:
            index = waiting[-1]
            name, *arguments = self.nodes[index]
            # the exponent of a power is read as a number
            operands = arguments[:1] if name == "power" else arguments
            if index in values:
                waiting.pop()
            elif name == "x":
                values[index] = y[arguments[0]]
            elif name == "c":
                values[index] = jnp.asarray(arguments[0], float)
            elif missing := [operand for operand in operands if operand not in values]:
                waiting += missing
            elif name == "power":
                values[index] = _raised(values[arguments[0]], self.nodes[arguments[1]][1])
            else:
                values[index] = in_jax(name)(*(values[operand] for operand in operands))
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
        self.owners: list[frozenset[int]] = []  # players on whose choices an operation depends
        self.linear: list[Weights | None] = []  # the operation as a sum of operations of one player each
        for index, (name, *arguments) in enumerate(nodes):
            if name == "x":
                owners = frozenset([player[arguments[0]]])
            elif name == "c":
                owners = frozenset[int]()
            else:
                owners = frozenset().union(*(self.owners[operand] for operand in arguments))
            self.owners.append(owners)
            self.linear.append(self._terms(name, arguments) if len(owners) > 1 else {index: Fraction(1)})

    def _terms(self, name: str, arguments: list[int]) -> Weights | None:
        """Return an operation of several players as a weighted sum; None if it is not linear."""
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

    def _number(self, index: int) -> Fraction | None:
        name, *arguments = self.nodes[index]
        return Fraction(arguments[0]) if name == "c" and np.isfinite(arguments[0]) else None

    def sums(self) -> Sums | None:
        """Return the sums; None if payoffs have another form, or more sums than are searched.

        Every payoff must depend on all rivals that contribute to its sum, and on no others.
        `_rival_operation` compares a payoff with the contributions that are known so far, and a later payoff
        may add a rival to the sum. So only the comparison with the final sums, after all payoffs are read,
        proves the form.
        """
        known_sums: list[PlayerTerms] = []
        operations = []
        try:
            for player in self.players:
                operations.append(tuple(self._rival_operations(known_sums, player)))
                if len(known_sums) > SUMS:
                    return None
            terms = []
            for contributions in known_sums:
                terms.append(tuple(_float_terms(contributions.get(player, {})) for player in self.players))
        except ValueError:  # a factor is not a float64
            return None
        for player, own_operations in enumerate(operations):
            for operation in own_operations:
                if known_sums[operation.sum].keys() - {player} != operation.rivals:
                    return None
        if not known_sums:
            return None
        return Sums(tuple(self.nodes), tuple(self.results), tuple(operations), tuple(terms))

    def _rival_operations(self, known_sums: list[PlayerTerms], player: int) -> Iterator[RivalOperation]:
        """Yield the linear operations by which rivals enter a payoff, the last first; new sums become known.

        An operation that is not linear is replaced by its operands.
        """
        waiting, visited = [self.results[player]], set[int]()
        while waiting:
            index = waiting.pop()
            if index in visited or self.owners[index] <= {player}:
                continue
            visited.add(index)
            terms = self.linear[index]
            if terms is None:
                waiting += self.nodes[index][1:]
            else:
                yield self._rival_operation(known_sums, player, index, terms)

    def _rival_operation(
        self, known_sums: list[PlayerTerms], player: int, index: int, terms: Weights
    ) -> RivalOperation:
        """Return a linear operation as own terms plus a multiple of a sum.

        The sum gets the contributions of rivals that it lacks; it is appended to ``known_sums`` if it is new.
        """
        own_terms: Weights = {}
        rival_terms = defaultdict[int, Weights](dict)
        for term, factor in terms.items():
            if self.owners[term] <= {player}:
                own_terms[term] = factor
            else:
                (rival,) = self.owners[term]  # terms of linear operations depend on one player
                rival_terms[rival][term] = factor
        number, ratio = _matching_sum(known_sums, player, rival_terms)
        if number == len(known_sums):
            known_sums.append({})
        for rival, part in rival_terms.items():
            known_sums[number].setdefault(rival, {term: factor / ratio for term, factor in part.items()})
        return RivalOperation(index, _float_terms(own_terms), number, _float64(ratio), frozenset(rival_terms))


def _matching_sum(
    known_sums: list[PlayerTerms], player: int, rival_terms: PlayerTerms
) -> tuple[int, Fraction]:
    """Return the number of the known sum of which rival terms are a multiple, and their ratio to it.

    ``rival_terms`` is the part of a payoff of ``player`` that depends on rivals. If no known sum fits, the
    number is that of a new one, and the ratio 1. A fit is a proposal: rivals that the sum lacks so far are
    not compared. It is sound only because `_Reader.sums` compares the rivals of every payoff with those of
    the final sums.
    """
    for number, contributions in enumerate(known_sums):
        ratio = _ratio(contributions, player, rival_terms)
        if ratio is not None:
            return number, ratio
    return len(known_sums), Fraction(1)


def _ratio(contributions: PlayerTerms, player: int, rival_terms: PlayerTerms) -> Fraction | None:
    """Return the ratio of rival terms to the contributions of the same rivals; None if it is not one number.

    What ``player`` itself contributes to the sum does not enter its payoff.
    """
    if not contributions.keys() - {player} <= rival_terms.keys():
        return None  # the payoff lacks a rival that contributes to the sum
    ratios = set[Fraction]()
    for rival in contributions.keys() & rival_terms.keys():
        contribution, terms = contributions[rival], rival_terms[rival]
        if contribution.keys() != terms.keys():
            return None
        ratios.update(terms[term] / contribution[term] for term in terms)
    return ratios.pop() if len(ratios) == 1 else None


def _float64(number: Fraction) -> float:
    """Return the float64 that equals a fraction; raise ``ValueError`` if none does."""
    # a fraction beyond the largest float64 has no value in it
    value = float(number) if abs(number) <= sys.float_info.max else 0.0
    if Fraction(value) != number:
        raise ValueError(f"{number} is not a float64")
    return value


def _float_terms(terms: Weights) -> tuple[Term, ...]:
    """Return the terms of a weighted sum by index; raise ``ValueError`` if a factor is not a float64."""
    return tuple((_float64(factor), index) for index, factor in sorted(terms.items()))


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


def _contributions_in(sums: Sums, low: ndarray, high: ndarray) -> _Contributions:
    middle, box = middle_of(low, high), Interval(low, high)
    in_box = enclosed(derivatives_of, (1, Sums.added, sums), box)
    (centre_value,) = enclosed(value_at, (Sums.added, sums), point(middle)).values
    bounds, slopes = in_box.values
    offset = intervals.subtract(box, point(middle))
    offsets = offset[:, None]
    close = meet(bounds, intervals.add(centre_value, weighted(slopes, offsets)))
    is_known = in_box.decided & in_box.finite
    return _Contributions(where(is_known[:, None, None], close, bounds.low, bounds.high), slopes, is_known)


class _Responses(NamedTuple):
    low: ndarray  # [box coordinate]: choices that can be best; empty where low > high
    high: ndarray


class _PayoffFunctions(NamedTuple):
    """Payoffs of choices ``[coordinate]`` and rival sums ``[sum player]``, and how to take derivatives."""

    payoffs: Callable[[Array, Array], Array]  # [player]
    marginal: Callable[[Array, Array], Array]  # derivatives of own payoffs, [coordinate]
    along_axes: Callable[..., Array]  # of a function and its arguments: derivatives [axis ..] in choices


def _payoff_functions(sums: Sums, at: Coordinates, y: Array, rival_sums: Array) -> _PayoffFunctions:
    """Return payoffs and their derivatives as functions, while JAX traces."""
    players, axes = len(sums.results), np.arange(at.start.shape[1])
    directions = (axes[:, None] == at.axis).astype(float)

    def joined(y: Array, rival_sums: Array) -> Array:
        return jnp.concatenate([y, rival_sums.ravel()])

    def payoffs_of_joined(z: Array) -> Array:
        return sums.payoffs(z[: len(y)], z[len(y) :].reshape(-1, players))

    traced = shifted(payoffs_of_joined, joined(y, rival_sums))

    def payoffs(y: Array, rival_sums: Array) -> Array:
        return traced(joined(y, rival_sums))[0]

    def along_axes(function: Callable[..., Array], y: Array, rival_sums: Array) -> Array:
        # for given rival sums a payoff depends on own choices alone: one direction serves all players
        derivatives = []
        for direction in directions:
            derivatives.append(jax.jvp(lambda z: function(z, rival_sums), (y,), (direction,))[1])
        return jnp.stack(derivatives)

    def marginal(y: Array, rival_sums: Array) -> Array:
        return along_axes(payoffs, y, rival_sums)[at.axis, at.player]

    return _PayoffFunctions(payoffs, marginal, along_axes)


def _marginal_payoffs(sums: Sums, at: Coordinates, y: Array, rival_sums: Array) -> Array:
    """Return derivatives of own payoffs, each in its coordinate, at choices and the others' sums."""
    return _payoff_functions(sums, at, y, rival_sums).marginal(y, rival_sums)


def _marginal_payoffs_and_derivatives(
    sums: Sums, at: Coordinates, y: Array, rival_sums: Array
) -> tuple[Array, ...]:
    """Return marginal payoffs, their derivatives in choices of every axis and in every sum, and payoffs."""
    payoffs, marginal, along_axes = _payoff_functions(sums, at, y, rival_sums)
    in_sums = []
    for k in range(len(rival_sums)):
        direction = jnp.zeros_like(rival_sums).at[k].set(1.0)
        in_sums.append(jax.jvp(lambda z: marginal(y, z), (rival_sums,), (direction,))[1])
    in_choices = along_axes(marginal, y, rival_sums)
    return marginal(y, rival_sums), in_choices, jnp.stack(in_sums), payoffs(y, rival_sums)


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
    """Return bounds on own choices in boxes that can satisfy the first-order conditions of their player.

    Rival sums are within two bounds: totals less own contributions, and what rivals can contribute. The ends
    of totals are ``[box sum]``. Those of what rivals can contribute, ``rest_low`` and ``rest_high``, are
    ``[box sum player]``.
    """
    total = Interval(total_low, total_high)
    rival_total = Interval(rest_low, rest_high)
    added = _contributions_in(sums, low, high)
    remainder = intervals.subtract(total[..., None], added.values)
    rival_sums = meet(remainder, rival_total)
    empty = np.any(rival_sums.low > rival_sums.high, axis=1)  # [box player]
    # no choice is left where rival sums are empty, so any numbers may stand there
    rival_sums = where(~empty[:, None], rival_sums, rival_total.low, rival_total.high)
    choices = Interval(low, high)
    for bounds in (
        _response_to_rival_sums(sums, at, low, high, rival_sums),
        _response_to_totals(sums, at, low, high, total, remainder, added),
    ):
        is_known, marginal, response = bounds.is_known[:, None], bounds.marginal, bounds.response
        # if a payoff rises throughout, only the upper bound of the range can be best; if it falls, the lower
        rises = is_known & (marginal.low > 0)
        falls = is_known & (marginal.high < 0)
        choices = Interval(
            np.where(rises, np.fmax(choices.low, at.high), choices.low),
            np.where(falls, np.fmin(choices.high, at.low), choices.high),
        )
        # the best choice of a concave payoff is its peak, or the bound of the range nearest to it
        best = Interval(np.clip(response.low, at.low, at.high), np.clip(response.high, at.low, at.high))
        choices = where(is_known & bounds.concave, meet(choices, best), choices.low, choices.high)
    # without a choice in one coordinate a player has none in its others
    same_player = at.player[:, None] == at.player
    no_choice = np.any(same_player & (choices.low > choices.high)[:, None], axis=2)
    no_choice |= empty[:, at.player]
    return _Responses(np.where(no_choice, np.inf, choices.low), np.where(no_choice, -np.inf, choices.high))


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

    is_known: ndarray  # [box]: whether they are bounds
    marginal: Interval
    response: Interval  # valid where the payoff is concave in the coordinate
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
    offset = intervals.subtract(Interval(low, high), midpoint)
    without_own = value
    for axis, coordinate in enumerate(_own_coordinates(at)):
        term = intervals.multiply(marginal.in_choices[:, axis], offset[:, coordinate])
        term = where(coordinate >= 0, term, 0.0, 0.0)  # a player without a choice on the axis has no term
        value = intervals.add(value, term)
        without_own = intervals.add(without_own, where(at.axis != axis, term, 0.0, 0.0))
    own_derivative = _entries(marginal.in_choices, slice(None), at.axis, np.arange(len(at.axis)))
    response = intervals.subtract(midpoint, intervals.divide(without_own, own_derivative))
    values = meet(marginal.values, value)
    return _OwnResponse(marginal.is_known, values, response, own_derivative.high < 0)


class BoxesOfTotals(NamedTuple):
    """Choices between ``low`` and ``high [box coordinate]`` that add up to totals ``[box sum]``."""

    low: ndarray
    high: ndarray
    total_low: ndarray
    total_high: ndarray

    def rows(self, index: Any) -> BoxesOfTotals:
        """Return some of the boxes."""
        return BoxesOfTotals(*(end[index] for end in self))

    def join(self, *boxes: BoxesOfTotals) -> BoxesOfTotals:
        """Return these boxes and further ones."""
        return BoxesOfTotals(*map(np.concatenate, zip(self, *boxes, strict=True)))

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
        waiting = waiting.join(*halves)
    boxes = waiting.join(*finished)
    return *_merged(boxes.low, boxes.high, span), box_count


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

    largest_first = np.argsort(-size(low, high))
    kept_low, kept_high = low[:0], high[:0]
    for box_low, box_high in zip(low[largest_first], high[largest_first], strict=True):
        # the box is replaced by its hull with a kept box as long as some hull is no larger than the two
        while len(kept_low):
            hull_low, hull_high = np.minimum(kept_low, box_low), np.maximum(kept_high, box_high)
            growth = size(hull_low, hull_high) - size(kept_low, kept_high)
            growth = growth - size(box_low[None], box_high[None])
            k = int(np.argmin(growth))
            if growth[k] > 0:
                break
            box_low, box_high = hull_low[k], hull_high[k]
            kept_low, kept_high = np.delete(kept_low, k, axis=0), np.delete(kept_high, k, axis=0)
        kept_low = np.concatenate([kept_low, box_low[None]])
        kept_high = np.concatenate([kept_high, box_high[None]])
    return kept_low, kept_high


def splitting_points(low: ndarray, high: ndarray) -> ndarray:
    """Points at which totals are split: their geometric mean if they differ by orders of magnitude."""
    is_wide = (low > 0) & (high > 4 * low)
    return np.where(
        is_wide,
        np.sqrt(np.where(is_wide, low, 1.0)) * np.sqrt(np.where(is_wide, high, 1.0)),
        low / 2 + high / 2,
    )


def _narrowed(sums: Sums, at: Coordinates, boxes: BoxesOfTotals) -> BoxesOfTotals:
    """Return the boxes that may have a first-order point, with smaller ranges of choices and totals.

    A round in which some box shrinks is repeated. If none does, choices are divided into more pieces; rounds
    end if that was tried already, or if all choices are narrow.
    """
    span = at.high - at.low
    few_pieces, many_pieces = PIECES[at.start.shape[1]]
    pieces = few_pieces
    for _ in range(ROUNDS):
        width_before = ((boxes.high - boxes.low) / span).max(axis=1)
        boxes = narrowed_once(sums, at, boxes, pieces)
        is_kept = ~boxes.is_empty
        boxes = boxes.rows(is_kept)
        if not len(boxes.low):
            break
        width = ((boxes.high - boxes.low) / span).max(axis=1)
        if not np.all(width > SHRINKS * width_before[is_kept]):
            continue
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
    return totals.low[0], totals.high[0]


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
    """Return a bound on the total of payoffs of choices between bounds ``[coordinate]``.

    The bound is finite for a constant plus weighted shares a/(a + b) with weights above zero, and infinite
    for other totals. Shares with the same terms in their denominators are a group. If no term is below zero
    and each is in one numerator at most, the shares of a group are at least 0 and sum to at most 1, so that
    the group adds at most its largest weight. It adds exactly that if its weights are equal and every term
    is in a numerator.
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
    # numerators and weights of shares, by the terms of the denominator
    shares = defaultdict[Any, list[tuple[Counter[int], Fraction]]](list)
    for index, weight in _weights(tape, results).items():
        name, *arguments = tape.nodes[index]
        if name == "c" and isfinite(arguments[0]):
            total += weight * Fraction(arguments[0])
        elif name == "share" and weight > 0:
            numerator, rest_terms = (Counter(tape.terms(operand)) for operand in arguments)
            shares[frozenset((numerator + rest_terms).items())].append((numerator, weight))
        elif weight:
            return unknown
    for denominator, parts in shares.items():
        terms = Counter(dict(denominator))
        used = sum((numerator for numerator, _ in parts), Counter[int]())
        if not used <= terms or not all(map(tape.is_positive, terms)):
            return unknown
        weights = {weight for _, weight in parts}
        constant = constant and used == terms and len(weights) == 1
        total += max(weights)
    return PayoffSum(nextafter(float(total), inf), constant)


def _weights(tape: Operations, results: Sequence[int]) -> Weights:
    """Return the sum of operations as a weighted sum of operations that are not linear."""
    weights = defaultdict[int, Fraction](Fraction)
    for result in results:
        weights[result] += 1
    # every operation comes after its operands
    for index in range(max(results), -1, -1):
        name, *arguments = tape.nodes[index]
        weight = weights[index]
        if name in SIGNS:
            del weights[index]
            for sign, operand in zip(SIGNS[name], arguments, strict=True):
                weights[operand] += sign * weight
        if name not in ("mul", "div"):
            continue
        number = tape.value(arguments[1])
        if number not in (None, 0.0, inf, -inf):
            del weights[index]
            factor = Fraction(number)
            weights[arguments[0]] += weight * factor if name == "mul" else weight / factor
    return weights
