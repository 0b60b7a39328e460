"""Gambit's side."""

import io

import numpy as np
import pygambit
from pygambit import nash

from benchmarks.peers.clock import serve


def _listed(found):
    return [[[float(chance) for _, chance in row] for row in profile] for profile in found.equilibria]


def all_equilibria(A, B):
    game = pygambit.StrategicGame.from_arrays(np.array(A), np.array(B))
    return _listed(nash.enummixed_solve(game, rational=False))


def exact_equilibria(A, B):
    game = pygambit.StrategicGame.from_arrays(np.array(A), np.array(B))
    return _listed(nash.enummixed_solve(game, rational=True))


def tree_value(tree):
    game = pygambit.read_efg(io.BytesIO(tree.encode()))
    found = nash.lp_solve(game, rational=False).equilibrium
    return float(found.payoffs["first"])


if __name__ == "__main__":
    serve("pygambit", globals())
