"""Any game as finite tables, and what is exactly so on them."""

from rivalry.tabular.exact import equilibria, largest_payoff, payoffs, regrets
from rivalry.tabular.tables import normalised, tabulate

__all__ = ["equilibria", "largest_payoff", "normalised", "payoffs", "regrets", "tabulate"]
