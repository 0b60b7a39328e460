"""Markets: firms compete in quantities or prices, may lead, follow or learn, and are valued by cash flow."""

import sys
from typing import TYPE_CHECKING, Any

from rivalry.core.registry import LazyPackage, lazy

if TYPE_CHECKING:
    from rivalry.games.market.factory import market as market

# Names are loaded on first use, so that figures do not import the model.
_TARGETS = {
    "market": "rivalry.games.market.factory:market",
}


def __getattr__(name: str) -> Any:
    return lazy(__name__, _TARGETS, name)


def __dir__() -> list[str]:
    return sorted(_TARGETS)


sys.modules[__name__].__class__ = LazyPackage
