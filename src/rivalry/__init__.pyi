"""Games of competition: equilibria, what learning agents do, and the certified distance between the two."""

from rivalry import envs as envs
from rivalry import extend as extend
from rivalry import games as games
from rivalry import influencers as influencers
from rivalry import interop as interop
from rivalry import karma as karma
from rivalry import markets as markets
from rivalry import methods as methods
from rivalry import plots as plots
from rivalry import population as population
from rivalry import races as races
from rivalry import tables as tables
from rivalry import transforms as transforms
from rivalry import trees as trees
from rivalry.certificates.certify import certificate as certificate
from rivalry.certificates.deviations import best_response as best_response
from rivalry.check import check_game as check_game
from rivalry.check import check_method as check_method
from rivalry.core import oracles as oracles
from rivalry.core.game import Game as Game
from rivalry.core.game import view as view
from rivalry.core.game import with_ as with_
from rivalry.core.results import Certificate as Certificate
from rivalry.core.results import Solution as Solution
from rivalry.core.space import Box as Box
from rivalry.core.space import Choices as Choices
from rivalry.core.space import Simplex as Simplex
from rivalry.interop import read_nfg as read_nfg
from rivalry.lab.executor import run_study as run_study
from rivalry.lab.export import export as export
from rivalry.lab.store import load_run as load_run
from rivalry.lab.study import Study as Study
from rivalry.lab.study import load_study as load_study
from rivalry.living.widget import explore as explore
from rivalry.solving import all_equilibria as all_equilibria
from rivalry.solving import solve as solve
from rivalry.solving import sweep as sweep
from rivalry.solving import trace as trace
from rivalry.solving.compare import compare as compare

__version__: str
