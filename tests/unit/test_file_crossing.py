"""Random files of each format, read by us and by the other programs that are installed: equal payoffs."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.interop.gambit import read_nfg, write_nfg
from rivalry.interop.libraries import from_openspiel
from tests.selection import slow_except
from tests.unit.test_gambit_files import as_efg, random_tree

SEEDS = slow_except(range(12), (0,))


def matrix_of(rng: np.random.Generator) -> Any:
    sizes = rng.integers(1, 4, int(rng.integers(2, 4)))
    return rv.games.matrix(payoffs=rng.integers(-9, 10, (len(sizes), *sizes)) / 4)


def tables_of(game: Any) -> np.ndarray:
    """Payoffs ``[player action_0 ..]`` of a game of Gambit."""
    return np.array(game.to_arrays(dtype=float)).astype(float)


def outcome_file(rng: np.random.Generator, table: np.ndarray) -> str:
    """The version of the format in which profiles have numbered outcomes; some pay nothing."""
    players, *sizes = table.shape
    rows = [column.ravel(order="F") for column in table]
    payoffs = list(zip(*rows, strict=True))
    listed = [f'{{ "" {", ".join(map(str, row))} }}' for row in payoffs]
    numbers = [k + 1 if any(row) else int(rng.choice([0, k + 1])) for k, row in enumerate(payoffs)]
    names = " ".join(f'"{player}"' for player in range(players))
    head = f'NFG 1 R "" {{ {names} }} {{ {" ".join(map(str, sizes))} }}'
    return f"{head}\n\n{{ {' '.join(listed)} }}\n{' '.join(map(str, numbers))}\n"


@pytest.mark.parametrize("seed", SEEDS)
def test_strategic_forms_as_gambit_reads_them(tmp_path: Path, seed: int) -> None:
    gambit = pytest.importorskip("pygambit")
    rng, path = np.random.default_rng(seed), tmp_path / "game.nfg"
    game = matrix_of(rng)
    for names in (True, False):
        write_nfg(game, path, names=names)
        assert np.array_equal(read_nfg(path).table, game.table)
        assert np.array_equal(tables_of(gambit.read_nfg(str(path))), game.table)
    path.write_text(outcome_file(rng, np.asarray(game.table)))
    assert np.array_equal(read_nfg(path).table, game.table)
    assert np.array_equal(tables_of(gambit.read_nfg(str(path))), game.table)


@pytest.mark.parametrize("seed", SEEDS)
def test_strategic_forms_as_open_spiel_reads_and_writes_them(tmp_path: Path, seed: int) -> None:
    spiel = pytest.importorskip("pyspiel")
    game, path = matrix_of(np.random.default_rng(seed)), tmp_path / "game.nfg"
    write_nfg(game, path, names=False)
    theirs = spiel.load_nfg_game(path.read_text())
    assert np.array_equal(from_openspiel(theirs).table, game.table)
    path.write_text(spiel.game_to_nfg_string(theirs))
    assert np.array_equal(read_nfg(path).table, game.table)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_trees_as_open_spiel_reads_them(tmp_path: Path, seed: int) -> None:
    spiel = pytest.importorskip("pyspiel")
    text = as_efg(random_tree(np.random.default_rng(seed), 2, 4), 2)
    (tmp_path / "game.efg").write_text(text)
    ours = rv.interop.read_efg(tmp_path / "game.efg")

    def value(state: Any, plan: dict[str, str]) -> np.ndarray:
        if state.is_terminal():
            return np.array(state.returns())
        if state.is_chance_node():
            return sum(chance * value(state.child(move), plan) for move, chance in state.chance_outcomes())
        names = {state.action_to_string(move): move for move in state.legal_actions()}
        (move,) = names.keys() & plan.keys()
        return value(state.child(names[move]), plan)

    root = spiel.load_efg_game(text).new_initial_state()
    for cell in product(*map(range, ours.sizes)):
        names = [ours.actions[player][k] for player, k in enumerate(cell)]
        plan = dict.fromkeys("/".join(names).split("/"), "")
        assert np.allclose(value(root, plan), ours.table[(slice(None), *cell)], rtol=0, atol=1e-12)
