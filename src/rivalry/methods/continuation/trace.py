"""The scheduler of a branch trace: next point, event, branch, orbit or certificate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rivalry.core.space import Simplex
from rivalry.methods.continuation import session as known
from rivalry.methods.continuation.events import KINDS, Cut, Event, cuts, refine
from rivalry.methods.continuation.groups import GroupSpectrum, System, grouped
from rivalry.methods.continuation.parametrised_game import Family
from rivalry.methods.continuation.pseudo_arclength import (
    CurvePoint,
    at_value,
    correct,
    search,
    step,
    tangent,
)
from rivalry.methods.continuation.session import NONE, Session, add, curve
from rivalry.methods.continuation.switching import beyond, births, lies_on

FIRST = 0.3  # first step, as a share of the longest
SWITCHING = tuple(KINDS.index(kind) for kind in ("symmetric_loss", "split"))
FOLD, HOPF = KINDS.index("fold"), KINDS.index("hopf")
TWICE = 1e-9  # of the range: closer events of one label are the same
MARGIN = 1e-9  # widths: closer points are on the bound


class TraceOptions(NamedTuple):
    """Tracing options, described in `Branches`."""

    step: list[float]
    switch: int
    most_branches: int
    most_points: int
    searches: int
    cycles: int | list[float]
    certify: str
    points: int


class Tracer:
    """Scheduler that reads the next task from the session and writes its result there."""

    def __init__(self, options: TraceOptions, family: Family, session: Session) -> None:
        self.options, self.family, self.session = options, family, session

    def one(self) -> bool:
        """Take one step; return whether any task was left."""
        s = self.session
        if s["alike"][0] == NONE:
            s["alike"] = self.family.exchange_classes(int(s["seed"][0]))
            return True
        walking = np.flatnonzero(s["branch_ending"] == known.WALKING)
        if walking.size:
            self._walk(int(walking[0]))
        elif s["cuts_done"][0] < len(s["cut_row"]):
            self._refine(int(s["cuts_done"][0]))
        elif s["events_done"][0] < len(s["event_kind"]):
            self._switch(int(s["events_done"][0]))
        elif np.any(s["branch_ending"] == known.WAITING):
            self._set_out(int(np.flatnonzero(s["branch_ending"] == known.WAITING)[0]))
        elif s["searched"][0] < known.SEARCHES:
            self._search(int(s["searched"][0]))
        elif self.options.cycles and s["hopfs_done"][0] < np.sum(s["event_kind"] == HOPF):
            self._cycles(int(s["hopfs_done"][0]))
        else:
            return self._certify()
        return True

    # -- rows -----------------------------------------------------------------------------------------------

    def _system(self, branch: int) -> System:
        return System(self.family, self.session["branch_groups"][branch])

    def _row(self, branch: int, system: System, point: CurvePoint, along: np.ndarray) -> GroupSpectrum:
        spectrum = system.spectrum(point.look.local)
        players = len(system.groups)
        add(
            self.session,
            "row",
            branch=branch,
            value=system.value(point.y),
            x=system.profile(point.y),
            tangent=along,
            real=spectrum.values.real,
            imag=spectrum.values.imag,
            label=spectrum.labels,
            payoff=np.full(players, np.nan),
            regret=np.full(players, np.nan),
            coverage=0,
        )
        return spectrum

    def _last(self, branch: int, system: System) -> tuple[int, np.ndarray, np.ndarray, GroupSpectrum]:
        """Return the last row of a branch: its index, unknowns, tangent and spectrum."""
        s = self.session
        row = int(np.flatnonzero(s["row_branch"] == branch)[-1])
        y = system.of(s["row_x"][row], float(s["row_value"][row]))
        values = s["row_real"][row] + 1j * s["row_imag"][row]
        return row, y, s["row_tangent"][row][: len(y)], GroupSpectrum(values, s["row_label"][row])

    # -- points --------------------------------------------------------------------------------------------

    def _walk(self, branch: int) -> None:
        s, system = self.session, self._system(branch)
        row, y, along, before = self._last(branch, system)
        own = np.flatnonzero(s["row_branch"] == branch)
        shortest, longest = self.options.step
        if len(own) >= self.options.most_points:
            self._end(branch, known.LONG)
            return
        taken = step(system, y, along, float(s["length"][0]), (shortest, longest))
        s["length"] = np.asarray([taken.length])
        if taken.point is None:
            self._end(branch, known.LOST)
            return
        point, ending = self._stopped(branch, system, y, taken.point)
        if point is not None:
            after = self._row(branch, system, point, tangent(point.look, along))
            # the first row of a branch that was born at an event is the event itself
            if len(own) > 1 or s["branch_event"][branch] == NONE:
                for cut in cuts(before, after, system.sizes):
                    add(s, "cut", row=row, label=cut.label, order=cut.order)
        if ending != known.WALKING:
            self._end(branch, ending)

    def _stopped(
        self, branch: int, system: System, y: np.ndarray, point: CurvePoint
    ) -> tuple[CurvePoint | None, int]:
        """Return the point, or the earlier point where the branch ends, and the ending."""
        s = self.session
        x = system.profile(point.y)
        if self.family.margin(x) < MARGIN:
            return self._until(
                system, y, point, lambda z: self.family.margin(system.profile(z)) - MARGIN
            ), known.BOUND
        before, after = (system.nearest_pair(z, s["alike"])[1] for z in (system.profile(y), x))
        if np.any(np.sum(before * after, axis=1) < 0):
            return None, known.MEET
        if not 0.0 <= point.y[-1] <= 1.0:
            edge = float(np.clip(point.y[-1], 0.0, 1.0))
            part = (edge - y[-1]) / (point.y[-1] - y[-1])
            return at_value(system, y + part * (point.y - y), edge), known.RANGE
        own = np.flatnonzero(s["row_branch"] == branch)
        first = system.of(s["row_x"][own[0]], float(s["row_value"][own[0]]))
        departure = s["row_tangent"][own[0]][: len(y)]
        chord = point.y - y
        part = float((first - y) @ chord / (chord @ chord))
        foot = y + np.clip(part, 0.0, 1.0) * chord
        back = np.linalg.norm(first - foot) <= 0.05 * np.linalg.norm(chord) and 0 <= part <= 1
        if len(own) > 5 and back and departure @ chord > 0:
            return point, known.CLOSED
        return point, known.WALKING

    def _until(self, system: System, y: np.ndarray, point: CurvePoint, inside: Any) -> CurvePoint | None:
        """Return the point between ``y`` and the next one where ``inside`` is zero."""
        from scipy.optimize import brentq

        chord = point.y - y
        normal = chord / np.linalg.norm(chord)

        def height(part: float) -> float:
            found = correct(system, y + part * chord, normal)
            return float(inside(found.y)) if found is not None else -1.0

        if height(0.0) <= 0 or height(1.0) >= 0:
            return None
        low = float(brentq(height, 0.0, 1.0, xtol=1e-12))
        return correct(system, y + low * chord, normal)

    def _end(self, branch: int, ending: int) -> None:
        self.session["branch_ending"] = _put(self.session["branch_ending"], branch, ending)

    def _set_out(self, branch: int) -> None:
        """Add the first rows of a branch, unless the branch is known already."""
        s, system = self.session, self._system(branch)
        started = len(np.unique(s["row_branch"]))
        if started >= self.options.most_branches:
            self._end(branch, known.MANY)
            return
        y = system.of(s["branch_x"][branch], float(s["branch_value"][branch]))
        along = s["branch_tangent"][branch][: len(y)]
        given = not np.any(np.isnan(s["start"])) and s["branch_event"][branch] == NONE
        for other in np.unique(s["row_branch"]) if not given else ():  # both halves share a point
            if lies_on(system, y, curve(s, int(other)), s["alike"]):
                self._end(branch, known.KNOWN)
                return
        event = int(s["branch_event"][branch])
        point = correct(system, y, along)
        if point is None:
            self._end(branch, known.LOST)
            return
        ahead = tangent(point.look, along)
        if event != NONE:
            start = system.of(s["event_x"][event], float(s["event_value"][event]))
            self._row(branch, system, CurvePoint(start, system.look(start), 0), ahead)
        self._row(branch, system, point, ahead)
        s["length"] = np.asarray([FIRST * self.options.step[1]])
        self._end(branch, known.WALKING)

    # -- events ---------------------------------------------------------------------------------------------

    def _refine(self, cut: int) -> None:
        s = self.session
        s["cuts_done"] = np.asarray([cut + 1])
        row = int(s["cut_row"][cut])
        branch = int(s["row_branch"][row])
        after = row + 1 + int(np.flatnonzero(s["row_branch"][row + 1 :] == branch)[0])
        system = self._system(branch)
        a, b = (system.of(s["row_x"][k], float(s["row_value"][k])) for k in (row, after))
        size = len(a)
        folds = bool(s["row_tangent"][row][size - 1] * s["row_tangent"][after][size - 1] < 0)
        whole = system.count == len(np.unique(s["alike"]))
        found = refine(
            system, a, b, Cut(int(s["cut_label"][cut]), int(s["cut_order"][cut])), folds=folds, whole=whole
        )
        if found is not None and not self._twice(branch, system, found):
            self._event(branch, system, found)

    def _twice(self, branch: int, system: System, event: Event) -> bool:
        """Return whether the event is the second of a pair, or a repetition by equal eigenvalues."""
        s, value = self.session, system.value(event.point.y)
        same = (s["event_branch"] == branch) & (s["event_label"] == event.label)
        same &= s["event_kind"] == event.kind
        near = np.abs(s["event_value"] - value) <= TWICE * (self.family.high - self.family.low)
        x = system.profile(event.point.y)
        there = np.max(np.abs(s["event_x"] - x), axis=(1, 2), initial=0.0) <= 1e-5 * np.max(self.family.width)
        return bool(np.any(same & near & there))

    def _event(self, branch: int, system: System, event: Event) -> None:
        from rivalry.core.jax import put

        x, value = system.profile(event.point.y), system.value(event.point.y)
        spectrum = system.spectrum(event.point.look.local)
        lyapunov = np.nan
        if event.kind == HOPF:
            from rivalry.methods.limit_sets.periodic_orbits import hopf_coefficient

            lyapunov = hopf_coefficient(self.family.at(value), put(x)).lyapunov
        add(
            self.session,
            "event",
            kind=event.kind,
            branch=branch,
            value=value,
            x=x,
            real=spectrum.values.real,
            imag=spectrum.values.imag,
            label=event.label,
            frequency=event.frequency,
            lyapunov=lyapunov,
            residual=event.residual,
        )

    def _switch(self, event: int) -> None:
        s = self.session
        s["events_done"] = np.asarray([event + 1])
        branch = int(s["event_branch"][event])
        level = int(s["branch_level"][branch]) + 1
        if s["event_kind"][event] not in SWITCHING or level > self.options.switch:
            return
        system = self._system(branch)
        y = system.of(s["event_x"][event], float(s["event_value"][event]))
        point = CurvePoint(y, system.look(y), 0)
        for born in births(system, point, int(s["event_label"][event]), s["alike"]):
            new = System(self.family, born.groups)
            self._branch(new, born.point, born.direction, level, event)

    def _branch(self, system: System, point: CurvePoint, along: np.ndarray, level: int, event: int) -> None:
        add(
            self.session,
            "branch",
            groups=system.groups,
            level=level,
            event=event,
            value=system.value(point.y),
            x=system.profile(point.y),
            tangent=tangent(point.look, along),
            ending=known.WAITING,
        )

    # -- starts of branches ---------------------------------------------------------------------------------

    def _search(self, end: int) -> None:
        s = self.session
        s["searched"] = np.asarray([end + 1])
        if not np.any(np.isnan(s["start"])):
            if end == 0:
                self._through(s["start"])
            return
        _, groups = np.unique(s["alike"], return_inverse=True)
        system = System(self.family, groups)
        part = 1.0 - end
        rng = np.random.default_rng([int(s["seed"][0]), end])
        found: list[np.ndarray] = []
        for place in self._places(system, rng):
            point = search(system, np.append(place, part))
            if point is None or self.family.margin(system.profile(point.y)) < MARGIN:
                continue
            if all(np.max(np.abs(point.y - other)) > 1e-6 for other in found):
                found.append(point.y)
                direction = np.eye(len(point.y))[-1] * (1.0 if end else -1.0)
                self._branch(system, point, direction, 0, NONE)

    def _places(self, system: System, rng: np.random.Generator) -> list[np.ndarray]:
        """Return starting points of searches: the middle of the space, then random ones."""
        space: Any = self.family.space
        shape = space.shape
        if isinstance(space, Simplex):
            mask = np.asarray(space.mask)
            profiles = [mask / mask.sum(axis=1, keepdims=True)]
            for _ in range(self.options.searches - 1):
                sample = np.where(mask, rng.exponential(size=shape), 0.0)
                profiles.append(sample / sample.sum(axis=1, keepdims=True))
        else:
            low, high = np.asarray(space.low), np.asarray(space.high)
            parts = [np.full(shape, 0.5), *rng.random((self.options.searches - 1, *shape))]
            profiles = [low + part * (high - low) for part in parts]
        return [system.of(x, self.family.low)[:-1] for x in profiles]

    def _through(self, start: np.ndarray) -> None:
        """Add both halves of the branch through the equilibrium near a given profile."""
        s = self.session
        system = System(self.family, grouped(start, self.family.width, s["alike"]))
        y = system.of(start, self._own_value())
        point = search(system, y)
        if point is None:
            return
        for way in (-1.0, 1.0):
            inside = 0.0 < point.y[-1] + way * 1e-9 < 1.0
            if inside:
                self._branch(system, point, np.eye(len(y))[-1] * way, 0, NONE)

    def _own_value(self) -> float:
        """Return the parameter's value in the given game, clipped to the range."""
        if callable(self.family.parameter):
            return self.family.high
        own = float(np.mean(np.asarray(getattr(self.family.game, self.family.parameter))))
        return float(np.clip(own, self.family.low, self.family.high))

    # -- cycles and certificates ----------------------------------------------------------------------------

    def _cycles(self, hopf: int) -> None:
        s = self.session
        s["hopfs_done"] = np.asarray([hopf + 1])
        event = int(np.flatnonzero(s["event_kind"] == HOPF)[hopf])
        for value, orbit in beyond(
            self.family, float(s["event_value"][event]), s["event_x"][event], self.options.cycles
        ):
            add(
                s,
                "orbit",
                hopf=hopf,
                value=value,
                period=orbit.period,
                stable=orbit.stable,
                low=orbit.low,
                high=orbit.high,
            )

    def _certify(self) -> bool:
        """Compute payoffs and regrets of the next row; return False if every row has them."""
        from rivalry.core.certify import certificate
        from rivalry.core.jax import put

        s = self.session
        todo = np.flatnonzero(s["row_coverage"] == 0)
        if not todo.size or self.options.certify == "none":
            return False
        row = int(todo[0])
        value, x = float(s["row_value"][row]), s["row_x"][row]
        payoff, regret = self.family.worth(value, x, self.options.points)
        coverage = "lower bound"
        if self.options.certify == "full":
            proof = certificate(self.family.at(value), put(x))
            regret, coverage = proof.regret, proof.coverage
        s["row_payoff"] = _put(s["row_payoff"], row, payoff)
        s["row_regret"] = _put(s["row_regret"], row, regret)
        s["row_coverage"] = _put(s["row_coverage"], row, known.COVERAGES.index(coverage))
        return True


def _put(array: np.ndarray, index: int, value: Any) -> np.ndarray:
    new = array.copy()
    new[index] = value
    return new
