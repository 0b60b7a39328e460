"""Where the steps end: the method's analysis, ends that were left again, payoffs, the certificate."""

from __future__ import annotations

import numpy as np

from rivalry._jax import jax, jnp, put
from rivalry.game import Finish, Game, Method, measures
from rivalry.metrics import certificate, payoffs
from rivalry.results import Certificate, Record, Solution
from rivalry.space import Profile

RESTARTS = 4  # how often a run goes on from an end that the least disturbance leaves


def finish(game: Game, method: Method, profile: Profile, key: jax.Array) -> Finish | None:
    analysis = getattr(method, "finish", None)
    if analysis is None or not np.all(np.isfinite(np.asarray(profile))):
        return None
    return analysis(game, profile, key)  # type: ignore[no-any-return]


def ended_in(end: Finish) -> Record:
    """What the analysis of an end adds to a record; a cycle is a status as well."""
    found: Record = {"profile": (("player", "axis"), np.asarray(end.profile))}
    found["end_state"] = ((), np.asarray(end.end_state))
    if end.end_state == "cycle":
        found["status"] = ((), np.asarray("cycling"))
    return found | end.measures


def departures(game: Game, left: list[Finish]) -> Record:
    """Ends that were reached and left again, each with its payoffs, its regret and its measures."""
    if not left:
        return {}
    each: list[Record] = []
    for end in left:
        proof = certificate(game, end.profile)
        each.append(
            {
                "left": (("player", "axis"), np.asarray(end.profile)),
                "left_payoff": (("player",), np.asarray(payoffs(game, end.profile))),
                "left_regret": (("player",), proof.regret),
                "left_bound": (("player",), proof.bound),
            }
            | {f"left_{name}": value for name, value in end.measures.items()}
        )
    shared = [name for name in each[0] if all(name in one for one in each)]
    return {
        name: (("departure", *each[0][name][0]), np.stack([one[name][1] for one in each])) for name in shared
    }


def same(x: Profile, y: Profile) -> bool:
    return bool(jnp.allclose(x, y, rtol=1e-6, atol=1e-9))


def certified(game: Game, record: Record, tolerance: float | None) -> Solution:
    """Payoffs, the game's measures and the certificate of a record's profile, added to it."""
    profile = put(record["profile"][1])
    proof: Certificate | None = None
    if np.all(np.isfinite(record["profile"][1])):
        record["payoff"] = (("player",), np.asarray(payoffs(game, profile)))
        record |= measures(game, profile)
        if tolerance is not None:
            proof = certificate(game, profile, tolerance=tolerance)
            record |= proof.record()
    return Solution(record, proof)
