"""Small networks for actors and critics: both of a player in one row of weights, and Adam on rows.

A network has one hidden layer of ``tanh`` and linear outputs. The last layer begins at zero but for its bias,
so that in the beginning a policy is the same whatever is seen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jnp

DECAYS, TINY = (0.9, 0.999), 1e-8  # Kingma and Ba (2015), their usual numbers

Row = Float[Array, "weight"]


class Shape(NamedTuple):
    """Sizes of a player's networks, and the least deviation of its policy."""

    features: int
    hidden: int
    axes: int
    min_deviation: float | Float[Array, ""]

    @property
    def parts(self) -> tuple[int, int]:
        """How many weights the actor and the critic have."""
        shared = self.hidden * (self.features + 1)
        return tuple(shared + outputs * (self.hidden + 1) for outputs in (2 * self.axes, 1))  # type: ignore[return-value]


def initial_weights(
    shape: Shape, mean: np.ndarray, deviation: float, draw: np.random.Generator
) -> Float[np.ndarray, "weight"]:
    """A row whose policy has the ``mean`` [axis] and one ``deviation``, and whose values are 0.

    Examples
    --------
    >>> shape = Shape(features=3, hidden=4, axes=1, min_deviation=0.01)
    >>> row = initial_weights(shape, np.array([0.5]), 0.3, np.random.default_rng(0))
    >>> [part.round(6).tolist() for part in policy(shape, jnp.asarray(row), jnp.ones(3))]
    [[0.5], [0.3]]
    """
    raw = np.full(shape.axes, np.log(deviation - float(shape.min_deviation)))
    rows = []
    for bias in (np.concatenate([mean, raw]), np.zeros(1)):
        first_layer = draw.normal(size=(shape.hidden, shape.features)) / np.sqrt(max(shape.features, 1))
        rows += [first_layer.ravel(), np.zeros(shape.hidden), np.zeros(len(bias) * shape.hidden), bias]
    return np.concatenate(rows)


def policy(
    shape: Shape, row: Row, features: Float[Array, "feature"]
) -> tuple[Float[Array, "axis"], Float[Array, "axis"]]:
    """Mean and standard deviation of what the actor draws; the deviation is above ``min_deviation``."""
    out = _network(shape, row[: shape.parts[0]], features)
    return out[: shape.axes], shape.min_deviation + jnp.exp(out[shape.axes :])


def value(shape: Shape, row: Row, features: Float[Array, "feature"]) -> Float[Array, ""]:
    """What the critic holds of what is seen."""
    return _network(shape, row[shape.parts[0] :], features)[0]


def adam(
    weights: Array, slopes: Array, first: Array, second: Array, taken: Array, rate: Array
) -> tuple[Array, Array, Array]:
    """One step down the slopes by Adam; weights and moments. ``taken`` is how many steps went before."""
    fast, slow = DECAYS
    first = fast * first + (1 - fast) * slopes
    second = slow * second + (1 - slow) * slopes**2
    mean, spread = first / (1 - fast ** (taken + 1.0)), second / (1 - slow ** (taken + 1.0))
    return weights - rate * mean / (jnp.sqrt(spread) + TINY), first, second


def _network(shape: Shape, row: Row, features: Float[Array, "feature"]) -> Float[Array, "output"]:
    wide, high = shape.features, shape.hidden
    first_layer, bias, rest = jnp.split(row, [high * wide, high * (wide + 1)])
    hidden = jnp.tanh(first_layer.reshape(high, wide) @ features + bias)
    outputs = len(rest) // (high + 1)
    return rest[: outputs * high].reshape(outputs, high) @ hidden + rest[outputs * high :]
