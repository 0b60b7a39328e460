"""Costs of classes of agents and their inequality, beside the costs under other rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy import ndarray

from rivalry.core.results import Record, scalar


def gini(cost: ndarray, weight: ndarray) -> float:
    """Gini index: half the mean absolute difference of two agents' costs, relative to the mean cost.

    Parameters
    ----------
    cost : ndarray
        Costs ``[agent]``.
    weight : ndarray
        Numbers of agents with each cost, at least 0.

    Returns
    -------
    float
        From 0, where all costs are equal, to below 1, or above it if some costs are negative. NaN where the
        mean cost is negative.

    Examples
    --------
    >>> gini(np.array([0.0, 1.0]), np.array([3.0, 1.0]))
    0.75
    """
    order = np.argsort(cost)
    number, total = weight[order], weight[order] * cost[order]
    if not total.sum() > 0:
        return 0.0 if not total.any() else float("nan")
    # twice the area below the Lorenz curve, by trapezoids
    before = np.cumsum(total) - total
    return float(1.0 - number @ (2 * before + total) / (number.sum() * total.sum()))


def worst_decile(cost: ndarray, weight: ndarray) -> float:
    """Mean cost of the tenth of all agents that pays most, ``[agent]`` as in `gini`; 0 without agents.

    >>> worst_decile(np.array([1.0, 3.0]), np.array([95.0, 5.0]))
    2.0
    """
    order = np.argsort(-cost)
    tenth = max(weight.sum() / 10, np.finfo(float).tiny)
    ends = np.minimum(np.cumsum(weight[order]), tenth)
    return float(np.diff(ends, prepend=0.0) @ cost[order] / tenth)


def welfare_record(
    cost: ndarray,
    weight: ndarray,
    member: ndarray,
    names: Sequence[str] | ndarray,
    benchmarks: Mapping[str, ndarray] | None = None,
) -> Record:
    """Inequality of costs ``[agent]``, mean costs of the classes, and those under other rules.

    ``weight`` are numbers of agents, ``member`` the class of each, an index into ``names``. ``benchmarks``
    are costs ``[class]`` by the name of a rule. A class without agents has a cost of NaN.
    """
    number = np.bincount(member, weight, len(names))
    total = np.bincount(member, weight * cost, len(names))
    record: Record = {
        "gini": scalar(gini(cost, weight)),
        "worst_decile": scalar(worst_decile(cost, weight)),
        "class_cost": (
            ("class",),
            np.divide(total, number, out=np.full(len(names), np.nan), where=number > 0),
        ),
        "class_share": (("class",), number / max(number.sum(), np.finfo(float).tiny)),
        "class_name": (("class",), np.array(names)),
    }
    if benchmarks:
        record["benchmark_cost"] = (("benchmark", "class"), np.stack(list(benchmarks.values())))
        record["benchmark_name"] = (("benchmark",), np.array(list(benchmarks)))
    return record
