"""Pricing policies that were trained in pairs and then meet the policies of other pairs."""

from __future__ import annotations

from math import isqrt
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Certificate, Record, scalar
from rivalry.core.tolerances import ROUNDING
from rivalry.families.market.model import Market
from rivalry.families.matrix import Matrix
from rivalry.methods import RepeatedQLearning
from rivalry.solving import all_equilibria, solve
from rivalry.solving.randomness import stream as random_stream
from rivalry.tables.repeated import repeated_form
from rivalry.text.display import count_text
from rivalry.text.statistics import half_width, half_width_of

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
        payoff = repeated_form(world).tables.payoff[0]  # [player state]: a state is the last pair of actions
        policies, partners = [], np.zeros(0)
        for options in LEARNERS.values():
            learner = RepeatedQLearning(sessions=2 * pairs, checkpoints=0, **options)
            dataset = solve(world, learner, seed=seed).data
            policy = np.asarray(dataset.policy)
            policies.append(np.broadcast_to(policy, (*policy.shape[:2], payoff.shape[1])))
            if not partners.size:
                zero, full = np.asarray(dataset.nash_payoff), np.asarray(dataset.joint_payoff)
                partners = np.asarray(dataset.pooled_gain).reshape(2, pairs).mean(axis=0)
        strategies = np.stack(policies, axis=1)  # [session policy player state]
        meeting_gains = [
            self._meet(payoff, strategies[pair, :, 0], strategies[pairs + pair, :, 1], seed + pair)
            for pair in range(pairs)
        ]
        shape = (2, 1, 1)
        session["met"] = (np.array(meeting_gains) - zero.reshape(shape)) / (full - zero).reshape(shape)
        session["partners"] = partners
        return 1

    def _meet(self, payoff: ndarray, first: ndarray, second: ndarray, seed: int) -> ndarray:
        """Return mean payoffs ``[player policy rival]`` of two firms' policies ``[policy state]``."""
        size = isqrt(payoff.shape[1])
        past = np.random.default_rng(random_stream(seed, "start")).integers(0, size, (self.openings, 2))
        policy, rival, start = np.indices((len(first), len(second), self.openings))
        state = (size * past[:, 0] + past[:, 1])[start]
        total = np.zeros((2, *state.shape))
        for _ in range(self.periods):
            state = size * first[policy, state] + second[rival, state]
            total += payoff[:, state]
        return total.mean(axis=-1) / self.periods

    def read(self, world: Market, session: Session) -> Record:
        if "met" not in session:
            return {"status": scalar("iteration limit")}
        # either firm may be the first: gains [pair policy rival] of the two are averaged
        meeting_gains = (session["met"][:, 0] + session["met"][:, 1].swapaxes(1, 2)) / 2
        half = len(meeting_gains) // 2
        table = meeting_gains[:half].mean(axis=0)
        choice = Matrix(np.stack([table, table.T]), (tuple(LEARNERS),) * 2, ())
        profile = np.asarray(all_equilibria(choice).equilibria[0], float)
        return {
            "status": scalar("completed"),
            "partner_gain": (("session",), session["partners"]),
            "stranger_gain": (("session",), meeting_gains[:, 0, 0]),
            "met_gain": (("policy", "rival"), meeting_gains.mean(axis=0)),
            "met_gain_half": (("policy", "rival"), half_width(meeting_gains)),
            "chosen": (("policy",), profile.mean(axis=0)),
            **_certificate(meeting_gains[half:], profile).record(),
        }


def _certificate(meeting_gains: ndarray, profile: ndarray) -> Certificate:
    """Return the certificate of a choice of policies by profit gains ``[pair policy rival]``.

    Regrets are the largest mean gains over the policies. The intervals are those of Student's t for
    differences within pairs, wider by Bonferroni's inequality, so that they hold for all policies of both
    firms together.
    """
    payoffs = np.stack([meeting_gains @ mix for mix in profile[::-1]], axis=1)  # [pair player policy]
    gains = payoffs - np.sum(payoffs * profile, axis=2, keepdims=True)
    mean, count, rounding = gains.mean(axis=0), len(meeting_gains), ROUNDING * np.abs(meeting_gains).max()
    mean = np.where(np.abs(mean) <= rounding, 0.0, mean)
    varies = (mean != 0.0) | (gains.std(axis=0) > rounding)
    width = half_width_of(gains.std(axis=0, ddof=1), count, max(int(varies.sum()), 1))
    width = np.where(varies, width, 0.0)
    regret, low, high = (np.max(np.maximum(ends, 0.0), axis=1) for ends in (mean, mean - width, mean + width))
    return Certificate(
        regret,
        np.full(2, np.inf),
        "estimated",
        f"paired play of {count_text(count, 'episode')} per profile of policies",
        rounding,
        payoff=np.sum(payoffs.mean(axis=0) * profile, axis=1),
        error=np.maximum(high - regret, regret - low),
    )
