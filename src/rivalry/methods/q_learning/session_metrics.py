"""Metrics of Q-learning sessions: greedy play on its limit cycle, profit gains, losses, deviations."""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame
from rivalry.core.method import Session
from rivalry.core.oracles import traced_metrics
from rivalry.core.results import Certificate, Record, indexed, scalar
from rivalry.core.tolerances import TOLERANCE
from rivalry.methods.q_learning.roles import FIXED, RANDOM, Role, nature_at_random
from rivalry.methods.q_learning.sessions import policies
from rivalry.runtime.memo import remembered
from rivalry.tables.discretize import values_at
from rivalry.tables.greedy_play import observed_sizes, slots_of
from rivalry.tables.history import Cycles, FullStateSpace, by_chance, limit_cycles, whole_states
from rivalry.tables.one_deviation import deviations
from rivalry.tables.repeated import RepeatedWorld
from rivalry.tables.response_gaps import gaps
from rivalry.tables.stages import followers_gap, leader_regret, staged_values
from rivalry.text.statistics import half_width

MOST_JOINT = 200_000  # most joint actions whose outcomes are computed
HORIZON = 25  # periods simulated after a deviation
NONE = 1e-9  # smaller relative losses count as zero
STORED = 4_000_000  # entries of policies
MOST_NATURES = 2000  # most states of nature whose long-run distribution in random play is solved for
WEIGHED = 400_000_000  # most sessions times joint states times actions for which best responses are computed
FIRST = 1000  # periods before the first sample
MOST = 20_000_000  # most sessions times joint states that are sampled


def gains(world: RepeatedWorld, payoff: ndarray, zero: float | None) -> Record:
    """Return profit gains of ``payoff [session player]``: the position between equilibrium and joint maximum.

    ``profit_gain`` (session, player), ``(pi - piN)/(piC - piN)``, with ``zero`` for ``piN`` where given;
    ``pooled_gain`` (session), of the mean over players; its mean over sessions, standard deviation and half
    width of the 95 % interval; ``critical_discount`` (player), from which permanent Nash reversion sustains
    the joint maximum.
    """
    if not oracles.profit_gain_bounds.knows(world.game):
        return {}
    try:
        bounds = remembered(world.known, "gain_bounds", partial(oracles.profit_gain_bounds, world.game))
    except ValueError as error:  # no equilibrium, no joint maximum, or one that is both
        warnings.warn(f"{error}; gains are left out", stacklevel=2)
        return {}
    nash, joint, critical = (np.asarray(part, float) for part in bounds)
    zero_payoff = nash if zero is None else np.full_like(nash, zero)
    profit_gains = (payoff - zero_payoff) / (joint - zero_payoff)
    pooled = (payoff.mean(axis=1) - zero_payoff.mean()) / (joint.mean() - zero_payoff.mean())
    spread = pooled.std(ddof=1) if len(pooled) > 1 else np.nan
    return {
        "profit_gain": (("session", "player"), profit_gains),
        "pooled_gain": (("session",), pooled),
        "gain_mean": scalar(pooled.mean()),
        "gain_sd": scalar(spread),
        "gain_interval": ((), half_width(pooled)),
        **indexed("player", nash_payoff=nash, joint_payoff=joint, critical_discount=critical),
    }


def answering(world: RepeatedWorld, roles: list[Role]) -> RepeatedWorld:
    """Return the same world with empty observations for players whose choices do not depend on them."""
    deaf = [role.kind == RANDOM or (role.kind == FIXED and np.ptp(role.policy) == 0) for role in roles]
    slots = np.where(np.array(deaf)[:, None, None], -1, world.tables.observation_slots)
    return world._replace(tables=world.tables._replace(observation_slots=slots))


def channels(world: RepeatedWorld, learns: list[bool], warn: bool) -> Record:
    """Return, in one line, how discount factors can matter here: `rivalry.oracles.discounting_channels`.

    ``learns [player]``: players that learn with a discount above 0, whatever the game's own.
    If learning is the only channel, a warning says so too.
    """
    if not oracles.discounting_channels.knows(world.game):
        return {}
    discounts = [float(rate) for rate in learns]
    effects = oracles.discounting_channels(world.game, world.tables, learns, discounts)
    text, is_learning_only = effects.text, bool(effects.learning) and not effects.state and not effects.memory
    if is_learning_only:
        reason = "gamma has no channel except learning: any effect is an artefact of the algorithm"
        text += f"; {reason}"
        if warn:
            words = (
                "the discount factor matters only through the learning rule: any effect is an artefact of it"
            )
            warnings.warn(words, stacklevel=3)
    return {"gamma_channels": scalar(text)}


def outcomes(
    world: RepeatedWorld, name: str, joint: ndarray, weight: ndarray, nature: ndarray | None = None
) -> Record:
    """Return the game's metrics, means over joint actions ``[session turn]``: ``end_price`` and so on.

    They are those at the states of nature ``nature [session turn]``; none without these where nature has
    several, on which choices may depend.
    """
    tables, games = world.tables, oracles.games_of_nature(world.game)
    unknown = not traced_metrics.knows(world.game) or (nature is None and len(games) > 1)
    if unknown or int(np.prod(tables.sizes)) > MOST_JOINT:
        return {}
    record: Record = {}
    at_nature = [values_at(_measures, game, world.action_grid, tables.sizes) for game in games]
    state = np.zeros_like(joint) if nature is None else nature * len(games) // len(tables.payoff)
    for measure in at_nature[0]:
        table = np.stack([by_name[measure] for by_name in at_nature])  # [nature joint], or with [.. player]
        by = weight if table.ndim == 2 else weight[..., None]
        mean = (table[state, joint] * by).sum(axis=1)
        # numbers by product, where firms have several, are not of players
        across = "player" if mean.shape[-1] == len(tables.sizes) else "product"
        record[f"{name}_{measure}"] = (("session", across)[: mean.ndim], mean)
    return record


def _measures(game: Any, x: Any) -> Any:
    return {name: array for name, (_, array) in traced_metrics(game, x).items()}


def _values(world: RepeatedWorld, cycles: Cycles, gamma: ndarray) -> Record:
    """Return firm values when play repeats its cycle forever, as the game values cash flows."""
    if not oracles.cycle_value.knows(world.game):
        return {}
    value, share = oracles.cycle_value(world.game, cycles.payoff, gamma)
    return indexed("session", "player", value=value, terminal_share=share)


def _in_stages(world: RepeatedWorld, greedy_policies: ndarray, cycles: Cycles) -> Record:
    """Compare leaders with subgame-perfect play on the grid, and followers with their best responses."""
    tables = world.tables
    staged = oracles.move_order.knows(world.game)
    stages = [list(stage) for stage in oracles.move_order(world.game)] if staged else []
    if len(stages) < 2 or len(tables.payoff) > 1:
        return {}
    exact = staged_values(tables.payoff[0], tables.sizes.tolist(), stages)
    answers = followers_gap(tables, greedy_policies)
    record: Record = {
        **indexed("player", grid_strong=exact.strong, grid_weak=exact.weak),
        **indexed(
            "session",
            "follower",
            follower_gap=answers.mean,
            follower_gap_worst=answers.worst,
            follower_best_response=answers.share,
        ),
    }
    if len(exact.outcomes):
        strong, weak = leader_regret(exact, cycles.payoff)
        joint = np.ravel_multi_index(tuple(exact.outcomes.T), tuple(tables.sizes))
        at_equilibrium = np.where(cycles.joint >= 0, np.isin(cycles.joint, joint), True).all(axis=1)
        points = world.action_grid[np.arange(len(tables.sizes)), exact.strong_profile][:, 0]
        record |= {
            **indexed(
                "session",
                leader_regret=strong,
                leader_regret_weak=weak,
                at_equilibrium=np.asarray(at_equilibrium),
            ),
            "grid_equilibrium": (("player",), points),
        }
    return record


def _departures(world: RepeatedWorld, greedy_policies: ndarray, cycles: Cycles, gamma: ndarray) -> Record:
    """Force each player to its static best response for one period; return the path and profitability.

    Paths are means over the sessions that converged to one joint action, or over all if none did.
    """
    levels = world.action_grid[:, :, 0] if world.action_grid.shape[2] == 1 else None
    is_constant = cycles.length == 1
    is_constant = is_constant if is_constant.any() else np.ones_like(is_constant)
    test = partial(deviations, world.tables, greedy_policies, cycles, horizon=HORIZON, levels=levels)
    parts = [test(player=player, gamma=rate) for player, rate in enumerate(gamma.tolist())]
    path, dims = ("deviator", "turn", "player"), ("session", "deviator")
    return {
        "impulse": (path, np.stack([part.actions[is_constant].mean(axis=0) for part in parts])),
        "impulse_base": (path, np.stack([part.base_actions[is_constant].mean(axis=0) for part in parts])),
        "deviation_gain": (dims, np.stack([_mean(part.relative_gain) for part in parts], axis=1)),
        "deviation_pays": (dims, np.stack([part.profitable for part in parts], axis=1)),
        "deviation_returns": (dims, np.stack([part.rounds_back for part in parts], axis=1)),
    }


def _mean(rows: ndarray) -> ndarray:
    """Return the mean over the finite states of a cycle; NaN where there is none."""
    finite = np.isfinite(rows)  # relative values are undefined at a value of 0
    mean = np.where(finite, rows, 0.0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
    return np.where(finite.any(axis=1), mean, np.nan)


def greedy_play(
    world: RepeatedWorld, roles: list[Role], session: Session, gamma: ndarray, zero: float | None = None
) -> Record:
    """Return the end of greedy play from each session's state, its payoffs and losses.

    ``policy`` (session, player, state), where these are few; ``end_payoff`` (session, player) and
    ``end_action`` (session, player), means over the limit cycle, actions as grid points (with ``axis`` where
    these have several); ``cycle_length`` (session); `focal_patterns`; the gaps of `rivalry.tables.gaps`, and
    the certificate: the largest discounted full gain of any session on its cycle, as a payment per period;
    ``in_equilibrium`` (session), whether its gains are within the certificate's tolerance. If
    some player chooses at random there are no such entries, except the payoffs of all players if all do.
    ``zero`` is the payoff with a profit gain of 0, by default that of the equilibrium.
    """
    tables, greedy_policies = world.tables, policies(world.tables, session)
    record: Record = {}
    if greedy_policies.size <= STORED:
        record["policy"] = (("session", "player", "state"), greedy_policies.astype(np.int16))
    at_random = [role.kind == RANDOM for role in roles]
    if any(at_random):
        return record | (_all_at_random(world, len(greedy_policies), zero) if all(at_random) else {})
    try:
        joint_states = whole_states(tables)
        cycles = limit_cycles(tables, greedy_policies, standing(tables, joint_states, session))
    except ValueError as error:
        warnings.warn(f"greedy play is not followed: {error}", stacklevel=2)
        return record
    record |= {
        "cycle_length": (("session",), cycles.length),
        "end_payoff": (("session", "player"), cycles.payoff),
        "end_action": _end_actions(world, cycles),
    }
    record |= focal_patterns(tables, greedy_policies)
    record |= gains(world, cycles.payoff, zero) | _values(world, cycles, gamma)
    nature = np.maximum(cycles.state, 0) // joint_states.histories % joint_states.natures
    record |= outcomes(world, "end", np.maximum(cycles.joint, 0), cycles.weight, nature)
    record |= _in_stages(world, greedy_policies, cycles)
    if not by_chance(tables):
        record |= _departures(world, greedy_policies, cycles, gamma)
    if len(greedy_policies) * joint_states.size * int(tables.sizes.sum()) > WEIGHED:
        warnings.warn(f"best responses in {joint_states.size} whole states are not worked out", stacklevel=2)
        return record
    return record | _gaps(world, greedy_policies, gamma, cycles)


def standing(tables: FiniteGame, full: FullStateSpace, session: Session) -> ndarray:
    """Return the joint states of sessions, ``[session]``, before the next round.

    Where nature moves at random, its first branch is taken.
    """
    players, recent = len(tables.sizes), session["recent"]
    nature = recent[:, 0, players]
    joint = np.ravel_multi_index(tuple(recent[:, 0, :players].T), tuple(tables.sizes))
    after = tables.next_nature[nature, joint if tables.next_nature.shape[1] > 1 else 0, 0]
    return full.number(recent, session["clock"][:, 0] % len(tables.order), after)


def focal_patterns(tables: FiniteGame, greedy_policies: ndarray) -> Record:
    """Return the pattern of sessions where nature is random and all players observe it, else nothing.

    An action is focal in a state of nature if, while that state lasts, every player repeats it after all have
    chosen it. ``focal_pattern`` (session): ``single`` where the same actions are focal in all states,
    ``alternating`` where they differ, ``partial`` where only some states have any, and ``none``.
    """
    players, natures, size = len(tables.sizes), len(tables.payoff), int(tables.sizes[0])
    slots_of_players, sizes = slots_of(tables), observed_sizes(tables)
    blind = any(
        (players, 0) not in slots or any(player_seen > players for player_seen, _ in slots)
        for slots in slots_of_players
    )
    if not by_chance(tables) or blind or np.any(tables.sizes != size):
        return {}
    focal: ndarray = np.ones((len(greedy_policies), natures, size), bool)
    for player, slots in enumerate(slots_of_players):
        state = np.zeros((natures, size), int)
        for player_seen, _ in slots:
            state = state * sizes[player_seen] + (
                np.arange(natures)[:, None] if player_seen == players else np.arange(size)
            )
        focal &= greedy_policies[:, player, state] == np.arange(size)
    has_focal = np.asarray(focal.any(axis=2))
    is_single = np.all(np.equal(focal, focal[:, :1]), axis=(1, 2))
    word = np.where(has_focal.all(axis=1), np.where(is_single, "single", "alternating"), "partial")
    return {"focal_pattern": (("session",), np.where(has_focal.any(axis=1), word, "none"))}


def _all_at_random(world: RepeatedWorld, sessions: int, zero: float | None) -> Record:
    """Return exact means where all choose at random; empty where no closed form is known.

    That is with alternating moves, where nature stores earlier choices, and with too many states of nature.
    """
    tables = world.tables
    if tables.next_nature.shape[1] > 1 and (len(tables.order) > 1 or len(tables.payoff) > MOST_NATURES):
        return {}
    mean = np.tile(nature_at_random(tables) @ tables.payoff.mean(axis=2), (sessions, 1))
    return {"end_payoff": (("session", "player"), mean)} | gains(world, mean, zero)


def _end_actions(world: RepeatedWorld, cycles: Cycles) -> tuple[tuple[str, ...], ndarray]:
    """Return mean grid points over the cycle."""
    actions = np.maximum(cycles.actions(world.tables), 0)  # [session turn player]
    points = world.action_grid[np.arange(actions.shape[2]), actions]
    mean = (points * cycles.weight[..., None, None]).sum(axis=1)
    if mean.shape[2] == 1:
        return ("session", "player"), mean[:, :, 0]
    return ("session", "player", "axis"), mean


def _gaps(world: RepeatedWorld, greedy_policies: ndarray, gamma: ndarray, cycles: Cycles) -> Record:
    losses = gaps(world.tables, greedy_policies, gamma, cycles)
    names = ("one_shot_loss", "one_shot_loss_all", "full_gap", "full_gap_all")
    record: Record = {name: (("session", "player"), getattr(losses, name)) for name in names}
    gain = (1 - gamma) * losses.full_gain
    regret = gain.max(axis=0)
    coverage = "tight" if losses.coverage == "tight" else "bounded"
    method = "dynamic programming against the others' policies"
    allowed = TOLERANCE * world.scale
    proof = Certificate(
        regret,
        regret,
        coverage,  # type: ignore[arg-type]
        method,
        allowed,
        rounding="floating point",
        # limit play may be an equilibrium of the stage game where these are none (`at_equilibrium`)
        concept="Nash equilibrium of the learned policies",
    )
    for name, loss in (("one_shot_share", losses.one_shot_loss), ("full_share", losses.full_gap)):
        record[name] = scalar(np.all(loss < NONE, axis=1).mean())  # sessions without a loss
    # the claim is that of the weakest session
    record["in_equilibrium"] = (("session",), np.all(gain <= allowed, axis=1))
    return record | proof.record()


def marks(world: RepeatedWorld, roles: list[Role], sessions: int, expected: int, count: int) -> ndarray:
    """Return the ``count`` periods of samples, evenly spaced in logarithms; none where play has no cycle."""
    random = any(role.kind == RANDOM for role in roles)
    if expected <= FIRST or random or by_chance(world.tables):
        count = 0
    with suppress(ValueError):  # too many joint states to enumerate
        if count and sessions * whole_states(world.tables).size <= MOST:
            return np.unique(np.geomspace(FIRST, expected, count).astype(np.int64))
    return np.zeros(0, int)


def note(world: RepeatedWorld, session: Session, curve: ndarray) -> None:
    """Write the payoffs of current greedy play on its cycle into ``curve [session player]``."""
    tables = world.tables
    start = standing(tables, whole_states(tables), session)
    curve[:] = limit_cycles(tables, policies(tables, session), start).payoff


def curves(periods: ndarray, curve: ndarray) -> Record:
    """Return means over sessions of the samples ``curve [mark session player]``, with a 95 % band."""
    if not len(curve):
        return {}
    return {
        "learning_step": (("sample",), periods[: len(curve)]),
        **indexed(
            "sample",
            "player",
            learning_reward=curve.mean(axis=1),
            learning_reward_band=np.stack([half_width(row) for row in curve]),
        ),
    }
