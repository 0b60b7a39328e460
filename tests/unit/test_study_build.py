"""Games built from the tables of a study: leaders."""

import re
from pathlib import Path

import numpy as np
import pytest

import rivalry as rv
from rivalry.lab.study import StudyError, build_game

SEXES = {"family": "matrix", "name": "battle_of_the_sexes"}


@pytest.mark.slow
def test_leaders_match_the_stackelberg_transform() -> None:
    """A game with leaders equals the same transform in Python; the follower joins the leader."""
    game = build_game({**SEXES, "leaders": [1]})
    by_hand = rv.transforms.stackelberg(
        rv.games.matrix("battle_of_the_sexes"), [1], rv.transforms.Followers()
    )
    for strategy in ([1.0, 0.0], [0.0, 1.0]):
        x = game.space.check([strategy])
        assert game.payoffs(x).tolist() == by_hand.payoffs(x).tolist()
    assert game.payoffs(game.space.check([[0.0, 1.0]])).tolist() == [3.0]


def test_leaders_with_stages_are_refused() -> None:
    with pytest.raises(StudyError, match=r"game\.leaders: clashes with stages"):
        build_game({"family": "market", "stages": [[0], [1]], "leaders": [0]})


def test_a_symbol_is_refused_with_the_name_of_its_key() -> None:
    with pytest.raises(StudyError, match=r"^game\.c: is called unit_cost here$"):
        build_game({"family": "market", "c": 3.0})


@pytest.mark.slow
def test_leaders_in_a_study() -> None:
    """A study with leaders is checked like any other, and the key may be swept."""
    table = {**SEXES, "leaders": [0]}
    study = rv.Study(
        name="led", game=table, method={"kind": "best_response"}, sweep={"game.leaders": [[0], [1]]}
    )
    study.check()
    assert len(study.cells()) == 2


@pytest.mark.parametrize(
    ("leaders", "message"),
    [
        (0, "game.leaders: 0 must be a list of players, as in [0]"),
        ([2], "game.leaders[0]: 2 must be a whole number in 0..1"),
        ([0, 0], "game.leaders: [0, 0] names a player twice"),
        ([0, 1], "game.leaders: all 2 players; must leave at least one follower"),
        (["x"], "game.leaders: ['x'] must be a list of players, as in [0]"),
    ],
)
def test_invalid_leaders_are_refused(leaders: object, message: str) -> None:
    with pytest.raises(StudyError, match=re.escape(message)):
        build_game({**SEXES, "leaders": leaders})


def test_a_misspelt_leaders_key_gives_a_hint() -> None:
    with pytest.raises(StudyError, match="leaders"):
        build_game({**SEXES, "leader": [0]})


def test_a_family_may_define_a_parameter_named_leaders(tmp_path: Path) -> None:
    """A parameter that the family defines is passed to it."""
    (tmp_path / "own.py").write_text(
        "import rivalry as rv\n\n\ndef game(*, leaders: list[int]):\n"
        "    assert leaders == [7]\n    return rv.games.matrix('chicken')\n",
        encoding="utf-8",
    )
    game = build_game({"family": "own.py:game", "leaders": [7]}, tmp_path)
    assert np.asarray(game.space.shape).tolist() == [2, 2]
