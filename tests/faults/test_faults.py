"""The list of planted faults is current: every line is where it says, and its tests exist."""

import ast
import re

import pytest

from tests.faults import ROOT, Fault, faults


def wrong_in(fault: Fault) -> list[str]:
    """A line per mistake in a row of the list, with what mends it."""
    place = f"tests/faults/faults.toml, {fault.find!r} of {fault.file}"
    try:
        compile(fault.text(), fault.file, "exec")
    except (OSError, ValueError, SyntaxError) as error:
        return [f"{place}: {error}: quote the line as it is now"]
    lines = [
        f"{place}: no test file {name}: correct it"
        for name in fault.tests
        if not (ROOT / "tests" / name.partition("::")[0]).exists()
    ]
    return lines if fault.tests else [f"{place}: list a test that notices it"]


# Quotes of the source change with it: `.ci/run` looks at them in every run, `pytest` does not.
@pytest.mark.slow
def test_planted_faults_change_their_files() -> None:
    lines = [line for fault in faults() for line in wrong_in(fault)]
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
