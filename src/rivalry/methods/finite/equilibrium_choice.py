"""One equilibrium of a list by a rule: highest welfare, entropy or payoff, least risk, or a function.

The equilibria of two players are a union of maximal Nash subsets, products of two polytopes whose vertices
are extreme equilibria (`rivalry.tables.extreme_equilibria`). On such a product, payoffs are linear in each
player's strategy, and the sum of the variances of payoffs is concave in each, since a player's own expected
payoff does not depend on its own strategy there. So welfare, payoffs and risk are best at a vertex of each
polytope, which is in the list. Entropy is the sum of two concave functions of one strategy each, and its
largest value is sought within both polytopes.

References
----------
Winkels, "An algorithm to determine all equilibrium points of a bimatrix game", in Game Theory and Related
Topics, 1979 (maximal Nash subsets).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np

from rivalry.core.results import Record, scalar
from rivalry.core.tolerances import TINY
from rivalry.schema.validate import format_value

Rule = Callable[[np.ndarray], float]
ChoiceRule = Annotated[
    str | Rule | None,
    "which is the profile: welfare, entropy, risk, payoff[0] .., or a function (default: the first)",
]
RULES = ("welfare", "entropy", "risk")
SUBSETS = 10_000  # maximal Nash subsets whose entropy is sought


def check_rule(choose: str | Rule | None, players: int, words: tuple[str, ...] = RULES) -> None:
    """Raise `ValueError` for a rule that is none of a game with so many players.

    >>> check_rule("payoff[2]", 2)
    Traceback (most recent call last):
    ValueError: choose: 'payoff[2]' must be welfare, entropy, risk, payoff[0] .. payoff[1], or a function
    """
    if choose is None or callable(choose) or choose in words or _paid(choose) in range(players):
        return
    rules = ", ".join(words)
    raise ValueError(
        f"choose: {format_value(choose)} must be {rules}, payoff[0] .. payoff[{players - 1}], or a function"
    )


def _paid(choose: str) -> int:
    """Return whose payoff is to be highest; -1 for another rule."""
    match = re.fullmatch(r"payoff\[([0-9]{1,3})\]", choose)
    return int(match[1]) if match else -1


def chosen_record(record: Record, tables: np.ndarray, choose: str | Rule | None) -> Record:
    """Return the record of a list with the equilibrium as its profile that a rule chooses.

    ``choice_value`` is the value of the rule there: welfare, entropy in nats, the sum of the variances of
    payoffs, a payoff, or what the function returns. Of equal ones the first in the list is chosen.

    Parameters
    ----------
    record : Record
        A list with ``equilibria`` (equilibrium, player, action).
    tables : ndarray
        Payoffs ``[player action_0 ..]``.
    choose : str or callable, optional
        The rule; a function takes a profile ``[player action]`` and is evaluated at the list's entries.

    Returns
    -------
    Record
        The record; the same where there is no rule or no equilibrium.
    """
    profiles = [*record["equilibria"][1]]
    corners = record.get("equilibrium_vertex", ((), profiles[:0]))[1]
    profiles += [*corners]
    if choose is None or not profiles:
        return record
    if choose == "entropy":
        if "component" in record:
            profiles += [*_of_highest_entropy(np.array(profiles))]
        for k in np.unique(record.get("vertex_set", ((), []))[1]):
            vertices = corners[record["vertex_set"][1] == k]
            profiles.append(
                np.stack([highest_entropy(vertices[:, player]) for player in range(vertices.shape[1])])
            )
        values = [sum(map(entropy, x)) for x in profiles]
    elif callable(choose):
        values = [float(choose(x.copy())) for x in profiles]
    elif choose == "risk":
        values = [-risk(tables, x) for x in profiles]
    else:
        pays = record["equilibrium_payoff"][1]
        corner_payoffs = [
            [float(np.sum(_chances(tables, x) * payoffs)) for payoffs in tables] for x in corners
        ]
        pays = np.concatenate([pays, np.reshape(corner_payoffs, (len(corners), pays.shape[1]))])
        values = [*(pays.sum(axis=1) if choose == "welfare" else pays[:, _paid(choose)])]
    optimum = int(np.nanargmax(values)) if np.any(~np.isnan(values)) else 0
    value = -values[optimum] if choose == "risk" else values[optimum]
    return record | {
        "profile": (("player", "axis"), profiles[optimum]),
        "choice_value": scalar(float(value)),
    }


def entropy(p: np.ndarray) -> float:
    """Return the entropy of a distribution in nats.

    >>> round(entropy(np.array([0.5, 0.5, 0.0])), 6)
    0.693147
    """
    return float(-np.sum(p * np.log(np.maximum(p, TINY))))


def risk(tables: np.ndarray, x: np.ndarray) -> float:
    """Return the sum over players of the variance of the payoff, where all draw their actions.

    >>> risk(np.array([[[1.0, 0.0], [0.0, 1.0]]] * 2), np.full((2, 2), 0.5))
    0.5
    """
    chance = _chances(tables, x)
    means = [np.sum(chance * payoffs) for payoffs in tables]
    return float(
        sum(np.sum(chance * (payoffs - mean) ** 2) for payoffs, mean in zip(tables, means, strict=True))
    )


def _chances(tables: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the probabilities of joint actions, ``[action_0 ..]``."""
    chance = np.ones(())
    for player, size in enumerate(tables.shape[1:]):
        chance = np.multiply.outer(chance, x[player, :size])
    return chance


def _of_highest_entropy(extremes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the profile of highest entropy of every maximal Nash subset that is no single equilibrium."""
    for firsts, seconds in nash_subsets(extremes):
        if len(firsts) + len(seconds) > 2:
            yield np.stack([highest_entropy(vertices) for vertices in (firsts, seconds)])


def nash_subsets(extremes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the vertices of both polytopes of maximal Nash subsets, from all extreme equilibria.

    These are the maximal sets of strategies of both players of which every pair is in the list.

    Examples
    --------
    >>> pairs = np.array([[[1, 0], [1, 0]], [[1, 0], [0, 1]], [[0, 1], [0, 1]]])
    >>> [(len(x), len(y)) for x, y in nash_subsets(pairs)]
    [(2, 1), (1, 2)]
    """
    firsts, first_index = np.unique(extremes[:, 0], axis=0, return_inverse=True)
    seconds, second_index = np.unique(extremes[:, 1], axis=0, return_inverse=True)
    pairs = set(zip(first_index.ravel().tolist(), second_index.ravel().tolist(), strict=True))
    having = [frozenset(y for x, y in pairs if x == k) for k in range(len(firsts))]
    closed, waiting = set[frozenset[int]](), [*dict.fromkeys(having)]
    while waiting and len(closed) < SUBSETS:
        subset = waiting.pop()
        if subset and subset not in closed:
            closed.add(subset)
            waiting += [subset & holders_of_row for holders_of_row in having]
    for subset in sorted(closed, key=sorted):
        rows = [k for k, holders in enumerate(having) if subset <= holders]
        if frozenset.intersection(*(having[k] for k in rows)) == subset:
            yield firsts[rows], seconds[sorted(subset)]


def highest_entropy(vertices: np.ndarray) -> np.ndarray:
    """Return the distribution of highest entropy among the mixtures of some, ``[vertex action]``.

    Examples
    --------
    >>> highest_entropy(np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])).round(6).tolist()
    [0.333333, 0.333333, 0.333333]
    """
    from scipy.optimize import minimize

    count = len(vertices)
    if count == 1:
        return np.asarray(vertices[0], dtype=float)
    played = vertices[:, vertices.any(axis=0)].astype(float)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        p = np.maximum(weights @ played, TINY)
        return float(p @ np.log(p)), played @ (np.log(p) + 1)

    result = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(count)},
        options={"ftol": 1e-16, "maxiter": 1000},
    )
    weights = np.maximum(result.x, 0.0)
    return weights / weights.sum() @ vertices
