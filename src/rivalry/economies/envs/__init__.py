"""Karma economies and cities as environments of PettingZoo, and tables of what learners in them do."""

from rivalry.economies.envs.city import CityEnv as CityEnv
from rivalry.economies.envs.city import city_policy as city_policy
from rivalry.economies.envs.karma import EconomyEnv as EconomyEnv
from rivalry.economies.envs.karma import policy_table as policy_table
