"""Solvers, dynamics and learners: a kind, its class (one per protocol), one sentence."""

import sys
from typing import Any

from rivalry.core.registry import Entry, LazyPackage, lazy

METHODS = {
    "actor_critic": Entry(
        ("rivalry.methods.continuous.actor_critic:ActorCritic",),
        "stochastic policies over continuous choices, by policy gradients with a critic",
    ),
    "analytic_constants": Entry(
        ("rivalry.methods.analytic_constants:AnalyticConstants",),
        "no search: what the family's theory says, constants, exact benchmarks, counterexamples",
    ),
    "bayesian_design": Entry(
        ("rivalry.integrations.optuna:BayesianDesign",),
        "populations: a planner's rule by Bayesian search, for what agents then learn, by Optuna",
    ),
    "best_response": Entry(
        ("rivalry.methods.dynamics.best_response:BestResponse",),
        "players in turn, or at once, move to their global best reply",
    ),
    "branches": Entry(
        ("rivalry.methods.continuation.branches:Branches",),
        "equilibria as one parameter varies: branches, folds, splits, Hopf points and cycles",
    ),
    "closed_form": Entry(
        ("rivalry.methods.closed_form:ClosedForm",),
        "what the game itself knows in closed form, certified as any other end",
    ),
    "commitment_with_switching_cost": Entry(
        ("rivalry.methods.dynamic_games.commitment_with_switching_cost:CommitmentWithSwitchingCost",),
        "a leader announces plans and may change them at a threshold; the follower sees the plan",
    ),
    "comparative_statics": Entry(
        ("rivalry.methods.continuation.comparative_statics:ComparativeStatics",),
        "how an equilibrium moves with a parameter, by implicit differentiation",
    ),
    "contractivity": Entry(
        ("rivalry.economies.learning.experiments:Contractivity",),
        "populations: whether steps of mirror ascent bring drawn policies nearer to the equilibrium, counted",
    ),
    "damped_fixed_point": Entry(
        ("rivalry.methods.populations.damped_fixed_point:DampedFixedPoint",),
        "populations: a step of the flow, and a part of the way to the softmax of values",
    ),
    "design": Entry(
        ("rivalry.methods.design.design:Design", "rivalry.methods.design.rule_design:RuleDesign"),
        "a designer moves first: parameters are set for the equilibrium that the players then play; of "
        "populations, a rule for what agents then learn",
    ),
    "directional": Entry(
        ("rivalry.methods.dynamics.directional:Directional",),
        "everybody moves its choice as last time while that paid, and else turns round",
    ),
    "double_oracle": Entry(
        ("rivalry.methods.continuous.double_oracle:DoubleOracle",),
        "a mixed equilibrium of a continuous game: a finite game that grows by best replies",
    ),
    "evaluate": Entry(
        ("rivalry.methods.evaluate:Evaluate",), "no search: the start itself, certified as it is"
    ),
    "extragradient": Entry(
        ("rivalry.methods.dynamics.extragradient:Extragradient",),
        "own gradients met one step ahead: converges where plain ascent circles",
    ),
    "feedback": Entry(
        ("rivalry.methods.dynamic_games.feedback:Feedback",),
        "play over periods in which everybody sees the state: Markov-perfect on a grid of states",
    ),
    "fictitious_play": Entry(
        (
            "rivalry.methods.finite.fictitious_play:FictitiousPlay",
            "rivalry.methods.populations.fictitious_play:PopulationFictitiousPlay",
        ),
        "everybody replies to what the others have played so far; of populations, the average of answers",
    ),
    "gradient_ascent": Entry(
        ("rivalry.methods.dynamics.gradient_ascent:GradientAscent",),
        "every player climbs its own payoff by small steps",
    ),
    "gradient_flow": Entry(
        ("rivalry.methods.dynamics.gradient_flow:GradientFlow",),
        "the same in continuous time, by an adaptive stiff solver",
    ),
    "hedge": Entry(
        ("rivalry.methods.finite.hedge:Hedge",),
        "mixtures whose weights grow by the exponential of what each action pays in expectation",
    ),
    "linear_quadratic": Entry(
        ("rivalry.methods.dynamic_games.linear_quadratic:LinearQuadratic",),
        "linear motion and quadratic costs for ever: Markov-perfect, with a leader, or one common plan",
    ),
    "mirror_ascent": Entry(
        ("rivalry.methods.populations.mirror_ascent:MirrorAscent",),
        "populations: the softmax of values in the policy's own stationary population, again and again",
    ),
    "mixed_equilibria": Entry(
        ("rivalry.methods.finite.mixed_equilibria:MixedEquilibria",),
        "all or some mixed equilibria of a finite game, by QuantEcon",
    ),
    "monotonicity": Entry(
        ("rivalry.economies.learning.experiments:Monotonicity",),
        "populations: whether the equilibrium does better in drawn policies' own populations, counted",
    ),
    "newton": Entry(
        ("rivalry.methods.limit_sets.newton:Newton", "rivalry.methods.populations.newton:PopulationNewton"),
        "a point where all own gradients vanish, near the start; of a population, its logit equilibrium",
    ),
    "online_mirror_descent": Entry(
        ("rivalry.methods.populations.mirror_ascent:OnlineMirrorDescent",),
        "populations: the softmax of the sum of all values so far",
    ),
    "periods": Entry(
        ("rivalry.methods.dynamic_games.backward_induction:Periods",),
        "play over periods solved backwards, every period as a game given what lies ahead",
    ),
    "pure_equilibria": Entry(
        ("rivalry.methods.finite.pure_equilibria:PureEquilibria",),
        "all pure equilibria of a finite game, by enumeration",
    ),
    "q_learning": Entry(
        (
            "rivalry.methods.q_learning.independent:QLearning",
            "rivalry.methods.q_learning.over_periods:PeriodQLearning",
            "rivalry.economies.learning.q_learning:PopulationQLearning",
            "rivalry.economies.learning.city_q_learning:CityQLearning",
        ),
        "independent Q-learning: everybody learns by trial what its moves are worth",
    ),
    "regret_matching": Entry(
        ("rivalry.methods.finite.regret_matching:RegretMatching",),
        "sampled repeated play; probabilities follow past regrets",
    ),
    "repeated_q_learning": Entry(
        ("rivalry.methods.q_learning.repeated:RepeatedQLearning",),
        "Q-learning in play that goes on and on, by players who remember: sessions until nothing changes",
        controls=("gamma_zero", "memoryless", "myopic_follower", "random"),
    ),
    "replicator": Entry(
        ("rivalry.methods.dynamics.replicator:Replicator",),
        "on simplices, what pays more than the average grows",
    ),
    "rllib.dqn": Entry(
        ("rivalry.integrations.rllib.algorithms:DQN",),
        "deep Q-networks of numbered actions, by RLlib (extra deep)",
        uses=("ray", "torch"),
    ),
    "rllib.ppo": Entry(
        ("rivalry.integrations.rllib.algorithms:PPO",),
        "proximal policy optimisation, of any choices, by RLlib (extra deep)",
        uses=("ray", "torch"),
    ),
    "rllib.sac": Entry(
        ("rivalry.integrations.rllib.algorithms:SAC",),
        "soft actor-critic of choices in a box, by RLlib (extra deep)",
        uses=("ray", "torch"),
    ),
    "scaling_law": Entry(
        ("rivalry.economies.learning.scaling_laws:ScalingLaw",),
        "populations: whether bids scale with karma, at the logit equilibria of two economies",
    ),
    "simulation": Entry(
        (
            "rivalry.economies.learning.simulation:Simulation",
            "rivalry.economies.learning.city_simulation:CitySimulation",
        ),
        "finitely many agents play policies that do not change, or share a resource without karma",
    ),
    "softmax_policy_gradient": Entry(
        ("rivalry.methods.finite.softmax_policy_gradient:SoftmaxPolicyGradient",),
        "everybody climbs its payoff in the logits of a softmax, exactly or from drawn play",
    ),
    "sublinearity": Entry(
        ("rivalry.economies.learning.scaling_laws:Sublinearity",),
        "populations: whether bids rise with the mean karma, and less than in proportion to the own",
    ),
    "thresholds": Entry(
        ("rivalry.methods.continuation.thresholds:Thresholds",),
        "where everybody in one place gains or loses stability as one parameter varies",
    ),
}

# Parts that methods and transforms are given, and functions on profiles, found by their own names.
OTHERS = {
    "spectra": "rivalry.methods.limit_sets.eigenvalues:spectra",
    "spectrum": "rivalry.methods.limit_sets.end_state:spectrum",
}


def __getattr__(name: str) -> Any:
    """A method's class by its own name, `GradientAscent`, or the first of its kind, `gradient_ascent`."""
    kinds = {kind: entry.targets[0] for kind, entry in METHODS.items()}
    return lazy(__name__, _classes() | kinds | OTHERS, name)


def __dir__() -> list[str]:
    return sorted(["METHODS", *METHODS, *OTHERS, *_classes()])


def _classes() -> dict[str, str]:
    return {target.split(":")[1]: target for entry in METHODS.values() for target in entry.targets}


sys.modules[__name__].__class__ = LazyPackage
