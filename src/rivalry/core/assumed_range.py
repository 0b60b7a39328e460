"""Payoffs beyond the ends of a range that a family chose because no choice above it should pay.

The certificates and lists of a game whose box has such ends (`rivalry.core.space.Box`, ``assumed``) hold for
the box. They hold for the game only if payoffs do not rise beyond.

Choices without bounds are searched in a range that the user states (``open_low``, ``open_high``). Payoffs far
beyond it are tried as well, from every profile, and no profile at an end of it counts as an equilibrium.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.game import Game
from rivalry.core.payoffs import payoffs
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.results import Certificate
from rivalry.core.space import EDGE, Box
from rivalry.core.tolerances import ROUNDING
from rivalry.runtime.jax import floats

FACTORS = (2.0, 10.0, 100.0)  # times the range
UNBOUNDED = "payoffs may be unbounded"
NO_BEST_RESPONSE = "no best response exists"
NEGLIGIBLE = 1e-9  # of the range of initial profiles: smaller amounts may approach nothing
NEAR = 1e-3  # of a gain: beyond the range it rises by no more where it approaches a supremum
EARLIER = 1e-9  # of the range: payoffs rise from there to an end that they approach
BECAUSE = ", since "  # before the cause
AT_END = 1e-3  # of the range: a choice so near an end touches it
AT_OPEN_END = "at an end of the range searched"


class Rise(NamedTuple):
    """The largest gains ``[player]`` by choices beyond the assumed ends, and at which multiples of the range.

    ``key`` is the key of the game that sets the range, ``cause`` the reason why payoffs have no maximum.
    """

    gains: ndarray
    factors: ndarray
    key: str | None
    cause: str | None

    def words(self, tolerance: float | ndarray) -> str:
        """Return in words whose payoffs rise by more than a tolerance; empty where none does."""
        if not np.any(self.gains > tolerance):
            return ""
        player = int(np.argmax(np.where(self.gains > tolerance, self.gains, -np.inf)))
        factor, gain = self.factors[player], self.gains[player]
        # of an input that costs nothing payoffs have no maximum, whether or not they have a bound
        cause = f", and {NO_BEST_RESPONSE}{BECAUSE}{self.cause}" if self.cause else ""
        tried_text = f", the most tried; {UNBOUNDED}{cause}" if factor == FACTORS[-1] else ""
        key = f"; {self.key} sets the range" if self.key else ""
        return (
            f"payoffs rise beyond the range assumed: player {player} gains {gain:.3g} at {factor:g} times "
            f"the range{tried_text}{key}"
        )


def rise_beyond(game: Game, x: ndarray, strategies: Iterable[ndarray]) -> Rise | None:
    """Gains at ``x`` of choices beyond the assumed ends; None where no choice touches such an end.

    Each player's choices at ``x`` and its ``strategies [player]`` go beyond the ends that they touch, one at
    a time and all together.
    """
    if isinstance(game, Unconstrained):
        rows = [np.asarray(x)] * len(x)
        inside = [
            np.asarray(game.constrain(np.where(np.arange(len(x))[:, None] == player, strategy_row, row)))[
                player
            ]
            for player, (strategy_row, row) in enumerate(zip(strategies, rows, strict=True))
        ]
        return rise_beyond(game.game, np.asarray(game.constrain(np.asarray(x))), inside)
    space = game.space
    if not isinstance(space, Box):
        return None
    assumed, open_low, open_high = (
        np.zeros(space.shape, bool) if part is None else np.asarray(part)
        for part in (space.assumed, space.open_low, space.open_high)
    )
    assumed = assumed & space.choices
    if not np.any(assumed | open_low | open_high):
        return None
    x, low, high = (floats(part) for part in (x, space.low, space.high))
    gains, factors, touches_end = np.zeros(len(x)), np.ones(len(x)), False
    for player, strategy in enumerate(strategies):
        for strategy_row in (x[player], floats(strategy)):
            width = (high - low)[player]
            ends = assumed[player] & (strategy_row >= high[player] - AT_END * width)
            for beyond_ends, origin, way in (
                (ends | open_high[player], low[player], width),
                (open_low[player], high[player], -width),
            ):
                if not np.any(beyond_ends):
                    continue
                payoffs_now, touches_end = payoffs(game, x)[player], True
                singly = [np.arange(len(ends)) == k for k in np.flatnonzero(beyond_ends)]
                for axes in singly if len(singly) == 1 else [*singly, beyond_ends]:
                    for factor in FACTORS:
                        deviation = x.copy()
                        deviation[player] = np.where(axes, origin + factor * way, strategy_row)
                        gain = payoffs(game, deviation)[player] - payoffs_now
                        if gain > gains[player]:
                            gains[player], factors[player] = gain, factor
    return Rise(gains, factors, space.range_key, space.unbounded) if touches_end else None


def with_rise(game: Game, x: ndarray, strategies: Iterable[ndarray], certificate: Certificate) -> Certificate:
    """Return a certificate in whose regrets gains beyond assumed ends are counted; no bound holds for them.

    A rise that is within the tolerance changes nothing.
    """
    certificate = with_open_range(game.space, x, certificate)
    rows = [floats(strategy) for strategy in strategies]
    rise = rise_beyond(game, x, rows)
    words = "" if rise is None else rise.words(certificate.tolerance + certificate.regret)
    if not words:
        return _with_suprema(game, floats(x), rows, certificate)
    player, gain = int(np.argmax(rise.gains)), float(np.max(rise.gains))  # type: ignore[union-attr]
    if gain <= (1 + NEAR) * certificate.regret[player]:
        words = f"{NO_BEST_RESPONSE}: gains of player {player} approach {gain:.3g}"
        words += f"{BECAUSE}{rise.cause}" if rise.cause else ""  # type: ignore[union-attr]
    method = _joined(certificate.method, words)
    unproved = np.full_like(certificate.bound, np.inf)
    coverage = certificate.coverage if certificate.coverage == "local" else "lower bound"
    regret = np.maximum(certificate.regret, rise.gains)  # type: ignore[union-attr]
    return certificate._replace(regret=regret, bound=unproved, coverage=coverage, method=method, rounding="")


def _with_suprema(game: Game, x: ndarray, strategies: list[ndarray], certificate: Certificate) -> Certificate:
    """Return a certificate that names the first player whose payoffs have a supremum and no maximum.

    It decides nothing where a player at ``x`` is as near to it as choices can be.
    """
    if not isinstance(game.space, Box) or NO_BEST_RESPONSE in certificate.method:
        return certificate
    tolerances = certificate.tolerance + np.zeros(len(x))
    for player, strategy in enumerate(strategies):
        cause = _approached(game, game.space, x, player, strategy)
        if cause is None:
            continue
        gain = certificate.regret[player]
        if np.any(certificate.regret > certificate.tolerance):
            if not gain > tolerances[player]:
                continue
            words = f"{NO_BEST_RESPONSE}: gains of player {player} approach {gain:.3g}{cause}"
            bound = np.where(np.arange(len(x)) == player, np.inf, certificate.bound)
            method = _joined(certificate.method, words)
            return certificate._replace(bound=bound, coverage="lower bound", method=method)
        now = payoffs(game, x)[player]
        words = f"{NO_BEST_RESPONSE}: payoffs of player {player} approach {now:.6g}, and no choice attains it"
        return certificate._replace(
            regret=np.where(np.arange(len(x)) == player, np.nan, certificate.regret),
            bound=np.full_like(certificate.bound, np.inf),
            coverage="lower bound",
            method=_joined(certificate.method, words + cause),
            rounding="",
        )
    return certificate


def _joined(method: str, words: str) -> str:
    return f"{method}; {words}" if method else words


def _approached(game: Game, space: Box, x: ndarray, player: int, strategy: ndarray) -> str | None:
    """Return the cause why payoffs have no maximum at a best response; None where they have one.

    They have none where an input that costs nothing pays the more the larger it is, and where an amount pays
    the more the smaller it is, but nothing does not.
    """

    def paid(axis: int, amount: float) -> float:
        profile = x.copy()
        profile[player] = strategy
        profile[player, axis] = amount
        return float(payoffs(game, profile)[player])

    low, high, kinds = floats(space.low)[player], floats(space.high)[player], space.kinds
    usual = floats(space.usual.high)[player]
    free = np.zeros(len(low), bool)
    if space.unbounded and space.assumed is not None:
        free = np.asarray(space.assumed)[player] & space.choices[player]
    for axis in np.flatnonzero(free).tolist():
        now, end = paid(axis, strategy[axis]), paid(axis, high[axis])
        noise = ROUNDING * abs(now)
        if end >= now - noise and end > paid(axis, low[axis] + EARLIER * (high[axis] - low[axis])) + noise:
            return f"{BECAUSE}{space.unbounded}"
    if space.zero_threshold is None or isinstance(game, Unconstrained):
        return None
    smallest = floats(space.zero_threshold)[player] * (1 + 2 * EDGE)
    for axis, kind in enumerate(kinds):
        if kind != "log" or low[axis] > 0 or not 0 < strategy[axis] <= NEGLIGIBLE * usual[axis]:
            continue
        now, unpaid = paid(axis, strategy[axis]), paid(axis, 0.0)
        end, larger = paid(axis, smallest[axis]), paid(axis, AT_END * usual[axis])
        noise = ROUNDING * abs(now)
        if end >= now - noise and end > larger + noise and end > unpaid + noise:
            return f"{BECAUSE}the smallest amounts pay most, and nothing does not"
    return None


def with_open_range(space: object, x: ndarray, certificate: Certificate) -> Certificate:
    """Return a certificate that names the range searched for choices without bounds.

    Nothing is proved at an end of it.
    """
    if reason := open_range(space, x):
        certificate = certificate._replace(
            method=f"{certificate.method}; {reason}" if certificate.method else reason
        )
    if reason.startswith(AT_OPEN_END):
        unproved = np.full_like(certificate.bound, np.inf)
        certificate = certificate._replace(bound=unproved, coverage="lower bound", rounding="")
    return certificate


def gain_beyond(game: Game, x: ndarray) -> str:
    """Return in words who gains beyond the assumed ends that ``x`` touches; empty where nobody does."""
    rise = rise_beyond(game, x, np.asarray(x))
    return "" if rise is None else rise.words(ROUNDING * np.max(np.abs(payoffs(game, x))))


def open_range(space: object, x: ndarray) -> str:
    """Return in words which range is searched for choices without bounds, and who is at its end at ``x``.

    Empty where all choices have bounds.
    """
    if not isinstance(space, Box) or (space.open_low is None and space.open_high is None):
        return ""
    low, high = (floats(end) for end in (space.low, space.high))
    margin = AT_END * (high - low)
    at_end = np.asarray(space.open_low) & (x <= low + margin) | np.asarray(space.open_high) & (
        x >= high - margin
    )
    if np.any(at_end):
        player = int(np.argmax(at_end.any(axis=1)))
        return f"{AT_OPEN_END}: player {player}, whose choice has no bound there"
    return "choices have no bounds: only the range stated was searched"
