"""Double oracle: a finite game that is extended by best responses until no player gains by one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float

from rivalry.core.game import Game, scale
from rivalry.core.jax import jax, put
from rivalry.core.method import BaseLearner
from rivalry.core.needs import PAYOFFS, Need
from rivalry.core.results import Record
from rivalry.methods.continuation.parameters import precise
from rivalry.methods.continuous.mixtures import (
    ATOM,
    action_payoffs,
    joint_atoms,
    mixture_record,
    reply_to_mixtures,
)
from rivalry.methods.finite.mixed_equilibria import one_mixed
from rivalry.tables.kernels.shapes import one_state

BATCH = 64  # joint atoms whose payoffs are computed by one call of a compiled program
SAME = 1e-12  # of the largest entry: strategies nearer than this are one atom
JUMPS = "payoffs jump, best replies are approached but not attained"
NEAR = 1e-9  # of the space: a reply this near to an atom that gains by more than it does is beyond a jump

Session = dict[str, np.ndarray]


class OracleGame(NamedTuple):
    """The game that is played."""

    game: Any


class DoubleOracle(BaseLearner):
    """A mixed equilibrium of a continuous game, also where best responses go round for ever.

    Players mix over finitely many strategies, the atoms. One step is a round: the finite game on the atoms is
    solved, a pure equilibrium where it has one, else a mixed one by QuantEcon (two players: Lemke and
    Howson's method; more: McLennan and Tourky's, sharpened by Newton's); then everybody's best reply to the
    others' mixtures is sought in the whole space, and becomes an atom. It converges when nobody gains more
    than ``enough`` times the payoff scale, and answers ``not found`` where the finite game could not be
    solved well enough to go on.

    A best response is the game's own ``reply_to_mixture(places [player action axis], weights [player action],
    player) -> (strategy, payoff, coverage)``, where it has one; else it is searched from a grid of ``points``
    and from the best atoms, with climbs. Where a player has more than ``most`` atoms, those go that have been
    played least lately.

    Where payoffs jump, as in auctions and price wars, a best response need not exist: payoffs rise towards an
    atom and differ at the atom itself. The reply is then taken one step of the search grid away. Mixtures
    over finitely many strategies of such a game may keep a gain that falls only as atoms are added; a run
    that ends so has a ``remedy`` that says so, and is never called an equilibrium. ``jumps`` (player) counts
    these replies.

    The record is that of mixtures: ``mixture`` (player, action), the weights, and ``places`` (player, action,
    axis), those atoms that are played; ``mean_profile``, ``payoff``, ``grid_regret``, expected measures, and
    a certificate of the continuous game, searched anew. ``oracle_gap`` (round, player) is what each round's
    best reply gained, ``atoms`` (player) how many strategies were looked at, and ``pure`` tells that all play
    a single one: a pure equilibrium.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("rock_paper_scissors")
    >>> found = rv.solve(game, DoubleOracle(), start=[[1, 0, 0], [0, 1, 0]])
    >>> found.status, found.claim, found.data.mean_profile.values[0].round(6).tolist()
    ('converged', 'equilibrium', [0.333333, 0.333333, 0.333333])

    References
    ----------
    McMahan, Gordon & Blum, ICML 2003; for continuous games Adam, Horčík, Kasl & Kroupa, AAAI 2021.
    """

    enough: Annotated[float, Gt(0), "the gain that counts as none, times the payoff scale"] = 1e-7
    rounds: Annotated[int, Ge(1), "most rounds"] = 100
    most: Annotated[int, Ge(2), Le(10_000), "atoms a player keeps"] = 64
    points: Annotated[int, Ge(2), Le(100_000), "strategies on the search grid of every player"] = 1024

    needs: ClassVar[tuple[Need, ...]] = (PAYOFFS,)

    def world(self, game: Any) -> OracleGame:
        """The game itself: atoms are added as they are found."""
        return OracleGame(precise(game))

    def length(self, world: OracleGame) -> int:
        """The rounds."""
        return self.rounds

    def begin(self, world: OracleGame, stream: np.random.SeedSequence) -> Session:
        """One drawn atom a player."""
        key = jax.random.wrap_key_data(put(stream.generate_state(2, np.uint32)))
        return self.begin_at(world, stream, world.game.space.sample(key))

    def begin_at(self, world: OracleGame, stream: np.random.SeedSequence, start: Any) -> Session:
        """Every player's strategy in the profile ``start`` is its first atom."""
        atoms = np.array(start, dtype=float)[:, None, :]
        players = len(atoms)
        return {
            "atoms": atoms,  # [player action axis], NaN where a player has fewer
            "tables": np.full((players, *(1,) * players), np.nan),  # [player action_0 action_1 ..]
            "weights": np.ones((players, 1)),
            "played": np.zeros((players, 1), dtype=np.int64),  # the last round in which an atom had weight
            "gap": np.zeros((0, players)),
            "seen": np.ones(players, dtype=np.int64),
            "over": np.zeros(1, dtype=np.int64),  # 1: converged, 2: not solved, 3: no reply to add
            "jumps": np.zeros(players, dtype=np.int64),
        }

    def advance(self, world: OracleGame, session: Session, steps: int) -> int:
        """Up to ``steps`` rounds."""
        taken = 0
        while taken < steps and not session["over"][0]:
            self._round(world.game, session)
            taken += 1
        return taken

    def _round(self, game: Any, session: Session) -> None:
        _fill(game, session)
        weights = one_mixed(session["tables"])
        if weights is None:
            session["over"][0] = 2
            return
        session["weights"] = np.zeros(session["played"].shape)
        session["weights"][:, : weights.shape[1]] = weights
        session["played"][session["weights"] > ATOM] = len(session["gap"]) + 1
        responses, gains = self._best_responses(game, session)
        session["gap"] = np.concatenate([session["gap"], gains[None]])
        if not np.all(np.isfinite(gains)):
            session["over"][0] = 2
        elif np.max(gains) <= self.enough * scale(game):
            session["over"][0] = 1
        else:
            gaining = gains > self.enough * scale(game)
            first = not np.any(session["jumps"])
            for player in np.flatnonzero(gaining).tolist():
                away = _beyond_jump(game, session, player, responses[player], self.points)
                if away is not None:
                    responses[player] = away
                    session["jumps"][player] += 1
            _add(session, responses, gaining)
            if first and np.any(session["jumps"]) and responses.shape == (2, 1):
                _spread(game, session, self.most // 2)
            _drop(session, self.most)

    def _best_responses(self, game: Any, session: Session) -> tuple[np.ndarray, np.ndarray]:
        """Every player's best response [player axis] to the others' mixtures, and what it gains [player]."""
        pays = action_payoffs(one_state(session["tables"]), session["weights"])
        value = np.einsum("pa,pa->p", session["weights"], np.nan_to_num(pays))
        best = np.nanargmax(pays, axis=1)
        found = [
            reply_to_mixtures(
                game, session["atoms"], session["weights"], player, int(best[player]), points=self.points
            )
            for player in range(len(value))
        ]
        gains = np.array([response.payoff for response in found]) - value
        return np.stack([response.strategy for response in found]), np.maximum(gains, 0.0)

    def _remedy(self, session: Session) -> str:
        """One line on why a run ended without settling."""
        gap = f"some player still gains {np.max(session['gap'][-1]):.3g}"
        if np.any(session["jumps"]):
            two = len(session["jumps"]) == 2
            return f"{gap}: {JUMPS}; {'raise most' if two else 'solve it on a grid, by mixed_equilibria'}"
        if session["over"][0] == 2:
            return f"{gap}: the finite game on the atoms was not solved; start elsewhere, or use hedge"
        if session["over"][0] == 3:
            return f"{gap}: its best reply is an atom already; payoffs there are too near to rounding"
        return f"{gap}: raise rounds or loosen enough"

    def read(self, world: OracleGame, session: Session) -> Record:
        """The mixtures of the last round, on the atoms that are played."""
        over = int(session["over"][0])
        record: Record = {
            "oracle_gap": (("round", "player"), session["gap"].copy()),
            "atoms": (("player",), session["seen"].copy()),
            "jumps": (("player",), session["jumps"].copy()),
            "status": ((), np.asarray(("iteration limit", "converged", "not found", "not found")[over])),
        }
        if over != 1 and len(session["gap"]):
            record["remedy"] = ((), np.asarray(self._remedy(session)))
        if not len(session["gap"]):
            return record
        places, weights, tables = _told(session)
        pure = bool(np.all((weights > 0).sum(axis=1) == 1))
        record |= mixture_record(world.game, places, weights, one_state(tables))
        return record | {"pure": ((), np.asarray(pure))}


def _beyond_jump(
    game: Any, session: Session, player: int, response: np.ndarray, points: int
) -> np.ndarray | None:
    """The best strategy one grid step away from a reply that lies beside an atom; None where it does not."""
    corners = np.asarray(game.space.grid(player, 2))
    span = float(np.max(np.ptp(corners, axis=0)))
    apart = np.max(np.abs(session["atoms"][player] - response), axis=1)
    if not np.nanmin(apart) <= NEAR * span:
        return None
    step = span / (points - 1)
    near = (
        session["atoms"][:, 0]
        .repeat(2 * len(response), axis=0)
        .reshape(len(session["atoms"]), -1, len(response))
    )
    near = np.swapaxes(near, 0, 1).copy()
    near[:, player] = response + step * np.concatenate([np.eye(len(response)), -np.eye(len(response))])
    tried = np.array([np.asarray(game.space.project(put(x)))[player] for x in near])
    profiles, probabilities = joint_atoms(session["atoms"], session["weights"], without=player)
    pays = np.zeros(len(tried))
    for k, strategy in enumerate(tried):
        profiles[:, player] = strategy
        pays[k] = probabilities @ _payoffs_of(game, profiles)[:, player]
    found: np.ndarray = tried[int(np.argmax(pays))]
    return found


def _payoffs_of(game: Any, profiles: np.ndarray) -> np.ndarray:
    """Payoffs ``[profile player]``, so many at a time that one program does for all."""
    found = np.zeros(profiles.shape[:2])
    for first in range(0, len(profiles), BATCH):
        part = profiles[first : first + BATCH]
        padded = np.concatenate([part, np.repeat(part[:1], BATCH - len(part), axis=0)])
        found[first : first + BATCH] = np.asarray(_payoffs(game, put(padded)))[: len(part)]
    return found


def _fill(game: Any, session: Session) -> None:
    """Payoffs at the joint atoms that have none yet, so many at a time that one program does for all."""
    tables, atoms = session["tables"], session["atoms"]
    wanted = np.argwhere(np.isnan(tables[0]))
    if len(wanted):
        profiles = atoms[np.arange(wanted.shape[1]), wanted]
        tables[(slice(None), *wanted.T)] = _payoffs_of(game, profiles).T


@eqx.filter_jit
def _payoffs(game: Game, profiles: Float[Array, "atom player axis"]) -> Float[Array, "atom player"]:
    return jax.vmap(game.payoffs)(profiles)


def _add(session: Session, responses: np.ndarray, gaining: np.ndarray) -> None:
    """The replies of those who gain become atoms; where all are atoms already, no round would differ."""
    fresh = [p for p in np.flatnonzero(gaining).tolist() if not _known(session["atoms"][p], responses[p])]
    if not fresh:
        session["over"][0] = 3
    for player in fresh:
        _append(session, player, responses[player])


def _append(session: Session, player: int, atom: np.ndarray) -> None:
    """One more atom of a player."""
    count = session["tables"].shape[1 + player]
    if count == session["atoms"].shape[1]:
        _widen(session)
    session["atoms"][player, count] = atom
    session["played"][player, count] = len(session["gap"])
    session["seen"][player] += 1
    room = [(0, int(axis == 1 + player)) for axis in range(session["tables"].ndim)]
    session["tables"] = np.pad(session["tables"], room, constant_values=np.nan)


def _spread(game: Any, session: Session, count: int) -> None:
    """Evenly spread atoms: one reply at a time would outbid or undercut by a step of the grid for ever."""
    for player in range(len(session["atoms"])):
        for atom in np.asarray(game.space.grid(player, count)):
            if not _known(session["atoms"][player], atom):
                _append(session, player, atom)


def _known(atoms: np.ndarray, response: np.ndarray) -> bool:
    apart = np.max(np.abs(atoms - response), axis=1)  # NaN where there is no atom
    return bool(np.any(apart <= SAME * np.max(np.abs(response))))


def _widen(session: Session) -> None:
    """Room for one more atom of every player."""
    session["atoms"] = np.pad(session["atoms"], ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
    for name in ("weights", "played"):
        session[name] = np.pad(session[name], ((0, 0), (0, 1)))


def _drop(session: Session, most: int) -> None:
    """Of a player's atoms beyond ``most``, those go that have been played least lately."""
    for player in range(len(session["atoms"])):
        count = session["tables"].shape[1 + player]
        if count <= most:
            continue
        lately = np.argsort(-session["played"][player, :count], kind="stable")
        keep = np.sort(lately[:most])
        session["tables"] = np.take(session["tables"], keep, axis=1 + player)
        for name, blank in (("atoms", np.nan), ("weights", 0.0), ("played", 0)):
            row = session[name][player, keep]
            session[name][player] = blank
            session[name][player, : len(keep)] = row


def _told(session: Session) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, weights and tables of the atoms that are played."""
    own = [np.flatnonzero(row > ATOM) for row in session["weights"]]
    longest = max(map(len, own))
    places = np.full((len(own), longest, session["atoms"].shape[2]), np.nan)
    weights = np.zeros((len(own), longest))
    for player, at in enumerate(own):
        places[player, : len(at)] = session["atoms"][player, at]
        weights[player, : len(at)] = session["weights"][player, at]
    weights /= weights.sum(axis=1, keepdims=True)
    return places, weights, session["tables"][np.ix_(np.arange(len(own)), *own)]
