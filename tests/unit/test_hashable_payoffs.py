"""Payoffs of every kind of game under JAX's own transformations."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.runtime.jax import eqx, jax, jnp
from rivalry.schema.registry import from_file
from rivalry.transforms import freeze
from tests.unit.test_plain_games import KINDS

pytestmark = pytest.mark.mostly_slow

BUNDLED = {
    "influencer": lambda: rv.games.influencer(reach=[0.2, 0.3]),
    "market": rv.games.market,
    "matrix": lambda: rv.games.matrix("chicken"),
    "continuous": rv.games.continuous,
    "precipice": rv.games.precipice,
    "auction": rv.games.auction,
    "race": rv.games.race,
    "freeze": lambda: freeze(rv.games.influencer(reach=[0.2, 0.3, 0.2]), {2: [0.5]}),
}


@pytest.mark.parametrize("kind", [*BUNDLED, *KINDS])
def test_payoffs_are_traced_by_every_transformation(kind: str) -> None:
    game: Any = (BUNDLED | KINDS)[kind]()
    x = jnp.asarray(game.space.sample(jax.random.key(0)))
    shape = jax.eval_shape(jax.jit(game.payoffs), x).shape
    assert shape == (len(x),)
    assert jax.eval_shape(jax.vmap(game.payoffs), jnp.stack([x, x])).shape == (2, *shape)
    assert jax.eval_shape(eqx.filter_jit(game.payoffs), x).shape == shape
    assert jax.eval_shape(jax.jacobian(jax.jit(game.payoffs)), x).shape == (*shape, *x.shape)
    # a program within a program, twice: JAX compares the two functions while it traces
    twice = jax.jit(lambda z: jax.jit(game.payoffs)(z) + jax.jit(game.payoffs)(x))
    assert jax.eval_shape(twice, x).shape == shape


@pytest.mark.parametrize("kind", BUNDLED)
def test_payoffs_of_lists_and_arrays_of_numpy_are_those_of_arrays_of_jax(kind: str) -> None:
    game: Any = BUNDLED[kind]()
    x = np.asarray(game.space.sample(jax.random.key(1)))
    expected = np.asarray(game.payoffs(jnp.asarray(x)))
    np.testing.assert_allclose(game.payoffs(x), expected, rtol=1e-12)
    np.testing.assert_allclose(game.payoffs(x.tolist()), expected, rtol=1e-12)


@pytest.mark.default
@pytest.mark.parametrize("kind", BUNDLED)
def test_payoffs_are_those_of_one_profile(kind: str) -> None:
    game: Any = BUNDLED[kind]()
    players, axes = game.space.shape
    wrong = [
        np.zeros((players + 1, axes)),
        np.zeros((players, axes + 1)),
        [[0.5] * axes],
        np.zeros(players + 1),
    ]
    for x in wrong:
        with pytest.raises(ValueError, match=r"^profile: shape .* must be .* \(players, axes\)$"):
            game.payoffs(x)
    if axes == 1:
        x = np.asarray(game.space.sample(jax.random.key(1)))
        assert np.array_equal(game.payoffs(x[:, 0].tolist()), game.payoffs(x))


@pytest.mark.default
@pytest.mark.parametrize("kind", [kind for kind in BUNDLED if kind != "freeze"])
def test_equal_games_have_equal_hashes(kind: str) -> None:
    one, other = BUNDLED[kind](), BUNDLED[kind]()
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


@pytest.mark.parametrize("kind", ["market", "auction", "race"])
def test_games_are_solved_where_jax_refuses_arrays_of_unequal_ranks(kind: str) -> None:
    game: Any = BUNDLED[kind]()
    x = np.asarray(game.space.sample(jax.random.key(1)))
    expected = np.asarray(game.payoffs(x))
    with jax.numpy_rank_promotion("raise"):
        np.testing.assert_array_equal(game.payoffs(x), expected)
        assert rv.certificate(game, x).claim
        assert rv.best_response(game, x, 0).payoff >= expected[0]
        if kind == "market":
            assert rv.solve(game, rv.methods.BestResponse(), x).claim == "equilibrium"


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in BUNDLED if kind != "matrix"]


@pytest.mark.parametrize("kind", ["matrix", *SLOW, *KINDS])
def test_compiled_payoffs_and_slopes_are_those_of_the_game(kind: str) -> None:
    game: Any = (BUNDLED | KINDS)[kind]()
    x = jnp.asarray(game.space.sample(jax.random.key(0)))
    program = jax.jit(game.payoffs)
    np.testing.assert_allclose(program(x), game.payoffs(x), rtol=1e-12)
    step = 1e-6
    mover = jnp.zeros_like(x).at[0, 0].set(step)
    numeric = (program(x + mover)[0] - program(x - mover)[0]) / (2 * step)
    slope = jax.grad(lambda z: jax.jit(game.payoffs)(z)[0])(x)[0, 0]
    np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-7)


DOCS = Path(__file__).parents[2] / "docs"


def of_template(folder: Path) -> Any:
    """The game that `rivalry new game mine` writes."""
    text = (files("rivalry.cli") / "templates" / "game.py.txt").read_text(encoding="utf-8")
    (folder / "mine.py").write_text(Template(text).substitute(name="mine", Class="Mine", title="mine"))
    return from_file("mine.py:mine", folder)(prize=2.0)


def shifted_cost(xs: Any, xp: Any, z: Any, numbers: Any) -> Any:
    return 0.1 * xs + 0.2 * xp


OWN: dict[str, Callable[[Path], Any]] = {
    "template": of_template,
    "tutorial": lambda folder: from_file("contest.py:contest", DOCS / "tutorial" / "examples")(prize=2.0),
    "formula": lambda folder: rv.games.influencer(kernel="custom", influence="exp(-2 * abs(b - x))"),
    "function": lambda folder: rv.games.influencer(
        kernel="custom", influence=lambda x, b, own: -((x - b) ** 2)
    ),
    "part": lambda folder: rv.games.race(cost=shifted_cost),
}


@pytest.mark.parametrize("kind", OWN)
def test_jax_compiles_the_payoffs_of_every_documented_own_game(kind: str, tmp_path: Path) -> None:
    game = OWN[kind](tmp_path)
    x = jnp.asarray(game.space.sample(jax.random.key(0)))
    assert jax.eval_shape(jax.jit(game.payoffs), x).shape == (len(x),)


def test_the_payoffs_of_an_own_contest_are_compiled_to_its_formula(tmp_path: Path) -> None:
    x = jnp.array([[0.1], [0.3]])
    for kind in ("template", "tutorial"):
        program = jax.jit(OWN[kind](tmp_path).payoffs)
        np.testing.assert_allclose(program(x), [2 / 4 - 0.1, 2 * 3 / 4 - 0.3], rtol=1e-12)
