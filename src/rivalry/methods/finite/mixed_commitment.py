"""Optimal commitment of a leader to a mixed strategy in a finite game of two players."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.array_games import exact_tables, stateless_tables
from rivalry.core.exact_payoffs import exact_payoff
from rivalry.core.method import OneStepLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.methods.finite.correlated_equilibrium import best_distribution, bound_record


class MixedCommitment(OneStepLearner):
    """Commitment to a mixed strategy that the other player observes (Conitzer and Sandholm 2006).

    Per action of the follower a linear programme finds the best strategy of the leader to which that action
    is a best response; ties are broken in the leader's favour. The strategy is then taken as fractions and
    checked exactly, and the dual solutions prove an upper bound on what any commitment can pay. A profile of
    a commitment need not be an equilibrium, so it has no certificate.

    The record holds ``commitment`` (player, axis), the leader's strategy and the follower's response;
    ``commitment_payoff`` (player); ``value_bound`` (end), proved bounds on the leader's payoff, the lower one
    -inf where the follower's action misses a best response by ``concept_residual``; in text, as exact
    fractions, ``exact_bound`` (end), ``exact_profile`` (player, axis) and ``exact_multipliers`` (response,
    other), which prove the upper bound. Per action of the follower they weight what it gains over its others;
    where this sum is below 0 at all actions of the leader, the action is never a best response, and else the
    leader gets at most the largest sum of it and its own payoff.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix([[2, 4], [1, 3]], [[1, 0], [0, 1]]), MixedCommitment())
    >>> solution.data.exact_profile.values.tolist(), solution.data.exact_bound.values.tolist()
    ([['1/2', '1/2'], ['0', '1']], ['7/2', '7/2'])

    References
    ----------
    Conitzer and Sandholm, "Computing the optimal strategy to commit to", EC 2006.
    """

    leader: Annotated[int, Ge(0), Le(1), "the player that commits"] = 0

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        tables = stateless_tables(world)
        if len(tables) != 2:
            raise ValueError(f"game: {len(tables)} players; must be two for this method")
        return self.unfinished()

    def result(self, world: object) -> Session:
        """Return the best of one programme per action of the follower."""
        exact = np.vectorize(exact_payoff, otypes=[object])(exact_tables(world))
        payoffs, rival = (
            exact[k] if self.leader == 0 else exact[k].T for k in (self.leader, 1 - self.leader)
        )
        programmes, multipliers = [], np.full((payoffs.shape[1],) * 2, Fraction(0), object)
        for action in range(payoffs.shape[1]):
            gains = np.delete(rival[:, [action]] - rival, action, axis=1).T
            solution = best_distribution(payoffs[:, action], gains)
            multipliers[action, np.arange(len(multipliers)) != action] = solution.multipliers
            if solution.shares is not None:
                programmes.append((solution.value, -action, solution))
        # the first of actions that pay the leader the same
        _, minus, optimum = max(programmes, key=lambda row: row[:2])
        action, bound = (
            -minus,
            max(solution.bound for *_, solution in programmes if solution.bound is not None),
        )
        profile = np.full((2, max(payoffs.shape)), Fraction(0), object)
        profile[self.leader, : len(payoffs)] = optimum.shares
        profile[1 - self.leader, action] = Fraction(1)
        pays = [optimum.value, rival[:, action] @ optimum.shares]
        return {
            "profile": profile.astype(str),
            "payoff": np.array(pays if self.leader == 0 else pays[::-1]).astype(float),
            "multipliers": multipliers.astype(str),
            "bound": np.array([str(optimum.value), str(bound), str(optimum.violation)]),
        }

    def read(self, world: object, session: Session) -> Record:
        if not session["over"][0]:
            return {"status": scalar("iteration limit")}
        strategies = [[float(Fraction(p)) for p in row] for row in session["profile"].tolist()]
        return {
            "commitment": (("player", "axis"), np.array(strategies)),
            "commitment_payoff": (("player",), session["payoff"]),
            "exact_profile": (("player", "axis"), session["profile"]),
            "exact_multipliers": (("response", "other"), session["multipliers"]),
        } | bound_record(session["bound"], "commitment")
