"""One player among others with fixed policies: environments of Gymnasium, alone or in copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy import ndarray

from rivalry.envs.agents import AgentsCourse
from rivalry.envs.games import MASK, NO_EPISODE, EnvOptions, GameEnv
from rivalry.games import GAMES
from rivalry.schema.validate import check_keywords, number_of, whole_number

Mask = ndarray | np.bool_  # of courses, ``[copy]`` or of the one


class Seat:
    """A player's play against others with fixed policies, in one course or in several ``[copy]``.

    ``policies`` are a function ``(agent name, observation) -> action``, or what the course can hold.
    """

    def __init__(self, game: object, player: int, policies: object, options: EnvOptions) -> None:
        self.parallel = GameEnv(game, **options)
        self.course = self.parallel.course
        self.player = number_of("player", player, len(self.course.names))
        self.name: str = self.course.names[self.player]
        self.ask: Callable[[str, Any], Any] | None = policies if callable(policies) else None
        if self.ask is None:
            self.course.hold(policies, self.player)
        self.observation_space = self.parallel.observation_space(self.name)
        self.action_space = self.parallel.action_space(self.name)
        self._gather(())

    def copy(self, copies: int) -> None:
        """Play in so many copies from now on. Raises `ValueError` for agents of kernels."""
        if isinstance(self.course, AgentsCourse):
            reason = f"agents of {type(self.course.game).__name__} are stepped by kernels, one copy at a time"
            raise ValueError(f"game: {reason}; use gymnasium.vector.SyncVectorEnv with single_agent_env")
        self.course = self.course.many(copies)
        self._gather((copies,))

    def _gather(self, shape: tuple[int, ...]) -> None:
        """Make the arrays of courses ``shape``; all are over until `begin`."""
        self.whole = np.ones(shape, bool)
        self.paid = np.zeros(shape)
        self.cut: Any = self.whole
        self.ended: Any = self.whole

    @property
    def over(self) -> Mask:
        """Mask of courses whose episode is over."""
        return self.ended | self.cut

    def begin(self, seeds: Any, where: Mask) -> None:
        """Start a new episode, and play to the first turn of the player."""
        self.course.begin(seeds, where)
        self.paid = np.where(where, 0.0, self.paid)
        self.ended, self.cut = self.ended & ~where, self.cut & ~where
        self._play(where & ~self._is_turn(), {})

    def act(self, actions: Any, where: Mask) -> ndarray:
        """Play to the player's next turn; return the rewards since the last. Raises `ValueError`."""
        self._play(where, {self.player: actions})
        paid = np.where(where, self.paid, 0.0)
        self.paid = np.where(where, 0.0, self.paid)
        return paid

    def view(self, number: int) -> tuple[Any, dict[str, Any]]:
        """Return an agent's observation and info."""
        return self.parallel.view(self.course.now, number)

    def _is_turn(self) -> Mask:
        return self.over | self.course.now.movers[..., self.player]

    def _play(self, where: Mask, choices: dict[int, Any]) -> None:
        """Play in the courses ``where`` to the player's next turn or the end, and add up its rewards.

        ``choices`` are actions of the first step by agent; policies that are functions are asked for others.
        """
        while where.any():
            turn = np.asarray(where)[..., None] & self.course.now.movers  # [.. agent]
            if self.ask is not None:
                for k in np.flatnonzero(turn.reshape(-1, turn.shape[-1]).any(axis=0)).tolist():
                    if k != self.player:
                        choices[k] = self.ask(self.course.names[k], self.view(k)[0])
            outcome = self.course.advance(self._read(choices, turn), where)
            self.paid = self.paid + np.where(where, outcome.rewards[..., self.player], 0.0)
            self.ended = np.where(where, outcome.over[..., self.player], self.ended)
            self.cut = np.where(where, outcome.cut & ~self.ended, self.cut)
            where, choices = where & ~self._is_turn(), {}

    def _read(self, choices: dict[int, Any], turn: ndarray) -> ndarray:
        """Return actions ``[.. agent column]``, 0 where they do not count. Raises `ValueError`."""
        names, reader = self.course.names, self.course.actions
        if not self.whole.ndim:
            return self.parallel.read({names[k]: action for k, action in choices.items()})
        converted = np.zeros((*turn.shape, reader.columns))
        for k, actions in choices.items():
            if len(actions) != len(turn):
                raise ValueError(f"actions of {names[k]}: {len(actions)} must be {len(turn)}, one per copy")
            rows = np.flatnonzero(turn[:, k])
            if rows.size:
                chosen = actions[rows] if isinstance(actions, ndarray) else [actions[row] for row in rows]
                converted[rows, k] = reader.read(
                    np.full(rows.size, k),
                    chosen,
                    lambda row, name=names[k], rows=rows: f"{name} in copy {rows[row]}",
                    self.course.now.legal[rows, k],
                )
        return converted


@check_keywords
class PlayerEnv(gym.Env[Any, Any]):
    """One player's problem against others with fixed policies, in Gymnasium; also `single_agent_env`.

    Spaces, rewards and ends are the player's in the parallel environment of the game (`GameEnv`). A step ends
    when the player acts again; rewards received meanwhile are summed.

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
    periods, illegal, normalize_spaces, simplex, mask
        As in `GameEnv`.

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
        self.seat = Seat(game, player, others, options)
        self.observation_space, self.action_space = self.seat.observation_space, self.seat.action_space

    @check_keywords
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new episode; ``seed`` restarts the random stream."""
        seed = None if seed is None else whole_number("seed", seed)  # Gymnasium takes no integers of NumPy
        super().reset(seed=seed)
        self.seat.begin(seed, self.seat.whole)
        return self.seat.view(self.seat.player)

    def step(self, action: object) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Apply the player's action, and play until the player acts again. Raises `ValueError`."""
        seat = self.seat
        if seat.over:
            raise ValueError(NO_EPISODE)
        paid = float(seat.act(action, seat.whole))
        observation, info = seat.view(seat.player)
        return observation, paid, bool(seat.ended), bool(seat.cut), info


@check_keywords
class BatchEnv(VectorEnv[Any, Any, ndarray]):
    """Copies of `PlayerEnv`, all stepped by one call of a compiled program; also `batch`.

    Spaces, rewards, ends and random numbers of every copy are those of `PlayerEnv` with the same seed, up to
    rounding. An episode that has ended begins anew at the next step, whatever its action then, with a reward
    of 0 (``AutoresetMode.NEXT_STEP``). ``reset`` takes a seed per copy, or one for the first copy, that of
    every further copy being one larger; without a seed random streams continue, from seeds 0, 1, ..

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
    periods, normalize_spaces, simplex, mask
        As in `GameEnv`.

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
        self.num_envs = whole_number("copies", copies, 1)
        self.seat = seat = Seat(game, player, others, options)
        seat.copy(copies)
        self.single_observation_space = seat.observation_space
        self.single_action_space = seat.action_space
        self.observation_space = batch_space(self.single_observation_space, copies)
        self.action_space = batch_space(self.single_action_space, copies)

    @check_keywords
    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every copy; seeds restart random streams."""
        if seed is None:
            seeds: Sequence[int | None] = [None] * self.num_envs
        elif isinstance(seed, str) or not isinstance(seed, Sequence | ndarray):
            base_seed = whole_number("seed", seed)
            super().reset(seed=base_seed)
            seeds = range(base_seed, base_seed + self.num_envs)
        elif len(seed) == self.num_envs:
            seeds = seed
        else:
            raise ValueError(f"seed: {len(seed)} seeds must be {self.num_envs}, one per copy")
        self.seat.begin(seeds, self.seat.whole)
        return self._view_copies()

    def step(self, actions: Any) -> tuple[Any, ndarray, ndarray, ndarray, dict[str, Any]]:
        """Apply the player's actions, and play until it acts again, in every copy. Raises `ValueError`."""
        seat, over = self.seat, self.seat.over
        if (seat.ended & seat.cut).any():
            raise ValueError(NO_EPISODE)
        paid = seat.act(actions, ~over)
        if over.any():
            seat.begin([None] * self.num_envs, over)
        observations, infos = self._view_copies()
        return observations, paid, seat.ended, seat.cut, infos

    def _view_copies(self) -> tuple[Any, dict[str, Any]]:
        """Return observations and infos of all copies, as Gymnasium does with an array of where they are."""
        observations, infos = self.seat.view(self.seat.player)
        return observations, infos | {f"_{MASK}": np.ones(self.num_envs, bool) for _ in infos}


for _family, _entry in GAMES.items():
    if not _entry.continuum:
        gym.register(f"rivalry/{_family}-v0", "rivalry.envs:PlayerEnv", kwargs={"game": _family, "player": 0})

single_agent_env = PlayerEnv
"""The third of the functions `parallel_env`, `aec_env` and `single_agent_env`."""
batch = BatchEnv
"""Copies of a player's environment, as in ``rivalry.envs.batch(game, player, others, 1024)``."""
