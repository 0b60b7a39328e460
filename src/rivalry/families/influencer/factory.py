"""The factory of influencer games: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from warnings import warn

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy import ndarray

from rivalry.core.space import Box, Simplex
from rivalry.families.influencer.continuous import GaussRule, nodes_off_edges, refine_rule
from rivalry.families.influencer.inputs import EDGE, Domain, domain_of, kernel_of, per_player, players_of
from rivalry.families.influencer.inputs import abstention as abstention_of
from rivalry.families.influencer.inputs import third_party as third_party_of
from rivalry.families.influencer.model import InfluencerGame
from rivalry.families.resources import resource_points as points_of
from rivalry.families.resources import resource_weights as weights_of
from rivalry.runtime.jax import put
from rivalry.schema.annotations import AcceptedInterval, Symbol
from rivalry.schema.validate import Options, checked, limit

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
INTERVAL = AcceptedInterval("resource_points")  # adaptive resource points depend on every number
Positives = Annotated[Positive | list[Positive] | ndarray, INTERVAL]
Matrices = list[list[float]] | list[list[list[float]]] | ndarray


@checked
def influencer(
    *,
    players: Annotated[
        int | None,
        Ge(2),
        Le(100_000),
        Symbol("N"),
        "number of players; by default the length of the lists, else 2",
    ] = None,
    space: Annotated[
        Literal["interval", "box", "simplex"], "space of the positions and of the resource"
    ] = "interval",
    corners: Annotated[
        int | None,
        Ge(2),
        Le(10_000),
        Symbol("L"),
        "simplex: number of coordinates, which sum to 1 (default 3)",
    ] = None,
    bounds: Annotated[
        list[float] | list[list[float]] | ndarray | None,
        "[low, high] of the interval, or one per axis of the box (default 0 to 1)",
    ] = None,
    kernel: Annotated[
        Literal[
            "gaussian", "power_law", "exponential", "beta", "dirichlet", "dirichlet_mode", "blotto", "custom"
        ],
        "how influence decreases with distance; a box takes gaussian and custom, a simplex these, "
        "dirichlet, dirichlet_mode and blotto",
    ] = "gaussian",
    reach: Annotated[
        Positives | None,
        Symbol("sigma"),
        "gaussian: standard deviation of each player's influence, in units of the space (default 0.25); "
        "beta, dirichlet_mode: inverse of the concentration of its density",
    ] = None,
    variance: Annotated[
        Positives | None,
        Symbol("s"),
        "gaussian, instead of reach: factor of each player's covariance (default 1)",
    ] = None,
    covariance: Annotated[
        Matrices | None,
        Symbol("Sigma"),
        "gaussian, instead of reach: covariance of influence, one matrix or one per player",
    ] = None,
    normalised: Annotated[
        bool,
        "gaussian: multiply influence by the prefactor of a density, so that a wider reach is a weaker one",
    ] = False,
    choose_reach: Annotated[
        list[Positive] | ndarray | None,
        INTERVAL,
        "gaussian: bounds [low, high] of the reach, which the players choose as the last axis of a strategy",
    ] = None,
    reach_cost: Annotated[
        NotNegative | list[NotNegative] | ndarray | None,
        INTERVAL,
        "cost per unit of a chosen reach, subtracted from the payoff (default 0)",
    ] = None,
    exponent: Annotated[
        Positives | None,
        Symbol("P p"),
        "power_law: power of the inverse distance; blotto: power of a player's amount (default 1)",
    ] = None,
    alpha: Annotated[
        Positives | None, "dirichlet: concentration of each player's influence (default 1)"
    ] = None,
    reference_corner: Annotated[
        int | None,
        Ge(0),
        Symbol("phi"),
        "dirichlet: the corner whose parameter is alpha itself, counted from 0 (default 0)",
    ] = None,
    distance_floor: Annotated[
        Positive | None,
        INTERVAL,
        Symbol("epsilon"),
        "power_law: the smallest distance that counts (default 1e-10)",
    ] = None,
    influence: Annotated[
        str | Callable[..., Any] | None,
        Symbol("f"),
        "custom: a formula of b and x (b1, b2, x1, x2 for several coordinates); in Python also a function "
        "of (x, b, parameters) that returns the logarithm of influence",
    ] = None,
    parameters: Annotated[
        dict[str, float | list[float] | ndarray] | None,
        "custom: parameters of the formula, each a number or one per player",
    ] = None,
    resource_points: Annotated[
        dict[str, Any] | list[float] | list[list[float]] | ndarray | None,
        Symbol("b"),
        "where the resource is: {kind = linspace, grid, points, corners, file, mesh (of a simplex) or "
        "continuous} (default 100 points on an interval, 20 per axis on a box, a mesh of a simplex, or "
        "nodes off its edges for dirichlet and dirichlet_mode)",
    ] = None,
    resource: Annotated[
        str | dict[str, Any] | list[float] | ndarray | Callable[..., Any],
        Symbol("B"),
        "resource at each point: bimodal, unimodal, uniform, a formula of b, {kind = mixture, beta, "
        "dirichlet, formula, array or file}, or a list",
    ] = "uniform",
    normalise: Annotated[bool, "scale the resource to a sum of 1"] = False,
    budgets: Annotated[Positives, Symbol("w"), "factor of each player's influence"] = 1.0,
    third_party: Annotated[
        str | dict[str, Any] | list[float] | ndarray | Callable[..., Any] | None,
        "influence of a party that does not move: a formula of b, or one number per point",
    ] = None,
    abstention: Annotated[
        NotNegative | dict[str, float] | None,
        Symbol("Q"),
        "abstention has influence Q times the product of all squared distances",
    ] = None,
    zero_influence: Annotated[
        Literal["error", "share", "lost"], "what happens to the resource where no row has influence"
    ] = "error",
) -> InfluencerGame:
    """Return a game in which players choose positions and share a resource in proportion to influence.

    Parameters
    ----------
    **keywords
        The keys of a study's ``[game]`` table, described at each argument; ``rivalry show influencer`` lists
        them with units, defaults and bounds. One number holds for all players.

    Returns
    -------
    InfluencerGame
        The game, with its resource at finitely many points.

    Raises
    ------
    ValueError
        For numbers out of range, lists of unequal lengths, and keywords that do not fit the space or the
        kernel. The message begins with the key.

    Examples
    --------
    >>> influencer(reach=[0.2, 0.3], resource="bimodal", normalise=True)
    Influencer game of 2 players on [0, 1]: kernel Gaussian, reach [0.2 0.3], resource 1 at 100 points

    References
    ----------
    D. Lovett, F. Fu and A. McAvoy, InflGame. H. Hotelling, Stability in competition, Economic Journal 39
    (1929). G. Tullock, Efficient rent seeking (1980).
    """
    return _build(**locals())


def _build(**options: Any) -> InfluencerGame:
    domain = domain_of(options)
    players = players_of(options)
    limit("players", players, domain.axes)
    space = _space(options, domain, players)
    spec = options["resource_points"]
    if isinstance(spec, Mapping) and spec.get("kind") == "continuous":
        rule = GaussRule.of(
            spec, options["resource"], domain, graded=options["kernel"].startswith("dirichlet")
        )
        third = options["third_party"]
        if third is not None and not (isinstance(third, str | Mapping) or callable(third)):
            raise ValueError(
                "third_party: numbers have no value between points; give a formula or a function"
            )

        def game_at(step: int) -> InfluencerGame | None:
            nodes = rule.nodes(step)
            return None if nodes is None else _at(options, domain, space, *nodes)

        return refine_rule(game_at, rule)
    if spec is None and options["kernel"] == "blotto" and domain.simplex:
        spec = {"kind": "corners"}
    if spec is None and domain.simplex and options["kernel"].startswith("dirichlet"):
        # logarithms at points on an edge would be those of the inset
        nodes = nodes_off_edges(options["resource"], options["third_party"], domain)
        if nodes is not None:
            return _at(options, domain, space, *nodes)
    points = points_of(spec, domain.edges, simplex=domain.simplex)
    return _at(options, domain, space, points, weights_of(options["resource"], points))


def _at(
    options: Options, domain: Domain, space: Box | Simplex, points: ndarray, weights: ndarray
) -> InfluencerGame:
    """Return the game with its resource at ``points [point axis]``."""
    players = space.shape[0]
    limit("resource_points", players, len(points))
    kernel = kernel_of(options, players, points, domain)
    has_reach = options["choose_reach"] is not None
    return InfluencerGame(
        space=space,
        points=put(points),
        weights=put(weights / weights.sum() if options["normalise"] else weights),
        kernel=kernel,
        budgets=per_player("budgets", options["budgets"], players),
        third_party=third_party_of(options["third_party"], points),
        abstention=abstention_of(options["abstention"]),
        zero_influence=options["zero_influence"],
        reach_cost=_reach_cost(options, players) if has_reach else None,
    )


def _space(options: Options, domain: Domain, players: int) -> Box | Simplex:
    reach_range = options["choose_reach"]
    if reach_range is None:
        if options["reach_cost"] is not None:
            raise ValueError("reach_cost: is what a chosen reach costs; set choose_reach = [low, high]")
        if not domain.simplex:
            return Box.of(domain.edges, players=players)
        nowhere = options["kernel"] in ("dirichlet", "blotto")  # influence is 0 where a coordinate is 0
        return Simplex((domain.axes,) * players, EDGE if nowhere else 0.0)
    if domain.simplex:
        raise ValueError("choose_reach: is for an interval or a box, not for a simplex")
    try:
        low, high = (float(end) for end in reach_range)
    except (TypeError, ValueError):
        raise ValueError(f"choose_reach: {reach_range!r} must be [least, largest] reach") from None
    if not (np.isfinite(high) and 0 < low < high):
        raise ValueError(f"choose_reach: [{low:g}, {high:g}] must be finite, above 0, with low below high")
    return Box.of([*domain.edges, [low, high]], players=players)


def _reach_cost(options: Options, players: int) -> Any:
    """Return the cost per unit of reach of each player; warn if it is 0."""
    spec = 0.0 if options["reach_cost"] is None else options["reach_cost"]
    cost = per_player("reach_cost", spec, players, minimum=0.0)
    free = np.flatnonzero(np.asarray(cost) == 0)
    if free.size and not options["normalised"]:
        warn(
            f"choose_reach: player {free[0]}'s reach costs nothing, so the widest always wins; "
            "set reach_cost, or normalised = true",
            stacklevel=6,  # the line of the user who called the factory
        )
    return cost
