"""Figures of a study, drawn from stored data: files for papers, and the same figures inline in the page."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry import plots
from rivalry.core.files import folder_for, write
from rivalry.core.results import dataset
from rivalry.core.tolerances import SAME_NUMBER
from rivalry.lab.discounted import per_period
from rivalry.lab.study.expect import is_fixed
from rivalry.lab.study.identity import StudyTables, Table, TableDict
from rivalry.lab.study.names import benchmark_quantity, is_benchmark
from rivalry.lab.study.questions import as_asked
from rivalry.lab.study.words import Words, quantities_of_answer
from rivalry.plots.families import default_figures
from rivalry.plots.select import (
    LINES,
    SCENARIO,
    NoSuchPoint,
    drawn_rank,
    filled_variables,
    find_sweep,
    own_rank,
    position,
    second_key,
)

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.lab.store import Run
    from rivalry.schema.register import PlotEntry


PICTURE = 2**24  # bytes of the largest picture that a page holds
FIRST = 3  # cells of which the first with a profile has figures of its game
MOST_DEFAULTS = 4  # figures of a study that names no plots
BINNED = "Means in bins, hatched unless all results in a bin are certified."


class StaticFigure(NamedTuple):
    """A figure, or the reason (``why``) that it was not drawn."""

    kind: str
    file: str
    caption: str = ""
    svg: str = ""  # without XML prolog, with unique identifiers; an image if drawn elsewhere
    why: str = ""
    marked: bool = False  # it has hollow marks, which are not certified
    absent: bool = False  # the run has no such point; the study's full form may
    lacks: tuple[str, ...] = ()  # points that the study asks for; of the run's, this is the nearest to each

    @property
    def substitution(self) -> str:
        """Points that the study asks for instead of the one in the figure."""
        if not self.lacks:
            return ""
        *lead_points, end_point = self.lacks
        points_text = f"{', for '.join(lead_points)} and for {end_point}" if lead_points else end_point
        return f" The study asks for {points_text}, which this run lacks: this is the nearest point."


def draw(
    study: StudyTables,
    data: Dataset,
    folder: Path,
    stored: Path,
    prefix: str,
    run: Run | None = None,
    form: str = "svg",
    binned_plots: Sequence[tuple[Table, Dataset]] = (),
) -> list[StaticFigure]:
    """Draw every entry of a study's ``plots`` as ``folder/NN-kind.svg``, or its family's default figures.

    A plot that fails is returned with the reason. Points that a changed or reduced run lacks are replaced by
    the nearest one; a figure that entries then have in common is drawn once. Plots from outside the package
    are read from ``stored``, the run's figures, where `draw_own` wrote them, as SVG only. If ``folder`` is
    ``stored``, older files named in this way are removed. Identifiers inside figures begin with ``prefix``.
    Default figures that draw more of the game than the data hold are of the first cell of ``run``.
    ``binned_plots`` are further entries, heat maps of bins, with their data.
    """
    folder_for(folder)
    study, data = per_period(as_asked(study), data)
    entries = enumerate(study["plots"], start=1)
    panels = _unique_figures([_draw_one(k, entry, study, data, folder, stored, form) for k, entry in entries])
    panels = panels or _draw_defaults(study, data, folder, stored, run, form)
    for entry, binned in binned_plots:
        figure = _draw_one(len(panels) + 1, entry, study, binned, folder, stored, form)
        panels.append(figure._replace(caption=f"{figure.caption} {BINNED}"))
    figures = [
        figure._replace(svg=inline(figure.svg, f"{prefix}f{k}"), caption=figure.caption + figure.substitution)
        for k, figure in enumerate(panels, start=1)
    ]
    if folder == stored:
        current = {figure.file for figure in figures if not figure.why}
        for old in folder.glob("[0-9][0-9]-*.svg"):
            if old.name not in current:
                old.unlink()
    return figures


def _unique_figures(panels: Sequence[StaticFigure]) -> list[StaticFigure]:
    """Figures without those that equal an earlier one, at a nearest point; its caption says so."""
    figures: list[StaticFigure] = []
    for figure in panels:
        equal = (
            k
            for k, earlier_figure in enumerate(figures)
            if (earlier_figure.kind, earlier_figure.svg) == (figure.kind, figure.svg)
        )
        equal_index = next(equal, None) if figure.lacks else None
        if equal_index is None:
            figures.append(figure)
        else:
            figures[equal_index] = figures[equal_index]._replace(
                lacks=figures[equal_index].lacks + figure.lacks
            )
    return figures


def _draw_defaults(
    study: StudyTables, data: Dataset, folder: Path, stored: Path, run: Run | None, form: str
) -> list[StaticFigure]:
    """First default figures of a game's family that can be drawn."""
    figures: list[StaticFigure] = []
    for entry in default_figures(str(study["game"]["family"]), data):
        missing = [view for view in plots.PLOTS[entry["kind"]].views if view not in data]
        cell_data, where = _first_cell(run, missing) if run is not None and missing else (data, "")
        figure = _draw_one(len(figures) + 1, entry, study, cell_data, folder, stored, form)
        if not figure.why:
            caption = f"{figure.caption.removesuffix('.')} ({where})." if where else figure.caption
            figures.append(figure._replace(caption=caption))
        if len(figures) == MOST_DEFAULTS:
            break
    return figures


def _first_cell(run: Run, views: Sequence[str]) -> tuple[Dataset, str]:
    """First of a run's cells with a profile, with plot data of its game, and its point in words.

    The data are empty without such a cell, and for studies with files of their own, which no report runs.
    """
    from rivalry.lab.worker import views_of

    try:
        # as the study's tables say: what else a stored study says of files is not trusted
        own_files = bool(run.study.own_files)
    except ValueError:  # a study that this version cannot build
        own_files = True
    for cell in () if own_files else run.cells[:FIRST]:
        try:
            record = run.read_cell(cell.id)
            plot_data = views_of(run.tasks()[cell.id], run.folder, record, views)
        except Exception:  # damaged or unfinished, or of a study that cannot be built here: the next one
            continue
        if plot_data:
            swept_coordinates = {
                name: value for name, value in cell.at.items() if len(run.axes.get(name, ())) > 1
            }
            return dataset(record | plot_data), Words(run.head["study"]).point(swept_coordinates)
    return dataset({}), ""


def draw_own(run: Run) -> list[str]:
    """Draw only the plots of user files, which are run, and of other packages; return a line per failure."""
    from rivalry.lab.study import build_plot
    from rivalry.plots.style import picture

    study, folder, failed = run.study, run.folder / "figures", []
    study_as_asked = as_asked(run.head["study"])
    drawn_here = []
    for number, row in enumerate(study_as_asked["plots"], start=1):
        kind = row if isinstance(row, str) else row["kind"]
        if plots.entry_of(str(kind)) is None:
            drawn_here.append((number, row))
    if not drawn_here:
        return []
    data = run.dataset()
    folder_for(folder)
    for number, row in drawn_here:
        kind, options = kind_and_options(row, study_as_asked, data)
        path = folder / figure_file(number, kind)
        try:
            write(path, picture(build_plot(kind, study.folder), data, **options).svg)
        except (Exception, SystemExit) as error:  # a user's plot may raise anything; the results are stored
            path.unlink(missing_ok=True)
            failed.append(f"plots[{number - 1}] ({kind}) was not drawn: {_reason(error)}")
    return failed


def _reason(error: BaseException) -> str:
    """Reason for a missing figure; a `ValueError` is wrong input, and says so itself."""
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _as_image(kind: str, path: Path) -> StaticFigure:
    """Stored figure as an image, which cannot run scripts or affect the page."""
    # the page shows no file from outside the run, and none too large for a page
    if path.is_symlink() or not path.is_file() or path.stat().st_size > PICTURE:
        reason = "`rivalry resume RUN`, which runs its file, tries again; log.txt tells of the last time"
        return StaticFigure(kind, path.name, why=reason)
    image = f'<img alt="" src="data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}">'
    return StaticFigure(kind, path.name, f"Drawn by {kind}.", image)


def _draw_one(
    number: int,
    entry: str | Table,
    study: StudyTables,
    data: Dataset,
    folder: Path,
    stored: Path,
    form: str,
) -> StaticFigure:
    from rivalry.lab.study import build_plot
    from rivalry.plots.style import picture

    kind, options = kind_and_options(entry, study, data)
    file = figure_file(number, kind)
    entry_of_kind = plots.entry_of(kind)
    if entry_of_kind is None:
        if form != "svg":
            return StaticFigure(kind, file, why="it was drawn by a user's file, as SVG")
        return _as_image(kind, stored / file)
    file = str(Path(file).with_suffix(f".{form}"))
    lacks: tuple[str, ...] = ()
    if at := options.get("at"):
        options["at"] = _nearest(data, at)
        varied = {name: value for name, value in at.items() if not is_fixed(study["game"], name, value)}
        if any(name not in options["at"] or options["at"][name] != varied[name] for name in varied):
            lacks = (Words(study).point(varied),)
    try:
        plot = build_plot(kind)
        file_bytes, where, hollow, subject = picture(plot, data, form, **options)
    except NoSuchPoint as error:
        return StaticFigure(kind, file, why=str(error), absent=True)
    except Exception as error:  # a plot may fail on unusual data; the report still needs the others
        return StaticFigure(kind, file, why=_reason(error))
    write(folder / file, file_bytes)
    caption = caption_of(entry_of_kind, plot, options, where, subject)
    svg = file_bytes.decode() if form == "svg" else sha256(file_bytes).hexdigest()  # for comparison
    return StaticFigure(kind, file, caption, svg, marked=hollow, lacks=lacks)


def caption_of(entry: PlotEntry, plot: Callable[..., Any], options: Table, where: str, subject: str) -> str:
    """Caption of a figure: what is plotted, and in brackets where, as the chart says it or its entry does."""
    title = (
        subject or entry.caption_of(options) or str(plot.__doc__).partition(".\n")[0].removeprefix("Draw ")
    )
    return f"{title[0].upper()}{title[1:]}" + (f" ({where})." if where else ".")


def _nearest(data: Dataset, at: Table) -> TableDict:
    """Point of a run nearest to ``at``; coordinates without any such value are left out."""
    nearest = {}
    for name, target in at.items():
        length = data.sizes.get(name, 0)
        coordinate = np.ravel(data[name].values) if name in data.coords else np.arange(length)
        if position(coordinate, target) is not None:
            nearest[name] = target
        elif len(coordinate) and coordinate.dtype.kind in "fiu" and isinstance(target, int | float):
            nearest[name] = coordinate[int(np.argmin(np.abs(coordinate - target)))].item()
    return nearest


def inline(svg: str, prefix: str) -> str:
    """The ``<svg>`` element with prefixed identifiers, since many figures share the page."""
    if "<svg" not in svg:
        return svg
    body = svg[svg.index("<svg") :]
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'(xlink:href|href)="#', rf'\1="#{prefix}-', body)
    body = body.replace("url(#", f"url(#{prefix}-")
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    return re.sub(r' style="([^"]*)"', _as_attributes, body)


def _as_attributes(style: re.Match[str]) -> str:
    """Style as attributes, which a page may allow without allowing styles."""
    pairs = (part.partition(":")[::2] for part in style[1].split(";") if ":" in part)
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in pairs)


def kind_and_options(
    entry: str | Mapping[str, Any], study: StudyTables, data: Dataset
) -> tuple[str, TableDict]:
    """Plot's kind and options, from an entry of a study's ``plots``.

    A scenario that names no quantities draws those of the study's answer. With too many values of a second
    key for lines, a heat map of the first quantity takes its place.
    """
    options: TableDict = {"kind": entry} if isinstance(entry, str) else dict(entry)
    kind = str(options.pop("kind", ""))
    if kind == "scenario" and "quantities" not in options:
        quantities = quantities_of_answer(study)
        numbers = [name for name in filled_variables(data, quantities) if data[name].dtype.kind in "fi"]
        if lines := [name for name in numbers if drawn_rank(data, name) < 2]:
            options["quantities"] = lines
    if kind == "scenario" and (heat := _heat_options(options, data)):
        return "heat", heat
    if "lines" in options:
        options["lines"] = reference_lines(options, data)
    return kind, options


def _heat_options(options: Mapping[str, Any], data: Dataset) -> TableDict | None:
    """Options of a heat map where a scenario has a second key with many numbers, else None."""
    names = filled_variables(data, options.get("quantities") or ())
    key = None if "series" in options or not names else second_key_of(options, data, None)
    if key is None or data.sizes[key] <= LINES or data[key].dtype.kind not in "fiu":
        return None
    over = find_sweep(data, names[0], own_rank(data, names[0]), options.get("at"), options.get("over"))
    shared = {name: options[name] for name in ("at", "period", "log") if name in options}
    return {"quantity": names[0], "over": [over, key], **shared}


def second_key_of(options: Mapping[str, Any], data: Dataset, max_lines: int | None = LINES) -> str | None:
    """Second key of a scenario or a heat map with these options; None without one."""
    if "quantity" in options:
        return str(options["over"][1]) if options.get("over") else None
    names = filled_variables(data, options.get("quantities") or SCENARIO)
    if "series" in options or not names:
        return options.get("series")
    rank, at = own_rank(data, names[0]), options.get("at")
    try:
        over = find_sweep(data, names[0], rank, at, options.get("over"))
    except ValueError:  # the chart says what is wrong
        return None
    return second_key(data, names[0], rank, over, at, max_lines)


def figure_file(number: int, kind: str) -> str:
    """Name of a figure's file in the folder ``figures`` of a run."""
    return f"{number:02d}-{re.sub(r'[^A-Za-z0-9_]', '-', kind.rpartition(':')[2])}.svg"


def reference_lines(options: Table, data: Dataset) -> dict[str, float]:
    """Reference lines of a plot by name; of benchmarks, those that are one number at all points.

    Of several players the mean is drawn, as of the plot's quantity, unless the plot is of one ``player``.
    """
    quantity, levels = str(options.get("quantity") or "payoff"), {}
    for name, level in options["lines"].items():
        if not is_benchmark(level):
            levels[name] = level
            continue
        numbers = _levels(data, benchmark_quantity(level, quantity), options.get("player"))
        if numbers.size and np.allclose(numbers, numbers[0], rtol=SAME_NUMBER, atol=0.0):
            levels[name] = float(numbers[0])
    return levels


def _levels(data: Dataset, name: str, player: int | None) -> ndarray:
    """Finite numbers of a benchmark at all points; none where no cell has it."""
    if name not in data:
        return np.empty(0)
    values = data[name]
    if "player" in values.dims:
        values = values.mean("player") if player is None else values.isel(player=player)
    return np.asarray(values.values[np.isfinite(values.values)])
