"""Values of policies and of best responses in measured city environments, against dense linear algebra."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.city import tallies
from rivalry.economies.kernels.city_learning import entry_counts
from rivalry.economies.kernels.city_values import LaneEnvironment, evaluate
from rivalry.economies.learning.city_drivers import Streets
from rivalry.economies.learning.city_gains import Gains, gains_record, measured_environment, refusal
from rivalry.economies.learning.city_simulation import CitySimulation
from tests.cities import city, paths, ways
from tests.unit.test_city_kernels import random_chances

pytestmark = pytest.mark.slow


def random_environment(world: shapes.CityArrays, seed: int = 3) -> LaneEnvironment:
    """Draw admission probabilities that rise with bids, and redistributions that do not lower karma."""
    rng, levels, lanes = np.random.default_rng(seed), world.most + 1, len(world.capacity)
    shared = np.triu(rng.dirichlet(np.ones(levels), size=(lanes + 1, levels)))
    return LaneEnvironment(
        admission=np.sort(rng.random((lanes, levels)), axis=1),
        charged=rng.random((lanes, levels)),
        shared=shared / shared.sum(axis=2, keepdims=True),
    )


class Dense(NamedTuple):
    """An agent's Markov decision process with states ``row * levels + karma``."""

    reward: np.ndarray  # [state choice]
    goes: np.ndarray  # [state choice state]: transition probabilities, discounted where a step is taken
    legal: np.ndarray  # [state choice]
    used: np.ndarray  # [state]

    def own(self, chances: np.ndarray) -> np.ndarray:
        """Return the values of a policy ``[state choice]``."""
        goes = np.einsum("sa,sat->st", chances, self.goes)
        return np.linalg.solve(np.eye(len(goes)) - goes, (chances * self.reward).sum(axis=1))

    def best(self) -> np.ndarray:
        """Return the optimal values, by policy iteration."""
        choice = np.zeros(len(self.reward), dtype=np.int64)
        while True:
            values = self.own(np.eye(self.reward.shape[1])[choice])
            worths = np.where(self.legal, self.reward + self.goes @ values, -np.inf)
            better = worths.max(axis=1) > np.take_along_axis(worths, choice[:, None], 1)[:, 0] + 1e-11
            if not better.any():
                return values
            choice = np.where(better, worths.argmax(axis=1), choice)


def dense(world: shapes.CityArrays, around: LaneEnvironment, i: int) -> Dense:
    kind, levels, urgencies = world.type_of[i], world.most + 1, world.stakes.shape[1]
    places, gamma = world.lane.shape[1], float(world.discount[kind])
    spots, dormancy = places + world.options.shape[1], world.trip_chain.shape[1] - 1
    counts = entry_counts(world)[i].ravel()
    legal = np.arange(max(levels, world.options.shape[2])) < counts[:, None]
    reward, goes = np.zeros(legal.shape), np.zeros((*legal.shape, len(counts)))
    used = np.zeros(len(counts), dtype=bool)

    def number(trip: int, spot: int) -> int:
        return (trip * spots + (spot if spot >= 0 else places - 2 - spot)) * levels

    def ahead(trip: int, spot: int) -> np.ndarray:
        """Return state probabilities by karma after redistribution, ``[karma state]``."""
        found, eye = np.zeros((levels, len(counts))), np.eye(levels)
        if spot != -1:
            found[:, number(trip, spot) : number(trip, spot) + levels] = eye
            return found
        for after, chance in enumerate(np.diff(world.trip_chain[kind, trip], prepend=0.0)):
            begin = 0
            if after < dormancy:
                begin = int(world.begins[world.journeys[i, after // urgencies]])
            found[:, number(after, begin) : number(after, begin) + levels] += chance * eye
        return found

    def toll(lane: int, k: int) -> np.ndarray:
        """Return the distribution of karma after the toll."""
        whole, found = int(world.toll[lane]), np.zeros(levels)
        found[max(k - whole, 0)] += 1 - (world.toll[lane] - whole)
        found[max(k - whole - 1, 0)] += world.toll[lane] - whole
        return found

    for trip in range(dormancy):
        journey, stake = world.journeys[i, trip // urgencies], world.stakes[kind, trip % urgencies]
        for junction, options in enumerate(world.options[journey]):
            for k in range(levels):
                state = number(trip, -2 - junction) + k
                used[state] = options[0] >= 0
                for n, option in enumerate(options[options >= 0]):
                    goes[state, n, number(trip, int(option)) + k] = 1.0
        last = max(
            (p for p in range(places) if world.after[journey, p] != -1 or world.back[journey, p]), default=0
        )
        for place in range(last + 1):
            lane = int(world.lane[journey, place])
            on = around.shared[lane] @ ahead(trip, int(world.after[journey, place]))
            stay = around.shared[lane] @ ahead(trip, int(world.back[journey, place]))
            for k in range(levels):
                state = number(trip, place) + k
                used[state] = True
                for b in range(k + 1):
                    odds, pays = around.admission[lane, b], around.charged[lane, b]
                    reward[state, b] = -(1 - odds) * stake
                    passed = (pays * toll(lane, k - b) + (1 - pays) * toll(lane, k)) @ on
                    goes[state, b] = gamma * (odds * passed + (1 - odds) * stay[k])
    rest = around.shared[-1] @ ahead(dormancy, -1)
    for k in range(levels):
        goes[number(dormancy, 0) + k, 0], used[number(dormancy, 0) + k] = gamma * rest[k], True
    return Dense(reward, goes, legal, used)


@pytest.mark.parametrize("toll", [0.0, 1.3])
@pytest.mark.parametrize("streets", [paths, ways])
def test_values_agree_with_linear_algebra(streets: Any, toll: float) -> None:
    world = city(6, streets=streets, toll=np.full(5, toll))
    around, chances = random_environment(world), random_chances(world)
    for tolerance in (1e-2, 1e-9):
        found = evaluate(world, around, chances, tolerance)
        for i in range(6):
            process = dense(world, around, i)
            own = process.own(chances[i].reshape(len(process.used), -1))
            values = (found.own[i].ravel(), own), (found.best[i].ravel(), process.best())
            for ours, exact in values:
                assert np.abs(ours - exact)[process.used].max() <= found.error[i] + 1e-11
            assert found.error[i] <= 5 * tolerance / (1 - world.discount[i % 2])
            assert (found.best[i] >= found.own[i] - 2 * found.error[i])[process.used.reshape(-1, 5)].all()


def test_too_few_sweeps_give_an_infinite_error() -> None:
    world = city(2)
    found = evaluate(world, random_environment(world), random_chances(world), 1e-9, 3)
    assert np.isinf(found.error).all()


def test_junctions_of_one_option_do_not_change_values() -> None:
    """Compare paths with and without junctions that offer one option."""
    plain = city(4)
    turned = plain._replace(
        begins=np.full(4, -2),
        options=np.zeros((4, 1, 1), dtype=np.int64),
        back=np.where(plain.back > 0, plain.back, -2),
    )
    around = random_environment(plain)
    plain_rows, rows = np.arange(12).reshape(4, 3), np.arange(16).reshape(4, 4)
    chances = random_chances(plain)
    wider = np.zeros((4, 17, 5, 5))
    wider[:, rows[:, :3]], wider[:, -1] = chances[:, plain_rows], chances[:, -1]
    wider[:, rows[:, 3], :, 0] = 1.0
    one, other = evaluate(plain, around, chances, 1e-10), evaluate(turned, around, wider, 1e-10)
    for a, b in ((one.own, other.own), (one.best, other.best)):
        used = a[:, plain_rows] != 0
        np.testing.assert_allclose(b[:, rows[:, 3]], b[:, rows[:, 0]], atol=1e-15)
        np.testing.assert_allclose(b[:, rows[:, 0]], a[:, plain_rows[:, 0]], atol=1e-7)
        assert used.any()


def test_payoffs_agree_with_simulated_rewards() -> None:
    """On average over visited states V - gamma V' is the reward, up to small effects of queues."""
    game = rv.games.city(network="stubs_2x2", agents=60, max_karma=6, mean_karma=3)
    found = rv.solve(game, CitySimulation(plays="uniform", evaluation=10_000)).record
    payoff = (1 - 0.98) * np.asarray(found["agent_payoff"][1])
    seen = np.asarray(found["agent_reward"][1])
    assert abs(payoff.mean() / seen.mean() - 1) < 0.02
    assert np.corrcoef(payoff, seen)[0, 1] > 0.95


# the measured environment


def test_environment_of_unused_lanes_and_unobserved_karma() -> None:
    """Unused lanes admit everybody; unobserved karma follows all lanes together, or does not change."""
    world = city(6, 3, uncontended=0)
    tallied = tallies(world)
    tallied.wanted[0], tallied.free[0] = 4, 1
    tallied.chances[0] = [0.0, 1.0, 2.0, 4.0]
    tallied.shared[0, 1] = [0, 3, 1, 0]
    found = measured_environment(world, tallied)
    np.testing.assert_allclose(found.admission[0], [0.0, 0.25, 0.5, 1.0])
    np.testing.assert_array_equal(found.admission[1:], 1.0)
    # a quarter of the requests met room for all: they pay nothing, whatever they bid
    np.testing.assert_allclose(found.charged[0], [0.0, 0.0, 0.5, 0.75])
    np.testing.assert_array_equal(found.charged[1:], 0.0)
    np.testing.assert_allclose(found.shared[:, 1], [[0, 0.75, 0.25, 0]] * 6)
    np.testing.assert_array_equal(found.shared[:, [0, 2, 3]], [np.eye(4)[[0, 2, 3]]] * 6)
    charged = measured_environment(world._replace(uncontended=1), tallied).charged
    np.testing.assert_array_equal(charged, 1.0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"price": shapes.HIGHEST_REFUSED}, "what a bid costs is known only"),
        ({"price": shapes.LOWEST_ADMITTED}, "what a bid costs is known only"),
        ({"tie": shapes.LOWEST_INDEX}, "only where a coin decides"),
    ],
)
def test_rules_under_which_gains_are_unknown(changed: dict[str, int], words: str) -> None:
    assert refusal(city()) == ""
    assert words in refusal(city(**changed))


def test_means_of_gains_exclude_agents_without_a_value() -> None:
    game = rv.games.city(network="stubs_2x2", agents=4, max_karma=2, mean_karma=1, capacity=1)
    streets, nan = Streets(game, game.world()), np.nan
    largest = np.array([1.0]), np.array([0.1]), np.array([4.0])
    found = Gains(np.array([-2.0, nan, -4.0, nan]), np.array([1.0, nan, 0.5, nan]), np.zeros(4), *largest)
    record = {name: array for name, (_, array) in gains_record(streets, found).items()}
    assert (record["payoff"].tolist(), record["exploitability"].tolist()) == ([-3.0], [0.75])
    assert record["relative_exploitability"].tolist() == [0.25]
    assert record["regret"].tolist() == [1.0]  # the largest gain of an agent
    nobody = Gains(np.full(4, nan), np.full(4, nan), np.zeros(4), *largest)
    assert gains_record(streets, nobody) == {}
