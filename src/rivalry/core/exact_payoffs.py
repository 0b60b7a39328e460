"""Payoffs that doubles do not hold: whole numbers and fractions as they are given, beside nearest doubles."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ulp
from numbers import Rational
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import ULPS

DIGITS = 15  # every decimal with so many significant digits is the only one nearest to its float
SHORT = 12  # digits of a decimal that stands for all floats within `ULPS`
DENOMINATOR = 10_000  # largest denominator of a payoff that is read as a fraction
WHOLE = 2**50  # from here on `ULPS` units in the last place reach the next whole number


class ExactPayoffs:
    """Payoffs as they are given, ``numbers``, and nearest doubles, ``floats``: a static part of a game."""

    def __init__(self, numbers: ndarray, floats: ndarray) -> None:
        self.numbers, self.floats = numbers, floats

    def __eq__(self, value: object) -> bool:
        return isinstance(value, ExactPayoffs) and np.array_equal(self.numbers, value.numbers)

    def __hash__(self) -> int:
        # fractions take long to hash; tables of games that are compared at all mostly differ in size
        return hash(self.numbers.shape)

    def of(self, floats: ndarray) -> ndarray:
        """Return the numbers of these floats; the floats where they were replaced since."""
        return self.numbers if np.array_equal(self.floats, floats) else floats


def split_payoffs(payoffs: ndarray) -> tuple[ndarray, ExactPayoffs | None]:
    """Return payoffs as doubles, and as they are given where exact methods would read doubles as others.

    >>> table, exact = split_payoffs(np.array([2**53 + 1, Fraction(1, 10), 0.5], object))
    >>> table.tolist(), exact.numbers.tolist()
    ([9007199254740992.0, 0.1, 0.5], [Fraction(9007199254740993, 1), Fraction(1, 10), Fraction(1, 2)])
    >>> split_payoffs(np.array([3, Fraction(1, 10)], object))[1] is None
    True
    """
    try:
        floats = payoffs.astype(float)
    except OverflowError:
        raise ValueError("payoffs: must be at most 1e308 in size") from None
    is_whole = payoffs.dtype.kind in "iub"
    if (is_whole and np.all(np.abs(floats) < WHOLE)) or not np.isfinite(floats).all():
        return floats, None
    numbers, is_changed = np.empty(payoffs.shape, object), False
    pairs = zip(payoffs.ravel().tolist(), floats.ravel().tolist(), strict=True)
    for place, (number, value) in enumerate(pairs):
        exact = _exactly(number)
        numbers.flat[place] = exact_payoff(value) if exact is None else exact
        is_changed |= exact is not None and (abs(exact) >= WHOLE or decimal_of(value) != exact)
    return floats, ExactPayoffs(numbers, floats) if is_changed else None


def holds_doubles(payoffs: object) -> bool:
    """True if no number in nested lists and arrays changes where it becomes a double."""
    if isinstance(payoffs, ndarray):
        return payoffs.dtype.kind in "fb" and payoffs.dtype.itemsize <= 8
    if isinstance(payoffs, list | tuple):
        return all(map(holds_doubles, payoffs))
    return isinstance(payoffs, float) or (isinstance(payoffs, int) and abs(payoffs) < WHOLE)


def _exactly(number: object) -> Fraction | None:
    """Return a whole number, fraction, decimal or text as a fraction; None for floats and the like."""
    if isinstance(number, Rational):
        return Fraction(int(number.numerator), int(number.denominator))
    if isinstance(number, Decimal | np.longdouble):
        return Fraction(*number.as_integer_ratio())
    return Fraction(number) if isinstance(number, str) else None


def decimal_of(value: float) -> Fraction | None:
    """Return the decimal that a float stands for, if there is one."""
    if value.is_integer() and abs(value) < 2**53:
        return Fraction(value)
    for digits, ulps in ((DIGITS, 0), (SHORT, ULPS)):
        text = f"{value:.{digits}g}"
        if abs(float(text) - value) <= ulps * ulp(value):
            return Fraction(text)
    return None


def exact_payoff(value: Any) -> Fraction:
    """Return the decimal or the fraction of small denominator that a float stands for, or else itself.

    Whole numbers and fractions are what they are.
    """
    if not isinstance(value, float):
        return Fraction(value)
    if (decimal := decimal_of(value)) is not None:
        return decimal
    simple = Fraction(value).limit_denominator(DENOMINATOR)
    return simple if abs(float(simple) - value) <= ULPS * ulp(value) else Fraction(value)
