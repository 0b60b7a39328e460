"""What holds for most policies: drawn at random, does a step bring them nearer to equilibrium; do they lose?

Theorems on learning in populations assume that a step contracts, or that the game is monotone. Here both are
counted over policies of many agents who bid, drawn by a named rule; the rule decides the answer, so it is
part of the result.
"""

from __future__ import annotations

from typing import Annotated, Any

import equinox as eqx
import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.jax import jax, jnp, put
from rivalry.core.results import Record
from rivalry.core.statistics import share_interval
from rivalry.economies.learning.drawn import Many, OnDrawn, Session
from rivalry.methods.populations import response
from rivalry.methods.populations.response import bonus, mirrored, rule
from rivalry.population import policy_values, settled
from rivalry.population.distances import Distance, policy_distance
from rivalry.population.operators import Law, Policy
from rivalry.population.random_policies import Rule

AGREES = 1e-8  # a policy's population is its own, up to this
TIE = 1e-12  # times the payoff scale: payoffs so near are equal


class Contractivity(OnDrawn):
    """Whether a step of policy mirror ascent brings policies nearer to the logit equilibrium, counted.

    A step takes ``softmax(beta Q^pi)`` in the stationary population of ``pi``. Policies are drawn, those kept
    that have at least the entropy of the equilibrium ``pi*``, and each is followed for ``map_steps`` steps;
    it is a violation if ``d(next, pi*) / d(now, pi*)`` exceeds 1 at any of them, once ``d`` is below
    ``stop_below`` no more are looked at. One step of the loop is one policy.

    The record has ``violation_share`` with its 95 % ``violation_interval`` (low, high), ``violated``
    (policy), ``largest_ratio`` (policy), ``distances`` (policy, map_step) from the draw on, the equilibrium,
    its mean entropy over states, how many were drawn and kept, and the numbers that each was drawn with.
    A policy whose population was not found counts as nothing, and is told by ``unsettled``. Fewer than asked
    are kept where ``draws`` are not enough. Raises `ValueError` for options out of range.

    Source: Vaishampayan (ETH Zurich 2024), section 5.1.1, which does not say how policies were drawn.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0)
    >>> found = rv.solve(game, Contractivity(policies=8, map_steps=4))
    >>> float(found.data.violation_share), found.data.distances.shape
    (0.0, (8, 5))
    """

    map_steps: Annotated[int, Ge(1), Le(100_000), "steps that each policy is followed"] = 20
    distance: Annotated[Distance, "of policies: how far bids are moved, or l1"] = "mean"
    stop_below: Annotated[float, Ge(0), "distance below which a policy counts as arrived"] = 1e-8

    def __check_init__(self) -> None:
        if not self.stop_below >= 0:
            raise ValueError(f"stop_below: {self.stop_below} must be at least 0")

    def measured(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        target, mu = put(session["equilibrium"]), put(session["law"])
        beta = jnp.asarray(float(self.beta))
        far, residual = _mirrored(world, policies, target, mu, beta, self.map_steps, self.distance)
        return {"distances": far, "population_residual": residual}

    def read(self, world: PopulationGame, session: Session) -> Record:
        """The counts of what has been looked at."""
        taken = int(session["taken"][0])
        record = self.about(session)
        record["distance_rule"] = ((), np.asarray(self.distance))
        record["stop_below"] = ((), np.asarray(float(self.stop_below)))
        if not taken:
            return record
        far = session["distances"][:taken]
        ratios = _ratios(far, self.stop_below)
        largest = np.max(np.nan_to_num(ratios, nan=-np.inf), axis=1, initial=-np.inf)
        largest = np.where(np.isfinite(largest), largest, np.nan)
        record["distances"] = (("policy", "map_step"), far)
        record["largest_ratio"] = (("policy",), largest)
        return record | _counted(session, "", largest > 1)


class Monotonicity(OnDrawn):
    """Whether the equilibrium does at least as well as a policy in that policy's own population, counted.

    Generalised monotonicity asks that ``J(pi*, mu_pi) >= J(pi, mu_pi)``: what following the logit equilibrium
    ``pi*`` is worth to one agent among others who all follow ``pi``, against following ``pi`` as well; means
    under the stationary law ``mu_pi``. With ``J_h`` the entropy of the own policy over ``beta`` is paid at
    every step besides. Policies are drawn, and those kept that have at least the entropy of ``pi*``. One step
    of the loop is one policy.

    The record has ``payoff_equilibrium``, ``payoff_own`` (policy), and ``.._h``; ``violated`` (policy) with
    ``violation_share`` and its 95 % ``violation_interval`` (low, high), and ``.._h``; the rest as
    `Contractivity` has it. Raises `ValueError` for options out of range.

    Source: Vaishampayan (ETH Zurich 2024), equation 5.10, with Table 5.1 for ``J_h``.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0)
    >>> found = rv.solve(game, Monotonicity(policies=8))
    >>> float(found.data.violation_share), float(found.data.violation_share_h)
    (0.0, 0.0)
    """

    generator: Annotated[Rule, "how policies are drawn"] = "smooth_gaussian"

    def measured(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        payoffs, residual = _compared(
            world, policies, put(session["equilibrium"]), jnp.asarray(float(self.beta))
        )
        return {"payoffs": payoffs, "population_residual": residual}

    def read(self, world: PopulationGame, session: Session) -> Record:
        """The counts of what has been looked at."""
        taken = int(session["taken"][0])
        record = self.about(session)
        if not taken:
            return record
        allowed = TIE * float(scale_of(world))
        for k, name in enumerate(("", "_h")):
            there, own = session["payoffs"][:taken, :, k].T
            record[f"payoff_equilibrium{name}"] = (("policy",), there)
            record[f"payoff_own{name}"] = (("policy",), own)
            record |= _counted(session, name, there < own - allowed)
        return record


@eqx.filter_jit
def _mirrored(
    game: PopulationGame, policies: Many, target: Policy, mu: Law, beta: Array, steps: int, distance: str
) -> tuple[Float[Array, "policy map_step"], Float[Array, "policy"]]:
    """Distances from the target along steps of policy mirror ascent, and how well populations were found."""
    actions = target.shape[1]

    def bids(pi: Array) -> Array:
        return pi.reshape(-1, actions, actions)

    def far(pi: Policy) -> Array:
        return policy_distance(bids(pi), bids(target), distance, mu.reshape(-1, actions))

    def step(here: tuple[Policy, Law], _: None) -> tuple[tuple[Policy, Law], tuple[Array, Array]]:
        there, off = mirrored(game, *here, rule(beta))
        return (there.answer, there.mu), (far(there.answer), off)

    def followed(pi: Policy) -> tuple[Array, Array]:
        _, (away, residual) = jax.lax.scan(step, (pi, mu), None, length=steps)
        return jnp.concatenate([far(pi)[None], away]), jnp.max(residual)

    found: tuple[Array, Array] = jax.lax.map(followed, policies)  # one by one, as in `judged_agents`
    return found


@eqx.filter_jit
def _compared(
    game: PopulationGame, policies: Many, target: Policy, beta: Array
) -> tuple[Float[Array, "policy who payoff"], Float[Array, "policy"]]:
    """Payoffs of the target and of each policy in that policy's population, plain and with entropy."""

    def both(pi: Policy) -> tuple[Array, Array]:
        there = settled(game, pi)
        by = rule(beta, regularised=True)
        paid = jnp.stack([there.mu @ _worth(game, there.env, each, by) for each in (target, pi)])
        return paid, there.residual

    found: tuple[Array, Array] = jax.lax.map(both, policies)  # one by one, as in `judged_agents`
    return found


def _worth(
    game: PopulationGame, env: Any, pi: Policy, by: response.LogitRule
) -> Float[Array, "state payoff"]:
    """V^pi, and the same with the entropy over beta paid at every step."""
    return jnp.stack([policy_values(game, env, pi, paid) for paid in (None, bonus(pi, by))], axis=1)


def _ratios(far: np.ndarray, stop_below: float) -> np.ndarray:
    """Of successive distances ``[policy step]``; NaN from where a policy has arrived."""
    going = np.logical_and.accumulate((far[:, :-1] >= stop_below) & (far[:, :-1] > 0), axis=1)
    ratios: np.ndarray = np.where(going, far[:, 1:] / np.where(going, far[:, :-1], 1.0), np.nan)
    return ratios


def _counted(session: Session, name: str, violated: np.ndarray) -> Record:
    """The share of violations among policies whose population was found."""
    known = session["population_residual"][: len(violated)] <= AGREES
    count = int(known.sum())
    times = int((violated & known).sum())
    return {
        f"violated{name}": (("policy",), violated & known),
        f"violation_share{name}": ((), np.asarray(times / count if count else np.nan)),
        f"violation_interval{name}": (("end",), share_interval(times, count)),
        "unsettled": ((), np.asarray(len(violated) - count)),
    }
