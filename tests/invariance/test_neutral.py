"""A neutral value is the key left out: the same game, so the same status, events, words and numbers."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import with_
from rivalry.games import GAMES
from rivalry.lab.study import parameters
from rivalry.methods.continuation.parameters import entries_of
from tests.invariance.neutral import LINE, ROWS, Neutral, differences, tuples


def _cases() -> Iterator[Any]:
    for family, rows in ROWS.items():
        for key, neutral in tuples(rows).items():
            for number, pair in enumerate(() if isinstance(neutral, str) else neutral):
                yield pytest.param(family, pair, id=f"{family}-{key}-{number}")


@pytest.mark.parametrize(("family", "pair"), [*_cases()])
def test_a_neutral_value_is_the_key_left_out(family: str, pair: Neutral) -> None:
    make = getattr(rv.games, family)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert differences(make(**pair.written), make(**pair.without)) == []


@pytest.mark.parametrize("family", sorted(GAMES))
def test_each_key_has_a_neutral_value_or_a_reason(family: str) -> None:
    names = {parameter.name for parameter in parameters(getattr(rv.games, family))}
    assert names == set(ROWS[family]), "add a row to tests/invariance/neutral.py"


def test_a_method_moves_an_array_away_from_its_neutral_value() -> None:
    """The factory leaves the array out, and a method that moves it keeps it."""
    mixed = rv.games.race(risk={"kind": "mixed", "loser_weight": 0.3})
    moved = entries_of(mixed, "loser_weight", "parameter").set(mixed, 0.0)
    x = mixed.inputs(safety_input=[1.0, 2.0], performance_input=[2.0, 1.5])
    assert float(moved.loser_weight) == 0.0
    assert moved.payoffs(x).tolist() == rv.games.race().payoffs(x).tolist()
    voters = rv.games.influencer(**LINE, abstention=2.0)
    assert float(entries_of(voters, "abstention", "parameter").set(voters, 0.0).abstention) == 0.0


@pytest.mark.parametrize(
    ("family", "keys", "name"),
    [
        ("race", {"risk": {"kind": "mixed", "loser_weight": 0.0}}, "loser_weight"),
        ("race", {"cost": {"kind": "penalty", "fine": 0.0}}, "fine"),
        ("race", {"cost": "quadratic"}, "safety_price_slope"),
        ("influencer", {**LINE, "abstention": 0.0}, "abstention"),
    ],
)
def test_no_method_moves_an_array_that_the_game_does_not_use(family: str, keys: Any, name: str) -> None:
    game = getattr(rv.games, family)(**keys)
    with pytest.raises(ValueError, match=f"parameter: {name}: no array of this game"):
        entries_of(game, name, "parameter")


def test_sweeps_pass_the_neutral_value() -> None:
    """A game written with another value is the game without the key where the value becomes neutral."""
    voters = rv.games.influencer(**LINE, abstention=2.0)
    assert differences(with_(voters, abstention=0.0), rv.games.influencer(**LINE)) == []
    mixed = rv.games.race(risk={"kind": "mixed", "loser_weight": 0.3})
    assert differences(with_(mixed, loser_weight=0.0), rv.games.race()) == []


CHEAP = (
    rv.methods.BestResponse(),
    rv.methods.GradientAscent(),
    rv.methods.GradientFlow(),
    rv.methods.Newton(),
)
TWINS: dict[str, tuple[str, Neutral, list[list[float]]]] = {
    "influence everywhere": ("influencer", Neutral(LINE | {"zero_influence": "share"}, LINE), [[0.3], [0.6]]),
    "a constant shock": (
        "market",
        Neutral({"shock": {"kind": "iid", "levels": [10.0]}}, {"intercept": 110.0}),
        [[20.0], [30.0]],
    ),
    "losses that are never taxed": ("market", Neutral({"tax": 0.0, "tax_losses": "none"}), [[20.0], [30.0]]),
    "nobody wins, at no cost": (
        "race",
        Neutral({"no_winner": "disaster", "disaster_cost": [0.0, 0.0]}, {"disaster_cost": [0.0, 0.0]}),
        [[1.0, 1.0], [2.0, 1.0]],
    ),
    "weights of safety in another unit": (
        "race",
        Neutral({"risk": {"kind": "additive", "safety_weight": 2.0}}, {"risk": "additive"}),
        [[1.0, 1.0], [2.0, 1.0]],
    ),
}
"""Games that are equal but for a word or a unit that the object keeps."""


@pytest.mark.slow
@pytest.mark.parametrize("method", CHEAP, ids=lambda method: type(method).__name__)
@pytest.mark.parametrize("name", TWINS)
def test_a_word_without_an_effect_changes_no_result(name: str, method: Any) -> None:
    family, pair, start = TWINS[name]
    results = []
    for keys in pair:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.append(rv.solve(getattr(rv.games, family)(**keys), method, start))
    words = [(result.status, result.claim, result.end_state) for result in results]
    assert words[0] == words[1]
    for variable in ("profile", "payoff", "regret"):
        arrays = [result.data[variable].values for result in results]
        np.testing.assert_allclose(*arrays, rtol=1e-6, atol=1e-6, err_msg=variable)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TWINS if name != "influence everywhere"])
def test_a_word_without_an_effect_changes_no_list(name: str) -> None:
    family, pair, _ = TWINS[name]
    lists = [rv.all_equilibria(getattr(rv.games, family)(**keys)) for keys in pair]
    assert lists[0].complete == lists[1].complete
    assert len(lists[0].equilibria) == len(lists[1].equilibria)
    np.testing.assert_allclose(lists[0].equilibria, lists[1].equilibria, rtol=1e-6, atol=1e-6)
