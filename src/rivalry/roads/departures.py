"""Equilibrium of travellers who choose when to pass a bottleneck, and whether in its fast lane."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from rivalry.core.method import OneStepLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Certificate, Record, indexed, scalar
from rivalry.core.tolerances import FEASIBLE, ROUNDING, TOLERANCE
from rivalry.core.welfare import welfare_record
from rivalry.roads.bottleneck import STEP_TOLL, BottleneckGame

APART = 1e-10  # size of the perturbation of constants by which a path decides among equal ratios
GOLDEN = 0.618  # its multiples modulo 1 differ
SMALL = 1e-9  # entries of a tableau's column that count as 0
DIGITS = 12  # decimals to which costs of classes are compared
PIVOTS = 20  # at most, per variable


class DepartureTimeEquilibrium(OneStepLearner):
    """Times and lanes at which travellers pass a bottleneck, where none would gain by another.

    A lane delays or charges, but for a step toll, only where arrivals fill its capacity, and every class
    arrives only where its cost is least: a linear complementarity problem, solved by Lemke's method.

    The certificate states the largest gain of a traveller of each class by another slot or lane. Karma is
    valued at its worth in equilibrium, so that no policy whose karma suffices gains more. Gains are compared
    with what congestion costs the class: its least cost less that of an empty road.

    The record holds ``slow_arrivals`` and ``fast_arrivals`` (class, slot), the ``delay`` of the slow lane,
    the ``fast_delay`` that a step toll leaves and the ``toll`` (slot), in money or in parts of a day's karma,
    ``slot_time``, the ``revenue`` in money, ``class_cost`` (class) less an equal share of it,
    ``benchmark_cost`` (benchmark, class), ``gini`` and ``worst_decile``; ``total_cost`` without payments,
    ``queue_cost``, its part in the queue, and ``travel_cost``, its mean. ``optimal_cost`` is the total cost
    under a toll on all; in continuous time it is lower by at most ``optimal_cost_bound``.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.bottleneck(4.0, capacity=1.0, value_of_time=2.0, early=1.0, late=1.0, slots=4)
    >>> data = rv.solve(game, rv.methods.DepartureTimeEquilibrium()).data
    >>> data.delay.values.round(9).tolist(), round(float(data.total_cost), 9)
    ([0.0, 0.0, 0.5, 0.5, 0.0, 0.0], 6.0)

    References
    ----------
    C. E. Lemke, Bimatrix equilibrium points and mathematical programming, Management Science 11 (1965).
    """

    needs: ClassVar[tuple[Need, ...]] = (Need("a bottleneck", lambda game: isinstance(game, BottleneckGame)),)

    def result(self, world: BottleneckGame) -> Session:
        """Arrivals and prices under the policy, under none, and under a toll on all."""
        solved = [departures(game) for game in _policies(world)]
        arrivals, price = zip(*solved, strict=True)
        return {"arrivals": np.stack(arrivals), "price": np.stack(price)}

    def read(self, world: BottleneckGame, session: Session) -> Record:
        if "price" not in session or np.isnan(session["price"]).any():
            return {"status": scalar("not found" if "price" in session else "iteration limit")}
        rules = zip(_policies(world), session["arrivals"], session["price"], strict=True)
        flows, unpriced, optimum = (BottleneckFlows(*rule) for rule in rules)
        size, payment = world.travellers.sum(), flows.mean_payment
        is_karma = world.payment == "karma"
        benchmarks = {
            "no policy": unpriced.class_cost,
            "optimal toll": optimum.class_cost,
            "toll without refund": optimum.class_cost + optimum.mean_payment,
        }
        names = np.array(world.kind_names)
        kinds = np.repeat(np.arange(len(names)), flows.arrivals[0].size)
        record = welfare_record(flows.costs.ravel(), flows.arrivals.ravel(), kinds, names, benchmarks)
        total_cost, optimal_cost = (rule.class_cost @ world.travellers for rule in (flows, optimum))
        numbers = {
            "total_cost": total_cost,
            "travel_cost": total_cost / size,
            "queue_cost": np.sum(flows.arrivals * flows.waiting),
            "revenue": 0.0 if is_karma else payment * size,
            "optimal_cost": optimal_cost,
            "optimal_cost_bound": max(optimal_cost - _cost_bound(world, optimum.lowest), 0.0),
        }
        record |= {name: scalar(number) for name, number in numbers.items()}
        record |= flows.certificate().record()
        edges = world.edges()
        return record | {
            "status": scalar("converged"),
            **indexed(
                "class", "slot", slow_arrivals=flows.arrivals[:, 0], fast_arrivals=flows.arrivals[:, 1]
            ),
            **indexed(
                "slot",
                delay=flows.delay[0],
                fast_delay=flows.delay[1],
                toll=flows.toll / (payment if is_karma and payment else 1.0),
                slot_time=(edges[1:] + edges[:-1]) / 2,
            ),
            "desired_arrival": (("class",), world.arrival),
            **indexed("player", payoff=-flows.class_cost, player_name=names),
        }


class BottleneckFlows(NamedTuple):
    """Arrivals ``[kind lane slot]`` at a bottleneck, prices ``[lane slot]`` of its lanes, and all costs.

    The price of a lane with a queue is its delay. A payment is in money; where it is karma, in the money that
    it is worth at a wealth of 1.
    """

    game: BottleneckGame
    arrivals: ndarray
    price: ndarray

    @property
    def delay(self) -> Float[ndarray, "lane slot"]:
        """Delays, 0 in a fast lane without a queue."""
        return self.price * [[1.0], [self.game.payment == STEP_TOLL]]

    @property
    def toll(self) -> Float[ndarray, "slot"]:
        """Payments in the fast lane."""
        return self.game.slot_tolls() if self.game.payment == STEP_TOLL else self.price[1]

    @property
    def waiting(self) -> Float[ndarray, "kind lane slot"]:
        """Costs of delays."""
        return self.game.value_of_time[:, None, None] * self.delay

    @property
    def offered(self) -> Float[ndarray, "kind lane slot"]:
        """Costs of all choices, infinite of a lane without capacity."""
        is_open = self.game.lane_shares() > 0
        costs = self.game.option_costs() + self.game.lane_weights()[:, :, None] * self.price
        return np.where(is_open[:, None], costs, np.inf)

    @property
    def lowest(self) -> Float[ndarray, "kind"]:
        """Lowest costs of the classes, before any refund."""
        return np.min(self.offered, axis=(1, 2))

    @property
    def mean_payment(self) -> float:
        """Mean payment of all travellers."""
        return float(np.sum(self.arrivals[:, 1] * self.toll) / self.game.travellers.sum())

    @property
    def costs(self) -> Float[ndarray, "kind lane slot"]:
        """Costs in money, less an equal share of the revenue."""
        costs = self.game.slot_costs()[:, None] + self.waiting
        if self.game.payment == "karma":
            return costs
        return costs + self.toll * [[0.0], [1.0]] - self.mean_payment

    @property
    def class_cost(self) -> Float[ndarray, "kind"]:
        """Mean costs of the classes."""
        return np.sum(self.arrivals * self.costs, axis=(1, 2)) / self.game.travellers

    def certificate(self) -> Certificate:
        """Largest gains of a traveller of each class."""
        excess = self.offered - self.lowest[:, None, None]
        gains = np.max(excess, axis=(1, 2), initial=0.0, where=self.arrivals > 0)
        schedule = self.game.slot_costs()
        at_stake = self.lowest - schedule.min(axis=1)
        return Certificate(
            gains,
            gains,
            "tight",
            "all slots and lanes at these delays and tolls",
            TOLERANCE * at_stake + ROUNDING * schedule.max(),
            at_stake,
            "floating point",
            payoff=-self.class_cost,
        )


def _policies(game: BottleneckGame) -> list[BottleneckGame]:
    """The game, and those without policy and with a toll on all, in the same slots."""
    return [game, replace(game, fast_share=0.0), replace(game, fast_share=1.0, payment="money")]


def _cost_bound(game: BottleneckGame, lowest: Float[ndarray, "kind"]) -> float:
    """Lower bound on the total cost of arrivals in continuous time, from costs with tolls, by duality."""
    # between these times all costs are linear, so that trapezoids are not below a convex function
    time = np.union1d(game.edges(), game.arrival)
    surplus = np.maximum(lowest[:, None] - game.schedule_costs(time), 0.0).max(axis=0)
    return float(game.travellers @ lowest - game.capacity * np.trapezoid(surplus, time))


def departures(game: BottleneckGame) -> tuple[Float[ndarray, "kind lane slot"], Float[ndarray, "lane slot"]]:
    """Return arrivals and prices of the equilibrium; NaN where Lemke's method finds none.

    An option is a slot of a lane that has capacity. Classes whose costs and weights of prices are
    proportional rank all options alike: `_equilibrium` takes such a group as one class, and each class gets
    its part of the group's arrivals.
    """
    cost, weight, shares = game.option_costs(), game.lane_weights(), game.lane_shares()
    is_open = shares > 0
    slots = cost.shape[2]
    options = slots * is_open.sum()
    # a price in units of `scale` weighs as much as a cost
    scale = weight.max(axis=0) / cost.max()
    rows = np.hstack([cost[:, is_open].reshape(-1, options), (weight / scale)[:, is_open]])
    # proportional rows become equal, and no weight is below 1, which Lemke's method needs
    rows /= rows[:, options:].min(axis=1, keepdims=True)
    _, first, group = np.unique(rows.round(DIGITS), axis=0, return_index=True, return_inverse=True)
    group = group.ravel()  # NumPy 2.0 has a further dimension
    mass = np.bincount(group, game.travellers / game.travellers.sum())
    costs, weights = rows[first, :options], np.repeat(rows[first, options:], slots, axis=1)
    capacity = np.repeat(shares[is_open] / game.slots, slots)
    open_arrivals, open_prices = _equilibrium(costs, weights, capacity, mass)
    arrivals, price = np.zeros((len(mass), 2, slots)), np.zeros((2, slots))
    arrivals[:, is_open] = open_arrivals.reshape(len(mass), -1, slots)
    price[is_open] = open_prices.reshape(-1, slots)
    return arrivals[group] * (game.travellers / mass[group])[:, None, None], price / scale[:, None]


def _equilibrium(cost: ndarray, weight: ndarray, capacity: ndarray, mass: ndarray) -> tuple[ndarray, ndarray]:
    """Return arrivals ``x [kind option]`` and prices ``p [option]`` in equilibrium; NaN if none is found.

    ``cost`` and ``weight`` are ``[kind option]``, ``capacity`` is ``[option]`` and ``mass`` ``[kind]``. With
    the least costs ``u [kind]`` it is a linear complementarity problem, one side of each line being 0:

    - ``x[k, o] >= 0`` and ``cost[k, o] + weight[k, o] p[o] >= u[k]``: arrivals are at least cost;
    - ``p[o] >= 0`` and ``capacity[o] >= sum over k of x[k, o]``: a price needs a full option;
    - ``u[k] >= 0`` and ``sum over o of x[k, o] >= mass[k]``: all arrive.

    The matrix of the problem is copositive where no weight is below 1: with all variables in one vector z,
    ``z' matrix z`` is the sum of ``(weight - 1) x p``.
    """
    kinds, options = cost.shape
    kind, option = np.divmod(np.arange(cost.size), options)
    arrival, price, lowest = np.arange(cost.size), cost.size + option, cost.size + options + kind
    size = cost.size + options + kinds
    matrix = np.zeros((size, size))
    matrix[arrival, price], matrix[arrival, lowest] = weight.ravel(), -1.0
    matrix[price, arrival], matrix[lowest, arrival] = -1.0, 1.0
    solution = _lemke(matrix, np.concatenate([cost.ravel(), capacity, -mass]))
    return solution[: cost.size].reshape(cost.shape), solution[cost.size : -kinds]


def _lemke(matrix: ndarray, constant: ndarray) -> ndarray:
    """Return ``z >= 0`` with ``w = matrix z + constant >= 0`` and ``z'w = 0``; NaN where none is found.

    The columns of the tableau are w, z and an artificial variable, which begins the path and ends it.
    """
    size = len(constant)
    artificial = 2 * size
    equations = np.hstack([np.eye(size), -matrix])
    # unlike constants leave no ties between ratios, and a little less mass leaves room in the last slot
    perturbed = constant + APART * (1 + np.arange(size) * GOLDEN % 1)
    table = np.hstack([equations, -np.ones((size, 1)), perturbed[:, None]])
    basis, entering, row = np.arange(size), artificial, int(np.argmin(perturbed))
    for _ in range(PIVOTS * size):
        _pivot(table, row, entering)
        leaving, basis[row] = int(basis[row]), entering
        if leaving == artificial:
            solution = np.zeros(2 * size)
            solution[basis] = np.linalg.solve(equations[:, basis], constant)
            return np.where(solution.min() >= -FEASIBLE, np.maximum(solution[size:], 0.0), np.nan)
        # of a variable of w and its complement in z one is 0 on all of the path
        entering = (leaving + size) % (2 * size)
        column = table[:, entering]
        ratio = np.full(size, np.inf)
        np.divide(table[:, -1], column, out=ratio, where=column > SMALL)
        row = int(np.argmin(ratio))
        if np.isinf(ratio[row]):
            break
    return np.full(size, np.nan)


def _pivot(table: ndarray, row: int, column: int) -> None:
    """Change rows of a tableau in place, so that ``column`` becomes the unit vector of ``row``."""
    table[row] /= table[row, column]
    rows, columns = np.flatnonzero(table[:, column]), np.flatnonzero(table[row])
    rows = rows[rows != row]
    table[np.ix_(rows, columns)] -= np.outer(table[rows, column], table[row, columns])
