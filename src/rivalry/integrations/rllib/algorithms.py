"""Deep learners of RLlib as methods of a study, one iteration per step: PPO, DQN and SAC."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt, Le, Lt
from numpy import ndarray

from rivalry.core.game import Game, MarkovGame, is_population, kernel_conversion
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.integrations.rllib import libraries, training
from rivalry.integrations.rllib.options import LearnerOptions, Table
from rivalry.integrations.rllib.session import Training
from rivalry.schema.annotations import Count, Natural, Positive, Share
from rivalry.schema.validate import check_options

if TYPE_CHECKING:
    from rivalry.integrations.rllib.arenas import Arena

STATE, CURVES = "algorithm.pickle", "curves.npz"


def _playable(game: object) -> bool:
    """True if a game has a strategy space or a world of agents; populations need the latter."""
    profiles = isinstance(game, Game | MarkovGame) and not is_population(game)
    return profiles or kernel_conversion(game) is not None


class DeepLearner(LearnerOptions):
    """Independent or shared neural networks, trained by RLlib on a game as an environment of PettingZoo.

    The option ``moves`` sets the game of an episode:

    - ``any``: the one-shot game in every period, with a new choice each time. In games with stages the
      followers observe the earlier choices of the period, and learn too or (``followers = "oracle"``) play
      exact best responses;
    - ``levels``: the same with choices from the ``action_grid``, as in `QLearning`;
    - ``steps``: each player has a position in its box and moves by at most ``step`` along each axis;
    - ``grid``: each player has a position on a grid of ``action_grid`` points per axis and moves to a
      neighbour or stays;
    - ``native``: native play of the game, period by period with all its states.

    An episode begins at a uniformly random position and is truncated after ``periods``. A player observes
    nothing (``observation = "none"``), its own position or last choice (``own``), or those of all players
    (``joint``); the default is ``own`` for positions and ``none`` otherwise. In economies and cities an agent
    observes its own state, and bids above its karma are clipped to its karma.

    Each player has a network of its own, or (``policies = "shared"``) exchangeable players and agents of one
    type share a network; hidden layers have ``hidden`` tanh units. Rewards are divided by the payoff scale.
    An iteration plays ``batch`` steps in ``envs`` copies in this process, or in ``runners`` other processes.
    ``settings`` are passed to RLlib's ``training()``.

    Results have the same certificates as those of other methods. The profile is that of play without
    exploration after ``rounds`` periods; ``exploring_..`` are the mixtures played with exploration and the
    gains from deviating there. On a ``grid`` policies are tables, evaluated by dynamic programming as those
    of `QLearning`. Populations have ``policy``, evaluated as by `Simulation`. In native play every player's
    best response is trained against the others' policies for ``best_response_iterations``, and its gain in
    ``evaluation`` periods is reported as a lower bound. ``learning_reward`` (sample, player) are mean rewards
    per period, by iteration.

    Truncated episodes are not terminal: the value of the next state is bootstrapped. Where players move in
    turns, native play discounts by a player's own turns. If a reward is infinite, or a loss infinite or NaN,
    learning stops with ``not found`` and a warning. Payoffs that are NaN are refused.

    Equal seeds give equal results on one machine, with ``runners = 0`` and uninterrupted. ``resumed`` marks a
    run that continued from a checkpoint, where episodes in progress and the memories of DQN and SAC are lost.

    Raises `ValueError` for options out of range, spaces that an algorithm cannot play, and without Ray and
    PyTorch.
    """

    needs = (Need("a game that agents can play", _playable),)

    def world(self, game: object) -> Arena:
        """Return the arena of a game. Raises `ValueError`, also without Ray and PyTorch."""
        libraries.require(self.kind)
        # inside: environments belong to the extras `deep` and `envs`
        from rivalry.integrations.rllib.arenas import arena_of

        arena = arena_of(game, self)
        env = arena.env()
        for name in arena.names:
            self.family(env.action_space(name))
        return arena

    def length(self, world: Arena) -> int:
        """Return the number of iterations."""
        return self.iterations

    def begin(self, world: Arena, stream: np.random.SeedSequence) -> Training:
        """Return a session with untrained networks."""
        return Training(stream.generate_state(4, np.uint32))

    def advance(self, world: Arena, session: Training, steps: int) -> int:
        """Play and learn for so many iterations; return the number done."""
        # iterations left are counted from the rewards, which a checkpoint restores
        rounds = 0
        while rounds < min(steps, self.iterations - len(session.rewards) + rounds) and not session.lost:
            session.rewards.append(training.iteration(world, session))
            rounds += 1
        return rounds

    def read(self, world: Arena, session: Training) -> Record:
        """Return the record of what was learned, and stop RLlib."""
        if session.lost:
            warnings.warn(f"{self.kind}: nothing can be learned: {session.lost}", stacklevel=2)
            record: Record = {"status": scalar("not found")}
        else:
            networks = training.networks(world, session)
            respond = training.responding(world, session.words)
            record = world.read(networks, session.words, respond)
        if session.rewards:
            record |= self._curve(world, np.stack(session.rewards))
        record["resumed"] = scalar(session.broken)
        training.stop(session)
        return record

    def pack(self, session: Training) -> dict[str, ndarray]:
        """Return RLlib's state, and the rewards and random streams, each as the bytes of a file."""
        curves = io.BytesIO()
        np.savez(curves, words=session.words, rewards=np.array(session.rewards), lost=np.array(session.lost))
        # a session holds arrays alone: files are stored as their bytes
        files = {STATE: training.state(session), CURVES: curves.getvalue()}
        return {name: np.frombuffer(data, np.uint8) for name, data in files.items()}

    def unpack(self, arrays: Mapping[str, ndarray]) -> Training:
        """Return a session that resumes from what `pack` returned."""
        with np.load(io.BytesIO(arrays[CURVES].tobytes())) as noted:
            training = Training(noted["words"], arrays[STATE].tobytes())
            training.rewards, training.lost = list(noted["rewards"]), str(noted["lost"])
        return training

    def _curve(self, world: Arena, rewards: ndarray) -> Record:
        """Return mean rewards per player, over the agents of the player."""
        finite = np.isfinite(rewards).all(axis=1)  # no episode ended in the others
        players, marks, rewards = np.array(world.players), np.flatnonzero(finite), rewards[finite]
        mean = np.stack([rewards[:, players == p].mean(axis=1) for p in range(players.max() + 1)], axis=1)
        return {
            "learning_step": (("sample",), marks * self.batch),
            "learning_reward": (("sample", world.who), mean),
        }


class PPO(DeepLearner):
    """Proximal policy optimisation by RLlib: stochastic policies on discrete actions or on a box.

    An iteration plays ``batch`` steps in ``envs`` copies of the game and makes ``epochs`` passes through them
    in minibatches of ``minibatch``. The other options are those of `DeepLearner`.

    Needs the extra ``deep``. Raises `ValueError` as `DeepLearner` does.

    Source: Schulman et al. 2017 (arXiv 1707.06347); Liang et al., ICML 2018 (RLlib).

    >>> PPO(iterations=20).algorithm
    'PPO'
    """

    algorithm = "PPO"
    kind = "rllib.ppo"
    of_numbers, of_boxes = "logits", "normal"

    rate: Annotated[float, Gt(0), Lt(inf), "step size of Adam"] = 1e-3
    epochs: Annotated[Count, "passes through the steps of an iteration"] = 10
    minibatch: Annotated[Count, "steps per minibatch"] = 128
    deviation: Annotated[Positive, "initial standard deviation, in units of half the box"] = 0.5

    def training_settings(self) -> Table:
        """Return the options as RLlib's ``training()`` takes them."""
        return {
            "lr": self.rate,
            "num_epochs": self.epochs,
            "minibatch_size": min(self.minibatch, self.batch),
            "train_batch_size_per_learner": self.batch,
            "clip_param": 0.2,
            "lambda_": 0.95,
            "entropy_coeff": 0.0,
            "vf_clip_param": float("inf"),
            "use_kl_loss": False,
            "grad_clip": 1.0,
        }

    def first_deviation(self) -> float:
        """Return the standard deviation of normal policies before training."""
        return self.deviation


class _OffPolicy(DeepLearner):
    """The replay memory that DQN and SAC share."""

    rate: Annotated[float, Gt(0), Lt(inf), "step size of Adam"] = 1e-3
    minibatch: Annotated[Count, "steps per update, sampled from memory"] = 64
    memory: Annotated[Count, "capacity of the replay memory in steps"] = 20_000
    warm_up: Annotated[Natural, "steps before the first update"] = 400
    updates: Annotated[Count, "updates per iteration"] = 100

    def __check_init__(self) -> None:
        if self.memory < self.batch:
            raise ValueError(f"memory: {self.memory} must be at least batch = {self.batch}")

    @property
    def fragment(self) -> int:
        """Steps per copy in an iteration."""
        return max(1, self.batch // (self.envs * max(1, self.runners)))

    def memory_settings(self) -> Table:
        """Return the options of the memory as RLlib's ``training()`` takes them."""
        return {
            "train_batch_size_per_learner": self.minibatch,
            "training_intensity": self.updates * self.minibatch / self.batch,
            "num_steps_sampled_before_learning_starts": self.warm_up,
            "replay_buffer_config": {"type": "MultiAgentEpisodeReplayBuffer", "capacity": self.memory},
        }


class DQN(_OffPolicy):
    """Deep Q-networks by RLlib with epsilon-greedy exploration, for discrete actions.

    The probability of a random action falls from 1 to ``epsilon`` over the first ``exploration`` of the
    iterations. Networks are double and duelling, as in RLlib. The other options are those of `DeepLearner`.

    Needs the extra ``deep``. Raises `ValueError` as `DeepLearner` does, and for boxes.

    Source: Mnih et al., Nature 518, 2015; Liang et al., ICML 2018 (RLlib).

    >>> DQN(iterations=20).algorithm
    'DQN'
    """

    algorithm = "DQN"
    kind = "rllib.dqn"
    of_numbers = "values"
    needed = "numbered actions; set moves = 'levels' or 'grid', or take rllib.ppo or .sac"

    epsilon: Annotated[Share, "final probability of a random action"] = 0.05
    exploration: Annotated[float, Gt(0), Le(1), "fraction of the iterations over which epsilon decreases"] = (
        0.5
    )

    def training_settings(self) -> Table:
        """Return the options as RLlib's ``training()`` takes them."""
        until = max(1, int(self.exploration * self.iterations * self.batch))
        return self.memory_settings() | {
            "lr": self.rate,
            "epsilon": [(0, 1.0), (until, self.epsilon)],
            "target_network_update_freq": 500,
        }

    def random_share(self) -> float:
        """Return the probability of a random action at the end of training."""
        return self.epsilon


class SAC(_OffPolicy):
    """Soft actor-critic by RLlib with adaptive temperature, for boxes.

    The other options are those of `DeepLearner`.

    Needs the extra ``deep``. Raises `ValueError` as `DeepLearner` does, and for discrete actions.

    Source: Haarnoja et al. 2018 (arXiv 1812.05905); Liang et al., ICML 2018 (RLlib).

    >>> SAC(iterations=20).algorithm
    'SAC'
    """

    algorithm = "SAC"
    kind = "rllib.sac"
    of_boxes = "squashed"
    needed = "choices in a box; take rllib.ppo or rllib.dqn"

    temperature: Annotated[Positive, "initial weight of the entropy"] = 0.1

    def training_settings(self) -> Table:
        """Return the options as RLlib's ``training()`` takes them."""
        return self.memory_settings() | {
            "actor_lr": self.rate,
            "critic_lr": self.rate,
            "alpha_lr": self.rate,
            # SAC has a rate for each network, and RLlib refuses one for all
            "lr": None,
            "initial_alpha": self.temperature,
            "target_entropy": "auto",  # minus the number of axes
        }


for _algorithm in (DQN, PPO, SAC):
    check_options(_algorithm)  # those that are imported past the registry too
