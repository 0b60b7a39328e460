"""Tables of road traffic: flows and tolls of links, departures through a bottleneck, and totals."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.results.reader import Reader
from rivalry.results.table import PRINTED, UNKNOWN, Estimate, Table
from rivalry.text.display import interval_in_words

LANES = {"slow lane": "slow_arrivals", "fast lane": "fast_arrivals"}
LEVELS = {"delay": "delay", "delay, fast lane": "fast_delay", "toll, fast lane": "toll"}
TOTALS = (
    *("total_cost", "total_cost_bound", "equilibrium_cost", "social_cost", "social_cost_bound"),
    *("equilibrium_social_cost", "queue_cost", "optimal_cost", "optimal_cost_bound", "revenue"),
    *("relative_gap", "logit_distance", "price_of_anarchy"),
)


def links(reader: Reader) -> Table:
    """Return flow, cost and marginal toll of every link; of many, print has the largest flows."""
    names, flow = reader.required("link_name", "flow")
    kinds, of_kinds = reader.array("user_class_name"), reader.array("user_class_flow")
    columns = {"link": names, "flow": flow}
    if kinds is not None and of_kinds is not None:
        columns |= {f"flow, {kind}": row for kind, row in zip(kinds, of_kinds, strict=True)}
    order = np.flatnonzero(np.isfinite(flow))  # without padding
    if len(order) > PRINTED and not reader.numbers:
        order = order[np.argsort(-flow[order], kind="stable")]
    further = {
        "cost": reader.array("cost"),
        "marginal toll": reader.array("marginal_toll"),
        "volume / capacity": reader.array("volume_capacity"),
    }
    shows = ("flow", "cost", "marginal_toll", "volume_capacity", "user_class_flow")
    rows = reader.rows({**columns, **further}, order.tolist())
    return Table(rows, "links", "flows of links", shows, beside=True)


def departures(reader: Reader) -> Table:
    """Return arrivals per unit of time, delays and tolls, from the first to the last slot with arrivals."""
    (time,), names = reader.required("slot_time"), reader.array("class_name")
    first, last, width = _rush(reader)
    columns: dict[str, ndarray] = {"time": time}
    for name_of_lane, name in LANES.items():
        arrivals = np.atleast_2d(reader.required(name)[0])
        for k in np.flatnonzero(np.nansum(arrivals, axis=1) > 0):
            owner = f", {names[k]}" if names is not None and len(names) > 1 else ""
            columns[f"arrivals per unit of time, {name_of_lane}{owner}"] = arrivals[k] / width
    for label, name in LEVELS.items():
        level = reader.array(name)
        if level is not None and np.nanmax(level) > 0:
            columns[label] = level
    rows = reader.rows(columns, range(first, last + 1))
    shows = (*LANES.values(), *LEVELS.values(), "slot_time")
    title = "departures through the bottleneck, by the middles of slots"
    return Table(rows, "slots", title, shows, main=len(rows) - 1, path=True, beside=True)


def totals(reader: Reader) -> Table:
    """Return total costs, what is proved of them, the length of a rush, and what the tolls bring."""
    is_optimum, is_rush = (reader.array(name) is not None for name in ("marginal_toll", "slow_arrivals"))
    # travellers at the optimum pay no tolls: their gap says nothing of it
    rows = reader.quantities(name for name in TOTALS if not (is_optimum and name == "relative_gap"))
    if is_optimum and reader.array("price_of_anarchy") is None:
        rows += _bounded_price(reader)
    if is_rush:
        (time,), (first, last, width) = reader.required("slot_time"), _rush(reader)
        begin, end = time[first] - width / 2, time[last] + width / 2
        ends = {"rush begins": begin, "rush ends": end, "length of the rush": end - begin}
        rows += [{"quantity": Estimate(name), "value": reader.number(at)} for name, at in ends.items()]
    remark = "price of anarchy: not computed; SystemOptimum computes it"
    remarks = (remark,) * (not is_optimum and not is_rush)
    return Table(rows, "quantities", "totals", TOTALS, beside=True, remarks=remarks)


def _bounded_price(reader: Reader) -> list[dict[str, Estimate]]:
    """Return a row with bounds on the price of anarchy, where the optimum is proved less closely."""
    names = ("equilibrium_cost", "total_cost", "total_cost_bound")
    arrays = (reader.array(name) for name in names)
    equilibrium, cost, excess = (UNKNOWN if array is None else float(array) for array in arrays)
    if not cost > excess:
        return []
    low, high = equilibrium / cost, equilibrium / (cost - excess)
    price = Estimate(interval_in_words(np.array([low, high])), (low + high) / 2, low, high)
    return [{"quantity": Estimate(reader.names.quantity("price_of_anarchy")), "value": price}]


def _rush(reader: Reader) -> tuple[int, int, float]:
    """Return the numbers of the first and the last slot with arrivals, and the width of a slot."""
    slow, fast, time = reader.required(*LANES.values(), "slot_time")
    filled = np.flatnonzero(np.nansum(np.atleast_2d(slow) + np.atleast_2d(fast), axis=0) > 0)
    return int(filled[0]), int(filled[-1]), float(time[1] - time[0])
