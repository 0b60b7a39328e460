"""Write games in extensive form: nodes, and the game of rules that lead from one to the next."""

from rivalry.schema.registry import lazy_package

_MODULES = {name: f"rivalry.families.extensive:{name}" for name in ("Chance", "Decision", "Extensive")}

__all__ = sorted(_MODULES)

lazy_package(__name__, _MODULES)
