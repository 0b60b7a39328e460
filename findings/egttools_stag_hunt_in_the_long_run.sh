#!/usr/bin/env bash
# EGTtools says that a population keeps the worse convention for ever, where it keeps the better one.
#
# Two conventions, worth 1 and 1.5, in a population of 100 with selection 1: mutants of either fix with a probability
# below 1e-7, but the better one invades more easily by orders of magnitude, so that rare mutations keep the
# population in it nearly always. Guess: the chain of small mutations says so. The analytical fixation probability is
# zero where its reciprocal exceeds 1e7; both are, the chain never moves, and the "stationary distribution" is the
# first eigenvector of the identity: all weight on the worse convention. A warning says that entries are close to 1.
#
# Seen on 2026-11-28 with egttools 0.1.14.2: "computed fixation: [0.0, 0.0]", "time in the better convention:
# 0.000, exact: 1.000".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet egttools==0.1.14.2
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

import numpy as np
from egttools.analytical import PairwiseComparison
from egttools.games import Matrix2PlayerGameHolder
from egttools.utils import calculate_stationary_distribution

SIZE, SELECTION = 100, 1.0
WORTH = (1.0, 1.5)


def fixation(invader):
    """Probability that one mutant fixes, from the textbook's sum of products of odds."""
    total, log_odds = 1.0, 0.0
    for mutants in range(1, SIZE):
        gain = WORTH[invader] * (mutants - 1) - WORTH[1 - invader] * (SIZE - mutants - 1)
        log_odds -= SELECTION * gain / (SIZE - 1)
        total += np.exp(log_odds)
    return 1 / total


print("egttools", version("egttools"))
game = Matrix2PlayerGameHolder(2, np.array([[WORTH[0], 0.0], [0.0, WORTH[1]]]))
chain = PairwiseComparison(SIZE, game)
moves, _ = chain.calculate_transition_and_fixation_matrix_sml(SELECTION)
seen = [float(chain.calculate_fixation_probability(invader, 1 - invader, SELECTION)) for invader in range(2)]
exact = [fixation(invader) for invader in range(2)]
better = calculate_stationary_distribution(moves.transpose())[1]
print(f"computed fixation: {seen}, exact: {exact[0]:.1e} and {exact[1]:.1e}")
print(f"time in the better convention: {better:.3f}, exact: {exact[1] / sum(exact):.3f}")
assert seen == [0, 0] and better < 0.5 and exact[1] > 0.99 * sum(exact), "the behaviour has changed"
P
