"""Errors of conformance tests, and checks of spaces and of the payoff scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import numpy as np

from rivalry.core.oracles import Oracle, payoff_scale
from rivalry.core.payoffs import TRACED as TRACED
from rivalry.core.space import Profile, Space
from rivalry.runtime.jax import floats, jax, jnp

CLOSE = 1e-9  # tolerance for rounding: of probabilities, or times the payoff scale


class Unfit(ValueError):
    """A game or a method that the package cannot use as it is; the message says what to change."""


def require(good: object, message: str) -> None:
    """Raise `Unfit` with ``message`` unless ``good``."""
    if not bool(good):
        raise Unfit(message)


def require_shape(subject: str, array: Any, shape: tuple[int, ...], note: str = "") -> None:
    """Raise `Unfit` for an array of another shape; ``note`` ends the message."""
    require(array.shape == shape, f"{subject}: shape {array.shape} must be {shape}{note}")


def require_close(value: object, reference: object, message: str, tolerance: float = CLOSE) -> None:
    """Raise `Unfit` with ``message`` and the largest difference where it is above ``tolerance``."""
    gap = float(np.max(np.abs(np.asarray(value) - np.asarray(reference)), initial=0.0))
    # a difference that is not a number is no agreement either
    require(gap <= tolerance, f"{message}, by {gap:.3g}")


def attempt(subject: str, remedy: str, call: Callable[..., Any], *args: object) -> Any:
    """Return the result of a call of user code; any error in it becomes `Unfit`."""
    try:
        return call(*args)
    except Unfit:
        raise
    except Exception as error:  # user code may raise anything
        first_line = (str(error).strip() or "no message").splitlines()[0]
        raise Unfit(f"{subject}: raised {type(error).__name__}: {first_line}; {remedy}") from error


def attempt_compiled(subject: str, call: Callable[..., Any], *args: object, remedy: str = TRACED) -> Any:
    """Return the result of a compiled call of user code; any error in it becomes `Unfit`."""
    return attempt(subject, remedy, eqx.filter_jit(call), *args)


def inside(space: Space, x: Profile, subject: str) -> None:
    """Raise `Unfit` for a profile outside the space."""
    try:
        space.check(np.asarray(x), subject)
    except ValueError as error:
        raise Unfit(f"{error}; {subject} must return profiles of the space") from None


def attempt_record(
    subject: str,
    call: Callable[..., Any],
    *args: object,
    remedy: str = "must return {name: (dimensions, array)}",
) -> None:
    """Raise `Unfit` unless a call of user code returns a record."""
    check_record(attempt(subject, remedy, call, *args), subject)


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


PROFILES, GRID = 8, 201  # profiles, and strategies per player, about


def check_space(space: Space, seed: int) -> list[Profile]:
    """Check the members of a space, and return random profiles of it."""
    rule = "must be a Box, Simplex, Choices, or have all members of `Space`"
    require(isinstance(space, Space), f"space: {rule}")
    players, axes = space.shape
    require(players >= 1 and axes >= 1, f"space.shape: {space.shape} must hold a player and an axis")
    require_shape("space.mask", space.mask, space.shape)
    profiles = []
    for key in jax.random.split(jax.random.key(seed), PROFILES):
        x = space.sample(key)
        require_shape("space.sample", x, space.shape)
        require(x.dtype == jnp.float64, f"space.sample: dtype {x.dtype} must be float64")
        inside(space, x, "space.sample")
        projection = space.project(x + jnp.where(space.mask, 0.37, 0.0))
        inside(space, projection, "space.project")
        change = float(jnp.max(jnp.abs(space.project(projection) - projection)))
        require(change <= 1e-12, f"space.project: changes a projected profile, by {change:.3g}; must not")
        profiles.append(x)
    for player in range(players):
        grid = space.grid(player, GRID)
        good = grid.ndim == 2 and grid.shape[1] == axes and len(grid) >= 1
        require(good, f"space.grid({player}, {GRID}): shape {grid.shape} must be (points, {axes})")
        for point in grid[:: max(1, len(grid) // 5)]:
            inside(space, profiles[0].at[player].set(point), f"space.grid({player}, {GRID})")
    return profiles


def check_scale(game: object) -> None:
    """Check that the payoff scale is a number above 0, or one per player."""
    rule = "must be a number, or one per player"
    scale = attempt("payoff_scale", rule, lambda: floats(payoff_scale(game)))
    require(scale.ndim < 2, f"payoff_scale: an array of shape {scale.shape} {rule}")
    require(bool(np.all(np.isfinite(scale) & (scale > 0))), f"payoff_scale: {scale} must be above 0")


def check_oracles(
    checks: Mapping[Oracle[..., Any], Callable[..., None]], game: object, *args: object
) -> list[str]:
    """Check the oracles that are registered for a game, and return their names."""
    registered = [oracle for oracle in checks if oracle.knows(game)]
    for oracle in registered:
        checks[oracle](game, *args)
    return [str(oracle.__name__) for oracle in registered]
