"""Content of a run's report page; the template determines its appearance."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import lookup

from rivalry.core.claims import CLAIMS, GAIN_AND_BOUND, UNCERTIFIED, weakest
from rivalry.core.files import folder_for, followed, policy_source, write
from rivalry.games import GAMES
from rivalry.lab.answer import Answer, answer_of
from rivalry.lab.answer.caveats import check_name, failures_of, lines, warnings_of
from rivalry.lab.answer.details import channels
from rivalry.lab.checks import NOT_COMPARED, NOT_TOLD_APART, JudgedCell, tally, unproved
from rivalry.lab.citation import how_to_cite
from rivalry.lab.figures import draw
from rivalry.lab.report.commands import commands
from rivalry.lab.report.full_runs import full_run_of
from rivalry.lab.store import Run, status_of
from rivalry.lab.study.expect import differences, is_reduced
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.points import flat
from rivalry.lab.study.schema import parameters
from rivalry.methods import METHODS
from rivalry.plots import entry_of as plot_entry_of
from rivalry.results.render import html, html_of
from rivalry.schema.keys import write_key
from rivalry.schema.register import collect, entry_of
from rivalry.schema.registry import hook, load
from rivalry.text.display import typeset, verified_in_words

RUN_KEYS = ("name", "kind")
PAGE = Path(__file__).parent / "page.html.j2"
STYLE = PAGE.with_name("page.css")
LIVING = "figures_of_report"  # the hook of living figures
ROWS = 30  # most points in the table of results
LABELS: dict[str, str] = collect("LABELS")
SECTIONS: dict[str, str] = collect("REPORT_SECTIONS")


def build(
    run: Run | str | os.PathLike[str],  # run, or its folder
    report: Callable[[str], None] = lambda line: None,  # receives a line per undrawn figure
    out: str | os.PathLike[str] | None = None,  # of page and figures, in place of the run
    answer: Answer | None = None,  # if it was computed before
) -> Path:
    """Build or rebuild the figures and ``report.html`` of a run from its stored files; return its path.

    The page is one self-contained file. No user's file is run; of a study without plots, the game of one cell
    may be built for the default figures.

    Raises
    ------
    rivalry.lab.store.StoreError
        If the folder is not a run.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    included = run.parts()
    sources, target = {}, run.folder
    if out is None:
        sources = {run_or_part: run_or_part.source() for run_or_part in (run, *included.values())}
    else:
        target = folder_for(followed(Path(out)))
    answer_now = _current(run, answer)
    sections = []
    for count, (name, part) in enumerate((included or {run.name: run}).items(), start=1):
        home = folder_for(target / part.folder.relative_to(run.folder))
        part_answer = answer_now.parts.get(name, answer_now)
        sections.append(_section(name, part, home / "figures", f"s{count}", part_answer))
        for figure in sections[-1]["figures"]:
            has_full_form = figure.absent and sections[-1]["reduced"]  # the study's full form has the point
            if figure.why and plot_entry_of(figure.kind) and not has_full_form:
                entry = int(figure.file.partition("-")[0]) - 1
                report(f"{name}: plots[{entry}] ({figure.kind}) was not drawn: {figure.why}")
    living = hook(LIVING)(run, answer_now) if LIVING in collect("HOOKS") else None
    for k, section in enumerate(sections):
        section["living"], section["cells"] = living.rooms[k] if living else ([], "")
    counts = {key: sum(section["counts"][key] for section in sections) for key in sections[0]["counts"]}
    explained: list[Any] = []
    for section in sections:
        explained += filter(None, [section["summary"], *section["registered"]])
    content = {
        "name": run.name,
        "title": run.title,
        "answer": answer_now,
        "study": run.head["study"],
        "whole": bool(included),
        "status": status_of(counts),
        "counts": counts,
        "sections": sections,
        "commands": (printed := commands(run)),
        "width": max(len(command) for command, _ in printed),
        "made_by": run.made_by,
        "cite": how_to_cite(run).removeprefix("to cite: ").rsplit("`", 2),
        "digest": run.digest(),
        "history": run.head["history"],
        "schema": run.head["schema"],
        "labels": _labels([section["study"] for section in sections]),
        "living": living,
        "style": (style := f"{living.style if living else ''}\n{STYLE.read_text(encoding='utf-8')}"),
        "style_source": policy_source(style),
        "meanings": {table.heading: table.meaning for table in explained}.items(),
        "gain_and_bound": GAIN_AND_BOUND,
        "tolerances": " or ".join(
            sorted({number(float(s["study"]["certificate"]["tolerance"]), 3) for s in sections})
        ),
    }
    path = target / "report.html"
    write(path, template(PAGE).render(content).encode())
    for run_or_part, source in sources.items():
        run_or_part.seal(source)
    return path


def _labels(studies: Sequence[Table]) -> list[str]:
    """Return the labels that the studies use, spelled out."""
    used = set(re.findall(r"[A-Z]+", json.dumps(studies)))
    return [f"{label}: {words}" for label, words in LABELS.items() if label in used]


def _current(run: Run, answer: Answer | None) -> Answer:
    """Return the run's answer: that which is known, unless the run's files have changed since."""
    if answer is not None:
        runs = run.runs().items()
        if all(answer.parts.get(name, answer).data is part.collect().data for name, part in runs):
            return answer
    return answer_of(run)


def _section(name: str, run: Run, figures: Path, prefix: str, answer: Answer) -> TableDict:
    """Return the content of the page on one study, by the names in the template.

    ``prefix`` begins the identifiers in its figures.
    """
    study = run.head["study"]
    (data, damaged), sample = run.collect(), answer.sampled
    counts = run.counts(damaged)
    family = str(study["game"]["family"])
    entry = GAMES.get(family)
    judged, groups = answer.checks, certificate_groups(answer.cells)
    pictures = draw(study, sample, figures, run.folder / "figures", prefix, run, binned_plots=answer.tiled)
    failures = failures_of(dict(sorted(run.failures().items())))
    places = {cell.id: _where(cell.at) for cell in run.cells if cell.id in failures}
    return {
        "anchor": name,
        "study": study,
        "family": family,
        "words": entry.title if entry else f"a game defined in {family}",
        "symbols": entry.symbols if entry else "",
        "parameters": _parameters(study),
        "symbol_of": symbols_of(family),
        "methods": [_method(table) for table in study["method"]],
        "counts": counts,
        "status": status_of(counts),
        "question": answer.question,
        "state": answer.state,
        "lead": answer.lead,
        "tables": answer.tables(ROWS),
        "summary": answer.summary,
        "caveats": answer.caveats,
        "judged": judged,
        "checks": {
            words: [comparison for comparison in judged if _verdict(comparison.row) == words]
            for words in ("differ", "agree", NOT_TOLD_APART, NOT_COMPARED)
        },
        "full_run": _full_run(run),
        "tally": tally([comparison.row for comparison in judged]),
        "changed": differences(study),
        "reduced": is_reduced(study),
        "but": ["reduced run"] * is_reduced(study) + ["changed from the study"] * bool(differences(study)),
        "groups": groups,
        "distances": any(group["distance"] is not None for group in groups),
        "unproved": unproved(answer.cells),
        "uncertified": any(group["claim"] == UNCERTIFIED for group in groups),
        "learned": "converged_share" in data,
        "trained": "resumed" in data,
        "result_tables": answer.result_tables,
        "has_lists": any(point.summary for point in answer.result_tables[0]),
        "registered": [section for target in SECTIONS.values() if (section := load(target)(sample))],
        "channels": channels(answer.points),
        "monitored": "monitor_step" in data,
        "softmax": "beta" in data.variables and "policy" in data,
        "figures": pictures,
        "warnings": warnings_of(run.warnings().values()),
        "failures": [(cell, places.get(cell, ""), failure.line()) for cell, failure in failures.items()],
        "computed_once": run.computed_once,
        "damaged": [(error.path.relative_to(run.folder).as_posix(), error.why) for error in damaged],
        "aside": sorted(path.name for path in (run.folder / "damaged").glob("*")),
        "edited": run.text_fault.removeprefix(f"{run.folder}{os.sep}"),
        "text": run.written_study,
    }


def _verdict(row: Table) -> str:
    """Return the comparison with references that can tell a value apart, or the reason for which none can."""
    verdicts = {row["published_verdict"], row["expected_verdict"]}
    if "differs" in verdicts or "agrees" in verdicts:
        return "differ" if "differs" in verdicts else "agree"
    return NOT_TOLD_APART if NOT_TOLD_APART in verdicts else NOT_COMPARED


def _full_run(run: Run) -> TableDict | None:
    """Return the stored full run of the study of another run: its description, verdicts and values."""
    if (stored := full_run_of(run)) is None:
        return None
    full, study = stored
    return {"about": full.about(), "tally": full.outcome(study, run), "judged": full.judged(study)}


def _parameters(study: Table) -> dict[str, str]:
    """Return the game's parameters; varied ones with their values."""
    texts = {key: in_words(value) for key, value in study["game"].items()}
    for (root, *path), value in flat(study["sweep"] | study["batch"]).items():
        if root == "game":
            texts[write_key(path)] = f"varied: {in_words(value)}"
    return texts


def symbols_of(family: str) -> dict[str, str]:
    """Return the symbols of a family's parameters as MathML, by key; of a user's family, not run, none."""
    if family not in GAMES:
        return {}
    keys = parameters(load(GAMES[family].targets[0]))
    return {key.name: mathml(key.symbol) for key in keys if key.symbol}


def mathml(symbols: str) -> str:
    """Return symbols, as `rivalry show FAMILY` prints them, as MathML, which browsers draw without a script.

    >>> mathml("alpha")
    '<math><mi>α</mi></math>'
    >>> mathml("a0 r_s")
    '<math><msub><mi>a</mi><mn>0</mn></msub><mo>,</mo><msub><mi>r</mi><mi>s</mi></msub></math>'
    """
    pieces = []
    for symbol in symbols.split():
        base, *below = re.findall(r"[A-Za-z]+|\d+", symbol)
        case = "CAPITAL" if base[0].isupper() else "SMALL"
        name = "LAMDA" if base == "lam" else base.upper()
        with suppress(KeyError):  # a symbol in Latin letters is printed as it is
            base = lookup(f"GREEK {case} LETTER {name}")
        signs = [f"<mn>{sign}</mn>" if sign.isdigit() else f"<mi>{sign}</mi>" for sign in below]
        under = "".join(signs) if len(signs) < 2 else f"<mrow>{''.join(signs)}</mrow>"
        pieces.append(f"<msub><mi>{base}</mi>{under}</msub>" if below else f"<mi>{base}</mi>")
    return f"<math>{'<mo>,</mo>'.join(pieces)}</math>"


def _method(table: Table) -> tuple[str, str, str, str]:
    """Return a method's name, kind, title and options."""
    options = ", ".join(f"{key} = {in_words(value)}" for key, value in table.items() if key not in RUN_KEYS)
    entry = entry_of(str(table["kind"]), METHODS)
    return str(table["name"]), str(table["kind"]), entry.title if entry else "the user's own", options


def certificate_groups(cells: Sequence[JudgedCell]) -> list[TableDict]:
    """Return finished cells by method, claim and status, each with the largest regret and its point."""
    groups: dict[tuple[str, str, str, str], list[JudgedCell]] = defaultdict(list)
    for certificate, properties in cells:
        claim = certificate["claim"] or UNCERTIFIED
        key = (str(certificate["algorithm"]), claim, properties["claim"], properties["status"])
        groups[key].append((certificate, properties))
    strength = (UNCERTIFIED, *CLAIMS)
    order = sorted(groups, key=lambda key: (key[0], -strength.index(key[1]), *key[2:]))
    return [_group(*key, groups[key]) for key in order]


def _group(method: str, claim: str, claim_text: str, status: str, rows: list[JudgedCell]) -> TableDict:
    row, properties = max(rows, key=lambda row: -1.0 if row[0]["regret"] is None else row[0]["regret"])
    facts = weakest(properties["facts"] for _, properties in rows)
    coverages = {row["coverage"] or "none" for row, _ in rows}
    coverage = coverages.pop() if len(coverages) == 1 else "mixed"
    roundings = {row["rounding"] for row, _ in rows}
    distances = [properties["distance"] for _, properties in rows]
    verified = ""
    if claim == "equilibrium":
        verified = verified_in_words([line for _, properties in rows for line in properties["verified"]])
    group = {
        "method": method,
        "claim": claim_text,
        "words": typeset(", ".join(filter(None, [facts.detail, verified]))),
        "status": status,
        "coverage": coverage,
    }
    group |= {"gain": row["regret"], "bound": typeset(properties["facts"].bound_text)}
    group |= {"cell": row["cell"], "size": len(rows)}
    group["rounding"] = roundings.pop() or "" if len(roundings) == 1 else ""
    group["where"] = _where({key: value for key, value in properties["place"].items() if key != "algorithm"})
    return group | {"distance": None if None in distances else max(distances)}


def _where(at: Table) -> str:
    return ", ".join(f"{name} = {in_words(value)}" for name, value in at.items())


def in_words(value: object) -> str:
    """Return a parameter's value as the page shows it: short numbers, truncated lists.

    >>> in_words([0.17, 0.17]), in_words({"kind": "mixture"}), in_words(True)
    ('0.17, 0.17', 'kind mixture', 'true')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {in_words(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        nested = any(isinstance(entry, list | tuple) for entry in value)
        entries = [f"({in_words(entry)})" if nested else in_words(entry) for entry in value[:12]]
        remainder = f", … ({len(value)} values)" if len(value) > 12 else ""
        return ", ".join(entries) + remainder
    return number(value) if isinstance(value, float) else str(value)


def number(value: object, digits: int = 7) -> str:
    """Return a number as tables show it; a dash for None.

    >>> number(0.18881512), number(None), number(7.5e-08), number(True)
    ('0.1888151', '–', '7.5e−8', 'true')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return typeset(f"{value:.{digits}g}") if isinstance(value, float) else str(value)


def template(path: Path) -> Any:
    """Return a template of a page, whose texts are escaped where they are not marked as safe."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(path.parent)
    blocks: TableDict = {"trim_blocks": True, "lstrip_blocks": True}
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, **blocks)
    environment.filters |= {"typeset": typeset, "check_name": check_name}
    environment.filters |= {"table_html": html, "rows_html": html_of}
    environment.filters |= {"in_words": in_words, "number": number, "warning_lines": lines}
    environment.filters["json"] = partial(json.dumps, ensure_ascii=False)
    return environment.get_template(path.name)
