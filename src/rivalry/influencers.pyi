"""Work with influencer games: symmetric equilibria, their spectra, and thresholds of stability."""

from rivalry.families.influencer.closed_forms import group_levels as group_levels
from rivalry.families.influencer.closed_forms import moments as moments
from rivalry.families.influencer.closed_forms import symmetric_equilibrium as symmetric_equilibrium
from rivalry.families.influencer.closed_forms import symmetric_positions as symmetric_positions
from rivalry.families.influencer.closed_forms import symmetric_spectrum as symmetric_spectrum
from rivalry.families.influencer.closed_forms import threshold_exponent as threshold_exponent
from rivalry.families.influencer.closed_forms import threshold_reach as threshold_reach
from rivalry.families.influencer.closed_forms import threshold_variance as threshold_variance
