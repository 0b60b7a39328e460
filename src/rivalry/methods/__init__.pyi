"""Solvers, dynamics and learners: every kind, with its classes, one per protocol."""

from rivalry.economies.karma.uncapped_equilibrium import UncappedEquilibrium as UncappedEquilibrium
from rivalry.economies.learning.city_q_learning import CityQLearning as CityQLearning
from rivalry.economies.learning.city_simulation import CitySimulation as CitySimulation
from rivalry.economies.learning.q_learning import PopulationQLearning as PopulationQLearning
from rivalry.economies.learning.simulation import Simulation as Simulation
from rivalry.integrations.rllib.algorithms import DQN as DQN
from rivalry.integrations.rllib.algorithms import PPO as PPO
from rivalry.integrations.rllib.algorithms import SAC as SAC
from rivalry.interop.environment_q_learning import EnvironmentQLearning as EnvironmentQLearning
from rivalry.methods.closed_form import ClosedForm as ClosedForm
from rivalry.methods.continuation.branches import Branches as Branches
from rivalry.methods.continuation.comparative_statics import ComparativeStatics as ComparativeStatics
from rivalry.methods.continuation.quantal_response import QuantalResponse as QuantalResponse
from rivalry.methods.continuation.thresholds import Thresholds as Thresholds
from rivalry.methods.continuous.actor_critic import ActorCritic as ActorCritic
from rivalry.methods.continuous.all_equilibria import AllEquilibria as AllEquilibria
from rivalry.methods.continuous.double_oracle import DoubleOracle as DoubleOracle
from rivalry.methods.continuous.variational_equilibrium import (
    VariationalEquilibrium as VariationalEquilibrium,
)
from rivalry.methods.design.design import Design as Design
from rivalry.methods.design.design import RuleDesign as RuleDesign
from rivalry.methods.dynamic_games.feedback import Feedback as Feedback
from rivalry.methods.dynamic_games.linear_quadratic import LinearQuadratic as LinearQuadratic
from rivalry.methods.dynamic_games.periods import Periods as Periods
from rivalry.methods.dynamics.best_response import BestResponse as BestResponse
from rivalry.methods.dynamics.directional import Directional as Directional
from rivalry.methods.dynamics.gradient_ascent import GradientAscent as GradientAscent
from rivalry.methods.dynamics.gradient_flow import GradientFlow as GradientFlow
from rivalry.methods.dynamics.replicator import Replicator as Replicator
from rivalry.methods.evaluate import Evaluate as Evaluate
from rivalry.methods.finite.agent_play import AgentPlay as AgentPlay
from rivalry.methods.finite.birth_death import Fermi as Fermi
from rivalry.methods.finite.birth_death import Moran as Moran
from rivalry.methods.finite.correlated_equilibrium import CorrelatedEquilibrium as CorrelatedEquilibrium
from rivalry.methods.finite.evolutionary_stability import EvolutionaryStability as EvolutionaryStability
from rivalry.methods.finite.finite_equilibria import FiniteEquilibria as FiniteEquilibria
from rivalry.methods.finite.linear_programme import LinearProgramme as LinearProgramme
from rivalry.methods.finite.mixed_commitment import MixedCommitment as MixedCommitment
from rivalry.methods.finite.mixed_equilibria import MixedEquilibria as MixedEquilibria
from rivalry.methods.finite.pure_equilibria import PureEquilibria as PureEquilibria
from rivalry.methods.finite.round_robin import RoundRobin as RoundRobin
from rivalry.methods.finite.subgame_perfect_equilibria import (
    SubgamePerfectEquilibria as SubgamePerfectEquilibria,
)
from rivalry.methods.finite.subgame_perfect_payoffs import SubgamePerfectPayoffs as SubgamePerfectPayoffs
from rivalry.methods.finite.table_learners import FictitiousPlay as FictitiousPlay
from rivalry.methods.finite.table_learners import Hedge as Hedge
from rivalry.methods.finite.table_learners import RegretMatching as RegretMatching
from rivalry.methods.finite.table_learners import SoftmaxPolicyGradient as SoftmaxPolicyGradient
from rivalry.methods.limit_sets.eigenvalues import spectra as spectra
from rivalry.methods.limit_sets.end_state import spectrum as spectrum
from rivalry.methods.limit_sets.newton import Newton as Newton
from rivalry.methods.limit_sets.periodic_orbits import hopf_coefficient as hopf_coefficient
from rivalry.methods.limit_sets.periodic_orbits import orbits_beyond as orbits_beyond
from rivalry.methods.populations.fictitious_play import PopulationFictitiousPlay as PopulationFictitiousPlay
from rivalry.methods.populations.newton import PopulationNewton as PopulationNewton
from rivalry.methods.populations.online_mirror_descent import OnlineMirrorDescent as OnlineMirrorDescent
from rivalry.methods.q_learning.options import Exploration as Exploration
from rivalry.methods.q_learning.options import StepSize as StepSize
from rivalry.methods.q_learning.options import Stopping as Stopping
from rivalry.methods.q_learning.period_q_learning import PeriodQLearning as PeriodQLearning
from rivalry.methods.q_learning.q_learning import QLearning as QLearning
from rivalry.methods.q_learning.repeated_q_learning import RepeatedQLearning as RepeatedQLearning
from rivalry.roads.assignment import SystemOptimum as SystemOptimum
from rivalry.roads.assignment import UserEquilibrium as UserEquilibrium
from rivalry.roads.departures import DepartureTimeEquilibrium as DepartureTimeEquilibrium
from rivalry.roads.stochastic import StochasticUserEquilibrium as StochasticUserEquilibrium
from rivalry.schema.register import Entry

METHODS: dict[str, Entry]
OTHERS: dict[str, str]
