"""Compiled simulation loops of karma economies and of the city; loaded when first used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rivalry.economies.kernels import (
        choices,
        city,
        city_learning,
        city_values,
        economy,
        economy_learning,
        economy_monitor,
    )

__all__ = [
    "choices",
    "city",
    "city_learning",
    "city_values",
    "economy",
    "economy_learning",
    "economy_monitor",
]


def __getattr__(name: str) -> ModuleType:
    # Numba takes half a second to import, and descriptions of methods do not need it
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
