"""Table of the eigenvalues at a root of all own gradients."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table


def eigenvalues(reader: Reader) -> Table:
    """Return the eigenvalues of the Jacobian of own gradients, and whether motion along each dies out."""
    real, imaginary, _ = reader.required("eigenvalues_real", "eigenvalues_imag", "repelling_directions")
    size = float(np.nanmax(np.hypot(real, imaginary)))
    is_complex = bool(np.nanmax(np.abs(imaginary)) > 0)
    rows: list[Row] = []
    for k in np.flatnonzero(np.isfinite(real)):  # NaN where bounds leave fewer directions
        value = reader.number(real[k], size)
        row: Row = {"real part": value}
        if is_complex:
            row["imaginary part"] = reader.number(imaginary[k], size)
        word = "repels" if value.mean > 0 else "no sign"
        rows.append(row | {"motion": Estimate("attracts" if value.mean < 0 else word)})
    title = "eigenvalues of the Jacobian of own gradients"
    return Table(rows, "eigenvalues", title, ("eigenvalues_", "repelling_directions"), beside=True)
