"""The compilation cache has a folder per version and processor, and programs can be dropped from memory."""

import builtins
import io
import os
import pickle
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.runtime import jax as configured
from rivalry.runtime.jax import compiled, forget_programs, jax, jnp, key_of_number, numpy_seconds, seldom

MAPS = Path("/proc/self/maps")


@pytest.mark.slow
@pytest.mark.skipif(not MAPS.exists(), reason="needs /proc/self/maps")
def test_compiled_programs_are_dropped_when_mappings_are_many() -> None:
    def square(x: jax.Array) -> jax.Array:
        return x * x + jnp.sin(x)

    program = jax.jit(square)
    before = program(jnp.arange(3.0))
    assert program._cache_size() == 1
    assert not forget_programs(limit=10 * len(MAPS.read_bytes().splitlines()))
    assert program._cache_size() == 1
    assert forget_programs(limit=10)
    assert program._cache_size() == 0
    assert (program(jnp.arange(3.0)) == before).all()


def _processor(monkeypatch: pytest.MonkeyPatch, flags: str | None) -> str:
    """Return the cache folder on a processor with these flags, or on a system that does not list any."""

    def read(path: Any, *args: Any, **options: Any) -> Any:
        if flags is None:
            raise FileNotFoundError(path)
        assert path == "/proc/cpuinfo"
        return io.StringIO(f"processor : 0\nmodel name : any\nflags : {flags}\nflags : of another core\n")

    with monkeypatch.context() as patched:
        patched.setattr(builtins, "open", read)
        return configured._cache_folder()


def test_programs_of_other_processors_are_cached_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, unknown = (_processor(monkeypatch, flags) for flags in ("sse2", "sse2 avx512f", None))
    assert len({old, new, unknown}) == 3
    assert _processor(monkeypatch, "sse2") == old
    assert {Path(folder).parent for folder in (old, new, unknown)} == {Path(old).parent}
    assert Path(old).name.startswith(f"jax-{jax.__version__}-")
    monkeypatch.setattr(jax, "__version__", "0.0.1")
    assert Path(_processor(monkeypatch, "sse2")).name.startswith("jax-0.0.1-")


def test_lazy_modules_pickle_by_name() -> None:
    import jax.numpy as loaded

    assert pickle.loads(pickle.dumps(configured._Lazy("jax.numpy"))) is loaded


def test_nothing_is_dropped_without_jax_or_known_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []
    monkeypatch.setattr(jax, "clear_caches", lambda: dropped.append("all"))

    def refuse(*args: Any, **options: Any) -> Any:
        raise PermissionError("mappings")

    with monkeypatch.context() as patched:
        patched.setattr(builtins, "open", refuse)
        assert not forget_programs(limit=0)
    with monkeypatch.context() as patched:
        patched.delitem(sys.modules, "jax")
        assert not forget_programs(limit=0)
    assert dropped == []
    if MAPS.exists():
        assert forget_programs(limit=0)
        assert dropped == ["all"]


def test_without_private_functions_the_cache_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jit_cut-cache").write_bytes(b"cut")
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "jax._src.compilation_cache", None)
        assert configured.mend_cache(str(tmp_path)) == 0
        assert (tmp_path / "jit_cut-cache").exists()
    assert configured.mend_cache(str(tmp_path)) == 1
    assert not list(tmp_path.iterdir())


LOUD = """
import {}
import jax, rivalry as rv
print(rv.games.race().payoffs(jax.numpy.ones((2, 2))).shape)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("first", "level"), [("jax", None), ("rivalry.runtime.jax", None), ("jax", "0")])
def test_no_message_of_xla_reaches_a_user_that_did_not_ask_for_them(first: str, level: str | None) -> None:
    """XLA complains of each program that it cannot write to a folder that cannot be made."""
    asked = {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    unset = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    run = subprocess.run(
        [sys.executable, "-c", LOUD.format(first)],
        env=unset | asked | {"XLA_FLAGS": "--xla_dump_to=/proc/none/x", "RIVALRY_NO_CACHE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "(2,)\n"
    assert ("/proc/none/x" in run.stderr) == (level is not None)
    assert level is not None or run.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX (fork)")
@pytest.mark.filterwarnings("ignore:os.fork", "ignore:This process")
@pytest.mark.parametrize("name", ["array", "program", "random numbers"])
def test_a_process_that_was_forked_after_jax_was_used_ends_with_a_line(name: str) -> None:
    twice = compiled(lambda x: 2 * x)
    assert twice(configured.put(1.0)) == 2
    work = {
        "array": lambda: configured.put(1.0),
        "program": lambda: twice(np.ones(3)),
        "random numbers": lambda: jax.random.key(0),
    }
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            work[name]()
        except BaseException as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        assert select.select([reading], [], [], 60)[0], "it hangs"
        said = os.read(reading, 1000).decode()
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert said.startswith(f"process {child} was forked after JAX was used")
    assert '"spawn"' in said
    assert "\n" not in said


def test_programs_that_run_a_few_times_are_evaluated_by_numpy() -> None:
    """Their results belong to the caller. Long loops, searches, draws and parts of programs are compiled."""

    @seldom
    def grown(x: Any, many: int, key: Any = None) -> Any:
        return x, {many: jax.lax.scan(lambda total, _: (total * 1.5, None), x, length=many)[0]}

    numbers = np.array([1.0, -2.0])
    key = key_of_number(7)
    assert jax.random.key_data(key).tolist() == jax.random.key_data(jax.random.key(7)).tolist()
    same, powers = grown(numbers, 3, key)
    numbers[:] = 0.0
    assert (same.tolist(), powers[3].tolist()) == ([1.0, -2.0], [3.375, -6.75])
    halvings = seldom(lambda x: jax.lax.while_loop(lambda y: y > 1.0, lambda y: y / 2, x))
    compiled_ones = [grown(same, 9999)[0], halvings(np.float64(12.0)), seldom(jax.random.uniform)(key)]
    assert [isinstance(x, jax.Array) for x in (same, powers[3], *compiled_ones)] == [False] * 2 + [True] * 3
    assert float(compiled_ones[1]) == 0.75
    assert jax.eval_shape(lambda x: grown(x, 3), same)[0].shape == (2,)


def test_the_seconds_of_numpy_follow_from_operations_alone() -> None:
    def program(x: Any) -> Any:
        return jnp.cos(jax.lax.scan(lambda y, _: (jnp.sin(y) * y, None), x, length=7)[0])

    seconds = list(numpy_seconds(jax.make_jaxpr(program)(jax.ShapeDtypeStruct((50,), float))))
    operation = configured.CALLING + 50 * configured.COUNTING
    np.testing.assert_allclose(seconds, [7 * operation, 7 * operation, operation])
    search = jax.make_jaxpr(lambda x: jax.lax.while_loop(lambda y: y > 1.0, lambda y: y / 2, x))(2.0)
    assert list(numpy_seconds(search)) == [np.inf, np.inf]
