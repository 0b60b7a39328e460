"""Learners on the table of a finite game, round after round: one loop, and a rule for the next mixture."""

from __future__ import annotations

from abc import abstractmethod
from math import inf
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.method import Session
from rivalry.core.results import Record, scalar
from rivalry.methods.continuous import mixtures
from rivalry.methods.continuous.mixtures import (
    TableLearner,
    TabulatedGame,
    action_payoffs,
    compared,
    largest_gains,
    payoff_ranges,
    sample_steps,
    tables_of,
)
from rivalry.methods.q_learning.exploration import each_player
from rivalry.methods.q_learning.policies import nearest_grid_points

INERTIA = 2.0  # of conditional regret matching; must be above 1
RULES = ("unconditional", "conditional", "fictitious", "gradient")  # by their numbers in the compiled loop
REGRETS = {"coarse correlated": "correlated_regret", "correlated": "conditional_regret"}
"""The regret in the record, by the concept that play without it approaches."""


class RepeatedPlay(TableLearner):
    """Base class of repeated play by a rule, with regrets, and histories at log-spaced rounds."""

    open_ended: ClassVar[bool] = True

    def begin(self, world: object, stream: SeedSequence) -> Session:
        from rivalry.tables.kernels import draws

        sizes, samples = tables_of(world).sizes, len(sample_steps())
        players, most = shape = len(sizes), int(sizes.max())
        self._scale(world)  # checks the number of rates against the number of players
        return {
            "stream": draws.stream(stream),
            "clock": np.array([0]),
            "first": np.ones(shape),
            "last": np.zeros(players, int),
            "logits": np.zeros(shape),
            # sums over rounds: payoffs earned, and those that each action would have earned
            "earned": np.zeros(players),
            "would": np.zeros(shape),
            "swaps": np.zeros((players, 0, 0)),
            "played": np.zeros(shape),
            "joint_counts": np.zeros(0, int),
            "noted": np.array([0]),
            "regret_curve": np.zeros(samples),
            "play_curve": np.zeros((samples, players, most)),
        }

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Take steps in sampled play."""
        from rivalry.tables.kernels import draws, learn

        (rule, batch), tables = self._rule(), compared(world)
        # the compiled loop writes into the session's own arrays
        state, scale = learn.LearnerArrays(**session), self._scale(world)
        with draws.quiet():
            learn.play(
                tables.payoff[0], tables.sizes, RULES.index(rule), scale, batch, sample_steps(), state, steps
            )
        return steps

    def read(self, world: object, session: Session) -> Record:
        regrets = self._regrets(tables_of(world).sizes, session)
        noted = int(session["noted"][0])
        record = mixtures.played(world, self._reported(world, session))
        record |= {REGRETS[concept]: (("player",), regret) for concept, regret in regrets.items()}
        (concept,) = self.concepts()
        if concept in regrets:
            record["concept"] = scalar(concept)
            record["concept_residual"] = scalar(regrets[concept].max())
        record["regret_curve"] = ("sample",), session["regret_curve"][:noted].copy()
        return record | mixtures.histories(world, session["play_curve"][:noted])

    def _regrets(self, sizes: ndarray, session: Session) -> dict[str, ndarray]:
        """Return gains per round ``[player]`` by concept: of the best single action, at least 0."""
        gains = largest_gains(session["would"] - session["earned"][:, None], sizes)
        return {"coarse correlated": gains / rounds_of(session)}

    def _rule(self) -> tuple[str, int]:
        """Return the rule of sampled play, one of `RULES`, and the number of joint actions of a round."""
        raise NotImplementedError

    @abstractmethod
    def _scale(self, world: object) -> ndarray:
        """Return the scale of the rule's numbers, ``[player]``."""

    @abstractmethod
    def _reported(self, world: object, session: Session) -> ndarray:
        """Return the mixtures of the profile, ``[player action]``."""


def rounds_of(session: Session) -> int:
    """Return the number of rounds, at least 1, by which sums are divided."""
    return max(int(session["clock"][0]), 1)


class SoftmaxLearner(RepeatedPlay):
    """Base class of learners whose mixtures are the softmax of logits."""

    rounds: Annotated[int, Ge(1), "number of updates, unless the run sets it"] = 2000
    play: Annotated[
        Literal["last", "average"], "reported profile: the last mixtures, or their mean over all rounds"
    ] = "last"

    rate_name: ClassVar[str]
    usual_rate: ClassVar[float]  # over the range of a player's payoffs

    def concepts(self) -> tuple[str, ...]:
        return ("coarse correlated",)

    def length(self, world: object) -> int:
        return self.rounds

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Take steps by expected payoffs."""
        tables, marks, rates = compared(world), sample_steps(), self._scale(world)[:, None]
        for _ in range(steps):
            weights = softmax(session["logits"], tables.sizes)
            # actions that a player lacks are NaN with weight 0, and 0 times NaN would be NaN
            pays = np.nan_to_num(action_payoffs(tables, weights))
            mean = np.einsum("pa,pa->p", weights, pays)
            session["clock"] += 1
            session["played"] += weights
            session["earned"] += mean
            session["would"] += pays
            session["logits"] += rates * self._push(weights, pays, mean)
            at = int(session["noted"][0])
            if at < len(marks) and session["clock"][0] == marks[at]:
                (regrets,) = self._regrets(tables.sizes, session).values()
                session["regret_curve"][at] = regrets.max()
                session["play_curve"][at] = softmax(session["logits"], tables.sizes)
                session["noted"] += 1
        return steps

    def read(self, world: object, session: Session) -> Record:
        record, average = super().read(world, session), self._average(world, session)
        record["average_play"] = ("player", "action"), average
        logits, sizes = session["logits"], tables_of(world).sizes
        start = softmax(np.zeros_like(logits), sizes)
        is_at_start = np.array_equal(softmax(logits, sizes), start) and np.allclose(average, start, atol=0.0)
        if session["clock"][0] and is_at_start:  # an equilibrium there is that of the start
            record["remedy"] = scalar("play never left its uniform start, so nothing was learned")
        return record

    def _reported(self, world: object, session: Session) -> ndarray:
        if self.play == "average":
            return self._average(world, session)
        return softmax(session["logits"], tables_of(world).sizes)

    def _average(self, world: object, session: Session) -> ndarray:
        if not session["clock"][0]:
            return softmax(session["logits"], tables_of(world).sizes)
        return np.asarray(session["played"] / rounds_of(session))

    def _scale(self, world: object) -> ndarray:
        rate, ranges = getattr(self, self.rate_name), payoff_ranges(world)
        return self.usual_rate / ranges if rate is None else each_player(self.rate_name, rate, len(ranges))

    @abstractmethod
    def _push(self, weights: ndarray, pays: ndarray, mean: ndarray) -> ndarray:
        """Return the increment of the logits, in units of the rate, ``[player action]``."""


class Hedge(SoftmaxLearner):
    """Hedge, all players at once and deterministic: ``logits += eta`` times each action's expected payoff.

    The expectation is over the rivals' current mixtures, and a mixture is the softmax of a player's logits;
    all begin uniform (exponential weights: Littlestone and Warmuth 1994; Freund and Schapire 1999). A game
    that is not finite is played on ``action_grid``: an integer, ``{kind = "log"|"linear", from, to, count}``
    or ``{kind = "levels", levels}``, one table for all axes or a list with one per axis; the first axis
    varies slowest. One step is one update.

    The profile is the mixture after the last update, or with ``play = "average"`` the mean of the mixtures
    over all rounds (``average_play``): on a finite game ``profile`` (player, axis), else ``mixture`` (player,
    action) with ``action_grid``, ``mean_profile``, ``grid_regret``, expected metrics and a certificate in the
    continuous game. ``correlated_regret`` (player) is the external regret per round, the gain of the best
    single action. It is at most ``ln(actions)/(eta rounds)`` plus ``eta/8`` times the squared range of
    payoffs, whatever the others do, so the average of a zero-sum game approaches its value. Histories at
    log-spaced rounds: ``regret_curve`` (the largest ``correlated_regret``) at ``regret_step``, and ``path``.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> rv.solve(game, Hedge(rounds=100)).profile.values.round(6).tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """

    eta: Annotated[
        float | list[float] | None,
        Gt(0),
        Lt(inf),
        "step size per unit of payoff, for all or one per player (default: 1 divided by its payoff range)",
    ] = None

    rate_name: ClassVar[str] = "eta"
    usual_rate: ClassVar[float] = 1.0

    def _push(self, weights: ndarray, pays: ndarray, mean: ndarray) -> ndarray:
        return pays


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
        return RepeatedPlay.advance(self, world, session, steps)

    def _rule(self) -> tuple[str, int]:
        return "gradient", self.batch

    def _push(self, weights: ndarray, pays: ndarray, mean: ndarray) -> ndarray:
        # the derivative of pi.u in logit a is pi_a (u_a - pi.u)
        return weights * (pays - mean[:, None])


class SampledPlay(RepeatedPlay):
    """Base class of play with sampled actions: a step is a period, the profile is the empirical play."""

    def begin(self, world: object, stream: SeedSequence) -> Session:
        sizes = tables_of(world).sizes
        players, most = len(sizes), int(sizes.max())
        return super().begin(world, stream) | {
            "swaps": np.zeros((players, most, most)),
            "joint_counts": np.zeros(int(np.prod(sizes)), int),
        }

    def begin_at(self, world: object, stream: SeedSequence, start: object) -> Session:
        """Return a session whose first actions are drawn from a profile of mixtures, ``[player action]``.

        A profile of actions is played as it is. Raise `ValueError` off the grid.
        """
        session, x = self.begin(world, stream), np.asarray(start, float)
        if isinstance(world, TabulatedGame):
            x = np.eye(session["first"].shape[1])[nearest_grid_points(world, x)]
        elif x.shape != session["first"].shape:  # numbers of actions
            x = np.eye(session["first"].shape[1])[x.astype(np.int64).ravel()]
        return session | {"first": x}

    def read(self, world: object, session: Session) -> Record:
        joint_play = session["joint_counts"] / rounds_of(session)
        return super().read(world, session) | {"joint_play": (("joint",), joint_play)}

    def _regrets(self, sizes: ndarray, session: Session) -> dict[str, ndarray]:
        conditional = largest_gains(session["swaps"], sizes).sum(axis=1) / rounds_of(session)
        return super()._regrets(sizes, session) | {"correlated": conditional}

    def _reported(self, world: object, session: Session) -> ndarray:
        return np.asarray(session["played"] / rounds_of(session))

    def _scale(self, world: object) -> ndarray:
        """Return the inertia of conditional regret matching."""
        # a single action has no others, and nothing to switch to: 1 only avoids division by 0
        return INERTIA * payoff_ranges(world) * np.maximum(tables_of(world).sizes - 1, 1)


class RegretMatching(SampledPlay):
    """Regret matching: repeated play with probabilities that follow past regrets (Hart and Mas-Colell 2000).

    ``regrets="unconditional"``: an action's probability is proportional to the gain from always having played
    it (Hart and Mas-Colell 2001); the joint play approaches the coarse correlated equilibria.
    ``"conditional"``: a player switches from the last action in proportion to the gain from always having
    switched, divided by twice the payoffs' range times the number of other actions (2000,
    eq. 2.2); the joint play approaches the correlated equilibria.

    One step is one period. The profile is the empirical play of every player, and the certificate is of that
    profile, as if they played independently; it need not be an equilibrium. With ``start`` the first actions
    are drawn from that profile, without it uniformly. A game that is not finite is
    played on ``action_grid``, with the record of a mixture as for `Hedge`. The record also holds
    ``joint_play`` (joint), ``correlated_regret`` (player), the external regret per period, which is the gain
    of the best single action (the gap to coarse correlated equilibrium), ``conditional_regret`` (player), the
    internal regret, which is the gain of the best switch of every action (the gap to correlated equilibrium),
    and histories at log-spaced periods: ``regret_curve`` (sample), the largest ``correlated_regret``, at
    ``regret_step``; ``path``.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("rock_paper_scissors")
    >>> solution = rv.solve(game, RegretMatching(), max_steps=20_000, seed=1)
    >>> bool(solution.data.correlated_regret.max() < 0.05)
    True

    References
    ----------
    Hart and Mas-Colell, Econometrica 68, 2000; Journal of Economic Theory 98, 2001.
    """

    regrets: Literal["unconditional", "conditional"] = "unconditional"

    def concepts(self) -> tuple[str, ...]:
        """Return the concept that the joint play approaches."""
        return ("coarse correlated",) if self.regrets == "unconditional" else ("correlated",)

    def _rule(self) -> tuple[str, int]:
        return self.regrets, 1


class FictitiousPlay(SampledPlay):
    """Fictitious play: every player plays a best response to the past play of the others, ties random (Brown
    1951).

    With more than two players the response is to the others' joint empirical play. The first period is
    random, or with ``start`` drawn from that profile. The record is that of `RegretMatching`. The empirical
    play approaches equilibrium in zero-sum games (Robinson 1951) and potential games (Monderer and Shapley
    1996); elsewhere it need not (Shapley 1964).

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("matching_pennies"), FictitiousPlay(), max_steps=20_000)
    >>> bool(abs(solution.profile - 0.5).max() < 0.02)
    True
    """

    def _rule(self) -> tuple[str, int]:
        return "fictitious", 1


def softmax(logits: ndarray, sizes: ndarray) -> ndarray:
    """Return probabilities proportional to the exponentials, ``[player action]``; 0 for missing actions.

    Examples
    --------
    >>> softmax(np.log([[1.0, 3.0], [2.0, 1.0]]), np.array([2, 1])).round(6).tolist()
    [[0.25, 0.75], [1.0, 0.0]]
    """
    present = np.arange(logits.shape[1]) < sizes[:, None]
    logits = np.where(present, logits, -np.inf)
    # logits are sums over all rounds: less their largest, exponentials cannot overflow
    parts = np.exp(logits - logits.max(axis=1, keepdims=True))
    return parts / parts.sum(axis=1, keepdims=True)
