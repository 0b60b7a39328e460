"""Which parameters of a test belong to the default tests; the others are marked slow."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pytest


def slow_except(names: Iterable[Any], default: Collection[Any]) -> list[Any]:
    """Parameters for `pytest.mark.parametrize`: all names, those outside of ``default`` marked slow."""
    return [name if name in default else pytest.param(name, marks=pytest.mark.slow) for name in names]


def first_of_each_kind(cases: Iterable[Mapping[str, Any]], slow_kinds: Collection[str] = ()) -> list[Any]:
    """Reference cases as parameters: slow except the first of each kind that is not in ``slow_kinds``."""
    seen = set(slow_kinds)
    parameters = []
    for case in cases:
        marks = [pytest.mark.slow] if case["kind"] in seen else []
        seen.add(case["kind"])
        parameters.append(pytest.param(case, id=case["id"], marks=marks))
    return parameters
