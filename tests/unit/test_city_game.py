"""The city game: paths and journeys, free flow against Markov chains and simulated walks, classes."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

import rivalry as rv
from rivalry.economies.city.free_flow import of_agents, slot_shares
from rivalry.economies.city.journeys import fixed_journeys
from rivalry.economies.city.model import City
from rivalry.economies.city.shortest_paths import distances, shortest
from rivalry.economies.kernels import shapes
from rivalry.population.oracles import mean_field_refusal

PLANNING: dict[str, dict[str, Any]] = {
    "none": {},
    "start": {"planning": "start"},
    "two of them": {"planning": "start", "alternatives": 2},
    "nodes": {"planning": "nodes"},
    "three shortest": {"planning": "k_shortest", "alternatives": 3},
}


def small(**changed: Any) -> City:
    """Return a city of 30 agents on a 3 x 3 grid, with the given changes."""
    given: dict[str, Any] = {"network": "plain_3x3", "max_karma": 6, "mean_karma": 3.0, "capacity": 2}
    return rv.games.city(**(given | ({} if "routes" in changed else {"agents": 30}) | changed))


def routes(game: City, agent: int) -> list[list[str]]:
    """Return the names of the lanes that each journey of an agent can use, in the order of positions."""
    rows = game.journeys.lane[game.slots[agent]]
    return [[game.network.lane_names[lane] for lane in row if lane >= 0] for row in rows]


def step(city: shapes.CityArrays, journey: int, at: int, random: np.random.Generator) -> int:
    """Return the place of a location; at a junction, a uniformly chosen option."""
    if at >= 0:
        return at
    picks = city.options[journey, -2 - at]
    return int(random.choice(picks[picks >= 0]))


def walked(
    city: shapes.CityArrays, agent: int, steps: int, random: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return how often an agent requests each lane and is dormant, in an unobstructed walk."""
    wanting, dormant = np.zeros(len(city.capacity)), 0
    law, first = city.trip_chain[city.type_of[agent]], city.first[city.type_of[agent]]
    urgencies, last = city.stakes.shape[1], len(first) - 1
    trip, journey, at = int(np.searchsorted(first, random.random(), side="right")), -1, -1
    for _ in range(steps):
        if trip == last:
            dormant += 1
        else:
            if at == -1:
                journey = int(city.journeys[agent, trip // urgencies])
                at = int(city.begins[journey])
            place = step(city, journey, at, random)
            wanting[city.lane[journey, place]] += 1
            at = int(city.after[journey, place])
        if at == -1:
            trip = int(np.searchsorted(law[trip], random.random(), side="right"))
    return wanting, dormant


def test_the_default_city_is_that_of_the_thesis() -> None:
    game = rv.games.city()
    world = game.world()
    assert world.journeys.shape == (1000, 2)
    assert (world.lane.shape, world.begins.max(), world.options.size) == ((1024, 8), 0, 0)
    assert world.capacity.tolist() == [9] * 80
    assert world.stakes.tolist() == [[1.0, 5.0]]
    assert (
        np.diff(world.trip_chain[0], prepend=0.0).round(12).tolist()
        == [[0.225, 0.225, 0.225, 0.225, 0.1]] * 5
    )
    assert (world.most, set(world.karma.tolist()), world.discount.tolist()) == (14, {9}, [0.98])
    assert (world.price, world.uncontended, world.dormant_share) == (shapes.OWN_BID, 1, 1)
    assert (world.tie, world.award, world.transfer) == (shapes.COIN, shapes.BIDS, shapes.NO_TRANSFER)
    assert not world.coalition.any()


def test_arrays_of_a_world_are_not_shared() -> None:
    game = small(planning="start")
    for name, value in game.world()._asdict().items():
        if isinstance(value, np.ndarray):
            assert value.flags.owndata, name
            assert value.flags.c_contiguous, name
            assert value.flags.writeable, name
            assert value.dtype in (np.int64, np.float64), name
            assert not np.shares_memory(value, getattr(game.world(), name)), name


def test_an_allocation_is_determined_by_its_seed() -> None:
    slots = rv.games.city(allocation=3).slots
    assert (slots == rv.games.city(allocation=3).slots).all()
    assert (slots != rv.games.city(allocation=4).slots).mean() > 0.99
    assert (slots[:200] == rv.games.city(allocation=3, agents=200).slots).all()


@pytest.mark.slow
def test_paths_are_drawn_uniformly_with_replacement() -> None:
    samples = np.concatenate([rv.games.city(allocation=seed).slots.ravel() for seed in range(20)])
    often = np.bincount(samples, minlength=1024)
    chi = ((often - len(samples) / 1024) ** 2).sum() / (len(samples) / 1024)
    assert abs(chi - 1023) < 4.5 * np.sqrt(2 * 1023)


@pytest.mark.parametrize("name", PLANNING)
@pytest.mark.parametrize("network", ["plain_3x3", "stubs_3x3"])
def test_journeys_lead_from_origin_to_destination(name: str, network: str) -> None:
    """For all choices and with occasional refusals, the lanes of a journey form a short path."""
    game = small(network=network, **PLANNING[name])
    world, lanes, random = game.world(), game.network.lanes, np.random.default_rng(0)
    away = distances(game.network)
    for agent, slot in product(range(game.agents), range(2)):
        journey = int(world.journeys[agent, slot])
        here, goal = game.ends[agent, slot]
        at, moves = int(world.begins[journey]), 0
        while at != -1:
            place = step(world, journey, at, random)
            lane = lanes[world.lane[journey, place]]
            assert lane[0] == here
            if random.random() < 0.3:
                at = int(world.back[journey, place])
                continue
            at, here, moves = int(world.after[journey, place]), lane[1], moves + 1
        assert here == goal
        assert moves == away[tuple(game.ends[agent, slot])] or name == "three shortest"


def test_agents_with_a_fixed_path_request_the_refused_lane_again() -> None:
    for planning in ("none", "start"):
        world = small(planning=planning).world()
        used = world.lane >= 0
        assert (world.back == np.where(used, np.arange(world.lane.shape[1]), -1)).all()


def test_one_alternative_is_the_same_as_no_planning() -> None:
    fixed_paths, planned = (
        small(allocation=2).world(),
        small(allocation=2, planning="start", alternatives=1).world(),
    )
    for agent, slot in product(range(30), range(2)):
        lanes = [world.lane[world.journeys[agent, slot]] for world in (fixed_paths, planned)]
        assert lanes[0][lanes[0] >= 0].tolist() == lanes[1][lanes[1] >= 0].tolist()


@pytest.mark.parametrize("planning", ["none", "nodes"])
def test_alternatives_have_no_effect_without_planning_at_the_start(planning: str) -> None:
    plain, limited = (small(planning=planning, **more) for more in ({}, {"alternatives": 2}))
    for name in ("lane", "after", "options", "begins"):
        np.testing.assert_array_equal(getattr(plain.journeys, name), getattr(limited.journeys, name))
    np.testing.assert_array_equal(plain.slots, limited.slots)


def test_alternatives_include_the_assigned_path() -> None:
    paths, alone = shortest(small().network), small(agents=60)
    game = small(agents=60, planning="start", alternatives=2)
    pair = {tuple(end): sum(1 for other in paths.ends if tuple(other) == tuple(end)) for end in paths.ends}
    for agent, slot in product(range(60), range(2)):
        journey = game.slots[agent, slot]
        picks = game.journeys.options[journey, 0]
        assert max(1, (picks >= 0).sum()) == min(2, pair[tuple(game.ends[agent, slot])])
        own = alone.journeys.lane[alone.slots[agent, slot]]
        row, size = game.journeys.lane[journey], (own >= 0).sum()
        chains = [row[pick : pick + size].tolist() for pick in (picks[picks >= 0] if len(picks) else [0])]
        assert own[own >= 0].tolist() in (chains or [row[:size].tolist()])


def by_chain(game: City, agent: int) -> tuple[np.ndarray, float, float]:
    """Return the free flow of one agent from the stationary distribution of its chain over (trip, place)."""
    world, types = game.world(), game.type_of[agent]
    urgencies, last = world.stakes.shape[1], game.first.shape[1] - 1
    states = [(last, 0)]
    for trip in range(last):
        journey = world.journeys[agent, trip // urgencies]
        states += [(trip, place) for place in range(world.lane.shape[1]) if world.lane[journey, place] >= 0]
    number = {state: k for k, state in enumerate(states)}

    def arrive(row: np.ndarray, trip: int, at: int, mass: float) -> None:
        journey = world.journeys[agent, trip // urgencies]
        if at >= 0:
            row[number[trip, at]] += mass
            return
        picks = world.options[journey, -2 - at]
        for pick in picks[picks >= 0]:
            row[number[trip, pick]] += mass / (picks >= 0).sum()

    moves = np.zeros((len(states), len(states)))
    for row, (trip, place) in zip(moves, states, strict=True):
        journey = world.journeys[agent, min(trip, last - 1) // urgencies]
        at = -1 if trip == last else int(world.after[journey, place])
        if at != -1:
            arrive(row, trip, at, 1.0)
            continue
        for following, chance in enumerate(game.trip_chain[types, trip]):
            if following == last:
                row[number[last, 0]] += chance
            elif chance > 0:
                begins = world.begins[world.journeys[agent, following // urgencies]]
                arrive(row, following, int(begins), chance)
    system = np.vstack([moves.T - np.eye(len(states)), np.ones(len(states))])
    law = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    wanting = np.zeros(len(world.capacity))
    for (trip, place), mass in zip(states[1:], law[1:], strict=True):
        wanting[world.lane[world.journeys[agent, trip // urgencies], place]] += mass
    ended = sum(
        mass
        for (trip, place), mass in zip(states[1:], law[1:], strict=True)
        if world.after[world.journeys[agent, trip // urgencies], place] == -1
    )
    return wanting, float(law[0]), float(ended)


UNEVEN = {
    "types": [
        {
            "name": "a",
            "share": 0.5,
            "urgencies": [1.0, 5.0],
            "urgency_distribution": [0.3, 0.7],
            "p_dormant": 0.4,
        },
        {
            "name": "b",
            "share": 0.5,
            "urgencies": [2.0],
            "trip_distribution": [[0, 0.5, 0.5], [0.2, 0, 0.8], [1, 0, 0]],
        },
    ]
}


@pytest.mark.parametrize("name", PLANNING)
def test_free_flow_agrees_with_the_agents_markov_chains(name: str) -> None:
    game = small(agents=6, **PLANNING[name], **UNEVEN)
    parts = [by_chain(game, agent) for agent in range(6)]
    flow = game.free_flow()
    np.testing.assert_allclose(flow.wanting, sum(part[0] for part in parts), atol=1e-10)
    assert flow.dormant == pytest.approx(sum(part[1] for part in parts), abs=1e-10)
    assert flow.trips == pytest.approx(sum(part[2] for part in parts), abs=1e-10)
    assert flow.wanting.sum() + flow.dormant == pytest.approx(6)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANNING)
def test_free_flow_agrees_with_simulated_walks(name: str) -> None:
    """Compare with means over simulated walks; the tolerance is 5 standard errors."""
    game = small(agents=4, **PLANNING[name])
    world, random, walks, steps = game.world(), np.random.default_rng(1), 25, 400
    seen = np.array([[walked(world, a, steps, random)[0] / steps for a in range(4)] for _ in range(walks)])
    total = seen.sum(axis=1)
    error = 5 * total.std(axis=0, ddof=1) / np.sqrt(walks) + 4 * 8 / steps  # the last trip is cut
    assert (np.abs(total.mean(axis=0) - game.free_flow().wanting) < error).all()


@pytest.mark.parametrize("name", PLANNING)
def test_the_class_rule_mentions_planning(name: str) -> None:
    rule = str(small(**PLANNING[name]).static_metrics()["class_rule"][1])
    assert ("whatever way is chosen; the first way is drawn" in rule) is (name != "none")


@pytest.mark.parametrize("more", [{}, UNEVEN, {"p_dormant": 0.0}], ids=["default", "types", "never dormant"])
def test_expected_free_flow_is_the_mean_over_all_allocations(more: dict[str, Any]) -> None:
    game = small(network="plain_2x2", agents=2, **more)
    paths = shortest(game.network)
    journeys, total = fixed_journeys(paths), len(paths.lanes)
    pairs = np.array(list(product(range(total), repeat=2)))
    mean = np.zeros(len(game.capacity))
    dormant = ended = 0.0
    for kind in game.type_of:
        flow = of_agents(journeys, pairs, np.full(len(pairs), kind), game.first, len(mean))
        mean += flow.wanting / len(pairs)
        dormant, ended = dormant + flow.dormant / len(pairs), ended + flow.trips / len(pairs)
    np.testing.assert_allclose(game.expected.wanting, mean, atol=1e-12)
    assert (game.expected.dormant, game.expected.trips) == pytest.approx((dormant, ended), abs=1e-12)


@pytest.mark.slow
def test_expected_free_flow_with_three_paths_per_agent() -> None:
    game = small(network="plain_2x2", agents=1, paths_per_agent=3)
    paths = shortest(game.network)
    triples = np.array(list(product(range(len(paths.lanes)), repeat=3)))
    flow = of_agents(fixed_journeys(paths), triples, np.zeros(len(triples), dtype=int), game.first, 8)
    np.testing.assert_allclose(game.expected.wanting, flow.wanting / len(triples), atol=1e-12)


def test_free_flow_of_one_known_route() -> None:
    """A trip of two lanes, then dormancy with probability .1: a lane is requested every 2 + .1/.9 steps."""
    game = small(routes=[[["1.1", "1.2", "1.3"]]], capacity=1)
    wanted = game.free_flow().wanting
    assert wanted[wanted > 0] == pytest.approx([0.9 / 1.9, 0.9 / 1.9])
    assert game.free_flow().dormant == pytest.approx(0.1 / 1.9)
    assert (game.expected.wanting == wanted).all()


def test_lanes_over_capacity_are_counted_by_kind() -> None:
    """Without stubs no lane is an entry or an exit; a lane at its capacity is not above it."""
    for game in [rv.games.city(), small(network="plain_2x2", agents=9, capacity=1)]:
        found = {name: entry[1] for name, entry in game.static_metrics().items()}
        for k, kind in enumerate(("core", "entry", "exit")):
            wanted = found["lane_free_flow_expected"][found["lane_kind"] == kind]
            over = sum(x > y for x, y in zip(wanted, game.capacity, strict=False))
            assert found["lanes_over_capacity"][k] == over
            assert (
                np.isnan(found["largest_free_flow"][k])
                if not len(wanted)
                else (found["largest_free_flow"][k] == max(wanted))
            )
    assert game.static_metrics()["lanes_over_capacity"][1].tolist()[1:] == [0, 0]


@pytest.mark.slow
def test_free_flow_of_random_allocations_has_the_expected_mean() -> None:
    flows = np.array([rv.games.city(allocation=seed).free_flow().wanting for seed in range(40)])
    spread = flows.std(axis=0, ddof=1) / np.sqrt(40)
    score = (flows.mean(axis=0) - rv.games.city().expected.wanting) / spread
    assert np.abs(score).max() < 4.5


def test_planning_at_the_start_does_not_change_expected_flow() -> None:
    fixed_paths = small().expected.wanting
    for name in ("start", "two of them"):
        np.testing.assert_allclose(small(**PLANNING[name]).expected.wanting, fixed_paths, atol=1e-12)


@pytest.mark.parametrize("planning", ["none", "start", "nodes", "k_shortest"])
def test_trips_have_the_shares_of_the_demand(planning: str, tmp_path: Path) -> None:
    """The flow into the origins is that of trips, whatever way is chosen; a file is read as roads read it."""
    trips = {"1.1>3.3": 6.0, "3.1>1.3": 3.0, "2.1>2.2": 1.0, "1.2>2.2": 0}
    keys = {"agents": 4000, "capacity": "unlimited", "planning": planning, "alternatives": 2}
    game = small(demand=trips, **keys)
    nodes = np.array(game.network.nodes)[game.ends.reshape(-1, 2)]
    counts = [(nodes == pair.split(">")).all(axis=1).sum() for pair in trips]
    assert chisquare(counts[:3], np.array([0.6, 0.3, 0.1]) * 8000).pvalue > 1e-3
    np.testing.assert_allclose(game.expected.wanting, game.free_flow().wanting, atol=60)
    rows = "\n".join(",".join([*pair.split(">"), str(amount)]) for pair, amount in trips.items())
    (tmp_path / "trips.csv").write_text(f"from,to,trips\n{rows}\n")
    np.testing.assert_array_equal(small(demand=str(tmp_path / "trips.csv"), **keys).ends, game.ends)


@pytest.mark.parametrize("planning", ["none", "start", "nodes", "k_shortest"])
def test_paths_of_an_agent_follow_the_tables_of_their_hours(planning: str) -> None:
    morning, evening = {"1.1>3.3": 6.0, "3.1>1.3": 3.0}, {"3.3>1.1": 1.0, "3.1>1.3": 1.0}
    keys = {"agents": 3000, "capacity": "unlimited", "planning": planning, "alternatives": 2}
    game = small(demand=[morning, evening], paths_per_agent=2, **keys)
    nodes = np.array(game.network.nodes)[game.ends]
    for hour, trips in enumerate((morning, evening)):
        counts = np.array([(nodes[:, hour] == pair.split(">")).all(axis=1).sum() for pair in trips])
        assert counts.sum() == 3000
        assert chisquare(counts, np.array(list(trips.values())) / sum(trips.values()) * 3000).pvalue > 1e-3
    np.testing.assert_allclose(game.expected.wanting, game.free_flow().wanting, atol=60)
    np.testing.assert_array_equal(
        small(demand=[morning] * 2, **keys).ends, small(demand=morning, **keys).ends
    )
    with pytest.raises(ValueError, match=r"^demand: 3 tables must be one, or 2, as many as paths per agent$"):
        small(demand=[morning] * 3, **keys)


def test_a_grid_with_too_many_paths_offers_the_shortest_ones() -> None:
    game = rv.games.city(
        network="plain_20x20", demand={"1.1>20.20": 1.0}, planning="k_shortest", alternatives=4, capacity=2
    )
    assert game.journeys.options.tolist() == [[[0, 38, 76, 114]]]
    paths = game.network.lanes[game.journeys.lane[0].reshape(4, 38)]
    assert (paths[:, 1:, 0] == paths[:, :-1, 1]).all()
    assert paths[:, [0, -1], [0, 1]].tolist() == [[0, 399]] * 4


def test_routes_are_the_given_paths() -> None:
    round_about = ["1.1", "2.1", "2.2", "1.2"]
    game = small(routes=[[round_about, ["1.1", "1.2"]], [["3.3", "3.2"], round_about]], capacity=1)
    assert routes(game, 0) == [["1.1>2.1", "2.1>2.2", "2.2>1.2"], ["1.1>1.2"]]
    assert routes(game, 1) == [["3.3>3.2"], ["1.1>2.1", "2.1>2.2", "2.2>1.2"]]
    assert game.agents == 2


def test_planning_keeps_the_ends_of_routes() -> None:
    long = ["1.1", "2.1", "2.2", "1.2"]
    for planning in ("start", "nodes"):
        game = small(routes=[[long]], capacity=1, planning=planning)
        assert routes(game, 0) == [["1.1>1.2"]]
    game = small(routes=[[["1.1", "1.2", "2.2"]]], capacity=1, planning="start", alternatives=1)
    assert routes(game, 0) == [["1.1>1.2", "1.2>2.2"]]


def test_a_city_on_a_custom_graph() -> None:
    table = {
        "lanes": [["home", "a"], ["home", "b"], ["a", "work"], ["b", "work"], ["work", "home"]],
        "terminals": ["home", "work"],
    }
    game = rv.games.city(network=table, agents=4, capacity=2, planning="nodes", max_karma=4, mean_karma=2.0)
    assert {tuple(name) for slot in range(2) for name in [routes(game, 0)[slot]]} <= {
        ("work>home",),
        ("home>a", "home>b", "a>work", "b>work"),
    }
    assert game.journeys.most_options() == 2


def test_types_are_padded_with_urgencies_of_probability_zero() -> None:
    game = small(**UNEVEN)
    world = game.world()
    assert world.stakes.tolist() == [[1.0, 5.0], [2.0, 0.0]]
    assert world.type_of.tolist() == [0] * 15 + [1] * 15
    law = np.diff(world.trip_chain, axis=-1, prepend=0.0)
    assert law[0, 2].round(12).tolist() == [0.09, 0.21, 0.09, 0.21, 0.4]
    assert law[1, [0, 2, 4]].round(12).tolist() == [[0, 0, 0.5, 0, 0.5], [0.2, 0, 0, 0, 0.8], [1, 0, 0, 0, 0]]
    assert (np.diff(world.first, axis=-1, prepend=0.0)[1, [1, 3]] == 0).all()
    assert (world.trip_chain[:, :, -1] == 1).all()
    assert rv.oracles.labels(game).players == ("a", "b")


def test_the_first_trip_has_the_stationary_distribution() -> None:
    game = small(**UNEVEN)
    np.testing.assert_allclose(np.einsum("kt,kts->ks", game.first, game.trip_chain), game.first, atol=1e-12)


def test_capacities_by_lane_by_kind_and_unlimited() -> None:
    game = rv.games.city(capacity={"entry": "unlimited", "others": 7, "2.2>2.3": 3})
    named = dict(zip(game.network.lane_names, game.capacity.tolist(), strict=True))
    assert (named["N1>1.1"], named["1.1>N1"], named["2.2>2.3"], named["2.3>2.2"]) == (1000, 7, 3, 7)
    assert set(rv.games.city(capacity="unlimited").capacity.tolist()) == {1000}
    assert rv.games.city(capacity={"2.2>2.3": 3}).capacity.tolist().count(9) == 79
    assert small(capacity=list(range(24))).capacity.tolist() == list(range(24))


def test_tolls_and_subsidies_by_lane_and_by_load() -> None:
    game = rv.games.city(
        toll={"kind": "load", "slope": 2.0, "from": 1.5}, subsidy={"entry": 0.5, "others": 0.1}
    )
    wanted = 2.0 * np.maximum(game.expected.wanting / 9 - 1.5, 0)
    assert (wanted > 0).any()
    np.testing.assert_allclose(game.world().toll, wanted)
    assert (game.world().subsidy == np.where(game.network.kinds == 1, 0.5, 0.1)).all()
    load = np.maximum(game.expected.wanting / 9 - 1, 0)
    np.testing.assert_allclose(rv.games.city(toll={"kind": "load", "slope": 1.0}).toll, load)


def test_options_set_the_rules_of_the_world() -> None:
    world = small(
        payment="uniform_lowest_admitted",
        charge_uncontended=False,
        exclude_dormant=True,
        tie="lowest_index",
        local=0.25,
        gamma=0.5,
        coalition=3,
        transfer="urgent",
    ).world()
    assert (world.price, world.uncontended, world.dormant_share) == (shapes.LOWEST_ADMITTED, 0, 0)
    assert (world.tie, world.local, world.discount.tolist()) == (shapes.LOWEST_INDEX, 0.25, [0.5])
    assert (world.coalition.tolist(), world.transfer) == ([1] * 3 + [0] * 27, shapes.URGENT)
    assert small(payment="uniform_highest_refused").world().price == shapes.HIGHEST_REFUSED


def test_initial_karma_is_as_given() -> None:
    assert small(mean_karma=2.5).world().karma.sum() == 75
    own = [0, 6] * 15
    assert small(initial_karma=own).world().karma.tolist() == own


@pytest.mark.slow
def test_classes_count_paths_through_the_centre() -> None:
    game = rv.games.city()
    names = np.array(game.network.lane_names)
    middle = {"2.2", "2.3", "3.2", "3.3"}
    inside = {name for name in names if set(name.split(">")) <= middle}
    counted = [sum(bool(inside & set(path)) for path in routes(game, agent)) for agent in range(1000)]
    assert game.classes().tolist() == counted
    assert game.centre_rule == "lanes among the four core nodes in the middle"
    assert set(names[game.centre]) == inside


def test_the_centre_of_other_networks_is_the_most_loaded_tenth() -> None:
    """In networks with four middle nodes, both definitions give the same centre."""
    game = rv.games.city(network="plain_5x5")
    load = game.expected.wanting
    assert game.centre.sum() >= 8
    assert load[game.centre].min() > load[~game.centre].max()
    assert "highest free-flow load" in game.centre_rule
    stubs = rv.games.city()
    assert (stubs.centre == (stubs.expected.wanting > np.sort(stubs.expected.wanting)[-9] + 1e-6)).all()


def test_agents_that_can_avoid_the_centre_are_lucky() -> None:
    fixed_paths, free = rv.games.city(), rv.games.city(planning="nodes")
    assert (free.through_centre() <= fixed_paths.through_centre()).all()
    assert (free.classes() == 0).mean() > (fixed_paths.classes() == 0).mean()


@pytest.mark.slow
def test_examples_are_the_extremes_of_their_classes() -> None:
    game = rv.games.city(allocation=1)
    index = {name: k for k, name in enumerate(game.network.lane_names)}

    def loads(agent: int) -> list[float]:
        return [
            np.mean([game.expected.wanting[index[name]] for name in path]) for path in routes(game, agent)
        ]

    lucky, average, unlucky = game.examples().tolist()
    classes, mean = game.classes(), np.array([np.mean(loads(agent)) for agent in range(1000)])
    gap = np.array([np.ptp(loads(agent)) for agent in range(1000)])
    assert classes[[lucky, average, unlucky]].tolist() == [0, 1, 2]
    assert mean[lucky] == pytest.approx(mean[classes == 0].min())
    assert mean[unlucky] == pytest.approx(mean[classes == 2].max())
    assert gap[average] == pytest.approx(gap[classes == 1].max())


def test_a_class_without_agents_has_no_example() -> None:
    game = small(network="stubs_4x4", routes=[[["W2", "2.1", "2.2", "2.3", "2.4", "E2"]]], capacity=1)
    assert game.examples().tolist() == [-1, -1, 0]
    limited = game.static_metrics()
    assert limited["example_name"][1].tolist() == ["unlucky"]
    names = np.array(game.network.lane_names)
    assert names[limited["example_lanes"][1][0, 0]].tolist() == routes(game, 0)[0]


def test_coalitions_are_the_first_of_a_class_or_random() -> None:
    game = rv.games.city(coalition={"agents": 5, "from": "unlucky"})
    members = np.flatnonzero(game.coalition)
    assert members.tolist() == np.flatnonzero(game.classes() == 2)[:5].tolist()
    samples = [
        rv.games.city(allocation=a, coalition={"agents": 5, "from": "random"}).coalition for a in (0, 1)
    ]
    assert [band.sum() for band in samples] == [5, 5]
    assert (samples[0] != samples[1]).any()


def test_static_metrics_have_consistent_dimensions() -> None:
    game = rv.games.city(planning="nodes")
    sizes: dict[str, int] = {}
    for name, (dims, values) in game.static_metrics().items():
        assert len(dims) == np.ndim(values), name
        for dim, size in zip(dims, np.shape(values), strict=True):
            assert sizes.setdefault(dim, size) == size, (name, dim)
    assert (sizes["lane"], sizes["agent"], sizes["example"]) == (80, 1000, 3)


def test_a_city_has_no_mean_field() -> None:
    assert "no mean field" in mean_field_refusal(rv.games.city())


def test_shares_of_slots_and_of_dormancy_add_up() -> None:
    """Default trips: dormancy with probability 0.1, and both paths equally often."""
    np.testing.assert_allclose(slot_shares(small().first, 2), [[0.45, 0.45]])
    uneven = np.array([[0.1, 0.2, 0.3, 0.15, 0.25], [0.0, 0.5, 0.0, 0.5, 0.0]])
    np.testing.assert_allclose(slot_shares(uneven, 2), [[0.3, 0.45], [0.5, 0.5]])
    np.testing.assert_allclose(slot_shares(uneven, 4), uneven[:, :4])


def test_equal_routes_share_a_journey() -> None:
    """Journeys are numbered in the order of their first use; agents on the same route have the same one."""
    here, there = ["1.1", "1.2"], ["1.2", "1.1"]
    game = small(routes=[[here], [there], [here]], capacity=2)
    assert (game.slots.tolist(), game.ends.tolist()) == ([[0], [1], [0]], [[[0, 1]], [[1, 0]], [[0, 1]]])
    assert [routes(game, agent) for agent in range(3)] == [[["1.1>1.2"]], [["1.2>1.1"]], [["1.1>1.2"]]]
