"""Deep learners of RLlib, as methods of a study: the kinds ``rllib.ppo``, ``rllib.dqn`` and ``rllib.sac``."""

from rivalry.integrations.rllib.algorithms import DQN, PPO, SAC

__all__ = ["DQN", "PPO", "SAC"]
