"""Parts of the Ray executor that run without Ray: transfer of files, folders, error messages."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import Future
from itertools import count
from multiprocessing import Pipe
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import SimpleNamespace
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
    monkeypatch.setattr(cell, "_process_folder", None)
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
    assert data == {job.id: (tmp_path / "run" / "cells" / f"{job.id}.npz").read_bytes()}
    assert not list(apart.iterdir())


@pytest.mark.slow
def test_a_user_file_is_loaded_once_per_process(tmp_path: Path, apart: Path) -> None:
    from rivalry.schema import registry

    job, other = (
        job_of(study(tmp_path, game={"family": "duel.py:duel", "prize": prize}), tmp_path)
        for prize in (1.0, 2.0)
    )
    computed(job, Mailbox())
    modules = len(registry._modules)
    computed(other, Mailbox())
    assert len(registry._modules) == modules


@pytest.mark.slow
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
    assert f"{tmp_path}/duel.py:28: RuntimeError: the duel was called off" in outcome.message
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
def test_cells_that_are_computed_together_return_together(tmp_path: Path, apart: Path) -> None:
    one = Study(
        name="costs",
        game={"family": "market", "unit_cost": [10.0, 10.0]},
        method=[{"kind": "best_response"}],
        sweep={"game.unit_cost[0]": [5.0, 8.0, 11.0, 14.0, 17.0]},
        cells_per_batch=3,
    )
    run, alone = Run.create_or_open(tmp_path / "run", one), run_study(one, tmp_path / "alone")
    line = Line()
    assert carry_out(run, executor=joined(line)) == "done"
    assert line.most == 2
    for place in run.cells:
        assert run.cell_path(place.id).read_bytes() == alone.cell_path(place.id).read_bytes()


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
    assert carry_out(run, executor=joined(Line("die", "die", room=1)), progress=events.append) == "done"
    assert [event.message for event in events if event.kind == "worker_died"] == ["worker died"] * 2
    run.cell_path(run.cells[0].id).unlink()
    assert carry_out(run, executor=joined(Line("die", "die", "die"))) == "failed"
    assert list(run.failures().values()) == ["worker died, 3 times; out of memory?"]


@pytest.mark.slow
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


def test_full_disks_of_nodes_name_hosts(tmp_path: Path, apart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    with pytest.raises(ValueError, match=r"needs ray; pip install '.*\[deep\]'"):
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


def line_to(script: Any, monkeypatch: pytest.MonkeyPatch, address: str | None = None) -> ray._Line:
    """A connection whose bridge is a thread that runs ``script(pipe)`` and then ends."""
    ours, theirs = Pipe()

    def run() -> None:
        with theirs:
            script(theirs)

    def spawn(target: object, *args: object) -> tuple[Any, Any]:
        assert (target, args[0]) == (bridge.serve, address)
        threading.Thread(target=run, daemon=True).start()
        return SimpleNamespace(join=lambda: None, close=lambda: None), ours

    monkeypatch.setattr(ray, "spawn", spawn)
    return ray._Line(address, 2)


def says(*messages: Any) -> Any:
    def script(pipe: Any) -> None:
        for message in messages:
            pipe.send(message)

    return script


LOST = "the connection to Ray was lost{}; finished cells are kept, resume goes on"


def test_a_connection_opens_with_the_number_of_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    message = (3, CellOutcome("started", "a"), None)
    line = line_to(says(("begun", ""), ("room", 8), ("room", 5), message, ("lost", "head died")), monkeypatch)
    line.open()
    assert line.room == 8
    assert line.receive() is None
    assert line.room == 5
    assert line.receive() == message
    with pytest.raises(ray.ClusterLost, match=f"^{LOST.format(': head died')}$"):
        line.receive()
    with pytest.raises(ray.ClusterLost, match=f"^{LOST.format('')}$"):
        line.receive()  # the bridge has ended
    with pytest.raises(ray.ClusterLost, match=f"^{LOST.format('')}$"):
        line.send("order", "x" * 100_000)
    line.close(wait=True)


@pytest.mark.parametrize(
    ("messages", "address", "why"),
    [
        ([("begun", ""), ("refused", "no CPUs")], None, "Ray on this machine: no CPUs"),
        ([("begun", ""), ("refused", "no CPUs")], "h:1", "--address h:1: no CPUs"),
        ([("begun", "")], "h:1", "--address h:1: the process that talks to it ended"),
        ([], None, "Ray on this machine: the process that talks to it ended"),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_reported(
    monkeypatch: pytest.MonkeyPatch, messages: list[Any], address: str | None, why: str
) -> None:
    line = line_to(says(*messages), monkeypatch, address)
    cluster = joined(line)  # type: ignore[arg-type]
    cluster.address, cluster._line = address, None
    monkeypatch.setattr(ray, "_Line", lambda *arguments: line)
    with pytest.raises(ray.ClusterError, match=f"^{re.escape(why)}$"):
        cluster.line(2)
    assert cluster._line is None
    assert line.pipe.closed


def test_a_silent_bridge_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    line = line_to(lambda pipe: over.wait(10), monkeypatch, "auto")
    monkeypatch.setattr(ray, "START", 0.01)
    with pytest.raises(
        ray.ClusterError, match=r"^--address auto: no answer within 0 seconds; where .* RAY_AUTH_MODE=token$"
    ):
        line.open()
    over.set()


def test_an_address_is_tried_on_entering_and_the_connection_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "find_spec", lambda name: name)
    line = line_to(says(("begun", ""), ("room", 4)), monkeypatch, "auto")
    monkeypatch.setattr(ray, "_Line", lambda *arguments: line)
    cluster = ray.Cluster("auto")
    assert repr(cluster) == "Cluster('auto')"
    assert repr(ray.Cluster()) == "Cluster()"
    with cluster:
        assert line.room == 4
        with cluster:
            assert cluster.line(9) is line
        assert not line.pipe.closed
    assert line.pipe.closed


class RayError(Exception):
    pass


class NodeDiedError(RayError):
    pass


class RayTaskError(RayError):
    pass


class OneNode:
    """Ray with one node, as far as the bridge calls it: a task ends when the test says so."""

    exceptions = SimpleNamespace(
        RayError=RayError, RayTaskError=RayTaskError, RuntimeEnvSetupError=RayTaskError
    )

    def __init__(self) -> None:
        self.tasks: list[tuple[Future[Any], tuple[Any, ...]]] = []
        self.mail: list[Future[Any]] = []
        self.begun: list[Any] = []
        self.cancelled: list[tuple[Any, bool]] = []
        self.processors = 2.0

    def init(self, address: str, **options: Any) -> None:
        self.begun.append((address, options))

    def remote(self, **options: Any) -> Any:
        return lambda target: self._actor if target is cell.Mailbox else SimpleNamespace(remote=self._task)

    @property
    def _actor(self) -> Any:
        take = SimpleNamespace(remote=lambda: self._reference(self.mail))
        actor = SimpleNamespace(take=take)
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=lambda: actor))

    def _reference(self, futures: list[Any]) -> Any:
        futures.append(Future())
        return SimpleNamespace(future=lambda own=futures[-1]: own)

    def _task(self, data: bytes, files: Any, mailbox: Any) -> Any:
        futures: list[Any] = []
        found = self._reference(futures)
        self.tasks.append((futures[0], (data, files)))
        return found

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(get_node_id=lambda: "node")

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.processors}

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 0.0}

    def put(self, value: Any) -> Any:
        return ("stored", value)

    def cancel(self, ref: Any, *, force: bool) -> None:
        self.cancelled.append((ref, force))

    def wait(self, refs: list[Any], **options: Any) -> tuple[list[Any], list[Any]]:
        return refs[:1], refs[1:]

    def shutdown(self) -> None:
        self.begun.append("left")


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> OneNode:
    found = OneNode()
    strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: (node, soft))
    monkeypatch.setitem(sys.modules, "ray", found)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ray.util", SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", strategies)  # type: ignore[arg-type]
    return found


class Parent(bridge._ParentEvents):
    """A parent whose events the test gives, and whose end is not the end of this process."""

    def __init__(self, own: Path) -> None:
        self.own, self.events, self.grace = own, SimpleQueue(), 0.0

    def folder(self) -> Path:
        return self.own


class Bridge:
    """A bridge that runs in a thread, and the parent's end of its pipe."""

    def __init__(self, own: Path, address: str | None = "auto") -> None:
        self.pipe, theirs = Pipe()
        self.parent = Parent(own)
        self.events = self.parent.events

        def run() -> None:
            with theirs:
                bridge._execute_orders(theirs, self.parent, address, 3)

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def hear(self) -> Any:
        assert self.pipe.poll(10)
        return self.pipe.recv()

    def end(self) -> None:
        self.events.put(None)
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.pipe.close()


def test_the_bridge_submits_orders_and_passes_messages_on(tmp_path: Path, node: OneNode) -> None:
    talk = Bridge(tmp_path)
    assert [talk.hear(), talk.hear()] == [("begun", ""), ("room", 2)]
    assert node.begun == [("auto", bridge.QUIET)]
    talk.events.put(("files", {"a.py": b"1"}))
    for ticket in (1, 2, 3, 4):
        talk.events.put(("order", (ticket, f"cell{ticket}", b"data")))
    while len(node.tasks) < 4 or not node.mail:
        time.sleep(0.001)
    assert [about for _, about in node.tasks] == [(b"data", ("stored", {"a.py": b"1"}))] * 4
    foreign = (9, CellOutcome("started", "of an earlier run"), None)
    started = (2, CellOutcome("started", "cell2"), None)
    node.mail[0].set_result([foreign, started])
    assert talk.hear() == started
    done = (2, CellOutcome("done", "cell2", 1.5), b"bytes")
    node.tasks[1][0].set_result(done)
    assert talk.hear() == done
    node.tasks[0][0].set_exception(NodeDiedError())
    assert talk.hear() == (1, CellOutcome("worker_died", "cell1", message="its node is gone"), None)
    talk.end()
    assert [force for _, force in node.cancelled] == [False, False, True]  # one of two ended when asked to
    assert node.begun[-1] == "left"
    assert talk.parent.grace == bridge.LEAVE


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (RayTaskError("node b has jax 0.1"), ("refused", "node b has jax 0.1")),
        (ConnectionError(104, "Connection reset by peer"), ("lost", "Connection reset by peer")),
    ],
)
def test_an_error_that_prevents_every_cell_ends_the_bridge(
    tmp_path: Path, node: OneNode, error: Exception, answer: tuple[str, str]
) -> None:
    talk = Bridge(tmp_path)
    assert [talk.hear(), talk.hear()] == [("begun", ""), ("room", 2)]
    talk.events.put(("order", (1, "cell", b"data")))
    while not node.tasks:
        time.sleep(0.001)
    node.tasks[0][0].set_exception(error)
    assert talk.hear() == answer
    talk.end()


def test_nothing_listens_at_a_wrong_address(tmp_path: Path, node: OneNode) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    talk = Bridge(tmp_path, f"ray://127.0.0.1:{port}")
    assert [talk.hear(), talk.hear()] == [("begun", ""), ("refused", "Connection refused")]
    assert node.begun == []
    talk.end()


def test_ray_keeps_files_together(tmp_path: Path, node: OneNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"RAY_worker_niceness": "5"})
    talk = Bridge(tmp_path, None)
    assert [talk.hear(), talk.hear()] == [("begun", ""), ("room", 2)]
    ((address, options),) = node.begun
    assert address == "local"
    assert options["num_cpus"] == 3
    assert options["_temp_dir"] == str(tmp_path)
    assert len(os.environ.pop("RAY_AUTH_TOKEN")) == 64
    assert os.environ == {
        "TMPDIR": str(tmp_path),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "5",  # the user's own
    }
    talk.end()
    assert "left" not in node.begun  # it ends with the bridge's process
    assert talk.parent.grace == bridge.HASTE


def test_cells_that_no_node_starts_are_reported_once(monkeypatch: pytest.MonkeyPatch, node: OneNode) -> None:
    ours, theirs = Pipe()
    now = [100.0]
    monkeypatch.setattr(bridge, "time", SimpleNamespace(monotonic=lambda: now[0]))
    one = bridge._Bridge(node, theirs, SimpleQueue())
    one._on_order((5, "later", b""))
    one._on_order((4, "first", b""))
    one._report_waiting(2)
    assert not ours.poll()
    now[0] += bridge.PATIENCE + 1
    one._report_waiting(2)
    said = "not begun within 20 seconds; 0 of the cluster's 2 CPUs are free"
    assert ours.recv() == (4, CellOutcome("waiting", "first", message=said), None)
    one._report_waiting(2)
    assert not ours.poll()
    one._on_mail((SimpleNamespace(result=lambda: [(4, CellOutcome("started", "first"), None)]),))  # type: ignore[arg-type]
    assert ours.recv()[1].kind == "started"
    one._report_waiting(2)  # one runs: patience begins again
    now[0] += bridge.PATIENCE - 1
    one._report_waiting(2)
    assert not ours.poll()


def test_the_bridge_ends_with_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / f"{bridge.PREFIX}old"
    stale.mkdir()
    os.utime(stale, (0, 0))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    ended, signals = Event(), list[Any]()
    monkeypatch.setattr(bridge.os, "_exit", lambda status: (signals.append(status), ended.set()))
    monkeypatch.setattr(bridge, "_signal_all", signals.append)
    ours, theirs = Pipe()
    parent = bridge._ParentEvents(theirs)
    parent.grace = 0.0
    own = parent.folder()
    assert [path.name for path in tmp_path.iterdir()] == [own.name]
    ours.send(("order", 1))
    assert parent.events.get(timeout=10) == ("order", 1)
    ours.close()
    assert parent.events.get(timeout=10) is None
    assert ended.wait(10)
    assert signals == ["SIGSTOP", "SIGKILL", 1]
    assert not own.exists()
    parent.lock.release()


def test_processes_of_a_session_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dict(bridge._processes())[os.getpid()] == os.getppid()
    assert bridge._session_of(os.getpid()) == os.getsid(0)
    assert bridge._session_of(2**31 - 1) == 0
    mine = os.getpid()
    processes = [(mine, 1), (7, mine), (8, 7), (9, 1), (6, 8)]  # process, parent
    monkeypatch.setattr(bridge, "_processes", lambda: iter(processes))
    monkeypatch.setattr(bridge, "_session_of", lambda pid: 1 if pid == 9 else mine)
    assert bridge._session() == [6, 8, 7]  # children last
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(bridge.os, "kill", lambda pid, number: sent.append((pid, number)))
    bridge._signal_all("SIGSTOP")
    assert sent == [(pid, signal.SIGSTOP) for pid in (6, 8, 7)]


def test_a_mailbox_returns_all_its_messages() -> None:
    async def use() -> list[Any]:
        box = cell.Mailbox()
        for ticket in (1, 2, 3):
            await box.put((ticket, CellOutcome("started", "a"), None))
        return await box.take()

    assert [ticket for ticket, *_ in asyncio.run(use())] == [1, 2, 3]
