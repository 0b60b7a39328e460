"""Comparative statics of the symmetric point, in closed form: ``dsigma/dk = -f_k / f_sigma``.

``f`` is the difference of the two sides of the equation for the log odds, as a function of ``sigma``; see
`rivalry.games.race.closed_forms`. The formulas hold where exactly one point exists: somebody always wins, the
winner's safety counts, ``safety_exponent`` is below 1 and winning is better than losing.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

from rivalry.core.registry import near
from rivalry.games.race.closed_forms import Alike, alike_numbers, symmetric_equilibria

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

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
        """Of ``dsigma``: -1, 0 or 1."""
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
    one, _ = alike_numbers(game)
    if not one.base:
        _refuse(one)
    (point,) = symmetric_equilibria(game)
    n, theta, beta, alpha, sigma = one.n, one.theta, one.beta, one.alpha, point.technology_safety
    prize, stake = one.win[0] - one.lose[0], one.stake
    h = n * one.r_p * point.performance_input / (beta * sigma)  # m (W-L) (n-1)/n - theta (1-sigma) (W+d)
    unsafe, curve = 1 - sigma, theta * beta / h
    f_sigma = (1 - alpha * (1 - 2 * sigma)) / (sigma * unsafe) + theta * beta * (
        1 / sigma + theta * stake / h
    )
    stake_slope = -alpha / stake - curve * theta * unsafe
    f_k = {
        "safety_productivity": -1 / one.A,
        "performance_productivity": theta / one.B,
        "safety_exponent": -log(point.safety_input) - 1,
        "performance_exponent": theta * (log(point.performance_input) + 1),
        "scale_penalty": log(one.B) + beta * log(point.performance_input) - curve * unsafe * stake,
        "disaster_cost": stake_slope,
        "safety_price": alpha / one.r_s,
        "performance_price": -theta * beta / one.r_p,
        "price": alpha / one.r_s - theta * beta / one.r_p,
        "decisiveness": curve * (n - 1) * prize / n,
        "players": alpha / n + theta * beta * (one.m * prize / (n**2 * h) - 1 / n),
        "prize": stake_slope + curve * one.m * (n - 1) / n,
        "loser_prize": -curve * one.m * (n - 1) / n,
    }[wrt]
    return Slope(sigma, f_k, f_sigma, -f_k / f_sigma + 0.0)


def _refuse(one: Alike) -> None:
    """Raises `ValueError` that names what is not of the variant with one proved point."""
    checks = {
        "ease_of_winning": (one.kappa is None, f"{one.kappa} must be left out"),
        "risk": (one.risk == "winner_only", f"{one.risk} must be winner_only"),
        "safety_exponent": (one.alpha < 1, f"{one.alpha:g} must be below 1"),
        "prize": (one.win[0] > one.lose[0], f"{one.win[0]:g} must be above loser_prize, {one.lose[0]:g}"),
        "prize_survives, liability": (False, "must be absent"),
    }
    name, said = next((name, said) for name, (right, said) in checks.items() if not right)
    raise ValueError(f"{name}: {said}, for comparative statics in closed form")
