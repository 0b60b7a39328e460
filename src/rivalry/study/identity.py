"""What makes two tables the same: the digests that name cells and seed them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Tables and lists as plain ones, all the way down."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def digest(value: Any) -> bytes:
    return hashlib.sha256(_canonical(value)).digest()


def words(value: Any) -> list[int]:
    """128 bits of the digest as four numbers below 2**32: a spawn key."""
    whole = digest(value)
    return [int.from_bytes(whole[k : k + 4], "big") for k in range(0, 16, 4)]
