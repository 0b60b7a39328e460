"""Any game as finite tables, and what is exactly so on them."""

from rivalry.tables.best_response import BestReply, best_reply, mixed, policy_regrets
from rivalry.tables.deviations import Deviation, deviations, static_best_reply
from rivalry.tables.discretize import normalised, tabulate
from rivalry.tables.exact import MOST_JOINT, equilibria, joint_count, largest_payoff, payoffs, regrets
from rivalry.tables.gaps import Gaps, Replies, gaps, replies, sees_enough
from rivalry.tables.greedy_play import Rollout, choices, in_turn, rollout, states
from rivalry.tables.history import Cycles, Whole, limit_cycles, whole_states
from rivalry.tables.periods import (
    PeriodTables,
    led_through,
    over_periods,
    period_values,
    tabulate_periods,
)
from rivalry.tables.stages import FollowerGaps, Staged, followers_gap, leader_regret, staged_values

__all__ = [
    "MOST_JOINT",
    "BestReply",
    "Cycles",
    "Deviation",
    "FollowerGaps",
    "Gaps",
    "PeriodTables",
    "Replies",
    "Rollout",
    "Staged",
    "Whole",
    "best_reply",
    "choices",
    "deviations",
    "equilibria",
    "followers_gap",
    "gaps",
    "in_turn",
    "joint_count",
    "largest_payoff",
    "leader_regret",
    "led_through",
    "limit_cycles",
    "mixed",
    "normalised",
    "over_periods",
    "payoffs",
    "period_values",
    "policy_regrets",
    "regrets",
    "replies",
    "rollout",
    "sees_enough",
    "staged_values",
    "states",
    "static_best_reply",
    "tabulate",
    "tabulate_periods",
    "whole_states",
]
