"""Faults of what a reader sees of a run: Python in lines, bare keys, lost figures, promises of a title.

``python -m tests.raw_answers RUN ...`` prints those of stored runs.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rivalry.cli import summary
from rivalry.cli.output import fitted
from rivalry.lab.answer import Answer, answer_of
from rivalry.lab.store import Run
from rivalry.lab.study.names import studies
from rivalry.results.table import Table

LITERAL = re.compile(r"[\[({]\s*['\"]|\{|\bnp\.|\barray\(|\bdtype\b|\b(?:None(?! of )|True|False|nan|inf)\b")
KEY = re.compile(r"\b[A-Za-z]\w*_\w+")
COMMANDS = re.compile(r"`[^`]*`|\S*/\S*")  # commands and paths have keys
LOST = ("was not drawn", "is in no cell", "did you mean")


def _kinds(study: Mapping[str, Any]) -> set[str]:
    return {f"{table['kind']} {table.get('name')}" for table in study.get("method", ())}


def _method(*parts: str) -> Any:
    return lambda study: any(part in kind for kind in _kinds(study) for part in parts)


def _swept(key: str) -> Any:
    return lambda study: any(name.rpartition(".")[2] == key for name in study.get("sweep") or {})


def _market(choice: str) -> Any:
    rules = {"choice": choice}

    def computes(study: Mapping[str, Any]) -> bool:
        game = study.get("game") or {}
        if game.get("family") != "market" or _swept("choice")(study):
            return True
        usual = "price" if game.get("demand", "linear") in ("logit",) else "quantity"
        return bool(game.get("choice", usual) == rules["choice"])

    return computes


PROMISES = {
    "Cournot": _market("quantity"),
    "Bertrand": _market("price"),
    "Stackelberg": lambda study: any((study.get("game") or {}).get(key) for key in ("stages", "leaders")),
    "Q-learning": _method("q_learning", "RecommendingPlatform"),
    "fictitious play": _method("fictitious"),
    "replicator": _method("replicator"),
}
"""Words of a title, and whether a study computes what they promise."""


def lines_of(answer: Answer) -> list[str]:
    """Lines above and below the table, without commands and paths."""
    lines = [*answer.state, *answer.lead, *answer.caveats]
    return [COMMANDS.sub("", line) for line in lines]


def in_lines(lines: Iterable[str]) -> Iterator[str]:
    """Literals of Python and keys with an underscore."""
    for line in lines:
        if match := LITERAL.search(line):
            yield f"Python in a line: {match[0]!r} in {line!r}"
        for key in sorted(set(KEY.findall(line)) - studies().keys()):
            yield f"key in a line: {key!r} in {line!r}"


def in_output(output: str) -> Iterator[str]:
    """Figures, quantities and names that a bundled study lacks."""
    for line in output.splitlines():
        if any(words in line for words in LOST):
            yield f"output: {line}"


def in_table(table: Table) -> Iterator[str]:
    """Keys as heads, and points without any result beside them."""
    for name in table.columns:
        if match := KEY.search(name):
            yield f"key as a head: {match[0]}"
    if len(table.columns) == table.keys:
        yield f"table of nothing but {', '.join(table.columns)}"


def in_figure(name: str, svg: str) -> Iterator[str]:
    """Keys on the axes, in the legend or among the words of a figure."""
    for words in re.findall(r"<!-- (.*?) -->", svg, re.S):
        if "$" not in words and (match := KEY.search(words) or LITERAL.search(words)):
            yield f"{name}: {match[0]!r} in {words!r}"


def in_title(study: Mapping[str, Any]) -> Iterator[str]:
    """Methods and models that a title names and the study does not have."""
    for word, computes in PROMISES.items():
        if re.search(rf"\b{word}\b", str(study.get("title")), re.I) and not computes(study):
            yield f"title: {study['title']!r} promises {word}"


def faults_of(answer: Answer, output: str, figures: Mapping[str, str]) -> list[str]:
    """Faults of an answer, of the output of its run, and of its figures ``name -> SVG``."""
    table = answer.table
    return [
        *in_title(answer.study),
        *in_lines(lines_of(answer)),
        *in_output(output),
        *(in_table(table) if table else ()),
        *(fault for name, svg in figures.items() for fault in in_figure(name, svg)),
    ]


def faults_of_run(run: Run, output: str = "") -> list[str]:
    """Faults of a stored run; ``output`` is what its command printed besides the answer."""
    answer = answer_of(run)
    printed = "\n".join(map(fitted, summary.of_run(run, answer, run.folder / "report.html")))
    files = sorted(run.folder.glob("**/figures/*.svg"))
    figures = {path.name: path.read_text(encoding="utf-8") for path in files}
    return faults_of(answer, f"{output}\n{printed}", figures)


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        noted = folder.with_suffix(".out")
        output = noted.read_text(encoding="utf-8") if noted.exists() else ""
        try:
            found = faults_of_run(Run.open(folder), output)
        except Exception as error:  # a run that is being made
            found = [f"{type(error).__name__}: {error}"]
        print(*(f"{folder.name}: {fault}" for fault in found), sep="\n", end="\n" * bool(found), flush=True)
