#!/usr/bin/env bash
# Gambit counts the default value of an action graph's weighted sum once for every player.
#
# A function node of type 10 in an .agg file is a weighted sum: a default value, and the weights of the actions
# that players chose near it. Guess: a default value of 2 raises the sum by 2. With two players it is raised by 4,
# and with three by 6: the value is computed for each player alone, with the default, and then added up.
# Of type 12, the largest weight near the node, a weight that equals the default value is lost likewise: the node
# has the weight of the other player's action, though it is the smaller one.
#
# Seen on 2026-11-28 with pygambit 17.0.0b2: "2 players: 10 for a sum of 8", "3 players: 15 for a sum of 11",
# "largest of 0 and 1, default 1: 0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet pygambit==17.0.0b2
cd "$folder"
env/bin/python - <<'P'
from importlib.metadata import version

import pygambit


def values(players, function):
    """Payoffs where they are the value of the function node, which has all three actions near it."""
    rows = "\n".join(f"[{value}] {value}" for value in range(40))
    lines = [f"#AGG\n{players} 3 1", " ".join(["3"] * players), *["0 1 2"] * players]
    lines += ["1 3"] * 3 + ["3 0 1 2", function] + [f"1 40\n{rows}"] * 3
    with open("game.agg", "w") as file:
        file.write("\n".join(lines) + "\n")
    return pygambit.read_agg("game.agg").to_arrays(dtype=float)[0]


print("pygambit", version("pygambit"))
two, three = values(2, "10 2 [3 5 7]")[0, 0], values(3, "10 2 [3 5 7]")[0, 0, 0]
print(f"2 players: {two:.0f} for a sum of {2 + 2 * 3}")
print(f"3 players: {three:.0f} for a sum of {2 + 3 * 3}")
largest = values(2, "12 1 [0 1 3]")[0, 1]
print(f"largest of 0 and 1, default 1: {largest:.0f}")
assert (two, three, largest) == (10, 15, 0), "the behaviour has changed"
P
