"""``rivalry certify --profile`` of flows of links: numbers known by hand, and refusals of one line."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

pytestmark = pytest.mark.slow  # the first compiles the loops

BRAESS = '[game]\nfamily = "routes"\nlinks = "braess"\n'
HALVES = "from,to,flow\nb,t,2000\ns,a,2000\na,t,2000\ns,b,2000\n"  # shuffled; 0 on the further road
TNTP = "<NUMBER OF LINKS> 4\n<END OF METADATA>\n~ Tail Head : Volume Cost ;\n" + "".join(
    f"\t{ends}\t:\t2000\t20\t;\n" for ends in ("s\ta", "a\tt", "s\tb", "b\tt")
)


@pytest.fixture
def judge(rivalry: Command) -> Any:
    def call(name: str, text: str, column: str = "", *more: str) -> Any:
        Path("braess.toml").write_text(BRAESS)
        Path(name).write_text(text)
        return rivalry("certify", "--profile", name + column, "--game", "braess.toml", *more)

    return call


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("flows.csv", HALVES, ""),
        ("flows.csv", HALVES.replace("from,to,flow", "from_node_id,to_node_id,PCE_tot"), ":PCE_tot"),
        ("flows.csv", "volume,other\n2000,1\n2000,1\n2000,1\n2000,1\n0,1\n", ""),
        ("flows.tntp", TNTP, ""),
    ],
)
def test_flows_without_the_further_road(judge: Any, name: str, text: str, column: str) -> None:
    (row,) = judge(name, text, column, "--json").value["certificates"]
    # all pay 65, and 40 on the further road: 25 of 65
    assert row["relative_gap"] == pytest.approx(25 / 65, rel=1e-12)
    assert row["average_excess_cost"] == row["largest_gain_at_least"] == pytest.approx(25)
    assert (row["total_cost"], row["unserved_trips"]) == (260_000, {})
    assert row["claim"] == "not an equilibrium"


def test_the_largest_gain_is_of_one_link(judge: Any) -> None:
    # the further road takes 39.9 + 40; ten, who begin by a slow one, 45 + 40: a bound from below
    said = judge("flows.csv", "from,to,flow\ns,a,3990\na,b,3990\nb,t,4000\ns,b,10\na,t,0\n").out
    assert "largest gain at least: 5.09999999, of a traveller on link 's>b', which 10 use" in said


def test_an_order_that_no_names_confirm_is_said(judge: Any) -> None:
    line = "flows without names of nodes: in the order of the links"
    assert line in judge("flows.csv", "i,j,flow\ns,a,2000\na,t,2000\ns,b,2000\nb,t,2000\na,b,0\n").out
    assert line not in judge("flows.csv", HALVES).out


def test_unserved_trips_are_no_equilibrium(judge: Any) -> None:
    assert (
        "no equilibrium: at least 500 of 4000 trips are not served; flows do not balance at 2 nodes"
        in judge("flows.csv", HALVES.replace("s,a,2000", "s,a,1500")).out
    )
    (row,) = judge("flows.csv", HALVES.replace("s,a,2000", "s,a,1500"), "", "--json").value["certificates"]
    assert row["unserved_trips"] == {"s": 500.0, "a": -500.0}
    assert (row["claim"], "relative_gap" in row) == ("not an equilibrium", False)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (HALVES.replace("flow", "PCE_tot"), "", "must have one column flow or volume of flows"),
        (HALVES, ":PCE_tot", "must have one column PCE_tot of flows, not from, to, flow"),
        (HALVES.replace("s,a,2000", "s,a,many"), "", "flow, row 2: 'many' must be a number"),
        (HALVES.replace("s,a", "s,c"), "", "'s>c' is no link of the network"),
        ("flow\n1\n2\n", "", "2 flows without nodes; must be 5, one per link in order"),
        (HALVES.replace("s,a,2000", "s,a,-2000"), "", "flow, row 2: '-2000' must be a number of at least 0"),
    ],
)
def test_wrong_flows_have_one_line(judge: Any, text: str, column: str, message: str) -> None:
    assert message in judge("flows.csv", text, column).refusal
