"""Elements of figures that tests of plots read."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from scipy import stats

from rivalry.plots.style import picture


def lines(ax: Axes, label: str) -> list[Any]:
    return [found for found in ax.get_lines() if found.get_label() == label]


def labels(ax: Axes) -> list[str]:
    return ax.get_legend_handles_labels()[1]


def caption(ax: Axes) -> str:
    return ax.get_title(loc="left")


def half_width(values: np.ndarray) -> np.ndarray:
    """Of the 95 % interval over rows, Student's t."""
    half: np.ndarray = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values, axis=0)
    return half


def assert_reproducible_and_labelled(plot: Any, data: xr.Dataset) -> None:
    assert picture(plot, data) == picture(plot, data)
    ax = plot(data)
    assert ax.get_ylabel()
    assert ax.get_xlabel() or ax.figure.axes[-1].get_xlabel()
    with pytest.raises(ValueError, match=r"^data: list must be a solution, a run or a dataset"):
        plot([])
