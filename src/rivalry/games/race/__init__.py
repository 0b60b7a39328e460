"""Races for a risky technology: safety and performance as inputs, once or over many periods.

Modules, each importing only from those above it:

- `period`: one period in logarithms (production, contest, risk, cost) and the technology after it;
- `model`: the race as data, with its payoffs;
- `metrics`, `plot_data`: what a profile leads to;
- `closed_forms`, `statics`: symmetric first-order points and their derivatives;
- `own_problem`, `static_response`, `investment_plan`, `schedule_response`: best responses in one period, with
  investment, and over schedules;
- `bounds`, `proved_response`: upper bounds on every payoff, for certificates;
- `state_game`: the game at a state of technology, native play, action grids;
- `oracles`: what is registered of all this for `Race`;
- `beliefs`: players that believe in different races;
- `checks`, `keys`, `factory`: from keys to a race;
- `precipice`: a race in safety alone.
"""

from rivalry.games.race.factory import race
from rivalry.games.race.model import Race

__all__ = ["Race", "race"]
