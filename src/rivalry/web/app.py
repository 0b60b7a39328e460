"""Routes of the workbench: pages, modules and data."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response, StreamingResponse

from rivalry.core.files import DamagedFile
from rivalry.lab.store import finished_cells
from rivalry.lab.study import StudyError, load_study
from rivalry.lab.study.identity import Table, TableDict
from rivalry.web import explore, results, studies
from rivalry.web.processes import Jobs, Questions
from rivalry.web.runs import Runs
from rivalry.web.safety import ASIDE, Guard, Refused, refusal

STATIC = Path(__file__).parent / "static"
LIVING = Path(__file__).parents[1] / "living" / "static"
PAGES = ("", "study", "run", "results", "compare", "explore")
MOST_COMPARED = 6
SETS = 40  # of figures that pages may still show
EVERY, IDLE = 0.5, 2.0  # seconds between looks at a run's folder, while it is computed and else
SHARE = 4.0  # times as long as a look takes, before the next
BATCH = 1000  # most cells in an event
FILE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")


class Workbench:
    """Resources of all requests: a folder of studies and runs, and processes that read, draw and compute."""

    def __init__(self, home: Path, opened: Path | None = None) -> None:
        self.home = home
        opened_run = opened if opened is not None and opened.is_dir() else None
        self.opened_study = opened if opened is not None and opened_run is None else None
        self.jobs = Jobs(home)
        self.runs = Runs(home, self.jobs, opened_run)
        # limits are in seconds of processor time
        self.reader, self.artist = Questions(120.0), Questions(120.0)  # cells; results and figures
        self.player = Questions(60.0)  # keys of families and methods
        self.prover = Questions(60.0, count=2)  # what may be slow: games built, drawn and certified
        self.closed = False
        self.scratch = Path(tempfile.mkdtemp(prefix="rivalry-"))

    def close(self) -> None:
        """End what belongs to the server; runs go on."""
        self.closed = True
        for process in (self.reader, self.artist, self.player, self.prover):
            process.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def new_set(self) -> Path:
        """Return a folder for a set of figures; the oldest sets are removed."""
        sets = sorted(self.scratch.glob("figures-*"), key=lambda path: path.stat().st_mtime)
        for old in sets[:-SETS]:
            shutil.rmtree(old, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix="figures-", dir=self.scratch))

    def folder_of_study(self, name: str) -> Path:
        """Return the folder in which a study's files are looked up."""
        path = studies.study_files(self.home, self.opened_study).get(name)
        return path.parent if path is not None and studies.is_own(path) else self.home

    def argument_of_study(self, name: str) -> str:
        """Name of a study in a command. Raises `Refused`."""
        _, path = studies.text_of(name, self.home, self.opened_study)
        return str(path) if studies.is_own(path) else name

    def original(self, name: str) -> str:
        """Return the text of a study of the package; empty for others."""
        path = studies.study_files(self.home, self.opened_study).get(name)
        return "" if path is None or studies.is_own(path) else path.read_text(encoding="utf-8")

    def results_folder(self, name: str) -> str:
        """Return the folder of a run that has one. Raises `Refused`."""
        return str(self.runs.run(name).folder)


async def _aside(call: Any, *arguments: Any) -> Any:
    """Run a function that reads files or waits for a process, while other requests are answered."""
    return await asyncio.to_thread(call, *arguments)


async def _body(request: Request) -> TableDict:
    """Return a request's table. Raises `Refused`."""
    try:
        table = json.loads(
            await request.body() or b"{}", parse_int=_whole_number, parse_constant=_whole_number
        )
        json.dumps(table, ensure_ascii=False).encode()  # fails for halves of characters
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON of text and of numbers below 2**63") from None
    if not isinstance(table, dict):
        raise Refused(400, "the body must be a table")
    return table


def _whole_number(text: str) -> int:
    """Return a whole number of a request. Raises `ValueError` beyond 64 bits, and for what is no number."""
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _typed(body: Table, key: str, kind: type | tuple[type, ...], usual: object) -> Any:
    value = body.get(key, usual)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refused(400, f"{key}: {str(value)[:60]!r} is of the wrong type")
    return value


def _changes_of(body: Table) -> list[TableDict]:
    changes = _typed(body, "changes", list, [])
    if not all(isinstance(change, dict) and isinstance(change.get("key"), str) for change in changes):
        raise Refused(400, "changes: each must be a table with a key")
    return list(changes)


def create_app(bench: Workbench, token: str, host: str, port: int) -> Guard:
    """Return the application, behind its guard."""

    app = FastAPI(title="rivalry", docs_url=None, redoc_url=None, openapi_url=None)
    for kind in (Refused, StudyError, DamagedFile, RequestValidationError):
        app.add_exception_handler(kind, _refusal)
    app.add_exception_handler(Exception, _failed)
    for status in (404, 405):
        app.add_exception_handler(status, _missing)
    _add_pages(app)
    _add_studies(app, bench)
    _add_runs(app, bench)
    _add_results(app, bench)
    _add_games(app, bench)
    return Guard(app, token, host, port)


async def _refusal(request: Request, error: Exception) -> Response:
    status, reason = 400, str(error)  # of a study, or a damaged file
    match error:
        case Refused():
            status, reason = error.status, error.why
        case RequestValidationError():
            reason = f"{error.errors()[0]['loc'][-1]}: missing, or of the wrong type"
    return refusal(request.headers, status, reason)


async def _failed(request: Request, error: Exception) -> Response:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return refusal(request.headers, 500, reason)


async def _missing(request: Request, error: Exception) -> Response:
    return refusal(request.headers, 404, "there is nothing at this address")


def _add_pages(app: FastAPI) -> None:
    async def page() -> Response:
        return FileResponse(STATIC / "index.html", media_type="text/html")

    for name in PAGES:
        app.add_api_route(f"/{name}", page, methods=["GET"])

    @app.get("/static/{path:path}")
    async def static(path: str) -> Response:
        root, _, subpath = path.partition("/")
        folder, name = (LIVING, subpath) if root == "living" else (STATIC, path)
        parts = name.split("/")
        file = folder.joinpath(*parts)
        if not all(part.isidentifier() for part in parts[:-1]) or not FILE.fullmatch(parts[-1]):
            raise Refused(404, "there is nothing at this address")
        if not file.is_file():
            raise Refused(404, "there is nothing at this address")
        return FileResponse(file, headers={"cache-control": "no-cache"})

    @app.get("/favicon.ico")
    async def icon() -> Response:
        return FileResponse(STATIC / "icon.svg")


def _add_studies(app: FastAPI, bench: Workbench) -> None:
    home, opened = bench.home, bench.opened_study

    @app.get("/api/studies")
    async def all_studies() -> Any:
        return {"studies": await _aside(studies.rows, home, opened)}

    @app.get("/api/choices")
    async def choices() -> Any:
        return studies.choices()

    @app.get("/api/studies/{name}")
    async def study(name: str) -> Any:
        text, path = studies.text_of(name, home, opened)
        own = studies.is_own(path)
        stored = None if own else await _aside(results.stored_answer, name)
        return {"name": name, "text": text, "own": own, "stored": stored}

    @app.get("/api/schema")
    async def schema(family: str = "", kinds: str = "") -> Any:
        kind_names = tuple(kind for kind in kinds.split(",") if kind)
        return await bench.player.ask(studies.schema, family, kind_names)

    @app.post("/api/check")
    async def check(request: Request) -> Any:
        body = await _body(request)
        name = _typed(body, "name", str, "study")
        arguments = (
            name if studies.NAME.fullmatch(name) else "study",
            _typed(body, "text", str, ""),
            str(bench.folder_of_study(name)),
            _changes_of(body),
            bool(body.get("build")),
            _typed(body, "trusted", dict, {}),
            bench.original(name),
        )
        if body.get("build"):
            return await bench.prover.ask(studies.check, *arguments)
        return await _aside(studies.check, *arguments)

    @app.post("/api/studies/{name}")
    async def save(name: str, request: Request) -> Any:
        body = await _body(request)
        text, replace = _typed(body, "text", str, ""), bool(body.get("replace"))
        original = bench.original(_typed(body, "of", str, ""))
        call = partial(studies.save, replace=replace, original=original)
        return {"text": await _aside(call, name, text, home)}

    @app.get("/api/files/{study}")
    async def code(study: str) -> Any:
        """Return the files that a study runs, to be looked at before they are trusted."""
        return _previews(studies.own_files(load_study(bench.argument_of_study(study))))


def _previews(files: Mapping[str, str]) -> TableDict:
    """Return files with their digests and how they begin."""
    return {
        "files": [
            {"path": path, "digest": digest, "text": _beginning(Path(path))} for path, digest in files.items()
        ]
    }


def _beginning(path: Path) -> str:
    if path.suffix == ".npz":
        return "A state of a learner that was not stored here. It is a pickle: reading it can run any code."
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(100_000)
    except OSError:
        return ""


def _add_runs(app: FastAPI, bench: Workbench) -> None:
    runs = bench.runs

    @app.get("/api/runs")
    async def all_runs() -> Any:
        return {"runs": await _aside(runs.rows)}

    @app.post("/api/runs")
    async def begin(request: Request) -> Any:
        body = await _body(request)
        name = _typed(body, "study", str, "")
        argument, quick = bench.argument_of_study(name), bool(body.get("quick"))
        study = await _aside(load_study, argument)
        form = study.quick_form() if quick else study
        run = _typed(body, "run", str, "") or form.default_folder.name
        folder = runs.new_folder(run)
        options = ["--quick"] * quick + ["--out", str(folder.resolve())]
        trusted = _typed(body, "trusted", dict, {})
        await _aside(runs.start, folder, study, ["run", argument, *options], trusted)
        return {"run": run}

    @app.get("/api/runs/{name}")
    async def about(name: str) -> Any:
        return await _aside(runs.about, name)

    @app.get("/api/runs/{name}/events")
    async def watch(name: str, request: Request, part: str = "", known: str = "") -> Response:
        """Report the run's state whenever it changes, and the finished cells that the page does not have.

        ``known`` has the bit of each cell that the page has, in order, as a hexadecimal number.
        """
        await _aside(runs.path, name)
        try:
            bits = int(known or "0", 16)
        except ValueError:
            raise Refused(400, "known: must be a hexadecimal number") from None
        stream = _changes(bench, request, name, part, bits)
        return StreamingResponse(stream, media_type="text/event-stream")

    @app.post("/api/runs/{name}/notes")
    async def note(name: str, request: Request) -> Any:
        body = await _body(request)
        note, tags = _typed(body, "note", str, ""), _typed(body, "tags", list, [])
        return await _aside(runs.write_notes, name, note, tags)

    @app.post("/api/runs/{name}/stop")
    async def stop(name: str) -> Any:
        bench.jobs.stop(runs.path(name))
        return {"run": name}

    @app.get("/api/runs/{name}/files")
    async def code_of_run(name: str) -> Any:
        """Return the files that continuing a run runs."""
        return _previews(await _aside(runs.own_files, name))

    @app.post("/api/runs/{name}/resume")
    async def resume(name: str, request: Request) -> Any:
        trusted = _typed(await _body(request), "trusted", dict, {})
        await _aside(runs.resume, name, trusted)
        return {"run": name}

    @app.post("/api/runs/{name}/replications")
    async def repeat(name: str, request: Request) -> Any:
        body = await _body(request)
        count = _typed(body, "count", int, 0)
        if not 1 <= count <= 1_000_000:
            raise Refused(400, f"count: {count} must be a whole number in 1..1000000")
        study = bench.argument_of_study(runs.run(name).name)
        await _aside(runs.repeat, name, count, study, _typed(body, "trusted", dict, {}))
        return {"run": name}


async def _changes(
    bench: Workbench, request: Request, name: str, part: str, page_bits: int
) -> AsyncIterator[str]:
    """Yield newly finished cells and the state of a run when it has changed, until the reader is gone.

    ``page_bits`` has the bits of the cells that the page has.
    """
    last_event, sent_ids = "", set[str]()
    while not (bench.closed or await request.is_disconnected()):
        began = time.monotonic()
        new, events = list[str](), list[str]()
        try:
            run = await _aside(bench.runs.part, name, part)
            sent_ids.update(cell.id for k, cell in enumerate(run.cells) if page_bits >> k & 1)
            page_bits = 0
            finished = await _aside(finished_cells, run.folder)
            new = [cell.id for cell in run.cells if cell.id in finished and cell.id not in sent_ids][:BATCH]
            if new:
                arguments = "cells", bench.results_folder(name), part, new
                events.append(_event("cells", await bench.reader.ask(results.jsonable, *arguments)))
                sent_ids.update(new)
        except (Refused, DamagedFile):  # the run is not made yet, or the state says why
            new = []
        try:
            state = await _aside(bench.runs.snapshot, name)  # later, so that it counts these cells
        except (Refused, DamagedFile) as error:
            state = {"status": "damaged", "fault": str(error)}
        event = _event("state", {**state, "at": 0})
        events += [_event("state", state)] * (event != last_event)
        last_event = event
        for change in events or [": still here\n\n"]:
            yield change
        if len(new) < BATCH:  # else there are more
            pace = EVERY if state["status"] in ("running", "starting") else IDLE
            await asyncio.sleep(max(pace, SHARE * (time.monotonic() - began)))


def _add_results(app: FastAPI, bench: Workbench) -> None:
    async def ask(process: Questions, name: str, call: str, *arguments: Any) -> Any:
        """Result of a function of `rivalry.web.results` on a run."""
        folder = await _aside(bench.results_folder, name)
        return await process.ask(results.jsonable, call, folder, *arguments)

    @app.get("/api/runs/{name}/results")
    async def run_results(name: str, part: str = "") -> Any:
        """Return results and a state of the run that counts the cells they are of."""
        report = await ask(bench.artist, name, "results", part)
        return report | {"state": await _aside(bench.runs.snapshot, name)}

    @app.get("/api/runs/{name}/quantities")
    async def values(name: str) -> Any:
        return await ask(bench.artist, name, "run_quantities")

    @app.get("/api/runs/{name}/cells")
    async def tiles(name: str, part: str = "") -> Any:
        return {"figure": await ask(bench.reader, name, "tiles", part)}

    @app.get("/api/runs/{name}/cells/{id}")
    async def cell(name: str, id: str, part: str = "") -> Any:
        return await ask(bench.reader, name, "cell", part, id)

    @app.get("/api/runs/{name}/figures")
    async def figures(name: str, part: str = "") -> Any:
        out = bench.new_set()
        pictures = await ask(bench.artist, name, "figures", part, str(out))
        return pictures | {"set": out.name, "state": await _aside(bench.runs.snapshot, name)}

    @app.get("/api/runs/{name}/living")
    async def living(name: str, part: str = "") -> Any:
        return {"figures": await ask(bench.prover, name, "living", part)}

    @app.post("/api/runs/{name}/answer")
    async def answer(name: str, request: Request) -> Any:
        """Compute and certify what a person set in a living figure of a run."""
        body = await _body(request)
        words = _typed(body, "part", str, ""), _typed(body, "title", str, "")
        return await ask(bench.prover, name, "answered", *words, _typed(body, "state", dict, {}))

    @app.get("/api/figures/{folder}/{file}")
    async def figure(folder: str, file: str) -> Response:
        return _picture(bench.scratch, folder, file)

    @app.get("/api/runs/{name}/download")
    async def download(name: str, to: str = "csv") -> Response:
        if to not in results.DOWNLOADS:
            raise Refused(400, f"to: {to[:20]!r} must be one of {', '.join(results.DOWNLOADS)}")
        out = tempfile.mkdtemp(prefix="download-", dir=bench.scratch)
        path = Path(await ask(bench.artist, name, "download", to, out))
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        file_name = f"{name}{path.suffix}" if to in ("page", "netcdf") else path.name
        file_name = re.sub(r"[^A-Za-z0-9._-]", "_", file_name)
        return FileResponse(
            path, media_type=kind, filename=file_name, headers={"content-security-policy": ASIDE}
        )

    @app.get("/api/compare")
    async def compare(runs: str, quantities: str = "") -> Any:
        """Compare runs, each ``NAME`` or ``NAME:PART``, in quantities, by default the first."""
        run_names = [run_name for run_name in runs.split(",") if run_name]
        if not 2 <= len(run_names) <= MOST_COMPARED:
            raise Refused(400, f"runs: {len(run_names)} of them; must be 2 to {MOST_COMPARED}")
        pairs = [(pair, *pair.partition(":")[::2]) for pair in run_names]
        folders = [(label, await _aside(bench.results_folder, name), part) for label, name, part in pairs]
        names = [quantity for quantity in quantities.split(",") if quantity]
        return await bench.reader.ask(results.jsonable, "compare", folders, names)


def _picture(home: Path, folder: str, file: str) -> Response:
    """Return a picture that may be a stranger's: it is shown as an image and cannot run code."""
    path = home / folder / file
    if not FILE.fullmatch(file) or not FILE.fullmatch(f"{folder}.x") or path.suffix != ".svg":
        raise Refused(404, "no such figure")
    if not path.is_file() or not path.resolve().is_relative_to(home.resolve()):
        raise Refused(404, "no such figure")
    return FileResponse(path, media_type="image/svg+xml", headers={"content-security-policy": ASIDE})


def _add_games(app: FastAPI, bench: Workbench) -> None:
    @app.get("/api/games/{name}")
    async def family(name: str) -> Any:
        return await bench.player.ask(explore.family, name)

    @app.post("/api/games/{name}/figures")
    async def figures(name: str, request: Request) -> Any:
        body = await _body(request)
        parameters = _typed(body, "parameters", dict, {})
        return await bench.prover.ask(explore.figures, name, parameters, body.get("profile"))

    @app.post("/api/games/{name}/answer")
    async def answer(name: str, request: Request) -> Any:
        body = await _body(request)
        parameters, state = _typed(body, "parameters", dict, {}), _typed(body, "state", dict, {})
        return await bench.prover.ask(explore.followed, name, parameters, state)

    @app.post("/api/games/{name}/study")
    async def study(name: str, request: Request) -> Any:
        body = await _body(request)
        parameters = _typed(body, "parameters", dict, {})
        text = studies.new_text(name, parameters, body.get("profile"), _typed(body, "title", str, ""))
        return {"text": text}


def _event(kind: str, value: object) -> str:
    r"""Return a server-sent event as text.

    >>> _event("state", {"done": 2})
    'event: state\ndata: {"done": 2}\n\n'
    """
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n"
