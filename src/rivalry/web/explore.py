"""Games to explore: a family's parameters, its living figure, and certified answers; beside the server."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from rivalry.games import GAMES
from rivalry.lab.study.identity import Table, TableDict
from rivalry.living.figure import answer, data_at, figures_of, plain
from rivalry.schema.registry import load, suggestion
from rivalry.web.safety import Refused
from rivalry.web.studies import keys_of_family

NO_EQUILIBRIUM = "No equilibrium is known here, so the figure opens elsewhere."


def family(name: str) -> TableDict:
    """Return a family's title, and its parameters with names, bounds, defaults and meanings."""
    return {"title": _entry(name).title, "keys": keys_of_family(name)}


def figures(name: str, parameters: Table, profile: object) -> TableDict:
    """Return the living figures of a game, the most telling one first, or why there is none.

    Without a profile they begin at an equilibrium, or say in ``opening`` that none was found.
    """
    try:
        game = _game(name, parameters)
        if profile is None:
            profile = equilibrium(game)
        note = NO_EQUILIBRIUM * (profile is None)
        living = figures_of(game, profile)
    except ValueError as error:
        return {"figures": [], "fault": " ".join(str(error).split())}
    fault = "" if living else "no living figure draws this game; change its parameters, or run a study of it"
    contents = [
        {"figure": figure.content | {"data": figure.data | {"opening": note}}, "state": figure.state}
        for figure in living
    ]
    return {"figures": plain(contents), "fault": fault}


def equilibrium(game: object) -> Any:
    """Return the profile of an equilibrium that a method finds quickly; None where it finds none.

    It is certified as one, or no player was found to gain in a search of all deviations.
    """
    from rivalry.core.game import Game  # loads JAX
    from rivalry.core.results import UNREFUTED
    from rivalry.core.space import Simplex
    from rivalry.methods import BestResponse, ClosedForm, MixedEquilibria
    from rivalry.solving.single import solve

    if not isinstance(game, Game):
        return None
    finite = isinstance(game.space, Simplex)
    for method in (MixedEquilibria(),) if finite else (ClosedForm(), BestResponse()):
        try:
            solution = solve(game, method)
        except (ValueError, TypeError):  # a game that the method does not take
            continue
        if solution.claim in UNREFUTED:
            return solution.profile
    return None


def followed(name: str, parameters: Table, state: Table) -> TableDict:
    """Return `figure_at` of a state that a person set, or the reason why nothing can be computed."""
    try:
        return figure_at(_game(name, parameters), state)
    except ValueError as error:
        return {"fault": " ".join(str(error).split())}


def figure_at(game: object, state: Table) -> TableDict:
    """Return a figure's data in a state of a game and, at rest, the certificate. Raises `ValueError`."""
    current = data_at(str(state.get("view", "")), game, state)
    is_settled = state.get("settled", True)
    return {"current": current, "answer": plain(answer(game, state)) if is_settled else None}


def _game(name: str, parameters: Table) -> Any:
    return _cached_game(name, json.dumps(parameters))


@lru_cache(maxsize=16)
def _cached_game(name: str, text: str) -> Any:
    entry, parameters = _entry(name), json.loads(text)
    for value in parameters.values():
        if isinstance(value, str) and ".py" in value:
            raise Refused(400, "a file of one's own is run by a study, not explored")
    return load(entry.targets[0])(**{**entry.example, **parameters})


def _entry(name: str) -> Any:
    if name not in GAMES:
        raise Refused(404, f"{name[:60]!r} is no family of games; {suggestion(name, GAMES)}")
    return GAMES[name]
