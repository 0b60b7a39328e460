"""Capsules: a run in one zip file that others can read without the package, and check with it.

A capsule is a Workflow Run RO-Crate: the study is its workflow, and the run the action that made the files.
It holds study, cells and certificates, the user's files that the study names, what follows from these
(dataset, figures, report, frozen page, citation), the versions of all packages and the digests of all files.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import file_digest, sha256
from importlib import resources
from importlib.metadata import distributions, requires
from itertools import chain
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np

from rivalry import plots
from rivalry.core import files
from rivalry.core.archives import LARGE, LARGEST, archive, extract, name_fault
from rivalry.core.files import DamagedFile, StoreError
from rivalry.core.results import Record, netcdf, provenance, read_netcdf, record_of
from rivalry.lab.answer import figure_file
from rivalry.lab.citation import bibtex
from rivalry.lab.executor import batches_of
from rivalry.lab.proofs import certificate_changes, check_status, recertify
from rivalry.lab.report.page import build
from rivalry.lab.store import Run
from rivalry.lab.store.blocks import packed_cells
from rivalry.lab.store.head import head_of
from rivalry.lab.study.model import text_fault
from rivalry.lab.worker import run_cell, run_cells
from rivalry.schema.register import collect
from rivalry.schema.registry import hook

CODE = "code"  # folder of the user's files, with one per part of a study of studies
CRATE, MANIFEST = "ro-crate-metadata.json", "manifest-sha256.txt"
PACKAGES, PAGE, README = "packages.txt", "page.html", "README.md"
CITATION, DATASET = "citation.bib", "dataset.nc"
FREEZE = "freeze"  # the hook of frozen pages
WITHIN = 1e-6  # relative difference of a recomputed cell where processor or versions are others
UNSTATED = "not stated"
_HOMES = ("cells", "certificates", "blocks")
_ALONE = ("study.json", "study.toml", "index.sqlite", "log.txt")
_DATA = '<script type="application/json"'
_DRAWS = (
    r"</?(svg|g|path|defs|clippath|rect|use|text|tspan|circle|line|polygon|polyline|stop|\w+gradient)\b|<!--"
)
_SHOWN = 60  # characters of a difference
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
- `sha256sum -c manifest-sha256.txt` checks the files; `rivalry verify` also recomputes what is in them.

The digest of study, cells and certificates, to be cited: {digest}
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
        _derive(staged)
        _write(home / PACKAGES, _packages().encode())
        used = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
        digests = {name: _digest(home / name) for name in used - {"lock"}}
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        _write(home / CRATE, crate := _crate(staged, digests, licence, timestamp))
        files.write(out, archive(home, digests | {CRATE: sha256(crate).hexdigest()}, MANIFEST), durable=True)
    return out


def root_of(path: Path) -> str:
    """Return the digest of a capsule's list of digests, and with it of all its files.

    ``unzip -p FILE manifest-sha256.txt | sha256sum`` prints it without this package.
    """
    with ZipFile(path) as packed:
        return sha256(packed.read(MANIFEST)).hexdigest()


def _opened(folder: Path) -> Run:
    """Return the run of an unpacked capsule; the files that its study names are in it."""
    run = Run.open(folder)
    for name, part in run.runs().items():
        part.head = {**part.head, "folder": str(folder / CODE / name)}
    return run


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, data)


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


def _derive(run: Run) -> set[str]:
    """Write what follows from a run's study, cells and certificates into its folder; return the names."""
    before = set(run.folder.rglob("*"))
    for part in run.runs().values():
        files.write(part.folder / DATASET, netcdf(part.collect().data))
    build(run)
    if FREEZE in collect("HOOKS"):
        hook(FREEZE)(run, run.folder / PAGE)
    files.write(run.folder / CITATION, bibtex(run.study).encode())
    readme = _ABOUT.format(
        title=run.title, name=run.name, version=run.made_by["rivalry"], digest=run.digest()
    )
    files.write(run.folder / README, readme.encode())
    new_paths = (path for path in set(run.folder.rglob("*")) - before if path.is_file())
    return {path.relative_to(run.folder).as_posix() for path in new_paths} - {"lock"}


def _packages() -> str:
    """Return this environment: its Python, platform and source, and the installed packages, one a line."""
    packages = {(package.name or "").lower(): package for package in distributions()}
    digests = {
        name: sha256((package.read_text("RECORD") or "").encode()).hexdigest()
        for name, package in packages.items()
    }
    rows = [f"{name}=={packages[name].version}  # RECORD sha256:{digests[name]}" for name in sorted(packages)]
    environment = provenance() | {"source": _source()}
    return "\n".join([*(f"# {key}=={environment[key]}" for key in _WRITTEN_BY), *rows, ""])


_WRITTEN_BY = ("python", "platform", "machine", "source")
_REQUIRED = {
    re.split(r"[^\w.-]", requirement)[0].lower()
    for requirement in requires("rivalry") or ()
    if "extra ==" not in requirement
}


@cache
def _source() -> str:
    """Return a digest of the files of this package that write reports and pages."""
    digest = sha256()
    with resources.as_file(resources.files("rivalry")) as home:
        for path in sorted(home.rglob("*")):
            if path.suffix in (".py", ".j2", ".css", ".js"):
                digest.update(path.relative_to(home).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _environment_differences(text: str) -> list[str]:
    """Return the differences of this environment from that in which a capsule was packed, source first."""
    packages = {*_WRITTEN_BY, "rivalry", *_REQUIRED}
    packed, present = (
        dict(re.findall(r"^(?:# )?([\w.-]+)==(\S*)", text_of, re.MULTILINE))
        for text_of in (text, _packages())
    )
    remaining = sorted(packages - {"source"})
    return [name for name in ("source", *remaining) if packed.get(name) != present.get(name)]


def _crate(run: Run, digests: Mapping[str, str], licence: str, timestamp: str) -> bytes:
    """Return the metadata of a capsule as RO-Crate has them."""
    workflow = "study.toml" if "study.toml" in digests else "study.json"
    inside = {name.partition("/")[0] for name in digests if "/" in name}
    single = [name for name in sorted(digests) if "/" not in name]
    versions = run.made_by
    results = [name for name in single if name not in (workflow, "study.json", PACKAGES)]
    results += [f"{folder}/" for folder in sorted(inside - {CODE})]
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
            "datePublished": timestamp,
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
            "sha256": digests[workflow],
        },
        {"@id": language, "@type": "ComputerLanguage", "name": "study of rivalry", "alternateName": "TOML"},
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": f"rivalry run {run.name}",
            "description": f"{run.counts()['done']} cells of the study, with certificates",
            "instrument": {"@id": workflow},
            "agent": {"@id": engine},
            "endTime": timestamp,
            "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
            "object": [{"@id": "study.json"}, *([{"@id": f"{CODE}/"}] if CODE in inside else [])],
            "result": [{"@id": name} for name in results],
        },
        {
            "@id": engine,
            "@type": "SoftwareApplication",
            "name": "rivalry",
            "softwareVersion": versions["rivalry"],
            "softwareRequirements": [f"{name} {versions[name]}" for name in versions if name != "rivalry"],
            "license": {"@id": "https://spdx.org/licenses/MIT"},
        },
        *({"@id": name, "@type": "CreativeWork", "name": title} for name, title in _PROFILES.items()),
        *({"@id": f"{name}/", "@type": "Dataset", "name": name} for name in sorted(inside)),
    ]
    for name in single:
        if name not in (workflow, CRATE):
            row = {"@id": name, "@type": "File", "name": name, "sha256": digests[name]}
            row["encodingFormat"] = _TYPES.get(Path(name).suffix, "application/octet-stream")
            graph.append(row | ({"about": {"@id": "./"}} if name == README else {}))
    licences = {"MIT", *([licence] if licence != UNSTATED else [])}
    graph += [
        {"@id": f"https://spdx.org/licenses/{licence}", "@type": "CreativeWork", "name": licence}
        for licence in sorted(licences)
    ]
    return json.dumps(
        {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}, indent=1
    ).encode()


class Verified(NamedTuple):
    """Result of the check of a capsule: parts checked and not, faults, differences of this installation."""

    files: int
    digest: str  # of study, cells and certificates
    root: str  # digest of all files
    done: int
    total: int  # cells of the study
    certificates: int
    cells: list[str]  # computed anew
    derived: list[str]  # files that were made again with the same bytes
    same_words: list[str]  # files whose words or numbers, not bytes, are those of files made again
    faults: list[str]
    undecided: list[str]  # files of another version that reads otherwise, statuses that a step does not give
    unchecked: list[str]
    others: list[str]

    @property
    def word(self) -> str:
        """``verified``, ``contradicted`` or ``undecided``."""
        if self.faults:
            return "contradicted"
        return "undecided" if self.undecided else "verified"


def verify(
    path: Path,
    *,
    cells: int = 3,
    trusted: bool = False,
    large: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Verified:
    """Check a capsule: its digests, certificates, some random cells, and all that follows from them.

    Cells must have the same bits, or differ by at most `WITHIN` on another processor or with other versions.
    What follows from them, from dataset to page, is made again and compared: bytes where the packages that
    make it are those of the capsule, else numbers of the dataset and words of the texts.

    Parameters
    ----------
    path
        The file.
    cells
        Number of cells to compute again, of each study.
    trusted
        Whether the user's files in it are run.
    large
        Whether its files may have up to 8 GB.
    progress
        Receives the numbers of cells that are checked, and of all.

    Raises
    ------
    DamagedFile
        For a file that is no capsule or differs from what was written.
    StoreError
        Where it needs code that is not trusted.
    """
    with tempfile.TemporaryDirectory(prefix="rivalry-") as folder, _of_capsule(path, folder):
        home = Path(folder, "run")
        digests = extract(path, home, MANIFEST, LARGE if large else LARGEST)
        run = _opened(home)
        runs = run.runs()
        code = {
            str(PurePosixPath(CODE, name, file)) for name, part in runs.items() for file in _user_files(part)
        }
        if lacking := sorted(code - digests.keys()):
            raise DamagedFile(path, f"{lacking[0]} is named by its study, and not in it")
        run_files = sorted({file for part in runs.values() for file in part.study.own_files})
        if run_files and not trusted:
            raise StoreError(
                f"{path}: its cells run {', '.join(run_files)}, any code; read it, then --trust runs it"
            )
        if damaged := [error for part in runs.values() for error in part.damaged()]:
            raise damaged[0]
        part_faults = [
            f"{name} {current}, {part.made_by.get(name)} there"
            for part in runs.values()
            for name, current in provenance(part.made_by).items()
            if part.made_by.get(name) != current
        ]
        all_runs = {"": run, **run.parts()}
        faults = [
            _in_part(name, line)
            for name, part_study in all_runs.items()
            for line in _study(name, run, part_study)
        ]
        checked = [_checked(name, part, cells, bool(part_faults), progress) for name, part in runs.items()]
        stored = {path.relative_to(home).as_posix() for path in _stored(run)} | code | {PACKAGES, CRATE}
        compared = _compared(run, digests, stored)
        counts, cell_ids = run.counts(), list(chain.from_iterable(part.sample for part in checked))
        certificates = sum(part.certificates for part in checked)
        return Verified(
            len(digests) + 1,
            run.digest(),
            root_of(path),
            counts["done"],
            sum(len(part.study.cells()) for part in runs.values()),
            certificates,
            cell_ids,
            compared.derived,
            compared.same_words,
            faults + list(chain.from_iterable(part.faults for part in checked)) + compared.faults,
            compared.undecided + list(chain.from_iterable(part.undecided for part in checked)),
            compared.unchecked
            + _unchecked(run, counts["done"], certificates, len(cell_ids))
            + list(chain.from_iterable(part.unchecked for part in checked)),
            list(dict.fromkeys(part_faults)),
        )


def _in_part(name: str, line: str) -> str:
    return f"{name}/{line}" if name else line


@contextmanager
def _of_capsule(path: Path, folder: str) -> Iterator[None]:
    """Name the capsule in errors of files that were extracted from it."""
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


def _unchecked(run: Run, count: int, certificates: int, recomputed: int) -> list[str]:
    """Return the list of what no verification checks, and of what this one left out."""
    lines = ["log.txt", "index.sqlite (times, warnings, failures)", f"{PACKAGES}, date and licence"]
    if recomputed < count:
        lines.append(
            f"results of {count - recomputed} of {count} cells beyond their certificates (--cells {count})"
        )
    if certificates < count:
        lines.append(f"certificates of {count - certificates} of {count} cells, which have no stored profile")
    if any("verified_proof" in part.collect().data for part in run.runs().values()):
        lines.append("which proof files were verified")
    return lines


class _Compared(NamedTuple):
    """Files of a capsule by how they compare with those that were made again."""

    derived: list[str]
    same_words: list[str]
    faults: list[str]
    undecided: list[str]
    unchecked: list[str]


def _compared(run: Run, digests: Mapping[str, str], stored: set[str]) -> _Compared:
    """Make all that follows from study and cells again, and compare it with what a capsule has."""
    home, comparison = run.folder, _Compared([], [], [], [], [])
    packed = home.with_name("packed")
    for name in digests.keys() - stored:
        (packed / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).rename(packed / name)
    derived = _derive(run)
    pictures = sorted(
        name for name in stored & digests.keys() if f"/{name}".rpartition("/")[0].endswith("/figures")
    )
    comparison.unchecked.extend(f"{name}: drawn by a file of its author" for name in pictures)
    if FREEZE not in collect("HOOKS") and PAGE in digests:
        comparison.unchecked.append(f"{PAGE}: rivalry.living is not installed here")
        stored = stored | {PAGE}
    comparison.faults.extend(
        f"{name}: is no file of the run" for name in sorted(digests.keys() - stored - derived)
    )
    packages = (home / PACKAGES).read_text(encoding="utf-8", errors="replace") if PACKAGES in digests else ""
    differing_packages = _environment_differences(packages)
    for name in sorted(derived):
        if name not in digests:
            comparison.faults.append(f"{name}: is missing")
        elif _digest(home / name) == digests[name]:
            comparison.derived.append(name)
        elif not differing_packages:
            comparison.faults.append(f"{name}: is not what study and cells give")
        else:
            _compare(name, packed / name, home / name, differing_packages, comparison)
    if comparison.undecided:
        version = re.search(r"^rivalry==(\S*)", packages, re.MULTILINE)
        source = re.search(r"^# source==(\w{12})", packages, re.MULTILINE)
        stated = f"{version[1] if version else '?'} (source {source[1] if source else '?'}..)"
        comparison.undecided.append(f"install rivalry {stated}, which wrote them, to decide")
    crate = files.read_bytes(home / CRATE, 2**24)
    content = {name: digest for name, digest in digests.items() if name != CRATE}
    if crate == _crate(run, content, *_licence_and_date(crate)):
        comparison.derived.append(CRATE)
    else:
        comparison.faults.append(f"{CRATE}: does not describe the run")
    return comparison


def _compare(
    name: str, packed: Path, remade: Path, differing_packages: Sequence[str], comparison: _Compared
) -> None:
    """Compare what is in two files whose bytes differ, one made in another environment."""
    reason = f"made with other {', '.join(differing_packages[:3])}"
    if name.endswith(".svg"):
        comparison.unchecked.append(f"{name}: {reason}")
        return
    difference = (
        _data_difference(packed, remade) if name.endswith(DATASET) else _words_difference(packed, remade)
    )
    if not difference:
        comparison.same_words.append(name)
        if name.endswith(".html"):
            comparison.unchecked.append(f"{name}: its figures, {reason}")
    elif "source" in differing_packages and not name.endswith(DATASET):  # other versions use other words
        comparison.undecided.append(f"{name}: {difference}; {reason}")
    else:
        comparison.faults.append(f"{name}: {difference}")


def _data_difference(packed: Path, remade: Path) -> str:
    """Return the difference of the numbers of two datasets, in one line; empty if there is none."""
    new = record_of(read_netcdf(remade))
    max_bytes = 2 * max((array.nbytes for _, array in new.values()), default=0)
    try:
        with files.foreign_bytes(packed):
            stored = record_of(read_netcdf(packed, max_bytes))
    except DamagedFile as error:
        return error.why
    return differences(stored, new, is_foreign=True)


def _words_difference(packed: Path, remade: Path) -> str:
    """Return the first words in which two texts or pages differ; empty if there are none."""
    if packed.stat().st_size > 4 * remade.stat().st_size:
        return f"has {packed.stat().st_size} bytes; {remade.stat().st_size} are made here"
    packed_words, remade_words = (
        _words(path.read_text(encoding="utf-8", errors="replace")) for path in (packed, remade)
    )
    if packed_words == remade_words:
        return ""
    place = next(
        (k for k, pair in enumerate(zip(packed_words, remade_words, strict=False)) if pair[0] != pair[1]),
        None,
    )
    place = min(len(packed_words), len(remade_words)) if place is None else place
    packed_text, remade_text = (
        " ".join(words[place : place + 8])[:_SHOWN] for words in (packed_words, remade_words)
    )
    return f"reads {packed_text!r} where {remade_text!r} follows from its cells"


def _words(text: str) -> list[str]:
    """Return the words and elements of a text or a page, with scripts and styles, and without pictures.

    Data of a page are not compared: they are numbers, as those of a picture.

    >>> _words("<p>a gain of <b>0.5</b></p><svg><path d='M0 0'/></svg> at most")
    ['<p>', 'a', 'gain', 'of', '<b>', '0.5', '</b>', '</p>', '<svg>', '</svg>', 'at', 'most']
    """
    words, inside = list[str](), ""
    for part in re.split(r"(<[^<>]*>)", text):
        if not part.startswith("<"):
            words += [] if inside else part.split()
            continue
        tag = part.lower()
        if inside:
            # elements of a picture that draw may differ, others and handlers of events may not
            if not re.match(_DRAWS, tag) or re.search(r"\son\w+\s*=", tag):
                words.append(part)
            inside = "" if tag.startswith(f"</{inside}") else inside
            words += [] if inside else [part]
            continue
        inside = "svg" if re.match(r"<svg\b(?!.*/>)", tag, re.DOTALL) else ""
        inside = "script" if tag.startswith(_DATA) else inside
        words.append("<svg>" if inside == "svg" else part)
    return words


def _licence_and_date(crate: bytes) -> tuple[str, str]:
    """Return the licence and the date in the metadata of a capsule; empty where they are of another form."""
    licence = re.search(
        rb'"license": (?:\{\s*"@id": "https://spdx.org/licenses/([\w.+-]+)"|"not stated")', crate
    )
    date = re.search(rb'"datePublished": "([\d:T+-]+)"', crate)
    if licence is None or date is None:
        return "", ""
    return (licence[1] or UNSTATED.encode()).decode(), date[1].decode()


class _Checked(NamedTuple):
    """Cells of a run by how they were checked."""

    certificates: int  # recomputed
    sample: list[str]  # ids of the cells that were computed again
    faults: list[str]
    undecided: list[str]
    unchecked: list[str]


def _checked(
    name: str, run: Run, cells: int, is_foreign: bool, progress: Callable[[int, int], object] | None
) -> _Checked:
    """Cells of a run, checked: certificates and statuses of all, and a sample computed again."""
    tasks, folder, newer = run.tasks(), Path(run.head["folder"]), run.certificates()
    finished = run.finished()
    computed = [place.id for place in run.cells if place.id in finished]
    sample = sorted(Random().sample(computed, min(cells, len(computed))))
    count, faults, total = 0, list[str](), len(computed) + len(sample)
    doubtful, unchecked = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for k, id in enumerate(computed):
        stored = run.read_cell(id)
        # `rivalry certify` may have proved a newer one
        for certificate, ways in ((stored, (False,)), (newer.get(id), (False, True))):
            if certificate is None:
                continue
            in_full = certificate is stored
            recomputed = [recertify(tasks[id], folder, stored, proof, in_full) for proof in ways]
            count += bool(recomputed[0]) and in_full
            changes = [certificate_changes(certificate, record, False) for record in recomputed if record]
            if changes and all(changes):
                faults.append(f"cell {_in_part(name, id)}: certificate: {min(changes, key=len)}")
        if id not in sample:
            statuses = check_status(tasks[id], folder, stored)
            faults.extend(f"cell {_in_part(name, id)}: {line}" for line in statuses.faults)
            for line in statuses.undecided:
                doubtful[line].append(id)
            for line in statuses.unchecked:
                unchecked[line].append(id)
        if progress is not None:
            progress(k + 1, total)
    batch_of = {id: batch for batch in batches_of(list(tasks.items())) for id, _ in batch}
    for k, id in enumerate(sample):
        if different := differences(run.read_cell(id), _computed(id, batch_of[id], folder), is_foreign):
            faults.append(f"cell {_in_part(name, id)}: computed again, {different}")
        if progress is not None:
            progress(len(computed) + k + 1, total)
    remedy = f"--cells {len(computed)}"
    return _Checked(
        count,
        sample,
        faults,
        [f"{line}; {remedy} decides" for line in _by_cell(name, doubtful)],
        [f"{line} ({remedy})" for line in _by_cell(name, unchecked)],
    )


def _by_cell(name: str, cells_by_line: Mapping[str, Sequence[str]]) -> list[str]:
    """Lines that begin with their first cell and end with the number of cells."""
    return [
        f"cell {_in_part(name, ids[0])}: {line} (cells like it: {len(set(ids))})"
        for line, ids in cells_by_line.items()
    ]


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
