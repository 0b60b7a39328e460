"""The comparison with reference cases: every form of tolerance, on answers that agree and that differ."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reference.__main__ import choose, judge
from tests.reference.compare import Rule, disagreements, rules


def differs(expected: dict[str, Any], ours: dict[str, Any], tolerance: Any, **options: Any) -> list[str]:
    found = disagreements({"expected": expected, "tolerance": tolerance}, ours, **options)
    return [line.split(":")[0] for line in found]


def test_tolerances_by_name() -> None:
    tolerance = {"positions_atol": 0.1, "payoffs_rtol": 0.1, "gain_rtol": 0.5, "gain_atol": 1.0}
    expected = {"final_positions": [1.0, 2.0], "payoffs": [10.0], "max_gain": 4.0, "again": 1.0}
    assert (
        differs(
            expected,
            {"final_positions": [1.09, 1.91], "payoffs": [10.9], "max_gain": 6.9, "again": 1.0},
            tolerance,
        )
        == []
    )
    far = {"final_positions": [1.2, 2.0], "payoffs": [11.2], "max_gain": 7.1, "again": 1.001}
    assert differs(expected, far, tolerance) == ["final_positions[0]", "payoffs[0]", "max_gain", "again"]


def test_unnamed_tolerances_apply_unless_a_name_overrides_them() -> None:
    known = rules({"rtol": 0.1, "atol": 0.2, "gain_rtol": 0.0})
    assert known.of(["x"]) == Rule(0.1, 0.2)
    assert known.of(["regrets[0]", "gain"]) == Rule(0.0, 0.2)
    assert known.of(["gain", "inner"]) == Rule(0.0, 0.2)


def test_a_missing_tolerance_is_zero() -> None:
    assert differs({"a": 1.0}, {"a": 1.0 + 1e-15}, {"b_rtol": 1.0}) == ["a"]
    assert differs({"a": 1.0}, {"a": 1.0}, None) == []


def test_tolerances_given_as_text() -> None:
    tolerance = {"type": "close", "rel": 0.0, "abs": 0.1, "rule": "prose"} | {
        "s": "rel 0.5, only where alive >= 0.5",
        "t": "exact",
        "u": "for information",
    }
    expected = {"s": [[2.0], [2.0]], "alive": [1.0, 0.1], "t": [1, 2], "u": 5.0, "v": 1.0}
    ours = {"s": [[2.9], [9.0]], "alive": [1.0, 0.1], "t": [1, 2], "u": 0.0, "v": 1.05}
    assert differs(expected, ours, tolerance) == []
    assert differs(expected, ours | {"s": [[3.5], [2.0]], "t": [1, 2.0001]}, tolerance) == ["s[0][0]", "t[1]"]


def test_one_sided_bounds() -> None:
    expected = {"regret_max": 1e-9, "other_at_most": 2.0, "share_at_least": 0.75}
    tolerance = {"type": "close", "rel": 0.0, "abs": 0.0}
    assert (
        differs(expected, {"regret_max": 0.0, "other_at_most": -5.0, "share_at_least": 0.9}, tolerance) == []
    )
    beyond = {"regret_max": 1e-8, "other_at_most": 3.0, "share_at_least": 0.7}
    assert differs(expected, beyond, tolerance) == list(expected)


def test_acceptance_bands() -> None:
    expected = {"rows": {"a": {"accept_profit": [1.0, 2.0]}}}
    assert differs(expected, {"rows": {"a": {"profit": 1.5}}}, {"type": "band", "rule": "prose"}) == []
    assert differs(expected, {"rows": {"a": {"profit": 2.5}}}, {"type": "band"}) == ["rows.a.profit"]
    by_size = {"accept_profit": {"6": [1.0, 2.0], "12": [2.0, 3.0]}}
    assert differs(by_size, {"profit": {"6": 1.5, "12": 3.5}}, {"type": "band"}) == ["profit.12"]


def test_plain_numbers_are_absolute_tolerances() -> None:
    expected = {"J": 10.0, "types": [{"J": 5.0}], "mu_at_kmax": 1.0, "n": 3}
    tolerance = {"J": 0.5, "all": 0.01}
    assert differs(expected, {"J": 10.4, "types": [{"J": 5.4}], "mu_at_kmax": 1.0, "n": 3}, tolerance) == []
    assert differs(expected, {"J": 10.6, "types": [{"J": 5.6}], "mu_at_kmax": 1.1, "n": 4}, tolerance) == [
        "J", "types[0].J", "mu_at_kmax", "n"]  # fmt: skip
    assert differs({"L": 100}, {"L": 101}, {"relative": 0.02}) == []
    seeds = {"mean_of_10_seeds": {"J": 1.0}, "single_seed": {"J": 9.0}}
    assert differs({"J": 10.0}, {"J": 12.0}, seeds) == ["J"]


def test_values_of_different_types_differ() -> None:
    assert differs({"a": True}, {"a": 1}, {"atol": 9.0}) == ["a"]
    assert differs({"a": None, "b": None}, {"a": None, "b": 1.0}, None) == ["b"]
    assert differs({"a": None}, {"a": 1.0}, None, null_is_any=True) == []
    assert differs({"a": "x"}, {"a": "y"}, {"atol": 9.0}) == ["a"]
    assert differs({"a": [1, 2]}, {"a": [1]}, {"atol": 9.0}) == ["a"]
    assert differs({"a": 1.0}, {"a": float("nan")}, {"atol": 9.0}) == ["a"]
    assert differs({"a": 1.0}, {}, {"atol": 9.0}) == ["a"]


def test_expected_errors() -> None:
    case = {
        "id": "e",
        "kind": "error",
        "expected": {"raises": "ValueError", "message_contains": ["Reach", "-1"]},
    }

    def right(_: Any) -> Any:
        raise ValueError("reach[1]: -1 must be above 0")

    def wrong(_: Any) -> Any:
        raise TypeError("reach[1]: -1")

    assert judge(case, right) == []
    assert len(judge(case, wrong)) == 1
    assert judge(case, lambda _: {}) == ["no error, expected ValueError"]
    assert len(judge({"id": "x", "kind": "k", "expected": {"a": 1}}, right)) == 1


def test_costs_are_cumulative_and_patterns_exclude_cases() -> None:
    cases = [
        {"id": "a", "kind": "k"},
        {"id": "b", "kind": "k", "cost": "nightly"},
        {"id": "c1", "kind": "l", "cost": "full"},
    ]

    def ids(**options: Any) -> list[str]:
        return [case["id"] for case in choose(cases, **options)]

    assert ids() == ["a"]
    assert ids(cost="nightly") == ["a", "b"]
    assert ids(cost="full") == ["a", "b", "c1"]
    assert ids(cost="full", without=["k"]) == ["c1"]
    assert ids(cost="full", without=["c?", "a"]) == ["b"]


@pytest.mark.parametrize("file", sorted(Path(__file__).parent.glob("*.json")), ids=lambda file: file.stem)
def test_every_reference_case_agrees_with_itself(file: Path) -> None:
    for case in json.loads(file.read_text(encoding="utf-8")).get("cases", []):
        expected = case["expected"]
        if "raises" not in expected:
            assert disagreements(case, _middle(expected)) == [], case["id"]


def _middle(expected: Any, band: bool = False) -> Any:
    """Return an answer in the middle of every band, and the expected value elsewhere."""
    if isinstance(expected, dict):
        return {
            key.removeprefix("accept_"): _middle(value, band or key.startswith("accept_"))
            for key, value in expected.items()
        }
    if band:
        return sum(expected) / 2
    return [_middle(value) for value in expected] if isinstance(expected, list) else expected
