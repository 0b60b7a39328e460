"""How time grows: of a certified solve with players and periods, of a step of learning with agents.

Tables, and figures on log axes.

python -m benchmarks.growth table                                     exponents: cells, agents, links, ..
RIVALRY_NO_CACHE=1 python -m benchmarks.growth FIGURE.svg            certified solves of races
python -m benchmarks.growth FIGURE.svg agents                         agents who learn to bid karma
python -m benchmarks.growth FIGURE.svg city                           the same in a city
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.conftest import exponent

PLAYERS = ((2, 3, 4, 6), 1)  # sizes, and the periods they are played over
PERIODS = ((1, 5, 20), 2)  # and the players
INVESTING = (((2, 3), 1), ((1, 2, 5), 2))
AGENTS = (10, 32, 100, 320, 1000, 3200, 10_000)
AGENT_STEPS = 4_000_000
CELLS = (1_000, 4_000, 16_000)
POINTS = (11, 21, 41, 81)  # per player
ACTIONS = (4, 6, 8, 10, 12)  # of each of two players
GAMES = (10, 100, 1_000)
SWEPT = (100, 1_000, 10_000)
RIVALS = (2, 3, 4, 5)
SIDES = (16, 50, 158)  # of square grids of roads: some 1,000 to 100,000 links
ZONES = 20  # where trips begin and end
ROUNDS = 20  # of best responses: investors may go round for ever


def seconds(players: int, periods: int, *, invest: bool) -> tuple[float, float, str]:
    """Processor time of the first solve of a process, of the next with all programs there, and the status."""
    import rivalry as rv

    gamma = np.linspace(0.9, 1.0, players).tolist()
    more: dict[str, Any] = {"contest": {"ease_of_winning": 1.0}, "no_winner": "disaster"} if invest else {}
    game = rv.games.race(
        players=players,
        horizon=periods,
        performance_productivity=1.0,
        gamma=gamma,
        technology={"invest": invest},
        **more,
    )
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


def agent_steps(agents: int) -> tuple[float, float]:
    """Nanoseconds of a step of one of so many agents, the least of five rounds, and its tables' bytes."""
    from benchmarks.test_karma import EPOCH, PEER, Run

    run = Run(agents, PEER)
    run.steps = 4 * EPOCH
    run.play()
    return _least(run, agents, (*run.learning, *run.agents))


def city_steps(agents: int) -> tuple[float, float]:
    """The same in a city, whose lanes are as wide as so many need."""
    from benchmarks.test_city import Run

    run = Run(agents)
    run.ahead(max(20_000_000 // agents, 2000))
    return _least(run, agents, (*run.learning, *run.drivers))


def _least(run: Any, agents: int, arrays: tuple[np.ndarray, ...]) -> tuple[float, float]:
    run.steps, taken = max(AGENT_STEPS // agents, 1), []
    for _ in range(5):
        begun = time.process_time()
        run.play()
        taken.append(time.process_time() - begun)
    size = sum(part.nbytes for part in arrays) / agents
    return min(taken) / (run.steps * agents) * 1e9, size


def draw_agents(rows: list[tuple[int, float, float]], path: str) -> None:
    """Nanoseconds of an agent-step against agents, and where tables fill 1 and 32 MiB of cache."""
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(4.5, 3.2), layout="constrained")
    agents, taken, size = zip(*rows, strict=True)
    panel.loglog(agents, taken, "o-", markersize=4)
    panel.minorticks_off()
    ticks = [t for t in (10, 20, 50, 100, 200, 500) if t < 1.5 * max(taken)]
    panel.set_yticks(ticks, [str(t) for t in ticks])
    for cache in (1, 32):
        panel.axvline(cache * 2**20 / size[-1], color="0.7", linewidth=1)
        panel.annotate(
            f"{cache} MiB", (cache * 2**20 / size[-1], min(taken)), fontsize=7, rotation=90, ha="right"
        )
    panel.set_xlabel("agents")
    panel.set_ylabel("processor time of an agent-step, ns")
    panel.grid(alpha=0.3)
    figure.savefig(path)


def payoff_table(points: int) -> float:
    """Processor time of a payoff table of three players with so many grid points each, compiled before."""
    import rivalry as rv
    from rivalry.tables.discretize import tabulate

    game = rv.games.influencer(reach=[0.15, 0.2, 0.25], resource="bimodal")
    taken = []
    for _ in range(4):
        begun = time.process_time()
        tabulate(game, points)
        taken.append(time.process_time() - begun)
    return min(taken[1:])


def least_time(work: Callable[[], object]) -> float:
    """Least processor time of three calls, after one that compiles."""
    work()
    taken = []
    for _ in range(3):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def list_times() -> Iterator[tuple[str, list[int], list[float]]]:
    """Yield curves of lists of equilibria with their proofs, and of sweeps."""
    import rivalry as rv

    def stack(games: int, actions: int) -> np.ndarray:
        return np.random.default_rng(1).random((games, 2, actions, actions))

    def listed(payoffs: np.ndarray) -> float:
        return least_time(lambda: rv.all_equilibria(payoffs))

    def swept(points: int) -> float:
        game = rv.games.market(intercept=100.0, unit_cost=10.0)
        intercepts = {"intercept": np.linspace(50.0, 150.0, points)}
        return least_time(lambda: rv.sweep(game, intercepts, rv.methods.BestResponse()))

    def searched(firms: int) -> float:
        game = rv.games.market(intercept=100.0, unit_cost=list(range(10, 10 + firms)))
        return least_time(lambda: rv.all_equilibria(game))

    yield "actions: a list of a game, 2 players", list(ACTIONS), [listed(stack(1, n)) for n in ACTIONS]
    yield "games: lists of a stack, 5 x 5", list(GAMES), [listed(stack(n, 5)) for n in GAMES]
    yield "points: a certified sweep of a market", list(SWEPT), [swept(n) for n in SWEPT]
    yield "firms: a list of a market", list(RIVALS), [searched(n) for n in RIVALS]


def of_cells(command: str, cells: int) -> float:
    """Processor time of a command on a run of so many cells, beside the cells' own work."""
    from benchmarks import test_many_cells as many
    from tests import many_cells

    with TemporaryDirectory() as folder:
        home = Path(folder) / "run"
        if command != "start":
            many_cells.stored(home, many.distinct(cells))
        study = many.distinct(cells)
        begun = time.process_time()
        (many.start if command == "start" else many.of_command(command))(study, home)
        return time.process_time() - begun


def grid_of_roads(side: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Links in four directions between the nodes of a grid, and trips between all pairs of random zones."""
    rng = np.random.default_rng(0)
    nodes = np.arange(side**2).reshape(side, side)
    one_way = [(nodes[:, :-1].ravel(), nodes[:, 1:].ravel()), (nodes[:-1].ravel(), nodes[1:].ravel())]
    ends = np.hstack([np.array(pair) for pair in one_way])
    tail, head = np.hstack([ends, ends[::-1]])
    zones = rng.choice(side**2, ZONES, replace=False).tolist()
    demand = {f"{a}>{b}": rng.uniform(1, 10) for a in zones for b in zones if a != b}
    # of all sizes, as wide as the four links of a zone need
    capacity = rng.uniform(0.5, 1.5, len(tail)) * sum(demand.values()) / ZONES / 4
    table = {"from": tail, "to": head, "free_flow_time": rng.uniform(1, 5, len(tail)), "capacity": capacity}
    return table, demand


def equilibrium_of_roads(side: int) -> tuple[int, float]:
    """Links of a grid, and processor time of its user equilibrium to a relative gap of 1e-6."""
    import rivalry as rv

    links, demand = grid_of_roads(side)
    game = rv.games.routes(links, demand=demand)
    begun = time.process_time()
    data = rv.solve(game, rv.methods.UserEquilibrium(gap=1e-6)).data
    taken = time.process_time() - begun
    assert float(data.relative_gap) <= 1e-6
    return len(game.tail), taken


def growth() -> Iterator[tuple[str, list[int], list[float]]]:
    """Yield what grows, its sizes, and seconds of processor time at each."""
    for command in ("start", "resume", "report"):
        of_cells(command, 200)  # loads libraries
        yield f"cells: {command}", list(CELLS), [of_cells(command, cells) for cells in CELLS]
    agents = AGENTS[2::2]
    yield "agents: a step of all", list(agents), [agent_steps(n)[0] * n / 1e9 for n in agents]
    players, periods = PLAYERS, PERIODS
    solves = [seconds(n, players[1], invest=False)[1] for n in players[0]]
    yield f"players: a certified solve, {players[1]} period", list(players[0]), solves
    solves = [seconds(periods[1], t, invest=False)[1] for t in periods[0]]
    yield f"periods: a certified solve, {periods[1]} players", list(periods[0]), solves
    yield "grid points: a payoff table, 3 players", list(POINTS), [payoff_table(n) for n in POINTS]
    yield from list_times()
    equilibrium_of_roads(5)  # compiles
    sizes, taken = zip(*(equilibrium_of_roads(side) for side in SIDES), strict=True)
    yield f"links: a user equilibrium, {ZONES} zones", list(sizes), list(taken)


def main(path: str, what: str = "races") -> None:
    """Measure, print the table in Markdown, draw the figure."""
    warnings.simplefilter("ignore")
    if path == "table":
        print("| what grows | sizes | seconds | exponent |\n|---|---|---|---|")
        for name, sizes, taken in growth():
            texts = (", ".join(f"{n:,}" for n in sizes), ", ".join(f"{t:.2g}" for t in taken))
            print(f"| {name} | {' | '.join(texts)} | {exponent(sizes, taken):.2f} |", flush=True)
        return
    if what in ("agents", "city"):
        rows = [(n, *(agent_steps if what == "agents" else city_steps)(n)) for n in AGENTS]
        print("| agents | agent-step, ns | bytes an agent |\n|---|---|---|")
        for n, taken, size in rows:
            print(f"| {n} | {taken:.3g} | {size:.0f} |")
        draw_agents(rows, path)
        return
    found = curves()
    print("| curve | size | first solve, s | next, s | ended |\n|---|---|---|---|---|")
    for name, rows in found.items():
        for size, first, again, status in rows:
            print(f"| {name} | {size} | {first:.2g} | {again:.2g} | {status} |")
    draw(found, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
