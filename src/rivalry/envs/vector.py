"""Copies of one player's environment, stepped together: the vector form of Gymnasium."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy import ndarray

from rivalry.envs.agents import AgentsEnv
from rivalry.envs.course import Courses
from rivalry.envs.factory import EnvOptions, PlayerEnv
from rivalry.envs.games import MASK, NO_EPISODE
from rivalry.schema.validate import check_keywords, whole_number


@check_keywords
class BatchEnv(VectorEnv[Any, Any, ndarray]):
    """Copies of `PlayerEnv`, all stepped by one call of a compiled program.

    Spaces, rewards, ends and random numbers of every copy are those of `single_agent_env` with the same seed,
    up to rounding. An episode that has ended begins anew at the next step, whatever its action then, with a
    reward of 0 (``AutoresetMode.NEXT_STEP``). ``reset`` takes a seed per copy, or one for the first copy,
    that of every further copy being one larger; without a seed random streams continue, from seeds 0, 1, ..

    Parameters
    ----------
    game : Game or str
        A game of players, or the name of a family for its default game.
    player : int
        Number of the player.
    others : callable or array_like
        Policies of the others: a profile ``[player axis]`` of one period, or a function
        ``(agent name, observations of all copies) -> actions of all copies``.
    copies : int
        Number of copies.
    periods, normalize_spaces, simplex
        As in `parallel_env`.

    Raises
    ------
    ValueError
        As for `PlayerEnv`, and for economies and cities, whose agents are stepped by kernels.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> envs = BatchEnv(game, 1, game.pure("cooperate", "cooperate"), 3, periods=3)
    >>> _ = envs.reset(seed=1)
    >>> envs.step([0, 1, 1])[1].tolist()
    [3.0, 5.0, 5.0]
    """

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_modes": []}  # noqa: RUF012  (as Gymnasium)

    def __init__(
        self, game: object, player: int, others: object, copies: int, **options: Unpack[EnvOptions]
    ) -> None:
        whole_number("copies", copies, 1)
        self.single = PlayerEnv(game, player, others, **options)
        if isinstance(self.single.parallel, AgentsEnv):
            kind_name = type(self.single.parallel.game).__name__
            remedy = "use gymnasium.vector.SyncVectorEnv with single_agent_env"
            raise ValueError(
                f"game: agents of {kind_name} are stepped by kernels, one copy at a time; {remedy}"
            )
        self.num_envs = copies
        self.single_observation_space = self.single.observation_space
        self.single_action_space = self.single.action_space
        self.observation_space = batch_space(self.single_observation_space, copies)
        self.action_space = batch_space(self.single_action_space, copies)
        self._courses = Courses(self.single.parallel.course, copies)
        self._seeds: Sequence[int | None] = range(copies)  # of the first reset; afterwards streams continue
        self._paid, self._ended, self._short = (np.zeros(copies, kind) for kind in (float, bool, bool))

    @check_keywords
    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every copy; seeds restart random streams."""
        if seed is None:
            seeds = self._seeds or [None] * self.num_envs
        elif isinstance(seed, str) or not isinstance(seed, Sequence | ndarray):
            base_seed = whole_number("seed", seed)
            super().reset(seed=base_seed)
            seeds = range(base_seed, base_seed + self.num_envs)
        elif len(seed) == self.num_envs:
            seeds = seed
        else:
            raise ValueError(f"seed: {len(seed)} seeds must be {self.num_envs}, one per copy")
        self._begin(seeds, np.ones(self.num_envs, bool))
        self._seeds = ()
        return self._observe(self.single.player), self._infos()

    def step(self, actions: Any) -> tuple[Any, ndarray, ndarray, ndarray, dict[str, Any]]:
        """Apply the player's actions, and play until it acts again, in every copy. Raises `ValueError`."""
        if self._seeds:
            raise ValueError(NO_EPISODE)
        over = self._ended | self._short
        plays = self._read(self.single.player, actions, ~over)
        if over.any():
            self._begin([None] * self.num_envs, over)
        self._play(~over, plays)
        paid = np.where(over, 0.0, self._paid)
        self._paid = np.where(over, self._paid, 0.0)
        infos = self._infos()
        return self._observe(self.single.player), paid, self._ended.copy(), self._short.copy(), infos

    def _begin(self, seeds: Sequence[int | None], where: ndarray) -> None:
        self._courses.begin(seeds, where)
        for state in (self._paid, self._ended, self._short):
            state[where] = 0
        self._play(where & ~self._is_turn(), None)

    def _is_turn(self) -> ndarray:
        """Mask ``[copy]`` of copies in which it is the player's turn or the episode is over."""
        return self._ended | self._short | self._courses.now.movers[:, self.single.player]

    def _play(self, where: ndarray, plays: ndarray | None) -> None:
        """Play from the player's actions ``[copy column]``, if it is its turn, until it acts again."""
        player, parallel = self.single.player, self.single.parallel
        while where.any():
            actions = np.zeros((self.num_envs, *parallel.converter.shape))
            if plays is not None:
                actions[:, player] = plays
            if self.single.ask is not None:
                for k in range(len(parallel.possible_agents)):
                    turn = where & self._courses.now.movers[:, k]
                    if k != player and turn.any():
                        name = parallel.possible_agents[k]
                        actions[:, k] = self._read(k, self.single.ask(name, self._observe(k)), turn)
            outcome = self._courses.advance(actions, parallel.fixed, where)
            self._paid += np.where(where, outcome.rewards[:, player], 0.0)
            self._ended = np.where(where, outcome.over[:, player], self._ended)
            self._short = np.where(where, outcome.cut & ~self._ended, self._short)
            where, plays = where & ~self._is_turn(), None

    def _observe(self, player: int) -> Any:
        parallel, outcome = self.single.parallel, self._courses.now
        rows = outcome.seen[:, player].astype(parallel.kind)
        return {"observation": rows, MASK: self._legal(player)} if parallel.masked else rows

    def _legal(self, player: int) -> ndarray:
        size = self.single.parallel.game.space.sizes[player]
        return self._courses.now.legal[:, player, :size].astype(np.int8)

    def _infos(self) -> dict[str, Any]:
        """Return the infos of all copies as Gymnasium does: an array per key, and where there is one."""
        if not self.single.parallel.masked:
            return {}
        present = np.ones(self.num_envs, bool)
        return {MASK: self._legal(self.single.player), f"_{MASK}": present}

    def _read(self, player: int, actions: Any, where: ndarray) -> ndarray:
        """Return actions ``[copy column]`` for the courses. Raises `ValueError` for wrong ones ``where``."""
        parallel = self.single.parallel
        name, legal = parallel.possible_agents[player], self._courses.now.legal
        return parallel.converter.read_copies(player, name, actions, legal, where)


batch = BatchEnv
"""Copies of a player's environment, as in ``rivalry.envs.batch(game, player, others, 1024)``."""
