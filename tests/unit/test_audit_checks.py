"""Checks of price logs: a simulated log passes them all, and has no verdict with a fault of the data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rivalry.audit import checks
from rivalry.audit.checks import PriceLog
from rivalry.audit.demand import LogitDemand, benchmarks, logit_demand
from rivalry.audit.logs import HIGH, LogVerdict, judge_log, read_log
from rivalry.cli import main
from tests.simulated_logs import CLEAN, COST, FAULTS, clean, demand_at, noise_of, rows_of, simulate, write_log

FAILS = {
    "ten prices are 0": ("price", "10 at or below 0, in rows 12, 32, 52 and 7 more"),
    "a price is negative": ("price", "1 at or below 0, in row 102"),
    "a quantity is 0": ("quantity", "1 at or below 0, in row 102"),
    "one firm in cents": ("unit of price", "firm B"),
    "all prices in cents, cost not": ("price over cost", "beside 1 in periods 0 to 49"),
    "quantities in thousands": ("share outside", "of buyers buy nothing"),
    "quantities in thousands from the middle on": ("unit of quantity", "; of firm "),
    "quantities times 1000": ("share inside", "of --size"),
    "prices of a firm halved from the middle on": ("price over cost", "firm A: "),
    "ten rows twice": ("rows", "have a firm and period of another row"),
    "a firm's dates shifted from the middle on": ("span", "firm B ends at 500, firm A ends at 499"),
    "sixty periods missing": ("gaps", "from 199 to 260"),
    "a tenth of prices NaN": ("complete periods", "are left out"),
    "a decimal point": ("price outliers", "row 102"),
}
"""The check that fails for a fault, and where it says that the fault is."""


def judged(path: Path, name: str, fault: str) -> LogVerdict:
    log = clean(name)
    rows = FAULTS[fault](rows_of(log)) if fault else rows_of(log)
    return judge_log(read_log(write_log(path / "log.csv", rows)), cost=COST, size=log.size)


def assert_fails(verdict: LogVerdict, fault: str) -> None:
    check, place = FAILS[fault]
    assert (verdict.word, verdict.firms) == ("cannot tell", [])
    failed = {row.name: row for row in verdict.checks if not row.passed}
    assert place in failed[check].value
    assert verdict.sentence.startswith(f"Cannot tell: {next(iter(failed))}: ")
    assert "\n" not in verdict.sentence


DIAGONAL = list(zip(FAULTS, [*CLEAN, *CLEAN], strict=False))


@pytest.mark.parametrize(("fault", "name"), DIAGONAL)
def test_a_fault_of_the_data_is_named_and_no_verdict_given(fault: str, name: str, tmp_path: Path) -> None:
    assert_fails(judged(tmp_path, name, fault), fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_in_logs_of_all_sizes(fault: str, tmp_path: Path) -> None:
    for name in CLEAN:
        assert_fails(judged(tmp_path, name, fault), fault)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLEAN)
def test_clean_logs_pass_all_checks(name: str, tmp_path: Path) -> None:
    verdict = judged(tmp_path, name, "")
    assert [row.name for row in verdict.checks if not row.passed] == []
    words = ("cannot tell", "consistent with competition")
    if name.startswith("cartel"):
        words = ("not consistent with competition",)
    assert verdict.word in words


@pytest.mark.parametrize("unit", ["D", "h"])
def test_gaps_between_dates_are_measured_in_their_usual_step(unit: str, tmp_path: Path) -> None:
    """Weekends are no gap, and a season is one."""
    log = simulate(0, False, 0.8, periods=300)
    days = np.datetime64("2026-01-01T00", "h") + np.arange(300).astype(f"m8[{unit}]")
    working = np.flatnonzero(np.arange(300) % 7 < 5)
    for kept, passed in ((working, True), (working[(working < 100) | (working > 190)], False)):
        rows = [[days[row[0]], *row[1:]] for row in rows_of(log) if row[0] in set(kept.tolist())]
        checks = {row.name: row for row in read_log(write_log(tmp_path / "log.csv", rows)).checks}
        assert checks["gaps"].passed == passed


def test_prices_that_hardly_move_identify_no_demand() -> None:
    for collusive in (False, True):
        log = simulate(1, collusive, 0.8, noise=0.002, periods=200)
        verdict = judge_log(PriceLog(np.arange(200), ("A", "B"), log.price, log.quantity), cost=COST)
        failed = [row.name for row in verdict.checks if not row.passed]
        assert verdict.word == "cannot tell"
        assert set(failed) <= {"slope of demand", "demand"}
        assert failed


def test_weak_instruments_and_inelastic_demand_have_no_verdict() -> None:
    log = simulate(2, False, 0.8)
    prices = PriceLog(np.arange(500), ("A", "B"), log.price, log.quantity)
    estimate = logit_demand(log.price, log.quantity)
    flat = LogitDemand(
        estimate.quality, 0.5, 1.0, 1e-6 * np.eye(3), estimate.observed, estimate.clusters, first_stage=5.0
    )
    verdict = judge_log(prices, flat, COST)
    assert {row.name for row in verdict.checks if not row.passed} == {"elasticity", "instruments"}
    assert verdict.word == "cannot tell"


@pytest.mark.slow
def test_the_checks_stand_on_the_first_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = clean(list(CLEAN)[7])
    rows = rows_of(log)
    for fault in (None, "ten prices are 0"):
        name = write_log(tmp_path / "log.csv", FAULTS[fault](rows) if fault else rows)
        words = ["audit", name, "--size", str(log.size), "--cost", "1"]
        assert main([*words, "--out", str(tmp_path / "log.html")]) == 0
        screen = capfd.readouterr().out.splitlines()[:24]
        assert any(line.startswith("price outliers" if fault is None else "price ") for line in screen)
        assert "price" in (tmp_path / "log.html").read_text(encoding="utf-8")
        assert main([*words, "--json"]) == 0
        record = json.loads(capfd.readouterr().out)
        assert all(row["passed"] for row in record["checks"]) == (fault is None)
        assert (record["word"] == "cannot tell") == (fault is not None)


def judged_simulation(seed: int, collusive: bool, inside: float, known: bool = True) -> LogVerdict:
    """Verdict on prices whose noise costs a best response 0.7 % of its profit."""
    log = simulate(seed, collusive, inside, noise=noise_of(0.007, inside))
    prices = PriceLog(np.arange(500), ("A", "B"), log.price, log.quantity)
    return judge_log(prices, log.demand if known else None, COST)


@pytest.mark.slow
@pytest.mark.parametrize("inside", [0.2, 0.5, 0.8])
def test_the_cost_of_noise_is_that_of_the_second_derivative(inside: float) -> None:
    """Of a best response with noise nothing but the cost of the noise remains."""
    demand = demand_at(inside)
    verdict = judged_simulation(0, False, inside)
    nash = benchmarks(demand, np.full(2, COST))
    for firm in verdict.firms:
        cost = firm.noise * nash.stake / nash.nash_profit[0]
        assert cost == pytest.approx(0.007, rel=0.15)  # the variance of 500 draws has an error of 6 %
        assert firm.excess < 0.1 * firm.noise


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("inside", [0.3, 0.5, 0.8, 0.95])
def test_intervals_hold_their_estimates_and_noise_is_not_accused(inside: float, known: bool) -> None:
    for collusive in (False, True):
        verdict = judged_simulation(3, collusive, inside, known)
        wrong = "consistent with competition" if collusive else "not consistent with competition"
        assert verdict.word != wrong
        assert verdict.detectable is not None
        assert verdict.detectable >= HIGH
        for firm in verdict.firms:
            assert firm.low <= firm.share <= firm.high
            assert firm.excess_low <= firm.excess <= firm.excess_high
            assert firm.excess <= firm.share


def test_a_cartel_that_would_gain_less_than_noise_costs_is_not_judged() -> None:
    benchmark = benchmarks(demand_at(0.1), np.full(2, COST))
    rise = 100 * benchmark.stake / benchmark.nash_profit[0]
    for collusive in (False, True):
        verdict = judged_simulation(0, collusive, 0.1)
        assert verdict.word == "cannot tell"
        assert f"a cartel would raise profits by {rise:.2g} % only, and noise" in verdict.sentence


def test_regret_that_no_price_up_to_the_cartel_has_is_no_verdict() -> None:
    """Prices in one currency and the cost in another one, not ten times apart."""
    log = PriceLog(np.arange(400), ("A", "B"), np.full((400, 2), 5.0))
    verdict = judge_log(log, demand_at(0.8), COST)
    assert verdict.firms[0].realised > verdict.firms[0].possible
    assert verdict.word == "cannot tell"
    assert "check the cost and the units" in verdict.sentence


@pytest.mark.slow
def test_a_slope_of_the_wrong_sign_among_the_draws_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PRECISION", 5.0)
    log = simulate(1, True, 0.8, periods=200)
    demand = logit_demand(log.price, log.quantity)
    wide = 2 * demand.slope / demand.errors()[-1]
    demand = replace(demand, covariance=wide**2 * demand.covariance)
    verdict = judge_log(PriceLog(np.arange(200), ("A", "B"), log.price, log.quantity), demand, COST)
    assert verdict.word == "cannot tell"
    assert "a slope of demand of 0 or below" in verdict.sentence
