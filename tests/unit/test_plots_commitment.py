"""The commitment plot: markers, lines and the positions of 0 and infinity."""

import numpy as np
import pytest
import xarray as xr

import rivalry as rv


def swept() -> xr.Dataset:
    return xr.Dataset(
        {
            "value": (("delta", "player"), [[148.0, 1.0], [133.0, 2.0], [140.0, 3.0], [141.0, 4.0]]),
            "claim": ("delta", ["equilibrium", "equilibrium", "not an equilibrium", "not an equilibrium"]),
        },
        {"delta": [np.inf, 0.0, 10.0, 0.1]},
    )


def test_values_are_sorted_by_delta_with_benchmark_lines() -> None:
    ax = rv.plots.commitment(swept(), lines={"feedback": 133.75, "commitment": 150.03})
    (line,) = (found for found in ax.get_lines() if found.get_label() == "_line")
    np.testing.assert_allclose(line.get_xdata(), [-2.0, -1.0, 1.0, 2.0])
    np.testing.assert_array_equal(line.get_ydata(), [133.0, 141.0, 140.0, 148.0])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "0.1", "10", "never"]
    names = ax.get_legend_handles_labels()[1]
    assert names[:3] == ["leader, player 0", "hollow: not an equilibrium", "feedback (133.75)"]


def test_the_leader_may_be_another_player() -> None:
    ax = rv.plots.commitment(swept(), leader=1)
    (line,) = (found for found in ax.get_lines() if found.get_label() == "_line")
    np.testing.assert_array_equal(line.get_ydata(), [2.0, 4.0, 3.0, 1.0])
    with pytest.raises(ValueError, match="leader: 2 must be a whole number from 0 to 1"):
        rv.plots.commitment(swept(), leader=2)


def test_data_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="no variable 'value', which this plot draws"):
        rv.plots.commitment(swept().drop_vars("value"))
