"""Environments of any game: for all who play, at once or one at a time."""

from __future__ import annotations

from typing import Any

from rivalry.core.game import world_of
from rivalry.core.registry import lazy, near
from rivalry.envs import cities, economies
from rivalry.envs.agents import Illegal
from rivalry.envs.cities import CityEnv
from rivalry.envs.economies import EconomyEnv
from rivalry.envs.games import GameEnv, OnSimplex, check_word
from rivalry.envs.turns import TurnEnv
from rivalry.games import GAMES
from rivalry.tables.kernels.shapes import CityArrays, Economy


def parallel_env(
    game: Any,
    *,
    periods: int | None = None,
    illegal: Illegal = "warn",
    normalize_spaces: bool = False,
    simplex: OnSimplex = "corners",
) -> GameEnv | EconomyEnv | CityEnv:
    """A game as a parallel environment of PettingZoo, in which all act at once.

    ``game`` is a game, or the name of a family for its default game. Games of players are played as in
    `GameEnv`, economies of agents as in `EconomyEnv`, cities as in `CityEnv`. Play is cut after ``periods``
    (default: 100 of a game, 1000 of an economy or a city; a game that is played on and on cuts itself). With
    ``normalize_spaces`` observations and actions are of order 1, for learners; rewards are the game's either
    way. ``simplex`` is what actions on a simplex are: ``"corners"``, by number, or ``"points"`` of it.
    ``illegal`` is what happens where an agent bids more than the karma it has: the bid is clipped, with one
    warning per environment (``"warn"``) or none (``"clip"``), or refused (``"raise"``). Raises `ValueError`
    for what is no game, and ``simplex="points"`` for games on other spaces.

    >>> env = parallel_env("influencer", periods=10)
    >>> seen, _ = env.reset(seed=1)
    >>> sorted(seen)
    ['player_0', 'player_1']
    """
    found = made(game)
    check_word("illegal", illegal, Illegal)
    check_word("simplex", simplex, OnSimplex)
    world = world_of(found, None)
    if isinstance(world, Economy | CityArrays) and simplex != "corners":
        who = type(found).__name__
        raise ValueError(f"simplex: {simplex!r} must be 'corners': agents of {who} bid whole numbers")
    if isinstance(world, Economy):
        steps = economies.PERIODS if periods is None else periods
        return EconomyEnv(found, periods=steps, illegal=illegal, normalize_spaces=normalize_spaces)
    if isinstance(world, CityArrays):
        steps = cities.PERIODS if periods is None else periods
        return CityEnv(found, periods=steps, illegal=illegal, normalize_spaces=normalize_spaces)
    return GameEnv(found, periods=periods, normalize_spaces=normalize_spaces, simplex=simplex)


def aec_env(
    game: Any,
    *,
    periods: int | None = None,
    illegal: Illegal = "warn",
    normalize_spaces: bool = False,
    simplex: OnSimplex = "corners",
) -> TurnEnv:
    """A game as an environment of PettingZoo in which agents act one at a time; see `parallel_env`.

    Those who act at once act in the order of their numbers, without seeing one another (`TurnEnv`). Raises
    `ValueError` for what is no game.

    >>> env = aec_env("karma", periods=10)
    >>> env.reset(seed=1)
    >>> env.agent_selection
    'agent_0'
    """
    return TurnEnv(
        parallel_env(
            game, periods=periods, illegal=illegal, normalize_spaces=normalize_spaces, simplex=simplex
        )
    )


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
