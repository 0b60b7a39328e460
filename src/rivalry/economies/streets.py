"""Data of the view ``streets``: the lanes of a city with demand, queues and bids, and routes of agents.

Takes cities, whose agents are simulated with uniform bids, and records with a value per lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.core.results import Record
from rivalry.plots.select import band

if TYPE_CHECKING:
    from rivalry.economies.city.model import City

WARM_UP, STEPS = 200, 120  # steps before, and steps shown
DIGITS = 3
LANES = 3000  # most lanes of a figure
METRICS = ("lane_wanted", "lane_queue", "lane_bid")


def view_of(game: object, profile: ndarray | None) -> tuple[str, str, dict[str, Any]] | None:
    """Return title, text and data of a city whose agents bid uniformly; None for other games."""
    from rivalry.economies.city.model import City  # compiled loops, which stored records do not need

    if not isinstance(game, City) or len(game.network.lanes) > LANES:
        return None
    frames, agents = _simulate(game)
    metrics = {name: (dims, np.asarray(array)) for name, (dims, array) in game.static_metrics().items()}
    for k, name in enumerate(METRICS):
        metrics[name] = (("lane",), band(frames[k])[0])
    data = _data(metrics)
    data["frames"] = {name: frames[k] for k, name in enumerate(METRICS)}
    data["agents"] = [{**agent, **metrics} for agent, metrics in zip(data["agents"], agents, strict=True)]
    lanes, count = len(game.network.lanes), game.agents
    text = f"{count} agents on {lanes} lanes bid uniformly from the karma they hold, for {STEPS} steps. "
    return "Streets of a city", text + _busiest(metrics), data


def view_of_record(
    game: object, record: Record, names: Mapping[str, tuple[str, ...]]
) -> tuple[str, str, dict[str, Any]] | None:
    """Return title, text and data of a record with means per lane; None for other records.

    Data: ``ends [lane end 2]`` and ``lanes``, their names; ``nodes [node 2]``; ``capacity [lane]``;
    ``means``, by metric and lane; ``frames``, the same per step, None where only means are known; ``agents``,
    each with its ``name``, ``number``, ``routes [path position]`` (lanes), ``bids [path position]``, the mean
    bid there (None where it is not stored), and per step ``lane``, ``bid`` and ``karma``, where known.
    """
    columns = {"lane_ends", "node_at", "lane_capacity", *METRICS}
    if not columns <= set(record) or len(record["lane_ends"][1]) > LANES:
        return None
    text = f"Means over the steps of the evaluation, of {len(record['lane_ends'][1])} lanes. "
    return "Streets of a city", text + _busiest(record), _data(record)


def _data(record: Record) -> dict[str, Any]:
    lanes = record["lane_ends"][1]
    names = record["lane_name"][1] if "lane_name" in record else np.arange(len(lanes)).astype(str)
    return {
        "ends": np.round(lanes, 6),
        "lanes": names,
        "nodes": np.round(record["node_at"][1], 6),
        "capacity": record["lane_capacity"][1],
        "means": {name: np.round(record[name][1].astype(float), DIGITS) for name in METRICS},
        "frames": None,
        "agents": _agents(record),
    }


def _agents(record: Record) -> list[dict[str, Any]]:
    """Return the example agents of a record, with the mean bid at each lane of their routes where stored."""
    if "example_lanes" not in record:
        return []
    entries = []
    for k, routes in enumerate(record["example_lanes"][1]):
        paths = [[int(lane) for lane in path if lane >= 0] for path in routes]
        bids: list[Any] = [None] * len(paths)
        if "example_mean_bid" in record:  # [example trip place karma]
            shares = _karma(record)
            mean_bids = np.nansum(np.nan_to_num(record["example_mean_bid"][1][k]) * shares, axis=-1)
            trips = mean_bids.shape[0] // len(paths)
            bids = [
                np.round(mean_bids[j * trips : (j + 1) * trips, : len(path)].mean(axis=0), DIGITS)
                for j, path in enumerate(paths)
            ]
        entries.append(
            {
                "name": str(record["example_name"][1][k]),
                "number": int(record["example_agent"][1][k]),
                "routes": paths,
                "bids": bids,
            }
        )
    return entries


def _karma(record: Record) -> ndarray:
    """Return the distribution of karma over all agents."""
    size = record["example_mean_bid"][1].shape[-1]
    if "karma_distribution" not in record:
        return np.full(size, 1 / size)
    return np.reshape(record["karma_distribution"][1], (-1, size)).sum(axis=0)


def _busiest(record: Record) -> str:
    queue = record["lane_queue"][1]
    k = int(np.nanargmax(queue))
    name = record["lane_name"][1][k] if "lane_name" in record else k
    demand, waits = float(record["lane_wanted"][1][k]), float(queue[k])
    return f"The longest queue is at lane {name}: {demand:.3g} agents per step want it, {waits:.3g} wait."


def _simulate(game: City) -> tuple[ndarray, list[dict[str, Any]]]:
    """Return demand, queues and mean bids ``[metric step lane]``, and the steps of the example agents."""
    from rivalry.economies import kernels
    from rivalry.economies.learning.city_drivers import policy_of_all

    city, kernel = game.world(), kernels.city
    agents = game.examples()
    agents = agents[agents >= 0]
    drivers = kernel.fresh(city, np.random.SeedSequence(0))
    policy = kernels.city_learning.policy_rows(city, policy_of_all(city, "uniform"))
    kernel.play(city, drivers, policy, kernel.no_tallies(), WARM_UP)
    levels = np.arange(city.most + 1)
    frames = np.full((len(METRICS), STEPS, len(city.capacity)), np.nan)
    traces: list[dict[str, list[Any]]] = [{"lane": [], "bid": [], "karma": []} for _ in agents]
    for step in range(STEPS):
        trip, place = drivers.trip.copy(), drivers.spot.copy()
        karma = drivers.karma.copy()
        tallied = kernel.tallies(city, each=False)
        kernel.play(city, drivers, policy, tallied, 1)
        demand = tallied.wanted.astype(float)
        refusals = (tallied.wanted - tallied.admitted).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            bid = tallied.bids @ levels[: tallied.bids.shape[1]] / tallied.wanted
        frames[:, step] = demand, refusals, np.round(bid, DIGITS)
        for entry, agent in zip(traces, agents.tolist(), strict=True):
            entry["lane"].append(_lane(city, agent, int(trip[agent]), int(place[agent])))
            entry["bid"].append(int(tallied.bids_on[agent].sum()) if tallied.asked[agent] else None)
            entry["karma"].append(int(karma[agent]))
    return frames, traces


def _lane(city: Any, agent: int, trip: int, place: int) -> int | None:
    """Return the lane that an agent asks for at a place of a trip; None at junctions and without a trip."""
    slot = trip // city.stakes.shape[1]
    if slot >= city.journeys.shape[1] or place < 0:
        return None
    return int(city.lane[city.journeys[agent, slot], place])
