"""Excessive sizes are refused in one line, before memory of that size is allocated."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rivalry as rv
from rivalry.cli import main
from rivalry.lab.study import Study, StudyError

HUGE = 10**9
MESH = {"kind": "mesh", "m": 9}
GAME = {"family": "influencer", "reach": [0.2, 0.3]}
METHOD = {"kind": "evaluate", "start": [0.1, 0.2]}


@pytest.mark.parametrize(
    ("make", "given"),
    [
        *((make, {"players": HUGE}) for make in (rv.games.influencer, rv.games.race, rv.games.market)),
        (rv.games.precipice, {"players": HUGE}),
        (rv.games.auction, {"players": HUGE}),
        *((rv.games.matrix, {"name": "minimum_effort", key: HUGE}) for key in ("players", "size")),
        (rv.games.matrix, {"name": "coordination", "players": 12, "size": 12}),
        (rv.games.influencer, {"space": "simplex", "corners": HUGE}),
        (rv.games.influencer, {"resource_points": {"kind": "linspace", "start": 0, "stop": 1, "num": HUGE}}),
        (rv.games.influencer, {"space": "box", "resource_points": {"kind": "grid", "num": HUGE}}),
        (rv.games.influencer, {"space": "box", "bounds": [[0, 1]] * 30}),
        (rv.games.influencer, {"space": "simplex", "corners": 40, "resource_points": MESH}),
        (rv.games.influencer, {"resource_points": {"kind": "continuous", "nodes": HUGE}}),
        *((rv.games.race, {"horizon": size}) for size in (HUGE, 10**12)),
        (rv.games.market, {"horizon": HUGE}),
        (rv.games.market, {"stages": [[0], [HUGE]]}),
        (rv.games.market, {"shock": {"kind": "ar1", "rho": 0.5, "sd": 1.0, "count": HUGE}}),
        *((rv.games.karma, {key: HUGE}) for key in ("max_karma", "agents")),
        (rv.games.karma, {"types": [{"count": HUGE}]}),
        *((rv.games.city, {key: HUGE}) for key in ("max_karma", "agents", "paths_per_agent", "alternatives")),
        *((rv.games.city, {"network": f"stubs_{size}x{size}"}) for size in (HUGE, 100)),
        (rv.methods.ActorCritic, {"batch": 10**5, "hidden": 10**4}),
        (rv.methods.BestResponse, {"points": HUGE}),
        (rv.methods.RepeatedQLearning, {"sessions": HUGE}),
        (rv.methods.RepeatedQLearning, {"memory": HUGE}),
        (rv.methods.QLearning, {"epochs": HUGE}),
        (rv.methods.Hedge, {"action_grid": HUGE}),
    ],
)
def test_factories_refuse_excessive_sizes(make: Callable[..., Any], given: dict[str, Any]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"must (be|have)|more than") as error:
            make(**given)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(error.value).splitlines()) == 1
    assert peak < 100e6


def cube(count: int) -> dict[str, Any]:
    """Three keys with so many values each."""
    return {f"game.{name}": {"from": 1, "to": 2, "count": count} for name in ("budgets", "a", "b")}


TWO = {"game.budgets": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"replications": {"count": HUGE}}, "replications.count: 1000000000 must be at most"),
        ({"sweep": cube(HUGE)}, "game.budgets.count: 1000000000 must"),
        ({"sweep": cube(10**4)}, r"sweep: 1e\+12 points are too many; must be at most 1000000"),
        ({"batch": cube(1000)}, r"batch: 1e\+09 points are too many"),
        ({"replications": {"count": 10**6}, "sweep": TWO}, r"count: 2e\+06 cells are too many"),
        ({"method": METHOD | {"start": "random", "starts": HUGE}}, "starts: 1000000000 must be at most"),
    ],
)
def test_studies_refuse_excessive_sizes(study: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Study(**({"game": GAME, "method": METHOD} | study))


@pytest.mark.parametrize(
    "nested",
    ["[" * 20_000 + "]" * 20_000, "{a=" * 3_000 + "1" + "}" * 3_000, "[" * 100 + "]" * 100, "9" * 6_000],
)
def test_deep_nesting_gives_one_line(nested: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(f"[game]\nfamily = 'matrix'\npayoffs = {nested}\n[[method]]\nkind = 'given'\n")
    assert main(["run", str(file), "--out", str(tmp_path / "run")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
