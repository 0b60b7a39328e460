"""Validation of the factory's inputs: numbers per player, the space, the number of players, outside rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.families.formula import Formula, coordinate_values, coordinates, parse
from rivalry.families.influencer.kernels import (
    Beta,
    Blotto,
    ChosenReach,
    Custom,
    Dirichlet,
    DirichletMode,
    Exponential,
    Gaussian,
    GaussianMatrix,
    Kernel,
    PowerLaw,
)
from rivalry.families.influencer.keys import KernelKeys, ShareKeys, SpaceKeys
from rivalry.families.resources import (
    check_covariance,
    formula_values,
    kind_of,
    require,
    validate_weights,
)
from rivalry.runtime.jax import floats, jax, jnp, put
from rivalry.schema.validate import Options, as_numbers, number_of, whole_number

EDGE = 1e-9  # smallest coordinate for kernels without influence at 0


def per_player(
    name: str, value: object, players: int, *, above: float | None = 0.0, minimum: float | None = None
) -> Any:
    """Return one number per player, a single one broadcast to all. Raises `ValueError`.

    Each must be above ``above`` or, if given, at least ``minimum``.
    """
    numbers = floats(value)
    if numbers.shape not in ((), (players,)):
        raise ValueError(
            f"{name}: {numbers.size} entries for {players} players; must be one number, or one per player"
        )
    for player, number in enumerate(np.atleast_1d(numbers)):
        where = f"{name}[{player}]" if numbers.ndim else name
        if not np.isfinite(number):
            raise ValueError(f"{where}: {number} must be finite")
        if minimum is not None and number < minimum:
            raise ValueError(f"{where}: {number:g} must be at least {minimum:g}")
        if minimum is None and above is not None and number <= above:
            raise ValueError(f"{where}: {number:g} must be above {above:g}")
    return put(np.broadcast_to(numbers, (players,)))


def _per_player_or(usual: float, name: str, value: object, players: int) -> Any:
    """Return a parameter of each player, ``usual`` if it is not stated. Raises `ValueError`."""
    return per_player(name, usual if value is None else value, players)


class Domain(NamedTuple):
    """The space of positions and resource: ``interval``, ``box`` or ``simplex``, and [low, high] per axis."""

    kind: str
    edges: list[list[float]]

    @property
    def axes(self) -> int:
        """The number of coordinates of a position and of a point."""
        return len(self.edges)

    @property
    def simplex(self) -> bool:
        """True where coordinates sum to one."""
        return self.kind == "simplex"

    def interior(self) -> list[ndarray]:
        """Return two positions ``[axis]`` well inside: the middle, and one off it."""
        if self.simplex:
            rising = np.arange(1.0, self.axes + 1)
            return [np.full(self.axes, 1 / self.axes), rising / rising.sum()]
        low, high = np.asarray(self.edges).T
        return [low + part * (high - low) for part in (0.5, 0.37)]


def domain_of(keys: SpaceKeys, kernel: str) -> Domain:
    """Return the space that the keys describe. Raises `ValueError`."""
    space, bounds, corners = keys.space, keys.bounds, keys.corners
    if space != "simplex":
        if corners is not None:
            raise ValueError(f"corners: is for space = 'simplex', not for {space!r}")
        edges = _edges(space, bounds)
        if kernel == "exponential":  # it has no influence at 0
            low, high = edges[0]
            if low < 0 or high <= EDGE:
                raise ValueError(
                    f"bounds: [{low:g}, {high:g}] must not be below 0 for the exponential kernel"
                )
            edges[0] = [max(low, EDGE), high]
        return Domain("interval" if len(edges) == 1 else "box", edges)
    if bounds is not None:
        raise ValueError("bounds: a simplex has none; its coordinates are at least 0 and sum to 1")
    return Domain("simplex", [[0.0, 1.0]] * whole_number("corners", 3 if corners is None else corners, 2))


def _edges(space: str, bounds: object) -> list[list[float]]:
    """Return [low, high] per axis."""
    if bounds is None:
        return [[0.0, 1.0]] if space == "interval" else [[0.0, 1.0], [0.0, 1.0]]
    edges = as_numbers(bounds, "bounds")
    edges = edges[None] if edges.ndim == 1 else edges
    if edges.ndim != 2 or edges.shape[1] != 2 or not len(edges):
        raise ValueError(f"bounds: {bounds!r} must be [low, high], or one [low, high] per axis of a box")
    if space == "interval" and len(edges) != 1:
        raise ValueError(f"bounds: {len(edges)} axes are a box; set space = 'box'")
    return edges.tolist()


def players_of(space: SpaceKeys, kernel: KernelKeys, shares: ShareKeys) -> int:
    """Return the number of players: as stated, else the length of a list, else two. Raises `ValueError`."""
    counts = dict[str, int]()
    if space.players is not None:
        counts["players"] = whole_number("players", space.players, 2)
    keys: dict[str, Any] = vars(kernel) | vars(shares)
    for key in ("reach", "variance", "exponent", "alpha", "budgets", "reach_cost"):
        if np.ndim(keys[key]) > 0:
            counts[key] = len(keys[key])
    # one matrix for all has two dimensions: only a third counts players
    if np.ndim(keys["covariance"]) > 2:
        counts["covariance"] = len(keys["covariance"])
    parameters: dict[str, Any] = kernel.parameters or {}
    for name, value in parameters.items():
        if np.ndim(value) > 0:
            counts[f"parameters.{name}"] = len(value)
    if not counts:
        return 2
    first_key, players = next(iter(counts.items()))
    for key, count in counts.items():
        if count != players:
            raise ValueError(f"{key}: {count} entries, but {first_key} says {players} players")
    if players < 2:
        raise ValueError(f"{first_key}: {players} player; must be at least 2")
    return players


def third_party(spec: object, points: ndarray) -> Any:
    """Return the third party's influence at every point, or None. Raises `ValueError`."""
    if spec is None:
        return None
    if isinstance(spec, Mapping):
        keys = {"formula": "formula", "array": "values"}
        kind, arguments = kind_of(spec, "third_party", keys)
        (spec,) = require(arguments, "third_party", keys[kind])
    if isinstance(spec, str):
        influence = formula_values(spec, points, "third_party")
    elif callable(spec):
        values = [spec(point[0] if len(point) == 1 else point) for point in points]
        influence = floats(values)
    else:
        influence = as_numbers(spec, "third_party")
    # no influence anywhere is no third party
    is_absent = influence.shape == (len(points),) and not np.any(influence)
    return None if is_absent else put(validate_weights(influence, len(points), "third_party"))


def abstention(spec: object) -> Any:
    """Return Q, the factor of abstention's influence; None where nobody abstains. Raises `ValueError`."""
    if spec is None:
        return None
    if isinstance(spec, Mapping):
        if set(spec) != {"Q"}:
            raise ValueError(f"abstention: {dict(spec)!r} must be {{Q = number}}")
        spec = spec["Q"]
    q = float(spec)  # type: ignore[arg-type]
    if not (np.isfinite(q) and q >= 0):
        raise ValueError(f"abstention: Q = {q:g} must be finite and at least 0")
    # a row of no influence has the logarithm of 0, which no derivative passes
    return put(q) if q else None


# --- kernels ------------------------------------------------------------------------------------------------


REACH = 0.25  # the default, in units of the space
FLOOR = 1e-10  # the default, likewise
PARAMETERS = {
    "gaussian": ("reach", "variance", "covariance", "choose_reach"),
    "power_law": ("exponent", "distance_floor"),
    "exponential": (),
    "beta": ("reach",),
    "dirichlet": ("alpha", "reference_corner"),
    "dirichlet_mode": ("reach",),
    "blotto": ("exponent",),
    "custom": ("influence", "parameters"),
}
TAKES = {
    "interval": ("gaussian", "power_law", "exponential", "beta", "custom"),
    "box": ("gaussian", "custom"),
    "simplex": ("gaussian", "dirichlet", "dirichlet_mode", "blotto", "custom"),
}
ARTICLE = {"interval": "an interval", "box": "a box", "simplex": "a simplex"}


def kernel_of(keys: KernelKeys, players: int, points: ndarray, domain: Domain) -> Kernel:
    """Return the kernel that the keys describe, evaluated once for a check. Raises `ValueError`."""
    kind = keys.kernel
    for name in dict.fromkeys(name for names in PARAMETERS.values() for name in names):
        if vars(keys)[name] is not None and name not in PARAMETERS[kind]:
            parameter_names = ", ".join(PARAMETERS[kind]) or "none"
            raise ValueError(f"{name}: is no parameter of the {kind} kernel; it has {parameter_names}")
    if keys.normalised and kind != "gaussian":
        raise ValueError(f"normalised: is for the gaussian kernel, not for {kind}")
    if kind not in TAKES[domain.kind]:
        home = next(ARTICLE[space] for space, takes in TAKES.items() if kind in takes)
        raise ValueError(
            f"kernel: {kind} is for {home}; {ARTICLE[domain.kind]} takes {', '.join(TAKES[domain.kind])}"
        )
    if kind == "gaussian":
        return _gaussian(keys, players, domain.axes)
    if kind == "custom":
        return _custom(keys, players, points, domain)
    if kind == "dirichlet":
        return _dirichlet(keys, players, points)
    if kind == "beta":
        if domain.edges != [[0.0, 1.0]]:
            raise ValueError(f"bounds: {domain.edges[0]} must be [0, 1] for the beta kernel")
        _refuse_edges(kind, np.concatenate([points, 1 - points], axis=1))
        return Beta(_per_player_or(REACH, "reach", keys.reach, players))
    if kind == "dirichlet_mode":
        _refuse_edges(kind, points)
        return DirichletMode(_per_player_or(REACH, "reach", keys.reach, players))
    if kind == "blotto":
        return _blotto(keys, players, points)
    if kind == "power_law":
        floor = per_player("distance_floor", keys.distance_floor or FLOOR, 1)[0]
        return PowerLaw(_per_player_or(1.0, "exponent", keys.exponent, players), floor)
    low = np.flatnonzero(points[:, 0] <= 0)
    if low.size:
        at = f"resource_points[{low[0]}]: {points[low[0], 0]:g}"
        raise ValueError(f"{at} must be above 0 for the exponential kernel")
    return Exponential()


def _dirichlet(keys: KernelKeys, players: int, points: ndarray) -> Dirichlet:
    corner = 0 if keys.reference_corner is None else keys.reference_corner
    number_of("reference_corner", corner, points.shape[1])
    _refuse_edges("dirichlet", points)
    return Dirichlet(_per_player_or(1.0, "alpha", keys.alpha, players), int(corner))


def _refuse_edges(kind: str, shares: ndarray) -> None:
    """Raise `ValueError` that names the first point at which a density of the kernel has no logarithm."""
    edge = np.argwhere(shares <= 0)
    if edge.size:
        point, axis = edge[0]
        if kind == "beta":
            raise ValueError(
                f"resource_points[{point}]: {float(axis):g} must be above 0 and below 1 for the beta kernel"
            )
        raise ValueError(
            f"resource_points[{point}]: coordinate {axis} is {shares[point, axis]:g}; must be above 0 for "
            f"the {kind} kernel (inset = 0.001 moves such points inside)"
        )


def _blotto(keys: KernelKeys, players: int, points: ndarray) -> Blotto:
    # the kernel reads only which coordinate is largest, so any other point would count as a corner
    interior = np.flatnonzero((points.max(axis=1) != 1) | (np.count_nonzero(points, axis=1) != 1))
    if interior.size:
        raise ValueError(
            f"resource_points[{interior[0]}]: {points[interior[0]].tolist()} must be a corner for the blotto "
            'kernel ({kind = "corners"})'
        )
    return Blotto(_per_player_or(1.0, "exponent", keys.exponent, players))


def _gaussian(keys: KernelKeys, players: int, axes: int) -> Gaussian | GaussianMatrix | ChosenReach:
    variance, covariance = keys.variance, keys.covariance
    normalised = bool(keys.normalised)
    if keys.choose_reach is not None:
        for name in ("reach", "variance", "covariance"):
            if vars(keys)[name] is not None:
                raise ValueError(f"{name}: is chosen by the players; leave it out beside choose_reach")
        return ChosenReach(normalised)
    if variance is None and covariance is None:
        return Gaussian(_per_player_or(REACH, "reach", keys.reach, players), normalised)
    if keys.reach is not None:
        raise ValueError("reach: stands in place of variance and covariance, not beside them")
    variances = _per_player_or(1.0, "variance", keys.variance, players)
    matrices = as_numbers(np.eye(axes) if covariance is None else covariance, "covariance")
    if matrices.shape not in ((axes, axes), (players, axes, axes)):
        raise ValueError(
            f"covariance: shape {matrices.shape} must be {(axes, axes)} or {(players, axes, axes)}"
        )
    matrices = np.broadcast_to(matrices, (players, axes, axes))
    for player, matrix in enumerate(matrices):
        check_covariance(matrix, f"covariance[{player}]")
    return GaussianMatrix(variances, put(matrices), normalised)


def _custom(keys: KernelKeys, players: int, points: ndarray, domain: Domain) -> Custom:
    influence: Any = keys.influence
    parameters = {
        name: per_player(f"parameters.{name}", value, players, above=None)
        for name, value in (keys.parameters or {}).items()
    }
    if influence is None:
        raise ValueError("influence: the custom kernel needs a formula, or a function (x, b, parameters)")
    if not callable(influence):
        coordinate_names = [*coordinates("b", domain.axes), *coordinates("x", domain.axes)]
        for name in parameters:
            if name in coordinate_names:
                raise ValueError(f"parameters.{name}: is a coordinate's name; choose another")
        influence = FormulaKernel(
            parse(influence, [*coordinate_names, *parameters], "influence"), domain.axes
        )
    kernel = Custom(influence, parameters)
    _check_kernel(kernel, players, points, domain)
    return kernel


class FormulaKernel(NamedTuple):
    """Custom influence given by a formula; kernels of equal text are equal and share one compilation."""

    formula: Formula
    axes: int

    def __call__(self, x: object, b: object, parameters: Options) -> Any:
        """Return ``log f`` of one player at one point."""
        return self.formula.log(
            coordinate_values("b", b, self.axes) | coordinate_values("x", x, self.axes) | dict(parameters)
        )


def _check_kernel(kernel: Custom, players: int, points: ndarray, domain: Domain) -> None:
    """Raise `ValueError` unless influence is one number, finite everywhere, and above zero at some point."""
    # shapes alone are traced: nothing is evaluated at 0, where influence may be infinite
    at = jnp.zeros(()) if domain.axes == 1 else jnp.zeros(domain.axes)
    parameters = {name: values[0] for name, values in kernel.parameters.items()}
    shape = np.shape(
        jax.eval_shape(lambda x, b, parameters: kernel.log_influence(x, b, parameters), at, at, parameters)
    )
    if shape != ():
        raise ValueError(f"influence: shape {shape} for one player and one point; must be a single number")
    for position in domain.interior():
        x = np.broadcast_to(position, (players, domain.axes))
        logs = kernel.logs(jnp.asarray(x), jnp.asarray(points))
        values = np.asarray(logs)
        # minus infinity is allowed: no influence there
        violations = np.argwhere(np.isnan(values) | np.isposinf(values))
        if violations.size:
            player, point = violations[0]
            raise ValueError(
                f"influence: player {player} at {x[player].tolist()} has log-influence "
                f"{values[player, point]} on point {point}, {points[point].tolist()}; "
                "influence must be finite and not negative"
            )
        nowhere = np.flatnonzero(np.isneginf(values).all(axis=1))
        if nowhere.size:
            raise ValueError(
                f"influence: player {nowhere[0]} at {x[0].tolist()} has none at any resource point"
            )
