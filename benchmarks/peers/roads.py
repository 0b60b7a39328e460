"""The network of Sioux Falls that comes with AequilibraE, for sides without that package."""

import json
import subprocess
from functools import cache

READER = ("build/peers/aequilibrae/bin/python", "-m", "benchmarks.peers.with_aequilibrae", "network")


@cache
def sioux_falls():
    """Return columns of links, and trips ``[origin destination]`` between nodes 1 to 24."""
    return json.loads(subprocess.run(READER, check=True, capture_output=True).stdout)


def demand_of(trips):
    """Return the trips of each pair, by origin and destination."""
    pairs = ((a, b, amount) for a, row in enumerate(trips, 1) for b, amount in enumerate(row, 1))
    return {(a, b): amount for a, b, amount in pairs if amount}
