"""Every key in the methods that take its game: words beside brute force on payoffs in plain NumPy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.needs import fits
from tests.duel import judge, referee
from tests.duel.formulas import placed
from tests.invariance.effects import EFFECTS, FORMULAS, Effect
from tests.invariance.test_effects import DRAWN, make

TURNING = ("market-rationing-0", "market-rationing-1", "market-choice-1")
"""Prices that go round and round: every step of best responses takes seconds."""
ROWS = [
    (family, f"{family}-{key}-{number}", effect)
    for family, rows in EFFECTS.items()
    for key, row in rows.items()
    for number, effect in enumerate(row)
    if effect.seen in ("payoffs", "ends")
]


def payoff(family: str, effect: Effect, game: Any) -> Any:
    """Payoffs of one period as the referee takes them: of a player's strategies against a profile."""
    if callable(effect.meaning):
        function = effect.meaning
        return lambda x, player, own: function(placed(x, player, own))[:, player]
    keys = effect.written if effect.meaning is None or effect.seen == "ends" else effect.meaning
    return FORMULAS[family](keys, len(game.space.mask))


def faults(family: str, name: str, effect: Effect, kind: Any) -> list[str]:
    """Wrong words of a method on a game, and refusals that are not one line."""
    game = make(family, effect.written)
    if not fits(kind, game):
        return []
    duel = judge.Duel(name, [], [])
    what = kind.__name__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solved = judge.tried(
            lambda: rv.solve(game, kind(), max_steps=20, max_seconds=judge.SECONDS, path=False), what, duel
        )
        if solved is None or "profile" not in solved.data or solved.certificate is None:
            return duel.lines()
        arena = referee.arena(game, payoff(family, effect, game))
        x = np.asarray(solved.profile.values, dtype=float).reshape(-1, *arena.low.shape)[0]
        pays = np.array([referee.at(arena, x, player)[0] for player in range(len(x))])
        paid = np.asarray(solved.payoff.values, dtype=float).reshape(-1, len(x))[0]
        if not np.allclose(paid, pays, rtol=1e-7, atol=1e-9):
            duel.faults.append(judge.Fault("payoffs", f"{what}: {paid}, by the formula {pays}"))
        rng = np.random.default_rng(0)
        judge.judged(game, arena, x, solved.certificate, rng, duel, what)
    return duel.lines()


FAMILIES = [family for family in EFFECTS if family not in DRAWN]


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        *(pytest.param("ClosedForm", family, marks=pytest.mark.slow) for family in FAMILIES),
        # rows of other families take minutes each
        *(pytest.param("BestResponse", family, marks=pytest.mark.nightly) for family in ("market", "matrix")),
    ],
)
def test_no_word_of_an_exact_method_is_wrong(kind: str, family: str) -> None:
    rows = [row for row in ROWS if row[0] == family and row[1] not in TURNING]
    lines = [faults(*row, getattr(rv.methods, kind)) for row in rows]
    assert [line for found in lines for line in found] == []
