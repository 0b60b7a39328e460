"""Native play of a market, period by period in the order of moves, and simulation of given policies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product, starmap
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.space import Box, PerPlayer, Profile, Scalar
from rivalry.core.tree import static
from rivalry.families.market.contingent import MarketGame
from rivalry.families.market.demand import INTERCEPT, Cleared, PerFirm, clear, largest_values
from rivalry.families.market.model import STAGES, Market, product_bounds, whole_market
from rivalry.families.market.ranges import largest_choices
from rivalry.families.market.valuation import Valuation, valuation
from rivalry.runtime.jax import compiled, floats, jax, jnp, put
from rivalry.schema.validate import check_word, whole_number

ABSENT = 1e9  # in intercepts: the price of a firm that has exited, at which it sells nothing


class PeriodState(NamedTuple):
    """The state at the beginning of a period.

    Outputs are per unit of market size. If a change takes effect at once (``spot``), ``choice`` is the last
    choice; if it takes a period (``predetermined``), it is the output sold now.
    """

    choice: PerFirm  # outputs or prices
    capacity: PerFirm
    price: Scalar  # the last one of one good, or the mean over firms
    cash: PerFirm
    active: Bool[Array, "firm"]  # firms that have not exited
    period: Int[Array, ""]


class Flow(NamedTuple):
    """The results of a period, ``[firm]``; quantities and money of the whole market, not per unit of size."""

    q: PerFirm  # sold
    p: PerFirm
    profit: PerFirm  # revenue less cost, before tax and adjustment
    cash_flow: PerFirm


def initial_state(market: Market, choice: PerFirm) -> PeriodState:
    """Return the state at the beginning of the first period, with previous choices ``choice``."""
    firms, price = jnp.ones(market.product_count), jnp.mean(market.clear(choice).p)
    cash = market.numbers["cash"] * firms if market.dynamics.cash else jnp.zeros(market.product_count)
    active = jnp.ones(market.product_count, dtype=bool)
    return PeriodState(choice, market.numbers["capacity"] * firms, price, cash, active, jnp.asarray(0))


def market_size(market: Market, period: int | Array) -> Scalar:
    """Return ``N_t = (1 + growth)^t``, the number of buyers relative to the first period."""
    return (1.0 + market.numbers["growth"]) ** period


def settle(
    market: Market,
    before: PeriodState,
    x: Float[Array, "firm axis"],
    shift: float | Scalar = 0.0,
    upper_limit: PerFirm | None = None,
) -> tuple[Flow, PeriodState]:
    """Clear the market at ``x``, at a level ``shift`` of its shock; return cash flows and the next state.

    ``x[:, 0]`` is the output or the price, or the change of output if that is ``predetermined``; ``x[:, 1]``
    is the investment, if firms invest. Outputs and investments are per unit of market size N_t.
    ``CF = (1 - tax)(p q - C(q) - phi (change of q)^2) - k I - kappa I^2/2``. With a sticky price
    ``P_t = w P_(t-1) + (1-w) P(Q_t)``; capacity is ``K' = (1 - dep) K + I``, and no more than K is sold. A
    firm with cash below ``cash_min`` after that exits from the next period on: it sells and earns nothing.

    ``upper_limit [firm]`` is the largest output (default: that of the market's space). The result is
    differentiable wherever the market's own payoffs are.
    """
    numbers, size = market.numbers, market_size(market, before.period)
    next_size = market_size(market, before.period + 1)
    ahead = market.dynamics.adjustment == "predetermined"
    target = before.choice if ahead else x[:, 0]
    q, p = _sold(market, before, jnp.where(before.active, target, 0.0), shift, size)
    stands = target
    if ahead:
        low, high = market.products.low[:, 0], market.products.high[:, 0]
        high = high if upper_limit is None else upper_limit
        stands = jnp.where(before.active, jnp.clip((target + x[:, 0]) * size / next_size, low, high), 0.0)
    elif market.rule.choice == "quantity":
        stands = q / size
    profit = market.earned(Cleared(q, p), shift)
    taxed = profit - _adjustment(market, before, stands, size)
    invested, capex = _investment(market, before, x, size)
    flow = jnp.where(before.active, market.after_tax(taxed) - capex, 0.0)
    cash = before.cash + flow
    stays = cash >= numbers["cash_min"] if market.dynamics.cash else jnp.ones_like(before.active)
    # an infinite capacity does not wear out: at a rate of 1 it would be 0 times infinity
    capacity, remaining = before.capacity, (1.0 - numbers["depreciation"]) * before.capacity
    capacity = jnp.where(jnp.isfinite(capacity), remaining, capacity) + invested
    following = PeriodState(stands, capacity, jnp.mean(p), cash, before.active & stays, before.period + 1)
    return Flow(q, p, jnp.where(before.active, profit, 0.0), flow), following


def _sold(
    market: Market, before: PeriodState, target: Array, shift: float | Array, size: Array
) -> tuple[Array, Array]:
    """Return quantities of the whole market, and prices."""
    capacity = before.capacity / size
    numbers = market.shift_numbers(shift) | {"capacity": capacity}
    if market.rule.choice == "price":
        # beyond every intercept demand is 0, and the others sell as if the firm did not exist
        away = ABSENT * (1.0 + jnp.max(jnp.abs(numbers[INTERCEPT[market.rule.demand]])))
        sold = clear(market.rule, numbers, jnp.where(before.active, target, away))
        return jnp.where(before.active, sold.q, 0.0) * size, target
    q, price = clear(market.rule, numbers, jnp.minimum(target, capacity))
    if market.dynamics.sticky:
        w = numbers["sticky"]
        price = w * before.price + (1.0 - w) * price
    return q * size, price


def _adjustment(market: Market, before: PeriodState, stands: Array, size: Array) -> Array:
    """Return the cost of changing output, now (``spot``) or for the next period (``predetermined``)."""
    if market.dynamics.adjustment == "none":
        return jnp.zeros(market.product_count)
    grown = market_size(market, 1)
    change = stands * size - before.choice * size / grown
    if market.dynamics.adjustment == "predetermined":
        change = stands * size * grown - before.choice * size
    return market.numbers["adjustment_cost"] * change**2


def _investment(market: Market, before: PeriodState, x: Array, size: Array) -> tuple[Array, Array]:
    """Return the capacity bought, or sold where that is allowed (at most all of it), and its cost."""
    if not market.dynamics.invest:
        return jnp.zeros(market.product_count), jnp.zeros(market.product_count)
    n = market.numbers
    lowest = -(1.0 - n["depreciation"]) * before.capacity if market.dynamics.reversible else 0.0
    invested = jnp.where(before.active, jnp.maximum(x[:, 1] * size, lowest), 0.0)
    return invested, n["capex"] * invested + n["capex_convex"] * invested**2 / 2


OBSERVATIONS: dict[str, Callable[[Market, Flow], list[Array]]] = {
    "last_q": lambda market, flow: [flow.q],
    "last_p": lambda market, flow: [flow.p],
    "own_q_price": lambda market, flow: [market.in_rows(flow.q), market.in_rows(flow.p)],
    "price": lambda market, flow: [market.in_rows(flow.p)[:, :1]],
    "none": lambda market, flow: [],
}
"""What firms observe of the last period: rows for all firms, or columns of each firm's own."""


class PlayState(NamedTuple):
    """The state of a market between two decisions."""

    carried: PeriodState
    now: Float[Array, "firm axis"]  # choices made in this period, else those that stay
    stage: Int[Array, ""]
    shock: Int[Array, ""]  # the level in this period
    last: Flow  # results of the last period


class MarketPlay(eqx.Module):
    """A market played period by period; a `MarkovGame`, made by `market_play`.

    In a period the shock is drawn, the stages act, the market clears once, all firms receive their cash flows
    (the rewards), and states are updated. A step is a period; in a market with stages it is a stage, and
    rewards are paid in the last stage. ``active_players`` returns the firms that choose; in alternating play
    these are the next ones in ``turns``, while the others' choices stay. Rows of firms that do not choose are
    ignored.

    A choice is a quantity or a price. If a change of output takes effect a period later (``predetermined``),
    the choice is that change: output moves from ``q`` to ``q + u``, clipped to the market's box. If firms
    invest, investment is a second axis, and outputs reach up to where the price is zero. With growth,
    outputs, changes and investments are per unit of market size, and rewards are money.

    Firms observe (``observation``) all quantities sold last, ``last_q``, all prices, ``last_p``, their own
    quantity and price, ``own_q_price``, the ``price`` of one good, or ``none``. They also observe, where they
    matter, the choices that stay, an observed shock, a sticky price, which firms have exited, their own
    capacity and cash, the market size, the turn where some firm moves in several, and the choices of earlier
    stages. The horizon truncates play. A firm that runs out of cash exits for good, and play ends when the
    last firm exits.
    """

    market: Market
    space: Box  # of the choices of a period
    reach: PerFirm  # the largest output
    periods: int | None = static()
    observation: str = static()
    grows: bool = static()

    def reset(self, key: PRNGKeyArray) -> PlayState:
        """Return the initial state, with a drawn shock; choices are ``initial``, or else lowest or drawn."""
        market = self.market
        draw, falls = jax.random.split(key)
        if "initial" in market.numbers:
            choice = market.numbers["initial"]
        elif market.dynamics.adjustment != "none":
            # not drawn: the cost of the first change would be random, and differ between runs
            choice = market.products.low[:, 0]
        else:
            choice = market.products.sample(draw)[:, 0]
        carried = initial_state(market, choice)
        shock = jnp.asarray(0) if market.shock is None else _draw_level(market.shock.probabilities, falls)
        zeros = jnp.zeros(market.product_count)
        before = Flow(*market.clear(choice), zeros, zeros)
        return PlayState(carried, self._inactive_choices(carried), jnp.asarray(0), shock, before)

    def step(
        self, state: PlayState, x: Profile, key: PRNGKeyArray
    ) -> tuple[PlayState, PerPlayer, Bool[Array, ""], Bool[Array, ""]]:
        market, shock, shift = self.market, state.shock, jnp.asarray(0.0)
        choices = jnp.where(self.active_players(state)[:, None], x, state.now)
        period_ends = state.stage == len(market.stages) - 1
        if market.shock is not None:
            shift = market.shock.levels[state.shock]
            shock = _draw_level(market.shock.transitions[state.shock], key)
        flow, carried = settle(market, state.carried, market.by_product(choices), shift, self.reach)
        after = PlayState(carried, self._inactive_choices(carried), jnp.asarray(0), shock, flow)
        between = state._replace(now=choices, stage=state.stage + 1)
        following: PlayState = jax.tree.map(lambda a, b: jnp.where(period_ends, a, b), after, between)
        cut = jnp.asarray(False) if self.periods is None else following.carried.period >= self.periods
        is_empty = ~jnp.any(following.carried.active)
        rewards = market.by_firm(flow.cash_flow)
        return following, jnp.where(period_ends, rewards, 0.0), is_empty, cut & ~is_empty

    def active_players(self, state: PlayState) -> Bool[Array, "player"]:
        """Mask of the firms that choose."""
        market = self.market
        groups = market.turns or market.stages
        number = self._turn(state) if market.turns else state.stage
        return put(_rows(groups, market.players))[number] & _active_firms(market, state.carried)

    def _turn(self, state: PlayState) -> Int[Array, ""]:
        """Return the period's number in the cycle of turns."""
        return (state.carried.period % len(self.market.turns)).astype(int)

    def observe(self, state: PlayState) -> Float[Array, "player feature"]:
        """Return each firm's observation, in the order of the description."""
        firms = self.market.players
        parts = [*OBSERVATIONS[self.observation](self.market, state.last), *self._states(state)]
        rows = [part if part.ndim == 2 else jnp.broadcast_to(part, (firms, part.size)) for part in parts]
        return jnp.concatenate(rows or [jnp.zeros((firms, 1))], axis=1)

    def _states(self, state: PlayState) -> list[Array]:
        """Return the observed states: rows for all firms, or columns of each firm's own."""
        market, carried = self.market, state.carried
        states = market.dynamics
        state_parts: list[Array] = []
        if states.adjustment != "none" or market.timing == "alternating":
            state_parts.append(carried.choice)
        if sum(map(len, market.turns)) > market.players:  # who moves next does not follow from who moves now
            state_parts.append(jax.nn.one_hot(self._turn(state), len(market.turns)))
        if market.shock is not None and market.shock.observed:
            state_parts.append(market.shock.levels[state.shock][None])
        if states.sticky:
            state_parts.append(carried.price[None])
        if states.cash:
            state_parts += [carried.active.astype(float), carried.cash[:, None]]
        if states.invest:
            state_parts.append(carried.capacity[:, None])
        if self.grows:
            state_parts.append(market_size(market, carried.period)[None])
        if len(market.stages) > 1:
            past_stages = jnp.arange(len(market.stages)) < state.stage
            has_chosen = jnp.any(put(_rows(market.stages, market.players)) & past_stages[:, None], axis=0)
            state_parts += [jnp.where(has_chosen[:, None], state.now, 0.0).ravel(), has_chosen.astype(float)]
        return state_parts

    def _inactive_choices(self, carried: PeriodState) -> Float[Array, "firm axis"]:
        """Return the choices of inactive firms: choices stay, nothing is invested."""
        inaction, market = jnp.zeros(self.space.shape), self.market
        stays = market.timing == "alternating" and market.dynamics.adjustment != "predetermined"
        return inaction.at[:, 0].set(carried.choice) if stays else inaction


oracles.active_players.register(MarketPlay)(MarketPlay.active_players)
oracles.present_players.register(MarketPlay)(lambda game, state: _active_firms(game.market, state.carried))


@oracles.observation_bounds.register(MarketPlay)
def _(game: MarketPlay) -> tuple[ndarray, ndarray]:
    """Return the extremes over stages, levels and turns, at both ends of what may be reached."""
    market, last = game.market, jnp.asarray(game.periods or jnp.inf)
    levels = 1 if market.shock is None else len(market.shock.levels)
    periods = [*map(jnp.asarray, range(len(market.turns) or 1)), last]
    cases: Any = list(product(range(len(market.stages)), range(levels), periods))

    def observations(carried: PeriodState, choices: Array, flow: Flow) -> ndarray:
        rows = [
            game.observe(PlayState(carried._replace(period=period), choices, stage, shock, flow))
            for stage, shock, period in cases
        ]
        return np.array(rows)

    lowest, largest = starmap(observations, _ranges(game, last))
    return lowest.min(axis=0), largest.max(axis=0)


def _ranges(game: MarketPlay, last: Array) -> Any:
    """Return both ends of states, choices and results until the period ``last``, those of cash unknown."""
    market, space, zeros = game.market, game.space, jnp.zeros(game.market.product_count)
    size = jnp.maximum(1.0, market_size(market, last))
    low, high = jnp.minimum(product_bounds(market)[0], 0.0), game.reach
    capacity = market.numbers["capacity"] + zeros
    if market.dynamics.invest:
        capacity += last * size * space.high[:, 1]
    q, p = _highest(market, low, high)
    lowest = PeriodState(low, zeros, jnp.min(low), zeros - jnp.inf, zeros > 0, last)
    largest = PeriodState(high, capacity, jnp.max(p), zeros + jnp.inf, zeros < 1, last)
    sold = jnp.minimum(q * size, capacity)
    return [
        (lowest, jnp.minimum(space.low, 0.0), Flow(zeros, low, zeros, zeros)),
        (largest, space.high, Flow(sold, p, zeros, zeros)),
    ]


def _highest(market: Market, low: Array, high: Array) -> tuple[Array, Array]:
    """Return the largest quantities per unit of market size and prices at choices in a range."""
    is_price = market.rule.choice == "price"
    levels = jnp.zeros(1)
    if market.shock is not None and market.shock.on != "unit_cost":
        levels = jnp.append(market.shock.levels, 0.0)
    if (formulas := market.rule.formulas) is not None:
        lowest = market.products.low[:, 0] if is_price else low
        top = largest_values(formulas, market.numbers, lowest, high, levels)
        return (top, high) if is_price else (high, top)
    # firms that remain sell more once another without cash has left
    if is_price and market.dynamics.cash:
        return high + jnp.inf, high
    # both fall in a firm's own choice, and rise or fall in all choices of others
    corners = jnp.stack([low, *jnp.where(jnp.eye(len(low), dtype=bool), low, high)])
    q, p = jax.vmap(lambda choices: market.clear(choices, jnp.max(levels)))(corners)
    return (q.max(axis=0), high) if is_price else (high, jnp.nanmax(p, axis=0))


def market_play(market: Market, periods: int | None = None, observation: str = "last_q") -> MarketPlay:
    """Return native play of a market, period by period.

    Parameters
    ----------
    market : Market
        A market with all its firms.
    periods : int, optional
        Number of periods after which play is truncated; by default never.
    observation : {"last_q", "last_p", "own_q_price", "price", "none"}
        The observation of the last period; see `MarketPlay`.

    Returns
    -------
    MarketPlay
        A game that environments, learners and `simulate` play.

    Raises
    ------
    ValueError
        For unknown words, ``price`` with several goods, and ``periods`` below 1.
    """
    if periods is not None:
        whole_number("periods", periods, 1)
    check_word("observation", observation, OBSERVATIONS)
    if observation == "price" and not market.rule.homogeneous:
        raise ValueError("observation: 'price' is that of one good; with several take 'last_p'")
    low, high = product_bounds(market)
    rule, dynamics, reach = market.rule, market.dynamics, high
    quantity_limit = np.ones_like(high)  # logit quantities are shares
    if rule.formulas is not None:
        quantity_limit = high
    elif rule.demand != "logit":
        quantity_limit = largest_choices(rule.demand, "quantity", market.numbers, market.shock)
    if dynamics.invest and rule.choice == "quantity":  # capacity may grow beyond the box
        reach = np.maximum(high, quantity_limit)
    ends = [(low - reach, reach - low) if dynamics.adjustment == "predetermined" else (low, reach)]
    if dynamics.invest:
        ends.append((-quantity_limit if dynamics.reversible else 0.0 * quantity_limit, quantity_limit))
    lowest, largest = (put(np.stack(edge, axis=1)) for edge in zip(*ends, strict=True))
    if not market.is_single:
        lowest, largest = market.in_rows(lowest[:, 0]), market.in_rows(largest[:, 0])
    grows = bool(np.asarray(market.numbers["growth"]) != 0)
    return MarketPlay(market, Box(lowest, largest), put(reach), periods, observation, grows)


def _active_firms(market: Market, carried: PeriodState) -> Bool[Array, "firm"]:
    """Mask of the firms that have not exited."""
    return market.by_firm(carried.active.astype(float)) > 0


def _rows(groups: STAGES, firms: int) -> ndarray:
    """Mask of the firms that choose in every stage or turn, ``[group firm]``."""
    return np.array([[firm in group for firm in range(firms)] for group in groups])


def _draw_level(probabilities: Float[Array, "level"], key: PRNGKeyArray) -> Int[Array, ""]:
    """Draw a level with these probabilities."""
    at = jnp.searchsorted(jnp.cumsum(probabilities), jax.random.uniform(key), side="right")
    # the probabilities may sum to less than a draw by rounding
    return jnp.minimum(at, probabilities.shape[0] - 1)


Policy = Callable[[Array, PRNGKeyArray], Array]


class MarketSimulation(NamedTuple):
    """Simulated runs of a market."""

    q: ndarray  # [run period product]: sold
    p: ndarray  # [run period product]
    profit: ndarray  # [run period product]: before tax and adjustment
    cash_flow: ndarray  # [run period firm]
    valuation: Valuation  # [run firm]: at the market's own gamma, convention and terminal value


def simulate(
    market: MarketGame,
    policy: object,
    periods: int,
    *,
    runs: int = 1,
    seed: int = 0,
    observation: str = "last_q",
) -> MarketSimulation:
    """Simulate a market under given policies.

    Parameters
    ----------
    market : Market, StagedMarket or ContingentMarket
        A market; for a staged one, the whole market is simulated.
    policy : array_like or callable
        The choices of all firms, ``[firm axis]`` or ``[period firm axis]`` in the space of `market_play`,
        or a function that JAX can trace, ``policy(observation [firm feature], key) -> [firm axis]``. In a
        market with stages it is called before every stage.
    periods : int
        Periods per run.
    runs : int
        Independent runs.
    seed : int
        Seed of the random numbers.
    observation : str
        As in `market_play`.

    Returns
    -------
    MarketSimulation
        Sales ``q``, prices ``p`` and ``profit`` ``[run period product]``, ``cash_flow`` ``[run period
        firm]``, and ``valuation`` ``[run firm]``.

    Raises
    ------
    ValueError
        For choices outside the space.

    Examples
    --------
    >>> import rivalry as rv
    >>> play = simulate(rv.games.market(gamma=[0.95, 0.8]), [[45.0], [22.5]], 3)
    >>> play.p[0, :, 0].tolist(), play.cash_flow[0, 0].tolist()
    ([32.5, 32.5, 32.5], [1012.5, 506.25])
    """
    full_market = whole_market(market)
    whole_number("runs", runs, 1)
    game = market_play(full_market, periods, observation)
    rule = policy if callable(policy) else None
    rows = np.zeros((periods, 0)) if callable(policy) else _choices_by_period(game, policy, periods)
    flows = _play(game, rule, put(rows), jax.random.split(jax.random.key(seed), runs))
    q, p, profit, by_product = map(np.asarray, flows)
    firms = full_market.places[0]
    cash_flow = by_product @ (firms[:, None] == np.arange(full_market.players))
    return MarketSimulation(q, p, profit, cash_flow, value_cash_flows(full_market, cash_flow))


def value_cash_flows(market: Market, cash_flows: ndarray) -> Valuation:
    """Return the valuation of ``cash_flows [.. period firm]`` by the firms of a market, ``[.. firm]``.

    It uses every firm's own discount factor, and the market's convention and terminal value.
    """
    gamma = np.asarray(market.numbers["gamma"])
    return valuation(np.moveaxis(cash_flows, -2, -1), gamma, **market.valuation_rule())


def _choices_by_period(game: MarketPlay, policy: object, periods: int) -> ndarray:
    """Return the choices of every period, ``[period firm axis]``. Raises `ValueError`."""
    choices = floats(policy)
    shape = (periods, *game.space.shape)
    if choices.ndim == 2:
        return np.broadcast_to(game.space.check(choices, "policy"), shape)
    if choices.ndim != 3 or len(choices) != periods:
        raise ValueError(f"policy: shape {choices.shape} must be {shape[1:]} or {shape}")
    return np.stack([game.space.check(row, f"policy, period {t}") for t, row in enumerate(choices)])


@compiled
def _play(game: MarketPlay, policy: Policy | None, rows: Float[Array, "period ..."], keys: Array) -> Flow:
    """Simulate all runs, each ``[run period firm]``."""

    def period(state: PlayState, inputs: tuple[Array, Any]) -> tuple[PlayState, Flow]:
        row, key = inputs
        for stage in range(len(game.market.stages)):
            # a key per stage: every decision draws its own random numbers
            choose, fall = jax.random.split(jax.random.fold_in(key, stage))
            x = row if policy is None else policy(game.observe(state), choose)
            state, *_ = game.step(state, x, fall)
        return state, state.last

    def run(key: PRNGKeyArray) -> Any:
        reset_key, period_key = jax.random.split(key)
        return jax.lax.scan(period, game.reset(reset_key), (rows, jax.random.split(period_key, len(rows))))[1]

    return jax.vmap(run)(keys)
