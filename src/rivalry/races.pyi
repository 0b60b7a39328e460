"""Work with races: symmetric equilibria, how safety depends on parameters, and the race to a precipice."""

from rivalry.families.precipice import precipice_rule as precipice_rule
from rivalry.families.race.symmetric import safety_slope as safety_slope
from rivalry.families.race.symmetric import symmetric_equilibria as symmetric_equilibria
