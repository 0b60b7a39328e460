"""One period of a race, in logarithms: production, contest, risk, payoffs, and the technology after it.

Every function takes the period's parameters by name, arrays ``[player]`` of one period, and is plain JAX. The
names in `KINDS` stand for functions that custom functions may replace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from rivalry.core.space import PerPlayer, Scalar
from rivalry.runtime.jax import jax, jnp

TRACE = 1e-150  # its square has a reciprocal
Numbers = Mapping[str, Array]
Stocks = Float[Array, "stock player"]  # the productivities A and B
Row = Float[Array, "player column"]  # the inputs of one period


class Rules(NamedTuple):
    """The functions and options of a race that are chosen by name.

    Hashable, so that compiled programs are reused.
    """

    production: Callable[[PerPlayer, PerPlayer, Numbers], tuple[PerPlayer, PerPlayer]]
    contest: Callable[[PerPlayer, PerPlayer, Numbers], PerPlayer]
    risk: Callable[[PerPlayer, PerPlayer, Numbers], PerPlayer]
    cost: Callable[[PerPlayer, PerPlayer, PerPlayer, Numbers], PerPlayer]
    loser_prize_basis: str = "own"
    no_winner: str = "value"
    measured_by: str = "odds"


class Outcome(NamedTuple):
    """The results of a period's inputs, conditional on the period being reached."""

    log_s: PerPlayer  # ln of effort safety
    log_p: PerPlayer  # ln of performance
    z: PerPlayer  # log odds that the own technology is safe
    sigma: PerPlayer  # the same as a probability
    q: PerPlayer  # win probability
    nobody: Scalar  # probability that nobody wins
    S: PerPlayer  # probability that no disaster happens, by winner
    safe: Scalar  # probability of a safe win
    disaster: Scalar
    cost: PerPlayer
    u: PerPlayer  # payoff


def rule_name(rule: Any) -> str:
    """Return the name of a function, or the class of another object that can be called."""
    try:
        return str(rule.__name__)
    except AttributeError:
        return type(rule).__name__


def log(x: Array) -> Array:
    """Return the logarithm; minus infinity at 0, with slope 0."""
    # a small number in place of 0, not 1: bounds on small amounts that may be 0 remain small
    return jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, TRACE)), -jnp.inf)


def outcome(rules: Rules, numbers: Numbers, xs: PerPlayer, xp: PerPlayer) -> Outcome:
    """Return all results of a period at safety inputs ``xs`` and performance inputs ``xp``."""
    log_s, log_p = rules.production(xs, xp, numbers)
    is_built = log_p > -jnp.inf
    theta = numbers["scale_penalty"]
    # 0 times minus infinity would be NaN
    spoiled = jnp.where(theta > 0, theta * jnp.where(is_built, log_p, 0.0), 0.0)
    # without performance there is no technology that could fail
    z = jnp.where((theta > 0) & ~is_built, jnp.inf, log_s - spoiled)
    sigma = jax.nn.sigmoid(z)
    p = jnp.exp(log_p)
    q = rules.contest(log_p, p, numbers)
    p_nobody = no_winner(rules, numbers, log_p, p, q)
    safety = rules.risk(z, sigma, numbers)
    unsafe = complement(rules, z, safety)
    cost = rules.cost(xs, xp, z if rules.measured_by == "odds" else log_s, numbers)
    u = gains(rules, numbers, p, q, p_nobody, safety, unsafe) - cost
    disaster = jnp.sum(q * unsafe)
    if rules.no_winner == "disaster":
        disaster = disaster + p_nobody
    return Outcome(log_s, log_p, z, sigma, q, p_nobody, safety, jnp.sum(q * safety), disaster, cost, u)


def complement(rules: Rules, z: PerPlayer, safety: PerPlayer) -> PerPlayer:
    """Return ``1 - S``, without cancellation where only the winner's own safety counts."""
    return jax.nn.sigmoid(-z) if rules.risk is winner_only else 1 - safety


def gains(
    rules: Rules,
    numbers: Numbers,
    p: PerPlayer,
    q: PerPlayer,
    p_nobody: Array,
    safe: PerPlayer,
    unsafe: PerPlayer,
) -> PerPlayer:
    """Return payoffs before costs, ``sum_j q_j [S_j rho_ij + (1-S_j)(keep_i rho_ij - d_ij)] + q_0 v_i``."""
    rho, d = rewards(rules, numbers, p), damages(numbers, len(p))
    payoffs_of_wins = safe * rho + unsafe * (numbers["prize_survives"][:, None] * rho - d)
    # 0 times an infinite prize would be NaN
    won = jnp.sum(jnp.where(q > 0, q * jnp.where(q > 0, payoffs_of_wins, 0.0), 0.0), axis=1)
    return won + p_nobody * without_winner(rules, numbers)


def without_winner(rules: Rules, numbers: Mapping[str, Any]) -> Any:
    """Return each player's payoff if nobody wins; nobody is liable then."""
    if rules.no_winner != "disaster":
        return numbers["no_winner"]
    d = numbers["disaster_cost"]
    return -(jnp.diagonal(d) if d.ndim == 2 else d)


def rewards(rules: Rules, numbers: Numbers, p: PerPlayer) -> Float[Array, "player winner"]:
    """Return ``rho_ij``, the payoff of player i if j wins without a disaster."""
    win = numbers["prize"] + numbers["prize_per_performance"] * p
    lose = numbers["loser_prize"] + numbers["loser_prize_per_performance"] * p
    losses = lose[None, :] if rules.loser_prize_basis == "winner" else lose[:, None]
    return jnp.where(jnp.eye(len(p), dtype=bool), win[:, None], losses)


def damages(numbers: Numbers, players: int) -> Float[Array, "player winner"]:
    """Return ``d_ij``, the loss of player i if j wins with a disaster, the winner's liability included."""
    d = numbers["disaster_cost"]
    matrix = d if d.ndim == 2 else jnp.broadcast_to(d[:, None], (players, players))
    return matrix + jnp.diag(numbers["liability"])


# --- production -------------------------------------------------------------------------------------------


def power(xs: PerPlayer, xp: PerPlayer, numbers: Numbers) -> tuple[PerPlayer, PerPlayer]:
    """Return the power production ``s = A xs^alpha``, ``p = B xp^beta``, in logarithms."""
    log_s = log(numbers["safety_productivity"]) + numbers["safety_exponent"] * log(xs)
    return log_s, log(numbers["performance_productivity"]) + numbers["performance_exponent"] * log(xp)


# --- contest success functions: (log p, p, numbers) -> win probabilities ------------------------------------


def ratio(log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return the ratio contest ``q_j = p_j^m / (sum p^m + 1/kappa)`` (Tullock 1980).

    Without kappa somebody always wins.
    """
    return _probabilities(_ratio_logs(log_p, p, numbers), numbers)[:-1]


def _ratio_logs(log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
    return jnp.where(log_p > -jnp.inf, numbers["decisiveness"] * log_p, -jnp.inf)


def logit(log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return the logit contest, ``q_j`` proportional to ``exp(m p_j)`` (Hirshleifer 1989).

    Players without performance take part: ``1/n`` each if nobody performs.
    """
    return _probabilities(_logit_logs(log_p, p, numbers), numbers)[:-1]


def _logit_logs(log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
    return numbers["decisiveness"] * p


def no_winner(rules: Rules, numbers: Numbers, log_p: PerPlayer, p: PerPlayer, q: PerPlayer) -> Scalar:
    """Return the probability that nobody wins."""
    if rules.contest not in (ratio, logit):
        return jnp.maximum(1 - jnp.sum(q), 0.0)  # rounding may lift the sum above 1
    logs = _ratio_logs if rules.contest is ratio else _logit_logs
    # the weight of no winner itself: a difference would be rounded, and its bound at 0 is a kink
    return _probabilities(logs(log_p, p, numbers), numbers)[-1]


def log_nobody(numbers: Numbers) -> Scalar:
    """Return the logarithm of the weight of no winner, 1/kappa; minus infinity where somebody always wins."""
    return -jnp.log(numbers["ease_of_winning"]) if "ease_of_winning" in numbers else jnp.asarray(-jnp.inf)


def _probabilities(logs: PerPlayer, numbers: Numbers) -> Float[Array, "row"]:
    """Return the probabilities that each player and nobody wins; nobody wins where all weights are 0."""
    rows = jnp.append(logs, log_nobody(numbers))
    top = jnp.max(rows)
    top = jax.lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0.0))
    # nobody's weight apart: a comparison of minus infinity with itself counts as a kink in proofs
    present = jnp.append(logs > -jnp.inf, log_nobody(numbers) > -jnp.inf)
    parts = jnp.where(present, jnp.exp(rows - top), 0.0)
    # a weight of nobody and not another divisor: intervals then know shares, which are between 0 and 1; it is
    # 1, as the exponential of a shift of 0, so that shares can be seen not to depend on the shift
    only_nobody = jnp.where(jnp.arange(len(rows)) == len(rows) - 1, jnp.exp(-top), 0.0)
    parts = jnp.where(jnp.any(present), parts, only_nobody)
    return parts / jnp.sum(parts, keepdims=True)


def best(log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return win probabilities where the highest performance wins.

    Ties are split, and nobody wins at performance 0.
    """
    is_highest = (log_p == jnp.max(log_p)) & (log_p > -jnp.inf)
    return is_highest / jnp.maximum(jnp.sum(is_highest), 1)


# --- risk: (z, sigma, numbers) -> probability that no disaster happens, by winner ---------------------------


def winner_only(z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return the winner's own safety."""
    return sigma


def multiplicative(z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return ``exp[(n / sum w) sum_k w_k ln sigma_k]`` for every winner; zero weights are skipped."""
    w = numbers["safety_weight"]
    counted = w > 0
    # where nothing counts, 0 times the logarithm of no safety would be NaN
    logs = jnp.where(counted, -jax.nn.softplus(-jnp.where(counted, z, 0.0)), 0.0)
    together = jnp.sum(w * logs) * len(z) / jnp.sum(w)
    return jnp.broadcast_to(jnp.exp(together), z.shape)


def additive(z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return ``sum w_k sigma_k / sum w`` for every winner."""
    w = numbers["safety_weight"]
    return jnp.broadcast_to(jnp.sum(w * sigma) / jnp.sum(w), z.shape)


def mixed(z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return ``(1-lam) sigma_j + lam`` times the mean safety of the losers."""
    rivals = (jnp.sum(sigma) - sigma) / (len(z) - 1)
    return (1 - numbers["loser_weight"]) * sigma + numbers["loser_weight"] * rivals


# --- cost: (xs, xp, log of certified safety, numbers) -> cost per player ------------------------------------


def input_prices(numbers: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the prices of safety and of performance inputs, taxes and subsidies included."""
    price_p = numbers["performance_price"] + numbers["performance_tax"]
    return numbers["safety_price"] - numbers["safety_subsidy"], price_p


def linear(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return ``r_s xs + r_p xp``, less the subsidy on safety, with the tax on performance."""
    price_s, price_p = input_prices(numbers)
    return price_s * xs + price_p * xp


def quadratic(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return the linear cost plus ``r2_s xs^2/2 + r2_p xp^2/2``."""
    on_safety = linear(xs, xp, safety, numbers) + numbers["safety_price_slope"] * xs**2 / 2
    return on_safety + numbers["performance_price_slope"] * xp**2 / 2


def certification(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return the cost at one price of both inputs, lower for players whose safety is at least ``s_min``."""
    is_safe = safety >= log(numbers["minimum"])
    return jnp.where(is_safe, numbers["certified_price"], numbers["price"]) * (xs + xp)


def relative_certification(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return the same where the threshold is the mean safety of the others plus a margin."""
    level = jnp.exp(safety)
    rivals = jnp.stack([jnp.mean(jnp.delete(level, k)) for k in range(len(level))])
    is_safe = level >= rivals + numbers["margin"]
    return jnp.where(is_safe, numbers["certified_price"], numbers["price"]) * (xs + xp)


def penalty(xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
    """Return the cost at one price of both inputs, plus a fine for those whose safety is below ``s_min``."""
    fined = jnp.where(safety >= log(numbers["minimum"]), 0.0, numbers["fine"])
    return numbers["price"] * (xs + xp) + fined


KINDS: dict[str, dict[str, Callable[..., Any]]] = {
    "production": {"power": power},
    "contest": {rule.__name__: rule for rule in (ratio, logit, best)},
    "risk": {rule.__name__: rule for rule in (winner_only, multiplicative, additive, mixed)},
    "cost": {
        rule.__name__: rule for rule in (linear, quadratic, certification, relative_certification, penalty)
    },
}
"""The built-in functions by part and kind; the name of a kind is that of its function."""
BUILT_IN = frozenset(rule for rules in KINDS.values() for rule in rules.values())


# --- technology over periods: investment, depreciation and sharing -----------------------------------------


def spillover_gain(stock: PerPlayer, shared: PerPlayer, spillover: str) -> PerPlayer:
    """Return the productivity that each player receives from the others' leads.

    ``stock`` is the productivity at the start of the period, ``shared`` the fraction of its lead that each
    player shares, in [0, 1]. With ``sum``, the shared fractions of all leads add up; with three or more
    players a laggard may overtake the leader. With ``max``, the largest of them counts. With ``union``, a
    level of technology is known to a laggard if any player above it shares it, ``integral from K_i of 1 -
    prod_{j: K_j > l} (1 - phi_j)``; a laggard never overtakes the leader.

    Examples
    --------
    >>> stock, shared = jnp.array([10.0, 9.0, 2.0]), jnp.array([0.9, 0.9, 0.5])
    >>> [spillover_gain(stock, shared, rule).round(2).tolist() for rule in ("sum", "max", "union")]
    [[0.0, 0.9, 13.5], [0.0, 0.9, 7.2], [0.0, 0.9, 7.83]]
    """
    lead = jnp.maximum(stock[None, :] - stock[:, None], 0.0)
    if spillover != "union":
        received = shared[None, :] * lead
        return jnp.sum(received, axis=1) if spillover == "sum" else jnp.max(received, axis=1)
    order = jnp.argsort(stock)
    levels = stock[order]  # between two neighbouring levels the same players are above
    # after the k-th stock, those from k+1 on are above
    unknown = jnp.cumprod((1 - shared[order])[::-1])[::-1]
    steps = jnp.diff(levels) * (1 - unknown[1:])
    below = jnp.append(jnp.cumsum(steps[::-1])[::-1], 0.0)
    return jnp.zeros_like(stock).at[order].set(below)
