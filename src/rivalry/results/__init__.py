"""Tables of results: each method declares its own; print, notebook, report and files render them.

A record has a table for each variable of `TABLES` that it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rivalry.schema.register import collect
from rivalry.schema.registry import load

if TYPE_CHECKING:
    from rivalry.results.reader import Reader
    from rivalry.results.table import Table

_CONTINUATION = "rivalry.methods.continuation.tables"
_FINITE = "rivalry.methods.finite.tables"
_DYNAMIC = "rivalry.methods.dynamic_games.tables"
_LEARNING = "rivalry.methods.q_learning.tables"
_DESIGN = "rivalry.methods.design.tables"

TABLES: dict[str, str] = {
    "equilibria": "rivalry.results.equilibria:equilibria",
    "where_range": "rivalry.results.equilibria:ranges",
    "branch_ending": f"{_CONTINUATION}:branches",
    "event_kind": f"{_CONTINUATION}:events",
    "branch_position": f"{_CONTINUATION}:branch_points",
    "crossing": f"{_CONTINUATION}:crossings",
    "window_low": f"{_CONTINUATION}:windows",
    "logit_lambda": f"{_CONTINUATION}:logit_branch",
    "fitted_lambda": f"{_CONTINUATION}:fit",
    "derivative_exists": f"{_CONTINUATION}:derivatives",
    "commitment": f"{_FINITE}:commitment",
    "payoff_vertices": f"{_FINITE}:payoff_vertices",
    "joint_distribution": f"{_FINITE}:correlated_equilibria",
    "game_value": f"{_FINITE}:game_value",
    "fixation": f"{_FINITE}:fixation",
    "stability": f"{_FINITE}:stability",
    "mean_share": f"{_FINITE}:mean_shares",
    "score": f"{_FINITE}:scores",
    "trial_claim": f"{_DESIGN}:trials",
    "trial_objective_mean": f"{_DESIGN}:rule_trials",
    "feedback": f"{_DYNAMIC}:linear_strategies",
    "stage_equilibria": f"{_DYNAMIC}:stages",
    "repelling_directions": "rivalry.methods.limit_sets.tables:eigenvalues",
    "distribution": "rivalry.methods.populations.tables:states",
    "mixture": "rivalry.methods.continuous.tables:mixtures",
    "roots": "rivalry.methods.tables:roots",
    "common_multiplier": "rivalry.methods.continuous.tables:multipliers",
    "converged_share": f"{_LEARNING}:sessions",
    "resumed": f"{_LEARNING}:training",
    "learning_reward": f"{_LEARNING}:last_rewards",
    "mean_choice": "rivalry.methods.dynamics.tables:late_means",
    "cycle_low": "rivalry.methods.dynamics.tables:cycle",
    "cycle_rounds": "rivalry.methods.dynamics.tables:rounds_of_cycle",
    "play": "rivalry.results.equilibria:play",
}
"""The function ``module:name`` of the table that a variable begins, in the order of print."""


def functions_of_tables() -> dict[str, str]:
    """Return `TABLES` with those of optional subpackages."""
    return TABLES | collect("TABLES")


def tables_of(reader: Reader) -> Iterator[Table]:
    """Yield the tables of a result that have rows."""
    from rivalry.results.reader import MissingArray

    for variable, target in functions_of_tables().items():
        if variable in reader.arrays:
            try:
                table = load(target)(reader)
            except MissingArray:
                continue
            if table is not None and table.rows:
                yield table if table.title else table._replace(title=table.noun)
