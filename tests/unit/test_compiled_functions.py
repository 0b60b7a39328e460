"""What the compiler makes of functions of long arrays is what SciPy computes, with the flags that are set."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from rivalry.runtime.jax import compiled, jax, jnp

pytestmark = pytest.mark.slow

SAME = (
    *("arctan", "sin", "cos", "tan", "tanh", "exp", "log", "log1p", "expm1", "sinh", "cosh", "cbrt", "sqrt"),
    *("arcsin", "arccos", "arctanh", "exp2", "log2"),
)
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    **{name: (lambda x, name=name: getattr(jnp, name)(x), getattr(np, name)) for name in SAME},
    "erf": (lambda x: jax.lax.erf(x), special.erf),
    "erfc": (lambda x: jax.lax.erfc(x), special.erfc),
    "logistic": (lambda x: jax.nn.sigmoid(x), special.expit),
    "log_gamma": (lambda x: jax.lax.lgamma(x + 3.1), lambda x: special.gammaln(x + 3.1)),
    "digamma": (lambda x: jax.lax.digamma(x + 3.1), lambda x: special.digamma(x + 3.1)),
    "angle": (lambda x: jnp.arctan2(x, x + 0.3), lambda x: np.arctan2(x, x + 0.3)),
    "power": (lambda x: jnp.abs(x) ** (x / 2), lambda x: np.abs(x) ** (x / 2)),
}


@pytest.mark.parametrize(
    "effort", [None, pytest.param(0, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow)]
)
def test_functions_of_long_arrays_agree_with_scipy(effort: int | None) -> None:
    x = np.linspace(-3.0, 40.0, 1001)
    for name, (ours, theirs) in FUNCTIONS.items():
        with np.errstate(all="ignore"):
            wanted = theirs(x)
        found = np.asarray(compiled(ours, effort=effort)(jnp.asarray(x)))
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-14, err_msg=name)
