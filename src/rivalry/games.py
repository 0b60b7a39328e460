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
    ),
    "influencer": FamilyEntry(
        "rivalry.families.influencer:influencer",
        "players choose positions; the resource at every point is shared in proportion to influence",
        "uᵢ(x) = Σₖ Bₖ fᵢ(xᵢ, bₖ) / Σᵣ fᵣ(xᵣ, bₖ), where Bₖ is the resource at the point bₖ and fᵢ(xᵢ, bₖ) "
        "the influence of player i there from position xᵢ; r runs over all players and outside rows",
        first={
            "game": {"players": 3, "resource": "bimodal"},
            "method": {"kind": "gradient_ascent", "start": [0.1, 0.4, 0.9]},
            "sweep": {"game.reach": [0.15, 0.2, 0.25, 0.3]},
        },
        begin=("lovett_fig6", "attention", "market_makers"),
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
    ),
    "race": FamilyEntry(
        "rivalry.families.race:race",
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
    ),
}

GAMES = collect("GAMES", _OWN)

lazy_package(__name__, {kind: entry.targets[0] for kind, entry in GAMES.items()}, "GAMES")
