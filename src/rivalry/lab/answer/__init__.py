"""From a run to an answer: question, sentences, figure, table, caveats and checks.

Shell, report, frozen page, workbench, notebook, ``--json`` and exports read `Answer`; none of them composes
sentences, chooses columns or names quantities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from itertools import chain, combinations
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

from rivalry.lab.answer.cases import Sentence, in_changed_game, points_asked, so_far
from rivalry.lab.answer.caveats import caveats_of
from rivalry.lab.answer.claims import claim_courses, on_claims, on_lists, without_maxima
from rivalry.lab.answer.details import ResultTables, result_tables
from rivalry.lab.answer.grammar import lowered, with_one_preposition, with_pronoun, with_separators
from rivalry.lab.answer.places import grouped, methods_of
from rivalry.lab.answer.points import PointResults, points_of, tested
from rivalry.lab.answer.positions import position_sentences
from rivalry.lab.answer.table import MOST_COLUMNS, AnswerTable, answer_table, blocks_of
from rivalry.lab.answer.trends import on_quantities
from rivalry.lab.answer.two_keys import COLUMNS, TwoWayTable, on_two_keys, two_way_table
from rivalry.lab.answer.verdicts import verdict
from rivalry.lab.bins import summarise, tiled
from rivalry.lab.checks import JudgedCell, JudgedExpectation, cells, judge
from rivalry.lab.dimensions import REPEATED, thinned
from rivalry.lab.discounted import per_period
from rivalry.lab.figures import figure_file, kind_and_options, second_key_of
from rivalry.lab.study.expect import is_fixed
from rivalry.lab.study.identity import StudyTables, TableDict
from rivalry.lab.study.questions import as_asked
from rivalry.lab.study.words import Words, asks_in, condition_of, quantities_of_answer
from rivalry.plots.families import default_figures
from rivalry.plots.select import dimension
from rivalry.results.table import Table
from rivalry.schema.registry import near
from rivalry.text.display import html_table

if TYPE_CHECKING:
    import numpy as np
    from xarray import Dataset

    from rivalry.lab.store import Run
    from rivalry.schema.register import ReportSection

MOST = 3  # sentences
HOW_MANY = re.compile(r"how many [^,]*\bequilibri", re.IGNORECASE)


class Answer:
    """Summary of a run for a reader, each part computed once.

    Parameters
    ----------
    study
        The resolved study.
    data
        The dataset of its run, which must not change meanwhile.
    run
        The run, for what only it knows: failures, warnings, changes.
    parts
        The answers of the studies that a study consists of.
    """

    def __init__(
        self,
        study: StudyTables,
        data: Dataset,
        run: Run | None = None,
        parts: Mapping[str, Answer] = MappingProxyType({}),
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
        return []

    @property
    def finding(self) -> str:
        """The author's sentence on the results of the study as written; empty for other runs."""
        return ""

    @property
    def lead(self) -> list[str]:
        """Lines above the table: the verdict and the finding, if any."""
        return [sentence.text for sentence in self.sentences]

    @cached_property
    def sentences(self) -> list[Sentence]:
        """One to three sentences in the study's quantities; of a study of studies, the first of each."""
        sentences: list[Sentence] = []
        for name, part in self.parts.items():
            sentences += [row._replace(text=f"{name}: {row.text}") for row in part.sentences[:1]]
        if sentences or not self.points:
            return sentences
        if absent_maxima := without_maxima(self.points, self.cells):
            return absent_maxima
        texts, noise = list[str](), f"; {Words(self.study).single_runs}"
        for sentence in self._selected():
            text = with_separators(with_pronoun(with_one_preposition(sentence.text)))
            is_said = any(noise in earlier_text for earlier_text in texts)
            texts.append(text.replace(noise, "") if is_said else text)
            sentences.append(sentence._replace(text=texts[-1]))
        if texts:
            text = in_changed_game(self.study, texts[0])
            sentences[0] = sentences[0]._replace(text=so_far(text) if self._is_unfinished else text)
        return sentences

    def _selected(self) -> list[Sentence]:
        """Verdict, sentences on quantities or strategies, on lists and on claims, none twice."""
        study, points = self.study, self.points
        outcome = None if self._absent_rows else verdict(study, points)
        covered: tuple[str, ...] = ()
        stated: tuple[PointResults, ...] = ()
        decided, facts = list[Sentence](), ""
        if outcome:
            covered, stated, decided = outcome.quantities, outcome.stated, [outcome.sentence]
            facts = outcome.sentence.text.partition(": ")[2]
        judged = stated if "claim" in covered else ()
        sampled = points if self.sampled is self.data else points_of(study, self.sampled)
        # of a thinned run, every point is another object
        stated = tuple(point for point in sampled if any(map(point.is_at_point, stated)))
        lead = on_two_keys(study, sampled, covered if stated else ())
        lead = lead or on_quantities(study, sampled, covered, stated)
        lead = lead or ([] if outcome else position_sentences(study, sampled))
        unjudged = points_asked(study, sampled)
        if judged:
            unjudged = [point for point in unjudged if point not in stated]
        courses = claim_courses(study, unjudged)
        is_said = any(sentence.text in courses for sentence in lead)
        # a list with proofs claims more
        is_proved = all(point.boxes >= 0 for point in points)
        claims = [] if is_proved or is_said else on_claims(study, points, judged)
        lead = [sentence for sentence in lead if not _repeats(sentence.text, facts)]
        lists = []
        for sentence in on_lists(study, points)[: MOST - 1]:
            count = lowered(sentence.text).rpartition(" points ")[2].rstrip(".")
            lists += [] if count in facts else [sentence]  # a verdict on a count is the list
        lists = lists[: MOST - 1 - len(decided)]
        lead = [self._with_method(row) for row in lead[: MOST - 1 - len(lists) - len(decided)]]
        events = any(point.events for point in points)
        if HOW_MANY.match(self.question) or (events and asks_in(study) == "where"):
            return [*decided, *lists, *lead, *claims]
        return [*decided, *lead, *lists, *claims]

    def _with_method(self, sentence: Sentence) -> Sentence:
        """Sentence that names the method whose numbers it states, where others only list equilibria."""
        name = self._beside_lists
        if not name or name in sentence.text:
            return sentence
        return sentence._replace(text=f"For {name}, {lowered(sentence.text)}")

    @property
    def _is_unfinished(self) -> bool:
        """True for the answer of a run that lacks cells."""
        counts = self.run.counts() if self.run else {}
        return bool(counts) and counts["done"] < counts["total"]

    @cached_property
    def _beside_lists(self) -> str:
        """Method whose numbers sentences state, where the other methods only list equilibria."""
        listing = methods_of(point for point in self.points if point.counts_text)
        names = [name for name in methods_of(self.points) if name not in listing]
        quantities = quantities_of_answer(self.study)  # which may be those of the game
        is_one = listing and len(names) == 1 and not quantities
        return Words(self.study).method(names[0]) if is_one else ""

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
    def table(self) -> AnswerTable | None:
        """The printed table, with all rows; None without results."""
        return self.table_of(None)

    def table_of(
        self,
        rows: int | None,
        columns: int = MOST_COLUMNS,
        *,
        constants: bool = False,
        numbers: bool = False,
        lists: bool = True,
    ) -> AnswerTable | None:
        """Table of at most so many rows and columns; None without results.

        ``constants``: also of what does not vary. ``numbers``: every number of a strategy has a column of its
        own. ``lists``: a list of equilibria, events or vertices has a row for each.
        """
        if not self.points:
            return None
        blocks = self._blocks_of(numbers, lists)
        return answer_table(
            self.study, self.data, self.points, rows, columns, constants=constants, blocks=blocks
        )

    def tables(self, rows: int | None = None, columns: int = MOST_COLUMNS) -> list[tuple[str, AnswerTable]]:
        """Tables that are read, each with its heading; none without results.

        One without a heading, as `printed_table` has it, or one per method where methods have lists with
        columns of their own.
        """
        table = self.printed_table(rows, columns)
        if table is None:
            return []
        blocks, heads = self._blocks_of(), list[set[str]]()
        numbers_by_method = grouped(range(len(blocks)), lambda k: self.points[k].algorithm)
        for numbers in numbers_by_method.values():
            heads.append({*chain.from_iterable(blocks[k].columns for k in numbers)})
        if not any(head - other_head and other_head - head for head, other_head in combinations(heads, 2)):
            return [("", table)]
        words, tables = Words(self.study), list[tuple[str, AnswerTable]]()
        for name, numbers in numbers_by_method.items():
            points, of_method = [self.points[k] for k in numbers], [blocks[k] for k in numbers]
            table = answer_table(self.study, self.data, points, rows, columns, blocks=of_method)
            table = table._replace(points=tuple(numbers[k] for k in table.points))
            tables.append((words.method(name), table))
        return tables

    def _blocks_of(self, numbers: bool = False, lists: bool = True) -> list[Table]:
        """Rows of the lists of all points, see `table_of`."""
        kind = numbers, lists
        if kind not in self._blocks:
            # a study with quantities of its own is about the end of a curve, whose points are in files
            names = quantities_of_answer(self.study)
            self._blocks[kind] = blocks_of(
                self.points,
                numbers=numbers,
                lists=lists,
                paths=numbers or not names,
                strategies="profile" in names
                and not any("profile" in point.quantities for point in self.points),
            )
        return self._blocks[kind]

    @cached_property
    def _blocks(self) -> dict[tuple[bool, bool], list[Table]]:
        """Rows of lists, by the options of `table_of`."""
        return {}

    def two_way(self, rows: int | None = None, columns: int = COLUMNS) -> TwoWayTable | None:
        """Table by two swept keys; None for other runs."""
        # a table of all points takes long where they are many: none is made along a single key
        if len({*chain.from_iterable(point.at for point in self.points)}) < 2 or self.table is None:
            return None
        return two_way_table(self.table, rows, columns)

    def printed_table(self, rows: int | None = None, columns: int = MOST_COLUMNS) -> AnswerTable | None:
        """Table that is read: by two swept keys where there are two, else a list of points."""
        two = self.two_way(rows, min(columns - 1, COLUMNS))
        return two.stacked if two else self.table_of(rows, columns)

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
        """Number of points that sentences and figures are made of, if not all."""
        if self.sampled is self.data:
            return []
        count, total = prod(map(len, self.sample.values())), prod(self._sizes.values())
        return [
            f"sentences on quantities and figures are made of {count:,} of {total:,} points, evenly spaced; "
            "tables and heat maps of bins, claims, certificates and the table's choice of rows are of all"
        ]

    def _absent(self) -> list[str]:
        """Quantities that the study asks for and that no result has."""
        if not self.points:
            return []
        requested, variables = quantities_of_answer(self.study), [str(name) for name in self.data.variables]
        lines = []
        for name in dict.fromkeys([*requested, *tested(condition_of(self.study))]):
            if name not in variables:
                lines.append(f"{name} is in no cell of this run; {near(name, variables)}")
        for name in requested:
            if name in variables and self._is_lost(name):
                lines.append(f"{name} is asked for, but no sentence or table has it, only the dataset")
        return lines + [f"answer.test: no row of this run has {name}" for name in self._absent_rows]

    def _is_lost(self, name: str) -> bool:
        """True for a quantity with numbers or words that neither sentences nor the table have."""
        if name in ("profile", "claim") or any(name in point.quantities for point in self.points):
            return False
        return not any(name.startswith(block.shows) for block in self._blocks_of())

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
        table = self.table
        return {
            "question": self.question,
            "sentences": [sentence._asdict() for sentence in self.sentences],
            "figure": self.figure,
            "table": table and {"columns": table.columns, "rows": table.texts, "notes": table.notes},
            "caveats": self.caveats,
            "results": [point.as_json() for point in self.result_tables[0]],
            **({"summary": self.summary.tables} if self.summary else {}),
            "checks": [check.row for check in self.checks],
            **({"parts": {name: part.as_json() for name, part in self.parts.items()}} if self.parts else {}),
        }

    def __repr__(self) -> str:
        lines = [self.title, self.question, *(sentence.text for sentence in self.sentences), *self.caveats]
        return "\n".join(filter(None, lines))

    def _repr_html_(self) -> str:
        notes = {"": " ".join(sentence.text for sentence in self.sentences)}
        title, tables = self.question or self.title, self.tables(NOTEBOOK_ROWS)
        parts = []
        for heading, table in tables:
            marks = {"*": table.mark.removeprefix("* ")} if table.mark else {}
            if len(tables) == 1:
                return html_table(title, notes | marks, table.columns, table.texts)
            parts.append(html_table(heading, marks, table.columns, table.texts))
        return f"<div>{html_table(title, notes)}{''.join(parts)}</div>" if parts else html_table(title, notes)


def _repeats(text: str, verdict: str) -> bool:
    """True for a verdict with all numbers of a sentence."""
    numbers = set(re.findall(r"\d[\d.e-]*\d|\d", text))
    return bool(numbers) and numbers <= set(re.findall(r"\d[\d.e-]*\d|\d", verdict))


NOTEBOOK_ROWS = 20  # rows of the table in a notebook


def answer_of(run: Run) -> Answer:
    """Answer of a run, with those of its parts."""
    parts = {name: answer_of(part) for name, part in run.parts().items()}
    return Answer(run.head["study"], run.collect().data if not parts else None, run, parts)  # type: ignore[arg-type]
