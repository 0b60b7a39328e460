#!/usr/bin/env bash
# RLCard's Leduc hold'em is another game than the Leduc hold'em of the literature.
#
# Leduc hold'em was published with an ante of one chip from either player, and OpenSpiel plays it so: who folds at
# once loses what the other has, one chip. Guess: RLCard's "leduc-holdem" is that game. It has blinds of one and two
# chips instead, the player with the small blind moves first, and payoffs are chips divided by two: folding at once
# costs .5, folding after a call costs 1. Values, exploitabilities and winnings of the two are not comparable, not
# even after a change of units.
#
# Seen on 2026-11-28 with rlcard 1.2.0: "chips before the first move: [1, 2]", "fold: 0.5", "call, fold: 1.0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet rlcard==1.2.0
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

import rlcard

DEALS = 40


def losses(moves):
    """Losses of the player who folds, over random deals."""
    environment = rlcard.make("leduc-holdem", config={"seed": 1})
    amounts = set()
    for _ in range(DEALS):
        _, player = environment.reset()
        for move in moves:
            folder = player
            _, player = environment.step(move, raw_action=True)
        amounts.add(-float(environment.get_payoffs()[folder]))
    return sorted(amounts)


print("rlcard", version("rlcard"))
state, _ = rlcard.make("leduc-holdem", config={"seed": 1}).reset()
chips = sorted(state["raw_obs"]["all_chips"])
print(f"chips before the first move: {chips}")
first, second = losses(["fold"]), losses(["call", "fold"])
print(f"fold: {first[0]}")
print(f"call, fold: {second[0]}")
assert (chips, first, second) == ([1, 2], [0.5], [1.0]), "the behaviour has changed"
P
