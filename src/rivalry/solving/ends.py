"""Where the steps end: the method's analysis, ends that were left again, payoffs, the certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.certify import certificate, payoffs, placed
from rivalry.core.game import Game, Playable, PopulationGame, is_population, measures, profile_dims
from rivalry.core.jax import jax, jnp, put
from rivalry.core.method import ENDINGS, BaseMethod, Finish
from rivalry.core.oracles import discounting_channels, exchangeable, labels
from rivalry.core.reparametrisation import curved
from rivalry.core.results import Certificate, Record, Solution

if TYPE_CHECKING:
    from rivalry.core.space import Profile

PLATEAU = "gradients are within tol, but no point of rest is near; start elsewhere or lower tol"
RESTARTS = 4  # how often a run goes on from an end that the least disturbance leaves
GROWN = 14.0  # e-foldings that make the least disturbance, a millionth, as large as the space


def report(game: Playable, method: BaseMethod, state: Any, ended: int) -> Record:
    """How the steps ended, by an index into `ENDINGS`, and what the method reports of its last state."""
    status = ENDINGS[ended] if ended else "iteration limit"
    found: Record = {"status": ((), np.asarray(status))}
    if is_population(game):
        found["converged"] = ((), np.asarray(status == "converged"))
    return found | method.report(game, state, status)


def analyse(game: Playable, method: BaseMethod, profile: Profile, key: jax.Array) -> Finish | None:
    """The method's own analysis of an end; None where it has none, or the profile is no number."""
    return method.finish(game, profile, key) if np.all(np.isfinite(np.asarray(profile))) else None


def stayed(end: Finish, left: list[Finish], time: float) -> bool:
    """Whether a run stands again where it last went on from, and never left: it settles there slowly enough.

    ``time`` is the method's own since then. A point that repels for long enough was left: the run went round.
    """
    if not left or not same(end.profile, left[-1].profile):
        return False
    repels = float(end.measures.get("max_real_eigenvalue", ((), np.zeros(())))[1])
    return repels * time < GROWN


def gone_round(game: Playable, method: BaseMethod, end: Finish, key: jax.Array) -> Finish:
    """The end of a run that has left one end after the other: a closed orbit, or on its way for ever.

    Where players meet on their way from one unstable point to the next they become identical, in floating
    point, and part again only as they are moved apart: such a way has no period.
    """
    orbit = analyse(game, method, end.profile if end.onward is None else end.onward, key)
    return orbit if orbit is not None and orbit.end_state == "cycle" else end._replace(end_state="moving")


def ended_in(game: Playable, end: Finish, left: list[Finish], record: Record) -> Record:
    """What the analysis of an end adds to a record; a cycle is a status as well.

    So is a way that leads from one unstable point to the next: cycling where it has come back to one of those
    in ``left``, and else given up. Steps that stopped where no point of rest is near, as on a plateau of tiny
    influence, did not converge.
    """
    found: Record = {"profile": (profile_dims(game), np.asarray(end.profile))}
    found["end_state"] = ((), np.asarray(end.end_state))
    replay = str(record.get("stopped_by", ((), ""))[1]) == "displacement"  # a source's rule, taken as it is
    tolerant = "tolerated_agents" in record  # some may be on their way, as was asked for
    stopped = str(record["status"][1]) == "converged" and not replay and not tolerant
    if end.end_state == "cycle":
        found["status"] = ((), np.asarray("cycling"))
    elif end.end_state == "moving" and end.onward is not None:
        again = any(same(end.profile, one.profile) for one in left)
        found["status"] = ((), np.asarray("cycling" if again else "iteration limit"))
    elif end.end_state == "moving" and stopped:
        found["status"] = ((), np.asarray("not found"))
        found["remedy"] = ((), np.asarray(PLATEAU))
    return found | end.measures


def out_of_time(record: Record, over: bool) -> Record:
    """What is noted of a result whose seconds were over before it converged."""
    spent = over and str(record["status"][1]) == "iteration limit"
    return {"stopped_by": ((), np.asarray("max_seconds"))} if spent else {}


def departures(game: Playable, left: list[Finish]) -> Record:
    """Ends that were reached and left again, each with its payoffs, its regret and its measures."""
    if not left:
        return {}
    each: list[Record] = []
    for end in left:
        found: Record = {"left": (profile_dims(game), np.asarray(end.profile))}
        if isinstance(game, Game):
            proof = certificate(game, end.profile)
            found["left_payoff"] = (("player",), np.asarray(payoffs(game, end.profile)))
            found["left_regret"] = (("player",), proof.regret)
            found["left_bound"] = (("player",), proof.bound)
        each.append(found | {f"left_{name}": value for name, value in end.measures.items()})
    shared = [name for name in each[0] if all(name in one for one in each)]
    return {
        name: (("departure", *each[0][name][0]), np.stack([one[name][1] for one in each])) for name in shared
    }


def same(x: Profile, y: Profile) -> bool:
    """Whether two ends are one, up to rounding."""
    return bool(jnp.allclose(x, y, rtol=1e-6, atol=1e-9))


def certified(game: object, record: Record, tolerance: float | None) -> Solution:
    """Payoffs, the game's measures and the certificate of a record's profile, added to it.

    One-shot games have payoffs at a profile ``[player axis]``, populations at a policy ``[state action]``
    that all follow; elsewhere what the method itself found of these stands. On a curved box the profile, and
    ``equilibria`` beside it, are noted in the coordinates in which the box is searched as well, as
    ``inner_profile`` and ``inner_equilibria``: distances are those.
    Through what discount factors can matter is noted of a game that says so (``gamma_channels``), what its
    types are called of a population of several (``player_name``).
    """
    proof = Certificate.from_record(record)
    if discounting_channels.knows(game):
        record.setdefault("gamma_channels", ((), np.asarray(discounting_channels(game).text)))
    if is_population(game):
        return _certified_population(game, record, proof, tolerance)
    if isinstance(game, Game) and has_answer(record):
        profile = placed(game, record["profile"][1])
        record["payoff"] = (("player",), np.asarray(payoffs(game, profile)))
        if exchangeable.knows(game):
            record["alike"] = (("player",), np.asarray(exchangeable(game)))
        if curved(game):
            record |= _inner(game.space, record)
        record |= measures(game, profile)
        if tolerance is not None:
            proof = _of_concept(record, certificate(game, profile, tolerance=tolerance))
            record |= proof.record()
    return Solution(record, proof)


def _certified_population(
    game: PopulationGame, record: Record, proof: Certificate | None, tolerance: float | None
) -> Solution:
    from rivalry.population import record_of  # loads JAX, of which a finite game has no need
    from rivalry.population.oracles import mean_field_refusal

    names = labels(game).players
    if len(names) > 1:
        record.setdefault("player_name", (("player",), np.asarray(names)))
    if not has_answer(record) or mean_field_refusal(game):
        return Solution(record, proof)
    known, proof = record_of(game, put(record["profile"][1]), tolerance)
    if proof is not None:
        proof = _of_concept(record, proof)
        known |= proof.record()
    return Solution(record | known, proof)


def _of_concept(record: Record, proof: Certificate) -> Certificate:
    """The certificate with what the method solved for, and how nearly, where that is no Nash equilibrium."""
    if "concept" not in record:
        return proof
    left = record.get("concept_residual", record.get("residual"))
    residual = None if left is None else float(left[1])
    return proof._replace(concept=str(record["concept"][1]), residual=residual)


def _inner(space: Any, record: Record) -> Record:
    """Profiles ``[.. player axis]`` of a record in the space's inner coordinates."""
    held = {name: record[name] for name in ("profile", "equilibria") if name in record}
    return {f"inner_{name}": (dims, np.asarray(space.inner(array))) for name, (dims, array) in held.items()}


def has_answer(record: Record) -> bool:
    """Whether a record holds a profile or policy of numbers, at which a game has payoffs."""
    dims, profile = record.get("profile", ((), np.nan))
    return dims in (("player", "axis"), ("state", "action")) and bool(np.all(np.isfinite(profile)))
