"""Plots of metrics over parameters: panels, heat maps, frontiers, bars, learning curves."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import rivalry as rv
from rivalry.plots.marks import PALETTE, colours
from rivalry.plots.metrics import is_log
from rivalry.plots.select import NoSuchPoint
from rivalry.plots.style import picture
from tests.figure_elements import labels, lines

PRICES, SIZES = [0.1, 0.2, 0.3], [1.0, 2.0]


def swept(claims: object = "equilibrium") -> xr.Dataset:
    """Three prices by two sizes; efforts of two players, and the probability of safety."""
    price, size = np.array(PRICES)[:, None], np.array(SIZES)
    safe = size / (size + price)
    effort = (price * size)[..., None] * np.array([1.0, 3.0])
    dims = ("price", "size")
    return xr.Dataset(
        {
            "p_safe": (dims, safe),
            "safety_input": ((*dims, "player"), effort),
            "performance": ((*dims, "period", "player"), np.stack([effort, 2 * effort], axis=2)),
            "claim": (dims, np.broadcast_to(np.asarray(claims), safe.shape)),
        },
        {"price": PRICES, "size": SIZES},
    )


# -- one parameter -------------------------------------------------------------------------------------


def test_one_panel_per_metric_and_one_line_per_player() -> None:
    data = swept()
    ax = rv.plots.scenario(data, at={"size": 1}, period=1)
    assert [panel.get_title() for panel in ax.child_axes] == [
        "safety input",
        "performance",
        "probability of a safe\nwin",
    ]
    first, second, third = ax.child_axes
    np.testing.assert_allclose(lines(first, "_line")[1].get_ydata(), data.safety_input.values[:, 0, 1])
    np.testing.assert_allclose(lines(second, "_line")[0].get_ydata(), data.performance.values[:, 0, 1, 0])
    np.testing.assert_allclose(lines(third, "_line")[0].get_ydata(), data.p_safe.values[:, 0])
    assert labels(ax) == ["player 0", "player 1", "all players"]
    assert ax.get_title(loc="left") == "size = 1 · period 1"
    assert first.get_xlabel() == "price"


def test_a_second_parameter_is_drawn_as_lines_up_to_seven() -> None:
    data = swept()
    ax = rv.plots.scenario(data, quantities=["p_safe"])
    (panel,) = ax.child_axes
    assert labels(ax)[:2] == ["size = 1", "size = 2"]
    assert "first of" not in ax.get_title(loc="left")
    for k, line in enumerate(lines(panel, "_line")):
        np.testing.assert_allclose(line.get_ydata(), data.p_safe.values[:, k])
    drawn = {str(part.get_gid()).split("-")[1] for part in panel.get_children() if part.get_gid()}
    assert drawn == {"0", "1"}
    eight = xr.concat([data.p_safe.isel(size=0)] * 8, "size").assign_coords(size=range(8)).to_dataset()
    eight["claim"] = (
        xr.full_like(eight.p_safe, 0.0).astype(str).copy(data=np.full((8, len(PRICES)), "equilibrium"))
    )
    assert "(first of 8)" in rv.plots.scenario(eight, over="price").get_title(loc="left")


def test_an_entry_of_a_metric_is_drawn_by_its_index() -> None:
    data = swept().isel(size=0, drop=True)
    data["steady_state"] = (("price", "state"), np.array([[1.0, 2.0, 5.0]] * 3) * np.array(PRICES)[:, None])
    for state, factor in enumerate((1.0, 2.0, 5.0)):
        ax = rv.plots.scenario(data, over="price", quantities=["steady_state"], at={"state": state})
        (panel,) = ax.child_axes
        np.testing.assert_allclose(panel.get_lines()[0].get_ydata(), factor * np.array(PRICES))
    with pytest.raises(ValueError, match=r"at\.state: 3 must be a whole number from 0 to 2"):
        rv.plots.scenario(data, over="price", quantities=["steady_state"], at={"state": 3})


def test_a_second_parameter_sets_colours_and_players_set_dashes() -> None:
    data = swept()
    ax = rv.plots.scenario(data, over="price", series="size", quantities=["safety_input"])
    (panel,) = ax.child_axes
    assert labels(ax) == ["size = 1", "size = 2", "player 0", "player 1"]
    curves = lines(panel, "_line")
    assert [line.get_color() for line in curves] == [colours(2)[0]] * 2 + [colours(2)[1]] * 2
    assert [line.get_linestyle() for line in curves] == ["-", "--"] * 2
    np.testing.assert_allclose(curves[3].get_ydata(), data.safety_input.values[:, 1, 1])


@pytest.mark.slow
def test_only_certified_neighbours_are_joined_and_others_are_hollow() -> None:
    claims = [["equilibrium"] * 2, ["equilibrium"] * 2, ["not an equilibrium"] * 2]
    ax = rv.plots.scenario(swept(claims), quantities=["p_safe"], at={"size": SIZES[0]})
    (panel,) = ax.child_axes
    assert [line.get_xdata().tolist() for line in lines(panel, "_line")] == [PRICES[:2]]
    assert [mark.get_markerfacecolor() == "white" for mark in lines(panel, "_points")] == [False, True]
    assert "hollow: not an equilibrium" in labels(ax)
    assert picture(rv.plots.scenario, swept(claims)).hollow
    assert not picture(rv.plots.scenario, swept()).hollow
    assert picture(rv.plots.scenario, swept().drop_vars("claim")).hollow


def test_lines_are_broken_at_jumps_but_not_at_steep_slopes() -> None:
    x = np.linspace(0.0, 1.0, 21)
    steep, split = np.tanh(8 * (x - 0.5)), np.where(x < 0.52, x / 5, 2 + x / 5)
    data = xr.Dataset(
        {"payoff": (("x", "player"), np.stack([steep, split], axis=1)), "claim": ("x", ["equilibrium"] * 21)},
        {"x": x},
    )
    ax = rv.plots.scenario(data)
    (panel,) = ax.child_axes
    assert [len(line.get_xdata()) for line in lines(panel, "_line")] == [21, 11, 10]
    (jump,) = lines(panel, "_discontinuity")
    assert jump.get_xdata()[0] == pytest.approx(0.525)
    assert "discontinuity" in labels(ax)
    slope = xr.Dataset({"p_safe": ("x", 1 / x[4:]), "claim": ("x", ["equilibrium"] * 17)}, {"x": x[4:]})
    assert "discontinuity" not in labels(rv.plots.scenario(slope.assign(p_safe=slope.p_safe**6)))


def test_axes_are_logarithmic_for_equal_ratios_and_wide_ranges() -> None:
    assert is_log(np.array([1.0, 2.0, 4.0, 8.0]))
    assert is_log(np.array([0.01, 0.02, 1.0]))
    assert not is_log(np.array([1.0, 2.0, 3.0, 4.0]))
    assert not is_log(np.array([0.0, 0.1, 10.0]), log=True)
    assert rv.plots.scenario(swept(), quantities=["p_safe"], log=True).child_axes[0].get_xscale() == "log"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantities": ["psafe"]}, "quantities: 'psafe' is not in this data; did you mean 'p_safe'?"),
        ({"quantities": []}, "quantities: none is named"),
        ({"series": "sise"}, "series: 'sise' is not swept; did you mean 'size'?"),
        ({"series": "price"}, "series: 'price' goes in step with 'price'"),
        ({"series": "size", "at": {"size": 1.0}}, "at.size: every value of it is drawn"),
        ({"over": "cost"}, "over: 'cost' is not swept"),
        ({"quantities": ["performance"], "period": 2}, "period: 2 must be a whole number from 0 to 1"),
    ],
)
def test_errors_name_the_wrong_option(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        rv.plots.scenario(swept(), **options)


# -- two parameters ------------------------------------------------------------------------------------


def test_heat_map_hatches_uncertified_points_and_marks_missing_ones() -> None:
    claims = np.array([["equilibrium"] * 2] * 3, dtype=object)
    claims[2, 1] = "not an equilibrium"
    data = swept(claims)
    data["p_safe"][0, 0] = np.nan
    ax = rv.plots.heat(data, over=["size", "price"])
    np.testing.assert_array_equal(np.ma.filled(ax.collections[0].get_array(), np.nan), data.p_safe.values)
    doubted = [patch for patch in ax.patches if patch.get_label() == "_region"]
    assert [patch.get_hatch() for patch in doubted] == ["////"]
    np.testing.assert_allclose(doubted[0].get_xy().min(axis=0), [1.5, 0.25])
    borders = [line for line in lines(ax, "_line") if not line.get_gid()]
    assert len(borders) == 2
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["hatched: not an equilibrium", "no result"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size", "price")
    sound = data.p_safe.values[claims == "equilibrium"]
    assert ax.collections[0].get_clim() == (np.nanmin(sound), np.nanmax(sound))


@pytest.mark.parametrize(
    ("values", "extend"),
    [([1, 2, 3], "neither"), ([0, 2, 3], "min"), ([9, 2, 3], "max"), ([0, 2, 3, 9], "both")],
)
def test_colour_bars_end_in_points_below_uncertified_values(values: list[int], extend: str) -> None:
    """Values 0 and 9 are not certified, and the colours span 1 (or 2) to 3."""
    table = np.array([values, [1.0, *values[1:3], *values[3:]]])
    claims = np.where(np.isin(table, (0, 9)), "not an equilibrium", "equilibrium")
    dims = ("up", "across")
    data = xr.Dataset(
        {"p_safe": (dims, table), "claim": (dims, claims)}, {"up": [1, 2], "across": range(len(values))}
    )
    mesh = rv.plots.heat(data, over=["across", "up"]).collections[0]
    assert mesh.colorbar.extend == extend
    assert mesh.get_clim() == (1, 3)


def test_cells_on_a_logarithmic_scale_meet_at_geometric_means() -> None:
    data = swept().assign_coords(price=[0.1, 1.0, 10.0])
    corners = rv.plots.heat(data, over=["price", "size"]).collections[0].get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], 10.0 ** np.array([-1.5, -0.5, 0.5, 1.5]))
    np.testing.assert_allclose(corners[:, 0, 1], [0.5, 1.5, 2.5])


def test_heat_map_of_one_player_with_all_points_certified() -> None:
    ax = rv.plots.heat(swept(), quantity="safety_input", player=1)
    np.testing.assert_allclose(ax.collections[0].get_array(), swept().safety_input.values[..., 1].T)
    assert ax.get_title(loc="left") == "player 1"
    assert ax.get_legend() is None
    with pytest.raises(ValueError, match="player: 2 must be a whole number from 0 to 1"):
        rv.plots.heat(swept(), quantity="safety_input", player=2)
    with pytest.raises(ValueError, match="over: 'price' must be two swept coordinates"):
        rv.plots.heat(swept(), over="price")
    with pytest.raises(ValueError, match="'price' and 'price' go in step"):
        rv.plots.heat(swept(), over=["price", "price"])
    with pytest.raises(NoSuchPoint, match="no parameter swept over numbers"):
        rv.plots.heat(swept().isel(size=0, drop=True))


# -- comparison of results -----------------------------------------------------------------------------


def test_safety_frontier_uses_the_expected_performance_of_the_winner() -> None:
    chance, level = np.array([[0.25, 0.5], [0.5, 0.5]]), np.array([[2.0, 4.0], [1.0, 3.0]])
    data = xr.Dataset(
        {
            "performance": (("algorithm", "player"), level),
            "win_probability": (("algorithm", "player"), chance),
            "p_disaster": ("algorithm", [0.3, 0.1]),
            "claim": ("algorithm", ["equilibrium", "local equilibrium"]),
        },
        {"algorithm": ["together", "leader"]},
    )
    ax = rv.plots.safety_frontier(data)
    marks = lines(ax, "_points")
    np.testing.assert_allclose(
        np.concatenate([mark.get_xydata() for mark in marks]), [[10 / 3, 0.3], [2, 0.1]]
    )
    assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False, True]
    assert labels(ax) == ["together", "leader", "hollow: not certified"]
    staged = rv.plots.safety_frontier(
        data.rename(player="seat")
    )  # leader-follower results have the dimension seat
    np.testing.assert_allclose(lines(staged, "_points")[0].get_xydata(), [[10 / 3, 0.3]])
    mean = lines(rv.plots.safety_frontier(data.drop_vars("win_probability")), "_points")
    assert [mark.get_xdata()[0] for mark in mean] == [3.0, 2.0]
    with pytest.raises(
        ValueError, match="over: 'algorithn' tells no results apart; did you mean 'algorithm'"
    ):
        rv.plots.safety_frontier(data, over="algorithn")
    with pytest.raises(ValueError, match="no variable 'p_disaster', which this plot draws"):
        rv.plots.safety_frontier(xr.Dataset())


def test_performance_is_weighted_by_the_probability_of_each_period() -> None:
    p = np.array([[[1.0, 1.0], [5.0, 5.0]]])
    data = xr.Dataset(
        {
            "performance": (("algorithm", "period", "player"), p),
            "win_probability": (("algorithm", "period", "player"), np.full((1, 2, 2), 0.5)),
            "alive": (("algorithm", "stage"), [[1.0, 0.25, 0.1]]),
            "p_disaster": ("algorithm", [0.2]),
        },
        {"algorithm": ["together"]},
    )
    (mark,) = lines(rv.plots.safety_frontier(data), "_points")
    assert mark.get_xdata()[0] == pytest.approx((1 + 0.25 * 5) / 1.25)


def test_subsidies_per_price_and_player() -> None:
    names = ["safety_price[0]", "safety_price[1]", "performance_price[0]", "performance_price"]
    claims = ["equilibrium"] * 3 + ["not an equilibrium"]
    data = xr.Dataset(
        {
            "slope_p_safe": ("algorithm", [-1.0, 2.0, -3.0, 4.0]),
            "parameter_name": ("algorithm", names),
            "claim": ("algorithm", claims),
        }
    )
    ax = rv.plots.subsidy(data)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["safety_price", "performance_price"]
    assert labels(ax)[:3] == ["all players", "player 0", "player 1"]
    heights = [round(float(bar.get_height()), 9) for bar in ax.patches if np.isfinite(bar.get_height())]
    assert heights == [-4.0, 1.0, 3.0, -2.0]
    faces = {
        round(float(bar.get_height())): to_hex(bar.get_facecolor())
        for bar in ax.patches
        if bar.get_height() < 0
    }
    assert faces == {-4: "#ffffff", -2: PALETTE[2].lower()}


@pytest.mark.slow
def test_policies_are_compared_with_a_baseline() -> None:
    data = swept()
    ax = rv.plots.subsidy(data.isel(size=0), over="price")
    expected = data.p_safe.values[1:, 0] - data.p_safe.values[0, 0]
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], expected)
    assert ax.get_title(loc="left") == "beside price = 0.1"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.2", "0.3"]
    each = rv.plots.subsidy(data, quantity="safety_input", over="price")
    assert labels(each) == ["player 0", "player 1"]
    steps = data.isel(size=0).rename(price="own").assign_coords(other=("own", [1.0, 1.0, 2.0]))
    stepwise = rv.plots.subsidy(steps)
    assert [text.get_text() for text in stepwise.get_xticklabels()] == ["own = 0.2", "own = 0.3\nother = 2"]
    counted = steps.rename(own="point").assign_coords(point=[0, 1, 2], own=("point", PRICES))
    assert rv.plots.subsidy(counted).get_title(loc="left") == "beside other = 1, own = 0.1"


def test_risk_by_information() -> None:
    enmity = np.array([0.25, 0.5, 1.0])
    risk = np.stack([enmity / 4, enmity / 2], axis=1)
    names = ["none", "public"]
    claims = np.full(risk.shape, "equilibrium")
    dims = ("enmity", "information")
    data = xr.Dataset(
        {"risk": (dims, risk), "claim": (dims, claims)}, {"enmity": enmity, "information": names}
    )
    ax = rv.plots.precipice(data)
    assert labels(ax) == names
    np.testing.assert_allclose(lines(ax, "_line")[1].get_ydata(), risk[:, 1])
    assert ax.get_ylabel() == "risk of a disaster"
    with pytest.raises(ValueError, match="no variable 'risk', which this plot draws"):
        rv.plots.precipice(data.drop_vars("risk").rename_vars())


# -- learning ------------------------------------------------------------------------------------------


def learned() -> xr.Dataset:
    """Two learners with two replications each, and a solver that found an equilibrium."""
    steps = np.tile([1, 10, 100], (3, 2, 1))
    safe = np.array([[[0.5, 0.6, 0.7], [0.5, 0.7, 0.9]], [[0.4, 0.5, 0.6]] * 2, [[np.nan] * 3] * 2])
    gaps = np.where(np.isnan(safe), np.nan, 1 - safe)
    dims = ("algorithm", "replication", "sample")
    claims = np.array([["not an equilibrium"] * 2] * 2 + [["equilibrium"] * 2])
    return xr.Dataset(
        {
            "p_safe_curve": (dims, safe),
            "regret_curve": (dims, gaps),
            "regret_step": (dims, np.where(np.isnan(safe), -1, steps)),
            "p_safe": (dims[:2], [[0.7, 0.9], [0.6, 0.6], [0.8, 0.8]]),
            "claim": (dims[:2], claims),
        },
        {"algorithm": ["hedge", "matching", "replies"], "replication": [0, 1]},
    )


def learning(data: xr.Dataset, ax: Axes | None = None, **options: Any) -> Axes:
    return rv.plots.learning_curve(data, ax, **{"quantity": "p_safe", "compare": True} | options)


@pytest.mark.slow
def test_learners_are_compared_with_the_equilibrium() -> None:
    ax = learning(learned())
    assert labels(ax) == ["hedge", "matching", "replies: 0.8"]
    np.testing.assert_allclose(lines(ax, "hedge")[0].get_ydata(), [0.5, 0.65, 0.8])
    (found,) = lines(ax, "replies: 0.8")
    assert (found.get_ydata()[0], found.get_linestyle()) == (0.8, "--")
    low = next(other for other in ax.figure.axes if other is not ax)
    np.testing.assert_allclose(lines(low, "_matching")[0].get_ydata(), [0.6, 0.5, 0.4])
    assert (low.get_xlabel(), low.get_yscale()) == ("period", "log")
    assert ax.get_title(loc="left").split(" · ") == [
        "horizontal lines: probability of a safe win",
        "n = 2 replications, each thin, mean thick",
    ]
    assert not picture(learning, learned()).hollow


@pytest.mark.slow
def test_a_single_learner_is_drawn_without_a_method_dimension() -> None:
    alone = learned().isel(algorithm=0, replication=0, drop=True).drop_vars("regret_curve")
    ax = learning(alone)
    assert labels(ax) == ["learning"]
    assert ax.figure.axes == [ax]
    assert learning(learned(), methods=["matching"]).get_legend().get_texts()[0].get_text() == "matching"
    with pytest.raises(ValueError, match="methods: 'hedg' is not in this data; did you mean 'hedge'"):
        learning(learned(), methods=["hedg"])
    with pytest.raises(ValueError, match="methods: this data has no methods to pick from"):
        learning(alone, methods=["hedge"])
    with pytest.raises(ValueError, match="no method has p_safe_curve here"):
        learning(learned(), methods=["replies"])
    with pytest.raises(ValueError, match="no variable 'p_disaster_curve', which this plot draws"):
        learning(learned(), quantity="p_disaster")


def test_players_whose_curves_coincide_have_one_line() -> None:
    payoff = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    data = xr.Dataset(
        {"payoff": (("price", "player"), payoff), "claim": ("price", ["equilibrium"] * 3)},
        {"price": [0.1, 0.2, 0.3]},
    )
    ax = rv.plots.scenario(data, quantities=["payoff"])
    (panel,) = ax.child_axes
    assert len([line for line in panel.get_lines() if line.get_label() == "_line"]) == 1
    assert (labels(ax), ax.get_title(loc="left")) == ([], "both players")
    apart = data.assign(payoff=data["payoff"] * xr.DataArray([1.0, 1.1], dims="player"))
    assert labels(rv.plots.scenario(apart, quantities=["payoff"])) == ["player 0", "player 1"]


def test_the_first_number_after_a_plateau_is_joined_only_where_later_steps_are_as_large() -> None:
    x = np.linspace(0.2, 1.0, 9)
    fold = np.where(x < 0.59, 0.0, (x + np.sqrt(np.maximum(x**2 - 0.36, 0.0))) / 2)  # x = k x^2/(x^2 + .09)
    kink = np.maximum(x - 0.5, 0.0)
    data = xr.Dataset(
        {"payoff": (("x", "player"), np.stack([fold, kink], axis=1)), "claim": ("x", ["equilibrium"] * 9)},
        {"x": x},
    )
    (panel,) = rv.plots.scenario(data).child_axes
    assert [len(line.get_xdata()) for line in lines(panel, "_line")] == [4, 5, 9]
