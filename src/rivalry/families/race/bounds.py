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

TRIALS, SMALLEST_TRIAL, SIZES = 40, 1e-8, 96  # of deviations, and of performance inputs that they beat


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
    stake = (1 - keep) * rho + d  # what safety adds to the value of a win
    value = keep * rho - d + safe * stake
    payoff_alone = period.without_winner(rules, numbers)
    difference = rules.contest is period.Logit
    logs = numbers["decisiveness"] * (p if difference else log_p)
    own_basis = rules.loser_prize_basis == "own"
    rows = []
    for i in range(n):
        rivals = np.delete(np.arange(n), i)
        q, share, p_nobody = _chances(numbers, logs, i, rivals)
        prize = value[i, i] - jnp.sum(share * value[i, rivals]) - p_nobody * payoff_alone[i]
        rival_stake = (1 - q) * jnp.sum(share * stake[i, rivals])
        gain = _safety_gain(rules.risk, numbers, i, sigma, z, safe, q * stake[i, i], rival_stake)
        lasting = safe + (1 - safe) * keep[i]
        grows = q * lasting[i] * numbers["prize_per_performance"][i]
        if own_basis:
            lost = jnp.sum(share * lasting[rivals])
            grows = grows + (1 - q) * lost * numbers["loser_prize_per_performance"][i]
        decisive = numbers["decisiveness"] * (p[i] if difference else 1.0)
        performance = decisive * (q * (1 - q)) * prize - numbers["scale_penalty"][i] * gain + grows * p[i]
        rows.append(
            jnp.stack(
                [numbers["safety_exponent"][i] * gain, numbers["performance_exponent"][i] * performance]
            )
        )
    price_s, price_p = period.input_prices(numbers)
    spent = jnp.stack([price_s * xs, price_p * xp], axis=1)
    if rules.cost is period.Quadratic:
        slopes = numbers["safety_price_slope"] * xs**2, numbers["performance_price_slope"] * xp**2
        spent = spent + jnp.stack(slopes, axis=1)
    return race.weights[0][:, None] * (jnp.stack(rows) - spent)


def _chances(numbers: Numbers, logs: Array, i: int, rivals: ndarray) -> tuple[Array, Any, Any]:
    """Return the probability that i wins, and if not, those that each other player and nobody wins."""
    rival_logs = logs[rivals]
    if len(rivals) == 1 and "ease_of_winning" not in numbers:
        return jax.nn.sigmoid(logs[i] - rival_logs[0]), np.ones(1), 0.0
    if "ease_of_winning" in numbers:
        rival_logs = jnp.append(rival_logs, period.log_nobody(numbers))
    together = jax.nn.logsumexp(rival_logs)
    share = jnp.exp(rival_logs - together)
    p_nobody = share[len(rivals)] if "ease_of_winning" in numbers else 0.0
    return jax.nn.sigmoid(logs[i] - together), share[: len(rivals)], p_nobody


def _safety_gain(
    risk: object,
    numbers: Numbers,
    i: int,
    sigma: Array,
    z: Array,
    safe: Array,
    stake: Array,
    rival_stake: Array,
) -> Array:
    """Return the derivative of the payoff in the own log odds of safety.

    ``stake`` and ``rival_stake`` are the stakes of wins by i and by others, times their probabilities.
    """
    bend = sigma[i] * (1 - sigma[i])
    if risk is period.WinnerOnly:
        return bend * stake
    if risk is period.Mixed:
        lost = numbers["loser_weight"]
        return bend * ((1 - lost) * stake + lost / (len(z) - 1) * rival_stake)
    w = numbers["safety_weight"]
    if risk is period.Additive:
        return w[i] / jnp.sum(w) * bend * (stake + rival_stake)
    return w[i] * len(z) / jnp.sum(w) * safe[i] * jax.nn.sigmoid(-z[i]) * (stake + rival_stake)


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
    surplus, *ends = _enclosed_bounds(numbers, *_best_trials(numbers, high))
    lowest, highest = amounts(*ends)
    if not float(surplus) > 0 or not np.isfinite(ends).all():
        return unbounded("no bounds on equilibria are proved: winning may not pay")
    if np.any(highest >= high):
        return unbounded("no bounds on equilibria are proved: they exceed the largest inputs")
    return BoundsOfEquilibria(lowest, highest, "")


def _obstacle(race: Race) -> str:
    """Return the first reason why no bounds are proved, or an empty text."""
    rules, numbers = race.rules, {name: np.asarray(part) for name, part in race.numbers_at(0).items()}
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


class _Stakes(NamedTuple):
    """Payoffs that outcomes have before costs, ``[player]``; of losses the worst and the best."""

    unsafe_win: Any
    safety: Any  # what safety adds to a win
    worst: Any
    best: Any
    total: Any  # the largest sum of payoffs


def _stakes(at: Parameters) -> _Stakes:
    n = len(at["prize"])
    is_own, keep = np.eye(n, dtype=bool), at["prize_survives"][:, None]
    unsafe_loss = keep * at["loser_prize"] - at["harm"]
    losses = []
    for i in range(n):
        rivals = [j for j in range(n) if j != i]
        ends = [at["loser_prize"][i, j] for j in rivals] + [unsafe_loss[i, j] for j in rivals]
        if "ease_of_winning" in at:
            ends.append(at["alone"][i])
        losses.append(jnp.stack(ends))
    own_harm = jnp.stack([at["harm"][i, i] for i in range(n)])
    unsafe_win = at["prize_survives"] * at["prize"] - own_harm
    sums = [
        jnp.sum(jnp.where(is_own, at["prize"][:, None], at["loser_prize"]), axis=0),
        jnp.sum(jnp.where(is_own, unsafe_win[:, None], unsafe_loss), axis=0),
        jnp.sum(at["alone"])[None],
    ]
    safety = (1 - at["prize_survives"]) * at["prize"] + own_harm
    return _Stakes(
        unsafe_win,
        safety,
        jnp.min(jnp.stack(losses), axis=1),
        jnp.max(jnp.stack(losses), axis=1),
        jnp.max(jnp.concatenate(sums)),
    )


def _log_performance(at: Parameters, log_xp: object) -> Any:
    return jnp.log(at["performance_productivity"]) + at["performance_exponent"] * log_xp


def _log_weights(at: Parameters, log_xp: object) -> Any:
    """Return logarithms of performances to the power of the decisiveness, ``[.. player]``."""
    return at["decisiveness"] * _log_performance(at, log_xp)


class _Trials(NamedTuple):
    """What inputs bring, ``[.. player]``."""

    chance: Any  # of winning, if rivals choose the largest inputs that are considered
    value: Any  # expected, of a win
    spent: Any


def _trials(at: Parameters, trial: Any, beaten: Any) -> _Trials:
    """Return what trials bring; they are logarithms of inputs ``[.. player axis]``.

    ``beaten [player]`` are logarithms of the rivals' largest performance inputs.
    """
    stakes, weights = _stakes(at), jnp.exp(_log_weights(at, beaten))
    rivals = jnp.sum(jnp.where(np.eye(len(weights), dtype=bool), 0.0, weights), axis=1)
    if "ease_of_winning" in at:
        rivals = rivals + 1 / at["ease_of_winning"]
    log_weights = _log_weights(at, trial[..., 1])
    log_s = jnp.log(at["safety_productivity"]) + at["safety_exponent"] * trial[..., 0]
    sigma = jax.nn.sigmoid(log_s - at["scale_penalty"] * _log_performance(at, trial[..., 1]))
    chance = jax.nn.sigmoid(log_weights - jnp.log(rivals))
    price_s, price_p = period.input_prices(at)
    spent = price_s * jnp.exp(trial[..., 0]) + price_p * jnp.exp(trial[..., 1])
    return _Trials(chance, stakes.unsafe_win + stakes.safety * sigma, spent)


def _surplus(at: Parameters, trial: Any, beaten: Any) -> tuple[Any, Any]:
    """Return sure payoffs of trials ``[.. player]`` against inputs up to ``beaten``, and the largest sum."""
    stakes = _stakes(at)
    chance, value, spent = _trials(at, trial, jnp.broadcast_to(beaten, at["prize"].shape))
    return jnp.minimum(value, stakes.worst + chance * (value - stakes.worst)) - spent, stakes.total


def _high(at: Parameters) -> tuple[Any, Any]:
    """Return logarithms of ``e`` and of ``e / 4`` where ``xp < e q (1-q)`` for the win probability q."""
    stakes = _stakes(at)
    span = at["prize"] - stakes.worst
    reach = jnp.log(at["performance_exponent"] * at["decisiveness"] * span / period.input_prices(at)[1])
    return reach, reach - jnp.log(4.0)


def _worth_winning(at: Parameters, trial: Any) -> Any:
    """Return probabilities with which players win at least, by what trials pay, ``[.. player]``."""
    stakes = _stakes(at)
    chance, value, spent = _trials(at, trial, _high(at)[1])
    return (chance * (value - stakes.best) - spent) / (at["prize"] - stakes.worst)


def _bounds(
    at: Parameters, surplus_trial: object, winning_trial: object, beaten: Any
) -> tuple[Any, Any, Any]:
    """Number that must be above 0, and the logarithms of the bounds, ``[player axis]`` each.

    ``surplus_trial`` and ``winning_trial`` are the trials of steps 1 and 3.
    """
    (payoffs, total), (reach, high_p) = _surplus(at, surplus_trial, beaten), _high(at)
    chance = jnp.log(jnp.maximum(_worth_winning(at, winning_trial), 0.0))
    if "ease_of_winning" in at:
        fewest, surplus = -jnp.log(at["ease_of_winning"]), jnp.ones(())
    else:
        fewest, surplus = jnp.min(_log_weights(at, beaten)), jnp.sum(payoffs) - total
        if len(at["prize"]) == 2:
            chance = jnp.maximum(chance, jnp.min(beaten - reach))
    log_a, log_b = jnp.log(at["safety_productivity"]), jnp.log(at["performance_productivity"])
    low_p = ((chance + fewest) / at["decisiveness"] - log_b) / at["performance_exponent"]
    log_safety = jnp.log(at["safety_exponent"] * _stakes(at).safety / (4 * period.input_prices(at)[0]))
    unsafe = log_safety + chance + log_a - at["scale_penalty"] * _log_performance(at, high_p)
    safe = at["scale_penalty"] * _log_performance(at, low_p) - log_a
    low_s = jnp.minimum(unsafe / (1 - at["safety_exponent"]), safe / at["safety_exponent"])
    return surplus, jnp.stack([low_s, low_p], axis=1), jnp.stack([log_safety, high_p], axis=1)


def _enclosed_bounds(
    numbers: Parameters, surplus_trial: object, winning_trial: object, beaten: object
) -> tuple[Any, Any, Any]:
    """Return lower bounds on the first two numbers of `_bounds`, and upper bounds on the last."""
    names = list(numbers)

    def flat(*numbers: object) -> tuple[Any, Any, Any]:
        return _bounds(dict(zip(names, numbers[:-3], strict=True)), *numbers[-3:])

    arrays = [np.asarray(part) for part in (*numbers.values(), surplus_trial, winning_trial, beaten)]
    (surplus, low, high), _ = enclose(flat, *arrays)(*(Interval(part, part) for part in arrays))
    return surplus.low, low.low, high.high


def _best_trials(numbers: dict[str, ndarray], high: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return the trials ``[player axis]`` of steps 1 and 3, and the logarithm of the inputs of step 1."""
    top = np.log(np.min(high))
    line = np.linspace(np.log(SMALLEST_TRIAL), top, TRIALS)
    grid = span([line, line])[:, None]
    sizes = np.linspace(top, 2 * np.log(SMALLEST_TRIAL), SIZES)
    surplus, trials, trial = (np.asarray(part) for part in _surpluses(numbers, grid, sizes))
    paying = np.argmax(surplus > 0)  # the first size, that is the smallest bound, if none pays
    return grid[trials[paying], 0], grid[trial, 0], np.asarray(sizes[paying])


@seldom
def _surpluses(numbers: Parameters, grid: object, sizes: Any) -> tuple[Any, Any, Any]:
    """Return the surplus of the best trials ``[size]``, and their indices ``[size player]``, ``[player]``."""

    def surplus_at(size: Array) -> tuple[Array, Array]:
        payoffs, total = _surplus(numbers, grid, size)
        return jnp.sum(jnp.max(payoffs, axis=0)) - total, jnp.argmax(payoffs, axis=0)

    return *jax.vmap(surplus_at)(sizes), jnp.argmax(_worth_winning(numbers, grid), axis=0)
