"""OpenSpiel's side."""

import pyspiel

from benchmarks.peers.clock import serve


def poker_value(name):
    from open_spiel.python.algorithms import sequence_form_lp

    return sequence_form_lp.solve_zero_sum_game(pyspiel.load_game(name))[0]


def nash_conv(name):
    game = pyspiel.load_game(name)
    return pyspiel.nash_conv(game, pyspiel.UniformRandomPolicy(game))


def _crowd(solver, rounds):
    from open_spiel.python.mfg.algorithms import nash_conv

    for _ in range(rounds):
        solver.iteration()
    return nash_conv.NashConv(solver._game, solver.get_policy()).nash_conv()


def crowd_mirror_descent(rounds):
    from open_spiel.python.mfg.algorithms.mirror_descent import MirrorDescent
    from open_spiel.python.mfg.games import crowd_modelling  # noqa: F401, registers the game

    return _crowd(MirrorDescent(pyspiel.load_game("python_mfg_crowd_modelling")), rounds)


def crowd_fictitious_play(rounds):
    from open_spiel.python.mfg.algorithms.fictitious_play import FictitiousPlay
    from open_spiel.python.mfg.games import crowd_modelling  # noqa: F401, registers the game

    return _crowd(FictitiousPlay(pyspiel.load_game("python_mfg_crowd_modelling")), rounds)


if __name__ == "__main__":
    serve("open_spiel", globals())
