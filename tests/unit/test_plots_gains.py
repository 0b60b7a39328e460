"""Plots of exploitability, fairness and violations match the stored data."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from scipy import stats

import rivalry as rv
from rivalry.plots.marks import PALETTE
from rivalry.studies.karma_violations import violations
from tests.figure_elements import assert_reproducible_and_labelled, caption, half_width, labels, lines

RANDOM = np.random.default_rng(5)
AT = ("algorithm", "replication")


# -- exploitability ------------------------------------------------------------------------------------

STEPS = np.array([1000, 2000, 3000])


def monitored(replications: int = 2) -> xr.Dataset:
    shape = (1, replications, 3)
    names = ("exploitability", "exploitability_without_exploration", "sampled_greedy", "gap_to_equilibrium")
    monitors = {f"mean_{name}": RANDOM.uniform(1, 9, shape) for name in (*names, "distance_to_equilibrium")}
    monitors |= {f"largest_{name}": RANDOM.uniform(9, 20, shape) for name in names}
    monitors["mean_agent_payoff"] = -RANDOM.uniform(50, 60, shape)
    monitors["mean_agent_payoff_without_exploration"] = -RANDOM.uniform(40, 50, shape)
    monitors["policy_change"] = RANDOM.uniform(size=shape)
    monitors["policy_change"][:, :, 0] = np.nan
    monitors["step"] = np.broadcast_to(STEPS, shape)
    return xr.Dataset(
        {f"monitor_{name}": ((*AT, "monitor"), array) for name, array in monitors.items()}
        | {
            "exploration": (AT, np.full((1, replications), 0.05)),
            "beta": (AT, np.full((1, replications), 1000.0)),
        },
        {"algorithm": ["learner"], "replication": np.arange(replications)},
    )


def test_exploitability_is_divided_by_the_payoff_of_the_same_policy() -> None:
    data = monitored()
    ax = rv.plots.exploitability_curve(data)
    explored, bare, sampled, gap = (line.get_ydata() for line in lines(ax, "_line"))
    size = np.abs(data.monitor_mean_agent_payoff.values[0])
    np.testing.assert_allclose(explored, (data.monitor_mean_exploitability.values[0] / size).mean(axis=0))
    plain = np.abs(data.monitor_mean_agent_payoff_without_exploration.values[0])
    expected = data.monitor_mean_exploitability_without_exploration.values[0] / plain
    np.testing.assert_allclose(bare, expected.mean(axis=0))
    np.testing.assert_allclose(sampled, (data.monitor_mean_sampled_greedy.values[0] / size).mean(axis=0))
    np.testing.assert_allclose(gap, (data.monitor_mean_gap_to_equilibrium.values[0] / size).mean(axis=0))
    np.testing.assert_array_equal(lines(ax, "_line")[0].get_xdata(), STEPS)
    most = lines(ax, "_thin: largest over agents")
    assert len(most) == 3  # none for the gap to equilibrium
    np.testing.assert_allclose(
        most[0].get_ydata(), (data.monitor_largest_exploitability.values[0] / size).mean(axis=0)
    )
    for part in (
        "inverse temperature = 1000, exploration = 0.05",
        "over |J|",
        "with exploration unless stated",
        "n = 2",
    ):
        assert part in caption(ax)
    assert ax.get_ylabel() == "share of |J|"


def test_exploitability_and_distances_on_separate_axes() -> None:
    data = monitored(1)
    wanted = ["exploitability", "distance_to_equilibrium", "policy_change"]
    upper, lower = rv.plots.exploitability_curve(data, quantities=wanted).figure.axes
    (line,) = lines(upper, "_line")
    size = np.abs(data.monitor_mean_agent_payoff.values[0, 0])
    np.testing.assert_allclose(line.get_ydata(), data.monitor_mean_exploitability.values[0, 0] / size)
    far, change = lines(lower, "_line")
    np.testing.assert_array_equal(far.get_ydata(), data.monitor_mean_distance_to_equilibrium.values[0, 0])
    np.testing.assert_array_equal(change.get_xdata(), STEPS[1:])
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("share of |J|", "distance of policies")


def test_runs_that_stopped_early_keep_their_last_value() -> None:
    data = monitored()
    for name in data.data_vars:
        if "monitor" in data[name].dims:
            data[name] = data[name].astype(float)
            data[name][0, 1, 2] = np.nan
    (line,) = lines(rv.plots.exploitability_curve(data, quantities=["exploitability"]), "_line")
    values = data.monitor_mean_exploitability.values[0] / np.abs(data.monitor_mean_agent_payoff.values[0])
    values[1, 2] = values[1, 1]
    np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0))


def test_each_learner_has_its_own_colour() -> None:
    two = xr.concat([monitored(1), monitored(1)], "algorithm").assign_coords(algorithm=["slow", "fast"])
    ax = rv.plots.exploitability_curve(two, quantities=["exploitability", "sampled_greedy"])
    assert [(line.get_color(), line.get_linestyle()) for line in lines(ax, "_line")] == [
        (shade, dash) for dash in ("-", "--") for shade in PALETTE[:2]
    ]
    assert labels(ax)[-3:] == ["slow", "fast", "thin: largest over agents"]


def test_errors_name_quantities_that_are_not_monitored() -> None:
    data = monitored()
    with pytest.raises(ValueError, match=r"^quantities: 'sampled_gredy' is not in this data; did you mean"):
        rv.plots.exploitability_curve(data, quantities=["sampled_gredy"])
    with pytest.raises(ValueError, match=r"^data: no variable 'monitor_mean_exploitability'"):
        rv.plots.exploitability_curve(xr.Dataset({"payoff": ("player", [1.0])}))
    with pytest.raises(ValueError, match=r"^data: monitor_mean_agent_payoff is not in this data"):
        rv.plots.exploitability_curve(data.drop_vars("monitor_mean_agent_payoff"))


def test_agent_histogram_by_type_with_mean_and_largest() -> None:
    values, kinds = RANDOM.uniform(size=(2, 40)), np.repeat([0, 1], 20)
    data = xr.Dataset(
        {
            "agent_exploitability": (("replication", "agent"), values),
            "agent_type": (("replication", "agent"), np.stack([kinds, kinds])),
            "payoff": (("replication", "player"), np.ones((2, 2))),
        },
        {"replication": [0, 1]},
    )
    ax = rv.plots.agent_histogram(data)
    edges = np.histogram_bin_edges(values, len(lines(ax, "_line")[0].get_xdata()) // 2 - 1)
    for kind, steps in enumerate(lines(ax, "_line")):
        own = values[:, kinds == kind].ravel()
        np.testing.assert_array_equal(steps.get_xdata(), np.repeat(edges, 2))
        np.testing.assert_allclose(steps.get_ydata()[1:-1:2], np.histogram(own, edges)[0] / 40)
        label = f"type {kind}: mean {own.mean():.3g}, largest {own.max():.3g}"
        assert lines(ax, label)[0].get_xdata()[0] == pytest.approx(own.mean())
    assert caption(ax) == "n = 40 agents of each, of 2 replications"
    named = rv.plots.agent_histogram(data.assign(player_name=("player", ["meek", "loud"])))
    assert [label.split(":")[0] for label in labels(named)] == ["meek", "loud"]
    ready = data.assign(agent_relative_exploitability=data.agent_exploitability / 50)
    assert rv.plots.agent_histogram(ready).get_xlabel() == "exploitability over |J|"
    with pytest.raises(ValueError, match=r"^quantity: 'payoff' must have a value for each agent"):
        rv.plots.agent_histogram(data, quantity="payoff")
    with pytest.raises(ValueError, match=r"^quantity: 'agent_reward' is not in this data"):
        rv.plots.agent_histogram(data, quantity="agent_reward")


# -- fairness ------------------------------------------------------------------------------------------

GAMMA = np.array([0.9, 0.0, 0.5])  # not sorted


def fair() -> xr.Dataset:
    """A method with a policy, and a rule without one."""
    own = ("algorithm", "gamma", "replication")
    profile = np.where(np.arange(2)[:, None, None, None, None] == 0, 1.0, np.nan) * np.ones((2, 3, 4, 1, 1))
    return xr.Dataset(
        {
            "efficiency": (own, RANDOM.uniform(-1.5, -1.0, (2, 3, 4))),
            "access_fairness": (own, RANDOM.uniform(-0.01, 0.0, (2, 3, 4))),
            "reward_fairness": (own, RANDOM.uniform(-0.02, -0.01, (2, 3, 4))),
            "policy": ((*own, "state", "action"), profile),
        },
        {"algorithm": ["equilibrium", "coin"], "gamma": GAMMA, "replication": np.arange(4)},
    )


def test_fairness_points_are_joined_in_order_of_the_parameter() -> None:
    data = fair()
    ax = rv.plots.fairness_plane(data, exact={"TURN": {"efficiency": -1.5, "access_fairness": 0.0}})
    order = np.argsort(GAMMA)
    (line,) = lines(ax, "equilibrium")
    np.testing.assert_allclose(line.get_xdata(), data.access_fairness.values[0].mean(axis=1)[order])
    np.testing.assert_allclose(line.get_ydata(), data.efficiency.values[0].mean(axis=1)[order])
    assert [text.get_text() for text in ax.texts] == ["0", "0.5", "0.9"]
    whiskers = ax.containers[0].lines[2][0].get_segments()
    expected = 2 * half_width(data.efficiency.values[0].T)[order]
    np.testing.assert_allclose([np.ptp(ends[:, 1]) for ends in whiskers], expected)
    (coin,) = lines(ax, "coin")
    np.testing.assert_allclose(coin.get_xdata(), data.access_fairness.values[1].mean())
    (turn,) = lines(ax, "TURN, exact")
    np.testing.assert_array_equal(turn.get_xydata(), [[0.0, -1.5]])
    assert caption(ax) == "points are labelled with the discount factor · n = 4 replications, 95 % intervals"


@pytest.mark.parametrize("across", ["gamma", "over"])
def test_a_metric_can_be_drawn_against_the_swept_parameter(across: str) -> None:
    data = fair()
    ax = rv.plots.fairness_plane(
        data, across=across, up="reward_fairness", exact={"TURN": {"reward_fairness": -0.014}}
    )
    (line,) = lines(ax, "equilibrium")
    np.testing.assert_array_equal(line.get_xdata(), np.sort(GAMMA))
    np.testing.assert_allclose(
        line.get_ydata(), data.reward_fairness.values[0].mean(axis=1)[np.argsort(GAMMA)]
    )
    level = data.reward_fairness.values[1].mean()
    assert lines(ax, f"coin ({level:.4g})")[0].get_ydata()[0] == pytest.approx(level)
    assert lines(ax, "TURN, exact (-0.014)")[0].get_ydata()[0] == -0.014
    assert ax.get_xlabel() == "discount factor"


def test_metrics_of_the_fairness_plane_are_validated() -> None:
    data = fair()
    with pytest.raises(ValueError, match=r"^exact.TURN: \{'efficiency': -1.5\} must have access_fairness$"):
        rv.plots.fairness_plane(data, exact={"TURN": {"efficiency": -1.5}})
    with pytest.raises(ValueError, match=r"^across, up: 'fairness' is not in this data"):
        rv.plots.fairness_plane(data, across="fairness")
    with pytest.raises(ValueError, match=r"^across, up: 'payoff' must be one number a cell$"):
        rv.plots.fairness_plane(data.assign(payoff=("player", [1.0])), up="payoff")


# -- violations ----------------------------------------------------------------------------------------


def counted() -> xr.Dataset:
    own = ("payment", "beta", "replication")
    tested = np.full((2, 3, 2), 50)
    unsettled = np.zeros((2, 3, 2), dtype=int)
    unsettled[0, 2, 0] = 10
    times = RANDOM.integers(0, 30, (2, 3, 2))
    return xr.Dataset(
        {
            "violation_share": (own, times / (tested - unsettled)),
            "admissible": (own, tested),
            "excluded": (own, unsettled),
            "generator": (own, np.full((2, 3, 2), "smooth_gaussian")),
            "entropy_rule": (own, np.full((2, 3, 2), "mean")),
        },
        {"payment": ["PBP", "PBS"], "beta": [1.0, 5.0, 1000.0], "replication": [0, 1]},
    )


def test_violations_are_pooled_over_replications() -> None:
    data = counted()
    ax = violations(data, series="payment")
    count = (data.admissible - data.excluded).values
    times = np.rint(data.violation_share.values * count).sum(axis=-1)
    curves = [lines(ax, label)[0] for label in labels(ax)]
    for k, (curve, bars) in enumerate(zip(curves, ax.containers, strict=True)):
        np.testing.assert_allclose(curve.get_ydata(), times[k] / count[k].sum(axis=-1))
        for ends, t, n in zip(bars.lines[2][0].get_segments(), times[k], count[k].sum(axis=-1), strict=True):
            wilson = stats.binomtest(int(t), int(n)).proportion_ci(0.95, method="wilson")
            np.testing.assert_allclose(np.sort(ends[:, 1]), wilson, atol=1e-9)
    assert [to_hex(curve.get_color()).upper() for curve in curves] == list(PALETTE[:2])
    assert labels(ax) == ["payment rule = PBP", "payment rule = PBS"]
    assert ax.get_xscale() == "log"
    for part in ("n = 90 to 100 policies", "sampled by smooth_gaussian", "in the mean over states"):
        assert part in caption(ax)


def test_missing_violation_shares_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^data: no variable 'violation_share'"):
        violations(counted().drop_vars("violation_share"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plot", "data"),
    [
        (rv.plots.exploitability_curve, monitored()),
        (rv.plots.fairness_plane, fair()),
        (violations, counted()),
    ],
    ids=["exploitability_curve", "fairness_plane", "violations"],
)
def test_pictures_are_reproducible_and_axes_are_labelled(plot: Any, data: xr.Dataset) -> None:
    assert_reproducible_and_labelled(plot, data)


def test_without_a_swept_parameter_each_method_is_one_point() -> None:
    mean, spread = [[-1.0, -1.1], [-1.5, -1.5]], [[-0.002, -0.003], [-0.005, -0.005]]
    dims = ("algorithm", "replication")
    data = xr.Dataset(
        {"efficiency": (dims, mean), "access_fairness": (dims, spread)},
        {"algorithm": ["karma", "COIN"], "replication": [0, 1]},
    )
    ax = rv.plots.fairness_plane(data)
    np.testing.assert_allclose(lines(ax, "karma")[0].get_xydata(), [[-0.0025, -1.05]])
    assert not [text for text in ax.texts if text.get_text() == "0"]


# -- a planner's search --------------------------------------------------------------------------------


def searched(methods: tuple[str, ...], choices: int = 1) -> xr.Dataset:
    """Three trials of two seeds per method; other choices than the first differ in every trial."""
    trial, shape = ("algorithm", "trial"), (len(methods), 3)
    grid = np.tile(np.arange(3.0)[:, None], (len(methods), 1, choices)).reshape(*shape, choices)
    return xr.Dataset(
        {
            "trial_objective": ((*trial, "seed"), RANDOM.uniform(-2, -1, (*shape, 2))),
            "trial_objective_low": (trial, np.full(shape, -2.0)),
            "trial_objective_high": (trial, np.full(shape, -1.0)),
            "choice_name": (("algorithm", "choice"), [[f"x{k}" for k in range(choices)]] * len(methods)),
            "parameters": ((*trial, "choice"), grid),
            "chosen": ("algorithm", np.full(len(methods), 1)),
        },
        {"algorithm": list(methods)},
    )


def test_a_search_marks_its_choice_and_the_caption_names_no_method() -> None:
    data = searched(("grid", "random"))
    ax = rv.plots.design_search(data)
    assert caption(ax) == "n = 2 seeds, 95 % intervals"
    assert labels(ax) == ["grid", "random", "chosen"]
    means = data.trial_objective.values.mean(axis=2)
    marks = rv.plots.design_search.marks_of(data).marks
    rings = [mark for mark in marks if mark.markersize == 11 and not mark.is_key()]
    for ring, mean in zip(rings, means, strict=True):
        np.testing.assert_allclose([ring.x, ring.y], [[1.0], [mean[1]]])
    assert ax.get_xlabel() == "x0"


def test_values_of_other_parameters_have_lines_of_their_own() -> None:
    ax = rv.plots.design_search(searched(("grid",), choices=2), over="x1")
    assert labels(ax) == ["grid: x0 = 0.0", "grid: x0 = 1.0", "grid: x0 = 2.0", "chosen"]
    assert ax.get_xlabel() == "x1"


def test_a_histogram_of_one_method_is_by_value_of_a_swept_key() -> None:
    gains = np.array([[0.1, 0.2, 0.3], [0.6, 0.7, 0.9]])
    data = xr.Dataset(
        {"pooled_gain": (("algorithm", "gamma", "session"), gains[None])},
        {"algorithm": ["learning"], "gamma": [0.5, 0.9]},
    )
    ax = rv.plots.histogram(data, form="means")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        "discount factor = 0.5",
        "discount factor = 0.9",
    ]
    assert "first of" not in ax.get_title(loc="left")
    fixed = rv.plots.histogram(data, form="means", at={"gamma": 0.9})
    assert [tick.get_text() for tick in fixed.get_yticklabels()] == ["learning"]
