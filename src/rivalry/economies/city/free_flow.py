"""Free flow: the mean number of agents that want each lane if no agent is ever refused.

Without waiting a trip lasts as many steps as its path has lanes, and dormancy lasts one step. Trips follow a
Markov chain. By the renewal reward theorem an agent wants a lane in the long-run share ``E[visits] /
E[length]`` of the steps, both means under the stationary distribution of its chain of trips.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.city.journeys import Journeys


class FreeFlow(NamedTuple):
    """Mean numbers per step, summed over all agents."""

    wanting: ndarray  # [lane]: agents that want the lane
    dormant: float  # dormant agents
    trips: float  # trips that end, dormancy not counted


def slot_shares(trip_shares: ndarray, slots: int) -> ndarray:
    """Return probabilities of slots ``[type slot]`` from those of trips ``[type trip]``, dormancy last."""
    return trip_shares[:, :-1].reshape(len(trip_shares), slots, -1).sum(axis=2)


def visits(journeys: Journeys) -> ndarray:
    """Return the expected visits of each position, ``[journey place]``, with uniform choices at junctions.

    >>> from rivalry.economies.city.journeys import at_start
    >>> visits(at_start([[[0, 1], [2]], [[3]]])).tolist()
    [[0.5, 0.5, 0.5], [1.0, 0.0, 0.0]]
    """
    expected = np.zeros(journeys.lane.shape)
    number, at, mass = np.arange(len(expected)), journeys.begins, np.ones(len(expected))
    while len(at):
        junction = at < -1
        journeys_here = number[junction]
        picks = journeys.options[number[junction], -2 - at[junction]]
        ways = picks >= 0
        share = np.repeat(mass[junction] / ways.sum(axis=1), ways.sum(axis=1))
        number = np.concatenate([number[~junction], np.repeat(journeys_here, ways.sum(axis=1))])
        place = np.concatenate([at[~junction], picks[ways]])
        mass = np.concatenate([mass[~junction], share])
        np.add.at(expected, (number, place), mass)
        at = journeys.after[number, place]
        going = at != -1
        number, at, mass = number[going], at[going], mass[going]
    return expected


def of_agents(
    journeys: Journeys, slots: ndarray, type_of: ndarray, trip_shares: ndarray, lanes: int
) -> FreeFlow:
    """Return the free flow of agents whose journeys are ``slots [agent slot]``.

    ``trip_shares [type trip]`` is the stationary distribution of trips, dormancy last.
    """
    often = visits(journeys)
    lengths = often.sum(axis=1)
    share, dormant = slot_shares(trip_shares, slots.shape[1])[type_of], trip_shares[type_of, -1]
    rate = 1 / (dormant + (share * lengths[slots]).sum(axis=1))  # trips begun per step
    weights = np.bincount(slots.ravel(), weights=(share * rate[:, None]).ravel(), minlength=len(lengths))
    return FreeFlow(
        wanting=_by_lane(journeys, often * weights[:, None], lanes),
        dormant=float(dormant @ rate),
        trips=float(((1 - dormant) * rate).sum()),
    )


def of_distribution(
    journeys: Journeys,
    probabilities: ndarray,
    agents: ndarray,
    trip_shares: ndarray,
    slots: int,
    lanes: int,
) -> FreeFlow:
    """Return the expected free flow if each slot's journey is drawn independently.

    ``probabilities [journey]`` are those of a draw, and ``agents [type]`` is the number of agents per type.
    The result is exact: an agent's rate of trips depends only on the lengths of its journeys, so lengths are
    summed over and lanes are averaged given a length.
    """
    often = visits(journeys)
    lengths, group = np.unique(np.round(often.sum(axis=1), 9), return_inverse=True)
    shares_of_length = np.bincount(group, weights=probabilities, minlength=len(lengths))
    weights, dormant, ended = np.zeros(len(lengths)), 0.0, 0.0
    for count, share, dormancy in zip(
        agents, slot_shares(trip_shares, slots), trip_shares[:, -1], strict=True
    ):
        rate = float(_inverse_mean(share, lengths, shares_of_length, dormancy, np.zeros(1))[0])
        dormant, ended = dormant + count * dormancy * rate, ended + count * (1 - dormancy) * rate
        for slot, chance in enumerate(share):
            other_shares = np.delete(share, slot)
            weights += (
                count
                * chance
                * _inverse_mean(other_shares, lengths, shares_of_length, dormancy, chance * lengths)
            )
    spread = often * (probabilities * weights[group])[:, None]
    return FreeFlow(_by_lane(journeys, spread, lanes), float(dormant), float(ended))


def _inverse_mean(
    share: ndarray,
    lengths: ndarray,
    shares_of_length: ndarray,
    dormancy: float,
    offset: ndarray,
) -> ndarray:
    """Return ``E[1 / (rest + offset + sum_k share_k L_k)]`` for independent ``L_k``, per ``offset``."""
    times: ndarray = np.full(1, dormancy)
    probabilities: ndarray = np.ones(1)
    for weight in share:
        summed = np.round(np.add.outer(times, weight * lengths).ravel(), 12)
        times, where = np.unique(summed, return_inverse=True)
        probabilities = np.bincount(where, weights=np.outer(probabilities, shares_of_length).ravel())
    return (probabilities / (offset[:, None] + times)).sum(axis=1)


def _by_lane(journeys: Journeys, weights: ndarray, lanes: int) -> ndarray:
    used = journeys.lane >= 0
    return np.bincount(journeys.lane[used], weights=weights[used], minlength=lanes)
