"""Two firms with inventories that set prices and production (Judd 1990), as a linear-quadratic game."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from rivalry.families.lq import LQGame, lq
from rivalry.schema.validate import checked


@checked
def inventories(
    *,
    depreciation: Annotated[float, Ge(0), Lt(1), "part of an inventory that is lost per period"] = 0.02,
    sales: Annotated[float, "sales at prices of 0"] = 25.0,
    own_slope: Annotated[float, "change of sales per own price"] = -1.0,
    cross_slope: Annotated[float, "change of sales per price of the other firm"] = 0.5,
    inventory_cost: Annotated[list[float], "(c0, c1, c2): c0 + c1 I + c2 I^2 / 2"] = [1.0, -2.0, 1.0],  # noqa: B006
    production_cost: Annotated[list[float], "(e1, e2): e1 q + e2 q^2 / 2"] = [10.0, 3.0],  # noqa: B006
    gamma: Annotated[float, Ge(0), Lt(1), "discount factor"] = 0.95,
    initial: Annotated[list[float], "inventories of both firms in the first period"] = [2.0, 2.0],  # noqa: B006
) -> LQGame:
    """Return the game of two firms that choose production q and price p, with inventories as states.

    What is left of inventories, ``I' = (1 - depreciation) (I + q - sales)``, is carried over. Firm i sells
    ``sales + own_slope p_i + cross_slope p_j`` at its price. States are ``(I_0, I_1, 1)``, moves ``(q, p)``.

    Examples
    --------
    >>> inventories().B[0].tolist()
    [[0.98, 0.98], [0.0, -0.49], [0.0, 0.0]]
    """
    remaining_share, (c0, c1, c2), (e1, e2) = 1 - depreciation, inventory_cost, production_cost
    A = np.diag([remaining_share, remaining_share, 1.0])
    A[:2, 2] = -remaining_share * sales
    B, R, W = np.zeros((2, 3, 2)), np.zeros((2, 3, 3)), np.zeros((2, 3, 2))
    for i in range(2):
        B[i, i] = remaining_share, -remaining_share * own_slope
        B[i, 1 - i, 1] = -remaining_share * cross_slope
        R[i, i, i], R[i, 2, 2] = c2 / 2, c0
        R[i, i, 2] = R[i, 2, i] = c1 / 2
        W[i, 2] = e1 / 2, -sales / 2
    Q = [np.diag([e2 / 2, -own_slope])] * 2
    M = [np.diag([0.0, -cross_slope / 2])] * 2
    return lq(A=A, B=list(B), R=list(R), Q=Q, W=list(W), M=M, gamma=gamma, initial=[*initial, 1.0])
