"""Work with karma economies: redistribution, exact baselines, and constants and conditions of the theory."""

from rivalry.economies.karma.transitions import redistribution_level as redistribution_level
from rivalry.studies.karma_constants import AnalyticConstants as AnalyticConstants
from rivalry.studies.karma_constants import constants as constants
from rivalry.studies.karma_constants import exact_baseline as exact_baseline
from rivalry.studies.karma_constants import find_counterexample as find_counterexample
from rivalry.studies.karma_scaling import scaling_gap as scaling_gap
from rivalry.studies.karma_theory import Contractivity as Contractivity
from rivalry.studies.karma_theory import Monotonicity as Monotonicity
