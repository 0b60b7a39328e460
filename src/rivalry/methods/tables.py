"""Table of the solutions of a closed form, where there are several."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Table, exactly


def roots(reader: Reader) -> Table | None:
    """Return all solutions of first-order conditions, the profile first."""
    (roots,) = reader.required("roots")
    numbers = np.flatnonzero(np.isfinite(roots).any(axis=(1, 2))).tolist()
    if len(numbers) < 2:
        return None
    rows = [
        {"root": exactly(str(k), float(k))} | reader.strategies("roots", roots[k], reader.actions)
        for k in numbers
    ]
    return Table(rows, "roots", "solutions of first-order conditions", ("roots", "profile"), beside=True)
