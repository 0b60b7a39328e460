"""Experiments on random policies: violations of contraction and of monotonicity.

Theorems on learning in populations assume that a step contracts or that the game is monotone. The experiments
count violations over random policies of bidding agents. The rule that generates the policies determines the
result, so it is part of the record.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.jax import jax, jnp, put
from rivalry.core.method import BaseLearner
from rivalry.core.needs import POPULATION, Need, fits
from rivalry.core.results import Record
from rivalry.core.statistics import share_interval
from rivalry.core.tolerances import TIE
from rivalry.economies.learning.sessions import Session
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.populations.response import bonus, mirror_response, rule
from rivalry.population import policy_values, random_policies, stationary_population, uniform
from rivalry.population.distances import Distance, entropies, policy_distance
from rivalry.population.operators import Distribution, Policy
from rivalry.population.random_policies import EntropyRule, Rule

Many = Float[Array, "policy state action"]
Here = tuple[Policy, Distribution]

BATCH = 32  # policies per call of a compiled program
AGREES = 1e-8  # tolerance of a policy's stationary population


class RandomPolicyExperiment(BaseLearner):
    """Base class of experiments on random policies: options, equilibrium, and policies in batches."""

    beta: Annotated[float, Gt(0), "inverse temperature of the equilibrium, per unit of payoff"] = 1.0
    policies: Annotated[int, Ge(1), Le(1_000_000), "number of admissible policies that are evaluated"] = 200
    generator: Annotated[Rule, "distribution of random policies"] = "dirichlet_state"
    entropy_rule: Annotated[
        EntropyRule,
        "admissible: at least the equilibrium's entropy, on average over states or in every state",
    ] = "mean"
    draws: Annotated[int, Ge(1), "maximum number of draws"] = 100_000
    reference_error: Annotated[
        float, Ge(0), Le(1), "share of uniform play in the policy that takes the equilibrium's place"
    ] = 0.0

    def __check_init__(self) -> None:
        if not 0 < self.beta < np.inf:
            raise ValueError(f"beta: {self.beta} must be above 0 and finite")

    needs: ClassVar[tuple[Need, ...]] = (
        POPULATION,
        Need("bids of 0 to what is held, which rises in steps of 1", lambda game: _is_bidding(game.legal)),
    )

    def world(self, game: Any) -> Any:
        """Return the population. Raises `ValueError` for other games."""
        if not fits(type(self), game):
            raise ValueError(f"game: {type(game).__name__} must be a population of agents who bid")
        return game

    def length(self, world: PopulationGame) -> int:
        """Return the number of policies; one step is one policy."""
        return self.policies

    def begin(self, world: PopulationGame, stream: np.random.SeedSequence) -> Session:
        """Return the equilibrium and the random words from which policies are drawn."""
        policy, mu, residual = equilibrium(world, self.beta)
        return {
            "words": stream.generate_state(4, np.uint32),
            "equilibrium": policy,
            "reference": policy + self.reference_error * (np.asarray(uniform(world)) - policy),
            "law": mu,
            "residual": np.array([residual]),
            "drawn": np.zeros(1, dtype=np.int64),
            "taken": np.zeros(1, dtype=np.int64),
        }

    def advance(self, world: PopulationGame, session: Session, steps: int) -> int:
        """Measure ``steps`` further policies in batches of fixed size, so chunks do not change results."""
        if not session["residual"][0] <= ENOUGH:
            return 0
        first = int(session["taken"][0])
        last = min(first + steps, self.policies)
        while (known := len(session.get("number", ()))) < last:
            numbers, chosen = self._draw_admissible(session, min(BATCH, self.policies - known))
            if not len(numbers):
                last = known
                break
            # always `BATCH` policies: another number of them would be compiled anew
            padding = [np.asarray(uniform(world))] * (BATCH - len(numbers))
            measured = self.measure(world, session, put(np.stack([*chosen, *padding])))
            for name, values in {"number": numbers, **measured}.items():
                new = np.asarray(values)[: len(numbers)]
                session[name] = np.concatenate([session[name], new]) if name in session else new
        session["taken"][0] = last
        return last - first

    def measure(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        """Return the measurements of each policy, ``[policy ..]``."""
        raise NotImplementedError

    def _draw_admissible(self, session: Session, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers and the policies of the next admissible draws, at most ``most``."""
        target = session["equilibrium"]
        actions, first = target.shape[1], int(session["drawn"][0])
        shaped = target.reshape(-1, actions, actions)
        numbers: list[int] = []
        chosen: list[np.ndarray] = []
        while first < self.draws and len(chosen) < most:
            count = min(8 * BATCH, self.draws - first)
            sample = self._sample(session, count, first)
            fit = np.flatnonzero(
                random_policies.at_least_as_random(sample.policies, shaped, self.entropy_rule)
            )
            fit = fit[: most - len(chosen)]
            numbers += (first + fit).tolist()
            chosen += list(sample.policies[fit].reshape(-1, *target.shape))
            first = numbers[-1] + 1 if len(chosen) == most else first + count
        session["drawn"][0] = first
        return np.array(numbers, dtype=np.int64), np.array(chosen)

    def _sample(self, session: Session, count: int, first: int) -> random_policies.PolicySample:
        states, actions = session["equilibrium"].shape
        words = np.random.SeedSequence(session["words"].tolist())
        return random_policies.draw_policies(
            self.generator, count, states // actions, actions - 1, words, first
        )

    def about(self, session: Session) -> Record:
        """Return the settings that determine the result, and the equilibrium."""
        actions = session["equilibrium"].shape[1]
        shaped = session["equilibrium"].reshape(-1, actions, actions)
        taken, count_drawn = int(session["taken"][0]), int(session["drawn"][0])
        status = "completed" if taken >= self.policies or count_drawn >= self.draws else "iteration limit"
        if not session["residual"][0] <= ENOUGH:
            status = "not found"
        record: Record = {
            "status": ((), np.asarray(status)),
            "generator": ((), np.asarray(self.generator)),
            "entropy_rule": ((), np.asarray(self.entropy_rule)),
            "beta": ((), np.asarray(float(self.beta))),
            "equilibrium": (("state", "action"), session["equilibrium"]),
            "reference_error": ((), np.asarray(float(self.reference_error))),
            "equilibrium_residual": ((), session["residual"][0]),
            "equilibrium_entropy": ((), np.asarray(entropies(put(shaped))).mean()),
            # signed, because datasets pad integers with -1
            "words": (("word",), session["words"].astype(np.int64)),
            "drawn": ((), np.asarray(count_drawn)),
            "admissible": ((), np.asarray(taken)),
        }
        if taken:
            record["number"] = (("policy",), session["number"][:taken])
            record["population_residual"] = (("policy",), session["population_residual"][:taken])
            # parameters are drawn again for the kept policies only: few of many draws
            each = [self._sample(session, 1, int(number)).parameters for number in record["number"][1]]
            for name in each[0]:
                values = np.concatenate([one[name] for one in each])
                record[f"drawn_{name}"] = (("policy", "private")[: values.ndim], values)
        return record


def _is_bidding(legal: Any) -> bool:
    """Return whether actions are bids 0..k in blocks of states with k increasing by 1."""
    legal = np.asarray(legal)
    states, actions = legal.shape
    triangle = np.tri(actions, dtype=bool)
    return states % actions == 0 and np.array_equal(legal, np.tile(triangle, (states // actions, 1)))


class Contractivity(RandomPolicyExperiment):
    """Count how often a step of policy mirror ascent brings policies closer to the logit equilibrium.

    A step maps ``pi`` to ``softmax(beta Q^pi)`` in the stationary population of ``pi``. Of the policies
    drawn, those with at least the entropy of the equilibrium ``pi*`` are admissible, and ``map_steps`` steps
    are taken from each. A policy is a violation if ``d(next, pi*) / d(now, pi*)`` exceeds 1 at any step
    before ``d`` is below ``stop_below``. One step of the loop is one policy.

    Steps end at the equilibrium, so where ``pi*`` is known only roughly the distance to it increases at last,
    whatever the policies. ``reference_error`` shows this: distances are to a mixture of the equilibrium and
    uniform play.

    The record has ``violation_share`` with its 95 % ``violation_interval`` (low, high), ``violated``
    (policy), ``largest_ratio`` (policy), ``distances`` (policy, map_step) from the draw on, the equilibrium,
    its mean entropy over states, the numbers of policies drawn and admissible, and the random numbers of each
    draw. Policies without a stationary population are excluded and counted in ``excluded``. Fewer policies
    than requested are admissible if ``draws`` is too small.

    Raises
    ------
    ValueError
        For options out of range.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), section 5.1.1, which does not say how policies were drawn.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0)
    >>> found = rv.solve(game, Contractivity(policies=8, map_steps=4))
    >>> float(found.data.violation_share), found.data.distances.shape
    (0.0, (8, 5))
    """

    map_steps: Annotated[int, Ge(1), Le(100_000), "steps per policy"] = 20
    distance: Annotated[Distance, "metric of policies: earth mover's distance of bids, or l1"] = "mean"
    stop_below: Annotated[float, Ge(0), "distance below which a policy counts as converged"] = 1e-8

    def measure(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        target, mu = put(session["reference"]), put(session["law"])
        beta = jnp.asarray(float(self.beta))
        far, residual = _distances_along(world, policies, target, mu, beta, self.map_steps, self.distance)
        return {"distances": far, "population_residual": residual}

    def read(self, world: PopulationGame, session: Session) -> Record:
        """Return the counts over the policies so far."""
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
        return record | _violations(session, "", largest > 1)


class Monotonicity(RandomPolicyExperiment):
    """Count how often a policy exceeds the equilibrium's payoff in that policy's own population.

    Generalised monotonicity requires ``J(pi*, mu_pi) >= J(pi, mu_pi)``: where all others follow ``pi``, one
    agent's payoff from the logit equilibrium ``pi*`` is at least its payoff from ``pi``. Both are means under
    the stationary distribution ``mu_pi``. ``J_h`` adds the entropy of the agent's own policy over ``beta`` at
    every step. Of the policies drawn, those with at least the entropy of ``pi*`` are admissible. One step of
    the loop is one policy. With a ``reference_error``, a mixture with uniform play replaces ``pi*``.

    The record has ``payoff_equilibrium``, ``payoff_own`` (policy), and ``.._h``; ``violated`` (policy) with
    ``violation_share`` and its 95 % ``violation_interval`` (low, high), and ``.._h``; the rest as in
    `Contractivity`.

    Raises
    ------
    ValueError
        For options out of range.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), equation 5.10, with Table 5.1 for ``J_h``.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0)
    >>> found = rv.solve(game, Monotonicity(policies=8))
    >>> float(found.data.violation_share), float(found.data.violation_share_h)
    (0.0, 0.0)
    """

    generator: Annotated[Rule, "distribution of random policies"] = "smooth_gaussian"

    def measure(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        payoffs, residual = _payoff_pairs(
            world, policies, put(session["reference"]), jnp.asarray(float(self.beta))
        )
        return {"payoffs": payoffs, "population_residual": residual}

    def read(self, world: PopulationGame, session: Session) -> Record:
        """Return the counts over the policies so far."""
        taken = int(session["taken"][0])
        record = self.about(session)
        if not taken:
            return record
        allowed = TIE * float(scale_of(world))
        for k, name in enumerate(("", "_h")):
            there, own = session["payoffs"][:taken, :, k].T
            record[f"payoff_equilibrium{name}"] = (("policy",), there)
            record[f"payoff_own{name}"] = (("policy",), own)
            record |= _violations(session, name, there < own - allowed)
        return record


@eqx.filter_jit
def _distances_along(
    game: PopulationGame,
    policies: Many,
    target: Policy,
    mu: Distribution,
    beta: Array,
    steps: int,
    distance: str,
) -> tuple[Float[Array, "policy map_step"], Float[Array, "policy"]]:
    """Return distances from the target along steps of policy mirror ascent, and residuals of populations."""
    actions = target.shape[1]

    def bids(pi: Array) -> Array:
        return pi.reshape(-1, actions, actions)

    def far(pi: Policy) -> Array:
        return policy_distance(bids(pi), bids(target), distance, mu.reshape(-1, actions))

    def step(here: Here, _: None) -> tuple[Here, tuple[Array, Array]]:
        there, off = mirror_response(game, *here, rule(beta))
        return (there.answer, there.mu), (far(there.answer), off)

    def values_under(pi: Policy) -> tuple[Array, Array]:
        _, (away, residual) = jax.lax.scan(step, (pi, mu), None, length=steps)
        return jnp.concatenate([far(pi)[None], away]), jnp.max(residual)

    found: tuple[Array, Array] = jax.lax.map(values_under, policies)  # one by one, as in `evaluate_agents`
    return found


@eqx.filter_jit
def _payoff_pairs(
    game: PopulationGame, policies: Many, target: Policy, beta: Array
) -> tuple[Float[Array, "policy who payoff"], Float[Array, "policy"]]:
    """Return payoffs of the target and of each policy in that policy's population, plain and with entropy."""

    by = rule(beta, regularised=True)

    def both(pi: Policy) -> tuple[Array, Array]:
        there = stationary_population(game, pi)

        def payoffs(each: Policy) -> Float[Array, "payoff"]:
            values = [policy_values(game, there.env, each, paid) for paid in (None, bonus(each, by))]
            return there.mu @ jnp.stack(values, axis=1)

        return jnp.stack([payoffs(target), payoffs(pi)]), there.residual

    found: tuple[Array, Array] = jax.lax.map(both, policies)  # one by one, as in `evaluate_agents`
    return found


def _ratios(far: np.ndarray, stop_below: float) -> np.ndarray:
    """Return ratios of successive distances ``[policy step]``; NaN after one falls below ``stop_below``."""
    # near the equilibrium ratios are those of rounding errors
    going = np.logical_and.accumulate((far[:, :-1] >= stop_below) & (far[:, :-1] > 0), axis=1)
    return np.where(going, far[:, 1:] / np.where(going, far[:, :-1], 1.0), np.nan)


def _violations(session: Session, name: str, violated: np.ndarray) -> Record:
    """Return the share of violations among policies with a stationary population."""
    known = session["population_residual"][: len(violated)] <= AGREES
    count = int(known.sum())
    times = int((violated & known).sum())
    return {
        f"violated{name}": (("policy",), violated & known),
        f"violation_share{name}": ((), np.asarray(times / count if count else np.nan)),
        f"violation_interval{name}": (("end",), share_interval(times, count)),
        "excluded": ((), np.asarray(len(violated) - count)),
    }
