"""Living figures of games and of results: data for a view, and certificates of what a person sets.

A view is a module of JavaScript (`static/views`) that draws a figure and changes its *state*. It computes no
payoffs: the data of a state and its *answer*, the certificate, come from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.certificates.certify import certificate
from rivalry.core.game import Game, is_population
from rivalry.core.payoffs import concrete_profile, payoffs
from rivalry.core.results import NO_CERTIFICATE, Certificate, NamesByDimension, Record, Solution
from rivalry.core.space import Box, Simplex
from rivalry.lab.study.identity import Table, TableDict
from rivalry.schema.construction import variant
from rivalry.schema.register import collect
from rivalry.schema.registry import load
from rivalry.text.display import typeset

State = Table
Found = tuple[str, str, TableDict]

REGISTERED: dict[str, str] = collect("VIEWS")
"""Modules of views elsewhere, by the name of the view."""

VIEWS = ("branches", "triangle", "responses", "line", "policy", *REGISTERED)
"""Views of games and records, the most telling first.

Each has a module, here of its name, with the functions `view_of` and `view_of_record`, which return None for
games and records that it does not take. The view ``impulse`` takes the world that a learner learned in.
"""

MOVED = ("line", "responses", "triangle")
"""Views whose data are of one profile, which a person moves where Python can compute others."""

STORED = ("branches", "policy", *REGISTERED)
"""Views of records whose game is not known."""


@dataclass(frozen=True)
class Figure:
    """A living figure: the name of its view, a title, a text alternative, its data and its first state.

    ``data`` and ``state`` are plain: they can be written as JSON. ``text`` describes in a sentence or two
    what is shown, with the numbers. ``game`` is the game whose profiles `answer` certifies, if there is one.
    """

    view: str
    title: str
    text: str
    data: TableDict
    state: TableDict = field(default_factory=dict)
    game: Any = field(default=None, repr=False, compare=False)

    @property
    def content(self) -> TableDict:
        """Argument ``figure`` of a view."""
        return {"view": self.view, "title": self.title, "text": self.text, "data": self.data}


def figure_of(game: object, profile: object = None) -> Figure:
    """Return the living figure of a game at a profile ``[player axis]``, or a policy ``[state action]``.

    By default players choose different points of a box, and uniform mixtures on a simplex.

    Raises
    ------
    ValueError
        For a profile outside the space, and for a game that no view takes.

    Examples
    --------
    >>> import rivalry as rv
    >>> figure_of(rv.games.influencer(reach=[0.2, 0.2])).view
    'line'
    """
    figures = figures_of(game, profile)
    if not figures:
        raise ValueError(no_figure(f"game: {type(game).__name__}"))
    return figures[0]


def figures_of(game: Any, profile: object) -> list[Figure]:
    """Return all living figures of a game at a profile, the most telling one first; see `figure_of`."""
    start = initial_profile(game) if profile is None else np.asarray(game.space.check(profile, "profile"))
    views = {name: _load(name, "view_of")(game, start) for name in _views_in_order(game)}
    return [_figure(name, content, None, game) for name, content in views.items() if content is not None]


def _views_in_order(game: object) -> Sequence[str]:
    """Return the views of games and records, a line before the others where players choose positions."""
    # loads JAX, which figures of runs do not need
    from rivalry.families.influencer.model import InfluencerGame

    return list(dict.fromkeys(("branches", "line", *VIEWS))) if isinstance(game, InfluencerGame) else VIEWS


def _load(view: str, name: str) -> Any:
    return load(f"{REGISTERED.get(view, f'rivalry.living.{view}')}:{name}")


def no_figure(subject: str) -> str:
    """Line that no view draws something."""
    return f"{subject}: no living figure draws it; `rivalry list plots` lists the plots"


def figures_of_solution(solution: Solution) -> list[Figure]:
    """Return the living figures of a solution, the most telling one first; empty where no view takes it."""
    return figures_of_record(solution.game, solution.record, solution.names, solution.world)


def figures_of_record(
    game: object,  # None where only the record is known
    record: Record,
    names: NamesByDimension = MappingProxyType({}),
    world: object = None,  # of a learner that learns in tables made from the game
) -> list[Figure]:
    """Return the living figures of a record."""
    answer, profile = stored_answer(record), _profile_of(game, record)
    views: dict[str, Found | None] = {}
    for name in STORED if game is None else _views_in_order(game):
        views[name] = _load(name, "view_of_record")(game, record, names)
        if views[name] is None and profile is not None:
            views[name] = _load(name, "view_of")(game, profile)
    if world is not None:
        views["impulse"] = _load("impulse", "view_of_record")(game, record, names, world)
    return [_figure(name, content, answer, game) for name, content in views.items() if content is not None]


def _profile_of(game: object, record: Record) -> ndarray | None:
    """Return the profile of a record where it is one of the game."""
    dims, profile = record.get("profile", ((), np.zeros(0)))
    fits = dims == ("player", "axis") and isinstance(game, Game) and profile.shape == game.space.shape
    return np.asarray(profile) if fits and np.isfinite(profile).all() else None


def answer(game: object, state: State) -> TableDict:
    """Return the certificate of the profile in a figure's state.

    Parameters
    ----------
    game
        The game of the figure.
    state
        ``profile``, and ``parameters``: arguments of the game's factory that replace those of ``game``.

    Returns
    -------
    dict
        ``profile`` and ``parameters`` as given; ``claim``, its ``word``, the gain that it has ``left_open``,
        and the evidence as ``sentence``; ``regret``
        per player, with None for what is infinite or unknown; ``payoffs``.

    Raises
    ------
    ValueError
        For a profile outside the space, and for parameters that the factory refuses.

    Examples
    --------
    >>> import rivalry as rv
    >>> reply = answer(rv.games.matrix("prisoners_dilemma"), {"profile": [[0, 1], [0, 1]]})
    >>> reply["claim"], reply["payoffs"]
    ('equilibrium', [1.0, 1.0])
    """
    game = _game_in(game, state)
    if "profile" not in state:
        raise ValueError("state: profile is missing; must be a strategy per player")
    if is_population(game):
        from rivalry.population import record_of  # loads JAX

        policy = game.space.check(state["profile"], "profile")
        record, profile_certificate = record_of(game, policy, 1e-6)
        paid = record["payoff"][1]
    elif isinstance(game, Game):
        profile = concrete_profile(game, game.space.check(state["profile"], "profile"))
        profile_certificate, paid = certificate(game, profile), payoffs(game, profile)
    else:
        raise ValueError(f"game: a {type(game).__name__} has no profiles to certify")
    return _answer_of(profile_certificate, paid, state["profile"], state.get("parameters") or {})


def data_at(view: str, game: Any, state: State) -> TableDict | None:
    """Return ``profile``, ``parameters`` and ``data`` of a view in a state; None of views that do not move.

    Raises
    ------
    ValueError
        As `answer`.

    Examples
    --------
    >>> import rivalry as rv
    >>> moved = data_at("responses", rv.games.market(), {"profile": [[30.0], [20.0]]})
    >>> [row["here"] for row in moved["data"]["own"]]
    [1200.0, 800.0]
    """
    if view not in MOVED or "profile" not in state:
        return None
    game = _game_in(game, state)
    content = _load(view, "view_of")(game, np.asarray(game.space.check(state["profile"], "profile")))
    if content is None:
        return None
    return {
        "profile": plain(state["profile"]),
        "parameters": plain(state.get("parameters") or {}),
        "data": plain(content[2]),
    }


def _game_in(game: Any, state: State) -> Any:
    parameters = state.get("parameters")
    return variant(game, **parameters) if parameters else game


def stored_answer(record: Record) -> TableDict | None:
    """Return the answer that a record holds, in the form of `answer`; None without profile or certificate."""
    certificate = Certificate.from_record(record)
    if certificate is None or not {"profile", "payoff"} <= set(record):
        return None
    return _answer_of(certificate, record["payoff"][1], record["profile"][1], {})


def _answer_of(
    certificate: Certificate | None, paid: ndarray, profile: object, parameters: TableDict
) -> TableDict:
    """Return the answer at a profile: its payoffs ``paid [player]``, and what the certificate says of it."""
    certificate = certificate or NO_CERTIFICATE
    facts = certificate.facts
    return {
        "profile": plain(profile),
        "parameters": plain(parameters),
        "payoffs": plain(paid),
        "claim": facts.kind if facts.claim else None,
        "word": facts.word,
        "left_open": typeset(facts.left_open),
        "sentence": typeset(facts.evidence),
        "regret": plain(np.atleast_1d(certificate.regret)),
    }


def plain(value: object) -> Any:
    """Return a value in numbers, text, lists and tables that JSON can hold; None for NaN and infinity.

    >>> plain({"a": np.array([1.0, np.nan]), "b": (np.int64(2), float("inf"))})
    {'a': [1.0, None], 'b': [2, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Sequence | set | frozenset):
        return [plain(part) for part in value]
    if isinstance(value, ndarray | np.generic):
        return plain(value.tolist())
    return plain(np.asarray(value).tolist())  # an array of JAX


def _figure(view: str, content: Found, answer: TableDict | None, game: object) -> Figure:
    """Return a figure from the content of its view, with an answer for its data if there is one."""
    title, text, data = content
    data, state = plain(data), {"parameters": {}, "settled": True}
    if "profile" in data:
        state = {"profile": data["profile"], **state}
        if answer:
            data["answers"] = [plain(answer)]
    return Figure(view, typeset(title), typeset(text), data, state, game)


def initial_profile(game: Any) -> ndarray | None:
    """Return a profile of players apart from one another, or of uniform mixtures; None without a space."""
    if is_population(game):
        from rivalry.population import uniform  # loads JAX

        return np.asarray(uniform(game))
    if not isinstance(game, Game):
        return None
    space = game.space
    if isinstance(space, Simplex):
        return np.where(space.entries, 1 / np.asarray(space.sizes, float)[:, None], 0.0)
    if not isinstance(space, Box):
        return np.zeros(space.shape)
    usual = space.usual
    low, high = (np.asarray(space.unconstrain(edge)) for edge in (usual.low, usual.high))
    shares = (np.arange(len(low)) + 0.5)[:, None] / len(low)
    return np.asarray(space.constrain(low + shares * (high - low)))
