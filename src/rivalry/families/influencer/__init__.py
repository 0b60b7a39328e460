"""Influencer games: players choose positions; the resource is shared in proportion to influence."""

from typing import TYPE_CHECKING

from rivalry.schema.registry import lazy_package

if TYPE_CHECKING:
    from rivalry.families.influencer.closed_forms import group_levels as group_levels
    from rivalry.families.influencer.closed_forms import moments as moments
    from rivalry.families.influencer.closed_forms import symmetric_equilibrium as symmetric_equilibrium
    from rivalry.families.influencer.closed_forms import symmetric_positions as symmetric_positions
    from rivalry.families.influencer.closed_forms import symmetric_spectrum as symmetric_spectrum
    from rivalry.families.influencer.closed_forms import threshold_exponent as threshold_exponent
    from rivalry.families.influencer.closed_forms import threshold_reach as threshold_reach
    from rivalry.families.influencer.closed_forms import threshold_variance as threshold_variance
    from rivalry.families.influencer.factory import influencer as influencer
    from rivalry.families.influencer.model import InfluencerGame as InfluencerGame

# Names are loaded on first use, so that figures do not import the model.
lazy_package(
    __name__,
    {
        "InfluencerGame": "rivalry.families.influencer.model:InfluencerGame",
        "group_levels": "rivalry.families.influencer.closed_forms:group_levels",
        "influencer": "rivalry.families.influencer.factory:influencer",
        "moments": "rivalry.families.influencer.closed_forms:moments",
        "symmetric_equilibrium": "rivalry.families.influencer.closed_forms:symmetric_equilibrium",
        "symmetric_positions": "rivalry.families.influencer.closed_forms:symmetric_positions",
        "symmetric_spectrum": "rivalry.families.influencer.closed_forms:symmetric_spectrum",
        "threshold_exponent": "rivalry.families.influencer.closed_forms:threshold_exponent",
        "threshold_reach": "rivalry.families.influencer.closed_forms:threshold_reach",
        "threshold_variance": "rivalry.families.influencer.closed_forms:threshold_variance",
    },
)
