"""Values of an agent's policy and of its best response in the measured environment of a city.

The agent faces the measured admission probabilities by lane and bid, and its karma follows the measured
redistribution. These define a Markov decision process on rows and karma, which is solved by value iteration
with MacQueen's bounds.

Source: MacQueen, "A modified dynamic programming method for Markovian decision problems", 1966.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.kernels.city import width
from rivalry.economies.kernels.shapes import CityArrays
from rivalry.tables.kernels.cache import inline, loop


class LaneEnvironment(NamedTuple):
    """Environment of one agent."""

    admission: ndarray  # [lane bid]: probabilities
    charged: ndarray  # [lane bid]: probability of paying the bid, given admission
    shared: ndarray  # [lane karma karma]: transitions of karma in the redistribution; dormant last


class LaneValues(NamedTuple):
    """Values of the states ``[agent row karma]`` and bounds on their error."""

    own: ndarray  # of its policy
    best: ndarray  # of the best policy
    error: ndarray  # [agent]: bound for both


def evaluate(
    city: CityArrays,
    environment: LaneEnvironment,
    chances: ndarray,
    tolerance: float = 1e-7,
    sweeps: int = 20_000,
) -> LaneValues:
    """Return values of the policies ``chances [agent row karma entry]`` and of best responses, per agent.

    ``tolerance`` is relative to the largest possible value.
    """
    states = chances.shape[:3]
    values = LaneValues(np.zeros(states), np.zeros(states), np.zeros(states[0]))
    _iterate_values(city, environment, chances, values, tolerance, sweeps)
    return values


@loop
def _iterate_values(city, environment, chances, result, tolerance, sweeps):  # type: ignore[no-untyped-def]
    row_count, levels = chances.shape[1], city.most + 1
    new, ends, lost = np.zeros((row_count, levels)), np.zeros(levels), np.zeros(levels)
    won, means = np.zeros(levels), np.zeros((city.trip_chain.shape[1], levels))
    for i in range(chances.shape[0]):
        gamma = city.discount[city.type_of[i]]
        bar = tolerance * max(city.stakes.max(), 1e-300) / (1.0 - gamma)
        for optimal in range(2):
            values = result.best[i] if optimal else result.own[i]
            # begins at the values of the own policy, a lower bound on the best ones
            if optimal:
                values[:] = result.own[i]
            for _ in range(sweeps):
                _junctions(city, chances[i], values, i, optimal)
                low, high = _sweep(
                    city, environment, chances[i], values, new, i, optimal, ends, lost, won, means
                )
                values[:] = new
                off = gamma / (1.0 - gamma)
                # MacQueen: the value lies between the iterate plus off * low and off * high; take the middle
                if off * (high - low) <= 2.0 * bar:
                    values += off * 0.5 * (low + high)
                    result.error[i] = max(result.error[i], off * 0.5 * (high - low))
                    break
            else:
                result.error[i] = np.inf
            _junctions(city, chances[i], values, i, optimal)


@inline
def _junctions(city, chances, values, i, optimal):  # type: ignore[no-untyped-def]
    """Compute the values at junctions, where choosing an option takes no time."""
    places, urgencies = city.lane.shape[1], city.stakes.shape[1]
    spots = places + city.options.shape[1]
    for trip in range(city.trip_chain.shape[1] - 1):
        journey = city.journeys[i, trip // urgencies]
        for junction in range(city.options.shape[1]):
            for k in range(values.shape[1]):
                row, value = trip * spots + places + junction, -np.inf if optimal else 0.0
                for option in range(width(city, journey, junction)):
                    after = values[trip * spots + city.options[journey, junction, option], k]
                    value = max(value, after) if optimal else value + chances[row, k, option] * after
                values[row, k] = value if value > -np.inf else 0.0


@inline
def _sweep(city, environment, chances, values, new, i, optimal, ends, lost, won, means):  # type: ignore[no-untyped-def]
    """Take one step of value iteration at all positions; return the smallest and the largest change."""
    kind, trips, lanes = city.type_of[i], city.trip_chain.shape[1] - 1, city.capacity.shape[0]
    places, urgencies = city.lane.shape[1], city.stakes.shape[1]
    spots, gamma, low, high = places + city.options.shape[1], city.discount[kind], np.inf, -np.inf
    for trip in range(trips + 1):
        _next_trip(city, values, i, trip, means[trip])
    _expect(environment.shared[lanes], means[trips], ends)
    for k in range(values.shape[1]):
        # a dormant step costs nothing
        new[trips * spots, k] = gamma * ends[k]
        low = min(low, new[trips * spots, k] - values[trips * spots, k])
        high = max(high, new[trips * spots, k] - values[trips * spots, k])
    for trip in range(trips):
        journey, stake = city.journeys[i, trip // urgencies], city.stakes[kind, trip % urgencies]
        for place in range(places):
            if place > 0 and not _has_place(city, journey, place):
                continue
            lane, row = city.lane[journey, place], trip * spots + place
            next_spot = city.after[journey, place]
            _expect(
                environment.shared[lane],
                means[trip] if next_spot == -1 else values[_row(trip, spots, places, next_spot)],
                won,
            )
            back = values[_row(trip, spots, places, city.back[journey, place])]
            _expect(environment.shared[lane], back, lost)
            for k in range(values.shape[1]):
                value = -np.inf if optimal else 0.0
                for b in range(k + 1):
                    paid = environment.charged[lane, b]
                    through = paid * _after_toll(city, won, lane, k - b)
                    through += (1.0 - paid) * _after_toll(city, won, lane, k)
                    chance = environment.admission[lane, b]
                    ahead = gamma * chance * through + (1.0 - chance) * (gamma * lost[k] - stake)
                    value = max(value, ahead) if optimal else value + chances[row, k, b] * ahead
                new[row, k] = value
                low, high = min(low, value - values[row, k]), max(high, value - values[row, k])
    return low, high


@inline
def _row(trip, spots, places, spot):  # type: ignore[no-untyped-def]
    return trip * spots + (spot if spot >= 0 else places - 2 - spot)


@inline
def _has_place(city, journey, place):  # type: ignore[no-untyped-def]
    """True if a journey has this position; padding has no lane, or leads to the end and position 0."""
    leads = city.after[journey, place] != -1 or city.back[journey, place] != 0
    return city.lane[journey, place] >= 0 and leads


@inline
def _after_toll(city, won, lane, k):  # type: ignore[no-untyped-def]
    """Return the value of admission with karma ``k`` before the toll."""
    due = city.toll[lane]
    if due == 0.0:
        return won[k]
    units = np.int64(due)
    part = due - units
    return (1.0 - part) * won[max(k - units, 0)] + part * won[max(k - units - 1, 0)]


@inline
def _next_trip(city, values, i, trip, mean):  # type: ignore[no-untyped-def]
    """Compute expected values at the start of the next trip, by karma."""
    kind, urgencies, before = city.type_of[i], city.stakes.shape[1], 0.0
    places, trips = city.lane.shape[1], city.trip_chain.shape[1] - 1
    spots = places + city.options.shape[1]
    mean[:] = 0.0
    for after in range(trips + 1):
        chance = city.trip_chain[kind, trip, after] - before
        before = city.trip_chain[kind, trip, after]
        row = trips * spots
        if after < trips:
            row = _row(after, spots, places, city.begins[city.journeys[i, after // urgencies]])
        for k in range(values.shape[1]):
            mean[k] += chance * values[row, k]


@inline
def _expect(shared, values, pulled):  # type: ignore[no-untyped-def]
    """Compute expected values before the redistribution from those after it."""
    for k in range(values.shape[0]):
        mean = 0.0
        for after in range(values.shape[0]):
            mean += shared[k, after] * values[after]
        pulled[k] = mean
