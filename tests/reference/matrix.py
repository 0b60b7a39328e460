"""Answers to the cases of matrix reference files, through the package's public interface."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import rivalry as rv


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """All extreme equilibria of one game, in the order of the case as far as they are the same."""
    if case["kind"] != "all_equilibria":
        raise ValueError(f"kind {case['kind']!r} is not answered")
    game = rv.games.matrix(payoffs=case["inputs"]["payoffs"])
    data = rv.solve(game, rv.methods.MixedEquilibria()).data
    ours = [
        [x[player, :size].tolist() for player, size in enumerate(game.sizes)] for x in data.equilibria.values
    ]
    return {
        "extreme_equilibria": _in_order(ours, case["expected"]["extreme_equilibria"]),
        "extreme_count": int(data.extreme_count),
        "pure_count": int(data.pure_count),
        "component_count": int(data.component_count),
        "complete": "all" if bool(data.complete) else "some",
    }


def _in_order(ours: Sequence[Any], expected: Sequence[Any]) -> list[Any]:
    """``ours`` with each of ``expected`` at its place where it is among them; the others last."""
    left = list(ours)
    found = []
    for want in expected:
        apart = [np.max(np.abs(np.concatenate(x) - np.concatenate(want))) for x in left]
        if apart and min(apart) < 1e-6:
            found.append(left.pop(int(np.argmin(apart))))
    return found + left
