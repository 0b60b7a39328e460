#!/usr/bin/env bash
# The default alpha-rank of one population does not read what strategies earn among themselves.
#
# Guess: of two conventions that pay 10 and 1 the first is ranked first, and hawks, of whom 47.6 % are stable, are
# not the whole population. By default (use_local_selection_model=True) a mutant is compared with a resident by their
# two payoffs against each other alone, so entries on the diagonal change nothing: the conventions are ranked equal,
# and hawks, who win against doves, first. With use_local_selection_model=False the population that both meet counts.
#
# Seen on 2026-11-29 with open_spiel 2.0.2:
# "conventions: [0.5, 0.5], with the population [1.0, 0.0]; hawks and doves: [1.0, 0.0], with the population [0.401, 0.599]".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet open_spiel==2.0.2 matplotlib==3.10.8 networkx==3.6.1
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

import numpy as np
from open_spiel.python.egt import alpharank

print("open_spiel", version("open_spiel"))


def rank(payoffs, **options):
    """Long-run shares of the strategies of a symmetric game."""
    shares = alpharank.compute([np.array(payoffs, dtype=float)], alpha=1.0, **options)[2]
    return [abs(round(float(share), 3)) for share in shares]


games = {"conventions": [[10, 0], [0, 1]], "hawks and doves": [[-1.1, 2], [0, 1]]}
ranks = {name: (rank(game), rank(game, use_local_selection_model=False)) for name, game in games.items()}
print("; ".join(f"{name}: {local}, with the population {whole}" for name, (local, whole) in ranks.items()))
assert ranks["conventions"] == ([0.5, 0.5], [1.0, 0.0]), "the behaviour has changed"
assert ranks["hawks and doves"][0] == [1.0, 0.0] and ranks["hawks and doves"][1][0] < 0.5, "the behaviour has changed"
P
