"""Any game as finite tables, and what is exactly so on them."""

from rivalry.tabular.exact import MOST_JOINT, equilibria, joint_count, largest_payoff, payoffs, regrets
from rivalry.tabular.periods import (
    PeriodTables,
    led_through,
    over_periods,
    period_values,
    tabulate_periods,
)
from rivalry.tabular.play import Rollout, choices, in_turn, rollout, states
from rivalry.tabular.reply import BestReply, best_reply, mixed, policy_regrets
from rivalry.tabular.tables import normalised, tabulate

__all__ = [
    "MOST_JOINT",
    "BestReply",
    "PeriodTables",
    "Rollout",
    "best_reply",
    "choices",
    "equilibria",
    "in_turn",
    "joint_count",
    "largest_payoff",
    "led_through",
    "mixed",
    "normalised",
    "over_periods",
    "payoffs",
    "period_values",
    "policy_regrets",
    "regrets",
    "rollout",
    "states",
    "tabulate",
    "tabulate_periods",
]
