"""Charts, and the recipes of families that are drawn with them: labelled data in, Matplotlib axes out."""

from typing import Any

from rivalry.schema.register import PlotEntry, collect, is_beside_studies
from rivalry.schema.registry import lazy

PATH_VIEWS = ("path_gradients", "path_moves", "path_payoffs")
"""Plot data computed from a recorded path for games that do not provide them."""

_TITLES = {
    "rivalry.plots.charts.best_responses": {
        "cycle": "payoffs and gains along sequential best responses",
        "reaction": "best responses of two players and their intersections",
    },
    "rivalry.plots.charts.bifurcation": {
        "bifurcation": "branches of equilibria, lists of them, and end points of methods, against a parameter"
    },
    "rivalry.plots.charts.ends": {
        "basins": "initial profiles, coloured by the end point that each led to",
        "end_positions": "distribution of each player's end position",
    },
    "rivalry.plots.charts.class_gains": {
        "class_gains": "lower cost of every class than under other rules, and which classes gain or lose"
    },
    "rivalry.plots.charts.enumeration": {
        "enumeration": "boxes of a search for all equilibria of two choices, by the reason that settles each"
    },
    "rivalry.plots.charts.flow_map": {
        "flow_map": "flows of links as widths on the map of a road network, their use or cost as colours"
    },
    "rivalry.plots.charts.histogram": {
        "histogram": "distribution of profit gains, payoffs or another metric over sessions, with negative"
        " controls"
    },
    "rivalry.plots.charts.learning_curve": {
        "learning_curve": "rewards, choices, regret or another metric during learning, by player or by method"
    },
    "rivalry.plots.charts.logit_branch": {
        "logit_branch": "probability of each action against lambda along a branch of logit equilibria"
    },
    "rivalry.plots.charts.paths": {
        "paths": "positions, payoffs or gradients from the start to the end of a run, or greedy play of"
        " policies"
    },
    "rivalry.plots.charts.phase": {
        "landscape": "own payoff against own position, the others' positions fixed",
    },
    "rivalry.plots.charts.proved_numbers": {
        "proved_numbers": "boxes around the equilibria for all values of a parameter, with their number"
    },
    "rivalry.plots.charts.scenario": {
        "heat": "one metric over two parameters; cells without a certificate are hatched",
        "scenario": "metrics against one parameter, by player or by the values of another",
    },
    "rivalry.plots.charts.spectra": {
        "spectrum": "eigenvalues of the dynamics; stable where all real parts are negative",
        "stability_window": "region of two parameters in which the symmetric equilibrium is stable",
    },
    "rivalry.plots.charts.strategies": {
        "impulse_response": "play after one deviation of a learner",
        "policy": "probability of each action in each state under learned policies",
        "strategies": "mixed strategies as bars",
    },
    "rivalry.plots.charts.triangle": {
        "ternary": "one player on a simplex of three corners: path, branches, gradients"
    },
    "rivalry.families.influencer.figures": {
        "influence": "influence of every player over the space",
        "resource": "distribution of the resource over the space",
        "shares": "share of the resource of every player over the space",
    },
    "rivalry.families.market.figures": {
        "commitment": "value of a leader against the cost of revising its plans, with benchmarks",
        "valuation_path": "cumulated discounted cash flows per period, and the terminal value",
    },
    "rivalry.families.race.figures": {
        "deviation": "gain from another investment in period 0",
        "payoff_landscape": "own payoff by two own inputs on logarithmic axes, and the best response",
        "schedule": "inputs of every player per period",
        "technology": "technology levels and probability of continuation per stage",
        "precipice": "risk against enmity, by the information of the players",
        "safety_frontier": "probability of a disaster against performance, for several results",
        "subsidy": "effects of a subsidy, by player and price",
    },
}
"""Every module of charts or recipes, with the titles of its plots. A plot's function has the plot's name."""

_VIEWS = {"cycle": "path_moves", "ternary": "landscape"}
_OF_ITS_NAME = ("deviation", "influence", "landscape", "payoff_landscape", "reaction")
_VIEWS |= {name: name for name in (*_OF_ITS_NAME, "resource", "shares")}

_CAPTIONS = {
    "bifurcation": {
        "": "branches of equilibria and end points of runs against a parameter",
        "compare=True": "end points of several methods against a parameter, with their distance below",
    },
    "histogram": {
        "": "distribution of profit gains over sessions, between equilibrium and joint maximum",
        "form=means": "means over sessions of learners beside their placebos",
        "quantity=payoff": "distribution of payoffs over sessions",
    },
    "learning_curve": {
        "": "rewards, distance to equilibrium and regret during learning",
        "compare=True": "learners compared during learning, beside methods that do not learn",
        "quantity=choice": "choices of every player during learning",
        "quantity=regret": "regret of a learner against its steps",
        "quantity=relative_gap": "relative gap of flows in a road network after every round",
    },
    "paths": {
        "": "positions from the start to the end of a run",
        "quantity=gradient": "own payoff gradient of every player along the path",
        "quantity=greedy": "greedy play of learned policies",
        "quantity=payoff": "payoff of every player along the path",
        "space=cube": "path of three players in the unit cube",
        "space=diagonal": "path of three players in the unit cube, viewed along its diagonal",
    },
}

_OWN = {
    kind: PlotEntry(
        f"{module}:{kind}",
        title,
        families=tuple(module.split(".")[2:3]) if ".families." in module else (),
        views=(_VIEWS[kind],) if kind in _VIEWS else (),
        spare=kind == "ternary",
        by_quantity={"gradient": "path_gradients", "payoff": "path_payoffs"} if kind == "paths" else {},
        captions=_CAPTIONS.get(kind, {}),
    )
    for kind, title, module in sorted((*row, module) for module in _TITLES for row in _TITLES[module].items())
}
PLOTS = collect("PLOTS", _OWN)


def entry_of(kind: str) -> PlotEntry | None:
    """Return the entry of a plot of the package, which is without a title beside the bundled studies."""
    return PlotEntry(kind, "") if is_beside_studies(kind) else PLOTS.get(kind)


def __getattr__(name: str) -> Any:
    targets = {kind: entry.target for kind, entry in PLOTS.items()} | {"film": "rivalry.plots.films:film"}
    return lazy(__name__, targets, name)


def __dir__() -> list[str]:
    return sorted(["PLOTS", "film", *PLOTS])
