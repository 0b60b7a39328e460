"""Table of the states of a population: who is there, what they do, and what they could gain."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import ZERO, Table
from rivalry.text.display import strategy_in_words


def states(reader: Reader) -> Table | None:
    """Return a table of states: share of agents, policy, value, and the gain of a best response.

    Economies, which name their states, have none.
    """
    if "mean_bid" in reader.arrays:  # an economy, which has states in words
        return None
    shares, policy = reader.required("distribution", "profile")
    values, best = reader.required("values", "best_values")
    words = np.array([strategy_in_words(row[np.isfinite(row)]) for row in policy])
    chances = {f"action {k}": column for k, column in enumerate(policy.T)}
    columns = {"state": np.arange(len(shares)), "share of agents": shares}
    columns |= chances if reader.numbers else {"policy": words}
    # differences of values that are rounding errors are none
    gains = np.where(best - values > ZERO * np.abs(best), best - values, 0.0)
    columns |= {"value": values, "gain of a best response": gains}
    rows = reader.rows(columns, np.flatnonzero(np.isfinite(shares)).tolist())
    shows = ("distribution", "profile", "values", "best_values")
    return Table(rows, "states", "states of the population", shows, beside=True)
