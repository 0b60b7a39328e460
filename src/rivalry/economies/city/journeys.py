"""Journeys of trips as arrays for the kernels (`economies.kernels.shapes.CityArrays`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.city.networks import Network
from rivalry.economies.city.shortest_paths import Paths, pad

END = -1


class Journeys(NamedTuple):
    """Positions with the lanes wanted there, and junctions where a position is chosen.

    A location is a position, the junction ``j`` as ``-2 - j``, or the end, -1. Padding is -1. See
    `economies.kernels.shapes.CityArrays`.
    """

    begins: ndarray  # [journey]: a location
    lane: ndarray  # [journey place]
    after: ndarray  # [journey place]: the location after admission
    back: ndarray  # [journey place]: the location after refusal
    options: ndarray  # [journey junction option]: positions; -1: none

    def most_options(self) -> int:
        return int((self.options >= 0).sum(axis=-1).max(initial=0))


def fixed_journeys(paths: Paths) -> Journeys:
    """Return every path as a journey without junctions; a refused agent wants the same lane again.

    >>> fixed_journeys(Paths(np.array([[3, 1, -1]]), np.zeros((1, 2), dtype=int))).after.tolist()
    [[1, -1, -1]]
    """
    place = np.where(paths.lanes >= 0, np.arange(paths.lanes.shape[1]), -1)
    is_end = place == (paths.lengths - 1)[:, None]
    return Journeys(
        begins=np.zeros(len(paths.lanes), dtype=int),
        lane=paths.lanes.copy(),
        after=np.where((place < 0) | is_end, END, place + 1),
        back=place,
        options=np.full((len(paths.lanes), 0, 0), -1, dtype=int),
    )


def at_start(groups: list[list[list[int]]]) -> Journeys:
    """Return journeys that begin with the choice of a path; ``groups`` lists the paths of each journey.

    Every path is a separate chain of positions. A journey with one path has no junction.

    >>> made = at_start([[[0, 1], [2]], [[3]]])
    >>> made.begins.tolist(), made.options[0].tolist(), made.after[0].tolist()
    ([-2, 0], [[0, 2]], [1, -1, -1])
    """
    lane, after, back, firsts = [], [], [], []
    for group in groups:
        starts = np.cumsum([0] + [len(path) for path in group[:-1]]).tolist()
        ends = {start + len(path) - 1 for start, path in zip(starts, group, strict=True)}
        size = sum(map(len, group))
        lane.append([number for path in group for number in path])
        after.append([END if place in ends else place + 1 for place in range(size)])
        back.append(list(range(size)))
        firsts.append(starts if len(group) > 1 else [])
    begins = [-2 if choices else 0 for choices in firsts]
    return Journeys(
        begins=np.array(begins, dtype=int),
        lane=pad(lane),
        after=pad(after),
        back=pad(back),
        options=pad(firsts)[:, None, :] if any(firsts) else np.full((len(groups), 0, 0), -1),
    )


def at_nodes(network: Network, away: ndarray, pairs: list[tuple[int, int]]) -> Journeys:
    """Return journeys along shortest paths of a pair, with a choice at every node with several next lanes.

    Positions are the lanes on some shortest path. A refused agent returns to the node and may choose again.
    ``away`` is the result of `shortest_paths.distances`.

    >>> from rivalry.economies.city.networks import plain
    >>> from rivalry.economies.city.shortest_paths import distances
    >>> square = plain(2, 2)
    >>> made = at_nodes(square, distances(square), [(0, 3), (0, 1)])
    >>> made.begins.tolist(), made.lane.tolist(), made.back.tolist()
    ([-2, 0], [[0, 1, 3, 5], [0, -1, -1, -1]], [[-2, -2, 2, 3], [0, -1, -1, -1]])
    """
    starts, steps = network.starts.tolist(), network.steps
    parts = [_of_pair(steps, away, starts[origin], destination) for origin, destination in pairs]
    begins, lane, after, back, options = zip(*parts, strict=True)
    junctions = max(map(len, options))
    rows = pad([row for part in options for row in part + [[]] * (junctions - len(part))])
    return Journeys(
        begins=np.array(begins, dtype=int),
        lane=pad(list(lane)),
        after=pad(list(after)),
        back=pad(list(back)),
        options=rows.reshape(len(pairs), junctions, rows.shape[1]),
    )


def _of_pair(
    steps: ndarray, away: ndarray, origin: int, destination: int
) -> tuple[int, list[int], list[int], list[int], list[list[int]]]:
    """Return one journey of `at_nodes`: its first location, lanes, after, back, options."""
    heads, tails = steps[:, 1], steps[:, 0]
    on = (away[origin, tails] >= 0) & (away[heads, destination] >= 0)
    on &= away[origin, tails] + 1 + away[heads, destination] == away[origin, destination]
    used = np.flatnonzero(on)
    used = used[np.argsort(away[origin, tails[used]], kind="stable")]
    leaving: dict[int, list[int]] = {}
    for place, number in enumerate(used):
        leaving.setdefault(int(tails[number]), []).append(place)
    options = [places for places in leaving.values() if len(places) > 1]
    junction = {node: -2 - options.index(places) for node, places in leaving.items() if len(places) > 1}

    def arrival(node: int) -> int:
        return END if node == destination else junction.get(node, leaving[node][0])

    after = [arrival(int(heads[number])) for number in used]
    back = [junction.get(int(tails[number]), place) for place, number in enumerate(used)]
    return arrival(origin), used.tolist(), after, back, options
