"""EGTtools' side."""

import numpy as np
from egttools.analytical import PairwiseComparison
from egttools.games import Matrix2PlayerGameHolder

from benchmarks.peers.clock import serve


def fixation(payoffs, population, selection):
    """Return chances that one mutant takes over, ``[resident mutant]``; 0 on the diagonal."""
    game = Matrix2PlayerGameHolder(len(payoffs), np.array(payoffs))
    model = PairwiseComparison(population, game)
    return model.calculate_transition_and_fixation_matrix_sml(selection)[1]


if __name__ == "__main__":
    serve("egttools", globals())
