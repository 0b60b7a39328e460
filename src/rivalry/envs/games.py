"""Games between players as environments: all at once, agent by agent, and one player alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import gymnasium as gym
import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv  # type: ignore[import-untyped]

from rivalry._jax import jax, jnp, put
from rivalry.game import Game, MarkovGame, PopulationGame
from rivalry.space import Box, Choices, Simplex
from rivalry.transforms import repeat

Seen = dict[str, np.ndarray]
FAR = 1e12  # nothing that is seen is larger
ROUNDING = 1e-6  # an action may lie this far outside its box: it comes in single precision


class GameEnv(ParallelEnv[str, np.ndarray, Any]):  # type: ignore[misc]
    """A game as a parallel environment of PettingZoo; agents are ``player_0``, ``player_1``, ..

    A `MarkovGame` is played as it is, and so is a game that offers ``play()``, such as a race over periods;
    any other game is repeated, everybody seeing what was played last, and cut after ``periods``. In a box an
    action is ``[axis]`` from -1 to 1, from the lowest to the highest in the coordinates in which the box is
    searched; in finite games it is a pure action's number. Where the game has ``movers``, actions of those
    whose turn it is not are ignored (see `TurnEnv`). Who is no longer ``alive`` is terminated, and play goes
    on without it. Raises `ValueError` for other spaces, and for actions that are none.

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
        self._course = _Course(self.game)
        everywhere = spaces.Box(-FAR, FAR, self._course.now.seen.shape[1:], np.float64)
        self._observations = dict.fromkeys(self.possible_agents, everywhere)

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
        self.agents = list(self.possible_agents)
        self._course.begin(seed)
        return self._seen(), {name: {} for name in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[Seen, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One period; afterwards nobody is left where play has ended or was cut, and nobody who is out."""
        return self.play({name: actions[name] for name in self.agents})

    def play(
        self, actions: Mapping[str, Any]
    ) -> tuple[Seen, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """As `step`; those whose turn it is not, or who are out, may be left out of ``actions``."""
        names, space = self.agents, self.game.space
        x = np.zeros(space.shape)
        for k, name in enumerate(self.possible_agents):
            if name in actions:
                x[k] = _strategy(space, k, actions[name], name)
        now = self._course.onward(x)
        over = {name: bool(now.over[k]) for k, name in enumerate(self.possible_agents) if name in names}
        paid = {name: float(now.rewards[k]) for k, name in enumerate(self.possible_agents) if name in names}
        short = {name: bool(now.cut) and not over[name] for name in names}
        seen: Seen = self._seen()
        self.agents = [name for name in names if not (over[name] or short[name])]
        return seen, paid, over, short, {name: {} for name in names}

    def movers(self) -> list[str]:
        """Whose turn it is."""
        turn = self._course.now.movers
        return [name for k, name in enumerate(self.possible_agents) if turn[k] and name in self.agents]

    def _seen(self) -> Seen:
        rows = self._course.now.seen
        return {name: rows[k] for k, name in enumerate(self.possible_agents) if name in self.agents}

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing is held open."""


class TurnEnv(AECEnv[str, np.ndarray, Any]):  # type: ignore[misc]
    """A game as an environment of PettingZoo in which agents act one at a time.

    Those whose turn it is, by the game's ``movers``, act in the order of their numbers; none sees what
    another chooses in the same step of the game. Later stages see earlier ones. Spaces and ends are those
    of `GameEnv`.

    >>> import rivalry as rv
    >>> env = TurnEnv(rv.games.market(stages=[[1], [0]]), periods=3)
    >>> env.reset(seed=1)
    >>> env.agent_selection
    'player_1'
    """

    metadata = {"name": "rivalry_turns_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)

    def __init__(self, game: Any, *, periods: int = 100) -> None:
        super().__init__()
        self.inner = GameEnv(game, periods=periods)
        self.possible_agents = list(self.inner.possible_agents)
        self.agents: list[str] = []
        self.agent_selection = self.possible_agents[0]
        self.render_mode = None

    def observation_space(self, agent: str) -> spaces.Space[np.ndarray]:
        """What ``agent`` sees: numbers of any size."""
        return self.inner.observation_space(agent)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What ``agent`` may do."""
        return self.inner.action_space(agent)

    def observe(self, agent: str) -> np.ndarray:
        """What ``agent`` saw last."""
        return self._views[agent]

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """A new episode; ``seed`` begins the stream of chance anew."""
        self._views, self.infos = self.inner.reset(seed)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations, self.truncations = (dict.fromkeys(self.agents, False) for _ in range(2))
        self._chosen: dict[str, Any] = {}
        self._next()

    def step(self, action: Any) -> None:
        """The action of the agent whose turn it is; of one who is out, None."""
        agent: str = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        _strategy(self.inner.game.space, self.possible_agents.index(agent), action, agent)
        self._chosen[agent] = action
        self._clear_rewards()
        self._cumulative_rewards[agent] = 0.0
        self._waiting.remove(agent)
        if self._waiting:
            self.agent_selection = self._waiting[0]
            return
        self._play()
        self._accumulate_rewards()
        self._next()
        self._deads_step_first()

    def _play(self) -> None:
        """The game's next step, and those after it in which it is nobody's turn."""
        while True:
            seen, paid, over, short, _ = self.inner.play(self._chosen)
            self._chosen = {}
            self._views |= seen
            for name in paid:
                self.rewards[name] += paid[name]
                self.terminations[name], self.truncations[name] = over[name], short[name]
            if not self.inner.agents or self.inner.movers():
                return

    def _next(self) -> None:
        """Whose turn it is now."""
        self._waiting = self.inner.movers()
        if self._waiting:
            self.agent_selection = self._waiting[0]

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
        self._course = _Course(self.game)
        self.observation_space = spaces.Box(-FAR, FAR, self._course.now.seen.shape[1:], np.float64)
        self.action_space = _action_space(self.game.space, player)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """A new episode; ``seed`` begins the stream of chance anew."""
        super().reset(seed=seed)
        own: np.ndarray = self._course.begin(seed).seen[self.player]
        return own, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One period."""
        x = self.rivals.copy()
        x[self.player] = _strategy(self.game.space, self.player, action, f"player_{self.player}")
        now = self._course.onward(x)
        over = bool(now.over[self.player])
        return now.seen[self.player], float(now.rewards[self.player]), over, bool(now.cut) and not over, {}


class _Told(NamedTuple):
    """What is known between two steps."""

    seen: np.ndarray  # [player feature]
    movers: np.ndarray  # [player]: whose turn it is
    rewards: np.ndarray  # [player]: of the last step
    over: np.ndarray  # [player]: whether play has ended for it
    cut: np.ndarray  # []


class _Course:
    """The course that play of a game takes."""

    def __init__(self, game: Any) -> None:
        self.game, self.key = game, jax.random.key(0)
        self.state, self.now = self._told(_begin(game, self.key)[1:])

    def begin(self, seed: int | None) -> _Told:
        """A new episode; ``seed`` begins the stream of chance anew."""
        self.key = self.key if seed is None else jax.random.key(seed)
        self.key, *found = _begin(self.game, self.key)
        self.state, self.now = self._told(found)
        return self.now

    def onward(self, x: np.ndarray) -> _Told:
        """One step, at the profile ``x``."""
        self.key, *found = _step(self.game, self.state, put(x), self.key)
        self.state, self.now = self._told(found)
        return self.now

    @staticmethod
    def _told(found: Any) -> tuple[Any, _Told]:
        state, told = found
        seen, *rest = (np.asarray(part) for part in told)
        return state, _Told(seen.astype(np.float64), *rest)


@eqx.filter_jit
def _begin(game: Any, key: Any) -> Any:
    key, own = jax.random.split(key)
    state = game.reset(own)
    return key, state, _around(game, state, jnp.zeros(game.space.shape[0]), jnp.asarray(False), False)


@eqx.filter_jit
def _step(game: Any, state: Any, x: Any, key: Any) -> Any:
    key, own = jax.random.split(key)
    state, *came = game.step(state, x, own)
    return key, state, _around(game, state, *came)


def _around(game: Any, state: Any, rewards: Any, ended: Any, cut: Any) -> Any:
    """What is told of a state and of the step that led there, in one compiled program with it."""
    everybody = jnp.ones(game.space.shape[0], dtype=bool)
    movers = game.movers(state) if hasattr(game, "movers") else everybody
    alive = game.alive(state) if hasattr(game, "alive") else everybody
    return game.observe(state), movers, rewards, ended | ~alive, cut


def _markov(game: Any, periods: int) -> Any:
    """The game that is played on and on: as it is, as it says itself, or repeated. Raises `ValueError`."""
    if hasattr(game, "play"):
        return game.play(periods)
    if isinstance(game, MarkovGame):
        return game
    if not isinstance(game, Game):
        hint = "; populations are for EconomyEnv" if isinstance(game, PopulationGame) else ""
        raise ValueError(f"game: {type(game).__name__} has neither payoffs nor steps{hint}")
    return repeat(game, periods=periods)


def _action_space(space: Any, player: int) -> spaces.Space[Any]:
    """What a player may do, as Gymnasium says it. Raises `ValueError`."""
    if isinstance(space, Box):
        return spaces.Box(-1.0, 1.0, (space.shape[1],), np.float32)
    if isinstance(space, Simplex | Choices):
        return spaces.Discrete(space.sizes[player])
    raise ValueError(f"space: {type(space).__name__} must be a Box, a Simplex or Choices")


def _strategy(space: Any, player: int, action: Any, name: str) -> np.ndarray:
    """A player's strategy ``[axis]``, from what Gymnasium calls its action. Raises `ValueError`."""
    if isinstance(space, Box):
        flat = space.flat() if space.curved else space
        low, high = np.asarray(flat.low)[player], np.asarray(flat.high)[player]
        part = (_within(action, len(low), name) + 1) / 2
        amounts = low + part * (high - low)
        if space.curved:
            amounts = np.asarray(space.outer(put(amounts)[None], player))[0]
        inside: np.ndarray = np.clip(amounts, np.asarray(space.low)[player], np.asarray(space.high)[player])
        return inside
    size = space.sizes[player]
    if not (np.ndim(action) == 0 and float(action) in range(size)):
        raise ValueError(f"action of {name}: {action!r} must be a whole number in 0..{size - 1}")
    if isinstance(space, Choices):
        return np.array([float(action)])
    pure: np.ndarray = np.eye(space.shape[1])[int(action)]
    return pure


def _within(action: Any, axes: int, name: str) -> np.ndarray:
    """An action in the box from -1 to 1. Raises `ValueError`."""
    given = np.asarray(action, dtype=float)
    if given.shape != (axes,) or not np.all(np.abs(given) <= 1 + ROUNDING):
        raise ValueError(f"action of {name}: {given.tolist()} must be in the box [-1, 1], {axes} numbers")
    inside: np.ndarray = np.clip(given, -1, 1)
    return inside
