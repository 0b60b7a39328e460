"""Logit markets depend on qualities only through their differences to the outside option."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.market.benchmarks import benchmark
from rivalry.methods import BestResponse, ClosedForm

FIRMS: dict[str, Any] = {"demand": "logit", "unit_cost": [1.0, 0.5], "taste_spread": 0.3}
ORIGINS = [-5.0, -2.0, 0.25]


def shifted(origin: float, **keys: Any) -> Any:
    quality = [2.0 + origin, 1.5 + origin]
    return rv.games.market(**FIRMS, **keys, quality=quality, outside_option=origin)


@pytest.mark.parametrize("origin", ORIGINS)
def test_the_origin_of_qualities_moves_no_bound_price_or_word(origin: float) -> None:
    here, there = shifted(0.0), shifted(origin)
    np.testing.assert_allclose(there.space.high, here.space.high, rtol=1e-12)
    first, second = rv.solve(here, ClosedForm()), rv.solve(there, ClosedForm())
    assert repr(first).splitlines()[2:] == repr(second).splitlines()[2:]
    assert first.claim == second.claim == "equilibrium"
    np.testing.assert_allclose(second.record["profile"][1], first.record["profile"][1], rtol=1e-12)
    for name in ("quantity", "consumer_surplus", "welfare"):
        np.testing.assert_allclose(second.record[name][1], first.record[name][1], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.representative
@pytest.mark.parametrize("origin", ORIGINS)
def test_lists_leaders_and_responses_do_not_depend_on_the_origin(origin: float) -> None:
    here, there = shifted(0.0), shifted(origin)
    np.testing.assert_allclose(
        rv.all_equilibria(there).equilibria, rv.all_equilibria(here).equilibria, rtol=1e-9
    )
    np.testing.assert_allclose(
        rv.solve(there, BestResponse()).record["profile"][1],
        rv.solve(here, BestResponse()).record["profile"][1],
        rtol=1e-6,
    )
    for name in ("stackelberg", "cartel", "competitive"):
        np.testing.assert_allclose(benchmark(there, name).payoff, benchmark(here, name).payoff, rtol=1e-9)
    led, led_there = shifted(0.0, stages=[[0], [1]]), shifted(origin, stages=[[0], [1]])
    first, second = rv.certificate(led, [[1.6]]), rv.certificate(led_there, [[1.6]])
    np.testing.assert_allclose(second.regret, first.regret, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("quality", [-0.054, 0.0, -3.0])
def test_goods_worse_than_nothing_have_prices_above_cost_by_the_inverse_of_the_rest(quality: float) -> None:
    game = rv.games.market(demand="logit", quality=quality, unit_cost=0.1, taste_spread=0.2)
    price = rv.solve(game, ClosedForm()).record["profile"][1][:, 0]
    weight = np.exp((quality - price) / 0.2)
    share = weight / (1 + weight.sum())
    np.testing.assert_allclose(price, 0.1 + 0.2 / (1 - share), rtol=1e-9)
    assert np.all(np.asarray(game.space.high)[:, 0] > price)
