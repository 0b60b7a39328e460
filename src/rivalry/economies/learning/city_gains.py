"""Unilateral gains of the agents of a city in the measured environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rivalry.core.oracles import payoff_scale
from rivalry.core.results import Certificate, Record
from rivalry.economies.learning.city_drivers import Streets
from rivalry.tables.kernels.shapes import COIN, NO_TRANSFER, OWN_BID, CityArrays

if TYPE_CHECKING:
    from rivalry.economies.kernels.city import CityTallies
    from rivalry.economies.kernels.city_values import Surroundings

HOW = "dynamic programming against the admission odds and the sharing out that were measured"


class Gains(NamedTuple):
    """Payoffs and unilateral gains, weighted by the states that each agent visited.

    Values are NaN for members of a coalition that transfers karma: their karma does not follow the measured
    transitions.
    """

    payoff: np.ndarray  # [agent]
    gain: np.ndarray  # [agent]
    error: np.ndarray  # [agent]: upper bound on the error of both


def refusal(city: CityArrays) -> str:
    """Return why gains cannot be computed, or an empty string."""
    if city.price != OWN_BID:
        return "what a bid costs is known only where those admitted pay their own bids"
    if city.tie != COIN:
        return "what a bid is worth at a tie is known only where a coin decides, not an agent's number"
    return ""


def surroundings(city: CityArrays, tallied: CityTallies) -> Surroundings:
    """Return the measured environment of one agent.

    Admission to an unused lane is certain. Karma levels not observed on a lane follow the transitions of all
    lanes together; levels not observed on any lane do not change.
    """
    from rivalry.economies.kernels.city_values import Surroundings

    wanted = np.maximum(tallied.wanted, 1)[:, None]
    admission = np.where(tallied.wanted[:, None] > 0, tallied.chances / wanted, 1.0)
    free = np.where(tallied.wanted[:, None] > 0, tallied.free[:, None] / wanted, 1.0)
    charged = np.ones_like(admission)
    if not city.uncontended:
        charged = 1 - np.minimum(free / np.maximum(admission, 1e-300), 1.0)
    levels = city.most + 1
    counts = tallied.shared.astype(float)
    pooled = counts.sum(axis=0)
    pooled_moves = np.where(pooled.sum(axis=1, keepdims=True) > 0, pooled, np.eye(levels))
    seen = counts.sum(axis=2, keepdims=True)
    shared = np.where(seen > 0, counts, pooled_moves)
    shared /= shared.sum(axis=2, keepdims=True)
    return Surroundings(np.array(admission), np.array(charged), np.array(shared))


def gains(streets: Streets, tallied: CityTallies, chances: np.ndarray) -> Gains:
    """Return gains of policies ``chances [agent row karma entry]`` in steps tallied with ``each``."""
    from rivalry.economies.kernels.city_values import worth

    found = worth(streets.city, surroundings(streets.city, tallied), chances)
    weights = tallied.each / np.maximum(tallied.each.sum(axis=(1, 2), keepdims=True), 1)
    payoff = (weights * found.own).sum(axis=(1, 2))
    best = (weights * found.best).sum(axis=(1, 2))
    gain = np.maximum(best - payoff, 0.0)
    if streets.city.transfer != NO_TRANSFER:
        members = streets.city.coalition > 0
        payoff[members], gain[members] = np.nan, np.nan
    return Gains(payoff, gain, found.error)


def _means(array: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    return np.array([array[each].mean() if len(each) else np.nan for each in members])


def gains_record(streets: Streets, found: Gains) -> Record:
    """Return gains per agent, means per type, and the largest gains as certificate."""
    kinds, known = streets.city.type_of, np.isfinite(found.payoff)
    if not known.any():
        return {}
    scale = abs(float(found.payoff[known].mean())) or np.inf  # 0 if no agent is ever refused: no gains
    members = [np.flatnonzero(known & (kinds == kind)) for kind in range(len(streets.city.stakes))]
    regret = np.array([found.gain[each].max(initial=0.0) for each in members])
    allowed = 1e-6 * float(payoff_scale(streets.game))
    proof = Certificate(regret, np.full(len(regret), np.inf), "estimated", HOW, allowed)
    return {
        "agent_payoff": (("agent",), found.payoff),
        "agent_exploitability": (("agent",), found.gain),
        "agent_relative_exploitability": (("agent",), found.gain / scale),
        "payoff": (("player",), _means(found.payoff, members)),
        "exploitability": (("player",), _means(found.gain, members)),
        "relative_exploitability": (("player",), _means(found.gain, members) / scale),
        "mean_relative_exploitability": ((), np.asarray(found.gain[known].mean() / scale)),
        "payoff_error": ((), np.asarray(found.error.max())),
        **proof.record(),
    }
