"""Game families: name, factory and summary of each. A factory's signature is its schema."""

from rivalry.schema.register import FamilyEntry, collect
from rivalry.schema.registry import lazy_package

_OWN = {
    "auction": FamilyEntry(
        "rivalry.families.auction:auction",
        "bidders with private or interdependent values bid for one object, at the first or the second price",
        "uᵢ = E[(vᵢ - t) 1(kᵢ sᵢ is the highest bid)], where t is that bid or the second-highest, signals s "
        "are uniform on [0, 1] and vᵢ = (1 - η/2) sᵢ + η/2 · mean of the others' signals; kᵢ is chosen",
        first={
            "game": {"price": "first"},
            "method": {"kind": "closed_form"},
            "sweep": {"game.players": [2, 3, 6]},
        },
        begin=("auction_revenue",),
        words={
            "players": "number of bidders",
            "affiliation": "affiliation of values",
        },
        axes=("bid per unit of the signal",),
        player="bidder",
    ),
    "continuous": FamilyEntry(
        "rivalry.families.continuous:continuous",
        "players choose numbers; payoffs and shared constraints are formulas",
        "uᵢ(x), a formula of all choices; g(x) <= 0, formulas that several players must satisfy together",
        first={
            "game": {
                "payoffs": ["-(x1 - 1)^2", "-(x2 - 1/2)^2"],
                "shared": ["x1 + x2 <= cap"],
                "parameters": {"cap": 1.0},
            },
            "method": {"kind": "variational_equilibrium"},
            "sweep": {"game.parameters.cap": [0.5, 1.0, 2.0]},
        },
        begin=("joint_cap", "river_basin", "harker1991"),
        words={"low": "lower bound", "high": "upper bound"},
    ),
    "influencer": FamilyEntry(
        "rivalry.families.influencer.factory:influencer",
        "players choose positions; the resource at every point is shared in proportion to influence",
        "uᵢ(x) = Σₖ Bₖ fᵢ(xᵢ, bₖ) / Σᵣ fᵣ(xᵣ, bₖ), where Bₖ is the resource at the point bₖ and fᵢ(xᵢ, bₖ) "
        "the influence of player i there from position xᵢ; r runs over all players and outside rows",
        first={
            "game": {"players": 3, "resource": "bimodal"},
            "method": {"kind": "gradient_ascent", "start": [0.1, 0.4, 0.9]},
            "sweep": {"game.reach": [0.15, 0.2, 0.25, 0.3]},
        },
        begin=("lovett_fig6", "attention", "market_makers"),
        words={
            "alpha": "concentration of influence",
            "budgets": "weight of influence",
            "corners": "number of coordinates",
            "covariance": "covariance of influence",
            "distance_floor": "smallest distance",
            "exponent": "exponent of influence",
            "reach_cost": "price of reach",
            "third_party": "influence of a third party",
            "variance": "variance of influence",
        },
        axes=("position (units of the space)",),
    ),
    "market": FamilyEntry(
        "rivalry.families.market:market",
        "competition in quantities or prices, simultaneous, in stages or in turns; firms valued by cash flow",
        "πᵢ = (1-τᵢ)[pᵢ qᵢ - Fᵢ 1(qᵢ > 0) - cᵢ qᵢ - dᵢ qᵢ²/2] with linear demand P = max(a - b Q, 0), "
        "isoelastic P = A Q^(-1/η), differentiated pᵢ = A - b qᵢ - gₛ Σⱼ qⱼ, or logit shares "
        "qᵢ = exp((aᵢ-pᵢ)/μ) / (Σⱼ exp((aⱼ-pⱼ)/μ) + exp(a₀/μ)); over periods Vᵢ = Σₜ γᵢᵗ CFᵢₜ",
        first={
            "game": {"choice": "quantity", "players": 2},
            "method": {"kind": "best_response"},
            "sweep": {"game.unit_cost": [0.0, 10.0, 20.0]},
        },
        begin=("market_textbook", "calvano2020", "market_leadership"),
        words={
            "players": "number of firms",
            "intercept": "demand intercept",
            "slope": "slope of demand",
            "elasticity": "elasticity of demand",
            "outside_option": "quality of the outside option",
            "price_flat_below": "output below which the price is constant",
            "consumers.weights": "shares of the kinds of buyers",
            "consumers.quality": "tastes for goods by kind of buyer",
            "consumers.taste_spread": "taste spread by kind of buyer",
            "low": "smallest choice",
            "high": "largest choice",
            "grid_margin": "margin of the action grid",
            "growth": "growth rate of the market",
            "initial": "initial choice",
            "sticky": "weight of the previous price",
            "cash": "initial cash",
            "cash_min": "minimum cash",
            "capex": "price of capacity",
            "capex_convex": "convexity of the investment cost",
            "depreciation": "depreciation of capacity",
            "wacc": "cost of capital",
            "survival": "probability of survival",
            "tax": "tax rate",
            "tax_losses": "treatment of losses",
            "owners": "owners of products",
            "ownership": "weights of firms' profits",
            "cost_saving": "cost saved by firms with several products",
            "horizon": "number of periods",
            "convention": "time of cash flows",
            "terminal": "terminal value",
            "terminal_growth": "growth rate after the horizon",
            "multiple": "terminal multiple",
            "shock.rho": "autocorrelation of the shock",
            "shock.levels": "levels of the shock",
            "shock.probabilities": "distribution of the shock",
            "shock.transitions": "transition matrix of the shock",
        },
        player="firm",
    ),
    "matrix": FamilyEntry(
        "rivalry.families.matrix:matrix",
        "finite games given by payoff tables, in mixed strategies; named classics",
        "uᵢ(x) = Σₐ Tᵢ(a) Πⱼ xⱼ(aⱼ), where Tᵢ(a) is the payoff of player i at the joint action a and "
        "xⱼ(aⱼ) the probability that player j plays its part of a",
        example={"name": "prisoners_dilemma"},
        first={
            "game": {"name": "chicken"},
            "method": {"kind": "replicator", "start": [[0.8, 0.2], [0.7, 0.3]]},
            "sweep": {"game.name": ["chicken", "stag_hunt", "prisoners_dilemma"]},
        },
        begin=("matrix_classics", "shapley_learning", "logit_branch"),
        words={
            "name": "game",
            "size": "number of actions",
            "win": "payoff of winning",
            "cost": "cost of effort",
            "multiplier": "return on contributions",
        },
    ),
    "precipice": FamilyEntry(
        "rivalry.families.precipice:precipice",
        "unequal teams race; the team that spends least on safety wins but may cause a disaster",
        "uᵢ = E[s_w (1 if w = i else 1 - e)], where w is the team of highest capability less safety, c - s, "
        "with c uniform on [0, μ], s the chosen safety and e the enmity",
        first={
            "game": {"players": 2},
            "method": {"kind": "closed_form"},
            "sweep": {"game.enmity": [0.25, 0.5, 1.0]},
        },
        begin=("race_precipice",),
        words={
            "players": "number of teams",
            "max_capability": "largest capability",
            "information": "information on capabilities",
        },
        axes=("safety",),
        player="team",
    ),
    "race": FamilyEntry(
        "rivalry.families.race.factory:race",
        "players invest in performance, which wins, and in safety, which prevents a disaster",
        "uᵢ = Σⱼ qⱼ [Sⱼ ρᵢⱼ + (1-Sⱼ)(keepᵢ ρᵢⱼ - dᵢⱼ)] + q₀ vᵢ - cᵢ, where qⱼ is the probability that j wins "
        "with performance pⱼ = Bⱼ xpⱼ^βⱼ, Sⱼ the probability of no disaster if j wins, from the odds "
        "Aⱼ xsⱼ^αⱼ pⱼ^-θⱼ, ρ the rewards, d the cost of a disaster and q₀ the probability that nobody wins; "
        "over periods Uᵢ = Σₜ γᵢᵗ Wₜ uᵢ(t), where Wₜ is the probability that period t is reached",
        first={
            "game": {"players": 2},
            "method": {"kind": "best_response", "start": "moderate"},
            "sweep": {"game.disaster_cost": [0.5, 1.0, 2.0]},
        },
        begin=("race_stakes", "race_leadership", "race_learning"),
        words={
            "disaster_cost": "cost of a disaster",
            "no_winner": "payoff if nobody wins",
            "horizon": "number of periods",
            "contest.kind": "contest",
            "contest.decisiveness": "decisiveness of the contest",
            "contest.ease_of_winning": "ease of winning",
            "risk.kind": "kind of risk",
            "risk.safety_weight": "weight of safety",
            "risk.loser_weight": "weight of the losers' safety",
            "reward.prize": "prize",
            "reward.prize_per_performance": "prize per unit of performance",
            "reward.loser_prize": "prize of a loser",
            "reward.loser_prize_per_performance": "prize of a loser per unit of performance",
            "reward.loser_prize_basis": "basis of a loser's prize",
            "reward.prize_survives": "survival of the prize",
            "cost.kind": "form of cost",
            "cost.safety_price": "price of safety",
            "cost.performance_price": "price of performance",
            "cost.price": "price of inputs",
            "cost.safety_price_slope": "slope of the price of safety",
            "cost.performance_price_slope": "slope of the price of performance",
            "cost.certified_price": "price with certification",
            "cost.minimum": "required safety",
            "cost.margin": "required margin of safety",
            "cost.fine": "fine",
            "cost.measured_by": "measure of the required safety",
            "cost.performance_tax": "tax on performance",
            "cost.safety_subsidy": "subsidy for safety",
            "technology.invest": "investment",
            "technology.share": "sharing",
            "technology.safety_investment_price": "price of investment in safety",
            "technology.performance_investment_price": "price of investment in performance",
            "technology.safety_sharing_price": "price of sharing safety",
            "technology.performance_sharing_price": "price of sharing performance",
            "technology.safety_depreciation": "depreciation of safety",
            "technology.performance_depreciation": "depreciation of performance",
            "technology.spillover": "spillover",
            "technology.sharing_unit": "unit of sharing",
            "end_on": "end of play",
        },
        axes=("safety input", "performance input"),
    ),
}

GAMES = collect("GAMES", _OWN)

_FACTORIES = {kind: entry.targets[0] for kind, entry in GAMES.items()}

lazy_package(__name__, _FACTORIES | {"lq": "rivalry.families.lq:lq"}, "GAMES")
