"""Random files of each format, read by us and by the other programs that are installed: equal payoffs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.interop.action_graphs import read_agg, read_gam
from rivalry.interop.gambit import read_nfg, write_nfg
from rivalry.interop.libraries import from_openspiel
from tests.selection import slow_except
from tests.unit.test_gambit_files import as_efg, random_tree

SEEDS = slow_except(range(12), (0,))
FUNCTIONS = (0, 1, 2, 3, 10, 11, 12, 13)  # types of function nodes


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


def agg_file(rng: np.random.Generator, kind: int, types: Sequence[int] = ()) -> str:
    """An action-graph game of two players and one function node, by players' numbers of ``types``."""
    nodes, players = 3, 2
    near = sorted(rng.choice(nodes, 2, replace=False).tolist())
    rising = np.cumsum(rng.integers(0, 3, nodes)).tolist()
    default = {10: 0, 11: int(rng.integers(0, 3))}.get(kind, 9)  # others are read in two ways
    function = f"{kind} {default} [{' '.join(map(str, rising))}]" if kind >= 10 else str(kind)
    sets = [sorted(rng.choice(nodes, 2, replace=False).tolist()) for _ in range(sum(types) or players)]
    lines = ["#BAGG" if types else "#AGG", f"{players} {nodes} 1"]
    if types:
        lines += [" ".join(map(str, types)), *("0.25 0.75" if count == 2 else "1" for count in types)]
        counts = [sets[: types[0]], sets[types[0] :]]
        lines += [" ".join("2" for _ in row) for row in counts]
    else:
        lines += ["2 2"]
    lines += [" ".join(map(str, row)) for row in sets]
    lines += ["2 0 3", "2 1 3", "2 2 3"]  # neighbours: the own count and the function
    lines += [f"{len(near)} {' '.join(map(str, near))}", function]
    # all counts that could be, of which some are impossible
    configurations = list(product(range(players + 1), range(20)))
    for _ in range(nodes):
        payoffs = rng.integers(-9, 10, len(configurations))
        lines.append(f"1 {len(configurations)}")
        lines += [f"[{own} {value}] {pay}" for (own, value), pay in zip(configurations, payoffs, strict=True)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("seed", SEEDS)
def test_action_graphs_as_gambit_reads_them(tmp_path: Path, seed: int, kind: int) -> None:
    gambit = pytest.importorskip("pygambit")
    path = tmp_path / "game.agg"
    path.write_text(agg_file(np.random.default_rng(seed), kind))
    assert np.array_equal(read_agg(path).table, tables_of(gambit.read_agg(str(path))))


@pytest.mark.parametrize("seed", SEEDS)
def test_bayesian_action_graphs_are_gambit_s_games_of_agents(tmp_path: Path, seed: int) -> None:
    gambit = pytest.importorskip("pygambit")
    rng, path = np.random.default_rng(seed), tmp_path / "game.bagg"
    path.write_text(agg_file(rng, FUNCTIONS[seed % len(FUNCTIONS)], types=(2, 1)))
    of_agents = tables_of(gambit.read_bagg(str(path)))  # [agent action of 0, first type; second; of 1]
    first = 0.25 * of_agents[0] + 0.75 * of_agents[1]
    expected = np.stack([first, of_agents[2]]).reshape(2, 4, 2)  # a plan of player 0 has two actions
    assert np.allclose(read_agg(path).table, expected, rtol=0, atol=1e-12)
    assert np.allclose(read_agg(path, form="agent").table, of_agents, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("types", [(2, 1), (1, 1), (2, 2)])
def test_a_plan_is_paid_what_its_agents_expect(tmp_path: Path, seed: int, types: tuple[int, ...]) -> None:
    path = tmp_path / "game.bagg"
    path.write_text(agg_file(np.random.default_rng(seed), 0, types=types))
    plans, agents = read_agg(path), read_agg(path, form="agent")
    assert agents.table.shape == (sum(types), *[2] * sum(types))
    chances = [chance for count in types for chance in ((0.25, 0.75) if count == 2 else (1.0,))]
    owners = np.repeat([0, 1], types)
    for actions in product(range(2), repeat=sum(types)):
        plan = [
            int("".join(str(a) for a, p in zip(actions, owners, strict=True) if p == player), 2)
            for player in (0, 1)
        ]
        pays = np.array(chances) * agents.table[(slice(None), *actions)]
        assert np.allclose(plans.table[(slice(None), *plan)], np.bincount(owners, pays), rtol=0, atol=1e-12)


def test_forms_of_bayesian_games_are_two(tmp_path: Path) -> None:
    path = tmp_path / "game.agg"
    path.write_text(agg_file(np.random.default_rng(0), 0))
    assert np.array_equal(read_agg(path, form="agent").table, read_agg(path).table)
    with pytest.raises(ValueError, match=r"form: 'types' must be plans or agent"):
        read_agg(path, form="types")


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_payoff_lists_as_quantecon_reads_them(tmp_path: Path, seed: int) -> None:
    games = pytest.importorskip("quantecon.game_theory")
    table, path = np.asarray(matrix_of(np.random.default_rng(seed)).table), tmp_path / "game.gam"
    payoffs = np.concatenate([player_table.ravel(order="F") for player_table in table]).tolist()
    sizes = " ".join(map(str, table.shape[1:]))
    path.write_text(f"{len(table)}\n{sizes}\n{' '.join(map(str, payoffs))}\n")
    theirs = games.from_gam(str(path)).payoff_profile_array
    assert np.array_equal(read_gam(path).table, table)
    assert np.array_equal(np.moveaxis(theirs, -1, 0), table)
