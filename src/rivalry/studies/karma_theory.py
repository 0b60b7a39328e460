"""Methods of the karma studies on learning theory: contraction, monotonicity and scaling of bids.

*Experiments on random policies.* Theorems on learning in populations assume that a step contracts or that the
game is monotone. The experiments count violations over random policies of bidding agents. The rule that
generates the policies determines the result, so it is part of the record.

*Scaling.* Karma has no other use. If all karma is multiplied by ``a``, bids should be multiplied by ``a`` as
well: ``b(u, a k; a m, a n) = a b(u, k; m, n)``, where ``m`` is the mean and ``n`` the largest karma. If in
addition bids increase in ``m``, then ``b(u, a k; m) = a b(u, k; m/a) <= a b(u, k; m)`` for ``a > 1``: bids
are sublinear in own karma. Both statements concern continuous karma; integer bids satisfy them up to about
half a unit.

*Lipschitz constants.* Distances between states and between bids are 0 or 1; distances between distributions
are sums of absolute differences. ``nu`` is the distribution of bids and ``rho`` that of states with bids, and
``|nu - nu'| <= |rho - rho'|``. The cost of losing is at most ``u_max`` and karma at most ``max_karma``. As in
the source, karma in excess of the largest amount is ignored: its redistribution can make transitions steeper
than every bound here (`ratios` shows it).

*Baselines* are rules without karma among infinitely many agents. All agents meet in uniformly random pairs in
every step, and one of each pair is served; the other pays its urgency ``u``. ``COIN`` serves an agent at
random, ``DICT`` (dictator) the one with the higher urgency, ``TURN`` the one served less often so far. Ties
are broken at random. ``ROTATION`` is the limit of turn-taking: every agent is served in every second step,
half of the agents in odd ones.

Urgencies follow a chain ``P`` from its stationary distribution ``w``, so an agent's rewards are
autocorrelated. With ``A = P - 1 w'`` and ``c_d = (w f)' A^d f`` the covariance of ``f(z_t)`` and
``f(z_t+d)``, the sum of ``T`` terms has the variance ``T Var f + 2 sum_d=1..T-1 (T-d) c_d``. An opponent, one
of infinitely many, is independent of the agent's history.

The *Lasry-Lions sum* tests whether agents that behave like others receive lower rewards. Two populations have
bid distributions ``v[u, b]`` given the urgency and a common distribution ``p`` of urgencies. With ``d = v -
v'`` and ``theta_nu(b)`` the probability of winning with ``b`` against bids distributed as ``nu = p v``, the
sum is ``S = sum_u,b u p_u d_ub (theta_nu(b) - theta_nu'(b)) = (u p)' A p`` with ``A = d Theta d'``.
Monotonicity requires ``S <= 0`` always. With fair ties ``Theta + Theta' = 1 1'`` and rows of ``d`` sum to 0,
so ``A`` is skew-symmetric: 0 on the diagonal and, unless ``A = 0``, positive somewhere. Hence ``S = 0`` with
one urgency, and ``S`` can have either sign with several. If ties lose, ``S = -1/2 sum (p d)^2`` with one
urgency.

Source: Vaishampayan (ETH Zurich 2024), chapter 5 and appendix B; the Lipschitz constants after Yardim, Cayci,
Geist and He (ICML 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.method import BaseLearner
from rivalry.core.needs import POPULATION, Need, fits
from rivalry.core.results import Record
from rivalry.core.tolerances import TIE
from rivalry.economies.karma import KarmaEconomy
from rivalry.economies.karma.chains import stationary
from rivalry.economies.kernels.shapes import COIN, NOBODY, SOCIETY
from rivalry.economies.learning.sessions import Session
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.populations.response import bonus, mirror_response, rule
from rivalry.population import policy_values, stationary_population, uniform
from rivalry.population.distances import entropies, policy_distance
from rivalry.population.operators import Distribution, Policy
from rivalry.runtime.jax import jax, jnp, put
from rivalry.schema.validate import check_word, whole_number
from rivalry.text.statistics import share_interval

# random policies

Rule = Literal["dirichlet_state", "smooth_gaussian", "logit_noise"]
EntropyRule = Literal["mean", "every"]
GENERATORS: tuple[str, ...] = get_args(Rule)
ENTROPY_RULES: tuple[str, ...] = get_args(EntropyRule)

Numbers = dict[str, np.ndarray]


class PolicySample(NamedTuple):
    """Policies and the parameters of each."""

    policies: np.ndarray  # [policy private karma bid]
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
    check_word("generator", generator, GENERATORS)
    rule = _RULES[generator]
    each = [rule(_numbers(seed, number), private, most) for number in range(first, first + count)]
    policies = [policy for policy, _ in each]
    # parameters have their names even where no policy is asked for
    names = rule(_numbers(seed, 0), private, most)[1] if not each else each[0][1]
    parameters = {name: np.array([found[name] for _, found in each]) for name in names}
    return PolicySample(np.array(policies).reshape(count, private, most + 1, most + 1), parameters)


def _numbers(seed: np.random.SeedSequence, number: int) -> np.random.Generator:
    """Return the random generator of policy ``number``."""
    # not `seed.spawn`, whose result depends on how often it was called before
    own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))
    return np.random.default_rng(own)


def rows(rng: np.random.Generator, concentration: np.ndarray) -> np.ndarray:
    """Sample from symmetric Dirichlet distributions of bids 0..k, ``[.. karma bid]``.

    The ``concentration`` is ``[.. karma]``.

    >>> rows(np.random.default_rng(0), np.ones((2, 4))).sum(axis=-1).round(12).tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    size = concentration.shape[-1]
    weights = rng.standard_gamma(np.repeat(concentration[..., None], size, axis=-1))
    # samples may underflow to 0 at small concentrations, and a row of zeros has no sum to divide by
    return _normalize(weights + np.finfo(float).tiny)


def _normalize(weights: np.ndarray) -> np.ndarray:
    """Return weights ``[.. karma bid]`` normalised to probabilities of legal bids."""
    legal = np.tril(weights)
    chances: np.ndarray = legal / legal.sum(axis=-1, keepdims=True)
    return chances


def _dirichlet(rng: np.random.Generator, private: int, most: int) -> tuple[np.ndarray, Numbers]:
    concentration = 10 ** rng.uniform(-1, 2)
    policy = rows(rng, np.full((private, most + 1), concentration))
    return policy, {"concentration": np.asarray(concentration)}


def _gaussian(rng: np.random.Generator, private: int, most: int) -> tuple[np.ndarray, Numbers]:
    centre, width = rng.uniform(0, 1, private), 10 ** rng.uniform(-1, 1.2, private)
    k, b = np.ogrid[: most + 1, : most + 1]
    away = (b - centre[:, None, None] * k) / width[:, None, None]
    return _normalize(np.exp(-(away**2) / 2) + 1e-12), {"centre": centre, "width": width}


def _noise(rng: np.random.Generator, private: int, most: int) -> tuple[np.ndarray, Numbers]:
    scale = 10 ** rng.uniform(-1, 1)
    x = scale * rng.standard_normal((private, most + 1, most + 1))
    x = np.where(np.tri(most + 1, dtype=bool), x, -np.inf)
    return _normalize(np.exp(x - x.max(axis=-1, keepdims=True))), {"scale": np.asarray(scale)}


_RULES: dict[str, Callable[[np.random.Generator, int, int], tuple[np.ndarray, Numbers]]] = {
    "dirichlet_state": _dirichlet,
    "smooth_gaussian": _gaussian,
    "logit_noise": _noise,
}


def at_least_as_random(policies: np.ndarray, other: np.ndarray, rule: str = "mean") -> np.ndarray:
    """Return which policies ``[policy private karma bid]`` have at least the entropy of another policy.

    Entropies are compared in the ``mean`` over states or in ``every`` state, up to rounding. Raises
    `ValueError` for another rule.

    >>> even, sure = np.tri(3) / np.arange(1, 4)[:, None], np.eye(3)
    >>> at_least_as_random(np.array([[even], [sure]]), even[None]).tolist()
    [True, False]
    """
    check_word("entropy_rule", rule, ENTROPY_RULES)
    each, bar = (np.asarray(entropies(jnp.asarray(pi))) for pi in (policies, other))
    if rule == "mean":
        each, bar = each.mean(axis=(-2, -1))[:, None, None], bar.mean()
    qualify: np.ndarray = np.all(each >= bar - 1e-12, axis=(-2, -1))
    return qualify


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

    needs: ClassVar[tuple[Need, ...]] = (
        POPULATION,
        Need("bids of 0 to what is held, which rises in steps of 1", lambda game: _is_bidding(game.legal)),
    )

    def world(self, game: object) -> Any:
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
        while first < DRAWS and len(chosen) < most:
            count = min(8 * BATCH, DRAWS - first)
            sample = self._sample(session, count, first)
            fit = np.flatnonzero(at_least_as_random(sample.policies, shaped, self.entropy_rule))
            fit = fit[: most - len(chosen)]
            numbers += (first + fit).tolist()
            chosen += list(sample.policies[fit].reshape(-1, *target.shape))
            first = numbers[-1] + 1 if len(chosen) == most else first + count
        session["drawn"][0] = first
        return np.array(numbers, dtype=np.int64), np.array(chosen)

    def _sample(self, session: Session, count: int, first: int) -> PolicySample:
        states, actions = session["equilibrium"].shape
        words = np.random.SeedSequence(session["words"].tolist())
        return draw_policies(self.generator, count, states // actions, actions - 1, words, first)

    def about(self, session: Session) -> Record:
        """Return the settings that determine the result, and the equilibrium."""
        actions = session["equilibrium"].shape[1]
        shaped = session["equilibrium"].reshape(-1, actions, actions)
        taken, count_drawn = int(session["taken"][0]), int(session["drawn"][0])
        status = "completed" if taken >= self.policies or count_drawn >= DRAWS else "iteration limit"
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


def _is_bidding(legal: object) -> bool:
    """Return whether actions are bids 0..k in blocks of states with k increasing by 1."""
    legal = np.asarray(legal)
    states, actions = legal.shape
    triangle = np.tri(actions, dtype=bool)
    return states % actions == 0 and np.array_equal(legal, np.tile(triangle, (states // actions, 1)))


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
    >>> found = rv.solve(game, Contractivity(policies=8))
    >>> float(found.data.violation_share), found.data.distances.shape
    (0.0, (8, 21))
    """

    def measure(self, world: PopulationGame, session: Session, policies: Many) -> dict[str, Any]:
        target, mu = put(session["reference"]), put(session["law"])
        beta = jnp.asarray(float(self.beta))
        far, residual = _distances_along(world, policies, target, mu, beta, MAP_STEPS)
        return {"distances": far, "population_residual": residual}

    def read(self, world: PopulationGame, session: Session) -> Record:
        """Return the counts over the policies so far."""
        taken = int(session["taken"][0])
        record = self.about(session)
        if not taken:
            return record
        far = session["distances"][:taken]
        ratios = _ratios(far)
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
) -> tuple[Float[Array, "policy map_step"], Float[Array, "policy"]]:
    """Return distances from the target along steps of policy mirror ascent, and residuals of populations."""
    actions = target.shape[1]

    def bids(pi: Array) -> Array:
        return pi.reshape(-1, actions, actions)

    def far(pi: Policy) -> Array:
        return policy_distance(bids(pi), bids(target))

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


def _ratios(far: np.ndarray) -> np.ndarray:
    """Return ratios of successive distances ``[policy step]``; NaN after a policy has converged."""
    # near the equilibrium ratios are those of rounding errors
    going = np.logical_and.accumulate(far[:, :-1] >= CONVERGED, axis=1)
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


# scaling

ECONOMY = Need("a karma economy", lambda game: isinstance(game, KarmaEconomy))
BID = ("player", "private", "karma")
SLACK = 0.5  # the largest deviation of integer bids from those of continuous karma
FACTOR = 2  # ratio of karma between the two economies of the scaling law
FILL = (0.1, 0.2, 0.3, 0.4, 0.5)  # mean karma of economies as a fraction of the largest amount


class Gap(NamedTuple):
    """Deviations of two economies from the scaling law, in units of karma of the smaller one."""

    max: float
    mean: float
    factor: int  # of the scales
    gaps: np.ndarray  # [private karma], of the smaller economy's states


def scaling_gap(bids: object, larger: object) -> Gap:
    """Return ``|b(u, a k; larger)/a - b(u, k)|`` for the mean bids ``[.. karma]`` of two economies.

    The factor ``a`` is the ratio of the largest karma amounts. Raises `ValueError` where it is not an integer
    or the economies differ in private states.

    >>> scaling_gap([[0.0, 1.0, 1.5]], [[0.0, 0.0, 2.0, 3.0, 4.0]])[:3]
    (0.5, 0.16666666666666666, 2)
    """
    small, large = _bids("bids", bids), _bids("larger", larger)
    factor, left = divmod(large.shape[-1] - 1, small.shape[-1] - 1)
    if left or factor < 1:
        raise ValueError(
            f"larger: karma up to {large.shape[-1] - 1} must be a whole multiple of {small.shape[-1] - 1}"
        )
    if large.shape[:-1] != small.shape[:-1]:
        raise ValueError(f"larger: private states {large.shape[:-1]} must be {small.shape[:-1]}")
    gaps = np.abs(large[..., ::factor] / factor - small)
    return Gap(float(gaps.max()), float(gaps.mean()), factor, gaps)


class Growth(NamedTuple):
    """The largest violations of the premise and of the conclusion of lemma A.1, in units of karma."""

    falls: float  # the largest fall of a mean bid from one mean karma to a larger one
    exceeds: float  # the largest b(u, a k) - a b(u, k), a = 2, 3, ..
    monotone: bool  # bids increase in the mean karma, within the slack
    sublinear: bool


def sublinearity(bids: object, means: object) -> Growth:
    """Return the largest violations of premise and conclusion of lemma A.1 in bids ``[economy .. karma]``.

    The economies differ only in ``means``, which must increase. Two integer bids can show a decrease of twice
    the `SLACK` and an excess of ``1 + a`` times the slack; more violates the premise or the conclusion.
    Raises `ValueError` for mean karma that does not increase.

    >>> sublinearity([[0.0, 1.0, 1.5, 2.0], [0.0, 1.0, 2.0, 2.5]], [1.0, 2.0])
    Growth(falls=0.0, exceeds=0.0, monotone=True, sublinear=True)
    """
    table, means = _bids("bids", bids), np.asarray(means, dtype=float)
    if means.shape != table.shape[:1] or np.any(np.diff(means) <= 0):
        raise ValueError(f"means: {means.tolist()} must rise, one for each of {len(table)} economies")
    falls = float(np.max(table[:-1] - table[1:], initial=0.0))
    exceeds, worst = 0.0, 0.0
    # both bids may be off by the slack, and the smaller one counts `factor` times
    for factor in range(2, table.shape[-1]):
        scaled = table[..., ::factor]
        over = float(np.max(scaled - factor * table[..., : scaled.shape[-1]], initial=0.0))
        exceeds, worst = max(exceeds, over), max(worst, over / (1 + factor))
    return Growth(falls, exceeds, falls <= 2 * SLACK, worst <= SLACK)


def _bids(name: str, given: object) -> np.ndarray:
    table = np.asarray(given, dtype=float)
    if table.ndim < 1 or table.shape[-1] < 2 or not np.all((table >= 0) & np.isfinite(table)):
        raise ValueError(f"{name}: shape {table.shape} must be numbers of at least 0, for karma 0, 1, ..")
    return table


def _economy(game: object) -> KarmaEconomy:
    if not isinstance(game, KarmaEconomy):
        raise ValueError(f"game: {type(game).__name__} must be a karma economy")
    return game


class EquilibriumComparison(BaseLearner):
    """Base class that compares mean bids at the logit equilibria of several variants of an economy."""

    beta: Annotated[float, Gt(0), "inverse temperature of the equilibria, per unit of payoff"] = 100.0

    needs: ClassVar[tuple[Need, ...]] = (ECONOMY,)

    def economies(self, game: object) -> list[Any]:
        """Return the economies to compare."""
        raise NotImplementedError

    def comparison(self, game: object, bids: list[np.ndarray]) -> Record:
        """Return the record of their mean bids, each ``[player private karma]``."""
        raise NotImplementedError

    def world(self, game: object) -> Any:
        """Return the game. Raises `ValueError` for other games."""
        return _economy(game)

    def length(self, world: object) -> int:
        """Return the number of economies; one step is one equilibrium."""
        return len(self.economies(world))

    def begin(self, world: object, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        """Return an initial session; nothing is random."""
        return {f"policy{k}": np.zeros(0) for k in range(self.length(world))}

    def advance(self, world: object, session: dict[str, np.ndarray], steps: int) -> int:
        """Compute further equilibria, at most ``steps``."""
        taken = 0
        for k, game in enumerate(self.economies(world)):
            if session[f"policy{k}"].size or taken == steps:
                continue
            policy, _, residual = equilibrium(game, self.beta)
            if not residual <= 1e-9:
                raise ValueError(f"beta: at {self.beta:g} no equilibrium was found (residual {residual:.1e})")
            session[f"policy{k}"] = policy
            taken += 1
        return taken

    def read(self, world: object, session: dict[str, np.ndarray]) -> Record:
        """Return the comparison once all equilibria are known."""
        bids = []
        for k, game in enumerate(self.economies(world)):
            if not session[f"policy{k}"].size:
                return {}
            bids.append((session[f"policy{k}"] @ np.arange(game.shape[2])).reshape(game.shape))
        return self.comparison(world, bids)


class ScalingLaw(EquilibriumComparison):
    """Compare mean bids at the logit equilibrium with those at twice the mean and largest karma.

    The scaling law is ``b(k; m, n) = b(a k; a m, a n)/a``, where ``m`` is the mean and ``n`` the largest
    karma. Bids are integers, so it holds up to about half a unit. The record has ``scaling_gap`` (player,
    private, karma), its largest entry ``largest_scaling_gap`` and ``mean_scaling_gap``, and both economies'
    mean bids.

    Raises
    ------
    ValueError
        Where an equilibrium is not found.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), appendix B.

    Examples
    --------
    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.karma(max_karma=2, mean_karma=1.0), ScalingLaw(beta=5.0))
    >>> found.data.scaling_gap.shape, bool(found.data.largest_scaling_gap < 0.5)
    ((1, 2, 3), True)
    """

    def economies(self, game: Any) -> list[Any]:
        """Return the game and the scaled game."""
        return [game, game.rescale(FACTOR)]

    def comparison(self, game: object, bids: list[np.ndarray]) -> Record:
        """Return the deviations from the scaling law."""
        gap = scaling_gap(*bids)
        return {
            "scaling_gap": (BID, gap.gaps),
            "largest_scaling_gap": ((), np.asarray(gap.max)),
            "mean_scaling_gap": ((), np.asarray(gap.mean)),
            "mean_bid": (BID, bids[0]),
            "mean_bid_scaled": ((*BID[:2], "karma_scaled"), bids[1]),
        }


def _means(game: Any) -> list[float]:
    return [part * (game.shape[2] - 1) for part in FILL]


class Sublinearity(EquilibriumComparison):
    """Compare mean bids at the logit equilibria of economies with increasing mean karma and equal maximum.

    If bids increase in the mean karma ``m``, ``b(k; m/a) <= b(k; m)``, the scaling law implies that they are
    sublinear in own karma: ``b(a k) <= a b(k)``. ``largest_fall`` and ``largest_excess`` are the largest
    violations of the premise and of the conclusion, in units of karma; ``bids_rise`` and ``sublinear`` report
    whether rounding of bids by at most half a unit explains them. ``mean_bid`` has one row per economy, with
    mean karma ``mean_karma``.

    Raises
    ------
    ValueError
        Where an equilibrium is not found.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), lemma A.1.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=1.0)
    >>> found = rv.solve(game, Sublinearity(beta=5.0))
    >>> found.data.mean_karma.values.tolist(), bool(found.data.sublinear)
    ([0.4, 0.8, 1.2, 1.6, 2.0], True)
    """

    def economies(self, game: Any) -> list[Any]:
        """Return the game with each mean karma."""
        return [game.with_mean_karma(mean) for mean in _means(game)]

    def comparison(self, game: Any, bids: list[np.ndarray]) -> Record:
        """Return the violations of premise and conclusion."""
        means = _means(game)
        found = sublinearity(np.stack(bids), means)
        return {
            "urgency": (BID[:2], np.asarray(game.stakes)),
            "mean_karma": (("mean_karma",), np.asarray(means)),
            "mean_bid": (("mean_karma", *BID), np.stack(bids)),
            "largest_fall": ((), np.asarray(found.falls)),
            "largest_excess": ((), np.asarray(found.exceeds)),
            "bids_rise": ((), np.asarray(found.monotone)),
            "sublinear": ((), np.asarray(found.sublinear)),
        }


# Lipschitz constants

PAYMENTS = ("PBP", "PBS")
Play = tuple[np.ndarray, np.ndarray]  # a distribution of states [state], and a policy [state action]
Table = Callable[[np.ndarray], np.ndarray]  # of rho [state action]


class Constants(NamedTuple):
    """Lipschitz constants L (rewards, values, the map) and K (transitions); the suffix names the variable."""

    L_u: float  # reward in the urgency, 5.1
    L_k: float  # reward in karma, 5.1
    L_b: float  # reward in the agent's bid, 5.1
    L_nu: float  # reward in the distribution of bids, 5.1
    K_u: float  # transition in the urgency, 5.2
    K_k: float  # transition in karma, 5.2
    K_b: float  # transition in the agent's bid, 5.2
    K_nu: float  # transition in the distribution of bids, 5.2 (peer) or 5.4 (society)
    L_s: float  # reward in the state: L_u, since karma itself pays nothing
    L_a: float  # reward in the action: L_b
    L_rho: float  # reward in the distribution of states with bids: L_nu
    K_s: float  # transition in the state: K_u
    K_a: float  # transition in the action: K_b
    K_rho: float  # transition in the distribution of states with bids: K_nu
    discount: float
    dh: float  # lower bound on the distance of a policy's entropy from the largest
    L_pop: float  # stationary distribution of states with bids in the policy
    L_vs: float  # value in the state
    L_vpi: float  # value in the policy
    L_vrho: float  # value in the distribution
    L_qpi: float  # action value in the policy
    L_qrho: float  # action value in the distribution
    L: float  # whole map: L_pop L_qrho + L_qpi

    def contracts(self, temperature: float) -> bool:
        """Return whether a policy mirror ascent step provably contracts: ``L < temperature = 1 / beta``."""
        return temperature > self.L


def constants(
    u_max: float,
    discount: float,
    payment: str | float = "PBP",
    *,
    max_karma: int = 20,
    L_pop: float = 0.0,
    dh: float = 0.0,
    u_min: float = 0.0,
    tight: bool = False,
) -> Constants:
    """Return all Lipschitz constants of an economy with the payment rule ``payment``.

    ``payment`` is ``PBP`` (the winner pays its bid to the loser), ``PBS`` (to society), or for another rule
    the constant of its karma kernel in the distribution of bids, summed over outcomes (`kernel_constant`);
    ``K_nu`` is 1 more. With ``L_pop = dh = 0``, their smallest possible values, ``L`` is the smallest
    temperature that the theory could allow.

    ``tight`` takes the smallest constants for which the inequalities hold. A probability of losing changes by
    at most half of ``|nu - nu'|``, so ``L_nu = u_max/2``. The payment per agent changes by at most
    ``max_karma/2`` times ``|nu - nu'|``, so ``K_nu = max_karma + 1`` under PBS. Two urgencies differ by at
    most ``L_u = u_max - u_min``. Values of two states differ by ``L_s + L_a`` per step because both state and
    action may differ, and by ``L_a`` where only karma differs. Raises `ValueError` for numbers out of range.

    >>> found = constants(1.0, 0.9)
    >>> round(found.L_vs, 9), round(found.L, 9), found.contracts(temperature=1.0)
    (20.0, 126.0, False)
    """
    if not 0 <= discount < 1:
        raise ValueError(f"discount: {discount} must be in [0, 1)")
    for name, value in (("u_max", u_max), ("L_pop", L_pop), ("dh", dh), ("u_min", u_min)):
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name}: {value} must be at least 0")
    if u_min > u_max:
        raise ValueError(f"u_min: {u_min} must be at most u_max, {u_max}")
    L_u, L_b, L_nu = float(u_max), float(u_max), float(u_max)
    if tight:
        L_u, L_nu = float(u_max - u_min), u_max / 2
    # two distributions are at most 2 apart, two states or bids at most 1
    K, K_nu = 2.0, 1.0 + _kernel(payment, max_karma, tight)
    g, later = discount, 1 / (1 - discount)
    L_vs = (L_u + L_b + dh) / (1 - g * min(1.0, (K + K) / 2))
    L_vpi = (4 * L_b + g * K * L_vs) / 4 * later
    L_vrho = (2 * L_nu + g * K_nu * L_vs) / 2 * later
    L_qpi = g * L_vpi + g * L_vs * K
    L_qrho = L_nu + g * L_vrho + g * L_vs * K_nu / 2
    ends = (L_vs, L_vpi, L_vrho, L_qpi, L_qrho, L_pop * L_qrho + L_qpi)
    short = (L_u, L_b, L_nu, K, K, K_nu)  # by state, action and distribution of both
    return Constants(L_u, 0.0, L_b, L_nu, K, K, K, K_nu, *short, g, dh, L_pop, *ends)


def _kernel(payment: str | float, max_karma: int, tight: bool) -> float:
    """Return the Lipschitz constant of the karma kernel, summed over outcomes, in ``nu``."""
    if isinstance(payment, str):
        if payment not in PAYMENTS:
            raise ValueError(f"payment: {payment!r} must be one of {', '.join(PAYMENTS)}, or a number")
        whole_number("max_karma", max_karma, 1)
        return 0.0 if payment == "PBP" else float(max_karma if tight else 2 * max_karma)
    if not (np.isfinite(payment) and payment >= 0):
        raise ValueError(f"payment: {payment} must be at least 0, the constant of a karma kernel")
    return float(payment)


def kernel_constant(charge: object, *, society: bool, tight: bool = False) -> float:
    """Return the constant of the karma kernel where a winner with ``b`` against ``c`` pays ``charge[b, c]``.

    With payment to the loser it is 0: karma depends on the distribution of bids only through the opponent,
    which is counted already. With payment to society, agents receive ``floor(s)`` or ``ceil(s)``, and two
    levels ``s`` give distributions that differ by at most ``2 |s - s'|``. The level is half the payment of a
    pair, so its constant is the largest charge, or with ``tight`` half of the range of charges. Raises
    `ValueError` for an invalid table.

    >>> charge = np.tile(np.arange(21)[:, None], 21)
    >>> kernel_constant(charge, society=True), kernel_constant(charge, society=True, tight=True)
    (40.0, 20.0)
    """
    table = np.asarray(charge, dtype=float)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.all(table >= 0):
        raise ValueError(f"charge: shape {table.shape} must be square, with numbers of at least 0")
    paid = table[np.tril_indices(len(table))]  # lower bids never win
    if not society:
        return 0.0
    return float(paid.max() - paid.min()) if tight else float(2 * paid.max())


def tables_of(game: PopulationGame) -> tuple[Table, Table]:
    """Return a population's rewards and transitions as functions of ``rho``, for `ratios`.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=2, mean_karma=1.0)
    >>> reward, transition = tables_of(game)
    >>> rho = np.full((6, 3), 1 / 12) * np.tile(np.tri(3), (2, 1))
    >>> reward(rho).shape, transition(rho).sum(axis=2)[5].round(12).tolist()
    ((6, 3), [1.0, 1.0, 1.0])
    """

    def table(part: int) -> Table:
        return lambda rho: np.asarray(_rewards_and_transitions(game, put(rho))[part])

    return table(0), table(1)


@eqx.filter_jit
def _rewards_and_transitions(game: PopulationGame, rho: Array) -> tuple[Array, Array]:
    """Return rewards ``[state action]`` and transitions ``[state action state]`` given ``rho``."""
    mu = rho.sum(axis=1)
    # in states without mass the policy does not matter
    pi = jnp.where(mu[:, None] > 0, rho / jnp.where(mu > 0, mu, 1.0)[:, None], 0.0)
    env = game.environment(mu, pi)
    return game.reward(env), jnp.moveaxis(jax.vmap(game.expect(env))(jnp.eye(len(mu))), 0, 2)


class Ratios(NamedTuple):
    """Largest quotients observed, each named as the constant of `Constants` that bounds it."""

    L_rho: float
    K_rho: float
    L_vs: float
    L_vpi: float
    L_vrho: float
    L_qpi: float
    L_qrho: float

    def above(self, bounds: Constants, slack: float = 1e-9) -> tuple[str, ...]:
        """Return the names of ratios above their bounds by more than ``slack``, relative and absolute."""
        return tuple(
            name
            for name, seen in self._asdict().items()
            if seen > getattr(bounds, name) * (1 + slack) + slack
        )


def ratios(
    reward: Table, transition: Table, legal: np.ndarray, discount: float, pairs: Iterable[tuple[Play, Play]]
) -> Ratios:
    """Return the largest changes of rewards, transitions and values between two plays, per unit of distance.

    ``reward(rho)`` is ``[state action]`` and ``transition(rho)`` is ``[state action state]``, where ``rho``
    is the distribution of states with actions; ``legal`` is ``[state action]``. A play is a distribution of
    states and a policy, zero at illegal actions. Values are the unregularised values of a policy in the
    environment of a play. The distance of policies is the largest over states.

    >>> legal = np.ones((2, 2), dtype=bool)
    >>> plays = (np.array([0.5, 0.5]), np.eye(2)), (np.array([0.5, 0.5]), np.eye(2)[::-1])
    >>> stay = np.eye(2)[:, None].repeat(2, axis=1)
    >>> found = ratios(lambda rho: np.tile(rho.sum(axis=0), (2, 1)), lambda rho: stay, legal, 0.5, [plays])
    >>> found.L_rho, found.K_rho
    (0.0, 0.0)
    """
    seen = np.zeros(len(Ratios._fields))
    for here, there in pairs:
        seen = np.maximum(seen, _quotients(reward, transition, legal, discount, here, there))
    return Ratios(*(float(value) for value in seen))


def _quotients(
    reward: Table, transition: Table, legal: np.ndarray, discount: float, here: Play, there: Play
) -> list[float]:
    """Return the quotients of `Ratios` for one pair."""
    rho, rho_there = (mu[:, None] * pi for mu, pi in (here, there))
    far = float(np.abs(rho - rho_there).sum())
    apart = float(np.abs(here[1] - there[1]).sum(axis=1).max())
    frozen = (reward(rho), transition(rho))
    shifted = (reward(rho_there), transition(rho_there))
    value, quality = _values(*frozen, here[1], discount)
    pi_value, pi_quality = _values(*frozen, there[1], discount)
    rho_value, rho_quality = _values(*shifted, here[1], discount)

    def largest(change: np.ndarray, by: float) -> float:
        return float(np.abs(change).max() / by) if by > 0 else 0.0

    return [
        largest((frozen[0] - shifted[0])[legal], far),
        largest(np.abs(frozen[1] - shifted[1]).sum(axis=2)[legal], far),
        float(np.ptp(value)),
        largest(value - pi_value, apart),
        largest(value - rho_value, far),
        largest((quality - pi_quality)[legal], apart),
        largest((quality - rho_quality)[legal], far),
    ]


def _values(
    reward: np.ndarray, transition: np.ndarray, pi: np.ndarray, discount: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return values ``[state]`` and ``[state action]`` of a policy in a fixed environment."""
    onward = np.einsum("sa,sat->st", pi, transition)
    value = np.linalg.solve(np.eye(len(pi)) - discount * onward, np.sum(pi * reward, axis=1))
    return value, reward + discount * transition @ value


# rules without karma, and the Lasry-Lions sum

MECHANISMS = ("COIN", "DICT", "ROTATION", "TURN")
WIDTH = 40  # tracked numbers of wins around half the steps: probabilities beyond are below 1e-300
STEADY = 1e-15  # of the largest urgency: convergence tolerance
Tie = Literal["coin", "nobody"]
ZERO_SUM = 1e-12  # smaller sums may be 0
STEPS = 10_000  # of the baselines: length of the simulations in the thesis
CONSTANTS = ("L_vs", "L_vpi", "L_vrho", "L_qpi", "L_qrho", "L")


class Baseline(NamedTuple):
    """Metrics of a rule without karma; fairness is minus a standard deviation over agents."""

    efficiency: float  # mean reward per agent and step
    reward_fairness: float  # of agents' mean rewards over the steps
    access_fairness: float  # of the shares of steps in which they were served


def exact_baseline(mechanism: str, urgencies: object, chain: object, steps: int) -> Baseline:
    """Compute efficiency and fairness of a rule without karma among infinitely many agents.

    ``urgencies`` ``[private]`` are at least 0; ``chain`` is a transition matrix ``[private private]`` with
    rows summing to 1, or a distribution ``[private]`` of independent draws. The result is exact up to
    rounding. Raises `ValueError` for an unknown rule, negative urgencies and an invalid chain.

    >>> [round(value, 9) for value in exact_baseline("DICT", [1.0, 5.0], [0.5, 0.5], 10_000)]
    [-1.0, -0.015811388, -0.005]
    """
    check_word("mechanism", mechanism, MECHANISMS)
    whole_number("steps", steps, 1)
    u = np.asarray(urgencies, dtype=float)
    if u.ndim != 1 or not u.size:
        raise ValueError(f"urgencies: {urgencies!r} must be one number or more")
    for place in np.flatnonzero(~(u >= 0) | ~np.isfinite(u)):
        raise ValueError(f"urgencies[{place}]: {u[place]} must be at least 0")
    moves, w = stationary(chain)
    if len(moves) != len(u):
        raise ValueError(f"chain: {len(moves)} states must be {len(u)}, one an urgency")
    if mechanism in ("COIN", "DICT"):
        lost = losing_probability(u, w) if mechanism == "DICT" else np.full(len(u), 0.5)
        efficiency, rewards, wins = _by_urgency(u, lost, moves, w, int(steps))
    else:
        efficiency, rewards, wins = (_turns if mechanism == "TURN" else _rotation)(u, moves, w, int(steps))
    # rounding may leave a variance below 0; adding 0.0 turns -0.0 into 0.0
    fairness = (-float(np.sqrt(max(v, 0.0))) / steps + 0.0 for v in (rewards, wins))
    return Baseline(float(efficiency), *fairness)


def losing_probability(urgencies: np.ndarray, distribution: np.ndarray) -> np.ndarray:
    """Return the probability ``[private]`` of losing to the higher urgency, ties at random.

    >>> losing_probability(np.array([1.0, 5.0]), np.array([0.5, 0.5])).tolist()
    [0.75, 0.25]
    """
    higher = urgencies[None, :] > urgencies[:, None]
    chances: np.ndarray = (higher + 0.5 * (urgencies[None, :] == urgencies[:, None])) @ distribution
    return chances


def _by_urgency(
    u: np.ndarray, lost: np.ndarray, chain: np.ndarray, w: np.ndarray, steps: int
) -> tuple[float, float, float]:
    """Return the mean reward, and variances of the sums of rewards and of wins.

    ``lost [private]`` is the probability of losing.
    """
    paid = u * lost
    mean = w @ paid
    each = w @ (u * paid) - mean**2
    wins = steps / 4 + _dependence(lost, chain, w, steps)
    return -mean, steps * each + _dependence(paid, chain, w, steps), wins


def _rotation(u: np.ndarray, chain: np.ndarray, w: np.ndarray, steps: int) -> tuple[float, float, float]:
    """Return the same with every second step lost; after an odd number half have lost once more."""
    mean, twice = w @ u, chain @ chain
    within = [
        n * (w @ (u - mean) ** 2) + _dependence(u, twice, w, n) if n else 0.0
        for n in (steps // 2, (steps + 1) // 2)
    ]
    uneven = steps % 2 / 4
    return -mean / 2, float(np.mean(within)) + uneven * mean**2, uneven


def _dependence(f: np.ndarray, chain: np.ndarray, w: np.ndarray, steps: int) -> float:
    """Return ``2 sum_d=1..T-1 (T-d) c_d`` for ``f`` ``[private]``.

    With ``G_n = A + .. + A^n`` the sum ``D_n`` grows by ``G_n``: ``[A^n+1, G_n, D_n]`` times one matrix, so a
    power of that does for any number of steps, periodic chains included.
    """
    if np.ptp(f) == 0:
        return 0.0  # exactly: the powers of A would leave rounding errors
    z, one, none = len(f), np.eye(len(f)), np.zeros((len(f), len(f)))
    apart = chain - w
    onward = np.block([[apart, one, none], [none, one, one], [none, none, one]])
    begin = np.hstack([apart @ apart, apart, none])
    double = (begin @ np.linalg.matrix_power(onward, steps - 1))[:, 2 * z :]
    return float(2 * (w * f) @ double @ f)


def _turns(u: np.ndarray, chain: np.ndarray, w: np.ndarray, steps: int) -> tuple[float, float, float]:
    """Return the same where the agent with fewer wins is served.

    Steps are simulated until the distribution of wins about their mean repeats itself.

    ``nu`` is the distribution of wins; ``carried`` ``[win private]`` is the mean over the agents in that
    state of the rewards so far, less their expectation; ``square`` is their variance. Wins do not depend on
    urgencies.
    """
    mean = w @ u
    if_lost, if_won = mean / 2 - u, mean / 2

    def turn(nu: np.ndarray, carried: np.ndarray, square: float) -> tuple[np.ndarray, np.ndarray, float]:
        lost = (np.cumsum(nu) - nu / 2)[:, None]  # the agent with more wins loses
        there = nu[:, None] * w
        square += float(np.sum(there * (lost * if_lost**2 + (1 - lost) * if_won**2)))
        square += 2 * float(np.sum(carried * (lost * if_lost + (1 - lost) * if_won)))
        stay = lost * (carried + there * if_lost)
        rise = (1 - lost) * (carried + there * if_won)
        after = lost[:, 0] * nu + np.roll((1 - lost[:, 0]) * nu, 1)
        return after, (stay + np.roll(rise, 1, axis=0)) @ chain, square

    now = (np.zeros(WIDTH), np.zeros((WIDTH, len(u))), 0.0)
    now[0][WIDTH // 2] = 1.0
    before = now
    for step in range(steps):
        if step % 2 == 0:  # half the steps are won: wins are counted relative to that
            nu, carried, square = now
            if step:
                nu, carried = np.roll(nu, -1), np.roll(carried, -1, axis=0)
            now = (nu, carried, square)
            change = max(np.abs(nu - before[0]).max(), np.abs(carried - before[1]).max() / max(u.max(), 1.0))
            if step and change <= STEADY:
                # the distribution repeats: each further pair of steps adds the same to the variance
                now = (nu, carried, square + (steps - step) // 2 * (square - before[2]))
                now = turn(*now) if steps % 2 else now
                break
            before = now
        now = turn(*now)
    nu, _, square = now
    wins = np.arange(WIDTH)
    return -mean / 2, square, float(nu @ (wins - nu @ wins) ** 2)


def theta_matrix(bids: int, tie: str = "coin") -> np.ndarray:
    """Return ``Theta [bid bid]``: ``Theta nu`` are the probabilities of winning, by the rule of ties.

    >>> theta_matrix(3)[1].tolist(), theta_matrix(3, "nobody")[1].tolist()
    ([1.0, 0.5, 0.0], [1.0, 0.0, 0.0])
    """
    check_word("tie", tie, get_args(Tie))
    return np.tri(bids, k=-1) + (0.5 * np.eye(bids) if tie == "coin" else 0.0)


def change_matrix(bids: object, bids_prime: object, tie: str = "coin") -> np.ndarray:
    """Return ``A = d Theta d'``, ``[urgency urgency]``, of two tables of bid distributions ``[urgency bid]``.

    Raises `ValueError` for tables that differ in shape, or whose rows are no distributions.

    >>> change_matrix([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    v, w = _distributions("bids", bids), _distributions("bids_prime", bids_prime)
    if v.shape != w.shape:
        raise ValueError(f"bids_prime: shape {w.shape} must be {v.shape}, that of bids")
    d = v - w
    table: np.ndarray = d @ theta_matrix(v.shape[1], tie) @ d.T
    return table


def lasry_lions_sum(
    urgencies: object, distribution: object, bids: object, bids_prime: object, tie: str = "coin"
) -> float:
    """Compute the Lasry-Lions sum ``S`` of two populations.

    Parameters
    ----------
    urgencies, distribution : array_like
        Cost of losing and its distribution, ``[urgency]``.
    bids, bids_prime : array_like
        Distributions of bids given the urgency in the two populations, ``[urgency bid]``.
    tie : str
        ``coin``, or ``nobody``: equal bids both lose.

    Raises
    ------
    ValueError
        For rows that are not distributions, or of different length.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), equation 5.9.

    Examples
    --------
    >>> bids, prime = [[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]], [[0.2, 0.5, 0.3], [0.3, 0.4, 0.3]]
    >>> round(lasry_lions_sum([1, 5], [0.5, 0.5], bids, prime), 12)
    -0.035
    """
    table = change_matrix(bids, bids_prime, tie)
    u, p = np.asarray(urgencies, dtype=float), _distributions("distribution", distribution)
    if not u.shape == p.shape == (len(table),):
        raise ValueError(f"distribution: shapes {u.shape}, {p.shape} must be {(len(table),)}, one an urgency")
    return float((u * p) @ table @ p)


def _distributions(name: str, given: object) -> np.ndarray:
    table = np.asarray(given, dtype=float)
    if table.size == 0 or table.min() < 0 or np.abs(table.sum(axis=-1) - 1).max() > 1e-8:
        raise ValueError(f"{name}: {table.tolist()} must be probabilities that sum to 1")
    return table


class Counterexample(NamedTuple):
    """Two populations with the same urgencies and the same mean karma for which ``S`` is positive."""

    urgencies: np.ndarray  # [urgency]
    distribution: np.ndarray  # [urgency]
    mean_karma: float
    karma: np.ndarray  # [urgency karma], the distribution of karma given the urgency, of both populations
    policies: np.ndarray  # [population urgency karma bid]
    bids: np.ndarray  # [population urgency bid]
    A: np.ndarray  # [urgency urgency]
    S: float
    tie: str

    def text(self, digits: int = 4) -> str:
        """Return the example in words and numbers, enough to recompute it, without the policies."""
        matrix = np.array2string(self.A, precision=digits, suppress_small=True, separator=", ")
        lines = [f"S = {self.S:.6g} > 0, equals: {'toss a coin' if self.tie == 'coin' else 'all lose'}"]
        for u, p, k in zip(self.urgencies, self.distribution, self.karma, strict=True):
            lines.append(f"urgency {u:g}, probability {p:g}, mean karma {k @ np.arange(len(k)):.6g}")
        for name, table in zip(("bids ", "bids'"), self.bids, strict=True):
            for u, row in zip(self.urgencies, table, strict=True):
                lines.append(f"{name} at {u:g}: {' '.join(f'{value:.{digits}f}' for value in row)}")
        return "\n".join([*lines, f"A = {matrix}"])


def find_counterexample(
    urgencies: object = (1.0, 5.0),
    distribution: object = (0.5, 0.5),
    *,
    mean_karma: float = 10.0,
    max_karma: int = 20,
    tie: Tie = "coin",
    tries: int = 200,
    seed: int | np.random.SeedSequence = 0,
) -> Counterexample | None:
    """Search for two populations with a positive Lasry-Lions sum among random pairs of policies.

    Karma has the same distribution at every urgency, in both populations: half of its mass at the mean, half
    spread evenly around it. In every state bids are sampled from a symmetric Dirichlet distribution of
    concentration 1/2. With one urgency there is no counterexample.

    Parameters
    ----------
    urgencies, distribution : array_like
        Cost of losing and its distribution, ``[urgency]``.
    mean_karma, max_karma : float, int
        Mean and largest amount of karma.
    tie : str
        ``coin``, or ``nobody``: equal bids both lose.
    tries : int
        Number of pairs.
    seed : int or SeedSequence
        Seed of the pairs.

    Returns
    -------
    Counterexample or None
        The pair with the largest sum, or None if no sum is above 0.

    Raises
    ------
    ValueError
        For numbers out of range.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), Lemma 5.1.

    Examples
    --------
    >>> found = find_counterexample(max_karma=4, mean_karma=2.0, tries=20)
    >>> found.S > 0, round(float(found.distribution @ found.karma @ np.arange(5)), 12)
    (True, 2.0)
    """
    u, p = np.asarray(urgencies, dtype=float), _distributions("distribution", distribution)
    if u.shape != p.shape or u.ndim != 1:
        raise ValueError(f"distribution: shape {p.shape} must be {u.shape}, one an urgency")
    if not 0 <= mean_karma <= max_karma:
        raise ValueError(f"mean_karma: {mean_karma} must be in [0, {max_karma}]")
    karma = np.tile(_karma_distribution(mean_karma, max_karma), (len(u), 1))
    rng, best = np.random.default_rng(seed), None
    for _ in range(tries):
        policies = rows(rng, np.full((2, len(u), max_karma + 1), 0.5))
        bids = np.einsum("uk,pukb->pub", karma, policies)
        bids /= bids.sum(axis=-1, keepdims=True)
        A = change_matrix(bids[0], bids[1], tie)
        S = float((u * p) @ A @ p)
        if best is None or best.S < S:
            best = Counterexample(u, p, mean_karma, karma, policies, bids, A, S, tie)
    return best if best is not None and best.S > ZERO_SUM else None


def _karma_distribution(mean: float, most: int) -> np.ndarray:
    """Return a distribution on 0..most with the given mean: half at the mean, half evenly around it."""
    away = np.abs(np.arange(most + 1) - mean)
    wide = np.floor(min(mean, most - mean))
    even = np.clip(1 + wide - away, 0.0, 1.0)  # sloping ends keep the mean
    found: np.ndarray = np.maximum(0.0, 1 - away) / 2 + even / even.sum() / 2
    return found


def analytic_constants(game: KarmaEconomy) -> Record:
    """Return Lipschitz constants and exact baselines per type, and a Lasry-Lions sum.

    The constants are those of equations 5.1 to 5.4 (``lipschitz_tight``: the smallest that the proofs allow),
    with the smallest possible ``L_pop`` and ``dh``; a step of mirror ascent provably contracts at
    temperatures above L. The baselines, by ``mechanism``, are those of a population of this type alone over
    `STEPS` steps. The counterexample of Lemma 5.1 is a pair of bid distributions by private state with
    positive ``lasry_lions``, sought for the first type where ties are random or both agents lose.
    """
    found: Record = {}
    own = [_own(game, k) for k in range(len(game.type_names))]
    for name, tight in (("lipschitz", False), ("lipschitz_tight", True)):
        kernel = kernel_constant(game.charge, society=game.receiver == SOCIETY, tight=tight)
        each = [
            constants(float(u.max()), float(gamma), kernel, u_min=float(u.min()), tight=tight)
            for (u, _), gamma in zip(own, game.gamma, strict=True)
        ]
        values = [[getattr(one, constant) for constant in CONSTANTS] for one in each]
        found[name] = (("player", "constant"), np.asarray(values))
    found["constant"] = (("constant",), np.asarray(CONSTANTS))
    found["temperature_needed"] = (("player",), found["lipschitz"][1][:, -1])
    exact = [[exact_baseline(mechanism, *each, STEPS) for mechanism in MECHANISMS] for each in own]
    for k, name in enumerate(("efficiency", "reward_fairness", "access_fairness")):
        table = np.asarray([[one[k] for one in row] for row in exact])
        found[f"baseline_{name}"] = (("player", "mechanism"), table)
    found["mechanism"] = (("mechanism",), np.asarray(MECHANISMS))
    if game.tie not in (COIN, NOBODY):
        return found
    urgencies, chain = own[0]
    case = find_counterexample(
        urgencies,
        stationary(chain)[1],
        mean_karma=float(game.mean_karma),
        max_karma=game.most,
        tie="nobody" if game.tie == NOBODY else "coin",
    )
    if case is None:
        return found | {"lasry_lions": ((), np.asarray(np.nan))}
    found["lasry_lions"] = ((), np.asarray(case.S))
    found["lasry_lions_bids"] = (("population", "private", "bid"), np.asarray(case.bids))
    found["counterexample"] = ((), np.asarray(case.text()))
    return found


def _own(game: KarmaEconomy, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the urgencies of a type and their transition matrix, without padding."""
    stakes, chain = np.asarray(game.stakes)[k], np.asarray(game.chain)[k]
    # types with fewer private states are padded with unreachable ones
    real = np.flatnonzero((stakes > 0) | (chain.sum(axis=0) > 0))
    size = int(real.max()) + 1
    return stakes[:size], chain[:size, :size]


class AnalyticConstants(BaseLearner):
    """Report what is known of a game without a search: constants, exact benchmarks, counterexamples.

    For karma economies; there is no certificate.

    Examples
    --------
    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.karma(urgencies=[0.2, 1.0], gamma=0.9), AnalyticConstants())
    >>> round(float(found.data.temperature_needed[0]))
    126
    """

    needs: ClassVar[tuple[Need, ...]] = (ECONOMY,)

    def world(self, game: object) -> Any:
        """Return the game. Raises `ValueError` for other games."""
        return _economy(game)

    def length(self, world: object) -> int:
        """Return 1: a single step, in which nothing happens."""
        return 1

    def begin(self, world: object, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        """Return an empty session."""
        return {}

    def advance(self, world: object, session: dict[str, np.ndarray], steps: int) -> int:
        """Return the number of steps, in which nothing happens."""
        return steps

    def read(self, world: Any, session: dict[str, np.ndarray]) -> Record:
        """Return the constants."""
        return analytic_constants(world)
