"""Packed runs: a run in one zip file with the digests of all its files, which others check with the package.

It holds study, cells and certificates, the user's files that the study names, what follows from these
(dataset, figures, report, frozen page, citation), and the versions of all packages.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import file_digest, sha256
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np

from rivalry import plots
from rivalry.core import files
from rivalry.core.archives import LARGE, LARGEST, archive, extract, name_fault
from rivalry.core.files import DamagedFile, StoreError
from rivalry.core.results import Record, netcdf, provenance
from rivalry.lab.citation import bibtex
from rivalry.lab.executor import batches_of
from rivalry.lab.figures import figure_file
from rivalry.lab.proofs import certificate_changes, recertify
from rivalry.lab.report.page import build
from rivalry.lab.store import Run
from rivalry.lab.store.blocks import packed_cells
from rivalry.lab.store.head import head_of
from rivalry.lab.study.model import text_fault
from rivalry.lab.worker import run_cell, run_cells
from rivalry.schema.register import collect
from rivalry.schema.registry import hook

CODE = "code"  # folder of the user's files, with one per part of a study of studies
MANIFEST, PACKAGES = "manifest-sha256.txt", "packages.txt"
PAGE, README = "page.html", "README.md"
CITATION, DATASET = "citation.bib", "dataset.nc"
FREEZE = "freeze"  # the hook of frozen pages
WITHIN = 1e-6  # relative difference of a recomputed cell where processor or versions differ
_HOMES = ("cells", "certificates", "blocks")
_ALONE = ("study.json", "study.toml", "index.sqlite", "log.txt")
_ABOUT = """# {title}

A run of the study {name}, made by rivalry {version}.{licence}

- `report.html` and `page.html` open in a browser, without a network.
- `dataset.nc` holds all results; any reader of NetCDF reads it.
- `study.json` is the study in full, `study.toml` as it was written. `code/` holds the files of its author.
- `citation.bib` says what to cite, `packages.txt` what was installed.
- `sha256sum -c manifest-sha256.txt` checks the files; `rivalry verify` computes cells again.

The digest of study, cells and certificates, to be cited: {digest}
"""


def pack(run: Run, out: Path, *, licence: str = "") -> Path:
    """Write a run as a zip file ``out``, and return its path.

    ``licence`` is that of the results, an SPDX identifier such as ``CC-BY-4.0``.

    Raises
    ------
    StoreError
        For a damaged run, and for a user's file that changed or is outside the study's folder.
    """
    runs = run.runs()
    for part in runs.values():
        if damaged := part.damaged():
            raise damaged[0]
        part.tasks()  # raises for a user's file that changed
    with tempfile.TemporaryDirectory(prefix="rivalry-") as folder:
        home = Path(folder, "run")
        for path in _stored(run):
            if path.is_file():
                _write(home / path.relative_to(run.folder), files.read_bytes(path))
        for name, part in runs.items():
            for file in _user_files(part):
                if name_fault(file):
                    raise StoreError(
                        f"{part.name}: {file} is outside the study's folder; move it there, run again"
                    )
                data = files.read_bytes(Path(part.head["folder"]) / file)
                _write(home / PurePosixPath(CODE, name, file), data)
        staged = _opened(home)
        for name, part in staged.runs().items():
            if text_fault(home / name / "study.toml", part.study):  # it was edited: the run is of study.json
                (home / name / "study.toml").unlink(missing_ok=True)
        _derive(staged, licence)
        paths = [path for path in home.rglob("*") if path.is_file() and path.name != "lock"]
        digests = {path.relative_to(home).as_posix(): _digest(path) for path in paths}
        out = files.folder_for(files.followed(Path(out).parent)) / Path(out).name
        files.write(out, archive(home, digests, MANIFEST), durable=True)
    return out


def root_of(path: Path) -> str:
    """Return the digest of a packed run's list of digests, and with it of all its files.

    ``unzip -p FILE manifest-sha256.txt | sha256sum`` prints it without this package.
    """
    with ZipFile(path) as packed:
        return sha256(packed.read(MANIFEST)).hexdigest()


def _opened(folder: Path) -> Run:
    """Return the run of an unpacked folder; the files that its study names are in it."""
    run = Run.open(folder)
    for name, part in run.runs().items():
        part.head = {**part.head, "folder": str(folder / CODE / name)}
    return run


def _write(path: Path, data: bytes) -> None:
    files.write(files.folder_for(path.parent) / path.name, data)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _user_files(run: Run) -> list[str]:
    """Return the user's files that a study names."""
    files = run.head["study"].get("files") or {}
    return sorted({*files, *run.study.own_files, *run.study.plot_files})


def _stored(run: Run) -> Iterator[Path]:
    """Yield the files of a run that do not follow from others: study, cells, certificates, index, log.

    Figures that users' files draw are among them, since no report draws these.
    """
    for part in (run, *run.parts().values()):
        yield from (part.folder / name for name in _ALONE)
        ids = {place.id for place in part.cells}
        for path in (path for home in _HOMES for path in sorted((part.folder / home).glob("*.npz"))):
            packed = "-" in path.stem and packed_cells(path, files.stamp_of(path.stat()))
            if path.stem in ids or (packed and not ids.isdisjoint(packed)):
                yield path
        for k, row in enumerate(part.head["study"]["plots"], start=1):
            kind = str(row if isinstance(row, str) else row["kind"])
            if plots.entry_of(kind) is None:
                yield part.folder / "figures" / figure_file(k, kind)


def _derive(run: Run, licence: str) -> None:
    """Write what follows from a run's study, cells and certificates into its folder."""
    for part in run.runs().values():
        files.write(part.folder / DATASET, netcdf(part.collect().data))
    build(run)
    if FREEZE in collect("HOOKS"):
        hook(FREEZE)(run, run.folder / PAGE)
    files.write(run.folder / CITATION, bibtex(run.study).encode())
    readme = _ABOUT.format(
        title=run.title,
        name=run.name,
        version=run.made_by["rivalry"],
        licence=f" Licence of the results: {licence}." if licence else "",
        digest=run.digest(),
    )
    files.write(run.folder / README, readme.encode())
    versions = {(package.name or "").lower(): package.version for package in distributions()}
    rows = [f"# {name}=={version}" for name, version in provenance().items()]
    rows += [f"{name}=={versions[name]}" for name in sorted(versions)]
    files.write(run.folder / PACKAGES, "\n".join([*rows, ""]).encode())


class Verified(NamedTuple):
    """Result of the check of a packed run: what was computed again, faults, and versions that differ."""

    files: int
    digest: str  # of study, cells and certificates
    root: str  # digest of all files
    done: int
    total: int  # cells of the study
    cells: list[str]  # computed again
    faults: list[str]
    unchecked: list[str]
    versions: list[str]  # that differ

    @property
    def word(self) -> str:
        """``contradicted``; ``verified`` where every cell of the study was computed again; ``undecided``."""
        if self.faults:
            return "contradicted"
        return "verified" if len(self.cells) == self.total > 0 else "undecided"


def verify(
    path: Path,  # of the packed run
    *,
    cells: int | None = None,  # number of random cells computed again, of each study; by default all
    trusted: bool = False,  # whether the user's files in it are run
    large: bool = False,  # whether its files may have up to 8 GB
    progress: Callable[[int, int], object] | None = None,  # receives the numbers of cells checked, and of all
) -> Verified:
    """Check a packed run: its digests, its study, and its cells, which are computed again.

    Cells must have the same bits, or differ by at most `WITHIN` on another processor or with other versions.
    What a report draws from them is not judged.

    Raises
    ------
    DamagedFile
        For a file that is no packed run or differs from what was written.
    StoreError
        Where it needs code that is not trusted.
    """
    with tempfile.TemporaryDirectory(prefix="rivalry-") as folder, _named(path, folder):
        home = Path(folder, "run")
        digests = extract(path, home, MANIFEST, LARGE if large else LARGEST)
        run = _opened(home)
        runs = run.runs()
        code, own_files, versions = set[str](), set[str](), list[str]()
        for name, part in runs.items():
            code |= {str(PurePosixPath(CODE, name, file)) for file in _user_files(part)}
            own_files |= {*part.study.own_files}
            made_by = part.made_by
            for package, version in provenance(made_by).items():
                if made_by.get(package) != version:
                    versions.append(f"{package} {version}, {made_by.get(package)} there")
        for file in sorted(code - digests.keys()):
            raise DamagedFile(path, f"{file} is named by its study, and not in it")
        if own_files and not trusted:
            names = ", ".join(sorted(own_files))
            raise StoreError(f"{path}: its cells run {names}, any code; read it, then --trust runs it")
        for part in runs.values():
            for error in part.damaged():
                raise error
        faults, sample = list[str](), list[str]()
        for name, part in {"": run, **run.parts()}.items():
            faults += [_in_part(name, line) for line in _study(name, run, part)]
        for name, part in runs.items():
            sample_of_part = _sample(part, cells)
            sample += sample_of_part
            for line in _recomputed(part, sample_of_part, bool(versions), progress):
                faults.append(f"cell {_in_part(name, line)}")
        stored = {path.relative_to(home).as_posix() for path in _stored(run)} | code
        unchecked = [*sorted(digests.keys() - stored), "log.txt", "index.sqlite (times, warnings, failures)"]
        if any("verified_proof" in part.collect().data for part in runs.values()):
            unchecked.append("which proof files were verified")
        return Verified(
            len(digests) + 1,
            run.digest(),
            root_of(path),
            run.counts()["done"],
            sum(len(part.study.cells()) for part in runs.values()),
            sample,
            faults,
            unchecked,
            list(dict.fromkeys(versions)),
        )


def _in_part(name: str, line: str) -> str:
    return f"{name}/{line}" if name else line


@contextmanager
def _named(path: Path, folder: str) -> Iterator[None]:
    """Name the packed run in errors of files that were extracted from it."""
    try:
        yield
    except DamagedFile as error:
        if error.path == path:
            raise
        raise DamagedFile(path, f"{error.path.name}: {error.why}") from None
    except StoreError as error:
        raise StoreError(str(error).replace(str(Path(folder, "run")), str(path))) from None


def _study(name: str, run: Run, part: Run) -> Iterator[str]:
    """Yield contradictions between tables of a study, its text, its cells and the study that includes it."""
    if name and run.head["study"]["included"][name] != part.head["study"]:
        yield "study.json: differs from what the study of studies includes"
    text = part.folder / "study.toml"
    if text.exists() and (fault := text_fault(text, part.study)):
        yield fault
    head = head_of(part.study)
    if missing := len(head["cells"]) - len(part.cells):
        yield f"study.json: lists {len(part.cells)} cells; its study has {missing + len(part.cells)}"
    elif wrong := [key for key in ("name", "axes", "companions", "cells") if head[key] != part.head[key]]:
        yield f"study.json: {wrong[0]} are not those of its study"


def _sample(run: Run, cells: int | None) -> list[str]:
    """Return the finished cells of a run that are computed again: random ones, or all."""
    finished = run.finished()
    computed = [place.id for place in run.cells if place.id in finished]
    return computed if cells is None else sorted(Random().sample(computed, min(cells, len(computed))))


def _recomputed(
    run: Run, sample: Sequence[str], is_foreign: bool, progress: Callable[[int, int], object] | None
) -> Iterator[str]:
    """Yield differences of cells that are computed again, and of their newer certificates, a line each."""
    tasks, folder, newer = run.tasks(), Path(run.head["folder"]), run.certificates()
    batch_of = {id: batch for batch in batches_of(list(tasks.items())) for id, _ in batch}
    for k, id in enumerate(sample):
        stored = run.read_cell(id)
        if different := differences(stored, _computed(id, batch_of[id], folder), is_foreign):
            yield f"{id}: computed again, {different}"
        if (certificate := newer.get(id)) is not None:  # of `rivalry certify`, perhaps with a proof
            again = (recertify(tasks[id], folder, stored, proof) for proof in (False, True))
            changes = [certificate_changes(certificate, record, False) for record in again if record]
            if changes and all(changes):
                yield f"{id}: certificate: {min(changes, key=len)}"
        if progress is not None:
            progress(k + 1, len(sample))


def _computed(id: str, batch: Sequence[tuple[str, dict[str, Any]]], folder: Path) -> Record:
    """Return the record of a cell, computed as in a run: with the cells of its batch, or else alone."""
    if len(batch) > 1:
        number = [cell_id for cell_id, _ in batch].index(id)
        with suppress(Exception):  # cells of a batch that fails are computed alone
            for k, outcome in run_cells(batch, folder, numbers_to_compute=[number]):
                if k == number and outcome.record is not None:
                    return outcome.record
    return run_cell(dict(batch)[id], folder)


def differences(stored: Record, new: Record, is_foreign: bool) -> str:
    """Return the difference of a cell that was computed again, in one line; empty if there is none.

    Examples
    --------
    >>> one = {"payoff": (("player",), np.array([1.0, 2.0]))}
    >>> differences(one, {"payoff": (("player",), np.array([1.0, 2.0 + 1e-9]))}, is_foreign=True)
    ''
    >>> differences(one, {"payoff": (("player",), np.array([1.0, 2.0 + 1e-9]))}, is_foreign=False)
    'payoff differs by 5e-10 of its size'
    """
    if names := sorted(stored.keys() ^ new.keys()):
        return f"{names[0]} is in one of them only"
    for name, (dims, old) in stored.items():
        current = np.asarray(new[name][1])
        if new[name][0] != dims or current.shape != old.shape:
            return f"{name} has another shape, {current.shape} and {old.shape}"
        if old.dtype.kind == "U" or current.dtype.kind == "U":
            if not np.array_equal(old, current):
                return f"{name} has other words"
            continue
        if np.array_equal(old, current, equal_nan=old.dtype.kind == "f"):
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = np.abs(np.subtract(current, old, dtype=float)) / np.max(
                np.abs(old[np.isfinite(old)]), initial=1e-300
            )
        largest = float(np.max(gap)) if np.isfinite(gap).all() else np.inf
        if not is_foreign or not largest <= WITHIN:
            return f"{name} differs by {largest:.2g} of its size"
    return ""
