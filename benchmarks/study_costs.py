"""Processor seconds of bundled studies, quick and full, written into ``studies/costs.json`` and the studies.

``python -m benchmarks.study_costs NAME ...`` runs quick forms and measures them;
``python -m benchmarks.study_costs --times FOLDER`` reads ``FOLDER/NAME.time``: seconds real, user, system.
Full seconds are those of stored full runs; a quick form that changes nothing is the full one. A study of
studies takes as long as its parts, unless it was measured itself.
The label ``cost`` of a study follows from its full seconds, or from the quick ones where these say more.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path

from benchmarks.first_results import first_result
from rivalry.lab.report.full_runs import full_run
from rivalry.lab.study import load_study
from rivalry.lab.study.names import COST_LABELS, COSTS, studies

STUDIES = Path(str(COSTS)).parent


def cost_label(seconds: float) -> str:
    """Label of a study that takes so long.

    >>> cost_label(12.0), cost_label(90.0), cost_label(1e5)
    ('seconds', 'minutes', 'hours')
    """
    return max((name for name in COST_LABELS if COST_LABELS[name] <= seconds), key=COST_LABELS.__getitem__)


def measured(name: str) -> float:
    """Processor seconds of a first quick run, from empty caches, with the start of Python."""
    with tempfile.TemporaryDirectory() as caches:
        return first_result(name, Path(caches)).seconds


def read(path: Path) -> float | None:
    """Processor seconds of a file of times; None for a run that was ended or failed."""
    words = path.read_text(encoding="utf-8").split()
    return None if "rc" in words or len(words) < 3 else float(words[1]) + float(words[2])


def full_seconds(name: str, quick: float | None) -> float | None:
    """Processor seconds of the full form; None where nobody has stored any."""
    if stored := full_run(name):
        return stored.seconds
    one = load_study(name)
    return quick if not one.quick and not one.include else None


def write(costs: dict[str, dict[str, float]]) -> None:
    """Write the seconds, and the label of each study that they contradict."""
    rows = [f" {json.dumps(name)}: {json.dumps(costs[name])}" for name in sorted(costs)]
    Path(str(COSTS)).write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    for name, seconds in costs.items():
        path, now = STUDIES / f"{name}.toml", load_study(name).cost
        label = cost_label(max(seconds.values()))
        if not path.exists() or now == label or ("full" not in seconds and ranked(now) > ranked(label)):
            continue
        text = re.sub(r'^cost = "\w+"\n', "", path.read_text(encoding="utf-8"), flags=re.M)
        place = re.search(r"^(?:source|question|title) = .*\n(?!(?:source|question) = )", text, re.M)
        assert place, name
        path.write_text(f'{text[: place.end()]}cost = "{label}"\n{text[place.end() :]}', encoding="utf-8")


def ranked(label: str) -> int:
    """Rank of a label by the time that it stands for."""
    return list(COST_LABELS).index(label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--times", type=Path)
    options = parser.parse_args()
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    found = {name: measured(name) for name in options.names}
    for path in sorted(options.times.glob("*.time")) if options.times else ():
        if (seconds := read(path)) is not None:
            found[path.stem] = seconds
    for name in studies():
        quick = found.get(name, costs.get(name, {}).get("quick"))
        row = {"quick": quick, "full": full_seconds(name, quick)}
        if known := {form: float(f"{value:.2g}") for form, value in row.items() if value is not None}:
            costs[name] = known
    for name in studies():
        parts = [costs.get(part, {}) for part in load_study(name).include]
        for form in ("quick", "full"):
            if parts and all(form in row for row in parts) and form not in costs.get(name, {}):
                costs.setdefault(name, {})[form] = float(f"{sum(row[form] for row in parts):.2g}")
    write(costs)


if __name__ == "__main__":
    main()
