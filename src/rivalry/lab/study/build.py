"""Construction of a study's game, methods and plots from their tables."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

from rivalry.games import GAMES
from rivalry.lab.study import names
from rivalry.lab.study.document import RUN_KEYS
from rivalry.lab.study.errors import StudyError, format_value
from rivalry.lab.study.identity import Table
from rivalry.lab.study.schema import check_table, keys_of
from rivalry.methods import METHODS
from rivalry.plots import PLOTS
from rivalry.schema.annotations import Factory
from rivalry.schema.keys import write_key
from rivalry.schema.registry import line_of
from rivalry.text.display import OneLineRepr

LEADERS = "leaders"  # a key of every family's table: the players that move first


def build_game(table: Table, folder: Path | str = ".") -> Any:
    """Return the game of a ``[game]`` table; run the user's file that it names, if any.

    With the key ``leaders``, a list of player indices, return the leaders' game, in which the other players
    respond to the leaders. A family's own parameter of that name takes precedence. What a game does not use
    of a file, or assumes of it, is a warning.

    Raises
    ------
    StudyError
        For an unknown family or invalid parameters.

    Examples
    --------
    >>> build_game({"family": "matrix", "name": "chicken"}).sizes
    (2, 2)
    >>> build_game({"family": "matrix", "name": "chicken", "leaders": [1]}).followers
    (0,)
    """
    options = {key: value for key, value in table.items() if key != "family"}
    family = table.get("family")
    (factory, *_) = names.targets(family, GAMES, "a family", "game.family", Path(folder))
    if not callable(factory):
        raise StudyError(f"{format_value(family)} is not a function that makes a game", key="game.family")
    ordered = LEADERS in options and LEADERS not in keys_of(factory)
    leaders = options.pop(LEADERS) if ordered else None
    if ordered and options.get("stages"):
        raise StudyError("clashes with stages, which tell who moves first; give one", key=f"game.{LEADERS}")
    game = _construct(factory, options, ("game",), Path(folder), kind=family, further_keys=(LEADERS,))
    notes = game.text_notes() if isinstance(game, OneLineRepr) else {}
    for title, text in notes.items():
        warnings.warn(f"{title}: {text}", stacklevel=2)
    return _leaders_game(game, leaders) if ordered else game


def _leaders_game(game: object, leaders: object) -> Any:
    """Return the leaders' game, in which they anticipate the followers' responses. Raises `StudyError`."""
    from rivalry.core.game import Game
    from rivalry.transforms import Followers, stackelberg

    if not (isinstance(leaders, list) and all(type(player) is int for player in leaders)):
        raise StudyError(
            f"{format_value(leaders)} must be a list of players, as in [0]", key=f"game.{LEADERS}"
        )
    if not isinstance(game, Game):
        raise StudyError("is for games with payoffs; this family has none", key=f"game.{LEADERS}")
    try:
        return stackelberg(game, leaders, Followers())
    except ValueError as error:
        head, _, rule = str(error).partition(": ")
        raise StudyError(rule, key=f"game.{head}") from None


def build_method(table: Table, folder: Path | str = ".", game: object = None) -> Any:
    """Return the method or learner of a ``[[method]]`` table.

    For a kind with several classes, return the first whose requirements ``game`` meets.

    Raises
    ------
    StudyError
        For an unknown kind, invalid options, or a kind that does not fit the game.

    Examples
    --------
    >>> type(build_method({"kind": "pure_equilibria"})).__name__
    'PureEquilibria'
    """
    from rivalry.core.needs import fits, fitting  # games and oracles, which lists of names do not need

    kind = table.get("kind")
    prefix = ("method", str(table.get("name", kind)))
    key = write_key([*prefix, "kind"])
    targets = names.targets(kind, METHODS, "a kind of method", key, Path(folder))
    target = next((t for t in targets if game is None or names.is_file(kind) or fits(t, game)), None)
    if target is None:
        names_fitting = fitting(game, METHODS)
        further = f" and {len(names_fitting) - 8} more" if len(names_fitting) > 8 else ""
        raise StudyError(
            f"{format_value(kind)} does not fit this game; these do: {', '.join(names_fitting[:8])}{further}",
            key=key,
        )
    if not callable(target):
        raise StudyError(f"{format_value(kind)} is not a class of methods", key=key)
    if reserved := [option for option in keys_of(target) if option in RUN_KEYS]:
        rule = "is a key of the run; give the option another name"
        raise StudyError(rule, key=write_key([*prefix, reserved[0]]))
    options = {key: value for key, value in table.items() if key not in RUN_KEYS}
    text = json.dumps(options, sort_keys=True)
    # methods of the package never change, so the cells of a sweep have one in common
    if isinstance(target, type) and target.__module__.startswith("rivalry.") and ".py:" not in text:
        return _checked_game(target, text, prefix, Path(folder), kind)
    build = _agent_play if "act" in dir(target) else _construct
    return build(target, options, prefix, Path(folder), kind=kind, further_keys=RUN_KEYS)


def _agent_play(
    target: Factory,
    options: Table,
    prefix: Sequence[str],
    folder: Path,
    *,
    kind: Any,
    further_keys: Sequence[str],
) -> Any:
    """Return the play of agents of a class; a table has keys of the class beside those of the play."""
    from rivalry.methods import AgentPlay  # with tables, which lists of names do not need

    keys = [key for key in keys_of(AgentPlay) if key != "agent"]
    of_agent = {key: value for key, value in options.items() if key not in keys}
    _construct(target, of_agent, prefix, folder, kind=kind, further_keys=(*keys, *further_keys))
    agent = partial(target, **names.objects(of_agent, folder))
    of_play = {key: value for key, value in options.items() if key in keys}
    return _construct(AgentPlay, {"agent": agent, **of_play}, prefix, folder, kind=kind)


@lru_cache(maxsize=64)
def _checked_game(target: Factory, text: str, prefix: Sequence[str], folder: Path, kind: str) -> Any:
    """Return a method of the package with options that name no file of a user."""
    return _construct(target, json.loads(text), prefix, folder, kind=kind, further_keys=RUN_KEYS)


def build_plot(kind: str, folder: Path | str = ".", key: str = "plots") -> Factory:
    """Return the function that draws a study's plot; run the user's file that it names, if any.

    Raises
    ------
    StudyError
        For an unknown plot, or an object that is not a function.

    Examples
    --------
    >>> build_plot("paths").__name__
    'paths'
    """
    (function,) = names.targets(kind, PLOTS, "a plot", key, Path(folder))
    if not callable(function):
        raise StudyError(f"{format_value(kind)} is not a function that draws a dataset", key=key)
    return cast(Factory, function)


def _construct(
    target: Factory,
    options: Table,
    prefix: Sequence[str],
    folder: Path,
    *,
    kind: Any,
    further_keys: Sequence[str] = (),
) -> Any:
    """Return the object that a factory or class makes of a table; ``kind`` names it, perhaps in a file."""
    try:
        objects = names.objects(options, folder)
    except ValueError as error:
        raise StudyError(str(error), key=write_key(prefix)) from None
    options = check_table(target, objects, prefix, further_keys)
    try:
        return target(**options)
    except ValueError as error:
        raise in_study(error, target, prefix) from None
    except (Exception, SystemExit) as error:  # a user's file may raise anything: name the file, in one line
        if not names.is_file(kind):
            raise
        file = folder / kind.rpartition(":")[0]
        rule = f"{file}:{line_of(error, file)}: {type(error).__name__}: {error}"
        raise StudyError(rule, key=write_key(prefix)) from None


def in_study(error: ValueError, target: Any, prefix: Sequence[str]) -> StudyError:
    """Return the error of a factory or method, with its parameter spelled as in the study."""
    head, colon, rule = str(error).partition(": ")
    name = head.split("[")[0].split(".")[0]
    if colon and name in {*keys_of(target), "start"}:
        return StudyError(rule, key=f"{write_key(prefix)}.{head}")
    return StudyError(str(error), key=write_key(prefix))
