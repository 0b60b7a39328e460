"""Simulation of a city's agents with fixed policies, or with rules that use no karma."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.economies.learning.city_drivers import CITY, Streets, city_record, streets_of
from rivalry.economies.learning.city_gains import gains, gains_record, refusal
from rivalry.economies.learning.sessions import AWARDS, SUMS, FixedPolicies, Session, check_balance, parts
from rivalry.tables.kernels.shapes import CityArrays

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
        "what decides, coin, stake, turn; or what all bid, uniform, zero, all_in, numbers or a file of these",
    ] = "coin"
    warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 2000

    needs: ClassVar[tuple[Need, ...]] = (CITY,)

    def world(self, game: Any) -> Streets:
        """Return the game with its kernel arrays, or the `Streets` given."""
        found = streets_of(game)
        return found if self.bids else found._replace(city=found.city._replace(award=AWARDS[self.plays]))

    def begin(self, world: Streets, stream: np.random.SeedSequence) -> Session:
        """Return the initial agents and the policy. Raises `ValueError` for an invalid policy."""
        from rivalry.economies.kernels.city import fresh, tallies

        if self.bids:
            chances_of(world.city, self.plays)
        sums = tallies(world.city, each=self.bids)._asdict()
        return fresh(world.city, stream)._asdict() | {f"{SUMS}{name}": array for name, array in sums.items()}

    def advance(self, world: Streets, session: Session, steps: int) -> int:
        """Simulate the given number of steps."""
        from rivalry.economies.kernels.city import CityTallies, Drivers, no_tallies, play, stride
        from rivalry.economies.kernels.city_learning import policy_rows

        drivers, sums = parts(Drivers, session), parts(CityTallies, session, SUMS)
        policy = np.zeros((0, 0, 0, stride(world.city)), dtype=np.float32)
        if self.bids:
            policy = policy_rows(world.city, chances_of(world.city, self.plays))
        taken = 0
        for until, into in ((self.warm_up, no_tallies()), (self.length(world), sums)):
            part = min(steps - taken, until - int(drivers.clock[0]))
            if part > 0:
                play(world.city, drivers, policy, into, part)
                taken += part
        check_balance(drivers.status)
        return taken

    def read(self, world: Streets, session: Session) -> Record:
        """Return the record of the steps so far."""
        from rivalry.economies.kernels.city import CityTallies

        sums, steps = parts(CityTallies, session, SUMS), max(int(session["clock"][0]) - self.warm_up, 1)
        found = city_record(world, sums, steps)
        if self.bids and not refusal(world.city):
            found |= gains_record(world, gains(world, sums, chances_of(world.city, self.plays)))
        return found


def chances_of(city: CityArrays, plays: Any) -> np.ndarray:
    """Return a policy by name, the same for all agents, or as given, ``[agent row karma entry]``.

    Raises `ValueError` for an array of another shape or whose rows are not distributions.
    """
    from rivalry.economies.kernels.city_learning import entry_counts

    counts = entry_counts(city)[..., None]
    entry = np.arange(max(city.most + 1, city.options.shape[2]))
    if not (isinstance(plays, str) and plays in FixedPolicies.policies):
        return _given(np.load(plays) if isinstance(plays, str) else plays, entry < counts)
    even: np.ndarray = (entry < counts) / counts
    bids = {"zero": entry == 0, "all_in": entry == counts - 1}.get(plays)
    if bids is None:
        return even
    spots = city.lane.shape[1] + city.options.shape[1]
    row = np.arange(counts.shape[1])
    junction = (row % spots >= city.lane.shape[1]) & (row < counts.shape[1] - 1)
    found: np.ndarray = np.where(junction[:, None, None], even, np.broadcast_to(bids, even.shape) * 1.0)
    return found


def _given(numbers: Any, there: np.ndarray) -> np.ndarray:
    """Return numbers as a policy over the choices ``there [agent row karma entry]``. Raises `ValueError`."""
    found = np.asarray(numbers, dtype=float)
    if found.shape != there.shape:
        raise ValueError(f"plays: shape {found.shape} must be {there.shape} (agent, row, karma, entry)")
    wrong = ~(found >= 0) | (~there & (found > 0)) | (abs(found.sum(axis=-1, keepdims=True) - 1) > SURE)
    if wrong.any():
        agent, row, karma, _ = (int(n) for n in np.argwhere(wrong)[0])
        rule = "must be chances of the choices that there are, and sum to 1"
        raise ValueError(f"plays[{agent}, {row}, {karma}]: {found[agent, row, karma].tolist()} {rule}")
    return found
