"""Ends of runs: end states, unstable ends that were left, payoffs and certificate, basins of attraction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.certificates.certify import certificate, certificates
from rivalry.core.assumed_range import NO_BEST_RESPONSE, UNBOUNDED
from rivalry.core.batched_games import Together
from rivalry.core.exchanges import exchangeable_labels
from rivalry.core.game import (
    Game,
    Playable,
    PopulationGame,
    is_population,
    measures,
    profile_dims,
)
from rivalry.core.method import ENDINGS, BaseMethod, Finish
from rivalry.core.oracles import claim_scope, discounting_channels, exchangeable, labels
from rivalry.core.payoffs import checked_profile, numpy_payoffs, payoffs, payoffs_at
from rivalry.core.profiles import basins, most_first
from rivalry.core.reparametrisation import is_reparametrised, unconstrained_game
from rivalry.core.results import CLAIMS, NO_CERTIFICATE, Certificate, Record, Solution, scalar
from rivalry.core.space import Box, width
from rivalry.core.tolerances import APPROXIMATE
from rivalry.runtime.jax import floats, jax, put
from rivalry.runtime.memo import Known, remembered
from rivalry.solving.path_data import has_answer, record_of_plot
from rivalry.solving.steps import Carry

if TYPE_CHECKING:
    from rivalry.core.space import Profile

PLATEAU = "gradients are within tol, but no point of rest is near; start elsewhere or lower tol"
NO_PAYOFF = "a payoff at the profile is no finite number; start elsewhere"
RESTARTS = 4  # restarts of a run from unstable ends
ORBIT = 1e-2  # of the width: cycles with ranges at most this far apart are the same
PROFILES = 4096  # most that are remembered with their certificates
LISTED = 100  # equilibria of a list that are certified one by one
GROWN = 14.0  # e-foldings in which a perturbation of a millionth grows to the size of the space


def report(game: Playable, method: BaseMethod, carry: Carry, path: Record) -> Record:
    """Return profile, steps and residual of a run, its path, its status and the method's own report."""
    status = ENDINGS[int(carry.ended)] if carry.ended else "iteration limit"
    record: Record = {
        "profile": (profile_dims(game), np.asarray(carry.state.profile)),
        "steps": scalar(carry.done),
        "residual": scalar(carry.residual),
        **path,
        "status": scalar(status),
    }
    if is_population(game):
        record["converged"] = scalar(status == "converged")
    return record | method.report(game, carry.state, status)


def analyse(game: Playable, method: BaseMethod, profile: Profile, key: jax.Array) -> Finish | None:
    """Return the method's analysis of an end; None if it has none or the profile is not finite."""
    return method.finish(game, profile, key) if np.isfinite(np.asarray(profile)).all() else None


def analyse_together(
    games: Together, methods: Sequence[BaseMethod], profiles: ndarray, keys: Sequence[jax.Array]
) -> list[Finish | None]:
    """Return `analyse` of several games, from programs that serve them all where the methods are equal."""
    # a class that only changes `finish` has no programs for several games
    class_of_finish, single = (
        next(kind for kind in type(methods[0]).__mro__ if name in vars(kind))
        for name in ("finish_together", "finish")
    )
    if not issubclass(class_of_finish, single) or any(method != methods[0] for method in methods):
        tuples = zip(games.games, methods, profiles, keys, strict=True)
        return [analyse(game, method, put(profile), key) for game, method, profile, key in tuples]
    finite = np.isfinite(profiles).reshape(len(games), -1).all(axis=1)
    if not finite.any():
        return [None] * len(games)
    games, rows = _filled(games, finite)
    finished = methods[0].finish_together(games, profiles[rows], [keys[k] for k in rows])
    return [end if is_finite else None for end, is_finite in zip(finished, finite, strict=True)]


def _filled(games: Together, usable: ndarray) -> tuple[Together, ndarray]:
    """Return equally many games, the first usable one in place of unusable ones, and their rows.

    The bytes of a game depend on how many there are in a program, not on which.
    """
    rows = np.where(usable, np.arange(len(games)), np.argmax(usable))
    return (games if usable.all() else Together([games.games[k] for k in rows], games.part)), rows


def examine(
    game: Playable,
    method: BaseMethod,
    end: Finish | None,
    key: jax.Array,
    unstable_ends: list[Finish],
    time: float,
    final: bool,
) -> tuple[Finish | None, Profile | None]:
    """Return the analysis of an end, and the profile from which the run goes on if the end is unstable.

    Parameters
    ----------
    game, method, key
        As for `analyse`.
    end : Finish or None
        What `analyse` returned.
    unstable_ends : list of Finish
        The unstable ends that the run has left so far; changed in place.
    time : float
        The method's own time since the last (re)start.
    final : bool
        Whether the run must not go on.
    """
    if end is None or end.onward is None or final:
        return end, None
    if has_stayed(end, unstable_ends, time):
        # the run never left that end, so it is no departure
        unstable_ends.pop()
        return end, None
    if len(unstable_ends) == RESTARTS:
        return cycle_or_moving(game, method, end, key), None
    unstable_ends.append(end)
    return end, end.onward


def has_stayed(end: Finish, unstable_ends: list[Finish], time: float) -> bool:
    """True where the run is again at the unstable end of its last restart, without having left it.

    ``time`` is the method's own time since that restart. If it suffices for a perturbation to grow to the
    size of the space (`GROWN`), the run left the point and returned to it.
    """
    if not unstable_ends or not equal_profiles(end.profile, unstable_ends[-1].profile):
        return False
    repels = float(end.measures.get("max_real_eigenvalue", ((), np.zeros(())))[1])
    return repels * time < GROWN


def cycle_or_moving(game: Playable, method: BaseMethod, end: Finish, key: jax.Array) -> Finish:
    """Return the end of a run that has left `RESTARTS` unstable ends: a cycle, or else ``moving``.

    Players that meet between unstable points become identical in floating point and separate again only
    when they are perturbed. Such a path has no period.
    """
    orbit = analyse(game, method, end.profile if end.onward is None else end.onward, key)
    return orbit if orbit is not None and orbit.end_state == "cycle" else end._replace(end_state="moving")


def end_record(game: Playable, end: Finish, unstable_ends: list[Finish], record: Record) -> Record:
    """Entries of a record from the analysis of an end, with the status that follows from it.

    A cycle has the status ``cycling``. So has a path between unstable points if it returned to one of those
    in ``unstable_ends``; else it reached the iteration limit. Steps that stopped where no rest point is near,
    for example on a plateau of tiny influence, did not converge (``not found``).
    """
    entries: Record = {"profile": (profile_dims(game), np.asarray(end.profile))}
    entries["end_state"] = scalar(end.end_state)
    replay = str(record.get("stopped_by", ((), ""))[1]) == "displacement"  # a source's rule, unchanged
    stopped = str(record["status"][1]) == "converged" and not replay
    if end.end_state == "cycle":
        entries["status"] = scalar("cycling")
    elif end.end_state == "moving" and end.onward is not None:
        is_return = any(equal_profiles(end.profile, end_before.profile) for end_before in unstable_ends)
        entries["status"] = scalar("cycling" if is_return else "iteration limit")
    elif end.end_state == "moving" and stopped:
        entries["status"] = scalar("not found")
        entries["remedy"] = scalar(PLATEAU)
    return entries | end.measures


def out_of_time(record: Record, over: bool) -> Record:
    """Return ``stopped_by`` for a result that reached the time limit before it converged."""
    spent = over and str(record["status"][1]) == "iteration limit"
    return {"stopped_by": scalar("max_seconds")} if spent else {}


def departures(game: Playable, unstable_ends: list[Finish]) -> Record:
    """Return the unstable ends that a run left, with payoffs, regret and the metrics of their analysis."""
    if not unstable_ends:
        return {}
    records: list[Record] = []
    for end in unstable_ends:
        record: Record = {"left": (profile_dims(game), np.asarray(end.profile))}
        if isinstance(game, Game):
            proof = certificate(game, end.profile)
            record["left_payoff"] = (("player",), payoffs(game, end.profile))
            record["left_regret"] = (("player",), proof.regret)
            record["left_bound"] = (("player",), proof.bound)
        records.append(record | {f"left_{name}": value for name, value in end.measures.items()})
    # the analyses of different ends may have different metrics
    shared = [name for name in records[0] if all(name in record for record in records)]
    dims = {name: ("departure", *records[0][name][0]) for name in shared}
    return {name: (dims[name], np.stack([record[name][1] for record in records])) for name in shared}


def equal_profiles(x: Profile, y: Profile) -> bool:
    """True where two ends are equal up to rounding."""
    return bool(np.allclose(x, y, rtol=1e-6, atol=1e-9))


class AtProfile(NamedTuple):
    """Known properties of a profile of a game: payoffs, names and metrics, and its certificate."""

    record: Record
    certificate: Certificate | None
    in_full: bool  # as in `Solution`


Certified = Known[AtProfile]
"""Known properties of profiles of one game, by their bytes and the tolerance."""


def certify(
    game: object, record: Record, tolerance: float | None, certified: Certified | None = None
) -> Solution:
    """Return the solution of a record: payoffs, metrics of the game and certificate are added.

    Profiles of the same game in ``certified`` are not certified again; others are added to it.

    Payoffs of one-shot games are those at a profile ``[player axis]``, payoffs of populations those at a
    policy ``[state action]`` that all agents follow. For other records the method's own values are kept.

    Further variables are ``is_choice``, where players have entries that they cannot change;
    ``equilibrium_gain`` and ``equilibrium_claim``, the largest bound on gains at each equilibrium of a list
    and what its certificate claims; ``unconstrained_profile`` and ``unconstrained_equilibria``, in the
    coordinates in which a reparametrised box is searched and distances are measured; ``gamma_channels``, how
    the discount factor affects outcomes, if the game declares it; ``player_name`` and ``action_name``, if
    any.
    """
    of_method = Certificate.from_record(record)
    _refuse_missing_profile(record)
    if discounting_channels.knows(game):
        record.setdefault("gamma_channels", scalar(discounting_channels(game).text))
    if is_population(game):
        return _certified_population(game, record, of_method, tolerance)
    if "equilibria" in record and (scope := claim_scope(game)):
        record["claim_scope"] = scalar(scope)
    of_profile, in_full = None, False
    if isinstance(game, Game) and has_answer(record):
        at_profile = _known_at_profile(game, record["profile"][1], tolerance, certified)
        of_profile = _add_properties(game, record, at_profile, tolerance)
        in_full = at_profile.in_full
    if isinstance(game, Game) and isinstance(game.space, Box) and not np.all(game.space.choices):
        record["is_choice"] = (("player", "axis"), game.space.choices)
    actions = labels(game).actions
    if "profile" not in record and "action_name" not in record and actions:
        record |= _name_record(game, (len(actions), max(map(len, actions), default=0)))
    best_known = of_profile or of_method or NO_CERTIFICATE
    plot_record = partial(record_of_plot, game, record)
    return Solution(record, best_known, names_of(game), plot_record, game, in_full=in_full)


def _add_properties(
    game: Game, record: Record, at_profile: AtProfile, tolerance: float | None
) -> Certificate | None:
    """Add the known properties of its profile to a record; return the certificate among them, if any."""
    of_profile = at_profile.certificate
    record |= at_profile.record
    _refuse_unattained(record, of_profile)
    if is_reparametrised(game):
        record |= _unconstrained_profiles(game, record)
    if of_profile is None:
        return None
    of_concept = _of_concept(record, of_profile)
    record |= of_concept.record()
    record |= _of_list(game, record, tolerance, of_profile)
    return of_concept


def _known_at_profile(
    game: Game, profile: ndarray, tolerance: float | None, certified: Certified | None
) -> AtProfile:
    """Return the known properties of a profile; those of a new one are added to ``certified``."""
    profile = floats(checked_profile(game, profile))
    if certified is None:
        certified = {}
    if len(certified) >= PROFILES:
        certified.clear()
    key = profile.tobytes(), tolerance
    return remembered(certified, key, lambda: _at_profiles(Together([game]), profile[None], tolerance)[0])


def _unconstrained_profiles(game: Any, record: Record) -> Record:
    """Return profiles of a record in the coordinates in which a reparametrised box is searched."""
    profiles = {name: record[name] for name in ("profile", "equilibria") if name in record}
    return {
        f"unconstrained_{name}": (dims, np.asarray(game.space.unconstrain(array)))
        for name, (dims, array) in profiles.items()
    }


def _of_list(game: Game, record: Record, tolerance: float | None, of_profile: Certificate) -> Record:
    """Return gains and claims by certificates at the equilibria of a list, the first `LISTED` of them.

    Equilibria with a proven radius need no certificate, except in finite games, where it takes a millisecond.
    """
    profiles = record.get("equilibria", ((), np.empty(0)))[1]
    if profiles.ndim != 3 or tolerance is None:
        return {}
    radius = np.broadcast_to(record.get("radius", ((), np.nan))[1], len(profiles))
    gains, claims = np.full(len(profiles), np.nan), [""] * len(profiles)
    for k in np.flatnonzero(np.isnan(radius) | numpy_payoffs.knows(game))[:LISTED]:
        at_equilibrium = of_profile
        if not np.array_equal(profiles[k], record["profile"][1]):
            at_equilibrium = certificate(game, profiles[k], tolerance=tolerance)
        gains[k], claims[k] = at_equilibrium.bound.max(), at_equilibrium.claim
    return {
        "equilibrium_gain": (("equilibrium",), gains),
        "equilibrium_claim": (("equilibrium",), np.array(claims, str)),
    }


def _refuse_unattained(record: Record, of_profile: Certificate | None) -> None:
    """Replace the status `converged` of a run that ended where a payoff is not finite, or not attained."""
    reason = ""
    if not np.isfinite(record["payoff"][1]).all():
        reason = NO_PAYOFF
    elif of_profile is not None:
        reasons = [reason for reason in (NO_BEST_RESPONSE, UNBOUNDED) if reason in of_profile.method]
        reason = "".join(reasons[:1])
    if not reason:
        return
    record.pop("end_state", None)
    if str(record["status"][1]) == "converged":
        record |= {"status": scalar("not found"), "remedy": scalar(reason)}


def _refuse_missing_profile(record: Record) -> None:
    """Replace the status `converged` of a record whose profile has an undefined entry."""
    _, profile = record.get("profile", ((), 0.0))
    if "status" in record and str(record["status"][1]) == "converged" and np.any(np.isnan(profile)):
        record["status"] = scalar("not found")


def _at_profiles(games: Together, profiles: ndarray, tolerance: float | None) -> list[AtProfile]:
    """Return the known properties of a profile ``[game player axis]`` of each of several games."""
    of_games: Sequence[Certificate | None] = [None] * len(games)
    if tolerance is not None:
        of_games = certificates(games, profiles, tolerance)
    known_payoffs = [
        of_game.payoff for of_game in of_games if of_game is not None and of_game.payoff is not None
    ]
    all_known = len(known_payoffs) == len(games)
    pays = np.stack(known_payoffs) if all_known else payoffs_at(games, profiles)
    at_jump = _discontinuity_mask(games, profiles, pays, of_games)
    # metrics of other games than finite ones are JAX's
    concrete = np.asarray if numpy_payoffs.knows(games.games[0]) else put
    results = []
    for game, profile, paid, of_game, jump in zip(
        games.games, profiles, pays, of_games, at_jump, strict=True
    ):
        record: Record = {"payoff": (("player",), paid)}
        if exchangeable.knows(game):
            record["exchangeable"] = (("player",), exchangeable_labels(game))
        record |= _name_record(game, profile.shape) | measures(game, concrete(profile))
        results.append(AtProfile(record, of_game, bool(jump)))
    return results


def _discontinuity_mask(
    games: Together, profiles: ndarray, pays: ndarray, of_games: Sequence[Certificate | None]
) -> ndarray:
    """Return the mask ``[game]`` of profiles whose payoffs change much by rounding to six digits.

    Much is more than `APPROXIMATE` of what is at stake for the player, `Certificate.at_stake`.
    """
    stakes = [of_game.at_stake for of_game in of_games if of_game is not None]
    known_stakes = [stake for stake in stakes if stake is not None]
    # payoffs of finite games are multilinear
    if numpy_payoffs.knows(games.games[0]) or len(known_stakes) < len(games):
        return np.zeros(len(games), bool)
    rounded = np.reshape([float(f"{value:.6g}") for value in profiles.flat], profiles.shape)
    with np.errstate(invalid="ignore"):  # infinite payoffs differ by no number
        change = np.abs(payoffs_at(games, rounded) - pays)
    return np.any(change > APPROXIMATE * np.stack(known_stakes), axis=1)


def know_together(games: Together, records: Sequence[Record], tolerance: float | None) -> list[Certified]:
    """Return the certified profiles of several games, for `certify`; empty where a record has no profile."""
    answered = np.array([has_answer(record) for record in records])
    if not isinstance(games.games[0], Game) or not answered.any():
        return [{} for _ in records]
    games, rows = _filled(games, answered)
    profiles = np.stack([np.asarray(records[k]["profile"][1]) for k in rows])
    results = _at_profiles(games, profiles, tolerance)
    certified: list[Certified] = [{} for _ in records]
    for k in np.flatnonzero(answered):
        certified[k] = {(profiles[k].tobytes(), tolerance): (results[k], [])}
    return certified


def _certified_population(
    game: PopulationGame, record: Record, of_method: Certificate | None, tolerance: float | None
) -> Solution:
    """Return the solution of a population's record, with a certificate of its policy where it has one."""
    from rivalry.population import record_of  # loads JAX, which finite games do not need
    from rivalry.population.oracles import mean_field_refusal

    names = labels(game).players
    if len(names) > 1:
        record.setdefault("player_name", (("player",), np.asarray(names)))
    best_known, record_of_policy = of_method, Record()
    if has_answer(record) and not mean_field_refusal(game):
        record_of_policy, of_policy = record_of(game, put(record["profile"][1]), tolerance)
        best_known = of_policy and _of_concept(record, of_policy)
        if best_known is not None:
            record_of_policy |= best_known.record()
    if best_known is not None and best_known.claim not in CLAIMS[:2]:  # an equilibrium, at least nearly
        best_known = best_known._replace(scope=_beside_others(record))
    full_record = record | record_of_policy
    plots = partial(record_of_plot, game, full_record)
    return Solution(full_record, best_known or NO_CERTIFICATE, names_of(game), plots, game)


def _beside_others(record: Record) -> str:
    """Scope of a claim about a population: one policy, and the number of other known equilibria."""
    if "equilibria" not in record:
        return "of this policy (other equilibria: not searched)"
    return f"of this policy (other equilibria known: {len(record['equilibria'][1]) - 1})"


def names_of(game: object) -> dict[str, tuple[str, ...]]:
    """Return the names of players and axes by dimension, where the game has any."""
    names = labels(game)
    return {dim: names for dim, names in (("player", names.players), ("axis", names.axes)) if names}


def _name_record(game: object, shape: tuple[int, ...]) -> Record:
    """Return the names of players and of their actions as a record, where a profile [player axis] has any."""
    game_labels, name_record = labels(game), Record()
    players, axes = shape
    if len(game_labels.players) == players and not all(map(str.isdigit, game_labels.players)):
        name_record["player_name"] = (("player",), np.asarray(game_labels.players))
    if len(game_labels.actions) == players and max(map(len, game_labels.actions), default=0) == axes:
        names = [
            [*names_of_player, *[""] * (axes - len(names_of_player))]
            for names_of_player in game_labels.actions
        ]
        name_record["action_name"] = (("player", "axis"), np.asarray(names))
    return name_record


def _of_concept(record: Record, proof: Certificate) -> Certificate:
    """Return the certificate with the method's solution concept and residual, if it is not Nash."""
    if "concept" not in record:
        return proof
    residual_entry = record.get("concept_residual", record.get("residual"))
    residual = None if residual_entry is None else float(residual_entry[1])
    return proof._replace(concept=str(record["concept"][1]), residual=residual)


def group_basins(game: Playable, record: Record) -> Record:
    """Return the basins of a batch of runs ``[batch ...]``; empty if their ends are not profiles.

    Ends of the same kind are grouped by `rivalry.core.profiles.basins`, up to swaps of exchangeable players
    and in the coordinates in which a box is searched. Cycles are compared by their ranges. All runs that did
    not end form one basin, without a profile.

    Returns
    -------
    Record
        ``basin [batch]``: an integer, 0 for the end that most runs reached. ``basin_kind [basin]``: the end
        state, or the status if the method reports no end states. ``basin_count [basin]``: the number of runs.
        ``basin_profile [basin player axis]``: that of its first run. ``basin_regret [basin]``: the largest of
        its runs.
    """
    dims, profiles = record["profile"]
    if dims != ("batch", "player", "axis"):
        return {}
    kinds = np.asarray(record.get("end_state", record["status"])[1], str)
    # empty where an end was not analysed: those runs are grouped by status
    kinds = np.where(kinds == "", record["status"][1], kinds)
    kinds = np.where(np.isin(kinds, ("iteration limit", "not found")), "moving", kinds)
    kinds[~np.isfinite(profiles).all(axis=(1, 2))] = "moving"
    label = np.zeros(len(kinds), int)
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        label[rows] = label.max() + 1 + _of_kind(game, str(kind), {k: v[1] for k, v in record.items()}, rows)
    basin = most_first(label)
    _, representatives, count = np.unique(basin, return_index=True, return_counts=True)
    ended = (kinds[representatives] != "moving")[:, None, None]
    basins: Record = {
        "basin": (("batch",), basin),
        "basin_kind": (("basin",), kinds[representatives]),
        "basin_count": (("basin",), count),
        "basin_profile": (("basin", "player", "axis"), np.where(ended, profiles[representatives], np.nan)),
    }
    if "regret" in record:
        largest_regret = np.max(record["regret"][1], axis=1)
        basin_regrets = [np.max(largest_regret[basin == k]) for k in range(len(count))]
        basins["basin_regret"] = (("basin",), np.asarray(basin_regrets))
    return basins


def _of_kind(game: Playable, kind: str, arrays: dict[str, ndarray], rows: ndarray) -> ndarray:
    """Return basin numbers, from 0, of the runs ``rows``, which all end in the same kind of state."""
    if kind == "moving":
        return np.zeros(len(rows), int)
    exchangeable, space = exchangeable_labels(game), unconstrained_game(game).space
    # players whose strategies agree but for what they cannot change are equal
    widths = np.where(space.mask, width(space), np.inf)

    def profiles(name: str) -> ndarray:
        amounts = arrays[name][rows]
        return np.asarray(game.space.unconstrain(amounts)) if is_reparametrised(game) else amounts  # type: ignore[attr-defined]

    if kind in ("cycle", "cycling") and "cycle_low" in arrays:
        ranges = np.concatenate([profiles("cycle_low"), profiles("cycle_high")], axis=2)
        return basins(ranges, exchangeable, within=ORBIT, width=np.concatenate([widths, widths], axis=1))
    return basins(profiles("profile"), exchangeable, width=widths)
