"""Proof files of finite games and policies: the independent checker verifies them, and no changed one."""

import gzip
import json
from collections.abc import Callable
from copy import deepcopy
from fractions import Fraction
from functools import cache
from html import escape
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rivalry_check import Damaged, Refuted, grammar
from rivalry_check.__main__ import proved

import rivalry as rv
from rivalry.cli import main as command
from rivalry.methods import (
    CorrelatedEquilibrium,
    FiniteEquilibria,
    LinearProgramme,
    MixedCommitment,
    MixedEquilibria,
    PureEquilibria,
    RepeatedQLearning,
)
from rivalry.solving.exact_proofs import policy_proof
from rivalry.studies.poker import kuhn_poker
from rivalry.tables.policy_response import policy_certificate
from rivalry.tables.repeated import repeated_form
from tests.selection import slow_except
from tests.unit.test_extreme_equilibria import solved as solved_exactly

Document = dict[str, Any]


def random_game(size: int, seed: int, most: int = 20) -> Any:
    rng = np.random.default_rng(seed)
    return rv.games.matrix(*rng.integers(0, most, (2, size, size)).tolist())


def learned(game: object, **options: Any) -> Any:
    short = {"stable_periods": 1000, "max_periods": 20_000}
    learner = RepeatedQLearning(sessions=2, exploration={"decay": 1e-3}, stopping=short, **options)
    return rv.solve(game, learner, seed=1)


def in_turns() -> Any:
    return rv.games.market(
        intercept=1.0, slope=1.0, unit_cost=0.0, choice="price", timing="alternating", gamma=0.95
    )


DEGENERATE = [[1, 1, 0], [1, 1, 0], [0, 0, 1]], [[1, 0, 1], [1, 1, 0], [0, 1, 1]]
FOUND: dict[str, Callable[[], Any]] = {
    "extreme 2x2": lambda: rv.solve(rv.games.matrix("battle_of_the_sexes"), MixedEquilibria()),
    "extreme degenerate": lambda: rv.solve(rv.games.matrix(*DEGENERATE), FiniteEquilibria()),
    "extreme 5x5": lambda: rv.solve(random_game(5, 3), MixedEquilibria()),
    "pure": lambda: rv.solve(rv.games.matrix("public_goods", players=3, multiplier=2.0), PureEquilibria()),
    "matrix value": lambda: rv.solve(rv.games.matrix([[3, -1], [-2, 1]]), LinearProgramme()),
    "poker": lambda: rv.solve(kuhn_poker(), LinearProgramme()),
    "correlated": lambda: rv.solve(
        rv.games.matrix([[6, 2], [7, 0]], [[6, 7], [2, 0]]), CorrelatedEquilibrium()
    ),
    "commitment": lambda: rv.solve(rv.games.matrix([[2, 4], [1, 3]], [[1, 0], [0, 1]]), MixedCommitment()),
    "policy": lambda: learned(rv.games.market(demand="logit"), action_grid=4),
    "policy memory": lambda: learned(rv.games.matrix("prisoners_dilemma"), memory=2),
    "policy turns": lambda: learned(
        in_turns(), action_grid={"kind": "linear", "from": 0.0, "to": 1.0, "count": 4}, observation="others"
    ),
    "policy stages": lambda: learned(
        rv.games.market(intercept=1.0, slope=1.0, unit_cost=0.0, stages=[[0], [1]]),
        action_grid=[[0.125, 0.25, 0.5]] * 2,
        gamma=0.0,
        roles=["learns", {"kind": "oracle", "ties": "pessimistic"}],
        memory=0,
    ),
}
# policies whose learners and gains compile kernels of their own
COMPILED = ("policy memory", "policy turns", "policy stages")
SAID = {
    "extreme 2x2": "3 extreme equilibria, complete: "
    "(0, 1) and (0, 1), (1, 0) and (1, 0), (3/5, 2/5) and (2/5, 3/5)",
    "pure": "1 pure equilibrium, complete: (0, 0, 0)",
    "matrix value": "the value for player 0 is 1/7",
    "poker": "the value for player 0 is -1/18",
    "correlated": "the highest welfare of correlated equilibria is 21/2",
    "commitment": "the most that a commitment pays is 7/2",
}


@cache
def solved(name: str) -> Any:
    return FOUND[name]()


def check(document: Document) -> str:
    """Return what the checker says of a document as a file, without the digest of the game."""
    said, _, digest = proved(grammar.load(json.dumps(document).encode())).rpartition("; game ")
    assert len(digest) == 16
    return said


@cache
def text_of(name: str) -> str:
    return json.dumps(solved(name).proof.document())


@pytest.mark.representative
@pytest.mark.parametrize("name", slow_except(FOUND, FOUND.keys() - {*COMPILED}))
def test_checker_verifies_what_is_exported(name):
    said = check(json.loads(text_of(name)))
    assert said == SAID.get(name, said)


@pytest.mark.parametrize("name", [name for name in FOUND if name.startswith("extreme")])
def test_file_has_the_equilibria_of_the_record(name):
    document, record = json.loads(text_of(name)), solved(name).record
    listed = [[[float(Fraction(p)) for p in own] for own in pair] for pair in document["equilibria"]]
    assert sorted(listed) == sorted(record["equilibria"][1].tolist())


@pytest.mark.representative
@pytest.mark.default_only("policy")
@pytest.mark.parametrize("name", [name for name in FOUND if name.startswith("policy")])
def test_gain_in_the_file_is_that_of_the_certificate(name):
    gain = np.array([[float.fromhex(end) for end in row] for row in json.loads(text_of(name))["gain"]])
    regret = solved(name).certificate.regret
    assert np.all(gain[:, 0] <= regret + 1e-12)
    assert np.all(regret - 1e-12 <= gain[:, 1])
    assert np.all(np.ptp(gain, axis=1) < 1e-10)


def equal_shares(matrix: np.ndarray) -> list[Fraction] | None:
    """Return the shares at which all lines are worth the same; None where these are not unique."""
    rows = [[*map(Fraction, line.tolist()), Fraction(-1), Fraction(0)] for line in matrix]
    shares = solved_exactly([*rows, [Fraction(1)] * len(matrix) + [Fraction(0), Fraction(1)]])
    return shares and shares[:-1]


def by_supports(first: np.ndarray, second: np.ndarray) -> list[list[list[str]]]:
    """Return the equilibria of a nondegenerate game by trying all pairs of supports of one size."""
    size, found = len(first), []
    supports = [one for k in range(1, size + 1) for one in combinations(range(size), k)]
    for mine, theirs in product(supports, supports):
        if len(mine) != len(theirs):
            continue
        y = equal_shares(first[np.ix_(mine, theirs)])
        x = equal_shares(second[np.ix_(mine, theirs)].T)
        if x is None or y is None or min(x) <= 0 or min(y) <= 0:
            continue
        whole = [[Fraction(0)] * size for _ in range(2)]
        for k, (i, j) in enumerate(zip(mine, theirs, strict=True)):
            whole[0][i], whole[1][j] = x[k], y[k]
        worth = first @ whole[1], np.array(whole[0]) @ second
        if max(worth[0]) == worth[0][mine[0]] and max(worth[1]) == worth[1][theirs[0]]:
            found.append([[str(p) for p in own] for own in whole])
    return found


@pytest.mark.parametrize("seed", range(3))
def test_checker_agrees_with_support_enumeration(seed):
    first, second = np.random.default_rng(seed).integers(-50, 50, (2, 4, 4))
    document = {
        "format": "rivalry-proof",
        "version": 3,
        "kind": "finite",
        "claim": "extreme_equilibria",
        "actions": [4, 4],
        "payoffs": [[str(u) for u in own.ravel().tolist()] for own in (first, second)],
        "dominated": [],
        "equilibria": by_supports(first, second),
    }
    assert check(document).startswith(f"{len(document['equilibria'])} extreme equilibri")
    exported = rv.solve(rv.games.matrix(first.tolist(), second.tolist()), MixedEquilibria()).proof.document()
    assert sorted(exported["equilibria"]) == sorted(document["equilibria"])


@pytest.mark.parametrize("seed", range(12))
def test_checker_agrees_in_degenerate_games(seed):
    found = rv.solve(random_game(3, seed, most=3), MixedEquilibria())
    count = len(found.record["equilibria"][1])
    assert check(found.proof.document()).startswith(f"{count} extreme equilibri")


def added(text: str, amount: Fraction) -> str:
    return str((Fraction(float.fromhex(text)) if "x" in text else Fraction(text)) + amount)


SMALL = Fraction(1, 10**6)


def move(strategy: list[str]) -> None:
    """Move a probability by 1e-6, from the largest one to the next."""
    first = max(range(len(strategy)), key=lambda k: Fraction(strategy[k]))
    for place, amount in ((first, -SMALL), ((first + 1) % len(strategy), SMALL)):
        strategy[place] = added(strategy[place], amount)


def raise_number(document: Document, *path: Any, by: Fraction = SMALL) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = added(document[path[-1]], by)


CHANGES: dict[str, tuple[str, Callable[[Document], Any], str]] = {
    "an equilibrium removed": ("extreme 5x5", lambda d: d["equilibria"].pop(), "is not in the list"),
    "an equilibrium twice": (
        "extreme 2x2",
        lambda d: d["equilibria"].append(d["equilibria"][0]),
        "occurs twice",
    ),
    "an action that is not dominated": (
        "extreme 5x5",
        lambda d: d["dominated"].append([0, 1, 2]),
        "action 1 of player 0 is not strictly dominated by 2",
    ),
    "a probability moved": ("extreme 5x5", lambda d: move(d["equilibria"][-1][0]), "gains"),
    "a probability of a degenerate game moved": (
        "extreme degenerate",
        lambda d: move(d["equilibria"][0][1]),
        "gains|not an extreme one",
    ),
    "a probability below 0": (
        "extreme 2x2",
        lambda d: d["equilibria"].append([["2", "-1"], ["1", "0"]]),
        "probabilities",
    ),
    "a payoff of an equilibrium": (
        "extreme 2x2",
        lambda d: raise_number(d, "payoffs", 0, 3, by=Fraction(1, 1000)),
        "player 0 gains",
    ),
    "a payoff that makes an equilibrium": (
        "pure",
        lambda d: [raise_number(d, "payoffs", k, 7, by=Fraction(100)) for k in range(3)],
        r"\(1, 1, 1\) is an equilibrium and not in the list",
    ),
    "a pure equilibrium removed": ("pure", lambda d: d["equilibria"].pop(), "is an equilibrium and not in"),
    "a pure one that is none": ("pure", lambda d: d["equilibria"].append([0, 1, 0]), "gains"),
    "a card played differently": ("poker", lambda d: move(d["strategies"][0][1]), "proved to be at least"),
    "the value": ("poker", lambda d: d.update(bound=["-1/18", "-1/19"]), None),
    "a lower value": ("poker", lambda d: d.update(bound=["-1/17", "-1/17"]), "at most"),
    "a payoff of a leaf": ("poker", lambda d: raise_number(d, "leaves", 0, 2, by=Fraction(1)), "value|most"),
    "a multiplier": ("correlated", lambda d: raise_number(d, "multipliers", 0), "proved to be at most"),
    "a multiplier below 0": (
        "correlated",
        lambda d: raise_number(d, "multipliers", 0, by=Fraction(-9)),
        "a multiplier is below 0",
    ),
    "a chance": ("correlated", lambda d: move(d["distribution"]), "gains|at least"),
    "a payoff of a correlated one": (
        "correlated",
        lambda d: raise_number(d, "payoffs", 1, 0, by=Fraction(-1)),
        "gains|at least",
    ),
    "a commitment": ("commitment", lambda d: move(d["distribution"]), "player 1 gains|at least"),
    "a response": (
        "commitment",
        lambda d: d.update(distribution=["0", "0", "1", "0"]),
        "player 1 gains 1 by action 1 where 0 is drawn",
    ),
    "a multiplier of a commitment": (
        "commitment",
        lambda d: raise_number(d, "multipliers", 1, by=Fraction(-1, 3)),
        "at most",
    ),
    "another leader": ("commitment", lambda d: d.update(leader=1), "gains|at least|at most"),
    "a value of the own policy": (
        "policy",
        lambda d: raise_number(d["sessions"][0], "own", 0, d["sessions"][0]["states"][0]),
        "the gain of player 0 is proved",
    ),
    "a value of the best one": (
        "policy",
        lambda d: [raise_number(one, "best", 1, 3, by=-SMALL) for one in d["sessions"]],
        "the gain of player 1 is proved",
    ),
    "a policy": (
        "policy",
        lambda d: d["sessions"][1]["policies"][0].__setitem__(slice(None), [0] * 16),
        "is proved",
    ),
    "a payoff of the stage game": (
        "policy",
        lambda d: raise_number(d, "payoffs", 0, 5, by=Fraction(1, 100)),
        "is proved",
    ),
    "a discount factor": ("policy", lambda d: d.update(discount=["19/20", "9/10"]), "is proved"),
    "no discounting": ("policy", lambda d: d.update(discount=["19/20", "1"]), "a discount factor"),
    "a smaller gain": ("policy", lambda d: raise_number(d, "gain", 0, 1, by=-SMALL), "is proved"),
    "a follower that does not respond": (
        "policy stages",
        lambda d: d["sessions"][0].update(policies=[d["sessions"][0]["policies"][0], [2, 2, 2]]),
        "is proved",
    ),
    "another order of moves": ("policy turns", lambda d: d["rounds"].reverse(), "is proved"),
}


@pytest.mark.representative
@pytest.mark.parametrize(
    "change", slow_except(CHANGES, [change for change, row in CHANGES.items() if row[0] not in COMPILED])
)
def test_a_changed_file_is_refuted(change):
    name, alter, reason = CHANGES[change]
    document = json.loads(text_of(name))
    before = deepcopy(document)
    alter(document)
    assert document != before
    if reason is None:  # still true, and weaker
        assert check(document).startswith("the value for player 0 is from")
        return
    with pytest.raises(Refuted, match=reason):
        check(document)


BROKEN: dict[str, Callable[[Document], Any]] = {
    "an exponent": lambda d: d["payoffs"][0].__setitem__(0, "1e9"),
    "no number": lambda d: d["payoffs"][0].__setitem__(0, "nan"),
    "zero below": lambda d: d["payoffs"][0].__setitem__(0, "1/0"),
    "too few payoffs": lambda d: d["payoffs"][1].pop(),
    "other sizes": lambda d: d.update(actions=[2, 3]),
    "three players": lambda d: d.update(actions=[2, 2, 1], payoffs=[d["payoffs"][0]] * 3),
    "too few probabilities": lambda d: d["equilibria"][0][0].pop(),
    "a strategy too few": lambda d: d["equilibria"][0].pop(),
    "an unknown claim": lambda d: d.update(claim="everything"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_document_is_no_proof(fault):
    document = json.loads(text_of("extreme 2x2"))
    BROKEN[fault](document)
    with pytest.raises(Damaged):
        check(document)


@pytest.mark.slow
def test_gains_of_no_session_are_no_proof():
    document = json.loads(text_of("policy memory"))
    document["sessions"] = []
    with pytest.raises(Damaged, match="sessions"):
        check(document)


def test_files_are_plain_or_packed(tmp_path: Path, monkeypatch):
    proof = solved("policy").proof
    proof.save(tmp_path / "plain.json")
    monkeypatch.setattr("rivalry.proofs.document.PLAIN", 100)
    proof.save(tmp_path / "packed.json.gz")
    plain = (tmp_path / "plain.json").read_bytes()
    assert gzip.decompress((tmp_path / "packed.json.gz").read_bytes()) == plain
    assert check(json.loads(plain))


@pytest.mark.slow
@pytest.mark.parametrize("discount", [0.6, 0.4])
def test_policy_of_grim_play(discount):
    grim = np.eye(2)[np.array([[0, 1, 1, 1]] * 2)]
    document = policy_proof(repeated_form(rv.games.matrix("prisoners_dilemma")), np.full(2, discount), grim)
    assert check(json.loads(json.dumps(document)))
    # 5 once and 1 for ever, against 3 for ever: no gain from 1/2 on
    expected = max(0.0, (1 - discount) * 5 + discount - 3)
    assert float.fromhex(document["gain"][0][1]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("memory", [1, 2])
def test_mixed_policy_has_the_gain_of_its_certificate(memory):
    world = repeated_form(rv.games.matrix("stag_hunt"), memory=memory)
    rates = np.array([0.9, 0.8])
    policy = np.array([[[0.3, 0.7], [1 / 3, 2 / 3], [0.5, 0.5], [0.0, 1.0]] * 4 ** (memory - 1)] * 2)
    document = policy_proof(world, rates, policy)
    assert check(json.loads(json.dumps(document)))
    gain = [[float.fromhex(end) for end in row] for row in document["gain"]]
    regret = policy_certificate(world, rates, policy).regret
    assert np.allclose(gain, regret[:, None], rtol=0, atol=1e-9)


def test_results_without_an_exact_proof_say_so(tmp_path: Path):
    found = rv.solve(rv.games.matrix("jordan"), FiniteEquilibria())
    with pytest.raises(ValueError, match="mixed equilibria of three players"):
        found.proof.save(tmp_path / "none.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("study", "count"), [("kuhn_poker", 1), ("matrix_classics", 6)])
def test_results_of_a_run_are_exported_and_verified(study, count, tmp_path: Path):
    run, files = tmp_path / "run", tmp_path / "proofs"
    assert command(["run", study, "--quick", "--workers", "1", "--out", str(run)]) == 0
    assert command(["certify", str(run), "--proof", "--export", str(files)]) == 0
    lines = (files / "proofs.txt").read_text().splitlines()
    assert sum("bytes; verified: " in line for line in lines) == count
    names = {path.stem for path in files.glob("*.json")}
    assert len(names) == count
    assert all(name.startswith(("linear", "evaluate", "pure", "mixed")) for name in names), names
    assert len(lines) == len({line.partition(":")[0] for line in lines})
    assert all("no file: " in line for line in lines if line.partition(".json:")[0] not in names)
    assert command(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "verified independently" in page
    reasons = {line.partition("no file: ")[2] for line in lines if "no file: " in line}
    assert all(f": {escape(reason, quote=False)}" in page for reason in reasons), reasons
