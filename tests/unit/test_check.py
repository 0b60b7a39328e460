"""Conformance checks: every registered game and method passes, and each violation is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry import check
from rivalry.check import Unfit, check_game, check_method
from rivalry.core import oracles
from rivalry.core.game import AgentGame, PopulationGame
from rivalry.games import GAMES
from rivalry.methods import METHODS
from rivalry.runtime.jax import jax, jnp
from rivalry.schema.registry import load
from tests.conformance import assert_conforms
from tests.selection import slow_except

MADE = {
    "influencer": {"reach": [0.2, 0.2, 0.3]},
    "karma": {"max_karma": 4, "mean_karma": 2.0},
    "matrix": {"payoffs": np.random.default_rng(0).normal(size=(3, 2, 3, 2)).tolist()},
}

OF_GAMES = {"space", "jit", "gradients", "payoffs"}
OF_POPULATIONS = {"space", "shapes", "environment", "reward", "expect"}
OF_AGENTS = {"world", "static_metrics"}


# travellers on roads are no profile: tests/unit/test_roads.py, test_bottleneck.py
@pytest.mark.parametrize(
    "name",
    slow_except(sorted(set(GAMES) - {"bottleneck", "routes"}), ("city", "influencer", "market", "matrix")),
)
@pytest.mark.nightly
def test_every_registered_game_conforms(name: str) -> None:
    game = getattr(rv.games, name)(**MADE.get(name, {}))
    needed = {PopulationGame: OF_POPULATIONS, AgentGame: OF_AGENTS}
    kind = next((each for each in needed if isinstance(game, each)), None)
    assert (needed[kind] if kind else OF_GAMES) <= set(assert_conforms(game))


class ListWorld(eqx.Module):
    """An agent game whose world is not a tuple."""

    def world(self) -> Any:
        return [0]

    def static_metrics(self) -> Any:
        return {}


class NoMetrics(ListWorld):
    def world(self) -> Any:
        return (0,)

    def static_metrics(self) -> Any:
        return 0


def test_agent_games_are_checked() -> None:
    with pytest.raises(Unfit, match=r"world\(\): list must be a NamedTuple"):
        check_game(ListWorld())
    with pytest.raises(Unfit, match=r"static_metrics\(\)"):
        check_game(NoMetrics())


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name, entry in METHODS.items() if entry.uses])
def test_methods_of_other_libraries_conform(name: str) -> None:
    for library in METHODS[name].uses:
        pytest.importorskip(library)
    options = {"iterations": 2, "batch": 16, "envs": 2, "periods": 4, "hidden": [4], "evaluation": 20}
    game = rv.games.market() if name == "rllib.sac" else None
    assert check_method(load(METHODS[name].targets[0])(**options), game)[0] == "protocol"


class Contest(eqx.Module):
    """A custom game that conforms."""

    @property
    def space(self) -> rv.Box:
        return rv.Box.interval(0.1, 1.0, players=2)

    def payoffs(self, x: jax.Array) -> jax.Array:
        return x[:, 0] / x.sum() - x[:, 0]


def paying(payoffs: Callable[[Any], Any]) -> Any:
    """Return a contest with other payoffs."""
    kind: Any = type("Paying", (Contest,), {"payoffs": lambda self, x: payoffs(x)})
    return kind()


def answering(oracle: Any, answer: Callable[..., Any]) -> Any:
    """Return a contest that answers an oracle by a function of the game and the oracle's arguments."""
    kind: Any = type("Answering", (Contest,), {})
    oracle.register(kind)(answer)
    return kind()


class LeakySpace(eqx.Module):
    shape: tuple[int, int] = (2, 1)

    @property
    def mask(self) -> Any:
        return jnp.ones((2, 1), dtype=bool)

    def project(self, x: Any) -> Any:
        return x

    def sample(self, key: Any) -> Any:
        return jnp.full((2, 1), 0.5)

    def grid(self, player: int, points: int) -> Any:
        return jnp.array([[0.5]])

    def check(self, x: Any, name: str = "start") -> Any:
        return rv.Box.interval(0.0, 0.6, players=2).check(x, name)


class Leaky(eqx.Module):
    space: Any = LeakySpace()

    def payoffs(self, x: jax.Array) -> Any:
        return x[:, 0]


VIOLATIONS: dict[str, tuple[Any, str]] = {
    "no game": (object(), "game: needs a property `space` and a method `payoffs"),
    "one payoff": (paying(lambda x: x.sum()), r"payoffs: shape \(\) must be \(2,\), one per player"),
    "branch": (
        paying(lambda x: x[:, 0] if float(x[0, 0]) > 0.5 else -x[:, 0]),
        "payoffs under jit: raised .*; must be written with jax.numpy",
    ),
    "infinite payoffs": (paying(lambda x: x[:, 0] / (x[:, 0] - x[:, 0])), "payoffs: .* must be finite"),
    "integers": (paying(lambda x: jnp.array([1, 2])), "payoffs: dtype int64 must be float64"),
    "kink": (paying(lambda x: jnp.sqrt(x[:, 0] - x[:, 0])), "gradients: .* must be finite"),
    "gradients": (
        answering(oracles.gradients, lambda game, x: jnp.ones_like(x)),
        "gradients: player 0 is off by .*; must be those of payoffs, or be left out",
    ),
    "leaky space": (Leaky(), r"space.project: player 0 is at 0.87; must be in \[0, 0.6\]"),
}


@pytest.mark.representative
@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_of_games_are_named(name: str) -> None:
    game, message = VIOLATIONS[name]
    with pytest.raises(Unfit, match=message):
        check_game(game)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([1.0], "metrics: list must be a dict of"),
        ({"x": np.ones(2)}, r"metrics\['x'\]: must be \(dimensions, array\)"),
        ({"x": ("player", np.ones(2))}, r"metrics\['x'\]: must be .* dimensions a tuple of names"),
        ({"x": (("player",), np.ones((2, 2)))}, "1 dimensions named; must be 2, as of its array"),
        ({"x": ((), np.asarray(1j))}, "dtype complex128 must be numbers or text"),
    ],
)
def test_invalid_records_are_named(found: Any, message: str) -> None:
    with pytest.raises(Unfit, match=message):
        check.check_record(found, "metrics")
    check.check_record({"x": (("player",), [1.0, 2.0]), "word": ((), np.asarray("a"))}, "metrics")


UNFAITHFUL: dict[str, Any] = {
    "jacobian": answering(oracles.jacobian, lambda game, x: jnp.eye(2)),
    "deviation": answering(
        oracles.deviation_payoff, lambda game, x, player: lambda own: game.payoffs(x)[player]
    ),
    "no scale": answering(oracles.payoff_scale, lambda game: 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNFAITHFUL)
def test_what_is_registered_beside_payoffs_must_follow_from_them(name: str) -> None:
    with pytest.raises(AssertionError):
        assert_conforms(UNFAITHFUL[name])


def test_errors_of_user_code_are_named_with_a_remedy() -> None:
    with pytest.raises(Unfit, match=r"reward: raised ZeroDivisionError: .*; must be finite") as caught:
        check.attempt("reward", "must be finite", divmod, 1, 0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_conforming_game_passes() -> None:
    assert check_game(Contest()) == ("protocol", "space", "payoffs", "jit", "gradients")


class State(NamedTuple):
    profile: jax.Array


class Stay(eqx.Module):
    """A custom method that conforms."""

    def init(self, game: Any, start: Any, key: Any) -> Any:
        return State(start)

    def step(self, game: Any, state: Any, key: Any) -> Any:
        return state


def changed(base: Any, **methods: Callable[..., Any]) -> Any:
    """Return a method of which some functions are others."""
    kind: Any = type("Changed", (base,), methods)
    return kind()


def branching(self: Any, game: Any, state: Any, key: Any) -> Any:
    return state if state.profile[0, 0] > 0 else State(state.profile)


class Counts:
    """A custom learner that conforms."""

    def begin(self, world: Any, stream: Any) -> Any:
        return {"count": np.zeros(1)}

    def advance(self, world: Any, session: Any, steps: int) -> Any:
        session["count"][0] += steps
        return steps

    def read(self, world: Any, session: Any) -> Any:
        return {
            "profile": (("player", "axis"), np.full((2, 3), 1 / 3)),
            "count": (("one",), session["count"]),
        }


class Forgets(Counts):
    def advance(self, world: Any, session: Any, steps: int) -> Any:
        session["count"][0] += 1 / steps if steps else 0
        return steps


class GoesOnOtherwise(Forgets):
    """A learner that loses state between calls and reports it as ``resumed``."""

    def begin(self, world: Any, stream: Any) -> Any:
        return {"count": np.zeros(1), "calls": np.zeros(1)}

    def advance(self, world: Any, session: Any, steps: int) -> Any:
        session["calls"][0] += 1
        return super().advance(world, session, steps)

    def read(self, world: Any, session: Any) -> Any:
        return super().read(world, session) | {"resumed": ((), session["calls"][0] > 1)}


class SaysSoAlways(GoesOnOtherwise):
    def read(self, world: Any, session: Any) -> Any:
        return super().read(world, session) | {"resumed": ((), np.asarray(True))}


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (object(), "method: needs `init"),
        (
            changed(Stay, init=lambda self, game, start, key: (start,)),
            "init: tuple must have a field `profile`",
        ),
        (
            changed(Stay, step=lambda self, game, state, key: State(state.profile + 10.0)),
            r"step 1: player 0 is at .*; must be in \[0, 1\]",
        ),
        (
            changed(Stay, step=lambda self, game, state, key: State(state.profile.astype(jnp.float32))),
            r"step: the state is .*'float32\(2, 1\)'.; must be .*'float64\(2, 1\)'",
        ),
        (changed(Stay, step=branching), "step: raised .*; must be written with jax.numpy"),
        (Forgets(), "advance: 'count' differs when the same steps are taken in parts"),
        (SaysSoAlways(), "advance: 'count' differs when the same steps are taken in parts"),
        (
            changed(Counts, advance=lambda self, world, session, steps: steps + 1),
            "advance: returned 36; must be the number of steps taken, at most 35",
        ),
        (
            changed(Counts, begin=lambda self, world, stream: {"count": [0]}),
            "pack: raised AttributeError: .*; must return numbers or text",
        ),
        (
            changed(Counts, begin=lambda self, world, stream: {"count": np.zeros(1, dtype=complex)}),
            "pack: raised ValueError: count: an array of complex128 cannot be stored",
        ),
        (changed(Counts, read=lambda self, world, session: {}), "read: must hold `profile`"),
    ],
)
def test_violations_of_methods_are_named(method: Any, message: str) -> None:
    with pytest.raises(Unfit, match=message):
        check_method(method)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Stay(), Counts()], ids=["method", "learner"])
def test_conforming_methods_pass(method: Any) -> None:
    assert check_method(method)[0] == "protocol"


@pytest.mark.slow
def test_a_learner_may_differ_after_resuming_if_it_reports_so() -> None:
    assert "same seed, same bits" in check_method(GoesOnOtherwise())
    assert "whole = parts, saved between" in check_method(Counts())
