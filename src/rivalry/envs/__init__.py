"""Games as environments of other people's learners: PettingZoo for all players, Gymnasium for one."""

from rivalry.envs.economies import EconomyEnv, policy_table
from rivalry.envs.games import GameEnv
from rivalry.envs.making import aec_env, parallel_env
from rivalry.envs.single import PlayerEnv, single_agent_env
from rivalry.envs.turns import TurnEnv

__all__ = [
    "EconomyEnv",
    "GameEnv",
    "PlayerEnv",
    "TurnEnv",
    "aec_env",
    "parallel_env",
    "policy_table",
    "single_agent_env",
]
