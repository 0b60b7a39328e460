"""Plots: data drawn, labels and captions, and no change to the user's Matplotlib style."""

from __future__ import annotations

import inspect
import json
from inspect import signature
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from scipy import stats

import rivalry as rv
from benchmarks.full_runs import panel_data
from rivalry.core.results import NO_CERTIFICATE, Record, collect, dataset
from rivalry.plots.marks import PALETTE, colours
from rivalry.plots.select import NoSuchPoint, band, in_step, point, position
from rivalry.plots.style import SIZE, picture
from tests.unit.stored_run import POINTS, THRESHOLD, ascent, payoffs, shares, study

REACHES = [0.17, 0.2, 0.25]


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    rows = [({"reach": r, "algorithm": "climb", "replication": 0}, ascent(r)) for r in REACHES]
    return collect(rows, {"reach": REACHES, "algorithm": ["climb"], "replication": [0]})


def labels(ax: Axes) -> list[str]:
    return ax.get_legend_handles_labels()[1]


def line(ax: Axes, label: str) -> Any:
    return next(found for found in ax.get_lines() if found.get_label() == label)


@pytest.mark.parametrize("kind", rv.plots.PLOTS)
def test_docstrings_describe_every_option_once(kind: str) -> None:
    """Also those that mean the same in most charts, and are written only in `rivalry.plots.drawing`."""
    plot = getattr(rv.plots, kind)
    text = inspect.getdoc(plot) or ""
    section = text.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    named = [name for line in section.splitlines() if line[0] != " " for name in line.split(", ")]
    assert sorted(named) == sorted(inspect.signature(plot).parameters)
    assert text.count("\nReturns\n-------\n") == 1


@pytest.mark.parametrize("kind", rv.plots.PLOTS)
def test_every_kind_takes_a_solution_or_a_run_and_asks_for_its_own_data(kind: str) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def plot_record(plot: str, options: Any) -> Record:
        asked.append((plot, dict(options)))
        return {}

    class Stored:
        def dataset(self) -> xr.Dataset:
            asked.append(("dataset", {}))
            return xr.Dataset()

    draw = getattr(rv.plots, kind)
    before = plt.get_fignums()
    for results in (rv.Solution({}, NO_CERTIFICATE, plot_record=plot_record), Stored(), xr.Dataset()):
        with pytest.raises(ValueError, match=r"^[^\n]{1,280}$"):
            draw(results, at=None)
    assert asked == [(kind, {"at": None}), ("dataset", {})]
    with pytest.raises(ValueError, match=r"^data: list must be a solution, a run or a dataset, such as"):
        draw([1.0])
    assert plt.get_fignums() == before


IN_RUN = ("bifurcation", "influence", "landscape", "paths", "shares")


@pytest.mark.slow
@pytest.mark.parametrize("kind", IN_RUN)
def test_pictures_of_a_run_are_labelled_reproducible_and_undated(kind: str, run: xr.Dataset) -> None:
    draw = getattr(rv.plots, kind)
    ax = draw(run)
    assert isinstance(ax, Axes)
    assert ax.get_ylabel()
    assert ax.get_xlabel()
    assert ax.get_legend() is not None
    first, second = (picture(draw, run) for _ in range(2))
    assert first == second
    assert b"<dc:date>" not in first.svg


@pytest.mark.parametrize("kind", IN_RUN)
def test_panel_data_of_every_kind_are_json(kind: str, run: xr.Dataset) -> None:
    panels = panel_data(getattr(rv.plots, kind).marks_of(run))
    assert any(panel["marks"] for panel in panels)
    assert json.loads(json.dumps(panels, allow_nan=False)) == panels != []


def test_given_axes_are_used_and_user_style_is_unchanged(run: xr.Dataset) -> None:
    before = dict(mpl.rcParams)
    _, ax = plt.subplots()
    assert rv.plots.paths(run, ax) is ax
    assert dict(mpl.rcParams) == before


def test_a_second_plot_on_the_same_axes_extends_the_legend(run: xr.Dataset) -> None:
    _, ax = plt.subplots()
    first = rv.plots.bifurcation(run, ax).get_legend()
    both = rv.plots.paths(run, ax).get_legend()
    assert first is not None
    assert len(both.get_texts()) > len(first.get_texts())


def every_view() -> list[str]:
    entries = rv.plots.PLOTS.values()
    return [view for entry in entries for view in (*entry.views, *entry.by_quantity.values())]


def test_registered_plot_data_are_offered_by_games() -> None:
    influencers = {"influence", "shares", "landscape", "resource"}
    races = {"deviation", "payoff_landscape", "reaction"}
    offered = influencers | races | set(rv.plots.PATH_VIEWS)
    assert set(every_view()) <= offered


def test_a_study_stores_plot_data_for_every_kind() -> None:
    paths = [{"kind": "paths", "quantity": name} for name in ("payoff", "gradient", "greedy")]
    made = study(plots=[*rv.plots.PLOTS, *paths])
    assert set(made.views) == set(every_view())
    assert study(plots=["paths"]).views == []


def test_captions_depend_on_the_options() -> None:
    for kind, entry in rv.plots.PLOTS.items():
        options = signature(getattr(rv.plots, kind)).parameters
        keys = {key.partition("=")[0] for key in entry.captions if key} - set(options)
        assert not keys, f"src/rivalry/plots/__init__.py, captions of {kind}: remove {keys}, no options of it"
    paths, histogram = rv.plots.PLOTS["paths"], rv.plots.PLOTS["histogram"]
    assert paths.caption_of({}) == "positions from the start to the end of a run"
    assert paths.caption_of({"at": {}, "quantity": "greedy"}) == "greedy play of learned policies"
    assert histogram.caption_of({"form": "means"}).startswith("means over sessions")
    assert histogram.caption_of({"quantity": "end_price"}) == histogram.title
    assert rv.plots.PLOTS["basins"].caption_of({"at": {}}) == rv.plots.PLOTS["basins"].title


# -- selecting a point ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_point_is_the_default_and_is_in_the_caption(run: xr.Dataset) -> None:
    assert picture(rv.plots.paths, run).caption == "reach = 0.17 (first of 3)"
    assert picture(rv.plots.paths, run, at={"reach": 0.25}).caption == "reach = 0.25"
    assert picture(rv.plots.paths, run, at={"reach": 0.21}).caption == "reach = 0.2"  # the nearest point


def test_coordinates_along_one_dimension_select_a_point() -> None:
    steps = {"a": ("point", [0.1, 0.1, 0.2]), "b": ("point", [1.0, 2.0, 1.0])}
    data = xr.Dataset({"safe": ("point", [7.0, 8.0, 9.0])}, coords={"point": [0, 1, 2], **steps})
    assert in_step(data, {"a": 0.1, "b": 2.0, "player": 0}) == {"point": 1, "player": 0}
    assert in_step(data, {"a": 0.1}) == {"a": 0.1}
    assert point(data, "safe", 0, at={"b": 1.0, "a": 0.2})["safe"] == 9.0
    with pytest.raises(NoSuchPoint, match=r"no point has a = 0.2, b = 2.0"):
        in_step(data, {"a": 0.2, "b": 2.0})


@pytest.mark.slow
def test_a_secondary_coordinate_selects_a_point(run: xr.Dataset) -> None:
    data = run.assign_coords(width=("reach", [5.0, 6.0, 7.0]))
    assert picture(rv.plots.paths, data, at={"width": 6}).caption == "reach = 0.2"


@pytest.mark.slow
def test_points_without_data_are_skipped(run: xr.Dataset) -> None:
    holes = run.copy(deep=True)
    holes["path"][0] = np.nan
    assert picture(rv.plots.paths, holes).caption == "reach = 0.2 (first of 3)"


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ({"raech": 0.2}, "at.raech: no coordinate of this data; did you mean 'reach'?"),
        ({"algorithm": "flow"}, "at.algorithm: 'flow' is none of climb"),
        ({"reach": 0.1}, "at.reach: 0.1 must be in 0.17 to 0.25"),
        ({"reach": "wide"}, "at.reach: 'wide' is none of 0.17, 0.2, 0.25"),
    ],
)
def test_errors_name_an_unknown_point(run: xr.Dataset, at: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="at") as caught:
        rv.plots.paths(run, at=at)
    assert str(caught.value) == message


def test_a_single_solution_needs_no_point() -> None:
    found = point(dataset(ascent(0.2)), "path", 3, ("claim",), keep=("replication",))
    assert (found["path"].shape, found.words) == ((1, 101, 3, 1), "")
    assert found.certified() is not None


def test_padding_after_the_last_value_at_a_point_is_cut_and_gaps_are_kept() -> None:
    path = np.full((2, 4, 3), np.nan)
    path[0, [0, 2], :2] = [[1.0, 2.0], [3.0, 4.0]]
    path[1] = 5.0
    data = xr.Dataset({"path": (("reach", "step", "player"), path)}, {"reach": [0.1, 0.2]})
    found = point(data, "path", 2, at={"reach": 0.1})["path"]
    np.testing.assert_array_equal(found, [[1.0, 2.0], [np.nan, np.nan], [3.0, 4.0]])
    found[:] = 0.0
    np.testing.assert_array_equal(data.path, path)  # arrays of a point are copies
    assert point(data, "path", 2, at={"reach": 0.2})["path"].shape == (4, 3)
    assert point(data, "path", 2, keep=("reach", "replication"))["path"].shape == (2, 1, 4, 3)


def test_own_dimensions_are_recognised_by_name_without_a_rank() -> None:
    reward = np.arange(24.0).reshape(2, 3, 4)
    data = xr.Dataset({"reward": (("gamma", "sample", "player"), reward)}, {"gamma": [0.5, 0.9]})
    found = point(data, "reward", None, at={"gamma": 0.9})
    np.testing.assert_array_equal(found["reward"], reward[1])
    assert point(data, "reward", 2, at={"gamma": 0.9}).words == found.words == "discount factor = 0.9"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("learning_curve", {"quantity": "regret"}, "no variable 'regret_curve', which this plot draws"),
    ("learning_curve", {"methods": ["climb"]}, "methods: one method is drawn; compare = true draws several"),
    ("bifurcation", {"methods": ["climb"]}, "methods: one method is drawn; compare = true draws several"),
    ("bifurcation", {"over": "reech"}, "over: 'reech' is not swept; did you mean 'reach'"),
    ("landscape", {"player": 3}, "player: 3 must be a whole number from 0 to 2"),
    ("paths", {"at": {"method": "climb"}}, "^at.method: is called algorithm: write at="),
    ("paths", {"ax": "left"}, "ax: 'left' must be Matplotlib axes"),
    ("paths", {"axis": 9}, "^axis: 9 must be"),
    ("policy", {}, "no variable 'policy', .*; no method made it"),
]


@pytest.mark.parametrize(("kind", "options", "message"), REFUSED)
def test_a_refused_plot_has_one_message_and_no_figure(
    run: xr.Dataset, kind: str, options: dict[str, Any], message: str
) -> None:
    before = plt.get_fignums()
    with pytest.raises(ValueError, match=message):
        getattr(rv.plots, kind)(run, **options)
    assert plt.get_fignums() == before


def test_replications_without_a_number_do_not_count_in_the_band() -> None:
    values = np.array([[1.0, np.nan], [2.0, np.nan], [6.0, 4.0], [np.nan, np.nan]])
    mean, half = band(values)
    np.testing.assert_array_equal(mean, [3.0, 4.0])
    known = values[:3, 0]
    np.testing.assert_allclose(half, [stats.t.ppf(0.975, 2) * stats.sem(known), 0.0])


def test_position_compares_numbers_with_tolerance_and_text_exactly() -> None:
    assert position(np.array([0.1, 0.1 + 0.2]), 0.3) == 1
    assert position(np.array([0.1]), "0.1") is None
    assert position(np.array(["a", "b"]), "b") == 1
    assert position(np.array([1, 2]), True) is None


def test_band_is_the_student_t_interval() -> None:
    values = np.random.default_rng(1).normal(size=(7, 3))
    mean, half = band(values)
    low, high = stats.t.interval(0.95, 6, values.mean(axis=0), stats.sem(values, axis=0))
    np.testing.assert_allclose(mean - half, low)
    np.testing.assert_allclose(mean + half, high)
    assert not band(values[:1])[1].any()


# -- drawing ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_paths_show_positions_with_hollow_uncertified_ends(run: xr.Dataset) -> None:
    ax = rv.plots.paths(run, at={"reach": 0.17})
    curves = line(ax, "player 1")
    np.testing.assert_array_equal(curves.get_ydata(), run.path.values[0, 0, 0, :, 1, 0])
    np.testing.assert_array_equal(curves.get_xdata(), run.path_step.values[0, 0, 0])
    assert line(ax, "end, not an equilibrium").get_markerfacecolor() == "white"
    certified = rv.plots.paths(run, at={"reach": 0.25})
    assert line(certified, "end, certified").get_markerfacecolor() != "white"
    bare = rv.plots.paths(dataset({k: v for k, v in ascent(0.25).items() if k.startswith("path")}))
    assert "end, no certificate" in labels(bare)


@pytest.mark.slow
def test_replications_are_drawn_as_mean_band_and_n() -> None:
    starts = [(0.1, 0.4, 0.9), (0.1, 0.5, 0.9), (0.2, 0.4, 0.9)]
    rows = [({"replication": k}, ascent(0.2, start)) for k, start in enumerate(starts)]
    short = rows[2][1]  # one that converged early is extended at its last value
    short["path"] = (short["path"][0], short["path"][1][:60])
    short["path_step"] = (short["path_step"][0], short["path_step"][1][:60])
    ax = rv.plots.paths(collect(rows, {"replication": [0, 1, 2]}))
    assert ax.get_title(loc="left") == "n = 3 replications, mean and 95 % band"
    last = [rows[0][1]["path"][1][-1, 0, 0], rows[1][1]["path"][1][-1, 0, 0], short["path"][1][-1, 0, 0]]
    assert line(ax, "player 0").get_ydata()[-1] == pytest.approx(np.mean(last))
    assert len(ax.collections) == 3


def plane(players: int = 2, steps: int = 5) -> xr.Dataset:
    path = np.random.default_rng(0).uniform(size=(steps, players, 2))
    return dataset({"path": (("step", "player", "axis"), path), "claim": ((), np.asarray("equilibrium"))})


def replicated(count: int = 2) -> xr.Dataset:
    draws = np.random.default_rng(1).uniform(size=(count, 6, 2, 1))
    rows = [
        ({"replication": k}, {"path": (("step", "player", "axis"), path)}) for k, path in enumerate(draws)
    ]
    return collect(rows, {"replication": list(range(count))})


def test_one_replication_can_be_selected() -> None:
    data = replicated()
    axes = rv.plots.paths(data, at={"replication": 1})
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), data.path.values[1, :, 0, 0])
    assert axes.get_title(loc="left") == "replication = 1"


def test_a_wide_band_does_not_set_the_axis_limits() -> None:
    data = replicated()
    low, high = rv.plots.paths(data).get_ylim()
    assert high - low < 1.2 * float(np.ptp(data.path.values))


def test_the_step_axis_is_logarithmic_for_log_spaced_steps() -> None:
    for steps, scale in ((np.r_[0, 2 ** np.arange(20)], "symlog"), (np.arange(21), "linear")):
        walk = xr.Dataset({"path": (("step", "player", "axis"), np.zeros((21, 2, 1)))})
        walk["path_step"] = ("step", steps)
        assert rv.plots.paths(walk).get_xscale() == scale


def test_paths_of_probabilities_are_drawn_against_steps() -> None:
    half = np.full((5, 2, 2), 0.5)
    axes = rv.plots.paths(xr.Dataset({"path": (("step", "player", "axis"), half)}))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "probability")
    assert axes.get_legend_handles_labels()[1][1] == "player 0, action 1"


@pytest.mark.slow
def test_paths_with_two_axes_are_drawn_in_the_plane() -> None:
    data = plane()
    ax = rv.plots.paths(data)
    np.testing.assert_array_equal(line(ax, "player 0").get_xdata(), data.path.values[:, 0, 0])
    assert {"start", "end, certified"} <= set(labels(ax))
    assert rv.plots.paths(data, axis=1, log=True).get_xlabel() == "step"
    with pytest.raises(ValueError, match="axis: 2 must be a whole number from 0 to 1"):
        rv.plots.paths(data, axis=2)


def test_shares_and_payoffs_match_the_data(run: xr.Dataset) -> None:
    x = run.profile.values[1, 0, 0, :, 0]
    curves = line(rv.plots.shares(run, at={"reach": 0.2}), "player 2")
    np.testing.assert_array_equal(curves.get_xdata(), POINTS)
    np.testing.assert_allclose(curves.get_ydata(), shares(x, 0.2)[2])
    last = line(rv.plots.paths(run, quantity="payoff", at={"reach": 0.2}), "player 2").get_ydata()[-1]
    assert last == pytest.approx(payoffs(x, 0.2)[2])


def test_landscape_shows_the_profile_and_the_best_response(run: xr.Dataset) -> None:
    ax = rv.plots.landscape(run, at={"reach": 0.17}, player=1)
    assert labels(ax) == ["player 1", "present profile, not an equilibrium", "best response"]
    stars = [found for found in ax.get_lines() if found.get_marker() == "*" and len(found.get_xdata())]
    assert stars[0].get_xdata()[0] == run.landscape_best.values[0, 0, 0, 1, 0]


def test_bifurcation_marks_threshold_and_end_points(run: xr.Dataset) -> None:
    ax = rv.plots.bifurcation(run)
    assert ax.get_xlabel() == "reach"
    assert f"threshold {THRESHOLD:.6g}" in labels(ax)
    assert {"stable point", "stable point, not an equilibrium"} <= set(labels(ax))
    assert "threshold" not in " ".join(labels(rv.plots.bifurcation(run, thresholds=None)))
    with pytest.raises(ValueError, match="no parameter swept over numbers"):
        rv.plots.bifurcation(run.isel(reach=0, drop=True))


def test_bifurcation_draws_cycle_ranges_and_dashed_unstable_points() -> None:
    rows = []
    reaches = np.linspace(0.1, 0.2, 11).tolist()
    for k, reach in enumerate(reaches):
        nothing = np.full((2, 1), np.nan)
        record = {
            "profile": (("player", "axis"), np.array([[0.3], [0.7]])),
            "end_state": ((), np.asarray("cycle" if k < 2 else "unstable_point" if k < 5 else "moving")),
            "cycle_low": (("player", "axis"), nothing if k > 1 else np.array([[0.2], [0.6]])),
            "cycle_high": (("player", "axis"), nothing if k > 1 else np.array([[0.4], [0.8]])),
        }
        rows.append(({"reach": reach}, record))
    ax = rv.plots.bifurcation(collect(rows, {"reach": reaches}))
    assert {"cycle, not certified", "unstable point, not certified", "range of a cycle"} <= set(labels(ax))
    dashed = [found for found in ax.get_lines() if found.get_linestyle() == "--" and len(found.get_xdata())]
    assert [list(found.get_xdata()) for found in dashed] == [reaches[2:5]] * 2
    assert [list(segment[:, 1]) for segment in ax.collections[0].get_segments()] == [[0.2, 0.4]] * 2


def test_bifurcation_of_the_second_axis_without_cycles() -> None:
    nothing = np.full((3, 2, 2), np.nan)
    record = {
        "profile": (("batch", "player", "axis"), np.random.default_rng(3).uniform(size=(3, 2, 2))),
        "claim": (("batch",), np.array(["equilibrium", "local equilibrium", "not an equilibrium"])),
        "cycle_low": (("batch", "player", "axis"), nothing),
        "cycle_high": (("batch", "player", "axis"), nothing),
    }
    ax = rv.plots.bifurcation(
        collect([({"reach": r}, record) for r in (0.1, 0.2)], {"reach": [0.1, 0.2]}), axis=1
    )
    assert ax.get_title(loc="left") == "axis 1 · n = 3 runs per value"
    assert "range of a cycle" not in labels(ax)


@pytest.mark.slow
def test_padding_of_absent_players_is_not_drawn() -> None:
    """In a sweep over the number of players, only the players present at a point are drawn."""
    two, four = ascent(0.25, (0.1, 0.9), 100), ascent(0.25, (0.1, 0.4, 0.7, 0.9), 100)
    data = collect([({"players": 2}, two), ({"players": 4}, four)], {"players": [2, 4]})
    for kind in ("paths", "shares", "landscape"):
        curves = labels(getattr(rv.plots, kind)(data, at={"players": 2}))
        assert len([text for text in curves if text.startswith("player")]) == 2, kind
        plt.close("all")
    with pytest.raises(ValueError, match="players: 3 is none of 2, 4"):
        rv.plots.paths(data, at={"players": 3})


def test_thresholds_that_vary_with_the_parameter_are_not_drawn(run: xr.Dataset) -> None:
    many = xr.concat([run.assign_coords(reach=run.reach + 0.3 * k) for k in range(3)], "reach")
    many["threshold"] = many.threshold + 0.01 * many.reach
    assert not [text for text in labels(rv.plots.bifurcation(many)) if text.startswith("threshold")]


def test_strategies_are_bars_filled_if_certified() -> None:
    record = {
        "profile": (("player", "axis"), np.array([[0.6, 0.4], [0.4, 0.6]])),
        "claim": ((), np.asarray("equilibrium")),
    }
    ax = rv.plots.strategies(dataset(record))
    assert [bar.get_height() for bar in ax.patches] == [0.6, 0.4, 0.4, 0.6]
    assert to_hex(ax.patches[0].get_facecolor()) == PALETTE[0].lower()
    record["claim"] = ((), np.asarray("not an equilibrium"))
    hollow = rv.plots.strategies(dataset(record))
    assert to_hex(hollow.patches[0].get_facecolor()) == "#ffffff"


def test_strategies_of_several_methods_have_a_panel_each() -> None:
    profile = np.array([[[0.6, 0.4], [0.4, 0.6]], [[1.0, 0.0], [0.0, 1.0]], np.full((2, 2), np.nan)])
    claims = ["equilibrium", "not an equilibrium", ""]
    data = xr.Dataset(
        {"profile": (("algorithm", "player", "axis"), profile), "claim": ("algorithm", claims)},
        {"algorithm": ["mixed", "learner", "list"]},
    )
    ax = rv.plots.strategies(data, compare=True)
    assert [panel.get_title() for panel in ax.child_axes] == ["mixed", "learner"]
    heights = [[bar.get_height() for bar in panel.patches] for panel in ax.child_axes]
    assert heights == [[0.6, 0.4, 0.4, 0.6], [1.0, 0.0, 0.0, 1.0]]
    known = [text.get_text() for text in ax.get_legend().get_texts()]
    players = ["player 0", "player 1"]
    assert known == [*players, *(f"{name}, not an equilibrium" for name in players)]
    with pytest.raises(ValueError, match=r"at\.algorithm: this plot draws all methods"):
        rv.plots.strategies(data, compare=True, at={"algorithm": "mixed"})
    with pytest.raises(ValueError, match="no method has a 'profile'"):
        rv.plots.strategies(data.isel(algorithm=[2]), compare=True)


@pytest.mark.slow
def test_regret_curve_has_logarithmic_axes_with_plain_numbers() -> None:
    record = {
        "regret_step": (("sample",), np.array([1, 10, 100])),
        "regret_curve": (("sample",), 0.1 ** np.arange(3)),
    }
    ax = rv.plots.learning_curve(dataset(record), quantity="regret")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    ax.figure.canvas.draw()
    assert "10" in [text.get_text() for text in ax.get_xticklabels()]


@pytest.mark.parametrize("kind", ["influence", "shares", "landscape"])
def test_two_dimensional_data_are_drawn_in_the_plane(kind: str) -> None:
    side = np.linspace(0, 1, 6)
    positions = np.stack([grid.ravel() for grid in np.meshgrid(side, side)], axis=1)
    fade = np.exp(-(((positions[None] - np.array([[[0.2, 0.3]], [[0.8, 0.6]]])) ** 2).sum(axis=2)) / 0.1)
    data = dataset(
        {
            "influence": (("row", "point"), fade),
            "shares": (("row", "point"), fade / fade.sum(axis=0)),
            "resource": (("point",), fade[0]),
            "resource_points": (("point", "coordinate"), positions),
            "profile": (("player", "axis"), np.array([[0.2, 0.3], [0.8, 0.6]])),
            "landscape": (("player", "grid_point"), fade),
            "landscape_at": (("grid_point", "coordinate"), positions),
            "landscape_best": (("player", "axis"), positions[fade.argmax(axis=1)]),
        }
    )
    ax = getattr(rv.plots, kind)(data)
    assert "axis 0" in ax.get_xlabel()
    assert ax.get_aspect() == 1.0


def test_scattered_points_and_a_uniform_resource_are_drawn() -> None:
    positions = np.random.default_rng(2).uniform(size=(30, 2))
    data = dataset(
        {
            "shares": (("row", "point"), np.full((2, 30), 0.5)),
            "resource": (("point",), np.ones(30)),
            "resource_points": (("point", "coordinate"), positions),
        }
    )
    assert "resource" not in labels(rv.plots.shares(data))
    with pytest.raises(ValueError, match="3 coordinates; only one or two can be drawn"):
        rv.plots.shares(data.assign(resource_points=(("point", "three"), np.zeros((30, 3)))))


def test_colours_are_distinct_for_many_players() -> None:
    assert colours(3) == list(PALETTE[:3])
    assert len(set(colours(16))) == 16
    assert SIZE[0] > SIZE[1]


@pytest.mark.slow
def test_dollar_signs_in_labels_are_not_parsed_as_math() -> None:
    data = collect([({"pay $x": 1.0}, ascent(0.2, steps=100))], {"pay $x": [1.0]})
    wide = xr.concat([data, data.assign_coords({"pay $x": [2.0]})], "pay $x")
    assert b"<svg" in picture(rv.plots.bifurcation, wide).svg


def test_errors_name_missing_plot_data_and_the_call_for_it(run: xr.Dataset) -> None:
    bare = run[["profile", "claim"]]
    with pytest.raises(ValueError, match=r"'shares', .* rv\.view\(game, 'shares', profile\) makes it"):
        rv.plots.shares(bare)
    with pytest.raises(ValueError, match=r"no variable 'policy', .* known: claim, profile"):
        rv.plots.policy(bare)


def test_a_plot_without_its_data_names_the_plot_of_what_is_there() -> None:
    """Logit equilibria have a profile, too, but the branch is what was computed."""
    branch = rv.solve(rv.games.matrix("chicken"), rv.methods.QuantalResponse(max_lambda=1.0))
    with pytest.raises(ValueError, match=r"'path', .*; no method made it; rv\.plots\.logit_branch draws"):
        rv.plots.paths(branch)
    equilibria = rv.solve(rv.games.matrix("chicken"), rv.methods.PureEquilibria())
    with pytest.raises(ValueError, match=r"no method made it; rv\.plots\.strategies draws these data"):
        rv.plots.paths(equilibria)


def test_axis_labels_use_the_names_of_the_game() -> None:
    walk = xr.Dataset({"path": (("step", "player", "axis"), np.ones((3, 2, 2)))})
    assert rv.plots.paths(walk).get_ylabel() == "axis 1: position (units of the space)"
    named = walk.assign(axis_name=("axis", np.array(["position", "reach"])))
    assert rv.plots.paths(named).get_ylabel() == "reach (units of the space)"
    assert "player 1, reach" in labels(rv.plots.paths(named, space=False))


def test_learning_curves_are_compared_with_methods_that_do_not_learn() -> None:
    over = ("algorithm", "replication")
    rewards = np.full((3, 2, 4, 2), np.nan)
    rewards[0] = np.arange(8.0).reshape(4, 2)
    rewards[1, :, :2] = [[1.0, 3.0], [2.0, 4.0]]
    clock = np.broadcast_to(np.array([0.0, 400.0, 800.0, 1200.0]), (3, 2, 4))
    data = xr.Dataset(
        {
            "learning_reward": ((*over, "sample", "player"), rewards),
            "learning_step": ((*over, "sample"), clock),
            "payoff": ((*over, "player"), np.full((3, 2, 2), 5.0)),
            "claim": (over, [["not an equilibrium"] * 2] * 2 + [["equilibrium"] * 2]),
        },
        coords={"algorithm": ["ppo", "tables", "reply"], "replication": [0, 1]},
    )
    ax = rv.plots.learning_curve(data, compare=True)
    assert labels(ax) == ["ppo", "tables", "reply: 5"]
    curves = {str(line.get_label()): line.get_xydata() for line in ax.get_lines()}
    np.testing.assert_array_equal(curves["ppo"], [[400, 2.5], [800, 4.5], [1200, 6.5]])
    np.testing.assert_array_equal(curves["tables"], [[400, 3.0]])
    assert len(ax.get_lines()) == 2 * 3 + 1  # each of the two replications is drawn
    one = rv.plots.learning_curve(
        data, compare=True, player=1, methods=["ppo"], lines={"Cournot": 6.0}, floor=2.0
    )
    assert one.get_ylim()[0] == 2.0
    np.testing.assert_array_equal(one.get_lines()[-2].get_ydata(), [3.0, 5.0, 7.0])
    assert labels(one) == ["ppo", "Cournot (6)"]
    with pytest.raises(ValueError, match="player: 2 must be"):
        rv.plots.learning_curve(data, compare=True, player=2)
    with pytest.raises(NoSuchPoint):
        rv.plots.learning_curve(data, compare=True, methods=["reply"])


@pytest.mark.slow
def test_learning_curves_of_zero_regrets_have_no_logarithmic_axis(recwarn: pytest.WarningsRecorder) -> None:
    """Hedge begins at the equilibrium of rock, paper, scissors, and stays there."""
    found = rv.solve(rv.games.matrix("rock_paper_scissors"), rv.methods.Hedge(), max_steps=50)
    assert not found.data.regret_curve.any()
    axes = rv.plots.learning_curve(found, quantity="regret")
    axes.figure.canvas.draw()
    assert axes.get_yscale() == "linear"
    assert not [one for one in recwarn if "log-scaled" in str(one.message)]
