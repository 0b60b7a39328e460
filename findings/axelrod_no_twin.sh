#!/usr/bin/env bash
# The winner of a tournament changes with the match against the twin, which Axelrod counted.
#
# In the tournaments of 1980 every program also met its twin, and that match counted. Guess: scores of the package
# axelrod, which reproduces them, count it too. The matches are played and stand in the matrix of payoffs, but scores
# and ranks leave them out. Of a cooperator, a defector, tit for tat and grudger the defector then wins by a hair;
# with the twins it is last.
#
# Seen on 2026-11-28 with axelrod 4.12.0: "ranked first: Defector", "with twins first: Tit For Tat, Defector: last".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet axelrod==4.12.0 numpy==1.26.4 pandas==2.2.2 "dask[dataframe]==2024.1.1"
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

import axelrod

TURNS = 200
players = [axelrod.TitForTat(), axelrod.Grudger(), axelrod.Cooperator(), axelrod.Defector()]
result = axelrod.Tournament(players, turns=TURNS, repetitions=1, seed=1).play(progress_bar=False)
first = result.ranked_names[0]
totals = dict(zip(result.players, (sum(row) for row in result.payoff_matrix)))
order = sorted(totals, key=lambda name: -totals[name])
print("axelrod", version("axelrod"))
print("ranked first:", first)
print(f"with twins first: {order[0]}, {order[-1]}: last")
print({name: round(float(total), 3) for name, total in totals.items()}, result.scores)
assert first == "Defector" and (order[0], order[-1]) == ("Tit For Tat", "Defector"), "the behaviour has changed"
P
