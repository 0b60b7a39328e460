"""Learners that value the next price at lagged costs, against plain Python and enumerated policies."""

from itertools import product
from math import exp

import numpy as np
import pytest

import rivalry as rv
from rivalry.studies.lagged_costs import LaggedCostLearning, best_values
from tests.plain_q_learning import Words

pytestmark = pytest.mark.slow

SHOCK = {"kind": "ar1", "on": "unit_cost", "rho": 0.4, "sd": 0.1, "count": 2}
COMMON = {"intercept": 1.0, "slope": 1.0, "unit_cost": 0.15, "choice": "price", "shock": SHOCK}
MARKET = rv.games.market(**COMMON, timing="alternating", shock_observed=True)


def state(a: dict[int, list[int]], c: dict[int, int], i: int, when: int, own: bool) -> tuple[int, ...]:
    """Return the firm and its state from prices ``a`` that stood after ``when``, and costs until then."""
    return i, a[when][i] if own else 0, a[when][1 - i], c[when - 1], c[when]


@pytest.mark.parametrize("own_price", [False, True])
def test_sessions_equal_a_learner_with_a_whole_history(own_price: bool) -> None:
    """Indices of periods are those of the source: updates at t are about the price of t - 2."""
    made = LaggedCostLearning(
        sessions=2, levels=3, own_price=own_price, decay=2e-3, stable_updates=300, max_periods=4000
    )
    world = made.world(MARKET)
    session = made.begin(world, np.random.SeedSequence(4))
    first = {name: array.copy() for name, array in session.items()}
    while made.advance(world, session, 777):
        pass
    payoff, chances = world.tables.payoff, world.tables.nature_cdf[:, 0]
    for k in range(2):
        draw = Words(first["stream"][k])
        *prices, now, before = first["standing"][k].tolist()
        a, c, r = {0: prices}, {0: before, 1: now}, {}
        q = np.zeros((2, 3, 3, 2, 2, 3))  # [player own rival before now price]
        stable, t = [0, 0], 1

        while t <= 4000:
            i = (t - 1) % 2
            if t > 2:
                chosen = a[t - 2][i]
                where = (i, a[t - 3][i] if own_price else 0, a[t - 3][1 - i], c[t - 3], c[t - 2])
                aim = r[t - 2][i] + 0.95 * r[t - 1][i] + 0.95**2 * q[state(a, c, i, t - 1, own_price)].max()
                old = q[where].argmax()
                q[where][chosen] += 0.15 * (aim - q[where][chosen])
                stable[i] = stable[i] + 1 if q[where].argmax() == old else 0
            if i == 0 and min(stable) > 300:
                break
            number, level = draw(), exp(-2e-3 * t)
            here = (i, a[t - 1][i] if own_price else 0, a[t - 1][1 - i], c[t - 1], c[t])
            a[t] = list(a[t - 1])
            a[t][i] = int(number / level * 3) if number < level else int(q[here].argmax())
            r[t] = payoff[c[t], :, a[t][0] * 3 + a[t][1]]
            c[t + 1] = int(draw() >= chances[c[t], 0])
            t += 1
        assert session["clock"][k, 0] == t - 1
        mine = q if own_price else q[:, :1]
        # tables number both players' prices in the players' order
        ordered = np.stack([mine[0], mine[1].swapaxes(0, 1)]) if own_price else mine
        np.testing.assert_allclose(session["values"][k], ordered.reshape(2, -1, 3), rtol=1e-9, atol=1e-12)


def test_best_values_are_those_of_the_best_of_all_policies() -> None:
    tables = LaggedCostLearning(levels=3).world(MARKET).tables
    rival = np.random.default_rng(0).integers(3, size=(3, 2, 2))  # [own before now]
    chances = np.diff(tables.nature_cdf[:, 0], prepend=0.0)
    best = np.full((2, 3), -np.inf)
    for policy in product(range(3), repeat=6):
        own = np.array(policy).reshape(2, 3)  # [cost rival]
        system, paid = np.eye(6), np.zeros(6)
        for cost, other in product(range(2), range(3)):
            price, row = own[cost, other], 3 * cost + other
            paid[row] += tables.payoff[cost, 1, 3 * other + price]
            for after in range(2):
                response = rival[price, cost, after]
                paid[row] += 0.9 * chances[cost, after] * tables.payoff[after, 1, 3 * response + price]
                system[row, 3 * after + response] -= 0.81 * chances[cost, after]
        best = np.maximum(best, np.linalg.solve(system, paid).reshape(2, 3))
    found = best_values(tables, rival, 1, 0.9)
    np.testing.assert_allclose(found.max(axis=2), best, atol=1e-6)
    mirrored = best_values(tables, rival, 0, 0.9)
    np.testing.assert_allclose(mirrored, found, rtol=1e-12)  # firms have equal costs


def test_games_without_turns_or_costs_are_refused() -> None:
    with pytest.raises(ValueError, match="game: must have two firms that move in turn"):
        LaggedCostLearning(levels=3).world(rv.games.market(**COMMON, shock_observed=True))
