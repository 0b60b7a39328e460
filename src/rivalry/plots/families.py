"""Contents of a report on a game family where a study names no plots and no metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rivalry.plots.select import drawn_rank, is_blank
from rivalry.schema.register import DefaultFigure, FamilyDefaults, collect

if TYPE_CHECKING:
    from xarray import Dataset

MOST = 6  # values of a swept coordinate that are drawn side by side


_ENDS = DefaultFigure("bifurcation", "profile", "compare", swept=True)
_ENUMERATION = DefaultFigure("enumeration", "drawn_box", "each")
_LISTS = DefaultFigure("bifurcation", "equilibria", "each", swept=True)
_NUMBERS = DefaultFigure("proved_numbers", "where_range", "each")
_BRANCHES = DefaultFigure("bifurcation", "branch_position", "each")
_PATHS = DefaultFigure("paths", "path", "each")
_PAYOFFS = DefaultFigure("scenario", "payoff", "series", swept=True)
_CHOICES = DefaultFigure("scenario", "profile", "series", swept=True, options={"quantities": ["profile"]})
_REWARDS = DefaultFigure("learning_curve", "learning_reward", options={"compare": True})
_REGRETS = DefaultFigure("learning_curve", "regret_curve", options={"compare": True, "quantity": "regret"})
_GAINS = DefaultFigure("histogram", "pooled_gain")

OTHER = FamilyDefaults((), (_BRANCHES, _CHOICES, _PAYOFFS, _REWARDS, _REGRETS, _PATHS))
"""Figures of a family that is not listed here, such as a user's own."""

_OWN = {
    "influencer": FamilyDefaults(
        ("threshold", "crossing", "end_mean", "basin_count"),
        (
            *(_BRANCHES, _ENDS, DefaultFigure("basins", "start_profile", "each"), _REWARDS, _PATHS),
            *(DefaultFigure("landscape", "profile"), DefaultFigure("influence", "profile")),
        ),
    ),
    "auction": FamilyDefaults(("revenue", "value", "efficient_value"), (_PATHS,)),
    "market": FamilyDefaults(
        ("pooled_gain", "gain_mean", "quantity", "price", "total_quantity", "mean_price", "value"),
        (_GAINS, _PAYOFFS, _REWARDS, DefaultFigure("valuation_path", "cash_flow_path", "each"), _PATHS),
    ),
    "matrix": FamilyDefaults(
        ("equilibrium_count", "pure_count", "correlated_regret", "conditional_regret"),
        (DefaultFigure("strategies", "profile", "compare"), _PAYOFFS, _REGRETS, _PATHS),
    ),
    "precipice": FamilyDefaults(
        ("risk", "p_disaster"), (DefaultFigure("precipice", "p_disaster", swept=True),)
    ),
    "race": FamilyDefaults(
        ("p_safe", "safety_input", "performance_input", "p_disaster"),
        (
            DefaultFigure("scenario", "p_safe", "series", swept=True),
            DefaultFigure("learning_curve", "p_safe_curve", options={"compare": True, "quantity": "p_safe"}),
            DefaultFigure("schedule", "alive", "each"),
            _PATHS,
        ),
    ),
}
DEFAULTS = collect("DEFAULTS", _OWN)


def default_figures(family: str, data: Dataset) -> list[dict[str, Any]]:
    """Return the default figures of a family for which a run has data, as a study lists plots.

    They show all methods. Whether one can be drawn is known only when it is drawn.
    """
    figures: list[dict[str, Any]] = []
    for figure in (_LISTS, _ENUMERATION, _NUMBERS, *DEFAULTS.get(family, OTHER).figures):
        if figure.needs not in data or (figure.swept and not _has_sweep(data)):
            continue
        variable = data[figure.needs]
        # of several equilibria the profile is the first; of several numbers per player there is no panel
        if figure is _CHOICES and ("equilibria" in data or drawn_rank(data, "profile") > 1):
            continue
        names = [str(name) for name in data["algorithm"].values] if "algorithm" in variable.dims else []
        names = [name for name in names if not is_blank(variable.sel({"algorithm": name}).values)]
        if figure is _ENDS and len(names) == 1 and any(plot["kind"] == figure.kind for plot in figures):
            continue  # the list is drawn, or the branches with these ends
        plot: dict[str, Any] = {"kind": figure.kind, **figure.options}
        if len(names) > 1 and figure.methods == "compare":
            plot["compare"] = True
        if len(names) > 1 and figure.methods == "series":
            plot["series"] = "algorithm"
        if figure.values and (series := _side_by_side(data)):
            plot["series"] = series
        algorithms = names if figure.methods == "each" and "algorithm" in data.coords else []
        figures += [{**plot, "at": {"algorithm": name}} for name in algorithms] or [plot]
    return figures


def _has_sweep(data: Dataset) -> bool:
    """True for a parameter that was swept over numbers."""
    names = [name for name in data.coords if name not in ("replication", "batch") and data[name].ndim == 1]
    dims = {str(data[name].dims[0]) for name in names if data[name].dtype.kind in "fiu"}
    return any(data.sizes[dim] > 1 for dim in dims & set(data["status"].dims))


def _side_by_side(data: Dataset) -> str:
    """Return the first coordinate of the sweep with several values, but few."""
    dims = [str(dim) for dim in data["status"].dims if dim not in ("algorithm", "replication", "batch")]
    return next((dim for dim in dims if dim in data.coords and 1 < data.sizes[dim] <= MOST), "")
