"""Logs of prices as people write them: another form changes no word, and what cannot be read is named."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rivalry.audit.logs import judge_log, read_log
from tests.simulated_logs import COST, Simulation, rows_of, simulate, write_log

Rows = list[list[Any]]


@cache
def cartel() -> Simulation:
    return simulate(0, True, 0.8, periods=300)


def rows() -> Rows:
    """Rows of time, firm, price and quantity of two firms in 300 periods."""
    return [list(row) for row in rows_of(cartel())]


def day(period: int) -> str:
    """A date of 2026 that begins with the day, as many countries write it."""
    return f"{1 + period % 28:02}.{1 + period // 28:02}.2026"


def judged(path: Path, log: Rows) -> str:
    return judge_log(read_log(write_log(path / "log.csv", log)), cost=COST, size=cartel().size).sentence


@pytest.mark.slow
def test_harmless_forms_of_a_log_change_no_word(tmp_path: Path) -> None:
    sentence = judged(tmp_path, rows())
    assert sentence.startswith("Not consistent with competition")
    assert judged(tmp_path, [[day(row[0]), *row[1:]] for row in rows()]) == sentence
    assert judged(tmp_path, [[day(row[0]), *row[1:]] for row in rows()[::-1]]) == sentence
    assert judged(tmp_path, [[f" {row[0]}", f"{row[1]} ", *row[2:]] for row in rows()]) == sentence
    names = {"A": "cost", "B": "price"}
    named = judged(tmp_path, [[row[0], names[row[1]], *row[2:]] for row in rows()])
    assert named.replace("firm cost", "firm A").replace("firm price", "firm B") == sentence
    text = Path(write_log(tmp_path / "log.csv", rows())).read_text(encoding="utf-8")
    (tmp_path / "log.csv").write_text("\ufeff" + text.replace(",", ";").replace(".", ","), encoding="utf-8")
    assert judge_log(read_log(str(tmp_path / "log.csv")), cost=COST, size=cartel().size).sentence == sentence


def with_entry(row: int, column: int, entry: str) -> Callable[[Rows], Rows]:
    def change(log: Rows) -> Rows:
        log[row][column] = entry
        return log

    return change


def month_first(log: Rows) -> Rows:
    dates = ["{1}.{0}.{2}".format(*day(row[0]).split(".")) for row in log]
    return [[date, *row[1:]] for date, row in zip(dates, log, strict=True)]


def two_spellings(log: Rows) -> Rows:
    return [[row[0], "a" if row[1] == "A" and row[0] % 3 else row[1], *row[2:]] for row in log]


FAULTS: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "groups of digits": (with_entry(5, 2, '"1,453.10"'), "price must be .*'1,453.10' in row 7 is none"),
    "words": (with_entry(5, 2, "sold out"), "price must be .*'sold out' in row 7 is none"),
    "currency": (with_entry(0, 3, "EUR 3"), "quantity must be .*'EUR 3' in row 2 is none"),
    "months first": (month_first, r"time 01\.13\.2026 in row 26 must be a number or a date"),
    "slashes": (with_entry(3, 0, "3/4/2026"), "time 3/4/2026 in row 5 must be a number or a date"),
    "two spellings": (two_spellings, r"no period has a price of every firm \(A, B, a\)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_read_is_named_with_its_row(fault: str, tmp_path: Path) -> None:
    change, words = FAULTS[fault]
    with pytest.raises(ValueError, match=words) as refusal:
        judged(tmp_path, change(rows()))
    assert "\n" not in str(refusal.value)


def test_a_seller_alone_is_not_judged(tmp_path: Path) -> None:
    alone = [row for row in rows() if row[1] == "A"]
    assert judged(tmp_path, alone) == "Cannot tell: sellers: A alone; must be at least two."


def test_missing_costs_that_are_zeros_accuse_nobody(tmp_path: Path) -> None:
    """A column of zeros would make every price look collusive; a cost of 0 that is stated is meant."""
    name = str(tmp_path / "log.csv")
    lines = [",".join(map(str, [*row, 0])) for row in rows()]
    Path(name).write_text("\n".join(["time,firm,price,quantity,cost", *lines]), encoding="utf-8")
    sentence = judge_log(read_log(name), size=cartel().size).sentence
    assert sentence.startswith(
        "Cannot tell: cost: 600 at or below 0, in rows 2, 3, 4 and 597 more; must be above 0"
    )
    stated = judge_log(read_log(name), cost=0.0, size=cartel().size)
    assert "cost" not in [check.name for check in stated.checks]
