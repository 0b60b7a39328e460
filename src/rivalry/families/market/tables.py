"""Finite and linear-quadratic forms of markets, and the channels by which discount factors can matter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame, LinearQuadraticGame
from rivalry.core.oracles import payoff_scale
from rivalry.core.space import Profile, span
from rivalry.families.market.benchmarks import benchmark
from rivalry.families.market.contingent import MarketGame
from rivalry.families.market.model import Market, product_bounds, whole_market
from rivalry.families.market.play import initial_state, settle
from rivalry.runtime.jax import floats, jax, put
from rivalry.tables.discretize import TABLE_BYTES, values_at

SAME_PRICE = 1e-9  # prices that differ by less, relatively, are one level
PRICE_ROUNDING = 1e-13  # the same, relative to the largest price
PLAY = "play it period by period: rivalry.oracles.to_markov(market, periods)"


class AdjustmentTables(NamedTuple):
    """A duopoly with outputs as states: ``q' = q + u``, at the cost ``phi u**2``.

    The adjustment rule is `predetermined`: current profit depends on the outputs before the adjustment.
    """

    levels: tuple[ndarray, ndarray]  # each firm's outputs, increasing
    flow: ndarray  # [player level_0 level_1]: cash flow before adjustment costs
    phi: ndarray  # [player]
    gamma: ndarray  # [player]
    first: ndarray  # [player]: the initial level, int64


def repeated_tables(
    market: Market, grid: ndarray, sizes: ndarray, max_table_bytes: int = TABLE_BYTES
) -> FiniteGame:
    """Return the tables of repeated play by firms that choose among grid points.

    A round is a period. All firms move, stage by stage, or in alternating play those of ``turns``. The payoff
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
    carries = _carries_outputs(market)
    shifts = np.zeros(1) if market.shock is None else np.asarray(market.shock.levels)
    # Python integers: counts of joint actions may exceed 64 bits
    joint = int(np.prod(sizes.astype(object)))
    _check_size(len(shifts) * (joint if carries else 1), sizes, joint, len(shifts), max_table_bytes)
    before = np.asarray(market.products.low)[None, :, 0]
    if carries:  # the choices at every joint action, [joint player], row-major
        lines = [row[:size, 0] for row, size in zip(grid, sizes, strict=True)]
        before = span(lines)
    arguments = (market, put(np.tile(before, (len(shifts), 1))), put(np.repeat(shifts, len(before))))
    tables_by_name = values_at(_round, arguments, grid, sizes)  # [joint nature ..]
    next_nature, nature_cdf = _nature_moves(market, joint, carries)
    rows = market.turns or [[firm for stage in market.stages for firm in stage]]
    width = max(map(len, rows))
    order = [[*row, *[-1] * (width - len(row))] for row in rows]
    # compiled loops over the tables take contiguous arrays
    return FiniteGame(
        payoff=np.array(np.moveaxis(tables_by_name["cash_flow"], 0, 2), order="C"),
        next_nature=next_nature,
        nature_cdf=nature_cdf,
        action_map=np.zeros((0, 0, 0), dtype=int),
        sizes=np.asarray(sizes, dtype=int),
        order=np.array(order, dtype=int),
        observation_slots=_observation_slots(market, carries),
        signal=_price_levels(tables_by_name["p"]) if market.rule.homogeneous else np.zeros((0, 0), dtype=int),
    )


def levels(market: Market, count: int) -> list[ndarray]:
    """Return ``count`` choices per firm around its Nash and cartel choices; of several products, as rows.

    ``linspace(low - xi (high - low), high + xi (high - low), count)`` with xi = ``grid_margin``, clipped to
    the market's box (Calvano et al. 2020). With an observed shock, ``low`` and ``high`` are the smallest and
    the largest of these choices at its levels. Raises `ValueError` if the choices of a firm are equal.

    >>> import rivalry as rv
    >>> [line.round(9).tolist() for line in levels(rv.games.market(players=2, grid_margin=0.2), 3)]
    [[21.0, 26.25, 31.5], [21.0, 26.25, 31.5]]
    """
    cases = list(map(market.at_level, market.observed_levels)) or [market]
    choices = [benchmark(case, name).choice for case, name in product(cases, ("nash", "cartel"))]
    ends = np.array([np.min(choices, axis=0), np.max(choices, axis=0)])
    low, high = product_bounds(market)
    margin = float(market.numbers["grid_margin"]) * (ends[1] - ends[0])
    grid_low, grid_high = np.maximum(ends[0] - margin, low), np.minimum(ends[1] + margin, high)
    for product_number in range(market.product_count):
        lowest, highest = ends[:, product_number]
        if not highest - lowest > SAME_PRICE * (high - low)[product_number]:
            owner = market.places[0][product_number]
            raise ValueError(
                f"action_grid: firm {owner} chooses {lowest:g} in equilibrium and in the cartel; give levels"
            )
    # an owner of several products moves all of them together, from its Nash to its cartel choices
    rows = [market.profile(choices) for choices in np.linspace(grid_low, grid_high, count)]
    grids = np.stack(rows, axis=1)  # [player action axis]
    return list(grids[:, :, 0] if market.is_single else grids)


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
    numbers = {name: floats(value) for name, value in market.numbers.items()}
    if market.rule.demand not in ("linear", "differentiated"):
        raise ValueError(f"demand: {market.rule.demand!r} is not linear in quantities; {PLAY}")
    for name, applies in (("fixed_cost", market.has("fixed_cost")), ("capacity", market.dynamics.limited)):
        if applies:
            raise ValueError(f"{name}: makes cash flow jump or stop, and not quadratic; {PLAY}")
    players, after_tax = market.players, 1.0 - numbers["tax"]
    slope = numbers["slope" if market.rule.demand == "linear" else "substitution"]
    R = np.zeros((players, players + 1, players + 1))
    B = np.eye(players + 1)[1:, :, None]  # outputs change by the actions
    for i in range(players):
        R[i, 1 + i, 1:] = R[i, 1:, 1 + i] = after_tax[i] * slope / 2
        R[i, 1 + i, 1 + i] = after_tax[i] * (numbers["slope"] + numbers["convex_cost"][i] / 2)
        R[i, 0, 1 + i] = R[i, 1 + i, 0] = -after_tax[i] * (numbers["intercept"] - numbers["unit_cost"][i]) / 2
    costs = (after_tax * numbers["adjustment_cost"])[:, None, None]
    initial_state = np.append(1.0, _first_outputs(market))
    return LinearQuadraticGame(np.eye(players + 1), B, R, costs, numbers["gamma"], initial_state)


def outside_linear(market: Market, states: ndarray) -> str:
    """Return the first fall of outputs or prices below zero on a path ``[period state]``, or no text."""
    low = -1e-9 * float(payoff_scale(market))
    a, b = float(market.numbers["intercept"]), float(market.numbers["slope"])
    slope = b if market.rule.demand == "linear" else float(market.numbers["substitution"])
    for period, q in enumerate(states[:, 1:]):
        if not np.isfinite(q).all():
            return ""
        for firm in np.flatnonzero(q < low):
            return f"output of firm {firm} is {q[firm]:.4g} in period {period}"
        price = np.min(a - (b - slope) * q - slope * q.sum())
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
    _check_adjusted(market, "announced plans")
    if market.players != 2:
        raise ValueError(f"players: {market.players} firms; plans are for two")
    initial_outputs, lines = _first_outputs(market), []
    for firm, begins in enumerate(initial_outputs.tolist()):
        low, high = float(market.space.low[firm, 0]), float(market.space.high[firm, 0])
        line = floats(np.linspace(low, high, levels) if isinstance(levels, int) else levels)
        if len(line) < 2 or np.any(np.diff(line) <= 0) or line[0] < low or line[-1] > high:
            raise ValueError(f"levels: must rise, 2 or more, in [{low:g}, {high:g}] (firm {firm})")
        if not line[0] <= begins <= line[-1]:
            range_ = f"[{line[0]:g}, {line[-1]:g}], the levels"
            raise ValueError(f"initial[{firm}]: {begins:g} must be in {range_}")
        is_level = np.min(np.abs(line - begins)) <= SAME_PRICE * (line[-1] - line[0])
        lines.append(line if is_level else np.sort(np.append(line, begins)))
    sizes = np.array([len(line) for line in lines])
    grid = np.stack([np.pad(line, (0, sizes.max() - len(line)))[:, None] for line in lines])
    flow = np.array(values_at(Market.payoffs, market, grid, sizes).T.reshape(2, *sizes), order="C")
    begin = np.array([np.argmin(np.abs(line - q)) for line, q in zip(lines, initial_outputs, strict=True)])
    phi = np.asarray(market.numbers["adjustment_cost"] * (1.0 - market.numbers["tax"]))
    return AdjustmentTables((lines[0], lines[1]), flow, phi, np.array(market.numbers["gamma"]), begin)


def _round(parts: Any, x: Profile) -> Any:
    """Return the cash flows and prices of a period at a joint action, ``[nature firm]``."""
    market, before, shifts = parts

    def outcome(choice: Any, shift: Any) -> Any:
        ahead = market.dynamics.adjustment == "predetermined"
        carried = initial_state(market, choice)
        rows = market.by_product(x)
        flow, _ = settle(market, carried, rows - choice[:, None] if ahead else rows, shift)
        return {"cash_flow": market.by_firm(flow.cash_flow), "p": flow.p}

    return jax.vmap(outcome)(before, shifts)


def _carries_outputs(market: Market) -> bool:
    """True where cash flows depend on the outputs of the previous period."""
    adjustment = market.dynamics.adjustment
    return adjustment == "predetermined" or (adjustment == "spot" and market.has("adjustment_cost"))


def _states(market: Market) -> dict[str, bool]:
    """Flags of the states carried besides outputs, by the parameter that makes them."""
    states = market.dynamics
    wears_out = states.limited and market.has("depreciation")
    return {"cash": states.cash, "capex": states.invest, "depreciation": wears_out, "sticky": states.sticky}


def _check_states(market: Market) -> None:
    """Raise `ValueError` for states without an exact table, naming the parameter that makes them."""
    for name, applies in _states(market).items():
        if applies:
            raise ValueError(f"{name}: makes a state between the levels of any table; {PLAY}")
    if _carries_outputs(market) and market.shock is not None and not market.shock.observed:
        raise ValueError(f"shock_observed: must be true on tables that show outputs that stand; or {PLAY}")
    growth = float(market.numbers["growth"])
    clashes = {name: market.has(name) for name in ("fixed_cost", "convex_cost", "adjustment_cost")}
    clashes["capacity"] = market.dynamics.limited
    clashes["adjustment = 'predetermined'"] = market.dynamics.adjustment == "predetermined"
    for name, applies in clashes.items():
        if applies and growth != 0:
            raise ValueError(f"growth: {growth:g} clashes with {name}, which does not grow with it; {PLAY}")


def _check_adjusted(market: Market, purpose: str) -> None:
    """Raise `ValueError` unless outputs adjust a period later and nothing else is carried over."""
    if market.dynamics.adjustment != "predetermined":
        raise ValueError(f"adjustment: {market.dynamics.adjustment!r} must be 'predetermined' for {purpose}")
    extra = {
        "shock": market.shock is not None,
        "growth": float(market.numbers["growth"]) != 0,
        "tax_losses": market.accounts.tax_losses == "none" and market.has("tax"),
        "timing": market.timing == "alternating",
        "tax": market.taxes_sales,
    }
    for name, applies in (extra | _states(market)).items():
        if applies:
            raise ValueError(f"{name}: is beyond {purpose}, where only outputs are carried over; {PLAY}")


def _check_size(natures: int, sizes: ndarray, joint: int, branches: int, limit: int) -> None:
    rows = joint if natures > branches else 1  # of the next nature
    need = 8 * natures * (joint * (len(sizes) + 1) + 2 * rows * branches)
    if need > limit:
        raise ValueError(
            f"action_grid: {natures} states of nature and {sizes.tolist()} actions make tables of {need} "
            f"bytes, above max_table_bytes, {limit}; take fewer"
        )


def _first_outputs(market: Market) -> ndarray:
    """Return the outputs before the first period."""
    return floats(market.numbers.get("initial", market.products.low[:, 0]))


def _nature_moves(market: Market, joint: int, carries: bool) -> tuple[ndarray, ndarray]:
    """Return the next states of nature and their cumulative probabilities, ``[nature joint branch]``."""
    chain = np.ones((1, 1)) if market.shock is None else np.asarray(market.shock.transitions)
    cdf = np.cumsum(chain, axis=1)
    # rounding must not leave draws beyond the last branch
    cdf[:, -1] = 1.0
    to = np.arange(len(chain))
    if not carries:
        return np.tile(to, (len(chain), 1, 1)), cdf[:, None, :].copy()
    following = to * joint + np.arange(joint)[:, None]  # [joint branch]
    shape = (len(chain) * joint, joint, len(chain))
    cdf_rows = np.repeat(cdf, joint, axis=0)[:, None, :]
    return np.array(np.broadcast_to(following, shape)), np.array(np.broadcast_to(cdf_rows, shape))


def _observation_slots(market: Market, carries: bool) -> ndarray:
    """Return the observation slots of a round: nature now, and the choices of earlier stages."""
    nature = [market.players] if carries or (market.shock is not None and market.shock.observed) else []
    rows, earlier_firms = dict[int, list[list[int]]](), list[int]()
    for firms in market.stages:
        observed = [[index, 0] for index in (*nature, *sorted(earlier_firms))]
        rows |= dict.fromkeys(firms, observed)
        earlier_firms += firms
    width = max(1, *map(len, rows.values()))
    slots = [row + [[-1, -1]] * (width - len(row)) for _, row in sorted(rows.items())]
    return np.array(slots, dtype=int)


def _price_levels(p: ndarray) -> ndarray:
    """Return the index of the lowest price among all its values, increasing, ``[nature joint]``."""
    price = p.min(axis=2).T
    values = np.sort(price, axis=None)
    new = np.diff(values, prepend=values[0]) > SAME_PRICE * values + PRICE_ROUNDING * values[-1]
    levels: ndarray = np.cumsum(new)[np.searchsorted(values, price)]
    return np.array(levels, dtype=int, order="C")


class Channels(NamedTuple):
    """Channels by which choices affect later ones; discount factors matter through nothing else."""

    state: list[str]  # states changed by choices, on which later cash flows depend
    memory: list[list[int]]  # [i, j]: firm i observes past actions of firm j, so gamma of j can matter
    learning: list[int]  # firms that update their values from their own values

    @property
    def text(self) -> str:
        """Summary of the channels in one line.

        >>> Channels([], [[0, 1]], [0, 1]).text
        'gamma can matter through: memory (0 sees 1), learning (firms 0, 1)'
        """
        parts = [*self.state]
        if self.memory:
            parts.append(f"memory ({', '.join(f'{i} sees {j}' for i, j in self.memory)})")
        if self.learning:
            parts.append(f"learning (firms {', '.join(map(str, self.learning))})")
        if not parts:
            return "the discount factor does not affect this game"
        return f"gamma can matter through: {', '.join(parts)}"


def gamma_channels(
    game: MarketGame,
    tables: FiniteGame | None = None,
    learns: Sequence[bool] | None = None,
    discounts: Sequence[float] | ndarray | None = None,
) -> Channels:
    """Return the channels by which the discount factors of a market's firms can affect outcomes.

    Without a state that choices change, and without memory, the valuation problem separates into periods,
    and the best choice does not depend on ``gamma``. Choices do not affect shocks, which are no such state.

    Parameters
    ----------
    game : Market, StagedMarket or ContingentMarket
        A market.
    tables : FiniteGame, optional
        Tables of play on a grid, with all that firms observe; by default they remember nothing. A past
        price, or output that is carried over, reveals the actions with which it would differ.
    learns : sequence of bool, optional
        Which firms learn, ``[player]``; by default none. A learner whose discount factor is above 0 updates
        its values from its own values.
    discounts : array_like, optional
        Discount factors of the learners; by default the market's ``gamma``.

    Examples
    --------
    >>> import rivalry as rv
    >>> gamma_channels(rv.games.market(adjustment="spot", adjustment_cost=1.0)).text
    'gamma can matter through: adjustment cost'
    """
    market = whole_market(game)
    states = market.dynamics
    channels = {
        "adjustment cost": states.adjustment != "none" and market.has("adjustment_cost"),
        "capacity": states.invest,
        "sticky price": states.sticky,
        "cash": states.cash,
        "standing choices": market.timing == "alternating",
    }
    gamma = np.asarray(market.gamma if discounts is None else discounts)
    taught = (
        [] if learns is None else [k for k, is_learning in enumerate(learns) if is_learning and gamma[k] > 0]
    )
    memory = [] if tables is None else memory_pairs(tables)
    return Channels([name for name, applies in channels.items() if applies], memory, taught)


def memory_pairs(tables: FiniteGame) -> list[list[int]]:
    """Return the pairs ``[i, j]`` where player i observes past actions of player j.

    Observation may be direct, or through nature or the signal.
    """
    players = len(tables.sizes)
    pairs = []
    for i, slots in enumerate(tables.observation_slots.tolist()):
        past = {
            player_seen
            for player_seen, ago in slots
            if player_seen >= 0 and (ago > 0 or player_seen == players)
        }
        for j in range(players):
            by_nature = players in past and _depends_on(tables, tables.next_nature, j)
            by_signal = players + 1 in past and _signal_depends_on(tables, j)
            if j != i and (j in past or by_nature or by_signal):
                pairs.append([i, j])
    return pairs


def _signal_depends_on(tables: FiniteGame, player: int) -> bool:
    """True where the signal depends on a player's action, of this round or an earlier one."""
    # an earlier action matters only through nature, in whose state the signal is read
    by_nature = bool(np.any(tables.signal != tables.signal[:1]))
    next_round_depends = by_nature and _depends_on(tables, tables.next_nature, player)
    return next_round_depends or _depends_on(tables, tables.signal[:, :, None], player)


def _depends_on(tables: FiniteGame, table: ndarray, player: int) -> bool:
    """True where a player's action changes a table ``[nature joint ..]``."""
    if table.shape[1] <= 1:
        return False
    by_player = table.reshape(len(table), *tables.sizes.tolist(), -1)
    return bool(np.any(by_player != np.take(by_player, [0], axis=1 + player)))
