"""Tables of a study and their keys; families and methods check their own keys later."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen

from rivalry.games import GAMES
from rivalry.lab.study.errors import StudyError, format_value, read_key
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.names import is_benchmark, keys_of_kind, plain_kind
from rivalry.lab.study.points import Grid
from rivalry.lab.study.schema import check_table, keys_of, missing
from rivalry.methods import METHODS
from rivalry.schema.construction import is_number
from rivalry.schema.keys import write_key

Positive = Annotated[float, Gt(0), Lt(math.inf)]
Number = int | float
MANY = ("random", "grid")  # starts that may mean several profiles
Start = str | list[Number] | list[list[Number]]
Tolerance = Annotated[float, Ge(0), Lt(math.inf)]
Scalar = bool | int | float | str
Coordinates = dict[str, Scalar | list[Scalar]]


@dataclass(frozen=True)
class Replications:
    """Number of replications per point, and the seed of all randomness."""

    count: Annotated[int, Ge(1), Le(1_000_000)] = 1
    seed: Annotated[int, Ge(0), Lt(2**63)] = 0
    paired: bool = False


@dataclass(frozen=True)
class CertificateTable:
    """Largest regret that counts as zero (``tolerance``), in units of the game's payoff scale."""

    tolerance: Positive = 1e-6


@dataclass(frozen=True)
class Expect:
    """References for one quantity: a published value, an independently computed one, or both."""

    quantity: str
    at: dict[str, Scalar] = field(default_factory=dict)
    reduce: Literal["mean", "min", "max", "share"] | None = None
    equals: Scalar | None = None  # the value that ``reduce = "share"`` counts, else true
    published: Scalar | None = None
    published_tolerance: Tolerance | None = None
    published_tolerance_reason: str = ""
    locator: str = ""
    read: Literal["first-hand", "second-hand", "from a figure"] | None = None
    why: str = ""
    entry: str = ""  # identifier in the list of published values
    part: int | str | None = None  # of an entry with several numbers: their index, or keys joined by dots
    expected: Scalar | None = None
    tolerance: Tolerance | None = None
    within: Annotated[list[float], Len(2, 2)] | None = None
    quick: bool = False
    note: str = ""


@dataclass(frozen=True)
class RowKeys:
    """The row that the numbers of a test are compared with; an omitted key is that of the tested row."""

    at: Coordinates = field(default_factory=dict)
    quantity: str = ""


@dataclass(frozen=True)
class ConditionKeys:
    """The condition that decides a yes-or-no question, on a quantity or on claims, in the rows at ``at``.

    A quantity is ``above`` or ``below`` a number or another quantity, or ``equals`` a value to within
    ``tolerance``; ``limit`` is that number in words, with ``{}`` in its place, and ``benchmark:NAME`` is the
    quantity at a benchmark of the game. Of its difference ``than`` another row, if there is one. Or it is
    ``monotone`` along a key. The condition is to hold ``everywhere`` or, if false, in some row.
    """

    quantity: str = ""
    claim: Literal[
        "equilibrium",
        "approximate equilibrium",
        "no deviation found",
        "not an equilibrium",
        "none exists",
        None,
    ] = None
    at: Coordinates = field(default_factory=dict)
    above: int | float | str | None = None
    below: int | float | str | None = None
    equals: Scalar | None = None
    tolerance: Tolerance = 0.0
    limit: str = ""
    than: TableDict = field(default_factory=dict)
    monotone: Literal["rising", "falling"] | None = None
    along: str = ""
    everywhere: bool = True


CONDITIONS = ("above", "below", "equals", "monotone")


@dataclass(frozen=True)
class AnswerKeys:
    """Subject of a study: the quantities of its answer and their form.

    ``difference`` names the number of the first quantity from which others are told. ``test`` is the
    condition that decides a yes-or-no question, in the rows of ``methods``, ``at`` a point. ``along`` is the
    swept key of a course, read in the given ``direction``. ``words`` are names of quantities, keys, methods
    and values. ``finding`` is the author's sentence on the full results. A change of a ``harmless`` key
    leaves question, test, words and lines true.
    """

    quantities: list[str] = field(default_factory=list)
    difference: Literal["first", "largest", "smallest"] | None = None
    test: TableDict = field(default_factory=dict)
    along: str = ""
    direction: Literal["rising", "falling"] = "rising"
    methods: list[str] = field(default_factory=list)
    at: TableDict = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    finding: str = ""
    harmless: list[str] = field(default_factory=list)


LONGEST_FINDING = 25  # words


@dataclass(frozen=True)
class CitationKeys:
    """The publication that a study's model or numbers come from, for BibTeX; ``author`` lists names."""

    author: Annotated[list[str], MinLen(1)]
    title: Annotated[str, MinLen(1)]
    year: int
    journal: str = ""
    volume: int | None = None
    doi: str = ""
    arxiv: str = ""


@dataclass(frozen=True)
class RunKeys:
    """Keys of a ``[[method]]`` table that belong to the run: how the method starts and when it stops."""

    name: str
    kind: str
    start: Start = "random"
    starts: Annotated[int, Ge(1), Le(1_000_000)] | None = None
    tol: Positive | None = None
    max_steps: Annotated[int, Ge(1)] | None = None
    max_seconds: Positive | None = None
    steps: Annotated[int, Ge(1)] | None = None
    path: bool = True
    negative_controls: bool | list[str] = True


RUN_KEYS = tuple(keys_of(RunKeys))


@dataclass(frozen=True)
class Document:
    """A study file; `read` checks its inner tables."""

    title: str = ""
    question: str = ""
    source: str = ""
    cost: Literal["seconds", "minutes", "hours"] = "seconds"
    game: TableDict | None = None
    method: list[TableDict] = field(default_factory=list)
    sweep: TableDict = field(default_factory=dict)
    batch: TableDict = field(default_factory=dict)
    replications: TableDict = field(default_factory=dict)
    expect: list[TableDict] = field(default_factory=list)
    quick: TableDict = field(default_factory=dict)
    certificate: TableDict = field(default_factory=dict)
    plots: list[str | TableDict] = field(default_factory=list)
    answer: TableDict = field(default_factory=dict)
    citation: TableDict = field(default_factory=dict)
    include: list[str] = field(default_factory=list)
    based_on: str = ""
    cells_per_batch: Annotated[int, Ge(1), Le(10_000)] | None = None


KEYS = tuple(keys_of(Document))
RETIRED = ("label_keys", "asks", "better")  # keys that stored studies may have


def read(data: Table) -> Document:
    """Return a study's tables, with all but families' and methods' keys checked. Raises `StudyError`."""
    for key in ("method", "expect"):
        if isinstance(data.get(key), Mapping):
            raise StudyError(f"is one table; must be a list of them, each headed [[{key}]]", key=key)
    expected = data.get("expect")
    for k, row in enumerate(expected if isinstance(expected, list | tuple) else ()):
        if isinstance(row, Mapping) and "over" in row:
            raise StudyError("is called reduce", key=f"expect[{k}].over")
    document = Document(**check_table(Document, data, ()))
    for key in ("title", "question", "source"):  # they stand in tables and lists
        if "\n" in getattr(document, key):
            raise StudyError("must be one line", key=key)
    check_answer(document.answer)
    if document.citation:
        check_table(CitationKeys, document.citation, ("citation",))
    rows = [check_table(Expect, row, ("expect", k)) for k, row in enumerate(document.expect)]
    replications = asdict(Replications(**check_table(Replications, document.replications, ("replications",))))
    certificate = asdict(
        CertificateTable(**check_table(CertificateTable, document.certificate, ("certificate",)))
    )
    document = replace(document, expect=rows, replications=replications, certificate=certificate)
    if not document.include:
        _check_complete(document)
    elif foreign_keys := [
        key for key in data if key not in ("title", "question", "source", "cost", "include")
    ]:
        rule = "clashes with include: a study of studies has no tables of its own"
        raise StudyError(rule, key=foreign_keys[0])
    return replace(document, method=_with_names(document.method))


def located(error: StudyError, tables: Table) -> StudyError:
    """Return an error; of a key that belongs to another table of the study, with the place of that table."""
    homes = {
        "above the first table": KEYS,
        "in [replications]": keys_of(Replications),
        "in [certificate]": keys_of(CertificateTable),
        "in [answer]": keys_of(AnswerKeys),
        "in [[expect]]": keys_of(Expect),
        "in [game]": ["family", *keys_of_kind(tables.get("game"), "family", GAMES)],
    }
    methods = tables.get("method")
    rows = methods if isinstance(methods, list | tuple) else ()
    of_methods = [keys_of_kind(row, "kind", METHODS) for row in rows]
    homes["in [[method]]"] = [*RUN_KEYS, *chain.from_iterable(of_methods)]
    places = [place for place, keys in homes.items() if error.unknown in keys]
    if not places:
        return error
    rule = f"is no key of this table; it belongs {' or '.join(places)}"
    return StudyError(rule, key=error.key, where=error.where)


def check_answer(table: Table) -> None:
    """Raise `StudyError` unless a table ``[answer]`` is complete and its test can decide a question."""

    def fault(name: str, rule: str) -> StudyError:
        return StudyError(rule, key=f"answer.test.{name}".removesuffix("."))

    check_table(AnswerKeys, table, ("answer",))
    for key in table.get("harmless", ()):
        read_key(key)
    finding = str(table.get("finding", ""))
    if "\n" in finding or len(finding.split()) > LONGEST_FINDING:
        raise StudyError(f"must be one line of at most {LONGEST_FINDING} words", key="answer.finding")
    if not table.get("test"):
        return
    test = check_table(ConditionKeys, table["test"], ("answer", "test"))
    conditions = [name for name in CONDITIONS if name in test]
    if ("quantity" in test) == ("claim" in test):
        raise fault("", "needs one of quantity and claim")
    if "claim" in test and (
        conditions_left := [*conditions, *(k for k in ("than", "tolerance") if k in test)]
    ):
        raise fault(
            conditions_left[0], "is a condition on a quantity; give quantity, or leave it out beside claim"
        )
    if "quantity" in test and len(conditions) != 1:
        raise fault(
            "",
            f"needs one of {', '.join(CONDITIONS)}"
            + f"; it has {' and '.join(conditions)}" * bool(conditions),
        )
    if "tolerance" in test and "equals" not in test:
        raise fault("tolerance", "belongs to equals, which is missing")
    if "limit" in test and ("{}" not in test["limit"] or not _is_level(test.get(conditions[0]))):
        raise fault("limit", 'names the number of the test, as in "the Cournot output {}"')
    if "along" in test and "monotone" not in test:
        raise fault("along", "belongs to monotone, which is missing")
    if "than" in test:
        than = check_table(RowKeys, test["than"], ("answer", "test", "than"))
        if not any(than.values()):
            raise fault("than", "needs at or quantity")
        if "monotone" in test:
            raise fault("than", "clashes with monotone")
        if not is_number(test[conditions[0]]):
            raise fault(
                conditions[0],
                f"{format_value(test[conditions[0]])} must be a number: the difference from than",
            )


def _is_level(limit: object) -> bool:
    return is_number(limit) or is_benchmark(limit)


def nonempty(tables: Table) -> TableDict:
    """Return the keys of a study that are given, without empty ones."""
    return {key: tables[key] for key in KEYS if tables.get(key) not in (None, {}, [], "")}


def without_retired(tables: Table) -> TableDict:
    """Return stored tables without keys of earlier versions.

    >>> without_retired({"label_keys": {}, "answer": {"asks": "what", "along": "reach"}})
    {'answer': {'along': 'reach'}}
    """
    current = {key: value for key, value in tables.items() if key not in RETIRED}
    if isinstance(current.get("answer"), Mapping):
        current["answer"] = without_retired(current["answer"])
    return current


def check_stored(study: Table) -> None:
    """Raise `StudyError` unless a study has the form of `rivalry.lab.study.Study.resolved`.

    Names of families, methods and plots are not looked up, so runs can be read without their plug-ins.
    """
    for key in KEYS:
        if key not in study and key not in (
            "quick",
            "answer",
            "citation",
            "based_on",
            "cells_per_batch",
        ):  # which not all versions stored
            raise StudyError("is missing", key=key)
    _check_tables(study)
    for k, method in enumerate(study.get("method") or []):
        if "name" not in method:
            raise StudyError("has no name", key=f"method[{k}]")
    for k, plot in enumerate(study.get("plots") or []):
        if not isinstance(plot if isinstance(plot, str) else plot.get("kind"), str):
            raise StudyError("has no kind", key=f"plots[{k}]")
    for key, kind, rule in (
        ("files", str, "digests by the names of files"),
        ("included", Mapping, "studies by their names"),
    ):
        table = study.get(key) or {}
        if not isinstance(table, Mapping) or not all(isinstance(value, kind) for value in table.values()):
            raise StudyError(f"must be {rule}", key=key)
    for part in (study.get("included") or {}).values():
        check_stored(part)
    for key in ("base", "origin"):  # the tables of the unchanged study, and of the one a copy is based on
        tables = study.get(key)
        if tables is None:
            continue
        if not isinstance(tables, Mapping) or set(tables) - {*KEYS, *RETIRED}:
            raise StudyError("must be tables of a study", key=key)
        try:
            _check_tables(tables)
        except StudyError as error:
            raise StudyError(str(error), key=key) from None


def _check_tables(tables: Table) -> None:
    """Raise `StudyError` unless stored tables have the form of those in a study file."""
    read(nonempty(without_retired(tables)))
    for table in ("sweep", "batch"):
        Grid(tables.get(table) or {}, table)


def run_keys(table: Table, prefix: Sequence[str | int]) -> TableDict:
    """Return the keys of a method's table that belong to the run. Raises `StudyError`."""

    def fault(name: str, rule: str) -> StudyError:
        return StudyError(rule, key=write_key([*prefix, name]))

    run_options = {k: v for k, v in table.items() if k in RUN_KEYS}
    check_table(RunKeys, run_options, prefix)
    start, has_starts = run_options.get("start", "random"), "starts" in run_options
    if not re.fullmatch(r"[A-Za-z0-9_\-]{1,100}", run_options["name"]):
        raise fault(
            "name", f"{format_value(run_options['name'])} must be at most 100 letters, digits, _ or -"
        )
    if has_starts and not isinstance(start, str):
        raise fault("starts", "clashes with start: give one start, or a number of random ones")
    if has_starts and start not in MANY:
        raise fault("starts", f"clashes with start = {format_value(start)}: they are random, or a grid")
    if start == "grid" and not has_starts:
        raise fault("start", "'grid' needs starts, how many there are")
    if has_starts and run_options.get("path"):
        raise fault("path", "clashes with starts: many starts in one cell record no paths")
    if "steps" in run_options and "max_steps" in run_options:
        raise fault("steps", "clashes with max_steps: learners take steps, other methods max_steps")
    return run_options


def _check_complete(document: Document) -> None:
    if document.game is None:
        raise StudyError("is missing: a study needs a [game], or include = [...]", key="game")
    if "family" not in document.game:
        rule = 'write family = "influencer", or another of `rivalry list games`'
        raise missing(document.game, "family", rule, ["game"])
    if not isinstance(family := document.game["family"], str):
        raise StudyError(f"{format_value(family)} must be text", key="game.family")
    if not document.method:
        raise StudyError("is missing: a study needs at least one [[method]]", key="method")
    for k, row in enumerate(document.expect):
        _check_references(row, f"expect[{k}]")


def _check_references(table: Table, key: str) -> None:
    """Raise `StudyError` for an expectation without a reference, or a reference without its tolerance."""

    def fault(name: str, rule: str) -> StudyError:
        return StudyError(rule, key=f"{key}.{name}")

    row = Expect(**table)
    if row.tolerance is not None and row.within is not None:
        raise fault("tolerance", "clashes with within: give one of them")
    if row.part is not None and not row.entry:
        raise fault("part", "belongs to entry, which is missing")
    if row.equals is not None and row.reduce != "share":
        raise fault("equals", 'needs reduce = "share", of what equals it')
    if row.within is not None and row.within[0] > row.within[1]:
        raise fault("within", f"{row.within} must be [low, high]")
    if row.published is None and row.expected is None and row.within is None:
        raise StudyError("needs published, expected or within", key=key)
    if row.published is None:
        for name in (
            *("published_tolerance", "published_tolerance_reason", "locator", "read", "why", "entry"),
        ):
            if table.get(name) not in (None, ""):
                raise fault(name, "describes a published value; give published too")
    elif is_number(row.published):
        if row.published_tolerance is None:
            rule = "is missing; give half a unit of the last printed digit, as in 0.005 for 0.85"
            raise fault("published_tolerance", rule)
        if not row.published_tolerance_reason:
            rule = 'is missing; say where the tolerance comes from, as in "rounding of two printed decimals"'
            raise fault("published_tolerance_reason", rule)
    if row.tolerance is not None and row.expected is None:
        hint = "; that of published is published_tolerance" if row.published is not None else ""
        raise fault("tolerance", f"belongs to expected, which is missing{hint}")


def _with_names(tables: Sequence[Table]) -> list[TableDict]:
    """Return every method's table with its name, by default its kind."""
    named_tables: list[TableDict] = []
    for k, table in enumerate(tables):
        kind = table.get("kind")
        if kind is None:
            raise missing(table, "kind", "see `rivalry list methods`", ["method", k])
        if not isinstance(kind, str):
            raise StudyError(f"{format_value(kind)} must be text", key=f"method[{k}].kind")
        default = kind.rpartition(":")[2] if ".py:" in kind else plain_kind(kind).replace(".", "_")
        row = {"name": table.get("name", default), **{n: v for n, v in table.items() if n != "name"}}
        run_keys(row, ("method", k))
        if any(row["name"] == earlier_row["name"] for earlier_row in named_tables):
            rule = f"{row['name']!r} is taken; give each method a name of its own"
            raise StudyError(rule, key=f"method[{k}].name")
        named_tables.append(row)
    return named_tables
