"""One-period markets: clearing, profits, exact best responses, consumer surplus, and wrong input."""

import equinox as eqx
import jax
import numpy as np
import pytest
from scipy.integrate import quad

import rivalry as rv
from rivalry.core import oracles
from tests.duel import formulas


def paid(game, x):
    return np.asarray(game.payoffs(game.space.check(x)))


def measured(game, x):
    return {
        name: np.asarray(array) for name, (_, array) in oracles.metrics(game, game.space.check(x)).items()
    }


def random_market(demand, choice, players, rng):
    """A market with random parameters, and the parameters."""
    own = {
        "unit_cost": rng.uniform(0.2, 3, players),
        "convex_cost": rng.uniform(0, 1, players),
        "tax": rng.uniform(0, 0.4, players),
    }
    if demand == "linear":
        own |= {"intercept": rng.uniform(5, 20), "slope": rng.uniform(0.5, 2)}
    elif demand == "isoelastic":
        own |= {
            "market_size": rng.uniform(5, 50),
            "elasticity": rng.uniform(max(0.6, 1.05 / players), 3),
            "price_flat_below": 0.01,
        }
    elif demand == "differentiated":
        b = rng.uniform(0.5, 2)
        own |= {
            "intercept": rng.uniform(6, 12),
            "slope": b,
            "substitution": rng.uniform(-b / max(players - 1, 1) * 0.9, b * 0.95),
        }
    else:
        own |= {
            "quality": rng.uniform(1, 4, players),
            "outside_option": rng.uniform(-1, 1),
            "taste_spread": rng.uniform(0.1, 1),
        }
    game = rv.games.market(
        demand=demand, choice=choice, **{k: v.tolist() if np.ndim(v) else v for k, v in own.items()}
    )
    return game, own


RULES = [
    ("linear", "quantity"),
    ("linear", "price"),
    ("isoelastic", "quantity"),
    ("differentiated", "quantity"),
    ("differentiated", "price"),
    ("logit", "price"),
]


@pytest.mark.nightly
@pytest.mark.parametrize(("demand", "choice"), RULES)
def test_profits_match_plain_numpy(demand, choice):
    rng = np.random.default_rng(3)
    for _ in range(8):
        game, own = random_market(demand, choice, int(rng.integers(1, 5)), rng)
        x = rng.uniform(np.asarray(game.space.low)[:, 0], np.asarray(game.space.high)[:, 0] * 0.7)
        numbers = {"rationing": None, "capacity": np.inf} | own
        p, q = (rows[0] for rows in formulas.cleared(demand, choice, numbers, x[None]))
        profit = p * q - own["unit_cost"] * q - own["convex_cost"] * q**2 / 2
        np.testing.assert_allclose(paid(game, x), (1 - own["tax"]) * profit, rtol=1e-9, atol=1e-9)
        found = measured(game, x)
        np.testing.assert_allclose(found["quantity"], q, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found["profit"], profit, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found["hhi"], 1e4 * np.sum((q / max(q.sum(), 1e-300)) ** 2), rtol=1e-6)


@eqx.filter_jit
def traced_response(game, x, firm):
    return oracles.best_response(game, x, firm)


@eqx.filter_jit
def along(game, x, firm, grid):
    return jax.vmap(lambda own: game.payoffs(x.at[firm, 0].set(own))[firm])(grid)


@pytest.mark.parametrize(("demand", "choice"), [rule for rule in RULES if rule != ("linear", "price")])
@pytest.mark.nightly
def test_no_choice_on_a_fine_grid_exceeds_the_best_response(demand, choice):
    rng = np.random.default_rng(5)
    for players in (1, 4, 2, 4, 4, 2):  # each number of firms compiles another program
        game, _ = random_market(demand, choice, players, rng)
        low, high = np.asarray(game.space.low)[:, 0], np.asarray(game.space.high)[:, 0]
        x = game.space.check(rng.uniform(low, np.minimum(high, 20.0)))
        firm = jax.numpy.asarray(rng.integers(players))
        _, payoff, coverage = traced_response(game, x, firm)
        grid = np.concatenate([np.linspace(low[firm], high[firm], 2001), np.geomspace(1e-6, high[firm], 500)])
        tried = along(game, x, firm, grid)
        assert coverage == "lower bound"  # a candidate: certificates bound all payoffs
        assert float(np.max(tried)) <= float(payoff) + 1e-9 * (1 + abs(float(payoff)))


@pytest.mark.slow
def test_a_firm_with_a_capacity_saves_a_fixed_cost_that_its_sales_do_not_pay():
    # at most 0.06 units are sold, for less than 30 each: 1.8 does not pay for 5; at a price of 30 none are
    game = rv.games.market(
        demand="differentiated", choice="price", players=1, intercept=30.0, capacity=0.06, fixed_cost=5.0
    )
    best = rv.best_response(game, np.array([[20.0]]), 0)
    assert best.payoff == 0.0
    assert 0.0 <= best.bound <= 1e-9


@pytest.mark.slow
def test_no_logit_price_saves_a_fixed_cost():
    # shares are above 0 at every price, also where their exponentials are 0 in floating point
    game = rv.games.market(demand="logit", players=1, fixed_cost=50.0)
    assert float(game.payoffs(np.array([[1e4]]))[0]) == -50.0
    idle = rv.games.market(demand="logit", players=1, fixed_cost=50.0, capacity=0.0)
    assert float(idle.payoffs(np.ones((1, 1)))[0]) == 0.0


def test_capacity_bounds_choices_and_sales():
    bounded = rv.games.market(capacity=[11.0, 50.0], intercept=90, slope=2)
    assert bounded.space.high.ravel().tolist() == [11.0, 45.0]
    game = rv.games.market(demand="logit", capacity=0.1)
    assert measured(game, [1.0, 1.0])["quantity"].tolist() == [0.1, 0.1]


@pytest.mark.parametrize("eta", [0.7, 1.0, 2.5])
def test_isoelastic_consumer_surplus_is_the_area_under_demand(eta):
    game = rv.games.market(demand="isoelastic", market_size=3.0, elasticity=eta, price_flat_below=0.2)
    total = 1.7
    area = quad(lambda q: 3.0 * max(q, 0.2) ** (-1 / eta), 0, total, points=[0.2])[0]
    price = 3.0 * total ** (-1 / eta)
    assert measured(game, [0.7, 1.0])["consumer_surplus"] == pytest.approx(area - price * total, rel=1e-8)


def test_buyers_beyond_a_capacity_have_no_surplus():
    """Against a draw of consumers with Gumbel tastes, of whom a firm serves a random part."""
    quality, price, spread, most = np.array([2.0, 2.5]), np.array([1.4, 1.6]), 0.5, np.array([0.2, 0.9])
    draws = np.random.default_rng(1)
    utility = spread * draws.gumbel(size=(400_000, 3)) + np.append(quality - price, 0.3)
    choice = utility.argmax(axis=1)
    wanted = np.bincount(choice, minlength=3)[:2] / len(choice)
    served = draws.random(len(choice)) < np.append(np.minimum(1.0, most / wanted), 1.0)[choice]
    gained = (utility.max(axis=1) - utility[:, 2]) * served
    game = rv.games.market(
        demand="logit", quality=quality, taste_spread=spread, outside_option=0.3, capacity=most
    )
    found = measured(game, price)
    assert found["quantity"][0] == 0.2 < wanted[0]
    error = gained.std() / np.sqrt(len(gained))
    assert abs(found["consumer_surplus"] - gained.mean()) < 5 * error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("demand", "choice"),
    [("linear", "quantity"), ("linear", "price"), ("isoelastic", "quantity"), ("differentiated", "quantity")],
)
def test_payoffs_taxes_and_surplus_add_up_to_what_trade_is_worth(demand, choice):
    """The value of the goods is the integral of prices on the way to the quantities that are sold."""
    rng = np.random.default_rng(3)
    for _ in range(3):
        game, own = random_market(demand, choice, 2, rng)
        found = measured(game, x := rng.uniform(0.3, 2.0, 2))
        sold = found["quantity"]
        priced = rv.games.market(demand=demand, **own)

        def price(part, sold=sold, priced=priced):
            return sold @ np.asarray(priced.clear(np.asarray(part * sold)).p)

        worth = quad(price, 0.0, 1.0, epsabs=1e-12, limit=200)[0]
        cost = own["unit_cost"] * sold + own["convex_cost"] * sold**2 / 2
        taxes = own["tax"] @ (found["price"] * sold - cost)
        assert paid(game, x).sum() + taxes + found["consumer_surplus"] == pytest.approx(
            worth - cost.sum(), rel=1e-6
        )
        assert found["welfare"] == pytest.approx(worth - cost.sum(), rel=1e-6)


def test_taxes_on_a_loss_are_refunded_unless_it_is_said_that_they_are_not():
    """At a price of 5 and costs of 10 each unit loses 5, of which a quarter is refunded."""
    x = np.array([50.0, 45.0])
    assert paid(rv.games.market(tax=0.25), x).tolist() == [-187.5, -168.75]
    assert paid(rv.games.market(tax=0.25, tax_losses="none"), x).tolist() == [-250.0, -225.0]


@pytest.mark.slow
@pytest.mark.parametrize("demand", ["differentiated", "logit"])
def test_the_derivative_of_consumer_surplus_is_minus_the_quantity(demand):
    game = rv.games.market(demand=demand, choice="price")
    x = np.array([1.6, 1.9])
    step = 1e-6
    for firm in range(2):
        up, down = x.copy(), x.copy()
        up[firm] += step
        down[firm] -= step
        slope = (measured(game, up)["consumer_surplus"] - measured(game, down)["consumer_surplus"]) / (
            2 * step
        )
        assert -slope == pytest.approx(measured(game, x)["quantity"][firm], rel=1e-6)


@pytest.mark.slow
def test_payoffs_with_a_shock_are_means_over_its_levels():
    levels, odds = [-30.0, 0.0, 45.0], [0.2, 0.5, 0.3]
    game = rv.games.market(shock={"kind": "iid", "levels": levels, "probabilities": odds})
    each = [paid(rv.games.market(intercept=100 + level), [30.0, 40.0]) for level in levels]
    np.testing.assert_allclose(paid(game, [30.0, 40.0]), odds @ np.array(each), rtol=1e-12)
    assert not hasattr(game, "best_response")


def test_an_autoregressive_shock_has_the_given_moments():
    game = rv.games.market(shock={"kind": "ar1", "rho": 0.8, "sd": 3.0, "count": 7})
    levels, chain, odds = (
        np.asarray(part) for part in (game.shock.levels, game.shock.transitions, game.shock.probabilities)
    )
    np.testing.assert_allclose(odds @ chain, odds, atol=1e-12)
    assert odds @ levels == pytest.approx(0.0, abs=1e-12)
    assert odds @ levels**2 == pytest.approx(9.0)
    assert (odds * levels) @ chain @ levels / 9 == pytest.approx(0.8)


@pytest.mark.slow
def test_undercutting_is_certified_with_homogeneous_goods():
    game = rv.games.market(choice="price", unit_cost=[10, 30])
    same = rv.certificate(game, game.space.check([30.0, 30.0]))
    np.testing.assert_allclose(same.regret, [700.0, 0.0])  # half of (30 - 10) 70
    below = rv.certificate(game, game.space.check([np.nextafter(30.0, 0), 30.0]))
    assert np.all(below.bound <= 1e-9)
    assert oracles.discontinuity(game)


@pytest.mark.parametrize(
    ("keys", "rival", "best"),
    [
        # serving the whole market costs more than it earns, half of it does not
        ({"convex_cost": 3.0}, 60.0, 400.0),
        ({"low": [50.0, 0.0]}, 40.0, 0.0),
        ({"low": [40.0, 0.0]}, 40.0, 900.0),  # it may match the price, but not undercut
        ({}, 50.0, 2000.0),
    ],
)
def test_the_best_response_may_match_instead_of_undercut(keys, rival, best):
    market = rv.games.market(choice="price", **keys)
    x = market.space.check([70.0, rival])
    response = rv.best_response(market, x, 0)
    assert response.bound >= best - 1e-9  # at a tie, where sales jump, it may be above
    assert float(market.payoffs(x.at[0, 0].set(response.strategy[0]))[0]) == pytest.approx(best)


@pytest.mark.slow
def test_followers_respond_in_every_stage():
    game = rv.games.market(stages=[[1], [0]])
    found = rv.solve(game, rv.methods.BestResponse(), path=False)
    np.testing.assert_allclose(found.data.play.values.ravel(), [22.5, 45.0], atol=1e-6)
    assert game.market.stages == ((1,), (0,))


def test_exchangeable_firms_have_equal_parameters_and_the_same_stage():
    assert oracles.exchangeable(rv.games.market(players=3, unit_cost=[1, 2, 1])).tolist() == [0, 1, 0]
    assert oracles.exchangeable(rv.games.market(players=3, stages=[[0, 1], [2]]).market).tolist() == [0, 0, 2]


REFUSED = {  # message -> keywords
    "slope: 0 must be above 0": {"slope": 0.0},
    "taste_spread: -1 must be above 0": {"demand": "logit", "taste_spread": -1.0},
    "price_flat_below: 0 must be above 0": {"demand": "isoelastic", "price_flat_below": 0.0},
    "substitution: 1 must be above -slope/(n-1) = -1 and below slope = 1": {
        "demand": "differentiated",
        "substitution": 1.0,
    },
    "above -slope/(n-1) = -0.5": {"demand": "differentiated", "players": 3, "substitution": -0.5},
    "capacity[1]: -1 must be at least 0": {"capacity": [5.0, -1.0]},
    "elasticity: 0.4 must be above 1/n = 0.5 with 2 firms: no": {"demand": "isoelastic", "elasticity": 0.4},
    "horizon: 0 must be at least 1": {"horizon": 0},
    "wacc[1]: -1 must be at least 0": {"wacc": [0.1, -1.0]},
    "unit_cost[1]: -2 must be at least 0": {"unit_cost": [1.0, -2.0]},
    "adjustment_cost: -1 must be at least 0": {"adjustment_cost": -1.0, "adjustment": "spot"},
    "no trade": {"unit_cost": 100.0},
    "sticky: 1 must be in [0, 1)": {"sticky": 1.0},
    "cash[1]: 1 is below cash_min = 2 (firm 1)": {"cash": [5.0, 1.0], "cash_min": 2.0},
    "it must be 'spot' or 'predetermined'": {"adjustment_cost": 3.0},
    "player 1 is missing": {"stages": [[0], [2]], "players": 3},
    "player 0 is named twice": {"stages": [[0], [1, 0]]},
    "timing: 'alternating' clashes with 2 stages": {"timing": "alternating", "stages": [[0], [1]]},
    "choice: 'price' clashes with demand = 'isoel": {"demand": "isoelastic", "choice": "price"},
    "choice: 'quantity' clashes with demand = 'logit'": {"demand": "logit", "choice": "quantity"},
    "gamma[0]: 1 (r = 0, growth g = 0) must be in [0, 1); else the sum diverges": {"gamma": 1.0},
    "low[1]: 9 must be below high[1] = 4 (firm 1)": {"low": [3.0, 9.0], "high": [5.0, 4.0]},
    "slope: is not a parameter of logit demand, which takes quality, outside_option, taste_spread": {
        "demand": "logit",
        "slope": 1.0,
    },
    "convex_cost: 3 numbers for 2 firms": {"unit_cost": [1.0, 2.0], "convex_cost": [0.0, 0.0, 1.0]},
    "gamma: clashes with wacc": {"gamma": 0.9, "wacc": 0.1},
    "shock.probabilities": {"shock": {"kind": "iid", "levels": [1.0], "probabilities": [0.5]}},
    "shock.odds: is called probabilities here": {"shock": {"kind": "iid", "levels": [1.0], "odds": [1.0]}},
    "c: is called unit_cost here": {"c": 3.0},
    "A: is called intercept or market_size here": {"A": 3.0},
    "cost: is no argument of market": {"cost": 3.0},
    "unit_cost: 0 must be above 0 with isoelastic demand, or output has no bound": {
        "demand": "isoelastic",
        "unit_cost": [1.0, 0.0],
    },
    "survival: has no effect without wacc": {"survival": 0.9},
    "stages: is missing; timing = 'staged' takes a list of stages, as in [[0], [1]]": {"timing": "staged"},
    "adjustment: is a cost of changing quantities; clashes with choice = 'price'": {
        "choice": "price",
        "adjustment": "spot",
    },
    "adjustment_cost: is a cost of changing quantities; clashes with choice = 'price'": {
        "choice": "price",
        "adjustment_cost": 1.0,
    },
    "sticky: is for quantities of one good; clashes with this demand or choice": {
        "choice": "price",
        "sticky": 0.5,
    },
    "capacity: must be finite where capex lets firms invest in it": {
        "capex": 1.0,
        "capacity": [5.0, float("inf")],
    },
    "rationing: is missing; where firms of limited capacity set prices of one good it must be "
    "'efficient' or 'proportional'": {"choice": "price", "capacity": 5.0},
    "low[1]: -1 must be at least 0": {"low": [0.0, -1.0]},
    "tax.ad_valorem: 1.2 must be in [0, 1)": {"tax": {"ad_valorem": 1.2}},
    "tax.units: is no key; did you mean 'unit'?": {"tax": {"units": 1.0}},
    "tax.unit: 3 numbers for 2 firms": {"tax": {"unit": [1.0, 2.0, 3.0]}},
    "tax: 1.5 must be in [0, 1]": {"tax": 1.5},
    "unit_cost: 105 must be below": {"tax": {"unit": 95.0}},
    "owners: product 1 is named 2 times; must be in one row": {"owners": [[0, 1], [1]]},
    "owners: product 1 is named 0 times; must be in one row": {"owners": [[0], [2]]},
    "owners: a row without products": {"owners": [[0, 1], []]},
    "owners[0]: 5 must be": {"owners": [[0, 5]], "players": 2},
    "cash: clashes with owners": {"owners": [[0, 1]], "cash": 1.0},
    "capex: clashes with owners": {"owners": [[0, 1]], "capex": 1.0},
    "adjustment_cost: clashes with owners": {"owners": [[0, 1]], "adjustment_cost": 1.0},
    "ownership: [[1.0, 0.5]] must be 1 rows of 1 weights": {"ownership": [[1.0, 0.5]]},
    "its own above 0": {"ownership": [[1.0, 0.5], [0.0, 0.0]]},
    "[[1.0, -0.5], [0.0, 1.0]] must be 2 rows": {"ownership": [[1.0, -0.5], [0.0, 1.0]]},
    "tax.ad_valorem: 1 must be in [0, 1)": {"tax": {"ad_valorem": 1.0}},
    "cost_saving: has no effect without owners": {"cost_saving": 0.1},
    "nests: are of logit demand": {"nests": [[0, 1]]},
    "nests: product 0 is named 2 times": {"demand": "logit", "nests": [[0], [0, 1]]},
    "nesting: 1 must be in [0, 1)": {"demand": "logit", "nests": [[0], [1]], "nesting": 1.0},
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_input_gives_one_line(message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011  (the message is looked at below)
        rv.games.market(**REFUSED[message])
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_mean_of_the_next_autoregressive_level_is_proportional_to_the_present_one(count):
    game = rv.games.market(shock={"kind": "ar1", "rho": -0.3, "sd": 2.0, "count": count})
    levels, chain = np.asarray(game.shock.levels), np.asarray(game.shock.transitions)
    np.testing.assert_allclose(chain @ levels, -0.3 * levels, atol=1e-12)
    np.testing.assert_allclose(chain.sum(axis=1), 1.0, rtol=1e-14)


def test_a_shock_without_probabilities_is_uniform_and_a_chain_has_its_stationary_distribution():
    uniform = rv.games.market(shock={"kind": "iid", "levels": [1.0, 2.0, 4.0, 8.0]}).shock
    np.testing.assert_allclose(uniform.probabilities, 0.25, rtol=1e-14)
    chain = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.1, 0.0, 0.9]])
    given = {"kind": "markov", "levels": [0.0, 1.0, 2.0], "transitions": chain.tolist()}
    found = np.asarray(rv.games.market(shock=given).shock.probabilities)
    np.testing.assert_allclose(found, np.linalg.matrix_power(chain, 400)[0], rtol=1e-10)


AR1 = {"kind": "ar1", "rho": 0.5, "sd": 1.0, "count": 3}
CHAIN = {"kind": "markov", "levels": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("shock", "message"),
    [
        ({"kind": "walk"}, "shock.kind: 'walk' is unknown"),
        (AR1 | {"rho": 1.0}, "shock.rho: 1.0 must be above -1 and below 1"),
        (AR1 | {"sd": -1.0}, "shock.sd: -1.0 must be at least 0"),
        (AR1 | {"count": 1}, "shock.count: 1 must be a whole number of at least 2"),
        (AR1 | {"levels": [1.0]}, "shock.levels: is not known; ar1 takes rho, sd, count, on"),
        (AR1 | {"on": "slope"}, "shock.on: 'slope' is unknown"),
        ({"kind": "iid", "on": "unit_cost", "levels": [-11.0, 0.0]}, "shock.levels: make a unit cost of -1"),
        ({"kind": "iid"}, "shock.levels: is missing; iid takes levels, probabilities"),
        ({"kind": "iid", "levels": []}, "shock.levels: [] must be a list of finite numbers"),
        (CHAIN, "shock.transitions: is missing; markov takes levels, transitions"),
        (CHAIN | {"transitions": [[1.0, 0.0]]}, "must be 2 rows of 2 probabilities that sum to 1"),
        (CHAIN | {"transitions": [[0.5, 0.6], [0.0, 1.0]]}, "must be 2 rows of 2 probabilities"),
        (CHAIN | {"transitions": [[1.0, 0.0], [0.0, 1.0]]}, "is reducible; every level must lead to every"),
        (None, "shock_observed: there is no shock to observe; give one, or leave this out"),
    ],
)
def test_shocks_that_are_no_markov_chain_are_refused(shock, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011  (the message is compared below)
        rv.games.market(shock=shock, shock_observed=True)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("slope", 0.0, "must be above 0"),
        ("unit_cost", -1.0, "must be at least 0"),
        ("tax", 1.5, "must be in [0, 1]"),
        ("gamma", 1.25, "must be in [0, 1]: with r = -0.2 below growth g = 0 the sum diverges"),
        ("sticky", 1.0, "must be in [0, 1)"),
        ("growth", float("nan"), "must be finite"),
        ("quality", float("inf"), "must be finite"),
        ("capacity", float("inf"), ""),
        ("outside_option", -3.0, ""),
        ("sticky", 0.0, ""),
    ],
)
def test_a_sweep_may_only_reach_numbers_in_the_range_of_the_parameter(name, value, rule):
    assert oracles.validate_parameter(rv.games.market(), name, value) == rule


def test_parameters_are_attributes_and_others_are_not():
    game = rv.games.market(unit_cost=[1.0, 2.0], stages=[[1], [0]]).market
    assert game.unit_cost.tolist() == [1.0, 2.0]
    with pytest.raises(AttributeError, match="this market has no 'elasticity'"):
        game.elasticity  # noqa: B018
    assert repr(game).startswith("Market of 2 firms, linear demand, each chooses a quantity, in stages [[1]")
    assert "in turns" in repr(rv.games.market(timing="alternating"))


@pytest.mark.parametrize("turns", [[[0, 1], [1]], [[0], [1], [1]], [[1], [0, 1], [0], [0]]])
def test_turns_name_firms_and_count_periods(turns: list[list[int]]) -> None:
    game = rv.games.market(timing="alternating", turns=turns)
    assert game.players == 2
    assert f"in turns {turns}" in repr(game)


def test_an_empty_turn_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^turns: \[\[0\], \[\]\] must be lists of firms, one per period"):
        rv.games.market(timing="alternating", turns=[[0], []])


@pytest.mark.slow
def test_price_wars_name_the_closed_form() -> None:
    with pytest.warns(UserWarning, match=r"9 steps: payoffs are discontinuous .* use closed_form$"):
        rv.solve(rv.games.market(choice="price"), rv.methods.BestResponse(), max_steps=9, tolerance=None)
    with pytest.raises(ValueError, match=r"use closed_form$"):
        rv.all_equilibria(rv.games.market(choice="price"))
    # expected profit of two demands has no closed form here
    shock = {"kind": "iid", "levels": [-5.0, 5.0]}
    with pytest.raises(ValueError, match=r"use best_response or double_oracle$"):
        rv.all_equilibria(rv.games.market(choice="price", shock=shock))


@pytest.mark.parametrize("cost", [20.0, 1e-3, 37.1])
def test_printed_prices_keep_their_claim(cost: float) -> None:
    """The limit price of the cheaper firm is the cost of the other, which must not share the market."""
    game = rv.games.market(choice="price", unit_cost=[cost / 2, cost])
    found = rv.solve(game, rv.methods.ClosedForm())
    printed = [[float(line.split("price ")[1])] for line in str(found).splitlines()[-2:]]
    for proof in (found.certificate, rv.certificate(game, printed)):
        assert np.all(proof.bound <= 1e-9)
    assert printed[0] < printed[1]


@pytest.mark.slow
def test_no_line_names_an_end_state_that_was_not_found() -> None:
    with pytest.warns(UserWarning, match="not converged"):
        found = rv.solve(rv.games.market(choice="price"), rv.methods.BestResponse(), max_steps=3)
    assert found.end_state == ""
    assert "ends in" not in str(found)


@pytest.mark.slow
def test_ordinary_choices_are_printed_to_six_digits() -> None:
    found = rv.solve(rv.games.market(unit_cost=[10.0, 30.0]), rv.methods.ClosedForm())
    assert [line.split("quantity ")[1] for line in str(found).splitlines()[-2:]] == ["36.6667", "16.6667"]
