"""Pages of published values that were opened at their source, beside ours.

"Reproduced results" has a section per source, "The thesis" one per table of Vaishampayan (2024), and
answers of full runs for its figures. A value counts as compared only where the full form of a study was run
and its results are stored with the package. Values are from ``tests/reference/published.json``; those that no
study compares are in ``published_open.json`` beside it, with the reason.

``python docs/reproduced.py RUN ...`` draws the pictures of the pages from finished runs of full forms.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from reference_pages import cell, table

from rivalry.lab.checks import NOT_TOLD_APART
from rivalry.lab.report.full_runs import full_run
from rivalry.lab.study import load_study, studies

LISTED = Path(__file__).parents[1] / "tests" / "reference"
NOT_RUN = "not run"
THESIS = "vaishampayan2024-"  # begin of the identifiers of the thesis
OBSTACLES = {
    "karma_learned_fairness": "it takes an hour. An earlier run of its settings, in "
    "[a table of the textbook](../textbook/karma_summary.md), gave efficiencies of -1.070 at beta 5 and "
    "-1.027 at beta 20, reward fairness of -.0157 and -.0236, access fairness of -.0035 and -.0087"
}
"""Why the full form of a study that compares values is not stored."""
CLOSED_FORMS = {
    "race_precipice": "risk of a disaster by information and enmity; a rule that is no equilibrium",
    "minimum_differentiation": "the spread of tastes from which all firms stay in the middle; their profits",
    "three_firms_on_a_line": "where firms mix on a line, and how widely",
    "capacity_then_price": "capacities and profits of Cournot",
    "edgeworth_prices": "payoffs of mixed prices, by capacities",
    "evolutionary_branching": "width of niches at which a population splits, by its size",
}
"""Studies that compare what is computed with closed forms of the literature, and what."""
FIGURES = {
    "4.1 to 4.3, A.1 (learning and its metrics)": ("karma_learning", "karma_learning_rates"),
    "5.1 (contractivity)": ("karma_entropy", "karma_contractivity"),
    "5.2 (generalised monotonicity)": ("karma_monotonicity",),
    "6.1 (efficiency and fairness by discount factor)": ("karma_learned_discount", "karma_fairness"),
    "6.2, 6.3 (the city, free flow)": ("city_free_flow",),
    "6.4 to 6.8 (learning in the city)": ("city_learning",),
    "A.2 (exploration)": ("karma_exploration",),
    "A.3, A.4 (number of agents)": ("karma_agents", "karma_learned_agents"),
    "A.5, A.6 (epochs, algorithms)": ("karma_epochs", "karma_algorithms"),
    "A.7, A.8 (rare urgency, payment to society)": ("karma_urgency", "karma_robust"),
    "A.9 to A.12 (types)": (
        *("karma_types", "karma_types_urgency", "karma_learned_types", "karma_learned_types_urgency"),
    ),
    "appendix B (scaling)": ("karma_scaling", "karma_sublinearity"),
}
"""Figures of the thesis, which print no numbers, and the studies that draw ours."""
PICTURES = Path(__file__).parent / "reference" / "reproduced"
CAPTIONS = PICTURES / "pictures.json"
SECOND = ("calvano_short_window", "city_free_flow", "platform_fee")  # studies whose second figure is drawn


class Comparison(NamedTuple):
    """The rows of one published value in one study, after comparison."""

    study: str
    rows: list[Mapping[str, Any]]

    @property
    def verdict(self) -> str:
        """Return the verdict on all numbers of the value: the first of those in this order."""
        found = {verdict(row) for row in self.rows}
        return next(word for word in ("differs", NOT_RUN, NOT_TOLD_APART, "agrees") if word in found)


def verdict(row: Mapping[str, Any]) -> str:
    """Return the verdict on one number; what was not compared counts as not run."""
    known = ("agrees", "differs", NOT_TOLD_APART)
    return row["published_verdict"] if row["published_verdict"] in known else NOT_RUN


@cache
def published() -> dict[str, dict[str, Any]]:
    """Return the published values by identifier, in the order of the list."""
    values = json.loads((LISTED / "published.json").read_text(encoding="utf-8"))["values"]
    return {value["id"]: value for value in values}


@cache
def open_values() -> dict[str, str]:
    """Return why a value is not compared, by identifier."""
    return dict(json.loads((LISTED / "published_open.json").read_text(encoding="utf-8")))


@cache
def comparisons() -> dict[str, Comparison]:
    """Return the comparison of every published value that a bundled study names, by identifier."""
    found: dict[str, Comparison] = {}
    for name in studies():
        study = load_study(name)
        named = [row for row in study.expect if row.get("entry")]
        if not named:
            continue
        run = full_run(name)
        if run is None:
            blank = {"part": None, "why": None}
            judged = [{**blank, **row, "ours": None, "published_verdict": None} for row in named]
        else:
            judged = [one.row for one in run.judged(study.resolved()) if one.row["entry"]]
        for row in judged:
            found.setdefault(row["entry"], Comparison(name, [])).rows.append(row)
    return found


def page() -> str:
    """Return counts, a section per source, values that are not compared, and closed forms.

    Without the thesis.
    """
    names = [name for name in published() if not name.startswith(THESIS)]
    return f"{_page(names, lambda value: value['source'])}\n\n{closed_forms()}"


def thesis() -> str:
    """Return counts, a section per table, the values not compared, and the figures, of the thesis."""
    names = [name for name in published() if name.startswith(THESIS)]
    return f"{_page(names, lambda value: value['opened']['table'])}\n\n{figures()}"


def figures() -> str:
    """Return the studies of the thesis's figures in a table, and the answers of their full runs."""
    rows, answers = [], []
    for figure, names in FIGURES.items():
        for name in names:
            run = full_run(name)
            answer = None if run is None else run.answer
            rows.append([figure, f"`{name}`", state(name)])
            if answer is not None:
                lead = [*answer.lead(load_study(name).resolved()), *answer.caveats]
                lines = "\n\n".join(map(cell, lead))
                answers.append(f"### {name}\n\n{lines}\n\n{picture(name)}")
            elif drawn := picture(name):
                answers.append(f"### {name}\n\n{drawn}")
            figure = ""
    return (
        "## Figures\n\nFigures have no printed numbers. These studies draw ours. All answers and pictures "
        "below are of full runs. Of a study without a stored one nothing is shown here: what other pages "
        "show of it are quick runs, with fewer points and steps, unless they say otherwise.\n\n"
        f"{table(('figure', 'study', 'full run'), rows)}\n\n" + "\n\n".join(answers)
    )


def state(name: str) -> str:
    """Return which run of a study stands behind what is shown of it."""
    run = full_run(name)
    if run is None:
        return "not stored: quick runs only"
    if run.answer is None:
        return f"{run.date}, {run.cost}: values, without an answer"
    earlier = ", of an earlier definition" * (not run.answer.belongs_to(load_study(name).resolved()))
    return f"{run.date}, {run.cost}{earlier}"


def _page(names: list[str], title: Callable[[dict[str, Any]], str]) -> str:
    found = defaultdict(list)
    for name in names:
        if name in comparisons():
            found[title(published()[name])].append(name)
    rest = [name for name in names if name in open_values()]
    return "\n\n".join([counts(names), *map(section, found.items()), not_compared(rest, title)])


def counts(names: list[str]) -> str:
    """Return how many values, numbers and sources are compared, and the verdicts."""
    compared = [comparisons()[name] for name in names if name in comparisons()]
    tally = Counter(one.verdict for one in compared)
    numbers = Counter(verdict(row) for one in compared for row in one.rows)
    run = [name for name in names if name in comparisons() and comparisons()[name].verdict != NOT_RUN]
    where = len({published()[name]["source"] for name in run})
    sources = f" of {where} sources" if where > 1 else ""
    apart = f" {tally[NOT_TOLD_APART]} {NOT_TOLD_APART}." if tally[NOT_TOLD_APART] else ""
    not_run = f" For {tally[NOT_RUN]} the full form of a study was not run." if tally[NOT_RUN] else ""
    return (
        f"{len(run)} of {len(names)} values{sources} are compared: {tally['agrees']} agree "
        f"and {tally['differs']} differ.{apart} Of their {numbers.total() - numbers[NOT_RUN]} numbers "
        f"{numbers['agrees']} agree."
        f"{not_run} The others are [at the end](#values-that-are-not-compared), with the reason."
    )


def section(source: tuple[str, list[str]]) -> str:
    """Return the section of one source: a table of its values, and why ours differ."""
    title, names = source
    where = {published()[name]["opened"].get("repo") for name in names}
    alone = where.pop() if len(where) == 1 else None
    commits = sorted({published()[name]["opened"].get("commit", "")[:7] for name in names} - {""})
    rows, reasons = [], []
    for name in names:
        value, one = published()[name], comparisons()[name]
        order = list(value["value"]) if isinstance(value["value"], dict) else []
        ordered = sorted(one.rows, key=lambda row: order.index(row["part"]) if row["part"] in order else -1)
        for k, row in enumerate(ordered):
            part = "" if row["part"] is None else f" ({row['part']})"
            lead = [cell(value["what"]), cell(place(value["opened"], alone))] if k == 0 else ["", ""]
            numbers = [number(row["published"]) + cell(part), number(row["ours"])]
            rows.append([*lead, *numbers, verdict(row), f"`{one.study}`" if k == 0 else ""])
        reasons += [row["why"] for row in one.rows if row["why"] and verdict(row) == "differs"]
    notes = "".join(f"\n- {cell(why)}" for why in dict.fromkeys(reasons))
    of = dict.fromkeys(comparisons()[name].study for name in names)
    notes += "".join(
        f"\n- `{study}` was not run: {OBSTACLES.get(study, 'nobody has done it yet')}."
        for study in of
        if full_run(study) is None
    )
    elsewhere = {name for names in FIGURES.values() for name in names}
    drawn = "\n\n".join(filter(None, (picture(name) for name in of if name not in elsewhere)))
    columns = ("value", "place", "published", "ours", "verdict", "study")
    opened = f"Opened at `{alone}`, commit {' and '.join(commits)}.\n\n" if alone and commits else ""
    return f"## {cell(title)}\n\n{opened}{table(columns, rows)}\n{notes}\n\n{drawn}"


@cache
def pictures() -> dict[str, dict[str, str]]:
    """Return caption and digest of the tables of every study that has a picture."""
    return dict(json.loads(CAPTIONS.read_text(encoding="utf-8"))) if CAPTIONS.exists() else {}


def picture(study: str) -> str:
    """Return the figure of a study's full run, in MyST; empty without one of the run that is stored."""
    run, one = full_run(study), pictures().get(study)
    if run is None or one is None or one["tables"] != run.tables:
        return ""
    caption = cell(one["caption"])
    return (
        f":::{{figure}} reproduced/{study}.png\n:alt: {caption}\n:width: 520px\n\n`{study}`: {caption}\n:::"
    )


def draw(folder: str) -> None:
    """Draw the picture of a finished run. Raises `ValueError` if its full form is not the one stored."""
    from gallery import shrink
    from PIL import Image

    from rivalry.lab.figures import draw as draw_figures
    from rivalry.lab.report.full_runs import refusal
    from rivalry.lab.store import load_run

    run = load_run(folder)
    stored = full_run(run.name)
    if stored is None or (why := refusal(run)):
        raise ValueError(f"{folder}: {'store its full run first' if stored is None else why}")
    with TemporaryDirectory() as made:
        study = load_study(run.name).resolved()
        figures = draw_figures(study, run.dataset(), Path(made), run.folder / "figures", "", run, "png")
        figure = figures[run.name in SECOND]
        small = shrink(Image.open(Path(made) / figure.file))
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"{run.name}.png").write_bytes(small)
    found = pictures() | {run.name: {"tables": stored.tables, "caption": " ".join(figure.caption.split())}}
    pictures.cache_clear()
    CAPTIONS.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n", encoding="utf-8")
    print(f"{run.name}: {len(small)} bytes")


def not_compared(names: list[str], title: Callable[[dict[str, Any]], str]) -> str:
    """Return the table of values that no study compares, one row per reason and source or table."""
    groups = defaultdict(list)
    for name in names:
        groups[title(published()[name]), open_values()[name]].append(name)
    rows = [[cell(where), str(len(group)), cell(why)] for (where, why), group in groups.items()]
    return f"## Values that are not compared\n\n{table(('where', 'values', 'why'), rows)}"


def closed_forms() -> str:
    """Return the table of closed forms of the literature beside what is computed, one row per study."""
    rows, total = [], 0
    for name, what in CLOSED_FORMS.items():
        study, run = load_study(name), full_run(name)
        judged = [] if run is None else [one.row for one in run.judged(study.resolved())]
        agree = sum(row["expected_verdict"] == "agrees" for row in judged)
        total += agree
        far = [abs(row["ours"] - row["expected"]) for row in judged if isinstance(row["expected"], float)]
        found = f"{agree} of {len(judged)}" if judged else NOT_RUN
        rows.append([cell(study.source), cell(what), f"`{name}`", found, f"{max(far):.1g}" if far else ""])
    columns = ("source", "what", "study", "agree", "largest difference")
    return (
        "## Beyond printed tables: closed forms of the literature\n\n"
        f"{total} more results are not printed in a source but follow from its formulas, or from formulas "
        "that we derived for its model; they are not in the counts above. They are compared with what a "
        "method computes from the payoffs of the game. In `race_precipice` and `minimum_differentiation` the "
        "closed form is the strategy whose certificate and payoffs are computed; in `capacity_then_price` it "
        "is the outcome of prices, which `edgeworth_prices` computes from the rules of selling.\n\n"
        f"{table(columns, rows)}"
    )


def place(opened: Mapping[str, str], known: str | None) -> str:
    """Return where a value is printed, in words; without its repository where that is the known one."""
    parts = [str(opened[key]) for key in ("repo", "file", "line or cell") if opened.get(key)]
    return ", ".join(part for part in parts if part != known)


def number(value: Any) -> str:
    """Return a value as it is printed in a table."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    for each in sys.argv[1:]:
        draw(each)
