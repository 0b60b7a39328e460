"""Finite tables of any game, and exact computations on them. Names are imported on first use."""

from rivalry.schema.registry import lazy_package as _lazy_package

_NAMES = {
    "policy_response": (
        "PolicyBestResponse",
        "best_response",
        "policy_certificate",
        "policy_regrets",
    ),
    "one_deviation": ("Deviation", "deviations", "static_best_response"),
    "discretize": ("normalise", "tabulate"),
    "exact": ("MOST_JOINT", "equilibria", "joint_count", "largest_payoff", "payoffs", "regrets"),
    "repeated": ("repeated_form",),
    "response_gaps": ("Gaps", "ResponseValues", "gaps", "observes_enough", "response_values"),
    "greedy_play": ("Rollout", "choices", "in_turn", "mix_exploration", "rollout", "states"),
    "history": ("Cycles", "FullStateSpace", "limit_cycles", "whole_states"),
    "periods": ("PeriodTables", "greedy_path", "over_periods", "period_values", "tabulate_periods"),
    "stages": ("FollowerGaps", "SubgamePerfect", "followers_gap", "leader_regret", "staged_values"),
}
_MODULES = {name: f"rivalry.tables.{module}:{name}" for module, names in _NAMES.items() for name in names}

__all__ = sorted(_MODULES)

_lazy_package(__name__, _MODULES)
