"""Environments of any game: for all who play, at once or one at a time."""

from __future__ import annotations

from typing import Any

from rivalry._registry import lazy, near
from rivalry.envs import cities, economies
from rivalry.envs.cities import CityEnv
from rivalry.envs.economies import EconomyEnv
from rivalry.envs.games import GameEnv
from rivalry.envs.turns import TurnEnv
from rivalry.games import GAMES
from rivalry.kernels.shapes import City, Economy


def parallel_env(
    game: Any, *, periods: int | None = None, scaled: bool = False, cap: bool = False
) -> GameEnv | EconomyEnv | CityEnv:
    """A game as a parallel environment of PettingZoo, in which all act at once.

    ``game`` is a game, or the name of a family for its default game. Games of players are played as in
    `GameEnv`, economies of agents as in `EconomyEnv`, cities as in `CityEnv`. Play is cut after ``periods``
    (default: 100 of a game, 1000 of an economy or a city; a game that is played on and on cuts itself). With
    ``scaled`` all that is seen is of order 1, for learners; with ``cap`` bids above the karma held are all
    there is, for learners that know no masks. Raises `ValueError` for what is no game.

    >>> env = parallel_env("influencer", periods=10)
    >>> seen, _ = env.reset(seed=1)
    >>> sorted(seen)
    ['player_0', 'player_1']
    """
    found = made(game)
    world = found.world() if hasattr(found, "world") else None
    if isinstance(world, Economy):
        steps = economies.PERIODS if periods is None else periods
        return EconomyEnv(found, periods=steps, cap=cap, scaled=scaled)
    if isinstance(world, City):
        return CityEnv(found, periods=cities.PERIODS if periods is None else periods, cap=cap, scaled=scaled)
    return GameEnv(found, periods=periods, scaled=scaled)


def aec_env(game: Any, *, periods: int | None = None, scaled: bool = False, cap: bool = False) -> TurnEnv:
    """A game as an environment of PettingZoo in which agents act one at a time; see `parallel_env`.

    Those who act at once act in the order of their numbers, without seeing one another (`TurnEnv`). Raises
    `ValueError` for what is no game.

    >>> env = aec_env("karma", periods=10)
    >>> env.reset(seed=1)
    >>> env.agent_selection
    'agent_0'
    """
    return TurnEnv(parallel_env(game, periods=periods, scaled=scaled, cap=cap))


def made(game: Any) -> Any:
    """A game, or the default game of the family of that name. Raises `ValueError`."""
    if not isinstance(game, str):
        return game
    if game not in GAMES:
        raise ValueError(f"game: {game!r} is no family; {near(game, GAMES)}")
    try:
        return lazy("rivalry.games", {kind: entry.targets[0] for kind, entry in GAMES.items()}, game)()
    except ValueError as error:
        raise ValueError(f"game: {game!r} has no default game ({error}); give a game") from None
