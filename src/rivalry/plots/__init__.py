"""Pictures by kind: labelled data in, Matplotlib Axes out."""

import sys
from typing import Any, NamedTuple

from rivalry._registry import Room, lazy


class PlotEntry(NamedTuple):
    """A plot's function, one sentence, and the game's views it draws (stored in the cells that need them)."""

    target: str
    title: str
    views: tuple[str, ...] = ()


PLOTS = {
    "bifurcation": PlotEntry(
        "rivalry.plots.sweep:bifurcation", "end points against a swept parameter, thresholds marked"
    ),
    "influence": PlotEntry(
        "rivalry.plots.resource:influence", "every row's influence over the resource", ("influence",)
    ),
    "landscape": PlotEntry(
        "rivalry.plots.phase:landscape", "own payoff against own position, the others fixed", ("landscape",)
    ),
    "paths": PlotEntry("rivalry.plots.paths:paths", "positions along the path of a method"),
    "payoffs": PlotEntry(
        "rivalry.plots.paths:payoffs", "payoffs of every player along the path", ("path_payoffs",)
    ),
    "regret_curve": PlotEntry(
        "rivalry.plots.paths:regret_curve", "how a learner's regret falls with its steps"
    ),
    "shares": PlotEntry("rivalry.plots.resource:shares", "every row's share of the resource", ("shares",)),
    "strategies": PlotEntry("rivalry.plots.strategies:strategies", "mixed strategies as bars"),
    "vector_field": PlotEntry(
        "rivalry.plots.phase:vector_field", "two players' gradients, and where they vanish", ("vector_field",)
    ),
}


def __getattr__(name: str) -> Any:
    return lazy(__name__, {kind: entry.target for kind, entry in PLOTS.items()}, name)


def __dir__() -> list[str]:
    return sorted(["PLOTS", *PLOTS])


sys.modules[__name__].__class__ = Room
