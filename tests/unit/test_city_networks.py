"""Networks and their shortest paths: known counts, graphs from files, and wrong input."""

import json
from collections import Counter
from itertools import pairwise, permutations
from math import comb
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from scipy.stats import chisquare

import rivalry as rv
from rivalry.economies.city.network_data import network_of
from rivalry.economies.city.networks import CORE, ENTRY, EXIT, Network, plain, stubs
from rivalry.economies.city.shortest_paths import (
    between,
    counts_of_pairs,
    distances,
    graph_of,
    k_shortest,
    pairs_of,
    shortest,
)
from rivalry.lab.study.build import build_game
from tests.reference import city as reference
from tests.reference.__main__ import choose, judge, read

FILE = Path(__file__).parents[1] / "reference" / "karma.json"
CASES = [case for case in choose(read(FILE), cost="test") if case["kind"] in ("city_graph", "city_occupancy")]

ENDS = {"origins": ["0"], "destinations": ["1"]}
RING = {"lanes": [["a", "b"], ["b", "c"], ["c", "d"], ["d", "a"]], "terminals": ["a", "c"]}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_reference_cases(case: dict[str, Any]) -> None:
    assert judge(case, lambda each: reference.KINDS[each["kind"]](each["inputs"])) == []


def test_a_plain_grid_has_the_known_counts() -> None:
    found = reference.counts(plain())
    assert (found["lanes"], found["max_length"], found["paths"]) == (80, 8, 1948)


@pytest.mark.parametrize("network", [stubs(3, 4), plain(4, 3), stubs(1, 2)], ids=lambda n: n.name)
def test_grid_lanes_and_stubs_match_node_positions(network: Network) -> None:
    """Lanes join neighbours in both directions; stubs lie one step outside their core node."""
    step = np.abs(network.at[network.lanes[:, 0]] - network.at[network.lanes[:, 1]])
    assert (np.sort(step, axis=1) == [0, 1]).all()
    assert {(a, b) for a, b in network.lanes.tolist()} == {(b, a) for a, b in network.lanes.tolist()}
    assert len({tuple(place) for place in network.at.tolist()}) == len(network.nodes)
    for number, (a, b) in enumerate(network.lanes):
        kind = ENTRY if network.home[a] == b else EXIT if network.home[b] == a else CORE
        assert network.kinds[number] == kind
    outward = {0: (0, 1), 1: (1, 0), 2: (0, -1), 3: (-1, 0)}
    for node in np.flatnonzero(network.home != np.arange(len(network.nodes))):
        away = network.at[node] - network.at[network.home[node]]
        assert tuple(away) == outward[int(network.side[node])]


def test_path_counts_in_a_grid_are_binomial_coefficients() -> None:
    """Between opposite corners of a grid there are (rows + cols - 2) choose (rows - 1) shortest paths."""
    network = plain(4, 6)
    assert counts_of_pairs(network, [(0, 23)]) == [comb(8, 3)]
    assert counts_of_pairs(plain(60, 60), [(0, 3599)]) == [comb(118, 59)]
    assert len(between(network, [(0, 23)]).lanes) == comb(8, 3)


@pytest.mark.parametrize("network", [stubs(3, 3), plain(3, 4), network_of(RING)], ids=lambda n: n.name)
def test_shortest_paths_agree_with_networkx(network: Network) -> None:
    paths, number = shortest(network), network.lane_numbers()
    graph = networkx.DiGraph(network.lanes.tolist())
    wanted = Counter(
        tuple(number[step] for step in pairwise(path))
        for a, b in pairs_of(network)
        for path in networkx.all_simple_paths(graph, a, b)
        if len(path) - 1 == networkx.shortest_path_length(graph, a, b)
    )
    assert Counter(tuple(row[row >= 0].tolist()) for row in paths.lanes) == wanted
    assert sum(counts_of_pairs(network, pairs_of(network))) == len(paths.lanes)
    assert (distances(network)[tuple(paths.ends.T)] == paths.lengths).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 3, 7, 40])
def test_k_shortest_paths_are_the_shortest_of_all(k: int, seed: int) -> None:
    """By a list of all paths that repeat no node, of random graphs of seven nodes and of a grid."""
    random = np.random.default_rng(seed)
    drawn = networkx.gnp_random_graph(7, 0.4, seed=seed, directed=True)
    network = (
        plain(3, 3) if seed == 0 else network_of({"lanes": [[f"{a}", f"{b}"] for a, b in drawn.edges]} | ENDS)
    )
    graph = graph_of(network)
    pairs = [pair for pair in permutations(graph, 2) if networkx.has_path(graph, *pair)]
    for pair, paths in zip(pairs, k_shortest(network, pairs, k, random), strict=True):
        every = [tuple(pairwise(path)) for path in networkx.all_simple_paths(graph, *pair)]
        found = [tuple((int(a), int(b)) for a, b in network.lanes[path]) for path in paths]
        assert set(found) <= set(every)
        assert len(set(found)) == len(found)
        assert sorted(map(len, found)) == sorted(map(len, every))[:k]


def test_equally_short_paths_are_drawn_with_equal_probabilities() -> None:
    random, network = np.random.default_rng(3), plain(3, 4)
    drawn = Counter(tuple(k_shortest(network, [(0, 11)], 1, random)[0][0]) for _ in range(2000))
    assert chisquare([drawn[tuple(row)] for row in between(network, [(0, 11)]).lanes.tolist()]).pvalue > 1e-3
    assert len(drawn) == comb(5, 2)


def test_pairs_of_stubs_at_one_core_node_are_excluded_by_option() -> None:
    network = stubs()
    same = set(pairs_of(network, False)) - set(pairs_of(network, True))
    assert len(same) == 8
    assert all(network.home[a] == network.home[b] for a, b in same)


def test_the_centre_of_a_grid_has_eight_lanes() -> None:
    network = stubs()
    inside = [name for name, centre in zip(network.lane_names, network.centre, strict=True) if centre]
    assert sorted(inside) == sorted(
        ["2.2>2.3", "2.3>2.2", "3.2>3.3", "3.3>3.2", "2.2>3.2", "3.2>2.2", "2.3>3.3", "3.3>2.3"]
    )
    assert not plain().centre.any()


def test_a_network_may_be_a_table() -> None:
    table = {"nodes": {"a": [0, 0], "b": [1, 0], "c": [2, 1]}, "lanes": [["a", "b"], ["b", "c"]]}
    network = network_of(table | {"origins": ["a"], "destinations": ["c"], "name": "road"})
    assert (network.name, network.lane_names) == ("road", ("a>b", "b>c"))
    assert network.kinds.tolist() == [ENTRY, EXIT]  # a and c are joined only to b
    assert (network.home.tolist(), network.at.tolist()) == ([1, 1, 1], [[0, 0], [1, 0], [2, 1]])


def test_layout_of_nodes_without_positions_is_reproducible() -> None:
    first, second = network_of(RING).at, network_of(RING).at
    assert np.isfinite(first).all()
    assert (first == second).all()
    assert len(np.unique(first.round(6), axis=0)) == 4


def at(path: Path) -> dict[str, Any]:
    """Return the table that names a network file."""
    return {"kind": "file", "path": str(path)}


def test_network_paths_are_relative_to_the_study_folder(tmp_path: Path) -> None:
    (tmp_path / "ring.json").write_text(json.dumps(RING))
    table = {"family": "city", "network": {"kind": "file", "path": "ring.json"}, "agents": 10, "capacity": 2}
    assert build_game(table, tmp_path).network.name == "ring"


def test_all_file_formats_give_the_same_network(tmp_path: Path) -> None:
    (tmp_path / "ring.json").write_text(json.dumps(RING))
    lines = "\n".join(f"{a},{b}" for a, b in RING["lanes"])
    (tmp_path / "ring.csv").write_text(f"from,to\n{lines}\n")
    graph = networkx.DiGraph(RING["lanes"])
    for node in graph:
        graph.nodes[node].update(x=1.0, y=float(ord(node)), terminal=node in RING["terminals"])
    networkx.write_graphml(graph, tmp_path / "ring.graphml")
    for name in ("ring.json", "ring.graphml"):
        found = network_of(at(tmp_path / name))
        assert (found.lane_names, found.origins.tolist()) == (("a>b", "b>c", "c>d", "d>a"), [0, 2])
    assert found.at.tolist() == [[1.0, float(ord(node))] for node in "abcd"]
    assert network_of(at(tmp_path / "ring.csv") | {"terminals": ["a", "c"]}).origins.tolist() == [0, 2]
    assert network_of(at(tmp_path / "ring.csv")).name == "ring"
    assert len(network_of(at(tmp_path / "ring.csv")).origins) == 4


def test_a_table_may_complete_a_file(tmp_path: Path) -> None:
    """What the table names takes precedence over the file."""
    (tmp_path / "ring.json").write_text(json.dumps({"lanes": RING["lanes"]}))
    found = network_of(at(tmp_path / "ring.json") | {"origins": ["a"], "destinations": ["b", "d"]})
    assert (found.name, found.nodes) == ("ring", ("a", "b", "c", "d"))
    assert (found.origins.tolist(), found.destinations.tolist()) == ([0], [1, 3])
    assert network_of(at(tmp_path / "ring.json") | {"name": "other"}).name == "other"


def test_terminals_beside_terminals_are_no_stubs() -> None:
    """A terminal with one neighbour is a stub only if that neighbour is no terminal."""
    lanes = [["a", "b"], ["b", "a"], ["b", "c"], ["c", "b"]]
    both = network_of({"lanes": lanes, "terminals": ["a", "c"]})
    assert both.home.tolist() == [1, 1, 1]
    assert both.kinds.tolist() == [ENTRY, EXIT, EXIT, ENTRY]
    every = network_of({"lanes": lanes})
    assert every.home.tolist() == [0, 1, 2]
    assert (every.kinds == CORE).all()


def test_undirected_edges_are_lanes_in_both_directions(tmp_path: Path) -> None:
    networkx.write_graphml(networkx.path_graph(["a", "b"]), tmp_path / "road.graphml")
    assert network_of(at(tmp_path / "road.graphml")).lane_names == ("a>b", "b>a")


@pytest.mark.parametrize("name", ["length", "weight"])
def test_links_of_different_lengths_are_refused(tmp_path: Path, name: str) -> None:
    graph = networkx.DiGraph(RING["lanes"])
    networkx.set_edge_attributes(graph, 120.0, name)
    networkx.write_graphml(graph, tmp_path / "ring.graphml")
    assert len(network_of(at(tmp_path / "ring.graphml")).lane_names) == 4
    graph.edges["a", "b"][name] = 60.0
    networkx.write_graphml(graph, tmp_path / "ring.graphml")
    with pytest.raises(
        ValueError, match=rf"^network: links differ in {name} \(60.0, 120.0 ..\), but every lane"
    ):
        network_of(at(tmp_path / "ring.graphml"))


TIMES = "from,to,free_flow_time,speed\na,b,1.2,9\nb,c,0.1,9\na,c,2.4,9\nc,a,1.0,9\n"


def test_links_take_the_steps_of_their_travel_times(tmp_path: Path) -> None:
    """Shortest paths in lanes are those in rounded times; trips begin and end at nodes of the file."""
    (tmp_path / "times.csv").write_text(TIMES)
    network = network_of(at(tmp_path / "times.csv") | {"step": {"free_flow_time": 0.4}})
    steps = {("a", "b"): 3, ("b", "c"): 1, ("a", "c"): 6, ("c", "a"): 2}
    assert len(network.lanes) == sum(steps.values())
    graph = networkx.DiGraph([(*link, {"weight": count}) for link, count in steps.items()])
    away = distances(network)
    for start, lengths in networkx.all_pairs_dijkstra_path_length(graph):
        for end, length in lengths.items():
            assert away[network.nodes.index(start), network.nodes.index(end)] == length
    assert {network.nodes[k] for k in network.origins} == set("abc")


def test_nodes_within_a_link_lie_between_its_ends(tmp_path: Path) -> None:
    graph = networkx.DiGraph([("a", "b", {"length": 90.0}), ("b", "a", {"length": 30.0})])
    networkx.set_node_attributes(graph, {"a": {"x": 0.0, "y": 6.0}, "b": {"x": 3.0, "y": 0.0}})
    networkx.write_graphml(graph, tmp_path / "map.graphml")
    network = network_of(at(tmp_path / "map.graphml") | {"step": {"length": 30.0}})
    assert network.at.tolist() == [[0, 6], [3, 0], [1, 4], [2, 2]]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (2.0, "network.step: 2.0 must be a column and its amount per step"),
        ({"time": 1.0}, "network.step: 'time' is no column of the file"),
        ({"free_flow_time": 0.0}, "network.step.free_flow_time: 0 must be above 0"),
        ({"free_flow_time": "fast"}, "network.step.free_flow_time: 'fast' must be a number"),
        ({"speed": 1.0}, "network: speed of link 1: 'inf' must be a number of at least 0"),
    ],
)
def test_wrong_steps_are_named(tmp_path: Path, step: object, message: str) -> None:
    (tmp_path / "times.csv").write_text(TIMES.replace("0.1,9", "0.1,inf"))
    with pytest.raises(ValueError, match=f"^{message}"):
        network_of(at(tmp_path / "times.csv") | {"step": step})


WRONG: dict[str, Any] = {  # message -> network
    "network: 3 must be a name or a table": 3,
    "network: 'grid' is unknown; must be stubs_RxC, plain_RxC, a table, or a file: "
    "{kind = 'file', path = ...}": "grid",
    "network: 'stubs_4' is unknown; must be stubs_RxC, plain_RxC, a table, or a file: "
    "{kind = 'file', path = ...}": "stubs_4",
    "network: 'plain_1x1' must have sides of 1 to 100, and at least two nodes": "plain_1x1",
    "network: 'plain_1000x2' must have sides of 1 to 100, and at least two nodes": "plain_1000x2",
    "network.terminal: is unknown; did you mean 'terminals'?": RING | {"terminal": ["a"]},
    "network.lanes: None must be a list of pairs [from, to], at least one": {"nodes": ["a"]},
    "network.lanes[1]: ['b'] must be a pair of names [from, to]": {"lanes": [["a", "b"], ["b"]]},
    "network.lanes[0]: 'suoth' is no node; did you mean 'south'?": {
        "nodes": ["north", "south"],
        "lanes": [["north", "suoth"]],
    },
    "network.lanes[1]: b>b must join two different nodes": {"lanes": [["a", "b"], ["b", "b"]]},
    "network.lanes[1]: a>b is there twice": {"lanes": [["a", "b"], ["a", "b"]]},
    "network.nodes: 'a' is there twice": {"nodes": ["a", "b", "a"], "lanes": [["a", "b"]]},
    "network.lanes[0]: 'a>b' must name a node, by a text without '>' or a whole number": {
        "lanes": [["a>b", "c"]]
    },
    "network.nodes.b: [1] must be two numbers [x, y]": {
        "nodes": {"a": [0, 0], "b": [1]},
        "lanes": [["a", "b"]],
    },
    "network.nodes.b: [1, nan] must be finite": {
        "nodes": {"a": [0, 0], "b": [1, float("nan")]},
        "lanes": [["a", "b"]],
    },
    "network: no path from c to a; must join each of origins to each of destinations (terminals are both)": {
        "lanes": [["a", "b"], ["b", "c"]],
        "terminals": ["a", "c"],
    },
    "network.terminals: ['a'] must be at least two nodes": RING | {"terminals": ["a"]},
    "network.terminals: 'x' is no node; known: a, b, c, d": RING | {"terminals": ["a", "x"]},
    "network.terminals: 'a' is there twice": RING | {"terminals": ["a", "a"]},
    "network.terminals: 'a' must be a list of nodes": RING | {"terminals": "a"},
    "network.terminals: clashes with origins; give terminals, or both others": RING | {"origins": ["a"]},
    "network.destinations: is missing; goes with origins": {"lanes": RING["lanes"], "origins": ["a"]},
    "network: must have an origin and another destination": {
        "lanes": RING["lanes"],
        "origins": ["a"],
        "destinations": ["a"],
    },
    "network.path: clashes with lanes; give one of them": RING | {"kind": "file", "path": "ring.csv"},
    "network: nowhere.csv: no such file; in a study, {kind = 'file', path = ..} is beside the study": {
        "kind": "file",
        "path": "nowhere.csv",
    },
    "network.kind: must be 'file', with its path": {"path": "ring.csv"},
    "network: ring.shp must end in .json, .tntp, .csv, .graphml, or be a folder": {
        "kind": "file",
        "path": "ring.shp",
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_network_is_refused_in_one_line(message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        network_of(WRONG[message])
    assert str(error.value) == message


FILES: dict[str, tuple[str, str]] = {
    "a.json": ("{", "is no JSON, from line 1, column 2"),
    "b.json": ("[1]", "must hold a table of nodes, lanes and terminals"),
    "d.graphml": ("<graphml", "cannot be read: "),
    "e.csv": ("a,b\n", "must have columns from and to"),
    "f.csv": ("from,to\na,b\nc\n", "line 3: 1 columns; must be 2"),
    "g.json": ('{"lanes": [["a", "b"]], "terminal": ["a"]}', "network.terminal: is unknown; did you mean"),
    "h.json": ('{"lanes": [["a", "b"]], "links": 3}', "network.links: is unknown"),
    "i.json": ('{"lanes": [["a", "b"]], "capacity": {"lanes": 1}}', "network.capacity: is unknown"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    text, part = FILES[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=r"^network[:.]") as error:
        network_of(at(tmp_path / name))
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_too_many_shortest_paths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^network: plain_12x12 has .* shortest paths; must be at most"):
        shortest(plain(12, 12))


def test_terminals_at_one_node_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^network: all terminals are at one node"):
        shortest(network_of({"lanes": _star(), "terminals": ["a", "b"]}))


def _star() -> list[list[str]]:
    return [["a", "m"], ["m", "a"], ["b", "m"], ["m", "b"]]


def test_columns_of_a_file_that_are_not_used_are_named(tmp_path: Path) -> None:
    """The same ones by the city, which divides links by their times, and by the standard model."""
    file = tmp_path / "net.csv"
    file.write_text("from,to,surface,free_flow_time,name\na,b,1,1,A\nb,c,2,2,B\nc,a,1,1,C\n")
    network = {"kind": "file", "path": str(file), "step": {"free_flow_time": 0.5}}
    trips = tmp_path / "trips.csv"
    trips.write_text("from,to,trips,hour\na,b,1,8\n")
    city = rv.games.city(network=network, demand=str(trips), agents=9, capacity=2)
    roads = rv.games.routes(file, demand=str(trips))
    for game, unread in ((city, city.network.unread), (roads, roads.unread)):
        assert unread == ("surface", "name", "demand.hour")
        assert "columns not used: surface, name" in str(game)


def test_a_column_that_only_the_trips_use_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "link.csv").write_text("from_node_id,to_node_id,odd\n1,2,7\n2,1,7\n")
    (tmp_path / "node.csv").write_text("node_id,zone_id\n1,8\n2,9\n")
    (tmp_path / "demand.csv").write_text("o_zone_id,d_zone_id,volume\n8,9,3\n")
    city = rv.games.city(network=at(tmp_path), demand=str(tmp_path), agents=9, capacity=2)
    assert city.network.unread == ("odd",)
