"""Simulation of a city's agents with fixed policies, or with rules that use no karma."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from rivalry.core.method import Session
from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.economies import kernels
from rivalry.economies.kernels.shapes import BY_TOLL, CityArrays
from rivalry.economies.learning.city_drivers import CITY, Streets, city_record, policy_of_all, streets_of
from rivalry.economies.learning.city_gains import gains, gains_record, refusal
from rivalry.economies.learning.sessions import SUMS, FixedPolicies, parts


class CitySimulation(FixedPolicies):
    """Simulation of a city's agents with fixed policies, without learning.

    ``plays`` is the policy of all agents. ``zero``, ``all_in`` and ``uniform`` bid nothing, everything or
    uniformly from the karma held, and choose uniformly at junctions. An array ``[agent row karma entry]``
    (in Python) or a ``.npy`` file of such an array gives the probabilities of all choices. Rules without
    karma admit at random (``coin``), by urgency (``stake``), or by the lowest share of admissions in attempts
    so far (``turn``). With a ``toll`` the most urgent are admitted too, and pay the highest urgency refused
    at their lane, in money of the unit of costs; all agents receive equal parts of the revenue at once. Ties
    are broken by the rule of the city.

    The first ``warm_up`` steps are not counted. The record has ``efficiency``, the mean reward per agent and
    step, and the same per competition; ``access_fairness`` and ``reward_fairness``, minus standard deviations
    over agents; ``trips_per_step``; per lane the numbers of requests, admissions and refusals and the mean
    bid; per agent rewards, moves and mean bids by trip. For policies it also has unilateral gains.

    Raises
    ------
    ValueError
        For parameters out of range.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), 6.2.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2)
    >>> solution = rv.solve(game, CitySimulation(plays="coin", evaluation=500))
    >>> solution.data.lane_wanted.dims
    ('lane',)
    """

    plays: Annotated[
        Any,
        "rule of admission: coin, stake, turn, toll; or the policy of all agents: uniform, zero, "
        "all_in, numbers or a file of these",
    ] = "coin"
    warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 2000

    needs: ClassVar[tuple[Need, ...]] = (CITY,)
    awards: ClassVar[Mapping[str, int]] = {**FixedPolicies.awards, "toll": BY_TOLL}

    def world(self, game: object) -> Streets:
        """Return the game with its agents, which follow the rule that is played."""
        return self._under_rule(streets_of(game))

    def check_world(self, world: Streets) -> None:
        """Raise `ValueError` for an invalid policy; those with a name are valid."""
        if self.bids and not (isinstance(self.plays, str) and self.plays in self.policies):
            policy_of_all(world.arrays, self.plays)

    def begin(self, world: Streets, stream: np.random.SeedSequence) -> Session:
        """Return the initial agents and the policy. Raises `ValueError` for an invalid policy."""
        return self._session(world, stream, by_agent=self.bids) | {"policy": self._rows(world.arrays)}

    def pack(self, session: Session) -> Session:
        """Return a session as arrays, without the policy: it is large and follows from the options."""
        return {name: array for name, array in session.items() if name != "policy"}

    def _followed(self, world: Streets, session: Session) -> tuple[np.ndarray, ...]:
        if "policy" not in session:  # of a stored session
            session["policy"] = self._rows(world.arrays)
        return (session["policy"],)

    def read(self, world: Streets, session: Session) -> Record:
        """Return the record of the steps so far."""
        sums = parts(kernels.city.CityTallies, session, SUMS)
        record = city_record(world, sums, max(int(session["clock"][0]) - self.warm_up, 1))
        if self.bids and not refusal(world.arrays):
            policies = policy_of_all(world.arrays, self.plays)
            record |= gains_record(world, gains(world, sums, policies.__getitem__, session["batches"]))
        return record

    def _rows(self, city: CityArrays) -> np.ndarray:
        """Return the policy of all agents as the kernel takes it, of length 0 for a rule without bids."""
        if not self.bids:
            return np.zeros((0, 0, 0, kernels.city.stride(city)), dtype=np.float32)
        return kernels.city_learning.policy_rows(city, policy_of_all(city, self.plays))
