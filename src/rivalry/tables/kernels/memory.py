"""Memory prefetching, and rows aligned to cache lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils, config
from numba.core.cgutils import ir  # type: ignore[attr-defined]
from numba.extending import intrinsic
from numpy import ndarray

LINE = 64
"""Bytes of a cache line."""


def zeros(shape: tuple[int, ...]) -> ndarray:
    """Return zeros in float32 that begin at a cache line; memory is taken where they are first written."""
    size = 4 * math.prod(shape)
    room = np.zeros(size + LINE, dtype=np.uint8)
    offset = -room.ctypes.data % LINE
    return room[offset : offset + size].view(np.float32).reshape(shape)


def align(array: ndarray) -> ndarray:
    """Return an array of float32 if it begins at a cache line, else a copy that does.

    >>> align(np.zeros(5, dtype=np.float32)).ctypes.data % LINE
    0
    """
    if array.ctypes.data % LINE == 0:
        return array
    aligned = zeros(array.shape)
    aligned[...] = array
    return aligned


def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Prefetch the cache line of a flat array's entry; nothing is read, so results cannot change."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, integer, integer, integer])
        ask = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        place = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        # for reading, high locality, data cache
        builder.call(ask, [place, *(ir.Constant(integer, k) for k in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, index), generate


def _no_prefetch(array: ndarray, index: int) -> None:
    """Replace `prefetch` where Numba is switched off."""


prefetch: Any = _no_prefetch if config.DISABLE_JIT else intrinsic(_prefetch)  # type: ignore[attr-defined]
