"""Deviations of games over periods in which stocks link the periods, in closed form."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

import rivalry as rv
from rivalry.certificates.periods import moving_columns
from rivalry.core import oracles
from rivalry.core.tree import Tree

PRICE, COST, BUILDING = 3.0, 1.0, 0.5


class Capacity(Tree):
    """Two firms build capacity in one period and sell up to it in the next, each in a market of its own."""

    def payoffs(self, x: Array) -> Array:
        state, paid = jnp.zeros((1, 2)), jnp.zeros(2)
        for t in range(2):
            row = x[:, 2 * t : 2 * t + 2]
            gain, _, state = oracles.transition(self, t, state, row)
            paid = paid + gain
        return paid

    @property
    def space(self) -> rv.Box:
        return rv.Box.of([[0.0, 1.0]] * 4, players=2)


@oracles.to_stages.register(Capacity)
def _(game: Capacity) -> oracles.Stages:
    period = rv.Box.of([[0.0, 1.0]] * 2, players=2)
    return oracles.Stages(2, period, np.ones((2, 2)), coupled="capacity links the periods", all_reached=True)


@oracles.initial_state.register(Capacity)
def _(game: Capacity) -> Array:
    return jnp.zeros((1, 2))


@oracles.transition.register(Capacity)
def _(game: Capacity, t: Any, state: Array, row: Array) -> tuple[Array, Array, Array]:
    built, output = row[:, 0], row[:, 1]
    paid = PRICE * jnp.minimum(output, state[0]) - COST * output - BUILDING * built
    return paid, jnp.ones(()), state + built[None]


def test_choices_that_change_stocks_are_those_that_move_the_next_state() -> None:
    assert moving_columns(Capacity()).tolist() == [0]


@pytest.mark.slow
def test_capacity_and_the_output_that_it_allows_are_searched_together() -> None:
    """Building alone costs, and so does output without capacity; together they pay 3 - 1 - 1/2 per unit."""
    game = Capacity()
    proof = rv.certificate(game, np.zeros((2, 4)))
    assert proof.claim == "not an equilibrium"
    np.testing.assert_allclose(proof.regret, PRICE - COST - BUILDING, rtol=1e-6)
    assert np.all(np.isinf(proof.bound))
    best = rv.best_response(game, np.zeros((2, 4)), 0).strategy
    np.testing.assert_allclose(best, [1.0, 0.0, 0.0, 1.0], atol=1e-6)
