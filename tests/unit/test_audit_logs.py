"""Logs of prices: calibrated regret beside closed forms and simulated long runs, and the words on a log."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rivalry.audit.checks import PriceLog
from rivalry.audit.demand import LogitDemand, benchmarks, logit_demand
from rivalry.audit.logs import HIGH, LOW, calibrated_gain, judge_log, log_of, price_bins, read_log
from rivalry.cli import main
from rivalry.core.files import DamagedFile
from rivalry.core.foreign_tables import read_columns

DEMAND = LogitDemand(np.array([8.0, 8.0]), 4.0)  # Calvano et al. 2020
COST = np.ones(2)
SPREAD = 0.08  # of the rival's price


def log_from(price: np.ndarray, quantity: np.ndarray | None = None) -> PriceLog:
    return PriceLog(np.arange(len(price)), tuple("ABC"[: price.shape[1]]), price, quantity)


def constant(price: float, periods: int = 400) -> PriceLog:
    return log_from(np.full((periods, 2), price))


@pytest.mark.parametrize("price", [1.473, 1.6, 1.925])
def test_regret_of_constant_prices_is_the_gain_of_the_best_deviation(price: float) -> None:
    tried = np.linspace(1.0, 2.5, 150_001)
    profit = (tried - 1) * DEMAND(np.column_stack([tried, np.full_like(tried, price)]))[:, 0]
    gain = profit.max() - (price - 1) * DEMAND(np.array([price, price]))[0]
    found = judge_log(constant(price), DEMAND, 1.0).firms[0]
    assert found.realised == pytest.approx(gain / benchmarks(DEMAND, COST).stake, abs=1e-8)
    assert found.low == pytest.approx(found.high)


def test_words_on_constant_prices_follow_the_thresholds() -> None:
    nash, cartel = benchmarks(DEMAND, COST)[:2]
    competition, between, joint = (judge_log(constant(p), DEMAND, 1.0) for p in (nash[0], 1.6, cartel[0]))
    assert competition.word == "consistent with competition"
    assert competition.firms[0].realised == pytest.approx(0.0, abs=1e-10)
    assert LOW < between.firms[0].share < HIGH
    assert between.word == "cannot tell"
    assert "no number of periods decides" in between.sentence
    assert (joint.word, joint.firms[0].by_lower_prices) == ("not consistent with competition", 1.0)
    assert joint.sentence.startswith("Not consistent with competition: ")


def test_prices_that_are_too_low_are_said_to_be_so() -> None:
    found = judge_log(constant(1.1), DEMAND, 1.0)
    assert (found.word, found.firms[0].by_lower_prices) == ("not consistent with competition", 0.0)
    assert "0 % of it by lower prices" in found.sentence


def test_short_logs_are_not_decided() -> None:
    found = judge_log(constant(1.925, 60), DEMAND, 1.0)
    assert found.word == "cannot tell"
    assert "60 periods are too few" in found.sentence


def test_regret_of_each_price_is_counted_apart() -> None:
    """A rival that answers a high price with a high one is undercut at each of them."""
    own = np.tile([1.5, 1.9], 500)
    found = judge_log(log_from(np.column_stack([own, own])), DEMAND, 1.0).firms[0]
    alone = [judge_log(constant(p), DEMAND, 1.0).firms[0].realised for p in (1.5, 1.9)]
    assert found.bins == 2
    assert found.realised == pytest.approx(np.mean(alone), abs=1e-4)


@pytest.mark.parametrize("shift", [0.0, -1.5])
def test_calibrated_gain_is_that_of_the_best_map_by_brute_force(shift: float) -> None:
    gain = np.random.default_rng(1).normal(size=(3, 4)) + shift
    maps = np.stack(np.meshgrid(*[np.arange(5)] * 3), -1).reshape(-1, 3)  # the last: go on
    options = np.column_stack([gain, np.zeros(3)])
    best = max(sum(options[row, column] for row, column in enumerate(one)) for one in maps)
    assert calibrated_gain(gain) == pytest.approx(best)


def test_a_range_of_costs_takes_the_smallest_regret() -> None:
    """At the cost of which a constant price is a best response, nothing is to be gained."""
    price = 1.8
    share = DEMAND(np.array([price, price]))[0]
    cost = price - 1 / (4.0 * (1 - share))  # first-order condition of logit demand
    known = judge_log(constant(price), DEMAND, 1.0)
    ranged = judge_log(constant(price), DEMAND, 1.0, highest_cost=2 * cost - 1.0)  # cost in the middle
    assert known.word == "not consistent with competition"
    assert ranged.word == "consistent with competition"
    assert ranged.firms[0].cost == pytest.approx(cost)
    assert ranged.firms[0].realised == pytest.approx(0.0, abs=1e-9)
    far = judge_log(constant(price), DEMAND, 1.0, highest_cost=1.01).firms[0]
    assert ranged.firms[0].realised < far.realised < known.firms[0].realised


def rival_prices(stream: np.random.Generator, periods: int, middle: float, rho: float = 0.8) -> np.ndarray:
    from scipy.signal import lfilter

    shocks = stream.normal(size=periods) * SPREAD * np.sqrt(1 - rho**2)
    return np.asarray(middle + lfilter([1.0], [1.0, -rho], shocks, zi=[rho * SPREAD * stream.normal()])[0])


def own_prices(stream: np.random.Generator, periods: int, grid: np.ndarray) -> np.ndarray:
    changed = np.flatnonzero(np.append(True, stream.random(periods - 1) > 0.7))
    return np.repeat(stream.choice(grid, len(changed)), np.diff(np.append(changed, periods)))


def long_run_share(middle: float, grid: np.ndarray) -> float:
    """The regret of independent prices: rivals' by quadrature, alternatives on a fine grid."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    rivals = middle + SPREAD * nodes

    def mean(price: float) -> float:
        sold = DEMAND(np.column_stack([np.full_like(rivals, price), rivals]))[:, 0]
        return float((price - 1) * sold @ weights / weights.sum())

    best = max(mean(price) for price in np.linspace(1.3, 1.8, 2001))
    return float(np.mean([best - mean(price) for price in grid]) / benchmarks(DEMAND, COST).stake)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("middle", "grid", "periods", "count"),
    [
        pytest.param(1.6, (1.4, 1.5, 1.6, 1.7, 1.8), 500, 40, id="few"),
        *(
            pytest.param(*case, 200, marks=pytest.mark.nightly)
            for case in (
                (1.6, (1.4, 1.5, 1.6, 1.7, 1.8), 500),
                (1.6, (1.4, 1.5, 1.6, 1.7, 1.8), 2000),
                (1.9, (1.9,), 500),
                (1.475, (1.47, 1.475, 1.48), 500),
            )
        ),
    ],
)
def test_bands_cover_long_regret(middle: float, grid: tuple[float, ...], periods: int, count: int) -> None:
    """Nominal coverage of a firm is 97.5 %, as that of both is 95 %; rivals' prices are dependent."""
    truth = long_run_share(middle, np.array(grid))
    covered = 0
    for seed in range(count):
        stream = np.random.default_rng(seed)
        prices = [own_prices(stream, periods, np.array(grid)), rival_prices(stream, periods, middle)]
        found = judge_log(log_from(np.column_stack(prices)), DEMAND, 1.0, seed=seed).firms[0]
        covered += found.low <= truth + 1e-6 and truth - 1e-6 <= found.high
    # three standard errors of 200 draws below 95 %
    assert covered / count >= 0.90


@pytest.mark.slow
def test_the_error_of_demand_widens_the_band() -> None:
    stream = np.random.default_rng(0)
    price = 1.6 + 0.1 * stream.normal(size=(400, 2))
    utility = DEMAND.quality - DEMAND.slope * price + 0.3 * stream.normal(size=price.shape)
    weight = np.exp(utility)
    sold = weight / (1 + weight.sum(axis=1, keepdims=True))
    demand = logit_demand(price, sold)
    widths = [
        found.high - found.low
        for one in (demand, replace(demand, clusters=0))
        for found in judge_log(log_from(price, sold), one, 1.0).firms[:1]
    ]
    assert widths[0] > 1.2 * widths[1]


@pytest.mark.slow
def test_other_units_of_prices_demand_and_time_change_nothing() -> None:
    stream = np.random.default_rng(3)
    price = stream.choice([1.5, 1.6, 1.7], (400, 2))
    sold = 0.9 * DEMAND(price) * np.exp(0.05 * stream.normal(size=(400, 2)))
    here = judge_log(log_from(price), logit_demand(price, sold), 1.0)
    money, buyers = 117.3, 5e6
    there = judge_log(
        log_from(money * price), logit_demand(money * price, buyers * sold, buyers), money * 1.0
    )
    assert there.word == here.word
    for one, other in zip(here.firms, there.firms, strict=True):
        np.testing.assert_allclose(other[1:11], one[1:11], rtol=1e-6, atol=1e-9)
    assert there.stake == pytest.approx(money * buyers * here.stake)


def test_any_demand_is_taken_with_a_stake() -> None:
    known = judge_log(constant(1.8), DEMAND, 1.0).firms[0]
    stake = benchmarks(DEMAND, COST).stake
    plain = judge_log(constant(1.8), lambda price: DEMAND(price), 1.0, stake=stake).firms[0]
    assert plain.realised == pytest.approx(known.realised, abs=2e-4)
    with pytest.raises(ValueError, match="stake: state the mean rise"):
        judge_log(constant(1.8), lambda price: DEMAND(price), 1.0)


def test_bins_are_distinct_prices_or_quantiles() -> None:
    assert price_bins(np.repeat([1.5, 1.9], 100)).tolist() == [0] * 100 + [1] * 100
    assert np.bincount(price_bins(np.linspace(1.0, 2.0, 1000))).tolist() == [50] * 20
    assert price_bins(np.linspace(1.0, 2.0, 30)).max() == 0  # one bin of a short log


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_rows_in_any_order_make_a_log(tmp_path: Path) -> None:
    name = write(
        tmp_path / "log.csv",
        "Date,Seller,Price,Units,Cost\n"
        "2026-01-02,B,1.4,20,1\n2026-01-01,A,1.5,30,1\n2026-01-01,B,1.6,31,1\n"
        "2026-01-02,A,1.7,10,1.1\n2026-01-03,A,1.8,9,1\n",
    )
    log = read_log(name)
    assert (log.firms, log.time.tolist()) == (("A", "B"), ["2026-01-01", "2026-01-02"])
    assert log.price.tolist() == [[1.5, 1.6], [1.7, 1.4]]
    assert (log.cost.tolist(), log.incomplete) == ([[1.0, 1.0], [1.1, 1.0]], 1)


def test_columns_of_other_names_and_commas_in_numbers(tmp_path: Path) -> None:
    name = write(tmp_path / "log.csv", "Tag;Laden;Preis\n1;7;1,5\n1;8;1,25\n")
    log = read_log(name, {"time": "Tag", "firm": "Laden", "price": "Preis"})
    assert (log.firms, log.price.tolist()) == (("7", "8"), [[1.5, 1.25]])


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    frame = pd.DataFrame(
        {"time": pd.to_datetime(["2026-01-01"] * 2), "firm": ["A", "B"], "price": [1.5, 2.0], "units": [3, 4]}
    )
    frame.to_parquet(tmp_path / "log.parquet")
    assert read_columns(str(tmp_path / "log.parquet"))["units"].tolist() == [3.0, 4.0]
    log = read_log(str(tmp_path / "log.parquet"))
    assert log.price.tolist() == [[1.5, 2.0]]
    assert log.quantity is not None
    assert str(log.time[0]).startswith("2026-01-01")


def test_names_and_dates_of_public_files_are_understood(tmp_path: Path) -> None:
    """A station's prices by day, as files of fuel prices have them, and dates that begin with the day."""
    for text in (
        "date,station_uuid,price\n2026-01-31,A,1.5\n2026-01-31,B,1.6\n2026-02-01,A,1.7\n2026-02-01,B,1.8\n",
        "Date;Station;Price EUR\n01.02.2026;A;1,7\n01.02.2026;B;1,8\n31.01.2026;A;1,5\n31.01.2026;B;1,6\n",
    ):
        log = read_log(write(tmp_path / "log.csv", text))
        assert log.time.tolist() == ["2026-01-31", "2026-02-01"]
        assert log.price.tolist() == [[1.5, 1.6], [1.7, 1.8]]
    two = write(tmp_path / "log.csv", "date,station,price_eur,price_usd\n2026-01-31,A,1.5,1.6\n")
    with pytest.raises(ValueError, match="price_eur, price_usd may all be price"):
        read_log(two)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,price\n1,2\n", "no column firm.*state it by --column firm=NAME"),
        ("time,firm,price\n1,A,high\n", "price must be numbers"),
        ("time,firm,price\n01/02/2026,A,1\n", "must be a number or a date"),
        ("time,firm,price\n1,A,1\n2,B,2\n", "no period has a price of every firm"),
    ],
)
def test_wrong_logs_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_log(write(tmp_path / "log.csv", text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,firm,price\n", "no rows"),
        ("a,b\n1\n", "row 2: 1 entries; must be 2"),
        ("a,a\n1,2\n", "same name"),
    ],
)
def test_damaged_columns_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DamagedFile, match=message):
        read_columns(write(tmp_path / "log.csv", text))


def test_costs_are_needed_and_checked() -> None:
    with pytest.raises(ValueError, match="cost: the log has no costs"):
        judge_log(constant(1.5), DEMAND)
    with pytest.raises(ValueError, match="highest_cost: must be finite and at least cost"):
        judge_log(constant(1.5), DEMAND, 1.0, highest_cost=0.5)
    with pytest.raises(ValueError, match=r"cost: shape \(3,\) must be"):
        judge_log(constant(1.5), DEMAND, [1.0, 1.0, 1.0])
    with_costs = log_of(np.repeat([1, 2], 2), np.tile(["A", "B"], 2), np.full(4, 1.5), None, np.ones(4))
    assert judge_log(with_costs, DEMAND).word == "cannot tell"


def written(path: Path, price: np.ndarray, quantity: np.ndarray | None = None, head: str = "price") -> str:
    """Write a log of two firms and return its name."""
    lines = [f"time,firm,{head}" + (",quantity" if quantity is not None else "")]
    for (period, firm), paid in np.ndenumerate(price):
        sold = "" if quantity is None else f",{float(quantity[period, firm])!r}"
        lines.append(f"{period},{'AB'[firm]},{float(paid)!r}{sold}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


COMMAND_WORDS = {1.4729266563: "Consistent with competition", 1.9249809158: "Not consistent with competition"}


@pytest.mark.slow
@pytest.mark.parametrize("price", COMMAND_WORDS)
def test_constant_prices_are_judged(price: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Prices of Nash and of the cartel; the regret of the latter is the gain of the best deviation."""
    name, page = written(tmp_path / "log.csv", np.full((400, 2), price)), tmp_path / "log.html"
    assert main(["audit", name, "--market", "calvano2020", "--out", str(page)]) == 0
    text = capfd.readouterr().out
    assert text.startswith(COMMAND_WORDS[price])
    assert [line.split()[0] for line in text.splitlines() if line[:2] in ("A ", "B ")] == ["A", "B"]
    assert COMMAND_WORDS[price] in page.read_text(encoding="utf-8")
    assert main(["audit", name, "--market", "calvano2020", "--json"]) == 0
    shares = [firm["share"] for firm in json.loads(capfd.readouterr().out)["firms"]]
    tried = np.linspace(1.3, 2.0, 70_001)
    gain = (tried - 1) * DEMAND(np.column_stack([tried, np.full_like(tried, price)]))[:, 0]
    expected = (gain.max() - (price - 1) * DEMAND(np.full(2, price))[0]) / benchmarks(DEMAND, COST).stake
    np.testing.assert_allclose(shares, expected, atol=1e-6)


@pytest.mark.slow
def test_the_command_estimates_demand(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Quantities without shocks give demand exactly, so that the answer is that at the known demand."""
    price = 1.9 + 0.02 * np.random.default_rng(0).normal(size=(400, 2))
    name = written(tmp_path / "log.csv", price, DEMAND(price) * 500, head="Preis")
    words = ["audit", name, "--column", "price=Preis", "--size", "500", "--cost", "1", "--json"]
    assert main(words) == 0
    found = json.loads(capfd.readouterr().out)
    known = judge_log(log_from(price), DEMAND, 1.0)
    assert found["word"] == known.word == "not consistent with competition"
    shares = [firm.share for firm in known.firms]
    np.testing.assert_allclose([firm["share"] for firm in found["firms"]], shares, rtol=1e-6)


@pytest.mark.slow
def test_the_command_refuses_wrong_logs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    named = written(tmp_path / "named.csv", np.full((200, 2), 1.5), head="Preis")
    bare = written(tmp_path / "bare.csv", np.full((200, 2), 1.5))
    price = 1.5 + 0.02 * np.random.default_rng(0).normal(size=(200, 2))
    sold = written(tmp_path / "sold.csv", price, DEMAND(price))
    three = tmp_path / "three.csv"
    three.write_text("t,firm,price\n1,A,1.5\n1,B,1.5\n1,C,1.5\n", encoding="utf-8")
    for words, why in {
        (named,): "no column price, or p; columns are time, firm, Preis; state it by --column price=NAME",
        (named, "--column", "cost"): "--column cost: must be NAME=COLUMN",
        (named, "--column", "prize=Preis"): "--column prize=Preis: no such name; known: time, firm, price",
        (bare,): "bare.csv: no column quantity or share; state demand and cost by --market",
        (sold,): "cost: the log has no costs",
        (str(three), "--market", "calvano2020"): "3 firms; the market has 2",
        (bare, "--market", "calvano2020", "--cost", "1"): "--cost: --market states costs",
        (str(tmp_path / "none.csv"),): "none.csv",
    }.items():
        assert main(["audit", *words]) != 0
        error = capfd.readouterr().err.strip()
        assert why in error
        assert "\n" not in error


@pytest.mark.slow
def test_the_sentence_is_about_a_firm_that_decides_the_word() -> None:
    """Of two firms of high regret the one of larger regret may have the wider interval, down below `HIGH`."""
    stream = np.random.default_rng(6)
    price = (1.85 + 0.03 * stream.normal(size=(500, 2))).round(4)
    weight = np.exp(8 - 4 * price + 0.2 * stream.normal(size=price.shape))
    sold = (1000 * weight / (1 + weight.sum(axis=1, keepdims=True))).round()
    found = judge_log(log_from(price, sold), logit_demand(price, sold, 1000), 1.0, highest_cost=1.15)
    first, second = found.firms
    assert second.excess_low < HIGH <= first.excess_low < first.excess < second.excess
    assert found.word == "not consistent with competition"
    assert "firm A would have gained" in found.sentence


@pytest.mark.slow
def test_no_bin_of_prices_is_empty() -> None:
    """Where many periods have the lowest price, a quantile is that price, and nothing lies below it."""
    price = np.maximum(np.random.default_rng(0).normal(size=1000), 0.0)
    bins = price_bins(price)
    assert np.bincount(bins).min() > 0
    assert np.all(np.diff(bins[np.argsort(price, kind="stable")]) >= 0)
