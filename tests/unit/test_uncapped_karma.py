"""Karma economies without a cap: the answer is that of a long cap, whatever the first one."""

from functools import cache
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import PopulationNewton, UncappedEquilibrium

pytestmark = pytest.mark.slow

KEYS: dict[str, Any] = {"mean_karma": 1.0, "gamma": 0.5}
CUT = 1e-9


@cache
def solved(first: int, unit: float = 1.0, reward: str | None = None) -> Any:
    game = rv.games.karma(max_karma=first, urgencies=[unit, 5 * unit], reward=reward, **KEYS)
    return rv.solve(game, UncappedEquilibrium(beta=5.0 / unit, cut=CUT))


def gain_in_numpy(data: Any, most: int) -> float:
    """Mean gain of an agent that may hold ``most``, by value iteration over all bids and rivals' bids."""
    nu, level = data.bid_distribution.values, float(data.level)
    karma, more = np.arange(most + 1), level - np.floor(level)

    def after(values: np.ndarray, amounts: Any) -> np.ndarray:
        low = np.minimum(amounts + int(level), most)
        return (1 - more) * values[low] + more * values[np.minimum(low + 1, most)]

    values = np.zeros((2, most + 1))
    for _ in range(60):  # the discount factor is 1/2
        ahead = values.mean(axis=0)
        best = np.full((2, most + 1), -np.inf)
        for bid in range(most + 1):
            win = nu[:bid].sum() + 0.5 * nu[bid : bid + 1].sum()
            mean = win * after(ahead, np.maximum(karma - bid, 0))
            for rival, chance in enumerate(nu):
                lost = chance * ((rival > bid) + 0.5 * (rival == bid))
                mean = mean + lost * after(ahead, np.minimum(karma + rival, most))
            paid = -np.array([[1.0], [5.0]]) * (1 - win) + 0.5 * mean
            best = np.maximum(best, np.where(bid <= karma, paid, -np.inf))
        values = best
    mu = data.karma_distribution.values[0]
    return float(np.sum(mu * values[:, : mu.shape[1]]) - data.payoff.values[0])


def test_the_equilibrium_is_that_of_a_long_cap() -> None:
    found = solved(2)
    long_cap = rv.games.karma(max_karma=40, **KEYS)
    known = rv.solve(long_cap, PopulationNewton(beta=5.0), start="uniform", path=False)
    assert found.status == known.status == "converged"
    assert float(found.data.efficiency) == pytest.approx(float(known.data.efficiency), abs=1e-8)
    assert float(found.data.share_at_max_karma) <= CUT
    assert int(found.data.cap) < 40
    assert np.all(np.diff(found.data.tried_cap) > 0)
    karma = found.data.karma_distribution.values.sum(axis=(0, 1))
    assert karma @ np.arange(len(karma)) == pytest.approx(1.0, abs=1e-9)


def test_the_first_cap_does_not_matter() -> None:
    efficiencies = [float(solved(first).data.efficiency) for first in (2, 7)]
    np.testing.assert_allclose(efficiencies, efficiencies[0], atol=1e-8)


@pytest.mark.parametrize(("unit", "reward"), [(1e3, None), (1.0, "2 + urgency*(served - 1)")])
def test_unit_and_zero_of_rewards_do_not_matter(unit: float, reward: str | None) -> None:
    ours, theirs = solved(7), solved(7, unit, reward)
    assert int(ours.data.cap) == int(theirs.data.cap)
    np.testing.assert_allclose(theirs.profile, ours.profile, atol=1e-8)
    np.testing.assert_allclose(theirs.data.uncapped_bound / unit, ours.data.uncapped_bound, rtol=1e-6)


def test_the_bound_is_that_of_an_agent_with_any_amount() -> None:
    data = solved(7).data
    bound = float(data.uncapped_bound[0])
    gain = gain_in_numpy(data, 60)
    assert gain - 1e-9 <= bound <= gain + 1e-6
    assert f"{int(data.cap)} units hold all but" in str(solved(7))
    assert bound >= float(data.exploitability[0]) - 1e-9


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tax": [0.0, 0.0, 1.0]}, "max_karma: 2 cannot grow: tax: 3 amounts must be 4"),
        ({"charge": [[0] * 3] * 3}, "max_karma: 2 cannot grow: charge: shape"),
        ({"signal": "richer"}, "signal: agents who see"),
    ],
)
def test_rules_of_single_amounts_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rv.solve(rv.games.karma(max_karma=2, mean_karma=1.0, **changed), UncappedEquilibrium())
