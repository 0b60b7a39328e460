"""Eigenvalues at a rest point along a parameter of the game."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.game import Game
from rivalry.core.results import dataset, scalar
from rivalry.core.space import Profile
from rivalry.methods.continuation.parametrised_game import ParametrisedGame
from rivalry.methods.limit_sets.end_state import spectrum
from rivalry.methods.limit_sets.newton import rest_point

if TYPE_CHECKING:
    from xarray import Dataset


def spectra(
    game: Game, parameter: str | Callable[[float], Any], values: Sequence[float], start: object
) -> Dataset:
    """Return eigenvalues at a rest point that is followed through values of a parameter.

    Parameters
    ----------
    game : Game
        A game with smooth payoffs.
    parameter : str or callable
        Name of one of the game's arrays, or a function from a value to a game.
    values : sequence of float
        Values of the parameter, in the order in which the point is followed.
    start : array_like
        A profile ``[player axis]`` near the rest point at the first value.

    Returns
    -------
    xarray.Dataset
        ``scan_parameter`` (scan), ``scan_position`` (scan, player, axis), ``scan_eigenvalues_real`` and
        ``scan_eigenvalues_imag`` (scan, eigenvalue), those of the Jacobian of own gradients in the free
        directions, largest real part first, ``scan_stable`` (scan) and ``parameter_name``, as plotted by
        ``rivalry.plots.spectrum``. Once Newton's method loses the point, numbers are NaN.

    Raises
    ------
    ValueError
        For an unknown parameter, fewer than two values and a start outside the space.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(players=3, resource="bimodal")
    >>> spectrum = spectra(game, "reach", [0.2, 0.18], [0.5, 0.5, 0.5])
    >>> spectrum.scan_stable.values.tolist()
    [True, False]
    """
    at = np.asarray(values, float)
    if at.ndim != 1 or len(at) < 2 or not np.isfinite(at).all():
        raise ValueError(f"values: {values!r} must be at least two finite numbers")
    family = ParametrisedGame(game, parameter, float(at.min()), float(at.max()))
    x: Profile | None = game.space.check(start)
    places = np.full((len(at), *game.space.shape), np.nan)
    eigenvalues = np.full((len(at), places[0].size), np.nan + 0j)
    for k, value in enumerate(at.tolist()):
        game_at_value = family.at(value)
        # from the last point, Newton's method follows one branch; once it is lost, another could be found
        x = None if x is None else rest_point(game_at_value, x)
        if x is None:
            break
        eigenvalues_here, _ = spectrum(game_at_value, x)
        places[k], eigenvalues[k, : len(eigenvalues_here)] = np.asarray(x), eigenvalues_here
    known_points = np.isfinite(places).all(axis=(1, 2))
    # NaN where bounds leave fewer directions: those have no eigenvalue
    rising = np.where(np.isnan(eigenvalues.real), -np.inf, eigenvalues.real).max(axis=1)
    return dataset(
        {
            "parameter_name": scalar(family.name),
            "scan_parameter": (("scan",), at),
            "scan_position": (("scan", "player", "axis"), places),
            "scan_eigenvalues_real": (("scan", "eigenvalue"), eigenvalues.real.copy()),
            "scan_eigenvalues_imag": (("scan", "eigenvalue"), eigenvalues.imag.copy()),
            "scan_stable": (("scan",), known_points & (rising < 0)),
        }
    )
