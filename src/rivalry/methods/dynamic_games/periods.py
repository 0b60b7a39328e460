"""Backward induction over periods, each a game given continuation values."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.certificates.certify import certificate
from rivalry.core.game import Game, Playable, Record, scale
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import PAYOFFS, knows
from rivalry.core.oracles import discount_factors, stage_game, to_stages
from rivalry.core.payoffs import payoffs
from rivalry.core.results import UNREFUTED, scalar
from rivalry.methods.limit_sets.nearby_equilibria import SearchPoints, ends_from, random_starts
from rivalry.runtime.jax import floats, put

REST = 1e-12  # of the payoff scale: values that change less are at rest
ITERATIONS = 200  # most passes over an infinite horizon


class Periods(BaseLearner):
    """Equilibrium of play over periods by backward induction.

    For games whose periods are linked only through the probability of continuation. Period ``t`` is then a
    one-shot game (`rivalry.oracles.stage_game`) in which every player receives the period's payoff, and
    ``ahead`` if play continues: the value of the next period, 0 after the last. One step is one period, the
    last first. Sequential best responses start from the solution of the next period and from ``tries`` - 1
    random profiles, refined by Newton's method; a search certifies every end, and the first equilibrium
    counts. For an infinite horizon, a step is one pass of policy iteration: it solves the stage game for the
    continuation values, and these become the perpetual value of its solution, until they are stationary (``V
    = u / (1 - gamma q_0)``).

    The record holds the profile of all periods, ``value`` (stage, player), the payoff of a period and all
    after it, in units of the start's payoffs, ``stage_regret`` (period, player), and ``stage_equilibria``
    (period), the number of distinct certified ends of the starts. The certificate is that of the whole.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.race(performance_productivity=1.0, horizon=2, gamma=[0.9, 1.0])
    >>> solution = rv.solve(game, Periods())
    >>> solution.status, solution.data.value.values.round(4).tolist()
    ('converged', [[0.3563, 0.3751], [0.1688, 0.1875], [0.0, 0.0]])

    References
    ----------
    Fudenberg and Tirole, Game Theory, 1991, section 4.2.
    """

    tries: Annotated[int, Ge(1), Le(100_000), "starting profiles of best responses per period"] = 1
    points: SearchPoints = 201

    needs = (PAYOFFS, knows(stage_game))

    def world(self, game: object) -> Any:
        """Return the game. Raise `ValueError` where a period depends on more than the continuation values."""
        reason = to_stages(game).coupled
        if reason:
            raise ValueError(f"periods: {reason}; use best_response or feedback")
        return game

    def length(self, world: object) -> int:
        """Return the number of steps: one per period."""
        return ITERATIONS if to_stages(world).infinite_horizon else to_stages(world).periods

    def begin(self, world: object, stream: SeedSequence) -> Session:
        """Return a session with random starts from the last period's space."""
        return self.begin_at(world, stream, None)

    def begin_at(self, world: Any, stream: SeedSequence, start: object) -> Session:
        """Return a session whose last period starts at the last columns of ``start``.

        Other starts are random.
        """
        periods, players = to_stages(world).periods, world.space.shape[0]
        space = stage_game(world, 0, put(np.zeros(players))).space
        final_columns = None if start is None else floats(start)[:, -space.shape[1] :]
        starts = random_starts(space, stream, self.tries, final_columns)
        return {
            "starts": starts,
            "profile": np.full((periods, *starts.shape[1:]), np.nan),
            "value": np.zeros((periods if to_stages(world).infinite_horizon else periods + 1, players)),
            "regret": np.full((periods, players), np.nan),
            "count": np.zeros(periods, int),
            "done": np.array([0]),
            "rests": np.zeros(1, bool),
        }

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Solve up to ``steps`` periods."""
        solve = self._pass if to_stages(world).infinite_horizon else self._period
        for periods in range(steps):
            if self._over(world, session):
                return periods
            solve(world, session)
            session["done"][0] += 1
        return steps

    def _over(self, world: object, session: Session) -> bool:
        return bool(session["rests"][0]) or int(session["done"][0]) >= self.length(world)

    def _period(self, world: object, session: Session) -> None:
        t = to_stages(world).periods - 1 - int(session["done"][0])
        stage = stage_game(world, t, put(session["value"][t + 1]))
        # the solution of the next period is near; in the last period the slice is empty
        self._solve(stage, session, t, _starts(session["profile"][t + 1 :][:1], session))
        session["value"][t] = payoffs(stage, session["profile"][t])

    def _pass(self, world: Any, session: Session) -> None:
        """Run one pass of policy iteration."""
        before, gamma = session["value"][0].copy(), np.asarray(discount_factors(world))
        stage = stage_game(world, 0, put(gamma * before))
        self._solve(stage, session, 0, _starts(session["profile"], session))
        # the exact value of playing this profile forever: policy iteration, not value iteration
        after = payoffs(world, session["profile"][0])
        session["value"][0] = after
        # `not >`: NaN ends the iteration, too, and `read` reports an unsolved period by its count
        session["rests"][0] = not np.max(np.abs(after - before)) > REST * scale(world)

    def _solve(self, stage: Game, session: Session, t: int, starts: ndarray) -> None:
        """Write the stage game's equilibrium, if one is found, into the session's row ``t``."""
        ends: list[tuple[bool, ndarray, ndarray]] = []  # certified, profile, regret
        for x in ends_from(stage, starts[: self.tries], points=self.points):
            proof = certificate(stage, x)
            ends.append((proof.claim in UNREFUTED, x, proof.regret))
        ends.sort(key=lambda end: not end[0])  # certified ends first, in the order of the starts
        if ends:
            _, session["profile"][t], session["regret"][t] = ends[0]
        session["count"][t] = sum(certified for certified, _, _ in ends)

    def read(self, world: Playable, session: Session) -> Record:
        """Return the profile of all periods; NaN in unsolved ones."""
        profile = np.moveaxis(session["profile"], 1, 0).reshape(world.space.shape[0], -1)
        record: Record = {
            "profile": (("player", "axis"), profile),
            "value": (("stage", "player"), session["value"].copy()),
            "stage_regret": (("period", "player"), session["regret"].copy()),
            "stage_equilibria": (("period",), session["count"].copy()),
        }
        if self._over(world, session):
            good = np.all(session["count"] > 0)
            if to_stages(world).infinite_horizon:
                good = good and session["rests"][0]
            record["status"] = scalar("converged" if good else "not found")
        return record


def _starts(solved: ndarray, session: Session) -> ndarray:
    """Return starts: the last solution, if there is one, then the starts of the session."""
    return np.concatenate([solved[np.isfinite(solved).all(axis=(1, 2))], session["starts"]])
