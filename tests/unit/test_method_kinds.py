"""Every method on one game of each kind: a result, or one line that names the kind and a method."""

import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.needs import fits
from rivalry.families.extensive import Chance, Decision, Extensive
from rivalry.families.lq import lq
from rivalry.methods import METHODS
from rivalry.schema.registry import load


def pennies(h: tuple[Any, ...]) -> Any:
    if len(h) < 2:
        return Decision(len(h), "coin", ("heads", "tails"))
    return (1, -1) if h[0] == h[1] else (-1, 1)


def entry(h: tuple[Any, ...]) -> Any:
    if h == ():
        return Decision(0, "entrant", ("in", "out"))
    return Decision(1, "incumbent", ("share", "fight")) if h == ("in",) else (1, 2) if len(h) == 1 else (2, 1)


def lottery(h: tuple[Any, ...]) -> Any:
    if h == ():
        return Chance({"a": Fraction(1, 2), "b": Fraction(1, 2)})
    return Decision(0, "buy", ("yes", "no")) if len(h) == 1 else (int(h == ("a", "yes")),)


KINDS: dict[str, tuple[str, Callable[[], Any]]] = {
    "bimatrix": ("a finite game", lambda: rv.games.matrix("chicken")),
    "three players": ("a finite game", lambda: rv.games.matrix("jordan")),
    "zero-sum tree": ("a game in extensive form", lambda: Extensive.from_rules(pennies)),
    "tree": ("a game in extensive form", lambda: Extensive.from_rules(entry)),
    "one player": ("a game in extensive form", lambda: Extensive.from_rules(lottery, players=1)),
    "continuous": (
        "a game of continuous choices",
        lambda: rv.games.continuous(payoffs=["x1*(1-x1-x2)", "x2*(1-x1-x2)"]),
    ),
    "market": ("a game of continuous choices", lambda: rv.games.market()),
    "population": ("a population", lambda: rv.games.karma()),
    "city": ("a game of finitely many agents", lambda: rv.games.city()),
    "linear-quadratic": (
        "a linear-quadratic game",
        lambda: lq(
            A=[[1.1]], B=[[[1.0]], [[1.0]]], R=[[[1.0]]] * 2, Q=[[[10.0]]] * 2, gamma=0.9, initial=[1.0]
        ),
    ),
}
CLASSES = sorted(
    {t for entry in METHODS.values() for t in entry.targets if not t.startswith("rivalry.integrations")}
)


def tried(game: Any, target: str) -> str:
    """Empty where a method returns a result, else its message; any other exception passes through."""
    kind = load(target)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rv.solve(game, kind(), max_steps=2)
    except (ValueError, TypeError) as error:
        caught = error
    else:
        return ""
    assert type(caught).__module__.startswith(("builtins", "rivalry")), caught
    assert "\n" not in str(caught)
    return str(caught)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_methods_for_other_kinds_name_the_kind_and_a_method(name: str) -> None:
    words, make = KINDS[name]
    game, refused = make(), 0
    for target in CLASSES:
        if fits(load(target), game):
            continue
        message = tried(game, target)
        assert message, target
        if not message.startswith("game: "):  # options without a default are missing
            assert "is missing" in message
            continue
        assert message.startswith(f"game: is {words}; {target.partition(':')[2]} needs "), message
        assert "; use " in message, message
        refused += 1
    assert refused > 10


@pytest.mark.nightly
@pytest.mark.parametrize("name", KINDS)
def test_methods_for_a_kind_return_a_result_or_one_line(name: str) -> None:
    game = KINDS[name][1]()
    for target in CLASSES:
        if fits(load(target), game):
            tried(game, target)


def test_the_methods_named_for_a_kind_take_it() -> None:
    for words, make in KINDS.values():
        game = make()
        message = next(
            text
            for target in CLASSES
            if not fits(load(target), game) and "; use " in (text := tried(game, target))
        )
        assert f"is {words}" in message
        for used in message.partition("; use ")[2].split(" or "):
            assert fits(load(next(t for t in CLASSES if t.endswith(f":{used}"))), game)


def test_best_responses_on_a_tree_are_refused_without_a_message_of_jax() -> None:
    # gambitproject/gambit issue 523 and google-deepmind/open_spiel issue 1304 ask for (in, share)
    with pytest.raises(ValueError, match=r"^game: is a game in extensive form; BestResponse needs") as error:
        rv.solve(Extensive.from_rules(entry), rv.methods.BestResponse())
    assert "use SubgamePerfectEquilibria" in str(error.value)


@pytest.mark.slow
def test_tables_in_place_of_games_are_not_refused() -> None:
    class Own:
        def begin(self, world: Any, stream: Any) -> Any:
            return {"x": np.zeros(1)}

        def advance(self, world: Any, session: Any, steps: int) -> int:
            return 0

        def read(self, world: Any, session: Any) -> Any:
            return {"profile": (("player", "axis"), np.ones((1, 1))), "steps": ((), np.zeros(()))}

    assert rv.solve(np.ones((2, 2)), Own()).status == "converged"
