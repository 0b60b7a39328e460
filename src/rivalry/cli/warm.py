"""Implementation of ``warm``: the first study of every family, solved once to fill the caches."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rivalry.cli import output
from rivalry.cli.values import OptionError
from rivalry.games import GAMES
from rivalry.schema.registry import suggestion


class Part(NamedTuple):
    """A result of a family, with the programs or kernels that it leaves in a cache; tables as in a study."""

    family: str
    fills: str
    game: Mapping[str, Any]
    method: Mapping[str, Any]


# sizes are those of the documentation: a program serves all numbers of one size
EXTRA_PARTS = (
    Part(
        "matrix",
        "kernels of regret matching",
        {"name": "matching_pennies"},
        {"kind": "regret_matching"},
    ),
    Part(
        "influencer",
        "programs of best responses, 3 players",
        {"reach": [0.25] * 3, "resource": "bimodal"},
        {"kind": "best_response", "start": [0.1, 0.4, 0.9]},
    ),
    Part(
        "market",
        "kernels of Q-learning",
        {"demand": "logit"},
        {
            "kind": "repeated_q_learning",
            "sessions": 1,
            "stopping": {"stable_periods": 0, "max_periods": 1000},
        },
    ),
    Part(
        "race",
        "programs of investment over 5 periods",
        {
            "horizon": 5,
            "performance_productivity": 1.0,
            "contest": {"ease_of_winning": 1.0},
            "no_winner": "disaster",
            "technology": {"invest": True},
        },
        {"kind": "best_response", "start": "moderate"},
    ),
)
"""Results beside the first study of every family."""


def parts_of_families(families: Sequence[str]) -> list[Part]:
    """Return the parts of the families, of all where none is named. Raises `OptionError`."""
    for family in families:
        if family not in GAMES:
            raise OptionError(f"warm {family}: {suggestion(family, GAMES)}")
    parts = list[Part]()
    for family, entry in GAMES.items():
        if not families or family in families:
            game, method = entry.first.get("game", {}), entry.first["method"]
            parts.append(Part(family, f"first study: {method['kind']}", game, method))
            parts += (part for part in EXTRA_PARTS if part.family == family)
    return parts


def warm(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Compute the parts, and return ``{family, fills, seconds}`` of each; one line on stderr per part.

    Every program and kernel is stored as soon as it is compiled, so that an interruption loses only the one
    at work. Raises `OptionError` where caching is switched off.
    """
    from rivalry.lab.study.build import build_game, build_method
    from rivalry.solving import solve

    if os.environ.get("RIVALRY_NO_CACHE"):
        raise OptionError("warm: RIVALRY_NO_CACHE is set, so nothing would be stored; unset it")
    durations = []
    for k, part in enumerate(parts, 1):
        output.note(f"{k}/{len(parts)} {part.family}: {part.fills} ..")
        begin = time.perf_counter()
        game = build_game({"family": part.family, **part.game})
        method = build_method(part.method, game=game)
        with warnings.catch_warnings(action="ignore"):  # a short run is not meant to converge
            solve(game, method, part.method.get("start"))
        seconds = time.perf_counter() - begin
        output.note(f"{k}/{len(parts)} {part.family}: {part.fills}, {seconds:.1f} s")
        durations.append({"family": part.family, "fills": part.fills, "seconds": round(seconds, 2)})
    return durations
