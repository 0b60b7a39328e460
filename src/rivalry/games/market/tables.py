"""Finite and linear-quadratic forms of markets: tables of repeated play, action levels, adjustment plans."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.core.jax import jax, put
from rivalry.core.oracles import payoff_scale
from rivalry.core.space import Profile
from rivalry.games.market.benchmarks import benchmark
from rivalry.games.market.model import Market
from rivalry.games.market.native_play import initial_standing, settle
from rivalry.tables.discretize import TABLE_BYTES, values_at
from rivalry.tables.kernels.shapes import FiniteGame, LinearQuadraticGame
from rivalry.tables.plans import AdjustmentTables

SAME = 1e-9  # prices that differ by less, relatively, are one level
ROUNDING = 1e-13  # the same, relative to the largest price
PLAY = "play it period by period: rivalry.oracles.to_markov(market, periods)"


def repeated(
    market: Market, grid: np.ndarray, sizes: np.ndarray, max_table_bytes: int = TABLE_BYTES
) -> FiniteGame:
    """Return the tables of repeated play by firms that choose among grid points.

    A round is a period. All firms move, stage by stage, or in alternating play firm ``t mod n``. The payoff
    is the cash flow of a period. Nature is the level of the shock (slowest) and, with adjustment costs, the
    joint action of the previous period, which is the present output; with a ``predetermined`` change an
    action is the output of the next period. Firms observe nature now, if they observe the shock or outputs
    are carried over, and the choices of earlier stages. The signal is the price of one good, as its index
    among all its values.

    With growth, payoffs are per unit of market size, and the discount factor is ``gamma (1 + growth)``;
    this is exact if only unit costs are paid.

    Parameters
    ----------
    market : Market
        A market with all its firms.
    grid : ndarray
        Grid points, ``[player action axis]``.
    sizes : ndarray
        Numbers of actions, ``[player]``.
    max_table_bytes : int
        Upper bound on memory.

    Raises
    ------
    ValueError
        For states without an exact table (cash, capacity, a sticky price), costs that do not grow with the
        market, a hidden shock beside observed outputs, and tables above ``max_table_bytes``.
    """
    _check_states(market)
    stand = _outputs_stand(market)
    shifts = np.zeros(1) if market.shock is None else np.asarray(market.shock.levels)
    # Python integers: counts of joint actions may exceed 64 bits
    joint = int(np.prod(sizes.astype(object)))
    _check_size(len(shifts) * (joint if stand else 1), sizes, joint, len(shifts), max_table_bytes)
    before = _joint_choices(grid, sizes) if stand else np.asarray(market.space.low)[None, :, 0]
    every = (market, put(np.tile(before, (len(shifts), 1))), put(np.repeat(shifts, len(before))))
    found = values_at(_round, every, grid, sizes)  # [joint nature ..]
    next_nature, nature_cdf = _nature_moves(market, joint, stand)
    if market.timing == "alternating":
        order = np.arange(market.players, dtype=np.int64)[:, None]
    else:
        order = np.array([[firm for stage in market.stages for firm in stage]], dtype=np.int64)
    return FiniteGame(
        payoff=np.array(np.moveaxis(found["cash_flow"], 0, 2), order="C"),
        next_nature=next_nature,
        nature_cdf=nature_cdf,
        action_map=np.zeros((0, 0, 0), dtype=np.int64),
        sizes=np.asarray(sizes, dtype=np.int64),
        order=order,
        observation_slots=_observation_slots(market, stand),
        signal=_price_levels(found["p"]) if market.rule.homogeneous else np.zeros((0, 0), dtype=np.int64),
    )


def levels(market: Market, count: int) -> list[np.ndarray]:
    """Return ``count`` choices per firm around its Nash and cartel choices.

    ``linspace(low - xi (high - low), high + xi (high - low), count)`` with xi = ``grid_margin``, clipped to
    the market's box (Calvano et al. 2020). Raises `ValueError` if the two choices of a firm are equal.

    >>> import rivalry as rv
    >>> [line.tolist() for line in levels(rv.games.market(players=2, grid_margin=0.2), 3)]
    [[21.0, 26.25, 31.5], [21.0, 26.25, 31.5]]
    """
    ends = np.sort([benchmark(market, name).choice for name in ("nash", "cartel")], axis=0)
    low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]
    beyond = float(market.numbers["grid_margin"]) * (ends[1] - ends[0])
    first, last = np.maximum(ends[0] - beyond, low), np.minimum(ends[1] + beyond, high)
    for firm in range(market.players):
        if not ends[1, firm] - ends[0, firm] > SAME * (high[firm] - low[firm]):
            raise ValueError(
                f"places: firm {firm} chooses {ends[0, firm]:g} in equilibrium and in the cartel; give levels"
            )
    return list(np.linspace(first, last, count, axis=1))


def linear_quadratic(market: Market) -> LinearQuadraticGame:
    """Return a market with ``predetermined`` outputs as a linear-quadratic game.

    The state is ``x = (1, q_1, .., q_n)`` with ``q_i' = q_i + u_i``; costs are minus cash flow, ``x'R_i x +
    (1 - tax) phi_i u_i^2``. Nothing keeps outputs and prices above zero. The first outputs are the market's
    ``initial`` ones, or its lowest.

    Raises
    ------
    ValueError
        If the market is not linear-quadratic.

    Examples
    --------
    >>> import rivalry as rv
    >>> slow = {"adjustment": "predetermined", "adjustment_cost": 12}
    >>> made = linear_quadratic(rv.games.market(intercept=10, slope=2, unit_cost=0, **slow))
    >>> made.R[0].tolist(), made.Q[0].tolist()
    ([[0.0, -5.0, 0.0], [-5.0, 2.0, 1.0], [0.0, 1.0, 0.0]], [[12.0]])
    """
    _check_adjusted(market, "linear_quadratic")
    numbers = {name: np.asarray(value, dtype=float) for name, value in market.numbers.items()}
    if market.rule.demand not in ("linear", "differentiated"):
        raise ValueError(f"demand: {market.rule.demand!r} is not linear in quantities; {PLAY}")
    fixed = bool(np.any(numbers["fixed_cost"] > 0))
    if fixed or market.dynamics.limited:
        name = "fixed_cost" if fixed else "capacity"
        raise ValueError(f"{name}: makes cash flow jump or stop, and not quadratic; {PLAY}")
    players, after_tax = market.players, 1.0 - numbers["tax"]
    other = numbers["slope" if market.rule.demand == "linear" else "substitution"]
    R = np.zeros((players, players + 1, players + 1))
    B = np.zeros((players, players + 1, 1))
    for i in range(players):
        R[i, 1 + i, 1:] = R[i, 1:, 1 + i] = after_tax[i] * other / 2
        R[i, 1 + i, 1 + i] = after_tax[i] * (numbers["slope"] + numbers["convex_cost"][i] / 2)
        R[i, 0, 1 + i] = R[i, 1 + i, 0] = -after_tax[i] * (numbers["intercept"] - numbers["unit_cost"][i]) / 2
        B[i, 1 + i, 0] = 1.0
    costs = (after_tax * numbers["adjustment_cost"])[:, None, None]
    first = np.append(1.0, _first_outputs(market))
    return LinearQuadraticGame(np.eye(players + 1), B, R, costs, numbers["gamma"], first)


def outside_linear(market: Market, states: np.ndarray) -> str:
    """Return where outputs or prices fall below zero on a path ``[period state]``, or an empty text."""
    low = -1e-9 * float(payoff_scale(market))
    a, b = float(market.numbers["intercept"]), float(market.numbers["slope"])
    other = b if market.rule.demand == "linear" else float(market.numbers["substitution"])
    for period, q in enumerate(states[:, 1:]):
        if not np.all(np.isfinite(q)):
            return ""
        for firm in np.flatnonzero(q < low):
            return f"output of firm {firm} is {q[firm]:.4g} in period {period}"
        price = np.min(a - (b - other) * q - other * q.sum())
        if price < low:
            return f"the price is {price:.4g} in period {period}"
    return ""


def adjustment_tables(market: Market, levels: int | list[float]) -> AdjustmentTables:
    """Return a duopoly with ``predetermined`` outputs at levels of output, for announced plans.

    Parameters
    ----------
    market : Market
        A market of two firms.
    levels : int or list of float
        Levels for both firms, or their number, evenly over the market's box. Initial outputs are added.

    Raises
    ------
    ValueError
        For markets that carry over anything else, and levels outside the box.
    """
    _check_adjusted(market, "commitment_with_switching_cost")
    if market.players != 2:
        raise ValueError(f"players: {market.players} firms; plans are for two")
    low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]
    first, lines = _first_outputs(market), []
    for firm, begins in enumerate(first.tolist()):
        even = np.linspace(low[firm], high[firm], levels) if isinstance(levels, int) else levels
        line = np.asarray(even, dtype=float)
        if len(line) < 2 or np.any(np.diff(line) <= 0) or line[0] < low[firm] or line[-1] > high[firm]:
            raise ValueError(
                f"levels: must rise, 2 or more, in [{low[firm]:g}, {high[firm]:g}] (firm {firm})"
            )
        if not line[0] <= begins <= line[-1]:
            raise ValueError(
                f"initial[{firm}]: {begins:g} must be in [{line[0]:g}, {line[-1]:g}], the levels"
            )
        near = np.min(np.abs(line - begins)) <= SAME * (line[-1] - line[0])
        lines.append(line if near else np.sort(np.append(line, begins)))
    sizes = np.array([len(line) for line in lines])
    grid = np.full((2, sizes.max(), 1), np.nan)
    for firm, line in enumerate(lines):
        grid[firm, : len(line), 0] = line
    flow = values_at(Market.payoffs, market, grid, sizes).T.reshape(2, *sizes)
    begin = [int(np.argmin(np.abs(line - q))) for line, q in zip(lines, first, strict=True)]
    phi = np.asarray(market.numbers["adjustment_cost"] * (1.0 - market.numbers["tax"]))
    gamma = np.array(market.numbers["gamma"])
    return AdjustmentTables((lines[0], lines[1]), np.array(flow, order="C"), phi, gamma, np.array(begin))


def _round(given: Any, x: Profile) -> Any:
    """Return the cash flows and prices of a period at a joint action, ``[nature firm]``."""
    market, before, shifts = given

    def one(choice: Any, shift: Any) -> Any:
        ahead = market.dynamics.adjustment == "predetermined"
        standing = initial_standing(market, choice)
        flow, _ = settle(market, standing, x - choice[:, None] if ahead else x, shift)
        return {"cash_flow": flow.cash_flow, "p": flow.p}

    return jax.vmap(one)(before, shifts)


def _outputs_stand(market: Market) -> bool:
    """Return whether cash flows depend on the outputs of the previous period."""
    if market.dynamics.adjustment == "spot":
        return bool(np.any(np.asarray(market.numbers["adjustment_cost"]) > 0))
    return market.dynamics.adjustment == "predetermined"


def _wears_out(market: Market) -> bool:
    """Return whether a limited capacity depreciates."""
    return market.dynamics.limited and bool(np.any(np.asarray(market.numbers["depreciation"]) > 0))


def _check_states(market: Market) -> None:
    states, numbers = market.dynamics, market.numbers
    carried = {"cash": states.cash, "capex": states.invest, "depreciation": _wears_out(market)}
    for name, there in (carried | {"sticky": states.sticky}).items():
        if there:
            raise ValueError(f"{name}: makes a state between the levels of any table; {PLAY}")
    if _outputs_stand(market) and market.shock is not None and not market.shock.observed:
        raise ValueError(f"shock_observed: must be true on tables that show outputs that stand; or {PLAY}")
    growth = float(numbers["growth"])
    if growth == 0:
        return
    costs = ("fixed_cost", "convex_cost", "adjustment_cost")
    clashes = {name: bool(np.any(np.asarray(numbers[name]) > 0)) for name in costs}
    clashes["capacity"] = states.limited
    clashes["adjustment = 'predetermined'"] = states.adjustment == "predetermined"
    for name, there in clashes.items():
        if there:
            raise ValueError(f"growth: {growth:g} clashes with {name}, which does not grow with it; {PLAY}")


def _check_adjusted(market: Market, what: str) -> None:
    """Raise `ValueError` unless outputs adjust a period later and nothing else is carried over."""
    states, numbers = market.dynamics, market.numbers
    if states.adjustment != "predetermined":
        raise ValueError(f"adjustment: {states.adjustment!r} must be 'predetermined' for {what}")
    extra = {
        "shock": market.shock is not None,
        "sticky": states.sticky,
        "cash": states.cash,
        "capex": states.invest,
        "growth": float(numbers["growth"]) != 0,
        "depreciation": _wears_out(market),
        "tax_losses": market.accounts.tax_losses == "none" and bool(np.any(np.asarray(numbers["tax"]) > 0)),
        "timing": market.timing == "alternating",
    }
    for name, there in extra.items():
        if there:
            raise ValueError(f"{name}: is beyond {what}, where only outputs are carried over; {PLAY}")


def _check_size(natures: int, sizes: np.ndarray, joint: int, branches: int, most: int) -> None:
    rows = joint if natures > branches else 1  # of the next nature
    need = 8 * natures * (joint * (len(sizes) + 1) + 2 * rows * branches)
    if need > most:
        raise ValueError(
            f"places: {natures} states of nature and {sizes.tolist()} actions make tables of {need} bytes, "
            f"above max_table_bytes, {most}; take fewer"
        )


def _first_outputs(market: Market) -> np.ndarray:
    """Return the outputs before the first period."""
    return np.asarray(market.numbers.get("initial", market.space.low[:, 0]), dtype=float)


def _joint_choices(grid: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the choices at every joint action, ``[joint player]``, row-major."""
    at = np.stack(np.unravel_index(np.arange(int(np.prod(sizes))), tuple(sizes)), axis=1)
    return np.stack([grid[player, at[:, player], 0] for player in range(len(sizes))], axis=1)


def _nature_moves(market: Market, joint: int, stand: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the next states of nature and their cumulative probabilities, ``[nature joint branch]``."""
    chain = np.ones((1, 1)) if market.shock is None else np.asarray(market.shock.transitions)
    cdf = np.cumsum(chain, axis=1)
    # rounding must not leave draws beyond the last branch
    cdf[:, -1] = 1.0
    to = np.arange(len(chain))
    if not stand:
        return np.tile(to, (len(chain), 1, 1)), cdf[:, None, :].copy()
    following = to * joint + np.arange(joint)[:, None]  # [joint branch]
    shape = (len(chain) * joint, joint, len(chain))
    whole = np.repeat(cdf, joint, axis=0)[:, None, :]
    return np.array(np.broadcast_to(following, shape)), np.array(np.broadcast_to(whole, shape))


def _observation_slots(market: Market, stand: bool) -> np.ndarray:
    """Return the observation slots of a round: nature now, and the choices of earlier stages."""
    nature = [market.players] if stand or (market.shock is not None and market.shock.observed) else []
    rows = []
    for firm in range(market.players):
        stage = next(k for k, firms in enumerate(market.stages) if firm in firms)
        rows.append(nature + sorted(other for firms in market.stages[:stage] for other in firms))
    slots = np.full((market.players, max(1, *map(len, rows)), 2), -1, dtype=np.int64)
    for firm, row in enumerate(rows):
        slots[firm, : len(row), 0], slots[firm, : len(row), 1] = row, 0
    return slots


def _price_levels(p: np.ndarray) -> np.ndarray:
    """Return the index of the lowest price among all its values, increasing, ``[nature joint]``."""
    price = p.min(axis=2).T
    values = np.sort(price, axis=None)
    new = np.diff(values, prepend=values[0]) > SAME * values + ROUNDING * values[-1]
    found: np.ndarray = np.cumsum(new)[np.searchsorted(values, price)]
    return np.array(found, dtype=np.int64, order="C")
