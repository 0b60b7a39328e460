"""What a city tells of itself with every result: its streets on a map, free flow, and classes of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rivalry.core.game import Record
from rivalry.economies.city.classes import CLASSES

if TYPE_CHECKING:
    from rivalry.economies.city.city import City

KINDS = ("core", "entry", "exit")
RULE = "lucky, average, unlucky: none, one or all of an agent's paths lead through the centre"
PLANNED = ", whatever way is chosen; the first way is drawn"
EXAMPLES = (
    "of the lucky who has the least load in free flow on its paths, of the unlucky who has the most, of the "
    "average whose paths differ most"
)


def told(city: City) -> Record:
    """Arrays by ``lane``, ``node``, ``agent`` and ``example``, and the rules they were chosen by.

    ``city_journeys`` is how many different journeys there are to draw from: paths, where nobody plans.
    ``lane_ends`` (lane, end, coordinate) and ``node_at`` (node, coordinate) are positions on a map;
    ``lane_free_flow`` how many agents would want a lane if nobody were ever refused, ``.._expected`` before
    journeys are drawn; ``agent_class`` an index into ``class_name``; ``example_lanes`` (example, path,
    position) lanes of the examples' paths, -1 beyond their ends, ``example_places`` (example, path, place)
    the lane wanted at each place of the journey, -1 where there is none.
    """
    network, examples = city.network, city.examples()
    present, flow = np.flatnonzero(examples >= 0), city.free_flow()
    chosen = examples[present]
    planned = PLANNED if city.planning != "none" else ""
    return {
        "city_lanes": ((), np.asarray(len(network.lanes))),
        "city_journeys": ((), np.asarray(len(city.journeys.begins))),
        "lane_name": (("lane",), np.array(network.lane_names)),
        "lane_ends": (("lane", "end", "coordinate"), np.asarray(network.at[network.lanes], dtype=float)),
        "lane_kind": (("lane",), np.array(KINDS)[network.kinds]),
        "lane_capacity": (("lane",), city.capacity),
        "lane_toll": (("lane",), city.toll),
        "lane_subsidy": (("lane",), city.subsidy),
        "lane_free_flow": (("lane",), flow.wanting),
        "lane_free_flow_expected": (("lane",), city.expected.wanting),
        "free_flow_dormant": ((), np.asarray(flow.dormant)),
        "lane_centre": (("lane",), city.centre),
        "node_name": (("node",), np.array(network.nodes)),
        "node_at": (("node", "coordinate"), np.asarray(network.at, dtype=float)),
        "agent_class": (("agent",), city.classes()),
        "agent_centre": (("agent",), city.through_centre().sum(axis=1)),
        "agent_coalition": (("agent",), city.coalition),
        "class_name": (("class",), np.array(CLASSES)),
        "class_rule": ((), np.asarray(f"{RULE}{planned}; {city.centre_rule}")),
        "example_agent": (("example",), chosen),
        "example_name": (("example",), np.array(CLASSES)[present]),
        "example_rule": ((), np.asarray(EXAMPLES)),
        "example_lanes": (("example", "path", "position"), _ways(city, chosen)),
        "example_places": (("example", "path", "place"), city.journeys.lane[city.slots[chosen]]),
    }


def _ways(city: City, agents: np.ndarray) -> np.ndarray:
    """The lanes of agents' journeys, ``[agent slot position]``; at junctions the first option is taken."""
    journeys = city.journeys
    found = np.full((*city.slots[agents].shape, journeys.lane.shape[1]), -1)
    for where in np.ndindex(found.shape[:2]):
        journey = city.slots[agents[where[0]], where[1]]
        spot = int(journeys.begins[journey])
        for position in range(found.shape[2]):
            if spot < -1:
                spot = int(journeys.options[journey, -2 - spot, 0])
            if spot == -1:
                break
            found[(*where, position)] = journeys.lane[journey, spot]
            spot = int(journeys.after[journey, spot])
    return found
