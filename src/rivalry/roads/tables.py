"""Tables of road traffic: flows and tolls of links, departures through a bottleneck, and totals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy import ndarray

from rivalry.results.reader import Reader
from rivalry.results.table import PRINTED, UNKNOWN, Estimate, Row, Table
from rivalry.text.display import bound_in_words, interval_in_words

OF_LINKS = {
    "flow": "flow",
    "cost": "cost",
    "marginal_toll": "marginal toll",
    "volume_capacity": "volume / capacity",
}
LANES = {"slow lane": "slow_arrivals", "fast lane": "fast_arrivals"}
LEVELS = {"delay": "delay", "delay, fast lane": "fast_delay", "toll, fast lane": "toll"}
TOTALS = (
    *("queue_cost", "equilibrium_cost", "equilibrium_social_cost", "revenue", "relative_gap"),
    "logit_distance",
)
BEST = {
    "total_cost": ("total_cost_bound", "the lowest"),
    "social_cost": ("social_cost_bound", "the lowest"),
    "optimal_cost": ("optimal_cost_bound", "that in continuous time"),
}
"""Costs with a bound on what they exceed."""


def links(reader: Reader) -> Table:
    """Return flow, cost and marginal toll of every link; of many, print has the largest flows."""
    names, flow = reader.required("link_name", "flow")
    kinds, of_kinds = reader.array("user_class_name"), reader.array("user_class_flow")
    columns: dict[str, ndarray] = {}
    for name, label in OF_LINKS.items():
        values = reader.array(name)
        if values is not None:
            columns[label] = values
        if name == "flow" and kinds is not None and of_kinds is not None:
            columns |= {f"flow, {kind}": row for kind, row in zip(kinds, of_kinds, strict=True)}
    order = np.flatnonzero(np.isfinite(flow))  # without padding
    if len(order) > PRINTED and not reader.numbers:
        order = order[np.argsort(-flow[order], kind="stable")]
    entries = zip(names[order].tolist(), _rows(reader, columns, order), strict=True)
    rows = [{"link": Estimate(str(name))} | row for name, row in entries]
    return Table(rows, "links", "flows of links", (*OF_LINKS, "user_class_flow"), beside=True)


def departures(reader: Reader) -> Table:
    """Return arrivals per unit of time, delays and tolls, from the first to the last slot with arrivals."""
    (time,) = reader.required("slot_time")
    width, classes = time[1] - time[0], reader.array("class_name")
    columns: dict[str, ndarray] = {}
    for name_of_lane, name in LANES.items():
        arrivals = np.atleast_2d(reader.required(name)[0])
        several = classes is not None and len(classes) > 1
        for k in np.flatnonzero(np.nansum(arrivals, axis=1) > 0):
            owner = f", {classes[k]}" if classes is not None and several else ""
            columns[f"arrivals per unit of time, {name_of_lane}{owner}"] = arrivals[k] / width
    for label, name in LEVELS.items():
        level = reader.array(name)
        if level is not None and np.nanmax(level) > 0:
            columns[label] = level
    first, last = _rush(reader)
    rows = _rows(reader, {"time": time} | columns, np.arange(first, last + 1))
    shows = (*LANES.values(), *LEVELS.values(), "slot_time")
    title = "departures through the bottleneck, by the middles of slots"
    return Table(rows, "slots", title, shows, main=len(rows) - 1, path=True, beside=True)


def totals(reader: Reader) -> Table:
    """Return total costs, what is proved of them, the length of a rush, and what the tolls bring."""
    rows = [{"quantity": Estimate(name), "value": value} for name, value in _totals(reader)]
    has_flows, has_optimum = reader.array("flow") is not None, reader.array("marginal_toll") is not None
    remark = "price of anarchy: not computed; SystemOptimum computes it"
    remarks = (remark,) * (has_flows and not has_optimum)
    shows = (*TOTALS, *BEST, "price_of_anarchy")
    return Table(rows, "quantities", "totals", shows, beside=True, remarks=remarks)


def _totals(reader: Reader) -> Iterator[tuple[str, Estimate]]:
    """Yield the names of totals, with their values."""
    for name, (bound, reference) in BEST.items():
        cost, excess = _scalar(reader, name), _scalar(reader, bound)
        value = reader.number(cost)
        if np.isfinite(excess):
            text = f"{value.text}, at most {bound_in_words(excess, 2)} above {reference}"
            value = value._replace(text=text, low=cost - excess)
        if np.isfinite(cost):
            yield reader.names.quantity(name), value
    of_travellers = ", without tolls" * (reader.array("marginal_toll") is not None)
    for name in TOTALS:
        number, is_gap = _scalar(reader, name), name == "relative_gap"
        if np.isfinite(number) and (number or is_gap):
            yield reader.names.quantity(name) + of_travellers * is_gap, reader.number(number)
    ratio, equilibrium = _scalar(reader, "price_of_anarchy"), _scalar(reader, "equilibrium_cost")
    highest = _scalar(reader, "total_cost")
    lowest = highest - _scalar(reader, "total_cost_bound")
    value = reader.number(ratio)
    if np.isnan(ratio) and lowest > 0:  # the optimum is proved less closely
        low, high = equilibrium / highest, equilibrium / lowest
        value = Estimate(interval_in_words(np.array([low, high])), (low + high) / 2, low, high)
    if np.isfinite(value.mean):
        yield reader.names.quantity("price_of_anarchy"), value
    if reader.array("slow_arrivals") is not None:
        yield from _length_of_rush(reader)


def _scalar(reader: Reader, name: str) -> float:
    """Return a number of the result, NaN where it is missing."""
    array = reader.array(name)
    return UNKNOWN if array is None else float(array)


def _rush(reader: Reader) -> tuple[int, int]:
    """Return the numbers of the first and the last slot with arrivals."""
    slow, fast = reader.required(*LANES.values())
    filled = np.flatnonzero(np.nansum(np.atleast_2d(slow) + np.atleast_2d(fast), axis=0) > 0)
    return int(filled[0]), int(filled[-1])


def _length_of_rush(reader: Reader) -> Iterator[tuple[str, Estimate]]:
    """Yield the ends of the slots with arrivals, and the time between them."""
    (time,) = reader.required("slot_time")
    first, last = _rush(reader)
    half = (time[first + 1] - time[first]) / 2
    begin, end = time[first] - half, time[last] + half
    yield "rush begins", reader.number(begin)
    yield "rush ends", reader.number(end)
    yield "length of the rush", reader.number(end - begin)


def _rows(reader: Reader, columns: dict[str, ndarray], numbers: ndarray) -> list[Row]:
    """Return the entries of links or slots, 0 for rounding errors."""
    sizes = [float(np.nanmax(np.abs(values))) for values in columns.values()]
    rows: list[Row] = []
    for entries in zip(*(values[numbers].tolist() for values in columns.values()), strict=True):
        rows.append(dict(zip(columns, map(reader.number, entries, sizes), strict=True)))
    return rows
