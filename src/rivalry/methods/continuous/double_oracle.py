"""Double oracle: a finite game extended by best responses until no player gains by one."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Array, Float
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.certificates.units import scales_around
from rivalry.core.array_games import one_state
from rivalry.core.game import Game, Playable
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import PAYOFFS, TREE
from rivalry.core.results import Record, scalar
from rivalry.methods.continuation.parameters import precise
from rivalry.methods.continuous.mixtures import (
    ATOM,
    action_payoffs,
    best_response_to_mixtures,
    joint_atoms,
    mean_payoff,
    mixture_record,
)
from rivalry.methods.finite.mixed_equilibria import one_mixed
from rivalry.methods.limit_sets.nearby_equilibria import SearchPoints
from rivalry.runtime.jax import compiled, jax, put

GAIN = 1e-9  # of the payoff scale, which may be far more than what is at stake: smaller gains count as none
PRECISION = 1e-7  # of the payoff scale: gains that a repeated best response may leave
BATCH = 64  # joint atoms whose payoffs are computed by one call of a compiled program
SAME_ATOM = 1e-12  # of the largest entry: closer strategies are one atom
JUMPS = "payoffs are discontinuous; best responses are approached but not attained"
STATUS = ("iteration limit", "converged", "not found", "not found", "iteration limit")
PARTS = 3  # of an interval between atoms: an odd number, so that two players' atoms stay apart
BESIDE_ATOM = 1e-9  # of the space: a gaining best response this close to an atom is beyond a discontinuity


class DoubleOracle(BaseLearner):
    """A mixed equilibrium of a continuous game, also where best responses cycle.

    Players mix over finitely many strategies, the atoms. One step is a round. A round solves the finite game
    on the atoms: a pure equilibrium where it has one, else a mixed one (two players: by Lemke and Howson's
    method; more: the first that branch and prune proves). Then it searches the whole space for every
    player's best response to the others' mixtures, which becomes an atom. The method converges when no
    player gains more than 1e-9 of its payoff scale, or 1e-7 by a strategy that is an atom already. It returns
    ``not found`` if the finite game cannot be solved well enough to continue.

    A best response is the game's own, where one is registered as `rivalry.oracles.mixed_best_response`; else
    it is searched from a grid of ``points`` and from the best atoms, with local search. Where a player has
    more than ``max_atoms`` atoms, those unplayed for the longest are dropped.

    Where payoffs are discontinuous, as in auctions and price wars, a best response need not exist: payoffs
    rise towards an atom and differ at the atom itself. The method then takes the strategy one step of the
    search grid away. Two players of one axis get evenly spaced atoms, and every further round divides the
    intervals beside the atoms that are played into three, as long as there are at most ``max_atoms``. In such
    a game mixtures over finitely many strategies may leave a gain that falls only as atoms are added; a run
    that ends so has a ``remedy`` that says it, and is never called an equilibrium. ``jumps`` (player) counts
    these strategies.

    The record is that of mixtures: ``mixture`` (player, action), the weights, and ``action_grid`` (player,
    action, axis), the atoms with positive weight; ``mean_profile``, ``payoff``, ``grid_regret``, expected
    metrics, and a certificate of the continuous game by a new search. ``oracle_gap`` (round, player) is the
    gain of each round's best response, ``atoms`` (player) the number of strategies tried, and ``pure`` is
    true if every player plays a single one: a pure equilibrium.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("rock_paper_scissors")
    >>> solution = rv.solve(game, DoubleOracle(), start=[[1, 0, 0], [0, 1, 0]])
    >>> solution.status, solution.claim, solution.data.mean_profile.values[0].round(6).tolist()
    ('converged', 'equilibrium', [0.333333, 0.333333, 0.333333])

    References
    ----------
    McMahan, Gordon & Blum, ICML 2003; for continuous games Adam, Horčík, Kasl & Kroupa, AAAI 2021.
    """

    rounds: Annotated[int, Ge(1), "maximum number of rounds"] = 100
    max_atoms: Annotated[int, Ge(2), Le(10_000), "maximum number of atoms per player"] = 256
    points: SearchPoints = 1024

    needs = (PAYOFFS, TREE)

    def world(self, game: object) -> Any:
        """Return the game in double precision; atoms are added during the run."""
        return precise(game)

    def length(self, world: object) -> int:
        """Return the number of rounds."""
        return self.rounds

    def begin(self, world: Playable, stream: SeedSequence) -> Session:
        """Return a session with one random atom per player."""
        key = jax.random.wrap_key_data(put(stream.generate_state(2, np.uint32)))
        return self.begin_at(world, stream, world.space.sample(key))

    def begin_at(self, world: object, stream: SeedSequence, start: object) -> Session:
        """Return a session whose first atoms are the strategies in ``start``."""
        atoms = np.array(start, float)[:, None, :]
        players = len(atoms)
        return {
            "atoms": atoms,  # [player action axis], NaN where a player has fewer
            "tables": np.full((players, *(1,) * players), np.nan),  # [player action_0 action_1 ..]
            "weights": np.ones((players, 1)),
            "played": np.zeros((players, 1), int),  # the last round in which an atom had weight
            "gap": np.zeros((0, players)),
            "seen": np.ones(players, int),
            "over": np.array([0]),  # 1: converged, 2: not solved, 3: no new response, 4: no room
            "jumps": np.zeros(players, int),
        }

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Run up to ``steps`` rounds."""
        rounds = 0
        while rounds < steps and not session["over"][0]:
            self._round(world, session)
            rounds += 1
        return rounds

    def _round(self, game: object, session: Session) -> None:
        _fill(game, session)
        weights = one_mixed(session["tables"])
        if weights is None:
            session["over"][0] = 2
            return
        session["weights"] = np.zeros(session["played"].shape)
        # arrays stay wide where atoms have been dropped
        session["weights"][:, : weights.shape[1]] = weights
        session["played"][session["weights"] > ATOM] = len(session["gap"]) + 1
        responses, gains = self._best_responses(game, session)
        session["gap"] = np.concatenate([session["gap"], gains[None]])
        scales = scales_around(game)
        gaining = np.flatnonzero(gains > GAIN * scales).tolist()
        if not gaining or not np.isfinite(gains).all():
            session["over"][0] = 1 if np.isfinite(gains).all() else 2
            return
        refined = np.any(session["jumps"]) and responses.shape == (2, 1)
        for player in gaining:
            away = _beyond_jump(game, session, player, responses[player], self.points)
            if away is not None:
                responses[player] = away
                session["jumps"][player] += 1
        if refined:
            if not _refine(game, session, responses, self.max_atoms):
                session["over"][0] = 1 if np.all(gains <= PRECISION * scales) else 4
            return
        entrants = [p for p in gaining if not _contains(session["atoms"][p], responses[p])]
        if not entrants:
            session["over"][0] = 1 if np.all(gains <= PRECISION * scales) else 3
        for player in entrants:
            _append(session, player, responses[player])
        if np.any(session["jumps"]) and responses.shape == (2, 1):
            _spread(game, session, self.max_atoms // 2)
        _drop(session, self.max_atoms)

    def _best_responses(self, game: object, session: Session) -> tuple[ndarray, ndarray]:
        """Return every player's best response [player axis] to the others' mixtures, and gain [player]."""
        pays = action_payoffs(one_state(session["tables"]), session["weights"])
        mixtures = session["atoms"], session["weights"]
        responses = [
            best_response_to_mixtures(game, *mixtures, player, int(index), points=self.points)
            for player, index in enumerate(np.nanargmax(pays, axis=1))
        ]
        gains = np.array([response.payoff for response in responses]) - mean_payoff(pays, session["weights"])
        return np.stack([response.strategy for response in responses]), np.maximum(gains, 0.0)

    def _remedy(self, session: Session) -> str:
        """Return one line that explains why a run did not converge."""
        gap = f"some player still gains {np.max(session['gap'][-1]):.3g}"
        if np.any(session["jumps"]):
            two = len(session["jumps"]) == 2
            return (
                f"{gap}: {JUMPS}; {'raise max_atoms' if two else 'solve it on a grid, by mixed_equilibria'}"
            )
        if session["over"][0] == 2:
            return f"{gap}: the finite game on the atoms was not solved; start elsewhere, or use hedge"
        if session["over"][0] == 3:
            return f"{gap}: its best response is an atom already; payoffs there are too near to rounding"
        return f"{gap}: raise rounds"

    def read(self, world: object, session: Session) -> Record:
        """Return the mixtures of the last round, on the atoms with positive weight."""
        over = int(session["over"][0])
        record: Record = {
            "oracle_gap": (("round", "player"), session["gap"].copy()),
            "atoms": (("player",), session["seen"].copy()),
            "jumps": (("player",), session["jumps"].copy()),
            "status": scalar(STATUS[over]),
        }
        if over != 1 and len(session["gap"]):
            record["remedy"] = scalar(self._remedy(session))
        if not len(session["gap"]):
            return record
        points, weights, tables = _support(session)
        pure = bool(np.all((weights > 0).sum(axis=1) == 1))
        record |= mixture_record(world, points, weights, one_state(tables))
        return record | {"pure": scalar(pure)}


def _beyond_jump(game: Any, session: Session, player: int, response: ndarray, points: int) -> ndarray | None:
    """Return the best strategy one grid step from a best response beside an atom.

    None if there is no such atom.
    """
    corners = np.asarray(game.space.grid(player, 2))
    span = float(np.max(np.ptp(corners, axis=0)))
    distances = np.max(np.abs(session["atoms"][player] - response), axis=1)
    if not np.nanmin(distances) <= BESIDE_ATOM * span:
        return None
    step, axes = span / (points - 1), np.eye(len(response))
    near = np.repeat(session["atoms"][None, :, 0], 2 * len(response), axis=0)
    near[:, player] = response + step * np.concatenate([axes, -axes])
    candidates = np.array([np.asarray(game.space.project(put(x)))[player] for x in near])
    profiles, probabilities = joint_atoms(session["atoms"], session["weights"], without=player)
    pays = np.zeros(len(candidates))
    for k, strategy in enumerate(candidates):
        profiles[:, player] = strategy
        pays[k] = probabilities @ _payoffs_of(game, profiles)[:, player]
    return candidates[int(np.argmax(pays))]


def _payoffs_of(game: Any, profiles: ndarray) -> ndarray:
    """Return payoffs ``[profile player]``, in batches of one size: one compiled program serves all."""
    payoffs = np.zeros(profiles.shape[:2])
    for start in range(0, len(profiles), BATCH):
        part = profiles[start : start + BATCH]
        padded = np.concatenate([part, np.repeat(part[:1], BATCH - len(part), axis=0)])
        payoffs[start : start + BATCH] = np.asarray(_payoffs(game, put(padded)))[: len(part)]
    return payoffs


def _fill(game: object, session: Session) -> None:
    """Compute missing payoffs of joint atoms."""
    tables, atoms = session["tables"], session["atoms"]
    indices = np.argwhere(np.isnan(tables[0]))
    if len(indices):
        profiles = atoms[np.arange(indices.shape[1]), indices]
        pays = _payoffs_of(game, profiles)
        unpaid = np.argwhere(~np.isfinite(pays))
        if unpaid.size:
            place, player = unpaid[0]
            where = f"player {player} gets {pays[place, player]} at {profiles[place].tolist()}"
            raise ValueError(f"payoffs: {where}; must be finite")
        tables[(slice(None), *indices.T)] = pays.T


@compiled
def _payoffs(game: Game, profiles: Float[Array, "atom player axis"]) -> Float[Array, "atom player"]:
    return jax.vmap(game.payoffs)(profiles)


def _append(session: Session, player: int, atom: ndarray) -> None:
    """Add an atom of a player, with room for it in all arrays; its payoffs are not known yet."""
    count = session["tables"].shape[1 + player]
    if count == session["atoms"].shape[1]:
        session["atoms"] = np.pad(session["atoms"], ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
        for name in ("weights", "played"):
            session[name] = np.pad(session[name], ((0, 0), (0, 1)))
    session["atoms"][player, count] = atom
    session["played"][player, count] = len(session["gap"])
    session["seen"][player] += 1
    room = [(0, int(axis == 1 + player)) for axis in range(session["tables"].ndim)]
    session["tables"] = np.pad(session["tables"], room, constant_values=np.nan)


def _spread(game: Any, session: Session, count: int) -> None:
    """Add evenly spaced atoms, those of one player half-way between the other's, and the ends of the space.

    Single responses would outbid or undercut by a grid step indefinitely, and equal atoms would tie.
    """
    for player in range(len(session["atoms"])):
        points = np.asarray(game.space.grid(player, count))
        between = (points[1:] + points[:-1]) / 2
        for atom in points if player == 0 else [points[0], *between, points[-1]]:
            if not _contains(session["atoms"][player], atom):
                _append(session, player, atom)


def _refine(game: Any, session: Session, responses: ndarray, max_atoms: int) -> bool:
    """Divide the intervals beside played atoms; return whether ``max_atoms`` left room for that.

    Best responses become atoms too, but not those beside an atom. Of the atoms that are not played, those
    beside played ones stay.
    """
    span = float(np.max(np.ptp(np.asarray(game.space.grid(0, 2)), axis=0)))
    changes = []
    for player, weights in enumerate(session["weights"]):
        atoms = session["atoms"][player, :, 0]
        order = np.argsort(atoms)[: np.count_nonzero(~np.isnan(atoms))]
        played = weights[order] > ATOM
        adjacent = played[1:] | played[:-1]
        gaps = np.flatnonzero(adjacent & (np.diff(atoms[order]) > PARTS * BESIDE_ATOM * span))
        stays = played | np.append(adjacent, False) | np.append(False, adjacent)
        parts = np.linspace(atoms[order][gaps], atoms[order][gaps + 1], PARTS + 1)[1:-1].ravel()
        near = np.nanmin(np.abs(session["atoms"] - responses[player])) <= BESIDE_ATOM * span
        changes.append((np.sort(order[stays]), parts if near else np.append(parts, responses[player])))
    if max(len(rows) + len(parts) for rows, parts in changes) > max_atoms:
        return False
    for player, (rows, parts) in enumerate(changes):
        _take(session, player, rows)
        for atom in parts:
            _append(session, player, np.array([atom]))
    return any(len(parts) for _, parts in changes)


def _contains(atoms: ndarray, response: ndarray) -> bool:
    distances = np.max(np.abs(atoms - response), axis=1)  # NaN where there is no atom
    return bool(np.any(distances <= SAME_ATOM * np.max(np.abs(response))))


def _drop(session: Session, max_atoms: int) -> None:
    """Drop each player's atoms beyond ``max_atoms``, the longest unplayed first."""
    for player in range(len(session["atoms"])):
        count = session["tables"].shape[1 + player]
        if count <= max_atoms:
            continue
        # stable: of atoms played equally lately the oldest stay
        lately = np.argsort(-session["played"][player, :count], kind="stable")
        _take(session, player, np.sort(lately[:max_atoms]))


def _take(session: Session, player: int, rows: ndarray) -> None:
    """Drop a player's atoms but those in ``rows``."""
    session["tables"] = np.take(session["tables"], rows, axis=1 + player)
    for name, blank in (("atoms", np.nan), ("weights", 0.0), ("played", 0)):
        row = session[name][player, rows]
        session[name][player] = blank
        session[name][player, : len(rows)] = row


def _support(session: Session) -> tuple[ndarray, ndarray, ndarray]:
    """Return strategies, weights and payoff tables of the atoms with positive weight."""
    positive = session["weights"] > ATOM
    supports = [np.flatnonzero(row) for row in positive]
    # every player's positive weights first, in their order; shorter players are padded
    order = np.argsort(~positive, axis=1, kind="stable")[:, : max(map(len, supports))]
    played = np.take_along_axis(positive, order, axis=1)
    points = np.where(
        played[:, :, None], np.take_along_axis(session["atoms"], order[:, :, None], axis=1), np.nan
    )
    weights = np.where(played, np.take_along_axis(session["weights"], order, axis=1), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return points, weights, session["tables"][np.ix_(np.arange(len(supports)), *supports)]
