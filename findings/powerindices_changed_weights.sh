#!/usr/bin/env bash
# The second power index of a committee is that of another committee.
#
# Guess: the Penrose-Banzhaf index of a committee, and after it the Shapley-Shubik index from the same list of
# weights, are both right. A function of powerindices lowers the weight of a member with a veto in the list that it
# is given, and the quota beside it, which saves time; the quota that the caller still has does not belong to the list
# any more. Pass a copy of the list to every call.
#
# Seen on 2026-11-28 with powerindices 1.0.2: "weights after the first index: [2, 2, 2, 1]",
# "second index: [0.333, 0.333, 0.333, 0.0], of a copy: [0.667, 0.167, 0.167, 0.0]".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet powerindices==1.0.2 numpy==2.4.6
"$folder/env/bin/python" - <<'P'
from fractions import Fraction
from importlib.metadata import version
from itertools import permutations

import powerindices

QUOTA, COMMITTEE = 8, (6, 2, 2, 1)


def shapley_shubik():
    """Share of the orders in which a member turns the coalition into a winning one."""
    turns = [0] * len(COMMITTEE)
    orders = list(permutations(range(len(COMMITTEE))))
    for order in orders:
        weight = 0
        for member in order:
            weight += COMMITTEE[member]
            if weight >= QUOTA:
                turns[member] += 1
                break
    return [float(Fraction(turn, len(orders))) for turn in turns]


def rounded(index):
    return [round(float(power), 3) for power in index]


print("powerindices", version("powerindices"))
weights = list(COMMITTEE)
powerindices.compute_pbi(QUOTA, weights)
second = rounded(powerindices.compute_ssi(QUOTA, weights))
fresh = rounded(powerindices.compute_ssi(QUOTA, list(COMMITTEE)))
print(f"weights after the first index: {weights}")
print(f"second index: {second}, of a copy: {fresh}, by hand: {rounded(shapley_shubik())}")
assert fresh == rounded(shapley_shubik()) and second != fresh, "the behaviour has changed"
P
