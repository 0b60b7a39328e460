"""A run's report: what was published beside what was found, and what it is worth; from stored files only."""

from rivalry.report.figures import draw_own
from rivalry.report.judge import certificates, expectations, results
from rivalry.report.page import build
from rivalry.report.warned import lines, warned

__all__ = ["build", "certificates", "draw_own", "expectations", "lines", "results", "warned"]
