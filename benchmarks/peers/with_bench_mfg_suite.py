"""The side of BenchMFG."""

from functools import cache

from benchmfg.api import load_config, make_solver

from benchmarks.peers.clock import serve


@cache  # a game is compiled again whenever it is made again
def _solver(places, crowding, move, pull, slip, gamma, rate, beta, rounds):
    chances = f"[{slip},{1 - 2 * slip},{slip}]"
    settings = {
        "environment.num_states": places,
        "environment.gamma": gamma,
        "environment.dynamics.noise_probabilities": chances,
        "environment.reward.lasry_lions.crowd_penalty_coefficient": crowding,
        "environment.reward.lasry_lions.movement_penalty": move,
        "environment.reward.lasry_lions.center_attraction": pull,
        "algorithm.omd.learning_rate": rate,
        "algorithm.omd.temperature": 1 / beta,
        "algorithm.omd.num_iterations": rounds,
    }
    words = ["algorithm=omd", "environment=lasry_lions_chain", "device=cpu"]
    return make_solver(load_config([*words, *(f"{key}={value}" for key, value in settings.items())]))


def chain_mirror_descent(places, crowding, move, pull, slip, gamma, rate, beta, rounds):
    return _solver(places, crowding, move, pull, slip, gamma, rate, beta, rounds).eval()[0]


if __name__ == "__main__":
    serve("bench_mfg_suite", globals())
