"""Sentences on quantities: each rule with data that it is about, and with data that must not trigger it."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from rivalry.core.results import Record, collect
from rivalry.lab.answer import Answer
from rivalry.lab.answer.points import points_of
from rivalry.lab.study import Study, load_study, studies

REACHES = [0.1, 0.2, 0.3, 0.4]


def study(
    *methods: str, kind: str = "best_response", game: Mapping[str, Any] | None = None, **answer: Any
) -> dict[str, Any]:
    named = [{"name": name, "kind": kind, "negative_controls": False} for name in methods or ("one",)]
    about = {"quantities": ["turnout"]} | answer
    return {
        "game": dict(game or {"family": "none"}),
        "method": named,
        "expect": [],
        "plots": [],
        "answer": about,
    }


def record(claim: str = "", **values: Any) -> Record:
    """A result with values that are numbers, words, or arrays ``[player]``, ``[player axis]``."""
    found: Record = {"status": ((), np.asarray(values.pop("status", "converged")))}
    if claim:
        gain = values.pop("gain", 0.3 if claim == "not an equilibrium" else 0.0)
        found |= {
            "claim": ((), np.asarray(claim)),
            "regret": (("player",), np.array([0.0, gain])),
            "bound": (("player",), np.array([0.0, values.pop("bound", gain)])),
            "coverage": ((), np.asarray(values.pop("coverage", "exact"))),
            "tolerance": (("player",), np.array([1e-6, 1e-6])),
        }
    for name, value in values.items():
        array = np.asarray(value)
        dims: tuple[str, ...] = ("player", "axis")[: array.ndim]
        found[name] = (("session",) if name == "pooled_gain" and array.ndim else dims, array)
    return found


def swept(
    cells: Mapping[str, Sequence[Record]], key: str = "reach", values: Sequence[Any] = ()
) -> xr.Dataset:
    """One record per value of the key and method."""
    places = list(values or REACHES[: max(map(len, cells.values()))])
    rows = [
        ({key: x, "algorithm": name}, row)
        for name, own in cells.items()
        for x, row in zip(places, own, strict=False)
    ]
    return collect(rows, {key: places, "algorithm": list(cells)})


def said(about: dict[str, Any], data: xr.Dataset) -> list[str]:
    return [one.text for one in Answer(about, data).sentences]


def along(values: Sequence[float], **more: Any) -> xr.Dataset:
    return swept({"one": [record(turnout=value, **more) for value in values]})


def crossed(turnout: Callable[..., float], **keys: Sequence[Any]) -> xr.Dataset:
    """Turnout as a function of the values of keys, at all combinations of them."""
    places = [dict(zip(keys, point, strict=True)) for point in product(*keys.values())]
    cells = [({**place, "algorithm": "one"}, record(turnout=turnout(**place))) for place in places]
    return collect(cells, {**keys, "algorithm": ["one"]})


def zipped(**companions: Sequence[float]) -> xr.Dataset:
    """Turnout of 0, 1, .. at points at which keys vary together."""
    count = max(map(len, companions.values()))
    cells = [({"point": k, "algorithm": "one"}, record(turnout=float(k))) for k in range(count)]
    beside = {name: ("point", list(values)) for name, values in companions.items()}
    return collect(cells, {"point": list(range(count)), "algorithm": ["one"]}, beside)


def claimed(*claims: str, values: Sequence[float] = (1.0, 2.0, 3.0)) -> list[Record]:
    return [record(claim, turnout=value) for value, claim in zip(values, claims, strict=False)]


def replicated(names: Sequence[str], *values: Sequence[float]) -> xr.Dataset:
    """One record per method and replication."""
    cells = [
        ({"algorithm": name, "replication": k}, record(turnout=value))
        for name, own in zip(names, values, strict=True)
        for k, value in enumerate(own)
    ]
    return collect(cells, {"algorithm": list(names), "replication": list(range(len(values[0])))})


def compared(
    *values: Sequence[float], names: Sequence[str] = "abcd", paired: bool = False, **more: Any
) -> str:
    """The sentence on the turnout of several methods, of which each has several replications."""
    own = names[: len(values)]
    about = study(*own, **more) | {"replications": {"count": len(values[0]), "seed": 0, "paired": paired}}
    return said(about, replicated(own, *values))[0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 2.0, 3.0, 4.0], "rises from 1 to 4"),
        ([4.0, 3.0, 2.0, 1.0], "falls from 4 to 1"),
        ([1.0, 3.0, 2.5, 2.0], "rises from 1 to 3 at 0.2, then falls to 2"),
        ([0.8, 0.8, 0.8, 0.8635], "stays at 0.8 up to 0.3, then rises to 0.8635"),
        ([0.8, 0.8 + 1e-9, 0.7, 0.6], "stays at 0.8 up to 0.2, then falls to 0.6"),
        ([0.0, 0.0, 0.3, 0.5], "stays at 0 up to 0.2, is 0.3 at 0.3, then rises to 0.5"),
        ([0.5, 0.3, 0.0, 0.0], "falls from 0.5 to 0.3 at 0.2, then is 0 at 0.3, and stays there"),
        ([0.8, 0.81, 0.82, 0.82], "rises from 0.8 to 0.82 at 0.3, and stays there"),
        ([0.8, 0.8, 0.9, 0.9], "stays at 0.8 up to 0.2, then rises to 0.9 at 0.3, and stays there"),
        ([0.8, 0.9, 0.8, 0.8], "rises from 0.8 to 0.9 at 0.2, then falls to 0.8 at 0.3, and stays there"),
        ([0.8, 0.81, 0.8, 0.9], "rises from 0.8 to 0.81 at 0.2, then falls to 0.8 at 0.3, then rises to 0.9"),
        ([1.0, 3.0, 1.0, 3.0], "rises from 1 to 3 at 0.2, then falls to 1 at 0.3, then rises to 3"),
    ],
)
def test_a_number_rises_and_falls_as_it_does(values: list[float], words: str) -> None:
    assert said(study(), along(values)) == [f"As the reach rises from 0.1 to 0.4, the turnout {words}."]


def test_what_does_not_move_is_said_so() -> None:
    assert said(study(), along([2.0] * 4)) == ["The turnout is 2 at every reach."]
    assert "every" not in said(study(), along([2.0, 2.0, 2.0, 2.1]))[0]


def test_a_number_at_one_point_has_its_place() -> None:
    assert said(study(), along([2.0, np.nan, np.nan])) == ["The turnout is 2 at reach 0.1."]
    assert said(study(), along([2.0])) == ["The turnout is 2."]
    data = swept({"one": [record(turnout=2.0)], "two": [record()]})
    assert said(study("one", "two"), data) == ["The turnout is 2."]  # the other has none
    named = study("one", "two", words={"one": "the regulator"})
    assert said(named, data) == ["The turnout is 2 for the regulator."]


@pytest.mark.parametrize("players", [5, 9])
def test_players_that_differ_at_one_point_end_a_common_course(players: int) -> None:
    """At the middle value players differ; the numbers beside it would show a fall that is none."""
    middle = np.linspace(50.0, 90.0, players)
    rows = [
        record(turnout=np.full(players, 33.0)),
        record(turnout=middle),
        record(turnout=np.full(players, 16.0)),
    ]
    for about in (study(), study(quantities=[])):
        assert not any("falls" in text for text in said(about, swept({"one": rows})))
    equal = [record(turnout=np.full(players, value)) for value in (33.0, 25.0, 16.0)]
    assert any("falls from 33 to 16" in text for text in said(study(), swept({"one": equal})))


def test_single_draws_show_no_direction() -> None:
    (words,) = said(study(kind="repeated_q_learning"), along([1.0, 2.0]))
    noise = "with one run each, differences may be noise."
    start = "As the reach rises from 0.1 to 0.2, the turnout"
    assert words == f"{start} goes from 1 to 2; {noise}"
    brought = said(study("mine", kind="mine.py:Mine"), along([1.0, 2.0]))  # which may draw nothing
    caution = "with one run each, differences may be noise if mine draws random numbers."
    assert brought == [f"{start} goes from 1 to 2; {caution}"]
    (words,) = said(study(kind="repeated_q_learning"), along([-1.0, 0.5, 3.0, 2.0]))
    assert words == (
        "As the reach rises from 0.1 to 0.4, the turnout goes from -1 to 2, between -1 and 3 on the way; "
        f"{noise}"
    )


def test_numbers_of_the_game_that_a_quick_form_reduces_are_told_first() -> None:
    game = {"family": "karma", "agents": 120}
    quick = {"quick_form": True, "quick": {"game.agents": 120, "sweep.game.reach": REACHES[:2]}}
    words = said(study(game=game) | quick, along([1.0, 2.0]))
    assert words == ["With 120 agents, as the reach rises from 0.1 to 0.2, the turnout rises from 1 to 2."]
    assert said(study(game=game | {"agents": 500}) | quick, along([1.0, 2.0]))[0].startswith("As the reach")
    assert said(study(game=game) | quick | {"quick_form": False}, along([1.0]))[0].startswith("The turnout")


def test_a_single_number_that_a_run_changes_is_told_first() -> None:
    about = study(game={"family": "race", "players": 3, "disaster_cost": 1.0})
    changed = about | {"base": {**about, "game": {"family": "race", "players": 2, "disaster_cost": 1.0}}}
    assert said(changed, along([1.0]))[0].startswith("With 3 players, the turnout")
    assert said(about | {"base": about}, along([1.0]))[0].startswith("The turnout")
    # a word or several numbers stand in the caveat alone
    swept_base = {**about, "game": {"family": "race", "players": 3, "disaster_cost": 1.0, "input_set": "box"}}
    assert said(about | {"base": swept_base}, along([1.0]))[0].startswith("The turnout")


def test_what_a_number_does_along_a_key_is_told_of_equilibria_alone() -> None:
    def words(*claims: str, values: Sequence[float] = (0.0, 1.0, 2.0, 9.0)) -> str:
        return said(study(), swept({"one": claimed(*claims, values=values)}))[0]

    yes, no = "equilibrium", "not an equilibrium"
    out, up = "Leaving out points that are not equilibria, ", "the turnout rises from 0 to 2"
    assert words(yes, yes, yes, no) == f"{out}as the reach rises from 0.1 to 0.3, {up}."
    # a refuted point between others is as little a part of a rise, and of a fall
    assert words(yes, no, yes, yes, values=(0.0, 5.0, 1.0, 2.0)) == (
        f"{out}as the reach rises from 0.1 to 0.4, {up}."
    )
    assert words(yes, no) == f"{out}the turnout is 0 at reach 0.1."
    for claims in ([yes] * 3, [no] * 3):
        assert words(*claims) == "As the reach rises from 0.1 to 0.3, the turnout rises from 0 to 2."


def test_cases_along_a_key_are_told_without_points_that_are_no_equilibria() -> None:
    yes, no = "equilibrium", "not an equilibrium"

    def words(*claims: str, middle: str = yes) -> str:
        rows = {"one": claimed(yes, middle, yes), "two": claimed(*claims, values=(4.0, 9.0, 7.0))}
        return said(study("one", "two"), swept(rows))[0]

    assert words(yes, no, yes) == (
        "Leaving out points that are not equilibria, as the reach rises from 0.1 to 0.3, the turnout rises "
        "from 1 to 3 for one and from 4 to 7 for two."
    )
    assert words(no, no, yes).endswith("the turnout rises from 1 to 3 for one; it is 7 at 0.3 for two.")
    assert words(no, no, no) == (
        "As the reach rises from 0.1 to 0.3, the turnout rises from 1 to 3 for one; for two no point is an "
        "equilibrium."
    )
    assert "highest" not in words(no, no, no)
    assert words(no, no, no, middle=no) == (
        "Leaving out points that are not equilibria, as the reach rises from 0.1 to 0.3, the turnout rises "
        "from 1 to 3 for one; for two no point is an equilibrium."
    )


def test_a_quantity_of_one_method_or_of_one_point_says_of_which() -> None:
    def words(first: Sequence[float], second: Sequence[float], *claims: str) -> str:
        rows = {"one": claimed(*claims, values=first), "two": claimed(*claims, values=second)}
        return said(study("one", "two"), swept(rows))[0]

    claims = ["equilibrium", "not an equilibrium"]
    without = {"one": [record(turnout=1.0), record(turnout=3.0)], "two": [record(), record()]}
    named = study("one", "two", words={"one": "the first learner"})
    assert said(named, swept(without)) == [
        "As the reach rises from 0.1 to 0.2, the turnout rises from 1 to 3 for the first learner."
    ]
    left_out = "Leaving out points that are not equilibria, "
    assert words([1, 2], [3, 4], *claims) == f"{left_out}the turnout at reach 0.1 is 1 for one and 3 for two."
    assert words([1, 2], [1, 4], *claims) == f"{left_out}the turnout is 1 at reach 0.1."


@pytest.mark.parametrize(
    "more", [{"coverage": "estimated"}, {"concept": "Nash equilibrium of the learned policies"}]
)
def test_values_of_samples_and_learners_are_not_qualified(more: dict[str, str]) -> None:
    rows = [record("equilibrium", turnout=0.0, **more), record("not an equilibrium", turnout=1.0, **more)]
    assert "(not an equilibrium)" not in said(study(), swept({"one": rows}))[0]


def test_a_larger_gain_is_excluded_only_by_a_finite_bound() -> None:
    def words(**values: Any) -> str:
        return said(study(), swept({"one": [record("not an equilibrium", turnout=1.0, **values)]}))[-1]

    assert words(bound=0.4) == (
        "The profile is not an equilibrium: player 1 could gain 0.3 (proved: at most 0.4)."
    )
    for values in ({"bound": np.inf}, {"bound": np.nan}, {"bound": 0.4, "coverage": "estimated"}):
        assert "exceeds" not in words(**values)


def test_players_are_named_as_the_game_has_them() -> None:
    def words(**game: Any) -> str:
        data = swept({"one": [record(turnout=[1.0, 2.0]), record(turnout=[2.0, 1.0])]})
        return said(study(game=game), data)[0]

    assert "the turnout of the leader rises from 1 to 2" in words(family="market", stages=[[0], [1]])
    assert "the turnout of firm 1 falls from 2 to 1" in words(family="market")
    assert "the turnout of the leader falls from 2 to 1" in words(family="race", leaders=[1])
    assert "the turnout of player 1 falls" in words(family="race", stages=[[0, 1]])
    assert "the turnout of player 1 falls" in words(family="race", leaders=[0], players=3)


def test_cases_along_a_key_are_told_one_by_one_while_they_are_few() -> None:
    rows = {
        "one": [record(turnout=1.0), record(turnout=2.0)],
        "two": [record(turnout=3.0), record(turnout=2.5)],
    }
    assert said(study("one", "two"), swept(rows)) == [
        "As the reach rises from 0.1 to 0.2, the turnout rises from 1 to 2 for one "
        "and falls from 3 to 2.5 for two."
    ]
    many = {name: [record(turnout=k), record(turnout=k + 1.0)] for k, name in enumerate("abcdef")}
    (words,) = said(study(*"abcdef"), swept(many))
    assert (
        "the turnout rises for every method (6 cases); its values lie between 0 (reach 0.1, a) and 6" in words
    )
    many["a"].reverse()
    (words,) = said(study(*"abcdef"), swept(many))
    assert "rises in 5 and falls in 1 of 6 cases" in words


def test_means_are_taken_over_draws_of_the_game_alone() -> None:
    rows = {"one": [record(turnout=value) for value in (1.0, 2.0, 3.0)]}
    (words,) = said(study(), swept(rows, "allocation", [0, 1, 2]))
    assert words == "The turnout is 2.0 ± 2.5 (mean over allocations, 95 % intervals)."
    (words,) = said(study(), swept(rows, "players", [2, 3, 4]))
    assert "±" not in words


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("spread", "significant"), [(0.01, True), (0.5, False)])
def test_means_over_the_same_draws_are_compared_in_pairs(seed: int, spread: float, significant: bool) -> None:
    common = np.random.default_rng(seed).normal(0.0, 3.0, 5)
    apart = 0.3 + spread * np.array([1.0, -1.0, 2.0, -2.0, 0.0])
    rows = {
        "a": [record(turnout=10 + value) for value in common],
        "b": [record(turnout=10 + value) for value in common + apart],
    }
    (words,) = said(study("a", "b", asks="which"), swept(rows, "allocation", range(5)))
    # a case inside the noise of another is not called best
    assert ("is highest for b" in words) == significant
    assert ("in the same allocations, is not significant" in words) != significant
    assert "in the same allocations" in said(study("a", "b"), swept(rows, "allocation", range(5)))[0]
    half = {True: "0.300 ± 0.020", False: "0.30 ± 0.98"}[significant]  # t(0.975, 4) s / sqrt(5)
    (words,) = said(study("a", "b", asks="how much"), swept(rows, "allocation", range(5)))
    told = {
        True: f"({half} higher in the same allocations)",
        False: f"the difference, {half} in the same allocations, is not significant",
    }
    assert told[significant] in words


PAIRED = {"replications": {"count": 4, "seed": 0, "paired": True}}
COMMON, APART = np.array([1.0, 5.0, 9.0, 3.0]), np.array([0.29, 0.31, 0.30, 0.30])
UNSURE = np.array([0.6, -0.4, 0.9, -0.3])


def test_methods_with_the_same_seeds_are_compared_in_pairs() -> None:
    def words(*values: Sequence[float]) -> str:
        return compared(*values, paired=True)

    # t(0.975, 3) = 3.18245 and the differences have standard deviation 0.0081650
    assert words(COMMON, COMMON + APART) == (
        "The turnout is 4.8 ± 5.4 for b, against 4.5 ± 5.4 for a (0.300 ± 0.013 higher in the same "
        "replications)."
    )
    assert words(COMMON, COMMON + UNSURE).endswith(
        "; the difference, 0.2 ± 1.0 in the same replications, is not significant."
    )
    # smaller than what the intervals show
    assert words(COMMON, COMMON + APART / 10).endswith(
        "4.5 ± 5.4 for b, against 4.5 ± 5.4 for a (0.0300 ± 0.0013 higher in the same replications)."
    )
    three = words(COMMON, COMMON + APART, COMMON - UNSURE / 20)
    assert three.endswith("; a and c do not differ significantly, compared in the same replications.")
    apart = compared(COMMON, COMMON + APART)
    assert apart.endswith("and 4.8 ± 5.4 for b; the difference is not significant.")


def test_points_with_the_same_seeds_are_compared_in_pairs() -> None:
    def turnout(reach: float, replication: int) -> float:
        return float(COMMON[replication] + 10 * (reach - 0.1) * APART[replication])

    data = crossed(turnout, reach=REACHES[:3], replication=range(4))
    assert said(study() | PAIRED, data)[0].endswith("the turnout rises from 4.5 ± 5.4 to 5.1 ± 5.4.")
    assert said(study(), data)[0].endswith(
        "the turnout does not change significantly (estimates between 4.5 and 5.1, half-widths 5.4 to 5.4)."
    )


def test_learners_and_controls_are_compared_in_the_same_sessions() -> None:
    gain = np.array([0.2, 0.8, 0.5, 0.4])
    about, data = learners(learning=gain, learning_memoryless=gain - [0.01, 0.02, 0.01, 0.02])
    assert said(about | PAIRED, data)[0].endswith(
        "in the same sessions it is less for learning without memory (0.46 ± 0.39), which cannot punish."
    )
    not_less = (
        "of the controls that cannot punish, learning without memory (0.46 ± 0.39) gains not significantly"
    )
    assert f"{not_less} less" in said(about, data)[0]


SIDES = {"left": [0.1, 0.05, 0.1], "right": [0.1, 0.1, 0.05]}


def test_keys_that_vary_together_without_order_are_cases() -> None:
    """Two prices, one of them lower: no price rises while the other stays for more than one point."""
    (words,) = said(study(), zipped(**SIDES))
    assert words.endswith(", and 2 with a left of 0.1 and a right of 0.05.")
    assert "As the" not in words


def test_the_order_of_methods_names_what_is_not_significant() -> None:
    assert "significant" not in compared([1.0, 1.1, 0.9], [5.0, 5.1, 4.9], [9.0, 9.1, 8.9])
    near = compared([1.0, 1.1, 0.9], [1.0, 1.2, 0.9], [9.0, 9.1, 8.9])
    assert near.endswith("and 9.00 ± 0.25 for c; a and b do not differ significantly.")
    all_near = compared([1.0, 1.1, 0.9], [1.0, 1.2, 0.9])
    assert all_near.endswith("; the difference is not significant.")
    assert "highest" not in all_near


def test_a_case_that_is_no_equilibrium_is_never_called_highest() -> None:
    def words(*claims: str) -> str:
        rows = {name: [row] for name, row in zip("ab", claimed(*claims), strict=True)}
        return said(study("a", "b", asks="which"), swept(rows))[0]

    assert words("equilibrium", "equilibrium") == "The turnout is highest for b, 2, against 1 for a (1 more)."
    assert words("equilibrium", "not an equilibrium") == (
        "The turnout is 1 for a and 2 (not an equilibrium) for b."
    )


def learners(**gains: Sequence[float]) -> tuple[dict[str, Any], xr.Dataset]:
    cells = [
        ({"algorithm": name.replace("_", "-", 1)}, record(pooled_gain=own)) for name, own in gains.items()
    ]
    about = study("learning", kind="repeated_q_learning", quantities=["pooled_gain"])
    del about["method"][0]["negative_controls"]
    return about, collect(cells, {"algorithm": [row["algorithm"] for row, _ in cells]})


def test_gains_of_controls_decide_whether_a_gain_is_evidence() -> None:
    (words,) = said(*learners(learning=[0.8, 0.9, 0.85], learning_memoryless=[1.15, 1.17, 1.16]))
    assert "of the controls that cannot punish, learning without memory (1.160 ± 0.025) gains more" in words
    assert words.endswith("the gain alone is no evidence of collusion.")
    (words,) = said(*learners(learning=[0.8, 0.9, 0.85], learning_memoryless=[0.84, 0.9, 0.8]))
    assert "gains not significantly less" in words
    (words,) = said(*learners(learning=[0.8, 0.9, 0.85], learning_memoryless=[0.1, 0.2, 0.15]))
    assert words.endswith("it is less for learning without memory (0.15 ± 0.12), which cannot punish.")
    (words,) = said(*learners(learning=[0.8], learning_memoryless=[0.95]))  # noise unknown
    assert "evidence" not in words
    # its rival has memory, and may punish
    (words,) = said(*learners(learning=[0.8, 0.9, 0.85], learning_myopic_follower=[0.95, 0.97, 0.96]))
    assert "evidence" not in words


LINE = {"family": "influencer"}  # whose strategies are places


def on_a_line(*places: Sequence[float], claim: str = "", status: str = "converged") -> xr.Dataset:
    rows = [record(claim, profile=[[x] for x in own], status=status) for own in places]
    return swept({"one": rows})


def test_groups_of_players_are_told_with_the_stretch_on_which_they_last() -> None:
    about = study(game=LINE, quantities=["profile"])
    data = on_a_line([0.3, 0.3, 0.7], [0.32, 0.32, 0.68], [0.5] * 3, [0.5] * 3)
    assert said(about, data) == [
        "From reach 0.1 to 0.2, there are groups of 2 and 1, at 0.32 (two) and 0.68 (one) for reach 0.2; "
        "from reach 0.3 to 0.4, all players are together, at 0.5."
    ]
    assert said(about, on_a_line([0.2, 0.5, 0.8])) == ["Players are at 0.2, 0.5, and 0.8."]
    outputs = study(quantities=["profile"])  # of a game without places
    assert said(outputs, on_a_line([0.2, 0.5, 0.8])) == ["Players choose 0.2, 0.5, and 0.8."]
    assert "all choices are equal, at 0.5" in said(outputs, data)[0]


def test_of_many_groups_the_ends_and_the_one_that_lasts_longest_are_told() -> None:
    apart = [[0.1, 0.2 + 0.1 * (k % 2), 0.7] for k in range(1)]
    places = [[0.5] * 3, [0.3, 0.3, 0.7], *apart, *[[0.3, 0.3, 0.7]] * 3, [0.1, 0.5, 0.9], [0.2] * 3]
    data = swept({"one": [record(profile=[[x] for x in own]) for own in places]}, values=range(8))
    (words,) = said(study(game=LINE, quantities=["profile"]), data)
    assert "from reach 3 to 5, there are groups of 2 and 1" in words
    assert words.endswith("in all the groups change 5 times.")


def test_positions_of_no_equilibrium_and_of_cycles_are_no_ends() -> None:
    about = study(game=LINE, quantities=["profile"])
    (words, _) = said(about, on_a_line([0.2, 0.8], claim="not an equilibrium"))
    assert words == "Players are at 0.2 and 0.8 (not an equilibrium)."
    assert said(about, on_a_line([0.2, 0.8], status="cycling")) == ["Play cycles."]


def test_words_are_told_with_the_stretch_on_which_they_hold() -> None:
    rows = [record(end_state=kind) for kind in ("cycle", "stable_point", "stable_point")]
    assert said(study(quantities=["end_state"]), swept({"one": rows})) == [
        "As the reach rises from 0.1 to 0.3, the end of the dynamics is a cycle at 0.1 "
        "and a stable point from 0.2 to 0.3."
    ]
    same = swept({"one": [record(end_state="cycle")] * 3})
    assert said(study(quantities=["end_state"]), same) == [
        "The end of the dynamics is a cycle at every reach."
    ]


def test_quantities_are_told_at_the_point_of_the_study_if_it_was_computed() -> None:
    data = along([1.0, 2.0, 3.0])
    assert said(study(at={"reach": 0.2}), data) == ["At reach 0.2, the turnout is 2."]
    assert said(study(at={"reach": 0.9}), data)[0].startswith("As the reach rises from 0.1 to 0.3")


def test_events_along_branches_state_their_parameters_once() -> None:
    found = record(turnout=1.0, hopf_parameter=0.3) | {
        "branch_ending": (("branch_id",), np.array(["end"])),
        "parameter_name": ((), np.asarray("reach")),
        "event_kind": (("event",), np.array(["split", "hopf", "split"])),
        "event_parameter": (("event",), np.array([0.1, 0.3, 0.2])),
    }
    about = study(quantities=["hopf_parameter", "turnout"])
    assert said(about, swept({"one": [found]})) == [
        "The turnout is 1.",
        "Branches split or cross at reach 0.1 and 0.2; a Hopf bifurcation lies at reach 0.3.",
    ]
    for slope, kind in ((-2.0, "supercritical"), (2.0, "subcritical")):
        signed = found | {"event_lyapunov": (("event",), np.array([np.nan, slope, np.nan]))}
        (words,) = said(about, swept({"one": [signed]}))[1:]
        assert f"a {kind} Hopf bifurcation lies at reach 0.3: " in words
        assert ("a small stable cycle is born" in words) == (slope < 0)


@pytest.mark.slow
def test_every_bundled_study_says_what_its_answer_is_about() -> None:
    for name in sorted(studies()):
        made = load_study(name)
        if not made.include:
            assert made.answer.get("quantities"), name


def test_profiles_that_are_no_positions_are_told_by_actions() -> None:
    def words(*rows: Sequence[float]) -> str:
        names = np.array([["stag", "hare"]] * 2)
        found = record(profile=rows) | {"action_name": (("player", "axis"), names)}
        return said(study(quantities=["profile"]), swept({"one": [found]}))[0]

    assert words([1.0, 0.0], [1.0, 0.0]) == "Both players play stag."
    assert words([1.0, 0.0], [0.0, 1.0]) == "Player 0 plays stag and player 1 plays hare."


def test_a_strategy_that_all_players_share_is_told_as_a_number() -> None:
    rows = [record(profile=np.full((2, 1), effort)) for effort in (0.125, 0.25, 0.375)]
    assert Answer(study(quantities=["profile"]), swept({"one": rows})).sentences[0].text == (
        "As the reach rises from 0.1 to 0.3, every player's strategy rises from 0.125 to 0.375."
    )
    still = swept({"one": [record(profile=np.full((2, 1), 0.5))] * 3})
    assert "rises" not in Answer(study(quantities=["profile"]), still).sentences[0].text.partition(", ")[2]


def test_claims_are_counted_over_the_methods_and_the_point_of_the_answer() -> None:
    rows = [record("equilibrium", turnout=1.0), record("equilibrium", turnout=2.0)]
    other = [record("not an equilibrium", turnout=5.0)] * 2
    data = swept({"one": rows, "two": other})
    (*_, words) = said(study("one", "two", methods=["one"]), data)
    assert words.startswith("With one, both profiles are equilibria")
    assert said(study("one", "two", methods=["one"], at={"reach": 0.2}), data)[-1].startswith(
        "At reach 0.2, with one, the profile is an equilibrium"
    )
    for about in (study("one", "two"), study("one", "two", methods=["one", "two"])):
        assert said(about, data)[-1].startswith(
            "For one it is an equilibrium at every reach; for two it is no equilibrium at any reach"
        )
    assert said(study("one", methods=["one"]), swept({"one": rows}))[-1].startswith(
        "Both profiles are equilibria"
    )


def optimum(name: str, value: float, tried: list[float], bound: str = "") -> Record:
    return record("equilibrium", turnout=value) | {
        "choice_name": (("choice",), np.array([name])),
        "parameters": (("trial", "choice"), np.array(tried)[:, None]),
        "chosen_parameters": (("choice",), np.array([tried[-1]])),
        "chosen_bound": (("choice",), np.array([bound], dtype="U18")),
    }


def test_of_several_instruments_each_has_its_best_value() -> None:
    data = swept(
        {
            "none": [optimum("subsidy", 0.1, [0.0])],
            "tax": [optimum("tax", 0.6, [0.0, 2.0], "the largest tried")],
            "subsidy": [optimum("subsidy", 0.2, [0.0, 0.05])],
        }
    )
    about = study("none", "tax", "subsidy", words={"none": "without an instrument", "tax": "under a tax"})
    assert said(about, data)[0] == (
        "The turnout is 0.1 without an instrument; 0.6 (at tax 2, the largest tried) under a tax; and 0.2 "
        "(at subsidy 0.05) for subsidy; under a tax no optimum lies inside the range that was tried."
    )
    shown = Answer(about, data).table
    best = [row[shown.columns.index("best choice")] for row in shown.texts]
    assert best == ["", "tax 2, the largest tried", "subsidy 0.05"]


def test_optima_at_an_end_of_a_search_are_marked_and_not_ranked() -> None:
    def tax(value: float, chosen: float, bound: str = "") -> Record:
        return optimum("tax", value, [chosen], bound)

    def words(bound: str) -> str:
        data = swept({"a": [tax(0.6, 8.0, bound)], "b": [tax(0.2, 0.5)], "c": [tax(0.4, 2.0)]})
        return said(study(*"abc", asks="which"), data)[0]

    assert words("").startswith("The turnout is highest for a, 0.6, against 0.4 for c (0.2 more); then")
    assert words("the largest tried") == (
        "The turnout is 0.6 (at tax 8, the largest tried) for a; 0.2 for b; and 0.4 for c; for a no optimum "
        "lies inside the range that was tried."
    )
    cases = {"a": [tax(value, 8.0, "the largest tried") for value in (1.0, 2.0)]}
    cases["b"] = [tax(0.5, 1.0), tax(0.6, 1.0)]
    (along, *_) = said(study("a", "b"), swept(cases))
    assert "highest" not in along
    assert "from 1 (at tax 8, the largest tried) to 2 (at tax 8, the largest tried) for a" in along


def test_only_what_draws_enter_is_called_noise() -> None:
    about = study("one", "two")
    about["method"][1]["kind"] = "repeated_q_learning"
    (words, *_) = said(about, swept({"one": [record(turnout=1.0)], "two": [record(turnout=2.0)]}))
    assert words.endswith("; two is a single run, whose difference may be noise.")


def test_what_depends_on_its_start_alone_is_no_single_run() -> None:
    def words(**table: Any) -> str:
        about = study()
        about["method"] = [{"name": "one", **table}]
        return said(about, along([1.0, 2.0]))[0]

    learned = {"kind": "q_learning"}
    for table in ({"kind": "double_oracle"}, {"kind": "design", "start": "moderate"}):
        assert "one run each" not in words(**table)
    assert "one run each" not in words(kind="design", response_method={"kind": "newton"})
    for table in ({"response_method": learned}, {"response_method": {"kind": "newton"}, "trials": 3}, {}):
        assert "one run each" in words(kind="design", **table)


def test_a_study_that_asks_which_equilibria_has_them_named() -> None:
    found = record("equilibrium", equilibrium_count=2, complete=True) | {
        "equilibria": (("equilibrium", "player", "action"), np.array([np.eye(2), [[0.5, 0.5]] * 2])),
        "action_name": (("player", "axis"), np.array([["stag", "hare"]] * 2)),
    }
    asked = study(quantities=["equilibrium_count", "equilibria"])
    first, claim = said(asked, swept({"one": [found]}))
    assert first.endswith(": (stag, hare); both players play stag and hare with probability 0.5 each.")
    assert claim.startswith("The first equilibrium listed")
    several, named, _ = said(asked, swept({"one": [found] * 2}))
    assert "stag" not in several
    assert named.endswith(
        "reach 0.2, (stag, hare), both players play stag and hare with probability 0.5 each."
    )
    assert not any("stag" in words for words in said(study(), swept({"one": [found] * 2})))
    del found["action_name"]
    assert len(said(asked, swept({"one": [found]}))) == 2


def test_coordinates_of_strategies_are_named_where_they_have_names() -> None:
    found = record(profile=[[1.0, 0.5], [2.0, 0.5]])
    about = study(quantities=["profile"], words={"reach": "width"})
    assert said(about, swept({"one": [found]})) == ["The players' strategies are (1, 0.5), (2, 0.5)."]
    named = found | {"axis_name": (("axis",), np.array(["position", "reach"]))}
    assert said(about, swept({"one": [named]})) == [
        "Player 0 chooses position = 1 and width = 0.5, and player 1 chooses position = 2 and width = 0.5."
    ]


def test_numbers_beyond_what_was_tried_are_no_part_of_a_trend() -> None:
    rows = [record(window_high=value, window_tried=[0.05, 0.8]) for value in (np.inf, np.inf, 0.7, 0.5)]
    (sentence,) = said(study(quantities=["window_high"]), swept({"one": rows}))
    assert "is at least 0.8, the largest tried, from 0.1 to 0.2" in sentence
    assert "falls from 0.7 to 0.5 from 0.3 to 0.4" in sentence


def test_a_negative_control_has_no_value_of_the_key_that_it_replaces() -> None:
    """The control with discount factor 0 is the same at every discount factor, and has one row."""
    about = study("one", kind="repeated_q_learning")
    about["method"][0]["negative_controls"] = ["gamma_zero", "memoryless"]
    for key in ("one.gamma[0]", "gamma"):
        cells = {name: [record(turnout=1.0)] * 3 for name in ("one", "one-gamma_zero", "one-memoryless")}
        places = [(one.algorithm, one.at) for one in points_of(about, swept(cells, key, [0.0, 0.5, 0.9]))]
        own = [("one", {key: x}) for x in (0.0, 0.5, 0.9)]
        without = [("one-memoryless", {key: x}) for x in (0.0, 0.5, 0.9)]
        assert places == [*own, ("one-gamma_zero", {}), *without]


def test_the_winner_is_told_with_what_is_not_significantly_worse() -> None:
    def words(*values: Sequence[float], **more: Any) -> str:
        return compared(*values, asks="which", **more)

    far, near, same = [1.0, 1.1, 0.9], [9.0, 9.1, 8.9], [9.02, 9.12, 8.92]
    assert words(far, near) == (
        "The turnout is highest for b, 9.00 ± 0.25, against 1.00 ± 0.25 for a (8.00 ± 0.35 more)."
    )
    assert words(far, near, same) == (
        "The turnout is highest for c and b, which cannot be told apart: 9.02 ± 0.25 and 9.00 ± 0.25; "
        "then 1.00 ± 0.25 for a."
    )
    assert words(far, near, better="lower").startswith(
        "The turnout is lowest for a, 1.00 ± 0.25, against 9.00 ± 0.25 for b (8.00"
    )
    ties = words([2.0] * 3, [1.0] * 3, [2.0] * 3)
    assert ties == "The turnout is highest for a and c, 2, against 1 for b (1 more)."


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0, 4.0], [4.0, 2.0, 1.0, 0.5], [1.0, 3.0, 2.0, 2.0]])
def test_a_key_is_told_in_the_direction_of_the_study(values: list[float]) -> None:
    """The sentence on a falling key is the one on the rising key with the values reversed."""
    falling = said(study(direction="falling"), along(values))[0]
    mirrored = swept(
        {"one": [record(turnout=value) for value in values[::-1]]}, values=[-x for x in REACHES[::-1]]
    )
    assert falling == said(study(), mirrored)[0].replace("rises", "falls", 1).replace("-0", "0")


def test_how_much_is_told_from_end_to_end() -> None:
    about = study(asks="how much")
    assert said(about, along([1.0, 2.0, 4.0])) == [
        "As the reach rises from 0.1 to 0.3, the turnout rises by 3, from 1 to 4."
    ]
    assert said(about, along([4.0, 2.0, 1.0]))[0].endswith("the turnout falls by 3, from 4 to 1.")
    assert " by " not in said(about, along([1.0, 4.0, 2.0]))[0]
    assert " by " not in said(study(), along([1.0, 2.0, 4.0]))[0]
    two = compared([1.0] * 3, [0.75] * 3, asks="how much")
    assert two == "The turnout is 0.75 for b, against 1 for a (0.25 lower)."


def test_numbers_far_below_what_they_are_measured_in_are_zero() -> None:
    def words(values: Sequence[Any], **more: Any) -> str:
        rows = [record("equilibrium", turnout=value, **more) for value in values]
        return said(study(), swept({"one": rows}))[0]

    assert words([7.772e-16, 1.0]) == "As the reach rises from 0.1 to 0.2, the turnout rises from 0 to 1."
    assert words([7.772e-16, -1.028e-48]) == "The turnout is 0 at every reach."
    assert words([2e-8, 1.0]).endswith("rises from 2e-08 to 1.")  # far above a rounding error
    assert words([[1e-17, 3.0]]) == "The turnout is 0 for player 0 and 3 for player 1."


def test_methods_that_agree_print_the_same_digits() -> None:
    for value in (1012.5, 0.12345, 2.00005):
        near = swept({"a": [record(turnout=value * (1 - 1e-9))], "b": [record(turnout=value * (1 + 1e-9))]})
        assert said(study("a", "b"), near)[0].removeprefix("The turnout is ").count(" ") == 0  # one number


def test_players_have_the_names_of_their_results() -> None:
    names = np.array(["sellers", "type 2"])
    found = record(turnout=[1.0, 2.0]) | {"player_name": (("player",), names)}
    assert said(study(), swept({"one": [found]})) == ["The turnout is 1 for sellers and 2 for type 2."]
    own = study(words={"player 0": "the sellers of books"})
    assert said(own, swept({"one": [found]}))[0].startswith("The turnout is 1 for the sellers of books and")


def test_a_key_without_effect_is_no_case() -> None:
    data = crossed(
        lambda reach, kind, size: reach * size, reach=REACHES[:2], kind=["first", "second"], size=[2.0, 3.0]
    )
    (words,) = said(study(along="reach"), data)
    assert words == (
        "As the reach rises from 0.1 to 0.2, the turnout rises from 0.2 to 0.4 with a size of 2 "
        "and from 0.3 to 0.6 with a size of 3 at every kind."
    )


def test_noise_is_said_of_quantities_that_draws_enter_alone() -> None:
    about = study(quantities=["exploitability", "agents_payoff"])
    about["method"] = [
        {"name": "one", "kind": "rivalry.studies.mean_field_games:FiniteHorizonPlay", "agents": 9}
    ]
    rows = [record(exploitability=value, agents_payoff=value) for value in (1.0, 2.0)]
    first, second = said(about, swept({"one": rows}))
    assert first == "As the reach rises from 0.1 to 0.2, the exploitability rises from 1 to 2."
    assert second.endswith("with one run each, differences may be noise.")


def test_what_is_the_same_at_all_points_of_a_key_is_told_of_all() -> None:
    """A threshold belongs to the game, also where the profile computed there is no equilibrium."""
    claims = ("equilibrium", "not an equilibrium")
    cells = [
        ({"reach": x, "players": n, "algorithm": "one"}, record(claim, turnout=0.1 * n))
        for x, claim in zip((0.1, 0.2), claims, strict=True)
        for n in (2, 3, 4)
    ]
    data = collect(cells, {"reach": [0.1, 0.2], "players": [2, 3, 4], "algorithm": ["one"]})
    assert said(study(), data)[0] == (
        "As the number of players rises from 2 to 4, the turnout rises from 0.2 to 0.4 at every reach."
    )
    ends = swept({"one": [record(claim, end_state="cycle") for claim in claims]})
    assert (
        said(study(quantities=["end_state"]), ends)[0] == "The end of the dynamics is a cycle at every reach."
    )


def test_claims_along_a_key_are_told_where_they_change() -> None:
    claims = ["not an equilibrium", "not an equilibrium", "no deviation found", "no deviation found"]
    data = swept({"one": [record(claim, turnout=1.0) for claim in claims]})
    about = study(quantities=["claim"])
    assert said(about, data)[0] == (
        "At reach 0.1 and 0.2 player 1 could gain up to 0.3, and at 0.3 and 0.4 no profitable deviation was "
        "found by a search."
    )
    about["answer"]["direction"] = "falling"
    assert said(about, data)[0].startswith(
        "At reach 0.4 and 0.3 no profitable deviation was found by a search, and at 0.2"
    )
    same = swept({"one": [record("equilibrium", turnout=1.0)] * 3})
    assert said(study(quantities=["claim"]), same) == [
        "All 3 profiles are equilibria; no player can gain by deviating."
    ]


def test_two_quantities_of_the_same_sessions_are_compared_in_pairs() -> None:
    common = np.array([1.0, 5.0, 9.0, 3.0])
    found = {"status": ((), np.asarray("completed"))} | {
        name: (("session",), values) for name, values in (("late", common - APART), ("early", common))
    }
    about = study(kind="repeated_q_learning", quantities=["late", "early"], asks="how much")
    assert said(about, swept({"one": [found]})) == [
        "The late is 4.2 ± 5.4, against 4.5 ± 5.4 for the early (0.300 ± 0.013 lower in the same sessions)."
    ]
    about["answer"]["asks"] = "what"
    assert "lower" not in said(about, swept({"one": [found]}))[0]


def test_a_name_with_a_comma_is_a_name() -> None:
    words = {"player 0": "the impatient, with discount factor 0.7", "player 1": "the patient"}
    (text,) = said(study(words=words), swept({"one": [record(turnout=[1.0, 2.0])]}))
    assert text == "The turnout is 1 for the impatient, with discount factor 0.7; and 2 for the patient."
    rising = swept({"one": [record(turnout=[1.0, 2.0]), record(turnout=[2.0, 2.0])]})
    assert "the turnout of the patient stays at 2" in said(study(words=words), rising)[0]


@pytest.mark.parametrize("dim", ["session", "run"])
def test_runs_of_a_cell_give_an_interval(dim: str) -> None:
    found = {"status": ((), np.asarray("completed")), "turnout": ((dim,), np.array([1.0, 2.0, 3.0]))}
    # t(0.975, 2) / sqrt(3) = 2.4841
    assert said(study(kind="repeated_q_learning"), swept({"one": [found]})) == ["The turnout is 2.0 ± 2.5."]


def test_means_with_a_stored_interval_are_no_single_runs() -> None:
    # as a method stores that runs several sessions in one cell
    def found(mean: float, half: float) -> Record:
        return record(turnout_mean=mean, turnout_interval=half)

    about = study("one", "two", kind="directional", quantities=["turnout_mean"])
    data = swept({"one": [found(45.0, 0.0), found(54.0, 1.2)], "two": [found(45.0, 0.0), found(55.0, 1.4)]})
    text = " ".join(said(about, data))
    assert "single run" not in text
    assert {"54.0 ± 1.2", "55.0 ± 1.4"} <= set(re.findall(r"\d[\d.]* ± [\d.]*\d", text))
    single = Answer(about, swept({"one": [found(54.0, 1.2)]})).points[0]
    (one,) = single.quantities["turnout_mean"]
    assert (one.text, one.mean, one.low, one.high) == ("54.0 ± 1.2", 54.0, 52.8, 55.2)
    assert single.numbers("turnout_mean", {}) == (one,)


def test_actions_have_the_names_of_the_study_where_the_game_has_none() -> None:
    data = swept({"one": [record(profile=[[0.25, 0.75], [0.25, 0.75]])]})
    about = study(quantities=["profile"], words={"axis 0": "stag", "axis 1": "hare"})
    assert said(about, data) == ["Both players play stag with probability 0.25 and hare with 0.75."]
    names = {"player 0, axis 0": "top", "player 0, axis 1": "bottom", "axis 0": "left", "axis 1": "right"}
    about = study(quantities=["profile"], words=names)
    assert said(about, data)[0].startswith(
        "Player 0 plays top with probability 0.25 and bottom with 0.75, and"
    )
    places = study(
        game=LINE, quantities=["profile"], words={"profile": "mix", "axis 0": "one", "axis 1": "two"}
    )
    data = swept({"one": [record(profile=[[0.25, 0.75]] * 4)]})
    assert said(places, data) == ["Every player's mix (one, two) is (0.25, 0.75)."]


def test_points_of_a_zip_are_no_course_and_have_all_their_numbers() -> None:
    data = zipped(cost=[4.0, 0.0, 2.0], price=[20.0, 16.0, 18.0])
    assert said(study(), data) == [
        "The turnout is 0 with a cost of 4 and a price of 20, 1 with a cost of 0 and a price of "
        "16, and 2 with a cost of 2 and a price of 18."
    ]
    (words,) = said(study(along="price", words={"cost": ""}), data)  # the study tells one of them alone
    assert words == "As the price rises from 16 to 20, the turnout rises from 1 to 2 at 18, then falls to 0."


def test_a_sweep_says_where_at_its_end_nothing_was_found() -> None:
    rows = [record(turnout=value) for value in (1.0, 2.0, np.nan)]
    words = "As the reach rises from 0.1 to 0.2, the turnout rises from 1 to 2; none was found at 0.3."
    assert said(study(), swept({"one": rows})) == [words]


def test_a_quantity_of_players_is_not_that_of_the_first_equilibrium_of_a_list() -> None:
    several = record(turnout=[1.0, 2.0], equilibrium_count=2) | {
        "equilibria": (("equilibrium", "player", "action"), np.array([np.eye(2), [[0.5, 0.5]] * 2]))
    }
    data = swept({"one": [several], "two": [record(turnout=[3.0, 4.0])]})
    words = said(study("one", "two", words={"two": "the second"}), data)
    assert "The turnout is 3 for player 0 and 4 for player 1 for the second." in words


def test_the_best_of_several_cases_is_best_for_all_players() -> None:
    def words(*cases: Sequence[float]) -> str:
        data = swept({name: [record(turnout=own)] for name, own in zip("abc", cases, strict=True)})
        return said(study("a", "b", "c", asks="which", better="lower"), data)[0]

    first = words([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])
    assert first.startswith("The turnout is lowest for a, 1 (player 0) and 2 (player 1); it is 3 (player 0)")
    assert "lowest" not in words([1.0, 4.0], [3.0, 5.0], [6.0, 7.0])


def test_numbers_that_are_labels_have_the_names_of_the_study() -> None:
    assert said(study(words={"turnout = 0": "the hawk"}), along([0.0])) == ["The turnout is the hawk."]


def test_cases_of_one_claim_throughout_are_one_clause() -> None:
    rows = {name: [record("equilibrium", turnout=1.0)] * 2 for name in "ab"}
    rows["c"] = [record("not an equilibrium", turnout=1.0)] * 2
    words = said(study("a", "b", "c", quantities=["claim"]), swept(rows))
    assert words[0] == (
        "For a and b it is an equilibrium at every reach; "
        "for c it is no equilibrium at any reach (gains of up to 0.3)."
    )


def test_equal_courses_are_told_once() -> None:
    data = crossed(lambda reach, rule: -reach if rule == "z" else reach, reach=REACHES[:2], rule=list("xyz"))
    words = said(study(kind="repeated_q_learning", along="reach"), data)[0]
    assert "goes from 0.1 to 0.2 for rule x and rule y" in words


def test_claims_that_name_their_methods_do_not_count_them() -> None:
    claims = {"a": "equilibrium", "b": "not an equilibrium", "c": "equilibrium"}
    rows = {name: claimed(claim) for name, claim in claims.items()}
    words = said(study("a", "b", "c", methods=["a", "b"]), swept(rows))[-1]
    assert words == "With a the profile is an equilibrium; with b player 1 could gain 0.3."


def test_values_of_keys_have_names_in_places() -> None:
    words = {
        f"{side} = {x}": f"{name} {side}" for side in SIDES for x, name in ((0.05, "half"), (0.1, "full"))
    }
    assert said(study(words=words), zipped(**SIDES)) == [
        "The turnout is 0 for full left, full right; 1 for half left, full right; "
        "and 2 for full left, half right."
    ]


@pytest.mark.parametrize(
    ("truths", "words"),
    [
        ([True] * 2, "in both cases"),
        ([True] * 3, "in all 3 cases"),
        ([False] * 3, "in no case"),
        ([False, True, False], "in 1 of 3 cases: full"),
        ([True, True, False], "in 2 of 3 cases, not for stake high"),
    ],
)
def test_truths_of_cases_are_counted(truths: list[bool], words: str) -> None:
    places = ["none", "full", "high"][: len(truths)]
    cells = {"one": [record(settled=truth) for truth in truths]}
    named = {"settled": "bargains are settled", "full": "full"}
    about = study(kind="repeated_q_learning", quantities=["settled"], words=named)
    assert said(about, swept(cells, "stake", places)) == [f"Bargains are settled {words}."]


def test_a_quantity_that_only_the_dataset_has_is_a_caveat() -> None:
    sums = {"pattern": (("session",), np.array(["none", "cycle"]))}
    data = swept({"one": [record(turnout=1.0) | sums]})
    line = "pattern is asked for, but no sentence or table has it, only the dataset"
    assert line in Answer(study(quantities=["turnout", "pattern"]), data).caveats
    assert line not in Answer(study(quantities=["turnout"]), data).caveats


def test_gains_of_sessions_have_a_single_interval_and_its_number_of_sessions() -> None:
    """Over two replications of four sessions the mean gain is told once, with the interval of eight gains."""
    gains = np.array([[0.1, 0.2, 0.3, 0.4], [0.2, 0.4, 0.4, 0.6]])
    rows = [
        ({"algorithm": "one", "replication": k}, record(pooled_gain=own, gain_mean=own.mean(), price=1.0 + k))
        for k, own in enumerate(gains)
    ]
    data = collect(rows, {"algorithm": ["one"], "replication": [0, 1]})
    about = study("one", kind="repeated_q_learning", game={"family": "market"})
    del about["answer"]
    half = scipy.stats.t.ppf(0.975, 7) * gains.std(ddof=1) / 8**0.5
    table = Answer(about, data).table
    known = dict(zip(table.columns, table.texts[0], strict=True))
    assert known["profit gain"] == f"{gains.mean():.2f} ± {half:.2f}"
    assert "profit gain, mean over sessions" not in known
    assert (known["n"], known["n, profit gain"]) == ("2", "8")


def adoption(kind: str, **options: Any) -> Study:
    """Return a study of adoption with network effects: beyond 0, x = k x^2/(x^2 + .09) from k = .6 on."""
    benefit = "k*x{}^2/(x{}^2 + 0.09)"
    payoffs = [f"x{i}*{benefit.format(j, j)} - x{i}^2/2" for i, j in ((1, 2), (2, 1))]
    return Study(
        question="How does adoption change with the value of the network?",
        game={"family": "continuous", "payoffs": payoffs, "high": 1.0, "parameters": {"k": 1.0}},
        method={"kind": kind, **options},
        sweep={"game.parameters.k": [0.4, 0.5, 0.7, 0.8, 1.0]},
        answer={"quantities": ["profile"], "words": {"profile": "adoption"}},
    )


@pytest.mark.slow
def test_a_sweep_across_a_fold_is_not_told_as_a_rise(tmp_path: Path) -> None:
    # nothing but 0 exists below .6; at .7 the largest equilibrium is (.7 + sqrt(.13))/2
    solved = adoption("best_response", start=[[1.0], [1.0]]).run(tmp_path / "solved").answer
    course = "stays at 0 up to 0.5, is 0.5303 at 0.7, then rises to 0.9"
    assert course in solved.sentences[0].text
    listed = adoption("all_equilibria").run(tmp_path / "listed").answer
    assert not any("adoption is 0" in sentence.text for sentence in listed.sentences)
    assert listed.figure["kind"] == "bifurcation"  # which draws the list


def test_steps_against_a_rise_are_said_though_none_is_significant() -> None:
    def words(*means: float) -> str:
        at = dict(zip(REACHES, means, strict=False))
        data = crossed(
            lambda reach, replication: at[reach] + 0.2 * (replication - 1),
            reach=list(at),
            replication=range(3),
        )
        return said(study("one"), data)[0]

    assert "rises from 1.0" in words(1.0, 2.0, 3.0)
    assert "rises on the whole from 1.0" in words(1.0, 2.1, 2.0, 3.0)


def test_what_is_highest_of_several_methods_is_said_beside_the_others() -> None:
    def words(*methods: str) -> str:
        names = ("one", "two", "three", "four", "five", "one-memoryless")
        values = (1.0, 2.0, 3.0, 4.0, 5.0, 9.0)
        data = swept({name: [record(turnout=value)] for name, value in zip(names, values, strict=True)})
        about = study(*names[:5], methods=list(methods)) | {"question": "Which rule has most turnout?"}
        return said(about, data)[0]

    asked = ("one", "two", "three", "four")
    assert words(*asked).startswith("Five and negative controls aside, the turnout is highest for four, 4")
    every = (*asked, "five")
    assert words(*every).startswith("Negative controls aside, the turnout is highest for five, 5")


def test_players_have_the_range_of_their_own_numbers() -> None:
    values = ([1.0, 9.0], [2.0, 8.0], [3.0, 7.0], [4.0, 6.0])
    names = ("one", "two", "three", "four")
    data = swept({name: [record(payoff=pair)] for name, pair in zip(names, values, strict=True)})
    assert said(study(*names, quantities=["payoff"]), data)[0] == (
        "The payoff of player 0 ranges from 1 for one to 4 for four and the payoff of player 1 ranges from 6 "
        "for four to 9 for one."
    )


def test_an_equilibrium_is_confirmed_and_other_profiles_are_named() -> None:
    claims = {"a": "equilibrium", "b": "equilibrium", "c": "not an equilibrium"}
    data = swept({name: [record(claim, turnout=1.0)] for name, claim in claims.items()})
    names = {"a": "the equilibrium", "b": "the published profile", "c": "even mixing"}
    about = study(*claims, words=names)
    assert said(about, data)[-1] == (
        "The equilibrium is confirmed; with the published profile it is an equilibrium; "
        "with even mixing player 1 could gain 0.3."
    )
    for table in about["method"][1:]:
        table["kind"] = "evaluate"
    assert said(about, data)[-1] == (
        "The equilibrium is confirmed; the published profile is an equilibrium; "
        "at even mixing player 1 could gain 0.3."
    )
    alone = said(study(*claims, words=names, methods=["a"]), data)[-1]
    assert alone == "The equilibrium is confirmed; no player can gain by deviating."


def test_sessions_of_some_methods_name_them() -> None:
    def words(*in_equilibrium: int) -> str:
        rows = {name: [record("not an equilibrium", in_equilibrium=list(in_equilibrium))] for name in "ab"}
        return said(study(*"ab", methods=["a"], words={"a": "learning"}), swept(rows))[-1]

    assert words(0, 0).startswith("In none of the 2 sessions with learning is play an equilibrium")
    assert words(1, 0).startswith("In 1 of the 2 sessions with learning, play is an equilibrium")


def test_cases_with_long_names_are_compared_by_their_places() -> None:
    def words(*values: Sequence[float]) -> str:
        return compared(*values, names=["a, first", "b, second", "c, third"])

    low, near, high = [1.0, 1.1, 0.9], [1.0, 1.2, 0.9], [9.0, 9.1, 8.9]
    assert words(low, near, high).endswith("; the first and the second do not differ significantly.")
    wide = [1.0, 9.0, 5.0]
    assert words(low, wide, high).endswith("; only the first and the third differ significantly.")


def test_players_with_several_choices_are_told_with_the_names_of_their_choices() -> None:
    def words(*profile: Sequence[float]) -> str:
        data = swept({"one": [record(profile=profile)]})
        choices = [["x1", "x2"], ["x3"]] if np.isnan(profile[1][1]) else [["x1", "x2"], ["x3", "x4"]]
        game = {"family": "continuous", "choices": choices}
        return said(study("one", game=game, quantities=["profile"]), data)[0]

    assert words([0.0, 11.0], [8.0, np.nan]) == (
        "Player 0 chooses x1 = 0 and x2 = 11, and player 1 chooses x3 = 8."
    )
    assert words([0.5, 2.0], [4.0, 1.0]) == (
        "Player 0 chooses x1 = 0.5 and x2 = 2, and player 1 chooses x3 = 4 and x4 = 1."
    )
    game = {"family": "influencer", "choose_reach": [0.1, 1.0]}
    named = study("one", game=game, quantities=["profile"], words={"axis 0": "place", "axis 1": "reach"})
    alike = swept({"one": [record(profile=[[5.0, 2.0], [5.0, 2.0], [1.0, 3.0]])]})
    assert said(named, alike)[0] == (
        "Player 0 and player 1 choose place = 5 and reach = 2, and player 2 chooses place = 1 and reach = 3."
    )


def test_that_lists_are_complete_is_said_once() -> None:
    def words(*complete: bool) -> str:
        rows = {
            name: [record(equilibrium_count=k, pure_count=k, component_count=k, complete=is_complete)]
            for k, (name, is_complete) in enumerate(zip("ab", complete, strict=True), start=1)
        }
        return said(study(*"ab", kind="mixed_equilibria"), swept(rows))[0]

    assert words(True, True) == (
        "For a there is 1 equilibrium in pure strategies; for b there are 2 equilibria in pure "
        "strategies; all lists are complete."
    )
    assert "(complete list)" in words(True, False)
