"""Oracles that describe a game; their answers hold for subclasses too, whatever these pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.oracles.dispatch import oracle, unknown
from rivalry.core.results import Record

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import Profile


class Labels(NamedTuple):
    """Names of players, and of the axes of a strategy; empty where they are numbered."""

    players: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()


@oracle(inherited=True)
def payoff_scale(game: Any) -> Array | np.ndarray | float:
    """Return what payoffs are compared with: a number above 0, which JAX may trace. Generic: 1."""
    return 1.0


@oracle(inherited=True)
def discontinuity(game: Any) -> str:
    """Return why gradients may not be followed, because payoffs jump; an empty text where they may (generic).

    Methods that follow gradients refuse a game with a discontinuity, in one line that quotes the text.
    """
    return ""


@oracle(inherited=True)
def labels(game: Any) -> Labels:
    """Return the names of players and of the axes of a strategy. Generic: none, they are numbered."""
    return Labels()


@oracle(inherited=True)
def metrics(game: Any, x: Profile) -> Record:
    """Return named arrays to store with every result, ``{name: (dimensions, array)}``. Generic: none."""
    return {}


@oracle(inherited=True)
def traced_metrics(game: Any, x: Profile) -> dict[str, tuple[tuple[str, ...], Array]]:
    """Return `metrics` as arrays that JAX can trace, for expectations over mixtures and for derivatives.

    Raises `ValueError` where there are none (generic).
    """
    raise unknown(game, "metrics that JAX can trace")


@oracle(inherited=True)
def named_start(game: Any, name: str) -> Profile:
    """Return the start of this name. Raises `ValueError` for an unknown name (generic: for any)."""
    raise ValueError(f"start: {name!r} must be a profile; this game has no named starts")


@oracle(inherited=True)
def validate_parameter(game: Any, name: str, value: float) -> str:
    """Return why the array ``name`` may not take ``value``; an empty text where it may (generic)."""
    return ""
