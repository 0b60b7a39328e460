"""Games as reinforcement-learning environments: PettingZoo for all players, Gymnasium for one."""

from rivalry.envs.cities import CityEnv, city_policy
from rivalry.envs.economies import EconomyEnv, policy_table
from rivalry.envs.factory import PlayerEnv, aec_env, parallel_env, single_agent_env
from rivalry.envs.games import GameEnv
from rivalry.envs.turns import TurnEnv

__all__ = [
    "CityEnv",
    "EconomyEnv",
    "GameEnv",
    "PlayerEnv",
    "TurnEnv",
    "aec_env",
    "city_policy",
    "parallel_env",
    "policy_table",
    "single_agent_env",
]
