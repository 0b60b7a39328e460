"""The dynamic duopoly with adjustment costs: the whole answer, beside QuantEcon for strategies alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods.dynamic_games.linear_quadratic import LinearQuadratic
from tests.unit.test_linear_quadratic import Firms
from tests.unit.test_riccati import firms


@pytest.mark.parametrize("phi", [12.0, 120.0])
def test_lq_markov_perfect(race: Callable[..., Any], phi: float) -> None:
    """Strategies, exact values, the path and the certificate; the rival gives strategies. Aim: below 1 s."""
    qe = pytest.importorskip("quantecon")
    game = firms(phi=(phi, phi))
    root, none, cross = np.sqrt(0.96), np.zeros((1, 1)), np.zeros((3, 1))
    given = (root * game.A, *(root * game.B), *game.R, *game.Q, none, none, cross, cross, none, none)

    def ours() -> np.ndarray:
        return np.asarray(rv.solve(Firms(game), LinearQuadratic()).record["feedback"][1][:, 0])

    def theirs() -> np.ndarray:
        return np.concatenate(qe.nnash(*given, tol=1e-12)[:2])

    def same(one: np.ndarray, other: np.ndarray) -> None:
        np.testing.assert_allclose(one, other, rtol=1e-8)

    race(ours, theirs, rival="QuantEcon", same=same)
