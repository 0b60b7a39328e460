"""Games as PettingZoo environments in which agents act one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gymnasium import spaces
from pettingzoo import AECEnv  # type: ignore[import-untyped]

from rivalry.envs.games import EnvOptions, GameEnv
from rivalry.schema.validate import check_keywords


@check_keywords
class TurnEnv(AECEnv[str, Any, Any]):  # type: ignore[misc]
    """A game as an environment of PettingZoo in which agents act one at a time; also `aec_env`.

    Agents that move in a step of the game, by its ``movers``, act in the order of their numbers without
    observing one another's actions in that step. Later stages observe earlier ones. Parameters, spaces and
    ends are those of `GameEnv`.

    Examples
    --------
    >>> import rivalry as rv
    >>> env = TurnEnv(rv.games.market(stages=[[1], [0]]), periods=3)
    >>> env.reset(seed=1)
    >>> env.agent_selection
    'player_1'
    """

    metadata = {"name": "rivalry_turns_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)
    render_mode = None

    def __init__(self, game: object, **options: Unpack[EnvOptions]) -> None:
        super().__init__()
        self.parallel = GameEnv(game, **options)
        self.possible_agents = list(self.parallel.possible_agents)
        self.agents: list[str] = []
        self.agent_selection = self.possible_agents[0]

    def render(self) -> None:
        """Do nothing: there is no rendering."""

    def close(self) -> None:
        """Do nothing: no resources are open."""

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return the observation space of ``agent``."""
        return self.parallel.observation_space(agent)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the action space of ``agent``."""
        return self.parallel.action_space(agent)

    @property
    def state_space(self) -> spaces.Space[Any]:
        """The space of `state`."""
        return self.parallel.state_space

    def state(self) -> Any:
        """Joint observation of all agents before this step, ``[agent * feature]``."""
        return self.parallel.state()

    def observe(self, agent: str) -> Any:
        """Return the last observation of ``agent``."""
        return self._views[agent]

    @check_keywords
    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Start a new episode; ``seed`` restarts the random stream."""
        self._views, self.infos = self.parallel.reset(seed)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations, self.truncations = (dict.fromkeys(self.agents, False) for _ in range(2))
        self._actions: dict[str, Any] = {}
        self._paid = False
        self._select_agent()

    def step(self, action: object) -> None:
        """Apply the action of the selected agent, None for one that has ended. Raises `ValueError`."""
        agent: str = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self.parallel.check(agent, action)
        self._actions[agent] = action
        if self._paid:
            self._clear_rewards()
            self._paid = False
        self._cumulative_rewards[agent] = 0.0
        if self._waiting:
            self.agent_selection = self._waiting.pop()
            return
        self._play()
        self._accumulate_rewards()
        self._select_agent()
        self._deads_step_first()

    def _play(self) -> None:
        """Play the game's next step, and further steps while no agent moves."""
        while True:
            observations, paid, over, short, infos = self.parallel.play(self._actions)
            self._actions, self._paid = {}, True
            self._views |= observations
            self.infos |= infos
            for name in paid:
                self.rewards[name] += paid[name]
                self.terminations[name], self.truncations[name] = over[name], short[name]
            if not self.parallel.agents or self.parallel.movers():
                return

    def _select_agent(self) -> None:
        """Select the next agent, and store the later ones in reverse order."""
        self._waiting = self.parallel.movers()[::-1]
        if self._waiting:
            self.agent_selection = self._waiting.pop()


aec_env = TurnEnv
"""The second of the functions `parallel_env`, `aec_env` and `single_agent_env`."""
