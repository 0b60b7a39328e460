"""Results of a run per method and swept point: the rows of the report's first table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.register import FamilyDefaults
from rivalry.core.results import (
    count_in_words,
    gain_in_words,
    is_truth,
    split_method,
    strategy_by_name,
    strategy_in_words,
)
from rivalry.core.statistics import format_interval, half_width, share_interval
from rivalry.lab.report.tables import PROOFS
from rivalry.plots.families import DEFAULTS
from rivalry.plots.metrics import metric_label
from rivalry.plots.select import EVENTS, format_value, is_blank

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

REPEATED = ("replication", "batch")
"""Dimensions of results at one point: replications, and starts of one cell."""
SMALL = 24  # numbers of the largest profile that is printed
ENTRIES = 4  # values of the longest metric that is printed
COLUMNS = 5  # most metrics in the table
ZERO = 1e-12  # smaller numbers, relative to those beside them, are printed as 0
_OWN = ("profile", "payoff", "claim", "status", "coverage", "regret", "bound", "steps", "equilibria")
"""Quantities that the table shows anyway, or that describe a certificate."""


class Answer:
    """The results of one method at one point; arrays are ``[result ...]`` over replications and starts.

    A report prints few of many points, so each part is computed when it is first used.
    """

    def __init__(
        self,
        algorithm: str,
        at: dict[str, Any],
        outer_index: tuple[int, ...],
        known: Mapping[str, DataArray],
        names: Sequence[str],
        here: Mapping[str, np.ndarray],
    ) -> None:
        self.algorithm = algorithm
        self.at = at  # coordinates that vary, without method and replication
        self.outer_index = outer_index  # position along all dimensions of the sweep but the last
        self._known, self._names, self._own = known, names, here
        self._count = len(here["status"])

    @cached_property
    def repeats(self) -> str:
        """``replications``, ``starts`` or empty."""
        status = self._known["status"]
        batched = "batch" in status.dims and self._count > status.sizes.get("replication", 1)
        return "" if self._count == 1 else "starts" if batched else "replications"

    @cached_property
    def statuses(self) -> Counter[str]:
        """Statuses and their numbers."""
        return Counter(self._own["status"].tolist())

    @cached_property
    def claims(self) -> Counter[str]:
        """Claims and their numbers; an empty claim is a result without certificate."""
        return Counter(self._own["claim"].tolist()) if "claim" in self._own else Counter({"": self._count})

    @cached_property
    def regret(self) -> np.ndarray:
        """Regrets ``[result player]``, empty without certificates."""
        return self._certified("regret")

    @cached_property
    def bound(self) -> np.ndarray:
        """Bounds ``[result player]``, NaN where unknown."""
        return self._certified("bound")

    @cached_property
    def at_stake(self) -> np.ndarray:
        """Payoffs at stake ``[result player]``, NaN where unknown."""
        return self._certified("at_stake")

    @cached_property
    def refuting(self) -> np.ndarray:
        """Whether regrets ``[result player]`` are above the tolerance."""
        return _refuting(self._own)[self._known_regret] if "regret" in self._own else np.zeros((0, 1), bool)

    @cached_property
    def _known_regret(self) -> np.ndarray:
        regret = self._own.get("regret", np.full((self._count, 1), np.nan))
        return np.asarray(~np.isnan(regret).all(axis=-1))

    def _certified(self, name: str) -> np.ndarray:
        """Return numbers of results with a certificate."""
        unknown = np.full_like(self._own.get("regret", np.full((self._count, 1), np.nan)), np.nan)
        return np.asarray(self._own.get(name, unknown)[self._known_regret])

    @cached_property
    def gain(self) -> float:
        """Largest bound of approximate equilibria as a fraction of the payoff at stake."""
        return _largest_gain(self._own)

    @cached_property
    def searches(self) -> tuple[str, ...]:
        """How regrets were computed."""
        methods = self._own.get("certificate_method", ())
        return tuple(sorted({split_method(str(text))[0] for text in methods} - {""}))

    @cached_property
    def estimated(self) -> bool:
        """Whether some regrets are estimates from samples."""
        return "estimated" in self._own.get("coverage", ())

    @cached_property
    def concept(self) -> str:
        """Solution concept other than Nash and mean field."""
        return _concept(self._own)

    @cached_property
    def residual(self) -> float:
        """Largest residual of the equations of that concept; NaN where unknown."""
        return float(np.fmax.reduce(self._own.get("concept_residual", np.array([np.nan]))))

    @cached_property
    def profile(self) -> np.ndarray | None:
        """Profiles ``[result player axis]``; None where too large to print."""
        return _profile(self._known, self._own.get("profile"))

    @cached_property
    def payoff(self) -> np.ndarray | None:
        """Payoffs ``[result player]``."""
        return _payoff(self._known, self._own.get("payoff"))

    @cached_property
    def players(self) -> tuple[str, ...]:
        """Names of the players."""
        names = np.ravel(self._own.get("player_name", np.array([[]]))[0])
        return tuple(str(name) for name in names if name)

    @cached_property
    def actions(self) -> np.ndarray | None:
        """Names ``[player axis]``; None where a strategy is no mixture of named actions."""
        return _actions(self._own.get("action_name"), self.profile)

    @cached_property
    def metrics(self) -> dict[str, str]:
        """Values of metrics in words."""
        return _metrics(self._known, self._names, self._own, self.repeats)

    @cached_property
    def counts_text(self) -> str:
        """Equilibria listed, or branches followed, in words."""
        if self._count > 1:
            return ""
        return _count_phrase({name: values[0] for name, values in self._own.items()})

    @cached_property
    def boxes(self) -> int:
        """Boxes searched for a list of equilibria with proofs; -1 without one."""
        return int(self._own["boxes"][0]) if self._count == 1 and "boxes" in self._own else -1

    @cached_property
    def radius(self) -> float:
        """Largest distance to an exact equilibrium; NaN where one is not proved everywhere."""
        return _largest_radius(self._own)

    @cached_property
    def outcome(self) -> tuple[Any, ...]:
        """What consecutive answers share that one sentence describes."""
        words = tuple(value for value in self.at.values() if isinstance(value, str))
        kinds = frozenset(self.statuses), frozenset(self.claims), self.results
        return self.algorithm, self.outer_index, words, *kinds, self.counts_text

    @property
    def results(self) -> int:
        """Number of results."""
        return sum(self.statuses.values())

    @property
    def status(self) -> str:
        """Statuses in words, counted where they differ."""
        return counted(self.statuses)

    @property
    def claim(self) -> str:
        """Claims in words, counted where they differ."""
        return counted(Counter({claim or "no certificate": n for claim, n in self.claims.items()}))

    @property
    def stake(self) -> str:
        """What an approximate equilibrium leaves open; empty for other claims."""
        return gain_in_words(self.gain) if "approximate equilibrium" in self.claims else ""

    @property
    def where(self) -> str:
        """The point in words."""
        return ", ".join(f"{name} = {format_value(value)}" for name, value in self.at.items())

    @cached_property
    def profile_words(self) -> str:
        """The profile, or the mean over replications; empty where it is too large or starts differ."""
        if self.profile is None:
            return ""
        first = self.profile[0]
        single = len(self.profile) == 1 and not np.isnan(first).any()
        size = 0.0 if single else np.nanmax(np.abs(first), initial=0.0)
        if single or np.allclose(self.profile, first, rtol=1e-4, atol=1e-6 * size):
            return profile_in_words(first, self.actions)
        if self.repeats == "starts":
            return f"{len(np.unique(self.profile.round(4), axis=0))} different profiles"
        mean, half = self.profile.mean(axis=0), half_width(self.profile)
        pairs = zip(mean, half, strict=True)
        rows = [list(map(format_interval, *map(np.ndarray.tolist, pair))) for pair in pairs]
        if self.actions is not None:
            named = [zip(own, row, strict=True) for own, row in zip(self.actions, rows, strict=True)]
            rows = [[f"{name} {text}" for name, text in row if name] for row in named]
        return _rows(rows)

    @property
    def payoff_words(self) -> str:
        """Payoffs per player, as means with intervals over replications; one if equal for all."""
        return "" if self.payoff is None else _entries(self.payoff, self.repeats, "f")


def counted(words: Mapping[str, int]) -> str:
    """Return words with their counts, or the only one.

    >>> counted(Counter(["cycling", "converged", "converged"])), counted({"converged": 4})
    ('2 converged, 1 cycling', 'converged')
    """
    rows = sorted(words.items(), key=lambda row: (-row[1], row[0]))
    return rows[0][0] if len(rows) == 1 else ", ".join(f"{n} {word}" for word, n in rows)


def number_in_words(value: float, size: float = 0.0) -> str:
    """Return a number to four digits; 0 for a rounding error beside numbers of the given size.

    >>> number_in_words(0.37412), number_in_words(-1e-17, 1.0), number_in_words(2e-14)
    ('0.3741', '0', '2e-14')
    """
    return format_interval(0.0 if abs(value) < ZERO * size else float(value), float("nan"))


def profile_in_words(rows: np.ndarray, actions: np.ndarray | None = None) -> str:
    """Return a profile ``[player axis]`` as text, with the names of ``actions`` if any; padding is left out.

    >>> profile_in_words(np.array([[0.25], [0.75]])), profile_in_words(np.array([[0.5], [0.5]]))
    ('(0.25, 0.75)', 'each 0.5')
    >>> profile_in_words(np.array([[1.0, 0.0], [0.5, 0.5]]))
    '[1 0], [0.5 0.5]'
    >>> profile_in_words(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([["stag", "hare"]] * 2))
    'stag, [stag 0.5, hare 0.5]'
    """
    if actions is not None:
        texts = [strategy_by_name(np.round(row, 4), own) for row, own in zip(rows, actions, strict=True)]
        return _all_texts([f"[{text}]" if "," in text else text for text in texts])
    known = [row[~np.isnan(row)] for row in rows if not np.all(np.isnan(row))]
    mixed = all(len(row) > 1 and row.min() >= 0 and abs(row.sum() - 1) < 1e-6 for row in known)
    if not mixed:
        size = max((np.abs(row).max() for row in known), default=0.0)
        return _rows([[number_in_words(value, size) for value in row] for row in known])
    texts = [strategy_in_words(np.round(row, 4)) for row in known]
    return _all_texts(texts)


def _all_texts(texts: Sequence[str]) -> str:
    """Return the players' texts, or the one that all have."""
    return f"each {texts[0]}" if len(texts) > 1 and len(set(texts)) == 1 else ", ".join(texts)


def _rows(rows: Sequence[Sequence[str]]) -> str:
    """Return a player's numbers per row as text."""
    texts = [row[0] if len(row) == 1 else f"({', '.join(row)})" for row in rows]
    if len(texts) == 1:
        return texts[0]
    if len(set(texts)) == 1:
        return f"each {texts[0]}"
    return f"({', '.join(texts)})" if all(len(row) == 1 for row in rows) else ", ".join(texts)


def metric_names(study: Mapping[str, Any], data: Dataset) -> list[str]:
    """Return the metrics to show, in order: those of expectations, of plots, and of the family."""
    named = [str(row["quantity"]) for row in study.get("expect", ())]
    for entry in study.get("plots", ()):
        options = entry if isinstance(entry, Mapping) else {}
        several = options.get("quantities") or []
        named += [several] if isinstance(several, str) else list(several)
        named += [options["quantity"]] if isinstance(options.get("quantity"), str) else []
    family = str((study.get("game") or {}).get("family"))
    named += DEFAULTS.get(family, FamilyDefaults()).metrics
    named += ["equilibrium_count", "complete"] if "boxes" in data else []
    return [name for name in dict.fromkeys(named) if name in data and name not in _OWN]


def heading(data: Dataset, name: str) -> str:
    """Return a metric's name in words, with its unit where the data have one."""
    unit = data[name].attrs.get("units", "")
    unit = "" if unit == "1" else unit  # a number without unit
    words = metric_label(name).replace("_", " ")
    return f"{words} ({unit})" if unit else words


def answers(study: Mapping[str, Any], data: Dataset) -> list[Answer]:
    """Return the finished results of a run by method and point, in the order of the sweep."""
    if "status" not in data:
        return []
    lead = [str(dim) for dim in data["status"].dims if dim not in REPEATED]
    repeated = [str(dim) for dim in data["status"].dims if dim in REPEATED]
    names = metric_names(study, data)
    used = (
        *("claim", "regret", "bound", "at_stake", "tolerance", "certificate_method", "coverage"),
        *("concept", "certificate_radius", "concept_residual", "profile", "payoff", "player_name"),
        *("action_name", *_LISTS, *names),
    )
    arrays = {name: _split(data, name, lead, repeated) for name in ("status", *used) if name in data}
    known = {name: data[name] for name in arrays}
    places = {dim: _coordinates(data, dim) for dim in lead}
    swept = [dim for dim in lead if data.sizes[dim] > 1 and dim != "algorithm"]
    found = []
    for index in np.ndindex(*(data.sizes[dim] for dim in lead)):
        finished = np.flatnonzero(arrays["status"][index] != "")
        if len(finished):
            rows = slice(None) if finished.size == arrays["status"][index].size else finished
            here = {name: array[index][rows] for name, array in arrays.items()}
            at = {
                name: value
                for dim, k in zip(lead, index, strict=True)
                for name, value in places[dim][k].items()
            }
            outer_index = tuple(k for dim, k in zip(lead, index, strict=True) if dim in swept[:-1])
            algorithm = str(at.pop("algorithm", ""))
            at = _own_keys(at, algorithm, study)
            found.append(Answer(algorithm, at, outer_index, known, names, here))
    algorithms = [str(name) for name in np.ravel(data["algorithm"].values)] if "algorithm" in data else [""]
    return sorted(found, key=lambda one: algorithms.index(one.algorithm))


def _split(data: Dataset, name: str, lead: Sequence[str], repeated: Sequence[str]) -> np.ndarray:
    """Return a variable as ``[lead ... result own ...]``."""
    array = data[name]
    missing = {dim: data.sizes[dim] for dim in (*lead, *repeated) if dim not in array.dims}
    array = array.expand_dims(missing).transpose(*lead, *repeated, ...) if missing else array
    values = array.transpose(*lead, *repeated, ...).values
    k = len(lead) + len(repeated)
    # no -1: a dimension of length 0, as of undecided places, leaves it open
    return values.reshape(*values.shape[: len(lead)], prod(values.shape[len(lead) : k]), *values.shape[k:])


def _coordinates(data: Dataset, dim: str) -> list[dict[str, Any]]:
    """Return the coordinates of every point of a dimension that varies; those of a zip share one."""
    if data.sizes[dim] < 2 and dim != "algorithm":
        return [{}]
    names = [str(name) for name in data.coords if data[name].dims == (dim,)]
    names = [name for name in names if name != "point" or len(names) == 1]
    values = {name: data[name].values.tolist() for name in names} or {dim: list(range(data.sizes[dim]))}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _own_keys(at: Mapping[str, Any], algorithm: str, study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the coordinates without keys of other methods, at whose first value a method is computed."""
    others = {str(table["name"]) for table in study["method"]} - {algorithm, algorithm.rpartition("-")[0]}
    return {name: value for name, value in at.items() if name.partition(".")[0] not in others}


def _refuting(own: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return whether regrets ``[result player]`` are above the tolerance; if that is unknown, above 0."""
    allowed = own.get("tolerance", np.zeros(len(own["regret"]))).reshape(len(own["regret"]), -1)
    # beside cells with a number per player, one number for all players fills the first entry alone
    return np.asarray(own["regret"] > np.where(np.isnan(allowed), allowed[:, :1], allowed))


def _largest_gain(own: Mapping[str, np.ndarray]) -> float:
    """Return the largest bound of approximate equilibria as a fraction of the payoff at stake."""
    if not {"bound", "at_stake", "claim"} <= set(own):
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = (own["bound"] / own["at_stake"])[own["claim"] == "approximate equilibrium"]
    return float(np.max(parts[np.isfinite(parts)], initial=0.0))


def _largest_radius(own: Mapping[str, np.ndarray]) -> float:
    """Return the largest distance of equilibria to exact ones; NaN where one is not proved."""
    known = own.get("certificate_radius", np.full(len(own["claim"]), np.nan))[own["claim"] == "equilibrium"]
    return float(np.max(known)) if len(known) else float("nan")


_LISTS = (
    *("equilibrium_count", "pure_count", "component_count", "complete", "boxes", "undecided", "verdict"),
    *("equilibrium_set", "certified_bound"),
    *("branch_ending", "parameter_name", "event_kind", "event_parameter"),
)


def _count_phrase(own: Mapping[str, Any]) -> str:
    """Return the numbers of equilibria listed, or of branches followed with their events, in words."""
    counts = {name: ((), own[name]) for name in _LISTS if name.endswith("_count") and name in own}
    counts = {name: value for name, value in counts.items() if value[1] >= 0}
    if "equilibrium_count" in counts:
        proofs = {name: ((), own[name]) for name in PROOFS if name in own}
        words = count_in_words(counts | proofs)
        known = own.get("complete") == 1 and own.get("boxes", -1) < 0  # a list with proofs says so itself
        return f"{words} (the list is complete)" if known else words
    if "branch_ending" not in own or not (count := int((own["branch_ending"] != "").sum())):
        return ""
    name = str(own["parameter_name"])
    words = f"{count} branch{'es' * (count > 1)} of equilibria followed in {name}"
    events = zip(own.get("event_kind", ()), own.get("event_parameter", ()), strict=True)
    places = [f"{EVENTS.get(kind, ('', kind))[1]} at {number_in_words(at)}" for kind, at in events if kind]
    return words + (f": {', '.join(places)}" if places else "")


def _concept(own: Mapping[str, np.ndarray]) -> str:
    names = set(map(str, own.get("concept", ()))) - {"", "Nash", "mean field"}
    return names.pop() if len(names) == 1 else ""


def _profile(data: Mapping[str, DataArray], rows: np.ndarray | None) -> np.ndarray | None:
    """Return profiles ``[result player axis]``; None where they are missing or too large to print."""
    if rows is None or data["profile"].dims[-2:] != ("player", "axis"):
        return None
    rows = rows[~np.isnan(rows).all(axis=(1, 2))]
    rows = rows[:, ~np.isnan(rows).all(axis=(0, 2))][..., ~np.isnan(rows).all(axis=(0, 1))]
    return rows if len(rows) and rows[0].size <= SMALL else None


def _actions(names: np.ndarray | None, profile: np.ndarray | None) -> np.ndarray | None:
    """Return names of actions ``[player axis]`` of profiles, from those ``[result player axis]``, if any."""
    if names is None or profile is None:
        return None
    known = names[(names != "").any(axis=(1, 2))][:1]
    known = known[:, (known != "").any(axis=(0, 2))][..., (known != "").any(axis=(0, 1))]
    return known[0] if known.shape[1:] == profile.shape[1:] and len(known) else None


def _payoff(data: Mapping[str, DataArray], rows: np.ndarray | None) -> np.ndarray | None:
    if rows is None or data["payoff"].dims[-1:] != ("player",):
        return None
    rows = rows[~np.isnan(rows).all(axis=1)]
    rows = rows[:, ~np.isnan(rows).all(axis=0)] if len(rows) else rows
    return rows if len(rows) and rows.shape[1] <= SMALL else None


def _metrics(
    data: Mapping[str, DataArray], names: Sequence[str], own: Mapping[str, np.ndarray], repeats: str
) -> dict[str, str]:
    """Return the metrics in words that have a value here."""
    known = [name for name in names if not is_blank(own[name])]
    texts = {name: _metric(data[name], own[name], repeats) for name in known}
    return {name: text for name, text in texts.items() if text}


def _metric(variable: DataArray, values: np.ndarray, repeats: str) -> str:
    """Return one metric ``[result own ...]`` in words; empty where it has too many entries."""
    if values.dtype.kind == "U":
        texts = [str(word) for word in values.ravel() if word]
        words = Counter(text.replace("_", " ") if variable.name == "end_state" else text for text in texts)
        return counted(words) if values.ndim == 1 else ""
    numbers = np.where(values == -1, np.nan, values) if values.dtype.kind == "i" else values.astype(float)
    if "session" in variable.dims:  # sessions are independent runs of one cell
        axis = 1 + [str(d) for d in variable.dims[variable.ndim - values.ndim + 1 :]].index("session")
        numbers = np.moveaxis(numbers, axis, 1).reshape(-1, *np.delete(numbers.shape, [0, axis]))
        repeats = "replications"
    rows = numbers.reshape(len(numbers), -1)
    rows = rows[~np.isnan(rows).all(axis=1)]
    rows = rows[:, ~np.isnan(rows).all(axis=0)]
    if variable.dims[-1:] == ("player",) and np.allclose(rows, rows[:, :1], rtol=1e-9, atol=0.0):
        rows = rows[:, :1]  # one number for any number of players
    if not rows.size or rows.shape[1] > ENTRIES:
        return ""
    if is_truth(variable) and rows.shape[1] == 1:
        return _share(rows[:, 0])
    return _entries(rows, repeats, values.dtype.kind)


def _share(values: np.ndarray) -> str:
    """Return a truth value, or the share of true ones with its interval."""
    if len(set(values)) == 1 and len(values) == 1:
        return "yes" if values[0] else "no"
    low, high = share_interval(int(np.nansum(values)), len(values))
    return f"{np.nanmean(values):.2f} ({low:.2f} to {high:.2f})"


def _entries(rows: np.ndarray, repeats: str, kind: str) -> str:
    """Return ``[result entry]`` in words: means with intervals over replications, ranges over starts."""
    texts, size = [], np.abs(rows[np.isfinite(rows)]).max(initial=0.0)
    for column in rows.T:
        known = column[np.isfinite(column)]
        if not len(known):
            texts.append("–")
        elif len(known) == 1 or np.ptp(known) <= 1e-9 * np.abs(known).max():
            texts.append(f"{known[0]:.0f}" if kind == "i" else number_in_words(known[0], size))
        elif repeats == "starts":
            texts.append(f"{number_in_words(known.min(), size)} to {number_in_words(known.max(), size)}")
        else:
            texts.append(format_interval(float(known.mean()), float(half_width(known))))
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


class AnswerTable(NamedTuple):
    """Answers as a table: one text per column, and how many points it leaves out."""

    columns: list[str]
    rows: list[list[str]]
    left_out: int
    metrics_left_out: list[str]


def answer_table(
    study: Mapping[str, Any], data: Dataset, found: Sequence[Answer], most: int, metrics: int = COLUMNS
) -> AnswerTable:
    """Return answers as a table of at most ``most`` rows: where results change, and evenly between.

    A single method has no column for its name.
    """
    rows = [found[k] for k in chosen(found, most)]
    names = [name for name in metric_names(study, data) if any(name in one.metrics for one in rows)]
    columns: dict[str, list[str]] = {}
    if len({one.algorithm for one in found}) > 1:
        columns["method"] = [one.algorithm for one in rows]
    coordinates = list(dict.fromkeys(name for one in found for name in one.at))
    short = Counter(name.rpartition(".")[2] for name in coordinates)
    for name in coordinates:
        last = name.rpartition(".")[2]
        columns[last if short[last] == 1 else name] = [_value(one.at, name) for one in rows]
    if any(one.repeats for one in rows):
        columns["n"] = [str(one.results) for one in rows]
    columns["status"] = [one.status for one in rows]
    columns["claim"] = [": ".join(filter(None, [one.claim, one.stake])) for one in rows]
    columns["profile"] = [one.profile_words for one in rows]
    names_of_players = " / ".join(next((one.players for one in rows if one.players), ()))
    columns[f"payoff ({names_of_players})" if names_of_players else "payoff"] = [
        one.payoff_words for one in rows
    ]
    columns["largest regret"] = [
        number_in_words(np.nanmax(one.regret)) if one.regret.size else "" for one in rows
    ]
    for name in names[:metrics]:
        columns[heading(data, name)] = [one.metrics.get(name, "") for one in rows]
    columns = {name: texts for name, texts in columns.items() if any(texts)}
    texts = [list(row) for row in zip(*columns.values(), strict=True)]
    return AnswerTable(list(columns), texts, len(found) - len(rows), names[metrics:])


def _value(at: Mapping[str, Any], name: str) -> str:
    return format_value(at[name]) if name in at else ""


def runs_of(found: Sequence[Answer]) -> Iterator[tuple[int, int]]:
    """Yield first and last index of consecutive answers of one method with equal claims and statuses."""
    first = 0
    for k in range(1, len(found) + 1):
        if k == len(found) or found[k - 1].outcome != found[k].outcome:
            yield first, k - 1
            first = k


def chosen(found: Sequence[Answer], most: int) -> list[int]:
    """Return the indices of at most ``most`` answers: both ends of every run, then evenly spaced ones."""
    if len(found) <= most:
        return list(range(len(found)))
    ends = sorted({k for pair in runs_of(found) for k in pair})
    if len(ends) >= most:
        return [ends[k] for k in np.unique(np.linspace(0, len(ends) - 1, most).round().astype(int))]
    even = np.linspace(0, len(found) - 1, most - len(ends)).round().astype(int)
    return sorted({*ends, *map(int, even)})
