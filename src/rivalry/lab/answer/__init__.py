"""From a run to an answer: question, verdict, finding, table, claims and caveats.

Shell, report, frozen page, workbench, notebook, ``--json`` and exports read `Answer`; none of them chooses
columns or names quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

from rivalry.core.assumed_range import UNBOUNDED
from rivalry.core.claims import REFUTED
from rivalry.lab.answer.caveats import caveats_of
from rivalry.lab.answer.details import ResultTables, result_tables
from rivalry.lab.answer.points import PointResults, keys_of, points_of, tested
from rivalry.lab.answer.table import (
    ACROSS,
    EVERY,
    MOST_COLUMNS,
    answer_table,
    by_two_keys,
    lists_of,
    tables_by_method,
)
from rivalry.lab.answer.verdict import Verdict, verdict_of
from rivalry.lab.bins import summarise, tiled
from rivalry.lab.checks import JudgedCell, JudgedExpectation, agree, cells, judge
from rivalry.lab.dimensions import REPEATED, thinned
from rivalry.lab.discounted import per_period
from rivalry.lab.figures import figure_file, kind_and_options, second_key_of
from rivalry.lab.study.expect import is_fixed, is_reduced
from rivalry.lab.study.identity import StudyTables, TableDict
from rivalry.lab.study.questions import as_asked
from rivalry.lab.study.words import Words, answer_keys, condition_of, quantities_of_answer
from rivalry.plots.families import default_figures
from rivalry.plots.select import dimension
from rivalry.results.render import html
from rivalry.results.table import Table
from rivalry.schema.registry import near
from rivalry.text.display import html_table

if TYPE_CHECKING:
    import numpy as np
    from xarray import Dataset

    from rivalry.lab.store import Run
    from rivalry.results.table import ReportSection


class Answer:
    """Summary of a run for a reader, each part computed once."""

    def __init__(
        self,
        study: StudyTables,  # resolved
        data: Dataset,  # of its run, which must not change meanwhile
        run: Run | None = None,  # for what only it knows: failures, warnings, changes
        parts: Mapping[str, Answer] = MappingProxyType({}),  # of the studies that a study consists of
    ) -> None:
        study = as_asked(study)
        self.study, self.data = (study, data) if parts else per_period(study, data)
        self.run, self.parts = run, parts

    @property
    def title(self) -> str:
        """Title of the run: the study's with what was changed, or another of another question."""
        return str(self.study["title"])

    @property
    def question(self) -> str:
        """The study's question, in its own words, or that of a run which asks something else."""
        return str(self.study.get("question") or "")

    @property
    def state(self) -> list[str]:
        """Lines directly below the question: what is changed from the study as written."""
        lines: list[str] = self.study.get("state") or []
        return lines

    @cached_property
    def verdict(self) -> Verdict | None:
        """Whether the study's test is met; None without a test, and where too little is computed for one."""
        if self.parts or self._absent_rows:
            return None
        verdict = verdict_of(self.study, self.points)
        if verdict and self._has_no_maximum:
            return verdict._replace(truth=None, test=NO_MAXIMUM)
        return verdict

    @property
    def _has_no_maximum(self) -> bool:
        """True where payoffs rise beyond every range at every point: profiles are where a search ended."""
        for certificate, properties in self.cells:
            is_unbounded = any(UNBOUNDED in reason for reason in properties["reasons"])
            if certificate["claim"] != REFUTED or not is_unbounded:
                return False
        return bool(self.cells)

    @cached_property
    def finding(self) -> str:
        """The author's sentence on the results of the study as written; empty for other runs.

        It is empty too where a value differs from one that the study expects.
        """
        if self.parts or self._is_unfinished:
            return ""
        rows = [check.row for check in self.checks]
        return str(answer_keys(self.study).get("finding") or "") if agree(rows) else ""

    @cached_property
    def lead(self) -> list[str]:
        """Lines above the table: the verdict and the finding; of a study of studies, the first of each."""
        lines = [f"{name}: {line}" for name, part in self.parts.items() for line in part.lead[:1]]
        if self.verdict:
            lines.append(f"{self._extent}{self.verdict.line}")
        return [*lines, *filter(None, [self.finding])]

    @property
    def _extent(self) -> str:
        """Beginning of a verdict that is of a part of the study's results; empty for one of all."""
        if self._is_unfinished:
            return "So far: "
        if not is_reduced(self.study):
            return ""
        is_swept_less = any(str(key).startswith("sweep") for key in self.study.get("quick") or {})
        return "Quick form, of fewer points: " if is_swept_less else "Quick form: "

    @property
    def _is_unfinished(self) -> bool:
        """True for the answer of a run that lacks cells."""
        counts = self.run.counts() if self.run else {}
        return bool(counts) and counts["done"] < counts["total"]

    @cached_property
    def figure(self) -> TableDict | None:
        """The picture that answers the question: the first of ``plots``, or what the family draws."""
        if self.parts:
            return next((part.figure for part in self.parts.values() if part.figure), None)
        entries = self.study.get("plots") or (
            default_figures(str(self.study["game"]["family"]), self.data) if self.points else ()
        )
        if not entries:
            return None
        kind, options = kind_and_options(entries[0], self.study, self.data)
        return {"kind": kind, "options": options, "file": f"figures/{figure_file(1, kind)}"}

    @cached_property
    def figure_key(self) -> tuple[str, list[str]] | None:
        """The second key of the picture and its values, in words; None of a picture over one key."""
        if self.figure is None or self.parts or self.figure["kind"] not in ("scenario", "heat"):
            return None
        key = second_key_of(self.figure["options"], self.sampled)
        if key is None or dimension(self.sampled, key) is None:
            return None
        words = Words(self.study)
        return words.key(key), [words.value(value) for value in self.sampled[key].values.tolist()]

    @cached_property
    def table(self) -> Table | None:
        """All rows and the columns that vary; None without results."""
        return self.table_of(None)

    def table_of(self, rows: int | None, columns: int = MOST_COLUMNS, *, full: bool = False) -> Table | None:
        """Table of at most so many rows and columns; None without results.

        ``full``: with columns of what does not vary, and of every number of a strategy.
        """
        if not self.points:
            return None
        return answer_table(self.study, self.data, self.points, rows, columns, full=full)

    def tables(self, rows: int | None = None, columns: int = MOST_COLUMNS) -> list[tuple[str, Table]]:
        """Tables that are read, each with its heading; none without results.

        By two swept keys where there are two; one per method where these have lists of different things.
        """
        pivot = self._all_points and by_two_keys(self._all_points, rows, min(columns - 1, ACROSS))
        return [("", pivot)] if pivot else tables_by_method(self.study, self.data, self.points, rows, columns)

    @cached_property
    def _all_points(self) -> Table | None:
        """Table of all points; none is made along a single key, since it takes long where they are many."""
        if len(keys_of(self.points)) < 2:
            return None
        return answer_table(self.study, self.data, self.points, None, EVERY, is_compared=False)

    @cached_property
    def caveats(self) -> list[str]:
        """Caveats: results not certified, compared or finished; changes, reductions, differing values."""
        caveats: list[str] = []
        for name, part in self.parts.items():
            caveats += [f"{name}: {line}" for line in part.caveats]
        if self.parts:
            return caveats
        rows = [check.row for check in self.checks]
        return [
            *self._absent(),
            *self._thinned(),
            *caveats_of(self.study, self.run, self.points, self.cells, rows),
        ]

    def _thinned(self) -> list[str]:
        """Number of points that figures are made of, if not all."""
        if self.sampled is self.data:
            return []
        count, total = prod(map(len, self.sample.values())), prod(self._sizes.values())
        return [
            f"figures are made of {count:,} of {total:,} points, evenly spaced; tables, heat maps of bins, "
            "claims and certificates are of all"
        ]

    def _absent(self) -> list[str]:
        """Quantities that the study asks for and that no result has."""
        if not self.points:
            return []
        requested = quantities_of_answer(self.study)
        variables = [str(name) for name in self.data.variables]
        lines = []
        for name in dict.fromkeys([*requested, *tested(condition_of(self.study))]):
            if name not in variables:
                lines.append(f"{name} is in no cell of this run; {near(name, variables)}")
        for name in requested:
            if name in variables and self._is_lost(name):
                lines.append(f"asked for, but not in the table: {Words(self.study).quantity(name)}")
        return lines + [f"answer.test: no row of this run has {name}" for name in self._absent_rows]

    def _is_lost(self, name: str) -> bool:
        """True for a quantity with numbers or words that the table lacks."""
        if name in ("profile", "claim") or any(name in point.quantities for point in self.points):
            return False
        return not any(name.startswith(table.shows) for table in lists_of(self.study, self.points))

    @cached_property
    def _absent_rows(self) -> list[str]:
        """Coordinates of the answer's test that no result has."""
        test = condition_of(self.study) if self.points else {}
        game = self.study.get("game") or {}
        coordinates = {*map(str, (*self.data.dims, *self.data.coords)), "algorithm"}
        strange, absent = [], []
        for row in (test, test.get("than") or {}):
            at = row.get("at") or {}
            strange += [k for k, v in at.items() if k not in coordinates and not is_fixed(game, k, v)]
            if at and not any(point.is_at(at) for point in self.points):
                absent.append(", ".join(f"{k} = {v}" for k, v in at.items()))
        return list(dict.fromkeys(strange + absent))

    @cached_property
    def checks(self) -> list[JudgedExpectation]:
        """Our values beside published and independent ones."""
        if self.parts:
            return list(chain.from_iterable(part.checks for part in self.parts.values()))
        return judge(self.study, self.data)

    @cached_property
    def points(self) -> list[PointResults]:
        """Results per method and point."""
        return [] if self.parts else points_of(self.study, self.data)

    @property
    def _sizes(self) -> dict[str, int]:
        """Lengths of the dimensions of the sweep."""
        dims = self.data["status"].dims if self.data is not None and "status" in self.data else ()
        return {str(dim): self.data.sizes[dim] for dim in dims if dim not in (*REPEATED, "algorithm")}

    @cached_property
    def sample(self) -> dict[str, np.ndarray]:
        """Indices along the sweep of the points that figures draw; empty where they draw all."""
        return thinned(self._sizes)

    @cached_property
    def sampled(self) -> Dataset:
        """The dataset of these points."""
        return self.data.isel(self.sample) if self.sample else self.data

    @cached_property
    def summary(self) -> ReportSection | None:
        """Tables that summarise all points, where figures draw some of them."""
        return None if self.sampled is self.data else summarise(self.study, self.data, self.cells)

    @cached_property
    def tiled(self) -> list[tuple[TableDict, Dataset]]:
        """Heat maps of two swept keys, each with means in bins, where figures draw some of the points."""
        return [] if self.sampled is self.data else tiled(self.study, self.data)

    @cached_property
    def result_tables(self) -> tuple[list[ResultTables], int]:
        """Tables that methods declare of each point's result, and the number of points left out."""
        return result_tables(self.study, self.points)

    @cached_property
    def cells(self) -> list[JudgedCell]:
        """Certificates of finished cells, and what else is known of their results."""
        return [] if self.parts else cells(self.data)

    def as_json(self) -> TableDict:
        """Answer as ``--json`` prints it."""
        answer = {
            "question": self.question,
            "state": self.state,
            "verdict": self.verdict.as_json() if self.verdict and not self.verdict.is_withheld else None,
            "finding": self.finding,
            "figure": self.figure,
            "table": self.table and self.table.as_json(),
            "caveats": self.caveats,
            "results": [point.as_json() for point in self.result_tables[0]],
        }
        if self.summary:
            answer["summary"] = [table.as_json() for table in self.summary.tables]
        answer["checks"] = [check.row for check in self.checks]
        if self.parts:
            answer["parts"] = {name: part.as_json() for name, part in self.parts.items()}
        return answer

    def __repr__(self) -> str:
        lines = [self.title, self.question, *self.state, *self.lead, *self.caveats]
        return "\n".join(filter(None, lines))

    def _repr_html_(self) -> str:
        notes = {"": " ".join([*self.state, *self.lead])}
        tables = [html(table._replace(title=heading)) for heading, table in self.tables(NOTEBOOK_ROWS)]
        return f"<div>{html_table(self.question or self.title, notes)}{''.join(tables)}</div>"


NO_MAXIMUM = "payoffs rise beyond every range that was tried, and may have no maximum"
NOTEBOOK_ROWS = 20  # rows of the table in a notebook


def answer_of(run: Run, parts: Mapping[str, Answer] = MappingProxyType({})) -> Answer:
    """Return the answer of a run, with those of its parts, of which some may be made already."""
    parts = {name: parts.get(name) or answer_of(part) for name, part in run.parts().items()}
    return Answer(run.head["study"], run.collect().data if not parts else None, run, parts)  # type: ignore[arg-type]
