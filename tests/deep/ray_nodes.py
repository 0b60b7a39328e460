"""Nodes of a Ray cluster on this machine, in a process of their own.

``python -m tests.deep.ray_nodes FOLDER`` prints the address; then obeys lines on stdin: ``add`` a node of one
CPU, ``kill`` the newest.
"""

import sys

from ray.cluster_utils import Cluster


def main(folder: str) -> None:
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "temp_dir": folder, "include_dashboard": False}
    )
    added = []
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "add":
            added.append(cluster.add_node(num_cpus=1))
        elif line.strip() == "kill":
            cluster.remove_node(added.pop(), allow_graceful=False)
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
