"""Random policies of bids, and their selection by entropy.

Results on random policies depend on how these are generated, so the rules have names and their parameters are
stored. A policy is ``[private karma bid]``, probabilities of bids from 0 to the karma of the agent. Policy
``i`` of a seed does not depend on the number of policies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np

from rivalry.core.jax import jnp
from rivalry.core.validate import check_word
from rivalry.population.distances import entropies

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
