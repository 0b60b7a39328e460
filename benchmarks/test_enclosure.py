"""Bounds on the gradient and the Jacobian of the three-player influencer game: boxes per second.

The rivals are the same rules in NumPy, written for this game alone, and Arb (python-flint) at 53 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmarks.conftest import size

BOXES = size(128, 4)
REACH = 0.17


class Ends(NamedTuple):
    """Intervals ``low`` to ``high``."""

    low: np.ndarray
    high: np.ndarray


def outward(low: np.ndarray, high: np.ndarray) -> Ends:
    """Move rounded ends outward, as ours are."""
    eps, tiny = 8.9e-16, 1e-290
    return Ends(low - (np.abs(low) * eps + tiny), high + (np.abs(high) * eps + tiny))


def add(a: Ends, b: Ends) -> Ends:
    return outward(a.low + b.low, a.high + b.high)


def less(a: Ends, b: Ends) -> Ends:
    return outward(a.low - b.high, a.high - b.low)


def times(a: Ends, b: Ends) -> Ends:
    corners = a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high
    return outward(np.minimum.reduce(corners), np.maximum.reduce(corners))


def squared(a: Ends) -> Ends:
    most = np.maximum(np.abs(a.low), np.abs(a.high))
    least = np.maximum(np.maximum(a.low, -a.high), 0.0)
    return outward(least * least, most * most)


def total(a: Ends, axis: int) -> Ends:
    error = np.maximum(np.abs(a.low), np.abs(a.high)).sum(axis) * (a.low.shape[axis] * 2.3e-16)
    return Ends(a.low.sum(axis) - error, a.high.sum(axis) + error)


def in_numpy(game: Any) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return lower and upper bounds of the gradient ``[box player]`` and its Jacobian, side by side."""
    b, weights = np.asarray(game.points)[:, 0], np.asarray(game.weights)
    inverse = Ends(*[np.array(1 / REACH**2)] * 2)
    half = Ends(*[np.array(-0.5 / REACH**2)] * 2)

    def bounds(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        apart = outward(b - high[..., None], b - low[..., None])
        logs = times(squared(apart), half)
        parts = outward(np.exp(logs.low), np.exp(logs.high))
        whole = total(parts, 1)
        slack = whole.high[:, None] * 1e-14
        most = whole.high[:, None] - parts.high + slack
        least = np.maximum(whole.low[:, None] - parts.low - slack, 0.0)
        share = outward(parts.low / (parts.low + most), parts.high / (parts.high + least))
        top = np.clip(0.5, share.low, share.high)
        spread = outward(
            np.minimum(share.low * (1 - share.low), share.high * (1 - share.high)), top * (1 - top)
        )
        weight = Ends(weights, weights)
        scaled = times(apart, inverse)
        each = times(times(spread, scaled), weight)
        one, two = Ends(*[np.array(1.0)] * 2), Ends(*[np.array(2.0)] * 2)
        tilt = less(one, times(two, share))
        own = times(weight, times(spread, less(times(squared(scaled), tilt), inverse)))
        slope, diagonal = total(each, 2), total(own, 2)
        ends = [slope.low], [slope.high]
        for i in range(3):
            si, ai, ti = (Ends(x.low[:, i], x.high[:, i]) for x in (share, scaled, tilt))
            for j in range(3):
                if i == j:
                    cross = Ends(diagonal.low[:, i], diagonal.high[:, i])
                else:
                    sj, aj = (Ends(x.low[:, j], x.high[:, j]) for x in (share, scaled))
                    product = times(times(si, sj), times(times(ai, aj), ti))
                    cross = total(times(Ends(-weights, -weights), product), 1)
                ends[0].append(cross.low[:, None])
                ends[1].append(cross.high[:, None])
        return np.concatenate(ends[0], axis=1), np.concatenate(ends[1], axis=1)

    return bounds


def in_arb(game: Any) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the same bounds by balls of Arb, a box at a time."""
    flint = pytest.importorskip("flint")
    arb = flint.arb
    points, weights = ([arb(float(x)) for x in np.ravel(row)] for row in (game.points, game.weights))
    inverse = 1 / arb(REACH) ** 2

    def one(low: np.ndarray, high: np.ndarray) -> list[Any]:
        x = [arb(float(a)).union(arb(float(b))) for a, b in zip(low, high, strict=True)]
        slope, matrix = [arb(0)] * 3, [[arb(0)] * 3 for _ in range(3)]
        for point, weight in zip(points, weights, strict=True):
            apart = [(point - y) * inverse for y in x]
            parts = [(-((point - y) ** 2) * inverse / 2).exp() for y in x]
            whole = sum(parts)
            share = [part / whole for part in parts]
            for i in range(3):
                spread = share[i] * (1 - share[i])
                tilt = 1 - 2 * share[i]
                slope[i] += weight * spread * apart[i]
                for j in range(3):
                    if i == j:
                        matrix[i][i] += weight * spread * (apart[i] ** 2 * tilt - inverse)
                    else:
                        matrix[i][j] -= weight * share[i] * share[j] * apart[i] * apart[j] * tilt
        return [*slope, *matrix[0], *matrix[1], *matrix[2]]

    def bounds(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [one(a, b) for a, b in zip(low, high, strict=True)]
        return tuple(
            np.array([[float(getattr(x, end)()) for x in row] for row in found]) for end in ("lower", "upper")
        )

    return bounds


def boxes(count: int) -> tuple[np.ndarray, np.ndarray]:
    middle = np.random.default_rng(0).random((count, 3))
    return middle - 1e-3, middle + 1e-3


def test_enclosure(race: Callable[..., Any]) -> None:
    import rivalry as rv
    from rivalry.core import oracles
    from rivalry.proofs.arithmetic.enclosure import enclosed
    from rivalry.proofs.arithmetic.intervals import Interval
    from rivalry.proofs.arithmetic.stop_gradients import shifted
    from rivalry.runtime.jax import jax

    game = rv.games.influencer(reach=[REACH] * 3, resource="bimodal")

    def slopes(game: Any, y: Any) -> tuple[Any, Any]:
        slope = shifted(lambda y: oracles.gradients(game, y[:, None])[:, 0], y)
        return slope(y)[0], jax.jacfwd(lambda z: slope(z)[0])(y)

    def bounds(game: Any, low: Any, high: Any) -> list[Any]:
        first, second = enclosed(slopes, (game,), Interval(low, high)).values
        rows = [(getattr(first, end), getattr(second, end)) for end in ("low", "high")]
        return [np.concatenate([a, b.reshape(len(b), -1)], axis=1) for a, b in rows]

    def overlap(ours: Any, theirs: Any) -> None:
        low, high = np.maximum(ours[0], theirs[0]), np.minimum(ours[1], theirs[1])
        assert np.all(low <= high), "bounds of one number must overlap"

    given = boxes(BOXES)
    numpy, arb = in_numpy(game), in_arb(game)

    def ours() -> list[np.ndarray]:
        return bounds(game, *given)

    def raced(theirs: Callable[..., Any], rival: str, name: str, target: float | None) -> None:
        race(ours, lambda: theirs(*given), rival=rival, same=overlap, items=BOXES, target=target, name=name)

    raced(numpy, "NumPy, this game alone", "enclosure", 0.5)
    raced(arb, "Arb", "enclosure / Arb", None)
