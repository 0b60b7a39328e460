"""Rodas5P, a stiff integrator of autonomous equations: one Jacobian and one factorisation per step.

The stages of implicit Runge-Kutta methods solve nonlinear equations, by iterations that need a tolerance in
the units of the field. A stage of a Rosenbrock method solves linear equations, and those of all stages have
the same matrix.
"""

from __future__ import annotations

from typing import Any

import diffrax
import numpy as np
from jaxtyping import Array

from rivalry.core.space import Profile
from rivalry.runtime.jax import jax, jnp

STAGES, GAMMA = 8, 0.21193756319429014
_LAST = (
    -7.502846399306121,
    2.561846144803919,
    -11.627539656261098,
    -0.18268767659942256,
    0.030198172008377946,
)


def _lower(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array([(*row, *[0.0] * (STAGES - len(row))) for row in ((), *rows)])


# weights of earlier stages in the argument of the field
ARGUMENT = _lower(
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    _LAST,
    (*_LAST, 1.0),
    (*_LAST, 1.0, 1.0),
)
# and beside the field, divided by the length of the step
BESIDE = _lower(
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
    (
        *(30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783),
        *(-19.097331116725623, -28.087943162872662),
    ),
    (
        *(37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047),
        *(-40.06618937091002, -54.66780262877968, -9.48861652309627),
    ),
)


class Rodas5P:
    """A stiffly accurate, L-stable method of order 5, whose last stage is its estimate of the error.

    Its methods are those of a solver of Diffrax.

    References
    ----------
    Steinebach (2023), Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks within the
    Julia Differential Equations package, BIT Numerical Mathematics 63, 27.
    """

    def func(self, term: diffrax.ODETerm[Any], time: Any, y: Profile, args: Any) -> Any:
        """Return the field."""
        return term.vf(time, y, args)

    def init(self, term: diffrax.ODETerm[Any], start: object, end: object, y: Profile, args: object) -> None:
        """Return no state: nothing is kept from one step to the next."""

    def step(
        self,
        term: diffrax.ODETerm[Any],
        start: Any,
        end: Any,
        y: Profile,
        args: Any,
        state: None,
        made_jump: object,
    ) -> tuple[Profile, Profile, None, None, None]:
        """Return the profile after a step, and the estimate of its error."""
        length, point = GAMMA * (end - start), y.ravel()

        def field(row: Array) -> Array:
            return jnp.ravel(term.vf(start, row.reshape(y.shape), args))

        speed, along = jax.linearize(field, point)
        unit = jnp.eye(len(point))
        factors = jax.scipy.linalg.lu_factor(unit - length * jax.vmap(along, out_axes=1)(unit))

        def stage(number: Array, stages: Array) -> Array:
            argument = point + jnp.asarray(ARGUMENT)[number] @ stages
            right = length * field(argument) + GAMMA * (jnp.asarray(BESIDE)[number] @ stages)
            return stages.at[number].set(jax.scipy.linalg.lu_solve(factors, right))

        increment = jax.scipy.linalg.lu_solve(factors, length * speed)
        stages = jnp.zeros((STAGES, len(point))).at[0].set(increment)
        stages = jax.lax.fori_loop(1, STAGES, stage, stages)
        after = point + jnp.asarray(ARGUMENT[-1]) @ stages + stages[-1]
        return after.reshape(y.shape), stages[-1].reshape(y.shape), None, None, None
