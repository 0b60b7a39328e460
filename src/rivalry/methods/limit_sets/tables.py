"""Table of the eigenvalues at a root of all own gradients."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import ZERO, Table


def eigenvalues(reader: Reader) -> Table:
    """Return the eigenvalues of the Jacobian of own gradients, and whether motion along each dies out."""
    real, imaginary, _ = reader.required("eigenvalues_real", "eigenvalues_imag", "repelling_directions")
    # real parts that are rounding errors have no sign
    real = np.where(np.abs(real) > ZERO * np.nanmax(np.hypot(real, imaginary)), real, 0.0)
    columns = {
        "real part": real,
        "imaginary part": imaginary if np.nanmax(np.abs(imaginary)) > 0 else None,
        "motion": np.array(["attracts", "no sign", "repels"])[np.sign(real).astype(int) + 1],
    }
    # NaN where bounds leave fewer directions
    rows = reader.rows(columns, np.flatnonzero(np.isfinite(imaginary)).tolist())
    title = "eigenvalues of the Jacobian of own gradients"
    return Table(rows, "eigenvalues", title, ("eigenvalues_", "repelling_directions"), beside=True)
