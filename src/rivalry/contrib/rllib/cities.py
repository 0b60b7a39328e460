"""Cities of agents, who see where they are and bid for the lane ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.contrib.rllib.arenas import Networks, Reading, grouped
from rivalry.contrib.rllib.networks import capped
from rivalry.contrib.rllib.rounds import one_for_all
from rivalry.envs import CityEnv, city_policy, parallel_env
from rivalry.methods import CitySimulation
from rivalry.results import Record
from rivalry.run import learn

if TYPE_CHECKING:
    from rivalry.contrib.rllib.learner import DeepLearner

WARM_UP = 500  # periods before policies are judged
KEPT = (
    "efficiency",
    "access_fairness",
    "reward_fairness",
    "trips_per_step",
    "payoff",
    "exploitability",
    "mean_relative_exploitability",
)


@dataclass(frozen=True)
class CityArena:
    """A city; an entry beyond those there are is the last there is."""

    given: Any
    periods: int
    discount: float
    groups: tuple[str, ...]
    names: tuple[str, ...]
    players: tuple[int, ...]
    scale: float  # rewards are urgencies: the most urgent one's

    @classmethod
    def of(cls, game: Any, learner: DeepLearner) -> CityArena:
        """Raises `ValueError` for a game of agents that is no city."""
        env = parallel_env(game, periods=1)
        if not isinstance(env, CityEnv):
            raise ValueError(f"game: {type(game).__name__} has no agents who could learn")
        names, kinds = tuple(env.possible_agents), tuple(np.asarray(env.city.type_of).tolist())
        return cls(
            game,
            learner.periods,
            one_for_all(env.city.discount, learner.gamma),
            grouped(names, kinds, learner.policies == "shared"),
            names,
            kinds,
            float(env.city.stakes.max()),
        )

    @property
    def who(self) -> str:
        """Types."""
        return "player"

    def env(self) -> Any:
        """The city."""
        return parallel_env(self.given, periods=self.periods, cap=True, scaled=True)

    def lasted(self, steps: float) -> float:
        """All of them."""
        return float(self.periods)

    def look(self, name: str, seen: dict[str, np.ndarray]) -> np.ndarray:
        """Urgency, karma, trip, place, and where they are on the map."""
        return seen["observation"].astype(np.float32)

    def read(self, networks: Networks, words: np.ndarray, options: Reading) -> Record:
        """Policies, judged by play of the city's agents and dynamic programming against what was measured."""
        seed = np.random.SeedSequence(words.tolist())
        plain, explored = (self._judged(networks, explore, seed, options) for explore in (False, True))
        found: Record = {**plain, **{f"explored_{name}": explored[name] for name in KEPT if name in explored}}
        return found | {"status": ((), np.asarray("budget spent"))}

    def _judged(
        self, networks: Networks, explore: bool, seed: np.random.SeedSequence, options: Reading
    ) -> Record:
        def chances(agent: int, seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
            return capped(networks[self.names[agent]], seen.astype(np.float32), masks, explore)

        table = city_policy(self.given, chances, scaled=True)
        watched = CitySimulation(plays=table, warm_up=WARM_UP, evaluation=options.evaluation)
        return learn(self.given, watched, seed=seed).record
