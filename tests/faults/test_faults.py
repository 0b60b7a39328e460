"""The list of planted faults is current: every line is where it says, and its tests exist."""

from __future__ import annotations

import pytest

from tests.faults import ROOT, Fault, faults


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.file)
def test_a_planted_fault_changes_its_file(fault: Fault) -> None:
    compile(fault.text(), fault.file, "exec")
    assert fault.tests
    assert all((ROOT / "tests" / name).exists() for name in fault.tests)
