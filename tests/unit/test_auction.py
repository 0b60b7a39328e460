"""Auctions against closed forms, simulation and a search over all bids at every signal."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.families.auction import equilibrium_slope
from rivalry.runtime.jax import jnp
from rivalry.tables.discretize import tabulate

SIGNALS = np.random.default_rng(5).uniform(size=(400_000, 3))
CASES = [(n, eta, price) for n in (2, 3, 6) for eta in (0.0, 0.4, 1.0) for price in ("first", "second")]


def simulated(slopes: list[float], eta: float, price: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the values obtained and the payments, means over drawn signals, by the rules of the auction."""
    signals, n = SIGNALS[:, : len(slopes)], len(slopes)
    values = (1 - eta / 2) * signals + eta / 2 * (signals.sum(axis=1)[:, None] - signals) / (n - 1)
    bids = signals * slopes
    wins = bids == bids.max(axis=1)[:, None]
    paid = np.sort(bids, axis=1)[:, -1 if price == "first" else -2]
    return (wins * values).mean(axis=0), (wins * paid[:, None]).mean(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("price", ["first", "second"])
@pytest.mark.parametrize(("slopes", "eta"), [([0.4, 0.7], 0.0), ([0.9, 0.5, 1.3], 0.6)])
def test_values_and_payments_equal_simulated_ones(slopes: list[float], eta: float, price: str) -> None:
    game = rv.games.auction(players=len(slopes), affiliation=eta, price=price)
    found = game.value_and_payment(jnp.array(slopes)[:, None])
    for exact, mean in zip(found, simulated(slopes, eta, price), strict=True):
        np.testing.assert_allclose(exact, mean, atol=2.5e-3)  # about three standard errors


@pytest.mark.parametrize(("players", "eta", "price"), CASES)
def test_no_bid_at_any_signal_pays_more_in_equilibrium(players: int, eta: float, price: str) -> None:
    """Brute force over bids, with the law of the highest other signal: the best bid is the equilibrium's."""
    k = equilibrium_slope(players, eta, price)
    top = np.linspace(0, 1, 2001)  # the highest other signal that a bid beats
    density = (players - 1) * top ** (players - 2)
    for signal in (0.2, 0.55, 0.9):
        others = (top + (players - 2) * top / 2) / (players - 1)
        margin = (1 - eta / 2) * signal + eta / 2 * others
        if price == "second":
            rate = (margin - k * top) * density
            won = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(top))])
        else:
            won = top ** (players - 1) * ((1 - eta / 2) * signal + eta / 4 * top - k * top)
        here = round(signal * 2000)
        assert won[here] >= won.max() - 1e-7
        assert won[here] > max(won[int(here * 0.9)], won[int(here * 1.1)])


@pytest.mark.slow
@pytest.mark.parametrize(("players", "eta", "price"), CASES)
def test_revenue_is_the_same_at_both_prices(players: int, eta: float, price: str) -> None:
    game = rv.games.auction(players=players, affiliation=eta, price=price)
    found = oracles.metrics(game, oracles.closed_form(game)[0])
    phi = 1 - eta / 2 + eta * players / (4 * (players - 1))
    assert found["revenue"][1] == pytest.approx(phi * (players - 1) / (players + 1), rel=1e-12)
    # equal slopes: the object goes to the highest signal
    assert found["value"][1] == pytest.approx(found["efficient_value"][1], rel=1e-12)


@pytest.mark.slow
def test_truth_is_dominant_with_private_values_at_the_second_price() -> None:
    game = rv.games.auction(players=2, price="second")
    levels = np.linspace(0.1, 2.0, 20)
    table = tabulate(game, levels[:, None], walk=False).tables.payoff[0, 0].reshape(20, 20)
    assert np.all(table[9] >= table.max(axis=0) - 1e-12)  # the level 1, against every other bidder


@pytest.mark.slow
@pytest.mark.parametrize("price", ["first", "second"])
def test_the_equilibrium_is_one_on_a_grid_of_slopes_by_brute_force(price: str) -> None:
    game = rv.games.auction(affiliation=0.4, price=price)
    levels = equilibrium_slope(2, 0.4, price) * np.linspace(0.5, 1.5, 11)
    table = tabulate(game, levels[:, None], walk=False).tables.payoff[0, 0].reshape(11, 11)
    assert table[:, 5].argmax() == 5


@pytest.mark.slow
def test_learners_report_the_revenue_of_their_slopes() -> None:
    game = rv.games.auction()
    learner = rv.methods.RepeatedQLearning(
        sessions=3,
        memory=0,
        gamma=0.0,
        action_grid={"kind": "linear", "from": 0.1, "to": 1.0, "count": 10},
        exploration={"decay": 1e-3},
        stopping={"stable_periods": 1000, "max_periods": 100_000},
    )
    data = rv.solve(game, learner).data
    single = data.cycle_length.values == 1
    for session in np.flatnonzero(single):
        slopes = data.end_action.values[session][:, None]
        revenue = oracles.metrics(game, jnp.asarray(slopes))["revenue"][1]
        assert data.end_revenue.values[session] == pytest.approx(revenue, rel=1e-12)
    assert single.any()


def test_wrong_numbers_are_refused_in_one_line() -> None:
    for wrong, said in (
        ({"players": 1}, "players"),
        ({"affiliation": 1.5}, "affiliation"),
        ({"price": "third"}, "price"),
    ):
        with pytest.raises(ValueError, match=said) as caught:
            rv.games.auction(**wrong)
        assert "\n" not in str(caught.value)
