"""Influencer games: players choose positions; the resource is shared in proportion to influence."""

from rivalry.games.influencer.closed_forms import (
    exponential_is_stable,
    group_levels,
    moments,
    symmetric_equilibrium,
    symmetric_positions,
    symmetric_spectrum,
    threshold_exponent,
    threshold_reach,
    threshold_variance,
)
from rivalry.games.influencer.factory import influencer
from rivalry.games.influencer.model import InfluencerGame

__all__ = [
    "InfluencerGame",
    "exponential_is_stable",
    "group_levels",
    "influencer",
    "moments",
    "symmetric_equilibrium",
    "symmetric_positions",
    "symmetric_spectrum",
    "threshold_exponent",
    "threshold_reach",
    "threshold_variance",
]
