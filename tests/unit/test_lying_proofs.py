"""A duel of the checker and a liar: random games whose answers are known, and files that claim too much.

The liar knows the checker. It tries every reason on every box, and cuts the boxes in which none is accepted.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.proof_documents import (
    Document,
    Formula,
    X,
    Y,
    entry,
    formula,
    kink,
    of,
    packed,
    payoffs_at,
    smooth,
)

pytest.importorskip("flint")

from rivalry_check import Damaged, Refuted, grammar
from rivalry_check import smooth as kernel
from rivalry_check.__main__ import proved

pytestmark = pytest.mark.slow

BOXES = 120  # of a list of the liar
MARGIN = 1e-6  # by which a claim is false


def verified(document: Document) -> str:
    """Return what the checker verifies; empty if nothing."""
    try:
        return str(proved(grammar.load(packed(document))))
    except (Refuted, Damaged):
        return ""


def polynomial(coefficients: Any, x: Formula) -> Formula:
    total = formula(float(coefficients[0]))
    for one in coefficients[1:]:
        total = total * x + float(one)
    return total


def lying_boxes(document: Document, sampler: np.random.Generator) -> list[Any]:
    """Return boxes with the reasons that the checker accepts, as far as there are any."""
    game, entries = kernel.Game(document), list[Any]()
    points = [game.equilibrium("", one, []) for one in document["equilibria"]]
    waiting = [list(game.space)]
    while waiting:
        box = waiting.pop()
        middle = [low / 2 + high / 2 for low, high in box]
        reasons: list[Any] = [["around", j] for j in range(len(points))]
        reasons += [["sign", [[k, sign]]] for k in game.choices for sign in (1, -1)]
        for p, own in game.choices_of.items():
            tried = [np.full(41, m) for m in middle]
            for k in own:
                tried[k] = sampler.uniform(*game.space[k], 41)
            best = int(np.argmax(payoffs_at(document, tried)[p]))
            reasons.append(["better", p, [float(tried[k][best]).hex() for k in own]])
        reasons += [["sign", [[k, float(w).hex()] for k, w in enumerate(sampler.normal(size=len(box)))]]]
        for why in reasons:
            try:
                rest = game.remains(box, why)
                game.exclude(box, why, points)
            except Refuted:
                continue
            entries.append(why)
            waiting += rest
            break
        else:
            k = int(np.argmax([high - low for low, high in box]))
            if len(entries) > BOXES or not box[k][0] < middle[k] < box[k][1]:
                entries.append(reasons[0])
                continue
            entries.append(["cut", k, middle[k].hex()])
            waiting += kernel.halves(box, k, middle[k])[::-1]
    return entries


def responses(sampler: np.random.Generator) -> tuple[list[Any], tuple[float, float], list[np.ndarray]]:
    """Return two polynomials, a range, and profiles, each near an equilibrium of the responses cut to it."""
    zero = sampler.random() < 0.3
    rows = [sampler.normal(size=4) * [2.0, 1.0, 1.5, 0.0 if zero else 0.5] for _ in range(2)]
    low, high = (-1.0, 1.0 + sampler.random()) if zero else (0.0, 1.0)
    grid = np.linspace(low, high, 20_001)

    def rest(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = np.clip(np.polyval(rows[1], x), low, high)
        return np.clip(np.polyval(rows[0], y), low, high) - x, y

    gap, other = rest(grid)
    found = [np.array([grid[k], other[k]]) for k in (0, -1) if gap[k] == 0]
    for k in np.flatnonzero(gap[:-1] * gap[1:] < 0):
        a, b = grid[k], grid[k + 1]
        for _ in range(60):
            a, b = (a, a / 2 + b / 2) if rest(a / 2 + b / 2)[0] * gap[k] <= 0 else (a / 2 + b / 2, b)
        found.append(np.array([a, rest(np.array(a))[1]]))
    return rows, (low, high), found


def game_of_responses(rows: list[Any], space: tuple[float, float], scale: float = 1.0) -> Document:
    payoffs = [
        -(((x - polynomial(row, y)) ** 2.0) * scale) for row, x, y in zip(rows, (X, Y), (Y, X), strict=True)
    ]
    return smooth(payoffs, [space] * 2)


def true_entry(
    document: Document, rows: list[Any], space: tuple[float, float], x: np.ndarray
) -> Document | None:
    """Return an entry of an equilibrium that the checker accepts."""
    at_bound = [bool(min(one - space[0], space[1] - one) < 1e-9) for one in x]
    slopes = [np.polyval(np.polyder(row), x[1 - k]) for k, row in enumerate(rows)]
    jacobian = np.array([[-2.0, 2 * slopes[0]], [2 * slopes[1], -2.0]])
    free = [k for k in range(2) if not at_bound[k]]
    if abs(np.linalg.det(jacobian[np.ix_(free, free)])) < 1e-3:
        return None
    matrix = np.linalg.inv(jacobian[np.ix_(free, free)])
    point = [
        float(np.clip(one, *space)) if k in free else min(space, key=lambda end: abs(end - x[k]))
        for k, one in enumerate(x)
    ]
    for size in (0.1, 0.02, 1e-3, 1e-5):
        box = [
            (max(one - size, space[0]), min(one + size, space[1])) if k in free else (one, one)
            for k, one in enumerate(point)
        ]
        one = entry(point, box, min(size / 2, 1e-6), matrix, [space] * 2)
        if verified(document | {"equilibria": [one]}):
            return one
    return None


def one_fewer(sampler: np.random.Generator) -> Document | None:
    """Return a list that says it is complete, without one of the equilibria."""
    rows, space, found = responses(sampler)
    document = game_of_responses(rows, space)
    entries = [true_entry(document, rows, space, x) for x in found]
    if not entries or any(one is None for one in entries):
        return None
    del entries[sampler.integers(len(entries))]
    document["equilibria"] = entries
    return document | {"boxes": lying_boxes(document, sampler)}


def small_radius(sampler: np.random.Generator) -> Document | None:
    """Return an equilibrium that is beside its point by more than the radius."""
    rows, space, found = responses(sampler)
    document = game_of_responses(rows, space)
    entries = [true_entry(document, rows, space, x) for x in found]
    inside = [
        one
        for one in entries
        if one and any(low != high for low, high in zip(one["low"], one["high"], strict=True))
    ]
    if not inside:
        return None
    (one,) = sampler.choice(np.array(inside, dtype=object), 1)
    away = 10.0 ** sampler.uniform(-12, -4)
    k = next(k for k in range(2) if one["low"][k] != one["high"][k])
    one["point"][k] = (float.fromhex(one["point"][k]) + away * sampler.choice([-1, 1])).hex()
    # the point was found to some 1e-15
    one["radius"] = [
        (0.9 * away).hex() if low != high else (0.0).hex()
        for low, high in zip(one["low"], one["high"], strict=True)
    ]
    return document | {"equilibria": [one]}


def lower_peak(sampler: np.random.Generator) -> Document | None:
    """Return a strategy that some other strategy beats, as an equilibrium."""
    coefficients = sampler.normal(size=6) * [4.0, 4.0, 4.0, 2.0, 1.0, 0.0]
    grid = np.linspace(0, 1, 4001)
    values = np.polyval(coefficients, grid)
    peaks = [k for k in range(4001) if values[k] >= max(values[max(k - 1, 0)], values[min(k + 1, 4000)])]
    lower = [k for k in peaks if values[k] < values.max() - MARGIN]
    if not lower:
        return None
    k = int(sampler.choice(lower))
    x = float(grid[k])
    document = smooth([polynomial(coefficients, X)], [(0.0, 1.0)])
    bend = np.polyval(np.polyder(coefficients, 2), x)
    first = np.polyder(coefficients)
    for _ in range(20):
        if 0 < x < 1:
            x = float(
                np.clip(
                    x - np.polyval(first, x) / np.polyval(np.polyder(first), x),
                    grid[max(k - 1, 0)],
                    grid[min(k + 1, 4000)],
                )
            )
    size = 10.0 ** sampler.uniform(-6, -2)
    box = [(max(x - size, 0.0), min(x + size, 1.0))] if 0 < x < 1 else [(x, x)]
    matrix = [[1 / bend]] if 0 < x < 1 else []
    peak = [[(max(x - w, 0.0), min(x + w, 1.0)) for w in (size, 0.2, 1.0)][sampler.integers(3)]]
    document["equilibria"] = [entry([x], box, size / 2, matrix, peak)]
    return document


def saddle(sampler: np.random.Generator) -> Document | None:
    """Return a point without slope in which a player's payoff is convex in one of two choices, or jointly."""
    a, c = -sampler.uniform(0.1, 2, 2)
    b = 2 * np.sqrt(a * c) * sampler.uniform(1.01, 3) * sampler.choice([-1, 1])
    if sampler.random() < 0.5:
        a, b = -a, b / 10
    at = sampler.uniform(-0.5, 0.5, 2).tolist()
    x, y = X - at[0], Y - at[1]
    payoff = x * x * float(a) + x * y * float(b) + y * y * float(c)
    matrix = np.linalg.inv([[2 * a, b], [b, 2 * c]])
    size = 10.0 ** sampler.uniform(-6, -1)
    box = [(one - size, one + size) for one in at]
    return smooth([payoff], [(-1.0, 1.0)] * 2, equilibria=[entry(at, box, size / 2, matrix)])


def lower_kink(sampler: np.random.Generator) -> Document | None:
    """Return the lower one of two kinks as the place of the largest payoff."""
    p, q = np.sort(sampler.uniform(0.05, 0.95, 2)).tolist()
    steep, extra = sampler.uniform(0.5, 5, 2).tolist()
    height = float(10.0 ** sampler.uniform(-5, -1))
    if q - p < 0.05:
        return None
    first, second = (-(of("max", X - one, one - X) * steep) for one in (p, q))
    document = smooth([of("max", first, second * extra + height)], [(0.0, 1.0)])
    return document | {"equilibria": [kink(p, min(float(10.0 ** sampler.uniform(-9, -2)), (q - p) / 3))]}


def no_equilibrium(sampler: np.random.Generator) -> Document | None:
    """Return an empty list that says it is complete, of games with an equilibrium."""
    rows, space, found = responses(sampler)
    document = game_of_responses(rows, space, float(10.0 ** sampler.uniform(-9, 9)))
    return document | {"boxes": lying_boxes(document, sampler)} if found else None


LIES: tuple[Callable[[np.random.Generator], Document | None], ...] = (
    one_fewer,
    small_radius,
    lower_peak,
    saddle,
    lower_kink,
    no_equilibrium,
)


def lies(first: int, count: int) -> Iterator[tuple[str, Document]]:
    """Yield false documents, in turn of all kinds."""
    for number in range(first, first + count):
        made, draw = LIES[number % len(LIES)], 0
        document = None
        while document is None:  # some games have no such lie
            document = made(np.random.default_rng([number, draw]))
            draw += 1
        yield f"{made.__name__}, number {number}", document


def believed(first: int, count: int) -> list[str]:
    """Return the lies that the checker verifies, with its words."""
    said = ((name, verified(document)) for name, document in lies(first, count))
    return [f"{name}: {words}" for name, words in said if words]


@pytest.fixture(autouse=True)
def _few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "PARTS", 30)  # the liar cuts boxes itself


def test_the_liar_proves_lists_that_are_complete() -> None:
    proved_lists = 0
    for seed in range(12):
        sampler = np.random.default_rng(seed)
        rows, space, found = responses(sampler)
        document = game_of_responses(rows, space)
        entries = [true_entry(document, rows, space, x) for x in found]
        if entries and None not in entries:
            document["equilibria"] = entries
            said = verified(document | {"boxes": lying_boxes(document, sampler)})
            assert f"{len(found)} equilibri" in said or not said
            proved_lists += bool(said)
    assert proved_lists >= 6


MANY = [pytest.param(6 * part, 6 * 18, marks=pytest.mark.nightly) for part in range(5, 167, 18)]


@pytest.mark.parametrize(("first", "count"), [*((6 * part, 6) for part in range(5)), *MANY])
def test_no_lie_is_verified(first: int, count: int) -> None:
    assert believed(first, count) == []
