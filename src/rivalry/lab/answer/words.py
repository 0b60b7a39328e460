"""Names of quantities, swept keys and methods in words: one name for each, wherever results are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rivalry.core.display import attributes_of
from rivalry.core.register import FamilyDefaults
from rivalry.plots.families import DEFAULTS
from rivalry.plots.select import format_value

if TYPE_CHECKING:
    from xarray import Dataset

CERTIFYING = (
    *("claim", "status", "coverage", "regret", "bound", "steps", "equilibria", "equilibrium_count"),
    *("complete", "distance", "tolerance", "nearest_method", "profile", "payoff"),
)
"""Quantities that a sentence on claims or lists states, or a column of their own."""
COUNTED = ("players", "agents", "teams", "firms")  # keys that are numbers of something
_ENTRY = re.compile(r"^(.*)\[(\d+)\]$")


def quantities(study: Mapping[str, Any], data: Dataset) -> list[str]:
    """Return the quantities of a study's answer: its own, or those of its plots, expectations and family."""
    own = (study.get("answer") or {}).get("quantities")
    if own:
        return [name for name in own if name in data]
    named = []
    for entry in study.get("plots", ()):
        options = entry if isinstance(entry, Mapping) else {}
        several = options.get("quantities") or []
        named += [several] if isinstance(several, str) else list(several)
        named += [options["quantity"]] if isinstance(options.get("quantity"), str) else []
    named += [str(row["quantity"]) for row in study.get("expect", ())]
    family = str((study.get("game") or {}).get("family"))
    named += DEFAULTS.get(family, FamilyDefaults()).metrics
    found = [name for name in dict.fromkeys(named) if name in data and name not in CERTIFYING]
    return found or [name for name in ("profile", "payoff") if name in data]


class Words:
    """Names in words of a study's quantities, keys, methods and values; its own ``[answer.words]`` first."""

    def __init__(self, study: Mapping[str, Any]) -> None:
        self._own: Mapping[str, str] = (study.get("answer") or {}).get("words") or {}

    def quantity(self, name: str) -> str:
        """Return the name of a quantity.

        >>> Words({}).quantity("p_safe"), Words({}).quantity("relative_exploitability")
        ('probability of a safe win', 'relative exploitability')
        """
        return self._own.get(name) or attributes_of(name)["long_name"]

    def key(self, name: str) -> str:
        """Return the name of a swept key.

        >>> words = Words({"answer": {"words": {"disaster_cost": "cost of a disaster"}}})
        >>> words.key("disaster_cost"), words.key("unit_cost[1]"), words.key("learning.gamma")
        ('cost of a disaster', 'unit cost of player 1', 'gamma of learning')
        >>> words.key("players")
        'number of players'
        """
        if name in self._own:
            return self._own[name]
        if match := _ENTRY.match(name):
            return f"{self.key(match[1])} of player {match[2]}"
        rest, _, last = name.rpartition(".")
        last = last.replace("_", " ")
        last = f"number of {last}" if last in COUNTED else last
        return f"{last} of {rest.replace('_', ' ').replace('.', ' ')}" if rest else last

    def method(self, name: str) -> str:
        """Return the name of a method."""
        return self._own.get(name, name.replace("_", " "))

    def value(self, value: object) -> str:
        """Return a value of a swept key."""
        text = format_value(value)
        return self._own.get(text, text.replace("_", " "))

    def place(self, at: Mapping[str, Any]) -> str:
        """Return a point.

        >>> Words({}).place({"reach": 0.25, "players": 3})
        'reach 0.25, number of players 3'
        """
        named = (
            ("" if name == "name" else f"{self.key(name)} ") + self.value(value) for name, value in at.items()
        )
        return ", ".join(named)


def heading(data: Dataset, name: str, words: Words) -> str:
    """Return a quantity's name with its unit, where that says more than the name."""
    unit, text = data[name].attrs.get("units", ""), words.quantity(name)
    return text if unit in ("", "1") or unit in text else f"{text} ({unit})"
