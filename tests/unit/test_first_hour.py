"""A contributor's first hour: a family, a learner, a plot and a study, added as CONTRIBUTING.md says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[2]

FAMILY = '''"""The commons: fishers share a stock whose yield falls as it is used (Gordon 1954)."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt, Interval
from jaxtyping import Array, Float

from rivalry.core.space import Box, Profile
from rivalry.core.tree import Tree, payoff_method, static
from rivalry.runtime.jax import jnp
from rivalry.schema.validate import checked


class Commons(Tree):
    """Fishers choose efforts on a common stock."""

    stock: Float[Array, ""]
    wage: Float[Array, ""]
    players: int = static()

    @property
    def space(self) -> Box:
        return Box.of([[0.0, 1.0]], players=self.players)

    @payoff_method
    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """Return each fisher's catch less the cost of its effort."""
        effort = x[:, 0]
        return effort * (self.stock - effort.sum()) - self.wage * effort


@checked
def commons(
    *,
    players: Annotated[int, Interval(ge=2), "number of fishers"] = 2,
    stock: Annotated[float, Gt(0), "catch per effort of the first fisher"] = 1.0,
    wage: Annotated[float, Gt(0), "cost per effort"] = 0.1,
) -> Commons:
    """Return a game of fishers who share a stock.

    Examples
    --------
    >>> commons(players=3).space.shape
    (3, 1)
    """
    return Commons(jnp.asarray(stock), jnp.asarray(wage), players)
'''
LEARNER = '''"""Imitation of the best paid action of the last round (Vega-Redondo 1997)."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.results import Record
from rivalry.methods.continuous.mixtures import TableLearner, played, tables_of

Session = dict[str, np.ndarray]


class Imitation(TableLearner):
    """Every player takes the action that paid most, or with probability ``mistakes`` any other."""

    mistakes: Annotated[float, Ge(0), Le(1), "probability of a random action per round"] = 0.05

    def begin(self, world: Any, stream: np.random.SeedSequence) -> Session:
        sizes = tables_of(world).sizes
        counts = np.zeros((len(sizes), int(sizes.max())))
        return {"counts": counts, "played": np.zeros(len(sizes), np.int64), "seed": stream.generate_state(4)}

    def advance(self, world: Any, session: Session, steps: int) -> int:
        tables, players = tables_of(world), np.arange(len(session["played"]))
        for _ in range(steps):
            rng = np.random.default_rng([*session["seed"], int(session["counts"].sum())])
            payoff = tables.payoff[0][:, np.ravel_multi_index(tuple(session["played"]), tables.sizes)]
            best = np.minimum(session["played"][np.argmax(payoff)], tables.sizes - 1)
            random = rng.random(len(players)) < self.mistakes
            session["played"][:] = np.where(random, rng.integers(tables.sizes), best)
            session["counts"][players, session["played"]] += 1
        return steps

    def read(self, world: Any, session: Session) -> Record:
        counts = session["counts"]
        return played(world, counts / max(counts[0].sum(), 1.0))
'''
PLOT = '''"""Efforts of all players at the end of a run."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from rivalry.plots import select
from rivalry.plots.drawing import preset
from rivalry.plots.marks import Drawing, Frame, Mark
from rivalry.plots.select import At


@preset
def efforts(data: Dataset, *, at: At = None) -> Drawing:
    """Draw the first choice of every player as a bar.

    Parameters
    ----------
    data
        Holds ``profile``.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.
    """
    heights = select.point(data, "profile", 2, at=at)["profile"][:, 0]
    return Drawing([Mark("bars", np.arange(len(heights)), heights)], [Frame("player", "effort")])
'''
STUDY = """title = "Effort on a common stock"
question = "How much more do fishers use a stock than is best for all?"
source = "Gordon 1954, Journal of Political Economy 62(2)"
cost = "seconds"
plots = ["efforts"]

[game]
family = "commons"
players = 3

[[method]]
kind = "best_response"
start = [0.1, 0.2, 0.3]

[[method]]
kind = "imitation"
steps = 500

[[expect]]
quantity = "profile"
at = { algorithm = "best_response" }
reduce = "mean"
expected = 0.225
tolerance = 1e-4
note = "closed form: (stock - wage) / (players + 1)"
"""
PAGE = """# The commons

Fishers $i$ choose efforts $x_i$ in $[0, 1]$; a common stock yields
$u_i = x_i (s - X) - w x_i$, with $X$ the total effort.

% keys commons

In equilibrium $x_i = (s - w)/(n + 1)$. With a `stock` above `wage` $+ n + 1$ all fish as much as they can.
"""
GALLERY = """## Who gets what

### `efforts`

```python
solution = rv.solve(rv.games.market(), rv.methods.BestResponse())
rv.plots.efforts(solution)
```
"""
NEW = {
    "src/rivalry/families/commons.py": FAMILY,
    "docs/textbook/commons.md": PAGE,
    "src/rivalry/methods/finite/imitation.py": LEARNER,
    "src/rivalry/plots/charts/efforts.py": PLOT,
    "src/rivalry/studies/commons.toml": STUDY,
}
# file: a text there, and what takes its place
LINES = {
    "src/rivalry/games.py": (
        '    "continuous": FamilyEntry(',
        """    "commons": FamilyEntry(
        "rivalry.families.commons:commons",
        "fishers share a stock whose yield falls as it is used",
        "uᵢ = xᵢ (s - X) - w xᵢ, where X is the effort of all",
        first={
            "method": {"kind": "best_response", "start": [0.1, 0.2]},
            "sweep": {"game.wage": [0.1, 0.2, 0.4]},
        },
    ),
    "continuous": FamilyEntry(""",
    ),
    "src/rivalry/methods/__init__.py": (
        '        "pure_equilibria":',
        '        "imitation": "imitation of the action that paid most",\n        "pure_equilibria":',
    ),
    "src/rivalry/plots/__init__.py": (
        '    "rivalry.plots.charts.ends": {',
        '    "rivalry.plots.charts.efforts": {"efforts": "first choice of every player as a bar"},\n'
        '    "rivalry.plots.charts.ends": {',
    ),
    "docs/howto/gallery.md": ("## Who gets what\n", GALLERY),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Run commands in a copy of the tree to which the four are added."""
    copy = tmp_path_factory.mktemp("first_hour") / "rivalry"
    # what mypy knows of the unchanged files is kept
    left_out = shutil.ignore_patterns(".git", "__pycache__", ".pytest_cache", ".ruff_cache", "_build", "runs")
    shutil.copytree(ROOT, copy, ignore=left_out)
    for name, text in NEW.items():
        (copy / name).write_text(text, encoding="utf-8")
    for name, (old, new) in LINES.items():
        text = (copy / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name}: {old}"
        (copy / name).write_text(text.replace(old, new), encoding="utf-8")
    programs = tmp_path_factory.mktemp("programs")
    for name, words in {"python": "", "pytest": "-m pytest -q -n 0"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)

    def call(command: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "MPLBACKEND": "agg"}
        environment["PATH"] = os.pathsep.join(
            [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        done = subprocess.run(command, shell=True, cwd=copy, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return call


def commands() -> list[str]:
    """The commands of CONTRIBUTING.md for a family, a method, a plot and a study, for the names here."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## A family, a method, a plot or a study of the package")[2]
    (block,) = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
    lines = [line.partition("#")[0].strip().replace("FAMILY", "commons") for line in block.splitlines()]
    return [
        line.replace("NAME", "efforts" if "gallery" in line else "'commons or imitation'") for line in lines
    ]


def test_no_rule_fails_after_the_commands_of_the_guide(run: Callable[[str], str]) -> None:
    for program in ("ruff", "mypy"):
        pytest.importorskip(program)
    lines = commands()
    assert len(lines) == 6
    for line in lines:
        run(line)


def test_the_study_runs_and_agrees_with_the_closed_form(run: Callable[[str], str]) -> None:
    told = run("python -m rivalry run commons --out runs/commons")
    assert "1 of 1" in told or "agrees" in told, told
    assert " commons " in run("python -m rivalry list")
