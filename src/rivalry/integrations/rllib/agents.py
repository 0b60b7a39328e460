"""Economies and cities of agents, who see their own state and bid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.results import Record
from rivalry.envs import CityEnv, EconomyEnv, city_policy, parallel_env, policy_table
from rivalry.integrations.rllib.arenas import Networks, Reading, grouped
from rivalry.integrations.rllib.networks import PolicyNetwork, capped
from rivalry.integrations.rllib.rounds import one_for_all
from rivalry.methods import CitySimulation, Simulation
from rivalry.solving import solve

if TYPE_CHECKING:
    from rivalry.integrations.rllib.learner import DeepLearner

WARM_UP = 500  # periods before policies are judged
KEPT = (  # of play with exploration
    "policy",
    "efficiency",
    "access_fairness",
    "reward_fairness",
    "trips_per_step",
    "payoff",
    "exploitability",
    "mean_relative_exploitability",
)


@dataclass(frozen=True)
class AgentsArena:
    """Agents who choose among entries; one beyond those there are is the last there is."""

    given: Any
    city: bool
    periods: int
    discount: float
    groups: tuple[str, ...]
    names: tuple[str, ...]
    players: tuple[int, ...]
    scale: float  # rewards are urgencies: the most urgent one's

    @classmethod
    def of(cls, game: Any, learner: DeepLearner) -> AgentsArena:
        """Raises `ValueError` for a game that finitely many agents cannot play."""
        env = parallel_env(game, periods=1)
        if not isinstance(env, EconomyEnv | CityEnv):
            raise ValueError(f"game: {type(game).__name__} has no agents who could learn")
        world = env.city if isinstance(env, CityEnv) else env.economy
        names, kinds = tuple(env.possible_agents), tuple(np.asarray(world.type_of).tolist())
        own = env.city.discount if isinstance(env, CityEnv) else game.discount
        return cls(
            game,
            isinstance(env, CityEnv),
            learner.periods,
            one_for_all(own, learner.gamma),
            grouped(names, kinds, learner.policies == "shared"),
            names,
            kinds,
            float(world.stakes.max()),
        )

    @property
    def who(self) -> str:
        """Types."""
        return "player"

    def env(self) -> Any:
        """The economy, or the city."""
        return parallel_env(self.given, periods=self.periods, illegal="clip", normalize_spaces=True)

    def lasted(self, steps: float) -> float:
        """All of them."""
        return float(self.periods)

    def look(self, name: str, seen: dict[str, np.ndarray]) -> np.ndarray:
        """What the environment tells, without the mask."""
        return seen["observation"].astype(np.float32)

    def read(self, networks: Networks, words: np.ndarray, options: Reading) -> Record:
        """Policies, judged by play of the game's agents and dynamic programming in what was measured.

        Agents of a type of an economy who learned apart are judged by their mean policy.
        """
        seed = np.random.SeedSequence(words.tolist())
        plain, explored = (self._judged(networks, explore, seed, options) for explore in (False, True))
        found: Record = {**plain, **{f"explored_{name}": explored[name] for name in KEPT if name in explored}}
        return found | {"status": ((), np.asarray("completed"))}

    def _judged(
        self, networks: Networks, explore: bool, seed: np.random.SeedSequence, options: Reading
    ) -> Record:
        watching = {"warm_up": WARM_UP, "evaluation": options.evaluation}
        if self.city:
            watched: Any = CitySimulation(plays=self._of_agents(networks, explore), **watching)
        else:
            watched = Simulation(plays=self._of_types(networks, explore), **watching)
        return solve(self.given, watched, seed=seed).record

    def _of_agents(self, networks: Networks, explore: bool) -> np.ndarray:
        """Everybody's policy, ``[agent row karma entry]``."""

        def chances(agent: int, seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
            return capped(networks[self.names[agent]], seen.astype(np.float32), masks, explore)

        return city_policy(self.given, chances, normalize_spaces=True)

    def _of_types(self, networks: Networks, explore: bool) -> np.ndarray:
        """The mean policy of the agents of a type, ``[type private karma bid]``."""
        kinds = np.array(self.players)
        tables = []
        for kind in range(kinds.max() + 1):
            members = [networks[self.names[k]] for k in np.flatnonzero(kinds == kind)]
            apart = {id(network.module): network for network in members}
            shares = [sum(id(network.module) == key for network in members) for key in apart]
            each = [self._of_all(network, explore)[kind] for network in apart.values()]
            tables.append(np.average(each, axis=0, weights=shares))
        return np.stack(tables)

    def _of_all(self, network: PolicyNetwork, explore: bool) -> np.ndarray:
        """What a network does in every state, ``[type private karma bid]``."""

        def chances(seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
            return capped(network, seen.astype(np.float32), masks, explore)

        return policy_table(self.given, chances, normalize_spaces=True)
