"""Lists of equilibria of firms that save a fixed cost by staying out, against brute force."""

from itertools import product
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.oracles import equilibria_by_cases
from rivalry.methods import ClosedForm

pytestmark = pytest.mark.slow


def profit(keys: dict[str, Any], q: np.ndarray, firm: int) -> np.ndarray:
    """Return the profit of a firm at outputs ``[.. firm]``, from the meaning of the keys."""
    cross = keys["slope"] if keys["demand"] == "linear" else keys["substitution"]
    total = q.sum(axis=-1) - q[..., firm]
    price = np.maximum(keys["intercept"] - keys["slope"] * q[..., firm] - cross * total, 0.0)
    own = q[..., firm]
    variable = keys["unit_cost"][firm] * own + keys["convex_cost"][firm] * own**2 / 2
    return price * own - variable - keys["fixed_cost"][firm] * (own > 0)


def largest_gain(keys: dict[str, Any], q: np.ndarray) -> float:
    """Return the largest gain of a firm from any of 4,001 outputs."""
    gains = []
    for firm in range(len(q)):
        rows = np.tile(q, (4001, 1))
        rows[:, firm] = np.linspace(0, keys["most"][firm], 4001)
        gains.append(np.max(profit(keys, rows, firm)) - float(profit(keys, q, firm)))
    return max(gains)


def drawn(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 4))
    keys: dict[str, Any] = {"demand": ["linear", "differentiated"][seed % 2], "intercept": 20.0, "slope": 1.0}
    keys |= {"substitution": 0.75, "unit_cost": rng.uniform(0, 6, count).round(2).tolist()}
    keys |= {"convex_cost": rng.choice([0.0, 0.5], count).tolist()}
    keys |= {"fixed_cost": rng.choice([0.0, 5.0, 20.0, 40.0], count).tolist()}
    keys["most"] = rng.choice([4.0, 20.0], count).tolist()
    return keys


def market(keys: dict[str, Any]) -> Any:
    options = {name: value for name, value in keys.items() if name not in ("most", "substitution")}
    if keys["demand"] == "differentiated":
        options |= {"substitution": keys["substitution"], "choice": "quantity"}
    return rv.games.market(**options, high=keys["most"])


@pytest.mark.parametrize("seed", range(12))
def test_the_list_holds_what_best_responses_of_every_set_of_producers_come_to_and_no_more(seed: int) -> None:
    keys = drawn(seed)
    if not any(keys["fixed_cost"]):
        keys["fixed_cost"][0] = 20.0
    exact = equilibria_by_cases(market(keys)).equilibria
    listed = [np.array(profile, dtype=float)[:, 0] for profile in exact]
    assert all(largest_gain(keys, q) <= 1e-9 for q in listed)
    cross = keys["slope"] if keys["demand"] == "linear" else keys["substitution"]
    reached = []
    for inside in product([False, True], repeat=len(keys["most"])):
        q = np.zeros(len(inside))
        for _ in range(2000):  # damped best responses of the producers of this set
            best = keys["intercept"] - cross * (q.sum() - q) - np.array(keys["unit_cost"])
            best = best / (2 * keys["slope"] + np.array(keys["convex_cost"]))
            q = (q + np.where(inside, np.clip(best, 0.0, keys["most"]), 0.0)) / 2
        if largest_gain(keys, q) <= 1e-6:
            reached.append(q)
    for q in reached:
        assert any(np.allclose(q, other, atol=1e-6) for other in listed)
    assert len({tuple(np.round(q, 6)) for q in reached}) == len(listed)


@pytest.mark.representative
def test_a_fixed_cost_at_the_duopoly_profit_leaves_three_equilibria_and_one_above_it_two() -> None:
    three = rv.all_equilibria(rv.games.market(fixed_cost=900.0))
    assert (three.complete, len(three)) == (True, 3)
    assert sorted(three.equilibria[:, :, 0].tolist()) == [[0.0, 45.0], [30.0, 30.0], [45.0, 0.0]]
    assert len(rv.all_equilibria(rv.games.market(fixed_cost=float(np.nextafter(900.0, 1000.0))))) == 2
    assert len(rv.all_equilibria(rv.games.market(fixed_cost=2025.0))) == 3  # of a monopolist: nobody, or one
    assert repr(three).splitlines()[0] == "exactly 3 equilibria, proved"
    with pytest.raises(ValueError, match="proof file"):
        three.proof.document()


def test_the_list_agrees_with_the_closed_form_in_floating_point() -> None:
    game = rv.games.market(players=3, unit_cost=[10.0, 12.0, 14.0], fixed_cost=[400.0, 300.0, 200.0])
    roots = rv.solve(game, ClosedForm()).record["roots"][1]
    listed = rv.all_equilibria(game).equilibria
    assert len(roots) == len(listed)
    for root in roots:
        assert np.min(np.abs(listed - root).max(axis=(1, 2))) < 1e-9


def test_fixed_costs_at_observed_levels_are_listed_level_by_level() -> None:
    shock = {"kind": "iid", "levels": [-30.0, 30.0]}
    found = rv.all_equilibria(rv.games.market(fixed_cost=1500.0, shock=shock, shock_observed=True))
    assert found.complete
    assert sorted(found.equilibria.tolist()) == [
        [[0.0, 0.0], [0.0, 60.0]],
        [[0.0, 40.0], [0.0, 40.0]],
        [[0.0, 60.0], [0.0, 0.0]],
    ]


@pytest.mark.parametrize(
    "keys",
    [
        {"tax": 1.0},  # nothing is left to gain
        {"low": 1.0},
        {"demand": "isoelastic"},
        {"players": 13},
        {"unit_cost": 0.0, "players": 3, "fixed_cost": [0.0, 0.0, 5.0]},  # prices of zero are equilibria
        {"shock": {"kind": "iid", "levels": [-1.0, 1.0]}},
    ],
)
def test_markets_beyond_the_cases_are_refused(keys: dict[str, Any]) -> None:
    game = rv.games.market(**({"fixed_cost": 10.0} | keys))
    with pytest.raises(ValueError, match="fixed_cost: is saved at zero output"):
        rv.all_equilibria(game)
