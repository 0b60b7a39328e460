"""Registered properties of markets beyond their space and payoffs; see `rivalry.core.oracles`."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.certificates.deviations import best_response, searching
from rivalry.core import oracles
from rivalry.core.captured_variables import known_of_game
from rivalry.core.dispatch import forward
from rivalry.core.results import COVERAGES, Record, scalar
from rivalry.core.space import Profile
from rivalry.families.market import equilibria, tables
from rivalry.families.market.benchmarks import benchmarks, certified, critical_discount, gain_bounds
from rivalry.families.market.contingent import ContingentMarket, MarketGame
from rivalry.families.market.demand import consumer_surplus
from rivalry.families.market.entry import equilibria_of_entry, has_cases
from rivalry.families.market.factory import refusal
from rivalry.families.market.leaders import StagedMarket, leaders_choices
from rivalry.families.market.model import Market, product_bounds, whole_market
from rivalry.families.market.play import market_play
from rivalry.families.market.valuation import recurring_value
from rivalry.proofs.arithmetic.program import over_rows
from rivalry.runtime.jax import compiled, concrete_module, floats, jax, jnp, put
from rivalry.runtime.memo import remembered
from rivalry.schema.register import BENCHMARKS

# Descriptions.


@oracles.payoff_scale.register(Market)
def _(game: Market) -> Array | ndarray:
    """Return the approximate profit of the firm of lowest cost as a monopolist."""
    # in NumPy where nothing is traced: it is asked of every game that is certified
    xp = concrete_module(*game.numbers.values())
    numbers = {name: xp.asarray(value) for name, value in game.numbers.items()}
    cost = xp.min(numbers["unit_cost"])
    if game.rule.formulas is not None:
        profit = numbers["profit_scale"]
    elif game.rule.demand == "logit":
        profit = numbers["taste_spread"]
    elif game.rule.demand == "isoelastic":
        eta = numbers["elasticity"]
        profit = (numbers["market_size"] / cost) ** eta * cost / eta
    else:
        profit = (numbers["intercept"] - cost) ** 2 / (4 * numbers["slope"])
    return xp.asarray(xp.maximum(profit, 1e-300))


@oracles.discontinuity.register(Market)
def _(game: Market) -> str:
    if game.rule.undercuts:
        return "choice: the cheapest " + ("takes all" if game.rule.winner_takes_all else "sells first")
    traced = isinstance(game.numbers["fixed_cost"], jax.core.Tracer)
    saved = game.rule.choice == "quantity" and not traced and game.has("fixed_cost")
    return "fixed_cost: is saved at zero output" if saved else ""


@oracles.labels.register(Market)
def _(game: Market) -> oracles.Labels:
    if game.is_single:
        return oracles.Labels(axes=(game.rule.choice,))
    rows = [[f"{game.rule.choice} of product {product}" for product in row] for row in game.owners]
    return oracles.Labels(entries=tuple(map(tuple, rows)))


oracles.validate_parameter.register(Market)(lambda game, name, value: refusal(name, value, game.rule.demand))


@oracles.exchangeable.register(Market)
def _(game: Market) -> ndarray:
    """Return equal numbers for firms of one stage whose products have equal parameters and formulas."""
    shape = (game.product_count,)
    columns = [np.broadcast_to(floats(v), shape) for v in game.numbers.values() if np.shape(v) in ((), shape)]
    by_product = np.stack([*columns, *product_bounds(game)], axis=1)
    stage = [next(k for k, row in enumerate(game.stages) if firm in row) for firm in range(game.players)]
    rows = [(stage[firm], by_product[list(row)].tobytes()) for firm, row in enumerate(game.owners)]
    labels = np.arange(game.players)
    for firm, row in enumerate(rows):
        same = [first for first in range(firm) if rows[first] == row and _exchanges(game, first, firm)]
        labels[firm] = min(same, default=firm)
    return labels


def _exchanges(game: Market, first: int, second: int) -> bool:
    """True if formulas stay when two firms are exchanged: payoffs at some prices do not show all of them."""
    formulas, owned = game.rule.formulas, game.owners
    if formulas is None:
        return True
    return game.is_single and formulas.exchanges(owned[first][0], owned[second][0])


@oracles.traced_metrics.register(Market)
def _(game: Market, x: Profile) -> oracles.Traced:
    """Return the metrics of one period, averaged over the levels of the shock."""
    shifts, probabilities = jnp.zeros(1), jnp.ones(1)
    if game.shock is not None:
        shifts, probabilities = game.shock.levels, game.shock.probabilities
    choices = game.choices(x)
    return _mean_metrics(
        game, jnp.broadcast_to(choices, (len(shifts), *choices.shape)), shifts, probabilities
    )


def _mean_metrics(market: Market, choices: Array, shifts: Array, probabilities: Array) -> oracles.Traced:
    """Return the metrics of one period at choices ``[level product]``, averaged over the levels."""
    by_level = jax.vmap(partial(_period, market))(choices, shifts)
    products = "player" if market.is_single else "product"
    dims = {"firm_share": ("player",)}
    return {
        name: (dims.get(name, (products,) if array.ndim == 2 else ()), jnp.tensordot(probabilities, array, 1))
        for name, array in by_level.items()
    }


oracles.metrics.register(Market)(oracles.compiled_metrics)


def _period(market: Market, choices: Array, shift: Array) -> dict[str, Array]:
    """Return the metrics of one period at one level of the shock, by product and in all."""
    sold = market.clear(choices, shift)
    profit = market.earned(sold, shift)
    total = jnp.sum(sold.q)
    share = sold.q / jnp.where(total > 0, total, 1.0)
    firm_share = market.by_firm(share)
    record = {"quantity": sold.q, "price": sold.p, "profit": profit, "market_share": share}
    if not market.is_single:
        record["firm_share"] = firm_share
    record |= {
        "total_quantity": total,
        "mean_price": jnp.where(total > 0, jnp.sum(sold.p * share), jnp.mean(sold.p)),
        "industry_profit": jnp.sum(profit),
        "hhi": 1e4 * jnp.sum(firm_share**2),
    }
    if market.rule.formulas is None or market.rule.formulas.symmetric:  # else consumers have no surplus
        surplus = consumer_surplus(market.rule, market.shift_numbers(shift), sold)
        revenue = jnp.sum(market.sales_tax(sold))
        record |= {"consumer_surplus": surplus, "welfare": jnp.sum(profit) + surplus + revenue}
    if market.taxes_sales:
        record["tax_revenue"] = jnp.sum(market.sales_tax(sold))
    return record


# Responses and candidates for equilibria.


def _has_candidate(game: Market) -> bool:
    """True of firms with one product each, but for undercutting under rationing or a shock."""
    is_known = not game.rule.undercuts or (game.rule.winner_takes_all and game.shock is None)
    return game.is_single and is_known


@oracles.best_response.register(Market, when=_has_candidate)
def _(game: Market, x: Profile, player: int | Array) -> oracles.BestResponse:
    if game.rule.undercuts:
        return *equilibria.undercutting(game, x, player), "lower bound"
    if concrete_module(x, player, *jax.tree.leaves(game)) is jnp:
        return *equilibria.peak_response(game, x, player), "lower bound"
    # candidates for equilibria and their certificates ask for the same
    key = "peak response", np.asarray(x).tobytes(), int(player)
    answer = partial(_peak_response, game, x, put(player))
    return *remembered(known_of_game(game), key, answer), "lower bound"


@partial(compiled, effort=1)
def _peak_response(game: Market, x: Profile, player: Array) -> tuple[Array, Array]:
    return equilibria.peak_response(game, x, player)


@oracles.closed_form.register(Market)
def _(game: Market) -> ndarray:
    """Return equilibria: the root of the first-order conditions, or all of those with fixed costs."""
    return np.array([game.profile(root) for root in equilibria.nash(game)]).reshape(-1, *game.space.shape)


oracles.equilibria_by_cases.register(Market, when=has_cases)(equilibria_of_entry)
oracles.closed_form.register(StagedMarket)(lambda game: leaders_choices(game)[None])


# Firms that observe the shock.


@oracles.labels.register(ContingentMarket)
def _(game: ContingentMarket) -> oracles.Labels:
    names, levels = oracles.labels(game.at_level(0.0)), np.asarray(game.levels)

    def at_levels(row: tuple[str, ...]) -> tuple[str, ...]:
        padding = [""] * (game.space.shape[1] // len(levels) - len(row))
        pairs = product(levels, [*row, *padding])
        return tuple(f"{name} at {level:+g}" for level, name in pairs)

    axes = at_levels(names.axes) if names.axes else ()
    return names._replace(axes=axes, entries=tuple(map(at_levels, names.entries)))


@oracles.metrics.register(ContingentMarket)
def _(game: ContingentMarket, x: Profile) -> Record:
    """Return the metrics of the levels: means, and choices by level."""
    levels = [oracles.metrics(part, choices) for part, choices in _level_games(game, x)]
    record: Record = {}
    for name, (dims, _) in levels[0].items():
        arrays = [level[name][1] for level in levels]
        if "axis" in dims:
            record[name] = (dims, np.concatenate(arrays, axis=dims.index("axis")))
        else:
            record[name] = (dims, np.tensordot(np.asarray(game.probabilities), np.stack(arrays), axes=1))
    return record


@oracles.traced_metrics.register(ContingentMarket, when=lambda game: len(game.stages) == 1)
def _(game: ContingentMarket, x: Profile) -> oracles.Traced:
    profiles = jnp.moveaxis(x.reshape(len(x), len(game.occurs), -1), 1, 0)  # [level player axis]
    choices = jax.vmap(game.game.choices)(profiles)
    return _mean_metrics(game.game, choices, game.levels, game.probabilities)


def _level_games(game: ContingentMarket, x: Any) -> list[tuple[Any, Any]]:
    """Return the game of every level with the profile there."""
    width = x.shape[1] // len(game.occurs)
    return [(part.game, x[:, k * width : (k + 1) * width]) for k, part in enumerate(game.parts)]


@oracles.proved_response.register(ContingentMarket)
def _(game: ContingentMarket, x: Profile, player: int) -> oracles.Response:
    """Return the best responses at all levels, with the mean of their bounds."""
    answers = [best_response(part, choices, player) for part, choices in _level_games(game, x)]
    strategy = np.concatenate([answer.strategy for answer in answers])
    weights = np.asarray(game.probabilities)
    paid = float(weights @ [answer.payoff for answer in answers])
    bound = float(weights @ [answer.bound for answer in answers])
    weakest = min(answers, key=lambda answer: COVERAGES.index(answer.coverage))
    return weakest._replace(strategy=strategy, payoff=paid, bound=bound, tried=None)


@oracles.best_response.register(
    ContingentMarket, when=lambda game: oracles.best_response.knows(game.at_level(0.0))
)
def _(game: ContingentMarket, x: Profile, player: int | Array) -> oracles.BestResponse:
    answers = [oracles.best_response(part, choices, player) for part, choices in _level_games(game, x)]
    strategies, pays, coverages = zip(*answers, strict=True)
    weakest = min(coverages, key=COVERAGES.index)
    return jnp.concatenate(strategies), game.probabilities @ jnp.stack(pays), weakest


@oracles.closed_form.register(
    ContingentMarket, when=lambda game: oracles.closed_form.knows(game.at_level(0.0))
)
def _(game: ContingentMarket) -> ndarray:
    """Return all combinations of the closed forms of the levels."""
    roots = product(*(oracles.closed_form(part.game) for part in game.parts))
    return np.array([np.concatenate(root, axis=1) for root in roots]).reshape(-1, *game.space.shape)


oracles.separate_parts.register(ContingentMarket)(lambda game: game.parts)
oracles.base_game.register(ContingentMarket)(lambda game: game.game)
oracles.exchangeable.register(ContingentMarket)(lambda game: oracles.exchangeable(game.at_level(0.0)))
forward(ContingentMarket, oracles.discontinuity, oracles.payoff_scale, oracles.validate_parameter)


# Play over periods.

oracles.to_markov.register(Market)(market_play)
oracles.to_repeated.register(Market)(tables.repeated_tables)
oracles.games_of_nature.register(Market, when=lambda game: game.shock is not None)(
    lambda game: list(map(game.at_level, np.asarray(game.shock.levels)))  # type: ignore[union-attr]
)
oracles.action_levels.register(Market)(tables.levels)
oracles.to_linear_quadratic.register(Market)(tables.linear_quadratic)
oracles.outside_linear.register(Market)(tables.outside_linear)
oracles.discounting_channels.register(Market)(tables.gamma_channels)
oracles.discount_factors.register(Market)(lambda game: game.numbers["gamma"])
oracles.payoff_growth.register(Market)(lambda game: game.numbers["growth"])
oracles.move_order.register(Market)(lambda game: game.stages)
oracles.alternating.register(Market)(lambda game: game.timing == "alternating")
oracles.turns.register(Market)(lambda game: game.turns or tuple((firm,) for firm in range(game.players)))


@oracles.profit_gain_bounds.register(Market)
def _(game: Market) -> oracles.GainBounds:
    return oracles.GainBounds(*gain_bounds(game), critical_discount(game).delta)


@oracles.cycle_value.register(Market)
def _(game: Market, cash_flow: ndarray, gamma: ndarray) -> tuple[ndarray, ndarray]:
    """Return the value of cash flows per unit of market size; ``gamma`` includes growth, as in the tables.

    The terminal value depends only on money and the discount factor.
    """
    growth = float(game.numbers["growth"])
    choice = np.asarray(gamma) / (1 + growth)
    return recurring_value(cash_flow, choice, game.accounts.horizon, grows=growth, **game.valuation_rule())


@oracles.action_levels.register(StagedMarket)
def _(game: StagedMarket, count: int) -> list[ndarray]:
    grids = tables.levels(game.market, count)
    return [grids[firm] for firm in game.market.stages[0]]


# A staged market, and one with an observed shock, is played, tabulated and valued as the whole market.
for kind in (StagedMarket, ContingentMarket):
    forward(
        kind,
        oracles.to_markov,
        oracles.to_linear_quadratic,
        oracles.outside_linear,
        oracles.profit_gain_bounds,
        oracles.discounting_channels,
    )
forward(
    ContingentMarket,
    oracles.discount_factors,
    oracles.payoff_growth,
    oracles.move_order,
    oracles.alternating,
    oracles.turns,
)


# --- plot data ----------------------------------------------------------------------------------------------


PLACES = 121
REACH = 1.25  # range of drawn responses, relative to the largest choice shown


def _plot_data(game: MarketGame) -> oracles.PlotData:
    """Return the functions that compute plot data, by name; reactions only of two firms.

    Those of a staged market are of the whole market, with the responses to the first stage's choices.
    """
    market = whole_market(game)

    def reaction(x: Profile) -> Record:
        return _reaction_curves(market, game.choices(x) if isinstance(game, StagedMarket) else x)

    views = {BENCHMARKS: partial(_benchmarks, market)}
    return views | {"reaction": reaction} if market.players == 2 and market.is_single else views


oracles.plot_data.register(Market)(_plot_data)
oracles.plot_data.register(StagedMarket)(_plot_data)


@oracles.plot_data.register(ContingentMarket)
def _(game: ContingentMarket) -> oracles.PlotData:
    return {BENCHMARKS: partial(_benchmarks, whole_market(game))}


def _benchmarks(market: Market, x: Profile) -> Record:
    """Return actions, payoffs and metrics at the benchmarks, as in ``nash_action`` and ``cartel_welfare``.

    Beside the competitive benchmark are the largest gains of price takers, and what they prove.
    """
    table: Record = {}
    for name, mark in benchmarks(market).items():
        table |= {f"{name}_{metric}": measure for metric, measure in mark.measures.items()}
        products = "player" if market.is_single else "product"
        table |= {f"{name}_action": ((products,), mark.choice), f"{name}_payoff": (("player",), mark.payoff)}
    if "competitive_action" in table:
        proof = certified(market, "competitive")
        table |= {
            "competitive_gain": (("player",), proof.bound),
            "competitive_claim": scalar(proof.facts.word),
        }
    return table


def _reaction_curves(market: Market, x: Profile) -> Record:
    """Return the reaction curves of two firms, and the benchmarks among them.

    ``reaction_point [point duellist]`` with ``reaction_point_name [point]``.
    """
    by_name = benchmarks(market)
    points = np.array([mark.choice for mark in by_name.values()]).reshape(-1, 2)
    line = _places(market, np.concatenate([points, np.asarray(x).reshape(1, 2)]))
    return {
        "reaction": (("duellist", "grid_point"), _responses(market, np.asarray(x), line)),
        "reaction_at": (("duellist", "grid_point"), np.stack([line[1], line[0]])),
        "reaction_here": (("duellist",), np.asarray(x)[:, 0]),
        "reaction_player": (("duellist",), np.arange(2)),
        "reaction_column": scalar(market.rule.choice),
        "reaction_point": (("point", "duellist"), points),
        "reaction_point_name": (("point",), np.array(list(by_name))),
    }


def _places(market: Market, points: ndarray) -> ndarray:
    """Return the choices of each firm to which the other's responses are drawn, ``[duellist grid_point]``."""
    low, high = product_bounds(market)
    if market.rule.choice == "price":  # responses matter near the points, where the other firm sells
        point_low, point_high = points.min(axis=0), points.max(axis=0)
        widths = np.maximum(point_high - point_low, 1e-3 * (high - low))
        low = np.maximum(low, point_low - widths / 2)
        high = np.minimum(high, point_high + widths / 2)
    else:
        high = np.minimum(high, np.maximum(REACH * points.max(axis=0), 1e-3 * (high - low)))
    return np.linspace(low, high, PLACES, axis=-1)


def _response_to(market: Market, x: Any, player: Any) -> Any:
    """Return a firm's best response on one axis, ``[axis]``."""
    if oracles.best_response.knows(market):
        return oracles.best_response(market, x, player)[0]
    grids = jnp.stack([market.space.grid(firm, PLACES) for firm in range(2)])
    strategies, pays, _ = searching(market, x, player, grids[player])
    return strategies[jnp.argmax(pays)]


_responses_to = over_rows(_response_to, shared=1, effort=0)


def _responses(market: Market, x: ndarray, line: ndarray) -> ndarray:
    """Return each firm's best response to the other's choices ``line [duellist grid_point]``."""
    profiles = np.broadcast_to(x, (2, PLACES, 2, 1)).copy()
    for firm in range(2):
        profiles[firm, :, 1 - firm, 0] = line[1 - firm]
    players = np.repeat(np.arange(2), PLACES)
    responses = _responses_to(market, profiles.reshape(-1, 2, 1), players, batch=2 * PLACES)
    return np.asarray(responses).reshape(2, PLACES)
