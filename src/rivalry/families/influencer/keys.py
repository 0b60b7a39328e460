"""Keys of influencer games by group, as annotated fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from numpy import ndarray

from rivalry.schema.annotations import AcceptedInterval, Symbol

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
INTERVAL = AcceptedInterval("resource_points")  # adaptive resource points depend on every number
Positives = Annotated[Positive | list[Positive] | ndarray, INTERVAL]
Matrices = list[list[float]] | list[list[list[float]]] | ndarray


@dataclass(frozen=True)
class SpaceKeys:
    """The players, and the space of their positions and of the resource."""

    players: Annotated[
        int | None,
        Ge(2),
        Le(100_000),
        Symbol("N"),
        "number of players; by default the length of the lists, else 2",
    ] = None
    space: Annotated[Literal["interval", "box", "simplex"], "space of the positions and of the resource"] = (
        "interval"
    )
    corners: Annotated[
        int | None,
        Ge(2),
        Le(10_000),
        Symbol("L"),
        "simplex: number of coordinates, which sum to 1 (default 3)",
    ] = None
    bounds: Annotated[
        list[float] | list[list[float]] | ndarray | None,
        "[low, high] of the interval, or one per axis of the box (default 0 to 1)",
    ] = None


@dataclass(frozen=True)
class KernelKeys:
    """Keys of the decrease of influence with distance."""

    kernel: Annotated[
        Literal[
            "gaussian", "power_law", "exponential", "beta", "dirichlet", "dirichlet_mode", "blotto", "custom"
        ],
        "how influence decreases with distance; a box takes gaussian and custom, a simplex these, "
        "dirichlet, dirichlet_mode and blotto",
    ] = "gaussian"
    reach: Annotated[
        Positives | None,
        Symbol("sigma"),
        "gaussian: standard deviation of each player's influence, in units of the space (default 0.25); "
        "beta, dirichlet_mode: inverse of the concentration of its density",
    ] = None
    variance: Annotated[
        Positives | None,
        Symbol("s"),
        "gaussian, instead of reach: factor of each player's covariance (default 1)",
    ] = None
    covariance: Annotated[
        Matrices | None,
        Symbol("Sigma"),
        "gaussian, instead of reach: covariance of influence, one matrix or one per player",
    ] = None
    normalised: Annotated[
        bool,
        "gaussian: multiply influence by the prefactor of a density, so that a wider reach is a weaker one",
    ] = False
    choose_reach: Annotated[
        list[Positive] | ndarray | None,
        INTERVAL,
        "gaussian: bounds [low, high] of the reach, which the players choose as the last axis of a strategy",
    ] = None
    reach_cost: Annotated[
        NotNegative | list[NotNegative] | ndarray | None,
        INTERVAL,
        "cost per unit of a chosen reach, subtracted from the payoff (default 0)",
    ] = None
    exponent: Annotated[
        Positives | None,
        Symbol("P p"),
        "power_law: power of the inverse distance; blotto: power of a player's amount (default 1)",
    ] = None
    alpha: Annotated[Positives | None, "dirichlet: concentration of each player's influence (default 1)"] = (
        None
    )
    reference_corner: Annotated[
        int | None,
        Ge(0),
        Symbol("phi"),
        "dirichlet: the corner whose parameter is alpha itself, counted from 0 (default 0)",
    ] = None
    distance_floor: Annotated[
        Positive | None,
        INTERVAL,
        Symbol("epsilon"),
        "power_law: the smallest distance that counts (default 1e-10)",
    ] = None
    influence: Annotated[
        str | Callable[..., Any] | None,
        Symbol("f"),
        "custom: a formula of b and x (b1, b2, x1, x2 for several coordinates); in Python also a function "
        "of (x, b, parameters) that returns the logarithm of influence",
    ] = None
    parameters: Annotated[
        dict[str, float | list[float] | ndarray] | None,
        "custom: parameters of the formula, each a number or one per player",
    ] = None


PerPoint = str | dict[str, Any] | list[float] | ndarray | Callable[..., Any]  # one number per resource point


@dataclass(frozen=True)
class ResourceKeys:
    """The resource, and where it is."""

    resource_points: Annotated[
        dict[str, Any] | list[float] | list[list[float]] | ndarray | None,
        Symbol("b"),
        "where the resource is: {kind = linspace, grid, points, corners, file, mesh (of a simplex) or "
        "continuous} (default 100 points on an interval, 20 per axis on a box, a mesh of a simplex, or "
        "nodes off its edges for dirichlet and dirichlet_mode)",
    ] = None
    resource: Annotated[
        PerPoint,
        Symbol("B"),
        "resource at each point: bimodal, unimodal, uniform, a formula of b, {kind = mixture, beta, "
        "dirichlet, formula, array or file}, or a list",
    ] = "uniform"
    normalise: Annotated[bool, "scale the resource to a sum of 1"] = False


@dataclass(frozen=True)
class ShareKeys:
    """Whose influence counts at a point, and how much."""

    budgets: Annotated[Positives, Symbol("w"), "factor of each player's influence"] = 1.0
    third_party: Annotated[
        PerPoint | None,
        "influence of a party that does not move: a formula of b, or one number per point",
    ] = None
    abstention: Annotated[
        NotNegative | dict[str, float] | None,
        Symbol("Q"),
        "abstention has influence Q times the product of all squared distances",
    ] = None
    zero_influence: Annotated[
        Literal["error", "share", "lost"], "what happens to the resource where no row has influence"
    ] = "error"
