"""Stability thresholds of the symmetric profile along one parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core import symmetric
from rivalry.core.game import Playable, arrays, measures
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import PAYOFFS
from rivalry.core.results import Record, indexed, scalar
from rivalry.core.roots import NoZeroError, zero
from rivalry.methods.continuation.parametrised_game import ParametrisedGame
from rivalry.runtime.jax import floats, put

EXACT = 1e-12  # tolerance of Brent's method, relative to the parameter
EQUAL = 1e-6  # of the largest eigenvalue: closer eigenvalues are the same
PART, TOGETHER = "players part", "all move together"
EIGENVALUES = ("split", "together", "curvature")  # complex arrays of a session

STARTS = 41  # starting points of Newton's method
LEAP = 0.05  # of the width: a root that moves by more, and by far more than before, is another root
UNEVEN = 20.0  # times the move before


class Sweep(NamedTuple):
    """A game at every value of its parameter."""

    family: ParametrisedGame
    values: ndarray  # [scan], rising
    players: int
    position: ndarray | None = None  # [axis]: given strategy of every player, if any


class Thresholds(BaseLearner):
    """Parameter values at which the symmetric rest point gains or loses stability, from ``low`` to ``high``.

    ``parameter`` is one of the game's arrays (one value applies to all entries), or in Python a function from
    a value to a game. The position is a root of the own gradient where all players have the same strategy.
    Newton's method finds it from several starts at the end of the range that has fewer roots (of several, the
    one nearest to the middle of the space) and follows it from value to value; ``position``, if given,
    replaces it. With ``start``, a profile, the scan begins at ``low`` with the root nearest to its mean.

    Where the largest real part of the eigenvalues changes its sign between adjacent values, Brent's method
    locates the crossing. Two crossings between the same two values are not detected. One step is a chunk of
    64 values.

    The record holds, at every value, ``scan_parameter``, ``scan_position`` (scan, axis),
    ``scan_eigenvalues_real``, ``scan_eigenvalues_imag`` (scan, eigenvalue), largest real part first, NaN
    where no root was found, ``scan_residual``, the largest entry of the gradient, and ``scan_stable``; for
    every crossing ``crossing``, the parameter's value, ``crossing_direction`` ("gains stability" or "loses
    stability" as the parameter rises), ``crossing_multiplicity`` (of the eigenvalue, or of the pair),
    ``crossing_complex``, ``crossing_moves`` ("players part" or "all move together") and ``crossing_position``
    (crossing, axis); ``scan_second_order``, where every player is at a strict local maximum of its own
    payoff, and the parameter's values at which that changes, ``second_order_crossing``, with
    ``second_order_holds`` (second_order), whether it is so above; the ranges of stability, ``window_low`` and
    ``window_high`` (window), infinite where they reach the end of the scan, ``window_tried`` (end);
    ``root_position`` (root, axis), all roots
    found at ``root_parameter``, where the scan began; ``jump_parameter`` (jump), where the scan continued
    from another root; ``parameter_name``, ``stable_everywhere``, and the game's own closed form
    ``threshold``, where it has one. A scan without a crossing is a valid result.

    Eigenvalues are those of the Jacobian's blocks (`symmetric`); a stable position is locally attracting and
    need not be an equilibrium, and an equilibrium need not be stable.

    Raises
    ------
    ValueError
        For players who are not exchangeable.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(players=3, resource="bimodal")
    >>> solution = rv.solve(game, Thresholds("reach", low=0.1, high=0.3))
    >>> solution.data.crossing.values.round(6).tolist(), str(solution.data.crossing_direction.values[0])
    ([0.188815], 'gains stability')
    """

    parameter: Annotated[str | Callable[[float], Any], "name of an array of the game"]
    low: Annotated[float, "lowest value"]
    high: Annotated[float, "the largest value"]
    points: Annotated[int, Ge(2), Le(1_000_000), "number of values"] = 201
    position: Annotated[
        float | list[float] | None, "a fixed symmetric position [axis], used at every value"
    ] = None

    def __check_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"low: {self.low:g} must be below high, {self.high:g}, both finite")

    needs = (PAYOFFS,)

    def world(self, game: Playable) -> Sweep:
        """Return the validated game at every parameter value."""
        players = game.space.shape[0]
        if players < 2:
            raise ValueError(f"players: {players} must be at least 2 for thresholds")
        parametrised = ParametrisedGame(game, self.parameter, self.low, self.high)
        # players may differ in the parameter itself, which is the same for all at every value
        family = ParametrisedGame(parametrised.at(self.low), self.parameter, self.low, self.high)
        _refuse_unlike(family)
        sweep = Sweep(family, np.linspace(self.low, self.high, self.points), players)
        if self.position is None:
            return sweep
        place = np.atleast_1d(floats(self.position))
        if place.shape != (game.space.shape[1],):
            raise ValueError(
                f"position: {np.size(place)} numbers; must be {game.space.shape[1]}, one per axis"
            )
        inside = game.space.check(np.broadcast_to(place, game.space.shape), "position")
        return sweep._replace(position=np.asarray(inside)[0])

    def begin(self, world: Sweep, stream: SeedSequence) -> Session:
        """Return an empty scan; nothing is random, and no root has been searched."""
        count, free = len(world.values), world.family.directions[0].shape[1]
        axes = world.family.space.shape[1]
        return {
            "roots": np.zeros((0, axes)),
            "near": np.full(axes, np.nan),  # start of the search for the first root
            "here": np.full(axes, np.nan),  # current root of the scan
            "from_high": np.zeros(1, bool),
            "done": np.array([0]),
            "place": np.full((count, axes), np.nan),
            **{name: np.full((count, free), np.nan + 0j) for name in EIGENVALUES},
            "residual": np.full(count, np.nan),
            "jumped": np.zeros(count, bool),
        }

    def begin_at(self, world: Sweep, stream: SeedSequence, start: object) -> Session:
        """Return a scan that begins at ``low``, with the root nearest to the mean of ``start``."""
        return self.begin(world, stream) | {"near": floats(start).mean(axis=0)}

    def pack(self, session: Session) -> dict[str, Any]:
        """Return the session's arrays; eigenvalues as pairs of real and imaginary parts."""
        # files hold no complex numbers
        return session | {name: session[name].view(float) for name in EIGENVALUES}

    def unpack(self, arrays: Mapping[str, ndarray]) -> Session:
        """Return the session that `pack` made arrays of."""
        return {**arrays, **{name: arrays[name].view(complex) for name in EIGENVALUES}}

    def advance(self, world: Sweep, session: Session, steps: int) -> int:
        """Run up to ``steps`` chunks of the scan."""
        if steps and not session["done"][0]:
            _first_root(world, session)
        chunks = 0
        while chunks < steps and int(session["done"][0]) < len(world.values):
            _advance_scan(world, session)
            chunks += 1
        return chunks

    def read(self, world: Sweep, session: Session) -> Record:
        """Return the scan so far, with located crossings."""
        is_complete = session["done"][0] == len(world.values)
        record: Record = {
            **indexed(
                parameter_name=world.family.name,
                status="converged" if is_complete else "iteration limit",
                root_parameter=world.values[-1 if session["from_high"][0] else 0],
            ),
            "root_position": (("root", "axis"), session["roots"]),
        }
        scan = _Scan.of(world, session)
        crossings = _crossings(world, scan)  # may detect further jumps
        return record | scan.record(world) | crossings | _closed_form(world, scan)


class _Scan(NamedTuple):
    """Results at every scanned value, in rising order."""

    values: ndarray
    place: ndarray  # [scan axis]
    split: ndarray  # [scan direction]
    together: ndarray
    curvature: ndarray
    residual: ndarray
    jumped: ndarray  # [scan]: the root changes discontinuously between the value before and this one

    @classmethod
    def of(cls, world: Sweep, session: Session) -> _Scan:
        count, way = int(session["done"][0]), _direction(session)
        stored = [np.array(session[name][:count][::way]) for name in cls._fields[1:]]
        scan = cls(np.array(world.values[::way][:count][::way]), *stored)
        if way < 0:  # a jump on the way down to a value lies above it
            scan.jumped[:] = np.append(False, scan.jumped[:-1])[:count]
        return scan

    def largest(self) -> ndarray:
        """Return the largest real part at every value; NaN where there is no root."""
        return np.concatenate([self.split, self.together], axis=1).real.max(axis=1)

    def largest_curvature(self) -> ndarray:
        """Return the largest second derivative of a player's own payoff; NaN where there is no root."""
        return np.asarray(self.curvature.real.max(axis=1))

    def sign_changes(self, heights: ndarray) -> Iterator[tuple[int, int]]:
        """Yield neighbouring scanned values on one root between which heights change their sign."""
        # a height of exactly 0 is no sign: the values on both sides show the crossing
        stays = np.flatnonzero(np.isfinite(heights) & (heights != 0))
        for before, after in pairwise(stays.tolist()):
            between = slice(before + 1, after + 1)
            is_broken = self.jumped[between].any() or np.isnan(heights[between]).any()
            if not is_broken and np.sign(heights[before]) != np.sign(heights[after]):
                yield before, after

    def record(self, world: Sweep) -> Record:
        """Return eigenvalues, residuals and stability at every value, and the jumps."""
        spectra = np.concatenate([np.repeat(self.split, world.players - 1, axis=1), self.together], axis=1)
        spectra = np.take_along_axis(spectra, np.lexsort((-spectra.imag, -spectra.real)), axis=1)
        stable = self.largest() < 0
        return {
            **indexed(
                "scan",
                scan_parameter=self.values,
                scan_residual=self.residual,
                scan_stable=stable,
                scan_second_order=self.largest_curvature() < 0,
            ),
            "scan_position": (("scan", "axis"), self.place),
            **indexed(
                "scan",
                "eigenvalue",
                scan_eigenvalues_real=spectra.real.copy(),
                scan_eigenvalues_imag=spectra.imag.copy(),
            ),
            "stable_everywhere": scalar(bool(stable.all())),
            "jump_parameter": (("jump",), self.values[self.jumped]),
        }


def _direction(session: Session) -> int:
    """Return 1 where the scan proceeds from the low end of the range, -1 from the high end."""
    return -1 if session["from_high"][0] else 1


class _Crossing(NamedTuple):
    """A sign change of the largest real part, with the eigenvalues that cross."""

    value: float
    gains: bool  # stability, as the parameter rises
    multiplicity: int
    complex: bool
    moves: str
    place: ndarray


class _LostRoot(Exception):
    """Between two values with a root there is one without."""


def _crossings(world: Sweep, scan: _Scan) -> Record:
    """Return every located sign change between neighbouring values, and the stability ranges between them."""
    crossings: list[_Crossing] = []
    for before, after in scan.sign_changes(scan.largest()):
        try:
            crossings.append(_locate_crossing(world, scan, before, after))
        except _LostRoot:
            scan.jumped[after] = True
    value, gains, counts, pairs, moves, positions = zip(*crossings, strict=True) if crossings else ((),) * 6
    words = ["gains stability" if gain else "loses stability" for gain in gains]
    crossing = ("crossing",)
    return {
        "crossing": (crossing, floats(value)),
        "crossing_direction": (crossing, np.asarray(words, "U15")),
        "crossing_multiplicity": (crossing, np.asarray(counts, int)),
        "crossing_complex": (crossing, np.asarray(pairs, bool)),
        "crossing_moves": (crossing, np.asarray(moves, "U17")),
        "crossing_position": (
            ("crossing", "axis"),
            np.reshape(positions, (len(crossings), scan.place.shape[1])),
        ),
        **_windows(scan, crossings),
        **_second_order(world, scan),
    }


def _second_order(world: Sweep, scan: _Scan) -> Record:
    """Return the values from which on the symmetric point is, or is not, a local maximum of all payoffs."""
    values, holds = [], []
    heights = scan.largest_curvature()
    for before, after in scan.sign_changes(heights):
        with suppress(_LostRoot):  # the crossings of stability mark such a jump
            values.append(_zero(world, scan, before, after, slice(2, None))[0])
            holds.append(heights[after] < 0)
    return indexed(
        "second_order", second_order_crossing=floats(values), second_order_holds=np.asarray(holds, bool)
    )


def _closed_form(world: Sweep, scan: _Scan) -> Record:
    """Return the game's own metric ``threshold``, if it is the same at both ends: one of this parameter."""
    places = scan.place[np.isfinite(scan.place).all(axis=1)]
    if not len(places):
        return {}
    x = put(np.broadcast_to(places[0], world.family.space.shape))
    low, high = (measures(world.family.at(end), x).get("threshold") for end in scan.values[[0, -1]].tolist())
    if low is None or high is None or low[0] or low[1] != high[1]:
        return {}
    return {"threshold": low}


def _windows(scan: _Scan, crossings: list[_Crossing]) -> Record:
    """Return ranges of consecutive stable values: up to a crossing, the end of the root, or infinite.

    Nothing is known beyond the scan: a range that reaches its end has no end there.
    """
    stable = scan.largest() < 0
    breaks = np.flatnonzero((stable[1:] != stable[:-1]) | scan.jumped[1:]) + 1
    windows = []
    for run in np.split(np.arange(len(stable)), breaks):
        if not len(run) or not stable[run[0]]:
            continue
        low, high = run[0], run[-1]
        before, after = max(low - 1, 0), min(high + 1, len(stable) - 1)
        ends = []
        for gains, last, beyond, edge in ((True, low, before, -np.inf), (False, high, after, np.inf)):
            inside, outside = scan.values[last], scan.values[beyond]
            located = [
                crossing.value
                for crossing in crossings
                if crossing.gains == gains and min(inside, outside) <= crossing.value <= max(inside, outside)
            ]
            # at the end of the scan nothing is known of what is beyond
            ends.append(([*located, edge] if last == beyond else [*located, inside])[0])
        windows.append(ends)
    lows, highs = np.reshape(windows, (len(windows), 2)).T
    return {
        **indexed("window", window_low=lows, window_high=highs),
        "window_tried": (("end",), scan.values[[0, -1]] if len(stable) else np.full(2, np.nan)),
    }


def _zero(
    world: Sweep, scan: _Scan, before: int, after: int, spectra: slice
) -> tuple[float, symmetric.SymmetricPositions]:
    """Return the root of the largest real part of some ``spectra`` between two values, by Brent's method."""

    def at(value: float) -> symmetric.SymmetricPositions:
        # Newton's method starts from the known root at the nearer end
        near = before if value - scan.values[before] <= scan.values[after] - value else after
        return _positions_at(world, [value], scan.place[near])

    def largest(value: float) -> float:
        positions = at(value)
        if not positions.root[0]:
            raise _LostRoot
        parts = symmetric.eigenvalues(positions, world.players)[spectra]
        return float(np.concatenate(parts, axis=1).real.max())

    ends = scan.values[before], scan.values[after]
    try:
        value = zero(largest, *ends, "crossing", within=EXACT * max(map(abs, ends)))
    except NoZeroError as error:
        raise _LostRoot from error
    return value, at(value)


def _locate_crossing(world: Sweep, scan: _Scan, before: int, after: int) -> _Crossing:
    """Return the crossing between two values of the scan."""
    value, positions = _zero(world, scan, before, after, slice(2))
    (split,), (together,), _ = symmetric.eigenvalues(positions, world.players)
    values = np.concatenate([split, together])
    leading = values[np.argmax(values.real)]
    size = EQUAL * np.max(np.abs(values))
    # both eigenvalues of a complex pair are found, and counted as one
    pair = np.array([leading, leading.conj()])
    counts = [int(np.sum(np.abs(part[:, None] - pair).min(axis=1) <= size)) for part in (split, together)]
    is_complex = bool(abs(leading.imag) > size)
    count = (counts[0] * (world.players - 1) + counts[1]) // (2 if is_complex else 1)
    gains = bool(scan.largest()[after] < 0)
    return _Crossing(value, gains, count, is_complex, PART if counts[0] else TOGETHER, positions.position[0])


def _refuse_unlike(family: ParametrisedGame) -> None:
    """Raise `ValueError` naming the first player who is not exchangeable with the first."""
    classes = family.exchange_classes()
    unlike = np.flatnonzero(classes != classes[0])
    if unlike.size:
        leaves = {name: np.asarray(leaf) for name, leaf in arrays(family.game).items()}
        by_player = {name: leaf for name, leaf in leaves.items() if leaf.shape[:1] == classes.shape}
        names = [name for name, leaf in by_player.items() if np.any(leaf != leaf[:1])]
        difference = f" ({', '.join(names)})" if names else ""
        raise ValueError(
            f"player {unlike[0]}: unlike player 0{difference}; thresholds need exchangeable players"
        )


def _first_root(world: Sweep, session: Session) -> None:
    """Set the start of the scan, in place: the given position, or a root at one end of the range."""
    name, ends = world.family.name, world.values[[0, -1]]
    if world.position is not None:
        session["roots"], session["here"] = world.position[None], world.position.copy()
        return
    near = session["near"]
    if np.isfinite(near).all():
        roots, at = _roots(world, ends[0], near), f"{ends[0]:g}"
    else:
        low, high = (_roots(world, value) for value in ends)
        session["from_high"][0] = len(high) > 0 and (len(low) == 0 or len(high) < len(low))
        roots, at = (high if session["from_high"][0] else low), f"{ends[0]:g} or {ends[1]:g}"
        near = np.asarray(world.family.space.grid(0, STARTS)).mean(axis=0)
    if not len(roots):
        rule = "no place where all together feel no gradient was found; give `position`, or another range"
        raise ValueError(f"{name}: {at}: {rule}")
    session["roots"], session["here"] = roots, _nearest(roots, near)


def _advance_scan(world: Sweep, session: Session) -> None:
    """Scan the next chunk of values, in place; if the root is lost, continue from the nearest root."""
    start = int(session["done"][0])
    values = world.values[:: _direction(session)][start : start + symmetric.CHUNK]
    positions = _positions_at(world, values.tolist(), session["here"])
    chunk = slice(start, start + len(positions.position))
    _store(world, session, chunk, positions)
    session["place"][chunk][~positions.root] = np.nan
    session["done"][0] = chunk.stop
    if not positions.root[-1]:
        _relocate(world, session, chunk.stop - 1, float(values[len(positions.position) - 1]))
    _mark_root_changes(world, session, chunk)
    if np.isfinite(session["place"][chunk.stop - 1]).all():
        session["here"][:] = session["place"][chunk.stop - 1]


def _store(world: Sweep, session: Session, chunk: slice, positions: symmetric.SymmetricPositions) -> None:
    """Write positions, their residuals and their eigenvalues to the values of a chunk."""
    for name, spectrum in zip(EIGENVALUES, symmetric.eigenvalues(positions, world.players), strict=True):
        session[name][chunk] = spectrum
    session["place"][chunk], session["residual"][chunk] = positions.position, positions.gradient


def _relocate(world: Sweep, session: Session, k: int, value: float) -> None:
    """Set the root at ``value`` that is nearest to the lost one, if there is any."""
    session["jumped"][k] = k > 0
    roots = _roots(world, value, session["here"])
    before = session["place"][k - 1] if k and np.isfinite(session["place"][k - 1]).all() else session["here"]
    if len(roots):
        positions = _positions_at(world, [value], _nearest(roots, before))
        _store(world, session, slice(k, k + 1), positions)


def _mark_root_changes(world: Sweep, session: Session, chunk: slice) -> None:
    """Mark values where the root is suddenly far from the last one: it is another root."""
    begin = max(chunk.start - 2, 0)
    steps = np.abs(np.diff(session["place"][begin : chunk.stop], axis=0))
    moves = np.max(steps / world.family.width[0], axis=1)
    usual = np.append(0.0, moves[:-1])
    rows = begin + 1 + np.flatnonzero((moves > LEAP) & (moves > UNEVEN * usual))
    session["jumped"][rows[rows >= chunk.start]] = True


def _positions_at(world: Sweep, values: list[float], place: ndarray) -> symmetric.SymmetricPositions:
    """Return the symmetric positions at each of ``values``, followed from ``place`` [axis] or fixed there."""
    games = [world.family.at(float(value)) for value in values]
    return symmetric.follow_root(games, world.family.directions[0], place, fixed=world.position is not None)


def _roots(world: Sweep, value: float, near: ndarray | None = None) -> ndarray:
    game = world.family.at(float(value))
    starts = symmetric.starts(game.space, STARTS)
    if near is not None:
        starts = np.concatenate([starts[:-1], near[None]])
    return symmetric.roots(game, world.family.directions[0], starts)


def _nearest(positions: ndarray, to: ndarray) -> ndarray:
    return positions[np.argmin(np.linalg.norm(positions - to, axis=1))]
