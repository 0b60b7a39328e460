"""Random games whose ranges of choices are up to a million times the usual ones, beside brute force."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp

pytestmark = pytest.mark.slow


KINDS = ("quantity", "effort", "contest", "matching")


def _pay(kind: str, q: Any, t: Any, a: Any, b: Any, xp: Any) -> Any:
    if kind == "quantity":
        return q * (a - q - b * t)
    if kind == "effort":
        return a * xp.log(1 + q + b * t) - q**2
    if kind == "contest":
        return a * q / (0.1 + q + b * t) - q
    return -((q - a - b * t / 2) ** 2)


class Ranged(eqx.Module):
    """Two equal players on [0, ``high``] with payoffs of a kind."""

    kind: str = eqx.field(static=True)
    a: Any
    b: Any
    high: Any

    @property
    def space(self) -> Box:
        return Box(jnp.zeros((2, 1)), jnp.full((2, 1), self.high))

    def payoffs(self, x: Any) -> Any:
        return _pay(self.kind, x[:, 0], x[::-1, 0], self.a, self.b, jnp)


def _best(kind: str, t: float, a: float, b: float, widest: float) -> float:
    """The best response, by search on ever finer grids."""
    low, high = 0.0, widest
    for _ in range(40):
        grid = np.linspace(low, high, 33)
        place = int(np.argmax(_pay(kind, grid, t, a, b, np)))
        low, high = grid[max(place - 1, 0)], grid[min(place + 1, 32)]
    return (low + high) / 2


def _wrong_words(seed: int) -> list[str]:
    """The words of a random game that brute force refutes, and missing words of its equilibrium."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    a, b = rng.uniform(1.0, 3.0), rng.uniform(0.1, 0.9)
    usual = 2 * a + 1
    high = usual * 10 ** rng.uniform(0.0, 6.0)
    low, top = 0.0, usual  # of the symmetric equilibrium, where the best response crosses the choice
    for _ in range(60):
        middle = (low + top) / 2
        low, top = (middle, top) if _best(kind, middle, a, b, usual) > middle else (low, middle)
    game = Ranged(kind, jnp.asarray(a), jnp.asarray(b), jnp.asarray(high))
    wrong = []
    for share in (0.0, 0.03, 0.3):
        x = low * (1 + share * np.array([1.0, rng.uniform(-1.0, 1.0)]))
        claim = rv.certificate(game, x[:, None]).claim
        parts = []
        for own, other in (x, x[::-1]):
            best = _best(kind, other, a, b, usual)
            pays = [float(_pay(kind, np.array(q), other, a, b, np)) for q in (best, own, 0.0)]
            # by zero instead of the best choice a player loses all that it can win
            parts.append((pays[0] - pays[1]) / (pays[0] - pays[2]))
        text = f"{kind} on [0, {high:.3g}] at {x.tolist()}: {claim}, gains {parts} of what is at stake"
        if share == 0 and claim != "equilibrium":
            wrong.append(text)
        if max(parts) > 2e-6 and claim == "equilibrium":
            wrong.append(text)
        if max(parts) > 0.02 and claim == "approximate equilibrium":
            wrong.append(text)
        if max(parts) < 0.005 and claim == "not an equilibrium":
            wrong.append(text)
    return wrong


# so that the shares of a check take equally long
BLOCKS = [pytest.param(first, 122, marks=pytest.mark.nightly) for first in range(24, 1000, 122)]


@pytest.mark.parametrize(("first", "count"), [(0, 24), *BLOCKS])
def test_no_range_makes_a_wrong_word(first: int, count: int) -> None:
    wrong = [text for seed in range(first, first + count) for text in _wrong_words(seed)]
    assert not wrong, "\n".join([f"{len(wrong)} of {3 * count} words", *wrong[:20]])
