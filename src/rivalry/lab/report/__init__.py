"""The report of a run, built from stored files only: results, certificates and reference values."""

from rivalry.lab.report.figures import draw_own
from rivalry.lab.report.judge import certificates, expectations, results
from rivalry.lab.report.page import build
from rivalry.lab.report.warned import failures_of, lines, warnings_of, without_numbers

__all__ = [
    "build",
    "certificates",
    "draw_own",
    "expectations",
    "failures_of",
    "lines",
    "results",
    "warnings_of",
    "without_numbers",
]
