"""Reference cases of markets, one test per case; those of learners run nightly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.reference import market
from tests.reference.__main__ import choose, judge, read
from tests.selection import first_of_each_kind

FILE = Path(__file__).with_name("market.json")
CASES = list(choose(read(FILE)))
LEARNED = [case for case in read(FILE) if case["kind"] == "learning_band"]


@pytest.mark.representative
@pytest.mark.parametrize("case", first_of_each_kind(CASES))
def test_case(case: Mapping[str, Any]) -> None:
    assert judge(case, market.answer) == []


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:the discount factor matters only")
@pytest.mark.parametrize("case", LEARNED, ids=[case["id"] for case in LEARNED])
def test_results_of_learners(case: Mapping[str, Any]) -> None:
    assert judge(case, market.answer) == []
