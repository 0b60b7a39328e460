"""Games and economies as environments of PettingZoo in which agents act one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from pettingzoo import AECEnv  # type: ignore[import-untyped]

from rivalry.envs.games import GameEnv


class TurnEnv(AECEnv[str, Any, Any]):  # type: ignore[misc]
    """A game as an environment of PettingZoo in which agents act one at a time.

    Those whose turn it is, by the game's ``movers``, act in the order of their numbers; none sees what
    another chooses in the same step of the game. Later stages see earlier ones. Spaces and ends are those
    of the parallel environment: that of a game (`GameEnv`), or one that is given.

    >>> import rivalry as rv
    >>> env = TurnEnv(rv.games.market(stages=[[1], [0]]), periods=3)
    >>> env.reset(seed=1)
    >>> env.agent_selection
    'player_1'
    """

    metadata = {"name": "rivalry_turns_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)

    def __init__(self, game: Any, *, periods: int | None = None, normalize_spaces: bool = False) -> None:
        super().__init__()
        given = hasattr(game, "possible_agents") and not hasattr(game, "space")
        self.inner: Any = game if given else GameEnv(game, periods=periods, normalize_spaces=normalize_spaces)
        self.possible_agents = list(self.inner.possible_agents)
        self.agents: list[str] = []
        self.agent_selection = self.possible_agents[0]
        self.render_mode = None

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """What ``agent`` sees."""
        return self.inner.observation_space(agent)  # type: ignore[no-any-return]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What ``agent`` may do."""
        return self.inner.action_space(agent)  # type: ignore[no-any-return]

    def observe(self, agent: str) -> Any:
        """What ``agent`` saw last."""
        return self._views[agent]

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """A new episode; ``seed`` begins the stream of chance anew."""
        self._views, self.infos = self.inner.reset(seed)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations, self.truncations = (dict.fromkeys(self.agents, False) for _ in range(2))
        self._chosen: dict[str, Any] = {}
        self._paid = False
        self._next()

    def step(self, action: Any) -> None:
        """The action of the agent whose turn it is; of one who is out, None. Raises `ValueError`."""
        agent: str = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self.inner.check(agent, action)
        self._chosen[agent] = action
        if self._paid:
            self._clear_rewards()
            self._paid = False
        self._cumulative_rewards[agent] = 0.0
        if self._waiting:
            self.agent_selection = self._waiting.pop()
            return
        self._play()
        self._accumulate_rewards()
        self._next()
        self._deads_step_first()

    def _play(self) -> None:
        """The game's next step, and those after it in which it is nobody's turn."""
        while True:
            seen, paid, over, short, _ = self.inner.play(self._chosen)
            self._chosen, self._paid = {}, True
            self._views |= seen
            for name in paid:
                self.rewards[name] += paid[name]
                self.terminations[name], self.truncations[name] = over[name], short[name]
            if not self.inner.agents or self.inner.movers():
                return

    def _next(self) -> None:
        """Whose turn it is now, and who comes after it, the last first."""
        self._waiting = self.inner.movers()[::-1]
        if self._waiting:
            self.agent_selection = self._waiting.pop()

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing is held open."""
