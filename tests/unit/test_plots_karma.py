"""Plots of karma economies match the stored data; captions state exploration and replications."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes

import rivalry as rv
from rivalry.plots.marks import PALETTE
from rivalry.plots.select import band
from rivalry.plots.series import method_names, series_of
from tests.figure_elements import assert_reproducible_and_labelled, caption, half_width, labels, lines

K = 5  # levels of karma
RANDOM = np.random.default_rng(5)
AT = ("algorithm", "replication")
URGENCY = (("player", "private"), [[1.0, 5.0]])


def policies(*lead: int) -> np.ndarray:
    """Random policies ``[.. private karma bid]``."""
    weights = RANDOM.uniform(0.1, 1.0, (*lead, 2, K, K)) * np.tri(K)
    chances: np.ndarray = weights / weights.sum(axis=-1, keepdims=True)
    return chances


def economy(replications: int = 3) -> xr.Dataset:
    """A learner with replications, and an equilibrium computed once."""
    own = policies(2, replications)
    own[1, 1:] = np.nan
    law = RANDOM.uniform(size=(2, replications, 1, 2, K))
    law /= law.sum(axis=(-1, -2), keepdims=True)
    exploration = np.full((2, replications), 0.05)
    return xr.Dataset(
        {
            "profile": ((*AT, "player", "private", "karma", "bid"), own[:, :, None]),
            "mean_bid": ((*AT, "player", "private", "karma"), own[:, :, None] @ np.arange(K)),
            "karma_distribution": ((*AT, "player", "private", "karma"), law),
            "bid_distribution": ((*AT, "bid"), law.sum(axis=(2, 3))),
            "win_probability": ((*AT, "rank", "bid"), RANDOM.uniform(size=(2, replications, 1, K))),
            "urgency": URGENCY,
            "exploration": (AT, exploration),
        },
        {"algorithm": ["learner", "newton"], "replication": np.arange(replications)},
    )


# -- series and replications ---------------------------------------------------------------------------


def test_series_are_methods_times_values_without_empty_replications() -> None:
    values = RANDOM.uniform(size=(2, 2, 3))
    values[1, :, 2] = np.nan
    data = xr.Dataset(
        {"efficiency": (("algorithm", "payment", "replication"), values)},
        {"algorithm": ["a", "b"], "payment": ["PBP", "PBS"], "replication": [0, 1, 2]},
    )
    found = series_of(data, "efficiency", series="payment")
    assert [one.name for one in found] == [
        "a, payment rule = PBP",
        "a, payment rule = PBS",
        "b, payment rule = PBP",
        "b, payment rule = PBS",
    ]
    assert [one.runs for one in found] == [3, 3, 2, 2]
    np.testing.assert_array_equal(found[3]["efficiency"], values[1, 1, :2])
    (one,) = series_of(data, "efficiency", at={"algorithm": "b"})
    assert (one.name, one.words) == ("", "payment rule = PBP (first of 2)")
    assert [one.method for one in series_of(data, "efficiency", methods=["b", "a"])] == ["b", "a"]


def test_intervals_ignore_replications_without_values() -> None:
    values = RANDOM.uniform(size=(4, 3))
    values[1:, 1] = np.nan
    values[:, 2] = np.nan
    mean, half = band(values)
    np.testing.assert_allclose(mean, [values[:, 0].mean(), values[0, 1], np.nan])
    np.testing.assert_allclose(half, [float(half_width(values[:, 0])), 0.0, 0.0])


def test_method_and_series_options_are_validated() -> None:
    data = economy()
    with pytest.raises(ValueError, match=r"^methods: 'newtn' is not in this data; did you mean 'newton'\?$"):
        rv.plots.mean_bids(data, methods=["newtn"])
    with pytest.raises(ValueError, match=r"^methods: 'newton' must be a list of names$"):
        rv.plots.mean_bids(data, methods="newton")
    with pytest.raises(ValueError, match=r"^at.algorithm: this plot draws several; pick them with methods$"):
        rv.plots.mean_bids(data, methods=["newton"], at={"algorithm": "learner"})
    with pytest.raises(ValueError, match=r"^methods: this data has no methods to pick from$"):
        method_names(xr.Dataset({"x": ((), 1.0)}), "x", ["newton"])
    with pytest.raises(ValueError, match=r"^series: 'beta' is not swept"):
        rv.plots.mean_bids(data, series="beta")
    with pytest.raises(ValueError, match=r"^at.replication: every value of it is drawn"):
        rv.plots.mean_bids(data, series="replication", at={"replication": 0})


# -- policies ------------------------------------------------------------------------------------------


def probabilities(panel: Axes) -> np.ma.MaskedArray[Any, Any]:
    return np.ma.masked_array(panel.collections[0].get_array())


@pytest.mark.slow
def test_policy_map_has_rows_of_methods_and_columns_of_urgencies() -> None:
    data = economy()
    ax = rv.plots.policy_map(data)
    assert [panel.get_title() for panel in ax.child_axes[:4]] == ["urgency 1", "urgency 5", "", ""]
    mean = data.profile.values[0, :, 0].mean(axis=0)
    for z, panel in enumerate(ax.child_axes[:2]):
        np.testing.assert_allclose(probabilities(panel).filled(0.0), mean[z].T)
        assert probabilities(panel).mask.sum() == K * (K - 1) // 2
    np.testing.assert_allclose(probabilities(ax.child_axes[3]).filled(0.0), data.profile.values[1, 0, 0, 1].T)
    assert [panel.texts[0].get_text() for panel in ax.child_axes[1:4:2]] == ["learner", "newton"]
    assert "n = 3 replications, " in caption(ax)
    assert "exploration = 0.05" in caption(ax)


@pytest.mark.slow
def test_learned_policies_are_shown_with_first_monitor_and_equilibrium() -> None:
    first, last, best = policies(3)[:, None]
    own = ("player", "private", "karma", "bid")
    data = xr.Dataset({"first_policy": (own, first), "profile": (own, last), "equilibrium": (own, best)})
    rows = rv.plots.policy_map(data).child_axes[:6]
    assert [panel.texts[0].get_text() for panel in rows[1::2]] == [
        "first monitor",
        "at the end",
        "equilibrium",
    ]
    for panel, expected in zip(rows[::2], (first, last, best), strict=True):
        np.testing.assert_allclose(probabilities(panel).filled(0.0), expected[0, 0].T)
    only = rv.plots.policy_map(data, quantities=["equilibrium"])
    assert len(only.child_axes) == 3  # including the colour bar


@pytest.mark.slow
def test_a_policy_over_states_is_split_by_type_urgency_and_karma() -> None:
    pi = policies(2)
    flat = xr.Dataset(
        {
            "profile": (("state", "action"), pi.reshape(-1, K)),
            "urgency": (("player", "private"), [[1.0, 5.0], [3.0, 3.0]]),
        }
    )
    ax = rv.plots.policy_map(flat)
    titles = [panel.get_title() for panel in ax.child_axes[:4]]
    assert titles == ["type 0, urgency 1", "type 0, urgency 5", "type 1, state 0", "type 1, state 1"]
    np.testing.assert_allclose(probabilities(ax.child_axes[3]).filled(0.0), pi[1, 1].T)
    named = rv.plots.policy_map(flat.assign(player_name=("player", ["meek", "loud"])))
    assert named.child_axes[3].get_title() == "loud, state 1"


def test_arrays_that_are_not_policies_are_refused() -> None:
    data = economy()
    with pytest.raises(ValueError, match=r"must be a policy of agents who bid$"):
        rv.plots.policy_map(data, quantities=["win_probability"], at={"algorithm": "learner"})
    with pytest.raises(
        ValueError, match=r"^quantities: 'profil' is not in this data; did you mean 'profile'\?$"
    ):
        rv.plots.policy_map(data, quantities=["profil"])
    with pytest.raises(ValueError, match=r"^data: no variable 'profile'"):
        rv.plots.policy_map(xr.Dataset({"payoff": ("player", [1.0])}))


# -- bids and karma ------------------------------------------------------------------------------------


def test_mean_bids_use_colour_per_urgency_and_dash_per_method() -> None:
    data = economy()
    ax = rv.plots.mean_bids(data)
    curves = lines(ax, "_line")
    assert [(line.get_color(), line.get_linestyle()) for line in curves] == [
        (shade, dash) for dash in ("-", "--") for shade in PALETTE[:2]
    ]
    every = data.mean_bid.values[0, :, 0]
    for z in range(2):
        np.testing.assert_allclose(curves[z].get_ydata(), every[:, z].mean(axis=0))
        edge = ax.collections[z].get_paths()[0].vertices
        top = every[:, z].mean(axis=0) + half_width(every[:, z])
        np.testing.assert_allclose(sorted(edge[:, 1])[-1], top.max())
    np.testing.assert_allclose(curves[3].get_ydata(), data.mean_bid.values[1, 0, 0, 1])
    assert labels(ax) == ["urgency 1", "urgency 5", "learner", "newton"]
    assert caption(ax) == "exploration = 0.05 · n = 3 replications, mean and 95 % band"


def test_a_single_learner_is_drawn_with_its_stored_equilibrium() -> None:
    bids = policies(2)[:, None] @ np.arange(K)
    own = ("player", "private", "karma")
    data = xr.Dataset(
        {"mean_bid": (own, bids[0]), "mean_bid_equilibrium": (own, bids[1]), "urgency": URGENCY}
    )
    ax = rv.plots.mean_bids(data)
    assert labels(ax) == ["urgency 1", "urgency 5", "learned", "equilibrium"]
    np.testing.assert_allclose(lines(ax, "_line")[3].get_ydata(), bids[1, 0, 1])


def test_with_many_series_colours_are_series_and_dashes_urgencies() -> None:
    bids = np.stack([policies()[None] @ np.arange(K) for _ in range(6)])
    data = xr.Dataset(
        {"mean_bid": (("beta", "player", "private", "karma"), bids), "urgency": URGENCY},
        {"beta": 10.0 ** np.arange(6)},
    )
    ax = rv.plots.mean_bids(data, series="beta")
    assert [line.get_color() for line in lines(ax, "_line")[::2]] == list(PALETTE[:6])
    assert labels(ax)[0] == "inverse temperature = 1"
    assert labels(ax)[-2:] == ["urgency 1", "urgency 5"]


def test_karma_histogram_is_normalised_per_type() -> None:
    law = RANDOM.uniform(size=(2, 2, K))
    law /= law.sum()
    data = xr.Dataset({"karma_distribution": (("player", "private", "karma"), law)})
    ax = rv.plots.karma_histogram(data)
    shares = law.sum(axis=1) / law.sum(axis=(1, 2))[:, None]
    for k, line in enumerate(lines(ax, "_line")):
        np.testing.assert_allclose(line.get_ydata(), shares[k])
    assert labels(ax) == [f"type {k}, mean {shares[k] @ np.arange(K):.4g}" for k in range(2)]
    named = rv.plots.karma_histogram(data.assign(player_name=("player", ["meek", "loud"])))
    assert [label.split(",")[0] for label in labels(named)] == ["meek", "loud"]
    one = rv.plots.karma_histogram(data.isel(player=[0]))
    np.testing.assert_allclose([bar.get_height() for bar in one.patches], shares[0])
    assert caption(one) == f"mean karma {shares[0] @ np.arange(K):.4g}"


def test_bid_distribution_is_drawn_above_win_probabilities() -> None:
    data = economy()
    ax = rv.plots.bid_distribution(data, methods=["learner"])
    np.testing.assert_allclose(
        [bar.get_height() for bar in ax.patches], data.bid_distribution.values[0].mean(axis=0)
    )
    low = ax.figure.axes[1]
    np.testing.assert_allclose(
        lines(low, "_line")[0].get_ydata(), data.win_probability.values[0].mean(axis=0)[0]
    )
    assert (low.get_xlabel(), low.get_ylabel()) == ("bid", "probability of winning")
    both = rv.plots.bid_distribution(data)
    assert len(lines(both, "_line")) == 2
    assert labels(both) == ["learner", "newton"]


# -- reproducibility -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("policy_map", economy()),
        ("mean_bids", economy()),
        ("karma_histogram", economy()),
        ("bid_distribution", economy()),
    ],
    ids=["policy_map", "mean_bids", "karma_histogram", "bid_distribution"],
)
@pytest.mark.slow
def test_pictures_are_reproducible_and_axes_are_labelled(kind: str, data: xr.Dataset) -> None:
    assert_reproducible_and_labelled(getattr(rv.plots, kind), data)


@pytest.mark.nightly
def test_plots_of_a_solved_equilibrium_match_its_data() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0)
    found = rv.solve(game, rv.methods.PopulationNewton(beta=20.0), start="uniform").data
    ax = rv.plots.policy_map(found)
    np.testing.assert_allclose(
        probabilities(ax.child_axes[1]).filled(0.0), found.profile.values.reshape(2, 5, 5)[1].T
    )
    bids = rv.plots.mean_bids(found)
    np.testing.assert_allclose(lines(bids, "_line")[1].get_ydata(), found.mean_bid.values[0, 1])
    assert caption(bids) == "inverse temperature = 20, exploration = 0"


@pytest.mark.parametrize("methods", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("states", [1, 2, 3])
def test_mean_bids_have_a_line_for_each_method_and_state(methods: int, states: int) -> None:
    bids = np.arange(methods * states * 3.0).reshape(methods, 1, states, 3)
    names = [f"method {k}" for k in range(methods)]
    data = xr.Dataset(
        {"mean_bid": (("algorithm", "player", "private", "karma"), bids)}, coords={"algorithm": names}
    )
    lines = [column for mark in rv.plots.mean_bids.marks_of(data).marks for column in mark.columns()]
    assert sorted([mark.y.tolist() for mark in lines if not mark.is_key()]) == bids.reshape(-1, 3).tolist()
    assert len({(mark.hue, mark.linestyle) for mark in lines if not mark.is_key()}) == methods * states
