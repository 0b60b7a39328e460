"""Building blocks of games, methods and learners outside this package; these names are stable."""

from rivalry.core import needs as needs
from rivalry.core.game import own_gradients as own_gradients
from rivalry.core.method import BaseLearner as BaseLearner
from rivalry.core.method import BaseMethod as BaseMethod
from rivalry.core.method import Finish as Finish
from rivalry.core.method import generator_from_array as generator_from_array
from rivalry.core.method import generator_to_array as generator_to_array
from rivalry.core.tree import Tree as Tree
from rivalry.core.tree import static as static
from rivalry.methods.continuous.mixtures import TableLearner as TableLearner
from rivalry.methods.continuous.mixtures import played as played
from rivalry.methods.continuous.mixtures import tables_of as tables_of
from rivalry.schema.register import DefaultFigure as DefaultFigure
from rivalry.schema.register import Entry as Entry
from rivalry.schema.register import FamilyDefaults as FamilyDefaults
from rivalry.schema.register import FamilyEntry as FamilyEntry
from rivalry.schema.register import PlotEntry as PlotEntry
