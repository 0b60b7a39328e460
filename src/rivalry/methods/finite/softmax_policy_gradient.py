"""Gradient ascent of expected payoffs in the logits of softmax policies."""

from __future__ import annotations

from math import inf
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Lt
from numpy import ndarray

from rivalry.core.method import Session
from rivalry.methods.continuous import mixtures
from rivalry.methods.continuous.mixtures import compared
from rivalry.methods.finite.hedge import SoftmaxLearner


class SoftmaxPolicyGradient(SoftmaxLearner):
    """Gradient ascent of every player's expected payoff in the logits of a softmax over actions,
    simultaneously.

    ``exact``: ``logits_a += rate pi_a (u_a - pi.u)`` with ``u_a`` the payoff of action a against the others'
    current mixtures. ``sampled``: the mean over ``batch`` joint actions drawn from the mixtures of ``(r - b)
    (1[a was drawn] - pi_a)``, whose expectation is the exact step (Williams 1992), with as
    baseline ``b`` the mean of the player's payoffs in earlier rounds.

    ``action_grid``, ``play`` and the record are those of `Hedge`; in the sampled form ``correlated_regret``
    compares with the drawn payoffs. Actions with small probability are rarely updated, so
    the dynamics leave a corner slowly.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("stag_hunt")
    >>> solution = rv.solve(game, SoftmaxPolicyGradient(rate=0.5, rounds=2000))
    >>> solution.profile.values.round(2).tolist()
    [[0.0, 1.0], [0.0, 1.0]]

    References
    ----------
    Williams, Machine Learning 8, 1992.
    """

    rate: Annotated[
        float | list[float] | None,
        Gt(0),
        Lt(inf),
        "step size per unit of payoff, for all or one per player (default: 0.5 over its payoff range)",
    ] = None
    gradient: Annotated[Literal["exact", "sampled"], "expected, or from sampled actions"] = "exact"
    batch: Annotated[int, Ge(1), "sampled: joint actions per update"] = 1

    rate_name: ClassVar[str] = "rate"
    usual_rate: ClassVar[float] = 0.5

    def advance(self, world: object, session: Session, steps: int) -> int:
        if self.gradient == "exact":
            return super().advance(world, session, steps)
        from rivalry.tables.kernels import draws, sampled_play

        tables, rates = compared(world), self._rates(world)
        # the compiled loop writes into the session's own arrays
        state = sampled_play.Climbing(*(session[name] for name in sampled_play.Climbing._fields))
        arguments = (tables.payoff[0], tables.sizes, rates, self.batch, mixtures.sample_steps())
        with draws.quiet():
            sampled_play.climb(*arguments, state, steps)
        return steps

    def _push(self, weights: ndarray, pays: ndarray, mean: ndarray) -> ndarray:
        # the derivative of pi.u in logit a is pi_a (u_a - pi.u)
        return weights * (pays - mean[:, None])
