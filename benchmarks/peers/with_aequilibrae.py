"""AequilibraE's side, which also reads the Sioux Falls network that comes with it for all sides."""

import json
import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

import aequilibrae
import numpy as np
import openmatrix
import pandas as pd
from aequilibrae.matrix import AequilibraeMatrix
from aequilibrae.paths import Graph, TrafficAssignment, TrafficClass

from benchmarks.peers.clock import serve

MOST_ROUNDS = 5_000
COLUMNS = {
    "a_node": "from",
    "b_node": "to",
    "free_flow_time": "",
    "capacity_ab": "capacity",
    "b": "",
    "power": "",
}


def sioux_falls():
    """Return columns of links, and trips ``[origin destination]`` between nodes 1 to 24."""
    source = Path(aequilibrae.__file__).parent / "reference_files" / "sioux_falls.zip"
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(source).extractall(folder)
        database = sqlite3.connect(f"{folder}/project_database.sqlite")
        rows = database.execute(f"select {', '.join(COLUMNS)} from links order by link_id").fetchall()
        with openmatrix.open_file(f"{folder}/matrices/demand.omx") as file:
            trips = np.array(file["matrix"])
    names = [name or column for column, name in COLUMNS.items()]
    return {"links": dict(zip(names, zip(*rows, strict=True), strict=True)), "trips": trips.tolist()}


def equilibrium_of_roads(gap):
    """Return flows of links by bi-conjugate Frank-Wolfe at their own gap."""
    data = sioux_falls()
    table = pd.DataFrame(data["links"]).rename(columns={"from": "a_node", "to": "b_node"})
    table = table.assign(link_id=range(1, len(table) + 1), direction=1)
    graph = Graph()
    graph.network = table
    graph.prepare_graph(np.arange(1, 25))
    graph.set_graph("free_flow_time")
    graph.set_blocked_centroid_flows(False)
    demand = AequilibraeMatrix()
    demand.create_empty(zones=24, matrix_names=["trips"], memory_only=True)
    demand.index[:] = np.arange(1, 25)
    demand.matrix["trips"][:] = np.array(data["trips"])
    demand.computational_view(["trips"])
    assignment = TrafficAssignment()
    assignment.set_classes([TrafficClass("cars", graph, demand)])
    assignment.set_vdf("BPR")
    assignment.set_vdf_parameters({"alpha": "b", "beta": "power"})
    assignment.set_capacity_field("capacity")
    assignment.set_time_field("free_flow_time")
    assignment.set_cores(1)
    assignment.set_algorithm("bfw")
    assignment.max_iter, assignment.rgap_target = MOST_ROUNDS, gap
    assignment.execute()
    return assignment.results()["PCE_tot"].to_numpy()


if __name__ == "__main__":
    if sys.argv[1:] == ["network"]:
        json.dump(sioux_falls(), sys.stdout)
    else:
        serve("aequilibrae", globals())
