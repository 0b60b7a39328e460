"""An environment of PettingZoo as RLlib takes it: plain numbers, and only those who act are shown them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np
from gymnasium import spaces
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rivalry.integrations.rllib.session import NoNumber

Look = Callable[[str, Any], np.ndarray]


class Agent(str):
    """A name that has the same place in sets of names in every process, which RLlib goes through in order."""

    __slots__ = ()

    def __hash__(self) -> int:
        return crc32(self.encode())


class Bridge(MultiAgentEnv):  # type: ignore[misc]
    """A parallel environment whose agents act when it is their turn.

    ``look(name, seen)`` is what an agent is shown, a row of numbers; rewards are divided by ``scale``. Those
    who do not act see nothing and are paid all the same. Raises `NoNumber` for rewards that are not finite.
    """

    def __init__(self, env: Any, look: Look, scale: float) -> None:
        super().__init__()
        self.env, self.look, self.scale = env, look, scale
        self.known = {name: Agent(name) for name in env.possible_agents}
        self.possible_agents = list(self.known.values())
        self.agents = list(self.possible_agents)
        seen, _ = env.reset(seed=0)
        self.observation_spaces = {
            agent: spaces.Box(-np.inf, np.inf, look(name, seen[name]).shape, np.float32)
            for name, agent in self.known.items()
        }
        self.action_spaces = {agent: env.action_space(name) for name, agent in self.known.items()}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[Agent, np.ndarray], dict[Agent, Any]]:
        """A new episode."""
        seen, _ = self.env.reset(seed=seed)
        return self._shown(seen, self._acting()), {}

    def step(self, action_dict: dict[Agent, Any]) -> tuple[dict[Any, Any], ...]:
        """One step of the environment, by those whose turn it is."""
        play = getattr(self.env, "play", self.env.step)
        seen, paid, over, short, _ = play({str(agent): action for agent, action in action_dict.items()})
        for name, reward in paid.items():
            if not math.isfinite(reward):
                raise NoNumber(f"{name} was paid {reward}")
        left, acting = set(self.env.agents), set(self._acting())
        shown = [name for name in seen if name not in left or name in acting]
        ended: dict[str, bool] = {self.known[name]: True for name in shown if over[name]}
        cut = not left and any(short.values())
        ended["__all__"] = not left and not cut
        rewards = {self.known[name]: float(reward) / self.scale for name, reward in paid.items()}
        # the cut is all's: where RLlib is told of each it takes the episode for one that has ended
        return self._shown(seen, shown), rewards, ended, {"__all__": cut}, {}

    def _acting(self) -> list[str]:
        movers = getattr(self.env, "movers", None)
        return list(self.env.agents) if movers is None else list(movers())

    def _shown(self, seen: dict[str, Any], names: list[str]) -> dict[Agent, np.ndarray]:
        return {self.known[name]: self.look(name, seen[name]) for name in names}
