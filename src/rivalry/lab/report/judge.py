"""Comparison of results with published and independent values, and the certificates of the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.registry import near
from rivalry.core.results import CLAIMS, COVERAGES, is_truth
from rivalry.lab.study.expect import applicable, differences, is_fixed
from rivalry.plots.select import NoSuchPoint, dimension, in_step, position

if TYPE_CHECKING:
    from xarray import Dataset

ROUNDINGS = ("floating point", "outward", "exact")  # of bounds, from the weakest
ROUNDING = 1e-9  # relative difference below which numbers count as equal
NOT_COMPARED = "not compared"
REDUCED = "not valid in a reduced run"


class JudgedExpectation(NamedTuple):
    """An ``[[expect]]`` entry of a study after comparison: the row for scripts, and the study's note."""

    row: dict[str, Any]
    note: str

    @property
    def compared(self) -> bool:
        """Return whether our value was compared with any reference."""
        return any(self.row[f"{name}_verdict"] not in (None, NOT_COMPARED) for name in REFERENCES)


REFERENCES = ("published", "expected")
COLUMNS = (
    *("study", "quantity", "at", "reduce", "ours", "published", "published_tolerance"),
    *("published_tolerance_reason", "published_verdict", "read", "locator", "why", "expected", "tolerance"),
    *("within", "expected_verdict", "reason", "certificate"),
)
"""Keys of a row for scripts, in order."""


def expectations(study: Mapping[str, Any], data: Dataset, name: str | None = None) -> list[dict[str, Any]]:
    """Return every ``[[expect]]`` of a resolved study with our value, as ``--json`` prints it.

    ``published_verdict`` and ``expected_verdict`` are ``agrees``, ``differs``, ``not compared`` (with a
    ``reason``), or None if the study gives no such reference. ``certificate`` is the weakest claim of the
    cells behind our value. ``name`` replaces the study's own name.
    """
    return [judged.row for judged in judge(study, data, name)]


def judge(study: Mapping[str, Any], data: Dataset, name: str | None = None) -> list[JudgedExpectation]:
    """Compare every ``[[expect]]`` of a resolved study with the run's dataset."""
    changed = differences(study)
    called = study.get("name", "") if name is None else name
    found = []
    for row in map(dict, study.get("expect", ())):
        at, reason = applicable(changed, row)
        value, claim, why = _ours(study, {**row, "at": at}, data)
        if not reason and study.get("quick_form") and not row.get("quick"):
            reason = REDUCED
        reason = reason or why
        published, why_not = _verdict(row.get("published"), row.get("published_tolerance"), value)
        expected, why_not_either = _verdict(row.get("expected"), row.get("tolerance"), value)
        if row.get("within") is not None:
            expected, why_not_either = _within(row["within"], value)
        verdicts = [verdict and NOT_COMPARED if reason else verdict for verdict in (published, expected)]
        known = row | {"study": called, "at": dict(row.get("at", {})), "ours": value, "certificate": claim}
        known |= dict(zip(("published_verdict", "expected_verdict"), verdicts, strict=True))
        known["reason"] = reason or why_not or why_not_either
        judged = {key: known.get(key) for key in COLUMNS}
        for key in ("published_tolerance_reason", "locator", "why", "reason"):
            judged[key] = judged[key] or None  # no text is null for scripts
        found.append(JudgedExpectation(judged, row.get("note", "")))
    return found


def tally(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the numbers of references of both kinds and their verdicts, in words.

    >>> tally([{"published_verdict": "differs", "why": "a slip", "expected_verdict": "agrees"}])
    '1 published value: 1 differs (explained); 1 independent check: 1 agrees'
    """
    parts = []
    for name, word in (("published", "published value"), ("expected", "independent check")):
        own = [row for row in rows if row[f"{name}_verdict"] is not None]
        if not own:
            continue
        counted = []
        for verdict, plural in (("agrees", "agree"), ("differs", "differ"), (NOT_COMPARED, NOT_COMPARED)):
            those = [row for row in own if row[f"{name}_verdict"] == verdict]
            aside = ""
            if (name, verdict) == ("published", "differs"):
                count = sum(bool(row["why"]) for row in those)
                aside = " (explained)" if count == len(those) else f" ({count} explained)"
            if those:
                counted.append(f"{len(those)} {verdict if len(those) == 1 else plural}{aside}")
        parts.append(f"{len(own)} {word}{'s' * (len(own) != 1)}: {', '.join(counted)}")
    return "; ".join(parts)


def certificates(data: Dataset) -> list[dict[str, Any]]:
    """Return the certificate of every finished cell, as ``--json`` prints it.

    Keys: cell, algorithm, at, regret and bound (the largest over players; None if infinite or unknown),
    coverage, rounding and claim (the weakest if a cell holds several results).
    """
    return [certificate for certificate, _ in cells(data)]


def results(data: Dataset) -> list[dict[str, Any]]:
    """Return the results of every finished cell, as ``--json`` prints them.

    Keys: algorithm, at, status, claim, payoff (per player; a list of these if a cell holds several results)
    and metrics, the variables with one number, word or boolean per cell, or a number per player.
    """
    found = []
    for (certificate, about), cell in zip(cells(data), _finished_cells(data), strict=True):
        row = {key: certificate[key] for key in ("algorithm", "at")}
        row |= {"status": about["status"], "claim": certificate["claim"]}
        row["payoff"] = cell["payoff"].values.tolist() if "payoff" in cell else None
        single = [str(name) for name in cell.data_vars if cell[name].dims in ((), ("player",))]
        values = {name: cell[name].values for name in single if name not in ABOUT}
        known = {name: value[_is_stored(value)] for name, value in values.items()}
        row["metrics"] = {
            name: value.tolist() if values[name].ndim else value[0].item()
            for name, value in known.items()
            if value.size
        }
        found.append(row)
    return found


_SUMMARISED = (
    *("status", "regret", "bound", "at_stake", "distance"),
    *("certificate_method", "coverage", "rounding", "claim"),
)
ABOUT = (
    *("cell", "status", "claim", "coverage", "rounding", "payoff", "regret", "bound", "at_stake"),
    *("concept", "concept_residual", "certificate_method", "tolerance", "exchangeable"),
)
"""Variables that describe a result and are not metrics of it."""


def cells(data: Dataset) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return every finished cell's certificate, and what else is known of its results.

    The latter: ``place``, its coordinates that vary; ``status``; ``distance``, the largest over batch indices
    to the nearest equilibrium found, None if unknown; ``gain``, the largest bound as a fraction of the payoff
    at stake, 0 if unknown; ``search``, how regrets were computed, empty if not in one way.
    """
    return [_cell(data, cell) for cell in _finished_cells(data)]


def _cell(data: Dataset, cell: Dataset) -> tuple[dict[str, Any], dict[str, Any]]:
    where = {dim: cell[dim].values.item() for dim in _lead(data)}
    label = ", ".join(f"{name}={value}" for name, value in where.items())
    finished = np.asarray(cell["status"].values != "")
    # [batch ...] with one row without a batch; regret and bound are [batch player]
    values = {name: cell[name].values[finished] for name in _SUMMARISED if name in cell}
    row = {
        "cell": str(cell["cell"].values) if "cell" in data else label,
        "algorithm": where.get("algorithm"),
        "at": {k: v for k, v in where.items() if k != "algorithm"},
        "regret": _largest(values.get("regret")),
        "bound": _largest(values.get("bound")),
        "coverage": _weakest(values.get("coverage"), COVERAGES),
        "rounding": _weakest(values.get("rounding"), ROUNDINGS),
        "claim": _weakest(values.get("claim"), CLAIMS),
    }
    distance, gain = values.get("distance"), np.zeros(1)
    if {"bound", "at_stake"} <= set(values):
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = values["bound"] / values["at_stake"]
    about = {
        "place": {dim: value for dim, value in where.items() if data.sizes[dim] > 1},
        "status": _common(values["status"], "mixed"),
        "distance": None if distance is None else _largest(distance[:, None]),
        "gain": float(np.max(gain[np.isfinite(gain)], initial=0.0)),
        "search": _common(values.get("certificate_method", np.array([])), ""),
    }
    return row, about


def _lead(data: Dataset) -> list[str]:
    """Return the dimensions of cells."""
    dims = data["cell"].dims if "cell" in data else data["status"].dims
    return [str(dim) for dim in dims if dim in data.coords]


def _finished_cells(data: Dataset) -> Iterator[Dataset]:
    """Yield the data of every finished cell."""
    if "status" not in data:
        return
    lead = _lead(data)
    for index in np.ndindex(*(data.sizes[dim] for dim in lead)):
        cell = data.isel(dict(zip(lead, index, strict=True)))
        if np.any(cell["status"].values != ""):
            yield cell


def _largest(rows: np.ndarray | None) -> float | None:
    """Return the largest of values ``[batch player]``; None if infinite or, for any batch index, unknown.

    Other NaN are padding.
    """
    if rows is None or np.isnan(rows).all(axis=-1).any():
        return None
    top = float(np.nanmax(rows))
    return top if np.isfinite(top) else None


def _common(words: np.ndarray, otherwise: str) -> str:
    """Return the word that all entries have."""
    found = np.unique(words)
    return str(found[0]) if len(found) == 1 else otherwise


def _weakest(words: np.ndarray | None, order: Sequence[str]) -> str | None:
    """Return the weakest of some words; None if one of them is missing."""
    found = {str(word) for word in words} if words is not None else set()
    return min(found, key=order.index) if found and found <= set(order) else None


def _within(band: Sequence[float], ours: bool | float | str | None) -> tuple[str, str]:
    """Return the verdict on a range for our value, and why it is not compared."""
    if isinstance(ours, str) or ours is None:
        return NOT_COMPARED, "ours is no number"
    return ("agrees" if band[0] <= ours <= band[1] else "differs"), ""


def _verdict(
    value: bool | float | str | None, tolerance: float | None, ours: bool | float | str | None
) -> tuple[str | None, str]:
    """Return the verdict on a reference value (None without one), and why it is not compared."""
    if value is None:
        return None, ""
    if isinstance(value, str) != isinstance(ours, str):
        return NOT_COMPARED, "one is text, the other a number"
    if isinstance(value, str) or isinstance(ours, str):
        return ("agrees" if ours == value else "differs"), ""
    # slightly more, so that rounding does not decide a difference of exactly the tolerance
    # without our value the caller has a reason, and does not use this verdict
    allowed = ROUNDING * abs(value) if tolerance is None else tolerance + ROUNDING * tolerance
    return ("agrees" if abs(float(ours or 0) - float(value)) <= allowed else "differs"), ""


def _ours(
    study: Mapping[str, Any], row: Mapping[str, Any], data: Dataset
) -> tuple[bool | float | str | None, str | None, str]:
    """Return our value, the weakest claim of the cells behind it, and why it is not compared."""
    name = row["quantity"]
    if name not in data or "status" not in data:
        hint = near(name, map(str, data.data_vars))
        meant = f"; {hint}" if hint.startswith("did") else ""
        return None, None, f"{name} is in no cell of this run{meant}"
    picked, why = _select(study, data, name, row.get("at", {}))
    if picked is None:
        return None, None, why
    shared = [dim for dim in picked["status"].dims if dim in picked[name].dims]
    status = picked["status"].transpose(*shared, ...).values
    finished = (status != "").reshape(int(np.prod(status.shape[: len(shared)])), -1)  # [cell, batch]
    if not finished.any():
        return None, None, "no cell there has finished"
    values = picked[name].transpose(*shared, ...).values.reshape(len(finished), -1)[finished.any(axis=1)]
    claim = None
    if "claim" in picked:
        claims = picked["claim"].transpose(*shared, ...).values.reshape(finished.shape)
        claim = _weakest(claims[finished], CLAIMS)
    if row.get("equals") is not None:
        values = _equal(values, row["equals"])
    value, why = _reduce(values, row.get("reduce"))
    whole = row.get("reduce") in (None, "min", "max") and row.get("equals") is None
    if value is not None and whole and is_truth(data[name]):
        value = bool(value)
    return value, claim, why or _missing_cells(picked)


def _select(
    study: Mapping[str, Any], data: Dataset, name: str, at: Mapping[str, Any]
) -> tuple[Dataset | None, str]:
    """Return the data at a point, or None and why there is no such point."""
    try:
        at = in_step(data, at)
    except NoSuchPoint as error:
        return None, f"this run has {str(error).removeprefix('at: ')}"
    for key, wanted in at.items():
        own = (key, f"{name}_{key}", dimension(data, key))
        dim = next((str(d) for d in data[name].dims if d in own), None)
        if dim is None and not is_fixed(study.get("game") or {}, key, wanted):
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


def _missing_cells(data: Dataset) -> str:
    """Return how many of the cells behind a value are missing, in words; empty if none is."""
    if "cell" not in data:
        return ""
    planned, status = data["cell"], data["status"]
    further = [dim for dim in status.dims if dim not in planned.dims]
    missing = int(((planned != "") & ~(status != "").any(further)).sum())
    return f"{missing} of {int((planned != '').sum())} cells are missing" if missing else ""


def _equal(values: np.ndarray, wanted: bool | float | str) -> np.ndarray:
    """Return which values equal the one wanted; padding stays."""
    if values.dtype.kind == "U" or isinstance(wanted, str):
        return np.asarray(values.astype(str) == str(wanted))
    return np.where(np.isnan(values), np.nan, np.isclose(values, wanted, rtol=ROUNDING, atol=0.0))


def _reduce(rows: np.ndarray, reduce: str | None) -> tuple[bool | float | str | None, str]:
    """Return one number from values ``[cell, own]``, or None and the reason; padding does not count."""
    stored = _is_stored(rows)
    empty = int((~stored).all(axis=1).sum())
    if empty == len(rows):
        return None, "it has no value"
    if empty:
        return None, f"{empty} of {len(rows)} cells have no value"
    values = rows[stored]
    if reduce is not None and values.dtype.kind == "U":
        return None, f"text has no {reduce}" + (": name one by equals" if reduce == "share" else "")
    if reduce is not None:
        return _finite(_REDUCE[reduce](values))
    same = values == values[0]
    if values.dtype.kind == "f":
        same = np.isclose(values, values[0], rtol=ROUNDING, atol=0.0)
    if not same.all():
        return None, f"{len(values)} values that differ: pick one with at, or give reduce"
    return _finite(values[0])


def _is_stored(values: np.ndarray) -> np.ndarray:
    """Return where a run's dataset holds more than the padding of `rivalry.core.results.collect`."""
    if values.dtype.kind == "f":
        return np.asarray(~np.isnan(values))
    return np.asarray(values != -1) if values.dtype.kind == "i" else np.ones(values.shape, dtype=bool)


_REDUCE: dict[str, Callable[[np.ndarray], Any]] = {
    "mean": lambda values: np.mean(values, dtype=float),
    "min": np.min,
    "max": np.max,
    "share": lambda values: np.mean(values != 0),
}


def _finite(value: Any) -> tuple[bool | float | str | None, str]:
    """Return a scalar of NumPy as a number or text, or None and the reason."""
    plain = value.item()
    if isinstance(plain, float) and not np.isfinite(plain):
        return None, "it is not finite"
    return plain, ""
