"""The table of benchmarks/limits.md: the races with a target of one run, and figures of others.

RIVALRY_RACE=once pytest benchmarks --benchmark-json=list.json
pytest benchmarks -k city --benchmark-json=races.json        all races, or some; several files are taken
python -m benchmarks.page list.json races.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LIMITS = Path(__file__).with_name("limits.md")
BEGIN, END = "<!-- races -->", "<!-- end of races -->"
HEAD = """\
| bench | ours | against | theirs | ratio | aim |
|---|---|---|---|---|---|
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


def races(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the races with a target of a pytest-benchmark report by name, in order."""
    return {
        bench["name"].removeprefix("test_") if name == "race" else name: race
        for bench in report["benchmarks"]
        for name, race in bench["extra_info"].items()
        if isinstance(race, dict) and race.get("target") is not None
    }


def row(name: str, race: dict[str, Any], measured: bool) -> str:
    """Return one line of the table; times are medians per item of work."""
    ours, theirs, ratio = "not measured in this version", "", ""
    if measured:
        ours, theirs = scaled(race["ours_median"]), scaled(race["theirs_median"])
        ratio = f"{race['paired_ratio']:.3g}"
    rival = race["rival"] + (", wall time" if race["clock"] == "wall" else "")
    aim = f"≤ {race['target']:.3g}"
    return f"| {' | '.join([f'`{name}`', ours, rival, theirs, ratio, aim])} |\n"


def table(listed: dict[str, Any], reports: list[dict[str, Any]]) -> str:
    """Return the races of a list with the figures of reports, the later ones first, and where and when."""
    found: dict[str, dict[str, Any]] = {}
    for report in reports:
        found |= races(report)
    lines = [row(name, found.get(name, race), name in found) for name, race in races(listed).items()]
    if unknown := found.keys() - races(listed).keys():
        raise ValueError(f"{', '.join(sorted(unknown))}: missing in the list; must be made anew")
    info, days = reports[-1]["machine_info"], sorted({report["datetime"][:10] for report in reports})
    where = f"{info['cpu']['count']} {info['machine']} cores shared with other work"
    return (
        f"{HEAD}{''.join(lines)}\nMeasured on {', '.join(days)}, {where}, Python {info['python_version']}.\n"
    )


def main(listed: str, *measured: str) -> None:
    """Write the table between the marks of the page."""
    before, _, rest = LIMITS.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    first, *reports = (json.loads(Path(name).read_text(encoding="utf-8")) for name in (listed, *measured))
    LIMITS.write_text(f"{before}{BEGIN}\n\n{table(first, reports)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
