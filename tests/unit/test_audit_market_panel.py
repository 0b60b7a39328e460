"""Logs of several markets and of firms with several products, simulated by first-order conditions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import root

from rivalry.audit import market_panel
from rivalry.audit.checks import PriceLog
from rivalry.audit.demand import LogitDemand, logit_demand
from rivalry.audit.logs import read_log, read_logs
from rivalry.audit.market_panel import judge_panel
from rivalry.cli import main

OWNERS = np.array(["North", "North", "North", "South", "South", "West"])
SLOPE, QUALITY, COST = 4.0, 5.0, 1.0
HEAD = "city_id,quarter,firm,product,price,share,cost"

Rows = list[list[Any]]


def chosen_prices(quality: np.ndarray, cost: np.ndarray, together: np.ndarray) -> np.ndarray:
    """Return prices at which no owner's profit changes, where ``together`` [product product] is ownership."""

    def conditions(price: np.ndarray) -> np.ndarray:
        weight = np.exp(quality - SLOPE * price)
        share = weight / (1 + weight.sum())
        slopes = SLOPE * (np.outer(share, share) - np.diag(share))
        # relative: at high prices all are near 0
        return np.asarray(1 + (together * slopes) @ (price - cost) / share)

    price = root(conditions, cost + 0.5, tol=1e-10).x
    assert np.abs(conditions(price)).max() < 1e-9
    return np.asarray(price)


def panel(cartels: float, *, markets: int, quarters: int, seed: int = 0, owners: np.ndarray = OWNERS) -> Rows:
    """Return rows of a panel in whose first markets, this share of all, all firms form a cartel."""
    draws, rows = np.random.default_rng(seed), Rows()
    nash = owners[:, None] == owners[None, :]
    for market in range(markets):
        together = np.ones_like(nash) if market < cartels * markets else nash
        for quarter in range(quarters):
            quality = QUALITY + 0.3 * draws.normal(size=len(owners))
            cost = COST + 0.1 * draws.normal(size=len(owners))
            price = chosen_prices(quality, cost, together)
            weight = np.exp(quality - SLOPE * price)
            numbers = zip(owners, range(len(owners)), price, weight / (1 + weight.sum()), cost, strict=True)
            rows += [[f"city {market:02}", quarter, *row] for row in numbers]
    return rows


def write(path: Path, rows: Rows, head: str = HEAD) -> str:
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]))
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("cartels", "word"),
    [
        (0.0, "consistent with competition"),
        (0.5, "not consistent with competition"),
        (1.0, "not consistent with competition"),
    ],
)
def test_short_markets_are_judged_together(tmp_path: Path, cartels: float, word: str, seed: int) -> None:
    rows = panel(cartels, markets=40, quarters=2, seed=seed)
    verdict = judge_panel(read_logs(write(tmp_path / "panel.csv", rows)))
    assert [check.name for check in verdict.checks if not check.passed] == []
    assert verdict.word == word
    assert [firm.firm for firm in verdict.firms] == ["North", "South", "West"]
    assert len(verdict.markets) == 40
    # a market in which firms collude shows a higher regret than any in which they compete
    excess = np.array([market.excess for market in verdict.markets])
    colluding = np.arange(40) < 40 * cartels
    if 0 < cartels < 1:
        assert excess[colluding].min() > excess[~colluding].max()


SIZES = 10.0 ** np.linspace(3, 5, 12)


def sold(rows: Rows) -> Rows:
    """Return rows with quantities in markets of different sizes, which follow them, in place of shares."""
    sizes = [float(SIZES[int(row[0].removeprefix("city "))]) for row in rows]
    return [[*row[:5], row[5] * size, row[6], size] for row, size in zip(rows, sizes, strict=True)]


SOLD = HEAD.replace("share", "quantity") + ",market_size"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cartels", "word"), [(0.0, "consistent with competition"), (1.0, "not consistent with competition")]
)
def test_markets_may_differ_in_size(tmp_path: Path, cartels: float, word: str) -> None:
    rows = sold(panel(cartels, markets=12, quarters=20))
    assert judge_panel(read_logs(write(tmp_path / "panel.csv", rows, SOLD))).word == word
    without = [row[:-1] for row in rows]
    (tmp_path / "panel.csv").unlink()
    one_size = judge_panel(
        read_logs(write(tmp_path / "panel.csv", without, SOLD.removesuffix(",market_size"))), size=SIZES[-1]
    )
    assert one_size.word == "cannot tell"


def test_quantities_are_read_as_shares_of_their_markets(tmp_path: Path, competing: Rows) -> None:
    shares = read_logs(write(tmp_path / "shares.csv", competing))
    rows = sold(competing)
    logs = read_logs(write(tmp_path / "panel.csv", rows, SOLD))
    for name, log in shares.items():
        np.testing.assert_allclose(np.asarray(logs[name].quantity), np.asarray(log.quantity), rtol=1e-12)
    with pytest.raises(ValueError, match="size: the log has shares of its buyers; leave out 1000"):
        judge_panel(logs, size=1000.0)
    named = [[*row[:7], size[7]] for row, size in zip(competing, rows, strict=True)]
    as_they_are = read_logs(write(tmp_path / "named.csv", named, f"{HEAD},market_size"))
    np.testing.assert_array_equal(as_they_are["city 03"].quantity, shares["city 03"].quantity)
    rows[3][7] = 0.0
    with pytest.raises(ValueError, match="market_size: must be above 0; is 0 in row 5"):
        read_logs(write(tmp_path / "panel.csv", rows, SOLD))


@pytest.mark.slow
def test_long_markets_are_judged_one_by_one(tmp_path: Path) -> None:
    rows = panel(1 / 3, markets=3, quarters=150)
    verdict = judge_panel(read_logs(write(tmp_path / "panel.csv", rows)))
    words = [market.word for market in verdict.markets]
    assert words == ["not consistent with competition", *["consistent with competition"] * 2]
    assert verdict.word == "not consistent with competition"
    begin = "Not consistent with competition in 1 of 3 markets; in market city 00, "
    assert verdict.sentence.startswith(begin)
    rows = panel(0.0, markets=3, quarters=150)
    verdict = judge_panel(read_logs(write(tmp_path / "panel.csv", rows)))
    assert verdict.word == "consistent with competition"
    assert verdict.sentence.startswith("Consistent with competition in 3 of 3 markets; ")


# -- faults of the data ------------------------------------------------------------------------------------


def altered(rows: Rows, column: int, by: float, **places: object) -> Rows:
    """Return rows whose number in a column is multiplied where the named columns have these entries."""
    names = HEAD.split(",")
    changed = []
    for row in rows:
        is_place = all(row[names.index(name)] == entry for name, entry in places.items())
        factor = by if is_place else 1.0
        changed.append([*row[:column], row[column] * factor, *row[column + 1 :]])
    return changed


@pytest.fixture(scope="module")
def competing() -> Rows:
    return panel(0.0, markets=12, quarters=2)


@pytest.mark.parametrize(
    ("column", "by", "places", "check", "where"),
    [
        (4, 100.0, {"city_id": "city 03"}, "price over cost", "market city 03: product "),
        (4, 100.0, {"city_id": "city 03", "product": 4}, "unit of price", "market city 03: medians product "),
        (5, 1000.0, {"city_id": "city 05"}, "share inside", "market city 05: up to "),
        (5, 0.001, {"city_id": "city 03", "product": 1}, "sales of markets", "1 by up to "),
        (
            5,
            0.0,
            {"city_id": "city 07", "product": 1, "quarter": 1},
            "quantity",
            "city 07: 1 at or below 0, in row 9",
        ),
        (
            4,
            -1.0,
            {"city_id": "city 00", "product": 2, "quarter": 0},
            "price",
            "city 00: 1 at or below 0, in row 4",
        ),
    ],
)
def test_a_fault_of_one_market_is_named(
    tmp_path: Path, competing: Rows, column: int, by: float, places: dict[str, object], check: str, where: str
) -> None:
    rows = altered(competing, column, by, **places)
    verdict = judge_panel(read_logs(write(tmp_path / "panel.csv", rows)))
    assert (verdict.word, verdict.firms) == ("cannot tell", [])
    (fault,) = (row for row in verdict.checks if row.name == check)
    assert not fault.passed
    assert where in fault.value
    assert "\n" not in verdict.sentence


def test_markets_in_different_units_have_no_verdict(tmp_path: Path, competing: Rows) -> None:
    """Also where costs are in the same units as prices, so that no market alone shows it."""
    rows = altered(altered(competing, 4, 100.0, city_id="city 03"), 6, 100.0, city_id="city 03")
    verdict = judge_panel(read_logs(write(tmp_path / "panel.csv", rows)))
    assert verdict.sentence.startswith("Cannot tell: unit of markets: medians market city ")
    assert "market city 03 1" in verdict.sentence


def test_columns_that_are_wrong_are_named(tmp_path: Path, competing: Rows) -> None:
    def fault(rows: Rows, head: str = HEAD) -> str:
        try:
            judge_panel(read_logs(write(tmp_path / "panel.csv", rows, head)))
        except ValueError as error:
            return str(error)
        return ""

    sold = [["South" if row[3] == 0 and row[1] == 1 else row[2] for row in competing]]
    rows = [[*row[:2], owner, *row[3:]] for row, owner in zip(competing, sold[0], strict=True)]
    assert (
        fault(rows) == "market city 00: product: 0 is of North and of South; must be of one firm in a market"
    )
    assert fault(competing, HEAD.replace("quarter", "region")).startswith(
        "columns: city_id, region may all be market"
    )
    nameless = [["" if row[0] == "city 04" else row[0], *row[1:]] for row in competing]
    assert fault(nameless) == "market: a row has no name; row 50"
    assert fault(competing, HEAD.replace("share", "weight")).startswith("quantity: the log has none")


@pytest.mark.slow
def test_the_command_prints_a_word_and_market_rows(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = write(tmp_path / "panel.csv", panel(0.0, markets=40, quarters=2))
    assert main(["audit", name]) == 0
    text = capfd.readouterr().out
    assert text.splitlines()[0].startswith("Consistent with competition over 40 markets: ")
    assert text.count("\ncity ") == 40
    assert main(["audit", name, "--json"]) == 0
    record = json.loads(capfd.readouterr().out)
    assert record["word"] == "consistent with competition"
    assert [row["market"] for row in record["markets"]] == [f"city {market:02}" for market in range(40)]
    assert main(["audit", name, "--market", "calvano2020"]) == 2
    assert "--market: is for one market" in capfd.readouterr().err


def test_a_firm_sells_at_one_margin_what_its_products_sell() -> None:
    """At the margin of the log and at any other, by the demand of the products."""
    draws = np.random.default_rng(0)
    cost, margin = 1 + 0.1 * draws.normal(size=(30, 6)), draws.uniform(0.1, 0.8, (30, 6))
    demand = LogitDemand(np.full(6, QUALITY), SLOPE, 10.0, np.eye(7))
    price = cost + margin
    log = PriceLog(np.arange(30), tuple("abcdef"), price, demand(price), cost, owners=tuple(OWNERS.tolist()))
    means = dict.fromkeys(OWNERS.tolist(), 1.0)
    market = market_panel._by_firm(log, demand, (cost, cost), means, 10.0)
    assert market.log.firms == ("North", "South", "West")
    quantity = np.asarray(market.log.quantity)
    for firm, name in enumerate(market.log.firms):
        of_firm = name == OWNERS
        assert np.allclose(quantity[:, firm], demand(price)[:, of_firm].sum(axis=1))
        for alternative in (market.log.price[:, [firm]] - 1.0, 0.2, 0.6):
            products, firms = price.copy(), market.log.price.copy()
            products[:, of_firm] = cost[:, of_firm] + alternative
            firms[:, [firm]] = 1.0 + alternative
            sold = market.demand.in_periods(firms, np.arange(30))
            assert np.allclose(sold[:, firm], demand(products)[:, of_firm].sum(axis=1))
            assert np.allclose(sold.sum(axis=1), demand(products).sum(axis=1))


@pytest.mark.slow
def test_a_firm_of_several_products_in_one_market_is_one_firm(tmp_path: Path) -> None:
    """Products of one firm are priced together without being a cartel; as firms they would be."""
    owners = np.array(["North"] * 2 + ["South"] * 2)
    rows = [row[1:] for row in panel(0.0, markets=1, quarters=250, owners=owners)]
    head = HEAD.removeprefix("city_id,")
    verdict = judge_panel(read_logs(write(tmp_path / "log.csv", rows, head)))
    assert (verdict.word, len(verdict.firms)) == ("consistent with competition", 2)
    alone = [[row[0], f"{row[1]} {row[2]}", *row[2:]] for row in rows]
    apart = judge_panel(read_logs(write(tmp_path / "log.csv", alone, head)))
    assert (apart.word, len(apart.firms)) == ("cannot tell", 4)
    assert min(firm.excess_low for firm in apart.firms) > max(firm.excess_high for firm in verdict.firms)


# -- cost shifters -----------------------------------------------------------------------------------------


def test_shifters_are_read_by_name_in_any_order(tmp_path: Path) -> None:
    rows = ["w1,price,t,firm,w0", "1,5,1,A,7", "2,6,1,B,8", "4,6,2,B,9", "3,5,2,A,6"]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(rows))
    assert read_log(str(path)).shifters is None
    log = read_log(str(path), {"shifter": "w0,w1"})
    assert np.asarray(log.shifters).tolist() == [[[7, 1], [8, 2]], [[6, 3], [9, 4]]]
    with pytest.raises(ValueError, match="no column 'w2'; columns are w1, price"):
        read_log(str(path), {"shifter": "w0,w2"})
    path.write_text("\n".join([rows[0].replace("w1", "instrument1"), *rows[1:4], "3 cent,5,2,A,6"]))
    with pytest.raises(ValueError, match="instrument1 must be numbers, without units; '3 cent' in row 5"):
        read_log(str(path))


@pytest.mark.slow
def test_shifters_undo_the_bias_of_prices_that_follow_demand(tmp_path: Path) -> None:
    """Firms see the shocks of demand; without instruments the slope is too small, or the estimate fails."""
    rows = panel(0.0, markets=1, quarters=400, owners=np.array(["A", "B"]))
    head = HEAD.replace("cost", "shifter")
    log = read_log(write(tmp_path / "log.csv", [row[1:] for row in rows], head.removeprefix("city_id,")))
    quantity = np.asarray(log.quantity)
    shifted = logit_demand(log.price, quantity, instruments=log.shifters)
    assert abs(shifted.slope - SLOPE) < shifted.errors()[-1]
    assert logit_demand(log.price, quantity).slope < SLOPE - shifted.errors()[-1]


def test_nevos_cereals_pass_by_names_and_give_the_slope_of_pyblp(tmp_path: Path) -> None:
    """24 products of 5 firms in 94 markets, with 20 instruments: plain logit with effects of products."""
    pyblp = pytest.importorskip("pyblp")
    pyblp.options.verbose = False
    source = pyblp.data.NEVO_PRODUCTS_LOCATION
    logs = read_logs(source, {"market": "market_ids", "firm": "firm_ids"})
    assert (len(logs), {len(log.firms) for log in logs.values()}) == (94, {24})
    no_costs = {name: (0 * log.price, 0 * log.price) for name, log in logs.items()}
    estimate = market_panel._estimate(logs, no_costs, np.arange(94), 1.0)
    table = np.genfromtxt(source, delimiter=",", names=True, dtype=None, encoding="utf-8")
    products = {name: table[name] for name in table.dtype.names} | {"clustering_ids": table["market_ids"]}
    problem = pyblp.Problem(pyblp.Formulation("0 + prices", absorb="C(product_ids)"), products)
    other = problem.solve(method="1s", se_type="clustered")
    assert estimate.slope == pytest.approx(-other.beta.item(), rel=1e-8)
    few = 94 / 93 * (len(table) - 1) / (len(table) - 25)  # pyblp leaves out the factor for few clusters
    error = float(np.sqrt(estimate.covariance[-1, -1]))
    assert error == pytest.approx(np.sqrt(few) * other.beta_se.item(), rel=1e-8)
    no_verdict = judge_panel(logs, 0.08)
    assert no_verdict.sentence.startswith("Cannot tell: price over cost: market C01Q1: product F1B04: 0.0721")


def competing_logs(seed: int, markets: int, quarters: int) -> dict[str, PriceLog]:
    """Return logs of competing firms, whose margins are ``1 / (slope (1 - share))``."""
    draws, shape = np.random.default_rng(seed), (markets, quarters, len(OWNERS))
    quality, cost = QUALITY + 0.3 * draws.normal(size=shape), COST + 0.1 * draws.normal(size=shape)
    together = (OWNERS[:, None] == OWNERS).astype(float)
    price = cost + 0.5
    for _ in range(200):
        weight = np.exp(quality - SLOPE * price)
        share = weight / (1 + weight.sum(axis=-1, keepdims=True))
        conditions = cost + 1 / (SLOPE * (1 - share @ together)) - price
        price = price + 0.5 * conditions
    assert np.abs(conditions).max() < 1e-9
    time, goods, owners = np.arange(float(quarters)), tuple("abcdef"), tuple(OWNERS.tolist())
    return {
        f"city {k:02}": PriceLog(time, goods, price[k], share[k], cost[k], owners=owners)
        for k in range(markets)
    }


@pytest.mark.nightly
def test_competition_is_accused_in_at_most_a_twentieth_of_a_hundred_panels() -> None:
    words = [judge_panel(competing_logs(seed, markets=12, quarters=2)).word for seed in range(100)]
    assert words.count("not consistent with competition") <= 5
