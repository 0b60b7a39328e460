"""Influencer games: players choose positions; the resource is shared in proportion to influence."""

from typing import TYPE_CHECKING

from rivalry.core.registry import lazy_package

if TYPE_CHECKING:
    from rivalry.games.influencer.closed_forms import exponential_is_stable as exponential_is_stable
    from rivalry.games.influencer.closed_forms import group_levels as group_levels
    from rivalry.games.influencer.closed_forms import moments as moments
    from rivalry.games.influencer.closed_forms import symmetric_equilibrium as symmetric_equilibrium
    from rivalry.games.influencer.closed_forms import symmetric_positions as symmetric_positions
    from rivalry.games.influencer.closed_forms import symmetric_spectrum as symmetric_spectrum
    from rivalry.games.influencer.closed_forms import threshold_exponent as threshold_exponent
    from rivalry.games.influencer.closed_forms import threshold_reach as threshold_reach
    from rivalry.games.influencer.closed_forms import threshold_variance as threshold_variance
    from rivalry.games.influencer.factory import influencer as influencer
    from rivalry.games.influencer.model import InfluencerGame as InfluencerGame

# Names are loaded on first use, so that figures do not import the model.
lazy_package(
    __name__,
    {
        "InfluencerGame": "rivalry.games.influencer.model:InfluencerGame",
        "exponential_is_stable": "rivalry.games.influencer.closed_forms:exponential_is_stable",
        "group_levels": "rivalry.games.influencer.closed_forms:group_levels",
        "influencer": "rivalry.games.influencer.factory:influencer",
        "moments": "rivalry.games.influencer.closed_forms:moments",
        "symmetric_equilibrium": "rivalry.games.influencer.closed_forms:symmetric_equilibrium",
        "symmetric_positions": "rivalry.games.influencer.closed_forms:symmetric_positions",
        "symmetric_spectrum": "rivalry.games.influencer.closed_forms:symmetric_spectrum",
        "threshold_exponent": "rivalry.games.influencer.closed_forms:threshold_exponent",
        "threshold_reach": "rivalry.games.influencer.closed_forms:threshold_reach",
        "threshold_variance": "rivalry.games.influencer.closed_forms:threshold_variance",
    },
)
