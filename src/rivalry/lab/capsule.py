"""Capsules: a run in one zip file that others can read without the package, and check with it.

A capsule is a Workflow Run RO-Crate: the study is its workflow, and the run the action that made the files.
It holds the run's folder, the user's files that the study names, the frozen page, the versions of all
packages and the digests of all files. Its comment is the digest of all bytes before it, as in a cell's file.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, NamedTuple

import numpy as np

from rivalry.core import files
from rivalry.core.files import DamagedFile, StoreError
from rivalry.core.results import Record, provenance
from rivalry.lab.citation import bibtex
from rivalry.lab.executor import batches_of
from rivalry.lab.proofs import certificate_changes, recertify
from rivalry.lab.store import Run
from rivalry.lab.worker import run_cell, run_cells
from rivalry.schema.register import collect
from rivalry.schema.registry import hook

CODE = "code"  # folder of the user's files, with one per part of a study of studies
CRATE, MANIFEST = "ro-crate-metadata.json", "manifest-sha256.txt"
PACKAGES, PAGE, README = "packages.txt", "page.html", "README.md"
FREEZE = "freeze"  # the hook of frozen pages
LARGEST = 2**33  # bytes of all files
WITHIN = 1e-6  # relative difference of a recomputed cell where processor or versions are others
UNSTATED = "not stated"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = {"checkpoints", "damaged", "array", "export", "lock"}  # of a run's folder
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_TYPES = {
    ".json": "application/json",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".html": "text/html",
    ".nc": "application/netcdf",
    ".bib": "text/x-bibtex",
}
_ABOUT = """# {title}

A run of the study {name}, made by rivalry {version}.

- `report.html` and `page.html` open in a browser, without a network.
- `dataset.nc` holds all results; any reader of NetCDF reads it.
- `study.json` is the study in full, `study.toml` as it was written. `code/` holds the files of its author.
- `citation.bib` says what to cite, `packages.txt` what was installed.
- `ro-crate-metadata.json` describes the files for machines, as a Workflow Run RO-Crate.
- `sha256sum -c manifest-sha256.txt` checks the files; `rivalry verify` also recomputes the certificates.
"""


def pack(run: Run, out: Path, *, licence: str = UNSTATED) -> Path:
    """Write a run as a capsule, and return its path.

    Parameters
    ----------
    run
        The run, with a report.
    out
        The file.
    licence
        The licence of the results: an SPDX identifier such as ``CC-BY-4.0``.

    Raises
    ------
    StoreError
        For a damaged run, and for a user's file that changed or is outside the study's folder.
    """
    runs = run.parts() or {"": run}
    for part in runs.values():
        if damaged := part.damaged():
            raise damaged[0]
        part.tasks()  # raises for a user's file that changed
    members = _members(run, runs)
    if FREEZE in collect("HOOKS"):
        with tempfile.TemporaryDirectory() as folder:
            hook(FREEZE)(run, Path(folder) / PAGE)
            members[PAGE] = (Path(folder) / PAGE).read_bytes()
    members |= {"citation.bib": bibtex(run.study).encode(), PACKAGES: _packages().encode()}
    members[README] = _ABOUT.format(title=run.title, name=run.name, version=run.made_by["rivalry"]).encode()
    members[CRATE] = json.dumps(_crate(run, members, licence), indent=1).encode()
    lines = [f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(members.items())]
    members[MANIFEST] = "".join(lines).encode()
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        folders = {f"{name.rpartition('/')[0]}/": b"" for name in members if "/" in name}
        for name, content in sorted((folders | members).items()):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(member, content)
        archive.comment = bytes(64)  # its place: the length is among the bytes of the digest
    data = body.getvalue()[:-64]
    files.write(out, data + sha256(data).hexdigest().encode(), durable=True)
    return out


def _members(run: Run, runs: Mapping[str, Run]) -> dict[str, bytes]:
    """Return the files of a run's folder, and the user's files of its studies."""
    found = {
        path.relative_to(run.folder).as_posix(): files.read_bytes(path)
        for path in sorted(run.folder.rglob("*"))
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(run.folder).parts)
    }
    for name, part in runs.items():
        for file in {*(part.head["study"].get("files") or {}), *part.study.plot_files}:
            if not _is_inside(file):
                raise StoreError(
                    f"{part.name}: {file} is outside the study's folder; move it there, run again"
                )
            found[str(PurePosixPath(CODE, name, file))] = files.read_bytes(Path(part.head["folder"]) / file)
    return found


def _is_inside(name: str) -> bool:
    """Return whether a name is that of a file in a folder, by whatever system reads it.

    >>> [_is_inside(name) for name in ("cells/a.npz", "../a", "/a", "c:a", "a//b", "a\\\\b", "")]
    [True, False, False, False, False, False, False]
    """
    parts = name.split("/")
    return name.isprintable() and not set(name) & set("\\\\:") and all(part.strip(". ") for part in parts)


def _packages() -> str:
    """Return the installed packages, one a line, with the digest of the list of their files."""
    found = {(one.name or "").lower(): one for one in distributions()}
    digests = {
        name: sha256((one.read_text("RECORD") or "").encode()).hexdigest() for name, one in found.items()
    }
    rows = [f"{name}=={found[name].version}  # RECORD sha256:{digests[name]}" for name in sorted(found)]
    return "\n".join([*rows, ""])


def _crate(run: Run, members: Mapping[str, bytes], licence: str) -> dict[str, Any]:
    """Return the metadata of a capsule as RO-Crate has them."""
    workflow = "study.toml" if "study.toml" in members else "study.json"
    inside = {name.partition("/")[0] for name in members if "/" in name}
    single = [name for name in members if "/" not in name]
    made, when = run.made_by, time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    results = [name for name in single if name not in (workflow, "study.json", PACKAGES)]
    engine, language = "#rivalry", "#rivalry-study"
    parts = [{"@id": name} for name in single] + [{"@id": f"{name}/"} for name in sorted(inside)]
    profiles = [{"@id": name} for name in _PROFILES]
    graph: list[dict[str, Any]] = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": [{"@id": "https://w3id.org/ro/crate/1.1"}, profiles[-1]],
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": run.title,
            "description": f"Run of the study {run.name}: {run.head['study'].get('question') or run.title}",
            "datePublished": when,
            "license": {"@id": f"https://spdx.org/licenses/{licence}"} if licence != UNSTATED else UNSTATED,
            "conformsTo": profiles,
            "hasPart": parts,
            "mainEntity": {"@id": workflow},
            "mentions": {"@id": "#run"},
        },
        {
            "@id": workflow,
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": run.name,
            "encodingFormat": _TYPES[Path(workflow).suffix],
            "programmingLanguage": {"@id": language},
            "sha256": sha256(members[workflow]).hexdigest(),
        },
        {"@id": language, "@type": "ComputerLanguage", "name": "study of rivalry", "alternateName": "TOML"},
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": f"rivalry run {run.name}",
            "description": f"{run.counts()['done']} cells of the study, with certificates",
            "instrument": {"@id": workflow},
            "agent": {"@id": engine},
            "endTime": when,
            "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
            "object": [{"@id": "study.json"}, *([{"@id": f"{CODE}/"}] if CODE in inside else [])],
            "result": [{"@id": name} for name in results] + [{"@id": f"{one}/"} for one in inside - {CODE}],
        },
        {
            "@id": engine,
            "@type": "SoftwareApplication",
            "name": "rivalry",
            "softwareVersion": made["rivalry"],
            "softwareRequirements": [f"{name} {made[name]}" for name in made if name != "rivalry"],
            "license": {"@id": "https://spdx.org/licenses/MIT"},
        },
        *({"@id": name, "@type": "CreativeWork", "name": what} for name, what in _PROFILES.items()),
        *({"@id": f"{name}/", "@type": "Dataset", "name": name} for name in sorted(inside)),
    ]
    for name in single:
        if name not in (workflow, CRATE):
            row = {"@id": name, "@type": "File", "name": name, "sha256": sha256(members[name]).hexdigest()}
            row["encodingFormat"] = _TYPES.get(Path(name).suffix, "application/octet-stream")
            graph.append(row | ({"about": {"@id": "./"}} if name == README else {}))
    named = {"MIT", *([licence] if licence != UNSTATED else [])}
    graph += [
        {"@id": f"https://spdx.org/licenses/{one}", "@type": "CreativeWork", "name": one}
        for one in sorted(named)
    ]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}


class Verified(NamedTuple):
    """What was checked of a capsule: counts, one line per fault, and how this installation differs."""

    files: int
    certificates: int
    cells: list[str]  # computed anew
    faults: list[str]
    others: list[str]


def verify(
    path: Path, *, cells: int = 3, trusted: bool = False, progress: Callable[[int, int], object] | None = None
) -> Verified:
    """Check the digests of a capsule, recompute all its certificates, and compute some random cells again.

    Cells must have the same bits, or differ by at most `WITHIN` on another processor or with other versions.

    Parameters
    ----------
    path
        The file.
    cells
        Number of cells to compute again, of each study.
    trusted
        Whether the user's files in it are run.
    progress
        Receives the numbers of cells that are checked, and of all.

    Raises
    ------
    DamagedFile
        For a file that is no capsule or differs from what was written.
    StoreError
        Where it needs code that is not trusted.
    """
    members = read(path)
    with _extracted(path, members) as run:
        runs = run.parts() or {"": run}
        for name, part in runs.items():
            part.head = {**part.head, "folder": str(run.folder / CODE / name)}
        code = sorted({file for part in runs.values() for file in part.study.own_files})
        if code and not trusted:
            raise StoreError(
                f"{path}: its cells run {', '.join(code)}, any code; read it, then --trust runs it"
            )
        others = [
            f"{name} {now}, {part.made_by.get(name)} there"
            for part in runs.values()
            for name, now in provenance(part.made_by).items()
            if part.made_by.get(name) != now
        ]
        found = [_checked(name, part, cells, bool(others), progress) for name, part in runs.items()]
        return Verified(
            len(members),
            sum(count for count, _, _ in found),
            [id for _, again, _ in found for id in again],
            [line for _, _, faults in found for line in faults],
            list(dict.fromkeys(others)),
        )


def read(path: Path) -> dict[str, bytes]:
    """Return the files of a capsule by name, if every byte is the one that was written."""
    data = files.read_bytes(path, most=LARGEST)
    faults = list[str]()
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(one.file_size for one in archive.infolist()) > LARGEST:
                raise DamagedFile(path, f"more than {LARGEST} bytes")
            for one in archive.infolist():
                if one.filename.endswith("/") and not one.file_size:  # a folder
                    continue
                if not _is_inside(one.filename) or one.filename in members:
                    raise DamagedFile(path, f"{one.filename!r} is no name of a file in it")
                try:
                    members[one.filename] = archive.read(one)
                except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError, EOFError):
                    faults.append(one.filename)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise (
            error if isinstance(error, DamagedFile) else DamagedFile(path, f"no zip file, {error}")
        ) from None
    lines = members.get(MANIFEST, b"").decode(errors="replace").splitlines()
    known = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    faults += [
        name
        for name, digest in known.items()
        if name not in faults and sha256(members.get(name, b"")).hexdigest() != digest
    ]
    if faults or set(members) != {*known, MANIFEST}:
        strange = faults or sorted(set(members) ^ {*known, MANIFEST})
        raise DamagedFile(path, f"{strange[0]} is not what was packed" + _more(strange))
    if data[-64:] != sha256(data[:-64]).hexdigest().encode():
        raise DamagedFile(path, "a byte beside its files is not the one that was written")
    return members


def _more(names: Sequence[str]) -> str:
    return f", and {len(names) - 1} more" if len(names) > 1 else ""


@contextmanager
def _extracted(path: Path, members: Mapping[str, bytes]) -> Iterator[Run]:
    with tempfile.TemporaryDirectory(prefix="rivalry-") as folder:
        for name, data in members.items():
            target = Path(folder, "run", *name.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            files.write(target, data)
        try:
            yield Run.open(Path(folder, "run"))
        except DamagedFile as error:
            raise DamagedFile(path, f"{error.path.name}: {error.why}") from None


def _checked(
    name: str, run: Run, cells: int, elsewhere: bool, progress: Callable[[int, int], object] | None
) -> tuple[int, list[str], list[str]]:
    """Return how many certificates were recomputed, which cells were, and a line per difference."""
    tasks, folder, done = run.tasks(), Path(run.head["folder"]), sorted(run.finished())
    again = sorted(Random().sample(done, min(cells, len(done))))
    count, faults, total = 0, list[str](), len(done) + len(again)
    for k, id in enumerate(done):
        stored = run.read_cell(id)
        if found := recertify(tasks[id], folder, stored):
            count += 1
            if said := certificate_changes(stored, found, False):
                faults.append(f"cell {name}{'/' * bool(name)}{id}: certificate: {said}")
        if progress is not None:
            progress(k + 1, total)
    batch_of = {id: batch for batch in batches_of(list(tasks.items())) for id, _ in batch}
    for k, id in enumerate(again):
        if said := differences(run.read_cell(id), _computed(id, batch_of[id], folder), elsewhere):
            faults.append(f"cell {name}{'/' * bool(name)}{id}: computed again, {said}")
        if progress is not None:
            progress(len(done) + k + 1, total)
    return count, again, faults


def _computed(id: str, batch: Sequence[tuple[str, dict[str, Any]]], folder: Path) -> Record:
    """Return the record of a cell, computed as in a run: with the cells of its batch, or else alone."""
    if len(batch) > 1:
        number = [own for own, _ in batch].index(id)
        for k, one in run_cells(batch, folder, wanted=[number]):
            if k == number and one.record is not None:
                return one.record
    return run_cell(dict(batch)[id], folder)


def differences(stored: Record, new: Record, elsewhere: bool) -> str:
    """Return how a cell that was computed again differs, in one line; empty if it does not.

    Examples
    --------
    >>> one = {"payoff": (("player",), np.array([1.0, 2.0]))}
    >>> differences(one, {"payoff": (("player",), np.array([1.0, 2.0 + 1e-9]))}, elsewhere=True)
    ''
    >>> differences(one, {"payoff": (("player",), np.array([1.0, 2.0 + 1e-9]))}, elsewhere=False)
    'payoff differs by 5e-10 of its size'
    """
    if names := sorted(stored.keys() ^ new.keys()):
        return f"{names[0]} is in one of them only"
    for name, (dims, old) in stored.items():
        now = np.asarray(new[name][1])
        if new[name][0] != dims or now.shape != old.shape:
            return f"{name} has another shape, {now.shape} and {old.shape}"
        if old.dtype.kind == "U" or now.dtype.kind == "U":
            if not np.array_equal(old, now):
                return f"{name} has other words"
            continue
        if np.array_equal(old, now, equal_nan=old.dtype.kind == "f"):
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = np.abs(np.subtract(now, old, dtype=float)) / np.max(
                np.abs(old[np.isfinite(old)]), initial=1e-300
            )
        largest = float(np.max(gap)) if np.all(np.isfinite(gap)) else np.inf
        if not elsewhere or not largest <= WITHIN:
            return f"{name} differs by {largest:.2g} of its size"
    return ""
