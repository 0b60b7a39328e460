"""Small networks for actors and critics, with both networks of a player in one row of weights, and Adam on
rows.

A network has one hidden layer of ``tanh`` and linear outputs. The last layer starts at zero except for its
bias, so that the initial policy does not depend on the observation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jnp

DECAYS, TINY = (0.9, 0.999), 1e-8  # defaults of Kingma and Ba (2015)

Row = Float[Array, "weight"]


class Shape(NamedTuple):
    """Sizes of a player's networks, and the smallest deviation of its policy."""

    features: int
    hidden: int
    axes: int
    min_deviation: float | Float[Array, ""]

    @property
    def parts(self) -> tuple[int, int]:
        """Return the numbers of weights of the actor and the critic."""
        shared = self.hidden * (self.features + 1)
        return tuple(shared + outputs * (self.hidden + 1) for outputs in (2 * self.axes, 1))  # type: ignore[return-value]


def initial_weights(
    shape: Shape, mean: np.ndarray, deviation: float, draw: np.random.Generator
) -> Float[np.ndarray, "weight"]:
    """Return a row of weights whose policy has the ``mean`` [axis] and one ``deviation``, and whose values
    are 0.

    Examples
    --------
    >>> shape = Shape(features=3, hidden=4, axes=1, min_deviation=0.01)
    >>> row = initial_weights(shape, np.array([0.5]), 0.3, np.random.default_rng(0))
    >>> [part.round(6).tolist() for part in policy(shape, jnp.asarray(row), jnp.ones(3))]
    [[0.5], [0.3]]
    """
    # the inverse of the mapping in `policy`
    raw = np.full(shape.axes, np.log(deviation - float(shape.min_deviation)))
    rows = []
    for bias in (np.concatenate([mean, raw]), np.zeros(1)):
        first_layer = draw.normal(size=(shape.hidden, shape.features)) / np.sqrt(max(shape.features, 1))
        rows += [first_layer.ravel(), np.zeros(shape.hidden), np.zeros(len(bias) * shape.hidden), bias]
    return np.concatenate(rows)


def policy(
    shape: Shape, row: Row, features: Float[Array, "feature"]
) -> tuple[Float[Array, "axis"], Float[Array, "axis"]]:
    """Return the mean and standard deviation of the actor's draws.

    The deviation is above ``min_deviation``.
    """
    out = _network(shape, row[: shape.parts[0]], features)
    return out[: shape.axes], shape.min_deviation + jnp.exp(out[shape.axes :])


def value(shape: Shape, row: Row, features: Float[Array, "feature"]) -> Float[Array, ""]:
    """Return the critic's value of an observation."""
    return _network(shape, row[shape.parts[0] :], features)[0]


def adam(
    weights: Array, slopes: Array, first: Array, second: Array, taken: Array, rate: Array
) -> tuple[Array, Array, Array]:
    """Take one Adam step down the slopes; return weights and moments.

    ``taken`` is the number of earlier steps.
    """
    fast, slow = DECAYS
    first = fast * first + (1 - fast) * slopes
    second = slow * second + (1 - slow) * slopes**2
    # moments start at 0: the divisors remove that bias (Kingma and Ba, algorithm 1)
    mean, spread = first / (1 - fast ** (taken + 1.0)), second / (1 - slow ** (taken + 1.0))
    return weights - rate * mean / (jnp.sqrt(spread) + TINY), first, second


def _network(shape: Shape, row: Row, features: Float[Array, "feature"]) -> Float[Array, "output"]:
    wide, high = shape.features, shape.hidden
    first_layer, bias, rest = jnp.split(row, [high * wide, high * (wide + 1)])
    hidden = jnp.tanh(first_layer.reshape(high, wide) @ features + bias)
    outputs = len(rest) // (high + 1)
    # layout of `initial_weights`: hidden weights and biases, then output weights and biases
    return rest[: outputs * high].reshape(outputs, high) @ hidden + rest[outputs * high :]
