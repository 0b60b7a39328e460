"""Payoffs of subgame-perfect equilibria of an infinitely repeated game of two players."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Lt
from numpy import ndarray

from rivalry.core.array_games import stateless_tables
from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.core.tolerances import EPS, ULPS
from rivalry.methods.finite.mixed_equilibria import normalise

SAME = 1e-12  # of each player's range of payoffs: points this close are one


class SubgamePerfectPayoffs(BaseLearner):
    """The subgame-perfect payoffs of the game repeated infinitely often, by Abreu and Sannikov's operator.

    Both players discount by ``discount``, observe all actions, play pure strategies and can condition on a
    public random draw; payoffs are averages per period. Of a set ``W`` of continuation payoffs with threats
    ``u``, the least payoffs in it, joint action ``a`` is enforced by ``v`` in ``W`` if

        v_i >= u_i + (1 - discount) / discount * (the best gain of i from a deviation from a).

    The operator takes the convex hull of ``(1 - discount) g(a) + discount v`` over ``v = g(a)`` where these
    payoffs enforce ``a`` themselves, and otherwise over the extreme points of the enforcing part of ``W``
    where a constraint binds. It begins with all feasible payoffs and the pure minmax payoffs. No iterate
    loses a payoff of the set, up to rounding; it converges when no vertex moves by more than
    1e-12 of each player's range of payoffs, or by more than rounding.

    The record holds ``payoff_vertices`` (vertex, player), counter-clockwise from the leftmost, of these the
    lowest; ``threat`` (player), the least payoffs; ``vertex_count``. Without an equilibrium in pure
    strategies the status is ``not found``.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix([[9, 1], [10, 3]], [[9, 10], [1, 3]])
    >>> solution = rv.solve(game, SubgamePerfectPayoffs(discount=0.9))
    >>> solution.data.payoff_vertices.values.round(6).tolist()
    [[3.0, 3.0], [9.75, 3.0], [9.0, 9.0], [3.0, 9.75]]

    References
    ----------
    Abreu and Sannikov, "An algorithm for two-player repeated games with perfect monitoring", Theoretical
    Economics 9, 2014.
    """

    discount: Annotated[float, Gt(0), Lt(1), "discount factor of both players"] = 0.9

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        tables = stateless_tables(world)
        if len(tables) != 2:
            raise ValueError(f"game: {len(tables)} players; must be two for this method")
        tables = normalise(tables)
        minmax = [tables[0].max(axis=0).min(), tables[1].max(axis=1).min()]
        vertices = _hull(tables.reshape(2, -1).T, _resolution(world))
        return {"vertices": vertices, "threat": np.array(minmax), "over": np.zeros(1, bool)}

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Apply the operator up to ``steps`` times."""
        tables, near = normalise(stateless_tables(world)), _resolution(world)
        gains = np.stack([tables[p].max(axis=p, keepdims=True) - tables[p] for p in range(2)])
        pays, gains = tables.reshape(2, -1).T, gains.reshape(2, -1).T
        weight, rounds = (1 - self.discount) / self.discount, 0
        while rounds < steps and not session["over"][0]:
            old, parts = session["vertices"], []
            for payoff, gain in zip(pays, gains, strict=True):
                low = session["threat"] + weight * gain
                enforced = payoff[None] if np.all(payoff >= low - near) else _binding(old, low, near)
                parts.append((1 - self.discount) * payoff + self.discount * enforced)
            new = _hull(np.concatenate(parts), near)
            session["vertices"] = new
            if len(new):
                session["threat"] = np.maximum(session["threat"], new.min(axis=0))
            moves = np.abs(new - old).max(initial=0.0) if new.shape == old.shape else np.inf
            session["over"] = np.array([moves <= max(SAME, near) or not len(new)])
            rounds += 1
        return rounds

    def read(self, world: object, session: Session) -> Record:
        flat = stateless_tables(world).reshape(2, -1)
        low, span = flat.min(axis=1), np.ptp(flat, axis=1)
        vertices = low + span * session["vertices"]
        ended = "converged" if len(vertices) else "not found"
        status = ended if session["over"][0] else "iteration limit"
        return {
            "status": scalar(status),
            "payoff_vertices": (("vertex", "player"), vertices),
            "vertex_count": scalar(len(vertices)),
            "threat": (("player",), low + span * session["threat"]),
        }


def _resolution(world: object) -> float:
    """Return the distance, in ranges of payoffs, below which points are one: above the payoffs' rounding."""
    flat = stateless_tables(world).reshape(2, -1)
    sizes, spans = np.abs(flat).max(axis=1), np.ptp(flat, axis=1)
    return float(np.max(sizes / np.where(spans > 0, spans, np.inf), initial=SAME / ULPS / EPS) * ULPS * EPS)


def _binding(vertices: ndarray, low: ndarray, near: float) -> ndarray:
    """Return the extreme points of a polygon above ``low`` at which one of these bounds is an equality."""
    for player in range(2):
        above = vertices[:, player] - low[player]
        cut = []
        for k, (excess, next_excess) in enumerate(zip(above, np.roll(above, -1), strict=True)):
            if excess >= -near:
                cut.append(vertices[k])
            if min(excess, next_excess) < -near and max(excess, next_excess) > near:
                start, end = vertices[k], vertices[(k + 1) % len(vertices)]
                cut.append(start + excess / (excess - next_excess) * (end - start))
        vertices = np.reshape(cut, (-1, 2))
    return vertices[np.any(np.abs(vertices - low) <= near, axis=1)]


def _hull(points: ndarray, near: float) -> ndarray:
    """Return the vertices of the convex hull of points ``[point 2]``, counter-clockwise from the leftmost.

    >>> _hull(np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 0.5], [1.0, 0.0], [0.0, 2.0]]), 1e-12).tolist()
    [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]
    """
    if not len(points):
        return np.zeros((0, 2))
    # leftmost first, and among points that only rounding separates the lowest
    order = np.lexsort((points[:, 1], np.round(points[:, 0] / near)))
    halves = []
    for sequence in (points[order], points[order[::-1]]):
        chain: list[ndarray] = []
        for point in sequence:
            while (
                len(chain) > 1
                and _turn(chain[-2], chain[-1], point) <= near * np.abs(point - chain[-2]).max()
            ):
                chain.pop()
            chain.append(point)
        halves.append(chain)
    vertices = np.reshape(halves[0][:-1] + halves[1][:-1] or points[:1], (-1, 2))
    return vertices[:1] if np.ptp(vertices, axis=0).max(initial=0.0) <= near else vertices


def _turn(start: ndarray, middle: ndarray, end: ndarray) -> float:
    """Return the cross product of two sides: above 0 where the path turns to the left."""
    (a, b), (c, d) = middle - start, end - start
    return float(a * d - b * c)
