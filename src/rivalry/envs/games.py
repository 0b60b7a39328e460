"""Every game as a parallel environment of PettingZoo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict, get_args

import numpy as np
from gymnasium import spaces
from numpy import ndarray
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from rivalry import games
from rivalry.core.game import kernel_arrays
from rivalry.envs.actions import Illegal, OnSimplex
from rivalry.envs.course import Course, StepResult
from rivalry.games import GAMES
from rivalry.schema.register import collect
from rivalry.schema.registry import load, suggestion
from rivalry.schema.validate import check_keywords, check_word, whole_number

ENVIRONMENTS: dict[str, str] = collect("ENVIRONMENTS")
"""Courses of play of agents by the name of the type of their kernels' arrays."""

ActionsByAgent = Mapping[str, Any]
Seen = dict[str, Any]
Infos = dict[str, dict[str, Any]]
Results = tuple[Seen, dict[str, float], dict[str, bool], dict[str, bool], Infos]
"""Observations, rewards, terminations, truncations and infos by agent, as in PettingZoo."""
MaskIn = Literal["observation", "info"]
MASK = "action_mask"  # the key of legal actions, beside "observation" and in infos
NO_EPISODE = "action: there is no episode, as it is over or was never started; call reset() first"


class EnvOptions(TypedDict, total=False):
    """The options of `GameEnv`, which all environments have."""

    periods: int | None
    illegal: Illegal
    normalize_spaces: bool
    simplex: OnSimplex
    mask: MaskIn


@check_keywords
class GameEnv(ParallelEnv[str, Any, Any]):  # type: ignore[misc]
    """A game as a parallel environment of PettingZoo, in which all agents act at once; also `parallel_env`.

    Agents are ``player_0``, ``player_1``, .., of karma economies and cities ``agent_0``, ``agent_1``, ..
    A `MarkovGame` is played as it is, and so is a game with a native dynamic form, such as a race over
    periods; any other game is repeated, and all players observe the last actions.

    In a box an action is ``[axis]`` from -1 to 1, from the lowest to the highest in the coordinates in which
    the box is searched. In finite games it is the number of a pure action, on a simplex that of a corner. For
    a walk it is the move, in its own units. With ``simplex="points"`` an action on a simplex is ``[corner]``
    from 0 to 1, and the nearest point of the simplex is played (its Euclidean projection): points of the
    simplex are played as they are, mixed strategies of a matrix game at their expected payoffs. In an economy
    and a city it is a bid (`economies.envs`).

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

    Making the dictionaries of PettingZoo takes most of a step of many agents. Learners that choose for all
    agents at once can avoid it: ``course`` exchanges arrays with agents in order, by ``begin(seed)``,
    ``advance(actions [agent column])`` and ``now.observations``, ``now.legal`` and ``now.rewards``.

    Parameters
    ----------
    game : Game or str
        A game, or the name of a family for its default game.
    periods : int, optional
        Steps until play is truncated (default: 100, of economies and cities 1000, or those of the game). A
        `MarkovGame` may truncate itself earlier.
    illegal : {"warn", "clip", "raise"}
        Treatment of a bid above karma: clip it with one warning per environment, clip it silently, or raise
        `ValueError`. Illegal actions of other games, and those outside the action space, always raise it.
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
        If ``game`` is not a game, for ``simplex="points"`` on other spaces, and for invalid actions.

    Examples
    --------
    >>> import rivalry as rv
    >>> env = GameEnv(rv.games.matrix("prisoners_dilemma"), periods=3)
    >>> _ = env.reset(seed=1)
    >>> env.step({"player_0": 0, "player_1": 1})[1]
    {'player_0': 0.0, 'player_1': 5.0}
    """

    metadata = {"name": "rivalry_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)
    render_mode = None

    def __init__(
        self,
        game: object,
        *,
        periods: int | None = None,
        illegal: Illegal = "warn",
        normalize_spaces: bool = False,
        simplex: OnSimplex = "corners",
        mask: MaskIn = "observation",
    ) -> None:
        check_word("illegal", illegal, get_args(Illegal))
        check_word("simplex", simplex, get_args(OnSimplex))
        check_word("mask", mask, get_args(MaskIn))
        if periods is not None:
            whole_number("periods", periods, 1)
        form = _game_of(game)
        course_of_agents = ENVIRONMENTS.get(type(kernel_arrays(form)).__name__)
        self.course: Any
        if course_of_agents is None:
            self.course = Course(form, periods, normalize_spaces, simplex)
        elif simplex == "corners":
            self.course = load(course_of_agents)(form, periods, normalize_spaces, illegal)
        else:
            reason = f"agents of {type(form).__name__} bid whole numbers"
            raise ValueError(f"simplex: {simplex!r} must be 'corners': {reason}")
        self.mask, self.masked = mask, self.course.now.legal.shape[1] > 0
        self.possible_agents: list[str] = list(self.course.names)
        self.agents: list[str] = []
        self._sizes = [getattr(space, "n", 0) for space in self.course.actions.spaces]  # of masks
        self._uneven = len(set(self._sizes)) > 1
        self._number = {name: k for k, name in enumerate(self.possible_agents)}
        self._spaces: dict[str, spaces.Space[Any]] = {}

    @property
    def now(self) -> Any:
        """The state of the game."""
        return self.course.state

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of ``agent``'s observations."""
        if agent not in self._spaces:
            number = self._number[agent]
            low, high = (end[number] for end in self.course.bounds)
            self._spaces[agent] = box = spaces.Box(low, high, dtype=self.course.kind)
            if self.masked and self.mask == "observation":
                mask = spaces.MultiBinary(int(self._sizes[number]))
                self._spaces[agent] = spaces.Dict({"observation": box, MASK: mask})
        return self._spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of all actions that ``agent`` can choose in any state."""
        space: spaces.Space[Any] = self.course.actions.spaces[self._number[agent]]
        return space

    @property
    def state_space(self) -> spaces.Box:
        """The space of `state`."""
        low, high = self.course.bounds
        return spaces.Box(low.ravel(), high.ravel(), dtype=self.course.kind)

    def state(self) -> ndarray:
        """Joint observation of all agents, without masks: ``[agent * feature]``.

        For a central critic; before `reset` and of agents that have left, the game's own last features.
        """
        observed: ndarray = self.course.now.observations
        return observed.ravel()

    @check_keywords
    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Seen, Infos]:
        """Start a new episode; ``seed`` restarts the random stream."""
        self.course.begin(seed)
        self.agents = list(self.possible_agents)
        return self._views()

    def step(self, actions: ActionsByAgent) -> Results:
        """Apply one action per agent; agents that have ended leave ``agents``. Raises `ValueError`.

        Actions of agents that have ended are ignored, but an episode that is over, or was never begun by
        ``reset``, takes none: a loop that goes on would record nothing.
        """
        if actions and not self.agents:
            raise ValueError(NO_EPISODE)
        for name in actions.keys() - self._number.keys():
            first, last = self.possible_agents[0], self.possible_agents[-1]
            raise ValueError(f"actions: {name!r} is not an agent; must be in {first} .. {last}")
        _complete(actions, self.agents)
        return self.play({name: actions[name] for name in self.agents})

    def play(self, actions: ActionsByAgent) -> Results:
        """Apply one step; agents that do not act in it or have ended may be left out of ``actions``."""
        names = self.agents
        if not self.course.now.movers.all():
            actions = {name: actions[name] for name in self.movers() if name in actions}
        outcome = self.course.advance(self.read(actions))
        rewards, ended = self._of(outcome.rewards.tolist()), dict.fromkeys(names, False)
        cut, some_ended = bool(outcome.cut), bool(outcome.over.any())
        if some_ended:
            ended = self._of(outcome.over.tolist())
        short = {name: not ended[name] for name in names} if cut else dict.fromkeys(names, False)
        observations, infos = self._views()
        if cut or some_ended:
            self.agents = [name for name in names if not (cut or ended[name])]
        return observations, rewards, ended, short, infos

    def movers(self) -> list[str]:
        """Return the names of the agents that move now."""
        turn = self.course.now.movers.tolist()
        return [name for name in self.agents if turn[self._number[name]]]

    def check(self, agent: str, action: object) -> None:
        """Raise `ValueError` for an action that ``agent`` cannot choose now."""
        number, legal = self._number[agent], self.course.now.legal
        if (
            isinstance(action, int | np.integer)
            and action in range(legal.shape[1])
            and legal[number, int(action)]
        ):
            return  # in a tenth of the time that arrays take
        player = np.array([number])
        self.course.actions.read(player, [action], [agent].__getitem__, legal[player])

    def read(self, actions: ActionsByAgent) -> ndarray:
        """Return actions ``[agent column]`` as ``course`` takes them, 0 if missing. Raises `ValueError`."""
        course, players = self.course, np.array([self._number[name] for name in actions], int)
        rows = np.zeros((len(self._number), course.actions.columns))
        if actions:
            listed, legal = list(actions.values()), course.now.legal[players]
            rows[players] = course.actions.read(players, listed, list(actions).__getitem__, legal)
        return rows

    def profile(self, actions: ActionsByAgent) -> ndarray:
        """Return the profile ``[player axis]`` of one period that actions play, in units of the game.

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
        _complete(actions, self.possible_agents)
        played: ndarray = self.course.profile(self.read(actions))
        return played

    def view(self, now: StepResult, number: int) -> tuple[Any, dict[str, Any]]:
        """Return the observation and the info of an agent after a step, of several courses ``[copy ..]``."""
        row = now.observations[..., number, :]
        if not self.masked:
            return row, {}
        mask = now.legal[..., number, : self._sizes[number]]
        return {"observation": row, MASK: mask} if self.mask == "observation" else row, {MASK: mask}

    def _views(self) -> tuple[Seen, Infos]:
        now = self.course.now
        if not self.masked:
            observations = self._of(now.observations)
            return observations, {name: {} for name in observations}
        masks = list(now.legal)
        if self._uneven:
            masks = [mask[:size] for mask, size in zip(masks, self._sizes, strict=True)]
        rows = now.observations
        if self.mask == "observation":
            rows = [{"observation": row, MASK: mask} for row, mask in zip(rows, masks, strict=True)]
        return self._of(rows), self._of([{MASK: mask} for mask in masks])

    def _of(self, values: Iterable[Any]) -> dict[str, Any]:
        """Return the values of the agents that are left, by name, from those of all agents in order."""
        values_by_name = dict(zip(self.possible_agents, values, strict=True))
        if len(self.agents) < len(values_by_name):
            return {name: values_by_name[name] for name in self.agents}
        return values_by_name


def _complete(actions: ActionsByAgent, agents: Iterable[str]) -> None:
    """Raise `ValueError` if an agent's action is missing."""
    for name in agents:
        if name not in actions:
            raise ValueError(f"actions: that of {name} is missing; must be one per agent")


def _game_of(game: object) -> Any:
    """Return the game, or the default game of the family of that name. Raises `ValueError`."""
    if not isinstance(game, str):
        return game
    if game not in GAMES:
        raise ValueError(f"game: {game!r} is not a family; {suggestion(game, GAMES)}")
    try:
        return getattr(games, game)()
    except ValueError as error:
        raise ValueError(f"game: {game!r} has no default game ({error}); give a game") from None


parallel_env = GameEnv
"""The first of the functions `parallel_env`, `aec_env` and `single_agent_env`."""
