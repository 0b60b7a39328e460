"""All pure equilibria of a game on boxes, by branch and prune, with proofs."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from time import perf_counter
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from annotated_types import Ge

from rivalry.certificates.certify import certificate
from rivalry.certificates.deviations import REGISTERED, best_response, unproved_response
from rivalry.core import oracles
from rivalry.core.assumed_range import gain_beyond
from rivalry.core.game import Game, has_closed_form, refuse_jumps
from rivalry.core.method import PACE, BaseLearner, Session
from rivalry.core.needs import PAYOFFS, SHARES, Need
from rivalry.core.oracles import separate_periods
from rivalry.core.payoffs import TRACED, payoffs
from rivalry.core.reparametrisation import is_reparametrised
from rivalry.core.results import Record
from rivalry.proofs.box_search import (
    VERDICTS,
    BoxSearch,
    in_every_order,
    orders,
    points_of,
    profile_of,
    profiles_of,
    relative_width,
    undecided_places,
)
from rivalry.proofs.parameter_search import begin_on_ranges, record_on_ranges, search_on_ranges
from rivalry.proofs.points import FirstOrderPoint
from rivalry.proofs.spaces.coordinates import BATCH, Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import (
    InLogs,
    amounts,
    equilibrium_bounds,
    original_profile,
    original_record,
    searched,
)
from rivalry.proofs.spaces.parameter_ranges import GameOnRanges, on_ranges
from rivalry.runtime.jax import jax, put
from rivalry.text.display import count_text, strategy_in_words

SAMPLED = 64  # undecided boxes at which payoffs are computed, to say why
LONG = 1024  # boxes after which a list without an equilibrium asks for certificates
ROUNDS = 30  # of best responses, for the profiles that certificates are asked about
APART = 1e-6  # of the range: profiles that are closer in every choice are listed once
JUMP = 0.1  # of the difference of payoffs over a box: as much between two adjacent numbers is a jump
COMBINED = 5040  # equilibria of several periods that are listed


class SeparatePeriods(NamedTuple):
    """A game whose periods do not depend on each other, and what is searched for each of them."""

    game: Any
    parts: tuple[Any, ...]


class AllEquilibria(BaseLearner):
    """All pure equilibria of a game on boxes or simplices, each with a proof, and that there is no other.

    The space of profiles is split into boxes. A box is discarded where interval arithmetic proves that it has
    no equilibrium: some player's payoff rises or falls throughout, Newton's method in Krawczyk's form leads
    out of the box, or some player has one strategy that is better for every profile in it. A point is listed
    where Krawczyk's operator maps a box into itself, which proves that the box has exactly one first-order
    point; it is an equilibrium if no strategy of any player pays more, which is proved near the point by
    concavity and elsewhere by bounds on payoffs. Where derivatives do not decide, at kinks or where they are
    zero at a bound, Kakutani's theorem may prove that a place has at least one equilibrium. Everything is
    computed with outward rounding.

    Of exchangeable players only profiles in one order are searched; the list has all orders. On simplices
    boxes are of fractions: each share is a fraction of what those before it leave. An equilibrium at which
    both of a player's last two of three or more shares are the least possible stays undecided.

    The record holds ``equilibria`` (equilibrium, player, axis), ``equilibrium_payoff``, ``radius``
    (equilibrium), ``equilibrium_count``, ``complete`` and ``complete_reason``, the number of ``boxes`` and
    how many were ``discarded`` for which reason, and ``undecided`` boxes (place, player, axis, end) that
    contain all other equilibria. A narrow place that is proved to hold an equilibrium is in the list, with
    its width as radius; wider ones are in ``equilibrium_set`` (set, player, axis, end). Once a box is
    undecided, or where many are searched in vain, profiles at which best responses rest and closed forms are
    given to `rivalry.certificate`: what it calls an equilibrium, and is not in the list, is in ``certified``
    (certified_profile, player, axis), with the largest gain that it leaves possible, ``certified_bound``
    (certified_profile). Where equilibria are not isolated the undecided boxes become wider, so that the
    search ends. A list of the equilibria ``within`` bounds is never complete.

    With ranges of parameters, ``where``, numbers of equilibria are proved for all of their values. The record
    then holds ``where_range`` (range, parameter, end), ``where_count`` (range), ``where_decided`` (range),
    ``fewest_equilibria``, ``most_equilibria`` (-1 if any range is undecided), ``complete``, and boxes around
    the equilibria, ``equilibrium_piece`` (piece, player, axis, end), for the values ``piece_range`` (piece,
    parameter, end). Ranges are split where boxes are undecided. The method has then no profile.

    With the option ``first_order``, the record also holds all first-order points, ``first_order``
    (first_order_point, player, axis), ``first_order_count`` and the ``verdict`` on each. The profile is the
    first equilibrium.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25, 0.25], resource="bimodal")
    >>> found = rv.solve(game, AllEquilibria())
    >>> found.data.equilibria.values.round(6).tolist(), bool(found.data.complete)
    ([[[0.5], [0.5]]], True)

    References
    ----------
    Krawczyk, Computing 4, 1969; Neumaier, Interval Methods for Systems of Equations, 1990.
    """

    first_order: Annotated[bool, "whether to list all first-order points, not equilibria alone"] = False
    max_boxes: Annotated[int, Ge(1), "maximum number of boxes"] = 2_000_000
    within: Annotated[
        tuple[float, float] | None, "bounds between which all choices of the equilibria listed lie"
    ] = None

    where: Annotated[
        dict[str, tuple[float, float]] | None,
        "ranges of parameters: the number of equilibria is proved for all values",
    ] = None

    needs: ClassVar[tuple[Need, ...]] = (PAYOFFS, SHARES)

    def world(self, game: Game) -> Any:
        """Return the game in which boxes are searched.

        Raises `ValueError` for payoffs that are known to jump, and for those that JAX cannot trace.
        """
        refuse_jumps(game)
        try:
            # a function of its own: methods of two games are compared by the arrays of the games
            jax.eval_shape(lambda x: game.payoffs(x), jax.ShapeDtypeStruct(game.space.shape, float))
        except jax.errors.JAXTypeError as error:
            raise ValueError(f"payoffs: {TRACED}") from error
        if self.where is None and (periods := separate_periods(game)):
            return SeparatePeriods(game, tuple(searched(one, self.within) for one in periods))
        if self.where is None:
            return searched(game, self.within)
        if self.within is not None or self.first_order:
            raise ValueError("where: takes neither within nor first_order")
        if equilibrium_bounds.knows(game):
            raise ValueError(
                "where: the bounds between which equilibria of a race are searched hold for one race"
            )
        ranges = on_ranges(game, self.where)
        return ranges._replace(game=searched(ranges.game, None))

    def length(self, world: object) -> int:
        """Return the largest number of steps: a step takes a batch of boxes, or judges a point."""
        return self.max_boxes // BATCH + 10_000

    def expected_steps(self, world: object) -> int:
        """Return 0: the number of boxes is not known before."""
        return 0

    def begin(self, world: Any, stream: np.random.SeedSequence) -> Session:
        """Return a session with a box for every combination of bounds; the stream is not used."""
        if isinstance(world, GameOnRanges):
            return begin_on_ranges(world, self._search.begin(world.game))
        if isinstance(world, SeparatePeriods):
            return {
                f"{t} {name}": part
                for t, one in enumerate(world.parts)
                for name, part in self._begin(one).items()
            }
        return self._begin(world)

    @property
    def _search(self) -> BoxSearch:
        return BoxSearch(self.max_boxes, self.within, self.first_order)

    def _begin(self, game: Any) -> Session:
        shape = coordinates(game).start.shape
        session: Session = self._search.begin(game)
        return session | {
            "responded": np.zeros(1, dtype=bool),
            "certified": np.zeros((0, *shape)),
            "certified_bound": np.zeros(0),
        }

    def advance(self, world: Any, session: Session, steps: int) -> int:
        """Run up to ``steps`` steps, as many as begin within a quarter of a second."""
        taken, began = 0, perf_counter()
        if isinstance(world, GameOnRanges):
            step = partial(search_on_ranges, world, session, self._search)
        elif isinstance(world, SeparatePeriods):
            step = partial(self._step_of_periods, world, session)
        else:
            step = partial(self._search.step, world, coordinates(world), session, self._certify)
        # the time of a step varies too much to be known from those before
        while taken < steps and (not taken or perf_counter() - began < PACE) and step():
            taken += 1
        return taken

    def _step_of_periods(self, world: SeparatePeriods, session: Session) -> bool:
        """Take a step for the first period that is not searched; return False once there is none left."""
        for t, game in enumerate(world.parts):
            mine = _of_period(session, t)
            if self._search.step(game, coordinates(game), mine, self._certify):
                session.update({f"{t} {name}": part for name, part in mine.items()})
                return True
        return False

    def _certify(self, game: Game, at: Coordinates, session: Session) -> bool:
        """Ask for certificates of rest points of best responses; return False if not now, or not again."""
        known = session["responded"][0] or isinstance(game, InLogs) or self.within is not None
        known = known or at.ranges is not None
        long = session["boxes"][0] >= LONG and not np.any(session["verdict"] == VERDICTS.index("equilibrium"))
        if known or not (long or len(session["undecided_low"])):
            return False
        session["responded"] = np.ones(1, dtype=bool)
        ends = (at.low / 2 + at.high / 2, at.low, at.high)
        found = [] if not has_closed_form(game) else list(map(np.asarray, oracles.closed_form(game)))
        found += [rest for y in ends if (rest := _rest(game, profile_of(at, y), at)) is not None]
        for x in found:
            y = x[at.place]
            apart = np.abs(session["certified"][:, *at.place] - y) > APART * (at.high - at.low)
            if np.all((at.low <= y) & (y <= at.high)) and np.all(apart.any(axis=1)):
                claimed = certificate(game, x)
                if claimed.claim == "equilibrium":
                    session["certified"] = np.concatenate([session["certified"], x[None]])
                    session["certified_bound"] = np.append(session["certified_bound"], np.max(claimed.bound))
        return True

    def read(self, world: Any, session: Session) -> Record:
        """Return the list, what is undecided, and the first equilibrium as the profile."""
        if isinstance(world, GameOnRanges):
            return record_on_ranges(world, session)
        if isinstance(world, SeparatePeriods):
            return _together(
                world, [self.read(game, _of_period(session, t)) for t, game in enumerate(world.parts)]
            )
        at = coordinates(world)
        labels = at.labels
        points, verdicts = in_every_order(at, labels, points_of(session), session["verdict"])
        chosen = [point for point, verdict in zip(points, verdicts, strict=True) if verdict == 1]
        chosen, beyond = _within_range(world, at, chosen)
        unjudged = [point for point, verdict in zip(points, verdicts, strict=True) if verdict < 1]
        searched = not len(session["low"])
        places, boxes = undecided_places(at, labels, session, unjudged)
        complete = searched and not len(boxes[0]) and not self._unsearched(world) and not beyond
        turned = [session["sets"][:, :, index] for index in orders(at, labels)]
        sets = np.unique(np.concatenate(turned), axis=0)
        found = np.array([profile_of(at, point.centre) for point in chosen])
        profiles = np.reshape(found, (len(chosen), *at.start.shape))
        # what is around an entry of the list is that entry
        slack = APART * (at.high - at.low)
        rest = session["certified"][:, *at.place]
        new = np.ones(len(rest), dtype=bool)
        for point in chosen:
            new &= np.any((rest < point.low - slack) | (rest > point.high + slack), axis=1)
        certified = session["certified"][new]
        record: Record = {
            "equilibria": (("equilibrium", "player", "axis"), profiles),
            "equilibrium_payoff": (("equilibrium", "player"), _payoffs(world, profiles)),
            "radius": (("equilibrium",), np.array([_radius(point) for point in chosen])),
            "equilibrium_count": ((), np.asarray(len(chosen))),
            "complete": ((), np.asarray(complete)),
            "complete_reason": ((), np.asarray(self._reason(world, session, places, unjudged, beyond))),
            "boxes": ((), session["boxes"][0].copy()),
            "discarded": (("reason",), session["discarded"][1:].copy()),
            "undecided": (
                ("place", "player", "axis", "end"),
                np.stack([profiles_of(at, end) for end in boxes], axis=-1),
            ),
            "equilibrium_set": (
                ("set", "player", "axis", "end"),
                np.stack([profiles_of(at, sets[:, k]) for k in range(2)], axis=-1),
            ),
            "certified": (("certified_profile", "player", "axis"), certified),
            "certified_bound": (("certified_profile",), session["certified_bound"][new]),
            "status": ((), np.asarray(self._status(session, searched, len(chosen) + len(certified)))),
        }
        if self.first_order:
            every = np.array([profile_of(at, point.centre) for point in points]).reshape(-1, *at.start.shape)
            words = np.array([VERDICTS[max(verdict, 0)] for verdict in verdicts], dtype=str)
            record |= {
                "first_order": (("first_order_point", "player", "axis"), every),
                "first_order_count": ((), np.asarray(len(points))),
                "verdict": (("first_order_point",), words),
            }
        if len(session["drawn"]):
            record |= {
                "drawn_box": (("drawn", "end", "choice"), session["drawn"].copy()),
                "drawn_reason": (("drawn",), session["drawn_reason"].copy()),
            }
        if len(chosen):
            record["profile"] = (("player", "axis"), profiles[0])
        elif len(certified):
            record["profile"] = (("player", "axis"), certified[0])
        return original_record(world, record)

    def _status(self, session: Session, searched: bool, found: int) -> str:
        if not searched or np.any(session["verdict"] < 0):
            return "iteration limit"
        return "converged" if found or len(session["sets"]) else "not found"

    def _unsearched(self, game: object) -> str:
        """Return which profiles were not searched; empty where it is proved that they hold no equilibrium."""
        if self.within is not None:
            return f"only choices in [{self.within[0]:g}, {self.within[1]:g}] were searched"
        if not isinstance(game, InLogs):
            return ""
        if game.beyond:
            low, high = amounts(np.min(game.space.low), np.max(game.space.high))
            return f"only choices in [{low:.3g}, {high:.3g}] were searched: {game.beyond}"
        return "first-order points beyond the bounds on equilibria were not searched" * self.first_order

    def _reason(
        self, game: Game, session: Session, places: int, unjudged: list[FirstOrderPoint], beyond: str
    ) -> str:
        count, left = int(session["boxes"][0]), len(session["low"])
        parts = []
        if left:
            limit = f": raise max_boxes above {self.max_boxes}" if count >= self.max_boxes else ""
            done = f", {count_text(count, 'is', 'are')}" * (not limit)  # boxes are halved: more may be left
            parts.append(f"{count_text(left, 'box is', 'boxes are')} not yet searched{done}{limit}")
        low, high = session["undecided_low"], session["undecided_high"]
        if places:
            at = coordinates(game)
            wide = np.max(relative_width(game, at, low, high))
            boxes, where = count_text(len(low), "box", "boxes"), count_text(places, "place")
            parts.append(f"undecided: {boxes} in {where}, up to {wide:.2g} of the range wide")
            if (undefined := _undefined(game, at, low, high)) is not None:
                parts.append(f"payoffs are not finite at {strategy_in_words(undefined)}")
            elif (jump := _jump(game, at, low, high)) is not None:
                parts.append(f"payoffs jump at {strategy_in_words(jump)}")
        if unjudged:
            parts.append(f"neither proved nor refuted: {count_text(len(unjudged), 'first-order point')}")
        if unsearched := self._unsearched(game):
            parts.append(unsearched)
        parts += filter(None, [beyond])
        if session["interchangeable"][0] and not parts:
            return (
                "equilibria are interchangeable where payoffs have a constant sum, and best responses unique"
            )
        return "; ".join(parts) or f"every box is decided: {count_text(count, 'box', 'boxes')}"


def _within_range(
    game: Game, at: Coordinates, points: list[FirstOrderPoint]
) -> tuple[list[FirstOrderPoint], str]:
    """Return the points at which no choice beyond the range assumed pays more, and why the range is no bound.

    Payoffs beyond are also asked for where all choices are at their upper ends.
    """
    profiles = [profile_of(at, y) for y in (*(point.centre for point in points), at.high)]
    each = [gain_beyond(game, x) for x in profiles]
    inside = [point for point, words in zip(points, each, strict=False) if not words]
    return inside, next(filter(None, each), "")


def _of_period(session: Session, t: int) -> Session:
    """Return the session of one period."""
    return {name.split(" ", 1)[1]: part for name, part in session.items() if name.split(" ", 1)[0] == str(t)}


def _together(world: SeparatePeriods, every: list[Record]) -> Record:
    """Return the list of a game from those of its periods: an equilibrium is one of every period."""
    records = [{name: value for name, (_, value) in one.items()} for one in every]
    counts = [len(one["equilibria"]) for one in records]
    none = any(one["complete"] and not count for one, count in zip(records, counts, strict=True))
    few = prod(counts) <= COMBINED
    rows = list(product(*map(range, counts))) if few else []
    chosen = np.reshape(np.array(rows, dtype=int), (len(rows), len(records)))

    def combined(name: str, indices: np.ndarray) -> np.ndarray:
        parts = [one[name][k] for one, k in zip(records, indices.T, strict=True)]
        return np.concatenate(parts, axis=2)

    space = world.game.space
    ends = np.split(np.stack([space.low, space.high], axis=-1), len(records), axis=1)
    undecided = [  # with whatever is played in other periods
        np.concatenate([*ends[:t], hull, *ends[t + 1 :]], axis=1)
        for t, one in enumerate(records)
        for hull in one["undecided"]
    ]
    profiles = combined("equilibria", chosen)
    reasons = [
        f"period {t + 1}: {one['complete_reason']}" for t, one in enumerate(records) if not one["complete"]
    ]
    if not few:
        reasons.append(f"{prod(counts):,} combinations of the periods' equilibria are not listed")
    boxes = sum(int(one["boxes"]) for one in records)
    done = f"every box is decided: {count_text(boxes, 'box', 'boxes')} in {len(records)} periods"
    radii = [one["radius"][k] for one, k in zip(records, chosen.T, strict=True)]
    limited = not few or any(one["status"] == "iteration limit" for one in records)
    record: Record = {
        "equilibria": (("equilibrium", "player", "axis"), profiles),
        "equilibrium_payoff": (("equilibrium", "player"), _payoffs(world.game, profiles)),
        "radius": (("equilibrium",), np.max(radii, axis=0)),
        "equilibrium_count": ((), np.asarray(len(profiles))),
        "complete": ((), np.asarray(none or not reasons)),
        "complete_reason": ((), np.asarray("; ".join(reasons) if reasons and not none else done)),
        "boxes": ((), np.asarray(boxes)),
        "discarded": (("reason",), np.sum([one["discarded"] for one in records], axis=0)),
        "undecided": (
            ("place", "player", "axis", "end"),
            np.reshape([] if none else undecided, (-1, *space.shape, 2)),
        ),
        "status": (
            (),
            np.asarray("iteration limit" if limited else "converged" if len(profiles) else "not found"),
        ),
    }
    if "first_order" in records[0]:
        counts = [len(one["first_order"]) for one in records]
        if prod(counts) <= COMBINED:
            points = np.reshape(list(product(*map(range, counts))), (-1, len(records))).astype(int)
            words = [one["verdict"][k] for one, k in zip(records, points.T, strict=True)]
            bad = np.any(np.stack(words) == VERDICTS[2], axis=0)
            good = np.all(np.stack(words) == VERDICTS[1], axis=0)
            record |= {
                "first_order": (("first_order_point", "player", "axis"), combined("first_order", points)),
                "first_order_count": ((), np.asarray(len(points))),
                "verdict": (
                    ("first_order_point",),
                    np.array(VERDICTS)[np.where(bad, 2, np.where(good, 1, 0))],
                ),
            }
    if len(profiles):
        record["profile"] = (("player", "axis"), profiles[0])
    return record


def _undefined(game: Game, at: Coordinates, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """Return a profile in some of the boxes at which payoffs are not finite, ``[choice]``; None if unseen."""
    some = np.unique(np.linspace(0, len(low) - 1, SAMPLED).astype(int))
    for y in np.concatenate([low[some], low[some] / 2 + high[some] / 2, high[some]]):
        x = profile_of(at, y)
        if not np.all(np.isfinite(payoffs(game, put(x)))):
            return original_profile(game, x).ravel()
    return None


def _jump(game: Game, at: Coordinates, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """Return a profile in some boxes at which payoffs jump in a choice, ``[choice]``; None if unseen."""

    def pay(y: np.ndarray) -> np.ndarray:
        return np.asarray(payoffs(game, put(profile_of(at, y))))

    some = np.unique(np.linspace(0, len(low) - 1, SAMPLED // 4).astype(int))
    edges = []
    for first, last in zip(low[some], high[some], strict=True):
        begin, middle = pay(first), first / 2 + last / 2
        for k in range(len(first)):
            for start in (first, middle):
                a, b = start.copy(), start.copy()
                a[k], b[k] = first[k], last[k]
                edges.append((float(np.max(np.abs(pay(b) - (begin if start is first else pay(a))))), a, b))
    whole, a, b = max(edges, key=lambda edge: edge[0])
    (k,) = np.flatnonzero(a != b)[:1] if np.any(a != b) else (0,)
    while True:
        middle = a.copy()
        middle[k] = a[k] / 2 + b[k] / 2
        if middle[k] in (a[k], b[k]):
            break
        at_a, at_middle, at_b = pay(a), pay(middle), pay(b)
        near = np.max(np.abs(at_middle - at_a)) >= np.max(np.abs(at_b - at_middle))
        a, b = (a, middle) if near else (middle, b)
    discontinuous = whole > 0 and np.max(np.abs(pay(b) - pay(a))) > JUMP * whole
    return original_profile(game, profile_of(at, b)).ravel() if discontinuous else None


def _rest(game: Game, x: np.ndarray, at: Coordinates) -> np.ndarray | None:
    """Return the profile at which best responses in turn come to rest; None where they do not."""
    known = any(one.knows(game) for one in REGISTERED) or is_reparametrised(game)
    for _ in range(ROUNDS):
        before = x.copy()
        for player in range(len(x)):
            if known:
                x[player] = best_response(game, put(x), player).strategy
            else:
                x[player] = unproved_response(game, put(x), player, 201).strategy
        if np.all(np.abs(x - before)[at.place] <= 1e-3 * APART * (at.high - at.low)):
            return x
    return None


def _radius(point: FirstOrderPoint) -> float:
    """Return the largest distance in a coordinate from the midpoint to the equilibrium."""
    return float(
        np.nextafter(np.max(np.maximum(point.high - point.centre, point.centre - point.low)), np.inf)
    )


def _payoffs(game: Game, profiles: np.ndarray) -> np.ndarray:
    found = [np.asarray(payoffs(game, put(x))) for x in profiles]
    return np.reshape(found, (len(profiles), profiles.shape[1]))
