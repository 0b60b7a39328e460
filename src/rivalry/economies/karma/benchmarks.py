"""Costs of an economy's types under rules without karma, in closed form."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

AT_RANDOM, TOLL = "random access", "toll, revenue shared equally"


def costs_without_karma(
    rewards: ndarray,  # [outcome type private], of losing and winning
    chances: ndarray,  # [type private], of private states
    share: ndarray,  # [type]
    agents: float = np.inf,
    idle: float = 0.0,
) -> dict[str, ndarray]:
    """Expected cost per agent and step of each type, ``[type]``, by the name of the rule.

    Agents meet in pairs, and private states do not depend on the outcome. Costs are minus rewards. With
    random access half of what losing costs is lost. Under the optimal toll the agent that would lose more is
    served and pays, in the unit of rewards, what the other loses; so both bear the lower of the two losses,
    and all receive an equal share of the revenue.

    >>> rewards, even = np.array([[[-1.0, -5.0]], [[0.0, 0.0]]]), np.array([[0.5, 0.5]])
    >>> [float(cost[0]) for cost in costs_without_karma(rewards, even, np.ones(1)).values()]
    [1.5, 1.0]
    """
    stakes, gained = rewards[1] - rewards[0], (1 - idle) * (chances * rewards[1]).sum(axis=1)
    lower = np.minimum(stakes[:, :, None, None], stakes[None, None])
    mean_lower = np.einsum("tz,sy,tzsy->ts", chances, chances, lower)
    peers = share - (np.eye(len(share)) - share) / (agents - 1)  # an agent does not meet itself
    borne = (1 - idle) * (peers * mean_lower).sum(axis=1)
    lost: ndarray = (1 - idle) * (chances * stakes).sum(axis=1) / 2
    return {AT_RANDOM: lost - gained, TOLL: borne - share @ borne / 2 - gained}
