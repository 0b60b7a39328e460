"""One period of a race, in logarithms: production, contest, risk, payoffs, and the technology after it.

Every function takes the period's numbers by name, ``[player]`` arrays of one period, and is plain JAX. The
words of `CONTESTS`, `RISKS` and `COSTS` name functions that a function of one's own may replace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp

Numbers = Mapping[str, Array]
PerPlayer = Float[Array, "player"]


class Rules(NamedTuple):
    """What is chosen by a word, or is a function of one's own; hashable, so that programs are reused."""

    production: Callable[[PerPlayer, PerPlayer, Numbers], tuple[PerPlayer, PerPlayer]]
    csf: Callable[[PerPlayer, PerPlayer, Numbers], PerPlayer]
    risk: Callable[[PerPlayer, PerPlayer, Numbers], PerPlayer]
    cost: Callable[[PerPlayer, PerPlayer, PerPlayer, Numbers], PerPlayer]
    lose_index: str = "own"
    no_win: str = "value"
    on: str = "odds"


class Outcome(NamedTuple):
    """What a period's inputs lead to; chances are given that the period is reached."""

    log_s: PerPlayer  # effort safety, in logarithms
    log_p: PerPlayer  # performance
    z: PerPlayer  # log odds that one's own technology is safe
    sigma: PerPlayer
    q: PerPlayer  # chance to win
    nobody: Float[Array, ""]  # chance that nobody wins
    S: PerPlayer  # chance that the winner's technology ends well, by winner
    safe: Float[Array, ""]
    disaster: Float[Array, ""]
    cost: PerPlayer
    u: PerPlayer


def ours(rule: Callable[..., object]) -> bool:
    """Whether a rule is one of this module's, not a function of one's own."""
    return getattr(rule, "__module__", "") == __name__


def log(x: Array) -> Array:
    """The logarithm, minus infinity at 0 with slope 0 there."""
    return jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), -jnp.inf)


def outcome(rules: Rules, numbers: Numbers, xs: PerPlayer, xp: PerPlayer) -> Outcome:
    """Everything about a period in which safety inputs ``xs`` and performance inputs ``xp`` are played."""
    log_s, log_p = rules.production(xs, xp, numbers)
    built = log_p > -jnp.inf
    theta = numbers["scale_penalty"]
    spoiled = jnp.where(theta > 0, theta * jnp.where(built, log_p, 0.0), 0.0)
    # nothing built, nothing dangerous
    z = jnp.where((theta > 0) & ~built, jnp.inf, log_s - spoiled)
    sigma = jax.nn.sigmoid(z)
    p = jnp.exp(log_p)
    q = rules.csf(log_p, p, numbers)
    nobody = jnp.maximum(1 - jnp.sum(q), 0.0)
    safety = rules.risk(z, sigma, numbers)
    cost = rules.cost(xs, xp, z if rules.on == "odds" else log_s, numbers)
    unsafe = jnp.sum(q * _complement(rules, z, safety))
    u = gains(rules, numbers, p, q, nobody, safety, _complement(rules, z, safety)) - cost
    disaster = unsafe + nobody if rules.no_win == "disaster" else unsafe
    return Outcome(log_s, log_p, z, sigma, q, nobody, safety, jnp.sum(q * safety), disaster, cost, u)


def _complement(rules: Rules, z: PerPlayer, safety: PerPlayer) -> PerPlayer:
    """``1 - S``, without cancellation where the winner's own safety is all that counts."""
    return jax.nn.sigmoid(-z) if rules.risk is winner_only else 1 - safety


def gains(
    rules: Rules,
    numbers: Numbers,
    p: PerPlayer,
    q: PerPlayer,
    nobody: Array,
    safe: PerPlayer,
    unsafe: PerPlayer,
) -> PerPlayer:
    """Before costs: ``sum_j q_j [S_j rho_ij + (1-S_j)(keep_i rho_ij - d_ij)] + q_0 v_i``."""
    rho, d = rewards(rules, numbers, p), damages(numbers, len(p))
    each = safe * rho + unsafe * (numbers["prize_survives"][:, None] * rho - d)
    # a chance of zero counts nothing, whatever the prize
    won = jnp.sum(jnp.where(q > 0, q * jnp.where(q > 0, each, 0.0), 0.0), axis=1)
    alone = -jnp.diagonal(d) if rules.no_win == "disaster" else numbers["no_winner"]
    return won + nobody * alone


def rewards(rules: Rules, numbers: Numbers, p: PerPlayer) -> Float[Array, "player winner"]:
    """``rho_ij``: what i gets when j wins and all ends well."""
    win = numbers["prize"] + numbers["prize_per_performance"] * p
    lose = numbers["loser_prize"] + numbers["loser_prize_per_performance"] * p
    own = jnp.eye(len(p), dtype=bool)
    return jnp.where(own, win[:, None], lose[None, :] if rules.lose_index == "winner" else lose[:, None])


def damages(numbers: Numbers, players: int) -> Float[Array, "player winner"]:
    """``d_ij``: what i loses when j wins and it ends in disaster, liability of the winner included."""
    d = numbers["disaster_cost"]
    every = d if d.ndim == 2 else jnp.broadcast_to(d[:, None], (players, players))
    return every + jnp.diag(numbers["liability"])


# --- production -------------------------------------------------------------------------------------------


def power(xs: PerPlayer, xp: PerPlayer, numbers: Numbers) -> tuple[PerPlayer, PerPlayer]:
    """``s = A xs^alpha``, ``p = B xp^beta``, in logarithms."""
    return (
        log(numbers["safety_productivity"]) + numbers["safety_exponent"] * log(xs),
        log(numbers["performance_productivity"]) + numbers["performance_exponent"] * log(xp),
    )


# --- contest success functions: (log p, p, numbers) -> chances ----------------------------------------------


def ratio(log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
    """``q_j = p_j^m / (sum p^m + 1/kappa)`` (Tullock 1980); without kappa somebody always wins."""
    return _odds(jnp.where(log_p > -jnp.inf, numbers["decisiveness"] * log_p, -jnp.inf), numbers)


def logit(log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
    """``q_j`` in proportion to ``exp(m p_j)`` (Hirshleifer 1989); 0 for everybody where nothing is built."""
    logs = numbers["decisiveness"] * p
    if "ease_of_winning" not in numbers:
        logs = jnp.where(jnp.any(p > 0), logs, -jnp.inf)
    return _odds(logs, numbers)


def _odds(logs: PerPlayer, numbers: Numbers) -> PerPlayer:
    nobody = -jnp.log(numbers["ease_of_winning"]) if "ease_of_winning" in numbers else jnp.asarray(-jnp.inf)
    rows = jnp.append(logs, nobody)
    top = jax.lax.stop_gradient(jnp.max(rows))
    top = jnp.where(top > -jnp.inf, top, 0.0)
    there = rows > -jnp.inf
    parts = jnp.where(there, jnp.exp(jnp.where(there, rows, top) - top), 0.0)
    total = jnp.sum(parts)
    return jnp.where(total > 0, parts[:-1] / jnp.where(total > 0, total, 1.0), 0.0)


def best(log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
    """The highest performance wins, ties are split; nobody wins where nothing is built."""
    first = (log_p == jnp.max(log_p)) & (log_p > -jnp.inf)
    return first / jnp.maximum(jnp.sum(first), 1)


# --- risk: (z, sigma, numbers) -> chance that all ends well, by winner --------------------------------------


def winner_only(z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
    """The winner's own safety."""
    return sigma


def multiplicative(z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
    """``exp[(n / sum w) sum_k w_k ln sigma_k]``, whoever wins; zero weights are skipped."""
    w = numbers["safety_weight"]
    counted = w > 0
    logs = jnp.where(counted, -jax.nn.softplus(-jnp.where(counted, z, 0.0)), 0.0)
    together = jnp.sum(w * logs) * len(z) / jnp.sum(w)
    return jnp.broadcast_to(jnp.exp(together), z.shape)


def additive(z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
    """``sum w_k sigma_k / sum w``, whoever wins."""
    w = numbers["safety_weight"]
    return jnp.broadcast_to(jnp.sum(w * sigma) / jnp.sum(w), z.shape)


def mixed(z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
    """``(1-lam) sigma_j + lam`` times the mean of the losers' safety."""
    others = (jnp.sum(sigma) - sigma) / (len(z) - 1)
    return (1 - numbers["loser_weight"]) * sigma + numbers["loser_weight"] * others


# --- cost: (xs, xp, log of what is certified, numbers) -> what each pays ------------------------------------


def linear(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """``r_s xs + r_p xp``, less the subsidy on safety and with the tax on performance."""
    return (numbers["safety_price"] - numbers["safety_subsidy"]) * xs + (
        numbers["performance_price"] + numbers["performance_tax"]
    ) * xp


def quadratic(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """The linear cost and ``r2_s xs^2/2 + r2_p xp^2/2``."""
    return (
        linear(xs, xp, safety, numbers)
        + numbers["safety_price_slope"] * xs**2 / 2
        + numbers["performance_price_slope"] * xp**2 / 2
    )


def certification(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """A unit price on both inputs, lower for those whose safety is at least ``s_min``."""
    return jnp.where(safety >= log(numbers["minimum"]), numbers["certified_price"], numbers["price"]) * (
        xs + xp
    )


def relative_certification(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """The same, the threshold being the mean safety of the others and a margin."""
    level = jnp.exp(safety)
    others = jnp.stack([jnp.mean(jnp.delete(level, k)) for k in range(len(level))])
    met = level >= others + numbers["margin"]
    return jnp.where(met, numbers["certified_price"], numbers["price"]) * (xs + xp)


def penalty(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """A unit price on both inputs, and a fine for those whose safety is below ``s_min``."""
    fined = jnp.where(safety >= log(numbers["minimum"]), 0.0, numbers["fine"])
    return numbers["price"] * (xs + xp) + fined


CONTESTS = {"ratio": ratio, "logit": logit, "best": best}
RISKS = {
    "winner_only": winner_only,
    "multiplicative": multiplicative,
    "additive": additive,
    "mixed": mixed,
}
COSTS = {
    "linear": linear,
    "quadratic": quadratic,
    "certification": certification,
    "relative_certification": relative_certification,
    "penalty": penalty,
}
SPILLS = ("sum", "max", "union")


# --- technology over periods: investment, depreciation, and what players give away of their lead -----------


def advanced(
    stock: Float[Array, "player"],
    invested: Float[Array, "player"],
    given: Float[Array, "player"] | None,
    depreciation: Float[Array, "player"],
    spill: str,
) -> Float[Array, "player"]:
    """The stock after a period: what is left of it, what was invested, and what others gave away.

    ``given`` is the fraction that each gives away of its lead, in [0, 1]; the lead is that of the period's
    start, so what is invested today is shared tomorrow.
    """
    after = (1 - depreciation) * stock + invested
    return after if given is None else after + received(stock, given, spill)


def received(
    stock: Float[Array, "player"], given: Float[Array, "player"], spill: str
) -> Float[Array, "player"]:
    """What each player gets of the others' leads.

    ``sum``: from everybody ahead, the fraction of the lead; with three players or more a laggard may pass
    the leader. ``max``: the largest of these. ``union``: a level is known to the laggard if anybody above it
    tells, ``integral from K_i of 1 - prod_{j: K_j > l} (1 - phi_j)``; it never passes the leader.

    >>> stock, given = jnp.array([10.0, 9.0, 2.0]), jnp.array([0.9, 0.9, 0.5])
    >>> [received(stock, given, spill).round(2).tolist() for spill in SPILLS]
    [[0.0, 0.9, 13.5], [0.0, 0.9, 7.2], [0.0, 0.9, 7.83]]
    """
    lead = jnp.maximum(stock[None, :] - stock[:, None], 0.0)
    if spill == "union":
        return _union(stock, given)
    each = given[None, :] * lead
    return jnp.sum(each, axis=1) if spill == "sum" else jnp.max(each, axis=1)


def _union(stock: Array, given: Array) -> Array:
    """The union rule: between two neighbouring stocks the same players are above."""
    order = jnp.argsort(stock)
    levels = stock[order]
    # after the k-th stock, those from k+1 on are above
    kept = jnp.cumprod((1 - given[order])[::-1])[::-1]
    steps = jnp.diff(levels) * (1 - kept[1:])
    below = jnp.append(jnp.cumsum(steps[::-1])[::-1], 0.0)
    return jnp.zeros_like(stock).at[order].set(below)


def fraction(share: Array, units: str) -> Array:
    """The fraction of a lead that a sharing input gives away: itself, or ``1 - exp(-x)`` of a rate x."""
    return share if units == "fraction" else -jnp.expm1(-share)


def stock_paths(
    start: Any, invested: Any, given: Any, depreciation: Any, spill: str
) -> Float[Array, "stage player"]:
    """The stock at the start of every period and after the last, ``[stage player]``.

    ``invested``, ``depreciation`` and ``given`` (or None) are ``[period player]``.
    """

    def period(stock: Array, inputs: Any) -> tuple[Array, Array]:
        put_in, share, lost = inputs
        return advanced(stock, put_in, share, lost, spill), stock

    last, before = jax.lax.scan(period, start, (invested, given, depreciation))
    return jnp.concatenate([before, last[None]])
