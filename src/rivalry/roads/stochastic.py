"""Stochastic user equilibrium: travellers choose among all simple routes by logit probabilities."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from rivalry.core.method import OneStepLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.roads.assignment import ROADS, ROUTES, arrays_of, assignment_record, link_flows
from rivalry.roads.model import RouteGame
from rivalry.roads.simple_routes import simple_routes

CLOSE = 1e-14  # relative change of flows that ends the search
NEAR = 1e-10  # part of all trips by which flows may differ from those of logit choice at their costs


class StochasticUserEquilibrium(OneStepLearner):
    """Stochastic user equilibrium of a road network: logit choice among all routes that repeat no node.

    Of the trips of a pair the part ``exp(-theta c_r) / sum_k exp(-theta c_k)`` takes route ``r``, at the
    costs that all trips together cause, to the class of the pair where there are several. The equilibrium is
    unique (Fisk 1980). An elastic demand is that at the *satisfaction* of the pair, ``-log(sum_k exp(-theta
    c_k)) / theta``, in place of a cost, and at a cost of 0 where that is negative.

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

    needs: ClassVar[tuple[Need, ...]] = (ROADS,)

    def concepts(self) -> tuple[str, ...]:
        return ("logit equilibrium",)

    def result(self, world: RouteGame) -> Session:
        """Flows of routes, by Powell's hybrid method on those of links."""
        from scipy.optimize import root

        links, ends, pair = simple_routes(world)
        elastic = np.flatnonzero(world.outside >= 0)
        links = np.append(links, world.outside[elastic].astype(links.dtype))
        ends = np.append(ends, ends[-1] + 1 + np.arange(len(elastic)))
        pair = np.append(pair, elastic)
        routes = dict(zip(ROUTES, (links, ends, pair, np.zeros(0)), strict=True))
        unit = world.trips.sum()
        start = self._loading(world, routes, np.zeros(len(world.tail))) / unit
        solution = root(lambda x: x - self._loading(world, routes, x * unit) / unit, start, tol=CLOSE)
        self._loading(world, routes, solution.x * unit)
        return routes

    def read(self, world: RouteGame, session: Session) -> Record:
        if "flow" not in session:
            return {"status": scalar("iteration limit")}
        record = assignment_record(world, session)
        flow = link_flows(world, session["links"], session["ends"], session["flow"])
        trips = world.trips.sum()
        distance = np.abs(self._loading(world, dict(session), flow) - flow).max()
        return record | {
            "status": scalar("converged" if distance <= NEAR * trips else "not found"),
            "logit_distance": scalar(distance),
            "concept": scalar(self.concepts()[0]),
            "concept_residual": scalar(distance / trips),
        }

    def _loading(self, game: RouteGame, routes: Session, flow: np.ndarray) -> np.ndarray:
        """Flows of links by logit choice at the costs of flows; those of the routes are stored."""
        links, ends, pair, _ = arrays_of(routes)
        is_trip = game.is_road()[links[ends[:-1]]]
        utility = -self.theta * game.route_costs(links, ends, pair, game.costs(np.maximum(flow, 0.0)))
        utility[~is_trip] = -np.inf
        top = np.full(len(game.trips), -np.inf)
        np.maximum.at(top, pair, utility)
        weight = np.exp(utility - top[pair])
        total = np.bincount(pair, weight)
        trips_made = game.trips - _unmade_trips(game, -(top + np.log(total)) / self.theta)
        routes["flow"] = np.where(
            is_trip, (trips_made / total)[pair] * weight, (game.trips - trips_made)[pair]
        )
        return link_flows(game, links, ends, routes["flow"])


def _unmade_trips(game: RouteGame, cost: np.ndarray) -> np.ndarray:
    """Trips of each pair that are worth no more than its cost; 0 of a demand that is not elastic."""
    from scipy.optimize import brentq

    from rivalry.roads.kernels.formulas import formula_cost

    unmade, programs = np.zeros(len(cost)), game.kernel_costs()[3]

    def surplus(trips: float, pair: int) -> float:
        return float(formula_cost(game.outside[pair], trips, programs)[0] - cost[pair])

    for pair in np.flatnonzero(game.outside >= 0).tolist():
        most = game.trips[pair]
        if surplus(most, pair) <= 0:
            unmade[pair] = most
        elif surplus(0.0, pair) < 0:
            unmade[pair] = brentq(surplus, 0.0, most, (pair,), xtol=1e-15 * most)
    return unmade
