"""Tables of markets against play, linear-quadratic form, action levels, channels of discount factors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.families.market.play import simulate
from rivalry.families.market.tables import (
    Channels,
    adjustment_tables,
    gamma_channels,
    levels,
    linear_quadratic,
    memory_pairs,
    repeated_tables,
)
from rivalry.runtime.jax import jax, jnp
from rivalry.tables.repeated import repeated_form as remembering
from tests.adjustment import adjustment_tables as by_formula

CASES = json.loads((Path(__file__).parents[1] / "reference" / "market.json").read_text())["cases"]
BEFORE: dict[str, Any] = {
    "adjustment": "predetermined",
    "intercept": 10.0,
    "slope": 2.0,
    "unit_cost": 0.0,
    "adjustment_cost": 12.0,
    "gamma": 0.96,
}
LINES = [np.array([20.0, 25.0, 30.0]), np.array([10.0, 20.0, 30.0, 40.0]), np.array([5.0, 15.0])]


def whole(**options: Any) -> Any:
    game = rv.games.market(**options)
    return getattr(game, "market", game)


def tables_of(market: Any, lines: list[np.ndarray]) -> Any:
    sizes = np.array([len(line) for line in lines])
    places = np.full((len(lines), sizes.max(), 1), np.nan)
    for firm, line in enumerate(lines):
        places[firm, : len(line), 0] = line
    return repeated_tables(market, places, sizes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "order", "sees"),
    [
        ({"players": 3}, [[0, 1, 2]], [[], [], []]),
        ({"stages": [[2], [0, 1]]}, [[2, 0, 1]], [[2], [2], []]),
        ({"stages": [[1], [2], [0]]}, [[1, 2, 0]], [[1, 2], [], [1]]),
        ({"players": 3, "timing": "alternating"}, [[0], [1], [2]], [[], [], []]),
    ],
    ids=["at once", "followers", "hierarchy", "in turns"],
)
def test_tables_of_markets_without_states(options: dict[str, Any], order: Any, sees: Any) -> None:
    made = tables_of(whole(**options, unit_cost=[10.0, 12.0, 8.0], tax=0.2), LINES)
    assert made.order.tolist() == order
    assert [[who for who, ago in row if who >= 0] for row in made.observation_slots.tolist()] == sees
    assert set(made.observation_slots[..., 1][made.observation_slots[..., 0] >= 0].ravel().tolist()) <= {0}
    assert (made.payoff.shape, made.next_nature.tolist()) == ((1, 3, 24), [[[0]]])
    for joint, (i, j, k) in enumerate(np.ndindex(3, 4, 2)):
        q = np.array([LINES[0][i], LINES[1][j], LINES[2][k]])
        wanted = 0.8 * (max(100 - q.sum(), 0) - np.array([10.0, 12.0, 8.0])) * q
        np.testing.assert_allclose(made.payoff[0, :, joint], wanted, rtol=1e-12)


@pytest.mark.slow
def test_the_price_signal_is_its_rank_among_all_prices() -> None:
    made = tables_of(whole(players=3), LINES)
    prices = np.array([100 - sum(q) for q in np.stack(np.meshgrid(*LINES, indexing="ij"), -1).reshape(-1, 3)])
    values = sorted(set(prices.tolist()))
    assert made.signal.tolist() == [[values.index(price) for price in prices.tolist()]]
    fine = np.arange(1, 9)  # tenths: sums differ only by rounding
    left = np.maximum(10 - np.add.outer(fine, fine), 0).ravel()
    assert tables_of(whole(intercept=1.0, unit_cost=0.1), [fine / 10, fine / 10]).signal.tolist() == [
        left.tolist()
    ]
    assert not tables_of(whole(demand="logit"), [np.array([1.4, 1.5])] * 2).signal.size


@pytest.mark.slow
def test_the_price_signal_of_a_homogeneous_good_is_the_lowest_price() -> None:
    made = tables_of(whole(choice="price"), [np.array([20.0, 30.0]), np.array([25.0, 30.0])])
    assert made.signal.tolist() == [[0, 0, 1, 2]]


@pytest.mark.slow
def test_shocks_are_states_of_nature() -> None:
    chain = [[0.9, 0.1], [0.3, 0.7]]
    shock = {"kind": "markov", "levels": [-10.0, 10.0], "transitions": chain}
    for observed in (False, True):
        made = tables_of(whole(shock=shock, shock_observed=observed), LINES[:2])
        assert made.next_nature.tolist() == [[[0, 1]], [[0, 1]]]
        np.testing.assert_allclose(np.diff(made.nature_cdf, axis=2, prepend=0.0)[:, 0], chain)
        assert made.observation_slots.tolist() == [[[2, 0]]] * 2 if observed else [[[-1, -1]]] * 2
        np.testing.assert_allclose(made.payoff[0, 0, 0], (90 - 30 - 10) * 20)
        np.testing.assert_allclose(made.payoff[1, 0, 0], (110 - 30 - 10) * 20)
        assert made.signal[1, 0] > made.signal[0, 0]


@pytest.mark.parametrize(
    ("rule", "timing"),
    [("spot", "simultaneous"), ("spot", "alternating"), ("predetermined", "staged")]
    + [
        pytest.param("predetermined", word, marks=pytest.mark.nightly)
        for word in ("simultaneous", "alternating")
    ],
)
@pytest.mark.nightly
def test_tables_match_simulated_play(rule: str, timing: str) -> None:
    """Twelve periods of random actions with an alternating shock give the same cash flows and prices."""
    turns = {"stages": [[1], [0]]} if timing == "staged" else {"timing": timing}
    shock = {"kind": "markov", "levels": [-8.0, 8.0], "transitions": [[0.0, 1.0], [1.0, 0.0]]}
    more = {
        "adjustment_cost": [0.3, 0.7],
        "initial": [25.0, 10.0],
        "convex_cost": 0.1,
        "tax": 0.3,
        "tax_losses": "none",
    }
    market = whole(adjustment=rule, shock=shock, shock_observed=True, **turns, **more)
    made = tables_of(market, LINES[:2])
    assert (made.payoff.shape, made.observation_slots[0, 0].tolist()) == ((24, 2, 12), [2, 0])
    rng = np.random.default_rng(1)
    action, path, joints = [1, 0], [], []
    for t in range(12):
        before = np.array([LINES[0][action[0]], LINES[1][action[1]]])
        for firm in made.order[t % len(made.order)].tolist():
            action[firm] = int(rng.integers(len(LINES[firm])))
        now = np.array([LINES[0][action[0]], LINES[1][action[1]]])
        path.append((now - before if rule == "predetermined" else now)[:, None])
        joints.append(int(np.ravel_multi_index(tuple(action), (3, 4))))
    found = simulate(market, np.array(path), 12, seed=5)
    first = np.array([25.0, 10.0]) if rule == "predetermined" else path[0][:, 0]
    level = int(found.p[0, 0, 0] > 100 - first.sum())
    nature, prices = level * 12 + int(np.ravel_multi_index((1, 0), (3, 4))), []
    for t, joint in enumerate(joints):
        np.testing.assert_allclose(
            made.payoff[nature, :, joint], found.cash_flow[0, t], rtol=1e-11, atol=1e-9
        )
        prices.append((found.p[0, t, 0], made.signal[nature, joint]))
        branch = int(np.argmax(np.diff(made.nature_cdf[nature, joint], prepend=0.0)))
        nature = made.next_nature[nature, joint, branch]
    by_price = sorted(prices)
    assert [number for _, number in by_price] == sorted(number for _, number in prices)


@pytest.mark.slow
def test_growth_is_included_in_the_discount_factor() -> None:
    """Payoffs are per unit of market size, and a period is discounted by gamma (1 + g)."""
    market = rv.games.market(growth=0.03, gamma=[0.9, 0.5])
    world = remembering(market, [[30.0, 40.0]] * 2)
    np.testing.assert_allclose(world.gamma, [0.927, 0.515])
    np.testing.assert_allclose(world.tables.payoff[0, :, 0], [900.0, 900.0])
    money = simulate(market, [[30.0], [30.0]], 400).valuation.value[0]
    np.testing.assert_allclose(money, 900 / (1 - world.gamma), rtol=1e-9)


@pytest.mark.slow
def test_leaders_and_followers_are_all_players() -> None:
    world = remembering(rv.games.market(stages=[[0], [1]]), [[30.0, 45.0], [22.5, 30.0, 45.0]], memory=0)
    assert world.tables.sizes.tolist() == [2, 3]
    assert world.tables.observation_slots.tolist() == [[[-1, -1]], [[0, 0]]]
    assert world.gamma.tolist() == [0.95, 0.95]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cash": 10.0}, r"cash: .*to_markov\(market, periods\)"),
        ({"capacity": 50.0, "capex": 1.0}, "capex: .*play"),
        ({"capacity": 50.0, "depreciation": 0.1}, "depreciation: .*play"),
        ({"sticky": 0.5}, "sticky: .*play"),
        ({"growth": 0.01, "fixed_cost": 1.0}, r"growth: 0\.01 clashes with fixed_cost"),
        ({"growth": 0.01, "convex_cost": 1.0}, "clashes with convex_cost"),
        ({"growth": 0.01, "adjustment": "spot", "adjustment_cost": 1.0}, "clashes with adjustment_cost"),
        ({"growth": 0.01, "adjustment": "predetermined"}, "clashes with adjustment"),
        ({"growth": 0.01, "capacity": 50.0}, "clashes with capacity"),
        (
            {"adjustment": "spot", "adjustment_cost": 1.0, "shock": {"kind": "iid", "levels": [0.0, 1.0]}},
            "shock_observed: must",
        ),
    ],
    ids=range(10),
)
def test_markets_without_tables_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tables_of(whole(**options), LINES[:2])


def test_tables_that_are_too_large_are_refused() -> None:
    market, lines = whole(adjustment="spot", adjustment_cost=1.0), np.linspace(10, 40, 20)[:, None]
    with pytest.raises(
        ValueError, match=r"400 states of nature and \[20, 20\] actions .* max_table_bytes, 1000"
    ):
        repeated_tables(market, np.stack([lines, lines]), np.array([20, 20]), max_table_bytes=1000)


@pytest.mark.slow
def test_linear_quadratic_form_matches_the_cash_flow() -> None:
    """``-(x'R x + u'Q u)`` and ``A x + B u`` against play, firm by firm."""
    for options in (
        {
            "intercept": 50.0,
            "slope": 0.5,
            "unit_cost": [2.0, 3.0, 4.0],
            "convex_cost": [0.1, 0.0, 0.3],
            "tax": [0.1, 0.2, 0.3],
        },
        {
            "demand": "differentiated",
            "intercept": 50.0,
            "slope": 1.0,
            "substitution": 0.4,
            "unit_cost": [2.0, 3.0, 4.0],
            "convex_cost": 0.2,
        },
    ):
        initial = [5.0, 6.0, 7.0]
        market = rv.games.market(
            **options, adjustment="predetermined", adjustment_cost=[1.0, 2.0, 3.0], initial=initial
        )
        made, moves = linear_quadratic(market), np.array([[[1.0], [-2.0], [0.5]], [[0.3], [1.0], [-1.0]]])
        found, x = simulate(market, moves, 2), made.first
        assert x.tolist() == [1.0, *initial]
        for t, u in enumerate(moves):
            costs = [x @ made.R[i] @ x + u[i] @ made.Q[i] @ u[i] for i in range(3)]
            np.testing.assert_allclose(-np.array(costs), found.cash_flow[0, t], rtol=1e-12)
            x = made.A @ x + sum(made.B[i] @ u[i] for i in range(3))
        assert np.array_equal(made.R, made.R.swapaxes(1, 2))


def test_markov_perfect_value_of_the_reference_case() -> None:
    case = next(case for case in CASES if case["id"] == "lq_mpe_phi12")
    found = rv.solve(rv.games.market(**BEFORE, initial=1.0), rv.methods.LinearQuadratic())
    values = np.ravel(case["expected"].get("value", case["expected"].get("values", [])))
    wanted = values if values.size else 128.865036
    np.testing.assert_allclose(found.data.value.values, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "adjustment: 'none' must be 'predetermined'"),
        ({"adjustment": "spot", "adjustment_cost": 1.0}, "adjustment: 'spot' must be 'predetermined'"),
        ({"demand": "isoelastic", "adjustment": "predetermined"}, "demand: 'isoelastic' is not linear"),
        ({**BEFORE, "fixed_cost": 1.0}, "fixed_cost: makes cash flow jump"),
        ({**BEFORE, "capacity": 3.0}, "capacity: makes"),
        ({**BEFORE, "growth": 0.01}, "growth: is beyond linear_quadratic.*to_markov"),
        ({**BEFORE, "shock": {"kind": "iid", "levels": [0.0, 1.0]}}, "shock: is beyond"),
        ({**BEFORE, "timing": "alternating"}, "timing: is beyond"),
        ({**BEFORE, "tax": 0.1, "tax_losses": "none"}, "tax_losses: is beyond"),
    ],
    ids=range(9),
)
def test_markets_that_are_not_linear_quadratic_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        linear_quadratic(rv.games.market(**options))


@pytest.mark.slow
def test_adjustment_tables_match_their_formula() -> None:
    market = rv.games.market(**(BEFORE | {"unit_cost": [0.5, 0.7]}), initial=[1.1, 2.0])
    lines = [0.5, 1.0, 1.5, 2.0]
    found = adjustment_tables(market, lines)
    wanted = by_formula(10.0, 2.0, [0.5, 0.7], 12.0, 0.96, lines, first=[1.1, 2.0])
    for name in ("flow", "phi", "gamma", "first"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-12, atol=1e-14)
    assert [line.tolist() for line in found.levels] == [[0.5, 1.0, 1.1, 1.5, 2.0], lines]
    assert [len(line) for line in adjustment_tables(market, 6).levels] == [7, 6]
    with pytest.raises(ValueError, match="players: 3 firms"):
        adjustment_tables(rv.games.market(players=3, **BEFORE), lines)
    with pytest.raises(ValueError, match=r"initial\[0\]: 1\.1 must be in \[1\.5, 2\]"):
        adjustment_tables(market, [1.5, 2.0])
    with pytest.raises(ValueError, match="levels: must rise"):
        adjustment_tables(market, [2.0, 1.0])


@pytest.mark.slow
def test_levels_match_the_literature() -> None:
    calvano = next(case for case in CASES if case["id"] == "calvano_logit_benchmarks")
    lines = levels(rv.games.market(demand="logit", players=2), 15)
    np.testing.assert_allclose(lines[0], calvano["expected"]["grid"], rtol=1e-9)
    np.testing.assert_allclose(lines[0], lines[1])
    cournot = levels(rv.games.market(intercept=300.0, unit_cost=0.0, players=2, grid_margin=0.2), 15)
    np.testing.assert_allclose(cournot[0], np.arange(70.0, 105.1, 2.5), rtol=1e-9)
    with pytest.raises(ValueError, match="firm 0 chooses 45 in equilibrium and in the cartel"):
        levels(rv.games.market(players=1), 3)


def test_channels_of_the_discount_factor_through_states() -> None:
    for options, wanted in (
        ({}, []),
        ({"shock": {"kind": "ar1", "rho": 0.9, "sd": 1.0, "count": 3}, "shock_observed": True}, []),
        ({"adjustment": "spot", "adjustment_cost": 1.0}, ["adjustment cost"]),
        ({"adjustment": "predetermined", "adjustment_cost": [0.0, 1.0]}, ["adjustment cost"]),
        ({"adjustment": "predetermined"}, []),
        ({"capacity": 50.0, "capex": 1.0, "cash": 10.0}, ["capacity", "cash"]),
        ({"sticky": 0.2}, ["sticky price"]),
        ({"timing": "alternating"}, ["standing choices"]),
        ({"stages": [[0], [1]]}, []),
    ):
        assert gamma_channels(whole(**options)).state == wanted, options


@pytest.mark.slow
def test_channels_of_the_discount_factor_through_memory() -> None:
    game, lines = rv.games.market(players=3), [[20.0, 30.0], [20.0, 30.0], [15.0, 25.0]]
    every = [[i, j] for i in range(3) for j in range(3) if i != j]
    for observation, wanted in (
        ("none", []),
        ("own", []),
        ("actions", every),
        ("price", every),
        (["others", "none", "own"], [[0, 1], [0, 2]]),
    ):
        assert memory_pairs(remembering(game, lines, observation=observation).tables) == wanted, observation
    staged = remembering(rv.games.market(stages=[[0], [1]]), lines[:2], memory=0)
    assert memory_pairs(staged.tables) == []  # choices of the current period are not memory
    stands = remembering(rv.games.market(adjustment="predetermined"), lines[:2], memory=0)
    assert memory_pairs(stands.tables) == [[0, 1], [1, 0]]  # current outputs reveal past choices
    flat = rv.games.market(
        intercept=40.0, unit_cost=[10.0, 20.0]
    )  # any output gives a price of zero, which reveals nothing
    assert memory_pairs(remembering(flat, [[20.0, 30.0]] * 2, observation="price").tables) == []


def test_channels_of_the_discount_factor_through_learning() -> None:
    market = rv.games.market(gamma=[0.0, 0.9])
    found = gamma_channels(market, learns=[True, True])
    assert found == Channels([], [], [1])
    assert found._asdict() == {"state": [], "memory": [], "learning": [1]}
    assert found.text == "gamma can matter through: learning (firms 1)"
    assert gamma_channels(market, learns=[True, False]) == Channels([], [], [])
    assert gamma_channels(market, learns=[True, False], discounts=[0.5, 0.5]).learning == [0]
    assert Channels([], [], []).text == "the discount factor does not affect this game"


@pytest.mark.slow
def test_conversions_are_registered_for_the_market() -> None:
    game = rv.games.market(**BEFORE, stages=[[0], [1]], initial=1.0)
    assert oracles.to_linear_quadratic(game).R.shape == (2, 3, 3)
    assert len(oracles.action_levels(rv.games.market(stages=[[1], [0]]), 3)) == 1
    assert gamma_channels(game).state == ["adjustment cost"]
    play = oracles.to_markov(game, 3)
    assert play.step(play.reset(jax.random.key(0)), jnp.zeros((2, 1)), jax.random.key(0))


@pytest.mark.parametrize(
    ("options", "path", "said"),
    [
        ({}, [[1.0, 1.0], [2.0, 2.0]], ""),
        ({}, [[1.0, 1.0], [1.0, -0.5]], "output of firm 1 is -0.5 in period 1"),
        ({}, [[3.0, 3.0]], "the price is -2 in period 0"),
        ({}, [[np.nan, 1.0], [-1.0, 1.0]], ""),  # a path that diverges has no period to name
        ({"demand": "differentiated", "substitution": 0.5}, [[3.0, 3.0]], ""),
        ({"demand": "differentiated", "substitution": 0.5}, [[6.0, 1.0]], "the price is -2.5 in period 0"),
    ],
)
def test_a_path_outside_the_linear_region_is_named(options: dict[str, Any], path: Any, said: str) -> None:
    states = np.column_stack([np.ones(len(path)), path])
    assert oracles.outside_linear(rv.games.market(**(BEFORE | options)), states) == said
