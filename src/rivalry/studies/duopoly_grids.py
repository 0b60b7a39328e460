"""Duopolies whose firms choose points of a grid, beside the equilibrium of their continuous choices."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Le

from rivalry.core import oracles
from rivalry.core.results import Record, scalar
from rivalry.core.space import Profile
from rivalry.core.tree import static
from rivalry.families.matrix import Matrix, matrix
from rivalry.schema.validate import checked
from rivalry.tables.exact import pure_equilibria

Rule = Callable[[Fraction, Fraction], Fraction]


class Duopoly(NamedTuple):
    """A symmetric duopoly with choices in [0, 1]."""

    payoff: Rule  # of a firm, at its choice and the rival's
    welfare: Rule
    equilibrium: Fraction  # the choice of both firms in the only equilibrium


def _price_profit(price: Fraction, rival: Fraction) -> Fraction:
    buyers = (1 - price) / 2 if price == rival else 1 - price
    return price * buyers if price <= rival else Fraction(0)


def _contest_profit(effort: Fraction, rival: Fraction) -> Fraction:
    total = effort + rival
    return effort / total - effort if total else Fraction(1, 2)


def _buyers(place: Fraction, rival: Fraction) -> Fraction:
    """Share of the buyers, uniform on [0, 1], who are nearer to ``place`` than to the rival."""
    middle = (place + rival) / 2
    if place == rival:
        return Fraction(1, 2)
    return middle if place < rival else 1 - middle


def _less_distance(place: Fraction, rival: Fraction) -> Fraction:
    """Value 1 of the good less the mean distance of a buyer to the nearer firm."""
    left, right = sorted((place, rival))
    return 1 - left**2 / 2 - (right - left) ** 2 / 4 - (1 - right) ** 2 / 2


DUOPOLIES = {
    "cournot": Duopoly(lambda q, r: q * (1 - q - r), lambda q, r: (q + r) * (2 - q - r) / 2, Fraction(1, 3)),
    "contest": Duopoly(_contest_profit, lambda x, y: 1 - x - y, Fraction(1, 4)),
    "hotelling": Duopoly(_buyers, _less_distance, Fraction(1, 2)),
    "bertrand": Duopoly(_price_profit, lambda p, r: (1 - min(p, r) ** 2) / 2, Fraction(0)),
}


class DuopolyGrid(Matrix):
    """A duopoly of `DUOPOLIES` on a grid; see `duopoly_grid` for the game."""

    name: str = static(default="cournot")


@oracles.closed_form.register(DuopolyGrid)
def _(game: DuopolyGrid) -> np.ndarray:
    """Return all pure equilibria, by comparison of every pair of points with all others."""
    pairs = np.argwhere(pure_equilibria(np.asarray(game.table)))
    return np.eye(len(game.actions[0]))[pairs]


@oracles.metrics.register(DuopolyGrid)
def _(game: DuopolyGrid, x: Profile | np.ndarray) -> Record:
    """Return ``welfare_error``, the largest relative distance of welfare from that of the continuum."""
    duopoly, steps = DUOPOLIES[game.name], len(game.actions[0]) - 1
    pairs = np.argwhere(pure_equilibria(np.asarray(game.table))).tolist()
    welfare = [duopoly.welfare(Fraction(i, steps), Fraction(j, steps)) for i, j in pairs]
    limit = duopoly.welfare(duopoly.equilibrium, duopoly.equilibrium)
    return {"welfare_error": scalar(float(max(abs(value / limit - 1) for value in welfare)))}


@checked
def duopoly_grid(
    *,
    name: Annotated[Literal["cournot", "contest", "hotelling", "bertrand"], "the duopoly"] = "cournot",
    points: Annotated[int, Ge(2), Le(1000), "points of the grid, evenly from 0 to 1"] = 11,
) -> DuopolyGrid:
    """Return a duopoly on a grid; with choices between 0 and 1 it has exactly one pure equilibrium.

    ``cournot``: outputs at no cost and the price ``1 - q - r``; both choose 1/3. ``contest``: efforts for a
    prize of 1, won with probability ``x / (x + y)``; both choose 1/4. ``hotelling``: places on a line of
    buyers who go to the nearer firm; both choose 1/2. ``bertrand``: prices of one good with demand ``1 - p``
    and no cost; both choose 0. Payoffs are computed in fractions, so that ties are exact. Welfare is that of
    firms and buyers together; in the contest, the prize less efforts.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(duopoly_grid(name="cournot", points=4), rv.methods.ClosedForm())
    >>> int(solution.data.root_count), float(solution.data.welfare_error)
    (3, 0.0)
    """
    grid = [Fraction(k, points - 1) for k in range(points)]
    payoff = DUOPOLIES[name].payoff
    table = np.array([[float(payoff(action, rival)) for rival in grid] for action in grid])
    game = matrix(table, table.T, actions=[str(action) for action in grid])
    return DuopolyGrid(game.table, game.actions, name=name)
