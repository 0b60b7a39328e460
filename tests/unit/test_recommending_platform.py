"""A platform that learns whom to recommend, against formulas and a learner in plain Python."""

from math import exp, log, sqrt

import numpy as np
import pytest

from rivalry.studies.pricing_games import platform_sellers
from rivalry.studies.recommending_platform import RecommendingPlatform, outcome_tables
from tests.plain_q_learning import Words

pytestmark = pytest.mark.slow


def test_outcomes_of_a_recommendation() -> None:
    """Action 1: the first group is recommended seller 0, the second seller 1."""
    tables = outcome_tables(platform_sellers(), 3, 0.75)
    p, q = tables.prices[1], tables.prices[2]
    joint = (1 * 3 + 1) * 3 + 2
    sold, surplus = np.zeros(2), 0.0
    for group, (a, b) in enumerate(((2.0, 1.9), (1.9, 2.0))):
        weights = np.exp(np.array([a - 0.25 - p, b - 0.25 - q]) / 0.25)
        sold += 0.25 / 2 * weights / (1 + weights.sum())
        alone = exp((2.0 - (p, q)[group]) / 0.25)
        sold[group] += 0.75 / 2 * alone / (1 + alone)
        surplus += 0.25 / 2 * (0.25 * log(1 + weights.sum()) + 0.75 * log(1 + alone))
    np.testing.assert_allclose(tables.profit[:, joint], (0.8 * np.array([p, q]) - 1) * sold, rtol=1e-12)
    assert tables.revenue[joint] == pytest.approx(0.2 * (p * sold[0] + q * sold[1]), rel=1e-12)
    assert tables.surplus[joint] == pytest.approx(surplus, rel=1e-12)


def test_recommendations_do_not_matter_if_all_see_both() -> None:
    tables = outcome_tables(platform_sellers(), 4, 0.0)
    for each in (*tables.profit, tables.revenue, tables.surplus):
        np.testing.assert_array_equal(each.reshape(4, -1), np.tile(each[:16], (4, 1)))


def test_sessions_equal_a_learner_in_plain_python() -> None:
    made = RecommendingPlatform(sessions=2, levels=3, decay=1e-3, stable_periods=500, profit_weight=0.4)
    world = made.world(platform_sellers())
    session = made.begin(world, np.random.SeedSequence(4))
    begun = {name: array.copy() for name, array in session.items()}
    while made.advance(world, session, 777):
        pass
    payoff = 0.4 * world.revenue + 0.6 * world.surplus
    for k in range(2):
        draw, state = Words(begun["stream"][k]), int(begun["state"][k])
        q = [begun["sellers"][k, i].tolist() for i in range(2)]
        values, visits = begun["platform"][k].tolist(), begun["visits"][k].tolist()
        t, last, greedy = 0, 0, [[row.index(max(row)) for row in rows] for rows in q]
        while t - last < 500:
            t += 1
            chosen = []
            for i in range(2):
                number, level = draw(), exp(-1e-3 * t)
                chosen.append(int(number / level * 3) if number < level else greedy[i][state])
            bounds = [v + sqrt(2 * log(t) / n) for v, n in zip(values[state], visits[state], strict=True)]
            action = bounds.index(max(bounds))
            visits[state][action] += 1
            new = (action * 3 + chosen[0]) * 3 + chosen[1]
            for i in range(2):
                aim = world.profit[i, new] + 0.95 * max(q[i][new])
                q[i][state][chosen[i]] += 0.15 * (aim - q[i][state][chosen[i]])
                best = q[i][state].index(max(q[i][state]))
                last = last if best == greedy[i][state] else t
                greedy[i][state] = best
            aim = payoff[new] + 0.95 * max(values[new])
            values[state][action] += 0.15 * (aim - values[state][action])
            state = new
        np.testing.assert_allclose(session["sellers"][k], q, rtol=1e-9)
        np.testing.assert_allclose(session["platform"][k], values, rtol=1e-9)
        assert session["clock"][k].tolist() == [t, last, 1]
    np.testing.assert_allclose(made.read(world, session)["recommended"][1].sum(axis=1), 1.0)
