"""Distances between policies of bids, and their entropies.

A policy is ``[.. private karma bid]``: probabilities of bids. Bids are integers from 0 to the karma of the
agent; higher bids have probability 0. Leading axes, of many policies, are broadcast. JAX can trace all
functions.
"""

from __future__ import annotations

from typing import Literal, get_args

from jaxtyping import Array, Float

from rivalry.runtime.jax import jnp
from rivalry.schema.validate import check_word

Distance = Literal["mean", "sum", "mu_weighted", "l1"]
DISTANCES: tuple[str, ...] = get_args(Distance)

Policy = Float[Array, "*#many private karma bid"]


def transport(pi: Policy, reference: Policy) -> Float[Array, "... private karma"]:
    """Return the Wasserstein-1 distance in every state relative to karma, in [0, 1]; 0 without karma.

    The Wasserstein-1 distance is the sum over bids of the absolute difference of the two distribution
    functions.

    >>> one = jnp.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]])
    >>> two = jnp.array([[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]])
    >>> transport(one, two).tolist()
    [[0.0, 1.0, 0.25]]
    """
    # without the last entry, where both distribution functions are 1
    distance = jnp.abs(jnp.cumsum(pi - reference, axis=-1)[..., :-1]).sum(axis=-1)
    karma = jnp.arange(pi.shape[-2])
    # bids are at most k, so the distance is at most k
    return jnp.where(karma > 0, distance / jnp.maximum(karma, 1), 0.0)


def policy_distance(
    pi: Policy,
    reference: Policy,
    weights: str = "mean",
    mu: Float[Array, "*#many private karma"] | None = None,
) -> Float[Array, "..."]:
    """Return the distance between two policies.

    Parameters
    ----------
    pi, reference : Array
        Policies, ``[.. private karma bid]``.
    weights : str
        ``mean``: the mean of `transport` over private states and karma of at least 1. ``sum``: its sum, as
        in the source. ``mu_weighted``: its mean under ``mu``. ``l1``: the sum of absolute differences of
        probabilities over all states.
    mu : Array, optional
        Distribution of states, ``[.. private karma]``, for ``mu_weighted``.

    Returns
    -------
    Array
        One distance per pair of policies.

    Raises
    ------
    ValueError
        For other ``weights``, or if ``mu`` is missing.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), definition 4.1.

    Examples
    --------
    >>> one, two = jnp.zeros((2, 1, 3, 3)).at[0, ..., 0].set(1.0).at[1, 0, [0, 1, 2], [0, 1, 2]].set(1.0)
    >>> [float(policy_distance(one, two, weights)) for weights in ("mean", "sum", "l1")]
    [1.0, 2.0, 4.0]
    """
    check_word("distance", weights, DISTANCES)
    if weights == "l1":
        return jnp.abs(pi - reference).sum(axis=(-3, -2, -1))
    distance = transport(pi, reference)
    if weights == "mu_weighted":
        if mu is None:
            raise ValueError("mu: must be given, a distribution of states, for the distance mu_weighted")
        return (mu * distance).sum(axis=(-2, -1))
    states = distance[..., 1:]
    return states.mean(axis=(-2, -1)) if weights == "mean" else states.sum(axis=(-2, -1))


def entropies(pi: Float[Array, "*many action"]) -> Float[Array, "*many"]:
    """Return the entropy of distributions along the last axis, in nats.

    >>> entropies(jnp.array([[[1.0, 0.0], [0.5, 0.5]]])).round(6).tolist()
    [[0.0, 0.693147]]
    """
    # 0 log 0 = 0; the inner condition keeps derivatives finite, as both branches are evaluated
    return jnp.where(pi > 0, -pi * jnp.log(jnp.where(pi > 0, pi, 1.0)), 0.0).sum(axis=-1)
