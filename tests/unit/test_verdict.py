"""Yes, no, cannot tell: what numbers, intervals and claims decide, and nothing else."""

from typing import Any

import numpy as np
import pytest

from rivalry.core.results import Record, collect, none_exists
from rivalry.lab.answer import Answer
from rivalry.lab.answer.verdict import Verdict, directions
from rivalry.lab.study import Study, StudyError
from rivalry.results.table import exactly

REACHES = [0.1, 0.2, 0.3, 0.4]


def study(test: dict[str, Any], **answer: Any) -> dict[str, Any]:
    return {
        "game": {"family": "influencer"},
        "method": [{"name": name, "kind": "q_learning"} for name in ("a", "b")],
        "expect": [],
        "plots": [],
        "question": "Is it so?",
        "answer": {"quantities": ["payoff"], "test": test, **answer},
        "replications": {"paired": True},
    }


def number(amount: Any, claim: str = "", **values: Any) -> Record:
    array = np.asarray(amount, dtype=float)
    found: Record = {"status": ((), np.asarray("converged")), "payoff": (("player",)[: array.ndim], array)}
    for name, each in values.items():
        one = np.asarray(each)
        found[name] = (("player",)[: one.ndim], one)
    if claim:
        found |= {
            "claim": ((), np.asarray(claim)),
            "regret": (("player",), np.array([0.0, 0.2 * (claim == "not an equilibrium")])),
            "tolerance": ((), np.asarray(0.01)),
        }
    return found


Rows = dict[tuple[str, float], list[Record]]


def answered(test: dict[str, Any], rows: Rows, kind: str, **answer: Any) -> Answer:
    """The answer on results by algorithm, reach and replication."""
    coords: dict[str, list[Any]] = {
        "algorithm": list(dict.fromkeys(name for name, _ in rows)),
        "reach": list(dict.fromkeys(reach for _, reach in rows)),
        "replication": list(range(max(map(len, rows.values())))),
    }
    cells = [
        ({"algorithm": name, "reach": reach, "replication": k}, one)
        for (name, reach), own in rows.items()
        for k, one in enumerate(own)
    ]
    about = study(test, **answer)
    about["method"] = [{"name": name, "kind": kind} for name in coords["algorithm"]]
    return Answer(about, collect(cells, coords))


def drawn(test: dict[str, Any], rows: Rows, **answer: Any) -> Verdict:
    """The verdict on results of learners, which draw."""
    verdict = answered(test, rows, "q_learning", **answer).verdict
    assert verdict is not None
    return verdict


def line(test: dict[str, Any], rows: Rows, **answer: Any) -> str:
    """The verdict on exact results, of methods without draws."""
    verdict = answered(test, rows, "best_response", **answer).verdict
    assert verdict is not None
    return verdict.line


def exact(*values: Any, claim: str = "") -> Rows:
    return {("a", x): [number(value, claim)] for x, value in zip(REACHES, values, strict=False)}


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ({"above": 2.0}, "Yes: the payoff is 3, above 2."),
        ({"above": 3.0}, "No: the payoff is 3, not above 3."),
        ({"below": 3.0}, "No: the payoff is 3, not below 3."),
        ({"equals": 3}, "Yes: the payoff is 3, equal to 3."),
        ({"below": 4, "limit": "the cap of {}"}, "Yes: the payoff is 3, below the cap of 4."),
    ],
)
def test_a_number_stands_beside_what_it_is_compared_with(limit: dict[str, Any], text: str) -> None:
    assert line({"quantity": "payoff", **limit}, exact(3.0)) == text


@pytest.mark.parametrize("seed", range(20))
def test_an_interval_that_holds_the_limit_decides_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    draws = rng.normal(rng.uniform(-1, 1), 1.0, 8)
    verdict = drawn({"quantity": "payoff", "above": 0.0}, {("a", 0.1): [number(each) for each in draws]})
    half = 2.3646 * draws.std(ddof=1) / np.sqrt(8)  # 97.5 % quantile of Student's t with 7 degrees of freedom
    low, high = draws.mean() - half, draws.mean() + half
    assert verdict.truth is (True if low > 0 else False if high < 0 else None)
    assert "±" in verdict.test


@pytest.mark.parametrize("count", [1, 4, 5])
def test_below_five_converged_sessions_there_is_neither_verdict_nor_interval(count: int) -> None:
    rows = {("a", 0.1): [number(3.0 + k / 10) for k in range(count)]}
    answer = answered({"quantity": "payoff", "above": 0.0}, rows, "q_learning")
    assert answer.verdict is not None
    assert answer.verdict.is_withheld == (count < 5)
    if count < 5:
        assert answer.lead == [
            "No verdict below five converged runs; asked is whether the payoff is above 0."
        ]
        assert answer.as_json()["verdict"] is None
    (estimate,) = answer.points[0].quantities["payoff"]
    assert ("±" in estimate.text) == (count == 5)
    if count < 5:
        assert estimate.text == ", ".join(["3", "3.1", "3.2", "3.3"][:count])
    stopped = {("a", 0.1): [number(3.0 + k, status="max steps") for k in range(6)]}
    assert drawn({"quantity": "payoff", "above": 0.0}, stopped).is_withheld
    # learners of a fixed length do not converge, and are complete
    complete = {("a", 0.1): [number(3.0 + k, status="completed", converged_share=0.0) for k in range(5)]}
    assert not drawn({"quantity": "payoff", "above": 0.0}, complete).is_withheld


def test_rows_are_compared_by_the_difference_in_the_same_draws() -> None:
    noise = np.random.default_rng(0).normal(0.0, 5.0, 9)
    rows = {
        ("a", 0.1): [number(each) for each in 10 + noise],
        ("b", 0.1): [number(each) for each in 9 + noise + np.linspace(-0.1, 0.1, 9)],
    }
    test = {"quantity": "payoff", "at": {"algorithm": "a"}, "than": {"at": {"algorithm": "b"}}}
    verdict = drawn(test | {"above": 0.0}, rows)
    assert verdict.truth
    assert verdict.test.endswith("(b); difference 1.000 ± 0.053")
    assert drawn(test | {"above": 2.0}, rows).truth is False


def test_every_player_counts_unless_the_test_names_it() -> None:
    words = {"player 0": "the cautious", "player 1": "the bold"}
    test, rows = {"quantity": "payoff", "above": 2}, exact([1.0, 3.0])
    assert line(test, rows, words=words) == (
        "No: the payoff is 1 (the cautious), not above 2; met in 1 of 2 cases."
    )
    assert line(test | {"at": {"player": 1}}, rows, words=words).startswith("Yes: ")
    assert line(test | {"everywhere": False}, rows, words=words).startswith("Yes: ")
    assert line(test, rows, words={"player 0": ""}) == "Yes: the payoff is 3 (player 1), above 2."


@pytest.mark.parametrize("seed", range(20))
def test_the_case_nearest_to_its_reference_decides(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, limit = rng.integers(0, 9, 4).astype(float), float(rng.integers(0, 9))
    verdict = answered({"quantity": "payoff", "above": limit}, exact(*values), "best_response").verdict
    assert verdict is not None
    assert verdict.truth == bool(np.all(values > limit))
    deciding = values[values > limit] if verdict.truth else values[values <= limit]
    nearest = deciding[np.argmin(np.abs(deciding - limit))]
    assert f" is {nearest:g} (" in verdict.test
    assert verdict.test.endswith(f"; met in {np.sum(values > limit)} of 4 cases")
    assert [case.is_met for case in verdict.cases] == (values > limit).tolist()


def test_a_number_is_compared_with_another_quantity_of_its_row() -> None:
    rows = {("a", 0.1): [number([1.0, 3.0], claim="equilibrium", value=[0.5, 2.0])]}
    assert line({"quantity": "payoff", "above": "value"}, rows, words={"value": "value of waiting"}) == (
        "Yes: the payoff is 1 (player 0), above 0.5 (value of waiting); difference 0.5; met in 2 of 2 cases."
    )


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        (["equilibrium"] * 3, "Yes: equilibrium in 3 of 3 cases."),
        (
            ["equilibrium", "not an equilibrium", "equilibrium"],
            "No: reach 0.2: not an equilibrium, largest gain 0.2 (player 1); met in 2 of 3 cases.",
        ),
        (
            ["equilibrium", "no deviation found", "equilibrium"],
            "Cannot tell: reach 0.2: no deviation found; met in 2 of 3 cases.",
        ),
    ],
)
def test_claims_decide_by_what_they_prove(claims: list[str], text: str) -> None:
    rows = {("a", x): [number([1.0, 1.0], claim)] for x, claim in zip(REACHES, claims, strict=False)}
    assert line({"claim": "equilibrium"}, rows) == text
    assert line({"claim": "equilibrium", "everywhere": False}, rows).startswith("Yes: ")


def test_one_learned_profile_refutes_and_does_not_show_that_all_are_equilibria() -> None:
    rows = exact([1.0, 1.0], claim="equilibrium")
    assert drawn({"claim": "equilibrium"}, rows).is_withheld
    rows = exact([1.0, 1.0], claim="not an equilibrium")
    assert drawn({"claim": "equilibrium"}, rows).truth is False


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, 2.0, 3.0], "Yes: the payoff rises, from 1 at 0.1 to 3 at 0.3 (reach)."),
        ([1.0, 3.0, 2.0], "No: the payoff rises and falls, from 1 at 0.1 to 2 at 0.3 (reach)."),
        ([2.0, 2.0, 2.0], "No: the payoff stays, from 2 at 0.1 to 2 at 0.3 (reach)."),
    ],
)
def test_a_course_decides_whether_a_quantity_rises(values: list[float], text: str) -> None:
    assert line({"quantity": "payoff", "monotone": "rising", "along": "reach"}, exact(*values)) == text


def test_a_course_is_judged_in_the_direction_in_which_it_is_asked() -> None:
    test = {"quantity": "payoff", "monotone": "falling", "along": "reach"}
    assert line(test, exact(1.0, 2.0, 3.0), direction="falling") == (
        "Yes: the payoff falls, from 3 at 0.3 to 1 at 0.1 (reach)."
    )
    assert line(test, exact(3.0, 2.0, 1.0), direction="falling").startswith("No: ")
    assert line(test | {"monotone": "rising"}, exact(1.0, 2.0), quantities=["status"]).startswith("Yes: ")


@pytest.mark.parametrize("seed", range(20))
def test_a_course_of_exact_numbers_has_the_directions_of_its_steps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, 6).astype(float)
    steps = np.sign(np.diff(values)).astype(int)
    steps = steps[steps != 0]
    changes = [int(step) for k, step in enumerate(steps) if k == 0 or step != steps[k - 1]]
    assert directions([exactly("", value) for value in values.tolist()]) == (changes or [0])


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"test": {"quantity": "payoff"}}, "answer.test: needs one of above, below, equals, monotone"),
        ({"test": {"quantity": "payoff", "above": 1, "below": 2}}, "it has above and below"),
        ({"test": {"above": 1}}, "answer.test: needs one of quantity and claim"),
        ({"test": {"claim": "equilibrium", "above": 1}}, "answer.test.above: is a condition on a quantity"),
        ({"test": {"claim": "equilibrum"}}, "answer.test.claim: 'equilibrum' must be one of"),
        ({"test": {"quantity": "payoff", "above": 1, "tolerance": 1.0}}, "tolerance: belongs to equals"),
        ({"test": {"quantity": "payoff", "above": 1, "along": "reach"}}, "along: belongs to monotone"),
        ({"test": {"quantity": "payoff", "above": "x", "than": {"at": {}}}}, "than: needs at or quantity"),
        (
            {"test": {"quantity": "payoff", "above": 1, "at": {"reach": 0.3}}},
            "answer.test.at.reach: 0.3 is not among",
        ),
        (
            {"test": {"quantity": "payoff", "above": 1, "at": {"algorithm": ["newton", "neuton"]}}},
            "answer.test.at.algorithm: 'neuton' is not among its values",
        ),
    ],
)
def test_a_wrong_test_is_refused_in_one_line(answer: dict[str, Any], fault: str) -> None:
    with pytest.raises(StudyError) as error:
        Study(
            game={"family": "influencer"},
            method={"kind": "newton"},
            question="Is it so?",
            sweep={"game.reach": [0.1, 0.2]},
            answer=answer,
        )
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("claim", "begins"), [("none exists", "Yes"), ("equilibrium", "No")])
def test_that_none_exists_decides_a_test_of_claims(claim: str, begins: str) -> None:
    none = none_exists("equilibrium in pure strategies") | {"payoff": (("player",), np.full(2, np.nan))}
    words = line({"claim": claim}, {("a", reach): [none] for reach in REACHES})
    assert words.startswith(f"{begins}: ")
    assert "no equilibrium in pure strategies, proved" in words


def test_rows_that_no_result_has_are_named() -> None:
    data = collect([({"algorithm": "a", "reach": 0.1}, number(1.0))], {"algorithm": ["a"], "reach": [0.1]})
    answer = Answer(study({"quantity": "payoff", "above": 1, "at": {"range": 2}}), data)
    assert "answer.test: no row of this run has range" in answer.caveats
    assert answer.verdict is None


def test_players_of_one_row_are_compared() -> None:
    test = {"quantity": "payoff", "at": {"player": 1}, "than": {"at": {"player": 0}}, "above": 0}
    words = {"player 0": "the impatient", "player 1": "the patient"}
    assert line(test, exact([1.0, 3.0]), words=words) == (
        "Yes: the payoff is 3 (the patient), above 1 (the impatient); difference 2."
    )
    assert line(test, exact([3.0, 1.0]), words=words).startswith("No: ")


@pytest.mark.parametrize(
    ("test", "complete", "truth"),
    [
        ({"equals": 2}, True, True),
        ({"equals": 2}, False, None),
        ({"equals": 1}, False, False),  # there are two at least
        ({"above": 1}, False, True),
        ({"above": 2}, False, None),
        ({"below": 2}, False, False),
        ({"below": 3}, False, None),
    ],
)
def test_lists_that_may_lack_equilibria_bound_them(
    test: dict[str, int], complete: bool, truth: bool | None
) -> None:
    found = number([1.0, 1.0]) | {
        "equilibrium_count": ((), np.asarray(2)),
        "complete": ((), np.asarray(complete)),
    }
    rows = {("a", 0.1): [found]}
    answer = answered({"quantity": "equilibrium_count", **test}, rows, "best_response")
    assert answer.verdict is not None
    assert answer.verdict.truth is truth


def test_words_and_truths_are_compared() -> None:
    rows = {("a", 0.1): [number(1.0, end_state="stable_point", safe=True)]}
    ends = {"quantity": "end_state", "equals": "stable_point"}
    assert line(ends, rows) == "Yes: end of the dynamics: stable point."
    assert line(ends | {"equals": "cycle"}, rows) == "No: end of the dynamics: stable point."
    assert line({"quantity": "safe", "equals": True}, rows) == "Yes: safe: yes."


def test_points_that_are_no_equilibria_decide_nothing_where_others_are() -> None:
    rows = exact([3.0, 3.0], claim="equilibrium") | {("a", 0.2): [number([1.0, 1.0], "not an equilibrium")]}
    assert line({"quantity": "payoff", "above": 2}, rows) == (
        "Yes: the payoff is 3, above 2; 1 of 2 rows, which are not equilibria, left out."
    )


def test_one_equilibrium_decides_no_course_and_a_search_broken_off_decides_nothing() -> None:
    lost = number([1.0, 1.0], "not an equilibrium", status="cycling")
    rows = {("a", 0.1): [number([3.0, 3.0], "equilibrium")], ("a", 0.2): [lost]}
    assert line({"quantity": "payoff", "monotone": "rising"}, rows).startswith("Cannot tell: ")
    rows["a", 0.1] = [lost]
    for test in ({"monotone": "rising"}, {"above": 0}, {"equals": 1}):
        assert line({"quantity": "payoff", **test}, rows).startswith("Cannot tell: ")


def test_controls_that_gain_as_much_are_the_first_caveat() -> None:
    def caveats(gains: list[float], of_control: list[float]) -> list[str]:
        coords: dict[str, list[Any]] = {"algorithm": ["a", "a-memoryless"], "reach": [0.1]}
        cells = []
        for name, values in zip(coords["algorithm"], (gains, of_control), strict=True):
            record = {
                "status": ((), np.asarray("converged")),
                "pooled_gain": (("session",), np.array(values)),
            }
            cells.append(({"algorithm": name, "reach": 0.1}, record))
        about = study({}, quantities=["pooled_gain"])
        about["method"] = [{"name": "a", "kind": "repeated_q_learning", "negative_controls": ["memoryless"]}]
        return Answer(about, collect(cells, coords)).caveats

    gains = [0.8, 0.82, 0.84, 0.81, 0.83]
    assert caveats(gains, gains)[0] == (
        "placebos gain as much, so that gains are no evidence of collusion: a without memory"
    )
    assert not any("placebos" in text for text in caveats(gains, [gain - 0.7 for gain in gains]))


def test_an_unfinished_run_answers_so_far() -> None:
    class Unfinished:
        def counts(self) -> dict[str, int]:
            return {"done": 2, "total": 4, "failed": 0}

    answer = answered({"quantity": "payoff", "above": 2.0}, exact(3.0), "best_response")
    answer.run = Unfinished()  # type: ignore[assignment]
    assert answer.lead == ["So far: Yes: the payoff is 3, above 2."]
