"""Arenas of games in native play: games with states period by period, economies and cities of agents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.exchanges import exchangeable_labels
from rivalry.core.game import is_markov
from rivalry.core.needs import fits
from rivalry.core.oracles import move_order, to_markov
from rivalry.core.results import Certificate, Record, scalar
from rivalry.core.tolerances import TOLERANCE
from rivalry.envs import parallel_env
from rivalry.envs.agents import AgentsEnv, Learned
from rivalry.integrations.rllib.arenas import Arena, Networks, Reading, choose_actions, policy_names
from rivalry.integrations.rllib.networks import clip_to_masks
from rivalry.integrations.rllib.one_shot import discount, one_for_all
from rivalry.integrations.rllib.options import LearnerOptions
from rivalry.methods import METHODS
from rivalry.schema.registry import load
from rivalry.solving import solve
from rivalry.text.statistics import half_width
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
class NativeArena(Arena):
    """A game with periods or states of its own."""

    stages: int  # of a period, each a step

    @classmethod
    def of(cls, game: object, learner: LearnerOptions) -> NativeArena:
        """Return the arena of a game. Raises `ValueError` for a one-shot game without periods."""
        if not (to_markov.knows(game) or is_markov(game)):
            raise ValueError("moves: 'native' needs a game with periods of its own; take 'any'")
        names = tuple(parallel_env(game, periods=1).possible_agents)
        groups = policy_names(names, exchangeable_labels(game), learner.policies == "shared")
        return cls(game, names, groups, learner.periods, discount(game, learner.gamma), _stages(game))

    def periods_in(self, steps: float) -> float:
        """Return the periods, one step per stage."""
        return steps / self.stages

    def env(self) -> Any:
        """Return the game as an environment."""
        return parallel_env(self.given, periods=self.periods, normalize_spaces=True)

    def read(self, networks: Networks, words: ndarray, options: Reading) -> Record:
        """Return episode returns without and with exploration, and the gains of trained best responses."""
        play_seeds, exploration_seeds = SeedSequence(words.tolist()).spawn(2)
        plain = self._returns(networks, options, play_seeds, explore=False)
        random = self._returns(networks, options, exploration_seeds, explore=True)
        record: Record = {
            "episode_return": (("player",), plain.mean(axis=0)),
            "episode_return_band": (("player",), half_width(plain)),
            "exploring_return": (("player",), random.mean(axis=0)),
            "status": scalar("completed"),
        }
        if options.best_response is None:
            return record
        gain, band = np.zeros(len(self.names)), np.zeros(len(self.names))
        for player, name in enumerate(self.names):
            deviating = {**networks, name: options.best_response(player, networks)}
            # the same seeds as without the deviation: differences of episodes have little noise
            difference = (
                self._returns(deviating, options, play_seeds, explore=False)[:, player] - plain[:, player]
            )
            gain[player], band[player] = (
                max(float(difference.mean()), 0.0),
                half_width(difference[:, None])[0],
            )
        proof = Certificate(gain, np.full(len(gain), np.inf), "lower bound", HOW, TOLERANCE * self.scale)
        record["trained_best_response_gain"] = (("player",), gain)
        record["trained_best_response_gain_band"] = (("player",), band)
        return record | proof.record()

    def _returns(
        self, networks: Networks, options: Reading, sequence: SeedSequence, explore: bool
    ) -> ndarray:
        """Return sums of rewards ``[episode player]``, discounted by own turns; random numbers are common."""
        draw = np.random.default_rng(sequence) if explore else None
        # two at least: a confidence interval needs a spread
        env, episodes = self.env(), max(2, options.evaluation // self.periods)
        sums = np.zeros((episodes, len(self.names)))
        seeds = sequence.generate_state(episodes, np.uint32)
        for episode in range(episodes):
            observations, _ = env.reset(seed=int(seeds[episode]))
            worth, has_moved = np.ones(len(self.names)), np.zeros(len(self.names), bool)
            while env.agents:
                turn = [name for name in env.movers() if name in observations]
                moves = np.array([name in turn for name in self.names])
                worth, has_moved = (
                    np.where(moves & has_moved, worth * self.discount, worth),
                    has_moved | moves,
                )
                actions = choose_actions(
                    networks, {name: self.look(name, observations[name]) for name in turn}, draw
                )
                observations, paid, *_ = env.play(actions)
                sums[episode] += worth * [paid.get(name, 0.0) for name in self.names]
        return sums


def _stages(game: object) -> int:
    """Return the steps per period."""
    if to_markov.knows(game):
        return len(move_order(game))
    return len(game.moves) if isinstance(game, Staged) else 1


@dataclass(frozen=True)
class AgentsArena(Arena):
    """Agents with discrete actions; out-of-range entries are clipped to the largest legal one."""

    types: tuple[int, ...]
    urgency: float  # the largest

    @property
    def players(self) -> tuple[int, ...]:
        """The type of every agent."""
        return self.types

    @property
    def scale(self) -> float:
        """The largest cost of losing, in which rewards are measured."""
        return self.urgency

    @classmethod
    def of(cls, game: object, learner: LearnerOptions) -> AgentsArena:
        """Return the arena of a game. Raises `ValueError` for a game without agents."""
        env = parallel_env(game, periods=1)
        if not isinstance(env, AgentsEnv):
            raise ValueError(f"game: {type(game).__name__} has no agents who could learn")
        names, kinds = tuple(env.possible_agents), tuple(env.types.tolist())
        groups = policy_names(names, kinds, learner.policies == "shared")
        worth = one_for_all(env.discounts, learner.gamma)
        return cls(game, names, groups, learner.periods, worth, kinds, env.stake)

    def env(self) -> Any:
        """Return the game as an environment."""
        return parallel_env(self.given, periods=self.periods, illegal="clip", normalize_spaces=True)

    def look(self, name: str, observation: Any) -> ndarray:
        """Return the observation without the mask."""
        return np.asarray(observation["observation"], np.float32)

    def read(self, networks: Networks, words: ndarray, options: Reading) -> Record:
        """Return policies, evaluated by simulation and by dynamic programming in the measured distributions.

        Agents of one type of an economy with networks of their own are evaluated by their mean policy.
        """
        seed = SeedSequence(words.tolist())
        greedy, exploring = (self._evaluate(networks, explore, seed, options) for explore in (False, True))
        exploring_record: Record = {
            f"exploring_{name}": exploring[name] for name in EXPLORING if name in exploring
        }
        return greedy | exploring_record | {"status": scalar("completed")}

    def _evaluate(self, networks: Networks, explore: bool, seed: SeedSequence, options: Reading) -> Record:
        of: dict[int, Learned] = {
            id(network.module): partial(clip_to_masks, network, explore=explore)
            for network in networks.values()
        }
        policy = self.env().policy_of([of[id(networks[name].module)] for name in self.names])
        kinds = [load(target) for target in METHODS["simulation"].targets]
        kind = next(candidate for candidate in kinds if fits(candidate, self.given))
        method = kind(plays=policy, warm_up=WARM_UP, evaluation=options.evaluation)
        return solve(self.given, method, seed=seed).record
