"""Solvers, dynamics and learners: a kind, its class (one per protocol), one sentence."""

import sys
from typing import Any

from rivalry._registry import Entry, Room, lazy

METHODS = {
    "actor_critic": Entry(
        ("rivalry.methods.actor_critic:ActorCritic",),
        "stochastic policies over continuous choices, by policy gradients with a critic",
    ),
    "bayesian_design": Entry(
        ("rivalry.contrib.tune:BayesianDesign",),
        "populations: a planner's rule by Bayesian search, for what agents then learn, by Optuna",
    ),
    "best_response": Entry(
        ("rivalry.methods.response:BestResponse",),
        "players in turn, or at once, move to their global best reply",
    ),
    "branches": Entry(
        ("rivalry.methods.branches.learner:Branches",),
        "equilibria as one parameter varies: branches, folds, splits, Hopf points and cycles",
    ),
    "closed_form": Entry(
        ("rivalry.methods.closed_form:ClosedForm",),
        "what the game itself knows in closed form, certified as any other end",
    ),
    "comparative_statics": Entry(
        ("rivalry.methods.comparative:ComparativeStatics",),
        "how an equilibrium moves with a parameter, by implicit differentiation",
    ),
    "contractivity": Entry(
        ("rivalry.methods.population.experiments:Contractivity",),
        "populations: whether steps of mirror ascent bring drawn policies nearer to the equilibrium, counted",
    ),
    "design": Entry(
        ("rivalry.methods.design:Design", "rivalry.methods.rule_design:RuleDesign"),
        "a designer moves first: parameters are set for the equilibrium that the players then play; of "
        "populations, a rule for what agents then learn",
    ),
    "directional": Entry(
        ("rivalry.methods.directional:Directional",),
        "everybody moves its choice as last time while that paid, and else turns round",
    ),
    "double_oracle": Entry(
        ("rivalry.methods.double_oracle:DoubleOracle",),
        "a mixed equilibrium of a continuous game: a finite game that grows by best replies",
    ),
    "extragradient": Entry(
        ("rivalry.methods.extragradient:Extragradient",),
        "own gradients met one step ahead: converges where plain ascent circles",
    ),
    "feedback": Entry(
        ("rivalry.methods.feedback:Feedback",),
        "play over periods in which everybody sees the state: Markov-perfect on a grid of states",
    ),
    "fictitious_play": Entry(
        (
            "rivalry.methods.matching:FictitiousPlay",
            "rivalry.methods.population.fictitious_play:PopulationFictitiousPlay",
        ),
        "everybody replies to what the others have played so far; of populations, the average of answers",
    ),
    "given": Entry(("rivalry.methods.given:Given",), "no search: the start itself, certified as it is"),
    "gradient_ascent": Entry(
        ("rivalry.methods.gradient:GradientAscent",), "every player climbs its own payoff by small steps"
    ),
    "gradient_flow": Entry(
        ("rivalry.methods.flow:GradientFlow",), "the same in continuous time, by an adaptive stiff solver"
    ),
    "hedge": Entry(
        ("rivalry.methods.hedge:Hedge",),
        "mixtures whose weights grow by the exponential of what each action pays in expectation",
    ),
    "linear_quadratic": Entry(
        ("rivalry.methods.linear_quadratic:LinearQuadratic",),
        "linear motion and quadratic costs for ever: Markov-perfect, with a leader, or one common plan",
    ),
    "mirror": Entry(
        ("rivalry.methods.population.mirror:MirrorAscent",),
        "populations: the softmax of values in the policy's own stationary population, again and again",
    ),
    "mixed_equilibria": Entry(
        ("rivalry.methods.equilibria:MixedEquilibria",),
        "all or some mixed equilibria of a finite game, by QuantEcon",
    ),
    "monotonicity": Entry(
        ("rivalry.methods.population.experiments:Monotonicity",),
        "populations: whether the equilibrium does better in drawn policies' own populations, counted",
    ),
    "newton": Entry(
        ("rivalry.methods.newton:Newton", "rivalry.methods.population.newton:PopulationNewton"),
        "a point where all own gradients vanish, near the start; of a population, its logit equilibrium",
    ),
    "omd": Entry(
        ("rivalry.methods.population.mirror:OnlineMirrorDescent",),
        "populations: the softmax of the sum of all values so far",
    ),
    "periods": Entry(
        ("rivalry.methods.periods:Periods",),
        "play over periods solved backwards, every period as a game given what lies ahead",
    ),
    "plan_options": Entry(
        ("rivalry.methods.plan_options:PlanOptions",),
        "a leader announces plans and may change them at a threshold; the follower sees the plan",
    ),
    "pure_equilibria": Entry(
        ("rivalry.methods.equilibria:PureEquilibria",), "all pure equilibria of a finite game, by enumeration"
    ),
    "q_learning": Entry(
        (
            "rivalry.methods.qlearning:QLearning",
            "rivalry.methods.periodic:PeriodQLearning",
            "rivalry.methods.population.q_learning:PopulationQLearning",
            "rivalry.methods.city.q_learning:CityQLearning",
        ),
        "independent Q-learning: everybody learns by trial what its moves are worth",
    ),
    "regret_matching": Entry(
        ("rivalry.methods.matching:RegretMatching",),
        "sampled repeated play; probabilities follow past regrets",
    ),
    "repeated_q_learning": Entry(
        ("rivalry.methods.repeated:RepeatedQLearning",),
        "Q-learning in play that goes on and on, by players who remember: sessions until nothing changes",
        controls=("gamma_zero", "memoryless", "myopic_follower", "random"),
    ),
    "replicator": Entry(
        ("rivalry.methods.replicator:Replicator",), "on simplices, what pays more than the average grows"
    ),
    "rllib.dqn": Entry(
        ("rivalry.contrib.rllib.algorithms:DQN",),
        "deep Q-networks of numbered actions, by RLlib (extra deep)",
        uses=("ray", "torch"),
    ),
    "rllib.ppo": Entry(
        ("rivalry.contrib.rllib.algorithms:PPO",),
        "proximal policy optimisation, of any choices, by RLlib (extra deep)",
        uses=("ray", "torch"),
    ),
    "rllib.sac": Entry(
        ("rivalry.contrib.rllib.algorithms:SAC",),
        "soft actor-critic of choices in a box, by RLlib (extra deep)",
        uses=("ray", "torch"),
    ),
    "scaling_law": Entry(
        ("rivalry.methods.population.scaling:ScalingLaw",),
        "populations: whether bids scale with karma, at the logit equilibria of two economies",
    ),
    "simulation": Entry(
        (
            "rivalry.methods.population.simulation:Simulation",
            "rivalry.methods.city.simulation:CitySimulation",
        ),
        "finitely many agents play policies that do not change, or share a resource without karma",
    ),
    "smoothing": Entry(
        ("rivalry.methods.population.smoothing:Smoothing",),
        "populations: a step of the flow, and a part of the way to the softmax of values",
    ),
    "softmax_policy_gradient": Entry(
        ("rivalry.methods.hedge:SoftmaxPolicyGradient",),
        "everybody climbs its payoff in the logits of a softmax, exactly or from drawn play",
    ),
    "sublinearity": Entry(
        ("rivalry.methods.population.scaling:Sublinearity",),
        "populations: whether bids rise with the mean karma, and less than in proportion to the own",
    ),
    "theory": Entry(
        ("rivalry.methods.theory:Theory",),
        "no search: what the family's theory says, constants, exact benchmarks, counterexamples",
    ),
    "thresholds": Entry(
        ("rivalry.methods.thresholds:Thresholds",),
        "where everybody in one place gains or loses stability as one parameter varies",
    ),
}

# Parts that methods and transforms are given, and functions on profiles, found by their own names.
OTHERS = {
    "spectra": "rivalry.methods.spectra:spectra",
    "spectrum": "rivalry.methods.end_state:spectrum",
}


def __getattr__(name: str) -> Any:
    """A method's class by its own name, `GradientAscent`, or the first of its kind, `gradient_ascent`."""
    kinds = {kind: entry.targets[0] for kind, entry in METHODS.items()}
    return lazy(__name__, _classes() | kinds | OTHERS, name)


def __dir__() -> list[str]:
    return sorted(["METHODS", *METHODS, *OTHERS, *_classes()])


def _classes() -> dict[str, str]:
    return {target.split(":")[1]: target for entry in METHODS.values() for target in entry.targets}


sys.modules[__name__].__class__ = Room
