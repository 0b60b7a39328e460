"""The workbench's answers without a browser: what is refused, and what pages are told."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import duel_study, many_cells
from tests.living.javascript import STATIC as LIVING
from tests.living.javascript import assert_types_are_consistent
from tests.web.system import computes, descendants, semaphores

pytest.importorskip("fastapi")
pytest.importorskip("tomlkit")
httpx = pytest.importorskip("httpx")

from fastapi import Request  # noqa: E402

from rivalry.web.app import STATIC as WEB  # noqa: E402
from rivalry.web.app import Workbench, create_app  # noqa: E402
from rivalry.web.processes import QUEUE, Jobs, Questions  # noqa: E402
from rivalry.web.safety import BODY, BURST, Refused  # noqa: E402

TOKEN = "a-token-of-this-test"
HOME = "http://127.0.0.1:8765"
STUDY = """# a comment that stays
title = "Two firms"

[game]
family = "matrix"
name = "chicken"

[[method]]
kind = "mixed_equilibria"
"""


class Client:
    """A browser's requests to the application, without a socket; it keeps cookies."""

    def __init__(self, app: Any) -> None:
        self.app, self.cookies, self.headers = app, httpx.Cookies(), dict[str, str]()

    def request(self, method: str, path: str, **more: Any) -> Any:
        async def ask() -> Any:
            door = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            headers = {**self.headers, **more.pop("headers", {})}
            kept = {"cookies": self.cookies, "base_url": HOME, "transport": door}
            async with httpx.AsyncClient(**kept) as client:
                answer = await client.request(method, path, headers=headers, **more)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())

    def get(self, path: str, **more: Any) -> Any:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> Any:
        return self.request("POST", path, **more)


def client_of(home: Path) -> tuple[Client, Workbench]:
    bench = Workbench(home)
    return Client(create_app(bench, TOKEN, "127.0.0.1", 8765)), bench


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client, bench = client_of(tmp_path)
    assert client.get(f"/?token={TOKEN}").status_code == 200
    client.headers["origin"] = HOME
    yield client
    bench.close()


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Client]:
    client, bench = client_of(tmp_path)
    yield client
    bench.close()


def one_line(answer: Any) -> str:
    words = answer.json()["error"]
    assert words
    assert "\n" not in words
    assert len(words) < 600
    return str(words)


# safety


@pytest.mark.slow
def test_token_is_exchanged_for_a_cookie_that_scripts_and_other_sites_do_not_get(stranger: Client) -> None:
    refused = stranger.get("/api/studies")
    assert refused.status_code == 401
    assert "token" in one_line(refused)
    assert stranger.get("/?token=wrong").status_code == 401
    assert stranger.get(f"/api/studies?token={TOKEN}").status_code == 401  # an address of data is no door
    cookie = stranger.get(f"/study?name=tour&token={TOKEN}").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert stranger.get("/api/choices").status_code == 200
    stranger.cookies.clear()
    again = stranger.get(f"/study?name=tour&token={TOKEN}")
    assert again.status_code == 401
    assert "used already" in one_line(again)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["form", "query"])
def test_token_is_exchanged_once_by_post(stranger: Client, how: str) -> None:
    """As the page does which the browser is started with; its origin is ``null``."""
    token, form = stranger.app.new_token(), {"origin": "null", "content-type": FORM}
    where, data = ("/run?name=x%22", f"token={token}") if how == "form" else (f"/?token={token}", "")
    for path in ("/api/runs", "/static/app.js"):
        assert stranger.post(path, content=f"token={token}", headers=form).status_code in (401, 403)
    answer = stranger.post(where, content=data, headers=form)
    assert answer.status_code == 200
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert token not in answer.text
    assert f'url={"/run?name=x%22" if how == "form" else "/"}"' in answer.text
    assert stranger.get("/api/choices").status_code == 200
    stranger.cookies.clear()
    assert stranger.post(where, content=data, headers=form).status_code == 401
    assert stranger.post("/", content="token=", headers=form).status_code == 401
    assert stranger.get(f"/?token={TOKEN}").status_code == 200  # the other one is not used up


FORM = "application/x-www-form-urlencoded"


def test_the_cookie_cannot_be_made_from_a_token(stranger: Client) -> None:
    stranger.cookies.set("rivalry_8765", sha256(f"cookie {TOKEN}".encode()).hexdigest())
    assert stranger.get("/api/choices").status_code == 401


def test_tokens_differ_per_start_and_cookies_per_port(tmp_path: Path) -> None:
    first = create_app(Workbench(tmp_path), "one", "127.0.0.1", 1)
    other = create_app(Workbench(tmp_path), "two", "127.0.0.1", 2)
    assert first.cookie != other.cookie
    assert first.secret != other.secret


ELSEWHERE = ("evil.example", "evil.example:8765", "127.0.0.1:80", "localhost.evil.example", "")
ANOTHER_SITE: list[tuple[str, str, dict[str, str], int]] = [
    # a foreign name may be made to mean this machine (DNS rebinding)
    *(("GET", "/api/choices", {"host": host}, 421) for host in ELSEWHERE),
    ("POST", "/api/check", {"content-type": "text/plain"}, 415),  # a form
    ("GET", "/api/runs", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), ANOTHER_SITE)
def test_another_site_is_refused(
    client: Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = client.request(method, path, content=b"{}" if method == "POST" else None, headers=headers)
    assert answer.status_code == status
    assert one_line(answer)


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:8765", "[::1]:8765"])
def test_names_of_this_machine_are_served(client: Client, host: str) -> None:
    answer = client.get("/api/choices", headers={"host": host, "origin": f"http://{host}"})
    assert answer.status_code in (200, 401)  # a cookie belongs to one name
    assert answer.status_code != 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", None])
def test_request_of_another_site_changes_nothing(client: Client, tmp_path: Path, origin: str | None) -> None:
    del client.headers["origin"]
    headers = {"origin": origin} if origin is not None else {}
    answer = client.post("/api/studies/mine", json={"text": STUDY}, headers=headers)
    assert answer.status_code == 403
    assert one_line(answer)
    assert not (tmp_path / "mine.toml").exists()


@pytest.mark.parametrize(
    "path", ["/", "/static/app.js", "/api/runs", "/api/nothing", "/nothing", "/api/runs/no"]
)
def test_every_answer_carries_a_strict_policy(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize(
    ("path", "options", "status", "words"),
    [
        ("/nothing", {}, 404, "There is nothing at this address."),
        ("/api/runs/none", {}, 404, "No run of the name"),
        ("/api/compare", {}, 400, "Runs: missing"),
        ("/api/runs?x=<b>", {"headers": {"host": "<b>"}}, 421, "&lt;b&gt;"),
        ("/", {"method": "POST", "content": b"x" * (BODY + 1)}, 413, "The body must be at most"),
        ("/static/nothing.js", {}, 404, "There is nothing at this address."),
    ],
)
def test_a_person_is_refused_by_a_page(
    client: Client, path: str, options: dict[str, Any], status: int, words: str
) -> None:
    """What a module of a page receives as a table, a browser that opens the address receives as a page."""
    headers = options.get("headers", {}) | {"accept": "text/html,*/*;q=0.8"}
    answer = client.request(**{"method": "GET", **options, "path": path, "headers": headers})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert words in answer.text
    assert "<b>" not in answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_an_address_of_another_start_says_what_to_type(stranger: Client) -> None:
    page = stranger.get("/study?name=tour&token=old", headers={"accept": "text/html"})
    assert page.status_code == 401
    assert "<code>rivalry open</code>" in page.text
    assert 'href=""' in page.text  # the same address, once the new one was opened
    digest = re.search(r"style-src 'sha256-([^']+)'", page.headers["content-security-policy"])[1]
    style = re.search("<style>(.*)</style>", page.text)[1]
    assert b64decode(digest) == sha256(style.encode()).digest()


def test_a_failure_of_the_package_is_a_page_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivalry.web.app.studies.choices", lambda: 1 / 0)
    page = client.get("/api/choices", headers={"accept": "text/html"})
    assert page.status_code == 500
    assert "ZeroDivisionError: division by zero" in page.text


def test_refusals_carry_the_policy_too(stranger: Client) -> None:
    assert "default-src 'none'" in stranger.get("/api/runs").headers["content-security-policy"]


def test_body_of_100_mb_is_refused_unread(client: Client) -> None:
    stated = client.post("/api/check", content=b"{}", headers={"content-length": "100000000", **JSON})
    assert stated.status_code == 413
    assert one_line(stated)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BODY // 10_000 + 2):
            yield b" " * 10_000

    assert client.post("/api/check", content=endless(), headers=JSON).status_code == 413
    assert client.get("/api/choices").status_code == 200


JSON = {"content-type": "application/json"}


@pytest.mark.slow
def test_requests_have_a_rate(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivalry.web.safety.RATE", 0.0)  # a slow machine sends fewer in a second
    seen = [client.get("/api/nothing").status_code for _ in range(BURST)]
    assert seen[0] == 404
    assert 429 in seen


@pytest.mark.slow
def test_requests_without_the_cookie_do_not_lock_the_owner_out(client: Client) -> None:
    kept = client.cookies
    client.cookies = httpx.Cookies()
    assert {client.get("/api/nothing").status_code for _ in range(BURST + 50)} == {401}
    client.cookies = kept
    assert client.get("/api/choices").status_code == 200


@pytest.mark.slow
def test_slow_questions_do_not_hold_up_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers to questions that take minutes are waited for in no thread that others need."""
    client, bench = client_of(tmp_path)
    client.get(f"/?token={TOKEN}")
    asked = list[str]()

    async def forever(call: Any, *arguments: Any) -> Any:
        asked.append(call.__name__)
        await asyncio.sleep(3600)

    monkeypatch.setattr(bench.prover, "ask", forever)

    async def flood() -> float:
        door = httpx.ASGITransport(client.app)
        kept = {"cookies": client.cookies, "base_url": HOME, "transport": door, "headers": {"origin": HOME}}
        async with httpx.AsyncClient(**kept) as one:
            slow = [
                asyncio.create_task(one.post("/api/games/matrix/answer", json={"state": {}}))
                for _ in range(40)
            ]
            while len(asked) < len(slow):
                await asyncio.sleep(0.01)
            begun = time.monotonic()
            for path in ("/api/studies", "/api/runs", "/api/choices"):
                assert (await one.get(path)).status_code == 200
            taken = time.monotonic() - begun
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
            return taken

    assert asyncio.run(flood()) < 10
    assert set(asked) == {"followed"}
    bench.close()


@pytest.mark.slow
def test_questions_wait_in_a_queue_and_each_has_its_whole_time() -> None:
    """The second waits for longer than it may compute; one that computes too long ends alone."""

    async def ask(line: Questions) -> list[Any]:
        await line.ask(os.getpid)  # the process is started
        endless = line.ask(sum, range(10**12))
        first = [line.ask(time.sleep, 2.5), line.ask(time.sleep, 2.5), endless]
        rest = [line.ask(os.getpid) for _ in range(QUEUE)]
        return await asyncio.gather(*first, *rest, return_exceptions=True)

    short, long, endless, *rest = answers(ask, seconds=4.0)
    assert short is None
    assert long is None
    assert isinstance(endless, Refused)
    assert endless.status == 504
    assert [one.status for one in rest if isinstance(one, Refused)] == [503] * 3
    assert len({one for one in rest if isinstance(one, int)}) == 1


def answers(ask: Any, seconds: float) -> Any:
    """What a coroutine returns that asks a queue of questions."""

    async def closed() -> Any:
        line = Questions(seconds)
        try:
            return await ask(line)
        finally:
            line.close()

    return asyncio.run(closed())


@pytest.mark.slow
def test_only_the_time_in_which_a_process_computes_counts() -> None:
    """On a busy machine an answer takes many times as long."""

    async def ask(line: Questions) -> Any:
        await line.ask(os.getpid)
        line.seconds = 0.2
        return await line.ask(time.sleep, 1.5)

    assert answers(ask, seconds=60.0) is None


@pytest.mark.slow
def test_a_process_that_was_stopped_is_replaced_or_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Even while it is being sent more than a pipe holds; a short pause loses nothing."""
    monkeypatch.setattr("rivalry.web.processes.PULSE", 0.1)
    monkeypatch.setattr("rivalry.web.processes.STALL", 1.0)

    async def ask(line: Questions) -> list[Any]:
        first = await line.ask(os.getpid)
        os.kill(first, signal.SIGSTOP)
        waiting = asyncio.ensure_future(line.ask(len, "x" * 1_000_000))
        await asyncio.sleep(0.5)
        os.kill(first, signal.SIGCONT)
        length, same = await waiting, await line.ask(os.getpid)
        os.kill(first, signal.SIGSTOP)
        (fault,) = await asyncio.gather(line.ask(len, "x" * 1_000_000), return_exceptions=True)
        return [length, same == first, fault, await line.ask(os.getpid) != first]

    length, is_same, fault, is_new = answers(ask, seconds=60.0)
    assert (length, is_same, is_new) == (1_000_000, True, True)
    assert isinstance(fault, Refused)
    assert fault.status == 503
    assert "stood still" in fault.why
    assert not caplog.records


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/living/%2e%2e/figure.py",
        "/static//etc/passwd",
        "/api/studies/..%2f..%2fetc%2fpasswd",
        "/api/studies/%2e%2e",
        "/api/runs/..%2f..",
        "/api/runs/%2e%2e/results",
        "/api/figures/..%2f../01-a.svg",
        "/api/figures/x/..%2f..%2fetc%2fpasswd",
    ],
)
def test_names_never_become_paths(client: Client, tmp_path: Path, path: str) -> None:
    (tmp_path / "study.json").write_text("{}")  # the folder above `runs` is no run
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert one_line(answer)


@pytest.mark.parametrize("name", ["../mine", "a/b", ".hidden", "x" * 65, "mine.toml", "tour", "a b", "ä"])
def test_study_is_saved_under_plain_names_only(client: Client, tmp_path: Path, name: str) -> None:
    answer = client.post(f"/api/studies/{name.replace('/', '%2f')}", json={"text": STUDY, "replace": True})
    assert answer.status_code in (400, 404, 405)
    assert not list(tmp_path.rglob("*.toml"))
    assert not (tmp_path.parent / "mine.toml").exists()


def test_saving_follows_no_link_and_replaces_nothing_unasked(client: Client, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.txt"
    other.write_text("keep")
    (tmp_path / "linked.toml").symlink_to(other)
    assert client.post("/api/studies/linked", json={"text": STUDY, "replace": True}).status_code == 409
    assert other.read_text() == "keep"
    assert client.post("/api/studies/mine", json={"text": STUDY}).status_code == 200
    assert client.post("/api/studies/mine", json={"text": "x = 1"}).status_code == 409
    assert (tmp_path / "mine.toml").read_text() == STUDY


def contest(folder: Path) -> tuple[Path, Path]:
    """A user's file of a game, and a file that is there once the first was run."""
    code, mark = folder / "contest.py", folder / "ran"
    code.write_text(f"open({str(mark)!r}, 'w')\ndef contest(): ...\n")
    return code, mark


@pytest.mark.slow
def test_keys_of_tables_of_data_are_changed_where_they_stand(client: Client) -> None:
    head, key = STUDY.replace('"matrix"\nname = "chicken"', '"routes"'), 'game.demand."s>t"'
    for text in (head, f"{head}[sweep]\n{key} = [3]\n", f"{head}[sweep]\n'{key}' = [3]\n"):
        change = {"key": f"sweep.{key}", "value": [1000, 2000]}
        found = client.post("/api/check", json={"name": "mine", "text": text, "changes": [change]}).json()
        assert found["errors"] == []
        assert found["data"]["sweep"] == {key: [1000, 2000]}
        assert found["text"].count("[1000, 2000]") == found["text"].count("s>t") == 1


OF_CONTEST = STUDY.replace('"matrix"', '"contest.py:contest"').replace('name = "chicken"\n', "")


def test_own_code_runs_only_when_it_is_trusted_as_it_is(client: Client, tmp_path: Path) -> None:
    """Neither reading nor checking a study runs the file beside it; a changed file must be trusted again."""
    code, mark = contest(tmp_path)
    client.post("/api/studies/mine", json={"text": OF_CONTEST})
    found = client.post("/api/check", json={"name": "mine", "text": OF_CONTEST}).json()
    assert list(found["files"]) == [str(code)]
    assert not found["errors"]
    refused = client.post("/api/runs", json={"study": "mine"})
    assert refused.status_code == 403
    assert "contest.py" in one_line(refused)
    stale = client.post("/api/runs", json={"study": "mine", "trusted": {str(code): "0" * 64}})
    assert stale.status_code == 403
    shown = client.get("/api/files/mine").json()["files"]
    assert shown[0]["text"] == code.read_text()
    assert shown[0]["digest"] == found["files"][str(code)]
    assert not mark.exists()
    assert not (tmp_path / "runs").exists()


def test_replications_run_no_code_that_is_not_trusted(client: Client, tmp_path: Path) -> None:
    """The command runs the study beside the run, which may have changed since the run was made."""
    run = many_cells.stored(tmp_path / "runs" / "mine", many_cells.study(2))
    code, mark = contest(tmp_path)
    (tmp_path / f"{run.name}.toml").write_text(OF_CONTEST)
    refused = client.post("/api/runs/mine/replications", json={"count": 3})
    assert refused.status_code == 403
    assert "contest.py" in one_line(refused)
    (row,) = client.get(f"/api/files/{run.name}").json()["files"]
    assert (row["path"], row["text"]) == (str(code), code.read_text())
    assert not mark.exists()


@pytest.mark.slow
def test_a_command_runs_a_file_only_as_it_was_trusted(tmp_path: Path) -> None:
    """The process that runs the file compares it: it may change after the click."""
    code, mark = contest(tmp_path)
    (tmp_path / "mine.toml").write_text(OF_CONTEST)
    fault = fault_of(tmp_path, ["run", "mine.toml"], {str(code): "0" * 64})
    assert "contest.py: was not trusted in its present form" in fault
    assert not mark.exists()


@pytest.mark.slow
def test_commands_import_nothing_from_the_folder_of_the_workbench(tmp_path: Path) -> None:
    mark = tmp_path / "imported"
    for name in sorted(sys.stdlib_module_names):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write(__name__)\n")
    assert fault_of(tmp_path, ["list", "games"], {}) == ""
    assert not mark.exists()


def fault_of(home: Path, arguments: list[str], trusted: dict[str, str]) -> str:
    """Return why a command that the workbench starts fails."""
    jobs, folder = Jobs(home), home / "runs" / "mine"
    jobs.begin(folder, arguments, trusted)
    assert wait_for(lambda: not jobs.is_working(folder))
    found = jobs.fault(folder)
    jobs._jobs[folder].messages.close()
    return found


def wait_for(is_done: Any, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not (done := is_done()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(done)


def test_figures_of_a_strangers_run_are_pictures_that_cannot_run_code(tmp_path: Path) -> None:
    client, bench = client_of(tmp_path)
    client.get(f"/?token={TOKEN}")
    folder = bench.new_set()
    picture = folder / "01-x.svg"
    picture.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    address = f"/api/figures/{folder.name}/{picture.name}"
    answer = client.get(address)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    picture.unlink()
    picture.symlink_to("/etc/hostname")
    assert client.get(address).status_code == 404
    bench.close()


def test_damaged_run_is_named_and_the_others_are_listed(client: Client, tmp_path: Path) -> None:
    many_cells.stored(tmp_path / "runs" / "good", many_cells.study(2))
    bad = tmp_path / "runs" / "bad"
    bad.mkdir()
    (bad / "study.json").write_text('{"schema": 99')
    rows = {row["name"]: row for row in client.get("/api/runs").json()["runs"]}
    assert (rows["good"]["status"], rows["good"]["counts"]["done"]) == ("done", 2)
    assert rows["bad"]["status"] == "damaged"
    assert "\n" not in rows["bad"]["fault"]
    assert client.get("/api/runs/bad").status_code == 409


@pytest.mark.parametrize(
    "text", ["[game", "a = \x00", "x = " + "[" * 5000, "title = 1", "[game]\nfamily = 3"]
)
def test_malformed_study_is_one_line_and_changes_nothing(client: Client, tmp_path: Path, text: str) -> None:
    found = client.post("/api/check", json={"text": text}).json()
    assert len(found["errors"]) == 1
    assert "\n" not in found["errors"][0]["message"]
    assert found["text"] == text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *(("/api/check", body) for body in ("[1]", "{", '{"text": 3}', '{"changes": 1}', "[" * 100_000)),
        ("/api/check", '{"text": "\\ud800"}'),
        ("/api/check", '{"text": "", "changes": [1]}'),
        ("/api/check", '{"text": "", "changes": [{"key": 3}]}'),
        ("/api/check", f'{{"text": "", "changes": [{{"key": "game.x", "value": 1{"0" * 400}}}]}}'),
        ("/api/studies/mine", '{"text": "\\ud800"}'),
        ("/api/games/matrix/answer", f'{{"state": {{"profile": [[1{"0" * 400}]]}}}}'),
        ("/api/games/matrix/answer", '{"parameters": {"\\ud800": 1}}'),
        ("/api/games/matrix/study", '{"profile": [null]}'),
        ("/api/games/matrix/study", '{"title": "\\udfff"}'),
        ("/api/games/matrix/study", '{"profile": NaN}'),
    ],
)
def test_a_malformed_request_is_refused_in_one_line(client: Client, path: str, body: str) -> None:
    answer = client.post(path, content=body.encode(), headers=JSON)
    assert answer.status_code == 400
    assert one_line(answer)


def test_a_named_process_is_not_stopped_unless_it_holds_the_lock(client: Client, tmp_path: Path) -> None:
    """A stranger's folder may name any process as its owner."""
    run = many_cells.stored(tmp_path / "runs" / "theirs", many_cells.study(2))
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as victim:
        (run.folder / "lock").write_text(f"process {victim.pid}")
        assert client.post("/api/runs/theirs/stop", json={}).status_code == 409
        assert victim.poll() is None
        victim.kill()


# studies


def test_form_writes_into_the_text_and_keeps_comments(client: Client) -> None:
    changes = [
        {"key": "title", "value": 'A "new" title'},
        {"key": "game.name", "value": "stag_hunt"},
        {"key": "method[0].max_steps", "value": 40},
        {"key": "sweep.game.name", "value": ["chicken", "stag_hunt"]},
        {"key": "replications.seed", "value": 7},
        {"key": "source", "value": "none"},
        {"key": "method[1]", "value": {"kind": "evaluate"}},
    ]
    found = client.post("/api/check", json={"text": STUDY, "changes": changes}).json()
    assert found["text"].startswith("# a comment that stays\n")
    assert found["data"] == {
        "title": 'A "new" title',
        "source": "none",
        "game": {"family": "matrix", "name": "stag_hunt"},
        "method": [{"kind": "mixed_equilibria", "max_steps": 40}, {"kind": "evaluate"}],
        "sweep": {"game.name": ["chicken", "stag_hunt"]},
        "replications": {"seed": 7},
    }
    again = [{"key": change["key"]} for change in changes[-1:1:-1]]
    back = client.post("/api/check", json={"text": found["text"], "changes": again}).json()
    assert back["data"]["method"] == [{"kind": "mixed_equilibria"}]
    assert not back["data"]["sweep"]


def test_form_writes_into_tables_of_a_method(client: Client) -> None:
    study = STUDY.replace("mixed_equilibria", "repeated_q_learning")
    shown = client.get("/api/schema?family=matrix&kinds=repeated_q_learning").json()
    keys = {row["name"]: row for row in shown["methods"]["repeated_q_learning"]["keys"]}
    assert keys["exploration.kind"]["schema"]["enum"] == ["greedy", "softmax", "ucb"]
    assert keys["stopping.max_periods"]["schema"]["minimum"] == 1
    assert "exploration.end" not in keys
    changes = [
        {"key": "method[0].exploration.decay", "value": 1e-4},
        {"key": "method[0].exploration.start", "value": 0.5},
        {"key": "method[0].stopping.max_periods", "value": 1000},
    ]
    found = client.post("/api/check", json={"text": study, "changes": changes}).json()
    assert found["errors"] == []
    assert found["data"]["method"][0]["exploration"] == {"decay": 1e-4, "start": 0.5}
    assert "stopping = {max_periods = 1000}" in found["text"]
    wrong = [{"key": "method[0].exploration.start", "value": 1.5}]
    built = {"text": found["text"], "changes": wrong, "build": True}
    (error,) = client.post("/api/check", json=built).json()["errors"]
    assert error["key"].endswith("exploration.start")
    cleared = [{"key": change["key"]} for change in changes]
    back = client.post("/api/check", json={"text": found["text"], "changes": cleared}).json()
    assert back["text"] == study


@pytest.mark.slow
def test_every_bundled_study_passes_unchanged_through_the_form(client: Client) -> None:
    """Setting a title to what it is changes no other line of any study."""
    from rivalry.lab.study import studies

    for name in list(studies())[::9]:
        text = client.get(f"/api/studies/{name}").json()["text"]
        found = client.post("/api/check", json={"name": name, "text": text}).json()
        assert not found["errors"], name
        title = [{"key": "title", "value": found["data"]["title"]}]
        after = client.post("/api/check", json={"name": name, "text": text, "changes": title}).json()
        assert after["data"] == found["data"], name
        differ = [a for a, b in zip(text.splitlines(), after["text"].splitlines(), strict=True) if a != b]
        assert all(line.startswith("title") for line in differ), name


@pytest.mark.representative
@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('kind = "mixed_equilibria"', 'kind = "mixd"', "method[0].kind"),
        ("[[method]]", "[replications]\ncount = 0\n[[method]]", "replications.count"),
        ("[game]", "[gam]\nx = 1\n[game]", "gam"),
        ('name = "chicken"', 'name = "chicken"\n[sweep]\n"game.reach" = []', "sweep.game.reach"),
        ("[[method]]", "[certificate]\ntolerance = -1\n[[method]]", "certificate.tolerance"),
    ],
)
def test_errors_come_with_their_key_before_anything_runs(
    client: Client, tmp_path: Path, old: str, new: str, key: str
) -> None:
    found = client.post("/api/check", json={"text": STUDY.replace(old, new)}).json()
    (error,) = found["errors"]
    assert error["key"] == key
    assert error["message"]
    assert "\n" not in error["message"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_cards_name_source_cost_and_family(client: Client, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(STUDY)
    (tmp_path / "other.toml").write_text("[tool]\nx = 1\n")
    (tmp_path / "broken.toml").write_text("[game")
    rows = {row["name"]: row for row in client.get("/api/studies").json()["studies"]}
    assert rows["mine"]["own"]
    assert (rows["mine"]["title"], rows["mine"]["family"]) == ("Two firms", "matrix")
    assert "other" not in rows
    assert "TOML" in rows["broken"]["fault"]
    assert rows["lovett_fig6"]["source"].startswith("Lovett")
    assert rows["tour"]["parts"] == 9
    assert rows["race_stakes"]["question"] == "How much safer is a race if a disaster costs more?"
    assert re.fullmatch(r"\d+ s", rows["race_stakes"]["time"])
    assert rows["mine"]["time"] == "seconds"
    assert rows["race_stakes"]["first"]
    assert not rows["race_map"]["first"]
    assert {row["cost"] for row in rows.values()} == {"seconds", "minutes", "hours"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("lovett_fig6", "sweep.game.reach", [0.25, 0.2]),
        ("lovett_fig6", "game.kernel", "laplace"),
        ("fishing", "replications.count", 3),
        ("all_equilibria_line", "certificate.tolerance", 1e-3),
    ],
)
def test_a_changed_study_of_the_package_keeps_the_references_of_the_command_line(
    client: Client, tmp_path: Path, name: str, key: str, value: Any
) -> None:
    """The saved study runs, and compares what a run with ``--set`` or ``--sweep`` compares."""
    from rivalry.lab.study import load_study
    from rivalry.lab.study.expect import applicable, differences

    text = client.get(f"/api/studies/{name}").json()["text"]
    form = {"name": name, "text": text, "changes": [{"key": key, "value": value}]}
    found = client.post("/api/check", json=form).json()
    assert found["errors"] == []
    saved = client.post("/api/studies/mine", json={"text": found["text"], "of": name})
    assert saved.json()["text"] == (tmp_path / "mine.toml").read_text()
    mine = load_study(tmp_path / "mine.toml")
    by_command = load_study(name).with_changes({key: value})
    changed = differences(by_command.resolved())
    wanted = [
        {**row, "at": at} for row in by_command.expect for at, why in [applicable(changed, row)] if not why
    ]
    assert [{**row, "at": row.get("at", {})} for row in mine.expect] == wanted
    left = len(by_command.expect) - len(wanted)
    assert sum(int(note.split()[0]) for note in found.get("notes", []) if "reference" in note) == left
    assert mine.cells() == by_command.cells()


def test_an_unchanged_copy_of_a_study_keeps_every_reference(client: Client, tmp_path: Path) -> None:
    text = client.get("/api/studies/lovett_fig6").json()["text"]
    client.post("/api/studies/copy", json={"text": f"# mine\n{text}", "of": "lovett_fig6"})
    assert (tmp_path / "copy.toml").read_text() == f"# mine\n{text}"


# runs


def test_run_is_told_cell_by_cell(client: Client, tmp_path: Path) -> None:
    run = many_cells.stored(tmp_path / "runs" / "many", many_cells.study(5))
    run.cell_path(run.cells[2].id).unlink()
    about = client.get("/api/runs/many").json()
    assert (about["states"], about["status"]) == ("22022", "partial")
    assert about["parts"] == [{"name": "many", "cells": 5}]


@pytest.mark.parametrize("batch", [2, 7])
def test_cells_filled_in_by_batches_are_those_of_the_whole_run(tmp_path: Path, batch: int) -> None:
    """Whatever the order in which cells end, the page has in the end what the report's figure has."""
    from rivalry.lab.answer import Answer
    from rivalry.living.figure import plain
    from rivalry.living.runs import sweep_figure
    from rivalry.web.results import jsonable

    made = many_cells.study(3, replications={"count": 2}, method={"kind": "replicator", "name": "m"})
    run = many_cells.stored(tmp_path / "run", made)
    run.cell_path(run.cells[4].id).write_bytes(b"not a cell")
    page = jsonable("tiles", str(run.folder), "")["data"]
    ids = [cell.id for cell in run.cells]
    assert page["cells"]["id"] == ids
    assert set(page["cells"]["state"]) == {"left"}
    order = [ids[k] for k in (5, 0, 3, 4, 1, 2)]
    for first in range(0, len(order), batch):
        found = jsonable("cells", str(run.folder), "", order[first : first + batch])
        for j, id in enumerate(found["cells"]["id"]):
            for name, column in found["cells"].items():
                page["cells"][name][ids.index(id)] = column[j]
            for value in found["values"]:
                known = next((one for one in page["values"] if one["name"] == value["name"]), None)
                if known is None:
                    known = {**value, "data": [None] * len(ids)}
                    page["values"].append(known)
                known["data"][ids.index(id)] = value["data"][j]
    whole = plain(sweep_figure(run, Answer(run.head["study"], run.collect().data)).data)
    assert page["cells"].pop("state") == ["done"] * 4 + ["damaged", "done"]
    whole["cells"].pop("state")
    assert page["cells"] == whole["cells"]
    assert page["values"] == [one for one in whole["values"] if one["name"] != "distance"]


def test_events_report_states_and_lacking_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second reader has the first two cells: it receives the third alone."""
    monkeypatch.setattr("rivalry.web.app.IDLE", 0.0)
    run = many_cells.stored(tmp_path / "runs" / "many", many_cells.study(3))
    bench = Workbench(tmp_path)

    async def ask(call: Any, *arguments: Any) -> Any:
        return call(*arguments)

    bench.reader.ask = ask  # type: ignore[method-assign]
    routes = create_app(bench, TOKEN, "127.0.0.1", 8765).application.routes  # type: ignore[attr-defined]
    watch = next(one.endpoint for one in routes if one.path.endswith("/events"))

    class Reader(Request):
        async def is_disconnected(self) -> bool:
            return False

    async def events(known: str) -> list[Any]:
        stream = await watch("many", Reader({"type": "http"}), "", known)
        found = []
        async for text in stream.body_iterator:
            kind, data = str(text).removeprefix("event: ").rstrip().split("\ndata: ")
            found.append((kind, json.loads(data)))
            bench.closed = kind == "state"
        bench.closed = False
        return found

    (_, cells), (_, state) = asyncio.run(events(""))
    assert cells["cells"]["id"] == [cell.id for cell in run.cells]
    assert cells["cells"]["claim"] == ["equilibrium"] * 3
    assert (state["status"], state["states"]) == ("done", "222")
    (_, cells), _ = asyncio.run(events(format(0b011, "x")))
    assert cells["cells"]["id"] == [run.cells[2].id]
    bench.close()


@pytest.mark.slow
def test_pages_read_a_run_that_is_computed_and_write_nothing_into_it(tmp_path: Path) -> None:
    """Another process holds the lock; the table and the figures are those of the finished cells."""
    from rivalry.web.results import cells, figures, results

    run = many_cells.stored(tmp_path / "run", many_cells.study(3))
    run.cell_path(run.cells[1].id).unlink()
    with run.locking():
        before = {path: path.stat() for path in run.folder.rglob("*")}
        (table,) = results(str(run.folder), "")["tables"]
        drawn = figures(str(run.folder), "", str(tmp_path))["figures"]
        cells(str(run.folder), "", [run.cells[0].id])
        after = {path: path.stat() for path in run.folder.rglob("*")}
    assert [row[0] for row in table["rows"]] == ["0.5", "1.5"]
    assert [(tmp_path / one["file"]).stat().st_size > 0 for one in drawn if not one["why"]]
    assert before.keys() == after.keys()
    assert all(before[path].st_mtime_ns == after[path].st_mtime_ns for path in before)


def test_a_cell_is_opened_with_its_certificate_and_variables(tmp_path: Path) -> None:
    from rivalry.web.results import jsonable
    from rivalry.web.safety import Refused

    run = many_cells.stored(tmp_path / "run", many_cells.study(2))
    found = jsonable("cell", str(run.folder), "", run.cells[1].id)
    assert found["certificate"].startswith("equilibrium: largest gain 0 of a payoff of 1.5, at most 0")
    assert found["file"] == str(run.cell_path(run.cells[1].id))
    payoff = next(row for row in found["variables"] if row[0] == "payoff")
    assert payoff[1] == "1.5, 2"
    with pytest.raises(Refused, match="no cell"):
        jsonable("cell", str(run.folder), "", "../../etc/passwd")


@pytest.mark.slow
def test_living_figures_of_a_run_are_certified_where_no_file_would_be_run(tmp_path: Path) -> None:
    """The answer is the certificate of the package; a game in a user's file is not built."""
    import numpy as np

    import rivalry as rv
    from rivalry.web.results import answered, living
    from rivalry.web.safety import Refused

    run = many_cells.stored(tmp_path / "run", many_cells.study(2))
    live = [one for one in living(str(run.folder), "") if one["live"]]
    title, profile = live[0]["figure"]["title"], [[0.0, 1.0], [0.0, 1.0]]
    view = live[0]["figure"]["view"]
    state = {"profile": profile, "view": view}
    found = answered(str(run.folder), "", title, state)
    payoffs = run.head["study"]["game"]["payoffs"]
    payoffs[0][0][0] = run.cells[0].point["payoffs[0][0][0]"]
    proof = rv.certificate(rv.games.matrix(payoffs=payoffs), profile)
    assert found["answer"]["claim"] == proof.claim
    assert np.allclose(found["answer"]["regret"], proof.regret)
    assert np.allclose([row["gain"] for row in found["current"]["data"]["own"]], proof.regret)
    moving = answered(str(run.folder), "", title, state | {"settled": False})
    assert moving["answer"] is None
    assert moving["current"] == found["current"]
    with pytest.raises(Refused, match="other figures"):
        answered(str(run.folder), "", "another title", {"profile": profile})
    (tmp_path / "duel.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{duel_study.GAME}")
    own = many_cells.stored(
        tmp_path / "own",
        many_cells.study(1, game={"family": "duel.py:duel"}, sweep={"game.prize": [1.0]}, folder=tmp_path),
    )
    assert not any(one["live"] for one in living(str(own.folder), ""))
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_run_that_another_process_computes_is_running(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "many"
    many_cells.stored(folder, many_cells.study(3))
    code = (
        "import signal, sys, time\nfrom pathlib import Path\nfrom rivalry.core.files import Lock\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # jobs in the background of a shell ignore it
        "lock = Lock(Path(sys.argv[1])); lock.acquire(); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline()
        assert client.get("/api/runs/many").json()["status"] == "running"
        assert client.post("/api/runs/many/resume", json={}).status_code == 409
        if Path("/proc/locks").exists():
            assert client.post("/api/runs/many/stop", json={}).status_code == 200
            assert other.wait(10) == -signal.SIGINT
        other.kill()
    assert client.get("/api/runs/many").json()["status"] == "done"


def test_hundred_runs_and_ten_thousand_cells_are_listed_from_memory(client: Client, tmp_path: Path) -> None:
    """The second look reads no head again: what a page waits for is folders, not files."""
    from rivalry.lab.store import head

    many_cells.stored(tmp_path / "runs" / "many", many_cells.study(3))
    client.get("/api/runs")
    seen: list[Any] = []
    original = head.read_head
    head.read_head = lambda folder: seen.append(folder) or original(folder)  # type: ignore[assignment,func-returns-value]
    try:
        assert len(client.get("/api/runs").json()["runs"]) == 1
    finally:
        head.read_head = original
    assert not seen


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/runs", {"study": "nothing"}),
        ("/api/runs", {"study": "tour", "run": "../out"}),
        ("/api/runs/many/replications", {"count": 0}),
        ("/api/runs/many/replications", {"count": True}),
        ("/api/runs/nothing/resume", {}),
        ("/api/compare?runs=a", None),
    ],
)
def test_impossible_wishes_are_refused_in_one_line(client: Client, path: str, body: Any) -> None:
    answer = client.get(path) if body is None else client.post(path, json=body)
    assert answer.status_code in (400, 404)
    assert one_line(answer)


def compared(folder: Path, more: float, quantities: list[str] | None = None, **changes: Any) -> Any:
    """The comparison of two runs of 2 points: payoffs of the second are those of the first and ``more``."""
    from rivalry.web.results import jsonable

    made = many_cells.study(2, method={"kind": "replicator", "name": "m"}, **changes)
    many_cells.stored_replications(folder / "first", made, lambda k: 1.0 + k)
    many_cells.stored_replications(folder / "second", made, lambda k: 1.0 + k + more)
    runs = [(name, str(folder / name), "") for name in ("first", "second")]
    return jsonable("compare", runs, *([] if quantities is None else [quantities]))


def test_comparison_pairs_points_and_replications(tmp_path: Path) -> None:
    """Each paired difference is 1."""
    found = compared(tmp_path, 1.0, replications={"count": 3})
    payoff = next(one for one in found["quantities"] if one["name"] == "payoff")
    own = [row for row in payoff["differences"][0] if row["entry"] == "player 0"]
    assert len(own) == 2
    assert {row["n"] for row in own} == {3}
    assert {round(row["mean"], 12) for row in own} == {1.0}
    assert {row["half"] for row in own} == {0.0}
    assert found["studies"] == [[]]


def test_differences_that_are_not_printed_are_none_and_quantities_are_chosen(tmp_path: Path) -> None:
    found = compared(tmp_path, 1e-9, ["payoff"])
    assert [one["name"] for one in found["quantities"]] == ["payoff"]
    assert {"payoff", "profile"} <= {name for name, _ in found["names"]}
    assert {row["mean"] for row in found["quantities"][0]["differences"][0]} == {0.0}


@pytest.mark.slow
def test_notes_of_a_run_are_stored_beside_it_and_listed(client: Client, tmp_path: Path) -> None:
    run = many_cells.stored(tmp_path / "runs" / "many", many_cells.study(2))
    head = (run.folder / "study.json").read_bytes()
    given = {"note": " <b>look</b> again ", "tags": ["slow", "slow", "paper"]}
    expected = {"note": "<b>look</b> again", "tags": ["slow", "paper"]}
    assert client.post("/api/runs/many/notes", json=given).json() == expected
    (row,) = client.get("/api/runs").json()["runs"]
    assert {key: row[key] for key in expected} == expected
    assert (run.folder / "study.json").read_bytes() == head
    for wrong in ({"note": "x" * 5000}, {"tags": ["x" * 50]}, {"tags": [""]}, {"tags": "x"}):
        assert one_line(client.post("/api/runs/many/notes", json=wrong))
    assert client.post("/api/runs/nothing/notes", json=given).status_code == 404
    (run.folder / "notes.json").write_text("{}")
    (row,) = client.get("/api/runs").json()["runs"]
    assert (row["note"], row["tags"]) == ("", [])


def test_stored_answers_of_studies_have_the_range_of_their_first_quantity(client: Client) -> None:
    """The stored rows are the source: the smallest and largest profit gain of the first is that of a row."""
    shown = client.get("/api/studies/klein2021").json()["stored"]
    (table,) = shown["tables"]
    column = table["columns"].index(shown["number"]["label"])
    entries = [re.sub(" [a-z]$", "", row[column]) for row in table["rows"] if row[column]]
    entries.sort(key=lambda entry: float(entry.partition(" ")[0]))
    assert shown["number"]["words"] == f"{entries[0]} to {entries[-1]}"
    assert client.get("/api/studies/liars_dice").json()["stored"] is None  # no answer of it is stored


@pytest.mark.slow
def test_quantities_of_a_run_are_those_of_its_answer(tmp_path: Path) -> None:
    from rivalry.web.results import run_quantities
    from tests.unit.stored_run import stored

    run = stored(tmp_path / "run")
    found = run_quantities(str(run.folder))
    table = run.answer.table
    names = table.columns[table.keys :]
    assert list(found) == [name for name in names if np.isfinite(table.rows[0][name].mean)]
    assert all(isinstance(one["value"], float) for one in found.values())


@pytest.mark.slow
def test_explorations_begin_at_an_equilibrium_where_there_is_one() -> None:
    """Two firms with demand 100 - Q and cost 10 sell (100 - 10)/3 each; both prisoners defect."""
    from rivalry.web.explore import figures, followed

    def begins(family: str, **parameters: Any) -> Any:
        (first, *_) = figures(family, parameters, None)["figures"]
        return first["state"].get("profile"), first["figure"]["data"]["opening"]

    profile, opening = begins("market")
    assert profile == pytest.approx(np.full((2, 1), 30.0))
    assert not opening
    assert begins("matrix", name="prisoners_dilemma") == ([[0, 1], [0, 1]], "")
    for name in ("race", "auction", "precipice"):
        profile, opening = begins(name)
        assert max(followed(name, {}, {"profile": profile})["answer"]["regret"]) < 1e-9, name
        assert not opening
    assert begins("karma") == (None, "No equilibrium is known here, so the figure opens elsewhere.")
    (chosen, *_) = figures("matrix", {}, [[0.25, 0.75], [0.5, 0.5]])["figures"]
    assert chosen["state"]["profile"] == [[0.25, 0.75], [0.5, 0.5]]
    assert not chosen["figure"]["data"]["opening"]


# the pages' modules


def test_modules_of_pages_write_text_as_text() -> None:
    lines = [
        f"src/rivalry/web/static/{path.relative_to(WEB)}: write text by textContent instead of {words}"
        for path in WEB.rglob("*.js")
        for words in re.findall(r"innerHTML|insertAdjacentHTML|\beval\(|new Function", path.read_text())
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.slow
def test_types_of_pages_are_consistent(tmp_path: Path) -> None:
    """The modules are laid out as the server serves them: those of the figures are below `living`."""
    shutil.copytree(WEB, tmp_path / "static")
    shutil.copytree(LIVING, tmp_path / "static" / "living")
    pages = sorted((tmp_path / "static" / "pages").glob("*.js"))
    assert_types_are_consistent(pages, "es2022,dom,dom.iterable")


# the command


def address_of(server: subprocess.Popen[str]) -> str:
    return str(json.loads(server.stdout.readline())["url"])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks at processes below /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_open_prints_its_address_and_leaves_nothing(tmp_path: Path, end: signal.Signals) -> None:
    """Ctrl-C, another program and a closed terminal end it; neither a file nor a process is left."""
    command = [sys.executable, "-m", "rivalry", "open", "tour", "--port", "0", "--no-browser", "--json"]
    env = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as server:
        address = address_of(server)
        assert address.startswith("http://127.0.0.1:")
        assert "/study?name=tour&token=" in address
        with httpx.Client() as client:
            assert client.get(address).status_code == 200
            assert client.get(f"{address.partition('/study')[0]}/api/games/matrix").status_code == 200
        helpers = descendants(server.pid)
        assert helpers
        files = semaphores({server.pid, *helpers})
        begun = time.monotonic()
        server.send_signal(end)
        assert server.wait(10) == 0
        assert time.monotonic() - begun < 5
        assert not server.stderr.read()
    assert wait_for(lambda: not any(map(computes, helpers)), 10)
    assert not [file for file in files if Path(file).exists()]
    assert not list(tmp_path.iterdir())


def test_a_used_port_is_one_line_that_names_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rivalry.cli import main

    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["open", "--no-browser", "--port", str(port)]) == 2
    words = "is used by another program on 127.0.0.1; choose another, or 0 for a free one"
    assert capsys.readouterr().err.strip() == f"rivalry: --port {port}: {words}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "is not a bundled study"),
        (["--port", "1"], "--port 1"),
        (["--port", "70000"], "--port"),
        (["--host", "127.0.0.1:80"], "--host 127.0.0.1:80"),
    ],
)
def test_refusals_have_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rivalry.cli import main

    if arguments == ["--port", "1"] and os.geteuid() == 0:
        pytest.skip("needs a user other than root")
    assert main(["open", "--no-browser", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not captured.out
