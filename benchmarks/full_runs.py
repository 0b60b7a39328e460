"""Stores the full run of a bundled study in ``studies/full/NAME.json``.

``python -m benchmarks.full_runs RUN`` writes the file from a finished run; what it holds is said in
`rivalry.lab.report.full_runs`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core.files import StoreError, levels, write
from rivalry.lab.answer import Answer
from rivalry.lab.checks import judge
from rivalry.lab.figures import caption_of
from rivalry.lab.report import full_runs
from rivalry.lab.store import Run, load_run
from rivalry.lab.study import build_plot, load_study
from rivalry.lab.study.identity import Table, TableDict
from rivalry.plots import entry_of
from rivalry.plots.marks import Drawing, Mark
from rivalry.plots.style import picture

SCHEMA = 1
ROWS = 40  # most of an answer's table
ENTRIES = 4000  # most in the data of a figure


def store(run: Run) -> Path:
    """Write the file of a run and return its path.

    Raises
    ------
    StoreError
        Unless the run is complete, of the unchanged full form of a bundled study, and by one version.
    """
    if reason := full_runs.refusal(run):
        raise StoreError(f"{run.folder}: {reason}")
    study = load_study(run.name).resolved()
    data, times = run.dataset(), run.seconds()
    full = full_runs.FullRun(
        schema=SCHEMA,
        study=run.name,
        tables=full_runs.digest_of(study),
        date=run.date,
        seed=study["replications"]["seed"],
        cells=len(run.cells),
        seconds=round(sum(times.values()), 1),
        made_by=run.made_by,
        values=[
            {key: row[key] for key in full_runs.SELECTS if key in row}
            | {key: comparison.row[key] for key in ("ours", "certificate", "reason")}
            for row, comparison in zip(study["expect"], judge(study, data), strict=True)
        ],
        answer=_answer(study, run),
    )
    path = Path(str(full_runs.FOLDER)) / f"{run.name}.json"
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(full_runs.as_json(full), indent=1, ensure_ascii=False)
    # lists and tables without further ones in a line each; no text in JSON has a line break of its own
    for innermost in (r"\[\n[^][{}]*\]", r"\{\n[^{}]*\}"):
        text = re.sub(innermost, lambda match: re.sub(r"\n *", "", match[0]), text)
    write(path, f"{text}\n".encode())
    return path


def _answer(study: Table, run: Run) -> full_runs.StoredAnswer:
    """Return the answer of a finished run of a resolved study, without verdicts on reference values."""
    answer = Answer({**study, "expect": []}, run.dataset(), run)
    table = answer.table_of(ROWS)
    caption, panels = _first_figure(answer)
    return full_runs.StoredAnswer(
        definition=full_runs.definition_of(study),
        cells=run.cells_digest,
        question=answer.question,
        verdict=answer.verdict and answer.verdict.as_json(),
        caveats=answer.caveats,
        columns=table.columns if table else [],
        rows=table.texts if table else [],
        notes=table.below() if table else [],
        caption=caption,
        figure=panels,
    )


def _first_figure(answer: Answer) -> tuple[str, list[TableDict]]:
    """Return caption and data of the figure that answers the question; no data where they are many."""
    figure = answer.figure
    if figure is None or (entry := entry_of(figure["kind"])) is None:
        return "", []
    plot, options = build_plot(figure["kind"]), figure["options"]
    _, where, _, subject = picture(plot, answer.sampled, **options)
    marks_of: Any = vars(plot)["marks_of"]
    panels = panel_data(marks_of(answer.sampled, **options))
    is_short = sum(len(row) for row in levels(panels)) <= ENTRIES
    return caption_of(entry, plot, options, where, subject), panels if is_short else []


def panel_data(drawing: Drawing) -> list[dict[str, Any]]:
    """Return the marks of each panel for JSON.

    Returns
    -------
    list of dict
        ``title``, ``x`` and ``y`` of the axes, ``ticks`` with their places where they are fixed, and
        ``marks``. A mark has its ``kind``, its ``label`` in the legend and its ``colour`` where it has one,
        and its arrays; see `Mark`. Marks without coordinates are entries of the legend. Numbers have six
        significant digits.

    Examples
    --------
    >>> from rivalry.plots.marks import Frame
    >>> (panel,) = panel_data(Drawing([Mark("line", [0, 1], [0.0, 2 / 3], label="a")], [Frame()]))
    >>> panel["marks"]
    [{'kind': 'line', 'label': 'a', 'colour': '#333333', 'x': [0.0, 1.0], 'y': [0.0, 0.666667]}]
    """
    panels: list[dict[str, Any]] = []
    for frame in drawing.frames:
        ticks: dict[str, Mapping[str, Any]] = {}
        for axis, names in (("x", frame.x_ticks), ("y", frame.y_ticks)):
            places = names if isinstance(names, Mapping) else dict(zip(names, range(len(names)), strict=True))
            ticks |= {axis: places} if places else {}
        words = {"title": frame.title, "x": frame.x, "y": frame.y}
        panels.append(words | ({"ticks": ticks} if ticks else {}) | {"marks": []})
    for mark in drawing.marks:
        panels[mark.panel]["marks"] += map(_mark_data, mark.columns())
    return panels


def _mark_data(mark: Mark) -> dict[str, Any]:
    """Kind, legend and arrays of a mark."""
    data: dict[str, Any] = {"kind": mark.kind}
    if mark.label and not str(mark.label).startswith("_"):
        data["label"] = mark.label
    if not mark.is_coloured():
        data["colour"] = mark.hue
    if mark.hollow:
        data["hollow"] = True
    for name in ("x", "y", "z", "low", "high", "value"):
        array = getattr(mark, name)
        if np.size(array) and array is not None:
            data[name] = _numbers(array)
    return data


def _numbers(values: Any) -> Any:
    """Nested lists of floats with six significant digits, None where there is no number."""
    array: np.ndarray = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    if array.ndim:
        return [_numbers(row) for row in array]
    return float(f"{array:.6g}") if np.isfinite(array) else None


def main(arguments: Sequence[str]) -> str:
    """Store the run whose folder is given; return an error in one line, empty if there is none."""
    try:
        (folder,) = arguments
        print(store(load_run(folder)))
    except ValueError as error:  # of a wrong number of folders too
        return f"python -m benchmarks.full_runs RUN: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
