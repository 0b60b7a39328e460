"""An environment of PettingZoo as RLlib takes it: rows of numbers, only for agents whose turn it is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any
from zlib import crc32

import numpy as np
from gymnasium import spaces
from numpy import ndarray
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rivalry.integrations.rllib.arenas import Arena, choose_actions
from rivalry.integrations.rllib.session import NoNumber


class Agent(str):
    """A name whose hash is the same in every process: RLlib iterates over sets of names."""

    __slots__ = ()

    def __hash__(self) -> int:
        return crc32(self.encode())


class Bridge(MultiAgentEnv):  # type: ignore[misc]
    """An arena's environment whose agents act when it is their turn.

    Agents who are not in an arena's ``names`` follow its ``rivals``. Rewards are divided by its scale. Agents
    who do not act observe nothing and get their rewards. Raises `NoNumber` for rewards that are not finite.
    """

    def __init__(self, arena: Arena) -> None:
        super().__init__()
        self.arena, self.env = arena, arena.env()
        self.known = {name: Agent(name) for name in arena.names}
        self.possible_agents = list(self.known.values())
        self.agents = list(self.possible_agents)
        observed, _ = self.env.reset(seed=0)
        self.observation_spaces = {
            agent: spaces.Box(-np.inf, np.inf, arena.look(name, observed[name]).shape, np.float32)
            for name, agent in self.known.items()
        }
        self.action_spaces = {agent: self.env.action_space(name) for name, agent in self.known.items()}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[Agent, ndarray], dict[Agent, Any]]:
        """Begin an episode, and play to the first turn of an agent."""
        self.observed, _ = self.env.reset(seed=seed)
        self.paid: dict[str, float] = {}
        if not self._left(self.env.movers()):
            self._play({})
        return self._observations(self._left(self.env.movers())), {}

    def step(self, action_dict: dict[Agent, Any]) -> tuple[dict[Any, Any], ...]:
        """Play with the actions of the agents whose turn it is, to the next turn of one."""
        over, short = self._play({str(agent): action for agent, action in action_dict.items()})
        left, acting = self._left(self.env.agents), self._left(self.env.movers())
        present = [name for name in self._left(self.observed) if name not in left or name in acting]
        ended: dict[str, bool] = {self.known[name]: True for name in present if over[name]}
        cut = not left and any(short[name] for name in present)
        ended["__all__"] = not left and not cut
        rewards = {self.known[name]: reward for name, reward in self.paid.items()}
        self.paid = {}
        # only the episode as a whole is truncated: RLlib takes one whose agents all are for terminated
        return self._observations(present), rewards, ended, {"__all__": cut}, {}

    def _play(self, actions: dict[str, Any]) -> tuple[dict[str, bool], dict[str, bool]]:
        while True:
            turn = [name for name in self.env.movers() if name not in self.known]
            rows = {name: self.arena.look(name, self.observed[name]) for name in turn}
            actions |= choose_actions(self.arena.rivals, rows, None)
            self.observed, paid, over, short, _ = self.env.play(actions)
            for name in self._left(paid):
                if not math.isfinite(paid[name]):
                    raise NoNumber(f"{name} was paid {paid[name]}")
                self.paid[name] = self.paid.get(name, 0.0) + paid[name] / self.arena.scale
            if not self.arena.rivals or self._left(self.env.movers()) or not self._left(self.env.agents):
                return over, short
            actions = {}

    def _left(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name in self.known]

    def _observations(self, names: list[str]) -> dict[Agent, ndarray]:
        return {self.known[name]: self.arena.look(name, self.observed[name]) for name in names}
