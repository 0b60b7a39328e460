#!/usr/bin/env bash
# The variables of a PuLP problem are in the order of their names, so a strategy read from them is another one.
#
# The value of a zero-sum game is a linear programme with one probability per action. Guess: the values of
# problem.variables() are the probabilities in the order in which they were made. They are sorted by name, and x10
# comes before x2: from eleven actions on the strategy read so is permuted, though it is a distribution and the
# value of the programme is right. Values of the variables that one keeps, or of names of one length, are right.
#
# Seen on 2026-11-28 with pulp 3.3.2: "guaranteed by the variables kept: 0.571, by variables(): -2.648, value: 0.571".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet pulp==3.3.2 numpy==2.4.6
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

import numpy as np
import pulp

ACTIONS = 12
payoffs = np.random.default_rng(0).integers(-9, 10, size=(ACTIONS, ACTIONS))
problem = pulp.LpProblem("game", pulp.LpMaximize)
value = pulp.LpVariable("value")
kept = [pulp.LpVariable(f"x{action}", 0) for action in range(ACTIONS)]
problem += value
problem += pulp.lpSum(kept) == 1
for column in payoffs.T:
    problem += pulp.lpSum(int(pay) * weight for pay, weight in zip(column, kept)) >= value
problem.solve(pulp.PULP_CBC_CMD(msg=0))
right = np.array([variable.value() for variable in kept])
read = np.array([variable.value() for variable in problem.variables() if variable is not value])
ends = [float((strategy @ payoffs).min()) for strategy in (right, read)]
print("pulp", version("pulp"))
print(f"guaranteed by the variables kept: {ends[0]:.3f}, by variables(): {ends[1]:.3f}, value: {value.value():.3f}")
assert abs(ends[0] - value.value()) < 1e-5 and ends[1] < value.value() - 1, "the behaviour has changed"
P
