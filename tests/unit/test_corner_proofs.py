"""Proof files of lists with equilibria at bounds: nobody adopts, firms stay out, players are idle."""

import copy
import re
from itertools import product
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from tests.proof_documents import packed
from tests.unit.test_proof_mutations import edited, is_false

pytest.importorskip("flint")

from rivalry_check import Damaged, Refuted, grammar, smooth
from rivalry_check.__main__ import BROKEN, UNREAD, proved

GAMES: dict[str, tuple[list[str], list[list[float]]]] = {
    "a public good that is worth less to each than it costs": (
        [f"0.4 * (x1 + x2 + x3) - x{k}" for k in (1, 2, 3)],
        [[0.0, 0.0, 0.0]],
    ),
    "a technology that nobody or everybody adopts": (
        ["x1 * 1.5 * x2 - x1^2 / 2", "x2 * 1.5 * x1 - x2^2 / 2"],
        [[0.0, 0.0], [1.0, 1.0]],
    ),
    "adoption with a critical mass": (
        ["x1 * (x2 - 0.5)", "x2 * (x1 - 0.5)"],
        [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]],
    ),
    "effort that is worth nothing if others make none": (
        ["x1 * (1 - exp(-x2)) / 2 - x1^2 / 2", "x2 * (1 - exp(-x1)) / 2 - x2^2 / 2"],
        [[0.0, 0.0]],
    ),
    "a public good that needs a critical mass": (
        ["max(x1 + x2 - 0.5, 0) - 0.9 * x1^2", "max(x1 + x2 - 0.5, 0) - 0.9 * x2^2"],
        [[0.0, 0.0], [5 / 9, 5 / 9]],
    ),
    "entry by one or two of three firms": (
        ["x1 * (1 - 1.25 * x2 - x3 / 2)", "x2 * (1 - 1.25 * x1 - x3 / 2)", "x3 * (0.125 - x1 / 2 - x2 / 2)"],
        [[0.0, 1.0, 0.0], [0.8, 0.8, 0.0], [1.0, 0.0, 0.0]],
    ),
    "a contest with an idle player": (
        ["x1 / (x1 + x2 + 0.25) - x1", "x2 / (x1 + x2 + 0.25) / 4 - x2"],
        [[0.25, 0.0]],
    ),
    "a firm whose cost exceeds the price": (
        ["x1 * (1 - x1 - x2)", "x2 * (1 - x1 - x2) - 0.75 * x2"],
        [[0.5, 0.0]],
    ),
}


def verified(payoffs: list[str], points: list[list[float]]) -> dict[str, Any]:
    """Return the proof file of the complete list of a game, verified, with these equilibria."""
    written = rv.all_equilibria(rv.games.continuous(payoffs=payoffs)).proof.document()
    count = len(points)
    assert re.match(
        rf"{count} equilibri(um|a), complete \((\d+ boxes|constant sum)\): ", smooth.check(written)
    )
    placed = [[float.fromhex(x) for x in entry["point"]] for entry in written["equilibria"]]
    assert np.allclose(sorted(placed), sorted(points), rtol=0, atol=1e-9)
    return written


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
def test_a_list_with_corners_has_a_file_and_forged_ones_are_refused(name: str) -> None:
    payoffs, points = GAMES[name]
    written = verified(payoffs, points)
    for k, entry in enumerate(written["equilibria"]):
        fewer = copy.deepcopy(written)
        del fewer["equilibria"][k]
        assert is_refused(fewer), "a list without one of its equilibria"
        for axis, x in enumerate(map(float.fromhex, entry["point"])):
            moved = copy.deepcopy(written)
            moved["equilibria"][k]["point"][axis] = (x + 0.125 if x < 0.5 else x - 0.125).hex()
            assert is_refused(moved), "a point beside an equilibrium"
    sampler, wrong = np.random.default_rng(0), 0
    for _ in range(20):
        changed = edited(written, sampler)
        if is_refused(changed):
            wrong += 1
        elif "totals" not in changed:  # the grid knows payoffs of choices alone
            assert is_false(changed) == ""
    assert wrong > 0


def is_refused(document: dict[str, Any]) -> bool:
    try:
        proved(grammar.load(packed(document)))
    except (Damaged, Refuted, *UNREAD, *BROKEN):
        return True
    return False


def solutions(offsets: np.ndarray, effects: np.ndarray) -> list[list[float]]:
    """Return the equilibria of payoffs x_i (a_i + b_i . x) - x_i^2 / 2 on [0, 1], by patterns of bounds."""
    count, points = len(offsets), []
    for sides in product((-1, 0, 1), repeat=count):
        pattern = np.array(sides)
        x, free = np.where(pattern > 0, 1.0, 0.0), pattern == 0
        matrix = np.eye(count) - effects
        rest = (offsets + effects @ x)[free]
        x[free] = np.linalg.solve(matrix[np.ix_(free, free)], rest) if free.any() else rest
        slopes = offsets + effects @ x - x
        inside = np.all((x[free] > 0) & (x[free] < 1))
        # a tie at a bound is exact here, as offsets and effects are multiples of 1/8
        if inside and np.all(
            np.where(pattern < 0, slopes <= 0, True) & np.where(pattern > 0, slopes >= 0, True)
        ):
            points.append(x.tolist())
    return points


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 25))]
)
def test_random_games_with_corners_and_ties(seed: int) -> None:
    """Players with offsets of 0 choose 0 beside others at 0, where their derivatives are zero."""
    sampler = np.random.default_rng(seed)
    count = int(sampler.integers(2, 4))
    offsets = sampler.integers(-4, 5, count) / 8 * (sampler.random(count) < 0.5)
    effects = sampler.integers(-3, 4, (count, count)) / 8
    np.fill_diagonal(effects, 0.0)
    rows = [" + ".join(f"({effects[i, j]}) * x{j + 1}" for j in range(count)) for i in range(count)]
    payoffs = [f"x{i + 1} * (({offsets[i]}) + {rows[i]}) - x{i + 1}^2 / 2" for i in range(count)]
    points = solutions(offsets, effects)
    assert len(points) == 1  # rows of effects sum to less than 1
    verified(payoffs, points)
