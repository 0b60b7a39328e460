"""What is wrong with a setting's claims and lists, beside what the referee finds."""

import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import rivalry as rv
from tests.duel import referee
from tests.duel.draws import Setting
from tests.duel.referee import Arena

SECONDS = 2.0  # of a method or a list, compilation apart
LAST_DIGITS = 128 * np.finfo(float).eps  # of a payoff: smaller gains are none


class Fault(NamedTuple):
    """A wrong word: its kind, and what contradicts it. What a search has missed is none."""

    kind: str
    text: str


class Duel(NamedTuple):
    """What a setting's words are, and which of them are wrong."""

    name: str
    words: list[str]
    faults: list[Fault]

    def lines(self) -> list[str]:
        """Return a line per fault."""
        return [f"{self.name}: {one.kind}: {one.text}" for one in self.faults]


def duel(setting: Setting, seed: int = 0) -> Duel:
    """Solve a setting, certify other profiles and list its equilibria, each beside brute force."""
    rng = np.random.default_rng(seed)
    found = Duel(setting.name, [], [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        game = tried(setting.make, "factory", found)
        if game is None:
            return found
        black = referee.black_box(game)
        one = referee.arena(game, setting.payoff(game) if setting.payoff else black)
        _compare(game, one, rng, found)
        for method in setting.methods:
            solved = tried(
                lambda m=method: rv.solve(game, m, max_seconds=SECONDS, path=False),
                type(method).__name__,
                found,
            )
            if solved is not None and "profile" in solved.data and solved.certificate is not None:
                x = np.asarray(solved.profile.values, dtype=float).reshape(one.low.shape)
                judged(game, one, x, solved.certificate, rng, found, type(method).__name__, setting.wider)
            if solved is not None and setting.family == "matrix" and "complete" in solved.data:
                listed(game, one, solved.data, lambda: referee.isolated(one), rng, found)
        for x in _profiles(one, rng, rounds=12 if setting.payoff else 3):
            proof = tried(lambda x=x: rv.certificate(game, x), "certificate", found)
            if proof is not None:
                judged(game, one, x, proof, rng, found, "certificate", setting.wider)
        if setting.lists and setting.payoff and one.low.size <= 6 and not one.simplex:
            every = rv.methods.AllEquilibria()
            solved = tried(lambda: rv.solve(game, every, max_seconds=SECONDS, tolerance=None), "list", found)
            if solved is not None:
                listed(game, one, solved.data, lambda: referee.rest_points(one, rng), rng, found)
    return found


def tried(do: Callable[[], Any], what: str, found: Duel) -> Any:
    """Return a result; a refusal must be a `ValueError` of the package, in one line."""
    try:
        return do()
    except ValueError as error:
        text = str(error)
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        if " is above the bound " in text:
            found.faults.append(Fault("false bound", f"{what}: {text[:200]}"))
        elif "\n" in text or not Path(last).is_relative_to(Path(rv.__file__).parent):
            found.faults.append(Fault("error", f"{what}: {text[:200]!r} from {last}"))
        else:
            found.words.append(f"{what}: refused")
    except Exception as error:  # what a user must never see
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        found.faults.append(
            Fault("error", f"{what}: {type(error).__name__}: {str(error)[:200]!r} from {last}")
        )
    return None


def _compare(game: Any, one: Arena, rng: np.random.Generator, found: Duel) -> None:
    """Compare payoffs written out with the game's at some profiles."""
    from rivalry.core.payoffs import payoffs

    for _ in range(3):
        x = _spread(one, rng)
        own = tried(lambda x=x: np.asarray(payoffs(game, x), dtype=float), "payoffs", found)
        if own is None:
            return
        written = np.array([referee.at(one, x, player)[0] for player in range(len(x))])
        own = np.where(np.isnan(own) | (written == -np.inf), -np.inf, own)  # or breaks a shared constraint
        if not np.allclose(
            own, written, rtol=1e-7, atol=1e-9 * np.abs(written[np.isfinite(written)]).max(initial=1e-300)
        ):
            found.faults.append(
                Fault("payoffs", f"{own.tolist()} at {x.tolist()}, by the formula {written.tolist()}")
            )
            return


def _spread(one: Arena, rng: np.random.Generator) -> np.ndarray:
    """Return a profile of choices of all sizes, with zeros and upper ends among them."""
    if one.simplex:
        return np.concatenate(
            [referee.project(one, p, rng.random((1, one.low.shape[1])) ** 2) for p in range(len(one.low))]
        )
    share = 10.0 ** -rng.uniform(0, 6, one.low.shape)
    share = np.select([rng.random(share.shape) < 0.1, rng.random(share.shape) < 0.15], [0.0, 1.0], share)
    return one.low + (one.high - one.low) * share


def _profiles(one: Arena, rng: np.random.Generator, rounds: int) -> list[np.ndarray]:
    """Return the profiles that are certified: where best responses rest, one near it, and one anywhere."""
    start = one.low + (one.high - one.low) * 0.1
    if one.simplex:
        start = _spread(one, rng)
    rest = referee.settle(one, start, rng, rounds)
    if rest is None or np.any(rest > one.high):
        return [_spread(one, rng)]
    steps = 10.0 ** -rng.uniform(1, 8) * rng.standard_normal(rest.shape)
    near = np.clip(rest * (1 + steps), one.low, one.high)
    if one.simplex:
        near = np.concatenate([referee.project(one, p, row[None]) for p, row in enumerate(near)])
    return [rest, near, _spread(one, rng)]


def judged(
    game: Any,
    one: Arena,
    x: np.ndarray,
    proof: Any,
    rng: np.random.Generator,
    found: Duel,
    what: str,
    wider: bool = False,
) -> None:
    """Add what is wrong with a certificate."""
    claim = proof.claim
    found.words.append(f"{what}: {claim}")
    gained, rounding = referee.gains(one, x, rng)
    tolerance = np.broadcast_to(np.asarray(proof.tolerance, dtype=float), gained.shape)
    last = rounding / referee.ROUNDING * LAST_DIGITS
    over = gained - np.minimum(proof.bound, 1e300) - rounding
    here = [float(referee.at(one, x, p)[0]) for p in range(len(x))]
    bound = np.asarray(proof.bound).tolist()
    text = f"{what} at {x.tolist()}, payoffs {here}: gains {gained.tolist()}, {claim}, bound {bound}"
    if claim == "equilibrium" and np.any(gained > tolerance + rounding):
        found.faults.append(Fault("false equilibrium", f"{text}, tolerance {tolerance.tolist()}"))
    elif np.any(over > 0):
        found.faults.append(Fault("false bound", text))
    elif claim == "not an equilibrium" and np.all(gained <= last) and not wider:
        # what the package has found may be what the referee has missed
        extra = [np.asarray(rv.best_response(game, x, p)[0], dtype=float) for p in range(len(x))]
        gained, rounding = referee.gains(one, x, rng, extra)
        gained = np.maximum(gained, [referee.gain_near_zero(one, x, p, rng) for p in range(len(x))])
        if np.all(gained <= last):
            regret = np.asarray(proof.regret).tolist()
            found.faults.append(Fault("false refutation", f"{text}, regret {regret}, {proof.method}"))
        else:
            found.words.append("the referee missed a gain")
    elif claim == "no deviation found" and np.any(gained > 10 * (tolerance + rounding)):
        found.words.append(f"missed by a search: {text}")
    elif claim != "equilibrium" and np.all(gained <= last):
        found.words.append(f"weaker than it could be: {claim}")


def listed(
    game: Any,
    one: Arena,
    data: Any,
    rest_points: Callable[[], list[np.ndarray]],
    rng: np.random.Generator,
    found: Duel,
) -> None:
    """Add what is wrong with a list of equilibria."""
    complete, entries = bool(data.complete), np.asarray(data.equilibria.values, dtype=float)
    radius = np.asarray(data.radius.values, dtype=float) if "radius" in data else np.zeros(len(entries))
    found.words.append("list: complete" if complete else "list: incomplete")
    width = one.high - one.low
    for x, within in zip(entries, radius, strict=True):
        gained, rounding = referee.gains(one, x, rng)
        allowed = np.maximum(rv.certificate(game, x).tolerance, rounding)
        if within <= 1e-6 * width.max() and np.any(gained > allowed):
            found.faults.append(
                Fault("false entry", f"{x.tolist()} within {within:.2g}: gains {gained.tolist()}")
            )
    if not complete:
        return
    for x in rest_points():
        near = [
            np.all(np.abs(x - other) <= within + 1e-4 * np.maximum(np.abs(x), 1e-6 * width))
            for other, within in zip(entries, radius, strict=True)
        ]
        sets = data.equilibrium_set.values if "equilibrium_set" in data else []
        slack = 1e-6 * width
        near += [np.all((x >= ends[..., 0] - slack) & (x <= ends[..., 1] + slack)) for ends in sets]
        if not any(near):
            claim = rv.certificate(game, x).claim
            text = f"complete ({data.complete_reason.item()}) without {x.tolist()} ({claim})"
            found.faults.append(Fault("false list", f"{text}; lists {entries.tolist()}"))
