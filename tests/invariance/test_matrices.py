"""Finite games in other words: the same equilibria, claims and gains."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import rivalry as rv

CLASSICS = ("prisoners_dilemma", "matching_pennies", "battle_of_the_sexes", "stag_hunt", "chicken", "jordan")
RANDOM = ((2, 2), (3, 2), (3, 3), (2, 2, 2))


class Tables(NamedTuple):
    """Payoffs ``[player action..]`` in another wording, and where its profiles are read."""

    table: np.ndarray
    write: Callable[
        [np.ndarray], np.ndarray
    ]  # from profiles ``[player action]`` of the game to the wording's
    factors: np.ndarray  # of payoffs, per player of the game
    players: np.ndarray  # where the players of the game are in the wording


def _as_it_is(table: np.ndarray) -> Tables:
    return Tables(table, lambda x: x, np.ones(len(table)), np.arange(len(table)))


def _scaled(table: np.ndarray) -> Tables:
    factors = np.array([2.0**-20, 2.0**40, 2.0**10])[: len(table)]
    return _as_it_is(table)._replace(table=(table.T * factors).T, factors=factors)


def _shifted(table: np.ndarray) -> Tables:
    constants = np.array([2.0**12, -(2.0**18), 64.0])[: len(table)]
    return _as_it_is(table)._replace(table=(table.T + constants).T)


def _reordered_actions(table: np.ndarray) -> Tables:
    turned = np.flip(table, axis=tuple(range(1, table.ndim)))
    sizes = table.shape[1:]

    def write(x: np.ndarray) -> np.ndarray:
        turned = np.zeros_like(x)
        for player, size in enumerate(sizes):
            turned[player, :size] = x[player, :size][::-1]
        return turned

    return _as_it_is(table)._replace(table=turned, write=write)


def _reordered_players(table: np.ndarray) -> Tables:
    players = len(table)
    order = np.roll(np.arange(players), 1)
    turned = np.transpose(table[order], [0, *(1 + order)])
    return Tables(turned, lambda x: x[order], np.ones(players), np.argsort(order))


def _with_a_dominated_action(table: np.ndarray, loss: float) -> Tables:
    """Player 0 has another action, which pays ``loss`` less than the worst; the others are paid as before."""
    added = table[:, -1:].copy()
    added[0] = table[0].min(axis=0) - loss
    wider = np.concatenate([table, added], axis=1)
    size, axes = table.shape[1], max(wider.shape[1:])

    def write(x: np.ndarray) -> np.ndarray:
        padded = np.zeros((len(x), axes))
        padded[:, : x.shape[1]] = x
        assert not padded[0, size:].any()
        return padded

    return _as_it_is(table)._replace(table=wider, write=write)


def _with_copies_of_an_action(table: np.ndarray, player: int, copies: int) -> Tables:
    """A player's last action stands there several more times, and its share is split evenly."""
    wider = np.concatenate([table, *[np.take(table, [-1], axis=1 + player)] * copies], axis=1 + player)
    size, axes = table.shape[1 + player], max(wider.shape[1:])

    def write(x: np.ndarray) -> np.ndarray:
        split = np.zeros((len(x), axes))
        split[:, : x.shape[1]] = x
        split[player, size - 1 : size + copies] = x[player, size - 1] / (1 + copies)
        return split

    return _as_it_is(table)._replace(table=wider, write=write)


def _with_a_dummy_player(table: np.ndarray) -> Tables:
    """The last player has two actions without an effect and is paid 0."""
    players = len(table)
    wider = np.stack([table, table], axis=-1)
    wider = np.concatenate([wider, np.zeros_like(wider[:1])])

    def write(x: np.ndarray) -> np.ndarray:
        padded = np.zeros((players + 1, max(x.shape[1], 2)))
        padded[:players, : x.shape[1]] = x
        padded[players, :2] = 0.25, 0.75
        return padded

    return Tables(wider, write, np.ones(players), np.arange(players))


WORDINGS: dict[str, Callable[[np.ndarray], Tables]] = {
    "unlike units of payoffs": _scaled,
    "constants of unlike sizes": _shifted,
    "actions in another order": _reordered_actions,
    "players in another order": _reordered_players,
    "a dominated action": lambda table: _with_a_dominated_action(table, 1.0),
    "a ruinous action": lambda table: _with_a_dominated_action(table, 2.0**40),
    "an action twice": lambda table: _with_copies_of_an_action(table, 0, 1),
    "an action of the rival 16 times": lambda table: _with_copies_of_an_action(table, 1, 15),
    "a dummy player": _with_a_dummy_player,
}


# other players' equilibria form sets
NOT_LISTED = ("a dummy player", "an action twice", "an action of the rival 16 times")


def _games() -> dict[str, np.ndarray]:
    draws = np.random.default_rng(11)
    games = {name: np.asarray(rv.games.matrix(name).table) for name in CLASSICS}
    for sizes in RANDOM:
        for number in range(3):
            table = draws.integers(-9, 10, (len(sizes), *sizes)).astype(float)
            games[f"random {'x'.join(map(str, sizes))}, {number}"] = table
    return games


GAMES = _games()


def _equilibria(table: np.ndarray) -> tuple[list[np.ndarray], bool]:
    listed = rv.all_equilibria(rv.games.matrix(payoffs=table))
    return [np.asarray(x) for x in listed.equilibria], listed.complete


@pytest.mark.diagonal
@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize("name", GAMES)
def test_claims_and_gains_do_not_depend_on_how_a_game_is_written(name: str, wording: str) -> None:
    table = GAMES[name]
    other = WORDINGS[wording](table)
    game, rewritten = rv.games.matrix(payoffs=table), rv.games.matrix(payoffs=other.table)
    draws = np.random.default_rng(3)
    mask = np.asarray(game.space.mask)
    for x in _equilibria(table)[0]:
        for share in (0.0, 1e-10, 1e-7, 1e-4, 0.03, 1.0):
            away = np.where(mask, draws.random(mask.shape), 0.0)
            at = (1 - share) * x + share * away / away.sum(axis=1, keepdims=True)
            here, words = rv.certificate(game, at), rv.certificate(rewritten, other.write(at))
            # a constant may hide a gain, of which nothing is claimed then
            if words.claim == "not decided" and wording.startswith("constants") and share == 1e-10:
                continue
            assert words.claim == here.claim, (share, here, words)
            gains = words.regret[other.players] / other.factors
            allowed = 1e-9 * np.abs(table).max() * (2.0**18 if wording.startswith("constants") else 1.0)
            np.testing.assert_allclose(gains, here.regret, rtol=1e-9, atol=1e-6 * allowed)


@pytest.mark.diagonal
@pytest.mark.parametrize("wording", [name for name in WORDINGS if name not in NOT_LISTED])
@pytest.mark.parametrize("name", GAMES)
def test_lists_do_not_depend_on_how_a_game_is_written(name: str, wording: str) -> None:
    table = GAMES[name]
    other = WORDINGS[wording](table)
    profiles, complete = _equilibria(table)
    others, as_complete = _equilibria(other.table)
    assert as_complete == complete
    assert len(others) == len(profiles)
    for x in map(other.write, profiles):
        assert min(np.abs(x - y).max() for y in others) < 1e-9
