"""What a report and a command say of a study's results, each part computed once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rivalry.lab.report.answers import Answer, answers
from rivalry.lab.report.judge import JudgedCell, JudgedExpectation, cells, judge

if TYPE_CHECKING:
    from xarray import Dataset


class Findings:
    """Results of a resolved study from the dataset of its run, which must not change meanwhile."""

    def __init__(self, study: Mapping[str, Any], data: Dataset) -> None:
        self.study, self.data = study, data

    @cached_property
    def answers(self) -> list[Answer]:
        """Results per method and point."""
        return answers(self.study, self.data)

    @cached_property
    def cells(self) -> list[JudgedCell]:
        """Certificates of finished cells, and what else is known of their results."""
        return cells(self.data)

    @cached_property
    def judged(self) -> list[JudgedExpectation]:
        """Comparisons with reference values."""
        return judge(self.study, self.data)
