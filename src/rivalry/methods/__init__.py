"""Solvers, dynamics and learners: every kind, with its classes, one per protocol."""

from rivalry.schema.register import Entry, collect
from rivalry.schema.registry import lazy_package

_ENTRIES = {
    "closed_form": Entry(
        ("rivalry.methods.closed_form:ClosedForm",),
        "closed-form solutions that the game provides, with certificates",
        result=("profile",),
        draws="nothing",
    ),
    "evaluate": Entry(
        ("rivalry.methods.evaluate:Evaluate",),
        "the start itself, with a certificate; no search",
        result=("profile",),
        draws="start",
        batched=True,
    ),
    "branches": Entry(
        ("rivalry.methods.continuation.branches:Branches",),
        "equilibria along one parameter: branches, folds, symmetry breaking, Hopf points and limit cycles",
        result=("branch_parameter",),
        draws="search",
    ),
    "comparative_statics": Entry(
        ("rivalry.methods.continuation.comparative_statics:ComparativeStatics",),
        "derivatives of an equilibrium in a parameter, by implicit differentiation",
        result=("slope",),
        draws="search",
    ),
    "quantal_response": Entry(
        ("rivalry.methods.continuation.quantal_response:QuantalResponse",),
        "logit (quantal response) equilibria of a finite game from uniform play on, as lambda grows",
        result=("logit_lambda", "logit_profile"),
        draws="search",
    ),
    "thresholds": Entry(
        ("rivalry.methods.continuation.thresholds:Thresholds",),
        "parameter values at which the symmetric profile gains or loses stability",
        result=("crossing",),
        draws="nothing",
    ),
    "actor_critic": Entry(
        ("rivalry.methods.continuous.actor_critic:ActorCritic",),
        "stochastic policies over continuous choices, by policy gradients with a critic",
        result=("profile",),
        batched=True,
    ),
    "double_oracle": Entry(
        ("rivalry.methods.continuous.double_oracle:DoubleOracle",),
        "mixed equilibrium of a continuous game: a finite game extended by best responses",
        result=("mixture",),
        draws="search",
    ),
    "variational_equilibrium": Entry(
        ("rivalry.methods.continuous.variational_equilibrium:VariationalEquilibrium",),
        "equilibrium under shared constraints, with multipliers in common",
        result=("profile",),
        draws="search",
    ),
    "feedback": Entry(
        ("rivalry.methods.dynamic_games.feedback:Feedback",),
        "Markov-perfect equilibrium of a game over periods, on a grid of states",
        result=("profile",),
        draws="search",
    ),
    "linear_quadratic": Entry(
        ("rivalry.methods.dynamic_games.linear_quadratic:LinearQuadratic",),
        "infinite-horizon linear-quadratic games: Markov-perfect, with a leader, or one common plan",
        result=("feedback", "value"),
        draws="nothing",
    ),
    "periods": Entry(
        ("rivalry.methods.dynamic_games.periods:Periods",),
        "backward induction over periods, each a game given continuation values",
        result=("stage_regret", "profile"),
        draws="search",
    ),
    "best_response": Entry(
        ("rivalry.methods.dynamics.best_response:BestResponse",),
        "players move to their global best responses, in turn or simultaneously",
        result=("profile",),
        draws="start",
        batched=True,
    ),
    "directional": Entry(
        ("rivalry.methods.dynamics.directional:Directional",),
        "win-continue, lose-reverse adjustment of choices",
        result=("mean_choice",),
    ),
    "gradient_ascent": Entry(
        ("rivalry.methods.dynamics.gradient_ascent:GradientAscent",),
        "every player follows the gradient of its own payoff in small steps",
        result=("profile",),
        draws="search",
        batched=True,
    ),
    "gradient_flow": Entry(
        ("rivalry.methods.dynamics.gradient_flow:GradientFlow",),
        "gradient ascent in continuous time, by an adaptive stiff solver",
        result=("profile",),
        draws="search",
        batched=True,
    ),
    "replicator": Entry(
        ("rivalry.methods.dynamics.replicator:Replicator",),
        "replicator dynamics on simplices: strategies with above-average payoffs grow",
        result=("profile",),
        draws="search",
    ),
    "correlated_equilibrium": Entry(
        ("rivalry.methods.finite.correlated_equilibrium:CorrelatedEquilibrium",),
        "the correlated equilibrium of highest welfare of a finite game, and the vertices of all",
        result=("joint_distribution",),
        draws="nothing",
    ),
    "evolutionary_stability": Entry(
        ("rivalry.methods.finite.evolutionary_stability:EvolutionaryStability",),
        "which strategies of a symmetric game are evolutionarily stable, and who invades others, exactly",
        result=("stability",),
        draws="nothing",
    ),
    "fermi": Entry(
        ("rivalry.methods.finite.birth_death:Fermi",),
        "finite populations: imitation by pairwise comparison, at rare or frequent mutations",
        result=("fixation", "mean_share"),
        draws="nothing",
        draws_with="mutation",
    ),
    "hedge": Entry(
        ("rivalry.methods.finite.table_learners:Hedge",),
        "multiplicative weights: mixed strategies updated by the exponential of expected payoffs",
        result=("profile", "mixture"),
        batched=True,
    ),
    "linear_programme": Entry(
        ("rivalry.methods.finite.linear_programme:LinearProgramme",),
        "one equilibrium of a zero-sum game of two players, also in extensive form, with proved bounds",
        result=("game_value", "profile"),
        draws="nothing",
    ),
    "mixed_commitment": Entry(
        ("rivalry.methods.finite.mixed_commitment:MixedCommitment",),
        "the best mixed strategy of a leader that the other player observes, with bounds",
        result=("commitment",),
        draws="nothing",
    ),
    "mixed_equilibria": Entry(
        ("rivalry.methods.finite.mixed_equilibria:MixedEquilibria",),
        "all extreme equilibria of a two-player finite game, exactly; of more, those of all_equilibria",
        result=("equilibria",),
        draws="nothing",
    ),
    "moran": Entry(
        ("rivalry.methods.finite.birth_death:Moran",),
        "finite populations: the frequency-dependent Moran process, at rare or frequent mutations",
        result=("fixation", "mean_share"),
        draws="nothing",
        draws_with="mutation",
    ),
    "pure_equilibria": Entry(
        ("rivalry.methods.finite.pure_equilibria:PureEquilibria",),
        "all pure equilibria of a finite game, by enumeration",
        result=("equilibria",),
        draws="nothing",
    ),
    "regret_matching": Entry(
        ("rivalry.methods.finite.table_learners:RegretMatching",),
        "sampled repeated play with probabilities proportional to positive regrets",
        result=("profile", "mixture"),
        batched=True,
    ),
    "round_robin": Entry(
        ("rivalry.methods.finite.round_robin:RoundRobin",),
        "every strategy of a list meets every other in the repeated game, as finite automata",
        result=("score", "match_payoff"),
        draws="nothing",
    ),
    "softmax_policy_gradient": Entry(
        ("rivalry.methods.finite.table_learners:SoftmaxPolicyGradient",),
        "gradient ascent in the logits of a softmax, with exact or sampled payoffs",
        result=("profile", "mixture"),
        batched=True,
    ),
    "subgame_perfect_equilibria": Entry(
        ("rivalry.methods.finite.subgame_perfect_equilibria:SubgamePerfectEquilibria",),
        "subgame-perfect equilibria of games in extensive form, by recursion over subgames, exactly",
        result=("equilibria",),
        draws="nothing",
    ),
    "subgame_perfect_payoffs": Entry(
        ("rivalry.methods.finite.subgame_perfect_payoffs:SubgamePerfectPayoffs",),
        "subgame-perfect payoffs of an infinitely repeated game of two players, with pure strategies",
        result=("payoff_vertices",),
        draws="nothing",
    ),
    "online_mirror_descent": Entry(
        ("rivalry.methods.populations.online_mirror_descent:OnlineMirrorDescent",),
        "populations: the softmax of cumulative values",
        result=("distribution", "profile"),
        draws="start",
    ),
    "all_equilibria": Entry(
        (
            "rivalry.methods.continuous.all_equilibria:AllEquilibria",
            "rivalry.methods.finite.finite_equilibria:FiniteEquilibria",
        ),
        "all equilibria, each with a proof, and whether the list is complete: pure ones on boxes and "
        "simplices, mixed ones of finite games",
        result=("equilibria", "where_count"),
        draws="nothing",
    ),
    "design": Entry(
        (
            "rivalry.methods.design.design:Design",
            "rivalry.methods.design.design:RuleDesign",
        ),
        "a designer moves first and anticipates the equilibrium, or in populations what agents learn",
        result=("parameters", "objective", "trial_objective"),
    ),
    "fictitious_play": Entry(
        (
            "rivalry.methods.finite.table_learners:FictitiousPlay",
            "rivalry.methods.populations.fictitious_play:PopulationFictitiousPlay",
        ),
        "best responses to the empirical play of the others; in populations, to the average policy",
        result=("distribution", "profile", "mixture"),
        batched=True,
    ),
    "newton": Entry(
        (
            "rivalry.methods.limit_sets.newton:Newton",
            "rivalry.methods.populations.newton:PopulationNewton",
        ),
        "a nearby root of all own gradients; in populations, the logit equilibrium",
        result=("eigenvalues_real", "distribution"),
        draws="search",
        batched=True,
    ),
    "q_learning": Entry(
        (
            "rivalry.methods.q_learning.q_learning:QLearning",
            "rivalry.methods.q_learning.period_q_learning:PeriodQLearning",
        ),
        "independent Q-learning: every player learns the values of its actions by trial",
        result=("profile", "agent_payoff", "mean_return"),
        batched=True,
    ),
    "repeated_q_learning": Entry(
        ("rivalry.methods.q_learning.repeated_q_learning:RepeatedQLearning",),
        "Q-learning in the infinitely repeated game with bounded memory, until greedy policies are stable",
        controls=(
            "gamma_zero",
            "memoryless",
            "myopic_follower",
            "random",
        ),
        result=("converged", "full_gap", "cycle_length"),
        batched=True,
    ),
}
METHODS = collect(
    "METHODS", _ENTRIES, lambda entry, further: entry._replace(targets=entry.targets + further.targets)
)

# What is no kind of method, loaded by its own name: functions on profiles, and tables of options.
OTHERS = {
    "AgentPlay": "rivalry.methods.finite.agent_play:AgentPlay",  # of a class that a study names
    **{
        name: f"rivalry.methods.q_learning.options:{name}" for name in ("Exploration", "StepSize", "Stopping")
    },
    "hopf_coefficient": "rivalry.methods.limit_sets.periodic_orbits:hopf_coefficient",
    "orbits_beyond": "rivalry.methods.limit_sets.periodic_orbits:orbits_beyond",
    "spectra": "rivalry.methods.limit_sets.eigenvalues:spectra",
    "spectrum": "rivalry.methods.limit_sets.end_state:spectrum",
}

# by text: a method's module is imported when it is used, so that `import rivalry` stays fast
_CLASSES = {target.split(":")[1]: target for entry in METHODS.values() for target in entry.targets}

lazy_package(__name__, _CLASSES | OTHERS, "METHODS")
