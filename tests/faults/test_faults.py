"""The list of planted faults is current: every line is where it says, and its tests exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.faults import ROOT, Fault, faults


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.file)
def test_a_planted_fault_changes_its_file(fault: Fault) -> None:
    compile(fault.text(), fault.file, "exec")
    place = f"tests/faults/faults.toml, {fault.find!r} of {fault.file}"
    assert fault.tests, f"{place}: list a test that notices it"
    lines = [
        f"{place}: no test file {name}: correct it"
        for name in fault.tests
        if not (ROOT / "tests" / name.partition("::")[0]).exists()
    ]
    assert not lines, "\n".join(lines)


def test_every_number_that_decides_has_a_planted_fault() -> None:
    tree = ast.parse((ROOT / "src" / "rivalry" / "core" / "tolerances.py").read_text(encoding="utf-8"))
    names = {name.id for node in tree.body for name in ast.walk(node) if isinstance(name, ast.Name)}
    planted = "\n".join(fault.find for fault in faults() if fault.file.endswith("core/tolerances.py"))
    missing = {name for name in names if not re.search(rf"\b{name} = |\b{name}, [A-Z_]+ = ", planted)}
    lines = [
        f"src/rivalry/core/tolerances.py: {name} has no planted fault: add one to tests/faults/faults.toml"
        for name in sorted(missing - {"HIGH_EXPONENT"})
    ]
    assert not lines, "\n".join(lines)
