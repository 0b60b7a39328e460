"""A bundled study with one key changed says nothing that its author wrote of the game as it was."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.lab.answer import Answer
from rivalry.lab.figures import reference_lines
from rivalry.lab.study import Study, load_study, studies
from rivalry.lab.study.errors import StudyError
from rivalry.lab.study.questions import as_asked
from rivalry.lab.study.words import Words
from rivalry.schema.construction import is_number
from tests.bundled import includes_others
from tests.unit.test_questions import changed

NAMES = [name for name in studies() if not includes_others(name)]
SAMPLE = ("race_compute_price",)
SAYS_MORE = re.compile(
    r"\b(more|less|lower|higher|faster|patient|impatient|myopic|urgent|subsidised|cautious|ahead|budget|half|full)\b"
)
"""Words of a label that describe values of keys."""
HOLDS_A_NUMBER = re.compile(
    r"\d|\b(two|three|four|five|six|ten|eleven|half|halve|third|fifth|twice|both)\b", re.I
)
OF_EVERY_GAME = {
    "abreu_sannikov2014": "the method is for two players",
    "all_pay_auctions": "names of games",
    "auction_grid": "every game of the file has eleven bids",
    "capacity_then_price": "the family has two firms",
    "edgeworth_prices": "the family has two firms",
    "gambit_three_players": "names of games",
    "gambit_two_players": "names of games",
    "inventory_duopoly": "the family has two firms",
    "joint_cap": "a payoff for each of two players",
    "karma_theory": "distributions of the script",
    "left_right_horizon": "costs of the family",
    "lovett_fig1": "players are swept",
    "lovett_fig5": "players are swept",
    "one_population": "one and two are matchings",
    "race_compute_price": "both inputs of every race",
    "race_deep": "a tolerance",
    "river_basin": "a payoff for each of three players",
    "stackelberg_valuation": "both players of a leader-follower market",
    "three_firms_on_a_line": "the family has three firms",
}
"""Questions whose numbers no key of a game changes, and why."""
NUMBERED = r"\b(firm|player|boat|bidder|seller|bid) \d+"
NAMED = r"(player|state|type|kind|private|position|group|seat) \d+"


def numeric_keys(table: Mapping[str, Any], prefix: str = "game") -> Iterator[tuple[str, float]]:
    """Yield the numeric keys of a table with their values; of a list, its first entry."""
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, Mapping):
            yield from numeric_keys(value, key)
        elif isinstance(value, list) and value and is_number(value[0]):
            yield f"{key}[0]", value[0]
        elif is_number(value):
            yield key, value


def moved(name: str) -> Iterator[tuple[str, Study]]:
    """Yield a study with each numeric key of its game once moved by an eighth, or by 1."""
    study = load_study(name)
    for key, value in numeric_keys(study.game or {}):
        new = value + 1 if isinstance(value, int) else value * 1.125 or 0.125
        try:
            yield key, study.with_changes({key: new})
        except StudyError:  # the study sweeps an entry of the key
            continue


def constants(study: Mapping[str, Any]) -> list[str]:
    """Return what a resolved study holds of another game: numbers of tests and plots, labels of values."""
    answer = study.get("answer") or {}
    test, words = answer.get("test") or {}, answer.get("words") or {}
    limits = [test[key] for key in ("above", "below", "equals") if key in test]
    found = [f"test: {limit}" for limit in limits if is_number(limit) and limit != 0]
    found = [text for text in found if not str(test.get("quantity")).endswith("_count")]
    options = [entry for entry in study["plots"] if isinstance(entry, Mapping)]
    levels = [(entry.get("lines") or {}).items() for entry in options]
    found += [f"line: {line}" for lines in levels for line, level in lines if is_number(level)]
    found += [f"plot: {key}" for entry in options for key in ("exact", "published") if key in entry]
    starting = [table["name"] for table in study["method"] if isinstance(table.get("start"), list)]
    keyed = study.get("label_keys") or {}
    found += [f"label: {words[name]}" for name in starting if name in words and name not in keyed]
    labelled = [label for label in words if " = " in label and not label.endswith(" = 0")]
    return found + [f"label: {label}" for label in labelled if label not in keyed]


@pytest.mark.default_only(*SAMPLE)
@pytest.mark.parametrize("name", NAMES)
def test_no_constant_of_the_bundled_game_outlives_a_changed_key(name: str) -> None:
    written = as_asked(load_study(name).resolved())
    assert "left_out" not in written
    for key, study in moved(name):
        asked = as_asked(study.resolved())
        assert constants(asked) == [], key
        if constants(written):
            assert asked["left_out"].startswith("left out, as they hold of the study's "), key


@pytest.mark.default_only("platform_fee")
@pytest.mark.parametrize(
    "name", [name for name in NAMES if "[label_keys]" in studies()[name].read_text("utf-8")]
)
def test_a_label_is_left_out_where_a_key_that_it_describes_is_changed(name: str) -> None:
    labels = load_study(name).label_keys
    keys = {key for keys_of_label in labels.values() for key in keys_of_label}
    for changed_key, study in moved(name):
        if roots := {
            key for key in keys if changed_key == key or changed_key.startswith((f"{key}.", f"{key}["))
        }:
            asked = as_asked(study.resolved())
            words = asked["answer"].get("words", {})
            assert not [label for label in words if roots & set(labels.get(label, ()))], changed_key
            if roots & set(labels.get("question", ())):
                assert asked["question"] != study.question, changed_key
                assert "test" not in asked["answer"], changed_key


@pytest.mark.default_only(*SAMPLE)
@pytest.mark.parametrize("name", NAMES)
def test_labels_that_describe_values_name_their_keys(name: str) -> None:
    study = load_study(name)
    starting = [table["name"] for table in study.method if isinstance(table.get("start"), list)]
    for label, text in (study.answer.get("words") or {}).items():
        assert not is_numeral(label), f"{label}: a number needs its key, as in 'reach = {label}'"
        if " = " in label or label in starting or label in study.label_keys:
            continue
        foreign = re.findall(r"\d+", re.sub(NUMBERED, "", text))
        is_described = bool(foreign) or bool(SAYS_MORE.search(text))
        assert not (re.fullmatch(NAMED, label) and is_described), f"{label}: {text}"


def test_a_question_that_holds_a_number_names_the_keys_that_it_describes() -> None:
    for name in NAMES:
        study = load_study(name)
        if HOLDS_A_NUMBER.search(study.question) and name not in OF_EVERY_GAME:
            assert study.label_keys.get("question"), f"{name}: {study.question}"


def test_a_label_that_describes_a_key_of_no_method_is_refused() -> None:
    tables = {
        "game": {"family": "market"},
        "method": [{"kind": "best_response"}],
        "answer": {"words": {"payoff": "profit above 2"}},
    }
    Study(**tables, label_keys={"payoff": ["game.intercept", "method.best_response.tol"]}).check()
    with pytest.raises(StudyError, match=r"label_keys\.payoff: 'learning' is not a method of the study"):
        Study(**tables, label_keys={"payoff": ["method.learning.zero_gain"]}).check()


CHANGED = {
    "oracle_leader": ("game.unit_cost", 2.5),
    "short_vs_long_static": ("game.intercept", 40.0),
    "calvano_prices": ("game.taste_spread", 0.5),
    "race_compute_price": ("game.safety_exponent", 0.8),
    "fishing": ("game.reach_cost", 0.5),
    "stackelberg_valuation": ("game.intercept", 12.0),
    "race_readme": ("method.printed.start", [[1.0, 1.0], [1.0, 1.0]]),
}
AUTHORS = {
    "oracle_leader": ["4.5", "15.1875"],
    "short_vs_long_static": ["30"],
    "calvano_prices": ["the printed equilibrium price", "the printed joint-profit price"],
    "race_compute_price": ["scales faster", "equal scaling"],
    "fishing": ["northern", "two and two", "three"],
    "stackelberg_valuation": ["15.1875", "18.0", "20.25"],
    "race_readme": ["the published profile"],
}
"""What the studies' authors wrote of the games as they were."""


@pytest.mark.default_only("race_compute_price")
@pytest.mark.parametrize("name", CHANGED)
def test_known_constants_are_left_out(name: str) -> None:
    key, value = CHANGED[name]
    asked = as_asked(load_study(name).with_changes({key: value}).resolved())
    text = repr([asked["answer"], asked["plots"], [table["name"] for table in asked["method"]]])
    assert not [constant for constant in AUTHORS[name] if constant in text.replace("_", " ")]


def test_a_verdict_on_a_label_that_no_longer_holds_is_left_out() -> None:
    made, data = changed("race_compute_price", {"game.safety_exponent": 0.8})
    answer = Answer(made.resolved(), data)
    assert not answer.sentences[0].text.startswith(("Yes", "No"))
    assert "scales faster" not in " ".join(sentence.text for sentence in answer.sentences)
    (line,) = [line for line in answer.caveats if line.startswith("left out, ")]
    assert "the verdict on performance that scales faster (scale penalty 1.5)" in line
    assert "changed from the study: safety exponent 0.8 instead of 0.5" in answer.caveats


def test_a_key_that_takes_one_of_its_swept_values_changes_no_game() -> None:
    study = load_study("race_compute_price")
    for changes in (
        {"game.cost.price": 0.05},
        {"sweep.game.cost.price": [0.02, 0.1]},
        {"replications.seed": 3},
    ):
        assert "left_out" not in as_asked(study.with_changes(changes).resolved())


def test_a_number_has_no_label_of_another_key() -> None:
    words = Words({"answer": {"words": {"scale_penalty = 0.8": "faster", "0.8": "faster"}}})
    assert words.place({"scale_penalty": 0.8}) == "faster"
    assert words.place({"safety_exponent": 0.8}) == "safety exponent 0.8"
    assert words.value(0.8) == "0.8"


def cournot(**changes: Any) -> Study:
    """Return a study of Cournot firms at two sizes of the market, with a question on their equilibrium."""
    test = {"quantity": "quantity", "equals": "benchmark:nash", "limit": "the Cournot output {}"}
    tables: dict[str, Any] = {
        "question": "Do firms produce the Cournot output?",
        "game": {"family": "market"},
        "method": {"kind": "best_response"},
        "sweep": {"game.intercept": [100.0, 70.0]},
        "answer": {"quantities": ["quantity"], "test": test | {"tolerance": 1e-6}},
    }
    return Study(**(tables | changes))


@pytest.mark.slow
def test_a_benchmark_is_that_of_the_game_at_each_point(tmp_path: Path) -> None:
    run = cournot().run(tmp_path / "run")
    expected = np.array([30.0, 20.0])  # (a - c)/(3 b)
    np.testing.assert_allclose(run.dataset().nash_quantity.values[:, 0, 0, 0], expected, rtol=1e-12)
    verdict = run.answer.sentences[0].text
    assert (
        verdict == "Yes: the quantity is 30 and 20, both equal to the Cournot output." or "Cournot" in verdict
    )
    options = {"quantity": "total_quantity", "lines": {"Cournot": "benchmark:nash", "published": 3.0}}
    assert reference_lines(options, run.dataset()) == {"published": 3.0}  # not one number at both points
    first = run.dataset().isel(intercept=[0])
    assert reference_lines(options, first) == pytest.approx({"Cournot": 60.0, "published": 3.0})
    assert reference_lines(options | {"quantity": "quantity", "player": 1}, first)[
        "Cournot"
    ] == pytest.approx(30)


@pytest.mark.slow
@pytest.mark.parametrize(("cost", "gain"), [(0.0, "0"), (2.5, "2.5")])
def test_gains_of_price_takers_are_said_beside_a_competitive_benchmark(
    tmp_path: Path, cost: float, gain: str
) -> None:
    """Constant costs of 10 are the price, and a fixed cost is a loss that selling nothing saves."""
    test = {"quantity": "quantity", "below": "benchmark:competitive"}
    game = {"family": "market", "fixed_cost": cost}
    run = cournot(game=game, answer={"test": test}).run(tmp_path / "run")
    words = f"competitive benchmark: firms that take its prices as given gain at most {gain}"
    assert words in run.answer.caveats


@pytest.mark.slow
def test_a_benchmark_that_no_game_has_is_said(tmp_path: Path) -> None:
    test = {"quantity": "quantity", "equals": "benchmark:nobody"}
    answer = cournot(answer={"test": test}).run(tmp_path / "run").answer
    assert "nobody_quantity is in no cell of this run" in " ".join(answer.caveats)
    assert not answer.sentences[0].text.startswith(("Yes", "No"))
    matrix = {"family": "matrix", "name": "chicken"}
    with pytest.raises(StudyError, match="benchmark:NAME is for games with benchmarks"):
        cournot(game=matrix, method={"kind": "pure_equilibria"}, sweep={}).check()


def test_the_words_of_a_limit_hold_its_number() -> None:
    for limit, equals in (("the Cournot output", 30.0), ("the {} output", "stable_point")):
        with pytest.raises(StudyError, match="names the number of the test"):
            cournot(answer={"test": {"quantity": "quantity", "equals": equals, "limit": limit}})


def is_numeral(label: str) -> bool:
    """True for a label that a number of any key would have."""
    return bool(re.fullmatch(r"-?\d*\.\d+|-?\d{1}", label))


SAID = {
    "oracle_leader": "At a unit cost of 2.5, the output in final play is 3.75 for the leader",
    "short_vs_long_static": "Yes: at a demand intercept of 40, in the equilibrium, the quantity is equal to ",
    "calvano_prices": "At a taste spread of 0.5, the price is ",
    "race_compute_price": "At a safety exponent of 0.8, at every scale penalty the probability of a ",
    "fishing": "",
    "stackelberg_valuation": "At a demand intercept of 12, negative controls aside, the share of sessions ",
}
"""How the answers of the changed studies begin: by (a - c)/(2 b) of a leader and (a - c)/(3 b) of a firm."""


@pytest.mark.nightly
@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_run_answers_for_its_own_game(name: str, tmp_path: Path) -> None:
    key, value = CHANGED[name]
    run = load_study(name).quick_form().with_changes({key: value}).run(tmp_path / "run")
    answer = run.answer
    assert answer.sentences[0].text.startswith(SAID[name])
    said = [text for texts in answer.table.texts for text in texts]
    said += [sentence.text for sentence in answer.sentences]
    described = [constant for constant in AUTHORS[name] if constant.isalpha() or " " in constant]
    assert not [constant for constant in described if constant in " ".join(said)]
    if name == "stackelberg_valuation":  # a - c = 11: leader and follower, Cournot, joint maximum
        levels = reference_lines(answer.study["plots"][0], run.dataset()).values()
        assert list(levels) == pytest.approx([11**2 * 3 / 16, 11**2 * 2 / 9, 11**2 / 4])
