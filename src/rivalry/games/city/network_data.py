"""Networks from tables and files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivalry.games.city.networks import Network


def from_data(table: Mapping[str, Any]) -> Network:
    raise NotImplementedError


def from_file(path: str) -> Network:
    raise NotImplementedError
