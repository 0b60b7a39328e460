"""Races for a risky technology: safety and performance as inputs, once or over many periods.

Modules, each importing only from those above it:

- `period`: one period in logarithms (production, contest, risk, cost) and the technology after it;
- `model`: the race as data, with its payoffs;
- `closed_forms`: symmetric first-order points and their derivatives;
- `static_response`, `schedule_response`: best responses in one period, and over schedules with investment;
- `proved_response`: upper bounds on every payoff, for certificates;
- `oracles`: what is registered of all this for `Race`: metrics, plot data, native play, games at a state;
- `beliefs`: players that believe in different races;
- `keys`, `factory`: from keys to a race;
- `figures`: charts of results, which import none of these.
"""

from typing import TYPE_CHECKING

from rivalry.schema.registry import lazy_package

if TYPE_CHECKING:
    from rivalry.families.race.factory import race as race
    from rivalry.families.race.model import Race as Race

# Names are loaded when they are used: figures are drawn without the model.
lazy_package(
    __name__,
    {
        "Race": "rivalry.families.race.model:Race",
        "race": "rivalry.families.race.factory:race",
    },
)
