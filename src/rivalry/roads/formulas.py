"""Costs and demands as formulas: sums of powers, programs of compiled loops, and inverses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rivalry.families.formula import Expression, parse
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

PAIRS = {"+": ADD, "*": MULTIPLY, "max": LARGER, "min": SMALLER}
FUNCTIONS = {"exp": EXP, "log": LOG}
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


def joined(programs: Sequence[Program]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Operations, their numbers, and where the program of each link begins and the last ends."""
    operations = [operation for link in programs for operation in link]
    codes = np.array([code for code, _ in operations], dtype=np.int64)
    numbers = np.array([number for _, number in operations], dtype=float)
    return codes, numbers, np.append(0, np.cumsum([len(link) for link in programs], dtype=np.int64))
