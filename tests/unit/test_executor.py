"""The executor: equal bytes in this process and in workers, failures recorded, no process left behind."""

import multiprocessing
import os
import re
import signal
import sys
import threading
import warnings
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.core.files import pack, write, write_json
from rivalry.core.game import BrokenInvariant
from rivalry.lab import executor, worker
from rivalry.lab.answer.caveats import warnings_of
from rivalry.lab.checkpoints import Stopped
from rivalry.lab.executor import RunEvent, carry_out, certify, pool, run_study
from rivalry.lab.store import DiskFull, Run, StoreError, load_run
from rivalry.lab.study import load_study
from rivalry.lab.worker import Job
from rivalry.solving import Progress
from tests.duel_study import study


def make(folder: Path, name: str = "run", **changes: Any) -> Run:
    return Run.create_or_open(folder / name, study(folder, **changes))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers start as soon as two cells are done in this process; none is running afterwards."""
    psutil = pytest.importorskip("psutil")
    monkeypatch.setattr(executor, "QUICK", 0.0)
    before = set(psutil.Process().children(recursive=True))
    yield
    started = set(psutil.Process().children(recursive=True)) - before
    assert not [p for p in started if "resource_tracker" not in " ".join(p.cmdline())]


@pytest.mark.slow
def test_two_workers_give_the_same_bytes_as_one(tmp_path: Path, at_once: None) -> None:
    alone, together = make(tmp_path, "alone"), make(tmp_path, "together")
    events: list[RunEvent] = []
    assert carry_out(alone, workers=1) == "done"
    assert carry_out(together, workers=2, progress=events.append) == "done"
    for place in alone.cells:
        assert alone.cell_path(place.id).read_bytes() == together.cell_path(place.id).read_bytes()
    assert (alone.folder / "dataset.nc").read_bytes() == (together.folder / "dataset.nc").read_bytes()
    counted = Counter((event.kind, event.cell) for event in events if event.kind == "done")
    assert counted == {("done", place.id): 1 for place in alone.cells}
    assert [event.done for event in events if event.kind == "done"] == [1, 2, 3, 4, 5, 6]
    with alone.locking():
        assert set(alone.index.seconds()) == {place.id for place in alone.cells}


JOB = Job("0" * 16, {}, ".", "nowhere")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (Stopped(), "slow", ""),
        (DiskFull("cells: no space left"), "full", "cells: no space left"),
        (ValueError("first\nsecond"), "failed", "ValueError: first"),
        (KeyError(), "failed", "KeyError"),
        (
            BrokenInvariant("regret below 0"),
            "failed",
            "internal error, please report: BrokenInvariant: regret",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_exception_of_a_cell_is_its_outcome(error: Exception, kind: str, message: str) -> None:
    def carry(job: Job, progress: object) -> float:
        for text in ("one", "two", "one"):
            warnings.warn(text, stacklevel=1)
        raise error

    outcome = pool.work(JOB, lambda outcome: None, carry)
    assert (outcome.kind, outcome.id) == (kind, JOB.id)
    assert outcome.message.startswith(message)
    assert outcome.notes == ("UserWarning: one", "UserWarning: two")  # each warning once
    assert ("Traceback" in outcome.trace) == (kind == "failed")


def test_progress_of_a_cell_is_reported_at_most_every_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(1.0 + 0.4 * pool.PULSE * k for k in range(100))
    monkeypatch.setattr(pool.time, "monotonic", lambda: next(times))
    reported: list[pool.CellOutcome] = []

    def carry(job: Job, progress: Any) -> float:
        assert not any(progress(Progress(k, 10)) for k in range(1, 10))
        return 0.5

    outcome = pool.work(JOB, reported.append, carry)
    assert (outcome.kind, outcome.seconds) == ("done", 0.5)
    assert 2 <= len(reported) < 9
    fractions = [one.fraction for one in reported]
    assert fractions == sorted(set(fractions))
    assert fractions[0] == 0.1  # the first report is immediate


def test_a_job_is_retried_first_and_fails_with_the_last_death() -> None:
    other = JOB._replace(id="1" * 16)
    waiting, deaths = deque([other]), Counter[str]()
    death = pool.CellOutcome("worker_died", JOB.id, message="worker ended with 1")
    for _ in range(pool.DEATHS - 1):
        assert pool.retry_or_fail(JOB, death, waiting, deaths) == death
        assert waiting.popleft() == JOB
    failed = pool.retry_or_fail(JOB, death, waiting, deaths)
    assert (failed.kind, failed.message) == ("failed", "worker ended with 1, 3 times; out of memory?")
    assert list(waiting) == [other]


@pytest.mark.slow
def test_executing_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    run = run_study(study(tmp_path), tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (run.folder / "cells").iterdir()}
    events: list[RunEvent] = []
    assert carry_out(run, progress=events.append) == "done"
    assert events == []
    assert {p: p.stat().st_mtime_ns for p in (run.folder / "cells").iterdir()} == before


@pytest.mark.slow
def test_a_failing_cell_is_recorded_and_the_others_are_computed(tmp_path: Path) -> None:
    run = make(tmp_path, game={"family": "duel.py:duel", "trouble": "raise"})
    events: list[RunEvent] = []
    assert carry_out(run, workers=1, progress=events.append) == "failed"
    assert run.counts() == {"total": 6, "done": 4, "failed": 2, "left": 0}
    failed = [event for event in events if event.kind == "failed"]
    assert len(failed) == 2
    assert "RuntimeError: the duel was called off" in failed[0].message
    assert "\n" not in failed[0].message
    log = (run.folder / "log.txt").read_text()
    assert "Traceback" in log
    assert "duel.py:28: RuntimeError" in log
    assert np.isnan(xr.load_dataset(run.folder / "dataset.nc", engine="h5netcdf").payoff.sel(prize=1.5)).all()


@pytest.mark.slow
def test_warnings_of_cells_are_stored(tmp_path: Path) -> None:
    run = make(tmp_path, game={"family": "duel.py:duel", "trouble": "warn"})
    assert run.warnings() == {}
    assert carry_out(run, workers=1) == "done"
    told = {place.id: place.at["prize"] for place in run.cells}
    assert {id: [words.split()[-3] for words in notes] for id, notes in run.warnings().items()} == {
        id: [str(prize)] for id, prize in told.items() if prize < 1.5
    }
    assert [row.line() for row in warnings_of(run.warnings().values())] == [
        "a prize of 0.5 is low (4 cells, with other numbers)"
    ]
    run.cell_path(run.cells[0].id).unlink()
    assert run.cells[0].id not in run.warnings()


@pytest.mark.slow
def test_stopping_keeps_finished_cells(tmp_path: Path) -> None:
    run = make(tmp_path)
    assert (
        carry_out(run, workers=1, progress=lambda event: event.kind == "done" and event.done == 2)
        == "partial"
    )
    assert run.counts()["done"] == 2
    assert carry_out(run, workers=1) == "done"


@pytest.mark.nightly
def test_stopping_ends_workers_immediately(tmp_path: Path, at_once: None) -> None:
    run = make(tmp_path, game={"family": "duel.py:duel", "seconds": 0.4}, replications={"count": 9})
    assert carry_out(run, workers=2, progress=lambda event: event.done >= 3) == "partial"
    assert 3 <= run.counts()["done"] < 27


@pytest.mark.nightly
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (signals)")
def test_a_cell_fails_after_its_worker_dies_three_times(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path, game={"family": "duel.py:duel", "trouble": "die"}, replications={"count": 1})
    events: list[RunEvent] = []

    def note(event: RunEvent) -> None:
        events.append(event)
        if event.kind == "done" and event.done == 2:  # the next cells run in workers
            monkeypatch.setenv("DUEL_MAY_DIE", "1")

    assert carry_out(run, workers=2, progress=note) == "failed"
    assert run.counts() == {"total": 3, "done": 2, "failed": 1, "left": 0}
    deaths = [event.message for event in events if event.kind == "worker_died"]
    assert deaths == ["worker ended by SIGKILL"] * 2
    assert list(run.failures().values()) == ["worker ended by SIGKILL, 3 times; out of memory?"]
    monkeypatch.delenv("DUEL_MAY_DIE")
    assert carry_out(run, workers=2) == "done"


@pytest.mark.slow
def test_a_long_cell_is_left_to_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PULSE", 0.0)
    run = make(tmp_path, method=[{"kind": "duel.py:Climb", "max_steps": 3000}], sweep={})
    (first, *_), jobs = run.cells, _jobs(run)
    here = pool.Here(lambda outcome: None, limit=0.0)
    assert [o.kind for o in here.run(jobs)] == ["started", "slow"] * 2
    unlimited = pool.Here(lambda outcome: None)
    assert [o.kind for o in unlimited.run(jobs)] == ["started", "done"] * 2
    assert run.cell_path(first.id).exists()


def _jobs(run: Run) -> list[Any]:
    tasks = run.tasks()
    return [Job(id, task, run.head["folder"], str(run.folder)) for id, task in tasks.items()]


@pytest.mark.slow
def test_full_disks_stop_runs_and_keep_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, real = make(tmp_path), worker.carry_out

    def full(job: Any, progress: Any = None) -> float:
        if job.id == run.cells[3].id:
            raise DiskFull("cells/x.npz: no space left for it")
        return real(job, progress)

    monkeypatch.setattr(worker, "carry_out", full)
    with pytest.raises(DiskFull, match="no space left"):
        carry_out(run, workers=1)
    assert run.counts()["done"] == 3
    monkeypatch.undo()
    assert carry_out(run, workers=1) == "done"


@pytest.mark.slow
def test_runs_of_another_version_resume_only_if_accepted(tmp_path: Path) -> None:
    run = make(tmp_path)
    carry_out(run, workers=1, progress=lambda event: event.done == 2)
    write_json(run.folder / "study.json", {**run.head, "made_by": {**run.made_by, "rivalry": "0.0.9"}})
    old = load_run(run.folder)
    with pytest.raises(StoreError, match=r"made by rivalry 0\.0\.9; resume with --accept-version"):
        carry_out(old, workers=1)
    assert carry_out(old, workers=1, accept_version=True) == "done"
    assert "after 0.0.9" in (run.folder / "log.txt").read_text()
    assert carry_out(load_run(run.folder), workers=1) == "done"


@pytest.mark.slow
def test_cells_of_included_studies_run_under_their_names(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "both.toml").write_text('title = "Both"\ninclude = ["duel.toml"]\n')
    run = Run.create_or_open(tmp_path / "both", load_study(tmp_path / "both.toml"))
    events: list[RunEvent] = []
    assert carry_out(run, workers=1, progress=events.append) == "done"
    assert {event.cell.split("/")[0] for event in events} == {"duel"}
    assert (events[-1].done, events[-1].total) == (3, 3)
    assert (run.folder / "duel" / "dataset.nc").exists()


@pytest.mark.slow
def test_certify_reports_every_certificate_that_differs(tmp_path: Path) -> None:
    made = study(tmp_path, sweep={"game.prize": [0.5, 1.0]}, replications={"count": 1})
    run = run_study(made, tmp_path / "run")
    wrong = run.cells[1].id
    stored = run.read_cell(wrong)
    claim = {"claim": ((), np.asarray("not an equilibrium")), "regret": (("player",), np.asarray([5.0, 5.0]))}
    write(run.cell_path(wrong), pack({**stored, **claim}, kind="cell", name=wrong))
    events: list[RunEvent] = []
    certify(run, progress=events.append)
    ((cell, message),) = [(one.cell, one.message) for one in events if one.kind == "changed"]
    assert cell == wrong
    assert message.startswith(f"claim was 'not an equilibrium', is '{stored['claim'][1]}'; regret was 5, is ")
    assert f"cell {wrong}: {message}" in (run.folder / "log.txt").read_text()


@pytest.mark.slow
def test_certify_writes_certificates_and_leaves_cells_unchanged(tmp_path: Path) -> None:
    run = run_study(study(tmp_path), tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (run.folder / "cells").iterdir()}
    dataset = (run.folder / "dataset.nc").read_bytes()
    assert certify(run) == 6
    assert {p.name: p.read_bytes() for p in (run.folder / "cells").iterdir()} == before
    assert {p.name for p in (run.folder / "certificates").iterdir()} == set(before)
    assert (run.folder / "dataset.nc").read_bytes() == dataset  # recomputed certificates are equal


@pytest.mark.slow
def test_environment_variables_and_main_module_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    main = sys.modules["__main__"]
    with pool.worker_environment(), pool.one_thread():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
        assert sys.modules["__main__"] is not main
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    assert sys.modules["__main__"] is main


def test_a_truncated_entry_of_the_compilation_cache_is_removed(tmp_path: Path) -> None:
    from rivalry.runtime.jax import jax, mend_cache

    (entry, *_) = Path(jax.config.jax_compilation_cache_dir).glob("jit_*-cache")
    good, bad = tmp_path / entry.name, tmp_path / f"jit_cut-{entry.name}"
    good.write_bytes(entry.read_bytes())
    bad.write_bytes(entry.read_bytes()[:-20])
    assert mend_cache(str(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == [good]


class Threads:
    """Processes that are threads of this one: each carries out a job's script, read from its id."""

    def __init__(self) -> None:
        self.started: list[Any] = []

    def spawn(self, target: object, *args: object) -> tuple[Any, Any]:
        ours, theirs = multiprocessing.Pipe()
        process = SimpleNamespace(exitcode=0, killed=False, join=lambda: None, close=lambda: None)
        process.kill = lambda: setattr(process, "killed", True)
        threading.Thread(target=self._carry_out, args=(theirs, process), daemon=True).start()
        self.started.append(process)
        return process, ours

    def _carry_out(self, pipe: Any, process: Any) -> None:
        with suppress(EOFError, OSError):
            while True:
                job = pipe.recv()
                word = job.id.split("-")[0]
                if word == "progress":
                    for part in (0.25, 0.75):
                        pipe.send(pool.CellOutcome("progress", job.id, fraction=part))
                if word in ("killed", "ends", "late"):
                    if word == "late":
                        job.paths[job.id].parent.mkdir(parents=True, exist_ok=True)
                        job.paths[job.id].touch()
                    process.exitcode = -signal.SIGKILL if word == "killed" else 3
                    pipe.close()
                    return
                pipe.send(pool.CellOutcome("done", job.id, seconds=0.5))


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    crew = Threads()
    monkeypatch.setattr(pool, "spawn", crew.spawn)
    return crew


def _named(folder: Path, *ids: str) -> list[Job]:
    return [JOB._replace(id=id, out=str(folder)) for id in ids]


def test_workers_take_the_next_job_when_they_are_idle(tmp_path: Path, threads: Threads) -> None:
    ids = [f"job-{k}" for k in range(5)]
    outcomes = list(pool.Workers(2, lambda outcome: None).run(_named(tmp_path, *ids)))
    assert [one.id for one in outcomes if one.kind == "started"] == ids
    assert {one.id: one.seconds for one in outcomes if one.kind == "done"} == dict.fromkeys(ids, 0.5)
    busy = np.cumsum([1 if one.kind == "started" else -1 for one in outcomes])
    assert busy.max() == len(threads.started) == 2
    assert busy[-1] == 0
    assert all(process.killed for process in threads.started)
    assert list(pool.Workers(2, lambda outcome: None).run([])) == []


@pytest.mark.parametrize(
    ("id", "kinds", "message"),
    [
        ("killed", ["worker_died", "worker_died", "failed"], "worker ended by SIGKILL"),
        ("ends", ["worker_died", "worker_died", "failed"], "worker ended with 3"),
        ("late", ["done"], ""),  # it died after the cell was written
    ],
)
def test_a_dead_worker_is_replaced(
    tmp_path: Path, threads: Threads, id: str, kinds: list[str], message: str
) -> None:
    found = list(pool.Workers(1, lambda outcome: None).run(_named(tmp_path, id, "next")))
    own = [one for one in found if one.id == id and one.kind != "started"]
    assert [one.kind for one in own] == kinds
    assert [one.message.removesuffix(", 3 times; out of memory?") for one in own] == [message] * len(kinds)
    assert [one.kind for one in found if one.id == "next"] == ["started", "done"]  # a retry comes first
    assert len(threads.started) == len(kinds) + 1


def test_progress_may_stop_workers(tmp_path: Path, threads: Threads) -> None:
    fractions: list[float] = []

    def note(outcome: pool.CellOutcome) -> bool:
        fractions.append(outcome.fraction)
        return len(fractions) == 3

    jobs = _named(tmp_path, "progress-0", "progress-1", "progress-2")
    outcomes = list(pool.Workers(1, note).run(jobs))
    assert fractions == [0.25, 0.75, 0.25]
    assert [(one.kind, one.id) for one in outcomes] == [
        ("started", "progress-0"),
        ("done", "progress-0"),
        ("started", "progress-1"),
    ]
    assert threads.started[0].killed


def test_dead_jobs_are_retried(tmp_path: Path, threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = pool.Workers(1, lambda outcome: None)
    with monkeypatch.context() as patched:
        patched.setattr(threads, "_carry_out", lambda pipe, process: pipe.close())
        (worker,) = workers._idle(1)
        assert worker.pipe.poll(10)  # its end has been seen
    found = list(workers.run(_named(tmp_path, "job")))
    assert [one.kind for one in found] == ["started", "worker_died", "started", "done"]
    assert len(threads.started) == 2


def test_a_worker_serves_jobs_until_the_pipe_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    def carry(job: Job, progress: Any) -> float:
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        if job.id == "bad":
            raise ValueError("no such game")
        progress(Progress(1, 4))
        return 2.0

    monkeypatch.setattr(worker, "carry_out", carry)
    monkeypatch.setattr(pool, "end_with_parent", lambda: None)
    ours, theirs = multiprocessing.Pipe()
    for job in _named(Path(), "good", "bad"):
        ours.send(job)
    before = signal.getsignal(signal.SIGINT)
    answers = []
    reader = threading.Thread(target=lambda: answers.extend([ours.recv() for _ in range(3)]) or ours.close())
    reader.start()
    try:
        pool._serve(theirs)
    finally:
        signal.signal(signal.SIGINT, before)
        reader.join()
    assert [(one.kind, one.id) for one in answers] == [
        ("progress", "good"),
        ("done", "good"),
        ("failed", "bad"),
    ]
    assert (answers[0].fraction, answers[1].seconds) == (0.25, 2.0)
    assert answers[2].message == "ValueError: no such game"


def test_the_end_of_a_process_is_seen_on_its_pipe() -> None:
    main = sys.modules["__main__"]
    process, pipe = pool.spawn(Connection.send_bytes, b"here")
    assert pipe.recv_bytes() == b"here"
    with pytest.raises(EOFError):
        pipe.recv_bytes()
    process.join()
    assert process.exitcode == 0
    assert sys.modules["__main__"] is main


def test_a_thread_ends_an_orphaned_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[object] = []
    parent = SimpleNamespace(join=lambda: events.append("joined"))
    monkeypatch.setattr(pool.multiprocessing, "parent_process", lambda: parent)
    monkeypatch.setattr(pool.os, "_exit", events.append)
    pool.end_with_parent()
    assert events == ["joined", 1]


def test_without_affinity_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert executor.cores() == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert executor.cores() == 1


def test_a_name_is_no_study() -> None:
    message = "study: 'hopf_n3' must be a Study, such as rv.load_study('hopf_n3')"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run_study("hopf_n3")  # type: ignore[arg-type]


@pytest.mark.slow
def test_workers_import_nothing_from_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python starts it by ``-c``, which puts the current folder first on the path of modules."""
    mark = tmp_path / "imported"
    for name in sorted(sys.stdlib_module_names):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write(__name__)\n")
    monkeypatch.chdir(tmp_path)
    process, pipe = pool.spawn(pool._serve)
    pipe.close()
    process.join(60)
    assert process.exitcode == 0
    assert not mark.exists()
