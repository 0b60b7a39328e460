"""Audits as data: of a log, and of a bot in a process that is ended where it hangs or takes memory."""

from __future__ import annotations

import json
import os
import signal
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.audit.bots import BotFault, bot_maker, limit_memory
from rivalry.audit.logs import judge_log, read_logs
from rivalry.audit.market import PriceMarket, price_market
from rivalry.audit.market_panel import is_panel, judge_panel
from rivalry.audit.measures import SEEDS
from rivalry.audit.tables import PriceTableBot, policy_table, read_price_table, table_gain
from rivalry.audit.verdict import UNDECIDED, AuditVerdict, audit_bot
from rivalry.core.files import StoreError, read_bytes
from rivalry.core.foreign_tables import TABLES, is_table
from rivalry.runtime.processes import PIPE, TimeoutExpired, python_command, start

LONGEST = 86_400.0  # seconds of an audit with a number of sessions
GRACE = 20.0  # seconds beyond those of the audit, after which the process is ended
KEYS = ("low", "high", "size")  # of the table [audit]
PER_UNIT = 1e-9  # of profits: a market of larger differences has other costs than per unit


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
        python_command("rivalry.audit.worker"),
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
    from rivalry.lab.study import build_game

    path = Path(text)
    tables = tomllib.loads(read_bytes(path, 2**24).decode()) if path.suffix == ".toml" else {}
    if set(tables) <= {"game", "audit"} and isinstance(tables.get("game"), dict):
        options = tables.get("audit", {})
        if wrong := sorted(set(options) - set(KEYS)):
            raise ValueError(f"{text}: audit.{wrong[0]}: no such key; known: {', '.join(KEYS)}")
        return price_market(build_game(tables["game"], path.parent), **options)
    return price_market(game_of_table(text))


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


def is_log(name: str) -> bool:
    """True for the name of a log; one with a TOML file beside it is a table of action values.

    >>> [is_log(name) for name in ("prices.csv", "prices.parquet", "mine.py:price")]
    [True, True, False]
    """
    path = Path(name)
    return path.suffix in (".csv", *TABLES) and not path.with_suffix(".toml").exists()


def audit_log(
    name: str,
    market: PriceMarket | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    size: float = 1.0,
    cost: float | None = None,
    highest_cost: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the verdict on a file of prices as data.

    Parameters
    ----------
    name : str
        ``FILE.csv`` or ``FILE.parquet``, as `rivalry.audit.logs.read_logs` takes them.
    market : PriceMarket, optional
        Demand and costs, of its firms in the order of the names in the log; by default demand is estimated
        from the quantities of the log.
    columns : mapping, optional
        Names of the file by ours.
    size, cost, highest_cost, seed
        As for `rivalry.audit.logs.judge_log`, for estimated demand.

    Raises
    ------
    DamagedFile
        For a file that cannot be read.
    ValueError
        For a log that lacks what is needed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from rivalry.audit.market import price_market
    >>> market = price_market()
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "log.csv"
    ...     rows = [f"{t},{firm},{market.nash[0]}" for t in range(400) for firm in "AB"]
    ...     _ = path.write_text(chr(10).join(["t,firm,price", *rows]))
    ...     audit_log(str(path), market)["word"]
    'consistent with competition'
    """
    logs = read_logs(name, columns)
    log, basis = next(iter(logs.values())), "logit demand estimated from the log"
    if market is not None:
        if is_panel(logs):
            raise ValueError("--market: is for one market whose firms have one product each")
        if len(log.firms) != market.players:
            raise ValueError(f"{name}: {len(log.firms)} firms; the market has {market.players}")
        basis = "demand and costs of the market"
        verdict = judge_log(log, market.quantities, _unit_cost(market), stake=market.stake, seed=seed)
    elif log.quantity is None:
        raise ValueError(f"{name}: no column quantity or share; state demand and cost by --market")
    else:
        options: dict[str, Any] = {"cost": cost, "size": size, "highest_cost": highest_cost, "seed": seed}
        verdict = judge_panel(logs, **options) if is_panel(logs) else judge_log(log, **options)
    incomplete = sum(log.incomplete for log in logs.values())
    return {"log": name, "basis": basis, "incomplete": incomplete, **plain(verdict)}


def _unit_cost(market: PriceMarket) -> np.ndarray:
    """Cost per unit, ``[firm]``. Raises `ValueError` for a market with other costs or taxes."""
    unit_cost = np.asarray(market.game.unit_cost)
    for prices in (market.nash, market.cartel):
        earned = (prices - unit_cost) * market.quantities(prices)
        if not np.allclose(market.profits(prices), earned, rtol=PER_UNIT):
            raise ValueError("--market: a log needs a market of constant costs per unit, without taxes")
    return unit_cost


def main() -> None:
    """Read a task from stdin and write the verdict to stdout; what the bot prints goes to stderr."""
    task = json.loads(sys.stdin.readline())
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
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
            record["exact"] = plain(table_gain(table)) | extent
    except BotFault as fault:
        record = _failed(f"the bot failed {fault}")
    except (ValueError, StoreError) as error:
        record = {"refused": str(error)}
    answer.write(json.dumps(record, default=float))
    answer.flush()
    os._exit(0)  # a bot's threads would keep the process


if __name__ == "__main__":
    main()
