"""Pricing policies that were trained in pairs and then meet the policies of other pairs."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.families.market.model import Market
from rivalry.families.matrix import Matrix
from rivalry.interop.policy_game import MetaGame, meta_game
from rivalry.methods import RepeatedQLearning
from rivalry.solving import all_equilibria, solve
from rivalry.tables.repeated import repeated_form

LEARNERS: dict[str, dict[str, Any]] = {
    "patient": {"gamma": 0.95},
    "myopic": {"gamma": 0.0},
    "ucb": {
        "gamma": 0.0,
        "memory": 0,
        "exploration": {"kind": "ucb", "bonus": 2**0.5},
        "step_size": {"power": 1.0},
        "stopping": {"stable_periods": 0, "max_periods": 20_000},
    },
}
"""Options of Q-learning beside those of Calvano et al. (2020); the last is UCB1."""


class PretrainedPolicies(BaseLearner):
    """Two firms choose one of several policies that were trained elsewhere, and meet a stranger.

    Each learner of `LEARNERS` is trained in ``sessions`` of two firms. The greedy policy of the first firm of
    a session in the first half then plays that of the second firm of a session in the second half, of the
    same learner and of every other one, without learning, for ``periods`` from each of ``openings`` random
    prices. No policy is in two such pairs, so that their profit gains are independent.

    The record has the profit gains ``partner_gain`` (session) and ``stranger_gain`` (session) of the first
    learner's policies, in pairs as they were trained and in new ones; ``met_gain`` (policy, rival), the mean
    gain of a policy when it meets a rival's, and ``met_gain_half``, half its 95 % interval; and ``chosen``
    (policy), the share of firms that choose it in an equilibrium of the choice of a learner. That is computed
    from half of the pairs; the certificate, with its sampling error, is by the other half.

    References
    ----------
    Luo, Schoepflin and Wang, "Algorithmic collusion at test time", arXiv 2602.17203, 2026.
    """

    sessions: Annotated[int, Ge(8), Le(100_000), "sessions in which each learner is trained"] = 400
    periods: Annotated[int, Ge(1), "periods of play of a pair"] = 200
    openings: Annotated[int, Ge(1), "random past prices from which a pair plays"] = 4

    needs = (Need("two firms of a market", lambda game: isinstance(game, Market)),)

    def world(self, game: Market) -> Market:
        """Return the market."""
        return game

    def length(self, world: Market) -> int:
        """Return 1: training and play are one step."""
        return 1

    def begin(self, world: Market, stream: np.random.SeedSequence) -> Session:
        return {"seed": np.asarray(int(stream.generate_state(1)[0] >> 1))}

    def advance(self, world: Market, session: Session, steps: int) -> int:
        """Train the policies and let them meet, at the first call."""
        if "met" in session or not steps:
            return 0
        seed, pairs = int(session["seed"]), self.sessions // 2
        table = repeated_form(world)
        states = int(table.tables.payoff.shape[2])
        policies, partners = dict[str, np.ndarray](), np.zeros(0)
        for name, options in LEARNERS.items():
            learner = RepeatedQLearning(sessions=2 * pairs, checkpoints=0, **options)
            dataset = solve(world, learner, seed=seed).data
            policy = np.asarray(dataset.policy)
            policies[name] = np.broadcast_to(policy, (*policy.shape[:2], states))
            if not partners.size:
                zero, full = np.asarray(dataset.nash_payoff), np.asarray(dataset.joint_payoff)
                partners = np.asarray(dataset.pooled_gain).reshape(2, pairs).mean(axis=0)
        meeting_gains = []
        for pair in range(pairs):
            roles = [{name: policy[pair, 0] for name, policy in policies.items()}]
            roles += [{name: policy[pairs + pair, 1] for name, policy in policies.items()}]
            game = meta_game(roles, table, episodes=self.openings, periods=self.periods, seed=seed + pair)
            meeting_gains.append(game.returns.mean(axis=0))
        shape = (2, 1, 1)
        session["met"] = (np.array(meeting_gains) - zero.reshape(shape)) / (full - zero).reshape(shape)
        session["partners"] = partners
        return 1

    def read(self, world: Market, session: Session) -> Record:
        if "met" not in session:
            return {"status": scalar("iteration limit")}
        # either firm may be the first: gains [pair policy rival] of the two are averaged
        meeting_gains = (session["met"][:, 0] + session["met"][:, 1].swapaxes(1, 2)) / 2
        half = len(meeting_gains) // 2
        profile = all_equilibria(_choice(meeting_gains[:half]).game).equilibria[0]
        low, high = _choice(meeting_gains).interval()
        return {
            "status": scalar("completed"),
            "partner_gain": (("session",), session["partners"]),
            "stranger_gain": (("session",), meeting_gains[:, 0, 0]),
            "met_gain": (("policy", "rival"), meeting_gains.mean(axis=0)),
            "met_gain_half": (("policy", "rival"), (high - low)[0] / 2),
            "chosen": (("policy",), np.asarray(profile, dtype=float).mean(axis=0)),
            **_choice(meeting_gains[half:]).certificate(profile).record(),
        }


def _choice(meeting_gains: np.ndarray) -> MetaGame:
    """Return the game of choosing a learner, of gains ``[pair policy rival]``."""
    gains = np.stack([meeting_gains, meeting_gains.swapaxes(1, 2)], axis=1)
    error = gains.std(axis=0, ddof=1) / np.sqrt(len(gains))
    return MetaGame(Matrix(gains.mean(axis=0), (tuple(LEARNERS),) * 2, ()), error, gains)
