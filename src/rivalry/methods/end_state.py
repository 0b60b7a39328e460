"""What a dynamic's end is worth: polished point and spectrum, or cycle, or neither.

Words: ``stable_point`` (all eigenvalues of the Jacobian of own gradients have negative real part),
``unstable_point`` (some has not), ``boundary`` (a stable point held by bounds; the spectrum is that of the
free directions), ``cycle`` and ``moving``. None of them says that the profile is an equilibrium: that is the
certificate's word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry._jax import jax, jnp
from rivalry.game import Finish, Game, Record, jacobian, own_gradients, scale
from rivalry.methods.tangent import SLACK, basis, free, newton_step, projector, pull, scale_of, width
from rivalry.space import Box, Profile

if TYPE_CHECKING:
    from rivalry.methods.crossings import Orbit

POLISHED = 1e-11  # of the payoff scale: the largest projected gradient of a polished point
NEAR = 1e-4  # of the width: a root further off is another point, not this end
APART = 1e-6  # of the width: by this much players who coincide are moved apart
PERIODIC = 1e-5  # of the width: so well must a cycle close
PASSING = 1e-6  # of the payoff scale: with a larger pull, a point that repels may be one that is passed by
NEWTON_STEPS = 30

_NONE = np.zeros(0, dtype=complex)


def analyse(game: Game, profile: Profile, key: jax.Array, *, moves: bool = True) -> Finish:
    """The end state at ``profile`` [player axis], where a gradient dynamic stopped; the key is consumed.

    Measures: ``eigenvalues_real`` and ``eigenvalues_imag`` (eigenvalue), largest real part first, NaN where
    bounds leave fewer directions; ``max_real_eigenvalue``, ``max_imag_eigenvalue``; ``period`` in units of
    flow time and ``cycle_low``, ``cycle_high`` (player, axis), NaN where there is no cycle.

    ``moves`` tells that the profile was reached by a motion along the gradients. Then one that has not come
    to rest is tested for a cycle; and players who sit in one place on an unstable point are moved apart by a
    millionth of the width: the result's ``onward``, where the steps go on. Identical players stay together
    for ever, in floating point, where the least difference would part them.
    """
    point, left_over = _polish(game, profile)
    wide = np.asarray(width(game.space))
    near = np.max(np.abs(np.asarray(point - profile)) / wide) <= NEAR
    if not (near and float(left_over) <= POLISHED * scale(game)):
        orbit = _orbit(game, profile, key) if moves else None
        return Finish(profile, "cycle" if orbit else "moving", _measures(profile.shape, _NONE, orbit))
    values, held = spectrum(game, point)
    size = np.max(np.abs(values), initial=0.0)
    largest = values.real.max(initial=-np.inf)
    stable = largest < -1e-12 * size or not len(values)
    if moves and not stable and float(_pull(game, profile)) > PASSING * scale(game):
        # it may only be passing by
        orbit = _orbit(game, profile, key)
        if orbit:
            return Finish(profile, "cycle", _measures(profile.shape, _NONE, orbit))
    word = "unstable_point" if not stable else "boundary" if held else "stable_point"
    onward = move_apart(game, point, key) if moves and largest > 1e-9 * size else None
    return Finish(point, word, _measures(point.shape, values), onward)


def _orbit(game: Game, x: Profile, key: jax.Array) -> Orbit | None:
    from rivalry.methods.crossings import closed_orbit  # brings diffrax, which a settled run never needs

    apart = move_apart(game, x, key)
    return closed_orbit(game, x if apart is None else apart, PERIODIC)


@eqx.filter_jit
def _pull(game: Game, x: Profile) -> Array:
    return pull(game, x)


@eqx.filter_jit
def _polish(game: Game, x: Profile) -> tuple[Profile, Array]:
    """A root of the projected gradients by Newton's steps, and the largest one left; bounds attract."""
    enough = POLISHED * scale_of(game)

    def snapped(x: Profile) -> Profile:
        held = ~free(game.space, x, own_gradients(game, x), SLACK)
        if isinstance(game.space, Box):
            low = x < (game.space.low + game.space.high) / 2
            return jnp.where(held, jnp.where(low, game.space.low, game.space.high), x)
        return game.space.project(jnp.where(held, 0.0, x)) if hasattr(game.space, "sizes") else x

    def step(carry: tuple[Profile, Array, Array]) -> tuple[Profile, Array, Array]:
        x, left, count = carry
        new = snapped(game.space.project(x + newton_step(game, x, SLACK)))
        after = pull(game, new, SLACK)
        better = after < left
        return (
            jnp.where(better, new, x),
            jnp.where(better, after, left),
            jnp.where(better, count + 1, NEWTON_STEPS),
        )

    first = snapped(x)
    # beyond the tolerance the last steps are nearly free, and leave only rounding
    x, left, _ = jax.lax.while_loop(
        lambda carry: (carry[1] > 1e-4 * enough) & (carry[2] < NEWTON_STEPS),
        step,
        (first, pull(game, first, SLACK), jnp.zeros((), dtype=int)),
    )
    return x, left


@eqx.filter_jit
def _linear(game: Game, x: Profile) -> tuple[Array, Array, Array]:
    kept = free(game.space, x, own_gradients(game, x), SLACK)
    return jacobian(game, x), projector(game.space, kept), jnp.any(~kept & game.space.mask)


def spectrum(game: Game, x: Profile, weight: np.ndarray | None = None) -> tuple[np.ndarray, bool]:
    """Eigenvalues of the Jacobian of own gradients in the free directions, largest real part first.

    Also whether a bound holds any entry. ``weight`` [player] multiplies the players' rows (default: 1). On a
    simplex the directions are those that sum to zero.

    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    >>> values, held = spectrum(game, jnp.full((3, 1), 0.5))
    >>> round(float(values.real.max()), 4), held
    (-75.5398, False)
    """
    derivative, keep, held = (np.asarray(part) for part in _linear(game, x))
    directions = basis(keep)
    if weight is not None:
        derivative = np.repeat(weight, x.shape[1])[:, None] * derivative
    values = np.linalg.eigvals(directions.T @ derivative @ directions).astype(complex)
    return values[np.lexsort((-values.imag, -values.real))], bool(held)


def _measures(shape: tuple[int, ...], values: np.ndarray, cycle: Orbit | None = None) -> Record:
    padded = np.full(shape[0] * shape[1], np.nan, dtype=complex)
    padded[: len(values)] = values
    nothing = np.full(shape, np.nan)
    some = bool(len(values))
    return {
        "eigenvalues_real": (("eigenvalue",), padded.real.copy()),
        "eigenvalues_imag": (("eigenvalue",), np.where(np.isnan(padded.real), np.nan, padded.imag)),
        "max_real_eigenvalue": ((), np.asarray(values.real.max() if some else np.nan)),
        "max_imag_eigenvalue": ((), np.asarray(np.abs(values.imag).max() if some else np.nan)),
        "period": ((), np.asarray(cycle.period if cycle else np.nan)),
        "cycle_low": (("player", "axis"), cycle.low if cycle else nothing),
        "cycle_high": (("player", "axis"), cycle.high if cycle else nothing),
    }


def move_apart(game: Game, x: Profile, key: jax.Array) -> Profile | None:
    """``x`` with players who coincide moved apart at random by `APART` of the width; None where none do."""
    wide = width(game.space)
    gaps = jnp.max(jnp.abs(x[:, None] - x[None, :]) / wide[None], axis=-1)
    together = (gaps <= APART) & ~jnp.eye(len(x), dtype=bool)
    alone = ~jnp.any(together, axis=1)
    if bool(jnp.all(alone)):
        return None
    moved = x + APART * wide * jax.random.normal(key, x.shape) * game.space.mask
    return jnp.where(alone[:, None], x, game.space.project(moved))
