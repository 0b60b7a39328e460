"""Table of the shared constraints of an equilibrium with multipliers in common."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table, exactly


def multipliers(reader: Reader) -> Table:
    """Return the multiplier of every shared constraint, and whether it binds."""
    prices, binding = reader.required("common_multiplier", "binding")
    rows: list[Row] = []
    for k in np.flatnonzero(np.isfinite(prices)):
        constraint = {"constraint": exactly(str(k), float(k)), "multiplier": reader.number(prices[k])}
        rows.append(constraint | {"binds": Estimate("yes" if binding[k] == 1 else "no", float(binding[k]))})
    return Table(rows, "constraints", "shared constraints", beside=True)
