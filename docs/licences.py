"""Licences of all packages that are installed with each extra, from their metadata.

    python docs/licences.py     # writes docs/reference/licences.csv, the table of docs/reference/licences.md

Run it where all extras are installed: a requirement without metadata is an error. Requirements of other
platforms and versions of Python are left out.
"""

from __future__ import annotations

import csv
import re
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TABLE = ROOT / "docs" / "reference" / "licences.csv"
CORE = "core"
COLUMNS = ("installed with", "licence", "packages")
CHECKER = tomllib.loads((ROOT / "checker" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = {
    CORE: PROJECT["dependencies"],
    **PROJECT["optional-dependencies"],
    "checker": CHECKER["dependencies"],
}

SPDX = {
    "Apache": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD",
    "GPL2+": "GPL-2.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "NVIDIA Proprietary Software": "LicenseRef-NVIDIA",
    "Other/Proprietary License": "LicenseRef-Proprietary",
    "Python Software Foundation License": "PSF-2.0",
}
"""Identifiers of licences that older metadata name in words; those do not tell the version of BSD."""

LICENCE_TEXTS = {
    "cuda-toolkit": "not stated",  # it has no files of its own
    "docutils": "BSD-2-Clause AND LicenseRef-Public-Domain",  # GPL: an Emacs mode of the source archive
    "quantecon": "MIT",
}
"""Licences read in the text that a package brings, where its metadata name none or one of another file."""

PERMISSIVE = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CNRI-Python",
        "HPND",
    ),
    *(
        "ISC",
        "LicenseRef-Public-Domain",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    ),
}
"""Licences under which a package may be used and passed on with a program under MIT."""

FILE_COPYLEFT = {"LGPL-2.1-or-later", "LGPL-3.0-or-later", "MPL-2.0"}
"""Licences that bind changes to the package itself, and no program that imports it."""


def alternatives(licences: str) -> list[set[str]]:
    """Sets of identifiers, one per alternative of an expression without brackets; exceptions stay out."""
    return [
        {term.split(" WITH ")[0].strip("() ") for term in choice.split(" AND ")}
        for choice in licences.split(" OR ")
    ]


def is_compatible(licences: str) -> bool:
    """True if some alternative of a licence has only permissive licences and copyleft of single files."""
    return any(terms <= PERMISSIVE | FILE_COPYLEFT for terms in alternatives(licences))


def licence(package: Distribution) -> str:
    """SPDX expression of a package's licence; KeyError where its metadata name none that is known."""
    metadata, name = package.metadata, canonicalize_name(package.metadata["Name"])
    if name in LICENCE_TEXTS:
        return LICENCE_TEXTS[name]
    if expression := metadata["License-Expression"]:
        return str(expression)
    stated = (metadata["License"] or "").replace("UNKNOWN", "").split("\n")[0]
    if re.fullmatch(r"[A-Z][\w.+]*(-[\w.+]+)*( (AND|OR) [\w.+-]+)*", stated):
        return SPDX.get(stated, stated)
    classifiers = [line.split(" :: ") for line in metadata.get_all("Classifier", [])]
    words = [line[-1] for line in classifiers if line[0] == "License" and line[-1] != "OSI Approved"]
    identifiers = sorted({SPDX.get(text, "") for text in words or [stated]})
    if "" in identifiers:
        raise KeyError(f"{name} {package.version}: {words or stated!r}: add its licence to LICENCE_TEXTS")
    return " OR ".join(identifiers)


def installed_with(extra: str) -> dict[str, Distribution]:
    """Packages that are installed with an extra, by name: its requirements, and theirs."""
    packages: dict[str, Distribution] = {}
    waiting, visited = list(EXTRAS[extra]), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        if str(requirement) in visited or (requirement.marker and not requirement.marker.evaluate()):
            continue
        visited.add(str(requirement))
        name = canonicalize_name(requirement.name)
        packages[name] = package = distribution(name)
        for line in package.requires or []:
            marker = Requirement(line).marker
            options = ("", *requirement.extras)
            if not marker or any(marker.evaluate({"extra": option}) for option in options):
                waiting.append(line.partition(";")[0])
    return packages


def rows() -> list[tuple[str, str, str]]:
    """Extras, licence and packages, a row per pair of the first two; rows of the core first."""
    groups = {extra: installed_with(extra) for extra in EXTRAS}
    packages = {name: package for group in groups.values() for name, package in group.items()}
    direct = {canonicalize_name(Requirement(line).name) for lines in EXTRAS.values() for line in lines}
    cells, problems = defaultdict(list), []
    for name, package in sorted(packages.items()):
        extras = [extra for extra, group in groups.items() if name in group]
        text = f"**{name}**" if name in direct else name
        if CORE in extras:
            text += f" {package.version}"
        try:
            cells[CORE if CORE in extras else ", ".join(extras), licence(package)].append(text)
        except KeyError as error:
            problems.append(error.args[0])
    if problems:
        sys.exit("\n".join(problems))
    lines = [(*key, ", ".join(texts)) for key, texts in cells.items()]
    return sorted(lines, key=lambda row: (row[0] != CORE, row))


def write() -> None:
    """Write the table of licences."""
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows()])


if __name__ == "__main__":
    write()
