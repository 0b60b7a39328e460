"""Schedules of inverse temperatures: values, ends, and what is refused."""

from typing import Any

import numpy as np
import pytest

from rivalry.methods.q_learning import annealing

STAGES = {"kind": "stages", "stages": [[3, 5.0], [2, 2.0], [1, 100.0]]}
LINEAR = {"kind": "linear", "first": 5.0, "last": 9.0, "steps": 4}
FALLING = {"kind": "linear", "first": 9.0, "last": 5.0, "steps": 4}
GEOMETRIC = {"kind": "geometric", "first": 2.0, "last": 32.0, "steps": 4}
POWER = {"kind": "power", "first": 2.0, "last": 10.0, "power": 0.5}


def values(beta: Any, steps: int) -> list[float]:
    return [float(annealing.at(beta, t)) for t in range(steps)]


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (7, [7.0] * 6),
        (STAGES, [5.0, 5.0, 5.0, 2.0, 2.0, 100.0, 100.0]),
        (LINEAR, [5.0, 6.0, 7.0, 8.0, 9.0, 9.0]),
        (FALLING, [9.0, 8.0, 7.0, 6.0, 5.0, 5.0]),
        (GEOMETRIC, [2.0, 4.0, 8.0, 16.0, 32.0, 32.0]),
    ],
    ids=["number", "stages", "linear", "falling", "geometric"],
)
def test_a_schedule_takes_the_values_of_its_definition(beta: Any, expected: list[float]) -> None:
    np.testing.assert_allclose(values(beta, len(expected)), expected, rtol=1e-14)
    assert float(annealing.final_beta(beta)) == expected[-1]
    over = [bool(annealing.over(beta, t)) for t in range(len(expected))]
    first = next(t for t, value in enumerate(expected) if set(expected[t:]) == {expected[-1]})
    assert over == [t >= first for t in range(len(expected))]


def test_a_power_rises_until_it_is_the_last_value() -> None:
    at = [0, 3, 8, 23, 24, 25, 10_000]
    found = [float(annealing.at(POWER, t)) for t in at]
    np.testing.assert_allclose(found, [2.0, 4.0, 6.0, 2 * 24**0.5, 10.0, 10.0, 10.0], rtol=1e-14)
    assert [bool(annealing.over(POWER, t)) for t in at] == [t >= 24 for t in at]
    assert float(annealing.final_beta(POWER)) == 10.0


@pytest.mark.parametrize("beta", [0.5, 3, np.float64(2.0), STAGES, LINEAR, FALLING, GEOMETRIC, POWER])
def test_schedules_that_can_be_read_pass(beta: Any) -> None:
    annealing.check(beta)


@pytest.mark.parametrize(
    ("beta", "message"),
    [
        (0.0, "beta: 0.0 must be above 0 and finite"),
        (float("inf"), "beta: inf must be above 0 and finite"),
        (True, "beta: True must be above 0 and finite"),
        ([1.0], "beta: [1.0] must be above 0 and finite"),
        (None, "beta: None must be above 0 and finite"),
        ({}, "beta.kind: None must be one of stages, linear, geometric, power"),
        ({"kind": ["linear"]}, "beta.kind: ['linear'] must be one of stages, linear, geometric, power"),
        (LINEAR | {"power": 1.0}, "beta.power: is not known; linear takes first, last, steps"),
        ({"kind": "power", "first": 1.0}, "beta.last: is missing; power takes first, last, power"),
        (LINEAR | {"first": -1.0}, "beta.first: -1.0 must be above 0 and finite"),
        (GEOMETRIC | {"last": "9"}, "beta.last: '9' must be above 0 and finite"),
        (LINEAR | {"steps": 2.5}, "beta.steps: 2.5 must be a whole number of at least 1"),
        (POWER | {"power": 0}, "beta.power: 0 must be above 0 and finite"),
        (POWER | {"last": 1.0}, "beta.last: 1.0 must not be below beta.first = 2.0"),
        (
            {"kind": "stages", "stages": []},
            "beta.stages: [] must be a list of pairs: how many steps, and the value",
        ),
        (
            {"kind": "stages", "stages": [[1, 2.0, 3.0]]},
            "beta.stages: [[1, 2.0, 3.0]] must be a list of pairs: how many steps, and the value",
        ),
        (
            {"kind": "stages", "stages": [[1, 2.0], [0, 3.0]]},
            "beta.stages[1]: 0 must be a whole number of at least 1",
        ),
        ({"kind": "stages", "stages": [[1, -2.0]]}, "beta.stages[0]: -2.0 must be above 0 and finite"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused(beta: Any, message: str) -> None:
    with pytest.raises(ValueError, match="beta") as caught:
        annealing.check(beta)
    assert str(caught.value) == message
