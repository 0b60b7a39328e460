#!/usr/bin/env bash
# Every outcome is an equilibrium to QuantEcon once payoffs are small enough.
#
# Equilibria do not change with the unit of payoffs. Guess: pure_nash_brute finds mutual defection, alone, in a
# prisoner's dilemma in any unit. Best responses are tested with a default tolerance of 1e-8 that is absolute: in units of 1e-9, as
# of rates or of fractions of a budget, all four outcomes are equilibria and no action is dominated, while
# support_enumeration and lemke_howson still find the one. The argument tol, in the unit of the payoffs, mends both.
#
# Seen on 2026-11-28 with quantecon 0.11.4: "unit 1: 1 pure equilibria, dominated [0]", "unit 1e-09: 4 pure equilibria,
# dominated []", "unit 1e-09, tol=1e-17: 1 pure equilibria, dominated [0]".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet quantecon==0.11.4
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

import numpy as np
from quantecon.game_theory import NormalFormGame, Player, pure_nash_brute

print("quantecon", version("quantecon"))
seen = {}
for unit in (1.0, 1e-9):
    payoffs = np.array([[3, 0], [5, 1]]) * unit
    game = NormalFormGame((Player(payoffs), Player(payoffs)))
    seen[unit] = (pure_nash_brute(game), game.players[0].dominated_actions())
    print(f"unit {unit:g}: {len(seen[unit][0])} pure equilibria, dominated {seen[unit][1]}")
tol = 1e-8 * unit
scaled = pure_nash_brute(game, tol=tol), game.players[0].dominated_actions(tol=tol)
print(f"unit {unit:g}, tol={tol:g}: {len(scaled[0])} pure equilibria, dominated {scaled[1]}")
assert seen[1.0] == ([(1, 1)], [0]), "the behaviour has changed"
assert len(seen[1e-9][0]) == 4 and seen[1e-9][1] == [], "the behaviour has changed"
assert scaled == seen[1.0], "the behaviour has changed"
P
