"""Detectors of others on prices of known nature, and how often their intervals hold."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from rivalry.audit.checks import PriceLog
from rivalry.audit.market import PriceMarket, price_market

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
detectors = import_module("detectors")
sys.path.pop(0)

NASH, CARTEL = np.array([1.5, 1.5]), np.array([2.0, 2.0])


@pytest.fixture(scope="module")
def market() -> PriceMarket:
    return price_market()


def flags(price: np.ndarray, market: PriceMarket) -> dict[str, bool]:
    log = PriceLog(np.arange(len(price)), ("A", "B"), price)
    return {name: found.flagged for name, found in detectors.detections(log, market).items()}


def test_constant_prices_of_competition_and_of_a_cartel(market: PriceMarket) -> None:
    expected = {"price level": False, "variance": True, "response": False, "calibrated regret": False}
    assert flags(np.tile(market.nash, (400, 1)), market) == expected
    expected |= {"price level": True, "calibrated regret": True}
    assert flags(np.tile(market.cartel, (400, 1)), market) == expected


def test_tit_for_tat_with_cuts_responds_and_independent_cuts_do_not(market: PriceMarket) -> None:
    cuts = np.random.default_rng(0).random((600, 2)) < 0.1
    independent = np.where(cuts, market.nash, market.cartel)
    assert not flags(independent, market)["response"]
    answered = independent.copy()
    for period in range(1, 600):
        for firm in (0, 1):
            if cuts[period - 1, 1 - firm]:
                answered[period, firm] = market.nash[firm]
    assert flags(answered, market)["response"]
    assert detectors.price_response(answered, market.nash, market.cartel).statistic < -0.5


def test_independent_cuts_are_rarely_called_responses() -> None:
    """The interval is one of 95 %, so that 2.5 % of such logs are called responses; to three errors."""
    called = 0
    for seed in range(200):
        cuts = np.random.default_rng(seed).random((400, 2)) < 0.1
        called += detectors.price_response(np.where(cuts, NASH, CARTEL), NASH, CARTEL).flagged
    assert called / 200 <= 0.025 + 0.033


def test_intervals_of_the_level_cover_under_dependence() -> None:
    from scipy.signal import lfilter

    covered = 0
    for seed in range(200):
        stream = np.random.default_rng(seed)
        noise = lfilter([1.0], [1.0, -0.7], stream.normal(size=(1000, 2)) * 0.05, axis=0)
        found = detectors.price_level(1.75 + noise, NASH, CARTEL)
        covered += found.low <= 0.5 <= found.high
    assert abs(covered / 200 - 0.95) <= 0.047  # three standard errors


def test_statistics_do_not_depend_on_units() -> None:
    price = 1.7 + 0.1 * np.random.default_rng(1).normal(size=(300, 2))
    for detector in (
        lambda k: detectors.price_level(k * price, k * NASH, k * CARTEL),
        lambda k: detectors.price_variance(k * price),
    ):
        np.testing.assert_allclose(detector(1.0), detector(1e4), rtol=1e-9)
    one, other = (
        detectors.price_response(price, NASH, CARTEL),
        detectors.price_response(9.0 * price, 9.0 * NASH, 9.0 * CARTEL),
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)
    assert detectors.price_variance(price).statistic == pytest.approx(
        (price.std(axis=0) / price.mean(axis=0)).mean()
    )


def test_without_cuts_nothing_is_known_of_responses() -> None:
    found = detectors.price_response(np.full((50, 2), 1.9), NASH, CARTEL)
    assert (found.low, found.high, found.flagged) == (-np.inf, np.inf, False)


def test_logs_of_the_panel_have_the_prices_of_their_rules() -> None:
    """Constant prices of competition and of the cartel: level and regret by hand."""
    market = price_market()
    found = detectors.panel_detections(market, ["one_shot_nash", "cartel_price", "tit_for_tat"], periods=400)
    assert [round(row["price level"].statistic, 9) for row in found.values()] == [0.0, 1.0, 1.0]
    deviation = np.stack([np.linspace(1.3, 2.0, 70_001), np.full(70_001, market.cartel[1])], axis=-1)
    joint = market.profits(market.cartel)[0]
    gain = (market.profits(deviation)[:, 0].max() - joint) / (joint - market.profits(market.nash)[0])
    for name in ("cartel_price", "tit_for_tat"):
        # alternatives are a grid, which misses the best price by half a step at the most
        assert found[name]["calibrated regret"].statistic == pytest.approx(gain, abs=0.01)
        assert found[name]["calibrated regret"].statistic <= gain + 1e-9
    assert found["one_shot_nash"]["calibrated regret"].statistic < 1e-3
