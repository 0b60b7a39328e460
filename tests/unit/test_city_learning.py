"""Learning in cities against a plain Python implementation, to the bit."""

from typing import Any

import numpy as np
import pytest

from rivalry.economies.kernels import city as kernel
from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.city_learning import (
    CityLearning,
    begin,
    chances,
    entry_counts,
    learn,
    play,
    policies_of,
    starts,
    values_of,
)
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


def of_all(world: shapes.CityArrays, table: np.ndarray) -> np.ndarray:
    """Return the entries of a table, ``[agent row karma entry]``."""
    return values_of(world, table, np.arange(len(table)))


def policies(world: shapes.CityArrays, learning: CityLearning) -> np.ndarray:
    return policies_of(world, learning, np.arange(len(learning.q)))


def set_values(world: shapes.CityArrays, learning: CityLearning, values: Any) -> None:
    """Set all cells of the values, but no mark."""
    start, _ = starts(world)
    marks = learning.q[..., start].copy()
    learning.q[...] = values
    learning.q[..., start] = marks


@pytest.mark.parametrize("levels", [2, 15, 16, 40])
def test_rows_of_a_block_do_not_overlap(levels: int) -> None:
    """Each holds a mark and a value per bid, and those that fit into a line of 16 cells are within one."""
    start, block = starts(city(2, levels - 1))
    cells = [np.arange(begin, begin + k + 2) for k, begin in enumerate(start)]
    assert len(np.unique(np.concatenate(cells))) == sum(map(len, cells)) <= block
    assert max(part[-1] for part in cells) < block
    assert all(part[0] // 16 == part[-1] // 16 for part in cells if len(part) <= 16)


@pytest.mark.parametrize("more", [{}, MORE], ids=["plain", "all rules"])
@pytest.mark.parametrize("streets", [paths, ways])
@pytest.mark.parametrize("name", RULES)
def test_tables_agree_with_plain_python(name: str, streets: Any, more: dict[str, Any]) -> None:
    world, given = city(streets=streets, **more), rule(**{"beta": 2.0} | RULES[name])
    drivers, learning = start_learning(world, given, -3.0)
    plain = PlainDrivers(world, drivers, given, -3.0)
    for _ in range(6):
        for _ in range(10):
            plain.advance()
        learn(world, given, drivers, learning, kernel.no_tallies(), 10)
        assert drivers.status[0] == RUNNING
        assert drivers.karma.tolist() == plain.karma
        assert drivers.trip.tolist() == plain.trip
        assert drivers.reward.tolist() == plain.reward
        legal = np.arange(plain.q.shape[3]) < entry_counts(world)[..., None]
        np.testing.assert_array_equal(of_all(world, learning.q), np.where(legal, plain.q, 0))
    if given.power:
        np.testing.assert_array_equal(of_all(world, learning.visits), plain.visits)
    law = chances(world, policies(world, learning))
    assert int(drivers.stream[1]) == plain.counter
    for i, row in enumerate(plain.rows):
        for state, choice in row.items():
            count = plain.counts[i][state]
            assert law[i][state][:count].tolist() == choice.shares
            assert not law[i][state][count:].any()


@pytest.mark.parametrize("streets", [paths, ways])
@pytest.mark.parametrize("name", RULES)
def test_results_do_not_depend_on_chunks_copies_or_numbers_of_rows(name: str, streets: Any) -> None:
    """Chunks with copies in between, and rows whose numbers soon exceed 32 bits."""
    world, found, given = city(streets=streets), [], rule(**{"beta": 2.0} | RULES[name])
    for first, chunks in ((1, [210]), (1, [1, 6, 93, 110]), (2**32 - 400, [7] * 30)):
        drivers, learning = start_learning(world, given)
        learning.first[:] = first
        for steps in chunks:
            drivers, learning = copy_agents(drivers), CityLearning(*(part.copy() for part in learning))
            learn(world, given, drivers, learning, kernel.no_tallies(), steps)
        tables = of_all(world, learning.q), policies(world, learning), learning.visits, learning.pending
        found.append((*drivers, *tables, learning.used, learning.made))
    same(found[0], found[1])
    same(found[0], found[2])


@pytest.mark.parametrize("streets", [paths, ways])
def test_policies_are_fixed_in_an_epoch_and_played_alike_from_values_and_as_a_table(streets: Any) -> None:
    world, given = city(streets=streets), rule(epoch=30)
    drivers, learning = start_learning(world, given)
    learn(world, given, drivers, learning, kernel.no_tallies(), 30)
    table, values = policies(world, learning), of_all(world, learning.q)
    learn(world, given, drivers, learning, kernel.no_tallies(), 29)
    assert (of_all(world, learning.q) != values).any()
    np.testing.assert_array_equal(policies(world, learning), table)
    found = []
    for run, policy in ((play, learning), (kernel.play, table)):
        copies, tallied = copy_agents(drivers), kernel.tallies(world, each=True)
        run(world, copies, policy, tallied, 40)
        found.append((*copies, *tallied))
    same(*found)
    learn(world, given, drivers, learning, kernel.no_tallies(), 1)
    assert (policies(world, learning) != table).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("streets", [paths, ways])
def test_a_value_that_is_not_finite_stops_the_run(bad: float, streets: Any) -> None:
    """The run stops at the step of the update and stays stopped."""
    world, given = city(streets=streets), rule(epoch=1000)
    drivers, learning = start_learning(world, given)
    learn(world, given, drivers, learning, kernel.no_tallies(), 30)
    set_values(world, learning, bad)
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
    set_values(world, learning, rng.normal(size=learning.q.shape))
    learn(world, given._replace(epoch=1), kernel.fresh(world, SEED), learning, kernel.no_tallies(), 1)
    law, values = chances(world, policies(world, learning)), of_all(world, learning.q).astype(float)
    for k in range(15):
        expected = 0.9 * softmax(5.0 * values[:, :-1, k, : k + 1], axis=-1) + 0.1 / (k + 1)
        np.testing.assert_allclose(law[:, :-1, k, : k + 1], expected, atol=2e-7)
    assert (law[:, -1, :, 0] == 1).all()


def test_the_value_of_a_route_option_is_that_of_the_next_bid() -> None:
    """At step size 1, an option's value equals the undiscounted value of the bid that follows, to the bit."""
    world, given = city(streets=ways), rule(alpha=1.0, epoch=1000)
    drivers, learning = start_learning(world, given)
    places, checked = world.lane.shape[1], 0
    for _ in range(200):
        at, rows, levels = drivers.spot.copy(), learning.q.shape[1], world.most + 1
        before, trip, karma = of_all(world, learning.q), drivers.trip.copy(), drivers.karma.copy()
        learn(world, given, drivers, learning, kernel.no_tallies(), 1)
        for i in np.flatnonzero(at < -1):
            row = (i * rows + trip[i] * (places + 2) + places - 2 - at[i]) * levels + karma[i]
            was, new = (
                table.reshape(-1, before.shape[3])[row, :3] for table in (before, of_all(world, learning.q))
            )
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
        mean = of_all(world, learning.q)[:, :2, 0, 0].mean(axis=0)
        np.testing.assert_allclose(mean, [-0.5, -2.5], atol=5 * 2.5 / np.sqrt(200 * 2000))
