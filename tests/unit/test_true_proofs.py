"""Complete lists are written and verified: equilibria at zero, at corners, near folds, in other units."""

import numpy as np
import pytest

import rivalry as rv
from tests.proof_documents import packed

pytest.importorskip("flint")

from rivalry_check import grammar
from rivalry_check.__main__ import proved

pytestmark = pytest.mark.slow


def said_of(payoffs: list[str], low: float, high: float) -> str:
    """Return what the checker says of the list of all equilibria."""
    found = rv.all_equilibria(rv.games.continuous(payoffs=payoffs, low=low, high=high))
    assert found.complete
    return str(proved(grammar.load(packed(found.proof.document()))))


def squares(scale: float, unit: float) -> list[str]:
    """Return payoffs whose best responses are squares: equilibria at 0 and 1, in units of choices."""
    x, y = (f"(x{k}/{unit!r})" for k in (1, 2))
    return [f"-{scale!r}*({a} - {b}^2)^2" for a, b in ((x, y), (y, x))]


def fold(away: float) -> list[str]:
    """Return payoffs of two partners; two roots of x = a + x^2 merge where ``away`` is zero."""
    return [f"x{k}*({0.25 - away!r} + x{3 - k}^2) - x{k}^2/2" for k in (1, 2)]


@pytest.mark.parametrize(
    ("payoffs", "low", "high", "count"),
    [
        (squares(1.0, 1.0), -0.3, 1.5, 3),  # and the corner at 1.5
        pytest.param(squares(1e-9, 1.0), -0.3, 1.5, 3, marks=pytest.mark.slow),
        pytest.param(squares(1e9, 1.0), -0.3, 1.5, 3, marks=pytest.mark.slow),
        pytest.param(squares(1.0, 1e-6), -0.3e-6, 1.5e-6, 3, marks=pytest.mark.slow),
        pytest.param(squares(1e9, 1e6), -0.3e6, 1.5e6, 3, marks=pytest.mark.slow),
        pytest.param(fold(1e-4), 0.0, 1.0, 3, marks=pytest.mark.slow),
        pytest.param(fold(1e-6), 0.0, 1.0, 3, marks=pytest.mark.slow),
    ],
    ids=["zero", "tiny payoffs", "huge payoffs", "tiny choices", "huge choices", "near a fold", "nearer"],
)
def test_lists_are_verified(payoffs: list[str], low: float, high: float, count: int) -> None:
    assert said_of(payoffs, low, high).startswith(f"{count} equilibria, complete")


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(30))
def test_lists_of_random_games_are_verified(seed: int) -> None:
    sampler = np.random.default_rng(seed)
    zero = seed % 2 == 0  # then both choose 0 in some equilibrium, inside of the space
    rows = [[float(c) for c in sampler.normal(size=3) * [0.0 if zero else 0.5, 1.5, 1.5]] for _ in range(2)]
    scale, unit = (float(10.0**one) for one in (sampler.choice([-9, 0, 9]), sampler.choice([-6, 0, 6])))
    x, y = (f"(x{k}/{unit!r})" for k in (1, 2))
    payoffs = [
        f"-{scale!r}*({a} - ({c[0]!r} + ({c[1]!r})*{b} + ({c[2]!r})*{b}^2))^2"
        for c, a, b in zip(rows, (x, y), (y, x), strict=True)
    ]
    low, high = (-unit, 1.3 * unit) if zero else (0.0, unit)
    assert ", complete (" in said_of(payoffs, low, high)
