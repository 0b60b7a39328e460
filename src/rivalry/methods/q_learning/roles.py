"""Roles of players in repeated play: learners, fixed policies, random players, oracles."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.core.tolerances import TIE
from rivalry.methods.dynamics.step_sizes import check_keys
from rivalry.schema.registry import near
from rivalry.tables.greedy_play import observed_sizes, slots_of, states

LEARNS, RANDOM, FIXED = "learns", "random", "fixed"
KEYS: dict[str, tuple[str, ...]] = {
    "learns": (),
    "random": (),
    "fixed": ("action",),
    "oracle": ("ties",),
    "policy": ("table",),
}
TIES = ("optimistic", "pessimistic")


class Role(NamedTuple):
    """The role of a player in repeated play."""

    kind: str  # LEARNS; RANDOM; FIXED: it follows its policy
    policy: ndarray  # [state]: actions of a player that does not learn


def check_roles(value: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the table of every role. Raise `ValueError` for those unknown in every game."""
    is_per_player = isinstance(value, list | tuple)
    roles = []
    for number, role in enumerate(value if is_per_player else [value]):
        name = f"roles[{number}]" if is_per_player else "roles"
        table = role_table(name, role, KEYS, ties="optimistic")
        if table["kind"] == "oracle" and table["ties"] not in TIES:
            raise ValueError(f"{name}.ties: {table['ties']!r} is unknown; {near(str(table['ties']), TIES)}")
        roles.append((name, table))
    return roles


def roles_of(tables: FiniteGame, value: object) -> list[Role]:
    """Return every player's role.

    Raise `ValueError` for a number of roles, actions or tables that do not fit.
    """
    tables_of_roles, players = check_roles(value), len(tables.sizes)
    if not isinstance(value, list | tuple):
        tables_of_roles *= players
    if len(tables_of_roles) != players:
        raise ValueError(
            f"roles: {len(tables_of_roles)} given; must be one for all, or {players}, one per player"
        )
    return [_role(tables, player, *role) for player, role in enumerate(tables_of_roles)]


def role_table(
    name: str, value: object, keys: Mapping[str, tuple[str, ...]], **defaults: object
) -> dict[str, Any]:
    """Return a role as a table; ``keys`` are those of every kind. Raise `ValueError` for an unknown role."""
    table = dict(value) if isinstance(value, Mapping) else {"kind": value}
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in keys:
        raise ValueError(f"{name}: {kind!r} is unknown; {near(str(kind), keys)}")
    table = {key: value for key, value in defaults.items() if key in keys[kind]} | table
    check_keys(name, table, keys[kind])
    return table


def _role(tables: FiniteGame, player: int, name: str, table: dict[str, Any]) -> Role:
    count, size = int(states(tables)[player]), int(tables.sizes[player])
    kind, policy = table["kind"], np.zeros(count, int)
    if kind in (LEARNS, RANDOM):
        return Role(kind, policy)
    if kind == "oracle":
        return Role(FIXED, myopic_best_responses(tables, player, table["ties"]))
    [key] = KEYS[kind]
    actions = np.asarray(table[key])
    if actions.dtype.kind not in "iu" or actions.shape != (() if kind == "fixed" else (count,)):
        rule = "a whole number" if kind == "fixed" else f"{count} whole numbers, one per state"
        raise ValueError(f"{name}.{key}: must be {rule}")
    if np.any((actions < 0) | (actions >= size)):
        raise ValueError(f"{name}.{key}: actions of player {player} must be in 0..{size - 1}")
    return Role(FIXED, policy + actions)


def observed_payoff(tables: FiniteGame, player: int, payoff: ndarray, observed: list[int]) -> ndarray:
    """Return a payoff ``[nature joint]`` as ``[seen.. action]``, the own action last.

    ``observed`` are the players, or nature, whose part of the current round ``player`` observes; the payoff
    is the mean over everything else, with equal weights.
    """
    axes = [*range(1, len(tables.sizes) + 1), 0]  # nature has the last number and the first axis
    full = payoff.reshape(len(payoff), *tables.sizes.tolist())
    shape = [axes[observed_player] for observed_player in (*observed, player)]
    mean = full.mean(axis=tuple(axis for axis in range(full.ndim) if axis not in shape))
    return np.transpose(mean, np.argsort(np.argsort(shape)))


def nature_at_random(tables: FiniteGame) -> ndarray:
    """Return the long-run distribution of nature's states ``[nature]`` under uniform random play.

    Exact where all move in one round, and where actions do not affect nature.
    """
    count, joints = tables.payoff.shape[0], tables.next_nature.shape[1]
    if count == 1:
        return np.ones(1)
    chain, transitions = np.zeros((count, count)), np.diff(tables.nature_cdf, prepend=0.0, axis=2) / joints
    np.add.at(chain, (np.arange(count)[:, None, None], tables.next_nature), transitions)
    system = np.concatenate([chain.T - np.eye(count), np.ones((1, count))])
    distribution, *_ = np.linalg.lstsq(system, np.append(np.zeros(count), 1.0), rcond=None)
    return np.maximum(distribution, 0.0) / np.maximum(distribution, 0.0).sum()


def myopic_best_responses(tables: FiniteGame, player: int, ties: str = "optimistic") -> ndarray:
    """Return the action with the largest payoff in the current round, given observed actions, ``[state]``.

    With alternating moves the others' last actions remain in force; for an unobserved state of nature, the
    mean over the long run counts (`nature_at_random`). Among equals, up to 1e-12 of the largest payoff, the
    one best for the first mover (``optimistic``), or worst (``pessimistic``), then the lowest.
    """
    players, turns = len(tables.sizes), len(tables.order) > 1
    current_actions = [(opponent, 1 if turns else 0) for opponent in range(players) if opponent != player]
    slots = slots_of(tables)[player]
    unseen = [opponent for opponent, ago in current_actions if (opponent, ago) not in slots]
    if unseen:
        raise ValueError(
            f"roles: an oracle must see what all others do in its round; player {player} does not see "
            f"player {unseen[0]}"
        )
    # the response depends on what stands in this round: the others' actions, and nature where it is observed
    visible = [slot in current_actions or slot == (players, 0) for slot in slots]
    players_seen = [opponent for (opponent, _), is_visible in zip(slots, visible, strict=True) if is_visible]
    leader = int(tables.order[0, 0])
    pays = tables.payoff
    if players not in players_seen:  # nature is not observed: weight its states by their frequency
        pays = pays * (len(pays) * nature_at_random(tables))[:, None, None]
    own_payoff, rival_payoff = (
        observed_payoff(tables, player, pays[:, opponent], players_seen) for opponent in (player, leader)
    )
    close = (
        own_payoff >= own_payoff.max(axis=-1, keepdims=True) - TIE * np.abs(tables.payoff[:, player]).max()
    )
    rival_payoff = rival_payoff if ties == "optimistic" else -rival_payoff
    response = np.where(close, rival_payoff, -np.inf).argmax(axis=-1)  # [seen..]
    sizes = observed_sizes(tables)
    contents = np.unravel_index(
        np.arange(states(tables)[player]), [sizes[opponent] for opponent, _ in slots] or [1]
    )
    return response[tuple(compress(contents, visible))]
