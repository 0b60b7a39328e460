"""Reference cases of karma economies: quick ones by default, others slow or nightly.

Slow ones are of one payment rule at one temperature; the others reuse its code.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.reference import karma
from tests.reference.__main__ import choose, judge, read

FILES = [Path(__file__).with_name(name) for name in ("karma.json", "karma_small.json")]
CASES = [case for file in FILES for case in choose(read(file), cost="full")]
DEAR = ("mean_field_equilibrium", "mean_field_equilibrium_types", "scaling_law", "learning_run")
SLOW = ("baseline_simulation", "policy_evaluation", "two_agents")  # compiling their kernels takes seconds


def marks(case: Mapping[str, Any]) -> Any:
    cost = str(case.get("cost", "test"))
    if cost == "test" and case["kind"] in DEAR:
        cost = "nightly"
    elif cost == "test" and case["kind"] in SLOW:
        cost = "slow"
    found = [] if cost == "test" else [getattr(pytest.mark, cost)]
    return pytest.param(case, id=case["id"], marks=found)


@pytest.mark.representative
@pytest.mark.parametrize("case", [marks(case) for case in CASES])
def test_case(case: Mapping[str, Any]) -> None:
    assert judge(case, karma.answer) == []
