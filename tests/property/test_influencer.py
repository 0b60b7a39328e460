"""Properties of every influencer game: conservation and derivatives."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rivalry as rv

pytestmark = pytest.mark.slow

PLAYERS, POINTS = 3, 12  # one shape, so that everything is compiled once
POSITION = st.floats(0.0, 1.0)
FEW = settings(max_examples=25, deadline=None)


Case = tuple[dict[str, Any], list[float]]


@st.composite
def games(draw: Any) -> Case:
    """Draw the options of a game with unequal players, budgets and outside rows, and a profile."""
    numbers = st.floats(0.05, 1.0)
    options = {
        "reach": draw(st.lists(numbers, min_size=PLAYERS, max_size=PLAYERS)),
        "budgets": draw(st.lists(numbers, min_size=PLAYERS, max_size=PLAYERS)),
        "resource_points": {"kind": "linspace", "start": 0.01, "stop": 0.99, "num": POINTS},
        "resource": draw(st.lists(st.floats(0.0, 10.0), min_size=POINTS, max_size=POINTS).filter(any)),
        "third_party": draw(st.lists(st.floats(0.0, 2.0), min_size=POINTS, max_size=POINTS)),
        "abstention": draw(st.floats(0.0, 30.0)),
    }
    return options, draw(st.lists(POSITION, min_size=PLAYERS, max_size=PLAYERS))


def built(case: Case) -> tuple[Any, Any]:
    options, x = case
    game = rv.games.influencer(**options)
    return game, game.space.check(x)


@eqx.filter_jit
def everything(game: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    return game.all_payoffs(x), game.shares(x), rv.oracles.gradients(game, x), rv.oracles.jacobian(game, x)


@FEW
@given(games())
def test_payoffs_sum_to_the_total_resource(case: Case) -> None:
    game, x = built(case)
    payoffs, shares, _, _ = everything(game, x)
    total = float(game.weights.sum())
    assert abs(float(payoffs.sum()) - total) <= 1e-12 * total
    assert np.all(np.asarray(shares) >= 0)
    assert np.all(np.asarray(payoffs) <= total * (1 + 1e-12))


@FEW
@given(games())
def test_derivatives_agree_with_finite_differences(case: Case) -> None:
    game, x = built(case)
    _, _, gradients, jacobian = everything(game, x)
    h = 1e-5
    scale = float(game.weights.sum())
    for j in range(PLAYERS):
        step = jnp.zeros_like(x).at[j, 0].set(h)
        up, down = everything(game, x + step), everything(game, x - step)
        slope = (up[0][j] - down[0][j]) / (2 * h)
        assert abs(float(slope - gradients[j, 0])) <= 2e-4 * scale
        column = (up[2] - down[2])[:, 0] / (2 * h)
        assert np.all(np.abs(np.asarray(column - jacobian[:, j])) <= 0.02 * scale)
