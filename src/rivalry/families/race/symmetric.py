"""Symmetric first-order points of one period of a race in closed form, and the slopes of safety at them.

At equal actions the two own derivatives, in logarithms, vanish where

    r_s xs = alpha G,    r_p xp = beta {m q [(1-q) a - (n-1) q b] - theta G},

with ``a`` and ``b`` the values of an own win and of another's, less that of no winner, and ``G`` the gain per
unit of the own log odds: what safety adds to the value of a win, times ``q sigma (1-sigma)`` or, where all
must be safe, times ``q sigma^n (1-sigma)``. The first equation gives the log odds at a given ``ln xp``; the
second is solved in ``ln xp``, since a root may have almost no performance. A point is a candidate: not every
one is an equilibrium.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.core.payoffs import payoffs
from rivalry.core.roots import zero
from rivalry.families.race import rules as of_race
from rivalry.families.race.model import Race
from rivalry.runtime.jax import concrete_module, jax, jnp, seldom
from rivalry.schema.registry import near

DEEP, POINTS = 660.0, 3000  # of the scan in ln xp: its range, and its points, which are closest at the top
BEND = 20.0  # in ln xp: so far below the top the points begin to spread
ROUNDS = 100  # of Newton's method; a handful are used

Numbers = dict[str, Any]


class Point(NamedTuple):
    """A symmetric point at which both own derivatives vanish."""

    safety_input: float
    performance_input: float
    technology_safety: float
    win_probability: float  # of one player
    p_safe: float
    payoff: float
    idle_payoff: float  # of a player that spends nothing against the others at this point
    is_nash: bool  # idling does not pay: necessary, no proof


def symmetric_equilibria(game: Race) -> list[Point]:
    """Return all interior symmetric first-order points of a one-period race.

    If some player always wins, risk is ``winner_only``, ``safety_exponent`` is below 1 and winning beats
    losing, there is exactly one. Otherwise roots are searched on a grid, and there may be several or none.
    ``is_nash`` compares with idling only; certify a point before calling it an equilibrium.

    Parameters
    ----------
    game : Race
        A race of one period with identical players and built-in parts.

    Returns
    -------
    list of Point
        Inputs, safety, payoff and ``is_nash`` of each; those from which idling does not pay first.

    Raises
    ------
    ValueError
        For players that differ, with the first parameter in which they do, for several periods, and for parts
        without a closed form.

    Examples
    --------
    >>> import rivalry as rv
    >>> (point,) = symmetric_equilibria(rv.games.race())
    >>> round(point.safety_input, 6), round(point.performance_input, 6), round(point.p_safe, 6), point.is_nash
    (0.87079, 0.533848, 0.775394, True)
    """
    numbers = _common_numbers(game)
    points = [_point(game, numbers, *root) for root in _roots(numbers)]
    return sorted(points, key=lambda point: (not point.is_nash, -point.payoff))


def profiles(game: Race) -> ndarray:
    """Return the points of `symmetric_equilibria` as profiles ``[root player axis]``."""
    inputs = [point[:2] for point in symmetric_equilibria(game)]
    return np.tile(np.reshape(inputs, (-1, 1, 2)), (1, game.players, 1))


def _point(game: Race, numbers: Numbers, y: float, z: float) -> Point:
    terms = _terms(numbers, y, z)
    xs, xp, q = float(np.exp(terms.log_xs)), float(np.exp(y)), float(terms.q)
    x = np.tile([xs, xp], (game.players, 1))
    payoff = float(payoffs(game, x)[0])
    x[0] = 0.0
    idle_payoff = float(payoffs(game, x)[0])
    p_safe = game.players * q * float(terms.safe)
    return Point(xs, xp, _sigma(z), q, p_safe, payoff, idle_payoff, payoff >= idle_payoff)


def _sigma(z: float) -> float:
    return float(np.exp(-np.logaddexp(0.0, -z)))


# --- the race of identical players --------------------------------------------------------------------------


def _refuse(purpose: str, conditions: Mapping[str, bool]) -> None:
    """Raise `ValueError` with the first condition that is not met."""
    for reason, is_met in conditions.items():
        if not is_met:
            raise ValueError(f"{reason}, for {purpose}")


def _common_numbers(game: Race) -> Numbers:
    """Return the numbers of identical players. Raises `ValueError`; see `symmetric_equilibria`.

    Prices include taxes and subsidies. Beside the parameters there are the number of ``players``, of them the
    ``links`` that must be safe, the cost of a disaster after another's win, and ``loser_weight``, that of
    others' safety in the probability that a win is safe.
    """
    n, rules, rows = game.players, game.rules, dict(game.numbers_at(0))
    length = "inf" if game.infinite_horizon else game.periods
    solvable = of_race.KINDS | {"contest": {"ratio": of_race.Ratio}, "cost": {"linear": of_race.Linear}}
    conditions = {
        f"horizon: {length} must be 1": length == 1,
        "invest: must be false": len(game.columns) == 2,
    }
    ends_alike = game.end_on != "disaster" or not np.any(game.ahead)
    conditions[f"end_on: {game.end_on} must be none or win where play goes on"] = ends_alike
    for part, kinds in solvable.items():
        rule = getattr(rules, part)
        reason = f"{part}: {of_race.rule_name(rule)} has no closed form; known: {', '.join(kinds)}"
        conditions[reason] = rule in kinds.values()
    _refuse("a closed form", conditions)
    harm = np.asarray(rows.pop("disaster_cost"))
    harm = harm if harm.ndim == 2 else np.tile(harm[:, None], n)
    own_harm, rival_harm = np.diagonal(harm), harm[~np.eye(n, dtype=bool)]
    rows |= {"gamma or period_weights": game.weights, "ahead": game.ahead}
    numbers: Numbers = {"loser_weight": 0.0, "players": float(n), "rival_harm": float(rival_harm[0])}
    for name, row in [*rows.items(), ("disaster_cost", rival_harm), ("disaster_cost", own_harm)]:
        values = np.ravel(np.asarray(row, float))
        if np.ptp(values) > 0:
            raise ValueError(f"{name}: {values.tolist()} differ; a closed form needs identical players")
        numbers[name] = float(values[0])
    growing = ("prize_per_performance", "loser_prize_per_performance")
    conditions = {f"{name}: {numbers[name]:g} must be 0": not numbers[name] for name in growing}
    prices = dict(zip(("safety_price", "performance_price"), of_race.input_prices(numbers), strict=True))
    for name, price in prices.items():
        conditions[f"{name}: {price:g}, taxes and subsidies included, must be above 0"] = price > 0
    _refuse("a closed form", conditions)
    if rules.no_winner == "disaster":
        numbers["no_winner"] = -numbers["disaster_cost"]
    if game.end_on == "win" and numbers["gamma or period_weights"] > 0:
        numbers["no_winner"] += numbers["ahead"] / numbers["gamma or period_weights"]
    if "safety_weight" in numbers:  # all safeties count alike
        numbers["loser_weight"] = (n - 1) / n
    links = float(n) if rules.risk is of_race.Multiplicative else 1.0
    return numbers | prices | {"links": links}


# --- the two equations, in NumPy or traced by JAX -----------------------------------------------------------


class _Terms(NamedTuple):
    """Quantities that follow from ``ln xp`` and log odds."""

    q: Any  # win probability of each player
    safe: Any  # probability that a win is safe
    log_xs: Any  # the safety input that pays
    excess: Any  # log odds less those at that input: the first equation, convex in the log odds
    brings: Any  # what performance brings, divided by beta


def _terms(numbers: Numbers, y: Any, z: Any) -> _Terms:
    """Return the terms of both equations at ``y``, the ``ln xp`` of all players, and their log odds ``z``."""
    xp = concrete_module(y, z, *numbers.values())
    alpha, m = numbers["safety_exponent"], numbers["decisiveness"]
    theta, lam, k = numbers["scale_penalty"], numbers["loser_weight"], numbers["links"]
    log_p = xp.log(numbers["performance_productivity"]) + numbers["performance_exponent"] * y
    weight = 0.0 * y  # of no winner
    if "ease_of_winning" in numbers:
        # capped before exp overflows: the win probability is 0 to all digits
        weight = xp.exp(xp.minimum(-m * log_p - xp.log(numbers["ease_of_winning"]), 700.0))
    q, log_safe = 1 / (numbers["players"] + weight), -k * xp.logaddexp(0.0, -z)
    win = _win_values(numbers)
    by_safety = k * ((1 - lam) * win.gain + lam * win.rival_gain)
    log_gain = xp.log(q) + xp.log(by_safety) + log_safe - xp.logaddexp(0.0, z)
    # factors apart: the derivative in one then has no rounding from the others
    log_xs = xp.log(alpha) + log_gain - xp.log(numbers["safety_price"])
    # differences first: at very low safety, the cost of disasters that all share would cancel them
    safe = xp.exp(log_safe)
    ahead = safe * (win.gain - win.rival_gain) + (win.unsafe - win.rival_unsafe)
    behind = safe * win.rival_gain + (win.rival_unsafe - numbers["no_winner"])
    # (1-q) a - (n-1) q b is written as (1-q)(a-b) + q_0 b
    brings = m * q * ((1 - q) * ahead + q * weight * behind) - theta * xp.exp(log_gain)
    log_s = xp.log(numbers["safety_productivity"]) + alpha * log_xs
    return _Terms(q, safe, log_xs, z - log_s + theta * log_p, brings)


class _WinValues(NamedTuple):
    """Values of an own win and of a rival's: if unsafe, and what safety adds to them."""

    gain: Any
    rival_gain: Any
    unsafe: Any
    rival_unsafe: Any


def _win_values(numbers: Numbers) -> _WinValues:
    """Return the values of wins; a safe one pays the prize, an unsafe one what a disaster leaves of it."""
    prize, loser_prize, keep = numbers["prize"], numbers["loser_prize"], numbers["prize_survives"]
    unsafe = keep * prize - numbers["disaster_cost"] - numbers["liability"]
    rival_unsafe = keep * loser_prize - numbers["rival_harm"]
    return _WinValues(prize - unsafe, loser_prize - rival_unsafe, unsafe, rival_unsafe)


# --- all roots ----------------------------------------------------------------------------------------------


def _roots(numbers: Numbers) -> list[tuple[float, float]]:
    """Return every ``(ln xp, log odds)`` that solves both equations."""
    win = _win_values(numbers)
    lam, beta = numbers["loser_weight"], numbers["performance_exponent"]
    productivities = numbers["safety_productivity"], numbers["performance_productivity"]
    if not min(*productivities, (1 - lam) * win.gain + lam * win.rival_gain) > 0:
        return []
    # above, performance costs more than it can bring in any outcome
    amounts = numbers["decisiveness"] * np.sum(np.abs([*win, numbers["no_winner"]]))
    top = np.log(2 * beta * amounts / numbers["performance_price"]) + 1.0
    scan = top - BEND * np.sinh(np.linspace(np.arcsinh(DEEP / BEND), 0.0, POINTS))
    scan = np.sort(np.append(scan, _zeros(partial(_room, numbers), scan)))
    scan = scan[_room(numbers, scan) > -1e-9]
    branches = [False, True] if numbers["safety_exponent"] * numbers["links"] > 1 else [False]
    roots = []
    for low in branches:
        for y in _zeros(partial(_excess, numbers, low=low), scan):
            if _room(numbers, y) > 0:
                roots.append((y, float(_log_odds(numbers, y, low=low))))
    return list(dict.fromkeys(roots))


def _zeros(function: Callable[[Any], Any], scan: ndarray) -> list[float]:
    """Return the zeros of a function between neighbouring points of a scan at which its signs differ."""
    signs = np.sign(function(scan))
    changes = np.flatnonzero(signs[:-1] != signs[1:])
    return [zero(function, float(scan[k]), float(scan[k + 1]), "ln xp") for k in changes]


def _excess(numbers: Numbers, y: Any, *, low: bool) -> Any:
    """Return the second equation: the cost of performance less what it brings, divided by ``beta``."""
    brings = _terms(numbers, y, _log_odds(numbers, y, low=low)).brings
    return np.exp(y) * numbers["performance_price"] / numbers["performance_exponent"] - brings


def _room(numbers: Numbers, y: Any) -> Any:
    """Return minus the lowest value of the first equation, which has roots where that is above 0."""
    k = numbers["links"]
    sigma = max((k - 1 / numbers["safety_exponent"]) / (k + 1), 1e-300)
    return -_terms(numbers, y, np.log(sigma / (1 - sigma))).excess


def _log_odds(numbers: Numbers, y: Any, *, low: bool) -> Any:
    """Return the larger or the smaller root of the first equation; without one, log odds where it is lowest.

    Newton's method on a convex function, from beyond the root, never steps over it.
    """
    alpha, k = numbers["safety_exponent"], numbers["links"]
    # the equation is a number that depends on performance plus a function of the log odds
    at_zero = _terms(numbers, y, 0.0).excess - np.maximum(1e-9 - _room(numbers, y), 0.0)
    at_zero = at_zero - alpha * (k + 1) * np.log(2.0)
    tail_slope = 1 - alpha * k if low else 1 + alpha
    beyond = 50.0 + (50.0 + np.abs(at_zero)) / abs(tail_slope)
    z = -beyond if low else beyond
    for _ in range(ROUNDS):
        below, above = np.logaddexp(0.0, -z), np.logaddexp(0.0, z)
        step = (at_zero + z + alpha * (k * below + above)) / (1 - alpha * (k - (k + 1) * np.exp(-below)))
        z = z - step
        if np.all(np.abs(step) <= 1e-15 * (1 + np.abs(z))):
            break
    return z


# --- comparative statics ------------------------------------------------------------------------------------

PARAMETERS = (
    *("safety_productivity", "performance_productivity", "safety_exponent", "performance_exponent"),
    *("scale_penalty", "disaster_cost", "safety_price", "performance_price", "price", "decisiveness"),
    *("players", "prize", "loser_prize"),
)
TOGETHER = {"price": ("safety_price", "performance_price"), "disaster_cost": ("disaster_cost", "rival_harm")}


class Slope(NamedTuple):
    """The safety at a symmetric point, and its derivative with respect to a parameter."""

    safety: float
    derivative: float

    @property
    def sign(self) -> int:
        """Return the sign of the derivative: -1, 0 or 1."""
        return int(np.sign(self.derivative))


def safety_slope(game: Race, wrt: str) -> Slope:
    """Return the derivative of safety at the symmetric point with respect to a parameter of all players.

    It follows from the derivatives of the two first-order equations.

    Parameters
    ----------
    game : Race
        A race of one period with identical players.
    wrt : str
        One of `PARAMETERS`. ``price`` changes both prices equally; ``players`` is treated as a real number.

    Returns
    -------
    Slope
        ``safety`` at the point, its ``derivative``, and the ``sign`` of that.

    Raises
    ------
    ValueError
        For an unknown parameter, players that differ, and variants for which uniqueness is not proved.

    Examples
    --------
    >>> import rivalry as rv
    >>> [safety_slope(rv.games.race(scale_penalty=theta), "price").sign for theta in (0.5, 1.0)]
    [-1, 0]
    """
    if wrt not in PARAMETERS:
        raise ValueError(f"wrt: {wrt!r} is unknown; {near(wrt, PARAMETERS)}")
    numbers = _common_numbers(game)
    alpha, kappa = numbers["safety_exponent"], numbers.get("ease_of_winning")
    prize, loser_prize = numbers["prize"], numbers["loser_prize"]
    win = _win_values(numbers)
    risk = of_race.rule_name(game.rules.risk)
    # where exactly one point is proved
    conditions = {
        f"ease_of_winning: {kappa} must be left out": kappa is None,
        f"risk: {risk} must be winner_only": risk == "winner_only",
        f"safety_exponent: {alpha:g} must be below 1": alpha < 1,
        f"prize: {prize:g} must be above loser_prize, {loser_prize:g}": prize > loser_prize,
        "prize_survives, liability: must be absent": win.unsafe == win.rival_unsafe and win.gain > 0,
    }
    _refuse("comparative statics in closed form", conditions)
    ((y, z),) = _roots(numbers)
    at = {**numbers, "y": y, "z": z}
    changes = TOGETHER.get(wrt, (wrt,)), ("y",), ("z",)
    of_parameter, of_y, of_z = (_derivatives(at, {n: float(n in names) for n in at}) for names in changes)
    determinant = of_z[0] * of_y[1] - of_y[0] * of_z[1]
    slope = (of_y[0] * of_parameter[1] - of_parameter[0] * of_y[1]) / determinant
    # + 0.0 turns a negative zero into 0
    return Slope(_sigma(z), float(_sigma(z) * _sigma(-z) * slope) + 0.0)


@seldom
def _derivatives(at: Numbers, direction: Numbers) -> tuple[Array, Array]:
    """Return the change of both equations along a direction, at a root, where they hold."""
    cost = jnp.exp(at["y"]) * at["performance_price"] / at["performance_exponent"]

    def equations(at: Numbers) -> tuple[Array, Array]:
        terms = _terms(at, at["y"], at["z"])
        # the second in logarithms; its cost has more digits than what performance brings
        log_cost = at["y"] + jnp.log(at["performance_price"]) - jnp.log(at["performance_exponent"])
        return terms.excess, log_cost - terms.brings / cost

    return jax.jvp(equations, (at,), (direction,))[1]
