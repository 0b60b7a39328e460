"""Arenas of games in native play: games with states period by period, economies and cities of agents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rivalry.core.certify import TOLERANCE
from rivalry.core.game import alike, is_markov, scale
from rivalry.core.oracles import move_order, to_markov
from rivalry.core.results import Certificate, Record
from rivalry.core.statistics import half_width
from rivalry.envs import CityEnv, EconomyEnv, city_policy, parallel_env, policy_table
from rivalry.integrations.rllib.arenas import Networks, Reading, acted, grouped
from rivalry.integrations.rllib.networks import PolicyNetwork, capped
from rivalry.integrations.rllib.options import LearnerOptions
from rivalry.integrations.rllib.rounds import discount, one_for_all
from rivalry.methods import CitySimulation, Simulation
from rivalry.solving import solve
from rivalry.transforms.over_periods import Staged

HOW = "best responses trained against the others' policies"
WARM_UP = 500  # periods before policies are judged
EXPLORING = (  # variables that are also reported for play with exploration
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
class NativeArena:
    """A game that is played on and on."""

    given: Any
    periods: int
    discount: float
    groups: tuple[str, ...]
    names: tuple[str, ...]
    stages: int  # of a period, each a step

    @classmethod
    def of(cls, game: Any, learner: LearnerOptions) -> NativeArena:
        """Raises `ValueError` for a one-shot game that is not lived otherwise than by repetition."""
        if not (to_markov.knows(game) or is_markov(game)):
            raise ValueError("moves: 'lived' needs a game with periods of its own; take 'any'")
        names = tuple(parallel_env(game, periods=1).possible_agents)
        kinds = alike(game)
        return cls(
            game,
            learner.periods,
            discount(game, learner.gamma),
            grouped(names, kinds, learner.policies == "shared"),
            names,
            _stages(game),
        )

    @property
    def players(self) -> tuple[int, ...]:
        """Everybody is itself."""
        return tuple(range(len(self.names)))

    @property
    def scale(self) -> float:
        """The game's own."""
        return scale(self.given)

    @property
    def who(self) -> str:
        """Players."""
        return "player"

    def lasted(self, steps: float) -> float:
        """A step a stage."""
        return steps / self.stages

    def env(self) -> Any:
        """The game."""
        return parallel_env(self.given, periods=self.periods, normalize_spaces=True)

    def look(self, name: str, seen: np.ndarray) -> np.ndarray:
        """All that the game tells."""
        return np.asarray(seen, dtype=np.float32)

    def read(self, networks: Networks, words: np.ndarray, options: Reading) -> Record:
        """Returns of an episode without and with exploration; what trained best responses gain."""
        first, again = np.random.SeedSequence(words.tolist()).spawn(2)
        plain = self._returns(networks, options, first, explore=False)
        random = self._returns(networks, options, again, explore=True)
        found: Record = {
            "episode_return": (("player",), plain.mean(axis=0)),
            "episode_return_band": (("player",), half_width(plain)),
            "explored_return": (("player",), random.mean(axis=0)),
            "status": ((), np.asarray("completed")),
        }
        if options.reply is None:
            return found
        gain, band = np.zeros(len(self.names)), np.zeros(len(self.names))
        for player, name in enumerate(self.names):
            reply = {**networks, name: options.reply(player, networks)}
            more = self._returns(reply, options, first, explore=False)[:, player] - plain[:, player]
            gain[player], band[player] = max(float(more.mean()), 0.0), half_width(more[:, None])[0]
        proof = Certificate(gain, np.full(len(gain), np.inf), "lower bound", HOW, TOLERANCE * self.scale)
        return (
            found
            | proof.record()
            | {"trained_gain": (("player",), gain), "trained_gain_band": (("player",), band)}
        )

    def _returns(
        self, networks: Networks, options: Reading, sequence: np.random.SeedSequence, explore: bool
    ) -> np.ndarray:
        """Sums of rewards ``[episode player]``, discounted by own turns; the same chance whoever plays."""
        draw = np.random.default_rng(sequence) if explore else None
        env, episodes = self.env(), max(2, options.evaluation // self.periods)
        found = np.zeros((episodes, len(self.names)))
        seeds = sequence.generate_state(episodes, np.uint32)
        for episode in range(episodes):
            seen, _ = env.reset(seed=int(seeds[episode]))
            worth, taken = np.ones(len(self.names)), np.zeros(len(self.names), dtype=bool)
            while env.agents:
                turn = [name for name in env.movers() if name in seen]
                moves = np.array([name in turn for name in self.names])
                worth, taken = np.where(moves & taken, worth * self.discount, worth), taken | moves
                actions = acted(networks, {name: self.look(name, seen[name]) for name in turn}, draw)
                seen, paid, *_ = env.play(actions)
                found[episode] += worth * [paid.get(name, 0.0) for name in self.names]
        return found


def _stages(game: Any) -> int:
    """How many steps a period takes."""
    if to_markov.knows(game):
        return len(move_order(game))
    return len(game.moves) if isinstance(game, Staged) else 1


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
    def of(cls, game: Any, learner: LearnerOptions) -> AgentsArena:
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
        found: Record = {
            **plain,
            **{f"explored_{name}": explored[name] for name in EXPLORING if name in explored},
        }
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
