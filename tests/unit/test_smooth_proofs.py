"""Proof files of games on intervals, as the program that checks them reads them."""

from __future__ import annotations

import copy
import gzip
import json
import re
from fractions import Fraction
from functools import cache
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from benchmarks.lists import GAMES
from rivalry.cli import main as command
from rivalry.core.dispatch import Unsupported
from rivalry.core.space import Simplex
from rivalry.lab.proofs import check_independently
from rivalry.proofs import files
from rivalry.proofs.arithmetic.operations import BINARY, UNARY, operations
from rivalry.proofs.files import SmoothProof
from rivalry.proofs.payoff_sums import in_jax
from rivalry.runtime.jax import jax, jnp

pytest.importorskip("flint")

from rivalry_check import Damaged, Refuted, grammar, graph
from rivalry_check.__main__ import check, main, proved
from rivalry_check.graph import OPERATIONS, Graph
from rivalry_check.smooth import Game

pytestmark = pytest.mark.mostly_slow

STEP = "-(x1 - 0.5 - 0.4*tanh(4*(x2 - 0.5)))^2", "-(x2 - 0.5 - 0.4*tanh(4*(x1 - 0.5)))^2"
CONTEST = "x1/(x1 + x2 + 0.01) - x1", "2*x2/(x1 + x2 + 0.01) - x2"
CORNER = "x1*(1 + x2)", "x2*(1.5 - x1) - x2^2/2"
ELEMENTARY = "exp(-(x1 - 0.3*x2)^2) - 0.1*x1", "log(1 + x2) - x2*(0.5 + 0.2*x1)"


def verify(document: Any) -> str:
    """Return what the checker says of a document as a file."""
    return proved(grammar.load(json.dumps(document).encode()))


def completed(space: Any, nodes: list[Any], results: list[int], **entries: Any) -> Any:
    """Return a document of payoffs, with the entries that every file has."""
    head = {"format": "rivalry-proof", "version": 3, "kind": "smooth", "coordinates": "choices"}
    space = {"axis": list(range(len(space["player"])))} | space
    return (
        head | {"space": space, "payoffs": {"nodes": nodes, "results": results}, "equilibria": []} | entries
    )


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


def test_an_equilibrium_of_a_race_is_verified_without_a_list(tmp_path: Path) -> None:
    rv.all_equilibria(rv.games.race()).proof.save(tmp_path / "race.json")
    assert check(tmp_path / "race.json").startswith("1 equilibrium; others are not excluded: (")


def test_lists_completed_by_bounds_of_families_are_none_of_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of the whole space would prove nothing of amounts near zero."""

    def complete(game: Any, at: Any, profiles: Any, complete: bool, **_: Any) -> dict[str, Any]:
        return {"complete": complete}

    monkeypatch.setattr(files, "_part", complete)
    race, duopoly = rv.games.race(), rv.games.market(demand="linear")
    for game, x, expected in ((race, [[1.0, 2.0]] * 2, False), (duopoly, [[30.0]] * 2, True)):
        assert SmoothProof(game, np.array([x]), True, True).document()["complete"] == expected


def test_a_file_of_periods_has_the_equilibria_of_each(tmp_path: Path) -> None:
    game = rv.games.race(horizon=2, cost={"performance_price": [[0.1, 0.1], [0.2, 0.1]]})
    rv.all_equilibria(game).proof.save(tmp_path / "race.json")
    said = check(tmp_path / "race.json")
    assert [f"period {k}: 1 equilibrium; others are not excluded" in said for k in (1, 2, 3)] == [1, 1, 0]
    found = json.loads((tmp_path / "race.json").read_text())
    assert found["periods"][0]["equilibria"] != found["periods"][1]["equilibria"]
    (tmp_path / "empty.json").write_text(json.dumps(found | {"periods": []}))
    with pytest.raises(Damaged, match="periods must be"):
        check(tmp_path / "empty.json")
    found["periods"][1]["equilibria"] = found["periods"][0]["equilibria"]
    (tmp_path / "moved.json").write_text(json.dumps(found))
    with pytest.raises(Refuted, match="equilibrium 1: "):
        check(tmp_path / "moved.json")


def test_a_list_without_equilibria_is_proved(tmp_path: Path) -> None:
    """One player wants to be where the other is, who wants to be elsewhere."""
    found = rv.all_equilibria(rv.games.continuous(payoffs=["-(x1 - x2)^2", "(x1 - x2)^2 + 0.1*x2"]))
    found.proof.save(tmp_path / "none.json")
    assert check(tmp_path / "none.json").startswith("0 equilibria, complete (")
    with pytest.raises(ValueError, match="boxes prove no equilibrium"):
        SmoothProof(rv.games.continuous(payoffs=["x1"]), np.zeros((0, 1, 1)), False, True).document()
    space = {"player": [0], "low": [(0.0).hex()], "high": [(1.0).hex()]}
    assert "states nothing" in refuted(completed(space, [["x", 0]], [0]))


def test_an_equilibrium_at_zero_is_located(tmp_path: Path) -> None:
    """Both play 0, 1 or the upper bound, which is below its square."""
    payoffs = ["-(x1 - x2^2)^2", "-(x2 - x1^2)^2"]
    found = rv.all_equilibria(rv.games.continuous(payoffs=payoffs, low=-0.3, high=1.5))
    found.proof.save(tmp_path / "zero.json")
    said = check(tmp_path / "zero.json")
    assert said.startswith("3 equilibria, complete (")
    assert "(1.5, 1.5) within 0;" in said
    radii = [float(text) for text in re.findall(r"within ([-.e0-9]+)[,;]", said)]
    assert max(radii) < 1e-12


def test_the_line_names_points_payoffs_and_the_game() -> None:
    said = verify(document(STEP))
    # of the game x = 1/2 + 2/5 tanh(4 (y - 1/2)): payoffs at two profiles, the second (1/3, 1/2)
    response = 0.5 + 0.4 * np.tanh(4 * (1 / 3 - 0.5))
    assert "; (0.5, 0.5) pays 0, 0; " in said
    assert (
        f"(0.3333333333333333, 0.5) pays {-((1 / 3 - 0.5) ** 2):.12g}, {-((0.5 - response) ** 2):.12g}"
        in said
    )
    assert "(0.5, 0.5) within " in said
    # what is proved is no part of the digest; the payoffs are
    fewer = document(STEP)
    del fewer["boxes"], fewer["equilibria"][0]
    assert verify(fewer).rpartition("; game ")[2] == said.rpartition("; game ")[2]
    moved = document(STEP)
    moved["space"]["axis"] = [1, 1]
    assert verify(moved).rpartition("; game ")[2] != said.rpartition("; game ")[2]


def refuted(found: Any) -> str:
    with pytest.raises(Refuted) as error:
        verify(found)
    return str(error.value)


def verdict(found: Any) -> str:
    try:
        return str(verify(found))
    except Refuted as error:
        return str(error)


def contest_over_prizes() -> Any:
    """Return the file of two players who share three prizes, whose payoffs have a constant sum."""
    game = rv.games.influencer(
        space="simplex", corners=3, kernel="blotto", exponent=1.0, resource=[1.0, 2.0, 3.0]
    )
    return rv.all_equilibria(game).proof.document()


def test_one_equilibrium_of_a_constant_sum_is_verified_as_the_only_one() -> None:
    found = contest_over_prizes()
    assert "boxes" not in found
    assert verify(found).startswith("1 equilibrium, complete (constant sum)")
    without = copy.deepcopy(found)
    del without["constant_sum"]
    assert verify(without).startswith("1 equilibrium; others are not excluded")


def test_sums_that_are_not_constant_are_refused() -> None:
    whole = contest_over_prizes()
    said = "whose payoffs have a constant sum"
    nodes, results = whole["payoffs"]["nodes"], whole["payoffs"]["results"]
    larger = copy.deepcopy(whole)  # one player's payoff in other units, in which its choices are the same
    larger["payoffs"]["nodes"] += [["c", (1.5).hex()], ["mul", results[0], len(nodes)]]
    larger["payoffs"]["results"][0] = len(nodes) + 1
    assert said in refuted(larger)
    taxed = copy.deepcopy(whole)  # by the other's choice, which changes no own one
    taxed["payoffs"]["nodes"] += [["sub", results[0], nodes.index(["x", 2])]]
    taxed["payoffs"]["results"][0] = len(nodes)
    assert said in refuted(taxed)
    # products of two payoffs are no sums of shares
    squared = copy.deepcopy(whole)
    squared["payoffs"]["nodes"] += [["mul", results[0], results[0]]]
    squared["payoffs"]["results"][0] = len(nodes)
    assert said in refuted(squared)


@pytest.mark.default
def test_shares_add_up_to_one_if_each_term_is_in_one_numerator() -> None:
    """The shares a/(a + b) and b/(a + b) do, a/(a + 2 b) and b/(a + 2 b) do not."""
    nodes = Graph()
    a, b = nodes.add(0), nodes.add(1)
    assert nodes.constant([nodes.add("share", a, b), nodes.add("share", b, a)])
    more = nodes.add("share", a, nodes.add("add", b, b)), nodes.add("share", b, nodes.add("add", a, b))
    assert not nodes.constant(more)


@pytest.mark.representative
@pytest.mark.parametrize("away", [1e-6, -1e-6])
def test_a_point_that_is_elsewhere_is_refused(away: float) -> None:
    found = document(STEP)
    point = found["equilibria"][0]["point"]
    point[0] = (float.fromhex(point[0]) + away).hex()
    assert "is not known to be within its radius" in refuted(found)


def test_boxes_that_do_not_cover_the_space_are_refused() -> None:
    whole = document(STEP)
    for k, entry in list(enumerate(whole["boxes"]))[::5]:
        gone = copy.deepcopy(whole)
        del gone["boxes"][k]
        said = r"more entries than parts|not covered|sign of derivatives|is the only one|is at a bound"
        with pytest.raises((Damaged, Refuted), match=said):
            verify(gone)
        if entry[0] != "cut":
            continue
        outside = copy.deepcopy(whole)
        outside["boxes"][k][2] = (1.0).hex()
        assert "not covered: a cut" in refuted(outside)


def test_boxes_that_are_cut_elsewhere_need_reasons_that_hold_there() -> None:
    whole, sides = document(STEP), boxes_of(document(STEP))
    refused = 0
    for k, entry in enumerate(whole["boxes"]):
        if entry[0] == "cut":
            moved = copy.deepcopy(whole)
            moved["boxes"][k][2] = (0.02 + 0.96 * float.fromhex(entry[2])).hex()
            said = verdict(moved)  # cuts leave no part of the space out
            assert re.search("3 equilibria, comp|not covered|sign of deri|is the only one|at a bound", said)
            refused += not said.startswith("3 equilibria")
    assert refused >= 3
    assert len(sides) > 30


def boxes_of(found: Any) -> list[tuple[np.ndarray, Any]]:
    """Return the ends of boxes, ``[end choice]``, and their reasons; cut as the format says."""
    low, high = (np.array([float.fromhex(x) for x in found["space"][end]]) for end in ("low", "high"))
    every, left = [], [np.stack([low, high])]
    for entry in found["boxes"]:
        box = left.pop()
        if entry[0] == "cut":
            lower, upper = box.copy(), box.copy()
            lower[1, entry[1]] = upper[0, entry[1]] = float.fromhex(entry[2])
            left += [upper, lower]
            continue
        every.append((box, entry))
        if entry[0] == "sign" and len(entry[1]) == 1:
            ((k, sign),) = entry[1]
            end, bound = int(sign > 0), (low, high)[sign > 0]
            if box[end, k] == bound[k]:  # the face is left
                face = box.copy()
                face[:, k] = bound[k]
                left.append(face)
    assert not left
    return every


def test_reasons_that_do_not_hold_are_refused() -> None:
    found, count = document(STEP), 0
    sampler = np.random.default_rng(0)
    slopes = jax.jit(
        lambda x: jnp.stack([2 * (0.5 + 0.4 * jnp.tanh(4 * (x[1 - k] - 0.5)) - x[k]) for k in range(2)])
    )
    places = [k for k, entry in enumerate(found["boxes"]) if entry[0] != "cut"]
    for k, ((low, high), why) in zip(places, boxes_of(found), strict=True):
        if why[0] != "sign" or min(low) == 0 or max(high) == 1:
            continue  # at bounds other parts would remain
        for sign, j in product((1, -1), range(2)):
            some = copy.deepcopy(found)
            some["boxes"][k] = ["sign", [[j, sign]]]
            values = np.array([slopes(low + (high - low) * sampler.random(2))[j] for _ in range(20)])
            if np.any(sign * values < -1e-9):
                assert f"the sign of derivatives [{j}] is not known" in refuted(some)
                count += 1
        if count >= 5:
            return
    raise AssertionError("no reason to exchange")


@pytest.mark.default
def test_a_strategy_that_is_not_better_is_refused() -> None:
    found = document(STEP)
    places = [k for k, entry in enumerate(found["boxes"]) if entry[0] != "cut"]
    every = zip(places, boxes_of(found), strict=True)
    inside = ((k, box) for k, (box, why) in every if why[0] == "sign" and np.all(box[0] < box[1]))
    k, box = next((k, box) for k, box in inside if box[1, 0] < 0.5)
    for strategy, reason in ((box[0, 0], "no certain gain"), (2.0, "is no strategy")):
        found["boxes"][k] = ["better", 0, [float(strategy).hex()]]
        assert reason in refuted(found)


def test_a_box_with_the_only_zero_of_derivatives_may_have_equilibria_at_bounds() -> None:
    """Best responses 2 x - 1/2, cut at 0 and 1, meet in the middle and at two corners."""
    game = rv.games.continuous(payoffs=[f"4*(x1 - 0.5)*(x2 - 0.5) - (x{k} - 0.5)^2" for k in (1, 2)])
    found = SmoothProof(game, np.full((1, 2, 1), 0.5), False, True).document()
    found["equilibria"][0] |= {name: found["space"][name] for name in ("low", "high")}
    assert verify(found).startswith("1 equilibrium; others are not excluded")
    assert "is not where equilibrium 1 is the only one" in refuted(found | {"boxes": [["around", 0]]})


def test_a_minimum_is_not_written_as_an_equilibrium() -> None:
    game = rv.games.continuous(payoffs=["(x1 - 0.4)^2", "-(x2 - x1)^2"])
    with pytest.raises(ValueError, match="no equilibrium is proved"):
        SmoothProof(game, np.array([[[0.4], [0.4]]]), False, False).document()


@pytest.mark.default
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
                "version": 3,
                "kind": "smooth",
                "equilibria": [],
                "boxes": [],
                "space": {"player": [0] * 65, "low": ["0x0p+0"] * 65, "high": ["0x1p+0"] * 65},
                "payoffs": {"nodes": [["x", 0]], "results": [0]},
            }
        ),
        "not text": b"\xff\xfe\x00",
        "empty": "",
        "a list": "[]",
        "version": json.dumps(other | {"version": 2}),
        "kind": json.dumps(other | {"kind": "other"}),
        "no payoffs": json.dumps({k: v for k, v in other.items() if k != "payoffs"}),
        "not finite": json.dumps(other | {"space": other["space"] | {"high": ["inf", "inf"]}}),
        "NaN": whole.replace('"version": 3', '"version": NaN'),
        "later operand": json.dumps(other | {"payoffs": {"nodes": [["neg", 0]], "results": [0, 0]}}),
        "unknown operation": json.dumps(other | {"payoffs": {"nodes": [["eval", 0]], "results": [0, 0]}}),
        "a power of a choice": json.dumps(
            other | {"payoffs": {"nodes": [["x", 0], ["x", 1], ["power", 0, 0]], "results": [2, 2]}}
        ),
        "unknown reason": json.dumps(
            other | {"boxes": [one if one[0] == "cut" else ["trust"] for one in other["boxes"]]}
        ),
        "a long number": whole.replace('"version": 3', '"version": 3' + "0" * 5000),
    }
    for name, content in cases.items():
        file = tmp_path / f"{name}.json"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert main([str(file)]) == 2, name
        assert capsys.readouterr().out.count("\n") == 1, name
    assert main([str(tmp_path / "absent.json")]) == 2
    (tmp_path / "whole.json").write_bytes(packed)
    assert main([str(tmp_path / "whole.json")]) == 0


def test_the_status_is_that_of_the_worst_file(tmp_path: Path) -> None:
    moved = document(STEP)
    moved["equilibria"][0]["point"][0] = (0.9).hex()
    proofs = {name: tmp_path / f"{name}.json" for name in ("good", "false", "broken")}
    proofs["good"].write_text(text(STEP))
    proofs["false"].write_text(json.dumps(moved))
    proofs["broken"].write_text("{")
    worst = {"good": 0, "false": 1, "broken": 2}
    for one, other in product(worst, repeat=2):
        assert main([str(proofs[one]), str(proofs[other])]) == max(worst[one], worst[other])


@pytest.mark.default
def test_sums_products_and_quotients_hold_exact_numbers() -> None:
    """Of pairs of doubles around zero, on both sides of it and at one number."""
    rng, exact = np.random.default_rng(0), {"add": "__add__", "mul": "__mul__", "div": "__truediv__"}
    for _ in range(300):
        middle, width = rng.normal(size=2), rng.choice([0.0, 1e-9, 1.0], 2) * rng.random(2)
        x, y = ((float(m - w), float(m + w)) for m, w in zip(middle, width, strict=True))
        for name, method in exact.items():
            found = getattr(graph, name)(x, y)
            if found is None:
                assert name == "div"
                assert y[0] <= 0 <= y[1]
                continue
            for a, b in product(map(Fraction, x), map(Fraction, y)):
                assert Fraction(found[0]) <= getattr(a, method)(b) <= Fraction(found[1])


FORMULAS = (
    "exp(-x1^2)/(exp(-x1^2) + exp(-x2^2)) - x1*log(1 + x2)",
    "sqrt(x2)*tanh(x1) + max(x1, x2)*sin(x1)*cos(x2) - (x1 + 0.1)^1.7 + x2^3",
)


def test_derivatives_are_those_of_jax() -> None:
    game = rv.games.continuous(payoffs=list(FORMULAS))
    nodes, results = operations(lambda y: game.payoffs(y[:, None]), np.full(2, 0.5))
    hexadecimal = [[name, rest[0].hex()] if name == "c" else [name, *rest] for name, *rest in nodes]
    space = {"player": [0, 1], "low": [(0.0).hex()] * 2, "high": [(1.0).hex()] * 2}
    checked = Game(completed(space, hexadecimal, results))
    payoffs = jax.jit(lambda y: game.payoffs(y[:, None]))
    slopes = jax.jit(lambda y: jnp.diagonal(jax.jacfwd(payoffs)(y)))
    bends = jax.jit(jax.jacfwd(slopes))
    for y in np.random.default_rng(1).uniform(0.05, 0.95, (20, 2)):
        point = [(one, one) for one in y]
        bends_of = [one for row in checked.bends for one in row]
        bounds = checked.graph.evaluate((*checked.pay, *checked.slopes, *bends_of), point)
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


EXPONENTIALS = {"share of exponentials": lambda a, b: in_jax("share")(jnp.exp(2 * a), jnp.exp(b - a))}
POWERS = {f"power {n}": lambda a, n=n: a**n for n in (-2, -0.5, 0.7, 1, 2, 3, 4, 5)}
FUNCTIONS = {name: in_jax(name) for name in sorted({*UNARY, *BINARY.values(), "share"})}
FUNCTIONS |= EXPONENTIALS | POWERS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bounds_on_operations_and_their_derivatives_are_those_of_jax(name: str) -> None:
    graph, rule = Graph(), FUNCTIONS[name]
    a, b = graph.add(0), graph.add(1)
    if name in POWERS:
        count, node = 1, graph.add("power", a, graph.add((float(name[6:]),) * 2))
    elif name in EXPONENTIALS:
        two = graph.add("mul", graph.add((2.0, 2.0)), a)
        exponentials = graph.add("exp", two), graph.add("exp", graph.add("sub", b, a))
        count, node = 2, graph.add("share", *exponentials)
    else:
        count = OPERATIONS[name][0].__code__.co_argcount
        node = graph.add(name, *(a, b)[:count])
    slopes = [graph.derivative(node, k) for k in range(count)]
    # JAX has no derivative of the trigamma function
    bends = [graph.derivative(one, k) for one in slopes for k in range(count) if name != "digamma"]
    places = (node, *slopes, *bends)
    whole = lambda y: rule(*y)  # noqa: E731
    rules = [
        jax.jit(one) for one in (whole, jax.grad(whole), jax.hessian(whole))[: 2 if name == "digamma" else 3]
    ]
    sampler = np.random.default_rng(0)
    for _ in range(10):
        low = sampler.uniform(0.1, 0.8, 2)
        high = low + sampler.choice([0.01, 0.1])
        wide = graph.evaluate(places, list(zip(low, high, strict=True)))
        for y in sampler.uniform(low, high, (10, 2)):
            values = np.concatenate([np.ravel(one(y[:count])) for one in rules])
            points = graph.evaluate(places, [(x, x) for x in y])
            for value, bound, point in zip(values, wide, points, strict=True):
                assert point[0] - 1e-9 * (1 + abs(value)) <= value <= point[1] + 1e-9 * (1 + abs(value))
                assert point[1] - point[0] < 1e-9 * (1 + abs(value))
                if bound is not None:  # else a kink
                    assert bound[0] - 1e-9 * (1 + abs(value)) <= value <= bound[1] + 1e-9 * (1 + abs(value))


@pytest.mark.default
def test_a_slope_that_is_the_first_node_has_a_derivative() -> None:
    nodes = [["x", 0], ["x", 1], ["mul", 0, 1]]
    space = {"player": [0, 1], "low": [(0.0).hex()] * 2, "high": [(1.0).hex()] * 2}
    game = Game(completed(space, nodes, [2, 2]))
    assert game.slopes[1] == 0
    assert game.graph.evaluate(tuple(game.bends[1]), [(0.5, 0.5)] * 2) == [(1.0, 1.0), (0.0, 0.0)]


def partners() -> Any:
    """Both choose 1, or a root of x = a + x^2: two roots merge at a = 1/4."""
    payoffs = ["x1 * (a + x2^2) - x1^2 / 2", "x2 * (a + x1^2) - x2^2 / 2"]
    return rv.games.continuous(payoffs=payoffs, parameters={"a": 0.2})


def test_numbers_of_equilibria_are_verified_for_all_values_of_a_parameter() -> None:
    found = rv.all_equilibria(partners(), where={"parameters.a": (0.1, 0.4)}, max_seconds=None)
    written = found.proof.document()
    assert ["undecided"] in written["parts"]
    said = re.match(
        r"equilibria: exactly 3 for all parameters\.a from 0\.1 to ([.\d]+); "
        r"exactly 1 for all parameters\.a from ([.\d]+) to 0\.4 \(\d+ boxes\); ",
        verify(written),
    )
    assert said
    below, above = map(float, said.groups())
    assert 0.249 < below < 0.25 < above < 0.251
    # a part with three equilibria says nothing of values at which there is one
    parts = [k for k, part in enumerate(written["parts"]) if isinstance(part, dict)]
    most, least = (max(parts, key=lambda k: s * len(written["parts"][k]["equilibria"])) for s in (1, -1))
    wrong = copy.deepcopy(written)
    wrong["parts"][least] = written["parts"][most]
    assert "equilibrium" in refuted(wrong)
    fewer = copy.deepcopy(written)
    one = fewer["parts"][most]
    inside = [entry["low"] != entry["high"] for entry in one["equilibria"]]
    gone = inside.index(True)
    del one["equilibria"][gone]
    one["boxes"] = [entry for entry in one["boxes"] if entry != ["around", gone]]
    assert "not covered" in refuted(fewer) or "is the only one" in refuted(fewer)
    wider = copy.deepcopy(written)  # what is proved of narrow ranges does not hold for wide ones
    wider["parameters"]["low"], wider["parameters"]["high"] = [(0.0).hex()], [(0.6).hex()]
    assert "equilibrium" in refuted(wider) or "not covered" in refuted(wider)


def test_a_kink_in_the_middle_of_parameters_leaves_the_bound_exact() -> None:
    # the best choice is min(a, 1): 1 from a = 1 on
    game = rv.games.continuous(payoffs=["a * x1 - x1^2 / 2"], parameters={"a": 0.5})
    found = rv.all_equilibria(game, where={"parameters.a": (0.25, 0.75)}, max_seconds=None)
    assert verify(found.proof.document()).startswith(
        "equilibria: exactly 1 for all parameters.a from 0.25 to 0.75"
    )


class Shares(eqx.Module):
    """A game whose strategies are shares; ``rule`` returns payoffs of profiles ``[player entry]``."""

    rule: Any = eqx.field(static=True)
    space: Simplex = Simplex((2, 2))

    def payoffs(self, x: Any) -> Any:
        return self.rule(x)


def test_lists_on_simplices_are_verified_in_fractions() -> None:
    def rule(x: Any) -> Any:
        return jnp.sum(x * jnp.array([1.0, 1.2]) * (1 - x[::-1]), axis=1) + 0.1 * jnp.sum(x**2, axis=1)

    written = rv.all_equilibria(Shares(rule)).proof.document()
    assert written["coordinates"] == "fractions"
    assert re.match(r"2 equilibria, complete \(\d+ boxes\): in fractions \(", verify(written))
    del written["equilibria"][0]
    assert "is not where equilibrium" in refuted(written) or "not covered" in refuted(written)


@pytest.mark.default
def test_at_a_kink_and_at_a_jump() -> None:
    graph = Graph()
    x, half = graph.add(0), graph.add((0.5, 0.5))
    larger, steps = graph.add("max", x, half), graph.add("if", x, half, x, half)
    box = [(0.4, 0.6)]
    assert graph.evaluate((graph.derivative(larger, 0),), box) == [(0.0, 1.0)]
    assert graph.evaluate((graph.derivative(steps, 0),), box) == [None]
    assert graph.evaluate((graph.derivative(graph.derivative(larger, 0), 0),), box) == [None]
    assert graph.evaluate((steps,), [(0.5, 0.5)]) == [(0.5, 0.5)]


def test_proofs_of_a_run_are_verified_and_named_in_its_report(tmp_path: Path) -> None:
    run, files = tmp_path / "run", tmp_path / "proofs"
    assert command(["run", "all_equilibria_duopolies", "--quick", "--workers", "1", "--out", str(run)]) == 0
    assert command(["certify", str(run), "--proof", "--export", str(files)]) == 0
    lines = (files / "proofs.txt").read_text().splitlines()
    assert len(lines) == 2
    assert command(["report", str(run)]) == 0
    assert command(["freeze", str(run), "--out", str(tmp_path / "frozen.html")]) == 0
    for page in ((run / "report.html").read_text(), (tmp_path / "frozen.html").read_text()):
        assert "verified independently" in page
        for line in lines:
            assert sha256((files / line.partition(":")[0]).read_bytes()).hexdigest() in line
            assert line.rpartition(" ")[2] in page
    # without the files nothing says so
    assert command(["certify", str(run), "--proof"]) == 0
    assert command(["report", str(run)]) == 0
    assert command(["freeze", str(run), "--out", str(tmp_path / "frozen.html")]) == 0
    for page in (run / "report.html", tmp_path / "frozen.html"):
        assert "verified independently" not in page.read_text()


@pytest.mark.default
def test_operations_that_are_not_written_out_are_described() -> None:
    def payoffs(y: Any) -> Any:
        return jnp.floor(y)

    with pytest.raises(Unsupported, match="a number that is made whole is not written out"):
        operations(payoffs, np.ones(2))
    with pytest.raises(Unsupported, match="is made whole"):
        operations(lambda y: y.astype(int) * 1.0, np.ones(2))
    with pytest.raises(Unsupported, match="float32"):
        operations(lambda y: (y.astype(jnp.float32) ** 2).astype(float), np.ones(2))


@pytest.mark.default
def test_comparisons_of_choices_keep_their_ties() -> None:
    def payoffs(y: Any) -> Any:
        a, b = y
        both = jnp.where((a >= 0.5) & ~(b > 0.25), a, b)
        either = jnp.where((a <= 0.5) | (b == 0.25), 2.0 * a, jnp.minimum(a, b))
        return jnp.stack([both + jnp.where(a == a, 1.0, 0.0), either])

    with pytest.raises(Unsupported, match="search for the best of several numbers"):
        operations(jnp.sort, np.ones(2))
    nodes, results = operations(payoffs, np.ones(2))
    graph = Graph()
    place: list[int] = []
    for name, *rest in nodes:
        known = {"x": lambda k: graph.add(k), "c": lambda c: graph.add((c, c))}.get(name)
        place.append(known(*rest) if known else graph.add(name, *(place[one] for one in rest)))
    for y in [(0.5, 0.25), (0.5, 0.5), (0.25, 0.25), (0.75, 0.1), (0.75, 0.3), (0.2, 0.9), (1.0, 0.25)]:
        bounds = graph.evaluate(tuple(place[one] for one in results), [(one, one) for one in y])
        for (low, high), value in zip(bounds, payoffs(np.array(y)), strict=True):
            assert low <= value <= high
            assert high - low < 1e-12


@pytest.mark.default
def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "proof.json").symlink_to(tmp_path / "precious")
    rv.all_equilibria(rv.games.matrix("chicken")).proof.save(tmp_path / "proof.json")
    assert (tmp_path / "precious").read_text() == "mine"
    assert check(tmp_path / "proof.json").startswith("3 extreme equilibria")


@pytest.mark.default
def test_files_of_the_present_folder_do_not_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rv.all_equilibria(rv.games.matrix("chicken")).proof.save(tmp_path / "proof.json")
    monkeypatch.chdir(tmp_path)
    for name in ("json.py", "flint.py"):
        (tmp_path / name).write_text("raise SystemExit(print('verified: planted'))")
    status, said = check_independently(tmp_path / "proof.json")
    assert (status, said[:39]) == (0, "verified: 3 extreme equilibria, complet")


FIRMS = tuple(f"x{k}*(1 - x1 - x2 - x3 - x4 - x5) - 0.02*{k}*x{k}" for k in range(1, 6))


def test_lists_by_sums_over_players_are_verified() -> None:
    found = document(FIRMS)
    assert len(found["totals"]) == 1
    assert verify(found).startswith("1 equilibrium, complete")
    # 5 first-order conditions 1 - Q - x_k = 0.02 k: Q = (5 - 0.02 * 15) / 6
    total = (5 - 0.02 * 15) / 6
    point = [float.fromhex(x) for x in found["equilibria"][0]["point"]]
    assert np.allclose(point, [1 - total - 0.02 * k for k in range(1, 6)], rtol=0, atol=1e-9)


@pytest.mark.default
def test_a_payoff_whose_second_derivative_is_not_known_is_refused() -> None:
    space = {"player": [0], "low": [(1.0).hex()], "high": [(2.0).hex()]}
    assert refuted(completed(space, [["x", 0], ["digamma", 0]], [1])) == "no derivative of trigamma is known"


def test_a_part_of_a_total_belongs_to_its_player() -> None:
    more = document(FIRMS)
    more["totals"][0].append(more["totals"][0][0])
    with pytest.raises(ValueError, match="zip"):
        verify(more)


def test_totals_that_are_cut_elsewhere_need_reasons_that_hold_there() -> None:
    whole, count = document(FIRMS), 0
    for k, entry in enumerate(whole["boxes"]):
        if entry[:2] == ["cut", 5]:
            moved = copy.deepcopy(whole)
            moved["boxes"][k][2] = (0.9 * float.fromhex(entry[2])).hex()
            count += not verdict(moved).startswith("1 equilibrium, complete")
    assert count >= 3


@pytest.mark.default
def test_payoffs_that_use_the_sum_of_another_player_have_their_own_derivatives() -> None:
    # u_1 = x_1 * (x_2 + x_3) in terms of what all but player 2 add, x_1 + x_3: u_1 = x_1 * (x_1 + x_3)
    nodes = [["x", k] for k in range(6)] + [["mul", 0, 4], ["neg", 1], ["neg", 2]]
    space = {"player": [0, 1, 2], "low": [(0.0).hex()] * 3, "high": [(1.0).hex()] * 3}
    game = Game(completed(space, nodes, [6, 7, 8], totals=[[0, 1, 2]]))
    (low, high), (given_low, given_high) = game.graph.evaluate(
        (game.slopes[0], game.partial_slopes[0]), [(0.5, 0.5)] * 7
    )
    assert low <= 1.5 <= high
    assert given_low <= 1.5 <= given_high
    assert high - low < 1e-12
    assert given_high - given_low < 1e-12


@pytest.mark.default
def test_zero_times_what_is_undefined_is_undefined() -> None:
    def payoffs(y: Any) -> Any:
        root = 0 * jnp.sqrt(y[0] - 0.75)
        return jnp.stack(
            [root + y[0], root - root + y[0], jnp.exp(2 * jnp.log(y[0] ** 3 - 0.5)), 0 * y[0] ** 2]
        )

    nodes, results = operations(payoffs, np.ones(1), ends=[(0.0, 1.0)])
    graph = Graph()
    place: list[int] = []
    for name, *rest in nodes:
        known = {"x": lambda k: graph.add(k), "c": lambda c: graph.add((c, c))}.get(name)
        place.append(known(*rest) if known else graph.add(name, *(place[one] for one in rest)))
    bounds = graph.evaluate(tuple(place[one] for one in results), [(0.5, 0.5)])
    assert bounds == [None, None, None, (0.0, 0.0)]
    assert nodes[results[3]] == ("c", 0.0)


@pytest.mark.parametrize("name", ["Cournot, 10 firms", "contest, 10 players", "logit prices, 10 firms"])
def test_lists_of_ten_players_are_verified(name: str, tmp_path: Path) -> None:
    rv.all_equilibria(GAMES[name]()).proof.save(tmp_path / "list.json")
    assert check(tmp_path / "list.json").startswith("1 equilibrium, complete")
