"""Comparison of results with published and independent values, and the certificates of the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, compress, product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.claims import CLAIMS, COVERAGES, ClaimFacts
from rivalry.core.results import gains_left_open, is_truth
from rivalry.core.tolerances import SAME_NUMBER
from rivalry.lab.study.expect import applicable, differences, is_fixed, is_reduced
from rivalry.lab.study.identity import StudyTables, Table, TableDict
from rivalry.lab.study.words import Words
from rivalry.plots.select import NoSuchPoint, dimension, in_step, position
from rivalry.runtime.imports import pause_collection
from rivalry.schema.registry import near
from rivalry.text.display import count_text

if TYPE_CHECKING:
    from xarray import Dataset

ROUNDINGS = ("floating point", "outward", "exact")  # of bounds, from the weakest
NOT_COMPARED = "not compared"
NOT_TOLD_APART = "cannot be told apart"
RESOLVED = 0.5  # of a reference value: the widest tolerance that resolves its sign and a factor of two
REDUCED = "not valid in a reduced run"


Value = bool | float | str  # of a quantity, or of its reference
JudgedCell = tuple[TableDict, TableDict]
"""A cell's certificate as ``--json`` prints it, and what else is known of its results; see `cells`."""


class JudgedExpectation(NamedTuple):
    """An ``[[expect]]`` entry of a study after comparison: the row for scripts, and the study's note."""

    row: TableDict
    note: str

    @property
    def compared(self) -> bool:
        """True if our value was compared with any reference."""
        return is_compared(self.row)


REFERENCES = ("published", "expected")
COLUMNS = (
    *("study", "quantity", "at", "reduce", "ours", "published", "published_tolerance"),
    *("published_tolerance_reason", "published_verdict", "read", "locator", "entry", "part", "why"),
    *("expected", "tolerance", "within", "expected_verdict", "reason", "certificate", "equals"),
)
"""Keys of a row for scripts, in order."""


def judge(study: StudyTables, data: Dataset) -> list[JudgedExpectation]:
    """Compare every ``[[expect]]`` of a resolved study with the run's dataset.

    ``published_verdict`` and ``expected_verdict`` are ``agrees``, ``differs``, ``cannot be told apart``
    (ours is within a tolerance that exceeds half the reference value, so that half of it is too), ``not
    compared`` (with a ``reason``), or None if the study gives no such reference. ``certificate`` is the
    weakest claim of the cells behind our value.
    """
    changed, from_origin = differences(study), differences(study, "origin")
    inherited = (study.get("origin") or {}).get("expect", ())
    comparisons = []
    for row in map(dict, study.get("expect", ())):
        changes = from_origin if row in inherited else changed
        at, reason = applicable(changes, row)
        value, claim, reason_uncompared = _result_value(study, {**row, "at": at}, data)
        if not reason and is_reduced(study) and not row.get("quick"):
            reason = REDUCED
        comparisons.append(
            compare(row | {"study": study.get("name", "")}, value, claim, reason or reason_uncompared)
        )
    return comparisons


def compare(row: Table, value: Value | None, claim: str | None, reason: str | None) -> JudgedExpectation:
    """Compare our value with the references of an ``[[expect]]`` entry, unless there is a reason not to."""
    published, published_reason = _verdict(row.get("published"), row.get("published_tolerance"), value)
    expected, expected_reason = _verdict(row.get("expected"), row.get("tolerance"), value)
    if row.get("within") is not None:
        expected, expected_reason = _within(row["within"], value)
    if reason:
        # a verdict of None says that there is no reference
        published, expected = published and NOT_COMPARED, expected and NOT_COMPARED
    comparison = {**row, "at": dict(row.get("at", {})), "ours": value, "certificate": claim}
    comparison |= {"published_verdict": published, "expected_verdict": expected}
    comparison["reason"] = reason or published_reason or expected_reason
    judged = {key: comparison.get(key) for key in COLUMNS}
    for key in ("published_tolerance_reason", "locator", "entry", "why", "reason"):
        judged[key] = judged[key] or None  # no text is null for scripts
    return JudgedExpectation(judged, row.get("note", ""))


def is_compared(row: Table) -> bool:
    """True if our value was compared with any reference."""
    return any(row[f"{name}_verdict"] not in (None, NOT_COMPARED) for name in REFERENCES)


def agree(rows: Sequence[Table]) -> bool:
    """True if every value was compared and agrees, but published ones whose difference a study explains.

    >>> agree([{"published_verdict": "differs", "why": "a slip", "expected_verdict": "agrees"}])
    True
    >>> agree([{"published_verdict": None, "expected_verdict": "not compared"}])
    False
    """
    for row in rows:
        is_explained = row["published_verdict"] == "differs" and bool(row["why"])
        verdicts = {row["expected_verdict"], None if is_explained else row["published_verdict"]}
        if not verdicts.isdisjoint(("differs", NOT_COMPARED)):
            return False
    return True


def tally(rows: Sequence[Table]) -> str:
    """Numbers of references of both kinds and their verdicts, in words.

    >>> tally([{"published_verdict": "differs", "why": "a slip", "expected_verdict": "agrees"}])
    '1 published value: 1 differs (explained); 1 independent check: 1 agrees'
    """
    parts = []
    for name, word in (("published", "published value"), ("expected", "independent check")):
        judged = [row for row in rows if row[f"{name}_verdict"] is not None]
        if not judged:
            continue
        counted = []
        plurals = {"agrees": "agree", "differs": "differ"}
        for verdict in ("agrees", "differs", NOT_TOLD_APART, NOT_COMPARED):
            cases = [row for row in judged if row[f"{name}_verdict"] == verdict]
            aside = ""
            if (name, verdict) == ("published", "differs"):
                count = sum(bool(row["why"]) for row in cases)
                aside = " (explained)" if count == len(cases) else f" ({count} explained)"
            verb = verdict if len(cases) == 1 else plurals.get(verdict, verdict)
            if cases:
                counted.append(f"{len(cases)} {verb}{aside}")
        parts.append(f"{count_text(len(judged), word)}: {', '.join(counted)}")
    return "; ".join(parts)


def results(data: Dataset, judged_cells: Sequence[JudgedCell] | None = None) -> list[TableDict]:
    """Results of every finished cell, as ``--json`` prints them.

    ``judged_cells`` are those of `cells`, where they were computed before.

    Keys: algorithm, at, status, claim, payoff (per player; a list of these if a cell holds several results)
    and metrics, the variables with one number, word or boolean per cell, or a number per player.
    """
    arrays, finished = _by_cell(data), _finished(data)
    single = {
        str(name): arrays(str(name))[finished]
        for name in data.data_vars
        if name not in ABOUT and set(data[name].dims) - set(_lead(data)) in (set(), {"player"})
    }
    stored = {name: _is_stored(values) for name, values in single.items()}
    truths = {name for name in single if is_truth(data[name])}
    pays = arrays("payoff")[finished].tolist() if "payoff" in data else None
    rows = []
    for k, (certificate, properties) in enumerate(cells(data) if judged_cells is None else judged_cells):
        row = {key: certificate[key] for key in ("algorithm", "at")}
        row |= {"status": properties["status"], "claim": certificate["claim"]}
        row["payoff"] = pays[k] if pays is not None else None
        row["metrics"] = metrics = {}
        for name, values in single.items():
            if np.any(stored[name][k]):
                number = values[k][stored[name][k]] if values.ndim > 1 else values[k]
                # a dataset stores Booleans as numbers
                metrics[name] = np.asarray(number, bool if name in truths else None).tolist()
        rows.append(row)
    return rows


_SUMMARISED = (
    *("status", "regret", "regret_error", "bound", "at_stake", "distance"),
    *("certificate_method", "certificate_radius", "coverage", "rounding", "claim", "verified_proof"),
    *("concept", "proof_refusal", "absent"),
)
FEW = 5  # results without a proof file that are named per reason
_PER_PLAYER = ("regret", "regret_error", "bound", "at_stake")
_PER_RESULT = ("certificate_radius", "distance")
_LARGEST = ("regret", "bound", *_PER_RESULT)
ABOUT = (
    *("cell", "status", "claim", "coverage", "rounding", "payoff", "regret", "regret_error", "bound"),
    *("claim_scope", "concept", "concept_residual", "certificate_method", "certificate_radius", "tolerance"),
    *("at_stake", "verified_proof", "proof_refusal", "exchangeable", "absent"),
)
"""Variables that describe a result and are not metrics of it."""


@pause_collection()
def cells(data: Dataset) -> list[JudgedCell]:
    """Certificate of every finished cell, as ``--json`` prints it, and what else is known of its results.

    Keys of the former: cell, algorithm, at, regret and bound (the largest over players; None if infinite or
    unknown), coverage, rounding and claim (the weakest if a cell holds several results), radius, and reason
    (why no more is proved; empty if nothing is missing).

    The latter: ``place``, its coordinates that vary; ``facts``, what words tell of its certificate, and
    ``claim`` in words; ``status``; ``distance``, the largest over batch indices to the nearest equilibrium
    found, None if unknown; ``reasons``, why nothing more is proved; ``refusals``, why results have no proof
    file.
    """
    finished = _finished(data)
    if not finished.any():
        return []
    arrays, lead = _by_cell(data), _lead(data)
    ended = (arrays("status") != "").reshape(len(finished), -1)[finished]  # [cell batch]
    # [cell batch], and of numbers per player [cell batch player]
    values = {
        name: arrays(name)[finished].reshape(*ended.shape, *([-1] * (name in _PER_PLAYER)))
        for name in _SUMMARISED
        if name in data
    }
    words = {name: _words_of(values[name], ended) for name in values if values[name].dtype.kind == "U"}
    numbers = {name: array for name, array in values.items() if name not in words}
    numbers |= {name: numbers[name][..., None] for name in _PER_RESULT if name in numbers}
    largest: dict[str, Sequence[float | None]] = dict.fromkeys(_LARGEST, [None] * len(ended))
    largest |= {name: _largest(numbers[name], ended) for name in _LARGEST if name in numbers}
    gains = _gains(numbers, ended)
    axes = [data[dim].values.tolist() for dim in lead]
    points = compress(product(*axes), finished.tolist())
    ids = arrays("cell")[finished].tolist() if "cell" in data else None
    rows = []
    for k, point in enumerate(points):
        where = dict(zip(lead, point, strict=True))
        cell = ids[k] if ids is not None else ", ".join(f"{n}={v}" for n, v in where.items())
        cell_words = {name: row[k] for name, row in words.items()}
        numbers_of_cell = {name: row[k] for name, row in largest.items()}
        certificate, properties = _judged(cell, where, cell_words, numbers_of_cell, gains[k])
        properties["place"] = {dim: value for dim, value in where.items() if data.sizes[dim] > 1}
        rows.append((certificate, properties))
    return rows


def _judged(
    cell: str,
    where: Mapping[str, Any],
    words: Mapping[str, Sequence[str]],
    largest: Mapping[str, float | None],
    share: float,
) -> JudgedCell:
    """Return the entry of `cells` from the words and the largest numbers of a cell, without its place."""
    methods = [ClaimFacts(method=word) for word in words.get("certificate_method", ())]
    reasons = sorted({method.reasons for method in methods} - {""})
    certificate: TableDict = {
        "cell": cell,
        "algorithm": where.get("algorithm"),
        "at": {name: value for name, value in where.items() if name != "algorithm"},
        "regret": largest["regret"],
        "bound": largest["bound"],
        "coverage": _weakest(words.get("coverage"), COVERAGES),
        "rounding": _weakest(words.get("rounding"), ROUNDINGS),
        "radius": largest["certificate_radius"],
        "claim": _weakest(words.get("claim"), CLAIMS),
        "reason": "; ".join(reasons),
    }
    finite = {name: np.nan if value is None else value for name, value in largest.items()}
    facts = ClaimFacts(
        certificate["claim"] or "",
        _common(words.get("concept", ()), ""),
        absent=_common(words.get("absent", ()), ""),
        share=share,
        gain=finite["regret"],
        bound=finite["bound"],
        radius=finite["certificate_radius"],
        coverage=certificate["coverage"] or "",
        method=_common([method.search for method in methods], ""),
    )
    properties = {
        "facts": facts,
        "claim": facts.word,
        "status": _common(words["status"], "mixed"),
        "distance": largest["distance"],
        "reasons": reasons,
        "verified": words.get("verified_proof", ("",)),
        "refusals": sorted({*words.get("proof_refusal", ())} - {""}),
    }
    return certificate, properties


def unproved(rows: Iterable[JudgedCell]) -> list[str]:
    """Reasons for which certificates prove no more, each once with the number of its cells."""
    reasons = Counter(chain.from_iterable(properties["reasons"] for _, properties in rows))
    return [f"{reason} ({count_text(count, 'cell')})" for reason, count in reasons.most_common()]


def unfiled(rows: Iterable[JudgedCell], words: Words) -> list[str]:
    """Results without a proof file by their reason, each reason once."""
    places: dict[str, list[str]] = {}
    for _, properties in rows:
        for reason in properties["refusals"]:
            places.setdefault(reason, []).append(words.point(properties["place"]) or "the result")
    lines = []
    for reason, names in places.items():
        further = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        lines.append(f"{'; '.join(names[:FEW])}{further}: {reason}")
    return lines


def _lead(data: Dataset) -> list[str]:
    """Dimensions of cells."""
    dims = data["cell"].dims if "cell" in data else data["status"].dims
    return [str(dim) for dim in dims if dim in data.coords]


def _by_cell(data: Dataset) -> Callable[[str], ndarray]:
    """Function from a variable to its values ``[cell own ...]``, cells in row-major order."""
    lead = _lead(data)
    count = prod(data.sizes[dim] for dim in lead)

    def values(name: str) -> ndarray:
        array = data[name]
        missing = {dim: data.sizes[dim] for dim in lead if dim not in array.dims}
        array = (array.expand_dims(missing) if missing else array).transpose(*lead, ...)
        return np.asarray(array.values).reshape(count, *array.shape[len(lead) :])

    return values


def _finished(data: Dataset) -> ndarray:
    """Mask of cells that have a result, ``[cell]``."""
    if "status" not in data:
        return np.zeros(0, bool)
    status = _by_cell(data)("status")
    return (status != "").reshape(len(status), -1).any(axis=1)


def _words_of(words: ndarray, ended: ndarray) -> list[tuple[str, ...]]:
    """Words of each cell's finished results ``[cell batch]``."""
    if ended.shape[1] == 1:
        return [(word,) for word in words[:, 0].tolist()]
    return [tuple(row[mask].tolist()) for row, mask in zip(words, ended, strict=True)]


def _largest(values: ndarray, ended: ndarray) -> list[float | None]:
    """Each cell's largest value of ``[cell batch player]`` over its finished results ``[cell batch]``.

    None if infinite or, for any batch index, unknown. Other NaN are padding.
    """
    unknown = (np.isnan(values).all(axis=-1) & ended).any(axis=1)
    inside = np.where(ended[..., None], values, np.nan).reshape(len(values), -1)
    top = np.fmax.reduce(inside, axis=1)
    values = top.astype(object)
    values[unknown | ~np.isfinite(top)] = None
    return list(values.tolist())


def _gains(numbers: Mapping[str, ndarray], ended: ndarray) -> list[float]:
    """Each cell's largest gain that its claim leaves open, of what own choice changes; 0 where unknown."""
    if not {"bound", "at_stake"} <= set(numbers):
        return [0.0] * len(ended)
    gain = gains_left_open(numbers)
    gain = np.where(np.isfinite(gain) & ended[..., None], gain, 0.0)
    return list(map(float, gain.reshape(len(gain), -1).max(axis=1, initial=0.0)))


def _common(words: Sequence[str], default: str) -> str:
    """Word that all entries have."""
    distinct = set(words)
    return distinct.pop() if len(distinct) == 1 else default


def _weakest(words: Iterable[str] | None, order: Sequence[str]) -> str | None:
    """Weakest of some words; None if one of them is missing."""
    distinct = {str(word) for word in words} if words is not None else set()
    return min(distinct, key=order.index) if distinct and distinct <= set(order) else None


def _within(band: Sequence[float], result: Value | None) -> tuple[str, str]:
    """Return the verdict on a range for our value, and the reason if they are not compared."""
    if isinstance(result, str) or result is None or np.isnan(result):
        return NOT_COMPARED, "ours is NaN or text"
    return ("agrees" if band[0] <= result <= band[1] else "differs"), ""


def _verdict(value: Value | None, tolerance: float | None, result: Value | None) -> tuple[str | None, str]:
    """Return the verdict on a reference value, None without one, and the reason if it is not compared."""
    if value is None:
        return None, ""
    if isinstance(value, str) != isinstance(result, str):
        return NOT_COMPARED, "one is text, the other a number"
    if isinstance(value, str) or isinstance(result, str):
        return ("agrees" if result == value else "differs"), ""
    # slightly more, so that rounding does not decide a difference of exactly the tolerance
    allowed = SAME_NUMBER * abs(value) if tolerance is None else tolerance + SAME_NUMBER * tolerance
    # where ours is missing the caller has a reason, and does not use this verdict
    computed, reference = float(result or 0), float(value)
    if not np.isfinite(allowed) or np.isnan(computed) or np.isnan(reference):
        return NOT_COMPARED, "ours or the reference is NaN, or the tolerance is not finite"
    if computed != reference and not abs(computed - reference) <= allowed:
        return "differs", ""
    widest = RESOLVED * (1 + SAME_NUMBER) * abs(value)
    return (NOT_TOLD_APART if tolerance is not None and tolerance > widest > 0 else "agrees"), ""


def _result_value(study: StudyTables, row: Table, data: Dataset) -> tuple[Value | None, str | None, str]:
    """Return our value, the weakest claim of the cells behind it, and the reason if it is not compared."""
    name = row["quantity"]
    if name not in data or "status" not in data:
        hint = near(name, map(str, data.data_vars))
        meant = f"; {hint}" if hint.startswith("did") else ""
        return None, None, f"{name} is in no cell of this run{meant}"
    selection, no_selection_reason = _select(study, data, name, row.get("at", {}))
    if selection is None:
        return None, None, no_selection_reason
    shared = [dim for dim in selection["status"].dims if dim in selection[name].dims]
    status = selection["status"].transpose(*shared, ...).values
    finished = (status != "").reshape(int(np.prod(status.shape[: len(shared)])), -1)  # [cell, batch]
    if not finished.any():
        return None, None, "no cell there has finished"
    values = selection[name].transpose(*shared, ...).values.reshape(len(finished), -1)[finished.any(axis=1)]
    claim = None
    if "claim" in selection:
        claims = selection["claim"].transpose(*shared, ...).values.reshape(finished.shape)
        claim = _weakest(claims[finished], CLAIMS)
    if row.get("equals") is not None:
        values = _equal(values, row["equals"])
    value, no_selection_reason = _reduce(values, row.get("reduce"))
    keeps_truth = row.get("reduce") in (None, "min", "max") and row.get("equals") is None
    if value is not None and keeps_truth and is_truth(data[name]):
        value = bool(value)
    return value, claim, no_selection_reason or _missing_cells(selection)


def _select(study: StudyTables, data: Dataset, name: str, at: Table) -> tuple[Dataset | None, str]:
    """Data at a point, or None and why there is no such point."""
    try:
        at = in_step(data, at)
    except NoSuchPoint as error:
        return None, f"this run has {str(error).removeprefix('at: ')}"
    for key, coordinate in at.items():
        dimensions = (key, f"{name}_{key}", dimension(data, key))
        dim = next((str(d) for d in data[name].dims if d in dimensions), None)
        if dim is None and not is_fixed(study.get("game") or {}, key, coordinate):
            return None, f"{name} has no {key} in this run"
        if dim is not None:
            index = _index(data, key if key in data.coords else dim, coordinate)
            if index is None:
                return None, f"this run has no {key} = {coordinate}"
            data = data.isel({dim: index})
    return data, ""


def _index(data: Dataset, dim: str, coordinate: Any) -> int | None:
    if dim in data.coords:
        return position(data[dim].values, coordinate)
    inside = (
        isinstance(coordinate, int) and not isinstance(coordinate, bool) and 0 <= coordinate < data.sizes[dim]
    )
    return coordinate if inside else None


def _missing_cells(data: Dataset) -> str:
    """Number of missing cells behind a value, in words; empty if none is missing."""
    if "cell" not in data:
        return ""
    planned, status = data["cell"], data["status"]
    further = [dim for dim in status.dims if dim not in planned.dims]
    missing = int(((planned != "") & ~(status != "").any(further)).sum())
    return f"{missing} of {int((planned != '').sum())} cells are missing" if missing else ""


def _equal(values: ndarray, target: Value) -> ndarray:
    """Mask of values that equal the one wanted; padding stays."""
    if values.dtype.kind == "U" or isinstance(target, str):
        return np.asarray(values.astype(str) == str(target))
    return np.where(np.isnan(values), np.nan, np.isclose(values, target, rtol=SAME_NUMBER, atol=0.0))


def _reduce(rows: ndarray, reduce: str | None) -> tuple[Value | None, str]:
    """One number from values ``[cell, own]``, or None and the reason; padding does not count."""
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
    equal = values == values[0]
    if values.dtype.kind == "f":
        equal = np.isclose(values, values[0], rtol=SAME_NUMBER, atol=0.0)
    if not equal.all():
        return None, f"{len(values)} values that differ: pick one with at, or give reduce"
    return _finite(values[0])


def _is_stored(values: ndarray) -> ndarray:
    """Mask of entries of a run's dataset beyond the padding of `rivalry.core.results.collect`."""
    if values.dtype.kind == "f":
        return np.asarray(~np.isnan(values))
    return np.asarray(values != -1) if values.dtype.kind == "i" else np.ones(values.shape, bool)


_REDUCE: dict[str, Callable[[ndarray], Any]] = {
    "mean": lambda values: np.mean(values, dtype=float),
    "min": np.min,
    "max": np.max,
    "share": lambda values: np.mean(values != 0),
}


def _finite(value: Any) -> tuple[Value | None, str]:
    """Scalar of NumPy as a number or text, or None and the reason."""
    plain = value.item()
    if isinstance(plain, float) and not np.isfinite(plain):
        return None, "it is not finite"
    return plain, ""
