"""Building blocks of games, methods and learners outside this package; these names are stable.

A game needs none of them, only ``space`` and ``payoffs``; a method is any class with ``init`` and ``step``.
"""

from rivalry.schema.registry import lazy_package

_NAMES = {
    "core.game": ("own_gradients",),
    "core.method": (*("BaseLearner", "BaseMethod", "Finish", "generator_from_array", "generator_to_array"),),
    "core.tree": ("Tree", "static"),
    "methods.continuous.mixtures": ("TableLearner", "played", "tables_of"),
    "schema.register": ("DefaultFigure", "Entry", "FamilyDefaults", "FamilyEntry", "PlotEntry"),
}
_MODULES = {name: f"rivalry.{module}:{name}" for module, names in _NAMES.items() for name in names}
_MODULES["needs"] = "rivalry.core.needs"

__all__ = sorted(_MODULES)

lazy_package(__name__, _MODULES)
