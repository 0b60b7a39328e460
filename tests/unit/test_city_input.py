"""Wrong input for a city: one line that names the parameter, its value and the rule."""

from itertools import product
from typing import Any

import pytest

import rivalry as rv
from rivalry.lab.study import StudyError
from rivalry.lab.study.build import build_game

STUDIES = ("city_collusion", "city_learning", "city_mechanisms", "city_planning", "city_rules")


def few(changed: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords of a small city; ``routes`` determines the number of agents."""
    given: dict[str, Any] = {"network": "plain_3x3", "max_karma": 6, "mean_karma": 3.0, "capacity": 2}
    return given | ({} if "routes" in changed else {"agents": 30}) | changed


ROUTE = ["1.1", "1.2"]
WRONG: dict[str, dict[str, Any]] = {  # message -> keywords
    "agents: 0 must be a whole number of at least 1": {"agents": 0},
    "max_karma: 0 must be a whole number of at least 1": {"max_karma": 0},
    "mean_karma: 7 must be in [0, max_karma = 6]": {"mean_karma": 7.0},
    "mean_karma: 3.01 times 30 agents is 90.3; must be a whole number": {"mean_karma": 3.01},
    "initial_karma: sums to 91; must be 90, that is 30 agents times mean_karma = 3": {
        "initial_karma": [3] * 29 + [4]
    },
    "gamma: 1 must be in [0, 1)": {"gamma": 1.0},
    "urgencies[1]: -5 must be at least 0": {"urgencies": [1.0, -5.0]},
    "urgency_distribution: 1 probabilities must be 2, one for each of the urgencies": {
        "urgency_distribution": [1.0]
    },
    "p_dormant: 1 must be in [0, 1)": {"p_dormant": 1.0},
    "trip_distribution: 2 rows must be 5: 2 paths times 2 urgencies, and dormancy": {
        "trip_distribution": [0.5, 0.5]
    },
    "trip_distribution: must lead to trips; all are dormant in the end": {
        "trip_distribution": [0.0, 0.0, 0.0, 0.0, 1.0]
    },
    "allocation: -1 must be a whole number of at least 0": {"allocation": -1},
    "paths_per_agent: 0 must be a whole number of at least 1": {"paths_per_agent": 0},
    "capacity: -1 must be a whole number, at least 0, or 'unlimited'": {"capacity": -1},
    "capacity[1]: -1e+30 must be a whole number, at least 0, or 'unlimited'": {
        "capacity": [10**30, -(10**30)] * 12
    },
    "capacity[0]: 9.5 must be a whole number, at least 0, or 'unlimited'": {"capacity": [9.5, *[9] * 23]},
    "capacity: 'endless' must be a whole number, at least 0, or 'unlimited'": {"capacity": "endless"},
    "capacity: 2 numbers must be 24, one per lane": {"capacity": [1, 2]},
    "capacity: '1.1>3.3' is no lane of the network; known: 1.1>1.2, 1.1>2.1, 1.2>1.1, 1.2>1.3, "
    "1.2>2.2, 1.3>1.2, 1.3>2.3, 2.1>1.1 and 16 more": {"capacity": {"1.1>3.3": 2}},
    "capacity.1.1>1.2: -2 must be a whole number, at least 0, or 'unlimited'": {"capacity": {"1.1>1.2": -2}},
    "capacity: 'cores' is unknown; did you mean 'core'?": {"capacity": {"cores": 2}},
    "capacity: 'bridge' is no lane of the network; known: 1.1>1.2, 1.1>2.1, 1.2>1.1, 1.2>1.3, 1.2>2.2, "
    "1.3>1.2, 1.3>2.3, 2.1>1.1 and 16 more": {"capacity": {"bridge": 2}},
    "capacity: 0 on every lane; must be at least 1 somewhere": {"capacity": 0},
    "capacity: 0 a lane, 0.75 times 30 agents over 24 lanes, rounded down, must be at "
    "least 1; give capacity": {"capacity": None},
    "toll: -1 must be a number, at least 0": {"toll": -1.0},
    "toll: inf must be a number, at least 0": {"toll": float("inf")},
    "toll: 2 numbers must be 24, one per lane": {"toll": [0.0, 1.0]},
    "toll.1.1>1.2: 'much' must be a number, at least 0": {"toll": {"1.1>1.2": "much"}},
    "toll.kind: 'time' is unknown; must be load": {"toll": {"kind": "time"}},
    "toll.slope: is missing; karma for a load of one capacity more": {"toll": {"kind": "load"}},
    "toll.slop: is unknown; did you mean 'slope'?": {"toll": {"kind": "load", "slop": 1.0}},
    "toll.slope: -1 must be a number, at least 0": {"toll": {"kind": "load", "slope": -1.0}},
    "subsidy: -0.5 must be a number, at least 0": {"subsidy": {"others": -0.5}},
    "planning: 'start' offers 6 at once; must be at most max_karma + 1 = 4; give alternatives": {
        "planning": "start",
        "max_karma": 3,
        "mean_karma": 1.0,
    },
    "alternatives: 0 must be a whole number of at least 1": {"planning": "start", "alternatives": 0},
    "alternatives: is missing; must be the number of paths where planning is 'k_shortest'": {
        "planning": "k_shortest"
    },
    "planning: 'k_shortest' offers 9 at once; must be at most max_karma + 1 = 7": {
        "planning": "k_shortest",
        "alternatives": 9,
    },
    "demand: {} has no trips between two nodes; must have some": {"demand": {}},
    "demand: '1.1' must be a pair, such as 'a>b'": {"demand": {"1.1": 3}},
    "demand.1.1>1.2: -1 must be a number of at least 0": {"demand": {"1.1>1.2": -1}},
    "demand.1.1>1.1: 3 trips use no lane; must be 0, or left out": {"demand": {"1.1>1.1": 3}},
    "demand.1.1>9: '9' is no node of the network; known: 1.1, 1.2, 1.3, 2.1, 2.2, 2.3, 3.1, 3.2, 3.3": {
        "demand": {"1.1>9": 1}
    },
    "demand.b>a: must be joined by a path": {
        "network": {"lanes": [["a", "b"]], "origins": ["a"], "destinations": ["b"]},
        "demand": {"b>a": 1},
    },
    "demand: clashes with routes; give one of them": {
        "demand": {"1.1>1.2": 1},
        "routes": [[ROUTE]],
        "agents": 1,
    },
    "coalition: 31 must be at most 30, the number of agents": {"coalition": 31},
    "coalition: -1 must be a whole number of at least 0": {"coalition": -1},
    "coalition.form: is unknown; did you mean 'from'?": {"coalition": {"agents": 2, "form": "lucky"}},
    "coalition.agents: is missing; must be how many collude": {"coalition": {"from": "lucky"}},
    "coalition.from: 'rich' is unknown; known: average, first, lucky, random, unlucky": {
        "coalition": {"agents": 2, "from": "rich"}
    },
    "transfer: 'even' needs a coalition of at least two agents; give coalition": {"transfer": "even"},
    "routes: [] must be a list of one list of paths an agent": {"routes": []},
    "routes[0]: [] must be a list of paths, at least one": {"routes": [[]]},
    "routes[1]: 2 paths must be 1, as many for every agent": {
        "routes": [[ROUTE], [ROUTE, ROUTE]],
        "agents": 2,
    },
    "agents: 30 must be 1, as many as routes": {"routes": [[ROUTE]], "agents": 30},
    "routes[0][0]: ['1.1'] must be a list of at least two nodes": {"routes": [[["1.1"]]], "agents": 1},
    "routes[0][0]: '1.4' is no node of the network; known: 1.1, 1.2, 1.3, 2.1, 2.2, 2.3, 3.1, 3.2, 3.3": {
        "routes": [[["1.1", "1.4"]]],
        "agents": 1,
    },
    "routes[0][1]: 1.1>2.2 is no lane of the network": {"routes": [[ROUTE, ["1.1", "2.2"]]], "agents": 1},
    "routes[0][0]: origin '1.1' must differ from the destination": {
        "routes": [[["1.1", "1.2", "1.1"]]],
        "agents": 1,
    },
    "types[0].max_karma: is unknown; known: count, gamma, name, p_dormant, share, trip_distribution, "
    "urgencies, urgency_distribution": {"types": [{"max_karma": 3}]},
    "agents: 30 with a share of 0.99 make 29.7 of 'type 0'; must be a whole number, at least 1": {
        "types": [{"share": 0.99}, {"share": 0.01}]
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_input_gives_one_line(message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        vars(rv.games.city)["__wrapped__"](**few(WRONG[message]))  # its own messages, without those of types
    assert str(error.value) == message


@pytest.mark.parametrize("option", ["payment", "tie", "planning", "transfer"])
def test_unknown_option_values_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option}: 'else' must be one of '"):
        rv.games.city(**few({option: "else"}))


def test_flags_and_shares_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="exclude_dormant: 1 must be true or false"):
        rv.games.city(**few({"exclude_dormant": 1}))
    with pytest.raises(ValueError, match=r"local: 1.5 must be at most 1$"):
        rv.games.city(**few({"local": 1.5}))


def test_pay_bid_to_peer_needs_exactly_two_competitors() -> None:
    rule = r"'PBP': pay bid to peer needs exactly two competitors; lane \d+ has 16.8 for 9 places; use PBS$"
    with pytest.raises(ValueError, match=rule):
        rv.games.city(payment="PBP")


def test_a_wrong_parameter_in_a_study_names_its_key() -> None:
    with pytest.raises(StudyError, match=r"^game.payment: "):
        build_game({"family": "city", "payment": "auction"})
    made = build_game({"family": "city", "network": "plain_3x3", "agents": 40, "toll": {"entry": 1.0}})
    assert made.agents == 40


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_bundled_studies_build_a_city_at_every_point(name: str) -> None:
    study = rv.load_study(name)
    for made in (study, study.quick_form()):
        swept = {
            key.removeprefix("game."): values for key, values in made.sweep.items() if key.startswith("game.")
        }
        for point in product(*swept.values()):
            build_game({**made.game, **dict(zip(swept, point, strict=True))})
