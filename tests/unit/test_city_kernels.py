"""Simulation of cities against a plain Python implementation, closed forms and distributions."""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rivalry.economies.kernels import city as kernel
from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.city_learning import chances, entry_counts, policy_rows
from rivalry.economies.kernels.economy import RUNNING, UNBALANCED, copy_agents
from tests.cities import PlainCity, city, paths, ways
from tests.economies import Row, assert_same_without_compilation, same

pytestmark = pytest.mark.slow

SEED = np.random.SeedSequence(5)
SOME = (np.arange(9) % 3 > 0).astype(np.int64)
TOLL = np.array([0.4, 1.0, 0.0, 1.7, 3.0])
SUBSIDY = np.array([0.0, 0.3, 1.0, 2.5, 0.0])

RULES: list[dict[str, Any]] = [
    {"tie": tie, "price": price, "uncontended": uncontended}
    for tie, price, uncontended in itertools.product(
        (shapes.COIN, shapes.LOWEST_INDEX),
        (shapes.OWN_BID, shapes.HIGHEST_REFUSED, shapes.LOWEST_ADMITTED),
        (1, 0),
    )
]
RULES += [
    {"toll": TOLL},
    {"subsidy": SUBSIDY},
    {"local": 0.6},
    {"local": 1.0, "dormant_share": 0},
    {"toll": TOLL, "subsidy": SUBSIDY, "local": 0.5, "uncontended": 0},
    {"dormant_share": 0},
    {"karma": np.full(9, 4)},
    {"karma": np.zeros(9, dtype=np.int64)},
    {"capacity": np.array([0, 2, 1, 9, 1])},
    {"coalition": SOME},
    {"coalition": SOME, "transfer": shapes.EVEN},
    {"coalition": SOME, "transfer": shapes.URGENT, "dormant_share": 0},
    {"coalition": np.ones(9, dtype=np.int64), "transfer": shapes.URGENT, "subsidy": SUBSIDY},
]
RULES += [
    {"award": award, "tie": tie}
    for award, tie in itertools.product(
        (shapes.BY_COIN, shapes.BY_STAKE, shapes.BY_TURN, shapes.BY_TOLL), (shapes.COIN, shapes.LOWEST_INDEX)
    )
]


def name_of(rules: dict[str, Any]) -> str:
    return "-".join(f"{key}_{value}" if np.ndim(value) == 0 else key for key, value in rules.items())


def random_chances(world: shapes.CityArrays, seed: int = 0) -> np.ndarray:
    """Draw random probabilities ``[agent row karma entry]``."""
    counts = entry_counts(world)[..., None]
    entry = np.arange(max(world.most + 1, world.options.shape[2]))
    table = np.random.default_rng(seed).gamma(0.5, size=(*counts.shape[:3], len(entry))) * (entry < counts)
    found: np.ndarray = table / table.sum(axis=-1, keepdims=True)
    return found


def row_of(given: np.ndarray) -> Row:
    """Return a row of probabilities ``[entry]`` with the rounding of a float32 policy."""
    last = int(np.flatnonzero(given).max()) + 1
    summed = np.minimum(np.cumsum(given), 1.0).astype(np.float32).astype(float)[:last]
    summed[-1] = 1.0
    return Row(summed.tolist(), int(given.argmax()), float(given.max()))


def advance(plain: PlainCity, given: np.ndarray) -> None:
    """Take a step by the given probabilities, or by a rule without bids."""
    plain.draw()
    everybody = range(plain.count)
    for i in everybody:
        if plain.spot[i] < -1:
            row, lot = row_of(given[i, plain.row(i), plain.karma[i]]), plain.words(1)[0] >> 32
            bids = plain.city.award == shapes.BIDS
            plain.turn(i, row.sample(lot) if bids else lot * len(row.summed) >> 32)
    if plain.city.award != shapes.BIDS:
        plain.step([0] * plain.count)
        return
    own = [row_of(given[i, plain.row(i), plain.karma[i]]) for i in everybody]
    plain.step([row.sample(lot >> 32) for row, lot in zip(own, plain.own, strict=True)])


@pytest.mark.parametrize("streets", [paths, ways])
@pytest.mark.parametrize("rules", RULES, ids=name_of)
def test_every_rule_agrees_with_plain_python_step_by_step(streets: Any, rules: dict[str, Any]) -> None:
    """Agents and tallies equal those of the plain implementation, and karma is conserved."""
    world = city(streets=streets, **rules)
    given = random_chances(world)
    policy = policy_rows(world, given)
    if world.award != shapes.BIDS:
        policy = np.zeros((0, 0, 0, policy.shape[3]), dtype=np.float32)
    drivers, tallied = kernel.fresh(world, SEED), kernel.tallies(world, each=True)
    plain = PlainCity(world, drivers)
    for _ in range(60):
        advance(plain, given)
        kernel.play(world, drivers, policy, tallied, 1)
        assert drivers.status[0] == RUNNING
        assert drivers.karma.tolist() == plain.karma
        assert drivers.trip.tolist() == plain.trip
        assert drivers.spot.tolist() == plain.spot
        assert drivers.reward.tolist() == plain.reward
        assert drivers.pool[0] == plain.pool
        assert int(drivers.karma.sum() + drivers.pool[0]) == world.karma.sum()
        assert drivers.karma.min() >= 0
        assert drivers.karma.max() <= world.most
    assert (drivers.asked.tolist(), drivers.passed.tolist()) == (plain.asked, plain.passed)
    assert int(drivers.stream[1]) == plain.counter
    for name, found in tallied._asdict().items():
        if name in ("chances", "rewards"):
            np.testing.assert_allclose(found, plain.sums[name], rtol=1e-12, atol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(found, plain.sums[name], err_msg=name)


def test_results_do_not_depend_on_chunks_or_copies() -> None:
    world = city(streets=ways, toll=TOLL, subsidy=SUBSIDY, local=0.5, coalition=SOME, transfer=shapes.EVEN)
    policy, found = policy_rows(world, random_chances(world)), []
    for chunks in ([300], [1, 7, 92, 200]):
        drivers, tallied = kernel.fresh(world, SEED), kernel.tallies(world, each=True)
        for steps in chunks:
            drivers = copy_agents(drivers)
            kernel.play(world, drivers, policy, tallied, steps)
        found.append((*drivers, *tallied))
    same(*found)


def test_tallies_do_not_change_play() -> None:
    world = city()
    policy = policy_rows(world, random_chances(world))
    one, other = kernel.fresh(world, SEED), kernel.fresh(world, SEED)
    kernel.play(world, one, policy, kernel.tallies(world), 500)
    kernel.play(world, other, policy, kernel.no_tallies(), 500)
    same(one, other)


def test_unconserved_karma_stops_the_run() -> None:
    world = city()
    drivers, policy = kernel.fresh(world, SEED), policy_rows(world, random_chances(world))
    kernel.play(world, drivers, policy, kernel.no_tallies(), 20)
    supply, drivers.stream[1] = kernel.fresh(world, SEED).karma.sum(), drivers.stream[1]
    assert drivers.karma.sum() + drivers.pool[0] == supply
    drivers.karma[np.argmin(drivers.karma)] += 1
    kernel.play(world, drivers, policy, kernel.no_tallies(), 20)
    assert drivers.status.tolist() == [UNBALANCED, 20]
    assert drivers.clock[0] == 21


def test_bids_and_trips_follow_their_distributions() -> None:
    """Chi-squared tests of bids, trip transitions and first trips."""
    world = city(900, karma=np.full(900, 2), capacity=np.full(5, 900), stakes=np.zeros((2, 2)))
    given = random_chances(world)
    given[:] = given[0]
    drivers, policy = kernel.fresh(world, SEED), policy_rows(world, given)
    counts, first = np.zeros((2, 5, 5)), np.zeros((2, 5))
    np.add.at(first, (world.type_of, drivers.trip), 1)
    bids, expected = np.zeros(5), np.zeros(5)
    for _ in range(60):
        before, tallied = drivers.trip.copy(), kernel.tallies(world, each=True)
        kernel.play(world, drivers, policy, tallied, 1)
        ended = (tallied.trips > 0) | (before == 4)
        np.add.at(counts, (world.type_of[ended], before[ended], drivers.trip[ended]), 1)
        bids += tallied.bids.sum(axis=0)
        expected += np.einsum("rk,rkb->b", tallied.each[:, :-1].sum(axis=0), given[0, :-1])
    assert stats.chisquare(bids, expected).pvalue > 1e-4
    rows, laws = (
        np.vstack([counts.reshape(10, 5), first]),
        np.vstack([world.trip_chain.reshape(10, 5), world.first]),
    )
    for found, law in zip(rows, laws, strict=True):
        assert found.sum() > 0
        assert stats.chisquare(found, np.diff(law, prepend=0.0) * found.sum()).pvalue > 1e-4


@pytest.mark.parametrize("award", [shapes.BIDS, shapes.BY_COIN])
def test_all_sets_of_tied_agents_are_equally_likely(award: int) -> None:
    """Five agents without karma request one lane of capacity two: ten equally likely pairs."""
    one = {"begins": np.zeros(1, dtype=np.int64), "lane": np.zeros((1, 1), dtype=np.int64)}
    one |= {"after": np.full((1, 1), -1), "back": np.zeros((1, 1), dtype=np.int64)}
    one |= {"options": np.zeros((1, 0, 0), dtype=np.int64), "journeys": np.zeros((5, 1), dtype=np.int64)}
    law = np.array([0.5, 1.0, 1.0])
    world = city(
        5, karma=np.zeros(5, dtype=np.int64), trip_chain=np.tile(law, (2, 3, 1)), first=np.tile(law, (2, 1)),
        capacity=np.array([2]), toll=np.zeros(1), subsidy=np.zeros(1), award=award, **one,
    )  # fmt: skip
    drivers, policy = kernel.fresh(world, SEED), policy_rows(world, random_chances(world))
    pairs = dict.fromkeys(itertools.combinations(range(5), 2), 0)
    for _ in range(4000):
        before = drivers.passed.copy()
        kernel.play(world, drivers, policy, kernel.no_tallies(), 1)
        pairs[tuple(np.flatnonzero(drivers.passed - before).tolist())] += 1  # type: ignore[index]
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-4


def test_policy_storage_is_invertible() -> None:
    for streets in (paths, ways):
        world = city(streets=streets)
        given = random_chances(world)
        np.testing.assert_allclose(chances(world, policy_rows(world, given)), given, atol=2e-7)


SCRIPT = """
import numpy as np
from tests.cities import city, paths, ways
from tests.economies import rule
from rivalry.economies.kernels import city as kernel, city_learning
from rivalry.economies.kernels import shapes
sums = {"toll": np.array([0.4, 1.0, 0.0, 1.7, 3.0]), "local": 0.5}
sums |= {"subsidy": np.array([0.0, 0.3, 1.0, 2.5, 0.0])}
alike = {"coalition": np.array([1, 1, 1, 0, 0, 0]), "transfer": shapes.URGENT, "dormant_share": 0}
for number, streets, more in ((0, paths, {}), (1, ways, sums), (2, paths, sums | alike)):
    world = city(6, 3, streets=streets, price=number, **more)
    drivers = kernel.fresh(world, np.random.SeedSequence(2))
    tallied = kernel.tallies(world, each=True)
    learns = rule(target=number, power=0.75 if number == 1 else 0.0, renewal=0.6 if number == 2 else 1.0)
    learning = city_learning.begin(world, learns)
    city_learning.learn(world, learns, drivers, learning, tallied, 40)
    policy = city_learning.policies_of(world, learning, np.arange(6))
    kernel.play(world, drivers, policy, tallied, 20)
    city_learning.play(world, drivers, learning, tallied, 20)
    turns = world._replace(award=shapes.BY_TURN)
    kernel.play(turns, drivers, policy, tallied, 20)
    for part in (*drivers, *learning, *tallied):
        print(part.tobytes().hex())
"""


def test_results_do_not_depend_on_compilation() -> None:
    """Simulation and learning without compilation give the same results to the bit."""
    assert_same_without_compilation(SCRIPT)
