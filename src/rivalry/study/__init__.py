"""TOML or Python → a checked, frozen `Study` → cells.

`load` reads a study and checks what can be checked without building its game, running no file of the
user's; `Study.check` builds the game and the methods at every point; `Study.cells` are the units of work.
"""

from rivalry.study.build import build_game, build_method, build_plot
from rivalry.study.check import lanes
from rivalry.study.errors import StudyError
from rivalry.study.files import load, summary
from rivalry.study.model import Cell, Study
from rivalry.study.names import games, methods, plots, studies, verify
from rivalry.study.points import placed, short_names, split
from rivalry.study.schema import Parameter, json_schema, parameters

load_study = load

__all__ = [
    "Cell",
    "Parameter",
    "Study",
    "StudyError",
    "build_game",
    "build_method",
    "build_plot",
    "games",
    "json_schema",
    "lanes",
    "load",
    "load_study",
    "methods",
    "parameters",
    "placed",
    "plots",
    "short_names",
    "split",
    "studies",
    "summary",
    "verify",
]
