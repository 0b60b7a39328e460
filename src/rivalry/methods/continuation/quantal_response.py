"""The principal branch of logit equilibria of a finite game, from uniform play on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Gt, Le, Lt
from numpy import ndarray

from rivalry.core.array_games import stateless_tables
from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record, indexed, scalar
from rivalry.core.tolerances import LISTED_REGRET
from rivalry.methods.continuation.events import REAL, cuts, locate
from rivalry.methods.continuation.groups import TOGETHER, GroupSpectrum
from rivalry.methods.continuation.pseudo_arclength import Evaluation, at_value, step, tangent, zero_between
from rivalry.methods.finite.mixed_equilibria import normalise, refine
from rivalry.methods.finite.pure_equilibria import expected_over

GROWING, RANGE, LOST = 0, 1, 2
FOLD, CROSSING, UNRESOLVED = 0, 1, 2  # kinds of events
SAME_EVENT = 1e-7  # relative: an eigenvalue of multiplicity m crosses m times
FIRST, SHORTEST = 0.2, 1e-6  # first and shortest step, as parts of the longest
POINTS = 10_000  # most points
USUAL = 500.0  # last lambda, times the range of payoffs
LARGE_ODDS = 5.0  # log odds beyond which steps are proportional to them
MARGINAL = 1e-9  # real parts of eigenvalues within this of zero have no sign
UNPLAYED = 1e-6  # probabilities below this are zero in the limit, if that is an equilibrium
LIMIT_WITHIN = 0.1  # largest difference of a probability between the last point and the limit


class QuantalResponse(BaseLearner):
    """Logit (quantal response) equilibria of a finite game, from uniform play up to ``max_lambda``.

    Every player chooses an action with probability proportional to ``exp(lambda u)``, where ``u`` is the
    action's expected payoff against the others (McKelvey and Palfrey 1995). With ``max_lambda`` or ``counts``
    all players have one lambda per unit of payoff. Without, payoffs are first divided by each player's range,
    so that units change nothing; where ranges differ, this is another branch. At ``lambda = 0`` uniform play
    is the only solution. The branch that begins there, the principal branch, is followed by pseudo-arclength
    continuation in log odds and ``lambda``, through folds, for any number of players. Where another branch
    crosses it, as in symmetric games, the method goes straight on and reports the point.

    ``step`` bounds the steps in log odds, times the payoffs' range for ``lambda``; beyond log odds of 5 it
    grows in proportion. One step of the loop is one point.

    The record has, by point (``row``), ``player_lambda`` (player), ``logit_lambda``, which is that of the
    player of widest range, ``logit_profile``, ``logit_payoff``, ``logit_regret`` (exact, in the game itself),
    ``logit_residual`` (the largest difference between a probability and its logit response) and
    ``logit_stable`` (under the dynamic ``x' = response(x) - x``); ``fold_lambda`` and ``crossing_lambda``,
    where the branch turns back and where it meets others, and ``unresolved_lambda``, after which one of the
    two was seen and not located. The profile is the last point, certified in the game itself. ``limit`` is
    the Nash equilibrium found by Newton's method on the support of the last point, with ``limit_regret`` and
    ``limit_distance``, the largest difference of a probability; NaN where none is near, and the status is
    then ``completed``. That the branch converges to it is not proved. With ``counts`` (player, action) of
    observed play, ``fitted_lambda`` is the precision of greatest likelihood on the branch up to
    ``max_lambda``, or inf where the likelihood rises to its end, with ``fitted_profile`` and
    ``log_likelihood`` there.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("stag_hunt"), QuantalResponse(max_lambda=20.0))
    >>> solution.data.limit.values.tolist(), solution.status
    ([[0.0, 1.0], [0.0, 1.0]], 'converged')

    References
    ----------
    McKelvey and Palfrey, Games and Economic Behavior 10, 1995; Turocy, Games and Economic Behavior 51, 2005.
    """

    max_lambda: Annotated[
        float | None,
        Gt(0),
        Lt(np.inf),
        "last precision of all players' choices, per unit of payoff (default: 500 over each player's range)",
    ] = None
    step: Annotated[float, Gt(0), Le(1), "longest step while log odds are below 5"] = 0.1
    counts: Annotated[
        list[list[float]] | None, "observed plays [player][action], to which lambda is fitted"
    ] = None

    def concepts(self) -> tuple[str, ...]:
        return ("logit",)

    def length(self, world: object) -> int:
        return POINTS

    def expected_steps(self, world: object) -> int:
        """Return 0: the number of points is not known in advance."""
        return 0

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        """Return a session with uniform play as its only point; nothing is random."""
        system = self._system(world)
        if not system.unknowns:
            raise ValueError("game: no player has two actions; there is nothing to choose")
        if self.counts is not None:
            lengths = tuple(len(row) for row in self.counts)
            if lengths != system.sizes or any(not 0 <= n < np.inf for row in self.counts for n in row):
                rule = "must be numbers from 0 on, one per action of every player"
                raise ValueError(f"counts: {lengths} numbers for players with {system.sizes} actions; {rule}")
        y = np.zeros(system.unknowns + 1)
        along = tangent(system.evaluate(y), np.eye(len(y))[-1])
        return {
            "points": y[None],
            "tangents": along[None],
            "events": np.zeros((0, 2)),  # lambda, and the kind
            "length": np.array([FIRST * self.step]),
            "ending": np.array([GROWING]),
        }

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Add up to ``steps`` points."""
        system = self._system(world)
        points_added = 0
        while points_added < steps and session["ending"][0] == GROWING:
            self._extend(system, session)
            points_added += 1
        return points_added

    def _system(self, world: object) -> LogitSystem:
        """The equations; precisions are per range of each player where there is no unit of payoffs."""
        return LogitSystem(
            stateless_tables(world), common=self.max_lambda is not None or self.counts is not None
        )

    def _extend(self, system: LogitSystem, session: Session) -> None:
        """Add the next point, with the events before it, or the ending."""
        y, along = session["points"][-1], session["tangents"][-1]
        longest = self.step * max(1.0, float(np.max(np.abs(y))) / LARGE_ODDS)
        length = min(float(session["length"][0]), longest)
        point, session["length"][0] = step(system, y, along, length, SHORTEST * longest, longest)
        end = USUAL if self.max_lambda is None else self.max_lambda * system.scale
        if point is not None and point.y[-1] >= end:
            part = (end - y[-1]) / (point.y[-1] - y[-1])
            point = at_value(system, y + part * (point.y - y), end)
            session["ending"][0] = RANGE
        if point is None:
            session["ending"][0] = LOST
            return
        ahead = tangent(point.at, along)
        for value, kind in _events(system, y, point.y, turns=bool(along[-1] * ahead[-1] < 0)):
            event, events = np.array([value / system.scale, kind]), session["events"]
            if not np.any(np.all(np.abs(events - event) <= SAME_EVENT * abs(event), axis=1)):
                session["events"] = np.concatenate([events, event[None]])
        session["points"] = np.concatenate([session["points"], point.y[None]])
        session["tangents"] = np.concatenate([session["tangents"], ahead[None]])

    def read(self, world: object, session: Session) -> Record:
        system = self._system(world)
        points = [system.describe(y) for y in session["points"]]
        stable, profile, payoff, regret, residual = (np.array(part) for part in zip(*points, strict=True))
        ending, events = int(session["ending"][0]), session["events"]
        end_profile = profile[-1]
        limit = _limit(system, end_profile)
        is_open = np.any(events[:, 1] == UNRESOLVED) or np.any(np.isnan(limit["limit"][1]))
        status = ("iteration limit", "completed" if is_open else "converged", "not found")[ending]
        return {
            "profile": (("player", "axis"), end_profile),
            "status": scalar(status),
            "concept": scalar(self.concepts()[0]),
            "concept_residual": ((), residual[-1]),
            **indexed(
                "row",
                logit_lambda=session["points"][:, -1] / system.scale,
                logit_residual=residual,
                logit_stable=stable,
            ),
            **indexed(
                "row",
                "player",
                player_lambda=session["points"][:, -1:] / system.scales,
                logit_payoff=payoff,
                logit_regret=regret,
            ),
            "logit_profile": (("row", "player", "axis"), profile),
            "fold_lambda": (("fold",), events[events[:, 1] == FOLD, 0]),
            "crossing_lambda": (("crossing",), events[events[:, 1] == CROSSING, 0]),
            "unresolved_lambda": (("unresolved",), events[events[:, 1] == UNRESOLVED, 0]),
            **(limit),
            **({} if self.counts is None else _fit(system, session, self.counts)),
        }


class LogitPoint(NamedTuple):
    """A point of the branch: stability, profile [player action], payoffs, regrets and the residual."""

    stable: bool
    profile: ndarray
    payoff: ndarray
    regret: ndarray
    residual: float


class LogitSystem:
    """Equations of logit equilibrium in log odds against each player's first action.

    ``y`` holds the log odds of all other actions, player-major, and ``lambda`` times the widest payoff range,
    or times each player's range where lambda is not ``common``. Log odds have no bounds, and resolve
    probabilities of any size.
    """

    def __init__(self, tables: ndarray, *, common: bool = True) -> None:
        flat = tables.reshape(len(tables), -1)
        ranges = np.ptp(flat, axis=1)
        self.scale = float(ranges.max()) or 1.0
        self.scales = np.where((ranges > 0) & (not common), ranges, self.scale)
        # a constant would leave fewer digits of the differences that decide choices
        self.constant = flat.min(axis=1)
        self.sizes = tables.shape[1:]
        self.tables = np.reshape((flat - self.constant[:, None]) / self.scales[:, None], tables.shape)
        ends = np.cumsum([0, *(size - 1 for size in self.sizes)])
        self.slices = [slice(*pair) for pair in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
        self.unknowns = int(ends[-1])

    def profile(self, y: ndarray) -> ndarray:
        """Return the probabilities [player action], padded with zeros."""
        x = np.zeros((len(self.sizes), max(self.sizes)))
        for row, size, entries in zip(x, self.sizes, self.slices, strict=True):
            row[:size] = _softmax(np.append(0.0, y[entries]))
        return x

    def action_payoffs(self, x: ndarray) -> list[ndarray]:
        """Return the payoff of every action against the others, one array per player."""
        return [expected_over(table, x, (player,)) for player, table in enumerate(self.tables)]

    def evaluate(self, y: ndarray, *, slope: bool = True) -> Evaluation:
        """Return log odds minus ``lambda`` times payoff differences, and the derivative."""
        x, value = self.profile(y), y[:-1].copy()
        derivative = np.zeros((self.unknowns, self.unknowns + 1))
        derivative[:, :-1] = np.eye(self.unknowns)
        for player, (entries, pays) in enumerate(zip(self.slices, self.action_payoffs(x), strict=True)):
            derivative[entries, -1] = pays[0] - pays[1:]
            value[entries] += y[-1] * derivative[entries, -1]
            for opponent, (size, block) in enumerate(zip(self.sizes, self.slices, strict=True)):
                if opponent == player:
                    continue
                pair = expected_over(self.tables[player], x, (player, opponent))
                pair = pair if player < opponent else pair.T  # [own action, other's action]
                p = x[opponent, :size]
                moves = (np.diag(p) - np.outer(p, p))[:, 1:]  # of probabilities with log odds
                derivative[entries, block] = -y[-1] * (pair[1:] - pair[0]) @ moves
        return Evaluation(value, derivative)

    def describe(self, y: ndarray) -> LogitPoint:
        """Return the recorded numbers of a point, in units of the game's payoffs."""
        x, precision = self.profile(y), float(y[-1])
        pays = self.action_payoffs(x)
        payoff = np.array([pay @ x[player, : len(pay)] for player, pay in enumerate(pays)])
        regret = np.maximum([pay.max() for pay in pays] - payoff, 0.0)
        away = [np.abs(_softmax(precision * pay) - x[k, : len(pay)]).max() for k, pay in enumerate(pays)]
        stable = bool(_growth(self.evaluate(y)).real.max(initial=-1.0) < -MARGINAL)
        return LogitPoint(stable, x, self.constant + self.scales * payoff, self.scales * regret, max(away))


def _growth(at: Evaluation) -> ndarray:
    """Return the eigenvalues of the dynamic, which moves log odds by minus the equations."""
    return np.linalg.eigvals(-at.derivative[:, :-1]).astype(complex)


def _softmax(logits: ndarray) -> ndarray:
    parts = np.exp(logits - logits.max())
    return parts / parts.sum()


def _events(system: LogitSystem, a: ndarray, b: ndarray, *, turns: bool) -> Iterator[tuple[float, int]]:
    """Yield the parameter and the kind of every event between two points of the branch."""

    def spectrum(at: Evaluation) -> ndarray:
        values = _growth(at)
        return values[np.lexsort((-values.imag, -values.real))]

    together = np.full(system.unknowns, TOGETHER)
    before, after = (GroupSpectrum(spectrum(system.evaluate(y)), together) for y in (a, b))
    for cut in cuts(before, after, np.zeros(0), turns=turns):
        place = locate(system, a, b, cut.order, lambda point: spectrum(point.at))
        if place is None:
            yield float(a[-1]), UNRESOLVED
        # where a complex pair crosses the dynamic turns about the branch, and no other branch is born
        elif abs(place.value.imag) <= REAL:
            yield float(place.point.y[-1]), FOLD if place.folds else CROSSING


def _limit(system: LogitSystem, end_profile: ndarray) -> Record:
    """Return the Nash equilibrium near the last point, its regrets and its distance; NaN where none is."""
    scaled = normalise(system.tables)
    support_limit = np.where(end_profile < UNPLAYED, 0.0, end_profile)
    equilibrium = refine(scaled, support_limit / support_limit.sum(axis=1, keepdims=True))
    regret = np.array(
        [
            pay.max() - pay @ equilibrium[k, : len(pay)]
            for k, pay in enumerate(system.action_payoffs(equilibrium))
        ]
    )
    distance = float(np.max(np.abs(equilibrium - end_profile)))
    if distance > LIMIT_WITHIN or np.any(
        regret > LISTED_REGRET * np.ptp(scaled.reshape(len(scaled), -1), axis=1)
    ):
        equilibrium, regret, distance = (
            np.full_like(equilibrium, np.nan),
            np.full_like(regret, np.nan),
            np.nan,
        )
    return {
        "limit": (("player", "axis"), equilibrium),
        "limit_regret": (("player",), system.scales * np.maximum(regret, 0.0)),
        "limit_distance": scalar(distance),
    }


def _fit(system: LogitSystem, session: Session, counts: Sequence[Sequence[float]]) -> Record:
    """Return the point of the branch of greatest likelihood: an end, or where its derivative vanishes."""
    from scipy.special import xlogy

    def log_likelihood(y: ndarray) -> float:
        x = system.profile(y)
        return float(
            sum(xlogy(row, chances[: len(row)]).sum() for row, chances in zip(counts, x, strict=True))
        )

    def rise(y: ndarray, along: ndarray) -> float:
        # the derivative in log odds is the count minus what the probabilities predict
        x = system.profile(y)
        rows = [
            np.asarray(row) - np.sum(row) * chances[: len(row)]
            for row, chances in zip(counts, x, strict=True)
        ]
        return float(along[:-1] @ np.concatenate([row[1:] for row in rows]))

    points, tangents = session["points"], session["tangents"]
    candidates = [points[0], points[-1]]
    for a, b, along, ahead in zip(points[:-1], points[1:], tangents[:-1], tangents[1:], strict=True):
        if rise(a, along) > 0 >= rise(b, ahead):
            top = zero_between(system, a, b, lambda at: rise(at.y, tangent(at.at, along)))  # noqa: B023
            candidates.append(b if top is None else top.y)
    most_likely = max(candidates, key=log_likelihood)
    is_beyond = most_likely is candidates[1] and rise(points[-1], tangents[-1]) > 0
    return {
        "fitted_lambda": scalar(np.inf if is_beyond else most_likely[-1] / system.scale),
        "fitted_profile": (("player", "axis"), system.profile(most_likely)),
        "log_likelihood": scalar(log_likelihood(most_likely)),
    }
