"""Work with karma economies: redistribution, exact baselines, and constants and conditions of the theory."""

from rivalry.schema.registry import lazy_package

_MODULES = {
    "AnalyticConstants": "rivalry.studies.karma_constants:AnalyticConstants",
    "Contractivity": "rivalry.studies.karma_theory:Contractivity",
    "Monotonicity": "rivalry.studies.karma_theory:Monotonicity",
    "constants": "rivalry.studies.karma_constants:constants",
    "exact_baseline": "rivalry.studies.karma_constants:exact_baseline",
    "find_counterexample": "rivalry.studies.karma_constants:find_counterexample",
    "redistribution_level": "rivalry.economies.karma.transitions:redistribution_level",
    "scaling_gap": "rivalry.studies.karma_scaling:scaling_gap",
}

__all__ = sorted(_MODULES)

lazy_package(__name__, _MODULES)
