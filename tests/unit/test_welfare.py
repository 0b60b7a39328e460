"""Inequality of costs, costs of classes under other rules, and the Pareto comparison that is drawn."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr

import rivalry as rv
from rivalry.core.welfare import gini, welfare_record, worst_decile
from rivalry.economies.karma.benchmarks import AT_RANDOM, TOLL, costs_without_karma

TYPES: list[dict[str, Any]] = [
    {"name": "low", "count": 10},
    {"name": "high", "count": 20, "urgencies": [1.0, 9.0], "chain": [0.25, 0.75]},
]


@pytest.mark.parametrize("seed", range(4))
def test_inequality_is_that_of_agents_listed_one_by_one(seed: int) -> None:
    """By differences of all pairs, and by the sorted list of the dearest tenth."""
    rng = np.random.default_rng(seed)
    cost, number = rng.exponential(size=7), rng.integers(1, 9, size=7)
    number[0] += -number.sum() % 10
    everyone = np.repeat(cost, number)
    pairs = abs(everyone[:, None] - everyone).mean() / 2 / everyone.mean()
    assert gini(cost, number.astype(float)) == pytest.approx(pairs, rel=1e-12)
    worst = np.sort(everyone)[-len(everyone) // 10 :]
    assert worst_decile(cost, number.astype(float)) == pytest.approx(worst.mean(), rel=1e-12)
    record = welfare_record(
        everyone, np.ones(len(everyone)), np.repeat(np.arange(7), number), list("abcdefgh")
    )
    np.testing.assert_allclose(record["class_cost"][1], [*cost, np.nan], rtol=1e-12)
    assert gini(np.zeros(3), np.ones(3)) == 0


def test_costs_without_karma_are_those_of_all_meetings() -> None:
    """Every pair of two of five agents and their urgencies, by enumeration."""
    stakes, chances = np.array([[1.0, 5.0], [2.0, 9.0]]), np.array([[0.5, 0.5], [0.2, 0.8]])
    kinds = np.array([0, 0, 1, 1, 1])
    coin, toll, revenue = np.zeros(5), np.zeros(5), 0.0
    for i, j in product(range(5), repeat=2):
        for z, y in product(range(2), repeat=2) if i != j else ():
            chance = chances[kinds[i], z] * chances[kinds[j], y] / 4
            own, other = stakes[kinds[i], z], stakes[kinds[j], y]
            coin[i] += chance * own / 2
            if own == other:
                toll[i] += chance * (own + other) / 2  # lost, or paid
                revenue += chance * other / 2 / 5
            elif own > other:
                toll[i] += chance * other
                revenue += chance * other / 5
            else:
                toll[i] += chance * own
    place = np.array([[1.0, 2.0], [0.0, 3.0]])  # rewards of being served
    costs = costs_without_karma(np.stack([place - stakes, place]), chances, np.array([0.4, 0.6]), agents=5)
    coin, toll = (cost - (chances * place).sum(axis=1)[kinds] for cost in (coin, toll))
    np.testing.assert_allclose(costs[AT_RANDOM], coin[[0, 2]], rtol=1e-12)
    np.testing.assert_allclose(costs[TOLL], (toll - revenue)[[0, 2]], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("rules", [{"participants": 3}, {"served_chain": [1.0, 0.0]}])
def test_rules_without_karma_are_compared_in_pairs_with_one_chain(rules: dict[str, Any]) -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0, **rules)
    for method, start in ((rv.methods.Evaluate(), "uniform"), (rv.methods.Simulation(plays="coin"), None)):
        data = rv.solve(game, method, start=start).data
        assert "class_cost" in data
        assert "benchmark_cost" not in data


@pytest.mark.slow
def test_a_simulated_coin_costs_what_random_access_does() -> None:
    """A t interval over 8 replications, widened to a probability of error of 1e-4."""
    game = rv.games.karma(types=TYPES, max_karma=4, mean_karma=2.0)
    gains = []
    for seed in range(8):
        data = rv.solve(game, rv.methods.Simulation(plays="coin", evaluation=2000), seed=seed).data
        gains.append((data.benchmark_cost[0] - data.class_cost).values)
        cost = -data.agent_reward.values
        assert float(data.gini) == pytest.approx(abs(cost[:, None] - cost).mean() / 2 / cost.mean())
        np.testing.assert_allclose(data.class_cost, [cost[:10].mean(), cost[10:].mean()])
    error = np.std(gains, axis=0, ddof=1) / np.sqrt(8)
    assert np.all(abs(np.mean(gains, axis=0)) < 7.1 * error)
    assert data.class_name.values.tolist() == ["low", "high"]


def queue_costs(high: list[float], rule: str) -> np.ndarray:
    """Mean costs of agents who queue for one place per step, by the stationary distribution of urgencies.

    Every second trip drawn is a step of dormancy; the others have an urgency of 1 or a high one.
    """
    count = len(high)
    states = list(product(range(3), repeat=count))
    chain, cost = np.zeros((len(states), len(states))), np.zeros((len(states), count))
    for s, state in enumerate(states):
        urgency = np.choose(state, [np.zeros(count), np.ones(count), high])
        waiting = np.flatnonzero(urgency)
        highest = urgency == urgency.max()
        first = np.flatnonzero(highest) if rule == "toll" and len(waiting) else waiting
        for winner in first if len(first) else [-1]:
            part = 1 / max(len(first), 1)
            loses = np.arange(count) != winner
            paid = urgency[loses].max() if rule == "toll" else 0.0
            cost[s] += part * (np.where(loses, urgency, paid) - paid / count)
            draws = [[0, 1, 2] if trip == 0 or k == winner else [trip] for k, trip in enumerate(state)]
            for after in product(*draws):
                chances = [
                    [0.5, 0.25, 0.25][n] for n, each in zip(after, draws, strict=True) if len(each) > 1
                ]
                chain[s, states.index(after)] += part * np.prod(chances)
    share = np.linalg.lstsq(
        np.vstack([chain.T - np.eye(len(states)), np.ones(len(states))]), np.eye(len(states) + 1)[-1]
    )[0]
    return np.asarray(share @ cost)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["coin", "toll"])
def test_a_queue_for_one_lane_costs_what_its_chain_says(rule: str) -> None:
    """A t interval over 8 replications, widened to a probability of error of 1e-4."""
    high = [2.0, 5.0, 9.0]
    lane = {"lanes": [["a", "b"]], "origins": ["a"], "destinations": ["b"]}
    types = [{"name": f"{value:g}", "count": 1, "urgencies": [1.0, value]} for value in high]
    game = rv.games.city(network=lane, capacity=1, p_dormant=0.5, paths_per_agent=1, types=types)
    method = rv.methods.CitySimulation(plays=rule, evaluation=4000)
    data = [rv.solve(game, method, seed=seed).data for seed in range(8)]
    costs = np.array([part.class_cost.values for part in data])
    error = costs.std(axis=0, ddof=1) / np.sqrt(8)
    assert np.all(abs(costs.mean(axis=0) - queue_costs(high, rule)) < 7.1 * error)
    assert data[0].class_name.values.tolist() == ["2", "5", "9"]


def test_pairs_of_a_network_gain_by_tolls_that_are_shared() -> None:
    """Two pairs share one of two parallel roads: everything by hand."""
    links = {"from": ["s", "s", "r"], "to": ["t", "t", "s"], "cost": ["x", "1", "2"]}
    game = rv.games.routes(links=links, demand={"s>t": 0.6, "r>t": 0.4})
    data = rv.solve(game, rv.methods.SystemOptimum()).data
    # half of all take the congested road at the optimum, at a toll of 1/2; in equilibrium all take it
    from_start, revenue = {"s>t": 0.0, "r>t": 2.0}, 0.25
    base = np.array([from_start[name] for name in data.class_name.values])
    np.testing.assert_allclose(data.benchmark_cost, [base + 1, base + 1], atol=1e-7)
    np.testing.assert_allclose(data.class_cost, base + 1 - revenue, atol=1e-7)
    assert float(data.class_share @ data.class_cost) == pytest.approx(float(data.travel_cost))
    assert float(data.gini) == pytest.approx(0.6 * 0.4 * 2 / 1.55)
    equilibrium = rv.solve(game, rv.methods.UserEquilibrium()).data
    np.testing.assert_allclose(equilibrium.class_cost, base + 1, atol=1e-7)
    assert float(equilibrium.worst_decile) == pytest.approx(3)


def costs_of(*, replications: int, sampled: bool) -> xr.Dataset:
    rng = np.random.default_rng(1)
    cost = np.array([[1.0, 3.0, 2.0]] * replications) + 0.01 * rng.standard_normal((replications, 3))
    benchmark = np.tile([[2.0, 2.0, 2.0]], (replications, 1, 1))
    data = {
        "class_cost": (("replication", "class"), cost),
        "class_name": ("class", ["a", "b", "c"]),
        "benchmark_cost": (("replication", "benchmark", "class"), benchmark),
        "benchmark_name": ("benchmark", ["coin"]),
    }
    if sampled:
        data["agent_reward"] = (("replication", "agent"), np.zeros((replications, 2)))
    return xr.Dataset(data)


def legend_of(data: xr.Dataset, **options: Any) -> list[str]:
    """Texts of the chart's legend, without the ends of their lines."""
    texts = rv.plots.class_gains(data, **options).get_legend().get_texts()
    return [" ".join(text.get_text().split()) for text in texts]


@pytest.mark.parametrize(
    ("replications", "sampled", "words"),
    [
        (9, True, "gain: a; lose: b; cannot tell: c"),
        (1, True, "cannot tell: a, b, c"),
        (1, False, "gain: a; lose: b, c"),
    ],
)
def test_a_pareto_comparison_claims_no_more_than_its_intervals(
    replications: int, sampled: bool, words: str
) -> None:
    assert legend_of(costs_of(replications=replications, sampled=sampled)) == [f"beside coin ({words})"]


def test_classes_are_compared_with_another_method() -> None:
    parts = [costs_of(replications=3, sampled=True).drop_dims("benchmark")] * 2
    parts[1] = parts[1].assign(class_cost=parts[1].class_cost + 1)
    data = xr.concat(parts, xr.Variable("algorithm", ["bids", "coin"]), data_vars="all")
    with pytest.raises(ValueError, match="against"):
        rv.plots.class_gains(data)
    assert legend_of(data, against="coin") == ["bids beside coin (gain: a, b, c)"]
