"""Tables of learning sessions in the report, from small datasets written by hand."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.stats import binomtest

from rivalry.lab.answer.details import channels, sessions


def data(**more):
    """Return two methods, the second with one session fewer."""
    gain = np.array([[0.5, 0.7, 0.9], [0.1, 0.3, np.nan]])
    periods = np.array([[10, 20, 30], [5, 6, -1]])
    variables = {
        "status": (("algorithm",), ["converged", "converged"]),
        "pooled_gain": (("algorithm", "session"), gain),
        "periods": (("algorithm", "session"), periods),
        "gamma_channels": (("algorithm",), ["memory", "nothing"]),
    }
    return xr.Dataset(variables | more, coords={"algorithm": ["play", "play-random"]})


def test_means_over_sessions_have_confidence_intervals():
    found = sessions(data())
    assert found.columns == ["Gain"]
    half = 4.302652729911275 * np.std([0.5, 0.7, 0.9], ddof=1) / np.sqrt(3)  # Student's t, 2 degrees
    assert found.rows[0] == ("play", 3, [f"{0.7:.2f} ± {half:.2f}"])
    assert found.rows[1][:2] == ("play-random", 2)
    assert channels(data()) == [("play", "memory"), ("play-random", "nothing")]


def test_prices_have_a_column_and_large_numbers_no_exponent():
    price = np.array([[11000.0, 11100.0, 11200.0], [1.5, 1.5, np.nan]])
    found = sessions(data(end_mean_price=(("algorithm", "session"), price)))
    assert found.columns == ["Gain", "Price"]
    assert [parts[1] for _, _, parts in found.rows] == ["11100 ± 250", "1.5"]


def test_players_are_listed_separately_where_they_differ():
    values = np.array([[[1.0, 2.0]] * 3, [[1.0, 1.0], [1.0, 1.0], [np.nan, np.nan]]])
    found = sessions(data(value=(("algorithm", "session", "player"), values)))
    assert [parts[1] for _, _, parts in found.rows] == ["1 / 2", "1"]


def test_there_is_no_table_without_finished_learning_sessions():
    assert sessions(data().drop_vars("pooled_gain")) is None
    unfinished = data()
    unfinished["status"] = (("algorithm",), ["", ""])
    assert sessions(unfinished) is None


def test_booleans_are_reported_as_shares():
    values = np.array([[True, True, False], [True, False, False]])
    found = sessions(data(converged=(("algorithm", "session"), values)))
    column = found.columns.index("Converged")
    low, high = binomtest(2, 3).proportion_ci(0.95, method="wilson")
    assert found.rows[0][2][column] == f"0.67 ({low:.2f} to {high:.2f})"
