"""Games as environments of other people's learners: PettingZoo for all players, Gymnasium for one."""

from rivalry.envs.economies import EconomyEnv, policy_table
from rivalry.envs.games import GameEnv, PlayerEnv, TurnEnv

__all__ = ["EconomyEnv", "GameEnv", "PlayerEnv", "TurnEnv", "policy_table"]
