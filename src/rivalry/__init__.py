"""Games of competition: equilibria, what learning agents do, and the certified distance between the two.

Nothing is defined here: a name is loaded from its home when it is first used. Importing the package has two
side effects. It sets ``JAX_ENABLE_X64`` and ``XLA_FLAGS`` in the environment, so that JAX computes in double
precision and to the same bits whatever is imported first; where JAX is imported already it updates JAX's
configuration, with a warning where JAX has computed before.
"""

import typing as _typing
from importlib import import_module as _import_module

from rivalry.precision import configure as _configure

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
    "basins": "profiles",
    "best_reply": "metrics",
    "certificate": "metrics",
    "check_game": "check",
    "check_method": "check",
    "compare": "scenarios",
    "distance": "profiles",
    "learn": "run",
    "load_run": "store",
    "load_study": "study",
    "nearest": "profiles",
    "run_study": "executor",
    "solve": "run",
    "sweep": "run",
    "trace": "run",
    "view": "game",
    "with_": "game",
}
_ROOMS = ("games", "methods", "oracles", "plots", "tabular", "transforms")

_configure()

__all__ = sorted([*_HOMES, *_ROOMS, "__version__"])


if _typing.TYPE_CHECKING:  # the same table for type checkers and editors
    from rivalry import games as games
    from rivalry import methods as methods
    from rivalry import oracles as oracles
    from rivalry import plots as plots
    from rivalry import tabular as tabular
    from rivalry import transforms as transforms
    from rivalry.check import check_game as check_game
    from rivalry.check import check_method as check_method
    from rivalry.executor import run_study as run_study
    from rivalry.game import Finish as Finish
    from rivalry.game import Game as Game
    from rivalry.game import Learner as Learner
    from rivalry.game import MarkovGame as MarkovGame
    from rivalry.game import Method as Method
    from rivalry.game import PopulationGame as PopulationGame
    from rivalry.game import view as view
    from rivalry.game import with_ as with_
    from rivalry.metrics import best_reply as best_reply
    from rivalry.metrics import certificate as certificate
    from rivalry.profiles import basins as basins
    from rivalry.profiles import distance as distance
    from rivalry.profiles import nearest as nearest
    from rivalry.results import Certificate as Certificate
    from rivalry.results import Solution as Solution
    from rivalry.run import Progress as Progress
    from rivalry.run import learn as learn
    from rivalry.run import solve as solve
    from rivalry.run import sweep as sweep
    from rivalry.run import trace as trace
    from rivalry.scenarios import compare as compare
    from rivalry.space import Box as Box
    from rivalry.space import Choices as Choices
    from rivalry.space import Simplex as Simplex
    from rivalry.store import load_run as load_run
    from rivalry.study import Study as Study
    from rivalry.study import load_study as load_study


def __getattr__(name: str) -> _typing.Any:
    if name in _HOMES:
        return getattr(_import_module(f"rivalry.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return _import_module(f"rivalry.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("rivalry")
    if name.startswith("_"):
        raise AttributeError(f"module 'rivalry' has no attribute {name!r}")
    from rivalry._registry import near

    known = (*_HOMES, *_ROOMS)
    raise AttributeError(f"module 'rivalry' has no attribute {name!r}; {near(name, known)}")


def __dir__() -> list[str]:
    return __all__
