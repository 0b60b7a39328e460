"""Start of the workbench: a free port, a token, the browser, and an orderly end at Ctrl-C."""

from __future__ import annotations

import errno
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rivalry.schema.installation import remedy
from rivalry.text.foreign import one_line

if TYPE_CHECKING:
    from types import FrameType

    from rivalry.web.processes import Jobs

PORT = 8765  # the first port that is tried


class ServeError(ValueError):
    """Error for a server that cannot be started; the message is one line with the remedy."""


def serve(
    target: str | None,
    host: str | None,
    port: int | None,
    *,
    browse: bool,
    announce: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Serve the workbench until Ctrl-C.

    Parameters
    ----------
    target
        Run folder, study file or name of a study to open; None opens the start page.
    announce
        Receives the address as soon as the server listens.
    note
        Receives messages for people.

    Raises
    ------
    ServeError
        Without the libraries, for an address in use, and for something that is neither a run nor a study.
    """
    if missing := [name for name in ("fastapi", "uvicorn", "tomlkit") if find_spec(name) is None]:
        raise ServeError(f"needs {', '.join(missing)}: {remedy('web')}")
    home = Path.cwd()
    page, opened = page_of(target, home)
    import uvicorn

    from rivalry.core.files import write
    from rivalry.web.app import Workbench, create_app
    from rivalry.web.safety import LOOPBACK, opening_page

    name = host or LOOPBACK[0]
    listener = _listen(name, port)
    token = secrets.token_urlsafe(24)
    number = listener.getsockname()[1]
    visible = socket.gethostname() if name in ("0.0.0.0", "::") else f"[{name}]" if ":" in name else name
    plain = f"http://{visible}:{number}{page}"
    address = f"{plain}{'&' if '?' in page else '?'}token={token}"
    bench = Workbench(home, opened)
    guard = create_app(bench, token, name, number)
    is_asked = False  # by a person at the terminal to end

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            announce(address)
            threading.Thread(target=bench.runs.rows, daemon=True).start()  # the first page finds them read
            signal.signal(signal.SIGHUP, self.handle_exit)  # the terminal was closed
            if name not in LOOPBACK:
                note("other machines can reach this server: whoever has the address can run studies here")
            if browse:
                # other users see a browser's command line: it names a page that only this one can read
                path = bench.scratch / "open.html"
                write(path, opening_page(plain, guard.new_token()).encode(), mode=0o600)
                webbrowser.open(path.as_uri())

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            nonlocal is_asked
            is_asked = sig == signal.SIGINT
            super().handle_exit(signal.SIGINT, frame)  # every end is that of Ctrl-C

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            bench.close()  # first, so that no request waits for what it computes
            await super().shutdown(sockets=sockets)

    settings = uvicorn.Config(
        guard,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a client would name itself
        timeout_graceful_shutdown=1,  # a page that watches a run never ends its request
        h11_max_incomplete_event_size=65_536,  # bytes of headers
        lifespan="off",  # closed here, once
    )
    signal.set_wakeup_fd(-1)  # the command line would end this process before it has closed
    try:
        Server(settings).run(sockets=[listener])
    except KeyboardInterrupt:  # the ordinary end
        pass
    finally:
        bench.close()
        _end(bench.jobs, note, is_asked)


def _end(jobs: Jobs, note: Callable[[str], None], is_asked: bool) -> None:
    """Name the runs that go on, or stop them where a person at the terminal asks for it."""
    working = jobs.working()
    if not working:
        return
    names = ", ".join(str(folder) for folder in working)
    stop = False
    if is_asked and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stderr.write(one_line(f"still being computed: {names}; pause? [y/N]") + " ")
        sys.stderr.flush()
        try:
            stop = sys.stdin.readline().strip().lower().startswith("y")
        except KeyboardInterrupt:
            stop = False
    for folder in working if stop else ():
        jobs.stop(folder)
    note(f"{names}: {'paused' if stop else 'goes on'}; `rivalry status RUN` says how far it is")


def page_of(target: str | None, home: Path) -> tuple[str, Path | None]:
    """Return the page to open, and a run or study outside the usual folders. Raises `ServeError`.

    >>> page_of(None, Path("."))[0], page_of("tour", Path("."))[0]
    ('/', '/study?name=tour')
    """
    from rivalry.core.files import read_text
    from rivalry.lab.study import studies
    from rivalry.lab.study.names import find_study

    if target is None:
        return "/", None
    path = home / target
    if (path / "study.json").is_file():
        path = path.resolve()
        return f"/run?name={path.name}", path
    if target in studies():
        return f"/study?name={target}", None
    try:
        find_study(target, home)
        read_text(path)
    except ValueError as error:
        raise ServeError(str(error).replace(str(path), target)) from None
    return f"/study?name={path.stem}", path.resolve()


def _listen(host: str, port: int | None) -> socket.socket:
    """Return a listening socket on the port; without one, on the first free port. Raises `ServeError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tries = [port] if port is not None else [PORT, 0]
    for number in tries:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen()  # else another start takes the port too
            return listener
        except OSError as error:
            listener.close()
            fault = error
    if fault.errno not in (errno.EADDRINUSE, errno.EACCES):
        raise ServeError(f"--host {host}: {fault.strerror}; must be an address of this machine")
    reason = "is used by another program" if fault.errno == errno.EADDRINUSE else "is not open to this user"
    raise ServeError(f"--port {tries[0]}: {reason} on {host}; choose another, or 0 for a free one")
