"""Trees that are JAX pytrees once JAX is imported, and finite games solved without JAX."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.space import Box, Simplex
from rivalry.core.tree import Tree, is_array_tree, static
from rivalry.runtime.jax import compiled, eqx, jax, jnp


class Line(Tree):
    slope: np.ndarray
    name: str = static(default="line")


LINE = Line(np.array([1.0, 2.0]))

WITHOUT = """
import sys
import numpy as np
import rivalry as rv
{code}
loaded = {{"jax", "equinox", "numba", "quantecon"}} & set(sys.modules)
assert not loaded, loaded
"""


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "assert rv.solve(rv.games.matrix('chicken'), rv.methods.PureEquilibria()).claim == 'equilibrium'",
        "assert rv.solve(rv.games.matrix('jordan'), rv.methods.MixedEquilibria()).claim == 'equilibrium'",
        "assert rv.certificate(rv.games.matrix('chicken'), np.eye(2)[::-1]).claim == 'equilibrium'",
        "from rivalry.studies.poker import kuhn_poker\n"
        "poker = rv.solve(kuhn_poker(), rv.methods.LinearProgramme())\n"
        "assert poker.claim == 'equilibrium' and poker.data.game_value == -1 / 18",
        "logit = rv.methods.QuantalResponse(max_lambda=1.0, step=1.0)\n"
        "assert rv.solve(rv.games.matrix('chicken'), logit).status == 'completed'",
        "import gymnasium\n"
        "lake = rv.interop.from_gymnasium(gymnasium.make('FrozenLake-v1'))\n"
        "learner = rv.methods.EnvironmentQLearning(episodes=5, evaluation=2)\n"
        "assert rv.solve(lake, learner).status == 'completed'",
        "from rivalry.cli import main\n"
        "import os, tempfile\n"
        "os.chdir(tempfile.mkdtemp())\n"
        "for command in ('run matrix_classics --quick --workers 1', 'resume runs/matrix_classics-quick',\n"
        "                'certify runs/matrix_classics-quick', 'report runs/matrix_classics-quick'):\n"
        "    assert main(command.split()) == 0, command",
        "import rivalry.tables.discretize, rivalry.tables.periods, rivalry.core.symmetric",
    ],
    ids=["pure", "mixed", "certificate", "poker", "logit", "environment", "commands of a study", "tables"],
)
def test_finite_games_do_not_import_jax(code: str) -> None:
    run(WITHOUT.format(code=code))


@pytest.mark.slow
@pytest.mark.parametrize(
    "order", ["import jax\nimport rivalry as rv", "import rivalry as rv\n{make}\nimport jax"]
)
def test_games_are_pytrees_whenever_jax_is_imported(order: str) -> None:
    make = "import rivalry as rv\ngame = rv.games.matrix('chicken')"
    check = "assert jax.jit(lambda g: g.table.sum())(game) == game.table.sum()"
    precise = "assert jax.numpy.ones(2).dtype == 'float64'"
    run("\n".join([order.format(make=make), make, check, precise]))


def test_a_tree_is_frozen_and_compared_by_its_fields() -> None:
    with pytest.raises(AttributeError):
        LINE.name = "other"  # type: ignore[misc]
    assert LINE == Line(np.array([1.0, 2.0])) == pickle.loads(pickle.dumps(LINE))
    assert Line(np.array([1.0, 3.0])) != LINE
    assert Line(np.array([1.0, 2.0]), "other") != LINE
    assert hash(LINE) == hash(Line(np.array([5.0])))


def test_a_tree_is_one_line_of_its_fields() -> None:
    assert repr(LINE) == "Line: slope [1 2], name line"
    assert repr(Line(np.arange(50) / 10)) == "Line: slope 0 to 4.9, name line"
    assert repr(rv.Box.interval(0.0, 1.0, players=2)) == "Box: low 0, high 1, coordinates linear"
    assert repr(rv.methods.PureEquilibria()) == "PureEquilibria"
    assert len(repr(rv.methods.QLearning())) <= 160
    said: list[str] = []
    jax.jit(lambda line: said.append(repr(line)))(LINE)
    assert said == ["Line without numbers, as inside a transformation of JAX"]


def test_jax_flattens_named_leaves_and_keeps_settings_static() -> None:
    ((path, leaf),) = jax.tree_util.tree_flatten_with_path(LINE)[0]
    assert jax.tree_util.keystr(path) == ".slope"
    assert leaf is LINE.slope
    assert jax.tree.structure(LINE) != jax.tree.structure(Line(LINE.slope, "other"))
    doubled = eqx.tree_at(lambda line: line.slope, LINE, jnp.ones(2))
    assert isinstance(doubled, Line)
    assert doubled.slope.tolist() == [1.0, 1.0]
    rows = jax.vmap(lambda line: line.slope[0])(Line(np.ones((3, 2))))
    assert rows.tolist() == [1.0, 1.0, 1.0]


def test_is_array_tree_checks_all_leaves() -> None:
    assert is_array_tree(LINE)
    assert is_array_tree(Simplex((2, 3)))
    assert is_array_tree(Box.interval(0.0, 1.0, players=2))
    assert not is_array_tree(Line(object()))  # type: ignore[arg-type]
    assert not is_array_tree(np.ones(2))


def test_compiled_functions_trace_once_per_structure() -> None:
    traced = []

    @compiled
    def double(line: Line) -> object:
        traced.append(line.name)
        return 2 * line.slope

    for line in (LINE, Line(np.array([3.0, 4.0])), Line(LINE.slope, "other")):
        np.testing.assert_array_equal(np.asarray(double(line)), 2 * line.slope)
    assert traced == ["line", "other"]


def test_certificates_do_not_depend_on_the_array_library() -> None:
    game = rv.games.matrix("jordan")
    x = np.array([[0.3, 0.7], [0.6, 0.4], [0.9, 0.1]])
    here = rv.certificate(game, x).record()
    for other in (rv.certificate(game, jnp.asarray(x)), rv.certificate(rv.with_(game, table=game.table), x)):
        there = other.record()
        assert here.keys() == there.keys()
        for name, (_, array) in here.items():
            np.testing.assert_array_equal(array, there[name][1])
