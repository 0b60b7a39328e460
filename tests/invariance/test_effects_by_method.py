"""Every key in the methods that take its game: words beside brute force on payoffs in plain NumPy."""

import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.needs import fits
from tests.duel import judge, referee
from tests.duel.formulas import placed
from tests.invariance.effects import EFFECTS, FORMULAS, Effect
from tests.invariance.test_effects import DRAWN, make

STEPS = 20

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
    """Wrong words and entries of a method on a game, and refusals that are not one line."""
    game = make(family, effect.written)
    if not fits(kind, game):
        return []
    duel = judge.Duel(name, [], [])
    what = kind.__name__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solved = judge.tried(
            lambda: rv.solve(game, kind(), max_steps=STEPS, max_seconds=judge.SECONDS, path=False), what, duel
        )
        if solved is None:
            return duel.lines()
        arena = referee.arena(game, payoff(family, effect, game))
        rng = np.random.default_rng(0)
        if "complete" in solved.data and "equilibria" in solved.data:
            rests = referee.isolated if family == "matrix" else partial(referee.rest_points, rng=rng)
            judge.listed(game, arena, solved.data, lambda: rests(arena), rng, duel)
        if "payoff" in solved.data and solved.certificate is not None:
            _profile_judged(game, arena, solved, rng, duel, what)
    return duel.lines()


def _profile_judged(
    game: Any, arena: referee.Arena, solved: Any, rng: np.random.Generator, duel: judge.Duel, what: str
) -> None:
    x = np.asarray(solved.profile.values, dtype=float).reshape(-1, *arena.low.shape)[0]
    pays = np.array([referee.at(arena, x, player)[0] for player in range(len(x))])
    paid = np.asarray(solved.payoff.values, dtype=float).reshape(-1, len(x))[0]
    if not np.allclose(paid, pays, rtol=1e-7, atol=1e-9):
        duel.faults.append(judge.Fault("payoffs", f"{what}: {paid}, by the formula {pays}"))
    judge.judged(game, arena, x, solved.certificate, rng, duel, what)


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


LISTS = ("FiniteEquilibria", "MixedEquilibria", "PureEquilibria")
ITERATED = ("GradientAscent", "GradientFlow", "Newton")
LEARNERS = ("FictitiousPlay", "Hedge", "LinearProgramme", "RegretMatching", "SoftmaxPolicyGradient")
PARTS = 24


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*LISTS, *LEARNERS])
def test_no_word_or_entry_on_tables_is_wrong(kind: str) -> None:
    rows = [row for row in ROWS if row[0] == "matrix"]
    assert [line for row in rows for line in faults(*row, getattr(rv.methods, kind))] == []


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(PARTS))
def test_no_list_is_wrong(part: int) -> None:
    """Lists of games on boxes take seconds to a minute each."""
    rows = [row for row in ROWS if row[0] not in DRAWN and row[1] not in TURNING]
    assert [line for row in rows[part::PARTS] for line in faults(*row, rv.methods.AllEquilibria)] == []


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ITERATED)
def test_no_word_of_an_iterated_method_is_wrong(kind: str) -> None:
    rows = [row for row in ROWS if row[0] not in DRAWN and row[1] not in TURNING]
    part = ITERATED.index(kind)
    assert [line for row in rows[part::PARTS] for line in faults(*row, getattr(rv.methods, kind))] == []
