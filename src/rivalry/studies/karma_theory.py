"""Experiments on drawn policies, for the studies `karma_contractivity` and `karma_monotonicity`.

Theorems on learning in populations assume that a step contracts or that the game is monotone. The experiments
count violations over random policies of bidding agents. The rule that generates the policies determines the
result, so it is part of the record.

Source: Vaishampayan (ETH Zurich 2024), chapter 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import POPULATION, Need
from rivalry.core.results import Record, scalar
from rivalry.core.tolerances import TIE
from rivalry.economies.karma.checks import any_bid
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.populations.response import bonus, mirror_response, rule
from rivalry.population import policy_values, stationary_population, uniform
from rivalry.population.distances import entropies, policy_distance
from rivalry.population.operators import Distribution, Policy
from rivalry.runtime.jax import compiled, jax, jnp, put
from rivalry.schema.validate import check_word
from rivalry.text.statistics import share_interval

Rule = Literal["dirichlet_state", "smooth_gaussian", "logit_noise"]
EntropyRule = Literal["mean", "every"]

Numbers = dict[str, ndarray]


class PolicySample(NamedTuple):
    """Policies and the parameters of each."""

    policies: ndarray  # [policy private karma bid]
    parameters: Numbers  # [policy ..] each


def draw_policies(
    generator: str, count: int, private: int, most: int, seed: np.random.SeedSequence, first: int = 0
) -> PolicySample:
    """Generate policies ``first`` to ``first + count - 1`` of a seed.

    Parameters
    ----------
    generator : str
        ``dirichlet_state``: in every state a sample of a symmetric Dirichlet distribution, with
        ``concentration`` ``10^U(-1, 2)`` per policy. ``smooth_gaussian``: probabilities proportional to
        ``exp(-((b - centre k)/width)^2/2) + 1e-12``, with ``centre`` ``U(0, 1)`` and ``width``
        ``10^U(-1, 1.2)`` units of karma per private state. ``logit_noise``: ``softmax(scale x)`` of
        independent standard normal ``x``, with ``scale`` ``10^U(-1, 1)`` per policy.
    count, first : int
        Number of policies, and the index of the first.
    private : int
        Number of private states.
    most : int
        Largest karma.
    seed : SeedSequence
        Determines all policies.

    Returns
    -------
    PolicySample
        Policies ``[policy private karma bid]`` and the parameters of each.

    Raises
    ------
    ValueError
        For another ``generator``.

    Examples
    --------
    >>> drawn = draw_policies("smooth_gaussian", 3, private=2, most=4, seed=np.random.SeedSequence(1))
    >>> drawn.policies.shape, drawn.parameters["width"].shape, bool(np.all(drawn.policies[:, :, 1, 2:] == 0))
    ((3, 2, 5, 5), (3, 2), True)
    """
    check_word("generator", generator, get_args(Rule))
    rule = _RULES[generator]
    draws = [rule(_numbers(seed, number), private, most) for number in range(first, first + count)]
    policies = [policy for policy, _ in draws]
    # parameters have their names even where no policy is asked for
    names = rule(_numbers(seed, 0), private, most)[1] if not draws else draws[0][1]
    parameters = {name: np.array([numbers[name] for _, numbers in draws]) for name in names}
    return PolicySample(np.array(policies).reshape(count, private, most + 1, most + 1), parameters)


def _numbers(seed: np.random.SeedSequence, number: int) -> np.random.Generator:
    """Return the random generator of policy ``number``."""
    # not `seed.spawn`, whose result depends on how often it was called before
    sequence = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))
    return np.random.default_rng(sequence)


def rows(rng: np.random.Generator, concentration: ndarray) -> ndarray:
    """Sample from symmetric Dirichlet distributions of bids 0..k, ``[.. karma bid]``.

    The ``concentration`` is ``[.. karma]``.

    >>> rows(np.random.default_rng(0), np.ones((2, 4))).sum(axis=-1).round(12).tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    size = concentration.shape[-1]
    weights = rng.standard_gamma(np.repeat(concentration[..., None], size, axis=-1))
    # samples may underflow to 0 at small concentrations, and a row of zeros has no sum to divide by
    return _normalize(weights + np.finfo(float).tiny)


def _normalize(weights: ndarray) -> ndarray:
    """Return weights ``[.. karma bid]`` normalised to probabilities of legal bids."""
    legal = np.tril(weights)
    return legal / legal.sum(axis=-1, keepdims=True)


def _dirichlet(rng: np.random.Generator, private: int, max_karma: int) -> tuple[ndarray, Numbers]:
    concentration = 10 ** rng.uniform(-1, 2)
    policy = rows(rng, np.full((private, max_karma + 1), concentration))
    return policy, {"concentration": np.asarray(concentration)}


def _gaussian(rng: np.random.Generator, private: int, max_karma: int) -> tuple[ndarray, Numbers]:
    centre, width = rng.uniform(0, 1, private), 10 ** rng.uniform(-1, 1.2, private)
    k, b = np.ogrid[: max_karma + 1, : max_karma + 1]
    away = (b - centre[:, None, None] * k) / width[:, None, None]
    return _normalize(np.exp(-(away**2) / 2) + 1e-12), {"centre": centre, "width": width}


def _noise(rng: np.random.Generator, private: int, max_karma: int) -> tuple[ndarray, Numbers]:
    scale = 10 ** rng.uniform(-1, 1)
    x = scale * rng.standard_normal((private, max_karma + 1, max_karma + 1))
    x = np.where(np.tri(max_karma + 1, dtype=bool), x, -np.inf)
    return _normalize(np.exp(x - x.max(axis=-1, keepdims=True))), {"scale": np.asarray(scale)}


_RULES: dict[str, Callable[[np.random.Generator, int, int], tuple[ndarray, Numbers]]] = {
    "dirichlet_state": _dirichlet,
    "smooth_gaussian": _gaussian,
    "logit_noise": _noise,
}


def at_least_as_random(policies: ndarray, reference: ndarray, rule: str = "mean") -> ndarray:
    """Mask of policies ``[policy private karma bid]`` that have at least the entropy of another policy.

    Entropies are compared in the ``mean`` over states or in ``every`` state, up to rounding. Raises
    `ValueError` for another rule.

    >>> even, sure = np.tri(3) / np.arange(1, 4)[:, None], np.eye(3)
    >>> at_least_as_random(np.array([[even], [sure]]), even[None]).tolist()
    [True, False]
    """
    check_word("entropy_rule", rule, get_args(EntropyRule))
    levels, bar = (np.asarray(entropies(jnp.asarray(pi))) for pi in (policies, reference))
    if rule == "mean":
        levels, bar = levels.mean(axis=(-2, -1))[:, None, None], bar.mean()
    return np.all(levels >= bar - 1e-12, axis=(-2, -1))


# experiments on random policies

Many = Float[Array, "policy state action"]
Here = tuple[Policy, Distribution]

BATCH = 32  # policies per call of a compiled program
DRAWS = 100_000  # the maximum number of draws
MAP_STEPS = 20  # of mirror ascent per policy, as in the source
CONVERGED = 1e-8  # distance below which a policy has converged
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
    reference_error: Annotated[
        float, Ge(0), Le(1), "share of uniform play in the policy that takes the equilibrium's place"
    ] = 0.0

    def __check_init__(self) -> None:
        if not 0 < self.beta < np.inf:
            raise ValueError(f"beta: {self.beta} must be above 0 and finite")

    needs = (
        POPULATION,
        Need("bids of 0 to what is held, which rises in steps of 1", any_bid),
    )

    def world(self, game: object) -> Any:
        """Return the population."""
        return game

    def length(self, world: PopulationGame) -> int:
        """Return the number of policies; one step is one policy."""
        return self.policies

    def check_world(self, world: PopulationGame) -> None:
        """Accept every population; ``begin`` computes its equilibrium."""

    def begin(self, world: PopulationGame, stream: np.random.SeedSequence) -> Session:
        """Return the equilibrium and the random words from which policies are drawn."""
        policy, mu, residual = equilibrium(world, self.beta)
        return {
            "words": stream.generate_state(4, np.uint32),
            "equilibrium": policy,
            "reference": policy + self.reference_error * (np.asarray(uniform(world)) - policy),
            "law": mu,
            "residual": np.array([residual]),
            "drawn": np.array([0]),
            "taken": np.array([0]),
        }

    def advance(self, world: PopulationGame, session: Session, steps: int) -> int:
        """Measure ``steps`` further policies in batches of fixed size, so chunks do not change results."""
        if not session["residual"][0] <= ENOUGH:
            return 0
        start = int(session["taken"][0])
        stop = min(start + steps, self.policies)
        while (count := len(session.get("number", ()))) < stop:
            numbers, draws = self._draw_admissible(session, min(BATCH, self.policies - count))
            if not len(numbers):
                stop = count
                break
            # always `BATCH` policies: another number of them would be compiled anew
            padding = [np.asarray(uniform(world))] * (BATCH - len(numbers))
            measured = self.measure(world, session, put(np.stack([*draws, *padding])))
            for name, values in {"number": numbers, **measured}.items():
                new = np.asarray(values)[: len(numbers)]
                session[name] = np.concatenate([session[name], new]) if name in session else new
        session["taken"][0] = stop
        return stop - start

    def measure(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        """Return the measurements of each policy, ``[policy ..]``."""
        raise NotImplementedError

    def counts(self, world: PopulationGame, session: Session, count: int) -> Record:
        """Return the measures of the first ``count`` policies."""
        raise NotImplementedError

    def read(self, world: PopulationGame, session: Session) -> Record:
        """Return the counts over the policies so far."""
        count = int(session["taken"][0])
        return self.about(session) | (self.counts(world, session, count) if count else {})

    def _draw_admissible(self, session: Session, max_policies: int) -> tuple[ndarray, ndarray]:
        """Return the numbers and the policies of the next admissible draws, at most ``max_policies``."""
        target = session["equilibrium"]
        actions, next_number = target.shape[1], int(session["drawn"][0])
        shaped = target.reshape(-1, actions, actions)
        numbers: list[int] = []
        draws: list[ndarray] = []
        while next_number < DRAWS and len(draws) < max_policies:
            count = min(8 * BATCH, DRAWS - next_number)
            sample = self._sample(session, count, next_number)
            fit = np.flatnonzero(at_least_as_random(sample.policies, shaped, self.entropy_rule))
            fit = fit[: max_policies - len(draws)]
            numbers += (next_number + fit).tolist()
            draws += list(sample.policies[fit].reshape(-1, *target.shape))
            next_number = numbers[-1] + 1 if len(draws) == max_policies else next_number + count
        session["drawn"][0] = next_number
        return np.array(numbers, dtype=int), np.array(draws)

    def _sample(self, session: Session, count: int, start: int) -> PolicySample:
        states, actions = session["equilibrium"].shape
        words = np.random.SeedSequence(session["words"].tolist())
        return draw_policies(self.generator, count, states // actions, actions - 1, words, start)

    def about(self, session: Session) -> Record:
        """Return the settings that determine the result, and the equilibrium."""
        actions = session["equilibrium"].shape[1]
        shaped = session["equilibrium"].reshape(-1, actions, actions)
        count, count_drawn = int(session["taken"][0]), int(session["drawn"][0])
        status = "completed" if count >= self.policies or count_drawn >= DRAWS else "iteration limit"
        if not session["residual"][0] <= ENOUGH:
            status = "not found"
        record: Record = {
            "status": scalar(status),
            "generator": scalar(self.generator),
            "entropy_rule": scalar(self.entropy_rule),
            "beta": scalar(float(self.beta)),
            "equilibrium": (("state", "action"), session["equilibrium"]),
            "reference_error": scalar(float(self.reference_error)),
            "equilibrium_residual": ((), session["residual"][0]),
            "equilibrium_entropy": ((), np.asarray(entropies(put(shaped))).mean()),
            # signed, because datasets pad integers with -1
            "words": (("word",), session["words"].astype(np.int64)),
            "drawn": scalar(count_drawn),
            "admissible": scalar(count),
        }
        if count:
            record["number"] = (("policy",), session["number"][:count])
            record["population_residual"] = (("policy",), session["population_residual"][:count])
            # parameters are drawn again for the kept policies only: few of many draws
            samples = [self._sample(session, 1, int(number)).parameters for number in record["number"][1]]
            for name in samples[0]:
                values = np.concatenate([parameters[name] for parameters in samples])
                record[f"drawn_{name}"] = (("policy", "private")[: values.ndim], values)
        return record


# The words by which a study names a method seed its cells: these classes stay in this module.


class Contractivity(RandomPolicyExperiment):
    """Count how often a step of policy mirror ascent brings policies closer to the logit equilibrium.

    A step maps ``pi`` to ``softmax(beta Q^pi)`` in the stationary population of ``pi``. Of the policies
    drawn, those with at least the entropy of the equilibrium ``pi*`` are admissible, and `MAP_STEPS` steps
    are taken from each. A policy is a violation if ``d(next, pi*) / d(now, pi*)`` exceeds 1 at any step
    before ``d``, the mean over states of the earth mover's distance of bids, is below `CONVERGED`. One step
    of the loop is one policy.

    Steps end at the equilibrium, so where ``pi*`` is known only roughly the distance to it increases at last,
    whatever the policies. ``reference_error`` shows this: distances are to a mixture of the equilibrium and
    uniform play.

    The record has ``violation_share`` with its 95 % ``violation_interval`` (low, high), ``violated``
    (policy), ``largest_ratio`` (policy), ``distances`` (policy, map_step) from the draw on, the equilibrium,
    its mean entropy over states, the numbers of policies drawn and admissible, and the random numbers of each
    draw. Policies without a stationary population are excluded and counted in ``excluded``. Fewer policies
    than requested are admissible if `DRAWS` is too small.

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
    >>> solution = rv.solve(game, Contractivity(policies=8))
    >>> float(solution.data.violation_share), solution.data.distances.shape
    (0.0, (8, 21))
    """

    def measure(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        target, mu = put(session["reference"]), put(session["law"])
        beta = jnp.asarray(float(self.beta))
        distances, residual = _distances_along(world, policies, target, mu, beta, MAP_STEPS)
        return {"distances": distances, "population_residual": residual}

    def counts(self, world: PopulationGame, session: Session, count: int) -> Record:
        distances = session["distances"][:count]
        ratios = _ratios(distances)
        largest = np.max(np.nan_to_num(ratios, nan=-np.inf), axis=1, initial=-np.inf)
        largest = np.where(np.isfinite(largest), largest, np.nan)
        return {
            "distances": (("policy", "map_step"), distances),
            "largest_ratio": (("policy",), largest),
            **_violations(session, "", largest > 1),
        }


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
    >>> solution = rv.solve(game, Monotonicity(policies=8))
    >>> float(solution.data.violation_share), float(solution.data.violation_share_h)
    (0.0, 0.0)
    """

    generator: Annotated[Rule, "distribution of random policies"] = "smooth_gaussian"

    def measure(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        payoffs, residual = _payoff_pairs(
            world, policies, put(session["reference"]), jnp.asarray(float(self.beta))
        )
        return {"payoffs": payoffs, "population_residual": residual}

    def counts(self, world: PopulationGame, session: Session, count: int) -> Record:
        record: Record = {}
        allowed = TIE * float(scale_of(world))
        for k, name in enumerate(("", "_h")):
            equilibrium_payoffs, payoff_own = session["payoffs"][:count, :, k].T
            record[f"payoff_equilibrium{name}"] = (("policy",), equilibrium_payoffs)
            record[f"payoff_own{name}"] = (("policy",), payoff_own)
            record |= _violations(session, name, equilibrium_payoffs < payoff_own - allowed)
        return record


@compiled
def _distances_along(
    game: PopulationGame,
    policies: Many,
    target: Policy,
    mu: Distribution,
    beta: Array,
    steps: int,
) -> tuple[Float[Array, "policy map_step"], Float[Array, "policy"]]:
    """Return distances from the target along steps of policy mirror ascent, and residuals of populations."""
    actions = target.shape[1]

    def bids(pi: Array) -> Array:
        return pi.reshape(-1, actions, actions)

    def distance(pi: Policy) -> Array:
        return policy_distance(bids(pi), bids(target))

    def step(current: Here, _: None) -> tuple[Here, tuple[Array, Array]]:
        response, off = mirror_response(game, *current, rule(beta))
        return (response.answer, response.mu), (distance(response.answer), off)

    def values_under(pi: Policy) -> tuple[Array, Array]:
        _, (away, residual) = jax.lax.scan(step, (pi, mu), None, length=steps)
        return jnp.concatenate([distance(pi)[None], away]), jnp.max(residual)

    return jax.lax.map(values_under, policies)  # one by one, as in `evaluate_agents`


@compiled
def _payoff_pairs(
    game: PopulationGame, policies: Many, target: Policy, beta: Array
) -> tuple[Float[Array, "policy who payoff"], Float[Array, "policy"]]:
    """Return payoffs of the target and of each policy in that policy's population, plain and with entropy."""

    by = rule(beta, regularised=True)

    def payoff_pair(pi: Policy) -> tuple[Array, Array]:
        stationary = stationary_population(game, pi)

        def payoffs(policy: Policy) -> Float[Array, "payoff"]:
            values = [policy_values(game, stationary.env, policy, paid) for paid in (None, bonus(policy, by))]
            return stationary.mu @ jnp.stack(values, axis=1)

        return jnp.stack([payoffs(target), payoffs(pi)]), stationary.residual

    return jax.lax.map(payoff_pair, policies)  # one by one, as in `evaluate_agents`


def _ratios(distances: ndarray) -> ndarray:
    """Return ratios of successive distances ``[policy step]``; NaN after a policy has converged."""
    # near the equilibrium ratios are those of rounding errors
    mask = np.logical_and.accumulate(distances[:, :-1] >= CONVERGED, axis=1)
    return np.where(mask, distances[:, 1:] / np.where(mask, distances[:, :-1], 1.0), np.nan)


def _violations(session: Session, name: str, violated: ndarray) -> Record:
    """Return the share of violations among policies with a stationary population."""
    consistent = session["population_residual"][: len(violated)] <= AGREES
    count = int(consistent.sum())
    times = int((violated & consistent).sum())
    return {
        f"violated{name}": (("policy",), violated & consistent),
        f"violation_share{name}": scalar(times / count if count else np.nan),
        f"violation_interval{name}": (("end",), share_interval(times, count)),
        "excluded": scalar(len(violated) - count),
    }
