"""Map of a road network: flows of links as widths, their use or cost as colours."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.maps import (
    StreetPlan,
    colour_limits,
    map_columns,
    map_frame,
    metric_map,
    street_outlines,
    street_values,
)
from rivalry.plots.marks import Drawing, Frame, Mark, Marks
from rivalry.plots.select import At, Names, NoSuchPoint, check_variable, filled_variables
from rivalry.plots.series import CellSeries, replications_of, series_of

STORED = ("link_node", "node_at", "node_name", "volume_capacity", "cost")
WORDS = {"volume_capacity": "flow / capacity", "cost": "cost of a link at its flow (unit of cost)"}
# of a unit: widths of links without flow and with the largest, and what keeps links apart
THIN, THICK, APART = 0.02, 0.3, 0.04
NAMED = 30  # most nodes whose names are written
MOST = 1_000  # nodes without positions that are laid out
EXACT = 500  # nodes up to which distances on the map follow those along links


@preset
def flow_map(
    data: Dataset,
    *,
    quantity: str | None = None,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw flows of links as widths on the map of a road network, a map per method.

    A link is an arrow in the direction of travel, on the right of its street where another leads back;
    further links between the same nodes are beside it. Its width is proportional to its flow, above that of
    links without flow. Nodes without positions are laid out by distances along links.

    Parameters
    ----------
    data
        Holds ``flow [link]`` and ``link_node [link end]``, numbers of nodes; ``node_at [node coordinate]``
        where positions are known.
    quantity
        What colours show: ``volume_capacity``, or ``cost``, the default where there are no capacities.
    series
        A swept coordinate, each value of which has a map.

    Returns
    -------
    Axes
        The axes whose ``child_axes`` are the maps.

    Raises
    ------
    ValueError
        For another quantity, and for more than 1,000 nodes without positions.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"flow": ("link", [3.0, 1.0]), "cost": ("link", [2.0, 5.0]),
    ...                    "link_node": (("link", "end"), [[0, 1], [1, 0]])})
    >>> flow_map(data).child_axes[0].collections[0].get_array().tolist()
    [2.0, 5.0]
    """
    if quantity is None:
        quantity = next(iter(filled_variables(data, WORDS)), "cost")
    if quantity not in WORDS:
        raise ValueError(f"quantity: {quantity!r} must be one of {', '.join(WORDS)}")
    check_variable(data, "link_node")
    cells = series_of(data, "flow", STORED, at=at, methods=methods, series=series)
    if any(quantity not in cell for cell in cells):
        raise NoSuchPoint(f"data: no variable {quantity!r}, which colours would show")
    flows = [_of_links(cell, "flow") for cell in cells]
    values = [_of_links(cell, quantity) for cell in cells]
    # from 0 to at least what fills a link
    ends = np.array([0.0, 1.0 if quantity == "volume_capacity" else 0.0])
    limits = colour_limits([ends, *values])
    largest_flow = max(float(flow.max()) for flow in flows)
    marks, frames = Marks(), list[Frame]()
    for panel, (cell, flow, colours) in enumerate(zip(cells, flows, values, strict=True)):
        nodes = cell["link_node"][0][: len(flow)].astype(int)
        plan, width = _plan(cell, nodes), THIN + (THICK - THIN) * flow / (largest_flow or 1.0)
        outlines = street_outlines(plan, width, _aside(nodes, width))
        marks += metric_map(plan, colours, outlines, WORDS[quantity], limits, panel)
        marks += _names(cell, plan, panel)
        frames.append(map_frame(plan, cell.name, outlines))
    notes = [cells[0].words, f"width: flow, up to {largest_flow:.4g} trips"]
    notes += ["grey: no capacity"] * any(np.isnan(part).any() for part in values)
    notes += ["arrows show the direction of travel", replications_of(cells, "means")]
    return Drawing(marks, frames, notes, columns=map_columns(len(cells)))


def _of_links(cell: CellSeries, name: str) -> ndarray:
    """Means over replications, ``[link]``, without the padding of networks with fewer links."""
    is_link = np.isfinite(cell["flow"][0])
    return street_values(cell[name].astype(float), len(is_link))[: len(is_link)][is_link]


def _plan(cell: CellSeries, nodes: ndarray) -> StreetPlan:
    """Positions of links ``[link end]`` and their nodes, as stored or else laid out."""
    count = int(nodes.max()) + 1
    at = cell.get("node_at", np.zeros((1, 0, 2)))[0][:count].astype(float)
    if len(at) < count or not np.isfinite(at).all():
        at = _layout(nodes, count)
    return StreetPlan(at[nodes], np.zeros(len(nodes), bool), at, np.zeros(count, bool))


def _aside(nodes: ndarray, width: ndarray) -> ndarray:
    """Distances ``[link]`` to the right of the street's middle, around which links in one direction lie."""
    pairs = [tuple(pair) for pair in nodes.tolist()]
    count, number = Counter[tuple[int, ...]](), np.zeros(len(pairs))
    for link, pair in enumerate(pairs):
        number[link] = count[pair]
        count[pair] += 1
    has_return = np.array([pair[::-1] in count for pair in pairs])
    middle = (np.array([count[pair] for pair in pairs]) - 1) / 2
    step = THICK + APART
    return np.where(has_return, number * step + (APART + width) / 2, (number - middle) * step)


def _layout(nodes: ndarray, count: int) -> ndarray:
    """Positions ``[node 2]`` from the network alone, the same in every run. Raises `ValueError`."""
    import networkx

    if count > MOST:
        raise ValueError(f"data: {count} nodes have no positions; must have them where there are over {MOST}")
    graph = networkx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(nodes.tolist())
    if count <= EXACT and networkx.is_connected(graph):
        is_planar = networkx.check_planarity(graph)[0]
        start = networkx.planar_layout(graph) if is_planar else None  # without crossings
        layout = networkx.kamada_kawai_layout(graph, pos=start)
    else:
        layout = networkx.spring_layout(graph, seed=0)
    return np.array([layout[node] for node in range(count)])


def _names(cell: CellSeries, plan: StreetPlan, panel: int) -> Marks:
    """Names beside the nodes, where there are few."""
    if "node_name" not in cell or len(plan.nodes) > NAMED:
        return []
    names = [str(name) for name in cell["node_name"][0][: len(plan.nodes)]]
    x, y = plan.nodes.T
    return [Mark("points", x, y, marker="", texts=names, panel=panel)]
