#!/usr/bin/env bash
# The values of a value iteration are a tenth of the values, though its precision is a hundredth.
#
# Against a fixed policy of the rival a best response is a Markov decision process, and its value gives the regret.
# Guess: ValueIteration with epsilon=.01 returns values within .01. It stops once the next improvement is nearly the
# same in all states, which proves that the policy is nearly optimal; the common part of what is missing is not added.
# The policy is right. Regrets are differences of values: take them from PolicyIteration, or evaluate the policy.
#
# Seen on 2026-11-28 with pymdptoolbox 4.0b3: "value iteration: 19.14 20.96", "exact: 180.15 181.97", "same policy:
# True".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet pymdptoolbox==4.0b3 numpy==2.4.6
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

import numpy as np
from mdptoolbox.mdp import ValueIteration

DISCOUNT = 0.99
moves = np.array([[[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [0.5, 0.5]]])  # [action, state, next state]
rewards = np.array([[1.0, 0.9], [2.0, 1.8]])  # [state, action]
search = ValueIteration(moves, rewards, DISCOUNT, epsilon=0.01)
search.run()
best = []
for policy in np.ndindex(2, 2):
    chain = np.array([moves[action, state] for state, action in enumerate(policy)])
    earned = np.array([rewards[state, action] for state, action in enumerate(policy)])
    best.append((np.linalg.solve(np.eye(2) - DISCOUNT * chain, earned), policy))
exact, policy = max(best, key=lambda pair: pair[0].sum())
print("pymdptoolbox", version("pymdptoolbox"))
print("value iteration:", *(f"{value:.2f}" for value in search.V))
print("exact:", *(f"{value:.2f}" for value in exact))
print("same policy:", tuple(search.policy) == policy)
assert max(search.V) < 0.2 * min(exact) and tuple(search.policy) == policy, "the behaviour has changed"
P
