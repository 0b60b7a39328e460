"""Whether a study's expectations point at something its dataset will have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import isclose
from typing import TYPE_CHECKING, Any

from rivalry.study.errors import StudyError, shown, unknown

if TYPE_CHECKING:
    from rivalry.study.model import Study

# variables of every solution, and the dimensions a cell gives them
SOLUTION: Mapping[str, tuple[str, ...]] = {
    "profile": ("player", "axis"),
    "payoff": ("player",),
    "regret": ("player",),
    "bound": ("player",),
    "coverage": (),
    "claim": (),
    "status": (),
    "steps": (),
    "residual": (),
    "end_state": (),
    "tolerance": (),
    "distance": (),
    "nearest_method": (),
}


def check(study: Study) -> None:
    """Raises `StudyError` for an ``at`` that names no coordinate, or a value that is not among its values.

    In quick form only the entries that are judged there are looked at.
    """
    for k, row in enumerate(study.expect):
        if not study.is_quick or row.get("quick"):
            _check(study, row, f"expect[{k}]")


def check_plots(study: Study) -> None:
    """Raises `StudyError` for a plot's ``at`` that points at nothing; the quick form may lack points."""
    for k, row in enumerate(study.plots if not study.is_quick else ()):
        at = row.get("at", {}) if isinstance(row, Mapping) else {}
        if not isinstance(at, Mapping):
            raise StudyError(f"{shown(at)} must be a table, as in {{ reach = 0.2 }}", key=f"plots[{k}].at")
        _places(study, at, f"plots[{k}].at", ("player", "axis"), open_ended=True)


def _check(study: Study, row: Mapping[str, Any], key: str) -> None:
    quantity = row["quantity"]
    close = get_close_matches(quantity, SOLUTION, n=1, cutoff=0.8)
    if quantity not in SOLUTION and close:
        raise StudyError(
            f"{shown(quantity)} is no variable; did you mean {close[0]!r}?", key=f"{key}.quantity"
        )
    inner = SOLUTION.get(quantity)
    # a measure may have dimensions that only the run will tell
    dims = ("player", "axis") if inner is None else inner
    _places(study, row.get("at", {}), f"{key}.at", dims, open_ended=inner is None)


def _places(study: Study, at: Mapping[str, Any], key: str, inner: Sequence[str], *, open_ended: bool) -> None:
    known: dict[str, Sequence[Any]] = {
        **study.coordinates,
        **study.lanes,
        "algorithm": study.methods,
        "replication": range(study.replications["count"]),
    }
    dims = {*known, *inner, *(("lane",) if _lanes(study) else ())}
    for name, value in at.items():
        place = f"{key}.{name}"
        if name == "method" and name not in known:
            raise StudyError('is called algorithm: write at = { algorithm = "NAME" }', key=place)
        if name in known:
            _among(value, known[name], place)
        elif _fixed(study, name, value):
            continue
        elif name in dims:
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise StudyError(f"{shown(value)} must be a whole number from 0", key=place)
        elif not open_ended or get_close_matches(name, dims, n=1, cutoff=0.7):
            raise StudyError(unknown(name, dims, "a coordinate here"), key=place)


def _fixed(study: Study, name: str, value: Any) -> bool:
    """Whether the game has that value throughout, so that nothing need be picked."""
    given = (study.game or {}).get(name)
    return given is not None and all(
        _same(value, one) for one in (given if isinstance(given, list) else [given])
    )


def _lanes(study: Study) -> bool:
    return bool(study.lanes) or any("starts" in table for table in study.method)


def _among(value: Any, known: Sequence[Any], key: str) -> None:
    if any(_same(value, other) for other in known):
        return
    numbers = [other for other in known if isinstance(other, int | float)]
    if not isinstance(value, int | float) or not numbers:
        raise StudyError(unknown(value, [str(other) for other in known], "among its values"), key=key)
    nearest = min(numbers, key=lambda other: abs(other - value))
    raise StudyError(
        f"{shown(value)} is not among its {len(known)} values; the nearest is {nearest!r}", key=key
    )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(a, list) != isinstance(b, list):  # a list stands in the dataset as text
        return str(a) == str(b)
    return bool(a == b)
