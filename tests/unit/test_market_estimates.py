"""Markets from estimated logit demand: inversion of shares, costs, mergers of all markets at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import rivalry as rv
from rivalry import oracles
from rivalry.families.market.estimates import from_logit, logit_equilibria
from rivalry.families.market.owners import OwnedMarket, owned_market
from rivalry.runtime.jax import jax, put

pytestmark = pytest.mark.slow

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


def conditions(
    game: Any, nests: list[str], rho: float, prices: np.ndarray = PRICES, firms: list[int] = FIRMS
) -> np.ndarray:
    """Return the slopes of firms' profits in their own prices, by complex steps."""
    quality, cost = np.asarray(game.quality), np.asarray(game.unit_cost)
    slopes = np.zeros(len(quality))
    for good in range(len(quality)):
        price = prices.astype(complex)
        price[good] += 1e-30j
        shares = nested_shares((quality - price) / SPREAD, nests, rho)
        slopes[good] = ((price - cost) * shares)[np.array(firms) == firms[good]].sum().imag / 1e-30
    return slopes


@pytest.mark.parametrize(("nests", "rho"), [(None, 0.0), (NESTS, 0.0), (NESTS, 0.6)])
def test_observed_prices_meet_the_conditions_and_sell_the_observed_shares(nests: Any, rho: float) -> None:
    game = from_logit(SHARES, PRICES, price_coefficient=COEFFICIENT, owners=FIRMS, nests=nests, nesting=rho)
    own_nests = nests or list("vwxyz")
    delta = (np.asarray(game.quality) - PRICES) / SPREAD
    np.testing.assert_allclose(nested_shares(delta, own_nests, rho), SHARES, rtol=1e-12)
    np.testing.assert_allclose(conditions(game, own_nests, rho), 0, atol=1e-9)
    x = np.zeros(game.space.shape)
    x[game.places] = PRICES
    np.testing.assert_allclose(oracles.metrics(game, x)["quantity"][1], SHARES, rtol=1e-12)
    np.testing.assert_allclose(oracles.gradients(game, put(x))[game.places], 0, atol=1e-12)
    certificate = rv.certificate(game, x)
    assert np.max(certificate.regret) < 1e-12
    assert certificate.claim == "equilibrium"


@pytest.mark.parametrize("rho", [0.2, 0.6, 0.97])
@pytest.mark.parametrize("firms", [[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 1, 1]])
def test_mergers_in_nests_meet_the_conditions(firms: list[int], rho: float) -> None:
    game = from_logit(SHARES, PRICES, price_coefficient=COEFFICIENT, owners=FIRMS, nests=NESTS, nesting=rho)
    merged = owned_market(game.game, [[k for k in range(5) if firms[k] == f] for f in range(max(firms) + 1)])
    (result,) = logit_equilibria([merged])
    np.testing.assert_allclose(conditions(merged, NESTS, rho, result.prices, firms), 0, atol=1e-9)
    assert result.certificate.claim == "equilibrium"
    assert np.max(np.abs(result.gain)) < 1e-14
    solution = rv.solve(merged, rv.methods.BestResponse(), path=False)
    assert solution.claim == "equilibrium"
    np.testing.assert_allclose(solution.data.price.values, result.prices, rtol=1e-9)


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


def brute_force(game: Any, x: np.ndarray, player: int) -> float:
    """Return the largest payoff of a player, by ascents from several prices."""
    low, high = np.asarray(game.space.low)[player], np.asarray(game.space.high)[player]

    def loss(row: np.ndarray) -> float:
        y = x.copy()
        y[player] = row
        return -float(np.asarray(game.payoffs(y))[player])

    starts = [low + part * (high - low) for part in (0.2, 0.35, 0.5)]
    ends = [minimize(loss, start, bounds=list(zip(low, high, strict=True)), tol=1e-14) for start in starts]
    return -min(float(end.fun) for end in ends)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"high": [1.3, 4.0, 4.0]},
        {"low": [0.5, 1.9, 1.0], "fixed_cost": [0.1, 0.2, 0.3]},
        {"ownership": [[1.0, 0.4], [0.2, 0.5]], "fixed_cost": [0.1, 0.2, 0.3]},
        {"tax": {"unit": 0.1, "ad_valorem": [0.1, 0.3, 0.2], "profit": [0.0, 0.5, 0.2]}},
        {"unit_cost": [-0.5, 1.0, 0.8], "quality": [-1.0, 0.5, 0.2]},
        {"nests": [[0, 2], [1]], "nesting": 0.9},
        {"nests": [[0, 1, 2]], "nesting": 0.3, "tax": {"unit": 0.1, "ad_valorem": [0.1, 0.3, 0.2]}},
    ],
)
def test_no_prices_of_an_owner_pay_more_than_its_response(keys: dict[str, Any]) -> None:
    game = rv.games.market(demand="logit", owners=[[0, 1], [2]], **keys)
    x = np.array([[1.25, 1.95], [1.5, 0.0]])
    for player in range(2):
        response, paid, coverage = oracles.best_response(game, put(x), player)
        assert coverage == "tight"
        y = x.copy()
        y[player] = response
        np.testing.assert_allclose(paid, np.asarray(game.payoffs(y))[player], rtol=1e-14)
        np.testing.assert_allclose(float(paid), brute_force(game, x, player), rtol=1e-9, atol=1e-12)


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


def test_all_markets_at_once_give_observed_prices_and_those_of_a_merger() -> None:
    columns = simulated(12)
    games = from_logit(price_coefficient=COEFFICIENT, **columns)
    assert list(games) == [f"m{k}" for k in range(12)]
    for label, result in zip(games, logit_equilibria(list(games.values())), strict=True):
        np.testing.assert_allclose(result.prices, columns["prices"][columns["markets"] == label], rtol=1e-11)
        assert np.max(np.abs(result.gain)) < 1e-15
    merged = [owned_market(game.game) for game in games.values()]
    for game, result in zip(merged, logit_equilibria(merged), strict=True):
        # a monopolist has the margin mu/(1 - all shares) on every good
        outside = 1 / (1 + np.exp((np.asarray(game.quality) - result.prices) / SPREAD).sum())
        np.testing.assert_allclose(result.prices - np.asarray(game.unit_cost), SPREAD / outside, rtol=1e-9)
        solution = rv.solve(game, rv.methods.ClosedForm())
        assert solution.claim == "equilibrium"
        np.testing.assert_allclose(solution.profile.values[0], result.prices, rtol=1e-10)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.filterwarnings("ignore:from_logit. 3 of")
def test_markets_made_at_once_are_those_of_the_factory(nested: bool) -> None:
    columns = simulated(6)
    columns["prices"][columns["markets"] == "m4"] = 0.1
    nests = {"nests": np.arange(len(columns["owners"])) % 2, "nesting": 0.3} if nested else {}
    games = from_logit(price_coefficient=COEFFICIENT, **columns, **nests)
    assert {game.constant_cost for game in games.values()} == {True, not nested}
    for game in games.values():
        made = rv.with_(game, convex_cost=0.0)
        assert jax.tree.structure(made) == jax.tree.structure(game)
        for part, other in zip(jax.tree.leaves(made), jax.tree.leaves(game), strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-14)


def test_equilibria_of_taxed_owners_have_no_gain() -> None:
    tax = {"unit": [0.1, 0.0, 0.2], "ad_valorem": [0.1, 0.1, 0.3], "profit": [0.2, 0.2, 0.0]}
    game = rv.games.market(demand="logit", owners=[[0, 1], [2]], tax=tax)
    (result,) = logit_equilibria([game])
    solution = rv.solve(game, rv.methods.BestResponse(), path=False)
    np.testing.assert_allclose(result.prices, solution.data.price.values, rtol=1e-7)
    untaxed = rv.games.market(demand="logit", owners=[[0, 1], [2]])
    np.testing.assert_allclose(logit_equilibria([untaxed, game])[1].prices, result.prices)
    assert np.max(np.abs(result.gain)) < 1e-15
    for keys, words in (
        ({"tax": {"profit": [0.1, 0.2, 0.3]}}, "tax: closed forms are for one rate"),
        ({"ownership": [[1.0, 0.5], [0.0, 1.0]]}, "ownership: closed forms are for owners who"),
        ({"nests": [[0], [1, 2]], "low": 0.1}, "demand: closed forms are for logit demand without shocks"),
        ({"high": 1.2}, "low, high: closed forms are for prices inside bounds"),
    ):
        other = rv.games.market(demand="logit", owners=[[0, 1], [2]], **keys)
        with pytest.raises(ValueError, match=words):
            logit_equilibria([game, other][1:])


def test_costs_below_zero_are_counted_and_named() -> None:
    with pytest.warns(UserWarning, match=r"2 of 5 costs are below 0: good 0 \(-\d.*, good 2 \(-"):
        game = from_logit(SHARES, [0.2, 3.5, 0.3, 3.0, 4.0], price_coefficient=COEFFICIENT)
    assert np.sum(np.asarray(game.unit_cost) < 0) == 2
    assert rv.solve(game, rv.methods.ClosedForm()).claim == "equilibrium"
    assert rv.games.market.from_logit is from_logit


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
    ],
)
def test_wrong_estimates_are_answered_in_one_line(keys: dict[str, Any], message: str) -> None:
    columns: dict[str, Any] = {"shares": SHARES, "prices": PRICES, "price_coefficient": COEFFICIENT}
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        from_logit(**(columns | keys))
    assert message in str(error.value)


def merged_games(table: Any, buyer: int = 1, bought: int = 2) -> list[OwnedMarket]:
    """Markets of a table of columns, per potential buyer, after one firm has bought another."""
    firms, markets = np.asarray(table["firm_ids"]), np.asarray(table["market_ids"])
    games = from_logit(
        table["shares"], table["prices"], price_coefficient=-30.0, owners=firms, markets=markets
    )
    merged = []
    for name, game in games.items():
        owners = np.where(firms == bought, buyer, firms)[markets == name]
        rows = [np.flatnonzero(owners == firm).tolist() for firm in np.unique(owners)]
        merged.append(owned_market(game.game, rows))
    return merged


def test_a_merger_of_cereal_makers_has_the_prices_that_pyblp_computed() -> None:
    """The file says where its numbers are from."""
    table = json.loads((Path(__file__).parents[1] / "data/pyblp_merger.json").read_text(encoding="utf-8"))
    (game,) = merged_games(table | {"market_ids": ["C01Q1"] * len(table["shares"])})
    np.testing.assert_allclose(game.game.unit_cost, table["cost"], rtol=0, atol=1e-12)
    (found,) = logit_equilibria([game])
    np.testing.assert_allclose(found.prices, table["merged_price"], rtol=0, atol=1e-12)
    assert found.gain.max() < 1e-15
