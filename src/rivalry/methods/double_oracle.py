"""Double oracle: a finite game that grows by best replies until nobody has a better one."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float

from rivalry._jax import jax, put
from rivalry.game import Game, scale
from rivalry.kernels.shapes import one_state
from rivalry.methods.equilibria import one_mixed
from rivalry.methods.mixtures import ATOM, action_payoffs, mixture_record, reply_to_mixtures
from rivalry.methods.parameters import precise
from rivalry.results import Record

BATCH = 64  # joint atoms whose payoffs are computed by one call of a compiled program
SAME = 1e-12  # of the largest entry: strategies nearer than this are one atom

Session = dict[str, np.ndarray]


class Arena(NamedTuple):
    """The game that is played."""

    game: Any


class DoubleOracle(eqx.Module):
    """A mixed equilibrium of a continuous game, also where best replies go round for ever.

    Players mix over finitely many strategies, the atoms. One step is a round: the finite game on the atoms is
    solved, a pure equilibrium where it has one, else a mixed one by QuantEcon (two players: Lemke and
    Howson's method; more: McLennan and Tourky's, sharpened by Newton's); then everybody's best reply to the
    others' mixtures is sought in the whole space, and becomes an atom. It settles when nobody gains more than
    ``enough`` times the payoff scale, and answers ``no answer`` where the finite game could not be solved
    well enough to go on.

    A best reply is the game's own ``reply_to_mixture(places [player action axis], weights [player action],
    player) -> (strategy, payoff, coverage)``, where it has one; else it is searched from a grid of ``points``
    and from the best atoms, with climbs. Where a player has more than ``most`` atoms, those go that have been
    played least lately.

    The record is that of mixtures: ``mixture`` (player, action), the weights, and ``places`` (player, action,
    axis), those atoms that are played; ``mean_profile``, ``payoff``, ``grid_regret``, expected measures, and
    a certificate of the continuous game, searched anew. ``oracle_gap`` (round, player) is what each round's
    best reply gained, ``atoms`` (player) how many strategies were looked at, and ``pure`` tells that all play
    a single one: a pure equilibrium.

    Source: McMahan, Gordon & Blum, ICML 2003; for continuous games Adam, Horčík, Kasl & Kroupa, AAAI 2021.

    >>> import rivalry as rv
    >>> game = rv.games.matrix("rock_paper_scissors")
    >>> found = rv.learn(game, DoubleOracle(), start=[[1, 0, 0], [0, 1, 0]])
    >>> found.status, found.claim, found.data.mean_profile.values[0].round(6).tolist()
    ('settled', 'no deviation found', [0.333333, 0.333333, 0.333333])
    """

    enough: Annotated[float, Gt(0), "the gain that counts as none, times the payoff scale"] = 1e-7
    rounds: Annotated[int, Ge(1), "most rounds"] = 100
    most: Annotated[int, Ge(2), Le(10_000), "atoms a player keeps"] = 64
    points: Annotated[int, Ge(2), Le(100_000), "strategies on the search grid of every player"] = 1024

    @staticmethod
    def fits(game: Any) -> bool:
        """On one-shot games with payoffs."""
        return hasattr(game, "payoffs")

    def world(self, game: Any) -> Arena:
        """The game itself: atoms are added as they are found."""
        return Arena(precise(game))

    def length(self, world: Arena) -> int:
        """The rounds."""
        return self.rounds

    def begin(self, world: Arena, stream: np.random.SeedSequence) -> Session:
        """One drawn atom a player."""
        key = jax.random.wrap_key_data(put(stream.generate_state(2, np.uint32)))
        return self.begin_at(world, stream, world.game.space.sample(key))

    def begin_at(self, world: Arena, stream: np.random.SeedSequence, start: Any) -> Session:
        """Everybody's strategy in the profile ``start`` is its first atom."""
        atoms = np.array(start, dtype=float)[:, None, :]
        players = len(atoms)
        return {
            "atoms": atoms,  # [player action axis], NaN where a player has fewer
            "tables": np.full((players, *(1,) * players), np.nan),  # [player action_0 action_1 ..]
            "weights": np.ones((players, 1)),
            "played": np.zeros((players, 1), dtype=np.int64),  # the last round in which an atom had weight
            "gap": np.zeros((0, players)),
            "seen": np.ones(players, dtype=np.int64),
            "over": np.zeros(1, dtype=np.int64),  # 1: settled, 2: the finite game was not solved
        }

    def advance(self, world: Arena, session: Session, steps: int) -> int:
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
        replies, gains = self._replies(game, session)
        session["gap"] = np.concatenate([session["gap"], gains[None]])
        if not np.all(np.isfinite(gains)):
            session["over"][0] = 2
        elif np.max(gains) <= self.enough * scale(game):
            session["over"][0] = 1
        else:
            _add(session, replies, gains > self.enough * scale(game))
            _drop(session, self.most)

    def _replies(self, game: Any, session: Session) -> tuple[np.ndarray, np.ndarray]:
        """Everybody's best reply [player axis] to the others' mixtures, and what it gains [player]."""
        pays = action_payoffs(one_state(session["tables"]), session["weights"])
        value = np.einsum("pa,pa->p", session["weights"], np.nan_to_num(pays))
        best = np.nanargmax(pays, axis=1)
        found = [
            reply_to_mixtures(
                game, session["atoms"], session["weights"], player, int(best[player]), points=self.points
            )
            for player in range(len(value))
        ]
        gains = np.array([reply.payoff for reply in found]) - value
        return np.stack([reply.strategy for reply in found]), np.maximum(gains, 0.0)

    def read(self, world: Arena, session: Session) -> Record:
        """The mixtures of the last round, on the atoms that are played."""
        over = int(session["over"][0])
        record: Record = {
            "oracle_gap": (("round", "player"), session["gap"].copy()),
            "atoms": (("player",), session["seen"].copy()),
            "status": ((), np.asarray(("budget spent", "settled", "no answer")[over])),
        }
        if not len(session["gap"]):
            return record
        places, weights, tables = _told(session)
        pure = bool(np.all((weights > 0).sum(axis=1) == 1))
        record |= mixture_record(world.game, places, weights, one_state(tables))
        return record | {"pure": ((), np.asarray(pure))}


def _fill(game: Any, session: Session) -> None:
    """Payoffs at the joint atoms that have none yet, so many at a time that one program does for all."""
    tables, atoms = session["tables"], session["atoms"]
    wanted = np.argwhere(np.isnan(tables[0]))
    for first in range(0, len(wanted), BATCH):
        part = wanted[first : first + BATCH]
        joint = np.concatenate([part, np.repeat(part[:1], BATCH - len(part), axis=0)])
        profiles = atoms[np.arange(joint.shape[1]), joint]
        tables[(slice(None), *part.T)] = np.asarray(_payoffs(game, put(profiles)))[: len(part)].T


@eqx.filter_jit
def _payoffs(game: Game, profiles: Float[Array, "atom player axis"]) -> Float[Array, "atom player"]:
    return jax.vmap(game.payoffs)(profiles)


def _add(session: Session, replies: np.ndarray, gaining: np.ndarray) -> None:
    """The replies of those who gain become atoms; where all are atoms already, no round would differ."""
    fresh = [p for p in np.flatnonzero(gaining) if not _known(session["atoms"][p], replies[p])]
    if not fresh:
        session["over"][0] = 2
    now = len(session["gap"])
    for player in fresh:
        count = session["tables"].shape[1 + player]
        if count == session["atoms"].shape[1]:
            _widen(session)
        session["atoms"][player, count] = replies[player]
        session["played"][player, count] = now
        session["seen"][player] += 1
        room = [(0, int(axis == 1 + player)) for axis in range(session["tables"].ndim)]
        session["tables"] = np.pad(session["tables"], room, constant_values=np.nan)


def _known(atoms: np.ndarray, reply: np.ndarray) -> bool:
    apart = np.max(np.abs(atoms - reply), axis=1)  # NaN where there is no atom
    return bool(np.any(apart <= SAME * np.max(np.abs(reply))))


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
