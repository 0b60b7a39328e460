"""The families: a name, its factory, one sentence. A factory's signature is its schema."""

import sys
from typing import Any

from rivalry.core.registry import Entry, LazyPackage, lazy

GAMES = {
    "city": Entry(
        ("rivalry.economies.city:city",),
        "agents travel through a city and bid karma for admission to its lanes",
        "reward -u for a step at a lane that refuses, 0 for one that admits or is dormant: of those who want "
        "lane l the W(l) who bid most are admitted, pay their bids, and move on along their path, where u is "
        "the urgency of the trip; all payments are shared out among all agents",
    ),
    "influencer": Entry(
        ("rivalry.games.influencer:influencer",),
        "players choose positions; the resource at every point is shared in proportion to influence",
        "uᵢ(x) = Σₖ Bₖ fᵢ(xᵢ, bₖ) / Σᵣ fᵣ(xᵣ, bₖ), where Bₖ is the resource at the point bₖ and fᵢ(xᵢ, bₖ) "
        "the influence there of player i at position xᵢ; r runs over all players and outside rows",
    ),
    "karma": Entry(
        ("rivalry.economies.karma:karma",),
        "agents bid for a resource, again and again, with a currency that buys nothing else",
        "reward -u for losing, 0 for winning: of two agents who meet at random the one who bids more wins, "
        "with chance θ(b) = Σ_{c<b} ν(c) + ν(b)/2 against the bid law ν; V(u,k) = Σ_b π(b|u,k) [-u (1-θ(b)) "
        "+ γ E V(u',k')], summed over bids b, where karma k' moves by the payment and by sharing the surplus "
        "out up to level s",
    ),
    "market": Entry(
        ("rivalry.games.market:market",),
        "competition in quantities or prices, simultaneous, in stages or in turns; firms valued by cash flow",
        "πᵢ = (1-τᵢ)[pᵢ qᵢ - Fᵢ 1(qᵢ > 0) - cᵢ qᵢ - dᵢ qᵢ²/2] with linear demand P = max(a - b Q, 0), "
        "isoelastic P = A Q^(-1/η), differentiated pᵢ = A - b qᵢ - gₛ Σⱼ qⱼ, or logit shares "
        "qᵢ = exp((aᵢ-pᵢ)/μ) / (Σⱼ exp((aⱼ-pⱼ)/μ) + exp(a₀/μ)); over periods Vᵢ = Σₜ γᵢᵗ CFᵢₜ",
    ),
    "matrix": Entry(
        ("rivalry.games.matrix:matrix",),
        "finite games given by payoff tables, in mixed strategies; named classics",
        "uᵢ(x) = Σₐ Tᵢ(a) Πⱼ xⱼ(aⱼ), where Tᵢ(a) is what player i gets when the joint action a is played and "
        "xⱼ(aⱼ) the probability with which player j takes its part",
        example={"name": "prisoners_dilemma"},
    ),
    "precipice": Entry(
        ("rivalry.games.race.precipice:precipice",),
        "teams of unequal capability race; who skimps on safety wins, and may ruin all",
        "uᵢ = E[s_w (1 if w = i else 1 - e)], where w is the team of highest capability less safety, c - s, "
        "with c drawn evenly from [0, μ], s the safety it chooses and e the enmity",
    ),
    "race": Entry(
        ("rivalry.games.race:race",),
        "players spend on performance, which wins, and on safety, which makes a win end well",
        "uᵢ = Σⱼ qⱼ [Sⱼ ρᵢⱼ + (1-Sⱼ)(keepᵢ ρᵢⱼ - dᵢⱼ)] + q₀ vᵢ - cᵢ, where qⱼ is the chance that j wins by "
        "its performance pⱼ = Bⱼ xpⱼ^βⱼ, Sⱼ the chance that all ends well if j does, from the odds "
        "Aⱼ xsⱼ^αⱼ pⱼ^-θⱼ, ρ the rewards, d the cost of a disaster and q₀ the chance that nobody wins; over "
        "periods Uᵢ = Σₜ γᵢᵗ Wₜ uᵢ(t), Wₜ being the chance that period t is reached",
    ),
}


def __getattr__(name: str) -> Any:
    return lazy(__name__, {kind: entry.targets[0] for kind, entry in GAMES.items()}, name)


def __dir__() -> list[str]:
    return sorted(["GAMES", *GAMES])


sys.modules[__name__].__class__ = LazyPackage
