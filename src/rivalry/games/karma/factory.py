"""The factory of karma economies; its keywords are the keys of a study's ``[game]``."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from rivalry._jax import jnp
from rivalry.games.karma.economy import KarmaEconomy
from rivalry.kernels.shapes import COIN, HIGHEST_STAKE, LOWEST_INDEX, NOBODY, PEER, ROOM, SOCIETY, SURPLUS

TIES = {"coin": COIN, "lowest_index": LOWEST_INDEX, "highest_urgency": HIGHEST_STAKE, "nobody": NOBODY}


def karma(
    *,
    urgencies: list[float] = [1.0, 5.0],
    chain: list[list[float]] | None = None,
    kbar: float = 10.0,
    kmax: int = 20,
    gamma: float = 0.98,
    payment: Literal["PBP", "PBS"] = "PBP",
    tie: str = "coin",
    overflow: Literal["surplus", "winner_pays_room"] = "surplus",
    types: list[dict[str, Any]] | None = None,
) -> KarmaEconomy:
    """Agents who meet in random pairs bid karma for a resource; losing costs their urgency."""
    groups = types or [{}]
    base = {"urgencies": urgencies, "chain": chain, "gamma": gamma, "share": 1.0}
    groups = [base | group for group in groups]
    stakes = np.array([g["urgencies"] for g in groups], dtype=float)
    chains = np.array(
        [
            np.full((len(g["urgencies"]),) * 2, 1 / len(g["urgencies"])) if g["chain"] is None else g["chain"]
            for g in groups
        ]
    )
    bids = np.arange(kmax + 1)
    return KarmaEconomy(
        stakes=jnp.asarray(stakes),
        chain=jnp.asarray(chains, dtype=float),
        gamma=jnp.asarray([float(g["gamma"]) for g in groups]),
        share=jnp.asarray([float(g["share"]) for g in groups]),
        kbar=jnp.asarray(float(kbar)),
        tax=jnp.zeros(kmax + 1),
        charge=np.repeat(bids[:, None], kmax + 1, axis=1),
        most=kmax,
        receiver=PEER if payment == "PBP" else SOCIETY,
        tie=TIES[tie],
        overflow=SURPLUS if overflow == "surplus" else ROOM,
        own_bid=True,
        type_names=tuple(f"type {k}" for k in range(len(groups))),
    )
