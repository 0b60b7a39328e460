"""Ranges of choices that families assume: no choice beyond pays, or certificates and lists say so."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.assumed_range import FACTORS
from rivalry.core.payoffs import payoffs
from rivalry.families.race.factory import FARTHEST
from tests.duel import draws
from tests.duel.draws import KINDS

pytestmark = pytest.mark.mostly_slow

FURTHEST_INVESTMENT = 1e9


def _seeds(default: int, nightly: int) -> list[Any]:
    """The first of the seeds up to ``nightly``; the others are marked."""
    marked = [pytest.param(seed, marks=pytest.mark.nightly) for seed in range(default, nightly)]
    return [*range(default), *marked]


# --- markets with a shock ---------------------------------------------------------------------------------


def test_a_sure_shock_moves_the_equilibrium_beyond_the_range_without_it() -> None:
    game = rv.games.market(shock={"kind": "iid", "levels": [300.0, 300.0], "probabilities": [0.5, 0.5]})
    refuted, true = rv.certificate(game, [[100.0], [100.0]]), rv.certificate(game, [[130.0], [130.0]])
    assert (refuted.claim, true.claim) == ("not an equilibrium", "equilibrium")
    np.testing.assert_allclose(payoffs(game, np.array([[150.0], [100.0]]))[0], 21_000.0)
    assert refuted.regret[0] >= 2_000.0
    assert float(game.space.high[0, 0]) == 400.0


def test_a_list_with_a_shock_holds_the_equilibrium_beyond_the_range_without_it() -> None:
    game = rv.games.market(shock={"kind": "iid", "levels": [0.0, 600.0], "probabilities": [0.5, 0.5]})
    found = rv.solve(game, rv.methods.AllEquilibria()).data
    # at 0 nothing is sold for a price: 600 counts with one half, and a cost of 10 is paid at both
    np.testing.assert_allclose(found.equilibria.values, [[[680 / 3], [680 / 3]]])
    assert found.complete.item()


def test_logit_prices_cover_a_shock_to_costs() -> None:
    shock = {"kind": "iid", "levels": [5.0, 5.0], "probabilities": [0.5, 0.5], "on": "unit_cost"}
    game, sure = rv.games.market(demand="logit", shock=shock), rv.games.market(demand="logit", unit_cost=6.0)
    x = rv.solve(sure, rv.methods.ClosedForm()).profile.values
    assert np.all(x > 6.0)
    assert rv.certificate(game, x).claim == "equilibrium"
    np.testing.assert_allclose(game.space.high, sure.space.high)


def test_a_logit_price_range_covers_a_capacity() -> None:
    game = rv.games.market(demand="logit", players=1, capacity=1e-6)
    # the price at which demand is the capacity: every lower one sells as much
    best = 2.0 + 0.25 * np.log((1 - 1e-6) / 1e-6)
    assert float(game.space.high[0, 0]) > best
    assert rv.certificate(game, [[best]]).claim == "equilibrium"


@pytest.mark.default
def test_isoelastic_demand_refuses_a_shock_without_a_cost_or_a_market() -> None:
    for on, level in (("unit_cost", -1.0), ("intercept", -100.0)):
        shock = {"kind": "iid", "levels": [level, 0.0], "on": on}
        with pytest.raises(ValueError, match=r"shock\.levels: make a (unit cost|market size) of 0"):
            rv.games.market(demand="isoelastic", shock=shock)


# --- races ------------------------------------------------------------------------------------------------


def test_teams_pay_for_the_safety_that_spares_a_fine() -> None:
    # an effort safety of 10 sqrt(225,000) costs 2.25, and the fine is 20
    minimum = 10 * np.sqrt(225_000.0)
    cost = {"kind": "penalty", "fine": 20.0, "price": 1e-5, "minimum": minimum, "measured_by": "effort"}
    game = rv.games.race(players=2, reward={"prize": 0.1}, disaster_cost=0.1, cost=cost)
    found = rv.solve(game, rv.methods.BestResponse())
    np.testing.assert_allclose(found.profile.values[:, 0], 225_000.0, rtol=1e-3)
    fined = rv.certificate(game, [[1e4, 100.0], [1e4, 100.0]])
    assert fined.claim == "not an equilibrium"
    assert fined.regret.min() > 17


@pytest.mark.parametrize("horizon", [1, 3])
def test_payoffs_that_rise_for_ever_are_no_equilibrium(horizon: int) -> None:
    keys = {"technology": {"invest": True}} if horizon > 1 else {"performance_exponent": 1.0}
    reward = {"prize_per_performance": 0.05, "prize_survives": True}
    game = rv.games.race(players=2, horizon=horizon, reward=reward, **keys)
    found = rv.certificate(game, game.space.high)
    assert found.claim == "not an equilibrium"
    assert "payoffs rise beyond the range assumed" in found.method
    assert "payoffs may be unbounded" in found.method
    x = np.array(game.space.high)
    x[0] *= 2
    assert found.regret[0] >= float(payoffs(game, x)[0] - payoffs(game, np.asarray(game.space.high))[0])


# --- what follows from a range that is too narrow -----------------------------------------------------------


def _narrowed(game: Any, high: float) -> Any:
    """The market with another end, still assumed."""
    box = game.products
    ends = type(box)(box.low, 0 * box.high + high, assumed=box.assumed, range_key="high")
    return replace(game, products=ends)


def test_certificates_and_lists_look_beyond_an_assumed_end() -> None:
    narrow = _narrowed(rv.games.market(), 20.0)  # the equilibrium is (30, 30)
    found = rv.certificate(narrow, [[20.0], [20.0]])
    assert found.claim == "not an equilibrium"
    assert found.method.endswith("player 0 gains 200 at 2 times the range; high sets the range")
    np.testing.assert_allclose(found.regret, 200.0)
    listed = rv.solve(narrow, rv.methods.AllEquilibria()).data
    assert not listed.complete.item()
    assert not len(listed.equilibria)
    assert "payoffs rise beyond the range assumed" in listed.complete_reason.item()


def test_a_stated_end_is_the_games_own() -> None:
    game = rv.games.market(high=20.0)
    assert rv.certificate(game, [[20.0], [20.0]]).claim == "equilibrium"
    assert rv.solve(game, rv.methods.AllEquilibria()).data.complete.item()
    capped = rv.games.market(capacity=[20.0, np.inf])
    np.testing.assert_array_equal(capped.space.assumed, [[False], [True]])


@pytest.mark.default
@pytest.mark.parametrize(
    "game",
    [
        pytest.param(lambda: rv.games.market(demand="logit"), id="market"),
        pytest.param(lambda: rv.games.race(), id="race"),
        pytest.param(lambda: rv.games.auction(), id="auction"),
        pytest.param(lambda: rv.games.precipice(information="public"), id="precipice"),
    ],
)
def test_families_mark_the_ends_that_they_assume(game: Any) -> None:
    assert np.all(np.asarray(game().space.assumed))


def test_boldness_beyond_the_range_of_a_precipice_pays_more() -> None:
    game = rv.games.precipice(information="public", enmity=0.3, max_capability=1.0)
    found = rv.certificate(game, game.space.high)
    assert found.claim != "equilibrium"
    higher = np.array(game.space.high)
    higher[0] *= 100
    assert found.regret[0] >= float(payoffs(game, higher)[0] - payoffs(game, np.asarray(game.space.high))[0])


# --- no choice beyond pays --------------------------------------------------------------------------------


def _made(family: str, rng: np.random.Generator) -> Any:
    """A game with a random value of every key; settings that the factory refuses are drawn again."""
    while True:
        setting = draws.by_annotations(family, rng, rng) if family == "auction" else KINDS[family](rng, rng)
        with suppress(ValueError):
            return setting.make()


def _drawn(game: Any, rng: np.random.Generator) -> np.ndarray:
    """A profile spread over all sizes of choices, with zeros and upper ends among them."""
    low, high = np.asarray(game.space.low), np.asarray(game.space.high)
    share = 10.0 ** rng.uniform(-12, 0, low.shape)
    share = np.select([rng.random(low.shape) < 0.15, rng.random(low.shape) < 0.1], [0.0, 1.0], share)
    return np.asarray(low + (high - low) * share)


def _best_inside(game: Any, x: np.ndarray, player: int, axes: np.ndarray) -> float:
    """The best payoff of a player inside the range: with other choices on these axes, or 0 from then on."""
    low, high = np.asarray(game.space.low)[player], np.asarray(game.space.high)[player]
    rows = []
    for share in (0.0, *10.0 ** np.arange(-12.0, 1.0)):
        rows.append(np.where(axes, low + (high - low) * share, x[player]))
    count = len(getattr(game, "columns", (0,)))
    start = int(np.flatnonzero(axes)[0]) // count * count
    rows.append(np.where(np.arange(len(low)) >= start, low, x[player]))
    paid = []
    for row in rows:
        there = x.copy()
        there[player] = row
        paid.append(float(payoffs(game, there)[player]))
    return max(paid)


@pytest.mark.parametrize("seed", _seeds(6, 150))
@pytest.mark.parametrize("family", ["market", "race", "periods"])
def test_no_choice_beyond_an_assumed_end_pays(family: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = _made(family, rng)
    low, high, assumed = (np.asarray(end) for end in (game.space.low, game.space.high, game.space.assumed))
    for _ in range(4):
        x = _drawn(game, rng)
        for player in range(len(x)):
            bounded = assumed[player]
            if family != "market":  # an end that is the farthest searched is no proof
                bounded = bounded & (high[player] < FARTHEST) & (high[player] != FURTHEST_INVESTMENT)
            sets = [np.arange(len(bounded)) == k for k in np.flatnonzero(bounded)]
            for axes in rng.permutation(sets)[:4] if len(sets) > 4 else sets:
                best = _best_inside(game, x, player, axes)
                for factor in FACTORS:
                    there = x.copy()
                    there[player] = np.where(axes, low[player] + factor * (high - low)[player], x[player])
                    paid = float(payoffs(game, there)[player])
                    assert paid <= best + 1e-9 * max(abs(best), abs(paid)), (game, player, axes, factor)


@pytest.mark.parametrize("seed", _seeds(3, 24))
@pytest.mark.parametrize("family", ["market", "race", "periods", "auction"])
def test_no_equilibrium_is_claimed_where_a_choice_beyond_pays_more(family: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = _made(family, rng)
    low, high, assumed = (np.asarray(end) for end in (game.space.low, game.space.high, game.space.assumed))
    x = np.where(assumed & (rng.random(low.shape) < 0.5), high, _drawn(game, rng))
    found = rv.certificate(game, x)
    here = np.asarray(payoffs(game, x))
    for player in range(len(x)):
        for factor in FACTORS:
            there = x.copy()
            ends = assumed[player] & (x[player] == high[player])
            there[player] = np.where(ends, low[player] + factor * (high - low)[player], x[player])
            gain = float(payoffs(game, there)[player] - here[player])
            assert gain <= found.regret[player] + np.broadcast_to(found.tolerance, here.shape)[player]
