"""QuantEcon.py's side."""

import numpy as np
import quantecon as qe
from quantecon import game_theory

from benchmarks.peers.clock import serve


def _game(A, B):
    return game_theory.NormalFormGame((game_theory.Player(A), game_theory.Player(np.transpose(B).copy())))


def all_equilibria(A, B):
    return game_theory.vertex_enumeration(_game(A, B))


def stack_of_games(games, size):
    payoffs = np.random.default_rng(1).random((games, 2, size, size))
    return [all_equilibria(A, B) for A, B in payoffs]


def lemke_howson(A, B):
    game = _game(A, B)
    return [game_theory.lemke_howson(game, k) for k in range(len(A) + len(B))]


def fictitious_play(A, B, periods):
    return game_theory.FictitiousPlay(_game(A, B)).play(num_reps=periods, random_state=1)


def linear_quadratic(A, B, R, Q, discount):
    none, cross = np.zeros((1, 1)), np.zeros((3, 1))
    B, R, Q = np.array(B), np.array(R), np.array(Q)
    costs = *R, *Q, none, none, cross, cross, none, none
    return np.concatenate(qe.nnash(np.array(A), *B, *costs, beta=discount, tol=1e-12)[:2])


def repeated_payoffs(A, B, discount):
    hull = game_theory.RepeatedGame(_game(A, B), discount).equilibrium_payoffs(options={"tol": 1e-9})
    return hull.points[hull.vertices]


if __name__ == "__main__":
    serve("quantecon", globals())
