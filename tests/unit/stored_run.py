"""Small runs as they lie in a folder, computed with NumPy alone: what plots and reports are tested on."""

from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core.results import Record
from rivalry.lab.store import Run
from rivalry.lab.study import Study
from tests.duel_study import store

POINTS = np.linspace(0.001, 0.999, 100)
WEIGHTS = np.exp(-((POINTS - 0.25) ** 2) / 0.02) + np.exp(-((POINTS - 0.75) ** 2) / 0.02)
MEAN = WEIGHTS @ POINTS / WEIGHTS.sum()
THRESHOLD = np.sqrt(0.5 * (WEIGHTS @ (POINTS - MEAN) ** 2 / WEIGHTS.sum()))  # three players


def shares(x: np.ndarray, reach: float) -> np.ndarray:
    logs = -((POINTS - x[:, None]) ** 2) / (2 * reach**2)
    parts = np.exp(logs - logs.max(axis=0))
    return parts / parts.sum(axis=0)


def payoffs(x: np.ndarray, reach: float) -> np.ndarray:
    return shares(x, reach) @ WEIGHTS


def gradients(x: np.ndarray, reach: float) -> np.ndarray:
    g = shares(x, reach)
    return (WEIGHTS * g * (1 - g) * (POINTS - x[:, None])).sum(axis=1) / reach**2


def ascent(reach: float, start: tuple[float, ...] = (0.1, 0.4, 0.9), steps: int = 2000) -> Record:
    """What a cell of gradient ascent with three players stores, views included."""
    x = np.array(start)
    rows = [x]
    for _ in range(steps):
        x = np.clip(x + 2e-4 * gradients(x, reach), 0, 1)
        rows.append(x)
    path = np.array(rows)[:: steps // 100]
    return _end(x, reach, steps) | {
        "path": (("step", "player", "axis"), path[:, :, None]),
        "path_step": (("step",), np.arange(0, steps + 1, steps // 100)),
        "path_payoffs": (("step", "player"), np.array([payoffs(row, reach) for row in path])),
    }


def _end(x: np.ndarray, reach: float, steps: int) -> Record:
    positions = np.linspace(0, 1, 101)
    mine = np.eye(len(x), dtype=bool)
    land = np.array([[payoffs(np.where(own, y, x), reach)[own][0] for y in positions] for own in mine])
    here = payoffs(x, reach)
    regret = np.maximum(land.max(axis=1) - here, 0.0)
    found = regret.max() > 1e-6 * WEIGHTS.sum()
    return {
        "profile": (("player", "axis"), x[:, None]),
        "payoff": (("player",), here),
        "regret": (("player",), regret),
        "bound": (("player",), np.full(len(x), np.inf) if found else regret + 1e-9),
        "coverage": ((), np.asarray("lower bound" if found else "tight")),
        "claim": ((), np.asarray("not an equilibrium" if found else "equilibrium")),
        "status": ((), np.asarray("converged")),
        "end_state": ((), np.asarray("stable_point")),
        "steps": ((), np.asarray(steps)),
        "threshold": ((), np.asarray(THRESHOLD)),
        "influence": (("row", "point"), np.exp(-((POINTS - x[:, None]) ** 2) / (2 * reach**2))),
        "shares": (("row", "point"), shares(x, reach)),
        "resource": (("point",), WEIGHTS),
        "resource_points": (("point", "coordinate"), POINTS[:, None]),
        "row_label": (("row",), np.array([f"player {k}" for k in range(len(x))])),
        "landscape": (("player", "grid_point"), land),
        "landscape_at": (("grid_point",), positions),
        "landscape_best": (("player", "axis"), positions[land.argmax(axis=1)][:, None]),
        "landscape_best_payoff": (("player",), land.max(axis=1)),
    }


def study(**changes: Any) -> Study:
    """A sweep over the reach with one published number."""
    tables: dict[str, Any] = {
        "name": "three",
        "title": "Three parties, one bimodal electorate",
        "question": "At which reach does convergence to the middle end?",
        "source": "A paper, Fig. 6",
        "game": {
            "family": "influencer",
            "reach": [0.17] * 3,
            "resource": {"kind": "mixture", "means": [0.25, 0.75]},
        },
        "method": {"kind": "gradient_ascent", "start": [0.1, 0.4, 0.9]},
        "sweep": {"game.reach": [0.16, 0.17, 0.2, 0.25, 0.3]},
        "expect": [
            {
                "quantity": "threshold",
                "published": 0.188815,
                "published_tolerance": 5e-7,
                "published_tolerance_reason": "rounding of the printed digits",
                "read": "first-hand",
                "locator": "Fig. 6",
                "expected": float(THRESHOLD),
                "tolerance": 1e-9,
                "note": "closed form",
            }
        ],
        "plots": ["bifurcation", {"kind": "paths", "at": {"reach": 0.17}}],
    }
    return Study(**{**tables, **changes})


def stored(folder: Path, made: Study | None = None, *, leave: int = 0, fail: str = "") -> Run:
    """A run with all cells computed but the last ``leave``; ``fail`` is why they failed, if they did."""
    run = Run.create_or_open(folder, made or study())
    done = len(run.cells) - leave
    with run.locking():
        for place in run.cells[:done]:
            store(run, place.id, ascent(place.point.get("reach", 0.17)))
        for place in run.cells[done:] if fail else []:
            run.note(place.id, "failed", message=fail)
    return run
