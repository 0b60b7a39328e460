"""Work with races: symmetric equilibria, how safety depends on parameters, and the race to a precipice."""

from rivalry.schema.registry import lazy_package

_MODULES = {
    "precipice_rule": "rivalry.families.precipice:precipice_rule",
    "safety_slope": "rivalry.families.race.symmetric:safety_slope",
    "symmetric_equilibria": "rivalry.families.race.symmetric:symmetric_equilibria",
}

__all__ = sorted(_MODULES)

lazy_package(__name__, _MODULES)
