"""Ours beside what was published: numbers, verdicts and what the certificates behind them say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry._registry import near
from rivalry.plots.select import NoSuchPoint, dimension, in_step, position
from rivalry.results import CLAIMS, COVERAGES

if TYPE_CHECKING:
    from xarray import Dataset

ROUNDING = 1e-9  # relative: numbers this close are the same number
NOT_JUDGED = "not judged"
FULL_ONLY = "in the full form only"


class Judged(NamedTuple):
    """One ``[[expect]]`` of a study: the row that scripts get, and what the report adds."""

    row: dict[str, Any]
    at: dict[str, Any]
    over: str | None
    note: str
    claim: str | None  # the weakest of the cells behind our number; None where there is none
    why: str  # why it is not judged


class _Ours(NamedTuple):
    value: bool | float | str | None
    claim: str | None
    why: str


def expectations(study: Mapping[str, Any], data: Dataset) -> list[dict[str, Any]]:
    """Every ``[[expect]]`` of a resolved study beside our value, as ``--json`` prints it.

    Keys: quantity, published, expected, ours, tolerance, within, verdict (``agrees``, ``differs`` or ``not
    judged``); values are finite or None.
    """
    return [judged.row for judged in judge(study, data)]


def judge(study: Mapping[str, Any], data: Dataset) -> list[Judged]:
    """Every ``[[expect]]`` of a resolved study, judged by the run's dataset."""
    return [_judged(study, dict(row), data) for row in study.get("expect", ())]


def certificates(data: Dataset) -> list[dict[str, Any]]:
    """For every finished cell what its certificate says, as ``--json`` prints it.

    Keys: cell, method, regret and bound (the largest over players; None where infinite or unknown), coverage,
    claim (the weakest where a cell holds many lanes).
    """
    return [certificate for certificate, _ in cells(data)]


def cells(data: Dataset) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every finished cell's certificate, and where it is (the coordinates that vary) with its ``status``.

    With them goes ``distance``, the largest over lanes to the nearest equilibrium found, None where unknown.
    """
    if "status" not in data:
        return []
    named = "cell" in data
    lead = [str(dim) for dim in (data["cell"].dims if named else data["status"].dims) if dim in data.coords]
    found = []
    for index in np.ndindex(*(data.sizes[dim] for dim in lead)):
        cell = data.isel(dict(zip(lead, index, strict=True)))
        finished = np.asarray(cell["status"].values != "")
        if finished.any():
            where = {dim: cell[dim].values.item() for dim in lead}
            label = ", ".join(f"{name}={value}" for name, value in where.items())
            words = np.unique(cell["status"].values[finished])
            status = str(words[0]) if len(words) == 1 else "mixed"
            row = {"cell": str(cell["cell"].values) if named else label, "algorithm": where.get("algorithm")}
            place = {dim: value for dim, value in where.items() if data.sizes[dim] > 1}
            about = {"status": status, "distance": _farthest(cell, finished)}
            found.append((row | _certificate(cell, finished), place | about))
    return found


def _certificate(cell: Dataset, finished: np.ndarray) -> dict[str, Any]:
    """The largest regret and bound over players and lanes, the weakest words over lanes."""
    return {
        "regret": _largest(cell, "regret", finished),
        "bound": _largest(cell, "bound", finished),
        "coverage": _weakest(cell, "coverage", finished, COVERAGES),
        "claim": _weakest(cell, "claim", finished, CLAIMS),
    }


def _largest(cell: Dataset, name: str, finished: np.ndarray) -> float | None:
    """None where it is infinite or, for any lane, unknown; NaN beside numbers is padding."""
    if name not in cell:
        return None
    rows = cell[name].values[finished]  # [lane player], a cell without lanes having one
    if np.isnan(rows).all(axis=-1).any():
        return None
    top = float(np.nanmax(rows))
    return top if np.isfinite(top) else None


def _farthest(cell: Dataset, finished: np.ndarray) -> float | None:
    """The largest distance over lanes; None where any is unknown."""
    if "distance" not in cell:
        return None
    top = float(np.max(cell["distance"].values[finished]))
    return top if np.isfinite(top) else None


def _weakest(cell: Dataset, name: str, finished: np.ndarray, order: Sequence[str]) -> str | None:
    return _weakest_of(cell[name].values[finished], order) if name in cell else None


def _weakest_of(words: np.ndarray, order: Sequence[str]) -> str | None:
    """The weakest of some words; None where one of them is missing."""
    found = {str(word) for word in words}
    return min(found, key=order.index) if found and found <= set(order) else None


def _judged(study: Mapping[str, Any], row: Mapping[str, Any], data: Dataset) -> Judged:
    ours = _ours(study, row, data)
    verdict, why = NOT_JUDGED, ours.why
    if study.get("quick_form") and not row.get("quick"):
        why = FULL_ONLY
    elif not why:
        verdict, why = _verdict(row, ours.value)
    given = {key: row.get(key) for key in ("published", "expected", "tolerance", "within")}
    told = {"quantity": row["quantity"], "published": given["published"], "expected": given["expected"]}
    told |= {
        "ours": ours.value,
        "tolerance": given["tolerance"],
        "within": given["within"],
        "verdict": verdict,
    }
    return Judged(told, dict(row.get("at", {})), row.get("over"), row.get("note", ""), ours.claim, why)


def _verdict(row: Mapping[str, Any], ours: bool | float | str | None) -> tuple[str, str]:
    """``agrees``, ``differs``, or not judged and why."""
    within, target = row.get("within"), row.get("expected")
    target = row.get("published") if target is None else target
    if within is not None:
        if isinstance(ours, str) or ours is None:
            return NOT_JUDGED, "ours is no number"
        return ("agrees" if within[0] <= ours <= within[1] else "differs"), ""
    if target is None:
        return NOT_JUDGED, "nothing was published to compare with"
    if isinstance(target, str) != isinstance(ours, str):
        return NOT_JUDGED, "one is text, the other a number"
    if isinstance(ours, str):
        return ("agrees" if ours == target else "differs"), ""
    near = row.get("tolerance")
    # a hair more, so that a difference of exactly the tolerance is not decided by rounding
    allowed = ROUNDING * abs(target) if near is None else near + ROUNDING * near
    return ("agrees" if abs(float(ours or 0) - float(target)) <= allowed else "differs"), ""


def _ours(study: Mapping[str, Any], row: Mapping[str, Any], data: Dataset) -> _Ours:
    name = row["quantity"]
    if name not in data or "status" not in data:
        hint = near(name, map(str, data.data_vars))
        meant = f"; {hint}" if hint.startswith("did") else ""
        return _Ours(None, None, f"{name} is in no cell of this run{meant}")
    picked, why = _picked(study, data, name, row.get("at", {}))
    if picked is None:
        return _Ours(None, None, why)
    held = [dim for dim in picked["status"].dims if dim in picked[name].dims]
    status = picked["status"].transpose(*held, ...).values
    finished = (status != "").reshape(int(np.prod(status.shape[: len(held)])), -1)  # [cell, further lanes]
    if not finished.any():
        return _Ours(None, None, "no cell there has finished")
    values = picked[name].transpose(*held, ...).values.reshape(len(finished), -1)[finished.any(axis=1)]
    claim = None
    if "claim" in picked:
        claims = picked["claim"].transpose(*held, ...).values.reshape(finished.shape)
        claim = _weakest_of(claims[finished], CLAIMS)
    if row.get("equals") is not None:
        values = _equal(values, row["equals"])
    value, why = _reduced(values, row.get("over"))
    return _Ours(value, claim, why or _unfinished(picked))


def _picked(
    study: Mapping[str, Any], data: Dataset, name: str, at: Mapping[str, Any]
) -> tuple[Dataset | None, str]:
    """The data at a point, or why there is no such point."""
    try:
        at = in_step(data, at)
    except NoSuchPoint as error:
        return None, f"this run has {str(error).removeprefix('at: ')}"
    for key, wanted in at.items():
        own = (key, f"{name}_{key}", dimension(data, key))
        dim = next((str(d) for d in data[name].dims if d in own), None)
        if dim is None and not _fixed(study, key, wanted):
            return None, f"{name} has no {key} in this run"
        if dim is not None:
            index = _index(data, key if key in data.coords else dim, wanted)
            if index is None:
                return None, f"this run has no {key} = {wanted}"
            data = data.isel({dim: index})
    return data, ""


def _index(data: Dataset, dim: str, wanted: Any) -> int | None:
    if dim in data.coords:
        return position(data[dim].values, wanted)
    inside = isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < data.sizes[dim]
    return wanted if inside else None


def _fixed(study: Mapping[str, Any], key: str, wanted: Any) -> bool:
    """Whether the study's game has that value throughout, so that nothing need be picked."""
    value = (study.get("game") or {}).get(key)
    given = value if isinstance(value, list) and value else [value]
    return all(one == wanted for one in given)


def _unfinished(data: Dataset) -> str:
    """How many of the cells that a number needs are not there; nothing where all are."""
    if "cell" not in data:
        return ""
    planned, status = data["cell"], data["status"]
    further = [dim for dim in status.dims if dim not in planned.dims]
    missing = int(((planned != "") & ~(status != "").any(further)).sum())
    return f"{missing} of {int((planned != '').sum())} cells are missing" if missing else ""


def _equal(values: np.ndarray, wanted: bool | float | str) -> np.ndarray:
    """Which values are the one wanted; padding stays."""
    if values.dtype.kind == "U" or isinstance(wanted, str):
        return np.asarray(values.astype(str) == str(wanted))
    return np.where(np.isnan(values), np.nan, np.isclose(values, wanted, rtol=ROUNDING, atol=0.0))


def _reduced(rows: np.ndarray, over: str | None) -> tuple[bool | float | str | None, str]:
    """One number from values ``[cell, own]``, or None and why not. Padding beside numbers does not count."""
    kept = _kept(rows)
    empty = int((~kept).all(axis=1).sum())
    if empty:
        return None, "it has no value" if empty == len(
            rows
        ) else f"{empty} of {len(rows)} cells have no value"
    values = rows[kept]
    if over is not None and values.dtype.kind == "U":
        return None, f"text has no {over}" + (": name one by equals" if over == "share" else "")
    if over is not None:
        return _finite(_OVER[over](values))
    first = values[0]
    if values.dtype.kind == "f":
        same = np.isclose(values, first, rtol=ROUNDING, atol=0.0, equal_nan=True).all()
    else:
        same = (values == first).all()
    if not same:
        return None, f"{len(values)} values that differ: pick one with at, or reduce them with over"
    return _finite(first)


def _kept(rows: np.ndarray) -> np.ndarray:
    """Where a run's dataset holds more than padding, as `rivalry.results.collect` pads."""
    if rows.dtype.kind == "f":
        return np.asarray(~np.isnan(rows))
    return np.asarray(rows != -1) if rows.dtype.kind == "i" else np.ones(rows.shape, dtype=bool)


_OVER: dict[str, Callable[[np.ndarray], Any]] = {
    "mean": lambda values: np.mean(values, dtype=float),
    "min": np.min,
    "max": np.max,
    "share": lambda values: np.mean(values != 0),
}


def _finite(value: Any) -> tuple[bool | float | str | None, str]:
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and not np.isfinite(plain):
        return None, "it is not finite"
    return plain, ""


__all__ = ["Judged", "cells", "certificates", "expectations", "judge"]
