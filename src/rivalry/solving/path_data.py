"""Plot data of a solution: of its recorded path, of the game at the profile and at rows of the path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rivalry.core import oracles
from rivalry.core.game import Game, is_population, own_gradients
from rivalry.core.results import Record
from rivalry.plots import PATH_VIEWS, PLOTS
from rivalry.runtime.jax import jax, put, seldom
from rivalry.schema.register import BENCHMARKS
from rivalry.schema.validate import check_word
from rivalry.solving.steps import as_arrays

LENGTH = 64  # paths are padded to 64, 128, 256 … rows: few compilations


def has_answer(record: Record) -> bool:
    """True where a record has a finite profile or policy, at which a game has payoffs."""
    dims, profile = record.get("profile", ((), np.nan))
    return dims in (("player", "axis"), ("state", "action")) and bool(np.isfinite(profile).all())


def plot_record(game: object, record: Record, plots: Sequence[str]) -> Record:
    """Return plot data by name, of the path or of the game at the profile; without one, benchmarks alone."""
    names = plots if has_answer(record) else [name for name in plots if name == BENCHMARKS]
    plot_data: Record = {}
    for name in names:
        if name in PATH_VIEWS:
            plot_data |= path_view(game, record, name)
        elif name in (offered := oracles.plot_data(game)):
            _, profile = record.get("profile", ((), np.nan))
            view = offered[name](put(profile)).items()
            plot_data |= {key: (tuple(dims), np.asarray(array)) for key, (dims, array) in view}
    return plot_data


def record_of_plot(game: object, record: Record, plot: str, options: Mapping[str, Any]) -> Record:
    """Data of the game for a plot with these options.

    Raises `ValueError` for an unknown plot, and for one that the game or the result has no data for.
    """
    check_word("plot", plot, PLOTS)
    entry = PLOTS[plot]
    plot_data: Record = {}
    for name in entry.views_of(options):
        part = plot_record(game, record, [name])
        if not part and not entry.spare:
            raise ValueError(f"plot: {plot!r} {_why_missing(game, record, name)}")
        plot_data |= part
    return plot_data


def _why_missing(game: object, record: Record, name: str) -> str:
    """Return in words why there is no plot data of this name."""
    if not has_answer(record):
        return "draws the game around one profile, which this result does not have"
    if name not in PATH_VIEWS and name not in oracles.plot_data(game):
        return f"draws {name!r}, which this game does not offer"
    if "path" not in record or is_population(game):
        return "draws a path of profiles, which this result does not have"
    return "draws every step of a run, of which this path omits some; limit max_steps"


def path_view(game: object, record: Record, name: str) -> Record:
    """Return the plot data ``name`` of a record's ``path [step player axis]``; empty without such a path.

    - ``path_payoffs [step player]`` and ``path_gradients [step player axis]``: payoffs and own gradients at
      every recorded profile.
    - ``path_moves``: every step as moves of one player after the other, as in sequential best responses:
      ``move_payoff [move player]`` after each move, ``move_player [move]`` and the mover's
      ``move_gain [move]``. Empty if the path omits steps.
    """
    if "path" not in record or is_population(game):
        return {}
    if name == "path_moves":
        return _moves(game, record)
    measure, dims = (_payoffs, ()) if name == "path_payoffs" else (_gradients, ("axis",))
    return {name: (("step", "player", *dims), _along(measure, game, record["path"][1]))}


def _along(measure: Callable[..., jax.Array], game: object, path: np.ndarray) -> np.ndarray:
    """Return a quantity at every row of ``path [step player axis]``."""
    length = LENGTH
    while length < len(path):
        length *= 2
    padded = np.concatenate([path, np.repeat(path[-1:], length - len(path), axis=0)])
    return np.asarray(measure(as_arrays(game), padded))[: len(path)]


def _moves(game: object, record: Record) -> Record:
    """Return every step of the path as moves of players 0, 1, ... in turn; empty if the path omits steps."""
    path = record["path"][1]
    players = path.shape[1]
    strides = np.diff(record["path_step"][1]) if "path_step" in record else np.ones(len(path) - 1)
    if len(path) < 2 or (strides > 1).any():
        return {}
    # after move k of a step, players 0 to k have moved and the others have not
    has_moved = np.tri(players, dtype=bool)[:, :, None]  # [move player 1]
    profiles = np.where(has_moved, path[1:, None], path[:-1, None]).reshape(-1, *path.shape[1:])
    payoff = _along(_payoffs, game, np.concatenate([path[:1], profiles]))
    mover = np.tile(np.arange(players), len(path) - 1)
    move = np.arange(len(mover))
    return {
        "move_payoff": (("move", "player"), payoff[1:]),
        "move_player": (("move",), mover),
        "move_gain": (("move",), payoff[move + 1, mover] - payoff[move, mover]),
    }


@seldom
def _payoffs(game: Game, path: jax.Array) -> jax.Array:
    return jax.vmap(game.payoffs)(path)


@seldom
def _gradients(game: Game, path: jax.Array) -> jax.Array:
    return jax.vmap(lambda x: own_gradients(game, x))(path)
