"""Road networks with flow-dependent costs: what a link costs, and what all travellers pay."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from rivalry.core.dispatch import at_home
from rivalry.core.tree import Tree, static
from rivalry.text.display import count_text

PerLink = Float[ndarray, "link"]


class RouteGame(Tree):
    """Travellers of a continuum choose routes between their origin and destination.

    The cost of a link is ``constant + sum over terms of coefficient * flow ** power``, and the value of its
    formula, in one unit for time, tolls and distance. Nodes are numbers; ``node_names`` has their names.
    """

    tail: Int[ndarray, "link"]
    head: Int[ndarray, "link"]
    constant: PerLink
    coefficient: Float[ndarray, "term link"]
    power: Float[ndarray, "term link"]  # above 0
    codes: Int[ndarray, "operation"]  # of the formulas of all links
    numbers: Float[ndarray, "operation"]
    begins: Int[ndarray, "begin"]  # of the formula of each link, and the end
    is_marginal: Bool[ndarray, "link"]  # whether formulas include marginal tolls
    bridges: Float[ndarray, "bridge end link"]  # flows between which these are those at the first end
    origin: Int[ndarray, "pair"]
    destination: Int[ndarray, "pair"]
    trips: Float[ndarray, "pair"]  # where demand is elastic: at a cost of 0
    kind: Int[ndarray, "pair"]  # class of users, ascending
    toll: PerLink  # that is paid: in the unit of cost, of which it is a part, or of classes in its own
    surcharge: Float[ndarray, "kind link"]  # tolls by the value of time of each class
    outside: Int[ndarray, "pair"]  # link of trips that are not made, at the cost they would be worth; or -1
    capacity: PerLink  # NaN where costs have none
    node_at: Float[ndarray, "node 2"]  # positions; NaN where they are not known
    is_closed: Bool[ndarray, "node"]  # zones that no route leads through
    within_zones: float  # trips that begin and end in one zone: they use no link
    node_names: tuple[str, ...] = static()
    unread: tuple[str, ...] = static()  # columns that enter no cost
    notes: tuple[tuple[str, str], ...] = static()  # what was taken from a file or assumed, by title
    kind_names: tuple[str, ...] = static()  # one, empty, without classes

    def _title_and_parameters(self) -> tuple[str, dict[str, Any]]:
        size = f"{count_text(len(self.node_names), 'node')} and {count_text(len(self.tail), 'link')}"
        parameters: dict[str, Any] = {"pairs": len(self.trips), "trips": float(self.trips.sum())}
        if self.within_zones:
            parameters["trips within zones"] = self.within_zones
        return f"Road network of {size}", parameters

    def text_notes(self) -> dict[str, str]:
        unread = {"columns not used": ", ".join(self.unread)} if self.unread else {}
        return dict(self.notes) | unread

    def is_road(self) -> Bool[ndarray, "link"]:
        """Whether each link is a road, and not the trips of a pair that are not made."""
        return ~np.isin(np.arange(len(self.tail)), self.outside)

    def largest_flows(self) -> PerLink:
        """The most that links may carry: all trips, or those of the pair that are not made."""
        most = np.full(len(self.tail), self.trips.sum())
        is_elastic = self.outside >= 0
        most[self.outside[is_elastic]] = self.trips[is_elastic]
        return most

    def costs(self, flow: PerLink) -> PerLink:
        """Costs of the links at their flows.

        >>> import rivalry as rv
        >>> rv.games.routes("pigou").costs(np.array([0.5, 0.5])).tolist()
        [1.0, 0.5]
        """
        rising: ndarray = (self.coefficient * flow**self.power).sum(axis=0)
        return self.constant + rising + self._formulas(flow)[0]

    def kernel_costs(self) -> tuple[Any, ...]:
        """Costs as compiled loops take them."""
        programs = self.codes, self.numbers, self.begins, self.is_marginal, self.bridges
        return self.constant, self.coefficient, self.power, programs if len(self.codes) else None

    def _formulas(self, flow: ndarray) -> tuple[Any, Any]:
        """Values of formulas and their slopes; 0 without formulas, of which nothing is compiled."""
        if not len(self.codes):
            return 0.0, 0.0
        from rivalry.roads.kernels.formulas import formula_costs

        return formula_costs(flow, self.kernel_costs()[3])

    def marginal_tolls(self, flow: PerLink) -> PerLink:
        """Costs that one more traveller on each road imposes on the others: flow times slope of the cost."""
        powers: ndarray = (self.power * self.coefficient * flow**self.power).sum(axis=0)
        # a slope may be infinite where nobody travels
        is_used = self.is_road() & (flow > 0)
        return powers + np.where(is_used, flow, 0.0) * np.where(is_used, self._formulas(flow)[1], 0.0)

    def potential(self, flow: PerLink) -> float:
        """Beckmann's objective: the sum of the integrals of costs from 0 to the flows."""
        areas: ndarray = (self.coefficient * flow ** (self.power + 1) / (self.power + 1)).sum(axis=0)
        total = float(np.sum(self.constant * flow + areas))
        for link in np.flatnonzero(np.diff(self.begins)):
            from scipy.integrate import quad

            from rivalry.roads.kernels.formulas import formula_cost

            programs = self.kernel_costs()[3]
            total += quad(lambda x: formula_cost(link, x, programs)[0], 0.0, flow[link])[0]  # noqa: B023
        return total

    def with_marginal_costs(self, bridges: Float[ndarray, "bridge end link"]) -> RouteGame:
        """The game of travellers who also pay marginal tolls; its user equilibrium is the system optimum.

        Between the ends of a bridge total costs are those of the line that joins them. Trips that are not
        made cost what they would be worth, as before.
        """
        coefficient = self.coefficient * (1 + self.power)
        return replace(self, coefficient=coefficient, is_marginal=self.is_road(), bridges=bridges)

    def link_names(self) -> ndarray:
        """Names ``tail>head`` of the links; further links between the same nodes are numbered."""
        counts, labels = Counter[str](), list[str]()
        for tail, head in zip(self.tail, self.head, strict=True):
            name = f"{self.node_names[tail]}>{self.node_names[head]}"
            counts[name] += 1
            labels.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
        return np.array(labels)

    def pair_names(self) -> ndarray:
        """Names ``origin>destination`` of the pairs, and of their classes where there are several."""
        names, kinds = self.node_names, self.kind_names
        rows = zip(self.origin, self.destination, self.kind, strict=True)
        return np.array([f"{names[a]}>{names[b]} {kinds[k]}".rstrip() for a, b, k in rows])

    def route_costs(
        self,
        links: Int[ndarray, "step"],
        ends: Int[ndarray, "end"],
        pair: Int[ndarray, "route"],
        cost: PerLink,
    ) -> Float[ndarray, "route"]:
        """Costs of routes to their users, at costs of links without tolls of classes."""
        route = np.repeat(np.arange(len(pair)), np.diff(ends))
        costs = cost[links] + self.surcharge[self.kind[pair[route]], links]
        return np.bincount(route, costs, len(pair)).astype(float)


at_home(RouteGame, "rivalry.roads.flows")
