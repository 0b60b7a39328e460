"""Properties of every influencer game on finite grids: tables agree with the payoff function."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rivalry as rv
from rivalry.tables import equilibria, payoffs, regrets, tabulate
from tests.contests import every

pytestmark = pytest.mark.slow

PLAYERS, POINTS, PLACES = 3, 6, 4  # one shape, so that everything is compiled once
NUMBERS = st.floats(0.02, 1.0)
FEW = settings(max_examples=20, deadline=None)


@eqx.filter_jit
def by_payoffs(game: Any, x: Any) -> Any:
    return jax.vmap(game.payoffs)(x)


def agrees(game: Any, made: Any) -> None:
    """Compare the table, and sums computed without a table, with the game's payoffs at every joint action."""
    actions = np.array(every(made.tables.sizes))
    x = made.action_grid[np.arange(len(made.action_grid)), actions]
    expected = np.asarray(by_payoffs(game, jnp.asarray(x)))
    size = float(np.asarray(game.weights).sum())
    np.testing.assert_allclose(payoffs(made, actions), expected, rtol=1e-10, atol=1e-13 * size)
    with pytest.warns(UserWarning, match="summed"):
        summed = tabulate(game, PLACES, max_table_bytes=1)
    np.testing.assert_array_equal(payoffs(summed, actions), payoffs(made, actions))
    np.testing.assert_array_equal(equilibria(summed), equilibria(made))


def some(size: int) -> Any:
    return st.lists(NUMBERS, min_size=size, max_size=size)


@FEW
@given(some(PLAYERS), some(PLAYERS), some(POINTS), some(POINTS), st.floats(0.0, 30.0))
def test_on_an_interval(reach: Any, budgets: Any, resource: Any, third: Any, abstention: float) -> None:
    game = rv.games.influencer(
        reach=reach,
        budgets=budgets,
        resource_points={"kind": "linspace", "start": 0.0, "stop": 1.0, "num": POINTS},
        resource=resource,
        third_party=third,
        abstention=abstention,
    )
    agrees(game, tabulate(game, PLACES))


@FEW
@given(some(PLAYERS), some(9))
def test_on_a_box(reach: Any, resource: Any) -> None:
    game = rv.games.influencer(
        space="box", reach=reach, resource_points={"kind": "grid", "num": 3}, resource=resource
    )
    agrees(game, tabulate(game, PLACES))


@FEW
@given(some(POINTS), st.permutations(range(PLAYERS)))
def test_swapping_equal_players_swaps_payoffs(resource: Any, order: Any) -> None:
    game = rv.games.influencer(
        reach=[0.2] * PLAYERS,
        resource_points={"kind": "linspace", "start": 0.0, "stop": 1.0, "num": POINTS},
        resource=resource,
    )
    made = tabulate(game, PLACES)
    assert made.exchangeable.tolist() == [0] * PLAYERS
    actions = np.array(every(made.tables.sizes))
    np.testing.assert_allclose(payoffs(made, actions[:, order]), payoffs(made, actions)[:, order], rtol=1e-12)
    for actions in equilibria(made):
        assert regrets(made, actions).max() <= 1e-11 * sum(resource)
        assert np.all(np.diff(actions) >= 0)


def test_on_a_simplex_and_with_a_custom_kernel() -> None:
    game = rv.games.influencer(
        space="simplex", corners=3, kernel="dirichlet", alpha=[3.0, 5.0],
        resource_points=[[0.2, 0.3, 0.5], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1]], resource=[1.0, 2.0, 3.0],
    )  # fmt: skip
    agrees(game, tabulate(game, PLACES))
    own = rv.games.influencer(
        players=2, kernel="custom", influence="exp(-a*abs(b-x))", parameters={"a": [2, 9]}
    )
    agrees(own, tabulate(own, PLACES))


def test_with_a_chosen_reach() -> None:
    game = rv.games.influencer(
        players=2, choose_reach=[0.1, 0.5], normalised=True, reach_cost=3.0, resource="bimodal"
    )
    made = tabulate(game, PLACES)
    assert made.action_grid.shape == (2, PLACES**2, 2)
    agrees(game, made)


def test_resource_without_influence() -> None:
    """Influence has radius 0.3; with both players at 0 only the resource at 0 is shared."""
    table = {
        "players": 2, "kernel": "custom", "influence": "0.3 - abs(b-x) + abs(0.3 - abs(b-x))",
        "resource_points": [0.0, 0.5, 1.0], "resource": [1.0, 2.0, 4.0],
    }  # fmt: skip
    for rule, left in (("share", 3.0), ("lost", 0.0)):
        made = tabulate(rv.games.influencer(**table, zero_influence=rule), PLACES)
        np.testing.assert_allclose(payoffs(made, [0, 0]), [0.5 + left] * 2)
    refused = "zero_influence: all influence is 0 at resource point"
    with pytest.raises(ValueError, match=refused):
        tabulate(rv.games.influencer(**table), PLACES)
    with pytest.warns(UserWarning, match="summed"), pytest.raises(ValueError, match=refused):
        tabulate(rv.games.influencer(**table), PLACES, max_table_bytes=1)
