"""The table of docs/reference/performance.md from the figures of a run:

pytest benchmarks --benchmark-json=races.json && python -m benchmarks.page races.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "performance.md"
BEGIN, END = "<!-- races -->", "<!-- end of races -->"
HEAD = """\
| bench | ours | against | theirs | ratio | aim | clock |
|---|---|---|---|---|---|---|
"""


def scaled(seconds: float) -> str:
    """Three digits and a unit.

    >>> scaled(0.01234), scaled(5.6e-10)
    ('12.3 ms', '0.56 ns')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def row(name: str, race: dict[str, Any]) -> str:
    """One line of the table; times are medians, per item of work."""
    aim = "" if race["target"] is None else f"≤ {race['target']:g}"
    cells = [
        f"`{name}`",
        scaled(race["ours_median"]),
        race["rival"],
        scaled(race["theirs_median"]),
        f"{race['paired_ratio']:.3g}",
        aim,
        race["clock"],
    ]
    return f"| {' | '.join(cells)} |\n"


def table(report: dict[str, Any]) -> str:
    """All races of a pytest-benchmark report, in order, and the machine they ran on."""
    lines = []
    for bench in report["benchmarks"]:
        for name, race in bench["extra_info"].items():
            if isinstance(race, dict) and "paired_ratio" in race:
                lines.append(row(bench["name"].removeprefix("test_") if name == "race" else name, race))
    info = report["machine_info"]
    where = f"{info['cpu']['count']} {info['machine']} cores shared with other work"
    return f"{HEAD}{''.join(lines)}\nMeasured on {where}, Python {info['python_version']}.\n"


def main(source: str) -> None:
    """Put the table of the report `source` between the marks of the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    report = json.loads(Path(source).read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(report)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
