"""One network in every format is one game; what a file states about itself decides, or is refused."""

import json
import re
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pandas as pd
import pytest

import rivalry as rv
from rivalry.economies.city.network_data import network_of
from rivalry.families.network_tables import identifier
from rivalry.roads.model import RouteGame
from tests.networks import FORMATS, Drawn, drawn_network


def by_name(game: RouteGame) -> dict[str, Any]:
    """Numbers of links and of pairs by their names, in the order of the names."""
    links, pairs = np.argsort(game.link_names()), np.argsort(game.pair_names())
    return {
        "links": game.link_names()[links].tolist(),
        "constant": game.constant[links],
        "coefficient": game.coefficient[:, links],
        "power": game.power[:, links],
        "capacity": game.capacity[links],
        "pairs": game.pair_names()[pairs].tolist(),
        "trips": game.trips[pairs],
    }


def wanted(network: Drawn) -> dict[str, Any]:
    """The same numbers by the formula of the Bureau of Public Roads."""
    links = sorted(network.links, key=lambda link: f"{link['from']}>{link['to']}")
    pairs = sorted((f"{tail}>{head}", trips) for (tail, head), trips in network.trips.items())
    return {
        "links": [f"{link['from']}>{link['to']}" for link in links],
        "constant": [link["free_flow_time"] for link in links],
        "coefficient": [
            [link["free_flow_time"] * link["b"] / link["capacity"] ** link["power"] for link in links]
        ],
        "power": [[link["power"] for link in links]],
        "capacity": [link["capacity"] for link in links],
        "pairs": [name for name, _ in pairs],
        "trips": [trips for _, trips in pairs],
    }


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_game(form: str, seed: int, tmp_path: Path) -> None:
    network = drawn_network(seed)
    links, demand = FORMATS[form](network, tmp_path, np.random.default_rng(seed))
    numbers = by_name(rv.games.routes(links, demand=demand))
    for name, expected in wanted(network).items():
        if name in ("links", "pairs"):
            assert numbers[name] == expected
        else:
            assert numbers[name] == pytest.approx(np.array(expected), rel=1e-12), name


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["tntp", "csv", "gmns mile mph", "graphml"])
def test_roads_and_city_have_the_same_links(form: str, seed: int, tmp_path: Path) -> None:
    network = drawn_network(seed)
    links, demand = FORMATS[form](network, tmp_path, np.random.default_rng(seed))
    game = rv.games.routes(links, demand=demand)
    source = {"kind": "file", "path": str(links), "step": {"free_flow_time": 1e9}}
    ends = sorted({end for pair in network.trips for end in pair})
    city = network_of(source | {"terminals": ends, "capacity": {"capacity": 1.0}})
    assert sorted(city.lane_names) == sorted(game.link_names().tolist())
    rooms = dict(zip(city.lane_names, np.array(city.room).tolist(), strict=True))
    capacity = dict(zip(game.link_names().tolist(), game.capacity.tolist(), strict=True))
    assert rooms == {name: max(1, round(amount)) for name, amount in capacity.items()}


def test_a_head_names_the_columns(tmp_path: Path) -> None:
    # 5 (1 + 1 * 10 / 1000) = 5.05; by position, the time would be 1 and its capacity 5
    file = tmp_path / "net.tntp"
    file.write_text(
        "<NUMBER OF LINKS> 1\n~ init_node term_node free_flow_time capacity b power ;\n1 2 5 1000 1 1 ;\n"
    )
    game = rv.games.routes(file, demand={"1>2": 10.0})
    assert game.costs(np.array([10.0])).tolist() == pytest.approx([5.05], rel=1e-15)
    assert game.unread == ()


HEADS = {
    "words": "init_node term_node capacity length free_flow_time b power speed critical_speed lanes",
    "titles": "Init Node\tTerm Node\tCapacity (veh/h)\tLength\tFree Flow Time (min)\tAlpha\tBeta\tSpeed Limit"
    "\tCritical Speed\tLanes\t",
}


@pytest.mark.parametrize("head", HEADS)
def test_columns_that_only_a_head_knows_keep_their_names(head: str, tmp_path: Path) -> None:
    file = tmp_path / "net.tntp"
    file.write_text(f"~ {HEADS[head]} ;\n1 2 1000 3 5 1 1 60 45 2 ;\n")
    game = rv.games.routes(file, demand={"1>2": 10.0}, toll_factor=0.0)
    assert game.costs(np.array([10.0])).tolist() == pytest.approx([5.05], rel=1e-15)
    assert set(game.unread) == {"length", "speed", "critical_speed", "lanes"}
    with pytest.raises(ValueError, match="has no column 'toll'"):
        rv.games.routes(file, demand={"1>2": 10.0}, toll_factor=1.0)


SHUFFLED = "init_node term_node free_flow_time capacity b power"
PLACES = {
    "above the rows": f"{SHUFFLED}\n1 2 5 1000 1 1\n",
    "behind a tag": f"<ORIGINAL HEADER>~ {SHUFFLED} ;\n<END OF METADATA>\n1 2 5 1000 1 1 ;\n",
    "after a wrong one": f"<ORIGINAL HEADER>~ from to capacity ftime ; .\n~ {SHUFFLED} ;\n1 2 5 1000 1 1 ;\n",
    "before another": f"~ {SHUFFLED} ;\n1 2 5 1000 1 1 ;\n~ from to capacity ftime b power\n",
    "of words": "~ tail node head node capacity (veh/h) length ftime(min) B Power speed limit\n"
    "1 2 1000 3 5 1 1 60\n",
    "without the last names": "~ from to capacity length ftime b power speed ;\n1 2 1000 3 5 1 1 60 0 1 ;\n",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_head_is_read_wherever_it_is(place: str, tmp_path: Path) -> None:
    (tmp_path / "net.tntp").write_text(PLACES[place])
    game = rv.games.routes(tmp_path / "net.tntp", demand={"1>2": 10.0})
    assert game.costs(np.array([10.0])).tolist() == pytest.approx([5.05], rel=1e-15)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("~ from to capacity (per lane) ftime b", "has no column 'capacity'; must have it"),
        ("~\tfrom\tto\tcapacity (per lane)\tftime\tb", "has no column 'capacity'; must have it"),
        ("i j c t l", "has no column from; its head must name it, as in '~ from to capacity length"),
    ],
)
def test_a_head_of_other_columns_is_no_row(head: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "net.tntp").write_text(f"{head}\n1 2 1000 5 1\n")
    with pytest.raises(ValueError, match=re.escape(message)):
        rv.games.routes(tmp_path / "net.tntp", demand={"1>2": 10.0})


def test_positions_of_nodes_have_the_names_of_their_head(tmp_path: Path) -> None:
    (tmp_path / "a_net.tntp").write_text("1 2 1000 3 5 1 1 60 0 1 ;\n")
    (tmp_path / "a_node.tntp").write_text("NodeID Ycoord Xcoord\n1 3 0\n2 4 1\n")
    game = rv.games.routes(tmp_path / "a_net.tntp", demand={"1>2": 10.0})
    assert game.node_at.tolist() == [[0, 3], [1, 4]]


FACTORS = "<TOLL FACTOR> 0.5\n<DISTANCE FACTOR> 0.1\n1 2 1000 3 5 0 1 60 4 1 ;\n"


def test_factors_of_a_file_are_taken_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "net.tntp"
    file.write_text(FACTORS)
    game = rv.games.routes(file, demand={"1>2": 10.0})
    assert game.constant.tolist() == [5 + 0.5 * 4 + 0.1 * 3]
    assert "cost per unit of toll: 0.5\ncost per unit of length: 0.1" in str(game)
    other = rv.games.routes(file, demand={"1>2": 10.0}, toll_factor=0.0)
    assert other.constant.tolist() == pytest.approx([5.3])
    assert "cost per unit of toll: 0 (0.5 in the file)" in str(other)


@pytest.mark.parametrize("units", [("mile", "mph"), ("km", "kmh"), ("meter", "km/h"), ("foot", "mph")])
def test_units_of_gmns_decide(units: tuple[str, str], tmp_path: Path) -> None:
    metres = {"mile": 1609.344, "km": 1000.0, "meter": 1.0, "foot": 0.3048}[units[0]]
    hourly = {"mph": 1609.344, "kmh": 1000.0, "km/h": 1000.0}[units[1]]
    (tmp_path / "link.csv").write_text(
        f"from_node_id,to_node_id,directed,length,free_speed\n1,2,1.0,{7000 / metres!r},{42000 / hourly!r}\n"
    )
    (tmp_path / "config.csv").write_text(f"long_length,Speed,currency\n{units[0]},{units[1]},US cents\n")
    (tmp_path / "segment.csv").write_text("segment_id\n1\n")
    game = rv.games.routes(tmp_path, demand={"1>2": 1.0})
    assert game.constant.tolist() == pytest.approx([10.0], rel=1e-14)  # 7 km at 42 km/h
    assert set(game.unread) == {"length", "config.currency", "segment.csv"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("long_length,speed\nfurlong,mph\n", "config.csv: long_length 'furlong' is no known unit; must be"),
        ("long_length,speed\nkm,knots\n", "config.csv: speed 'knots' is no known unit; must be km/h, mph"),
        ("speed\nmph\n", "config.csv: has speed, mph, and no long_length; must have both"),
        ("long_length\nkm\nmile\n", "config.csv: must have one row"),
    ],
)
def test_unknown_units_of_gmns_are_refused(config: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "link.csv").write_text("from_node_id,to_node_id,directed,length,free_speed\n1,2,1,7,42\n")
    (tmp_path / "config.csv").write_text(config)
    with pytest.raises(ValueError, match=re.escape(message)):
        rv.games.routes(tmp_path, demand={"1>2": 1.0})


def test_lengths_without_units_are_said(tmp_path: Path) -> None:
    (tmp_path / "link.csv").write_text("from_node_id,to_node_id,directed,length,free_speed\n1,2,1,7,42\n")
    game = rv.games.routes(tmp_path, demand={"1>2": 1.0})
    assert game.constant.tolist() == [10.0]
    assert "units: none of length and free_speed, which is taken as length per hour" in str(game)


TIMES = {  # of 60 minutes per unit of length
    ".13,.126": 0.13,
    "0,.4": 0.0,
    "5e-1,.54": 0.5,
    ".13,.1352": "row 1: free_flow_time is 0.13, but length / free_speed is 0.1352 minutes at 60",
    "1.0,1.06": "is 1.06 minutes at 60; must be the same to 1 %, or as rounded, in units of config.csv",
}


@pytest.mark.parametrize("row", TIMES)
def test_a_stated_time_may_be_rounded(row: str, tmp_path: Path) -> None:
    (tmp_path / "link.csv").write_text(f"from_node_id,to_node_id,vdf_fftt,length,free_speed\n1,2,{row},60\n")
    expected = TIMES[row]
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=re.escape(expected)):
            rv.games.routes(tmp_path, demand={"1>2": 1.0})
    else:
        assert rv.games.routes(tmp_path, demand={"1>2": 1.0}).constant.tolist() == [expected]


@pytest.mark.parametrize(("lanes", "capacity"), [("2", 18.0), ("", 9.0)])
def test_a_capacity_without_lanes_is_said(lanes: str, capacity: float, tmp_path: Path) -> None:
    (tmp_path / "link.csv").write_text(f"from_node_id,to_node_id,vdf_fftt,capacity,lanes\n1,2,1,9,{lanes}\n")
    game = rv.games.routes(tmp_path, demand={"1>2": 1.0})
    assert game.capacity.tolist() == [capacity]
    said = "lanes: no numbers of them; capacity is taken as that of the link" in str(game)
    assert said == (not lanes)


def test_a_stated_time_needs_no_length(tmp_path: Path) -> None:
    (tmp_path / "link.csv").write_text("from_node_id,to_node_id,vdf_fftt,free_speed\n1,2,3,60\n")
    game = rv.games.routes(tmp_path, demand={"1>2": 1.0})
    assert (game.constant.tolist(), game.unread) == ([3.0], ("free_speed",))
    rows = "1,2,3,60,3\n2,1,5,,7\n"
    (tmp_path / "link.csv").write_text(f"from_node_id,to_node_id,vdf_fftt,free_speed,length\n{rows}")
    assert rv.games.routes(tmp_path, demand={"1>2": 1.0}).constant.tolist() == [3.0, 5.0]


@pytest.mark.parametrize("no_zone", ["0", "-1", ""])
def test_nodes_of_no_zone_share_a_number(no_zone: str, tmp_path: Path) -> None:
    # programs write 0 or -1 where a node is of no zone
    (tmp_path / "link.csv").write_text("from_node_id,to_node_id,vdf_fftt\n1,2,1\n2,3,1\n3,4,1\n")
    (tmp_path / "node.csv").write_text(f"node_id,zone_id\n1,8\n2,{no_zone}\n3,{no_zone}\n4,9\n")
    (tmp_path / "demand.csv").write_text("o_zone_id,d_zone_id,volume\n8,9,5\n")
    game = rv.games.routes(tmp_path)
    assert (game.pair_names().tolist(), game.unread) == (["1>4"], ())


LOST = "from,to,free_flow_time\n1,2,1\n2,3,1\n{node},3,1\n"


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("", "from, row 3: is empty; must name a node"),
        ("nan", "from, row 3: is empty; must name a node"),
        ("<NA>", "from, row 3: is empty; must name a node"),
        ("inf", "from, row 3: 'inf' must name a node, by a text without '>' or a whole number"),
        ("1>2", "from, row 3: '1>2' must name a node"),
        ("01", "nodes '1' and '01' are one number; must be written in one way"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "pandas", "networkx"])
def test_nodes_without_a_name_are_refused(form: str, node: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "net.csv").write_text(LOST.format(node=node))
    frame = pd.read_csv(tmp_path / "net.csv", dtype=str, keep_default_na=False)
    if form == "csv":
        source: Any = tmp_path / "net.csv"
    elif form == "pandas":
        source = frame.replace({"nan": np.nan})
    else:
        source = networkx.from_pandas_edgelist(
            frame, "from", "to", edge_attr=True, create_using=networkx.MultiDiGraph
        )
        message = message.replace(", row 3", ", row ").split("row ")[-1]
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        rv.games.routes(source, demand={"1>3": 1.0})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("links", "demand", "message"),
    [
        ({"from": 1, "to": 3}, {"1>3": 1}, "links: from: 1 must be a list, in the order of the links"),
        ({"from": "ab", "to": "bc"}, {"a>c": 1}, "links: from: 'ab' must be a list"),
        ({"from": {"a", "b"}, "to": ["b", "c"]}, {"a>c": 1}, "links: from: {"),
        ("braess", {"s": {"t": 1}}, "demand: 's' must be a pair, such as 'a>b'"),
        ({"path": "a.csv", "step": 2}, {"1>3": 1}, "links.step: 2 is not used beside path; kind is 'file'"),
        ("braess", {"path": "a.csv", "kind": "od"}, "demand.kind: 'od' is not used beside path"),
        ({"from": [1], "to": [2], "cost": [None]}, {"1>2": 1}, "links.cost[0]: is empty; must be a formula"),
        ({"from": [1], "to": [2], "cost": [np.nan]}, {"1>2": 1}, "links.cost[0]: is empty; must be a"),
        ({"from": [1], "to": [2], "cost": [" "]}, {"1>2": 1}, "links.cost[0]: is empty; must be a formula"),
        ({"from": [1], "to": [2], "time": [3]}, {"1>2": 1}, "links: must have a column 'cost' or"),
        ("braess", {1: {2: 1}}, "demand: 1 must be a pair, such as 'a>b'"),
    ],
)
def test_tables_of_other_shapes_have_one_line(links: Any, demand: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        rv.games.routes(links, demand=demand)


@pytest.mark.parametrize(("old", "new"), [('"double"', '"decimal"'), (">1.5<", ">one<"), ("d0", "d9")])
def test_wrong_types_of_graphml_are_of_the_links(old: str, new: str, tmp_path: Path) -> None:
    networkx.write_graphml(networkx.DiGraph([("s", "t", {"cost": 1.5})]), tmp_path / "net.graphml")
    text = (tmp_path / "net.graphml").read_text()
    (tmp_path / "net.graphml").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=r"^links: .*net.graphml: cannot be read: "):
        rv.games.routes(tmp_path / "net.graphml", demand={"s>t": 1.0})


@pytest.mark.parametrize("name", ["\u00b2", "\u2460", "\u0663"])
def test_signs_of_numbers_are_names(name: str) -> None:
    table = {"from": [name], "to": ["3"], "cost": ["x"]}
    assert rv.games.routes(table, demand={(name, 3): 1.0}).node_names == (name, "3")


def test_nodes_of_a_graph_may_be_places() -> None:
    graph = networkx.DiGraph([((0.5, 1), (2, 3.25), {"cost": 1})])
    game = rv.games.routes(graph, demand={((0.5, 1), (2, 3.25)): 1.0})
    assert game.link_names().tolist() == ["(0.5, 1)>(2, 3.25)"]
    with pytest.raises(ValueError, match=r"^links: from, row 1: 0\.5 must name a node"):
        rv.games.routes({"from": [np.float32(0.5)], "to": [1], "cost": [1]}, demand={"0.5>1": 1.0})


def test_attributes_of_graphs_may_have_numbers_for_names() -> None:
    graph = networkx.DiGraph([("s", "t", {"cost": 1.5, 7: 0})])
    assert "columns not used: 7" in str(rv.games.routes(graph, demand={"s>t": 1.0}))


def test_spreadsheets_write_rows_of_commas_and_other_endings(tmp_path: Path) -> None:
    (tmp_path / "NET.CSV").write_text("from,to,free_flow_time\n\n1,2,3\n  \n2,1,4\n,,\n")
    game = rv.games.routes(tmp_path / "NET.CSV", demand={"1>2": 1.0})
    assert game.constant.tolist() == [3.0, 4.0]


def test_whole_numbers_are_whole_numbers() -> None:
    frame = pd.DataFrame({"from": [1.0, 2.0], "to": [2, 3], "free_flow_time": [1.0, 1.0]})
    trips = pd.DataFrame({"from": [1], "to": [3.0], "trips": [4]})
    game = rv.games.routes(frame, demand=trips)
    assert (game.link_names().tolist(), game.pair_names().tolist()) == (["1>2", "2>3"], ["1>3"])
    # names of a grid are no numbers
    assert [identifier(name, "") for name in ("1.1", "1.10", "007")] == ["1.1", "1.10", "007"]
    with pytest.raises(ValueError, match=r"from, row 1: 1\.5 must name a node, by a text or a whole"):
        rv.games.routes(frame.assign(**{"from": [1.5, 2.0]}), demand=trips)


def test_only_columns_that_enter_costs_are_read() -> None:
    table = {"from": ["s"], "to": ["t"], "free_flow_time": [1.0], "length": [None], "toll": ["2"]}
    game = rv.games.routes(table, demand={"s>t": 1.0}, toll_factor=3.0)
    assert (game.constant.tolist(), game.unread) == ([7.0], ("length",))
    with pytest.raises(ValueError, match=r"^links.length, link s>t: None must be a number"):
        rv.games.routes(table, demand={"s>t": 1.0}, distance_factor=3.0)


@pytest.mark.parametrize(("name", "entry"), [("direction", 0), ("direction", -1.0), ("directed", "False")])
def test_links_that_are_not_one_way_are_refused(name: str, entry: Any) -> None:
    frame = pd.DataFrame({"a_node": [1, 1], "b_node": [2, 2], "free_flow_time": [1.0, 1.0], name: [1, entry]})
    message = f"links: {name}, row 2: {entry!r} must be 1, with a row per direction"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        rv.games.routes(frame, demand={"1>2": 1.0})
    game = rv.games.routes(frame.assign(**{name: "east"}), demand={"1>2": 1.0})
    assert game.unread == (name,)


def test_missing_trips_are_refused_as_numbers() -> None:
    table = {"from": ["s"], "to": ["t"], "free_flow_time": [1.0]}
    trips = pd.DataFrame({"from": ["s", "s"], "to": ["t", "t"], "trips": [1.0, np.nan]})
    with pytest.raises(ValueError, match=r"^demand.s>t: '' must be a number, without its unit$"):
        rv.games.routes(table, demand=trips)


def test_nodes_and_pairs_that_look_like_mistakes_are_said() -> None:
    table = {"from": ["s", "s", "s"], "to": ["t", "z", "t"], "free_flow_time": [1.0, 2.0, 3.0]}
    trips = pd.DataFrame({"from": ["s", "s"], "to": ["t", "t"], "trips": [1.0, 2.0]})
    text = str(rv.games.routes(table, demand=trips))
    assert "nodes that lead nowhere: z" in text
    assert "pairs in several rows, added: s>t" in text
    assert "lead nowhere" not in str(rv.games.routes("braess"))


HEAD = (
    "<NUMBER OF ZONES> 2\n<NUMBER OF NODES> 3\n<FIRST THRU NODE> 1\n<NUMBER OF LINKS> 2\n<END OF METADATA>\n"
)
ROWS = "1 3 9 1 5 .15 4 0 0 1 ;\n3 2 9 1 5 .15 4 0 0 1 ;\n"
WRONG = {
    ("3 2 9", "4 2 9"): "from, row 2: '4' must be a number from 1 to 3, as <NUMBER OF NODES> says",
    ("3 2 9", "0x3 2 9"): "from, row 2: '0x3' must be a number from 1 to 3",
    ("3 2 9", "\u0663 2 9"): "from, row 2: '\u0663' must be a number from 1 to 3",
    ("3 2 9", "inf 2 9"): "from, row 2: 'inf' must name a node",
    ("NODE> 1", "NODE> "): "line 3: <FIRST THRU NODE> '' must be followed by a whole number",
    ("NODE> 1", "NODE> x"): "line 3: <FIRST THRU NODE> 'x' must be followed by a whole number",
    ("LINKS> 2", "LINKS> 3"): "2 links; must be 3, as its head says",
    ("3 2 9 1 5", "3 2 0 1 5"): "links.capacity, link 3>2: 0 must be above 0 where costs rise",
    ("3 2 9 1 5", "3 2 9 1 1_0"): "link 3>2: '1_0' must be a number, without its unit",
    ("METADATA>\n", "METADATA>\n~ init_node term_node length ;\n"): "line 6: names 3 columns; must be 10",
    ("METADATA>\n", "METADATA>\n<FIRST THRU NODE> 3\n"): "line 6: <FIRST THRU NODE> is there twice",
    ("METADATA>\n", "METADATA>\n<TOLL FACTOR> dear\n"): "line 6: <TOLL FACTOR>: 'dear' must be a number",
}


@pytest.mark.parametrize("change", WRONG)
def test_a_head_that_contradicts_its_rows_is_refused(change: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "net.tntp").write_text((HEAD + ROWS).replace(*change))
    with pytest.raises(ValueError, match=re.escape(WRONG[change])) as error:
        rv.games.routes(tmp_path / "net.tntp", demand={"1>2": 1.0})
    assert "\n" not in str(error.value)


WRONG_TRIPS = {
    "Origin 1\n2 : many;\n": "line 2: 'many' must be a number",
    "Origin\n2 : 1;\n": "line 1: Origin: is empty; must name a node",
    "Origin : 1\n2 : 1;\n": "line 1: '1' must be 'destination : trips'",
    "2 : 1;\n": "line 1: '2 : 1' must be 'destination : trips'",
    "<NUMBER OF ZONES> 2\nOrigin 1\n3 : 1;\n": "destination, row 1: '3' must be a number from 1 to 2",
    "<TOTAL OD FLOW> 6\nOrigin 1\n1 : 2; 2 : 3;\n": "5 trips; must be 6, as its head says",
    "<TOTAL OD FLOW> few\nOrigin 1\n2 : 1;\n": "line 1: <TOTAL OD FLOW>: 'few' must be a number",
}


@pytest.mark.parametrize("text", WRONG_TRIPS)
def test_wrong_files_of_trips_have_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "trips.tntp").write_text(text)
    with pytest.raises(ValueError, match=re.escape(WRONG_TRIPS[text])) as error:
        rv.games.routes("braess", demand=tmp_path / "trips.tntp")
    assert "\n" not in str(error.value)


def test_trips_may_follow_an_origin_in_its_line(tmp_path: Path) -> None:
    (tmp_path / "trips.tntp").write_text("Origin \t1  2 : 1.e+01; 3 : 2\norigin 3\n1 : .5 ;\n")
    table = {"from": [1, 2, 3], "to": [2, 3, 1], "free_flow_time": [1, 1, 1]}
    game = rv.games.routes(table, demand=tmp_path / "trips.tntp")
    trips = dict(zip(game.pair_names().tolist(), game.trips.tolist(), strict=True))
    assert trips == {"1>2": 10.0, "1>3": 2.0, "3>1": 0.5}


def test_prose_above_rows_is_no_head(tmp_path: Path) -> None:
    (tmp_path / "net.tntp").write_text(f"{HEAD}~ times from a survey, to the minute\n{ROWS}")
    game = rv.games.routes(tmp_path / "net.tntp", demand={"1>2": 1.0})
    assert game.constant.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("planning", ["none", "nodes", "k_shortest"])
def test_no_trip_of_a_city_leads_through_a_closed_zone(planning: str, tmp_path: Path) -> None:
    # from 1 to 3 by the zone 2, or by two more nodes; 2 lies on the way from neither end
    ends = [(1, 2), (2, 3), (1, 4), (4, 5), (5, 3), (2, 1), (3, 2), (3, 5), (5, 4), (4, 1)]
    text = "".join(f"{tail} {head} 9 1 5 .15 4 0 0 1 ;\n" for tail, head in ends)
    trips = {(a, b): 1.0 for a in "123" for b in "123" if a != b}
    lengths = {}
    for first in (1, 4):
        (tmp_path / "net.tntp").write_text(f"<FIRST THRU NODE> {first}\n{text}")
        network = {"kind": "file", "path": str(tmp_path / "net.tntp"), "terminals": ["1", "2", "3"]}
        city = rv.games.city(
            network=network, demand=trips, agents=60, capacity=9, planning=planning, alternatives=1
        )
        names = np.array(city.network.lane_names)
        used = np.array([names[row[row >= 0]].tolist() for row in city.journeys.lane], dtype=object)
        lengths[first] = {(path[0][0], path[-1][-1]): len(path) for path in used}
        graph = networkx.DiGraph((str(a), str(b)) for a, b in ends)
        for (tail, head), length in lengths[first].items():
            zones = {zone for zone in "123" if first == 4 and zone not in (tail, head)}
            inside = graph.subgraph(set(graph) - zones)
            assert length == networkx.shortest_path_length(inside, tail, head)
    assert (lengths[1]["1", "3"], lengths[4]["1", "3"]) == (2, 3)


def test_routes_of_a_city_through_a_closed_zone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.tntp").write_text(f"<FIRST THRU NODE> 3\n{ROWS}2 1 9 1 5 .15 4 0 0 1 ;\n")
    source = {"kind": "file", "path": str(tmp_path / "net.tntp"), "terminals": ["1", "2"]}
    with pytest.raises(ValueError, match=re.escape("routes[0][0]: '2' is a zone; must not lead through it")):
        rv.games.city(network=source, routes=[[["3", "2", "1"]]], capacity=1)


def test_capacities_of_a_file_are_used_or_asked_for(tmp_path: Path) -> None:
    (tmp_path / "net.csv").write_text("from,to,capacity\na,b,1800\nb,a,900\n")
    source: dict[str, Any] = {"kind": "file", "path": str(tmp_path / "net.csv")}
    with pytest.raises(ValueError, match=r"^capacity: is missing beside those of a file; must be given, "):
        rv.games.city(network=source, agents=9)
    city = rv.games.city(network=source | {"capacity": {"capacity": 450}}, agents=9)
    assert (city.capacity.tolist(), city.network.unread) == ([4, 2], ())
    assert rv.games.city(network=source, agents=9, capacity=3).network.unread == ("capacity",)
    with pytest.raises(ValueError, match=r"^capacity: clashes with network.capacity; give one of them$"):
        rv.games.city(network=source | {"capacity": {"capacity": 450}}, agents=9, capacity=3)


def test_nodes_of_json_may_be_numbers(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps({"lanes": [[1, 2], [2.0, 1]], "terminals": [1, "2"]}))
    source = {"kind": "file", "path": str(tmp_path / "net.json")}
    assert network_of(source).lane_names == ("1>2", "2>1")
    with pytest.raises(ValueError, match=r"^network: step and capacity go with a file of links, and not "):
        network_of(source | {"capacity": {"capacity": 3}})
