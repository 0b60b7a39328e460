"""Work with karma economies: redistribution, exact baselines, and constants and conditions of the theory."""

from rivalry.schema.register import collect
from rivalry.schema.registry import lazy_package

_MODULES = {
    "AnalyticConstants": "rivalry.studies.karma_constants:AnalyticConstants",
    "Contractivity": "rivalry.studies.karma_theory:Contractivity",
    "Monotonicity": "rivalry.studies.karma_theory:Monotonicity",
    "constants": "rivalry.studies.karma_constants:constants",
    "exact_baseline": "rivalry.studies.karma_constants:exact_baseline",
    "find_counterexample": "rivalry.studies.karma_constants:find_counterexample",
    "scaling_gap": "rivalry.studies.karma_scaling:scaling_gap",
}
# of an optional subpackage, where it is installed
_MODULES |= {name: target for name, target in collect("HOOKS").items() if name == "redistribution_level"}

__all__ = sorted(_MODULES)

lazy_package(__name__, _MODULES)
