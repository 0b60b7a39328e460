"""PPO, DQN and SAC of RLlib as learners: what each can play, and how its options are told to RLlib."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from rivalry.integrations.rllib.learner import DeepLearner
from rivalry.integrations.rllib.options import is_numbered
from rivalry.methods.q_learning.exploration import check_numbers, check_whole

Table = dict[str, Any]


class PPO(DeepLearner):
    """Proximal policy optimisation by RLlib: stochastic policies, numbered actions or choices in a box.

    In an iteration ``batch`` steps are played by ``envs`` copies of the game, and every policy takes
    ``epochs`` passes through them in parts of ``minibatch``. ``entropy`` pays for policies that stay random.
    All else is as `DeepLearner` says.

    Needs the extra ``deep``. Raises `ValueError` as `DeepLearner` does.

    Source: Schulman et al. 2017 (arXiv 1707.06347); Liang et al., ICML 2018 (RLlib).

    >>> PPO(iterations=20).algorithm
    'PPO'
    """

    algorithm: ClassVar[str] = "PPO"
    kind: ClassVar[str] = "rllib.ppo"

    rate: Annotated[float, Gt(0), "step size of Adam"] = 1e-3
    epochs: Annotated[int, Ge(1), "passes through what was played, in an iteration"] = 10
    minibatch: Annotated[int, Ge(1), "steps of a part of a pass"] = 128
    clip: Annotated[float, Gt(0), "how far chances may move in an iteration"] = 0.2
    trace: Annotated[float, Ge(0), Le(1), "weight of what followed, against the critic's value"] = 0.95
    entropy: Annotated[float, Ge(0), "reward for the entropy of policies"] = 0.0
    deviation: Annotated[float, Gt(0), "of choices in a box at the beginning, half the box being 1"] = 0.5

    def __check_init__(self) -> None:
        for name in ("epochs", "minibatch"):
            check_whole(name, getattr(self, name))
        for name in ("rate", "clip", "deviation"):
            check_numbers(name, getattr(self, name), "above 0", lambda v: v > 0)
        check_numbers("trace", self.trace, "in [0, 1]", lambda v: (v >= 0) & (v <= 1))
        check_numbers("entropy", self.entropy, "at least 0", lambda v: v >= 0)

    def family(self, space: Any) -> str:
        """What the networks' outputs are."""
        return "logits" if is_numbered(space) else "normal"

    def training_settings(self) -> Table:
        """The options as RLlib knows them."""
        return {
            "lr": self.rate,
            "num_epochs": self.epochs,
            "minibatch_size": min(self.minibatch, self.batch),
            "train_batch_size_per_learner": self.batch,
            "clip_param": self.clip,
            "lambda_": self.trace,
            "entropy_coeff": self.entropy,
            "vf_clip_param": float("inf"),
            "use_kl_loss": False,
            "grad_clip": 1.0,
        }

    def first_deviation(self) -> float:
        """Return the standard deviation of normal policies before training."""
        return self.deviation


class _OffPolicy(DeepLearner):
    """What DQN and SAC share: a memory of steps, from which they learn."""

    rate: Annotated[float, Gt(0), "step size of Adam"] = 1e-3
    minibatch: Annotated[int, Ge(1), "steps drawn from memory for an update"] = 64
    memory: Annotated[int, Ge(1), "steps that are remembered"] = 20_000
    warm_up: Annotated[int, Ge(0), "steps before the first update"] = 400
    updates: Annotated[int, Ge(1), "of the networks, in an iteration"] = 100

    def __check_init__(self) -> None:
        for name, least in (("minibatch", 1), ("memory", 1), ("warm_up", 0), ("updates", 1)):
            check_whole(name, getattr(self, name), least)
        if self.memory < self.batch:
            raise ValueError(f"memory: {self.memory} must be at least batch = {self.batch}")
        check_numbers("rate", self.rate, "above 0", lambda v: v > 0)

    @property
    def fragment(self) -> int:
        """All of an iteration."""
        return max(1, self.batch // (self.envs * max(1, self.runners)))

    def remembered(self) -> Table:
        """The options of memory as RLlib knows them."""
        return {
            "train_batch_size_per_learner": self.minibatch,
            "training_intensity": self.updates * self.minibatch / self.batch,
            "num_steps_sampled_before_learning_starts": self.warm_up,
            "replay_buffer_config": {"type": "MultiAgentEpisodeReplayBuffer", "capacity": self.memory},
        }


class DQN(_OffPolicy):
    """Deep Q-networks by RLlib: values of numbered actions, the best taken, or by chance any.

    The chance of any falls from 1 to ``epsilon`` over the first ``exploration`` of the iterations. Double
    and duelling networks, as RLlib has them. All else is as `DeepLearner` says.

    Needs the extra ``deep``. Raises `ValueError` as `DeepLearner` does, and for choices in a box.

    Source: Mnih et al., Nature 518, 2015; Liang et al., ICML 2018 (RLlib).

    >>> DQN(iterations=20).algorithm
    'DQN'
    """

    algorithm: ClassVar[str] = "DQN"
    kind: ClassVar[str] = "rllib.dqn"

    epsilon: Annotated[float, Ge(0), Le(1), "chance of a random action at the end"] = 0.05
    exploration: Annotated[float, Gt(0), Le(1), "share of the iterations until then"] = 0.5
    target_every: Annotated[int, Ge(1), "steps between two copies to the target network"] = 500

    def __check_init__(self) -> None:
        check_whole("target_every", self.target_every)
        check_numbers("epsilon", self.epsilon, "in [0, 1]", lambda v: (v >= 0) & (v <= 1))
        check_numbers("exploration", self.exploration, "in (0, 1]", lambda v: (v > 0) & (v <= 1))

    def family(self, space: Any) -> str:
        """Values. Raises `ValueError` for a box."""
        if not is_numbered(space):
            raise ValueError(
                "rllib.dqn: needs numbered actions; set moves = 'levels' or 'grid', or take rllib.ppo or .sac"
            )
        return "values"

    def training_settings(self) -> Table:
        """The options as RLlib knows them."""
        until = max(1, int(self.exploration * self.iterations * self.batch))
        return self.remembered() | {
            "lr": self.rate,
            "epsilon": [(0, 1.0), (until, self.epsilon)],
            "target_network_update_freq": self.target_every,
        }

    def random_share(self) -> float:
        """Return the probability of a random action at the end of training."""
        return self.epsilon


class SAC(_OffPolicy):
    """Soft actor-critic by RLlib: choices in a box, with a price for certainty that adapts.

    All else is as `DeepLearner` says.

    Needs the extra ``deep``. Raises `ValueError` as `DeepLearner` does, and for numbered actions.

    Source: Haarnoja et al. 2018 (arXiv 1812.05905); Liang et al., ICML 2018 (RLlib).

    >>> SAC(iterations=20).algorithm
    'SAC'
    """

    algorithm: ClassVar[str] = "SAC"
    kind: ClassVar[str] = "rllib.sac"

    temperature: Annotated[float, Gt(0), "worth of entropy at the beginning"] = 0.1
    target_entropy: Annotated[
        float | Literal["auto"], "entropy that the worth of it aims at; auto: minus the number of axes"
    ] = "auto"

    def __check_init__(self) -> None:
        check_numbers("temperature", self.temperature, "above 0", lambda v: v > 0)
        if self.target_entropy != "auto":
            check_numbers("target_entropy", self.target_entropy, "a number, or auto", np.isfinite)

    def family(self, space: Any) -> str:
        """Squashed choices. Raises `ValueError` for numbered actions."""
        if is_numbered(space):
            raise ValueError("rllib.sac: needs choices in a box; take rllib.ppo or rllib.dqn")
        return "squashed"

    def training_settings(self) -> Table:
        """The options as RLlib knows them."""
        return self.remembered() | {
            "actor_lr": self.rate,
            "critic_lr": self.rate,
            "alpha_lr": self.rate,
            "lr": None,
            "initial_alpha": self.temperature,
            "target_entropy": self.target_entropy,
        }
