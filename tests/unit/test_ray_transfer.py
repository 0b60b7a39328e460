"""Parts of the Ray executor that run without Ray: transfer of files, folders, error messages."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from rivalry.core.files import Lock
from rivalry.integrations import ray
from rivalry.integrations.ray import bridge, cell
from rivalry.lab.executor import CellOutcome, RunEvent, carry_out, run_study
from rivalry.lab.store import Run
from rivalry.lab.study import Study
from rivalry.lab.worker import Job
from rivalry.lab.worker import carry_out as carried_out
from tests.duel_study import study


class Mailbox:
    """A mailbox with the interface of an actor handle."""

    def __init__(self) -> None:
        self.messages: list[cell.Message] = []
        self.put = self

    def remote(self, message: cell.Message) -> None:
        self.messages.append(message)


def job_of(one: Study, out: Path, every: float = 10.0) -> Job:
    (first, *_) = one.cells()
    return Job(first.id, first.task, str(one.folder), str(out), every)


def computed(job: Job, mailbox: Mailbox, saved: bytes | None = None, **made_by: str) -> cell.Message:
    import pickle

    order = cell.Order(7, job, saved, cell.versions() | made_by)
    return cell.compute(pickle.dumps(order), ray._files([job]), mailbox)


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parent folder of the cells' folders."""
    place = tmp_path / "apart"
    place.mkdir()
    monkeypatch.setattr(cell.tempfile, "tempdir", str(place))
    monkeypatch.setattr(cell, "_own", None)
    return place


@pytest.mark.slow
@pytest.mark.parametrize("family", ["duel.py:duel", "../duel.py:duel", "/duel.py:duel"])
def test_a_cell_is_returned_as_the_bytes_of_its_file(tmp_path: Path, apart: Path, family: str) -> None:
    study(tmp_path)
    (tmp_path / "below").mkdir()
    here = tmp_path if family == "duel.py:duel" else tmp_path / "below"
    family = f"{tmp_path}{family}" if family.startswith("/") else family
    job = job_of(study(here, game={"family": family}), tmp_path / "run")
    for name in ("cells", "checkpoints"):
        (tmp_path / "run" / name).mkdir(parents=True)
    carried_out(job)
    ticket, outcome, data = computed(job, Mailbox())
    assert (ticket, outcome.kind, outcome.id) == (7, "done", job.id)
    assert data == (tmp_path / "run" / "cells" / f"{job.id}.npz").read_bytes()
    assert not list(apart.iterdir())


@pytest.mark.slow
def test_a_user_file_is_loaded_once_per_process(tmp_path: Path, apart: Path) -> None:
    from rivalry.core import registry

    job, other = (
        job_of(study(tmp_path, game={"family": "duel.py:duel", "prize": prize}), tmp_path)
        for prize in (1.0, 2.0)
    )
    computed(job, Mailbox())
    modules = len(registry._modules)
    computed(other, Mailbox())
    assert len(registry._modules) == modules


def test_checkpoints_are_sent_and_resumed_from(tmp_path: Path, apart: Path) -> None:
    method = [{"kind": "duel.py:Climb", "max_steps": 50_000, "path": False}]
    job, mailbox = job_of(study(tmp_path, method=method), tmp_path, every=0.0), Mailbox()
    *_, whole = computed(job, mailbox)
    saves = [data for ticket, outcome, data in mailbox.messages if data is not None]
    assert {ticket for ticket, *_ in mailbox.messages} == {7}
    assert len(saves) > 1
    again = Mailbox()
    *_, resumed = computed(job, again, saves[-1])
    assert resumed == whole
    assert len(again.messages) < len(mailbox.messages)


def test_a_failure_names_the_original_user_file(tmp_path: Path, apart: Path) -> None:
    one = study(tmp_path, game={"family": "duel.py:duel", "trouble": "raise"}, sweep={"game.prize": [2.0]})
    _, outcome, data = computed(job_of(one, tmp_path), Mailbox())
    assert (outcome.kind, data) == ("failed", None)
    assert f"{tmp_path}/duel.py:27: RuntimeError: the duel was called off" in outcome.message
    assert str(apart) not in outcome.trace


def test_different_versions_are_refused(tmp_path: Path, apart: Path) -> None:
    with pytest.raises(RuntimeError, match=r"has jax .*, this run 0\.1; install the same versions on every"):
        computed(job_of(study(tmp_path), tmp_path), Mailbox(), jax="0.1")


def test_folders_of_killed_processes_are_removed(tmp_path: Path) -> None:
    old, held, new, other = (tmp_path / name for name in ("r-old", "r-held", "r-new", "s-old"))
    for folder in (old, held, new, other):
        folder.mkdir()
    lock = Lock(held)
    lock.acquire()
    for folder in (old, held, other):
        os.utime(folder, (0, 0))
    cell.remove_stale_folders(tmp_path, "r-")
    lock.release()
    assert {path.name for path in tmp_path.iterdir()} == {"r-held", "r-new", "s-old"}


class Line:
    """A connection to a cluster in this process: an order is computed when its result is awaited."""

    def __init__(self, *words: Any, room: int = 2) -> None:
        self.words, self.room = list(words), room
        self.orders: list[tuple[int, str, bytes]] = []
        self.files: dict[str, bytes] = {}
        self.tickets = count(1)
        self.begun: int | None = None
        self.closed = False
        self.most = 0

    def send(self, kind: str, value: Any) -> None:
        assert not self.closed
        if kind == "files":
            self.files = value
        else:
            self.orders.append(value)
            self.most = max(self.most, len(self.orders))

    def receive(self) -> cell.Message | None:
        assert not self.closed
        if self.words[:1] in ([], ["compute"]) and self.begun != self.orders[0][0]:
            self.begun, id, _ = self.orders[0]
            return self.begun, CellOutcome("started", id), None
        word = self.words.pop(0) if self.words else "compute"
        if isinstance(word, Exception):
            raise word
        if word is None:
            self.room += 1
            return None
        ticket, id, data = self.orders.pop(0)
        if word == "die":
            return ticket, CellOutcome("worker_died", id, message="worker died"), None
        return cell.compute(data, self.files, Mailbox())

    def close(self, wait: bool) -> None:
        self.closed = True


def joined(line: Line) -> ray.Cluster:
    found = ray.Cluster.__new__(ray.Cluster)  # Ray need not be installed
    found.address, found._users, found._line = None, 0, line  # type: ignore[assignment]
    return found


@pytest.fixture
def run(tmp_path: Path, apart: Path) -> Run:
    return Run.create_or_open(tmp_path / "run", study(tmp_path))


@pytest.mark.slow
def test_the_parent_process_writes_returned_cells(tmp_path: Path, run: Run) -> None:
    line, alone = Line(None), run_study(study(tmp_path), tmp_path / "alone")
    assert carry_out(run, executor=joined(line)) == "done"
    assert line.most == 3  # the connection had room for 3
    for place in run.cells:
        assert run.cell_path(place.id).read_bytes() == alone.cell_path(place.id).read_bytes()
    assert (run.folder / "dataset.nc").read_bytes() == (alone.folder / "dataset.nc").read_bytes()


@pytest.mark.slow
def test_every_attempt_has_a_unique_ticket(tmp_path: Path, run: Run) -> None:
    """A message of one attempt may arrive after the next run has begun."""
    line = Line("die")
    cluster, tickets = joined(line), list[int]()

    def send(kind: str, value: Any) -> None:
        tickets.extend([value[0]] if kind == "order" else [])
        Line.send(line, kind, value)

    line.send = send  # type: ignore[method-assign]
    with cluster:
        for one in (run, Run.create_or_open(tmp_path / "next", study(tmp_path))):
            assert carry_out(one, executor=cluster) == "done"
    assert len(tickets) == len(set(tickets)) == 2 * len(run.cells) + 1


@pytest.mark.slow
def test_the_number_of_concurrent_cells_is_limited(run: Run) -> None:
    line = Line(room=5)
    assert carry_out(run, workers=1, executor=joined(line)) == "done"
    assert line.most == 1


@pytest.mark.slow
def test_a_cell_whose_worker_dies_is_retried_twice(run: Run) -> None:
    events: list[RunEvent] = []
    line = Line("die", "die", room=1)
    assert carry_out(run, executor=joined(line), progress=events.append) == "done"
    assert [event.message for event in events if event.kind == "worker_died"] == ["worker died"] * 2
    run.cell_path(run.cells[0].id).unlink()
    assert carry_out(run, executor=joined(Line("die", "die", "die"))) == "failed"
    assert list(run.failures().values()) == ["worker died, 3 times; out of memory?"]


@pytest.mark.parametrize("kind", ["started", "done"])
def test_stopping_closes_the_connection(run: Run, kind: str) -> None:
    line = Line()
    assert carry_out(run, executor=joined(line), progress=lambda event: event.kind == kind) == "partial"
    assert line.closed
    assert run.counts()["done"] == (kind == "done")


@pytest.mark.slow
def test_finished_cells_survive_the_loss_of_the_cluster(run: Run) -> None:
    line = Line("compute", "compute", ray.ClusterLost("the connection to Ray was lost"))
    with pytest.raises(ray.ClusterLost, match="was lost"):
        carry_out(run, executor=joined(line))
    assert line.closed
    assert run.counts()["done"] == 2
    assert carry_out(run, executor=joined(Line())) == "done"


def test_a_full_disk_on_a_node_names_the_host(
    tmp_path: Path, apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from rivalry.core.files import DiskFull
    from rivalry.lab import worker

    def full(*_: Any) -> float:
        raise DiskFull("cells/x.npz: no space left for it")

    monkeypatch.setattr(worker, "carry_out", full)
    _, outcome, _ = computed(job_of(study(tmp_path), tmp_path), Mailbox())
    assert outcome.kind == "full"
    assert outcome.message.startswith(f"{socket.gethostname()}: cells/x.npz: no space left")


def test_without_ray_one_line_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs ray; pip install 'rivalry\[deep\]'"):
        ray.Cluster()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    job = job_of(study(tmp_path), tmp_path)
    (tmp_path / "duel.py").unlink()
    with pytest.raises(ray.ClusterError, match=r"duel\.py: No such file"):
        ray._files([job])


def test_error_messages_are_one_line() -> None:
    class WorkerCrashedError(Exception):
        pass

    assert bridge.describe_failure(WorkerCrashedError()) == "worker died"
    assert bridge.describe_failure(ArithmeticError()) == "worker lost: ArithmeticError"
    assert bridge.one_line(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert bridge.one_line(ValueError("a\n  b")) == "a b"
    assert bridge.one_line(ValueError()) == "ValueError"
    assert len(bridge.one_line(ValueError("x" * 1000))) < 410
    outer = ValueError("traceback\n of Ray's")
    outer.cause = RuntimeError("node has jax")  # type: ignore[attr-defined]
    assert bridge.one_line(outer) == "node has jax"
