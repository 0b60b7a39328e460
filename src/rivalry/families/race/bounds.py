"""Where the equilibria of a race of one period can be, and its derivatives in logarithms of inputs.

Both serve complete lists of equilibria (`rivalry.all_equilibria`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Array

from rivalry.core.enclosure import enclose
from rivalry.core.intervals import Interval
from rivalry.core.jax import compiled, jax, jnp
from rivalry.core.logarithms import BoundsOfEquilibria, amounts
from rivalry.core.space import Profile
from rivalry.families.race import period
from rivalry.families.race.model import Race
from rivalry.families.race.period import BUILT_IN, Numbers, log

TRIALS, SMALLEST_TRIAL, SIZES = 40, 1e-8, 96  # of deviations, and of performance inputs that they beat


def has_slopes_in_logs(race: Race) -> bool:
    """Return whether `slopes_in_logs` holds: one period, built-in parts and no threshold."""
    rules = race.rules
    return (
        race.periods == 1
        and not race.infinite_horizon
        and race.transition is None
        and len(race.columns) == 2
        and race.end_on == "none"
        and rules.production is period.power
        and rules.contest in (period.ratio, period.logit)
        and rules.cost in (period.linear, period.quadratic)
        and rules.risk in BUILT_IN
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
        rules.risk(z, sigma, numbers),
        period.rewards(rules, numbers, p),
        period.damages(numbers, n),
    )
    keep = numbers["prize_survives"][:, None]
    stake = (1 - keep) * rho + d  # what safety adds to the value of a win
    value = keep * rho - d + safe * stake
    alone = period.without_winner(rules, numbers)
    difference = rules.contest is period.logit
    logs = numbers["decisiveness"] * (p if difference else log_p)
    own_basis = rules.loser_prize_basis == "own"
    rows = []
    for i in range(n):
        others = np.delete(np.arange(n), i)
        q, share, nobody = _chances(numbers, logs, i, others)
        prize = value[i, i] - jnp.sum(share * value[i, others]) - nobody * alone[i]
        elsewhere = (1 - q) * jnp.sum(share * stake[i, others])
        gain = _safety_gain(rules.risk, numbers, i, sigma, z, safe, q * stake[i, i], elsewhere)
        lasting = safe + (1 - safe) * keep[i]
        grows = q * lasting[i] * numbers["prize_per_performance"][i]
        if own_basis:
            lost = jnp.sum(share * lasting[others])
            grows = grows + (1 - q) * lost * numbers["loser_prize_per_performance"][i]
        decisive = numbers["decisiveness"] * (p[i] if difference else 1.0)
        performance = decisive * (q * (1 - q)) * prize - numbers["scale_penalty"][i] * gain + grows * p[i]
        rows.append(
            jnp.stack(
                [numbers["safety_exponent"][i] * gain, numbers["performance_exponent"][i] * performance]
            )
        )
    prices = (
        numbers["safety_price"] - numbers["safety_subsidy"],
        numbers["performance_price"] + numbers["performance_tax"],
    )
    spent = jnp.stack([prices[0] * xs, prices[1] * xp], axis=1)
    if rules.cost is period.quadratic:
        slopes = numbers["safety_price_slope"] * xs**2, numbers["performance_price_slope"] * xp**2
        spent = spent + jnp.stack(slopes, axis=1)
    found: Array = race.weights[0][:, None] * (jnp.stack(rows) - spent)
    return found


def _chances(numbers: Numbers, logs: Array, i: int, others: np.ndarray) -> tuple[Array, Any, Any]:
    """Return the probability that i wins, and if not, those that each other player and nobody wins."""
    rest = logs[others]
    if len(others) == 1 and "ease_of_winning" not in numbers:
        return jax.nn.sigmoid(logs[i] - rest[0]), np.ones(1), 0.0
    if "ease_of_winning" in numbers:
        rest = jnp.append(rest, period.log_nobody(numbers))
    together = jax.nn.logsumexp(rest)
    share = jnp.exp(rest - together)
    nobody = share[len(others)] if "ease_of_winning" in numbers else 0.0
    return jax.nn.sigmoid(logs[i] - together), share[: len(others)], nobody


def _safety_gain(
    risk: object, numbers: Numbers, i: int, sigma: Array, z: Array, safe: Array, own: Array, elsewhere: Array
) -> Array:
    """Return the derivative of the payoff in the own log odds of safety.

    ``own`` and ``elsewhere`` are the stakes of wins by i and by others, times their probabilities.
    """
    bend, w = sigma[i] * (1 - sigma[i]), numbers["safety_weight"]
    if risk is period.winner_only:
        return bend * own
    if risk is period.mixed:
        lost = numbers["loser_weight"]
        return bend * ((1 - lost) * own + lost / (len(z) - 1) * elsewhere)
    if risk is period.additive:
        return w[i] / jnp.sum(w) * bend * (own + elsewhere)
    return w[i] * len(z) / jnp.sum(w) * safe[i] * jax.nn.sigmoid(-z[i]) * (own + elsewhere)


# --- bounds on equilibria ---------------------------------------------------------------------------------


def equilibrium_bounds(race: Race) -> BoundsOfEquilibria:
    """Return inputs between which all equilibria of a race of one period lie.

    Proved for two players, the contest ``ratio`` where somebody always wins, risk ``winner_only`` and linear
    cost, with decreasing returns to safety, in five steps. ``W_i`` and ``l_i`` are the payoffs of a safe win
    and of the worst loss, and ``R_i`` is what safety adds to a win.

    1. Payoffs of both add up to at most a number ``T``. By one strategy each, players are sure of ``v_0`` and
       ``v_1`` against every performance input up to ``D``. If ``v_0 + v_1 > T`` one of them gains by it, so
       at an equilibrium some player i has ``xp_i > D``.
    2. Its payoff must not rise as it lowers ``xp_i``: ``r_p xp_i <= beta m q_i (1-q_i) (W_i - l_i)``. So both
       win with at least the probability ``c = r_p D / [beta m (W_i - l_i)]``, and
    3. the rival's performance is at least ``c^(1/m)`` times that of i. The same inequality for both, with
       ``q (1-q) <= 1/4``, bounds performance inputs from above.
    4. As for safety, ``r_s xs = alpha q sigma (1-sigma) R <= alpha R / 4``.
    5. Since ``sigma (1-sigma) >= exp(-|z|) / 4``, either ``z > 0``, thus ``A xs^alpha > p^theta``, or
       ``r_s xs >= alpha c R A xs^alpha p^-theta / 4``.

    All is computed with outward rounding. Elsewhere the bounds are those of the search, and ``beyond`` says
    why nothing is proved.
    """
    low, high = np.asarray(race.space.zero_threshold), np.asarray(race.space.high)
    whole = partial(BoundsOfEquilibria, low, high)
    if why := _obstacle(race):
        return whole(f"no bounds on equilibria are proved for {why}")
    numbers = _numbers(race)
    trial, beaten = _best_trial(numbers, high)
    surplus, *ends = _enclosed_bounds(numbers, trial, beaten)
    lowest, highest = amounts(*ends)
    if not float(surplus) > 0 or not np.all(np.isfinite(ends)):
        return whole("no bounds on equilibria are proved: winning may not pay")
    if np.any(highest >= high):
        return whole("no bounds on equilibria are proved: they exceed the largest inputs")
    return BoundsOfEquilibria(lowest, highest, "")


def _obstacle(race: Race) -> str:
    """Return the first reason why no bounds are proved, or an empty text."""
    rules, numbers = race.rules, {name: np.asarray(part) for name, part in race.numbers_at(0).items()}
    if not has_slopes_in_logs(race):
        return "several periods, custom parts, the contest 'best' and costs with thresholds"
    dear = (
        numbers["safety_price"] - numbers["safety_subsidy"],
        numbers["performance_price"] + numbers["performance_tax"],
    )
    grows = numbers["prize_per_performance"], numbers["loser_prize_per_performance"]
    able = numbers["safety_productivity"], numbers["performance_productivity"], np.asarray(race.weights)
    conditions = {
        f"{race.players} players; must be 2": race.players == 2,
        f"contest = {period.rule_name(rules.contest)!r}; must be 'ratio'": rules.contest is period.ratio,
        "a contest with ease_of_winning": "ease_of_winning" not in numbers,
        f"risk = {period.rule_name(rules.risk)!r}; must be 'winner_only'": rules.risk is period.winner_only,
        f"cost = {period.rule_name(rules.cost)!r}; must be 'linear'": rules.cost is period.linear,
        "safety_exponent of 1 or more": bool(np.all(numbers["safety_exponent"] < 1)),
        "inputs that cost nothing": all(np.all(price > 0) for price in dear),
        "prizes that grow with performance": not any(np.any(part) for part in grows),
        "productivities or weights of 0": all(np.all(part > 0) for part in able),
    }
    return next((why for why, met in conditions.items() if not met), "")


def _numbers(race: Race) -> dict[str, np.ndarray]:
    """Return the parameters by symbol, ``[player]``, and values of a win and of a loss, safe and not."""
    given = {name: np.asarray(part, dtype=float) for name, part in race.numbers_at(0).items()}
    damages = np.asarray(given["disaster_cost"])
    harm = np.broadcast_to(damages if damages.ndim == 2 else damages[:, None], (2, 2))
    loser = given["loser_prize"]
    return {
        "A": given["safety_productivity"],
        "B": given["performance_productivity"],
        "alpha": given["safety_exponent"],
        "beta": given["performance_exponent"],
        "theta": given["scale_penalty"],
        "m": np.full(2, given["decisiveness"]),
        "win": given["prize"],
        "lose": loser[::-1].copy() if race.rules.loser_prize_basis == "winner" else loser,
        "keep": given["prize_survives"],
        "harm_win": np.diagonal(harm).copy(),
        "harm_loss": harm[[0, 1], [1, 0]],
        "liability": given["liability"],
        "alone": np.asarray(period.without_winner(race.rules, given)),
        "price_s": given["safety_price"],
        "subsidy": given["safety_subsidy"],
        "price_p": given["performance_price"],
        "tax": given["performance_tax"],
    }


def _sure_payoffs(at: dict[str, Any], trial: Any, beaten: object) -> tuple[Any, Any, Any, Any]:
    """Return sure payoffs, the largest sum of payoffs, stakes ``R`` and spans ``W - l``, ``[.. player]``.

    ``trial [player axis]`` holds logarithms of the inputs of a deviation, ``beaten`` that of the largest
    performance input of the rival.
    """
    harm = at["harm_win"] + at["liability"]
    unsafe_win, unsafe_loss = at["keep"] * at["win"] - harm, at["keep"] * at["lose"] - at["harm_loss"]
    stake = (1 - at["keep"]) * at["win"] + harm
    worst = jnp.minimum(at["lose"], unsafe_loss)
    sums = [at["win"] + at["lose"][::-1], unsafe_win + unsafe_loss[::-1]]
    total = jnp.maximum(jnp.maximum(jnp.max(sums[0]), jnp.max(sums[1])), jnp.sum(at["alone"]))
    log_p = jnp.log(at["B"]) + at["beta"] * trial[..., 1]
    rival = (jnp.log(at["B"]) + at["beta"] * beaten)[::-1]
    sigma = jax.nn.sigmoid(jnp.log(at["A"]) + at["alpha"] * trial[..., 0] - at["theta"] * log_p)
    chance = jax.nn.sigmoid(at["m"] * (log_p - rival))
    value = unsafe_win + stake * sigma
    spent = (at["price_s"] - at["subsidy"]) * jnp.exp(trial[..., 0])
    spent = spent + (at["price_p"] + at["tax"]) * jnp.exp(trial[..., 1])
    sure = jnp.minimum(value, worst + chance * (value - worst)) - spent
    return sure, total, stake, at["win"] - worst


def _bounds(at: dict[str, Any], trial: object, beaten: Any) -> tuple[Any, Any, Any]:
    """Return ``v_0 + v_1 - T`` and the logarithms of the bounds, ``[player axis]`` each."""
    sure, total, stake, span = _sure_payoffs(at, trial, beaten)
    price_s, price_p = at["price_s"] - at["subsidy"], at["price_p"] + at["tax"]
    log_a, log_b = jnp.log(at["A"]), jnp.log(at["B"])
    reach = jnp.log(at["beta"] * at["m"] * span / price_p)  # xp < exp(reach) q (1-q)
    chance = beaten - reach
    follow = (chance / at["m"] + log_b + at["beta"] * beaten)[::-1]  # the rival's ln p, at least
    low_p = jnp.minimum(beaten, (follow - log_b) / at["beta"])
    high_p = reach - jnp.log(4.0)
    worth = jnp.log(at["alpha"] * stake / (4 * price_s))
    unsafe = worth + jnp.min(chance) + log_a - at["theta"] * (log_b + at["beta"] * high_p)
    safe = at["theta"] * (log_b + at["beta"] * low_p) - log_a
    low_s = jnp.minimum(unsafe / (1 - at["alpha"]), safe / at["alpha"])
    ends = jnp.stack([low_s, low_p], axis=1), jnp.stack([worth, high_p], axis=1)
    return jnp.sum(sure) - total, *ends


@partial(compiled, effort=0)
def _enclosed_bounds(numbers: dict[str, Any], trial: object, beaten: object) -> tuple[Any, Any, Any]:
    """Return lower bounds on the first two numbers of `_bounds`, and upper bounds on the last."""
    names = list(numbers)

    def flat(*given: object) -> tuple[Any, Any, Any]:
        return _bounds(dict(zip(names, given[:-2], strict=True)), *given[-2:])

    given = [jnp.asarray(part) for part in (*numbers.values(), trial, beaten)]
    (surplus, low, high), _ = enclose(flat, *given)(*(Interval(part, part) for part in given))
    return surplus.low, low.low, high.high


def _best_trial(numbers: dict[str, np.ndarray], high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the deviations ``[player axis]`` that pay against the largest inputs, and the log of these."""
    top = np.log(np.min(high))
    line = np.linspace(np.log(SMALLEST_TRIAL), top, TRIALS)
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    sizes = np.linspace(top, 2 * np.log(SMALLEST_TRIAL), SIZES)
    surplus, first = (np.asarray(part) for part in _surpluses(numbers, grid, sizes))
    paying = np.argmax(surplus > 0)  # the first size, that is the smallest bound, if none pays
    return grid[first[paying], 0], np.asarray(sizes[paying])


@partial(compiled, effort=0)
def _surpluses(numbers: dict[str, Any], grid: object, sizes: Any) -> tuple[Any, Any]:
    """Return ``v_0 + v_1 - T`` of the best deviations ``[size]``, and their indices ``[size player]``."""

    def one(size: Array) -> tuple[Array, Array]:
        sure, total, _, _ = _sure_payoffs(numbers, grid, size)
        return jnp.sum(jnp.max(sure, axis=0)) - total, jnp.argmax(sure, axis=0)

    found: tuple[Array, Array] = jax.vmap(one)(sizes)
    return found
