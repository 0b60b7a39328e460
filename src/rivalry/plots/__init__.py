"""Pictures by kind: labelled data in, Matplotlib Axes out."""

import sys
from typing import Any, NamedTuple

from rivalry.core.registry import Room, lazy


class PlotEntry(NamedTuple):
    """A plot's function, one sentence, and the game's views it draws (stored in the cells that need them).

    ``spare``: it draws the views where the game has them, and something without.
    """

    target: str
    title: str
    views: tuple[str, ...] = ()
    spare: bool = False


PATH_VIEWS = ("path_gradients", "path_moves", "path_payoffs", "snapshots")
"""Views that are worked out from a recorded path, for games that do not know them."""

PLOTS = {
    "agent_histogram": PlotEntry(
        "rivalry.economies.figures.exploitability:agent_histogram",
        "how what each could gain, or got, is spread over agents",
    ),
    "basins": PlotEntry("rivalry.plots.ends:basins", "starts coloured by the end that each led to"),
    "bid_congestion": PlotEntry(
        "rivalry.economies.figures.congestion:bid_congestion",
        "mean bids on the lanes of a city against how many want them",
    ),
    "bid_law": PlotEntry(
        "rivalry.economies.figures.bidding:bid_law", "how often each bid is made, and how likely it wins"
    ),
    "bifurcation": PlotEntry(
        "rivalry.plots.sweep:bifurcation", "branches of equilibria and end points of runs over a parameter"
    ),
    "class_table": PlotEntry(
        "rivalry.economies.figures.class_table:class_table",
        "what lucky, average and unlucky agents of a city bid and get",
    ),
    "commitment": PlotEntry(
        "rivalry.plots.commitment:commitment",
        "a leader's value by what it costs to go back on its plans, with benchmarks",
    ),
    "control_panel": PlotEntry(
        "rivalry.plots.sessions:control_panel", "mean gains of learners beside their negative controls"
    ),
    "cube": PlotEntry("rivalry.plots.cube:cube", "three players' path in the cube, also along its diagonal"),
    "cycle": PlotEntry(
        "rivalry.plots.replies:cycle", "payoffs and gains of best responses in turn", ("path_moves",)
    ),
    "dcf_sensitivity": PlotEntry(
        "rivalry.plots.valuations:dcf_sensitivity",
        "a firm's value by discount rate and growth",
        ("dcf_sensitivity",),
    ),
    "design_search": PlotEntry(
        "rivalry.economies.figures.design_search:design_search",
        "what a planner's search of rules found: its objective, seed by seed, and exploitability",
    ),
    "deviation": PlotEntry(
        "rivalry.plots.replies:deviation", "what another first investment would gain", ("deviation",)
    ),
    "dynamics_vs_learning": PlotEntry(
        "rivalry.plots.compare:dynamics_vs_learning",
        "ends of dynamics and of learners over a parameter, distance below",
    ),
    "end_positions": PlotEntry("rivalry.plots.ends:end_positions", "how often each player ends where"),
    "example_bids": PlotEntry(
        "rivalry.economies.figures.example_agents:example_bids",
        "what a lucky, an average and an unlucky agent of a city bid",
    ),
    "example_routes": PlotEntry(
        "rivalry.economies.figures.streets:example_routes",
        "the paths of a lucky, an average and an unlucky agent of a city",
    ),
    "exploitability_curve": PlotEntry(
        "rivalry.economies.figures.exploitability:exploitability_curve",
        "what agents could gain as they learn, exact and sampled, and how far from equilibrium they are",
    ),
    "fairness_plane": PlotEntry(
        "rivalry.economies.figures.fairness:fairness_plane",
        "efficiency against fairness over a swept parameter, with rules that know no karma",
    ),
    "gradients": PlotEntry(
        "rivalry.plots.paths:gradients", "own gradients of every player along the path", ("path_gradients",)
    ),
    "heat": PlotEntry(
        "rivalry.plots.scenario:heat", "one measure over two parameters, doubted cells hatched"
    ),
    "impulse_response": PlotEntry(
        "rivalry.plots.impulse:impulse_response", "what follows when a learner departs once"
    ),
    "influence": PlotEntry(
        "rivalry.plots.resource:influence",
        "how strong everybody's influence is, place by place",
        ("influence",),
    ),
    "karma_histogram": PlotEntry(
        "rivalry.economies.figures.bidding:karma_histogram", "how many agents hold how much karma"
    ),
    "landscape": PlotEntry(
        "rivalry.plots.phase:landscape", "own payoff against own position, the others fixed", ("landscape",)
    ),
    "lane_load": PlotEntry(
        "rivalry.economies.figures.congestion:lane_load",
        "how many want each lane in free flow, against its capacity",
    ),
    "learners": PlotEntry(
        "rivalry.plots.learners:learners",
        "what several learners are paid as they learn, beside what equilibria pay",
    ),
    "learning": PlotEntry(
        "rivalry.plots.mixtures:learning", "a measure and the regret as mixtures are learned, by method"
    ),
    "learning_curve": PlotEntry(
        "rivalry.plots.learning:learning_curve", "rewards, distance and regret as learners learn"
    ),
    "mean_bids": PlotEntry(
        "rivalry.economies.figures.bidding:mean_bids",
        "mean bids against karma, by urgency, of several methods or cells",
    ),
    "paths": PlotEntry("rivalry.plots.paths:paths", "positions on the way from the start to the end"),
    "payoff_landscape": PlotEntry(
        "rivalry.plots.replies:payoff_landscape",
        "own payoff by two own inputs, both logarithmic, and the best reply",
        ("payoff_landscape",),
    ),
    "payoffs": PlotEntry(
        "rivalry.plots.paths:payoffs", "payoffs of every player along the path", ("path_payoffs",)
    ),
    "policy": PlotEntry("rivalry.plots.learning:policy", "how often learners take each action in each state"),
    "policy_map": PlotEntry(
        "rivalry.economies.figures.policy_maps:policy_map",
        "chances of bids by karma and urgency, learned beside equilibrium",
    ),
    "precipice": PlotEntry(
        "rivalry.plots.points:precipice", "risk against enmity, by what players know of each other"
    ),
    "profit_gain": PlotEntry(
        "rivalry.plots.sessions:profit_gain",
        "how profit gains are spread over sessions, between equilibrium and joint maximum",
    ),
    "profit_histogram": PlotEntry(
        "rivalry.plots.sessions:profit_histogram", "how payoffs, or another measure, spread over sessions"
    ),
    "reaction": PlotEntry(
        "rivalry.plots.replies:reaction", "two players' best replies, and where they cross", ("reaction",)
    ),
    "regret_curve": PlotEntry(
        "rivalry.plots.paths:regret_curve", "how a learner's regret falls with its steps"
    ),
    "resource": PlotEntry(
        "rivalry.plots.resource:resource", "how much of the resource is where", ("resource",)
    ),
    "rollout": PlotEntry("rivalry.plots.learning:rollout", "greedy play of learned policies"),
    "safety_frontier": PlotEntry(
        "rivalry.plots.points:safety_frontier", "disaster against performance, for several results"
    ),
    "scaling_check": PlotEntry(
        "rivalry.economies.figures.scaling:scaling_check",
        "mean bids of economies of several sizes, scaled back",
    ),
    "scenario": PlotEntry(
        "rivalry.plots.scenario:scenario", "measures over one parameter, a series for each value of another"
    ),
    "schedule": PlotEntry("rivalry.plots.schedule:schedule", "what players put in, period by period"),
    "shares": PlotEntry(
        "rivalry.plots.resource:shares", "who gets which share of the resource, place by place", ("shares",)
    ),
    "snapshots": PlotEntry(
        "rivalry.plots.snapshots:snapshots", "influence and positions at chosen steps", ("snapshots",)
    ),
    "social_traces": PlotEntry(
        "rivalry.economies.figures.social:social_traces",
        "efficiency, fairness and changes of policies as agents learn",
    ),
    "spectrum": PlotEntry(
        "rivalry.plots.spectra:spectrum", "eigenvalues: small moves die out where no real part is above zero"
    ),
    "stability_window": PlotEntry(
        "rivalry.plots.spectra:stability_window", "where the symmetric point is stable, by two parameters"
    ),
    "strategies": PlotEntry("rivalry.plots.strategies:strategies", "mixed strategies as bars"),
    "street_map": PlotEntry(
        "rivalry.economies.figures.streets:street_map",
        "what happens on every lane of a city, on a map",
    ),
    "subsidy": PlotEntry("rivalry.plots.points:subsidy", "what subsidies change, by player and price"),
    "technology": PlotEntry(
        "rivalry.plots.schedule:technology", "technologies, and the chance that play goes on, stage by stage"
    ),
    "ternary": PlotEntry(
        "rivalry.plots.triangle:ternary",
        "one player on a simplex of three corners: path, branches, gradients",
        ("landscape",),
        spare=True,
    ),
    "valuation_path": PlotEntry(
        "rivalry.plots.valuations:valuation_path",
        "discounted cash flows summed up over periods, and what lies beyond",
    ),
    "vector_field": PlotEntry(
        "rivalry.plots.phase:vector_field", "two players' gradients, and where they vanish", ("vector_field",)
    ),
    "violations": PlotEntry(
        "rivalry.economies.figures.violations:violations",
        "how often drawn policies violate contractivity or monotonicity",
    ),
}


def __getattr__(name: str) -> Any:
    targets = {kind: entry.target for kind, entry in PLOTS.items()}
    return lazy(__name__, targets | {"animate": "rivalry.plots.snapshots:animate"}, name)


def __dir__() -> list[str]:
    return sorted(["PLOTS", "animate", *PLOTS])


sys.modules[__name__].__class__ = Room
