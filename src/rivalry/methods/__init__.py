"""Solvers, dynamics and learners: a kind, its class (one per protocol), one sentence."""

from rivalry.schema.register import Entry, collect
from rivalry.schema.registry import lazy_package

# One algorithm, one file: the module has the name of the kind, and so has the class, `ActorCritic`.
# Kinds that differ in a rule alone are classes of one module, `_SHARED`.
_TITLES = {
    "rivalry.methods": {
        "closed_form": "closed-form solutions that the game provides, with certificates",
        "evaluate": "the start itself, with a certificate; no search",
    },
    "rivalry.methods.continuation": {
        "branches": (
            "equilibria along one parameter: branches, folds, symmetry breaking, Hopf points and limit cycles"
        ),
        "comparative_statics": "derivatives of an equilibrium in a parameter, by implicit differentiation",
        "quantal_response": (
            "logit (quantal response) equilibria of a finite game from uniform play on, as lambda grows"
        ),
        "thresholds": "parameter values at which the symmetric profile gains or loses stability",
    },
    "rivalry.methods.continuous": {
        "actor_critic": "stochastic policies over continuous choices, by policy gradients with a critic",
        "double_oracle": "mixed equilibrium of a continuous game: a finite game extended by best responses",
        "variational_equilibrium": "equilibrium under shared constraints, with multipliers in common",
    },
    "rivalry.methods.dynamic_games": {
        "feedback": "Markov-perfect equilibrium of a game over periods, on a grid of states",
        "linear_quadratic": (
            "infinite-horizon linear-quadratic games: Markov-perfect, with a leader, or one common plan"
        ),
        "periods": "backward induction over periods, each a game given continuation values",
    },
    "rivalry.methods.dynamics": {
        "best_response": "players move to their global best responses, in turn or simultaneously",
        "directional": "win-continue, lose-reverse adjustment of choices",
        "gradient_ascent": "every player follows the gradient of its own payoff in small steps",
        "gradient_flow": "gradient ascent in continuous time, by an adaptive stiff solver",
        "replicator": "replicator dynamics on simplices: strategies with above-average payoffs grow",
    },
    "rivalry.methods.finite": {
        "correlated_equilibrium": (
            "the correlated equilibrium of highest welfare of a finite game, and the vertices of all"
        ),
        "evolutionary_stability": (
            "which strategies of a symmetric game are evolutionarily stable, and who invades others, exactly"
        ),
        "fermi": "finite populations: imitation by pairwise comparison, at rare or frequent mutations",
        "hedge": "multiplicative weights: mixed strategies updated by the exponential of expected payoffs",
        "linear_programme": (
            "one equilibrium of a zero-sum game of two players, also in extensive form, with proved bounds"
        ),
        "mixed_commitment": "the best mixed strategy of a leader that the other player observes, with bounds",
        "mixed_equilibria": (
            "all extreme equilibria of a two-player finite game, exactly; of more, those of all_equilibria"
        ),
        "moran": "finite populations: the frequency-dependent Moran process, at rare or frequent mutations",
        "pure_equilibria": "all pure equilibria of a finite game, by enumeration",
        "regret_matching": "sampled repeated play with probabilities proportional to positive regrets",
        "round_robin": "every strategy of a list meets every other in the repeated game, as finite automata",
        "softmax_policy_gradient": (
            "gradient ascent in the logits of a softmax, with exact or sampled payoffs"
        ),
        "subgame_perfect_equilibria": (
            "subgame-perfect equilibria of games in extensive form, by recursion over subgames, exactly"
        ),
        "subgame_perfect_payoffs": (
            "subgame-perfect payoffs of an infinitely repeated game of two players, with pure strategies"
        ),
    },
    "rivalry.methods.populations": {
        "online_mirror_descent": "populations: the softmax of cumulative values",
    },
}
_SHARED = {
    "fermi": "birth_death",
    "hedge": "table_learners",
    "moran": "birth_death",
    "regret_matching": "table_learners",
    "softmax_policy_gradient": "table_learners",
}
_RESULTS = {
    "branches": "branch_parameter",
    "comparative_statics": "slope",
    "correlated_equilibrium": "joint_distribution",
    "directional": "mean_choice",
    "double_oracle": "mixture",
    "evolutionary_stability": "stability",
    "fermi": "fixation mean_share",
    "hedge": "profile mixture",
    "linear_programme": "game_value profile",
    "linear_quadratic": "feedback value",
    "mixed_commitment": "commitment",
    "mixed_equilibria": "equilibria",
    "moran": "fixation mean_share",
    "online_mirror_descent": "distribution profile",
    "periods": "stage_regret profile",
    "pure_equilibria": "equilibria",
    "quantal_response": "logit_lambda logit_profile",
    "regret_matching": "profile mixture",
    "round_robin": "score match_payoff",
    "softmax_policy_gradient": "profile mixture",
    "subgame_perfect_equilibria": "equilibria",
    "subgame_perfect_payoffs": "payoff_vertices",
    "thresholds": "crossing",
}
"""What methods are for that are not for a profile alone; mixtures are of points of a grid."""
_OWN = {
    kind: Entry(
        (f"{package}.{_SHARED.get(kind, kind)}:{kind.title().replace('_', '')}",),
        title,
        result=tuple(_RESULTS.get(kind, "profile").split()),
    )
    for package, titles in _TITLES.items()
    for kind, title in titles.items()
}
_OWN |= {
    "all_equilibria": Entry(
        (
            "rivalry.methods.continuous.all_equilibria:AllEquilibria",
            "rivalry.methods.finite.finite_equilibria:FiniteEquilibria",
        ),
        "all equilibria, each with a proof, and whether the list is complete: pure ones on boxes and "
        "simplices, mixed ones of finite games",
        result=("equilibria", "where_count"),
    ),
    "design": Entry(
        ("rivalry.methods.design.design:Design", "rivalry.methods.design.design:RuleDesign"),
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
    ),
    "newton": Entry(
        ("rivalry.methods.limit_sets.newton:Newton", "rivalry.methods.populations.newton:PopulationNewton"),
        "a nearby root of all own gradients; in populations, the logit equilibrium",
        result=("eigenvalues_real", "distribution"),
    ),
    "q_learning": Entry(
        (
            "rivalry.methods.q_learning.q_learning:QLearning",
            "rivalry.methods.q_learning.period_q_learning:PeriodQLearning",
        ),
        "independent Q-learning: every player learns the values of its actions by trial",
        result=("profile", "agent_payoff", "mean_return"),
    ),
    "repeated_q_learning": Entry(
        ("rivalry.methods.q_learning.repeated_q_learning:RepeatedQLearning",),
        "Q-learning in the infinitely repeated game with bounded memory, until greedy policies are stable",
        controls=("gamma_zero", "memoryless", "myopic_follower", "random"),
        result=("converged", "full_gap", "cycle_length"),
    ),
}
METHODS = collect(
    "METHODS", _OWN, lambda entry, further: entry._replace(targets=entry.targets + further.targets)
)

WITHOUT_DRAWS = frozenset(
    (
        *("all_equilibria", "closed_form", "correlated_equilibrium"),
        *("departure_time_equilibrium", "evolutionary_stability", "fermi", "linear_programme"),
        *("linear_quadratic", "mixed_commitment", "mixed_equilibria", "moran", "pure_equilibria"),
        *(
            "round_robin",
            "stochastic_user_equilibrium",
            "subgame_perfect_equilibria",
            "subgame_perfect_payoffs",
            "system_optimum",
            "thresholds",
        ),
        "user_equilibrium",
    )
)
"""Kinds whose results depend on no random draws, as long as no start is given."""
DRAWS_WITH = {"fermi": "mutation", "moran": "mutation"}
"""Of these, kinds that may simulate where an option is set."""
WITHOUT_DRAWS_FROM_A_START = frozenset(("best_response", "evaluate", "online_mirror_descent"))
"""Kinds whose results depend on no random draws from a given start, unless ``order = "random"``."""
SOLVERS = (
    WITHOUT_DRAWS
    | WITHOUT_DRAWS_FROM_A_START
    | {
        *("branches", "comparative_statics", "double_oracle", "feedback"),
        *("gradient_ascent", "gradient_flow", "newton", "periods", "quantal_response", "replicator"),
        "variational_equilibrium",
        # of bundled studies
        *("analytic_constants", "commitment_with_switching_cost", "finite_horizon_play", "scaling_law"),
        *("sublinearity", "walk_mirror_descent"),
    }
)
"""Kinds that draw at most their start: a single result has no noise."""
TOGETHER = frozenset(
    (
        *("best_response", "evaluate", "gradient_ascent", "gradient_flow", "newton"),
        # learners: every session is the one that runs alone, and their ends are certified together
        *("actor_critic", "fictitious_play", "hedge", "q_learning", "regret_matching"),
        *("repeated_q_learning", "softmax_policy_gradient"),
    )
)
"""Kinds whose cells are computed together, ``cells_per_batch`` of them by one task."""

# What is no kind of method, loaded by its own name: functions on profiles, and tables of options.
OTHERS = {
    "AgentPlay": "rivalry.methods.finite.agent_play:AgentPlay",  # of a class that a study names
    **{
        name: f"rivalry.methods.q_learning.options:{name}" for name in ("Exploration", "StepSize", "Stopping")
    },
    "spectra": "rivalry.methods.limit_sets.eigenvalues:spectra",
    "spectrum": "rivalry.methods.limit_sets.end_state:spectrum",
}

# by text: a method's module is imported when it is used, so that `import rivalry` stays fast
_CLASSES = {target.split(":")[1]: target for entry in METHODS.values() for target in entry.targets}

lazy_package(__name__, _CLASSES | OTHERS, "METHODS")
