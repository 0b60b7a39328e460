"""The view `line`: players that choose one number each, on one axis.

It takes every game on a box with one axis per player, and records with a ``path [step player axis]`` of such
a game. Its data:

- ``curves``, every player's own payoff at the profile: ``{payoff, here, best}``,
  the payoffs of choices evenly from bound to bound;
- ``players``, ``axis`` (``name``, ``label``, ``low``, ``high``), and per player the bounds ``low``, ``high``;
- ``profile``; ``parameters``, the sliders; ``answers``, certificates of stored profiles;
- ``resource`` of an influencer game, as `rivalry.living.game_parts.resource_of` has it; ``paths``,
  ``{label, profiles}``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.game import Game
from rivalry.core.payoffs import BATCH, concrete_profile, payoffs
from rivalry.core.results import NamesByDimension, Record
from rivalry.core.space import Box
from rivalry.lab.study.identity import TableDict
from rivalry.living.game_parts import (
    axis_names,
    drawn_numbers,
    numbers,
    own_payoffs,
    player_names,
    resource_of,
    sliders,
)
from rivalry.runtime.jax import floats

MOST_PLAYERS = 30
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
    has_resource = isinstance(game, InfluencerGame)
    axis = (axis_names(game) or ["position" if has_resource else CHOICE])[0]
    names, paid = player_names(game), payoffs(game, concrete_profile(game, x))
    data = {
        "players": names,
        "axis": {
            "name": axis,
            "label": axis_label(axis),
            "low": float(low.min()),
            "high": float(high.max()),
        },
        "low": numbers(low),
        "high": numbers(high),
        "profile": numbers(x),
        "parameters": sliders(game),
        "resource": resource_of(game, x) if has_resource else None,
        "curves": [_curve(game, x, player) for player in range(players)],
        "paths": [],
        "answers": [],
    }
    verb = "chooses" if axis == CHOICE else f"chooses {axis}"
    text = sentence_of_play(names, [f"{verb} {choice:.4g}" for choice in x[:, 0]], paid)
    return repr(game).split(":")[0], text, data


def axis_label(axis: str) -> str:
    """Return the label of an axis, with its unit where that is known."""
    return f"{axis} ({UNITS[axis]})" if axis in UNITS else axis


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
    return with_path(view_of, game, record)


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


def with_path(view: Callable[..., Found | None], game: object, record: Record) -> Found | None:
    """Return a view of a game at the profile of a record, with its path; None without either."""
    paths = paths_of(record)
    content = view(game, np.asarray(record["profile"][1])) if paths else None
    if content is None:
        return None
    title, text, data = content
    return title, text, data | {"paths": paths}


def is_profile(game: Any, x: ndarray) -> bool:
    """True if an array has the shape of a profile and finite numbers; that of a failed run has not."""
    return x.shape == game.space.shape and bool(np.isfinite(x).all())


def _curve(game: Any, x: ndarray, player: int) -> TableDict:
    """Return a player's own payoff against its choice, the others at ``x``, the best, and that at ``x``."""
    low, high = (float(np.asarray(edge)[player, 0]) for edge in (game.space.low, game.space.high))
    position = np.linspace(low, high, BATCH - 1)  # with the present choice one batch
    paid = own_payoffs(game, x, player, np.append(position, x[player, 0])[:, None])
    best = int(np.nanargmax(paid[:-1])) if np.isfinite(paid[:-1]).any() else 0
    return {
        "payoff": drawn_numbers(paid[:-1]),
        "here": numbers(paid[-1]),
        "best": {"at": float(position[best]), "value": numbers(paid[best])},
    }
