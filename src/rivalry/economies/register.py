"""Registrations of the economies: families, methods, plots, and reports on the families."""

from rivalry.schema.register import DefaultFigure, Entry, FamilyDefaults, FamilyEntry, PlotEntry

GAMES = {
    "city": FamilyEntry(
        "rivalry.economies.city:city",
        "agents travel through a city and bid karma for admission to its lanes",
        "reward -u per step in which an agent is refused, 0 otherwise: of the agents that request lane l the "
        "W(l) highest bidders are admitted, pay their bids, and continue along their path, where u is the "
        "urgency of the trip; payments are redistributed among all agents",
        first={
            "game": {"network": "stubs_2x2", "agents": 40, "max_karma": 8, "mean_karma": 4},
            "method": {"kind": "simulation", "plays": "uniform", "evaluation": 100},
            "sweep": {"game.mean_karma": [2, 4]},
        },
        begin=("city_free_flow", "city_mechanisms", "city_rules"),
        words={
            "local": "share of payments that is redistributed by lane",
            "p_dormant": "probability of a dormant step",
            "paths_per_agent": "number of paths per agent",
            "alternatives": "number of alternative paths",
            "demand": "trips by origin and destination",
            "urgency_distribution": "distribution of urgencies",
            "trip_distribution": "distribution of trips",
            "planning": "route planning",
            "tie": "rule for ties",
            "coalition": "size of the coalition",
            "coalition.from": "origin of the coalition",
            "transfer": "transfers in the coalition",
            "max_karma": "largest karma",
        },
    ),
    "karma": FamilyEntry(
        "rivalry.economies.karma:karma",
        "agents bid repeatedly for a resource with a currency that has no other use",
        "reward -u for losing, 0 for winning: of agents matched at random the highest bidders win, of two "
        "with probability θ(b) = Σ_{c<b} ν(c) + ν(b)/2 against the bid distribution ν; V(u,k) = Σ_b π(b|u,k) "
        "[-u (1-θ(b)) + γ E V(u',k')], summed over bids b, where karma k' follows from the payment and the "
        "redistribution of the surplus at level s",
        first={
            "game": {"max_karma": 8, "mean_karma": 4.0},
            "method": {"kind": "newton", "beta": 100.0, "start": "uniform"},
            "sweep": {"game.gamma": [0.5, 0.8, 0.95]},
        },
        begin=("karma_equilibrium", "karma_mechanisms", "karma_fairness"),
        words={
            "chain": "transition matrix of urgencies",
            "receiver": "recipient of payments",
            "price": "fixed price",
            "charge": "table of payments",
            "tie": "rule for ties",
            "tax": "tax on karma",
            "redistribute_every": "number of steps between redistributions",
            "max_karma": "largest karma",
            "signal": "signal of the other's karma",
        },
    ),
}

METHODS = {
    "q_learning": Entry(
        (
            "rivalry.economies.learning.q_learning:PopulationQLearning",
            "rivalry.economies.learning.city_q_learning:CityQLearning",
        ),
        "",
    ),
    "simulation": Entry(
        (
            "rivalry.economies.learning.simulation:Simulation",
            "rivalry.economies.learning.city_simulation:CitySimulation",
        ),
        "finitely many agents with fixed policies, or an allocation rule without karma",
        result=("efficiency",),
    ),
    "uncapped_equilibrium": Entry(
        ("rivalry.economies.karma.uncapped_equilibrium:UncappedEquilibrium",),
        "karma economies: the cap on karma is raised until hardly any agent is at it",
        result=("distribution", "profile"),
    ),
}

TABLES = {
    "agent_payoff": "rivalry.economies.tables:agents",
    "bid_distribution": "rivalry.economies.tables:bids",
    "efficiency": "rivalry.economies.tables:outcomes",
}

_TITLES = {
    "rivalry.economies.figures.bidding": {
        "bid_distribution": "frequency of each bid, and its probability of winning",
        "karma_histogram": "distribution of karma over agents",
        "mean_bids": "mean bid against karma, by urgency, for several methods or cells",
        "policy_map": "bid probabilities by karma and urgency, learned beside equilibrium",
    },
    "rivalry.economies.figures.congestion": {
        "bid_congestion": "mean bid per lane against the number of agents that demand it",
        "lane_load": "demand per lane in free flow against its capacity",
    },
    "rivalry.economies.figures.design_search": {
        "design_search": "objective and exploitability of the rules tried by a planner, by seed"
    },
    "rivalry.economies.figures.example_agents": {
        "example_bids": "bids of a lucky, an average and an unlucky agent of a city",
    },
    "rivalry.economies.figures.fairness": {
        "fairness_plane": "efficiency against fairness over a swept parameter, with rules without karma"
    },
    "rivalry.economies.figures.learning": {
        "agent_histogram": "distribution over agents of best-response gains, or of rewards",
        "exploitability_curve": "exploitability during learning, by dynamic programming and sampled, and"
        " distance to equilibrium",
        "social_traces": "efficiency, fairness and changes of policies during learning",
    },
    "rivalry.economies.figures.streets": {
        "example_routes": "routes of a lucky, an average and an unlucky agent of a city",
        "street_map": "one metric per lane on the map of a city",
    },
}
PLOTS = {
    kind: PlotEntry(f"{module}:{kind}", title, families=("karma", "city"))
    for module, titles in _TITLES.items()
    for kind, title in titles.items()
}

_WELFARE = DefaultFigure(
    "scenario", "efficiency", "series", swept=True, options={"quantities": ["efficiency", "payoff"]}
)
_FAIRNESS = DefaultFigure("fairness_plane", "access_fairness", swept=True)
_LEARNING = DefaultFigure("exploitability_curve", "monitor_step")
_GAINS = DefaultFigure("class_gains", "benchmark_cost")
_INEQUALITY = ("access_fairness", "reward_fairness", "gini", "worst_decile")
_ECONOMY = ("efficiency", *_INEQUALITY, "mean_relative_exploitability")

DEFAULTS = {
    "city": FamilyDefaults(_ECONOMY, (_WELFARE, _FAIRNESS, _GAINS, _LEARNING)),
    "karma": FamilyDefaults(
        (*_ECONOMY, "relative_exploitability", "entropy", "level"),
        (
            *(_WELFARE, _FAIRNESS, _GAINS, _LEARNING, DefaultFigure("mean_bids", "mean_bid", values=True)),
            DefaultFigure("karma_histogram", "karma_distribution", values=True),
        ),
    ),
}

REPORT_SECTIONS = {"travellers": "rivalry.economies.report:section"}

LABELS = {
    "COIN": "resources assigned at random",
    "DICT": "resources assigned by true urgency",
    "TURN": "resources assigned by turn-taking",
}

ENVIRONMENTS = {
    "CityArrays": "rivalry.economies.envs.city:CityCourse",
    "Economy": "rivalry.economies.envs.karma:EconomyCourse",
}

VIEWS = {"streets": "rivalry.economies.streets"}

HOOKS = {
    "city_policy": "rivalry.economies.envs.city:city_policy",
    "policy_table": "rivalry.economies.envs.karma:policy_table",
    "redistribution_level": "rivalry.economies.karma.transitions:redistribution_level",
}
