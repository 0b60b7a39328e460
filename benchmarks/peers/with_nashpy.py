"""Nashpy's side."""

import nashpy
import numpy as np

from benchmarks.peers.clock import serve


def all_equilibria(A, B):
    return list(nashpy.Game(A, B).support_enumeration())


def lemke_howson(A, B):
    return list(nashpy.Game(A, B).lemke_howson_enumeration())


def fictitious_play(A, B, periods):
    np.random.seed(1)  # noqa: NPY002, Nashpy draws from it
    *_, counts = nashpy.Game(A, B).fictitious_play(iterations=periods)
    return [count / count.sum() for count in counts]


def replicator(A, B, start, end):
    game = nashpy.Game(A, B)
    rows, columns = game.asymmetric_replicator_dynamics(*map(np.array, start), np.array([0.0, end]))
    return rows[-1], columns[-1]


if __name__ == "__main__":
    serve("nashpy", globals())
