"""Unilateral gains of the agents of a city in the measured environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.results import Certificate, Record, indexed, scalar
from rivalry.economies import kernels
from rivalry.economies.kernels.shapes import COIN, NO_TRANSFER, OWN_BID, CityArrays
from rivalry.economies.learning.city_drivers import Streets, policy_of_all, with_sums
from rivalry.population.certificate import tolerance_of
from rivalry.text.statistics import jackknife_error

HOW = "dynamic programming against the admission odds and the sharing out that were measured"


class Gains(NamedTuple):
    """Payoffs and unilateral gains, weighted by the states that each agent visited.

    Values are NaN for members of a coalition that transfers karma: their karma does not follow the measured
    transitions.
    """

    payoff: ndarray  # [agent]
    gain: ndarray  # [agent]
    error: ndarray  # [agent]: upper bound on the numerical error of both
    regret: ndarray  # [type]: the largest gain, 0 without one
    interval: ndarray  # [type]: half width of its 95 % interval, infinite if unknown
    at_stake: ndarray  # [type]: what the agent with this gain can lose where the others play on


def refusal(city: CityArrays) -> str:
    """Reason why gains cannot be computed, or an empty string."""
    if city.price != OWN_BID:
        return "what a bid costs is known only where those admitted pay their own bids"
    if city.tie != COIN:
        return "what a bid is worth at a tie is known only where a coin decides, not an agent's number"
    return ""


def measured_environment(
    city: CityArrays, tallied: kernels.city.CityTallies
) -> kernels.city_values.LaneEnvironment:
    """Return the measured environment of one agent.

    Admission to an unused lane is certain. Karma levels not observed on a lane follow the transitions of all
    lanes together; levels not observed on any lane do not change.
    """
    used, requests = tallied.wanted[:, None] > 0, np.maximum(tallied.wanted, 1)[:, None]
    admission = np.where(used, tallied.chances / requests, 1.0)
    charged = np.ones_like(admission)
    if not city.uncontended:
        # an admitted agent pays nothing where the lane had room for all requests
        free = np.where(used, tallied.free[:, None] / requests, 1.0)
        charged = 1 - np.minimum(free / np.maximum(admission, 1e-300), 1.0)
    counts = tallied.shared.astype(float)
    pooled = counts.sum(axis=0)
    pooled = np.where(pooled.sum(axis=1, keepdims=True) > 0, pooled, np.eye(city.most + 1))
    shared = np.where(counts.sum(axis=2, keepdims=True) > 0, counts, pooled)
    return kernels.city_values.LaneEnvironment(admission, charged, shared / shared.sum(axis=2, keepdims=True))


def gains(
    streets: Streets,
    tallied: kernels.city.CityTallies,
    policies: Callable[[ndarray], ndarray],
    batches: ndarray,
) -> Gains:
    """Return gains in steps tallied with ``each``; ``policies(agents)`` are ``[agent row karma entry]``.

    ``batches [batch number]`` are `batch_sums` at the ends of batches of these steps.
    """
    city, of_agents = streets.arrays, kernels.city_learning.of_agents
    environment = measured_environment(city, tallied)

    def worth(
        agents: ndarray, policy: ndarray, environment: kernels.city_values.LaneEnvironment
    ) -> tuple[ndarray, ...]:
        """Return values of the policy, of best responses and their difference, and errors, ``[agent]``."""
        values = kernels.city_values.evaluate(of_agents(city, agents), environment, policy)
        visits = tallied.each[agents]
        weights = visits / np.maximum(visits.sum(axis=(1, 2), keepdims=True), 1)
        tables = values.own, values.best, values.best - values.own
        return *((weights * table).sum(axis=(1, 2)) for table in tables), values.error

    payoff, response_payoff, _, error = np.hstack(
        [worth(agents, policies(agents), environment) for agents in streets.parts()]
    )
    gain = np.maximum(response_payoff - payoff, 0.0)
    if city.transfer != NO_TRANSFER:
        payoff[city.coalition > 0] = gain[city.coalition > 0] = np.nan
    leave_one_out = batches[-1] - np.diff(batches, axis=0, prepend=0.0)
    is_sampled = np.isfinite(leave_one_out).all() and len(np.unique(batches, axis=0)) == len(batches)

    def gain_of(agent: ndarray, policy: ndarray, environment: kernels.city_values.LaneEnvironment) -> float:
        """Return the gain of one agent ``[1]`` with another policy or in another environment."""
        return float(worth(agent, policy, environment)[2][0])

    types = len(city.stakes)
    regret, interval, at_stake = np.full(types, np.nan), np.full(types, np.inf), np.zeros(types)
    for kind in range(types):
        finite = np.flatnonzero((city.type_of == kind) & np.isfinite(gain))
        if not finite.size:  # of agents whose payoffs are transferred nothing is known
            continue
        widest = finite[[np.argmax(gain[finite])]]
        regret[kind] = gain[widest[0]]
        worse = [policy_of_all(of_agents(city, widest), word) for word in ("zero", "all_in")]
        at_stake[kind] = max(regret[kind], *(gain_of(widest, policy, environment) for policy in worse))
        if is_sampled:
            parts = [measured_environment(city, with_sums(tallied, row)) for row in leave_one_out]
            without = np.array([gain_of(widest, policies(widest), part) for part in parts])
            interval[kind] = jackknife_error(regret[kind], without, finite.size)
            interval[kind] += error[widest[0]]
    return Gains(payoff, gain, error, regret, interval, at_stake)


def gains_record(streets: Streets, result: Gains) -> Record:
    """Return gains per agent, means per type, and the largest gains as certificate."""
    kinds, finite = streets.arrays.type_of, np.isfinite(result.payoff)
    if not finite.any():
        return {}
    scale = abs(float(result.payoff[finite].mean())) or np.inf  # 0 if no agent is ever refused: no gains
    members = [finite & (kinds == kind) for kind in range(len(streets.arrays.stakes))]
    payoff, gain = (
        np.array([array[member].mean() if member.any() else np.nan for member in members])
        for array in (result.payoff, result.gain)
    )
    # the largest gain of an agent and not the mean: in an equilibrium nobody gains
    far, allowed = np.full(len(result.regret), np.inf), tolerance_of(result.at_stake, payoff)
    proof = Certificate(result.regret, far, "estimated", HOW, allowed, result.at_stake, error=result.interval)
    return {
        **indexed(
            "agent",
            agent_payoff=result.payoff,
            agent_exploitability=result.gain,
            agent_relative_exploitability=result.gain / scale,
        ),
        **indexed("player", payoff=payoff, exploitability=gain, relative_exploitability=gain / scale),
        "mean_relative_exploitability": scalar(result.gain[finite].mean() / scale),
        "payoff_error": scalar(result.error.max()),
        **(proof.record()),
    }
