"""Tables of learning in karma economies by setting (the source's Table 6.2), from full runs of the studies.

``python docs/karma_summary.py RUN ...`` stores the numbers of finished runs in ``karma_summary.json``, beside
this file. The page of the textbook shows them; its build fails if a study has changed since it was run.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import rivalry as rv

STORED = Path(__file__).with_suffix(".json")
BARE = "_without_exploration"
LEARNED = {
    f"mean_relative_exploitability{BARE}": "unilateral gain, %",
    f"mean_relative_gap_to_equilibrium{BARE}": "advantage over the equilibrium's policy, %",
    f"mean_distance_to_equilibrium{BARE}": "distance to that policy",
    "efficiency": "efficiency",
}
SOCIAL = {
    "efficiency": "efficiency",
    "reward_fairness": "reward fairness",
    "access_fairness": "access fairness",
}
ROWS = {  # study: category of the source's table
    "karma_learning_rates": "learning rate",
    "karma_exploration": "exploration rate",
    "karma_learned_agents": "population size",
    "karma_epochs": "epoch length",
    "karma_algorithms": "policy learning algorithm",
    "karma_robust": "urgency, mechanism",
    "karma_learned_types": "types",
}
SOCIAL_ROWS = {
    "karma_fairness": "the equilibrium's policy",
    "karma_learned_fairness": "learned without exploration, PBS",
}


def collect(folder: str) -> None:
    """Store the numbers of a finished run. Raises `ValueError` for a quick or unfinished one."""
    run = rv.load_run(folder)
    if run.status != "done" or run.head["study"]["quick_form"]:
        raise ValueError(f"{folder}: must be a finished run of the full form")
    data, wanted = run.dataset(), SOCIAL if run.name in SOCIAL_ROWS else LEARNED
    lead = [str(dim) for dim in data["status"].dims if dim != "replication"]
    points = []
    for index in np.ndindex(*(data.sizes[dim] for dim in lead)):
        here = data.isel(dict(zip(lead, index, strict=True)))
        if np.any(here["status"].values != ""):
            at = {dim: here[dim].values.item() for dim in lead if data.sizes[dim] > 1}
            numbers = {name: float(f"{float(here[name].mean()):.4g}") for name in wanted}
            points.append({"at": at, "replications": int(here.sizes["replication"]), "numbers": numbers})
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    stored[run.name] = {"settings": settings(run.study), "points": points}
    rows = [f"{json.dumps(name)}: {_row(stored[name])}" for name in sorted(stored)]
    STORED.write_text("{\n" + ",\n".join(rows) + "\n}\n")


def _row(found: dict[str, Any]) -> str:
    """Write the numbers of a study as JSON, one line per point."""
    points = ",\n  ".join(map(json.dumps, found["points"]))
    return f'{{"settings": {json.dumps(found["settings"])}, "points": [\n  {points}]}}'


def settings(study: Any) -> str:
    """Return the digest of the games and methods of all cells, on which the numbers depend."""
    tables = [[cell.task["game"], cell.task["method"], cell.replication] for cell in study.cells()]
    return sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()[:16]


def table(rows: dict[str, str], columns: dict[str, str]) -> str:
    """Return a table in Markdown. Raises `ValueError` if a study has changed since it was run."""
    stored = json.loads(STORED.read_text())
    lines = [["", "setting", *columns.values()], ["---", "---", *["---:"] * len(columns)]]
    for name, category in rows.items():
        if stored[name]["settings"] != settings(rv.load_study(name)):
            raise ValueError(
                f"{name}: has changed since it was run; run it again, then docs/karma_summary.py"
            )
        for k, point in enumerate(stored[name]["points"]):
            at = ", ".join(_words(key, value) for key, value in point["at"].items()) or "as in the study"
            numbers = [_number(point["numbers"][key], title) for key, title in columns.items()]
            lines.append([f"{category} (`{name}`)" if k == 0 else "", at, *numbers])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def exponent(name: str, key: str, along: str) -> float:
    """Return the exponent of a key to which a number of a study is proportional, by least squares in logs."""
    points = json.loads(STORED.read_text())[name]["points"]
    rows = [(point["at"][along], point["numbers"][key]) for point in points]
    return float(np.polyfit(*np.log(rows).T, 1)[0])


def gains_by_agents() -> str:
    """Return in words how gains fall with the number of agents, which the source expects to be slow."""
    slope = exponent("karma_learned_agents", f"mean_relative_exploitability{BARE}", "agents")
    pace = "slower" if -0.5 < slope < 0 else "no slower"
    law = f"$N^{{{slope:.2f}}}$, {pace} than $1/\\sqrt{{N}}$"
    return f"Fitted to all numbers of agents from two on, the gain changes like {law}."


def _words(key: str, value: Any) -> str:
    name = key.rpartition(".")[2]
    return str(value) if name in ("algorithm", "payment") else f"{name} {value:g}"


def _number(value: float, title: str) -> str:
    return (
        f"{100 * value:.1f}"
        if title.endswith("%")
        else f"{value:.3g}"
        if abs(value) < 0.1
        else f"{value:.3f}"
    )


if __name__ == "__main__":
    for run in sys.argv[1:]:
        collect(run)
