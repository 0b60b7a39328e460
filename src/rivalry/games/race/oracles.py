"""The oracles of races: best responses, bounds, metrics, closed forms, plot data, play over periods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import Labels, Stages, labels
from rivalry.core.registry import near
from rivalry.core.results import Record
from rivalry.core.space import Profile
from rivalry.games.race import period
from rivalry.games.race.closed_forms import profiles
from rivalry.games.race.keys import refusal
from rivalry.games.race.model import ALONE, Race
from rivalry.games.race.period import BUILT_IN, Outcome
from rivalry.games.race.proved_response import proved_response
from rivalry.games.race.schedule_response import best_response, compiled_response, efforts
from rivalry.games.race.state_game import RacePlay, RaceState, levels, state_bounds
from rivalry.games.race.static_response import THRESHOLDS, known


@oracles.payoff_scale.register(Race)
def _(game: Race) -> Float[Array, ""]:
    """Return the largest prize plus the largest cost of a disaster, over the players."""
    numbers = game.numbers
    prize = jnp.maximum(jnp.abs(numbers["prize"]), jnp.abs(numbers["loser_prize"]))
    return jnp.maximum(jnp.max(prize) + jnp.max(jnp.abs(numbers["disaster_cost"])), 1e-300)


@oracles.discontinuity.register(Race)
def _(game: Race) -> str:
    if game.rules.contest is period.best:
        return "contest = 'best'"
    cost = game.rules.cost
    return f"cost = {period.name_of(cost)!r}" if cost in THRESHOLDS else ""


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
    rows = jnp.zeros((game.periods, game.players, len(game.columns))).at[..., :2].set(1.0)
    return game.profile(rows)


@oracles.exchangeable.register(Race)
def _(game: Race) -> np.ndarray:
    """Return equal numbers for players with the same parameters in every period."""
    rules = game.rules
    built_in = BUILT_IN.issuperset((rules.production, rules.contest, rules.risk, rules.cost))
    if not (built_in and game.transition is None and game.damage == "victim"):
        return np.arange(game.players)  # a custom function, or a matrix of costs, may tell players apart
    own = [np.asarray(value) for name, value in game.numbers.items() if name not in ALONE]
    own += [np.asarray(game.weights), np.asarray(game.ahead)]
    own += [np.zeros(game.players) if game.gamma is None else np.asarray(game.gamma)]
    rows = np.concatenate([np.reshape(part, (-1, game.players)) for part in own]).T
    return np.array([np.flatnonzero((rows == row).all(axis=1))[0] for row in rows])


@oracles.gradients.register(Race)
def _(game: Race, x: Profile) -> Profile:
    """Return every player's own gradient by one reverse sweep through all payoffs."""
    _, pull = jax.vjp(game.payoffs, x)
    each = jax.vmap(lambda unit: pull(unit)[0])(jnp.eye(game.players))
    rows = jnp.arange(game.players)
    own: Profile = each[rows, rows]
    return own


oracles.validate_parameter.register(Race)(lambda game, name, value: refusal(name, value))
oracles.best_response.register(Race)(best_response)
oracles.proved_response.register(Race)(proved_response)
oracles.closed_form.register(Race)(profiles)


# Play over periods.


oracles.discount_factors.register(Race, when=lambda game: game.infinite_horizon)(lambda game: game.gamma)


@oracles.to_stages.register(Race)
def _(game: Race) -> Stages:
    return Stages(
        periods=game.periods,
        space=game.period_space,
        weights=game.weights,
        infinite_horizon=game.infinite_horizon,
        coupled=game.coupled,
    )


oracles.initial_state.register(Race)(Race.initial_state)
oracles.transition.register(Race)(Race.play_period)
oracles.stage_game.register(Race)(Race.stage)
oracles.state_bounds.register(Race)(state_bounds)
oracles.action_levels.register(Race)(levels)
oracles.to_markov.register(Race)(RacePlay)


@oracles.state_game.register(Race)
def _(game: Race, t: int | Array, state: Float[Array, "stock player"], ahead: Any) -> RaceState:
    return RaceState(game, jnp.asarray(t), state, ahead)


# --- metrics ------------------------------------------------------------------------------------------------


@oracles.metrics.register(Race)
def metrics(race: Race, x: Profile) -> Record:
    """Return the arrays that are stored with every result.

    Per player: the inputs, ``performance``, ``technology_safety`` (sigma, the probability that the own
    technology is safe), ``win_probability`` (q), ``p_safe_given_win`` (S, the probability of no disaster if
    this player wins) and ``cost``. In all: ``p_safe``, ``p_disaster``, ``p_no_winner`` and ``revenue``, taxes
    and expected liabilities less subsidies.

    Over several periods the arrays per player have the period in front, with ``period_payoff`` (period,
    player), ``period_p_safe`` and so on (period), the paths ``safety_stock`` and ``performance_stock``
    (stage, player) of A and B, and ``alive`` (stage), the probability that a period is reached; ``p_safe``
    and so on are then means over periods with these weights. ``p_safe_last_win`` is the probability that the
    win that ends the race is safe. An infinite horizon has ``period_win_probability``, that of a win in a
    period, and ``expected_periods``.
    """
    found = {name: (dims, np.asarray(array)) for name, dims, array in _compiled(race, x)}
    return found | {"identified": (("player", "axis"), _identified(race, found))}


@oracles.traced_metrics.register(Race)
def traced_metrics(race: Race, x: Profile) -> dict[str, tuple[tuple[str, ...], Array]]:
    """Return the same as arrays that JAX can trace, without ``identified``."""
    outcome, paid, stocks = race.periodic(x)
    alive = jnp.append(1.0, jnp.cumprod(race.p_continue(outcome)))
    reached = alive[:-1]
    total = jnp.maximum(jnp.sum(reached), 1e-300)
    rows, several = race.schedule(x), race.periods > 1
    by_player = {name: rows[..., k] for k, name in enumerate(race.columns)}
    by_player |= {"performance": jnp.exp(outcome.log_p), "technology_safety": outcome.sigma}
    by_player |= {"win_probability": outcome.q, "p_safe_given_win": outcome.S}
    by_player["cost"] = outcome.cost + outcome.u - paid
    sums = {"p_safe": outcome.safe, "p_disaster": outcome.disaster, "p_no_winner": outcome.nobody}
    means = {name: jnp.sum(reached * array) / total for name, array in sums.items()}
    means["revenue"] = jnp.sum(reached * _revenue(race, rows, outcome)) / total
    found: dict[str, tuple[tuple[str, ...], Array]]
    if not several:
        found = {name: (("player",), array[0]) for name, array in by_player.items()}
    else:
        found = {name: (("period", "player"), array) for name, array in by_player.items()}
    found |= {name: ((), mean) for name, mean in means.items()}
    if several:
        found["period_payoff"] = ("period", "player"), paid
        found |= {f"period_{name}": (("period",), array) for name, array in sums.items()}
        found["alive"] = ("stage",), alive
        found["safety_stock"] = ("stage", "player"), stocks[:, 0]
        found["performance_stock"] = ("stage", "player"), stocks[:, 1]
    if race.end_on == "win" and (several or race.infinite_horizon):
        wins = jnp.sum(reached * (1 - outcome.nobody))
        last = jnp.sum(reached * outcome.safe) / jnp.where(wins > 0, wins, 1.0)
        found["p_safe_last_win"] = (), last
        if race.infinite_horizon:
            p_win = 1 - outcome.nobody[0]
            found |= {"period_win_probability": ((), p_win), "expected_periods": ((), 1 / p_win)}
    return found


@eqx.filter_jit
def _compiled(race: Race, x: Profile) -> tuple[tuple[str, tuple[str, ...], Array], ...]:
    # no table: a compiled program sorts its keys
    return tuple((name, *entry) for name, entry in traced_metrics(race, x).items())


def _revenue(race: Race, rows: Array, outcome: Outcome) -> Array:
    """Return taxes and expected liabilities less subsidies, ``[period]``."""
    numbers = race.numbers
    inputs = numbers["performance_tax"] * rows[..., 1] - numbers["safety_subsidy"] * rows[..., 0]
    return jnp.sum(inputs + numbers["liability"] * outcome.q * (1 - outcome.S), axis=1)


def _identified(race: Race, found: Record) -> np.ndarray:
    """Return False where a coordinate cannot matter and is not compared, ``[player axis]``.

    Such are inputs of periods that are never reached or have no weight, sharing without a lead, and sharing
    in the last period where it is free.
    """
    periods, players = race.periods, race.players
    matters = np.ones((periods, players, len(race.columns)), dtype=bool)
    if periods > 1:
        matters &= (found["alive"][1][:-1] > 0)[:, None, None]
    matters &= (np.asarray(race.weights) > 0)[:, :, None]
    for k, column in enumerate(race.columns[4:], start=4):
        leads = np.zeros((periods, players), dtype=bool)
        if periods > 1:  # what is shared in the last period comes too late
            level = found[column.replace("sharing", "stock")][1][:-2]
            leads[:-1] = level > level.min(axis=1, keepdims=True)
        matters[..., k] &= leads | (np.asarray(race.numbers[f"{column}_price"]) > 0)
    return np.asarray(np.moveaxis(matters, 1, 0).reshape(players, -1))


# --- plot data ----------------------------------------------------------------------------------------------


SIDE, POINTS, AMOUNTS = 61, 121, 25
NEAR = 1e3  # inputs are shown from a thousandth of the largest at the profile to a thousand times it


@oracles.plot_data.register(Race)
def _(game: Race) -> Mapping[str, Callable[[Profile], Record]]:
    """Return the landscape of payoffs; responses of two players only, deviations with investment only."""
    found: dict[str, Callable[[Race, Profile], Record]] = {"payoff_landscape": _landscape}
    if game.players == 2:
        found["reaction"] = _reaction
    if len(game.columns) > 2 and game.transition is None and known(game):
        found["deviation"] = _deviation
    return {name: partial(compute, game) for name, compute in found.items()}


def _line(race: Race, x: Profile, column: int, points: int) -> np.ndarray:
    """Return inputs around those of the first period, evenly in logarithms."""
    top = float(np.max(np.asarray(race.schedule(x))[0, :, column]))
    top = top if top > 0 else 1.0
    return np.exp(np.linspace(np.log(top / NEAR), np.log(top * NEAR), points))


def _landscape(race: Race, x: Profile) -> Record:
    """Return own payoffs by both own inputs of the first period, the rest of the profile being fixed."""
    xs, xp = (_line(race, x, column, SIDE) for column in (0, 1))
    best = [np.asarray(compiled_response(race, x, jnp.asarray(player))[0]) for player in range(race.players)]
    return {
        "landscape_payoff": (
            ("player", "safety_level", "performance_level"),
            np.asarray(_payoffs(race, x, jnp.asarray(xs), jnp.asarray(xp))),
        ),
        "landscape_safety_input": (("safety_level",), xs),
        "landscape_performance_input": (("performance_level",), xp),
        "landscape_best": (("player", "axis"), np.stack(best)),
    }


@eqx.filter_jit
def _payoffs(
    race: Race, x: Profile, xs: Array, xp: Array
) -> Float[Array, "player safety_level performance_level"]:
    def one(player: Array, a: Array, b: Array) -> Array:
        return race.payoffs(x.at[player, 0].set(a).at[player, 1].set(b))[player]

    across = jax.vmap(jax.vmap(one, (None, None, 0)), (None, 0, None))
    return jax.vmap(across, (0, None, None))(jnp.arange(race.players), xs, xp)


def _reaction(race: Race, x: Profile) -> Record:
    """Return the best performance input of the first period against the rival's, all else being fixed."""
    line = _line(race, x, 1, POINTS)
    return {
        "reaction": (("duellist", "place"), np.asarray(_responses(race, x, jnp.asarray(line)))),
        "reaction_at": (("duellist", "place"), np.stack([line, line])),
        "reaction_here": (("duellist",), np.asarray(x)[:, 1]),
        "reaction_player": (("duellist",), np.arange(2)),
        "reaction_column": ((), np.asarray(labels(race).axes[1])),
    }


@eqx.filter_jit
def _responses(race: Race, x: Profile, line: Array) -> Float[Array, "player place"]:
    logs = jnp.linspace(jnp.log(line[0]), jnp.log(line[-1]), 8 * POINTS)

    def response(player: Array, rival: Array) -> Array:
        there = x.at[1 - player, 1].set(rival)

        def paid(own: Array) -> Array:
            return race.payoffs(there.at[player, 1].set(own))[player]

        worth = jax.vmap(paid)(jnp.exp(logs))
        best = jnp.argmax(worth)
        k = jnp.clip(best, 1, len(logs) - 2)
        low, middle, high = worth[k - 1], worth[k], worth[k + 1]
        bend = low - 2 * middle + high
        part = jnp.where((best == k) & (bend < 0), (low - high) / jnp.where(bend < 0, 2 * bend, 1.0), 0.0)
        peak = jnp.exp(logs[best] + part * (logs[1] - logs[0]))  # of the parabola through three points
        return jnp.where(paid(jnp.zeros(())) >= worth[best], 0.0, peak)

    found: Array = jax.vmap(lambda player: jax.lax.map(partial(response, player), line))(jnp.arange(2))
    return found


def _deviation(race: Race, x: Profile) -> Record:
    """Return the gain from another first investment in B, with the best inputs of every period."""
    here = np.asarray(race.schedule(x))[0, :, 3]
    top = np.maximum(3 * here, 10 * np.asarray(race.numbers_at(0)["performance_productivity"]))
    amounts = np.stack([np.append(0.0, np.geomspace(most / 1e3, most, AMOUNTS - 1)) for most in top])
    paid = np.asarray(_invested(race, x, jnp.asarray(amounts)))
    return {
        "deviation_gain": (("player", "level"), paid - np.asarray(race.payoffs(x))[:, None]),
        "deviation_at": (("player", "level"), amounts),
        "deviation_here": (("player",), here),
        "deviation_column": ((), np.asarray(labels(race).axes[3])),
    }


@eqx.filter_jit
def _invested(race: Race, x: Profile, amounts: Float[Array, "player level"]) -> Float[Array, "player level"]:
    rows = race.schedule(x)

    def one(player: Array, amount: Array, later: Array) -> Array:
        others = jnp.where(later, rows, rows.at[:, player, 2:4].set(0.0))
        there = race.profile(others.at[0, player, 3].set(amount))
        return race.payoffs(there.at[player].set(efforts(race, there, player)))[player]

    def best(player: Array, amount: Array) -> Array:
        return jnp.max(jax.lax.map(lambda later: one(player, amount, later), jnp.array([True, False])))

    players = jnp.arange(race.players)
    found: Array = jax.vmap(lambda player, row: jax.lax.map(partial(best, player), row))(players, amounts)
    return found
