"""What a report shows of a game family where a study names no plots and no metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class FamilyDefaults(NamedTuple):
    """Metrics of a family from the most important one, and its figures in order.

    A figure is a plot's kind with its options; figures that need data which a run lacks are left out.
    """

    metrics: tuple[str, ...] = ()
    figures: tuple[Mapping[str, Any], ...] = ()


def _plot(kind: str, **options: Any) -> Mapping[str, Any]:
    return {"kind": kind, **options}


_RACE = ("safety_input", "performance_input", "p_safe", "p_disaster")
_ECONOMY = ("efficiency", "access_fairness", "reward_fairness", "mean_relative_exploitability")
_LEARNED = _plot("learning_curve", compare=True)

FAMILIES: Mapping[str, FamilyDefaults] = {
    "city": FamilyDefaults(_ECONOMY, (_plot("fairness_plane"), _plot("exploitability_curve"))),
    "influencer": FamilyDefaults(
        ("threshold", "crossing", "end_mean", "basin_count"),
        (_plot("bifurcation"), _plot("end_positions"), _plot("paths"), _LEARNED),
    ),
    "karma": FamilyDefaults(
        (*_ECONOMY, "relative_exploitability", "entropy", "level"),
        (
            *(_plot("scenario", quantities=["efficiency", "payoff"]), _plot("policy_map")),
            *(_plot("mean_bids"), _plot("exploitability_curve")),
        ),
    ),
    "market": FamilyDefaults(
        ("pooled_gain", "gain_mean", "quantity", "price", "total_quantity", "mean_price", "value"),
        (
            *(_plot("scenario", quantities=["payoff"]), _plot("histogram"), _plot("paths")),
            *(_LEARNED, _plot("valuation_path")),
        ),
    ),
    "matrix": FamilyDefaults(
        ("equilibrium_count", "pure_count", "correlated_regret", "conditional_regret"),
        (_plot("strategies"), _plot("paths"), _plot("learning_curve", quantity="regret", compare=True)),
    ),
    "precipice": FamilyDefaults(("risk", "p_disaster"), (_plot("precipice"),)),
    "race": FamilyDefaults(
        _RACE,
        (
            *(_plot("scenario"), _plot("safety_frontier"), _plot("schedule"), _plot("paths")),
            _plot("learning_curve", quantity="p_safe", compare=True),
        ),
    ),
}
