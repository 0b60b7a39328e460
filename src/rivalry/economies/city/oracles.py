"""Oracles of the congested city."""

from __future__ import annotations

import numpy as np

from rivalry.core import oracles
from rivalry.core.oracles import Labels
from rivalry.economies.city.model import City
from rivalry.population import oracles as populations


@oracles.payoff_scale.register(City)
def _(game: City) -> float:
    """Return the cost of being refused at the highest urgency in every step."""
    return float(np.max(game.stakes.max(axis=1) / (1 - game.gamma)))


oracles.labels.register(City)(lambda game: Labels(players=game.type_names))
oracles.to_agents.register(City)(City.world)


@populations.mean_field_refusal.register(City)
def _(game: City) -> str:
    reason = "city: every agent has journeys of its own, so that it has no mean field here"
    return f"{reason}; let agents learn in it, or simulate it"
