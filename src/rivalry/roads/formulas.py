"""Costs and demands as formulas: sums of powers, programs of compiled loops, and inverses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy import ndarray

from rivalry.families.formula import Expression, Formula, parse, substituted

NUMBER, FLOW, NEGATIVE, POWER, EXP, LOG, ADD, MULTIPLY, LARGER, SMALLER = range(10)
# of a value r, each part of an operation whose other part is o
INVERSES = {
    "+": ("r - o", "r - o"),
    "-": ("r + o", "o - r"),
    "*": ("r / o", "r / o"),
    "/": ("r * o", "o / r"),
    "^": ("r^(1 / o)", "log(r) / log(o)"),
    "exp": ("log(r)",),
    "log": ("exp(r)",),
    "sqrt": ("r^2",),
    "negative": ("-r",),
}
PAIRS = {"+": ADD, "*": MULTIPLY, "max": LARGER, "min": SMALLER}
FUNCTIONS = {"exp": EXP, "log": LOG}
MOST_TRIPS = 1e15
Program = list[tuple[int, float]]  # operations in postfix order, with their numbers


@lru_cache(maxsize=10_000)
def formula_tree(text: str, name: str, key: str) -> Expression:
    """Tree of a formula in one variable. Raises `ValueError` that begins with the key."""
    return parse(text, [name], key).tree


def power_sum(tree: Expression) -> dict[float, float] | None:
    """Coefficients by power of a sum of powers with numbers of at least 0; None of another formula."""
    if tree.kind == "+":
        left, right = (power_sum(part) for part in tree.parts)
        return None if left is None or right is None else dict(Counter(left) + Counter(right))
    term = _power(tree)
    return None if term is None or min(term) < 0 else {term[1]: term[0]}


def _power(tree: Expression) -> tuple[float, float] | None:
    """Factor and power of a term; None of other terms."""
    if tree.kind in ("number", "name"):
        return (tree.value, 0.0) if tree.kind == "number" else (1.0, 1.0)
    if tree.kind not in ("*", "/", "^"):
        return None
    left, right = (_power(part) for part in tree.parts)
    if left is None or right is None:
        return None
    (factor, power), (second, exponent) = left, right
    if tree.kind == "*":
        return factor * second, power + exponent
    if exponent or (tree.kind == "/" and not second):
        return None
    return (factor**second, power * second) if tree.kind == "^" else (factor / second, power)


def program(tree: Expression, key: str) -> Program:
    """Program of a formula for `rivalry.roads.kernels.formulas`. Raises `ValueError` for other functions."""
    if tree.kind == "number":
        return [(NUMBER, tree.value)]
    if tree.kind == "name":
        return [(FLOW, 0.0)]
    parts = [program(part, key) for part in tree.parts]
    kind = tree.value if tree.kind == "call" else tree.kind
    if kind in PAIRS:
        return [*parts[0], *parts[1], (PAIRS[kind], 0.0)]
    if kind in FUNCTIONS:
        return [*parts[0], (FUNCTIONS[kind], 0.0)]
    if kind == "negative":
        return [*parts[0], (NEGATIVE, 0.0)]
    if kind == "sqrt":
        return [*parts[0], (POWER, 0.5)]
    if kind == "-":
        return [*parts[0], *parts[1], (NEGATIVE, 0.0), (ADD, 0.0)]
    if kind == "/":
        return [*parts[0], *parts[1], (POWER, -1.0), (MULTIPLY, 0.0)]
    if kind == "^" and len(parts[1]) == 1 and tree.parts[1].kind == "number":
        return [*parts[0], (POWER, tree.parts[1].value)]
    if kind == "^":
        return [*parts[0], (LOG, 0.0), *parts[1], (MULTIPLY, 0.0), (EXP, 0.0)]
    raise ValueError(f"{key}: has {kind}; must be of + - * / ^ and exp, log, sqrt, min, max")


def unmade_trips(text: str, key: str) -> tuple[float, Expression]:
    """Trips at a cost of 0, and the tree of what trips are worth where ``x`` of them are not made.

    The text is a demand by ``cost``, in which that occurs once, or what the next of ``trips`` is worth.
    Raises `ValueError`.
    """
    from scipy.optimize import brentq

    tree = parse(text, ["cost", "trips"], key).tree
    if names_in(tree) == ["trips"]:
        worth = Formula(text, tree)
        most = 1.0
        while most < MOST_TRIPS and worth({"trips": most}) > 0:
            most *= 2
        if not worth({"trips": most}) <= 0 < worth({"trips": 0.0}):
            raise ValueError(f"{key}: {text!r} must be above 0 at no trips and fall to 0")
        most = brentq(lambda trips: float(worth({"trips": trips})), 0.0, most, xtol=1e-15 * most)
    elif names_in(tree) == ["cost"]:
        most = float(Formula(text, tree)({"cost": 0.0}))
        tree = _inverse(tree)
    else:
        raise ValueError(f"{key}: {text!r} must contain cost once, or else only trips")
    if not 0 < most < np.inf:
        raise ValueError(f"{key}: {text!r} must be finite and above 0 at a cost of 0; is {most:g}")
    remainder = parse("max(most - x, 0)", ["most", "x"]).tree
    return most, substituted(tree, {"trips": substituted(remainder, {"most": Expression("number", most)})})


def _inverse(tree: Expression) -> Expression:
    """Tree of the cost at which a demand, in which it occurs once, is ``trips``."""
    value = Expression("name", "trips")
    while tree.kind != "name":
        side = [bool(names_in(part)) for part in tree.parts].index(True)
        kind = tree.value if tree.kind == "call" else tree.kind
        if kind not in INVERSES:
            raise ValueError(f"demand: {kind} has no inverse; give what the next of trips is worth")
        step = parse(INVERSES[kind][side], ["r", "o"]).tree
        value = substituted(step, {"r": value, "o": tree.parts[side - 1]})
        tree = tree.parts[side]
    return value


def names_in(tree: Expression) -> list[str]:
    """Names in a tree, as often as they occur."""
    return [tree.value] if tree.kind == "name" else [name for part in tree.parts for name in names_in(part)]


def joined(programs: Sequence[Program]) -> tuple[ndarray, ndarray, ndarray]:
    """Operations, their numbers, and where the program of each link begins and the last ends."""
    operations = [operation for link in programs for operation in link]
    codes = np.array([code for code, _ in operations], dtype=int)
    numbers = np.array([number for _, number in operations], dtype=float)
    return codes, numbers, np.append(0, np.cumsum([len(link) for link in programs], dtype=int))
