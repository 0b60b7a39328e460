"""How a breach is told: one line that says what to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rivalry.core.space import Profile, Space


class Unfit(ValueError):
    """A game or a method that the package cannot use as it is; the message says what to change."""


def require(good: Any, message: str) -> None:
    """Raises `Unfit` with ``message`` unless ``good``."""
    if not bool(good):
        raise Unfit(message)


def attempt(what: str, remedy: str, call: Callable[[], Any]) -> Any:
    """The answer of a call into other people's code, whose errors of any kind are theirs to read."""
    try:
        return call()
    except Unfit:
        raise
    except Exception as error:  # whatever a plug-in raises is told in one line
        first = (str(error).strip() or "no message").splitlines()[0]
        raise Unfit(f"{what}: raised {type(error).__name__}: {first}; {remedy}") from error


def inside(space: Space, x: Profile, what: str) -> None:
    """Raises `Unfit` for a profile outside the space."""
    try:
        space.check(np.asarray(x), what)
    except ValueError as error:
        raise Unfit(f"{error}; what {what} answers must be in the space") from None


def record(found: Any, what: str) -> None:
    """Raises `Unfit` for what is no record: named arrays with their dimensions."""
    require(isinstance(found, dict), f"{what}: {type(found).__name__} must be a dict of (dimensions, array)")
    for name, entry in found.items():
        pair = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], tuple)
        require(pair, f"{what}[{name!r}]: must be (dimensions, array), dimensions a tuple of names")
        dims, array = entry
        shape = np.shape(array)
        require(
            len(dims) == len(shape),
            f"{what}[{name!r}]: {len(dims)} dimensions named; must be {len(shape)}, as of its array",
        )
        kind = np.asarray(array).dtype.kind
        require(kind in "fiubU", f"{what}[{name!r}]: dtype {np.asarray(array).dtype} must be numbers or text")
