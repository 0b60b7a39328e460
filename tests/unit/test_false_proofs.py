"""Files that state what is false, written by hand: the checker refuses each, for the right reason."""

import json
import re
from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from tests.proof_documents import (
    Document,
    W,
    X,
    Y,
    Z,
    ends,
    entry,
    finite,
    kink,
    nodes_of,
    of,
    packed,
    smooth,
    texts,
)

pytest.importorskip("flint")

from rivalry_check import Damaged, graph
from rivalry_check.__main__ import check, digest, main

UNIT = (0.0, 1.0)
RISES, FALLS = (["sign", [[0, sign]]] for sign in (1, -1))


def cut(k: int, at: float) -> list[Any]:
    return ["cut", k, at.hex()]


def beside(low: float, high: float) -> list[Any]:
    """Return the boxes of one choice whose payoff rises below, and falls above, an equilibrium between."""
    return [cut(0, low), RISES, cut(0, high), ["around", 0], FALLS]


def single(payoff: Any, *equilibria: Document, space: Any = UNIT, **entries: Any) -> Document:
    return smooth([payoff], [space], equilibria=list(equilibria), **entries)


def peak(at: float = 0.5) -> Document:
    """Return a true list: the largest value of a parabola."""
    near = entry([at], [(at - 0.1, at + 0.1)], 1e-9, [[-0.5]])
    return single(-((X - at) ** 2.0), near, boxes=beside(at - 0.05, at + 0.05))


def pair(
    first: Any, second: Any, *equilibria: Document, space: Any = (UNIT, UNIT), **entries: Any
) -> Document:
    return smooth([first, second], space, equilibria=list(equilibria), **entries)


def corner(x: float, y: float, *boxes: Any) -> Document:
    """Return the entry of an equilibrium at bounds, with all strategies in its peak."""
    return entry([x, y], [(x, x), (y, y)], 0.0, peak=boxes or [UNIT, UNIT])


def changed(document: Document, *path: Any, to: Any) -> Document:
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return document


def twice(document: Document, key: str, other: Any) -> bytes:
    """Return a file with a key that occurs twice."""
    return packed(document)[:-1] + b', "' + key.encode() + b'": ' + json.dumps(other).encode() + b"}"


# games whose answers are known

SADDLE = 3.0 * X * Y - X**2.0 - Y**2.0  # of one player, on [-1, 1]: (1, 1) and (-1, -1) pay 1, (0, 0) nothing
TWO_PEAKS = 0.2 * X - 10.0 * (X - 0.2) ** 2.0 * (X - 0.9) ** 2.0  # the one near 0.9 is higher
COORDINATION = [4.0 * (X - 0.5) * (Y - 0.5) - (one - 0.5) ** 2.0 for one in (X, Y)]  # 0, 1/2 and 1
PARTNERS = [one * (Z + other**2.0) - one**2.0 / 2.0 for one, other in ((X, Y), (Y, X))]  # a fold at 1/4
NOBODY = [1.5 * X * Y - one**2.0 / 2.0 for one in (X, Y)]  # a best response is 1.5 times the other: 0 and 1
JUMP = X * (1.0 - of("exp", -(float("inf") * of("max", 0.5 - X, 0.0))))  # x below 1/2, and 0 from there on
STEEP = of("exp", 1000.0 * X)  # overflows from 0.71 on


def cosine(**entries: Any) -> Document:
    shares = of("share", of("cos", X) + 2.0, 1.0), of("share", 1.0, of("cos", X) + 2.0)
    nodes, results = nodes_of(*shares)
    space = {"player": [0], "axis": [0], **ends([(-20.0, 20.0)])}
    document = single(X, space=(-20.0, 20.0), constant_sum=True)
    payoffs = {"nodes": nodes, "results": results}
    return document | {"space": space, "payoffs": payoffs, "equilibria": [kink(0.0, 19.0)]} | entries


def nobody(*payoffs: Any, room: float = 0.5, **entries: Any) -> Document:
    """Return a list of two equilibria of `NOBODY`: nobody adopts, where derivatives are zero, or all do."""
    none = entry([0.0, 0.0], [(0.0, room)] * 2, 0.0, peak=[UNIT, UNIT])
    all_sides = [["sign", [[0, 1], [1, 1]]], ["sign", [[1, 1]]], ["around", 1], RISES, ["around", 1]]
    boxes = [cut(0, 0.5), cut(1, 0.5), ["around", 0], RISES, cut(1, 0.5), ["sign", [[1, 1]]], *all_sides]
    return pair(*payoffs or NOBODY, none, corner(1.0, 1.0), boxes=boxes) | entries


def indifferent(*payoffs: Any) -> Document:
    """Return the equilibrium in the middle of a game of adoption in which players are indifferent there."""
    middle = entry([0.5] * 2, [(0.25, 0.75)] * 2, 1e-9, [[0.0, 1.0], [1.0, 0.0]], [UNIT] * 2)
    return pair(*payoffs or [one * (other - 0.5) for one, other in ((X, Y), (Y, X))], middle)


def partners(low: float, high: float, *points: float, boxes: Any) -> Document:
    parameters = {"names": ["a"], **ends([(low, high)])}
    near = [entry([x, x], [(x - 0.1, x + 0.1)] * 2, 0.09, [[-1.0, 0.0], [0.0, -1.0]]) for x in points]
    document = smooth(
        PARTNERS, [UNIT, UNIT], parameters=parameters, parts=[{"equilibria": near, "boxes": boxes}]
    )
    del document["equilibria"]
    return document


def parameter(name: str) -> Document:
    """Return the true file that x = a is the only equilibrium, for a from 0.4 to 0.6."""
    near = entry([0.5], [(0.3, 0.7)], 0.15, [[-0.5]])
    boxes = [cut(0, 0.35), RISES, cut(0, 0.65), ["around", 0], FALLS]
    parameters = {"names": [name], **ends([(0.4, 0.6)])}
    document = single(
        -((X - Y) ** 2.0), parameters=parameters, parts=[{"equilibria": [near], "boxes": boxes}]
    )
    del document["equilibria"]
    return document


def half_shares(low: str, high: str, c1: str, c2: str) -> Document:
    """Return a list of one equilibrium at the upper bound, of a payoff that falls by 1e-18."""
    payoff = of("logistic", X) - X * float.fromhex(c1) - X * float.fromhex(c2)
    space = float.fromhex(low), float.fromhex(high)
    near = entry([space[1]], [(space[1],) * 2], peak=[space])
    return single(payoff, near, space=space, boxes=[RISES, ["around", 0]])


def totals(*parts: Any, payoffs: Any = None, **entries: Any) -> Document:
    """Return a document of two players who pay for the sum of what both add."""
    usual = [one * (1.0 - one - other) for one, other in ((X, Z), (Y, W))]
    nodes, places = nodes_of(*(payoffs or usual), *parts)
    document = smooth(usual, [UNIT, UNIT])
    document["payoffs"] = {"nodes": nodes, "results": places[:2]}
    return document | {"totals": [places[2:]]} | entries


ZERO_OF_TOTALS = entry([1 / 3] * 2, [(0.3, 0.4)] * 2, 1e-9, [[-2 / 3, 1 / 3], [1 / 3, -2 / 3]], [UNIT, UNIT])
UNDEFINED = of("log", X - 2.0)  # of a number from -2 to -1
PENNIES = [[1, -1], [-1, 1]], [[-1, 1], [1, -1]]
DILEMMA = [[3, 0], [5, 1]], [[3, 5], [0, 1]]
WEAK = [[1, 1], [1, 0]], [[1, 1], [1, 0]]  # extreme: (0, 0), (0, 1), (1, 0)
BOTH = [["1", "0"], ["1", "0"]]


def game_tree(sets: Any, strategies: Any, leaves: Any, bound: Any) -> Document:
    head = {key: finite("value", [[0]])[key] for key in ("format", "version", "kind", "claim")}
    return head | {"sets": sets, "strategies": strategies, "leaves": leaves, "bound": bound}


def penny_tree(**entries: Any) -> Document:
    leaves = [[a, b, "1" if a == b else "-1"] for a in (0, 1) for b in (0, 1)]
    half = [["1/2", "1/2"]]
    return game_tree([[[-1, 2]], [[-1, 2]]], [half, half], leaves, ["0", "0"]) | entries


def play(**entries: Any) -> Document:
    """Return the true file that players of a dilemma who always defect gain nothing by other policies."""
    session = {"policies": [[1] * 4] * 2, "own": [["2"] * 4] * 2, "best": [["2"] * 4] * 2, "states": [3]}
    return (
        finite("policy", *DILEMMA)
        | {
            "kind": "policy",
            "rounds": [[0, 1]],
            "observes": [[[0, 1], [1, 1]]] * 2,
            "memory": 1,
            "discount": ["1/2", "1/2"],
            "sessions": [session],
            "gain": [["0", "0"]] * 2,
        }
        | entries
    )


def session(**entries: Any) -> list[Document]:
    return [play()["sessions"][0] | entries]


def welfare(**entries: Any) -> Document:
    """Return the true file that matching pennies have no welfare."""
    return (
        finite(
            "correlated_equilibrium",
            *PENNIES,
            distribution=["1/4"] * 4,
            multipliers=["0"] * 4,
            bound=["0", "0"],
        )
        | entries
    )


def bomb(count: int, choices: int) -> Document:
    """Return a document whose second derivatives are a thousand times as long as itself."""
    document = smooth([X], [UNIT] * choices)
    nodes = [["x", k] for k in range(choices)]
    for k in range(choices - 1):
        nodes.append(["mul", len(nodes) - 1 if k else 0, k + 1])
    while len(nodes) < count:
        nodes.append(["sin", len(nodes) - 1])
    return document | {"payoffs": {"nodes": nodes, "results": [len(nodes) - 1]}}


TRUE: dict[str, Callable[[], Document]] = {
    "a peak": peak,
    "a kink": lambda: single(-of("max", X - 0.5, 0.5 - X), kink(0.5, 0.1)),
    "a range": lambda: parameter("a"),
    "totals": lambda: totals(X, Y, equilibria=[ZERO_OF_TOTALS]),
    "the middle of coordination": lambda: pair(
        *COORDINATION, entry([0.5, 0.5], [(0.4, 0.6)] * 2, 1e-9, [[1 / 6, 1 / 3], [1 / 3, 1 / 6]], [UNIT] * 2)
    ),
    "nobody adopts": nobody,
    "indifference": indifferent,
    "pennies": lambda: finite(
        "extreme_equilibria", *PENNIES, dominated=[], equilibria=[[["1/2", "1/2"]] * 2]
    ),
    "dilemma": lambda: finite("pure_equilibria", *DILEMMA, equilibria=[[1, 1]]),
    "welfare": welfare,
    "tree": penny_tree,
    "policy": play,
    "commitment": lambda: finite(
        "commitment",
        *DILEMMA,
        leader=0,
        distribution=["0", "0", "0", "1"],
        multipliers=["4", "0"],
        bound=["1", "1"],
    ),
}

D, F = 2, 1  # damaged, and false: the statement is not verified
Made = Callable[[], Document | bytes]
REFUSED: dict[tuple[int, str], Made | dict[str, Made]] = {  # one of a kind has the words for its name
    (D, "entry 1 of 'player' of 'space' of the file is '-1', not a whole number from 0 to 64"): lambda: (
        changed(pair(SADDLE, SADDLE), "space", "player", to=[0, -1])
    ),
    (D, "choices must be those of players 0 to 1"): lambda: changed(pair(X, Y), "space", "player", to=[0, 2]),
    (D, "the key 'payoffs' occurs twice"): lambda: twice(peak(), "payoffs", peak(0.25)["payoffs"]),
    (D, "is '10', not a double in hexadecimal"): lambda: changed(
        peak(), "payoffs", "nodes", 1, to=["c", "10"]
    ),
    (D, "is '0x01.8p+0', not a double"): lambda: changed(
        peak(), "payoffs", "nodes", 1, to=["c", "0x01.8p+0"]
    ),
    (D, "is 'True', not a whole number"): lambda: changed(peak(), "payoffs", "nodes", 0, 1, to=True),
    (D, "the number '1.9' is not whole"): lambda: changed(peak(), "payoffs", "nodes", 0, 1, to=1.9),
    (D, "letters, digits and characters"): {
        "a name of two lines": lambda: parameter(
            "a\nother.json: verified: 13 equilibria, complete (9 boxes)"
        ),
        "a name that is a sentence": lambda: parameter("a from 0.0 to 9.0; exactly 5 for all b"),
    },
    (D, "begins with no known word"): lambda: single(
        of("steep", X, 0.5), entry([1.0], [(1.0, 1.0)], peak=[UNIT])
    ),
    (D, "an exponent is not a number up to 100"): {
        "an exponent that is a choice": lambda: single(of("power", X, 2.0 - X)),
        "an exponent of 101": lambda: single(X**101.0),
    },
    (D, "refers to a choice or node that is not before it"): lambda: single(X - Y),
    (D, "without a width"): {
        "a space without width": lambda: single(X, entry([1.0], [(1.0, 1.0)]), space=(1.0, 1.0))
    },
    (D, "a lower bound is above"): lambda: single(X, space=(1.0, 0.0)),
    (D, "or a choice twice"): {
        "a choice twice": lambda: changed(smooth([X], [UNIT] * 2), "space", "axis", to=[0, 0])
    },
    (D, "a list has boxes or a constant sum"): lambda: peak() | {"constant_sum": True},
    (D, "a matrix and a peak are needed, or it is at a kink"): lambda: changed(
        peak(), "equilibria", 0, "kink", to=True
    ),
    (D, "periods must be games of the same players"): lambda: {
        "format": "rivalry-proof",
        "version": 3,
        "kind": "periods",
        "periods": [peak(), pair(X, Y)],
    },
    (D, "there is no equilibrium 2"): lambda: (
        peak() | {"boxes": [cut(0, 0.45), RISES, cut(0, 0.55), ["around", 1], FALLS]}
    ),
    (D, "more entries than parts"): lambda: peak() | {"boxes": [*beside(0.45, 0.55), FALLS]},
    (D, "a sign has a choice twice"): lambda: (
        peak()
        | {"boxes": [cut(0, 0.25), cut(0, 0.2), RISES, ["sign", [[0, 1], [0, 1]]], *beside(0.45, 0.55)]}
    ),
    (D, "a part of a total depends on other choices"): {
        "a part of a total that depends on a rival": lambda: totals(Y, X, equilibria=[ZERO_OF_TOTALS]),
        "a part of a total that depends on a total": lambda: totals(X, Y * W, equilibria=[ZERO_OF_TOTALS]),
    },
    (D, "an entry is not as specified"): {
        "a total of nobody": lambda: totals(X, Y) | {"totals": [[]]},
        "a strategy of a player that there is not": lambda: single(X, boxes=[["better", 1, []]]),
        "a choice cut as a parameter": lambda: changed(
            parameter("a"), "parts", to=[["cut", 0, (0.5).hex()], ["undecided"], ["undecided"]]
        ),
        "a dominated action of a third player": lambda: finite(
            "extreme_equilibria", *DILEMMA, dominated=[[2, 0, 1]], equilibria=[]
        ),
        "a set without a strategy": lambda: penny_tree(strategies=[[], [["1/2", "1/2"]]]),
        "no states": lambda: play(sessions=session(states=[])),
        "an observation without an action": lambda: play(sessions=session(policies=[[1] * 3] * 2)),
        "no gain of one player": lambda: play(gain=[["0", "0"]]),
    },
    (D, "entries (see --large)"): lambda: b'{"format": [' + b"0," * 5_000_000 + b"0]}",
    (D, "its matrix is not square"): lambda: single(
        -((X - 0.5) ** 2.0), entry([0.5], [(0.4, 0.6)], 0.05, [[-0.5, 0.0]])
    ),
    (D, "a radius of at least 0"): lambda: changed(peak(), "equilibria", 0, "radius", to=texts([-1.0])),
    (D, "payoffs are needed for every player"): lambda: changed(
        finite("pure_equilibria", *DILEMMA, equilibria=[[1, 1]]), "actions", to=[2, 3]
    ),
    (D, "an entry is not as specified (ValueError"): lambda: changed(
        finite("pure_equilibria", *DILEMMA, equilibria=[[1, 1]]), "payoffs", 0, 0, to="1" * 5000
    ),
    (D, "4 fractions are needed, not 8"): lambda: welfare(multipliers=["0"] * 8),
    (D, "a commitment is one of two players"): lambda: finite(
        "commitment",
        *[[[[1, 0], [0, 1]]] * 1] * 3,
        leader=0,
        distribution=["1", "0", "0", "0"],
        multipliers=[],
        bound=["1", "1"],
    ),
    (D, "2 must be a whole number from 0 to 1"): {
        "a leader that there is not": lambda: TRUE["commitment"]() | {"leader": 2},
        "observations of forgotten rounds": lambda: play(observes=[[[0, 2], [1, 1]]] * 2),
        "observations of a third player": lambda: play(observes=[[[2, 1], [1, 1]]] * 2),
        "an action that there is not": lambda: play(sessions=session(policies=[[2] * 4] * 2)),
    },
    (D, "1 must be a whole number from -1 to -1"): lambda: penny_tree(sets=[[[1, 2]], [[-1, 2]]]),
    (D, "2 must be a whole number from -1 to 1"): lambda: penny_tree(leaves=[[2, 0, "1"]]),
    (D, "'memory' of the file is '0'"): lambda: play(memory=0),
    (D, "0 fractions are needed, not 4"): lambda: play(rounds=[]),
    (D, "a player moves twice in a round"): lambda: play(rounds=[[0, 1, 0]]),
    (D, "at least one is needed"): lambda: play(sessions=[]),
    (D, "4 must be a whole number from 0 to 3"): lambda: play(sessions=session(states=[4])),
    (D, "policies must be pure"): lambda: play(
        observes=[[[0, 1], [1, 1]], [[0, 0], [1, 1]]], sessions=session(policies=[[["0", "1"]] * 4] * 2)
    ),
    (F, "whose payoffs have a constant sum"): {
        "seven maxima as one of a constant sum": cosine,
        "a constant sum of players who are indifferent everywhere": lambda: pair(
            of("add", 0.5, 0.0), of("add", 0.25, 0.0), corner(0.0, 0.0), constant_sum=True
        ),
        "a constant sum of payoffs that add up to x": lambda: pair(
            of("share", X + 1.0, Y + 1.0), of("share", Y + 1.0, X + 2.0), corner(1.0, 1.0), constant_sum=True
        ),
        "a constant sum of coordination": lambda: pair(
            *COORDINATION,
            entry([0.5] * 2, [(0.4, 0.6)] * 2, 1e-9, [[1 / 6, 1 / 3], [1 / 3, 1 / 6]], [UNIT] * 2),
            constant_sum=True,
        ),
        "a constant sum of nobody's equilibrium": lambda: pair(
            of("share", X + 1.0, Y + 1.0), of("share", Y + 1.0, X + 1.0), constant_sum=True
        ),
    },
    (F, "its payoff is not known to be continuous"): {
        "a largest value that is not attained": lambda: single(JUMP, kink(0.499, 0.001)),
        "the limit below a jump": lambda: single(of("if", X, 0.5, X, 0.0), kink(0.5, 1e-9)),
        "a tie that takes the other case": lambda: single(
            of("if", X, 0.5, 0.0, 1.0 - X) - of("if", 0.5, X, 0.0, 2.0), kink(0.5, 1e-9)
        ),
    },
    (F, "a better strategy of player 1 is not excluded"): {
        "a largest value that is not attained, as one at a bound": lambda: single(
            JUMP + 0.4 * X, entry([1.0], [(1.0, 1.0)], peak=[(1.0, 1.0)])
        ),
        "a lower peak": lambda: single(TWO_PEAKS, entry([0.22], [(0.15, 0.3)], 0.01, [[-0.1]])),
        "a lower peak at a kink": lambda: single(
            of("max", 0.5 - of("max", X - 0.2, 0.2 - X), 2.0 * X - 1.4), kink(0.2, 0.05)
        ),
        "a bound from which a payoff falls and rises": lambda: single(
            X**2.0 - 0.9 * X, entry([0.0], [(0.0, 0.0)], peak=[(0.0, 0.4)])
        ),
        "strategies without a payoff": lambda: single(
            of("log", of("max", X, 0.5 - X) - 0.4) * 0.0
            + of("if", X, 0.5, of("log", X - 0.6), -((X - 0.75) ** 2.0)),
            entry([0.75], [(0.7, 0.8)], 1e-9, [[-0.5]]),
        ),
        "an exponential that overflows": lambda: single(
            STEEP * of("if", X, 0.9, 0.0, X) - (X - 0.3) ** 2.0, entry([0.3], [(0.29, 0.31)], 1e-3, [[-0.5]])
        ),
        "a tie of a payoff that rises beyond its peak": lambda: single(
            X**3.0 - X**2.0 / 2.0, entry([0.0], [(0.0, 0.1)], 0.0, peak=[(0.0, 0.1)])
        ),
    },
    (F, "others are not excluded in box [-19, 19]"): lambda: single(
        of("cos", X), entry([0.0], [(-19.0, 19.0)], 1.0, [[-1.0]]), space=(-20.0, 20.0)
    ),
    (F, "of a game of one player without parameters"): lambda: pair(
        -of("max", X - Y, Y - X),
        -of("max", Y - 0.5, 0.5 - Y),
        kink(0.5, 0.1) | ends([(0.4, 0.6)] * 2) | {"point": texts([0.5] * 2), "radius": texts([0.1] * 2)},
    ),
    (F, "a derivative at a bound does not point outward"): {
        "the limit below a jump at a bound": lambda: single(
            of("if", X, 1.0, X, 0.0), entry([1.0], [(1.0, 1.0)], peak=[UNIT])
        ),
        "a contest that nobody enters": lambda: pair(
            of("share", X, Y) - X, of("share", Y, X) - Y, corner(0.0, 0.0)
        ),
        "a tie that is none": lambda: nobody(NOBODY[0] + 1e-300 * X, NOBODY[1]),
        "a tie that depends on a choice within its radius": lambda: pair(
            X * (0.5 - Y) - X**2.0,
            -((Y - 0.5) ** 2.0),
            entry([0.0, 0.5], [(0.0, 0.0), (0.4, 0.6)], 1e-9, [[-0.5]], [UNIT, UNIT]),
        ),
        "a tie of roots with a product that rises": lambda: single(
            of("sqrt", X) * of("sqrt", X), entry([0.0], [(0.0, 0.0)], peak=[(0.0, 0.0)])
        ),
        "a share of roundings": lambda: half_shares(
            "0x1.60713dbaeb141p-1", "0x1.60713dbaeb142p-1", "0x1.c7d5c2c443139p-3", "-0x1.7b3a5ef4ea638p-59"
        ),
    },
    (F, "the sign of derivatives [0] is not known"): {
        "the limit below a jump, in a box that rises": lambda: single(
            of("if", X, 1.0, X, 0.0), boxes=[RISES, ["better", 0, texts([0.9])]]
        ),
        "a pole between two branches": lambda: single(-(X**-2.0), space=(-1.0, 1.0), boxes=[RISES, FALLS]),
        "differences of numbers that overflow": lambda: (
            single(
                STEEP * STEEP - STEEP * STEEP * (1.0 + 1e-9 * X),
                entry([1.0], [(1.0, 1.0)], peak=[(0.99, 1.0)]),
                boxes=[RISES, ["around", 0]],
            )
            | {"equilibria": []}
        ),
        "a slope that is zero at a bound": lambda: single(X**2.0, boxes=[FALLS, ["better", 0, texts([1.0])]]),
        "a slope in a choice of other totals": lambda: totals(
            X, Y, boxes=[cut(2, 0.5), FALLS, ["sign", []], ["sign", []]]
        ),
        "no partners beyond their fold": lambda: partners(
            0.24, 0.26, boxes=[RISES, ["sign", [[1, 1]]], ["around", 0]]
        ),
    },
    (F, "the payoff of player 1 is not concave around it"): {
        "a saddle": lambda: smooth(
            [SADDLE],
            [(-1.0, 1.0)] * 2,
            equilibria=[entry([0.0] * 2, [(-0.1, 0.1)] * 2, 1e-6, [[0.4, 0.6], [0.6, 0.4]])],
        ),
        "a minimum": lambda: single((X - 0.4) ** 2.0, entry([0.4], [(0.3, 0.5)], 1e-6, [[0.5]])),
        "a minimum at a bound with a slope of zero": lambda: single(
            X**2.0, entry([0.0], [(0.0, 0.0)], peak=[(0.0, 0.1)])
        ),
        "an inflection at a bound": lambda: single(X**3.0, entry([0.0], [(0.0, 0.0)], peak=[(0.0, 0.1)])),
        "a bound from which a payoff falls and rises, all in its peak": lambda: single(
            X**2.0 - 0.9 * X, entry([0.0], [(0.0, 0.0)], peak=[UNIT])
        ),
        "a peak around a higher one": lambda: single(
            TWO_PEAKS, entry([0.22], [(0.15, 0.3)], 0.01, [[-0.1]], [UNIT])
        ),
        "a tie of a payoff that rises far away": lambda: single(
            X**3.0 - X**2.0 / 2.0, entry([0.0], [(0.0, 0.1)], 0.0, peak=[UNIT])
        ),
        "a player who is not quite indifferent": lambda: indifferent(
            X * (Y - 0.5) + 1e-12 * (X - 0.5) ** 2.0, Y * (X - 0.5)
        ),
    },
    (F, "others are not excluded"): {
        "a choice between bounds in place of one at a bound": lambda: single(
            X, entry([0.5], [(0.4, 0.6)], 0.1, [[1.0]])
        ),
        "a singular matrix": lambda: pair(
            *COORDINATION, entry([0.5] * 2, [(0.0, 1.0)] * 2, 0.1, [[1.0, 1.0], [1.0, 1.0]])
        ),
        "a matrix of zeros": lambda: pair(
            *COORDINATION, entry([0.5] * 2, [(0.0, 1.0)] * 2, 0.1, [[0.0, 0.0], [0.0, 0.0]])
        ),
        "a matrix scaled to underflow": lambda: single(
            -((X - 0.5) ** 2.0), entry([0.7], [(0.6, 0.8)], 0.05, [[-5e-324]])
        ),
        "a matrix of the other sign": lambda: single(
            -((X - 0.5) ** 2.0), entry([0.5], [(0.4, 0.6)], 0.05, [[0.5]])
        ),
    },
    (F, "it is not known to be within its radius"): {
        "a matrix scaled to overflow": lambda: single(
            -((X - 0.5) ** 2.0), entry([0.7], [(0.6, 0.8)], 0.05, [[-1.7e308]])
        ),
        "a point elsewhere": lambda: changed(peak(), "equilibria", 0, "point", to=texts([0.5 + 2e-9])),
        "a point elsewhere with an exact radius": lambda: changed(
            peak(), "equilibria", 0, "radius", to=texts([0.0])
        ),
        "a box without width": lambda: single(-((X - 0.5) ** 2.0), entry([0.4], [(0.4, 0.4)], 0.0, [[-0.5]])),
        "one equilibrium as two that touch": lambda: single(
            -((X - 0.5) ** 2.0), *(entry([x], [(0.4, 0.6)], 0.05, [[-0.5]]) for x in (0.45, 0.55))
        ),
        "three partners beyond their fold": lambda: partners(0.2, 0.3, 0.3, 0.7, boxes=[["around", 0]]),
    },
    (F, "is not in"): {
        "a point outside of its box": lambda: changed(peak(), "equilibria", 0, "point", to=texts([0.7]))
    },
    (F, "or that not in the space"): lambda: single(
        -((X - 1.5) ** 2.0), entry([1.5], [(1.4, 1.6)], 0.1, [[-0.5]])
    ),
    (F, "its peak is not around it"): {
        "a peak out of the space": lambda: single(
            -((X - 0.5) ** 2.0), entry([0.5], [(0.4, 0.6)], 0.01, [[-0.5]], [(0.0, 1.1)])
        ),
        "a peak beside the point": lambda: single(
            TWO_PEAKS, entry([0.22], [(0.15, 0.3)], 0.01, [[-0.1]], [(0.5, 1.0)])
        ),
        "a peak of too few choices": lambda: pair(
            *COORDINATION, entry([0.5] * 2, [(0.4, 0.6)] * 2, 0.1, [[1 / 6, 1 / 3], [1 / 3, 1 / 6]], [UNIT])
        ),
    },
    (F, "equilibrium 2 may be one of those before it"): lambda: changed(
        peak(), "equilibria", to=peak()["equilibria"] * 2
    ),
    (F, "are not finite in box"): {
        "a logarithm of negative numbers": lambda: single(
            UNDEFINED, entry([0.0], [(0.0, 0.0)], peak=[UNIT]), boxes=[FALLS, ["around", 0]]
        ),
        "zero times infinity": lambda: pair(X * of("log", Y), -Y, corner(0.0, 0.0)),
        "an infinite payoff": lambda: pair(
            -X * of("log", Y),
            -Y,
            corner(1.0, 0.0, UNIT, (0.0, 0.5)),
            space=(UNIT, (0.0, 0.5)),
            boxes=[RISES, ["sign", [[1, -1]]], ["around", 0]],
        ),
    },
    (F, "others are not excluded in box [0, 0.5] x [0, 0.5]"): {
        "one of a segment of equilibria": lambda: nobody(*(X * Y - one**2.0 / 2.0 for one in (X, Y))),
        "one of two equilibria in its box": lambda: nobody(
            *(one * 3.0 * other**2.0 - one**2.0 / 2.0 for one, other in ((X, Y), (Y, X)))
        ),
    },
    (F, "others are not excluded in box [0, 1] x [0, 1]"): lambda: (
        nobody(room=1.0, boxes=[["around", 0]]) | {"equilibria": nobody(room=1.0)["equilibria"][:1]}
    ),
    (F, "others are not excluded in box [0, 0.5]"): lambda: single(
        X**2.0 - 0.1 * X, entry([0.0], [(0.0, 0.5)], 0.0, peak=[(0.0, 0.04)])
    ),
    (F, "not covered: box [1, 1]"): lambda: single(X, boxes=[RISES]),
    (F, "not covered: box [1, 1] x [1, 1]"): lambda: pair(
        X, Y, boxes=[["sign", [[0, 1], [1, 1]]], ["sign", [[1, 1]]]]
    ),
    (F, "is at a bound to which a choice is pushed"): lambda: pair(
        X, Y, boxes=[["sign", [[0, 1], [1, 1]]], ["sign", [[0, 1]]], ["sign", [[0, 1]]]]
    ),
    (F, "is not where equilibrium 1 is the only one"): {
        "a corner as a part of the box around the middle": lambda: pair(
            *COORDINATION,
            entry([0.5] * 2, [UNIT] * 2, 1e-9, [[1 / 6, 1 / 3], [1 / 3, 1 / 6]]),
            boxes=[["around", 0]],
        ),
        "the box around another equilibrium": lambda: peak() | {"boxes": [["around", 0]]},
    },
    (F, "not covered: a cut at 1 is outside"): lambda: single(X, boxes=[cut(0, 1.0), RISES, RISES]),
    (F, "player 1 has no certain gain"): lambda: single(
        -((X - 0.5) ** 2.0), boxes=[["better", 0, texts([0.5])]]
    ),
    (F, "is no strategy of player 1"): lambda: single(X, boxes=[["better", 0, texts([2.0])]]),
    (F, "others may be near one of its equilibria"): lambda: single(
        -of("max", X - 0.5, 0.5 - X),
        kink(0.5, 0.1),
        boxes=[cut(0, 0.4), RISES, cut(0, 0.6), ["around", 0], FALLS],
    ),
    (F, "the sign of derivatives [] is not known"): lambda: totals(X, Y, boxes=[["sign", []]]),
    (F, "not covered: box [0, 1] x [0.5, 0.6]"): lambda: changed(
        parameter("a"), "parts", to=[["cut", 1, (0.5).hex()], parameter("a")["parts"][0]]
    ),
    (F, "no range of parameters is decided"): lambda: changed(parameter("a"), "parts", to=[["undecided"]]),
    (F, "action 1 of player 0 is not strictly dominated by 0"): {
        "a dominated action that is weakly so": lambda: finite(
            "extreme_equilibria", *WEAK, dominated=[[0, 1, 0], [1, 1, 0]], equilibria=[BOTH]
        ),
        "actions that dominate each other": lambda: finite(
            "extreme_equilibria", *DILEMMA, dominated=[[0, 0, 1], [0, 1, 0]], equilibria=[]
        ),
    },
    (F, "action 0 of player 0 is not strictly dominated by 0"): lambda: finite(
        "extreme_equilibria", *DILEMMA, dominated=[[0, 0, 0]], equilibria=[]
    ),
    (F, "gains"): {
        "an equilibrium of pennies that is pure": lambda: finite(
            "extreme_equilibria", *PENNIES, dominated=[], equilibria=[BOTH]
        )
    },
    (F, "an equilibrium is not in the list"): lambda: finite(
        "extreme_equilibria", *PENNIES, dominated=[], equilibria=[]
    ),
    (F, "is not an extreme one"): lambda: finite(
        "extreme_equilibria", *WEAK, dominated=[], equilibria=[[["1/2", "1/2"], ["1", "0"]]]
    ),
    (F, "the game lacks"): {
        "a joint action that there is not": lambda: finite(
            "pure_equilibria", *DILEMMA, equilibria=[[1, 1], [1, 2]]
        )
    },
    (F, "player 1 gains 2 by action 1"): lambda: finite(
        "pure_equilibria", *DILEMMA, equilibria=[[0, 0], [1, 1]]
    ),
    (F, "is proved to be at least 0.0, not 1.0"): lambda: welfare(bound=["1", "1"]),
    (F, "is proved to be at most 0.0, not -1.0"): lambda: welfare(bound=["-1", "-1"]),
    (F, "do not sum to 1"): {"chances of more than 1": lambda: welfare(distribution=["1/2"] * 4)},
    (F, "the value for player 0 is proved to be at least -1.0, not 0.0"): lambda: penny_tree(
        strategies=[[["1", "0"]], [["1/2", "1/2"]]]
    ),
    (F, "a discount factor is not from 0 to below 1"): lambda: play(discount=["1", "1/2"]),
    (F, "the gain of player 0 is proved to be at most"): lambda: play(
        sessions=session(policies=[[0] * 4] * 2, own=[["6"] * 4] * 2, best=[["6"] * 4] * 2)
    ),
}
FALSE = {
    name: (status, words, made)
    for (status, words), makers in REFUSED.items()
    for name, made in (makers if isinstance(makers, dict) else {words: makers}).items()
}


def said_of(content: Document | bytes, folder: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the status of the checker and its line on a file."""
    file = folder / "proof.json"
    file.write_bytes(content if isinstance(content, bytes) else packed(content))
    status = main([str(file)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    return status, lines[0].removeprefix(f"{file}: ")


@pytest.mark.parametrize("name", TRUE)
def test_true_statements_are_verified(name: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    status, line = said_of(TRUE[name](), tmp_path, capsys)
    assert (status, line[:10]) == (0, "verified: "), line


@pytest.mark.parametrize("name", FALSE)
def test_a_false_statement_is_refused(name: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    expected, words, made = FALSE[name]
    status, line = said_of(made(), tmp_path, capsys)
    assert (status, line.partition(":")[0]) == (expected, {D: "damaged", F: "not verified"}[expected]), line
    assert words in line


def test_shares_times_their_rest_are_between_bounds() -> None:
    """Both factors are rounded, so that the product of their bounds is none of its own."""
    for a, b in np.random.default_rng(0).uniform(0.1, 10, (1000, 2)).tolist():
        part, rest = graph.share((a, a), (b, b)), graph.share((b, b), (a, a))
        low, high = map(Fraction, graph.spread(part, rest))
        exact = Fraction(a) * Fraction(b) / (Fraction(a) + Fraction(b)) ** 2
        assert low <= exact <= high
        assert high - low < Fraction(1, 10**15)
    for s, rest in ((0.1, 0.2), (0.4, 0.6), (0.6, 0.6), (0.7, 0.9)):  # and wide ones, around 1/2 or not
        low, high = graph.spread((s, rest), (1 - rest - 0.05, 1 - s + 0.05))
        values = [one * (1 - one) for one in np.linspace(s, rest, 11)]
        assert low <= min(values)
        assert max(values) <= high


def test_bounds_that_are_printed_are_no_narrower_than_those_proved(tmp_path: Any, capsys: Any) -> None:
    document = finite("value", [[0]])
    del document["actions"], document["payoffs"]
    document |= {
        "sets": [[], []],
        "strategies": [[], []],
        "leaves": [[-1, -1, "2/3"]],
        "bound": ["1/7", "2/3"],
    }
    status, line = said_of(document, tmp_path, capsys)
    low, high = line.partition(" is from ")[2].partition(";")[0].split(" to ")
    assert status == 0
    assert Fraction(float(low)) <= Fraction(1, 7)
    assert Fraction(float(high)) >= Fraction(2, 3)


def test_the_digest_is_that_of_the_game() -> None:
    true, weaker = peak(), peak()
    del weaker["boxes"]
    assert digest(true) == digest(weaker)
    others = [
        changed(peak(), "payoffs", "nodes", 1, to=["c", (0.25).hex()]),
        changed(peak(), "space", "high", to=texts([2.0])),
        peak() | {"coordinates": "fractions"},
        play(),
        play(discount=["1/2", "1/3"]),
        penny_tree(),
        penny_tree(leaves=[]),
    ]
    assert len({digest(one) for one in (true, *others)}) == 1 + len(others)


def doubled(count: int) -> Document:
    """Return a file with a share whose operands are sums of ``count`` doublings of a choice."""
    document = single(X, kink(0.0, 1.0), constant_sum=True)
    nodes: list[list[Any]] = [["x", 0]]
    nodes += [["add", k, k] for k in range(count)]
    nodes += [["share", count, 0], ["share", 0, count]]
    return document | {"payoffs": {"nodes": nodes, "results": [count + 1, count + 2]}}


def test_doubled_sums_are_counted_along_the_graph() -> None:
    """Each addition once, however many paths lead to it."""
    sums = graph.Graph()
    place = start = sums.add(0)
    for _ in range(45):
        place = sums.add("add", place, place)
    assert sums.terms(place) == {start: 2**45}
    assert sums.constant((sums.add("share", place, start), sums.add("share", start, place)))
    assert not sums.constant((sums.add("share", place, start), sums.add("share", start, start)))


BOMBS: dict[str, Callable[[], Document]] = {  # harmless ones: each needs more steps than it has bytes
    "doublings": lambda: doubled(45),
    "derivatives": lambda: bomb(60, 8),
    "joint actions": lambda: finite("pure_equilibria", *[[[0]] * 200] * 2, equilibria=[]),
    "players of one action": lambda: (
        finite("pure_equilibria", [[1]] * 2)
        | {"actions": [1] * 300, "payoffs": [["1"]] * 300, "equilibria": [[0] * 300]}
    ),
    "denominators": lambda: penny_tree(
        sets=[[[k - 1, 1] for k in range(80)], [[-1, 1]]],
        strategies=[[["1"]] * 80, [["1"]]],
        leaves=[[k, 0, f"1/{10**30 + k}"] for k in range(80)],
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_one_limit_of_steps_holds_for_everything(name: str, tmp_path: Any) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(packed(BOMBS[name]()))
    steps = file.stat().st_size
    with pytest.raises(Damaged, match=rf"more than {steps} steps are needed \(see --large\)"):
        check(str(file), steps=steps)


def test_true_files_need_few_steps(tmp_path: Any) -> None:
    file = tmp_path / "proof.json"
    for made in TRUE.values():
        file.write_bytes(packed(made()))
        check(str(file), steps=2**20)


def test_lines_of_policies_name_them_and_states(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Of tit for tat on its path nothing is said of other states, and another policy has another digest."""
    status, line = said_of(play(), tmp_path, capsys)
    named = re.search(r"; policy ([0-9a-f]{16}), from 1 of 4 states; game", line)
    assert status == 0
    assert named
    expected = json.dumps([[[1] * 4] * 2], separators=(",", ":"))
    assert named[1] == sha256(expected.encode()).hexdigest()[:16]
    _, line = said_of(play(sessions=session(states=[0, 1, 2, 3])), tmp_path, capsys)
    assert f"; policy {named[1]}, from all 4 states; game" in line
    _, line = said_of(play(sessions=session(states=[3, 3]) + session(states=[0, 1])), tmp_path, capsys)
    assert "; 2 sessions' policies " in line
    assert ", from 1 to 2 of 4 states; game" in line
