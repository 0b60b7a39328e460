"""Hedge: exponential weights on expected payoffs."""

from __future__ import annotations

from abc import abstractmethod
from math import inf
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy import ndarray

from rivalry.core.method import Session
from rivalry.core.results import Record, scalar
from rivalry.methods.continuous import mixtures
from rivalry.methods.continuous.mixtures import action_payoffs, compared, payoff_ranges, tables_of
from rivalry.methods.finite.regret_matching import RepeatedPlay
from rivalry.methods.q_learning.exploration import each_player


class SoftmaxLearner(RepeatedPlay):
    """Base class of learners whose mixtures are the softmax of logits, such as Hedge and the policy
    gradient.
    """

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

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        session = super().begin(world, stream)
        self._rates(world)  # checks the number of rates against the number of players
        return session | {
            "logits": np.zeros_like(session["would"]),
            "played": np.zeros_like(session["would"]),
        }

    def advance(self, world: object, session: Session, steps: int) -> int:
        tables, marks = compared(world), mixtures.sample_steps()
        rates = self._rates(world)[:, None]
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
                session["regret_curve"][at] = self.external_regrets(tables.sizes, session).max()
                session["play_curve"][at] = softmax(session["logits"], tables.sizes)
                session["noted"] += 1
        return steps

    def read(self, world: object, session: Session) -> Record:
        sizes, rounds = tables_of(world).sizes, int(session["clock"][0])
        final = softmax(session["logits"], sizes)
        average = session["played"] / rounds if rounds else final
        regrets = self.external_regrets(sizes, session)
        return _unmoved(final, session["played"], sizes, rounds) | {
            **mixtures.played(world, average if self.play == "average" else final),
            "average_play": (("player", "action"), average),
            "correlated_regret": (("player",), regrets),
            "concept": scalar(self.concepts()[0]),
            "concept_residual": scalar(regrets.max()),
            **self.histories(world, session),
        }

    def _rates(self, world: object) -> ndarray:
        rate, ranges = getattr(self, self.rate_name), payoff_ranges(world)
        return self.usual_rate / ranges if rate is None else each_player(self.rate_name, rate, len(ranges))

    @abstractmethod
    def _push(self, weights: ndarray, pays: ndarray, mean: ndarray) -> ndarray:
        """Return the increment of the logits, in units of the rate, ``[player action]``."""


def _unmoved(final: ndarray, played: ndarray, sizes: ndarray, rounds: int) -> Record:
    """A warning where play was uniform in all rounds: an equilibrium there is that of the start."""
    start = softmax(np.zeros_like(final), sizes)
    if not rounds or not np.array_equal(final, start) or not np.allclose(played, rounds * start, atol=0.0):
        return {}
    return {"remedy": scalar("play never left its uniform start, so nothing was learned")}


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
