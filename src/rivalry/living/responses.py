"""The view `responses`: the plane of one choice of each of two players.

It takes games of two players on a box with one or two axes each (of a race, its two inputs), two-player
finite games with two actions each, and records of them with ``equilibria`` or a profile. Its data:

- ``curves`` per axis and player, ``{rival, found}``: best responses to choices of the rival, with the other
  choices of ``profile``;
- ``own`` per player: its payoff ``here``, its largest ``gain`` on a grid, and the ``stake``, what its own
  choice changes; ``points``, that grid in words;
- ``axes``, a choice each: ``label``, its ``names`` per player, ``short``, and the range ``low`` to ``high``
  that is drawn, a name empty for a player without this choice; ``low`` and ``high [player axis]`` are the
  bounds of the space; ``mixture``, whether a choice is a probability;
- ``equilibria``: ``{profile, payoffs, claim, sentence}``; ``complete`` and ``reason`` of their list;
- ``players``, ``profile``, ``parameters``, ``answers`` as in the view `line`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.claims import ClaimFacts
from rivalry.core.game import Game
from rivalry.core.payoffs import concrete_profile, payoffs
from rivalry.core.results import NamesByDimension, Record
from rivalry.core.space import Box, Simplex
from rivalry.families.matrix import Matrix
from rivalry.lab.study.identity import TableDict
from rivalry.living.figure import initial_profile
from rivalry.living.game_parts import (
    axis_names,
    drawn_numbers,
    numbers,
    own_gain,
    own_payoffs,
    payoffs_at_profiles,
    player_names,
    sliders,
)
from rivalry.living.line import Found, is_profile, sentence_of_play
from rivalry.runtime.jax import floats, jax
from rivalry.text.display import count_text, typeset

GRID = 81  # choices per player behind the curves
OWN, OWN_OF_TWO = 401, 49  # choices behind a gain, of one axis and of each of two
ROOM = 2.5  # the range drawn of amounts without a usual range, in units of the largest one known
MOST_LISTED = 40


def view_of(game: object, profile: ndarray | None) -> Found | None:
    """Return title, text alternative and data of the plane of two choices; None for other games.

    >>> import rivalry as rv
    >>> title, text, data = view_of(rv.games.market(), np.array([[30.0], [30.0]]))
    >>> text
    'Player 0 chooses quantity 30 and earns 900; player 1 chooses quantity 30 and earns 900.'
    >>> data["axes"][0]["label"], data["high"]
    ('quantity', [[100.0], [100.0]])
    """
    return _view(game, profile, [])


def view_of_record(game: object, record: Record, names: NamesByDimension) -> Found | None:
    """Return the plane with the equilibria of a record, at its profile or the first equilibrium.

    None without a game, and for records without either.
    """
    if game is None or not {"equilibria", "profile"} & set(record):
        return None
    equilibria = _equilibria(record)
    profile = np.asarray(record["profile"][1]) if "profile" in record else None
    if equilibria and (profile is None or not np.isfinite(profile).all()):
        profile = np.asarray(equilibria[0]["profile"])
    content = _view(game, profile, equilibria)
    if content is None:
        return None
    title, text, data = content
    if "complete" in record:
        has_sets = len(record.get("equilibrium_set", ((), []))[1]) > 0
        data["complete"] = bool(record["complete"][1]) and not has_sets
        data["reason"] = str(record["complete_reason"][1]) if "complete_reason" in record else ""
        count = count_text(len(equilibria), "equilibrium is", "equilibria are")
        text += f" {count} known{', and no other exists' * data['complete']}."
    return title, text, data


def _view(game: object, profile: ndarray | None, equilibria: list[TableDict]) -> Found | None:
    """Return the plane at a profile, with payoffs added to ``equilibria``; None for other games."""
    if not isinstance(game, Game) or not isinstance(game.space, Box | Simplex) or not _has_plane(game):
        return None
    x = floats(initial_profile(game) if profile is None else profile)
    if not is_profile(game, x):
        return None
    low, high = _edges(game.space)
    axes = _axes(game, x, equilibria, low, high)
    if not np.isfinite(high).all():
        return None
    tops = [axis["high"] for axis in axes]
    paid = payoffs(game, concrete_profile(game, x))
    try:
        curves = [_curves(game, x, a, top, low, high) for a, top in enumerate(tops)]
        gains, points = _gains(game, x, tops, low, high, paid)
    except (jax.errors.JAXTypeError, TypeError):  # payoffs that JAX cannot trace
        return None
    with_payoffs = []
    for equilibrium in equilibria:
        pays = payoffs(game, concrete_profile(game, equilibrium["profile"]))
        with_payoffs.append(equilibrium | {"payoffs": numbers(pays)})
    names = player_names(game)
    data = {
        "players": names,
        "axes": axes,
        "mixture": isinstance(game.space, Simplex),
        "low": numbers(low),
        "high": numbers(high),
        "profile": numbers(x),
        "parameters": sliders(game),
        "curves": curves,
        "own": gains,
        "points": points,
        "equilibria": with_payoffs,
        "complete": False,
        "reason": "",
        "answers": [],
    }
    clauses = [_clause(axes, k, name, x[k]) for k, name in enumerate(names)]
    return repr(game).split(":")[0], sentence_of_play(names, clauses, paid), data


def _has_plane(game: Game) -> bool:
    """True for two players with at most two axes, or with two actions each in a game of matrices."""
    if isinstance(game.space, Simplex):
        return isinstance(game, Matrix) and game.sizes == (2, 2)
    players, axes = game.space.shape
    return players == 2 and axes <= 2


def _clause(axes: list[TableDict], player: int, name: str, choices: ndarray) -> str:
    """Return in words what a player chooses on the axes on which it has a choice."""
    words = []
    for axis, value in zip(axes, choices, strict=False):  # a mixture has an axis, and a share per action
        if label := axis["names"][player]:
            words.append(f"{label.removesuffix(f' of {name}')} {value:.4g}")
    return f"chooses {', '.join(words)}"


def _edges(space: Box | Simplex) -> tuple[ndarray, ndarray]:
    """Return the bounds of the choices as NumPy arrays ``[player axis]``; 0 and 1 of probabilities."""
    if isinstance(space, Simplex):
        return np.zeros((2, 1)), np.ones((2, 1))
    return floats(space.low), floats(space.high)


def _axes(game: Any, x: ndarray, equilibria: list[TableDict], low: ndarray, high: ndarray) -> list[TableDict]:
    """Return the label and the range of every axis of the plane."""
    players = player_names(game)
    if isinstance(game.space, Simplex):
        action = str(game.actions[0][0])
        action = f"action {action}" if action.isdigit() else action
        label = f"probability of {action}"
        names = [f"{label} of {player}" for player in players]
        return [{"label": label, "names": names, "short": action, "low": 0.0, "high": 1.0}]
    count = low.shape[1]
    labels = axis_names(game) or [f"choice {a}" if count > 1 else "choice" for a in range(count)]
    # players whose choices differ have names for them
    labels_by_player = [[*names, *[""] * count] for names in oracles.labels(game).entries]
    axes = []
    for a, label in enumerate(labels):
        top = float(high[:, a].max())
        if game.space.reparametrised:  # the space is far wider than where play is
            profiles = [x, *(np.asarray(equilibrium["profile"]) for equilibrium in equilibria)]
            largest = max(np.max(profile[:, a]) for profile in profiles)
            top = min(top, float(f"{ROOM * largest:.2g}") or 1.0)
        names = [f"{label} of {player}" for player in players]
        if labels_by_player:
            names = [own_labels[a] for own_labels in labels_by_player]
        short = label.removesuffix(" input")
        axes.append(
            {"label": label, "names": names, "short": short, "low": float(low[:, a].min()), "high": top}
        )
    return axes


def _equilibria(record: Record) -> list[TableDict]:
    """Return the equilibria of a record with their proofs; none where it lists none."""
    if "equilibria" not in record:
        return []
    rows = floats(record["equilibria"][1])
    radii = floats(record["radius"][1]) if "radius" in record else np.full(len(rows), np.nan)
    equilibria = []
    for k, row in enumerate(rows[:MOST_LISTED]):
        if not np.isfinite(row).all():
            continue
        is_proved = np.isfinite(radii[k])
        place = "; ".join(", ".join(f"{v:.5g}" for v in strategy) for strategy in row)
        proof = ClaimFacts(radius=float(radii[k])).near or "no proof"
        equilibria.append(
            {
                "profile": numbers(row),
                "claim": "equilibrium" if is_proved else None,
                "sentence": typeset(f"{place}: {proof}"),
            }
        )
    return equilibria


def _search_grid(low: float, top: float, high: float, count: int) -> ndarray:
    """Return choices even in the picture, whose range ends at ``top``, then growing to the bound."""
    choices = np.linspace(low, min(top, high), count)
    return np.concatenate([choices, np.geomspace(top, high, count)[1:]]) if high > top > 0 else choices


def _curves(game: Any, x: ndarray, axis: int, top: float, low: ndarray, high: ndarray) -> list[TableDict]:
    """Return each player's best responses along one axis, where ``x`` has all other choices.

    A response to each choice of the rival, up to ``top``, is the best choice of a grid, or the peak of the
    parabola around it where this pays more.
    """
    if isinstance(game.space, Simplex):
        return [_switch(game, x, player) for player in range(2)]
    curves = []
    for player, rival in ((0, 1), (1, 0)):
        rival_choices = np.linspace(low[rival, axis], min(top, high[rival, axis]), GRID)
        choices = _search_grid(low[player, axis], top, high[player, axis], GRID)
        profiles = np.tile(x, (len(rival_choices), len(choices), 1, 1))
        profiles[..., rival, axis] = rival_choices[:, None]
        profiles[..., player, axis] = choices
        paid = payoffs_at_profiles(game, profiles.reshape(-1, *x.shape), player)
        paid = paid.reshape(profiles.shape[:2])
        peaks = _vertices(choices, paid)
        at_peaks = profiles[:, 0].copy()
        at_peaks[:, player, axis] = peaks
        pays_more = payoffs_at_profiles(game, at_peaks, player) > np.max(paid, axis=1)
        response = np.where(pays_more, peaks, choices[np.argmax(paid, axis=1)])
        curves.append({"rival": drawn_numbers(rival_choices), "found": drawn_numbers(response)})
    return curves


def _switch(game: Any, x: ndarray, player: int) -> TableDict:
    """Return a player's best probabilities of its first action, against those of the rival.

    What the first action pays more than the second is linear in the rival's probability: the response jumps
    at its root, if it has one between 0 and 1.
    """
    excess = []  # at the rival's probabilities 0 and 1
    for probability in (0.0, 1.0):
        against = x.copy()
        against[1 - player] = probability, 1 - probability
        paid = own_payoffs(game, against, player, np.eye(2))
        excess.append(float(paid[0] - paid[1]))
    first, last = excess
    root = first / (first - last) if first * last < 0 else 1.0
    # an excess of 0 at one end has the sign of the other end beside it
    before, after = float((first or last) > 0), float((last or first) > 0)
    return {"rival": [0.0, root, root, 1.0], "found": [before, before, after, after]}


def _gains(
    game: Any, x: ndarray, tops: list[float], low: ndarray, high: ndarray, paid: ndarray
) -> tuple[list[TableDict], str]:
    """Return the gain of each player by the best strategy of a grid, and that grid in words."""
    rows = []
    for k in range(2):
        if isinstance(game.space, Simplex):
            strategies, words = np.eye(2), "both actions"
        else:
            count = OWN if len(tops) == 1 else OWN_OF_TWO
            axes = [_search_grid(low[k, a], top, high[k, a], count) for a, top in enumerate(tops)]
            strategies = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(tops))
            words = f"{' × '.join(str(len(axis)) for axis in axes)} points"
        rows.append(own_gain(strategies, own_payoffs(game, x, k, strategies), float(paid[k])))
    return rows, words


def _vertices(choices: ndarray, paid: ndarray) -> ndarray:
    """Return the peaks ``[row]`` of the parabolas through the best choice of a grid and its two neighbours.

    They lie between grid points, so that the drawing of a smooth response is smooth.

    >>> choices = np.linspace(0.0, 1.0, 5)
    >>> _vertices(choices, -((choices - np.array([[0.3], [0.0]])) ** 2)).tolist()
    [0.3, 0.0]
    """
    at = np.clip(np.argmax(paid, axis=1), 1, len(choices) - 2)
    row = np.arange(len(paid))
    left, middle, right = paid[row, at - 1], paid[row, at], paid[row, at + 1]
    back, ahead = choices[at] - choices[at - 1], choices[at + 1] - choices[at]
    with np.errstate(divide="ignore", invalid="ignore"):  # of a flat payoff, or a range of no width
        slope_before, slope_after = (middle - left) / back, (right - middle) / ahead
        # the derivative of the parabola at the middle point is (s b' + s' b) / (b + b'), b, b' the distances
        peak = choices[at] + 0.5 * (slope_before * ahead + slope_after * back) / (slope_before - slope_after)
    inside = np.clip(peak, choices[at - 1], choices[at + 1])
    return np.where(np.isfinite(peak), inside, choices[at])
