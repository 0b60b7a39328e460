"""Registrations of road traffic: its games and methods."""

from rivalry.schema.register import DefaultFigure, Entry, FamilyDefaults, FamilyEntry, PlotEntry

GAMES = {
    "routes": FamilyEntry(
        "rivalry.roads.factory:routes",
        "travellers of a continuum choose routes through a road network",
        "cost of route r: c_r = Σ_{l on r} [t_l(v_l) + tolls], where v_l is the flow of link l, and t_l(v) = "
        "t0_l (1 + b (v / capacity)^power) or a formula; at the user equilibrium no used route costs more "
        "than another of its pair",
        first={
            "method": {"kind": "user_equilibrium"},
            "sweep": {"game.links": ["pigou", "braess"]},
        },
        words={"links": "road network", "closed": "set of closed links"},
        continuum=True,
    ),
    "bottleneck": FamilyEntry(
        "rivalry.roads.bottleneck:bottleneck",
        "travellers of a continuum choose when to pass a bottleneck, by its queue or for a payment",
        "cost of an arrival at t: α delay(t) or toll(t), plus β (t* - t) before the desired time t* or "
        "γ (t - t*) after it; delays and tolls are 0 where arrivals are below capacity",
        first={
            "method": {"kind": "departure_time_equilibrium"},
            "sweep": {"game.fast_share": [0.0, 0.5, 1.0]},
        },
        words={"toll.times": "times of steps", "toll.levels": "toll levels"},
        continuum=True,
    ),
}

METHODS = {
    "departure_time_equilibrium": Entry(
        ("rivalry.roads.departures:DepartureTimeEquilibrium",),
        "times and lanes at which travellers pass a bottleneck, where none would gain by another",
        result=("slow_arrivals", "fast_arrivals", "delay", "toll"),
        draws="nothing",
    ),
    "user_equilibrium": Entry(
        ("rivalry.roads.assignment:UserEquilibrium",),
        "route flows at which no traveller has a cheaper route, with their gap",
        result=("flow", "cost"),
        draws="nothing",
    ),
    "system_optimum": Entry(
        ("rivalry.roads.assignment:SystemOptimum",),
        "route flows of the lowest total cost, with marginal tolls",
        result=("flow", "cost", "marginal_toll"),
        draws="nothing",
    ),
    "stochastic_user_equilibrium": Entry(
        ("rivalry.roads.stochastic:StochasticUserEquilibrium",),
        "route flows by logit choice among all routes, at the costs that they cause",
        result=("flow", "cost"),
        draws="nothing",
    ),
}

TABLES = {
    "flow": "rivalry.roads.tables:links",
    "slow_arrivals": "rivalry.roads.tables:departures",
    "total_cost": "rivalry.roads.tables:totals",
}

PLOTS = {
    "arrivals": PlotEntry(
        "rivalry.roads.figures:arrivals",
        "arrivals at a bottleneck over time, by class and lane, with delays and tolls",
        families=("bottleneck",),
    )
}

DEFAULTS = {
    "bottleneck": FamilyDefaults(
        ("travel_cost", "total_cost", "queue_cost", "gini", "worst_decile"),
        (DefaultFigure("arrivals", "slot_time"), DefaultFigure("class_gains", "benchmark_cost")),
    ),
    "routes": FamilyDefaults(
        ("travel_cost", "total_cost", "gini", "worst_decile", "relative_gap"),
        (
            DefaultFigure("flow_map", "link_node", values=True),
            DefaultFigure("class_gains", "benchmark_cost"),
            DefaultFigure(
                "learning_curve", "relative_gap_curve", "each", options={"quantity": "relative_gap"}
            ),
        ),
    ),
}
