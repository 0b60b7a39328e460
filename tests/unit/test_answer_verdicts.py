"""Yes, no, not decided: what numbers, intervals and claims decide, and nothing else."""

from typing import Any

import numpy as np
import pytest

from rivalry.core.results import Record, collect
from rivalry.lab.answer import Answer
from rivalry.lab.study import Study, StudyError
from rivalry.lab.study.document import asks_of

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


def answered(test: dict[str, Any], rows: Rows, kind: str, run: Any = None, **answer: Any) -> list[str]:
    """The sentences on results by algorithm, reach and replication."""
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
    return [one.text for one in Answer(about, collect(cells, coords), run).sentences]


def first(test: dict[str, Any], rows: Rows, **answer: Any) -> str:
    """The first sentence on results of methods that draw."""
    return answered(test, rows, "q_learning", **answer)[0]


def all_sentences(test: dict[str, Any], rows: Rows, **answer: Any) -> list[str]:
    """All sentences on exact results, of methods without draws."""
    return answered(test, rows, "best_response", **answer)


def exact(*values: Any) -> Rows:
    """Two equal results each, which draws do not change."""
    return {("a", reach): [number(value)] * 2 for reach, value in zip(REACHES, values, strict=False)}


@pytest.mark.parametrize(
    ("limit", "word"),
    [({"above": 2.0}, "Yes"), ({"above": 3.0}, "No"), ({"below": 3.0}, "No"), ({"below": 4}, "Yes")],
)
def test_the_opposite_is_said_where_numbers_do_not_meet_the_test(limit: dict[str, float], word: str) -> None:
    text = first({"quantity": "payoff", **limit}, exact(3.0))
    assert text.startswith(f"{word}: the payoff is 3, ")
    way = "equal to 3" if 3.0 in limit.values() else "above 2" if "above" in limit else "below 4"
    assert text.endswith(f"{way}.")


@pytest.mark.parametrize("seed", range(20))
def test_an_interval_that_holds_the_limit_decides_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = rng.normal(rng.uniform(-1, 1), 1.0, 8)
    text = first({"quantity": "payoff", "above": 0.0}, {("a", 0.1): [number(each) for each in drawn]})
    half = 2.3646 * drawn.std(ddof=1) / np.sqrt(8)  # 97.5 % quantile of Student's t with 7 degrees of freedom
    low, high = drawn.mean() - half, drawn.mean() + half
    assert text.partition(":")[0] == ("Yes" if low > 0 else "No" if high < 0 else "Not decided")
    assert "±" in text


def test_a_single_run_decides_nothing() -> None:
    text = first({"quantity": "payoff", "above": 0.0}, {("a", 0.1): [number(3.0)]})
    assert text == "Not decided: the payoff is 3, above 0 in a single run, whose noise is unknown."


def test_rows_are_compared_by_the_difference_in_the_same_draws() -> None:
    noise = np.random.default_rng(0).normal(0.0, 5.0, 9)
    rows = {
        ("a", 0.1): [number(each) for each in 10 + noise],
        ("b", 0.1): [number(each) for each in 9 + noise + np.linspace(-0.1, 0.1, 9)],
    }
    test = {"quantity": "payoff", "at": {"algorithm": "a"}, "than": {"at": {"algorithm": "b"}}}
    text = first(test | {"above": 0.0}, rows)
    assert text.startswith("Yes: the payoff for a is ")
    assert "for b (1.000 ± 0.053 higher in the same replications)" in text
    assert first(test | {"above": 2.0}, rows).startswith("No: ")
    other = {"quantity": "payoff", "at": {"algorithm": "b"}, "than": {"at": {"algorithm": "a"}}, "above": 0}
    assert first(other, rows).startswith("No: the payoff for b is ")


def test_every_player_counts_unless_the_test_names_it() -> None:
    rows = exact([1.0, 3.0])
    words = {"player 0": "the cautious", "player 1": "the bold"}
    text = first({"quantity": "payoff", "above": 2}, rows, words=words)
    assert text == "No: the payoff is 1 for the cautious, below 2; and 3 for the bold, above 2."
    assert first({"quantity": "payoff", "above": 2, "at": {"player": 1}}, rows, words=words).startswith(
        "Yes: "
    )
    assert first({"quantity": "payoff", "above": 2, "everywhere": False}, rows, words=words).startswith(
        "Yes: "
    )


def test_many_rows_are_counted() -> None:
    assert first({"quantity": "payoff", "above": 0.5}, exact(1.0, 2.0, 3.0, 4.0)) == (
        "Yes: the payoff is above 0.5 at every reach; nearest to it is 1 (reach 0.1)."
    )
    assert first({"quantity": "payoff", "above": 1.5}, exact(1.0, 2.0, 3.0, 4.0)) == (
        "No: the payoff is above 1.5 in 3 of 4 cases; it is not for 1 (reach 0.1)."
    )


def test_a_number_is_compared_with_another_quantity_of_its_row() -> None:
    rows = {("a", 0.1): [number([1.0, 3.0], claim="equilibrium", value=[0.5, 2.0])] * 2}
    text = first({"quantity": "payoff", "above": "value"}, rows, words={"value": "value of waiting"})
    assert text == (
        "Yes: the payoff is 1 for player 0, against 0.5 for the value of waiting (0.5 higher); "
        "and 3 for player 1, against 2 for the value of waiting (1 higher)."
    )


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        (["equilibrium"] * 3, "Yes"),
        (["not an equilibrium"] * 3, "No"),
        (["equilibrium", "equilibrium", "not an equilibrium"], "Only at reach 0.1 to 0.2"),
        (["equilibrium", "not an equilibrium", "equilibrium"], "Only at reach 0.1 and 0.3"),
        (["equilibrium", "no deviation found", "equilibrium"], "Not decided"),
        (["equilibrium", "no deviation found", "not an equilibrium"], "No"),
    ],
)
def test_claims_decide_by_what_they_prove(claims: list[str], word: str) -> None:
    rows = {("a", reach): [number([1.0, 1.0], claim)] for reach, claim in zip(REACHES, claims, strict=False)}
    assert first({"claim": "equilibrium"}, rows).startswith(f"{word}: ")
    some = "No" if word == "No" and "equilibrium" not in claims else "Yes"
    assert first({"claim": "equilibrium", "everywhere": False}, rows).startswith(f"{some}: ")
    # asked of all points in so many words, one that fails decides
    every = "No" if "not an equilibrium" in claims else word
    assert first({"claim": "equilibrium", "everywhere": True}, rows).startswith(f"{every}: ")


def test_where_a_claim_holds_is_the_answer_if_it_holds_at_some_points() -> None:
    claims = ["not an equilibrium", "not an equilibrium", "equilibrium"]
    rows = {("a", reach): [number(1.0, claim)] for reach, claim in zip(REACHES, claims, strict=False)}
    assert first({"claim": "equilibrium"}, rows) == (
        "Only at reach 0.3: at reach 0.1 and 0.2 player 1 could gain up to 0.2, and at 0.3 it is an "
        "equilibrium."
    )


@pytest.mark.parametrize(
    ("values", "word"), [([1.0, 2.0, 3.0], "Yes"), ([1.0, 3.0, 2.0], "No"), ([2.0, 2.0, 2.0], "No")]
)
def test_a_course_decides_whether_a_quantity_rises(values: list[float], word: str) -> None:
    text = first({"quantity": "payoff", "monotone": "rising", "along": "reach"}, exact(*values))
    assert text.startswith(f"{word}: ")
    if word == "Yes":
        assert text == "Yes: as the reach rises from 0.1 to 0.3, the payoff rises from 1 to 3."


def test_first_words_say_what_is_asked() -> None:
    for question, asks in {
        "Does it help?": "whether",
        "If prices rise, does safety rise?": "whether",
        "With unequal modes, is there a reach?": "whether",
        "How much safer is it?": "how much",
        "At which reach does it split?": "where",
        "Which rule is best?": "which",
        "Who wins?": "which",
        "How do they bid?": "what",
        "": "what",
    }.items():
        assert asks_of({}, question) == asks, question
    assert asks_of({"asks": "where"}, "Does it help?") == "where"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"asks": "wether"}, "answer.asks: 'wether' must be one of"),
        ({"test": {"quantity": "payoff"}}, "answer.test: needs one of above, below, equals, monotone"),
        ({"test": {"quantity": "payoff", "above": 1, "below": 2}}, "it has above and below"),
        ({"test": {"above": 1}}, "answer.test: needs one of quantity and claim"),
        ({"test": {"claim": "equilibrium", "above": 1}}, "answer.test.above: is a condition on a quantity"),
        ({"test": {"claim": "equilibrum"}}, "answer.test.claim: 'equilibrum' must be one of"),
        ({"asks": "where", "test": {"claim": "equilibrium"}}, "answer.test: decides a yes-or-no question"),
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


def test_rows_that_no_result_has_are_named() -> None:
    data = collect([({"algorithm": "a", "reach": 0.1}, number(1.0))], {"algorithm": ["a"], "reach": [0.1]})
    test = {"quantity": "payoff", "above": 1, "at": {"range": 2}}
    found = Answer(study(test), data)
    assert "answer.test: no row of this run has range" in found.caveats
    assert not found.sentences[0].text.startswith(("Yes", "No"))


def sentences(test: dict[str, Any], values: list[float], claim: str = "", **answer: Any) -> list[str]:
    rows = {("a", x): [number([value] * 2, claim)] for x, value in zip(REACHES, values, strict=False)}
    return all_sentences(test, rows, **answer)


def test_what_a_verdict_says_is_said_once() -> None:
    assert sentences({"quantity": "payoff", "above": 0}, [3.0]) == ["Yes: the payoff is 3, above 0."]
    assert len(sentences({"quantity": "payoff", "monotone": "rising"}, [1.0, 2.0, 3.0])) == 1
    claims = sentences({"claim": "equilibrium"}, [1.0, 1.0, 1.0], claim="equilibrium")
    assert [text.partition(":")[0] for text in claims] == ["Yes", "The payoff is 1 at every reach."]
    both = sentences({"claim": "equilibrium", "at": {"reach": 0.1}}, [1.0, 1.0], claim="equilibrium")
    assert len(both) == 3  # the other point is not in the verdict


def test_a_course_is_judged_in_the_direction_in_which_it_is_told() -> None:
    test = {"quantity": "payoff", "monotone": "falling", "along": "reach"}
    assert sentences(test, [1.0, 2.0, 3.0], direction="falling") == [
        "Yes: as the reach falls from 0.3 to 0.1, the payoff falls from 3 to 1."
    ]
    assert sentences(test, [3.0, 2.0, 1.0], direction="falling")[0].startswith("No: ")


def test_a_quantity_of_the_test_alone_decides_too() -> None:
    test = {"quantity": "payoff", "monotone": "rising"}
    assert sentences(test, [1.0, 2.0, 3.0], quantities=["status"])[0].startswith("Yes: as the reach rises")


def test_players_of_one_row_are_compared() -> None:
    test = {"quantity": "payoff", "at": {"player": 1}, "than": {"at": {"player": 0}}, "above": 0}
    words = {"player 0": "the impatient", "player 1": "the patient"}
    assert first(test, exact([1.0, 3.0]), words=words) == (
        "Yes: the payoff of the patient is 3, against 1 for the impatient (2 higher)."
    )
    assert first(test, exact([3.0, 1.0]), words=words).startswith(
        "No: the payoff of the patient is 1, against 3 for the impatient (2 lower)"
    )


@pytest.mark.parametrize(
    ("test", "complete", "word"),
    [
        ({"equals": 2}, True, "Yes"),
        ({"equals": 2}, False, "Not decided"),
        ({"equals": 1}, False, "No"),  # there are two at least
        ({"above": 1}, False, "Yes"),
        ({"above": 2}, False, "Not decided"),
        ({"below": 2}, False, "No"),
        ({"below": 3}, False, "Not decided"),
    ],
)
def test_lists_that_may_lack_equilibria_bound_them(test: dict[str, int], complete: bool, word: str) -> None:
    found = number([1.0, 1.0]) | {
        "equilibrium_count": ((), np.asarray(2)),
        "complete": ((), np.asarray(complete)),
    }
    rows = {("a", 0.1): [found] * 2}
    text = first({"quantity": "equilibrium_count", **test}, rows, quantities=["equilibrium_count"])
    assert text.partition(":")[0] == word


def test_a_word_is_compared_and_said_once() -> None:
    rows = {("a", reach): [number(1.0, end_state="stable_point")] for reach in REACHES[:2]}
    for value, text in (
        ("stable_point", "Yes: the end of the dynamics is a stable point at every reach."),
        ("cycle", "No: the end of the dynamics is a stable point at every reach, not a cycle."),
    ):
        assert all_sentences({"quantity": "end_state", "equals": value}, rows)[0] == text


def test_entries_that_a_study_names_empty_are_left_out() -> None:
    words = {"player 0": "", "player 1": "the bold"}
    text = first({"quantity": "payoff", "above": 2}, exact([1.0, 3.0]), words=words)
    assert text == "Yes: the payoff of the bold is 3, above 2."


def test_equal_numbers_are_said_once_and_others_with_what_they_are_not() -> None:
    equals = {"quantity": "payoff", "equals": 2}
    assert first(equals, exact(2.0, 2.0)) == "Yes: the payoff is 2 at every reach."
    assert first(equals, exact(2.0)) == "Yes: the payoff is 2."
    assert first(equals, exact(2.0, 3.0)) == (
        "No: the payoff is 2 at reach 0.1, equal to 2; and 3 at reach 0.2, above 2."
    )


def test_points_that_are_no_equilibria_decide_nothing_where_others_are() -> None:
    rows = {
        ("a", 0.1): [number([3.0, 3.0], "equilibrium")],
        ("a", 0.2): [number([1.0, 1.0], "not an equilibrium")],
    }
    assert all_sentences({"quantity": "payoff", "above": 2}, rows)[0] == (
        "Yes: leaving out points that are not equilibria, the payoff is 3, above 2."
    )


def test_one_equilibrium_decides_no_course_and_a_search_broken_off_decides_nothing() -> None:
    lost = number([1.0, 1.0], "not an equilibrium", status="cycling")
    rows = {("a", 0.1): [number([3.0, 3.0], "equilibrium")], ("a", 0.2): [lost]}
    assert all_sentences({"quantity": "payoff", "monotone": "rising"}, rows)[0] == (
        "Not decided: leaving out points that are not equilibria, the payoff is 3 at reach 0.1."
    )
    rows["a", 0.1] = [lost]
    for test in ({"monotone": "rising"}, {"above": 0}, {"equals": 1}):
        assert all_sentences({"quantity": "payoff", **test}, rows)[0].startswith(
            "Not decided: the payoff is 1"
        )


def test_cases_that_the_verdict_told_are_not_repeated() -> None:
    rows = {(name, 0.1): [number(value)] for name, value in zip("abc", (1.0, 2.0, 3.0), strict=True)}
    words = {name: f"method {name}" for name in "abc"}
    than = {"at": {"algorithm": "b"}}
    test = {"quantity": "payoff", "at": {"algorithm": "a"}, "than": than, "below": 0.0}
    assert all_sentences(test, rows, words=words) == [
        "Yes: the payoff for method a is 1, against 2 for method b (1 lower).",
        "The payoff is 3 for method c.",
    ]
    del rows["c", 0.1]
    assert len(all_sentences(test, rows, words=words)) == 1


def test_a_course_of_which_the_verdict_told_one_point_stays_complete() -> None:
    rows = {("a", reach): [number(value)] for reach, value in zip(REACHES, (1.0, 2.0, 3.0, 4.0), strict=True)}
    test = {"quantity": "payoff", "at": {"reach": 0.2}, "above": 0.0}
    assert all_sentences(test, rows)[1] == "As the reach rises from 0.1 to 0.4, the payoff rises from 1 to 4."


def test_results_that_held_and_were_told_leave_no_unmarked_ones() -> None:
    rows = {("a", 0.1): [number(1.0, "equilibrium")], ("a", 0.2): [number(3.0, "not an equilibrium")]}
    said = all_sentences({"quantity": "payoff", "equals": 1.0}, rows)
    assert said[0].startswith("Yes: leaving out points that are not equilibria, the payoff is 1")
    assert not any("payoff is 3" in text for text in said)


def test_claims_of_methods_that_the_verdict_told_are_not_repeated() -> None:
    rows = {("a", 0.1): [number(1.0, "not an equilibrium")], ("b", 0.1): [number(1.0, "equilibrium")]}
    said = all_sentences({"claim": "equilibrium", "at": {"algorithm": "a"}}, rows, words={"b": "the other"})
    assert said[0].startswith("No: with a, ")
    assert said[-1].startswith("With the other, the profile is an equilibrium")


def test_what_learners_gain_is_in_the_verdict_and_their_controls_in_the_next_sentence() -> None:
    rows = {
        (name, 0.1): [
            {"status": ((), np.asarray("converged")), "pooled_gain": (("session",), np.array(gains))}
        ]
        for name, gains in [("a", [0.8, 0.82, 0.84]), ("a-memoryless", [0.1, 0.12, 0.14])]
    }
    coords = {"algorithm": ["a", "a-memoryless"], "reach": [0.1]}
    cells = [({"algorithm": name, "reach": reach}, own[0]) for (name, reach), own in rows.items()]
    about = study(
        {"quantity": "pooled_gain", "at": {"algorithm": "a"}, "above": 0.0}, quantities=["pooled_gain"]
    )
    about["method"] = [{"name": "a", "kind": "repeated_q_learning", "negative_controls": ["memoryless"]}]
    first, second = (one.text for one in Answer(about, collect(cells, coords)).sentences)
    assert "0.82" in first
    assert "0.82" not in second
    assert "without memory (0.12" in second


def test_a_count_of_equal_lists_is_the_list() -> None:
    listed = number(1.0) | {name: ((), np.asarray(1)) for name in ("equilibrium_count", "complete")}
    rows = {("a", reach): [listed] for reach in REACHES[:2]}
    said = all_sentences(
        {"quantity": "equilibrium_count", "equals": 1}, rows, quantities=["equilibrium_count"]
    )
    assert said == ["Yes: there is 1 equilibrium (complete list), at every reach."]


def test_an_entry_stands_beside_its_number_and_not_beside_its_case() -> None:
    rows = {(name, 0.1): [number([value, value + 1.0])] for name, value in (("a", 3.0), ("b", 1.0))}
    than = {"at": {"algorithm": "b"}}
    test = {"quantity": "payoff", "at": {"algorithm": "a"}, "than": than, "above": 0.0}
    (first, *_) = all_sentences(test, rows)
    assert first.startswith(
        "Yes: the payoff is 3 (player 0) for a, against 1 for b (2 higher); and 4 (player 1)"
    )


def test_what_is_true_is_told_by_its_name() -> None:
    def words(*truths: bool) -> str:
        test = {"quantity": "safe", "equals": True}
        rows = {("a", reach): [number(1.0, safe=truth)] for reach, truth in enumerate(truths)}
        return all_sentences(test, rows, words={"safe": "the race is safe"})[0]

    assert words(True, True) == "Yes: the race is safe at every reach."
    assert words(True) == "Yes: the race is safe."
    assert words(*[True] * 5) == "Yes: the race is safe at every reach."
    assert words(False, True).startswith("No: ")


def test_a_verdict_on_some_methods_names_them_where_others_have_other_numbers() -> None:
    rows = {(name, 0.1): [number([value])] for name, value in (("a", 3.0), ("b", 1.0))}
    test = {"quantity": "payoff", "above": 2.0}
    (first, *_) = all_sentences(test, rows, methods=["a"])
    assert first.startswith("Yes: with a, the payoff is 3")
    equal = {(name, 0.1): [number([3.0])] for name in "ab"}
    (first, *_) = all_sentences(test, equal, methods=["a"])
    assert first.startswith("Yes: the payoff is 3")


def test_a_verdict_on_some_methods_names_them_where_others_lack_the_number() -> None:
    rows = {("a", reach): [number(3.0)] for reach in REACHES[:2]}
    rows |= {("b", reach): [number(np.nan, turnout=[1.0, 1.0])] for reach in REACHES[:2]}
    (first, *_) = all_sentences({"quantity": "payoff", "above": 2.0, "at": {"algorithm": "a"}}, rows)
    assert first.startswith("Yes: with a, the payoff is 3 at every reach")


def test_an_unfinished_run_answers_so_far() -> None:
    class Unfinished:
        def counts(self) -> dict[str, int]:
            return {"done": 2, "total": 4, "failed": 0}

    test = {"quantity": "payoff", "above": 2.0}
    assert first(test, exact(3.0), run=Unfinished()).startswith("Yes, so far: the payoff is 3")
    assert first(test, exact(3.0)).startswith("Yes: the payoff is 3")
