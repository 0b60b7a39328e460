"""Oracles: knowledge of a game beyond its space and payoffs, registered for the class of the game.

A game reserves two names, ``space`` and ``payoffs``. All other knowledge of it, from the scale of its payoffs
to a closed-form best response, is given by the *oracles* of this module: functions of a game, each with a
generic answer that holds for every game. A custom class registers its answers:

>>> import jax.numpy as jnp
>>> from rivalry import Box, certificate, oracles
>>> class Duopoly:
...     space = Box.interval(0.0, 1.0, players=2)
...
...     def payoffs(self, x):
...         return (x * (1 - x.sum()))[:, 0]
>>> @oracles.best_response.register(Duopoly)
... def _(game, x, player):
...     own = jnp.clip((1 - (x.sum() - x[player])) / 2, 0.0, 1.0)
...     return own, game.payoffs(x.at[player].set(own))[player], "exact"
>>> certificate(Duopoly(), [[1 / 3], [1 / 3]]).claim
'equilibrium'

Attributes and methods of a game are never read as answers, whatever their names.

The modules of a family depend on each other in the order model, analyses, oracles, factory. ``model.py``
holds the class, its data and its payoffs, and imports nothing of the family. ``oracles.py`` registers every
answer (``@oracles.best_response.register(Market, when=...)``) and may import model and analyses. The last
line of ``model.py`` names it as a string: ``at_home(Market, "rivalry.games.market.oracles")``. That module is
imported when an oracle first meets the class or a subclass, also in a spawned worker, since a process with a
game has imported its model. A family in one file, or a wrapper, registers beside the class and does not call
`at_home`.
"""

from __future__ import annotations

from typing import Any

from rivalry.core.oracles.conversions import (
    Stages,
    action_levels,
    initial_state,
    outside_linear,
    stage_game,
    state_bounds,
    state_game,
    to_adjustment_tables,
    to_agents,
    to_contest,
    to_finite,
    to_linear_quadratic,
    to_markov,
    to_repeated,
    to_stages,
    transition,
)
from rivalry.core.oracles.descriptions import (
    Labels,
    discontinuity,
    labels,
    metrics,
    named_start,
    payoff_scale,
    traced_metrics,
    validate_parameter,
)
from rivalry.core.oracles.dispatch import (
    Oracle,
    Unsupported,
    at_home,
    forwarded,
    oracle,
    unknown,
)
from rivalry.core.oracles.play import (
    GainBounds,
    active_players,
    alternating,
    base_game,
    cycle_value,
    discount_factors,
    discounting_channels,
    legal_actions,
    move_order,
    normalized_observation,
    own_units,
    payoff_growth,
    present_players,
    profit_gain_bounds,
)
from rivalry.core.oracles.responses import (
    Response,
    best_response,
    closed_form,
    deviation_payoff,
    exchangeable,
    gradients,
    gradients_of,
    jacobian,
    mixed_best_response,
    payoff_bound,
    plot_data,
    proved_response,
    search_points,
)

__all__ = [
    "CONVERSIONS",
    "ORACLES",
    "PLAY",
    "GainBounds",
    "Labels",
    "Oracle",
    "Response",
    "Stages",
    "Unsupported",
    "action_levels",
    "active_players",
    "alternating",
    "at_home",
    "base_game",
    "best_response",
    "closed_form",
    "cycle_value",
    "deviation_payoff",
    "discontinuity",
    "discount_factors",
    "discounting_channels",
    "exchangeable",
    "forwarded",
    "gradients",
    "gradients_of",
    "initial_state",
    "jacobian",
    "labels",
    "legal_actions",
    "metrics",
    "mixed_best_response",
    "move_order",
    "named_start",
    "normalized_observation",
    "oracle",
    "outside_linear",
    "own_units",
    "payoff_bound",
    "payoff_growth",
    "payoff_scale",
    "plot_data",
    "present_players",
    "profit_gain_bounds",
    "proved_response",
    "search_points",
    "stage_game",
    "state_bounds",
    "state_game",
    "to_adjustment_tables",
    "to_agents",
    "to_contest",
    "to_finite",
    "to_linear_quadratic",
    "to_markov",
    "to_repeated",
    "to_stages",
    "traced_metrics",
    "transition",
    "unknown",
    "validate_parameter",
]

ORACLES: tuple[Oracle[..., Any], ...] = (
    payoff_scale,
    discontinuity,
    labels,
    metrics,
    traced_metrics,
    named_start,
    validate_parameter,
    exchangeable,
    deviation_payoff,
    gradients,
    jacobian,
    best_response,
    proved_response,
    mixed_best_response,
    payoff_bound,
    search_points,
    closed_form,
    plot_data,
)
"""Oracles of games with payoffs. A wrapper answers each of them, or leaves it generic on purpose."""

CONVERSIONS: tuple[Oracle[..., Any], ...] = (
    to_finite,
    to_contest,
    action_levels,
    to_repeated,
    to_adjustment_tables,
    to_linear_quadratic,
    outside_linear,
    to_markov,
    to_stages,
    initial_state,
    transition,
    stage_game,
    state_game,
    state_bounds,
    to_agents,
)
"""Conversions of games and their oracles. A wrapper answers each of them, or leaves it generic on purpose."""

PLAY: tuple[Oracle[..., Any], ...] = (
    discount_factors,
    payoff_growth,
    move_order,
    alternating,
    base_game,
    profit_gain_bounds,
    cycle_value,
    discounting_channels,
    active_players,
    present_players,
    legal_actions,
    normalized_observation,
    own_units,
)
"""Oracles of play over periods. A wrapper answers each of them, or leaves it generic on purpose."""
