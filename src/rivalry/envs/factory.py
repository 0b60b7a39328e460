"""Environments of any game: all players at once, one at a time, or a single player."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, Unpack, get_args

import gymnasium as gym
import numpy as np

from rivalry import games
from rivalry.core.game import kernel_arrays
from rivalry.envs.agents import PERIODS, AgentsEnv, Illegal
from rivalry.envs.games import NO_EPISODE, GameEnv, MaskIn, OnSimplex, info_of
from rivalry.envs.turns import TurnEnv
from rivalry.games import GAMES
from rivalry.schema.register import collect
from rivalry.schema.registry import load, suggestion
from rivalry.schema.validate import check_keywords, check_word, number_of, whole_number

ENVIRONMENTS: dict[str, str] = collect("ENVIRONMENTS")
"""Environments of agents by the name of the type of their kernels' arrays."""


@check_keywords
def parallel_env(
    game: object,
    *,
    periods: int | None = None,
    illegal: Illegal = "warn",
    normalize_spaces: bool = False,
    simplex: OnSimplex = "corners",
    mask: MaskIn = "observation",
) -> GameEnv | AgentsEnv:
    """Return a game as a parallel environment of PettingZoo, in which all agents act at once.

    Games of players are played as in `GameEnv`, karma economies and cities as in `AgentsEnv`.

    Parameters
    ----------
    game : Game or str
        A game, or the name of a family for its default game.
    periods : int, optional
        Steps until play is truncated (default: 100, of economies and cities 1000, or those of the game).
    illegal : {"warn", "clip", "raise"}
        Treatment of a bid above karma: clip it with one warning per environment, clip it silently, or raise
        `ValueError`.
    normalize_spaces : bool
        Whether observations and actions are scaled to order 1; rewards are unchanged.
    simplex : {"corners", "points"}
        Actions on a simplex: the number of a corner, or a point.
    mask : {"observation", "info"}
        Where games that limit legal actions state them: in observations, then dictionaries with
        ``observation`` and ``action_mask``, and in infos; or in infos alone, and observations are boxes.

    Raises
    ------
    ValueError
        If ``game`` is not a game, or for ``simplex="points"`` on other spaces.

    Examples
    --------
    >>> env = parallel_env("influencer", periods=10)
    >>> seen, _ = env.reset(seed=1)
    >>> sorted(seen)
    ['player_0', 'player_1']
    """
    form = game_of(game)
    check_word("illegal", illegal, get_args(Illegal))
    check_word("simplex", simplex, get_args(OnSimplex))
    check_word("mask", mask, get_args(MaskIn))
    target = ENVIRONMENTS.get(type(kernel_arrays(form)).__name__)
    if target is None:
        env = GameEnv(form, periods=periods, normalize_spaces=normalize_spaces, simplex=simplex)
        env.mask = mask
        return env
    if simplex != "corners":
        kind_name = type(form).__name__
        raise ValueError(f"simplex: {simplex!r} must be 'corners': agents of {kind_name} bid whole numbers")
    steps = PERIODS if periods is None else periods
    environment: AgentsEnv = load(target)(
        form, periods=steps, illegal=illegal, normalize_spaces=normalize_spaces
    )
    environment.mask = mask
    return environment


class EnvOptions(TypedDict, total=False):
    """The options of `parallel_env` that single players have too."""

    periods: int | None
    illegal: Illegal
    normalize_spaces: bool
    simplex: OnSimplex


class ParallelOptions(EnvOptions, total=False):
    """The options of `parallel_env`."""

    mask: MaskIn


@check_keywords
def aec_env(game: object, **options: Unpack[ParallelOptions]) -> TurnEnv:
    """Return a game as an environment of PettingZoo in which agents act one at a time.

    Parameters are those of `parallel_env`. Agents that act at once act in the order of their numbers, without
    observing one another's actions (`TurnEnv`).

    Raises
    ------
    ValueError
        If ``game`` is not a game.

    Examples
    --------
    >>> env = aec_env("karma", periods=10)
    >>> env.reset(seed=1)
    >>> env.agent_selection
    'agent_0'
    """
    return TurnEnv(parallel_env(game, **options))


def game_of(game: object) -> Any:
    """Return the game, or the default game of the family of that name. Raises `ValueError`."""
    if not isinstance(game, str):
        return game
    if game not in GAMES:
        raise ValueError(f"game: {game!r} is not a family; {suggestion(game, GAMES)}")
    try:
        return getattr(games, game)()
    except ValueError as error:
        raise ValueError(f"game: {game!r} has no default game ({error}); give a game") from None


@check_keywords
class PlayerEnv(gym.Env[Any, Any]):
    """One player's problem against others with fixed policies, as an environment of Gymnasium.

    Spaces, rewards and ends are the player's in the parallel environment of the game (`parallel_env`). A step
    ends when the player acts again; rewards received meanwhile are summed.

    Parameters
    ----------
    game : Game or str
        A game, or the name of a family for its default game.
    player : int
        Number of the player.
    others : callable, array_like or str
        Policies of the others: a function ``(agent name, observation) -> action``; for games of players a
        profile ``[player axis]`` of one period, in units of the game (the row of ``player`` is not used); for
        an economy a policy table ``[type private karma bid]`` or ``[state bid]``; for a city ``uniform``,
        ``zero``, ``all_in`` or a table ``[agent row karma entry]`` (`city_policy`).
    periods, illegal, normalize_spaces, simplex
        As in `parallel_env`.

    Raises
    ------
    ValueError
        If ``others`` is none of these, or there is no such player.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> env = PlayerEnv(game, 1, game.pure("cooperate", "cooperate"), periods=3)
    >>> _ = env.reset(seed=1)
    >>> env.step(1)[1]
    5.0
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (as Gymnasium has it)

    def __init__(self, game: object, player: int, others: object, **options: Unpack[EnvOptions]) -> None:
        if "mask" in options:
            raise ValueError(
                "mask: is for parallel_env and aec_env; a single player's mask is in both places"
            )
        self.parallel: Any = parallel_env(game, **options)
        names = self.parallel.possible_agents
        self.player = number_of("player", player, len(names))
        self.name = names[self.player]
        self.observation_space = self.parallel.observation_space(self.name)
        self.action_space = self.parallel.action_space(self.name)
        self.np_random = np.random.default_rng(0)  # copies draw the same numbers, even without a seed
        self.ask: Callable[[str, Any], Any] | None = others if callable(others) else None
        self._table: Any = None
        self._over, self._cut = True, False  # until ``reset``
        if self.ask is None and isinstance(self.parallel, AgentsEnv):
            self._table = self.parallel.table(others)
        elif self.ask is None:
            self.parallel.hold(others, but=player)

    @check_keywords
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new episode; ``seed`` restarts the random stream."""
        seed = None if seed is None else whole_number("seed", seed)  # Gymnasium takes no integers of NumPy
        super().reset(seed=seed)
        if self._table is None:
            self._views, _ = self.parallel.reset(seed)
        else:
            self.parallel.restart(seed)
        self._paid, self._over, self._cut = 0.0, False, False
        while not self._is_turn():
            self._play(None)
        observations = self._observe()
        return observations, info_of(observations)

    def step(self, action: object) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Apply the player's action, and play until the player acts again. Raises `ValueError`."""
        if self._over or self._cut:
            raise ValueError(NO_EPISODE)
        self.parallel.check(self.name, action)
        self._play(action)
        while not self._is_turn():
            self._play(None)
        paid, self._paid = self._paid, 0.0
        observations = self._observe()
        return observations, paid, self._over, self._cut, info_of(observations)

    def _is_turn(self) -> bool:
        """True if it is the player's turn or the episode is over."""
        if self._table is not None:
            return self._cut or bool(self.parallel.acting[self.player])
        return self._over or self._cut or self.name in self.parallel.movers()

    def _observe(self) -> Any:
        return self._views[self.name] if self._table is None else self.parallel.observation_of(self.player)

    def _play(self, action: object) -> None:
        """Play one step of the parallel environment; ``action`` is None if it is not the player's turn."""
        if self._table is not None:
            entries = self.parallel.draw(self._table, self.np_random)
            if action is not None:
                entries[self.player] = self.parallel.entry(self.name, action)
            paid, self._cut = self.parallel.advance(entries)
            self._paid += float(paid[self.player])
            return
        actions = {} if action is None else {self.name: action}
        if self.ask is not None:
            rivals = (name for name in self.parallel.movers() if name != self.name)
            actions |= {name: self.ask(name, self._views[name]) for name in rivals}
        observations, paid, over, short, _ = self.parallel.play(actions)
        self._views |= observations
        self._paid += paid[self.name]
        self._over, self._cut = over[self.name], short[self.name]


for _family, _entry in GAMES.items():
    if not _entry.continuum:
        gym.register(f"rivalry/{_family}-v0", "rivalry.envs:PlayerEnv", kwargs={"game": _family, "player": 0})

single_agent_env = PlayerEnv
"""The third of the functions `parallel_env`, `aec_env` and `single_agent_env`."""
