"""Numba's cache of compiled loops: keyed by content, and with integrity checks.

Numba unpickles its files unchecked and runs the machine code in them. Here a file ends with the SHA-256 of
its other bytes, after the end of the pickle, so that plain Numba reads it too. A function whose file is
missing, truncated, altered or unreadable is compiled again: a damaged file counts as missing. Where nothing
can be written, functions are compiled in every process. Import this module before a package whose loops Numba
caches.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import numba
from numba.core import caching, event

from rivalry.runtime.jax import note_compilation

_PACKAGE = Path(__file__).parents[2]
_DIGEST = 32  # bytes


class _Compiling(event.Listener):
    """A listener that notes when loops are compiled."""

    def __init__(self) -> None:
        self._began: list[float] = []

    def on_start(self, event: object) -> None:
        self._began.append(monotonic())

    def on_end(self, event: object) -> None:
        note_compilation(self._began.pop())


event.register("numba:compile", _Compiling())  # type: ignore[no-untyped-call]


class _CheckedFile(caching.IndexDataCacheFile):
    """The index and the data files of one function."""

    def save(self, key: Any, data: Any) -> None:
        with suppress(OSError):  # no space or no permission: the compiled function stays in memory
            super().save(key, data)  # type: ignore[no-untyped-call]

    def _load_index(self) -> dict[Any, str]:
        return dict(super()._load_index()) if _has_sound_digest(self._index_path) else {}  # type: ignore[no-untyped-call]

    def _load_data(self, name: str) -> Any:
        if not _has_sound_digest(self._data_path(name)):  # type: ignore[no-untyped-call]
            raise OSError(f"{name}: damaged")  # Numba treats it as a missing file
        return super()._load_data(name)  # type: ignore[no-untyped-call]

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        with super()._open_for_write(filepath) as file:
            # Numba writes to memory first: the digest is that of all bytes
            buffer = io.BytesIO()
            yield buffer
            file.write(buffer.getvalue() + sha256(buffer.getvalue()).digest())


def _has_sound_digest(path: str) -> bool:
    """True if a file ends with the digest of its other bytes."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return False
    return sha256(data[:-_DIGEST]).digest() == data[-_DIGEST:]


class _PackageLocator(caching.UserProvidedCacheLocator):
    """The cache folder of a file of the package, by content: installations of one version share kernels.

    Numba names a folder by the path of the file, and older versions stamp it by the time of the file. The
    folder above is named by the contents of all kernels (`rivalry.tables.kernels`).
    """

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        if not Path(py_file).is_relative_to(_PACKAGE):
            return None
        return super().from_function(py_func, py_file)  # type: ignore[no-untyped-call]

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        folder = Path(py_file).relative_to(_PACKAGE).parent
        return "-".join((*folder.parts, numba.__version__))

    def get_source_stamp(self) -> str:
        return sha256(Path(self._py_file).read_bytes()).hexdigest()


caching.CacheImpl._locator_classes.insert(0, _PackageLocator)

# Numba looks this name up when it decorates a function, hence before any kernel is imported
caching.IndexDataCacheFile = _CheckedFile  # type: ignore[misc]


def njit(**options: Any) -> Any:
    """Return Numba's decorator, without a cache where no cache folder is available."""

    def compiled(function: Any) -> Any:
        try:
            return numba.njit(**options)(function)
        except RuntimeError:  # no folder can be created or written to
            return numba.njit(**{**options, "cache": False})(function)

    return compiled


# A function that may allocate arrays, compiled once for all processes; Python's lock is released.
loop = njit(cache=True, nogil=True)

# Without reference counts and inlined in their callers: these functions pass arrays to each other many times
# per step. Reference counting (locked instructions) and calls would take nineteen twentieths of the time.
# Such a function cannot allocate an array.
UNCOUNTED: dict[str, Any] = {"nogil": True, "_nrt": False, "forceinline": True, "no_cfunc_wrapper": True}
bare = njit(cache=True, **UNCOUNTED)

# A loop without reference counts as `bare`, but called rather than inlined.
kernel = njit(cache=True, nogil=True, _nrt=False, no_cfunc_wrapper=True)

# As `bare`, for functions that only kernels call: they are compiled as part of these only.
inline = njit(**UNCOUNTED | {"no_cpython_wrapper": True})

# As `inline`, for functions that are called in one place: merged into the caller before it is compiled. Each
# level of calls would optimise all code below it once more.
merged = njit(nogil=True, _nrt=False, inline="always")


@inline
def write(values, target):  # type: ignore[no-untyped-def]
    """Copy a row. An assignment of arrays would count references."""
    for k in range(len(values)):
        target[k] = values[k]
