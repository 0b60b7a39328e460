"""Implementation of ``warm``: the first results of every family, computed once to fill the caches."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from rivalry.cli import output
from rivalry.cli.values import OptionError
from rivalry.schema.register import absent, collect
from rivalry.schema.registry import near


class Part(NamedTuple):
    """A first result of a family, with the programs or kernels that it leaves in a cache."""

    family: str
    fills: str
    game: dict[str, Any]
    method: str
    options: dict[str, Any] | None = None
    start: Any = None


INVESTING = {
    "horizon": 5,
    "performance_productivity": 1.0,
    "contest": {"ease_of_winning": 1.0},
    "no_winner": "disaster",
    "technology": {"invest": True},
}
LINE = {"reach": [0.25] * 3, "resource": "bimodal"}
LOGIT = {"demand": "logit"}
BRIEFLY = {"stable_periods": 0, "max_periods": 1000}
SHARED = {"payoffs": ["-(x1 - 1)^2", "-(x2 - 1/2)^2"], "shared": ["x1 + x2 <= 1"]}
REGISTERED: dict[str, list[tuple[Any, ...]]] = collect("WARM")
# sizes are those of the documentation: a program serves all numbers of one size
PARTS = (
    Part("matrix", "kernels of regret matching", {"name": "matching_pennies"}, "RegretMatching"),
    Part("matrix", "programs of the replicator", {"name": "chicken"}, "Replicator", None, "uniform"),
    Part(
        "influencer", "programs of gradient ascent, 3 players", LINE, "GradientAscent", None, [0.1, 0.4, 0.9]
    ),
    Part("influencer", "programs of best responses, 3 players", LINE, "BestResponse", None, [0.1, 0.4, 0.9]),
    Part("race", "programs of one period, 2 players", {}, "BestResponse", None, "moderate"),
    Part("race", "programs of investment over 5 periods", INVESTING, "BestResponse", None, "moderate"),
    Part("auction", "programs of certificates, 2 bidders", {}, "ClosedForm"),
    Part("market", "programs of best responses", {}, "BestResponse"),
    Part("market", "kernels of Q-learning", LOGIT, "RepeatedQLearning", {"sessions": 1, "stopping": BRIEFLY}),
    Part("precipice", "programs of best responses", {}, "BestResponse"),
    Part("continuous", "programs of variational equilibria, 2 players", SHARED, "VariationalEquilibrium"),
    *(Part(family, *row) for family, rows in REGISTERED.items() for row in rows),
)


def chosen(families: Sequence[str]) -> list[Part]:
    """Return the parts of the families, of all where none is named. Raises `OptionError`."""
    known = list(dict.fromkeys(part.family for part in PARTS))
    for family in families:
        if family not in known:
            raise OptionError(f"warm {family}: {near(family, known)}{absent()}")
    return [part for part in PARTS if not families or part.family in families]


def warm(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Compute the parts, and return ``{family, fills, seconds}`` of each; one line on stderr per part.

    Every program and kernel is stored as soon as it is compiled, so that an interruption loses only the one
    at work. Raises `OptionError` where caching is switched off.
    """
    from rivalry.solving import solve

    games, methods = import_module("rivalry.games"), import_module("rivalry.methods")
    if os.environ.get("RIVALRY_NO_CACHE"):
        raise OptionError("warm: RIVALRY_NO_CACHE is set, so nothing would be stored; unset it")
    found = []
    for k, part in enumerate(parts, 1):
        output.note(f"{k}/{len(parts)} {part.family}: {part.fills} ..")
        begin = time.perf_counter()
        game = getattr(games, part.family)(**part.game)
        method = getattr(methods, part.method)(**(part.options or {}))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a short run is not meant to converge
            solve(game, method, part.start)
        seconds = time.perf_counter() - begin
        output.note(f"{k}/{len(parts)} {part.family}: {part.fills}, {seconds:.1f} s")
        found.append({"family": part.family, "fills": part.fills, "seconds": round(seconds, 2)})
    return found
