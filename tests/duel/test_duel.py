"""Random settings of every family: claims and lists beside brute force, and refusals of one line."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.games import GAMES
from rivalry.lab.study import parameters
from tests.duel import judge, referee
from tests.duel.draws import (
    ALIKE,
    BY_ANNOTATIONS,
    KINDS,
    NO_DUEL,
    NOT_DRAWN,
    Setting,
    by_annotations,
    names_of,
    settings,
)
from tests.duel.judge import duel
from tests.unit.test_house import differences

pytestmark = pytest.mark.mostly_slow

SEED = 1
DRAWN, NIGHTLY = 200, 40  # settings of each kind; `python -m tests.duel` runs more than the nightly ones
KNOWN: dict[str, str] = {}
"""Settings with wrong words that are not mended yet, each with its reason."""


def test_every_declared_key_is_drawn() -> None:
    drawn = {
        name
        for kind in KINDS
        for one in settings(kind, SEED, 0, DRAWN)
        for name in names_of(one.keys, one.family)
    }
    families = {next(settings(kind, SEED, 0, 1)).family for kind in KINDS}
    file = "tests/duel/draws.py"
    lines = differences(GAMES, {*families, *NO_DUEL, *BY_ANNOTATIONS}, "", file + ": remove {}, no family")
    declared = {
        f"{family}.{row.name}" for family in families for row in parameters(getattr(rv.games, family))
    }
    absent = file + ": draw {}, or add it to NOT_DRAWN with the reason"
    lines += differences(declared, drawn | set(NOT_DRAWN), absent, file + ": remove {}, no key")
    assert not lines, "\n".join(lines)


@pytest.mark.default
def test_keys_without_a_function_are_drawn_within_their_bounds() -> None:
    for family in ("auction", "precipice"):  # factories refuse what is out of bounds
        form, rng = np.random.default_rng(0), np.random.default_rng(1)
        drawn = [by_annotations(family, form, rng) for _ in range(50)]
        games = [setting.make() for setting in drawn]
        assert {len(game.space.mask) for game in games} == {2, 3, 4}
        numbers = [value for setting in drawn for value in setting.keys.values() if type(value) is float]
        assert len(set(numbers)) == len(numbers) > 0
        assert len({value for setting in drawn for value in setting.keys.values() if type(value) is str}) > 1


@pytest.mark.parametrize(
    "first", [0, *(pytest.param(k, marks=pytest.mark.nightly) for k in range(ALIKE, NIGHTLY, ALIKE))]
)
@pytest.mark.parametrize("kind", [*KINDS, *BY_ANNOTATIONS])
def test_no_word_is_wrong(kind: str, first: int) -> None:
    """Settings that are known to have wrong words must still have some."""
    found = []
    for setting in settings(kind, SEED, first, ALIKE):
        lines = duel(setting).lines()
        if setting.name in KNOWN:
            lines = [] if lines else [f"{setting.name}: nothing is wrong any longer; take it from KNOWN"]
        found += lines
    assert found == []


# --- a referee that never objects would accept everything --------------------------------------------------


def _monopoly() -> tuple[Any, referee.Arena, np.random.Generator]:
    setting = Setting("", "market", {"players": 1, "demand": "linear"}, ())
    game = setting.make()
    return game, referee.arena(game, referee.black_box(game)), np.random.default_rng(0)


def test_a_false_equilibrium_and_a_false_bound_are_found() -> None:
    game, one, rng = _monopoly()
    for change, kind in (({"tolerance": 1.0}, "false equilibrium"), ({}, "false bound")):
        found = judge.Duel("", [], [])
        x = np.array([[40.0]])  # 45 pays 25 more
        proof = rv.certificate(game, x)._replace(regret=np.zeros(1), bound=np.full(1, 0.5), **change)
        judge.judged(game, one, x, proof, rng, found, "certificate")
        assert [fault.kind for fault in found.faults] == [kind]


def test_a_false_refutation_is_found() -> None:
    game, one, rng = _monopoly()
    found = judge.Duel("", [], [])
    x = np.array([[45.0]])
    proof = rv.certificate(game, x)._replace(
        regret=np.ones(1), bound=np.ones(1), tolerance=0.0, at_stake=None
    )
    judge.judged(game, one, x, proof, rng, found, "certificate")
    assert [fault.kind for fault in found.faults] == ["false refutation"]


@pytest.mark.default
def test_a_range_that_was_assumed_too_short_is_left() -> None:
    _, one, rng = _monopoly()
    x = np.array([[10.0]])
    short = one._replace(high=np.array([[10.0]]), assumed=np.array([[True]]))
    gained, _ = referee.gains(short, x, rng)
    np.testing.assert_allclose(gained, 45.0 * 45.0 - 10.0 * 80.0, rtol=1e-6)
    own = referee.gains(short._replace(assumed=np.array([[False]])), x, rng)[0]
    assert own[0] == 0.0


def test_unstable_rest_points_are_found() -> None:
    # x and 1 - x are best answers to each other at 1/2 alone; matching 0 or 1 rests as well
    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        rival = x[1 - player, 0]
        return -((own[:, 0] - np.clip(0.5 + 2 * (rival - 0.5), 0, 1)) ** 2)

    ends = np.zeros((2, 1)), np.ones((2, 1))
    one = referee.Arena(payoff, False, *ends, np.zeros((2, 1), bool), np.ones((2, 1), bool))
    found = referee.rest_points(one, np.random.default_rng(0))
    assert sorted(round(float(x[0, 0]), 6) for x in found) == [0.0, 0.5, 1.0]


def test_errors_of_libraries_are_no_refusals() -> None:
    found = judge.Duel("", [], [])

    def broken() -> None:
        np.zeros(3).reshape(2)

    judge.tried(broken, "factory", found)
    assert [fault.kind for fault in found.faults] == ["error"]
    judge.tried(lambda: rv.games.market(slope=-1.0), "factory", found)
    assert found.words == ["factory: refused"]
