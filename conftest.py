"""How many processes run tests, examples and benchmarks."""

from __future__ import annotations

import pytest


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run the whole suite in a process per core, at most four, and named files in this process."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return None  # xdist counts the cores
    config.option.dist = "no"
    return 0
