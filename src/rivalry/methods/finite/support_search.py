"""The search of every support of a game of three and more players, with proofs."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.array_games import exact_tables
from rivalry.core.game import kernel_arrays
from rivalry.core.method import PACE, BaseLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.methods.finite.branch_and_prune import Parts, branch_and_prune, parts_at_once, whole_parts
from rivalry.methods.finite.pure_equilibria import equilibria_record, profiles_of, support_order
from rivalry.methods.finite.support_differences import SUPPORTS, Differences, Supports, differences, supports
from rivalry.methods.finite.support_solutions import EQUILIBRIUM, TIED, Solutions
from rivalry.runtime.jax import search_clock
from rivalry.tables.rationals import Row
from rivalry.text.display import count_text


class SupportSearch(BaseLearner):
    """All equilibria of a finite game of three and more players, support by support, with proofs."""

    seconds: Annotated[float, Gt(0), "limit of time; what is proved until then is returned"] = 60.0
    max_boxes: Annotated[int, Ge(1), "per support; one that needs more is undecided"] = 20_000

    def world(self, game: object) -> Any:
        """Return differences of payoffs."""
        return differences(exact_tables(kernel_arrays(game)))

    def length(self, world: object) -> int:
        """Return more steps than any list takes."""
        return 2**40

    def expected_steps(self, world: object) -> int:
        """Return 0: the number of steps is not known before."""
        return 0

    def begin(self, world: Any, stream: SeedSequence) -> Session:
        is_response = [
            table == table.max(axis=player, keepdims=True) for player, table in enumerate(world.integers)
        ]
        pure = profiles_of(np.logical_and.reduce(is_response).astype(bool))
        return {
            "found": pure,
            "radius": np.zeros(len(pure)),
            "undecided": np.zeros((0, *pure.shape[1:], 2)),
            "boxes": np.array([0]),
            "seconds": np.zeros(1),
            "over": np.array([not world.groups]),
            # the group of supports that is tried, and the number in it of the next support
            "place": np.zeros(2, int),
            "support": np.zeros(0, int),
        }

    def advance(self, world: Any, session: Session, steps: int) -> int:
        """Run up to ``steps`` steps of a few thousand parts of supports, for about a quarter of a second."""
        steps_taken, supports, end = 0, None, perf_counter() + PACE
        while steps_taken < steps and not session["over"][0] and session["seconds"][0] < self.seconds:
            if steps_taken and perf_counter() > end:  # the time of a step varies too much to be foreseen
                break
            began = search_clock()
            supports = _present_supports(world, session) if supports is None else supports
            if not len(session["support"]):
                session.update(_begin_supports(supports))
            self._step(world, session, supports)
            if not len(session["support"]):
                session.update(_next_place(world, session, supports))
                supports = None
            session["seconds"] = session["seconds"] + (search_clock() - began)
            steps_taken += 1
        return steps_taken

    def _step(self, world: Differences, session: Session, supports: Supports) -> None:
        """Try the first parts of supports."""
        waiting = Parts(session["support"], session["vertices"])
        order, number = np.arange(len(waiting.support)), parts_at_once(supports)
        parts, waiting_parts = waiting.take(order[:number]), waiting.take(order[number:])
        known_solutions = Solutions(*(session[f"known_{name}"] for name in Solutions._fields))
        pruned = branch_and_prune(world, supports, parts, known_solutions)
        session["boxes"] = session["boxes"] + len(parts.support)
        session["tried"] = session["tried"] + np.bincount(parts.support, minlength=len(session["tried"]))
        for name, old, new in zip(Solutions._fields, known_solutions, pruned.solutions, strict=True):
            session[f"known_{name}"] = np.concatenate([old, new])
        sure = pruned.solutions.take(pruned.verdict == EQUILIBRIUM)
        equilibria = np.zeros((len(sure.support), *session["found"].shape[1:]))
        for player, actions in enumerate(supports.actions):
            np.put_along_axis(
                equilibria[:, player], actions[sure.support], sure.x[:, player, : actions.shape[1]], axis=1
            )
        session["found"] = np.concatenate([session["found"], equilibria])
        session["radius"] = np.concatenate([session["radius"], sure.radius.max(axis=(1, 2), initial=0.0)])
        waiting = Parts(*(np.concatenate(pair) for pair in zip(waiting_parts, pruned.parts, strict=True)))
        is_over_limit = session["tried"][waiting.support] >= self.max_boxes
        session["support"], session["vertices"] = waiting.take(~is_over_limit)
        hull = session["hull"].copy()
        for boxes in (waiting.take(is_over_limit), pruned.stuck):
            _extend(hull, boxes)
        ties = pruned.solutions.take(pruned.verdict == TIED)
        for k, x, radius in zip(ties.support, ties.x, ties.radius, strict=True):
            hull[k, ..., 0] = np.minimum(hull[k, ..., 0], np.maximum(x - radius, 0.0))
            hull[k, ..., 1] = np.maximum(hull[k, ..., 1], np.minimum(x + radius, 1.0))
        session["hull"] = hull

    def read(self, world: Any, session: Session) -> Record:
        undecided, untried = session["undecided"], 0
        total = sum(map(world.supports, world.groups))
        if not session["over"][0]:
            group, begin = session["place"].tolist()
            untried = total - sum(map(world.supports, world.groups[:group])) - begin
            if len(session["support"]):
                supports, hull = _present_supports(world, session), session["hull"].copy()
                _extend(hull, Parts(session["support"], session["vertices"]))
                undecided = np.concatenate([undecided, _boxes(supports, hull, undecided)])
                untried -= min(SUPPORTS, world.supports(world.groups[group]) - begin)
        sets, undecided = _families(world, undecided)
        equilibria = session["found"]
        order = support_order(equilibria)
        count = len(undecided)
        complete = bool(session["over"][0]) and not count
        if complete:
            words = "equilibrium" if len(order) == 1 else "equilibria"
            words += f", {count_text(len(sets), 'set')} of more" * bool(sets)
            reason = f"every support was decided: {len(order)} {words}, {session['boxes'][0]} boxes"
        else:
            late = f" within {self.seconds:g} s" if session["seconds"][0] >= self.seconds else ""
            causes = (
                (
                    count,
                    f"{count} of {total} supports undecided: ties, equilibria that are not isolated or "
                    f"near each other, or more than {self.max_boxes} boxes",
                ),
                (untried, f"{untried} of {total} supports not tried{late}"),
            )
            reason = "; ".join(words for applies, words in causes if applies)
        if untried:
            full_box = np.zeros((1, *undecided.shape[1:]))
            for player, actions in enumerate(world.actions):
                full_box[0, player, actions, 1] = 1.0
            undecided = np.concatenate([undecided, full_box])
        status = "converged" if session["over"][0] else "iteration limit"
        record = equilibria_record(world.tables, equilibria[order], status, complete, reason)
        if sets:
            record |= _sets_record(list(sets.values()), equilibria)
        pure = sum(int((x > 0).sum() == len(world.tables)) for x in equilibria)
        record["pure_count"] = scalar(pure)
        record["boxes"] = ((), session["boxes"][0].copy())
        return record | proof_record(session["radius"][order], undecided)


Family = tuple[int, tuple[int, ...]]
"""The player that mixes, and the pure actions of all; that of this player says nothing."""


def _families(world: Differences, undecided: ndarray) -> tuple[dict[Family, ndarray], ndarray]:
    """Return sets of equilibria in which one player mixes and the others play pure actions, and other boxes.

    In such supports everything is linear in the one mixed strategy. Sets are vertices ``[vertex player
    action]`` of the polytope of all its equilibria, in fractions. Boxes of supports are decided by them.
    """
    sets, solved, boxes = dict[Family, ndarray](), dict[Family, Any](), list[ndarray]()
    for box in undecided:
        possible = [np.flatnonzero(row[:, 1] > 0).tolist() for row in box]
        mixing = [player for player, actions in enumerate(possible) if len(actions) > 1]
        if len(mixing) != 1:
            boxes.append(box)
            continue
        key = mixing[0], tuple(0 if p == mixing[0] else actions[0] for p, actions in enumerate(possible))
        if key not in solved:
            solved[key] = _mixtures(world, *key)
        corners = solved[key]
        if corners is None or len(corners) == 1:
            boxes.append(box)
        elif corners:
            player, pure = key
            vertices = np.zeros((len(corners), *box.shape[:2]))
            vertices[:, range(len(pure)), pure] = 1.0
            vertices[:, player] = 0.0
            vertices[:, player, : len(corners[0])] = [
                [float(p) for p in row] for row in sorted(corners)[::-1]
            ]
            sets[key] = vertices
    return sets, np.reshape(boxes, (len(boxes), *undecided.shape[1:]))


def _mixtures(world: Differences, player: int, pure: tuple[int, ...]) -> list[Any] | None:
    """Return the vertices of a player's strategies that are equilibria with the others' pure actions."""
    from rivalry.methods.continuous.exact_patterns import vertices_of  # loads JAX

    joint: list[Any] = [*pure]
    joint[player] = slice(None)  # all actions of the player
    pays = world.integers[player][tuple(joint)].tolist()
    size = len(pays)
    unit = [[int(j == k) for j in range(size)] for k in range(size)]
    equations: list[Row] = [[1] * size + [-1]]
    equations += [[*unit[k], 0] for k in range(size) if pays[k] < max(pays)]
    inequalities: list[Row] = [[*unit[k], 0] for k in range(size) if pays[k] == max(pays)]
    for opponent, table in enumerate(world.integers):
        if opponent == player:
            continue
        for instead in range(table.shape[opponent]):
            changed = [*joint]
            changed[opponent] = instead
            loss = (table[tuple(joint)] - table[tuple(changed)]).tolist()
            if any(loss):
                inequalities.append([*loss, 0])
    return vertices_of(equations, inequalities, size)


def _sets_record(sets: list[ndarray], equilibria: ndarray) -> Record:
    """Return the entries of sets of equilibria; those of a list are in one where they are vertices."""
    corners = np.concatenate(sets)
    isolated = sum(not np.any(np.all(corners == x, axis=(1, 2))) for x in equilibria)
    hulls = [np.stack([vertices.min(axis=0), vertices.max(axis=0)], axis=-1) for vertices in sets]
    return {
        "equilibrium_set": (("set", "player", "action", "end"), np.stack(hulls)),
        "equilibrium_vertex": (("vertex", "player", "action"), corners),
        "isolated_count": scalar(isolated),
        "vertex_set": (("vertex",), np.repeat(np.arange(len(sets)), [len(vertices) for vertices in sets])),
    }


def _present_supports(world: Differences, session: Session) -> Supports:
    group, begin = session["place"].tolist()
    return supports(world, world.groups[group], begin)


def _begin_supports(supports: Supports) -> Session:
    """Return a session's entries for supports that are tried together: all of their parts, no solutions."""
    parts = whole_parts(supports)
    shape = (len(supports.sizes), max(supports.sizes))
    hull = np.empty((len(parts.support), *shape, 2))
    hull[..., 0], hull[..., 1] = np.inf, -np.inf
    nowhere = np.zeros((0, *shape))
    no_solutions = Solutions(np.zeros(0, int), nowhere, nowhere, np.zeros(0))
    return {
        "support": parts.support,
        "vertices": parts.vertices,
        "tried": np.zeros(len(parts.support), int),
        "hull": hull,
        **{f"known_{name}": part for name, part in zip(Solutions._fields, no_solutions, strict=True)},
    }


def _next_place(world: Differences, session: Session, supports: Supports) -> Session:
    """Return a session's entries after the last part of its supports."""
    group, begin = session["place"].tolist()
    begin += SUPPORTS
    if begin >= world.supports(world.groups[group]):
        group, begin = group + 1, 0
    new_boxes = _boxes(supports, session["hull"], session["undecided"])
    return {
        "place": np.array([group, begin]),
        "over": np.array([group == len(world.groups)]),
        "undecided": np.concatenate([session["undecided"], new_boxes]),
    }


def _extend(hull: ndarray, parts: Parts) -> None:
    """Extend boxes ``[support player place end]`` in place until they contain parts."""
    np.minimum.at(hull[..., 0], parts.support, parts.vertices.min(axis=2))
    np.maximum.at(hull[..., 1], parts.support, parts.vertices.max(axis=2))


def _boxes(supports: Supports, hull: ndarray, like: ndarray) -> ndarray:
    """Return the boxes that are not empty, ``[box player action end]``."""
    filled = np.flatnonzero(hull[:, 0, 0, 0] <= hull[:, 0, 0, 1])
    boxes = np.zeros((len(filled), *like.shape[1:]))
    for player, actions in enumerate(supports.actions):
        for place in range(actions.shape[1]):
            boxes[np.arange(len(filled)), player, actions[filled, place]] = hull[filled, player, place]
    return boxes


def proof_record(radius: ndarray, undecided: ndarray) -> Record:
    """Return within what each equilibrium of a list is the only one, and boxes that may hold others."""
    return {
        "radius": (("equilibrium",), radius),
        "undecided": (("place", "player", "action", "end"), undecided),
    }
