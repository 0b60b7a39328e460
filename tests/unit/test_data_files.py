"""Numbers from JSON and CSV files next to a study."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.families.resources import read_numbers
from rivalry.lab.study import load_study

POINTS, DEMAND = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], [1.0, 2.5]
STUDY = """
[game]
family = "influencer"
space = "simplex"
reach = [0.3, 0.3]
resource_points = { kind = "file", path = "data/topics.csv", key = ["one", "two", "three"] }
resource = { kind = "file", path = "data/demand.json", key = "demand" }
[[method]]
kind = "gradient_ascent"
start = [[0.3, 0.3, 0.4], [0.2, 0.2, 0.6]]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a study and its data files."""
    (tmp_path / "data").mkdir()
    rows = "\n".join(f"t{k}, {','.join(map(str, row))}" for k, row in enumerate(POINTS))
    (tmp_path / "data" / "named.csv").write_text(f"name, one, two, three\n{rows}\n", encoding="utf-8")
    plain = "\n".join(",".join(map(str, row)) for row in POINTS)
    (tmp_path / "data" / "topics.csv").write_text(f"one, two, three\n{plain}\n", encoding="utf-8")
    (tmp_path / "data" / "bare.csv").write_text("1.0\n2.5\n", encoding="utf-8")
    (tmp_path / "data" / "demand.json").write_text(
        json.dumps({"demand": DEMAND, "topics": POINTS}), encoding="utf-8"
    )
    (tmp_path / "data" / "list.json").write_text(json.dumps(DEMAND), encoding="utf-8")
    (tmp_path / "data" / "odd.json").write_text(
        '{"demand": [1, "two"], "ragged": [[1], [1, 2]]}', encoding="utf-8"
    )
    (tmp_path / "data" / "broken.json").write_text("[1, 2", encoding="utf-8")
    (tmp_path / "data" / "empty.csv").write_text("", encoding="utf-8")
    (tmp_path / "data" / "hole.csv").write_text("a,b\n1,2\n3,\n", encoding="utf-8")
    (tmp_path / "data" / "late.csv").write_text("a,b\n\n1,2\n\n3,much\n", encoding="utf-8")
    (tmp_path / "data" / "nan.csv").write_text("a,b\n1,nan\n", encoding="utf-8")
    (tmp_path / "data" / "names.csv").write_text("a,b\n", encoding="utf-8")
    (tmp_path / "data" / "null.json").write_text("[[1, 2], [null, 3]]", encoding="utf-8")
    (tmp_path / "data" / "endless.json").write_text("[1, Infinity]", encoding="utf-8")
    (tmp_path / "data" / "long.json").write_text(f"[{'9' * 5000}]", encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "key", "expected"),
    [
        ("demand.json", "demand", DEMAND),
        ("demand.json", "topics", POINTS),
        ("list.json", None, DEMAND),
        ("topics.csv", None, POINTS),
        ("topics.csv", "two", [0.3, 0.3]),
        ("topics.csv", ["three", "one"], [[0.5, 0.2], [0.1, 0.6]]),
        ("bare.csv", None, DEMAND),
    ],
)
def test_numbers_are_read_from_files(folder: Path, file: str, key: Any, expected: Any) -> None:
    spec = {"path": str(folder / "data" / file)} | ({} if key is None else {"key": key})
    np.testing.assert_array_equal(read_numbers(spec, "resource"), expected)


@pytest.mark.parametrize(
    ("file", "key", "message"),
    [
        ("demand.json", "demnad", r"resource.key: .* holds no 'demnad'; did you mean 'demand'\?"),
        ("demand.json", None, r"resource.key: is missing; .* holds demand, topics"),
        ("list.json", "demand", r"resource.key: .* holds no 'demand'"),
        ("odd.json", "demand", r"resource.path: .* does not hold numbers in equal rows"),
        ("odd.json", "ragged", r"resource.path: .* does not hold numbers in equal rows"),
        ("broken.json", None, r"resource.path: .* is no JSON, from line 1"),
        ("empty.csv", None, r"resource.path: .* is empty"),
        ("hole.csv", None, r"resource.path: .* line 3: '3,' must be numbers"),
        ("late.csv", None, r"resource.path: .* line 5: '3,much' must be numbers"),
        ("nan.csv", None, r"resource.path: .* line 2: '1,nan' must be numbers"),
        ("names.csv", None, r"resource.path: .* has names of columns and no numbers"),
        ("null.json", None, r"resource.path: .*null.json: \[1\]\[0\]: nan must be finite"),
        ("endless.json", None, r"resource.path: .*endless.json: \[1\]: inf must be finite"),
        ("long.json", None, r"resource.path: .* has an integer too long to be read"),
        ("topics.csv", "twoo", r"resource.key: .* has no column 'twoo'; did you mean 'two'\?"),
        ("none.csv", None, r"resource.path: .*none.csv: no such file"),
        ("demand.txt", None, r"resource.path: .* must end in .json or .csv"),
    ],
)
def test_wrong_files_and_keys_are_refused(folder: Path, file: str, key: Any, message: str) -> None:
    spec = {"path": str(folder / "data" / file)} | ({} if key is None else {"key": key})
    with pytest.raises(ValueError, match=message):
        read_numbers(spec, "resource")


def test_unknown_and_missing_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"resource.column: unknown key"):
        read_numbers({"path": "a.csv", "column": "b"}, "resource")
    with pytest.raises(ValueError, match=r"resource.path: None must be the path"):
        read_numbers({}, "resource")


def test_columns_of_text_are_allowed_if_not_selected(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"line 2: .* must be numbers"):
        read_numbers({"path": str(folder / "data" / "named.csv")}, "resource")
    found = read_numbers({"path": str(folder / "data" / "named.csv"), "key": ["one", "three"]}, "resource")
    np.testing.assert_array_equal(found, [[0.2, 0.5], [0.6, 0.1]])


def test_paths_in_a_study_are_relative_to_its_folder(folder: Path) -> None:
    from rivalry.lab.study.build import build_game

    study = load_study(folder / "study.toml")
    assert sorted(study.files or {}) == ["data/demand.json", "data/topics.csv"]
    game = build_game(study.game or {}, study.folder)
    np.testing.assert_array_equal(game.points, POINTS)
    np.testing.assert_array_equal(game.weights, DEMAND)
    before = [cell.id for cell in study.cells()]
    (folder / "data" / "demand.json").write_text('{"demand": [1, 3]}', encoding="utf-8")
    assert [cell.id for cell in load_study(folder / "study.toml").cells()] != before
    with pytest.raises(ValueError, match="has changed since the study was read"):
        study.check()


def test_paths_from_python_are_used_unchanged(folder: Path) -> None:
    data = str(folder / "data" / "demand.json")
    game = rv.games.influencer(
        space="simplex",
        reach=[0.3, 0.3],
        resource_points={"kind": "file", "path": data, "key": "topics"},
        resource={"kind": "file", "path": data, "key": "demand"},
    )
    assert float(oracles.payoff_scale(game)) == 3.5
