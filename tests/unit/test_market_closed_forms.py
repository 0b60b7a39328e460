"""Closed forms of markets against reference cases and numerical best responses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

import rivalry as rv
from rivalry.core import oracles
from rivalry.families.market import closed_forms, equilibria
from rivalry.families.market.benchmarks import benchmark, critical_discount
from tests.duel import formulas
from tests.market_formulas import price_leader

CASES = json.loads((Path(__file__).parents[1] / "reference" / "market.json").read_text(encoding="utf-8"))[
    "cases"
]
STATIC = [case for case in CASES if not case["kind"].startswith(("dcf", "lq", "learning_band"))]
KEYS = {
    "a": "intercept",
    "b": "slope",
    "c": "unit_cost",
    "d": "convex_cost",
    "F": "fixed_cost",
    "A": "intercept",
    "eta": "elasticity",
    "mu": "taste_spread",
    "a0": "outside_option",
    "capacity": "capacity",
}
OTHERS = {"isoelastic": {"A": "market_size"}, "logit": {"a": "quality"}}
DEMANDS = {"isoelastic": "isoelastic", "differentiated": "differentiated", "logit": "logit"}


def table(inputs: dict[str, Any], kind: str) -> dict[str, Any]:
    """The keywords of a case's market."""
    demand = next((name for word, name in DEMANDS.items() if word in kind), "linear")
    keys = KEYS | OTHERS.get(demand, {})
    found = {"demand": demand} | {keys[key]: inputs[key] for key in keys if key in inputs}
    if "g" in inputs:
        found["substitution"] = inputs["g"]
    if "n" in inputs and kind != "critical_discount":
        found["players"] = inputs["n"]
    if "c_leaders" in inputs:
        found["unit_cost"] = inputs["c_leaders"] + inputs["c_followers"]
        leaders = len(inputs["c_leaders"])
        found["stages"] = [list(range(leaders)), list(range(leaders, len(found["unit_cost"])))]
    if "c_leader" in inputs:
        found["unit_cost"], found["stages"] = [inputs["c_leader"], inputs["c_follower"]], [[0], [1]]
    if kind in ("stackelberg_quadratic", "logit_stackelberg_price"):
        found["stages"] = [[0], [1]]
    if kind == "bertrand_homogeneous":
        found["choice"] = "price"
    return found


def benchmark_values(market: Any, name: str) -> dict[str, Any]:
    """A benchmark under the names of the cases."""
    whole = getattr(market, "market", market)
    found = benchmark(whole, name)
    m = {key: np.asarray(value[1]) for key, value in found.measures.items()}
    one = {"q": found.q, "p": found.p, "profit": found.profit, "P": m["mean_price"], "Q": m["total_quantity"]}
    quantities = whole.rule.choice == "quantity" and whole.rule.demand != "isoelastic"
    assert found.numerical == (name == "stackelberg" and not quantities)
    return one | m | {"HHI": m["hhi"]}


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """The results of the closed forms for a case."""
    kind, inputs = case["kind"], case["inputs"]
    if kind == "critical_discount":
        choice = "price" if "bertrand" in inputs["model"] else "quantity"
        return {"delta_star": critical_discount(rv.games.market(players=inputs["n"], choice=choice)).delta[0]}
    if kind == "maskin_tirole_pricing":
        found = benchmark_values(
            rv.games.market(intercept=1.0, slope=1.0, unit_cost=0.0, choice="price", players=2), "cartel"
        )
        return {"p_monopoly": found["p"][0], "profit_joint_max_per_firm": found["profit"][0]}
    if kind == "differentiated_linear":
        return differentiated(inputs, case["expected"])
    game = rv.games.market(**table(inputs, kind))
    if kind == "logit_bertrand":
        return logit(game, inputs)
    if kind == "logit_stackelberg_price":
        nash, led = benchmark_values(game, "nash"), benchmark_values(game, "stackelberg")
        return {f"nash_{k}": nash[k] for k in ("p", "profit")} | {
            f"leader_follower_{k}": led[k] for k in ("p", "profit")
        }
    if kind == "cournot_linear_benchmarks":
        nash, joint, takers = (benchmark_values(game, name) for name in ("nash", "cartel", "competitive"))
        return {
            "q_cournot": nash["q"],
            "Q_cournot": nash["Q"],
            "profit_cournot": nash["profit"],
            "joint_profit_cournot": nash["industry_profit"],
            "Q_collusive": joint["Q"],
            "joint_profit_collusive": joint["industry_profit"],
            "Q_competitive": takers["Q"],
        }
    names = {"collusion": "cartel", "competitive": "competitive", "stackelberg": "stackelberg"}
    return benchmark_values(game, names.get(kind.split("_")[0], "nash"))


def differentiated(inputs: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Both choices, simultaneous or with a leader, and the joint maximum."""
    keys = table(inputs, "differentiated") | {"players": 2}
    quantity, price = rv.games.market(**keys), rv.games.market(**keys, choice="price")
    if "cournot" not in expected:
        return {
            "price_leader": benchmark_values(price, "stackelberg"),
            "quantity_leader": benchmark_values(quantity, "stackelberg"),
        }
    joint = benchmark_values(quantity, "cartel")
    np.testing.assert_allclose(benchmark_values(price, "cartel")["q"], joint["q"], rtol=1e-12)
    found = {
        "cournot": benchmark_values(quantity, "nash"),
        "bertrand": benchmark_values(price, "nash"),
        "collusion": joint,
    }
    return {name: {key: value[key][0] for key in ("q", "p", "profit")} for name, value in found.items()}


def logit(game: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Nash equilibrium and joint maximum, with the derived grid and critical discount factor."""
    nash, joint, critical = (
        benchmark_values(game, "nash"),
        benchmark_values(game, "cartel"),
        critical_discount(game),
    )
    low, high = nash["p"][0], joint["p"][0]
    grid = np.linspace(*(low - 0.1 * (high - low), high + 0.1 * (high - low)), 15)
    best = oracles.best_response(game, game.space.check(joint["p"]), 0)
    return {
        "p_nash": low,
        "p_monopoly": high,
        "profit_nash": nash["profit"][0],
        "profit_monopoly": joint["profit"][0],
        "share_nash": nash["q"][0],
        "share_monopoly": joint["q"][0],
        "grid": grid,
        "grid_step": grid[1] - grid[0],
        "best_deviation_price": best[0][0],
        "best_deviation_profit": critical.deviation[0],
        "grim_trigger_critical_delta": critical.delta[0],
    }


def compare(ours: Any, expected: Any, tolerance: dict[str, Any], where: str) -> None:
    if isinstance(expected, dict):
        for key, value in expected.items():
            compare(ours[key], value, tolerance, f"{where}.{key}")
    else:
        np.testing.assert_allclose(ours, expected, tolerance["rel"], tolerance["abs"], err_msg=where)


@pytest.mark.slow
@pytest.mark.parametrize("case", STATIC, ids=[case["id"] for case in STATIC])
def test_reference_cases(case: dict[str, Any]) -> None:
    compare(answer(case), case["expected"], case["tolerance"], case["id"])


def random_market(rng: np.random.Generator, demand: str, choice: str) -> Any:
    """A market with heterogeneous firms, of which some may be inactive or at capacity."""
    n = int(rng.integers(2, 5))
    keys: dict[str, Any] = {"demand": demand, "choice": choice, "unit_cost": rng.uniform(0.5, 6.0, n)}
    if demand == "linear":
        keys |= {
            "intercept": rng.uniform(7.0, 12.0),
            "slope": rng.uniform(0.5, 2.0),
            "convex_cost": rng.uniform(0.0, 1.0, n),
        }
        keys["capacity"] = rng.uniform(0.2, 4.0, n)
    elif demand == "differentiated":
        b = rng.uniform(0.5, 2.0)
        keys |= {
            "intercept": rng.uniform(7.0, 12.0),
            "slope": b,
            "substitution": rng.uniform(-0.9 / (n - 1), 0.9) * b,
        }
        keys["convex_cost"] = rng.uniform(0.0, 1.0, n)
    elif demand == "logit":
        keys |= {
            "quality": rng.uniform(0.0, 6.0, n),
            "outside_option": rng.normal(),
            "taste_spread": rng.uniform(0.1, 2.0),
        }
        keys["convex_cost"] = rng.uniform(0.0, 2.0, n)
    else:
        keys |= {"elasticity": rng.uniform(0.8, 3.0), "unit_cost": rng.uniform(1.0, 1.2, n)}
    return rv.games.market(**keys)


def profit_of(market: Any, x: np.ndarray, firm: int) -> Any:
    """A firm's profit as a function of its choice, in plain NumPy."""
    kind = {"demand": market.rule.demand, "choice": market.rule.choice}
    profits = formulas.market(dict(market.numbers) | kind, len(x))
    return lambda own: float(profits(x[:, None], firm, np.array([[own]]))[0])


RULES = [
    ("linear", "quantity"),
    ("differentiated", "quantity"),
    ("differentiated", "price"),
    ("logit", "price"),
    ("isoelastic", "quantity"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("demand", "choice"), RULES)
def test_no_firm_gains_by_deviating_from_closed_form_equilibria(demand: str, choice: str) -> None:
    rng = np.random.default_rng(8)
    refused = 0
    for _ in range(25):
        market = random_market(rng, demand, choice)
        try:
            (root,) = closed_forms.nash(market)
        except ValueError:  # a corner case that it refuses
            refused += 1
            continue
        low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]
        for firm in range(len(low)):
            profit = profit_of(market, root[:, 0], firm)
            line = np.linspace(low[firm], high[firm], 101)
            start = line[np.argmax([profit(own) for own in line])]
            ends = np.clip([start - line[2] + line[0], start + line[2] - line[0]], low[firm], high[firm])
            best = -minimize_scalar(lambda own: -profit(own), bounds=ends, method="bounded").fun  # noqa: B023
            assert best - profit(root[firm, 0]) <= 1e-9 * (1 + abs(best)), (market, root)
    assert refused <= 8


@pytest.mark.slow
@pytest.mark.parametrize(("demand", "choice"), RULES[:4])
def test_no_profile_exceeds_the_closed_form_joint_profit(demand: str, choice: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(12):
        market = random_market(rng, demand, choice)
        if demand == "logit":
            market = rv.with_(market, convex_cost=np.zeros(market.players))
        best = closed_forms.joint(market)
        low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]

        def lost(y: np.ndarray, market: Any = market) -> float:
            return -sum(profit_of(market, y, firm)(y[firm]) for firm in range(len(y)))

        for start in (best, (low + np.minimum(high, 8.0)) / 2, rng.uniform(low, np.minimum(high, 8.0))):
            found = minimize(lost, start, bounds=list(zip(low, high, strict=True)), method="L-BFGS-B")
            assert -found.fun <= -lost(best) + 1e-6 * abs(found.fun)


def test_sellers_below_capacity_take_the_price_as_given() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        n = int(rng.integers(1, 6))
        a, b, c = rng.uniform(7, 12), rng.uniform(0.5, 2), rng.uniform(0, 9, n)
        d, capacity = rng.uniform(0, 1, n) * rng.integers(0, 2, n), rng.uniform(0.2, 9, n)
        q = equilibria.merit_order(a, b, c, d, capacity)
        price, cost = a - b * q.sum(), c + d * q
        assert np.all((q >= 0) & (q <= capacity))
        np.testing.assert_allclose(cost[(q > 0) & (q < capacity)], price, rtol=1e-12)
        assert np.all(cost[q == 0] >= price - 1e-12)
        assert np.all(cost[q == capacity] <= price + 1e-12)


def test_equal_costs_share_output_equally_up_to_capacity() -> None:
    shared = equilibria.merit_order(100.0, 1.0, 10.0, capacity=[10.0, 100.0, 100.0])
    assert shared.tolist() == [10.0, 40.0, 40.0]
    assert equilibria.merit_order(100.0, 2.0, [10.0, 20.0], [1.0, 1.0]).tolist() == [22.0, 12.0]


def test_fixed_costs_give_several_equilibria_or_the_interior_one() -> None:
    for fixed, wanted in ((10.0, [[4.5, 0.0], [0.0, 4.5]]), (1.0, [[3.0, 3.0]])):
        game = rv.games.market(intercept=10.0, unit_cost=1.0, fixed_cost=fixed)
        assert oracles.closed_form(game)[..., 0].tolist() == wanted


def test_the_firm_of_highest_cost_stays_out_first() -> None:
    for high in (None, float("inf")):
        for costs, wanted in (
            ([1.0, 1.5], [[4.5, 0.0], [0.0, 4.25]]),
            ([1.5, 1.0], [[0.0, 4.5], [4.25, 0.0]]),
        ):
            game = rv.games.market(intercept=10.0, unit_cost=costs, fixed_cost=10.0, high=high)
            assert oracles.closed_form(game)[..., 0].tolist() == wanted


def test_differentiated_firms_with_fixed_costs_have_several_equilibria() -> None:
    # alone a firm sells 4.5 at a profit of 20.25; beside it the other earns ((9 - 2.25) / 2)^2 = 11.39
    game = rv.games.market(demand="differentiated", fixed_cost=13.0)
    assert oracles.closed_form(game)[..., 0].tolist() == [[4.5, 0.0], [0.0, 4.5]]


def test_zero_cost_has_the_interior_equilibrium() -> None:
    found = oracles.closed_form(rv.games.market(unit_cost=0.0, intercept=9.0))
    assert found[..., 0].tolist() == [[3.0, 3.0]]


def test_limit_prices_exclude_the_high_cost_firm() -> None:
    p = equilibria.differentiated_bertrand(10.0, 1.0, 0.9, [1.0, 3.5])
    q = np.linalg.solve([[1.0, 0.9], [0.9, 1.0]], 10.0 - p)
    assert p[1] == 3.5
    assert abs(q[1]) < 1e-12
    with pytest.raises(ValueError, match=r"limit prices.*best_response"):
        equilibria.differentiated_bertrand(10.0, 1.0, 0.9, [1.0, 1.0, 2.15])


@pytest.mark.representative
def test_bertrand_price_is_the_rivals_cost_or_the_monopoly_price() -> None:
    assert equilibria.bertrand(100.0, 1.0, [10.0, 80.0]).tolist() == [55.0, 80.0]
    assert equilibria.bertrand(100.0, 1.0, [10.0, 10.0, 20.0]).tolist() == [10.0, 10.0, 20.0]
    game = rv.games.market(choice="price", unit_cost=[10.0, 30.0])
    assert rv.certificate(game, oracles.closed_form(game)[0]).claim == "equilibrium"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"demand": "isoelastic", "elasticity": 0.4, "players": 2}, "no interior equilibrium"),
        (
            {"demand": "isoelastic", "elasticity": 2.0, "unit_cost": [1.0, 5.0]},
            "firm 1 is inactive.*best_response",
        ),
        ({"shock": {"kind": "iid", "levels": [-1.0, 1.0]}}, "shock.*certain demand.*best_response"),
        ({"demand": "logit", "capacity": 0.1}, "capacity.*best_response"),
        ({"demand": "isoelastic", "convex_cost": 1.0}, "convex_cost: .*best_response"),
        ({"demand": "isoelastic", "fixed_cost": 1e6}, r"fixed_cost\[0\].*best_response"),
        ({"demand": "logit", "high": 1.2}, "high: .*firm 0.*"),
    ],
)
def test_refusals_name_the_obstacle(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        oracles.closed_form(rv.games.market(**keys))


def test_extreme_logit_markets_satisfy_the_first_order_conditions() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        n, mu = int(rng.integers(1, 6)), 10 ** rng.uniform(-1, 1)
        a, c, a0 = rng.normal(0, 5, n), rng.uniform(0, 3, n), rng.normal(0, 3)
        p = equilibria.logit_bertrand(a, a0, mu, c)
        value = np.append((a - p) / mu, a0 / mu)
        whole = np.logaddexp.reduce(value)
        rest = np.array([np.exp(np.logaddexp.reduce(np.delete(value, k)) - whole) for k in range(n)])
        np.testing.assert_allclose(p, c + mu / rest, rtol=1e-10)


def test_a_price_leader_earns_the_most_along_the_followers_best_responses() -> None:
    rng = np.random.default_rng(9)
    tried = 0
    for _ in range(40):
        A, b, c, d = rng.uniform(7, 12), rng.uniform(0.5, 2), rng.uniform(0.5, 6, 2), rng.uniform(0, 1, 2)
        g = rng.uniform(-0.9, 0.9) * b
        try:
            p = price_leader(A, b, g, c, d)
        except ValueError as error:
            assert "a corner which has no closed form" in str(error)  # noqa: PT017
            continue
        tried += 1
        inverse = np.linalg.inv([[b, g], [g, b]])

        def profits(p: np.ndarray, c: Any = c, d: Any = d, A: float = A, S: Any = inverse) -> Any:
            q = np.moveaxis(np.tensordot(S, A - p, axes=(1, -1)), 0, -1)
            return np.where(q > 0, (p - c) * q - d * q**2 / 2, 0.0)

        # followers choose on a grid, too: a thousandth of a price moves the profit of the leader as much
        leads = np.linspace(p[0] - 0.2, p[0] + 0.2, 41)[:, None]
        follower = np.linspace(p[1] - 0.4, p[1] + 0.4, 801)
        pairs = np.stack(np.broadcast_arrays(leads, follower), axis=-1)
        earned = profits(pairs)
        best = np.argmax(earned[..., 1], axis=1)
        assert follower[best[20]] == pytest.approx(p[1], abs=1e-3)
        assert earned[np.arange(41), best, 0].max() <= profits(p)[0] + 5e-3
    assert tried > 20


def test_a_price_leader_who_profits_from_exclusion_has_no_closed_form() -> None:
    with pytest.raises(ValueError, match="firm 1 sells nothing when firm 0 leads"):
        price_leader(10.0, 1.0, 0.9, [1.0, 4.6])


@pytest.mark.parametrize("eta", [1.3, 2.0, 4.0])
def test_no_price_earns_isoelastic_firms_more_than_the_joint_price(eta: float) -> None:
    q = equilibria.isoelastic_total(100.0, eta, [1.5, 1.0, 1.0], joint=True)
    price = np.linspace(1.01, 30.0, 5000)
    assert q[0] == 0.0
    assert q[1] == q[2]
    here = 100.0 * q.sum() ** (-1 / eta)
    assert (here - 1.0) * q.sum() >= ((price - 1.0) * (100.0 / price) ** eta).max() * (1 - 1e-12)
    takers = equilibria.isoelastic_total(100.0, eta, [1.5, 1.0, 1.0], joint=False)
    assert 100.0 * takers.sum() ** (-1 / eta) == pytest.approx(1.0)


def test_joint_profit_without_a_maximum_and_too_many_sets_of_firms_are_refused() -> None:
    with pytest.raises(ValueError, match="elasticity: 1 must be above 1, or joint profit increases without"):
        equilibria.isoelastic_total(100.0, 1.0, [1.0, 1.0], joint=True)
    with pytest.raises(ValueError, match=r"fixed_cost: 13 firms have fixed costs; .* at most 12"):
        closed_forms.nash(rv.games.market(players=13, fixed_cost=1.0))


@pytest.mark.parametrize("substitution", [-0.45, -0.2, 0.0, 0.6])
def test_nothing_is_sold_above_the_largest_profitable_price(substitution: float) -> None:
    market = rv.games.market(
        players=3, demand="differentiated", choice="price", substitution=substitution, unit_cost=0.0
    )
    top = float(market.space.high[0, 0])
    prices = [[top, 0.0, 0.0], [top, 0.0, 9.0], [top, 4.0, 2.0]]  # complements sell most if they are free
    numbers = {"intercept": 10.0, "slope": 1.0, "substitution": substitution}
    *most, above = formulas.varieties(numbers, np.array([*prices, [10.5, 0.0, 0.0]]))[:, 0]
    assert most == pytest.approx([0.0] * 3, abs=1e-9)
    assert (above > 0) == (substitution < 0)  # only complements sell above the intercept of demand


LED = {"stages": [[0], [1]]}
LED_BY_TWO = {"stages": [[0, 1], [2]], "demand": "differentiated"}
ISOELASTIC = {"demand": "isoelastic"}


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("joint", {"fixed_cost": 1.0}, "fixed_cost: closed forms are for joint profit without fixed costs"),
        ("joint", {"low": 5.0}, "low: closed forms are for bounds of 0"),
        ("joint", {"demand": "logit", "convex_cost": 1.0}, "convex_cost: .*constant unit costs"),
        ("competitive", {"low": [0.0, 5.0]}, "low: closed forms are for bounds of 0"),
        ("nash", {"low": 60.0}, "low: .*bounds at which the price is above 0"),
        ("nash", {"low": 1.0, "fixed_cost": 1.0}, "low: .*bounds of 0 where there are fixed costs"),
        ("nash", {"demand": "isoelastic", "price_flat_below": 1e4}, "price_flat_below: .*totals above it"),
        ("stackelberg", LED | {"fixed_cost": 1.0}, "fixed_cost: .*followers without"),
        ("stackelberg", LED | {"choice": "price"}, "stages: closed forms are for quantities"),
        ("stackelberg", LED_BY_TWO, "stages: .*one leader, and one stage of followers"),
        ("stackelberg", LED | ISOELASTIC, "stages: .*quantities with linear or differentiated demand"),
    ],
)
def test_closed_forms_outside_domains_name_the_key(name: str, keys: dict[str, Any], words: str) -> None:
    game = rv.games.market(**keys)
    market = game.market if "stages" in keys else game
    with pytest.raises(ValueError, match=words + ".*; use best_response"):
        getattr(closed_forms, name)(market)


def test_log_odds_go_with_their_shares() -> None:
    room, convex = np.array([3.0, -2.0, 0.5]), np.array([0.0, 0.4, 2.0])
    near = equilibria._solve_log_odds(np.full(3, -4.0), room, convex, 1.0)[0] + 5e-10
    log_odds, share, _ = equilibria._solve_log_odds(near, room, convex, 1.0)  # one short step
    np.testing.assert_allclose(share, 1 / (1 + np.exp(-log_odds)), rtol=1e-15)
    np.testing.assert_allclose(np.log(share) + 1 / (1 - share) + convex * share, room, rtol=1e-13)
