"""Plots over the action space: resource, ternary plots, the cube, gradients along a path."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import rivalry as rv
from rivalry.core.results import Record, dataset
from rivalry.lab.figures import draw
from rivalry.plots.charts.triangle import slopes
from rivalry.plots.style import picture
from tests.figure_elements import labels, lines


def lattice(edge: int = 8) -> np.ndarray:
    rows = [(i, j, edge - i - j) for i in range(edge + 1) for j in range(edge + 1 - i)]
    return np.array(rows) / edge


PROFILE = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])


def on_a_simplex(positions: np.ndarray | None = None) -> Record:
    """Two players on a simplex with three vertices."""
    where = lattice() if positions is None else positions
    fade = np.exp(-((where[None] - PROFILE[:, None]) ** 2).sum(axis=2) / 0.1)
    way = np.linspace(0, 1, 9)[:, None, None]
    path = (1 - way) / 3 + way * PROFILE
    return {
        "resource": (("point",), 1.0 + where[:, 0]),
        "resource_points": (("point", "coordinate"), where),
        "influence": (("row", "point"), fade),
        "shares": (("row", "point"), fade / fade.sum(axis=0)),
        "row_label": (("row",), np.array(["maker", "rival"])),
        "profile": (("player", "axis"), PROFILE),
        "claim": ((), np.asarray("equilibrium")),
        "path": (("step", "player", "axis"), path),
        "landscape": (("player", "grid_point"), fade),
        "landscape_at": (("grid_point", "coordinate"), where),
        "landscape_best": (("player", "axis"), PROFILE),
    }


def across(mixture: np.ndarray) -> np.ndarray:
    """Position of a mixture in ternary axes: vertex 0 on top, 1 on the left, 2 on the right; height 1."""
    return np.array([(mixture[2] - mixture[1]) / np.sqrt(3), mixture[0]])


# -- ternary plots -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["influence", "landscape", "paths", "resource", "shares", "ternary"])
def test_three_action_simplices_use_ternary_axes(kind: str) -> None:
    figure = Figure()
    ax = getattr(rv.plots, kind)(dataset(on_a_simplex()), figure.add_subplot())
    assert ax.name == "ternary"
    assert figure.axes == [ax]  # replaces the given axes
    assert ax.get_tlabel() == "coordinate 0"


def test_ternary_paths_are_at_the_coordinates_of_their_mixtures() -> None:
    ax = rv.plots.paths(dataset(on_a_simplex()))
    (curves,) = lines(ax, "player 1")
    np.testing.assert_allclose(curves.get_xydata()[-1], across(PROFILE[1]), atol=1e-12)
    np.testing.assert_allclose(curves.get_xydata()[0], across(np.full(3, 1 / 3)), atol=1e-12)
    assert {"start", "end, certified"} <= set(labels(ax))
    flat = rv.plots.paths(dataset(on_a_simplex()), space=False)
    assert (flat.get_xlabel(), flat.get_ylabel()) == ("step", "probability")


def test_a_box_with_three_axes_is_not_drawn_as_a_simplex() -> None:
    record = on_a_simplex()
    record["landscape_at"] = (("grid_point", "coordinate"), 2 * record["landscape_at"][1])
    with pytest.raises(ValueError, match="landscape_at: 3 coordinates; only one or two can be drawn"):
        rv.plots.landscape(dataset(record))
    record["landscape_at"] = (("grid_point", "four"), np.zeros((45, 4)))
    with pytest.raises(ValueError, match="landscape_at: 4 coordinates"):
        rv.plots.landscape(dataset(record))


def test_slopes_of_a_linear_function() -> None:
    where = lattice()
    weights = np.array([2.0, -1.0, 0.5])
    middle, slope = slopes(where, where @ weights)
    np.testing.assert_allclose(slope, np.broadcast_to(weights - weights.mean(), slope.shape), atol=1e-9)
    np.testing.assert_allclose(middle.sum(axis=1), 1)


def test_ternary_plot_shows_profile_branches_and_gradient() -> None:
    record = on_a_simplex() | {
        "branch_position": (("at", "player", "axis"), np.stack([PROFILE, np.full((2, 3), 1 / 3)])),
        "branch": (("at",), np.zeros(2, int)),
        "branch_stable": (("at",), np.array([True, True])),
    }
    ax = rv.plots.ternary(dataset(record), player=1)
    assert {"stable branch", "path", "player 1", "other players"} <= set(labels(ax))
    np.testing.assert_allclose(lines(ax, "player 1")[0].get_xydata()[0], across(PROFILE[1]), atol=1e-12)
    assert any(type(found).__name__ == "Quiver" for found in ax.collections)
    with pytest.raises(ValueError, match="player: 2 must be a whole number from 0 to 1"):
        rv.plots.ternary(dataset(record), player=2)
    flat = xr.Dataset({"profile": (("player", "axis"), np.zeros((2, 1)))})
    with pytest.raises(ValueError, match="positions have 1 coordinates; this plot draws those with three"):
        rv.plots.ternary(flat)


@pytest.mark.slow
def test_the_report_draws_ternary_plots(tmp_path: Path) -> None:
    study = {"game": {"family": "influencer"}, "plots": ["paths", "ternary"]}
    curves = draw(study, dataset(on_a_simplex()), tmp_path, tmp_path, "f")
    assert [figure.why for figure in curves] == ["", ""]
    assert [figure.file for figure in curves] == ["01-paths.svg", "02-ternary.svg"]
    assert curves[1].caption.endswith("(player 0).")


@pytest.mark.slow
def test_ternary_pictures_are_reproducible() -> None:
    data = dataset(on_a_simplex())
    assert picture(rv.plots.paths, data) == picture(rv.plots.paths, data)


@pytest.mark.slow
def test_a_resource_at_the_vertices_only_is_drawn_as_bars() -> None:
    data = dataset(on_a_simplex(np.eye(3)))
    ax = rv.plots.shares(data)
    assert [bar.get_height() for bar in ax.patches] == data.shares.values.ravel().tolist()
    assert labels(ax) == ["maker", "rival"]
    assert [bar.get_height() for bar in rv.plots.resource(data).patches] == [2.0, 1.0, 1.0]


# -- the resource --------------------------------------------------------------------------------------


def test_resource_is_bars_on_an_interval_and_a_heat_map_on_a_box() -> None:
    where = np.linspace(0, 1, 11)
    line = {"resource": (("point",), where**2), "resource_points": (("point", "coordinate"), where[:, None])}
    ax = rv.plots.resource(dataset(line))
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], where**2)
    assert "11 points, total 3.85" in ax.get_title(loc="left")
    x, y = (grid.ravel() for grid in np.meshgrid(where, where[:5]))
    box = {
        "resource": (("point",), x + 10 * y),
        "resource_points": (("point", "coordinate"), np.stack([x, y], axis=1)),
    }
    curves = rv.plots.resource(dataset(box)).collections[0].get_array()
    np.testing.assert_allclose(curves, where + 10 * where[:5, None])


def test_scattered_points_in_the_plane_are_drawn_in_triangles_between_them() -> None:
    where = np.random.default_rng(5).random((12, 2))
    points = {"resource_points": (("point", "coordinate"), where), "resource": (("point",), where[:, 1])}
    data = dataset(points)
    np.testing.assert_array_equal(rv.plots.resource(data).collections[0].get_array(), where[:, 1])


# -- the cube ------------------------------------------------------------------------------------------


def three(steps: int = 30) -> xr.Dataset:
    path = np.random.default_rng(6).uniform(size=(steps, 3, 1))
    return dataset({"path": (("step", "player", "axis"), path), "claim": ((), np.asarray("equilibrium"))})


def test_three_players_are_one_curve_in_the_cube() -> None:
    data = three()
    ax = rv.plots.paths(data, space="cube")
    assert ax.name == "3d"
    np.testing.assert_array_equal(np.array(lines(ax, "path")[0].get_data_3d()).T, data.path.values[..., 0])
    assert {"x0 = x1", "x1 = x2", "all three coincide", "end, certified"} <= set(labels(ax))


def test_projection_along_the_diagonal_preserves_distances_from_it() -> None:
    data = three()
    ax = rv.plots.paths(data, space="diagonal")
    x = data.path.values[..., 0]
    seen = lines(ax, "path")[0].get_xydata()
    away = x - x.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), np.linalg.norm(away, axis=1))
    equal = lines(ax, "x0 = x2")[0].get_xydata()  # two points of the plane x0 = x2, projected to a line
    both = np.array([[0.3, 0.9, 0.3]]) @ np.array([[-1, -1], [1, -1], [0, 2]]) / np.sqrt([2, 6])
    assert abs(np.linalg.det(np.stack([equal[1] - equal[0], both[0]]))) < 1e-12


def test_the_cube_requires_three_players() -> None:
    with pytest.raises(ValueError, match="data: 2 players on 1 axes; a cube has three players on one"):
        rv.plots.paths(three().isel(player=[0, 1]), space="cube")


# -- along a path --------------------------------------------------------------------------------------


def test_gradients_are_drawn_against_time_if_it_is_stored() -> None:
    slope = np.random.default_rng(7).normal(size=(5, 2, 1))
    data = dataset(
        {
            "path_gradients": (("step", "player", "axis"), slope),
            "path_step": (("step",), np.arange(5)),
            "path_time": (("step",), np.linspace(0, 0.2, 5)),
        }
    )
    ax = rv.plots.paths(data, quantity="gradient")
    assert ax.get_xlabel() == "time"
    np.testing.assert_array_equal(lines(ax, "player 1")[0].get_ydata(), slope[:, 1, 0])
    np.testing.assert_allclose(lines(ax, "player 1")[0].get_xdata(), np.linspace(0, 0.2, 5))
    assert rv.plots.paths(data.drop_vars("path_time"), quantity="gradient").get_xlabel() == "step"
    with pytest.raises(ValueError, match="axis: 1 must be a whole number from 0 to 0"):
        rv.plots.paths(data, quantity="gradient", axis=1)
