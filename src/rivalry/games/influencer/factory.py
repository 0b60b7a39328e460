"""The factory of influencer games: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from warnings import warn

import numpy as np
from annotated_types import Ge, Gt, Le

from rivalry.core.jax import put
from rivalry.core.space import Box, Simplex
from rivalry.core.validate import checked, limit
from rivalry.games.influencer.continuous import Rule, refined
from rivalry.games.influencer.inputs import EDGE, Ground, ground_of, one_of, per_player, players_of
from rivalry.games.influencer.inputs import abstention as abstention_of
from rivalry.games.influencer.inputs import third_party as third_party_of
from rivalry.games.influencer.kernel_factory import kernel_of
from rivalry.games.influencer.model import InfluencerGame
from rivalry.games.resources import resource_points as points_of
from rivalry.games.resources import resource_weights as weights_of

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
PerPlayer = Positive | list[Positive] | np.ndarray
Matrices = list[list[float]] | list[list[list[float]]] | np.ndarray


@checked
def influencer(
    *,
    players: Annotated[
        int | None, Ge(2), Le(100_000), "how many play; needed where no list tells (default 2)"
    ] = None,
    space: Annotated[Literal["interval", "box", "simplex"], "where players and resource are"] = "interval",
    corners: Annotated[
        int | None, Ge(2), Le(10_000), "simplex: how many coordinates, which sum to 1 (default 3)"
    ] = None,
    bounds: Annotated[
        list[float] | list[list[float]] | np.ndarray | None,
        "[low, high] of the interval, or one an axis of the box (default 0 to 1)",
    ] = None,
    kernel: Annotated[
        Literal["gaussian", "power_law", "exponential", "dirichlet", "blotto", "custom"],
        "how influence fades with distance; a box takes gaussian and custom, a simplex these, dirichlet "
        "and blotto",
    ] = "gaussian",
    reach: Annotated[
        PerPlayer | None, "standard deviation of each player's influence, in units of the space"
    ] = None,
    variance: Annotated[
        PerPlayer | None, "in place of reach: the number that multiplies each player's covariance (default 1)"
    ] = None,
    covariance: Annotated[
        Matrices | None, "in place of reach: covariance of influence, one matrix or one a player"
    ] = None,
    normalised: Annotated[
        bool, "give Gaussian influence the prefactor of a density: effort thins as it spreads"
    ] = False,
    choose_reach: Annotated[
        list[Positive] | np.ndarray | None,
        "[low, high]: players choose their reach between these, beside their place (gaussian)",
    ] = None,
    reach_cost: Annotated[
        NotNegative | list[NotNegative] | np.ndarray | None,
        "what a chosen reach costs each player: payoff less this times the reach (default 0)",
    ] = None,
    exponent: Annotated[
        PerPlayer | None,
        "power_law: how fast influence falls with the distance; blotto: the power of a share (default 1)",
    ] = None,
    alpha: Annotated[
        PerPlayer | None, "dirichlet: the larger, the narrower each player's influence (default 1)"
    ] = None,
    reference_corner: Annotated[
        int | None, Ge(0), "dirichlet: the corner whose parameter is alpha itself, from 0 (default 0)"
    ] = None,
    distance_floor: Annotated[Positive, "power_law: distances below this count as this"] = 1e-10,
    influence: Annotated[
        str | Callable[..., Any] | None,
        "custom: a formula of b and x (b1, b2, x1, x2 where there are several coordinates); in Python also "
        "a function of (x, b, parameters) that gives the logarithm",
    ] = None,
    parameters: Annotated[
        dict[str, float | list[float] | np.ndarray] | None, "custom: the formula's numbers, each per player"
    ] = None,
    resource_points: Annotated[
        dict[str, Any] | list[float] | list[list[float]] | np.ndarray | None,
        "where the resource is: {kind = linspace, grid, points, corners, file, mesh (of a simplex) or "
        "continuous} (default 100 points, 20 an axis on a box, a mesh of a simplex)",
    ] = None,
    resource: Annotated[
        str | dict[str, Any] | list[float] | np.ndarray | Callable[..., Any],
        "how much is there: bimodal, unimodal, uniform, a formula of b, {kind = mixture, beta, dirichlet, "
        "formula, array or file}, or a list",
    ] = "uniform",
    normalise: Annotated[bool, "scale the resource to sum 1"] = False,
    budgets: Annotated[PerPlayer, "what multiplies each player's influence"] = 1.0,
    third_party: Annotated[
        str | dict[str, Any] | list[float] | np.ndarray | Callable[..., Any] | None,
        "influence of one who does not move: a formula of b, or one number a point",
    ] = None,
    abstention: Annotated[
        NotNegative | dict[str, float] | None, "Q: staying away has influence Q times all squared distances"
    ] = None,
    zero_influence: Annotated[
        Literal["error", "share", "lost"], "what happens to resource where nobody has any influence"
    ] = "error",
) -> InfluencerGame:
    """Players choose where to act; every resource point is shared in proportion to influence.

    Every keyword is a key of a study's ``[game]``; `rivalry show influencer` lists them with units, defaults
    and bounds. A number given where players may differ is for all of them. Raises `ValueError` for numbers
    out of range, lists of unequal lengths and keywords that the kernel does not take.

    >>> influencer(reach=[0.2, 0.3], resource="bimodal", normalise=True)
    Influencer game of 2 players on [0, 1]
      kernel Gaussian, reach [0.2 0.3]
      resource 1 in all, at 100 points
    """
    return _build(**locals())


def _build(**given: Any) -> InfluencerGame:
    ground = ground_of(given)
    players = players_of(given)
    limit("players", players, ground.axes)
    space = _space(given, ground, players)
    spec = given["resource_points"]
    if isinstance(spec, Mapping) and spec.get("kind") == "continuous":
        rule = Rule.of(spec, given["resource"], ground, graded=given["kernel"] == "dirichlet")
        return refined(_continuous(given, ground, space, rule), rule)
    if spec is None and given["kernel"] == "blotto" and ground.simplex:
        spec = {"kind": "corners"}
    points = points_of(spec, ground.edges, simplex=ground.simplex)
    return _at(given, ground, space, points, weights_of(given["resource"], points))


def _continuous(
    given: Mapping[str, Any], ground: Ground, space: Box | Simplex, rule: Rule
) -> Callable[[int], Any]:
    """The game at a rule's nodes after so many doublings; None beyond the largest number."""
    third = given["third_party"]
    if third is not None and not (isinstance(third, str | Mapping) or callable(third)):
        raise ValueError("third_party: numbers have no value between points; give a formula or a function")

    def game_at(step: int) -> InfluencerGame | None:
        nodes = rule.nodes(step)
        return None if nodes is None else _at(given, ground, space, *nodes)

    return game_at


def _at(
    given: Mapping[str, Any], ground: Ground, space: Box | Simplex, points: np.ndarray, weights: np.ndarray
) -> InfluencerGame:
    """The game with its resource at ``points [point axis]``."""
    players = space.shape[0]
    limit("resource_points", players, len(points))
    kernel = kernel_of(given, players, points, ground)
    chosen = given["choose_reach"] is not None
    return InfluencerGame(
        space=space,
        points=put(points),
        weights=put(weights / weights.sum() if given["normalise"] else weights),
        kernel=kernel,
        budgets=per_player("budgets", given["budgets"], players),
        third_party=third_party_of(given["third_party"], points),
        abstention=abstention_of(given["abstention"]),
        zero_influence=one_of("zero_influence", given["zero_influence"], ("error", "share", "lost")),
        reach_cost=_reach_cost(given, players) if chosen else None,
    )


def _space(given: Mapping[str, Any], ground: Ground, players: int) -> Box | Simplex:
    chosen = given["choose_reach"]
    if chosen is None:
        if given["reach_cost"] is not None:
            raise ValueError("reach_cost: is what a chosen reach costs; set choose_reach = [low, high]")
        if not ground.simplex:
            return Box.of(ground.edges, players=players)
        nowhere = given["kernel"] in ("dirichlet", "blotto")  # they have no influence at a zero
        return Simplex((ground.axes,) * players, EDGE if nowhere else 0.0)
    if ground.simplex:
        raise ValueError("choose_reach: is for an interval or a box, not for a simplex")
    try:
        low, high = (float(end) for end in chosen)
    except (TypeError, ValueError):
        raise ValueError(f"choose_reach: {chosen!r} must be [least, largest] reach") from None
    if not (np.isfinite(high) and 0 < low < high):
        raise ValueError(f"choose_reach: [{low:g}, {high:g}] must be finite, above 0, with low below high")
    return Box.of([*ground.edges, [low, high]], players=players)


def _reach_cost(given: Mapping[str, Any], players: int) -> Any:
    """What a unit of reach costs each player."""
    spec = 0.0 if given["reach_cost"] is None else given["reach_cost"]
    cost = per_player("reach_cost", spec, players, least=0.0)
    free = np.flatnonzero(np.asarray(cost) == 0)
    if free.size and not given["normalised"]:
        warn(
            f"choose_reach: player {free[0]}'s reach costs nothing, so the widest always wins; "
            "set reach_cost, or normalised = true",
            stacklevel=6,
        )
    return cost
