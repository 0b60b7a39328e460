"""Games that are plain Python classes work wherever `check_game` accepts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import plain
from rivalry.core.game import Game
from rivalry.lab.executor import certify, run_study
from rivalry.methods import Branches, GradientAscent, Hedge, PopulationNewton
from rivalry.population import population_certificate
from rivalry.runtime.jax import eqx, jax, jnp
from rivalry.solving import solve_batch
from tests.conformance import assert_conforms

START = [0.2, 0.3]
SLOPES = np.array([1.0, 1.5])
ASCENT = GradientAscent(rate=0.2)


def pays(game: Any, x: Any) -> Any:
    """Linear Cournot: in equilibrium x_i = (1 - x_j) / (2 slope_i)."""
    return x[:, 0] * (1 - x.sum()) - (game.slopes - 1) * x[:, 0] ** 2


def equilibrium(first: float, second: float) -> list[float]:
    return np.linalg.solve([[2 * first, 1], [1, 2 * second]], [1, 1]).tolist()  # type: ignore[no-any-return]


def unit(game: Any) -> rv.Box:
    return rv.Box.interval(0.0, 1.0, players=2)


class Plain:
    def __init__(self, slopes: Any = SLOPES) -> None:
        self.space, self.slopes = unit(self), np.asarray(slopes)

    payoffs = pays


class Comparable(Plain):
    """With ``__eq__`` and thus without a hash."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Comparable)


@dataclass
class Data:
    slopes: Any = field(default_factory=lambda: SLOPES)
    space = property(unit)
    payoffs = pays


@dataclass(frozen=True)
class Frozen:
    slopes: Any = field(default_factory=lambda: jnp.asarray(SLOPES))
    space = property(unit)
    payoffs = pays


@dataclass(slots=True)
class Slots:
    slopes: Any = field(default_factory=lambda: SLOPES)
    space = property(unit)
    payoffs = pays


KINDS: dict[str, Callable[[], Any]] = {
    kind.__name__: kind for kind in (Plain, Comparable, Data, Frozen, Slots)
}


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_class_is_solved(kind: str) -> None:
    game = KINDS[kind]()
    if kind in ("Plain", "Data"):  # hashable and not; only two, as compilation is slow
        assert rv.check_game(game)[:2] == ("protocol", "space")
    found = rv.solve(game, ASCENT, START)
    np.testing.assert_allclose(found.profile[:, 0], equilibrium(1.0, 1.5), atol=1e-6)
    assert found.claim == "equilibrium"
    np.testing.assert_allclose(rv.certificate(game, jnp.zeros((2, 1))).regret, 1 / (4 * SLOPES), rtol=1e-6)


@pytest.mark.parametrize("kind", ["Plain", "Frozen"])
@pytest.mark.slow
def test_arrays_of_a_plain_class_can_be_swept(kind: str) -> None:
    game = KINDS[kind]()
    swept = rv.sweep(game, {"slopes": [1.0, 2.0]}, ASCENT, START)
    for slope in (1.0, 2.0):
        there = swept.profile.sel(slopes=slope).values[:, 0]
        np.testing.assert_allclose(there, equilibrium(slope, slope), atol=1e-6)
    np.testing.assert_array_equal(game.slopes, SLOPES)


@pytest.mark.slow
def test_continuation_in_a_parameter_of_a_plain_class() -> None:
    """The symmetric equilibrium is 1 / (1 + 2 slope)."""
    branch = rv.solve(Plain(np.ones(2)), Branches(parameter="slopes", low=1.0, high=2.0)).data
    slope = branch.branch_parameter.values
    assert slope.min() < 1.05
    assert slope.max() > 1.95
    np.testing.assert_allclose(branch.branch_position.values[:, 0, 0], 1 / (1 + 2 * slope), rtol=1e-6)


def test_parameters_of_a_class_with_slots_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="slopes: cannot be changed in a Slots with __slots__; must be"):
        rv.with_(Slots(), slopes=1.0)
    with pytest.raises(ValueError, match="gain: no array of this game; it has slopes"):
        rv.with_(Slots(), gain=1.0)


@pytest.mark.parametrize("change", ["array", "entry", "list"])
@pytest.mark.slow
def test_changes_to_a_plain_game_take_effect(change: str) -> None:
    """Compiled programs are not reused after a new array, a changed entry or a changed nested value."""
    game: Any = Plain(np.array(SLOPES))
    game.parts = {"list": [1.0]}
    game.payoffs = lambda x: pays(game, x) * game.parts["list"][0]
    before = rv.solve(game, ASCENT, START)
    if change == "array":
        game.slopes = np.array([2.0, 2.0])
    elif change == "entry":
        game.slopes[:] = 2.0
    else:
        game.parts["list"][0] = -1.0
    after = rv.certificate(game, before.profile)
    assert before.claim == "equilibrium"
    assert after.claim == "not an equilibrium"


class Roads:
    """The commute of `tests.commuting`, as a plain class."""

    def __init__(self, slopes: Any = (1.0, 3.0)) -> None:
        self.slopes = np.asarray(slopes, dtype=float)
        roads = len(self.slopes)
        self.space = rv.Simplex((roads,))
        self.discount, self.legal = jnp.zeros(1), jnp.ones((1, roads), dtype=bool)

    def environment(self, mu: Any, pi: Any) -> Any:
        return mu @ pi

    def reward(self, env: Any) -> Any:
        return -(self.slopes * env)[None]

    def expect(self, env: Any) -> Any:
        return lambda values: jnp.broadcast_to(values[:, None], self.legal.shape)

    def balance(self, env: Any, mu: Any, pi: Any) -> Any:
        return env - self.environment(mu, pi)


@pytest.mark.nightly
def test_a_plain_population_is_solved() -> None:
    """Wardrop shares are proportional to 1 / slope; the logit equilibrium at beta 1000 is close to them."""
    game = Roads()
    assert_conforms(game)
    np.testing.assert_allclose(rv.solve(game, PopulationNewton()).profile, [[0.75, 0.25]], atol=0.002)
    proof = population_certificate(game, [[0.5, 0.5]])
    np.testing.assert_allclose(proof.regret, [1.0 - 0.5], rtol=1e-9)  # (0.5 + 1.5) / 2 for 0.5
    game.slopes = np.array([3.0, 1.0])
    np.testing.assert_allclose(rv.solve(game, PopulationNewton()).profile[0, 0], 0.25, atol=0.002)


class Counter:
    """A plain `MarkovGame`: a stock grows by the action; the reward is proportional to the stock."""

    def __init__(self, gain: float) -> None:
        self.gain = np.array([gain, 2 * gain])
        self.space = rv.Box.interval(0.0, 1.0, players=2)

    def __eq__(self, other: object) -> bool:
        return self is other

    def reset(self, key: Any) -> Any:
        return jnp.zeros(2)

    def step(self, state: Any, x: Any, key: Any) -> Any:
        following = state + x[:, 0]
        return following, self.gain * following, jnp.asarray(False), jnp.asarray(False)

    def observe(self, state: Any) -> Any:
        return jnp.broadcast_to(state, (2, 2))


@pytest.mark.nightly
def test_a_plain_markov_game() -> None:
    envs = pytest.importorskip("rivalry.envs", reason="needs pettingzoo", exc_type=ImportError)
    env = envs.parallel_env(Counter(1.0), periods=2)
    env.reset(seed=1)
    assert env.step(dict.fromkeys(env.agents, np.ones(1)))[1] == {"player_0": 1.0, "player_1": 2.0}


@pytest.mark.slow
def test_learners_accept_a_plain_finite_game() -> None:
    """Prisoner's dilemma in mixed strategies: both players learn to defect."""

    class Prisoners(Plain):
        def __init__(self) -> None:
            self.space = rv.Simplex((2, 2))
            self.table = np.array([[[3.0, 0.0], [5.0, 1.0]], [[3.0, 5.0], [0.0, 1.0]]])

        def payoffs(self, x: Any) -> Any:
            return jnp.einsum("pab,a,b->p", self.table, x[0], x[1])

        def __eq__(self, other: object) -> bool:
            return self is other

    found = rv.solve(Prisoners(), Hedge(), max_steps=2000)
    np.testing.assert_allclose(found.data.mean_profile[:, 1], 1.0, atol=1e-3)


FAMILY = """
import numpy as np

from tests.unit.test_plain_games import Data, Roads

def data(first: float = 1.0):
    return Data(np.array([first, 1.5]))

def roads(first: float = 1.0):
    return Roads([first, 3.0])
"""


@pytest.mark.nightly
@pytest.mark.parametrize(("family", "swept"), [("data", "batch"), ("roads", "sweep")])
def test_a_study_of_a_plain_game(family: str, swept: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FAMILY, encoding="utf-8")
    ascent = {"kind": "gradient_ascent", "start": START, "rate": 0.2}
    study = rv.Study(
        name="own",
        folder=tmp_path,
        game={"family": f"own.py:{family}"},
        method={"kind": "newton"} if family == "roads" else ascent,
        **{swept: {"game.first": [1.0, 2.0]}},
    )
    run = run_study(study, tmp_path / "run")
    for first in (1.0, 2.0):
        found = run.dataset().profile.sel(first=first).values.ravel()
        right = equilibrium(first, 1.5) if family == "data" else [3 / (3 + first), first / (3 + first)]
        np.testing.assert_allclose(found, right, atol=1e-6 if family == "data" else 2e-3)
    assert certify(run) == (0 if family == "roads" else len(run.cells))  # the method certified populations


@pytest.mark.slow
def test_batches_of_different_plain_games() -> None:
    games = [Plain([1.0, 1.5]), Plain([2.0, 1.5])]
    starts = [games[0].space.check(START)] * 2
    found = solve_batch(games, [ASCENT] * 2, starts)
    for each, first in zip(found, (1.0, 2.0), strict=True):
        np.testing.assert_allclose(each.profile[:, 0], equilibrium(first, 1.5), atol=1e-6)
    again = solve_batch([games[0]] * 2, [ASCENT] * 2, starts)
    np.testing.assert_allclose(again[1].profile, found[0].profile, rtol=1e-12)


class Duopoly(eqx.Module):
    """A game of one's own as an `equinox.Module`: all that it needs is a space and payoffs."""

    cost: jax.Array
    space: rv.Box

    def payoffs(self, x: jax.Array) -> jax.Array:
        quantity = x[:, 0]
        return (10.0 - quantity.sum() - self.cost) * quantity


class Given:
    """Two players on one interval with payoffs that are handed over."""

    def __init__(self, rule: Callable[[Any, Any], Any]) -> None:
        self.rule, self.space = rule, rv.Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        return self.rule(x[:, 0], x[::-1, 0])


@pytest.mark.slow
def test_a_game_is_checked_though_another_of_its_class_was() -> None:
    method = rv.methods.BestResponse(points=21)
    assert rv.solve(Given(lambda own, other: own * (1 - own - other)), method).claim == "equilibrium"
    with pytest.raises(ValueError, match=r"^payoffs: must be written with jax\.numpy"):
        rv.solve(Given(lambda own, other: np.sin(own) - other), method)
    with pytest.raises(ValueError, match=r"^payoffs: shape \(1,\) must be \(2,\)"):
        rv.solve(Given(lambda own, other: jnp.zeros(1)), method)


@pytest.mark.slow
def test_payoffs_of_own_games_are_compiled() -> None:
    """Bound methods of a plain class as they are; a module, whose arrays have no hash, as an argument."""
    x = jnp.array([[1.0], [2.0]])
    plain = Plain(np.array(SLOPES))
    np.testing.assert_allclose(jax.jit(plain.payoffs)(x), plain.payoffs(x), rtol=1e-15)
    game = Duopoly(jnp.array([1.0, 2.0]), rv.Box.interval(0.0, 5.0, players=2))
    right = [(10 - 3 - 1) * 1, (10 - 3 - 2) * 2]
    for pay in (eqx.filter_jit(game.payoffs), jax.jit(lambda x: game.payoffs(x))):
        np.testing.assert_allclose(pay(x), right, rtol=1e-15)
    np.testing.assert_allclose(jax.jit(Duopoly.payoffs)(game, x), right, rtol=1e-15)
    with pytest.raises(TypeError, match="unhashable"):  # as the tutorial says of a custom game
        jax.jit(game.payoffs)(x)
    for own in (rv.games.market(), rv.games.influencer(reach=[0.2] * 2)):
        np.testing.assert_allclose(eqx.filter_jit(own.payoffs)(x / 4), own.payoffs(x / 4), rtol=1e-12)


class Itself:
    """An object that contains itself."""

    def __init__(self, value: float) -> None:
        self.value, self.whole = value, [self]


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def says(self) -> str:
        return self.name


EQUAL_BY_VALUE: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "sign of zero": (lambda: 0.0, lambda: -0.0),
    "type of a number": (lambda: 1, lambda: True),
    "array": (lambda: np.array([1.0, np.nan]), lambda: np.array([1.0, 0.0])),
    "type of an array": (lambda: np.zeros(2), lambda: np.zeros(2, dtype=np.float32)),
    "shape": (lambda: np.zeros((2, 1)), lambda: np.zeros((1, 2))),
    "array of objects": (lambda: np.array([{1}, "a"], object), lambda: np.array([{2}, "a"], object)),
    "nested list": (lambda: [1.0, (2.0, "x")], lambda: [1.0, (3.0, "x")]),
    "list for tuple": (lambda: [1.0], lambda: (1.0,)),
    "set": (lambda: {"a", "b"}, lambda: {"a", "c"}),
    "table": (lambda: {"a": [1]}, lambda: {"a": [2]}),
    "object that contains itself": (lambda: Itself(1.0), lambda: Itself(2.0)),
    "bound method": (lambda: Named("a").says, lambda: Named("b").says),
    "pytree": (lambda: rv.Box.interval(0.0, 1.0, players=2), lambda: rv.Box.interval(0.0, 2.0, players=2)),
    "random key": (lambda: jax.random.key(1), lambda: jax.random.key(2)),
    "date": (lambda: date(2020, 1, 1), lambda: date(2020, 1, 2)),
}


@pytest.mark.parametrize("what", EQUAL_BY_VALUE)
def test_attributes_are_compared_by_value(what: str) -> None:
    one, other = EQUAL_BY_VALUE[what]
    key = plain._key(one(), ())
    assert key == plain._key(one(), ())
    assert key != plain._key(other(), ())
    assert hash(key) == hash(plain._key(one(), ()))


class Unhashable:
    """An object that NumPy, JAX and `vars` know nothing of, equal to others and without a hash."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable)


def test_objects_without_a_hash_are_compared_by_identity() -> None:
    """Two that are equal now may differ later, and their class does not say by what."""
    one, other = Unhashable(), Unhashable()
    assert plain._key(one, ()) == plain._key(one, ())
    assert plain._key(one, ()) != plain._key(other, ())
    assert plain._key(one, ()) != plain._key(1.5, ())


def test_games_that_refer_to_each_other_are_compared_by_structure() -> None:
    """Two that contain each other differ from two that contain themselves."""
    first, second, third = Itself(1.0), Itself(1.0), Itself(1.0)
    first.whole, second.whole = [second], [first]
    assert plain._key(first, ()) == plain._key(second, ())
    assert plain._key(first, ()) != plain._key(third, ())
    inner, outer = Itself(1.0), Itself(1.0)
    outer.whole = [inner]  # which contains itself, not the outer one
    assert plain._key(first, ()) != plain._key(outer, ())


def test_a_copy_shares_no_array_with_the_game() -> None:
    game = Slots(np.array(SLOPES))
    copied = plain._copy(game, {})
    game.slopes[:] = 9.0
    np.testing.assert_array_equal(copied.slopes, SLOPES)
    assert plain.attributes(copied).keys() == {"slopes"}


def test_a_replaced_array_is_the_only_leaf() -> None:
    game = rv.with_(Plain(), slopes=[3.0, 4.0])
    (leaf,) = jax.tree.leaves(plain.register_plain(game))
    np.testing.assert_array_equal(leaf, [3.0, 4.0])
    again = rv.with_(game, slopes=[5.0, 6.0])
    one, other = (jax.tree.structure(each) for each in (game, again))
    assert one == other  # one program serves both
    assert one != jax.tree.structure(Plain())
    assert hash(one) == hash(other)
    doubled = jax.tree.map(lambda array: 2 * array, again)
    np.testing.assert_array_equal(doubled.slopes, [10.0, 12.0])
    assert isinstance(doubled, Plain)


def given(function: Callable[[Any], Any]) -> Any:
    """Return a game of a new class, since payoffs are checked once per class."""

    class Given:
        space = rv.Box.interval(0.0, 1.0, players=2)

        def payoffs(self, x: Any) -> Any:
            return function(x)

    return Given()


WRONG_PAYOFFS = {
    "one number": (lambda x: x.sum(), "shape () must be (2,)"),
    "a row per player": (lambda x: x * (1 - x), "its choice is x[i, 0]"),
    "a list": (lambda x: [x[0, 0], x[1, 0]], "write jnp.array([..])"),
    "functions of NumPy": (lambda x: jnp.asarray(np.sin(x[:, 0])), "must be written with jax.numpy"),
    "a branch on choices": (lambda x: x[:, 0] if x[0, 0] > 0 else -x[:, 0], "jnp.where, not if"),
    "players counted from 1": (lambda x: jnp.stack([x[1, 0], x[2, 0]]), "index 2 is out of bounds"),
    "an unknown name": (lambda x: x[:, 0] * unknown, "NameError: name 'unknown'"),  # type: ignore[name-defined]
}


@pytest.mark.parametrize("wrong", WRONG_PAYOFFS)
def test_payoffs_of_another_form_are_refused_in_one_line(wrong: str) -> None:
    """JAX reads the last entry in place of one outside an array, so its index would go unnoticed."""
    payoffs, words = WRONG_PAYOFFS[wrong]
    game = given(payoffs)
    calls: list[Callable[[], object]] = [
        lambda: rv.solve(game, rv.methods.BestResponse()),
        lambda: rv.certificate(game, [0.1, 0.2]),
        lambda: rv.all_equilibria(game),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"^payoffs: ") as refused:
            call()
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_payoffs_that_only_arrays_of_jax_accept_are_taken() -> None:
    game = given(lambda x: -((x.at[0, 0].add(-0.5))[:, 0] ** 2))
    assert np.allclose(rv.certificate(game, [0.5, 0.0]).regret, 0.0)


@pytest.mark.slow
def test_payoffs_that_are_no_number_are_named_in_place_of_a_limit() -> None:
    game = given(lambda x: jnp.log(x[:, 0] - 2.0))
    with pytest.warns(UserWarning, match="a payoff is not a number at the last profile"):
        assert rv.solve(game, rv.methods.BestResponse(), START, max_steps=2).claim == "not decided"


def test_what_is_no_protocol_is_no_game_because_it_derives_from_one() -> None:
    class Named(Game):
        space, payoffs = rv.Simplex((2, 2)), None

    class Other:
        space, payoffs = rv.Simplex((2, 2)), staticmethod(lambda x: x[:, 0])

    assert isinstance(Other(), Game)
    assert not isinstance(Other(), Named)
    assert isinstance(Named(), Named)
    assert isinstance(Named(), Game)
    assert not isinstance(rv.Simplex((2, 2)), Game)
