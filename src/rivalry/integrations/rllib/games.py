"""Which arena a game is played in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rivalry.core.game import Game, is_agents, is_markov, is_population
from rivalry.integrations.rllib.arenas import Arena

if TYPE_CHECKING:
    from rivalry.integrations.rllib.learner import DeepLearner


def arena(game: Any, learner: DeepLearner) -> Arena:
    """The arena of a game, by a learner's ``moves``. Raises `ValueError` where there is none."""
    if is_agents(game) or is_population(game):
        from rivalry.integrations.rllib.agents import AgentsArena

        return AgentsArena.of(game, learner)
    if learner.moves == "lived" or is_markov(game):
        from rivalry.integrations.rllib.native import Lived

        return Lived.of(game, learner)
    if not isinstance(game, Game):
        raise ValueError(f"game: {type(game).__name__} has neither payoffs nor steps nor agents")
    if learner.moves in ("any", "levels"):
        from rivalry.integrations.rllib.rounds import RoundsArena

        return RoundsArena.of(game, learner)
    from rivalry.integrations.rllib.walks import Walk

    return Walk.of(game, learner)
