"""Valuation of cash flows: discounted sums, and terminal values at the horizon. Plain NumPy.

Money is in units of the cash flows; rates and growth are per period.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from rivalry.runtime.jax import floats
from rivalry.schema.validate import check_word

SHIFT = {"period0": 0.0, "mid": 0.5, "end": 1.0}
"""The time of a cash flow within its period."""

TERMINALS = ("none", "gordon", "perpetuity", "multiple", "critic")


class Valuation(NamedTuple):
    """The value of cash flows at date 0, ``[..]``, and its part beyond the horizon."""

    value: ndarray  # including the terminal value
    terminal_value: ndarray  # at date T
    pv_terminal: ndarray  # the terminal value at date 0
    terminal_share: ndarray  # pv_terminal/value; NaN where value is 0


def valuation(
    cash_flows: ArrayLike,
    gamma: ArrayLike,
    *,
    convention: str = "period0",
    terminal: str = "none",
    growth: ArrayLike = 0.0,
    multiple: ArrayLike | None = None,
    normalised_cash_flow: ArrayLike | None = None,
    strict: bool = False,
    discounts: ArrayLike | None = None,
    critic: ArrayLike | None = None,
) -> Valuation:
    """Return the discounted sum ``V = sum_t gamma^(t+s) CF_t + gamma^T TV`` of cash flows.

    With ``r = 1/gamma - 1``, the terminal value TV at date T is, by ``terminal``:

    - ``none``: 0;
    - ``gordon``: ``CF (1+g)/(r-g) (1+r)^(1-s)``, cash flows that grow by g = ``growth`` forever;
    - ``perpetuity``: the same with g = 0;
    - ``multiple``: ``multiple CF``;
    - ``critic``: a learner's estimate, ``critic``.

    Parameters
    ----------
    cash_flows : array_like
        ``[.. period]``.
    gamma : array_like
        Discount factors per period, ``[..]`` or one for all; this also holds for all other numbers.
    convention : {"period0", "mid", "end"}
        The time of a cash flow within its period: s = 0, 1/2 or 1.
    terminal : str
        The terminal value.
    growth, multiple, critic : array_like, optional
        Parameters of the terminal value.
    normalised_cash_flow : array_like, optional
        CF of the terminal value; by default the last cash flow.
    strict : bool
        A last cash flow that is not above 0 raises `ValueError` where it continues forever; otherwise it is a
        warning.
    discounts : array_like, optional
        Discount factors from each period to the next, ``[.. period]``; ``gamma`` is then that of later
        periods.

    Returns
    -------
    Valuation
        ``value`` at date 0, ``terminal_value`` at date T, ``pv_terminal``, its value at date 0, and
        ``terminal_share``, the fraction of ``value`` that it is, NaN where ``value`` is 0; ``[..]`` each.

    Raises
    ------
    ValueError
        For sums that diverge (``r <= g``, ``gamma`` of 1 or more), and ``gamma`` out of range.

    Examples
    --------
    >>> value = valuation([100.0, 120.0, 140.0], 1 / 1.1, convention="end", terminal="gordon", growth=0.03)
    >>> round(float(value.value), 4), round(float(value.terminal_share), 4)
    (1842.9752, 0.8398)
    """
    flows = _flows(cash_flows)
    rate, grows = floats(gamma), floats(growth)
    check_word("convention", convention, SHIFT)
    check_word("terminal", terminal, TERMINALS)
    shift = SHIFT[convention]
    grows = np.zeros(()) if terminal == "perpetuity" else grows
    infinite = terminal in ("gordon", "perpetuity")
    check_rates(rate, grows, infinite_horizon=infinite)
    weights, terminal_weight = _weights(rate, discounts, flows.shape[-1], shift)
    base = floats(flows[..., -1] if normalised_cash_flow is None else normalised_cash_flow)
    if infinite or terminal == "multiple":
        _check_last(base, terminal, strict)
    if infinite:
        follows = np.asarray(base * continuation_factor(rate, grows, shift))
    elif terminal == "none":
        follows = np.zeros(())
    else:
        follow_up, unit = (multiple, base) if terminal == "multiple" else (critic, 1.0)
        if follow_up is None:
            raise ValueError(f"{terminal}: is missing; terminal = {terminal!r} takes it")
        follows = np.asarray(floats(follow_up) * unit)
    present = np.asarray(np.sum(weights * flows, axis=-1))
    value, terminal_part = np.broadcast_arrays(present + terminal_weight * follows, terminal_weight * follows)
    share = np.divide(terminal_part, value, out=np.full(value.shape, np.nan), where=value != 0)
    return Valuation(value, np.broadcast_to(follows, value.shape), terminal_part, share)


def continuation_factor(gamma: ArrayLike, growth: ArrayLike = 0.0, shift: float = 0.0) -> ndarray:
    """Return the value, one period after a first cash flow of 1, of all later ones that grow forever.

    ``(1+g)/(r-g) (1+r)^(1-s)``, computed as ``(1+g) gamma^s / (1 - gamma (1+g))``, which is also right at
    ``gamma`` 0.
    """
    rate, grows = floats(gamma), floats(growth)
    return np.asarray((1 + grows) * rate**shift / (1 - rate * (1 + grows)))


def check_rates(
    gamma: ArrayLike, growth: ArrayLike = 0.0, *, infinite_horizon: bool, name: str = "gamma"
) -> None:
    """Raise `ValueError`, naming both rates, if a sum diverges or a discount factor is out of range."""
    rates, grows = np.broadcast_arrays(floats(gamma), floats(growth))
    for place in np.ndindex(rates.shape):
        rate, g = float(rates[place]), float(grows[place])
        where = name + "".join(f"[{k}]" for k in place)
        r = 1 / rate - 1 if rate else np.inf
        # `not >` refuses NaN, too
        if not g > -1:
            raise ValueError(f"growth: {g:g} must be above -1")
        if not 0 <= rate <= 1 or (infinite_horizon and rate == 1):
            range_ = "[0, 1)" if infinite_horizon else "[0, 1]"
            raise ValueError(
                f"{where}: {rate:g} (r = {r:g}, growth g = {g:g}) must be in {range_}; else the sum diverges"
            )
        if infinite_horizon and rate * (1 + g) >= 1:
            raise ValueError(
                f"{where}: {rate:g}, so r = {r:g}, must be above growth g = {g:g}; else the sum diverges"
            )


def recurring_value(
    cash_flow: ArrayLike, gamma: ArrayLike, horizon: int, *, grows: float = 0.0, **rule: Any
) -> tuple[ndarray, ndarray]:
    """Return the value of the same ``cash_flow [..]`` in every period, and its share beyond the horizon.

    Parameters
    ----------
    cash_flow : array_like
        The cash flow of the first period, ``[..]``.
    gamma : array_like
        Discount factors per period, ``[..]``.
    horizon : int
        Periods valued explicitly; 0 values all periods, with a share of 0.
    grows : float
        Growth rate of the cash flow, with the market, up to the horizon.
    **rule
        ``convention``, ``terminal`` and the parameters of the terminal value, as in `valuation`.

    Returns
    -------
    tuple of ndarray
        Value at date 0, and the fraction of it beyond the horizon, ``[..]`` each.

    Raises
    ------
    ValueError
        For sums that diverge, and ``gamma`` out of range.

    Examples
    --------
    >>> value, share = recurring_value([10.0], 0.95, 10, terminal="perpetuity")
    >>> value.round(6).tolist(), share.round(6).tolist()
    ([200.0], [0.598737])
    """
    flow = floats(cash_flow)
    if horizon == 0:
        check_rates(gamma, grows, infinite_horizon=True)
        # the factor is for flows after one of 1, which have grown once: the first flow here has not
        factor = continuation_factor(gamma, grows, SHIFT[rule.get("convention", "period0")])
        value = np.asarray(flow * factor / (1 + grows))
        return value, np.zeros(value.shape)
    annuity = valuation(flow[..., None] * (1 + grows) ** np.arange(horizon), gamma, **rule)
    return annuity.value, annuity.terminal_share


def one_ahead(
    cash_flow: ArrayLike, next_cash_flow: ArrayLike, gamma: ArrayLike, growth: ArrayLike = 0.0
) -> ndarray:
    """Return the one-period-ahead value ``CF_t + gamma CFhat_(t+1)/(1 - gamma (1+g))``.

    This is the ``period0`` value of one period, with ``gordon`` cash flows from the forecast
    ``next_cash_flow``: the next cash flow if all present choices stay, or a learner's forecast. It is exact
    if the forecast is, and cash flows then grow by ``growth``. It guides adaptive rules, and is never a
    reward.

    Parameters
    ----------
    cash_flow, next_cash_flow : array_like
        Cash flow of the period, and the forecast of the next, in units of payoff; any shape ``[..]``.
    gamma : array_like
        Discount factors per period.
    growth : array_like
        Growth rate g of later cash flows per period.

    Raises
    ------
    ValueError
        Unless ``gamma (1 + g)`` is below 1.

    Examples
    --------
    >>> one_ahead(900.0, 900.0, 0.95).round(6).tolist()
    18000.0
    """
    check_rates(gamma, growth, infinite_horizon=True)
    # the forecast is the next flow itself, so its growth is divided out
    ahead = continuation_factor(gamma, growth, 1.0) / (1 + floats(growth))
    return np.asarray(floats(cash_flow) + floats(next_cash_flow) * ahead)


def sensitivity(
    cash_flows: ArrayLike, rates: ArrayLike, growths: ArrayLike, *, convention: str = "period0"
) -> ndarray:
    """Return values with a ``gordon`` terminal value for every discount rate r and growth rate g.

    Parameters
    ----------
    cash_flows : array_like
        Explicit cash flows, ``[.. period]``.
    rates, growths : array_like
        Discount rates r and growth rates g per period, ``[rate]`` and ``[growth]``.
    convention : {"period0", "mid", "end"}
        Time of a cash flow within its period.

    Returns
    -------
    ndarray
        Values at date 0, ``[.. rate growth]``, NaN where ``r <= g``.

    Raises
    ------
    ValueError
        For cash flows that are not finite numbers ``[.. period]``.

    Examples
    --------
    >>> sensitivity([10.0], [0.02, 0.1], [0.0, 0.05]).round(2).tolist()
    [[510.0, nan], [110.0, 220.0]]
    """
    flows = _flows(cash_flows)
    discounting, grows = floats(rates), floats(growths)
    values = np.full((*flows.shape[:-1], len(discounting), len(grows)), np.nan)
    for i, j in np.argwhere(discounting[:, None] > grows):
        gamma, rule = 1 / (1 + discounting[i]), {"terminal": "gordon", "growth": grows[j]}
        values[..., i, j] = valuation(flows, gamma, convention=convention, **rule).value
    return values


def _weights(
    gamma: ndarray, discounts: ArrayLike | None, periods: int, shift: float
) -> tuple[ndarray, ndarray]:
    """Return the weights of periods, ``[.. period]``, and of date T, ``[..]``."""
    if discounts is None:
        t = np.arange(periods) + shift
        return gamma[..., None] ** t, np.asarray(gamma**periods)
    factors = floats(discounts)
    if factors.ndim < 1 or factors.shape[-1] != periods:
        raise ValueError(f"discounts: shape {factors.shape} must end in {periods}, one factor a period")
    check_rates(factors, infinite_horizon=False, name="discounts")
    along = np.cumprod(factors, axis=-1)
    begins = np.concatenate([np.ones((*factors.shape[:-1], 1)), along[..., :-1]], axis=-1)
    # within its period a flow is discounted by the share `shift` of that period's own factor
    return begins * factors**shift, np.asarray(along[..., -1])


def _flows(cash_flows: ArrayLike) -> ndarray:
    flows = floats(cash_flows)
    if flows.ndim < 1 or not flows.shape[-1] or not np.isfinite(flows).all():
        raise ValueError(f"cash_flows: shape {flows.shape} must be [.. period] of finite numbers")
    return flows


def _check_last(base: ndarray, terminal: str, strict: bool) -> None:
    """Warn of a terminal cash flow that is not above 0; raise if ``strict`` and it continues forever."""
    if not np.any(base <= 0):
        return
    does = "values the firm at a multiple of it" if terminal == "multiple" else "continues it forever"
    message = f"terminal cash flow: {np.min(base):g} is not above 0, and {terminal!r} {does}"
    if strict and terminal != "multiple":
        raise ValueError(f"{message}; give normalised_cash_flow")
    # the line that called `valuation`
    warnings.warn(message, stacklevel=3)
