"""Learning in cities against a plain Python implementation, to the bit."""

from typing import Any

import numpy as np
import pytest

from rivalry.economies.kernels import city as kernel
from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.city_learning import CityLearning, begin, chances, learn
from rivalry.economies.kernels.economy import NOT_FINITE, RUNNING, copy_agents
from rivalry.economies.kernels.economy_learning import EXPECTED, GREEDY, SARSA, EpochRule
from tests.cities import PlainDrivers, city, paths, ways
from tests.economies import rule, same

pytestmark = pytest.mark.slow

SEED = np.random.SeedSequence(11)
STAGED = {"beta": [2.0, 4.0], "beta_until": np.array([3, 2**62])}
STAGED |= {"alpha": [0.2, 0.05], "alpha_until": np.array([40, 2**62])}

RULES: dict[str, dict[str, Any]] = {
    "sarsa": {"target": SARSA},
    "greedy": {"target": GREEDY},
    "expected": {"target": EXPECTED},
    "visits": {"alpha": 1.0, "power": 1.0},
    "power": {"alpha": 0.9, "power": 0.5, "target": GREEDY},
    "stages": STAGED,
    "seldom": {"renewal": 0.4},
    "seldom stages": STAGED | {"renewal": 0.4, "target": EXPECTED},
    "every step": {"epoch": 1},
    "hot": {"beta": 0.05, "epsilon": 0.0},
    "cold": {"beta": 1e6, "epsilon": 0.0},
}
MORE: dict[str, Any] = {
    "toll": np.array([0.4, 1.0, 0.0, 1.7, 3.0]),
    "subsidy": np.array([0.0, 0.3, 1.0, 2.5, 0.0]),
    "local": 0.5,
    "coalition": (np.arange(9) % 3 > 0).astype(np.int64),
    "transfer": shapes.URGENT,
}


def start_learning(
    world: shapes.CityArrays, given: EpochRule, initial_q: float = 0.0
) -> tuple[kernel.Drivers, CityLearning]:
    return kernel.fresh(world, SEED), begin(world, given, initial_q)


def taught(world: shapes.CityArrays, learning: CityLearning) -> tuple[np.ndarray, ...]:
    """Return the learned arrays, without the flags of changed rows."""
    return learning.q[..., :-1], learning.policy, learning.visits, learning.pending, learning.made


@pytest.mark.parametrize("more", [{}, MORE], ids=["plain", "all rules"])
@pytest.mark.parametrize("streets", [paths, ways])
@pytest.mark.parametrize("name", RULES)
def test_tables_agree_with_plain_python(name: str, streets: Any, more: dict[str, Any]) -> None:
    world, given = city(streets=streets, **more), rule(**{"beta": 2.0} | RULES[name])
    drivers, learning = start_learning(world, given, -3.0)
    plain = PlainDrivers(world, drivers, given, -3.0)
    entries = plain.q.shape[3]
    for _ in range(6):
        for _ in range(10):
            plain.advance()
        learn(world, given, drivers, learning, kernel.no_tallies(), 10)
        assert drivers.status[0] == RUNNING
        assert drivers.karma.tolist() == plain.karma
        assert drivers.trip.tolist() == plain.trip
        assert drivers.reward.tolist() == plain.reward
        np.testing.assert_array_equal(learning.q[..., :entries], plain.q)
    if given.power:
        np.testing.assert_array_equal(learning.visits[..., :entries], plain.visits)
    law = chances(world, learning.policy)
    assert int(drivers.stream[1]) == plain.counter
    for i, row in enumerate(plain.rows):
        for state, choice in row.items():
            count = plain.counts[i][state]
            assert law[i][state][:count].tolist() == choice.shares
            assert not law[i][state][count:].any()


@pytest.mark.parametrize("streets", [paths, ways])
@pytest.mark.parametrize("name", RULES)
def test_results_do_not_depend_on_chunks_copies_or_lazy_updates(name: str, streets: Any) -> None:
    """Chunks with copies in between, and all policy rows recomputed at the end of every epoch."""
    world, found, given = city(streets=streets), [], rule(**{"beta": 2.0} | RULES[name])
    for all_rows, chunks in ((False, [210]), (False, [1, 6, 93, 110]), (True, [7] * 30)):
        drivers, learning = start_learning(world, given)
        for steps in chunks:
            drivers, learning = copy_agents(drivers), CityLearning(*(part.copy() for part in learning))
            learning.q[..., -1] = 1.0 if all_rows else learning.q[..., -1]
            learn(world, given, drivers, learning, kernel.no_tallies(), steps)
        found.append((*drivers, *taught(world, learning)))
    same(found[0], found[1])
    same(found[0], found[2])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("streets", [paths, ways])
def test_a_value_that_is_not_finite_stops_the_run(bad: float, streets: Any) -> None:
    """The run stops at the step of the update and stays stopped."""
    world, given = city(streets=streets), rule(epoch=1000)
    drivers, learning = start_learning(world, given)
    learn(world, given, drivers, learning, kernel.no_tallies(), 30)
    learning.q[..., :-1] = bad
    for _ in range(2):
        learn(world, given, drivers, learning, kernel.no_tallies(), 30)
        assert drivers.status.tolist() == [NOT_FINITE, 30]
        assert drivers.clock[0] == 30


def test_policies_are_softmax() -> None:
    """Against SciPy, in single precision."""
    from scipy.special import softmax

    world = city(2, 14)
    given, rng = rule(beta=5.0, epsilon=0.1), np.random.default_rng(1)
    learning = begin(world, given)
    learning.q[..., :15] = rng.normal(size=(*learning.q.shape[:3], 15))
    learning.q[..., -1] = 1.0
    learn(world, given._replace(epoch=1), kernel.fresh(world, SEED), learning, kernel.no_tallies(), 1)
    law = chances(world, learning.policy)
    for k in range(15):
        expected = 0.9 * softmax(5.0 * learning.q[:, :-1, k, : k + 1].astype(float), axis=-1) + 0.1 / (k + 1)
        np.testing.assert_allclose(law[:, :-1, k, : k + 1], expected, atol=2e-7)
    assert (law[:, -1, :, 0] == 1).all()


def test_the_value_of_a_route_option_is_that_of_the_next_bid() -> None:
    """At step size 1, an option's value equals the undiscounted value of the bid that follows, to the bit."""
    world, given = city(streets=ways), rule(alpha=1.0, epoch=1000)
    drivers, learning = start_learning(world, given)
    places, checked = world.lane.shape[1], 0
    for _ in range(200):
        at, rows, levels = drivers.spot.copy(), learning.q.shape[1], world.most + 1
        before, trip, karma = learning.q.copy(), drivers.trip.copy(), drivers.karma.copy()
        learn(world, given, drivers, learning, kernel.no_tallies(), 1)
        for i in np.flatnonzero(at < -1):
            row = (i * rows + trip[i] * (places + 2) + places - 2 - at[i]) * levels + karma[i]
            own = slice(row, row + 1)
            was = before.reshape(-1, before.shape[3])[own, :3]
            new = learning.q.reshape(-1, before.shape[3])[own, :3]
            bid = learning.q.reshape(-1)[learning.pending[i]]
            assert np.isin(new[new != was], bid).all()
            checked += int((new != was).sum())
    assert checked > 50


def test_step_size_one_over_visits_learns_means() -> None:
    """Without karma, with admission probability 1/2 and discount factor 0: Q = -u/2."""
    one = {"begins": np.zeros(1, dtype=np.int64), "lane": np.zeros((1, 1), dtype=np.int64)}
    one |= {"after": np.full((1, 1), -1), "back": np.zeros((1, 1), dtype=np.int64)}
    one |= {"options": np.zeros((1, 0, 0), dtype=np.int64), "journeys": np.zeros((200, 1), dtype=np.int64)}
    law = np.array([0.5, 1.0, 1.0])
    world = city(
        200, 1, karma=np.zeros(200, dtype=np.int64), discount=np.zeros(2), stakes=np.array([[1.0, 5.0]] * 2),
        trip_chain=np.tile(law, (2, 3, 1)), first=np.tile(law, (2, 1)), capacity=np.array([100]),
        toll=np.zeros(1), subsidy=np.zeros(1), **one,
    )  # fmt: skip
    for target in (SARSA, GREEDY, EXPECTED):
        given = rule(alpha=1.0, power=1.0, target=target)
        drivers, learning = start_learning(world, given)
        learn(world, given, drivers, learning, kernel.no_tallies(), 4000)
        mean = learning.q[:, :2, 0, 0].mean(axis=0)
        np.testing.assert_allclose(mean, [-0.5, -2.5], atol=5 * 2.5 / np.sqrt(200 * 2000))
