"""Learners whose states are pickles: own ones are continued, those of others are refused by name."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from rivalry.lab import trust
from rivalry.lab.checkpoints import CheckpointFile
from rivalry.lab.executor import RunEvent, carry_out
from rivalry.lab.store import Run, load_run
from rivalry.lab.study import load_study
from rivalry.schema.registry import trusting
from tests.cli.conftest import Command, rivalry

__all__ = ["rivalry"]

LEARNER = """
import pickle
import numpy as np
from rivalry.extend import BaseLearner
import time

class Counter(BaseLearner):
    needs = ()
    def world(self, game): return game
    def length(self, world): return 12
    def begin(self, world, stream): return {"count": 0}
    def advance(self, world, session, steps):
        time.sleep(0.05)
        session["count"] += 1
        return 1
    def read(self, world, session):
        count = np.asarray(session["count"])
        return {"profile": (("player", "axis"), np.full((2, 2), 0.5)), "count": ((), count)}
    def pack(self, session):
        return {"algorithm.pickle": np.frombuffer(pickle.dumps(session), np.uint8)}
    def unpack(self, arrays):
        return pickle.loads(arrays["algorithm.pickle"].tobytes())
"""
STUDY = """
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "counter.py:Counter"
"""


class Bomb:
    """An object whose pickle runs code when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return open, (str(self.mark), "w")


@pytest.fixture
def begun(tmp_path: Path) -> Run:
    """A run that was stopped, with a checkpoint of its one cell."""
    (tmp_path / "counter.py").write_text(LEARNER)
    (tmp_path / "mine.toml").write_text(STUDY)
    run = Run.create_or_open(tmp_path / "run", load_study(tmp_path / "mine.toml"))
    saved = run.folder / "checkpoints" / f"{run.cells[0].id}.npz"

    def stop(event: RunEvent) -> bool:
        return saved.exists()

    assert carry_out(run, workers=1, progress=stop, checkpoint_every=0.0) == "partial"
    return load_run(run.folder)


def saved_by_a_stranger(run: Run, mark: Path) -> Path:
    path = run.folder / "checkpoints" / f"{run.cells[0].id}.npz"
    state = np.frombuffer(pickle.dumps(Bomb(mark)), np.uint8)
    CheckpointFile(path, key="a stranger's").save({"algorithm.pickle": state, "_done": np.array([1])})
    return path


@pytest.mark.slow
def test_own_states_are_continued_without_a_question(begun: Run) -> None:
    assert carry_out(begun, workers=1) == "done"
    assert begun.dataset()["count"].values.item() == 12
    assert not list(trust.foreign_checkpoints(begun.folder))


@pytest.mark.slow
def test_strangers_states_are_refused_and_never_run(begun: Run, tmp_path: Path, rivalry: Command) -> None:
    mark = tmp_path / "ran"
    path = saved_by_a_stranger(begun, mark)
    assert [one for one, _ in trust.foreign_checkpoints(begun.folder)] == [path]
    for line in (["resume", str(begun.folder)], ["run", "mine.toml", "--out", str(begun.folder)]):
        answer = rivalry(*line)
        assert answer.status == 2
        assert answer.err.splitlines()[-1].startswith(
            f"rivalry: {path}: continues from a pickle that was not"
        )
        assert not mark.exists()
    for line in (["certify"], ["status"], ["report", "--out", "page"]):
        assert "internal error" not in rivalry(line[0], str(begun.folder), *line[1:]).err
        assert not mark.exists()
    rivalry("resume", str(begun.folder), "--trust")
    assert mark.exists()


def test_a_state_is_trusted_by_its_digest_in_a_command_of_the_workbench(
    begun: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved_by_a_stranger(begun, tmp_path / "ran")
    ((_, digest),) = trust.foreign_checkpoints(begun.folder)
    (name,) = trusting({})
    monkeypatch.setenv(name, trusting({str(path): digest})[name])
    assert CheckpointFile(path).load() is not None
    monkeypatch.setenv(name, trusting({str(path): "0" * 64})[name])
    with pytest.raises(ValueError, match="not written here"):
        CheckpointFile(path).load()


def test_the_key_is_the_users_and_signs_one_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    trust._key.cache_clear()
    first = trust.cell_key("a")
    assert (tmp_path / "rivalry" / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "rivalry").iterdir()] == ["key"]
    assert trust.cell_key("b") != first
    trust._key.cache_clear()
    assert trust.cell_key("a") == first
    trust._key.cache_clear()
