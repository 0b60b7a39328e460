"""Plots of schedules, best responses and moves: lines, markers and dots."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from matplotlib import rc_context
from matplotlib.figure import Figure

import rivalry as rv
from rivalry.plots.charts.best_responses import crossings
from rivalry.plots.marks import PALETTE, colours
from rivalry.plots.style import SIZE, STYLE, picture
from rivalry.solving.path_data import path_view
from tests.figure_elements import labels, lines
from tests.small_games import cournot

PERIODS, PLAYERS = 4, 2


def plan(claim: str = "equilibrium") -> xr.Dataset:
    """Four periods; the last investment and player 1's inputs after period 1 have no effect."""
    clock = np.arange(PERIODS)[:, None]
    known = np.ones((PLAYERS, PERIODS, 3), bool)
    known[:, -1, 2] = False
    known[1, 2:, :2] = False
    return xr.Dataset(
        {
            "safety_input": (("period", "player"), 1.0 + clock + np.arange(PLAYERS)),
            "performance_input": (("period", "player"), 2.0 * np.ones((PERIODS, PLAYERS))),
            "performance_investment": (("period", "player"), (3.0 - clock) * np.ones(PLAYERS)),
            "identified": (("player", "axis"), known.reshape(PLAYERS, -1)),
            "safety_stock": (("stage", "player"), 10.0 + np.arange(PERIODS + 1)[:, None] * np.ones(PLAYERS)),
            "alive": (("stage",), 0.5 ** np.arange(PERIODS + 1)),
            "claim": ((), np.asarray(claim)),
        }
    )


@pytest.mark.slow
def test_titles_of_panels_do_not_overlap() -> None:
    swept = xr.Dataset(
        {name: ("price", [0.2, 0.4]) for name in ("technology_safety", "p_safe_given_win", "p_safe")},
        {"price": [1.0, 2.0]},
    )
    for plot, data in (
        (rv.plots.technology, plan().assign(performance_stock=plan().safety_stock)),
        (rv.plots.schedule, plan()),
        (partial(rv.plots.scenario, quantities=list(swept)), swept),
    ):
        with rc_context(STYLE):
            figure = Figure(figsize=SIZE, layout="constrained")
            small = plot(data, figure.add_subplot()).child_axes
            figure.canvas.draw()
        titles = [panel.title.get_window_extent() for panel in small]
        assert len(titles) == 3
        assert not any(one.overlaps(two) for one, two in pairwise(titles))
        assert not any(title.overlaps(panel.get_window_extent()) for title in titles for panel in small)


# -- schedules ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_schedule_has_one_panel_per_column_and_dots_unidentified_inputs() -> None:
    data = plan()
    ax = rv.plots.schedule(data)
    first, _, third = ax.child_axes
    np.testing.assert_array_equal(lines(first, "_player 0")[0].get_ydata(), data.safety_input.values[:, 0])
    values = lines(first, "_player 1")[0].get_ydata()
    np.testing.assert_array_equal(values, [2.0, 3.0, np.nan, np.nan])
    np.testing.assert_array_equal(lines(first, "_points")[1].get_ydata(), values)
    _, dotted = lines(first, "_line")
    assert dotted.get_linestyle() == ":"
    np.testing.assert_array_equal(dotted.get_ydata(), data.safety_input.values[:, 1])
    assert len(lines(third, "_line")) == 2
    assert labels(ax) == ["player 0", "player 1", "dotted: without effect"]
    assert [panel.get_xlabel() for panel in ax.child_axes] == ["period"] * 3


@pytest.mark.slow
def test_markers_of_a_schedule_are_hollow_if_not_certified() -> None:
    sound, doubted = (rv.plots.schedule(plan(claim)) for claim in ("equilibrium", "not an equilibrium"))
    faces = [lines(ax.child_axes[0], "_points")[0].get_markerfacecolor() for ax in (sound, doubted)]
    assert faces == [PALETTE[0], "white"]
    assert not picture(rv.plots.schedule, plan()).hollow
    assert picture(rv.plots.schedule, plan("not an equilibrium")).hollow


@pytest.mark.slow
def test_a_schedule_of_one_period_and_wrong_shapes() -> None:
    once = xr.Dataset({"safety_input": ("player", [1.0, 2.0]), "performance_input": ("player", [3.0, 4.0])})
    np.testing.assert_array_equal(
        lines(rv.plots.schedule(once).child_axes[1], "_points")[1].get_ydata(), [4.0]
    )
    with pytest.raises(ValueError, match=r"identified: shape \(2, 12\) must be \(2, 8\)"):
        rv.plots.schedule(plan().drop_vars("performance_investment"))
    with pytest.raises(ValueError, match="no variable 'safety_input', which this plot draws"):
        rv.plots.schedule(xr.Dataset())


def test_technology_shows_stocks_and_the_continuation_probability() -> None:
    ax = rv.plots.technology(plan())
    assert [panel.get_title() for panel in ax.child_axes] == [
        "safety productivity A",
        "probability that play continues",
    ]
    stock, alive = ax.child_axes
    np.testing.assert_array_equal(lines(stock, "_player 0")[0].get_ydata(), plan().safety_stock.values[:, 0])
    np.testing.assert_array_equal(lines(alive, "_line")[0].get_ydata(), plan().alive.values)
    with pytest.raises(ValueError, match="no variable 'safety_stock', which this plot draws"):
        rv.plots.technology(xr.Dataset())


# -- best responses ------------------------------------------------------------------------------------


def surface(claim: str = "equilibrium") -> xr.Dataset:
    xs, xp = np.geomspace(0.01, 10, 31), np.geomspace(0.1, 100, 41)
    payoff = -(np.log(xs)[:, None] ** 2) - np.log(xp / 3) ** 2
    return xr.Dataset(
        {
            "landscape_payoff": (
                ("player", "safety_level", "performance_level"),
                np.stack([payoff, 2 * payoff]),
            ),
            "landscape_safety_input": ("safety_level", xs),
            "landscape_performance_input": ("performance_level", xp),
            "landscape_best": (("player", "axis"), [[1.0, 3.0], [1.0, 3.0]]),
            "profile": (("player", "axis"), [[0.0, 5.0], [1.0, 3.0]]),
            "claim": ((), np.asarray(claim)),
        }
    )


@pytest.mark.slow
def test_payoff_landscape_marks_the_profile_and_the_best_response() -> None:
    ax = rv.plots.payoff_landscape(surface("not an equilibrium"))
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    (here,), (star,) = lines(ax, "present inputs, not an equilibrium"), lines(ax, "best response")
    assert here.get_xydata().tolist() == [[0.01, 5.0]]  # 0 is clipped to the lowest level
    assert star.get_xydata().tolist() == [[1.0, 3.0]]
    (other,) = lines(rv.plots.payoff_landscape(surface(), player=1), "present inputs")
    assert other.get_markerfacecolor() != "white"
    with pytest.raises(ValueError, match="player: 2 must be a whole number from 0 to 1"):
        rv.plots.payoff_landscape(surface(), player=2)


def test_colour_scale_ignores_very_low_payoffs() -> None:
    deep = surface()
    deep["landscape_payoff"][:, -1] = -1e6
    assert rv.plots.payoff_landscape(deep).child_axes[0].get_ylim()[0] > -200


@pytest.mark.slow
def test_colour_levels_are_finer_near_the_highest_payoff() -> None:
    contours = rv.plots.payoff_landscape(surface()).collections[0]
    assert (np.diff(np.diff(contours.levels)) < 0).all()


def test_logarithmic_axes_have_few_ticks() -> None:
    for high, most in ((0.1, 4), (0.01, 6)):
        r = np.array([0.001, high])
        data = xr.Dataset({"p_safe": ("r", r), "claim": ("r", ["equilibrium"] * 2)}, {"r": r})
        ax = rv.plots.scenario(data, over="r", quantities=["p_safe"])
        panel = ax.child_axes[0] if ax.child_axes else ax
        ticks = panel.get_xticks()
        assert 2 <= np.sum((ticks >= 0.999e-3) & (ticks <= 1.001 * high)) <= most


def test_best_response_curves_intersect_at_the_equilibrium() -> None:
    """Linear best responses x = 6 - y / 2 and y = 6 - x / 2 intersect at (4, 4)."""
    at = np.linspace(0.0, 10.0, 12)
    data = xr.Dataset(
        {
            "reaction": (("duellist", "grid_point"), np.stack([6 - at / 2, 6 - at / 2])),
            "reaction_at": (("duellist", "grid_point"), np.stack([at, at])),
            "reaction_here": ("duellist", [4.0, 4.0]),
            "reaction_player": ("duellist", [0, 2]),
            "reaction_column": ((), np.asarray("performance_input")),
            "claim": ((), np.asarray("equilibrium")),
        }
    )
    ax = rv.plots.reaction(data)
    np.testing.assert_allclose(lines(ax, "intersection")[0].get_xydata(), [[4.0, 4.0]])
    assert labels(ax) == [
        "best response of player 0",
        "best response of player 2",
        "intersection",
        "present profile",
    ]
    assert ax.get_ylabel() == "performance input of player 2"
    first = lines(ax, "best response of player 0")[0]
    np.testing.assert_allclose(first.get_xdata(), 6 - first.get_ydata() / 2)
    data.attrs["player_names"] = "leader\nfollower\nregulator"
    assert rv.plots.reaction(data).get_ylabel() == "performance input of regulator"
    with pytest.raises(ValueError, match="reaction: 1 players; must be two"):
        rv.plots.reaction(data.isel(duellist=[0]))


def test_jumps_of_a_best_response_are_dotted_on_log_axes() -> None:
    at = np.geomspace(1e-3, 10, 30)
    quits = np.where(at < 1, np.sqrt(at), 0.0)
    data = xr.Dataset(
        {
            "reaction": (("duellist", "grid_point"), np.stack([np.sqrt(at) / 2, quits])),
            "reaction_at": (("duellist", "grid_point"), np.stack([at, at])),
        }
    )
    ax = rv.plots.reaction(data)
    assert sum(mark.linestyle == ":" for mark in rv.plots.reaction.marks_of(data).marks) == 1
    assert ax.get_title(loc="left") == "0 lies on the edge"
    met = lines(ax, "intersection")[0].get_xydata()  # x = sqrt(y) / 2 and y = sqrt(x)
    assert np.abs(met / [0.25 ** (2 / 3), 0.25 ** (1 / 3)] - 1).max(axis=1).min() < 1e-6


def test_a_jump_of_a_best_response_is_not_an_intersection() -> None:
    at = np.linspace(0.0, 10.0, 21)
    responses = np.stack([np.full(21, 5.2), np.where(at < 5.1, 9.0, 1.0)])
    data = xr.Dataset(
        {
            "reaction": (("duellist", "grid_point"), responses),
            "reaction_at": (("duellist", "grid_point"), np.stack([at, at])),
        }
    )
    assert "intersection" not in labels(rv.plots.reaction(data))


def test_crossings_of_disjoint_curves_and_at_a_common_vertex() -> None:
    square = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    assert crossings(square, square + np.array([[0.0], [1.0]])).shape == (0, 2)
    across = np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    np.testing.assert_allclose(crossings(square, across), [[1.0, 1.0]])


def test_crossings_of_segments_solve_their_linear_equations() -> None:
    draws = np.random.default_rng(8).uniform(size=(200, 2, 2, 2))  # [case curve coordinate end]
    met = 0
    for one, two in draws:
        sides = np.stack([one[:, 1] - one[:, 0], two[:, 0] - two[:, 1]], axis=1)
        along = np.linalg.solve(sides, two[:, 0] - one[:, 0])
        found = crossings(one, two)
        if ((along >= 0) & (along <= 1)).all():
            met += 1
            np.testing.assert_allclose(found, [one[:, 0] + along[0] * sides[:, 0]], atol=1e-9)
        else:
            assert not len(found)
    assert 20 < met < 180


def test_curves_that_are_straight_in_logarithms_cross_there() -> None:
    x = np.array([0.1, 10.0])
    np.testing.assert_allclose(crossings(np.array([x, x]), np.array([x, 4 / x]), log=True), [[2.0, 2.0]])
    assert not np.allclose(crossings(np.array([x, x]), np.array([x, 4 / x])), 2.0)


def test_deviation_gains_by_first_investment() -> None:
    amounts = np.r_[0.0, np.geomspace(1e-3, 50, 20)]
    gain = np.stack([0.1 - amounts, -amounts])
    data = xr.Dataset(
        {
            "deviation_gain": (("player", "level"), gain),
            "deviation_at": (("player", "level"), np.stack([amounts, amounts])),
            "deviation_here": ("player", [24.0, 0.0]),
            "deviation_column": ((), np.asarray("performance_investment")),
        }
    )
    ax = rv.plots.deviation(data)
    np.testing.assert_array_equal(lines(ax, "player 0")[0].get_ydata(), gain[0])
    assert labels(ax)[2:] == ["current amount, not certified", "largest gain (0.1)"]
    assert sum(line.get_marker() == "*" and len(line.get_xdata()) > 0 for line in ax.get_lines()) == 1
    assert ax.get_xscale() == "symlog"
    assert "performance productivity" in ax.get_xlabel()
    calm = rv.plots.deviation(data.assign(deviation_gain=data.deviation_gain - 1))
    assert not any(label.startswith("largest gain") for label in labels(calm))


# -- moves ---------------------------------------------------------------------------------------------


def test_cycle_plot_shows_the_gains_of_movers_and_one_period() -> None:
    payoff = np.arange(56.0).reshape(28, 2)
    mover = np.tile([0, 1], 14)
    data = xr.Dataset(
        {
            "move_payoff": (("move", "player"), payoff),
            "move_gain": ("move", np.arange(28.0)),
            "move_player": ("move", mover),
            "cycle_rounds": ((), np.asarray(2)),
        }
    )
    ax = rv.plots.cycle(data)
    assert ax.get_title(loc="left") == "the last 24 of 28 moves"
    assert "one period of the cycle (4 moves)" in labels(ax)
    np.testing.assert_array_equal(lines(ax, "player 1")[0].get_ydata(), payoff[4:, 1])
    marks = rv.plots.cycle.marks_of(data).marks
    points = [mark for mark in marks if mark.kind == "points"]
    np.testing.assert_array_equal(points[1].x, np.arange(5, 28, 2))
    for k, bars in enumerate(mark for mark in marks if mark.kind == "bars"):
        assert bars.hue == colours(2)[k]
        np.testing.assert_array_equal(bars.x, np.arange(4 + k, 28, 2))
        np.testing.assert_array_equal(bars.y, np.arange(4 + k, 28, 2))


@pytest.mark.slow
def test_path_moves_split_steps_into_moves_of_single_players() -> None:
    """Two firms, price 10 - x_0 - x_1, unit cost 1, that change their quantities one after the other."""
    path = np.array([[[1.0], [2.0]], [[3.0], [4.0]], [[3.0], [3.0]]])
    stages = np.array([[1, 2], [3, 2], [3, 4], [3, 4], [3, 3]])
    worth = stages * (9.0 - stages.sum(axis=1, keepdims=True))
    record = {"path": (("step", "player", "axis"), path), "path_step": (("step",), np.arange(3))}
    found = path_view(cournot(2), record, "path_moves")
    assert found["move_player"][1].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(found["move_payoff"][1], worth[1:])
    np.testing.assert_allclose(found["move_gain"][1], np.diff(worth, axis=0)[[0, 1, 2, 3], [0, 1, 0, 1]])
    strided = record | {"path_step": (("step",), np.arange(3) * 2)}
    assert path_view(cournot(2), strided, "path_moves") == {}
