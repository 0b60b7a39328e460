"""Study definitions: from TOML or Python to a checked, frozen `Study` and its cells.

`load_study` reads a study and checks all that does not require building its game; it runs no user file.
`Study.check` builds the game and the methods at every point. `Study.cells` returns the units of work.
"""

from rivalry.lab.study.build import build_game, build_method, build_plot
from rivalry.lab.study.errors import StudyError
from rivalry.lab.study.model import Study, load_study
from rivalry.lab.study.names import cost_in_words, studies, summary, verify
from rivalry.lab.study.points import Cell, batch_points
from rivalry.lab.study.schema import Parameter, json_schema, parameters

__all__ = [
    "Cell",
    "Parameter",
    "Study",
    "StudyError",
    "batch_points",
    "build_game",
    "build_method",
    "build_plot",
    "cost_in_words",
    "json_schema",
    "load_study",
    "parameters",
    "studies",
    "summary",
    "verify",
]
