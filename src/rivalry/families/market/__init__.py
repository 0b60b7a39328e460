"""Markets: firms compete in quantities or prices, may lead, follow or learn, and are valued by cash flow."""

from typing import TYPE_CHECKING

from rivalry.schema.registry import lazy_package

if TYPE_CHECKING:
    from rivalry.families.market.factory import market as market

# Names are loaded on first use, so that figures do not import the model.
lazy_package(__name__, {"market": "rivalry.families.market.factory:market"})
