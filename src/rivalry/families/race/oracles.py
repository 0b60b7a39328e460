"""The oracles of races: best responses, bounds, metrics, closed forms, plot data, play over periods.

Play over periods includes the game at a state of technology, native play, and action grids for tables.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from numpy import ndarray

from rivalry.certificates.ascent import ascend
from rivalry.certificates.periods import scan_choices
from rivalry.core import oracles
from rivalry.core.oracles import Labels, Stages, labels
from rivalry.core.results import Record, scalar
from rivalry.core.space import Box, PerPlayer, Profile, Scalar
from rivalry.core.tree import static
from rivalry.families.race import bounds
from rivalry.families.race import rules as period
from rivalry.families.race.best import RaceState, best_response, compiled_response
from rivalry.families.race.factory import refusal
from rivalry.families.race.model import COMMON, STOCKS, Race, productivities
from rivalry.families.race.rules import Outcome
from rivalry.families.race.symmetric import profiles
from rivalry.proofs.spaces.logarithms import equilibrium_bounds, slopes_in_logs
from rivalry.runtime.jax import compiled, concrete_module, floats, jax, jnp, put, seldom
from rivalry.schema.registry import near


@oracles.payoff_scale.register(Race)
def _(game: Race) -> Scalar | Float[ndarray, ""] | float:
    """Return the largest prize plus the largest cost of a disaster, over the players."""
    names = ("prize", "loser_prize", "disaster_cost")
    xp = concrete_module(*(game.numbers[name] for name in names))
    prize, lost, cost = (xp.abs(xp.asarray(game.numbers[name])) for name in names)
    return xp.maximum(xp.max(xp.maximum(prize, lost)) + xp.max(cost), 1e-300)


@oracles.discontinuity.register(Race)
def _(game: Race) -> str:
    if game.rules.contest is period.Best:
        return "contest = 'best'"
    # at any safety, since all that is asked is whether there is a threshold
    threshold = jax.eval_shape(game.rules.cost.required, np.zeros(game.players), game.numbers_at(0))
    return f"cost = {period.rule_name(game.rules.cost)!r}" if threshold is not None else ""


@oracles.labels.register(Race)
def _(game: Race) -> Labels:
    """Return the columns of one period, with the period's number behind where there are several."""
    if game.periods == 1:
        return Labels(axes=game.columns)
    return Labels(axes=tuple(f"{column} {t}" for t in range(game.periods) for column in game.columns))


@oracles.named_start.register(Race)
def _(game: Race, name: str) -> Profile:
    """Return ``moderate``: every effort 1, nothing invested or shared."""
    if name != "moderate":
        raise ValueError(f"start: {name!r} is no named start; {near(name, ['moderate'])}")
    rows = np.zeros((game.periods, game.players, len(game.columns)))
    rows[..., :2] = 1.0
    return game.profile(rows)


@oracles.exchangeable.register(Race)
def _(game: Race) -> ndarray:
    """Return equal numbers for players with the same parameters in every period."""
    if game.rules.custom or game.transition is not None or game.damage == "pair":
        return np.arange(game.players)  # a custom function, or a matrix of costs, may tell players apart
    problem = [np.asarray(value) for name, value in game.numbers.items() if name not in COMMON]
    problem += [np.asarray(game.weights), np.asarray(game.ahead)]
    problem += [np.zeros(game.players) if game.gamma is None else np.asarray(game.gamma)]
    rows = np.concatenate([np.reshape(part, (-1, game.players)) for part in problem]).T
    return oracles.first_equal(rows)


@oracles.gradients.register(Race)
@compiled  # traced once, although the analysis of an end needs gradients three times
def _(game: Race, x: Profile) -> Profile:
    """Return every player's own gradient by one reverse sweep through all payoffs."""
    _, pull = jax.vjp(game.payoffs, x)
    gradients = jax.vmap(lambda unit: pull(unit)[0])(jnp.eye(game.players))
    rows = jnp.arange(game.players)
    return gradients[rows, rows]


oracles.validate_parameter.register(Race)(lambda game, name, value: refusal(name, value))
oracles.best_response.register(Race)(best_response)
oracles.compiled_response.register(Race)(lambda game, x, player: compiled_response(game, x, put(player)))
oracles.closed_form.register(Race)(profiles)
slopes_in_logs.register(Race, when=bounds.has_slopes_in_logs)(bounds.slopes_in_logs)
equilibrium_bounds.register(Race, when=lambda race: len(race.columns) == 2)(bounds.equilibrium_bounds)


# --- metrics ------------------------------------------------------------------------------------------------


@oracles.metrics.register(Race)
def metrics(race: Race, x: Profile) -> Record:
    """Return the arrays that are stored with every result.

    Per player: the inputs, ``performance``, ``technology_safety`` (sigma, the probability that the own
    technology is safe), ``win_probability`` (q), ``p_safe_given_win`` (S, the probability of no disaster if
    this player wins) and ``cost``. In all: ``p_safe``, ``p_disaster``, ``p_no_winner`` and ``revenue``:
    taxes, fines and expected liabilities less subsidies.

    Over several periods the arrays per player have the period in front, with ``period_payoff`` (period,
    player), ``period_p_safe`` and so on (period), the paths ``safety_stock`` and ``performance_stock``
    (stage, player) of A and B, and ``alive`` (stage), the probability that a period is reached; ``p_safe``
    and so on are then means over periods with these weights. ``p_safe_last_win`` is the probability that the
    win that ends the race is safe. An infinite horizon has ``period_win_probability``, that of a win in a
    period, and ``expected_periods``.
    """
    record = {name: (dims, np.asarray(array)) for name, dims, array in _compute(race, x)}
    return record | {"identified": (("player", "axis"), _where_relevant(race, record))}


@oracles.traced_metrics.register(Race)
def traced_metrics(race: Race, x: Profile) -> oracles.Traced:
    """Return the same as arrays that JAX can trace, without ``identified``."""
    outcome, paid, stocks = race.periodic(x)
    survival = jnp.append(1.0, jnp.cumprod(race.p_continue(outcome)[:, 0]))
    p_reached = survival[:-1]
    total = jnp.maximum(jnp.sum(p_reached), 1e-300)
    rows, has_periods = race.schedule(x), race.periods > 1
    by_player = {name: rows[..., k] for k, name in enumerate(race.columns)}
    by_player |= {"performance": jnp.exp(outcome.log_p), "technology_safety": outcome.sigma}
    by_player |= {"win_probability": outcome.q, "p_safe_given_win": outcome.S}
    by_player["cost"] = outcome.cost + outcome.u - paid  # investment and sharing included
    safe, p_nobody = outcome.safe[:, 0], outcome.nobody[:, 0]
    sums = {"p_safe": safe, "p_disaster": outcome.disaster[:, 0], "p_no_winner": p_nobody}
    means = {name: jnp.sum(p_reached * array) / total for name, array in sums.items()}
    means["revenue"] = jnp.sum(p_reached * _revenue(race, rows, outcome)) / total
    dims = ("period", "player") if has_periods else ("player",)
    record: oracles.Traced
    record = {name: (dims, array if has_periods else array[0]) for name, array in by_player.items()}
    record |= {name: ((), mean) for name, mean in means.items()}
    if has_periods:
        record["period_payoff"] = ("period", "player"), paid
        record |= {f"period_{name}": (("period",), array) for name, array in sums.items()}
        record["alive"] = ("stage",), survival
        record["safety_stock"] = ("stage", "player"), stocks[:, 0]
        record["performance_stock"] = ("stage", "player"), stocks[:, 1]
    if race.end_on == "win" and (has_periods or race.infinite_horizon):
        wins = jnp.sum(p_reached * (1 - p_nobody))
        safe_at_win = jnp.sum(p_reached * safe) / jnp.where(wins > 0, wins, 1.0)
        record["p_safe_last_win"] = (), safe_at_win
        if race.infinite_horizon:
            p_win = 1 - p_nobody[0]
            record |= {"period_win_probability": ((), p_win), "expected_periods": ((), 1 / p_win)}
    return record


@seldom
def _compute(race: Race, x: Profile) -> tuple[tuple[str, tuple[str, ...], Array], ...]:
    # no table: a compiled program sorts its keys
    return tuple((name, *entry) for name, entry in traced_metrics(race, x).items())


def _revenue(race: Race, rows: Array, outcome: Outcome) -> Array:
    """Return taxes, fines and expected liabilities less subsidies, ``[period]``."""
    numbers = race.numbers
    tax, subsidy = numbers.get("performance_tax", 0.0), numbers.get("safety_subsidy", 0.0)
    paid = tax * rows[..., 1] - subsidy * rows[..., 0]
    if race.rules.cost is period.Penalty:  # what is not the price of inputs
        paid = paid + outcome.cost - numbers["price"] * (rows[..., 0] + rows[..., 1])
    return jnp.sum(paid + numbers["liability"] * outcome.q * (1 - outcome.S), axis=1)


def _where_relevant(race: Race, record: Record) -> ndarray:
    """Return False where a coordinate cannot matter and is not compared, ``[player axis]``.

    Such are inputs of periods that are never reached or have no weight, sharing without a lead, and sharing
    in the last period where it is free.
    """
    periods, players = race.periods, race.players
    matters = np.ones((periods, players, len(race.columns)), dtype=bool)
    if periods > 1:
        matters &= (record["alive"][1][:-1] > 0)[:, None, None]
    matters &= (np.asarray(race.weights) > 0)[:, :, None]
    for k, column in enumerate(race.columns[4:], start=4):
        leads = np.zeros((periods, players), dtype=bool)
        if periods > 1:  # what is shared in the last period comes too late
            level = record[column.replace("sharing", "stock")][1][:-2]
            leads[:-1] = level > level.min(axis=1, keepdims=True)
        matters[..., k] &= leads | (np.asarray(race.numbers[f"{column}_price"]) > 0)
    return np.moveaxis(matters, 1, 0).reshape(players, -1)


# --- plot data ----------------------------------------------------------------------------------------------


LANDSCAPE, POINTS, AMOUNTS = 61, 121, 25  # levels of an input on each axis
SHOWN = 1e3  # inputs are shown from a thousandth of the largest at the profile to a thousand times it


@oracles.plot_data.register(Race)
def _(game: Race) -> oracles.PlotData:
    """Return the landscape of payoffs; responses of two players only, deviations with investment only."""
    makers: dict[str, Callable[[Race, Profile], Record]] = {"payoff_landscape": _landscape}
    if game.players == 2:
        makers["reaction"] = _reaction
    if len(game.columns) > 2 and game.transition is None:
        makers["deviation"] = _deviation
    return {name: partial(compute, game) for name, compute in makers.items()}


def _line(race: Race, x: Profile, column: int, points: int) -> ndarray:
    """Return inputs around those of the first period, evenly in logarithms."""
    top = float(np.max(floats(x).reshape(race.players, race.periods, -1)[:, 0, column]))
    top = top if top > 0 else 1.0
    return np.exp(np.linspace(np.log(top / SHOWN), np.log(top * SHOWN), points))


def _landscape(race: Race, x: Profile) -> Record:
    """Return own payoffs by both own inputs of the first period, the rest of the profile being fixed."""
    xs, xp = (_line(race, x, column, LANDSCAPE) for column in (0, 1))
    responses = [np.asarray(compiled_response(race, x, put(player))[0]) for player in range(race.players)]
    return {
        "landscape_payoff": (
            ("player", "safety_level", "performance_level"),
            np.asarray(_payoffs(race, x, xs, xp)),
        ),
        "landscape_safety_input": (("safety_level",), xs),
        "landscape_performance_input": (("performance_level",), xp),
        "landscape_best": (("player", "axis"), np.stack(responses)),
    }


@seldom
def _payoffs(
    race: Race, x: Profile, xs: Array, xp: Array
) -> Float[Array, "player safety_level performance_level"]:
    def payoff_at(player: Array, a: Array, b: Array) -> Array:
        return race.payoffs(x.at[player, 0].set(a).at[player, 1].set(b))[player]

    payoff_grid = jax.vmap(jax.vmap(payoff_at, (None, None, 0)), (None, 0, None))
    return jax.vmap(payoff_grid, (0, None, None))(jnp.arange(race.players), xs, xp)


def _reaction(race: Race, x: Profile) -> Record:
    """Return the best performance input of the first period against the rival's, all else being fixed."""
    line = _line(race, x, 1, POINTS)
    return {
        "reaction": (("duellist", "grid_point"), np.asarray(_responses(race, x, line))),
        "reaction_at": (("duellist", "grid_point"), np.stack([line, line])),
        "reaction_here": (("duellist",), np.asarray(x)[:, 1]),
        "reaction_player": (("duellist",), np.arange(2)),
        "reaction_column": scalar(labels(race).axes[1]),
    }


@seldom
def _responses(race: Race, x: Profile, line: Array) -> Float[Array, "player place"]:
    logs = jnp.linspace(jnp.log(line[0]), jnp.log(line[-1]), 8 * POINTS)

    def response(player: Array, rival: Array) -> Array:
        profile = x.at[1 - player, 1].set(rival)

        def paid(performance: Array) -> Array:
            return race.payoffs(profile.at[player, 1].set(performance))[player]

        payoffs = jax.vmap(paid)(jnp.exp(logs))
        index = jnp.argmax(payoffs)
        k = jnp.clip(index, 1, len(logs) - 2)
        low, middle, high = payoffs[k - 1], payoffs[k], payoffs[k + 1]
        bend = low - 2 * middle + high
        part = jnp.where((index == k) & (bend < 0), (low - high) / jnp.where(bend < 0, 2 * bend, 1.0), 0.0)
        peak = jnp.exp(logs[index] + part * (logs[1] - logs[0]))  # of the parabola through three points
        return jnp.where(paid(jnp.zeros(())) >= payoffs[index], 0.0, peak)

    return jax.vmap(lambda player: jax.lax.map(partial(response, player), line))(jnp.arange(2))


def _deviation(race: Race, x: Profile) -> Record:
    """Return the gain from another first investment in B, with the best inputs of every period."""
    amount_now = np.asarray(race.schedule(x))[0, :, 3]
    top = np.maximum(3 * amount_now, 10 * np.asarray(race.numbers_at(0)["performance_productivity"]))
    amounts = np.stack([np.append(0.0, np.geomspace(largest / 1e3, largest, AMOUNTS - 1)) for largest in top])
    paid = np.asarray(_with_investment(race, x, amounts))
    return {
        "deviation_gain": (("player", "level"), paid - np.asarray(race.payoffs(x))[:, None]),
        "deviation_at": (("player", "level"), amounts),
        "deviation_here": (("player",), amount_now),
        "deviation_column": scalar(labels(race).axes[3]),
    }


@seldom
def _with_investment(
    race: Race, x: Profile, amounts: Float[Array, "player level"]
) -> Float[Array, "player level"]:
    rows, columns = race.schedule(x), len(race.columns)

    def payoff_with(player: Array, amount: Array, invests_later: Array) -> Array:
        without_later = jnp.where(invests_later, rows, rows.at[:, player, 2:4].set(0.0))
        profile = race.profile(without_later.at[0, player, 3].set(amount))
        ends = (end.at[player, 3].set(amount) for end in (race.space.low, race.space.high))
        space = eqx.tree_at(lambda box: (box.low, box.high), race.space, tuple(ends))
        fixed: Race = eqx.tree_at(lambda r: r.space, race, space)
        schedule = space.unconstrain(profile)[player].reshape(race.periods, columns)
        schedule = scan_choices(fixed, profile, player, schedule, range(2, columns))
        return ascend(fixed, profile, player, schedule.ravel())[1]

    def response_payoff(player: Array, amount: Array) -> Array:
        return jnp.max(
            jax.lax.map(
                lambda invests_later: payoff_with(player, amount, invests_later), jnp.array([True, False])
            )
        )

    players = jnp.arange(race.players)
    return jax.vmap(lambda player, row: jax.lax.map(partial(response_payoff, player), row))(players, amounts)


# --- play over periods ------------------------------------------------------------------------------------


oracles.discount_factors.register(Race, when=lambda game: game.infinite_horizon)(lambda game: game.gamma)


@oracles.to_stages.register(Race)
def _(game: Race) -> Stages:
    space, weights = game.period_space, game.weights
    return Stages(
        game.periods, space, weights, game.infinite_horizon, game.coupled, all_reached=game.end_on == "none"
    )


oracles.initial_state.register(Race)(Race.initial_state)
oracles.transition.register(Race)(Race.play_period)
oracles.stage_game.register(Race)(Race.stage)

SMALLEST_STOCK = 1e-12  # stocks are observed as logarithms, smaller ones as this one
# Spending on either input, as a fraction of the prize: at the default prices 0.09 to 4.95, and 0.05 to 2.72.
SPENT = {
    "safety_input": (np.exp(-2.4) / 10, np.exp(1.6) / 10),
    "performance_input": (np.exp(-3.0) / 10, np.exp(1.0) / 10),
}
INVESTMENT = 0.05  # of the prize
GIVEN = {"fraction": 1.0, "rate": 3.0}


@oracles.state_bounds.register(Race)
def _(race: Race, t: int) -> tuple[ndarray, ndarray]:
    """Return the smallest and the largest A and B at the start of period ``t``, ``[stock player]`` each."""
    start = np.asarray(race.initial_state())
    low, high = start.copy(), start.copy()
    bounds = np.asarray(race.period_space.high)
    for k in range(t) if len(start) else ():
        remaining = 1 - np.stack([np.asarray(race.numbers_at(k)[loss]) for _, loss in STOCKS])
        low = remaining * low
        before = high
        high = remaining * high + bounds[:, 2:4].T
        if len(race.columns) > 4:
            lead = np.maximum(before[:, None, :] - low[:, :, None], 0.0)
            # at most all of every lead is shared
            high = high + (lead.sum(axis=-1) if race.spillover == "sum" else lead.max(axis=-1))
    return low, high


@oracles.state_game.register(Race)
def _(game: Race, t: int | Array, state: Float[Array, "stock player"], ahead: object) -> RaceState:
    return RaceState(game, jnp.asarray(t), state, ahead)


class RacePlayState(NamedTuple):
    """The next period, and the technology in it; empty where technology never changes."""

    period: Int[Array, ""]
    state: Float[Array, "stock player"]


class RacePlay(eqx.Module):
    """A race played period by period; a `MarkovGame`. Made by `rivalry.oracles.to_markov`.

    A reward is the payoff of a period before the winner is known; whether play continues is random. A win (an
    unsafe win, where ``end_on`` says so) and the last period end play; an infinite horizon is truncated after
    ``periods``. All players observe the period, ``ln A`` and ``ln B`` of all.
    """

    race: Race
    periods: int | None = static(default=None)

    @property
    def space(self) -> Box:
        """Return the inputs of one period."""
        return self.race.period_space

    def reset(self, key: PRNGKeyArray) -> RacePlayState:
        """Return the first period; nothing is random in it."""
        state = jnp.zeros((0, self.race.players)) if self.race.infinite_horizon else self.race.initial_state()
        return RacePlayState(jnp.asarray(0), state)

    def step(
        self, state: RacePlayState, x: Profile, key: PRNGKeyArray
    ) -> tuple[RacePlayState, PerPlayer, Bool[Array, ""], Bool[Array, ""]]:
        t = jnp.asarray(0) if self.race.infinite_horizon else state.period
        paid, p_continue, next_state = self.race.play_period(t, state.state, x)
        # draws are below 1: where the probability is 1, play never ends
        over = jax.random.uniform(key) >= p_continue
        following = RacePlayState(state.period + 1, next_state)
        if self.race.infinite_horizon:
            cut = jnp.asarray(False) if self.periods is None else following.period >= self.periods
            return following, paid, over, cut & ~over
        return following, paid, over | (following.period >= self.race.periods), jnp.asarray(False)

    def observe(self, state: RacePlayState) -> Float[Array, "player feature"]:
        """Return the period, then ``ln A`` of all players, then ``ln B``."""
        race = self.race
        t = jnp.asarray(0) if race.infinite_horizon else jnp.minimum(state.period, race.periods - 1)
        numbers = race.numbers_at(t)
        stocks = state.state if state.state.size else productivities(numbers)
        logs = jnp.log(jnp.maximum(stocks, SMALLEST_STOCK)).ravel()
        observation = jnp.append(state.period.astype(float), logs)
        return jnp.broadcast_to(observation, (race.players, observation.size))


oracles.to_markov.register(Race)(RacePlay)


@oracles.observation_bounds.register(RacePlay)
def _(play: RacePlay) -> tuple[Array, Array]:
    race, columns = play.race, len(play.race.columns)
    last = play.periods if race.infinite_horizon else race.periods
    if columns > 2:
        stocks = np.array([oracles.state_bounds(race, t) for t in range(race.periods + 1)])
    else:
        stocks = np.array([2 * [productivities(race.numbers_at(t))] for t in range(race.periods)])
    low, high = jnp.asarray(stocks[:, 0].min(axis=0)), jnp.asarray(stocks[:, 1].max(axis=0))
    end = jnp.asarray(np.inf if last is None else last)
    return play.observe(RacePlayState(jnp.asarray(0), low)), play.observe(RacePlayState(end, high))


@oracles.action_levels.register(Race)
def levels(race: Race, count: int) -> list[dict[str, Any]]:
    """Return ``count`` levels of either input, evenly spaced in logarithms, in the form that tables take.

    Their costs range from 0.9 % (safety) and 0.5 % (performance) of the prize to 50 % and 27 %, at the first
    period's prices; investments are 0 or 5 % of the prize, sharing is nothing or all (a rate: 3).

    Examples
    --------
    >>> import rivalry as rv
    >>> grid = levels(rv.games.race(), 9)
    >>> [[round(float(table[end][0]), 6) for end in ("from", "to")] for table in grid]
    [[0.090718, 4.953032], [0.049787, 2.718282]]
    """
    numbers = {name: floats(value) for name, value in race.numbers_at(0).items()}
    stake = np.maximum(np.abs(numbers["prize"]), 1e-12)
    levels_of_period: list[dict[str, Any]] = []
    for column in race.columns:
        if column in SPENT:
            price = numbers["price"] if "price" in numbers else numbers[column.replace("input", "price")]
            unit = stake / np.where(price > 0, price, 0.1)
            low, high = SPENT[column]
            levels_of_period.append({"kind": "log", "from": low * unit, "to": high * unit, "count": count})
        elif column.endswith("investment"):
            price = numbers[f"{column}_price"]
            largest = float(np.max(INVESTMENT * stake / np.where(price > 0, price, 0.01)))
            levels_of_period.append({"kind": "levels", "levels": [0.0, largest]})
        else:
            levels_of_period.append({"kind": "levels", "levels": [0.0, GIVEN[race.sharing_unit]]})
    return levels_of_period * race.periods
