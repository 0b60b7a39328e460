"""Races for a risky technology: safety and performance as inputs, once or over many periods.

Where to look, from the mathematics up:

- `period` (technology, contest, risk and payoffs of one period), `technology` (stocks from one to the next);
- `game` (the race as a value), `factory`, `checks` and `parts` (making one, functions of one's own tried),
  `inputs` (profiles as users write them), `beliefs` (players who think they play another race);
- `measures` and `views` (what a profile leads to), `closed_forms` and `statics` (what needs no search);
- best replies: `own_problem` (one player's problem in a period), `static_reply` and `grid_reply` (one period,
  with built-in parts and with one's own), `schedule_reply` (many, by effort alone), `invest_reply` with
  `investment_plan` and `polish` (where players invest), `proved_reply` with `bounds` (what no reply exceeds);
- play from within: `stepwise` (tables), `nodes` (feedback), `play` (environments);
- `precipice`, a race in safety alone.
"""

from rivalry.games.race.factory import race
from rivalry.games.race.model import Race

__all__ = ["Race", "race"]
