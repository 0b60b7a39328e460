"""Double precision: enabled before JAX makes its first array, and checked in games."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

# Without Eigen's threads, since the last bit of reductions over threads depends on the number of cores.
# Vectors keep their default width: with 512 bits jaxlib 0.10.2 computes wrong arc tangents of long arrays.
_FLAGS = ("--xla_cpu_multi_thread_eigen=false",)
DEPTH = 3  # of nested plain objects


def configure() -> None:
    """Set ``JAX_ENABLE_X64`` and ``XLA_FLAGS``, which JAX reads at import and at the start of its backend.

    JAX itself is not imported. If it already is, its configuration is updated, with a `UserWarning` if its
    backend has started and ignores the flags.
    """
    os.environ["JAX_ENABLE_X64"] = "true"
    present = os.environ.get("XLA_FLAGS", "")
    missing = [flag for flag in _FLAGS if flag.split("=")[0] not in present]
    os.environ["XLA_FLAGS"] = " ".join([present, *missing]).strip()
    if "jax" not in sys.modules:
        return
    import jax

    jax.config.update("jax_enable_x64", True)
    bridge = sys.modules.get("jax._src.xla_bridge")
    if missing and getattr(bridge, "_backends", None):
        problem = "JAX computed before rivalry was imported: last bits may differ from other runs"
        warnings.warn(f"{problem}; import rivalry first", stacklevel=3)


def stored(value: object) -> Mapping[str, Any] | None:
    """Return the attributes that an object or a class stores by name; None for one without a dictionary."""
    return getattr(value, "__dict__", None)


def imprecise(game: object) -> str:
    """Array of a game or its space that lacks double precision, with the remedy; empty if none."""
    fault = _single(game, "", DEPTH) or _single(getattr(game, "space", None), "space", DEPTH)
    if not fault:
        return ""
    return f"{fault}; must be float64: import rivalry before arrays are made, or make it with dtype=float"


def _single(tree: object, name: str, depth: int) -> str:
    """Return the path and dtype of the first array without double precision; empty if none."""
    import jax
    import numpy as np

    def plain(node: object) -> bool:
        """True if JAX sees no arrays in an object, as in a registered game of a plain class."""
        return stored(node) is not None and not jax.tree.leaves(node)

    for path, leaf in jax.tree_util.tree_flatten_with_path(tree, is_leaf=plain)[0]:
        where = name + jax.tree_util.keystr(path)
        if isinstance(leaf, jax.Array | np.ndarray | np.generic):
            double = 16 if jax.numpy.issubdtype(leaf.dtype, np.complexfloating) else 8
            if jax.numpy.issubdtype(leaf.dtype, np.inexact) and leaf.dtype.itemsize < double:
                return f"game: {where.lstrip('.')} is {leaf.dtype}"
        elif depth and stored(leaf) is not None and not callable(leaf):
            for key, value in {**vars(type(leaf)), **vars(leaf)}.items():
                if fault := _single(value, f"{where}.{key}", depth - 1):
                    return fault
    return ""
