"""Games of competition: equilibria, what learning agents do, and the certified distance between the two.

Nothing is defined or imported here: a name is loaded from its home when it is first used.
"""

from importlib import import_module as _import_module
from typing import Any as _Any

_HOMES = {
    "Box": "space",
    "Certificate": "results",
    "Choices": "space",
    "Finish": "game",
    "Game": "game",
    "Learner": "game",
    "MarkovGame": "game",
    "Method": "game",
    "PopulationGame": "game",
    "Progress": "run",
    "Simplex": "space",
    "Solution": "results",
    "Study": "study",
    "best_reply": "metrics",
    "certificate": "metrics",
    "check_game": "check",
    "check_method": "check",
    "distance": "metrics",
    "learn": "run",
    "load_run": "store",
    "load_study": "study",
    "run_study": "executor",
    "solve": "run",
    "sweep": "run",
    "trace": "run",
    "view": "game",
    "with_": "game",
}
_ROOMS = ("games", "methods", "plots", "transforms")

__all__ = sorted([*_HOMES, *_ROOMS, "__version__"])


def __getattr__(name: str) -> _Any:
    if name in _HOMES:
        return getattr(_import_module(f"rivalry.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return _import_module(f"rivalry.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("rivalry")
    raise AttributeError(f"module 'rivalry' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
