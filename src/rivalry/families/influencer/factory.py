"""The factory of influencer games: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from warnings import warn

import numpy as np
from numpy import ndarray

from rivalry.core.space import Box, Simplex
from rivalry.families.influencer.continuous import GaussRule, nodes_off_edges, refine_rule
from rivalry.families.influencer.inputs import EDGE, Domain, domain_of, kernel_of, per_player, players_of
from rivalry.families.influencer.inputs import abstention as abstention_of
from rivalry.families.influencer.inputs import third_party as third_party_of
from rivalry.families.influencer.keys import KernelKeys, ResourceKeys, ShareKeys, SpaceKeys
from rivalry.families.influencer.model import InfluencerGame
from rivalry.families.resources import resource_points as points_of
from rivalry.families.resources import resource_weights as weights_of
from rivalry.runtime.jax import put
from rivalry.schema.annotations import keywords_of_groups
from rivalry.schema.validate import checked, limit


@checked
@keywords_of_groups
def influencer(
    space: SpaceKeys, kernel: KernelKeys, resource: ResourceKeys, shares: ShareKeys
) -> InfluencerGame:
    """Return a game in which players choose positions and share a resource in proportion to influence.

    Parameters
    ----------
    **keywords
        The fields of these groups, and keys of a study's ``[game]`` table; ``rivalry show influencer`` lists
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
    domain = domain_of(space, kernel.kernel)
    players = players_of(space, kernel, shares)
    limit("players", players, domain.axes)
    builder = _Builder(domain, _strategies(kernel, domain, players), kernel, resource, shares)
    spec: Any = resource.resource_points
    if isinstance(spec, Mapping) and spec.get("kind") == "continuous":
        return builder.on_continuum(spec)
    if domain.simplex and spec is None and kernel.kernel == "blotto":
        spec = {"kind": "corners"}
    if domain.simplex and spec is None and kernel.kernel.startswith("dirichlet"):
        # logarithms at points on an edge would be those of the inset
        nodes = nodes_off_edges(resource.resource, shares.third_party, domain)
        if nodes is not None:
            return builder.game_at(*nodes)
    points = points_of(spec, domain.edges, simplex=domain.simplex)
    return builder.game_at(points, weights_of(resource.resource, points))


@dataclass(frozen=True)
class _Builder:
    """Parts of a game that do not depend on the points of its resource."""

    domain: Domain
    space: Box | Simplex
    kernel: KernelKeys
    resource: ResourceKeys
    shares: ShareKeys

    def game_at(self, points: ndarray, weights: ndarray) -> InfluencerGame:
        """Return the game with its resource, ``weights [point]``, at ``points [point axis]``."""
        players = self.space.shape[0]
        limit("resource_points", players, len(points))
        if self.resource.normalise:
            weights = weights / weights.sum()
        return InfluencerGame(
            space=self.space,
            points=put(points),
            weights=put(weights),
            kernel=kernel_of(self.kernel, players, points, self.domain),
            budgets=per_player("budgets", self.shares.budgets, players),
            third_party=third_party_of(self.shares.third_party, points),
            abstention=abstention_of(self.shares.abstention),
            zero_influence=self.shares.zero_influence,
            reach_cost=_reach_cost(self.kernel, players),
        )

    def on_continuum(self, spec: Mapping[str, Any]) -> InfluencerGame:
        """Return the game with its resource at nodes of quadrature, refined until payoffs stay."""
        third_party = self.shares.third_party
        is_rule = isinstance(third_party, str | Mapping) or callable(third_party)
        graded = self.kernel.kernel.startswith("dirichlet")
        rule = GaussRule.of(spec, self.resource.resource, self.domain, graded=graded)
        if third_party is not None and not is_rule:
            raise ValueError(
                "third_party: numbers have no value between points; give a formula or a function"
            )

        def game_at(step: int) -> InfluencerGame | None:
            nodes = rule.nodes(step)
            return None if nodes is None else self.game_at(*nodes)

        return refine_rule(game_at, rule)


def _strategies(kernel: KernelKeys, domain: Domain, players: int) -> Box | Simplex:
    """Return the space of positions, and of chosen reaches. Raises `ValueError`."""
    reach_range = kernel.choose_reach
    if reach_range is None:
        if kernel.reach_cost is not None:
            raise ValueError("reach_cost: is what a chosen reach costs; set choose_reach = [low, high]")
        if not domain.simplex:
            return Box.of(domain.edges, players=players)
        has_none_on_edges = kernel.kernel in ("dirichlet", "blotto")
        return Simplex((domain.axes,) * players, EDGE if has_none_on_edges else 0.0)
    if domain.simplex:
        raise ValueError("choose_reach: is for an interval or a box, not for a simplex")
    try:
        low, high = (float(end) for end in reach_range)
    except (TypeError, ValueError):
        raise ValueError(f"choose_reach: {reach_range!r} must be [least, largest] reach") from None
    if not (np.isfinite(high) and 0 < low < high):
        raise ValueError(f"choose_reach: [{low:g}, {high:g}] must be finite, above 0, with low below high")
    return Box.of([*domain.edges, [low, high]], players=players)


def _reach_cost(kernel: KernelKeys, players: int) -> Any:
    """Return the cost per unit of a chosen reach of each player; None where reaches are not chosen.

    Warns where a wide reach costs nothing.
    """
    if kernel.choose_reach is None:
        return None
    stated_cost = 0.0 if kernel.reach_cost is None else kernel.reach_cost
    cost = per_player("reach_cost", stated_cost, players, minimum=0.0)
    free = np.flatnonzero(np.asarray(cost) == 0)
    if free.size and not kernel.normalised:
        warn(
            f"choose_reach: player {free[0]}'s reach costs nothing, so the widest always wins; "
            "set reach_cost, or normalised = true",
            stacklevel=6,  # the line of the user who called the factory
        )
    return cost
