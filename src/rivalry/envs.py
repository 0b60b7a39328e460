"""Games as environments of other people's learners: PettingZoo for all players, Gymnasium for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import gymnasium as gym
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from rivalry._jax import jax, put
from rivalry.game import Game, MarkovGame
from rivalry.space import Box, Choices, Simplex
from rivalry.transforms import repeat

Seen = dict[str, np.ndarray]
FAR = 1e12  # nothing that is seen is larger


class GameEnv(ParallelEnv[str, np.ndarray, Any]):  # type: ignore[misc]
    """A game as a parallel environment of PettingZoo; agents are ``player_0``, ``player_1``, ..

    A `MarkovGame` is played as it is, and so is a game that offers ``play()``, such as a race over periods;
    any other game is repeated, everybody seeing what was played last, and cut after ``periods``. In a box an
    action is ``[axis]`` from -1 to 1, from the lowest to the highest in the coordinates in which the box is
    searched; in finite games it is a pure action's number. Raises `ValueError` for other spaces.

    >>> import rivalry as rv
    >>> env = GameEnv(rv.games.matrix("prisoners_dilemma"), periods=3)
    >>> _ = env.reset(seed=1)
    >>> env.step({"player_0": 0, "player_1": 1})[1]
    {'player_0': 0.0, 'player_1': 5.0}
    """

    metadata = {"name": "rivalry_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)

    def __init__(self, game: Any, *, periods: int = 100) -> None:
        self.game: Any = _markov(game, periods)
        self.render_mode = None
        count = self.game.space.shape[0]
        self.possible_agents = [f"player_{k}" for k in range(count)]
        self.agents: list[str] = []
        self._actions = {
            name: _action_space(self.game.space, k) for k, name in enumerate(self.possible_agents)
        }
        seen = np.asarray(self.game.observe(self.game.reset(jax.random.key(0))))
        everywhere = spaces.Box(-FAR, FAR, seen.shape[1:], np.float64)
        self._observations = dict.fromkeys(self.possible_agents, everywhere)
        self._key = jax.random.key(0)
        self._state: Any = None

    def observation_space(self, agent: str) -> spaces.Space[np.ndarray]:
        """What ``agent`` sees: numbers of any size."""
        return self._observations[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What ``agent`` may do."""
        return self._actions[agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Seen, dict[str, dict[str, Any]]]:
        """A new episode; ``seed`` begins the stream of chance anew."""
        if seed is not None:
            self._key = jax.random.key(seed)
        self.agents = list(self.possible_agents)
        self._key, own = jax.random.split(self._key)
        self._state = self.game.reset(own)
        return self._seen(), {name: {} for name in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[Seen, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One period; afterwards nobody is left where play has ended or was cut."""
        space = self.game.space
        x = np.stack([_strategy(space, k, actions[name]) for k, name in enumerate(self.possible_agents)])
        self._key, own = jax.random.split(self._key)
        self._state, rewards, ended, cut = _step(self.game, self._state, put(x), own)
        names = self.agents
        paid = dict(zip(names, np.asarray(rewards).tolist(), strict=True))
        over, short = dict.fromkeys(names, bool(ended)), dict.fromkeys(names, bool(cut))
        seen: Seen = self._seen()
        if bool(ended) or bool(cut):
            self.agents = []
        return seen, paid, over, short, {name: {} for name in names}

    def _seen(self) -> Seen:
        rows = np.asarray(_observe(self.game, self._state), dtype=np.float64)
        return {name: rows[k] for k, name in enumerate(self.possible_agents)}

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing is held open."""


class PlayerEnv(gym.Env[np.ndarray, Any]):
    """One player's problem against rivals who never change, as an environment of Gymnasium.

    ``rivals`` is a profile ``[player axis]`` of one period, in units of the game; the row of ``player`` is
    not used. Raises `ValueError` for a profile outside the space and a player that there is not.

    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> env = PlayerEnv(game, 1, game.pure("cooperate", "cooperate"), periods=3)
    >>> _ = env.reset(seed=1)
    >>> env.step(1)[1]
    5.0
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (as Gymnasium has it)

    def __init__(self, game: Any, player: int, rivals: object, *, periods: int = 100) -> None:
        self.game: Any = _markov(game, periods)
        players = self.game.space.shape[0]
        if isinstance(player, bool) or not isinstance(player, int) or not 0 <= player < players:
            raise ValueError(f"player: {player!r} must be a whole number in 0..{players - 1}")
        self.player = player
        self.rivals = np.asarray(self.game.space.check(rivals, "rivals"))
        seen = np.asarray(self.game.observe(self.game.reset(jax.random.key(0))))
        self.observation_space = spaces.Box(-FAR, FAR, seen.shape[1:], np.float64)
        self.action_space = _action_space(self.game.space, player)
        self._key = jax.random.key(0)
        self._state: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """A new episode; ``seed`` begins the stream of chance anew."""
        super().reset(seed=seed)
        if seed is not None:
            self._key = jax.random.key(seed)
        self._key, own = jax.random.split(self._key)
        self._state = self.game.reset(own)
        return self._seen(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One period."""
        x = self.rivals.copy()
        x[self.player] = _strategy(self.game.space, self.player, action)
        self._key, own = jax.random.split(self._key)
        self._state, rewards, ended, cut = _step(self.game, self._state, put(x), own)
        return self._seen(), float(rewards[self.player]), bool(ended), bool(cut), {}

    def _seen(self) -> np.ndarray:
        rows = np.asarray(_observe(self.game, self._state), dtype=np.float64)
        own: np.ndarray = rows[self.player]
        return own


@eqx.filter_jit
def _step(game: MarkovGame, state: Any, x: Any, key: Any) -> Any:
    return game.step(state, x, key)


@eqx.filter_jit
def _observe(game: MarkovGame, state: Any) -> Any:
    return game.observe(state)


def _markov(game: Any, periods: int) -> Any:
    """The game that is played on and on: as it is, as it says itself, or repeated. Raises `ValueError`."""
    if hasattr(game, "play"):
        return game.play(periods)
    if isinstance(game, MarkovGame):
        return game
    if not isinstance(game, Game):
        raise ValueError(f"game: {type(game).__name__} has neither payoffs nor steps")
    return repeat(game, periods=periods)


def _action_space(space: Any, player: int) -> spaces.Space[Any]:
    """What a player may do, as Gymnasium says it. Raises `ValueError`."""
    if isinstance(space, Box):
        return spaces.Box(-1.0, 1.0, (space.shape[1],), np.float32)
    if isinstance(space, Simplex | Choices):
        return spaces.Discrete(space.sizes[player])
    raise ValueError(f"space: {type(space).__name__} must be a Box, a Simplex or Choices")


def _strategy(space: Any, player: int, action: Any) -> np.ndarray:
    """A player's strategy ``[axis]``, from what Gymnasium calls its action."""
    if isinstance(space, Box):
        flat = space.flat()
        low, high = np.asarray(flat.low)[player], np.asarray(flat.high)[player]
        part = (np.clip(np.asarray(action, dtype=float), -1, 1) + 1) / 2
        amounts = np.asarray(space.outer(put(low + part * (high - low))[None], player))[0]
        inside: np.ndarray = np.clip(amounts, np.asarray(space.low)[player], np.asarray(space.high)[player])
        return inside
    if isinstance(space, Choices):
        return np.array([float(action)])
    pure: np.ndarray = np.eye(space.shape[1])[int(action)]
    return pure
