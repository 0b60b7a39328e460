"""How the time of a certified solve grows with players and periods: a table, and a figure on log axes.

RIVALRY_NO_CACHE=1 python -m benchmarks.growth FIGURE.svg
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import numpy as np

PLAYERS = ((2, 3, 4, 6), 1)  # sizes, and the periods they are played over
PERIODS = ((1, 5, 20), 2)  # and the players
INVESTING = (((2, 3), 1), ((1, 2, 5), 2))
ROUNDS = 20  # of best responses: investors may go round for ever


def seconds(players: int, periods: int, *, invest: bool) -> tuple[float, float, str]:
    """Processor time of the first solve of a process, of the next with all programs there, and the status."""
    import rivalry as rv

    gamma = np.linspace(0.9, 1.0, players).tolist()
    more: dict[str, Any] = {"kappa": 1.0, "no_win": "disaster"} if invest else {}
    game = rv.games.race(players=players, horizon=periods, B=1.0, gamma=gamma, invest=invest, **more)
    taken = []
    for _ in range(2):
        begun = time.process_time()
        found = rv.solve(game, rv.methods.BestResponse(), start="moderate", max_steps=ROUNDS)
        taken.append(time.process_time() - begun)
    return taken[0], taken[1], found.status


def curves() -> dict[str, list[tuple[int, float, float, str]]]:
    """Per curve: size, seconds of the first solve and of the next, and how it ended."""
    found: dict[str, list[tuple[int, float, float, str]]] = {}
    for invest, (players, periods) in ((False, (PLAYERS, PERIODS)), (True, INVESTING)):
        kind = "investing" if invest else "effort"
        by_players = f"{kind}, players ({players[1]} period)"
        by_periods = f"{kind}, periods ({periods[1]} players)"
        found[by_players] = [(n, *seconds(n, players[1], invest=invest)) for n in players[0]]
        found[by_periods] = [(t, *seconds(periods[1], t, invest=invest)) for t in periods[0]]
    return found


def draw(found: dict[str, list[tuple[int, float, float, str]]], path: str) -> None:
    """Time against size, both logarithmic: solid with programs compiled before, dotted without."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
    for name, rows in found.items():
        panel = panels[int("periods (" in name)]
        size, first, again, _ = zip(*rows, strict=True)
        (line,) = panel.loglog(size, again, "o-", markersize=4, label=name)
        panel.loglog(size, first, "o:", markersize=3, color=line.get_color(), linewidth=1)
        panel.minorticks_off()
    for panel, what in zip(panels, ("players", "periods"), strict=True):
        sizes = sorted({float(k) for line in panel.lines for k in line.get_xdata()})
        panel.set_xticks(sizes, [f"{k:g}" for k in sizes])
        panel.set_xlabel(what)
        panel.legend(fontsize=7)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("processor time, s")
    figure.savefig(path)


def main(path: str) -> None:
    """Measure, print the table in Markdown, draw the figure."""
    warnings.simplefilter("ignore")
    found = curves()
    print("| curve | size | first solve, s | next, s | ended |\n|---|---|---|---|---|")
    for name, rows in found.items():
        for size, first, again, status in rows:
            print(f"| {name} | {size} | {first:.2g} | {again:.2g} | {status} |")
    draw(found, path)


if __name__ == "__main__":
    main(sys.argv[1])
