"""Games between players as parallel environments of PettingZoo."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from rivalry.core import oracles
from rivalry.core.game import Game, is_markov, is_population
from rivalry.core.plain import registered
from rivalry.core.space import Box, Choices, Simplex
from rivalry.envs.course import FAR, NEAR, Course
from rivalry.transforms import repeat

Seen = dict[str, Any]
PERIODS = 100
OnSimplex = Literal["corners", "points"]
ROUNDING = 1e-6  # an action may lie this far outside its box: it comes in single precision


class GameEnv(ParallelEnv[str, np.ndarray, Any]):  # type: ignore[misc]
    """A game as a parallel environment of PettingZoo; agents are ``player_0``, ``player_1``, ..

    A `MarkovGame` is played as it is, and so is a game that offers ``play()``, such as a race over periods;
    any other game is repeated, everybody seeing what was played last. Play is cut after ``periods``, by
    default 100; a `MarkovGame` cuts itself, and where ``periods`` are given earlier, after so many steps.

    In a box an action is ``[axis]`` from -1 to 1, from the lowest to the highest in the coordinates in which
    the box is searched; in finite games and on a simplex it is the number of a pure action or a corner. Of a
    walk it is the move, in its own units. With ``simplex="points"`` an action on a simplex is ``[corner]``
    from 0 to 1, and what is played is the nearest point of the simplex (its Euclidean projection): points of
    the simplex are played as they are, mixed strategies of a matrix game at their expected payoffs.

    The first observation of a repeated game stands for what was played before, although nothing was: a
    profile drawn from the space as random starts are, with the environment's seed (``memory`` profiles, where
    so many are seen). In a matrix game it holds one mixed strategy per player, uniform on the simplex, where
    later observations hold the pure actions played, as rows of 0 and 1.

    Observations are in units of the game. With ``normalize_spaces`` they are of order 1: what was played from
    -1 to 1, as actions are, shares on a simplex as they are, all else less its median in play by chance,
    in units of how far from it that mostly lies (`Course`); moves of a walk are then from -1 to 1 as well.
    Rewards are the game's payoffs either way.

    Where the game has ``movers``, actions of those whose turn it is not are ignored (`TurnEnv`); where it
    says what is ``legal(state)``, observations are dictionaries with ``observation`` and ``action_mask``. Who
    is no longer ``alive`` is terminated, and play goes on without it. ``now`` is the state of the game.
    Raises `ValueError` for other spaces, and for actions that are none.

    >>> import rivalry as rv
    >>> env = GameEnv(rv.games.matrix("prisoners_dilemma"), periods=3)
    >>> _ = env.reset(seed=1)
    >>> env.step({"player_0": 0, "player_1": 1})[1]
    {'player_0': 0.0, 'player_1': 5.0}
    """

    metadata = {"name": "rivalry_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)

    def __init__(
        self,
        game: Any,
        *,
        periods: int | None = None,
        normalize_spaces: bool = False,
        simplex: OnSimplex = "corners",
    ) -> None:
        check_periods(periods)
        self.game: Any = markov(game, PERIODS if periods is None else periods)
        self.render_mode = None
        limit = periods if self.game is game else None
        self.possible_agents = [f"player_{k}" for k in range(self.game.space.shape[0])]
        self.agents: list[str] = []
        self._actions = Actions(self.game, normalize_spaces, simplex)
        self._course = Course(self.game, limit=limit, normalized=normalize_spaces)
        kind, most = (np.float32, NEAR) if normalize_spaces else (np.float64, FAR)
        self._kind = kind
        everywhere = spaces.Box(-most, most, self._course.now.seen.shape[1:], kind)
        self._masked = self._course.actions > 0
        self._observations: dict[str, spaces.Space[Any]] = dict.fromkeys(self.possible_agents, everywhere)
        if self._masked:
            for name, size in zip(self.possible_agents, self.game.space.sizes, strict=True):
                limits: dict[str, spaces.Space[Any]] = {
                    "observation": everywhere,
                    "action_mask": spaces.MultiBinary(size),
                }
                self._observations[name] = spaces.Dict(limits)
        self._held: tuple[np.ndarray, np.ndarray] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> GameEnv:
        memo[id(self.game)] = self.game  # games are values; a copied one may have to be compiled again
        other = memo[id(self)] = GameEnv.__new__(type(self))
        other.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return other

    @property
    def now(self) -> Any:
        """The state of the game, as its ``reset`` and ``step`` give it."""
        return self._course.state

    def observation_space(self, agent: str) -> spaces.Space[np.ndarray]:
        """What ``agent`` sees."""
        return self._observations[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What ``agent`` may do."""
        return self._actions.spaces[self.possible_agents.index(agent)]

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
        return self.play(everybodys(self.agents, actions))

    def play(
        self, actions: Mapping[str, Any]
    ) -> tuple[Seen, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """As `step`; those whose turn it is not, or who are out, may be left out of ``actions``."""
        names = self.agents
        given = self._actions.read(self.possible_agents, actions, self._course.now.legal)
        now = self._course.onward(given, self._held)
        over, paid = now.over.tolist(), now.rewards.tolist()
        if len(names) == len(self.possible_agents):
            ended, rewards = dict(zip(names, over, strict=True)), dict(zip(names, paid, strict=True))
        else:
            rows = [self.possible_agents.index(name) for name in names]
            ended = {name: over[k] for name, k in zip(names, rows, strict=True)}
            rewards = {name: paid[k] for name, k in zip(names, rows, strict=True)}
        short = {name: now.cut and not ended[name] for name in names}
        seen = self._seen()
        if now.cut or any(ended.values()):
            self.agents = [name for name in names if not (ended[name] or short[name])]
        return seen, rewards, ended, short, {name: {} for name in names}

    def movers(self) -> list[str]:
        """Whose turn it is."""
        turn, left = self._course.now.movers.tolist(), self.agents
        return [name for name, own in zip(self.possible_agents, turn, strict=True) if own and name in left]

    def check(self, agent: str, action: Any) -> None:
        """Raises `ValueError` for what is no action of an agent."""
        self._actions.read(self.possible_agents, {agent: action}, self._course.now.legal)

    def hold(self, profile: object, but: int) -> None:
        """From now on all but one player play their row of a profile. Raises `ValueError`."""
        x = np.asarray(self.game.space.check(profile, "others"))
        self._held = np.arange(len(x)) != but, x

    def _seen(self) -> Seen:
        rows: Any = self._course.now.seen.astype(self._kind, copy=False)
        if self._masked:
            masks = zip(self._course.now.legal.astype(np.int8), self.game.space.sizes, strict=True)
            told = zip(rows, masks, strict=True)
            rows = [{"observation": row, "action_mask": mask[:size]} for row, (mask, size) in told]
        if len(self.agents) == len(rows):
            return dict(zip(self.agents, rows, strict=True))
        return {name: rows[k] for k, name in enumerate(self.possible_agents) if name in self.agents}

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing is held open."""


class Actions:
    """What players may do, as Gymnasium says it, and how it is read. Raises `ValueError` for other spaces."""

    def __init__(self, game: Any, normalized: bool, simplex: OnSimplex) -> None:
        space = game.space
        if not isinstance(space, Box | Simplex | Choices):
            raise ValueError(f"space: {type(space).__name__} must be a Box, a Simplex or Choices")
        points, sizes = _as_points(game, simplex), () if isinstance(space, Box) else space.sizes
        self.sizes: Sequence[int] = () if points else sizes  # of players who choose by number
        self.shape = (space.shape[0], 1 if self.sizes else space.shape[1])
        self.columns: Sequence[int] = sizes if points else (self.shape[1],) * self.shape[0]
        self.least = 0.0 if points else -1.0  # of an action as the course takes it; the most is 1
        self.low, self.high = np.full(self.shape, self.least), np.ones(self.shape)
        self.middle, self.half = np.zeros(self.shape), np.ones(self.shape)
        if isinstance(space, Box) and oracles.own_units(game) and not normalized:
            self.low, self.high = np.asarray(space.low), np.asarray(space.high)
            self.middle, self.half = (self.low + self.high) / 2, (self.high - self.low) / 2
        self.spaces: list[spaces.Space[Any]] = [spaces.Discrete(size) for size in self.sizes] or [
            spaces.Box(low[:count].astype(np.float32), high[:count].astype(np.float32), dtype=np.float32)
            for low, high, count in zip(self.low, self.high, self.columns, strict=True)
        ]

    def read(self, names: Sequence[str], actions: Mapping[str, Any], legal: np.ndarray) -> np.ndarray:
        """Actions ``[player column]`` for the course, 0 where there is none. Raises `ValueError`."""
        found = np.zeros(self.shape)
        if self.sizes:
            for k, name in enumerate(names):
                if name in actions:
                    number = found[k, 0] = _number(actions[name], self.sizes[k], name)
                    if legal.size and not legal[k, number]:
                        known = np.flatnonzero(legal[k]).tolist()
                        raise ValueError(f"action of {name}: {number} is not legal; must be one of {known}")
            return found
        if len(actions) == len(names):  # all at once, where nothing is wrong
            try:
                given = np.array([actions[name] for name in names], dtype=float)
            except (KeyError, TypeError, ValueError):
                given = np.zeros(0)
            if given.shape == self.shape:
                shares: np.ndarray = (given - self.middle) / self.half
                if shares.min() >= self.least - ROUNDING and shares.max() <= 1 + ROUNDING:
                    found[:] = np.clip(shares, self.least, 1)
                    return found
        for k, name in enumerate(names):
            if name in actions:
                found[k, : self.columns[k]] = self._within(actions[name], k, name)
        return found

    def _within(self, action: Any, player: int, name: str) -> np.ndarray:
        """An action in its box, as the course takes it. Raises `ValueError`."""
        count = self.columns[player]
        low, high, middle, half = (
            each[player, :count] for each in (self.low, self.high, self.middle, self.half)
        )
        try:
            given = np.asarray(action, dtype=float)
        except (TypeError, ValueError):
            given = np.full(1, np.nan)
        inside = given.shape == low.shape
        if inside:
            share = (given - middle) / half
            inside = bool(((share >= self.least - ROUNDING) & (share <= 1 + ROUNDING)).all())
        if not inside:
            given_as = action.tolist() if isinstance(action, np.ndarray) else action
            rule = f"must be in the box [{low[0]:g}, {high[0]:g}], {_numbers(count)}"
            raise ValueError(f"action of {name}: {given_as!r} {rule}")
        return np.clip(share, self.least, 1)  # type: ignore[no-any-return]


def _as_points(game: Any, simplex: OnSimplex) -> bool:
    """Whether actions are points of a simplex. Raises `ValueError` where they cannot be."""
    check_word("simplex", simplex, OnSimplex)
    if simplex == "corners":
        return False
    if not isinstance(game.space, Simplex):
        raise ValueError(f"simplex: 'points' must be 'corners' for a game on a {type(game.space).__name__}")
    if oracles.legal_actions.knows(game):
        raise ValueError("simplex: 'points' must be 'corners' for a game with illegal actions")
    return bool(game.space.shape[1] > 1)  # else there is nothing to choose


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"


def _number(action: Any, size: int, name: str) -> int:
    """A pure action's number. Raises `ValueError`."""
    try:
        number = operator.index(action)
    except TypeError:
        number = int(action) if np.ndim(action) == 0 and _whole(action) else -1
    if not 0 <= number < size:
        raise ValueError(f"action of {name}: {action!r} must be a whole number in 0..{size - 1}")
    return number


def _whole(action: Any) -> bool:
    try:
        return float(action).is_integer()
    except (TypeError, ValueError):
        return False


def everybodys(names: Sequence[str], actions: Mapping[str, Any]) -> dict[str, Any]:
    """The actions of all who are named. Raises `ValueError` where one is missing."""
    try:
        return {name: actions[name] for name in names}
    except KeyError as missing:
        raise ValueError(f"actions: that of {missing.args[0]} is missing; must be one an agent") from None


def check_periods(periods: object) -> None:
    """Raises `ValueError` for what is neither None nor a count."""
    if periods is not None and (isinstance(periods, bool) or not isinstance(periods, int) or periods < 1):
        raise ValueError(f"periods: {periods!r} must be a whole number, at least 1")


def check_word(name: str, word: str, kind: Any) -> None:
    """Raises `ValueError` for a word that is none of a `Literal`."""
    if word not in get_args(kind):
        raise ValueError(f"{name}: {word!r} must be one of {', '.join(map(repr, get_args(kind)))}")


def markov(game: Any, periods: int) -> Any:
    """The game that is played on and on: as it is, as it says itself, or repeated. Raises `ValueError`."""
    registered(game)
    if oracles.to_markov.knows(game):
        return oracles.to_markov(game, periods)
    if is_markov(game):
        return game
    if not isinstance(game, Game):
        hint = "; populations are for EconomyEnv" if is_population(game) else ""
        raise ValueError(f"game: {type(game).__name__} has neither payoffs nor steps{hint}")
    return repeat(game, periods=periods)
