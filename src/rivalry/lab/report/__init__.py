"""The report of a run, built from stored files only: results, certificates and reference values."""

from rivalry.lab.report.figures import draw_own
from rivalry.lab.report.judge import certificates, expectations, results
from rivalry.lab.report.page import build
from rivalry.lab.report.warned import lines, warnings_of

__all__ = ["build", "certificates", "draw_own", "expectations", "lines", "results", "warnings_of"]
