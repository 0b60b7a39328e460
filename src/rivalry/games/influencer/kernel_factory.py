"""Kernels from the keywords of the factory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.jax import jax, jnp, put
from rivalry.games.formula import Formula, coordinate_values, coordinates, parse
from rivalry.games.influencer.inputs import Domain, one_of, per_player
from rivalry.games.influencer.kernels import (
    Blotto,
    ChosenReach,
    Custom,
    Dirichlet,
    Exponential,
    Gaussian,
    GaussianMatrix,
    Kernel,
    PowerLaw,
)
from rivalry.games.resources import check_covariance

REACH = 0.25


PARAMETERS = {
    "gaussian": ("reach", "variance", "covariance", "choose_reach"),
    "power_law": ("exponent",),
    "exponential": (),
    "dirichlet": ("alpha", "reference_corner"),
    "blotto": ("exponent",),
    "custom": ("influence", "parameters"),
}
TAKES = {
    "interval": ("gaussian", "power_law", "exponential", "custom"),
    "box": ("gaussian", "custom"),
    "simplex": ("gaussian", "dirichlet", "blotto", "custom"),
}
ARTICLE = {"interval": "an interval", "box": "a box", "simplex": "a simplex"}


def kernel_of(given: Mapping[str, Any], players: int, points: np.ndarray, domain: Domain) -> Kernel:
    """Return the kernel that the keywords describe, evaluated once for a check. Raises `ValueError`."""
    kind = one_of("kernel", given["kernel"], tuple(PARAMETERS))
    for name in dict.fromkeys(name for own in PARAMETERS.values() for name in own):
        if given[name] is not None and name not in PARAMETERS[kind]:
            has = ", ".join(PARAMETERS[kind]) or "none"
            raise ValueError(f"{name}: is no parameter of the {kind} kernel; it has {has}")
    if given["normalised"] and kind != "gaussian":
        raise ValueError(f"normalised: is for the gaussian kernel, not for {kind}")
    if kind not in TAKES[domain.kind]:
        home = next(ARTICLE[space] for space, takes in TAKES.items() if kind in takes)
        raise ValueError(
            f"kernel: {kind} is for {home}; {ARTICLE[domain.kind]} takes {', '.join(TAKES[domain.kind])}"
        )
    if kind == "gaussian":
        return _gaussian(given, players, domain.axes)
    if kind == "custom":
        return _custom(given, players, points, domain)
    if kind == "dirichlet":
        return _dirichlet(given, players, points)
    if kind == "blotto":
        return _blotto(given, players, points)
    if kind == "power_law":
        floor = per_player("distance_floor", given["distance_floor"], 1)[0]
        exponent = 1.0 if given["exponent"] is None else given["exponent"]
        return PowerLaw(per_player("exponent", exponent, players), floor)
    low = np.flatnonzero(points[:, 0] <= 0)
    if low.size:
        raise ValueError(
            f"resource_points[{low[0]}]: {points[low[0], 0]:g} must be above 0 for the exponential kernel"
        )
    return Exponential()


def _dirichlet(given: Mapping[str, Any], players: int, points: np.ndarray) -> Dirichlet:
    corner = 0 if given["reference_corner"] is None else given["reference_corner"]
    corners = points.shape[1]
    if isinstance(corner, bool) or not isinstance(corner, int | np.integer) or not 0 <= corner < corners:
        raise ValueError(f"reference_corner: {corner!r} must be a whole number in 0..{corners - 1}")
    edge = np.argwhere(points <= 0)
    if edge.size:
        point, axis = edge[0]
        raise ValueError(
            f"resource_points[{point}]: coordinate {axis} is {points[point, axis]:g}; must be above 0 for "
            "the dirichlet kernel (inset = 0.001 moves such points inside)"
        )
    alpha = 1.0 if given["alpha"] is None else given["alpha"]
    return Dirichlet(per_player("alpha", alpha, players), int(corner))


def _blotto(given: Mapping[str, Any], players: int, points: np.ndarray) -> Blotto:
    other = np.flatnonzero((points.max(axis=1) != 1) | (np.count_nonzero(points, axis=1) != 1))
    if other.size:
        raise ValueError(
            f"resource_points[{other[0]}]: {points[other[0]].tolist()} must be a corner for the blotto "
            'kernel ({kind = "corners"})'
        )
    exponent = 1.0 if given["exponent"] is None else given["exponent"]
    return Blotto(per_player("exponent", exponent, players))


def _gaussian(given: Mapping[str, Any], players: int, axes: int) -> Gaussian | GaussianMatrix | ChosenReach:
    variance, covariance = given["variance"], given["covariance"]
    normalised = bool(given["normalised"])
    if given["choose_reach"] is not None:
        for name in ("reach", "variance", "covariance"):
            if given[name] is not None:
                raise ValueError(f"{name}: is chosen by the players; leave it out beside choose_reach")
        return ChosenReach(normalised)
    if variance is None and covariance is None:
        reach = REACH if given["reach"] is None else given["reach"]
        return Gaussian(per_player("reach", reach, players), normalised)
    if given["reach"] is not None:
        raise ValueError("reach: stands in place of variance and covariance, not beside them")
    each = per_player("variance", 1.0 if variance is None else variance, players)
    try:
        matrices = np.asarray(np.eye(axes) if covariance is None else covariance, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"covariance: {covariance!r} must be numbers") from None
    if matrices.shape not in ((axes, axes), (players, axes, axes)):
        raise ValueError(
            f"covariance: shape {matrices.shape} must be {(axes, axes)} or {(players, axes, axes)}"
        )
    matrices = np.broadcast_to(matrices, (players, axes, axes))
    for player, matrix in enumerate(matrices):
        check_covariance(matrix, f"covariance[{player}]")
    return GaussianMatrix(each, put(matrices), normalised)


def _custom(given: Mapping[str, Any], players: int, points: np.ndarray, domain: Domain) -> Custom:
    influence = given["influence"]
    parameters = {
        name: per_player(f"parameters.{name}", value, players, above=None)
        for name, value in (given["parameters"] or {}).items()
    }
    if influence is None:
        raise ValueError("influence: the custom kernel needs a formula, or a function (x, b, parameters)")
    log_influence: Any = influence
    if not callable(influence):
        log_influence = _formula_kernel(influence, parameters, domain.axes)
    kernel = Custom(log_influence, parameters)
    _check_kernel(kernel, players, points, domain)
    return kernel


def _formula_kernel(text: str, parameters: Mapping[str, Any], axes: int) -> FormulaKernel:
    known = [*coordinates("b", axes), *coordinates("x", axes)]
    for name in parameters:
        if name in known:
            raise ValueError(f"parameters.{name}: is a coordinate's name; choose another")
    return FormulaKernel(parse(text, [*known, *parameters], "influence"), axes)


class FormulaKernel(NamedTuple):
    """Custom influence given by a formula; formulas of equal text are equal, and compile once."""

    formula: Formula
    axes: int

    def __call__(self, x: Any, b: Any, parameters: Mapping[str, Any]) -> Any:
        """Return ``log f`` of one player at one point."""
        return self.formula.log(
            coordinate_values("b", b, self.axes) | coordinate_values("x", x, self.axes) | dict(parameters)
        )


def _check_kernel(kernel: Custom, players: int, points: np.ndarray, domain: Domain) -> None:
    """Raise `ValueError` for a kernel without finite influence with all players in the middle or off it."""
    _check_shape(kernel, domain.axes)
    for position in domain.interior():
        x = np.broadcast_to(position, (players, domain.axes))
        logs = kernel.logs(jnp.asarray(x), jnp.asarray(points))
        values = np.asarray(logs)
        bad = np.argwhere(np.isnan(values) | np.isposinf(values))
        if bad.size:
            player, point = bad[0]
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


def _check_shape(kernel: Custom, axes: int) -> None:
    """Raise `ValueError` for a kernel with more than one number for one player and one point."""
    position = jnp.zeros(()) if axes == 1 else jnp.zeros(axes)
    own = {name: values[0] for name, values in kernel.parameters.items()}
    shape = np.shape(
        jax.eval_shape(lambda x, b, own: kernel.log_influence(x, b, own), position, position, own)
    )
    if shape != ():
        raise ValueError(f"influence: shape {shape} for one player and one point; must be a single number")
