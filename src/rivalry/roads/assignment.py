"""User equilibrium and system optimum of road networks, with the gap of the flows that are returned."""

from __future__ import annotations

from operator import itemgetter
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Lt
from numpy import ndarray

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Certificate, Record, indexed, scalar
from rivalry.core.tolerances import ROUNDING, TOLERANCE
from rivalry.core.welfare import welfare_record
from rivalry.roads.convexity import bridges, dual_loss, rises
from rivalry.roads.model import RouteGame
from rivalry.roads.paths import cheapest_routes

ROADS = Need("a road network", lambda game: isinstance(game, RouteGame))
ROUTES = ("links", "ends", "pair", "flow")  # arrays of a session that describe routes
arrays_of = itemgetter(*ROUTES)
SWEEPS = 100  # at most, over the pairs between two searches for cheaper routes
LOCAL_ROUNDS = 100  # at most, from the optimum of convex envelopes to one of total costs
NEGLIGIBLE = 0.3  # part of the excess cost of the first sweep that ends them


def no_routes() -> Session:
    """Return the session of an assignment before its first round."""
    return {
        "links": np.zeros(0, dtype=np.int32),  # of all routes, one after the other
        "ends": np.array([0]),  # where each route begins in ``links``, and the last ends
        "pair": np.zeros(0, dtype=int),  # [route] ascending
        "flow": np.zeros(0),  # [route]
        "gap": np.full(1, np.inf),  # at the last search for cheaper routes
        "gaps": np.zeros(0),  # at all of them, [round]
    }


class UserEquilibrium(BaseLearner):
    """User equilibrium of a road network: no traveller has a cheaper route.

    Every round finds the cheapest route of each origin-destination pair, adds it to the routes of the pair,
    and lets travellers of one pair after the other move from dearer routes to the cheapest one until both
    cost the same (gradient projection on route flows; Jayakrishnan et al. 1994). No move raises Beckmann's
    potential. It ends at a relative gap of ``gap``.

    Gaps are of the flows that are returned, at their own costs, with new cheapest routes. With the costs of
    routes ``c`` and the least cost ``u`` of each pair, ``relative_gap`` is ``sum(flow * (c - u)) / sum(flow *
    c)``; ``average_excess_cost`` is the numerator per trip, in the unit of cost. The potential exceeds its
    minimum by at most the numerator, ``potential_bound``, which is NaN where formulas are not proved to rise.
    The certificate states the largest gain of any traveller, ``max(c - u)`` over routes in use, beside what
    congestion costs the traveller who suffers most by it: the least cost less that of empty roads.

    Trips that an elastic demand leaves unmade count as those of one more route, whose cost is what the next
    of them is worth: excess and gap include them.

    The record holds ``flow`` and ``cost`` (link), ``least_cost`` and ``trips`` (pair), ``route_flow`` and
    ``route_cost`` (route), ``class_cost`` (class: pair), the Gini index ``gini`` of travellers' costs and the
    mean ``worst_decile`` of the dearest tenth of trips, the numbers above, ``total_cost``, ``travel_cost``
    (its mean per trip) and ``potential``; ``cost_without_tolls``, which is what travel costs all where tolls
    are spent for them, and their ``revenue``, in the unit of cost or, of classes, of tolls;
    ``volume_capacity`` (link) where links have capacities, ``user_class_flow`` (class, link) where there are
    several classes, and ``relative_gap_curve`` (sample) after each
    round.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.routes("braess"), rv.methods.UserEquilibrium())
    >>> solution.claim, round(float(solution.data.travel_cost), 9)
    ('equilibrium', 80.0)

    References
    ----------
    R. Jayakrishnan, W. Tsai, J. Prashker and S. Rajadhyaksha, A faster path-based algorithm for traffic
    assignment, Transportation Research Record 1443 (1994).
    """

    gap: Annotated[float, Gt(0), Lt(1), "relative gap at which it ends"] = 1e-10

    needs: ClassVar[tuple[Need, ...]] = (ROADS,)

    def length(self, world: RouteGame) -> int:
        """Return the largest number of rounds."""
        return 1_000

    def begin(self, world: RouteGame, stream: np.random.SeedSequence) -> Session:
        return no_routes()

    def advance(self, world: RouteGame, session: Session, steps: int) -> int:
        """Take rounds until the gap is small enough."""
        for step in range(steps):
            if session["gap"][0] <= self.gap:
                return step
            take_round(world, session, self.gap)
        return steps

    def read(self, world: RouteGame, session: Session) -> Record:
        status = "converged" if session["gap"][0] <= self.gap else "iteration limit"
        record: Record = {"status": scalar(status)}
        if not len(session["flow"]):
            return record
        gaps = session.get("optimal_gaps", session["gaps"])
        rounds = np.arange(1, len(gaps) + 1)
        record |= indexed("sample", relative_gap_curve=gaps, gap_round=rounds)
        return record | assignment_record(world, session)


class SystemOptimum(UserEquilibrium):
    """Flows of a road network with the lowest total cost, and the tolls under which they are an equilibrium.

    Where demand is elastic they have the lowest ``social_cost``, the total cost and what the trips that are
    not made would be worth: the benefit of users less total cost is largest. It exceeds the lowest by at most
    ``social_cost_bound``; ``equilibrium_social_cost`` is that of the user equilibrium.

    Tolls of the game count as costs in all of these, as they do for travellers. Of several classes the total
    cost is in units of cost, in which an hour counts as much for all: each pays ``marginal_toll`` at its own
    value of time. Total cost in money, where an hour of some counts for more, is not convex where costs rise,
    so that a lowest one could not be certified: it is not offered.

    They are the user equilibrium where every link also costs ``marginal_toll``, its flow times the slope of
    its cost, and are computed as such. ``total_cost`` exceeds the lowest one by at most ``total_cost_bound``.
    From there the user equilibrium without tolls is computed too: ``equilibrium_cost`` is its total cost,
    ``price_of_anarchy`` the ratio of both. The certificate is of travellers at the optimum who pay no toll:
    as a rule they would gain by another route.

    Where the total cost of a link is not convex, as where its cost saturates, flows are the cheapest of some:
    optimal for the convex envelopes of total costs, a local optimum found from there, and the equilibrium.
    The bound is that of the envelopes: it holds, but may be large beside what a search of all flows leaves.
    ``price_of_anarchy`` is NaN where the bound is above a millionth of the total cost: then the ratio is at
    least ``equilibrium_cost / total_cost``, and at most that with the bound taken off.

    Of a pair, ``class_cost`` is the cost with tolls, less an equal share of their revenue; ``benchmark_cost``
    (benchmark, class) has its cost at the user equilibrium, and with tolls that nobody gets back. Travel
    costs of pairs are not compared: who takes which route at the optimum is not unique.

    The record is that of `UserEquilibrium`, with these numbers and ``marginal_toll`` (link); its
    ``relative_gap_curve`` is of travellers who pay the tolls.

    Examples
    --------
    >>> import rivalry as rv
    >>> data = rv.solve(rv.games.routes("pigou"), rv.methods.SystemOptimum()).data
    >>> float(data.total_cost), data.marginal_toll.values.round(9).tolist()
    (0.75, [0.0, 0.5])
    >>> round(float(data.price_of_anarchy), 9)
    1.333333333
    """

    def begin(self, world: RouteGame, stream: np.random.SeedSequence) -> Session:
        return no_routes() | {"bridges": bridges(world)}

    def advance(self, world: RouteGame, session: Session, steps: int) -> int:
        """Take rounds with marginal tolls, then rounds without."""
        step = 0
        if "optimal_flow" not in session:
            step = super().advance(world.with_marginal_costs(session["bridges"]), session, steps)
            if step == steps:
                return step
            session["lower_bound"] = np.array(lower_bound(world, session))
            session |= {f"optimal_{name}": session[name] for name in (*ROUTES, "gaps")}
            if session["bridges"].size:
                self._leave_bridges(world, session)
            session["gap"] = np.full(1, np.inf)
        return step + super().advance(world, session, steps - step)

    def _leave_bridges(self, world: RouteGame, session: Session) -> None:
        """Go on from the optimum of convex envelopes at marginal costs proper; keep the cheapest routes."""
        marginal = world.with_marginal_costs(session["bridges"][:0])
        lowest = social_cost(world, session)
        session["gap"] = np.full(1, np.inf)
        for _ in range(LOCAL_ROUNDS):
            take_round(marginal, session, self.gap)
            if session["gap"][0] <= self.gap:
                break
            if (cost := social_cost(world, session)) < lowest:
                lowest = cost
                session |= {f"optimal_{name}": session[name] for name in ROUTES}

    def read(self, world: RouteGame, session: Session) -> Record:
        record = super().read(world, session)
        if "optimal_flow" not in session:
            return record | {"status": scalar("iteration limit")}
        equilibrium = record
        candidate = {name: session[f"optimal_{name}"] for name in ROUTES}
        # where total costs are not convex the equilibrium may be the cheapest that is found
        optimal = min((candidate, session), key=lambda routes: social_cost(world, routes))
        bound = np.maximum(social_cost(world, optimal) - session["lower_bound"], 0.0)
        links, ends, _, route_flow = arrays_of(optimal)
        record = record | assignment_record(world, optimal)
        flow = link_flows(world, links, ends, route_flow)
        tolls, is_road = world.marginal_tolls(flow), world.is_road()
        paid = cheapest_routes(world, world.costs(flow) + tolls)[0]
        record["marginal_toll"] = ("link",), tolls[is_road]
        if not is_road.all():
            return record | indexed(
                social_cost=social_cost(world, optimal),
                social_cost_bound=bound,
                equilibrium_social_cost=social_cost(world, session),
            )
        refunded = paid - flow @ tolls / world.trips.sum()
        benchmarks = {"user equilibrium": equilibrium["class_cost"][1], "tolls without refund": paid}
        pairs = np.arange(len(paid))
        record |= welfare_record(refunded, world.trips, pairs, world.pair_names(), benchmarks)
        equilibrium_cost, total_cost = equilibrium["total_cost"][1], record["total_cost"][1]
        is_optimal = bound <= TOLERANCE * total_cost
        return record | indexed(
            total_cost_bound=bound,
            equilibrium_cost=equilibrium_cost,
            price_of_anarchy=equilibrium_cost / total_cost if is_optimal else np.nan,
        )


def lower_bound(game: RouteGame, session: Session) -> float:
    """Return a lower bound on social cost, from routes for convex envelopes; NaN if it is not proved.

    By weak duality: at prices of links, all flows cost at least what all trips pay on cheapest routes, and
    the least cost of each link less what its flow pays. These routes pay more than the first by ``excess``,
    and their flows cost more than the second by at most `dual_loss`. That needs trips whose worth does not
    rise with the number that are made.
    """
    links, ends, pair, route_flow = arrays_of(session)
    flow = link_flows(game, links, ends, route_flow)
    if not rises(game, ~game.is_road()):
        return np.nan
    prices = game.with_marginal_costs(session["bridges"]).costs(flow)
    paid = game.route_costs(links, ends, pair, prices)
    excess = max(route_flow @ (paid - cheapest_routes(game, prices)[0][pair]), 0.0)
    return social_cost(game, session) - (excess + dual_loss(game, prices, flow))


def social_cost(game: RouteGame, routes: Session) -> float:
    """Total cost of routes, and what the trips that are not made would be worth."""
    links, ends, pair, route_flow = arrays_of(routes)
    flow, is_road = link_flows(game, links, ends, route_flow), game.is_road()
    cost = np.where(is_road, game.costs(flow), 0.0)
    worth = game.potential(np.where(is_road, 0.0, flow))
    return float(route_flow @ game.route_costs(links, ends, pair, cost) + worth)


def take_round(game: RouteGame, session: Session, target: float) -> None:
    """Add the cheapest routes and, at a gap above the target, move travellers to them.

    A pair gets its cheapest route if that is cheaper than all it has; its first takes all its trips. Routes
    without travellers are left out.
    """
    from rivalry.roads import kernels

    links, ends, pair, flow = arrays_of(session)
    total = link_flows(game, links, ends, flow)
    link_cost = game.costs(total)
    best, new_links, new_ends = cheapest_routes(game, link_cost)
    paid = game.route_costs(links, ends, pair, link_cost)
    spent = flow @ paid
    if len(flow):
        session["gap"][0] = max(1.0 - game.trips @ best / spent, 0.0) if spent else 0.0
        session["gaps"] = np.append(session["gaps"], session["gap"])
    lowest = np.full(len(best), np.inf)
    np.minimum.at(lowest, pair, paid)

    is_member = np.concatenate([flow > 0, best < lowest])
    numbers = np.arange(len(best))
    flow = np.append(flow, np.where(np.isin(numbers, pair), 0.0, game.trips))
    pair = np.append(pair, numbers)
    # routes of one pair stand beside each other
    order = np.flatnonzero(is_member)[np.argsort(pair[is_member], kind="stable")]
    links, ends = np.append(links, new_links), np.append(ends, ends[-1] + new_ends[1:])
    links, ends = kernels.select_routes(links, ends, order)
    pair, flow = pair[order], flow[order]
    if session["gap"][0] > target:
        _move_travellers(game, links, ends, pair, flow)
    session |= dict(zip(ROUTES, (links, ends, pair, flow), strict=True))


def link_flows(game: RouteGame, links: ndarray, ends: ndarray, flow: ndarray) -> ndarray:
    """Flows of the links from those of the routes."""
    # without routes the sums would be whole numbers
    return np.bincount(links, np.repeat(flow, np.diff(ends)), len(game.tail)).astype(float)


def _move_travellers(game: RouteGame, links: ndarray, ends: ndarray, pair: ndarray, flow: ndarray) -> None:
    """Move travellers to the cheapest known routes of their pairs, several times over all pairs, in place."""
    from rivalry.roads import kernels

    routes_of = np.searchsorted(pair, np.arange(len(game.trips) + 1))
    first = 0.0
    for number in range(SWEEPS):
        # anew from the routes, so that rounding errors of many moves do not add up
        total = link_flows(game, links, ends, flow)
        excess = kernels.sweep(
            routes_of, links, ends, flow, total, game.kernel_costs(), game.kind, game.surcharge
        )
        first = first if number else excess
        if excess <= NEGLIGIBLE * first:
            break
    # rounding leaves parts of a traveller on routes that all have left
    flow[flow <= ROUNDING * game.trips[pair]] = 0.0
    flow *= (game.trips / np.bincount(pair, flow, len(game.trips)))[pair]


def assignment_record(game: RouteGame, routes: Session) -> Record:
    """Flows, costs and gaps of routes, with the certificate of travellers who choose among all routes."""
    links, ends, pair, route_flow = arrays_of(routes)
    flow = link_flows(game, links, ends, route_flow)
    cost = game.costs(flow)
    route_cost = game.route_costs(links, ends, pair, cost)
    cheapest = cheapest_routes(game, cost)[0]
    excess = np.maximum(route_cost - cheapest[pair], 0.0)
    is_road, is_trip = game.is_road(), game.is_road()[links[ends[:-1]]]
    total_excess, paid = route_flow @ excess, route_flow @ route_cost
    total_cost, tolls = route_flow[is_trip] @ route_cost[is_trip], paid - flow @ cost
    pair_trips = np.bincount(pair[is_trip], route_flow[is_trip], len(game.trips))
    trips = pair_trips.sum()
    numbers = {
        "relative_gap": total_excess / paid if paid else 0.0,
        "average_excess_cost": total_excess / game.trips.sum(),
        "total_cost": total_cost,
        "travel_cost": total_cost / trips if trips else 0.0,
        "revenue": flow @ game.toll,
        "cost_without_tolls": total_cost - (tolls if len(game.kind_names) > 1 else flow @ game.toll),
        "potential": game.potential(flow) + tolls,
        "potential_bound": total_excess if rises(game, np.ones_like(is_road)) else np.nan,
    }
    record: Record = {name: scalar(number) for name, number in numbers.items()}
    record |= {
        **indexed("link", flow=flow[is_road], cost=cost[is_road], link_name=game.link_names()[is_road]),
        "link_node": (("link", "end"), np.stack([game.tail, game.head], axis=1)[is_road]),
        "node_name": (("node",), np.array(game.node_names)),
        **indexed("pair", trips=pair_trips, least_cost=cheapest, pair_name=game.pair_names()),
        **indexed(
            "route", route_pair=pair[is_trip], route_flow=route_flow[is_trip], route_cost=route_cost[is_trip]
        ),
        **indexed(
            "player", payoff=np.array([-paid / game.trips.sum()]), player_name=np.array(["travellers"])
        ),
    }
    if len(game.kind_names) > 1:
        of_kinds = [game.kind[pair] == kind for kind in range(len(game.kind_names))]
        flows = [link_flows(game, links, ends, route_flow * is_of_kind) for is_of_kind in of_kinds]
        record["user_class_flow"] = ("user_class", "link"), np.array(flows)[:, is_road]
        record["user_class_name"] = ("user_class",), np.array(game.kind_names)
    if np.isfinite(game.capacity).any():
        record["volume_capacity"] = ("link",), (flow / game.capacity)[is_road]
    if np.isfinite(game.node_at).all():
        record["node_at"] = ("node", "coordinate"), game.node_at
    record |= welfare_record(route_cost[is_trip], route_flow[is_trip], pair[is_trip], game.pair_names())
    gain = np.max(excess[route_flow > 0], initial=0.0)
    return record | judged(game, cheapest, gain, paid / game.trips.sum(), TOLERANCE, "Nash").record()


def judged(
    game: RouteGame, cheapest: ndarray, gain: float, paid: float, tolerance: float, concept: str
) -> Certificate:
    """Certificate of a gain; own choice changes what congestion costs the traveller who suffers most."""
    free = np.where(game.is_road(), game.costs(np.zeros(len(game.tail))), np.inf)
    empty = cheapest_routes(game, free)[0]
    at_stake = np.max(cheapest - empty, initial=0.0, keepdims=True)
    gains = np.array([gain])
    return Certificate(
        gains,
        gains,
        "tight",
        "cheapest routes at the costs of these flows",
        tolerance * at_stake + ROUNDING * cheapest.max(),
        at_stake,
        "floating point",
        concept=concept,
        payoff=np.array([-paid]),
    )
