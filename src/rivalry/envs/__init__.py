"""Games as reinforcement-learning environments: PettingZoo for all players, Gymnasium for one."""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import Any as _Any

from rivalry.schema.installation import remedy as _remedy
from rivalry.schema.registry import hook as _hook
from rivalry.schema.registry import near as _near

if _missing := [name for name in ("gymnasium", "pettingzoo") if _find_spec(name) is None]:
    raise ImportError(f"rivalry.envs needs {' and '.join(_missing)}: {_remedy('envs')}")

from rivalry.envs.alone import BatchEnv as BatchEnv
from rivalry.envs.alone import PlayerEnv as PlayerEnv
from rivalry.envs.alone import batch as batch
from rivalry.envs.alone import single_agent_env as single_agent_env
from rivalry.envs.games import GameEnv as GameEnv
from rivalry.envs.games import parallel_env as parallel_env
from rivalry.envs.turns import TurnEnv as TurnEnv
from rivalry.envs.turns import aec_env as aec_env

_OF_ECONOMIES = ("city_policy", "policy_table")


def __getattr__(name: str) -> _Any:
    if name == "population_certificate":
        return _import_module("rivalry.population").population_certificate
    if name in _OF_ECONOMIES:
        return _hook(name)
    hint = (
        ""
        if name.startswith("_")
        else f"; {_near(name, [public for public in globals() if public[0] != '_'])}"
    )
    raise AttributeError(f"module 'rivalry.envs' has no attribute {name!r}{hint}")
