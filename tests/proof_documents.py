"""Proof files of small games, written by hand: payoffs as formulas, and their values by NumPy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Document = dict[str, Any]
Bounds = Sequence[tuple[float, float]]


class Formula(NamedTuple):
    """An operation of a proof file with its operands."""

    name: str
    operands: tuple[Any, ...]

    def __neg__(self) -> Formula:
        return Formula("neg", (self,))

    def __add__(self, other: Any) -> Formula:  # type: ignore[override]
        return Formula("add", (self, formula(other)))

    def __radd__(self, other: float) -> Formula:
        return formula(other) + self

    def __sub__(self, other: Any) -> Formula:
        return Formula("sub", (self, formula(other)))

    def __rsub__(self, other: float) -> Formula:
        return formula(other) - self

    def __mul__(self, other: Any) -> Formula:  # type: ignore[override]
        return Formula("mul", (self, formula(other)))

    def __rmul__(self, other: float) -> Formula:  # type: ignore[override]
        return formula(other) * self

    def __truediv__(self, other: Any) -> Formula:
        return Formula("div", (self, formula(other)))

    def __pow__(self, exponent: float) -> Formula:
        return Formula("power", (self, formula(exponent)))


def formula(number: Any) -> Formula:
    return number if isinstance(number, Formula) else Formula("c", (float(number),))


def of(name: str, *operands: Any) -> Formula:
    """Return an operation by its name: ``of("log", x)``, ``of("if", p, q, a, b)``."""
    return Formula(name, tuple(map(formula, operands)))


X, Y, Z, W = (Formula("x", (k,)) for k in range(4))


def nodes_of(*formulas: Formula) -> tuple[list[list[Any]], list[int]]:
    """Return the list of all operations, each once, and the places of formulas in it."""
    places: dict[Formula, int] = {}
    nodes: list[list[Any]] = []

    def place(one: Formula) -> int:
        if one not in places:
            operands = [place(part) if isinstance(part, Formula) else part for part in one.operands]
            nodes.append([one.name, *(part.hex() if isinstance(part, float) else part for part in operands)])
            places[one] = len(nodes) - 1
        return places[one]

    return nodes, [place(one) for one in formulas]


def texts(row: Any) -> list[str]:
    return [float(number).hex() for number in row]


def ends(bounds: Bounds) -> dict[str, list[str]]:
    return {"low": texts(low for low, _ in bounds), "high": texts(high for _, high in bounds)}


def entry(
    point: Sequence[float], box: Bounds, radius: Any = 1e-6, matrix: Any = (), peak: Bounds | None = None
) -> Document:
    """Return the entry of an equilibrium; without ``peak`` payoffs are concave in its box."""
    radii = np.broadcast_to(radius, len(point))
    radii = np.where([low == high for low, high in box], 0.0, radii)
    rows = [texts(row) for row in matrix]
    return ends(box) | {
        "point": texts(point),
        "radius": texts(radii),
        "matrix": rows,
        "peak": ends(peak or box),
    }


def kink(point: float, radius: float) -> Document:
    """Return the entry of a largest payoff of one choice near a point."""
    around = ends([(point - radius, point + radius)])
    return around | {"point": texts([point]), "radius": texts([radius]), "kink": True}


def smooth(payoffs: Sequence[Formula], space: Bounds, **entries: Any) -> Document:
    """Return the document of a game in which each player has one choice, or all are of one player."""
    nodes, results = nodes_of(*payoffs)
    single = len(payoffs) == 1
    players = [0 if single else k for k in range(len(space))]
    axes = list(range(len(space))) if single else [0] * len(space)
    return {
        "format": "rivalry-proof",
        "version": 3,
        "kind": "smooth",
        "coordinates": "choices",
        "space": {"player": players, "axis": axes, **ends(space)},
        "payoffs": {"nodes": nodes, "results": results},
        "equilibria": [],
    } | entries


def finite(claim: str, *payoffs: Any, **entries: Any) -> Document:
    """Return the document of a claim about a game of matrices ``[player][first's action, second's]``."""
    tables = [np.array(own, dtype=object) for own in payoffs]
    return {
        "format": "rivalry-proof",
        "version": 3,
        "kind": "finite",
        "claim": claim,
        "actions": list(tables[0].shape),
        "payoffs": [[str(u) for u in own.ravel()] for own in tables],
    } | entries


def packed(document: Any) -> bytes:
    return json.dumps(document).encode()


FUNCTIONS: dict[str, Any] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "logistic": lambda a: 1 / (1 + np.exp(-a)),
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "power": np.power,
    "max": np.maximum,
    "share": lambda a, b: a / (a + b),
    "if": lambda p, q, a, b: np.where(p < q, a, b),
}


def payoffs_at(document: Document, choices: Sequence[Any]) -> list[np.ndarray]:
    """Return the payoffs of a document at arrays of choices, without the checker."""
    values: list[Any] = []
    with np.errstate(all="ignore"):
        for name, *rest in document["payoffs"]["nodes"]:
            if name == "x":
                values.append(np.asarray(choices[rest[0]], dtype=float))
            elif name == "c":
                values.append(float.fromhex(rest[0]))
            else:
                values.append(FUNCTIONS[name](*(values[k] for k in rest)))
    shape = np.broadcast_shapes(*(np.shape(one) for one in choices))
    return [np.broadcast_to(values[k], shape) for k in document["payoffs"]["results"]]
