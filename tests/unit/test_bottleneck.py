"""Departure times at a bottleneck: Vickrey's closed forms, linear programmes, a queue in continuous time."""

import re
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

import rivalry as rv
from rivalry.roads.bottleneck import BottleneckGame
from rivalry.roads.departures import BottleneckFlows, departures
from rivalry.roads.queues import queue_costs

EARLY, LATE, HOURS = 3.9, 15.21, 2.0
FAST = {"fast_share": 1.0}
STEPS = {"times": [-0.4, 0.1, 0.5], "levels": [1.5, 0.5]}
TRIP_COST = EARLY * LATE / (EARLY + LATE) * HOURS  # Vickrey 1969, per traveller


def solved(**keys: Any) -> Any:
    return rv.solve(rv.games.bottleneck(**keys), rv.methods.DepartureTimeEquilibrium()).data


def random_classes(seed: int) -> dict[str, Any]:
    """Three classes that want to arrive within half a rush of each other."""
    draw = np.random.default_rng(seed)
    rows = {}
    for name, share in zip("abc", draw.dirichlet(np.ones(3)), strict=True):
        value = draw.uniform(1, 9)
        early, late = value * draw.uniform(0.1, 0.9), value * draw.uniform(0.3, 3)
        rows[name] = {
            "share": share,
            "value_of_time": value,
            "early": early,
            "late": late,
            "arrival": draw.uniform(-0.7, 0.7),
        }
    return {"travellers": 7.0, "capacity": 5.0, "classes": rows, "slots": 12}


@pytest.mark.parametrize("slots", [10, 40, 80])
def test_one_class_costs_what_vickrey_found(slots: int) -> None:
    data = solved(slots=slots)
    # costs of two slots at the ends differ from those of a rush in continuous time by less than a slot
    assert float(data.travel_cost) == pytest.approx(TRIP_COST, abs=LATE * HOURS / slots)
    half = float(data.optimal_cost) / 6000 - TRIP_COST / 2
    assert 0 <= half <= EARLY * LATE / (EARLY + LATE) / slots**2 * HOURS
    assert half <= float(data.optimal_cost_bound) / 6000
    assert float(data.queue_cost / data.total_cost) == pytest.approx(0.5, abs=1 / slots)
    # the latest who queue depart at the desired time of arrival and wait the longest
    longest = EARLY * LATE / (EARLY + LATE) * HOURS / 6.4
    assert float(data.delay.max()) == pytest.approx(longest, abs=LATE / 6.4 * HOURS / slots)


def test_errors_of_slots_vanish_in_the_first_order_of_costs_and_the_second_of_the_optimum() -> None:
    # slots of which a whole number is early: 8 of 10 at these costs
    costs = [solved(early=1.0, late=4.0, slots=slots) for slots in (10, 20, 40, 80)]
    private = np.array([float(data.travel_cost) for data in costs])
    best = np.array([float(data.optimal_cost) / 6000 for data in costs])
    np.testing.assert_allclose(np.diff(private[:-1]) / np.diff(private[1:]), 2.0, rtol=0.05)
    np.testing.assert_allclose(best, 0.8, rtol=1e-12)


def linear_programme(
    game: BottleneckGame, cost: np.ndarray, scale: np.ndarray, share: Any = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Least costs ``[kind]`` and prices ``[option]``, duals of cheapest arrivals at costs per ``scale``."""
    cost = cost / scale[:, None]
    kinds, options = cost.shape
    of_kind, of_slot = np.kron(np.eye(kinds), np.ones(options)), np.tile(np.eye(options), kinds)
    room = share * np.full(options, game.travellers.sum() / game.slots)
    optimum = linprog(cost.ravel(), of_slot, room, of_kind, game.travellers)
    return optimum.eqlin.marginals * scale, -optimum.ineqlin.marginals


@pytest.mark.parametrize("fast_share", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_one_lane_is_a_linear_programme(seed: int, fast_share: float) -> None:
    """Without a fast lane costs count per value of time, with a toll on all in money."""
    game = rv.games.bottleneck(**random_classes(seed), fast_share=fast_share)
    found = BottleneckFlows(game, *departures(game))
    scale = game.lane_weights()[:, int(fast_share)]
    least, price = linear_programme(game, game.slot_costs(), scale)
    np.testing.assert_allclose(found.lowest, least, rtol=1e-8)
    np.testing.assert_allclose(found.price[int(fast_share)], price, atol=1e-8)


@pytest.mark.parametrize("fast_share", [0.4, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_step_toll_of_some_lanes_is_a_linear_programme(seed: int, fast_share: float) -> None:
    """Delays cost each class its value of time in both lanes; the toll of a slot is its mean over time."""
    game = rv.games.bottleneck(**random_classes(seed), fast_share=fast_share, toll=STEPS)
    edges, plain = game.edges(), game.slot_costs()
    time = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(2000) + 0.5) / 2000
    toll = np.where((time > -0.4) & (time < 0.1), 1.5, np.where((time > 0.1) & (time < 0.5), 0.5, 0.0))
    cost = np.hstack([plain, plain + toll.mean(axis=1)])
    share = np.repeat([1 - fast_share, fast_share], len(edges) - 1)
    least, price = linear_programme(game, cost, game.value_of_time, share)
    found = BottleneckFlows(game, *departures(game))
    np.testing.assert_allclose(found.lowest, least, rtol=1e-3)
    # without capacity a delay has no meaning
    np.testing.assert_allclose(found.price.ravel()[share > 0], price[share > 0], atol=2e-3)


@pytest.mark.parametrize("level", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("slots", [40, 160])
def test_a_step_toll_while_half_of_all_pass(level: float, slots: int) -> None:
    """Every price of the rush is the same (Laih 1994): at half the largest toll half the queue remains.

    All costs are in units of those without policy. At a higher toll the price is x, x - 1/2 of all pass
    outside and x - level within.
    """
    half = TRIP_COST / 2
    toll = {"times": [9 - half / EARLY, 9 + half / LATE], "levels": [level * TRIP_COST]}
    data = solved(slots=slots, fast_share=1.0, toll=toll)
    price = max(1.0, 0.75 + level / 2)
    revenue = level * min(0.5, price - level)
    accuracy = LATE / TRIP_COST * HOURS / slots
    assert float(data.revenue) / 6000 / TRIP_COST == pytest.approx(revenue, abs=accuracy)
    assert float(data.travel_cost) / TRIP_COST == pytest.approx(price - revenue, abs=accuracy)
    # the wait is longer at once where the toll falls
    ahead = 9 - data.slot_time
    wait = price * TRIP_COST - np.maximum(EARLY * ahead, -LATE * ahead) - data.toll
    np.testing.assert_allclose(data.fast_delay * 6.4, np.maximum(wait, 0), atol=accuracy * TRIP_COST)


@pytest.mark.parametrize("payment", ["money", "karma", "step toll"])
@pytest.mark.parametrize("fast_share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_nobody_gains_and_lanes_that_charge_are_full(seed: int, fast_share: float, payment: str) -> None:
    rule: dict[str, Any] = {"toll": STEPS} if payment == "step toll" else {"payment": payment}
    game = rv.games.bottleneck(**random_classes(seed), fast_share=fast_share, **rule)
    arrivals, price = departures(game)
    outcome = BottleneckFlows(game, arrivals, price)
    assert outcome.certificate().claim == "equilibrium"
    np.testing.assert_allclose(arrivals.sum(axis=(1, 2)), game.travellers, rtol=1e-12)
    room = game.lane_shares()[:, None] * 7.0 / 12 - arrivals.sum(axis=0)
    assert room.min() > -1e-12
    np.testing.assert_allclose(room * price, 0.0, atol=1e-11)
    # no slot outside of those considered is better
    assert not price[:, [0, -1]].any()
    assert (game.slot_costs()[:, [0, -1]].min(axis=1) >= outcome.lowest - 1e-12).all()


@pytest.mark.parametrize("seed", range(3))
def test_gains_in_continuous_time_shrink_with_the_slots(seed: int) -> None:
    """Departures of each slot are spread evenly, and a queue of points gives all delays."""
    gains = []
    for slots in (10, 20, 40):
        game = rv.games.bottleneck(**random_classes(seed) | {"slots": slots})
        arrivals, price = departures(game)
        edges = game.edges()
        departed = edges - np.interp(edges, (edges[1:] + edges[:-1]) / 2, price[0])
        highest, lowest = queue_costs(game, departed, arrivals[:, 0])
        gains.append((highest - lowest).max() * slots)
        # among many times of departure, not exactly the best and the worst
        assert 0.95 < continuous_gain(game, departed, arrivals[:, 0]) * slots / gains[-1] < 1 + 1e-9
    # at most what a slot earlier or later costs, whatever their number
    rates = np.maximum(game.value_of_time, game.late).max()
    assert max(gains) < 2 * rates * 7.0 / 5.0


def continuous_gain(game: BottleneckGame, departed: np.ndarray, arrivals: np.ndarray) -> float:
    """Largest gain of a traveller by another departure, where a queue passes travellers at capacity."""
    time = np.union1d(np.linspace(departed[0], departed[-1], 2_000), departed)
    total = np.interp(time, departed, np.append(0.0, np.cumsum(arrivals.sum(axis=0))))
    # those who have passed: what capacity allows after the time at which the queue was last empty
    passed = game.capacity * time + np.minimum.accumulate(total - game.capacity * time)
    wait = (total - passed) / game.capacity
    cost = game.value_of_time[:, None] * wait + game.schedule_costs(time + wait)
    slot = np.clip(np.searchsorted(departed, time, side="right") - 1, 0, arrivals.shape[1] - 1)
    excess = cost - cost.min(axis=1, keepdims=True)
    return float(excess[arrivals[:, slot] > 0].max())


def test_karma_gives_every_wealth_the_same_and_money_does_not() -> None:
    rows: dict[str, Any] = {}
    for wealth, people in ((1.0, 0.6), (3.0, 0.4)):
        for days, urgency in ((0.8, 1.0), (0.2, 4.0)):
            rates = {"value_of_time": 6 * urgency, "early": 3 * urgency, "late": 9 * urgency}
            rows[f"{wealth:g} {urgency:g}"] = {"share": people * days, "wealth": wealth} | rates
    for payment in ("money", "karma"):
        data = solved(classes=rows, fast_share=0.5, payment=payment, slots=20)
        share = np.array([row["share"] for row in rows.values()])
        paid = data.fast_arrivals.values @ data.toll.values / 6000
        poor, rich = paid[:2].sum() / share[:2].sum(), paid[2:].sum() / share[2:].sum()
        cost = data.class_cost.values
        if payment == "karma":
            # a day's karma each, and costs in proportion to wealth
            np.testing.assert_allclose([poor, rich], 1.0, rtol=1e-9)
            np.testing.assert_allclose(cost[2:], 3 * cost[:2], rtol=1e-9)
            assert (cost < data.benchmark_cost[0]).all()
            assert float(data.revenue) == 0
        else:
            assert rich > poor
            assert float(data.revenue) == pytest.approx(6000 * paid.sum(), rel=1e-12)


@pytest.mark.parametrize("toll", [{}, {"toll": STEPS}])
@pytest.mark.parametrize("fast_share", [0.0, 0.4, 1.0])
def test_units_and_the_order_of_classes_change_nothing(fast_share: float, toll: dict[str, Any]) -> None:
    keys = random_classes(5)
    base = solved(**keys, fast_share=fast_share, **toll)
    rows = {
        name: row
        | {key: row[key] * 100 / 60 for key in ("value_of_time", "early", "late")}
        | {"arrival": row["arrival"] * 60 + 540}
        for name, row in reversed(keys["classes"].items())
    }
    if toll:
        steps = [np.multiply(STEPS["times"], 60.0) + 540, np.multiply(STEPS["levels"], 100.0)]
        toll = {"toll": dict(zip(STEPS, steps, strict=True))}
    other = solved(travellers=7e3, capacity=5e3 / 60, classes=rows, slots=12, fast_share=fast_share, **toll)
    np.testing.assert_allclose(other.class_cost[::-1], 100 * base.class_cost, rtol=1e-9)
    np.testing.assert_allclose(other.delay, 60 * base.delay, atol=1e-9)
    np.testing.assert_allclose(other.fast_delay, 60 * base.fast_delay, atol=1e-9)
    np.testing.assert_allclose(other.toll, 100 * base.toll, atol=1e-7)
    np.testing.assert_allclose(other.slot_time, 60 * base.slot_time + 540, rtol=1e-12)
    assert float(other.gini) == pytest.approx(float(base.gini), rel=1e-9)


def test_classes_at_distant_times_do_not_meet() -> None:
    rows = {"a": {"share": 0.5, "arrival": 8.0}, "b": {"share": 0.5, "arrival": 18.0}}
    data = solved(classes=rows, slots=40)
    alone = solved(travellers=3000.0, slots=20)
    np.testing.assert_allclose(data.class_cost, float(alone.travel_cost), rtol=1e-9)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"early": 7.0}, "early: must be below value_of_time of 'travellers'"),
        ({"classes": {"a": {"share": 1.0, "early": 8}}}, "early: must be below value_of_time of 'a'"),
        ({"classes": {"a": {"share": 0.5}}}, "classes: shares sum to 0.5; must sum to 1"),
        ({"classes": {"a": {"wealth": 1}}}, "classes.a: must be a table with a share"),
        ({"classes": {"a": {"share": 1, "lates": 1}}}, "classes.a: 'lates' is no key"),
        ({"classes": {"a": {"share": 1, "late": -1}}}, "classes.a.late: -1 must be a number above 0"),
        ({"fast_share": 1.5}, "fast_share"),
        ({"toll": STEPS}, "toll: has no effect without fast_share"),
        (FAST | {"toll": STEPS, "payment": "karma"}, "toll: steps are of money"),
        (FAST | {"toll": {"times": [8.0, 9.0]}}, "toll: must have times and levels"),
        (FAST | {"toll": STEPS | {"levels": [1.0]}}, "toll.times: 3 entries; must be 2, one more"),
        (FAST | {"toll": {"times": [9.0, 8.0], "levels": [1.0]}}, "times rise"),
        ({"classes": {"a": {"share": 0.5, "arrival": 1e9}, "b": {"share": 0.5}}}, "slots: "),
        (FAST | {"toll": {"times": [8.0, 9.0], "levels": [-1.0]}}, "toll.levels[0]: -1 must be at least 0"),
        (FAST | {"toll": STEPS | {"level": 1.0}}, "toll.level: is no key; did you mean 'levels'?"),
        ({"capacity": 0.0}, "capacity"),
        (
            {
                "payment": "karma",
                "classes": {"a": {"share": 0.5, "wealth": 2, "arrival": 8}, "b": {"share": 0.5}},
            },
            "classes: must have the same shares of needs at every wealth",
        ),
    ],
)
def test_wrong_input_is_refused_in_one_line(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        rv.games.bottleneck(**keys).edges()
    assert "\n" not in str(error.value)


def test_departures_of_another_program_are_judged_by_their_queue() -> None:
    """A rush twice as fast as capacity, by hand: the last waits an hour; who leaves after all pays least."""
    rates = {"value_of_time": 4.0, "early": 2.0, "late": 6.0, "arrival": 8.0}
    game = rv.games.bottleneck(4.0, capacity=2.0, slots=4, **rates)
    assert game.edges().tolist() == [6, 6.5, 7, 7.5, 8, 8.5, 9]
    proof = rv.certificate(game, [[0.0, 2.0, 2.0, 0.0, 0.0, 0.0]])
    # departing at 7.5 brings one to work at 8.5: 4 + 3; at 6.5 costs 3 and at 7.25, in time after .75, 3
    np.testing.assert_allclose(proof.regret, [7.0 - 3.0])
    assert proof.claim == "not an equilibrium"
    for wrong in ([[1.0]], [[0.0, 2.0, 1.0, 0.0, 0.0, 0.0]], [[-1.0, 5.0, 0.0, 0.0, 0.0, 0.0]]):
        with pytest.raises(ValueError, match=r"^x: must"):
            rv.certificate(game, wrong)
