"""The view `line`: players that choose one number each, on one axis.

It takes every game on a box with one axis per player, and records with a ``path [step player axis]`` of such
a game. Its data:

- ``game``: the data of the twin (`rivalry.living.twins`), or None; then ``curves`` has every player's own
  payoff at the profile, ``{position, payoff, here}``;
- ``players``, ``axis`` (``name``, ``label``, ``low``, ``high``), and per player the bounds ``low``, ``high``;
- ``profile``, the first one; ``parameters``, the sliders; ``answers``, certificates of stored profiles;
- ``resource`` of an influencer game, ``{points, weights}``; ``paths``, ``{label, profiles}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.game import Game
from rivalry.core.payoffs import concrete_profile, payoffs
from rivalry.core.results import NamesByDimension, Record
from rivalry.core.space import Box
from rivalry.lab.study.identity import Table, TableDict
from rivalry.living.twins import (
    axis_names,
    influencer_payoffs,
    numbers,
    player_names,
    sliders,
    sliders_of,
    twin_data,
    twin_of_table,
)
from rivalry.runtime.jax import floats

MOST_PLAYERS = 30
CURVE = 81  # points of an own-payoff curve that Python computes
STEPS = 400  # most steps of a path that are sent
CHOICE = "choice"  # of a game that does not say what its players choose
UNITS = {"position": "units of the space", "quantity": "units of output", "price": "units of money"}

Found = tuple[str, str, TableDict]


def view_of(game: object, profile: ndarray | None) -> Found | None:
    """Return title, text alternative and data of a game's line; None for a game that is not on one axis.

    >>> import rivalry as rv
    >>> title, text, data = view_of(rv.games.influencer(reach=[0.2, 0.2]), np.array([[0.1], [0.9]]))
    >>> title
    'Influencer game of 2 players on [0, 1]'
    >>> text
    'Player 0 chooses position 0.1 and earns 50; player 1 chooses position 0.9 and earns 50.'
    """
    from rivalry.families.influencer.model import InfluencerGame  # loads JAX

    if not isinstance(game, Game) or not isinstance(game.space, Box) or game.space.reparametrised:
        return None
    players, axes = game.space.shape
    low, high = (floats(edge)[:, 0] for edge in (game.space.low, game.space.high))
    if axes != 1 or players > MOST_PLAYERS or not np.isfinite([low, high]).all():
        return None
    x = floats(profile)
    if not is_profile(game, x):
        return None
    twin = twin_data(game)
    content = {
        "parameters": sliders(game),
        "curves": None if twin else [_curve(game, x, player) for player in range(players)],
    }
    paid = payoffs(game, concrete_profile(game, x))
    axis = (axis_names(game) or ["position" if isinstance(game, InfluencerGame) else CHOICE])[0]
    text, data = _content(twin, player_names(game), axis, low, high, x, paid)
    return repr(game).split(":")[0], text, data | content


def _content(
    twin: TableDict | None,
    names: list[str],
    axis: str,
    low: ndarray,
    high: ndarray,
    x: ndarray,
    paid: ndarray,
) -> tuple[str, TableDict]:
    """Return the text alternative of players at ``x [player 1]``, and data without parameters and curves."""
    resource = None
    if twin is not None and twin["family"] == "influencer":
        resource = {"points": np.ravel(twin["points"]).tolist(), "weights": twin["weights"]}
    data = {
        "game": twin,
        "players": names,
        "axis": {
            "name": axis,
            "label": f"{axis} ({UNITS[axis]})" if axis in UNITS else axis,
            "low": float(low.min()),
            "high": float(high.max()),
        },
        "low": numbers(low),
        "high": numbers(high),
        "profile": numbers(x),
        "parameters": [],
        "resource": resource,
        "curves": None,
        "paths": [],
        "answers": [],
    }
    verb = f"chooses {f'{axis} ' * (axis != CHOICE)}"
    return sentence_of_play(names, [f"{verb}{choice:.4g}" for choice in x[:, 0]], paid), data


def sentence_of_play(names: Sequence[str], clauses: Sequence[str], paid: ndarray) -> str:
    """Sentence on what every player does, a clause each, and earns.

    >>> sentence_of_play(["one", "two"], ["sells 1", "buys 1"], np.array([0.5, 2.0]))
    'One sells 1 and earns 0.5; two buys 1 and earns 2.'
    """
    rows = zip(names, clauses, paid.tolist(), strict=True)
    text = "; ".join(f"{name} {clause} and earns {pay:.4g}" for name, clause, pay in rows)
    return f"{text[:1].upper()}{text[1:]}."


def view_of_record(game: object, record: Record, names: NamesByDimension) -> Found | None:
    """Return the line of a record with its path, at the profile where it ended; None without either."""
    paths = paths_of(record)
    return with_paths(view_of(game, np.asarray(record["profile"][1])), paths) if paths else None


def view_of_table(table: Table, record: Record) -> Found | None:
    """Return the line of a record of an influencer game, from the game's table in a study.

    None for other games. No game is built, see `rivalry.living.twins.twin_of_table`; the twin must pay what
    the record holds.
    """
    dims, x = record.get("profile", ((), np.zeros(0)))
    if dims != ("player", "axis") or x.shape[1] != 1 or len(x) > MOST_PLAYERS or not np.isfinite(x).all():
        return None
    twin = twin_of_table(table, len(x))
    paid = np.asarray(record["payoff"][1]) if "payoff" in record else np.zeros(0)
    if twin is None or paid.shape != (len(x),):
        return None
    if not np.allclose(influencer_payoffs(twin, x), paid, rtol=1e-6):
        return None
    names, low = [f"player {k}" for k in range(len(x))], np.zeros(len(x))
    text, data = _content(twin, names, "position", low, low + 1, x, paid)
    content = f"Influencer game of {len(x)} players on [0, 1]", text, data | {"parameters": sliders_of(twin)}
    return with_paths(content, paths_of(record))


def paths_of(record: Record) -> list[TableDict]:
    """Return the path of a record with a profile, as figures have it; empty without one."""
    dims, path = record.get("path", ((), np.zeros(0)))
    if dims != ("step", "player", "axis") or "profile" not in record:
        return []
    path = path[np.isfinite(path).all(axis=(-2, -1))].astype(float)
    if len(path) < 2:
        return []
    rows = np.unique(np.linspace(0, len(path) - 1, STEPS).astype(int))
    return [{"label": f"Path of {len(path)} recorded profiles", "profiles": numbers(path[rows])}]


def with_paths(figure: Found | None, paths: list[TableDict]) -> Found | None:
    """Return a figure with paths; None without a figure."""
    return figure and (figure[0], figure[1], figure[2] | {"paths": paths})


def is_profile(game: Any, x: ndarray) -> bool:
    """True if an array has the shape of a profile and finite numbers; that of a failed run has not."""
    return x.shape == game.space.shape and bool(np.isfinite(x).all())


def _curve(game: Any, x: ndarray, player: int) -> TableDict:
    """Return a player's own payoff against its choice, the others at ``x``, and its payoff at ``x``."""
    low, high = (float(np.asarray(edge)[player, 0]) for edge in (game.space.low, game.space.high))
    position = np.linspace(low, high, CURVE)
    payoff = []
    for choice in [*position, float(x[player, 0])]:
        deviation = x.copy()
        deviation[player] = choice
        payoff.append(float(payoffs(game, concrete_profile(game, deviation))[player]))
    return {"position": numbers(position), "payoff": numbers(payoff[:-1]), "here": payoff[-1]}
