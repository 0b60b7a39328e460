"""Games between players as parallel environments of PettingZoo."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from gymnasium import spaces
from numpy import ndarray
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from rivalry.core import oracles
from rivalry.core.game import Game, Playable, is_markov, is_population
from rivalry.core.plain import register_plain
from rivalry.core.space import Box, Choices, Simplex
from rivalry.envs.course import Course
from rivalry.runtime.jax import floats, jnp
from rivalry.schema.validate import check_keywords, check_word, whole_number
from rivalry.transforms import repeat
from rivalry.transforms.units import strategies

ActionsByAgent = Mapping[str, Any]
Seen = dict[str, Any]
Infos = dict[str, dict[str, Any]]
Results = tuple[Seen, dict[str, float], dict[str, bool], dict[str, bool], Infos]
"""Observations, rewards, terminations, truncations and infos by agent, as in PettingZoo."""
PERIODS = 100
OnSimplex = Literal["corners", "points"]
MaskIn = Literal["observation", "info"]
MASK = "action_mask"  # the key of legal actions, beside "observation" and in infos
NO_EPISODE = "action: there is no episode, as it is over or was never started; call reset() first"
SINGLE_PRECISION = 1e-6  # tolerance of action bounds: actions are in single precision


class Unrendered:
    """The methods of an environment of PettingZoo without pictures."""

    render_mode = None

    def render(self) -> None:
        """Do nothing: there is no rendering."""

    def close(self) -> None:
        """Do nothing: no resources are open."""


class SimultaneousEnv(Unrendered, ParallelEnv[str, Any, Any]):  # type: ignore[misc]
    """A parallel environment of PettingZoo with spaces by agent; a subclass implements `reset` and `play`."""

    agents: list[str]
    _observations: dict[str, spaces.Space[Any]]
    _actions: dict[str, spaces.Space[Any]]
    mask: MaskIn = "observation"

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of ``agent``'s observations."""
        space = self._observations[agent]
        return _features(space) if self.mask == "info" else space

    def without_masks(self, observations: Seen) -> Seen:
        """Return observations by agent, without their masks if these are in infos alone."""
        if self.mask == "observation":
            return observations
        return {
            name: row["observation"] if isinstance(row, dict) else row for name, row in observations.items()
        }

    @property
    def state_space(self) -> spaces.Box:
        """The space of `state`."""
        boxes = [_features(self._observations[name]) for name in self.possible_agents]
        low, high = (np.concatenate([getattr(box, end).ravel() for box in boxes]) for end in ("low", "high"))
        return spaces.Box(low, high, dtype=low.dtype.type)

    def state(self) -> ndarray:
        """Joint observation of all agents, without masks: ``[agent * feature]``.

        For a central critic; before `reset` and of agents that have left, the game's own last features.
        """
        return np.asarray(self._rows(), self.state_space.dtype).ravel()

    def _rows(self) -> ndarray:
        """Return the observations of all possible agents, ``[agent feature]``, without masks."""
        raise NotImplementedError

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of all actions that ``agent`` can choose in any state."""
        return self._actions[agent]

    def step(self, actions: ActionsByAgent) -> Results:
        """Apply one action per agent; agents that have ended leave ``agents``. Raises `ValueError`.

        Actions of agents that have ended are ignored, but an episode that is over, or was never begun by
        ``reset``, takes none: a loop that goes on would record nothing.
        """
        if actions and not self.agents:
            raise ValueError(NO_EPISODE)
        self._complete(actions, self.agents)
        if len(actions) > len(self.agents):
            for name in actions:
                if name not in self._actions:
                    first_agent, last_agent = self.possible_agents[0], self.possible_agents[-1]
                    raise ValueError(
                        f"actions: {name!r} is not an agent; must be in {first_agent} .. {last_agent}"
                    )
        return self.play({name: actions[name] for name in self.agents})

    @staticmethod
    def _complete(actions: ActionsByAgent, agents: Sequence[str]) -> None:
        """Raise `ValueError` if an agent's action is missing."""
        for name in agents:
            if name not in actions:
                raise ValueError(f"actions: that of {name} is missing; must be one per agent")

    def play(self, actions: ActionsByAgent) -> Results:
        """Apply one step; agents that do not act in it or have ended may be left out of ``actions``."""
        raise NotImplementedError


class GameEnv(SimultaneousEnv):
    """A game as a parallel environment of PettingZoo; agents are ``player_0``, ``player_1``, ..

    A `MarkovGame` is played as it is, and so is a game with a native dynamic form, such as a race over
    periods; any other game is repeated, and all players observe the last actions. Play is truncated after
    ``periods``, by default 100; a `MarkovGame` truncates itself, or earlier after ``periods`` steps if given.

    In a box an action is ``[axis]`` from -1 to 1, from the lowest to the highest in the coordinates in which
    the box is searched. In finite games it is the number of a pure action, on a simplex that of a corner. For
    a walk it is the move, in its own units. With ``simplex="points"`` an action on a simplex is ``[corner]``
    from 0 to 1, and the nearest point of the simplex is played (its Euclidean projection): points of the
    simplex are played as they are, mixed strategies of a matrix game at their expected payoffs.

    The first observation of a repeated game stands in for past actions: a profile drawn from the space as
    random starts are, with the environment's seed (``memory`` profiles, if that many are observed). In a
    matrix game it holds one mixed strategy per player, uniform on the simplex; later observations hold the
    pure actions played, as rows of 0 and 1.

    Observations are in units of the game, and their boxes are what play can reach, by the game's
    `rivalry.oracles.observation_bounds`: infinite where nothing is known. With ``normalize_spaces`` they are
    of order 1: actions from -1 to 1 as in the action space, shares on a simplex unchanged, and other features
    less their median, divided by their spread, under random play (`Course`); moves of a walk are then from -1
    to 1 as well. Rewards are the game's payoffs in either case.

    If players move in turn (``movers``), actions of the others are ignored (`TurnEnv`). If the game limits
    legal actions, observations are dictionaries with ``observation`` and ``action_mask``. A player that is no
    longer present is terminated, and play continues without it. ``now`` is the state of the game.

    Raises
    ------
    ValueError
        For other spaces, and for invalid actions.

    Examples
    --------
    >>> import rivalry as rv
    >>> env = GameEnv(rv.games.matrix("prisoners_dilemma"), periods=3)
    >>> _ = env.reset(seed=1)
    >>> env.step({"player_0": 0, "player_1": 1})[1]
    {'player_0': 0.0, 'player_1': 5.0}
    """

    metadata = {"name": "rivalry_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)

    def __init__(
        self,
        game: object,
        *,
        periods: int | None = None,
        normalize_spaces: bool = False,
        simplex: OnSimplex = "corners",
    ) -> None:
        if periods is not None:
            whole_number("periods", periods, 1)
        self.game: Any = markov(game, PERIODS if periods is None else periods)
        limit = periods if self.game is game else None
        self.possible_agents = [f"player_{k}" for k in range(self.game.space.shape[0])]
        self.agents = []
        self.converter = ActionConverter(self.game, normalize_spaces, simplex)
        self._actions = dict(zip(self.possible_agents, self.converter.spaces, strict=True))
        self.course = Course(self.game, limit=limit, normalized=normalize_spaces)
        self.kind = np.float32 if normalize_spaces else np.float64
        self.masked = self.course.actions > 0
        rows = (np.broadcast_to(end, self.course.now.seen.shape) for end in self.course.bounds)
        self._observations = {
            name: spaces.Box(low.astype(self.kind), high.astype(self.kind), dtype=self.kind)
            for name, low, high in zip(self.possible_agents, *rows, strict=True)
        }
        if self.masked:
            for name, size in zip(self.possible_agents, self.game.space.sizes, strict=True):
                parts = {"observation": self._observations[name], MASK: spaces.MultiBinary(size)}
                self._observations[name] = spaces.Dict(parts)
        self.fixed: tuple[ndarray, ndarray] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> GameEnv:
        memo[id(self.game)] = self.game  # games are immutable; a copy may need another compilation
        copied = memo[id(self)] = GameEnv.__new__(type(self))
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    @property
    def now(self) -> Any:
        """The state of the game, as returned by its ``reset`` and ``step``."""
        return self.course.state

    @check_keywords
    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Seen, Infos]:
        """Start a new episode; ``seed`` restarts the random stream."""
        self.agents = list(self.possible_agents)
        self.course.begin(seed)
        observations = self._observe()
        return self.without_masks(observations), infos_of(observations)

    def play(self, actions: ActionsByAgent) -> Results:
        names = self.agents
        converted = self.converter.read(self.possible_agents, actions, self.course.now.legal)
        outcome = self.course.advance(converted, self.fixed)
        if np.isnan(outcome.rewards).any():
            raise ValueError(f"rewards: payoffs of this game are not defined at {converted.tolist()}")
        results = zip(self.possible_agents, outcome.over.tolist(), outcome.rewards.tolist(), strict=True)
        present = [row for row in results if row[0] in names]
        ended, rewards = {name: over for name, over, _ in present}, {name: paid for name, _, paid in present}
        short = {name: bool(outcome.cut) and not ended[name] for name in names}
        observations = self._observe()
        if outcome.cut or any(ended.values()):
            self.agents = [name for name in names if not (ended[name] or short[name])]
        return self.without_masks(observations), rewards, ended, short, infos_of(observations)

    def movers(self) -> list[str]:
        """Return the names of the agents that move now."""
        turn, agents_left = self.course.now.movers.tolist(), self.agents
        return [
            name
            for name, is_mover in zip(self.possible_agents, turn, strict=True)
            if is_mover and name in agents_left
        ]

    def check(self, agent: str, action: object) -> None:
        """Raise `ValueError` for an invalid action of an agent."""
        self.converter.read(self.possible_agents, {agent: action}, self.course.now.legal)

    def profile(self, actions: ActionsByAgent) -> ndarray:
        """Profile ``[player axis]`` of one period that actions play, in units of the game.

        Parameters
        ----------
        actions : dict
            An action per agent, as `step` takes them.

        Raises
        ------
        ValueError
            For a missing and for an invalid action.

        Examples
        --------
        >>> import rivalry as rv
        >>> market = rv.games.market()
        >>> outputs = GameEnv(market).profile({"player_0": [-0.4], "player_1": [-0.4]})
        >>> outputs.tolist(), rv.certificate(market, outputs).claim
        ([[30.0], [30.0]], 'equilibrium')
        """
        self._complete(actions, self.possible_agents)
        read = self.converter.read(self.possible_agents, actions, np.zeros(0))
        return np.asarray(strategies(self.game.space, jnp.asarray(read)))

    def hold(self, profile: object, but: int) -> None:
        """Fix all players except ``but`` to their rows of a profile from now on. Raises `ValueError`."""
        x = np.asarray(self.game.space.check(profile, "others"))
        self.fixed = np.arange(len(x)) != but, x

    def _rows(self) -> ndarray:
        return self.course.now.seen.astype(self.kind, copy=False)

    def _observe(self) -> Seen:
        rows: Any = self._rows()
        if self.masked:
            masks = zip(self.course.now.legal.astype(np.int8), self.game.space.sizes, strict=True)
            pairs = zip(rows, masks, strict=True)
            rows = [{"observation": row, "action_mask": mask[:size]} for row, (mask, size) in pairs]
        if len(self.agents) == len(rows):
            return dict(zip(self.agents, rows, strict=True))
        return {name: rows[k] for k, name in enumerate(self.possible_agents) if name in self.agents}


def _features(space: spaces.Space[Any]) -> Any:
    """Return the box of an agent's features, without the mask."""
    return space["observation"] if isinstance(space, spaces.Dict) else space


def infos_of(observations: Seen) -> Infos:
    """Return the infos of agents: the mask of legal actions, as in their observations, if these have one."""
    return {name: info_of(row) for name, row in observations.items()}


def info_of(observation: Any) -> dict[str, Any]:
    """Return the info that goes with an agent's observation."""
    return {MASK: observation[MASK]} if isinstance(observation, dict) else {}


class ActionConverter:
    """Action spaces of the players in Gymnasium, and the conversion of actions. Raises `ValueError`."""

    def __init__(self, game: Playable, normalized: bool, simplex: OnSimplex) -> None:
        space = game.space
        if not isinstance(space, Box | Simplex | Choices):
            raise ValueError(f"space: {type(space).__name__} must be a Box, a Simplex or Choices")
        points, sizes = _as_points(game, simplex), () if isinstance(space, Box) else space.sizes
        self.sizes: Sequence[int] = () if points else sizes  # of players that choose by number
        self.shape = (space.shape[0], 1 if self.sizes else space.shape[1])
        self.columns: Sequence[int] = sizes if points else (self.shape[1],) * self.shape[0]
        self.lowest = 0.0 if points else -1.0  # lower bound of a scaled action; the upper is 1
        self.low, self.high = np.full(self.shape, self.lowest), np.ones(self.shape)
        self.middle, self.half = np.zeros(self.shape), np.ones(self.shape)
        if isinstance(space, Box) and oracles.own_units(game) and not normalized:
            self.low, self.high = np.asarray(space.low), np.asarray(space.high)
            self.middle, self.half = (self.low + self.high) / 2, (self.high - self.low) / 2
        self.spaces: list[spaces.Space[Any]] = [spaces.Discrete(size) for size in self.sizes] or [
            spaces.Box(low[:count].astype(np.float32), high[:count].astype(np.float32), dtype=np.float32)
            for low, high, count in zip(self.low, self.high, self.columns, strict=True)
        ]

    def read(self, names: Sequence[str], actions: ActionsByAgent, legal: ndarray) -> ndarray:
        """Return actions ``[player column]`` for the course, 0 if missing. Raises `ValueError`."""
        converted = np.zeros(self.shape)
        if self.sizes:
            for k, name in enumerate(names):
                if name in actions:
                    number = converted[k, 0] = _number(actions[name], self.sizes[k], name)
                    if legal.size and not legal[k, number]:
                        raise ValueError(_illegal(name, number, legal[k]))
            return converted
        if len(actions) == len(names):  # vectorized; the loop below raises
            try:
                numbers = np.array([actions[name] for name in names], float)
            except (KeyError, TypeError, ValueError):
                numbers = np.zeros(0)
            if numbers.shape == self.shape:
                shares: ndarray = (numbers - self.middle) / self.half
                if shares.min() >= self.lowest - SINGLE_PRECISION and shares.max() <= 1 + SINGLE_PRECISION:
                    converted[:] = np.clip(shares, self.lowest, 1)
                    return converted
        for k, name in enumerate(names):
            if name in actions:
                converted[k, : self.columns[k]] = self._within(actions[name], k, name)
        return converted

    def read_copies(self, player: int, name: str, actions: Any, legal: ndarray, where: ndarray) -> ndarray:
        """Return one player's actions in several copies, ``[copy column]``, for their courses.

        ``legal`` is ``[copy player action]``. Raises `ValueError` for a wrong action in a copy ``where``.
        """
        copies, count = len(where), 1 if self.sizes else self.columns[player]
        if len(actions) != copies:
            raise ValueError(f"actions of {name}: {len(actions)} must be {copies}, one per copy")
        try:
            numbers = floats(actions)
        except (TypeError, ValueError):
            numbers = np.zeros(0)
        right = numbers.shape == ((copies,) if self.sizes else (copies, count))
        numbers = numbers.reshape(copies, count) if right else np.full((copies, count), np.nan)
        converted = np.zeros((copies, count))
        if self.sizes:
            inside = np.isin(numbers, np.arange(self.sizes[player]))
            converted[inside] = numbers[inside]
            if legal.size:
                inside &= legal[np.arange(copies), player, converted[:, 0].astype(int)][:, None]
        else:
            shares = (numbers - self.middle[player, :count]) / self.half[player, :count]
            inside = (shares >= self.lowest - SINGLE_PRECISION) & (shares <= 1 + SINGLE_PRECISION)
            converted[inside] = np.clip(shares[inside], self.lowest, 1)
        for k in np.flatnonzero(where & ~inside.all(axis=1))[:1]:
            place = f"{name} in copy {k}"
            if not self.sizes:
                self._within(actions[k], player, place)
            raise ValueError(
                _illegal(place, _number(actions[k], self.sizes[player], place), legal[k, player])
            )
        return np.pad(converted, ((0, 0), (0, self.shape[1] - count)))

    def _within(self, action: object, player: int, name: str) -> ndarray:
        """Return an action scaled from its box for the course. Raises `ValueError`."""
        count = self.columns[player]
        low, high, middle, half = (
            edges[player, :count] for edges in (self.low, self.high, self.middle, self.half)
        )
        try:
            numbers = floats(action)
        except (TypeError, ValueError):
            numbers = np.full(1, np.nan)
        inside = numbers.shape == low.shape
        if inside:
            share = (numbers - middle) / half
            inside = bool(((share >= self.lowest - SINGLE_PRECISION) & (share <= 1 + SINGLE_PRECISION)).all())
        if not inside:
            given_as = action.tolist() if isinstance(action, ndarray) else action
            rule = f"must be in the box [{low[0]:g}, {high[0]:g}], {count} number{'s' * (count > 1)}"
            raise ValueError(f"action of {name}: {given_as!r} {rule}")
        return np.clip(share, self.lowest, 1)


def _as_points(game: Playable, simplex: OnSimplex) -> bool:
    """True if actions are points of a simplex. Raises `ValueError` if they cannot be."""
    check_word("simplex", simplex, get_args(OnSimplex))
    if simplex == "corners":
        return False
    if not isinstance(game.space, Simplex):
        raise ValueError(f"simplex: 'points' must be 'corners' for a game on a {type(game.space).__name__}")
    if oracles.legal_actions.knows(game):
        raise ValueError("simplex: 'points' must be 'corners' for a game with illegal actions")
    return bool(game.space.shape[1] > 1)  # with one corner there is nothing to choose


def _illegal(name: str, number: int, legal: ndarray) -> str:
    return f"action of {name}: {number} is not legal; must be one of {np.flatnonzero(legal).tolist()}"


def _number(action: Any, size: int, name: str) -> int:
    """Return the number of a pure action. Raises `ValueError`."""
    try:
        number = int(action) if np.ndim(action) == 0 and float(action).is_integer() else -1
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < size:
        raise ValueError(f"action of {name}: {action!r} must be a whole number in 0..{size - 1}")
    return number


def markov(game: object, periods: int) -> Any:
    """Return a game as a `MarkovGame`: itself, its native form, or repeated. Raises `ValueError`."""
    register_plain(game)
    if oracles.to_markov.knows(game):
        return oracles.to_markov(game, periods)
    if is_markov(game):
        return game
    if not isinstance(game, Game):
        hint = "; populations are for parallel_env" if is_population(game) else ""
        if oracles.flow_certificate.knows(game):
            hint = "; its travellers are a continuum, and agents of an environment are finitely many"
        raise ValueError(f"game: {type(game).__name__} has neither payoffs nor steps{hint}")
    return repeat(game, periods=periods)
