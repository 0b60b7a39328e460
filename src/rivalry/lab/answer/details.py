"""Tables that methods declare of each point of a run, and effects of discount factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rivalry.lab.answer.caveats import check_name
from rivalry.lab.answer.points import PointResults, ResultPoints
from rivalry.lab.answer.table import has_lists, profile_row, reader_of
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.identity import Table as StudyTable
from rivalry.lab.study.words import Words
from rivalry.results import tables_of
from rivalry.results.table import Table, table_of
from rivalry.text.display import boxes_in_words

MOST_TABLES = 24  # points of a sweep with tables of their results
LISTS = "equilibria"  # the rows of tables that the answer may cut


class ResultTables(NamedTuple):
    """The tables of one method's result at one point."""

    method: str
    where: str
    summary: str  # of a list of equilibria
    tables: list[Table]
    undecided: list[str]  # hulls of places in which nothing is proved

    def as_json(self) -> dict[str, Any]:
        """Tables as ``--json`` prints them."""
        return {**self._asdict(), "tables": [table.as_json() for table in self.tables]}

    @property
    def head(self) -> str:
        """The point, and what is known of the list of equilibria."""
        return ": ".join(filter(None, [self.where, self.summary]))


def result_tables(study: StudyTables, points: ResultPoints) -> tuple[list[ResultTables], int]:
    """Tables of the first `MOST_TABLES` points that have any, and the number of points left out.

    Points of curves, and lists that the answer's table has in full, are left out. A method that declares
    no table has its first profile, unless the answer's table has strategies.
    """
    words, results, methods = Words(study), list[ResultTables](), set[str]()
    for point in points:
        is_first = point.algorithm not in methods
        methods.add(point.algorithm)
        declared = list(tables_of(reader_of(point))) if has_lists(point) else []
        tables = [table for table in declared if table.beside or table.noun == LISTS]
        if not declared and is_first and point.quantities and "profile" not in point.quantities:
            tables = _profile(point)
        summary = point.completeness + boxes_in_words([point.boxes])
        if summary and "equilibri" not in summary:
            summary = f"equilibria: {summary}"
        if not tables and not summary:
            continue
        if len(results) == MOST_TABLES:
            return results, sum(later.algorithm in methods for later in points) - MOST_TABLES
        results.append(ResultTables(point.algorithm, _where(point, words), summary, tables, point.undecided))
    return results, 0


def _profile(point: PointResults) -> list[Table]:
    """Table of the profile of a point, or of its payoffs where that is too large; none without both."""
    row = profile_row(point)
    if not row and point.payoff is not None:
        row = reader_of(point).payoffs(point.payoff[0])
    return [Table([row], "profiles", "profile", beside=True)] if row else []


def _where(point: PointResults, words: Words) -> str:
    """Place of a point in words, and of which of its results the tables are."""
    place = words.point({"algorithm": point.algorithm} | point.at)
    return f"{place}, first of {point.results} {point.repeats}" if point.repeats else place


def channels(points: ResultPoints) -> list[tuple[str, str]]:
    """Effect of discount factors on results: the methods that report it, and the text."""
    methods: dict[str, dict[str, None]] = {}
    for point in points:
        for text in filter(None, np.ravel(point.arrays.get("gamma_channels", "")).tolist()):
            methods.setdefault(text, {})[point.algorithm] = None
    return [(", ".join(names), text) for text, names in methods.items()]


def checks_table(rows: Sequence[StudyTable], *, part: bool = False) -> Table:
    """Our values beside published and independent ones; with the study's name where several are parts."""
    entries = []
    for row in rows:
        expected = row["expected"] if row["within"] is None else "{:g} to {:g}".format(*row["within"])
        entries.append(
            {
                "quantity": check_name(row, part=part),
                "ours": row["ours"],
                "published": row["published"],
                "published verdict": row["published_verdict"],
                "expected": expected,
                "expected verdict": row["expected_verdict"],
                "certificate": row["certificate"],
            }
        )
    return table_of(entries, noun="values")
