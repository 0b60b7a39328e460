"""Costs under random access and tolls in a city, beside a plain NumPy program with the same journeys."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.city import City
from rivalry.lab.study.names import read_toml, studies

NAME = "city_tolls"


def costs_by_agent(game: City, rule: str, steps: int, warm_up: int, seed: int) -> np.ndarray:
    """Mean cost per step ``[agent]``: a trip is dormancy once in ten draws, else a path and an urgency."""
    rng, count, every = np.random.default_rng(seed), game.agents, np.arange(game.agents)
    lanes = np.pad(game.journeys.lane, ((0, 0), (0, 1)), constant_values=-1)
    path, place, urgency, total = (np.zeros(count, dtype=kind) for kind in (int, int, float, float))
    ends = np.ones(count, dtype=bool)
    for step in range(-warm_up, steps):
        drawn = rng.integers(2, size=(2, count))
        path = np.where(ends, game.slots[every, drawn[0]], path)
        urgency = np.where(ends, game.stakes[game.type_of, drawn[1]], urgency)
        dormant = ends & (rng.random(count) < 0.1)
        place = np.where(ends, 0, place)
        lane = np.where(dormant, len(game.capacity), lanes[path, place])
        order = np.lexsort((rng.random(count), -urgency * (rule == "toll"), lane))
        rank = np.empty(count, dtype=int)
        rank[order] = every - np.searchsorted(lane[order], lane[order])
        won = rank < np.append(game.capacity, count)[lane]
        cost = np.where(won, 0.0, urgency)
        if rule == "toll":
            price = np.zeros(len(game.capacity) + 1)
            np.maximum.at(price, lane, cost)
            paid = won * price[lane]
            cost += paid - paid.mean()
        total += cost * (step >= 0)
        place += won & ~dormant
        ends = dormant | (lanes[path, place] < 0)
    return total / steps


def summary(cost: np.ndarray) -> list[float]:
    """Mean, Gini index by differences of all pairs, mean of the dearest tenth."""
    pairs = abs(cost[:, None] - cost).mean() / 2 / cost.mean()
    return [cost.mean(), pairs, np.sort(cost)[-len(cost) // 10 :].mean()]


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["coin", "toll"])
def test_costs_are_those_of_a_plain_program(rule: str) -> None:
    """Differences of means of 6 seeds, by combined standard errors, at a probability of error of 1e-4."""
    types = [row | {"count": 40} for row in read_toml(studies()[NAME], NAME)[0]["game"]["types"]]
    game = rv.games.city(network="stubs_3x3", types=types)
    method = rv.methods.CitySimulation(plays=rule, evaluation=2000, warm_up=500)
    ours = [-rv.solve(game, method, seed=seed).data.agent_reward.values for seed in range(6)]
    theirs = [costs_by_agent(game, rule, 2000, 500, seed) for seed in range(6)]
    found = [
        np.array([[*summary(cost), *cost.reshape(3, -1).mean(axis=1)] for cost in one])
        for one in (ours, theirs)
    ]
    error = np.sqrt(sum(each.var(axis=0, ddof=1) for each in found) / 6)
    assert np.all(abs(found[0].mean(axis=0) - found[1].mean(axis=0)) < 6.2 * error)
