"""Files of a run's stored cells, each read once, checks of what they hold, and their dataset.

Digests detect damage but do not prove who wrote the bytes, so every record is checked before use.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import files
from rivalry.core.files import DamagedFile
from rivalry.core.profiles import nearest
from rivalry.core.results import CLAIMS, COVERAGES, UNREFUTED, Column, Columns, Record, columns_of
from rivalry.lab.store.blocks import (
    LARGEST,
    Block,
    block_name,
    blocks_in,
    leads_out,
    open_block,
    own_file,
    pack_block,
    packed_cells,
    write_block,
)
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.points import flat, short_names
from rivalry.runtime.imports import pause_collection

if TYPE_CHECKING:
    from xarray import Dataset

_WORDS = {"claim": ("", *CLAIMS), "coverage": ("", *COVERAGES)}
_PER_PLAYER = ("regret", "bound")
_NUMBERS = ("profile", "payoff", "tolerance", *_PER_PLAYER)
_COMPARED = (  # what distances depend on
    *("profile", "unconstrained_profile", "claim", "exchangeable"),
    *("mixture", "equilibria", "unconstrained_equilibria"),
)
_OWN = ("cell", "distance", "nearest_method")  # variables of the dataset, not of a cell
_TRIES = 3  # of a reader while files are packed
KEPT, SMALL = 40, 2**20  # most cells whose contents stay in memory, and their bytes
SAME_DECIMALS = 9  # decimals to which profiles of one equilibrium agree

Row = tuple[Table, Record]
Equilibria = dict[tuple[Any, ...], dict[bytes, tuple[ndarray, str]]]  # by point and rounded profile


class StoredCell(NamedTuple):
    """A cell of a run: its identifier, point of the sweep, and coordinates in the dataset (``at``)."""

    id: str
    point: TableDict
    method: str
    replication: int
    at: TableDict


class Form(NamedTuple):
    """Form of a variable, which is the same in all cells: its dimensions, and whether it is text."""

    dims: tuple[str, ...]
    text: bool


def record_fault(record: Record) -> str:
    """Return in one line why a record is not that of a cell; empty if it is."""
    if "status" not in record or record["status"][1].dtype.kind != "U":
        return "no status"
    if "steps" not in record or record["steps"][1].dtype.kind not in "iu":
        return "no steps"
    for name in _NUMBERS:
        if name in record and record[name][1].dtype.kind not in "fiu":
            return f"{name} is an array of {record[name][1].dtype}; must be numbers"
    sizes: dict[str, set[int]] = {"player": set(), "seat": set()}
    for dims, array in record.values():
        for dim, size in zip(dims, array.shape, strict=True):
            sizes.setdefault(dim, set()).add(size)
    # in a game of leaders, benchmarks are of all players of the whole game, who have a seat each
    players = sizes["player"]
    if len(players - sizes["seat"]) > 1 or (len(players) > 1 and not sizes["seat"]):
        return f"its variables are of {' and of '.join(map(str, sorted(players)))} players"
    if reserved := [name for name in _OWN if name in record]:
        return f"{reserved[0]} is no variable of a cell"
    return _certificate_fault(record)


def _certificate_fault(record: Record) -> str:
    """Return in one line why a record with a status has no certificate as cells have it; empty if it has."""
    dims, status = record["status"]
    for name in ("claim", "coverage", "certificate_method", *_PER_PLAYER):
        if name not in record:
            continue
        array_dims, array = record[name]
        is_per_player = name in _PER_PLAYER
        if array_dims[: len(dims)] != dims or len(array_dims) != len(dims) + is_per_player:
            return f"{name} has dimensions ({', '.join(array_dims)}) beside a status of ({', '.join(dims)})"
        if array.shape[: len(dims)] != status.shape:
            return f"{name} has shape {array.shape} beside a status of {status.shape}"
        if (array.dtype.kind == "U") == is_per_player or (is_per_player and not array.shape[-1]):
            return f"{name} is an array of {array.dtype} and shape {array.shape}"
        words = in_present_words(name, array).ravel().tolist()
        if name in _WORDS and (strange := set(words) - set(_WORDS[name])):
            return f"{name}: {str(min(strange))[:40]!r} must be one of {', '.join(_WORDS[name][1:])}"
    certified = [name for name in ("regret", "bound", "claim", "coverage") if name in record]
    if certified not in ([], ["claim"]) and len(certified) < 4:  # that none exists has the claim alone
        return f"{', '.join(certified)} without the rest of a certificate"
    return ""


def in_present_words(name: str, values: ndarray) -> ndarray:
    """Return an array of a stored file, with today's words of coverages: older runs have exact for tight.

    >>> in_present_words("coverage", np.array(["exact", "bounded"])).tolist()
    ['tight', 'bounded']
    """
    return np.where(values == "exact", "tight", values) if name.endswith("coverage") else values


def misfits(columns: Columns) -> dict[int, str]:
    """Return the reasons, by number, why cells do not fit into one dataset with most others."""
    reasons: dict[int, str] = {}
    for name, forms in sorted(columns.items()):
        counted = Counter[Form]()
        for column in sorted(forms, key=lambda column: int(column.at[0])):
            counted[_form(column)] += len(column.at)
        # the majority decides: of custom variables nothing else is known without running the user's code
        shared = max(counted, key=lambda form: sum(n for f, n in counted.items() if _fits(f, form)))
        for column in forms:
            if not _fits(_form(column), shared):
                reason = f"{name} is {_in_words(_form(column))}, in other cells {_in_words(shared)}"
                reasons = dict.fromkeys(column.at.tolist(), reason) | reasons
    return dict(sorted(reasons.items()))


def _form(column: Column) -> Form:
    return Form(column.dims, column.values.dtype.kind == "U")


def _fits(form: Form, into: Form) -> bool:
    """True for a form with dimensions among another's, in order; ``seat`` counts as ``player``."""
    dims, into_dims = list(form.dims), list(into.dims)
    if "seat" in (*dims, *into_dims):
        dims, into_dims = (["seat" if dim == "player" else dim for dim in part] for part in (dims, into_dims))
    remaining = iter(into_dims)
    return form.text == into.text and all(dim in remaining for dim in dims)  # in order: `in` consumes


def _in_words(form: Form) -> str:
    return f"{'text' if form.text else 'numbers'} of dimensions ({', '.join(form.dims)})"


class _Result(NamedTuple):
    """One profile of a record: its point of the game, and its index in the record's batch."""

    point: tuple[Any, ...]
    batch: tuple[int, ...]
    profile: ndarray
    exchangeable: ndarray  # [player], equal for players who are exchangeable
    certified: bool


def with_distances(rows: Sequence[Row], game_keys: Collection[str]) -> list[Row]:
    """Add to every record with profiles ``[.. player axis]`` its distance to the nearest equilibrium found.

    ``distance`` is the smallest root mean square distance over players, up to permutations of exchangeable
    players, to a profile whose certificate claims an equilibrium or that no deviation was found. Profiles at
    the same point of the game count, by any method, replication or batch index. ``nearest_method`` is the
    method that found the nearest profile first, in the order of the rows. Without such a profile they are NaN
    and empty. In a reparametrised box distances are those of ``unconstrained_profile``, such as logarithms
    where amounts are searched in logarithms. ``game_keys`` are the coordinates that belong to the game.
    """
    equilibria: Equilibria = defaultdict(dict)
    results = [list(_results(at, record, game_keys)) for at, record in rows]
    for (at, record), cell_results in zip(rows, results, strict=True):
        for result in cell_results:
            for profile in _equilibria(record, result):
                # + 0.0 turns -0.0 into 0.0, which has other bytes
                mark = (np.round(profile, SAME_DECIMALS) + 0.0).tobytes()
                equilibria[result.point].setdefault(mark, (profile, str(at.get("algorithm", ""))))
    return [
        (at, record | _distances(record, cell_results, equilibria))
        for (at, record), cell_results in zip(rows, results, strict=True)
    ]


def _distances(record: Record, results: Sequence[_Result], equilibria: Equilibria) -> Record:
    """Return a record's distances; ``equilibria`` has those of every point, with the first method."""
    if not results:
        return {}
    dims, profiles = _profiles(record)
    lead = profiles.shape[:-2]
    distances, methods = np.full(lead, np.nan), np.full(lead, "", object)
    for result in results:
        equilibria_here = equilibria[result.point].values()
        fitting = [(y, method) for y, method in equilibria_here if y.shape == result.profile.shape]
        if len(fitting) == 1 and fitting[0][0] is result.profile:  # as in most cells of most runs
            distance, index = 0.0, 0
        else:
            distance, index = nearest(result.profile, [y for y, _ in fitting], result.exchangeable)
        if index >= 0:
            distances[result.batch], methods[result.batch] = distance, fitting[index][1]
    return {"distance": (dims[:-2], distances), "nearest_method": (dims[:-2], methods.astype(str))}


def _results(at: Table, record: Record, game_keys: Collection[str]) -> Iterator[_Result]:
    dims, profiles = _profiles(record)
    if dims[-2:] != ("player", "axis"):
        return
    swept = _swept(at, game_keys)
    lead, players = profiles.shape[:-2], profiles.shape[-2]
    claims = record["claim"][1] if "claim" in record else np.asarray("")
    labels = record["exchangeable"][1] if "exchangeable" in record else np.arange(players)
    if lead:
        claims, labels = np.broadcast_to(claims, lead), np.broadcast_to(labels, (*lead, players))
    for index in np.ndindex(*lead):
        batched = ((dim, k) for dim, k in zip(dims, index, strict=False) if dim in game_keys)
        certified = str(claims[index]) in UNREFUTED
        yield _Result((swept, tuple(batched)), index, profiles[index], labels[index], certified)


def _swept(at: Table, game_keys: Collection[str]) -> tuple[tuple[str, str], ...]:
    # by `repr`, since values may be lists
    return tuple(sorted((name, repr(value)) for name, value in at.items() if name in game_keys))


def _profiles(record: Record) -> tuple[tuple[str, ...], ndarray]:
    """Return a record's profiles in the coordinates of distances; empty without profiles."""
    return record.get("unconstrained_profile", record.get("profile", ((), np.zeros(()))))


def _equilibria(record: Record, result: _Result) -> Iterator[ndarray]:
    """Yield the result's profile if it is certified, and the other equilibria that its method found.

    The mean of a mixture is compared with equilibria, but is not one itself.
    """
    if not result.certified or "mixture" in record or not np.isfinite(result.profile).all():
        return
    yield result.profile
    further = record.get("unconstrained_equilibria" if "unconstrained_profile" in record else "equilibria")
    if further is not None and not result.batch and further[1].ndim == 3:
        yield from further[1]


def label_cells(cells: Sequence[StoredCell], columns: Columns, head: Table) -> Dataset:
    """Return the columns of a run's cells as one labelled dataset with distances.

    ``cell`` names every cell, including those without a record; ``head`` is the run's.
    """
    from rivalry.core.results import label_columns

    along = {name: (axis, values) for name, (axis, values) in head["companions"].items()}
    names = [Column((), np.arange(len(cells)), np.array([cell.id for cell in cells]))] if cells else []
    all_columns = {**columns, **_distance_columns(cells, columns, _game_keys(head["study"])), "cell": names}
    places = [cell.at for cell in cells]
    return label_columns(
        {name: forms for name, forms in all_columns.items() if forms}, places, head["axes"], along
    )


def _distance_columns(cells: Sequence[StoredCell], columns: Columns, game_keys: Collection[str]) -> Columns:
    """Return the distances of `with_distances` as columns."""
    used = {name: columns[name] for name in _COMPARED if name in columns}
    is_sole, filled = _sole_profiles(cells, used, game_keys)
    at = np.flatnonzero(is_sole)
    records = records_of(without(used, is_sole))
    rows = with_distances([(cells[k].at, record) for k, record in records.items()], game_keys)
    distances = columns_of(({name: row[name] for name in row if name in _OWN} for _, row in rows), records)
    if len(at):
        methods = [str(cells[k].at.get("algorithm", "")) if filled[k] else "" for k in at.tolist()]
        for name, values in (
            ("distance", np.where(filled[at], 0.0, np.nan)),
            ("nearest_method", np.array(methods)),
        ):
            distances.setdefault(name, []).append(Column((), at, values))
    return distances


def _sole_profiles(
    cells: Sequence[StoredCell], used: Columns, game_keys: Collection[str]
) -> tuple[ndarray, ndarray]:
    """Return the masks of cells with one profile, the only one at their point, and of equilibria among them.

    Of these most runs of many cells consist: `with_distances` takes longer than to read them.
    """
    is_sole, finite, unrefuted = np.zeros((3, len(cells)), bool)
    for name in ("profile", "unconstrained_profile"):
        for dims, at, values in used.get(name, ()):
            is_sole[at] = dims == ("player", "axis")
            finite[at] = np.isfinite(values).reshape(len(at), -1).all(axis=1)
    marks = {k: _swept(cells[k].at, game_keys) for k in np.unique(_places(used)).tolist()}
    counted = Counter(marks.values())
    is_sole[[k for k, mark in marks.items() if counted[mark] > 1]] = False
    for name in ("mixture", "equilibria", "unconstrained_equilibria"):
        for column in used.get(name, ()):
            is_sole[column.at] = False
    for dims, at, values in used.get("claim", ()):
        if dims:
            is_sole[at] = False
        else:
            unrefuted[at] = np.isin(values, UNREFUTED)
    return is_sole, finite & unrefuted


def _places(columns: Columns) -> ndarray:
    """Return the numbers of all cells in columns, as often as they are there."""
    return np.concatenate([np.zeros(0, int), *(column.at for forms in columns.values() for column in forms)])


def without(columns: Columns, dropped_cells: ndarray) -> Columns:
    """Columns without some cells; ``dropped_cells`` is a mask of the run's cells."""
    remaining: Columns = {}
    for name, forms in columns.items():
        for dims, at, values in forms:
            stay = ~dropped_cells[at]
            if stay.any():
                column = Column(dims, at, values) if stay.all() else Column(dims, at[stay], values[stay])
                remaining.setdefault(name, []).append(column)
    return remaining


def records_of(columns: Columns) -> dict[int, Record]:
    """Return the record of every cell in columns by its number, in order."""
    records: dict[int, Record] = {k: {} for k in np.unique(_places(columns)).tolist()}
    for name, forms in columns.items():
        for dims, at, values in forms:
            for row, k in enumerate(at.tolist()):
                records[k][name] = (dims, values[row, ...])
    return records


def _game_keys(study: Table) -> set[str]:
    """Return the names of the coordinates, swept or batched, that belong to the game."""
    tables = (study.get(table) or {} for table in ("sweep", "batch"))
    keys = [key for table in tables for key in flat(table) if key != ("zip",)]
    swept = {name for key, name in short_names(keys).items() if key[0] == "game"}
    return swept | {"point"}  # which counts the values of zipped keys


class Stamps(NamedTuple):
    """Stamps of all files of cells, certificates and blocks, by their names."""

    cells: dict[str, files.Stamp]
    certificates: dict[str, files.Stamp]
    blocks: dict[str, files.Stamp]


class ReadCell(NamedTuple):
    """A cell's file as read, None if it is damaged, with its newer certificate and the damaged files."""

    stamps: tuple[files.Stamp, files.Stamp | None]  # of both files
    cell: files.Stored | None
    certificate: files.Stored | None
    damaged: tuple[DamagedFile, ...]

    def record(self) -> Record:
        """Return the record of a sound cell with its newer certificate."""
        assert self.cell
        return self.cell.record | self.certificate.record if self.certificate else self.cell.record


class CellFiles:
    """Files of the cells in a run folder, their own or blocks; a file is read again only after a change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, ReadCell] = {}
        self._blocks: dict[str, tuple[files.Stamp, Block]] = {}
        self._where: dict[str, str] = {}  # of packed cells: the name of a block that has it, or had
        self._certified: dict[str, Block] = {}  # blocks of packed certificates, as last read
        self._seen: dict[str, files.Stamp] = {}  # blocks whose cells are there
        self.digest = ""  # of all cells and certificates, as last read
        self.digests: list[tuple[str, str, str]] = []  # of every cell, its file, its newer certificate

    def path(self, id: str) -> Path:
        """Return the path of the file that a cell is in: its own, unless only a block has the cell."""
        own_path = self._own_path(id)
        return own_path if os.path.lexists(own_path) else next(self._blocks_with(id), own_path)

    def _own_path(self, id: str) -> Path:
        return self.folder / "cells" / f"{id}.npz"

    def _certificate_path(self, id: str) -> Path:
        return self.folder / "certificates" / f"{id}.npz"

    def _block_path(self, name: str) -> Path:
        return self.folder / "blocks" / f"{name}.npz"

    def _blocks_with(self, id: str) -> Iterator[Path]:
        for name, stamp in blocks_in(self.folder).items():
            if id in packed_cells(path := self._block_path(name), stamp):
                yield path

    def stamps(self) -> Stamps:
        """Return the stamps of all files, which change whenever one of them does."""
        # blocks last: a cell that is packed meanwhile is in one of both
        cells, certificates = (files.stamps_in(self.folder / name) for name in ("cells", "certificates"))
        return Stamps(cells, certificates, blocks_in(self.folder))

    def read_all(self, ids: Sequence[str]) -> tuple[Columns, list[DamagedFile], Stamps]:
        """Return the usable cells, by number, with newer certificates, the unusable files, and all stamps."""
        for _ in range(_TRIES):
            stamps = self.stamps()
            with pause_collection():
                columns, damaged = self._read_files(ids, stamps)
            if all(error.why != "missing" for error in damaged):
                break  # else the file was packed meanwhile
        for name, forms in columns.items():
            columns[name] = [form._replace(values=in_present_words(name, form.values)) for form in forms]
        return columns, damaged, stamps

    def _read_files(self, ids: Sequence[str], stamps: Stamps) -> tuple[Columns, list[DamagedFile]]:
        """Return the usable cells in columns, by number, and the unusable files, as files are at ``stamps``.

        A cell is what its own file has, or else the first block with it. Cells of blocks stay columns, but
        for those with a newer certificate, which are read one by one.
        """
        number = {id: k for k, id in enumerate(ids)}
        certificates, damaged = self._packed_certificates(stamps.certificates)
        newer = {id: stamps.certificates[block.path.stem] for id, block in certificates.items()}
        newer |= stamps.certificates  # a certificate's own file counts before its block
        cells: dict[str, ReadCell] = {}
        for id in ids:
            if id in stamps.cells:
                cells[id] = self._with_certificate(id, (stamps.cells[id], newer.get(id)), self._read_own_file)
        blocks = list(self._blocks_of(number.keys(), stamps.blocks))
        unread = number.keys() - {id for id, cell in cells.items() if cell.cell}
        packed: dict[str, Block] = {}
        for block in blocks:
            for id in unread.intersection(block.ids):
                packed.setdefault(id, block)
        # a damaged file costs no cell that a block has
        for error in chain.from_iterable(cell.damaged for cell in cells.values()):
            damaged.append(DamagedFile(error.path, error.why, error.cells - packed.keys()))
        for id in ids:  # in this order, which the digest of damage keeps
            if id in packed and id in newer:
                block_stamp = stamps.blocks[packed[id].path.stem]
                cells[id] = self._with_certificate(id, (block_stamp, newer[id]), self.read)
                damaged += cells[id].damaged
        records = {id: cells[id].record() for id in ids if id in cells and cells[id].cell}
        for id in records:
            packed.pop(id, None)
        columns = columns_of(records.values(), [number[id] for id in records])
        for block in blocks:
            if block.damaged:
                lost = (block.damaged.cells & number.keys()) - packed.keys() - records.keys()
                damaged.append(DamagedFile(block.path, block.damaged.why, lost))
            placed = {id: number[id] for id in block.ids if packed.get(id) is block}
            _add_columns(columns, block.columns, np.array([placed.get(id, -1) for id in block.ids], int))
        self._known = cells
        self._note_digests(ids, blocks, damaged)
        reasons = misfits(columns)
        for k, reason in reasons.items():
            path = self.path(ids[k])
            line = reason if path == self._own_path(ids[k]) else f"cell {ids[k]}: {reason}"
            damaged.append(DamagedFile(path, line, [ids[k]]))
        if reasons:
            columns = without(columns, np.isin(np.arange(len(ids)), list(reasons)))
        return columns, damaged

    def _note_digests(self, ids: Sequence[str], blocks: Sequence[Block], damaged: list[DamagedFile]) -> None:
        """Note the digests of all cells, as last read, and one of these and of all damage."""
        packed: dict[str, str] = {}
        for block in blocks:
            packed.update(zip(block.ids, block.digests, strict=True))
        self.digests = [_digests_of(id, self._known, packed) for id in ids]
        read = [row for row in self.digests if row[0] in self._known or row[0] in packed]
        self.digest = sha256(repr([read, *map(str, damaged)]).encode()).hexdigest()

    def _packed_certificates(
        self, stamps: Mapping[str, files.Stamp]
    ) -> tuple[dict[str, Block], list[DamagedFile]]:
        """Return the block of every packed certificate, and the damaged blocks."""
        self._certified = {}
        damaged = []
        for name in (name for name in sorted(stamps) if "-" in name):
            path = self._certificate_path(name)
            block = open_block(path, self.folder)
            if block.damaged:
                damaged.append(DamagedFile(path, block.damaged.why, ()))
            if block.of:
                self._certified |= dict.fromkeys(block.ids, block)
        return self._certified, damaged

    def _blocks_of(self, ids: Collection[str], stamps: Mapping[str, files.Stamp]) -> Iterator[Block]:
        """Yield the blocks that have some of the cells, and those whose cells are not known."""
        for name, stamp in stamps.items():
            packed = packed_cells(self._block_path(name), stamp)
            if not packed or not packed.isdisjoint(ids):
                yield self._block(name, stamp)

    def _block(self, name: str, stamp: files.Stamp) -> Block:
        if name not in self._blocks or self._blocks[name][0] != stamp:
            path = self._block_path(name)
            block = open_block(path, self.folder)
            if wrong := block_fault(block):
                error = DamagedFile(path, f"{wrong}; all of its cells are lost", block.ids)
                block = Block(path, (), (), {}, error)
            self._blocks[name] = stamp, block
        return self._blocks[name][1]

    def read(self, id: str) -> files.Stored:
        """Return the stored contents of a cell. Raises `DamagedFile`."""
        try:
            return self._read_own_file(id)
        except DamagedFile as error:
            fault = error
        # the last one that has it is looked up, since to look into all of them takes longer than to read
        if id not in self._where:
            self._look()
        block_paths = [self._block_path(self._where[id])] if id in self._where else []
        for path in chain(block_paths, self._blocks_with(id)):
            if (stamp := _stamp(path)) is not None:
                block = self._block(path.stem, stamp)
                if id in block.ids:
                    return block.cell(id)
                fault = block.damaged or fault
        raise fault

    def _look(self) -> None:
        """Find out which block has which cell."""
        for name, stamp in blocks_in(self.folder).items():
            if self._seen.get(name) != stamp:
                self._where |= dict.fromkeys(packed_cells(self._block_path(name), stamp), name)
                self._seen[name] = stamp

    def own_bytes(self, id: str) -> bytes:
        """Return the bytes of a cell's own file, as they were before it was packed. Raises `DamagedFile`."""
        with suppress(DamagedFile):
            self._read_own_file(id)
            return files.read_bytes(self._own_path(id))
        return own_file(self.read(id))

    def _read_own_file(self, id: str) -> files.Stored:
        """Return the contents of a cell's own file. Raises `DamagedFile`."""
        path, known_cell = self._own_path(id), self._known.get(id)
        if known_cell is not None and known_cell.cell and known_cell.stamps[0] == _stamp(path):
            return known_cell.cell
        stored = self.read_inside(path, kind="cell", name=id)
        if wrong := record_fault(stored.record):
            raise DamagedFile(path, wrong)
        return stored

    def pack(self, number: int, ids: Sequence[str], stamps: Mapping[str, files.Stamp] | None = None) -> None:
        """Pack the cells of a block that are done, and remove their own files. Raises `DiskFull`.

        ``stamps`` are those of the cells' own files, by default looked up.
        """
        path = self._block_path(block_name(number, ids))
        if stamps is None:
            stamps = {id: stamp for id in ids if (stamp := _stamp(self._own_path(id)))}
        small = [id for id in ids if id in stamps and stamps[id][1] <= LARGEST]
        self._look()
        placed = {id for id in ids if id in self._where}
        packed = packed_cells(path, self._seen[path.stem]) if path.stem in self._seen else frozenset()
        if not small and placed <= packed:
            return
        unpacked, cells = dict[str, files.Stored](), dict[str, files.Stored]()
        for id in small:
            with suppress(DamagedFile):
                unpacked[id] = self._read_own_file(id)
        for id in ids:
            with suppress(DamagedFile):
                if id in unpacked or id in placed:
                    cells[id] = unpacked[id] if id in unpacked else self.read(id)
        data, fit = pack_block(cells)
        if not fit:
            return
        if not os.path.exists(path) or files.read_bytes(path) != data:
            write_block(path, data)
        # only now: a kill before leaves both
        for id in unpacked:
            if id in fit:
                self._own_path(id).unlink()

    def pack_all(self, blocks: Mapping[int, Sequence[str]]) -> None:
        """Pack the cells that are done, and remove blocks of a former study whose cells are in others."""
        cell_stamps, certificates = (
            files.stamps_in(self.folder / name) for name in ("cells", "certificates")
        )
        for number, ids in blocks.items():
            self.pack(number, ids, cell_stamps)
            self._pack_certificates(number, ids, certificates)
        current_names = {block_name(number, ids) for number, ids in blocks.items()}
        ids_by_block = {
            name: packed_cells(self._block_path(name), stamp)
            for name, stamp in blocks_in(self.folder).items()
        }
        packed = set[str]().union(*(ids for name, ids in ids_by_block.items() if name in current_names))
        for name, old in ids_by_block.items():
            if name not in current_names and old and packed.issuperset(old):
                self._block_path(name).unlink()

    def _pack_certificates(self, number: int, ids: Sequence[str], stamps: Mapping[str, files.Stamp]) -> None:
        """Pack recomputed certificates of a block's cells, and remove their own files. Raises `DiskFull`."""
        path = self._certificate_path(block_name(number, ids))
        small = [id for id in ids if id in stamps and stamps[id][1] <= LARGEST]
        if not small:
            return
        before = open_block(path, self.folder)
        certificates = {id: before.cell(id) for id in before.ids}
        for id in small:
            with suppress(DamagedFile):
                certificates[id] = self.read_inside(self._certificate_path(id), kind="certificate", name=id)
        data, fit = pack_block({id: certificates[id] for id in ids if id in certificates})
        if fit:
            write_block(path, data)
            for id in small:
                if id in fit:
                    self._certificate_path(id).unlink()

    def rescue(self, error: DamagedFile, aside: Path) -> None:
        """Move a damaged block to another path, and write what is sound of it in its place.

        Raises `DiskFull`.
        """
        with suppress(DamagedFile):
            data = files.read_bytes(error.path)
            if error.path.parent.name == "certificates":
                sound = self._sound_certificates(error.path)
            else:
                block = self._block(error.path.stem, files.stamp_of(error.path.lstat()))
                sound = {id: block.cell(id) for id in block.ids if id not in error.cells}
            if sound:
                files.write(aside, data)
                write_block(error.path, pack_block(sound)[0])
                return
        error.path.replace(aside)

    def _sound_certificates(self, path: Path) -> dict[str, files.Stored]:
        """Return the certificates of a block that are as they were packed, and fit their cells."""
        block = open_block(path, self.folder)
        certificates = {id: block.cell(id) for id in block.ids if block.of}
        for id, stored in list(certificates.items()):
            with suppress(DamagedFile):  # a cell that is lost may be computed again
                if record_fault(self.read(id).record | stored.record):
                    del certificates[id]
        return certificates

    def _with_certificate(
        self, id: str, stamps: tuple[files.Stamp, files.Stamp | None], read: Callable[[str], files.Stored]
    ) -> ReadCell:
        """Return a cell, read anew if one of its ``stamps`` changed, and its newer certificate."""
        known_cell = self._known.get(id)
        if known_cell is not None and known_cell.stamps == stamps:
            return known_cell
        try:
            cell = read(id)
        except DamagedFile as error:
            return ReadCell(stamps, None, None, (error,))
        damaged, newer = list[DamagedFile](), None
        if stamps[1] is not None:
            try:
                newer = self._newer_certificate(id, cell)
            except DamagedFile as error:  # the cell still has its own certificate
                damaged.append(error)
        return ReadCell(stamps, cell, newer, tuple(damaged))

    def forget(self) -> None:
        """Forget the contents of all files but the first ones, of which reports have figures."""
        leading_cells = islice(self._known.items(), KEPT)
        self._known = {}
        for id, cell in leading_cells:
            if cell.cell and sum(array.nbytes for _, array in cell.cell.record.values()) < SMALL:
                self._known[id] = cell
        self._blocks, self._certified = {}, {}

    def _newer_certificate(self, id: str, cell: files.Stored) -> files.Stored | None:
        """Return a cell's recomputed certificate; None if it is of another result."""
        path, block = self._certificate_path(id), self._certified.get(id)
        if block is None or os.path.lexists(path):
            stored = self.read_inside(path, kind="certificate", name=id)
        else:
            path, stored = block.path, block.cell(id)
        if stored.meta.get("of") != cell.digest:
            return None
        if wrong := record_fault(cell.record | stored.record):
            raise DamagedFile(path, wrong)
        return stored

    def certificates(self, ids: Iterable[str]) -> dict[str, Record]:
        """Return the recomputed certificates of some cells. Raises `DamagedFile`."""
        stamps = files.stamps_in(self.folder / "certificates")
        packed, damaged = self._packed_certificates(stamps)
        if damaged:
            raise damaged[0]
        certificates = {
            id: self._newer_certificate(id, self.read(id)) for id in ids if id in packed or id in stamps
        }
        return {id: stored.record for id, stored in certificates.items() if stored}

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


def _digests_of(id: str, cells: Mapping[str, ReadCell], packed: Mapping[str, str]) -> tuple[str, str, str]:
    """Return a cell with the digests of its file, packed or not, and of its newer certificate."""
    if id not in cells:
        return id, packed.get(id, ""), ""
    cell, certificate = (cell.digest if cell else "" for cell in (cells[id].cell, cells[id].certificate))
    return id, cell or packed.get(id, ""), certificate


def _add_columns(columns: Columns, new_columns: Columns, numbers: ndarray) -> None:
    """Add columns of other cells; ``numbers`` are these cells', negative for those that are left out."""
    for name, forms in new_columns.items():
        for dims, at, values in forms:
            places = numbers[at]
            rows = np.argsort(places, kind="stable")
            rows = rows[places[rows] >= 0]
            # a column of all cells in order need not be copied
            if len(rows) < len(at) or np.any(np.diff(rows) != 1):
                places, values = places[rows], values[rows]
            if len(rows):
                columns.setdefault(name, []).append(Column(dims, places, values))


def block_fault(block: Block) -> str:
    """Return in one line why a block's records are not those of cells; empty if they are."""
    for name, words in _WORDS.items():
        for column in block.columns.get(name, ()):
            if strange := set(np.unique(column.values).tolist()) - set(words):
                return f"{name}: {str(min(strange, key=str))[:40]!r} must be one of {', '.join(words[1:])}"
    all_columns = [column for forms in block.columns.values() for column in forms]
    filled = np.zeros((len(all_columns), len(block.ids)), bool)
    for k, column in enumerate(all_columns):
        filled[k, column.at] = True
    # all else depends on dimensions, shapes and types, which the cells of a column share
    for k in np.unique(filled, axis=1, return_index=True)[1].tolist() if len(block.ids) else ():
        if wrong := record_fault(block.record(k)):
            return f"cell {block.ids[k]}: {wrong}"
    return ""


def _stamp(path: Path) -> files.Stamp | None:
    """Return the stamp of a file, if it is there."""
    try:
        return files.stamp_of(path.stat())
    except OSError:
        return None
