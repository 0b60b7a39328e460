"""Oracles that describe a game; subclasses inherit the answers even if they change payoffs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.oracles.dispatch import oracle, unknown
from rivalry.core.results import Record

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import Profile


class Labels(NamedTuple):
    """Names of players and of the axes of a strategy; empty where they are numbered."""

    players: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()


@oracle(inherited=True)
def payoff_scale(game: Any) -> Array | np.ndarray | float:
    """Return the scale of payoffs, a number above 0 that JAX may trace. Generic: 1."""
    return 1.0


@oracle(inherited=True)
def discontinuity(game: Any) -> str:
    """Return the cause of discontinuous payoffs; empty where gradients may be followed (generic).

    Methods that follow gradients reject a game with a discontinuity and quote the text.
    """
    return ""


@oracle(inherited=True)
def labels(game: Any) -> Labels:
    """Return the names of players and of the axes of a strategy. Generic: none."""
    return Labels()


@oracle(inherited=True)
def metrics(game: Any, x: Profile) -> Record:
    """Return named arrays to store with every result, ``{name: (dimensions, array)}``. Generic: none."""
    return {}


@oracle(inherited=True)
def traced_metrics(game: Any, x: Profile) -> dict[str, tuple[tuple[str, ...], Array]]:
    """Return `metrics` as arrays that JAX can trace, for expectations over mixtures and for derivatives.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "metrics that JAX can trace")


@oracle(inherited=True)
def named_start(game: Any, name: str) -> Profile:
    """Return the initial profile of this name; raise `ValueError` for an unknown name (generic: for any)."""
    raise ValueError(f"start: {name!r} must be a profile; this game has no named starts")


@oracle(inherited=True)
def validate_parameter(game: Any, name: str, value: float) -> str:
    """Return why the array ``name`` may not take ``value``; empty where it may (generic)."""
    return ""
