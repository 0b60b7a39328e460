"""A bundled study with one key changed says nothing that its author wrote of the game as it was."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.lab.answer import Answer
from rivalry.lab.figures import reference_lines
from rivalry.lab.study import Study, load_study, studies
from rivalry.lab.study.errors import StudyError, read_key
from rivalry.lab.study.questions import as_asked
from rivalry.lab.study.words import Words
from rivalry.schema.construction import is_number
from tests.bundled import includes_others
from tests.unit.test_questions import changed

NAMES = [name for name in studies() if not includes_others(name)]
SAMPLE = ("race_compute_price",)


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
    """Yield a study with each numeric key of its game and methods once moved by an eighth, or by 1."""
    study = load_study(name)
    tables = {"game": study.game or {}} | {f"method.{table['name']}": table for table in study.method}
    for key, value in chain.from_iterable(numeric_keys(table, root) for root, table in tables.items()):
        new = value + 1 if isinstance(value, int) else value * 1.125 or 0.125
        try:
            yield key, study.with_changes({key: new})
        except StudyError:  # the study sweeps an entry of the key, or this value is impossible
            continue


def is_listed(key: str, harmless: Iterable[str]) -> bool:
    """True for a key that a study lists as harmless, or that is in a table of its list."""
    return any(key == listed or key.startswith((f"{listed}.", f"{listed}[")) for listed in harmless)


def constants(asked: Mapping[str, Any]) -> list[str]:
    """Return what a resolved study holds of another game: its test, numbers in plots, labels of values."""
    answer = asked["answer"]
    options = [entry for entry in asked["plots"] if isinstance(entry, Mapping)]
    found = [key for key in ("test", "finding") if key in answer]
    found += [str(entry[key]) for entry in options for key in ("exact", "published") if key in entry]
    lines = chain.from_iterable((entry.get("lines") or {}).items() for entry in options)
    found += [name for name, level in lines if not str(level).startswith("benchmark:")]
    labels = [label for label, text in (answer.get("words") or {}).items() if re.search(r"\d", label + text)]
    starting = {table["name"] for table in asked["method"] if isinstance(table.get("start"), list)}
    return found + [label for label in answer.get("words") or {} if label in starting] + labels


@pytest.mark.default_only(*SAMPLE)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_was_written_of_a_game_outlives_a_changed_key(name: str) -> None:
    written = load_study(name)
    harmless = written.answer.get("harmless", ())
    for key, study in moved(name):
        asked = as_asked(study.resolved())
        assert asked["state"] != [], key
        assert "finding" not in asked["answer"], key
        if is_listed(key, harmless):
            assert asked["question"] == written.question, key
            assert asked["answer"] == {k: v for k, v in written.answer.items() if k != "finding"}, key
        else:
            assert asked["question"] == f"Asked of the study as written: {written.question}", key
            assert constants(asked) == [], key


@pytest.mark.default_only(*SAMPLE)
@pytest.mark.parametrize("name", NAMES)
def test_another_seed_changes_nothing_but_what_is_stated(name: str) -> None:
    study = load_study(name)
    tables = study.resolved()
    asked = as_asked(study.with_changes({"replications.seed": 12345}).resolved())
    assert (asked["question"], asked["plots"]) == (tables["question"], tables["plots"])
    assert asked["answer"] == {key: value for key, value in tables["answer"].items() if key != "finding"}
    assert asked["state"] == [f"replications.seed 12345 instead of {study.replications['seed']}"]


def test_keys_that_are_listed_as_harmless_are_of_their_study() -> None:
    for name in NAMES:
        study = load_study(name)
        for key in study.answer.get("harmless", ()):
            table, *path = read_key(key)
            tables = study.game if table == "game" else {row["name"]: row for row in study.method}
            assert path[0] in (tables or {}) or table == "game", f"{name}: {key}"


def test_a_verdict_on_a_label_that_no_longer_holds_is_not_given() -> None:
    made, data = changed("race_compute_price", {"game.safety_exponent": 0.8})
    answer = Answer(made.resolved(), data)
    assert answer.verdict is None


def test_a_number_has_no_label_of_another_key() -> None:
    words = Words({"answer": {"words": {"scale_penalty = 0.8": "faster", "0.8": "faster"}}})
    assert words.point({"scale_penalty": 0.8}) == "faster"
    assert words.point({"safety_exponent": 0.8}) == "safety exponent 0.8"
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
def test_benchmarks_of_a_leader_are_of_all_firms(tmp_path: Path) -> None:
    """The leader is the one player: with demand 100 - Q and cost 10 it sells 45, its follower 22.5."""
    line = {"kind": "learning_curve", "compare": True, "lines": {"leader": "benchmark:stackelberg"}}
    method = {"kind": "actor_critic", "updates": 2}
    leader = {"family": "market", "stages": [[0], [1]]}
    run = cournot(game=leader, sweep={}, method=method, plots=[line], answer={}).run(tmp_path / "run")
    assert run.damaged() == []
    assert np.ravel(run.dataset().stackelberg_quantity.values).tolist() == [45.0, 22.5]


@pytest.mark.slow
def test_a_benchmark_is_that_of_the_game_at_each_point(tmp_path: Path) -> None:
    run = cournot().run(tmp_path / "run")
    expected = np.array([30.0, 20.0])  # (a - c)/(3 b)
    np.testing.assert_allclose(run.dataset().nash_quantity.values[:, 0, 0, 0], expected, rtol=1e-12)
    assert run.answer.verdict.truth
    assert {case.reference.text for case in run.answer.verdict.cases} == {
        "the Cournot output 30",
        "the Cournot output 20",
    }
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
    assert answer.verdict is None
    matrix = {"family": "matrix", "name": "chicken"}
    with pytest.raises(StudyError, match="benchmark:NAME is for games with benchmarks"):
        cournot(game=matrix, method={"kind": "pure_equilibria"}, sweep={}).check()


def test_the_words_of_a_limit_hold_its_number() -> None:
    for limit, equals in (("the Cournot output", 30.0), ("the {} output", "stable_point")):
        with pytest.raises(StudyError, match="names the number of the test"):
            cournot(answer={"test": {"quantity": "quantity", "equals": equals, "limit": limit}})
