"""Efficiency of karma rules, and how much rewards of equal agents differ under them, by one step in NumPy.

An agent's mean reward over T steps has the variance v / T for large T; v follows from Poisson's equation of
the agent's chain of private states and karma. Axes of arrays: private state, karma, bid.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

import rivalry as rv

URGENCIES = np.array([1.0, 5.0])
Step = tuple[ndarray, ndarray]  # of winning, of losing: probabilities [private karma after]


class Rule(NamedTuple):
    """Who is paid, the largest payment, and the share of karma that is taxed after payments."""

    to_peer: bool = True
    price: float = np.inf
    tax: float = 0.0


def rounded(amounts: ndarray, sign: int) -> ndarray:
    """Probabilities [before after] where karma k changes by a randomly rounded amount, within bounds."""
    most = len(amounts) - 1
    moves = np.zeros((most + 1, most + 1))
    for k, amount in enumerate(amounts):
        low = int(amount)
        moves[k, np.clip(k + sign * low, 0, most)] += 1 - (amount - low)
        moves[k, np.clip(k + sign * (low + 1), 0, most)] += amount - low
    return moves


def payments(rivals: ndarray, rule: Rule) -> tuple[ndarray, ndarray]:
    """Probabilities [bid karma after] of winning and losing against bids ``rivals``, before the tax."""
    bids = np.arange(len(rivals))
    wins = (np.sign(bids[:, None] - bids) + 1) / 2  # [bid rival]: a coin decides between equal bids
    paid = np.minimum(bids, rule.price).astype(int)
    pays = np.eye(len(bids))[np.maximum(bids - paid[:, None], 0)]  # [bid karma after]
    gets = np.eye(len(bids))[np.minimum(bids + rule.to_peer * paid[:, None], bids[-1])]
    return (wins @ rivals)[:, None, None] * pays, np.einsum("br,rkn->bkn", (1 - wins) * rivals, gets)


def step(policy: ndarray, mass: ndarray, rule: Rule, others: ndarray) -> Step:
    """Probabilities [private karma after] that an agent wins, and that it loses, after a whole step.

    The agent follows ``policy`` among agents of policies ``others``.
    """
    karma = np.arange(policy.shape[2])
    outcomes = payments(np.einsum("zk,zkb->b", mass, others), rule)
    taxed = rounded(rule.tax * karma, -1)
    before = np.einsum("zk,zkb,bkn->n", mass, others, sum(outcomes)) @ taxed
    missing = mass.sum(axis=0) @ karma - before @ karma
    # what a population takes is linear in the level between whole numbers
    taken = np.minimum(karma[::-1], karma[:, None]) @ before
    level = np.interp(missing, taken, karma)
    moves = taxed @ rounded(np.full(len(karma), level), 1)
    return tuple(np.einsum("zkb,bkn->zkn", policy, part) @ moves for part in outcomes)


def stationary(policy: ndarray, rule: Rule, mean_karma: float = 10.0) -> tuple[ndarray, Step]:
    """Stationary masses [private karma], and the step in them; urgencies are drawn anew."""
    # all agents have the mean at first, or one of the whole numbers beside it
    mass = np.tile(np.maximum(1 - abs(np.arange(policy.shape[2]) - mean_karma), 0) / 2, (2, 1))
    for _ in range(100_000):
        won, lost = step(policy, mass, rule, policy)
        after = np.tile(np.einsum("zk,zkn->n", mass, won + lost), (len(mass), 1))
        after /= after.sum()  # rounding of the mass would grow, since rivals have it too
        if abs(after - mass).max() < 1e-14:
            break
        mass = after
    return mass, (won, lost)


def luck(mass: ndarray, step: Step, if_won: ndarray, if_lost: ndarray) -> tuple[float, float]:
    """Mean per step of what follows winning and losing [private], and variance of its sums per step."""
    won, lost = step
    size = mass.size
    chain = np.repeat((won + lost).reshape(size, 1, -1), len(mass), axis=1).reshape(size, size) / len(mass)
    paid = if_won[:, None] * won.sum(axis=2) + if_lost[:, None] * lost.sum(axis=2)
    mean = float((mass * paid).sum())
    system = np.eye(size) - chain + mass.ravel()
    value = np.linalg.solve(system, (paid - mean).ravel()).reshape(mass.shape)
    ahead = value.mean(axis=0)  # before the next urgency is known
    spread = ((value - ahead) ** 2).mean(axis=0)
    total = 0.0
    for part, worth in ((won, if_won), (lost, if_lost)):
        surprise = worth[:, None, None] - mean + ahead - value[..., None]
        total += float(np.einsum("zk,zkn,zkn->", mass, part, surprise**2 + spread))
    return mean, total


def efficiency_and_variances(
    policy: ndarray, rule: Rule, mean_karma: float = 10.0
) -> tuple[float, float, float]:
    """Mean reward per step, and variances of rewards and of wins per step."""
    end = stationary(policy, rule, mean_karma)
    mean, variance = luck(*end, 0 * URGENCIES, -URGENCIES)
    return mean, variance, luck(*end, np.ones(2), np.zeros(2))[1]


@cache
def solved(rule: Rule, factor: float = 1.3, **keys: Any) -> tuple[rv.Solution, ndarray]:
    """Equilibrium of the package under a rule, and its policy [private karma bid]."""
    payment = {"payment": "PBP" if rule.to_peer else "PBS"}
    if np.isfinite(rule.price):
        payment = {"payment": "fixed_price", "price": rule.price}
    game = rv.games.karma(**payment, tax=rule.tax, **keys)
    method = rv.methods.PopulationNewton(beta=1000.0, factor=factor)
    end = rv.solve(game, method, start="uniform", path=False)
    return end, end.data.policy.values[0]


LABELS = {
    "loss": "reward per step that is lost beside allocation by true urgency",
    "variance": "long-run variance of an agent's reward, per step",
}


def point(rule: Rule) -> dict[str, float]:
    """Coordinates of a rule in the figure; allocation by true urgency has a mean reward of -1."""
    mean, variance, _ = efficiency_and_variances(solved(rule)[1], rule)
    return {"loss": -1 - mean, "variance": variance}


def plane() -> tuple[Dataset, dict[str, dict[str, float]]]:
    """Points of fixed prices with and without a tax, [algorithm price], and of other rules by name."""
    prices, taxes = [1, 2, 3, 5], {"fixed price": 0.0, "fixed price, a tax of 10 % on karma": 0.1}
    rows = [[point(Rule(price=price, tax=tax)) for price in prices] for tax in taxes.values()]
    data = Dataset(coords={"price": prices, "algorithm": list(taxes)})
    for key, words in LABELS.items():
        numbers = [[each[key] for each in row] for row in rows]
        data[key] = ("algorithm", "price"), numbers, {"long_name": words}
    others = {
        "own bid, to the peer": point(Rule()),
        "own bid, to society": point(Rule(to_peer=False)),
        "chance": {"loss": 0.5, "variance": 4.25},
        "turns": {"loss": 0.5, "variance": 2.0},
    }
    return data, others
