"""Marks are data: what is drawn are their arrays, and charts need stored results only."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.full_runs import panel_data
from rivalry.plots.charts.scenario import scenario
from rivalry.plots.drawing import draw, triangulate
from rivalry.plots.marks import INK, Drawing, Frame, Kind, Mark, certified_points, named
from tests.figure_elements import labels


def drawn(*marks: Mark, **layout: Any) -> Any:
    frames = [Frame("x", "y") for _ in range(1 + max(mark.panel for mark in marks))]
    return draw(Figure().add_subplot(), Drawing(marks, frames, **layout))


def test_marks_of_every_kind_hold_their_arrays() -> None:
    y, low, value = np.random.default_rng(3).normal(size=(3, 5))
    x = np.arange(5.0)
    kinds: tuple[Kind, ...] = ("line", "points", "bars")
    for kind in kinds[:2]:
        (line,) = drawn(Mark(kind, x, y)).get_lines()
        np.testing.assert_array_equal(line.get_xydata(), np.stack([x, y], axis=1))
    outline = drawn(Mark("band", x, low=low, high=low + 1)).collections[0].get_paths()[0].vertices
    assert {*zip(x, low, strict=True), *zip(x, low + 1, strict=True)} <= set(map(tuple, outline))
    bars = drawn(Mark("bars", x, y, width=0.5)).patches
    assert [(bar.get_x() + 0.25, bar.get_height()) for bar in bars] == list(zip(x, y, strict=True))
    cells = drawn(Mark("heat", x[:3], x[:2], hue="viridis", value=value[:2, None] + x[:3])).collections[0]
    np.testing.assert_array_equal(cells.get_array(), value[:2, None] + x[:3])
    arrows = drawn(Mark("arrows", x, y, value=(low, value))).collections[0]
    np.testing.assert_array_equal([arrows.X, arrows.Y, arrows.U, arrows.V], [x, y, low, value])
    (region,) = drawn(Mark("region", x, y)).patches
    np.testing.assert_array_equal(region.get_xy()[:5], np.stack([x, y], axis=1))
    upright, level = drawn(Mark("rule", [value[0]]), Mark("rule", y=[value[1]])).get_lines()
    assert (upright.get_xdata()[0], level.get_ydata()[0]) == (value[0], value[1])
    spans = drawn(Mark("rule", x, low=low, high=value)).collections[0].get_segments()
    np.testing.assert_array_equal(
        spans, np.stack([np.stack([x, x]), np.stack([low, value])], axis=-1).swapaxes(0, 1)
    )


def test_intervals_are_bands_of_lines_and_whiskers_of_points_and_bars() -> None:
    x, y, half = np.arange(3.0), np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.0, 1.0])
    assert Mark("line", x, y).within(0 * half).low is None
    kinds: tuple[Kind, ...] = ("line", "points", "bars")
    for kind in kinds:
        interval = drawn(Mark(kind, x, y).within(half)).collections[0].get_paths()
        ends = np.concatenate([path.vertices for path in interval])[:, 1]
        assert {0.5, 1.5, 2.0, 3.0, 5.0} <= set(ends.tolist())


def test_columns_have_their_labels_and_colours() -> None:
    table = np.arange(6.0).reshape(3, 2)
    ax = drawn(
        Mark("line", np.arange(3), table, label=["a", "b"], hue=["red", "blue"]).within(np.ones((3, 2)))
    )
    assert labels(ax) == ["a", "b"]
    assert [line.get_color() for line in ax.get_lines()] == ["red", "blue"]
    np.testing.assert_array_equal([line.get_ydata() for line in ax.get_lines()], table.T)


@pytest.mark.parametrize("layout", [{}, {"columns": 2}])
def test_a_label_of_several_panels_is_in_the_legend_once(layout: dict[str, Any]) -> None:
    marks = [Mark("line", [0, 1], [0, k], label="both", panel=k) for k in range(2)]
    assert labels(drawn(*marks, Mark("points", label="key"), **layout)) == ["both", "key"]


def test_points_without_a_certificate_are_hollow() -> None:
    filled, hollow = certified_points(np.arange(3), np.arange(3), np.array([True, False, True]))
    assert (filled.x.tolist(), hollow.x.tolist()) == ([0, 2], [1])
    faces = [line.get_markerfacecolor() for line in drawn(filled, hollow).get_lines()]
    assert faces == [INK, "white"]


def test_hollow_bars_of_panels_have_an_outline_in_the_legend() -> None:
    ax = drawn(Mark("bars", [0], [1], hollow=True, hue="red", label="a"), columns=1)
    (handle,), _ = ax.get_legend_handles_labels()
    assert (handle.get_linewidth(), handle.get_edgecolor()[:3]) == (1.4, (1.0, 0.0, 0.0))


def test_elements_of_a_group_have_identifiers_of_their_own() -> None:
    point = Mark("points", np.zeros(1), np.ones(1), group="series-0").within(np.ones(1))
    identifiers = [part.get_gid() for part in drawn(point, point).get_children() if part.get_gid()]
    assert all(text.startswith("series-0-") for text in identifiers)
    assert len(set(identifiers)) == len(identifiers) == 8  # a point, its interval and two caps


X, Y = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))


@pytest.mark.parametrize("scattered", [False, True])
def test_contours_lie_where_a_plane_has_their_values(scattered: bool) -> None:
    value = X + 2 * Y
    mark = Mark("line", X[0], Y[:, 0], value=value, levels=[0.5, 1.25], label="here", hue="red")
    mark = replace(mark, x=X.ravel(), y=Y.ravel(), value=value.ravel()) if scattered else mark
    ax = drawn(mark, replace(mark, kind="region", label="between", hue="blue"))
    for path, level in zip(ax.collections[0].get_paths(), mark.levels, strict=True):
        np.testing.assert_allclose(path.vertices @ [1, 2], level, atol=1e-9)
    ends = np.concatenate([path.vertices for path in ax.collections[1].get_paths()]) @ [1, 2]
    np.testing.assert_allclose([ends.min(), ends.max()], mark.levels, atol=1e-9)
    assert labels(ax) == ["here", "between"]


def test_heat_between_contours_says_that_values_lie_below_its_scale() -> None:
    mark = Mark("heat", X[0], Y[:, 0], value=X, levels=[0.5, 0.75, 1.0], hue="viridis", label="value")
    ax = drawn(mark)
    assert ax.collections[0].levels.tolist() == mark.levels
    assert ax.collections[0].extend == "min"
    assert ax.child_axes[0].get_ylabel() == "value"


def test_a_simplex_has_ternary_axes_for_every_way_to_fill_it() -> None:
    edge = np.arange(4)
    corners = np.array([(i, j, 3 - i - j) for i in edge for j in edge if i + j <= 3]) / 3
    x, y, z = corners.T
    value, colours = x, corners
    marks = [Mark("heat", x, y, z=z, value=value, hue="viridis"), Mark("heat", x, y, z=z, hue=colours)]
    marks.append(Mark("heat", x, y, z=z, value=value, levels=3, hue="Greys"))
    marks.append(Mark("points", x[:1], y[:1], z=z[:1], label="end"))
    ax = drawn(*marks, projection="ternary")
    assert (ax.name, ax.get_tlabel(), labels(ax)) == ("ternary", "x", ["end"])
    np.testing.assert_array_equal(ax.collections[0].get_array(), value)
    faces = triangulate([x, y, z])
    np.testing.assert_allclose(ax.collections[1].get_facecolor()[:, :3], colours[faces].mean(axis=1))
    panels = drawn(marks[0], replace(marks[0], panel=1), projection="ternary", columns=2).child_axes
    assert [panel.name for panel in panels] == ["ternary", "ternary"]


def test_points_on_a_line_cannot_be_filled() -> None:
    line = np.linspace(0, 1, 5)
    with pytest.raises(ValueError, match=r"^data: 5 places lie in no triangles"):
        drawn(Mark("heat", line, line, value=line, hue="viridis"))


def test_a_symmetric_logarithmic_scale_is_linear_around_zero() -> None:
    ax = draw(
        Figure().add_subplot(), Drawing([Mark("line", [-10, 0, 10], [0, 1, 2])], [Frame(log="x", linear=0.5)])
    )
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "linear")
    across = ax.transData.transform([(0, 0), (0.25, 0), (0.5, 0), (5, 0)])[:, 0]
    steps = np.diff(across)
    assert steps[1] == pytest.approx(steps[0])
    assert steps[2] < 18 * steps[0]


def test_charts_of_marks_take_axes_and_return_them() -> None:
    parameters = signature(scenario).parameters
    assert list(parameters)[:2] == ["data", "ax"]
    assert parameters["ax"].default is None
    assert signature(scenario).return_annotation == "Axes"


def test_colours_show_the_values_of_points_pieces_and_regions() -> None:
    x, y, value = np.random.default_rng(4).normal(size=(3, 4, 5))
    value[1:, 0] = np.nan
    scale: dict[str, Any] = {"hue": "viridis", "label": "height", "low": -1.0, "high": 1.0}
    points = Mark("points", x[0], y[0], value=value[0], **scale)
    line = Mark("line", x[0], y[0], value=value[1, :4], **scale)
    regions = Mark("region", x, y, value=value[:, 0], **scale)
    ax = drawn(points, line, regions)
    dots, pieces, areas = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), np.stack([x[0], y[0]], axis=1))
    np.testing.assert_array_equal([piece[0] for piece in pieces.get_segments()], dots.get_offsets()[:-1])
    np.testing.assert_array_equal(areas.get_paths()[2].vertices[:5], np.stack([x[2], y[2]], axis=1))
    for drawing, mark in zip(ax.collections, (points, line, regions), strict=True):
        np.testing.assert_array_equal(drawing.get_array().filled(np.nan), mark.value)
        assert drawing.get_clim() == (-1.0, 1.0)
    assert [panel.get_ylabel() for panel in ax.child_axes] == ["height"]  # one scale
    assert labels(ax) == []


def test_a_scale_of_square_roots_shows_small_values() -> None:
    ax = drawn(
        Mark("heat", [0, 1], [0], value=np.array([[0.01, 1.0]]), hue="viridis", low=0, high=1, by_root=True)
    )
    assert ax.collections[0].norm(0.25) == pytest.approx(0.5)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_shared_panels_have_equal_limits_and_numbers_at_the_edge(count: int) -> None:
    marks = [Mark("line", [0, 1 + k], [0, k], panel=k) for k in range(count)]
    panels = drawn(*marks, columns=2, shared=True).child_axes
    assert {(panel.get_xlim(), panel.get_ylim()) for panel in panels} == {
        (panels[0].get_xlim(), panels[0].get_ylim())
    }
    assert [bool(panel.get_ylabel()) for panel in panels] == [k % 2 == 0 for k in range(count)]
    assert [bool(panel.get_xlabel()) for panel in panels] == [k + 2 >= count for k in range(count)]
    assert panels[0].get_xlim()[1] >= count


def test_panel_data_are_the_arrays_of_marks() -> None:
    table = np.array([[2.0, 1.0], [1 / 3, np.nan]])
    marks = [
        Mark("line", np.arange(2), table, label=["a", "_b"], hue=["red", "blue"]),
        Mark("points", label="key", hollow=True),
        Mark("heat", np.arange(3.0), np.arange(2.0), value=np.ma.masked_invalid(table[1:]), hue="viridis"),
        Mark("points", np.array([7]), np.array([8]), panel=1).within(np.array([0.5])),
    ]
    frames = [Frame("x", "y", "t", x_ticks=["zero", "one"]), Frame("x", "z", y_ticks=["none"])]
    first, second = panel_data(Drawing(marks, frames))
    assert (first["title"], first["x"], first["y"]) == ("t", "x", "y")
    assert (first["ticks"], second["ticks"]) == ({"x": {"zero": 0, "one": 1}}, {"y": {"none": 0}})
    lines, key, heat = first["marks"][:2], first["marks"][2], first["marks"][3]
    named_line = {"kind": "line", "label": "a", "colour": "red", "x": [0.0, 1.0], "y": [2.0, 0.333333]}
    assert lines == [named_line, {"kind": "line", "colour": "blue", "x": [0.0, 1.0], "y": [1.0, None]}]
    assert key == {"kind": "points", "label": "key", "colour": INK, "hollow": True}
    assert heat == {"kind": "heat", "x": [0.0, 1.0, 2.0], "y": [0.0, 1.0], "value": [[0.333333, None]]}
    (whisker,) = second["marks"]
    assert (whisker["low"], whisker["y"], whisker["high"]) == ([7.5], [8.0], [8.5])


def test_names_of_players_stand_in_every_text_of_a_drawing() -> None:
    marks = [
        Mark("line", np.arange(2), np.eye(2), label=["player 0", "player 1"]),
        Mark("points", np.zeros(1), np.zeros(1), texts=["of player 1"], label="gain of player 12"),
        Mark("rule", [0.0], label="_player 1"),
    ]
    frame = Frame("x", "y of player 1", "player 1.5", y_ticks=["player 0"], x_ticks={"player 1": 0.5})
    drawing = named(Drawing(marks, [frame], ["by player 0"], "gain of player 1"), ["leader", "follower"])
    lines, points, rule = drawing.marks
    assert (lines.label, points.texts, rule.label) == (["leader", "follower"], ["of follower"], "_player 1")
    assert points.label == "gain of player 12"
    ticks = {"x_ticks": {"follower": 0.5}, "y_ticks": ["leader"]}
    assert drawing.frames == [Frame("x", "y of follower", "player 1.5", **ticks)]
    assert (drawing.caption, drawing.subject) == (["by leader"], "gain of follower")
    assert named(drawing, []) is drawing
