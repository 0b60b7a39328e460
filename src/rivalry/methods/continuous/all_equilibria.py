"""All pure equilibria of a game on boxes, by branch and prune, with proofs."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from rivalry.certificates.certify import certificate
from rivalry.certificates.deviations import REGISTERED, best_response, unproved_response
from rivalry.certificates.units import GameAtProfile
from rivalry.core import oracles
from rivalry.core.assumed_range import open_range
from rivalry.core.game import Game, has_closed_form, require_continuity
from rivalry.core.method import PACE, BaseLearner, Session
from rivalry.core.needs import PAYOFFS, SHARES
from rivalry.core.payoffs import TRACED, checked_parts
from rivalry.core.reparametrisation import is_reparametrised
from rivalry.core.results import Record, none_exists
from rivalry.methods.continuous.exact_patterns import exact_record, list_exactly, untried
from rivalry.proofs.box_list import (
    CaseAnalysis,
    SeparateParts,
    combined_list,
    list_of_boxes,
    of_part,
    record_of_cases,
)
from rivalry.proofs.box_search import (
    MERGE_DISTANCE,
    VERDICTS,
    BoxSearch,
    profile_of,
)
from rivalry.proofs.parameter_search import begin_on_ranges, record_on_ranges, search_on_ranges
from rivalry.proofs.spaces.coordinates import BATCH, Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import (
    InLogs,
    equilibrium_bounds,
    searched,
)
from rivalry.proofs.spaces.parameter_ranges import GameOnRanges, on_ranges
from rivalry.runtime.jax import jax, put

LONG = 1024  # boxes after which a list without an equilibrium asks for certificates
ROUNDS = 30  # of best responses, for the profiles that certificates are asked about


class AllEquilibria(BaseLearner):
    """All pure equilibria of a game on boxes or simplices, each with a proof, and that there is no other.

    The space of profiles is split into boxes. A box is discarded where interval arithmetic proves that it has
    no equilibrium: some player's payoff rises or falls throughout, Newton's method in Krawczyk's form leads
    out of the box, or some player has one strategy that is better for every profile in it. A point is listed
    where Krawczyk's operator maps a box into itself, which proves that the box has exactly one first-order
    point; it is an equilibrium if no strategy of any player pays more, which is proved near the point by
    concavity and elsewhere by bounds on payoffs. Everything is computed with outward rounding. At kinks of
    several players' payoffs, where derivatives do not decide, a place stays undecided.

    Of exchangeable players only profiles in one order are searched; the list has all orders. On simplices
    boxes are of fractions: each share is a fraction of what those before it leave. An equilibrium at which
    both of a player's last two of three or more shares are the least possible stays undecided.

    The record holds ``equilibria`` (equilibrium, player, axis), ``equilibrium_payoff``, ``radius``
    (equilibrium), ``equilibrium_count``, ``complete`` and ``complete_reason``, the number of ``boxes`` and
    how many were ``discarded`` for which reason, and ``undecided`` boxes (place, player, axis, end) that
    contain all other equilibria. Once a box is
    undecided, or where many are searched in vain, profiles at which best responses rest and closed forms are
    given to `rivalry.certificate`: what it calls an equilibrium, and is not in the list, is in ``certified``
    (certified_profile, player, axis), with the largest gain that it leaves possible, ``certified_bound``
    (certified_profile). Where equilibria are not isolated the undecided boxes become wider, so that the
    search ends. A list of the equilibria ``within`` bounds is never complete.

    Where something is undecided, games whose payoffs are polynomials with linear
    first-order conditions are listed in fractions (`rivalry.methods.continuous.exact_patterns`): ties and
    indifferent players are decided, and sets of equilibria are given by their vertices,
    ``equilibrium_vertex`` (vertex, player, axis) with ``vertex_set`` (vertex), the number of the set, and
    the smallest boxes around them, ``equilibrium_set`` (set, player, axis, end).
    ``pattern_count`` is then the number of patterns of bounds that were solved. Firms that save a fixed cost
    by staying out are listed in fractions too, for every set of producers, ``pattern_count`` of them.

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
    >>> solution = rv.solve(game, AllEquilibria())
    >>> solution.data.equilibria.values.round(6).tolist(), bool(solution.data.complete)
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

    needs = (PAYOFFS, SHARES)

    def world(self, game: Game) -> Any:
        """Return the game in which boxes are searched.

        Raises `ValueError` for payoffs that are known to jump, unless the game lists its equilibria by cases,
        and for payoffs that JAX cannot trace.
        """
        options = self.where is None and self.within is None and not self.first_order
        if not (options and all(oracles.equilibria_by_cases.knows(part) for part in _games(game))):
            require_continuity(game)
        try:
            # a function of its own: methods of two games are compared by the arrays of the games
            jax.eval_shape(lambda x: game.payoffs(x), jax.ShapeDtypeStruct(game.space.shape, float))
        except jax.errors.JAXTypeError as error:
            raise ValueError(f"payoffs: {TRACED}") from error
        if self.where is None and (parts := checked_parts(game)):
            names, _, games = zip(*parts, strict=True)
            return SeparateParts(game, tuple(self._searched(part) for part in games), names)
        if self.where is None:
            return self._searched(game)
        if self.within is not None or self.first_order:
            raise ValueError("where: takes neither within nor first_order")
        if open_range(game.space, np.zeros(game.space.shape)):
            raise ValueError("where: choices have no bounds, so numbers of equilibria are not proved")
        if equilibrium_bounds.knows(game):
            raise ValueError(
                "where: the bounds between which equilibria of a race are searched hold for one race"
            )
        ranges = on_ranges(game, self.where)
        return ranges._replace(game=searched(ranges.game, None))

    def _searched(self, game: Game) -> Any:
        """The game in which boxes are searched, or the cases by which a game with jumps is listed."""
        if oracles.equilibria_by_cases.knows(game):
            return CaseAnalysis(game, oracles.equilibria_by_cases(game))
        return searched(game, self.within)

    def length(self, world: object) -> int:
        """Return the largest number of steps: a step takes a batch of boxes, or judges a point."""
        return self.max_boxes // BATCH + 10_000

    def expected_steps(self, world: object) -> int:
        """Return 0: the number of boxes is not known before."""
        return 0

    def begin(self, world: Any, stream: np.random.SeedSequence) -> Session:
        """Return a session with a box for every combination of bounds; the stream is not used."""
        if isinstance(world, GameOnRanges):
            return begin_on_ranges(world, self.search.begin(world.game))
        if isinstance(world, SeparateParts):
            return {
                f"{t} {name}": part
                for t, part_game in enumerate(world.parts)
                for name, part in self._begin_search(part_game).items()
            }
        return self._begin_search(world)

    @property
    def search(self) -> BoxSearch:
        """The search of boxes with these options."""
        return BoxSearch(self.max_boxes, self.within, self.first_order)

    def _begin_search(self, game: Any) -> Session:
        if isinstance(game, CaseAnalysis):
            return {}
        shape = coordinates(game).start.shape
        session: Session = self.search.begin(game)
        return session | {
            "responded": np.zeros(1, bool),
            "certified": np.zeros((0, *shape)),
            "certified_bound": np.zeros(0),
            **untried(len(coordinates(game).low)),
        }

    def advance(self, world: Any, session: Session, steps: int) -> int:
        """Run up to ``steps`` steps, as many as begin within a quarter of a second."""
        steps_taken, began = 0, perf_counter()
        if isinstance(world, CaseAnalysis):
            return 0
        if isinstance(world, GameOnRanges):
            step = partial(search_on_ranges, world, session, self.search)
        elif isinstance(world, SeparateParts):
            step = partial(self._step_of_parts, world, session)
        else:
            step = partial(self.search.step, world, coordinates(world), session, self._certify)
        # the time of a step varies too much to be known from those before
        while steps_taken < steps and (not steps_taken or perf_counter() - began < PACE) and step():
            steps_taken += 1
        return steps_taken

    def _step_of_parts(self, world: SeparateParts, session: Session) -> bool:
        """Take a step for the first part that is not searched; return False once there is none left."""
        for t, game in enumerate(world.parts):
            entries = of_part(session, t)
            if entries and self.search.step(game, coordinates(game), entries, self._certify):
                session.update({f"{t} {name}": part for name, part in entries.items()})
                return True
        return False

    def _certify(self, game: Game, at: Coordinates, session: Session) -> bool:
        """List equilibria in fractions, or ask for certificates of rest points of best responses.

        Returns False if not now, or not again.
        """
        if self.within is None and at.ranges is None and list_exactly(game, at, session, self.first_order):
            return True
        is_on_part = self.within is not None or at.ranges is not None
        if is_on_part or session["responded"][0] or isinstance(game, InLogs):
            return False
        has_proof = np.any(session["verdict"] == VERDICTS.index("equilibrium"))
        is_stuck = session["boxes"][0] >= LONG and not has_proof
        if not is_stuck and not len(session["undecided_low"]):
            return False
        session["responded"] = np.ones(1, bool)
        for x in _candidates(game, at):
            y = x[at.place]
            apart = np.abs(session["certified"][:, *at.place] - y) > MERGE_DISTANCE * (at.high - at.low)
            is_new = np.all(apart.any(axis=1))
            if is_new and np.all((at.low <= y) & (y <= at.high)):
                claimed = certificate(game, x)
                if claimed.claim == "equilibrium":
                    session["certified"] = np.concatenate([session["certified"], x[None]])
                    session["certified_bound"] = np.append(session["certified_bound"], np.max(claimed.bound))
        return True

    def read(self, world: Any, session: Session) -> Record:
        """Return the list, what is undecided, and the first equilibrium as the profile."""
        if isinstance(world, GameOnRanges):
            return record_on_ranges(world, session)
        if isinstance(world, SeparateParts):
            parts = [self.read(game, of_part(session, t)) for t, game in enumerate(world.parts)]
            record = combined_list(world, parts)
        elif isinstance(world, CaseAnalysis):
            record = record_of_cases(world)
        else:
            record = exact_record(world, session, list_of_boxes(self.search, world, session))
        lists = [record[name][1] for name in ("equilibria", "equilibrium_set", "certified") if name in record]
        is_absent = bool(record["complete"][1]) and not any(map(len, lists))
        return record | (none_exists("equilibrium in pure strategies") if is_absent else {})


def _games(game: Game) -> list[Any]:
    """The parts of a game, or the game itself without any."""
    return [part.game for part in checked_parts(game)] or [game]


def _candidates(game: Game, at: Coordinates) -> list[np.ndarray]:
    """Return profiles of closed forms, and rest points of best responses from the middle and the ends."""
    profiles = []
    if has_closed_form(game):
        profiles += list(map(np.asarray, oracles.closed_form(game)))
    for y in (at.low / 2 + at.high / 2, at.low, at.high):
        rest_point = _rest_point(game, profile_of(at, y), at)
        if rest_point is not None:
            profiles.append(rest_point)
    return profiles


def _rest_point(game: Game, x: np.ndarray, at: Coordinates) -> np.ndarray | None:
    """Return the profile at which best responses in turn come to rest; None where they do not."""
    has_response = any(oracle.knows(game) for oracle in REGISTERED) or is_reparametrised(game)
    for _ in range(ROUNDS):
        before = x.copy()
        for player in range(len(x)):
            if has_response:
                x[player] = best_response(game, put(x), player).strategy
            else:
                x[player] = unproved_response(GameAtProfile(game, put(x)), player, 201).strategy
        if np.all(np.abs(x - before)[at.place] <= 1e-3 * MERGE_DISTANCE * (at.high - at.low)):
            return x
    return None
