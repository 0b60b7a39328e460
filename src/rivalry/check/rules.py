"""Errors of conformance tests, and the checks that those of games and of methods share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np

from rivalry.core.payoffs import TRACED as TRACED
from rivalry.core.space import Profile, Space


class Unfit(ValueError):
    """A game or a method that the package cannot use as it is; the message says what to change."""


def require(good: object, message: str) -> None:
    """Raise `Unfit` with ``message`` unless ``good``."""
    if not bool(good):
        raise Unfit(message)


def require_shape(subject: str, array: Any, shape: tuple[int, ...], note: str = "") -> None:
    """Raise `Unfit` for an array of another shape; ``note`` ends the message."""
    require(array.shape == shape, f"{subject}: shape {array.shape} must be {shape}{note}")


def attempt(subject: str, remedy: str, call: Callable[..., Any], *args: object) -> Any:
    """Return the result of a call of user code; any error in it becomes `Unfit`."""
    try:
        return call(*args)
    except Exception as error:  # user code may raise anything
        first_line = (str(error).strip() or "no message").splitlines()[0]
        raise Unfit(f"{subject}: raised {type(error).__name__}: {first_line}; {remedy}") from error


def attempt_compiled(subject: str, call: Callable[..., Any], *args: object) -> Any:
    """Return the result of a compiled call of user code; any error in it becomes `Unfit`."""
    return attempt(subject, TRACED, eqx.filter_jit(call), *args)


def inside(space: Space, x: Profile, subject: str) -> None:
    """Raise `Unfit` for a profile outside the space."""
    try:
        space.check(np.asarray(x), subject)
    except ValueError as error:
        raise Unfit(f"{error}; {subject} must return profiles of the space") from None


def check_record(record: Any, subject: str) -> None:
    """Raise `Unfit` unless ``record`` is a record: named arrays with their dimensions."""
    require(
        isinstance(record, dict), f"{subject}: {type(record).__name__} must be a dict of (dimensions, array)"
    )
    for name, entry in record.items():
        pair = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], tuple)
        require(pair, f"{subject}[{name!r}]: must be (dimensions, array), dimensions a tuple of names")
        dims, array = entry[0], np.asarray(entry[1])
        rule = f"{len(dims)} dimensions named; must be {array.ndim}, as of its array"
        require(len(dims) == array.ndim, f"{subject}[{name!r}]: {rule}")
        is_storable = array.dtype.kind in "fiubU"
        require(is_storable, f"{subject}[{name!r}]: dtype {array.dtype} must be numbers or text")
