"""Proof files of games on intervals, as the program that checks them reads them."""

from __future__ import annotations

import copy
import gzip
import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.cli import main as command
from rivalry.core.dispatch import Unsupported
from rivalry.core.jax import jax, jnp
from rivalry.core.operations import operations
from rivalry.lab.worker import check_independently
from rivalry.solving.proof_files import SmoothProof

pytest.importorskip("flint")

from rivalry_check import Refuted
from rivalry_check.__main__ import check, main
from rivalry_check.graph import Graph
from rivalry_check.smooth import Game
from rivalry_check.smooth import check as verify

STEP = "-(x1 - 0.5 - 0.4*tanh(4*(x2 - 0.5)))^2", "-(x2 - 0.5 - 0.4*tanh(4*(x1 - 0.5)))^2"
CONTEST = "x1/(x1 + x2 + 0.01) - x1", "2*x2/(x1 + x2 + 0.01) - x2"
CORNER = "x1*(1 + x2)", "x2*(1.5 - x1) - x2^2/2"
ELEMENTARY = "exp(-(x1 - 0.3*x2)^2) - 0.1*x1", "log(1 + x2) - x2*(0.5 + 0.2*x1)"


@cache
def text(payoffs: tuple[str, ...]) -> str:
    found = rv.all_equilibria(rv.games.continuous(payoffs=list(payoffs)))
    assert found.complete
    return json.dumps(found.proof.document())


def document(payoffs: tuple[str, ...]) -> Any:
    return json.loads(text(payoffs))


@pytest.mark.parametrize(
    ("payoffs", "count"),
    [
        (STEP, 3),
        pytest.param(CONTEST, 1, marks=pytest.mark.slow),
        pytest.param(CORNER, 1, marks=pytest.mark.slow),
        pytest.param(ELEMENTARY, 1, marks=pytest.mark.slow),
        pytest.param(tuple(f"x{k}*(1 - x1 - x2 - x3)" for k in (1, 2, 3)), 1, marks=pytest.mark.slow),
    ],
    ids=["three equilibria", "contest", "corner", "exp and log", "three exchangeable players"],
)
def test_lists_are_verified(payoffs: tuple[str, ...], count: int) -> None:
    words = "equilibrium" if count == 1 else "equilibria"
    assert verify(document(payoffs)).startswith(f"{count} {words}, complete")


@pytest.mark.slow
@pytest.mark.parametrize(
    "game",
    [
        lambda: rv.games.market(demand="linear"),
        lambda: rv.games.market(demand="differentiated"),
        lambda: rv.games.market(demand="logit", choice="price"),
        lambda: rv.games.influencer(reach=[0.25, 0.25], resource="bimodal"),
    ],
    ids=["cournot", "differentiated", "logit", "influencer"],
)
def test_lists_of_families_are_verified(game: Any, tmp_path: Path) -> None:
    rv.all_equilibria(game()).proof.save(tmp_path / "list.json")
    assert check(tmp_path / "list.json").startswith("1 equilibrium, complete")


@pytest.mark.slow
def test_an_equilibrium_of_a_race_is_verified_without_a_list(tmp_path: Path) -> None:
    rv.all_equilibria(rv.games.race()).proof.save(tmp_path / "race.json")
    assert check(tmp_path / "race.json") == "1 equilibrium; others are not excluded"


def refuted(found: Any) -> str:
    with pytest.raises(Refuted) as error:
        verify(found)
    return str(error.value)


def test_a_missing_equilibrium_is_noticed() -> None:
    found = document(STEP)
    del found["equilibria"][2]
    found["boxes"] = [one for one in found["boxes"] if one["why"] != ["around", 2]]
    assert "not covered" in refuted(found)
    for one in (some := document(STEP))["boxes"]:
        if one["why"] == ["around", 2]:
            one["why"] = ["around", 1]
    assert "is not where equilibrium 2 is the only one" in refuted(some)


def test_an_equilibrium_counts_once() -> None:
    found = document(STEP)
    found["equilibria"].append(found["equilibria"][0])
    assert "equilibrium 4 may be one of those before it" in refuted(found)


def test_a_point_that_is_elsewhere_is_refused() -> None:
    found = document(STEP)
    point = found["equilibria"][0]["point"]
    point[0] = (float.fromhex(point[0]) + 1e-6).hex()
    assert "not within" in refuted(found)


def test_a_box_with_two_zeros_is_no_box_of_uniqueness() -> None:
    found = document(STEP)
    found["equilibria"][0] |= {name: found["space"][name] for name in ("low", "high")}
    assert "existence and uniqueness are not proved" in refuted(found)


@pytest.mark.parametrize("k", range(0, 80, 9))
def test_boxes_that_do_not_cover_the_space_are_refused(k: int) -> None:
    whole = document(STEP)
    short, shifted, gone = (copy.deepcopy(whole) for _ in range(3))
    del gone["boxes"][k]
    assert "not covered" in refuted(gone)
    # in some direction the box has a width
    wide = [a != b for a, b in zip(whole["boxes"][k]["low"], whole["boxes"][k]["high"], strict=True)]
    if any(wide):
        j = wide.index(True)
        low, high = (float.fromhex(whole["boxes"][k][end][j]) for end in ("low", "high"))
        short["boxes"][k]["low"][j] = float(np.nextafter(low, high)).hex()
        assert "not covered" in refuted(short)
        shift = 0.01 * (high - low) * (-1 if high == 1 else 1)
        shifted["boxes"][k]["low"][j], shifted["boxes"][k]["high"][j] = (
            (low + shift).hex(),
            (high + shift).hex(),
        )
        assert "not covered" in refuted(shifted) or "not in the space" in refuted(shifted)


def test_reasons_that_do_not_hold_are_refused() -> None:
    found, count = document(STEP), 0
    sampler = np.random.default_rng(0)
    slopes = jax.jit(
        lambda x: jnp.stack([2 * (0.5 + 0.4 * jnp.tanh(4 * (x[1 - k] - 0.5)) - x[k]) for k in range(2)])
    )
    for k, one in enumerate(found["boxes"]):
        if one["why"][0] != "slope":
            continue
        some = copy.deepcopy(found)
        j = 1 - one["why"][1]
        some["boxes"][k]["why"] = ["slope", j]
        low, high = (np.array([float.fromhex(x) for x in one[end]]) for end in ("low", "high"))
        values = np.array([slopes(low + (high - low) * sampler.random(2))[j] for _ in range(20)])
        wrong = {"-": values < -1e-9, "+": values > 1e-9, "0": np.full(20, np.ptp(np.sign(values)) > 0)}
        if wrong[one["side"][j]].any():
            assert f"derivative of player {j + 1} has no sign" in refuted(some)
            count += 1
        if count == 5:
            return
    raise AssertionError("no reason to exchange")


def test_a_strategy_that_is_not_better_is_refused() -> None:
    found = document(STEP)
    box = next(one for one in found["boxes"] if one["why"][0] == "slope" and one["side"] == "00")
    for strategy, reason in ((box["low"][0], "no certain gain"), ((2.0).hex(), "is no strategy")):
        box["why"] = ["better", 0, [strategy]]
        assert reason in refuted(found)


def test_other_payoffs_have_other_equilibria() -> None:
    found = document(STEP)
    changed = 0
    for k, node in enumerate(found["payoffs"]["nodes"]):
        if node[0] == "c" and float.fromhex(node[1]) not in (0.0, 2.0):
            some = copy.deepcopy(found)
            some["payoffs"]["nodes"][k][1] = (float.fromhex(node[1]) * 1.01).hex()
            assert "equilibrium" in refuted(some)
            changed += 1
    assert changed >= 2


def test_a_local_maximum_is_no_equilibrium() -> None:
    # a second peak, near 0.9, is higher than the first
    game = rv.games.continuous(payoffs=["0.2*x1 - 10*(x1 - 0.2)^2*(x1 - 0.9)^2", "-(x2 - x1/2)^2"])
    found = SmoothProof(game, np.array([[[0.22], [0.11]]]), False, True).document()
    assert "a better strategy of player 1 is not excluded" in refuted(found)


def test_a_minimum_is_no_equilibrium() -> None:
    game = rv.games.continuous(payoffs=["(x1 - 0.4)^2", "-(x2 - x1)^2"])
    found = SmoothProof(game, np.array([[[0.4], [0.4]]]), False, True).document()
    assert "the payoff of player 1 is not concave" in refuted(found)
    with pytest.raises(ValueError, match="no exact equilibrium is proved"):
        SmoothProof(game, np.array([[[0.4], [0.4]]]), False, False).document()


def test_broken_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = text(STEP)
    packed = gzip.compress(whole.encode())
    other = json.loads(whole)
    cases = {
        "truncated": whole[: len(whole) // 2],
        "packed and truncated": packed[: len(packed) // 2],
        "nested": "[" * 100_000 + "]" * 100_000,
        "too many choices": json.dumps(
            {
                "format": "rivalry-proof",
                "version": 1,
                "kind": "smooth",
                "equilibria": [],
                "boxes": [],
                "space": {"player": [0] * 40, "low": ["0x0p+0"] * 40, "high": ["0x1p+0"] * 40},
                "payoffs": {"nodes": [["x", 0]], "results": [0]},
                "complete": True,
            }
        ),
        "not text": b"\xff\xfe\x00",
        "empty": "",
        "a list": "[]",
        "version": json.dumps(other | {"version": 2}),
        "kind": json.dumps(other | {"kind": "other"}),
        "no payoffs": json.dumps({k: v for k, v in other.items() if k != "payoffs"}),
        "not finite": json.dumps(other | {"space": other["space"] | {"high": ["inf", "inf"]}}),
        "NaN": whole.replace('"version": 1', '"version": NaN'),
        "later operand": json.dumps(other | {"payoffs": {"nodes": [["neg", 0]], "results": [0, 0]}}),
        "unknown operation": json.dumps(other | {"payoffs": {"nodes": [["eval", 0]], "results": [0, 0]}}),
        "half a power": json.dumps(
            other
            | {"payoffs": {"nodes": [["x", 0], ["c", "0x1.4p+1"], ["whole_power", 0, 1]], "results": [2, 2]}}
        ),
        "unknown reason": json.dumps(
            other | {"boxes": [{**one, "why": ["trust"]} for one in other["boxes"]]}
        ),
        "a long number": whole.replace('"version": 1', '"version": 1' + "0" * 5000),
    }
    for name, content in cases.items():
        file = tmp_path / f"{name}.json"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert main([str(file)]) == 2, name
        assert capsys.readouterr().out.count("\n") == 1, name
    assert main([str(tmp_path / "absent.json")]) == 2
    (tmp_path / "whole.json").write_bytes(packed)
    assert main([str(tmp_path / "whole.json")]) == 0


FORMULAS = (
    "exp(-x1^2)/(exp(-x1^2) + exp(-x2^2)) - x1*log(1 + x2)",
    "sqrt(x2)*tanh(x1) + max(x1, x2)*sin(x1)*cos(x2) - (x1 + 0.1)^1.7 + x2^3",
)


def test_derivatives_are_those_of_jax() -> None:
    game = rv.games.continuous(payoffs=list(FORMULAS))
    nodes, results = operations(lambda y: game.payoffs(y[:, None]), np.full(2, 0.5))
    hexadecimal = [[name, rest[0].hex()] if name == "c" else [name, *rest] for name, *rest in nodes]
    space = {"player": [0, 1], "low": [(0.0).hex()] * 2, "high": [(1.0).hex()] * 2}
    checked = Game({"space": space, "payoffs": {"nodes": hexadecimal, "results": results}})
    payoffs = jax.jit(lambda y: game.payoffs(y[:, None]))
    slopes = jax.jit(lambda y: jnp.diagonal(jax.jacfwd(payoffs)(y)))
    bends = jax.jit(jax.jacfwd(slopes))
    for y in np.random.default_rng(1).uniform(0.05, 0.95, (20, 2)):
        point = [(one, one) for one in y]
        bounds = checked.graph.evaluate((*checked.pay, *checked.slopes, *checked.bends), point)
        expected = [*payoffs(y), *slopes(y), *np.ravel(bends(y))]
        for (low, high), value in zip(bounds, expected, strict=True):
            assert low - 1e-11 <= value <= high + 1e-11
            assert high - low < 1e-11
        # bounds on a box hold at each of its points
        room = 0.05
        box = [(one - room, one + room) for one in y]
        wide = checked.graph.evaluate((*checked.pay, *checked.slopes), box)
        inner = y + np.random.default_rng(2).uniform(-room, room, (20, 2))
        for z in inner:
            for bound, value in zip(wide, [*payoffs(z), *slopes(z)], strict=True):
                assert bound is None or bound[0] - 1e-12 <= value <= bound[1] + 1e-12


def test_at_a_kink_and_at_a_jump() -> None:
    graph = Graph()
    x, half = graph.add("x", 0), graph.add("c", 0.5)
    larger, steps = graph.add("max", x, half), graph.add("if", x, half, x, half)
    box = [(0.4, 0.6)]
    assert graph.evaluate((graph.derivative(larger, 0),), box) == [(0.0, 1.0)]
    assert graph.evaluate((graph.derivative(steps, 0),), box) == [None]
    assert graph.evaluate((graph.derivative(graph.derivative(larger, 0), 0),), box) == [None]
    assert graph.evaluate((steps,), [(0.5, 0.5)]) == [(0.5, 0.5)]


@pytest.mark.slow
def test_proofs_of_a_run_are_verified_and_named_in_its_report(tmp_path: Path) -> None:
    run, files = tmp_path / "run", tmp_path / "proofs"
    assert command(["run", "all_equilibria_duopolies", "--quick", "--workers", "1", "--out", str(run)]) == 0
    assert command(["certify", str(run), "--proof", "--export", str(files)]) == 0
    lines = (files / "proofs.txt").read_text().splitlines()
    assert len(lines) == 2
    assert command(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "verified independently" in page
    for line in lines:
        name = line.partition(":")[0]
        assert sha256((files / name).read_bytes()).hexdigest() in line
        assert line.rpartition(" ")[2] in page
    # without the files nothing says so
    assert command(["certify", str(run), "--proof"]) == 0
    assert command(["report", str(run)]) == 0
    assert "verified independently" not in (run / "report.html").read_text()


def test_operations_that_are_not_written_out_are_named() -> None:
    def payoffs(y: Any) -> Any:
        return jnp.floor(y)

    with pytest.raises(Unsupported, match="floor is not written out"):
        operations(payoffs, np.ones(2))
    with pytest.raises(Unsupported, match="is made whole"):
        operations(lambda y: y.astype(int) * 1.0, np.ones(2))
    with pytest.raises(Unsupported, match="float32"):
        operations(lambda y: (y.astype(jnp.float32) ** 2).astype(float), np.ones(2))


def test_comparisons_of_choices_keep_their_ties() -> None:
    def payoffs(y: Any) -> Any:
        a, b = y
        both = jnp.where((a >= 0.5) & ~(b > 0.25), a, b)
        either = jnp.where((a <= 0.5) | (b == 0.25), 2.0 * a, jnp.minimum(a, b))
        return jnp.stack([both + jnp.where(a == a, 1.0, 0.0), either])

    with pytest.raises(Unsupported, match="sort"):
        operations(jnp.sort, np.ones(2))
    nodes, results = operations(payoffs, np.ones(2))
    graph = Graph()
    place: list[int] = []
    for name, *rest in nodes:
        place.append(graph.add(name, *(rest if name in ("x", "c") else [place[one] for one in rest])))
    for y in [(0.5, 0.25), (0.5, 0.5), (0.25, 0.25), (0.75, 0.1), (0.75, 0.3), (0.2, 0.9), (1.0, 0.25)]:
        bounds = graph.evaluate(tuple(place[one] for one in results), [(one, one) for one in y])
        for (low, high), value in zip(bounds, payoffs(np.array(y)), strict=True):
            assert low <= value <= high
            assert high - low < 1e-12


def test_a_payoff_that_rises_up_to_a_jump_has_no_largest_strategy_excluded() -> None:
    # on [0, 0.9) the payoff rises to 2, above the 1 of the point at 1; the derivative alone would not tell
    nodes = [["x", 0], ["c", (0.9).hex()], ["c", (2.0).hex()], ["mul", 0, 2], ["if", 0, 1, 3, 0]]
    space = {"player": [0], "low": [(0.0).hex()], "high": [(1.0).hex()]}
    entry = {"point": [(1.0).hex()], "radius": (0.0).hex(), "side": "+", "low": [(1.0).hex()]}
    entry["high"] = entry["low"]
    found = {"space": space, "payoffs": {"nodes": nodes, "results": [4]}, "complete": False}
    assert "a better strategy of player 1 is not excluded" in refuted(found | {"equilibria": [entry]})


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "proof.json").symlink_to(tmp_path / "precious")
    rv.all_equilibria(rv.games.matrix("chicken")).proof.save(tmp_path / "proof.json")
    assert (tmp_path / "precious").read_text() == "mine"
    assert check(tmp_path / "proof.json").startswith("3 extreme equilibria")


def test_files_of_the_present_folder_do_not_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rv.all_equilibria(rv.games.matrix("chicken")).proof.save(tmp_path / "proof.json")
    monkeypatch.chdir(tmp_path)
    for name in ("json.py", "flint.py"):
        (tmp_path / name).write_text("raise SystemExit(print('verified: planted'))")
    assert check_independently(tmp_path / "proof.json") == (0, "verified: 3 extreme equilibria, complete")
