"""Who colludes: agents who learn from their joint reward, and may pass karma on among themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rivalry.core.registry import near
from rivalry.economies.city.classes import CLASSES
from rivalry.economies.karma.checks import one_of, whole

KEYS = ("agents", "from")
FROM = ("first", *CLASSES, "random")


def coalition_of(given: object, kinds: np.ndarray, seed: int) -> np.ndarray:
    """1 for members, 0 for others, ``[agent]``: a number, or ``{agents, from}``. Raises `ValueError`.

    Members are the first of all agents, or of those of a class, ``kinds [agent]``, or drawn.

    >>> coalition_of({"agents": 1, "from": "unlucky"}, np.array([0, 1, 2, 2]), 0).tolist()
    [0, 0, 1, 0]
    """
    table = {"agents": given} if not isinstance(given, Mapping) else given
    name = "coalition.agents" if table is given else "coalition"
    for key in table:
        if key not in KEYS:
            raise ValueError(f"coalition.{key}: is unknown; {near(str(key), KEYS)}")
    if "agents" not in table:
        raise ValueError("coalition.agents: is missing; must be how many collude")
    count, origin = (
        whole(name, table["agents"], 0),
        one_of("coalition.from", table.get("from", "first"), FROM),
    )
    among = np.flatnonzero(kinds == CLASSES.index(origin)) if origin in CLASSES else np.arange(len(kinds))
    if count > len(among):
        who = f"the {origin} agents there are" if origin in CLASSES else "the number of agents"
        raise ValueError(f"{name}: {count} must be at most {len(among)}, {who}")
    if origin == "random":
        among = np.random.default_rng([seed, 1]).permutation(among)
    found = np.zeros(len(kinds), dtype=np.int64)
    found[among[:count]] = 1
    return found
