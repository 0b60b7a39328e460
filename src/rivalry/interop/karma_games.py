"""Games and policies of karma-game-library as karma economies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rivalry import games
from rivalry.runtime.jax import floats

NEEDED = (
    "num_participants",
    "num_urgencies",
    "num_average_karma",
    "map_type_temp_preference",
    "lst_init_types",
    "func_cost",
    "func_outcome",
    "func_payment",
)


def from_karma_game_library(
    settings: Mapping[str, Any], policy: object, **keys: object
) -> tuple[Any, np.ndarray]:
    """Return a game of karma-game-library as a karma economy, and a policy of it.

    The functions of costs, outcomes and payments are called with every urgency and every pair of bids.
    Urgencies are drawn uniformly in every step unless ``keys`` have a ``chain``. Karma that an agent cannot
    hold is redistributed.

    Parameters
    ----------
    settings : mapping
        The arguments of ``karma_game_library.GameParameters``, by name.
    policy : object
        Probabilities ``[type urgency karma bid]``, or an object with such an array as ``prob_matrix``.
    **keys
        Further keys of `rivalry.games.karma`.

    Returns
    -------
    tuple
        The game, and the policy ``[type urgency karma bid]`` with as many bids as amounts of karma.

    Raises
    ------
    ValueError
        For missing settings, an array of another shape, and functions that do not give the place to the
        highest bid, make a served agent bear a cost, or share payments in another way.

    Examples
    --------
    >>> from rivalry.population import population_certificate
    >>> settings = {"num_participants": 2, "num_urgencies": 2, "num_average_karma": 2, "lst_init_types": [0]}
    >>> settings |= {"map_type_temp_preference": {0: 0.9}, "func_cost": lambda u, won: u * (1 - won)}
    >>> settings["func_outcome"] = lambda bids: [int(bid == max(bids)) for bid in bids]
    >>> settings["func_payment"] = lambda bids, won: ([-b if w else max(bids) for b, w in zip(bids, won)], 0)
    >>> policy = np.zeros((1, 2, 5, 2))
    >>> policy[..., 0] = 1.0
    >>> game, policy = from_karma_game_library(settings, policy)
    >>> population_certificate(game, policy).claim
    'not an equilibrium'
    """
    for name in NEEDED:
        if name not in settings:
            raise ValueError(f"settings: {name} is missing; must be the arguments of GameParameters")
    discounts = settings["map_type_temp_preference"]
    chances = floats(getattr(policy, "prob_matrix", policy))
    urgencies, size = int(settings["num_urgencies"]), int(settings["num_participants"])
    if chances.ndim != 4 or chances.shape[:2] != (len(discounts), urgencies):
        shape = f"({len(discounts)}, {urgencies}, karma, bids)"
        raise ValueError(f"policy: shape {chances.shape} must be {shape}, that of prob_matrix")
    levels, bids = chances.shape[2:]
    charge, receiver = _payments(settings["func_payment"], settings["func_outcome"], bids, size)
    given: dict[str, Any] = {
        "urgencies": _urgencies(settings["func_cost"], urgencies),
        "mean_karma": float(settings["num_average_karma"]),
        "max_karma": levels - 1,
        "bids": list(range(bids)),
        "payment": "table",
        "charge": np.pad(charge, (0, levels - bids)),
        "receiver": receiver,
        "participants": size,
    }
    members = list(settings["lst_init_types"])
    given["types"] = [
        {"name": str(kind), "share": members.count(kind) / len(members), "gamma": float(discount)}
        for kind, discount in discounts.items()
    ]
    padded = np.pad(chances, [(0, 0)] * 3 + [(0, levels - bids)])
    return games.karma(**(given | keys)), padded


def _urgencies(cost: Callable[[int, int], float], count: int) -> list[float]:
    """Return the costs of agents that are not served. Raises `ValueError` where served agents have any."""
    for urgency in range(count):
        if cost(urgency, 1) != 0:
            raise ValueError(f"func_cost: costs {cost(urgency, 1):g} when served at {urgency}; must be 0")
    return [float(cost(urgency, 0)) for urgency in range(count)]


def _payments(
    payment: Callable[..., Any], outcome: Callable[..., Any], bids: int, size: int
) -> tuple[np.ndarray, str]:
    """Return payments ``[bid highest losing bid]`` of the winner, and who receives them.

    Raises `ValueError`.
    """
    charge, receivers = np.zeros((bids, bids), dtype=np.int64), set()
    for bid, last in np.argwhere(np.tri(bids, dtype=bool)).tolist():
        group = [bid, last] + [0] * (size - 2)
        won = [1] + [0] * (size - 1)
        if last < bid and list(outcome(group)) != won:
            raise ValueError(
                f"func_outcome: {outcome(group)} at bids {group} must be {won}: the highest wins"
            )
        paid, society = payment(group, won)
        charge[bid, last] = -paid[0]
        if not any(paid):
            continue
        if society == -paid[0] and not any(paid[1:]):
            receivers.add("society")
        elif society == 0 and size == 2 and paid[1] == -paid[0]:
            receivers.add("peer")
        else:
            raise ValueError(
                f"func_payment: {paid}, {society} at bids {group} must go to the peer or to society"
            )
    if len(receivers) > 1:
        raise ValueError("func_payment: must pay the peer at all bids, or society at all bids")
    return charge, receivers.pop() if receivers else "peer"
