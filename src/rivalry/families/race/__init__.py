"""Races for a risky technology: safety and performance as inputs, once or over many periods.

Modules, each importing only from those above it:

- `rules`: what decides one period, as classes with their keys (contest, risk, reward, cost, technology);
- `model`: the race as data, with its payoffs;
- `symmetric`: symmetric first-order points, and the slopes of safety there;
- `static_response`, `schedule_response`: best responses in one period, and over schedules with investment;
- `proved_response`: upper bounds on every payoff, for certificates;
- `oracles`: what is registered of all this for `Race`: metrics, plot data, native play, games at a state;
- `beliefs`: players that believe in different races;
- `factory`: from keys to a race;
- `figures`: charts of results, which import none of these.
"""

from typing import TYPE_CHECKING

from rivalry.schema.registry import lazy_package

if TYPE_CHECKING:
    from rivalry.families.race.factory import race as race
    from rivalry.families.race.model import Race as Race
    from rivalry.families.race.symmetric import dsigma as dsigma
    from rivalry.families.race.symmetric import symmetric_equilibria as symmetric_equilibria

# Names are loaded when they are used: figures are drawn without the model.
lazy_package(
    __name__,
    {
        "Race": "rivalry.families.race.model:Race",
        "dsigma": "rivalry.families.race.symmetric:dsigma",
        "race": "rivalry.families.race.factory:race",
        "symmetric_equilibria": "rivalry.families.race.symmetric:symmetric_equilibria",
    },
)
