"""The one place that configures JAX: float64, one thread a process, a compilation cache kept between runs.

JAX takes most of a second to import, and a finite game needs none of it. So nothing here imports it: ``jax``,
``jnp`` and ``eqx`` load it when a name of theirs is first used. Whoever imports it, it is configured then.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeGuard, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


class _Lazy(ModuleType):
    """A module that is imported when a name of it is first used."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self.__name__), name)
        vars(self)[name] = found  # the next look-up of the name does not come here
        return found

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        return import_module, (self.__name__,)


if TYPE_CHECKING:
    import equinox as eqx
    import jax as jax
    import jax.numpy as jnp
else:
    eqx, jax, jnp = _Lazy("equinox"), _Lazy("jax"), _Lazy("jax.numpy")


def _cache_folder() -> str:
    """A folder for compiled programs, keyed by what makes them differ: JAX's version and the processor."""
    import hashlib
    import platform

    from platformdirs import user_cache_dir

    features = platform.machine() + platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            features += next((line for line in info if line.startswith("flags")), "")
    except OSError:
        pass  # not Linux: the machine's name has to do
    key = hashlib.sha256(features.encode()).hexdigest()[:12]
    return os.path.join(user_cache_dir("rivalry"), f"jax-{jax.__version__}-{key}")


def _configure() -> None:
    jax.config.update("jax_enable_x64", True)
    # in the calling thread: on the one thread of the pool, a program that wants the pool might wait for ever
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    # One thread of XLA per process. With several, a program that has two batched LAPACK calls side by side
    # may wait for ever: each holds a thread and waits for its parts to be run by another. Two threads also
    # cost more processor time than one on the small arrays of games. Not set any earlier: a program
    # dispatched asynchronously takes that one thread and may wait for itself.
    os.environ.setdefault("PJRT_NPROC", "1")
    if not os.environ.get("RIVALRY_NO_CACHE"):
        jax.config.update("jax_compilation_cache_dir", os.environ.get("RIVALRY_CACHE") or _cache_folder())
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
        # only speed suffers; runs mend the cache (below)
        warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")


_waiting: list[Callable[[], None]] = []


def when_loaded(action: Callable[[], None]) -> None:
    """Call ``action`` as soon as JAX is imported: now, or at the end of its import, whoever imports it."""
    if "jax" in sys.modules:
        action()
    else:
        _waiting.append(action)


class _AtImport(MetaPathFinder):
    """Finds JAX and equinox as the other finders do, and carries out what waits for JAX."""

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in ("jax", "equinox"):
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                # what these modules make lives as long as the process: looking for garbage in it is a tenth
                # of their start
                collecting = gc.isenabled()
                gc.disable()
                try:
                    execute(module)
                    while fullname == "jax" and _waiting:
                        _waiting.pop(0)()
                finally:
                    if collecting:
                        gc.enable()

            loader.exec_module = exec_module
        return spec


when_loaded(_configure)
sys.meta_path.insert(0, _AtImport())


def is_jax_array(x: object) -> TypeGuard[jax.Array]:
    """Return whether ``x`` is an array of JAX, traced or not; JAX is not loaded for the answer."""
    return "jax" in sys.modules and isinstance(x, jax.Array)


def array_module(*arrays: object) -> Any:
    """Return NumPy where no array is one of JAX, else `jax.numpy`: what computes with them."""
    return jnp if any(map(is_jax_array, arrays)) else np


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function with `equinox.filter_jit` at its first call: its module need not load JAX."""
    programs: list[Callable[P, R]] = []

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not programs:
            programs.append(eqx.filter_jit(function))
        return programs[0](*args, **kwargs)

    return call


def put(x: object) -> jax.Array:
    """Numbers as an array of JAX, of strong type; ``jnp.asarray`` would compile a program for every shape."""
    found: jax.Array = jax.device_put(np.asarray(x))
    return found


def stacked(trees: Sequence[Any], differs: str) -> Any:
    """Trees of one form, modules or tuples of arrays, as one whose arrays are ``[tree ..]``.

    Raises `ValueError` with the text ``differs`` where one differs from the first in more than numbers; a
    ``{}`` in it is that one's place.

    >>> stacked([(1, jnp.zeros(2)), (1, jnp.ones(2))], "tree {} differs")[1].tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    parts = [eqx.partition(tree, eqx.is_array) for tree in trees]
    leaves, forms = zip(*(jax.tree.flatten(arrays) for arrays, _ in parts), strict=True)
    shapes = [[np.shape(leaf) for leaf in each] for each in leaves]
    for k, (_, rest) in enumerate(parts):
        same = forms[k] == forms[0] and shapes[k] == shapes[0]
        if not (same and bool(eqx.tree_equal(rest, parts[0][1]))):
            raise ValueError(differs.format(k))
    whole = [put(np.stack([np.asarray(leaf) for leaf in column])) for column in zip(*leaves, strict=True)]
    return eqx.combine(jax.tree.unflatten(forms[0], whole), parts[0][1])


def mend_cache(folder: str | None = None) -> int:
    """Removes compiled programs that were cut short as they were written, by a kill or a full disk; how many.

    JAX never writes such an entry again, and would compile its program anew in every process.
    """
    from pathlib import Path

    try:
        from jax._src.compilation_cache import decompress_executable
    except ImportError:  # it is JAX's own business where this lives
        return 0
    removed = 0
    kept = folder or getattr(jax.config, "jax_compilation_cache_dir", None)
    for entry in Path(kept or os.devnull).glob("*-cache"):
        try:
            decompress_executable(entry.read_bytes())
        except Exception:  # whatever the packer in use calls a cut stream
            entry.unlink(missing_ok=True)
            removed += 1
    return removed


def forget_programs(most: int = 20_000) -> bool:
    """Drops compiled programs once they take more than ``most`` of the process's memory mappings.

    Each program maps memory of its own. Linux allows a process 65 530 mappings by default, and a process that
    has compiled so many programs is aborted. What is needed again comes from the cache on disk. Returns
    whether it did; on other systems nothing is known and nothing is done.
    """
    if "jax" not in sys.modules:
        return False
    try:
        with open("/proc/self/maps", "rb") as maps:
            count = sum(1 for _ in maps)
    except OSError:
        return False
    if count <= most:
        return False
    jax.clear_caches()
    gc.collect()
    return True


__all__ = [
    "array_module",
    "compiled",
    "eqx",
    "forget_programs",
    "is_jax_array",
    "jax",
    "jnp",
    "mend_cache",
    "put",
    "stacked",
    "when_loaded",
]
