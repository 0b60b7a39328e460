"""Work with influencer games: symmetric equilibria, their spectra, and thresholds of stability."""

from rivalry.schema.registry import lazy_package

_NAMES = (
    "group_levels moments symmetric_equilibrium symmetric_positions symmetric_spectrum threshold_exponent "
    "threshold_reach threshold_variance"
)
_MODULES = {name: f"rivalry.families.influencer.closed_forms:{name}" for name in _NAMES.split()}

__all__ = sorted(_MODULES)

lazy_package(__name__, _MODULES)
