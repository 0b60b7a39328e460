"""Bounds on equilibria of a race of one period, and its derivatives in logarithms of inputs.

Both serve complete lists of equilibria (`rivalry.all_equilibria`).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.core.space import Profile, span
from rivalry.families.race import rules as period
from rivalry.families.race.model import Race
from rivalry.families.race.rules import Numbers, log
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.spaces.logarithms import BoundsOfEquilibria, amounts
from rivalry.runtime.jax import floats, jax, jnp, seldom

INPUTS = 40  # levels of each input, on a logarithmic scale, among which deviations are chosen
SMALLEST_INPUT = 1e-8  # of a deviation
RIVAL_INPUTS = 96  # upper bounds on the rivals' performance inputs that are tried


def has_slopes_in_logs(race: Race) -> bool:
    """True if `slopes_in_logs` holds: one period, built-in parts and no threshold."""
    rules = race.rules
    return (
        race.periods == 1
        and not race.infinite_horizon
        and race.transition is None
        and len(race.columns) == 2
        and race.end_on == "none"
        and rules.production is period.Power
        and rules.contest in (period.Ratio, period.Logit)
        and rules.cost in (period.Linear, period.Quadratic)
        and not rules.custom
    )


def slopes_in_logs(race: Race, y: Profile) -> Profile:
    """Return every player's derivatives of its own payoff in logarithms of its inputs, ``[player axis]``.

    With the win probability ``q_i`` and the values ``v_ij`` of a win by j, they are

    ``alpha G_i - r_s xs`` and ``beta {m q_i (1-q_i) [v_ii - sum_j c_ij v_ij] - theta G_i} - r_p xp``

    where ``c_ij`` is the probability that j wins if i does not, and ``G_i`` the derivative in the own log
    odds of safety. Rewards that grow with the own performance are added.
    """
    rules, numbers, n = race.rules, race.numbers_at(0), race.players
    xs, xp = jnp.exp(y[:, 0]), jnp.exp(y[:, 1])
    log_p = log(numbers["performance_productivity"]) + numbers["performance_exponent"] * y[:, 1]
    log_odds = log(numbers["safety_productivity"]) + numbers["safety_exponent"] * y[:, 0]
    z = log_odds - numbers["scale_penalty"] * log_p
    p, sigma = jnp.exp(log_p), jax.nn.sigmoid(z)
    safe, rho, d = (
        rules.risk.safety(z, sigma, numbers),
        period.rewards(rules, numbers, p),
        period.damages(numbers, n),
    )
    keep = numbers["prize_survives"][:, None]
    safety_gain = (1 - keep) * rho + d  # the value of a safe win less that of an unsafe one
    value = keep * rho - d + safe * safety_gain
    payoff_alone = period.without_winner(rules, numbers)
    is_logit = rules.contest is period.Logit
    logs = numbers["decisiveness"] * (p if is_logit else log_p)
    own_basis = rules.loser_prize_basis == "own"
    rows = []
    for i in range(n):
        rivals = np.delete(np.arange(n), i)
        q, share, p_nobody = _win_probabilities(numbers, logs, i, rivals)
        prize = value[i, i] - jnp.sum(share * value[i, rivals]) - p_nobody * payoff_alone[i]
        rival_gain = (1 - q) * jnp.sum(share * safety_gain[i, rivals])
        by_log_odds = _slope_in_log_odds(
            rules.risk, numbers, i, sigma, z, safe, q * safety_gain[i, i], rival_gain
        )
        p_paid = safe + (1 - safe) * keep[i]  # probability that i has its prize, by winner
        reward_rate = q * p_paid[i] * numbers["prize_per_performance"][i]
        if own_basis:
            p_paid_if_lost = jnp.sum(share * p_paid[rivals])
            reward_rate = reward_rate + (1 - q) * p_paid_if_lost * numbers["loser_prize_per_performance"][i]
        scale = p[i] if is_logit else 1.0
        by_contest = numbers["decisiveness"] * scale * (q * (1 - q)) * prize
        by_log_p = by_contest - numbers["scale_penalty"][i] * by_log_odds + reward_rate * p[i]
        exponents = numbers["safety_exponent"][i], numbers["performance_exponent"][i]
        rows.append(jnp.stack([exponents[0] * by_log_odds, exponents[1] * by_log_p]))
    price_s, price_p = period.input_prices(numbers)
    spent = jnp.stack([price_s * xs, price_p * xp], axis=1)
    if rules.cost is period.Quadratic:
        slopes = numbers["safety_price_slope"] * xs**2, numbers["performance_price_slope"] * xp**2
        spent = spent + jnp.stack(slopes, axis=1)
    return race.weights[0][:, None] * (jnp.stack(rows) - spent)


def _win_probabilities(numbers: Numbers, logs: Array, i: int, rivals: ndarray) -> tuple[Array, Any, Any]:
    """Return the probability that i wins, and if it does not, those that each rival and that nobody wins."""
    rival_logs = logs[rivals]
    if len(rivals) == 1 and "ease_of_winning" not in numbers:
        return jax.nn.sigmoid(logs[i] - rival_logs[0]), np.ones(1), 0.0
    if "ease_of_winning" in numbers:
        rival_logs = jnp.append(rival_logs, period.log_nobody(numbers))
    together = jax.nn.logsumexp(rival_logs)
    share = jnp.exp(rival_logs - together)
    p_nobody = share[len(rivals)] if "ease_of_winning" in numbers else 0.0
    return jax.nn.sigmoid(logs[i] - together), share[: len(rivals)], p_nobody


def _slope_in_log_odds(
    risk: object,
    numbers: Numbers,
    i: int,
    sigma: Array,
    z: Array,
    safe: Array,
    gain: Array,
    rival_gain: Array,
) -> Array:
    """Return the derivative of the payoff of i in its own log odds of safety ``z[i]``.

    ``gain`` and ``rival_gain`` are what safety adds to wins by i and by others, times their probabilities.
    ``safe [winner]`` are the probabilities of no disaster, and ``sigma`` those of ``z``.
    """
    sigma_slope = sigma[i] * (1 - sigma[i])
    if risk is period.WinnerOnly:
        return sigma_slope * gain
    if risk is period.Mixed:
        weight = numbers["loser_weight"]
        return sigma_slope * ((1 - weight) * gain + weight / (len(z) - 1) * rival_gain)
    w = numbers["safety_weight"]
    if risk is period.Additive:
        return w[i] / jnp.sum(w) * sigma_slope * (gain + rival_gain)
    return w[i] * len(z) / jnp.sum(w) * safe[i] * jax.nn.sigmoid(-z[i]) * (gain + rival_gain)


# --- bounds on equilibria ---------------------------------------------------------------------------------


def equilibrium_bounds(race: Race) -> BoundsOfEquilibria:
    """Return inputs between which all equilibria of a race of one period lie.

    Proved for the contest ``ratio``, risk ``winner_only`` and linear cost, with decreasing returns to safety,
    in five steps. ``W_i``, ``l_i`` and ``b_i`` are the payoffs of a safe win, of the worst loss and of the
    best, and ``R_i`` is what safety adds to a win. Weights are performances to the power ``m``.

    1. Payoffs add up to at most a number ``T``. By one strategy each, players are sure of ``v_i`` against
       every performance input up to ``D``. If the sum of ``v_i`` is above ``T``, one of them gains by it, so
       at an equilibrium some player has ``xp > D``: weights add up to at least a number. Where nobody may win
       they add up to at least ``1/kappa``.
    2. Payoffs must not rise as ``xp_i`` is lowered: ``r_p xp_i <= beta m q_i (1-q_i) (W_i - l_i)``. With
       ``q (1-q) <= 1/4`` this bounds performance inputs from above.
    3. If it does not win, player i has ``o``, at most ``b_i`` on average; so it has at most
       ``o + q_i (W_i - l_i)``. A strategy that wins with at least ``q`` against the largest weights, and
       leaves ``v`` if it wins, pays at least ``o + q (v - b_i)`` less its cost. At an equilibrium
       ``q_i (W_i - l_i)`` is therefore no less than ``q (v - b_i)`` less the cost. Two players who always
       have a winner also win with at least the ``c`` for which ``r_p D = beta m c (W_i - l_i)`` in step 2.
       These probabilities of the least sum of weights bound performance inputs from below.
    4. As for safety, ``r_s xs = alpha q sigma (1-sigma) R <= alpha R / 4``.
    5. Since ``sigma (1-sigma) >= exp(-|z|) / 4``, either ``z > 0``, thus ``A xs^alpha > p^theta``, or
       ``r_s xs >= alpha q R A xs^alpha p^-theta / 4``.

    All is computed with outward rounding. Elsewhere the bounds are those of the search, and ``beyond`` says
    why nothing is proved.
    """
    low, high = np.asarray(race.space.zero_threshold), np.asarray(race.space.high)
    unbounded = partial(BoundsOfEquilibria, low, high)
    if obstacle := _obstacle(race):
        return unbounded(f"no bounds on equilibria are proved for {obstacle}")
    numbers = _numbers(race)
    surplus, *ends = _enclosed_bounds(numbers, *_best_deviations(numbers, high))
    lowest, highest = amounts(*ends)
    if not float(surplus) > 0 or not np.isfinite(ends).all():
        return unbounded("no bounds on equilibria are proved: winning may not pay")
    if np.any(highest >= high):
        return unbounded("no bounds on equilibria are proved: they exceed the largest inputs")
    return BoundsOfEquilibria(lowest, highest, "")


def _obstacle(race: Race) -> str:
    """Return the first reason why no bounds are proved, or an empty text."""
    rules = race.rules
    numbers = {name: np.asarray(part) for name, part in race.numbers_at(0).items()}
    if not has_slopes_in_logs(race):
        return "several periods, custom parts, the contest 'best' and costs with thresholds"
    grows = numbers["prize_per_performance"], numbers["loser_prize_per_performance"]
    factors = numbers["safety_productivity"], numbers["performance_productivity"], np.asarray(race.weights)
    conditions = {
        f"contest = {period.rule_name(rules.contest)!r}; must be 'ratio'": rules.contest is period.Ratio,
        f"risk = {period.rule_name(rules.risk)!r}; must be 'winner_only'": rules.risk is period.WinnerOnly,
        f"cost = {period.rule_name(rules.cost)!r}; must be 'linear'": rules.cost is period.Linear,
        "safety_exponent of 1 or more": bool(np.all(numbers["safety_exponent"] < 1)),
        "inputs that cost nothing": all(np.all(price > 0) for price in period.input_prices(numbers)),
        "prizes that grow with performance": not any(np.any(part) for part in grows),
        "productivities or weights of 0": all(np.all(part > 0) for part in factors),
    }
    return next((reason for reason, is_met in conditions.items() if not is_met), "")


def _numbers(race: Race) -> dict[str, ndarray]:
    """Return the parameters, ``[player]``, and payoffs of losses and harm, ``[player winner]``."""
    numbers = {name: floats(part) for name, part in race.numbers_at(0).items()}
    n, is_own = race.players, race.rules.loser_prize_basis == "own"
    harm = np.asarray(period.damages(race.numbers_at(0), n))
    lose = np.broadcast_to(numbers["loser_prize"][:, None] if is_own else numbers["loser_prize"], (n, n))
    return numbers | {
        "decisiveness": np.full(n, numbers["decisiveness"]),
        "loser_prize": lose,
        "harm": harm,
        "alone": np.asarray(period.without_winner(race.rules, numbers)),
    }


Parameters = dict[str, Any]  # ``[player]`` by name


class _OutcomePayoffs(NamedTuple):
    """Payoffs of the outcomes of the period before costs, ``[player]``, and the largest of their sums."""

    unsafe_win: Any
    gain_from_safety: Any  # payoff of a safe win less that of an unsafe one
    worst_loss: Any
    best_loss: Any
    largest_sum: Any  # of all players' payoffs


def _outcome_payoffs(numbers: Parameters) -> _OutcomePayoffs:
    """Return the payoffs of outcomes, with all numbers as in `_numbers`.

    With the prize ``P_i``, the prize ``L_ij`` of i if j wins, ``k_i`` of 1 if both survive a disaster and
    else 0, the harm ``d_ij`` of a disaster if j wins, and the payoff ``v_i`` if nobody wins,

    - a win pays ``P_i`` if it is safe, and ``k_i P_i - d_ii`` if not;
    - a loss pays ``L_ij`` if it is safe, ``k_i L_ij - d_ij`` if not, and ``v_i`` if nobody wins.

    The largest sum of payoffs is over all winners j, safe or not, and nobody.
    """
    n = len(numbers["prize"])
    is_own, survives = np.eye(n, dtype=bool), numbers["prize_survives"]
    unsafe_loss = survives[:, None] * numbers["loser_prize"] - numbers["harm"]
    losses = []
    for i in range(n):
        rivals = [j for j in range(n) if j != i]
        payoffs = [numbers["loser_prize"][i, j] for j in rivals]
        payoffs += [unsafe_loss[i, j] for j in rivals]
        if "ease_of_winning" in numbers:
            payoffs.append(numbers["alone"][i])
        losses.append(jnp.stack(payoffs))
    own_harm = jnp.stack([numbers["harm"][i, i] for i in range(n)])
    unsafe_win = survives * numbers["prize"] - own_harm
    sums = [
        jnp.sum(jnp.where(is_own, numbers["prize"][:, None], numbers["loser_prize"]), axis=0),
        jnp.sum(jnp.where(is_own, unsafe_win[:, None], unsafe_loss), axis=0),
        jnp.sum(numbers["alone"])[None],
    ]
    return _OutcomePayoffs(
        unsafe_win,
        gain_from_safety=(1 - survives) * numbers["prize"] + own_harm,
        worst_loss=jnp.min(jnp.stack(losses), axis=1),
        best_loss=jnp.max(jnp.stack(losses), axis=1),
        largest_sum=jnp.max(jnp.concatenate(sums)),
    )


def _log_performance(numbers: Parameters, log_xp: object) -> Any:
    return jnp.log(numbers["performance_productivity"]) + numbers["performance_exponent"] * log_xp


def _log_weights(numbers: Parameters, log_xp: object) -> Any:
    """Return logarithms of performances to the power of the decisiveness, ``[.. player]``."""
    return numbers["decisiveness"] * _log_performance(numbers, log_xp)


class _Deviation(NamedTuple):
    """Results of a deviation ``[.. player]`` if all rivals choose the largest inputs that are considered."""

    win_probability: Any
    value: Any  # expected payoff of a win
    cost: Any


def _deviation(numbers: Parameters, log_inputs: Any, log_rival_xp: Any) -> _Deviation:
    """Return the results of deviations to ``log_inputs [.. player axis]``.

    ``log_rival_xp [player]`` are logarithms of the performance inputs that each player has as a rival.
    """
    payoffs, weights = _outcome_payoffs(numbers), jnp.exp(_log_weights(numbers, log_rival_xp))
    rival_weights = jnp.sum(jnp.where(np.eye(len(weights), dtype=bool), 0.0, weights), axis=1)
    if "ease_of_winning" in numbers:
        rival_weights = rival_weights + 1 / numbers["ease_of_winning"]
    log_xs, log_xp = log_inputs[..., 0], log_inputs[..., 1]
    log_weights = _log_weights(numbers, log_xp)
    log_s = jnp.log(numbers["safety_productivity"]) + numbers["safety_exponent"] * log_xs
    sigma = jax.nn.sigmoid(log_s - numbers["scale_penalty"] * _log_performance(numbers, log_xp))
    price_s, price_p = period.input_prices(numbers)
    return _Deviation(
        win_probability=jax.nn.sigmoid(log_weights - jnp.log(rival_weights)),
        value=payoffs.unsafe_win + payoffs.gain_from_safety * sigma,
        cost=price_s * jnp.exp(log_xs) + price_p * jnp.exp(log_xp),
    )


def _sure_payoffs(numbers: Parameters, log_inputs: Any, log_rival_xp: Any) -> Any:
    """Return the payoffs ``[.. player]`` of step 1 that deviations are sure of.

    Rivals may choose every performance input up to the same bound, whose logarithm is ``log_rival_xp``.
    """
    worst = _outcome_payoffs(numbers).worst_loss
    log_rival_xp = jnp.broadcast_to(log_rival_xp, numbers["prize"].shape)
    deviation = _deviation(numbers, log_inputs, log_rival_xp)
    # at smaller inputs of rivals it wins with a probability between this one and 1: both ends are compared
    at_largest = worst + deviation.win_probability * (deviation.value - worst)
    return jnp.minimum(deviation.value, at_largest) - deviation.cost


def _log_scale_of_performance(numbers: Parameters) -> Any:
    """Return the logarithm of ``e`` ``[player]`` where step 2 proves ``xp < e q (1-q)``."""
    prize_range = numbers["prize"] - _outcome_payoffs(numbers).worst_loss
    price_p = period.input_prices(numbers)[1]
    return jnp.log(numbers["performance_exponent"] * numbers["decisiveness"] * prize_range / price_p)


def _log_highest_performance(numbers: Parameters) -> Any:
    """Return the logarithm of the largest performance input ``[player]`` that step 2 leaves."""
    return _log_scale_of_performance(numbers) - jnp.log(4.0)


def _least_win_probabilities(numbers: Parameters, log_inputs: Any) -> Any:
    """Return the ``q_i`` of step 3 with which players win at least, by deviations, ``[.. player]``."""
    payoffs = _outcome_payoffs(numbers)
    deviation = _deviation(numbers, log_inputs, _log_highest_performance(numbers))
    gain = deviation.win_probability * (deviation.value - payoffs.best_loss) - deviation.cost
    return gain / (numbers["prize"] - payoffs.worst_loss)


def _bounds(
    numbers: Parameters, sure_inputs: object, winning_inputs: object, log_rival_xp: Any
) -> tuple[Any, Any, Any]:
    """Return a number that must be above 0, and logarithms of lower and upper bounds, ``[player axis]`` each.

    ``sure_inputs`` and ``winning_inputs`` are logarithms of the deviations of steps 1 and 3, and
    ``log_rival_xp`` is the logarithm of the ``D`` of step 1.
    """
    payoffs = _outcome_payoffs(numbers)
    high_p = _log_highest_performance(numbers)
    log_q = jnp.log(jnp.maximum(_least_win_probabilities(numbers, winning_inputs), 0.0))
    if "ease_of_winning" in numbers:
        least_weight, surplus = -jnp.log(numbers["ease_of_winning"]), jnp.ones(())
    else:
        least_weight = jnp.min(_log_weights(numbers, log_rival_xp))
        surplus = jnp.sum(_sure_payoffs(numbers, sure_inputs, log_rival_xp)) - payoffs.largest_sum
        if len(numbers["prize"]) == 2:
            log_q = jnp.maximum(log_q, jnp.min(log_rival_xp - _log_scale_of_performance(numbers)))
    log_a = jnp.log(numbers["safety_productivity"])
    log_b = jnp.log(numbers["performance_productivity"])
    low_p = ((log_q + least_weight) / numbers["decisiveness"] - log_b) / numbers["performance_exponent"]
    price_s = period.input_prices(numbers)[0]
    high_s = jnp.log(numbers["safety_exponent"] * payoffs.gain_from_safety / (4 * price_s))
    alpha, theta = numbers["safety_exponent"], numbers["scale_penalty"]
    # the inequalities of step 5 for z of at most 0, and for z above 0
    low_if_unsafe = (high_s + log_q + log_a - theta * _log_performance(numbers, high_p)) / (1 - alpha)
    low_if_safe = (theta * _log_performance(numbers, low_p) - log_a) / alpha
    low_s = jnp.minimum(low_if_unsafe, low_if_safe)
    return surplus, jnp.stack([low_s, low_p], axis=1), jnp.stack([high_s, high_p], axis=1)


def _enclosed_bounds(
    numbers: Parameters, sure_inputs: object, winning_inputs: object, log_rival_xp: object
) -> tuple[Any, Any, Any]:
    """Return lower bounds on the first two results of `_bounds`, and upper bounds on the last."""
    names = list(numbers)

    def positional(*arguments: object) -> tuple[Any, Any, Any]:
        return _bounds(dict(zip(names, arguments[:-3], strict=True)), *arguments[-3:])

    arrays = [np.asarray(part) for part in (*numbers.values(), sure_inputs, winning_inputs, log_rival_xp)]
    (surplus, low, high), _ = enclose(positional, *arrays)(*(Interval(part, part) for part in arrays))
    return surplus.low, low.low, high.high


def _best_deviations(numbers: dict[str, ndarray], high: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return the deviations ``[player axis]`` of steps 1 and 3 and the ``D`` of step 1, as logarithms.

    They are the best of a grid; `_bounds` proves what they imply. D is the largest of a grid at which step 1
    holds.
    """
    top = np.log(np.min(high))
    line = np.linspace(np.log(SMALLEST_INPUT), top, INPUTS)
    grid = span([line, line])[:, None]
    log_rival_xp = np.linspace(top, 2 * np.log(SMALLEST_INPUT), RIVAL_INPUTS)
    surplus, sure, winning = (np.asarray(part) for part in _searched(numbers, grid, log_rival_xp))
    first = np.argmax(surplus > 0)  # 0 if none is: the proof then fails at the largest
    return grid[sure[first], 0], grid[winning, 0], np.asarray(log_rival_xp[first])


@seldom
def _searched(numbers: Parameters, grid: object, log_rival_xp: Any) -> tuple[Any, Any, Any]:
    """Return the surplus of step 1 for each ``D``, and the indices of the best deviations of a grid.

    Those of step 1 are ``[D player]``, those of step 3 ``[player]``.
    """
    total = _outcome_payoffs(numbers).largest_sum

    def best_surplus(bound: Array) -> tuple[Array, Array]:
        payoffs = _sure_payoffs(numbers, grid, bound)
        return jnp.sum(jnp.max(payoffs, axis=0)) - total, jnp.argmax(payoffs, axis=0)

    return *jax.vmap(best_surplus)(log_rival_xp), jnp.argmax(_least_win_probabilities(numbers, grid), axis=0)
