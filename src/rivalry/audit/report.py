"""An audit as data, from a process that is ended where the bot hangs or takes memory; as text and as a page.

They have the sentence, the response to a forced cut, gains and controls.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from html import escape
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt

from rivalry.audit.bots import BotFault, bot_maker, limit_memory
from rivalry.audit.market import PriceMarket, price_market
from rivalry.audit.measures import SEEDS
from rivalry.audit.tables import PriceTableBot, policy_table, read_price_table, table_gain
from rivalry.audit.verdict import UNDECIDED, AuditVerdict, audit_bot
from rivalry.core.files import StoreError, policy_source
from rivalry.core.foreign_tables import is_table
from rivalry.lab.study.schema import check_table
from rivalry.results.render import html_of
from rivalry.results.table import Table, table_of
from rivalry.runtime.processes import PIPE, TimeoutExpired, python_command, start
from rivalry.text.display import bound_in_words, count_text

Audit = Mapping[str, Any]
"""An audit as data, or a part of it."""
NO_FINDING = (
    "The word is about this bot in this market, against these rivals. It is no legal finding: it says "
    "neither that firms agreed, nor that they did not."
)
FOUND = " class='found'"  # of the page of a report
LONGEST = 86_400.0  # seconds of an audit with a number of sessions
GRACE = 20.0  # seconds beyond those of the audit, after which the process is ended


@dataclass(frozen=True)
class AuditKeys:
    """The keys of a table ``[audit]``: the range of prices, and a factor of quantities."""

    low: Annotated[float, Ge(0)] = 0.0
    high: Annotated[float, Gt(0)] | None = None
    size: Annotated[float, Gt(0)] = 1.0


def audit_apart(
    bot: str, market: str | None, *, seed: int = 0, seconds: float, sessions: int | None = None
) -> dict[str, Any]:
    """Return a verdict as data, from a process that is ended where it takes too long.

    With a number of ``sessions`` the verdict does not depend on the clock.

    Raises
    ------
    ValueError
        For a bot or a market that is none.
    """
    seconds = seconds if sessions is None else LONGEST
    task = json.dumps(
        {"bot": bot, "market": market, "seed": seed, "seconds": seconds, "sessions": sessions or SEEDS}
    )
    process = start(
        python_command("rivalry.audit.report"),
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,  # so that the bot's own processes end with it
    )
    try:
        answer, _ = process.communicate(task.encode(), timeout=seconds + GRACE)
    except TimeoutExpired:
        return _failed(f"the audit did not end within {seconds + GRACE:g} s")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    try:
        record: dict[str, Any] = json.loads(answer.decode().rpartition("\n")[2])
    except ValueError:
        return _failed(f"the process of the bot ended with status {process.returncode}")
    if "refused" in record:
        raise ValueError(str(record["refused"]))
    return record


def _failed(reason: str) -> dict[str, Any]:
    return dict(plain(AuditVerdict(UNDECIDED, f"Cannot tell: {reason}.", [], None)))


def market_of(text: str | None) -> PriceMarket:
    """Return the market of a study or a TOML file, by default that of Calvano et al. (2020).

    A TOML file has a table ``[game]``, and perhaps ``[audit]`` with ``low``, ``high`` and ``size``.

    >>> market_of("calvano2020").players
    2
    """
    if text is None:
        return price_market()
    from rivalry.cli.profiles import game_of_table
    from rivalry.cli.values import of_option

    with of_option("--market", text):
        game, tables = game_of_table(text, ["audit"])
        options = tables.get("audit", {})
        if not isinstance(options, dict):
            raise ValueError(f"{text}: audit: {options!r} must be a table, [audit]")
        return price_market(game, **check_table(AuditKeys, options, ("audit",)))


def plain(value: object) -> Any:
    """Return records and arrays as dictionaries and lists.

    >>> plain(AuditVerdict("cannot tell", "Cannot tell.", [], None))["word"]
    'cannot tell'
    """
    if isinstance(value, tuple) and (fields := vars(type(value)).get("_fields")):
        return {name: plain(item) for name, item in zip(fields, value, strict=True)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def _digits(number: float) -> str:
    return f"{round(number, 6) + 0.0:.3g}"  # what is smaller is rounding


def _cell(value: object) -> str:
    """Entry of a table in words: a mean with its interval, a number, or text.

    >>> _cell({"mean": 0.5, "half": 0.01}), _cell(0.123456), _cell(3)
    ('0.5 ± 0.01', '0.123', '3')
    """
    if isinstance(value, Mapping):
        return _digits(value["mean"]) + (f" ± {value['half']:.2g}" if value["half"] else "")
    return _digits(value) if isinstance(value, float) else str(value)


# keys of entries, and heads of their columns
GAINS = {
    "name": "rival",
    "price": "price gain",
    "profit": "profit gain of the bot",
    "rival": "of the rival",
}
REACTIONS = {
    "name": "cut",
    "response": "response",
    "excess": "response beyond best response",
    "loss": "loss by it",
    "excess_loss": "loss beyond best response",
    "net": "the cut pays",
    "unanswered": "without reaction",
    "duration": "periods",
}
BEST_RESPONSE = {
    "firm": "firm",
    "on_path": "gain per period on the path",
    "share": "as a share of what the cartel adds to profits",
    "anywhere": "after any memory",
}
CONTROLS = {
    "name": "control",
    "price": "price gain",
    "response of 0": "response to 1 period",
    "loss of 0": "loss by it",
    "response of 1": "response to 10 periods",
    "loss of 1": "loss by them",
}


def _section(heading: str, entries: Iterable[Audit], columns: Mapping[str, str]) -> Table:
    rows = [{head: _cell(entry[key]) for key, head in columns.items()} for entry in entries]
    return table_of(rows)._replace(title=heading)


def _controls(measures: Audit) -> Iterator[Audit]:
    for control in measures["controls"]:
        cuts = control["reactions"] or [{"response": 0, "loss": 0}] * 2
        reactions = {f"{key} of {k}": cut[key] for key in ("response", "loss") for k, cut in enumerate(cuts)}
        yield {"name": control["name"], "price": control["price"], **reactions}


def _sections(audit: Audit) -> Iterator[Table]:
    """Tables of an audit."""
    if (measures := audit.get("measures")) is not None:
        yield _section("Gains against six rivals", measures["versus"], GAINS)
        cuts = [{"name": count_text(cut["length"], "period")} | cut for cut in measures["reactions"]]
        cuts.append({"name": "1 period, memory shuffled"} | measures["shuffled"])
        yield _section("Reaction to forced cuts", cuts, REACTIONS)
        yield _section("Controls", _controls(measures), CONTROLS)
        if gains := audit.get("best_response"):
            firms = enumerate(zip(gains["on_path"], gains["share"], gains["anywhere"], strict=True))
            rows = [dict(zip(BEST_RESPONSE, (firm, *numbers), strict=True)) for firm, numbers in firms]
            yield _section("Best response", rows, BEST_RESPONSE)


def _basis(audit: Audit) -> list[str]:
    """Sentences on what an audit rests on."""
    if (measures := audit.get("measures")) is None:
        return []
    return [_discount(audit) if "best_response" in audit else _best_rival(measures), _extent(measures)]


def parts(audit: Audit) -> list[str | Table]:
    """Return an audit as sentences and tables for a terminal."""
    parts: list[str | Table] = [str(audit["sentence"]), ""]
    for table in _sections(audit):
        parts += [table, ""]
    return parts + _basis(audit)


def _discount(audit: Audit) -> str:
    gains = audit["best_response"]
    return (
        f"Gains are payments per period at the discount factor {gains['gamma']:g}, with {gains['prices']} "
        f"prices, over the policy of the bot, which remembers {count_text(gains['memory'], 'period')}, by "
        "dynamic programming in floating point."
    )


def _best_rival(measures: Audit) -> str:
    if measures["best_rival"] == "itself":
        return "No rival that was tried gains over playing the bot itself."
    gain = bound_in_words(100 * measures["rival_gain"], lower=True)
    return (
        f"A rival gains at least {gain} % of its profit over playing the bot "
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
    title = escape(str(audit["bot"]))
    body = [f"<h1>{title}</h1>", f"<p class='question'>{escape(audit['sentence'])}</p>"]
    if audit.get("measures") is not None:
        body += [_figure(audit["measures"]["reactions"])]
    for table in _sections(audit):
        body += [f"<h2>{table.title}</h2>", f"<div class='wide'>{html_of(table, FOUND)}</div>"]
    body += [f"<p>{escape(' '.join(_basis(audit)))}</p>"]
    if changes := audit.get("changes"):
        body += ["<h2>What would change the verdict</h2>", *(f"<p>{escape(line)}</p>" for line in changes)]
    body.append(f"<p class='note'>{NO_FINDING}</p>")
    policy = f"default-src 'none'; style-src {policy_source(look)}"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>Audit of {title}</title>\n<style>{look}</style>\n</head>\n"
        + "\n".join(["<body>", "<main>", *body])
        + "\n</main>\n</body>\n</html>\n"
    )


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
    """Return the figure of the rivals' responses to forced cuts, as HTML with a caption."""
    from rivalry.lab.figures import inline
    from rivalry.plots.style import picture

    svg = inline(picture(_draw_responses, reactions).svg.decode(), "responses")
    caption = (
        "Mean price cut of the rivals after a forced cut, from its first period on, in units of the distance "
        "between equilibrium and cartel price; bands hold 99 %."
    )
    drawn = f"<div class='drawn' role='img' aria-label='{caption}'>{svg}</div>"
    return f"<figure>{drawn}<figcaption><b>Figure 1.</b> {caption}</figcaption></figure>"


def main() -> None:
    """Read a task from stdin and write the verdict to stdout, both in JSON."""
    task = json.loads(sys.stdin.readline())
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the bot prints goes to stderr
    sys.argv = [task["bot"]]  # as a bot finds it
    try:
        table = read_price_table(task["bot"]) if is_table(task["bot"]) else None
        make = bot_maker(task["bot"]) if table is None else partial(PriceTableBot, table)
        market = market_of(task["market"]) if table is None else table.market
        limit_memory()
        record = plain(
            audit_bot(make, market, seed=task["seed"], seeds=task["sessions"], seconds=task["seconds"])
        )
        if record["measures"] is not None and table is None:
            table = policy_table(make, market)
        if table is not None:
            extent = {"gamma": table.gamma, "memory": table.memory, "prices": len(table.grid)}
            record["best_response"] = plain(table_gain(table)) | extent
    except BotFault as fault:
        record = _failed(f"the bot failed {fault}")
    except (ValueError, StoreError) as error:
        record = {"refused": str(error)}
    answer.write(json.dumps(record, default=float))
    answer.flush()
    os._exit(0)  # a bot's threads would keep the process


if __name__ == "__main__":
    main()
