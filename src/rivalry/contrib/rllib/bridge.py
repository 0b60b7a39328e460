"""An environment of PettingZoo as RLlib takes it: plain numbers, and only those who act are shown them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from ray.rllib.env.multi_agent_env import MultiAgentEnv

Look = Callable[[str, Any], np.ndarray]


class Bridge(MultiAgentEnv):  # type: ignore[misc]
    """A parallel environment whose agents act when it is their turn.

    ``look(name, seen)`` is what an agent is shown, a row of numbers; rewards are divided by ``scale``. Those
    who do not act see nothing and are paid all the same.
    """

    def __init__(self, env: Any, look: Look, scale: float) -> None:
        super().__init__()
        self.env, self.look, self.scale = env, look, scale
        self.possible_agents = list(env.possible_agents)
        self.agents = list(env.possible_agents)
        seen, _ = env.reset(seed=0)
        self.observation_spaces = {
            name: spaces.Box(-np.inf, np.inf, look(name, seen[name]).shape, np.float32)
            for name in self.possible_agents
        }
        self.action_spaces = {name: env.action_space(name) for name in self.possible_agents}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """A new episode."""
        seen, _ = self.env.reset(seed=seed)
        return self._shown(seen, self._acting()), {}

    def step(self, action_dict: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """One step of the environment, by those whose turn it is."""
        play = getattr(self.env, "play", self.env.step)
        seen, paid, over, short, _ = play(action_dict)
        left = set(self.env.agents)
        acting = [name for name in seen if name not in left or name in self._acting()]
        ended, cut = ({name: bool(of[name]) for name in acting} for of in (over, short))
        ended["__all__"] = not left and not any(short.values())
        cut["__all__"] = not left and any(short.values())
        return (
            self._shown(seen, acting),
            {name: float(reward) / self.scale for name, reward in paid.items()},
            ended,
            cut,
            {},
        )

    def _acting(self) -> list[str]:
        movers = getattr(self.env, "movers", None)
        return list(self.env.agents) if movers is None else list(movers())

    def _shown(self, seen: dict[str, Any], names: list[str]) -> dict[str, np.ndarray]:
        return {name: self.look(name, seen[name]) for name in names}
