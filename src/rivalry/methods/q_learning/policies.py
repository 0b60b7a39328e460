"""Learned policies: greedy moves, the end of greedy play, and the distance from equilibrium."""

from __future__ import annotations

import warnings
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from rivalry.core.profiles import distances
from rivalry.core.results import Record, indexed, scalar
from rivalry.tables import MOST_JOINT, equilibria, in_turn, joint_count, regrets, rollout
from rivalry.tables.greedy_play import (
    Rollout,
    choices,
    distinct,
    mix_exploration,
    observed_sizes,
    slots_of,
    states,
)
from rivalry.tables.kernels.shapes import LearningRule, Tabulated
from rivalry.tables.policy_response import responses_to
from rivalry.tables.repeated import RepeatedWorld
from rivalry.tables.response_gaps import MOST_DECISIONS
from rivalry.text.statistics import half_width, half_width_of

if TYPE_CHECKING:
    from rivalry.methods.continuous.mixtures import TabulatedGame

SMALL = 100_000  # entries of tables up to which probabilities are stored
REPLIED = 2_000  # joint states up to which best responses to policies are computed


def nearest_grid_points(world: Tabulated | RepeatedWorld | TabulatedGame, start: object) -> ndarray:
    """Return the indices of the grid points of a profile ``[player axis]``, ``[player]``.

    Raises `ValueError`, with the nearest grid point, for a profile that is off the grid.
    """
    x = np.asarray(start, float).reshape(len(world.action_grid), -1)
    away = np.sum((world.action_grid - x[:, None]) ** 2, axis=2)
    indices = np.nanargmin(away, axis=1)
    for player, place in enumerate(indices):
        near = world.action_grid[player, place]
        if np.max(np.abs(near - x[player])) > 1e-9 * max(1.0, float(np.max(np.abs(near)))):
            position, nearby = (np.round(v, 9).tolist() for v in (x[player], near))
            raise ValueError(
                f"start[{player}]: {position} is off the grid; the nearest grid point is {nearby}"
            )
    return np.asarray(indices, int)


def off_centre(world: Tabulated) -> ndarray:
    """Return the distance of a player's own position from the middle of its grid, 0 to 1, ``[player state]``.

    The largest over axes. 0 where the state does not include the own position.
    """
    tables, shape = world.tables, observed_sizes(world.tables)
    distances = np.zeros((len(tables.sizes), int(states(tables).max())))
    for player, slots in enumerate(slots_of(tables)):
        observed = [player_seen for player_seen, _ in slots]
        if player not in observed:
            continue
        place = np.indices([shape[player_seen] for player_seen in observed])[observed.index(player)].ravel()
        positions = world.action_grid[player, : shape[player]]
        low, high = positions.min(axis=0), positions.max(axis=0)
        half = np.where(high > low, (high - low) / 2, 1.0)
        away = np.max(np.abs(positions - (low + high) / 2) / half, axis=1)
        distances[player, : len(place)] = np.minimum(away, 1.0)[place]
    return distances


def greedy(world: Tabulated, values: ndarray) -> ndarray:
    """Return the best move of every state, the lowest at ties: ``[.. player state]``."""
    return _offered(world, values).argmax(axis=-1)


def chances(world: Tabulated, values: ndarray, temperature: ndarray) -> ndarray:
    """Return ``softmax(Q/T)``; 0 for missing moves."""
    from scipy.special import softmax

    return softmax(_offered(world, values / temperature[..., None]), axis=-1)


def _offered(world: Tabulated, values: ndarray) -> ndarray:
    """Return values ``[.. player state move]``, minus infinity for missing moves."""
    present = np.arange(values.shape[-1]) < choices(world.tables)[:, None, None]
    return np.where(present, values, -np.inf)


def commonest(policies: ndarray) -> tuple[ndarray, ndarray]:
    """Return the modal policy ``[player state]`` over trials, and its share ``[player]``.

    Of policies ``[trial player state]``, each player's as a whole; of several the one with lower moves first.
    """
    if len(policies) == 1:
        return policies[0].copy(), np.ones(policies.shape[1])
    modal, share = np.zeros(policies.shape[1:], policies.dtype), np.zeros(policies.shape[1])
    for player in range(policies.shape[1]):
        rows, counts = np.unique(policies[:, player], axis=0, return_counts=True)
        modal[player] = rows[counts.argmax()]
        share[player] = counts.max() / len(policies)
    return modal, share


def spread(world: Tabulated) -> ndarray:
    """Return grid points evenly spread over each grid, ``[player]``: the default start of roll-outs."""
    sizes = world.tables.sizes
    share = (np.arange(len(sizes)) + 0.5) / len(sizes)
    return np.asarray(np.rint(share * (sizes - 1)), int)


def record(world: Tabulated, rule: LearningRule, learners: dict[str, ndarray]) -> Record:
    """Return all metrics, as listed in `QLearning`."""
    values = learners["values"]
    policies = greedy(world, values)
    modal, share = commonest(policies)
    record: Record = {
        **indexed("trial", "player", "state", policy=policies, visits=learners["visits"].copy()),
        "modal_policy": (("player", "state"), modal),
        "modal_share": (("player",), share),
        "action_grid": (("player", "state", "axis"), world.action_grid),
    }
    if world.action_grid.shape[1] != policies.shape[2]:  # a state is not a grid point
        number = "grid_point" if world.tables.action_map.size else "action"
        record["action_grid"] = (("player", number, "axis"), world.action_grid)
    if values.size <= SMALL and not rule.greedy.any():
        soft = chances(world, values, rule.temperature)
        record["policy_softmax"] = (("trial", "player", "state", "action"), soft)
    standing = learners["recent"][:, 0, : len(world.tables.sizes)]
    record |= _over_trials("last", _positions(world, standing))
    if world.tables.payoff.shape[0] > 1:  # nature moves: no roll-out
        return record | _rewards(rule, learners)
    world = in_turn(world) if rule.asynchronous else world  # greedy play is in turn too, player 0 first
    start = np.where(rule.begin < 0, spread(world), rule.begin)
    led, play = greedy_end(world, policies, start)
    record |= led | _policy_regrets(world, rule, modal, play.cycle)
    return record | _history(world, rule, learners, led["grid_equilibria"][1])


def greedy_end(world: Tabulated, policies: ndarray, start: ndarray) -> tuple[Record, Rollout]:
    """Return the end of greedy play of ``policies [trial player state]`` from ``start [player]``, as in
    `record`, and play of the modal policies, which is ``rollout``.
    """
    equilibria = _rests(world)
    led = rollout(world, commonest(policies)[0], start)
    return {
        "grid_equilibria": (("grid_equilibrium", "player", "axis"), equilibria),
        **_ends(world, policies, start, equilibria, led),
        "rollout": (("rollout_step", "player", "axis"), _positions(world, led.path)),
    }, led


def _rests(world: Tabulated) -> ndarray:
    """Return the grid's pure equilibria, ``[equilibrium player axis]``.

    None, with a warning, if the grid is too large.
    """
    count = joint_count(world)
    if not world.tables.payoff.size and count > MOST_JOINT:
        warnings.warn(f"equilibria of the grid are not looked for among {count} joint actions", stacklevel=2)
        return np.zeros((0, *world.action_grid.shape[::2]))
    return _positions(world, equilibria(world))


def _policy_regrets(world: Tabulated, rule: LearningRule, modal: ndarray, cycle: ndarray) -> Record:
    """Return each player's largest gain by a best response to the others' policies, where play ends.

    For the modal policies, without exploration and with the schedule's least exploration. Not computed if
    there are many joint states, for a random order, or if observations differ from the last round.
    """
    tables = world.tables
    sees_last_round = all(ago == 1 for slots in slots_of(tables) for _, ago in slots)
    joints = tables.payoff.shape[2]
    is_small = 0 < joints * len(tables.order) <= REPLIED and joints * prod(choices(tables)) <= MOST_DECISIONS
    if not is_small or rule.asynchronous or not sees_last_round:
        return {}
    ends = np.ravel_multi_index(tuple(cycle.T), tuple(tables.sizes))
    record: Record = {}
    mixed = [mix_exploration(tables, modal, epsilon) for epsilon in (0.0, rule.epsilon_low)]
    responses = responses_to(tables, mixed, dict(enumerate(rule.gamma.tolist())))
    for name, responses_of_players in zip(
        ("policy_regret", "policy_regret_exploring"), responses, strict=True
    ):
        record[name] = (
            ("player",),
            np.array([response.regret[0, ends].max() for response in responses_of_players]),
        )
    return record


def _positions(world: Tabulated, actions: ndarray) -> ndarray:
    """Return the positions of actions ``[.. player]``, ``[.. player axis]``."""
    return np.asarray(world.action_grid[np.arange(actions.shape[-1]), actions])


def _over_trials(name: str, positions: ndarray) -> Record:
    """Return values ``[trial player axis]`` with their statistics over trials."""
    mean = positions.mean(axis=0)
    return {
        f"{name}_positions": (("trial", "player", "axis"), positions),
        f"{name}_mean": (("player", "axis"), mean),
        f"{name}_mad": (("player", "axis"), np.abs(positions - mean).mean(axis=0)),
        f"{name}_interval": (("player", "axis"), half_width(positions)),
    }


def _ends(
    world: Tabulated, policies: ndarray, start: ndarray, equilibria: ndarray, modal_play: Rollout
) -> Record:
    """Return the end of greedy play of every trial."""
    back, led = np.array([0]), [modal_play]
    if len(policies) > 1:
        rows, back = np.unique(policies.reshape(len(policies), -1), axis=0, return_inverse=True)
        back, led = back.ravel(), [rollout(world, row.reshape(policies.shape[1:]), start) for row in rows]
    positions = np.array([_positions(world, play.cycle).mean(axis=0) for play in led])
    gains = np.array([np.max([regrets(world, joint) for joint in play.cycle], axis=0) for play in led])
    ends, period = positions[back], np.array([play.period for play in led])[back]
    away = distances(positions, equilibria, world.exchangeable)[back]
    near = np.mean(away <= _one_move(world) * (1 + 1e-9)) if len(equilibria) else np.nan
    modal = 0
    if len(ends) > 1:
        flat = ends.reshape(len(ends), -1)
        _, indices, counts = np.unique(flat, axis=0, return_index=True, return_counts=True)
        modal = int(indices[counts.argmax()])
    return {
        **(_over_trials("end", ends)),
        **indexed("trial", end_period=period, grid_distance=away),
        "grid_regret": (("trial", "player"), gains[back]),
        "near_share": scalar(near),
        "profile": (("player", "axis"), ends[modal]),
        "status": scalar("converged" if period[modal] == 1 else "cycling"),
    }


def _one_move(world: Tabulated) -> float:
    """Return the largest distance of one move; with free choice, the smallest between two grid points."""
    tables = world.tables
    longest, shortest = 0.0, np.inf
    for player, size in enumerate(tables.sizes):
        positions = world.action_grid[player, :size]
        if tables.action_map.size:
            steps = positions[tables.action_map[player, :size]] - positions[:, None]
            longest = max(longest, float(np.sqrt((steps**2).sum(axis=2)).max()))
        else:
            gaps = np.sqrt(((positions[:, None] - positions[None]) ** 2).sum(axis=2))
            shortest = min(shortest, float(gaps[~np.eye(size, dtype=bool)].min(initial=np.inf)))
    return longest if tables.action_map.size else shortest


def _history(
    world: Tabulated, rule: LearningRule, learners: dict[str, ndarray], equilibria: ndarray
) -> Record:
    """Return mean rewards between marks and, at marks, the players' distance from equilibrium, over
    trials.
    """
    has_passed, number = _trials_at_marks(learners)
    standing = learners["place_curve"][:, : len(number)]
    flat = standing.reshape(-1, standing.shape[-1])
    rows, back = distinct(flat, world.tables.sizes)
    away = distances(_positions(world, flat[rows]), equilibria, world.exchangeable)[back].reshape(
        has_passed.shape
    )
    return _rewards(rule, learners) | {
        "learning_distance": (("sample",), (away * has_passed).sum(axis=0) / number)
    }


def _rewards(rule: LearningRule, learners: dict[str, ndarray]) -> Record:
    """Return mean rewards between marks, over trials, and half the width of their 95 % interval."""
    has_passed, number = _trials_at_marks(learners)
    rewards = learners["reward_curve"][:, : len(number)]
    mean = (rewards * has_passed[..., None]).sum(axis=0) / number[:, None]
    square = ((rewards - mean) ** 2 * has_passed[..., None]).sum(axis=0) / np.maximum(number - 1, 1)[:, None]
    return {
        "learning_step": (("sample",), rule.marks[: len(number)]),
        **indexed(
            "sample",
            "player",
            learning_reward=mean,
            learning_reward_band=half_width_of(np.sqrt(square), number[:, None]),
        ),
    }


def _trials_at_marks(learners: dict[str, ndarray]) -> tuple[ndarray, ndarray]:
    """Return the mask of trials that passed a mark, ``[trial mark]``, of marks that some did; and numbers."""
    has_passed = np.arange(learners["noted"].max(initial=0)) < learners["noted"][:, None]
    return has_passed, np.maximum(has_passed.sum(axis=0), 1)
