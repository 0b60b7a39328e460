"""Certificates of random games against deviations found by an independent referee."""

import pytest

from tests.referee.draws import FAMILIES, cases
from tests.referee.judge import faults

DEAR = ("blotto8", "dirichlet")  # compiling takes ten seconds each


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(name, marks=pytest.mark.nightly if name in DEAR else pytest.mark.slow)
        for name in FAMILIES
    ],
)
def test_no_deviation_contradicts_a_certificate(family: str) -> None:
    for case in cases(seed=1, count=8, families=[family]):
        assert faults(case) == [], case.name


@pytest.mark.nightly
@pytest.mark.parametrize("family", FAMILIES)
def test_no_deviation_contradicts_any_of_many_certificates(family: str) -> None:
    wrong = {case.name: faults(case) for case in cases(seed=2, count=154, families=[family])}
    assert {name: lines for name, lines in wrong.items() if lines} == {}


@pytest.mark.slow
def test_the_referee_finds_a_hidden_deviation() -> None:
    """A referee that never finds a deviation would accept every certificate."""
    for case in cases(seed=3, count=4, families=["custom", "blotto5"]):
        found = faults(case._replace(payoff=lambda x, i, own: own[:, 0] * 1e3))
        assert found, case.name
