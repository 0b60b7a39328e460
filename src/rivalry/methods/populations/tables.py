"""Table of the states of a population: who is there, what they do, and what they could gain."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table, exactly
from rivalry.text.display import strategy_in_words


def states(reader: Reader) -> Table | None:
    """Return the share of agents in every state, their policy and value, and the gain of a best response."""
    if "mean_bid" in reader.arrays:  # an economy, which has states in words
        return None
    shares, policy = reader.required("distribution", "profile")
    values, best = reader.required("values", "best_values")
    rows: list[Row] = []
    for k in np.flatnonzero(np.isfinite(shares)).tolist():
        row = {"state": exactly(str(k), float(k)), "share of agents": reader.number(shares[k], 1.0)}
        chances = policy[k][np.isfinite(policy[k])]
        if reader.numbers:
            row |= {f"action {a}": reader.number(chance) for a, chance in enumerate(chances.tolist())}
        else:
            row["policy"] = Estimate(strategy_in_words(chances))
        row["value"] = reader.number(values[k])
        row["gain of a best response"] = reader.number(best[k] - values[k], float(np.nanmax(np.abs(best))))
        rows.append(row)
    shows = ("distribution", "profile", "values", "best_values")
    return Table(rows, "states", "states of the population", shows, beside=True)
