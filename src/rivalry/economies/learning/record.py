"""What learning in an economy leaves behind: looks on the way, the evaluation at the end, where it stood."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.files import read
from rivalry.core.results import Record, Solution
from rivalry.economies.learning.crowds import (
    Crowd,
    certified,
    mean_policy,
    measures_of,
    stationary_efficiency,
    views,
)
from rivalry.economies.learning.epochs import Stop, temperatures
from rivalry.economies.learning.monitors import (
    RARELY,
    REGULARISED,
    SAMPLED,
    Snapshot,
    distances,
    kinds_of,
    names_of,
    payoff_estimates,
    sampled,
    sampled_names,
    snapshot,
)

if TYPE_CHECKING:
    from rivalry.economies.kernels.economy import Agents
    from rivalry.economies.learning.q_learning import PopulationQLearning

Session = dict[str, np.ndarray]

LAST = "last_"  # what is carried on, in records
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "words": ("word",),
    "stream": ("counter",),
    "clock": ("one",),
    "karma": ("agent",),
    "private": ("agent",),
    "pool": ("one",),
    "burnt": ("one",),
    "reward": ("agent",),
    "wins": ("agent",),
    "order": ("agent",),
    "lucky": ("agent",),
    "q": ("table", "owner", "entry"),
    "visits": ("owner", "entry"),
    "policy": ("owner", "entry"),  # cumulative
    "choice": ("owner", "row"),
    "touched": ("owner", "row"),
    "made": ("owner", "rate"),
    "pending": ("agent",),
}
CHANGES = ("payoff_change", "policy_change")
LOOKS = ("efficiency", "reward_fairness", "access_fairness", *CHANGES)
PAID_CHANGE = f"payoff_change{REGULARISED}"
BARE = "efficiency_without_exploration"
END, LOOK, ESTIMATE, SAMPLE = (0, 1), (2, 3), 4, 5  # streams for copies of the agents


def look_names(learner: PopulationQLearning, world: Crowd) -> tuple[str, ...]:
    """What is noted at every monitor."""
    paid = learner.paid is not None
    exact = () if world.refusal else names_of(learner.exploration, learner.compare, paid)
    known = len(SAMPLED) if learner.exploration > 0 else len(SAMPLED) - 1
    seen = SAMPLED[: known if learner.compare and not world.refusal else 1]
    seen += tuple(f"{name}{REGULARISED}" for name in seen if paid)
    each = (*exact, *(seen if learner.how.kind != "exact" else ()))
    bare = (BARE,) if 0 < learner.exploration < 1 and not world.refusal else ()
    looks = (*LOOKS, *((PAID_CHANGE,) if paid else ()))
    return (*looks, *bare, *(f"{how}_{name}" for name in each for how in ("mean", "largest")))


def agents_of(session: Session) -> Agents:
    """The agents of a session."""
    from rivalry.economies.kernels.economy import Agents

    return Agents(*(session[name] for name in Agents._fields))


def sequence_of(session: Session, which: int) -> np.random.SeedSequence:
    """A stream for copies of the agents as they stand, apart from the run's own."""
    return np.random.SeedSequence(session["words"].tolist(), spawn_key=(int(session["clock"][0]), which))


def evaluated(
    learner: PopulationQLearning, world: Crowd, session: Session, streams: tuple[int, int], steps: int
) -> Snapshot:
    """The policies as they stand, measured over so many steps and judged."""
    return snapshot(
        world,
        agents_of(session),
        session["policy"],
        session["owner"],
        learner.exploration,
        session["equilibria"],
        [sequence_of(session, which) for which in streams],
        learner.evaluation_warm_up,
        steps,
        learner.paid,
        learner.distance,
    )


def look(learner: PopulationQLearning, world: Crowd, session: Session) -> None:
    """One monitor: a row of the curve, and whether training is over."""
    owner, rows, agents = session["owner"], session["policy"], agents_of(session)
    q, found = session["q"].mean(axis=0), evaluated(learner, world, session, LOOK, learner.monitor_steps)
    values = _scalars(found) | {f"{how}_{name}": v for how, name, v in _spread(found.numbers, owner)}
    estimate = np.stack(
        [
            payoff_estimates(
                world, agents, rows, owner, q, sequence_of(session, ESTIMATE), learner.payoff_steps, paid
            )
            for paid in ((None,) if learner.paid is None else (None, learner.paid))
        ]
    )
    policies, of_agent = _policies(world, rows), {name: v[owner] for name, v in found.numbers.items()}
    if session["last_rows"].size:
        law = found.measured.law[kinds_of(world, owner)]
        moved = distances(policies, _policies(world, session["last_rows"]), learner.distance, law)
        changes = np.abs(estimate - session["last_estimate"])
        of_agent |= dict(zip(("payoff_change", PAID_CHANGE), changes, strict=False))
        of_agent["policy_change"] = moved[owner]
        values |= {name: of_agent[name].max() for name in (*CHANGES, PAID_CHANGE) if name in of_agent}
    if learner.how.kind != "exact":
        sequence = sequence_of(session, SAMPLE)
        gains, rare = sampled(
            world, learner.how, agents, rows, owner, q, session["equilibria"], sequence, learner.paid
        )
        session["sampled"], session["rarely_visited"] = gains, np.array([rare])
        watched = np.flatnonzero(np.isfinite(gains[0]))
        names = sampled_names(learner.paid is not None)
        seen = {name: gains[k, watched] for k, name in enumerate(names)}
        values |= {f"{how}_{name}": v for how, name, v in _spread(seen, np.arange(len(watched)))}
        of_agent |= seen
    number = int(session["looked"][0])
    session["curve"][number] = [values.get(name, np.nan) for name in look_names(learner, world)]
    session["looked"][0] = number + 1
    session["last_rows"], session["last_estimate"] = rows.copy(), estimate
    if number == 0:
        session["first_policy"] = _mean_policy(world, rows, owner)
    stopped(learner.stop, session, of_agent)


def stopped(stop: Stop | None, session: Session, of_agent: Mapping[str, np.ndarray]) -> None:
    """Note whether what was asked for, of metrics ``[agent]``, has now held often enough."""
    if stop is not None:
        holds = stop.metric in of_agent and stop.holds(of_agent[stop.metric])
        session["met"][0] = session["met"][0] + 1 if holds else 0
        session["stopped"][0] = session["met"][0] >= stop.times


def _scalars(found: Snapshot) -> dict[str, Any]:
    seen = found.measured
    return {
        "efficiency": seen.efficiency,
        "reward_fairness": -seen.reward.std(),
        "access_fairness": -seen.wins.std(),
        BARE: found.efficiency,
    }


def _spread(numbers: Mapping[str, np.ndarray], owner: np.ndarray) -> list[tuple[str, str, float]]:
    """Mean and largest over agents of numbers ``[owner]``."""
    return [
        (how, name, float(measure(array[owner]))) if len(owner) else (how, name, np.nan)
        for name, array in numbers.items()
        for how, measure in (("mean", np.mean), ("largest", np.max))
    ]


def _policies(world: Crowd, rows: np.ndarray) -> np.ndarray:
    from rivalry.economies.kernels.choices import probabilities

    return probabilities(rows, world.economy.most)


def _mean_policy(world: Crowd, rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Of the agents of a type, ``[type private karma bid]``."""
    own = _policies(world, rows).reshape(len(rows), -1, world.shape[2])
    types = world.shape[0]
    return mean_policy(own, kinds_of(world, owner), types).reshape(*world.shape, -1)


def record_of(learner: PopulationQLearning, world: Crowd, session: Session) -> Record:
    """What is told of a run as it stands; see `PopulationQLearning`."""
    from rivalry.economies.kernels.economy import RUNNING

    record = _curves(learner, world, session)
    if session["status"][0] != RUNNING:
        step = int(session["status"][1])
        warnings.warn(f"values became no finite numbers at step {step}", stacklevel=3)
        return record | {"status": ((), np.asarray("not found"))}
    # what has used up its steps has not come to rest; only a condition that was met says so
    stopped = learner.stop is not None and bool(session["stopped"][0])
    word = "converged" if stopped else "completed" if learner.stop is None else "iteration limit"
    record["status"] = ((), np.asarray(word))
    return _at_end(learner, world, session) | record | _sampled(learner, world, session)


def _at_end(learner: PopulationQLearning, world: Crowd, session: Session) -> Record:
    """The evaluation of the policies as they stand."""
    found = evaluated(learner, world, session, END, learner.evaluation)
    owner, kinds = session["owner"], world.economy.type_of
    policy = _mean_policy(world, session["policy"], owner)
    bids, dims = np.arange(world.shape[2]), ("player", "private", "karma")
    record: Record = {}
    if world.refusal:
        warnings.warn(f"exploitability is not worked out: {world.refusal}", stacklevel=4)
    else:
        record = measures_of(world, found.environment, found.measured)
    record |= found.measured.record(kinds) | views(world)
    record[BARE] = ((), np.asarray(found.efficiency))
    record["policy"] = ((*dims, "bid"), policy)
    record["mean_bid"] = (dims, policy @ bids)
    record["distance_rule"] = ((), np.asarray(learner.distance))
    record["beta"] = ((), temperatures(learner.beta).values[-1])
    record["exploration"] = ((), np.asarray(float(learner.exploration)))
    for name, other in zip(("equilibrium", "equilibrium_eps"), session["equilibria"], strict=False):
        shaped = other.reshape(*world.shape, -1)
        record[name] = ((*dims, "bid"), shaped)
        record[f"mean_bid_{name}"] = (dims, shaped @ bids)
    record |= {_of_agent(name): (("agent",), array[owner]) for name, array in found.numbers.items()}
    record |= {f"{how}_{name}": ((), np.asarray(v)) for how, name, v in _spread(found.numbers, owner)}
    if found.numbers:
        record |= _by_type(world, found, owner)
    if session["visits"].size:
        record["rarely_taught"] = ((), np.asarray(np.mean(session["visits"] < RARELY)))
    return record


def _of_agent(name: str) -> str:
    """The name of what is told of each agent, where types have one of that name."""
    return f"agent_{name}" if "exploitability" in name else name


def _of_type(name: str) -> str:
    """The name of the mean over the agents of a type, where agents have one of that name."""
    return name.removeprefix("agent_") if "exploitability" in name or "payoff" in name else f"type_{name}"


def _by_type(world: Crowd, found: Snapshot, owner: np.ndarray) -> Record:
    """Mean payoffs and gains, and the largest: what no agent exceeds while the others stay as measured."""
    kinds = world.economy.type_of
    members = [np.flatnonzero(kinds == kind) for kind in range(world.shape[0])]
    payoff, gain = (found.numbers[name][owner] for name in ("agent_payoff", "exploitability"))
    regret, bound = (np.array([part[each].max() for each in members]) for part in (gain, found.bound[owner]))
    how = f"{found.method}, the largest gain of an agent"
    means = {
        _of_type(name): np.array([array[owner][each].mean() for each in members])
        for name, array in found.numbers.items()
        if not name.startswith("agent_payoff") or name == f"agent_payoff{REGULARISED}"
    }
    mean = np.array([payoff[each].mean() for each in members])
    told: Record = {name: (("player",), array) for name, array in means.items()}
    told |= {"payoff": (("player",), mean)} | stationary_efficiency(world, mean, found.measured)
    return told | certified(world, regret, bound, found.coverage, how).record()


def _curves(learner: PopulationQLearning, world: Crowd, session: Session) -> Record:
    """What monitors have noted so far."""
    count = int(session["looked"][0])
    if not count:
        return {}
    first = int(session["begun"][0]) // learner.period + 1
    record: Record = {
        f"monitor_{name}": (("monitor",), session["curve"][:count, k].copy())
        for k, name in enumerate(look_names(learner, world))
    }
    record["monitor_step"] = (("monitor",), (first + np.arange(count)) * learner.period)
    record["first_policy"] = (("player", "private", "karma", "bid"), session["first_policy"])
    return record


def _sampled(learner: PopulationQLearning, world: Crowd, session: Session) -> Record:
    """Gains sampled at the last monitor; a warning of how many entries their tables hardly know."""
    if learner.how.kind == "exact" or not session["looked"][0]:
        return {}
    share = float(session["rarely_visited"][0])
    if share > 0:
        warnings.warn(
            f"{share:.0%} of the entries that gains are sampled by were visited fewer than {RARELY} times: "
            "sampled gains are biased; monitor for longer",
            stacklevel=4,
        )
    record: Record = {
        name: (("agent",), session["sampled"][k])
        for k, name in enumerate(sampled_names(learner.paid is not None))
        if f"mean_{name}" in look_names(learner, world)
    }
    return record | {"rarely_visited": ((), np.asarray(share))}


def carried(session: Session, dimensions: Mapping[str, tuple[str, ...]] = DIMENSIONS) -> Record:
    """All that a run can be carried on from: tables, states and the stream."""
    record: Record = {}
    for name, dims in dimensions.items():
        array = np.array(session[name])
        if array.size:
            # records fill what is missing with -1
            signed = array.view(np.int64) if array.dtype == np.uint64 else array
            record[LAST + name] = (dims, signed.astype(np.int64) if signed.dtype.kind == "u" else signed)
    return record


def taken_over(
    source: Any, session: Session, dimensions: Mapping[str, tuple[str, ...]] = DIMENSIONS
) -> Session:
    """A session begun anew, with the tables, states and stream of a run that is carried on.

    ``source`` is a solution, a record or a stored cell's file. Raises `ValueError` where it holds no such
    run, or one of another game or other options.
    """
    found = source.record if isinstance(source, Solution) else source
    if isinstance(found, str | Path):
        if not Path(found).is_file():
            raise ValueError(
                f"carry_on: no file {str(found)!r}; must be a stored cell's, cells/ID.npz of a run"
            )
        found = read(Path(found)).record
    if not isinstance(found, Mapping):
        raise ValueError(f"carry_on: {type(source).__name__} must be a file, a solution or its record")
    begun = dict(session)
    for name in dimensions:
        fresh = session[name]
        if not fresh.size:
            continue
        if LAST + name not in found:
            raise ValueError(f"carry_on: has no {LAST}{name}; the run must keep its tables (keep = true)")
        array = np.asarray(found[LAST + name][1])
        if array.shape != fresh.shape:
            shapes = f"{LAST}{name} has shape {array.shape}, and here {fresh.shape}"
            raise ValueError(f"carry_on: {shapes}; must be a run of the same game and the same options")
        unsigned = fresh.dtype == np.uint64
        begun[name] = array.view(np.uint64).copy() if unsigned else array.astype(fresh.dtype)
    return begun
