"""Checks of a run's stored cells, and their dataset.

Digests detect damage but do not prove who wrote the bytes, so every record is checked before use.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.profiles import nearest
from rivalry.core.results import CLAIMS, COVERAGES, UNREFUTED, Record
from rivalry.lab.study.points import flat, short_names

if TYPE_CHECKING:
    from xarray import Dataset

_WORDS = {"claim": ("", *CLAIMS), "coverage": ("", *COVERAGES)}
_PER_PLAYER = ("regret", "bound")
_NUMBERS = ("profile", "payoff", "tolerance", *_PER_PLAYER)
_OWN = ("cell", "distance", "nearest_method")  # variables of the dataset, not of a cell
SAME = 9  # decimals to which profiles of one equilibrium agree

Row = tuple[Mapping[str, Any], Record]
Equilibria = dict[tuple[Any, ...], dict[bytes, tuple[np.ndarray, str]]]  # by point and rounded profile


class StoredCell(NamedTuple):
    """A cell of a run: its identifier, point of the sweep, and coordinates in the dataset (``at``)."""

    id: str
    point: dict[str, Any]
    method: str
    replication: int
    at: dict[str, Any]


class Form(NamedTuple):
    """Form of a variable, which is the same in all cells: its dimensions, and whether it is text."""

    dims: tuple[str, ...]
    text: bool


Forms = Mapping[str, Form]


def forms(record: Record) -> dict[str, Form]:
    """Return the form of every variable of a record."""
    return {name: Form(dims, array.dtype.kind == "U") for name, (dims, array) in record.items()}


def record_fault(record: Record) -> str:
    """Return in one line why a record is not that of a cell; empty if it is."""
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
    if taken := [name for name in _OWN if name in record]:
        return f"{taken[0]} is no variable of a cell"
    for name in ("claim", "coverage", "certificate_method", *_PER_PLAYER):
        if name not in record:
            continue
        own, array = record[name]
        further = int(name in _PER_PLAYER)  # dimensions beside those of the status
        if own[: len(dims)] != dims or len(own) != len(dims) + further:
            return f"{name} has dimensions ({', '.join(own)}) beside a status of ({', '.join(dims)})"
        if array.shape[: len(dims)] != status.shape:
            return f"{name} has shape {array.shape} beside a status of {status.shape}"
        if (array.dtype.kind == "U") == (name in _PER_PLAYER) or (further and not array.shape[-1]):
            return f"{name} is an array of {array.dtype} and shape {array.shape}"
        if name in _WORDS and (strange := set(np.unique(array).tolist()) - set(_WORDS[name])):
            return f"{name}: {str(min(strange))[:40]!r} must be one of {', '.join(_WORDS[name][1:])}"
    certified = [name for name in ("regret", "bound", "claim", "coverage") if name in record]
    if certified and len(certified) < 4:
        return f"{', '.join(certified)} without the rest of a certificate"
    return ""


def misfits(cells: Sequence[Forms]) -> dict[int, str]:
    """Return the cells that do not fit into one dataset with most others, and why: ``{number: line}``."""
    alike: dict[tuple[Any, ...], list[int]] = {}  # cells of equal forms, which most runs have one kind of
    for k, cell in enumerate(cells):
        alike.setdefault(tuple(cell.items()), []).append(k)
    kinds = [(dict(items), numbers) for items, numbers in alike.items()]
    found: dict[int, str] = {}
    for name in sorted({name for kind, _ in kinds for name in kind}):
        counted = Counter[Form]()
        for kind, numbers in kinds:
            if name in kind:
                counted[kind[name]] += len(numbers)
        if len(counted) > 1:
            # the majority decides: of custom variables nothing else is known without running the user's code
            shared = max(counted, key=lambda form: sum(n for f, n in counted.items() if _fits(f, form)))
            for kind, numbers in kinds:
                if name in kind and not _fits(kind[name], shared):
                    why = f"{name} is {_in_words(kind[name])}, in other cells {_in_words(shared)}"
                    found |= {k: why for k in numbers if k not in found}
    return dict(sorted(found.items()))


def _fits(form: Form, into: Form) -> bool:
    """Return whether a form's dimensions are among another's, in order; ``seat`` counts as ``player``."""
    has_seats = "seat" in (*form.dims, *into.dims)
    dims, other = (["seat" if has_seats and d == "player" else d for d in one.dims] for one in (form, into))
    rest = iter(other)
    return form.text == into.text and all(dim in rest for dim in dims)  # consumes `rest`: in order


def _in_words(form: Form) -> str:
    return f"{'text' if form.text else 'numbers'} of dimensions ({', '.join(form.dims)})"


class _Result(NamedTuple):
    """One profile of a record: its point of the game, and its index in the record's batch."""

    point: tuple[Any, ...]
    batch: tuple[int, ...]
    profile: np.ndarray
    exchangeable: np.ndarray  # [player], equal for players who are exchangeable
    certified: bool


def with_distances(rows: Sequence[Row], game_keys: Collection[str]) -> list[Row]:
    """Add to every record with profiles ``[.. player axis]`` its distance to the nearest equilibrium found.

    ``distance`` is the smallest root mean square distance over players, up to permutations of exchangeable
    players, to a profile whose certificate claims an equilibrium or that no deviation was found. Profiles at
    the same point of the game count, by any method, replication or batch index. ``nearest_method`` is the
    method that found the nearest profile first, in the order of the rows. Without such a profile they are NaN
    and empty. In a reparametrised box distances are those of ``unconstrained_profile``, such as logarithms
    where amounts are searched in logarithms.

    Parameters
    ----------
    game_keys
        Names of the coordinates that belong to the game.
    """
    known: Equilibria = defaultdict(dict)
    results = [list(_results(at, record, game_keys)) for at, record in rows]
    for (at, record), own in zip(rows, results, strict=True):
        for found in own:
            for profile in _equilibria(record, found):
                # + 0.0 turns -0.0 into 0.0, which has other bytes
                mark = (np.round(profile, SAME) + 0.0).tobytes()
                known[found.point].setdefault(mark, (profile, str(at.get("algorithm", ""))))
    return [
        (at, record | _distances(record, own, known)) for (at, record), own in zip(rows, results, strict=True)
    ]


def _distances(record: Record, results: Sequence[_Result], known: Equilibria) -> Record:
    """Return a record's distances; ``known`` are the equilibria of every point, and who found each first."""
    if not results:
        return {}
    dims, profiles = _profiles(record)
    lead = profiles.shape[:-2]
    apart, methods = np.full(lead, np.nan), np.full(lead, "", dtype=object)
    for found in results:
        every = known[found.point].values()
        fitting = [(y, method) for y, method in every if y.shape == found.profile.shape]
        distance, which = nearest(found.profile, [y for y, _ in fitting], found.exchangeable)
        if which >= 0:
            apart[found.batch], methods[found.batch] = distance, fitting[which][1]
    return {"distance": (dims[:-2], apart), "nearest_method": (dims[:-2], methods.astype(str))}


def _results(at: Mapping[str, Any], record: Record, game_keys: Collection[str]) -> Iterator[_Result]:
    dims, profiles = _profiles(record)
    if dims[-2:] != ("player", "axis"):
        return
    # by `repr`, since values may be lists
    swept = tuple(sorted((name, repr(value)) for name, value in at.items() if name in game_keys))
    lead, players = profiles.shape[:-2], profiles.shape[-2]
    claims = np.broadcast_to(record["claim"][1], lead) if "claim" in record else np.full(lead, "")
    labels = record["exchangeable"][1] if "exchangeable" in record else np.arange(players)
    labels = np.broadcast_to(labels, (*lead, players))
    for index in np.ndindex(*lead):
        batched = ((dim, k) for dim, k in zip(dims, index, strict=False) if dim in game_keys)
        certified = str(claims[index]) in UNREFUTED
        yield _Result((swept, tuple(batched)), index, profiles[index], labels[index], certified)


def _profiles(record: Record) -> tuple[tuple[str, ...], np.ndarray]:
    """Return a record's profiles in the coordinates of distances; empty without profiles."""
    return record.get("unconstrained_profile", record.get("profile", ((), np.zeros(()))))


def _equilibria(record: Record, found: _Result) -> Iterator[np.ndarray]:
    """Yield the result's profile if it is certified, and the other equilibria that its method found.

    The mean of a mixture is compared with equilibria, but is not one itself.
    """
    if not found.certified or "mixture" in record or not np.all(np.isfinite(found.profile)):
        return
    yield found.profile
    more = record.get("unconstrained_equilibria" if "unconstrained_profile" in record else "equilibria")
    if more is not None and not found.batch and more[1].ndim == 3:
        yield from more[1]


def label_cells(
    cells: Sequence[StoredCell], records: Mapping[str, Record], head: Mapping[str, Any]
) -> Dataset:
    """Return the records of a run's cells, by identifier, as one labelled dataset with distances.

    ``cell`` names every cell, including those without a record; ``head`` is the run's.
    """
    from rivalry.core.results import collect

    rows = [(cell.at, {"cell": ((), np.asarray(cell.id)), **records.get(cell.id, {})}) for cell in cells]
    along = {name: (axis, values) for name, (axis, values) in head["companions"].items()}
    return collect(with_distances(rows, _game_keys(head["study"])), head["axes"], along)


def _game_keys(study: Mapping[str, Any]) -> set[str]:
    """Return the names of the coordinates, swept or batched, that belong to the game."""
    tables = (study.get(table) or {} for table in ("sweep", "batch"))
    keys = [key for table in tables for key in flat(table) if key != "zip"]
    swept = {name for key, name in short_names(keys).items() if key.startswith("game.")}
    return swept | {"point"}  # which counts the values of zipped keys
