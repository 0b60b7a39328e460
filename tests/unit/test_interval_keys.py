"""Swept numbers of which the check of a study tries only the ends: it still finds every wrong value."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rivalry as rv
from rivalry.core.game import is_agents
from rivalry.core.space import Box
from rivalry.games import GAMES
from rivalry.lab.study import Study, StudyError, check
from rivalry.lab.study.build import build_game
from rivalry.lab.study.check import LARGEST
from rivalry.lab.study.points import apply_changes, flat
from rivalry.schema.annotations import accepted_intervals, keys_notes, signature_of
from rivalry.schema.registry import load
from rivalry.schema.validate import fault_of
from tests.unit.test_house import differences, place

HERE = "tests/unit/test_interval_keys.py"

CHICKEN = [[[0.0, 7.0], [2.0, 6.0]], [[0.0, 2.0], [7.0, 6.0]]]
MESH = {"space": "simplex"}
CITY = {"network": "plain_2x2", "agents": 8, "capacity": 2}
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "auction": [{}, {"price": "second", "affiliation": 0.5, "players": 3}],
    "city": [
        CITY,
        {**CITY, "toll": [0.5] * 8, "urgencies": [0.0, 2.0]},
        {**CITY, "types": [{"count": 6}, {"count": 2, "gamma": 0.5}]},
    ],
    "influencer": [
        {},
        {"resource": "bimodal", "players": 3, "normalised": True},
        {"reach": [0.1, 0.3], "budgets": [1.0, 2.0]},
        {"variance": [1.0, 2.0], "space": "box"},
        {"choose_reach": [0.1, 0.4], "reach_cost": [0.1, 0.2]},
        {"kernel": "power_law", "exponent": [1.0, 2.0]},
        {"kernel": "exponential", "bounds": [1.0, 2.0]},
        {**MESH, "kernel": "dirichlet", "alpha": [1.0, 2.0]},
        {**MESH, "kernel": "blotto"},
    ],
    "karma": [
        {},
        {"max_karma": 5, "mean_karma": 2.0, "urgencies": [0.0, 3.0], "tax": [0.0, 0.5, 0.5, 0.5, 1.0, 1.0]},
        {"types": [{"share": 0.5}, {"share": 0.5, "gamma": 0.5}]},
        {"agents": 20, "payment": "PBS"},
    ],
    "market": [
        {},
        {"unit_cost": 0.1},
        {"unit_cost": [10.0, 30.0], "fixed_cost": 5.0, "tax": [0.1, 0.2]},
        {"choice": "price", "initial": [20.0, 30.0]},
        {"adjustment": "spot", "adjustment_cost": 1.0, "initial": 20.0, "growth": 0.01},
        {"capacity": [30.0, 40.0], "capex": 2.0, "depreciation": 0.1, "cash": [5.0, 9.0], "cash_min": 1.0},
        {"wacc": 0.1, "survival": 0.9, "horizon": 3, "terminal": "gordon", "terminal_growth": 0.01},
        {"gamma": 0.5, "horizon": 3, "terminal": "gordon"},
        {"low": [1.0, 2.0], "high": [50.0, 60.0], "sticky": 0.2, "terminal": "multiple", "horizon": 2},
        {"demand": "isoelastic", "players": 3},
        {"demand": "isoelastic", "unit_cost": [0.5, 2.0], "low": 0.1},
        {"demand": "differentiated", "players": 3},
        {"demand": "differentiated", "choice": "price", "substitution": -0.3, "unit_cost": [1.0, 2.0]},
        {"demand": "logit"},
        {"demand": "logit", "quality": [2.0, 4.0], "convex_cost": [0.5, 0.1]},
        {"demand": "logit", "nests": [[0, 1]], "nesting": 0.5},
        {"owners": [[0, 1]], "cost_saving": 0.1, "tax": {"unit": 1.0, "ad_valorem": 0.1, "profit": 0.1}},
    ],
    "matrix": [
        {"payoffs": CHICKEN},
        {"payoffs": CHICKEN, "actions": ["straight", "swerve"]},
        *({"name": name} for name in ("rock_paper_scissors", "public_goods", "volunteers_dilemma")),
    ],
    "precipice": [{}, {"information": "private"}, {"information": "public", "players": 3}],
    "race": [
        {},
        {"players": 3, "contest": "best", "no_winner": 0.5},
        {"horizon": 2, "gamma": [0.9, 0.8], "scale_penalty": [0.5, 0.7]},
        {"horizon": "inf", "gamma": 0.9, "contest": {"ease_of_winning": 2.0}},
        {"horizon": 3, "technology": {"share": True, "sharing_unit": "rate"}, "discount_offset": 1},
        {"risk": {"kind": "multiplicative", "safety_weight": [1.0, 0.0]}, "no_winner": "disaster"},
        {"risk": {"kind": "mixed"}, "reward": {"prize_per_performance": 0.2, "loser_prize": [0.1, -0.1]}},
        {"cost": {"kind": "certification"}, "disaster_cost": [[1.0, 2.0], [0.5, 1.0]]},
        {"cost": {"kind": "relative_certification"}},
        {"cost": {"kind": "penalty"}},
        {"cost": {"kind": "linear", "price": 0.2}},
        {"cost": {"kind": "quadratic", "safety_price": [0.1, 0.2]}},
    ],
}
"""Tables of games of every family, in which one number after the other is changed."""

NOT_LISTED = {
    "city": "mean_karma urgency_distribution trip_distribution demand",  # sums must be whole numbers, or 1
    "influencer": "bounds covariance resource resource_points third_party abstention",
    "karma": "chain served_chain",
    "market": "ownership tax.ad_valorem consumers.weights consumers.quality consumers.taste_spread",
    "matrix": "",
    "auction": "",
    "precipice": "",
    "race": "horizon period_weights",
}
"""Parameters that may be numbers and are checked one by one."""

INTERVALS = {family: accepted_intervals(load(entry.target)) for family, entry in GAMES.items()}
NAMES = [(family, name) for family, keys in INTERVALS.items() for name in keys]


def numeric(target: Any, prefix: str = "") -> Iterator[str]:
    """Names of parameters that may be a number with a fraction, or a list of such numbers."""
    for name, hint in signature_of(target)[1].items():
        for note in keys_notes(hint):
            yield from numeric(note.target, f"{name}.")
        faults = [fault_of(hint, value) for value in (0.5, [0.5], [0.5, 0.5], [[0.5]], [[[0.5]]])]
        if name != "return" and any(fault is None or fault.kind == "bound" for fault in faults):
            yield prefix + name


# a family that claims no intervals has every number of a sweep tried
@pytest.mark.parametrize("family", [name for name in GAMES if name in NOT_LISTED or INTERVALS[name]])
def test_every_number_of_a_family_is_an_interval_or_known_not_to_be(family: str) -> None:
    listed = {*INTERVALS[family], *NOT_LISTED.get(family, "").split()}
    note = "an AcceptedInterval"
    absent = f"{annotations_of(family)}: add {note} to {{0}}, or {{0}} to NOT_LISTED in {HERE}"
    extra = f"{annotations_of(family)}: remove {note} from {{}}, or it from NOT_LISTED: it takes no number"
    lines = differences(numeric(load(GAMES[family].target)), listed, absent, extra)
    assert not lines, "\n".join(lines)


def annotations_of(family: str) -> str:
    """File and function that declare the keys of a family."""
    return f"{place(load(GAMES[family].target).__module__)}, annotations of {family}"


def edges(game: Any) -> list[float]:
    """What decides whether a given start is inside the strategies of a game, where starts are taken."""
    if is_agents(game):
        return []
    space = game.space
    if isinstance(space, Box):
        return [*np.ravel(space.low).tolist(), *np.ravel(space.high).tolist()]
    return [*space.shape, space.min_share]


def game_or_none(table: Mapping[str, Any], changes: Mapping[str, Any]) -> Any:
    try:
        return build_game(apply_changes(table, (), flat(changes))[0])
    except StudyError:
        return None


def is_monotone(values: Sequence[float]) -> bool:
    # rounding of a formula that is constant or monotone
    steps = [b - a if abs(b - a) > 1e-12 * abs(a) else 0.0 for a, b in pairwise(values) if a != b]
    return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)


SIZES = st.one_of(
    st.sampled_from([0.0, 5e-324, 1e-9, 0.1, 0.5, 1.0, 1 + 1e-12, 2.0]),
    st.floats(0, 1),
    st.floats(0, 100),
    st.floats(0, LARGEST),
)


@pytest.mark.filterwarnings("ignore")  # factories warn of odd numbers, NumPy of large ones
@pytest.mark.parametrize(("family", "name"), NAMES)
@settings(max_examples=4)
@given(data=st.data())
def test_accepted_numbers_are_intervals_with_monotone_bounds(family: str, name: str, data: Any) -> None:
    beside = INTERVALS[family][name]
    tables = [table for table in VARIANTS[family] if not {*beside} & {*table}]
    table = {"family": family, **data.draw(st.sampled_from(tables))}
    entry = "[0][1][0]" if name == "payoffs" else data.draw(st.sampled_from(["", "", "[0]", "[1]"]))
    sign = data.draw(st.sampled_from([1, 1, -1]))
    values = sorted(sign * size for size in data.draw(st.sets(SIZES, min_size=3, max_size=7)) if sign * size)
    games = [game_or_none(table, {f"game.{name}{entry}": value}) for value in values]
    accepted = [game is not None for game in games]
    changes = sum(a != b for a, b in pairwise([False, *accepted, False]))
    remove = f"{annotations_of(family)}: {name} has no AcceptedInterval (NOT_LISTED in {HERE}): "
    assert changes in (0, 2), f"{remove}accepted are, in {table}, {values}: {accepted}"
    found = [game for game in games if game is not None]
    assert len({type(game) for game in found}) <= 1, f"{remove}types of games differ in {table}, {values}"
    for bounds in zip(*map(edges, found), strict=True):
        assert is_monotone(bounds), f"{remove}bounds are not monotone in {table}, {values}: {bounds}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "name"), NAMES)
def test_some_game_accepts_two_values_of_every_interval(family: str, name: str) -> None:
    keys = [f"game.{name}[0][1][0]"] if name == "payoffs" else [f"game.{name}", f"game.{name}[0]"]
    tries = ((table, key) for table in VARIANTS.get(family, ()) for key in keys)
    assert any(
        sum(game_or_none({"family": family, **table}, {key: value}) is not None for value in (0.25, 0.3)) == 2
        for table, key in tries
    ), f"{HERE}, VARIANTS: add a game of {family} that takes 0.25 and 0.3 as {name}"


def built(study: Study, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tables of the games that the check of a study builds, and its error."""
    found: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(check, "build_game", lambda table, folder: found.append(table) or build_game(table))
        # programs of methods are traced or compiled once per shape, whatever the numbers are
        patched.setattr(check, "_begin", lambda *given, **options: None)
        try:
            study.check()
        except StudyError as error:
            found.append(str(error))
    return found


UNIFORM = {"kind": "evaluate", "start": "random"}


def study(family: str, game: Mapping[str, Any], sweep: Mapping[str, Any], **more: Any) -> Study:
    tables: dict[str, Any] = {"game": {"family": family, **game}, "sweep": sweep, "name": "swept"}
    return Study(**(tables | {"method": UNIFORM} | more))


AGENTS = {"kind": "simulation"}
PAYOFF = {"game.payoffs[0][0][0]": {"from": 0.5, "to": 1.5, "count": 9}}
FIRMS = {"kind": "evaluate", "start": [20.0, 20.0]}
REACH = {"from": 0.1, "to": 0.5, "count": 9}


@pytest.mark.representative
@pytest.mark.default_only("made12-4")
@pytest.mark.parametrize(
    ("made", "count"),
    [
        (study("matrix", {"payoffs": CHICKEN}, PAYOFF), 3),
        (study("matrix", {"payoffs": CHICKEN}, PAYOFF | {"game.payoffs[1][0][0]": [1, 2.5]}), 5),
        (study("influencer", {}, {"game.reach": REACH}), 3),
        (study("influencer", {}, {"game.players": [2, 3, 4], "game.reach": REACH}), 7),
        (study("influencer", {}, {"zip": True, "game.players": [2, 3, 2], "game.reach": [0.1, 0.2, 0.3]}), 4),
        (study("influencer", {"reach": 0.2}, {"game.players": [2, 3], "game.reach[1]": [0.1, 0.2, 0.3]}), 5),
        (study("market", {}, {"game.unit_cost": REACH, "game.slope": REACH}, method=FIRMS), 5),
        (study("market", {"tax": [0.1, 0.1]}, {"game.tax[0]": REACH, "game.growth": [-0.2, -0.1, 0.0]}), 7),
        (study("market", {}, {"game.demand": ["linear", "logit"], "game.unit_cost": REACH}), 5),
        (study("race", {}, {"game.cost.kind": ["linear", "penalty"], "game.cost.price": REACH}), 5),
        (study("karma", {}, {"game.gamma": REACH, "game.mean_karma": REACH}, method=AGENTS), 5),
        # each game by itself, where a number may decide:
        (study("influencer", {"bounds": [0.0, 1.0]}, {"game.bounds[1]": REACH}), 10),
        (study("karma", {"agents": 10}, {"game.mean_karma": [1.0, 2.0, 3.0]}, method=AGENTS), 4),
        (study("influencer", {}, {"game.reach": REACH, "game.resource_points": [[0.1, 0.9]]}), 10),
        (study("influencer", {"reach": [0.1, 0.2]}, {"game.reach": [[0.1, 0.2], [0.2, 0.1]]}), 2),
        (study("matrix", {"payoffs": CHICKEN}, PAYOFF, method={"kind": "evaluate", "start": "uniform"}), 10),
        (study("matrix", {"payoffs": CHICKEN, "leaders": [0]}, PAYOFF, method={"kind": "evaluate"}), 10),
    ],
)
def test_few_points_are_built(made: Study, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(built(made, monkeypatch)) == count


WRONG = [
    study("influencer", {}, {"game.reach": [0.1, 0.2, -0.3, 0.4]}),
    study("influencer", {"reach": [0.1, 0.2]}, {"game.reach[1]": [0.1, 0.2, 0], "game.budgets": [1.0, 2.0]}),
    study("influencer", {}, {"game.players": [2, 3, 1], "game.reach": REACH}),
    study("influencer", {"players": 2}, {"game.reach": [0.1, 0.2, [0.3, 0.4, 0.5]]}),
    study("influencer", {}, {"game.reach": [0.1, "wide"]}),
    study("influencer", {"choose_reach": [0.1, 0.2], "reach_cost": 1.0}, {"game.reach": REACH}),
    study("matrix", {"payoffs": CHICKEN}, {"game.payoffs[0][0][0]": [1.0, "much"]}),
    study("matrix", {"payoffs": CHICKEN}, {"game.payoffs[0][0][0]": [1.0, [2.0, 3.0]]}),
    study("matrix", {"payoffs": CHICKEN}, {"game.payoffs[0][0]": [1.0, [2.0, 3.0, 4.0]]}),
    study("matrix", {"name": "chicken"}, {"game.payoffs": [1.0, 2.0]}),
    study("matrix", {"payoffs": CHICKEN}, PAYOFF, method={"kind": "evaluate", "start": [[1, 0], [0.5, 0]]}),
    study("matrix", {"payoffs": CHICKEN}, PAYOFF | {"method.evaluate.start": ["random", "unform"]}),
]


@pytest.mark.parametrize("made", WRONG)
def test_wrong_values_are_refused_as_by_built_games(made: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, message = built(made, monkeypatch)
    monkeypatch.setattr(check, "interval_keys", lambda *tables: [])
    *_, every = built(made, monkeypatch)
    assert isinstance(message, str)
    assert message == every


METHODS = dict.fromkeys(("city", "karma"), AGENTS)
HIGH = {"kind": "evaluate", "start": [[5.0], [5.0]]}
PLANTED: list[tuple[str, dict[str, Any], dict[str, tuple[list[float], float]], str]] = [
    # one bad value
    ("city", CITY, {"gamma": ([0.1, 0.9], 1.0)}, "gamma: 1.0 must be below 1"),
    ("influencer", {}, {"reach": ([0.1, 0.9], 0.0)}, "reach: 0.0 must be above 0"),
    ("karma", {}, {"gamma": ([0.1, 0.9], 1.0)}, "gamma: 1.0 must be below 1"),
    ("market", {}, {"slope": ([0.5, 2.0], 0.0)}, "slope: 0.0 must be above 0"),
    ("matrix", {"name": "minimum_effort"}, {"cost": ([0.1, 0.9], 1.5)}, "cost: 1.5 must be below 1"),
    ("precipice", {}, {"enmity": ([0.1, 0.9], 1.5)}, "enmity: 1.5 must be at most 1"),
    ("race", {}, {"disaster_cost": ([0.1, 0.9], -1.0)}, "disaster_cost: -1.0 must be at least 0"),
    # two values of which each is good beside others
    (
        "city",
        {**CITY, "urgencies": [1.0, 5.0]},
        {"urgencies[0]": ([0.1, 3.0], 0.0), "urgencies[1]": ([0.1, 3.0], 0.0)},
        "urgencies: [0.0, 0.0] must not all be 0",
    ),
    (
        "influencer",
        {"choose_reach": [0.1, 0.2], "reach_cost": 1.0},
        {"choose_reach[0]": ([0.1, 0.2], 0.5), "choose_reach[1]": ([0.6, 0.9], 0.3)},
        "choose_reach: [0.5, 0.3] must be",
    ),
    (
        "karma",
        {"urgencies": [1.0, 5.0]},
        {"urgencies[0]": ([0.1, 3.0], 0.0), "urgencies[1]": ([0.1, 3.0], 0.0)},
        "urgencies: [0.0, 0.0] must not all be 0",
    ),
    (
        "market",
        {},
        {"unit_cost": ([5.0, 20.0], 60.0), "intercept": ([70.0, 100.0], 55.0)},
        "unit_cost: 60 must be below intercept = 55",
    ),
    (
        "race",
        {"horizon": 2, "risk": {"kind": "multiplicative", "safety_weight": [1.0, 1.0]}},
        {"risk.safety_weight[0]": ([0.1, 3.0], 0.0), "risk.safety_weight[1]": ([0.1, 3.0], 0.0)},
        "risk.safety_weight: sums to 0",
    ),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:choose_reach")
@pytest.mark.parametrize(("family", "game", "sweep", "message"), PLANTED)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_fault_anywhere_in_a_large_sweep_is_refused_before_it_runs(
    family: str,
    game: dict[str, Any],
    sweep: dict[str, tuple[list[float], float]],
    message: str,
    zipped: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random, table, place = Random(7), {}, {}
    count = 900 if zipped or len(sweep) == 1 else 30
    bad = random.randrange(1, count)
    for key, (ends, fault) in sweep.items():
        values = np.linspace(*ends, count - 1).tolist()
        at = bad if zipped else random.randrange(1, count)
        table[f"game.{key}"] = [*values[:at], fault, *values[at:]]
        place[key] = fault
    method = METHODS.get(family, UNIFORM)
    *tables, text = built(study(family, game, table | {"zip": zipped}, method=method), monkeypatch)
    where = ", ".join(f"{key} = {value}" for key, value in place.items())
    assert text.startswith(f"swept: game.{message}")
    assert text.endswith(f"(at {where})")
    assert len(tables) < 100
    good = {key: [value for value in table[key] if value not in place.values()] for key in table}
    *_, last = built(study(family, game, good | {"zip": zipped}, method=method), monkeypatch)
    assert not isinstance(last, str)


def test_starts_outside_the_strategies_in_large_sweeps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    enmity = [*np.linspace(0.1, 0.5, 500).tolist(), 0.9, *np.linspace(0.5, 0.7, 500).tolist()[1:]]
    made = study("precipice", {"information": "public"}, {"game.enmity": enmity}, method=HIGH)
    *tables, text = built(made, monkeypatch)
    assert "start: player 0 is at 5; must be in [0, 4.44444] (at enmity = 0.9)" in text
    assert len(tables) < 100


def test_numbers_beyond_the_largest_are_tried() -> None:
    made = study("influencer", {}, {"game.reach": [0.1, 2 * LARGEST]})
    assert check.interval_keys(made.game or {}, made.method, made._grid, made._batch) == []
    assert rv.games.influencer(reach=2 * LARGEST) is not None
