"""Finite games of published results, by name: payoffs as their sources state them, or their rules.

Tables of payoffs, of one player in zero-sum games, are in ``finite_games.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.results import Record, scalar
from rivalry.core.space import Profile
from rivalry.families.matrix import Matrix, matrix

Name = Literal[
    "von_stengel_75",
    "long_paths",
    "coordination_3",
    "coordination_4",
    "battle_of_the_sexes",
    "stripped_down_poker",
    "max_cut",
    "nau_unique",
    "nau_continuum",
    "selten_horse",
    "oyama_coordination",
    "oyama_battle",
    "all_pay_cap_5",
    "all_pay_cap_6",
    "all_pay_three",
    "all_pay_three_odd_even",
    "von_stengel_2007",
    "von_stengel_2007_degenerate",
    "nashpy_4x3",
    "nashpy_2x2",
    "nashpy_degenerate",
    "nashpy_decimals",
    "biased_rock_paper_scissors",
    "iterated_prisoners_dilemma",
    "auction_two",
    "auction_three",
    "hawk_dove",
    "group_of_three",
    "commitment",
    "cournot_three",
]


class Auction(Matrix):
    """A symmetric game whose actions are bids, ``action / 10``."""


@oracles.metrics.register(Auction)
def _(game: Auction, x: Profile | ndarray) -> Record:
    """Return ``lowest_symmetric_bid``, the lowest bid that is an equilibrium if all choose it."""
    table, lowest = np.asarray(game.table[0]), np.nan
    for bid in reversed(range(len(table))):
        rivals = (bid,) * (table.ndim - 1)
        if table[(bid, *rivals)] >= max(table[(action, *rivals)] for action in range(len(table))):
            lowest = bid / 10
    return {"lowest_symmetric_bid": scalar(lowest)}


class OutputGrid(Matrix):
    """A game of firms whose actions are outputs, in steps of five units."""


@oracles.metrics.register(OutputGrid)
def _(game: OutputGrid, x: Profile | ndarray) -> Record:
    """Return ``output``, the mean output of every firm."""
    return {"output": (("player",), 5 * np.asarray(x) @ np.arange(np.shape(x)[1]))}


def finite_game(name: Annotated[Name, "the game, by its name in the studies of its source"]) -> Matrix:
    """Return a finite game of a published result.

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> finite_game("stripped_down_poker").table[0].tolist()
    [[0.0, 1.0], [0.5, 0.0], [-1.5, 0.0], [-1.0, -1.0]]
    """
    if name not in GAMES:
        raise ValueError(f"name: {name!r} is no game of the studies; must be one of {', '.join(GAMES)}")
    return GAMES[name]()


def _of_rule(sizes: Sequence[int], pay: Callable[..., Sequence[float]]) -> Matrix:
    """Return the game in which ``pay`` returns all players' payoffs at a joint action."""
    joint = np.ndindex(*sizes)
    table = np.array([pay(*actions) for actions in joint], dtype=float)
    return matrix(payoffs=np.moveaxis(table.reshape(*sizes, len(sizes)), -1, 0))


def _first_varies_fastest(cells: Sequence[Sequence[float]]) -> Matrix:
    """Return a 2x2x2 game from its cells in the order of Gambit's files: player 0's action varies fastest."""
    table = np.array(cells, dtype=float).reshape(2, 2, 2, 3)
    return matrix(payoffs=table.transpose(3, 2, 1, 0))


def _poker(action_0: int, action_1: int) -> tuple[float, float]:
    """Return payoffs: player 0 raises or folds on a red and on a black card, and player 1 meets or passes.

    The ante is 1, and so is the raise; a red card wins.
    """
    raises = (action_0 in (0, 1), action_0 in (0, 2))  # on red, on black
    gain = 0.0
    for raised, wins in zip(raises, (1, -1), strict=True):
        outcome = 1 if action_1 == 1 else 2 * wins
        gain += 0.5 * (outcome if raised else -1)
    return gain, -gain


def _max_cut(*sides: int) -> list[float]:
    """Return each player's weight of edges across the cut."""
    weights = {(0, 1): 2.0, (0, 2): -1.0, (1, 2): 2.0}
    return [
        sum(w for edge, w in weights.items() if k in edge and len({sides[j] for j in edge}) == 2)
        for k in range(3)
    ]


def _horse(action_0: int, action_1: int, action_2: int) -> tuple[float, float, float]:
    """Return payoffs of Selten's horse; action 0 is right, 1 is left."""
    if action_0 == 1:
        return (0, 0, 0) if action_2 else (3, 2, 2)
    if action_1 == 1:
        return (0, 0, 1) if action_2 else (4, 4, 0)
    return 1, 1, 1


def _cournot() -> OutputGrid:
    """Return three firms' profits at a cost of 20 and a price of 80 less all output."""

    def pay(*actions: int) -> list[float]:
        return [5 * choice * (60 - 5 * sum(actions)) for choice in actions]

    game = _of_rule([13] * 3, pay)
    return OutputGrid(game.table, game.actions)


def _all_pay(bids: Sequence[Sequence[int]], prize: float) -> Matrix:
    """Return the auction in which all pay their bids and only a strictly highest bid wins the prize."""

    def pay(*actions: int) -> list[float]:
        paid = [bids_of_player[a] for bids_of_player, a in zip(bids, actions, strict=True)]
        sole_winner = paid.count(max(paid)) == 1
        return [prize * (sole_winner and bid == max(paid)) - bid for bid in paid]

    return _of_rule([len(bids_of_player) for bids_of_player in bids], pay)


def _first_price(players: int) -> Auction:
    """Return the first-price auction of a good of value 1 with bids 0, 0.1, .., 1; ties are even."""

    def pay(*bids: int) -> list[float]:
        winners = bids.count(max(bids))
        # integers, divided once: equal payoffs are equal floats
        return [(10 - bid) / (10 * winners) if bid == max(bids) else 0.0 for bid in bids]

    game = _of_rule([11] * players, pay)
    return Auction(game.table, tuple(tuple(str(k / 10) for k in range(11)) for _ in range(players)))


def _symmetric(rows: Sequence[Sequence[float]] | ndarray, actions: list[str] | None = None) -> Matrix:
    return matrix(rows, np.transpose(rows), actions=actions)


def _iterated_dilemma() -> Matrix:
    """Return total payoffs of one action in all rounds: at most 6, each but the first with chance 7/8."""
    rounds = sum(0.875**k for k in range(6))
    return _symmetric(rounds * np.array([[5.0, 0.0], [10.0, 1.0]]))


def _commitment(
    r: float = 1, t: float = 2, p: float = 0, s: float = -1, fine: float = 4, cost: float = 0.25
) -> Matrix:
    """Return the dilemma with costly commitments, whose breach is fined, of Han et al. (2013)."""
    return _symmetric(
        [
            [r - cost / 2, r - cost, 0, s + fine - cost, r - cost],
            [r, r, s, s, s],
            [0, t, p, p, p],
            [t - fine, t, p, p, p],
            [r, t, p, p, p],
        ],
        ["propose", "accept", "defect", "break", "free ride"],
    )


TABLES = json.loads(resources.files("rivalry.studies").joinpath("finite_games.json").read_text("utf-8"))
GAMES: dict[str, Callable[[], Matrix]] = {
    **{name: partial(matrix, *tables) for name, tables in TABLES.items()},
    "coordination_3": lambda: matrix(np.eye(3), np.eye(3)),
    "coordination_4": lambda: matrix(np.eye(4), np.eye(4)),
    "stripped_down_poker": lambda: _of_rule([4, 2], _poker),
    "max_cut": lambda: _of_rule([2, 2, 2], _max_cut),
    "nau_unique": lambda: _first_varies_fastest(
        [[3, 0, 2], [0, 1, 0], [0, 2, 0], [1, 0, 0], [1, 0, 0], [0, 3, 0], [0, 1, 0], [2, 0, 3]]
    ),
    "nau_continuum": lambda: _first_varies_fastest(
        [[0, 0, 2], [3, 0, 0], [0, 3, 0], [0, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 3]]
    ),
    "selten_horse": lambda: _of_rule([2, 2, 2], _horse),
    "all_pay_cap_5": lambda: _all_pay([range(6)] * 2, 8),
    "all_pay_cap_6": lambda: _all_pay([range(7)] * 2, 8),
    "all_pay_three": lambda: _all_pay([range(6)] * 3, 16),
    "all_pay_three_odd_even": lambda: _all_pay([[0, 2, 4], [0, 2, 4], [1, 3, 5]], 16),
    "iterated_prisoners_dilemma": _iterated_dilemma,
    "auction_two": lambda: _first_price(2),
    "auction_three": lambda: _first_price(3),
    "hawk_dove": lambda: _symmetric([[-0.5, 2], [0, 0]], ["hawk", "dove"]),
    "group_of_three": lambda: _group([[-0.5, 2, 1, 3], [0, 0, 1, 2]]),
    "commitment": _commitment,
    "cournot_three": _cournot,
}
"""Games by name, as functions that make them."""


def _group(pay: Sequence[Sequence[float]]) -> Matrix:
    """Return the symmetric game of three that pays ``pay[own][players of action 1 in the group]``."""
    return _of_rule([2, 2, 2], lambda *actions: [pay[action][sum(actions)] for action in actions])
