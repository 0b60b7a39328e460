"""What a firm is worth by discount rate and growth: the table that `dcf_sensitivity` draws."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from rivalry.core.certify import payoffs
from rivalry.core.results import Record
from rivalry.core.space import Profile
from rivalry.games.market.valuation import sensitivity

if TYPE_CHECKING:
    from rivalry.games.market.game import Market

STEPS = 5  # of the rate between 0 and that of the firms
LEAST, MOST = 0.005, 1.0  # rates beyond these do not set the table


def sensitivity_view(market: Market, x: Profile) -> Record:
    """The value of the cash flow of one period at ``x``, for rates r about the firms' own and growth g.

    ``dcf_value [player rate_level growth_level]`` at ``dcf_rate [rate_level]``, ``dcf_growth
    [growth_level]``, NaN where ``r <= g``: the cash flow in every period up to the market's horizon, of at
    least one period, and then Gordon's formula. ``dcf_here [player own]`` are the firms' own rate and
    growth, growth only where the market's own terminal value is Gordon's.

    >>> import rivalry as rv
    >>> found = sensitivity_view(rv.games.market(gamma=0.95), rv.games.market().space.check([30.0, 30.0]))
    >>> found["dcf_value"][1].shape, found["dcf_rate"][1][:3].tolist()
    ((2, 10, 6), [0.02, 0.03, 0.04])
    """
    gamma = np.asarray(market.gamma, dtype=float)
    with np.errstate(divide="ignore"):
        own = 1 / gamma - 1
    usual = np.clip(own, LEAST, MOST)
    rates, growths = _grid(float(usual.min()), float(usual.max()))
    flows = np.repeat(np.asarray(payoffs(market, x))[:, None], max(market.accounts.horizon, 1), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a loss that lasts: it is what the profile brings
        value = sensitivity(flows, rates, growths, convention=market.accounts.convention)
    grows = float(market.numbers["terminal_growth"]) if market.accounts.terminal == "gordon" else 0.0
    return {
        "dcf_value": (("player", "rate_level", "growth_level"), value),
        "dcf_rate": (("rate_level",), rates),
        "dcf_growth": (("growth_level",), growths),
        "dcf_here": (("player", "own"), np.stack([own, np.full(len(own), grows)], axis=1)),
    }


def _grid(least: float, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Round rates from half the least of the firms' to twice the largest; growth from 0 to the largest."""
    rough = most / STEPS
    ten = 10.0 ** np.floor(np.log10(rough))
    step = float(ten * min((1.0, 2.0, 2.5, 5.0, 10.0), key=lambda part: abs(part - rough / ten)))
    first = max(1, int(np.floor(least / 2 / step)))
    rates = step * np.arange(first, int(np.ceil(2 * most / step)) + 1)
    return rates.round(12), (step * np.arange(int(np.ceil(most / step)))).round(12)
