"""MFGLib's side, in double precision."""

import torch
from mfglib.alg import FictitiousPlay, OnlineMirrorDescent
from mfglib.env import Environment
from mfglib.scoring import exploitability_score

from benchmarks.peers.clock import serve

torch.set_default_dtype(torch.float64)


def _beach(method, places, periods, rounds):
    game = Environment.beach_bar(T=periods - 1, n=places, bar_loc=places // 2)
    state = method.init_state(game, torch.full((periods, places, 3), 1 / 3))
    for _ in range(rounds):
        state = method.step_next_state(state, None, None)
    return exploitability_score(game, state.pi)


def beach_mirror_descent(places, periods, rounds, rate):
    return _beach(OnlineMirrorDescent(alpha=rate), places, periods, rounds)


def beach_fictitious_play(places, periods, rounds):
    return _beach(FictitiousPlay(), places, periods, rounds)


if __name__ == "__main__":
    serve("mfglib", globals())
