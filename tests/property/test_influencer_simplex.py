"""Properties of every influencer game on a simplex: conservation, and kernels of degree 0."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rivalry as rv

pytestmark = pytest.mark.slow

PLAYERS, POINTS, CORNERS = 3, 7, 3  # one shape, so that everything is compiled once
FEW = settings(max_examples=25, deadline=None)
AMOUNT = st.floats(0.05, 3.0)

Case = tuple[dict[str, Any], np.ndarray]


def shares(rows: int) -> st.SearchStrategy[np.ndarray]:
    """Draw points in the interior of the simplex."""
    amounts = st.lists(AMOUNT, min_size=rows * CORNERS, max_size=rows * CORNERS)
    tables = amounts.map(lambda flat: np.reshape(flat, (rows, CORNERS)))
    return tables.map(lambda table: table / table.sum(axis=1, keepdims=True))


def amounts(count: int) -> st.SearchStrategy[list[float]]:
    return st.lists(AMOUNT, min_size=count, max_size=count)


@st.composite
def games(draw: Any) -> Case:
    """Draw the options of a Dirichlet game with unequal players, budgets and outside rows, and a profile."""
    options = {
        "space": "simplex",
        "kernel": "dirichlet",
        "alpha": draw(amounts(PLAYERS)),
        "budgets": draw(amounts(PLAYERS)),
        "resource_points": draw(shares(POINTS)),
        "resource": draw(amounts(POINTS)),
        "third_party": draw(amounts(POINTS)),
        "abstention": draw(AMOUNT),
    }
    return options, draw(shares(PLAYERS))


@eqx.filter_jit
def everything(game: Any, x: Any) -> tuple[Any, Any, Any]:
    return game.all_payoffs(x), rv.oracles.gradients(game, x), rv.oracles.jacobian(game, x)


def found(options: dict[str, Any], x: np.ndarray) -> tuple[np.ndarray, ...]:
    game = rv.games.influencer(**options)
    return tuple(np.asarray(part) for part in everything(game, game.space.check(x)))


@FEW
@given(games())
def test_payoffs_sum_to_the_total_resource(case: Case) -> None:
    payoffs, _, _ = found(*case)
    total = sum(case[0]["resource"])
    assert abs(payoffs.sum() - total) <= 1e-12 * total
    assert np.all(payoffs >= 0)


@FEW
@given(games(), st.floats(0.1, 10.0))
def test_kernel_gradients_are_orthogonal_to_the_position(case: Case, factor: float) -> None:
    """Euler's identity: the density depends on ratios of coordinates only, so its degree is 0."""
    options, x = case
    game = rv.games.influencer(**options)
    slopes = np.asarray(game.kernel.gradients(jnp.asarray(x), game.points))
    along = np.einsum("ika,ia->ik", slopes, x)
    assert np.all(np.abs(along) <= 1e-10 * (1 + np.abs(slopes).max()))
    scaled = np.asarray(game.kernel.logs(jnp.asarray(factor * x), game.points))
    np.testing.assert_allclose(scaled, game.kernel.logs(jnp.asarray(x), game.points), rtol=1e-9, atol=1e-9)
