"""Symmetric equilibria of one period in closed form: all interior first-order points, and their derivatives.

At equal actions the two own derivatives, in logarithms, vanish where

    r_s xs = alpha G,    r_p xp = beta {m q [(1-q) a - (n-1) q b] - theta G},

with ``a`` and ``b`` the values of an own win and of another's, less that of no winner, and ``G`` the gain per
unit of the own log odds: ``q sigma (1-sigma)`` or, where all must be safe, ``q sigma^n (1-sigma)``, times the
stake. The first equation gives the log odds at a given ``ln xp``; the second is solved in ``ln xp``, since a
root may have almost no performance.
"""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.payoffs import payoffs
from rivalry.core.roots import zero
from rivalry.families.race import rules as period
from rivalry.families.race.model import Race
from rivalry.schema.registry import near

TRACES = -690.0  # ln xp below which no root is searched
FINE, COARSE = 0.03, 0.3  # steps of a scan in ln xp
BELOW = 60.0  # in ln xp: how far below the top the fine step is used
ROUNDS = 100  # of Newton's method; a handful are used
SYMBOLS = ("A", "B", "alpha", "beta", "theta", "m", "kappa", "lam")
USED = (  # the first have the symbols
    *("safety_productivity", "performance_productivity", "safety_exponent", "performance_exponent"),
    *("scale_penalty", "decisiveness", "ease_of_winning", "loser_weight", "safety_weight", "prize"),
    *("prize_per_performance", "loser_prize", "loser_prize_per_performance", "prize_survives"),
    *("safety_price", "performance_price", "performance_tax", "safety_subsidy", "liability", "no_winner"),
)


Pair = tuple[float, float]


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


class SymmetricRace(NamedTuple):
    """The numbers of one period in which all players are identical."""

    n: int
    A: float
    B: float
    alpha: float
    beta: float
    theta: float
    m: float
    kappa: float | None
    risk: str
    lam: float
    r_s: float  # taxes and subsidies included
    r_p: float
    win: Pair  # payoff of winning: if all ends well, if not
    lose: Pair  # payoff if another player wins: the same two
    none: float  # payoff if nobody wins

    @property
    def stake(self) -> float:
        """Return the stake in the own safety, per unit of the probability that it matters."""
        own_effect, other_effect = self.win[0] - self.win[1], self.lose[0] - self.lose[1]
        stakes = {
            "winner_only": own_effect,
            "mixed": (1 - self.lam) * own_effect + self.lam * other_effect,
            "multiplicative": own_effect + (self.n - 1) * other_effect,
            "additive": (own_effect + (self.n - 1) * other_effect) / self.n,
        }
        return stakes[self.risk]

    @property
    def links(self) -> int:
        """Number of players that must be safe: all under multiplicative risk, else one."""
        return self.n if self.risk == "multiplicative" else 1

    @property
    def obstacle(self) -> str:
        """Return the first reason why exactly one point is not proved, or an empty text.

        It is proved where somebody wins, the winner's safety counts, winning is better, ``alpha`` is below 1,
        no prize survives a disaster and there is no liability.
        """
        conditions = {
            f"ease_of_winning: {self.kappa} must be left out": self.kappa is None,
            f"risk: {self.risk} must be winner_only": self.risk == "winner_only",
            f"safety_exponent: {self.alpha:g} must be below 1": self.alpha < 1,
            f"prize: {self.win[0]:g} must be above loser_prize, {self.lose[0]:g}": self.win[0] > self.lose[0],
            "prize_survives, liability: must be absent": self.win[1] == self.lose[1] and self.stake > 0,
        }
        return next((reason for reason, is_met in conditions.items() if not is_met), "")


def symmetric_equilibria(game: Race) -> list[Point]:
    """Return all interior symmetric first-order points of a race of one period, highest payoff first.

    If somebody always wins, risk is ``winner_only``, ``safety_exponent`` is below 1 and winning beats
    losing, there is exactly one. Otherwise roots are searched on a grid, and there may be several or none.
    ``is_nash`` compares with idling only; certify a point before calling it an equilibrium.

    Parameters
    ----------
    game : Race
        A race of one period with identical players and built-in parts.

    Returns
    -------
    list of Point
        Those from which idling does not pay first.

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
    numbers = symmetric_numbers(game)
    points = [_point(game, numbers, y, z) for y, z in _roots(numbers)]
    return sorted(points, key=lambda point: (not point.is_nash, -point.payoff))


def profiles(game: Race) -> ndarray:
    """Return the points of `symmetric_equilibria` as profiles ``[root player axis]``."""
    inputs = [[p.safety_input, p.performance_input] for p in symmetric_equilibria(game)]
    rows = np.asarray(inputs).reshape(-1, 1, 2)
    return np.tile(rows, (1, game.players, 1))


def symmetric_numbers(game: Race) -> SymmetricRace:
    """Return the numbers of identical players. Raises `ValueError`; see `symmetric_equilibria`."""
    _check_closed_form(game)
    numbers = game.numbers_at(0)
    numbers_of_player: dict[str, Any] = {"loser_weight": 0.0}
    for name in filter(numbers.__contains__, USED):
        values = np.asarray(numbers[name], float)
        if values.min() < values.max():
            raise ValueError(f"{name}: {values.tolist()} differ; a closed form needs identical players")
        numbers_of_player[name] = float(values.flat[0])
    for name in ("prize_per_performance", "loser_prize_per_performance"):
        if numbers_of_player[name]:
            raise ValueError(f"{name}: {numbers_of_player[name]:g} must be 0 for a closed form")
    r_s, r_p = period.input_prices(numbers_of_player)
    for name, price in {"safety_price": r_s, "performance_price": r_p}.items():
        if not price > 0:
            raise ValueError(f"{name}: {price:g}, taxes and subsidies included, must be above 0")
    own_effect, other_effect = _damages(game, np.asarray(numbers["disaster_cost"], float))
    weight = float(np.asarray(game.weights)[0, 0])
    no_winner = -own_effect if game.rules.no_winner == "disaster" else numbers_of_player["no_winner"]
    if game.end_on == "win" and weight > 0:
        no_winner += float(np.asarray(game.ahead)[0]) / weight
    symbols: dict[str, Any] = dict(zip(SYMBOLS, map(numbers_of_player.get, USED), strict=False))
    survives, win, lose = (
        numbers_of_player["prize_survives"],
        numbers_of_player["prize"],
        numbers_of_player["loser_prize"],
    )
    return SymmetricRace(
        **symbols,
        n=game.players,
        risk=period.rule_name(game.rules.risk),
        r_s=r_s,
        r_p=r_p,
        win=(win, survives * win - own_effect - numbers_of_player["liability"]),
        lose=(lose, survives * lose - other_effect),
        none=no_winner,
    )


def _check_closed_form(game: Race) -> None:
    """Raise `ValueError` for parts without a closed form."""
    if game.periods > 1 or game.infinite_horizon:
        length = "inf" if game.infinite_horizon else game.periods
        raise ValueError(f"horizon: {length} must be 1 for a closed form")
    rules = game.rules._asdict()
    allowed_rules: dict[str, list[Any]] = {"production": [period.Power], "contest": [period.Ratio]}
    allowed_rules |= {"cost": [period.Linear], "risk": list(period.KINDS["risk"].values())}
    for name, allowed in allowed_rules.items():
        rule = rules[name]
        if rule not in allowed:
            words = ", ".join(map(period.rule_name, allowed))
            raise ValueError(f"{name}: {period.rule_name(rule)} has no closed form; known: {words}")
    if len(game.columns) > 2:
        raise ValueError("invest: must be false for a closed form")
    weights, ahead = np.asarray(game.weights)[0], np.asarray(game.ahead)
    if np.ptp(weights) > 0 or np.ptp(ahead) > 0:
        raise ValueError(f"gamma: weights {weights.tolist()} differ; a closed form needs identical players")
    if game.end_on == "disaster" and np.any(ahead != 0):
        raise ValueError("end_on: disaster has no closed form where play may go on")


def _damages(game: Race, d: ndarray) -> Pair:
    """Return the cost of a disaster after an own win, and after another's."""
    if game.damage == "victim":
        own_effect = other_effect = d
    else:
        own_effect, other_effect = np.diagonal(d), d[~np.eye(len(d), dtype=bool)]
    if np.ptp(own_effect) > 0 or np.ptp(other_effect) > 0:
        raise ValueError(f"disaster_cost: {d.tolist()} differ; a closed form needs identical players")
    return float(own_effect[0]), float(other_effect[0])


def _softplus(z: Any) -> Any:
    return np.logaddexp(0.0, z)


def _sigma(z: Any) -> Any:
    return np.exp(-_softplus(-z))


def _win_probability(numbers: SymmetricRace, y: Any, players: int) -> Any:
    """Return the win probability of each of so many players with performance input ``exp(y)``."""
    p_nobody = 0.0 * y
    if numbers.kappa is not None:
        log_p = np.log(numbers.B) + numbers.beta * y
        # capped before exp overflows: the win probability is 0 to all digits
        p_nobody = np.exp(np.minimum(-numbers.m * log_p - np.log(numbers.kappa), 700.0))
    return 1 / (players + p_nobody)


def _level(numbers: SymmetricRace, y: Any) -> Any:
    """Return the value that ``_curve`` of the log odds must have: the first equation, in logarithms."""
    bought = numbers.alpha * numbers.stake * _win_probability(numbers, y, numbers.n) / numbers.r_s
    log_s = np.log(numbers.A) + numbers.alpha * np.log(bought)
    return log_s - numbers.theta * (np.log(numbers.B) + numbers.beta * y)


def _curve(numbers: SymmetricRace, z: Any) -> Any:
    """Return ``z - alpha ln(sigma^k (1-sigma))``, convex in the log odds z; k is the number of `links`."""
    return z + numbers.alpha * (numbers.links * _softplus(-z) + _softplus(z))


def _lowest_level(numbers: SymmetricRace) -> float:
    """Return the infimum of ``_curve``."""
    spare = numbers.alpha * numbers.links - 1
    if spare <= 0:
        return -np.inf if spare < 0 else 0.0
    sigma = (numbers.links - 1 / numbers.alpha) / (numbers.links + 1)
    return float(_curve(numbers, np.log(sigma / (1 - sigma))))


def _solve_log_odds(numbers: SymmetricRace, level: Any, *, low: bool = False) -> Any:
    """Return the larger or the smaller log odds at which ``_curve`` has a level above its infimum.

    Newton's method on a convex function, from beyond the root, never steps over it.
    """
    alpha, k = numbers.alpha, numbers.links
    tail_slope = 1 - alpha * k if low else 1 + alpha
    z = level / tail_slope + (-1.0 if low else 1.0) * (50.0 + 50.0 / abs(tail_slope))
    for _ in range(ROUNDS):
        slope = 1 - alpha * (k - (k + 1) * _sigma(z))
        step = (_curve(numbers, z) - level) / slope
        z = z - step
        if np.all(np.abs(step) <= 1e-15 * (1 + np.abs(z))):
            break
    return z


class _Terms(NamedTuple):
    """The results of the inputs, at ``ln xp`` and log odds."""

    q: Any
    nobody: Any  # probability that nobody wins
    gain: Any  # G
    safe: Any  # probability that a win is safe
    ahead: Any  # value of winning over another's win
    behind: Any  # value of another's win over no winner


def _terms(numbers: SymmetricRace, y: object, z: Any) -> _Terms:
    q = _win_probability(numbers, y, numbers.n)
    p_nobody = 0.0 * q if numbers.kappa is None else 1 - numbers.n * q
    safe = np.exp(-numbers.links * _softplus(-z))
    gain = q * numbers.stake * np.exp(-numbers.links * _softplus(-z) - _softplus(z))
    (well, ill), (other_well, other_ill) = numbers.win, numbers.lose
    # differences first: at very low safety, the cost of disasters that all share would cancel them
    ahead = safe * ((well - ill) - (other_well - other_ill)) + (ill - other_ill)
    return _Terms(
        q, p_nobody, gain, safe, ahead, safe * (other_well - other_ill) + (other_ill - numbers.none)
    )


def _excess(numbers: SymmetricRace, y: Any, z: object) -> Any:
    """Return the second equation: the cost of performance less its gain, divided by ``beta``.

    ``(1-q) a - (n-1) q b`` is written as ``(1-q)(a-b) + q_0 b``.
    """
    at = _terms(numbers, y, z)
    brings = numbers.m * at.q * ((1 - at.q) * at.ahead + at.nobody * at.behind) - numbers.theta * at.gain
    return np.exp(y) * numbers.r_p / numbers.beta - brings


def _roots(numbers: SymmetricRace) -> list[Pair]:
    """Return every ``(ln xp, log odds)`` that solves both equations."""
    if not (numbers.A > 0 and numbers.B > 0 and numbers.stake > 0):
        return []
    scale = numbers.m * sum(abs(v) for v in (*numbers.win, *numbers.lose, 2 * numbers.none)) + numbers.stake
    # above, performance costs more than it can bring in any outcome
    top = float(np.log(numbers.beta * scale / numbers.r_p)) + 1.0
    if not numbers.obstacle:
        y = _single_root(numbers, top)
        return [(y, float(_solve_log_odds(numbers, _level(numbers, y))))]
    middle = max(top - BELOW, TRACES)
    scan = np.append(np.arange(TRACES, middle, COARSE), np.linspace(middle, top, round(BELOW / FINE) + 1))
    branches = [False, True] if numbers.alpha * numbers.links > 1 else [False]
    spans = _intervals(numbers, scan)
    roots: list[Pair] = []
    for root in [
        candidate for low in branches for span in spans for candidate in _roots_on_branch(numbers, span, low)
    ]:
        if not any(np.allclose(root, root_before, rtol=1e-9, atol=1e-9) for root_before in roots):
            roots.append(root)
    return roots


def _excess_at(numbers: SymmetricRace, y: object, low: bool = False) -> Any:
    return _excess(numbers, y, _solve_log_odds(numbers, _level(numbers, y), low=low))


def _single_root(numbers: SymmetricRace, top: float) -> float:
    """Return the one root of the unique variant; below it performance gains more than it costs."""
    reach = 4.0
    while _excess_at(numbers, top - reach) >= 0:
        reach *= 2
        if top - reach < TRACES:
            raise ValueError("scale_penalty: so large that the equilibrium's performance is below 1e-300")
    return zero(lambda y: float(_excess_at(numbers, y)), top - reach, top, "performance")


def _intervals(numbers: SymmetricRace, y: ndarray) -> list[ndarray]:
    """Return the parts of a scan in which log odds exist, from fold to fold."""
    lowest = _lowest_level(numbers)
    if lowest == -np.inf:
        return [y]

    def above(y: object) -> Any:
        return _level(numbers, y) - lowest

    exists = above(y) > 0
    folds = [
        zero(above, y[k], y[k + 1], "fold of the odds") for k in np.flatnonzero(exists[:-1] != exists[1:])
    ]
    # beside a fold, on the side where log odds exist
    near_folds = [fold + side * 1e-9 for fold in folds for side in (-1.0, 1.0)]
    full = np.sort(np.concatenate([y, near_folds]))
    inside = above(full) > 0
    cuts = np.flatnonzero(inside[:-1] != inside[1:]) + 1
    return [part for part in np.split(full, cuts) if above(part[:1])[0] > 0]


def _roots_on_branch(numbers: SymmetricRace, y: ndarray, low: bool) -> list[Pair]:
    """Return the roots on one branch of log odds, between neighbouring points of a scan."""

    def excess(at: float) -> float:
        return float(_excess_at(numbers, at, low))

    values = _excess_at(numbers, y, low)
    changes = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    roots = [zero(excess, y[k], y[k + 1], "performance") for k in changes]
    roots += [float(at) for at in y[values == 0]]
    return [(at, float(_solve_log_odds(numbers, _level(numbers, at), low=low))) for at in roots]


def _point(game: Race, numbers: SymmetricRace, y: float, z: float) -> Point:
    at = _Terms(*(float(part) for part in _terms(numbers, y, z)))
    xs, xp = numbers.alpha * at.gain / numbers.r_s, float(np.exp(y))
    x = np.tile([xs, xp], (numbers.n, 1))
    payoff = float(payoffs(game, x)[0])
    x[0] = 0.0
    idle_payoff = float(payoffs(game, x)[0])
    p_safe, is_nash = (1 - at.nobody) * at.safe, payoff >= idle_payoff
    return Point(xs, xp, float(_sigma(z)), at.q, p_safe, payoff, idle_payoff, is_nash)


# --- comparative statics ------------------------------------------------------------------------------------

# ``dsigma/dk = -f_k / f_sigma``, with ``f`` the difference of the two sides of the equation for the log odds
# as a function of ``sigma``. It holds where there is no `SymmetricRace.obstacle`.


PARAMETERS = (
    *("safety_productivity", "performance_productivity", "safety_exponent", "performance_exponent"),
    *("scale_penalty", "disaster_cost", "safety_price", "performance_price", "price", "decisiveness"),
    *("players", "prize", "loser_prize"),
)


class Slope(NamedTuple):
    """The derivative of safety with respect to a parameter, and the two derivatives it consists of."""

    sigma: float
    f_k: float
    f_sigma: float  # above 0
    dsigma: float

    @property
    def sign(self) -> int:
        """Return the sign of ``dsigma``: -1, 0 or 1."""
        return int(self.dsigma > 0) - int(self.dsigma < 0)


def dsigma(game: Race, wrt: str) -> Slope:
    """Return the derivative of safety at the symmetric point with respect to a parameter of all players.

    Parameters
    ----------
    game : Race
        A race of one period with identical players.
    wrt : str
        One of `PARAMETERS`. ``price`` changes both prices equally; ``players`` is treated as a real number.

    Returns
    -------
    Slope
        The derivative ``dsigma`` and its parts.

    Raises
    ------
    ValueError
        For an unknown parameter, players that differ, and variants for which uniqueness is not proved.

    Examples
    --------
    >>> import rivalry as rv
    >>> dsigma(rv.games.race(), "price").sign, dsigma(rv.games.race(scale_penalty=1.0), "price").sign
    (-1, 0)
    """
    if wrt not in PARAMETERS:
        raise ValueError(f"wrt: {wrt!r} is unknown; {near(wrt, PARAMETERS)}")
    race = symmetric_numbers(game)
    if race.obstacle:
        raise ValueError(f"{race.obstacle}, for comparative statics in closed form")
    (point,) = symmetric_equilibria(game)
    n, theta, beta, alpha, sigma = race.n, race.theta, race.beta, race.alpha, point.technology_safety
    prize, stake = race.win[0] - race.lose[0], race.stake
    h = n * race.r_p * point.performance_input / (beta * sigma)  # m (W-L) (n-1)/n - theta (1-sigma) (W+d)
    unsafe, curve = 1 - sigma, theta * beta / h
    f_sigma = (1 - alpha * (1 - 2 * sigma)) / (sigma * unsafe) + theta * beta * (
        1 / sigma + theta * stake / h
    )
    stake_slope = -alpha / stake - curve * theta * unsafe
    f_k = {
        "safety_productivity": -1 / race.A,
        "performance_productivity": theta / race.B,
        "safety_exponent": -log(point.safety_input) - 1,
        "performance_exponent": theta * (log(point.performance_input) + 1),
        "scale_penalty": log(race.B) + beta * log(point.performance_input) - curve * unsafe * stake,
        "disaster_cost": stake_slope,
        "safety_price": alpha / race.r_s,
        "performance_price": -theta * beta / race.r_p,
        "price": alpha / race.r_s - theta * beta / race.r_p,
        "decisiveness": curve * (n - 1) * prize / n,
        "players": alpha / n + theta * beta * (race.m * prize / (n**2 * h) - 1 / n),
        "prize": stake_slope + curve * race.m * (n - 1) / n,
        "loser_prize": -curve * race.m * (n - 1) / n,
    }[wrt]
    # + 0.0 turns a negative zero into 0
    return Slope(sigma, f_k, f_sigma, -f_k / f_sigma + 0.0)
