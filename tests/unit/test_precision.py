"""Double precision for any import order; games in single precision are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.check import Unfit, check_game
from rivalry.runtime.jax import jnp
from rivalry.runtime.precision import imprecise

GAME = """
import jax.numpy as jnp
class Game:
    a = jnp.array([1.0, 2.0]) / 3
    def payoffs(self, x):
        return -((x[:, 0] - self.a) ** 2)
made = Game.a.dtype, float(Game.a[0])
"""
LATER = """
Game.space = rv.Box.interval(0.0, 1.0, players=2)
print(made[0], made[1] == 1 / 3, rv.solve(Game(), rv.methods.BestResponse(), [0.5, 0.5]).claim)
"""


def printed(code: str, **environment: str) -> tuple[str, str]:
    """Return stdout and stderr of a fresh interpreter without JAX settings."""
    bare = {k: v for k, v in os.environ.items() if k not in ("JAX_ENABLE_X64", "XLA_FLAGS")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=bare | environment
    )
    return done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("first", ["import rivalry as rv", "import jax; import rivalry as rv"])
@pytest.mark.nightly
def test_arrays_made_after_the_import_are_double(first: str) -> None:
    out, told = printed(first + GAME + LATER, JAX_ENABLE_X64="0")
    assert (out, told) == ("float64 True equilibrium", "")


@pytest.mark.slow
def test_arrays_made_before_the_import_are_refused() -> None:
    out, told = printed(GAME + "import rivalry as rv" + LATER)
    assert out == ""
    assert "UserWarning: JAX computed before rivalry was imported" in told
    assert told.splitlines()[-1].startswith(
        "ValueError: game: a is float32; must be float64: import rivalry before arrays are"
    )


def test_the_import_sets_two_variables_and_loads_no_numpy_or_jax() -> None:
    code = """
import os, sys
before = dict(os.environ)
import rivalry
print(sorted(k for k in os.environ if os.environ[k] != before.get(k)), {"jax", "numpy"} & set(sys.modules))
print("--xla_cpu_enable_fast_math=false" in os.environ["XLA_FLAGS"].split())
"""
    out, told = printed(code, XLA_FLAGS="--xla_cpu_enable_fast_math=false")
    names, flag = out.splitlines()
    assert names == "['JAX_ENABLE_X64', 'XLA_FLAGS'] set()"
    assert (flag, told) == ("True", "")


BATCHES = """
import numpy as np
from rivalry.runtime.jax import jax, jnp
def inverses(_, x):
    return jnp.stack([jax.vmap(jnp.linalg.inv)(each) for each in x])
a = jnp.asarray(np.random.default_rng(0).normal(size=(2, 60, 42, 42)))
print(jax.jit(lambda x: jax.lax.fori_loop(0, 200, inverses, x))(a).shape)
"""


@pytest.mark.nightly
def test_parallel_batched_linear_algebra_terminates() -> None:
    """With two XLA threads this usually deadlocks; the package limits XLA to one thread."""
    bare = {k: v for k, v in os.environ.items() if k not in ("PJRT_NPROC", "NPROC", "XLA_FLAGS")}
    command = [sys.executable, "-c", BATCHES]
    done = subprocess.run(command, capture_output=True, text=True, env=bare, timeout=120)
    assert done.stdout.strip() == "(2, 60, 42, 42)"


class Plain:
    """A game with a field of a given precision."""

    space = rv.Box.interval(0.0, 1.0, players=2)

    def __init__(self, a: Any) -> None:
        self.a = a

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] * jnp.asarray(self.a, dtype=float)


class Module(eqx.Module):
    a: Any
    space: rv.Box = rv.Box.interval(0.0, 1.0, players=2)
    payoffs = Plain.payoffs


@pytest.mark.parametrize("kind", [Plain, Module])
def test_fields_below_double_precision_are_refused(kind: Any) -> None:
    for bad in (np.float32(0.5), np.ones(2, dtype=np.float16), jnp.ones(2, dtype=jnp.float32)):
        with pytest.raises(ValueError, match=rf"^game: a is {bad.dtype}; must be float64"):
            rv.solve(kind(bad), rv.methods.BestResponse(), [0.5, 0.5])
        with pytest.raises(Unfit, match=r"^game: a is float"):
            check_game(kind(bad))
    for good in (0.5, 1, np.ones(2), jnp.ones(2), jnp.arange(2), "word", None, np.float64(0.5)):
        assert imprecise(kind(good)) == ""


@pytest.mark.slow
def test_precision_of_spaces_and_nested_games_is_checked() -> None:
    edge = jnp.ones((2, 1), dtype=jnp.float32)
    low, high = 0 * edge, edge
    assert imprecise(Module(1.0, rv.Box(low, high))).startswith("game: space.low is float32")
    frozen = rv.transforms.freeze(Plain(np.float32(0.5)), {0: [0.5]})
    assert imprecise(frozen).startswith("game: game.a is float32")


@pytest.mark.parametrize("make", [rv.games.matrix, rv.games.influencer, rv.games.market, rv.games.race])
def test_games_of_the_package_use_double_precision(make: Any) -> None:
    assert imprecise(make("chicken") if make is rv.games.matrix else make()) == ""
