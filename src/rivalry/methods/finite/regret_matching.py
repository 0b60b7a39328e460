"""Regret matching in repeated play of a finite game, sampled action by action."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.array_games import stateless_tables
from rivalry.core.method import Session
from rivalry.core.results import Record, scalar
from rivalry.methods.continuous import mixtures
from rivalry.methods.continuous.mixtures import (
    TableLearner,
    TabulatedGame,
    compared,
    largest_gains,
    tables_of,
)
from rivalry.methods.q_learning.policies import nearest_grid_points

INERTIA = 2.0  # of conditional regret matching; must be above 1


class RepeatedPlay(TableLearner):
    """Base class of repeated play of a table, with regrets and histories at log-spaced rounds."""

    open_ended: ClassVar[bool] = True

    def begin(self, world: object, stream: SeedSequence) -> Session:
        from rivalry.tables.kernels import draws

        sizes, samples = tables_of(world).sizes, len(mixtures.sample_steps())
        shape = (len(sizes), int(sizes.max()))
        return {
            "stream": draws.stream(stream),
            "clock": np.array([0]),
            # sums over rounds: payoffs earned, and those that each action would have earned
            "earned": np.zeros(len(sizes)),
            "would": np.zeros(shape),
            "noted": np.array([0]),
            "regret_curve": np.zeros(samples),
            "play_curve": np.zeros((samples, *shape)),
        }

    @staticmethod
    def external_regrets(sizes: ndarray, session: Session) -> ndarray:
        """Return the gain per round of the best single action, ``[player]``; at least 0."""
        gains = largest_gains(session["would"] - session["earned"][:, None], sizes)
        return gains / max(int(session["clock"][0]), 1)

    @staticmethod
    def histories(world: object, session: Session) -> Record:
        """Return the largest external regret and the play, at the rounds sampled so far."""
        noted = int(session["noted"][0])
        curve: Record = {"regret_curve": (("sample",), session["regret_curve"][:noted].copy())}
        return curve | mixtures.histories(world, session["play_curve"][:noted])


class SampledPlay(RepeatedPlay):
    """Base class of play with sampled actions: a step is a period, the profile is the empirical play.

    Regret matching and fictitious play differ only in the rule of choice.
    """

    def begin(self, world: object, stream: SeedSequence) -> Session:
        session = super().begin(world, stream)
        players, max_actions = session["would"].shape
        return session | {
            "first": np.ones((players, max_actions)),
            "last": np.zeros(players, int),
            "swaps": np.zeros((players, max_actions, max_actions)),
            "joint_counts": np.zeros(int(np.prod(tables_of(world).sizes)), int),
            "counts": np.zeros((players, max_actions), int),
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

    def advance(self, world: object, session: Session, steps: int) -> int:
        from rivalry.tables.kernels import draws, sampled_play

        tables, marks = compared(world), mixtures.sample_steps()
        rule, inertia = getattr(sampled_play, self._rule()), self._inertia(stateless_tables(tables))
        # the compiled loop writes into the session's own arrays
        state = sampled_play.Matching(*(session[key] for key in sampled_play.Matching._fields))
        with draws.quiet():
            sampled_play.match(tables.payoff[0], tables.sizes, rule, inertia, marks, state, steps)
        return steps

    def read(self, world: object, session: Session) -> Record:
        rounds = max(int(session["clock"][0]), 1)
        sizes = tables_of(world).sizes
        external = self.external_regrets(sizes, session)
        conditional = largest_gains(session["swaps"], sizes).sum(axis=1) / rounds
        record = mixtures.played(world, session["counts"] / rounds)
        (concept,) = self.concepts()
        residuals = {"coarse correlated": external, "correlated": conditional}
        if concept in residuals:
            record |= {
                "concept": scalar(concept),
                "concept_residual": scalar(residuals[concept].max()),
            }
        return record | {
            "joint_play": (("joint",), session["joint_counts"] / rounds),
            "correlated_regret": (("player",), external),
            "conditional_regret": (("player",), conditional),
            **self.histories(world, session),
        }

    @abstractmethod
    def _rule(self) -> str:
        """Return the name of the rule of choice in `rivalry.tables.kernels.sampled_play`."""

    def _inertia(self, tables: ndarray) -> ndarray:
        return np.ones(len(tables))


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

    def _rule(self) -> str:
        return "MATCHING" if self.regrets == "unconditional" else "CONDITIONAL"

    def _inertia(self, tables: ndarray) -> ndarray:
        ranges = np.ptp(tables.reshape(len(tables), -1), axis=1)
        # a single action has no others, and nothing to switch to: 1 only avoids division by 0
        alternatives = np.maximum(np.asarray(tables.shape[1:]) - 1, 1)
        # a player with constant payoffs never has regret: any positive divisor gives probability 0
        return INERTIA * np.where(ranges > 0, ranges, 1.0) * alternatives
