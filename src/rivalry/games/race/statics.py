"""Comparative statics of the symmetric point, in closed form: ``dsigma/dk = -f_k / f_sigma``.

``f`` is log odds less what the two first-order conditions make of them, as a function of ``sigma``; see
`rivalry.games.race.closed_forms`. It is for the variant in which there is exactly one point: somebody always
wins, the winner's safety counts, ``alpha`` is below 1 and winning is better than losing.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

from rivalry.core.registry import near
from rivalry.games.race.closed_forms import Alike, alike_numbers, symmetric_equilibria

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

PARAMETERS = ("A", "B", "alpha", "beta", "theta", "d", "r_s", "r_p", "r", "m", "n", "win_a", "lose_a")


class Slope(NamedTuple):
    """How safety moves with a parameter, and the two derivatives it is made of."""

    sigma: float
    f_k: float
    f_sigma: float  # above 0
    dsigma: float

    @property
    def sign(self) -> int:
        """Of ``dsigma``: -1, 0 or 1."""
        return int(self.dsigma > 0) - int(self.dsigma < 0)


def dsigma(game: Race, wrt: str) -> Slope:
    """How the safety of the symmetric point moves with ``wrt``, per unit of it.

    ``wrt`` is one of `PARAMETERS`: ``r`` moves both prices alike, ``n`` is the number of players, taken as a
    number that may be broken. Everybody's parameter moves. Raises `ValueError` for another word, for players
    who differ, and for variants of which not exactly one point is proved.

    >>> import rivalry as rv
    >>> dsigma(rv.games.race(), "r").sign, dsigma(rv.games.race(theta=1.0), "r").sign
    (-1, 0)
    """
    if wrt not in PARAMETERS:
        raise ValueError(f"wrt: {wrt!r} is unknown; {near(wrt, PARAMETERS)}")
    one, _ = alike_numbers(game)
    if not one.base:
        _refuse(one)
    (point,) = symmetric_equilibria(game)
    n, theta, beta, alpha, sigma = one.n, one.theta, one.beta, one.alpha, point.sigma
    prize, stake = one.win[0] - one.lose[0], one.stake
    h = n * one.r_p * point.xp / (beta * sigma)  # m (W-L) (n-1)/n - theta (1-sigma) (W+d)
    unsafe, curve = 1 - sigma, theta * beta / h
    f_sigma = (1 - alpha * (1 - 2 * sigma)) / (sigma * unsafe) + theta * beta * (
        1 / sigma + theta * stake / h
    )
    stake_slope = -alpha / stake - curve * theta * unsafe
    f_k = {
        "A": -1 / one.A,
        "B": theta / one.B,
        "alpha": -log(point.xs) - 1,
        "beta": theta * (log(point.xp) + 1),
        "theta": log(one.B) + beta * log(point.xp) - curve * unsafe * stake,
        "d": stake_slope,
        "r_s": alpha / one.r_s,
        "r_p": -theta * beta / one.r_p,
        "r": alpha / one.r_s - theta * beta / one.r_p,
        "m": curve * (n - 1) * prize / n,
        "n": alpha / n + theta * beta * (one.m * prize / (n**2 * h) - 1 / n),
        "win_a": stake_slope + curve * one.m * (n - 1) / n,
        "lose_a": -curve * one.m * (n - 1) / n,
    }[wrt]
    return Slope(sigma, f_k, f_sigma, -f_k / f_sigma + 0.0)


def _refuse(one: Alike) -> None:
    """Raises `ValueError` that names what is not of the variant with one proved point."""
    checks = {
        "kappa": (one.kappa is None, f"{one.kappa} must be left out"),
        "risk": (one.risk == "winner_only", f"{one.risk} must be winner_only"),
        "alpha": (one.alpha < 1, f"{one.alpha:g} must be below 1"),
        "win_a": (one.win[0] > one.lose[0], f"{one.win[0]:g} must be above lose_a, {one.lose[0]:g}"),
        "keep_prize, liability": (False, "must be absent"),
    }
    name, said = next((name, said) for name, (right, said) in checks.items() if not right)
    raise ValueError(f"{name}: {said}, for comparative statics in closed form")
