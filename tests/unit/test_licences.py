"""Licences of dependencies: every requirement has a row, and none binds a program under MIT."""

import csv
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.test_house import differences

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
licences = import_module("licences")
sys.path.pop(0)
CORE, EXTRAS, TABLE, is_compatible = licences.CORE, licences.EXTRAS, licences.TABLE, licences.is_compatible

ONLY_FOR = {
    "GPL-2.0-or-later": {"test"},
    "LicenseRef-NVIDIA": {"deep"},
    "LicenseRef-NVIDIA-Proprietary": {"deep"},
    "not stated": {"deep"},
}
"""Extras that may bring a licence that is not compatible: cross-checks, and libraries of a manufacturer."""


class Row(NamedTuple):
    """Extras that bring a package, its licence, its version, and whether an extra requires it directly."""

    extras: list[str]
    licence: str
    version: str = ""
    direct: bool = False


def table() -> dict[str, Row]:
    """Rows of the table by package."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        columns, *cells = csv.reader(file)
    assert columns == list(licences.COLUMNS)
    rows: dict[str, Row] = {}
    for extras, licence, packages in cells:
        for bold, name, version in re.findall(r"(\**)([\w.-]+)\**(?: ([\w.+!-]+))?", packages):
            assert name not in rows, f"{TABLE.name}: {name} occurs twice: run python docs/licences.py"
            rows[name] = Row(extras.split(", "), licence, version, bool(bold))
    return rows


def problems(rows: dict[str, Row]) -> list[str]:
    """One line per package whose licence its extras do not allow."""
    return [
        f"{TABLE.name}: {name}: {row.licence} may not come with {', '.join(row.extras)}"
        for name, row in rows.items()
        if not is_compatible(row.licence) and not set(row.extras) <= ONLY_FOR.get(row.licence, set())
    ]


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_requirement_has_a_row(extra: str) -> None:
    """Rows of the core stand for all extras."""
    rows = {name for name, row in table().items() if row.direct and {extra, CORE} & set(row.extras)}
    names = {canonicalize_name(Requirement(line).name) for line in EXTRAS[extra]}
    lines = differences(names, rows, f"{TABLE.name}: {{}} of {extra} has no row: run python docs/licences.py")
    assert not lines, "\n".join(lines)


def test_no_licence_binds_the_package() -> None:
    lines = problems(table())
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize(
    "expression", ["GPL-2.0-or-later", "MIT AND GPL-3.0-or-later", "AGPL-3.0", "unknown"]
)
def test_an_incompatible_licence_of_the_core_is_a_problem(expression: str) -> None:
    assert problems({"numpy": Row([CORE], expression)})


def test_an_alternative_is_enough() -> None:
    assert is_compatible("GPL-2.0-or-later OR MIT")
    assert is_compatible("BSD-2-Clause AND Apache-2.0 WITH LLVM-exception")
    assert not is_compatible("GPL-2.0-or-later AND MIT OR AGPL-3.0")


@pytest.mark.slow
def test_the_rows_of_the_core_are_those_of_the_installed_metadata() -> None:
    rows = table()
    packages = licences.installed_with(CORE)
    assert {"jax", "numpy", "scipy"} <= set(packages)
    lines = [
        f"{TABLE.name}: {name} {package.version}: {licences.licence(package)}: run python docs/licences.py"
        for name, package in packages.items()
        if name in rows and rows[name].version == package.version
        if rows[name].licence != licences.licence(package)
    ]
    assert not lines, "\n".join(lines)
