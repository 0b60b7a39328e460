"""Mixed equilibria of a finite game: all extreme ones for two players, by branch and prune for more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product
from math import inf
from typing import Annotated, Literal

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import exact_tables, stateless_tables
from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.core.tolerances import LISTED_REGRET
from rivalry.methods.finite.pure_equilibria import (
    equilibria_record,
    expected_over,
    pure_profiles,
    support_order,
)
from rivalry.methods.finite.support_differences import differences
from rivalry.methods.finite.support_search import SupportSearch
from rivalry.runtime.jax import search_clock
from rivalry.tables.exact import best_responses
from rivalry.tables.extreme_equilibria import (
    Strategy,
    TooMany,
    extreme_equilibria,
    guessed_supports,
    lemke_howson,
    whole_payoffs,
)

SAME_EQUILIBRIUM = 1e-6  # approximate equilibria this close in every probability are the same
TIES = "best responses tie, so that equilibria that are not isolated may be missing"
DIGITS = 52  # binary digits of payoffs in units of their range, where one equilibrium is sought


class MixedEquilibria(BaseLearner):
    """Equilibria of a finite game in mixed strategies.

    ``vertex_enumeration``, for two players, finds all *extreme* equilibria in exact arithmetic, also of
    degenerate games: the pairs of vertices of the best-response polytopes that have every label. Every
    equilibrium lies in a product of two polytopes whose vertices are extreme equilibria.
    ``lemke_howson`` (two players) follows a path from every label, in exact arithmetic, and also lists every
    pure equilibrium. ``auto`` uses vertices; where a game of two players is too large for that, it follows
    paths: above 12 million bases of a polytope (more than random games with 20 actions each have, after about
    a minute). Of three and more players the list is that of `FiniteEquilibria`, within its limits, with the
    vertices of its sets.

    ``one`` stops at the first equilibrium, whatever the algorithm: a pure one where there is any, else the
    end of one path of Lemke and Howson (two players), or the first that branch and prune proves.

    The record holds ``equilibria`` (equilibrium, player, action), smallest supports first,
    ``equilibrium_payoff``, ``equilibrium_count``, ``pure_count``, ``partly_mixed_count`` (neither pure nor
    with positive probabilities of all actions), ``degenerate`` (whether ties were found that make the game
    degenerate), ``complete`` (bool) and, in words, ``complete_reason``; the profile is the first. For two
    players' vertices also ``extreme_count``, ``component`` (equilibrium), the connected component of the set
    of equilibria that each belongs to, and ``component_count``.

    ``complete`` is true where the list describes all equilibria: for two players by their vertices, with
    payoffs as `rivalry.tables.extreme_equilibria.whole_payoffs` reads them: decimals and thirds as such,
    other floats as they are; for three and more players by `FiniteEquilibria`, and where no set is left.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("battle_of_the_sexes"), MixedEquilibria())
    >>> solution.data.equilibria[2].values.tolist(), bool(solution.data.complete)
    ([[0.6, 0.4], [0.4, 0.6]], True)

    References
    ----------
    Avis, Rosenberg, Savani and von Stengel, Economic Theory 42, 2010; Lemke and Howson, SIAM Journal 12,
    1964.
    """

    algorithm: Literal["auto", "vertex_enumeration", "lemke_howson"] = "auto"
    one: Annotated[bool, "stop at the first equilibrium: a pure one, else the end of a path"] = False

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        tables = stateless_tables(world)
        if len(tables) != 2 and self.algorithm in ("vertex_enumeration", "lemke_howson"):
            raise ValueError(f"algorithm: {self.algorithm} is for two players; this game has {len(tables)}")
        sizes = tables.shape[1:]
        return {
            "found": np.zeros((0, len(sizes), max(sizes))),
            "over": np.zeros(1, bool),
            "reason": np.array("no step was taken"),
        }

    def advance(self, world: object, session: Session, steps: int, *, end: float = inf) -> int:
        """Search in one step; an enumeration of vertices stops at the time ``end``."""
        if not steps or session["over"][0]:
            return 0
        session.update(self._solutions(exact_tables(world), session, end))
        return 1

    def _solutions(self, tables: ndarray, session: Session, end: float) -> Session:
        """Return the session's entries after the search."""
        if self.one:
            equilibrium = one_mixed(tables)
            profiles = (
                np.zeros((0, *session["found"].shape[1:])) if equilibrium is None else equilibrium[None]
            )
            return _result(profiles, "one equilibrium, since one was asked for")
        if len(tables) > 2:
            return _proved_list(tables)
        reason = ""
        if self.algorithm != "lemke_howson":
            try:
                return vertex_list(tables, end)
            except TooMany as error:
                if self.algorithm != "auto":
                    raise ValueError(f"algorithm: {self.algorithm}: {error}; use lemke_howson") from None
                reason = f"; {error}"
        pure = pure_profiles(tables)
        origin, ends = "from every label", list[ndarray]()
        for pair in lemke_howson(tables):
            ends.append(_padded(tables, pair))
            if search_clock() > end:
                origin = "from a label"
                break
        equilibria = _add_verified(tables, pure, ends)
        return _result(equilibria, f"all pure equilibria, and one {origin} by Lemke and Howson{reason}")

    def read(self, world: object, session: Session) -> Record:
        tables = stateless_tables(world)
        equilibria = session["found"]
        order = support_order(equilibria)
        equilibria = equilibria[order]
        status = "converged" if session["over"][0] else "iteration limit"
        complete = bool(session.get("complete", [False])[0])
        degenerate = (
            session["degenerate"][0]
            if "degenerate" in session
            else _degenerate(exact_tables(world), equilibria)
        )
        reason = str(session["reason"])
        reason += f"; {TIES}" * bool(degenerate and not complete and not self.one and len(tables) == 2)
        record = equilibria_record(tables, equilibria, status, complete, reason)
        record["degenerate"] = scalar(bool(degenerate))
        played = (equilibria > 0).sum(axis=(1, 2))
        record["pure_count"] = scalar(int((played == len(tables)).sum()))
        partly = (played > len(tables)) & (played < sum(tables.shape[1:]))
        record["partly_mixed_count"] = scalar(int(partly.sum()))
        if "component" in session:
            record |= component_record(session["component"][order])
        return record


def component_record(component: ndarray) -> Record:
    """Return the connected component of each extreme equilibrium, numbered in the order of the list."""
    _, indices, number = np.unique(component, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(indices))
    return {
        "component": (("equilibrium",), rank[number]),
        "component_count": scalar(len(indices)),
        "extreme_count": scalar(len(component)),
    }


def one_mixed(tables: ndarray) -> ndarray | None:
    """Return one equilibrium ``[player action]`` of ``tables [player action_0 ..]``.

    None where none is found.

    A pure one, if there is any; else the end of a path of Lemke and Howson (two players), or the first that
    branch and prune proves.

    Examples
    --------
    >>> pennies = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
    >>> one_mixed(pennies).round(6).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    pure = pure_profiles(tables)
    if len(pure):
        return pure[0]
    if len(tables) > 2:
        proved = _proved_list(tables, only_first=True)["found"]
        return proved[0] if len(proved) else None
    scaled = normalise(tables)
    return next((x for x in _by_paths(scaled) if _regret(scaled, x) <= LISTED_REGRET), None)


def _by_paths(scaled: ndarray) -> Iterator[ndarray]:
    """Yield profiles at the ends of paths of two players: of the first path in floats, then of exact ones."""
    # as many digits as a float has, whatever the sizes of payoffs: exact ones could cost thousands
    tables = np.rint(scaled * 2.0**DIGITS)
    for supports in islice(guessed_supports(tables), 1):
        played = np.zeros((2, max(tables.shape[1:])), bool)
        for row, actions in zip(played, supports, strict=True):
            row[actions] = True
        if (x := _newton(scaled, played / played.sum(axis=1, keepdims=True), played)) is not None:
            yield x
    yield from (refine(scaled, _padded(tables, pair)) for pair in lemke_howson(tables))


def vertex_list(tables: ndarray, end: float) -> Session:
    """Return all extreme equilibria of two players; of one player, the best actions. Raises `TooMany`."""
    if len(tables) == 1:
        equilibria, reason = pure_profiles(tables), "all best actions of the only player"
        component, degenerate = np.zeros(len(equilibria), np.int64), len(equilibria) > 1
    else:
        extremes, reason = extreme_equilibria(tables, end=end), "all extreme equilibria, in exact arithmetic"
        equilibria = np.array([_padded(tables, pair) for pair in extremes.profiles])
        component, degenerate = extremes.component, extremes.degenerate
    return _result(equilibria, reason) | {
        "component": component,
        "degenerate": np.array([degenerate]),
        "complete": np.array([True]),
    }


def _padded(tables: ndarray, pair: tuple[Strategy, Strategy]) -> ndarray:
    """Return two players' strategies as a profile ``[player action]``."""
    profile = np.zeros((2, max(tables.shape[1:])))
    for player, strategy in enumerate(pair):
        profile[player, : len(strategy)] = [float(p) for p in strategy]
    return profile


def _proved_list(tables: ndarray, *, only_first: bool = False) -> Session:
    """Return equilibria of three and more players, each proved, and the vertices of their sets.

    With ``only_first`` the search ends there.
    """
    search, world = SupportSearch(), differences(tables)
    session = search.begin(world, np.random.SeedSequence(0))
    while search.advance(world, session, 1):
        if only_first and len(session["found"]):
            break
    record = search.read(world, session)
    equilibria, complete = record["equilibria"][1], bool(record["complete"][1])
    if "equilibrium_vertex" in record:
        vertices = record["equilibrium_vertex"][1]
        mixed = vertices[(vertices > 0).sum(axis=(1, 2)) > len(tables)]
        # between vertices of a set there are infinitely many more
        equilibria, complete = np.concatenate([equilibria, mixed]), False
    return _result(equilibria, str(record["complete_reason"][1])) | {"complete": np.array([complete])}


def _result(equilibria: ndarray, reason: str) -> Session:
    return {"found": equilibria, "over": np.array([True]), "reason": np.array(reason)}


def _add_verified(tables: ndarray, equilibria: ndarray, candidates: Iterable[ndarray]) -> ndarray:
    """Return ``equilibria`` and those of ``candidates`` that are new and have negligible regret."""
    scaled = normalise(tables)
    for profile in candidates:
        is_known = any(np.max(np.abs(equilibrium - profile)) < SAME_EQUILIBRIUM for equilibrium in equilibria)
        if not is_known and _regret(scaled, profile) <= LISTED_REGRET:
            equilibria = np.concatenate([equilibria, profile[None]])
    return equilibria


def normalise(tables: ndarray) -> ndarray:
    """Return every player's payoffs scaled to [0, 1]: the same equilibria, whatever the units."""
    flat = tables.reshape(len(tables), -1)
    if tables.dtype == object:
        whole = [whole_payoffs(table) for table in tables]
        return np.array([table / max(1, table.max()) for table in whole], float)
    # tolerances are absolute below, so units must not matter
    low, span = flat.min(axis=1), np.ptp(flat, axis=1)
    scaled = (flat - low[:, None]) / np.where(span > 0, span, 1.0)[:, None]
    return np.reshape(scaled, tables.shape)


def _degenerate(tables: ndarray, equilibria: ndarray) -> bool:
    """True for a pure action with two best responses, or an equilibrium with an unplayed best response."""
    if any(np.any(best_responses(tables, p).sum(axis=p) > 1) for p in range(len(tables))):
        return True
    scaled = normalise(tables)
    for x, (player, size) in product(equilibria, enumerate(tables.shape[1:])):
        values = expected_over(scaled[player], x, (player,))
        if np.any((values >= values.max() - 1e-7) & (x[player, :size] <= SAME_EQUILIBRIUM)):
            return True
    return False


def _regret(tables: ndarray, x: ndarray) -> float:
    values = [expected_over(table, x, (player,)) for player, table in enumerate(tables)]
    return max(float(v.max() - v @ x[p, : len(v)]) for p, v in enumerate(values))


def refine(tables: ndarray, x: ndarray) -> ndarray:
    """Return ``x`` refined by Newton's method on its support, if that is closer to an equilibrium.

    Supports are guessed at several thresholds: an approximation may play an action by mistake.
    """
    refined, regret = x, _regret(tables, x)
    if regret <= 1e-15:
        return x
    for threshold in (1e-2, 1e-3, 1e-4, 1e-6):
        candidate = _newton(tables, x, x > threshold)
        if candidate is not None and (new := _regret(tables, candidate)) < regret:
            refined, regret = candidate, new
    return refined


def _newton(tables: ndarray, x: ndarray, played: ndarray) -> ndarray | None:
    """Solve for equal payoffs on the support and probabilities with sum one; None where that fails."""
    if not np.all(played.any(axis=1)):
        return None
    x = np.where(played, x, 0.0)
    x = x / x.sum(axis=1, keepdims=True)
    place = [np.flatnonzero(row) for row in played]
    for _ in range(30):
        residual, slope = _indifference(tables, x, place)
        # least squares: the slope is singular where the equilibrium is not isolated
        move = np.linalg.lstsq(slope, -residual, rcond=None)[0]
        x[played] += move  # row by row, as the places are stacked
        # probabilities far outside [0, 1]: Newton's method diverges
        if not np.isfinite(x).all() or np.max(np.abs(x)) > 10:
            return None
        if np.max(np.abs(move)) < 1e-15:
            break
    # beyond rounding: payoffs on the support are equal only outside the simplex
    if np.min(x) < -1e-12:
        return None
    x = np.maximum(x, 0.0)
    return x / x.sum(axis=1, keepdims=True)


def _indifference(tables: ndarray, x: ndarray, supports: list[ndarray]) -> tuple[ndarray, ndarray]:
    """Return residuals of the support's equations and their slope, both stacked player by player.

    ``tables`` are ``[player, action of each player]``; ``x`` is ``[player action]``.
    """
    starts = np.concatenate([[0], np.cumsum([len(actions) for actions in supports])])
    residual = np.zeros(starts[-1])
    slope = np.zeros((starts[-1], starts[-1]))
    for i, support in enumerate(supports):
        # k actions: k - 1 equalities of payoffs, and the sum of probabilities
        sum_row = starts[i + 1] - 1
        rows = slice(starts[i], sum_row)
        values = expected_over(tables[i], x, (i,))[support]
        residual[rows] = values[1:] - values[0]
        residual[sum_row] = x[i, support].sum() - 1.0
        slope[sum_row, starts[i] : starts[i + 1]] = 1.0
        for j, rival_support in enumerate(supports):
            if j == i:
                continue
            payoffs = expected_over(tables[i], x, (i, j))
            if i > j:  # axes are in the order of the players
                payoffs = payoffs.T
            against = payoffs[np.ix_(support, rival_support)]
            slope[rows, starts[j] : starts[j + 1]] = against[1:] - against[0]
    return residual, slope
