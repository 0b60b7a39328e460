"""Distances to the nearest certified profile at the same point, by any method."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.core.results import Record
from rivalry.lab.executor import run_study
from rivalry.lab.store.cells import Row, with_distances
from tests.duel_study import study


def record(profile: Any, claim: Any = "", alike: list[int] | None = None) -> Record:
    array = np.asarray(profile, dtype=float)[..., None]
    lead = ("batch",) if array.ndim == 3 else ()
    found: Record = {"profile": ((*lead, "player", "axis"), array), "claim": (lead, np.asarray(claim))}
    if alike is not None:
        found["exchangeable"] = (("player",), np.asarray(alike))
    return found


def row(method: str, reach: float, found: Record, **more: Any) -> Row:
    return {"reach": reach, "algorithm": method, "replication": 0} | more, found


def told(rows: list[Row]) -> list[tuple[float, str]]:
    made = with_distances(rows, {"reach"})
    return [(round(float(r["distance"][1]), 9), str(r["nearest_method"][1])) for _, r in made]


def test_distance_to_the_nearest_certified_profile_of_any_method() -> None:
    rows = [
        row("climb", 0.1, record([0.0, 1.0], "not an equilibrium")),
        row("flow", 0.1, record([0.3, 1.0], "equilibrium")),
        row("newton", 0.1, record([0.0, 0.9], "no deviation found")),
        row("newton", 0.2, record([0.0, 1.0], "equilibrium")),
        row("climb", 0.3, record([0.0, 1.0], "local equilibrium")),
        row("flow", 0.2, record([np.nan, np.nan], "")),
    ]
    near = round(np.sqrt(0.1**2 / 2), 9)
    found = told(rows)
    assert found[:4] == [(near, "newton"), (0.0, "flow"), (0.0, "newton"), (0.0, "newton")]
    assert all(np.isnan(apart) and method == "" for apart, method in found[4:])


def test_exchangeable_players_are_permuted() -> None:
    for alike, apart in (([0, 0], 0.0), ([0, 1], 1.0), (None, 1.0)):
        rows = [
            row("climb", 0.1, record([0.0, 1.0], "not an equilibrium", alike)),
            row("flow", 0.1, record([1.0, 0.0], "equilibrium", alike)),
        ]
        assert told(rows)[0] == (apart, "flow")


def test_distances_in_reparametrised_boxes_use_unconstrained_profiles() -> None:
    rows = []
    for method, claim, amounts in (("climb", "", [1e-6, 1.0]), ("flow", "equilibrium", [1e-9, 1.0])):
        logarithms = record(np.log(amounts))["profile"]
        rows.append(row(method, 0.1, record(amounts, claim) | {"unconstrained_profile": logarithms}))
    more = np.log([[[1e-6], [2.0]]])
    beside = {"equilibria": (("k", "player", "axis"), np.exp(more))}
    rows[1][1].update(beside | {"unconstrained_equilibria": (("k", "player", "axis"), more)})
    assert told(rows)[0] == (round(np.log(2.0) / np.sqrt(2), 9), "flow")


def test_mixtures_are_compared_by_their_mean_but_are_no_targets() -> None:
    mean = (("player", "axis"), np.array([[0.5], [0.5]]))
    mixed: Record = {
        "mixture": (("player", "action"), np.full((2, 2), 0.5)),
        "unconstrained_profile": mean,
        "claim": ((), np.asarray("no deviation found")),
    }
    pure = record([0.0, 0.0], "equilibrium")
    (_, found), (_, other) = with_distances([row("mix", 0.1, mixed), row("pure", 0.1, pure)], {"reach"})
    assert (float(found["distance"][1]), str(found["nearest_method"][1])) == (0.5, "pure")
    assert str(other["nearest_method"][1]) == "pure"


def test_every_batch_entry_has_a_distance_and_provides_equilibria() -> None:
    batch = record([[0.0, 0.0], [1.0, 1.0], [0.2, 0.2]], ["equilibrium", "equilibrium", "not an equilibrium"])
    (_, found), (_, other) = with_distances(
        [row("a", 0.1, batch), row("b", 0.1, record([1.0, 1.0]))], {"reach"}
    )
    np.testing.assert_allclose(found["distance"][1], [0.0, 0.0, 0.2])
    assert found["distance"][0] == ("batch",)
    assert (float(other["distance"][1]), str(other["nearest_method"][1])) == (0.0, "a")


def test_batched_game_parameters_are_separate_points() -> None:
    profile = np.array([[0.0, 0.0], [1.0, 1.0]])[..., None]
    batch: Record = {
        "profile": (("reach", "player", "axis"), profile),
        "claim": (("reach",), np.asarray(["not an equilibrium", "equilibrium"])),
    }
    ((_, found),) = with_distances([({"algorithm": "a"}, batch)], {"reach"})
    np.testing.assert_array_equal(found["distance"][1], [np.nan, 0.0])


def test_additional_equilibria_are_targets() -> None:
    several = record([0.0, 0.0], "equilibrium")
    several["equilibria"] = (("equilibrium", "player", "action"), np.array([[[0.0], [0.0]], [[1.0], [1.0]]]))
    rows = [row("all", 0.1, several), row("climb", 0.1, record([0.9, 0.9], "not an equilibrium"))]
    assert told(rows)[1] == (0.1, "all")


@pytest.mark.slow
def test_a_dataset_of_a_run_includes_distances(tmp_path: Path) -> None:
    methods = [
        {"kind": "best_response", "start": [0.3, 0.7], "max_steps": 50},
        {"kind": "duel.py:Climb", "name": "climb", "start": [0.3, 0.7], "max_steps": 3},
    ]
    sweep = {"game.prize": [0.5, 1.0], "method.climb.size": [1e-3, 2e-3]}
    made = study(tmp_path, method=methods, sweep=sweep, replications={})
    data = run_study(made, tmp_path / "run").dataset()
    ours = data.sel({"algorithm": "climb"})
    # in equilibrium each effort is prize / 4
    want = np.sqrt(((ours.profile - data.prize / 4) ** 2).sum("axis").mean("player"))
    np.testing.assert_allclose(ours.distance, want, atol=1e-6)
    assert np.all(ours.nearest_method == "best_response")
