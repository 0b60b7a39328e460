"""Proof files of finite games and of policies, as documents that ``rivalry-check`` verifies exactly.

The claims and their entries are specified in checker/FORMAT.md. Numbers are fractions in text or
doubles in hexadecimal. What is not computed exactly, or in policies with a bound on all errors, has no file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import ExactGame, FiniteGame, SequenceForm, exact_tables
from rivalry.core.exact_payoffs import decimal_of, exact_payoff
from rivalry.core.game import kernel_arrays
from rivalry.core.results import Record
from rivalry.core.tolerances import EPS
from rivalry.proofs.document import VERSION, Document, write
from rivalry.tables.dominance import eliminations
from rivalry.tables.exact import pure_equilibria
from rivalry.tables.exact_profiles import exact_gains
from rivalry.tables.extreme_equilibria import (
    budget_of_dominance,
    extreme_equilibria,
    payoff_fractions,
    whole_payoffs,
)
from rivalry.tables.greedy_play import mix_exploration, slots_of, states
from rivalry.tables.history import whole_states
from rivalry.tables.policy_response import policy_table
from rivalry.tables.repeated import RepeatedWorld
from rivalry.tables.response_gaps import response_values
from rivalry.tables.sequence_form import information_sets, move_values

MOST_NUMBERS = 20_000_000  # in a document: about 200 MB


ROUNDINGS = 64  # more than rounding errors, in units of the last place, of a step of a policy's values


@dataclass(frozen=True)
class ExactProof:
    """Exact proof of a method's result in a finite game, or of learned policies.

    Attributes
    ----------
    game
        The game.
    world
        What a learner of policies built from it (`rivalry.tables.repeated_form`).
    record
        The method's results.
    """

    game: Any
    world: Any
    record: Record

    @property
    def claim(self) -> str:
        """Claim of the file; empty for a result without an exact proof."""
        record = self.record
        marks = {
            "correlated_equilibrium": {"exact_distribution", "exact_multipliers"},
            "commitment": {"exact_profile", "exact_multipliers", "commitment"},
            "value": {"exact_profile", "exact_bound", "game_value"},
            "policy": {"policy", "discount", "cycle_length"},
        }
        claim = next((claim for claim, names in marks.items() if names <= set(record)), "")
        return "equilibria" if "action" in record.get("equilibria", ((), None))[0] else claim

    def document(self) -> Document:
        """Content of the proof file. Raises `ValueError` for a result without an exact proof."""
        match self.claim:
            case "correlated_equilibrium":
                return correlated_proof(_tables(self.game), self.record)
            case "commitment":
                return commitment_proof(_tables(self.game), self.record)
            case "value":
                exact = _fractions(self.record, "exact_profile")
                return value_proof(oracles.to_sequence_form(self.game), exact)
            case "equilibria":
                return equilibria_proof(_tables(self.game), self.record)
            case "policy":
                _refuse_rounded(self.game)
                return sessions_proof(self.world.tables, self.record)
        if "pattern_count" in self.record:
            reason = "a file has no reason for sets of equilibria"
            raise ValueError(f"proof: listed exactly, in fractions; no proof file: {reason}")
        raise ValueError("proof: of this result there is no proof in exact arithmetic")

    def save(self, file: str | Path) -> None:
        """Write a proof file. Raises `ValueError` for a result without an exact proof."""
        write(self.document(), file)


def _refuse_rounded(game: object) -> None:
    """Raise `ValueError` for a game whose learners see other payoffs than were given."""
    if oracles.to_finite.knows(game) and isinstance(oracles.to_finite(game), ExactGame):
        raise ValueError("proof: learners see payoffs rounded to doubles; of those given there is no file")


def _tables(game: object) -> ndarray:
    return exact_tables(kernel_arrays(game))


def _fractions(record: Record, name: str) -> ndarray:
    """Return an entry of fractions in text as such."""
    return np.asarray(np.vectorize(Fraction, otypes=[object])(record[name][1]))


def _text(array: ndarray) -> Any:
    """Return fractions as nested lists of text, doubles in hexadecimal."""
    flat = [v.hex() if isinstance(v, float) else str(v) for v in array.ravel().tolist()]
    return np.array(flat, object).reshape(array.shape).tolist()


def _game_document(kind: str, claim: str, tables: ndarray, **entries: Any) -> Document:
    """Return a document of a game, ``tables [player action_0 ..]``."""
    game = {"actions": list(tables.shape[1:]), "payoffs": _text(tables.reshape(len(tables), -1))}
    return {"format": "rivalry-proof", "version": VERSION, "kind": kind, "claim": claim, **game, **entries}


def equilibria_proof(tables: ndarray, record: Record) -> Document:
    """Return the proof that a list of two players' extreme equilibria, or of pure ones, is complete."""
    read = np.array([payoff_fractions(table) for table in tables])
    if len(tables) == 2 and bool(record["complete"][1]):
        dominated, equilibria = _dominated(tables), []
        for first, second in extreme_equilibria(tables).profiles:
            equilibria.append([_text(np.array(first)), _text(np.array(second))])
        return _game_document(
            "finite", "extreme_equilibria", read, dominated=dominated, equilibria=equilibria
        )
    if np.any((record["equilibria"][1] > 0).sum(axis=2) > 1):
        obstacle = "a list that is not complete" if len(tables) == 2 else "mixed equilibria of three players"
        raise ValueError(f"proof: {obstacle} cannot be exported; pure equilibria can (PureEquilibria)")
    return pure_proof(tables)


def _dominated(tables: ndarray) -> list[list[Any]]:
    """Strictly dominated actions of two players, in turn, each with an action or a mixture that pays more."""
    eliminated = eliminations([whole_payoffs(table) for table in tables], budget=budget_of_dominance(tables))
    return [[player, action, _mixture(w, tables.shape[1 + player])] for player, action, w in eliminated]


def _mixture(weights: dict[int, int], size: int) -> int | list[str]:
    """The only action of a mixture, or the probabilities of all actions."""
    if len(weights) == 1:
        return next(iter(weights))
    total = sum(weights.values())
    return [str(Fraction(weights.get(action, 0), total)) for action in range(size)]


def pure_proof(tables: ndarray) -> Document:
    """Return the proof of all pure equilibria: the payoffs, of which every joint action can be checked.

    Raises `ValueError` where payoffs are so near each other that `rivalry.methods.PureEquilibria`, which
    allows for rounding, finds others.
    """
    read = np.array([payoff_fractions(table) for table in tables])
    best_responses = [table == table.max(axis=player, keepdims=True) for player, table in enumerate(read)]
    is_equilibrium = np.logical_and.reduce(best_responses).astype(bool)
    if not np.array_equal(is_equilibrium, pure_equilibria(tables)):
        raise ValueError("proof: payoffs that differ by rounding alone are no ties in exact arithmetic")
    return _game_document("finite", "pure_equilibria", read, equilibria=np.argwhere(is_equilibrium).tolist())


def save_profile(tables: ndarray, profile: Sequence[Sequence[Fraction]], file: Path) -> None:
    """Write the proof of what every player gains at a mixed profile by its best action, exactly."""
    read = np.array([payoff_fractions(table) for table in tables])
    gains = [str(gain) for gain in exact_gains(read, profile)]
    strategies = [[str(p) for p in table] for table in profile]
    write(_game_document("finite", "profile", read, strategies=strategies, gain=gains), file)


def correlated_proof(tables: ndarray, record: Record) -> Document:
    """Return the proof of the correlated equilibrium of highest welfare, by the dual programme."""
    _refuse_missed(record, "the fractions miss an incentive")
    return _game_document(
        "finite",
        "correlated_equilibrium",
        np.vectorize(exact_payoff, otypes=[object])(tables),
        distribution=record["exact_distribution"][1].tolist(),
        multipliers=record["exact_multipliers"][1].tolist(),
        bound=record["exact_bound"][1].tolist(),
    )


def commitment_proof(tables: ndarray, record: Record) -> Document:
    """Return the proof of the best commitment to a mixed strategy, by the dual programmes.

    With payoffs ``u`` of the leader and ``v`` of the follower, it has factors ``m >= 0`` for every action
    ``a`` of the follower with ``u(i, a) + sum_k m_k (v(i, a) - v(i, k)) <= bound`` at every action ``i`` of
    the leader. Where ``a`` is a best response to a commitment the mean sum is at least 0, so the leader is
    paid at most the bound.
    """
    _refuse_missed(record, "the follower's action misses a best response")
    read = np.vectorize(exact_payoff, otypes=[object])(tables)
    profile, value = _fractions(record, "exact_profile"), Fraction(str(record["exact_bound"][1][0]))
    sizes = tables.shape[1:]
    x, y = (profile[player, :size] for player, size in enumerate(sizes))
    paid = [x @ table @ y for table in read]
    multipliers = _fractions(record, "exact_multipliers")
    # the follower's strategy is pure; where both are, the value says who leads
    may_lead = [
        paid[k] == value and max(profile[1 - k]) == 1 and len(multipliers) == sizes[1 - k] for k in (0, 1)
    ]
    leader = may_lead.index(True)
    leader_payoffs = np.moveaxis(read[leader], leader, 0)  # [leader's action, follower's action]
    follower_payoffs = np.moveaxis(read[1 - leader], leader, 0)
    factors = list[str]()
    for action, row in enumerate(multipliers):
        sums = (follower_payoffs[:, [action]] - follower_payoffs) @ row  # [leader's action]
        scale = Fraction(1)
        if max(sums) < 0:  # never a best response: no multiple of the factors is too large
            scale = max(scale, *((leader_payoffs[:, action] - value) / -sums))
        factors += [str(scale * factor) for k, factor in enumerate(row) if k != action]
    return _game_document(
        "finite",
        "commitment",
        read,
        leader=leader,
        distribution=_text(np.outer(x, y).ravel()),
        multipliers=factors,
        bound=record["exact_bound"][1].tolist(),
    )


def _refuse_missed(record: Record, words: str) -> None:
    if missed := float(record["concept_residual"][1]):
        raise ValueError(f"proof: {words} by {missed:.2g}; no exact solution is known")


def value_proof(form: SequenceForm, profile: ndarray) -> Document:
    """Return the proof of bounds on a zero-sum game's value, by strategies ``[player axis]`` as fractions.

    The value is at most what the first player gets by a best response, and at least the first's payoff where
    the second responds best. The second's payoffs are those of the first, negated.
    """
    zero_sum = form._replace(paid=form.paid[:, :1] * [1, -1])
    responses = [move_values(zero_sum, profile, player)[0] for player in (0, 1)]
    paid = [exact_payoff(p) / Fraction(form.unit) for p in form.paid[:, 0].tolist()]
    sets, strategies = [], []
    for before, strategy, sizes in zip(form.before, profile, form.sizes, strict=True):
        player_sets = list(information_sets(sizes))
        sets.append([[int(before[axes.start]), axes.stop - axes.start] for axes in player_sets])
        strategies.append([_text(strategy[axes]) for axes in player_sets])
    return {
        "format": "rivalry-proof",
        "version": VERSION,
        "kind": "finite",
        "claim": "value",
        "sets": sets,
        "leaves": [[*moves, str(p)] for moves, p in zip(form.moves.tolist(), paid, strict=True)],
        "strategies": strategies,
        "bound": [str(-responses[1]), str(responses[0])],
    }


def policy_proof(
    world: RepeatedWorld, gamma: ndarray, strategy: ndarray | Callable[[ndarray], Any]
) -> Document:
    """Return the proof of what players gain by other policies than a given one.

    Policies are those of `rivalry.tables.policy_certificate`. The gain is the largest from any state, as a
    payment per period.
    """
    _refuse_rounded(world.game)
    form = _Histories(world.tables)
    policy = mix_exploration(world.tables, policy_table(world, strategy))
    return form.document(gamma, policy[None], lambda *_: np.arange(form.size))


def save_policy(
    world: RepeatedWorld, gamma: ndarray, strategy: ndarray | Callable[[ndarray], Any], file: Path
) -> None:
    """Write the proof of a policy to a file; see `policy_proof`."""
    write(policy_proof(world, gamma, strategy), file)


def sessions_proof(tables: FiniteGame, record: Record) -> Document:
    """Return the proof of what players gain by other policies than learned ones, in all sessions.

    The gain is the largest from any state of the cycle in which greedy play ended, as a payment per period.
    Where several cycles of a session pay the same and are equally long, all of them count.
    """
    form, gamma = _Histories(tables), record["discount"][1]
    policies = record["policy"][1].astype(np.int64)
    if 3 * policies.shape[0] * len(gamma) * form.size > MOST_NUMBERS:
        raise ValueError(
            f"proof: {form.size} states of {len(policies)} sessions are more than a file may hold"
        )
    ends, lengths = record["end_payoff"][1], record["cycle_length"][1]
    return form.document(gamma, policies, lambda k, rows: form.cycle(rows, ends[k], int(lengths[k])))


class _Outcome(NamedTuple):
    """A possible outcome of a round, after every history: its probability and the actions that stand."""

    probability: ndarray  # [history]
    actions: ndarray  # [player history]


def _refuse_without_file(tables: FiniteGame, slots: list[list[tuple[int, int]]]) -> None:
    """Raise ``ValueError`` for a repeated game of a kind that proof files cannot state."""
    sources = [source for source, _ in chain(*slots)]
    obstacles = {
        "payoffs are in no joint table": not tables.payoff.size,
        "players move on a grid": bool(tables.action_map.size),
        "nature moves": len(tables.payoff) > 1,
        "players observe a signal": max(sources, default=0) >= len(tables.sizes),
    }
    for words, holds in obstacles.items():
        if holds:
            raise ValueError(f"proof: {words}; of such games there is no file")


class _Histories:
    """States of repeated play: a round of the order, and a history of all joint actions that are remembered.

    A state has the number ``round * history_count + history``. A history is a number whose digits, to the
    base ``joint_count``, are joint actions, the most recent one last.
    """

    def __init__(self, tables: FiniteGame) -> None:
        self.tables = tables
        self.slots = slots_of(tables)
        _refuse_without_file(tables, self.slots)
        self.payoff = tables.payoff[0]
        self.sizes = tables.sizes.tolist()
        self.joint_count = int(np.prod(self.sizes))
        lags = [lag for _, lag in chain(*self.slots)]
        self.memory = max([1, *lags])
        self.history_count = self.joint_count**self.memory
        self.rounds = [row[row >= 0].tolist() for row in tables.order]
        self.size = len(self.rounds) * self.history_count
        if self.size * self.joint_count > MOST_NUMBERS:
            raise ValueError(f"proof: {self.size} states with {self.joint_count} joint actions are too many")
        history = np.arange(self.history_count)
        self.past = []  # [rounds ago, from 0][player history]: actions
        for lag in range(self.memory):
            joint = history // self.joint_count**lag % self.joint_count
            self.past.append(np.array(np.unravel_index(joint, self.sizes)))
        recent = np.stack(self.past, axis=1).T  # [history lag player]
        rounds = np.arange(len(self.rounds))[:, None]
        # [state]: its number among the full states, by which values of policies are found
        self.full_state = whole_states(tables).number(recent, rounds).ravel()

    def _outcomes(self, policies: list[ndarray], round_: int) -> list[_Outcome]:
        """Return every outcome of a round in which all movers follow their policies.

        Players move in turn, and each sees the actions before its own. A policy is an action
        ``[observation]`` or probabilities ``[observation action]``.
        """
        outcomes = [_Outcome(np.ones(self.history_count), self.past[0])]
        for mover in self.rounds[round_]:
            outcomes_after = []
            for probability, actions in outcomes:
                for share, action in self._moves(policies[mover], mover, actions):
                    after = actions.copy()
                    after[mover] = action
                    outcomes_after.append(_Outcome(probability * share, after))
            outcomes = outcomes_after
        return outcomes

    def _moves(self, policy: ndarray, mover: int, actions: ndarray) -> list[tuple[Any, Any]]:
        """Return the probability of each move and the action, both numbers or ``[history]``."""
        observation = np.zeros(self.history_count, int)
        for source, lag in self.slots[mover]:
            joint = self.past[lag - 1] if lag else actions
            observation = observation * self.sizes[source] + joint[source]
        if policy.ndim == 1:
            return [(1.0, policy[observation])]
        return [(policy[observation, action], action) for action in range(self.sizes[mover])]

    def _joint_and_next(self, round_: int, actions: ndarray) -> tuple[ndarray, ndarray]:
        """Return joint actions and the states after them, ``[history]``."""
        joint = np.ravel_multi_index(tuple(actions), self.sizes)
        after = (np.arange(self.history_count) * self.joint_count + joint) % self.history_count
        return joint, (round_ + 1) % len(self.rounds) * self.history_count + after

    def _round_value(
        self, policies: list[ndarray], round_: int, player: int, rate: float, values: ndarray
    ) -> ndarray:
        """Return the payoff of a round plus the discounted ``values [state]`` that follow, ``[history]``."""
        total = np.zeros(self.history_count)
        for probability, actions in self._outcomes(policies, round_):
            joint, next_state = self._joint_and_next(round_, actions)
            total += probability * (self.payoff[player, joint] + rate * values[next_state])
        return total

    def _best_round_value(
        self, policies: list[ndarray], round_: int, player: int, rate: float, values: ndarray
    ) -> ndarray:
        """Return `_round_value` of the player's best action in the round, ``[history]``."""
        if player not in self.rounds[round_]:
            return self._round_value(policies, round_, player, rate, values)
        action_values = []
        for action in range(self.sizes[player]):
            deviation = list(policies)
            deviation[player] = np.full(len(policies[player]), action)
            action_values.append(self._round_value(deviation, round_, player, rate, values))
        return np.asarray(np.max(action_values, axis=0))

    def cycle(self, policies: list[ndarray], payoff: ndarray, length: int) -> ndarray:
        """Return the states of cycles of actions with this mean payoff and length."""
        pairs = []
        for round_ in range(len(self.rounds)):
            ((_, actions),) = self._outcomes(policies, round_)  # greedy play has one outcome
            pairs.append(self._joint_and_next(round_, actions))
        joint, next_states = (np.concatenate(part) for part in zip(*pairs, strict=True))
        state, total = np.arange(self.size), np.zeros((len(self.sizes), self.size))
        turns = length * len(self.rounds)
        for _ in range(turns):
            total += self.payoff[:, joint[state]]
            state = next_states[state]
        matches = np.all(np.isclose(total.T / turns, payoff, rtol=1e-9, atol=1e-12), axis=1)
        cycle_states = np.flatnonzero((state == np.arange(self.size)) & matches)
        if not cycle_states.size:
            raise ValueError("proof: the cycle of a session is not that of its policies")
        return cycle_states

    def _gain_bounds(
        self,
        policies: list[ndarray],
        player: int,
        rate: float,
        policy_value: ndarray,  # [state]
        best_value: ndarray,  # [state]
        start: ndarray,
    ) -> list[float]:
        """Return two bounds on a player's largest gain per period from the states ``start``.

        With ``V`` the value of the policies, ``B`` that of a best response and ``d`` the discount factor
        ``rate``, the gain is the largest ``(1 - d) (B - V)``. Let ``T v`` be the payoff of one round by the
        policies plus ``d`` times ``v`` at the next state. It is monotone and contracts by ``d``, so for any
        ``v`` the difference ``(1 - d) (V - v)`` is between the smallest and the largest entry of ``T v - v``;
        so it is for ``B``, with the best action in place of the policies. The two values given are such
        ``v``.
        """
        rounds = range(len(self.rounds))
        own_backup = [self._round_value(policies, r, player, rate, policy_value) for r in rounds]
        best_backup = [self._best_round_value(policies, r, player, rate, best_value) for r in rounds]
        own_change = np.concatenate(own_backup) - policy_value
        best_change = np.concatenate(best_backup) - best_value
        gain = (1 - rate) * (best_value - policy_value)[start].max()
        size = max(np.abs(policy_value).max(), np.abs(best_value).max())
        slack = ROUNDINGS * EPS * size * (self.memory + len(self.sizes))
        low = gain + best_change.min() - own_change.max() - slack
        high = gain + best_change.max() - own_change.min() + slack
        # following the policies gains nothing: no best response gains less
        return [max(low, 0.0), high]

    def _without_padding(self, policies: ndarray) -> list[ndarray]:
        """Return the policies of all players, each with its own observations and actions alone."""
        rows = []
        for policy, observations, actions in zip(
            policies, states(self.tables).tolist(), self.sizes, strict=True
        ):
            row = policy[:observations]
            rows.append(row if row.ndim == 1 else row[:, :actions])
        return rows

    def document(
        self,
        gamma: ndarray,
        policies: ndarray,  # [session player observation], or with probabilities [.. action]
        start_states: Callable[[int, list[ndarray]], ndarray],
    ) -> Document:
        """Return the document of all sessions; gains count from the states that ``start_states`` names."""
        rates = gamma.tolist()
        values = [response_values(self.tables, policies, k, rate) for k, rate in enumerate(rates)]
        sessions, bounds = [], []
        for session, padded in enumerate(policies):
            rows = self._without_padding(padded)
            policy_value = [value.own[session, self.full_state] for value in values]  # [player][state]
            best_value = [value.best[session, self.full_state] for value in values]
            start = start_states(session, rows)
            bounds.append(
                [
                    self._gain_bounds(rows, k, rate, policy_value[k], best_value[k], start)
                    for k, rate in enumerate(rates)
                ]
            )
            sessions.append(
                {
                    "policies": [row.tolist() if row.ndim == 1 else list(map(_exact, row)) for row in rows],
                    "own": _text(np.array(policy_value)),
                    "best": _text(np.array(best_value)),
                    "states": start.tolist(),
                }
            )
        return _game_document(
            "policy",
            "policy",
            self.payoff.reshape(-1, *self.sizes),
            rounds=self.rounds,
            observes=self.slots,
            memory=self.memory,
            discount=[str(decimal_of(rate) or Fraction(rate)) for rate in rates],
            sessions=sessions,
            gain=_text(np.max(bounds, axis=0)),
        )


def _exact(probabilities: ndarray) -> int | list[str]:
    """Return an action, or probabilities as fractions that sum to one: the largest takes up rounding."""
    if probabilities.max() == 1.0:
        return int(probabilities.argmax())
    fractions = [Fraction(p) for p in probabilities.tolist()]
    fractions[int(probabilities.argmax())] += 1 - sum(fractions)
    return [str(p) for p in fractions]
