"""Configuration of JAX: float64, one thread per process and a persistent compilation cache.

JAX takes most of a second to import, and a finite game does not need it. Nothing here imports it: ``jax``,
``jnp`` and ``eqx`` load it when one of their names is first used. It is configured at its import, by any
module.
"""

from __future__ import annotations

import ctypes
import gc
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, lru_cache, partial, wraps
from importlib import import_module
from itertools import compress
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeGuard, TypeVar

import numpy as np

from rivalry.runtime.imports import pause_collection, when_imported

P = ParamSpec("P")
R = TypeVar("R")


class _Lazy(ModuleType):
    """A module that is imported when one of its names is first used."""

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(import_module(self.__name__), name)
        if _forked and not (isinstance(attribute, type) or name in _HARMLESS):
            _refuse()
        vars(self)[name] = attribute  # so that the next look-up does not call this method
        return attribute

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        return import_module, (self.__name__,)


_HARMLESS = {"core", "tree"}  # modules of JAX that run no program
_forked: list[int] = []  # not empty in a process whose parent had used JAX


def _note_fork() -> None:
    """Refuse JAX in a process that was forked after JAX had started threads: its programs wait for them."""
    if "jax" not in sys.modules or not _has_backend():
        return
    _forked.append(os.getpid())
    for module in (eqx, jax, jnp):
        for name in [name for name in vars(module) if not name.startswith("__")]:
            del vars(module)[name]


def _has_backend() -> bool:
    try:
        from jax._src.xla_bridge import backends_are_initialized
    except ImportError:  # a private function, which other versions of JAX may lack
        return True
    return bool(backends_are_initialized())


def _refuse() -> None:
    raise RuntimeError(
        f"process {os.getpid()} was forked after JAX was used, and may hang; start processes by "
        'multiprocessing.get_context("spawn"), or before the first game is solved'
    )


if TYPE_CHECKING:
    import equinox as eqx
    import jax as jax
    import jax.numpy as jnp
else:
    eqx, jax, jnp = _Lazy("equinox"), _Lazy("jax"), _Lazy("jax.numpy")
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=_note_fork)


def promote_ranks(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that arrays of unequal ranks combine in it, whatever JAX is set to."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        # without a context where nothing changes: programs are compiled anew within one
        if "jax" not in sys.modules or jax.config.jax_numpy_rank_promotion == "allow":  # type: ignore[attr-defined]
            return function(*args, **kwargs)
        with jax.numpy_rank_promotion("allow"):
            return function(*args, **kwargs)

    return call


def _cache_folder() -> str:
    """Return a folder for compiled programs, named by JAX's version and the processor's features."""
    import hashlib
    import platform

    from platformdirs import user_cache_dir

    features = platform.machine() + platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            features += next((line for line in info if line.startswith("flags")), "")
    except OSError:
        pass  # not Linux: only the machine's name is available
    key = hashlib.sha256(features.encode()).hexdigest()[:12]
    return os.path.join(user_cache_dir("rivalry"), f"jax-{jax.__version__}-{key}")


def _configure() -> None:
    jax.config.update("jax_enable_x64", True)
    jax.monitoring.register_event_duration_secs_listener(_record_compilation)
    # XLA writes to the terminal, past Python, such as that compiling is slow; "1" is what JAX itself sets
    loggers = getattr(jax.config, "jax_logging_level", "")
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "1" and loggers == "NOTSET":
        jax.config.update("jax_logging_level", "CRITICAL")  # of XLA too, which stays so
        jax.config.update("jax_logging_level", "NOTSET")  # loggers of Python are as before
    # dispatch in the calling thread: on the only thread of the pool, a program that needs the pool may
    # deadlock
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    # One thread of XLA per process. With several, a program with two concurrent batched LAPACK calls may
    # deadlock: each holds a thread and waits for another to run its parts. Two threads also cost more
    # processor time than one on the small arrays of games. Set after asynchronous dispatch is off: a program
    # dispatched that way takes the only thread and may wait for itself.
    os.environ.setdefault("PJRT_NPROC", "1")
    if not os.environ.get("RIVALRY_NO_CACHE"):
        jax.config.update("jax_compilation_cache_dir", os.environ.get("RIVALRY_CACHE") or _cache_folder())
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


_compiling: list[tuple[float, float]] = []  # when programs were traced and compiled; disjoint, in order


def _record_compilation(event: str, duration_secs: float, **_: str | int) -> None:
    if event.startswith("/jax/core/compile/"):
        note_compilation(monotonic() - duration_secs)


def note_compilation(began: float) -> None:
    """Note that programs were compiled until now; tracing one may contain the compilation of another."""
    end = monotonic()
    while _compiling and _compiling[-1][1] > began:
        began = min(began, _compiling.pop()[0])
    _compiling.append((began, end))


@contextmanager
def compiling() -> Iterator[None]:
    """Count what is done as compiling, such as the import of a compiler."""
    began = monotonic()
    try:
        yield
    finally:
        note_compilation(began)


def compiling_seconds() -> float:
    """Return for how long this process has traced and compiled programs and loops."""
    return sum(end - began for began, end in _compiling)


def search_clock() -> float:
    """Return the time on a clock, in seconds, that stands still while programs are compiled.

    Limits of time are of this clock: what was compiled before depends on the machine.
    """
    return monotonic() - compiling_seconds()


# A damaged entry only costs time, and `mend_cache` removes it. The filter is set here because a cell may load
# JAX while its warnings are recorded; after the cell the filters from before are restored.
warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
when_imported("jax", _configure)


def is_jax_array(x: object) -> TypeGuard[jax.Array]:
    """True if ``x`` is an array of JAX, traced or not, without loading JAX."""
    return "jax" in sys.modules and isinstance(x, jax.Array)


def is_key(x: object) -> bool:
    """True if ``x`` is an array of random keys; a solver's first state may contain Python numbers."""
    # all other types of JAX are those of NumPy; to ask JAX takes as long as a small operation
    return is_jax_array(x) and not isinstance(x.dtype, np.dtype)


def key_rows(keys: Any, rows: Any) -> jax.Array:
    """Return some of an array of random keys, taken by NumPy: JAX would compile a program for every shape."""
    words = np.asarray(jax.random.key_data(keys))
    return jax.random.wrap_key_data(words[rows])


def key_of_number(seed: int) -> jax.Array:
    """Return `jax.random.key` of a whole number below 2^64, for which JAX would compile two programs."""
    words: Any = np.array([seed >> 32, seed % 2**32], np.uint32)
    return jax.random.wrap_key_data(words)


def floats(values: object) -> np.ndarray:
    """Numbers as an array of NumPy of double precision; not copied where they are one."""
    return np.asarray(values, float)


def array_module(*arrays: object) -> Any:
    """Return `jax.numpy` if any array is one of JAX, otherwise NumPy."""
    return jnp if any(map(is_jax_array, arrays)) else np


# Platforms of JAX per kind of device. JAX knows "gpu" too, but then refuses to start unless all three are
# installed. CUDA without a GPU counts as started, and nothing is started after it: it is last.
_PLATFORMS = {"cpu": ("cpu",), "gpu": ("rocm", "oneapi", "cuda"), "tpu": ("tpu",)}
DEVICES = tuple(_PLATFORMS)


def choose_device(name: str) -> None:
    """Let JAX compute on a kind of device, in this process and in those that it starts.

    Raises
    ------
    ValueError
        If JAX has no such device here; nothing is changed then.
    """
    import jax as own  # not the lazy name: the choice must stand before a device is asked for

    before = own.config.values["jax_platforms"]
    for platform in _PLATFORMS[name]:
        setting = platform if platform == "cpu" else f"{platform},cpu"
        own.config.update("jax_platforms", setting)
        with suppress(RuntimeError):
            own.devices(platform)
            os.environ["JAX_PLATFORMS"] = setting
            return
    own.config.update("jax_platforms", before)
    present = sorted({device.platform for device in own.devices()})
    raise ValueError(f"{name}: JAX has no such device here, but {' and '.join(present)}")


def compiled(
    function: Callable[..., R], *, effort: int | None = None, in_numpy: bool = True
) -> Callable[..., R]:
    """Decorate a function with `jax.jit` at its first call; its module need not load JAX.

    Arguments may be arrays of NumPy: to hand them to JAX before takes as long as a small program. Leaves of
    arguments and results that are no arrays are fixed in a program, as by `equinox.filter_jit`,
    which takes twice as long to enter.

    A program that runs a few times per result takes longer to compile than to run. With an ``effort`` NumPy
    evaluates it, and returns its own arrays, where that takes a small part of the time of compiling. This is
    estimated from the operations alone, so that every process returns the same bits. Other programs compile
    with ``effort`` 1 in half the time and run half as long again; with 0, in a fifth of the time, and run two
    to four times as long. Rows of a batch, whose bits must not depend on their places, are not ``in_numpy``.
    """

    def run(form: Any, arrays: Sequence[Any]) -> Callable[[], R]:
        args, kwargs = _joined(form, arrays)
        with pause_collection():
            result_form, results = _parts(function(*args, **kwargs))
        # a program is compiled for strong and for weak types: what one returns and another takes is strong
        result_arrays = [jax.lax.convert_element_type(result, result.dtype) for result in results]
        # a tree of the arrays alone, which keeps the rest
        return jax.tree_util.Partial(partial(_joined, result_form), result_arrays)

    # logs and profiles of JAX name a program like its function
    run.__name__ = function.__name__

    @cache
    def program(effort: int | None) -> Any:
        # XLA refuses options that it does not know: they are used with the version they were tried with
        takes_effort = effort is not None and jax.__version_info__[:2] == (0, 10)
        options: Any = {"xla_backend_optimization_level": effort} | _QUICK
        return jax.jit(run, static_argnums=0, compiler_options=options if takes_effort else None)

    @wraps(function)
    def call(*args: object, **kwargs: object) -> R:
        if _forked:
            _refuse()
        form, arrays = _parts((args, kwargs))
        if effort is None or concrete_module(*arrays) is not np:  # a part of another program has no options
            return program(None)(form, arrays)()
        kinds = tuple((array.shape, array.dtype) for array in arrays)
        evaluation = _evaluation(program(effort), form, kinds) if in_numpy else None
        return (evaluation(arrays) if evaluation else program(effort)(form, arrays))()

    return call


def seldom(function: Callable[..., R]) -> Callable[..., R]:
    """Decorate a function that runs a few times per result, as `compiled` with the least effort."""
    return compiled(function, effort=0)


PROGRAMS = "rivalry.proofs.arithmetic.program"  # evaluates what JAX traces; loaded when needed
CALLING, COUNTING = 1e-6, 1e-9  # seconds that NumPy takes per operation, and per number of its result
LOWERING, COMPILING = 0.03, 2.5e-4  # seconds that XLA takes per program, and per operation
SEARCHES = ("while", "best_response")  # operations whose length depends on numbers
SHARE = 1 / 30  # of the time of compiling: what takes NumPy less runs a few times before it takes as long


@lru_cache(512)
def _evaluation(program: Any, form: object, kinds: Sequence[Any]) -> Any:
    """Return a program for arrays of some kinds as a function of NumPy; None where compiling it pays."""
    from jax.interpreters.partial_eval import dce_jaxpr

    traced = program.trace(form, [jax.ShapeDtypeStruct(*kind) for kind in kinds])
    # a key of random numbers that is not used is no operand
    operations, is_operand = dce_jaxpr(traced.jaxpr.jaxpr, [True] * len(traced.jaxpr.out_avals))
    seconds = list(numpy_seconds(operations))
    if sum(seconds) > SHARE * (LOWERING + COMPILING * len(seconds)):
        return None
    reader = import_module(PROGRAMS)
    try:
        with compiling():
            numbers = reader.Program(traced.jaxpr.replace(jaxpr=operations))
    except reader.Unknown:
        return None
    if numbers.through_jax:
        return None
    form_of_results = jax.tree.structure(traced.out_info)

    def evaluate(arrays: Sequence[Any]) -> Any:
        with np.errstate(all="ignore"):
            results = numbers(*(np.asarray(array)[None] for array in compress(arrays, is_operand)))
        # copied: a result may be an argument, which its owner may change
        return jax.tree.unflatten(form_of_results, [np.array(result[0]) for result in results])

    return evaluate


def numpy_seconds(operations: Any, rows: int = 1, times: float = 1.0) -> Iterator[float]:
    """Yield the seconds that NumPy takes for every operation on rows; infinite in searches."""
    from jax.extend.core import ClosedJaxpr, Jaxpr

    for operation in operations.eqns:
        params = operation.params
        repeated = times * (math.inf if operation.primitive.name in SEARCHES else params.get("length", 1))
        parts = [*params.values(), *params.get("branches", ())]
        programs = [part for part in parts if isinstance(part, ClosedJaxpr | Jaxpr)]
        for program in programs:
            yield from numpy_seconds(program, rows, repeated)
        if not programs:
            numbers = rows * sum(math.prod(variable.aval.shape) for variable in operation.outvars)
            yield repeated * (CALLING + COUNTING * numbers)


def _parts(tree: object) -> tuple[Any, list[Any]]:
    """Return the structure of a tree with its leaves that are no arrays, and the arrays."""
    leaves, structure = jax.tree.flatten(tree)
    are_arrays = list(map(_is_array, map(type, leaves)))
    settings = tuple(None if is_array else leaf for leaf, is_array in zip(leaves, are_arrays, strict=True))
    return (structure, settings), list(compress(leaves, are_arrays))


@cache  # to ask for every leaf takes as long as a small program
def _is_array(kind: type) -> bool:
    return issubclass(kind, np.ndarray | np.generic | jax.Array | jax.core.Tracer)


def _joined(form: Any, arrays: Sequence[Any]) -> Any:
    """Return the tree of `_parts`."""
    (structure, settings), rest = form, iter(arrays)
    return jax.tree.unflatten(structure, [next(rest) if leaf is None else leaf for leaf in settings])


_QUICK = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}


def concrete_module(*arrays: object) -> Any:
    """Return NumPy, which compiles nothing; `jax.numpy` while JAX traces any of the arrays."""
    traced = "jax" in sys.modules and any(isinstance(array, jax.core.Tracer) for array in arrays)
    return jnp if traced else np


_in_numpy = [False]  # whether games keep their numbers in NumPy; the last one counts


@contextmanager
def numbers_in_numpy() -> Iterator[None]:
    """Let games that are built meanwhile keep their numbers in NumPy, for many that a program takes stacked.

    To hand numbers to JAX one game at a time takes longer than to compute with them.
    """
    _in_numpy.append(True)
    try:
        yield
    finally:
        _in_numpy.pop()


def put(x: object) -> jax.Array:
    """Return numbers as an array of JAX with a strong type."""
    # `jnp.asarray` would compile a program for every shape
    return jax.device_put(np.asarray(x))


def put_concrete(x: Any) -> Any:
    """Return `put` of a number, and what JAX traces as it is."""
    return x if isinstance(x, jax.core.Tracer) else put(x)


def put_all(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return named numbers as arrays of JAX, in a third of the time of one `put` each.

    Within `numbers_in_numpy` they stay arrays of NumPy.
    """
    arrays: Any = [np.asarray(x) for x in numbers.values()]
    if not _in_numpy[-1]:
        # a list, since JAX sorts the names of a dictionary
        arrays = jax.device_put(arrays)
    return dict(zip(numbers, arrays, strict=True))


def stack_trees(trees: Sequence[Any], differs: str) -> Any:
    """Stack trees of equal structure, modules or tuples of arrays, into one with arrays ``[tree ..]``.

    Raises
    ------
    ValueError
        For a tree that differs from the first in more than numbers. The message is ``differs``, with ``{}``
        replaced by the index of the tree.

    Examples
    --------
    >>> stack_trees([(1, jnp.zeros(2)), (1, jnp.ones(2))], "tree {} differs")[1].tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    forms, rows = zip(*map(_parts, trees), strict=True)
    shapes = [list(map(np.shape, arrays)) for arrays in rows]
    for k, form in enumerate(zip(forms, shapes, strict=True)):
        if form != (forms[0], shapes[0]):
            raise ValueError(differs.format(k))
    # stacked by NumPy: `jnp.stack` would compile a program for every shape
    columns = [list(map(np.asarray, column)) for column in zip(*rows, strict=True)]
    return _joined(forms[0], [put(np.stack(column)) for column in columns])


def mend_cache(folder: str | None = None) -> int:
    """Remove cache entries whose writing was interrupted, by a kill or a full disk; return their number.

    JAX never rewrites such an entry, and would compile its program anew in every process.
    """
    from pathlib import Path

    try:
        from jax._src.compilation_cache import decompress_executable
    except ImportError:  # a private function, which other versions of JAX may lack
        return 0
    removed = 0
    home = folder or jax.config.values.get("jax_compilation_cache_dir")
    for entry in Path(home or os.devnull).glob("*-cache"):
        try:
            decompress_executable(entry.read_bytes())
        except Exception:  # the error depends on the compression library
            entry.unlink(missing_ok=True)
            removed += 1
    return removed


_program_caches: list[Callable[[], None]] = [_evaluation.cache_clear]


def register_program_cache(clear: Callable[[], None]) -> None:
    """Have `drop_programs` call ``clear`` too; for caches beside those of JAX."""
    _program_caches.append(clear)


def drop_programs() -> None:
    """Drop all programs, compiled or traced: they contain values or rules that have changed."""
    if "jax" in sys.modules:
        jax.clear_caches()
    for clear in _program_caches:
        clear()


def forget_programs(limit: int = 20_000) -> bool:
    """Drop compiled programs once the process has more than ``limit`` memory mappings.

    Each program adds mappings. Linux allows a process 65 530 by default and aborts it beyond. Programs needed
    again are loaded from the cache on disk. On other systems nothing is dropped.

    Returns
    -------
    bool
        Whether programs were dropped.
    """
    if "jax" not in sys.modules:
        return False
    try:
        with open("/proc/self/maps", "rb") as maps:
            count = sum(1 for _ in maps)
    except OSError:
        return False
    if count <= limit:
        return False
    jax.clear_caches()
    gc.collect()
    with suppress(
        AttributeError, TypeError, OSError
    ):  # glibc keeps what was freed, most of the memory of a process, until told
        ctypes.CDLL(None).malloc_trim(0)
    return True


__all__ = ["eqx", "jax", "jnp"]  # re-exported, also for type checkers
