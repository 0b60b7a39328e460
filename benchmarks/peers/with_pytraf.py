"""pytraf's side."""

import numpy as np
import pytraf

from benchmarks.peers.clock import serve
from benchmarks.peers.roads import demand_of, sioux_falls


def equilibrium_of_roads(gap):
    """Return flows of links, by gradient projection on flows of routes."""
    data = sioux_falls()
    links = {name: np.array(column, dtype=float) for name, column in data["links"].items()}
    ends = (links.pop(end).astype(int) - 1 for end in ("from", "to"))
    network = pytraf.Network(24, *ends, **links)
    demand = demand_of(data["trips"])
    origins, destinations = np.array(list(demand)).T - 1
    trips = pytraf.Demand(24, origins, destinations, np.array(list(demand.values()), dtype=float))
    return pytraf.assign(network, trips, gap=gap, threads=1).link_flow


if __name__ == "__main__":
    serve("pytraf", globals())
