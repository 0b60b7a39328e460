"""Finite tables of any game, and exact computations on them. Names are imported on first use."""

import typing as _typing

from rivalry.core.registry import lazy_package as _lazy_package

if _typing.TYPE_CHECKING:
    from rivalry.tables.discretize import normalise as normalise
    from rivalry.tables.discretize import tabulate as tabulate
    from rivalry.tables.exact import MOST_JOINT as MOST_JOINT
    from rivalry.tables.exact import equilibria as equilibria
    from rivalry.tables.exact import joint_count as joint_count
    from rivalry.tables.exact import largest_payoff as largest_payoff
    from rivalry.tables.exact import payoffs as payoffs
    from rivalry.tables.exact import regrets as regrets
    from rivalry.tables.greedy_play import Rollout as Rollout
    from rivalry.tables.greedy_play import choices as choices
    from rivalry.tables.greedy_play import in_turn as in_turn
    from rivalry.tables.greedy_play import memory_policy as memory_policy
    from rivalry.tables.greedy_play import rollout as rollout
    from rivalry.tables.greedy_play import states as states
    from rivalry.tables.history import Cycles as Cycles
    from rivalry.tables.history import Whole as Whole
    from rivalry.tables.history import limit_cycles as limit_cycles
    from rivalry.tables.history import whole_states as whole_states
    from rivalry.tables.one_deviation import Deviation as Deviation
    from rivalry.tables.one_deviation import deviations as deviations
    from rivalry.tables.one_deviation import static_best_response as static_best_response
    from rivalry.tables.periods import PeriodTables as PeriodTables
    from rivalry.tables.periods import greedy_path as greedy_path
    from rivalry.tables.periods import over_periods as over_periods
    from rivalry.tables.periods import period_values as period_values
    from rivalry.tables.periods import tabulate_periods as tabulate_periods
    from rivalry.tables.policy_response import PolicyBestResponse as PolicyBestResponse
    from rivalry.tables.policy_response import best_response as best_response
    from rivalry.tables.policy_response import mix_exploration as mix_exploration
    from rivalry.tables.policy_response import policy_regrets as policy_regrets
    from rivalry.tables.response_gaps import Gaps as Gaps
    from rivalry.tables.response_gaps import ResponseValues as ResponseValues
    from rivalry.tables.response_gaps import gaps as gaps
    from rivalry.tables.response_gaps import observes_enough as observes_enough
    from rivalry.tables.response_gaps import response_values as response_values
    from rivalry.tables.stages import FollowerGaps as FollowerGaps
    from rivalry.tables.stages import SubgamePerfect as SubgamePerfect
    from rivalry.tables.stages import followers_gap as followers_gap
    from rivalry.tables.stages import leader_regret as leader_regret
    from rivalry.tables.stages import staged_values as staged_values

_NAMES = {
    "policy_response": ("PolicyBestResponse", "best_response", "mix_exploration", "policy_regrets"),
    "one_deviation": ("Deviation", "deviations", "static_best_response"),
    "discretize": ("normalise", "tabulate"),
    "exact": ("MOST_JOINT", "equilibria", "joint_count", "largest_payoff", "payoffs", "regrets"),
    "response_gaps": ("Gaps", "ResponseValues", "gaps", "observes_enough", "response_values"),
    "greedy_play": ("Rollout", "choices", "in_turn", "memory_policy", "rollout", "states"),
    "history": ("Cycles", "Whole", "limit_cycles", "whole_states"),
    "periods": ("PeriodTables", "greedy_path", "over_periods", "period_values", "tabulate_periods"),
    "stages": ("FollowerGaps", "SubgamePerfect", "followers_gap", "leader_regret", "staged_values"),
}
_MODULES = {name: f"rivalry.tables.{module}:{name}" for module, names in _NAMES.items() for name in names}

__all__ = sorted(_MODULES)

_lazy_package(__name__, _MODULES)
