"""An audit as text and as a page: the sentence, the response to a forced cut, gains and controls.

Of a log, the sentence and the regret of every firm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from operator import itemgetter
from typing import Any

import numpy as np

from rivalry.cli.output import table
from rivalry.core.files import policy_source
from rivalry.text.display import count_text

Row = Sequence[str]
Audit = Mapping[str, Any]
"""An audit as data, or a part of it."""
NO_FINDING_LOG = (
    "The word is about the prices of this log with the stated demand and costs. It is no legal finding: high "
    "regret is not always collusion, and low regret does not say that prices are those of equilibrium."
)
NO_FINDING = (
    "The word is about this bot in this market, against these rivals. It is no legal finding: it says "
    "neither that firms agreed, nor that they did not."
)


def _digits(number: float) -> str:
    return f"{round(number, 6) + 0.0:.3g}"  # what is smaller is rounding


def _cell(value: Any) -> str:
    """Entry of a table in words: a mean with its interval, a number, whether a check passes, or text.

    >>> _cell({"mean": 0.5, "half": 0.01}), _cell(0.123456), _cell(3), _cell(None), _cell(True)
    ('0.5 ± 0.01', '0.123', '3', '', 'passes')
    """
    if isinstance(value, Mapping):
        return _digits(value["mean"]) + (f" ± {value['half']:.2g}" if value["half"] else "")
    if isinstance(value, bool):
        return "passes" if value else "fails"
    if value is None:
        return ""
    return _digits(value) if isinstance(value, float) else str(value)


def _controls(measures: Audit) -> Iterator[Row]:
    for control in measures["controls"]:
        row = [control["name"], _cell(control["price"])]
        for cut in control["reactions"]:
            row += [_cell(cut["response"]), _cell(cut["loss"])]
        yield row if control["reactions"] else [*row, *["0"] * 4]


def _exact(exact: Audit) -> Iterator[Row]:
    columns = (exact[key] for key in ("on_path", "share", "anywhere"))
    for firm, numbers in enumerate(zip(*columns, strict=True)):
        yield [str(firm), *map(_digits, numbers)]


# keys of entries, and heads of their columns
CHECKS = {"name": "check of the data", "value": "value", "required": "required", "passed": ""}
FIRMS = {
    "firm": "firm",
    "share": "regret",
    "low": "from",
    "high": "to",
    "excess": "beyond noise",
    "excess_low": "from",
    "excess_high": "to",
    "by_lower_prices": "by lower prices",
    "cost": "cost",
}
MARKETS = {
    "market": "market",
    "periods": "periods",
    "word": "",
    "firm": "firm",
    "excess": "regret beyond noise",
    "excess_low": "from",
    "excess_high": "to",
}
GAINS = {
    "name": "rival",
    "price": "price gain",
    "profit": "profit gain of the bot",
    "rival": "of the rival",
}
REACTIONS = {
    "name": "cut",
    "response": "response",
    "excess": "beyond best response",
    "loss": "loss by it",
    "excess_loss": "beyond best response",
    "net": "the cut pays",
    "unanswered": "without reaction",
    "duration": "periods",
}
EXACT = ("best response, exact: firm", "gain on the path", "share of the stake", "after any memory")
CONTROLS = ("control", "price gain", "response to 1 period", "loss by it", "to 10 periods", "loss by it")
Section = tuple[str, Row, Iterator[Row]]


def _section(heading: str, entries: Sequence[Audit], columns: Mapping[str, str]) -> Section:
    values = itemgetter(*columns)
    return heading, tuple(columns.values()), (list(map(_cell, values(entry))) for entry in entries)


def _sections(audit: Audit) -> Iterator[Section]:
    """Headings, heads and rows of the tables of an audit."""
    if "log" in audit:
        yield _section("Checks of the data", audit["checks"], CHECKS)
        if audit["firms"]:
            yield _section("Regret of every firm", audit["firms"], FIRMS)
        if audit["markets"]:
            yield _section("Largest regret in every market", audit["markets"], MARKETS)
    elif (measures := audit.get("measures")) is not None:
        yield _section("Gains against six rivals", measures["versus"], GAINS)
        cuts = [{"name": count_text(cut["length"], "period")} | cut for cut in measures["reactions"]]
        cuts.append({"name": "1 period, memory shuffled"} | measures["shuffled"])
        yield _section("Reaction to forced cuts", cuts, REACTIONS)
        yield "Controls", CONTROLS, _controls(measures)
        if "exact" in audit:
            yield "Best response", EXACT, _exact(audit["exact"])


def _basis(audit: Audit) -> list[str]:
    """Sentences on what an audit rests on."""
    if "log" in audit:
        return [_basis_of_log(audit)]
    if (measures := audit.get("measures")) is None:
        return []
    return [_discount(audit) if "exact" in audit else _best_rival(measures), _extent(measures)]


def text(audit: Audit) -> str:
    """Return an audit as text for a terminal."""
    lines = [str(audit["sentence"])]
    for _, head, rows in _sections(audit):
        lines += ["", table(list(head), [list(row) for row in rows])]
    basis = _basis(audit)
    return "\n".join([*lines, *([""] if basis else []), *basis])


def _basis_of_log(audit: Audit) -> str:
    extent = count_text(audit["periods"], "period")
    if audit["incomplete"]:
        extent += f", {count_text(audit['incomplete'], 'period')} left out"
    if not audit["firms"]:
        return f"{extent}."
    if markets := len(audit["markets"]):
        extent += f" of {count_text(markets, 'market')}"
    return (
        f"{extent}; {audit['basis']}. Regret is a share of what is at stake for a firm between competition "
        "and a cartel; intervals hold 95 % for all firms together. Logs of this size show regrets beyond "
        f"noise from {audit['detectable']:.2g} on."
    )


def _discount(audit: Audit) -> str:
    exact = audit["exact"]
    return (
        f"Gains are payments per period at the discount factor {exact['gamma']:g}, with {exact['prices']} "
        f"prices, over the policy of the bot, which remembers {count_text(exact['memory'], 'period')}."
    )


def _best_rival(measures: Audit) -> str:
    if measures["best_rival"] == "itself":
        return "No rival that was tried gains over playing the bot itself."
    return (
        f"A rival gains at least {100 * measures['rival_gain']:.3g} % of its profit over playing the bot "
        f"itself ({measures['best_rival']})."
    )


def _extent(measures: Audit) -> str:
    sessions = "all sessions are the same" if measures["fixed"] else f"{measures['seeds']} sessions"
    repeated = "in each session a cut was tried again from the seed, with the same prices"
    if not measures["from_seed"]:
        repeated = "sessions cannot be repeated from the seed, so that cuts were tried on copies only"
    begin = f"Measured after {measures['burn']} periods, {sessions}; {repeated}"
    return f"{begin}; intervals hold 99 %; {measures['seconds']:.0f} s."


def page(audit: Audit) -> str:
    """Return an audit as a page in one file that loads nothing."""
    look = files("rivalry.lab.report").joinpath("page.css").read_text(encoding="utf-8")
    title = escape(str(audit["log" if "log" in audit else "bot"]))
    body = [f"<h1>{title}</h1>", f"<p class='question'>{escape(audit['sentence'])}</p>"]
    if audit.get("measures") is not None:
        body += [_figure(audit["measures"]["reactions"])]
    for heading, head, rows in _sections(audit):
        body += [f"<h2>{heading}</h2>", _table(head, rows)]
    body += [f"<p>{escape(' '.join(_basis(audit)))}</p>"]
    if changes := audit.get("changes"):
        body += ["<h2>What would change the verdict</h2>", *(f"<p>{escape(line)}</p>" for line in changes)]
    no_finding = NO_FINDING_LOG if "log" in audit else NO_FINDING
    body.append(f"<p class='note'>{no_finding}</p>")
    policy = f"default-src 'none'; style-src {policy_source(look)}"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>Audit of {title}</title>\n<style>{look}</style>\n</head>\n"
        + "\n".join(["<body>", "<main>", *body])
        + "\n</main>\n</body>\n</html>\n"
    )


def _table(head: Row, rows: Iterator[Row]) -> str:
    def line(cells: Row, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    lines = line(head, "th") + "".join(line(row, "td") for row in rows)
    return f"<div class='wide'><table class='found'>{lines}</table></div>"


FARTHEST = 1e3  # a response or an end of its interval that is drawn, in either direction


def _draw_responses(reactions: Sequence[Audit], ax: Any) -> Any:
    """Axes with the mean response of rivals to each forced cut, with its band."""
    from rivalry.plots.drawing import draw
    from rivalry.plots.marks import Drawing, Frame, Mark, colours
    from rivalry.plots.style import legend

    marks = []
    for cut, hue in zip(reactions, colours(len(reactions)), strict=True):
        mean, low, high = np.clip(cut["path"], -FARTHEST, FARTHEST).T
        words = f"cut of {count_text(cut['length'], 'period')}"
        marks.append(Mark("line", np.arange(len(mean)), mean, low, high, label=words, hue=hue))
    frame = Frame("periods since the cut began", "price cut of rivals", whole=True)
    legend(draw(ax, Drawing(marks, [frame])))
    return ax


def _figure(reactions: Sequence[Audit]) -> str:
    """The responses of rivals to forced cuts, as SVG with a caption."""
    from rivalry.lab.answer.figures import inline
    from rivalry.plots.style import picture

    svg = inline(picture(_draw_responses, reactions).svg.decode(), "responses")
    caption = (
        "Mean price cut of the rivals after a forced cut, from its first period on, in units of the distance "
        "between equilibrium and cartel price; bands hold 99 %."
    )
    drawn = f"<div class='drawn' role='img' aria-label='{caption}'>{svg}</div>"
    return f"<figure>{drawn}<figcaption><b>Figure 1.</b> {caption}</figcaption></figure>"
