"""Leadership in any number of stages: a game in which each stage knows how all later ones reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from rivalry.core.game import Game
from rivalry.transforms.restricted import Leadership, Respond, stackelberg


def hierarchy(game: Game, stages: Sequence[Sequence[int]], respond: Respond) -> Leadership:
    """The game of the first of several stages, who know that each later stage knows and replies in turn.

    ``stages`` is an ordered partition of the players: those of one stage choose at once, knowing what the
    stages before chose. With two stages it is `stackelberg`; with more, the replies of the last are part of
    the game in which the one before replies, and so on. Raises `ValueError` for a player who is missing or
    named twice, and for less than two stages.

    >>> import rivalry as rv
    >>> game = rv.games.race(players=3)
    >>> hierarchy(game, [[1], [0, 2]], rv.transforms.Followers()).followers
    (0, 2)
    """
    players = game.space.shape[0]
    check_stages(stages, players)
    if len(stages) < 2:
        raise ValueError(f"stages: {len(stages)} stage; must be at least 2 for some to lead")
    left, here = list(range(players)), cast(Any, game)
    for last in range(len(stages) - 1, 0, -1):
        earlier = sorted(player for stage in stages[:last] for player in stage)
        here = stackelberg(here, [left.index(player) for player in earlier], respond)
        left = earlier
    return cast(Leadership, here)


def check_stages(stages: Any, players: int) -> None:
    """Raises `ValueError`, naming the firm, unless ``stages`` is an ordered partition of the players."""
    if not isinstance(stages, list | tuple) or not all(isinstance(s, list | tuple) and s for s in stages):
        raise ValueError(f"stages: {stages!r} must be a list of lists of players, as in [[0], [1]]")
    named = [player for stage in stages for player in stage]
    for player in named:
        if type(player) is not int or not 0 <= player < players:
            raise ValueError(f"stages: {player!r} is no player; must be in 0..{players - 1}")
        if named.count(player) > 1:
            raise ValueError(f"stages: player {player} is named twice; each must be in one stage")
    for player in range(players):
        if player not in named:
            raise ValueError(f"stages: player {player} is missing; each must be in one stage")
