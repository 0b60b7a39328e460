"""An environment of PettingZoo as RLlib takes it: rows of numbers, only for agents whose turn it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np
from gymnasium import spaces
from numpy import ndarray
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rivalry.integrations.rllib.session import NoNumber

Look = Callable[[str, Any], ndarray]


class Agent(str):
    """A name whose hash is the same in every process: RLlib iterates over sets of names."""

    __slots__ = ()

    def __hash__(self) -> int:
        return crc32(self.encode())


class Bridge(MultiAgentEnv):  # type: ignore[misc]
    """A parallel environment whose agents act when it is their turn.

    ``look(name, seen)`` is an agent's observation as a row of numbers; rewards are divided by ``scale``.
    Agents who do not act observe nothing and get their rewards. Raises `NoNumber` for rewards that are not
    finite.
    """

    def __init__(self, env: Any, look: Look, scale: float) -> None:
        super().__init__()
        self.env, self.look, self.scale = env, look, scale
        self.known = {name: Agent(name) for name in env.possible_agents}
        self.possible_agents = list(self.known.values())
        self.agents = list(self.possible_agents)
        observations, _ = env.reset(seed=0)
        self.observation_spaces = {
            agent: spaces.Box(-np.inf, np.inf, look(name, observations[name]).shape, np.float32)
            for name, agent in self.known.items()
        }
        self.action_spaces = {agent: env.action_space(name) for name, agent in self.known.items()}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[Agent, ndarray], dict[Agent, Any]]:
        """Begin an episode."""
        observations, _ = self.env.reset(seed=seed)
        return self._observations(observations, self._acting()), {}

    def step(self, action_dict: dict[Agent, Any]) -> tuple[dict[Any, Any], ...]:
        """Play one step with the actions of the agents whose turn it is."""
        play = getattr(self.env, "play", self.env.step)
        observations, paid, over, short, _ = play(
            {str(agent): action for agent, action in action_dict.items()}
        )
        for name, reward in paid.items():
            if not math.isfinite(reward):
                raise NoNumber(f"{name} was paid {reward}")
        agents_left, acting = set(self.env.agents), set(self._acting())
        present = [name for name in observations if name not in agents_left or name in acting]
        ended: dict[str, bool] = {self.known[name]: True for name in present if over[name]}
        cut = not agents_left and any(short.values())
        ended["__all__"] = not agents_left and not cut
        rewards = {self.known[name]: float(reward) / self.scale for name, reward in paid.items()}
        # only the episode as a whole is truncated: RLlib takes one whose agents all are for terminated
        return self._observations(observations, present), rewards, ended, {"__all__": cut}, {}

    def _acting(self) -> list[str]:
        movers = getattr(self.env, "movers", None)
        return list(self.env.agents) if movers is None else list(movers())

    def _observations(self, observations: dict[str, Any], names: list[str]) -> dict[Agent, ndarray]:
        return {self.known[name]: self.look(name, observations[name]) for name in names}
