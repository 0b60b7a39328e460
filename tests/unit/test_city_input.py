"""Wrong input for a city: one line that names the parameter, its value and the rule."""

from __future__ import annotations

import inspect
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
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "agents": ({"agents": 0}, "agents: 0 must be a whole number of at least 1"),
    "max_karma": ({"max_karma": 0}, "max_karma: 0 must be a whole number of at least 1"),
    "mean_karma": ({"mean_karma": 7.0}, "mean_karma: 7 must be in [0, max_karma = 6]"),
    "N mean_karma": (
        {"mean_karma": 3.01},
        "mean_karma: 3.01 times 30 agents is 90.3; must be a whole number",
    ),
    "karma at the start": (
        {"initial_karma": [3] * 29 + [4]},
        "initial_karma: sums to 91; must be 90, that is 30 agents times mean_karma = 3",
    ),
    "gamma": ({"gamma": 1.0}, "gamma: 1 must be in [0, 1)"),
    "urgency below 0": ({"urgencies": [1.0, -5.0]}, "urgencies[1]: -5 must be at least 0"),
    "urgency law": (
        {"urgency_distribution": [1.0]},
        "urgency_distribution: 1 probabilities must be 2, one for each of the urgencies",
    ),
    "always dormant": ({"p_dormant": 1.0}, "p_dormant: 1 must be in [0, 1)"),
    "trip law's size": (
        {"trip_distribution": [0.5, 0.5]},
        "trip_distribution: 2 rows must be 5: 2 paths times 2 urgencies, and dormancy",
    ),
    "dormant in the end": (
        {"trip_distribution": [0.0, 0.0, 0.0, 0.0, 1.0]},
        "trip_distribution: must lead to trips; all are dormant in the end",
    ),
    "allocation": ({"allocation": -1}, "allocation: -1 must be a whole number of at least 0"),
    "paths": ({"paths_per_agent": 0}, "paths_per_agent: 0 must be a whole number of at least 1"),
    "capacity below 0": ({"capacity": -1}, "capacity: -1 must be a whole number, at least 0, or 'unlimited'"),
    "more places than a machine counts": (
        {"capacity": [10**30, -(10**30)] * 12},
        "capacity[1]: -1e+30 must be a whole number, at least 0, or 'unlimited'",
    ),
    "half a place": (
        {"capacity": [9.5] * 24},
        "capacity[0]: 9.5 must be a whole number, at least 0, or 'unlimited'",
    ),
    "capacity a word": (
        {"capacity": "endless"},
        "capacity: 'endless' must be a whole number, at least 0, or 'unlimited'",
    ),
    "capacities": ({"capacity": [1, 2]}, "capacity: 2 numbers must be 24, one per lane"),
    "capacity of no lane": (
        {"capacity": {"1.1>3.3": 2}},
        "capacity: '1.1>3.3' is no lane of the network; known: 1.1>1.2, 1.1>2.1, 1.2>1.1, 1.2>1.3, "
        "1.2>2.2, 1.3>1.2, 1.3>2.3, 2.1>1.1 and 16 more",
    ),
    "capacity of a lane": (
        {"capacity": {"1.1>1.2": -2}},
        "capacity.1.1>1.2: -2 must be a whole number, at least 0, or 'unlimited'",
    ),
    "capacity of no kind": ({"capacity": {"cores": 2}}, "capacity: 'cores' is unknown; did you mean 'core'?"),
    "capacity of nothing alike": (
        {"capacity": {"bridge": 2}},
        "capacity: 'bridge' is no lane of the network; known: 1.1>1.2, 1.1>2.1, 1.2>1.1, 1.2>1.3, 1.2>2.2, "
        "1.3>1.2, 1.3>2.3, 2.1>1.1 and 16 more",
    ),
    "no capacity": ({"capacity": 0}, "capacity: 0 on every lane; must be at least 1 somewhere"),
    "too few for the rule": (
        {"capacity": None},
        "capacity: 0 a lane, 0.75 times 30 agents over 24 lanes, rounded down, must be at "
        "least 1; give capacity",
    ),
    "toll": ({"toll": -1.0}, "toll: -1 must be a number, at least 0"),
    "toll not finite": ({"toll": float("inf")}, "toll: inf must be a number, at least 0"),
    "tolls": ({"toll": [0.0, 1.0]}, "toll: 2 numbers must be 24, one per lane"),
    "toll of a lane": ({"toll": {"1.1>1.2": "much"}}, "toll.1.1>1.2: 'much' must be a number, at least 0"),
    "toll of a kind": ({"toll": {"kind": "time"}}, "toll.kind: 'time' is unknown; must be load"),
    "toll without slope": (
        {"toll": {"kind": "load"}},
        "toll.slope: is missing; karma for a load of one capacity more",
    ),
    "toll's key": ({"toll": {"kind": "load", "slop": 1.0}}, "toll.slop: is unknown; did you mean 'slope'?"),
    "toll's slope": (
        {"toll": {"kind": "load", "slope": -1.0}},
        "toll.slope: -1 must be a number, at least 0",
    ),
    "subsidy": ({"subsidy": {"others": -0.5}}, "subsidy: -0.5 must be a number, at least 0"),
    "too many paths": (
        {"planning": "start", "max_karma": 3, "mean_karma": 1.0},
        "planning: 'start' offers 6 at once; must be at most max_karma + 1 = 4; give alternatives",
    ),
    "no alternatives": (
        {"planning": "start", "alternatives": 0},
        "alternatives: 0 must be a whole number of at least 1",
    ),
    "coalition": ({"coalition": 31}, "coalition: 31 must be at most 30, the number of agents"),
    "coalition below 0": ({"coalition": -1}, "coalition: -1 must be a whole number of at least 0"),
    "coalition's key": (
        {"coalition": {"agents": 2, "form": "lucky"}},
        "coalition.form: is unknown; did you mean 'from'?",
    ),
    "coalition of whom": (
        {"coalition": {"from": "lucky"}},
        "coalition.agents: is missing; must be how many collude",
    ),
    "coalition from": (
        {"coalition": {"agents": 2, "from": "rich"}},
        "coalition.from: 'rich' is unknown; known: average, first, lucky, random, unlucky",
    ),
    "transfer of nobody": (
        {"transfer": "even"},
        "transfer: 'even' needs a coalition of at least two agents; give coalition",
    ),
    "no routes": ({"routes": []}, "routes: [] must be a list of one list of paths an agent"),
    "no paths": ({"routes": [[]]}, "routes[0]: [] must be a list of paths, at least one"),
    "other numbers of paths": (
        {"routes": [[ROUTE], [ROUTE, ROUTE]], "agents": 2},
        "routes[1]: 2 paths must be 1, as many for every agent",
    ),
    "other number of agents": (
        {"routes": [[ROUTE]], "agents": 30},
        "agents: 30 must be 1, as many as routes",
    ),
    "one node": (
        {"routes": [[["1.1"]]], "agents": 1},
        "routes[0][0]: ['1.1'] must be a list of at least two nodes",
    ),
    "unknown node": (
        {"routes": [[["1.1", "1.4"]]], "agents": 1},
        "routes[0][0]: '1.4' is no node of the network; known: 1.1, 1.2, 1.3, 2.1, 2.2, 2.3, 3.1, 3.2, 3.3",
    ),
    "no such lane": (
        {"routes": [[ROUTE, ["1.1", "2.2"]]], "agents": 1},
        "routes[0][1]: 1.1>2.2 is no lane of the network",
    ),
    "round trip": (
        {"routes": [[["1.1", "1.2", "1.1"]]], "agents": 1},
        "routes[0][0]: origin '1.1' must differ from the destination",
    ),
    "type's key": (
        {"types": [{"max_karma": 3}]},
        "types[0].max_karma: is unknown; known: count, gamma, name, p_dormant, share, trip_distribution, "
        "urgencies, urgency_distribution",
    ),
    "a type of nobody": (
        {"types": [{"share": 0.99}, {"share": 0.01}]},
        "agents: 30 with a share of 0.99 make 29.7 of 'type 0'; must be a whole number, at least 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_gives_one_line(name: str) -> None:
    given, message = WRONG[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011
        inspect.unwrap(rv.games.city)(**few(given))  # without the type checks that tests add
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
