"""The view `triangle`: players whose strategies have three shares that sum to 1.

It takes finite games in which all players have three actions, influencer games with built-in kernels on the
simplex of three corners, and records of them with a ``path [step player axis]``. Its data:

- ``game``: the data of the twin (`rivalry.living.twins`);
- ``corners``, their three names;
- ``least``, the smallest share that the space allows;
- ``resource`` of an influencer game, ``{points, weights}``; ``players``, ``profile``,
  ``parameters``, ``answers``, ``paths`` as in the view `line`.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.core.game import Game
from rivalry.core.payoffs import concrete_profile, payoffs
from rivalry.core.results import NamesByDimension, Record
from rivalry.core.space import Simplex
from rivalry.families.influencer.model import InfluencerGame
from rivalry.families.matrix import Matrix
from rivalry.living.line import MOST_PLAYERS, Found, is_profile, paths_of, sentence_of_play, with_paths
from rivalry.living.twins import numbers, player_names, sliders, twin_data
from rivalry.runtime.jax import floats

CORNERS = 3


def view_of(game: object, profile: ndarray | None) -> Found | None:
    """Return title, text alternative and data of a game's triangle; None for games without three corners.

    >>> import rivalry as rv
    >>> title, text, data = view_of(rv.games.matrix("rock_paper_scissors"), np.full((2, 3), 1 / 3))
    >>> data["corners"]
    ['rock', 'paper', 'scissors']
    >>> text
    'Player 0 plays 0.3333, 0.3333, 0.3333 and earns 0; player 1 plays 0.3333, 0.3333, 0.3333 and earns 0.'
    """
    if not isinstance(game, Game) or not isinstance(game.space, Simplex):
        return None
    if set(game.space.sizes) != {CORNERS} or game.space.shape[0] > MOST_PLAYERS:
        return None
    twin = twin_data(game)
    if twin is None:
        return None
    x = floats(profile)
    if not is_profile(game, x):
        return None
    names, paid = player_names(game), payoffs(game, concrete_profile(game, x))
    data = {
        "game": twin,
        "players": names,
        "corners": _corners(game),
        "least": float(game.space.min_share),
        "resource": None,
        "profile": numbers(x),
        "parameters": sliders(game),
        "paths": [],
        "answers": [],
    }
    if isinstance(game, InfluencerGame):
        data["resource"] = {"points": numbers(game.points), "weights": numbers(game.weights)}
    clauses = [f"plays {', '.join(map('{:.4g}'.format, strategy))}" for strategy in x]
    return repr(game).split(":")[0], sentence_of_play(names, clauses, paid + 0.0), data


def view_of_record(game: object, record: Record, names: NamesByDimension) -> Found | None:
    """Return the triangle of a record with its path, at the profile where it ended; None without either."""
    paths = paths_of(record)
    return with_paths(view_of(game, np.asarray(record["profile"][1])), paths) if paths else None


def _corners(game: object) -> list[str]:
    """Return the names of the corners: shared names of actions, or numbers."""
    if isinstance(game, Matrix) and len(set(game.actions)) == 1:
        return [name if not name.isdigit() else f"action {name}" for name in game.actions[0]]
    return [f"action {k}" if isinstance(game, Matrix) else f"corner {k}" for k in range(CORNERS)]
