"""Payoffs that doubles change, against equilibria of 2 x 2 games solved by hand in fractions."""

import json
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rivalry as rv
from rivalry.cli import main
from rivalry.core.array_games import exact_tables
from rivalry.core.exact_payoffs import split_payoffs
from rivalry.families.extensive import Decision, Extensive
from rivalry.interop import read_efg, read_nfg
from rivalry.solving.exact_proofs import policy_proof, pure_proof
from rivalry.tables.repeated import repeated_form

Tables = list[list[list[Fraction]]]


def solved_by_hand(tables: Tables) -> list[tuple[Fraction, Fraction]]:
    """Return probabilities of both players' first actions at all equilibria of a 2 x 2 game without ties."""
    first, second = tables
    found = [
        (Fraction(1 - i), Fraction(1 - j))
        for i, j in product((0, 1), repeat=2)
        if first[i][j] > first[1 - i][j] and second[i][j] > second[i][1 - j]
    ]
    rows = [first[0][j] - first[1][j] for j in (0, 1)]
    columns = [second[i][0] - second[i][1] for i in (0, 1)]
    if rows[0] * rows[1] < 0 and columns[0] * columns[1] < 0:
        found.append((columns[1] / (columns[1] - columns[0]), rows[1] / (rows[1] - rows[0])))
    return sorted(found)


def games_without_ties(count: int) -> list[Tables]:
    rng, games = Random(5), list[Tables]()
    while len(games) < count:
        unit, base = rng.choice([(Fraction(1), Fraction(2**53)), (Fraction(1, 10**20), Fraction(1, 3))])
        draws = rng.sample(range(1, 9), 8)
        cells = [base + unit * k for k in draws]
        games.append([[cells[0:2], cells[2:4]], [cells[4:6], cells[6:8]]])
    return games


def nfg(tables: Tables) -> str:
    cells = (f"{tables[0][i][j]} {tables[1][i][j]}" for j, i in product((0, 1), repeat=2))
    return f'NFG 1 R "" {{ "R" "C" }} {{ 2 2 }}\n{"  ".join(cells)}'


def efg(tables: Tables) -> str:
    lines = ['EFG 2 R "" { "R" "C" }', 'p "" 1 1 "" { "0" "1" } 0']
    for i in (0, 1):
        lines.append('p "" 2 1 "" { "0" "1" } 0')
        lines += [f't "" {1 + 2 * i + j} "" {{ {tables[0][i][j]} {tables[1][i][j]} }}' for j in (0, 1)]
    return "\n".join(lines)


def entries_of(tables: Tables, folder: Path) -> dict[str, Any]:
    """Return the game of these tables by every way in which payoffs come in."""
    (folder / "g.nfg").write_text(nfg(tables))
    (folder / "g.efg").write_text(efg(tables))
    cells = [[(tables[0][i][j], tables[1][i][j]) for j in (0, 1)] for i in (0, 1)]
    arrays = [np.array(table, object) for table in tables]
    names = {"index": ["a", "b"], "columns": ["a", "b"]}
    return {
        "lists": rv.games.matrix(*tables),
        "payoffs": rv.games.matrix(payoffs=tables),
        "cells": rv.games.matrix(cells),
        "arrays": rv.games.matrix(*arrays),
        "one array": rv.games.matrix(np.array(tables, object)),
        "frames": rv.games.matrix(*(pd.DataFrame(array, **names) for array in arrays)),
        "nfg": read_nfg(folder / "g.nfg"),
        "efg": read_efg(folder / "g.efg"),
    }


@pytest.mark.slow
def test_lists_are_those_of_the_payoffs_given(tmp_path: Path) -> None:
    for tables in games_without_ties(40):
        right = solved_by_hand(tables)
        pure = sum(p in (0, 1) and q in (0, 1) for p, q in right)
        floats = np.array(right, float)
        for name, game in entries_of(tables, tmp_path).items():
            assert exact_tables(rv.oracles.to_finite(game)).tolist() == tables, name
            found = rv.solve(game, rv.methods.MixedEquilibria()).data.equilibria.values
            np.testing.assert_allclose(sorted(found[:, :, 0].tolist()), floats, err_msg=name)
            assert rv.solve(game, rv.methods.PureEquilibria()).data.equilibrium_count == pure, name
        assert rv.all_equilibria([tables]).counts.tolist() == [len(right)]


@pytest.mark.slow
def test_lists_where_one_payoff_is_larger_by_many_orders() -> None:
    rng = Random(7)
    for power in range(16):
        for _ in range(6):
            cells = [Fraction(n) for n in rng.sample(range(-9, 9), 8)]
            cells[rng.randrange(8)] = Fraction((-1) ** power * 10**power * 10)
            tables = [[cells[0:2], cells[2:4]], [cells[4:6], cells[6:8]]]
            right = solved_by_hand(tables)
            game = rv.games.matrix(*(np.array(table, float) for table in tables))
            solution = rv.solve(game, rv.methods.MixedEquilibria())
            found = sorted(solution.data.equilibria.values[:, :, 0].tolist())
            np.testing.assert_allclose(found, np.array(right, float), rtol=1e-14, err_msg=str(tables))
            assert bool(solution.data.complete)
            pure = sum(p in (0, 1) and q in (0, 1) for p, q in right)
            assert rv.solve(game, rv.methods.PureEquilibria()).data.equilibrium_count == pure


@pytest.mark.slow
def test_policies_have_no_proof_of_payoffs_that_were_rounded() -> None:
    game = rv.games.matrix([[2**53 + 1, 0], [0, 1]], [[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="payoffs rounded to doubles"):
        policy_proof(repeated_form(game), np.array([0.5, 0.5]), np.zeros((2, 4), int))


def test_whole_numbers_of_numpy_and_decimals_are_not_rounded() -> None:
    big = 2**53
    tables = [[[big + 1, big], [big, big + 1]], [[big, big + 1], [big + 1, big]]]
    for game in (
        rv.games.matrix(*(np.array(table) for table in tables)),
        rv.games.matrix(*(np.array(table, np.uint64) for table in tables)),
        rv.games.matrix(payoffs=[[list(map(Decimal, row)) for row in table] for table in tables]),
        rv.games.matrix([[big + 1, float(big)], [float(big), big + 1]], tables[1]),
    ):
        [x] = rv.solve(game, rv.methods.MixedEquilibria()).data.equilibria.values
        assert x.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_numbers_that_doubles_hold_are_kept_once() -> None:
    for numbers in ([1, 2, Fraction(1, 10)], [0.1, 1 / 3, 2.0**60], [True, False]):
        assert split_payoffs(np.array(numbers, object))[1] is None


def test_a_table_that_was_replaced_is_not_read_from_before() -> None:
    game = rv.games.matrix([[2**53 + 1, 0], [0, 1]])
    changed = type(game)(np.zeros((2, 2, 2)), game.actions, game.players, game.exact)
    assert not np.any(exact_tables(rv.oracles.to_finite(changed)))


def test_bound_allows_for_the_payoffs_given() -> None:
    game = rv.games.matrix([[2**53 + 1, 0], [2**53, 1]], [[1, 0], [0, 1]])
    assert rv.certificate(game, game.pure(1, 0)).bound[0] >= 1


@pytest.mark.slow
def test_value_of_a_tree_is_that_of_the_payoffs_given() -> None:
    wins = Fraction(10**20 + 1)

    def pennies(history: tuple[Any, ...]) -> Any:
        if len(history) < 2:
            return Decision(len(history), "coin", ("h", "t"))
        return (wins, -wins) if history[0] == history[1] else (wins - 1, 1 - wins)

    solution = rv.solve(Extensive.from_rules(pennies), rv.methods.LinearProgramme())
    assert solution.data.exact_bound.values.tolist() == [str(wins - Fraction(1, 2))] * 2
    table = rv.games.matrix([[wins, wins - 1], [wins - 1, wins]])
    assert (
        rv.solve(table, rv.methods.LinearProgramme()).data.exact_bound.values.tolist()
        == [str(wins - Fraction(1, 2))] * 2
    )


@pytest.mark.slow
def test_frozen_players_leave_payoffs_as_given() -> None:
    cubes = np.zeros((3, 2, 2, 2), object)
    cubes[0, 0], cubes[0, 1] = 2**53 + 1, 2**53
    game = rv.transforms.freeze(rv.games.matrix(payoffs=cubes), {2: [1.0, 0.0]})
    assert rv.solve(game, rv.methods.PureEquilibria()).data.equilibrium_count == 2


@pytest.mark.slow
def test_gains_and_proof_files_are_of_the_payoffs_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, more = Fraction(1), 1 + Fraction(1, 10**20)
    Path("g.nfg").write_text(nfg([[[more, one], [one, more]], [[one, one], [one, one]]]))
    Path("p.txt").write_text("NE,0,1,1,0")
    main(["certify", "--profile", "p.txt", "--game", "g.nfg", "--json", "--export", "out"])
    [row] = json.loads(capsys.readouterr().out)["certificates"]
    assert row["exact_gain"] == ["1/100000000000000000000", "0"]
    assert json.loads((tmp_path / "out/p.json").read_text())["gain"] == row["exact_gain"]
    game = read_nfg(tmp_path / "g.nfg")
    assert pure_proof(game.exact_table)["equilibria"] == [[0, 0], [1, 1]]
