"""Reference cases of matrix games, one test per case."""

from pathlib import Path

import pytest

from tests.reference.__main__ import judge, read
from tests.reference.matrix import answer

CASES = read(Path(__file__).parent / "matrix.json")


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case):
    assert judge(case, answer) == []
