"""Audits of pricing algorithms: what a bot charges, and how it answers a rival that cuts its price.

Also of logs of prices.
"""

from typing import TYPE_CHECKING

from rivalry.schema.registry import lazy_package

if TYPE_CHECKING:
    from rivalry.audit.bots import bot_maker as bot_maker
    from rivalry.audit.log_audit import audit_log as audit_log
    from rivalry.audit.market import price_market as price_market
    from rivalry.audit.measures import measure as measure
    from rivalry.audit.play import Session as Session
    from rivalry.audit.report import page as page
    from rivalry.audit.verdict import audit_bot as audit_bot
    from rivalry.audit.worker import audit_apart as audit_apart

_NAMES = {
    "bots": ("bot_maker",),
    "log_audit": ("audit_log",),
    "market": ("price_market",),
    "measures": ("measure",),
    "play": ("Session",),
    "report": ("page",),
    "verdict": ("audit_bot",),
    "worker": ("audit_apart",),
}

# lazy: the register beside this file is read wherever commands are listed
lazy_package(
    __name__, {name: f"{__name__}.{module}:{name}" for module, names in _NAMES.items() for name in names}
)
