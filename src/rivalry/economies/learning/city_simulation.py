"""Simulation of a city's agents with fixed policies, or with rules that use no karma."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.economies import kernels
from rivalry.economies.kernels.shapes import CityArrays
from rivalry.economies.learning.city_drivers import CITY, Streets, city_record, streets_of
from rivalry.economies.learning.city_gains import gains, gains_record, refusal
from rivalry.economies.learning.sessions import AWARDS, SUMS, FixedPolicies, Session, check_balance, parts

SURE = 1e-6  # tolerance of sums of probabilities


class CitySimulation(FixedPolicies):
    """Simulation of a city's agents with fixed policies, without learning.

    ``plays`` is the policy of all agents. ``zero``, ``all_in`` and ``uniform`` bid nothing, everything or
    uniformly from the karma held, and choose uniformly at junctions. An array ``[agent row karma entry]``
    (in Python) or a ``.npy`` file of such an array gives the probabilities of all choices. Three rules use no
    karma and admit at random (``coin``), by urgency (``stake``), or by the lowest share of admissions in
    attempts so far (``turn``). Ties are broken by the rule of the city.

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
    >>> found = rv.solve(game, CitySimulation(plays="coin", evaluation=500))
    >>> found.data.lane_wanted.dims
    ('lane',)
    """

    plays: Annotated[
        Any,
        "rule of admission: coin, stake, turn; or the policy of all agents: uniform, zero, all_in, "
        "numbers or a file of these",
    ] = "coin"
    warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 2000

    needs: ClassVar[tuple[Need, ...]] = (CITY,)

    def world(self, game: object) -> Streets:
        """Return the game with its kernel arrays."""
        found = streets_of(game)
        return found if self.bids else found._replace(city=found.city._replace(award=AWARDS[self.plays]))

    def begin(self, world: Streets, stream: np.random.SeedSequence) -> Session:
        """Return the initial agents and the policy. Raises `ValueError` for an invalid policy."""
        policy = self._rows(world.city)
        sums = kernels.city.tallies(world.city, each=self.bids)._asdict()
        agents = kernels.city.fresh(world.city, stream)._asdict()
        return agents | {f"{SUMS}{name}": array for name, array in sums.items()} | {"policy": policy}

    def pack(self, session: Session) -> Session:
        """Return a session as arrays, without the policy: it is large and follows from the options."""
        return {name: array for name, array in session.items() if name != "policy"}

    def advance(self, world: Streets, session: Session, steps: int) -> int:
        """Simulate the given number of steps."""
        city, kernel = world.city, kernels.city
        drivers, sums = parts(kernel.Drivers, session), parts(kernel.CityTallies, session, SUMS)
        if "policy" not in session:  # of a stored session
            session["policy"] = self._rows(city)
        taken = 0
        for until, tallied in ((self.warm_up, kernel.no_tallies()), (self.length(world), sums)):
            part = min(steps - taken, until - int(drivers.clock[0]))
            if part > 0:
                kernel.play(city, drivers, session["policy"], tallied, part)
                taken += part
        check_balance(drivers.status)
        return taken

    def read(self, world: Streets, session: Session) -> Record:
        """Return the record of the steps so far."""
        sums = parts(kernels.city.CityTallies, session, SUMS)
        found = city_record(world, sums, max(int(session["clock"][0]) - self.warm_up, 1))
        if self.bids and not refusal(world.city):
            found |= gains_record(world, gains(world, sums, policy_of_all(world.city, self.plays)))
        return found

    def _rows(self, city: CityArrays) -> np.ndarray:
        """Return the policy of all agents as the kernel takes it, of length 0 for a rule without bids."""
        if not self.bids:
            return np.zeros((0, 0, 0, kernels.city.stride(city)), dtype=np.float32)
        return kernels.city_learning.policy_rows(city, policy_of_all(city, self.plays))


def policy_of_all(city: CityArrays, plays: object) -> np.ndarray:
    """Return a policy by name, the same for all agents, or as given, ``[agent row karma entry]``.

    Raises `ValueError` for an array of another shape or whose rows are not distributions.
    """
    counts = kernels.city_learning.entry_counts(city)[..., None]
    entry = np.arange(max(city.most + 1, city.options.shape[2]))
    legal = entry < counts
    if not (isinstance(plays, str) and plays in FixedPolicies.policies):
        return _check_policy(np.load(plays) if isinstance(plays, str) else plays, legal)
    even: np.ndarray = legal / counts
    if plays == "uniform":
        return even
    # at junctions there is nothing to bid: options are drawn uniformly; dormancy, the last row, has one entry
    row, places = np.arange(counts.shape[1]), city.lane.shape[1]
    junction = row % (places + city.options.shape[1]) >= places
    junction[-1] = False
    bids = np.broadcast_to(entry == 0 if plays == "zero" else entry == counts - 1, even.shape)
    return np.where(junction[:, None, None], even, bids)


def _check_policy(numbers: object, legal: np.ndarray) -> np.ndarray:
    """Return numbers as a policy over ``legal`` choices, ``[agent row karma entry]``. Raises `ValueError`."""
    found = np.asarray(numbers, dtype=float)
    if found.shape != legal.shape:
        raise ValueError(f"plays: shape {found.shape} must be {legal.shape} (agent, row, karma, entry)")
    wrong = ~(found >= 0) | (~legal & (found > 0)) | (abs(found.sum(axis=-1, keepdims=True) - 1) > SURE)
    if wrong.any():
        agent, row, karma, _ = np.argwhere(wrong)[0].tolist()
        rule = "must be probabilities of the available choices that sum to 1"
        raise ValueError(f"plays[{agent}, {row}, {karma}]: {found[agent, row, karma].tolist()} {rule}")
    return found
