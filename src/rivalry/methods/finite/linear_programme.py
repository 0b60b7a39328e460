"""One equilibrium of a zero-sum or constant-sum game of two players by a linear programme, with a proof."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import SequenceForm
from rivalry.core.method import OneStepLearner, Session
from rivalry.core.needs import TREE, Need
from rivalry.core.results import Record, scalar
from rivalry.tables.extreme_equilibria import common_payoffs, lemke_howson
from rivalry.tables.sequence_form import (
    Number,
    best_plan,
    fractions,
    information_sets,
    payoff_sum,
    rounded,
    transposed,
)

LARGE = 200_000  # leaves
PLANS = 100  # of each player, up to which a game is solved in integers where the bounds differ
CLOSE = 1e-6  # bounds on the value, in units of what most payoffs differ from it by
QUARTER = 0.25  # of the payoffs, which differ by less
UNREACHED = 1e-9  # of own moves: where these are less probable, moves are uniform


class LinearProgramme(OneStepLearner):
    """Value and optimal strategies of a zero-sum game of two players, by one linear programme.

    A game whose payoffs add to a constant, in exact arithmetic, is a zero-sum game up to that constant. Then
    the record also holds ``payoff_sum`` and ``game_values`` (player): the value of player 0, and the rest.

    Of a game in extensive form the programme is that of its sequence form (Koller, Megiddo and von Stengel
    1996), as large as the tree; of a matrix game it is von Neumann's. HiGHS solves it, by interior points
    where it is large. Its solution is one player's strategy, and the solution of the dual programme the
    other's. Both are then taken as fractions, and each player's best response to them is computed in exact
    arithmetic: what the one can still get and what the other can guarantee are bounds on the value that hold
    whatever the rounding errors. Where they differ, a game of up to 100 plans per player is solved in
    integers by Lemke and Howson's path; the status of a larger one is ``not found`` where they are far apart,
    as payoffs of a wide range can make them. At information sets that the player's own strategy excludes,
    moves are uniform.

    The record holds ``profile``; ``game_value``, the payoff of player 0 at it; ``value_bound`` (end), the
    proved bounds on the value, rounded outward; and in text, as exact fractions, ``exact_bound`` (end) and
    ``exact_profile`` (player, axis).

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix([[3, -1], [-2, 1]]), LinearProgramme())
    >>> solution.data.exact_bound.values.tolist(), solution.data.exact_profile[0].values.tolist()
    (['1/7', '1/7'], ['3/7', '4/7'])

    References
    ----------
    Koller, Megiddo and von Stengel, "Efficient computation of equilibria for extensive two-person games",
    Games and Economic Behavior 14, 1996.
    """

    needs: ClassVar[tuple[Need, ...]] = (
        TREE,
        Need(
            "two players and finitely many moves, with perfect recall",
            lambda game: oracles.to_sequence_form.knows(game) and game.space.shape[0] == 2,
        ),
    )

    def world(self, game: Any) -> SequenceForm:
        """Return the sequence form of the game."""
        return oracles.to_sequence_form(game)

    def begin(self, world: SequenceForm, stream: np.random.SeedSequence) -> Session:
        if len(world.sizes) != 2:
            raise ValueError(f"game: {len(world.sizes)} players; must be two for this method")
        try:
            payoff_sum(world)
        except ValueError as error:
            use = "MixedEquilibria, or SubgamePerfectEquilibria of a tree"
            raise ValueError(f"{error}; must be zero-sum or constant-sum; use {use}") from None
        return self.unfinished()

    def result(self, world: SequenceForm) -> Session:
        """Return strategies in fractions, if the programme has a solution or is small."""
        optimum = _optimal(world)
        exact = None if optimum is None else fractions(world, optimum)
        if exact is None or len(set(_bounds(world, exact))) > 1:
            solved = _solved_in_fractions(world)
            exact = exact if solved is None else solved
        return {} if exact is None else {"profile": exact.astype(str)}

    def read(self, world: SequenceForm, session: Session) -> Record:
        if "profile" not in session:
            status = "not found" if session["over"][0] else "iteration limit"
            profile = np.full(world.before.shape, np.nan)
            return {"profile": (("player", "axis"), profile), "status": scalar(status)}
        exact = np.array(np.vectorize(Fraction, otypes=[object])(session["profile"]))
        low, high = _bounds(world, exact)
        middle, total = float((low + high) / 2), payoff_sum(world)
        values = np.array([middle, float(total - (low + high) / 2)])
        shared: Record = {
            "payoff_sum": scalar(float(total)),
            "game_values": (("player",), values),
        }
        return {
            "profile": (("player", "axis"), exact.astype(float)),
            "status": scalar("converged" if _is_close(world, (low, high)) else "not found"),
            "game_value": scalar(middle),
            "value_bound": (("end",), np.array([rounded(low, -1), rounded(high, 1)])),
            "exact_bound": (("end",), np.array([str(low), str(high)])),
            "exact_profile": (("player", "axis"), exact.astype(str)),
        } | (shared if total else {})


def _bounds(form: SequenceForm, exact: ndarray) -> tuple[Fraction, Fraction]:
    """Return the bounds on the value that best responses of players 1 and 0 prove."""
    # payoffs of player 0 are the game; those of player 1, less the sum, may differ by rounding
    programme = form._replace(paid=form.paid[:, :1] * [1, -1])
    return -best_plan(programme, exact, 1)[1], best_plan(programme, exact, 0)[1]


def _is_close(form: SequenceForm, bounds: tuple[Fraction, Fraction]) -> bool:
    """True if bounds on the value are near each other beside what most payoffs differ from it by.

    A few payoffs far larger than all others are no yardstick.
    """
    low, high = map(float, bounds)
    off = np.abs(form.paid[:, 0].astype(float) / form.unit - (low + high) / 2)
    return bounds[0] == bounds[1] or high - low <= CLOSE * float(np.quantile(off, QUARTER))


def _solved_in_fractions(form: SequenceForm) -> ndarray | None:
    """Return optimal strategies at the end of a path in integers; None where players have many plans."""
    plans = [_plans(form, player) for player in range(2)]
    if max(map(len, plans)) > PLANS:
        return None
    paid = np.zeros([rows.shape[1] for rows in plans], object)
    np.add.at(paid, tuple((1 + form.moves).T), common_payoffs(form.paid[:, 0])[0])
    table = plans[0].astype(object) @ paid @ plans[1].T.astype(object)
    exact = np.full(form.before.shape, Fraction(0), object)
    for player, weights in enumerate(next(lemke_howson(np.array([table, -table])))):
        reach = np.array(weights, object) @ plans[player].astype(object)
        for axes in information_sets(form.sizes[player]):
            begin, moves = reach[1 + form.before[player, axes.start]], reach[1:][axes]
            exact[player, axes] = moves / begin if begin else Fraction(1, len(moves))
    return exact


def _plans(form: SequenceForm, player: int) -> ndarray:
    """Return the axes that each pure plan plays, after a 1, ``[plan 1 + axis]``; of many plans not all."""
    rows = np.eye(1, 1 + sum(form.sizes[player]), dtype=int)
    for axes in information_sets(form.sizes[player]):
        is_reached = rows[:, 1 + form.before[player, axes.start]] == 1
        moves = np.eye(rows.shape[1], dtype=int)[1:][axes]
        rows = np.concatenate([rows[~is_reached], *(rows[is_reached] + move for move in moves)])
        if len(rows) > PLANS:
            break
    return rows


def _optimal(form: SequenceForm) -> ndarray | None:
    """Return both players' optimal behaviour strategies ``[player axis]``; None where HiGHS finds none."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, hstack

    row_constraints, column_constraints = (_constraints(form, player) for player in range(2))
    moves, payoffs = _centred(form)
    unit = np.abs(payoffs).max(initial=0.0) or 1.0
    shape = (column_constraints.shape[1], row_constraints.shape[1])
    pays = coo_array((payoffs / unit, tuple((1 + moves).T[::-1])), shape=shape)
    # player 1's plans y have F y = f, y >= 0; the least payoff against x is max f'q with F'q <= A'x
    limits = hstack([-pays, column_constraints.T])
    begin = np.zeros(row_constraints.shape[0])
    begin[0] = 1.0
    objective = np.zeros(limits.shape[1])
    objective[row_constraints.shape[1]] = -1.0
    equal = hstack([row_constraints, coo_array((row_constraints.shape[0], column_constraints.shape[0]))])
    bounds = np.full((limits.shape[1], 2), [-np.inf, np.inf])
    bounds[: row_constraints.shape[1], 0] = 0.0
    # HiGHS itself chooses the simplex method, which takes much longer than interior points where it is large
    method = "highs-ipm" if len(form.paid) > LARGE else "highs"
    solved = linprog(objective, limits, np.zeros(limits.shape[0]), equal, begin, bounds=bounds, method=method)
    if solved.x is None:
        return None
    profile = np.zeros(form.before.shape)
    for player, plan in enumerate((solved.x[: row_constraints.shape[1]], -solved.ineqlin.marginals)):
        for axes in information_sets(form.sizes[player]):
            weights = np.maximum(plan[1:][axes], 0.0)
            is_reached = plan[1 + form.before[player, axes.start]] > UNREACHED and weights.sum() > 0
            profile[player, axes] = weights / weights.sum() if is_reached else 1.0 / len(weights)
    return profile


def _centred(form: SequenceForm) -> tuple[ndarray, ndarray]:
    """Last own moves ``[entry player]`` and payoffs of player 0 ``[entry]``, up to a constant of the game.

    What every move of an information set pays alike is paid by the move before. Next to a large constant,
    differences of payoffs would be below the tolerance of HiGHS.
    """
    entries: dict[int, dict[int, Any]] = {}
    for (row, column), payoff in zip(form.moves.tolist(), form.paid[:, 0].tolist(), strict=True):
        entries.setdefault(column, {})[row] = entries.get(column, {}).get(row, 0) + payoff
    # a player's sets can be settled by those of the other, so each is looked at twice
    for player in (1, 0, 1, 0):
        _settle(form, player, entries)
        entries = transposed(entries)
    entries.get(-1, {}).pop(-1, None)
    triples = [(row, column, payoff) for column, rows in entries.items() for row, payoff in rows.items()]
    table = np.array(triples, float).reshape(-1, 3)
    return table[:, :2].astype(int), table[:, 2]


def _settle(form: SequenceForm, player: int, entries: dict[int, dict[int, Number]]) -> None:
    """Move what all moves of a player's set pay alike to the move before, in ``[axis][rival axis]``."""
    for axes in reversed(list(information_sets(form.sizes[player]))):
        rows = [entries.get(axis, {}) for axis in range(axes.start, axes.stop)]
        before = entries.setdefault(int(form.before[player, axes.start]), {})
        for rival_axis in set.intersection(*map(set, rows)):
            values = [row[rival_axis] for row in rows]
            middle = (min(values) + max(values)) / 2
            for row in rows:
                row[rival_axis] -= middle
            before[rival_axis] = before.get(rival_axis, 0) + middle


def _constraints(form: SequenceForm, player: int) -> Any:
    """Return the equations ``[1 + set, 1 + axis]`` of realisation weights, that of the root first."""
    from scipy.sparse import coo_array

    sizes = np.array(form.sizes[player])
    sets, axes = np.repeat(1 + np.arange(len(sizes)), sizes), 1 + np.arange(sizes.sum())
    begins = np.cumsum(sizes) - sizes
    before = 1 + form.before[player, begins]
    rows = np.concatenate([[0], sets, 1 + np.arange(len(sizes))])
    columns = np.concatenate([[0], axes, before])
    values = np.concatenate([np.ones(1 + len(axes)), -np.ones(len(sizes))])
    return coo_array((values, (rows, columns)), shape=(1 + len(sizes), 1 + len(axes)))
