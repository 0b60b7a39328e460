"""Agents of a city who follow a given policy, or no policy at all, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from rivalry.core.method import BaseLearner
from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.economies.learning.city_drivers import CITY, Session, Streets, checked, outcome_of, streets_of
from rivalry.economies.learning.city_gains import gains, gains_record, refusal
from rivalry.methods.q_learning.exploration import check_whole
from rivalry.tables.kernels.shapes import BIDS, BY_COIN, BY_STAKE, BY_TURN, CityArrays

if TYPE_CHECKING:
    from rivalry.economies.kernels.city import CityTallies, Drivers

AWARDS = {"coin": BY_COIN, "stake": BY_STAKE, "turn": BY_TURN}
POLICIES = ("uniform", "zero", "all_in")
SURE = 1e-6  # chances sum to 1 within this
SUMS = "sum_"  # before tallies in a session


class CitySimulation(BaseLearner):
    """Agents of a city travel on with policies that do not change; nothing is learned.

    ``plays``: all bid ``zero``, ``all_in``, or ``uniform``ly from what they have, and draw what they do at
    junctions evenly; or do as numbers say, ``[agent row karma entry]``, in Python, or a ``.npy`` file of
    these; or there is no karma, and lanes go by a ``coin``, to the higher ``stake`` (urgency), or
    by ``turn``, to whose share of admissions in attempts is lowest so far. Ties are broken as the city says.

    The first ``warm_up`` steps are not counted. The record has ``efficiency``, the mean reward of an agent
    and step, and per competition; ``access_fairness`` and ``reward_fairness``, minus standard deviations over
    agents; ``trips_per_step``; by lane how many wanted it, were admitted and refused, and the mean bid; of
    each agent rewards, moves and mean bids by trip. Of policies also what one agent could gain.

    Raises `ValueError` for parameters out of range.

    Source: Vaishampayan (ETH Zurich 2024), 6.2.

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
    evaluation: Annotated[int, Ge(1), "steps that are counted"] = 10_000
    warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 2000

    def __check_init__(self) -> None:
        check_whole("evaluation", self.evaluation)
        check_whole("warm_up", self.warm_up, 0)
        if isinstance(self.plays, str) and self.plays not in (*AWARDS, *POLICIES) and not _file(self.plays):
            known = ", ".join((*AWARDS, *POLICIES))
            raise ValueError(f"plays: {self.plays!r} must be one of {known}, a policy, or a .npy file of one")

    @property
    def bids(self) -> bool:
        """Whether there is a policy at all."""
        return not (isinstance(self.plays, str) and self.plays in AWARDS)

    needs: ClassVar[tuple[Need, ...]] = (CITY,)

    def world(self, game: Any) -> Streets:
        """The game with its streets; `Streets` pass."""
        found = streets_of(game)
        award = BIDS if self.bids else AWARDS[str(self.plays)]
        return found._replace(city=found.city._replace(award=award))

    def length(self, world: Streets) -> int:
        """Steps counted, and those before."""
        return self.warm_up + self.evaluation

    def begin(self, world: Streets, stream: np.random.SeedSequence) -> Session:
        """Agents at the first step. Raises `ValueError` for what is no policy of the city."""
        from rivalry.economies.kernels.city import fresh, tallies

        if self.bids:
            chances_of(world.city, self.plays)
        sums = tallies(world.city, each=self.bids)._asdict()
        return fresh(world.city, stream)._asdict() | {f"{SUMS}{name}": array for name, array in sums.items()}

    def advance(self, world: Streets, session: Session, steps: int) -> int:
        """Plays."""
        from rivalry.economies.kernels.city import no_tallies, play, stride
        from rivalry.economies.kernels.city_learning import policy_rows

        drivers, sums = _parts(session)
        policy = np.zeros((0, 0, 0, stride(world.city)), dtype=np.float32)
        if self.bids:
            policy = policy_rows(world.city, chances_of(world.city, self.plays))
        taken = 0
        for until, into in ((self.warm_up, no_tallies()), (self.length(world), sums)):
            part = min(steps - taken, until - int(drivers.clock[0]))
            if part > 0:
                play(world.city, drivers, policy, into, part)
                taken += part
        checked(drivers)
        return taken

    def read(self, world: Streets, session: Session) -> Record:
        """What was counted so far."""
        drivers, sums = _parts(session)
        steps = max(int(drivers.clock[0]) - self.warm_up, 1)
        found = outcome_of(sums, steps).record(world)
        if self.bids and not refusal(world.city):
            found |= gains_record(world, gains(world, sums, chances_of(world.city, self.plays)))
        return found


def chances_of(city: CityArrays, plays: Any) -> np.ndarray:
    """A policy by name, the same for all agents, or as given, ``[agent row karma entry]``.

    Raises `ValueError` for numbers of another shape, and where they are no chances.
    """
    from rivalry.economies.kernels.city_learning import entry_counts

    counts = entry_counts(city)[..., None]
    entry = np.arange(max(city.most + 1, city.options.shape[2]))
    if not (isinstance(plays, str) and plays in POLICIES):
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
    """Numbers as a policy of the choices ``there [agent row karma entry]``. Raises `ValueError`."""
    found = np.asarray(numbers, dtype=float)
    if found.shape != there.shape:
        raise ValueError(f"plays: shape {found.shape} must be {there.shape} (agent, row, karma, entry)")
    wrong = ~(found >= 0) | (~there & (found > 0)) | (abs(found.sum(axis=-1, keepdims=True) - 1) > SURE)
    if wrong.any():
        agent, row, karma, _ = (int(n) for n in np.argwhere(wrong)[0])
        rule = "must be chances of the choices that there are, and sum to 1"
        raise ValueError(f"plays[{agent}, {row}, {karma}]: {found[agent, row, karma].tolist()} {rule}")
    return found


def _file(name: str) -> bool:
    """Whether a word is a file of numbers."""
    return Path(name).suffix == ".npy" and Path(name).is_file()


def _parts(session: Session) -> tuple[Drivers, CityTallies]:
    from rivalry.economies.kernels.city import CityTallies, Drivers

    return (
        Drivers(*(session[name] for name in Drivers._fields)),
        CityTallies(*(session[f"{SUMS}{name}"] for name in CityTallies._fields)),
    )
