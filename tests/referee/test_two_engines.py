"""Every family's own bound, interval arithmetic and dense sampling agree on random games."""

import numpy as np
import pytest

from rivalry.proofs.payoff_ranges import payoff_range
from tests.referee.draws import FAMILIES, Bumps, cases
from tests.referee.engines import Bounds, bounds

OWN = ["cube", "blotto5", "race", "periods", "cournot", "logit", "differentiated", "isoelastic"]
"""Families with bounds of their own that interval arithmetic has, too."""
SLOW = [*OWN, "line", "square", "plane", "bimatrix", "custom"]


@pytest.mark.parametrize(
    ("count", "families"),
    [
        pytest.param(20, SLOW, marks=pytest.mark.slow),
        pytest.param(200, [name for name in FAMILIES if name != "misled"], marks=pytest.mark.nightly),
    ],
)
def test_own_bounds_and_interval_arithmetic_agree(count: int, families: list[str]) -> None:
    found = {
        case.name: bounds(case, number % len(case.profile))
        for number, case in enumerate(cases(5, count, families))
    }
    assert {name: why for name, one in found.items() if (why := one.disagreement())} == {}
    both = {name.split("-")[0] for name, one in found.items() if np.isfinite(one.own + one.interval)}
    assert both >= set(OWN)  # of each something was compared


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"sampled": 1.1}, "sampled 1.1 is above the own bound"),
        ({"own_payoff": 1.01, "own": 1.01}, "own_payoff 1.01 is above the interval bound"),
        ({"own": 1.001, "own_payoff": 1.0}, ""),  # one that has not finished says less
        ({"interval_payoff": 0.9, "interval": 0.9}, "own_payoff 1 is above the interval bound 0.9"),
        ({"own": np.nan, "own_payoff": np.nan}, ""),
    ],
)
def test_disagreements_are_named(change: dict[str, float], message: str) -> None:
    agreed = Bounds(own=1.0, own_payoff=1.0, interval=1.0, interval_payoff=1.0, sampled=0.99, unit=0.5)
    why = agreed._replace(**change).disagreement()
    assert message in why
    assert bool(message) == bool(why)


@pytest.mark.slow
def test_ranges_of_payoffs_in_random_boxes_contain_those_of_arb() -> None:
    flint = pytest.importorskip("flint")
    rng = np.random.default_rng(3)
    height, centre, width = rng.normal(size=(2, 5)), rng.random((2, 5)), rng.uniform(0.01, 0.3, (2, 5))
    x = rng.random((2, 1))
    low = rng.random((200, 1))
    high = np.minimum(low + 10.0 ** rng.uniform(-12, -0.5, (200, 1)), 1.0)
    found = payoff_range(Bumps(height, centre, width, 0.7), x, np.zeros(len(low), int), low, high)
    floors, ceilings = found.value.low, found.value.high
    for k in range(len(low)):
        for own in low[k, 0] + (high[k, 0] - low[k, 0]) * np.array([0.0, rng.random(), 1.0]):
            s = flint.arb(min(float(own), float(high[k, 0])))
            bumps = zip(height[0], centre[0], width[0], strict=True)
            parts = [h * (-(((s - c) / w) ** 2)).exp() for h, c, w in (map(flint.arb, one) for one in bumps)]
            pays = sum(parts, flint.arb(0)) - flint.arb(0.7) * (s - flint.arb(float(x[1, 0]))) ** 2
            assert floors[k] <= float(pays.upper())
            assert float(pays.lower()) <= ceilings[k]
    assert np.max((ceilings - floors)[(high - low)[:, 0] < 1e-6]) < 1e-3
