"""Monitors of gains during learning: by dynamic programming in a measured environment, or sampled.

Monitors use copies of the agents and separate random streams, so they do not change learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies import kernels
from rivalry.economies.learning import crowds, few_agents
from rivalry.economies.learning.crowds import AgentGains, Crowd, Measured
from rivalry.economies.learning.epochs import AgentStepSize, step_sizes
from rivalry.economies.learning.sessions import check_balance
from rivalry.methods.q_learning.exploration import Table, check_numbers, check_whole
from rivalry.methods.q_learning.options import StepSize
from rivalry.population.agents import NOTHING, Paid, evaluate_agents
from rivalry.population.distances import entropies, policy_distance
from rivalry.runtime.jax import compiled, put
from rivalry.schema.validate import refuse

Numbers = dict[str, ndarray]

MONITORS = ("exact", "parallel", "alone")
TABLES = ("learner", "zero")
RARELY = 100  # visits below which the value of an entry is unreliable
PLAIN = "_without_exploration"
REGULARISED = "_regularised"
EXACT = ("agent_payoff", "exploitability", "relative_exploitability")
FAR = ("gap_to_equilibrium", "relative_gap_to_equilibrium", "distance_to_equilibrium")
SAMPLED = ("sampled_greedy", "sampled_gap_to_equilibrium", "sampled_gap_to_equilibrium_eps")


class Sampling(NamedTuple):
    """Options of sampled gains: Algorithms 3 (``parallel``) and 4 (``alone``)."""

    kind: str = "exact"
    t_monitor: int = 200_000  # steps in which tables are updated
    t_burn: int = 100_000  # steps of these before the first sample
    sample_every: int = 100
    tables: str = "learner"  # initial values: the learner's, or zero
    step_size: Any = None  # as a learner's; left out: the learner's own, of its first stage
    expected: bool = False  # update values of policies by means over the next choice
    double: bool = False  # learn the best response by two tables
    agents: int = 1  # alone: number of monitored agents, one after the other
    explore: float = 1.0  # alone: share of uniform bids in the agent's policy during updates


def sampling(value: str | Table, step_size: float | StepSize = 0.01) -> Sampling:
    """Return the option ``monitor``: a string, or a table with ``kind`` and the fields of `Sampling`.

    ``step_size`` is the learner's. Raises `ValueError` for unknown keys or values and numbers out of range.

    >>> sampling({"kind": "parallel", "t_monitor": 2000, "t_burn": 1000}).step_size
    0.01
    """
    table = value if isinstance(value, Mapping) else {"kind": value}
    for key in table:
        if key not in Sampling._fields:
            raise ValueError(f"monitor.{key}: is not known; it takes {', '.join(Sampling._fields)}")
    table_ = Sampling(**table)
    for name, word, allowed in (("kind", table_.kind, MONITORS), ("tables", table_.tables, TABLES)):
        if word not in allowed:
            raise ValueError(f"monitor.{name}: {word!r} must be one of {', '.join(allowed)}")
    for name, minimum in (("t_monitor", 1), ("t_burn", 0), ("sample_every", 1), ("agents", 1)):
        check_whole(f"monitor.{name}", getattr(table_, name), minimum)
    if table_.t_burn >= table_.t_monitor:
        raise ValueError(f"monitor.t_burn: {table_.t_burn} must be below t_monitor = {table_.t_monitor}")
    if table_.t_monitor - table_.t_burn <= table_.sample_every:
        raise ValueError(f"monitor.sample_every: {table_.sample_every} must leave at least two samples")
    check_numbers("monitor.explore", table_.explore, "in (0, 1]", lambda v: (v > 0) & (v <= 1))
    step = step_size if table_.step_size is None else table_.step_size
    refuse("monitor.step_size", AgentStepSize, step)
    schedule = step_sizes(step)
    return table_._replace(step_size=step if len(schedule.values) == 1 else float(schedule.values[0]))


class Snapshot(NamedTuple):
    """Evaluation of fixed policies, with exploration and, where it is positive, without."""

    measured: Measured
    environment: Any
    numbers: Numbers  # [owner] each
    efficiency: float  # without exploration
    gains: AgentGains | None  # None without a mean field


def names_of(exploration: float, compared: bool, paid: bool) -> tuple[str, ...]:
    """Return the names of the numbers ``[owner]`` of a snapshot; ``paid``: also with an entropy bonus."""
    plain = (*EXACT, *(FAR if compared else ()))
    with_eps = tuple(f"{name}_eps" for name in FAR) if compared and exploration > 0 else ()
    if paid:
        plain, with_eps = (
            (*names, *(f"{name}{REGULARISED}" for name in names if "distance" not in name))
            for names in (plain, with_eps)
        )
    return plain + with_eps + tuple(f"{name}{PLAIN}" for name in plain if 0 < exploration < 1)


def sampled_names(count: int, paid: bool) -> tuple[str, ...]:
    """Return the first ``count`` names of sampled gains ``[agent]``; ``paid``: also with an entropy bonus."""
    return (*SAMPLED[:count], *(f"{name}{REGULARISED}" for name in SAMPLED[:count] if paid))


def snapshot(
    crowd: Crowd,
    agents: kernels.economy.Agents,
    rows: ndarray,  # [owner entry]: cumulative
    owner: ndarray,  # [agent]
    exploration: float,
    equilibria: ndarray,  # [which state bid]: without exploration, and with it; or none
    sequences: list[np.random.SeedSequence],
    warm_up: int,
    steps: int,
    bonuses: tuple[Paid, ...] = (NOTHING,),
    far: str = "mean",
    *,
    errors: bool = False,
) -> Snapshot:
    """Simulate fixed policies and return their values and gains in the measured environment.

    Policies with exploration are evaluated a second time without it, in the environment measured for that.
    All values are reported once per bonus, at most two. ``far`` is the rule of distances, and ``errors`` is
    whether those of the largest gains are estimated.
    """
    kinds, levels = kinds_of(crowd, owner), crowd.shape[2]

    def evaluate(
        rows: ndarray, equilibria: ndarray, sequence: np.random.SeedSequence, *, errors: bool = False
    ) -> Snapshot:
        policies = policies_of(crowd, rows)
        by_state = policies.reshape(len(rows), -1, levels)
        tallied, batches = crowd.simulate_copies(agents, (rows, owner), sequence, warm_up, steps)
        measured = crowds.mean_tallies_by_owner(crowd, tallied, batches, by_state, owner, steps)
        if crowd.refusal:
            return Snapshot(measured, None, {}, measured.efficiency, None)
        env = crowds.environment_of(crowd, measured)
        if few_agents.has_few_agents(crowd):
            gains_by_bonus = few_agents.evaluate_few_agents(
                *(crowd, env, agents, rows, by_state, owner, kinds, equilibria, sequence, steps),
                *(measured.reward, bonuses),
                errors=errors,
            )
        else:
            gains_by_bonus = _evaluate_pooled(
                crowd, env, measured, by_state, kinds, equilibria, bonuses, errors=errors
            )
        numbers: Numbers = {}
        for suffix, gains in zip(("", REGULARISED), gains_by_bonus, strict=False):
            numbers |= {f"{name}{suffix}": array for name, array in _by_owner(gains, owner).items()}
        for target, name in zip(equilibria, ("", "_eps"), strict=False):
            of_kind = target.reshape(*crowd.shape, levels)[kinds]
            distance = distances(policies, of_kind, far, measured.distribution[kinds])
            numbers[f"distance_to_equilibrium{name}"] = distance
        return Snapshot(measured, env, numbers, measured.efficiency, gains_by_bonus[0])

    evaluation = evaluate(rows, equilibria, sequences[0], errors=errors)
    if not 0 < exploration < 1 or crowd.refusal:
        return evaluation
    bare = crowds.without_exploration(policies_of(crowd, rows), exploration)
    second = evaluate(kernels.choices.cumulative(bare), equilibria[:1], sequences[1])
    without = {f"{name}{PLAIN}": array for name, array in second.numbers.items()}
    return evaluation._replace(numbers=evaluation.numbers | without, efficiency=second.efficiency)


def _evaluate_pooled(
    crowd: Crowd,
    env: object,
    measured: Measured,
    policies: ndarray,  # [owner own bid]
    kinds: ndarray,  # [owner]
    targets: ndarray,  # [target state bid]
    bonuses: tuple[Paid, ...],
    *,
    errors: bool,
) -> list[AgentGains]:
    """Return payoffs and gains in the population that all agents face, once per bonus."""
    evaluations = [
        evaluate_agents(crowd.game, env, put(policies), kinds, put(targets), bonus) for bonus in bonuses
    ]
    error = np.full(len(kinds), np.inf)
    if errors:
        gain = np.asarray(evaluations[0].gain)
        widest = crowds.widest_of(gain, kinds)

        def largest(part: Measured) -> ndarray:
            env_of_part = crowds.environment_of(crowd, part)
            return np.asarray(
                evaluate_agents(crowd.game, env_of_part, put(policies[widest]), kinds[widest]).gain
            )

        error[widest] = crowds.gain_error(crowd, measured, gain[widest], largest, np.bincount(kinds))
    return [
        few_agents.pooled_gains(evaluated.payoff, evaluated.gain, error, evaluated.gaps)
        for evaluated in evaluations
    ]


def policies_of(crowd: Crowd, rows: ndarray) -> ndarray:
    """Return cumulative rows as policies ``[owner private karma bid]``."""
    return kernels.choices.probabilities(rows, crowd.arrays.most)


def _by_owner(gains: AgentGains, owner: ndarray) -> Numbers:
    """Return the numbers of each policy owner by the names of `EXACT` and `FAR`."""
    payoff, gain = gains.payoff, gains.gain
    # one scale for all: an agent's own payoff may be near 0
    scale = abs(float(payoff[owner].mean()))
    numbers = {"agent_payoff": payoff, "exploitability": gain, "relative_exploitability": gain / scale}
    for gap, name in zip(gains.gaps.T, ("", "_eps"), strict=False):
        numbers |= {f"gap_to_equilibrium{name}": gap, f"relative_gap_to_equilibrium{name}": gap / scale}
    return numbers


def kinds_of(crowd: Crowd, owner: ndarray) -> ndarray:
    """Return the type of every policy owner."""
    kinds = np.zeros(int(owner.max()) + 1, dtype=int)
    kinds[owner] = crowd.arrays.type_of
    return kinds


def distances(policies: ndarray, references: ndarray, far: str, distribution: ndarray) -> ndarray:
    """Return policy distances ``[owner]`` by the rule ``far``; ``mu_weighted`` uses ``distribution``."""
    weights = distribution / distribution.sum(axis=(1, 2), keepdims=True)
    return np.asarray(_distance(policies, references, far, weights))


_distance = compiled(policy_distance)


def payoff_estimates(
    crowd: Crowd,
    agents: kernels.economy.Agents,
    rows: ndarray,
    owner: ndarray,
    q: ndarray,  # [owner entry]
    sequence: np.random.SeedSequence,
    steps: int,
    paid: Paid = NOTHING,
) -> ndarray:
    """Return the payoffs that agents' own tables predict, ``[agent]``, by equation (4.4).

    The estimate is the mean of ``sum_b pi_i(b|x) Q_i(x, b)`` over the states x visited in ``steps`` steps.
    Where entropy is ``paid``, the bonus of the visited state is added once, because tables are trained on
    rewards alone.
    """
    policies = policies_of(crowd, rows)
    values = (policies * kernels.choices.unpack(q, crowd.arrays.most)).sum(axis=-1)  # [owner private karma]
    if paid.weight:
        values = values + paid.weight * np.asarray(entropies(put(policies)))
    visits = crowd.simulate_copies(agents, (rows, owner), sequence, 0, steps)[0].each
    return (visits * values[owner]).sum(axis=(1, 2)) / steps


def sample_gains(
    crowd: Crowd,
    sampling: Sampling,
    agents: kernels.economy.Agents,
    rows: ndarray,
    owner: ndarray,
    q: ndarray,  # [owner entry]
    equilibria: ndarray,  # [which state bid]
    sequence: np.random.SeedSequence,
    bonuses: tuple[Paid, ...] = (NOTHING,),
) -> tuple[ndarray, float]:
    """Return sampled gains ``[metric agent]`` in the order of `sampled_names`, and the share of rare entries.

    The first gain is that of the best bid over the agent's own, by its table. The others are the advantage of
    the agent's own policy over an equilibrium's. Values are NaN for agents that are not monitored and for
    missing equilibria. With several bonuses, the same simulation yields the gains with each.
    """
    kernel, count, levels = kernels.economy_monitor, crowd.agents, crowd.shape[2]
    is_alone, sizes = sampling.kind == "alone", step_sizes(sampling.step_size)
    watched = np.array([-1])
    if is_alone:
        watched = np.unique(np.linspace(0, count - 1, min(sampling.agents, count)).round().astype(int))
    # Algorithm 4 samples after the updates, when the agent no longer explores; Algorithm 3 during them
    length = sampling.t_monitor + (sampling.t_monitor - sampling.t_burn if is_alone else 0)
    values = q[owner] if sampling.tables == "learner" else np.zeros((count, q.shape[1]))
    targets = np.zeros((0, crowd.shape[0], q.shape[1]))
    if len(equilibria):
        targets = kernels.choices.cumulative(equilibria.reshape(len(equilibria), *crowd.shape, levels))
    even = np.tri(levels) / np.arange(1.0, levels + 1)[:, None]
    sums, rare = np.full((len(bonuses), len(SAMPLED), count), np.nan), []
    for number, agent in enumerate(watched):
        stream = np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, number))
        members = slice(None) if agent < 0 else [agent]
        followed = policies_of(crowd, rows)[owner[max(agent, 0)]]
        explore = kernels.choices.cumulative((1 - sampling.explore) * followed + sampling.explore * even)
        for into, bonus in zip(sums, bonuses, strict=True):
            copies = kernels.economy.copy_agents(agents, stream)
            rule = kernel.MonitorRule(
                alpha=float(sizes.values[0]),
                power=sizes.power,
                expected=int(sampling.expected),
                double=int(sampling.double),
                alone=int(agent),
                teach_until=sampling.t_monitor,
                sample_from=sampling.t_monitor if is_alone else sampling.t_burn,
                sample_every=sampling.sample_every,
                weight=bonus.weight,
                once=int(bonus.once),
            )
            estimates = kernel.watch(crowd.arrays, copies, rule, values, len(targets))
            kernel.monitor(crowd.arrays, rule, copies, rows, owner, targets, explore, estimates, length)
            check_balance(copies.status)
            if copies.status[0] == kernels.economy.RUNNING:
                into[0, members] = (estimates.greedy_sum / estimates.samples)[members]
                means = estimates.target_sum / estimates.samples
                into[1 : 1 + len(targets), members] = means[:, members]
        rare.append(float(np.mean(estimates.visits[members] < RARELY)))
    return sums.reshape(-1, count), float(np.mean(rare))
