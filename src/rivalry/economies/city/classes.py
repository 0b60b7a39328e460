"""Classes of agents: lucky, average, unlucky, with none, some or all journeys through the crowded centre."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.economies.city.free_flow import visits
from rivalry.economies.city.journeys import Journeys
from rivalry.economies.city.networks import Network

CLASSES: tuple[str, ...] = ("lucky", "average", "unlucky")
CROWDED = 0.1  # share of the lanes in the centre of a network without four core nodes in its middle

MIDDLE = "lanes among the four core nodes in the middle"
LOADED = f"the {CROWDED:.0%} of lanes with the highest free-flow load for their capacity, and ties"


def centre_of(network: Network, load: ndarray, capacity: ndarray) -> tuple[ndarray, str]:
    """Mask of lanes in the centre, ``[lane]``, and the rule applied."""
    # load above capacity is no rule: on a plain grid at the default capacity it holds for every lane
    if network.centre.any():
        return network.centre, MIDDLE
    with np.errstate(divide="ignore", invalid="ignore"):
        crowd = np.where(load > 0, load / capacity, 0.0).round(9)
    count = max(1, round(CROWDED * len(crowd)))
    return crowd >= np.sort(crowd)[-count], LOADED


def unavoidable(journeys: Journeys, centre: ndarray) -> ndarray:
    """Mask of journeys of which every path leads through the centre, ``[journey]``.

    >>> from rivalry.economies.city.journeys import at_start
    >>> made = at_start([[[0, 1], [2]], [[0]]])
    >>> unavoidable(made, np.array([True, False, False])).tolist()
    [False, True]
    """
    passes = (journeys.lane >= 0) & centre[np.maximum(journeys.lane, 0)]
    passing = passes.copy()  # from a position onwards
    while True:
        through = passes | _ahead(journeys, passing, journeys.after)
        if (through == passing).all():
            return _ahead(journeys, passing, journeys.begins[:, None])[:, 0]
        passing = through


def _ahead(journeys: Journeys, passing: ndarray, at: ndarray) -> ndarray:
    """Return the property at locations ``[journey ..]`` from positions; at a junction for all options."""
    rows = np.arange(len(passing))[:, None]
    passes = np.where(at >= 0, passing[rows, np.maximum(at, 0)], False)
    if journeys.options.size:
        picks = journeys.options[rows, np.maximum(-2 - at, 0)]
        passes_all = np.where(picks >= 0, passing[rows[:, :, None], np.maximum(picks, 0)], True).all(axis=-1)
        passes = np.where(at < -1, passes_all, passes)
    return passes


def classes_of(through: ndarray) -> ndarray:
    """Return the class of every agent, an index into `CLASSES`, from ``through [agent slot]``.

    >>> classes_of(np.array([[False, False], [False, True], [True, True]])).tolist()
    [0, 1, 2]
    """
    return np.select([through.all(axis=1), through.any(axis=1)], [2, 1], 0)


def examples_of(journeys: Journeys, slots: ndarray, kinds: ndarray, load: ndarray) -> ndarray:
    """Return one agent of each class, ``[class]``; -1 for an empty class.

    Agents are ranked by the mean load of the lanes along their journeys: the lucky agent with the smallest
    load, the unlucky agent with the largest, the average agent whose journeys differ most. Ties go to the
    first agent.
    """
    often = visits(journeys)
    heavy = (often * load[np.maximum(journeys.lane, 0)]).sum(axis=1) / often.sum(axis=1)
    loads = heavy[slots]
    scores = (-loads.mean(axis=1), np.ptp(loads, axis=1), loads.mean(axis=1))
    ranked = [np.where(kinds == k, score.round(9), -np.inf) for k, score in enumerate(scores)]
    return np.array([int(np.argmax(score)) if (kinds == k).any() else -1 for k, score in enumerate(ranked)])
