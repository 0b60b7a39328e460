"""Plots of many runs and of learners: end positions, basins, policies, rollouts, comparisons."""

import numpy as np
import pytest
import xarray as xr

import rivalry as rv
from rivalry.core.results import Record, collect, dataset
from tests.figure_elements import labels, lines

REACHES = [0.1, 0.2, 0.3]


def learned(trials: int = 30, seed: int = 0) -> Record:
    """A record of two Q-learners on a grid of five points."""
    draws = np.random.default_rng(seed)
    ends = draws.integers(0, 5, size=(trials, 2, 1)) / 4
    steps = np.arange(0, 1000, 100)
    reward = 1 - np.exp(-steps / 300)[:, None] * np.array([0.5, 0.7])
    return {
        "profile": (("player", "axis"), ends[0]),
        "claim": ((), np.asarray("not an equilibrium")),
        "end_positions": (("trial", "player", "axis"), ends),
        "end_mean": (("player", "axis"), ends.mean(axis=0)),
        "end_interval": (("player", "axis"), np.full((2, 1), 0.05)),
        "grid_equilibria": (("grid_equilibrium", "player", "axis"), np.array([[[0.25], [0.75]]])),
        "policy": (("trial", "player", "state"), draws.integers(0, 3, size=(trials, 2, 5))),
        "modal_policy": (("player", "state"), draws.integers(0, 3, size=(2, 5))),
        "action_grid": (("player", "state", "axis"), np.tile(np.linspace(0, 1, 5)[:, None], (2, 1, 1))),
        "rollout": (("rollout_step", "player", "axis"), draws.uniform(size=(7, 2, 1))),
        "learning_step": (("sample",), steps),
        "learning_reward": (("sample", "player"), reward),
        "learning_reward_band": (("sample", "player"), np.full((10, 2), 0.1)),
        "learning_distance": (("sample",), np.exp(-steps / 300)),
        "distance": ((), np.asarray(0.2)),
    }


def climbed(reach: float) -> Record:
    return {
        "profile": (("player", "axis"), np.array([[0.5 - reach], [0.5 + reach]])),
        "claim": ((), np.asarray("equilibrium")),
        "distance": ((), np.asarray(reach / 10)),
    }


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    """A gradient dynamic and a learner in one study."""
    rows = [({"reach": r, "algorithm": "climb"}, climbed(r)) for r in REACHES]
    rows += [({"reach": r, "algorithm": "q"}, learned(seed=k)) for k, r in enumerate(REACHES)]
    return collect(rows, {"reach": REACHES, "algorithm": ["climb", "q"]})


# -- ends ----------------------------------------------------------------------------------------------


def test_end_positions_are_counted_and_equilibria_marked() -> None:
    data = dataset(learned())
    ax = rv.plots.end_positions(data)
    marks = rv.plots.end_positions.marks_of(data).marks
    outlines = [mark for mark in marks if mark.kind == "line"]
    assert [mark.label for mark in outlines] == ["player 0", "player 1"]
    for player, outline in enumerate(outlines):
        counts = np.unique(data.end_positions.values[:, player, 0], return_counts=True)[1]
        assert sorted(set(outline.y)) == sorted({0, *counts})
    assert [list(mark.x) for mark in marks if mark.kind == "rule" and len(mark.x)] == [[0.25], [0.75]]
    assert ax.get_title(loc="left") == "n = 30 trials"
    with pytest.raises(ValueError, match="axis: 1 must be a whole number from 0 to 0"):
        rv.plots.end_positions(data, axis=1)


def test_end_positions_of_replications_mark_certified_profiles() -> None:
    rows = [({"replication": k}, climbed(0.1 * k)) for k in range(3)]
    ax = rv.plots.end_positions(data := collect(rows, {"replication": [0, 1, 2]}))
    refuted = data.assign(claim=data.claim.where(False, "not an equilibrium"))
    assert labels(rv.plots.end_positions(refuted)) == ["player 0", "player 1"]
    assert ax.get_title(loc="left") == "n = 3 runs"
    assert "certified equilibrium (3)" in labels(ax)
    with pytest.raises(ValueError, match="no variable 'profile', which this plot draws"):
        rv.plots.end_positions(xr.Dataset())


def starts(basin: list[int]) -> Record:
    start = np.random.default_rng(2).uniform(size=(len(basin), 3, 1))
    return {
        "start_profile": (("batch", "player", "axis"), start),
        "basin": (("batch",), np.array(basin)),
        "basin_count": (("basin",), np.bincount([k for k in basin if k >= 0])),
        "basin_profile": (
            ("basin", "player", "axis"),
            np.array([[[0.1], [0.2], [0.3]], [[0.6], [0.7], [0.8]]]),
        ),
    }


@pytest.mark.slow
def test_starts_are_coloured_by_end_point_and_counted() -> None:
    data = dataset(starts([0, 1, 0, 0, 1, -1]))
    ax = rv.plots.basins(data)
    assert {"end 0: 3 starts", "end 1: 2 starts", "no end: 1 starts"} <= set(labels(ax))
    curves = lines(ax, "end 1: 2 starts")[0].get_xydata()
    np.testing.assert_array_equal(curves, data.start_profile.values[[1, 4]][:, :2, 0])
    ends = [mark for mark in rv.plots.basins.marks_of(data).marks if mark.markersize == 12 and len(mark.x)]
    assert (ends[1].x, ends[1].y) == ([0.6], [0.7])
    with pytest.raises(ValueError, match="no variable 'basin'"):
        rv.plots.basins(data.drop_vars("basin"))


def test_basin_ends_are_filled_if_every_start_is_certified() -> None:
    claims = np.array(["equilibrium", "equilibrium", "equilibrium", "not an equilibrium"])
    record = starts([0, 1, 0, 1]) | {
        "claim": (("batch",), claims),
        "basin_kind": (("basin",), np.array(["stable_point", "cycle"])),
    }
    ax, marks = rv.plots.basins(dataset(record)), rv.plots.basins.marks_of(dataset(record)).marks
    assert [mark.hollow for mark in marks if mark.markersize == 12 and len(mark.x)] == [False, True]
    assert {"end 0 (stable point): 2 starts", "end point, not certified"} <= set(labels(ax))


def test_basins_at_one_point_of_a_run() -> None:
    rows = [({"reach": 0.1}, starts([0, 1, 0])), ({"reach": 0.2}, starts([0, 0, 1, 1]))]
    ax = rv.plots.basins(collect(rows, {"reach": [0.1, 0.2]}), at={"reach": 0.2})
    assert ax.get_title(loc="left") == "reach = 0.2 · n = 4 starts"


# -- learners ------------------------------------------------------------------------------------------


def test_policies_are_frequencies_over_trials() -> None:
    data = dataset(learned())
    ax = rv.plots.policy(data)
    for player, panel in enumerate(ax.child_axes[:2]):
        expected = (data.policy.values[:, player, :, None] == np.arange(3)).mean(axis=0)
        np.testing.assert_allclose(panel.collections[0].get_array(), expected)
    assert [text.get_text() for text in ax.child_axes[0].get_xticklabels()] == ["left", "stay", "right"]
    assert [text.get_text() for text in ax.child_axes[0].get_yticklabels()][1] == "0.25"
    assert ax.get_title(loc="left") == "n = 30 trials"
    modal = rv.plots.policy(data.drop_vars("policy")).child_axes[1].collections[0].get_array()
    np.testing.assert_array_equal(modal.argmax(axis=1), data.modal_policy.values[1])


def test_greedy_play_is_drawn_with_grid_equilibria() -> None:
    data = dataset(learned())
    ax = rv.plots.paths(data, quantity="greedy")
    np.testing.assert_array_equal(lines(ax, "player 1")[0].get_ydata(), data.rollout.values[:, 1, 0])
    assert [line.get_ydata()[0] for line in lines(ax, "_equilibrium")] == [0.25, 0.75]
    with pytest.raises(ValueError, match="axis: 3 must be a whole number from 0 to 0"):
        rv.plots.paths(data, quantity="greedy", axis=3)


def test_learning_curve_has_a_band_and_a_distance_panel() -> None:
    data = dataset(learned())
    ax = rv.plots.learning_curve(data)
    np.testing.assert_array_equal(lines(ax, "player 0")[0].get_ydata(), data.learning_reward.values[:, 0])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(data.learning_reward.values[0, 0] - 0.1)
    low = next(other for other in ax.figure.axes if other is not ax)
    assert low.get_ylabel().startswith("distance")
    np.testing.assert_array_equal(low.get_lines()[0].get_ydata(), data.learning_distance.values)
    assert ax.get_title(loc="left") == "n = 30 trials, mean and 95 % band"
    bare = rv.plots.learning_curve(data.drop_vars("learning_distance"))
    assert bare.figure.axes == [bare]


# -- comparison of methods -----------------------------------------------------------------------------


def test_end_points_of_methods_are_compared_with_distances(run: xr.Dataset) -> None:
    ax = rv.plots.bifurcation(run, compare=True)
    words = {"95 % interval of the mean", "end point of a trial", "hollow: not certified, as no mean is"}
    assert {"climb", "q, mean of trials", *words} <= set(labels(ax))
    marks = rv.plots.bifurcation.marks_of(run, compare=True).marks
    ends = [mark for mark in marks if mark.markersize == 4.5]
    np.testing.assert_allclose(ends[0].y, 0.5 - np.array(REACHES))
    assert not ends[0].hollow
    np.testing.assert_allclose(ends[2].y, run.end_mean.values[:, 1, 0, 0])
    trials = run.end_positions.values[0, 1]
    pale = next(mark for mark in marks if mark.alpha == 0.3)
    np.testing.assert_array_equal(pale.y, np.unique(trials))
    assert ends[2].hollow  # a mean over trials is not a profile that was played
    low = next(other for other in ax.figure.axes if other is not ax)
    assert low.get_xlabel() == "reach"
    np.testing.assert_allclose(low.get_lines()[0].get_ydata(), np.array(REACHES) / 10)
    np.testing.assert_allclose(low.get_lines()[1].get_ydata(), 0.2)


def test_methods_are_selected_by_name(run: xr.Dataset) -> None:
    ax = rv.plots.bifurcation(run.drop_vars("distance"), compare=True, methods=["climb"])
    assert labels(ax) == ["climb"]
    assert ax.get_xlabel() == "reach"
    with pytest.raises(ValueError, match="'clim' is not in this data"):
        rv.plots.bifurcation(run, compare=True, methods=["clim"])
    with pytest.raises(ValueError, match="this plot draws several; pick them"):
        rv.plots.bifurcation(run, compare=True, at={"algorithm": "q"})
    with pytest.raises(ValueError, match="methods: this data has no methods to pick from"):
        rv.plots.bifurcation(run.isel(algorithm=0, drop=True), compare=True, methods=["climb"])


def test_data_without_methods_are_drawn_as_one_series(run: xr.Dataset) -> None:
    ax = rv.plots.bifurcation(run.isel(algorithm=0, drop=True)[["profile", "claim"]], compare=True)
    assert labels(ax) == ["runs"]


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        ("basins", "start_profile"),
        ("cycle", "move_payoff"),
        ("deviation", "deviation_gain"),
        ("impulse_response", "impulse"),
        ("learning_curve", "learning_reward"),
        ("payoff_landscape", "landscape_payoff"),
        ("policy", "policy"),
        ("reaction", "reaction"),
        ("resource", "resource"),
        ("spectrum", "eigenvalues_real"),
        ("stability_window", "scan_stable"),
        ("ternary", "profile"),
        ("valuation_path", "end_payoff"),
    ],
)
def test_errors_name_the_missing_variable(kind: str, variable: str) -> None:
    with pytest.raises(ValueError, match="which this plot draws") as caught:
        getattr(rv.plots, kind)(xr.Dataset({"payoff": ("player", np.zeros(2))}))
    assert str(caught.value).startswith(f"data: no variable {variable!r}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "variable"),
    [
        ({"quantity": "gradient"}, "path_gradients"),
        ({"quantity": "greedy"}, "rollout"),
        ({"quantity": "payoff"}, "path_payoffs"),
        ({"space": "cube"}, "path"),
    ],
)
def test_errors_of_paths_name_the_missing_variable(options: dict[str, str], variable: str) -> None:
    with pytest.raises(ValueError, match=rf"data: no variable '{variable}', which this plot draws"):
        rv.plots.paths(xr.Dataset({"payoff": ("player", np.zeros(2))}), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantity": "payofs"}, "quantity: 'payofs' is none; did you mean 'payoff'"),
        ({"space": "plane"}, "space: 'plane' must be true, false, 'cube' or 'diagonal'"),
    ],
)
def test_wrong_options_of_paths_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rv.plots.paths(dataset(learned()), **options)


def test_end_positions_on_a_grid_are_bars_centred_on_its_points() -> None:
    ends = np.array([[[0.0], [0.5]], [[0.25], [0.5]], [[0.25], [0.25]]])
    data = xr.Dataset({"end_positions": (("trial", "player", "axis"), ends)})
    outline = next(mark for mark in rv.plots.end_positions.marks_of(data).marks if mark.kind == "line")
    high = outline.x[outline.y == 2]
    assert (high.min(), high.max()) == pytest.approx((0.15, 0.35))


@pytest.mark.slow
def test_captions_mention_hollow_markers_only_if_drawn() -> None:
    from rivalry.plots.style import picture

    data = dataset(learned())
    assert not picture(rv.plots.policy, data).hollow
    assert not picture(rv.plots.paths, data, quantity="greedy").hollow
    walk = xr.Dataset({"path": (("step", "player", "axis"), np.zeros((3, 2, 1))), "claim": "equilibrium"})
    assert not picture(rv.plots.paths, walk).hollow
    assert picture(rv.plots.paths, walk.assign(claim="not an equilibrium")).hollow
