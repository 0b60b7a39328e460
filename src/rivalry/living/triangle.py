"""The view `triangle`: players whose strategies have three shares that sum to 1.

It takes finite games in which all players have three actions, influencer games on the
simplex of three corners, and records of them with a ``path [step player axis]``. Its data:

- ``corners``, their three names;
- ``least``, the smallest share that the space allows;
- ``own`` per player, its payoffs on a lattice of strategies: ``{here, gain, stake, best}``; ``points``, the
  size of that lattice;
- ``resource``, ``players``, ``profile``, ``parameters``, ``answers``, ``paths`` as in the view `line`.
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
from rivalry.living.game_parts import numbers, own_gain, own_payoffs, player_names, resource_of, sliders
from rivalry.living.line import MOST_PLAYERS, Found, is_profile, sentence_of_play, with_path
from rivalry.runtime.jax import floats

CORNERS = 3
STEPS = 40  # per side, of the lattice on which best responses are searched


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
    x = floats(profile)
    if not is_profile(game, x):
        return None
    names, paid = player_names(game), payoffs(game, concrete_profile(game, x))
    strategies = lattice(float(game.space.min_share))
    data = {
        "players": names,
        "corners": _corners(game),
        "least": float(game.space.min_share),
        "resource": resource_of(game, x) if isinstance(game, InfluencerGame) else None,
        "own": [
            own_gain(strategies, own_payoffs(game, x, player, strategies), payoff)
            for player, payoff in enumerate(paid.tolist())
        ],
        "points": len(strategies),
        "profile": numbers(x),
        "parameters": sliders(game),
        "paths": [],
        "answers": [],
    }
    clauses = [f"plays {', '.join(map('{:.4g}'.format, strategy))}" for strategy in x]
    return repr(game).split(":")[0], sentence_of_play(names, clauses, paid + 0.0), data


def lattice(min_share: float) -> ndarray:
    """Return strategies ``[strategy corner]`` that divide in even steps what ``min_share`` leaves.

    >>> len(lattice(0.0)), lattice(0.1).min().item()
    (861, 0.1)
    """
    steps = np.arange(STEPS + 1)
    first, second = np.meshgrid(steps, steps, indexing="ij")
    inside = first + second <= STEPS
    parts = np.stack([first[inside], second[inside], (STEPS - first - second)[inside]], axis=1)
    return np.asarray(min_share + (1 - CORNERS * min_share) * parts / STEPS)


def view_of_record(game: object, record: Record, names: NamesByDimension) -> Found | None:
    """Return the triangle of a record with its path, at the profile where it ended; None without either."""
    return with_path(view_of, game, record)


def _corners(game: object) -> list[str]:
    """Return the names of the corners: shared names of actions, or numbers."""
    if isinstance(game, Matrix) and len(set(game.actions)) == 1:
        return [name if not name.isdigit() else f"action {name}" for name in game.actions[0]]
    return [f"action {k}" if isinstance(game, Matrix) else f"corner {k}" for k in range(CORNERS)]
