"""Work with markets: estimates of demand, mergers, benchmarks, play over periods, and values of firms."""

from rivalry.families.market.benchmarks import benchmark as benchmark
from rivalry.families.market.benchmarks import benchmarks as benchmarks
from rivalry.families.market.benchmarks import certified as certified
from rivalry.families.market.benchmarks import critical_discount as critical_discount
from rivalry.families.market.benchmarks import stackelberg_on_grid as stackelberg_on_grid
from rivalry.families.market.estimates import from_logit as from_logit
from rivalry.families.market.estimates import logit_equilibria as logit_equilibria
from rivalry.families.market.estimates import merger_table as merger_table
from rivalry.families.market.owners import compensating_costs as compensating_costs
from rivalry.families.market.owners import diversion_ratios as diversion_ratios
from rivalry.families.market.owners import elasticities as elasticities
from rivalry.families.market.owners import owned as owned
from rivalry.families.market.owners import pass_through as pass_through
from rivalry.families.market.play import market_play as market_play
from rivalry.families.market.play import simulate as simulate
from rivalry.families.market.tables import gamma_channels as gamma_channels
from rivalry.families.market.valuation import one_ahead as one_ahead
from rivalry.families.market.valuation import recurring_value as recurring_value
from rivalry.families.market.valuation import sensitivity as sensitivity
from rivalry.families.market.valuation import valuation as valuation
from rivalry.studies.commitment_dial import CommitmentWithSwitchingCost as CommitmentWithSwitchingCost
