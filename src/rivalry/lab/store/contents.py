"""Whether cells hold what a cell holds, and fit together: digests tell damage, not who wrote the bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rivalry.core.results import CLAIMS, COVERAGES, Record

_WORDS = {"claim": ("", *CLAIMS), "coverage": ("", *COVERAGES)}
_PER_PLAYER = ("regret", "bound")
_NUMBERS = ("profile", "payoff", "tolerance", *_PER_PLAYER)
_OWN = ("cell", "distance", "nearest_method")  # variables of the dataset, not of a cell


class Form(NamedTuple):
    """What a cell's variable has in common with that of other cells: dimensions, and whether it is text."""

    dims: tuple[str, ...]
    text: bool


Forms = Mapping[str, Form]


def forms(record: Record) -> dict[str, Form]:
    """The form of every variable."""
    return {name: Form(dims, array.dtype.kind == "U") for name, (dims, array) in record.items()}


def fault(record: Record) -> str:
    """Why a record is none of a cell, in one line; nothing where it is one."""
    if "status" not in record or record["status"][1].dtype.kind != "U":
        return "no status"
    dims, status = record["status"]
    if "steps" not in record or record["steps"][1].dtype.kind not in "iu":
        return "no steps"
    for name in _NUMBERS:
        if name in record and record[name][1].dtype.kind not in "fiu":
            return f"{name} is an array of {record[name][1].dtype}; must be numbers"
    players = {
        n for own, array in record.values() for d, n in zip(own, array.shape, strict=True) if d == "player"
    }
    if len(players) > 1:
        return f"its variables are of {' and of '.join(map(str, sorted(players)))} players"
    for name in _OWN:
        if name in record:
            return f"{name} is no variable of a cell"
    for name in ("claim", "coverage", "certificate_method", *_PER_PLAYER):
        if name not in record:
            continue
        own, array = record[name]
        further = 1 if name in _PER_PLAYER else 0
        if own[: len(dims)] != dims or len(own) != len(dims) + further:
            return f"{name} has dimensions ({', '.join(own)}) beside a status of ({', '.join(dims)})"
        if array.shape[: len(dims)] != status.shape:
            return f"{name} has shape {array.shape} beside a status of {status.shape}"
        if (array.dtype.kind == "U") == (name in _PER_PLAYER) or (further and not array.shape[-1]):
            return f"{name} is an array of {array.dtype} and shape {array.shape}"
        strange = set(np.unique(array).tolist()) - set(_WORDS[name]) if name in _WORDS else set()
        if strange:
            return f"{name}: {str(min(strange))[:40]!r} must be one of {', '.join(_WORDS[name][1:])}"
    certified = [name for name in ("regret", "bound", "claim", "coverage") if name in record]
    if certified and len(certified) < 4:
        return f"{', '.join(certified)} without the rest of a certificate"
    return ""


def misfits(cells: Sequence[Forms]) -> dict[int, str]:
    """Which cells cannot stand in one dataset with most of the others, and why: ``{number: line}``."""
    found: dict[int, str] = {}
    for name in sorted({name for cell in cells for name in cell}):
        counted = Counter(cell[name] for cell in cells if name in cell)
        if len(counted) > 1:
            shared = max(counted, key=lambda form: sum(n for f, n in counted.items() if _fits(f, form)))
            for k, cell in enumerate(cells):
                if name in cell and not _fits(cell[name], shared):
                    found.setdefault(k, f"{name} is {_said(cell[name])}, in other cells {_said(shared)}")
    return found


def _fits(form: Form, into: Form) -> bool:
    """Whether an array's dimensions are among those of another, in their order; seats take players."""
    seats = "seat" in (*form.dims, *into.dims)
    rest = iter(_seated(into.dims, seats))
    return form.text == into.text and all(dim in rest for dim in _seated(form.dims, seats))


def _seated(dims: Iterable[str], seats: bool) -> list[str]:
    return ["seat" if seats and dim == "player" else dim for dim in dims]


def _said(form: Form) -> str:
    return f"{'text' if form.text else 'numbers'} of dimensions ({', '.join(form.dims)})"
