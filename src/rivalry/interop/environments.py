"""Environments of PettingZoo and Gymnasium with finite spaces, for tabular learners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from math import prod
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.tree import Tree, static
from rivalry.text.display import Description, count_text

MASK = "action_mask"
MOST_ENTRIES = 10**8  # states times actions of all agents together: 800 MB of values, as many of counts
PROBE = 200  # steps of the two episodes that test whether seeds are obeyed
SUM = 1e-9  # largest error of a sum of probabilities


@runtime_checkable
class Turn(Protocol):
    """Action of an agent when it is its turn, and its learning at its end."""

    def __call__(
        self, player: int, observation: object, reward: float, terminated: bool, truncated: bool
    ) -> Any:
        """Return an action; ``reward`` is what was received since the agent's last action.

        At the end of an episode the answer is not used.
        """


Policy = ndarray | Callable[[Any], Any]
"""Actions ``[state]``, probabilities ``[state action]``, or a function of an observation."""


class Numbering(NamedTuple):
    """The elements of a finite space as numbers ``0..size - 1``, mixed radix, the first part slowest."""

    size: int
    encode: Callable[[Any], int]
    decode: Callable[[int], Any]


class EnvironmentGame(Tree):
    """An environment of another library as a game of its agents, with numbered observations and actions.

    `from_pettingzoo` and `from_gymnasium` make it. ``reproducible`` states whether two episodes with the same
    seed and the same actions were equal.
    """

    env: Any = static()
    name: str = static()
    agents: tuple[str, ...] = static()
    states: tuple[Numbering, ...] = static()
    actions: tuple[Numbering, ...] = static()
    masked: tuple[bool, ...] = static()
    sequential: bool = static()
    reproducible: bool = static(default=False)

    def _title_and_parameters(self) -> Description:
        sizes = [f"{s.size} × {a.size}" for s, a in zip(self.states, self.actions, strict=True)]
        words = sizes[0] if len(set(sizes)) == 1 else ", ".join(sizes)
        agents = count_text(len(self.agents), "agent")
        return f"Environment {self.name} of {agents}, states × actions {words}", {}

    def read(self, player: int, observation: Any) -> tuple[int, ndarray | None]:
        """Return the number of an observation, and the numbers of the legal actions; None for all."""
        return self.states[player].encode(observation), self.legal(player, observation)

    def legal(self, player: int, observation: Any) -> ndarray | None:
        """Return the numbers of the legal actions; None for all."""
        return np.flatnonzero(np.ravel(observation[MASK])) if self.masked[player] else None

    def play(self, seed: int, limit: int, turn: Turn) -> None:
        """Play one episode from ``seed``, truncated after ``limit`` steps.

        Every agent takes its turns, the last one when it is terminated or truncated. In an environment of
        turns a step is one agent's.
        """
        (self._play_in_turn if self.sequential else self._play_together)(seed, limit, turn)

    def _play_together(self, seed: int, limit: int, turn: Turn) -> None:
        env, number = self.env, {name: k for k, name in enumerate(self.agents)}
        views, _ = env.reset(seed=seed)
        rewards: Mapping[str, float] = {}
        for step in count(1):
            movers = list(env.agents)
            if not movers:
                return
            actions = {
                name: turn(number[name], views[name], float(rewards.get(name, 0.0)), False, False)
                for name in movers
            }
            views, rewards, over, short, _ = env.step(actions)
            for name in movers:
                cut = bool(short[name]) or step == limit
                if over[name] or cut:
                    view = views.get(name)
                    turn(number[name], view, float(rewards[name]), bool(over[name]), not over[name])
            if step == limit:
                return

    def _play_in_turn(self, seed: int, limit: int, turn: Turn) -> None:
        env, number = self.env, {name: k for k, name in enumerate(self.agents)}
        env.reset(seed=seed)
        for step, name in enumerate(env.agent_iter()):
            view, reward, over, short, _ = env.last()
            cut = bool(short) or step == limit
            action = turn(number[name], view, float(reward), bool(over), cut and not over)
            if step >= limit:
                for agent in [agent for agent in env.agents if agent != name]:
                    ended, paid = bool(env.terminations[agent]), float(env._cumulative_rewards[agent])
                    turn(number[agent], env.observe(agent), paid, ended, not ended)
                return
            env.step(None if over or cut else action)


@oracles.labels.register(EnvironmentGame)
def _(game: EnvironmentGame) -> oracles.Labels:
    return oracles.Labels(game.agents)


def from_pettingzoo(env: object) -> EnvironmentGame:
    """Return an environment of PettingZoo, parallel or in turn, as a game for `EnvironmentQLearning`.

    Observations and actions are numbered: ``Discrete``, ``MultiDiscrete`` and ``MultiBinary`` spaces, and
    tuples and dictionaries of these. An ``action_mask`` in a dictionary of observations gives the legal
    actions and is not part of the state. Two short episodes are played to test whether equal seeds give equal
    episodes.

    Parameters
    ----------
    env : ParallelEnv or AECEnv
        The environment, with ``possible_agents``.

    Raises
    ------
    ValueError
        For any other object, and for a space that is not finite.

    Examples
    --------
    >>> from_pettingzoo("chess")
    Traceback (most recent call last):
    ...
    ValueError: env: str must be a ParallelEnv or an AECEnv of PettingZoo
    """
    from pettingzoo import AECEnv, ParallelEnv  # type: ignore[import-untyped]

    if not isinstance(env, AECEnv | ParallelEnv):
        raise ValueError(f"env: {type(env).__name__} must be a ParallelEnv or an AECEnv of PettingZoo")
    try:
        agents = tuple(map(str, env.possible_agents))
    except AttributeError:
        raise ValueError("env: has no possible_agents; they must be known before play") from None
    spaces = [(env.observation_space(name), env.action_space(name)) for name in env.possible_agents]
    name = str(env.metadata.get("name", type(env.unwrapped).__name__))
    return _game_of(env, name, agents, spaces, isinstance(env, AECEnv))


def from_gymnasium(env: object) -> EnvironmentGame:
    """Return an environment of Gymnasium as a game of one agent for `EnvironmentQLearning`.

    Spaces are those of `from_pettingzoo`.

    Parameters
    ----------
    env : gymnasium.Env
        The environment.

    Raises
    ------
    ValueError
        For any other object, and for a space that is not finite.

    Examples
    --------
    >>> import gymnasium
    >>> from_gymnasium(gymnasium.make("FrozenLake-v1"))
    Environment FrozenLake-v1 of 1 agent, states × actions 16 × 4
    """
    from gymnasium import Env

    if not isinstance(env, Env):
        raise ValueError(f"env: {type(env).__name__} must be an Env of Gymnasium")
    name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
    spaces = [(env.observation_space, env.action_space)]
    return _game_of(_OneAgent(env), name, ("agent",), spaces, False)


class _OneAgent:
    """An environment of Gymnasium with the interface of a parallel one of PettingZoo."""

    def __init__(self, env: Any) -> None:
        self.env, self.possible_agents, self.agents = env, ["agent"], ["agent"]

    def reset(self, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents = ["agent"]
        view, info = self.env.reset(seed=seed)
        return {"agent": view}, {"agent": info}

    def step(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        result = self.env.step(actions["agent"])
        if result[2] or result[3]:
            self.agents = []
        return tuple({"agent": part} for part in result)


def _game_of(
    env: object, name: str, agents: tuple[str, ...], spaces: list[tuple[Any, Any]], sequential: bool
) -> EnvironmentGame:
    from gymnasium.spaces import Dict

    states, actions, masked = [], [], []
    for agent, (observations, spaces_of_agent) in zip(agents, spaces, strict=True):
        observed_space = observations
        masked.append(isinstance(observations, Dict) and MASK in observations.spaces)
        if masked[-1]:
            observed_space = Dict({key: part for key, part in observations.spaces.items() if key != MASK})
        states.append(_numbering(observed_space, f"observations of {agent}"))
        actions.append(_numbering(spaces_of_agent, f"actions of {agent}"))
        if masked[-1] and prod(observations.spaces[MASK].shape or ()) != actions[-1].size:
            raise ValueError(f"{MASK} of {agent}: must have {actions[-1].size} entries, one per action")
    # tables of all agents have the size of the largest
    entries = len(agents) * max(s.size for s in states) * max(a.size for a in actions)
    if entries > MOST_ENTRIES:
        raise ValueError(f"env: {entries:.3g} pairs of state and action; must be at most {MOST_ENTRIES:.0e}")
    game = EnvironmentGame(env, name, agents, tuple(states), tuple(actions), tuple(masked), sequential)
    return replace(game, reproducible=_trace(game) == _trace(game))


def _trace(game: EnvironmentGame) -> list[tuple[Any, ...]]:
    """Return the observations of all agents in one episode of random actions."""
    rng, observations = np.random.default_rng(0), []

    def turn(player: int, observation: object, reward: float, terminated: bool, truncated: bool) -> Any:
        state: object = None
        legal = None
        if not terminated:
            legal = game.legal(player, observation)
            state = game.states[player].encode(observation)
        observations.append((player, state, reward, terminated, truncated))
        actions = game.actions[player]
        return actions.decode(int(rng.integers(actions.size) if legal is None else rng.choice(legal)))

    game.play(0, PROBE, turn)
    return observations


def _numbering(space: object, item: str) -> Numbering:
    """Return the numbering of the elements of a finite space. Raises `ValueError` for other spaces."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        offset = int(space.start)
        return Numbering(int(space.n), lambda x: int(x) - offset, lambda k: offset + k)
    if isinstance(space, spaces.MultiDiscrete):
        return _array_numbering(space, np.ravel(space.nvec), np.ravel(space.start))
    if isinstance(space, spaces.MultiBinary):
        return _array_numbering(space, np.full(prod(space.shape), 2), np.zeros(prod(space.shape), int))
    if isinstance(space, spaces.Tuple):
        return _product(dict(enumerate(space.spaces)), item, lambda parts: tuple(parts.values()))
    if isinstance(space, spaces.Dict):
        return _product(dict(space.spaces), item, dict)
    raise ValueError(
        f"{item}: {type(space).__name__} is not finite; must be Discrete, MultiDiscrete, MultiBinary, or a "
        "Tuple or Dict of these; a wrapper of the environment can make it so"
    )


def agent_table(world: EnvironmentGame, player: int, policy: object, where: str) -> ndarray:
    """Return a policy of an agent as actions ``[state]`` or probabilities ``[state action]``.

    Tables of all agents have the size of the largest: rows beyond the agent's states are dropped, as are
    columns of zeros beyond its actions. Raises `ValueError` for anything else, such as values of actions.
    """
    count, size = world.states[player].size, world.actions[player].size
    try:
        table = np.asarray(policy)[:count]
    except (ValueError, IndexError):
        table = np.zeros(0)
    is_policy: bool | np.bool = False
    if table.ndim == 1 and table.dtype.kind in "iu":
        is_policy = np.all((table >= 0) & (table < size))
    elif table.ndim == 2 and table.dtype.kind in "iuf" and table.shape[1] >= size:
        is_policy = np.all(table >= 0) and not np.any(table[:, size:])
        is_policy = is_policy and np.allclose(table.sum(axis=1), 1.0, rtol=0.0, atol=SUM)
    if len(table) != count or not is_policy:
        rule = f"[state] actions in 0..{size - 1} or [state action] probabilities, for {count} states"
        greedy = "; of action values take q.argmax(axis=1)" if table.ndim == 2 else ""
        raise ValueError(f"{where}: must be {rule}, or a function of the observation{greedy}")
    return table[:, :size] if table.ndim == 2 else table


def _array_numbering(space: Any, counts: ndarray, start: ndarray) -> Numbering:
    """Return the numbering of arrays whose entries are ``counts`` whole numbers each, from ``start``."""
    sizes = tuple(counts.tolist())

    def encode(x: Any) -> int:
        return int(np.ravel_multi_index(tuple(np.ravel(x).astype(int) - start), sizes))

    def decode(k: int) -> ndarray:
        return (np.array(np.unravel_index(k, sizes)) + start).astype(space.dtype).reshape(space.shape)

    return Numbering(prod(sizes), encode, decode)


def _product(parts: dict[Any, Any], item: str, build: Callable[[dict[Any, Any]], Any]) -> Numbering:
    """Return the numbering of the elements of a product of spaces, which ``build`` makes of their parts."""
    numberings = {key: _numbering(part, item) for key, part in parts.items()}
    sizes = tuple(part.size for part in numberings.values())

    def encode(x: Any) -> int:
        numbers = tuple(part.encode(x[key]) for key, part in numberings.items())
        return int(np.ravel_multi_index(numbers, sizes)) if sizes else 0

    def decode(k: int) -> Any:
        digits = map(int, np.unravel_index(k, sizes))
        pairs = zip(numberings.items(), digits, strict=True)
        return build({key: part.decode(digit) for (key, part), digit in pairs})

    return Numbering(prod(sizes), encode, decode)
