"""Plots of sessions, deviations, values and benchmarks match the stored data."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from scipy import stats

import rivalry as rv
from rivalry.plots.charts.histogram import base_of, samples
from rivalry.plots.select import NoSuchPoint
from tests.figure_elements import half_width, labels, lines

GAINS = np.random.default_rng(3).uniform(0.4, 1.0, 30)
NAMES = ["learning", "learning-gamma_zero", "learning-random"]


def learned() -> xr.Dataset:
    """A learner with 30 sessions and two controls, one of them with 20."""
    gains = np.stack([GAINS, np.append(GAINS[:20] - 0.4, np.full(10, np.nan)), np.full(30, 0.5)])
    payoff = 0.2 + 0.1 * gains[..., None] + np.array([0.01, -0.01])
    own = ("algorithm", "replication", "session")
    return xr.Dataset(
        {
            "pooled_gain": (own, gains[:, None]),
            "end_payoff": ((*own, "player"), payoff[:, None]),
            "nash_payoff": (("algorithm", "replication", "player"), np.full((3, 1, 2), 0.2)),
            "joint_payoff": (("algorithm", "replication", "player"), np.full((3, 1, 2), 0.3)),
        },
        {"algorithm": NAMES, "replication": [0]},
    )


def heights(panel: Axes) -> np.ndarray:
    return np.array([bar.get_height() for bar in panel.containers[0]])


# -- sessions ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_profit_gain_histogram_with_mean_and_interval() -> None:
    ax = rv.plots.histogram(learned(), lines={"published (0.85)": 0.85})
    # twice the root of 30 sessions
    expected = np.histogram(GAINS, np.linspace(GAINS.min(), GAINS.max(), 11))[0] / 30
    np.testing.assert_allclose(heights(ax), expected)
    (mean,) = (line for line in ax.get_lines() if str(line.get_label()).startswith("mean"))
    np.testing.assert_allclose(mean.get_xdata(), GAINS.mean())
    outline = ax.patches[-1].get_path().vertices[:, 0]
    np.testing.assert_allclose(np.ptp(outline) / 2, half_width(GAINS))
    for name, place in (("Nash equilibrium", 0.0), ("joint maximum", 1.0), ("published (0.85)", 0.85)):
        assert lines(ax, name)[0].get_xdata()[0] == place
    assert ax.get_ylabel() == "share of sessions (n = 30)"


def test_controls_are_panels_on_one_scale_without_padding() -> None:
    ax = rv.plots.histogram(learned(), controls=True)
    assert len(ax.child_axes) == 3
    assert len({panel.get_xlim() for panel in ax.child_axes}) == 1
    np.testing.assert_allclose([heights(panel).sum() for panel in ax.child_axes], 1.0)
    assert [panel.texts[0].get_text().split("\n")[::2] for panel in ax.child_axes] == [
        ["learning", "n = 30"],
        ["discount factor 0", "n = 20"],
        ["random play", "n = 30"],
    ]


@pytest.mark.parametrize("form", ["bars", "means"])
def test_sessions_without_a_method_dimension_are_drawn_once(form: str) -> None:
    ax = rv.plots.histogram(learned().isel(algorithm=0, drop=True), form=form)
    assert not ax.child_axes
    assert len(ax.containers) == (form == "bars")
    assert len(lines(ax, "_points")) == (form == "means")


def test_identical_values_are_one_bar() -> None:
    ax = rv.plots.histogram(learned(), methods=["learning-random"])
    assert heights(ax).tolist() == [1.0]
    assert "mean 0.5" in labels(ax)


def test_payoff_histogram_shows_nash_and_joint_maximum() -> None:
    ax = rv.plots.histogram(learned(), quantity="payoff")
    np.testing.assert_allclose(heights(ax).sum(), 1.0)
    assert lines(ax, "Nash equilibrium (0.2)")[0].get_xdata()[0] == pytest.approx(0.2)
    assert lines(ax, "joint maximum (0.3)")[0].get_xdata()[0] == pytest.approx(0.3)
    (mean,) = (line for line in ax.get_lines() if str(line.get_label()).startswith("mean"))
    np.testing.assert_allclose(mean.get_xdata(), 0.2 + 0.1 * GAINS.mean())
    assert ax.get_xlabel() == "payoff (over the limit cycle)"


def test_last_payoffs_are_preferred_and_any_metric_can_be_drawn() -> None:
    data = learned()
    data["last_payoff"] = data["end_payoff"] * 2
    assert rv.plots.histogram(data, quantity="payoff").get_xlabel() == "payoff (over the last periods)"
    data["last_payoff"][:] = np.nan
    assert rv.plots.histogram(data, quantity="payoff").get_xlabel() == "payoff (over the limit cycle)"
    ax = rv.plots.histogram(data, quantity="pooled_gain", lines={"random": 0.5})
    assert lines(ax, "random")[0].get_xdata()[0] == 0.5
    assert "Nash equilibrium (0.2)" not in labels(ax)


def test_a_learner_is_listed_before_its_controls() -> None:
    data = learned().isel(algorithm=[1, 0, 2])
    ax = rv.plots.histogram(data, form="means")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        "learning",
        "discount factor 0",
        "random play",
    ]
    marks = rv.plots.histogram.marks_of(data, form="means").marks
    means = [mark.x[0] for mark in marks if mark.kind == "points"]
    np.testing.assert_allclose(means, [GAINS.mean(), GAINS[:20].mean() - 0.4, 0.5])
    interval = next(mark for mark in marks if mark.low is not None)
    np.testing.assert_allclose((interval.high - interval.low) / 2, half_width(GAINS))
    assert lines(ax, "Nash equilibrium")[0].get_xdata()[0] == 0.0


@pytest.mark.slow
def test_without_profit_gains_controls_are_compared_by_payoffs() -> None:
    bare = learned().drop_vars(["pooled_gain", "nash_payoff", "joint_payoff"])
    ax = rv.plots.histogram(bare, form="means")
    np.testing.assert_allclose(lines(ax, "_points")[2].get_xdata()[0], 0.25)
    assert ax.get_xlabel() == "payoff (over the limit cycle)"
    assert labels(ax) == []


def test_samples_pool_replications_and_drop_integer_padding() -> None:
    data = xr.Dataset({"periods": (("replication", "session"), [[5, 7], [9, -1]])}, {"replication": [0, 1]})
    (one,), _ = samples(data, "periods")
    assert sorted(one.values) == [5, 7, 9]
    assert base_of("far-random", ["learning"]) == ""


# -- deviations ----------------------------------------------------------------------------------------


def departed() -> xr.Dataset:
    """Three players; the deviator cuts its price at once, its rivals one period later."""
    path = np.full((3, 5, 3), 1.8)
    for one in range(3):
        path[one, 0, one], path[one, 1] = 1.6, 1.5
    dims = ("deviator", "turn", "player")
    base = np.broadcast_to(1.8 + 0.01 * np.arange(3), path.shape)
    price = np.full((4, 3), 1.8)
    return xr.Dataset(
        {
            "impulse": (dims, path),
            "impulse_base": (dims, base),
            "end_action": (("session", "player"), price),
            "end_price": (("session", "player"), price),
        }
    )


def test_impulse_responses_begin_before_the_deviation() -> None:
    ax = rv.plots.impulse_response(departed(), deviator=1)
    (own,) = lines(ax, "player 1, deviates")
    np.testing.assert_allclose(own.get_xdata(), [-1, 0, 1, 2, 3, 4])
    np.testing.assert_allclose(own.get_ydata(), [1.81, 1.6, 1.5, 1.8, 1.8, 1.8])
    base = lines(ax, "_line")[2]
    assert base.get_linestyle() == "--"
    np.testing.assert_allclose(base.get_ydata(), 1.82)
    assert labels(ax)[::2] == ["player 0, a rival", "player 2, a rival"]
    assert ax.get_ylabel() == "price, mean over sessions"


# -- values --------------------------------------------------------------------------------------------


def test_a_constant_cash_flow_adds_up_to_its_perpetuity() -> None:
    data = xr.Dataset({"end_payoff": (("session", "player"), [[9.0, 4.0], [11.0, 6.0]])})
    ax = rv.plots.valuation_path(data, gamma=[0.95, 0.5], periods=20)
    paid, beyond, ends, _ = rv.plots.valuation_path.marks_of(data, gamma=[0.95, 0.5], periods=20).marks
    np.testing.assert_allclose(paid.y[:, 0], 200 * (1 - 0.95 ** np.arange(21)))
    np.testing.assert_allclose(beyond.y, [paid.y[-1], [200.0, 10.0]])
    np.testing.assert_allclose(ends.y, [[200.0, 10.0]])
    assert labels(ax)[0] == "player 0: 200, 35.8 % terminal"


def test_growth_beyond_the_last_period_gives_the_gordon_value() -> None:
    """Cash flows 100, 120, 140 at r = 10 %, then perpetual growth of 3 %: 84 % of the value is terminal."""
    data = xr.Dataset({"cash_flow_path": (("period", "player"), [[100.0], [120.0], [140.0]])})
    ax = rv.plots.valuation_path(data, gamma=1 / 1.1, growth=0.03)
    assert labels(ax) == ["player 0: 2027.27, 84 % terminal"]


def test_stored_values_and_discount_factors_are_used() -> None:
    game = rv.games.market(
        intercept=10.0,
        slope=2.0,
        unit_cost=0.0,
        gamma=0.96,
        adjustment="predetermined",
        adjustment_cost=120.0,
        initial=1.0,
    )
    data = rv.solve(game, rv.methods.LinearQuadratic(solution="markov_perfect")).data
    ax = rv.plots.valuation_path(data, periods=30)
    flows = data["cash_flow_path"].values[:30, 0]
    np.testing.assert_allclose(
        lines(ax, labels(ax)[0])[0].get_ydata()[1:], np.cumsum(0.96 ** np.arange(30) * flows)
    )
    ends = rv.plots.valuation_path.marks_of(data, periods=30).marks[2]
    np.testing.assert_allclose(ends.y[0, 0], 133.33093, rtol=1e-7)


FLOWS = xr.Dataset({"cash_flow_path": (("period", "player"), np.ones((3, 2)))})
OF_HISTOGRAMS: list[tuple[dict[str, Any], str]] = [
    ({"quantity": "end_price"}, "quantity: 'end_price' is not in this data; known: end_payoff, pooled"),
    ({"quantity": "nash_payoff"}, "quantity: 'nash_payoff' must have a value for each session"),
    ({"methods": ["learn"]}, "methods: 'learn' is not in this data; did you mean 'learning'?"),
    ({"methods": "learning"}, "methods: 'learning' must be a list of names"),
    ({"form": "boxes"}, "form: 'boxes' must be 'bars' or 'means'"),
    ({"at": {"method": "learning"}}, 'at.method: is called algorithm: write at={"algorithm": "NAME"}'),
    ({"at": {"algorithm": "klein"}}, "at.algorithm: 'klein' is none of"),
]
OF_VALUES: list[tuple[dict[str, Any], str]] = [
    ({}, "gamma: None must be a number, or one per player; this data holds no discount"),
    ({"gamma": 1.0}, r"gamma: 1 must be in \[0, 1\)"),
    ({"gamma": [0.9] * 3}, "gamma: 3 numbers must be one, or 2, one per player"),
    ({"gamma": 0.95, "growth": 0.06}, "growth: 0.06 must be below r = 0.0526316 of gamma 0.95"),
    ({"gamma": 0.9, "periods": 0}, "periods: 0 must be at least 1"),
    ({"gamma": 0.9, "periods": 9}, "periods: 9 must be at most 3, which are stored"),
]
REFUSED: list[tuple[str, xr.Dataset, dict[str, Any], str]] = [
    *(("histogram", learned(), *case) for case in OF_HISTOGRAMS),
    *(("valuation_path", FLOWS, *case) for case in OF_VALUES),
    ("impulse_response", departed(), {"deviator": 3}, "deviator: 3 must be a whole number from 0 to 2"),
]


@pytest.mark.parametrize(("kind", "data", "options", "message"), REFUSED)
def test_wrong_options_are_refused(
    kind: str, data: xr.Dataset, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(rv.plots, kind)(data, **options)


def test_data_without_values_are_refused() -> None:
    with pytest.raises(NoSuchPoint, match="no method has pooled_gain here"):
        rv.plots.histogram(learned().where(False), quantity="pooled_gain")


# -- best responses, learning curves, gains over parameters --------------------------------------------


@pytest.mark.slow
def test_benchmarks_are_marked_among_best_responses() -> None:
    ax = rv.plots.reaction(rv.view(rv.games.market(), "reaction", jnp.full((2, 1), 30.0)))
    visible = {name: lines(ax, name)[0].get_xydata()[0].tolist() for name in labels(ax)[3:-1]}
    assert visible == {
        "Nash (30, 30)": pytest.approx([30.0, 30.0]),
        "Stackelberg (45, 22.5)": pytest.approx([45.0, 22.5]),
        "cartel (22.5, 22.5)": pytest.approx([22.5, 22.5]),
        "competitive (45, 45)": pytest.approx([45.0, 45.0]),
    }
    assert ax.get_xlabel() == "quantity of player 0"


def test_learning_curves_have_bands_over_replications() -> None:
    curves = np.random.default_rng(5).normal(size=(4, 6, 2))
    choice = np.arange(48.0).reshape(4, 6, 2, 1)
    data = xr.Dataset(
        {
            "learning_reward": (("replication", "sample", "player"), curves),
            "learning_choice": (("replication", "sample", "player", "axis"), choice),
            "learning_step": (("replication", "sample"), np.tile(10 * np.arange(6), (4, 1))),
        },
        {"replication": range(4)},
    )
    ax = rv.plots.learning_curve(data, lines={"cartel": 0.5})
    np.testing.assert_allclose(lines(ax, "player 1")[0].get_ydata(), curves.mean(axis=0)[:, 1])
    np.testing.assert_allclose(lines(ax, "player 1")[0].get_xdata(), 10 * np.arange(6))
    edge = ax.collections[1].get_paths()[0].vertices[:, 1]
    upper = (curves.mean(axis=0) + stats.t.ppf(0.975, 3) * stats.sem(curves, axis=0))[:, 1]
    assert np.isclose(edge[:, None], upper, atol=1e-12).any(axis=0).all()
    assert lines(ax, "cartel (0.5)")[0].get_ydata()[0] == 0.5
    assert ax.get_title(loc="left") == "n = 4 replications, mean and 95 % band"
    one = rv.plots.learning_curve(data, quantity="choice", at={"replication": 2})
    np.testing.assert_array_equal(lines(one, "player 0")[0].get_ydata(), choice[2, :, 0, 0])
    with pytest.raises(ValueError, match="no variable 'price_curve', which this plot draws"):
        rv.plots.learning_curve(data, quantity="price")
    with pytest.raises(ValueError, match="axis: 1 must be a whole number from 0 to 0"):
        rv.plots.learning_curve(data, quantity="choice", axis=1)


@pytest.mark.slow
def test_runs_of_a_learner_are_drawn_with_their_band() -> None:
    data = rv.solve(rv.games.market(), rv.methods.Directional(runs=3, periods=60), seed=1).data
    ax = rv.plots.learning_curve(data)
    np.testing.assert_array_equal(lines(ax, "player 0")[0].get_ydata(), data["learning_reward"].values[:, 0])
    assert len(ax.collections) == 2
    assert ax.get_title(loc="left") == "n = 3 runs, mean and 95 % band"


def test_gains_are_not_hatched_in_heat_maps_and_have_intervals() -> None:
    gains = np.array([[0.5, 0.6, 0.7], [0.7, 0.8, 0.9]])
    swept = {"alpha": [0.1, 0.2], "beta": [1e-5, 2e-5, 4e-5]}
    claims = np.full((2, 3), "not an equilibrium")
    dims = ("alpha", "beta")
    data = xr.Dataset(
        {"gain_mean": (dims, gains), "gain_interval": (dims, 0.1 * gains), "claim": (dims, claims)}, swept
    )
    ax = rv.plots.heat(data, quantity="gain_mean")
    np.testing.assert_array_equal(ax.collections[0].get_array(), gains.T)
    assert not ax.patches
    panel = rv.plots.scenario(data, quantities=["gain_mean"], over="alpha", series="beta").child_axes[0]
    np.testing.assert_array_equal(lines(panel, "_line")[1].get_ydata(), gains[:, 1])
    ends = panel.containers[1].lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, gains[0, 1] * np.array([0.9, 1.1]))


@pytest.mark.slow
def test_log_spaced_steps_have_a_logarithmic_axis():
    steps = np.geomspace(1e3, 1e6, 7)
    data = xr.Dataset(
        {
            "learning_step": (("sample",), steps),
            "learning_reward": (("sample", "player"), np.ones((7, 2))),
            "learning_reward_band": (("sample", "player"), np.full((7, 2), 0.1)),
        }
    )
    axes = rv.plots.learning_curve(data)
    assert axes.get_xscale() == "log"
    axes.figure.canvas.draw()
    assert {"10000", "100000"} <= {label.get_text() for label in axes.get_xticklabels()}
    even = data.assign(learning_step=(("sample",), np.linspace(1e3, 1e6, 7)))
    assert rv.plots.learning_curve(even).get_xscale() == "linear"
