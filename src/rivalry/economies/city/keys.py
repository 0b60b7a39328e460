"""Keys of congested cities by group, as annotated fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt
from numpy import ndarray

from rivalry.schema.annotations import AcceptedInterval

NotNegative = Annotated[float, Ge(0)]
Chance = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class TripKeys:
    """The network, how many agents travel on it, and along which paths."""

    network: Annotated[
        str | dict[str, Any],
        "stubs_RxC (a grid with a stub beyond every outer side), plain_RxC, a table of nodes, lanes and "
        "terminals, or {kind = 'file', path}: .json, .tntp, .csv, .graphml, a folder of GMNS",
    ] = "stubs_4x4"
    exclude_same_node: Annotated[bool, "exclude trips between stubs at the same core node"] = True
    agents: Annotated[
        int | None, Ge(1), Le(10_000_000), "number of agents (default: the number of routes, or 1000)"
    ] = None
    paths_per_agent: Annotated[
        int | None, Ge(1), Le(1_000), "paths per agent (default: as in routes, or 2)"
    ] = None
    allocation: Annotated[int, Ge(0), "seed of the random allocation of paths to agents"] = 0
    routes: Annotated[
        list[list[list[str]]] | None, "paths of each agent, as nodes, in place of a random allocation"
    ] = None
    demand: Annotated[
        Any,
        "trips by pair, in any unit, {'a>b' = 100}, or a file .tntp, .csv: agents' trips are drawn in these "
        "proportions, then a shortest path of the pair (default: uniformly from all shortest paths); or a "
        "list of as many as paths per agent, such as the hours of a day",
    ] = None
    planning: Annotated[
        Literal["none", "start", "nodes", "k_shortest"],
        "when an agent chooses among shortest paths: never, at the start of a trip, or at each node; "
        "k_shortest: at the start, among the shortest of all paths",
    ] = "none"
    alternatives: Annotated[
        int | None,
        Ge(1),
        Le(10_000),
        "number of paths to choose from: with planning = k_shortest, of each pair; with start the largest "
        "number, sampled per agent",
    ] = None


@dataclass(frozen=True)
class TravellerKeys:
    """Keys of a city: costs of refusals, times of travel, types of agents."""

    urgencies: Annotated[
        list[NotNegative] | ndarray,
        AcceptedInterval(),
        "costs of a refused step; constant during a trip",
    ] = field(default_factory=lambda: [1.0, 5.0])
    urgency_distribution: Annotated[list[Chance] | None, "probability of each urgency (default: uniform)"] = (
        None
    )
    p_dormant: Annotated[
        float,
        Ge(0),
        Lt(1),
        AcceptedInterval("coalition subsidy toll"),
        "probability that a dormant step follows, and no trip",
    ] = 0.1
    trip_distribution: Annotated[
        list[list[Chance]] | list[Chance] | ndarray | None,
        "transition matrix of trips, or one distribution; trips are ordered by path, then "
        "urgency, dormancy last (default: from p_dormant, uniform paths and urgency_distribution)",
    ] = None
    gamma: Annotated[float, Ge(0), Lt(1), AcceptedInterval(), "discount factor per step"] = 0.98
    types: Annotated[
        list[dict[str, Any]] | None,
        "tables of name, share or count, urgencies, urgency_distribution, p_dormant, "
        "trip_distribution, gamma",
    ] = None


@dataclass(frozen=True)
class HoldingKeys:
    """Karma that agents hold."""

    max_karma: Annotated[int, Ge(1), Le(2_000), "largest karma that an agent can hold"] = 14
    # no interval: times the agents it must be a whole number
    mean_karma: Annotated[float, Ge(0), "mean karma per agent"] = 9.0
    initial_karma: Annotated[
        list[int] | ndarray | None, "initial karma of each agent (default: mean_karma)"
    ] = None


@dataclass(frozen=True)
class LaneKeys:
    """Keys of a city: capacities of lanes, and payments of admitted agents."""

    capacity: Annotated[
        int | list[int] | dict[str, Any] | str | None,
        "agents that a lane admits per step: a number, one per lane, a table by lanes "
        "from>to, kinds (core, entry, exit) and others, or unlimited (default: 0.75 "
        "agents / lanes, rounded down)",
    ] = None
    payment: Annotated[
        Literal["PBS", "PBP", "uniform_highest_refused", "uniform_lowest_admitted"],
        "payment on admission, to society: the own bid, or a uniform price, the highest "
        "refused or the lowest admitted bid; PBP is for pairs and refused",
    ] = "PBS"
    charge_uncontended: Annotated[bool, "whether agents also pay on lanes with demand within capacity"] = True
    exclude_dormant: Annotated[bool, "whether dormant agents are excluded from redistribution"] = False
    toll: Annotated[
        NotNegative | list[NotNegative] | dict[str, Any],
        AcceptedInterval(),
        "karma paid on admission in addition to the bid: a number, one per lane, a table "
        "by lanes, or {kind = 'load', slope, from}: slope times the excess of free-flow "
        "load / capacity over from",
    ] = 0.0
    subsidy: Annotated[
        NotNegative | list[NotNegative] | dict[str, Any],
        AcceptedInterval(),
        "karma for each agent that requests the lane, while the surplus lasts; a value as for toll",
    ] = 0.0
    local: Annotated[
        float,
        Ge(0),
        Le(1),
        AcceptedInterval(),
        "share of a lane's payments that is paid to the agents that request it",
    ] = 0.0
    tie: Annotated[Literal["coin", "lowest_index"], "rule among equal bids"] = "coin"


@dataclass(frozen=True)
class CoalitionKeys:
    """Agents that collude, and what they share."""

    coalition: Annotated[
        int | dict[str, Any],
        "number of colluding agents, the first ones, or {agents, from}: from lucky, "
        "average, unlucky or random",
    ] = 0
    transfer: Annotated[
        Literal["independent", "none", "even", "urgent"],
        "what members share: nothing (for comparison), their mean reward, and also karma, "
        "in equal parts or to the more urgent first",
    ] = "none"
