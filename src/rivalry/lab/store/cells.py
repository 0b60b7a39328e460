"""Files of a run's stored cells, each read once, checks of what they hold, and their dataset.

Digests detect damage but do not prove who wrote the bytes, so every record is checked before use.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core import files
from rivalry.core.files import DamagedFile
from rivalry.core.imports import pause_collection
from rivalry.core.profiles import nearest
from rivalry.core.results import CLAIMS, COVERAGES, UNREFUTED, Record
from rivalry.lab.study.points import flat, short_names

if TYPE_CHECKING:
    from xarray import Dataset

_WORDS = {"claim": ("", *CLAIMS), "coverage": ("", *COVERAGES)}
_PER_PLAYER = ("regret", "bound")
_NUMBERS = ("profile", "payoff", "tolerance", *_PER_PLAYER)
_OWN = ("cell", "distance", "nearest_method")  # variables of the dataset, not of a cell
KEPT, SMALL = 40, 2**20  # most cells whose contents stay in memory, and their bytes
SAME_DECIMALS = 9  # decimals to which profiles of one equilibrium agree

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
        if name in _WORDS and (strange := set(array.ravel().tolist()) - set(_WORDS[name])):
            return f"{name}: {str(min(strange))[:40]!r} must be one of {', '.join(_WORDS[name][1:])}"
    certified = [name for name in ("regret", "bound", "claim", "coverage") if name in record]
    if certified and len(certified) < 4:
        return f"{', '.join(certified)} without the rest of a certificate"
    return ""


def misfits(cells: Sequence[Forms]) -> dict[int, str]:
    """Return the cells that do not fit into one dataset with most others, and why: ``{number: line}``."""
    equal: dict[tuple[Any, ...], list[int]] = {}  # cells of equal forms, which most runs have one kind of
    for k, cell in enumerate(cells):
        equal.setdefault(tuple(cell.items()), []).append(k)
    kinds = [(dict(items), numbers) for items, numbers in equal.items()]
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
                mark = (np.round(profile, SAME_DECIMALS) + 0.0).tobytes()
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
        if len(fitting) == 1 and fitting[0][0] is found.profile:  # as in most cells of most runs
            distance, which = 0.0, 0
        else:
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
    claims = record["claim"][1] if "claim" in record else np.asarray("")
    labels = record["exchangeable"][1] if "exchangeable" in record else np.arange(players)
    if lead:
        claims, labels = np.broadcast_to(claims, lead), np.broadcast_to(labels, (*lead, players))
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


Stamps = tuple[files.Stamp, files.Stamp | None]
"""Stamps of a cell's file and of its certificate, if it has one."""


class ReadCell(NamedTuple):
    """A cell's file as read, None if it is damaged, with its newer certificate and the damaged files."""

    stamps: Stamps
    cell: files.Stored | None
    certificate: files.Stored | None
    forms: Forms
    damaged: tuple[DamagedFile, ...]


class CellFiles:
    """Files of the cells in a run folder; a file is read again only after it has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, ReadCell] = {}
        self.digest = ""  # of all cells and certificates, as last read

    def path(self, id: str) -> Path:
        """Return the path of a cell's file."""
        return self.folder / "cells" / f"{id}.npz"

    def _certificate_path(self, id: str) -> Path:
        return self.folder / "certificates" / f"{id}.npz"

    def stamps(self) -> dict[str, Stamps]:
        """Return what changes whenever the file of a cell or its certificate does, by the cell."""
        certificates = files.stamps_in(self.folder / "certificates")
        return {id: (own, certificates.get(id)) for id, own in files.stamps_in(self.folder / "cells").items()}

    def read_all(self, ids: Iterable[str]) -> tuple[dict[str, Record], list[DamagedFile], dict[str, Stamps]]:
        """Return every usable cell, with its newer certificate, the unusable files, and all stamps."""
        stamps = self.stamps()
        with pause_collection():
            self._known = {id: self._read(id, stamps[id]) for id in ids if id in stamps}
        self.digest = _digest_of(self._known)
        damaged = [error for one in self._known.values() for error in one.damaged]
        found = {
            id: one.cell.record | (one.certificate.record if one.certificate else {})
            for id, one in self._known.items()
            if one.cell
        }
        readable = list(found)
        for k, why in misfits([self._known[id].forms for id in readable]).items():
            damaged.append(DamagedFile(self.path(readable[k]), why))
        return found, damaged, stamps

    def read(self, id: str) -> files.Stored:
        """Return the contents of a cell's file. Raises `DamagedFile`."""
        known = self._known.get(id)
        if known is not None and known.cell and known.stamps[0] == _stamp(self.path(id)):
            return known.cell
        stored = self.read_inside(self.path(id), kind="cell", name=id)
        if wrong := record_fault(stored.record):
            raise DamagedFile(self.path(id), wrong)
        return stored

    def forget(self) -> None:
        """Forget the contents of all files but the first ones, of which reports have figures."""
        first = islice(self._known.items(), KEPT)
        self._known = {id: one for id, one in first if one.cell and _size(one.cell.record) < SMALL}

    def _read(self, id: str, stamps: Stamps) -> ReadCell:
        known = self._known.get(id)
        if known is not None and known.stamps == stamps:
            return known
        try:
            cell = self.read(id)
        except DamagedFile as error:
            return ReadCell(stamps, None, None, {}, (error,))
        damaged, newer = list[DamagedFile](), None
        if stamps[1] is not None:
            try:
                newer = self._newer_certificate(id, cell)
            except DamagedFile as error:  # the cell still has its own certificate
                damaged.append(error)
        record = cell.record | newer.record if newer else cell.record
        return ReadCell(stamps, cell, newer, forms(record), tuple(damaged))

    def _newer_certificate(self, id: str, cell: files.Stored) -> files.Stored | None:
        """Return a cell's recomputed certificate; None if it is of another result."""
        path = self._certificate_path(id)
        stored = self.read_inside(path, kind="certificate", name=id)
        if stored.meta.get("of") != cell.digest:
            return None
        if wrong := record_fault(cell.record | stored.record):
            raise DamagedFile(path, wrong)
        return stored

    def write_certificate(self, id: str, record: Record) -> None:
        """Store a recomputed certificate beside its cell, which stays unchanged. Raises `DiskFull`."""
        path = self._certificate_path(id)
        files.folder_for(path.parent)
        # the cell's digest ties the certificate to this result: a cell computed again outdates it
        files.write(path, files.pack(record, kind="certificate", name=id, of=self.read(id).digest))

    def read_inside(self, path: Path, **expected: object) -> files.Stored:
        """Return the contents of a file that must be in the run's folder. Raises `DamagedFile`."""
        if leads_out(path, self.folder):
            raise DamagedFile(path, "leads out of the run's folder")
        return files.read(path, **expected)


def _digest_of(cells: Mapping[str, ReadCell]) -> str:
    """Return one digest of all cells and certificates read, damaged or not."""
    digests = [
        (id, *(one.digest if one else "" for one in (read.cell, read.certificate)), *map(str, read.damaged))
        for id, read in cells.items()
    ]
    return sha256(repr(digests).encode()).hexdigest()


def _size(record: Record) -> int:
    return sum(array.nbytes for _, array in record.values())


def leads_out(path: Path, folder: Path) -> bool:
    """Return whether a path is a link to outside a folder."""
    return os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _stamp(path: Path) -> files.Stamp | None:
    """Return the stamp of a file, if it is there."""
    try:
        return files.stamp_of(path.stat())
    except OSError:
        return None
