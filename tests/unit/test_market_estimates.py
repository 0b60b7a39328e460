"""Markets from estimated logit demand: inversion of shares, costs, mergers of all markets at once."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.families.market.demand import consumer_surplus
from rivalry.markets import from_logit, logit_equilibria, merger_table, owned
from rivalry.runtime.jax import jax, put

pytestmark = pytest.mark.mostly_slow

SHARES, PRICES = np.array([0.08, 0.15, 0.05, 0.2, 0.12]), np.array([2.0, 3.5, 2.5, 3.0, 4.0])
FIRMS, NESTS, COEFFICIENT = [0, 0, 1, 1, 2], ["a", "b", "a", "b", "b"], -1.6
SPREAD = -1 / COEFFICIENT


def nested_shares(delta: np.ndarray, nests: list[str], rho: float) -> np.ndarray:
    """Return the shares of mean utilities, by the sums of Berry (1994)."""
    labels = np.array(nests)
    weights = np.exp(delta / (1 - rho))
    sums = {label: weights[labels == label].sum() for label in nests}
    top = 1 + sum(total ** (1 - rho) for total in sums.values())
    return np.array([weights[k] * sums[label] ** -rho / top for k, label in enumerate(nests)])


def consumers_of(game: Any) -> list[tuple[float, np.ndarray, float]]:
    """Return weight, quality and spread of every consumer of a game."""
    n = {name: np.asarray(value) for name, value in game.numbers.items()}
    if "consumer_weights" not in n:
        return [(1.0, n["quality"], float(n["taste_spread"]))]
    qualities = n["quality"] + n["consumer_quality"]
    return list(zip(n["consumer_weights"], qualities, n["consumer_taste_spread"], strict=True))


def bought(game: Any, nests: list[str], rho: float, prices: np.ndarray) -> np.ndarray:
    """Return the weighted mean of the shares of all consumers."""
    return sum(
        weight * nested_shares((quality - prices) / spread, nests, rho)
        for weight, quality, spread in consumers_of(game)
    )


def conditions(
    game: Any, nests: list[str], rho: float, prices: np.ndarray = PRICES, firms: list[int] = FIRMS
) -> np.ndarray:
    """Return the slopes of firms' profits in their own prices, by complex steps."""
    cost = np.asarray(game.unit_cost)
    slopes = np.zeros(len(cost))
    for good in range(len(cost)):
        price = prices.astype(complex)
        price[good] += 1e-30j
        profits = (price - cost) * bought(game, nests, rho, price)
        slopes[good] = profits[np.array(firms) == firms[good]].sum().imag / 1e-30
    return slopes


def rows_of(firms: Any) -> list[list[int]]:
    return [np.flatnonzero(np.array(firms) == firm).tolist() for firm in np.unique(firms)]


@pytest.mark.parametrize(("nests", "rho"), [(None, 0.0), (NESTS, 0.0), (NESTS, 0.6)])
def test_observed_prices_meet_the_conditions_and_sell_the_observed_shares(nests: Any, rho: float) -> None:
    game = from_logit(SHARES, PRICES, price_coefficient=COEFFICIENT, owners=FIRMS, nests=nests, nesting=rho)
    by_good = nests or list("vwxyz")
    np.testing.assert_allclose(bought(game, by_good, rho, PRICES), SHARES, rtol=1e-12)
    np.testing.assert_allclose(conditions(game, by_good, rho), 0, atol=1e-9)
    x = game.profile(PRICES)
    np.testing.assert_allclose(oracles.metrics(game, x)["quantity"][1], SHARES, rtol=1e-12)
    np.testing.assert_allclose(oracles.gradients(game, put(x))[game.places], 0, atol=1e-12)
    (found,) = logit_equilibria([game])
    np.testing.assert_allclose(found.prices, PRICES, rtol=1e-12)
    assert np.max(found.certificate.regret) < 1e-12
    assert found.certificate.claim == "equilibrium"


@pytest.mark.default
@pytest.mark.parametrize("rho", [0.0, 0.2, 0.6, 0.97])
@pytest.mark.parametrize("firms", [[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 1, 1]])
def test_mergers_in_nests_meet_the_conditions(firms: list[int], rho: float) -> None:
    game = from_logit(SHARES, PRICES, price_coefficient=COEFFICIENT, owners=FIRMS, nests=NESTS, nesting=rho)
    (found,) = logit_equilibria([owned(game, rows_of(firms))])
    np.testing.assert_allclose(conditions(game, NESTS, rho, found.prices, firms), 0, atol=1e-9)


def estimate(count: int = 6, *, nests: bool = False, seed: int = 0) -> SimpleNamespace:
    """Return the fields of a result of pyblp: two markets, consumers of unlike tastes for price and a trait.

    The second market has the goods of the first in another order, and other consumers.
    """
    rng = np.random.default_rng(seed)
    order = np.concatenate([np.arange(5), [3, 0, 4, 1, 2]])
    markets = np.repeat(["one", "two"], 5)
    traits, delta = rng.uniform(0, 1, 5)[order], rng.normal(-1, 0.5, 5)[order]
    sigma, pi = np.diag([0.2, 1.5]), np.array([[0.3], [-0.5]])
    prices = PRICES[order] + 0.1 * (markets == "two")
    agents = {
        "market_ids": np.repeat(["one", "two"], count)[:, None],
        "weights": np.tile(rng.dirichlet(np.ones(count)), 2)[:, None],
        "nodes": rng.normal(size=(2 * count, 2)),
        "demographics": rng.uniform(-1, 1, (2 * count, 1)),
    }
    rho = 0.5 if nests else 0.0
    labels = np.array(NESTS)[order]
    utility = delta + (agents["nodes"] @ sigma + agents["demographics"] @ pi.T) @ np.stack([prices, traits])
    shares = np.zeros(10)
    for name in ("one", "two"):
        goods, own = markets == name, agents["market_ids"][:, 0] == name
        rows = [nested_shares(row, labels[goods].tolist(), rho) for row in utility[own][:, goods]]
        shares[goods] = agents["weights"][own, 0] @ rows
    none = np.zeros((10, 0))
    products = {
        "market_ids": markets[:, None],
        "firm_ids": np.array(FIRMS)[order][:, None],
        "nesting_ids": labels[:, None] if nests else none,
        "ownership": none,
        "shares": shares[:, None],
        "prices": prices[:, None],
        "X2": np.stack([prices, traits], axis=1),
    }
    return SimpleNamespace(
        problem=SimpleNamespace(products=products, agents=agents),
        beta=np.array([[-2.0], [1.0]]),
        beta_labels=["prices", "trait"],
        sigma=sigma,
        sigma_labels=["prices", "trait"],
        pi=pi,
        rho=np.array([[rho]]) if nests else np.zeros((0, 1)),
        delta=delta[:, None],
    )


@pytest.mark.default
@pytest.mark.parametrize("nested", [False, True])
def test_consumers_of_a_result_buy_its_shares_at_prices_that_meet_the_conditions(nested: bool) -> None:
    result = estimate(nests=nested)
    goods, rho = result.problem.products, 0.5 if nested else 0.0
    games = from_logit(result)
    for name, found in zip(games, logit_equilibria(list(games.values())), strict=True):
        here = goods["market_ids"][:, 0] == name
        firms = goods["firm_ids"][here, 0].tolist()
        nests = goods["nesting_ids"][here, 0].tolist() if nested else list("vwxyz")
        prices = goods["prices"][here, 0]
        np.testing.assert_allclose(
            bought(games[name], nests, rho, prices), goods["shares"][here, 0], rtol=1e-12
        )
        np.testing.assert_allclose(conditions(games[name], nests, rho, prices, firms), 0, atol=1e-12)
        np.testing.assert_allclose(found.prices, prices, rtol=1e-9)
    merged = [owned(game, [[0, 1, 2], [3, 4]]) for game in games.values()]
    for game, found in zip(merged, logit_equilibria(merged), strict=True):
        nests = [next(str(k) for k, row in enumerate(game.rule.nests or [[g]]) if g in row) for g in range(5)]
        slopes = conditions(game, nests, rho, found.prices, [0, 0, 0, 1, 1])
        np.testing.assert_allclose(slopes, 0, atol=1e-12)


def test_a_market_of_consumers_has_their_mean_demand_and_surplus() -> None:
    game = from_logit(estimate())["one"]
    prices = np.array([2.2, 3.0, 2.4, 3.1, 3.9])
    sold = game.clear(put(prices))
    np.testing.assert_allclose(sold.q, bought(game, list("vwxyz"), 0.0, prices), rtol=1e-12)
    log_sums = [
        weight * spread * np.log1p(np.exp((quality - prices) / spread).sum())
        for weight, quality, spread in consumers_of(game)
    ]
    np.testing.assert_allclose(consumer_surplus(game.rule, game.numbers, sold), sum(log_sums), rtol=1e-12)
    (found,) = logit_equilibria([game])
    assert found.certificate.claim == "equilibrium"


@pytest.mark.default
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta_labels": ["prices", "log(prices)"]}, "result: has utility in log(prices); must be linear"),
        ({"beta": np.array([[4.0], [1.0]])}, "result: 12 slopes of utility in the price are not below 0"),
        ({"rho": np.array([[0.2], [0.4]])}, "result: must have firm_ids, one rho"),
        ({"pi": np.zeros((2, 1))}, "result: shares of market 'one' are"),
    ],
)
def test_results_that_are_no_such_market_are_refused_in_one_line(changes: Any, message: str) -> None:
    result = SimpleNamespace(**(vars(estimate()) | changes))
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        from_logit(result)
    assert message in str(error.value)


@pytest.mark.filterwarnings("ignore:from_logit")
def test_costs_and_merged_prices_are_those_of_pyblp() -> None:
    pyblp = pytest.importorskip("pyblp", reason="needs pyblp (pip install pyblp)")
    pyblp.options.verbose = False
    read = {"delimiter": ",", "names": True, "dtype": None, "encoding": "utf-8"}
    goods, agents = (
        np.genfromtxt(getattr(pyblp.data, f"NEVO_{name}_LOCATION"), **read) for name in ("PRODUCTS", "AGENTS")
    )
    few = np.unique(goods["market_ids"])[:8]
    goods, agents = (table[np.isin(table["market_ids"], few)] for table in (goods, agents))
    linear = pyblp.Formulation("0 + prices", absorb="C(product_ids)")
    tastes = pyblp.Formulation("1 + prices + sugar + mushy")
    problem = pyblp.Problem((linear, tastes), goods, pyblp.Formulation("0 + income + age + child"), agents)
    options = {"optimization": pyblp.Optimization("return"), "method": "1s", "check_optimality": "gradient"}
    pi = [[5.5, 0.2, 0], [15.9, 0, 2.6], [-0.3, 0.1, 0], [1.3, -0.8, 0]]
    result = problem.solve(np.diag([0.3, 2.5, 0.02, 0.2]), pi, **options)
    costs, games = result.compute_costs(), from_logit(result)
    firms = np.where(goods["firm_ids"] == 2, 1, goods["firm_ids"])
    expected = result.compute_prices(firm_ids=firms, costs=costs)
    surplus = dict(zip(few, result.compute_consumer_surpluses(expected)[:, 0], strict=True))
    merged = []
    for name, game in games.items():
        here = goods["market_ids"] == name
        np.testing.assert_allclose(game.unit_cost, costs[here, 0], rtol=0, atol=1e-12)
        merged.append(owned(game, [np.flatnonzero(firms[here] == f).tolist() for f in np.unique(firms)]))
    for name, found in zip(games, logit_equilibria(merged), strict=True):
        np.testing.assert_allclose(found.prices, expected[goods["market_ids"] == name, 0], rtol=0, atol=1e-9)
        sold = found.game.clear(put(found.prices))
        paid = consumer_surplus(found.game.rule, found.game.numbers, sold)
        np.testing.assert_allclose(paid, surplus[name], rtol=1e-7)


def test_a_table_of_scenarios_has_changes_in_per_cent_and_claims() -> None:
    game = from_logit(SHARES, PRICES, price_coefficient=COEFFICIENT)
    table = merger_table(game, owned(game, [[0, 1], [2], [3], [4]]), owned(game, rows_of([0, 1, 2, 3, 4])))
    rows = {row[0]: row[1:] for row in table.texts}
    after = logit_equilibria([owned(game, [[0, 1], [2], [3], [4]])])[0]
    assert rows["price 0"][:2] == ["2", f"{after.prices[0]:.6g}"]
    assert rows["price 0"][2] == f"{100 * (after.prices[0] / 2 - 1):+.1f}"
    assert rows["price 0"][3:] == ["2", "+0.0"]
    sold = bought(game, list("vwxyz"), 0.0, after.prices)
    pair = ((after.prices - np.asarray(game.unit_cost)) * sold)[:2].sum()
    assert rows["profit 0+1"][1] == f"{pair:.6g}"
    np.testing.assert_allclose(float(rows["hhi"][0]), 1e4 * ((SHARES / SHARES.sum()) ** 2).sum(), rtol=1e-5)
    assert rows["claim"] == ["equilibrium", "equilibrium", "", "equilibrium", ""]
    plain = merger_table(game, owned(game), certify=False)
    assert plain.texts[-1][:2] == ["claim", "first-order conditions"]


def test_surplus_of_nests_has_shares_as_its_slopes() -> None:
    keys = {"nests": [[0, 2], [1]], "nesting": 0.4, "quality": [2.0, 1.5, 1.8]}
    game = rv.games.market(demand="logit", **keys)
    prices, step = np.array([[1.4], [1.2], [1.3]]), 1e-5

    def surplus(x: np.ndarray) -> float:
        return float(oracles.metrics(game, x)["consumer_surplus"][1])

    slopes = [
        (surplus(prices + step * row) - surplus(prices - step * row)) / (2 * step)
        for row in np.eye(3)[:, :, None]
    ]
    np.testing.assert_allclose(slopes, -oracles.metrics(game, prices)["quantity"][1], rtol=1e-8)


def simulated(markets: int, seed: int = 3) -> dict[str, Any]:
    """Return shares, prices and labels of markets of three to five goods."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 6, markets)
    labels = np.repeat([f"m{k}" for k in range(markets)], sizes)
    weights = np.exp(rng.normal(-2, 0.5, len(labels)))
    shares = [
        weights[labels == label] / (1 + weights[labels == label].sum()) for label in dict.fromkeys(labels)
    ]
    prices = rng.uniform(2, 4, len(labels))
    owners = np.concatenate([np.arange(size) // 2 for size in sizes])
    return {"shares": np.concatenate(shares), "prices": prices, "markets": labels, "owners": owners}


@pytest.mark.default
def test_all_markets_at_once_give_observed_prices_and_those_of_a_merger() -> None:
    columns = simulated(12)
    games = from_logit(price_coefficient=COEFFICIENT, **columns)
    assert list(games) == [f"m{k}" for k in range(12)]
    for label, result in zip(games, logit_equilibria(games.values()), strict=True):
        np.testing.assert_allclose(result.prices, columns["prices"][columns["markets"] == label], rtol=1e-11)
    merged = [owned(game) for game in games.values()]
    for game, result in zip(merged, logit_equilibria(merged), strict=True):
        # a monopolist has the margin mu/(1 - all shares) on every good
        outside = 1 / (1 + np.exp((np.asarray(game.quality) - result.prices) / SPREAD).sum())
        np.testing.assert_allclose(result.prices - np.asarray(game.unit_cost), SPREAD / outside, rtol=1e-9)


@pytest.mark.default
def test_the_order_of_goods_does_not_matter() -> None:
    keys: dict[str, Any] = {"price_coefficient": COEFFICIENT, "nesting": 0.5}
    order = np.array([3, 0, 4, 2, 1])
    columns = {"shares": SHARES, "prices": PRICES, "owners": np.array(FIRMS), "nests": np.array(NESTS)}
    games = [from_logit(**keys, **columns), from_logit(**keys, **{k: v[order] for k, v in columns.items()})]
    merged = [owned(games[0], [[0, 1, 4], [2, 3]]), owned(games[1], [[1, 4, 2], [0, 3]])]
    one, other = logit_equilibria(merged)
    np.testing.assert_allclose(one.prices[order], other.prices, rtol=1e-12)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.filterwarnings("ignore:from_logit. 3 of")
def test_markets_made_at_once_are_those_of_the_factory(nested: bool) -> None:
    columns = simulated(6)
    columns["prices"][columns["markets"] == "m4"] = 0.1
    nests = {"nests": np.arange(len(columns["owners"])) % 2, "nesting": 0.3} if nested else {}
    games = from_logit(price_coefficient=COEFFICIENT, **columns, **nests)
    for game in games.values():
        made = rv.with_(game, convex_cost=0.0)
        assert jax.tree.structure(made) == jax.tree.structure(game)
        for part, other in zip(jax.tree.leaves(made), jax.tree.leaves(game), strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-14)


def test_taxes_and_shares_in_rivals_are_in_the_conditions() -> None:
    """Slopes of what each firm maximizes, by automatic differentiation of the payoffs."""
    tax = {"unit": [0.1, 0.0, 0.2], "ad_valorem": [0.1, 0.2, 0.3], "profit": [0.2, 0.1, 0.0]}
    for keys in ({"tax": tax}, {"ownership": [[1.0, 0.4], [0.2, 0.5]]}):
        game = rv.games.market(demand="logit", owners=[[0, 1], [2]], **keys)
        (found,) = logit_equilibria([game])
        slopes = np.asarray(oracles.gradients(game, put(game.profile(found.prices))))
        np.testing.assert_allclose(slopes[game.places], 0, atol=1e-12)


@pytest.mark.default
def test_searches_begin_at_given_prices() -> None:
    games = from_logit(estimate())
    merged = [owned(game, [[0, 1, 2], [3, 4]]) for game in games.values()]
    plain = logit_equilibria(merged)
    again = logit_equilibria(merged, [found.prices + 0.1 for found in plain])
    for found, other in zip(plain, again, strict=True):
        np.testing.assert_allclose(found.prices, other.prices, rtol=1e-12)
    with pytest.raises(ValueError, match="starts: must be prices"):
        logit_equilibria(merged, [plain[0].prices])


@pytest.mark.default
def test_games_that_are_not_solved_at_once_are_refused() -> None:
    for keys, words in (
        ({"capacity": 0.3}, r"games\[1\]: must have logit demand, without shocks, capacities and convex"),
        ({"convex_cost": 0.3}, r"games\[1\]: must have logit demand"),
        ({"high": 1.2}, r"games\[1\]: low or high binds"),
    ):
        game = rv.games.market(demand="logit")
        other = rv.games.market(demand="logit", owners=[[0, 1], [2]], **keys)
        with pytest.raises(ValueError, match=words):
            logit_equilibria([game, other])


def test_costs_below_zero_are_counted_and_named() -> None:
    with pytest.warns(
        UserWarning, match=r"2 of 5 costs are below 0, the first of good 0 \(-\d.*, good 2 \(-"
    ):
        game = from_logit(SHARES, [0.2, 3.5, 0.3, 3.0, 4.0], price_coefficient=COEFFICIENT)
    assert np.sum(np.asarray(game.unit_cost) < 0) == 2
    np.testing.assert_allclose(logit_equilibria([game])[0].prices, [0.2, 3.5, 0.3, 3.0, 4.0], rtol=1e-9)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"price_coefficient": 1.6}, "price_coefficient: 1.6 must be below 0"),
        ({"price_coefficient": -np.inf}, "price_coefficient: -inf must be finite"),
        ({"shares": [], "prices": []}, "shares: shape (0,) must be (1,), one per good"),
        ({"shares": ["a"]}, "shares: ['a'] must be numbers"),
        ({"shares": SHARES + 0.1}, "shares: sum to 1.1; must be below 1"),
        ({"shares": SHARES - 0.05}, "shares[2]: 0 must be above 0"),
        ({"prices": -PRICES}, "prices[0]: -2 must be finite and at least 0"),
        (
            {"shares": [0.1, 0.2, 0.4, 0.4, 0.4], "markets": list("aabbb")},
            "shares: sum to 1.2 in market 'b'; must be",
        ),
        ({"prices": PRICES[:4]}, "prices: shape (4,) must be (5,)"),
        ({"owners": [[0, 1], [1, 2], [3, 4]]}, "owners: product 1 is named 2 times; must be in one row"),
        ({"owners": [0, 1]}, "owners: 2 labels for 5 goods"),
        ({"owners": [[0, 1], [2, 3, 4]], "markets": [0, 0, 0, 1, 1]}, "owners: lists of goods are of one"),
        ({"markets": [0, 1]}, "markets: shape (2,) must be (5,)"),
        ({"nests": NESTS, "nesting": 1.0}, "nesting: 1 must be below 1"),
        ({"nesting": 0.5}, "nesting: has no effect without nests"),
        ({"prices": None}, "prices: are missing; a result of pyblp stands for all arguments"),
        ({"prices": None, "price_coefficient": None}, "prices: are missing; shares alone must be a solved"),
        ({"price_coefficient": None}, "price_coefficient: None must be"),
    ],
)
def test_wrong_estimates_are_answered_in_one_line(keys: dict[str, Any], message: str) -> None:
    columns: dict[str, Any] = {"shares": SHARES, "prices": PRICES, "price_coefficient": COEFFICIENT}
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        from_logit(**(columns | keys))
    assert message in str(error.value)


@pytest.mark.default
@pytest.mark.filterwarnings("ignore:from_logit")
def test_a_merger_of_cereal_makers_has_the_prices_that_pyblp_computed() -> None:
    """The file says where its numbers are from."""
    table = json.loads((Path(__file__).parents[1] / "data/pyblp_merger.json").read_text(encoding="utf-8"))
    firms = np.array(table["firm_ids"])
    game = from_logit(table["shares"], table["prices"], price_coefficient=-30.0, owners=firms)
    np.testing.assert_allclose(game.unit_cost, table["cost"], rtol=0, atol=1e-12)
    firms[firms == 2] = 1
    (found,) = logit_equilibria([owned(game, rows_of(firms))])
    np.testing.assert_allclose(found.prices, table["merged_price"], rtol=0, atol=1e-12)
