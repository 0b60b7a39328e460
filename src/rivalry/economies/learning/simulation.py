"""Simulation of finitely many agents with fixed policies, or with rules that use no karma."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy import ndarray

from rivalry.core.files import json_of, read_text
from rivalry.core.foreign_tables import read_table
from rivalry.core.method import Session
from rivalry.core.needs import Need
from rivalry.core.oracles import named_start
from rivalry.core.results import Record, scalar
from rivalry.economies import kernels
from rivalry.economies.learning import crowds
from rivalry.economies.learning.crowds import PLAYED_BY_AGENTS, Crowd, Measured
from rivalry.economies.learning.few_agents import evaluate_few_agents, has_few_agents, pooled_gains
from rivalry.economies.learning.sessions import SUMS, FixedPolicies, parts
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.populations.response import SHARPNESS, inverse_temperature
from rivalry.methods.q_learning.exploration import check_numbers
from rivalry.population.certificate import evaluate_in
from rivalry.runtime.jax import floats, put


class Simulation(FixedPolicies):
    """Simulation of an economy's agents with fixed policies, without learning.

    ``plays`` is the policy of all agents: ``equilibrium``, the logit equilibrium at ``beta`` and
    ``exploration``; ``uniform``, ``zero`` or ``all_in``; an array ``[type private karma bid]``, for one type
    also ``[private karma bid]``, whose rows of bids may end at the karma held; or a ``.json`` or ``.npy``
    file of such an array. Three rules use no karma and give the resource at random (``coin``), to the agent
    with the higher urgency (``stake``) or to the agent with fewer wins (``turn``). Where agents see signals
    of their peers, a policy may have a signal axis after the private states; the record joins the two axes
    into one.

    The first ``warm_up`` steps are not counted. The record has ``efficiency``, the mean reward per agent and
    step; ``reward_fairness`` and ``access_fairness``, minus the standard deviations over agents of rewards
    and wins per step; ``agent_reward``, ``agent_wins``; ``karma_distribution``, ``bid_distribution``. For
    policies it also has, by type, ``payoff`` and ``exploitability``, the largest unilateral gain of one
    agent; the certificate; and ``stationary_efficiency``, the mean reward that the payoffs imply, with a
    warning where it differs from the measured one by more than noise. ``policy`` (player, private, karma,
    bid) is the policy.

    For two agents gains are exact, because an agent's karma determines its rival's. Where urgencies are not
    drawn independently in every step, the rival's urgency is hidden, and gains are ``bounded`` by that of an
    agent that observes it. For up to 20 agents a deviation is computed in further steps that try
    every bid, and played: its mean gain is a lower bound, apart from the noise in its interval, since another
    deviation may gain more. For more agents, and
    where urgencies depend on the outcome, gains are computed in the measured population, with rivals' bids
    independent of the agent's own karma, weighted by the states that agents visited. Gains tend to 0 as the
    number of agents grows if the policy is an equilibrium of the population.

    Raises
    ------
    ValueError
        For parameters out of range, and for an array or file that is not a policy of the game.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), 2.4 and 2.6 to 2.8.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.karma(agents=20), Simulation(plays="stake", evaluation=2000))
    >>> abs(float(solution.data.efficiency) + 1) < 0.05
    True
    """

    plays: Annotated[
        Any, "equilibrium, uniform, zero, all_in; coin, stake, turn; or a policy: numbers, or a file of these"
    ] = "equilibrium"
    beta: Annotated[
        float | None,
        Gt(0),
        "inverse temperature of the equilibrium (default: 5000 over the payoff of a period)",
    ] = None
    exploration: Annotated[float, Ge(0), Le(1), "share of uniformly random bids in the equilibrium"] = 0.0

    policies: ClassVar[tuple[str, ...]] = ("equilibrium", "uniform", "zero", "all_in")
    endings: ClassVar[tuple[str, ...]] = (".json", ".npy")
    needs: ClassVar[tuple[Need, ...]] = (PLAYED_BY_AGENTS,)

    def __check_init__(self) -> None:
        if self.beta is not None:
            check_numbers("beta", self.beta, "above 0 and finite", lambda v: v > 0)

    def world(self, game: object) -> Crowd:
        """Return the game with its agents, which follow the rule that is played."""
        return self._under_rule(crowds.crowd_of(game))

    def check_world(self, world: Crowd) -> None:
        """Raise `ValueError` for an invalid policy; the equilibrium is not computed."""
        if self.bids and isinstance(self.plays, str) and self.plays == "equilibrium":
            self._refuse_unknown(world)
        elif self.bids:
            self._policy(world)

    def begin(self, world: Crowd, stream: np.random.SeedSequence) -> Session:
        """Return the initial agents and the policy. Raises `ValueError` for an invalid policy."""
        policy, residual = self._policy(world) if self.bids else (np.zeros((0, 0)), np.inf)
        session = self._session(world, stream, by_agent=False)
        return session | {"policy_of_all": policy, "policy_residual": np.array(residual)}

    def _followed(self, world: Crowd, session: Session) -> tuple[ndarray, ...]:
        _, private, levels = world.shape
        rows = session["policy_of_all"]  # of length 0 for rules without karma, which read none
        if self.bids:
            rows = kernels.choices.cumulative(rows.reshape(-1, private, levels, levels))
        return rows, world.arrays.type_of

    def read(self, world: Crowd, session: Session) -> Record:
        """Return the record of the steps so far."""
        sums, kinds = parts(kernels.economy.EconomyTallies, session, SUMS), world.arrays.type_of
        steps = int(session["clock"][0]) - self.warm_up
        status = "completed" if steps >= self.evaluation else "iteration limit"
        record: Record = {"status": scalar(status), "agent_type": (("agent",), np.array(kinds))}
        if steps <= 0:
            return record
        shape = (*world.shape, world.shape[2])
        policy = session["policy_of_all"].reshape(shape) if self.bids else np.zeros(shape)
        measured = crowds.mean_tallies(world, sums, session["batches"], policy, steps)
        record |= measured.record(world)
        if not self.bids:
            return record
        record["bid_distribution"] = (("bid",), sums.bids / sums.bids.sum())
        record["policy"] = (("player", "private", "karma", "bid"), policy)
        if isinstance(self.plays, str) and self.plays == "equilibrium":
            # of the continuum: gains of finitely many agents say how far that is from their equilibrium
            record["concept"] = scalar(f"mean-field logit at beta {self._beta(world):.6g}")
            record["concept_residual"] = scalar(float(session["policy_residual"]))
        record |= crowds.views(world)
        return (_gains(world, measured, world.state(session), steps) if not world.refusal else {}) | record

    def _beta(self, world: Crowd) -> float:
        """Inverse temperature of the equilibrium."""
        return float(inverse_temperature(world.game, self.beta, SHARPNESS))

    def _refuse_unknown(self, world: Crowd) -> None:
        if world.refusal:
            raise ValueError(f"plays: 'equilibrium' is not known: {world.refusal}")

    def _policy(self, world: Crowd) -> tuple[ndarray, float]:
        """Return the policy of all agents, ``[state bid]``, and the residual of an equilibrium.

        A policy without signals is repeated for every signal; of other policies the residual is infinite.
        """
        game, source = world.game, self.plays
        if isinstance(source, str) and source == "equilibrium":
            self._refuse_unknown(world)
            beta = self._beta(world)
            policy, _, residual = equilibrium(game, beta, self.exploration)
            if not residual <= ENOUGH:
                reason = f"the equilibrium at beta = {beta:g} was not found (residual {residual:.1e})"
                raise ValueError(f"plays: {reason}; give another beta, or a policy")
            return policy, residual
        return self._fixed_policy(world), np.inf

    def _fixed_policy(self, world: Crowd) -> ndarray:
        """Return a policy that is not computed, ``[state bid]``."""
        game, source = world.game, self.plays
        if isinstance(source, str) and source in self.policies:
            return _repeat_for_signals(world, np.asarray(named_start(game, source)))
        if isinstance(source, str):
            is_array = Path(source).suffix == ".npy"
            source = read_table(source) if is_array else json_of(read_text(source), source)
        numbers = _pad_rows(source, world.shape[2])
        if world.signals == 1 or numbers.size != np.prod(world.shape) * world.shape[2]:
            return _repeat_for_signals(world, np.asarray(game.space.check(numbers, "policy")))
        types, _, levels = world.shape
        shaped = numbers.reshape(types, -1, world.signals, levels, levels)
        parts = [game.space.check(shaped[:, :, signal], "policy") for signal in range(world.signals)]
        stacked = np.stack([np.asarray(part).reshape(types, -1, levels, levels) for part in parts], axis=2)
        return stacked.reshape(-1, levels)


def _repeat_for_signals(world: Crowd, policy: ndarray) -> ndarray:
    """Return a policy ``[state bid]`` repeated for every signal."""
    types, _, levels = world.shape
    shaped = policy.reshape(types, -1, 1, levels, levels)
    return np.repeat(shaped, world.signals, axis=2).reshape(-1, levels)


def _gains(world: Crowd, measured: Measured, agents: kernels.economy.Agents, steps: int) -> Record:
    """Return payoffs of the policy and unilateral gains."""
    env, (types, _, levels) = crowds.environment_of(world, measured), world.shape
    policy = measured.policy.reshape(types, -1, levels)
    if has_few_agents(world):
        rows, no_targets = (
            kernels.choices.cumulative(measured.policy),
            np.zeros((0, policy[..., 0].size, levels)),
        )
        # the agents' own stream as seed: trials depend on the run, and `read` draws nothing from it
        sequence, owner = np.random.SeedSequence(agents.stream.tolist()), world.arrays.type_of
        (gains,) = evaluate_few_agents(
            *(world, env, agents, rows, policy, owner, np.arange(types), no_targets, sequence, steps),
            measured.reward,
        )
    else:
        pi = put(policy.reshape(-1, levels))

        def pooled(measured: Measured) -> tuple[ndarray, ndarray]:
            """Return payoffs and gains ``[type]``."""
            population = crowds.measured_population(crowds.environment_of(world, measured), measured)
            evaluation = evaluate_in(world.game, population, pi)
            values = evaluation.values, evaluation.best
            weights = measured.distribution.reshape(types, -1)
            weights = weights / weights.sum(axis=1, keepdims=True)
            payoff, top = ((weights * np.asarray(v).reshape(weights.shape)).sum(axis=1) for v in values)
            return payoff, np.maximum(top - payoff, 0.0)

        payoff, gain = pooled(measured)
        error = crowds.gain_error(world, measured, gain, lambda part: pooled(part)[1], np.ones(types))
        gains = pooled_gains(payoff, gain, error, np.zeros((types, 0)))
    return crowds.measures_of(world, env, measured) | {
        "exploitability": (("player",), gains.gain),
        "relative_exploitability": (("player",), gains.gain / np.abs(gains.payoff)),
        **crowds.gains_record(world, env, measured, gains),
    }


def _pad_rows(numbers: object, levels: int) -> ndarray:
    """Return a policy whose rows may end at the karma held as an array padded with zeros."""
    if isinstance(numbers, list | tuple):
        if numbers and all(isinstance(x, int | float) for x in numbers):
            row = np.zeros(max(levels, len(numbers)))
            row[: len(numbers)] = numbers
            return row
        parts = [_pad_rows(part, levels) for part in numbers]
        if len({part.shape for part in parts}) == 1:
            return np.stack(parts)
        raise ValueError("plays: rows of a policy must be lists of numbers, one a bid")
    return floats(numbers)
