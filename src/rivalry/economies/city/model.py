"""Congested city: agents that travel through a network and bid karma for admission to its lanes.

Source: Vaishampayan (ETH Zurich 2024), section 6.2.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from rivalry.core.oracles import at_home
from rivalry.core.results import Record, indexed
from rivalry.core.tree import static
from rivalry.economies.city.classes import CLASSES, centre_of, classes_of, examples_of, unavoidable
from rivalry.economies.city.free_flow import FreeFlow, of_agents
from rivalry.economies.city.journeys import Journeys
from rivalry.economies.city.networks import KINDS, Network
from rivalry.economies.karma.agents import cumulative
from rivalry.economies.kernels import shapes
from rivalry.runtime.jax import floats
from rivalry.text.display import Description, OneLineRepr, count_text

INDEPENDENT = -1
"""Transfer rule of a coalition whose members are only marked, as a control, and act independently."""


KERNEL_FIELDS = (
    *("type_of", "stakes", "karma", "most", "capacity", "price", "uncontended", "toll", "subsidy"),
    *("dormant_share", "tie"),
)
"""Fields that kernels take as they are, under the same name (`economies.kernels.shapes.CityArrays`)."""
RULE = "lucky, average, unlucky: none, one or all of an agent's paths lead through the centre"
PLANNED = ", whatever way is chosen; the first way is drawn"
EXAMPLES = (
    "of the lucky who has the least load in free flow on its paths, of the unlucky who has the most, of the "
    "average whose paths differ most"
)


class City(OneLineRepr, eqx.Module):
    """Finitely many agents with repeated trips that bid for admission to the lanes of their paths.

    An agent has a journey in each of its slots. A trip is a slot and an urgency, or dormancy
    (`economies.kernels.shapes.CityArrays`). The state of an agent is (trip, position on the trip, karma).

    >>> import rivalry as rv
    >>> city = rv.games.city()
    >>> city.slots.shape, int(city.capacity[0]), city.world().stakes.tolist()
    ((1000, 2), 9, [[1.0, 5.0]])
    """

    network: Network
    journeys: Journeys
    slots: Int[ndarray, "agent slot"]  # journeys
    ends: Int[ndarray, "agent slot 2"]  # origin and destination, nodes
    type_of: Int[ndarray, "agent"]
    stakes: Float[ndarray, "type urgency"]  # cost of being refused, per step
    trip_chain: Float[ndarray, "type trip trip"]  # transition probabilities from a trip to the next
    first: Float[ndarray, "type trip"]  # stationary distribution of trips, also of the first one
    gamma: Float[ndarray, "type"]  # discount factors
    karma: Int[ndarray, "agent"]  # at the start
    capacity: Int[ndarray, "lane"]
    expected: FreeFlow  # free flow expected before journeys are drawn
    toll: Float[ndarray, "lane"]
    subsidy: Float[ndarray, "lane"]
    coalition: Int[ndarray, "agent"]  # 1: member
    local: float
    mean_karma: float
    most: int = static()
    price: int = static()
    uncontended: int = static()
    dormant_share: int = static()
    tie: int = static()
    transfer: int = static()
    sizes: tuple[int, ...] = static()  # number of urgencies per type
    type_names: tuple[str, ...] = static()
    planning: str = static()

    def _title_and_parameters(self) -> Description:
        types = count_text(len(self.type_names), "type") + f" ({', '.join(self.type_names)})"
        lanes = f"{len(self.network.nodes)} nodes and {count_text(len(self.capacity), 'lane')}"
        numbers: dict[str, Any] = {"urgencies": np.asarray(self.stakes).ravel(), "gamma": self.gamma}
        numbers |= {"mean_karma": self.mean_karma, "max_karma": self.most, "capacity": self.capacity}
        return f"City of {count_text(self.agents, 'agent')}, {types}, {lanes}", numbers

    def text_notes(self) -> dict[str, str]:
        unread = self.network.unread
        return dict(self.network.notes) | ({"columns not used": ", ".join(unread)} if unread else {})

    @property
    def agents(self) -> int:
        return len(self.slots)

    def world(self) -> shapes.CityArrays:
        """Return the city as arrays for the kernels; every array is a copy."""
        parts: dict[str, Any] = {name: getattr(self, name) for name in KERNEL_FIELDS}
        parts |= self.journeys._asdict() | {
            "trip_chain": cumulative(self.trip_chain),
            "first": cumulative(self.first),
            "discount": self.gamma,
            "journeys": self.slots,
            "local": float(self.local),
            "award": shapes.BIDS,
            "coalition": self.coalition * (self.transfer != INDEPENDENT),
            "transfer": max(self.transfer, shapes.NO_TRANSFER),
        }
        return shapes.CityArrays(**{name: _copy(part) for name, part in parts.items()})

    def free_flow(self) -> FreeFlow:
        """Return the free flow of these agents' journeys, with uniform choices at junctions.

        The free flow expected before journeys are drawn is ``expected``.
        """
        return of_agents(self.journeys, self.slots, self.type_of, self.first, len(self.capacity))

    @property
    def centre(self) -> Bool[ndarray, "lane"]:
        """True where a lane is in the crowded centre, by the rule ``centre_rule``."""
        return centre_of(self.network, self.expected.wanting, self.capacity)[0]

    @property
    def centre_rule(self) -> str:
        return centre_of(self.network, self.expected.wanting, self.capacity)[1]

    def through_centre(self) -> Bool[ndarray, "agent slot"]:
        """Mask of journeys that lead through the centre for all choices at junctions."""
        return unavoidable(self.journeys, self.centre)[self.slots]

    def classes(self) -> Int[ndarray, "agent"]:
        """Return 0, 1, 2 where no, some, all journeys lead through the centre (lucky, average, unlucky)."""
        return classes_of(self.through_centre())

    def examples(self) -> Int[ndarray, "class"]:
        """Return a lucky, an average and an unlucky agent (`classes.examples_of`); -1 for an empty class."""
        return examples_of(self.journeys, self.slots, self.classes(), self.expected.wanting)

    def static_metrics(self) -> Record:
        """Return the values stored with every result.

        These are arrays by ``lane``, ``node``, ``agent`` and ``example``, and the rules of classes and
        examples. ``city_journeys`` is the number of different journeys (paths, without planning).
        ``lane_ends`` (lane, end, coordinate) and ``node_at`` (node, coordinate) are positions on a map;
        ``lane_free_flow`` is the mean number of agents that want a lane if none is ever refused, and
        ``.._expected`` its expectation before journeys are drawn; ``lanes_over_capacity`` (kind) and
        ``largest_free_flow`` (kind) are the number of lanes where the latter exceeds the capacity, and its
        largest value, for core, entry and exit lanes; ``agent_class`` is an index into
        ``class_name``, of types where there are several; ``example_lanes`` (example, path, position) are the
        lanes of the examples' paths, -1 beyond their ends; ``example_places`` (example, path, place) is the
        lane wanted at each position of the journey, -1 for padding.
        """
        network, examples = self.network, self.examples()
        present, flow = np.flatnonzero(examples >= 0), self.free_flow()
        agents_present = examples[present]
        full, largest = self.expected.wanting > self.capacity, np.full(len(KINDS), np.nan)
        np.fmax.at(largest, network.kinds, self.expected.wanting)
        over = np.bincount(network.kinds[full], minlength=len(KINDS))
        planned = PLANNED if self.planning != "none" else ""
        kinds, names, rule = self.classes(), CLASSES, f"{RULE}{planned}; {self.centre_rule}"
        if len(self.type_names) > 1:
            kinds, names, rule = self.type_of, self.type_names, "types of agents"
        return {
            **indexed(
                city_lanes=len(network.lanes),
                city_journeys=len(self.journeys.begins),
                free_flow_dormant=flow.dormant,
                class_rule=rule,
                example_rule=EXAMPLES,
            ),
            **indexed(
                "lane",
                lane_name=np.array(network.lane_names),
                lane_kind=np.array(KINDS)[network.kinds],
                lane_capacity=self.capacity,
                lane_toll=self.toll,
                lane_subsidy=self.subsidy,
                lane_free_flow=flow.wanting,
                lane_free_flow_expected=self.expected.wanting,
                lane_centre=self.centre,
            ),
            "lane_ends": (("lane", "end", "coordinate"), floats(network.at[network.lanes])),
            **indexed("kind", lanes_over_capacity=over, largest_free_flow=largest),
            "node_name": (("node",), np.array(network.nodes)),
            "node_at": (("node", "coordinate"), floats(network.at)),
            **indexed(
                "agent",
                agent_class=kinds,
                agent_centre=self.through_centre().sum(axis=1),
                agent_coalition=self.coalition,
            ),
            "class_name": (("class",), np.array(names)),
            **indexed("example", example_agent=agents_present, example_name=np.array(CLASSES)[present]),
            "example_lanes": (("example", "path", "position"), _ways(self, agents_present)),
            "example_places": (("example", "path", "place"), self.journeys.lane[self.slots[agents_present]]),
        }


def _ways(city: City, agents: ndarray) -> ndarray:
    """Return the lanes of agents' journeys, ``[agent slot position]``, with the first option at junctions."""
    journeys = city.journeys
    lanes = np.full((*city.slots[agents].shape, journeys.lane.shape[1]), -1)
    for where in np.ndindex(lanes.shape[:2]):
        journey = city.slots[agents[where[0]], where[1]]
        spot = int(journeys.begins[journey])
        for position in range(lanes.shape[2]):
            if spot < -1:
                spot = int(journeys.options[journey, -2 - spot, 0])
            if spot == -1:
                break
            lanes[(*where, position)] = journeys.lane[journey, spot]
            spot = int(journeys.after[journey, spot])
    return lanes


def _copy(part: Any) -> Any:
    if np.ndim(part) == 0:
        return part
    # kernels are compiled for writable C-ordered arrays of two types
    return np.array(part, dtype=np.float64 if part.dtype.kind == "f" else np.int64, order="C")


at_home(City, "rivalry.economies.city.oracles")
