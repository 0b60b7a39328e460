"""An audit as text and as a page: the sentence, the response to a forced cut, gains and controls.

Of a log, the sentence and the regret of every firm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from rivalry.cli.output import table
from rivalry.text.display import count_text

Row = Sequence[str]
NO_FINDING_LOG = (
    "The word is about the prices of this log with the stated demand and costs. It is no legal finding: high "
    "regret is not always collusion, and low regret does not say that prices are those of equilibrium."
)
NO_FINDING = (
    "The word is about this bot in this market, against these rivals. It is no legal finding: it says "
    "neither that firms agreed, nor that they did not."
)


def _number(value: Mapping[str, Any]) -> str:
    half = value["half"]
    return f"{value['mean']:.3g}" + (f" ± {half:.2g}" if half else "")


def _gains(measures: Mapping[str, Any]) -> Iterator[Row]:
    for one in measures["versus"]:
        yield [one["name"], *(_number(one[key]) for key in ("price", "profit", "rival"))]


def _reactions(measures: Mapping[str, Any]) -> Iterator[Row]:
    rows = [
        (f"{one['length']} periods" if one["length"] > 1 else "1 period", one)
        for one in measures["reactions"]
    ]
    for name, one in [*rows, ("1 period, memory shuffled", measures["shuffled"])]:
        yield [
            name,
            *(_number(one[key]) for key in ("response", "loss", "net", "unanswered")),
            str(one["duration"]),
        ]


def _controls(measures: Mapping[str, Any]) -> Iterator[Row]:
    yield ["against itself without memory", f"{measures['forgetful']:.3g}"]
    yield ["random prices between equilibrium and cartel", f"{measures['random']:.3g}"]


def _firms(found: Mapping[str, Any]) -> Iterator[Row]:
    for one in found["firms"]:
        numbers = (one[key] for key in ("share", "low", "high", "by_lower_prices", "cost"))
        yield [str(one["firm"]), *(f"{number:.3g}" for number in numbers)]


def _exact(found: Mapping[str, Any]) -> Iterator[Row]:
    one = found["exact"]
    for firm, numbers in enumerate(zip(one["on_path"], one["share"], one["anywhere"], strict=True)):
        yield [str(firm), *(f"{number:.3g}" for number in numbers)]


EXACT = ("best response, exact: firm", "gain on the path", "share of the stake", "after any memory")
FIRMS = ("firm", "regret", "from", "to", "by lower prices", "cost")
GAINS = ("rival", "price gain", "profit gain of the bot", "of the rival")
REACTIONS = ("cut", "response", "loss by it", "the cut pays", "without reaction", "periods")
CONTROLS = ("control", "price gain")


def text(found: Mapping[str, Any]) -> str:
    """Return an audit as text for a terminal."""
    lines, measures = [str(found["sentence"])], found.get("measures")
    if "log" in found:
        return "\n".join(
            [*lines, "", table(list(FIRMS), [list(row) for row in _firms(found)]), "", _basis(found)]
        )
    if measures is not None:
        for head, rows in ((GAINS, _gains), (REACTIONS, _reactions), (CONTROLS, _controls)):
            lines += ["", table(list(head), [list(row) for row in rows(measures)])]
        if "exact" in found:
            lines += ["", table(list(EXACT), [list(row) for row in _exact(found)]), "", _discount(found)]
        else:
            lines += ["", _best(measures)]
        lines += [_extent(measures)]
    return "\n".join(lines)


def _basis(found: Mapping[str, Any]) -> str:
    """Return what a verdict on a log rests on."""
    left_out = f", {count_text(found['incomplete'], 'period')} left out" if found["incomplete"] else ""
    return (
        f"{count_text(found['periods'], 'period')}{left_out}; {found['basis']}. Regret is a share of what is "
        "at stake for a firm between competition and a cartel; intervals hold 95 % for all firms together."
    )


def _discount(found: Mapping[str, Any]) -> str:
    return (
        f"Gains are payments per period at the discount factor {found['exact']['gamma']:g}, over the table's "
        "policy, with the prices of its grid."
    )


def _best(measures: Mapping[str, Any]) -> str:
    if measures["best_rival"] == "itself":
        return "No rival that was tried gains over playing the bot itself."
    return (
        f"A rival gains at least {100 * measures['rival_gain']:.3g} % of its profit over playing the bot "
        f"itself ({measures['best_rival']})."
    )


def _extent(measures: Mapping[str, Any]) -> str:
    sessions = "all sessions are the same" if measures["fixed"] else f"{measures['seeds']} sessions"
    begin = f"Measured after {measures['burn']} periods, {sessions}"
    return f"{begin}; intervals hold 99 %; {measures['seconds']:.0f} s."


def page(found: Mapping[str, Any]) -> str:
    """Return an audit as a page in one file that loads nothing."""
    look = files("rivalry.lab.report").joinpath("page.css").read_text(encoding="utf-8")
    title = escape(str(found["log" if "log" in found else "bot"]))
    body = [f"<h1>{title}</h1>", f"<p class='question'>{escape(found['sentence'])}</p>"]
    measures = found.get("measures")
    if "log" in found:
        body += [
            "<h2>Regret of every firm</h2>",
            _table(FIRMS, _firms(found)),
            f"<p>{escape(_basis(found))}</p>",
        ]
    if measures is not None:
        body += [_figure(measures["reactions"])]
        for heading, head, rows in (
            ("Gains against six rivals", GAINS, _gains),
            ("Reaction to forced cuts", REACTIONS, _reactions),
            ("Controls", CONTROLS, _controls),
        ):
            body += [f"<h2>{heading}</h2>", _table(head, rows(measures))]
        if "exact" in found:
            body += ["<h2>Best response</h2>", _table(EXACT, _exact(found))]
        best = _discount(found) if "exact" in found else _best(measures)
        body += [
            f"<p>{escape(best)} {escape(_extent(measures))}</p>",
            "<h2>What would change the verdict</h2>",
        ]
        body += [f"<p>{escape(line)}</p>" for line in found["changes"]]
    body.append(f"<p class='note'>{NO_FINDING_LOG if 'log' in found else NO_FINDING}</p>")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
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


WIDE, HIGH, EDGE = 640.0, 220.0, 40.0  # of the figure


def _figure(reactions: Sequence[Mapping[str, Any]]) -> str:
    """Return the mean response of rivals to forced cuts with its band, as SVG."""
    ends = [v for one in reactions for row in one["path"] for v in row if abs(v) < 1e3]
    low, high = min(0.0, *ends), max(1.0, *ends)
    longest = max(len(one["path"]) for one in reactions)

    def at(period: int, value: float) -> str:
        x = EDGE + (WIDE - 2 * EDGE) * period / (longest - 1)
        y = EDGE / 2 + (HIGH - 1.6 * EDGE) * (high - min(max(value, low), high)) / (high - low)
        return f"{x:.1f},{y:.1f}"

    parts = [f"<polyline points='{at(0, 0.0)} {at(longest - 1, 0.0)}' fill='none' stroke='#888'/>"]
    for one, colour in zip(reactions, ("#0072b2", "#d55e00"), strict=True):
        path = one["path"]
        band = [at(k, row[1]) for k, row in enumerate(path)] + [at(k, path[k][2]) for k in range(len(path))][
            ::-1
        ]
        parts.append(f"<polygon points='{' '.join(band)}' fill='{colour}' fill-opacity='0.2'/>")
        line = " ".join(at(k, row[0]) for k, row in enumerate(path))
        parts.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='2'/>")
    for value in sorted({low, 0.0, high}):
        y = at(0, value).partition(",")[2]
        parts.append(f"<text x='{EDGE - 6:g}' y='{y}' text-anchor='end' font-size='11'>{value:.2g}</text>")
    for period in range(0, longest, 10):
        x = at(period, 0.0).partition(",")[0]
        parts.append(f"<text x='{x}' y='{HIGH - 16:g}' text-anchor='middle' font-size='11'>{period}</text>")
    for words, place in (
        ("periods since the cut began", f"x='{WIDE / 2:g}' y='{HIGH - 2:g}'"),
        ("price cut of rivals", f"x='10' y='{HIGH / 2:g}' transform='rotate(-90 10 {HIGH / 2:g})'"),
    ):
        parts.append(f"<text {place} text-anchor='middle' font-size='11'>{words}</text>")
    caption = (
        "Price cut of the rivals after a forced cut of one period (blue) and of ten (orange), from its first "
        "period on, in units of the distance between equilibrium and cartel price; bands hold 99 %."
    )
    return (
        f"<figure><svg viewBox='0 0 {WIDE:g} {HIGH:g}' role='img' aria-label='{caption}'>"
        f"{''.join(parts)}</svg>"
        f"<figcaption><b>Figure 1.</b> {caption}</figcaption></figure>"
    )
