"""The one place that configures JAX: float64, one thread a process, a compilation cache kept between runs."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Sequence
from typing import Any

# What these modules make lives as long as the process: looking for garbage in it is a tenth of their start.
_collecting = gc.isenabled()
gc.disable()

import equinox  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

if _collecting:
    gc.enable()


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


jax.config.update("jax_enable_x64", True)
# in the calling thread: on the one thread of the pool, a program that wants the pool might wait for ever
jax.config.update("jax_cpu_enable_async_dispatch", False)
# One thread of XLA per process. With several, a program that has two batched LAPACK calls side by side may
# wait for ever: each holds a thread and waits for its parts to be run by another. Two threads also cost more
# processor time than one on the small arrays of games. Not set any earlier: a program dispatched
# asynchronously takes that one thread and may wait for itself.
os.environ.setdefault("PJRT_NPROC", "1")
if not os.environ.get("RIVALRY_NO_CACHE"):
    jax.config.update("jax_compilation_cache_dir", os.environ.get("RIVALRY_CACHE") or _cache_folder())
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    # only speed suffers; runs mend the cache (below)
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")


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
    parts = [equinox.partition(tree, equinox.is_array) for tree in trees]
    leaves, forms = zip(*(jax.tree.flatten(arrays) for arrays, _ in parts), strict=True)
    shapes = [[np.shape(leaf) for leaf in each] for each in leaves]
    for k, (_, rest) in enumerate(parts):
        same = forms[k] == forms[0] and shapes[k] == shapes[0]
        if not (same and bool(equinox.tree_equal(rest, parts[0][1]))):
            raise ValueError(differs.format(k))
    whole = [put(np.stack([np.asarray(leaf) for leaf in column])) for column in zip(*leaves, strict=True)]
    return equinox.combine(jax.tree.unflatten(forms[0], whole), parts[0][1])


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


__all__ = ["forget_programs", "jax", "jnp", "mend_cache", "put", "stacked"]
