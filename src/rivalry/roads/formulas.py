"""Costs and demands as formulas: sums of powers, programs of compiled loops, and inverses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rivalry.families.formula import Expression, Formula, parse, substituted
from rivalry.roads.kernels.formulas import (
    ADD,
    EXP,
    FLOW,
    LARGER,
    LOG,
    MULTIPLY,
    NEGATIVE,
    NUMBER,
    POWER,
    SMALLER,
)

# of a value r, the part on one side of an operation whose other side is o
INVERSES = {
    ("+", 0): "r - o",
    ("+", 1): "r - o",
    ("-", 0): "r + o",
    ("-", 1): "o - r",
    ("*", 0): "r / o",
    ("*", 1): "r / o",
    ("/", 0): "r * o",
    ("/", 1): "o / r",
    ("^", 0): "r ^ (1 / o)",
    ("^", 1): "log(r) / log(o)",
    ("exp", 0): "log(r)",
    ("log", 0): "exp(r)",
    ("sqrt", 0): "r ^ 2",
    ("negative", 0): "-r",
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
    terms = _powers(tree)
    if terms is None or min([*terms, *terms.values()], default=0.0) < 0:
        return None
    return {power: factor for power, factor in terms.items() if factor}


def _powers(tree: Expression) -> dict[float, float] | None:
    if tree.kind == "number":
        return {0.0: tree.value}
    if tree.kind == "name":
        return {1.0: 1.0}
    parts = [_powers(part) for part in tree.parts]
    if None in parts or tree.kind not in "+*/^":
        return None
    left, right = (dict(part or {}) for part in parts)
    terms = defaultdict[float, float](float, left)
    if tree.kind == "+":
        for power, factor in right.items():
            terms[power] += factor
        return terms
    if set(right) == {0.0} and tree.kind == "/" and right[0.0]:
        return {power: factor / right[0.0] for power, factor in left.items()}
    if set(right) == {0.0} and tree.kind == "^" and len(left) == 1:
        ((power, factor),) = left.items()
        return {power * right[0.0]: factor ** right[0.0]}
    if tree.kind == "*" and 1 in (len(left), len(right)):
        return {p + q: f * g for p, f in left.items() for q, g in right.items()}
    return None


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
    made = parse("max(most - x, 0)", ["most", "x"]).tree
    return most, substituted(tree, {"trips": substituted(made, {"most": Expression("number", most)})})


def _inverse(tree: Expression) -> Expression:
    """Tree of the cost at which a demand, in which it occurs once, is ``trips``."""
    value = Expression("name", "trips")
    while tree.kind != "name":
        side = [bool(names_in(part)) for part in tree.parts].index(True)
        step = INVERSES.get((tree.value if tree.kind == "call" else tree.kind, side))
        if step is None:
            raise ValueError(f"demand: {tree.value} has no inverse; give what the next of trips is worth")
        value = substituted(parse(step, ["r", "o"]).tree, {"r": value, "o": tree.parts[side - 1]})
        tree = tree.parts[side]
    return value


def names_in(tree: Expression) -> list[str]:
    """Names in a tree, as often as they occur."""
    return [tree.value] if tree.kind == "name" else [name for part in tree.parts for name in names_in(part)]


def joined(programs: Sequence[Program]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Operations, their numbers, and where the program of each link begins and the last ends."""
    operations = [operation for link in programs for operation in link]
    codes = np.array([code for code, _ in operations], dtype=np.int64)
    numbers = np.array([number for _, number in operations], dtype=float)
    return codes, numbers, np.append(0, np.cumsum([len(link) for link in programs], dtype=np.int64))
