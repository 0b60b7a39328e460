"""Variables outside a game: certificates follow them when they change."""

from __future__ import annotations

import sys
import timeit
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.captured_variables import forget_changed
from rivalry.core.payoffs import concrete_profile, payoffs
from rivalry.runtime.jax import jax, jnp

SPACE = rv.Box.interval(0.0, 1.0, players=1)
TARGET = 0.25
TARGETS: dict[str, Any] = {"first": 0.25}
POINTS = np.array([0.25, 3.0])
CONFIGURED = SimpleNamespace(target=0.25)
LIBRARY = ModuleType("library_of_a_user")
LIBRARY.target = 0.25  # type: ignore[attr-defined]
TRACES = [0]
counted = 0


def away(x: Any, target: Any) -> Any:
    return -((x[:, 0] - target) ** 2)


def target() -> Any:
    return TARGET


@jax.jit
def compiled_by_hand(x: Any) -> Any:
    return away(x, TARGET)


class Plain:
    """A plain game; ``rule`` computes its payoffs."""

    scale = 1.0
    aim = 0.25

    def __init__(self, rule: Any) -> None:
        self.space, self.rule = SPACE, rule

    def payoffs(self, x: Any) -> Any:
        return self.rule(self, x)


class Module(eqx.Module):
    """The same as a module of Equinox."""

    rule: Any = eqx.field(static=True)

    @property
    def space(self) -> Any:
        return SPACE

    def payoffs(self, x: Any) -> Any:
        return self.rule(self, x)


class Reads(Plain):
    """A game with methods that read a global variable."""

    def __init__(self) -> None:
        self.space = SPACE

    def payoffs(self, x: Any) -> Any:
        return away(x, self.goal)

    @property
    def goal(self) -> Any:
        return target()


class Answered(Plain):
    """A game with a registered bound that reads a global variable."""


@oracles.deviation_payoff.register(Answered)
def _(game: Answered, x: Any, player: Any) -> Any:
    return lambda strategy: -((strategy[0] - TARGET) ** 2)


def set_global(to: float) -> None:
    globals()["TARGET"] = to


def closure() -> tuple[Any, Any]:
    aim = 0.25

    def move(to: float) -> None:
        nonlocal aim
        aim = to

    return Plain(lambda game, x: away(x, aim)), move


OWN: dict[str, Any] = {
    "global": lambda: (Plain(lambda game, x: away(x, TARGET)), set_global),
    "module": lambda: (Module(lambda game, x: away(x, TARGET)), set_global),
    "function of a function": lambda: (Plain(lambda game, x: away(x, target())), set_global),
    "nested function": lambda: (Plain(lambda game, x: (lambda: away(x, TARGET))()), set_global),
    "method and property": lambda: (Reads(), set_global),
    "compiled by hand": lambda: (Plain(lambda game, x: compiled_by_hand(x)), set_global),
    "partial": lambda: (Plain(partial(lambda more, game, x: away(x, TARGET), 1)), set_global),
    "wrapper": lambda: (rv.transforms.freeze(SimpleTwo(), {1: [0.5]}), set_global),
    "closure": closure,
    "class": lambda: (Plain(lambda game, x: away(x, game.aim)), lambda to: setattr(Plain, "aim", to)),
    "dictionary": lambda: (
        Plain(lambda game, x: away(x, TARGETS["first"])),
        lambda to: TARGETS.update(first=to),
    ),
    "array": lambda: (Plain(lambda game, x: away(x, POINTS[0])), lambda to: POINTS.__setitem__(0, to)),
    "object": lambda: (
        Plain(lambda game, x: away(x, CONFIGURED.target)),
        lambda to: setattr(CONFIGURED, "target", to),
    ),
    "other module": lambda: (
        Plain(lambda game, x: away(x, LIBRARY.target)),
        lambda to: setattr(LIBRARY, "target", to),
    ),
}


class SimpleTwo:
    """Two players with the same target."""

    space = rv.Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        return away(x, TARGET)


def paid(game: Any) -> float:
    """Return the payoff at .25 from a compiled program, as certificates do."""
    return float(payoffs(game, concrete_profile(game, [[0.25]]))[0])


@pytest.mark.representative
@pytest.mark.parametrize("where", OWN)
def test_payoffs_follow_a_variable_that_they_read(where: str) -> None:
    game, move = OWN[where]()
    move(0.25)
    try:
        assert paid(game) == 0
        move(0.75)
        assert paid(game) == -0.25
    finally:
        move(0.25)
    assert paid(game) == 0


@pytest.mark.slow
def test_a_certificate_follows_variables_of_payoffs_and_of_registered_answers() -> None:
    game = Answered(lambda game, x: away(x, TARGET))
    assert rv.certificate(game, [[0.25]]).claim == "equilibrium"
    set_global(0.75)
    try:
        found = rv.certificate(game, [[0.25]])
    finally:
        set_global(0.25)
    assert found.regret[0] == pytest.approx(0.25)
    assert found.claim == "not an equilibrium"


def test_what_payoffs_count_themselves_is_no_change() -> None:
    def counting(game: Any, x: Any) -> Any:
        global counted
        TRACES[0] += 1
        counted += 1
        return away(x, 0.25)

    game = Plain(counting)
    paid(game)
    before = TRACES[0], counted
    assert paid(game) == 0
    assert (TRACES[0], counted) == before


def test_a_look_at_variables_takes_microseconds() -> None:
    for game in (Plain(lambda game, x: away(x, TARGET)), rv.games.race(), rv.games.market()):
        forget_changed(game)
        assert min(timeit.repeat(lambda g=game: forget_changed(g), number=100, repeat=5)) / 100 < 1e-3


def test_variables_of_installed_libraries_are_not_followed() -> None:
    assert "jax" in sys.modules
    from rivalry.core import captured_variables

    game = Plain(lambda game, x: jnp.exp(away(x, np.pi)))
    forget_changed(game)
    names = {one.name for rows in captured_variables._SEEN.values() for one, _, _ in rows}
    assert {"np", "jnp"} & names == set()
