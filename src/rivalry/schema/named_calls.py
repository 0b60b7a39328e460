"""Calls of users' functions with the arguments that they name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_PAIRS = {
    "action": "price",
    "reward": "profit",
    "state": "observation",
    "next_state": "next_observation",
    "player": "firm",
}
SYNONYMS = _PAIRS | {price: action for action, price in _PAIRS.items()}
"""Another name of each argument of an agent."""


def parameter_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's parameters, without ``*args`` and ``**kwargs``."""
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))


def callables_of(agent: object) -> list[str]:
    """Return the names of what can be called of an object or a class, in order."""
    return [name for name, _ in inspect.getmembers(agent, callable)]


def act_fault(agent: object) -> str:
    """Return why an agent, or a class of agents, cannot choose; empty where it has ``act(observation)``.

    >>> class Silent:
    ...     def learn(self, reward): ...
    >>> act_fault(Silent)
    'Silent must have act(observation), which chooses an action; it has learn'
    """
    is_class, members = isinstance(agent, type), dict(inspect.getmembers(agent, callable))
    name = agent.__name__ if isinstance(agent, type) else type(agent).__name__
    if "act" not in members:
        methods = ", ".join(member for member in members if not member.startswith("_"))
        rule = f"{name} must have act(observation), which chooses an action"
        return rule + f"; it has {methods}" * bool(methods)
    try:
        inspect.signature(members["act"]).bind(*[None] * (1 + is_class))
    except TypeError:
        return f"{name}.act must take the observation alone, as in act(self, observation)"
    except ValueError:  # of a program in C, which has no signature
        pass
    return ""


def call_named(
    function: Callable[..., Any], names: Sequence[str], values: Mapping[str, Any], single: Any = None
) -> None:
    """Call a function with the arguments that it names; a single other parameter takes ``single``.

    >>> call_named(lambda reward: print(reward), ("reward",), {"profit": 2.0})
    2.0
    >>> call_named(print, ("x",), {"profit": 2.0}, 2.0)
    2.0
    """
    by_name = {synonym: values[name] for synonym, name in SYNONYMS.items() if name in values} | dict(values)
    arguments = {name: by_name[name] for name in names if name in by_name}
    if len(names) == 1 and single is not None and not arguments:
        function(single)
    else:
        function(**arguments)
