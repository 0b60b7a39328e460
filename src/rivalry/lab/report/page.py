"""Content of a run's report page; the template determines its appearance."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.core.files import folder_for, write
from rivalry.core.results import CLAIMS, gain_in_words
from rivalry.economies.report import TravellersTable, travellers
from rivalry.games import GAMES
from rivalry.lab.report.figures import Figure, draw
from rivalry.lab.report.judge import JudgedExpectation, cells, judge, tally
from rivalry.lab.report.tables import (
    ListedEquilibria,
    Networks,
    Sessions,
    channels,
    equilibria,
    networks,
    sessions,
)
from rivalry.lab.report.warned import Warned, lines, warned
from rivalry.lab.store import Run, status_of
from rivalry.lab.study.expect import Difference, differences
from rivalry.lab.study.names import studies
from rivalry.methods import METHODS
from rivalry.plots import PLOTS

if TYPE_CHECKING:
    from xarray import Dataset

RUN_KEYS = ("name", "kind")
LABELS = {
    "COIN": "resources assigned at random",
    "DICT": "resources assigned by true urgency",
    "TURN": "resources assigned by turn-taking",
}


class Group(NamedTuple):
    """Cells of one method with the same claim and status."""

    method: str
    claim: str
    status: str
    coverage: str
    size: int
    regret: float | None
    bound: float | None
    cell: str
    where: str
    distance: float | None  # the largest to the nearest equilibrium found; None if unknown
    words: str  # text printed with the claim, or empty


class Section(NamedTuple):
    """Content of the page on one study."""

    anchor: str
    study: Mapping[str, Any]
    family: str
    words: str
    symbols: str
    parameters: list[tuple[str, str]]
    methods: list[tuple[str, str, str, str]]  # name, kind, sentence, options
    counts: Mapping[str, int]
    status: str
    judged: list[JudgedExpectation]
    tally: str
    changed: list[Difference]
    groups: list[Group]
    sessions: Sessions | None  # of learning in repeated play
    networks: Networks | None  # of learners trained by RLlib
    equilibria: tuple[list[ListedEquilibria], int]  # of finite games, and the number of points left out
    travellers: list[TravellersTable]  # agent classes of a city
    channels: list[tuple[str, str]]  # methods, and how discount factors can affect their results
    monitored: bool  # agents were monitored while they learned
    softmax: bool  # policies are softmaxes at a finite temperature
    figures: list[Figure]
    warnings: list[Warned]
    failures: list[tuple[str, str, str]]  # cell, where, why
    damaged: list[tuple[str, str]]  # files of the run, and the reason
    aside: list[str]  # files that were damaged earlier
    edited: str  # how study.toml differs from the run's study; empty if it does not
    text: str

    @property
    def distances(self) -> bool:
        """Whether any group's distance is known."""
        return any(group.distance is not None for group in self.groups)

    @property
    def uncertified(self) -> bool:
        """Whether any group of results has no certificate."""
        return any(group.claim == "no certificate" for group in self.groups)


def build(
    run_folder: str | os.PathLike[str],
    tell: Callable[[str], None] = lambda line: None,
    out: str | os.PathLike[str] | None = None,
) -> Path:
    """Build or rebuild the figures and ``report.html`` of a run from its stored files.

    The page is one self-contained file. No game is built and no user's file is run.

    Parameters
    ----------
    tell
        Callback that receives one line per figure of the package that could not be drawn, with the reason.
    out
        Folder for the page and the figures; nothing is then written into the run. Default: the run.

    Returns
    -------
    Path
        Path of the page.

    Raises
    ------
    rivalry.lab.store.StoreError
        If the folder is not a run.
    """
    run = Run.open(run_folder)
    parts = run.parts() or {run.name: run}
    target = run.folder if out is None else folder_for(Path(out))
    homes = {name: target / part.folder.relative_to(run.folder) for name, part in parts.items()}
    sections = [_section(name, part, homes[name] / "figures") for name, part in parts.items()]
    for part, number, figure in [(s, k, f) for s in sections for k, f in enumerate(s.figures)]:
        if figure.why and figure.kind in PLOTS and not (figure.absent and part.study.get("quick_form")):
            tell(f"{part.anchor}: plots[{number}] ({figure.kind}) was not drawn: {figure.why}")
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            name=run.name,
            title=run.title,
            study=run.head["study"],
            whole=len(run.head["parts"]) > 0,
            status=status_of(counts := _summed([section.counts for section in sections])),
            counts=counts,
            sections=sections,
            commands=(lines_to_type := commands(run)),
            width=max(len(command) for command, _ in lines_to_type),
            made_by=run.made_by,
            history=run.head["history"],
            schema=run.head["schema"],
            labels=_labels([section.study for section in sections]),
        )
    )
    path = target / "report.html"
    write(path, page.encode())
    if out is None:
        for one in {run.folder: run, **{part.folder: part for part in parts.values()}}.values():
            one.seal()
    return path


def _labels(studies: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the labels of rules without karma that the studies use, spelled out."""
    used = set(re.findall(r"[A-Z]+", json.dumps(studies)))
    return [f"{label}: {words}" for label, words in LABELS.items() if label in used]


def _summed(each: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {key: sum(counts[key] for counts in each) for key in each[0]}


def commands(run: Run) -> list[tuple[str, str]]:
    """Return the commands that repeat, continue or rebuild a run, each with what it does."""
    stored = run.name not in studies() and (run.folder / "study.toml").exists()
    study = "study.toml" if stored else run.name
    quick = " --quick" if run.head["study"].get("quick_form") else ""
    return [
        (f"rivalry run {study}{quick}", "run the study as written, from the start"),
        ("rivalry resume RUN", "continue this run and repeat failed cells; RUN is the folder of this page"),
        ("rivalry report RUN", "rebuild this page and its figures from the stored data"),
        ("rivalry certify RUN", "recompute the certificates of the stored profiles"),
        ("rivalry export RUN --to csv", "export the results for other tools"),
    ]


def _section(name: str, run: Run, figures: Path) -> Section:
    study = run.head["study"]
    data, damaged = run.collect()
    counts = run.counts(damaged)
    family = str(study["game"]["family"])
    entry = GAMES.get(family)
    return Section(
        anchor=name,
        study=study,
        family=family,
        words=entry.title if entry else f"a game defined in {family}",
        symbols=entry.symbols if entry else "",
        parameters=_parameters(study),
        methods=[_method(table) for table in study["method"]],
        counts=counts,
        status=status_of(counts),
        judged=(judged := judge(study, data)),
        tally=tally([one.row for one in judged]),
        changed=differences(study),
        groups=_groups(data),
        sessions=sessions(data),
        networks=networks(data, run.made_by),
        equilibria=equilibria(data),
        travellers=travellers(data),
        channels=channels(data),
        monitored="monitor_step" in data,
        softmax="beta" in data.variables and "policy" in data,
        figures=draw(study["plots"], data, figures, run.folder / "figures"),
        warnings=warned(run.warnings().values()),
        failures=_failures(run),
        damaged=[(error.path.relative_to(run.folder).as_posix(), error.why) for error in damaged],
        aside=sorted(path.name for path in (run.folder / "damaged").glob("*")),
        edited=run.text_fault.removeprefix(f"{run.folder}{os.sep}"),
        text=json.dumps(study, indent=1) if run.text is None else run.text,
    )


def _parameters(study: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the game's parameters; varied ones with their values."""
    varied = {key: value for table in ("sweep", "batch") for key, value in study[table].items()}
    told = {key: shown(value) for key, value in study["game"].items()}
    for key, value in varied.items():
        root, _, name = key.partition(".")
        if root == "game":
            told[name] = f"varied: {shown(value)}"
    return list(told.items())


def _method(table: Mapping[str, Any]) -> tuple[str, str, str, str]:
    options = ", ".join(f"{key} = {shown(value)}" for key, value in table.items() if key not in RUN_KEYS)
    entry = METHODS.get(str(table["kind"]))
    return str(table["name"]), str(table["kind"]), entry.title if entry else "the user's own", options


def _failures(run: Run) -> list[tuple[str, str, str]]:
    places = {cell.id: _where(cell.at) for cell in run.cells}
    return [(cell, places.get(cell, ""), why) for cell, why in sorted(run.failures().items())]


def _groups(data: Dataset) -> list[Group]:
    """Return finished cells by method, claim and status, each with the largest regret and its point."""
    held: dict[tuple[str, str, str], list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for certificate, where in cells(data):
        key = (str(certificate["algorithm"]), certificate["claim"] or "no certificate", where["status"])
        held[key].append((certificate, where))
    strength = ("no certificate", *CLAIMS)
    order = sorted(held, key=lambda key: (key[0], -strength.index(key[1]), key[2]))
    return [_group(*key, held[key]) for key in order]


def _group(method: str, claim: str, status: str, rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> Group:
    worst, where = max(rows, key=lambda row: -1.0 if row[0]["regret"] is None else row[0]["regret"])
    coverages = {row["coverage"] or "none" for row, _ in rows}
    about = ("algorithm", "status", "distance", "gain", "search")
    place = _where({k: v for k, v in where.items() if k not in about})
    away = [about["distance"] for _, about in rows]
    farthest = None if None in away else max(away)
    shared = coverages.pop() if len(coverages) == 1 else "mixed"
    return Group(
        method,
        claim,
        status,
        shared,
        len(rows),
        worst["regret"],
        worst["bound"],
        worst["cell"],
        place,
        farthest,
        _printed_with(claim, shared, [about for _, about in rows]),
    )


def _printed_with(claim: str, coverage: str, rows: list[dict[str, Any]]) -> str:
    """Return the text printed with a claim: an approximate equilibrium's bound, a lower bound's search."""
    if claim == "approximate equilibrium":
        return gain_in_words(max(row["gain"] for row in rows))
    searches = sorted({row["search"] for row in rows} - {""})
    return ", ".join(searches[:3]) if coverage == "lower bound" else ""


def _where(at: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {shown(value)}" for name, value in at.items())


def shown(value: Any) -> str:
    """Return a parameter's value as the page shows it: short numbers, truncated lists.

    >>> shown([0.17, 0.17]), shown({"kind": "mixture"}), shown(True)
    ('0.17, 0.17', 'kind mixture', 'true')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {shown(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        nested = any(isinstance(inner, list | tuple) for inner in value)
        told = [f"({shown(inner)})" if nested else shown(inner) for inner in value[:12]]
        more = f", … ({len(value)} values)" if len(value) > 12 else ""
        return ", ".join(told) + more
    return number(value) if isinstance(value, float) else str(value)


def number(value: Any, digits: int = 7) -> str:
    """Return a number as tables show it; a dash for None.

    >>> number(0.18881512), number(None), number(7.5e-10), number(True)
    ('0.1888151', '–', '7.5e−10', 'true')
    """
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value).lower() if isinstance(value, bool) else value
    return f"{value:.{digits}g}".replace("-", "−") if isinstance(value, float) else str(value)


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"shown": shown, "number": number, "warning_lines": lines}
    return found
