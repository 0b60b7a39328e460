"""Karma economies and cities as environments of PettingZoo, and tables of what learners in them do."""

from rivalry.economies.envs.city import CityCourse as CityCourse
from rivalry.economies.envs.city import city_policy as city_policy
from rivalry.economies.envs.karma import EconomyCourse as EconomyCourse
from rivalry.economies.envs.karma import policy_table as policy_table
