"""Parameters move what follows from them, whichever way they are changed.

For every numeric key of every family: a game that is built anew, one that `with_` returns, and one of a sweep
are equal, array by array, and the derivative of its payoffs is that of games built anew.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from warnings import catch_warnings, simplefilter

import equinox as eqx
import jax
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import arrays
from rivalry.methods.continuation.parameters import entries_of, move_along
from rivalry.schema.annotations import keys_notes, signature_of
from rivalry.schema.validate import fault_of
from rivalry.solving.batches import Member, _vary
from rivalry.solving.inputs import Settings

pytestmark = pytest.mark.slow

GAMES = rv.games
# several cases per family, since no case takes every key
CASES: dict[str, list[dict[str, Any]]] = {
    "market": [
        {"capacity": [20.0, 100.0]},
        {"initial": 0.5, "cash": 2.0, "capex": 1.0, "capacity": 30.0, "adjustment": "spot"},
        {"demand": "isoelastic"},
        {"demand": "differentiated", "choice": "price", "capacity": 3.0},
        {"demand": "logit", "nests": [[0, 1]]},
        {"players": 3, "owners": [[0, 1], [2]]},
        {"wacc": 0.6, "terminal": "gordon", "horizon": 3},
        {"terminal": "multiple", "horizon": 3},
    ],
    "race": [
        {"contest": {"ease_of_winning": 1.0}, "no_winner": "disaster", "horizon": 2},
        {"cost": {"kind": "certification", "minimum": 1.0}, "risk": "mixed"},
        {"cost": {"kind": "penalty", "minimum": 1.0, "fine": 0.2}},
        {"cost": {"kind": "relative_certification", "margin": 0.5}},
        {"cost": "quadratic", "horizon": "inf", "gamma": 0.5, "contest": {"ease_of_winning": 1.0}},
        {"technology": {"invest": True, "share": True}, "horizon": 2, "risk": "additive"},
    ],
    "influencer": [
        {"resource": "bimodal"},
        {"resource": "bimodal", "resource_points": {"kind": "continuous"}},
        {"space": "box", "variance": 0.1},
        {"choose_reach": [0.1, 0.5], "normalised": True},
        {"kernel": "power_law"},
        {"space": "simplex", "kernel": "dirichlet", "resource_points": {"kind": "mesh", "inset": 0.01}},
        {"space": "simplex"},
    ],
    "precipice": [{}],
    "karma": [
        {"max_karma": 4, "mean_karma": 1.0, "agents": 8},
        {"max_karma": 4, "mean_karma": 1.0, "payment": "fixed_price", "price": 1},
        {"max_karma": 4, "mean_karma": 1.0, "participants": 4, "agents": 8},
    ],
    "city": [
        {"network": "stubs_2x2", "agents": 40},
        {"network": "stubs_2x2", "agents": 40, "mean_karma": 2.0, "max_karma": 8},
    ],
}
VALUES = (0.25, 0.4, 0.6, 1.2, 1.7, 2, 3, 4, 8, 40, 60)
ELSEWHERE: dict[str, set[str]] = {
    "city": {"demand"},  # a table or a file, which its reader checks
    "race": {"discount_offset"},  # 0 or 1
    "influencer": {"reference_corner"},
}
"""Keys that take no two of these values in any case."""


def numeric_keys(make: Any) -> Iterator[str]:
    """Yield the keys that take a number, those of tables included."""
    for name, hint in signature_of(make)[1].items():
        if name in signature_of(make)[0]:
            if any(fault_of(hint, value) is None for value in (1, 0.5, 2.5)):
                yield name
            for note in keys_notes(hint):
                yield from (f"{name}.{key}" for key in numeric_keys(note.target))


def built(family: str, case: dict[str, Any], key: str, value: float) -> Any:
    """Return the game of a case with one key changed, by the factory alone."""
    name, *rest = key.split(".")
    if rest:
        old = case.get(name, {})
        value = {**({"kind": old} if isinstance(old, str) else old), rest[0]: value}  # type: ignore[assignment]
    return getattr(GAMES, family)(**{**case, name: value})


def pair(family: str, case: dict[str, Any], key: str) -> tuple[Any, Any, float] | None:
    """Return the games at two values of a key, and the second value; None for a case that refuses the key."""
    games: list[Any] = []
    for value in VALUES:
        with suppress(ValueError), catch_warnings():
            simplefilter("ignore")  # such as of increasing returns
            games.append(built(family, case, key, value))
        if len(games) == 2:
            return games[0], games[1], value
    return None


def cases(families: Any) -> list[Any]:
    """Return a family with one case each, as parameters of a test."""
    return [
        pytest.param(family, case, id=f"{family}-{k}", marks=[pytest.mark.slow] if k else [])
        for family in families
        for k, case in enumerate(CASES[family])
    ]


@pytest.mark.parametrize(("family", "case"), cases(CASES))
def test_all_ways_to_change_numbers_give_the_game_of_the_factory(family: str, case: dict[str, Any]) -> None:
    checked = 0
    for key in numeric_keys(getattr(GAMES, family)):
        if (found := pair(family, case, key)) is None:
            continue
        base, other, value = found
        assert eqx.tree_equal(
            _vary(Member(base, None, None, Settings()), {key: value}, arrays(base)).game, other
        ), key
        name = key.split(".")[-1]
        if name in arrays(base):
            assert eqx.tree_equal(rv.with_(base, **{name: value}), other), key
            checked += 1
    assert checked > 0


@pytest.mark.parametrize("family", CASES)
def test_every_numeric_key_is_taken_by_some_case(family: str) -> None:
    keys = set(numeric_keys(getattr(GAMES, family)))
    taken = {key for key in keys if any(pair(family, case, key) for case in CASES[family])}
    assert keys - taken == ELSEWHERE.get(family, set())


@eqx.filter_jit
def _slope(game: Any, derivative: Any, x: Any) -> Any:
    def paid(amount: Any) -> Any:
        return move_along(game, derivative, amount).payoffs(x)

    return jax.jvp(paid, (0.0,), (1.0,))[1]


@pytest.mark.parametrize(("family", "case"), cases(["market", "race", "influencer", "precipice"]))
def test_derivatives_are_those_of_games_built_anew(family: str, case: dict[str, Any]) -> None:
    """Differences of payoffs at one profile, between games that the factory made."""
    checked = 0
    for key in numeric_keys(getattr(GAMES, family)):
        name = key.split(".")[-1]
        found = pair(family, case, key)
        if found is None or name not in arrays(found[0]):
            continue
        _, game, value = found
        entries = entries_of(game, name, "key")
        x = game.space.sample(jax.random.key(1))
        here = _slope(game, entries.derivative(game), x)
        step = 1e-4 * value
        try:
            up, down = (built(family, case, key, value + way * step).payoffs(x) for way in (1, -1))
        except ValueError:
            continue
        there = (np.asarray(up) - np.asarray(down)) / (2 * step)
        size = 1.0 + np.max(np.abs(np.asarray(up))) / value
        np.testing.assert_allclose(here, there, atol=1e-5 * size, rtol=1e-5, err_msg=key)
        checked += 1
    assert checked > 0


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("family", "case", "key", "value"),
    [
        ("market", {"capacity": [20.0, 100.0]}, "intercept", 90.0),
        ("market", {}, "capacity", 20.0),
        ("market", {}, "high", 20.0),
        ("market", {"choice": "price", "demand": "differentiated"}, "substitution", 0.4),
        ("market", {"demand": "logit"}, "taste_spread", 0.3),
        ("race", {}, "disaster_cost", 1.2),
        ("race", {}, "reward.prize", 1.2),
        ("race", {"no_winner": "disaster", "contest": {"ease_of_winning": 1.0}}, "liability", 0.5),
        ("influencer", {"resource": "bimodal", "players": 3}, "reach", 0.3),
        ("influencer", {"resource_points": {"kind": "continuous"}, "resource": "1 + b"}, "reach", 0.3),
    ],
)
def test_equilibria_move_as_if_built_anew(family: str, case: dict[str, Any], key: str, value: float) -> None:
    name = key.split(".")[-1]
    game, step = built(family, case, key, value), 1e-4 * value
    if name not in arrays(game):
        with pytest.raises(ValueError, match=f"parameter: {name}: no array of this game"):
            rv.solve(game, rv.methods.ComparativeStatics(name))
        return
    found = rv.solve(game, rv.methods.ComparativeStatics(name), seed=1)
    beside = [
        rv.solve(
            built(family, case, key, value + way * step),
            rv.methods.ComparativeStatics(name),
            start=0.99 * found.profile.values,
        ).profile.values
        for way in (1, -1)
    ]
    there = (beside[0] - beside[1]) / (2 * step)
    np.testing.assert_allclose(found.data.slope, there, atol=1e-4 * (1 + np.abs(there).max()))
