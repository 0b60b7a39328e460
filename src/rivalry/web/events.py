"""Server-sent events: what changes in a run, as text that a browser's ``EventSource`` reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

EVERY = 0.5  # seconds between looks at a run's folder
QUIET = 15.0  # seconds after which a comment shows that the connection lives


def written(kind: str, value: Any) -> str:
    r"""Return one event as text.

    >>> written("state", {"done": 2})
    'event: state\ndata: {"done": 2}\n\n'
    """
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n"


async def changes(
    look: Callable[[], Awaitable[dict[str, Any]]], is_gone: Callable[[], Awaitable[bool]]
) -> AsyncIterator[str]:
    """Yield an event whenever what ``look`` returns has changed, until the reader is gone."""
    last, silent = "", 0.0
    while not await is_gone():
        event = written("state", await look())
        if event != last:
            yield event
            last, silent = event, 0.0
        elif silent >= QUIET:
            yield ": still here\n\n"
            silent = 0.0
        await asyncio.sleep(EVERY)
        silent += EVERY
