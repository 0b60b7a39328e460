"""All pure equilibria of a finite game by enumeration; mixed ones by QuantEcon."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Annotated, Any, Literal

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt

from rivalry.kernels.shapes import stateless_tables
from rivalry.results import Record

TIES = 1e-12  # payoffs this close, relative to their range, are equal
SAME = 1e-6  # equilibria this close in every probability are one
PAIRS = 200_000  # most pairs of supports that "auto" enumerates

Session = dict[str, np.ndarray]


class PureEquilibria(eqx.Module):
    """Every pure equilibrium of a finite game: the joint actions from which nobody gains by another action.

    One step checks one player on all joint actions. The record holds ``equilibria`` (equilibrium, player,
    action), row-major by joint action, ``equilibrium_payoff`` and ``equilibrium_count``; the profile is the
    first. Without any the status is ``no answer``.

    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.matrix("chicken"), PureEquilibria())
    >>> int(found.data.equilibrium_count), found.claim
    (2, 'equilibrium')
    """

    def begin(self, world: Any, stream: np.random.SeedSequence) -> Session:
        joint = stateless_tables(world)[0].size
        return {"stable": np.ones(joint, dtype=bool), "checked": np.zeros(1, dtype=np.int64)}

    def advance(self, world: Any, session: Session, steps: int) -> int:
        tables = stateless_tables(world)
        first = int(session["checked"][0])
        last = min(first + steps, len(tables))
        for player in range(first, last):
            session["stable"] &= _best(tables, player).ravel()
        session["checked"][0] = last
        return last - first

    def read(self, world: Any, session: Session) -> Record:
        tables = stateless_tables(world)
        sizes = tables.shape[1:]
        if session["checked"][0] < len(tables):
            return _told(tables, np.zeros((0, len(sizes), max(sizes))), "budget spent")
        return _told(tables, _vertices(session["stable"].reshape(sizes)), "settled")


class MixedEquilibria(eqx.Module):
    """Equilibria of a finite game in mixed strategies, by QuantEcon.

    Two players: ``support_enumeration`` or ``vertex_enumeration`` find all equilibria of a game that is not
    degenerate, ``lemke_howson`` one from every label. More players: all pure ones, and one from every start
    by ``mclennan_tourky``; what it finds is sharpened by Newton's method on the support. ``auto`` takes
    vertices for two players where ties or sizes ask for it, supports otherwise.

    The record holds ``equilibria`` (equilibrium, player, action), fewest played actions first,
    ``equilibrium_payoff``, ``equilibrium_count``, ``degenerate`` (whether ties were seen that make the game
    degenerate; there may be a continuum of equilibria, of which only some are listed) and ``complete``:
    ``all``, or ``some`` where more may exist. The profile is the first.

    Sources: von Stengel, ch. 3 of "Algorithmic Game Theory", 2007; McLennan and Tourky, "From imitation games
    to Kakutani", 2006; QuantEcon.py.

    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.matrix("battle_of_the_sexes"), MixedEquilibria())
    >>> found.data.equilibria[2].values.round(6).tolist()
    [[0.6, 0.4], [0.4, 0.6]]
    """

    algorithm: Literal[
        "auto", "support_enumeration", "vertex_enumeration", "lemke_howson", "mclennan_tourky"
    ] = "auto"
    searches: Annotated[int, Ge(1), "of mclennan_tourky: from the uniform profile, then from pure ones"] = 16
    epsilon: Annotated[float, Gt(0), "how exact mclennan_tourky is, times the payoffs' range"] = 1e-4

    def begin(self, world: Any, stream: np.random.SeedSequence) -> Session:
        tables = stateless_tables(world)
        algorithm = self._algorithm(tables)
        if len(tables) > 2 and algorithm != "mclennan_tourky":
            raise ValueError(f"algorithm: {algorithm} is for two players; this game has {len(tables)}")
        sizes = tables.shape[1:]
        return {"found": np.zeros((0, len(sizes), max(sizes))), "taken": np.zeros(1, dtype=np.int64)}

    def advance(self, world: Any, session: Session, steps: int) -> int:
        tables = stateless_tables(world)
        algorithm = self._algorithm(tables)
        begin = self._starts(tables.shape[1:]) if algorithm == "mclennan_tourky" else [()]
        first = int(session["taken"][0])
        last = min(first + steps, len(begin))
        if first == 0 and algorithm == "mclennan_tourky":
            session["found"] = _pure(tables)
        for start in begin[first:last]:
            for profile in _by_quantecon(tables, algorithm, start, self.epsilon):
                session["found"] = _with(session["found"], profile)
        session["taken"][0] = last
        return last - first

    def read(self, world: Any, session: Session) -> Record:
        tables = stateless_tables(world)
        algorithm = self._algorithm(tables)
        found = session["found"]
        order = sorted(
            range(len(found)), key=lambda k: ((found[k] > SAME).sum(), (-found[k]).ravel().tolist())
        )
        found = found[order]
        record = _told(tables, found, "settled" if session["taken"][0] else "budget spent")
        degenerate = _ties(tables) or any(_idle_best(tables, x) for x in found)
        all_found = algorithm.endswith("enumeration") and not degenerate and len(found) > 0
        record["degenerate"] = ((), np.asarray(degenerate))
        record["complete"] = ((), np.asarray("all" if all_found else "some"))
        return record

    def _algorithm(self, tables: np.ndarray) -> str:
        if self.algorithm != "auto":
            return self.algorithm
        if len(tables) > 2:
            return "mclennan_tourky"
        rows, columns = tables.shape[1:]
        many = comb(rows + columns, rows) > PAIRS
        return "vertex_enumeration" if many or _ties(tables) else "support_enumeration"

    def _starts(self, sizes: Sequence[int]) -> list[tuple[Any, ...]]:
        joint = int(np.prod(sizes))
        chosen = np.unique(np.linspace(0, joint - 1, min(self.searches - 1, joint)).round().astype(int))
        pure = [tuple(int(a) for a in np.unravel_index(k, sizes)) for k in chosen]
        return [tuple(np.full(size, 1.0 / size) for size in sizes), *pure]


def one_mixed(tables: np.ndarray, *, epsilon: float = 1e-4) -> np.ndarray | None:
    """One equilibrium ``[player action]`` of ``tables [player action_0 ..]``; None where none is found.

    A pure one, if there is any; else what Lemke and Howson's method finds (two players), from one label after
    the other, or McLennan and Tourky's, from the uniform profile and then from pure ones.

    >>> pennies = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
    >>> one_mixed(pennies).round(6).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    pure = _pure(tables)
    if len(pure):
        first: np.ndarray = pure[0]
        return first
    sizes = tables.shape[1:]
    if len(tables) == 2:
        tries: list[tuple[str, Any]] = [("one_label", label) for label in range(sum(sizes))]
    else:
        tries = [("mclennan_tourky", start) for start in MixedEquilibria()._starts(sizes)]
    for algorithm, start in tries:
        found = _by_quantecon(tables, algorithm, start, epsilon)
        if found:
            return found[0]
    return None


def _told(tables: np.ndarray, found: np.ndarray, status: str) -> Record:
    """What both classes store: the equilibria [equilibrium player action], and the first as the profile."""
    none = np.full(found.shape[1:], np.nan)
    status = "no answer" if status == "settled" and not len(found) else status
    pays = np.array([_payoffs(tables, x) for x in found]).reshape(len(found), len(tables))
    return {
        "profile": (("player", "axis"), found[0] if len(found) else none),
        "status": ((), np.asarray(status)),
        "equilibria": (("equilibrium", "player", "action"), found),
        "equilibrium_payoff": (("equilibrium", "player"), pays),
        "equilibrium_count": ((), np.asarray(len(found))),
    }


def _slack(tables: np.ndarray) -> float:
    return TIES * max(1.0, float(np.ptp(tables)))


def _best(tables: np.ndarray, player: int) -> np.ndarray:
    """True at joint actions where the player's own is a best reply."""
    own = tables[player]
    best: np.ndarray = own >= own.max(axis=player, keepdims=True) - _slack(tables)
    return best


def _vertices(chosen: np.ndarray) -> np.ndarray:
    """The joint actions that are True, as profiles [equilibrium player action]."""
    joint = np.argwhere(chosen)
    found = np.zeros((len(joint), chosen.ndim, max(chosen.shape)))
    np.put_along_axis(found, joint[:, :, None], 1.0, axis=2)
    return found


def _pure(tables: np.ndarray) -> np.ndarray:
    return _vertices(np.logical_and.reduce([_best(tables, player) for player in range(len(tables))]))


def _ties(tables: np.ndarray) -> bool:
    """Whether somebody has two best replies to the pure actions of the others."""
    return any(bool(np.any(_best(tables, player).sum(axis=player) > 1)) for player in range(len(tables)))


def _idle_best(tables: np.ndarray, x: np.ndarray) -> bool:
    """Whether somebody has a best reply at ``x`` that is not played."""
    for player, size in enumerate(tables.shape[1:]):
        values = _without(tables[player], x, (player,))
        best = values >= values.max() - 1e-7 * max(1.0, float(np.ptp(tables)))
        if np.any(best & (x[player, :size] <= SAME)):
            return True
    return False


def _without(table: np.ndarray, x: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
    """A table averaged over the mixtures of all players but those ``kept``, whose axes stay in order."""
    rest = table
    for player in reversed(range(table.ndim)):
        if player not in kept:
            rest = np.tensordot(rest, x[player, : table.shape[player]], axes=(player, 0))
    return rest


def _payoffs(tables: np.ndarray, x: np.ndarray) -> list[float]:
    return [float(_without(table, x, ())) for table in tables]


def _with(found: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """``found`` and the profile, unless it is already there."""
    if any(np.max(np.abs(known - profile)) < SAME for known in found):
        return found
    return np.concatenate([found, profile[None]])


def _by_quantecon(tables: np.ndarray, algorithm: str, start: Any, epsilon: float) -> list[np.ndarray]:
    """Profiles [player action] that QuantEcon's algorithm finds, those that are no equilibria left out."""
    from quantecon import game_theory as qe

    players = len(tables)
    # QuantEcon's tables have the own action first, then the others' in cyclic order
    turned = [np.transpose(tables[p], [*range(p, players), *range(p)]) for p in range(players)]
    game = qe.NormalFormGame([qe.Player(np.ascontiguousarray(table)) for table in turned])
    if algorithm == "mclennan_tourky":
        exact = epsilon * max(float(np.ptp(tables)), 1e-300)
        raw = [qe.mclennan_tourky(game, init=start, epsilon=exact)]
    elif algorithm == "one_label":
        raw = [qe.lemke_howson(game, init_pivot=start)]
    elif algorithm == "lemke_howson":
        raw = [qe.lemke_howson(game, init_pivot=label) for label in range(sum(tables.shape[1:]))]
    else:
        raw = getattr(qe, algorithm)(game)
    profiles = [_padded(profile, max(tables.shape[1:])) for profile in raw]
    sharp = [_sharpened(tables, x) for x in profiles]
    allowed = 1e-8 * max(1.0, float(np.ptp(tables)))
    return [x for x in sharp if _regret(tables, x) <= allowed]


def _padded(profile: Sequence[np.ndarray], length: int) -> np.ndarray:
    return np.stack([np.pad(np.asarray(row, dtype=float), (0, length - len(row))) for row in profile])


def _regret(tables: np.ndarray, x: np.ndarray) -> float:
    values = [_without(table, x, (player,)) for player, table in enumerate(tables)]
    return max(float(v.max() - v @ x[p, : len(v)]) for p, v in enumerate(values))


def _sharpened(tables: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``x`` after Newton's method on its support, if it then is closer to an equilibrium.

    Which actions are played is guessed at several thresholds: an approximation plays some by mistake.
    """
    best, regret = x, _regret(tables, x)
    if regret <= 1e-15 * max(1.0, float(np.ptp(tables))):
        return x
    for threshold in (1e-2, 1e-3, 1e-4, 1e-6):
        there = _newton(tables, x, x > threshold)
        if there is not None and (new := _regret(tables, there)) < regret:
            best, regret = there, new
    return best


def _newton(tables: np.ndarray, x: np.ndarray, played: np.ndarray) -> np.ndarray | None:
    """Equal payoffs on the support and probabilities that sum to one; None where that has no such answer."""
    if not np.all(played.any(axis=1)):
        return None
    x = np.where(played, x, 0.0)
    x = x / x.sum(axis=1, keepdims=True)
    place = [np.flatnonzero(row) for row in played]
    for _ in range(30):
        residual, slope = _indifference(tables, x, place)
        move = np.linalg.lstsq(slope, -residual, rcond=None)[0]
        at = 0
        for player, actions in enumerate(place):
            x[player, actions] += move[at : at + len(actions)]
            at += len(actions)
        if not np.all(np.isfinite(x)) or np.max(np.abs(x)) > 10:
            return None
        if np.max(np.abs(move)) < 1e-15:
            break
    if np.min(x) < -1e-12:
        return None
    x = np.maximum(x, 0.0)
    scaled: np.ndarray = x / x.sum(axis=1, keepdims=True)
    return scaled


def _indifference(
    tables: np.ndarray, x: np.ndarray, place: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of the support's equations and their slope, both stacked player by player."""
    starts = np.concatenate([[0], np.cumsum([len(actions) for actions in place])])
    residual = np.zeros(starts[-1])
    slope = np.zeros((starts[-1], starts[-1]))
    for i, mine in enumerate(place):
        rows = slice(starts[i], starts[i + 1] - 1)
        values = _without(tables[i], x, (i,))[mine]
        residual[rows] = values[1:] - values[0]
        residual[starts[i + 1] - 1] = x[i, mine].sum() - 1.0
        slope[starts[i + 1] - 1, starts[i] : starts[i + 1]] = 1.0
        for j, theirs in enumerate(place):
            if j != i:
                pair = _without(tables[i], x, (i, j))
                pair = (pair if i < j else pair.T)[np.ix_(mine, theirs)]
                slope[rows, starts[j] : starts[j + 1]] = pair[1:] - pair[0]
    return residual, slope
