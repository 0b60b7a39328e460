"""Road networks: equilibria and optima known by hand, by enumerated routes, and readers of files."""

import re
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, linprog, minimize, minimize_scalar

import rivalry as rv
from rivalry.roads.assignment import assignment_record
from rivalry.roads.convexity import dual_loss, enclosed_cost
from rivalry.roads.flows import unserved_trips
from rivalry.roads.model import RouteGame

compiled = pytest.mark.slow  # the first of these compiles the loops


def user(game: RouteGame) -> Any:
    return rv.solve(game, rv.methods.UserEquilibrium()).data


def optimum(game: RouteGame) -> Any:
    return rv.solve(game, rv.methods.SystemOptimum()).data


@compiled
def test_pigou_loses_a_third() -> None:
    game = rv.games.routes("pigou")
    best = optimum(game)
    assert float(best.price_of_anarchy) == pytest.approx(4 / 3, abs=1e-12)
    assert float(user(game).total_cost / best.total_cost) == pytest.approx(4 / 3, abs=1e-12)


@compiled
@pytest.mark.parametrize(("closed", "minutes"), [([], 80.0), (["a>b"], 65.0), ("a>b", 65.0)])
def test_a_further_road_makes_all_trips_longer(closed: str | list[str], minutes: float) -> None:
    data = user(rv.games.routes("braess", closed=closed))
    assert float(data.travel_cost) == pytest.approx(minutes, abs=1e-9)
    assert data.claim == "equilibrium"


@compiled
def test_tolls_make_the_optimum_an_equilibrium() -> None:
    best = optimum(rv.games.routes("braess"))
    # 2 x / 100 + 45 on a route without the further road, 4 x / 100 on that with it: x = 2250
    assert best.flow.values == pytest.approx([2250, 1750, 1750, 2250, 500], abs=1e-9)
    assert best.marginal_toll.values == pytest.approx([22.5, 0, 0, 22.5, 0], abs=1e-9)
    assert float(best.price_of_anarchy) == pytest.approx(80 / 64.6875, abs=1e-12)
    assert best.claim == "not an equilibrium"
    assert float(best.regret[0]) == pytest.approx(22.5, abs=1e-6)
    tolled = {
        "from": ["s", "a", "s", "b", "a"],
        "to": ["a", "t", "b", "t", "b"],
        "cost": ["x/100 + 22.5", "45", "45", "x/100 + 22.5", "0"],
    }
    assert user(rv.games.routes(tolled, demand={"s>t": 4000})).flow.values == pytest.approx(
        best.flow.values, abs=1e-5
    )


@compiled
def test_flows_of_another_program_are_judged_by_their_mean_gain() -> None:
    game = rv.games.routes("braess")
    # 2,000 drivers on each route without the further road pay 65, and 40 on that with it
    proof = rv.certificate(game, [2000, 2000, 2000, 2000, 0])
    assert proof.regret.tolist() == [25.0]
    assert (proof.concept, proof.claim) == ("mean field", "not an equilibrium")
    assert rv.certificate(game, user(game).flow).claim == "equilibrium"


@compiled
@pytest.mark.parametrize("seed", range(5))
def test_flows_are_judged_as_the_routes_that_make_them(seed: int) -> None:
    game = random_game(seed)
    data = rv.solve(game, rv.methods.UserEquilibrium(gap=0.05)).data
    gain = rv.certificate(game, data.flow).regret[0]
    assert gain == pytest.approx(float(data.average_excess_cost), abs=1e-9 * float(data.travel_cost))


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        ([1.0, 1.0], "x: must be 5 flows of links of at least 0"),
        ([4000, 4000, 0, 0, -1], "x: must be 5 flows of links of at least 0"),
        ([3000, 3000, 0, 0, 0], "x: at least 1000 of 4000 trips are not served; .* '[st]': [+-]1000 of arr"),
        ([4000, 3000, 0, 0, 0], "x: at least 1000 of 4000 trips are not served; .* '[at]': [+-]1000 of arr"),
    ],
)
def test_flows_that_serve_no_trips_are_refused(flow: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        rv.certificate(rv.games.routes("braess"), flow)
    assert "\n" not in str(error.value)


@compiled
def test_flows_between_other_pairs_are_refused() -> None:
    # at every node flows balance, but they lead from a to d and from c to b
    table = {"from": ["a", "c", "a", "c"], "to": ["b", "d", "d", "b"], "cost": ["10", "10", "1", "1"]}
    game = rv.games.routes(table, demand={"a>b": 1.0, "c>d": 1.0})
    assert rv.certificate(game, [1, 1, 0, 0]).claim == "equilibrium"
    with pytest.raises(ValueError, match=r"x: link 'a>d' has a flow, and no route of any pair leads there"):
        rv.certificate(game, [0, 0, 1, 1])


@pytest.mark.parametrize("seed", range(8))
def test_fewest_unserved_trips_beside_all_routes(seed: int) -> None:
    game, rng = random_game(seed), np.random.default_rng(seed)
    uses, pairs = routes_by_enumeration(game)
    # flows of other trips between the same ends: what balances at every node need not serve these
    share = rng.uniform(size=len(pairs))
    flow = (share / np.bincount(pairs, share)[pairs] * game.trips[pairs]) @ uses
    assert unserved_trips(game, flow) == pytest.approx(np.zeros(len(game.trips)), abs=1e-7)
    order = np.argsort(game.origin, kind="stable")
    names = game.node_names
    joined = {(a, b) for a, b in zip(game.origin[order], game.destination[order], strict=True)}
    trips = {f"{names[a]}>{names[b]}": 1.0 for a, b in joined}
    served = routed(trips, uses, pairs, flow, game)
    other = rv.games.routes(random_network(seed)[0], demand=trips)
    unserved = unserved_trips(other, flow)
    assert unserved is not None
    assert len(trips) - unserved.sum() == pytest.approx(served, abs=1e-6)


def routed(trips: dict[str, float], uses: Any, pairs: Any, flow: Any, game: RouteGame) -> float:
    """Most trips that routes can carry without more than the flows of links."""
    names = game.pair_names()[pairs]
    ends = np.array([names == name for name in trips], dtype=float)
    most = linprog(-np.ones(len(pairs)), np.vstack([uses.T, ends]), [*flow, *trips.values()])
    return float(-most.fun)


def test_flows_of_exchanged_destinations_are_refused() -> None:
    # all links are on routes of both pairs, and at every node flows balance
    table = {
        "from": ["a", "b", "m", "m", "a", "b", "n", "n"],
        "to": ["m", "m", "x", "y", "n", "n", "x", "y"],
        "cost": ["1"] * 8,
    }
    game = rv.games.routes(table, demand={"a>x": 1.0, "b>y": 1.0})
    crossed = [1, 0, 0, 1, 0, 1, 1, 0]  # a to y by m, and b to x by n
    with pytest.raises(ValueError, match="x: at least 2 of 2 trips are not served; flows lead elsewhere"):
        rv.certificate(game, crossed)
    assert rv.certificate(game, [1, 0, 1, 0, 0, 1, 0, 1]).claim == "equilibrium"


def test_flows_through_closed_zones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trips are not served; flows do not balance"):
        rv.certificate(tntp(tmp_path, 4), [4, 3, 0, 0])
    assert rv.certificate(tntp(tmp_path, 4), [1, 0, 3, 3]).claim == "equilibrium"


def test_no_claim_without_a_division_by_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"from": ["a", "b", "m", "m"], "to": ["m", "m", "x", "y"], "cost": ["1"] * 4}
    game = rv.games.routes(table, demand={"a>x": 1.0, "b>y": 1.0})
    assert rv.certificate(game, [1, 1, 1, 1]).claim == "equilibrium"
    monkeypatch.setattr("rivalry.roads.flows.MOST_NUMBERS", 7)
    proof = rv.certificate(game, [1, 1, 1, 1])
    assert (proof.claim, proof.bound.tolist()) == ("no deviation found", [np.inf])
    assert "if they serve each pair, which is not checked" in repr(proof)


def random_network(seed: int) -> tuple[dict[str, list[Any]], dict[str, float]]:
    """Links among six nodes, with parallel and free ones, and trips between pairs that are joined."""
    rng = np.random.default_rng(seed)
    ends = [(a, b) for a in range(6) for b in range(6) if a != b and rng.random() < 0.45]
    ends += [ends[k] for k in rng.integers(0, len(ends), 2)]
    graph = networkx.DiGraph(ends)
    table = {
        "from": [str(a) for a, _ in ends],
        "to": [str(b) for _, b in ends],
        "free_flow_time": np.where(rng.random(len(ends)) < 0.1, 0.0, rng.uniform(1, 5, len(ends))).tolist(),
        "capacity": rng.uniform(1, 5, len(ends)).tolist(),
        "b": rng.choice([0.0, 0.15, 1.0], len(ends)).tolist(),
        "power": rng.choice([0.5, 1.0, 4.0], len(ends)).tolist(),
    }
    pairs = [(a, b) for a in graph for b in networkx.descendants(graph, a)]
    chosen = rng.choice(len(pairs), 4, replace=False)
    return table, {f"{pairs[k][0]}>{pairs[k][1]}": float(rng.uniform(1, 6)) for k in chosen}


def random_game(seed: int) -> RouteGame:
    table, demand = random_network(seed)
    game: RouteGame = rv.games.routes(table, demand=demand)
    return game


def routes_by_enumeration(game: RouteGame) -> tuple[np.ndarray, np.ndarray]:
    """Links ``[route link]`` of all simple routes, and their pairs."""
    graph = networkx.MultiDiGraph()
    for link, ends in enumerate(zip(game.tail.tolist(), game.head.tolist(), strict=True)):
        graph.add_edge(*ends, key=link)
    rows, pairs = [], []
    for pair, ends in enumerate(zip(game.origin.tolist(), game.destination.tolist(), strict=True)):
        for path in networkx.all_simple_edge_paths(graph, *ends):
            rows.append(np.isin(np.arange(len(game.tail)), [link for _, _, link in path]))
            pairs.append(pair)
    return np.array(rows, dtype=float), np.array(pairs)


@compiled
@pytest.mark.parametrize("seed", range(20))
def test_all_routes_by_enumeration(seed: int) -> None:
    game = random_game(seed)
    data = user(game)
    uses, pairs = routes_by_enumeration(game)
    # every simple route at the costs of the flows, and trips that are all served
    costs = uses @ game.costs(data.flow.values)
    least = np.array([costs[pairs == pair].min() for pair in range(len(game.trips))])
    assert data.least_cost.values == pytest.approx(least, abs=1e-9)
    assert data.claim == "equilibrium"
    served = np.bincount(data.route_pair.values, data.route_flow.values, len(game.trips))
    assert served == pytest.approx(game.trips, rel=1e-12)
    excess = float(data.total_cost) - game.trips @ least
    assert excess <= 1e-8 * float(data.total_cost)
    # another solver of Beckmann's problem gets no lower
    x0 = np.concatenate(
        [np.full((pairs == k).sum(), game.trips[k] / (pairs == k).sum()) for k in range(len(least))]
    )
    shares = {"type": "eq", "fun": lambda h: np.bincount(pairs, h, len(least)) - game.trips}
    found = minimize(
        lambda h: game.potential(np.maximum(h, 0.0) @ uses),
        x0,
        bounds=[(0, None)] * len(x0),
        constraints=[shares],
    )
    assert float(data.potential) - float(data.potential_bound) <= found.fun + 1e-9


@compiled
def test_the_optimum_has_no_higher_total_cost_than_random_flows() -> None:
    game = random_game(3)
    best = optimum(game)
    uses, pairs = routes_by_enumeration(game)
    rng = np.random.default_rng(0)
    for _ in range(200):
        weights = rng.exponential(size=len(pairs)) ** 3
        flow = (weights / np.bincount(pairs, weights)[pairs] * game.trips[pairs]) @ uses
        assert flow @ game.costs(flow) >= float(best.total_cost - best.total_cost_bound)


@compiled
@pytest.mark.parametrize("seed", range(3))
def test_tolls_and_price_of_anarchy_of_random_networks(seed: int) -> None:
    table, demand = random_network(seed)
    game = rv.games.routes(table, demand=demand)
    best = optimum(game)
    assert float(best.equilibrium_cost) == pytest.approx(float(user(game).total_cost), rel=1e-8)
    # the optimum is an equilibrium of travellers who pay its tolls, added as lengths
    tolled = rv.games.routes(
        table | {"length": best.marginal_toll.values.tolist()}, demand=demand, distance_factor=1.0
    )
    assert rv.certificate(tolled, best.flow).claim == "equilibrium"


@compiled
@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_units_of_trips_and_of_costs(unit: float) -> None:
    table, demand = random_network(5)
    plain = user(rv.games.routes(table, demand=demand))
    other = dict(table, capacity=[unit * c for c in table["capacity"]])
    scaled = user(rv.games.routes(other, demand={pair: unit * trips for pair, trips in demand.items()}))
    assert scaled.least_cost.values == pytest.approx(plain.least_cost.values, rel=1e-8)
    other = dict(table, free_flow_time=[unit * t for t in table["free_flow_time"]])
    scaled = user(rv.games.routes(other, demand=demand))
    assert scaled.least_cost.values == pytest.approx(unit * plain.least_cost.values, rel=1e-8)
    assert scaled.claim == plain.claim


@compiled
def test_the_order_of_rows_does_not_matter() -> None:
    table, demand = random_network(7)
    order = np.random.default_rng(1).permutation(len(table["from"]))
    shuffled = {name: [column[k] for k in order] for name, column in table.items()}
    data, other = (user(rv.games.routes(rows, demand=demand)) for rows in (table, shuffled))
    assert float(other.potential) == pytest.approx(float(data.potential), rel=1e-10)


@compiled
@pytest.mark.parametrize(
    "text", ["exp(x/10) + x*2", "(1 + x)^1.5 / 3", "max(2, x) * sqrt(1 + x)", "2^x", "5-3/(1+x)"]
)
def test_own_formulas(text: str) -> None:
    game = rv.games.routes(SMALL | {"cost": [text, "x + 2"]}, demand={"s>t": 5.0})
    cost = lambda x: eval(text.replace("^", "**"), {"exp": np.exp, "sqrt": np.sqrt, "max": max, "x": x})  # noqa: E731
    data = user(game)
    root = brentq(lambda x: cost(x) - (7 - x), 0.0, 5.0, xtol=1e-14)
    assert data.flow.values == pytest.approx([root, 5 - root], abs=1e-9)
    area = quad(cost, 0, root, points=[2.0])[0] + (5 - root) ** 2 / 2 + 2 * (5 - root)
    assert float(data.potential) == pytest.approx(area, rel=1e-8)
    total = minimize_scalar(lambda x: x * cost(x) + (5 - x) * (7 - x), bounds=(0, 5), method="bounded")
    assert float(optimum(game).total_cost) == pytest.approx(total.fun, rel=1e-8)  # that of SciPy is above


def test_sums_of_powers_are_the_same_in_any_order() -> None:
    games = [
        rv.games.routes(SMALL | {"cost": [text, "1"]}, demand={"s>t": 1.0})
        for text in ("10 + 2*x^4", "x^4*2 + 4/2*5", "10+x**2*x^2*4/2")
    ]
    for game in games:
        assert (game.constant[0], game.coefficient[0, 0], game.power[0, 0]) == (10.0, 2.0, 4.0)
        assert not len(game.codes)


ELASTIC: list[tuple[str, str, str, Any]] = [
    # cost of the road, demand, and trips at which demand is that at the cost
    ("2 + x", "10 - .5*cost", "9 / 1.5", 6.0),
    ("2 + x", "20 - 2*trips", "(20 - 2 x) = 2 + x", 6.0),
    ("1 + x/2", "12/(1 + cost)", "x (2 + x/2) = 12", -2 + np.sqrt(28)),
    ("x", "100*exp(-cost)", "x exp(x) = 100", 3.385630140290050184888),
    ("x^2", "sqrt(80 - 4*cost)", "x^2 = 80 - 4 x^2", 4.0),
    ("3 + x", "12/(2 + trips) - 1", "12/(2 + x) = 4 + x", -3 + np.sqrt(13)),
    ("30", "10 - .5*cost", "no trip is worth 30", 0.0),
]


@compiled
@pytest.mark.parametrize(("cost", "demand", "why", "trips"), ELASTIC)
def test_elastic_demand(cost: str, demand: str, why: str, trips: float) -> None:
    game = rv.games.routes({"from": ["s"], "to": ["t"], "cost": [cost]}, demand={("s", "t"): demand})
    data = user(game)
    assert data.trips.values == pytest.approx([trips], abs=1e-9), why
    assert data.flow.values == pytest.approx([trips], abs=1e-9)
    assert float(data.total_cost) == pytest.approx(
        trips * eval(cost.replace("^", "**"), {"x": trips}), abs=1e-8
    )
    assert data.claim == "equilibrium"


@compiled
@pytest.mark.parametrize("seed", range(5))
def test_elastic_demand_is_that_at_the_least_cost(seed: int) -> None:
    table, demand = random_network(seed)
    laws = {pair: f"{trips}*exp(-cost/9)" for pair, trips in list(demand.items())[:3]}
    data = user(rv.games.routes(table, demand=demand | laws))
    for name, made, cost in zip(*(data[k].values for k in ("pair_name", "trips", "least_cost")), strict=True):
        factor = np.exp(-cost / 9) if name in laws else 1.0
        assert made == pytest.approx(demand[name] * factor, rel=1e-7), name
    # those who travel, given to a network where demand does not depend on cost
    given = dict(zip(data.pair_name.values.tolist(), data.trips.values.tolist(), strict=True))
    assert user(rv.games.routes(table, demand=given)).least_cost.values == pytest.approx(
        data.least_cost.values, rel=1e-7
    )


@compiled
def test_trips_not_made_count_in_the_gap() -> None:
    game = rv.games.routes({"from": ["s"], "to": ["t"], "cost": ["2 + x"]}, demand={"s>t": "10 - .5*cost"})
    data = assignment_record(
        game,
        {
            "links": np.array([0, 1], dtype=np.int32),
            "ends": np.array([0, 1, 2]),
            "pair": np.array([0, 0]),
            "flow": np.array([4.0, 6.0]),
        },
    )
    # the next trip is worth 12 and costs 6: six trips lose 6 each by not being made
    assert data["potential_bound"][1] == pytest.approx(36.0)
    assert data["relative_gap"][1] == pytest.approx(36 / (4 * 6 + 6 * 12))
    assert data["regret"][1] == pytest.approx([6.0])


@compiled
@pytest.mark.parametrize("theta", [0.01, 1.0, 30.0])
def test_logit_choice_of_two_links(theta: float) -> None:
    game = rv.games.routes(SMALL | {"cost": ["x", "2 + x/2"]}, demand={"s>t": 5.0})
    solution = rv.solve(game, rv.methods.StochasticUserEquilibrium(theta=theta))
    # the logarithm of the odds is theta times the difference in cost
    root = brentq(lambda x: np.log(x / (5 - x)) + theta * (x - 2 - (5 - x) / 2), 1e-12, 5 - 1e-12, xtol=1e-14)
    assert solution.data.flow.values == pytest.approx([root, 5 - root], abs=1e-9)
    assert (solution.status, str(solution.data.concept.values)) == ("converged", "logit equilibrium")
    refuted = solution.claim == "not an equilibrium"
    assert repr(solution.certificate).startswith("logit equilibrium to ") == refuted == (theta < 30)


@compiled
@pytest.mark.parametrize("seed", range(5))
def test_logit_choice_among_all_routes(seed: int) -> None:
    game = random_game(seed)
    data = rv.solve(game, rv.methods.StochasticUserEquilibrium(theta=0.3)).data
    uses, pairs = routes_by_enumeration(game)
    # averages with shrinking weights, from flows of links alone
    flow = np.zeros(len(game.tail))
    for k in range(20_000):
        weight = np.exp(-0.3 * (uses @ game.costs(flow)))
        loading = (game.trips[pairs] * weight / np.bincount(pairs, weight)[pairs]) @ uses
        flow += (loading - flow) / (k + 1) ** 0.7
    assert data.flow.values == pytest.approx(flow, abs=1e-6 * game.trips.sum())
    assert float(data.logit_distance) <= 1e-10 * game.trips.sum()


@compiled
def test_logit_choice_nears_equal_shares_and_the_cheapest_routes() -> None:
    game = rv.games.routes("braess")
    solve = lambda theta: rv.solve(game, rv.methods.StochasticUserEquilibrium(theta=theta)).data  # noqa: E731
    assert solve(1e-9).route_flow.values == pytest.approx(np.full(3, 4000 / 3), rel=1e-6)
    assert solve(100.0).travel_cost == pytest.approx(80, abs=0.1)


@compiled
@pytest.mark.parametrize("seed", range(4))
def test_whole_vehicles(seed: int) -> None:
    costs = [f"{a}*x + {b}" for a, b in np.random.default_rng(seed).integers(0, 6, (6, 2))]
    table = {"from": list("ssabas"), "to": list("abttba"), "cost": costs}
    game = rv.games.routes(table, demand={"s>t": 3, "a>t": 1}, atomic=True)
    flows = rv.games.routes(table, demand={"s>t": 3, "a>t": 1})
    uses, pairs = routes_by_enumeration(flows)
    own = {name: uses[pairs == k] for k, name in enumerate(flows.pair_names())}
    order = [
        name for name, count in zip(flows.pair_names(), flows.trips, strict=True) for _ in range(int(count))
    ]

    def paid(joint: tuple[int, ...]) -> tuple[np.ndarray, float]:
        rows = np.array([own[name][k] for name, k in zip(order, joint, strict=True)])
        total = rows.sum(axis=0)
        potential = sum(flows.costs(np.minimum(total, k)) @ (total >= k) for k in range(1, 5))
        return rows @ flows.costs(total), float(potential)

    pure = set()
    for joint in np.ndindex(*(len(own[name]) for name in order)):
        cost, potential = paid(joint)
        assert game.table[(slice(None), *joint)] == pytest.approx(-cost)
        stays = True
        for player, name in enumerate(order):
            for other in range(len(own[name])):
                moved = paid((*joint[:player], other, *joint[player + 1 :]))
                # a change of the own cost is that of Rosenthal's potential
                assert moved[1] - potential == pytest.approx(moved[0][player] - cost[player], abs=1e-9)
                stays &= moved[0][player] >= cost[player] - 1e-9
        pure |= {joint} if stays else set()
    listed = rv.solve(game, rv.methods.PureEquilibria()).data.equilibria.values
    assert {tuple(profile.argmax(axis=1).tolist()) for profile in listed} == pure
    start = np.zeros(game.space.shape)
    start[:, 0] = 1.0
    assert rv.solve(game, rv.methods.BestResponse(), start).claim == "equilibrium"


@compiled
@pytest.mark.parametrize(
    ("rich", "poor_value", "by_class"),
    [
        # tolls cost the rich half a unit; the poor 4, or else 2
        (0.4, 0.5, [4.0, 0.0, 0.0, 6.0]),  # all rich, and no poor, pay the toll
        (0.8, 0.5, [5.25, 2.75, 0.0, 2.0]),  # 1 + x + 1/2 = 2 + (10 - x)
        (0.2, 1.0, [2.0, 0.0, 2.5, 5.5]),  # 1 + x + 2 = 2 + (10 - x)
    ],
)
def test_classes_of_users_on_two_links(rich: float, poor_value: float, by_class: list[float]) -> None:
    table = SMALL | {"cost": ["1 + x", "2 + x"], "toll": [2.0, 0.0]}
    classes = {
        "rich": {"share": rich, "value_of_time": 4.0},
        "poor": {"share": 1 - rich, "value_of_time": poor_value},
    }
    data = user(rv.games.routes(table, demand={"s>t": 10.0}, classes=classes))
    on_first = by_class[0] + by_class[2]
    assert data.flow.values == pytest.approx([on_first, 10 - on_first], abs=1e-9)
    assert data.pair_name.values.tolist() == ["s>t rich", "s>t poor"]
    times, tolls = np.array([1 + on_first, 12 - on_first]), np.array([[0.5, 0], [2 / poor_value, 0]])
    assert data.least_cost.values == pytest.approx((times + tolls).min(axis=1), abs=1e-9)
    total = np.reshape(by_class, (2, 2)) * (times + tolls)
    assert float(data.total_cost) == pytest.approx(total.sum(), abs=1e-8)
    assert data.claim == "equilibrium"


@compiled
def test_no_part_of_a_traveller_stays_on_a_road_that_its_class_leaves() -> None:
    """The class that pays less takes the tolled road first; all its users do before the other does.

    A class that pays t is indifferent where 2 + x/10 + t = 1 + (d - x)/5.
    """
    roads = {"from": ["s", "s"], "to": ["t", "t"], "cost": ["2 + x/10", "1 + x/5"], "toll": [1.0, 0.0]}
    for values, trips in product(product((1.0, 2.0, 3.0, 4.0), repeat=2), (10.0, 12.0, 15.0)):
        classes = {name: {"share": 0.5, "value_of_time": v} for name, v in zip("ab", values, strict=True)}
        data = user(rv.games.routes(roads, demand={"s>t": trips}, classes=classes))
        low, high = sorted(1 / value for value in values)
        enter = [max((trips / 5 - 1 - toll) / 0.3, 0.0) for toll in (low, high)]
        expected = max(min(enter[0], trips / 2), enter[1])
        assert data.flow.values[0] == pytest.approx(expected, abs=1e-9), (values, trips)
        assert data.claim == "equilibrium", (values, trips)


@compiled
def test_one_class_pays_as_by_the_factor_of_tolls() -> None:
    table, demand = random_network(2)
    table["toll"] = np.random.default_rng(0).uniform(0, 3, len(table["from"])).tolist()
    data = user(rv.games.routes(table, demand=demand, toll_factor=0.5))
    both = {name: {"share": 0.5, "value_of_time": 2.0} for name in ("a", "b")}
    other = user(rv.games.routes(table, demand=demand, classes=both))
    for name in ("total_cost", "potential"):
        assert float(other[name]) == pytest.approx(float(data[name]), rel=1e-8)


WHEATSTONE = {"from": ["s", "a", "s", "b", "a"], "to": ["a", "t", "b", "t", "b"]}
ROADS = {"from": ["s", "s"], "to": ["t", "t"], "cost": ["x", "2 + x"]}
# of two roads x and 2 + x; marginal costs are 2 x1 = 2 + 2 x2, what the next trip is worth 20 - 2 trips
ELASTIC_OPTIMA: list[tuple[str, list[float]]] = [
    ("20 - 2*trips", [11 / 3, 8 / 3]),
    ("10 - .5*cost", [11 / 3, 8 / 3]),
    ("1.5 - trips", [0.5, 0.0]),  # 2 x1 = 1.5 - x1
]


@compiled
@pytest.mark.parametrize(("demand", "flow"), ELASTIC_OPTIMA)
def test_an_elastic_optimum_has_the_largest_net_benefit(demand: str, flow: list[float]) -> None:
    data = optimum(rv.games.routes(ROADS, demand={"s>t": demand}))
    assert data.flow.values == pytest.approx(flow, abs=1e-8)
    assert data.marginal_toll.values == pytest.approx(flow, abs=1e-8)  # slopes of 1
    trips = sum(flow)
    most, slope = (1.5, 1.0) if demand.startswith("1.5") else (10.0, 2.0)
    paid = flow[0] ** 2 + flow[1] * (2 + flow[1])
    assert float(data.social_cost) == pytest.approx(paid + slope * (most - trips) ** 2 / 2, abs=1e-8)
    assert float(data.equilibrium_social_cost) >= float(data.social_cost)
    assert "price_of_anarchy" not in data


@compiled
@pytest.mark.parametrize("seed", range(4))
def test_elastic_optima_beside_another_solver(seed: int) -> None:
    table, demand = random_network(seed)
    table["power"] = [max(power, 1.0) for power in table["power"]]
    laws: Any = {pair: f"{trips}*(1 - cost/30)" for pair, trips in demand.items()}
    data = optimum(rv.games.routes(table, demand=laws))
    game = rv.games.routes(table, demand=demand)
    uses, pairs = routes_by_enumeration(game)
    most = game.trips

    def social(h: np.ndarray) -> float:
        flow, unmade = h @ uses, most - np.bincount(pairs, h, len(most))
        return float(flow @ game.costs(flow) + np.sum(30 * unmade**2 / (2 * most)))

    def slopes(h: np.ndarray) -> np.ndarray:
        flow, unmade = h @ uses, most - np.bincount(pairs, h, len(most))
        marginal = game.costs(flow) + game.marginal_tolls(flow)
        return uses @ marginal - (30 * unmade / most)[pairs]

    start = most[pairs] / np.bincount(pairs)[pairs] / 2
    found = minimize(
        lambda h: social(np.maximum(h, 0.0)),
        start,
        jac=lambda h: slopes(np.maximum(h, 0.0)),
        bounds=[(0, None)] * len(start),
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000, "maxfun": 10**6},
    )
    assert float(data.social_cost) == pytest.approx(found.fun, rel=1e-8)
    assert float(data.social_cost_bound) <= 1e-8 * found.fun


SATURATING = ("{a} + {b}/(1 + exp({c} - x))", "{a} + {b}*min(x/{c}, 1)", "{a} + {b} - {b}/(1 + (x/{c})^4)")


def saturating_roads(seed: int) -> tuple[list[str], float]:
    """Costs of five links, three of which saturate, and a number of trips."""
    rng = np.random.default_rng(seed)
    texts = [SATURATING[k] for k in rng.integers(0, 3, 3)] + ["{a} + {b}*x/10"] * 2
    numbers = [dict(zip("abc", rng.uniform([1, 2, 1], [5, 10, 8]).round(3), strict=True)) for _ in texts]
    costs = [text.format(**row) for text, row in zip(texts, numbers, strict=True)]
    return [costs[k] for k in rng.permutation(5)], float(rng.integers(5, 25))


@compiled
@pytest.mark.parametrize("seed", range(30))
def test_optima_of_saturating_costs_beside_a_grid(seed: int) -> None:
    costs, trips = saturating_roads(seed)
    game = rv.games.routes(WHEATSTONE | {"cost": costs}, demand={"s>t": trips})
    solution = rv.solve(game, rv.methods.SystemOptimum())
    best = solution.data
    # all divisions among the three routes, in parts of a two-hundredth
    first, second = (trips * share.ravel() / 200 for share in np.indices((201, 201)))
    inside = first + second <= trips * (1 + 1e-12)
    first, second = first[inside], second[inside]
    third = np.maximum(trips - first - second, 0.0)
    flows = first + third, first, second, second + third, third
    names = {"exp": np.exp, "min": np.minimum}
    total = sum(
        x * eval(text.replace("^", "**"), names | {"x": x}) for x, text in zip(flows, costs, strict=True)
    )
    lowest = float(np.min(total))
    assert float(best.total_cost) <= lowest * (1 + 1e-9)
    assert float(best.total_cost - best.total_cost_bound) <= lowest
    if np.isfinite(best.price_of_anarchy):
        assert float(best.total_cost) == pytest.approx(lowest, rel=1e-3)
        assert float(best.price_of_anarchy) == pytest.approx(float(best.equilibrium_cost) / lowest, rel=1e-3)
    else:
        price = solution.to_dataframe("totals").set_index("quantity").loc["price of anarchy"]
        assert abs(float(best.equilibrium_cost) / lowest - price["value"]) <= price["value, ±"] + 1e-3


@compiled
def test_the_optimum_of_a_saturating_cost_is_proved() -> None:
    cost = lambda x: x * (2 + 8 / (1 + np.exp(5 - x))) + (20 - x) * 10.2  # noqa: E731
    data = optimum(rv.games.routes(SMALL | {"cost": ["2 + 8/(1+exp(5-x))", "10.2"]}, demand={"s>t": 20.0}))
    lowest = minimize_scalar(cost, bounds=(2, 5), method="bounded", options={"xatol": 1e-10}).fun
    assert float(data.total_cost) == pytest.approx(lowest, rel=1e-12)
    assert float(data.total_cost_bound) <= 1e-9 * lowest
    assert float(data.price_of_anarchy) == pytest.approx(20 * (2 + 8 / (1 + np.exp(-15))) / lowest, rel=1e-9)


@pytest.mark.slow
def test_losses_at_prices_are_rounded_upward() -> None:
    """At prices that are much larger than costs, beside fractions; the least net cost is at all trips."""
    game = rv.games.routes(SMALL | {"cost": ["min(x, 2)", "1"]}, demand={"s>t": 5.0})
    rng = np.random.default_rng(0)
    for price, flow in zip(rng.uniform(1e5, 1e6, 10), rng.uniform(0.5, 4.5, 10), strict=True):
        cost = Fraction(min(flow, 2.0)) - Fraction(price)
        loss = Fraction(flow) * cost - 5 * (2 - Fraction(price))
        bound = dual_loss(game, np.array([price, 1.0]), np.array([flow, 0.0]))
        assert loss <= Fraction(bound) <= loss * (1 + Fraction(1e-9))


def test_enclosures_hold_costs_and_their_derivatives() -> None:
    texts = [
        "2 + 8/(1+exp(5-x))",
        "log(1+x)*sqrt(x) + x^1.5",
        "min(x, 2) + (x-3)^3 + 40",
        "max(x*x, 2*x)/(1+1/x)",
    ]
    for text in texts:
        game = rv.games.routes(SMALL | {"cost": [text, "1"]}, demand={"s>t": 6.0})
        edges = np.linspace(0, 6, 25)
        cells = np.stack([edges[:-1], edges[1:]])
        with np.errstate(all="ignore"):
            bounds = enclosed_cost(game, 0, cells)
        names = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "min": np.minimum, "max": np.maximum}
        x = cells[0] + np.diff(cells, axis=0) * np.linspace(0.02, 0.98, 49)[:, None]
        step = 1e-3
        before, at, after = (
            eval(text.replace("^", "**"), names | {"x": x + shift}) for shift in (-step, 0, step)
        )
        assert np.all((bounds.value[0] <= at) & (at <= bounds.value[1]))
        slope, bend = (after - before) / (2 * step), (after - 2 * at + before) / step**2
        # differences across a kink are of no derivative, and within its bounds all the same
        assert np.all((bounds.slope[0] <= slope + 1e-4) & (slope - 1e-4 <= bounds.slope[1])), text
        assert np.all((bounds.curvature[0] <= bend + 1e-2) & (bend - 1e-2 <= bounds.curvature[1])), text


@compiled
def test_no_bound_is_stated_of_costs_that_fall_between_checked_flows() -> None:
    dip = "1 + x - 5*exp(-((x - .505)*1000)^2) + 5"
    game = rv.games.routes(SMALL | {"cost": [dip, "9"]}, demand={"s>t": 1.0})
    assert np.isnan(float(user(game).potential_bound))
    assert float(user(rv.games.routes("pigou")).potential_bound) == 0.0


@compiled
def test_the_optimum_of_classes_has_the_lowest_total_cost() -> None:
    # tolls of 1 on the first road, at values of time of 1 and 4; all costs in units of time
    classes = {name: {"share": 0.5, "value_of_time": value} for name, value in (("poor", 1), ("rich", 4))}
    data = optimum(rv.games.routes(ROADS | {"toll": [1.0, 0.0]}, demand={"s>t": 4.0}, classes=classes))

    def total(h: np.ndarray) -> float:
        on_first = h.sum()
        times = on_first**2 + (4 - on_first) * (6 - on_first)
        return float(times + h[0] + h[1] / 4)

    found = minimize(total, [1.0, 1.0], bounds=[(0, 2)] * 2, options={"ftol": 1e-15, "gtol": 1e-12})
    assert float(data.total_cost) == pytest.approx(found.fun, rel=1e-8)
    # all rich take the first road, and poor until 2 x + 1 = 2 + 2 (4 - x)
    assert data.flow.values == pytest.approx([9 / 4, 7 / 4], abs=1e-8)
    assert float(data.price_of_anarchy) >= 1


@compiled
@pytest.mark.parametrize("theta", [0.5, 2.0])
def test_elastic_logit_demand_is_that_at_the_satisfaction(theta: float) -> None:
    game = rv.games.routes(ROADS, demand={"s>t": "10 - .5*cost"})
    solution = rv.solve(game, rv.methods.StochasticUserEquilibrium(theta=theta))

    def share(trips: float) -> float:
        odds = lambda x: np.log(x / (trips - x)) + theta * (x - 2 - (trips - x))  # noqa: E731
        return brentq(odds, 1e-12 * trips, (1 - 1e-12) * trips, xtol=1e-15)

    def excess(trips: float) -> float:
        first = share(trips)
        costs = np.array([first, 2 + trips - first])
        return trips - 10 + 0.5 * -np.log(np.exp(-theta * costs).sum()) / theta

    trips = brentq(excess, 1e-6, 10.0, xtol=1e-14)
    assert solution.data.flow.values == pytest.approx([share(trips), trips - share(trips)], abs=1e-8)
    assert float(solution.data.trips[0]) == pytest.approx(trips, abs=1e-8)
    assert solution.status == "converged"


@compiled
@pytest.mark.parametrize(("price", "trips"), [("1 - cost/3", 0.0), ("8*exp(-cost)", None)])
def test_logit_demand_at_the_ends(price: str, trips: float | None) -> None:
    # no trip is worth 3; with many cheap roads the satisfaction is below 0, and all trips are made
    costs = ["20", "30"] if trips == 0.0 else ["0", "0"]
    game = rv.games.routes(ROADS | {"cost": costs}, demand={"s>t": price})
    data = rv.solve(game, rv.methods.StochasticUserEquilibrium(theta=1.0)).data
    assert float(data.trips[0]) == pytest.approx(8.0 if trips is None else trips, abs=1e-12)


@compiled
def test_classes_choose_by_their_own_tolls() -> None:
    table, theta = ROADS | {"toll": [1.0, 0.0]}, 1.5
    classes = {name: {"share": 0.5, "value_of_time": value} for name, value in (("poor", 1), ("rich", 4))}
    game = rv.games.routes(table, demand={"s>t": 4.0}, classes=classes)
    data = rv.solve(game, rv.methods.StochasticUserEquilibrium(theta=theta)).data

    def excess(x: float) -> float:
        tolls = np.array([1.0, 0.25])
        return x - np.sum(2 / (1 + np.exp(theta * (x + tolls - 2 - (4 - x)))))

    x = brentq(excess, 0.0, 4.0, xtol=1e-15)
    assert data.flow.values == pytest.approx([x, 4 - x], abs=1e-8)


NETWORK = """<NUMBER OF NODES> 4
<FIRST THRU NODE> {first}
<NUMBER OF LINKS> 4
<END OF METADATA>
~ init term capacity length time b power speed toll type ;
1 2 1 1 1 0 1 0 0 1 ;
2 3 1 1 1 0 1 0 0 1 ;
1 4 1 5 2 .5 1 0 2 1 ;
4 3 1 5 2 .5 1 0 2 1 ;
"""
TRIPS = """<NUMBER OF ZONES> 3
<TOTAL OD FLOW> 5
<END OF METADATA>
Origin 1
 1 : 1.0; 2 : 1.0;
 3 : 3.0;
"""


def tntp(folder: Path, first: int) -> RouteGame:
    (folder / "net.tntp").write_text(NETWORK.format(first=first))
    (folder / "trips.tntp").write_text(TRIPS)
    game: RouteGame = rv.games.routes(str(folder / "net.tntp"), demand=str(folder / "trips.tntp"))
    return game


@compiled
def test_no_route_leads_through_closed_zones(tmp_path: Path) -> None:
    through, around = (user(tntp(tmp_path, first)) for first in (1, 4))
    assert through.flow.values.tolist() == [4.0, 3.0, 0.0, 0.0]
    assert around.flow.values.tolist() == [1.0, 0.0, 3.0, 3.0]
    # 2 (1 + .5 * 3) on each link
    assert around.least_cost.values.tolist() == [1.0, 10.0]


def test_nothing_in_a_file_is_dropped_in_silence(tmp_path: Path) -> None:
    text = str(tntp(tmp_path, 1))
    assert "trips within zones 1" in text
    assert "columns not used: length, speed, toll, link_type" in text
    table = SMALL | {"capacity": [1.0, 1.0], "lanes": [2, 2]}
    assert rv.games.routes(table, demand={"s>t": 1.0}).unread == ("capacity", "lanes")


@compiled
def test_tolls_and_lengths_enter_at_their_factors(tmp_path: Path) -> None:
    tntp(tmp_path, 4)
    paths: dict[str, Any] = {"links": str(tmp_path / "net.tntp"), "demand": str(tmp_path / "trips.tntp")}
    data = user(rv.games.routes(**paths, toll_factor=0.5, distance_factor=0.1))
    assert data.least_cost.values == pytest.approx([1.1, 10 + 2 * (0.5 * 2 + 0.1 * 5)])


TOLLED_PIGOU = {"from": ["s", "s"], "to": ["t", "t"], "cost": ["50*x", "50"], "toll": [25.0, 0.0]}


@compiled
def test_tolls_are_revenue_and_no_loss() -> None:
    data = user(rv.games.routes(TOLLED_PIGOU, demand={"s>t": 1.0}, toll_factor=1.0))
    # 50 x + 25 = 50: half take the first road, whose 25 are paid by a half
    assert [float(data[k]) for k in ("total_cost", "revenue", "cost_without_tolls")] == [50.0, 12.5, 37.5]
    # a unit of cost is worth 2 to half of them, who pay 12.5 and all take the first road; the others do not
    classes = {name: {"share": 0.5, "value_of_time": value} for name, value in (("poor", 1), ("rich", 2))}
    data = user(rv.games.routes(TOLLED_PIGOU, demand={"s>t": 1.0}, classes=classes))
    assert data.flow.values == pytest.approx([0.5, 0.5], abs=1e-9)
    costs = [float(data[k]) for k in ("total_cost", "revenue", "cost_without_tolls")]
    assert costs == pytest.approx([43.75, 12.5, 37.5])


@compiled
def test_tolls_of_roads_are_designed() -> None:
    planner = rv.methods.RuleDesign(
        choices={"toll_factor": [0.0, 0.5, 1.0, 2.0]},
        objective="cost_without_tolls",
        maximise=False,
        response_method={"kind": "user_equilibrium"},
    )
    data = rv.solve(rv.games.routes(TOLLED_PIGOU, demand={"s>t": 1.0}), planner).data
    # a toll of 25 t leaves x = 1 - t/2 on the first road
    costs = [50 * x**2 + 50 * (1 - x) for x in (1.0, 0.75, 0.5, 0.0)]
    assert data.trial_objective_mean.values == pytest.approx(costs)
    assert (float(data.chosen_parameters[0]), data.claim) == (1.0, "equilibrium")
    assert np.array_equal(data.trial_objective_low, data.trial_objective_high)


@compiled
def test_csv_and_graphs(tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text("from,to,cost\ns,t,x + 2\ns,t,2*x\n")
    (tmp_path / "trips.csv").write_text("from,to,trips\ns,t,4\n")
    data = user(rv.games.routes(str(tmp_path / "links.csv"), demand=str(tmp_path / "trips.csv")))
    assert data.flow.values == pytest.approx([2.0, 2.0])
    assert data.link_name.values.tolist() == ["s>t", "s>t (2)"]
    graph = networkx.DiGraph()
    graph.add_edge("s", "a", cost="2*x")
    graph.add_edge("a", "t", cost="1")
    networkx.write_graphml(graph, tmp_path / "roads.graphml")
    for source in (graph, str(tmp_path / "roads.graphml")):
        assert float(user(rv.games.routes(source, demand={("s", "t"): 3.0})).travel_cost) == 7.0


GMNS = {
    "node.csv": "node_id,x_coord,zone_id\n1,0,10\n2,1,\n3,2,30\n",
    "link.csv": "link_id,from_node_id,to_node_id,directed,length,free_speed,lanes,capacity,vdf_alpha,"
    "vdf_beta\n"
    "1,1,2,1,10,60,2,50,1,1\n2,2,3,true,5,30,1,100,0,4\n",
    "demand.csv": "o_zone_id,d_zone_id,volume\n10,30,150\n10,10,5\n",
}


def gmns(folder: Path, **changes: tuple[str, str]) -> RouteGame:
    for name, text in GMNS.items():
        (folder / name).write_text(text.replace(*changes.get(name.split(".")[0], ("", ""))))
    game: RouteGame = rv.games.routes(str(folder))
    return game


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"link": ("lanes", "vdf_fftt")}, "free_flow_time is 2, but length / free_speed is 10 minutes at 60"),
        ({"link": (",2,50,", ",2,,")}, "capacity, row 1: '' must be a number"),
        ({"link": (",10,60,", ",-10,60,")}, "length, row 1: '-10' must be a number of at least 0"),
        ({"link": (",10,60,", ",10 mi,60,")}, "length, row 1: '10 mi' must be a number, without its unit"),
        ({"link": (",10,60,", ",10,0,")}, "free_speed, row 1: must be above 0"),
        ({"link": (",2,1,10", ",2,0,10")}, "directed, row 1: '0' must be 1"),
        ({"node": ("2,1,", "2,1,30")}, "zone 30 has nodes 2 and 3 in node.csv; must have one"),
        ({"demand": ("10,30", "30,10")}, "demand.3>1: must be joined by a route"),
        ({"demand": ("10,30", "10,40")}, "demand.csv: zone 40 has no node in node.csv"),
        ({"demand": ("volume", "trips")}, "has no column volume; must have o_zone_id, d_zone_id, volume"),
        ({"node": ("node_id", "name")}, "has no column node_id"),
    ],
)
def test_wrong_folders_of_gmns_have_one_line(tmp_path: Path, changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        gmns(tmp_path, **changes)
    assert "\n" not in str(error.value)


FURTHER: dict[str, tuple[dict[str, str], str, str | None, set[str]]] = {
    "csv": (
        {"links.csv": "from,to,cost,odd\n1,2,x,7\n", "trips.csv": "from,to,trips,odd\n1,2,3,7\n"},
        "links.csv",
        "trips.csv",
        {"odd", "demand.odd"},
    ),
    "tntp": (
        {
            "a_net.tntp": "<ODD> 7\n<NUMBER OF LINKS> 1\n1 2 9 1 5 .15 4 0 0 1 ;\n",
            "a_node.tntp": "Node\tX\tY\todd\t;\n1\t0\t3\t7\t;\n2\t4\t0\t7\t;\n",
            "trips.tntp": "<ODD> 7\n<TOTAL OD FLOW> 3\nOrigin 1\n2 : 3;\n",
        },
        "a_net.tntp",
        "trips.tntp",
        {"length", "speed", "toll", "link_type", "<ODD>", "node.odd", "demand.<ODD>"},
    ),
    "gmns": (
        {
            "link.csv": "from_node_id,to_node_id,directed,vdf_fftt,odd\n1,2,1,5,7\n",
            "node.csv": "node_id,x_coord,y_coord,zone_id,odd\n1,0,3,a,7\n2,4,0,b,7\n3,9,9,,7\n",
            "demand.csv": "o_zone_id,d_zone_id,volume,odd\na,b,3,7\n",
        },
        "",
        None,
        {"odd", "node.odd", "demand.odd"},
    ),
}


@pytest.mark.parametrize("kind", FURTHER)
def test_all_that_no_reader_reads_is_named(kind: str, tmp_path: Path) -> None:
    files, links, demand, unread = FURTHER[kind]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    game = rv.games.routes(str(tmp_path / links), demand=demand and str(tmp_path / demand))
    assert set(game.unread) == unread
    if kind != "csv":
        assert game.node_at.tolist() == [[0, 3], [4, 0]]
        # a position that is not known leaves those of others without use
        for name, text in files.items():
            (tmp_path / name).write_text(text.replace("4,0,b", ",0,b").replace("4\t0", "?\t0"))
        game = rv.games.routes(str(tmp_path / links), demand=demand and str(tmp_path / demand))
        assert set(game.unread) == unread | {"node.x", "node.y"}


def test_all_attributes_of_graphs_are_used_or_named(tmp_path: Path) -> None:
    graph = networkx.DiGraph()
    graph.add_edge("s", "t", cost="2*x", odd=7)
    graph.add_node("s", x=1.0, y=2.0, odd=7)
    graph.add_node("t", x=3.0, y=2.0)
    networkx.write_graphml(graph, tmp_path / "roads.graphml")
    for source in (graph, str(tmp_path / "roads.graphml")):
        game = rv.games.routes(source, demand={"s>t": 3.0})
        assert (set(game.unread), game.node_at.tolist()) == ({"odd", "node.odd"}, [[1, 2], [3, 2]])


SMALL = {"from": ["s", "s"], "to": ["t", "t"], "cost": ["x", "1"]}
TOLLED = SMALL | {"toll": [1, 0]}
TIMED = {"from": ["s", "s"], "to": ["t", "t"], "free_flow_time": [1.0, 2.0]}
FAR = {"distance_factor": 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"links": 3}, "links: 3 must be a table, a file or a graph of networkx"),
        ({"links": "sioux"}, "links: 'sioux' is no network"),
        ({"links": "none.tntp"}, "links: none.tntp: no such file"),
        ({"links": "roads.xlsx"}, "links: roads.xlsx must end in .tntp, .csv, .graphml"),
        (
            {"links": {"from": ["s"], "to": ["t"]}},
            "must have a column 'cost' or 'free_flow_time', and not both",
        ),
        ({"links": SMALL | {"cost": ["x"]}}, "links.cost: 1 entries; must be 2"),
        ({"links": SMALL | {"cost": ["tanh(x)", "1"]}}, r"links.cost\[0\]: has tanh; must be of"),
        (
            {"links": SMALL | {"cost": ["1", "10 - x"]}},
            r"cost\[1\], link s>t \(2\): must be .* does not at 0.01",
        ),
        ({"links": SMALL | {"cost": ["x - 1", "1"]}}, "s>t: must be at least 0 and rise .* does not at 0"),
        ({"links": SMALL | {"cost": ["log(x)", "1"]}}, "must be at least 0 and rise"),
        ({"links": SMALL | {"cost": ["y", "1"]}}, "unknown name 'y' in 'y'; allowed are x"),
        ({"demand": None}, "demand: is missing"),
        ({"demand": {"s>z": 1}}, "demand.s>z: 'z' is no node of the network"),
        ({"demand": {"t>s": 1}}, r"demand.t>s: must be joined by a route \(1 such pairs with 1 of 1 trips"),
        ({"demand": {"s>t": -1}}, "demand.s>t: -1 must be a number of at least 0"),
        ({"demand": {"s>t": "many"}}, "demand.s>t: unknown name 'many' in 'many'; allowed are cost, trips"),
        ({"demand": {("s", "t"): "10-2*cst"}}, "demand.s>t: unknown name 'cst' in '10-2\\*cst'"),
        ({"demand": {"s>s": 1}}, "has no trips between two nodes"),
        ({"demand": {"s>t": "cost - cost^2"}}, "demand.s>t: 'cost - cost.2' must contain cost once"),
        ({"demand": {"s>t": "1 + cost"}}, "demand.s>t: must fall with cost"),
        ({"demand": {"s>t": "1 + trips"}}, "'1 [+] trips' must be above 0 at no trips and fall to 0"),
        ({"demand": {"s>t": "1/cost"}}, "must be finite and above 0 at a cost of 0; is inf"),
        ({"demand": {"s>t": "1 - tanh(cost)"}}, "tanh has no inverse; give what the next"),
        ({"demand": {"s>t": 1, ("s", "t"): "1 - cost"}}, "once"),
        ({"demand": {"st": 1}}, "'st' must be a pair"),
        ({"atomic": True, "demand": {"s>t": 1.5}}, "demand: must be whole numbers of vehicles"),
        ({"atomic": True, "demand": {"s>t": 40}}, "demand: 40 x 2 .* numbers are too many"),
        ({"classes": {"a": {"share": 1.0}}}, "no column 'toll'"),
        ({"links": TOLLED, "classes": {"a": {"share": 1.0}}}, "classes.a: must have share and value_of_time"),
        ({"links": TOLLED, "classes": {"a": {"share": 0.5, "value_of_time": 1}}}, "and shares sum to 1"),
        (
            {"links": TOLLED, "toll_factor": 2, "classes": {"a": {"share": 1.0, "value_of_time": 1.0}}},
            "toll_factor: 2 must be 0 where classes pay",
        ),
        ({"closed": ["t>s"]}, "closed: 't>s' is no link"),
        ({"closed": "s"}, "closed: 's' is no link"),
        ({"closed": [None]}, "closed.0.: None must be text"),
        ({"closed": 3}, "closed: 3 must be text or a list of texts"),
        ({"links": None}, "links: None must be a table, a file or a graph"),
        ({"demand": "x" * 2000 + ".csv"}, "demand: xxx"),
        ({"toll_factor": 1.0}, "no column 'toll'"),
        (FAR | {"links": TIMED | {"length": ["1", "far"]}}, "links.length, link s>t: 'far' must be a number"),
        (FAR | {"links": TIMED | {"length": ["1", -2.0]}}, "link s>t: -2.0 must be a number of at least 0"),
        ({"links": TIMED | {"capacity": [1.0, 0.0]}}, "capacity, link s>t: 0 must be above 0 where"),
        ({"links": TIMED | {"capacity": [1.0, None]}}, "capacity, link s>t: None must be a number"),
        ({"links": TIMED | {"capacity": [1, 1], "b": [0.15, -1]}}, "b, link s>t: -1 must be a number of at"),
        ({"links": TIMED | {"b": [0.15, 0.15]}}, "links: has no column 'capacity'"),
        ({"links": TIMED | {"free_flow_time": [1.0, "12 min"]}}, "'12 min' must be a number, without its"),
    ],
)
def test_wrong_input_has_one_line(changes: dict[str, Any], message: str) -> None:
    keywords: dict[str, Any] = {"links": SMALL, "demand": {"s>t": 1.0}} | changes
    with pytest.raises(ValueError, match=message) as error:
        rv.games.routes(**keywords)
    assert "\n" not in str(error.value)
