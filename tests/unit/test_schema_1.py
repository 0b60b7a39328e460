"""Upgrades of runs of version 0.1 to the current keys, methods, variables and words."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
import pytest

from rivalry import plots
from rivalry.lab.store import schema_1
from rivalry.lab.store.schema_1 import upgrade_head, upgrade_record, upgrade_study
from rivalry.lab.study import build


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        schema_1, "GAME_KEYS", {"duel": {"d": "harm.cost", "harm": "harm.kind", "A": "skill"}}
    )
    monkeypatch.setattr(schema_1, "METHOD_KINDS", {"omd": "online_mirror_descent"})
    monkeypatch.setattr(schema_1, "METHOD_KEYS", {"last": "tail", "q": "step"})
    monkeypatch.setattr(schema_1, "VARIABLES", {"duel": {"xs": "safety_input"}})
    monkeypatch.setattr(schema_1, "FORMER", {"mean_bids": {"kind": "lines", "quantity": "bid"}})


def head() -> dict[str, Any]:
    study = {
        "name": "old",
        "cost": "nightly",
        "game": {"family": "duel", "d": 1.0, "harm": "linear", "A": 2.0},
        "method": [{"name": "omd", "kind": "omd", "q": 1, "last": 3}],
        "sweep": {"game.A": [1.0, 2.0], "method.omd.q": [1, 2]},
        "batch": {"game.d[0]": [1.0]},
        "quick": {"sweep": {"game.A": [1.0]}, "method.omd.last": 2},
        "plots": ["mean_bids", {"kind": "scenario", "over": "A", "quantities": ["xs"], "at": {"omd.q": 1}}],
        "expect": [{"quantity": "xs", "at": {"A": 1.0, "method": "omd"}, "expected": 1.0, "over": "max"}],
    }
    at = {"A": 1.0, "omd.q": 1, "method": "omd", "replication": 0}
    axes = {"A": [1.0, 2.0], "omd.q": [1, 2], "method": ["omd"], "replication": [0]}
    cells = [["0" * 16, {"A": 1.0, "omd.q": 1}, "omd", 0, at]]
    return {"schema": 1, "study": study, "axes": axes, "companions": {"w": ["A", [5, 6]]}, "cells": cells}


def test_names_are_renamed_everywhere_in_a_head(names: None) -> None:
    new = upgrade_head(head())
    study = new["study"]
    assert study["game"] == {"family": "duel", "harm": {"cost": 1.0, "kind": "linear"}, "skill": 2.0}
    assert study["method"] == [{"name": "omd", "kind": "online_mirror_descent", "step": 1, "tail": 3}]
    assert study["cost"] == "minutes"
    assert study["sweep"] == {"game.skill": [1.0, 2.0], "method.omd.step": [1, 2]}
    assert study["batch"] == {"game.harm.cost[0]": [1.0]}
    assert study["quick"] == {"sweep.game.skill": [1.0], "method.omd.tail": 2}
    assert study["plots"] == [
        {"kind": "lines", "quantity": "bid"},
        {"kind": "scenario", "over": "skill", "quantities": ["safety_input"], "at": {"omd.step": 1}},
    ]
    (row,) = study["expect"]
    assert (row["quantity"], row["reduce"]) == ("safety_input", "max")
    assert row["at"] == {"skill": 1.0, "algorithm": "omd"}
    assert list(new["axes"]) == ["skill", "omd.step", "algorithm", "replication"]
    assert new["companions"] == {"w": ["skill", [5, 6]]}
    ((id, point, method, replication, at),) = new["cells"]
    assert (id, method, replication) == ("0" * 16, "omd", 0)
    assert point == {"skill": 1.0, "omd.step": 1}
    assert at == {"skill": 1.0, "omd.step": 1, "algorithm": "omd", "replication": 0}


def test_a_record_gets_the_current_names_and_words(names: None) -> None:
    record = {
        "status": (("sample",), np.array(["settled", "budget spent", "cycling", "no answer"])),
        "xs": (("sample",), np.arange(4.0)),
    }
    solved = upgrade_record(record | {"residual": (("sample",), np.zeros(4))}, "duel")
    assert solved["status"][1].tolist() == ["converged", "iteration limit", "cycling", "not found"]
    assert solved["safety_input"][1].tolist() == [0.0, 1.0, 2.0, 3.0]
    learned = upgrade_record(record, "duel")  # learners store no residual, and run the steps they are given
    assert learned["status"][1].tolist() == ["converged", "completed", "cycling", "not found"]


def test_a_market_of_version_0_1_is_upgraded() -> None:
    shock = {"kind": "markov", "levels": [-1.0, 1.0], "chain": [[0.9, 0.1], [0.1, 0.9]]}
    game = {"family": "market", "a": 40.0, "c": [4.0, 4.0], "xi": 0.2, "shock": shock, "gamma": 0.9}
    base = head()["study"] | {"plots": [], "expect": [], "quick": {}, "batch": {}}
    new = upgrade_study(base | {"game": game, "sweep": {"game.c[1]": [4.0], "game.shock.chain[0]": [1]}})
    assert list(new["sweep"]) == ["game.unit_cost[1]", "game.shock.transitions[0]"]
    made = build.build_game(new["game"])
    np.testing.assert_allclose(made.gamma, 0.9)
    logit = upgrade_study(base | {"sweep": {}, "game": {"family": "market", "demand": "logit", "a": 3.0}})
    assert logit["game"]["quality"] == 3.0
    build.build_game(logit["game"])
    poor = {"family": "karma", "kbar": 2.0, "kmax": 5}
    karma = upgrade_study(base | {"sweep": {"game.kbar": [2.0]}, "game": poor})
    assert (karma["game"]["mean_karma"], list(karma["sweep"])) == (2.0, ["game.mean_karma"])
    build.build_game(karma["game"])


def test_a_city_of_version_0_1_is_upgraded() -> None:
    types = [{"name": "a", "urgency_law": [0.3, 0.7]}, {"name": "b"}]
    game = {"family": "city", "trip_law": [0.2, 0.2, 0.2, 0.2, 0.2], "types": types}
    base = head()["study"] | {"batch": {}, "expect": [], "quick": {}, "method": [], "plots": ["bid_law"]}
    new = upgrade_study(base | {"game": game, "sweep": {"game.types[0].urgency_law[1]": [0.7]}})
    assert new["game"]["types"] == [{"name": "a", "urgency_distribution": [0.3, 0.7]}, {"name": "b"}]
    assert list(new["sweep"]) == ["game.types[0].urgency_distribution[1]"]
    assert new["plots"] == [{"kind": "bid_distribution"}]
    build.build_game(new["game"] | {"types": None})
    stored = {"bid_law": (("bid",), np.ones(2)), "lane_queue": (("lane",), np.zeros(3))}
    assert set(upgrade_record(stored, "city")) == {"bid_distribution", "lane_queue"}


def test_a_race_of_version_0_1_is_upgraded() -> None:
    game = {"family": "race", "r": [0.1, 0.1], "beliefs": [{"A": 10.0}, {}], "keep_prize": True}
    design = {"name": "tax", "kind": "design", "choices": {"tax": [0.0, 1.0], "no.key": [1]}}
    sweep = {"game.beliefs[0].A": [10.0, 5.0], "game.r[0]": [0.1]}
    plots = [{"kind": "scenario", "over": "beliefs[0].A", "series": "d"}]
    base = head()["study"] | {"batch": {}, "expect": [], "quick": {"method.tax.choices": {"tax": [0.0]}}}
    new = upgrade_study(base | {"game": game, "method": [design], "sweep": sweep, "plots": plots})
    assert new["game"]["beliefs"] == [{"safety_productivity": 10.0}, {}]
    assert new["game"]["reward"] == {"prize_survives": True}
    assert list(new["sweep"]) == ["game.beliefs[0].safety_productivity", "game.cost.price[0]"]
    assert new["method"][0]["choices"] == {"performance_tax": [0.0, 1.0], "no.key": [1]}
    assert new["quick"] == {"method.tax.choices": {"performance_tax": [0.0]}}
    assert new["plots"] == [
        {"kind": "scenario", "over": "beliefs[0].safety_productivity", "series": "disaster_cost"}
    ]
    build.build_game({"family": "race", "reward": {"prize_survives": True}, "cost": new["game"]["cost"]})


@pytest.mark.parametrize(
    ("row", "now"),
    [
        ({"kind": "cube"}, {"kind": "paths", "space": "cube"}),
        ({"kind": "cube", "along_diagonal": False}, {"kind": "paths", "space": "cube"}),
        ({"kind": "cube", "along_diagonal": True}, {"kind": "paths", "space": "diagonal"}),
        (
            {"kind": "profit_gain", "cumulative": True},
            {"kind": "histogram", "quantity": "pooled_gain", "form": "cumulative"},
        ),
    ],
)
def test_options_of_retired_plots_are_upgraded(row: dict[str, Any], now: dict[str, Any]) -> None:
    study = head()["study"] | {"plots": [row], "expect": [], "quick": {}, "batch": {}}
    assert upgrade_study(study)["plots"] == [now]
    assert set(now) - {"kind"} <= set(signature(getattr(plots, now["kind"])).parameters)


def test_native_play_of_deep_learners_is_upgraded() -> None:
    tables = [{"kind": "rllib.ppo", "moves": "lived"}, {"kind": "rllib.dqn", "moves": "grid"}]
    bare = head()["study"] | {"plots": [], "expect": [], "quick": {}, "batch": {}, "sweep": {}}
    new = upgrade_study(bare | {"game": {"family": "race"}, "method": tables})
    assert [table["moves"] for table in new["method"]] == ["native", "grid"]


def test_dimensions_of_a_record_are_renamed() -> None:
    record = {"kbar": (("kbar",), np.arange(2.0)), "mean_bid": (("kbar", "karma"), np.zeros((2, 3)))}
    new = upgrade_record(record, "karma")
    assert {name: dims for name, (dims, _) in new.items()} == {
        "mean_karma": ("mean_karma",),
        "mean_bid": ("mean_karma", "karma"),
    }


def test_a_batch_of_starts_of_version_0_1_has_the_present_dimension() -> None:
    regret = {"regret": (("lane", "player"), np.zeros((2, 3)))}
    cell = regret | {"lane": (("lane",), np.arange(2)), "basin": (("lane",), np.zeros(2))}
    assert {name: dims for name, (dims, _) in upgrade_record(cell, "influencer").items()} == {
        "regret": ("batch", "player"),
        "batch": ("batch",),
        "basin": ("batch",),
    }
    assert upgrade_record(regret, "influencer")["regret"][0] == ("batch", "player")  # a stored certificate
    roads = {"regret": (("player",), np.zeros(3)), "lane_bid": (("lane",), np.zeros(2))}
    assert upgrade_record(roads, "city") == roads
    base = head()["study"] | {"plots": [], "quick": {}, "batch": {}, "sweep": {}}
    expect = [{"quantity": "regret", "at": {"lane": 1}, "expected": 0.0}]
    for extra, name in (({"starts": 2}, "batch"), ({}, "lane")):
        method = [{"name": "a", "kind": "newton"} | extra]
        (row,) = upgrade_study(base | {"method": method, "expect": expect})["expect"]
        assert row["at"] == {name: 1}


def test_action_grids_of_version_0_1_are_upgraded() -> None:
    method = [{"name": "learner", "kind": "q_learning", "places": 11}, {"kind": "mine.py:Own", "places": 3}]
    base = head()["study"] | {"plots": [], "expect": [], "quick": {}, "batch": {}}
    old = base | {"method": method, "sweep": {"method.learner.places": [11, 101]}}
    old["plots"] = [{"kind": "policy", "at": {"learner.places": 11}}]
    new = upgrade_study(old | {"game": {"family": "influencer"}})
    assert [sorted(table) for table in new["method"]] == [["action_grid", "kind", "name"], ["kind", "places"]]
    assert new["sweep"] == {"method.learner.action_grid": [11, 101]}
    record = {"places": (("player", "place", "axis"), np.zeros((2, 3, 1)))}
    assert upgrade_record(record, "influencer")["action_grid"][0] == ("player", "grid_point", "axis")
    bids = {"example_mean_bid": (("example", "trip", "place", "karma"), np.zeros((1, 1, 1, 1)))}
    assert upgrade_record(bids, "city") == bids


def test_designs_of_version_0_1_are_upgraded_with_their_response_method() -> None:
    design = {"name": "a", "kind": "design", "choices": {"kbar": [1.0]}}
    design |= {"inner": {"kind": "newton", "eps": 0.1}}
    base = head()["study"] | {"plots": [], "expect": [], "quick": {}, "batch": {}, "sweep": {}}
    (new,) = upgrade_study(base | {"method": [design], "game": {"family": "karma"}})["method"]
    assert new["response_method"] == {"kind": "newton", "exploration": 0.1}
    assert new["choices"] == {"mean_karma": [1.0]}
