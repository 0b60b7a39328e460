"""Everything that can be wrong with a study, found before anything runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivalry._registry import load, near
from rivalry.study import names
from rivalry.study.build import build_game, build_method
from rivalry.study.document import run_keys
from rivalry.study.errors import StudyError, shown, unknown
from rivalry.study.points import Grid, placed

if TYPE_CHECKING:
    from rivalry.study.model import Cell, Study


def check(study: Study) -> None:
    """Builds every game and method of a study and tries every start. Raises `StudyError`."""
    try:
        for part in study.parts().values():
            check(part)
        names.verify(study.files or {}, study.folder)
        seen: dict[str, Any] = {}
        if not study.include:
            game = _game(study.game or {}, study.folder, seen)
            _plots(study, game)
            for table in study.method:
                _pair(dict(study.game or {}), dict(table), study.folder, seen)
        for cell in study.cells():
            _cell(study, cell, seen)
    except StudyError as error:
        raise error.inside(study.label) from None


def lanes(task: Mapping[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """A task's lanes: the batch's point by dotted key, the game's table, the method's table."""
    found = []
    for point in Grid(task["batch"] or {}, "batch").points():
        game, (method,) = placed(task["game"], [task["method"]], point)
        found.append((point, game, method))
    return found


def _cell(study: Study, cell: Cell, seen: dict[str, Any]) -> None:
    """One cell with all its lanes; what was seen before is not built again."""
    at: Mapping[str, Any] = cell.point
    forms = set()
    try:
        for point, game, method in lanes(cell.task):
            at = {**cell.point, **point}
            _pair(game, method, study.folder, seen)
            if cell.task["batch"]:
                forms.add(_form(_game(game, study.folder, seen)))
                if len(forms) > 1:
                    raise StudyError("lanes may differ in numbers only, not in sizes or choices", key="batch")
    except StudyError as error:
        told = ", ".join(f"{name} = {shown(value)}" for name, value in at.items())
        raise StudyError(error.message + (f" (at {told})" if told else ""), key=error.key) from None


def _form(game: Any) -> str:
    """What must be the same for two games to share a compiled program."""
    from rivalry._jax import jax

    leaves, tree = jax.tree.flatten(game)
    return f"{tree} {[getattr(leaf, 'shape', leaf) for leaf in leaves]}"


def _pair(
    game_table: dict[str, Any], method_table: dict[str, Any], folder: Path, seen: dict[str, Any]
) -> None:
    key = json.dumps([game_table, method_table], sort_keys=True, default=str)
    if key in seen:
        return
    game = _game(game_table, folder, seen)
    name = method_table["name"]
    prefix = ("method", name)
    own = run_keys(method_table, prefix)
    method = build_method(method_table, folder, game)
    if not hasattr(method, "step") and not hasattr(method, "begin"):
        raise StudyError(
            f"{shown(method_table['kind'])} makes no method: it has no init and step",
            key=f"method.{name}.kind",
        )
    if "steps" in own and not hasattr(method, "begin"):
        raise StudyError("is for learners; this method takes max_steps", key=f"method.{name}.steps")
    if "max_steps" in own and hasattr(method, "begin"):
        raise StudyError("is for solvers and dynamics; a learner takes steps", key=f"method.{name}.max_steps")
    _start(game, own.get("start", "random"), f"method.{name}.start")
    seen[key] = True


def _game(table: Mapping[str, Any], folder: Path, seen: dict[str, Any]) -> Any:
    key = json.dumps(table, sort_keys=True, default=str)
    if key not in seen:
        game = build_game(table, folder)
        if not hasattr(game, "space"):
            raise StudyError(
                f"{shown(table['family'])} makes {type(game).__name__}: a game has a space", key="game.family"
            )
        if names.is_file(table["family"]):
            _payoffs(game, table["family"])
        seen.clear()  # games may be large, and neighbours in a sweep share them
        seen[key] = game
    return seen[key]


def _payoffs(game: Any, family: str) -> None:
    """Whether a user's payoffs can be traced, and give one number for every player."""
    if not hasattr(game, "payoffs"):
        return  # played on and on, or by a population
    from rivalry._jax import jax

    shape = game.space.shape
    try:
        found = jax.eval_shape(game.payoffs, jax.ShapeDtypeStruct(shape, float))
    except Exception as error:  # a user's file may raise anything; it is told as the user's, in one line
        first = str(error).strip().splitlines()[:1]
        raise StudyError(
            f"payoffs of {family} raised {type(error).__name__}: {''.join(first)}", key="game"
        ) from None
    if getattr(found, "shape", None) != (shape[0],):
        got = getattr(found, "shape", type(found).__name__)
        raise StudyError(
            f"payoffs of {family} give {got}; must be one number a player, ({shape[0]},)", key="game"
        )


def _start(game: Any, start: Any, key: str) -> None:
    if start == "random":
        return
    try:
        if not isinstance(start, str):
            game.space.check(start, key)
        elif hasattr(game, "named_start"):
            game.space.check(game.named_start(start), key)
        else:
            raise StudyError(unknown(start, ["random"], "a start of this game"), key=key)
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError(str(error).removeprefix("start: ").removeprefix(f"{key}: "), key=key) from None


def _plots(study: Study, game: Any) -> None:
    """Whether the game offers the views that the plots draw."""
    offered = {*getattr(game, "views", ()), "path_payoffs"}
    for k, row in enumerate(study.plots):
        if isinstance(row, Mapping) and set(row) - {"kind", "at"}:
            _plot_options(row, k)
        for view in names.views([row]):
            if view not in offered:
                kind = row if isinstance(row, str) else row["kind"]
                raise StudyError(
                    f"{kind!r} draws the view {view!r}, which this game does not have", key=f"plots[{k}]"
                )


def _plot_options(row: Mapping[str, Any], k: int) -> None:
    """Whether a plot has the options that the study gives it."""
    kind = row["kind"]
    own = signature(load(names.plots()[kind].targets[0])).parameters
    if any(option.kind is option.VAR_KEYWORD for option in own.values()):
        return
    known = [*(set(own) - {"data", "ax"}), "kind"]
    for name in row:
        if name not in known:
            raise StudyError(f"unknown option of {kind}; {near(name, known)}", key=f"plots[{k}].{name}")
