"""Answers to the cases of the congested city, which stand in the reference files of karma economies."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import rivalry as rv
from rivalry.economies.city.networks import CORE, Network
from rivalry.economies.city.shortest_paths import shortest

Inputs = Mapping[str, Any]

JOINED = 1e-6  # values of lanes nearer than this are one


def city(inputs: Inputs, **more: Any) -> Any:
    """The city of a case."""
    given: dict[str, Any] = {
        "network": inputs["graph"],
        "agents": inputs["agents"],
        "paths_per_agent": inputs["paths_per_agent"],
        "p_dormant": inputs["p_dormant"],
        "capacity": "unlimited" if inputs["capacity"] is None else inputs["capacity"],
    }
    return rv.games.city(**(given | more))


def counts(network: Network, exclude_same_node: bool = True) -> dict[str, Any]:
    """The numbers of lanes by kind and of paths, by length and between different sides."""
    paths = shortest(network, exclude_same_node)
    lengths, number = np.unique(paths.lengths, return_counts=True)
    first, last = network.side[paths.ends].T
    return {
        "lanes": len(network.lanes),
        "core_lanes": int((network.kinds == CORE).sum()),
        "stub_lanes": int((network.kinds != CORE).sum()),
        "paths": len(paths.lanes),
        "max_length": int(lengths.max()),
        "paths_by_length": dict(zip(lengths.tolist(), number.tolist(), strict=True)),
        "mean_length": float(paths.lengths.mean()),
        "paths_between_different_sides": int((first != last).sum()),
    }


def _graph(inputs: Inputs) -> dict[str, Any]:
    game = rv.games.city(network=inputs["graph"], exclude_same_node=inputs["exclude_same_core_node"])
    found = counts(game.network, inputs["exclude_same_core_node"])
    found["paths_by_length"] = {str(length): count for length, count in found["paths_by_length"].items()}
    return found | {"paths_without_exclusion": counts(game.network, exclude_same_node=False)["paths"]}


def _pairs(values: np.ndarray) -> list[list[float]]:
    """Ascending pairs: a value, and how many lanes have it."""
    ordered = np.sort(values)
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > JOINED) + 1)
    return [[float(group.mean()), len(group)] for group in groups]


def _occupancy(inputs: Inputs) -> dict[str, Any]:
    game = city(inputs)
    flow, network = game.expected, game.network
    corners = np.flatnonzero(np.bincount(network.home[network.origins], minlength=len(network.nodes)) > 1)
    entry = network.kinds == 1
    at_corner = np.isin(network.lanes[:, 1], corners)
    paths = shortest(network).lanes
    through = np.bincount(paths[paths >= 0], minlength=len(network.lanes))
    found = {
        "dormant": flow.dormant,
        "total_on_lanes": float(flow.wanting.sum()),
        "core_lane_values": _pairs(flow.wanting[network.kinds == CORE]),
        "paths_through_lane": _pairs(through.astype(float)),
    }
    if entry.any():
        found["entry_at_corner"] = float(flow.wanting[entry & at_corner].mean())
        found["entry_elsewhere"] = float(flow.wanting[entry & ~at_corner].mean())
    return found


def _plain(found: Any) -> dict[str, Any]:
    return {name: np.asarray(array) for name, (_, array) in found.record.items()}


def _told(record: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        *("efficiency", "access_fairness", "access_fairness_with_dormant", "reward_fairness"),
        *("efficiency_per_competition", "largest_mean_queue", "trips_per_step"),
    )
    found = {name: float(record[name]) for name in names}
    return found | {"admitted_moves_per_agent_step": float(record["admitted_moves"])}


def _baseline(inputs: Inputs) -> dict[str, Any]:
    words = {"COIN": "coin", "DICT": "stake", "TURN": "turn"}
    game = city(inputs, urgencies=inputs["urgencies"], tie=inputs["tie"])
    method = rv.methods.CitySimulation(
        plays=words[inputs["mechanism"]], evaluation=inputs["steps"], warm_up=inputs["warm_up"]
    )
    return _told(_plain(rv.solve(game, method)))


def _learning(inputs: Inputs) -> dict[str, Any]:
    how = inputs["learning"]
    game = city(
        inputs,
        urgencies=inputs["urgencies"],
        tie=inputs["tie"],
        max_karma=inputs["kmax"],
        mean_karma=float(inputs["mean_karma"]),
        initial_karma=[inputs["initial_karma"]] * inputs["agents"],
        payment=inputs["payment"],
        exclude_dormant=inputs["exclude_dormant"],
        charge_uncontended=inputs["charge_uncontended"],
        gamma=inputs["discount"],
    )
    assert how["algorithm"] == "decentralised"
    method = rv.methods.CityQLearning(
        target={"sarsa": "on_policy"}[how["update"]],
        step_size=how["alpha"],
        exploration=how["eps"],
        beta=how["beta"],
        epoch=how["epoch"],
        initial_q=how["Q0"],
        update_probability=how["p_update"],
        training=inputs["training_steps"],
        evaluation=inputs["evaluation_steps"],
        evaluation_warm_up=inputs["evaluation_warm_up"],
        monitor_every=0,
        exploit=False,
    )
    return _told(_plain(rv.solve(game, method)))


KINDS = {
    "city_graph": _graph,
    "city_occupancy": _occupancy,
    "city_baseline": _baseline,
    "city_learning": _learning,
}
