"""`rv.sweep` over all keys that a study can sweep, against games made one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import BestResponse


@pytest.mark.slow
def test_sweep_over_a_nested_keyword_of_the_race() -> None:
    """With one price for both inputs the symmetric equilibrium is known in closed form."""
    prices = [0.05, 0.1, 0.2]
    found = rv.sweep(rv.games.race(), {"cost.price": prices}, BestResponse(), "moderate")
    right = [rv.oracles.closed_form(rv.games.race(cost={"price": price}))[0] for price in prices]
    np.testing.assert_allclose(found.profile, right, rtol=1e-5)
    assert found["cost.price"].values.tolist() == prices


@pytest.mark.slow
def test_sweep_over_names_entries_and_method_options() -> None:
    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    over = {"game.resource": ["bimodal", "exp(-b)"], "method.damping": [0.9, 1.0], "reach": [0.2, 0.3]}
    found = rv.sweep(game, over, BestResponse(), [0.3, 0.6])
    assert dict(found.sizes) | {"player": 2, "axis": 1} == dict(found.sizes)
    alone = rv.games.influencer(reach=[0.3, 0.3], resource="exp(-b)")
    right = rv.solve(alone, BestResponse(), [0.3, 0.6]).profile
    for damping in over["method.damping"]:
        here = found.sel({"game.resource": "exp(-b)", "method.damping": damping, "reach": 0.3})
        np.testing.assert_allclose(here.profile, right, atol=1e-6)
    one = rv.sweep(game, {"reach[1]": [0.4]}, BestResponse(), [0.3, 0.6])
    two = rv.sweep(rv.games.influencer(reach=[0.2, 0.4], resource="bimodal"), {"reach[1]": [0.4]}, *_RUN)
    np.testing.assert_array_equal(one.profile, two.profile)


_RUN: tuple[Any, Any] = (BestResponse(), [0.3, 0.6])


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"wealth": [1]}, "wealth: is no keyword of influencer"),
        ({"method.wealth": [1]}, "over: method.wealth is no option of BestResponse"),
        ({"resource": ["trimodal"]}, "resource: 'trimodal' is no known word; did you mean"),
        ({"method.points": [1]}, "points: 1 must be above 1"),
        ({"reach[7]": [0.1]}, r"reach\[7\]: there is no 7 in"),
        ({"reach": list(range(1000)), "budgets": list(range(1000))}, "over: 1000000 points are too many"),
    ],
)
def test_invalid_sweeps_are_refused(over: dict[str, Any], message: str) -> None:
    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    with pytest.raises(ValueError, match=message):
        rv.sweep(game, over, *_RUN)
    with pytest.raises(ValueError, match="reach2: no array of this game"):
        rv.sweep(rv.with_(game, reach=0.3), {"reach2": [0.1]}, *_RUN)
