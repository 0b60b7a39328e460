"""A bottleneck that a continuum of travellers passes on the way to work, each at a time of its choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from numpy import ndarray

from rivalry.core.dispatch import at_home
from rivalry.core.tolerances import ROUNDING
from rivalry.core.tree import Tree, static
from rivalry.schema.annotations import Keys, Needs
from rivalry.schema.registry import near
from rivalry.schema.validate import checked, format_value

STEP_TOLL = "step toll"
MOST = 10_000  # slots


class StepToll(TypedDict, total=False):
    """Keys of a toll that is a step function of time."""

    times: Annotated[
        list[float], "times at which the toll changes; it is 0 before the first and after the last"
    ]
    levels: Annotated[list[Annotated[float, Ge(0)]], "tolls between them"]


class BottleneckGame(Tree):
    """Travellers choose when they pass a bottleneck, in a lane with a queue or for a payment."""

    travellers: Float[ndarray, "kind"]
    value_of_time: Float[ndarray, "kind"]  # as the next two, in money per unit of time
    early: Float[ndarray, "kind"]
    late: Float[ndarray, "kind"]
    arrival: Float[ndarray, "kind"]  # desired
    wealth: Float[ndarray, "kind"]  # all costs relative to those of a wealth of 1
    toll_times: Float[ndarray, "edge"]
    toll_levels: Float[ndarray, "step"]
    capacity: float  # of both lanes, travellers per unit of time
    fast_share: float
    slots: int = static()
    payment: str = static()
    kind_names: tuple[str, ...] = static()

    def _title_and_parameters(self) -> tuple[str, dict[str, Any]]:
        parameters = {"capacity": self.capacity, "fast_share": self.fast_share, "payment": self.payment}
        return f"Bottleneck of {self.travellers.sum():g} travellers", parameters

    def lane_shares(self) -> Float[ndarray, "lane"]:
        """Parts of capacity of the slow and the fast lane."""
        return np.array([1.0 - self.fast_share, self.fast_share])

    def lane_weights(self) -> Float[ndarray, "kind lane"]:
        """Costs of a unit of delay or payment in the slow and the fast lane."""
        of_payment = {"money": np.ones_like(self.wealth), "karma": self.wealth, STEP_TOLL: self.value_of_time}
        return np.stack([self.value_of_time, of_payment[self.payment]], axis=1)

    def edges(self) -> Float[ndarray, "edge"]:
        """Ends of slots, from before the first arrival of any equilibrium to after the last."""
        duration = self.travellers.sum() / self.capacity
        width = duration / self.slots
        rates = self.early + self.late
        # a step toll prolongs the rush by the slots in which it is due, or costs its highest level
        steps = (np.diff(self.toll_times) + 2 * width)[self.toll_levels > 0]
        tolled, highest = steps.sum(), np.max(self.toll_levels, initial=0.0)
        # outside, at no delay, every traveller would rather arrive at the other end of the rush
        longest = duration * self.late + np.minimum(tolled * self.late, highest)
        first = np.min(self.arrival - longest / rates)
        longest = duration * self.early + np.minimum(tolled * self.early, highest)
        last = np.max(self.arrival + longest / rates)
        anchor = np.min(self.arrival)
        # one more at each end, whose price is 0
        begin, end = np.floor((first - anchor) / width) - 1, np.ceil((last - anchor) / width) + 1
        if not end - begin < MOST:
            raise ValueError(f"slots: {end - begin:g} during all arrivals; must be below {MOST}")
        return anchor + width * np.arange(begin, end + 1)

    def schedule_costs(self, time: Float[ndarray, "time"]) -> Float[ndarray, "kind time"]:
        """Costs of arrivals at times other than the desired ones, in money."""
        ahead = self.arrival[:, None] - time
        return np.maximum(self.early[:, None] * ahead, -self.late[:, None] * ahead)

    def slot_costs(self) -> Float[ndarray, "kind slot"]:
        """Mean schedule costs over each slot, of arrivals that are spread evenly over it."""
        edges = self.edges()
        ahead = self.arrival[:, None] - edges
        early = np.maximum(ahead, 0.0) ** 2
        late = np.maximum(-ahead, 0.0) ** 2
        area = np.diff(self.late[:, None] * late - self.early[:, None] * early) / 2
        return area / np.diff(edges)

    def option_costs(self) -> Float[ndarray, "kind lane slot"]:
        """Costs at no delay and no payment but a step toll."""
        return self.slot_costs()[:, None] + [[0.0], [1.0]] * self.slot_tolls()

    def slot_tolls(self) -> Float[ndarray, "slot"]:
        """Mean step toll over each slot."""
        edges = self.edges()
        if self.payment != STEP_TOLL:
            return np.zeros(len(edges) - 1)
        total = np.append(0.0, np.cumsum(self.toll_levels * np.diff(self.toll_times)))
        return np.diff(np.interp(edges, self.toll_times, total)) / np.diff(edges)


at_home(BottleneckGame, "rivalry.roads.queues")


@checked
def bottleneck(
    travellers: Annotated[float, Gt(0), "number of travellers"] = 6000.0,
    *,
    capacity: Annotated[float, Gt(0), "travellers that pass the bottleneck per unit of time"] = 3000.0,
    value_of_time: Annotated[float, Gt(0), "cost of a unit of time in the queue"] = 6.4,
    early: Annotated[float, Gt(0), "cost per unit of time before the desired arrival"] = 3.9,
    late: Annotated[float, Gt(0), "cost per unit of time after the desired arrival"] = 15.21,
    arrival: Annotated[float, "desired time of arrival"] = 9.0,
    classes: Annotated[
        Mapping[str, Any] | None,
        "parts of all travellers, {name = {share, ..}}, with value_of_time, early, late and arrival where "
        "they differ from those of all, and wealth, a factor of all costs in money (default 1)",
    ] = None,
    fast_share: Annotated[float, Ge(0), Le(1), "part of capacity whose users pay and do not queue"] = 0.0,
    payment: Annotated[Literal["money", "karma"], "what users of the fast lane pay"] = "money",
    toll: Annotated[
        dict[str, Any] | None,
        Keys(StepToll),
        Needs("fast_share"),
        "step toll of the fast lane, which then has a queue, {times, levels} (default: none needs a queue)",
    ] = None,
    slots: Annotated[int, Ge(2), Le(200), "slots in which capacity serves all travellers"] = 40,
) -> BottleneckGame:
    """Return a bottleneck that travellers pass in the queue of a slow lane, or for a payment in a fast lane.

    Time is divided into slots. Delays of the slow lane and payments in the fast lane are those at which
    arrivals fill at most the capacity of each slot. With a ``fast_share`` of 0 there is no policy, with 1 a
    toll on all. What is paid is shared equally among all travellers.

    A step ``toll`` is due on leaving the queue of the fast lane. Where it falls, those who pay do not queue
    behind those who wait for the lower toll (Laih 1994); the toll of a slot is its mean.

    Karma only buys the fast lane. A traveller is of each class of its wealth on a part of its days, and pays
    per day what it gets, on average.

    Raises
    ------
    ValueError
        For shares that do not sum to 1, a value of time not above ``early``, different distributions of needs
        by wealth with karma, and a step toll whose times do not rise.

    Examples
    --------
    >>> import rivalry as rv
    >>> rv.solve(rv.games.bottleneck(), rv.methods.DepartureTimeEquilibrium()).claim
    'equilibrium'

    References
    ----------
    W. S. Vickrey, Congestion theory and transport investment, American Economic Review 59 (1969).
    C.-H. Laih, Queueing at a bottleneck with single- and multi-step tolls, Transp. Res. A 28 (1994).
    """
    times = {"value_of_time": value_of_time, "early": early, "late": late, "arrival": arrival}
    usual = {"share": 1.0, **times, "wealth": 1.0}
    rows = {"travellers": {"share": 1.0}} if classes is None else classes
    table = np.array([_row(name, row, usual) for name, row in rows.items()])
    share, waiting, ahead, behind, desired, wealth = table.T
    toll_times, toll_levels = _steps(toll, payment)
    game = BottleneckGame(
        travellers=share * travellers,
        value_of_time=waiting * wealth,
        early=ahead * wealth,
        late=behind * wealth,
        arrival=desired,
        wealth=wealth,
        toll_times=toll_times,
        toll_levels=toll_levels,
        capacity=capacity,
        fast_share=fast_share,
        slots=slots,
        payment=payment if toll is None else STEP_TOLL,
        kind_names=tuple(rows),
    )
    _check(game, table)
    return game


def _steps(toll: Mapping[str, Any] | None, payment: str) -> tuple[ndarray, ndarray]:
    """Times and levels of a step toll, empty without one. Raises `ValueError`."""
    if toll is None:
        return np.array([]), np.array([])
    if payment == "karma":
        raise ValueError("toll: steps are of money; must be left out where karma is paid")
    if toll.keys() != {"times", "levels"}:
        raise ValueError("toll: must have times and levels")
    times, levels = (np.array(toll[key], dtype=float) for key in ("times", "levels"))
    if len(times) != len(levels) + 1:
        raise ValueError(f"toll.times: {len(times)} entries; must be {len(levels) + 1}, one more than levels")
    if not np.isfinite([*times, *levels]).all() or np.any(np.diff(times) <= 0):
        raise ValueError(f"toll: {format_value(toll)} must be finite, and its times rise")
    return times, levels


def _row(name: str, row: Any, usual: Mapping[str, float]) -> list[float]:
    """Numbers of a class. Raises `ValueError`."""
    if not isinstance(row, Mapping) or "share" not in row:
        raise ValueError(f"classes.{name}: must be a table with a share")
    for key, entry in row.items():
        if key not in usual:
            raise ValueError(f"classes.{name}: {key!r} is no key; {near(key, list(usual))}")
        lowest = -np.inf if key == "arrival" else 0.0
        if not (isinstance(entry, float | int) and lowest < entry < np.inf):
            raise ValueError(f"classes.{name}.{key}: {entry!r} must be a number above {lowest:g}")
    return [float(entry) for entry in {**usual, **row}.values()]


def _check(game: BottleneckGame, table: ndarray) -> None:
    """Raise `ValueError` for shares that do not sum to 1, and for costs without an equilibrium.

    With karma also for distributions of needs that differ between classes by wealth.
    """
    if abs(table[:, 0].sum() - 1) > ROUNDING:
        raise ValueError(f"classes: shares sum to {table[:, 0].sum():g}; must sum to 1")
    for name, early, waiting in zip(game.kind_names, game.early, game.value_of_time, strict=True):
        if early >= waiting:
            raise ValueError(f"early: must be below value_of_time of {name!r}, or all would leave at once")
    if game.payment == "money":
        return
    wealth, group = np.unique(table[:, -1], return_inverse=True)
    needs, need = np.unique(table[:, 1:-1], axis=0, return_inverse=True)
    share = np.zeros((len(wealth), len(needs)))
    np.add.at(share, (group, need.ravel()), table[:, 0])
    if np.ptp(share / share.sum(axis=1, keepdims=True), axis=0).max() > ROUNDING:
        raise ValueError(
            "classes: must have the same shares of needs at every wealth where karma is paid, since every "
            "traveller has them all on some days; lasting differences are not computed"
        )
