"""The most that payoffs add up to.

What players win from each other cancels in the sum. Bounds on payoffs do not show it, so it is read from
their operations: shares of the same amount add up to at most 1, however far apart the bounds on each are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import inf, isfinite, nextafter
from typing import Any

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.core.operations import Operations, operations

OPERATIONS = 2000  # of payoffs, on single numbers, that are read


def largest_sum(payoffs: Callable[..., Any], low: np.ndarray, high: np.ndarray) -> float:
    """Return a number that payoffs of choices between bounds never add up to more than.

    It is known for sums of multiples, not below zero, of shares a/(a + b), and infinite for others. Of shares
    whose denominators have the same terms, none of which is below zero, and whose numerators have different
    ones of these, the largest multiple is all that they can add up to.
    """
    ends = list(zip(low.tolist(), high.tolist(), strict=True))
    made = Operations(OPERATIONS, ends)
    try:
        made.nodes, results = operations(payoffs, low / 2 + high / 2, OPERATIONS, ends)
    except (Unsupported, NotImplementedError):
        return inf
    total, shares = Fraction(0), defaultdict[Any, list[tuple[Counter[int], Fraction]]](list)
    for place, weight in _weights(made, results).items():
        name, *rest = made.nodes[place]
        if name == "c" and isfinite(rest[0]):
            total += weight * Fraction(rest[0])
        elif name == "share" and weight > 0:
            own, others = (Counter(made.terms(one)) for one in rest)
            shares[frozenset((own + others).items())].append((own, weight))
        elif weight:
            return inf
    for whole, parts in shares.items():
        taken = sum((own for own, _ in parts), Counter[int]())
        if not taken <= Counter(dict(whole)) or not all(made.is_positive(one) for one, _ in whole):
            return inf
        total += max(weight for _, weight in parts)
    return nextafter(float(total), inf)


def _weights(made: Operations, results: Sequence[int]) -> dict[int, Fraction]:
    """Return the operations of which a sum of operations is a sum of multiples."""
    weights = defaultdict[int, Fraction](Fraction)
    for one in results:
        weights[one] += 1
    for place in range(max(results), -1, -1):  # operands stand before
        name, *rest = made.nodes[place]
        weight, factor = weights[place], None
        if name in ("mul", "div") and made.value(rest[1]) not in (None, 0.0, inf, -inf):
            number = Fraction(made.value(rest[1]))  # type: ignore[arg-type]
            factor = number if name == "mul" else 1 / number
        if name in ("add", "sub", "neg") or factor is not None:
            del weights[place]
            weights[rest[0]] += -weight if name == "neg" else weight * (factor or 1)
        if name in ("add", "sub"):
            weights[rest[1]] += weight if name == "add" else -weight
    return weights
