"""Stochastic user equilibrium: travellers choose among all simple routes by logit probabilities."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.roads.assignment import GIVEN_TRIPS, ROADS, ROUTES, assignment_record, link_flows
from rivalry.roads.model import RouteGame

MOST_ROUTES = 10_000
CLOSE = 1e-14  # relative change of flows that ends the search
NEAR = 1e-10  # part of all trips by which flows may differ from those of logit choice at their costs


class StochasticUserEquilibrium(BaseLearner):
    """Stochastic user equilibrium of a road network: logit choice among all routes that repeat no node.

    Of the trips of a pair the part ``exp(-theta c_r) / sum_k exp(-theta c_k)`` takes route ``r``, at the
    costs that all trips together cause. The equilibrium is unique (Fisk 1980).

    The record is that of `UserEquilibrium`, whose gaps and gains are of travellers who could choose the
    cheapest route. ``logit_distance`` is the largest difference between the flow of a link and its flow by
    logit choice at the costs of the flows, in trips.

    Raises
    ------
    ValueError
        For a network with more than 10,000 routes that repeat no node.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.routes({"from": ["s", "s"], "to": ["t", "t"], "cost": ["x", "x"]}, demand={"s>t": 2})
    >>> rv.solve(game, rv.methods.StochasticUserEquilibrium(theta=1.0)).data.flow.values.round(9).tolist()
    [1.0, 1.0]

    References
    ----------
    C. Fisk, Some developments in equilibrium traffic assignment, Transportation Research Part B 14 (1980).
    """

    theta: Annotated[float, Gt(0), "weight of cost in the choice of a route, per unit of cost"]

    needs: ClassVar[tuple[Need, ...]] = (ROADS, GIVEN_TRIPS)

    def concepts(self) -> tuple[str, ...]:
        return ("logit equilibrium",)

    def length(self, world: RouteGame) -> int:
        """Return 1: all is done in one step."""
        return 1

    def begin(self, world: RouteGame, stream: np.random.SeedSequence) -> Session:
        return {"flow": np.zeros(0)}

    def advance(self, world: RouteGame, session: Session, steps: int) -> int:
        """Find the flows of links by Powell's hybrid method."""
        from scipy.optimize import root

        session |= dict(zip(ROUTES, (*simple_routes(world), np.zeros(0)), strict=True))
        unit = world.trips.sum()
        start = self._loading(world, session, np.zeros(len(world.tail))) / unit
        found = root(
            lambda x: x - self._loading(world, session, np.maximum(x, 0.0) * unit) / unit, start, tol=CLOSE
        )
        self._loading(world, session, np.maximum(found.x, 0.0) * unit)
        return 1

    def read(self, world: RouteGame, session: Session) -> Record:
        if not len(session["flow"]):
            return {"status": scalar("iteration limit")}
        record = assignment_record(world, session)
        flow, trips = record["flow"][1], world.trips.sum()
        distance = np.abs(self._loading(world, dict(session), flow) - flow).max()
        return record | {
            "status": scalar("converged" if distance <= NEAR * trips else "not found"),
            "logit_distance": scalar(distance),
            "concept": scalar(self.concepts()[0]),
            "concept_residual": scalar(distance / trips),
        }

    def _loading(self, game: RouteGame, routes: Session, flow: np.ndarray) -> np.ndarray:
        """Flows of links by logit choice at the costs of flows; those of the routes are stored."""
        links, ends, pair, _ = (routes[name] for name in ROUTES)
        utility = -self.theta * game.route_costs(links, ends, pair, game.costs(flow))
        top = np.full(len(game.trips), -np.inf)
        np.maximum.at(top, pair, utility)
        weight = np.exp(utility - top[pair])
        routes["flow"] = game.trips[pair] * weight / np.bincount(pair, weight)[pair]
        return link_flows(game, links, ends, routes["flow"])


def simple_routes(game: RouteGame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Links, ends and pairs of all routes that repeat no node. Raises `ValueError` for too many."""
    import networkx

    graph = networkx.MultiDiGraph()
    for link, (tail, head) in enumerate(zip(game.tail.tolist(), game.head.tolist(), strict=True)):
        graph.add_edge(tail, head, link)
    routes, pairs = list[list[int]](), list[int]()
    for pair, (origin, destination) in enumerate(zip(game.origin, game.destination, strict=True)):
        room = MOST_ROUTES + 1 - len(routes)
        for path in islice(networkx.all_simple_edge_paths(graph, origin, destination), room):
            if not any(game.is_closed[tail] for tail, _, _ in path[1:]):
                routes.append([link for _, _, link in path])
                pairs.append(pair)
        if len(routes) > MOST_ROUTES:
            raise ValueError(f"links: must have at most {MOST_ROUTES} routes that repeat no node; has more")
    ends = np.append(0, np.cumsum([len(route) for route in routes]))
    return np.concatenate(routes, dtype=np.int32), ends, np.array(pairs)
