"""Oligopolies of the literature: shares and revenues against NumPy, and closed forms by their properties."""

import jax.numpy as jnp
import numpy as np
import pytest

from rivalry.core import oracles
from rivalry.methods.finite.mixed_equilibria import one_mixed
from rivalry.studies.oligopolies import capacities, edgeworth, logit_line, three_places

pytestmark = pytest.mark.slow


def test_shares_on_a_line_are_means_over_buyers() -> None:
    game = logit_line(players=3, taste_spread=0.3, transport_cost=2.0)
    x = np.array([[0.2, 0.1], [0.9, 0.3], [0.45, 0.2]])
    buyers = (np.arange(200_000) + 0.5) / 200_000
    weights = np.exp(-(x[:, 1, None] + 2.0 * np.abs(buyers - x[:, 0, None])) / 0.3)
    assert game.shares(jnp.asarray(x)) == pytest.approx(
        (weights / weights.sum(axis=0)).mean(axis=1), abs=1e-9
    )
    assert game.payoffs(jnp.asarray(x)) == pytest.approx(x[:, 1] * game.shares(jnp.asarray(x)))


@pytest.mark.parametrize("players", [3, pytest.param(6, marks=pytest.mark.slow)])
def test_a_firm_that_leaves_the_middle_gains_below_the_threshold_alone(players: int) -> None:
    least = (1 - 2 / players) / 2
    for taste_spread in (max(0.9 * least, 0.05), 1.1 * least + 0.05):
        game, d = logit_line(players=players, taste_spread=taste_spread), 1e-3
        moved = oracles.closed_form(game)[0].copy()
        moved[0, 0] += d
        change = float(game.shares(jnp.asarray(moved))[0]) - 1 / players
        s = 1 / players
        expected = s * (1 - s) * (d / taste_spread) ** 2 * ((1 - 2 * s) / 2 - taste_spread)
        assert change == pytest.approx(expected, rel=0.02)
        assert (change < 0) == (taste_spread > least)


@pytest.mark.parametrize("pair", [(0.25, 0.3), (0.5, 0.5), (0.7, 0.4), (0.3, 0.9), (1.0, 0.95)])
def test_revenues_are_those_of_an_equilibrium_of_prices(pair: tuple[float, float]) -> None:
    levels = 41
    table = np.asarray(edgeworth(first=pair[0], second=pair[1], levels=levels).table)
    weights = one_mixed(table)
    pays = [weights[0][:levels] @ own @ weights[1][:levels] for own in table]
    profits = capacities().payoffs(jnp.array(pair)[:, None])
    assert profits == pytest.approx(pays, abs=1.0 / (levels - 1))  # a step of the prices


def test_firms_of_equal_prices_share_demand_up_to_their_capacities() -> None:
    game = edgeworth(first=0.2, second=0.9, levels=5)
    # demand is 0.75: player 0 sells all it can, player 1 the rest
    assert game.payoffs(game.pure("0.25", "0.25")) == pytest.approx([0.25 * 0.2, 0.25 * 0.55])
    assert game.payoffs(game.pure("0.25", "0.5")) == pytest.approx([0.25 * 0.2, 0.5 * 0.3])


def test_three_firms_are_paid_by_their_nearest_buyers() -> None:
    game, at = three_places(levels=9), np.linspace(0.0, 1.0, 9)
    buyers = (np.arange(8000) + 0.5) / 8000
    for places in ((0, 4, 8), (2, 2, 5), (3, 3, 3), (7, 1, 6)):
        far = np.abs(buyers - at[list(places), None])
        nearest = np.isclose(far, far.min(axis=0))
        expected = (nearest / nearest.sum(axis=0)).mean(axis=1)
        assert game.payoffs(game.pure(*(f"{at[k]:g}" for k in places))) == pytest.approx(expected, abs=1e-3)


def test_uniform_play_over_the_middle_half_leaves_little_to_gain() -> None:
    gains = []
    for levels in (17, 65):
        game, at = three_places(levels=levels), np.linspace(0.0, 1.0, levels)
        row = (np.abs(at - 0.5) <= 0.25) / ((levels - 1) / 2 + 1)
        first = np.einsum("ijk,j,k->i", np.asarray(game.table[0]), row, row)
        gains.append(first.max() - row @ first)
        metrics = oracles.metrics(game, jnp.asarray(np.tile(row, (3, 1))))
        assert metrics["outside_share"][1].tolist() == [0.0] * 3
        assert metrics["place_sd"][1][0] == pytest.approx(48**-0.5, abs=1 / (levels - 1))
    assert gains[1] < 0.3 * gains[0] < 0.02  # of a market of 1, and less on a finer grid
