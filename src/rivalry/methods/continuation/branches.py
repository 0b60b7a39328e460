"""Continuation of equilibrium branches along a parameter: one step is a point, an event or an orbit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Annotated, Any, Literal

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.certificates.certify import certificate
from rivalry.core.game import require_continuity
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import PAYOFFS, Need
from rivalry.core.results import Record
from rivalry.core.roots import zero
from rivalry.core.space import Box, Profile, Simplex, uniform
from rivalry.methods.continuation import session as known
from rivalry.methods.continuation.events import KINDS, Cut, Event, cuts, refine
from rivalry.methods.continuation.groups import GroupSpectrum, System, group_players, relabel
from rivalry.methods.continuation.parametrised_game import ParametrisedGame
from rivalry.methods.continuation.pseudo_arclength import (
    CurvePoint,
    at_value,
    correct,
    search,
    step,
    tangent,
)
from rivalry.methods.continuation.session import NONE, add, curve, empty, record
from rivalry.methods.continuation.switching import cycles_near_hopf, lies_on, new_branches
from rivalry.methods.limit_sets.nearby_equilibria import SearchPoints
from rivalry.methods.limit_sets.periodic_orbits import hopf_coefficient
from rivalry.runtime.jax import floats, put

FIRST = 0.3  # first step, as a share of the longest
SWITCHING = tuple(KINDS.index(kind) for kind in ("symmetric_loss", "split"))
FOLD, HOPF = KINDS.index("fold"), KINDS.index("hopf")
SAME_EVENT = 1e-9  # of the range: closer events of one label are the same
MARGIN = 1e-9  # widths: closer points are on the bound
BRANCHES, POINTS = 30, 2000  # most branches, and points per branch


class Branches(BaseLearner):
    """Branches of equilibria connected to the symmetric ones, as ``parameter`` varies.

    Exchangeable players with equal strategies form a group. A branch has one unknown per group, which makes
    it a regular curve; pseudo-arclength continuation follows it through folds. Equilibria here are interior
    points where all own gradients vanish. Stability refers to the gradient dynamics, by the Jacobian of all
    players; each eigenvalue ``moves groups`` or ``splits group g``. Events: ``fold``, ``symmetric_loss`` and
    ``split`` (an eigenvalue that splits a group crosses zero, or branches of equal groups cross), ``hopf``.
    At ``symmetric_loss`` and ``split`` new branches are searched, with every group split in two, and
    symmetrically in three; where groups meet, the branch on which they are one. Branches that differ only by
    a permutation of the players are followed once.

    ``parameter`` is an array of the game or an entry of one, as in `rivalry.with_` (a number applies to all
    entries), or in Python a function from a value to a game. ``step`` bounds the steps, in widths of the
    space and fractions of the range. ``switch`` is the number of generations of branches to follow; 0 follows
    only the initial ones. ``searches`` is the number of starting points of the search for symmetric
    equilibria at either end of the range; a start replaces the search. ``cycles`` requests the periodic
    orbits born at every Hopf point, at a number of parameter values or at given values. ``certify``:
    ``search`` computes the regret of every row on a grid of ``points`` with local search, a lower bound;
    ``full`` computes the package's certificate for each; ``none`` leaves NaN.

    The record has rows (``branch_..``), events (``event_..``, with ``event_row``, the row before each, and
    ``fold_parameter``, ``split_parameter``, ``symmetric_loss_parameter``, ``hopf_..``), cycles
    (``orbit_..``); ``branch_ending`` gives the reason why each branch ends. A branch that reaches a bound of
    the space ends there. ``unresolved_parameter`` holds values at which a crossing was seen that could not be
    located, or at which no other branch was found; ``unfollowed_parameter`` those near which branches of a
    generation beyond ``switch`` are born, among which may be all stable ones. Where there are any of both, or
    a branch was lost or not completed, the status is ``completed``.

    Raises
    ------
    ValueError
        Where the game has no such parameter, for a range without width, and for steps of which the first is
        not below the second.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(players=2, reach=0.2, resource="bimodal", third_party="1")
    >>> branches = Branches(parameter="reach", low=0.1, high=0.3, switch=2, certify="none")
    >>> rv.solve(game, branches).status
    'converged'

    References
    ----------
    Keller, in Applications of Bifurcation Theory (1977); Golubitsky, Stewart and Schaeffer, Singularities and
    Groups in Bifurcation Theory II (1988); Kuznetsov, Elements of Applied Bifurcation Theory (2004).
    """

    parameter: Annotated[str | Callable[[float], Any], "array of the game that is varied"]
    low: Annotated[float, "lowest value of the parameter"]
    high: Annotated[float, "highest value of the parameter"]
    step: Annotated[
        list[float],
        Gt(0),
        "shortest and longest step, as fractions of the widths of the space and of the range",
    ] = eqx.field(default_factory=lambda: [1e-6, 0.02])
    switch: Annotated[int, Ge(0), "generations of branches that are followed from bifurcations"] = 1
    searches: Annotated[int, Ge(1), Le(100_000), "starting points of the search for symmetric equilibria"] = (
        12
    )
    cycles: Annotated[
        int | list[float], "parameter values at which limit cycles are computed, or their number"
    ] = 0
    certify: Annotated[
        Literal["search", "full", "none"],
        "certificates of points: by a search, with proofs where the game has them, or none",
    ] = "search"
    points: SearchPoints = 101

    needs = (
        PAYOFFS,
        Need("a box or a simplex as strategy space", lambda game: isinstance(game.space, Box | Simplex)),
    )

    def world(self, game: object) -> ParametrisedGame:
        """Return the game as a function of the parameter."""
        return ParametrisedGame(game, self.parameter, self.low, self.high)

    def expected_steps(self, world: ParametrisedGame) -> int:
        """Return 0: the number of points is not known in advance."""
        return 0

    def begin(self, world: ParametrisedGame, stream: SeedSequence) -> Session:
        """Return an empty session; ``stream`` seeds the starting points of searches."""
        require_continuity(world.game)
        if len(self.step) != 2 or not self.step[0] < self.step[1]:
            raise ValueError(f"step: {list(self.step)} must be two lengths, the first below the second")
        if not isinstance(self.cycles, list | tuple) and self.cycles < 0:
            raise ValueError(f"cycles: {self.cycles} must be at least 0")
        players, axes = world.space.shape
        session = empty(players, axes, sum(basis.shape[1] for basis in world.directions))
        session["seed"] = stream.generate_state(1, dtype=np.uint32).astype(np.int64)
        return session

    def begin_at(self, world: ParametrisedGame, stream: SeedSequence, start: Profile) -> Session:
        """Return a session for the branches through the equilibrium near ``start``, at the game's own
        parameter value.
        """
        session = self.begin(world, stream)
        session["start"] = floats(start)
        return session

    def advance(self, world: ParametrisedGame, session: Session, steps: int) -> int:
        """Compute up to ``steps`` points, events or cycles; return 0 when the trace is complete."""
        tracer = Tracer(self, world, session)
        return next((count for count in range(steps) if not tracer.take_step()), steps)

    def read(self, world: ParametrisedGame, session: Session) -> Record:
        """Return the rows, events and cycles found so far."""
        return record(world, session)


class Tracer:
    """Scheduler that reads the next task from the session and writes its result there."""

    def __init__(self, options: Branches, family: ParametrisedGame, session: Session) -> None:
        self.options, self.family, self.session = options, family, session

    def take_step(self) -> bool:
        """Take one step; return whether any task was left."""
        s = self.session
        if s["alike"][0] == NONE:
            s["alike"] = self.family.exchange_classes()
            return True
        growing, unknown = (np.flatnonzero(s["branch_ending"] == k) for k in (known.GROWING, known.WAITING))
        waiting = unknown[s["branch_level"][unknown] <= self.options.switch]
        if growing.size:
            self._extend(int(growing[0]))
        elif s["cuts_done"][0] < len(s["cut_row"]):
            self._locate_event(_number_of_task(s["cuts_done"]))
        elif s["events_done"][0] < len(s["event_kind"]):
            self._switch(_number_of_task(s["events_done"]))
        elif waiting.size:
            self._begin_branch(int(waiting[0]))
        elif s["searched"][0] < known.SEARCHES:
            self._search(_number_of_task(s["searched"]))
        elif unknown.size:  # of a later generation
            self._begin_branch(int(unknown[0]))
        elif self.options.cycles and s["hopfs_done"][0] < np.sum(s["event_kind"] == HOPF):
            self._trace_cycles(_number_of_task(s["hopfs_done"]))
        else:
            return self._certify()
        return True

    # -- rows -----------------------------------------------------------------------------------------------

    def _system(self, branch: int) -> System:
        return System(self.family, self.session["branch_groups"][branch])

    def _unknowns(self, system: System, table: str, k: int) -> ndarray:
        """Return the unknowns at the stored profile and parameter value of a row, a branch or an event."""
        return system.of(self.session[f"{table}_x"][k], float(self.session[f"{table}_value"][k]))

    def _add(self, table: str, system: System, point: CurvePoint, **columns: object) -> None:
        """Append a row with the parameter value and the profile of a point."""
        add(self.session, table, value=system.value(point.y), x=system.profile(point.y), **columns)

    def _add_row(self, branch: int, system: System, point: CurvePoint, along: ndarray) -> GroupSpectrum:
        spectrum = system.spectrum(point.at.local)
        values, labels = spectrum
        unknown = np.full(len(system.groups), np.nan)
        columns = {"real": values.real, "imag": values.imag, "label": labels, "tangent": along}
        columns |= {"payoff": unknown, "regret": unknown}
        self._add("row", system, point, branch=branch, coverage=0, **columns)
        return spectrum

    # -- points --------------------------------------------------------------------------------------------

    def _extend(self, branch: int) -> None:
        """Add the next point of a branch, or its ending."""
        s, system = self.session, self._system(branch)
        rows = np.flatnonzero(s["row_branch"] == branch)
        if len(rows) >= POINTS:
            s["branch_ending"][branch] = known.LONG
            return
        row = int(rows[-1])
        y, along = self._unknowns(system, "row", row), s["row_tangent"][row][: system.unknowns + 1]
        before = GroupSpectrum(s["row_real"][row] + 1j * s["row_imag"][row], s["row_label"][row])
        next_point, s["length"][0] = step(system, y, along, float(s["length"][0]), *self.options.step)
        point, ending = (
            (None, known.LOST) if next_point is None else self._check_ending(rows, system, y, next_point)
        )
        if point is not None:
            after = self._add_row(branch, system, point, tangent(point.at, along))
            # the first row of a branch that was born at an event is the event itself
            if len(rows) > 1 or s["branch_event"][branch] == NONE:
                turns = bool(along[-1] * s["row_tangent"][-1][system.unknowns] < 0)
                for cut in cuts(before, after, system.sizes, turns=turns):
                    add(s, "cut", row=row, label=cut.label, order=cut.order, lost=False)
        s["branch_ending"][branch] = ending
        if ending == known.MEET and next_point is not None:
            self._merge(branch, system, y, next_point)

    def _merge(self, branch: int, system: System, y: ndarray, point: CurvePoint) -> None:
        """Add both halves of the branch on which the groups that meet before ``point`` are one group."""
        s, level = self.session, int(self.session["branch_level"][branch]) + 1
        x, ahead, groups = system.profile(y), system.profile(point.y), system.groups.copy()
        for a, b in combinations(system.firsts, 2):
            if s["alike"][a] == s["alike"][b] and (x[a] - x[b]) @ (ahead[a] - ahead[b]) < 0:
                groups[groups == groups[b]] = groups[a]
        merged = System(self.family, relabel(groups))
        means = [x[merged.groups == group].mean(axis=0) for group in merged.groups]
        middle = search(merged, merged.of(np.array(means), system.value(y)))
        if middle is not None and level <= self.options.switch + 1:
            for way in (-1.0, 1.0):
                self._add_branch(merged, middle, np.eye(len(middle.y))[-1] * way, level)

    def _check_ending(
        self, rows: ndarray, system: System, y: ndarray, point: CurvePoint
    ) -> tuple[CurvePoint | None, int]:
        """Return the point, or the earlier point where the branch with these rows ends, and the ending."""
        x = system.profile(point.y)
        if self._margin(system, point) < MARGIN:
            return self._at_bound(system, y, point), known.BOUND
        before, after = (system.nearest_pair(z, self.session["alike"])[1] for z in (system.profile(y), x))
        # a difference of two groups that turned round: their players met between the two points
        if np.any(np.sum(before * after, axis=1) < 0):
            return None, known.MEET
        chord = point.y - y
        if not 0.0 <= point.y[-1] <= 1.0:
            edge = float(np.clip(point.y[-1], 0.0, 1.0))
            return at_value(system, y + (edge - y[-1]) / chord[-1] * chord, edge), known.RANGE
        initial = self._unknowns(system, "row", int(rows[0]))
        departure = self.session["row_tangent"][rows[0]][: len(y)]
        part = float((initial - y) @ chord / (chord @ chord))
        foot = y + np.clip(part, 0.0, 1.0) * chord
        back = np.linalg.norm(initial - foot) <= 0.05 * np.linalg.norm(chord) and 0 <= part <= 1
        # the chord passes the first point in the direction in which it was left; the first steps begin there
        closed = len(rows) > 5 and back and departure @ chord > 0
        return point, known.CLOSED if closed else known.GROWING

    def _margin(self, system: System, point: CurvePoint) -> float:
        return self.family.margin(system.value(point.y), system.profile(point.y))

    def _at_bound(self, system: System, y: ndarray, point: CurvePoint) -> CurvePoint | None:
        """Return the point between ``y`` and the next one where the profile reaches a bound."""
        chord = point.y - y
        normal = chord / np.linalg.norm(chord)

        def height(part: float) -> float:
            point = correct(system, y + part * chord, normal)
            # a point that is lost counts as beyond the bound
            return -1.0 if point is None else self._margin(system, point) - MARGIN

        if height(0.0) <= 0 or height(1.0) >= 0:
            return None
        low = zero(height, 0.0, 1.0, "bound of the space", within=1e-12)
        return correct(system, y + low * chord, normal)

    def _begin_branch(self, branch: int) -> None:
        """Add the first rows of a branch, unless the branch is known already."""
        s, system = self.session, self._system(branch)
        traced, event = np.unique(s["row_branch"]), int(s["branch_event"][branch])
        if len(traced) >= BRANCHES:
            s["branch_ending"][branch] = known.MANY
            return
        y = self._unknowns(system, "branch", branch)
        # both halves of a branch that is followed from its middle share a point: neither is known already
        equal_starts = (s["branch_event"] == NONE) & np.all(
            s["branch_x"] == s["branch_x"][branch], axis=(1, 2)
        )
        equal_starts &= (s["branch_value"] == s["branch_value"][branch]) & (event == NONE)
        earlier_branches = [
            int(branch_traced) for branch_traced in traced if not equal_starts[int(branch_traced)]
        ]
        near = 2 * self.options.step[1] * (self.family.high - self.family.low)
        curves = (curve(s, branch_traced, event, near) for branch_traced in earlier_branches)
        if any(lies_on(system, y, traced_curve, s["alike"]) for traced_curve in curves):
            s["branch_ending"][branch] = known.KNOWN
            return
        if s["branch_level"][branch] > self.options.switch:
            s["branch_ending"][branch] = known.BEYOND
            return
        along = s["branch_tangent"][branch][: len(y)]
        point = correct(system, y, along)
        if point is None:
            s["branch_ending"][branch] = known.LOST
            return
        ahead = tangent(point.at, along)
        if event != NONE:
            self._add_row(branch, system, self._event_point(system, event), ahead)
        self._add_row(branch, system, point, ahead)
        s["length"][0] = FIRST * self.options.step[1]
        s["branch_ending"][branch] = known.GROWING

    # -- events ---------------------------------------------------------------------------------------------

    def _event_point(self, system: System, event: int) -> CurvePoint:
        y = self._unknowns(system, "event", event)
        return CurvePoint(y, system.evaluate(y), 0)

    def _locate_event(self, number: int) -> None:
        """Add the event behind a cut, unless it is known already."""
        s = self.session
        row = int(s["cut_row"][number])
        cut = Cut(int(s["cut_label"][number]), int(s["cut_order"][number]))
        branch = int(s["row_branch"][row])
        after = row + 1 + int(np.flatnonzero(s["row_branch"][row + 1 :] == branch)[0])
        system = self._system(branch)
        a, b = (self._unknowns(system, "row", k) for k in (row, after))
        is_symmetric = system.count == len(np.unique(s["alike"]))
        event = refine(system, a, b, cut, is_symmetric=is_symmetric)
        s["cut_lost"][number] = event is None
        if event is None or self._is_known(branch, system, event):
            return
        x, value = system.profile(event.point.y), system.value(event.point.y)
        values, _ = system.spectrum(event.point.at.local)
        hopf = event.kind == HOPF
        lyapunov = hopf_coefficient(self.family.at(value), put(x)).lyapunov if hopf else np.nan
        columns = {"real": values.real, "imag": values.imag, "lyapunov": lyapunov}
        names = ("kind", "label", "tangent", "frequency", "residual")
        columns |= {name: getattr(event, name) for name in names}
        self._add("event", system, event.point, branch=branch, row=row, born=NONE, **columns)

    def _is_known(self, branch: int, system: System, event: Event) -> bool:
        """True for the second event of a pair, or a repetition by equal eigenvalues."""
        s, x, value = self.session, system.profile(event.point.y), system.value(event.point.y)
        equal_events = (s["event_branch"] == branch) & (s["event_label"] == event.label)
        equal_events &= s["event_kind"] == event.kind
        near = np.abs(s["event_value"] - value) <= SAME_EVENT * (self.family.high - self.family.low)
        nearby = np.max(np.abs(s["event_x"] - x) / self.family.width, axis=(1, 2), initial=0.0) <= 1e-5
        return bool(np.any(equal_events & near & nearby))

    def _switch(self, event: int) -> None:
        """Add the branches that are born at an event."""
        s, branch = self.session, int(self.session["event_branch"][event])
        level = int(s["branch_level"][branch]) + 1
        if s["event_kind"][event] not in SWITCHING or level > self.options.switch + 1:
            return
        system = self._system(branch)
        point = self._event_point(system, event)
        label, along = int(s["event_label"][event]), s["event_tangent"][event][: system.unknowns + 1]
        s["event_born"][event] = 0
        for born in new_branches(system, point, label, along, s["alike"]):
            s["event_born"][event] += 1
            self._add_branch(System(self.family, born.groups), born.point, born.direction, level, event)

    def _add_branch(
        self, system: System, point: CurvePoint, along: ndarray, level: int = 0, event: int = NONE
    ) -> None:
        columns = {"groups": system.groups, "tangent": tangent(point.at, along), "ending": known.WAITING}
        self._add("branch", system, point, level=level, event=event, **columns)

    # -- starts of branches ---------------------------------------------------------------------------------

    def _search(self, end: int) -> None:
        """Search the symmetric equilibria at one end of the range, or follow the start both ways."""
        s = self.session
        if not np.any(np.isnan(s["start"])):
            if end == 0:
                self._start_both_ways(s["start"])
            return
        _, groups = np.unique(s["alike"], return_inverse=True)
        system = System(self.family, groups)
        # by the end: draws do not depend on what was searched before
        rng = np.random.default_rng([int(s["seed"][0]), end])
        roots: list[ndarray] = []
        for x in self._search_starts(rng):
            # end 0 is the upper end of the range; branches begin towards the other end
            point = search(system, np.append(system.of(x, self.family.low)[:-1], 1.0 - end))
            if point is None or self._margin(system, point) < MARGIN:
                continue
            if all(np.max(np.abs(point.y - root)) > 1e-6 for root in roots):
                roots.append(point.y)
                self._add_branch(system, point, np.eye(len(point.y))[-1] * (1.0 if end else -1.0))

    def _search_starts(self, rng: np.random.Generator) -> list[ndarray]:
        """Return the profiles at which searches start: the middle of the space, then random ones."""
        space: Any = self.family.space
        if isinstance(space, Simplex):
            random_shape = (self.options.searches - 1, *space.shape)
            mask = self.family.mask
            # normalised exponential draws are uniform on a simplex
            weights = [mask, *np.where(mask, rng.exponential(size=random_shape), 0.0)]
            return [sample / sample.sum(axis=1, keepdims=True) for sample in weights]
        low, high = np.asarray(space.low), np.asarray(space.high)
        parts = [np.full(space.shape, 0.5), *uniform(space, rng, self.options.searches - 1)]
        return [low + part * (high - low) for part in parts]

    def _start_both_ways(self, start: ndarray) -> None:
        """Add both halves of the branch through the equilibrium near a given profile."""
        family = self.family
        system = System(family, group_players(start, family.width, self.session["alike"]))
        value = family.high
        if not callable(family.parameter):
            value = float(np.clip(family.value, family.low, family.high))
        point = search(system, system.of(start, value))
        for way in (-1.0, 1.0):
            # at an end of the range one half leads out of it
            if point is not None and 0.0 < point.y[-1] + way * 1e-9 < 1.0:
                self._add_branch(system, point, np.eye(len(point.y))[-1] * way)

    # -- cycles and certificates ----------------------------------------------------------------------------

    def _trace_cycles(self, hopf: int) -> None:
        """Add the cycles born at a Hopf point."""
        s = self.session
        event = int(np.flatnonzero(s["event_kind"] == HOPF)[hopf])
        start = float(s["event_value"][event]), s["event_x"][event]
        for value, orbit in cycles_near_hopf(self.family, *start, self.options.cycles):
            columns = {name: getattr(orbit, name) for name in ("period", "stable", "low", "high")}
            add(s, "orbit", hopf=hopf, value=value, **columns)

    def _certify(self) -> bool:
        """Compute payoffs and regrets of the next row; return False if every row has them."""
        s = self.session
        todo = np.flatnonzero(s["row_coverage"] == 0)
        if not todo.size or self.options.certify == "none":
            return False
        row = int(todo[0])
        value, x = float(s["row_value"][row]), s["row_x"][row]
        s["row_payoff"][row], regret = self.family.payoffs_and_gains(value, x, self.options.points)
        coverage = "lower bound"
        if self.options.certify == "full":
            proof = certificate(self.family.at(value), x)
            regret, coverage = proof.regret, proof.coverage
        s["row_regret"][row], s["row_coverage"][row] = regret, known.COVERAGES.index(coverage)
        return True


def _number_of_task(counter: ndarray) -> int:
    """Return the number of the next task, and count it as done."""
    counter[0] += 1
    return int(counter[0]) - 1
