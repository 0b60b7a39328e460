"""Zeros of functions of one number."""

from __future__ import annotations

from collections.abc import Callable

ROUNDS = 1000  # of Brent's method: a hundred are too few where a function is flat and rounded


class NoZeroError(ValueError):
    """No zero was located: the function has one sign at both ends, or is NaN between them."""


def zero(
    function: Callable[[float], float], low: float, high: float, quantity: str, *, within: float = 1e-15
) -> float:
    """Return a zero of ``function`` between ``low`` and ``high``, by Brent's method.

    ``within`` is the accuracy, absolute; relatively it is that of floating-point numbers. ``quantity``
    begins the message of the error.

    Raises
    ------
    NoZeroError
        Where no zero is located.

    Examples
    --------
    >>> round(zero(lambda x: x**2 - 2, 0.0, 2.0, "root"), 12)
    1.414213562373
    >>> zero(lambda x: x**2 + 2, 0.0, 2.0, "root")
    Traceback (most recent call last):
    rivalry.core.roots.NoZeroError: root: no zero was located between 0 and 2
    """
    from scipy.optimize import brentq

    failure = NoZeroError(f"{quantity}: no zero was located between {low:.6g} and {high:.6g}")
    ends = float(function(low)), float(function(high))
    if not ends[0] * ends[1] <= 0:
        raise failure

    def evaluate(at: float) -> float:
        value = float(function(at))
        if value != value:
            raise failure
        return value

    root, result = brentq(
        evaluate, low, high, xtol=within, rtol=1e-15, maxiter=ROUNDS, full_output=True, disp=False
    )
    if not result.converged:
        raise failure
    return float(root)
