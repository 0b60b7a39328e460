"""Numbers that are no limits or tolerances, and arrays that hide entries, are refused where they enter."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.games import GAMES
from rivalry.methods import METHODS
from rivalry.schema.registry import load
from tests.typed import AT_WORK

NO_TOLERANCES = (float("nan"), float("inf"), -1.0)
DILEMMA = rv.games.matrix("prisoners_dilemma")
PURE = [[1.0, 0.0], [0.0, 1.0]]
CALLS: dict[str, Any] = {  # every public function with a limit or a tolerance
    "certificate": lambda **options: rv.certificate(DILEMMA, PURE, **options),
    "best_response": lambda **options: rv.best_response(DILEMMA, PURE, 0, **options),
    "solve": lambda **options: rv.solve(DILEMMA, rv.methods.Evaluate(), PURE, **options),
    "sweep": lambda **options: rv.sweep(DILEMMA, {"0": [1]}, rv.methods.Evaluate(), PURE, **options),
    "trace": lambda **options: rv.trace(DILEMMA, rv.methods.Evaluate(), PURE, **options),
    "all_equilibria": lambda **options: rv.all_equilibria(DILEMMA, **options),
}
LIMITS = ("tol", "tolerance", "max_seconds", "max_steps", "steps", "points")


def limits() -> Iterator[tuple[str, str]]:
    """Yield the public functions and those of their parameters that are limits and tolerances."""
    for name in rv.__all__:
        value = getattr(rv, name)
        if inspect.isfunction(value):
            yield from ((name, key) for key in inspect.signature(value).parameters if key in LIMITS)


@pytest.mark.parametrize(("function", "key"), list(limits()))
def test_what_is_no_limit_is_refused(function: str, key: str) -> None:
    is_whole = key in ("max_steps", "steps", "points")  # a float is refused before where types are checked
    for value in (-1,) if is_whole and AT_WORK else (-1, *NO_TOLERANCES):
        with pytest.raises(ValueError, match=rf"^{key}: .* must be "):
            CALLS[function](**{key: value})
    if key == "max_seconds":
        with pytest.raises(ValueError, match=r"^max_seconds: 0 must be "):
            CALLS[function](max_seconds=0)


def parameters(targets: list[Any], kind: str = "") -> Iterator[tuple[Any, str]]:
    """Yield all parameters whose annotation names a type."""
    for target in targets:
        for name, parameter in inspect.signature(target).parameters.items():
            if kind in str(parameter.annotation):
                yield target, name


def makers() -> list[Any]:
    """Return all classes of methods and all factories of games."""
    targets = {target for entry in [*METHODS.values(), *GAMES.values()] for target in entry.targets}
    return [load(target) for target in sorted(targets)]


def refusal(target: Any, name: str, value: object) -> str:
    """Return how a factory or a class of methods refuses a value; empty where it takes it."""
    try:
        target(**{name: value})
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.slow
def test_no_number_of_a_method_or_a_game_may_be_undefined() -> None:
    for target, name in parameters(makers(), "float"):
        assert refusal(target, name, float("nan")), (target, name)


def test_masked_entries_are_never_read_as_numbers() -> None:
    masked = np.ma.masked_array([0.3, 0.7], [0, 1])
    for target, name in parameters(makers()):
        words = refusal(target, name, masked)
        # of a call that lacks another argument this is told first
        assert re.search("has masked entries|is missing|is no argument", words), (target, name, words)
    whole = np.ma.masked_array([[3.0, 0.0], [5.0, 1.0]], np.zeros((2, 2)))
    hidden = np.ma.masked_array(whole.data, [[0, 1], [0, 0]])
    assert rv.games.matrix(whole, whole.T).sizes == (2, 2)
    chances = np.ma.masked_array(PURE, [[0, 1], [0, 0]])
    for call in (
        lambda: rv.games.matrix(hidden),
        lambda: rv.games.matrix(whole, hidden),
        lambda: rv.games.matrix(payoffs=[whole, hidden]),
        lambda: rv.games.matrix([whole, hidden]),
        lambda: rv.all_equilibria([[whole, hidden]]),
        lambda: rv.certificate(DILEMMA, chances),
        lambda: rv.best_response(DILEMMA, chances, 0),
        lambda: rv.solve(DILEMMA, rv.methods.Evaluate(), chances),
        lambda: rv.games.race(disaster_cost=[1.0, np.ma.masked]),
        lambda: rv.games.market(unit_cost=[1, np.ma.masked]),
    ):
        with pytest.raises(ValueError, match="has masked entries; must be numbers throughout"):
            call()


@pytest.mark.parametrize("actions", [[1, 0], (0, 1), np.array([1.0, 1.0]), ["defect", "cooperate"]])
def test_an_action_per_player_is_told_how_a_profile_of_it_is_written(actions: Any) -> None:
    for call in (
        lambda: rv.certificate(DILEMMA, actions),
        lambda: rv.best_response(DILEMMA, actions, 0),
        lambda: rv.solve(DILEMMA, rv.methods.Evaluate(), actions),
    ):
        with pytest.raises(ValueError, match=r"pure actions are game\.pure\(") as caught:
            call()
        written = re.search(r"game\.(pure\(.*\))$", str(caught.value))
        assert written is not None
        profile = np.asarray(eval(written[1], {"pure": DILEMMA.pure}))
        names = ["cooperate", "defect"]
        chosen = [names.index(action) if isinstance(action, str) else int(action) for action in actions]
        np.testing.assert_array_equal(profile, np.eye(2)[chosen])


@pytest.mark.parametrize("profile", [[1, 1, 1], 1, None, [0.5, 0.5], [[1, 0], [1]], [[1, 0]], "defect"])
def test_other_shapes_are_told_the_shape_alone(profile: Any) -> None:
    with pytest.raises(ValueError, match=r"^profile: .* must be .*\(2, 2\)"):
        rv.certificate(DILEMMA, profile)
