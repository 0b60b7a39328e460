"""Classification of the end of a dynamic: polished point with its spectrum, cycle, or neither.

Words: ``stable_point`` (all eigenvalues of the Jacobian of own gradients have negative real part),
``unstable_point`` (some have not), ``boundary`` (a stable point held by bounds; the spectrum is that of the
free directions), ``cycle`` and ``moving``. A motion other than the ascent of own gradients supplies its own
field, whose Jacobian then decides. None of them says that the profile is an equilibrium; the certificate
does.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool
from numpy import ndarray

from rivalry.certificates.units import payoff_units
from rivalry.core.batched_games import Together, per_game
from rivalry.core.game import Game, Record, jacobian, own_gradients
from rivalry.core.method import Finish
from rivalry.core.results import scalar
from rivalry.core.space import Box, Profile, Simplex, Space, dealt, width
from rivalry.methods.dynamics.tangent_cone import (
    CLIMB,
    SLACK,
    Motion,
    all_directions,
    basis,
    newton_system,
    project_on,
    projector,
    relative,
)
from rivalry.runtime.jax import jax, jnp, seldom

if TYPE_CHECKING:
    from rivalry.methods.dynamics.integrate import Orbit

POLISHED = 1e-11  # of the unit of payoff: largest projected gradient of a polished point, times the width
END_WITHIN = 1e-4  # of the width: a more distant root is another point, not this end
APART = 1e-6  # of the width: displacement that separates coincident players
PERIODIC = 1e-5  # of the width: largest closing error of a cycle
PASSING = 1e-6  # of payoff scales per width: with a larger pull, a motion may only pass a repelling point
NEWTON_STEPS = 30
NO_SIGN = 1e-12  # relative: smaller eigenvalues have no sign

_NONE = np.zeros(0, complex)


def analyse(
    game: Game,
    profile: Profile,
    key: jax.Array,
    *,
    cycles: bool = True,
    departs: bool = True,
    motion: Motion = CLIMB,
) -> Finish:
    """Return the end state at ``profile`` [player axis], where a dynamic stopped; the key is consumed.

    Metrics: ``eigenvalues_real`` and ``eigenvalues_imag`` (eigenvalue), largest real part first, NaN where
    bounds leave fewer directions; ``max_real_eigenvalue``, ``max_imag_eigenvalue``; ``cycle_period`` in units
    of flow time and ``cycle_low``, ``cycle_high`` (player, axis), NaN where there is no cycle.

    With ``cycles``, for a dynamic that follows ``motion``, a profile not at rest is tested for a cycle. With
    ``departs``, coincident players at an unstable point are moved apart by a millionth of the width: the
    result's ``onward``, from which the steps continue. In floating point identical players stay together
    forever, although the smallest difference would separate them.
    """
    batch, at = Together([game]), np.asarray(profile)[None]
    unit = payoff_units(batch, at)
    end = _member(_polish(batch, at, motion, unit), 0)
    point, unit = end.profile, unit[0]
    near = np.max(np.abs(np.asarray(point) - np.asarray(profile)) / np.asarray(end.width)) <= END_WITHIN
    if not (near and _largest_gradient(end, unit) <= POLISHED):
        orbit = _orbit(game, profile, key, motion) if cycles else None
        return Finish(profile, "cycle" if orbit else "moving", _measures(profile.shape, _NONE, orbit))
    values, at_bound = _eigenvalues(end)
    derivative, directions = end.jacobian, basis(end.keep)
    if motion.in_all_directions:
        derivative = np.asarray(_field_jacobian(game, point, motion))
        directions = all_directions(game.space)
        values = _eigenvalues_on(directions, derivative)
    word = _point_word(values, derivative, directions, len(unit), at_bound)
    if cycles and word == "unstable_point" and float(_speed(game, profile, motion)) > PASSING:
        # the motion may only be passing
        orbit = _orbit(game, profile, key, motion)
        if orbit:
            return Finish(profile, "cycle", _measures(profile.shape, _NONE, orbit))
    # clearly positive: at an eigenvalue of 0 a departure would be decided by rounding
    repels = values.real.max(initial=-np.inf) > 1e-9 * np.max(np.abs(values), initial=0.0)
    onward = move_apart(game, point, key) if departs and repels else None
    return Finish(point, word, _measures(point.shape, values), onward)


def at_rest(game: Game, profile: Profile, *, near: float = END_WITHIN) -> Finish | None:
    """Return the root of all own gradients near ``profile``, where best responses came to rest.

    None on no `Box`.

    Where there is none within ``near`` widths, or payoffs are not smooth there, the profile is unchanged,
    with an empty word. Metrics: those of the spectrum as in `analyse`, and `best_response_radius`; NaN
    without a root. Entries that change no player's payoff to second order are fixed and left out.
    """
    (roots,) = all_at_rest(Together([game]), np.asarray(profile)[None], near)
    return roots


def all_at_rest(games: Together, profiles: ndarray, near: float) -> list[Finish | None]:
    """Return `at_rest` of several games at profiles ``[game player axis]``."""
    if not isinstance(games.games[0].space, Box):
        return [None] * len(games)
    units = payoff_units(games, profiles)
    ends = _polish(games, profiles, CLIMB, units, idle=True)
    return [_finish_of(_member(ends, k), profiles[k], units[k], near) for k in range(len(games))]


def _finish_of(end: _Local, profile: Any, unit: ndarray, near: float) -> Finish:
    point, derivative = end.profile, end.jacobian
    gap = np.max(np.abs(point - profile) / end.width)
    word, values, radius = "", _NONE, np.nan
    if gap <= near and _largest_gradient(end, unit) <= POLISHED and np.isfinite(derivative).all():
        profile, (values, at_bound) = point, _eigenvalues(end)
        word = _point_word(values, derivative, basis(end.keep), len(unit), at_bound)
        free_rows = np.flatnonzero(np.diag(end.keep) > 0.5)
        owner = np.repeat(np.arange(point.shape[0]), point.shape[1])[free_rows]
        radius = response_radius(derivative[np.ix_(free_rows, free_rows)], owner)
    measured = _sorted_spectrum(point.size, values) | {"best_response_radius": scalar(radius)}
    return Finish(profile, word, measured)


def _point_word(
    values: ndarray, derivative: ndarray, directions: ndarray, players: int, at_bound: bool
) -> str:
    """Return the word for a rest point with these eigenvalues in the directions that bounds leave.

    Unlike units of payoffs stretch the spectrum: whether an eigenvalue is 0 is decided with the rows of
    ``derivative`` in units of their sizes, player by player.
    """
    rows = derivative.reshape(players, -1)
    sizes = np.linalg.norm(rows, axis=1)
    smallest = np.min(sizes, initial=np.inf, where=sizes > 0)
    if len(values) and not np.all(values.real < -NO_SIGN * np.maximum(np.abs(values), smallest)):
        return "unstable_point"
    equal = (rows / np.where(sizes > 0, sizes, 1.0)[:, None]).reshape(derivative.shape)
    spread = np.linalg.svd(directions.T @ equal @ directions, compute_uv=False)
    if len(values) and not spread[-1] > NO_SIGN * spread[0]:
        return "unstable_point"
    return "boundary" if at_bound else "stable_point"


def response_radius(derivative: ndarray, owner: ndarray) -> float:
    """Return the spectral radius of simultaneous best responses near a point: below 1, they return to it.

    ``derivative`` [row column] is that of the stacked own gradients J, and ``owner`` [row] is the player of
    each row. With D the blocks of J within players, best responses move by ``-D^{-1} (J - D)``. NaN where D
    is singular, or no entry may move.

    Examples
    --------
    >>> round(response_radius(np.array([[-2.0, -1.0], [-1.0, -2.0]]), np.array([0, 1])), 6)
    0.5

    References
    ----------
    Moulin (1984), Dominance solvability and Cournot stability.
    """
    # D: the blocks within players
    block = np.where(owner[:, None] == owner[None, :], derivative, 0.0)
    if not len(block) or not np.linalg.cond(block) < 1 / np.finfo(float).eps:
        return float("nan")
    return float(np.max(np.abs(np.linalg.eigvals(np.linalg.solve(block, derivative - block)))))


def _orbit(game: Game, x: Profile, key: jax.Array, motion: Motion) -> Orbit | None:
    # imports diffrax, which a converged run never needs
    from rivalry.methods.dynamics.integrate import closed_orbit

    shifted = move_apart(game, x, key)
    return closed_orbit(game, x if shifted is None else shifted, PERIODIC, motion)


@seldom
def _speed(game: Game, x: Profile, motion: Motion) -> Array:
    return jnp.max(jnp.abs(relative(game, motion.field(game, x))))


@seldom
def _field_jacobian(game: Game, x: Profile, motion: Motion) -> Array:
    rows: Array = jax.jacfwd(lambda y: motion.field(game, y.reshape(x.shape)).ravel())(x.ravel())
    return rows.reshape(x.size, x.size)


class _Local(NamedTuple):
    """A profile, projected on its binding bounds, and the first-order conditions there.

    Of several games all arrays are ``[game ..]``.
    """

    profile: Any
    width: Any
    left: Any  # the largest projected gradient, times the width, [player]
    gradient: Any  # [row], player-major like the next two
    jacobian: Any
    keep: Any  # projects on free directions
    at_bound: Any  # whether a bound holds any entry


@partial(per_game, shared=1, effort=0)
def _local(game: Game, x: Profile, motion: Motion) -> Any:
    """Return derivatives and bounds of the game near ``x`` by one program; linear algebra is NumPy's."""
    space = game.space

    def derivatives(number: Array, carry: tuple[Profile, Profile, Array]) -> tuple[Profile, Profile, Array]:
        x, gradient, _ = carry
        x = jnp.where(number == 0, x, _on_bounds(space, x, motion.free(space, x, gradient, SLACK)))
        return x, own_gradients(game, x), jacobian(game, x)

    # the second round is at the bounds that the first finds: in a loop derivatives are compiled once
    begin = (space.project(x), jnp.zeros_like(x), jnp.zeros((x.size, x.size)))
    x, gradient, derivative = jax.lax.fori_loop(0, 2, derivatives, begin)
    free_rows = motion.free(space, x, gradient, SLACK)
    wide = width(space)
    residual = jnp.max(jnp.abs(project_on(space, free_rows, gradient)) * wide, axis=1)
    some_held = jnp.any(~free_rows & space.mask)
    return _Local(x, wide, residual, gradient.ravel(), derivative, projector(space, free_rows), some_held)


def _on_bounds(space: Space, x: Profile, free_entries: Array) -> Profile:
    """Return a profile with all entries that are not free on their bounds."""
    if isinstance(space, Box):
        low = x < (space.low + space.high) / 2
        return jnp.where(free_entries, x, jnp.where(low, space.low, space.high))
    if isinstance(space, Simplex):
        free_part = jnp.where(free_entries, x, 0.0)
        # in proportion: projected as they are, all would have a part again
        return space.project(free_part / jnp.sum(free_part, axis=1, keepdims=True))
    return x


def _polish(games: Together, x: ndarray, motion: Motion, units: ndarray, *, idle: bool = False) -> _Local:
    """Return roots of the projected gradients by Newton steps while they lower them; bounds attract.

    With ``idle`` entries of a box without any slope or curvature are fixed.
    """
    local, going = _local(games, x, motion), np.ones(len(games), bool)
    for _ in range(NEWTON_STEPS):
        # beyond the tolerance the last steps are cheap, and leave only rounding
        going &= ~(_largest_gradient(local, units) <= 1e-4 * POLISHED)
        if not going.any():
            break
        local, moves = _without_idle(local) if idle else local, np.zeros(x.shape)
        for k in np.flatnonzero(going):
            system = newton_system(local.jacobian[k], local.keep[k], local.gradient[k])
            try:
                moves[k] = np.linalg.solve(*system).reshape(x.shape[1:])
            except np.linalg.LinAlgError:
                going[k] = False
        if not going.any():
            break
        candidate = _local(games, local.profile + moves, motion)
        going &= _largest_gradient(candidate, units) < _largest_gradient(local, units)
        local = _Local(*(_choose(going, *pair) for pair in zip(candidate, local, strict=True)))
    return _without_idle(local) if idle else local


def _choose(mask: ndarray, values: ndarray, alternatives: ndarray) -> ndarray:
    return np.where(mask.reshape(-1, *[1] * (values.ndim - 1)), values, alternatives)


def _member(ends: _Local, k: int) -> _Local:
    return _Local(*(array[k] for array in ends))


def _largest_gradient(local: _Local, unit: ndarray) -> Any:
    """Return the largest projected gradient, of ``[.. player]``, in units of payoff of each player."""
    return np.max(local.left / unit, axis=-1)


def _without_idle(local: _Local) -> _Local:
    rows = local.jacobian
    busy = rows.any(axis=-2) | rows.any(axis=-1) | (local.gradient != 0)
    return local._replace(keep=local.keep * busy[..., :, None] * busy[..., None, :])


def spectrum(game: Game, x: Profile | ndarray, weight: ndarray | None = None) -> tuple[ndarray, bool]:
    """Return eigenvalues of the Jacobian of own gradients in the free directions, largest real part first.

    Parameters
    ----------
    game : Game
        A game with smooth payoffs.
    x : array_like
        Profile ``[player axis]``.
    weight : array_like, optional
        Factors of the players' rows, ``[player]`` (default: 1).

    Returns
    -------
    tuple of ndarray and bool
        Eigenvalues ``[direction]``, and whether a bound holds any entry. On a simplex the directions are
        those that sum to zero.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    >>> values, at_bound = spectrum(game, jnp.full((3, 1), 0.5))
    >>> round(float(values.real.max()), 4), at_bound
    (-75.5398, False)
    """
    return _eigenvalues(_member(_local(Together([game]), np.asarray(x)[None], CLIMB), 0), weight)


def _eigenvalues(local: _Local, weight: ndarray | None = None) -> tuple[ndarray, bool]:
    derivative, directions = local.jacobian, basis(local.keep)
    if weight is not None:
        derivative = np.repeat(weight, local.profile.shape[1])[:, None] * derivative
    return _eigenvalues_on(directions, derivative), bool(local.at_bound)


def _eigenvalues_on(directions: ndarray, derivative: ndarray) -> ndarray:
    """Return the eigenvalues of a Jacobian on a subspace, largest real part first."""
    values = np.linalg.eigvals(directions.T @ derivative @ directions)
    return values.astype(complex)[np.lexsort((-values.imag, -values.real))]


def _sorted_spectrum(entries: int, values: ndarray) -> Record:
    padded = np.full(entries, np.nan, complex)
    padded[: len(values)] = values
    has_values = bool(len(values))
    return {
        "eigenvalues_real": (("eigenvalue",), padded.real.copy()),
        "eigenvalues_imag": (("eigenvalue",), np.where(np.isnan(padded.real), np.nan, padded.imag)),
        "max_real_eigenvalue": scalar(values.real.max() if has_values else np.nan),
        "max_imag_eigenvalue": scalar(np.abs(values.imag).max() if has_values else np.nan),
    }


def _measures(shape: tuple[int, ...], values: ndarray, cycle: Orbit | None = None) -> Record:
    undefined = np.full(shape, np.nan)
    return _sorted_spectrum(shape[0] * shape[1], values) | {
        "cycle_period": scalar(cycle.period if cycle else np.nan),
        "cycle_low": (("player", "axis"), cycle.low if cycle else undefined),
        "cycle_high": (("player", "axis"), cycle.high if cycle else undefined),
    }


def move_apart(game: Game, x: Profile, key: jax.Array) -> Profile | None:
    """Return ``x`` with coincident players moved apart at random by `APART` of the width.

    None if there are none.
    """
    at, wide = np.asarray(x), np.asarray(width(game.space))
    mask = game.space.mask
    counts = np.asarray(mask)[:, None] | np.asarray(mask)[None, :]
    gaps = np.max(np.abs(at[:, None] - at[None, :]) / wide[None] * counts, axis=-1)
    is_distinct = np.sum(gaps <= APART, axis=1) == 1  # only itself
    if np.all(is_distinct):
        return None
    return _moved_at_random(game, x, key, is_distinct)


@seldom
def _moved_at_random(game: Game, x: Profile, key: jax.Array, is_distinct: Bool[Array, " player"]) -> Profile:
    """Return the profile with players who are not distinct moved by random amounts.

    Equal displacements would leave them together.
    """
    step = APART * width(game.space) * dealt(game.space.mask, jax.random.normal(key, x.shape))
    return jnp.where(is_distinct[:, None], x, game.space.project(x + step))
