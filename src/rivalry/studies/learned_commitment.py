"""A leader that learns from play when to stop its announced plan; the exact plan is in `commitment_dial`."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Le
from numpy import ndarray

from rivalry.core.method import Session
from rivalry.studies.commitment_dial import (
    Announced,
    CommitmentWithSwitchingCost,
    adjustment_of,
    before_choice,
    best_aims,
    choose_plans,
    continuation,
)
from rivalry.tables.kernels.draws import streams, uniforms


class LearnedCommitment(CommitmentWithSwitchingCost):
    """A leader that learns the values of announced plans, and of stopping them, by Q-learning over options.

    The plans, the threshold ``delta`` and the record are those of `CommitmentWithSwitchingCost`. The leader
    does not know the market. In every step it observes one transition from each node ``(o, s)``, a plan and
    both outputs, as from exploring starts: its payoff ``r`` and the outputs ``s'``. It updates

        Q(s, o) += n^-power (r + gamma max(Q(s', o), max_o' Q(s', o') - delta) - Q(s, o))

    at the n-th, and stops a plan where another is worth more by ``delta``. The follower knows the market and
    the leader's rule, to which each of its sweeps of dynamic programming is a best response. The certificate
    is of the learned rule: exact best responses of both firms, at every node.

    Examples
    --------
    >>> import rivalry as rv
    >>> firms = {"intercept": 10.0, "slope": 2.0, "unit_cost": 0.0, "gamma": 0.4, "initial": 1.0}
    >>> game = rv.games.market(adjustment="predetermined", adjustment_cost=40.0, **firms)
    >>> learner = LearnedCommitment(delta=1.0, targets=[1.0, 2.0], ramps=[0.25], levels=[1.0, 1.5, 2.0])
    >>> solution = rv.solve(game, learner, seed=1)
    >>> solution.status, solution.claim
    ('converged', 'equilibrium')

    References
    ----------
    Sutton, Precup and Singh, Artificial Intelligence 112, 1999, intra-option learning; the rule of
    termination of Han, Boehmer, Wooldridge and Rogers, arXiv 1910.09508; Even-Dar and Mansour, Journal of
    Machine Learning Research 5, 2003, on step sizes.
    """

    power: Annotated[float, Gt(0.5), Le(1), "the n-th update has the step size n^-power"] = 0.8

    def begin(self, world: Announced, stream: np.random.SeedSequence) -> Session:
        return super().begin(world, stream) | {"stream": streams(stream, int(np.prod(world.shape)))}

    def _sweep(self, world: Announced, session: Session) -> float:
        duel, value = world.duel, session["worth"]
        switch = choose_plans(value, self.delta)
        aim, follower = best_aims(duel, continuation(duel, session["follower"], switch, 0.0))

        draws = uniforms(session["stream"], 4).T.reshape(4, *world.shape)
        adjustment = adjustment_of(duel, aim)
        leader_level = duel.low[:, :, None] + (draws[0] < duel.part[:, :, None])
        follower_level = adjustment.low + (draws[1] < adjustment.part)
        leader_level = _disturbed(duel.spread_leader, leader_level, draws[2])
        follower_level = _disturbed(duel.spread_follower, follower_level, draws[3])

        session["clock"][0] += 1
        plan = np.arange(len(value))[:, None, None]
        after = before_choice(value, switch, self.delta)[plan, leader_level, follower_level]
        target = duel.flow[0] - duel.cost[:, :, None] + duel.gamma[0] * after
        learned = value + float(session["clock"][0]) ** -self.power * (target - value)
        session |= {"worth": learned, "follower": follower, "in_force": switch, "aim": aim}
        return float(np.abs(learned - value).max())


def _disturbed(spread: ndarray, level: ndarray, draw: ndarray) -> ndarray:
    """Return levels after a disturbance with transition probabilities ``spread`` [level level]."""
    if not spread.size:
        return level
    below = np.cumsum(spread, axis=1)[:, :-1]
    return np.asarray((below[level] < draw[..., None]).sum(axis=-1))
