"""The command ``open``."""

from __future__ import annotations

from typing import Annotated

from rivalry.cli import output
from rivalry.cli.options import Json, argument, flag, option


def open_(
    target: Annotated[str | None, argument("[RUN|STUDY]", "A run's folder, or a study, to open.")] = None,
    port: Annotated[int | None, option("--port", "P", "Port; 0 takes a free one.", min=0, max=65535)] = None,
    host: Annotated[
        str | None,
        option("--host", "H", "Address to listen on; default: this machine only."),
    ] = None,
    no_browser: Annotated[bool, flag("--no-browser", "Do not open a browser.")] = False,
    json: Json = False,
) -> int:
    """Open the workbench in a browser, until Ctrl-C.

    Runs that it starts go on when it ends. The address holds a token: whoever has it can run studies here.
    """
    from rivalry.web.serve import serve

    def announce(address: str) -> None:
        output.print_result(json, {"url": address}, address)

    serve(target, host, port, browse=not no_browser, announce=announce, note=output.note)
    return 0
