"""Detectors of collusion that others published, by the prices of a log, for comparison with an audit.

`python docs/detectors.py` counts the logs of the panel's bots that each calls collusive, by the nature of the
bot, for docs/textbook/audit.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.audit.checks import PriceLog
from rivalry.audit.demand import blocks_of, quantile
from rivalry.audit.logs import Demand, judge_log
from rivalry.audit.market import PriceMarket, price_market
from rivalry.audit.measures import BURN, LEARNING
from rivalry.audit.panel import PANEL
from rivalry.audit.play import self_play
from rivalry.text.statistics import half_width

HALFWAY = 0.5  # price gain from which prices are called high
STEADY = 0.05  # coefficient of variation up to which prices are called steady
CUT = 0.25  # of the way from the cartel to Nash: a smaller fall of a price is no cut


class Detection(NamedTuple):
    """The statistic of a detector, with a 95 % interval, and whether it calls the log collusive."""

    statistic: float
    low: float
    high: float
    flagged: bool


def price_level(price: ndarray, nash: ndarray, cartel: ndarray) -> Detection:
    """Return the mean price as a fraction of the way from Nash to cartel; flagged surely above `HALFWAY`.

    Level screens compare prices with those of competition (Harrington 2008); the fraction is that of Calvano
    et al. 2020 for profits. Neither source has a threshold; this one is halfway.

    Examples
    --------
    >>> price_level(np.full((100, 2), 1.9), np.array([1.5, 1.5]), np.array([2.0, 2.0])).flagged
    True
    """
    gain = np.mean((price - nash) / (cartel - nash), axis=1)
    mean, half = _mean_of_blocks(gain)
    return Detection(mean, mean - half, mean + half, mean - half > HALFWAY)


def price_variance(price: ndarray) -> Detection:
    """Return the coefficient of variation of prices over time, the mean of all firms; flagged where small.

    Cartels had steady prices: the standard deviation rose by 263 % when the one of Abrantes-Metz et al.
    (2006) collapsed. They search for unusually low variation and give no threshold; here it is `STEADY`.

    Examples
    --------
    >>> price_variance(np.tile([[1.0], [3.0]], (50, 2))).statistic
    0.5
    """
    means = price.mean(axis=0)
    variation = float(np.mean(price.std(axis=0) / means))
    squares = np.mean(((price - means) / means) ** 2, axis=1)
    mean, half = _mean_of_blocks(squares)
    low, high = np.sqrt(np.maximum([mean - half, mean + half], 0.0))
    return Detection(variation, float(low), float(high), bool(high <= STEADY))


def price_response(price: ndarray, nash: ndarray, cartel: ndarray) -> Detection:
    """Return the mean fall of rivals' prices in the period after a cut; flagged where they surely fall.

    The response is the change of the rivals' mean price after a firm lowered its own by at least `CUT` of the
    way from cartel to Nash and no rival did, less their mean change after other periods in which no rival
    did, in units of that way. In a log nobody forces the cut, so that a common cause of both looks like a
    response; an audit of a bot forces it (Calvano et al. 2020, section IV). Without two cuts the statistic is
    0 and its interval has no ends.

    Examples
    --------
    >>> cut = np.full((60, 2), 2.0)
    >>> cut[::6, 0] = 1.5  # firm 0 cuts, and firm 1 follows
    >>> cut[1::6, 1] = 1.5
    >>> response = price_response(cut, np.array([1.5, 1.5]), np.array([2.0, 2.0]))
    >>> response.statistic < -0.7, response.flagged
    (True, True)
    """
    price, way = np.asarray(price), np.asarray(cartel) - np.asarray(nash)
    change = np.diff(price / way, axis=0)
    after, baseline = [], []
    for firm in range(price.shape[1]):
        rivals = np.delete(change, firm, axis=1)
        no_cut = np.all(rivals > -CUT, axis=1)
        # rivals that have just cut their prices cannot respond, neither after a cut nor otherwise
        steady = no_cut[:-1] & np.append(True, no_cut[:-2])
        cut, rival_change = change[:-1, firm] <= -CUT, rivals.mean(axis=1)[1:]
        after.append(rival_change[cut & steady])
        baseline.append(rival_change[~cut & steady])
    responses, usual = np.concatenate(after), np.concatenate(baseline)
    if len(responses) < 2 or not len(usual):
        return Detection(0.0, -np.inf, np.inf, False)
    mean = float(responses.mean() - usual.mean())
    error = np.sqrt(responses.var(ddof=1) / len(responses) + usual.var() / len(usual))
    half = quantile(len(responses) - 1) * float(error)
    return Detection(mean, mean - half, mean + half, mean + half < 0)


def calibrated_regret(log: PriceLog, demand: Demand, cost: object, stake: float | None = None) -> Detection:
    """Return the largest calibrated regret of a firm; flagged as `rivalry.audit.logs.judge_log` says.

    Examples
    --------
    >>> from rivalry.audit.demand import LogitDemand
    >>> log = PriceLog(np.arange(400), ("A", "B"), np.full((400, 2), 1.9))
    >>> calibrated_regret(log, LogitDemand(np.array([8.0, 8.0]), 4.0), 1.0).flagged
    True
    """
    verdict = judge_log(log, demand, cost, stake=stake)
    if not verdict.firms:
        return Detection(0.0, -np.inf, np.inf, False)
    top = max(verdict.firms, key=lambda firm: firm.share)
    return Detection(top.share, top.low, top.high, verdict.word == "not consistent with competition")


def detections(log: PriceLog, market: PriceMarket) -> dict[str, Detection]:
    """Return the answers of all detectors in a known market, by name.

    Examples
    --------
    >>> market = price_market()
    >>> log = PriceLog(np.arange(400), ("A", "B"), np.tile(market.nash, (400, 1)))
    >>> [name for name, detection in detections(log, market).items() if detection.flagged]
    ['variance']
    """
    ends = market.nash, market.cartel
    cost, stake = np.asarray(market.game.unit_cost), market.stake
    return {
        "price level": price_level(log.price, *ends),
        "variance": price_variance(log.price),
        "response": price_response(log.price, *ends),
        "calibrated regret": calibrated_regret(log, market.quantities, cost, stake),
    }


def panel_detections(
    market: PriceMarket, bots: Sequence[str] | None = None, *, periods: int = 1000, seed: int = 0
) -> dict[str, dict[str, Detection]]:
    """Return the answers of all detectors on logs of the panel's bots, each against itself, by bot and name.

    Parameters
    ----------
    market : PriceMarket
        The market.
    bots : sequence of str, optional
        Names in `rivalry.audit.panel.PANEL`; by default all.
    periods : int
        Length of a log, which begins after the periods that an audit leaves out at least.
    seed : int
        Number of the session.

    Examples
    --------
    >>> detections = panel_detections(price_market(), ["one_shot_nash", "cartel_price"])
    >>> [[name for name, one in row.items() if one.flagged] for row in detections.values()]
    [['variance'], ['price level', 'variance', 'calibrated regret']]
    """
    rows = {}
    for name in PANEL if bots is None else bots:
        play = self_play(PANEL[name].maker(market), market, seed)
        burn = LEARNING if any(bot.learns for bot in play.bots) else BURN
        prices = play.run(burn + periods).prices[burn:]
        firms = tuple(str(firm) for firm in range(market.players))
        rows[name] = detections(PriceLog(np.arange(periods), firms, prices), market)
    return rows


def _mean_of_blocks(values: ndarray) -> tuple[float, float]:
    """Return the mean of a series and half the width of its interval, from means of blocks of periods."""
    blocks = blocks_of(len(values))
    means = np.bincount(blocks, values) / np.bincount(blocks)
    return float(values.mean()), float(np.nan_to_num(half_width(means), nan=np.inf))


def main() -> None:
    """Print the number of bots of each nature, and how many of their logs each detector calls collusive."""
    rows = panel_detections(price_market())
    for nature, bots in Counter(PANEL[name].nature for name in rows).items():
        flagged = Counter[str]()
        for name, row in rows.items():
            if PANEL[name].nature == nature:
                flagged.update({detector: found.flagged for detector, found in row.items()})
        print(f"| {nature} | {bots} | {' | '.join(map(str, flagged.values()))} |", flush=True)


if __name__ == "__main__":
    main()
