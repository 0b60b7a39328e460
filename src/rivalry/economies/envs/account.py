"""Ledger of karma for simulators that decide themselves who meets whom."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import files
from rivalry.core.game import BrokenInvariant
from rivalry.core.oracles import named_start, to_agents
from rivalry.core.results import Record
from rivalry.economies.karma.model import KarmaEconomy
from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.economy import Agents, fresh, settle
from rivalry.economies.kernels.shapes import Economy
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.populations.response import SHARPNESS, inverse_temperature
from rivalry.schema.registry import near
from rivalry.schema.validate import whole_number
from rivalry.tables.kernels import draws

KIND = "karma_account"
Name = Hashable


class AccountContest(NamedTuple):
    """Bids and payments of a contest, by agent, and who was served; without scarcity there are no bids."""

    served: list[Any]
    bids: dict[Any, int]
    payments: dict[Any, int]


class KarmaAccount:
    """A live ledger of integer karma for an outside simulator; created by `karma_account`.

    Attributes
    ----------
    last : AccountContest
        Bids and payments of the last contest.
    """

    def __init__(self, economy: Economy, rows: ndarray, names: Sequence[Name], now: Agents) -> None:
        self._economy, self._rows, self._now = economy, rows, now
        self._names, self._number = tuple(names), {name: k for k, name in enumerate(names)}
        self._costs = np.zeros(len(names))
        self.last = AccountContest([], {}, {})

    @property
    def balances(self) -> dict[Any, int]:
        """Karma of every agent."""
        return dict(zip(self._names, self._now.karma.tolist(), strict=True))

    @property
    def urgencies(self) -> dict[Any, float]:
        """Present urgency of every agent."""
        present = self._economy.stakes[self._economy.type_of, self._now.private]
        return dict(zip(self._names, present.tolist(), strict=True))

    @property
    def costs(self) -> dict[Any, float]:
        """Sum of what every agent lost in the contests in which it was not served, by default its urgency."""
        return dict(zip(self._names, self._costs.tolist(), strict=True))

    @property
    def surplus(self) -> int:
        """Karma that awaits redistribution."""
        return int(self._now.pool[0])

    def set_urgency(self, agent: Name, urgency: float) -> None:
        """Set an agent's urgency, one of its type's, until the next step.

        Raises `ValueError` where not exactly one private state of the agent's type has this urgency.
        """
        (member,) = self._members([agent])
        of_type = self._economy.stakes[self._economy.type_of[member]]
        matching = np.flatnonzero(of_type == urgency)
        if len(matching) != 1:
            rule = f"must be one of {of_type.tolist()}, of one private state"
            raise ValueError(f"urgency: {urgency!r} of agent {agent!r} {rule}")
        self._now.private[member] = matching[0]

    def contest(self, participants: Iterable[Name], capacity: int = 1) -> list[Any]:
        """Serve the highest bidders and collect their payments.

        Every participant draws a bid from the policy at its urgency and karma. The ``capacity`` highest bids
        are served; the economy's rule decides between equal ones (with ``tie="nobody"`` no bid equal to the
        highest refused one is served). A served agent pays what the economy's rule charges for its bid
        against the highest refused bid. Where capacity suffices for all, nobody bids or pays.

        Parameters
        ----------
        participants : iterable
            Names of different agents.
        capacity : int
            Number of agents that can be served, from 0.

        Returns
        -------
        list
            Names of those served, in the order of ``participants``.

        Raises
        ------
        ValueError
            For unknown or repeated names, and where payments go to the loser but more than two participate.
        """
        names = list(participants)
        members, places = self._members(names), whole_number("capacity", capacity, 0)
        if places >= len(members):
            self._now.wins[members] += 1
            self.last = AccountContest(names, {}, {})
            return list(names)
        if self._economy.receiver == shapes.PEER and places and len(members) != 2:
            remedy = "the winner pays the loser (payment = 'PBP'); use payment = 'PBS'"
            raise ValueError(f"participants: {len(members)} must be two: {remedy}")
        bids, is_served = self._award(members, places)
        paid = self._collect(members, bids, is_served)
        self._now.wins[members[is_served]] += 1
        refused = members[~is_served]
        lost, won = shapes.rewards_of(self._economy)
        self._costs[refused] += (won - lost)[self._economy.type_of[refused], self._now.private[refused]]
        served = [name for name, admitted in zip(names, is_served, strict=True) if admitted]
        by_name = (dict(zip(names, amounts.tolist(), strict=True)) for amounts in (bids, paid))
        self.last = AccountContest(served, *by_name)
        return list(served)

    def advance(self) -> None:
        """End a step of the economy: tax, redistribution of the surplus, and the agents' next urgencies."""
        settle(self._economy, self._now)
        if self._now.status[0]:
            raise BrokenInvariant(f"karma is not conserved at step {int(self._now.status[1])}")

    def save(self, path: str | Path) -> None:
        """Store rules, policy, balances and random numbers in a file, for `resume_karma_account`."""
        arrays: dict[str, Any] = {f"economy {name}": part for name, part in self._economy._asdict().items()}
        arrays |= {f"agents {name}": part for name, part in self._now._asdict().items()}
        arrays |= {"policy": self._rows, "costs": self._costs}
        record: Record = {}
        for name, part in arrays.items():
            dimensions = tuple(f"{name} {k}" for k in range(np.ndim(part)))
            record[name] = dimensions, np.asarray(part)
        files.write(Path(path), files.pack(record, kind=KIND, names=list(self._names)))

    def _members(self, names: Sequence[Name]) -> ndarray:
        """Return the numbers of agents, ``[participant]``. Raises `ValueError`."""
        for name in names:
            if name not in self._number:
                suggestion = near(str(name), list(map(str, self._names)))
                raise ValueError(f"participants: {name!r} is no agent of this account; {suggestion}")
        if len(set(names)) < len(names):
            raise ValueError(f"participants: {names!r} must be different agents")
        return np.array([self._number[name] for name in names], dtype=np.int64)

    def _award(self, members: ndarray, places: int) -> tuple[ndarray, ndarray]:
        """Draw the bids ``[participant]`` and return them with the truth values of who is served."""
        economy, now = self._economy, self._now
        lots, coins = draws.uniforms(now.stream[None], 2 * len(members))[0].reshape(2, -1)
        kinds, private = economy.type_of[members], now.private[members]
        bids = (self._rows[kinds, private, now.karma[members]] <= lots[:, None]).sum(axis=1)
        order = np.lexsort(
            {
                shapes.LOWEST_INDEX: (members, -bids),
                shapes.HIGHEST_STAKE: (coins, -economy.stakes[kinds, private], -bids),
            }.get(economy.tie, (coins, -bids))
        )
        is_served = np.zeros(len(members), dtype=bool)
        is_served[order[:places]] = True
        if economy.tie == shapes.NOBODY:
            is_served &= bids > bids[order[places]]
        return bids, is_served

    def _collect(self, members: ndarray, bids: ndarray, is_served: ndarray) -> ndarray:
        """Move the payments of a contest and return them, ``[participant]``."""
        economy, now = self._economy, self._now
        paid = np.where(is_served, economy.charge[bids, np.minimum(bids, bids[~is_served].max())], 0)
        if economy.receiver == shapes.PEER and is_served.any():
            (loser,) = members[~is_served]
            room = economy.most - now.karma[loser]
            if economy.overflow == shapes.ROOM:
                paid = np.minimum(paid, room)
            excess = max(int(paid.sum() - room), 0)
            now.karma[loser] += paid.sum() - excess
            (now.burnt if economy.overflow == shapes.BURN else now.pool)[0] += excess
        else:
            now.pool[0] += paid.sum()
        now.karma[members] -= paid
        return paid


def karma_account(
    economy: object, agents: int | Sequence[Name], policy: Any = "equilibrium", *, seed: int = 0
) -> KarmaAccount:
    """Open a ledger of karma for a simulator that decides who competes with whom, when, and for how much.

    ``account.contest(participants, capacity)`` draws bids, serves the highest and collects payments;
    ``account.advance()`` ends a step: the surplus is redistributed among all agents and urgencies change.
    Karma is conserved in integers. Where all agents meet in random pairs in every step, this is the economy.

    Parameters
    ----------
    economy : KarmaEconomy
        The rules, from `games.karma`; ``agents`` replaces its number of agents.
    agents : int or sequence
        Number of agents, which are then called 0, 1, .., or their names, different strings or numbers; types
        have consecutive agents.
    policy : str or array
        ``"equilibrium"``, the logit equilibrium of random pairs at the default temperature of solvers;
        ``"uniform"``, ``"zero"``, ``"all_in"``; or probabilities of bids ``[state bid]`` or ``[type private
        karma bid]``, such as the profile of a solution or the table of `policy_table`.
    seed : int
        Seed of bids, coins and urgencies.

    Returns
    -------
    KarmaAccount
        The ledger, with ``balances``, ``urgencies``, ``costs`` and ``surplus``.

    Raises
    ------
    ValueError
        For names that are not different, and policies that are not of this economy.

    Examples
    --------
    >>> import rivalry as rv
    >>> account = karma_account(rv.games.karma(payment="PBS"), ["ann", "bob", "cyd"], "all_in", seed=1)
    >>> served = account.contest(["ann", "bob", "cyd"], capacity=2)
    >>> len(served), account.surplus, sorted(account.balances.values())
    (2, 20, [0, 0, 10])
    >>> account.advance()
    >>> account.surplus, sum(account.balances.values())
    (0, 30)
    """
    names = list(range(whole_number("agents", agents, 2))) if isinstance(agents, int) else list(agents)
    if len(set(names)) < len(names) or any(not isinstance(name, str | int) for name in names):
        raise ValueError(f"agents: {agents!r} must be different names or numbers, or how many")
    if not isinstance(economy, KarmaEconomy):
        raise ValueError(f"economy: {type(economy).__name__} must be an economy of rivalry.games.karma")
    if economy.signal.size:
        raise ValueError("signal: must be 'none': participants do not see each other")
    game = replace(economy, agents=len(names), idle=0.0)
    table = np.asarray(_policy(game, policy)).reshape(*game.shape, -1)
    rows = np.cumsum(table, axis=-1)
    # an odd number is legal: who meets whom is decided elsewhere
    rules: Economy = to_agents(game)._replace(idle=1)
    now = fresh(rules, np.random.SeedSequence(whole_number("seed", seed)))
    return KarmaAccount(rules, rows / rows[..., -1:], names, now)


def resume_karma_account(path: str | Path) -> KarmaAccount:
    """Reopen a ledger that `KarmaAccount.save` stored; it goes on with the same random numbers.

    Raises `ValueError` for a file that is missing, damaged or of another kind.
    """
    stored = files.read(Path(path), kind=KIND)
    arrays = {name: array for name, (_, array) in stored.record.items()}
    rules: dict[str, Any] = {name: arrays[f"economy {name}"] for name in Economy._fields}
    scalars = {name: part.item() for name, part in rules.items() if not part.ndim}
    economy = Economy(**rules | scalars)
    now = Agents(**{name: arrays[f"agents {name}"] for name in Agents._fields})
    account = KarmaAccount(economy, arrays["policy"], stored.meta["names"], now)
    account._costs = arrays["costs"]
    return account


def _policy(game: Any, source: Any) -> ndarray:
    """Return a policy ``[state bid]``. Raises `ValueError`."""
    if not isinstance(source, str):
        return np.asarray(game.space.check(source, "policy"))
    if source != "equilibrium":
        return np.asarray(named_start(game, source))
    beta = float(inverse_temperature(game, None, SHARPNESS))
    policy, _, residual = equilibrium(game, beta)
    if not residual <= ENOUGH:
        raise ValueError(f"policy: the equilibrium was not found (residual {residual:.1e}); give a policy")
    return policy
