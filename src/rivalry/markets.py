"""Work with markets: estimates of demand, mergers, benchmarks, play over periods, and values of firms."""

from rivalry.schema.registry import lazy_package

_NAMES = {
    "benchmarks": "benchmark benchmarks certified critical_discount stackelberg_on_grid",
    "estimates": "from_logit logit_equilibria merger_table",
    "owners": "compensating_costs diversion_ratios elasticities owned pass_through",
    "play": "market_play simulate",
    "tables": "gamma_channels",
    "valuation": "one_ahead recurring_value sensitivity valuation",
}
_MODULES = {
    name: f"rivalry.families.market.{module}:{name}"
    for module, names in _NAMES.items()
    for name in names.split()
} | {"CommitmentWithSwitchingCost": "rivalry.studies.commitment_dial:CommitmentWithSwitchingCost"}

__all__ = sorted(_MODULES)

lazy_package(__name__, _MODULES)
