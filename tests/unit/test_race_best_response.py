"""Best responses in races: brute force, closed forms, and a profile that is not an equilibrium."""

import json
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.assumed_range import NO_BEST_RESPONSE
from rivalry.families.race.best import compiled_response
from rivalry.runtime.jax import jax, put
from tests.race_keys import KEYS, race

CASES = json.loads((Path(__file__).parents[1] / "reference" / "race.json").read_text())["cases"]
SYMMETRIC = (0.8707895489271279, 0.5338482588141955)


@eqx.filter_jit
def paid(game: Any, x: Any, player: Any, strategies: Any) -> Any:
    return jax.vmap(lambda own: game.payoffs(x.at[player].set(own))[player])(strategies)


def random_race(rng: np.random.Generator, **more: Any) -> Any:
    """Return a two-player race with random parameters of different orders of magnitude."""
    numbers: dict[str, Any] = {
        "safety_productivity": 10 ** rng.uniform(-1, 2, 2),
        "performance_productivity": 10 ** rng.uniform(-1, 1, 2),
        "safety_exponent": rng.uniform(0.2, 1.0, 2),
        "performance_exponent": rng.uniform(0.2, 1.0, 2),
        "scale_penalty": rng.choice([0.0, 0.5, 1.5], 2),
        "disaster_cost": rng.uniform(0, 5, 2),
        "safety_price": 10 ** rng.uniform(-2, 0, 2),
        "performance_price": 10 ** rng.uniform(-2, 0, 2),
        "loser_prize": rng.uniform(-0.3, 0.3, 2),
        "prize_per_performance": float(rng.choice([0.0, 0.01])),
        "liability": rng.uniform(0, 1, 2),
        "prize_survives": rng.integers(0, 2, 2).astype(bool),
    }
    return race(**(numbers | more))


def spread(rng: np.random.Generator, near: np.ndarray, count: int = 6000) -> Any:
    """Return strategies from zero to very large, and strategies close to ``near``."""
    wide = np.exp(rng.uniform(-50, 9, (count, 2)))
    wide *= rng.random((count, 2)) > 0.05
    usual = np.exp(rng.normal(-1, 2, (count, 2)))
    close = [near * np.exp(rng.normal(0, size, (count, 2))) for size in (1e-1, 1e-3)]
    return put(np.concatenate([np.zeros((1, 2)), wide, usual, *close]))


@pytest.mark.representative
@pytest.mark.parametrize("seed", range(12))
def test_no_inputs_exceed_the_best_response_payoff_or_its_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = random_race(rng)
    x = put(np.exp(rng.normal(0, 1, (2, 2))) * (rng.random((2, 2)) > 0.1))
    response = rv.best_response(game, x, 0)
    tried = float(np.max(paid(game, x, put(0), spread(rng, response.strategy))))
    scale = float(rv.oracles.payoff_scale(game))
    assert tried <= response.bound
    assert response.payoff == pytest.approx(float(game.payoffs(x.at[0].set(response.strategy))[0]), abs=1e-13)
    assert tried <= response.payoff + 1e-12 * scale
    assert response.bound - response.payoff <= 1e-7 * scale
    assert (response.coverage, response.rounding) == ("bounded", "outward")


@pytest.mark.slow
def test_the_symmetric_equilibrium_is_a_proved_best_response_to_itself() -> None:
    game = race()
    x = put(np.tile(SYMMETRIC, (2, 1)))
    np.testing.assert_allclose(rv.best_response(game, x, 1).strategy, SYMMETRIC, rtol=1e-7)
    proved = rv.certificate(game, x)
    assert (proved.claim, proved.coverage) == ("equilibrium", "tight")
    assert np.all(proved.regret <= 1e-14)


@pytest.mark.parametrize("name", ["br_to_readme", "br_idle_rival_unattained", "br_is_idle"])
def test_best_responses_match_reference_values(name: str) -> None:
    case = next(case for case in CASES if case["id"] == name)
    given, expected = case["inputs"]["game"], case["expected"]
    numbers = {KEYS[k]: given[k] for k in ("A", "alpha", "B", "beta", "theta", "d")}
    game = race(safety_price=given["cost"]["r_s"], performance_price=given["cost"]["r_p"], **numbers)
    x = game.inputs(safety_input=case["inputs"]["xs"], performance_input=case["inputs"]["xp"])
    found = rv.best_response(game, x, case["inputs"]["player"])
    assert max(found.payoff, found.supremum) == pytest.approx(expected["value"], rel=1e-8)
    assert (NO_BEST_RESPONSE not in rv.certificate(game, x).method) is expected["attained"]
    if "best_response" in expected:
        np.testing.assert_allclose(found.strategy, expected["best_response"], rtol=1e-6, atol=1e-6)


def demo() -> tuple[Any, Any, dict[str, Any]]:
    """Return two investors and a profile that meets all first-order conditions but is not an equilibrium."""
    case = next(case for case in CASES if case["id"] == "demo_invest_local")
    game = race(
        performance_productivity=1.0,
        ease_of_winning=1.0,
        no_winner="disaster",
        horizon=5,
        gamma=[0.9, 1.0],
        invest=True,
    )
    return game, game.inputs(case["inputs"]["strategies"]), case["expected"]


@pytest.mark.nightly
def test_best_responses_of_investors_cycle_with_period_four() -> None:
    """Gains and payoffs over the cycle match independent code to four or five digits."""
    game, x, expected = demo()
    strategy, payoff = compiled_response(game, x, put(0))
    assert float(payoff - game.payoffs(x)[0]) == pytest.approx(expected["regret_at_least"], abs=1e-9)
    x = x.at[0].set(strategy)
    np.testing.assert_allclose(game.payoffs(x), expected["U_after_deviation"], atol=1e-6)
    gains, payoffs = [], []
    for move in range(1, 12):
        player = move % 2
        strategy, payoff = compiled_response(game, x, put(player))
        gains.append(float(payoff - game.payoffs(x)[player]))
        x = x.at[player].set(strategy)
        payoffs.append(np.asarray(game.payoffs(x)))
    np.testing.assert_allclose(gains[-4:], [0.08707, 0.56833, 0.75135, 0.45564], atol=1e-5)
    known = [[-0.7342, 0.9605], [-0.7180, 1.5289], [0.0333, -0.7354], [-0.8212, -0.2798]]
    np.testing.assert_allclose(payoffs[-4:], known, atol=1e-4)


@pytest.mark.slow
def test_the_search_range_covers_efforts_paid_per_performance() -> None:
    """Against an idle rival, ``1000 p - 0.1 xp`` with ``p = 10 sqrt(xp)`` is maximal at ``xp = 2.5e9``."""
    game = race(prize_per_performance=1000.0, scale_penalty=1e-9, safety_productivity=1e9)
    x = game.inputs(safety_input=[1.0, 0.0], performance_input=[1.0, 0.0])
    assert rv.oracles.best_response(game, x, 0)[0][1] == pytest.approx((1000 * 10 * 0.5 / 0.1) ** 2, rel=1e-2)
    assert race().space.high.max() == 1e4


@pytest.mark.slow
def test_a_fine_is_paid_where_safety_costs_more() -> None:
    """Where safety brings nothing, the minimum costs ``price (minimum / A)^(1/alpha)``, here 0.1 * 4."""
    for fine, met in ((0.39, False), (0.41, True)):
        game = race(
            cost="penalty",
            price=0.1,
            minimum=20.0,
            fine=fine,
            measured_by="effort",
            disaster_cost=0.0,
            prize_survives=True,
        )
        x = game.inputs(safety_input=[0.0, 0.0], performance_input=[1.0, 1.0])
        found = rv.best_response(game, x, 0)
        assert found.strategy[0] == pytest.approx(4.0 if met else 0.0, rel=1e-9)
        assert found.bound >= found.payoff
        # without safety the contest alone: q (1 - q) / 2 = 0.1 xp, with xp = 1.25 if both are equal
        equal = game.inputs(safety_input=[4.0 * (1 + 1e-12) * met] * 2, performance_input=[1.25, 1.25])
        proved = rv.certificate(game, equal)
        assert np.all(proved.regret <= 1e-10)
        assert proved.claim != "not an equilibrium"  # beside a jump the bound is above the payoff
        assert np.all(proved.bound <= 0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"cost": "penalty", "fine": 0.4, "minimum": 5.0, "end_on": "win", "ease_of_winning": 1.0},
            "periods",
        ),
        ({"cost": "certification", "minimum": 5.0, "end_on": "win", "ease_of_winning": 1.0}, "infinite"),
        ({"cost": "quadratic", "safety_price_slope": 0.1, "end_on": "none"}, "periods"),
    ],
)
def test_bounds_over_periods_hold_with_thresholds_and_prices(changes: dict[str, Any], text: str) -> None:
    horizon: Any = {"periods": 2, "infinite": "inf"}[text]
    game = race(horizon=horizon, gamma=0.9, **changes)
    rng = np.random.default_rng(1)
    x = put(np.exp(rng.normal(-1, 1, game.space.high.shape)))
    found = rv.best_response(game, x, 0)
    size = found.strategy.size
    close = [found.strategy * np.exp(rng.normal(0, width, (4000, size))) for width in (1.0, 0.1, 1e-3)]
    wide = np.exp(rng.normal(-1, 3, (8000, size))) * (rng.random((8000, size)) > 0.1)
    top = float(np.max(np.asarray(paid(game, x, put(0), put(np.concatenate([*close, wide]))))))
    assert top <= found.bound
    assert top <= found.payoff + 1e-9
    assert found.bound - found.payoff <= (0.1 if oracles.discontinuity(game) else 1e-6)


@pytest.mark.slow
def test_subsidies_above_the_price_are_used_up_to_where_safety_costs_what_it_brings() -> None:
    game = race(
        cost="quadratic", safety_price=0.1, safety_subsidy=0.3, safety_price_slope=0.05, disaster_cost=3.0
    )
    x = game.inputs(safety_input=[1.0, 1.0], performance_input=[1.0, 1.0])
    strategy, payoff, _ = oracles.best_response(game, x, 0)
    line = np.stack(np.meshgrid(np.linspace(3.5, 7, 300), np.linspace(0.01, 3, 300)), axis=-1).reshape(-1, 2)
    best = np.asarray(paid(game, x, put(0), put(line)))
    assert best.max() <= float(payoff) + 1e-12
    np.testing.assert_allclose(strategy, line[best.argmax()], atol=0.02)
    assert strategy[0] > 4.05  # the price turns positive at 4
