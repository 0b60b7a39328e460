"""Plots of a city match the stored data and the street network."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from scipy import stats

import rivalry as rv
from rivalry.core.results import collect
from rivalry.economies.figures.streets import RULES
from rivalry.economies.report import MOST, travellers
from rivalry.plots.select import NoSuchPoint, own_rank
from rivalry.plots.series import series_of
from tests.figure_elements import assert_reproducible_and_labelled, caption, half_width, labels, lines

RANDOM = np.random.default_rng(11)
GAME = rv.games.city(network="stubs_2x2", agents=24, max_karma=4, mean_karma=2, capacity=2)
METRICS = GAME.static_metrics()
LANES, AGENTS, KARMA = len(METRICS["lane_name"][1]), 24, 5
SHAPE = (1, 4, METRICS["example_places"][1].shape[2], KARMA)


def record(monitors: int = 4) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """A learner's record with random values."""
    wanted = RANDOM.uniform(0.5, 6.0, LANES)
    law = RANDOM.uniform(size=KARMA)
    own = {
        "efficiency": ((), np.asarray(RANDOM.uniform(-2, -1))),
        "access_fairness": ((), np.asarray(RANDOM.uniform(-0.2, -0.1))),
        "lane_wanted": (("lane",), wanted),
        "lane_queue": (("lane",), np.maximum(wanted - 2, 0)),
        "lane_bid": (("lane",), RANDOM.uniform(0.0, 4.0, LANES)),
        "karma_distribution": (("karma",), law / law.sum()),
        "agent_reward": (("agent",), RANDOM.uniform(-3.0, 0.0, AGENTS)),
        "agent_admitted": (("agent",), RANDOM.uniform(0.2, 0.9, AGENTS)),
        "agent_type": (("agent",), np.zeros(AGENTS, dtype=int)),
        "agent_trip_bid": (("agent", "trip"), RANDOM.uniform(0.0, 4.0, (AGENTS, 4))),
        "trip_path": (("trip",), np.array([1, 1, 2, 2])),
        "trip_urgency": (("player", "trip"), np.array([[1.0, 5.0, 1.0, 5.0]])),
        "example_mean_bid": (("example", "trip", "place", "karma"), RANDOM.uniform(0.0, 4.0, SHAPE)),
        "monitor_efficiency": (("monitor",), RANDOM.uniform(-2, -1, monitors)),
        "monitor_policy_change": (("monitor",), np.geomspace(1.0, 1e-3, monitors)),
        "monitor_step": (("monitor",), 1000 * np.arange(1, monitors + 1)),
        "exploration": ((), np.asarray(0.05)),
    }
    return METRICS | own


def one(**more: tuple[tuple[str, ...], np.ndarray]) -> xr.Dataset:
    return collect([({}, record() | more)], {})


def run(methods: tuple[str, ...] = ("karma", "coin"), replications: int = 3) -> xr.Dataset:
    """Several methods with replications, as in the run of a study."""
    rows = [
        (
            {"algorithm": name, "replication": k},
            record() | ({"lane_bid": METRICS["lane_free_flow"]} if k else {}),
        )
        for name in methods
        for k in range(replications)
    ]
    return collect(rows, {"algorithm": methods, "replication": range(replications)})


def bars(panel: Axes) -> np.ndarray:
    return np.ma.masked_array(panel.collections[0].get_array()).filled(np.nan)


# -- streets -------------------------------------------------------------------------------------------


def test_lanes_are_arrows_on_the_right_of_their_streets() -> None:
    data = one()
    panel = rv.plots.street_map(data).child_axes[0]
    np.testing.assert_array_equal(bars(panel), data.lane_wanted.values)
    for path, (start, end) in zip(panel.collections[0].get_paths(), METRICS["lane_ends"][1], strict=True):
        corners = path.vertices[:5]
        way = (end - start) / np.linalg.norm(end - start)
        right = np.array([way[1], -way[0]])
        assert ((corners - start) @ right > 0).all()  # so lanes of opposite directions never overlap
        assert np.argmax((corners - start) @ way) == 2  # the arrowhead
        along = (corners - start) @ way
        assert along.min() > 0
        assert along.max() < np.linalg.norm(end - start)


def test_stubs_and_core_nodes_have_different_markers() -> None:
    panel = rv.plots.street_map(one()).child_axes[0]
    dots, squares = (line.get_xydata() for line in panel.get_lines())
    at, names = METRICS["node_at"][1], METRICS["node_name"][1]
    stub = np.array([str(name)[0].isalpha() for name in names])
    np.testing.assert_array_equal(dots, at[~stub])
    np.testing.assert_array_equal(squares, at[stub])


@pytest.mark.slow
def test_maps_of_methods_share_a_colour_scale_and_show_means() -> None:
    data = run()
    ax = rv.plots.street_map(data, quantity="lane_queue")
    first, second = ax.child_axes[:2]
    assert [panel.get_title() for panel in (first, second)] == ["karma", "coin"]
    for k, panel in enumerate((first, second)):
        np.testing.assert_allclose(bars(panel), data.lane_queue.values[k].mean(axis=0))
        assert panel.collections[0].get_clim() == first.collections[0].get_clim()
    assert first.collections[0].get_clim()[0] == 0.0
    assert "n = 3 replications, " in caption(ax)
    assert "queue (agents refused per step)" in caption(ax)
    assert "exploration = 0.05" in caption(ax)
    assert ax.child_axes[2].get_ylabel() == "queue (agents refused per step)"


def test_lanes_without_demand_are_grey() -> None:
    bids = RANDOM.uniform(1.0, 4.0, LANES)
    bids[[0, -1]] = np.nan
    ax = rv.plots.street_map(one(lane_bid=(("lane",), bids)), quantity="lane_bid")
    np.testing.assert_array_equal(bars(ax.child_axes[0]), bids)
    assert "grey: no demand" in caption(ax)


def test_a_custom_network_is_drawn() -> None:
    nodes = {"a": [0, 0], "b": [3, 1], "c": [1, 4]}
    game = rv.games.city(
        network={"nodes": nodes, "lanes": [["a", "b"], ["b", "c"], ["c", "a"]]},
        agents=6,
        max_karma=4,
        mean_karma=2,
    )
    data = collect([({}, game.static_metrics())], {})
    panel = rv.plots.street_map(data, quantity="lane_capacity").child_axes[0]
    assert len(bars(panel)) == 3
    assert [len(line.get_xdata()) for line in panel.get_lines()] == [3]  # no stubs


def test_networks_of_several_sizes_are_drawn_side_by_side() -> None:
    small = rv.games.city(network="plain_2x2", agents=16, max_karma=4, mean_karma=2).static_metrics()
    data = collect([({"size": 1}, METRICS), ({"size": 2}, small)], {"size": [1, 2]})
    ax = rv.plots.street_map(data, quantity="lane_free_flow", series="size")
    assert [len(bars(panel)) for panel in ax.child_axes[:2]] == [LANES, 8]
    assert [panel.get_title() for panel in ax.child_axes[:2]] == ["size = 1", "size = 2"]


def test_a_batch_dimension_is_not_a_road_lane() -> None:
    bids = RANDOM.uniform(size=(2, 1, 1, KARMA))
    batched = xr.Dataset({"mean_bid": (("batch", "player", "private", "karma"), bids)}, {"batch": [0, 1]})
    assert own_rank(batched, "mean_bid") == 3
    assert len(series_of(batched, "mean_bid", series="batch")) == 2
    assert own_rank(one(), "lane_bid") == 1


def test_example_routes_follow_their_lanes() -> None:
    ax = rv.plots.example_routes(one())
    panel = ax.child_axes[0]
    name, agent = METRICS["example_name"][1][0], METRICS["example_agent"][1][0]
    assert panel.get_title() == f"{name} (agent {agent})"
    ends = METRICS["lane_ends"][1]
    paths = [line for line in panel.get_lines() if str(line.get_label()).startswith("_path")]
    assert len(paths) == 2
    for k, marks in enumerate(paths):
        lanes = METRICS["example_lanes"][1][0, k]
        lanes = lanes[lanes >= 0]
        points = marks.get_xydata().reshape(len(lanes), 2, 2)
        np.testing.assert_allclose(points.mean(axis=1), ends[lanes].mean(axis=1), atol=0.2)
        ways = np.einsum("ij,ij->i", points[:, 1] - points[:, 0], ends[lanes][:, 1] - ends[lanes][:, 0])
        assert (ways > 0).all()
    assert labels(ax) == ["path 1", "path 2", "start", "end", "lanes of the centre"]
    unfolded = caption(ax).replace("\n", " ")
    assert str(METRICS["class_rule"][1]) in unfolded
    assert str(METRICS["example_rule"][1]) in unfolded


# -- congestion ----------------------------------------------------------------------------------------


def test_lane_loads_are_sorted_by_expected_demand() -> None:
    ax = rv.plots.lane_load(one())
    heights = [bar.get_height() for bar in sorted(ax.patches, key=lambda bar: bar.get_x())]
    np.testing.assert_allclose(heights, sorted(METRICS["lane_free_flow_expected"][1])[::-1])
    (dots,) = lines(ax, "sampled trips")
    np.testing.assert_allclose(sorted(dots.get_ydata()), sorted(METRICS["lane_free_flow"][1]))
    (limit,) = lines(ax, "capacity, 2 per lane")
    assert set(limit.get_ydata()) == {2.0}
    over = int((METRICS["lane_free_flow_expected"][1] > 2).sum())  # the bars: dots exceed it by chance too
    assert over == METRICS["lanes_over_capacity"][1].sum() != (METRICS["lane_free_flow"][1] > 2).sum()
    assert caption(ax) == f"{over} of {LANES} lanes have a demand above their capacity"
    assert labels(ax)[-3:] == ["entry lanes, expected", "core lanes, expected", "exit lanes, expected"]


def test_lane_load_bars_dots_and_colours_match_per_lane() -> None:
    load, expected = RANDOM.permutation(LANES) + 1.0, RANDOM.permutation(LANES) + 1.0
    ax = rv.plots.lane_load(
        one(lane_free_flow=(("lane",), load), lane_free_flow_expected=(("lane",), expected))
    )
    order = np.argsort(-expected)
    np.testing.assert_array_equal(lines(ax, "sampled trips")[0].get_ydata(), load[order])
    shades = [bar.get_facecolor() for bar in sorted(ax.patches, key=lambda bar: bar.get_x())]
    kinds = METRICS["lane_kind"][1][order]
    assert len({(str(kind), shade) for kind, shade in zip(kinds, shades, strict=True)}) == 3


@pytest.mark.slow
def test_equal_lane_loads_are_drawn_once() -> None:
    assert len(rv.plots.lane_load(run()).child_axes) == 0
    other = METRICS | {"lane_capacity": (("lane",), np.full(LANES, 7))}
    data = collect([({"size": 1}, METRICS), ({"size": 2}, other)], {"size": [1, 2]})
    panels = rv.plots.lane_load(data, series="size").child_axes
    assert [panel.get_title() for panel in panels] == ["size = 1", "size = 2"]


def test_a_large_capacity_does_not_set_the_axis_limit() -> None:
    ax = rv.plots.lane_load(one(lane_capacity=(("lane",), np.full(LANES, 10**6))))
    assert ax.get_ylim()[1] < 2 * METRICS["lane_free_flow"][1].max()


def test_bids_against_congestion_with_spearman_correlation() -> None:
    data = one()
    ax = rv.plots.bid_congestion(data)
    marks = np.concatenate([dots.get_xydata() for dots in lines(ax, "_points")])
    both = np.stack([data.lane_wanted.values, data.lane_bid.values], axis=1)
    np.testing.assert_allclose(marks[np.argsort(marks[:, 0])], both[np.argsort(both[:, 0])])
    expected = stats.spearmanr(*both.T).statistic
    assert f"rank correlation {expected:.2g} over {LANES} lanes" in caption(ax)
    assert labels(ax) == ["entry lanes", "core lanes", "exit lanes", "capacity 2"]


def test_correlation_with_ties_and_lanes_without_demand() -> None:
    bids, wanted = RANDOM.integers(0, 3, LANES).astype(float), RANDOM.integers(1, 4, LANES).astype(float)
    bids[-2:] = np.nan
    data = one(lane_bid=(("lane",), bids), lane_wanted=(("lane",), wanted))
    expected = stats.spearmanr(wanted[:-2], bids[:-2]).statistic
    assert f"correlation {expected:.2g} over {LANES - 2} lanes" in caption(rv.plots.bid_congestion(data))
    same = rv.plots.bid_congestion(one(lane_bid=(("lane",), np.zeros(LANES))))
    assert "no rank correlation: all lanes are alike" in caption(same)


def test_correlation_and_interval_per_method() -> None:
    data = run()
    ax = rv.plots.bid_congestion(data)
    each = np.array(
        [
            stats.spearmanr(data.lane_wanted.values[1, k], data.lane_bid.values[1, k]).statistic
            for k in range(3)
        ]
    )
    words = next(label for label in labels(ax) if label.startswith("coin"))
    printed = words.split("correlation ")[1].split(" over")[0].split(" ± ")
    np.testing.assert_allclose(float(printed[0]), each.mean(), rtol=0.05, atol=5e-3)
    np.testing.assert_allclose(float(printed[1]), half_width(each), rtol=0.05)


# -- agents and learning -------------------------------------------------------------------------------


@pytest.mark.slow
def test_example_bids_are_means_over_the_lanes_of_each_path() -> None:
    data = one()
    panel = rv.plots.example_bids(data).child_axes[0]
    for trip, line in enumerate(lines(panel, "_line")):
        lanes = METRICS["example_places"][1][0, trip // 2]
        bids = data.example_mean_bid.values[0, trip, lanes >= 0]
        np.testing.assert_allclose(line.get_ydata(), bids.mean(axis=0))
        assert line.get_linestyle() == ("-", "--")[trip % 2]
    assert "means over the positions of a path, equally weighted" in caption(rv.plots.example_bids(data))


def test_example_bids_have_one_row_per_method() -> None:
    data = run()
    ax = rv.plots.example_bids(data)
    assert [panel.get_ylabel() for panel in ax.child_axes] == ["karma\nmean bid", "coin\nmean bid"]
    lanes = METRICS["example_places"][1][0, 0] >= 0
    bids = data.example_mean_bid.values[1, :, 0, 0, lanes].mean(axis=0)
    np.testing.assert_allclose(lines(ax.child_axes[1], "_line")[0].get_ydata(), bids.mean(axis=0))


@pytest.mark.slow
def test_traces_have_one_panel_each_and_log_scales_for_wide_ranges() -> None:
    data = run()
    ax = rv.plots.social_traces(data)
    titles = [panel.get_title().replace("\n", " ") for panel in ax.child_axes]
    assert titles == ["efficiency (reward per step)", "largest change of a policy (karma)"]
    first, second = ax.child_axes
    assert (first.get_yscale(), second.get_yscale()) == ("linear", "log")
    for k, line in enumerate(lines(first, "_line")):
        np.testing.assert_allclose(line.get_ydata(), data.monitor_efficiency.values[k].mean(axis=0))
        np.testing.assert_array_equal(line.get_xdata(), data.monitor_step.values[k, 0])
    assert labels(ax) == ["karma", "coin"]


def test_karma_of_a_city_is_one_distribution() -> None:
    data = one()
    ax = rv.plots.karma_histogram(data)
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], data.karma_distribution.values)
    assert labels(rv.plots.karma_histogram(run()))[0].startswith("karma, mean ")


def test_rules_without_bids_are_baselines_in_the_fairness_plane() -> None:
    plain = {name: value for name, value in record().items() if not name.startswith("example_")}
    rows = [({"algorithm": "karma"}, record()), ({"algorithm": "coin"}, plain)]
    data = collect(rows, {"algorithm": ["karma", "coin"]})
    data["example_policy"] = (("algorithm", "example"), [[1.0], [np.nan]])
    coin = lines(rv.plots.fairness_plane(data), "coin")[0]
    assert coin.get_linestyle() == "None"
    np.testing.assert_allclose(
        coin.get_xydata()[0], [data.access_fairness.values[1], data.efficiency.values[1]]
    )
    with pytest.raises(ValueError, match=r"^across, up: 'lane_bid' must be one number a cell$"):
        rv.plots.fairness_plane(data, up="lane_bid")


# -- the report's table --------------------------------------------------------------------------------


def test_the_table_has_example_agents_and_means_of_classes() -> None:
    kinds = np.arange(AGENTS) % 3
    more = {
        "agent_class": (("agent",), kinds),
        "example_agent": (("example",), np.array([4, 5])),
        "example_name": (("example",), np.array(["average", "unlucky"])),
    }
    data = one(**more)
    data["agent_trip_bid"][{"agent": 0, "trip": 0}] = np.nan
    (table,) = travellers(data)
    assert table.columns == [
        "average: agent 4",
        "unlucky: agent 5",
        *(f"all 8 {n}" for n in METRICS["class_name"][1]),
    ]
    bids = data.agent_trip_bid.values[:, 0]
    means = [bids[4], bids[5], *(np.nanmean(bids[kinds == k]) for k in range(3))]
    assert table.rows[0] == ("mean bid, path 1, urgency 1", [f"{value:.3g}" for value in means])
    reward = dict(table.rows)["reward per step"]
    assert reward[0] == f"{data.agent_reward.values[4]:.3g}".replace("-", "−")


def test_one_table_per_method_without_bid_rows_if_nobody_bids() -> None:
    idle = record() | {"agent_trip_bid": (("agent", "trip"), np.zeros((AGENTS, 4)))}
    rows = [({"algorithm": "karma"}, record()), ({"algorithm": "coin"}, idle)]
    tables = travellers(collect(rows, {"algorithm": ["karma", "coin"]}))
    assert [table.where for table in tables] == ["karma", "coin"]
    assert [label for label, _ in tables[1].rows] == ["reward per step", "moves per step"]
    assert travellers(xr.Dataset({"payoff": ("player", [1.0])})) == []
    many = travellers(run(("karma",)))
    assert "±" in many[0].rows[0][1][0]


def test_points_of_a_sweep_have_tables_of_their_own_up_to_a_limit() -> None:
    sizes = list(range(10))
    tables = travellers(collect([({"size": size}, record()) for size in sizes], {"size": sizes}))
    assert [table.where for table in tables] == [f"size = {size}" for size in sizes[:MOST]]
    assert tables[0].rules.split(". Single agents: ") == [str(METRICS[name][1]) for name in RULES]


# -- wrong input and reproducibility -------------------------------------------------------------------


@pytest.mark.slow
def test_wrong_input_gives_one_line() -> None:
    data = one()
    with pytest.raises(
        ValueError, match=r"^quantity: 'lane_bids' is not in this data; did you mean 'lane_bid'"
    ):
        rv.plots.street_map(data, quantity="lane_bids")
    with pytest.raises(
        ValueError, match=r"^quantity: 'lane_name' must have a number for each lane; did you mean .lane_w"
    ):
        rv.plots.street_map(data, quantity="lane_name")
    with pytest.raises(ValueError, match=r"^data: no variable 'lane_ends'"):
        rv.plots.street_map(data.drop_vars("lane_ends"))
    with pytest.raises(ValueError, match=r"^data: no variable 'lane_wanted'"):
        rv.plots.bid_congestion(data.drop_vars("lane_wanted"))
    with pytest.raises(ValueError, match=r"^quantities: 'efficency' is not in this data; did you mean"):
        rv.plots.social_traces(data, quantities=["efficency"])
    with pytest.raises(NoSuchPoint, match=r"^data: no method has lane_wanted here$"):
        rv.plots.street_map(data.assign(lane_wanted=("lane", np.full(LANES, np.nan))))


KINDS = ("street_map", "example_routes", "lane_load", "bid_congestion", "example_bids", "social_traces")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_reproducible_and_axes_are_labelled(kind: str) -> None:
    data = run(("karma",), replications=2)
    assert_reproducible_and_labelled(getattr(rv.plots, kind), data)


@pytest.mark.slow
def test_results_of_a_city_learner_are_drawn() -> None:
    learner = rv.methods.CityQLearning(
        training=400, epoch=20, monitor_every=5, monitor_steps=50, evaluation=200
    )
    data = rv.solve(GAME, learner).data
    for kind in (*KINDS, "agent_histogram", "karma_histogram", "fairness_plane"):
        assert getattr(rv.plots, kind)(data).get_ylabel()
    (table,) = travellers(data)
    assert len(table.rows) == 7
