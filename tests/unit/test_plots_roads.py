"""Maps of road networks and gaps over rounds match the results that they show."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

import rivalry as rv
from rivalry.core.results import collect
from rivalry.plots.charts.flow_map import APART, MOST, THIN
from rivalry.roads.assignment import assignment_record
from rivalry.roads.model import RouteGame
from tests.figure_elements import assert_reproducible_and_labelled, caption

SQUARE = {"s": (2, 0), "a": (2, 3), "b": (5, 0), "t": (5, 3)}
LINKS = {
    "from": ["s", "a", "s", "b", "a", "b", "s"],
    "to": ["a", "t", "b", "t", "b", "a", "a"],
    "free_flow_time": [1, 1, 1, 1, 1, 1, 2],
    "capacity": [3, 3, 3, 3, 0, 3, 3],
    "b": [1, 1, 1, 1, 0, 1, 1],
}
ROUTES = ([0, 1], [2, 3], [0, 4, 3], [2, 5, 1])  # links of routes


def network(**changes: Any) -> RouteGame:
    game: RouteGame = rv.games.routes(LINKS | changes, demand={"s>t": 6.0})
    return game


def record(flows: list[float], game: RouteGame | None = None) -> Any:
    """Record of flows of the routes, without a search for better ones."""
    game = game or network()
    found = assignment_record(
        game,
        {
            "links": np.concatenate(ROUTES).astype(np.int32),
            "ends": np.append(0, np.cumsum([len(route) for route in ROUTES])),
            "pair": np.zeros(4, dtype=int),
            "flow": np.array(flows, dtype=float),
        },
    )
    return found | {
        "node_at": (("node", "coordinate"), np.array([SQUARE[n] for n in game.node_names], float))
    }


def outlines(data: xr.Dataset, **options: Any) -> tuple[Any, np.ndarray]:
    ax = rv.plots.flow_map(data, **options)
    return ax, np.array([path.vertices[:5] for path in ax.child_axes[0].collections[0].get_paths()])


@pytest.mark.slow  # compiles the loops over routes
def test_widths_are_flows_and_links_do_not_cover_each_other() -> None:
    data = collect([({}, record([1, 2, 3, 0]))], {})
    ax, corners = outlines(data)
    width = np.linalg.norm(corners[:, 4] - corners[:, 0], axis=1)
    flow = data.flow.values
    assert flow.tolist() == [4, 1, 2, 5, 3, 0, 0]
    thin = width[flow == 0]
    assert thin.min() > 0
    # in proportion above the width without flow
    assert (width - thin[0]) / (width.max() - thin[0]) == pytest.approx(flow / 5, abs=1e-9)
    at = data.node_at.values
    nodes = data.link_node.values.astype(int)
    start, end = at[nodes[:, 0]], at[nodes[:, 1]]
    way = (end - start) / np.linalg.norm(end - start, axis=1, keepdims=True)
    right = np.stack([way[:, 1], -way[:, 0]], axis=1)
    away = np.einsum("lcx,lx->lc", corners - start[:, None], right)
    # a>b and b>a have sides of their own; the two links s>a lie beside each other, around their street
    assert (away[4:6] > 0).all()
    assert away[0].max() < away[6].min() or away[6].max() < away[0].min()
    assert np.abs(away[[1, 2, 3]].mean(axis=1)).max() < 1e-9
    assert "up to 5 trips" in caption(ax)
    assert THIN < APART


@pytest.mark.slow
def test_colours_are_flows_over_capacities() -> None:
    data = collect([({}, record([1, 2, 3, 0]))], {})
    ax, _ = outlines(data)
    bars = ax.child_axes[0].collections[0]
    full = np.ma.masked_array(bars.get_array()).filled(np.nan)
    np.testing.assert_allclose(full, [4 / 3, 1 / 3, 2 / 3, 5 / 3, np.nan, 0, 0])
    assert (bars.get_clim(), "grey: no capacity" in caption(ax)) == ((0.0, 5 / 3), True)
    few, _ = outlines(collect([({}, record([0.1, 0, 0, 0]))], {}))
    assert few.child_axes[0].collections[0].get_clim() == (0.0, 1.0)
    costs, _ = outlines(data, quantity="cost")
    np.testing.assert_array_equal(costs.child_axes[0].collections[0].get_array(), data.cost.values)


@pytest.mark.slow
def test_networks_of_several_sizes_have_maps_of_their_own() -> None:
    smaller = rv.games.routes(LINKS, demand={"s>t": 6.0}, closed=["b>a"])
    found = rv.solve(smaller, rv.methods.UserEquilibrium()).record
    data = collect([({"closed": 0}, record([2, 2, 2, 0])), ({"closed": 1}, found)], {"closed": [0, 1]})
    ax = rv.plots.flow_map(data, series="closed")
    assert [len(panel.collections[0].get_array()) for panel in ax.child_axes[:2]] == [7, 6]
    assert_reproducible_and_labelled(rv.plots.flow_map, data)


@pytest.mark.slow
@pytest.mark.parametrize("method", [rv.methods.UserEquilibrium, rv.methods.SystemOptimum])
def test_gaps_fall_to_that_at_the_end(method: Any) -> None:
    data = rv.solve(rv.games.routes(LINKS, demand={"s>t": 6.0, "a>t": 2.0}), method(gap=1e-6)).data
    gaps = data.relative_gap_curve.values
    if method is rv.methods.UserEquilibrium:
        # relative to what is paid; both are sums of the same terms
        assert gaps[-1] == pytest.approx(float(data.relative_gap), abs=1e-12)
    assert gaps[-1] <= 1e-6 < gaps[0]
    ax = rv.plots.learning_curve(data, quantity="relative_gap")
    assert (ax.get_xlabel(), ax.get_yscale()) == ("round", "log")
    drawn = ax.lines[0].get_ydata()
    np.testing.assert_array_equal(drawn[gaps > 0], gaps[gaps > 0])
    assert np.isnan(drawn[gaps == 0]).all()
    with pytest.raises(ValueError, match="every relative gap is 0"):
        rv.plots.learning_curve(
            data.assign(relative_gap_curve=0 * data.relative_gap_curve), quantity="relative_gap"
        )


def ring(nodes: int) -> xr.Dataset:
    ends = np.stack([np.arange(nodes), np.roll(np.arange(nodes), -1)], axis=1)
    flows = {"flow": ("link", np.ones(nodes)), "cost": ("link", np.ones(nodes))}
    return xr.Dataset(flows | {"link_node": (("link", "end"), ends)})


def test_nodes_without_positions_are_laid_out() -> None:
    _, corners = outlines(ring(5))
    lengths = np.linalg.norm(corners[:, 2] - corners[:, 0], axis=1)
    assert lengths == pytest.approx(np.full(5, lengths[0]), rel=0.01)  # a regular pentagon
    np.testing.assert_array_equal(corners, outlines(ring(5))[1])


def test_what_cannot_be_drawn_has_one_line() -> None:
    with pytest.raises(ValueError, match=r"^data: 1001 nodes have no positions; must have them where"):
        rv.plots.flow_map(ring(MOST + 1))
    with pytest.raises(ValueError, match=r"^quantity: 'flow' must be one of volume_capacity, cost$"):
        rv.plots.flow_map(ring(5), quantity="flow")
    with pytest.raises(ValueError, match=r"^data: no variable 'volume_capacity', which colours would show$"):
        rv.plots.flow_map(ring(5), quantity="volume_capacity")
    with pytest.raises(ValueError, match=r"^data: no variable 'link_node', which this plot draws"):
        rv.plots.flow_map(ring(5).drop_vars("link_node"))


@pytest.mark.parametrize("policy", [{}, {"fast_share": 0.4}, {"fast_share": 1.0}])
def test_areas_of_arrivals_are_travellers_and_empty_panels_are_left_out(policy: dict[str, Any]) -> None:
    rows = {"a": {"share": 0.4, "arrival": 8.5, "early": 2.0}, "b": {"share": 0.6}}
    game = rv.games.bottleneck(classes=rows, slots=10, **policy)
    data = rv.solve(game, rv.methods.DepartureTimeEquilibrium()).data
    ax = rv.plots.arrivals(data)
    panels = {panel.get_ylabel(): panel for panel in ax.figure.axes}
    share = policy.get("fast_share", 0.0)
    used = {"slow lane": share < 1, "fast lane": share > 0, "delay": share < 1, "toll": share > 0}
    assert [*panels] == [name for name, is_used in used.items() if is_used]
    areas = dict.fromkeys(rows, 0.0)
    for band in [part for panel in panels.values() for part in panel.collections]:
        x, y = band.get_paths()[0].vertices.T if band.get_paths() else np.zeros((2, 1))
        areas[band.get_label().lstrip("_")] += abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    np.testing.assert_allclose([*areas.values()], [2400, 3600], rtol=1e-9)
    assert_reproducible_and_labelled(rv.plots.arrivals, data)
