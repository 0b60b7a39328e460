"""Random road networks, and writers of every format that is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import networkx
import numpy as np
import pandas as pd

METRES = {"kilometer": 1000.0, "meter": 1.0, "mile": 1609.344, "foot": 0.3048}
HOURLY = {"kmh": 1000.0, "mph": 1609.344, "m/s": 3600.0}
Rng = np.random.Generator
Written = tuple[Any, Any]  # links and demand, as a factory takes them


class Drawn(NamedTuple):
    """Links with the numbers of the Bureau of Public Roads, and trips by pair of joined nodes."""

    links: list[dict[str, Any]]
    trips: dict[tuple[str, str], float]


def drawn_network(seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    ring = [(k, k % 6 + 1) for k in range(1, 7)]
    others = [(a, b) for a in range(1, 7) for b in range(1, 7) if a != b and rng.random() < 0.3]
    links = [
        {
            "from": str(tail),
            "to": str(head),
            "capacity": float(rng.integers(2, 60)),
            "free_flow_time": float(rng.integers(1, 90)) / 8,
            "b": float(rng.choice([0.15, 1.0])),
            "power": float(rng.choice([1.0, 4.0])),
        }
        for tail, head in dict.fromkeys([*ring, *others])
    ]
    pairs = [(str(a), str(b)) for a in range(1, 7) for b in range(1, 7) if a != b]
    chosen = rng.choice(len(pairs), 4, replace=False)
    return Drawn(links, {pairs[k]: float(rng.integers(1, 90)) / 4 for k in chosen})


def shuffled(rows: list[Any], rng: Rng) -> list[Any]:
    return [rows[k] for k in rng.permutation(len(rows))]


def links_of_tntp(network: Drawn, rng: Rng, names: dict[str, str]) -> str:
    """Text of links in a random order of columns, named in a head."""
    order = shuffled(list(network.links[0]), rng)
    head = " ".join(names.get(name, name) for name in order)
    rows = [" ".join(str(link[name]) for name in order) for link in shuffled(network.links, rng)]
    return f"<NUMBER OF LINKS> {len(rows)}\n~ {head} ;\n" + "".join(f"{row} ;\n" for row in rows)


def tntp(network: Drawn, folder: Path, rng: Rng) -> Written:
    names = {"from": "init_node", "to": "term_node"}
    if rng.random() < 0.5:
        names |= {"b": "alpha", "power": "Beta", "free_flow_time": "Free_Flow_Time(min)"}
    (folder / "net.tntp").write_text(links_of_tntp(network, rng, names))
    origins = dict.fromkeys(tail for tail, _ in network.trips)
    text = ""
    for origin in origins:
        entries = [f"{head} : {trips};" for (tail, head), trips in network.trips.items() if tail == origin]
        text += f"Origin {origin}\n{' '.join(entries)}\n"
    (folder / "trips.tntp").write_text(text)
    return folder / "net.tntp", folder / "trips.tntp"


def frames(network: Drawn, rng: Rng) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of links and trips with shuffled rows and columns."""
    links = pd.DataFrame(shuffled(network.links, rng))[shuffled(list(network.links[0]), rng)]
    rows = [{"from": tail, "to": head, "trips": trips} for (tail, head), trips in network.trips.items()]
    return links, pd.DataFrame(shuffled(rows, rng))[shuffled(["from", "to", "trips"], rng)]


def separated(network: Drawn, folder: Path, rng: Rng) -> Written:
    files = folder / "links.csv", folder / "trips.csv"
    for frame, file in zip(frames(network, rng), files, strict=True):
        frame.to_csv(file, index=bool(rng.random() < 0.5))
    return files


def gapped(network: Drawn, folder: Path, rng: Rng) -> Written:
    """Tables of pandas whose nodes became numbers with a decimal point, as beside a missing one."""
    links, trips = frames(network, rng)
    return links.astype({"from": float, "to": int}), trips.astype({"from": "Int64", "to": float})


def graph(network: Drawn) -> networkx.DiGraph:
    made = networkx.DiGraph()
    for link in network.links:
        numbers = {name: value for name, value in link.items() if name not in ("from", "to")}
        made.add_edge(int(link["from"]), int(link["to"]), **numbers)
    return made


def graphs(network: Drawn, folder: Path, rng: Rng) -> Written:
    return graph(network), dict(network.trips)


def graphml(network: Drawn, folder: Path, rng: Rng) -> Written:
    networkx.write_graphml(graph(network), folder / "net.graphml")
    return folder / "net.graphml", {f"{tail}>{head}": trips for (tail, head), trips in network.trips.items()}


def gmns(length: str, speed: str) -> Callable[[Drawn, Path, Rng], Written]:
    """Writer of a folder of GMNS in units; zones have other names than their nodes."""

    def write(network: Drawn, folder: Path, rng: Rng) -> Written:
        rows = []
        for link in network.links:
            speeds = float(rng.integers(20, 120))
            metres = link["free_flow_time"] / 60 * speeds * HOURLY[speed]
            rows.append(
                {
                    "from_node_id": link["from"],
                    "to_node_id": link["to"],
                    "directed": rng.choice(["1", "True"]),
                    "length": metres / METRES[length],
                    "free_speed": speeds,
                    "lanes": 2,
                    "capacity": link["capacity"] / 2,
                    "vdf_alpha": link["b"],
                    "vdf_beta": link["power"],
                }
            )
        pd.DataFrame(shuffled(rows, rng))[shuffled(list(rows[0]), rng)].to_csv(
            folder / "link.csv", index=False
        )
        nodes = [{"node_id": k, "zone_id": 100 + k} for k in range(1, 7)]
        pd.DataFrame(nodes).to_csv(folder / "node.csv", index=False)
        trips = [
            {"o_zone_id": 100 + int(tail), "d_zone_id": 100 + int(head), "volume": amount}
            for (tail, head), amount in network.trips.items()
        ]
        pd.DataFrame(trips).to_csv(folder / "demand.csv", index=False)
        pd.DataFrame([{"long_length": length, "speed": speed}]).to_csv(folder / "config.csv", index=False)
        return folder, folder

    return write


FORMATS: dict[str, Callable[[Drawn, Path, Rng], Written]] = {
    "tntp": tntp,
    "csv": separated,
    "pandas": gapped,
    "networkx": graphs,
    "graphml": graphml,
    **{
        f"gmns {length} {speed}": gmns(length, speed)
        for length, speed in (("mile", "mph"), ("kilometer", "kmh"), ("meter", "kmh"), ("foot", "m/s"))
    },
}
